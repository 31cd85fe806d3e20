"""Loops as users write them: each has one circuit for all lengths."""

from functools import reduce

import numpy as np
import pytest
from folding import A, B, C, D, E, b, certify, folded, folds_at_any_length, named, operations, sequence, zero

import tinygrad_rnn as tg


def _layer_norm(x):
    h = zero
    L = 0
    for x_t in x:
        a = x_t @ A.T + h @ B.T
        h = np.tanh((a - a.mean()) / np.sqrt(a.var() + 1e-5) * b)
        L = L + h.sum()
    return L


def _hypernetwork(x):
    h = g = zero
    for x_t in x:
        g = np.tanh(g @ A.T + x_t)
        W = np.tanh(B * g)
        h = np.tanh(h @ W.T + x_t)
    return h.sum()


def _tied(x):
    h = zero
    L = 0
    for x_t in x:
        h = np.tanh(h @ A.T + x_t @ B.T)
        o = h @ B
        L = L + ((o - x_t) ** 2).sum()
    return L + (B * B).sum()


def _two_hypotheses(x):
    best, second = zero, b
    score = other = 0
    for x_t in x:
        best, second = np.tanh(best @ A.T + x_t), np.tanh(second @ A.T - x_t)
        score, other = score + best.sum(), other + second.sum()
    return score * other


def _residual_layers(x):
    out = list(x)
    for W, U in ((A, B), (C, D)):
        h, new = zero, []
        for v in out:
            h = np.tanh(v @ W.T + h @ U.T)
            new.append(v + h)
        out = new
    return sum((v * v).sum() for v in out)


def _two_layers_of_both_directions(x):
    seq = list(x)
    for W, U in ((A, B), (C, D)):
        h = g = zero
        right, left = [], []
        for v in seq:
            h = np.tanh(h @ W.T + v)
            right.append(h)
        for v in reversed(seq):
            g = np.tanh(g @ U.T + v)
            left.insert(0, g)
        seq = [p + q for p, q in zip(right, left, strict=True)]
    return sum(v.sum() for v in seq)


def _reduced(x):
    return reduce(lambda h, x_t: np.tanh(h @ A.T + x_t), x, zero).sum()


def _reversed_encoder(x):
    h = zero
    for x_t in x[::-1]:
        h = np.tanh(h @ A.T + x_t @ B.T)
    s = h
    L = 0
    for x_t in x:
        s = np.tanh(s @ C.T)
        L = L + ((s - x_t) ** 2).sum()
    return L


def _state_in_a_dict(x):
    state = {"low": zero, "high": zero}
    for x_t in x:
        state["low"] = np.tanh(x_t @ A.T + state["low"] @ B.T + state["high"] @ C.T)
        state["high"] = np.tanh(state["low"] @ D.T + state["high"] @ E.T)
    return state["high"].sum()


def _first_step_is_special(x):
    h = None
    L = 0
    for x_t in x:
        h = np.tanh(x_t @ A.T) if h is None else np.tanh(x_t @ A.T + h @ B.T)
        L = L + h.sum()
    return L


def _ends_of_x(x):
    h = zero
    for x_t in x:
        h = np.tanh(h @ A.T + x_t + x[0] @ B.T + x[-1] @ C.T)
    return h.sum()


def _greedy_feedback(x):
    h = y = zero
    L = 0
    for x_t in x:
        h = np.tanh(h @ A.T + y @ B.T)
        o = h @ C.T
        y = tg.embedding(D, o.argmax())
        L = L + (o * x_t).sum()
    return L


def _states_with_the_initial_one(x):
    hs = [np.tanh(b)]
    for x_t in x:
        hs.append(np.tanh(hs[-1] @ A.T + x_t))
    return (tg.stack(hs) ** 2).sum()


def _noise_on_the_weights(x):
    rng = np.random.default_rng(0)
    h = zero
    for x_t in x:
        h = np.tanh(h @ (A + 0.1 * rng.normal(size=(3, 3))).T + x_t)
    return h.sum()


def _slices_side_by_side(x):
    """How a language model is usually trained."""
    h = zero
    L = 0
    for x_t, y_t in zip(x[:-1], x[1:], strict=True):  # noqa: RUF007
        h = np.tanh(h @ A.T + x_t)
        L = L + ((h - y_t) ** 2).sum()
    return L


USUAL = [
    _slices_side_by_side,
    _layer_norm,
    _hypernetwork,
    _tied,
    _two_hypotheses,
    _residual_layers,
    _two_layers_of_both_directions,
    _reduced,
    _reversed_encoder,
    _state_in_a_dict,
    _first_step_is_special,
    _ends_of_x,
    _greedy_feedback,
    _states_with_the_initial_one,
    _noise_on_the_weights,
]


@pytest.mark.parametrize("program", USUAL)
def test_a_usual_program_has_one_circuit_for_all_lengths(program):
    folds_at_any_length(program)


def test_weights_computed_at_a_step_are_no_parameter():
    circuit = folds_at_any_length(_hypernetwork)
    W = named(circuit, "W")
    assert (W.kind, len(W.visits), [w.reach for w in W.wires[0].source.wires]) == ("operation", 8, ["once", "step"])


def test_a_tied_weight_is_one_component_with_three_uses():
    circuit = folds_at_any_length(_tied)
    (weight,) = [c for c in circuit.components if c.kind == "parameter" and c.name == "B"]
    users = [c for c in circuit.components if any(w.source is weight for w in c.wires)]
    assert [(c.operation.name, len(c.visits)) for c in users] == [("transpose", 8), ("matmul", 8), ("multiply", 1)]


def test_an_initial_state_beside_all_others_is_one_input_of_the_stack_and_the_others_are_all():
    (stack,) = operations(folds_at_any_length(_states_with_the_initial_one), "stack")
    assert [w.reach for w in stack.wires] == ["once", "all"]


def _stops_early(x):
    h = zero
    for t in range(len(x)):
        h = np.tanh(h @ A.T + x[t])
        if t == 3:
            break
    return h.sum()


def test_a_loop_that_broke_off_is_as_long_as_it_ran():
    assert folded(_stops_early, 8).lengths == [4]
    assert folded(_stops_early, 8).unfold() == folded(_stops_early, 11).unfold()


def _starts_at_the_last_state(x):
    """A second loop over the states that starts where the first ended."""
    h, hs = zero, []
    for x_t in x:
        h = np.tanh(h @ A.T + x_t)
        hs.append(h)
    for h_t in hs:
        h = np.tanh(h @ B.T + h_t)
    return h.sum()


def _starts_at_the_last_element(x):
    seq = list(x)
    h = seq[-1]
    for x_t in seq:
        h = np.tanh(h @ A.T + x_t)
    return h.sum()


def _back_over_sums(x):
    """To the right a running sum that has none at the first step; to the left a product of what it gave."""
    hs = []
    for x_t in x:
        h = x_t @ A.T
        if hs:
            h = h + hs[-1]
        hs.append(h)
    g = b
    for h in reversed(hs):
        g = g * h
    return g.sum()


def _initial_values_from_a_loop(x):
    hs = [np.tanh(W @ b) for W in (A, A, A)]
    for x_t in x:
        hs.append(np.tanh(hs[-3] + x_t))
    return hs[-1].sum()


def _numbers_that_are_equal_half_of_the_time(x):
    h = zero
    for t, x_t in enumerate(x):
        h = np.tanh((0.5 if t < 4 else 0.25) * x_t + h @ A.T)
    return h.sum()


@pytest.mark.parametrize(
    "program",
    [
        _starts_at_the_last_state,
        _starts_at_the_last_element,
        _back_over_sums,
        _initial_values_from_a_loop,
        _numbers_that_are_equal_half_of_the_time,
    ],
)
def test_what_is_accepted_is_the_circuit_of_any_length(program):
    folds_at_any_length(program, backward=False)


def _padded_window(x):
    L = 0
    for t in range(len(x)):
        before = x[t - 1] if t else zero
        after = x[t + 1] if t + 1 < len(x) else zero
        L = L + np.tanh(before @ A.T + x[t] @ B.T + after @ C.T).sum()
    return L


def _two_readers_of_a_loop_to_the_left(x):
    """Its first step, at the end of x, is another operation than the rest."""
    h, hs = None, []
    for x_t in reversed(x):
        h = np.tanh(x_t @ A.T) if h is None else np.tanh(h @ A.T + x_t)
        hs.insert(0, h)
    L = l = 0.0
    for h in hs:
        L = L + h.sum()
        l = l + (h @ C.T).sum()
    return L + l


@pytest.mark.parametrize("program", [_padded_window, _two_readers_of_a_loop_to_the_left])
def test_the_fold_raises_nothing_but_fold_errors(program):
    folds_at_any_length(program)


def _numbers_to_the_left(x):
    g = zero
    for x_t in reversed(x):
        g = np.tanh(g @ A.T + 0.5 * x_t)
    return g.sum()


def _autoencoder(x):
    L = 0
    for x_t, y_t in zip(x, x, strict=True):
        L = L + ((np.tanh(x_t @ A.T) @ B.T - y_t) ** 2).sum()
    return L


def _turned_round_and_back(x):
    h = g = zero
    hs, gs = [], []
    for x_t in x:
        h = np.tanh(h @ A.T + x_t)
        hs.append(h)
    for x_t in x[::-1]:
        g = np.tanh(g @ B.T + x_t)
        gs.append(g)
    return sum((h * g).sum() for h, g in zip(hs, gs[::-1], strict=True))


def _special_at_both_ends(x):
    h = g = None
    hs = []
    for x_t in x:
        h = np.tanh(x_t @ A.T) if h is None else np.tanh(x_t @ A.T + h @ B.T)
        hs.append(h)
    for h in reversed(hs):
        g = np.tanh(h @ C.T) if g is None else np.tanh(h @ C.T + g @ D.T)
    return g.sum()


def _every_other_step_by_a_mask(x):
    h = zero
    for t, x_t in enumerate(x):
        h = tg.where(t % 2 == 0, np.tanh(h @ A.T + x_t), h)
    return h.sum()


def _every_other_step_by_a_factor(x):
    h = zero
    for t, x_t in enumerate(x):
        h = h * float(t % 2) + np.tanh(h @ A.T + x_t)
    return h.sum()


@pytest.mark.parametrize(
    "program",
    [
        _numbers_to_the_left,
        _autoencoder,
        _turned_round_and_back,
        _special_at_both_ends,
        _every_other_step_by_a_mask,
        _every_other_step_by_a_factor,
    ],
)
def test_a_program_that_has_a_circuit_folds(program):
    folds_at_any_length(program, backward=False)


# -- tokens ------------------------------------------------------------------------------------------------


def _tokens_by_name(tokens):
    h = zero
    for token in tokens:
        h = np.tanh(h @ A.T + B[token])
    return h.sum()


def _tokens_by_number(tokens):
    h = zero
    for t in range(len(tokens)):
        token = tokens[t]
        h = np.tanh(h @ A.T + B[token])
    return h.sum()


@pytest.mark.parametrize("program", [_tokens_by_name, _tokens_by_number])
@pytest.mark.parametrize("tokens", [[0, 1, 2], [2, 1], [1, 1, 1], (2, 0, 1, 1)])
def test_numbers_of_a_list_are_data_whatever_they_are(program, tokens):
    graph = tg.record(program, tokens)
    assert [(step.name, step.value) for step in graph.inputs] == [("token", token) for token in tokens]
    assert named(graph.fold(), "token").axes[0].range(9) == range(9)


def test_a_number_of_a_list_that_is_the_same_at_all_steps_is_part_of_the_program():
    def program(x, numbers):
        return sum((x_t @ A[numbers[1]]) * B[numbers[1]].sum() for x_t in x)

    assert [step.name for step in tg.record(program, np.ones((4, 3)), [0, 2]).inputs] == ["x"]


def test_a_counter_that_happens_to_run_through_the_tokens_is_none():
    def program(tokens):
        return sum((B[t] * np.tanh(A[token])).sum() for t, token in enumerate(tokens))

    assert [step.name for step in tg.record(program, [0, 1, 2]).inputs] == ["token"] * 3


# -- elements ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("T", [5, 7])
def test_a_negative_index_that_moves_is_counted_from_the_beginning(T):
    def program(x):
        h = zero
        for t in range(1, len(x) + 1):
            h = np.tanh(x[-t] @ A.T + h @ B.T)
        return h.sum()

    (element,) = operations(folded(program, T), "getitem")
    assert (element.reads, element.backward) == (0, True)
    folds_at_any_length(program, (T, T + 3))


def test_elements_that_are_read_at_some_steps_only_are_a_sequence_and_the_read_is_a_switch():
    def program(y, coins):
        h = zero
        for t in range(len(y)):
            h = np.tanh((y[t] if coins[t] else h) @ A.T)
        return h.sum()

    graph = tg.record(program, sequence(6), [0, 1, 0, 1, 1, 0])
    circuit = graph.fold()
    certify(graph, circuit)
    (element,), (product,) = operations(circuit, "getitem"), operations(circuit, "matmul")
    assert (element.reads, len(element.visits)) == (0, 6)
    assert [np.array_equal(step.value, y) for step, y in zip(element.visits, sequence(6), strict=True)] == [True] * 6
    switch = product.wires[0]
    assert switch.choices == (1, 0, 1, 0, 0, 1)
    assert [wire.delay for wire in (switch, *switch.others)] == [0, 1]
    assert len([step for step in graph.steps if step.label == "[ ]"]) == 3  # the record is what ran


def test_every_second_element_of_a_loop_over_all_is_read_with_no_delay():
    def program(x):
        h = zero
        for t, x_t in enumerate(x):
            h = np.tanh(x_t @ A.T + h @ B.T) if t % 2 == 0 else h * 0.5
        return h.sum()

    circuit = folds_at_any_length(program, (8, 12))
    product, _ = sorted(operations(circuit, "matmul"), key=lambda c: c.wires[0].delay)
    assert [len(c.visits) for c in (product, product.wires[0].source)] == [4, 8]
    assert product.wires[0].delay == 0


def test_heads_that_a_sum_takes_are_components_of_their_own():
    heads = [tg.Linear(3, 2, rng=0), tg.Linear(3, 2, rng=1)]

    def program(x):
        h = zero
        for x_t in x:
            h = np.tanh(x_t @ A.T + h @ B.T)
        return sum((head(h) ** 2).sum() for head in heads)

    circuit = folds_at_any_length(program, (5, 7))
    assert [c.axes for c in operations(circuit, "power")] == [(), ()]


# -- long runs ---------------------------------------------------------------------------------------------


def test_one_step_that_differs_in_the_middle_of_a_long_run_is_seen():
    def program(x, special):
        hs = [zero, zero]
        for t, x_t in enumerate(x):
            hs.append(np.tanh(hs[-2 if t == special else -1] @ A.T + x_t))
        return hs[-1].sum()

    plain, graph = (tg.record(program, sequence(200), special) for special in (None, 100))
    circuit = graph.fold()
    certify(graph, circuit)
    (product,) = operations(circuit, "matmul")
    assert [product.wires[0].points([200])((t,))[0] for t in (99, 100, 101)] == [[(98,)], [(98,)], [(100,)]]
    assert circuit.unfold() != plain.fold().unfold()
    with pytest.raises(tg.FoldError, match="which step of hs it reads is known for the recorded length only"):
        circuit.unfold(201)
