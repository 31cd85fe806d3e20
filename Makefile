# Needs Python ≥ 3.11 and nothing else; another one than python3 with  make PYTHON=/path/to/python  .
PYTHON ?= python3
RUN := .venv/bin/python -m

# The matrices here are small: one thread is faster than several.
export OMP_NUM_THREADS := 1
export OPENBLAS_NUM_THREADS := 1

.PHONY: help gallery test claims lint format parity fuzz bench clean
.NOTPARALLEL:

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' Makefile

gallery: .venv/with-gallery ## the lecture, running: a page a topic, as build/gallery/index.html (QUICK=1: short training)
	$(RUN) viz.gallery $(if $(filter 1,$(QUICK)),--quick)
	@echo "The gallery is $(CURDIR)/build/gallery/index.html"

test: .venv/with-test,gallery ## run the tests, on all cores
	$(RUN) pytest -q --numprocesses=auto --dist=loadfile

claims: .venv/with-gallery ## measure what is said of the models, within an hour (QUICK=1: what shows within a minute)
	$(RUN) zoo claims $(if $(filter 1,$(QUICK)),--quick)

lint: .venv/with-test,gallery ## check style, formatting and types
	$(RUN) ruff check
	$(RUN) ruff format --check
	$(RUN) mypy

format: .venv/with-test,gallery ## sort the imports and format the code
	$(RUN) ruff check --select I --fix
	$(RUN) ruff format

parity: .venv/with-test,gallery,parity ## compare values and gradients with PyTorch (a large download)
	$(RUN) pytest -q tests/parity

PROGRAMS ?= 5000
SEED ?= 0
fuzz: .venv/with-test,gallery,parity ## random programs: compare with PyTorch, and fold (PROGRAMS=5000: how many, SEED=0: which)
	FUZZ_PROGRAMS=$(PROGRAMS) FUZZ_SEED=$(SEED) $(RUN) pytest -q --maxfail=5 tests/parity/test_fuzz.py tests/test_fold_random_nests.py

bench: .venv/with-gallery,benchmarks ## time the engine beside its peers
	$(RUN) benchmarks

clean: ## remove all that make has made
	rm -rf .venv build *.egg-info .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -prune -exec rm -rf {} +

# The package with the extras that the stamp's name lists. A stamp is written only after all before it has succeeded,
# so that what was interrupted is done again.
.venv/with-%: .venv/created setup.cfg pyproject.toml
	@echo "Installing tinygrad_rnn[$*] into .venv"
	@$(RUN) pip install --quiet --disable-pip-version-check --editable '.[$*]'
	@touch $@

.venv/created:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "tinygrad_rnn needs Python >= 3.11, and $(PYTHON) is %d.%d: make PYTHON=/path/to/a/newer/python" % sys.version_info[:2])'
	@$(PYTHON) -m venv --clear .venv
	@touch $@
