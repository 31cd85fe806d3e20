"""Which loops of the code run in step with each other, and in which direction: the time of each iteration."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from .circuit import Point
from .elements import index_read, is_turned_round, offset
from .groups import Group
from .naming import Loop
from .recorder import Step


class Clock(NamedTuple):
    """The time of a Python loop's iteration i in the circuit's loop `number`: sign · i + start."""

    number: int
    sign: int = 1
    start: int = 0


class Clocks:
    """Python loops are one loop of the circuit if one reads visit by visit what the other made.

    lengths  of the loops of the circuit, by their number
    of       for each Python loop: its clock
    """

    def __init__(self, groups: list[Group]):
        self.lengths: list[int] = []
        self.of = self._clocks(groups)

    def _clocks(self, groups: list[Group]) -> dict[Loop, Clock]:
        """Number the loops of the circuit: Python loops are one if one reads visit by visit what the other made."""
        of = {step: (group, point) for group in groups for step, point in zip(group.steps, group.points, strict=True)}
        self._part_directions(groups, of)
        extent: dict[Loop, int] = {}
        for group in groups:
            for loop, coordinates in zip(group.loops, zip(*group.points, strict=True), strict=True):
                extent[loop] = max(extent.get(loop, 0), max(coordinates) + 1)
        links: dict[Loop, list[tuple[Loop, int, int]]] = defaultdict(list)
        for group in groups:
            for a, b, sign, ahead in self._links(group, of):
                links[a].append((b, sign, ahead))
                links[b].append((a, sign, -sign * ahead))
            for outer, inner in self._triangles(group):
                links[outer].append((inner, 1, 0))
                links[inner].append((outer, 1, 0))
        directions = self._directions(groups, of)
        nested = {(a, b) for group in groups for a in group.loops for b in group.loops if a is not b}
        data = {group.loops[0] for group in groups if group.first.kind == "input" and group.loops}
        clocks: dict[Loop, Clock] = {}
        for loop in sorted(extent, key=lambda loop: -extent[loop]):
            if loop not in clocks:
                self._number(loop, extent, links, directions, data, nested, clocks)
        return self._in_order(groups, clocks)

    def _number(
        self,
        root: Loop,
        extent: dict[Loop, int],
        links: dict[Loop, list[tuple[Loop, int, int]]],
        directions: dict[Loop, int],
        data: set[Loop],
        nested: set[tuple[Loop, Loop]],
        clocks: dict[Loop, Clock],
    ) -> None:
        """Give the loops that run in step with a loop one number, and each its clock."""
        number, T = len(self.lengths), extent[root]
        self.lengths.append(T)
        clocks[root] = Clock(number)
        members = [root]
        for member in members:  # grows while it is walked
            for other in dict.fromkeys(loop for loop, *_ in links[member]):
                if other in clocks or (extent[other] != T and any((other, m) in nested for m in members)):
                    continue  # a window goes along time, but is no time
                near = [(sign, ahead) for loop, sign, ahead in links[member] if loop is other]
                sign = near[0][0] * clocks[member].sign
                n = extent[other]
                start = 0 if sign > 0 else n - 1
                if n < T:  # other's i is member's sign · i + ahead
                    c = clocks[member]
                    starts = [c.sign * ahead + c.start for s, ahead in near if s == near[0][0]]
                    first = min(starts) if member in data else max(starts)
                    low = first if sign > 0 else first - n + 1
                    start = max(0, min(low, T - n)) + (0 if sign > 0 else n - 1)
                clocks[other] = Clock(number, sign, start)
                members.append(other)
        wanted = next((directions[m] * clocks[m].sign for m in members if m in directions), 1)
        if wanted < 0:
            for member in members:
                clocks[member] = Clock(number, -clocks[member].sign, T - 1 - clocks[member].start)

    def _in_order(self, groups: list[Group], clocks: dict[Loop, Clock]) -> dict[Loop, Clock]:
        """The loops numbered in the order in which something first happens in them."""
        order = list(dict.fromkeys(clocks[loop].number for group in groups for loop in group.loops))
        self.lengths[:] = [self.lengths[number] for number in order]
        return {loop: clock._replace(number=order.index(clock.number)) for loop, clock in clocks.items()}

    def _links(self, group: Group, of: dict[Step, tuple[Group, Point]]) -> Iterable[tuple[Loop, Loop, int, int]]:
        """The loops of which it reads one step after another: (that loop, own loop, sign, ahead), where the own i-th
        iteration reads the other's iteration sign · i + ahead."""
        slots = range(min(len(step.inputs) for step in group.steps))
        found: dict[tuple[Loop, Loop, int, int], None] = {}
        for k, loop in enumerate(group.loops):
            pending = set(slots)
            for i, j in group.along(k):
                for slot in list(pending):
                    a, b = (of.get(group.steps[n].inputs[slot]) for n in (i, j))
                    if a is None or b is None or a[0] is not b[0]:
                        continue
                    moved = [m for m in range(len(a[1])) if a[1][m] != b[1][m]]
                    by = group.points[j][k] - group.points[i][k]
                    if moved and abs(b[1][moved[0]] - a[1][moved[0]]) == by:
                        m = moved[0]
                        sign = (b[1][m] - a[1][m]) // by
                        if a[0].loops[m] is not loop:
                            found[a[0].loops[m], loop, sign, a[1][m] - sign * group.points[i][k]] = None
                        pending.discard(slot)
        return found

    def _triangles(self, group: Group) -> Iterable[tuple[Loop, Loop]]:
        """Loops of which the inner one goes as far as the outer one has come, ``for s in range(t)``."""
        for k in range(1, len(group.loops)):
            furthest: dict[int, int] = {}
            for point in group.points:
                furthest[point[k - 1]] = max(furthest.get(point[k - 1], 0), point[k])
            if len(furthest) > 2 and len({t - s for t, s in furthest.items()}) == 1:
                yield group.loops[k - 1], group.loops[k]

    def _directions(self, groups: Iterable[Group], of: dict[Step, tuple[Group, Point]]) -> dict[Loop, int]:
        """Of loops along which elements of an array or a list are read: 1 if their numbers rise, -1 if they fall."""
        found: dict[Loop, int] = {}
        for group in groups:
            if len(group.loops) != 1 or len(group.steps) < 2:
                continue
            if group.first.kind == "input" and not group.first.iterations:
                found.setdefault(group.loops[0], 1)
            for x, y in zip(group.first.inputs, group.steps[1].inputs, strict=False):
                if x.kind == y.kind == "input" and x is not y and x in of and of[x][0] is of[y][0]:
                    rises = (of[x][1] < of[y][1]) == (group.points[0] < group.points[1])
                    found.setdefault(group.loops[0], 1 if rises else -1)
            if offset(group.steps) is not None:
                falls = index_read(group.steps[0]) > index_read(group.steps[1])
                falls = falls != is_turned_round(group.steps[0].inputs[0])
                falls = falls != (group.points[0] > group.points[1])
                found.setdefault(group.loops[0], -1 if falls else 1)
        return found

    def _part_directions(self, groups: list[Group], of: dict[Step, tuple[Group, Point]]) -> None:
        """Both directions of a network may be written in one Python loop. They are two loops of the circuit, if neither
        reads the other."""
        directions: dict[Loop, set[int]] = defaultdict(set)
        for group in groups:
            for loop, direction in self._directions([group], of).items():
                directions[loop].add(direction)
        for loop in [loop for loop, both in directions.items() if len(both) > 1]:
            members = [group for group in groups if group.loops[:1] == (loop,)]
            strands = {group: {group} for group in members}
            for group in members:
                for x in {x for step in group.steps for x in step.inputs if x in of}:
                    source, _ = of[x]
                    if source in strands and strands[source] is not strands[group]:
                        strands[source] |= strands[group]
                        for one in strands[group]:
                            strands[one] = strands[source]
            for strand in {min(map(members.index, found)): found for found in strands.values()}.values():
                if self._directions(strand, of).get(loop) == -1:
                    other = Loop(loop.site)
                    for group in strand:
                        group.loops = (other, *group.loops[1:])
