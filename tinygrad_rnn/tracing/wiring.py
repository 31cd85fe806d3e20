"""Where the inputs of a component come from, read off the steps that they came from at each point:

    the same time of another component          a wire
    d steps earlier, something else before      a wire with d delays and initial values
    one value for all visits                    a parameter, a constant, a context
    element t of an array                       a sequence
    one end of another loop, or all of it       an edge out of that loop
    now one component, now another              a switch
    now one step of a component, now another    a choice that the program made from data

In a loop within a loop each coordinate of the source is found so. What cannot be said so is a FoldError, which names
the place, the loop and the reason.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any
from weakref import ref

from . import refusals
from .circuit import Along, Component, Point, Wire, corner_of
from .elements import affine
from .recorder import Step

Visits = Sequence[tuple[Point, Step]]
"""What is read, by the point at which it is."""


class Timetable:
    """For each step of a run, which component it is a visit of and at what point; and the `lengths` of the loops."""

    def __init__(self, steps: Sequence[Step]) -> None:
        self.lengths: list[int] = []
        # by the number of the step: in a long run, dictionaries would take twice as long
        self._of: list[Any] = [None] * (steps[-1].index + 1 if steps else 0)
        self._point: list[Any] = list(self._of)

    def of(self, step: Step) -> Component:
        component: Component = self._of[step.index]
        return component

    def point(self, step: Step) -> Point:
        point: Point = self._point[step.index]
        return point

    def stands_for(self, component: Component, steps: Iterable[Step]) -> None:
        """Note that these steps are what a component is once."""
        for step in steps:
            self._of[step.index] = component
            self._point[step.index] = ()

    def enter(self, component: Component) -> None:
        """Note of its visits what they are and when."""
        for point, step in zip(component.points, component.visits, strict=True):
            self._of[step.index] = component
            self._point[step.index] = point

    def wires(self, component: Component) -> list[Wire]:
        wires: list[Wire] = []
        counts = {len(step.inputs) for step in component.visits}
        slots, slot = min(counts), 0
        if len(counts) > 1:
            growing, slots = self._growing(component, slots)
        while slot < slots:
            several = self._several(component, slot, slots)
            if several is not None:
                wire, width = several
                wires.append(wire)
                slot += width
            else:
                visits = [(at, step.inputs[slot]) for at, step in zip(component.points, component.visits, strict=True)]
                wires.append(self._wire(component, visits))
                slot += 1
        return [*wires, growing] if len(counts) > 1 else wires

    # -- several inputs at once ------------------------------------------------------------------------------

    def _several(self, component: Component, slot: int, slots: int) -> tuple[Wire, int] | None:
        """Steps of a loop from one input on, each an input, and how many: all, every k-th, in reverse."""
        inputs = component.visits[0].inputs[slot:slots]
        source = self.of(inputs[0])
        if len(inputs) < 2 or self.of(inputs[1]) is not source or not source.axes:
            return None
        first, second = self.point(inputs[0]), self.point(inputs[1])
        j = next(j for j, (p, q) in enumerate(zip(first, second, strict=True)) if p != q) if first != second else 0
        there = source.line(j, first[:j], self.lengths)
        begin, step = there.index(first[j]), (second[j] - first[j]) // source.axes[j].step
        if not step:
            return None
        steps = there[begin::step]
        own = [self.point(x)[j] if self.of(x) is source else None for x in inputs]
        width = next((i for i, (s, wanted) in enumerate(zip(own, steps, strict=False)) if s != wanted), len(steps))
        width = min(width, len(inputs))
        if width < 2 + (abs(step) > 1) or 2 * width * abs(step) < len(there):
            return None
        last = there.index(steps[width - 1])
        before, after = min(begin, last), len(there) - 1 - max(begin, last)
        # with a stride, the length decides how much is left over at the far end
        before, after = (before, max(0, after + 1 - step)) if step > 0 else (max(0, before + 1 + step), after)
        one = Along("all", ends=(before, after), step=step)
        pairs = []
        for at, visit in zip(component.points, component.visits, strict=True):
            taken = visit.inputs[slot : slot + width]
            if any(self.of(x) is not source for x in taken):
                return None
            points = [self.point(x) for x in taken]
            there = source.line(j, points[0][:j], self.lengths)
            if list(one.steps(at, len(there), there)) != [point[j] for point in points]:
                return None
            pairs += [(at, point) for point in points]
        along = self._along(component, source, pairs, given={j: one})
        return None if along is None else (_wired(source, along), width)

    def _growing(self, component: Component, shortest: int) -> tuple[Wire, int]:
        """As many inputs as there have been steps so far, after a fixed number of others: the wire, and that number."""
        longest = max(component.visits, key=lambda step: len(step.inputs)).inputs
        source = self.of(longest[-1])
        fixed = next(i for i, x in enumerate(longest) if self.of(x) is source)
        if fixed > shortest or not source.axes or len(longest) < fixed + 2:
            raise refusals.takes_unevenly(component)
        first, second = (self.point(x) for x in longest[fixed : fixed + 2])
        j = next((j for j, (p, q) in enumerate(zip(first, second, strict=True)) if p != q), 0)
        step = 1 if first < second else -1
        last, pairs = [], []
        for at, visit in zip(component.points, component.visits, strict=True):
            points = [self.point(x) for x in visit.inputs[fixed:] if self.of(x) is source]
            there = [point[j] for point in points]
            if len(points) < len(visit.inputs) - fixed or (
                points and there != list(source.line(j, points[0][:j], self.lengths)[::step][: len(there)])
            ):
                raise refusals.takes_unevenly(component)
            pairs += [(at, point) for point in points]
            last += [(at, points[-1])] * bool(points)
        end = self._coordinate(component, source, last, j, True, False)
        if end is None or end.reach != "step":
            raise refusals.takes_unevenly(component)
        along = self._along(component, source, pairs, given={j: end._replace(reach="so far", step=step)})
        if along is None:
            raise refusals.takes_unevenly(component)
        return _wired(source, along), fixed

    # -- one input -------------------------------------------------------------------------------------------

    def _wire(self, component: Component, visits: Visits) -> Wire:
        """One input of a component, from the steps that it came from at each point."""
        wire = self._fitted(component, visits)
        wire = wire or self._taking_turns(component, visits)
        if wire is not None:
            return wire
        reads = Counter(self.of(step) for _, step in visits)
        sources = [c for c in reads if c.repeats]
        if len(sources) == 1 and component.repeats:
            along = self._chosen(component, sources[0], self._pairs(sources[0], visits))
            wire = self._delayed(component, sources[0], visits, along=along)
            if wire is not None:
                return wire
        near = [c for c in reads if (component.repeats and c.axes and reads[c] > 1) or c.loop == component.loop]
        return self._switch(component, sorted(near, key=lambda c: -reads[c]), visits)

    def _fitted(self, component: Component, visits: Visits, instead: bool = False) -> Wire | None:
        """One source, read at even distances, and something else where it has no such step.

        instead  of a step that is not: then an end of a loop is likelier than a distance
        """
        first = visits[0][1]
        source = self.of(first)
        alone = len(component.visits) == 1 and source.repeats and source.loop == component.loop
        if not alone and all(self.of(x) is source and self.point(x) == self.point(first) for _, x in visits):
            if not source.axes:
                return Wire(ref(source), reach="once")
            fixed = self._at_an_end(component, source, [(at, self.point(x)) for at, x in visits])
            if fixed is not None:
                return fixed
        reads = Counter(self.of(step) for _, step in visits)
        near = [
            c
            for c in reads
            if c.axes and component.axes and {a.loop for a in c.axes} & {a.loop for a in component.axes}
        ]
        others = [c for c in reads if c.axes and c not in near]
        for source in [*sorted(near, key=lambda c: -reads[c]), *sorted(others, key=lambda c: -reads[c])]:
            wire = self._delayed(component, source, visits, instead)
            if wire is not None:
                return wire
        return None

    def _at_an_end(self, component: Component, source: Component, pairs: Sequence[tuple[Point, Point]]) -> Wire | None:
        along = self._along(component, source, pairs, moving=False)
        return None if along is None else _wired(source, along)

    def _delayed(
        self,
        component: Component,
        source: Component,
        visits: Visits,
        instead: bool = False,
        along: tuple[Along, ...] | None = None,
    ) -> Wire | None:
        """The source a fixed distance away and, where there is none, initial values; None if it is not so."""
        if along is None:
            pairs = self._pairs(source, visits)
            along = self._along(component, source, pairs, instead=instead)
            along = along or self._along(component, source, _usual(pairs), instead=instead)
        if along is None:
            return None
        wire = _wired(source, along)
        before: list[tuple[Point, Step]] = []
        after: list[tuple[Point, Step]] = []
        strange: list[tuple[Point, Step]] = []
        points_at = wire.points(self.lengths)
        for at, step in visits:
            points, is_before = points_at(at)
            if points and (self.of(step) is not source or self.point(step) != points[0]):
                strange.append((at, step))
            if not points:
                (before if is_before else after).append((at, step))
        corner = corner_of(component, strange[0][0], self.lengths) if len(strange) == 1 and component.nested else None
        value = None if corner is None else self._value(component, strange)
        if corner is not None and value is not None:
            wire = replace(wire, corners=((corner, value),))
        elif strange:
            return None
        if not before and not after:
            return wire
        if len(before) + len(after) == len(visits):
            return None
        moving = {k for one in along for k, stride in enumerate(one.strides) if stride}
        numbered = [
            (self._numbered(component, k, before), self._numbered(component, k, after, from_end=True), k)
            for k in moving
        ]
        if not numbered:
            return None
        begin, end, border = min(numbered, key=lambda found: (len(found[0]) + len(found[1]), found[2]))
        initial, final = self._values(component, begin), self._values(component, end)
        if initial is None or final is None:
            return None
        elsewhere = [value for value in initial + final if value.reach == "step"]
        if not component.nested and len(elsewhere) > 1 and 2 * len(elsewhere) > len(visits):
            return None
        return replace(wire, initial=initial or final, final=final if initial else (), border=border)

    def _numbered(self, component: Component, k: int, missing: Visits, from_end: bool = False) -> dict[int, Visits]:
        """Missing steps by their number along an axis, counted from an end of it."""
        found: dict[int, list[tuple[Point, Step]]] = {}
        axis = component.axes[k]
        for at, step in missing:
            own = axis.range(self.lengths[axis.loop], at[:k])
            number = own.index(at[k])
            found.setdefault(len(own) - 1 - number if from_end else number, []).append((at, step))
        return dict(found)

    def _values(self, component: Component, missing: dict[int, Visits]) -> tuple[Wire, ...] | None:
        """What is there instead of missing steps."""
        if sorted(missing) != list(range(len(missing))):
            return None
        values = [self._value(component, missing[number]) for number in range(len(missing))]
        return None if None in values else tuple(value for value in values if value is not None)

    def _value(self, component: Component, visits: Visits) -> Wire | None:
        """What is there in place of a step that is not."""
        at, step = visits[0]
        source = self.of(step)
        if len(visits) == 1 and source.axes and len(component.axes) == len(source.axes) == 1:
            delay = at[0] - self.point(step)[0]
            if source.loop == component.loop and not 2 * abs(delay) >= self.lengths[source.loop or 0] > 2:
                return Wire(ref(source), delay)
            return self._at_an_end(component, source, [(at, self.point(step))])
        return self._fitted(component, visits, instead=True)

    # -- the coordinates of a source -------------------------------------------------------------------------

    def _along(
        self,
        component: Component,
        source: Component,
        pairs: Sequence[tuple[Point, Point]],
        moving: bool = True,
        instead: bool = False,
        given: Mapping[int, Along] = MappingProxyType({}),
    ) -> tuple[Along, ...] | None:
        """How the coordinates of a source follow from the points at which it is read; some of them may be given."""
        found = []
        for j in range(len(source.axes)):
            one = given.get(j) or self._coordinate(component, source, pairs, j, moving, instead)
            if one is None:
                return None
            found.append(one)
        return tuple(found)

    def _coordinate(
        self,
        component: Component,
        source: Component,
        pairs: Sequence[tuple[Point, Point]],
        j: int,
        moving: bool,
        instead: bool,
    ) -> Along | None:
        axis, length = source.axes[j], self.lengths[source.axes[j].loop]
        same = [k for k, own in enumerate(component.axes) if moving and own.loop == axis.loop]
        for k in same:
            offsets, one_step = {q[j] - at[k] for at, q in pairs}, len({at[k] for at, _ in pairs}) == 1
            # the last step that reads the first is not a delay of T − 1; in a run of few steps it may be one
            is_far = one_step and 2 * abs(min(offsets)) >= length > 8
            if len(offsets) == 1 and not is_far and (not instead or offsets == {0} or not one_step):
                return Along("step", tuple(int(i == k) for i in range(len(component.axes))), offsets.pop())
            if axis.step > 1 and (held := _held(pairs, k, j, axis.range(length))):
                return held
        there = [source.line(j, q[:j], self.lengths) for _, q in pairs]
        if all(q[j] == steps[0] for (_, q), steps in zip(pairs, there, strict=True)):
            return Along("first")
        if all(q[j] == steps[-1] for (_, q), steps in zip(pairs, there, strict=True)):
            return Along("last")
        for k in same:
            offsets = {q[j] - at[k] for at, q in pairs}
            if len(offsets) == 1:
                return Along("step", tuple(int(i == k) for i in range(len(component.axes))), offsets.pop())
        if len({q[j] for _, q in pairs}) == 1:
            s = pairs[0][1][j]
            near_end = 2 * s >= length
            return Along("step", (), s - length if near_end else s, near_end)
        if not moving or not component.axes or len(pairs) < 2:
            return None
        fit = affine([at for at, _ in pairs], [q[j] for _, q in pairs])
        if fit is not None and any(fit[0]):
            backward = sum(fit[0]) < 0
            return Along("step", fit[0], fit[1] - length if backward else fit[1], backward)
        return next((one for k in range(len(component.axes)) if (one := _slower(component, pairs, k, j, length))), None)

    def _chosen(
        self, component: Component, source: Component, pairs: Sequence[tuple[Point, Point]]
    ) -> tuple[Along, ...]:
        """The same where the program chose some of them, by no rule that is to be seen. In a tree it is no choice."""
        tree = refusals.in_a_tree(component)
        if tree is not None:
            raise tree
        moving = (1,) * len(component.axes)
        return tuple(
            self._coordinate(component, source, pairs, j, True, False)
            or Along("chosen", moving, chosen=tuple(sorted({(at, q[j]) for at, q in pairs})))
            for j in range(len(source.axes))
        )

    def _pairs(self, source: Component, visits: Visits) -> list[tuple[Point, Point]]:
        """Where a source is read: the points of the reader and of the source."""
        return [(at, self.point(step)) for at, step in visits if self.of(step) is source]

    # -- a switch ----------------------------------------------------------------------------------------------

    def _switch(self, component: Component, sources: list[Component], visits: Visits) -> Wire:
        """Now one source, now another; where there is neither, an initial value of the one with the longest delay.

        The program may choose, or the first source that has a step at a point is the one: as of the gradients of a
        state, which are added up where it was read twice.
        """
        producers = [step for _, step in visits]
        if not sources:
            raise refusals.reads_other_things(component, producers)
        wires = []
        for source in sources:
            pairs = self._pairs(source, visits)
            along = self._along(component, source, pairs) or self._chosen(component, source, pairs)
            wires.append(_wired(source, along))
        longest = max(range(len(wires)), key=lambda i: abs(wires[i].delay))
        number = {source: i for i, source in enumerate(sources)}
        choices = [number.get(self.of(step), longest) for step in producers]
        outside = [t for t, step in enumerate(producers) if self.of(step) not in number]
        from_the_end = bool(outside) and outside[-1] == len(visits) - 1
        order = range(len(visits))[:: -1 if from_the_end else 1]
        outside = [t for t in order if t in outside]
        is_initial = outside == list(order[: len(outside)]) and len(outside) <= abs(wires[longest].delay)
        if not is_initial or len(sources) < 2:
            elsewhere = [at for at, x in visits if self.of(x) not in number]
            raise refusals.reads_now_and_then(component, sources[0], elsewhere)
        initial = []
        for t in outside:
            value = self._value(component, [visits[t]])
            if value is None:
                raise refusals.reads_other_things(component, producers)
            initial.append(value)
        wires[longest] = replace(wires[longest], initial=tuple(initial))
        # the rarest first, and the one with initial values last
        turn = sorted(range(len(wires)), key=lambda i: (i == longest, choices.count(i)))
        several = replace(wires[turn[0]], others=tuple([wires[i] for i in turn[1:]]))
        read = [several.first_present(at, self.lengths).source for at, _ in visits]
        if read == [wires[i].source for i in choices]:
            return replace(several, choices=tuple([turn.index(i) for i in choices]), present=True)
        return replace(wires[0], others=tuple(wires[1:]), choices=tuple(choices))

    def _taking_turns(self, component: Component, visits: Visits) -> Wire | None:
        """Sources that take turns along an axis, if three rounds were seen."""
        for k in range(len(component.axes)):
            times = len({at[k] for at, _ in visits})
            for many in range(2, times // 3 + 1):
                turns: list[list[tuple[Point, Step]]] = [[] for _ in range(many)]
                for at, x in visits:
                    turns[at[k] % many].append((at, x))
                usual = [Counter(self.of(x) for _, x in turn).most_common(1)[0][0] for turn in turns if turn]
                of: dict[Component, Visits] = {source: [] for source in usual}
                if len(usual) < many or len(of) < 2 or not all(source.axes for source in of):
                    continue
                for source, turn in zip(usual, turns, strict=True):
                    of[source] = sorted([*of[source], *turn], key=lambda visit: visit[0])
                wires = [wire for source in of if (wire := self._delayed(component, source, of[source])) is not None]
                if len(wires) == len(of):
                    choices = tuple([list(of).index(source) for source in usual])
                    return replace(wires[0], others=tuple(wires[1:]), choices=choices, turns=k)
        return None


def _wired(source: Component, along: tuple[Along, ...]) -> Wire:
    """A wire, in the plain form where that says all."""
    if len(along) == 1:
        one = along[0]
        if one == Along("step", (1,), one.offset):
            return Wire(ref(source), -one.offset)
        if one.reach in ("first", "last", "all") and one == Along(one.reach):
            return Wire(ref(source), reach=one.reach)
    reach = next((one.reach for one in along if one.reach != "step"), "step")
    delay = -along[0].offset if along[0].reach == "step" and along[0].strides[:1] == (1,) else 0
    return Wire(ref(source), delay, reach=reach, along=along)


def _held(pairs: Sequence[tuple[Point, Point]], k: int, j: int, there: range) -> Along | None:
    """The latest step of a source that happens at every few steps only, and is kept in between."""
    for offset in (0, -1):
        along = Along("latest", tuple(int(i == k) for i in range(k + 1)), offset)
        if all(list(along.steps(at, 0, there)) == [q[j]] for at, q in pairs):
            return along
    return None


def _slower(component: Component, pairs: Sequence[tuple[Point, Point]], k: int, j: int, length: int) -> Along | None:
    """Steps of a source of which each serves for several of the reader's, or for one of several at which it reads."""
    steps = [(at[k], q[j]) for at, q in pairs]
    if len({s for _, s in steps}) < 2:
        return None
    start, end = min(t for t, _ in steps), max(t for t, _ in steps)
    for sign, base in (1, 0), (-1, length):  # a source that runs the other way is counted from its end
        strides = (*(0,) * k, sign)
        for per in range(2, end + 1):
            lowest = max(per * (s - base) - sign * t for t, s in steps)
            highest = min(per * (s - base) - sign * t for t, s in steps) + per - 1
            if lowest <= highest:
                offset = next((c for c in (0, -start) if lowest <= c <= highest), lowest)
                return Along("step", strides, offset, from_end=sign < 0, per=per)
    modulo = 1 + max(s for _, s in steps)
    offset = (steps[0][1] - steps[0][0]) % modulo
    if len(steps) > modulo > 1 and all((t + offset) % modulo == s for t, s in steps):
        return Along("step", (*(0,) * k, 1), offset, modulo=modulo)
    return None


def _usual(pairs: Sequence[tuple[Point, Point]]) -> list[tuple[Point, Point]]:
    """Those with the distance that is the most frequent: in a loop within a loop, the others may be at its ends."""
    distances = [tuple(p - q for p, q in zip(at, source, strict=False)) for at, source in pairs]
    usual, _ = Counter(distances).most_common(1)[0]
    return [pair for pair, distance in zip(pairs, distances, strict=True) if distance == usual]
