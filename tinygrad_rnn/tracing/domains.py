"""In which steps of its loops a component happens, said so that it holds for loops of any length."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from itertools import pairwise

from .circuit import Axis, Bound, Point

Domain = tuple[list[Point], tuple[Axis, ...], int]
"""The points of a component, its axes, and `without`."""


class Domains:
    """Finds the rule that points follow, in loops with these lengths.

    strides  pairs of a loop and a stride along it that need no more evidence
    """

    def __init__(self, lengths: Sequence[int], strides: Collection[tuple[int, int]] = ()):
        self.lengths, self.strides = lengths, strides

    def of(
        self, points: list[Point], loops: Sequence[int], parts: int = 3, with_ends: bool = True
    ) -> list[Domain] | None:
        """Points as those of one component, or of at most so many parts.

        with_ends  whether those at an end of a loop may be a part
        """
        whole = self._domain(points, loops)
        if whole is not None or parts == 1:
            return whole and [whole]
        for edge in ends(points) if with_ends else ():
            rest = [point for point in points if point not in edge]
            main = self._domain(rest, loops) if len(rest) > len(edge) else None
            others = self.of(sorted(edge), loops, parts - 1) if main else None
            if main and others:
                return [main, *others]
        for k in range(len(loops)):
            for many in range(2, min(parts + 1, self.lengths[loops[k]] // 3) + 1):  # all but every k-th
                phases = [[point for point in points if point[k] % many == i] for i in range(many)]
                if any(0 < len(phase) < 3 for phase in phases):
                    continue
                domains = [self._domain(phase, loops) for phase in phases if phase]
                if 1 < len(domains) <= parts and all(domains):
                    return [domain for domain in domains if domain]
        return None

    def _domain(self, points: list[Point], loops: Sequence[int]) -> Domain | None:
        """Points as those of one component: perhaps all but one corner."""
        axes = self._axes(points, loops)
        if axes is not None:
            return points, axes, 0
        if len(loops) < 2:
            return None
        *outer, first = points[0]
        *inner, last = points[-1]
        for end, missing in (
            (1, tuple(map(min, zip(*points, strict=True)))),
            (1, (*outer, first - 1)),
            (-1, tuple(map(max, zip(*points, strict=True)))),
            (-1, (*inner, last + 1)),
        ):
            if missing not in points and (axes := self._axes(sorted([*points, missing]), loops)):
                return points, axes, end
        return None

    def _axes(self, points: list[Point], loops: Sequence[int]) -> tuple[Axis, ...] | None:
        """The loops that a component is in, and in which of their steps it happens."""
        axes: list[Axis] = []
        for k, loop in enumerate(loops):
            axis = self._axis(loop, lines(points, k))
            if axis is None:
                return None
            axes.append(axis)
        return tuple(axes)

    def _axis(self, loop: int, times: dict[Point, list[int]]) -> Axis | None:
        T = self.lengths[loop]
        strides = {b - a for found in times.values() for a, b in pairwise(found)}
        step = strides.pop() if len(strides) == 1 else 1
        known = (loop, step) in self.strides
        if strides or step < 1:
            return None
        if step > 1 and any(f[-1] + step * (1 + (known or len(f) > 2)) < T for f in times.values()):
            return None
        if len(times) == 1 or len({(found[0], found[-1]) for found in times.values()}) == 1:
            found = next(iter(times.values()))
            return Axis(loop, *_bounds(found[0], found[-1] + 1, T, step), step)
        start = self._bound({outer: found[0] for outer, found in times.items()}, T, 0)
        stop = self._bound({outer: found[-1] + 1 for outer, found in times.items()}, T, T)
        return None if start is None or stop is None else Axis(loop, start, stop, step)

    def _bound(self, ends: dict[Point, int], T: int, limit: int) -> Bound | None:
        """Where an inner loop begins or ends, which may move with a loop around it until it comes to the limit."""
        values = set(ends.values())
        if len(values) == 1:
            value = values.pop()
            return Bound(value - T, True) if 2 * value > T else Bound(value)
        for k in range(len(next(iter(ends)))):
            for slope in (1, -1):
                moved = [value - slope * outer[k] for outer, value in ends.items() if value != limit]
                if len(set(moved)) == 1 < len(moved):
                    offset = moved[0]
                    bound = Bound(offset - T, True, slope, k) if 2 * offset > T else Bound(offset, False, slope, k)
                    if all(sorted((0, bound.at(T, outer), T))[1] == value for outer, value in ends.items()):
                        return bound
        return None


def is_near(bound: Bound, T: int) -> bool:
    """Whether a bound is so near to one end of a loop that it is counted from there, and is no half of it, say."""
    distance = abs(bound.offset)
    return distance <= 2 or 5 * distance < 2 * T


def lines(points: Iterable[Point], k: int) -> dict[Point, list[int]]:
    """The coordinates along an axis, by those along the axes around it."""
    lines: dict[Point, dict[int, None]] = defaultdict(dict)
    for point in points:
        lines[point[:k]][point[k]] = None
    return {outer: list(line) for outer, line in lines.items()}


def ends(points: Sequence[Point]) -> Iterable[set[Point]]:
    """The points at each end of each axis, of the whole or of every line along it."""
    for k in range(len(points[0])):
        for end in (max, min):
            edge = end(point[k] for point in points)
            yield {point for point in points if point[k] == edge}
            last = {outer: end(line) for outer, line in lines(points, k).items()}
            yield {point for point in points if point[k] == last[point[:k]]}


def _bounds(start: int, stop: int, T: int, step: int) -> tuple[Bound, Bound]:
    """Where steps from `start` on begin and end, for a loop of any length.

    A short run is counted from its nearer end, a long one as all but the ends.
    """
    after = T - stop
    if step > 1:
        return Bound(start), Bound(min(0, stop - 1 + step - T), True)
    if 2 * (stop - start) < T:
        if start <= after:
            return Bound(start), Bound(stop)
        return Bound(start - T, True), Bound(-after, True)
    return Bound(start), Bound(-after, True)
