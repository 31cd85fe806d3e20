"""What the benchmarks share: paired timings, peak memory, tables."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np


@dataclass
class Table:
    """A result to print; `notes` say what the columns mean and what was not measured."""

    title: str
    columns: list[str]
    rows: list[list[Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        cells = [[_written(cell) for cell in row] for row in [self.columns, *self.rows]]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines = [
            "  ".join([first.ljust(widths[0]), *(c.rjust(w) for c, w in zip(rest, widths[1:], strict=True))]).rstrip()
            for first, *rest in cells
        ]
        return "\n".join([self.title, "─" * len(self.title), *lines, *self.notes])


def _written(cell: Any) -> str:
    """Three significant digits, without an exponent."""
    if isinstance(cell, float):
        return np.format_float_positional(cell, precision=3, fractional=False, trim="-")
    return "" if cell is None else f"{cell:,}" if isinstance(cell, int) else str(cell)


def seconds(run: Callable[[], Any]) -> float:
    start = perf_counter()
    run()
    return perf_counter() - start


def paired(ours: Callable[[], Any], peer: Callable[[], Any], pairs: int) -> list[tuple[float, float]]:
    """Seconds of both, in turn: whatever else the machine does meanwhile slows one as it slows the other."""
    ours(), peer()  # what is done only once, such as filling caches, does not count
    with settled():
        return [(seconds(ours), seconds(peer)) for _ in range(pairs)]


def times_as_long(timings: list[tuple[float, float]]) -> float:
    """How many times as long the second takes as the first: the median over the pairs."""
    return median(second / first for first, second in timings)


@contextmanager
def settled() -> Iterator[None]:
    """The garbage collector runs as usual, but does not look at what was there before the measurement."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def peak_bytes(run: Callable[[], Any]) -> int:
    """The most memory, of Python and NumPy together, that `run` holds at one time beyond what there was before."""
    gc.collect()
    tracemalloc.start()
    try:
        run()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def exponent(sizes: list[int], figures: list[float]) -> float:
    """p of the power law, figure ∝ sizeᵖ, that fits best."""
    return float(np.polyfit(np.log(sizes), np.log(figures), 1)[0])
