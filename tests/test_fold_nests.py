"""Loops within loops, windows, strides, two paces: delay vectors, and one circuit for all lengths."""

import numpy as np
import pytest
from folding import (
    A,
    B,
    C,
    D,
    E,
    b,
    folded,
    folds_at_any_length,
    named,
    operations,
    same_at_other_lengths,
    sequence,
    zero,
)

import tinygrad_rnn as tg


def _clockwork(x):
    h = g = zero
    for t, x_t in enumerate(x):
        if t % 2 == 0:
            g = np.tanh(g @ D.T + x_t @ E.T)
        h = np.tanh(x_t @ A.T + h @ B.T + g @ C.T)
    return (h * g).sum()


def _chain_of_calls(x):
    def state(t):
        return np.tanh(state(t - 1) @ A.T + x[t]) if t >= 0 else zero

    return state(len(x) - 1).sum()


def _pyramid(x):
    hs = [np.tanh(x_t @ A.T) for x_t in x]
    return sum(np.tanh(p @ B.T + q @ C.T).sum() for p, q in zip(hs[::2], hs[1::2], strict=False))


def _middle_step(x):
    h, hs = zero, []
    for x_t in x:
        h = np.tanh(h @ A.T + x_t)
        hs.append(h)
    return hs[2].sum()


def _mirror(x):
    hs = [np.tanh(x_t @ A.T) for x_t in x]
    return sum((hs[t] * hs[len(x) - 1 - t]).sum() for t in range(len(x)))


def _both_directions_that_read_each_other(x):
    h = g = zero
    for t in range(len(x)):
        h = np.tanh(h @ A.T + x[t] + g @ C.T)
        g = np.tanh(g @ B.T + x[len(x) - 1 - t])
    return (h * g).sum()


def _half_the_past(x):
    hs = []
    for t, x_t in enumerate(x):
        hs.append(np.tanh(x_t @ A.T + (hs[t // 2] @ B.T if t else zero)))
    return hs[-1].sum()


def _truncated(x):
    h = zero
    L = 0
    for t, x_t in enumerate(x):
        if t and t % 3 == 0:
            h = h.detach()
        h = np.tanh(x_t @ A.T + h @ B.T)
        L = L + h.sum()
    return L


def _sum_of_a_list(x):
    h = zero
    for x_t in x:
        h = np.tanh(sum([h @ A.T, x_t @ B.T, b]))
    return h.sum()


def _two_rounds_at_each_step(x):
    h = zero
    for x_t in x:
        for _ in range(2):
            h = np.tanh(h @ A.T + x_t)
    return h.sum()


def _two_hypotheses_in_a_list(x):
    hs = [zero, b]
    for x_t in x:
        hs = [np.tanh(h @ A.T + x_t) for h in hs]
    return (hs[0] * hs[1]).sum()


def _windows(x):
    h = zero
    for t in range(len(x) - 2):
        h = np.tanh(h @ A.T + x[t : t + 3].sum(axis=0))
    return h.sum()


def _attention_to_the_past(x):
    h, hs = zero, []
    for x_t in x:
        h = np.tanh(h @ A.T + x_t)
        hs.append(h)
        H = tg.stack(hs)
        h = tg.softmax(H @ h) @ H
    return h.sum()


def _every_second_element(x):
    h = zero
    for t in range(0, len(x), 2):
        h = np.tanh(h @ A.T + x[t])
    return h.sum()


def _each_element_twice(x):
    h = zero
    for t in range(len(x)):
        h = np.tanh(h @ A.T + x[t // 2])
    return h.sum()


def _twice_over_the_data(x):
    h = zero
    for _ in range(2):
        for x_t in x:
            h = np.tanh(h @ A.T + x_t)
    return h.sum()


def _growing_past(x):
    L = 0
    for t in range(len(x)):
        c = zero
        for s in range(t + 1):
            c = np.tanh(c @ A.T + x[s])
        L = L + c.sum()
    return L


def _encoder_and_decoder(x):
    hs = [np.tanh(x_t @ A.T) for x_t in x]
    s = zero
    for x_t in x:
        c = zero
        for h in hs:
            c = c + np.exp(h @ s) * h
        s = np.tanh(c @ B.T / 9 + x_t)
    return s.sum()


@pytest.mark.parametrize(
    ("program", "lengths"),
    [
        (_chain_of_calls, (8, 11)),
        (_middle_step, (8, 11)),
        (_both_directions_that_read_each_other, (8, 11)),
        (_sum_of_a_list, (8, 11)),
        (_two_rounds_at_each_step, (8, 11)),
        (_two_hypotheses_in_a_list, (8, 11)),
        (_windows, (8, 11)),
        (_every_second_element, (8, 11)),
        (_twice_over_the_data, (8, 11)),
        (_growing_past, (8, 11)),
        (_encoder_and_decoder, (8, 11)),
        (_clockwork, (12, 14)),
        (_truncated, (12, 15)),
        (_pyramid, (12, 14)),
        (_each_element_twice, (12, 14)),
    ],
)
def test_both_passes_of_a_program_have_one_circuit_for_all_lengths(program, lengths):
    folds_at_any_length(program, lengths)


@pytest.mark.parametrize("program", [_mirror, _half_the_past, _attention_to_the_past])
def test_a_program_has_one_circuit_for_all_lengths(program):
    folds_at_any_length(program, backward=False)


@pytest.mark.parametrize("program", [_mirror, _attention_to_the_past])
def test_a_backward_pass_with_a_case_in_the_middle_folds_for_the_recorded_length(program):
    circuit = folded(program, 8, backward=True)
    with pytest.raises(tg.FoldError, match="known for the recorded length only"):
        circuit.unfold(11)


def circuit_of(program, T=8):
    return tg.record(program, sequence(T)).fold()


def reads(circuit, reader, source, *points):
    """Which steps of a source a component reads at each point."""
    (wire,) = [wire for wire in reader.wires if wire.source is source]
    return [wire.points(circuit.lengths)(at)[0] for at in points]


def readers(circuit, source):
    return [c for c in circuit.components if source in (wire.source for wire in c.wires)]


def test_a_slow_state_is_kept_between_its_steps():
    circuit = circuit_of(_clockwork)
    g = named(circuit, "g")
    assert [at for (at,) in g.points] == [0, 2, 4, 6]
    (reader,) = [c for c in readers(circuit, g) if len(c.visits) == 8]
    assert reads(circuit, reader, g, (2,), (3,), (4,)) == [[(2,)], [(2,)], [(4,)]]


def test_a_mirror_reads_the_loop_from_its_end():
    circuit = circuit_of(_mirror)
    (product,) = operations(circuit, "multiply")
    assert [wire.points(circuit.lengths)((1,))[0] for wire in product.wires] == [[(1,)], [(6,)]]


def test_half_the_past_is_read_at_half_the_step():
    circuit = circuit_of(_half_the_past)
    (state,) = operations(circuit, "tanh")
    (reader,) = [c for c in readers(circuit, state) if c.repeats]
    assert reads(circuit, reader, state, (1,), (2,), (7,)) == [[(0,)], [(1,)], [(3,)]]


def test_two_epochs_have_the_delay_of_one_step_and_the_end_of_the_epoch_before():
    circuit = circuit_of(_twice_over_the_data)
    assert circuit.lengths == [2, 8]
    (h,) = operations(circuit, "tanh")
    (product,) = [c for c in readers(circuit, h) if c.nested]
    assert reads(circuit, product, h, (0, 3), (1, 3)) == [[(0, 2)], [(1, 2)]]
    unfolded, number = circuit.unfold(), circuit.components.index
    assert (number(h), (0, 7)) in unfolded[number(product), (1, 0)]


def test_a_growing_past_has_as_many_points_as_steps_so_far():
    circuit = circuit_of(_growing_past, T=4)
    (c,) = operations(circuit, "tanh")
    assert c.points == [(t, s) for t in range(4) for s in range(t + 1)]
    (total,) = [reader for reader in readers(circuit, c) if reader.operation.name == "sum"]
    assert reads(circuit, total, c, (0,), (3,)) == [[(0, 0)], [(3, 3)]]


def test_a_score_is_in_the_loop_over_the_encoder_within_that_of_the_decoder():
    circuit = circuit_of(_encoder_and_decoder)
    state = operations(circuit, "tanh")[0]
    score = next(c for c in readers(circuit, state) if c.nested)
    assert reads(circuit, score, state, (0, 5), (3, 5)) == [[(5,)], [(5,)]]


def test_the_elements_of_a_list_are_one_sequence_whoever_reads_them():
    def model(xs):
        h = zero
        for x_t in xs:
            a = tg.softmax(tg.stack([(x_s * h).sum() for x_s in xs]))
            h = np.tanh(h @ A.T + x_t * a.sum())
        return h.sum()

    circuit, other = (tg.record(model, list(sequence(T))).fold() for T in (6, 9))
    (xs,) = [c for c in circuit.components if c.kind == "input"]
    assert (xs.name, [at for (at,) in xs.points]) == ("xs", list(range(6)))
    assert circuit.unfold(9) == other.unfold()


def test_steps_may_be_stacked_in_reverse_and_every_second_of_them():
    def model(x):
        hs = [np.tanh(x_t @ A.T) for x_t in x]
        return (tg.stack(hs[::-1]) * tg.stack(hs)).sum() + tg.stack(hs[::2]).sum()

    circuit, other = (folded(model, T) for T in (8, 11))
    assert circuit.unfold(11) == other.unfold()
    stacks = [[at for _, (at,) in inputs] for _, inputs in sorted(circuit.unfold().items()) if len(inputs) > 2]
    assert stacks == [[*range(8)][::-1], [*range(8)], [0, 2, 4, 6]]


def test_a_label_of_an_inner_loop_is_data_of_that_loop_alone():
    def model(x, labels):
        L = 0
        for x_t in x:
            p = tg.softmax(x_t @ A.T)
            for label in labels:
                L = L - np.log(p[label])
        return L

    circuit = tg.record(model, sequence(5), [0, 2, 0, 1]).fold()
    (label,) = [c for c in circuit.components if c.name == "label"]
    assert ([int(step.value) for step in label.visits], len(label.axes)) == ([0, 2, 0, 1], 1)


# -- what a loop is ----------------------------------------------------------------------------------------


def _a_window(x):
    h = zero
    for t in range(len(x) - 2):
        s = zero
        for k in range(3):
            s = np.tanh(x[t + k] @ A.T + s @ B.T)
        h = np.tanh(h @ C.T + s)
    return h.sum()


def _the_first_states(x):
    hs = [np.tanh(x_t @ A.T) for x_t in x]
    g = zero
    for x_t in x:
        c = zero
        for h in hs[:3]:
            c = c + np.tanh(h @ B.T + g)
        g = np.tanh(c + x_t)
    return g.sum()


def _all_states(x):
    hs = [np.tanh(x_t @ A.T) for x_t in x]
    g = zero
    for x_t in x:
        c = zero
        for h in hs:
            c = c + np.tanh(h @ B.T + g)
        g = np.tanh(c + x_t)
    return g.sum()


def _three_different_things(x):
    h = zero
    for v in [np.tanh(x[0]), np.exp(x[1]), x[2] @ A.T]:
        h = np.tanh(h @ B.T + v)
    return h.sum()


@pytest.mark.parametrize(
    ("program", "lengths", "is_nested"),
    [
        (_a_window, [10], False),
        (_the_first_states, [12, 12], False),
        (_all_states, [12, 12], True),
        (_three_different_things, [], False),
    ],
)
def test_a_loop_over_all_of_a_sequence_is_an_axis_and_one_over_a_few_things_is_written_out(program, lengths, is_nested):
    circuit = tg.record(program, sequence(12)).fold()
    assert circuit.lengths == lengths
    assert any(c.nested for c in circuit.components) == is_nested


def _a_sum_over_zip(x, y):
    states, s = [], zero
    for x_t in x:
        s = np.tanh(x_t @ A.T + s @ B.T)
        states.append(s)
    for y_t in y:
        a = tg.softmax(tg.stack([s @ h for h in states]))
        context = sum(a_j * h for a_j, h in zip(a, states, strict=True))
        s = np.tanh(context @ C.T + y_t @ D.T)
    return s.sum()


@pytest.mark.parametrize("backward", [False, True])
def test_the_rounds_of_a_sum_over_zip_are_an_axis_as_long_as_the_encoder(backward):
    graphs = [tg.record(_a_sum_over_zip, sequence(n), sequence(T)) for n, T in [(5, 8), (11, 9)]]
    short, long = ((graph.backward() if backward else graph).fold() for graph in graphs)
    same_at_other_lengths(short, long)
    terms = [c for c in operations(short, "multiply") if c.visits[0].forward is None]
    assert [[axis.loop for axis in c.axes] for c in terms] == [[1, 0]]
    assert short.lengths == [5, 8]
    assert len(terms[0].visits) == 5 * 8


def _queries_and_keys(x):
    queries, keys, L = [x_t @ A.T for x_t in x], [x_t @ B.T for x_t in x], 0
    for t in range(len(x)):
        a = tg.softmax(tg.stack([queries[t] @ keys[s] for s in range(t + 1)]))
        L = L + sum(a[s] * keys[s] for s in range(t + 1)).sum()
    return L


def test_a_loop_that_goes_as_far_as_the_one_around_it_has_come_is_the_same_time():
    circuit = folds_at_any_length(_queries_and_keys, (5, 8))
    assert circuit.lengths == [5]
    (scores,) = [c for c in operations(circuit, "matmul") if c.nested]
    assert [axis.loop for axis in scores.axes] == [0, 0]
    assert scores.axes[1].stop == (1, False, 1, 0)
