"""Each pass alone: what it makes of a program, and that the program still computes the same."""

from collections import Counter

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn.compiled import passes
from tinygrad_rnn.compiled.adjoint import differentiate
from tinygrad_rnn.compiled.lifting import lifted
from tinygrad_rnn.compiled.passes import PASSES, before_gradients
from tinygrad_rnn.compiled.program import cycles
from zoo.catalogue import CATALOGUE

NAMES = list(dict.fromkeys(one.__name__ for one in PASSES))
MODELS = ["pattern-1", "gru", "attention", "skip"]
x = np.random.default_rng(0).normal(size=(6, 2, 3))
W, U = (tg.Parameter(np.random.default_rng(i).normal(size=(3, 3))) for i in (1, 2))


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("alone", NAMES)
def test_a_pass_alone_keeps_what_the_program_computes(alone, name, monkeypatch):
    model, arguments = CATALOGUE[name].example()
    monkeypatch.setattr(passes, "PASSES", [getattr(passes, alone)])
    tg.compile(model, *arguments)  # compares loss and gradients with the engine's


@pytest.mark.parametrize("name", MODELS)
def test_so_do_the_first_few_passes_together(name, monkeypatch):
    model, arguments = CATALOGUE[name].example()
    for n in range(len(PASSES)):
        monkeypatch.setattr(passes, "PASSES", PASSES[:n])
        tg.compile(model, *arguments)


def states(x, f=tg.tanh):
    h, found = np.zeros(x.shape[1:]), []
    for x_t in x:
        h = f(h @ W.T + x_t @ U.T)
        found.append(h)
    return found


def loss(x):
    return sum((h * h).sum() for h in states(x))


def before_and_after(one, model=loss):
    """The program with its gradients when a pass has its first turn, and how often each operation is in it; the same
    after the pass."""
    program = lifted(tg.record(model, x), (x,))
    before_gradients(program)
    differentiate(program)
    program.prune()
    for other in PASSES[: list(PASSES).index(one)]:
        other(program)
        program.prune()
    before = operations(program)
    one(program)
    program.prune()
    return before, operations(program), program


def operations(program):
    return Counter(value.operation for value in program.values)


def named(program, name):
    (value,) = [value for value in program.values if name in (value.name, value.hint)]
    return value


def test_invariants_are_computed_once():
    program = lifted(tg.record(loss, x), (x,))
    transposes = [value for value in program.values if value.operation == "transpose"]
    assert [value.span is None for value in transposes] == [False, False]
    passes.invariants(program)
    assert [value.span is None for value in transposes] == [True, True]


def test_a_running_sum_becomes_a_total_and_one_that_is_read_at_each_step_does_not():
    def read_on_the_way(x):
        L, found = 0, []
        for h in states(x):
            L = L + h.sum()
            found.append(L)
        return tg.stack(found).max()

    for model, sums in ((loss, 0), (read_on_the_way, 1)):
        program = lifted(tg.record(model, x), (x,))
        passes.totals(program)
        assert operations(program)["total"] == 1 - sums
        assert len(cycles(program.values)) == 1 + sums


def test_a_sum_of_two_terms_less_a_third_is_three_totals():
    def model(x):
        L = 1.0
        for h in states(x):
            L = L + h.sum() + (h * h).sum()
            L = L - h.mean()
        return L

    program = lifted(tg.record(model, x), (x,))
    passes.totals(program)
    assert operations(program)["total"] == 3
    assert operations(program)["negative"] == 1
    assert len(cycles(program.values)) == 1


def test_what_goes_into_a_named_activation_is_called_a():
    program = lifted(tg.record(loss, x), (x,))
    before_gradients(program)
    assert named(program, "a").operation == "add"
    differentiate(program)
    assert named(program, "da")


def test_plain_slopes_have_no_guards():
    before, after, _ = before_and_after(passes.plain_slopes, lambda x: tg.sqrt(sum((h * h).sum() for h in states(x))))
    assert before["isfinite"] == before["where"] == 1
    assert after["isfinite"] == after["where"] == 0


def test_copies_and_sums_of_one_term_are_gone():
    before, after, _ = before_and_after(passes.copies)
    assert before["same"] > 0
    assert after["same"] == after["add"] == 0


def test_numbers_are_computed_beforehand():
    before, after, program = before_and_after(passes.numbers, lambda x: sum((h * h).mean() / 4 for h in states(x)))
    assert before["divide"] > after["divide"]
    factors = {v.constant for v in program.values if v.operation == "constant" and not v.shape}
    assert 1 / 24 in factors


def test_transposes_of_transposes_are_gone():
    before, after, _ = before_and_after(passes.transposes)
    assert before["transpose"] > after["transpose"]


def test_what_numpy_stretches_by_itself_is_not_stretched_before():
    before, after, _ = before_and_after(passes.broadcasts, lambda x: sum((h.sum(axis=1) ** 2).sum() for h in states(x)))
    assert before["broadcast_to"] >= after["broadcast_to"]


def with_bias(x):
    h, b = np.zeros(x.shape[1:]), W[0]
    for x_t in x:
        h = tg.tanh(h @ W.T + b + x_t @ U.T)
    return h.sum()


def test_a_sum_within_a_sum_is_one_sum():
    before, after, program = before_and_after(passes.sums, with_bias)
    assert before["plus"] - after["plus"] == 1
    assert len(named(program, "a").reads) == 3


def test_gradients_of_all_parts_of_an_array_are_put_together():
    P = tg.Parameter(np.random.default_rng(3).normal(size=(9, 3)))

    def gated(x):
        h = np.zeros(x.shape[1:])
        for x_t in x:
            z, f, n = tg.split(h @ P.T, 3, axis=1)
            h = tg.sigmoid(f) * h + tg.sigmoid(z) * tg.tanh(n + x_t)
        return (h * h).sum()

    before, after, _ = before_and_after(passes.slices, gated)
    assert (before["scatter"], before["concatenate"]) == (3, 0)
    assert (after["scatter"], after["concatenate"]) == (0, 1)


def test_what_is_computed_twice_is_computed_once():
    before, after, _ = before_and_after(passes.common)
    assert before["multiply"] - after["multiply"] == 1  # h · h, for the loss and for the slope of tanh


def test_the_gradient_of_a_matrix_is_one_product_over_all_steps():
    before, after, program = before_and_after(passes.contractions)
    assert before["contract"] == 0
    assert after["contract"] == 2
    assert {str(read.value.shape) for read in program.gradients.values()} == {"(3, 3)"}
    assert after["total"] == 1  # the loss


def test_the_gradient_from_the_next_step_gets_a_name():
    _, _, program = before_and_after(passes.next_steps)
    assert named(program, "dh_next").operation == "matmul"


def test_views_are_made_again_outside_of_the_loop():
    model, arguments = CATALOGUE["attention"].example()
    step = tg.compile(model, *arguments)
    in_loops = {value for cycle in cycles(step.programs[0].program.values) for value in cycle}
    stored = {value for loop in step.programs[0].source.loops for value in loop.stored}
    assert not {v for v in stored if v.operation in passes.REARRANGING and v.reads[0].value in in_loops and not v.name}


def test_what_is_on_no_cycle_is_added_up_beforehand():
    _, _, program = before_and_after(passes.reassociate, with_bias)
    (a,) = [value for value in program.values if value.hint == "a"]
    assert [len(read.value.reads) for read in a.reads] == [2, 2]
    on_cycle = {value for cycle in cycles(program.values) for value in cycle}
    assert [read.value in on_cycle for read in a.reads] == [False, True]


def test_a_sequence_that_is_read_a_step_later_twice_is_put_together_once():
    model, arguments = CATALOGUE["pattern-4"].example()
    step = tg.compile(model, *arguments)
    assert step.source.count("y_before = np.concatenate") == 1
    assert step.source.count("y_before") == 3
