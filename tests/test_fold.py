"""Folding a run into its circuit, and unfolding it again."""

import gc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_rnn as tg
from tinygrad_rnn.nn.modules import Module, Parameter


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
    circuit = _run(Elman(lag), 6).fold()
    (recurrent, *_) = _components(circuit, "matmul")
    wire = recurrent.wires[0]
    assert (wire.source.operation.name, wire.delay, len(wire.initial)) == ("tanh", lag, lag)


def test_a_parameter_is_one_component_that_serves_all_visits():
    circuit = _run(Elman(), 5).fold()
    users = [c for c in circuit.components if any(w.reach == "once" and w.source.name == "W" for w in c.wires)]
    assert [len(c.visits) for c in users] == [5]


def test_the_elements_of_an_input_are_a_sequence():
    circuit = _run(Elman(), 5).fold()
    sequences = [c for c in circuit.components if c.is_sequence]
    assert [c.wires[0].source.name for c in sequences] == ["x", "y"]


def test_records_and_circuits_are_freed_without_the_garbage_collector():
    gc.collect()
    gc.disable()
    try:
        for _ in range(5):
            graph = _run(Elman(), 4)
            graph.backward().fold()
            graph.fold()
        del graph
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_a_wire_whose_circuit_is_gone_says_so():
    (recurrent, *_) = _components(_run(Elman(), 6).fold(), "matmul")
    with pytest.raises(ReferenceError, match=r"^the circuit of this wire is gone: keep it while"):
        _ = recurrent.wires[0].source


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
    assert [(w.source.name, w.reach) for w in square.wires] == [("h", "last"), ("h", "last")]
    place = (circuit.components.index(square), ())
    assert circuit.unfold(7)[place] == ((circuit.components.index(square.wires[0].source), (6,)),) * 2


W = _parameter(0, 3, 3)


def _tree(x):
    def compose(parts):
        if len(parts) == 1:
            return parts[0]
        middle = len(parts) // 2
        return np.tanh(compose(parts[:middle]) @ W.T + compose(parts[middle:]))

    return compose(list(x))


def test_a_run_without_a_loop_is_its_own_circuit():
    graph = tg.record(lambda x: np.tanh(x) @ W.T, np.ones((2, 3)))
    assert [len(c.visits) for c in graph.fold().components] == [1] * len(graph)


# -- programs of other kinds -----------------------------------------------------------------------


def _reversed(x):
    g = np.zeros(3)
    for t in reversed(range(len(x))):
        g = np.tanh(g @ W.T + x[t])
    return g


def _reversed_slice(x):
    g = np.zeros(3)
    for x_t in x[::-1]:
        g = np.tanh(g @ W.T + x_t)
    return g


def _bidirectional(x):
    h = g = np.zeros(3)
    hs, gs = [], []
    for t in range(len(x)):
        h = np.tanh(h @ W.T + x[t])
        hs.append(h)
    for t in reversed(range(len(x))):
        g = np.tanh(g @ W.T + x[t])
        gs.append(g)
    return tg.stack([h * g for h, g in zip(hs, reversed(gs), strict=True)])


def _split_gates(x):
    h = s = np.zeros(3)
    for x_t in x:
        f, i, n = tg.split(tg.concatenate([h @ W.T, x_t, h]), 3)
        s = tg.sigmoid(f) * s + tg.sigmoid(i) * n
        h = np.tanh(s)
    return h


def _stacked_layers(x):
    weights = [_parameter(seed, 3, 3) for seed in range(3)]
    h = [np.zeros(3)] * 3
    for value in x:
        for layer, U in enumerate(weights):
            value = h[layer] = np.tanh(h[layer] @ U.T + value)
    return value


def _encoder_decoder(x):
    h = np.zeros(3)
    for x_t in x:
        h = np.tanh(h @ W.T + x_t)
    C = h
    s = np.zeros(3)
    for _ in range(4):
        s = np.tanh(s @ W.T + C)
    return s


def _attention(x):
    h = np.zeros(3)
    hs = []
    for x_t in x:
        h = np.tanh(h @ W.T + x_t)
        hs.append(h)
    H = tg.stack(hs)
    s = h
    for _ in range(4):
        a = tg.softmax(H @ s)
        s = np.tanh(s @ W.T + a @ H)
    return s


def _teacher_forcing(x):
    o = np.zeros(3)
    for t in range(len(x)):
        y = x[t]
        before = y if t % 3 else o
        o = np.tanh(before @ W.T + 1.0)
    return o


def _while(x):
    t, h = 0, np.zeros(3)
    while t < len(x):
        h = np.tanh(h @ W.T + x[t])
        t += 1
    return h


def _generator(x):
    def states():
        h = np.zeros(3)
        for x_t in x:
            h = np.tanh(h @ W.T + x_t)
            yield h

    return tg.stack(list(states()))


def _comprehension(x):
    return tg.stack([np.tanh(x_t @ W.T) for x_t in x])


PROGRAMS = [
    _reversed,
    _reversed_slice,
    _bidirectional,
    _split_gates,
    _stacked_layers,
    _encoder_decoder,
    _attention,
    _teacher_forcing,
    _while,
    _generator,
    _comprehension,
]


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_folds_and_unfolds_into_its_run(program):
    graph = tg.record(program, np.random.default_rng(0).normal(size=(6, 3)))
    circuit = graph.fold()
    assert len(circuit.unfold()) == len({id(step) for c in circuit.components for step in c.visits})
    assert len(circuit.components) < len(graph)


@pytest.mark.parametrize("program", [p for p in PROGRAMS if p not in (_teacher_forcing, _encoder_decoder, _attention)])
def test_a_circuit_of_six_steps_unfolds_into_the_run_of_nine(program):
    short, long = (tg.record(program, np.random.default_rng(0).normal(size=(T, 3))).fold() for T in (6, 9))
    assert short.unfold(9) == long.unfold()


def test_loops_of_different_length_unfold_to_lengths_of_their_own():
    short, long = (tg.record(_encoder_decoder, np.ones((T, 3))).fold() for T in (6, 9))
    assert (short.lengths, long.lengths) == ([6, 4], [9, 4])
    assert short.unfold([9, 4]) == long.unfold()


def test_a_loop_that_runs_backward_reads_ahead():
    circuit = tg.record(_reversed, np.ones((5, 3))).fold()
    (product,) = _components(circuit, "matmul")
    assert (product.wires[0].source.name, product.wires[0].delay) == ("g", -1)
    assert product.backward


def test_both_directions_of_a_bidirectional_network_meet_at_the_same_time():
    circuit = tg.record(_bidirectional, np.ones((5, 3))).fold()
    (meeting,) = _components(circuit, "multiply")
    assert [(w.source.name, w.delay) for w in meeting.wires] == [("h", 0), ("g", 0)]


def test_attention_sees_all_steps_of_the_encoder():
    circuit = tg.record(_attention, np.ones((5, 3))).fold()
    (stack,) = _components(circuit, "stack")
    assert [(w.source.name, w.reach) for w in stack.wires] == [("h", "all")]


def test_teacher_forcing_is_a_switch():
    circuit = tg.record(_teacher_forcing, np.ones((6, 3))).fold()
    (product,) = _components(circuit, "matmul")
    switch = product.wires[0]
    assert [(w.source.label, w.delay) for w in (switch, *switch.others)] == [("y", 0), ("o", 1)]
    assert switch.choices == (1, 0, 0, 1, 0, 0)


# -- the backward pass -----------------------------------------------------------------------------


def _both_passes(program, T):
    def loss(x):
        return (program(x) ** 2).sum()

    return tg.record(loss, np.random.default_rng(0).normal(size=(T, 3))).backward()


def _backward_components(circuit):
    return [c for c in circuit.components if c.visits[0].forward is not None]


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_backward_pass_of_a_program_folds(program):
    graph = _both_passes(program, 6)
    visits = [step for c in graph.fold().components for step in c.visits]
    assert {id(step) for step in graph.steps if step.operation} <= {id(step) for step in visits}


@pytest.mark.parametrize("program", [p for p in PROGRAMS if p is not _teacher_forcing])
def test_both_passes_of_six_steps_unfold_into_those_of_nine(program):
    short, long = (_both_passes(program, T).fold() for T in (6, 9))
    assert short.unfold(long.lengths) == long.unfold()


def test_gradients_come_from_one_step_ahead_and_at_the_last_step_there_is_none():
    circuit = _run(Elman(), 5).backward().fold()
    sums = [c for c in _backward_components(circuit) if c.visits[0].giver is not None]
    (total,) = [c for c in sums if c.visits[0].forward.label == "tanh"]
    future, present = total.wires
    assert (len(total.visits), total.first, future.delay, present.delay) == (4, 0, -1, 0)
    (slope,) = {id(c): c for c in circuit.components for w in c.wires if w.source is total and w.initial}.values()
    assert [(w.delay, w.reach) for w in slope.wires[0].initial] == [(0, "step")]


def test_the_gradient_of_a_parameter_is_a_running_sum_over_time():
    circuit = _run(Elman(), 5).backward().fold()
    sums = {c.visits[0].forward.name for c in _backward_components(circuit) if c.is_sum}
    assert sums == {"U", "W", "V"}


# -- what happens not at every step, and what differs at every step ---------------------------------


def _late(x):
    states = []
    for t in range(len(x)):
        a = x[t] @ W.T
        if t >= 2:
            a = a + states[t - 2] @ W.T
        states.append(np.tanh(a))
    return states[-1]


def _noisy(x):
    rng = np.random.default_rng(0)
    h = np.zeros(3)
    for x_t in x:
        h = np.tanh(h @ W.T + x_t + rng.normal(size=3))
    return h


def _dropped(x):
    h = np.zeros(3)
    for t, x_t in enumerate(x):
        h = tg.dropout(np.tanh(h @ W.T + x_t), 0.5, rng=t)
    return h


def _discounted(x):
    h = np.zeros(3)
    L = 0
    for t, x_t in enumerate(x):
        h = np.tanh(h @ W.T + x_t)
        L = L + 0.9**t * (h * h).sum()
    return L


@pytest.mark.parametrize("program", [_late, _noisy, _dropped, _discounted])
def test_what_is_late_or_different_at_every_step_folds_too(program):
    short, long = (tg.record(program, np.random.default_rng(0).normal(size=(T, 3))).fold() for T in (6, 9))
    assert short.unfold(9) == long.unfold()


def test_what_happens_from_the_third_step_on_has_its_own_first_step():
    circuit = tg.record(_late, np.ones((6, 3))).fold()
    assert [(c.first, len(c.visits)) for c in _components(circuit, "add")] == [(2, 4)]
    (tanh,) = _components(circuit, "tanh")
    assert (tanh.wires[0].source.operation.name, len(tanh.wires[0].initial)) == ("add", 2)


def test_noise_is_a_sequence_of_constants():
    circuit = tg.record(_noisy, np.ones((6, 3))).fold()
    assert [len(c.visits) for c in circuit.components if c.kind == "constant"] == [1, 6]


def test_recursion_over_a_tree_is_refused_with_the_line_that_calls_itself():
    line = _tree.__code__.co_firstlineno + 5
    with pytest.raises(tg.FoldError, match=rf"itself, and a tree has no time axis.*test_fold\.py:{line}"):
        tg.record(_tree, np.ones((6, 3))).fold()


def test_a_function_that_calls_an_equal_one_of_another_file_does_not_call_itself():
    def loaded(file):
        scope = {"np": np}
        exec(compile("def apply(x, inner):\n    return np.tanh(inner(x, None) if inner else x)", file, "exec"), scope)
        return scope["apply"]

    one, other = loaded("one.py"), loaded("other.py")
    assert len(tg.record(lambda x: one(x, other), np.ones(2)).fold().components) == 3
    circuit = tg.record(lambda x: one(x, lambda x, _: one(x, None)), np.ones(2)).fold()
    assert [(c.label, len(c.visits)) for c in circuit.components] == [("x", 1), ("tanh", 2)]


def test_a_decorated_function_that_calls_another_does_not_call_itself():
    def decorated(function):
        return lambda *arguments: function(*arguments)

    A = tg.Parameter(np.eye(3))

    @decorated
    def cell(x, h):
        return np.tanh(h @ A.T + x)

    @decorated
    def run(x):
        h = np.zeros(3)
        for x_t in x:
            h = cell(x_t, h)
        return h.sum()

    circuit = tg.record(run, np.ones((6, 3))).fold()
    (tanh,) = (c for c in circuit.components if c.label == "h" and c.repeats)
    assert (circuit.lengths, len(tanh.visits)) == ([6], 6)


def test_a_tree_over_separate_inputs_has_no_loop_and_is_refused_too():
    def add_up(tree):
        return add_up(tree[0]) + add_up(tree[1]) if isinstance(tree, tuple) else np.tanh(tree)

    x = np.ones(2)
    with pytest.raises(tg.FoldError, match="calls itself"):
        tg.record(add_up, ((x, x), (x, (x, x)))).fold()


# -- runs that raise, and other ways to group -------------------------------------------------------


def _fails_at_the_third_step(x):
    h = np.zeros(3)
    for t, x_t in enumerate(x):
        h = np.tanh(h @ W.T + x_t)
        if t == 2:
            h = h @ np.ones((4, 2))
    return h


def test_a_run_that_raises_keeps_its_steps_up_to_the_one_that_failed():
    with pytest.raises(tg.ShapeError) as raised:
        tg.record(_fails_at_the_third_step, np.ones((6, 3)))
    graph = raised.value.graph
    assert (graph.steps[-1].kind, graph.steps[-1].label) == ("failed", "@")
    assert [step.name for step in graph.steps[-1].inputs] == ["h", None]
    assert len(_components(graph.fold(), "tanh")[0].visits) == 3


def test_an_operation_that_failed_and_was_forgiven_is_not_in_the_record():
    def forgiving(x):
        try:
            x = x @ np.ones((4, 2))
        except tg.ShapeError:
            x = x * 2
        raise RuntimeError

    with pytest.raises(RuntimeError) as raised:
        tg.record(forgiving, np.ones(3))
    assert [step.kind for step in raised.value.graph.steps].count("failed") == 0


def test_a_further_key_keeps_steps_of_one_place_apart():
    graph = _run(Elman(), 5)
    assert len(graph.fold(by=lambda step: step.index).components) == len(graph)
    assert graph.fold(by=lambda step: step.module).unfold() == graph.fold().unfold()


def _layer_after_layer(x):
    rows = x
    for U, R in ((_parameter(0, 3, 3), W), (_parameter(1, 3, 3), _parameter(2, 3, 3))):
        h, states = np.zeros(3), []
        for t in range(len(x)):
            h = np.tanh(rows[t] @ U.T + h @ R.T)
            states.append(h)
        rows = tg.stack(states)
    return rows


def _leaky_from_numpy(x):
    h = np.zeros(3)
    for x_t in x:
        h = 0.75 * h + 0.25 * np.tanh(h @ W.T + x_t)
    return h


@pytest.mark.parametrize("program", [_layer_after_layer, _leaky_from_numpy])
def test_a_loop_that_is_written_once_and_run_over_other_arrays_folds(program):
    short, long = (tg.record(program, np.random.default_rng(0).normal(size=(T, 3))).fold() for T in (6, 9))
    assert short.unfold(9) == long.unfold()
    assert short.lengths == [6] * (2 if program is _layer_after_layer else 1)
