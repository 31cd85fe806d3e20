"""A recorded run as the page plays it: what is drawn of it, and stop by stop what runs and what that lights.

A *component* is what is written once: a variable of the circuit, or a parameter. A *moment* is a component at one step
of time, a vertex of the unfolded graph. A *stop* is a place of the slider: an operation of the forward pass or, after
those, of the backward pass; what happened at steps that are not drawn is one stop each time.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from tinygrad_rnn.autodiff.errors import GradientError
from tinygrad_rnn.tracing.record import Graph
from tinygrad_rnn.tracing.recorder import Step
from viz.diagrams.diagram import Diagram
from viz.diagrams.vertices import Vertex
from viz.explorer.expressions import Names, expression
from viz.labels import at_step, superscript, typeset, visible

NAME = 80  # characters of a name that are shown


@dataclass(eq=False)
class Component:
    """`visits` are its steps in order of time, `moments` the numbers of those that are drawn."""

    label: str
    kind: str
    visits: list[Step]
    moments: list[int] = field(default_factory=list)


@dataclass(eq=False)
class Moment:
    """`step` gave its value and `gradient` its gradient, at the stops `at` and `gradient_at`; 0 is before the first."""

    label: str
    component: int
    step: Step
    gradient: Step | None
    at: int = 0
    gradient_at: int | None = None


@dataclass(eq=False)
class Stop:
    """A `step` of the record runs, or `count` of them from it on, and lights components and moments, by number.

    elided  whether these are of times that are not drawn
    """

    backward: bool
    elided: bool
    step: Step
    text: str = ""
    count: int = 0
    components: set[int] = field(default_factory=set)
    moments: set[int] = field(default_factory=set)


Lit = tuple[int, int | None]
"""The number of a component that is lit and that of its moment; None: it is not drawn."""


def passes(graph: Graph) -> tuple[Graph, Graph | None, str]:
    """The forward pass of a graph, the graph of both passes if there is one, and otherwise why there is none."""
    if graph.forward is not None:
        return graph.forward, graph, ""
    try:
        return graph, graph.backward(), ""
    except GradientError as error:
        return graph, None, str(error).removeprefix("graph.backward: ").partition("   ")[0]  # not where in this file


class Playback:
    """`components`, `moments` and `stops` of a run, read off its record and the two diagrams of it."""

    def __init__(self, forward: Graph, both: Graph | None, circuit: Diagram | None, unfolded: Diagram):
        self.forward, self.both = forward, both
        self.steps = (both or forward).steps
        self.gradients = both.gradients if both else {}
        self.components: list[Component] = []
        self.moments: list[Moment] = []
        self._component: dict[Step, int] = {}
        self._time: dict[Step, int] = {}
        self._moment: dict[Step, int] = {}
        names = forward.reading.names.items() if circuit is not None else ()
        self._names = {step: typeset(name) for c, name in names for step in c.visits if step.operation is None}
        self._enter(circuit, unfolded)
        self._lit_by = self._lights()
        self._gradient_of: dict[Step, list[Step]] = {}
        for step, gradient in self.gradients.items():
            if step in self._component:
                self._gradient_of.setdefault(gradient, []).append(step)
        self.stops = self._stops()

    # -- what is drawn -----------------------------------------------------------------------------------

    def _enter(self, circuit: Diagram | None, unfolded: Diagram) -> None:
        for vertex in (circuit or unfolded).vertices:
            if _stands_for_steps(vertex):
                self._add_component(vertex.label, vertex.kind, vertex.steps)
        for vertex in unfolded.vertices:
            if _stands_for_steps(vertex):
                self._add_moment(vertex.label, vertex.kind, vertex.steps)
        for step in self.forward.parameters:
            if step not in self._moment:
                self._add_moment(self._names.get(step, typeset(step.label)), "parameter", (step.index,))

    def _add_component(self, label: str, kind: str, indices: Sequence[int]) -> None:
        visits = [self.steps[i] for i in indices]
        self._component.update(dict.fromkeys(visits, len(self.components)))
        self._time.update((step, t) for t, step in enumerate(visits))
        self.components.append(Component(visible(label, NAME), kind, visits))

    def _add_moment(self, label: str, kind: str, indices: Sequence[int]) -> None:
        step = self.steps[indices[0]]
        if step not in self._component:
            self._add_component(label, kind, indices)
        number = self._component[step]
        self.components[number].moments.append(len(self.moments))
        self._moment[step] = len(self.moments)
        self.moments.append(Moment(visible(label, NAME), number, step, self.gradients.get(step)))

    def component_of(self, vertex: Vertex) -> int | None:
        """What a vertex of the circuit stands for; None for a square and the like."""
        return self._component[self.steps[vertex.steps[0]]] if _stands_for_steps(vertex) else None

    def moment_of(self, vertex: Vertex) -> int | None:
        """What a vertex of the unfolded graph stands for."""
        return self._moment[self.steps[vertex.steps[0]]] if _stands_for_steps(vertex) else None

    # -- names -------------------------------------------------------------------------------------------

    def name(self, step: Step) -> str | None:
        """What a formula writes for a step: a variable at its time, a parameter, or the gradient of one of them."""
        if step in self._gradient_of:
            return self.name_of_gradient(self._gradient_of[step][0])
        if step in self._moment:
            return self.moments[self._moment[step]].label
        if step in self._component:
            return at_step(self.components[self._component[step]].label, self._time[step] + 1)
        if step.forward in self._component and step.slot is None:
            return f"{self.name_of_gradient(step.forward)} so far"
        return self._names.get(step) or (typeset(step.name) if step.name and step.operation is None else None)

    def name_of_gradient(self, step: Step) -> str:
        return f"∂{self.loss}/∂{self.name(step) or typeset(step.label)}"

    @property
    def loss(self) -> str:
        """The name of what the backward pass starts from."""
        return typeset(next(iter(self.gradients)).name or "L") if self.gradients else "L"

    def names_beside(self, step: Step) -> Names:
        """Names as an equation for `step` writes them, whose own time is t: h⁽ᵗ⁾, h⁽ᵗ⁻¹⁾."""
        now, T = self._time[step], len(self.components[self._component[step]].visits)

        def name(other: Step) -> str | None:
            if other not in self._component:
                return self.name(other)
            component = self.components[self._component[other]]
            if len(component.visits) == 1 or component.label.endswith(superscript(")")):
                return component.label
            if len(component.visits) != T:  # of another loop
                return self.name(other)
            return at_step(component.label, "t", self._time[other] - now)

        return name

    @property
    def shown(self) -> Collection[Step]:
        """The steps that the circuit has a variable for, or a parameter."""
        return self._component.keys()

    # -- what runs ---------------------------------------------------------------------------------------

    def _lights(self) -> dict[Step, Lit]:
        """What each step of the forward pass lights: the variable that it is, or the first it is used to compute."""
        lights: dict[Step, Lit] = {}
        for step in reversed(self.forward.steps):
            if step in self._component:
                lights[step] = self._component[step], self._moment.get(step)
            if step in lights:
                lights.update(dict.fromkeys(step.inputs, lights[step]))
        return lights

    def _lit(self, step: Step) -> list[Lit]:
        """The variables and parameters that a step lights.

        A step of the forward pass lights what it computes, or helps to compute. A step of the backward pass lights what
        it is the gradient of; or else, being the derivative with respect to an input x of an operation, what x helped
        to compute, and the parameter that x is, or is the transpose of.
        """
        if not self._is_backward(step):
            lit = [step]
        elif step in self._gradient_of:
            lit = self._gradient_of[step]
        else:
            assert step.forward is not None
            x = step.forward if step.slot is None else step.forward.inputs[step.slot]
            lit = [x]
            while len(x.inputs) == 1:
                (x,) = x.inputs
            if x.kind == "parameter":
                lit.append(x)
        return [self._lit_by[s] for s in lit if s in self._lit_by]

    def _is_backward(self, step: Step) -> bool:
        return step.index >= len(self.forward.steps)

    def _stops(self) -> list[Stop]:
        stops: list[Stop] = []
        drawn = {number for number, moment in enumerate(self.moments) if moment.step.kind != "parameter"}
        for step in self.steps:
            backward = self._is_backward(step)
            if step.operation is None and not (backward and step in self._gradient_of):
                continue
            lit = self._lit(step)
            seen = any(moment in drawn for _, moment in lit)
            goes_on = bool(stops) and stops[-1].elided and stops[-1].backward == backward
            if seen or not (goes_on or any(moment is None for _, moment in lit)):
                stops.append(Stop(backward, False, step, self._text(step)))
            elif not goes_on:
                stops.append(Stop(backward, True, step))
            stop = stops[-1]
            stop.count += 1
            for component, moment in lit:
                stop.components.add(component)
                if moment is not None:
                    stop.moments.add(moment)
            self._set_time(step, len(stops))
        for stop in stops:
            if stop.elided:
                stop.text = f"{stop.count:,} operations of steps that are not drawn"
        return stops

    def _text(self, step: Step) -> str:
        text = expression(step, self.name)
        if step.kind == "failed":
            return f"{text} raised"
        name = self.name(step)
        return f"{name} = {text}" if name else text

    def _set_time(self, step: Step, stop: int) -> None:
        """At which stop a moment got its value or its gradient."""
        if step in self._moment:
            self.moments[self._moment[step]].at = stop
        for of in self._gradient_of.get(step, ()):
            if of in self._moment:
                self.moments[self._moment[of]].gradient_at = stop


def _stands_for_steps(vertex: Vertex) -> bool:
    return bool(vertex.steps) and vertex.kind != "ellipsis"
