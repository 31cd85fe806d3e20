"""Fold a recorded run into its circuit: one component for each place in the code, and delays for the past.

Steps of the run that came from the same place (same module, same expression, same operation) are the visits
of one component, and the number of the visit is its time. Each input of a component is then read off the
steps that it came from:

    the same time of another component          a wire
    d steps earlier, something else before      a wire with d delays and initial values
    one value for all visits                    a parameter, a constant, a context
    element t of an array                       a sequence
    one end of another loop, or all of it       an edge out of that loop
    now one component, now another              a switch

Folding never guesses: the circuit is unfolded again, and FoldError is raised if that is not the run.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from .circuit import Circuit, Component, FoldError, Wire
from .naming import Site
from .recorder import Step


def fold(steps: Iterable[Step], outputs: Iterable[Step]) -> Circuit:
    """The circuit of a recorded run. Raises FoldError where it is not certain."""
    components = _components(list(steps))
    folding = _Folding(components)
    folding.find_directions()
    for component in components:
        component.wires = folding.wires(component)
    lengths = _loops(components)
    circuit = Circuit(components, [folding.of(step) for step in outputs], lengths)
    folding.certify(circuit)
    return circuit


# -- which steps are visits of one component ---------------------------------------------------------------


def _components(steps: list[Step]) -> list[Component]:
    """Group the steps by place; divide a group again where one place in the code does several things in a step.

    A place does several things where it goes through a list of parameters or the pieces of a split, and everything
    that is computed from them one by one does so too. Dividing goes on until nothing changes.
    """
    place: dict[Any, list[Step]] = defaultdict(list)
    for step in steps:
        place[_role(step)].append(step)
    groups = [part for group in place.values() for part in _divided_by_what_enters(group)]
    while True:
        group_of = {id(step): i for i, group in enumerate(groups) for step in group}
        divided = [part for group in groups for part in _divided_by_source(group, groups, group_of)]
        if len(divided) == len(groups):
            break
        groups = divided
    groups.sort(key=lambda group: group[0].index)
    return [Component(group[0].kind, group, reads=_offset(group)) for group in groups]


def _role(step: Step) -> Any:
    if step.operation is not None:
        forward = None if step.forward is None else _role(step.forward)
        return step.module, step.site if forward is None else step.site[1:], step.operation.name, forward
    if step.kind == "constant" and isinstance(step.value, (bool, int, float)):
        return "number", type(step.value), repr(step.value)
    return id(step)


def _divided_by_what_enters(group: list[Step]) -> list[list[Step]]:
    """By the parameters and inputs that are read, where every visit reads one, and by the operation's attributes."""
    if len(group) == 1 or group[0].operation is None or len({len(step.inputs) for step in group}) > 1:
        return _divided(group, lambda step: len(step.inputs))
    slots = range(len(group[0].inputs))
    entered = [slot for slot in slots if all(step.inputs[slot].operation is None for step in group)]
    parts = _divided(group, lambda step: tuple(_role(step.inputs[slot]) for slot in entered))
    return [p for part in parts for p in ([part] if _offset(part) is not None else _divided(part, _attributes))]


def _divided_by_source(group: list[Step], groups: list[list[Step]], group_of: dict[int, int]) -> list[list[Step]]:
    """By the component that one of the inputs comes from, if each of those brings as many values as it has visits."""
    for slot in range(len(group[0].inputs)):
        parts = _divided(group, lambda step: group_of[id(step.inputs[slot])])  # noqa: B023
        sources = [groups[group_of[id(part[0].inputs[slot])]] for part in parts]
        if len(parts) > 1 and all(
            len(source) == len(part) and source[0].operation is not None
            for source, part in zip(sources, parts, strict=True)
        ):
            return parts
    return [group]


def _divided(group: list[Step], key: Callable[[Step], Any]) -> list[list[Step]]:
    parts: dict[Any, list[Step]] = defaultdict(list)
    for step in group:
        parts[key(step)].append(step)
    return list(parts.values())


def _attributes(step: Step) -> str:
    return repr(step.attributes)


def _offset(group: list[Step]) -> int | None:
    """If the visits read elements i, i ± 1, i ± 2, … of an array: the smallest of these numbers; otherwise None."""
    if len(group) == 1 or group[0].operation is None or group[0].operation.name != "getitem":
        return None
    indices = [step.attributes["index"] for step in group]
    moving = [i for i, part in enumerate(indices[0]) if isinstance(part, int) and indices[1][i : i + 1] != (part,)]
    if len(moving) != 1 or any(len(index) != len(indices[0]) for index in indices):
        return None
    (i,) = moving
    numbers = [index[i] for index in indices]
    others = {repr((*index[:i], *index[i + 1 :])) for index in indices}
    by = numbers[1] - numbers[0] if isinstance(numbers[1], int) else 0
    even = abs(by) == 1 and all(n == numbers[0] + t * by for t, n in enumerate(numbers))
    return min(numbers) if even and len(others) == 1 else None


# -- where their inputs come from --------------------------------------------------------------------------


class _Folding:
    """The components of a run and, for each step, which it is a visit of and at what time."""

    def __init__(self, components: list[Component]):
        self.components = components
        self._of = {id(step): c for c in components for step in c.visits}
        self._time: dict[int, int] = {}
        for component in components:
            self._number(component)

    def of(self, step: Step) -> Component:
        return self._of[id(step)]

    def time(self, step: Step) -> int:
        return self._time[id(step)]

    def _number(self, component: Component) -> None:
        self._time.update({id(step): t for t, step in enumerate(component.visits)})

    def find_directions(self) -> None:
        """Turn round the components whose loop runs backward: by the data it reads, whose index falls."""
        backward: dict[int, bool] = {}
        for c in self.components:
            if c.is_sequence:
                backward[id(c)] = _index(c.visits[0]) > _index(c.visits[1])
        links = [link for c in self.components if c.repeats for link in self._links(c)]
        changed = True
        while changed:
            changed = False
            for a, b, opposite in links:
                for one, other in ((a, b), (b, a)):
                    if id(one) in backward and id(other) not in backward:
                        backward[id(other)] = backward[id(one)] != opposite
                        changed = True
        for c in self.components:
            if backward.get(id(c)):
                c.backward = True
                c.visits.reverse()
                self._number(c)

    def _links(self, component: Component) -> list[tuple[Component, Component, bool]]:
        """The components that are read one visit after another, and whether against the order of this one's."""
        found = []
        for slot in range(len(component.visits[0].inputs)):
            first, second = (step.inputs[slot] for step in component.visits[-2:])
            source = self.of(first)
            if self.of(second) is source and source is not component and first is not second:
                found.append((component, source, self.time(second) < self.time(first)))
        return found

    def wires(self, component: Component) -> list[Wire]:
        wires: list[Wire] = []
        slot = 0
        while slot < len(component.visits[0].inputs):
            every = self._whole_loop(component.visits[0].inputs[slot:])
            if every is not None:
                wires.append(Wire(every, reach="all"))
                slot += len(every.visits)
            else:
                wires.append(self._wire(component, [step.inputs[slot] for step in component.visits]))
                slot += 1
        return wires

    def _whole_loop(self, inputs: Sequence[Step]) -> Component | None:
        """The loop all of whose visits these inputs begin with, in order of time."""
        source = self.of(inputs[0])
        n = len(source.visits)
        if n > 1 and len(inputs) >= n and all(a is b for a, b in zip(inputs, source.visits, strict=False)):
            return source
        return None

    def _wire(self, component: Component, producers: list[Step]) -> Wire:
        """One input of a component, from the steps that it came from at each time."""
        if all(step is producers[0] for step in producers):
            return self._single(component, producers[0])
        sources = list({id(c): c for c in map(self.of, producers) if len(c.visits) == len(producers)}.values())
        for source in sources:
            wire = self._delayed(component, source, producers)
            if wire is not None:
                return wire
        return self._switch(component, sources, producers)

    def _single(self, component: Component, step: Step) -> Wire:
        """One value, of something that happened once or of one end of another loop."""
        source, t = self.of(step), self.time(step)
        if source.repeats and t not in (0, len(source.visits) - 1):
            raise FoldError(f"{component!r} reads only step {t + 1} of {source!r}   {_place(component)}")
        return Wire(source, reach="once" if not source.repeats else "last" if t else "first")

    def _delay(self, component: Component, source: Component, producers: list[Step]) -> int:
        """How many steps ago the source's values are from, wherever it is the one that is read."""
        delays = {t - self.time(step) for t, step in enumerate(producers) if self.of(step) is source}
        if len(delays) != 1:
            raise FoldError(f"{component!r} does not read {source!r} at an even distance   {_place(component)}")
        return delays.pop()

    def _delayed(self, component: Component, source: Component, producers: list[Step]) -> Wire | None:
        """The source a fixed number of steps ago and, where there is none yet, initial values; None if it is not so."""
        T, delay = len(producers), self._delay(component, source, producers)
        start = range(delay) if delay >= 0 else range(T - 1, T - 1 + delay, -1)
        if any((self.of(step) is source) == (t in start) for t, step in enumerate(producers)):
            return None
        return Wire(source, delay, tuple(self._single(component, producers[t]) for t in start))

    def _switch(self, component: Component, sources: list[Component], producers: list[Step]) -> Wire:
        """Now one source, now another; where there is neither, an initial value of the one with the longest delay."""
        if not sources:
            raise FoldError(f"{component!r} reads {producers[0]!r}, then {producers[1]!r}   {_place(component)}")
        delays = [self._delay(component, source, producers) for source in sources]
        longest = delays.index(max(delays))
        number = {id(source): i for i, source in enumerate(sources)}
        choices = tuple(number.get(id(self.of(step)), longest) for step in producers)
        outside = [t for t, step in enumerate(producers) if id(self.of(step)) not in number]
        if outside != list(range(len(outside))) or len(outside) > max(delays) or len(sources) < 2:
            raise FoldError(f"{component!r} reads {sources[0]!r} only now and then   {_place(component)}")
        initial = tuple(self._single(component, producers[t]) for t in outside)
        first, *others = (
            Wire(source, delay, initial if i == longest else ())
            for i, (source, delay) in enumerate(zip(sources, delays, strict=True))
        )
        return Wire(first.source, first.delay, first.initial, others=tuple(others), choices=choices)

    def certify(self, circuit: Circuit) -> None:
        """Unfold the circuit and compare it with the run, step by step."""
        number = {id(c): i for i, c in enumerate(circuit.components)}
        unfolded = circuit.unfold()
        for i, component in enumerate(circuit.components):
            for t, step in enumerate(component.visits):
                happened = tuple((number[id(self.of(x))], self.time(x)) for x in step.inputs)
                if unfolded.get((i, t)) != happened:
                    raise FoldError(f"the circuit does not unfold into the run at {step!r}   {_place(component)}")


def _loops(components: list[Component]) -> list[int]:
    """Number the loops: components that are joined by wires step by step run in one. Returns their lengths."""
    joined: dict[int, list[Component]] = defaultdict(list)
    for c in components:
        for wire in c.wires:
            for one in (wire, *wire.others):
                if one.reach == "step" and c.repeats:
                    joined[id(c)].append(one.source)
                    joined[id(one.source)].append(c)
    lengths: list[int] = []
    for c in components:
        if c.repeats and c.loop is None:
            c.loop = len(lengths)
            pending = [c]
            for member in pending:
                for neighbour in joined[id(member)]:
                    if neighbour.loop is None:
                        neighbour.loop = c.loop
                        pending.append(neighbour)
            lengths.append(len(c.visits))
    return lengths


def _index(step: Step) -> int:
    return next(part for part in reversed(step.attributes["index"]) if isinstance(part, int))


def _place(component: Component) -> str:
    site = component.visits[0].site
    return str(site.in_user_code()) if isinstance(site, Site) else ""
