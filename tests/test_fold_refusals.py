"""Programs that have no circuit, or one for the recorded length only: that is said, with the line, the loop and why."""

import linecache
import re
from functools import reduce

import numpy as np
import pytest
from folding import A, B, C, folded, sequence, zero

import tinygrad_rnn as tg


def _at_three_steps(x):
    h = zero
    for t, x_t in enumerate(x):  # the loop
        h = np.tanh(h @ A.T + x_t)
        if t in (1, 4, 5):
            h = h * 2  # here
    return h.sum()


def _a_weight_by_the_toss_of_a_coin(x):
    h, rng = zero, np.random.default_rng(0)
    for x_t in x:  # the loop
        W = A.T if rng.random() < 0.5 else B.T  # here
        h = np.tanh(h @ W + x_t)
    return h.sum()


def _rounds_as_many_as_a_list_says(x):
    h = zero
    for x_t, rounds in zip(x, [3, 1, 2, 2, 5, 1, 1, 3, 2, 1, 4, 2], strict=False):
        for _ in range(rounds):  # the loop
            h = np.tanh(h @ A.T + x_t)  # here
    return h.sum()


def _two_calls_of_itself(x):
    def value(n):
        return x[n] if n < 2 else np.tanh(value(n - 1) @ A.T + value(n - 2) @ B.T)  # here

    return value(6).sum()


def _sums_of_so_many_as_a_list_says(x):
    L = 0
    for x_t, n in zip(x, [3, 1, 2, 12, 5, 11, 4, 7, 8, 6, 9, 10], strict=False):  # the loop
        h = np.tanh(x_t @ A.T)
        L = L + np.concatenate([h] * n).sum()  # here
    return L


def _line_of(program, comment):
    """The line of a program that ends with a comment."""
    first = program.__code__.co_firstlineno
    lines = iter(linecache.getline(program.__code__.co_filename, n) for n in range(first, first + 20))
    return first + next(k for k, line in enumerate(lines) if line.rstrip().endswith(f"# {comment}"))


def _refusal(program):
    with pytest.raises(tg.FoldError) as refusal:
        tg.record(program, sequence(12)).fold()
    sentence = str(refusal.value)
    assert re.findall(r"test_fold_refusals\.py:(\d+)", sentence) == [str(_line_of(program, "here"))]
    return sentence


@pytest.mark.parametrize(
    ("program", "what", "reason", "mend"),
    [
        (
            _at_three_steps,
            "h * 2",
            "it runs only at steps 2, 5, 6 of 12 of {loop}",
            "It folds if it runs at every step, at every k-th step, or from some step on: compute it at every step, ",
        ),
        (
            _a_weight_by_the_toss_of_a_coin,
            "B.T",
            "it runs only at steps 1, 5, 6, 7, 8, 9, …, 11 of 12 of {loop}",
            "It folds if it runs at every step, ",
        ),
        (
            _rounds_as_many_as_a_list_says,
            "A.T",
            "the number of rounds of {loop} is 3 at step 1, 1 at step 2, 2 at step 3 of the loop around it",
            "It folds if that is one number at every step, or t at step t.",
        ),
        (
            _sums_of_so_many_as_a_list_says,
            "np.concatenate([h] * n)",
            "in {loop} the number of its inputs is 3 at step 1, 1 at step 2, 2 at step 3",
            "It folds if they are all steps of one loop, or all so far.",
        ),
    ],
)
def test_a_refusal_names_the_expression_the_loop_the_steps_from_one_and_what_would_fold(program, what, reason, mend):
    loop = f"the loop at line {_line_of(program, 'the loop')}" if "{loop}" in reason else ""
    assert f"no circuit: `{what}`: {reason.format(loop=loop)}. {mend}" in _refusal(program)


def test_a_function_that_calls_itself_twice_is_a_tree_and_is_told_how_a_function_folds():
    assert _refusal(_two_calls_of_itself).startswith(
        "no circuit: `value(n - 2)`: the function calls itself, and a tree has no time axis. "
        "It folds if it calls itself once, as run(t) calls run(t - 1).   "
    )


def test_a_function_that_is_called_again_and_again_is_the_loop_that_a_refusal_names():
    def step(h, pair):
        return np.tanh((h * 2 if pair[0] in (1, 4, 5) else h) @ A.T + pair[1])

    with pytest.raises(tg.FoldError) as refusal:
        tg.record(lambda x: reduce(step, enumerate(x), zero).sum(), sequence(12)).fold()
    line = step.__code__.co_firstlineno
    assert f"`h * 2`: it runs only at steps 2, 5, 6 of 12 of the calls of step at line {line}. " in str(refusal.value)


def test_a_gradient_that_comes_from_here_and_there_is_refused_by_the_backward_pass_alone():
    def reads_half_the_past(x):
        hs = []
        for t, x_t in enumerate(x):
            hs.append(np.tanh(x_t @ A.T + (hs[t // 2] @ B.T if t else zero)))
        return hs[-1].sum()

    graph = tg.record(reads_half_the_past, sequence(12))
    assert len(graph.fold().components) < len(graph)
    with pytest.raises(
        tg.FoldError, match=r"no circuit: the gradient through .*: no gradient reaches it at steps 4, 5, "
    ):
        graph.backward().fold()


# -- known for the recorded length only ------------------------------------------------------------


def _the_first_half_by_another_weight(x):
    h = zero
    for t, x_t in enumerate(x):
        h = np.tanh(h @ (A if t < 4 else B).T + x_t)
    return h.sum()


def _the_input_by_the_toss_of_a_coin(x):
    h, rng = zero, np.random.default_rng(0)
    for x_t in x:
        a, b = np.tanh(h @ A.T), np.tanh(x_t @ B.T)
        h = np.exp(a if rng.random() < 0.5 else b)
    return h.sum()


def _the_step_that_a_list_says(x):
    hs = [np.tanh(x_t @ A.T) for x_t in x]
    order = np.random.default_rng(0).permutation(len(x))
    h = zero
    for k in order:
        h = np.tanh(h @ B.T + hs[k])
    return h.sum()


def _one_but_the_last(x):
    hs = [np.tanh(x_t @ A.T) for x_t in x]
    return hs[-2].sum()


def _the_last_of_every_third(x):
    hs, h = [], zero
    for t, x_t in enumerate(x):
        h = np.tanh(h @ A.T + x_t)
        if t % 3 == 0:
            hs.append(h)
    return hs[-1].sum()


def _the_last_of_every_third_backward_in_time(x):
    return _the_last_of_every_third(x[::-1])


def _the_last(x):
    h = zero
    for x_t in x:
        h = np.tanh(h @ A.T + x_t)
    return h.sum()


def _chunks_of_which_the_last_is_shorter(x):
    top = zero
    for k in range(0, len(x), 3):
        h = zero
        for x_t in x[k : k + 3]:
            h = np.tanh(h @ A.T + x_t)
        top = np.tanh(top @ C.T + h)
    return top.sum()


@pytest.mark.parametrize(
    ("program", "what"),
    [
        (_the_first_half_by_another_weight, "at which steps it happens"),
        (_the_input_by_the_toss_of_a_coin, "when it reads b"),
        (_the_step_that_a_list_says, "which step of `np.tanh(x_t @ A.T)` it reads"),
        (_one_but_the_last, "which step of `np.tanh(x_t @ A.T)` it reads"),
        (_the_last_of_every_third, "which step of h it reads"),
        (_the_last_of_every_third_backward_in_time, "which step of h it reads"),
        (_chunks_of_which_the_last_is_shorter, "at which steps it happens"),
    ],
)
def test_what_one_length_does_not_tell_is_refused_at_another(program, what):
    circuit = folded(program, 8)
    refusal = f"{what} is known for the recorded length only. Record a run of the other length.   "
    with pytest.raises(tg.FoldError, match=rf"unfold: .*: {re.escape(refusal)}.*\.py:\d+"):
        circuit.unfold([T + 1 for T in circuit.lengths])


def test_a_program_that_reads_the_last_of_every_third_state_may_have_the_record_of_one_that_reads_the_last():
    def records(T):
        for program in (_the_last_of_every_third, _the_last):
            steps = tg.record(program, sequence(T)).steps
            yield [(s.kind, s.operation, repr(s.attributes), s.iterations, [x.index for x in s.inputs]) for s in steps]

    same, other = records(7)  # the last one kept is the last one
    assert same == other
    same, other = records(8)
    assert same != other


def test_every_kth_step_of_a_backward_pass_is_known_for_whole_rounds_only():
    def every_third(x):
        h, L = zero, 0
        for t, x_t in enumerate(x):
            h = np.tanh(h @ A.T + x_t)
            if t % 3 == 2:
                L = L + h.sum()
        return L

    circuit, other = (folded(every_third, T, backward=True) for T in (12, 15))
    assert circuit.unfold(15) == other.unfold()
    with pytest.raises(
        tg.FoldError, match="at which steps it happens is known for lengths that differ by whole rounds"
    ):
        circuit.unfold(13)


def test_one_number_for_loops_of_different_lengths_is_refused():
    def one_after_the_other(x, y):
        h = zero
        for x_t in x:
            h = np.tanh(h @ A.T + x_t)
        for y_t in y:
            h = np.tanh(h @ B.T + y_t)
        return h.sum()

    circuit, other = (tg.record(one_after_the_other, *map(sequence, Ts)).fold() for Ts in ((5, 3), (4, 6)))
    with pytest.raises(tg.FoldError, match="the loops ran 5 and 3 times: give a list, a length for each"):
        circuit.unfold(5)
    assert circuit.unfold([4, 6]) == other.unfold()


@pytest.mark.parametrize("T", [2.5, "5", [], [5, 4], [-1], [2.5]])
def test_lengths_that_are_none_of_the_loops_of_a_circuit_are_refused_in_one_line(T):
    circuit = folded(_state_from_the_input, 5)
    with pytest.raises(
        ValueError, match=r"^unfold: T is a length for each loop of the circuit, which ran 5 times, not"
    ):
        circuit.unfold(T)


def _state_from_the_input(x):
    h = zero
    for x_t in x:
        h = np.tanh(h @ A.T + x_t)
    return h.sum()


def _with_a_helper_that_calls_itself(x):
    def flat(nest):
        return [leaf for part in nest for leaf in flat(part)] if isinstance(nest, list) else [nest * 1.0]

    h = zero
    for t, x_t in enumerate(flat([x[0], [x[1], [x[2]]], *x[3:]])):
        h = np.tanh(h @ A.T + x_t)
        if t in (1, 4, 5):
            h = h * 2  # here
    return h.sum()


def test_a_helper_that_calls_itself_is_not_blamed_for_what_another_line_does():
    refusal = str(_refusal(_with_a_helper_that_calls_itself))
    line = _line_of(_with_a_helper_that_calls_itself, "here")
    assert "`h * 2`: it runs only at steps" in refusal
    assert refusal.endswith(f"test_fold_refusals.py:{line}")
