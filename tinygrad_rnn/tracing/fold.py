"""Fold a recorded run into its circuit: one component for each place in the code, and delays for the past.

Steps of the run that came from the same place are the visits of one component, and the iterations of the loops around
it are the point at which each happened (grouping.py). Loops that run in step with each other, one reading what the
other made, are one loop of the circuit; one that runs through its data backward is turned round (clocks.py). When a
component happens is said for loops of any length (domains.py), and each input is read off the steps it came
from (wiring.py).

The backward pass folds in the same way. A step of it has the point of the forward step whose derivative rule
made it. Where its recursion starts, at t = T, there is no gradient from the future to be added: the sum of
gradients exists for t < T only, and the one gradient that there is takes its place as an initial value does.

Folding never guesses: the circuit is unfolded again, and FoldError is raised if that is not the run.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from . import refusals
from .circuit import Axis, Bound, Circuit, Component, FoldError, Point, inputs, read
from .clocks import Clock, Clocks
from .domains import Domains, ends, is_near, lines
from .elements import index_read, is_turned_round, offset
from .grouping import grouped, is_number, is_one_constant, with_unread_elements
from .groups import Group
from .naming import Loop
from .recorder import Step
from .wiring import Timetable

STRETCH = 16
"""A long run is read off so many steps at each end."""


def fold(
    steps: Iterable[Step],
    outputs: Iterable[Step],
    by: Callable[[Step], Hashable] | None = None,
) -> Circuit:
    """The circuit of a recorded run. Raises FoldError where it is not certain.

    by      a further key: steps of one place are visits of one component only if it is equal
    """
    steps = list(steps)
    found, refused = [], []
    for joined in True, False:
        try:
            found.append(_folded(steps, by, joined))
        except FoldError as error:
            refused.append(error)
        if found and not found[-1].chooses:
            break
    if not found:
        raise refused[0]
    folding = min(found, key=lambda folding: folding.chooses)  # a rule is better than a choice
    if not folding.lengths and (recursion := _recursion(steps)):
        raise recursion
    circuit = folding.circuit()
    circuit.outputs = [folding.of(step) for step in outputs]
    return circuit


def _folded(steps: list[Step], by: Callable[[Step], Hashable] | None, joined: bool) -> _Folding:
    backward = [step for step in steps if step.forward is not None]
    numbers = {x for step in backward for x in step.inputs if is_number(x)}
    groups = grouped([s for s in steps if s.forward is None and s not in numbers], by, joined)
    folding = _Folding([*steps, *with_unread_elements(groups, len(steps))])
    folding.fold_forward(groups)
    folding.fold_backward(backward)
    return folding


def _recursion(steps: Sequence[Step]) -> FoldError | None:
    """The reason why the run of a function that calls itself has no circuit."""
    for site in {step.site: None for step in steps if step.site is not None}:
        for loop in site.loops:
            if loop.calls_itself is not None:
                return refusals.calls_itself(loop.calls_itself)
    return None


def _both_ends(component: Component) -> Component:
    """A component in a loop with its first and last visits; itself where these are not few of all."""
    if len(component.visits) <= 4 * STRETCH or component.nested:
        return component
    visits, points = ([*found[:STRETCH], *found[-STRETCH:]] for found in (component.visits, component.points))
    return replace(component, visits=visits, points=points)


def _follows(bound: Bound, axis: Axis) -> bool:
    """Whether a bound is at most two steps of an axis from one of its bounds, at any length."""
    return any(bound[1:] == other[1:] and abs(bound.offset - other.offset) <= 2 * axis.step for other in axis[1:3])


class _Folding(Timetable):
    """The components of a run, found one after another."""

    def __init__(self, steps: Sequence[Step]) -> None:
        super().__init__(steps)
        self.components: list[Component] = []
        self._numbers: dict[str, Component] = {}
        self._takes_several: set[Component] = set()
        self._has_choices = False  # of the forward pass: then none of the backward pass can be known at other lengths

    @property
    def chooses(self) -> bool:
        """Whether the program chose a step that is read."""
        return any(wire.is_chosen for c in self.components for end in c.wires for wire in end.within())

    def circuit(self) -> Circuit:
        order = sorted(self.components, key=lambda c: min(step.index for step in c.visits))
        return Circuit(order, self.lengths)

    def _connect(self, component: Component) -> None:
        """Give a component its wires: those with which it unfolds into its visits, step by step.

        They are read off both ends of a long run, if they hold for all of it.
        """
        few = _both_ends(component)
        if few is not component:
            with suppress(FoldError):
                component.wires = self.wires(few)
                if not any(wire.choices for wire in component.wires) and self._unfolds(component):
                    return
        component.wires = self.wires(component)
        if not self._unfolds(component):
            raise refusals.does_not_unfold(component)

    def _unfolds(self, component: Component) -> bool:
        """Whether what it would read in a run of these lengths is what it has read, at the points where it has."""
        if component.domain(self.lengths) != component.points:
            return False
        read_at, of, at = inputs(component, self.lengths), self._of, self._point
        return all(
            read_at(point) == [(of[x.index], at[x.index]) for x in step.inputs]
            for point, step in zip(component.points, component.visits, strict=True)
        )

    # -- the forward pass ----------------------------------------------------------------------------------

    def fold_forward(self, groups: list[Group]) -> None:
        found_clocks = Clocks(groups)
        self.lengths[:], clocks = found_clocks.lengths, found_clocks.of
        for group in groups:
            same = is_one_constant(group.steps)
            steps, points = (group.steps[:1], [()]) if same else (group.steps, self._timed(group, clocks))
            found = self._components(group.first.kind, steps, points, [clocks[loop].number for loop in group.loops])
            for component in found:
                component.backward = bool(component.axes) and clocks[group.loops[0]].sign < 0
            self.components += found
            if same:  # an equal constant is the same one
                self.stands_for(found[0], group.steps)
        for component in self.components:
            component.reads = self._reads(component)
            self._connect(component)
        self._takes_several = {c for c in self.components if any(wire.takes_several for wire in c.wires)}
        self._has_choices = any(wire.is_by_choice for c in self.components for wire in c.wires)

    def _timed(self, group: Group, clocks: dict[Loop, Clock]) -> list[Point]:
        of = [clocks[loop] for loop in group.loops]
        return [tuple([clock.sign * i + clock.start for clock, i in zip(of, at, strict=True)]) for at in group.points]

    def _components(
        self, kind: str, steps: Sequence[Step], points: Sequence[Point], loops: Sequence[int], keep: int = 0
    ) -> list[Component]:
        """The component that has these visits, in loops with these numbers; at least `keep` of these are axes.

        Visits at the end of a loop may follow another rule than the rest: then they are a component of their own.
        """
        moving = [k for k in range(len(loops)) if k < keep or len({point[k] for point in points}) > 1]
        if len(moving) < len(loops):
            points = [tuple([point[k] for k in moving]) for point in points]
            loops = [loops[k] for k in moving]
        visits = dict(sorted(zip(points, steps, strict=True), key=lambda visit: visit[0]))
        whole = Component(kind, list(visits.values()))
        if len(visits) < len(steps):
            raise refusals.runs_again(whole)
        is_forward = steps[0].forward is None
        known = self._axes_of_the_forward_step(steps[0])
        strides = {(axis.loop, axis.step) for axis in known}
        domains = Domains(self.lengths, strides).of(list(visits), loops, with_ends=not is_forward or len(loops) > 1)
        if domains is None:
            raise refusals.runs_now_and_then(whole, lines(visits, len(loops) - 1), self.lengths[loops[-1]])
        found = []
        for domain, axes, without in domains:
            component = Component(kind, [visits[point] for point in domain], [], axes, domain)
            component.without = without
            at_ends = all(
                is_near(bound, self.lengths[axis.loop])
                or any(_follows(bound, one) for one in known if one.loop == axis.loop)
                for axis in axes
                for bound in axis[1:3]
            )
            is_even = all(
                axis.step == 1 or (axis.loop, axis.step) in strides or len({point[k] for point in domain}) > 2
                for k, axis in enumerate(axes)
            )
            component.anywhere = at_ends and is_even and (not is_forward or (len(domains) == 1 and without >= 0))
            found.append(component)
            self.enter(component)
        return found

    def _axes_of_the_forward_step(self, step: Step) -> tuple[Axis, ...]:
        """Of a step of the backward pass: the axes of the forward component whose derivative it is, if it is known when
        that happens at other lengths."""
        if step.forward is None:
            return ()
        component = self.of(step.giver[0] if step.giver is not None else step.forward)
        return component.axes if component.anywhere else ()

    def _reads(self, component: Component) -> int | None:
        """For the elements of an array in the order of time: how far ahead of the step they are."""
        if len(component.axes) != 1 or component.axes[0].step != 1:
            return None
        lowest = offset(component.visits)
        if lowest is None:
            return None
        falls = index_read(component.visits[0]) > index_read(component.visits[-1])
        return lowest - component.first if falls == is_turned_round(component.visits[0].inputs[0]) else None

    # -- the backward pass ---------------------------------------------------------------------------------

    def fold_backward(self, steps: Sequence[Step]) -> None:
        """Group the steps by what they are the derivative of; their point is the point of that."""
        groups: dict[Any, tuple[list[Step], list[Point]]] = defaultdict(lambda: ([], []))
        for step in steps:
            *place, loops, at = self._rule(step) if step.giver is None else self._sum(step, *step.giver)
            assert step.operation is not None
            members, points = groups[*place, step.part, step.operation.name, loops]
            members.append(step)
            points.append(at)
        found = []
        for (*_, loops), (members, points) in groups.items():
            for component in self._components("operation", members, points, loops, keep=min(1, len(loops))):
                component.backward = points[0] > points[-1]
                component.reads = self._reads(component)
                found.append(component)
        known = len(self.components)
        for component in found:
            for producers in zip(*(step.inputs for step in component.visits), strict=False):
                numbers = [x for x in producers if is_number(x)]
                if len(numbers) < len(producers):
                    for number in numbers:
                        self._enter_numbers(component, [number])
                else:
                    self._enter_numbers(component, numbers)
        numbers_found = self.components[known:]
        for component in numbers_found:
            self._connect(component)
        while (divided := self._connected_backward(found)) is not found:
            found = divided
        self.components += found

    def _connected_backward(self, components: list[Component]) -> list[Component]:
        """Give components their wires, and return them; or, if the ends of one read other things than the rest, a list
        in which these are components of their own."""
        for i, component in enumerate(components):
            try:
                self._connect(component)
                if self._has_choices or not any(wire.is_by_choice for wire in component.wires):
                    continue
                refused = None
            except FoldError as error:
                refused = error
            parts = self._divided(component)
            if parts:
                return [*components[:i], *parts, *components[i + 1 :]]
            self.enter(component)
            if refused is not None:
                raise refused
        return components

    def _divided(self, component: Component) -> list[Component]:
        """The visits at an end and the others, as components with wires that hold at any length; [] if none do."""
        loops = self._loops_of(component)
        visits = dict(zip(component.points, component.visits, strict=True))
        for end in ends(component.points) if component.axes else ():
            parts: list[Component] = []
            if len(end) == len(visits):
                continue
            try:
                for points in ([p for p in visits if p not in end], [p for p in visits if p in end]):
                    parts += self._components("operation", [visits[p] for p in points], points, loops, keep=1)
                for part in parts:
                    part.backward = component.backward
                    part.reads = self._reads(part)
                    self._connect(part)
            except FoldError:
                continue
            if not any(wire.is_by_choice for part in parts for wire in part.wires):
                return parts
        return []

    def _enter_numbers(self, user: Component, numbers: list[Step]) -> None:
        """The constants of a rule: each is a step of its own wherever it is used."""
        if is_one_constant(numbers):
            number = self._numbers.setdefault(repr(numbers[0].value), Component("constant", numbers[:1]))
        else:
            number = Component("constant", numbers, [], user.axes, user.points, without=user.without)
        if number.visits[0] is numbers[0]:
            self.components.append(number)
        self.enter(number)
        if not number.repeats:
            self.stands_for(number, numbers)

    def _rule(self, step: Step) -> tuple:
        """Of a step of a derivative rule: the component and wire that it belongs to, its loops and its point."""
        assert step.forward is not None and step.slot is not None
        return self._reading(step.forward, step.slot)

    def _sum(self, step: Step, giver: Step, slot: int) -> tuple:
        """For a gradient sum: its variable, the wire of the added term, loops and point."""
        assert step.forward is not None
        user, number, loops, point = self._reading(giver, slot)
        value, at = self.of(step.forward), self.point(step.forward)
        wire = user.wires[number]
        used = wire if wire.others or wire.takes_several else read(user, wire, self.point(giver), self.lengths)[0]
        coordinates = used.coordinates()
        if value.repeats and all(one.reach in ("step", "all", "so far", "latest") for one in coordinates):
            fixed: set[int] = set()  # one of the axes along which a coordinate moves follows from it
            for one in coordinates:
                if one.reach == "step" and (one.per == 1 or one.per in {other.modulo for other in coordinates}):
                    moving = {k for k, stride in enumerate(one.strides) if stride}
                    fixed |= {min(moving - fixed)} if moving - fixed else set()
            free = [k for k in range(len(user.axes)) if k not in fixed]
            if free:
                loops = self._loops_of(value) + tuple(user.axes[k].loop for k in free)
                return value, user, number, "each", loops, (*at, *(self.point(giver)[k] for k in free))
            return value, user, number, "each", self._loops_of(value), at
        return value, user, number, "initial" if used is not wire else "one", loops, point

    def _reading(self, step: Step, slot: int) -> tuple[Component, int, tuple[int, ...], Point]:
        """Of an input of a forward step: its component, the number of the wire, and the loops and point to be given to
        the derivative in that input: of a wire that takes several steps of a loop, also those of the step taken."""
        component, at = self.of(step), self.point(step)
        loops = self._loops_of(component)
        if component not in self._takes_several:
            return component, slot, loops, at
        end = 0
        for number, wire in enumerate(component.wires):
            if not wire.takes_several:
                end += 1
                if slot < end:
                    return component, number, loops, at
                continue
            end += len(wire.points(self.lengths)(at)[0])
            if slot < end:
                x = step.inputs[slot]
                several = [j for j, one in enumerate(wire.coordinates()) if one.reach in ("all", "so far")]
                more = self.of(x)
                return (
                    component,
                    number,
                    loops + tuple(more.axes[j].loop for j in several),
                    at + tuple(self.point(x)[j] for j in several),
                )
        raise AssertionError("a step has more inputs than its component has wires")

    def _loops_of(self, component: Component) -> tuple[int, ...]:
        return tuple([axis.loop for axis in component.axes])
