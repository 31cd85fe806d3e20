"""A circuit: what is written, as opposed to what ran. And how it unfolds into a run again.

A circuit is the program's source, an unfolded graph is its execution. What stands once in the code happened at a set
of points: one coordinate for each of the loops around it, outermost first. Most components are in one loop, the one
over time; a score that attention computes for every state of the encoder at each step of the decoder is in two.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import NamedTuple
from weakref import ReferenceType

from ..autodiff.operation import Operation
from .naming import Site
from .recorder import Step

LONGEST = 48
"""A message cuts an expression after so many letters."""

Point = tuple[int, ...]
"""When something happens: a coordinate for each loop that it is in."""


class FoldError(ValueError):
    """The run has no circuit that is certain; the message says which step stands in the way, and where."""


class Bound(NamedTuple):
    """Where a range of steps begins or ends, in a loop of any length.

    offset   so many steps
    from_end  after the end of the loop rather than its beginning
    slope    plus so many times the coordinate along the axis `of`: a loop over all steps so far
    """

    offset: int = 0
    from_end: bool = False
    slope: int = 0
    of: int = 0

    def at(self, length: int, outer: Point) -> int:
        base = self.offset + length * self.from_end
        return base + self.slope * outer[self.of] if self.slope else base


class Axis(NamedTuple):
    """One of the loops that a component is in, by its number, and in which steps of it the component happens."""

    loop: int
    start: Bound = Bound()
    stop: Bound = Bound(0, True)
    step: int = 1

    def range(self, length: int, outer: Point = ()) -> range:
        """These steps in a loop of a length, where the coordinates along the axes before are `outer`."""
        first, last = self.start.at(length, outer), self.stop.at(length, outer)
        return range(first if first > 0 else 0, last if last < length else length, self.step)


class Along(NamedTuple):
    """How one coordinate of a wire's source follows from the point of the component that reads it.

    reach     "step": (strides · point + offset) // per; "first", "last", "all": these steps of the source's loop; "so
              far": all up to strides · point + offset; "latest": the last of these; "chosen": by the program, from data
    from_end  the offset counts from the end of the source's loop
    ends      of "all": but for so many steps at the beginning, and so many at the end
    step      of "all" and "so far": the stride; less than 0: in reverse, and "so far" goes from the end of the loop
              down to strides · point + offset
    per       the reader's loop takes so many steps while the source's takes one
    modulo    the source's loop begins again after so many steps of the reader's
    chosen    for each point of the reader, in order, the step that was chosen
    """

    reach: str = "step"
    strides: Point = ()
    offset: int = 0
    from_end: bool = False
    ends: tuple[int, int] = (0, 0)
    step: int = 1
    per: int = 1
    modulo: int = 0
    chosen: tuple[tuple[Point, int], ...] = ()

    @property
    def is_affine(self) -> bool:
        """Whether it is the step strides · point + offset, and no more is to be said."""
        return self == Along("step", self.strides, self.offset)

    @property
    def follows(self) -> int | None:
        """The axis of the reader whose step, so many steps ago, it is; None if it is not so simple."""
        axes = [k for k, stride in enumerate(self.strides) if stride]
        return axes[0] if self.is_affine and len(axes) == 1 and self.strides[axes[0]] == 1 else None

    def number(self, point: Point, length: int) -> int:
        number = self.offset
        for stride, at in zip(self.strides, point, strict=False):
            number += stride * at
        number = number // self.per + length * self.from_end
        return number % self.modulo if self.modulo else number

    def steps(self, point: Point, length: int, there: range) -> Sequence[int]:
        """The source's steps, of those in which it happens; a step that is not `there` where it does not happen."""
        match self.reach:
            case "step":
                return (self.number(point, length),)
            case "first":
                return there[:1]
            case "last":
                return there[-1:]
            case "all":
                return there[self.ends[0] : len(there) - self.ends[1]][:: self.step]
            case "chosen":
                found = self.chosen[bisect_left(self.chosen, (point,)) :][:1]
                return [s for at, s in found if at == point]
        end = self.number(point, length)
        until = [s for s in there[:: self.step] if (s - end) * self.step <= 0]
        return until if self.reach == "so far" else until[-1:]


@dataclass(eq=False, slots=True, weakref_slot=True)
class Component:
    """What stands once in the code and happened `len(visits)` times.

    kind      "operation", "input", "parameter" or "constant"
    visits    the steps of the run, in order of their points: of a loop that runs backward, the last visit comes first
    wires     where its inputs come from
    axes      the loops that it is in, outermost first; () if it happened once
    points    when each visit was
    anywhere  whether it is known at which steps it happens in loops of another length
    without   the points are all in its axes but the last one (-1), or but the first one (1): where a sum begins
    backward  whether it ran from the last time to the first
    reads     for a sequence, which at time t is element t + reads of an array: that offset; otherwise None
    """

    kind: str
    visits: list[Step]
    wires: list[Wire] = field(default_factory=list)
    axes: tuple[Axis, ...] = ()
    points: list[Point] = field(default_factory=lambda: [()])
    anywhere: bool = True
    without: int = 0
    backward: bool = False
    reads: int | None = None

    @property
    def operation(self) -> Operation | None:
        return self.visits[0].operation

    @property
    def name(self) -> str | None:
        """What the code calls it. The elements x.0, x.1, … of a list are x; those of a dict are called as the dict."""
        first, last = self.visits[0], self.visits[-1]
        if self.kind != "input" or first is last or first.name is None:
            return first.name
        names = {re.sub(r"(\.\d+)+$", "", step.name or "") for step in (first, last)}
        return names.pop() if len(names) == 1 else first.path.partition(".")[0]

    @property
    def module(self) -> str:
        return self.visits[0].module

    @property
    def label(self) -> str:
        return self.name or self.visits[0].label

    @property
    def loop(self) -> int | None:
        """The number of the outermost loop that it is in; None if it happened once."""
        return self.axes[0].loop if self.axes else None

    @property
    def first(self) -> int:
        """The step of that loop in which it happened first."""
        return self.points[0][0] if self.axes else 0

    @property
    def repeats(self) -> bool:
        return bool(self.axes)

    @property
    def nested(self) -> bool:
        """Whether it is in a loop within a loop."""
        return len(self.axes) > 1

    def times(self, T: int) -> range:
        """The steps of the outermost loop, of length T, in which it happens."""
        return self.axes[0].range(T) if self.axes else range(1)

    @property
    def timed(self) -> Iterator[tuple[int, Step]]:
        """The visits and their steps of the outermost loop."""
        return zip([point[0] if point else 0 for point in self.points], self.visits, strict=True)

    def visit(self, t: int) -> Step | None:
        """What happened at step t of its one loop; of what happens once, that."""
        if not self.axes:
            return self.visits[0]
        number, rest = divmod(t - self.first, self.axes[0].step)
        return self.visits[number] if not rest and 0 <= number < len(self.visits) else None

    def domain(self, lengths: Sequence[int]) -> list[Point]:
        """When it happens, in loops of these lengths."""
        points: list[Point] = [()]
        for axis in self.axes:
            points = [(*outer, t) for outer in points for t in axis.range(lengths[axis.loop], outer)]
        return points[:-1] if self.without < 0 else points[self.without :]

    def left_out(self, lengths: Sequence[int]) -> Point | None:
        """The one point of its axes at which it does not happen."""
        if not self.without:
            return None
        point: Point = ()
        for axis in self.axes:
            point = (*point, axis.range(lengths[axis.loop], point)[-1 if self.without < 0 else 0])
        return point

    def line(self, j: int, outer: Point, lengths: Sequence[int]) -> range:
        """The steps of the loop of its axis j in which it happens, at a point of the loops around that."""
        steps = self.axes[j].range(lengths[self.axes[j].loop], outer)
        if not self.without or j < len(self.axes) - 1 or outer != (self.left_out(lengths) or ())[:-1]:
            return steps
        return steps[:-1] if self.without < 0 else steps[1:]

    @property
    def is_sequence(self) -> bool:
        """Whether visit t is element t of an array, for t that counts the steps."""
        return self.reads is not None

    @property
    def is_sum(self) -> bool:
        """Whether it is a running sum over time, as in ``L = L + …`` or ``L = L - …``: that is no recurrence."""
        if self.operation is None or self.operation.name not in ("add", "subtract"):
            return False
        past = self.wires if self.operation.name == "add" else self.wires[:1]
        return any(wire.source is self and abs(wire.delay) == self.axes[0].step for wire in past)

    def __repr__(self) -> str:
        return f"<{self.label}{f' ×{len(self.visits)}' if self.repeats else ''}>"


@dataclass(frozen=True, slots=True)
class Wire:
    """Where the values of an input come from.

    end      the component that gives them, its `source`, held weakly: a recurrence would be a cycle of references
    delay    how many steps ago; less than 0: that many steps ahead, in a loop that runs backward
    initial  what is there instead where the source has no such step, at one end of the loop: counted from that end
    final    the same at the end of the loop, if it is so at its beginning as well
    reach    "step": the source at the same time, less the delay; "once": it happened once and serves all visits;
             "first" or "last": one visit of another loop; "all": every visit of another loop, each an input
    others   further sources that now and then take the first one's place, over wires of their own: a switch
    choices  which of them it was at each visit, 0 for the first
    turns    the axis along which they take turns: then the choices are those of one round
    present  whether the one that is read is the first of them that has a step there: then they are known at any length
    along    where that is not all there is to say, as in a loop within a loop: each coordinate of the source
    border   the axis along which `initial` and `final` are counted
    corners  what is there instead at a corner of a loop within a loop, which is first (0) or last (-1) along each axis
    """

    end: ReferenceType[Component]
    delay: int = 0
    initial: tuple[Wire, ...] = ()
    reach: str = "step"
    others: tuple[Wire, ...] = ()
    choices: tuple[int, ...] = ()
    final: tuple[Wire, ...] = ()
    along: tuple[Along, ...] = ()
    border: int = 0
    corners: tuple[tuple[Point, Wire], ...] = ()
    turns: int | None = None
    present: bool = False

    @property
    def source(self) -> Component:
        """The component that gives the values. The circuit holds it."""
        source = self.end()
        if source is None:
            raise ReferenceError("the circuit of this wire is gone: keep it while its components are used")
        return source

    def coordinates(self) -> tuple[Along, ...]:
        """How each coordinate of the source is found."""
        if self.along or self.reach == "once":
            return self.along
        return (Along("step", (1,), -self.delay) if self.reach == "step" else Along(self.reach),)

    def points(self, lengths: Sequence[int]) -> Callable[[Point], tuple[list[Point], bool]]:
        """In loops of these lengths: a function from a point to the source's points that are read there, one for each
        input. Where there is none it gives [] and whether it would be before the source's first step, rather than after
        its last."""
        source, coordinates = self.source, self.coordinates()
        if not coordinates:
            return lambda at: ([()], False)
        if not self.along and self.reach == "step" and source.axes[0].step == 1:
            there, delay = source.times(lengths[source.axes[0].loop]), self.delay
            first, stop = there.start, there.stop

            def plain(at: Point) -> tuple[list[Point], bool]:
                s = at[0] - delay
                return ([(s,)], False) if first <= s < stop else ([], s < stop)

            return plain
        return lambda at: self._points(at, lengths)

    def _points(self, at: Point, lengths: Sequence[int]) -> tuple[list[Point], bool]:
        source = self.source
        found: list[Point] = [()]
        before = True
        for j, along in enumerate(self.coordinates()):
            length, longer = lengths[source.axes[j].loop], []
            for outer in found:
                there = source.line(j, outer, lengths)
                for s in along.steps(at, length, there):
                    if s in there:
                        longer.append((*outer, s))
                    else:
                        before = not there or s < there[-1]
            found = longer
        return found, before

    def choice(self, reader: Component, at: Point) -> int:
        """Which of several sources its reader reads at a point, 0 for the first."""
        if self.turns is not None:
            return self.choices[at[self.turns] % len(self.choices)]
        return self.choices[bisect_left(reader.points, at)]

    def serving(self, reader: Component, at: Point, lengths: Sequence[int]) -> Wire:
        """Of several sources, the wire of the one that its reader reads at a point, in loops of these lengths."""
        if self.present:
            return self.first_present(at, lengths)
        return (self, *self.others)[self.choice(reader, at)]

    def first_present(self, at: Point, lengths: Sequence[int]) -> Wire:
        """The first wire whose source has a step at a point; otherwise the last, which has initial values."""
        wires = (self, *self.others)
        return next((wire for wire in wires if wire.points(lengths)(at)[0]), wires[-1])

    @property
    def is_by_choice(self) -> bool:
        """Whether it is a switch, and which source it is at another length is not known."""
        return bool(self.others) and self.turns is None and not self.present

    def within(self) -> Iterator[Wire]:
        """This wire, and those that serve in its place."""
        yield self
        for wire in (*self.initial, *self.final, *self.others, *(value for _, value in self.corners)):
            yield from wire.within()

    @property
    def moves(self) -> bool:
        """Whether another step of the source is read at another time."""
        return any(any(along.strides) for along in self.coordinates())

    @property
    def is_chosen(self) -> bool:
        """Whether the program chose which step of the source is read."""
        return any(along.reach == "chosen" for along in self.along)

    @property
    def takes_several(self) -> bool:
        """Whether it is several inputs, one for each of many steps of the source."""
        return any(along.reach in ("all", "so far") for along in self.along) if self.along else self.reach == "all"


def _is_known(one: Along, source: Component, T: int) -> bool:
    """Whether a loop of T steps tells which step is read in one of another length: a fixed one must be among the first
    that ran. One of the last may be the last of every k-th."""
    if one.reach != "step" or one.strides:
        return one.reach != "chosen"
    ran_backward = source.backward != (source.visits[0].forward is not None)  # the forward loop did
    number = -1 - one.offset if one.from_end else one.offset
    return one.from_end == ran_backward and (number <= 2 or 5 * number < 2 * T)


Place = tuple[int, Point]
"""(number of the component, point): a step of an unfolded circuit."""


class Circuit:
    """The components of a run, in the order in which they first happened, and which of them are the outputs.

    lengths  how often each loop ran
    """

    def __init__(self, components: list[Component], lengths: list[int]):
        self.components = components
        self.outputs: list[Component] = []
        self.lengths = lengths
        self._number = {c: i for i, c in enumerate(components)}

    @property
    def length(self) -> int:
        """How often the longest loop ran: T. 1 where there is none."""
        return max(self.lengths, default=1)

    def unfold(self, T: int | Sequence[int] | None = None) -> dict[Place, tuple[Place, ...]]:
        """The graph of a run of T steps: for each step its inputs.

        T: the length of every loop, or one for each loop; None: the recorded ones. Raises FoldError for another than
        the recorded if a switch's choices, or when something happens, are not known there; or if T is one number and
        the loops were not of one length: then some of them may have a length of their own.
        """
        lengths = self._lengths(T)
        if lengths != self.lengths:
            self._check(lengths)
        graph = self._unfolded(lengths)
        if lengths != self.lengths:
            for number in self._unread(graph) - self._unread(self._unfolded(self.lengths)):
                raise _unknown(self.components[number], "at which steps it happens")
        return graph

    def _check(self, lengths: Sequence[int]) -> None:
        """Raise FoldError where one length does not tell what happens in loops of these lengths."""
        for c in self.components:
            if not c.anywhere:
                raise _unknown(c, "at which steps it happens")
            paces = [(axis.loop, axis.step) for axis in c.axes]
            for wire in chain.from_iterable(wire.within() for wire in c.wires):
                if wire.is_by_choice:
                    raise _unknown(c, f"when it reads {shown(wire.source)}")
                if wire.turns is not None:
                    paces.append((c.axes[wire.turns].loop, len(wire.choices)))
                for axis, one in zip(wire.source.axes, wire.coordinates(), strict=True):
                    if not _is_known(one, wire.source, self.lengths[axis.loop]):
                        raise _unknown(c, f"which step of {shown(wire.source)} it reads")
                    paces += [(c.axes[k].loop, one.per) for k, stride in enumerate(one.strides) if stride]
            if (c.backward or c.visits[0].forward is not None) and any(
                (lengths[loop] - self.lengths[loop]) % pace for loop, pace in paces
            ):
                # every k-th step of a loop that runs backward may be counted from either end
                raise _unknown(c, "at which steps it happens", "for lengths that differ by whole rounds")

    def _lengths(self, T: int | Sequence[int] | None) -> list[int]:
        if T is None:
            return self.lengths
        if isinstance(T, int):
            if len(set(self.lengths)) > 1:
                times = " and ".join(map(str, self.lengths))
                raise FoldError(f"unfold: the loops ran {times} times: give a list, a length for each")
            return [T] * len(self.lengths)
        lengths = list(T) if isinstance(T, Sequence) else []
        if len(lengths) != len(self.lengths) or not all(isinstance(n, int) and n >= 0 for n in lengths):
            times = ", ".join(map(str, self.lengths)) or "no"
            raise ValueError(f"unfold: T is a length for each loop of the circuit, which ran {times} times, not {T!r}")
        return lengths

    def _unfolded(self, lengths: Sequence[int]) -> dict[Place, tuple[Place, ...]]:
        graph: dict[Place, tuple[Place, ...]] = {}
        for i, c in enumerate(self.components):
            read_at = inputs(c, lengths)
            for at in c.domain(lengths):
                graph[i, at] = tuple([(self._number[source], point) for source, point in read_at(at)])
        return graph

    def _unread(self, graph: dict[Place, tuple[Place, ...]]) -> set[int]:
        """The components of the backward pass that have a step in a graph which none reads."""
        read = {place for inputs in graph.values() for place in inputs}
        return {n for n, _ in graph.keys() - read if self.components[n].visits[0].forward is not None}


def inputs(c: Component, lengths: Sequence[int]) -> Callable[[Point], list[tuple[Component, Point]]]:
    """A function from a point of a component to what it reads there, in loops of these lengths."""
    wires = [(wire, wire.source, wire.points(lengths), not (wire.others or wire.corners)) for wire in c.wires]

    def read_at(at: Point) -> list[tuple[Component, Point]]:
        found: list[tuple[Component, Point]] = []
        for wire, source, points, is_plain in wires:
            there = points(at)[0] if is_plain else []
            if not there:
                wire, there = read(c, wire, at, lengths)
                source = wire.source
            found += [(source, point) for point in there]
        return found

    return read_at


def read(c: Component, wire: Wire, at: Point, lengths: Sequence[int]) -> tuple[Wire, list[Point]]:
    """The wire that serves at a point in place of `wire`, where a switch leads or an initial value is needed; and the
    points of its source that are read.

    Raises FoldError if what is read at this point is not known.
    """
    if wire.others:
        wire = wire.serving(c, at, lengths)
    for corner, value in wire.corners:
        if corner_of(c, at, lengths) == corner:
            return read(c, value, at, lengths)
    points, before = wire.points(lengths)(at)
    if points or wire.takes_several:
        return wire, points
    if c.axes:
        axis = c.axes[wire.border]
        own = axis.range(lengths[axis.loop], at[: wire.border])
        number = own.index(at[wire.border])
        values, number = (wire.initial, number) if before else (wire.final or wire.initial, len(own) - 1 - number)
        if number < len(values):
            return read(c, values[number], at, lengths)
    raise _unknown(c, f"what it reads at step {at[wire.border] + 1}" if at else "what it reads")


def _unknown(c: Component, what: str, when: str = "for the recorded length") -> FoldError:
    step = c.visits[0]
    of = shown(c) if step.forward is None else f"the gradient through {expression(step.site) or step.forward.label}"
    where = f"   {step.site.in_user_code()}" if step.site is not None else ""
    return FoldError(f"unfold: {of}: {what} is known {when} only. Record a run of the other length.{where}")


def shown(c: Component) -> str:
    """What a message calls a component: its name, that of the array it is an element of, or the expression."""
    array = c.wires[0].source.name if c.is_sequence else None
    return c.name or array or expression(c.visits[0].site) or f"`{c.label}`"


def expression(site: Site | None) -> str | None:
    """An expression as it is written, cut after so many letters; None if its source is not at hand."""
    text = site.in_user_code().text() if site is not None else ""
    return f"`{text if len(text) <= LONGEST else f'{text[: LONGEST - 1]}…'}`" if text else None


def corner_of(c: Component, at: Point, lengths: Sequence[int]) -> Point | None:
    """Which corner of its loops a point is: 0 for the first, -1 for the last step of each; None: it is none."""
    found: list[int] = []
    for k, axis in enumerate(c.axes):
        there = axis.range(lengths[axis.loop], at[:k])
        if at[k] not in (there[0], there[-1]):
            return None
        found.append(0 if at[k] == there[0] else -1)
    return tuple(found)
