"""A claim: something that is said of a model, and the experiment that shows whether it is so."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np

Step = TypeVar("Step")


class Progress(Protocol):
    """What an experiment goes through its steps with, so that they are seen to pass.

    ``for step in progress(range(1000), "pattern I"): …`` is ``for step in range(1000): …`` with a progress bar.
    """

    def __call__(self, steps: Iterable[Step], what: str = "") -> Iterable[Step]: ...


@dataclass(frozen=True)
class Claim:
    """A claim, of which one figure decides.

    name       on the command line: "fair-bits-pattern-1"
    statement  what is said, in a sentence
    source     where the figure to reach is from: "derived", "published: Jaeger 2001", "reached before"
    reach      the figure to reach, as text: "< 0.01"
    measure    ``measure(seed, quick, progress)`` is the figure for a seed, the same for the same seed
    holds      whether the figures of all seeds are as said; of a figure that is NaN nothing holds
    quick      whether it is also measured, with fewer steps or smaller, where all must be quick
    unit       of both figures: "nats a step", "of the sequences"
    tried      what was tried, of a claim that is known to fall short
    """

    name: str
    statement: str
    source: str
    reach: str
    measure: Callable[[int, bool, Progress], float]
    holds: Callable[[list[float]], bool]
    quick: bool = False
    unit: str = ""
    tried: str = ""


def worst(errors: Iterable[float]) -> float:
    """The largest; NaN if one is NaN, which the built-in max may pass over."""
    return float(np.max(list(errors)))


def below(limit: float) -> Callable[[list[float]], bool]:
    """Every figure is below the limit."""
    return lambda figures: all(figure < limit for figure in figures)


def at_least(limit: float) -> Callable[[list[float]], bool]:
    """Every figure is the limit or above."""
    return lambda figures: all(figure >= limit for figure in figures)


def above(limit: float) -> Callable[[list[float]], bool]:
    """Every figure is above the limit."""
    return lambda figures: all(figure > limit for figure in figures)
