"""Fold a recorded run into its circuit: one component for each place in the code, and delays for the past.

A circuit is the program's source, an unfolded graph is its execution. Steps of the run that came from the
same place (same module, same expression, same operation) are the visits of one component, and the number of
the visit is its time. Each input of a component is then read off its producers:

    the same visit of another component        a wire
    d visits earlier, something else before    a wire with d delays, and initial values
    one value for all visits                   a parameter or a constant
    element t of an array                      a sequence

Folding never guesses: `Circuit.unfold` builds the run back from the circuit, and `fold` raises FoldError if
that is not the run it started from.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from .naming import Site
from .operation import Operation
from .recorder import Step


class FoldError(ValueError):
    """The run has no circuit that is certain; the message says which step stands in the way."""


@dataclass(eq=False, slots=True)
class Component:
    """What stands once in the code and happened `len(visits)` times.

    kind         "operation", "input", "parameter" or "constant"
    visits       the steps of the run, in order of time
    wires        for each input of the operation, where its values come from
    is_sequence  whether visit t is element t of an array that is there from the start
    """

    kind: str
    visits: list[Step]
    wires: list[Wire] = field(default_factory=list)
    is_sequence: bool = False

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
        return len(self.visits) > 1

    @property
    def is_sum(self) -> bool:
        """Whether it is a running sum over time, as in ``L = L + …``: then its past is no recurrence."""
        return (
            self.operation is not None
            and self.operation.name == "add"
            and any(wire.source is self and wire.delay == 1 for wire in self.wires)
        )

    def __repr__(self) -> str:
        return f"<{self.label}{f' ×{len(self.visits)}' if self.repeats else ''}>"


@dataclass(frozen=True, slots=True)
class Wire:
    """Where an input's values come from: `source`, `delay` visits ago; before that, `initial`.

    once  the source happened once and serves all visits
    last  the source is a loop, and what is read, after it, is its last visit
    """

    source: Component
    delay: int = 0
    initial: tuple[Component, ...] = ()
    once: bool = False
    last: bool = False


Place = tuple[int, int]
"""(number of the component, visit): a step of an unfolded circuit."""


class Circuit:
    """The components of a run; `components` are in the order in which they first happened."""

    def __init__(self, components: list[Component], outputs: list[Component]):
        self.components = components
        self.outputs = outputs
        self._number = {id(c): i for i, c in enumerate(components)}

    @property
    def length(self) -> int:
        """How many times the loop ran: T."""
        return max((len(c.visits) for c in self.components), default=0)

    def unfold(self, T: int | None = None) -> dict[Place, tuple[Place, ...]]:
        """The graph of a run of T steps (None: as many as recorded): for each step, its inputs."""
        T = self.length if T is None else T
        return {
            (i, t): tuple(self._input(wire, t, T) for wire in component.wires)
            for i, component in enumerate(self.components)
            for t in range(T if component.repeats else 1)
        }

    def _input(self, wire: Wire, t: int, T: int) -> Place:
        number = self._number[id(wire.source)]
        if wire.once:
            return number, 0
        if wire.last:
            return number, T - 1
        if t >= wire.delay:
            return number, t - wire.delay
        return self._number[id(wire.initial[t])], 0


def fold(steps: Iterable[Step], outputs: Iterable[Step]) -> Circuit:
    """The circuit of a recorded run (design.md's table). Raises FoldError where it is not certain."""
    grouped: dict[Any, list[Step]] = defaultdict(list)
    for step in steps:
        grouped[_role(step)].append(step)
    components = [Component(visits[0].kind, visits, is_sequence=_moves(visits)) for visits in grouped.values()]
    component_of = {id(step): c for c in components for step in c.visits}
    visit_of = {id(step): t for c in components for t, step in enumerate(c.visits)}
    for component in components:
        component.wires = [
            _wire(component, [step.inputs[slot] for step in component.visits], component_of, visit_of)
            for slot in range(len(component.visits[0].inputs))
        ]
    circuit = Circuit(components, [component_of[id(step)] for step in outputs])
    _certify(circuit, component_of, visit_of)
    return circuit


def _role(step: Step) -> Any:
    """What steps must share to be visits of one component."""
    if step.operation is not None:
        forward = None if step.forward is None else _role(step.forward)
        site = step.site if forward is None else step.site[1:]
        # zip(x, y) reads two arrays at one place
        array = id(step.inputs[0]) if step.operation.name == "getitem" and step.inputs[0].kind == "input" else None
        return step.module, site, step.operation.name, len(step.inputs), forward, array
    if step.kind == "constant" and isinstance(step.value, (bool, int, float)):
        return "number", type(step.value), repr(step.value)
    return id(step)


def _moves(visits: list[Step]) -> bool:
    """Whether visit t reads element t of an array: whether its index counts 0, 1, 2, …"""
    first = visits[0].attributes
    counts = len(visits) > 1 and [_count(step.attributes.get("index")) for step in visits] == list(range(len(visits)))
    for step in visits:
        changed = [name for name, value in step.attributes.items() if repr(value) != repr(first[name])]
        if changed and not (counts and changed == ["index"]):
            raise FoldError(
                f"{step!r}: {changed[0]} is {first[changed[0]]!r} at the first visit and "
                f"{step.attributes[changed[0]]!r} at visit {step.visit}; only an index that counts the steps from 0 "
                f"makes a sequence   {step.site.in_user_code()}"
            )
    return bool(counts)


def _place(component: Component) -> str:
    site = component.visits[0].site
    return str(site.in_user_code()) if isinstance(site, Site) else ""


def _count(index: Any) -> int | None:
    """The number in an index that is just one number."""
    return index[0] if isinstance(index, tuple) and len(index) == 1 and isinstance(index[0], int) else None


def _wire(consumer: Component, producers: list[Step], component_of: dict, visit_of: dict) -> Wire:
    """One input of a component, from the steps that produced it at each visit."""
    last = producers[-1]
    source = component_of[id(last)]
    if all(step is last for step in producers) or not source.repeats:
        if source.repeats and visit_of[id(last)] != len(source.visits) - 1:
            raise FoldError(f"{consumer!r} reads visit {visit_of[id(last)]} of {source!r} only   {_place(consumer)}")
        if not source.repeats and any(component_of[id(step)] is not source for step in producers):
            raise FoldError(f"{consumer!r} reads now one value, now another   {_place(consumer)}")
        return Wire(source, once=not source.repeats, last=source.repeats)
    if len(source.visits) != len(producers):
        raise FoldError(
            f"{consumer!r} happens {len(producers)} times and reads {source!r}, which happens "
            f"{len(source.visits)} times   {_place(consumer)}"
        )
    delay = len(producers) - 1 - visit_of[id(last)]
    initial = tuple(component_of[id(step)] for step in producers[:delay])
    for t, step in enumerate(producers):
        if t >= delay and (component_of[id(step)] is not source or visit_of[id(step)] != t - delay):
            raise FoldError(f"{consumer!r} does not read {source!r} at an even distance   {_place(consumer)}")
        if t < delay and component_of[id(step)].repeats:
            raise FoldError(f"{consumer!r}: initial values come from a loop   {_place(consumer)}")
    return Wire(source, delay, initial)


def _certify(circuit: Circuit, component_of: dict, visit_of: dict) -> None:
    number = {id(c): i for i, c in enumerate(circuit.components)}
    unfolded = circuit.unfold()
    for i, component in enumerate(circuit.components):
        for t, step in enumerate(component.visits):
            happened = tuple(
                (number[id(component_of[id(x)])], 0 if not component_of[id(x)].repeats else visit_of[id(x)])
                for x in step.inputs
            )
            if unfolded.get((i, t)) != happened:
                raise FoldError(f"the circuit does not unfold into the run at {step!r}   {step.site}")
