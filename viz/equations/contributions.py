"""What a sum adds up, said for any step: from what was found at each step of the short run.

∂L/∂hₜ adds up something of step t and something of step t + 1, ∂L/∂W something of all steps. At each point of a frame
there are steps of sources, and each coordinate of these is either a time counted from the point or from an end of the
loop, or goes over a range of such times: that is a sum.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from tinygrad_rnn.tracing.circuit import Component, Point
from viz.equations.short_run import Frame, Place, ShortRun, frame_of
from viz.equations.terms import Steps, Symbol, Time


class Again(NamedTuple):
    """What a sum adds at several of its steps although it happened once: its point is followed by that of the sum."""

    source: Component | Symbol
    sum: Component


Source = Component | Symbol | Again
"""What is added up: a component, or the gradient of a variable."""
Added = tuple[int, Source, Point]
"""The sign, what is added up, and its point."""


class Contribution(NamedTuple):
    """A part of a sum.

    steps  for each coordinate of the source from where to where it goes; the later ones may depend on the ones before,
           whose letters follow on those of the frame
    """

    sign: int
    source: Source
    steps: tuple[Steps, ...]


def described(
    run: ShortRun, found: Mapping[Point, Iterable[Added]], frame: Frame
) -> dict[Point, tuple[Contribution, ...]]:
    """For each point of a frame, what is added up there."""
    tables: dict[tuple[int, Source, int], dict[Point, list[Point]]] = defaultdict(lambda: defaultdict(list))
    order: dict[Point, list[tuple[int, Source, int]]] = defaultdict(list)
    for point, parts in found.items():
        for sign, source, at in parts:
            again = 0
            while at in tables[sign, source, again][point]:
                again += 1
            tables[sign, source, again][point].append(at)
            order[point].append((sign, source, again))
    steps = {key: _steps(run, table, frame, _loops(key[1])) for key, table in tables.items()}
    return {
        point: tuple(Contribution(*key[:2], one) for key in dict.fromkeys(order[point]) for one in steps[key][point])
        for point in found
    }


def added_up(
    run: ShortRun, place: Place, leaf: Callable[[Place, bool], tuple[Component | Symbol, Point] | None]
) -> list[Added]:
    """What a sum adds up.  leaf: what is to be added, or None for a sum that is to be taken apart; at first its second
    argument is true"""
    found: list[tuple[int, Component | Symbol, Point, Place]] = []
    pending = [(1, place, place)]
    itself = True
    while pending:
        sign, (c, at), adds = pending.pop()
        end = leaf((c, at), itself)
        itself = False
        if end is not None:
            found.append((sign, *end, adds))
            continue
        parts = []
        for slot, wire in enumerate(c.wires):
            taken, there = run.taken(c, wire, at)
            after = at
            if wire.source is c:  # what a running sum begins with stands for what it would have had before
                after = tuple(
                    one.number(at, run.lengths[axis.loop]) for one, axis in zip(wire.coordinates(), c.axes, strict=True)
                )
            is_minus = slot and c.operation is not None and c.operation.name == "subtract"
            parts += [(-sign if is_minus else sign, (taken.source, q), (c, after)) for q in there]
        pending += reversed(parts)
    sums: dict[tuple[int, Component | Symbol, Point], list[Place]] = defaultdict(list)
    for sign, source, at, adds in found:
        sums[sign, source, at].append(adds)
    return [
        (sign, Again(source, adds[0]), (*at, *adds[1]))
        if len({c for c, _ in sums[sign, source, at]}) == 1 < len({*sums[sign, source, at]})
        else (sign, source, at)
        for sign, source, at, adds in found
    ]


def _loops(source: Source) -> Sequence[int]:
    if isinstance(source, Again):
        return (*_loops(source.source), *frame_of(source.sum))
    return source.variable.loops if isinstance(source, Symbol) else frame_of(source)


def _steps(
    run: ShortRun, table: Mapping[Point, list[Point]], frame: Frame, loops: Sequence[int], j: int = 0
) -> dict[Point, list[tuple[Steps, ...]]]:
    """From where to where the coordinates from the j-th on go, of the points found at each point of a frame."""
    if j == len(loops):
        return {point: [()] for point in table}
    key, loop = len(frame), loops[j]
    each = {(*p, t): [at for at in there if at[j] == t] for p, there in table.items() for t in {at[j] for at in there}}
    steps: dict[tuple[Steps, ...], dict[Point, list[int]]] = defaultdict(lambda: defaultdict(list))
    for (*p, t), rests in _steps(run, each, (*frame, loop), loops, j + 1).items():
        for rest in rests:
            steps[rest][tuple(p)].append(t)
    found: dict[Point, list[tuple[Steps, ...]]] = {point: [] for point in table}
    for rest, at in steps.items():
        runs = [(point, part) for point, numbers in at.items() for part in _runs(numbers)]
        points, steady = [point for point, _ in runs], any(len(part) > 1 for _, part in runs)
        firsts = run.fitted(points, [part[0] for _, part in runs], frame, loop, steady)
        lasts = run.fitted(points, [part[-1] for _, part in runs], frame, loop, steady)
        most: dict[tuple[Time, Time, int], int] = defaultdict(int)
        for (_, part), first, last in zip(runs, firsts, lasts, strict=True):
            begin, end = run.expanded([loop] * 2, (part[0], part[-1]))
            most[first, last, part.step] = max(most[first, last, part.step], (end - begin) // part.step + 1)
        for (point, part), first, last in zip(runs, firsts, lasts, strict=True):
            width = last.plus(first.times(-1))
            if width.letters or width.lengths or width.offset > part.step:
                found[point].append((Steps(loop, first, last, part.step, most[first, last, part.step]), *rest))
                continue
            for n in range(0, width.offset + 1, part.step):  # one step, or two: each is said
                time = first.plus(Time((), n))
                found[point].append((Steps(loop, time, time), *(after.put({key: time}) for after in rest)))
    return found


def _runs(values: Iterable[int]) -> list[range]:
    """Steps in order as one range, if they are equally spaced, or as ranges of steps that follow on each other."""
    steps = sorted(values)
    by = steps[1] - steps[0] if len(steps) > 2 else 1
    if all(b - a == by for a, b in pairwise(steps)):
        return [range(steps[0], steps[-1] + 1, by)]
    starts = [steps[0], *(b for a, b in pairwise(steps) if b - a > 1)]
    stops = [*(a + 1 for a, b in pairwise(steps) if b - a > 1), steps[-1] + 1]
    return [range(start, stop) for start, stop in zip(starts, stops, strict=True)]
