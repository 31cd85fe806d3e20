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
from viz.labels import at_step, superscript, visible

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
    """`steps` of the record run and light components and moments, by number. `elided`: at times that are not drawn."""

    backward: bool
    elided: bool
    text: str = ""
    steps: list[Step] = field(default_factory=list)
    components: set[int] = field(default_factory=set)
    moments: set[int] = field(default_factory=set)


def passes(graph: Graph) -> tuple[Graph, Graph | None, str]:
    """The forward pass of a graph, the graph of both passes if there is one, and otherwise why there is none."""
    if graph.forward is not None:
        return graph.forward, graph, ""
    try:
        return graph, graph.backward(), ""
    except GradientError as error:
        return graph, None, str(error).removeprefix("graph.backward: ")


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
        self._enter(circuit, unfolded)
        self._owner = self._owners()
        self._gradient_of: dict[Step, list[Step]] = {}
        for step, gradient in self.gradients.items():
            if step in self._component:
                self._gradient_of.setdefault(gradient, []).append(step)
        self.stops = self._stops()
        self._set_times()

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
                self._add_moment(step.label, "parameter", (step.index,))

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
        return visible(step.name, NAME) if step.name and step.operation is None else None

    def name_of_gradient(self, step: Step) -> str:
        return f"∂{self.loss}/∂{self.name(step) or step.label}"

    @property
    def loss(self) -> str:
        """The name of what the backward pass starts from."""
        return visible(next(iter(self.gradients)).name or "L", NAME) if self.gradients else "L"

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

    def _owners(self) -> dict[Step, Step]:
        """For each step of the forward pass the variable that it is, or the first one it is used to compute."""
        owners: dict[Step, Step] = {}
        for step in reversed(self.forward.steps):
            if step in self._component:
                owners[step] = step
            if step in owners:
                owners.update((x, owners[step]) for x in step.inputs)
        return owners

    def _lit(self, step: Step) -> list[Step]:
        """The variables and parameters that a step lights.

        A step of the forward pass lights what it computes, or helps to compute. A step of the backward pass lights what
        it is the gradient of; or else, being the derivative with respect to an input x of an operation, what x helped
        to compute, and the parameter that x is, or is the transpose of.
        """
        if not self._is_backward(step):
            return self._owned(step)
        if step in self._gradient_of:
            return self._gradient_of[step]
        assert step.forward is not None
        x = step.forward if step.slot is None else step.forward.inputs[step.slot]
        lit = self._owned(x)
        while len(x.inputs) == 1:
            (x,) = x.inputs
        return list(dict.fromkeys(lit + [x] * (x.kind == "parameter")))

    def _owned(self, step: Step) -> list[Step]:
        return [self._owner[step]] if step in self._owner else []

    def _is_backward(self, step: Step) -> bool:
        return step.index >= len(self.forward.steps)

    def _stops(self) -> list[Stop]:
        stops: list[Stop] = []
        for step in self.steps:
            backward = self._is_backward(step)
            if step.operation is None and not (backward and step in self._gradient_of):
                continue
            lit = self._lit(step)
            seen = any(s in self._moment and s.kind != "parameter" for s in lit)
            goes_on = bool(stops) and stops[-1].elided and stops[-1].backward == backward
            if seen or not (goes_on or any(s not in self._moment for s in lit)):
                stops.append(Stop(backward, False, self._text(step)))
            elif not goes_on:
                stops.append(Stop(backward, True))
            stop = stops[-1]
            stop.steps.append(step)
            stop.components.update(self._component[s] for s in lit)
            stop.moments.update(self._moment[s] for s in lit if s in self._moment)
        for stop in stops:
            if stop.elided:
                stop.text = f"{len(stop.steps):,} operations of steps that are not drawn"
        return stops

    def _text(self, step: Step) -> str:
        text = expression(step, self.name)
        if step.kind == "failed":
            return f"{text} raised"
        name = self.name(step)
        return f"{name} = {text}" if name else text

    def _set_times(self) -> None:
        ran = {step: number for number, stop in enumerate(self.stops, 1) for step in stop.steps}
        for moment in self.moments:
            moment.at = ran.get(moment.step, 0)
            moment.gradient_at = ran.get(moment.gradient) if moment.gradient is not None else None


def _stands_for_steps(vertex: Vertex) -> bool:
    return bool(vertex.steps) and vertex.kind != "ellipsis"
