"""Programs that have no circuit, or one for the recorded length only: that is said, with the line in the way."""

import linecache
import re

import numpy as np
import pytest
from folding import A, B, C, D, E, b, folded, folds_at_any_length, sequence, zero

import tinygrad_rnn as tg


def _clockwork(x):
    h = g = zero
    for t, x_t in enumerate(x):
        h = np.tanh(x_t @ A.T + h @ B.T + g @ C.T)
        if t % 2 == 0:
            g = np.tanh(g @ D.T + x_t @ E.T)  # here
    return (h * g).sum()


def _chain_of_calls(x):
    def state(t):
        return np.tanh(state(t - 1) @ A.T + x[t]) if t >= 0 else zero  # here

    return state(len(x) - 1).sum()


def _pyramid(x):
    hs = [np.tanh(x_t @ A.T) for x_t in x]
    return sum(np.tanh(p @ B.T + q @ C.T).sum() for p, q in zip(hs[::2], hs[1::2], strict=False))  # here


def _middle_step(x):
    h, hs = zero, []
    for x_t in x:
        h = np.tanh(h @ A.T + x_t)
        hs.append(h)
    return hs[2].sum()  # here


def _mirror(x):
    hs = [np.tanh(x_t @ A.T) for x_t in x]
    return sum((hs[t] * hs[len(x) - 1 - t]).sum() for t in range(len(x)))  # here


def _both_directions_that_read_each_other(x):
    h = g = zero
    for t in range(len(x)):
        h = np.tanh(h @ A.T + x[t] + g @ C.T)  # here
        g = np.tanh(g @ B.T + x[len(x) - 1 - t])
    return (h * g).sum()


def _delay_that_grows(x):
    hs = []
    for t, x_t in enumerate(x):
        hs.append(np.tanh(x_t @ A.T + (hs[t // 2] @ B.T if t else zero)))  # here
    return hs[-1].sum()


def _line_of(program):
    """The line of a program that ends with the comment `here`."""
    first = program.__code__.co_firstlineno
    lines = iter(linecache.getline(program.__code__.co_filename, n) for n in range(first, first + 20))
    return first + next(k for k, line in enumerate(lines) if line.rstrip().endswith("# here"))


def _refused_at_its_line(program, T, why):
    with pytest.raises(tg.FoldError, match=why) as refusal:
        tg.record(program, sequence(T)).fold()
    assert re.findall(r"test_fold_refusals\.py:(\d+)", str(refusal.value)) == [str(_line_of(program))]


@pytest.mark.parametrize("T", [7, 8])
@pytest.mark.parametrize(
    ("program", "why"),
    [
        (_clockwork, "happens only at steps"),
        (_chain_of_calls, "calls itself"),
        (_pyramid, None),
        (_middle_step, "reads only step 3"),
        (_mirror, "even distance"),
        (_both_directions_that_read_each_other, "even distance"),
        (_delay_that_grows, "even distance"),
    ],
)
def test_a_program_without_a_circuit_is_refused_with_the_line_that_stands_in_the_way(program, why, T):
    _refused_at_its_line(program, T, why)


def _truncated(x):
    h = zero
    L = 0
    for t, x_t in enumerate(x):
        if t and t % 3 == 0:
            h = h.detach()
        h = np.tanh(x_t @ A.T + h @ B.T)  # here
        L = L + h.sum()
    return L


def test_truncated_backpropagation_has_a_forward_circuit_and_its_backward_pass_none():
    folds_at_any_length(_truncated, backward=False)
    with pytest.raises(tg.FoldError, match=rf"backward pass happens only at steps .*:{_line_of(_truncated)}\b"):
        tg.record(_truncated, sequence(8)).backward().fold()


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


@pytest.mark.parametrize("program", [_sum_of_a_list, _two_rounds_at_each_step, _two_hypotheses_in_a_list, _windows])
def test_a_place_that_runs_several_times_in_a_step_is_refused(program):
    with pytest.raises(tg.FoldError, match=r"test_fold_refusals\.py:\d+"):
        folded(program, 8)


def _attention_to_the_past(x):
    h, hs = zero, []
    for x_t in x:
        h = np.tanh(h @ A.T + x_t)
        hs.append(h)
        H = tg.stack(hs)  # here
        h = tg.softmax(H @ h) @ H
    return h.sum()


def _every_second_element(x):
    h = zero
    for t in range(0, len(x), 2):
        x_t = x[t]  # here
        h = np.tanh(h @ A.T + x_t)
    return h.sum()


@pytest.mark.parametrize("program", [_attention_to_the_past, _every_second_element])
def test_what_grows_with_time_or_leaves_out_steps_is_refused(program):
    with pytest.raises(tg.FoldError, match=r"test_fold_refusals\.py:\d+"):
        folded(program, 8)


# -- known for the recorded length only ------------------------------------------------------------


def _twice_over_the_data(x):
    h = zero
    for _ in range(2):
        for x_t in x:
            h = np.tanh(h @ A.T + x_t)  # here
    return h.sum()


def _another_weight_from_step_four_on(x):
    h = zero
    for t, x_t in enumerate(x):
        h = np.tanh(h @ (A if t < 4 else B).T + x_t)
    return h.sum()


def _each_element_twice(x):
    h = zero
    for t in range(len(x)):
        h = np.tanh(h @ A.T + x[t // 2])
    return h.sum()


@pytest.mark.parametrize("program", [_another_weight_from_step_four_on, _each_element_twice, _twice_over_the_data])
def test_what_is_known_for_one_length_only_is_said_at_another(program):
    circuit = folded(program, 8)
    for T in (6, 11):
        try:
            unfolded = circuit.unfold(T)
        except tg.FoldError:
            continue
        assert len(unfolded) == len(tg.record(program, sequence(T)))
