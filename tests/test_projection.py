"""Loops within loops along one axis of time, as the unfolded graph shows them."""

from itertools import pairwise

import numpy as np
import pytest
from programs import PROGRAMS

import tinygrad_rnn as tg
import viz
from tinygrad_rnn.tracing.projection import projected


def arrows(diagram):
    """By label: from what to what, of arrows between two labelled vertices."""
    label = {vertex.id: vertex.label for vertex in diagram.vertices}
    return {(label[a.tail], a.label, label[a.head]) for a in diagram.arrows if label[a.tail] and label[a.head]}


def graph_of(name, T):
    function, *arguments = PROGRAMS[name].example(T)
    return tg.record(function, *arguments)


@pytest.mark.parametrize("name", ["hierarchical", "chunks"])
def test_chunks_that_carry_something_on_stand_side_by_side(name):
    circuit = projected(graph_of(name, 9).fold())
    (h,) = (c for c in circuit.components if c.name == "h" and len(c.visits) > 3)
    assert h.points == [(t,) for t in range(9)]
    assert not any(c.nested for c in circuit.components)


def test_a_slow_state_stands_over_the_last_step_of_its_chunk_and_a_fresh_one_is_read_at_the_first():
    found = arrows(viz.unfolded(graph_of("hierarchical", 9), steps=range(1, 10)))
    assert {("h⁽³⁾", "up", "top⁽³⁾"), ("h⁽⁹⁾", "up", "top⁽⁹⁾"), ("top⁽³⁾", "slow_W", "top⁽⁶⁾")} <= found
    read_the_step_before = {head for tail, label, head in found if label == "W"}
    assert read_the_step_before == {f"h⁽{t}⁾" for t in "¹²³⁵⁶⁸⁹"}


def test_a_state_that_is_carried_over_goes_on_from_chunk_to_chunk():
    found = arrows(viz.unfolded(graph_of("chunks", 9), steps=range(1, 10)))
    assert {(f"h⁽{a}⁾", "W", f"h⁽{b}⁾") for a, b in pairwise("⁰¹²³⁴⁵⁶⁷⁸⁹")} <= found


def test_of_examples_that_share_nothing_one_is_shown():
    (h,) = (c for c in projected(graph_of("example-by-example", 5).fold()).components if c.name == "h" and c.axes)
    assert len(h.visits) == 5


def test_chunks_in_which_a_step_happens_now_and_then_are_shown_as_one():
    W = tg.Parameter(np.eye(3))

    def uneven(x):
        top = np.zeros(3)
        for chunk in x:
            h = np.zeros(3)
            for i, x_t in enumerate(chunk):
                h = np.tanh(W @ h + x_t)
                extra = np.tanh(h) if i > 1 else 0
            top = np.tanh(W @ top + extra)
        return top.sum()

    circuit = projected(tg.record(uneven, np.ones((3, 4, 3))).fold())
    assert not any(c.nested for c in circuit.components)


def test_the_gradient_of_what_an_inner_loop_reads_is_the_last_of_the_sum_that_is_complete():
    def attention(x):
        keys, L = [], 0
        for x_t in x:
            q = W @ x_t
            keys.append(U @ x_t)
            o = np.zeros(3)
            for key in keys:
                o = o + np.exp(q @ key) * key
            L = L + (o * o).sum()
        return L

    W, U = tg.Parameter(np.eye(3)), tg.Parameter(np.eye(3))
    drawing = viz.circuit(tg.record(attention, np.ones((5, 3)) / 3).backward())
    label = {v.id: v.label for v in drawing.vertices}
    gradients = [(label[a.tail], label[a.head]) for a in drawing.arrows if a.kind == "grad"]
    assert sorted(gradients) == [("L", "∂L/∂o"), ("∂L/∂o", "∂L/∂keys"), ("∂L/∂o", "∂L/∂q")]
