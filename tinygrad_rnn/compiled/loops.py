"""The loops of the source: which values are computed step by step, in which order, and what is kept of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from .lifting import refused
from .program import Edge, Program, Read, Span, Value
from .wording import Readers


class Loop(NamedTuple):
    """A loop, upward or downward, and its values in the order in which they are computed.

    stored   those that are kept for all steps
    carried  those that only the next step reads, as variables; and what they start from, None: 0
    """

    values: list[Value]
    span: Span
    is_down: bool
    stored: list[Value]
    carried: dict[Value, Read | None]

    @property
    def begin(self) -> Edge:
        """The step that is computed first."""
        return self.span.stop.moved(-1) if self.is_down else self.span.start

    @property
    def end(self) -> Edge:
        return self.span.start if self.is_down else self.span.stop.moved(-1)


def planned(cycle: Sequence[Value], program: Program, readers: Readers) -> Loop:
    """The loop that computes the values of a cycle."""
    spans = [value.span for value in cycle if value.span is not None]
    reads = [read for value in cycle for operand in value.reads for read in operand.within() if read.value in cycle]
    delays = {read.delay for read in reads if read.delay}
    if len(spans) < len(cycle) or len({s.loop for s in spans}) > 1 or any(read.reach != "step" for read in reads):
        raise refused(cycle[0], "its recurrence goes through several loops, or through all steps of one")
    if min(delays) < 0 < max(delays):
        raise refused(cycle[0], "its recurrence goes both forward and backward in time")
    starts, stops = [span.start for span in spans], [span.stop for span in spans]
    first = next(a for a in starts if not any(b.before(a) for b in starts))
    last = next(a for a in stops if not any(a.before(b) for b in stops))
    loop = Loop([], Span(spans[0].loop, first, last), min(delays) < 0, [], {})
    for value in cycle:
        for start in _carried(value, cycle, loop, readers):
            loop.carried[value] = start
    if len(order := _ordered(cycle, loop, program)) < len(cycle):  # each of two waits for the other
        loop.carried.clear()
        order = _ordered(cycle, loop, program)
    if len(order) < len(cycle):
        raise refused(next(value for value in cycle if value not in order), "it reads itself at the same step")
    loop.values.extend(order)
    loop.stored.extend(v for v in loop.values if v not in loop.carried and _is_stored(v, cycle, readers[v]))
    return loop


def _carried(value: Value, cycle: Sequence[Value], loop: Loop, readers: Readers) -> Iterator[Read | None]:
    """What a gradient starts from that only the next step reads; nothing if there is more to it."""
    steps = [(reader, read) for reader, read in readers[value] if read.reach != "at" or read.at != loop.end]
    if len(steps) != 1 or value.rule_of is None:
        return
    reader, read = steps[0]
    if reader not in cycle or reader is None or read not in reader.reads:
        return
    instead, never = (read.after, read.before) if loop.is_down else (read.before, read.after)
    one_start = read.padded or len(instead) == 1
    if abs(read.delay) == 1 and one_start and not never and value.span == reader.span == loop.span:
        yield instead[0] if instead else None


def _is_stored(value: Value, cycle: Sequence[Value], reads: Sequence[tuple[Value | None, Read]]) -> bool:
    return any(reader not in cycle or read.delay or read.reach != "step" for reader, read in reads)


def _ordered(cycle: Sequence[Value], loop: Loop, program: Program) -> list[Value]:
    """Each value after those of the same step that it reads, what is carried after what reads it. As far as it goes."""
    number = {value: i for i, value in enumerate(program.values)}
    after: dict[Value, set[Value]] = {value: set() for value in cycle}
    for value in cycle:
        for read in (read for operand in value.reads for read in operand.within() if read.value in after):
            if not read.delay:
                after[value].add(read.value)
            elif read.value in loop.carried and read.value is not value:
                after[read.value].add(value)
    waiting, order = sorted(cycle, key=number.__getitem__), list[Value]()
    while ready := next((value for value in waiting if after[value] <= set(order)), None):
        waiting.remove(ready)
        order.append(ready)
    return order
