"""Networks as users write them, wire by wire: gates, einsum, two directions, sequence to sequence, feedback."""

from typing import Any, NamedTuple

import numpy as np
import pytest
from folding import A, B, C, D, E, F, b, ends, folds_at_any_length, named, operations, parameter, sequence, zero

import tinygrad_rnn as tg


class GatedCell(tg.Module):
    """A gated recurrent unit that returns (y, state), as in other libraries."""

    def __init__(self, size, rng):
        rng = np.random.default_rng(rng)
        self.z, self.r, self.n = (tg.Linear(2 * size, size, rng=rng) for _ in range(3))
        self.out = tg.Linear(size, size, rng=rng)

    def __call__(self, x, h):
        xh = tg.concatenate([x, h])
        z = tg.sigmoid(self.z(xh))
        r = tg.sigmoid(self.r(xh))
        n = np.tanh(self.n(tg.concatenate([x, r * h])))
        h = z * h + (1 - z) * n
        return self.out(h), h


class Stack(tg.Module):
    """Gated cells above each other, each with a bridge around it."""

    def __init__(self, size, depth):
        self.cells = [GatedCell(size, rng) for rng in range(depth)]

    def __call__(self, x):
        states = [zero for _ in self.cells]
        L = 0
        for x_t in x:
            y = x_t
            for k, cell in enumerate(self.cells):
                out, states[k] = cell(y, states[k])
                y = y + out
            L = L + (y * y).sum()
        return L


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_gated_layers_with_bridges_have_one_delay_each(depth):
    circuit = folds_at_any_length(Stack(3, depth))
    states = [c for c in circuit.components if c.name == "h"]
    assert [c.module for c in states if c.operation] == [f"cells.{k}" for k in range(depth)]
    for h in (c for c in states if c.operation):  # it is read by both gates, the new content and the sum
        delayed = [w for c in circuit.components for w in c.wires if w.source is h and w.delay]
        assert [(w.delay, len(w.initial)) for w in delayed] == [(1, 1)] * 3
    assert circuit.lengths == [8]


class LSTM(NamedTuple):
    h: Any
    s: Any


Wx, Wh, Wy = parameter(10, 4, 3, 3), parameter(11, 4, 3, 3), parameter(12, 3, 3)


def _lstm_by_einsum(x):
    state = LSTM(zero, zero)
    L = 0.0
    for x_t in x:
        gates = np.einsum("gij,j->gi", Wx, x_t) + np.einsum("gij,j->gi", Wh, state.h)
        i, f, o = tg.sigmoid(gates[0]), tg.sigmoid(gates[1]), tg.sigmoid(gates[2])
        s = f * state.s + i * np.tanh(gates[3])
        state = LSTM(h=o * np.tanh(s), s=s)
        L += ((state.h @ Wy.T) ** 2).sum()
    return L / len(x)


def test_an_lstm_by_einsum_has_two_delays_and_a_sum_over_time():
    circuit = folds_at_any_length(_lstm_by_einsum)
    kept = named(circuit, "s")
    assert [w.delay for w in kept.wires[0].source.wires] == [0, 1]
    delayed = [w for c in circuit.components for w in c.wires if w.delay]
    assert sorted(w.source.name or w.source.operation.name for w in delayed) == ["L", "multiply", "s"]
    assert [c.name for c in circuit.components if c.is_sum] == ["L"]
    assert not operations(circuit, "getitem")[0].wires[0].delay


def _bidirectional_with_concatenation(x):
    T = len(x)
    hs, gs = [None] * T, [None] * T
    h = g = zero
    for t in range(T):
        h = np.tanh(h @ A.T + x[t] @ B.T)
        hs[t] = h
    for t in reversed(range(T)):
        g = np.tanh(g @ C.T + x[t] @ D.T)
        gs[t] = g
    return sum((np.concatenate([hs[t], gs[t]]) ** 2).sum() for t in range(T))


def _both_directions_in_one_loop(x):
    T = len(x)
    h = g = zero
    for t in range(T):
        h = np.tanh(h @ A.T + x[t] @ B.T)
        g = np.tanh(g @ C.T + x[T - 1 - t] @ D.T)
    return (h * g).sum()


@pytest.mark.parametrize("program", [_bidirectional_with_concatenation, _both_directions_in_one_loop])
def test_both_directions_have_delays_of_opposite_sign(program):
    circuit = folds_at_any_length(program)
    delays = {w.source.name: w.delay for c in circuit.components for w in c.wires if w.delay and w.source.name}
    assert delays == {"h": 1, "g": -1}
    assert [c.backward for c in circuit.components if c.name == "g" and c.operation] == [True]


def _sequence_to_sequence(x):
    hs, h = [], zero
    for x_t in x:
        h = np.tanh(h @ A.T + x_t @ B.T)
        hs.append(h)
    H = tg.stack(hs)
    s, y = h, np.zeros(3)
    L = 0
    for _ in range(5):
        C_t = tg.softmax(H @ s) @ H
        s = np.tanh(s @ C.T + y @ D.T + C_t @ E.T)
        y = tg.softmax(s @ F.T)
        L = L + (y * y).sum()
    return L


@pytest.mark.parametrize("T", [4, 5, 6, 9])
def test_sequence_to_sequence_has_two_loops_even_if_they_are_equally_long(T):
    circuit = folds_at_any_length(_sequence_to_sequence, lengths=(T, T + 3))
    assert sorted(circuit.lengths) == sorted([T, 5])
    (stack,) = operations(circuit, "stack")
    assert [ends(w) for w in stack.wires] == [("h", 0, "all", [])]
    delayed = [w for c in circuit.components for w in c.wires if w.delay and w.source.name in ("s", "y")]
    assert [(ends(w), w.initial[0].reach) for w in delayed] == [
        (("s", 1, "step", ["h"]), "last"),
        (("s", 1, "step", ["h"]), "last"),
        (("y", 1, "step", ["y"]), "once"),
    ]


def _forced(x):
    """Pattern III with the true output of the step before."""
    before = zero
    L = 0
    for x_t in x:
        h = np.tanh(b + before @ A.T)
        L = L + ((h - x_t) ** 2).sum()
        before = x_t
    return L


def test_teacher_forcing_at_every_step_is_a_delayed_input_and_no_recurrence():
    circuit = folds_at_any_length(_forced)
    (product,) = operations(circuit, "matmul")
    wire = product.wires[0]
    assert (wire.source.is_sequence, wire.delay, [w.source.kind for w in wire.initial]) == (True, 1, ["constant"])
    assert {w.source.name for c in circuit.components for w in c.wires if w.delay} == {wire.source.name, "L"}


def _next_of(x):
    h = zero
    L = 0
    for t in range(len(x) - 1):
        h = np.tanh(h @ A.T + x[t] @ B.T)
        L = L + ((h - x[t + 1]) ** 2).sum()
    return L


def _window(x):
    L = 0
    for t in range(1, len(x) - 1):
        L = L + np.tanh(x[t - 1] @ A.T + x[t] @ B.T + x[t + 1] @ C.T).sum()
    return L


@pytest.mark.parametrize(("program", "reads", "length"), [(_next_of, [0, 1], 7), (_window, [0, 1, 2], 6)])
def test_elements_read_around_a_step_are_sequences_with_offsets(program, reads, length):
    graph = tg.record(program, sequence(8))
    circuit = graph.fold()
    sequences = [c for c in circuit.components if c.is_sequence]
    assert [c.reads - sequences[0].reads for c in sequences] == reads
    assert {len(c.visits) for c in sequences} == {length}
    folds_at_any_length(program)


def _feedback_of_both(x):
    h = y = zero
    L = 0
    for x_t in x:
        h = np.tanh(x_t @ A.T + h @ B.T + y @ C.T)
        y = tg.softmax(h @ D.T)
        L = L + (y * x_t).sum()
    return L


def test_feedback_from_hidden_units_and_output_has_a_delay_on_each():
    circuit = folds_at_any_length(_feedback_of_both)
    delayed = [ends(w) for c in circuit.components for w in c.wires if w.delay and w.source.name in "hy"]
    assert [(name, delay, len(initial)) for name, delay, _, initial in delayed] == [("h", 1, 1), ("y", 1, 1)]
