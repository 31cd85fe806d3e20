"""A circuit: what is written, as opposed to what ran. And how it unfolds into a run again.

A circuit is the program's source, an unfolded graph is its execution.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from weakref import ReferenceType

from ..autodiff.operation import Operation
from .recorder import Step


class FoldError(ValueError):
    """The run has no circuit that is certain; the message says which step stands in the way, and where."""


@dataclass(eq=False, slots=True, weakref_slot=True)
class Component:
    """What stands once in the code and happened `len(visits)` times.

    kind      "operation", "input", "parameter" or "constant"
    visits    the steps of the run, in order of time: of a loop that runs backward, the last visit comes first
    wires     where its inputs come from
    loop      the number of the loop it is in; None if it happened once
    span      which steps of the loop it happens in
    first     the first of them: the time of visits[0]
    backward  whether it ran from the last time to the first
    reads     for a sequence, which at time t is element t + reads of an array: that offset; otherwise None
    """

    kind: str
    visits: list[Step]
    wires: list[Wire] = field(default_factory=list)
    loop: int | None = None
    span: slice = field(default_factory=lambda: slice(None))
    first: int = 0
    backward: bool = False
    reads: int | None = None

    @property
    def operation(self) -> Operation | None:
        return self.visits[0].operation

    @property
    def name(self) -> str | None:
        return self.visits[0].name

    @property
    def module(self) -> str:
        return self.visits[0].module

    @property
    def label(self) -> str:
        return self.visits[0].label

    @property
    def repeats(self) -> bool:
        return self.loop is not None

    def times(self, T: int) -> range:
        """When it happens, in a loop of T steps."""
        return range(T)[self.span] if self.repeats else range(1)

    @property
    def is_sequence(self) -> bool:
        """Whether visit t is element t of an array, for t that counts the steps."""
        return self.reads is not None

    @property
    def is_sum(self) -> bool:
        """Whether it is a running sum over time, as in ``L = L + …``: then its past is no recurrence."""
        return (
            self.operation is not None
            and self.operation.name == "add"
            and any(wire.source is self and abs(wire.delay) == 1 for wire in self.wires)
        )

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
    choices  for each visit which of them it was, 0 for the first
    """

    end: ReferenceType[Component]
    delay: int = 0
    initial: tuple[Wire, ...] = ()
    reach: str = "step"
    others: tuple[Wire, ...] = ()
    choices: tuple[int, ...] = ()
    final: tuple[Wire, ...] = ()

    @property
    def source(self) -> Component:
        """The component that gives the values. The circuit holds it."""
        source = self.end()
        if source is None:
            raise ReferenceError("the circuit of this wire is gone: keep it while its components are used")
        return source


Place = tuple[int, int]
"""(number of the component, time): a step of an unfolded circuit."""


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
        the recorded if a switch's choices, or when something happens, are not known there.
        """
        lengths = self.lengths if T is None else [T] * len(self.lengths) if isinstance(T, int) else list(T)
        if lengths != self.lengths:
            for source in (wire.source for c in self.components for wire in c.wires if wire.others):
                raise FoldError(f"{source!r}: which way a switch stands is known for the recorded length only")
        graph = self._unfolded(lengths)
        if lengths != self.lengths:
            for number in self._unread(graph) - self._unread(self._unfolded(self.lengths)):
                raise FoldError(f"{self.components[number]!r}: when it happens is known for the recorded length only")
        return graph

    def _unfolded(self, lengths: Sequence[int]) -> dict[Place, tuple[Place, ...]]:
        times = {c: c.times(1 if c.loop is None else lengths[c.loop]) for c in self.components}
        return {
            (i, t): tuple(place for wire in c.wires for place in self._places(chosen(c, wire, t, times), t, times))
            for i, c in enumerate(self.components)
            for t in times[c]
        }

    def _unread(self, graph: dict[Place, tuple[Place, ...]]) -> set[int]:
        """The components that have a step in a graph which none reads."""
        return {number for number, _ in graph.keys() - {place for inputs in graph.values() for place in inputs}}

    def _places(self, wire: Wire, t: int, times: Mapping[Component, range]) -> list[Place]:
        number = self._number[wire.source]
        if wire.reach == "step":
            return [(number, t - wire.delay)]
        all_times = times[wire.source]
        if wire.reach == "all":
            return [(number, s) for s in all_times]
        return [(number, all_times[-1 if wire.reach == "last" else 0])]


def chosen(component: Component, wire: Wire, t: int, times: Mapping[Component, range]) -> Wire:
    """The wire that serves in place of `wire` at time t: where a switch leads, an initial value where one is needed.

    times  when each component happens. Raises FoldError if that is not when it happened in the run, and what is read
           at this time is not known.
    """
    own, there = times[component], times[wire.source]
    if wire.others:
        wire = (wire, *wire.others)[wire.choices[t - own.start]]
        there = times[wire.source]
    if wire.reach != "step" or t - wire.delay in there:
        return wire
    begun = t - wire.delay >= there.start
    values = wire.final or wire.initial if begun else wire.initial
    number = own.stop - 1 - t if begun else t - own.start
    if number < len(values):
        value = values[number]
        if value.reach != "step" or t - value.delay in times[value.source]:
            return value
    raise FoldError(f"{component!r}: what it reads at step {t + 1} is known for the recorded length only")
