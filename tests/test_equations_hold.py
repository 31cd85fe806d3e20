"""Every equation of every program holds in the recorded numbers."""

import inspect
import itertools
from dataclasses import replace

import numpy as np
import pytest
import test_fold
import test_fold_backward_passes
import test_fold_loops
import test_fold_networks
import test_fold_refusals
from equation_programs import PROGRAMS, forced, of_many_terms
from equations_checked import compared, holds, lines, record, with_a_loss
from folding import sequence
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from test_fold_random_programs import few, written

import tinygrad_rnn as tg
import viz
from viz.equations import read
from viz.equations import terms as of
from zoo.bidirectional import Bidirectional
from zoo.catalogue import CATALOGUE
from zoo.gru import GRUCell
from zoo.layers import GRU, LSTM, RNN
from zoo.pattern_1 import Pattern1
from zoo.readout import EachStep


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: getattr(p, "__name__", type(p).__name__))
@pytest.mark.parametrize("which", ["forward", "backward"])
def test_every_equation_of_a_program_holds_in_the_recorded_numbers(program, which):
    assert holds(record(program), which)


@pytest.mark.parametrize("name", [name for name in CATALOGUE if not name.startswith("recursive")])
def test_every_equation_of_a_model_of_the_zoo_holds_in_the_recorded_numbers(name):
    model, arguments = CATALOGUE[name].example()
    assert holds(tg.record(model, *arguments))
    assert holds(tg.record(with_a_loss(model), *arguments), "backward")


def _of_one_array(module):
    functions = {
        name: p for name, p in vars(module).items() if inspect.isfunction(p) and p.__module__ == module.__name__
    }
    return {name: p for name, p in functions.items() if list(inspect.signature(p).parameters) == ["x"]}


FOLDED = {"Stack": test_fold_networks.Stack(3, 3)}
for module in (test_fold, test_fold_networks, test_fold_loops, test_fold_backward_passes, test_fold_refusals):
    FOLDED |= _of_one_array(module)
del FOLDED["_fails_at_the_third_step"]


@pytest.mark.parametrize("T", [8, 23])
@pytest.mark.parametrize("name", FOLDED)
@pytest.mark.parametrize("which", ["forward", "backward"])
def test_every_program_that_folds_has_equations_that_hold_and_no_other_has_any(name, which, T):
    graph = tg.record(FOLDED[name], np.random.default_rng(0).normal(size=(T, 3)))
    try:
        (graph if which == "forward" else graph.backward()).fold()
    except (tg.FoldError, tg.GradientError) as error:
        with pytest.raises(type(error)):
            viz.equations(graph, which)
        return
    if name == "_the_step_that_a_list_says":
        with pytest.raises(tg.FoldError, match=r"^no equations: .* is chosen by the program"):
            viz.equations(graph, which)
    else:
        assert holds(graph, which)
        assert len(lines(graph, which)) == len(lines(graph, which, "latex")) >= 1


@pytest.mark.parametrize("late", [False, True])
def test_the_equations_hold_whichever_steps_are_fed_the_target(late):
    patterns = 0
    for pattern in itertools.product([False, True], repeat=5):
        graph = record(forced(pattern, late))
        try:
            graph.backward().fold()
        except tg.FoldError:
            continue
        patterns += 1
        assert holds(graph)
        assert holds(graph, "backward")
    assert patterns >= 8


def test_a_step_of_two_hundred_terms_has_equations_that_hold():
    graph = record(of_many_terms(200))
    assert holds(graph)
    assert holds(graph, "backward")


@settings(few, phases=[Phase.generate])
@given(written(skips=True), st.integers(0, 4))
def test_the_equations_of_a_written_program_hold(program, extra):
    graph = tg.record(program.compiled(), sequence(program.shortest + extra))
    assert holds(graph)
    assert holds(graph, "backward")


@pytest.mark.parametrize("T", [40, 41])
def test_the_equations_of_a_long_run_are_those_of_a_short_one_and_hold(T):
    for model in Pattern1(3, 4, 4, rng=0), Bidirectional(3, 4, 4, rng=0):
        short, long = record(model), record(model, T)
        for which in ("forward", "backward"):
            assert lines(long, which) == lines(short, which)
            assert holds(long, which)


@pytest.mark.parametrize("lengths", [None, [6, 4, 0]])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("kind", [RNN, LSTM, GRU])
def test_layers_as_practised_have_equations_that_hold(kind, bidirectional, lengths):
    layer = kind(2, 4, 2, bidirectional=bidirectional, rng=0)

    def model(x):
        output, _ = layer(x, lengths=lengths)
        L = (output * output).sum()
        return L

    graph = tg.record(model, np.random.default_rng(0).normal(size=(6, 3, 2)))
    assert holds(graph)
    assert holds(graph, "backward")


@settings(max_examples=30, deadline=None)
@given(*(st.integers(1, 3) for _ in range(4)), st.integers(2, 3), st.sampled_from([Pattern1, Bidirectional, GRUCell]))
def test_the_equations_hold_for_lengths_of_one_and_lengths_that_coincide(T, B, inputs, hidden, outputs, kind):
    if kind is GRUCell:
        model = EachStep(GRUCell(inputs, hidden, rng=0), hidden, outputs, rng=1)
    else:
        model = kind(inputs, hidden, outputs, rng=0)
    rng = np.random.default_rng(T)
    graph = tg.record(model, rng.normal(size=(T, B, inputs)), rng.integers(0, outputs, size=(T, B)))
    assert holds(graph)
    assert holds(graph, "backward")


def test_the_comparison_notices_an_equation_that_does_not_hold():
    reading = read(record(Pattern1(3, 4, 4, rng=0)), "backward")
    for i, e in enumerate(reading.equations):
        reading.equations[i] = replace(e, right=of.Negative(e.right.shape, (e.right,)))
        with pytest.raises(AssertionError):
            compared(reading, 1e-3)
        reading.equations[i] = e
