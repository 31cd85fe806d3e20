"""What each loop around a place in the code is: an axis, such as time; copies, such as layers; or joined with another.

an axis    time, say: the place is one component, and the coordinate is when it happened
copies     a list of layers, each with its own weights; a fixed number of rounds within a step: each iteration is
           a place of its own
joined     two loops one within the other that go through one sequence, as chunks of it: they are one axis
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise

from ..autodiff.sites import is_engine
from .circuit import Point
from .elements import is_data, moved
from .groups import Group
from .naming import Loop
from .recorder import Step

COPIES = 16
"""An inner loop of a fixed count is drawn as copies up to this many iterations."""


class LoopRoles:
    """Decides what each loop is."""

    def __init__(self, places: list[Group], joined: bool):
        self.places, self.joined = places, joined
        self.around = {loop: set(place.loops[:k]) for place in places for k, loop in enumerate(place.loops)}
        self._drop_what_ran_once()
        self.of = {step: (place, i) for place in places for i, step in enumerate(place.steps)}
        self.members: dict[Loop, list[tuple[Group, int]]] = defaultdict(list)
        for place in places:
            for k, loop in enumerate(place.loops):
                self.members[loop].append((place, k))
        self.modules: dict[tuple, list[Group]] = defaultdict(list)
        for place in places:
            self.modules[place.first.site, place.first.operation].append(place)
        self.axes: set[Loop] = set()
        # where every place is in one iteration only, each iteration has places of its own
        self.copies = {loop for place in places for loop, _ in place.fixed if loop not in self.members}
        self._copies_of: dict[tuple[Loop, tuple], Loop] = {}

    def groups(self) -> list[Group]:
        pending = sorted(self.members, key=lambda loop: min(k for _, k in self.members[loop]))
        if self.joined:
            for loop in pending:
                self._join(loop)
            pending = [loop for loop in pending if loop in self.members]
        self.in_turn = {loop: self._sources_in_turn(loop) for loop in pending}
        self.wanted = {source for sources in self.in_turn.values() for source in sources}
        read = {x for place in self.places for step in place.steps for x in step.inputs}
        self.wanted |= {
            loop for loop in pending if not any(step in read for place, _ in self.members[loop] for step in place.steps)
        }
        for loop in pending:
            (self.axes if self._is_axis(loop) else self.copies).add(loop)
        # the iterator of an array, in the engine, is what the loop is that goes through it
        iterators = {s for loop in self.axes for s in self.in_turn[loop] & self.copies if is_engine(s.site.code)}
        self.axes |= iterators
        self.copies -= iterators
        return [part for place in self.places for part in self._without_copies(place)]

    def _drop_what_ran_once(self) -> None:
        """Forget the loops that ran once; of each place also those in which it happened in one iteration only."""
        seen: dict[Loop, set[int]] = defaultdict(set)
        for place in self.places:
            extents = [set(coordinates) for coordinates in zip(*place.points, strict=True)]
            which = [k for k, extent in enumerate(extents) if len(extent) > 1]
            for loop, extent in zip(place.loops, extents, strict=True):
                seen[loop] |= extent
            fixed = zip(place.loops, place.points[0], extents, strict=True)
            place.fixed = tuple((loop, i) for loop, i, extent in fixed if len(extent) == 1)
            place.loops = tuple(place.loops[k] for k in which)
            place.points = [tuple([point[k] for k in which]) for point in place.points]
        for place in self.places:
            place.fixed = tuple((loop, i) for loop, i in place.fixed if len(seen[loop]) > 1)

    def _without_copies(self, place: Group) -> list[Group]:
        """A place for each iteration of the loops that are copies, whose inner loops are loops of their own."""
        around = tuple((loop, i) for loop, i in place.fixed if loop in self.copies)
        which = [k for k, loop in enumerate(place.loops) if loop in self.copies]
        if not which and not around:
            return [place]
        of = dict(zip(place.steps, place.points, strict=True))
        kept = [k for k in range(len(place.loops)) if k not in which]
        found = []
        for part in place.divided(lambda step: tuple(of[step][k] for k in which)):
            copied = around + tuple((place.loops[k], part.points[0][k]) for k in which)
            loops = [self._copied(place.loops[k], copied) for k in kept]
            found.append(Group(part.steps, tuple(loops), [tuple([point[k] for k in kept]) for point in part.points]))
        return found

    def _copied(self, loop: Loop, around: tuple[tuple[Loop, int], ...]) -> Loop:
        """A loop as it is in one iteration of those around it that are copies."""
        around = tuple((outer, i) for outer, i in around if outer in self.around[loop])
        return self._copies_of.setdefault((loop, around), Loop(loop.site, loop.repeats) if around else loop)

    # -- what a loop is ------------------------------------------------------------------------------------

    def _is_axis(self, loop: Loop) -> bool:
        inner = any(not self.copies.issuperset(place.loops[:k]) for place, k in self.members[loop])
        if self._has_weights_of_its_own(loop, inner):
            return False
        count = self._count(loop)
        sources = [s for s in self.in_turn[loop] if s in self.axes and not (inner and 2 * count < self._count(s))]
        if sources:
            return True
        if not inner and self._reads_different_places(loop):
            return False
        if not inner:
            return loop in self.wanted or not (loop.repeats or is_engine(loop.site.code))
        return self._is_uneven(loop) or self._reads_data(loop) or count > COPIES

    def _has_weights_of_its_own(self, loop: Loop, inner: bool) -> bool:
        """Whether every iteration has parameters, or modules, of its own; of an inner loop: whether some differ."""
        for place, k in self.members[loop]:
            of: dict[int, set] = defaultdict(set)
            for alike in self.modules[place.first.site, place.first.operation]:
                for i in alike.iterations(loop):
                    of[i].add(alike.first.module)
            if _differs(of, inner):
                return True
            for slot in range(min(len(step.inputs) for step in place.steps)):
                if all(step.inputs[slot].kind == "parameter" for step in place.steps):
                    of = defaultdict(set)
                    for step, point in zip(place.steps, place.points, strict=True):
                        of[point[k]].add(step.inputs[slot])
                    if _differs(of, inner):
                        return True
        return False

    def _sources_in_turn(self, loop: Loop) -> set[Loop]:
        """Loops whose steps something in this loop reads one after another."""
        found: set[Loop] = set()
        for place, k in self.members[loop]:
            slots = range(min(len(step.inputs) for step in place.steps))
            for i, j in list(place.along(k))[:64]:
                for slot in slots:
                    a, b = (self.of.get(place.steps[n].inputs[slot]) for n in (i, j))
                    if a is None or b is None or a[0] is not b[0] or a[0] is place:
                        continue
                    source = a[0]
                    p, q = source.points[a[1]], source.points[b[1]]
                    moved = [m for m in range(len(p)) if p[m] != q[m]]
                    by = place.points[j][k] - place.points[i][k]
                    if len(moved) == 1 and abs(p[moved[0]] - q[moved[0]]) == by and source.loops[moved[0]] is not loop:
                        found.add(source.loops[moved[0]])
        return found

    def _reads_different_places(self, loop: Loop) -> bool:
        """Whether something in it reads another place in every iteration: it goes through a list of a few things."""
        for place, k in self.members[loop]:
            n = len({point[k] for point in place.points})
            for slot in range(min(len(step.inputs) for step in place.steps)):
                sources = [self.of[step.inputs[slot]][0] for step in place.steps if step.inputs[slot] in self.of]
                outside = {source for source in sources if loop not in source.loops}
                if len(outside) == n > 1:
                    return True
        return False

    def _is_uneven(self, loop: Loop) -> bool:
        """Whether an inner loop is longer at some steps of the loops around it than at others."""
        for place, k in self.members[loop]:
            ranges: dict[Point, list[int]] = defaultdict(list)
            for point in place.points:
                ranges[point[:k]].append(point[k])
            if len(set(map(tuple, map(sorted, ranges.values())))) > 1:
                return True
        return False

    def _reads_data(self, loop: Loop) -> bool:
        """Whether the elements of an input are read along it, or inputs one after another."""
        for place, k in self.members[loop]:
            is_element = place.first.operation is not None and place.first.operation.name == "getitem"
            if is_element and all(is_data(step.inputs[0]) for step in place.steps):
                moves = {moved(place.steps[i], place.steps[j]) for i, j in place.along(k)}
                if len(moves) == 1 and None not in moves and not self._is_window(place, k):
                    return True
            for slot in range(min(len(step.inputs) for step in place.steps)):
                if all(step.inputs[slot].kind == "input" for step in place.steps):
                    pairs = [(place.steps[i].inputs[slot], place.steps[j].inputs[slot]) for i, j in place.along(k)]
                    if all(a is not b and a.shape == b.shape for a, b in pairs):
                        return True
        return False

    def _is_window(self, place: Group, k: int) -> bool:
        """Whether an inner loop goes through a few of the elements of a longer array."""
        i, j = next(iter(place.along(k)))
        first, second = place.steps[i], place.steps[j]
        indices = zip(first.attributes["index"], second.attributes["index"], strict=True)
        axis = next(n for n, (p, q) in enumerate(indices) if repr(p) != repr(q))
        return 2 * self._count(place.loops[k]) < first.inputs[0].shape[axis]

    def _count(self, loop: Loop) -> int:
        return max(len({point[k] for point in place.points}) for place, k in self.members[loop])

    # -- loops that are one axis -----------------------------------------------------------------------------

    def _join(self, inner: Loop) -> None:
        """Make one axis of a loop and the one around it, if elements of one array are read through both."""
        for place, k in self.members[inner]:
            if k == 0 or not self._goes_through(place, k):
                continue
            outer = place.loops[k - 1]
            members = [(p, m) for p, m in self.members[inner] if m and p.loops[m - 1] is outer]
            if len(members) < len(self.members[inner]):
                continue
            pairs = sorted({point[m - 1 : m + 1] for p, m in members for point in p.points})
            number = {pair: i for i, pair in enumerate(pairs)}
            for p, m in members:
                p.loops = (*p.loops[: m - 1], inner, *p.loops[m + 1 :])
                p.points = [(*at[: m - 1], number[at[m - 1 : m + 1]], *at[m + 1 :]) for at in p.points]
            self.members[outer] = [(p, m) for p, m in self.members[outer] if outer in p.loops]
            if not self.members[outer]:
                del self.members[outer]
            for loop in list(self.members):
                self.members[loop] = [(p, p.loops.index(loop)) for p, _ in self.members[loop]]
            return

    def _goes_through(self, place: Group, k: int) -> bool:
        lines: dict[Point, list[tuple[Point, int]]] = defaultdict(list)
        for i, point in enumerate(place.points):
            lines[point[: k - 1] + point[k + 1 :]].append((point[k - 1 : k + 1], i))
        for line in lines.values():
            order = [place.steps[i] for _, i in sorted(line)]
            if not _one_after_another(order, self.of) or not _has_several_both_ways(point for point, _ in line):
                return False
        return True


def _differs(of: dict[int, set], inner: bool) -> bool:
    """By iteration: whether each has one thing of its own; in an inner loop, whether not all have the same one."""
    if len(of) < 2 or any(len(things) != 1 for things in of.values()):
        return False
    different = len({next(iter(things)) for things in of.values()})
    return different > 1 if inner else different == len(of)


def _has_several_both_ways(pairs: Iterable[Point]) -> bool:
    counts = Counter(outer for outer, _ in pairs)
    return len(counts) > 1 and max(counts.values()) > 1


def _one_after_another(order: Sequence[Step], of: dict[Step, tuple[Group, int]]) -> bool:
    """Whether steps read consecutive elements of an array, or consecutive visits of a place that reads these."""
    if order[0].operation is not None and order[0].operation.name == "getitem":
        moves = {moved(a, b) for a, b in pairwise(order)}
        return len(moves) == 1 and moves <= {1, -1} and order[0].inputs[0].kind in ("input", "constant")
    for slot in range(min(len(step.inputs) for step in order)):
        read = [step.inputs[slot] for step in order]
        if all(x.kind == "input" for x in read) and {b.index - a.index for a, b in pairwise(read)} in ({1}, {-1}):
            return True
        found = [of.get(x) for x in read]
        places = {source[0] for source in found if source is not None}
        if None in found or len(places) != 1:
            continue
        points = [source[0].points[source[1]] for source in found if source is not None]
        moving = [times for times in zip(*points, strict=True) if len(set(times)) > 1]
        if len(moving) == 1 and {b - a for a, b in pairwise(moving[0])} in ({1}, {-1}):
            return True
    return False
