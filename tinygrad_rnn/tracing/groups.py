"""The steps of a place in the code, with the loops around it and the point of each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from itertools import pairwise

from .circuit import Point
from .naming import Loop
from .recorder import Step


class Group:
    """Steps from one place, with the loops around it and the point of each step.

    fixed  loops that it is in, in one iteration only
    """

    def __init__(self, steps: Sequence[Step], loops: tuple[Loop, ...] = (), points: Sequence[Point] | None = None):
        self.loops = loops
        self.points: list[Point] = list(points) if points is not None else [()] * len(steps)
        self.steps = list(steps)
        self.fixed: tuple[tuple[Loop, int], ...] = ()

    def divided(self, key: Callable[[Step], Hashable]) -> list[Group]:
        parts: dict[Hashable, list[int]] = defaultdict(list)
        for i, step in enumerate(self.steps):
            parts[key(step)].append(i)
        if len(parts) == 1:
            return [self]
        return [
            Group([self.steps[i] for i in part], self.loops, [self.points[i] for i in part]) for part in parts.values()
        ]

    def along(self, k: int) -> Iterable[tuple[int, int]]:
        """Pairs of visits, by their numbers, that follow each other along an axis and agree along the others."""
        lines: dict[Point, list[tuple[int, int]]] = defaultdict(list)
        for i, point in enumerate(self.points):
            lines[point[:k] + point[k + 1 :]].append((point[k], i))
        for line in lines.values():
            line.sort()
            for (_, i), (_, j) in pairwise(line):
                yield i, j

    def iterations(self, loop: Loop) -> set[int]:
        """In which iterations of a loop it happens."""
        if loop in self.loops:
            k = self.loops.index(loop)
            return {point[k] for point in self.points}
        return {i for outer, i in self.fixed if outer is loop}

    @property
    def first(self) -> Step:
        return self.steps[0]
