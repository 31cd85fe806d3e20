"""A run of few steps, in which each stands for all that are alike: the equations are read off this one, whatever T is.

A circuit tells what happens in loops of any length. Something else may happen near the ends of a loop, where there is
no h⁽⁰⁾ or no gradient from the future. Between them all steps are alike, and of these the short run has one. What is
found out step by step is then said for any length: as a time counted from another (`fitted`), as a condition.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from functools import cached_property
from itertools import chain, combinations, product

from tinygrad_rnn.tracing.circuit import Circuit, Component, Point, Wire, corner_of
from tinygrad_rnn.tracing.circuit import read as read_at
from tinygrad_rnn.tracing.elements import affine
from tinygrad_rnn.tracing.recorder import Step
from viz.equations.terms import Among, Time, letter

MANY = 100
"""Numbers of the code that differ from step to step are told for so many steps at most."""
Place = tuple[Component, Point]
"""A step of the circuit."""
Frame = tuple[int, ...]
"""The loops of the coordinates of some points; their letters are 0, 1, …"""


class ShortRun:
    """recorded: the lengths of the loops of the run that was recorded; lengths: those of the short one."""

    def __init__(self, circuit: Circuit, data: Collection[Component]):
        self._circuit = circuit
        self.recorded = circuit.lengths
        margins = _margins(circuit, data)
        self.lengths = [min(T, 2 * margin + 1) for T, margin in zip(self.recorded, margins, strict=True)]
        self._points = {c: dict.fromkeys(c.domain(self.lengths)) for c in circuit.components}

    def points(self, c: Component) -> list[Point]:
        return [*self._points[c]]

    def has(self, c: Component, point: Point) -> bool:
        return point in self._points[c]

    def shortened(self, loop: int, t: int) -> int:
        """The step that stands for a recorded one."""
        T, short = self.recorded[loop], self.lengths[loop]
        return t if t <= short // 2 or short == T else max(short // 2, t - T + short)

    def expanded(self, loops: Sequence[int], point: Point) -> Point:
        """The recorded point that a point stands for, or one of them."""
        return tuple(
            t + (self.recorded[loop] - self.lengths[loop]) * (t > self.lengths[loop] // 2)
            for loop, t in zip(loops, point, strict=True)
        )

    def visit(self, c: Component, point: Point) -> Step:
        """What was recorded there."""
        return c.visits[bisect_left(c.points, self.expanded(frame_of(c), point))]

    @cached_property
    def place(self) -> dict[Step, Place]:
        """Where a step is that is not far from the ends of its loops, as a recorded point."""
        found: dict[Step, Place] = {}
        for c in self._circuit.components:
            n = self.lengths[c.axes[0].loop] if c.axes else 1
            near = range(len(c.visits)) if c.nested else {*range(len(c.visits))[:n], *range(len(c.visits))[-n:]}
            found |= {c.visits[i]: (c, c.points[i]) for i in near}
        return found

    def seen_from(self, c: Component, point: Point, place: Place) -> Place:
        """A recorded place as far from a point of the short run as it was from what was recorded there; or, where that
        is from one end of a loop to the other, the step that stands for it."""
        source, at = place
        away = {
            loop: t - far for loop, t, far in zip(frame_of(c), point, self.expanded(frame_of(c), point), strict=True)
        }
        near = [t + away.get(loop, 0) for loop, t in zip(frame_of(source), at, strict=True)]
        return source, tuple(
            moved if loop in away and 0 <= moved < self.lengths[loop] else self.shortened(loop, t)
            for loop, t, moved in zip(frame_of(source), at, near, strict=True)
        )

    def taken(self, c: Component, wire: Wire, point: Point) -> tuple[Wire, list[Point]]:
        """The wire that serves in place of one at a point, and the points of its source that are read."""
        return read_at(c, wire, point, self.lengths)

    def instead(self, c: Component, wire: Wire, point: Point) -> Wire | None:
        """The wire that serves in place of one at a point where its source has no step, or a corner something else."""
        for corner, value in wire.corners:
            if corner_of(c, point, self.lengths) == corner:
                return value
        there, before = wire.points(self.lengths)(point)
        if there:
            return None
        axis = c.axes[wire.border]
        own = axis.range(self.lengths[axis.loop], point[: wire.border])
        number = own.index(point[wire.border])
        if before or not wire.final:
            return wire.initial[number if before else len(own) - 1 - number]
        return wire.final[len(own) - 1 - number]

    def inputs(self, place: Place) -> Iterator[Place]:
        """The places that are read at a place."""
        c, point = place
        for wire in c.wires:
            taken, points = self.taken(c, wire, point)
            yield from ((taken.source, at) for at in points)

    # -- what holds for any length ---------------------------------------------------------------------------------

    def constant(self, loop: int, t: int) -> Time:
        """One step, counted from the nearer end."""
        n = self.lengths[loop]
        return Time((), t - n, ((loop, 1),)) if n - 1 - t <= t else Time((), t)

    def fitted(
        self, points: Sequence[Point], values: Sequence[int], frame: Frame, loop: int, steady: bool = False
    ) -> list[Time]:
        """Steps of a loop as times counted from the letters of a frame, or from an end of the loop: as few different
        ones as there can be.  steady: rather from an end"""
        options = []
        for point, t in zip(points, values, strict=True):
            near = [letter(k, t - point[k]) for k, own in enumerate(frame) if own == loop]
            far = [letter(k, t - point[k]) for k, own in enumerate(frame) if own != loop]
            fixed = [self.constant(loop, t)]
            is_far = all(2 * abs(time.offset) > self.lengths[loop] > 3 for time in near)  # from one end to the other
            options.append((fixed + near if steady or is_far else near + fixed) + far)
        found: dict[int, Time] = {}
        while len(found) < len(points):
            rest = [i for i in range(len(points)) if i not in found]
            count = Counter(chain.from_iterable(options[i] for i in rest))
            best = max(count, key=lambda time: count[time])
            if count[best] < len(points) > 2 and not found and (fit := affine(points, values)) is not None:
                return [self.affine(*fit, loop, self.lengths)] * len(points)
            found |= {i: best for i in rest if best in options[i]}
        return [found[i] for i in range(len(points))]

    def affine(self, strides: Point, offset: int, loop: int, lengths: Sequence[int]) -> Time:
        """strides · point + offset, in loops of these lengths: counted from the end of one if it goes backward."""
        from_end = sum(strides) < 0
        letters = tuple((k, stride) for k, stride in enumerate(strides) if stride)
        return Time(letters, offset - lengths[loop] * from_end, ((loop, 1),) * from_end)

    def box(self, frame: Frame) -> list[Point]:
        """All points of a frame."""
        return list(product(*(range(self.lengths[loop]) for loop in frame)))

    def conditions(
        self, points: Collection[Point], domain: Collection[Point], frame: Frame
    ) -> tuple[Among, ...] | None:
        """What holds of some points and of no others of a domain: of coordinates, or of differences between two of one
        loop. None if that cannot be said."""
        if len(points) == len(domain):
            return ()
        numbers = [(letter(k), loop) for k, loop in enumerate(frame)]
        numbers += [
            (letter(a).plus(letter(b).times(-1)), frame[a])
            for a, b in combinations(range(len(frame)), 2)
            if frame[a] == frame[b]
        ]
        value = {one: {point: one[0].number(point, self.lengths) for point in domain} for one in numbers}
        chosen = {*points}
        for n in range(1, len(numbers) + 1):
            for some in combinations(numbers, n):
                allowed = [{value[number][point] for point in chosen} for number in some]
                if all(
                    all(value[number][point] in steps for number, steps in zip(some, allowed, strict=True))
                    == (point in chosen)
                    for point in domain
                ):
                    return tuple(
                        Among(*number, tuple(sorted(steps)), tuple(sorted({*value[number].values()})))
                        for number, steps in zip(some, allowed, strict=True)
                    )
        return None


def frame_of(c: Component) -> Frame:
    return tuple([axis.loop for axis in c.axes])


def _margins(circuit: Circuit, data: Collection[Component]) -> list[int]:
    """For each loop, how many steps at either end may differ from those between, where all are alike."""
    ends, delays = [0] * len(circuit.lengths), [0] * len(circuit.lengths)
    for c in circuit.components:
        for axis in c.axes:
            T = circuit.lengths[axis.loop]
            times = axis.range(T, c.points[0])
            is_told = c in data and len(c.visits) <= MANY
            uneven = c.nested or axis.step > 1 or not c.anywhere or is_told
            far = T if uneven else max(min(t, T - t) for t in (times.start, times.stop))
            ends[axis.loop] = max(ends[axis.loop], far)
            for wire in c.wires:
                uneven = bool(wire.others) or any(one.strides or one.reach == "so far" for one in wire.along)
                delay = T if uneven else max(abs(w.delay) for w in (wire, *wire.initial, *wire.final))
                delays[axis.loop] = max(delays[axis.loop], delay)
        for wire in chain.from_iterable(wire.within() for wire in c.wires):
            for axis, one in zip(wire.source.axes, wire.coordinates(), strict=True):
                T = circuit.lengths[axis.loop]
                fixed = T if any(one.strides) and wire.along else min(abs(one.offset), abs(T - one.offset))
                delays[axis.loop] = max(delays[axis.loop], fixed, *one.ends)
    return [a + b + 2 for a, b in zip(ends, delays, strict=True)]
