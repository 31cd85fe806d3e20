"""What the benchmarks share: paired timings, peak memory, tables."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import median
from time import process_time
from typing import Any

import numpy as np

LEAST = 0.02  # seconds: what is shorter is run several times for one timing


@dataclass
class Table:
    """A result to print; `notes` say how it was measured, what was not, and what was aimed at."""

    title: str
    columns: list[str]
    rows: list[list[Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        cells = [[_written(cell) for cell in row] for row in [self.columns, *self.rows]]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines = ["  ".join(c.rjust(width) for c, width in zip(row, widths, strict=True)) for row in cells]
        return "\n".join([self.title, "─" * len(self.title), *lines, *self.notes])


def _written(cell: Any) -> str:
    """Numbers with three significant digits, without an exponent."""
    if cell is None:
        return "–"
    if isinstance(cell, float):
        return np.format_float_positional(cell, precision=3, fractional=False, trim="-")
    return f"{cell:,}" if isinstance(cell, int) else str(cell)


def seconds(run: Callable[[], Any], times: int = 1) -> float:
    """Processor time of one run: unlike the clock on the wall it does not count what other programs take."""
    start = process_time()
    for _ in range(times):
        run()
    return (process_time() - start) / times


def paired(runs: Sequence[Callable[[], Any]], rounds: int) -> list[list[float]]:
    """Seconds of each, `rounds` times in turn, so that what slows the machine for a while slows all alike."""
    for run in runs:
        run()  # what is done only once, such as filling caches, does not count
    with settled():
        times = [max(1, round(LEAST / max(seconds(run), 1e-9))) for run in runs]
        timings = [[seconds(run, n) for run, n in zip(runs, times, strict=True)] for _ in range(rounds)]
    return [list(column) for column in zip(*timings, strict=True)]


def ratio(numerators: Sequence[float], denominators: Sequence[float]) -> float:
    """The median of the ratios, round by round."""
    return median(a / b for a, b in zip(numerators, denominators, strict=True))


@contextmanager
def settled() -> Iterator[None]:
    """The garbage collector runs as always, but does not look at what was there before the measurement."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def peak_bytes(run: Callable[[], Any]) -> int:
    """The most memory, of Python and NumPy together, that `run` holds at any time, beyond what there was before."""
    gc.collect()
    tracemalloc.start()
    try:
        run()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def exponent(sizes: Sequence[float], figures: Sequence[float]) -> float:
    """The p of the power law, figure ∝ sizeᵖ, that fits best."""
    return float(np.polyfit(np.log(sizes), np.log(figures), 1)[0])


def growth(sizes: Sequence[float], figures: Sequence[float]) -> tuple[float, float, float]:
    """(a, b, p): the a + b sizeᵖ that fits best, p to two decimals: a power law with a constant part."""

    def fit(p: float) -> tuple[float, float, float, float]:
        powers = np.asarray(sizes, float) ** p
        b, a = np.polyfit(powers, figures, 1)
        return float(np.sum(((a + b * powers) / figures - 1) ** 2)), float(a), float(b), p

    return min(fit(p / 100) for p in range(5, 200))[1:]
