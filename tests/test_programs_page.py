"""Every program of docs/programs.md folds, unfolds at another length, and has the equations that stand under it."""

import re
from dataclasses import dataclass, replace
from functools import reduce
from pathlib import Path
from textwrap import dedent, indent
from types import SimpleNamespace

import numpy as np
import pytest
from equations_checked import holds
from folding import compiled, same_at_other_lengths

import tinygrad_rnn as tg
import viz

TEXT = (Path(__file__).parent.parent / "docs" / "programs.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)\n```", TEXT, flags=re.DOTALL)
PROGRAMS = {program.splitlines()[0]: program for block in BLOCKS for program in block.split("\n\n")}
"""Each by its first line."""

KNOWN_FOR_ONE_LENGTH = {"o = np.zeros(4)"}


def arguments(T):
    """What the page says the programs are given."""
    rng = np.random.default_rng(0)
    x, y, xs, ys, days, queue = rng.normal(size=(6, T, 4))
    tokens, tags = rng.integers(5, size=T).tolist(), rng.integers(4, size=T).tolist()
    return {
        "x": x, "y": y, "xs": list(xs), "ys": list(ys), "pairs": list(zip(xs, ys, strict=True)), "queue": list(queue),
        "days": {f"day {t}": day for t, day in enumerate(days)}, "X": rng.normal(size=(2, T, 4)), "tokens": tokens,
        "tags": tags, "k": [0, 1, 2, 1, 1, 4, 0, 3, 5, 2, 2, 2][:T], "coins": [0, 1, 1, 0, 1, 0, 0, 1, 1, 0, 1, 1][:T],
    }  # fmt: skip


def parameters():
    rng = np.random.default_rng(1)

    def parameter(*shape):
        return tg.Parameter(rng.normal(size=shape) / 2)

    matrices = {name: parameter(4, 4) for name in ("A", "U", "V", "W", "Uz", "Wz", "Ur", "Wr")}
    others = {
        "E": parameter(5, 4),
        "B": parameter(4, 5),
        "P": parameter(16, 8),
        "K": parameter(3, 4, 4),
        "b": parameter(4),
    }
    layers = [(parameter(4, 4), parameter(4, 4)) for _ in range(2)]
    return {**matrices, **others, "layers": layers, "parameter": parameter}


def recorded(program, T):
    """The record of a program as the body of a function that returns L or, if it adds nothing to that, h."""
    program = re.sub("^#.*\n?", "", program, flags=re.MULTILINE)
    given = {name: value for name, value in arguments(T).items() if re.search(rf"\b{name}\b", program)}
    start = "h = c = np.zeros(4)\nH, L = np.zeros((2, 4)), 0\n"
    body = f"{start}{program}\nreturn L if isinstance(L, tg.Tensor) else h.sum()\n"
    function = compiled(f"def program({', '.join(given)}):\n{indent(body, '    ')}")
    known = {"dataclass": dataclass, "replace": replace, "reduce": reduce, "SimpleNamespace": SimpleNamespace}
    function.__globals__.update(known | parameters(), sigmoid=tg.sigmoid, softmax=tg.softmax)
    return tg.record(function, *given.values())


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_has_the_equations_that_stand_under_it(program):
    graph = recorded(PROGRAMS[program], 9)
    shown = re.findall(r"^# (.*)$", PROGRAMS[program], flags=re.MULTILINE)
    assert shown
    lines = viz.equations(graph).splitlines()
    assert [line for line in shown if line not in lines] == []
    assert holds(graph)


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_has_one_circuit_for_all_lengths(program):
    short, long = (recorded(PROGRAMS[program], T) for T in (9, 12))
    assert viz.circuit(short).source
    if program in KNOWN_FOR_ONE_LENGTH:
        with pytest.raises(tg.FoldError, match="known for the recorded length only"):
            short.fold().unfold(12)
        with pytest.raises(tg.FoldError, match="no gradient reaches it at steps"):
            short.backward().fold()
    else:
        same_at_other_lengths(short.fold(), long.fold())
        assert holds(short.backward(), "backward")
        same_at_other_lengths(short.backward().fold(), long.backward().fold())


def test_the_refusal_is_what_the_program_before_it_gets():
    ((program, refusal),) = re.findall(r"((?:^    .*\n)+)\n    (no circuit: .*\n.*)\n", TEXT, flags=re.MULTILINE)
    with pytest.raises(tg.FoldError) as refused:
        recorded(dedent(program).rstrip(), 9).fold()
    assert " ".join(refusal.split()) == " ".join(str(refused.value).split("   ")[0].split())


def test_the_page_shows_at_least_forty_programs():
    assert len(PROGRAMS) == sum(block.count("\n\n") + 1 for block in BLOCKS) >= 40
