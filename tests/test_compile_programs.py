"""The corpus of programs as people write them: each compiles to the engine's results, or is refused with the reason."""

import pytest
from compiling import agree, by_engine, by_program
from programs import PROGRAMS

import tinygrad_rnn as tg

NOT_YET = {
    "it is another object at each step": [
        "pairs-and-a-start",
        "next-token",
        "letters",
        "char-rnn",
        "bidirectional-by-index",
        "a-dict-by-day",
        "a-list-of-records",
        "language-model",
        "tagger",
        "classifier",
        "hidden-markov-model",
        "hidden-markov-model-with-scaling",
        "conditional-random-field",
        "seq2seq",
        "bidirectional-tagger",
    ],
    "a loop within a loop": [
        "a-sum-over-zip",
        "past-read-twice",
        "queries-keys-and-values",
        "hierarchical",
        "bahdanau",
        "dot-attention-in-a-loop",
        "causal-attention",
        "attention-over-own-past",
        "example-by-example",
        "examples-inside-time",
        "a-network-as-a-function",
    ],
    "only at every k-th step": [
        "every-second-of-a-loop",
        "a-slow-state-at-the-end",
        "clockwork",
        "every-third-output-counts",
    ],
    "a constant that is another one at each step": [
        "a-dict-of-lists",
        "numbered",
        "noise-drawn-beforehand",
        "clockwork-by-masks",
        "holt-winters",
        "padded",
    ],
    "it is told something else at each step": [
        "every-second-element",
        "two-elements-a-step",
        "a-window",
        "chunks",
        "convolution-then-rnn",
    ],
    "Python reads a number out of a tensor": [
        "greedy-decoding",
        "adaptive-computation",
        "until-it-settles",
        "beam-of-two",
    ],
    "at some steps and something else at others": [
        "a-list-of-coins",
        "warm-up",
        "scheduled-sampling",
    ],
    "does not give the model's results": [
        "truncated-by-a-counter",
        "slotted",
        "stateful-object",
        "two-objects-in-a-row",
        "truncated-by-detach",
    ],
    "no circuit|in a loop within a loop": [
        "ctc-cell-by-cell",
        "pointer-network",
    ],
    "its shape changes from step to step": [
        "key-value-cache",
    ],
    "does not read the elements of an array one by one": [
        "a-negative-index",
    ],
    "is not known": [
        "a-prompt-and-its-continuation",
    ],
    "at another pace": [
        "pyramid",
    ],
    "of another loop, step by step": [
        "echo-state",
    ],
    "the program fails": [
        "name-classifier",
    ],
    "it needs the gradient of an array of which it reads parts": [
        "ctc",
    ],
}
"""Which programs are refused, by the reason. The table only shrinks."""
REASON = {name: reason for reason, names in NOT_YET.items() for name in names if name in PROGRAMS}


@pytest.mark.parametrize("name", [name for name in PROGRAMS if name not in REASON])
def test_a_program_compiles_to_the_engines_results_at_two_lengths(name):
    model, *arguments = PROGRAMS[name].example(PROGRAMS[name].lengths[0])
    step = tg.compile(model, *arguments)
    for T in PROGRAMS[name].lengths:
        _, *others = PROGRAMS[name].example(T)
        agree(by_program(step, *others), by_engine(model, *others))


@pytest.mark.parametrize("name", REASON)
def test_a_program_is_refused_with_the_reason(name):
    model, *arguments = PROGRAMS[name].example(PROGRAMS[name].lengths[0])
    with pytest.raises(tg.CompileError, match=REASON[name]):
        tg.compile(model, *arguments)
