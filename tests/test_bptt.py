"""Backpropagation through time by hand against the engine and against finite differences, equation by equation."""

import inspect
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_rnn as tg
import viz
from tinygrad_rnn.autodiff.gradcheck import STEP
from zoo import bptt
from zoo.bptt import Weights, backward, forward, mean_over_batch, through_the_softmax
from zoo.pattern_1 import Pattern1

INPUTS, HIDDEN, OUTPUTS = 3, 5, 4
LETTERS = ["o", "h", *Weights._fields]


def example(T, seed):
    """A model of which no weight is 0, a sequence x (T, inputs) and classes y (T,)."""
    rng = np.random.default_rng([seed, T])
    model = Pattern1(INPUTS, HIDDEN, OUTPUTS, rng=rng)
    for p in model.parameters():
        p.data = rng.normal(size=p.shape) / 2
    return model, rng.normal(size=(T, INPUTS)), rng.integers(OUTPUTS, size=T)


def weights(model):
    return Weights(*(getattr(model, letter).data for letter in Weights._fields))


# ∂L/∂o and ∂L/∂h, a row for each step, and the gradients of the weights, by their letters: found in three ways.


def by_hand(weights, x, y):
    o, h, *of_weights = backward(weights, x, y)
    in_time = {"o": np.array([o[t] for t in sorted(o)]), "h": np.array([h[t] for t in sorted(h)])}
    return in_time | dict(zip(Weights._fields, of_weights, strict=True))


def by_engine(model, x, y):
    """What the record of both passes has as the gradient of the steps that are named so."""
    both = tg.record(model, x[:, None], y[:, None]).backward()
    found = {letter: [] for letter in LETTERS}
    for step, gradient in sorted(both.gradients.items(), key=lambda pair: pair[0].index):
        if step.name in found:
            found[step.name].append(gradient.value)
    return {letter: np.concatenate(g) if letter in "oh" else g[0] for letter, g in found.items()}


def by_differences(weights, x, y):
    """Central differences: of each weight, and of a nudge given to each element of each o⁽ᵗ⁾ and h⁽ᵗ⁾."""
    nudges = {"o": np.zeros((len(x), OUTPUTS)), "h": np.zeros((len(x), HIDDEN))}
    variables = nudges | {letter: weight.copy() for letter, weight in weights._asdict().items()}
    found = {letter: np.zeros(array.shape) for letter, array in variables.items()}
    for letter, array in variables.items():
        for i in np.ndindex(array.shape):
            value = array[i]
            array[i] = value + STEP
            above = nudged_loss(x, y, **variables)
            array[i] = value - STEP
            under = nudged_loss(x, y, **variables)
            array[i] = value
            found[letter][i] = (above - under) / (2 * STEP)
    return found


def nudged_loss(x, y, o, h, U, W, V, b, c):
    """L where o⁽ᵗ⁾ and h⁽ᵗ⁾ are moved by the rows of o and h."""
    state, L = np.zeros(len(b)), 0.0
    for x_t, y_t, nudge_o, nudge_h in zip(x, y, o, h, strict=True):
        state = np.tanh(b + W @ state + U @ x_t) + nudge_h
        output = c + V @ state + nudge_o
        L += np.log(np.exp(output).sum()) - output[y_t]
    return L


def assert_close(found, expected, relative):
    """Compare in units of the largest element, and no element may be missing."""
    assert found.shape == expected.shape
    assert np.abs(expected).max() > 1e-6
    assert np.abs(found - expected).max() <= relative * np.abs(expected).max()


# -- the equations -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("T", [1, 2, 8])
@pytest.mark.parametrize("letter", LETTERS)
def test_each_gradient_is_the_engines(letter, T):
    model, x, y = example(T, seed=0)
    if (letter, T) == ("W", 1):  # h⁽⁰⁾ = 0
        assert not by_hand(weights(model), x, y)["W"].any()
        return
    assert_close(by_hand(weights(model), x, y)[letter], by_engine(model, x, y)[letter], 1e-10)


@pytest.mark.parametrize("T", [1, 2, 8])
@pytest.mark.parametrize("letter", LETTERS)
def test_each_gradient_is_that_of_finite_differences(letter, T):
    model, x, y = example(T, seed=1)
    if (letter, T) == ("W", 1):
        assert not by_differences(weights(model), x, y)["W"].any()
        return
    assert_close(by_hand(weights(model), x, y)[letter], by_differences(weights(model), x, y)[letter], 1e-6)


def test_the_forward_pass_is_that_of_the_record_at_every_step():
    model, x, y = example(6, seed=2)
    passed = forward(weights(model), x, y)
    graph = tg.record(model, x[:, None], y[:, None])
    for letter in "ho":
        recorded = [s.value[0] for s in graph.steps if s.name == letter and s.operation is not None]
        computed = [getattr(passed, letter)[t] for t in range(1, 7)]
        np.testing.assert_allclose(computed, recorded, rtol=1e-12, atol=1e-15)
    unmoved = nudged_loss(x, y, np.zeros((6, OUTPUTS)), np.zeros((6, HIDDEN)), *weights(model))
    assert pytest.approx(graph.outputs[0].value.item(), rel=1e-12) == passed.L
    assert pytest.approx(unmoved, rel=1e-12) == passed.L
    assert pytest.approx(sum(passed.L_t.values()), rel=1e-15) == passed.L
    assert all(passed.ŷ[t].sum() == pytest.approx(1, rel=1e-14) for t in passed.ŷ)
    assert list(passed.h) == [0, 1, 2, 3, 4, 5, 6]
    assert not passed.h[0].any()


@pytest.mark.parametrize("k", range(4))
def test_the_three_factors_through_the_softmax_come_to_ŷ_minus_y(k):
    o = np.random.default_rng(k).normal(size=4)
    ŷ = np.exp(o) / np.exp(o).sum()
    np.testing.assert_allclose(through_the_softmax(o, k), ŷ - np.eye(4)[k], rtol=1e-12, atol=1e-15)


def test_what_comes_back_through_time_is_the_gradient_of_all_later_losses():
    """∂L⁽¹⁾/∂h⁽¹⁾ is what there is of it when the sequence ends after one step; with later steps there is more."""
    model, x, y = example(5, seed=3)
    w = weights(model)
    of_own_step = w.V.T @ backward(w, x, y).o[1]
    assert np.abs(backward(w, x, y).h[1] - of_own_step).max() > 1e-2
    np.testing.assert_allclose(backward(w, x[:1], y[:1]).h[1], of_own_step, rtol=1e-12)


@given(
    T=st.integers(1, 5),
    inputs=st.integers(1, 4),
    hidden=st.integers(1, 4),
    outputs=st.integers(1, 4),
    B=st.integers(1, 4),
)
def test_of_a_batch_of_any_shape_it_is_the_mean_that_the_engine_finds(T, inputs, hidden, outputs, B):
    rng = np.random.default_rng([T, inputs, hidden, outputs, B])
    model = Pattern1(inputs, hidden, outputs, rng=rng)
    x, y = rng.normal(size=(T, B, inputs)), rng.integers(outputs, size=(T, B))
    L, gradients = mean_over_batch(weights(model), x, y)
    loss = model(x, y)
    loss.backward()
    assert pytest.approx(loss.item(), rel=1e-10, abs=1e-14) == L
    for letter, gradient in gradients._asdict().items():
        np.testing.assert_allclose(gradient, getattr(model, letter).grad.data, rtol=1e-10, atol=1e-14, err_msg=letter)


# -- the file and the picture of it --------------------------------------------------------------------------


def equations_in(function):
    """The comments that are an equation for the gradient of L by a variable that is named in the model."""
    comments = re.findall(r"^ *# (.*)$", inspect.getsource(function), re.MULTILINE)
    return [line for line in comments if re.match(r"∂L/∂\S+ = ", line)]


def test_the_equations_in_the_file_are_those_that_the_record_of_a_run_prints():
    model, x, y = example(5, seed=0)
    printed = viz.equations(tg.record(model, x[:, None], y[:, None]), of="backward").splitlines()
    assert len(printed) == 8
    assert sorted(equations_in(backward)) == sorted(printed)


def test_every_equation_stands_right_above_code_or_above_what_is_said_of_it():
    lines = [line.strip() for line in inspect.getsource(backward).splitlines()]
    for i, line in enumerate(lines):
        if line.startswith("# ∂L/∂"):
            letter = re.match(r"# ∂L/∂(\w+?)[⁽ ]", line)[1]
            code = next(after for after in lines[i:] if not after.startswith("#"))
            assert code.startswith(f"dL_d{letter}"), line


def test_the_forward_equations_in_the_file_are_those_that_the_record_prints():
    model, x, y = example(5, seed=0)
    printed = viz.equations(tg.record(model, x[:, None], y[:, None])).splitlines()
    source = inspect.getsource(forward)
    for line in printed:
        if line.startswith(("o", "ŷ")):
            assert f"# {line}" in source
    a = re.search(r"# a⁽ᵗ⁾ = (.*)", source)[1]
    assert f"h⁽ᵗ⁾ = tanh({a})" in printed
    assert "# h⁽ᵗ⁾ = tanh(a⁽ᵗ⁾)" in source


def test_there_is_no_automatic_differentiation_in_the_file():
    assert "tinygrad_rnn" not in re.findall(r"^\s*(?:from|import) (\w+)", inspect.getsource(bptt), re.MULTILINE)


# -- what is given ---------------------------------------------------------------------------------------------


@pytest.fixture
def given_example():
    model, x, y = example(3, seed=0)
    return weights(model), x, y


@pytest.mark.parametrize("run", [forward, backward])
def test_no_steps_and_steps_without_a_class_are_errors(run, given_example):
    w, x, y = given_example
    with pytest.raises(ValueError, match="x has 0 steps and y 0"):
        run(w, x[:0], y[:0])
    with pytest.raises(ValueError, match="x has 3 steps and y 2"):
        run(w, x, y[:2])


@pytest.mark.parametrize("wrong", [-1, 4])
def test_a_class_that_there_is_not_is_an_error(wrong, given_example):
    w, x, _ = given_example
    with pytest.raises(IndexError, match="classes are 0 to 3"):
        forward(w, x, [0, wrong, 1])


def test_outputs_of_any_size_give_a_finite_loss_and_the_right_gradient():
    w = Weights(np.ones((1, 1)), np.zeros((1, 1)), np.array([[0.0], [0.0]]), np.zeros(1), np.array([0.0, 5000.0]))
    assert forward(w, [[1.0]], [0]).L == 5000
    assert forward(w, [[1.0]], [1]).L == 0
    np.testing.assert_array_equal(backward(w, [[1.0]], [0]).o[1], [-1, 1])


def test_nothing_that_was_given_is_changed(given_example):
    w, x, y = given_example
    before = [a.copy() for a in (*w, x, y)]
    backward(w, x, y)
    assert all((a == b).all() for a, b in zip((*w, x, y), before, strict=True))


def test_a_batch_of_no_examples_has_no_mean(given_example):
    w, x, y = given_example
    with pytest.raises(ValueError, match="no examples"):
        mean_over_batch(w, x[:, None][:, :0], y[:, None][:, :0])
