"""A chain of 100,000 operations: the time and memory of each must not depend on how many there are."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from statistics import median
from typing import Any

import numpy as np
from tqdm import tqdm

import tinygrad_rnn as tg

from .measure import Table, exponent, peak_bytes, seconds, settled

LENGTHS = 10_000, 30_000, 100_000


def chain(x: tg.Tensor, length: int) -> tg.Tensor:
    """x · 0.99999 · 0.99999 · …"""
    y = x
    for _ in range(length):
        y = y * 0.99999
    return y


def run(lengths: Sequence[int] = LENGTHS, rounds: int = 5) -> Table:
    table = Table(
        "A chain of operations: microseconds for each",
        ["operations", "forward", "backward", "freeing", "in all, s", "peak MB", "bytes for each"],
    )
    for length in tqdm(lengths, desc="chain", leave=False):
        timings = [_phases(length) for _ in range(rounds)]
        forward, backward, freeing = (median(phase) for phase in zip(*timings, strict=True))
        peak = peak_bytes(partial(_train, length))
        parts = [phase / length * 1e6 for phase in (forward, backward, freeing)]
        table.rows.append([length, *parts, forward + backward + freeing, peak / 2**20, peak / length])
    p = exponent(lengths, [row[4] for row in table.rows])
    table.notes.append(f"time in all ∝ operations^{p:.2f}; aim: 1, linear")
    return table


def _start() -> tg.Tensor:
    return tg.Tensor(np.ones(8), requires_grad=True)


def _train(length: int) -> None:
    chain(_start(), length).sum().backward()


def _phases(length: int) -> tuple[float, float, float]:
    """Seconds for the chain, its backward pass, and giving its memory back."""
    made: list[Any] = []
    x = _start()
    with settled():
        return (
            seconds(lambda: made.append(chain(x, length).sum())),
            seconds(lambda: made[0].backward()),
            seconds(made.clear),
        )
