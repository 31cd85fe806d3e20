"""Equations read off a recorded run: that they read as the lecture's, and that each of them holds in numbers."""

import inspect
import xml.etree.ElementTree as ElementTree
from dataclasses import replace

import numpy as np
import pytest
import test_fold
import test_fold_programs
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_rnn as tg
import viz
from tinygrad_rnn.modules import Module, Parameter
from tinygrad_rnn.operation import OPERATIONS
from viz.equations import read
from viz.equations import terms as of
from viz.equations.unicode import Unicode
from zoo.bidirectional import Bidirectional
from zoo.catalogue import CATALOGUE
from zoo.gru import GRUCell
from zoo.layers import GRU, LSTM, RNN
from zoo.leaky import LeakyCell
from zoo.lstm import LSTMCell
from zoo.pattern_1 import Pattern1
from zoo.readout import EachStep
from zoo.skip import SkipCell

# -- the equations in numbers ------------------------------------------------------------------------------


class Evaluation:
    """Terms as numbers, for one example and one step, from the values of the recorded run."""

    def __init__(self, reading):
        self.reading = reading
        self.B = reading.examples.size

    def __call__(self, term, t, example, s=None):
        """The value of a term: columns are (n, 1), numbers ()."""

        def value(part):
            return self(part, t, example, s)

        match term:
            case of.Constant():
                return np.full(term.shape, term.value)
            case of.BatchSize():
                return np.float64(self.B)
            case of.Symbol():
                return self.recorded(term, t, example, s)
            case of.Add():
                return sum(map(value, term.parts))
            case of.Negative():
                return -value(term.parts[0])
            case of.Product():
                result = value(term.parts[0])
                for part in term.parts[1:]:
                    factor = value(part)
                    result = result @ factor if np.ndim(result) and np.ndim(factor) else result * factor
                return result.reshape(term.shape)
            case of.Hadamard():
                return np.prod([value(p) for p in term.parts], axis=0)
            case of.Quotient():
                return value(term.parts[0]) / value(term.parts[1])
            case of.Power():
                return value(term.parts[0]) ** term.exponent
            case of.Transpose():
                return value(term.parts[0]).T
            case of.Diagonal():
                return np.diag(value(term.parts[0])[:, 0])
            case of.OneHot():
                labels = np.reshape(value(term.parts[0]), -1).astype(int)
                return np.eye(term.shape[0])[:, labels] if len(labels) == 1 else np.eye(term.shape[1])[labels]
            case of.Every():
                steps = [self(term.parts[0], t, example, s) for s in range(term.shape[1])]
                return np.hstack([np.reshape(step, (term.shape[0], 1)) for step in steps])
            case of.Row():
                rows = np.zeros(term.shape)
                rows[(s if term.time.base == "s" else t) + term.time.offset] = np.reshape(value(term.parts[0]), -1)
                return rows
            case of.TimeSum():
                return sum(self(term.parts[0], t, example, s) for s in range(term.first, term.last + 1))
            case of.BatchSum():
                return sum(self(term.parts[0], t, i, s) for i in range(self.B))
            case of.Cases():
                now = (s if term.time.base == "s" else t) + term.time.offset
                (i,) = (i for i, when in enumerate(term.when) if now in when)
                return value(term.parts[i])
            case of.Call():
                assert not term.whole, f"{term.operation} is not an equation of one example"
                inputs = [value(p).reshape(shape) for p, shape in zip(term.parts, term.shapes, strict=True)]
                return np.reshape(OPERATIONS[term.operation].forward(*inputs, **term.attributes), term.shape)
        raise TypeError(term)

    def recorded(self, symbol, t, example, s):
        variable = symbol.variable
        at = self.moment(symbol, t, s)
        if (variable, at) in self.reading.recorded:
            value = self.reading.of_example(self.reading.recorded[variable, at], example)
            if np.ndim(value) == 0:
                return np.broadcast_to(value, symbol.shape)  # h⁽⁰⁾ = 0, which is a column
            return np.reshape(value, symbol.shape)
        return self(self.reading.definitions[variable], at, example)

    def moment(self, symbol, t, s):
        if symbol.time is None:
            return None
        loop = symbol.variable.loop
        base = {"t": t, "s": s, "1": 0, "T": None if loop is None else self.reading.lengths[loop] - 1}
        return base[symbol.time.base] + symbol.time.offset


def compared(reading, tolerance):
    """Evaluate both sides of every equation, at every step and for every example; return how many comparisons."""
    evaluate = Evaluation(reading)
    number = 0
    for e in reading.equations:
        for t in range(e.first, e.last + 1) if e.left.time == of.Time("t") else [None]:
            for example in range(reading.examples.size or 1):
                if e.left.variable in reading.definitions:
                    continue  # its left side is defined by its right side
                left, right = evaluate(e.left, t, example), evaluate(e.right, t, example)
                np.testing.assert_allclose(
                    np.broadcast_to(right, left.shape), left, rtol=tolerance, atol=tolerance, err_msg=f"{e.left} at {t}"
                )
                number += 1
    return number


def holds(graph, which="forward"):
    """Compare every equation of a pass with the recorded values, to 1e-12 forward, to 1e-10 backward."""
    reading = read(graph, which)
    assert compared(reading, 1e-12 if which == "forward" else 1e-10) >= len(reading.equations) - len(
        reading.definitions
    )
    return True


def record(model, T=5, B=2):
    """Record a model on random inputs: x (T, B, 3) and labels y (T, B)."""
    rng = np.random.default_rng(0)
    return tg.record(model, rng.normal(size=(T, B, 3)), rng.integers(0, 4, size=(T, B)))


def lines(graph, which="forward", format="unicode"):
    return viz.equations(graph, of=which, format=format).splitlines()


# -- what they read like -----------------------------------------------------------------------------------


def test_pattern_1_reads_as_in_the_lecture():
    assert lines(record(Pattern1(3, 4, 4, rng=0), B=1)) == [
        "h⁽⁰⁾ = 0",
        "h⁽ᵗ⁾ = tanh(b + W h⁽ᵗ⁻¹⁾ + U x⁽ᵗ⁾)",
        "o⁽ᵗ⁾ = c + V h⁽ᵗ⁾",
        "ŷ⁽ᵗ⁾ = softmax(o⁽ᵗ⁾)",
        "L = −Σₜ y⁽ᵗ⁾ᵀ log ŷ⁽ᵗ⁾",
    ]


BPTT = [
    "∂L/∂h⁽ᵀ⁾ = Vᵀ ∂L/∂o⁽ᵀ⁾",
    "∂L/∂h⁽ᵗ⁾ = Wᵀ diag(1 − (h⁽ᵗ⁺¹⁾)²) ∂L/∂h⁽ᵗ⁺¹⁾ + Vᵀ ∂L/∂o⁽ᵗ⁾,  t < T",
    "∂L/∂V = Σₜ ∂L/∂o⁽ᵗ⁾ h⁽ᵗ⁾ᵀ",
    "∂L/∂U = Σₜ diag(1 − (h⁽ᵗ⁾)²) ∂L/∂h⁽ᵗ⁾ x⁽ᵗ⁾ᵀ",
    "∂L/∂W = Σₜ diag(1 − (h⁽ᵗ⁾)²) ∂L/∂h⁽ᵗ⁾ h⁽ᵗ⁻¹⁾ᵀ",
    "∂L/∂c = Σₜ ∂L/∂o⁽ᵗ⁾",
    "∂L/∂b = Σₜ diag(1 − (h⁽ᵗ⁾)²) ∂L/∂h⁽ᵗ⁾",
]


def test_backpropagation_through_time_of_pattern_1_is_the_lectures():
    assert lines(record(Pattern1(3, 4, 4, rng=0), B=1), "backward") == ["∂L/∂o⁽ᵗ⁾ = ŷ⁽ᵗ⁾ − y⁽ᵗ⁾", *BPTT]


def test_of_a_batch_the_equations_are_those_of_each_example_and_one_line_says_what_is_summed():
    graph = record(Pattern1(3, 4, 4, rng=0), B=2)
    assert lines(graph)[-1] == "L is the mean over the examples of the batch, B = 2"
    assert lines(graph, "backward") == [
        "∂L/∂o⁽ᵗ⁾ = 1/B (ŷ⁽ᵗ⁾ − y⁽ᵗ⁾)",
        *BPTT,
        "gradients of parameters are sums over the examples of the batch, B = 2",
    ]


def test_a_graph_of_both_passes_has_the_forward_equations_of_the_forward_pass():
    graph = record(EachStep(LeakyCell(3, 4, [2.0, 3, 4, 5], rng=0), 4, 4, rng=1))
    assert lines(graph.backward()) == lines(graph)
    assert lines(graph.backward(), "backward") == lines(graph, "backward")


def test_pattern_1_in_latex():
    graph = record(Pattern1(3, 4, 4, rng=0), B=1)
    assert lines(graph, format="latex")[1:4] == [
        r"h^{(t)} = \tanh\left(b + W \, h^{(t-1)} + U \, x^{(t)}\right)",
        r"o^{(t)} = c + V \, h^{(t)}",
        r"\hat{y}^{(t)} = \operatorname{softmax}\left(o^{(t)}\right)",
    ]
    gradient = r"\frac{\partial L}{\partial h^{(t%s)}}"
    diagonal = r"\operatorname{diag}\left(1 - {\left(h^{(t+1)}\right)}^{2}\right)"
    assert lines(graph, "backward", "latex")[2] == (
        gradient % "" + r" = W^{\top} \, " + diagonal + r" \, " + gradient % "+1" + r" + V^{\top} \, "
        r"\frac{\partial L}{\partial o^{(t)}}, \quad t < T"
    )


def test_the_lstm_reads_as_in_the_lecture():
    assert lines(record(EachStep(LSTMCell(3, 4, rng=0), 4, 4, rng=1)))[:9] == [
        "h⁽⁰⁾ = 0",
        "g⁽ᵗ⁾ = σ(Ug x⁽ᵗ⁾ + Wg h⁽ᵗ⁻¹⁾)",
        "f⁽ᵗ⁾ = σ(Uf x⁽ᵗ⁾ + Wf h⁽ᵗ⁻¹⁾)",
        "q⁽ᵗ⁾ = σ(Uo x⁽ᵗ⁾ + Wo h⁽ᵗ⁻¹⁾)",
        "a⁽ᵗ⁾ = U x⁽ᵗ⁾ + W h⁽ᵗ⁻¹⁾",
        "s⁽⁰⁾ = 0",
        "s⁽ᵗ⁾ = f⁽ᵗ⁾ ⊙ s⁽ᵗ⁻¹⁾ + g⁽ᵗ⁾ ⊙ tanh(a⁽ᵗ⁾)",
        "h⁽ᵗ⁾ = q⁽ᵗ⁾ ⊙ tanh(s⁽ᵗ⁾)",
        "o⁽ᵗ⁾ = c + V h⁽ᵗ⁾",
    ]


def test_the_memory_of_an_lstm_passes_its_gradient_on_through_the_forget_gate():
    backward = lines(record(EachStep(LSTMCell(3, 4, rng=0), 4, 4, rng=1)), "backward")
    assert "∂L/∂s⁽ᵗ⁾ = diag(f⁽ᵗ⁺¹⁾) ∂L/∂s⁽ᵗ⁺¹⁾ + diag((1 − tanh(s⁽ᵗ⁾)²) ⊙ q⁽ᵗ⁾) ∂L/∂h⁽ᵗ⁾,  t < T" in backward
    assert "∂L/∂Wf = Σₜ diag(f⁽ᵗ⁾ ⊙ (1 − f⁽ᵗ⁾)) ∂L/∂f⁽ᵗ⁾ h⁽ᵗ⁻¹⁾ᵀ" in backward


def test_a_leaky_unit_reads_as_in_the_lecture():
    assert (
        lines(record(EachStep(LeakyCell(3, 4, 2.0, rng=0), 4, 4, rng=1)))[1]
        == "h⁽ᵗ⁾ = (1 − 1/α) ⊙ h⁽ᵗ⁻¹⁾ + (1/α) ⊙ tanh(b + W h⁽ᵗ⁻¹⁾ + U x⁽ᵗ⁾)"
    )


def test_a_skip_connection_reaches_d_steps_back_and_its_gradient_d_steps_ahead():
    graph = record(EachStep(SkipCell(3, 4, 3, rng=0), 4, 4, rng=1), T=7)
    assert lines(graph)[:4] == [
        "h⁽⁰⁾ = 0",
        "h⁽⁻¹⁾ = 0",
        "h⁽⁻²⁾ = 0",
        "h⁽ᵗ⁾ = tanh(b + W h⁽ᵗ⁻¹⁾ + R h⁽ᵗ⁻³⁾ + U x⁽ᵗ⁾)",
    ]
    conditions = [line.partition(",  ")[2] for line in lines(graph, "backward") if "∂L/∂h⁽ᵗ⁾ =" in line]
    assert conditions == ["T − 2 ≤ t < T", "t < T − 2"]


def test_in_a_loop_that_runs_backward_the_past_is_ahead_and_the_gradient_comes_from_behind():
    graph = record(Bidirectional(3, 4, 4, rng=0))
    assert lines(graph)[2:4] == ["g⁽ᵀ⁺¹⁾ = 0", "g⁽ᵗ⁾ = tanh(d + R g⁽ᵗ⁺¹⁾ + S x⁽ᵗ⁾)"]
    assert "∂L/∂g⁽¹⁾ = Qᵀ ∂L/∂o⁽¹⁾" in lines(graph, "backward")
    assert "∂L/∂g⁽ᵗ⁾ = Qᵀ ∂L/∂o⁽ᵗ⁾ + Rᵀ diag(1 − (g⁽ᵗ⁻¹⁾)²) ∂L/∂g⁽ᵗ⁻¹⁾,  t > 1" in lines(graph, "backward")


def parameter(*shape):
    return Parameter(np.random.default_rng(len(shape) + shape[0]).normal(size=shape) / 2)


class Cell(Module):
    def __init__(self, inputs, hidden):
        self.U, self.W, self.b = parameter(hidden, inputs), parameter(hidden, hidden), parameter(hidden)

    def __call__(self, x, h):
        return np.tanh(self.b + h @ self.W.T + x @ self.U.T)


class Attention(Module):
    """Scores over all encoder states, by a product, as they are usually written."""

    def __init__(self):
        self.encoder, self.decoder, self.V, self.A = Cell(3, 4), Cell(4, 4), parameter(5, 4), parameter(4, 4)

    def __call__(self, x, y):
        h = np.zeros((x.shape[1], 4))
        hs = []
        for x_t in x:
            h = self.encoder(x_t, h)
            hs.append(h)
        H = tg.stack(hs, axis=1)
        s = h
        L = 0
        for y_t in y:
            e = (H * np.expand_dims(s @ self.A.T, 1)).sum(axis=-1)
            α = tg.softmax(e)
            c = (np.expand_dims(α, -1) * H).sum(axis=1)
            s = self.decoder(c, s)
            L = L + tg.cross_entropy(s @ self.V.T, y_t)
        return L


class Einsum(Attention):
    def __call__(self, x, y):
        h = np.zeros((x.shape[1], 4))
        hs = []
        for x_t in x:
            h = self.encoder(x_t, h)
            hs.append(h)
        H = tg.stack(hs)
        s = h
        L = 0
        for y_t in y:
            e = tg.einsum("nbd,bd->bn", H, s @ self.A.T)
            α = tg.softmax(e)
            c = tg.einsum("bn,nbd->bd", α, H)
            s = self.decoder(c, s)
            L = L + tg.cross_entropy(s @ self.V.T, y_t)
        return L


@pytest.mark.parametrize("program", [Attention, Einsum])
def test_attention_is_a_product_with_all_states_however_it_is_computed(program):
    assert lines(record(program()))[2:8] == [
        "H = (h⁽¹⁾, …, h⁽ⁿ⁾)ᵀ",
        "s⁽⁰⁾ = h⁽ⁿ⁾",
        "e⁽ᵗ⁾ = H A s⁽ᵗ⁻¹⁾",
        "α⁽ᵗ⁾ = softmax(e⁽ᵗ⁾)",
        "c⁽ᵗ⁾ = Hᵀ α⁽ᵗ⁾",
        "s⁽ᵗ⁾ = tanh(b_decoder + W_decoder s⁽ᵗ⁻¹⁾ + U_decoder c⁽ᵗ⁾)",
    ]


# -- programs of other kinds ---------------------------------------------------------------------------------


class EncoderDecoder(Module):
    def __init__(self):
        self.encoder, self.decoder, self.V = Cell(3, 4), Cell(4, 4), parameter(4, 4)

    def __call__(self, x, y):
        h = np.zeros((x.shape[1], 4))
        for x_t in x:
            h = self.encoder(x_t, h)
        s = np.zeros((x.shape[1], 4))
        L = 0
        for y_t in y:
            s = self.decoder(h, s)
            L = L + tg.cross_entropy(s @ self.V.T, y_t)
        return L


class Stacked(Module):
    """Two layers run by the same code, and the mean over time taken at the end."""

    def __init__(self):
        self.layers, self.V = [Cell(3, 4), Cell(4, 4)], parameter(4, 4)

    def __call__(self, x, y):
        h = [np.zeros((x.shape[1], 4))] * 2
        L = 0
        for value, y_t in zip(x, y, strict=True):
            for i, layer in enumerate(self.layers):
                value = h[i] = layer(value, h[i])
            L += tg.cross_entropy(value @ self.V.T, y_t)
        return L / len(x)


class Tied(Module):
    """A weight that is used twice in a step, and one that embeds the input and makes the output."""

    def __init__(self):
        self.W, self.E = parameter(4, 4), parameter(6, 4)

    def __call__(self, x, y):
        h = np.zeros((y.shape[1], 4))
        L = 0
        for y_t in y:
            h = np.tanh(tg.embedding(self.E, y_t) + np.tanh(h @ self.W.T) @ self.W.T)
            L = L + tg.cross_entropy(h @ self.E.T, y_t)
        return L


class Fused(Module):
    """An LSTM with all gates in one product, a list of losses, and a learned start."""

    def __init__(self):
        self.U, self.W, self.b, self.V = parameter(16, 3), parameter(16, 4), parameter(16), parameter(4, 4)
        self.start = parameter(4)

    def __call__(self, x, y):
        h = tg.broadcast_to(self.start, (x.shape[1], 4))
        c = np.zeros((x.shape[1], 4))
        losses = []
        for x_t, y_t in zip(x, y, strict=True):
            i, f, o, n = tg.split(x_t @ self.U.T + h @ self.W.T + self.b, 4, axis=-1)
            c = tg.sigmoid(f) * c + tg.sigmoid(i) * np.tanh(n)
            h = tg.sigmoid(o) * np.tanh(c)
            losses.append(tg.cross_entropy(h @ self.V.T, y_t))
        return sum(losses) / len(losses)


class Joined(Module):
    """x and h joined, and one loss for all steps at once."""

    def __init__(self):
        self.W, self.V = parameter(4, 7), parameter(4, 4)

    def __call__(self, x, y):
        h = np.zeros((x.shape[1], 4))
        outputs = []
        for x_t in x:
            h = np.tanh(tg.concatenate([x_t, h], axis=-1) @ self.W.T)
            outputs.append(h @ self.V.T)
        return tg.cross_entropy(tg.stack(outputs), y)


class Hoisted(Module):
    """The product with x for all steps at once, before the loop; the mean of the losses in a stack."""

    def __init__(self):
        self.U, self.W = parameter(4, 3), parameter(4, 4)

    def __call__(self, x, y):
        X = x @ self.U.T
        h = np.zeros((x.shape[1], 4))
        losses = []
        for t in range(len(x)):
            h = tg.relu(X[t] + h @ self.W.T)
            losses.append(((h - 1) ** 2).mean())
        return tg.stack(losses).mean()


class Standardised(Module):
    """What mixes the examples of the batch: a mean over them in the middle of a step."""

    def __init__(self):
        self.W, self.V = parameter(3, 3), parameter(4, 3)

    def __call__(self, x, y):
        h = np.zeros(x.shape[1:])
        L = 0
        for x_t, y_t in zip(x, y, strict=True):
            h = np.tanh(h @ self.W.T + x_t)
            h = h - h.mean(axis=0)
            L = L + tg.cross_entropy(h @ self.V.T, y_t)
        return L


def switching(x, y):
    """Teacher forcing at some steps."""
    W = parameter(3, 3)
    o = np.zeros(x.shape[1:])
    L = 0
    for t in range(len(x)):
        target = x[t]
        before = target if t % 3 else o
        o = np.tanh(before @ W.T + 1.0)
        L = L + (o * o).sum()
    return L


def without_a_batch(x, y):
    W, U = parameter(4, 4), parameter(4, 3)
    h = np.zeros(4)
    for x_t in x[:, 0]:
        h = np.tanh(h @ W.T + U @ x_t)
    L = (h * h).sum()
    return L


PROGRAMS = [
    Attention(),
    Einsum(),
    EncoderDecoder(),
    Stacked(),
    Tied(),
    Fused(),
    Joined(),
    Hoisted(),
    Standardised(),
    switching,
    without_a_batch,
]


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: getattr(p, "__name__", type(p).__name__))
@pytest.mark.parametrize("which", ["forward", "backward"])
def test_every_equation_of_a_program_holds_in_the_recorded_numbers(program, which):
    assert holds(record(program), which)


def with_a_loss(model):
    """The model with the square of its outputs as the loss, if it returns no loss itself."""

    def loss(*arguments):
        outputs = model(*arguments)
        L = outputs if outputs.shape == () else (outputs * outputs).sum()
        return L

    return loss


@pytest.mark.parametrize("name", [name for name in CATALOGUE if name != "recursive"])
def test_every_equation_of_a_model_of_the_zoo_holds_in_the_recorded_numbers(name):
    model, arguments = CATALOGUE[name].example()
    assert holds(tg.record(model, *arguments))
    assert holds(tg.record(with_a_loss(model), *arguments), "backward")


def _of_one_array(module):
    functions = {
        name: p for name, p in vars(module).items() if inspect.isfunction(p) and p.__module__ == module.__name__
    }
    return {name: p for name, p in functions.items() if list(inspect.signature(p).parameters) == ["x"]}


FOLDED = _of_one_array(test_fold) | _of_one_array(test_fold_programs)
FOLDED |= {"Stack": test_fold_programs.Stack(3, 3)}
del FOLDED["_fails_at_the_third_step"]


@pytest.mark.parametrize("T", [8, 11])
@pytest.mark.parametrize("name", FOLDED)
@pytest.mark.parametrize("which", ["forward", "backward"])
def test_every_program_that_folds_has_equations_that_hold_and_no_other_has_any(name, which, T):
    graph = tg.record(FOLDED[name], np.random.default_rng(0).normal(size=(T, 3)))
    try:
        (graph if which == "forward" else graph.backward()).fold()
    except (tg.FoldError, tg.GradientError) as error:
        with pytest.raises(type(error)):
            viz.equations(graph, which)
    else:
        assert holds(graph, which)
        assert len(lines(graph, which)) == len(lines(graph, which, "latex")) >= 1


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


A, B, C = (Parameter(np.random.default_rng(seed).normal(size=(3, 3)) / 2) for seed in range(3))


def two_starts(x):
    """One state that is two different things after the first step."""
    p = q = np.zeros(3)
    L = 0
    for t, x_t in enumerate(x):
        h = np.tanh(x_t @ A.T + q @ C.T + p @ B.T)
        if t == 0:
            p, q = h, 2 * h
        else:
            h = h + x_t
            p = q = h
        L = L + h.sum()
    return L


def test_what_leads_back_to_itself_without_a_name_is_given_one():
    graph = tg.record(two_starts, np.random.default_rng(0).normal(size=(6, 3)))
    assert lines(graph)[0] == (
        "z⁽ᵗ⁾ = tanh(A x⁽ᵗ⁾ + C {h⁽ᵗ⁻¹⁾ at t = 3, 4, 5, 6; 0 at t = 1; 2 z⁽¹⁾ at t = 2} + B h⁽ᵗ⁻¹⁾)"
    )
    assert holds(graph)
    assert holds(graph, "backward")


def of_program(program, which):
    return lines(tg.record(program, np.random.default_rng(0).normal(size=(8, 3))), which)


def test_what_stands_in_for_a_state_at_the_first_step_shares_the_equation_of_its_gradient():
    after_the_first = test_fold_programs._after_the_first_step
    assert of_program(after_the_first, "forward")[1:] == [
        "h⁽⁰⁾ = 0",
        "h⁽¹⁾ = tanh(A x⁽¹⁾ + B h⁽⁰⁾)",
        "h⁽ᵗ⁾ = tanh(A x⁽ᵗ⁾ + B h⁽ᵗ⁻¹⁾) + x⁽ᵗ⁾,  t > 1",
    ]
    assert of_program(after_the_first, "backward")[:2] == [
        "∂L/∂h⁽ᵀ⁾ = 𝟏",
        "∂L/∂h⁽ᵗ⁾ = Bᵀ diag(1 − tanh(A x⁽ᵗ⁺¹⁾ + B h⁽ᵗ⁾)²) ∂L/∂h⁽ᵗ⁺¹⁾ + 𝟏,  t < T",
    ]


def test_a_state_whose_last_step_is_not_read_has_a_gradient_before_that():
    conditions = [line for line in of_program(test_fold_programs._learned_memory, "backward") if "∂L/∂s₂⁽ᵗ⁾ =" in line]
    assert [line.partition(",  ")[2] for line in conditions] == ["t < T − 1"]


def test_a_gradient_that_is_passed_on_unchanged_is_called_by_its_name_at_the_step_it_came_from():
    assert of_program(test_fold_programs._running_mean, "backward")[1].startswith("∂L/∂m⁽ᵗ⁾ = ∂L/∂m⁽ᵗ⁺¹⁾ − ")


def test_a_value_that_is_the_gradient_of_two_variables_at_their_ends_makes_no_case_of_its_own():
    lines = of_program(test_fold_programs._two_layers_of_both_directions, "backward")
    assert lines[3] == "∂L/∂h₂⁽ᵗ⁾ = 𝟏 + W₂ᵀ diag(1 − (h₂⁽ᵗ⁺¹⁾)²) ∂L/∂h₂⁽ᵗ⁺¹⁾,  t < T"


def test_a_parameter_called_b_is_not_the_number_of_examples():
    def model(x):
        h = np.tanh(x @ B.T)
        L = (h * h).mean(axis=0).sum()
        return L

    graph = tg.record(model, np.random.default_rng(0).normal(size=(5, 3)))
    assert holds(graph)
    assert holds(graph, "backward")
    assert lines(graph)[-1] == "L is the mean over the examples of the batch, N = 5"


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


def test_the_state_after_an_encoder_is_the_last_one_with_a_letter_for_each_length():
    graph = record(EncoderDecoder())
    assert "s⁽ᵗ⁾ = tanh(b_decoder + W_decoder s⁽ᵗ⁻¹⁾ + U_decoder h⁽ⁿ⁾)" in lines(graph)
    assert "∂L/∂h⁽ⁿ⁾ = Σₜ U_decoderᵀ diag(1 − (s⁽ᵗ⁾)²) ∂L/∂s⁽ᵗ⁾" in lines(graph, "backward")
    assert "∂L/∂V = 1/B Σₜ (ŷ⁽ᵗ⁾ − y⁽ᵗ⁾) s⁽ᵗ⁾ᵀ" in lines(graph, "backward")


def test_layers_of_one_code_are_told_apart_by_their_modules():
    assert "h₁⁽ᵗ⁾ = tanh(b₁ + W₁ h₁⁽ᵗ⁻¹⁾ + U₁ h₀⁽ᵗ⁾)" in [
        line.replace("value", "h") for line in lines(record(Stacked()))
    ]


def test_a_weight_that_is_used_twice_gathers_the_gradients_of_both_uses():
    (line,) = (line for line in lines(record(Tied()), "backward") if line.startswith("∂L/∂W ="))
    assert line == (
        "∂L/∂W = Σₜ diag(1 − (h⁽ᵗ⁾)²) ∂L/∂h⁽ᵗ⁾ tanh(W h⁽ᵗ⁻¹⁾)ᵀ"
        " + Σₜ diag(1 − tanh(W h⁽ᵗ⁻¹⁾)²) Wᵀ diag(1 − (h⁽ᵗ⁾)²) ∂L/∂h⁽ᵗ⁾ h⁽ᵗ⁻¹⁾ᵀ"
    )


def test_the_gradients_of_the_pieces_of_a_split_are_joined_again():
    assert "∂L/∂b = Σₜ [∂L/∂i⁽ᵗ⁾; ∂L/∂f⁽ᵗ⁾; ∂L/∂o⁽ᵗ⁾; ∂L/∂n⁽ᵗ⁾]" in lines(record(Fused()), "backward")


def test_a_learned_start_is_the_first_state_and_gets_its_gradient():
    assert lines(record(Fused()))[0] == "h⁽⁰⁾ = start"
    assert "∂L/∂start = Wᵀ [∂L/∂i⁽¹⁾; ∂L/∂f⁽¹⁾; ∂L/∂o⁽¹⁾; ∂L/∂n⁽¹⁾]" in lines(record(Fused()), "backward")


def test_what_is_computed_before_the_loop_is_a_matrix_with_a_row_for_each_step():
    forward, backward = lines(record(Hoisted())), lines(record(Hoisted()), "backward")
    assert forward[0] == "X = x Uᵀ"
    assert "h⁽ᵗ⁾ = relu(X⁽ᵗ⁾ + W h⁽ᵗ⁻¹⁾)" in forward
    assert "∂L/∂X = (diag(h⁽¹⁾ > 0) ∂L/∂h⁽¹⁾, …, diag(h⁽ᵀ⁾ > 0) ∂L/∂h⁽ᵀ⁾)ᵀ" in backward
    assert "∂L/∂U = (∂L/∂X)ᵀ x" in backward


def test_a_mean_over_the_batch_in_the_middle_of_a_step_is_a_sum_over_the_examples():
    forward = lines(record(Standardised()))
    assert any("1/B Σᵢ" in line for line in forward)
    assert forward[-1] == "i counts the examples of the batch, B = 2"


def test_what_cannot_be_said_for_one_example_says_so():
    def flattened(x, y):
        h = np.tanh(x[0] @ parameter(4, 3).T)
        z = np.reshape(h, -1)
        return z

    assert lines(record(flattened)) == ["h = tanh(W x[0])", "z = reshape(h of all examples)"]


def test_a_switch_gives_the_steps_of_each_choice():
    assert lines(record(switching))[1] == "o⁽ᵗ⁾ = tanh(W {x⁽ᵗ⁾ at t = 2, 3, 5; o⁽ᵗ⁻¹⁾ at t = 1, 4} + 1)"


def test_a_running_sum_that_is_read_at_every_step_is_a_recurrence():
    def cumulative(x):
        s = np.zeros(3)
        outputs = []
        for x_t in x:
            s = s + x_t
            outputs.append(np.tanh(s))
        return tg.stack(outputs)

    assert "s⁽ᵗ⁾ = s⁽ᵗ⁻¹⁾ + x⁽ᵗ⁾" in lines(tg.record(cumulative, np.ones((4, 3))))


def test_a_transposed_weight_with_a_name_of_its_own_is_still_the_weight():
    def model(x):
        W = parameter(3, 3)
        WT = W.T
        h = np.zeros(3)
        for x_t in x:
            h = np.tanh(h @ WT + x_t)
        return h

    assert lines(tg.record(model, np.ones((4, 3))))[1] == "h⁽ᵗ⁾ = tanh(W h⁽ᵗ⁻¹⁾ + x⁽ᵗ⁾)"


# -- every operation -------------------------------------------------------------------------------------------

W = Parameter(np.random.default_rng(0).uniform(0.5, 1, size=(4, 3)))
ATTRIBUTES = {
    "astype": {"dtype": np.float64},
    "as_integer": {"dtype": np.int64},
    "sum": {"axis": -1},
    "reshape": {"shape": (2, 2)},
    "broadcast_to": {"shape": (2, 4)},
    "pad": {"pad_width": 1},
    "concatenate": {"axis": -1},
    "stack": {"axis": 0},
    "getitem": {"index": (slice(1, 3),)},
    "scatter": {"index": (slice(0, 4),), "shape": (6,)},
    "einsum": {"subscripts": "i,i->"},
    "swapaxes": {"axis1": 0, "axis2": 0},
    "expand_dims": {"axis": 0},
    "cumsum": {"axis": -1},
}
OF_LABELS = {
    "one_hot": lambda x, y: tg.one_hot(y, 4) * (x @ W.T),
    "cross_entropy": lambda x, y: tg.cross_entropy(x @ W.T, y),
    "label_weight": lambda x, y: tg.cross_entropy(x @ W.T, y, weights=[1.0, 2, 3, 4]),
}
ELEMENTWISE_AND_OTHERS = [name for name in OPERATIONS if name not in OF_LABELS and name != "checkpoint"]


def program_of(name):
    operation, attributes = OPERATIONS[name], ATTRIBUTES.get(name, {})

    def one(x):
        y = operation(x @ W.T, **attributes)
        return y

    def two(x, u):
        y = operation(x @ W.T, u @ W.T, **attributes)
        return y

    def three(x, u, v):
        y = operation(x @ W.T > 2, u @ W.T, v @ W.T, **attributes)
        return y

    return [two, one, two, three][operation.arity]  # any number: two


@pytest.mark.parametrize("name", ELEMENTWISE_AND_OTHERS)
def test_an_operation_has_an_equation_that_holds_and_so_does_its_derivative(name):
    program = program_of(name)
    rng = np.random.default_rng(1)
    arguments = [rng.uniform(0.2, 0.9, size=3) for _ in range(OPERATIONS[name].arity or 2)]
    graph = tg.record(program, *arguments)
    assert holds(graph)
    assert all(is_mathml(line) for line in lines(graph, format="latex"))
    if OPERATIONS[name].differentiable:
        assert holds(tg.record(with_a_loss(program), *arguments), "backward")


@pytest.mark.parametrize("name", OF_LABELS)
def test_an_operation_on_labels_has_an_equation_that_holds(name):
    assert holds(tg.record(OF_LABELS[name], np.array([0.5, 0.2, 0.7]), np.array(2)))


@pytest.mark.parametrize(
    ("program", "text"),
    [
        (lambda x: x**2, "output = x²"),
        (lambda x: np.exp(x) / (1 + x), "output = exp(x)/(1 + x)"),
        (lambda x: x - (x - 1), "output = x − (x − 1)"),
        (lambda x: 1 - (-x), "output = 1 + x"),
        (lambda x: 0 + 1 * x, "output = x"),
        (lambda x: x + x, "output = 2 x"),
        (lambda x: x / 3, "output = 1/3 x"),
        (lambda x: x * x * x, "output = x³"),
        (lambda x: (x * x).sum(), "L = ‖x‖²"),
        (lambda x: np.sqrt(x) * np.abs(x), "output = √(x) ⊙ |x|"),
        (lambda x: x * 1e-12, "output = 1e−12 x"),
        (lambda x: x * np.pi, "output = 3.14159… x"),
        (lambda x: np.maximum(x, 0) % 2, "output = max(x, 0) mod 2"),
        (lambda x: np.where(x > 0, x, 0), "output = where(x > 0, x, 0)"),
        (lambda x: tg.concatenate([x, x + 1])[1:3], "output = [x; x + 1][1:3]"),
        (lambda x: W.T @ (W @ x), "output = Wᵀ W x"),
        (lambda x: (x @ W.T) @ W, "output = Wᵀ W x"),
        (lambda x: np.outer(x, x), "output = x xᵀ"),
        (lambda x: np.exp(tg.log_softmax(x)), "output = ŷ"),
    ],
)
def test_terms_are_simplified_as_a_person_would(program, text):
    graph = tg.record(program, np.array([0.5, 0.25, 0.125]))
    assert lines(graph)[-1] == text
    assert holds(graph)


# -- LaTeX and names -------------------------------------------------------------------------------------------


def is_mathml(latex):
    convert = pytest.importorskip("latex2mathml.converter").convert
    formula = ElementTree.fromstring(convert(latex))
    return all(not element.tag.endswith("script") or "sub" in element.tag for element in formula.iter())


@pytest.mark.parametrize("which", ["forward", "backward"])
@pytest.mark.parametrize("program", [Pattern1(3, 4, 4, rng=0), *PROGRAMS], ids=lambda p: type(p).__name__)
def test_every_line_of_latex_is_mathml_and_there_are_as_many_as_in_unicode(program, which):
    graph = record(program)
    latex = lines(graph, which, "latex")
    assert all(is_mathml(line) for line in latex)
    assert len(latex) == len(lines(graph, which))


NAMES = ["a_b", "50%", "<script>alert(1)</script>", "日本", "a\"b'c", "new\nline", "{}", "\\alpha", "$x$", "^~&#", " "]
NAMES += ["nul\0", "\u202e", "T", "ŷ", "x" * 10_000, "h\u2028", "&lt;", "}{"]


@pytest.mark.parametrize("name", NAMES, ids=lambda name: repr(name[:12]))
def test_any_name_is_one_line_of_unicode_and_valid_latex(name):
    def model(x):
        h = np.zeros(3)
        for x_t in x:
            h = tg.name(np.tanh(h @ parameter_3.T + x_t), name)
        L = (h * h).sum()
        return L

    parameter_3 = parameter(3, 3)
    graph = tg.record(model, np.ones((4, 3)))
    for which, number in (("forward", 3), ("backward", 3)):
        assert [len(lines(graph, which, format)) for format in ("unicode", "latex")] == [number, number]
        assert all(is_mathml(line) for line in lines(graph, which, "latex"))
        assert max(map(len, lines(graph, which))) < 1000


def test_the_letter_for_the_length_is_not_that_of_a_variable():
    def model(x):
        T = np.zeros(3)
        for x_t in x:
            T = np.tanh(T + x_t)
        return T

    assert lines(tg.record(model, np.ones((4, 3))))[-1] == "T⁽ᵗ⁾ = tanh(T⁽ᵗ⁻¹⁾ + x⁽ᵗ⁾)"


# -- what cannot be read -----------------------------------------------------------------------------------------


def test_a_tree_has_no_equations():
    model, arguments = CATALOGUE["recursive"].example()
    with pytest.raises(tg.FoldError, match="a tree has no time axis"):
        viz.equations(tg.record(model, *arguments))


def test_without_a_loss_there_is_no_backward_pass():
    with pytest.raises(tg.GradientError, match="shape"):
        viz.equations(tg.record(lambda x: W @ x, np.ones(3)), of="backward")


def test_another_pass_or_format_is_refused():
    graph = tg.record(lambda x: W @ x, np.ones(3))
    for wrong in ({"of": "sideways"}, {"format": "html"}):
        with pytest.raises(ValueError, match="'forward' or 'backward', format 'unicode' or 'latex'"):
            viz.equations(graph, **wrong)


def test_a_run_in_which_nothing_happened_has_no_equations():
    assert viz.equations(tg.record(lambda x: x, np.ones(3))) == ""


def test_a_run_that_raised_has_the_equations_of_what_ran_until_then():
    def model(x):
        h = np.zeros(3)
        for x_t in x:
            h = np.tanh(h + x_t)
        y = h @ np.ones((7, 7))
        return y

    with pytest.raises(tg.ShapeError) as error:
        tg.record(model, np.ones((4, 3)))
    assert lines(error.value.graph) == ["h⁽⁰⁾ = 0", "h⁽ᵗ⁾ = tanh(h⁽ᵗ⁻¹⁾ + x⁽ᵗ⁾)"]


def test_conditions_count_from_the_nearer_end():
    notation = Unicode([10], {0: "T"}, timed=True)
    ranges = {
        (0, 9): "",
        (0, 8): "t < T",
        (1, 9): "t > 1",
        (0, 6): "t < T − 2",
        (3, 9): "t > 3",
        (7, 8): "T − 2 ≤ t < T",
    }
    assert {times: notation.condition("t", 0, *times) for times in ranges} == ranges
    assert [notation.condition("t", 0, t, t) for t in (0, 1, 8, 9)] == ["t = 1", "t = 2", "t = T − 1", "t = T"]
