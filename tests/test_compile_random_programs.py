"""Random recurrent programs: compiled, they give the engine's loss and gradients at any length, or they are refused."""

import re

from compiling import agree, by_engine, by_program
from folding import compiled, sequence
from test_fold_random_nests import PROGRAMS, nests, tally
from test_fold_random_programs import written

import tinygrad_rnn as tg

CERTAIN = (
    "a constant that is another one at each step",  # noise, dropout
    "in a loop within a loop",
    "only at every k-th step",
    "it takes all steps of a loop",
    "its shape changes from step to step",
    "at another pace",
    "it is told something else at each step",
    "it does not read the elements of an array one by one",
    "is not known",
    "step by step",
    "what serves in place of its first steps",
    "no circuit: ",
)
"""Reasons for which a program may be refused. That its results were wrong is none."""


def outcome(program, lengths):
    """Whether it compiles; fails where a compiled program is wrong."""
    first, *others = lengths
    try:
        step = tg.compile(program, sequence(first))
    except tg.CompileError as refusal:
        (reason,) = [reason for reason in CERTAIN if reason in str(refusal)]
        return reason
    for T in (first, *others):
        agree(by_program(step, sequence(T, seed=1)), by_engine(program, sequence(T, seed=1)))
    return "compiled"


def outcomes(strategy, lengths, programs):
    return tally(strategy, lambda program: outcome(compiled(program.source), lengths(program)), programs)


def test_of_programs_with_lags_layers_and_directions_8_of_10_compile_and_none_is_wrong():
    found = outcomes(written(), lambda program: (program.shortest + 3, program.shortest + 8), PROGRAMS // 4)
    assert found["compiled"] >= 0.8 * found.total()


def test_of_programs_that_skip_steps_6_of_10_compile_and_none_is_wrong():
    found = outcomes(written(skips=True), lambda program: (program.shortest + 3, program.shortest + 8), PROGRAMS // 8)
    assert found["compiled"] >= 0.6 * found.total()


def test_of_nests_of_loops_none_is_wrong():
    over_arrays = nests().filter(lambda program: program.kind == "array" and not re.search(r":k \+ ", program.source))
    found = outcomes(over_arrays, lambda program: (8, 11), PROGRAMS // 10)
    assert found["compiled"]
