"""The source of a compiled step reads as a person would have written it.

Whole programs are compared with tests/golden_source. When one has changed on purpose, read it, then

    UPDATE_GOLDEN=1 pytest tests/test_compile_source.py
"""

import os
import re
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import tinygrad_rnn as tg
from zoo.catalogue import CATALOGUE

GOLDEN = Path(__file__).parent / "golden_source"
READ = [
    "pattern-1",
    "pattern-2",
    "pattern-3",
    "teacher-forcing",
    "pattern-4",
    "bidirectional",
    "encoder-decoder",
    "attention",
    "lstm",
    "gru",
    "skip",
    "layer-lstm",
]


@cache
def step(name):
    model, arguments = CATALOGUE[name].example()
    return tg.compile(model, *arguments)


@pytest.mark.parametrize("name", READ)
def test_a_source_is_as_it_was_when_it_was_last_read(name):
    golden = GOLDEN / f"{name}.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(step(name).source, encoding="utf-8")
    expected = golden.read_text(encoding="utf-8") if golden.exists() else ""
    assert step(name).source == expected, f"read it, then: UPDATE_GOLDEN=1 pytest {Path(__file__).name}"


def test_there_is_no_golden_source_without_a_test():
    assert {path.stem for path in GOLDEN.iterdir()} == set(READ)


@pytest.mark.parametrize("name", [name for name in CATALOGUE if not name.startswith("recursive")])
def test_a_source_has_no_guards_no_leftover_copies_and_lines_that_fit(name):
    source = step(name).source
    assert not re.search(r"isfinite|logical_or|\* 1\b|\b1 \*|\+ 0[,)\]]|\.T\.T", source)
    assert max(map(len, source.splitlines())) <= 140 or name == "turing-machine"


@pytest.mark.parametrize("name", ["pattern-1", "lstm", "gru", "encoder-decoder", "bidirectional"])
def test_a_source_has_no_sizes_as_numbers(name):
    body = step(name).source.partition("def step")[2]
    numbers = set(map(int, re.findall(r"(?<![\w.])\d+(?![\w.])", body)))
    assert numbers <= {0, 1, 2}  # axes, and room for an initial value


LOOPS = {"pattern-1": 2, "pattern-2": 2, "teacher-forcing": 0, "bidirectional": 4, "encoder-decoder": 4, "layer-rnn": 1}


@pytest.mark.parametrize("name", LOOPS)
def test_there_is_a_loop_for_each_recurrence_and_each_of_its_gradients_and_none_else(name):
    assert step(name).source.count("for t in ") == LOOPS[name]


def test_the_report_says_what_is_in_loops_and_by_which_delay():
    report = str(step("lstm").report)
    forward, backward, rest = report.splitlines()
    assert forward.startswith("a loop up for a_q, q, a_f, f, a_g, g, a, tanh_a, s, tanh_s, h: ")
    assert forward.endswith("it needs h 1 step before, s 1 step before")
    assert backward.startswith("a loop down for dh, ")
    assert backward.endswith("it needs dh_next 1 step later, ds_next 1 step later")
    assert rest.startswith("26 values for all steps at once: Uox, Ufx, Ugx, Ux, o, do, ")
    assert str(step("teacher-forcing").report).startswith("no loop: nothing depends on another step of itself")


def test_the_report_names_what_there_is_no_way_to_compute_for_all_steps_at_once():
    W = tg.Parameter(np.eye(3))
    step = tg.compile(lambda x: sum(tg.cumsum(x_t @ W, 0).sum() for x_t in x), np.ones((5, 2, 3)))
    assert any(line.startswith("cumsum: `tg.cumsum(x_t @ W, 0)`") for line in step.report.by_steps)


def test_names_of_the_source_are_not_those_of_the_model():
    T, t, dtype, rows, total = (tg.Parameter(np.eye(3) / 2) for _ in range(5))

    def model(np_, range):
        h, len = np.zeros((2, 3)), 0
        for i in range:
            h = tg.tanh(h @ T + i @ t @ dtype + np_ @ rows)
            len = len + (h @ total).sum()
        return len

    arguments = np.ones((2, 3)), np.ones((5, 2, 3))
    step = tg.compile(model, *arguments)
    assert step(*arguments)[0] == pytest.approx(model(*arguments).item())
    assert sorted(step(*arguments)[1]) == ["T", "dtype", "rows", "t", "total"]


def test_the_program_between_circuit_and_source_prints():
    lines = str(step("pattern-1").programs[0].program).splitlines()
    assert "h = tanh(plus[t]) B×4 [0 … T]" in lines
    assert "dh_next = matmul(multiply[t], W) B×4 [0 … T]" in lines


def test_the_source_runs_by_itself():
    model, (x, y) = CATALOGUE["pattern-1"].example()
    scope = {}
    exec(step("pattern-1").source, scope)
    loss, gradients = scope["step"](**{p: getattr(model, p).data for p in "UWVbc"}, x=x, y=y)
    assert loss == step("pattern-1")(x, y)[0]
    for name, g in gradients.items():
        np.testing.assert_array_equal(g, step("pattern-1")(x, y)[1][name])
