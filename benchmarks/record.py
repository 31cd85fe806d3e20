"""What a record costs: pattern I run as it is, run while it is recorded, and folded into its circuit."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from statistics import median

import numpy as np
from tqdm import tqdm

import tinygrad_rnn as tg
from tinygrad_rnn.tracing.fold import fold
from zoo.pattern_1 import Pattern1

from .measure import Table, paired, ratio

LENGTHS = 10, 100, 1000


def run(lengths: Sequence[int] = LENGTHS, B: int = 16, D: int = 32, H: int = 64, rounds: int = 7) -> Table:
    """Forward passes alone, then forward and backward passes, and the folds of their records."""
    table = Table(
        f"Recording pattern I, B {B}, D {D}, H {H}: milliseconds",
        ["T", "passes", "steps", "run", "recorded", "times as long", "fold"],
    )
    for T in tqdm(lengths, desc="record", leave=False):
        rng = np.random.default_rng(0)
        model = Pattern1(D, H, D, rng=rng)
        example = rng.normal(size=(T, B, D)), rng.integers(0, D, (T, B))
        for passes, eager, record in _passes(model, example):
            graph = record()
            timings = paired([eager, record, partial(fold, graph.steps, graph.outputs)], rounds)
            plain, recorded, folded = (median(column) * 1e3 for column in timings)
            table.rows.append([T, passes, len(graph), plain, recorded, ratio(timings[1], timings[0]), folded])
    table.notes.append("aim: recorded at most 3 times as long as run, 5 on Python 3.11; a fold linear in the steps")
    return table


def _passes(model: Pattern1, example: tuple) -> list[tuple]:
    return [
        ("forward", lambda: model(*example), lambda: tg.record(model, *example)),
        ("both", lambda: model(*example).backward(), lambda: tg.record(model, *example).backward()),
    ]
