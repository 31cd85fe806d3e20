"""Folding a run into its circuit, and unfolding it again."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_rnn as tg
from tinygrad_rnn.modules import Module, Parameter


def _parameter(seed, *shape):
    return Parameter(np.random.default_rng(seed).normal(size=shape))


class Elman(Module):
    def __init__(self, lag=1):
        self.U, self.W, self.V = _parameter(0, 3, 2), _parameter(1, 3, 3), _parameter(2, 4, 3)
        self.lag = lag

    def __call__(self, x, y):
        h = [np.zeros((x.shape[1], 3))] * self.lag
        L = 0.0
        for x_t, y_t in zip(x, y, strict=True):
            h = [*h[1:], np.tanh(h[0] @ self.W.T + x_t @ self.U.T)]
            L = L + tg.cross_entropy(h[-1] @ self.V.T, y_t)
        return L


def _run(model, T):
    rng = np.random.default_rng(T)
    return tg.record(model, rng.normal(size=(T, 2, 2)), rng.integers(0, 4, size=(T, 2)))


def _components(circuit, operation):
    return [c for c in circuit.components if c.operation is not None and c.operation.name == operation]


def _shape_of(unfolded):
    """An unfolded circuit with its places numbered in order: equal for isomorphic graphs in the same order."""
    return sorted((place, inputs) for place, inputs in unfolded.items())


@given(recorded=st.integers(4, 9), wanted=st.integers(4, 12), lag=st.integers(1, 3))
def test_a_circuit_unfolds_into_the_recorded_graph_of_any_length(recorded, wanted, lag):
    model = Elman(lag)
    folded = _run(model, recorded).fold()
    other = _run(model, wanted)
    assert len(folded.unfold(wanted)) == len({id(s) for c in other.fold().components for s in c.visits})
    assert _shape_of(folded.unfold(wanted)) == _shape_of(other.fold().unfold())


def test_every_step_of_the_run_is_a_visit_of_exactly_one_component():
    graph = _run(Elman(), 5)
    visits = [id(step) for c in graph.fold().components for step in c.visits]
    assert sorted(visits) == sorted(id(step) for step in graph.steps)


@pytest.mark.parametrize("lag", [1, 2, 3])
def test_a_value_read_d_steps_later_comes_over_d_delays_with_d_initial_values(lag):
    (recurrent, *_) = _components(_run(Elman(lag), 6).fold(), "matmul")
    wire = recurrent.wires[0]
    assert (wire.source.operation.name, wire.delay, len(wire.initial)) == ("tanh", lag, lag)


def test_a_parameter_is_one_component_that_serves_all_visits():
    circuit = _run(Elman(), 5).fold()
    users = [c for c in circuit.components if any(w.once and w.source.name == "W" for w in c.wires)]
    assert [len(c.visits) for c in users] == [5]


def test_the_elements_of_an_input_are_a_sequence():
    sequences = [c for c in _run(Elman(), 5).fold().components if c.is_sequence]
    assert [c.wires[0].source.name for c in sequences] == ["x", "y"]


def test_a_running_total_is_a_sum_and_a_hidden_state_is_not():
    sums = [c.name for c in _run(Elman(), 5).fold().components if c.is_sum]
    assert sums == ["L"]


def test_what_is_read_after_a_loop_is_its_last_visit():
    W = _parameter(0, 3, 3)

    def final(x):
        h = np.zeros(3)
        for x_t in x:
            h = np.tanh(h @ W.T + x_t)
        return (h * h).sum()

    circuit = tg.record(final, np.ones((4, 3))).fold()
    (square,) = _components(circuit, "multiply")
    assert [(w.source.name, w.last) for w in square.wires] == [("h", True), ("h", True)]
    place = (circuit.components.index(square), 0)
    assert circuit.unfold(7)[place] == ((circuit.components.index(square.wires[0].source), 6),) * 2


W = _parameter(0, 3, 3)


def _tree(x):
    def compose(parts):
        if len(parts) == 1:
            return parts[0]
        middle = len(parts) // 2
        return np.tanh(compose(parts[:middle]) @ W.T + compose(parts[middle:]))

    return compose(list(x))


def _backwards(x):
    h = np.zeros(3)
    for t in reversed(range(len(x))):
        h = np.tanh(h @ W.T + x[t])
    return h


def _uneven(x):
    h = np.zeros(3)
    for t, x_t in enumerate(x):
        h = np.tanh(h @ W.T + x_t)
        if t in (1, 4):
            h = h * 2
    return h


def _every_other(x):
    h = np.zeros(3)
    for t in range(0, len(x), 2):
        h = np.tanh(h @ W.T + x[t])
    return h


@pytest.mark.parametrize("program", [_tree, _backwards, _uneven, _every_other])
def test_a_run_whose_circuit_is_not_certain_is_refused_with_the_place(program):
    with pytest.raises(tg.FoldError, match=r"test_fold\.py:\d+|indexing\.py:\d+"):
        tg.record(program, np.ones((6, 3))).fold()


def test_a_run_without_a_loop_is_its_own_circuit():
    graph = tg.record(lambda x: np.tanh(x) @ W.T, np.ones((2, 3)))
    assert [len(c.visits) for c in graph.fold().components] == [1] * len(graph)
