"""Where the inputs of a component come from, read off the steps that they came from at each time:

    the same time of another component          a wire
    d steps earlier, something else before      a wire with d delays and initial values
    one value for all visits                    a parameter, a constant, a context
    element t of an array                       a sequence
    one end of another loop, or all of it       an edge out of that loop
    now one component, now another              a switch

What cannot be said so is a FoldError, which names the place.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from weakref import ref

from .circuit import Component, FoldError, Wire
from .recorder import Step


class Timetable:
    """For each step of a run, which component it is a visit of and at what time; and the `lengths` of the loops."""

    def __init__(self) -> None:
        self.lengths: list[int] = []
        self._of: dict[Step, Component] = {}
        self._time: dict[Step, int] = {}

    def of(self, step: Step) -> Component:
        return self._of[step]

    def time(self, step: Step) -> int:
        return self._time[step]

    def enter(self, component: Component) -> None:
        """Note of its visits what they are and when."""
        for t, step in enumerate(component.visits, component.first):
            self._of[step] = component
            self._time[step] = t

    def wires(self, component: Component) -> list[Wire]:
        wires: list[Wire] = []
        slot = 0
        while slot < len(component.visits[0].inputs):
            every = self._whole_loop(component.visits[0].inputs[slot:])
            if every is not None:
                wires.append(Wire(ref(every), reach="all"))
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
        first = producers[0]
        source = self.of(first)
        if not (len(producers) == 1 and source.repeats and source.loop == component.loop):
            at = self.time(first)
            if all(step is first or (self.of(step) is source and self.time(step) == at) for step in producers):
                return self._end(component, first)
        reads = Counter(map(self.of, producers))
        near = [c for c in reads if component.repeats and c.loop == component.loop]
        sources = sorted(near, key=lambda c: -reads[c])
        for source in sources:
            wire = self._delayed(component, source, producers)
            if wire is not None:
                return wire
        return self._switch(component, sources, producers)

    def _end(self, component: Component, step: Step) -> Wire:
        """One value, of something that happened once or of one end of another loop."""
        source = self.of(step)
        if not source.repeats:
            return Wire(ref(source), reach="once")
        if step in (source.visits[0], source.visits[-1]):
            return Wire(ref(source), reach="first" if step is source.visits[0] else "last")
        raise FoldError(f"{component!r} reads only step {self.time(step) + 1} of {source!r}   {place_of(component)}")

    def _initial(self, component: Component, step: Step, t: int) -> Wire:
        """What is there at time t in place of a step that is not."""
        source = self.of(step)
        delay = t - self.time(step)
        if not source.repeats or source.loop != component.loop or 2 * abs(delay) >= self.lengths[source.loop or 0] > 2:
            return self._end(component, step)
        return Wire(ref(source), delay)

    def _delay(self, component: Component, source: Component, producers: list[Step]) -> int | None:
        """How many steps ago the source's values are from, wherever it is the one that is read; None if that varies."""
        delays = {t - self.time(x) for t, x in enumerate(producers, component.first) if self.of(x) is source}
        return delays.pop() if len(delays) == 1 else None

    def _delayed(self, component: Component, source: Component, producers: list[Step]) -> Wire | None:
        """The source a fixed number of steps ago and, where there is none, initial values; None if it is not so."""
        delay = self._delay(component, source, producers)
        if delay is None:
            return None
        there = range(source.first + delay, source.first + delay + len(source.visits))
        visits = list(enumerate(producers, component.first))
        if any((self.of(step) is source) != (t in there) for t, step in visits):
            return None
        before, after = (
            tuple(self._initial(component, step, t) for t, step in absent)
            for absent in (
                [visit for visit in visits if visit[0] < there.start],
                [visit for visit in reversed(visits) if visit[0] >= there.stop],
            )
        )
        elsewhere = [wire for wire in before + after if wire.reach == "step"]
        if len(elsewhere) > 1 and 2 * len(elsewhere) > len(visits):
            return None
        return Wire(ref(source), delay, before or after, final=after if before else ())

    def _switch(self, component: Component, sources: list[Component], producers: list[Step]) -> Wire:
        """Now one source, now another; where there is neither, an initial value of the one with the longest delay."""
        if not sources:
            raise FoldError(f"{component!r} reads {producers[0]!r}, then {producers[-1]!r}   {place_of(component)}")
        delays = []
        for source in sources:
            delay = self._delay(component, source, producers)
            if delay is None:
                raise FoldError(f"{component!r} does not read {source!r} at an even distance   {place_of(component)}")
            delays.append(delay)
        longest = delays.index(max(delays))
        number = {source: i for i, source in enumerate(sources)}
        choices = tuple(number.get(self.of(step), longest) for step in producers)
        outside = [t for t, step in enumerate(producers) if self.of(step) not in number]
        if outside != list(range(len(outside))) or len(outside) > max(delays) or len(sources) < 2:
            raise FoldError(f"{component!r} reads {sources[0]!r} only now and then   {place_of(component)}")
        initial = tuple(self._end(component, producers[t]) for t in outside)
        first, *others = (
            Wire(ref(source), delay, initial if i == longest else ())
            for i, (source, delay) in enumerate(zip(sources, delays, strict=True))
        )
        return Wire(first.end, first.delay, first.initial, others=tuple(others), choices=choices)


def place_of(component: Component) -> str:
    """Where in the user's code it stands."""
    step = component.visits[0]
    return str(step.site.in_user_code()) if step.site is not None else ""
