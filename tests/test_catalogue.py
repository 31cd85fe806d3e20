"""Every model of the catalogue: its example runs, repeats, has the right gradients, and is recorded completely."""

import inspect
import re

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn.autodiff.nests import flatten
from zoo.catalogue import CATALOGUE, B

FIGURES = ["10.1", "10.2", "10.3", "10.4", "10.5", "10.6", "10.7", "10.8", "10.9", "10.10", "10.11", "10.12"]
FIGURES += ["10.13a", "10.13b", "10.13c", "10.14", "10.16", "10.18"]

each_model = pytest.mark.parametrize("name", CATALOGUE)


def example(name, seed=0):
    """The example of a model, none of whose weights is 0; what holds them; its arguments."""
    model, arguments = CATALOGUE[name].example(seed)
    holder = model if isinstance(model, tg.Module) else next(iter(inspect.getclosurevars(model).nonlocals.values()))
    rng = np.random.default_rng(1)
    for p in holder.parameters():
        p.data = p.data + rng.normal(0, 0.3, p.shape)
    return model, holder, arguments


def numbers(returned):
    return [t.data for t in flatten(returned) if isinstance(t, tg.Tensor)]


def test_every_figure_of_the_chapter_that_shows_a_network_has_its_model():
    drawn = {figure for entry in CATALOGUE.values() for figure in entry.figure.split(", ")} - {""}
    assert drawn == set(FIGURES)


@each_model
def test_its_summary_is_a_sentence_that_no_other_model_has(name):
    summary = CATALOGUE[name].summary
    assert re.fullmatch(r"[A-Z].{30,118}\.", summary)
    assert [entry.summary for entry in CATALOGUE.values()].count(summary) == 1


@each_model
def test_its_example_repeats_to_the_bit_and_another_seed_gives_another(name):
    one, again, other = (numbers(model(*arguments)) for model, _, arguments in map(example, [name] * 3, [0, 0, 1]))
    for a, b, c in zip(one, again, other, strict=True):
        assert (a == b).all()
        assert (a != c).any()


@each_model
def test_its_gradients_are_the_finite_differences_in_every_element_of_every_parameter(name):
    model, holder, arguments = example(name)
    paths, arrays = zip(*((path, p.data) for path, p in holder.named_parameters()), strict=True)

    def run(*weights):
        for path, weight in zip(paths, weights, strict=True):
            *modules, attribute = path.split(".")
            owner = holder
            for part in modules:
                owner = getattr(owner, part)
            setattr(owner, attribute, weight)
        return model(*arguments)

    tg.check_gradients(run, *arrays, order=1)


@each_model
def test_every_parameter_takes_part(name):
    model, holder, arguments = example(name)
    tg.sum(model(*arguments)).backward()
    assert [path for path, p in holder.named_parameters() if p.grad is None or not p.grad.data.any()] == []


@each_model
def test_in_float32_it_stays_float32_and_comes_to_the_same(name):
    model, holder, arguments = example(name)
    expected = numbers(model(*arguments))
    for _, module in holder.named_modules():
        for attribute, value in vars(module).items():
            if isinstance(value, tg.Tensor):
                constant = tg.Tensor(value.data, dtype=np.float32, name=value.name)
                setattr(module, attribute, tg.Parameter(constant.data) if value.requires_grad else constant)
    arguments = [a.astype(np.float32) if isinstance(a, np.ndarray) and a.dtype.kind == "f" else a for a in arguments]
    returned = model(*arguments)
    tg.sum(returned).backward()
    assert {a.dtype for a in (*numbers(returned), *(p.grad for p in holder.parameters()))} == {np.dtype(np.float32)}
    for a, b in zip(numbers(returned), expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


@each_model
def test_its_record_replays_other_numbers_to_the_same_bits(name):
    model, _, arguments = example(name)
    graph = tg.record(model, *arguments)
    _, _, others = example(name, seed=1)
    for before, replayed, run in zip(
        *map(numbers, (graph.returned, graph.replay(*others), model(*others))), strict=True
    ):
        assert (replayed == run).all()
        assert (replayed != before).any()


@each_model
def test_a_batch_is_its_sequences_one_by_one(name):
    if name == "scheduled-sampling":
        pytest.skip("each sequence has coins of its own")
    model, _, arguments = example(name)
    batch_axis = [None if not isinstance(a, np.ndarray) else a.shape.index(B) for a in arguments]
    alone = [
        model(*(a if axis is None else np.take(a, [i], axis) for a, axis in zip(arguments, batch_axis, strict=True)))
        for i in range(B)
    ]
    together = model(*arguments)
    if together.ndim:
        np.testing.assert_allclose(
            np.concatenate([t.data for t in alone], axis=-2), together.data, rtol=1e-12, atol=1e-15
        )
    else:
        assert together.item() == pytest.approx(np.mean([t.item() for t in alone]), rel=1e-12)


@each_model
def test_it_folds_or_says_why_not(name):
    model, _, arguments = example(name)
    graph = tg.record(model, *arguments)
    if name in ("recursive", "recursive-deep"):
        with pytest.raises(tg.FoldError, match="tree has no time axis"):
            graph.fold()
    else:
        circuit = graph.fold()
        assert circuit.lengths or name == "input-attention"
