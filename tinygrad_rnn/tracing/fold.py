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
from typing import Any

from . import refusals
from .circuit import Circuit, Component, FoldError, Point, read
from .clocks import Clock, Clocks
from .domains import Domains, is_near, lines
from .elements import index_read, is_turned_round, offset
from .grouping import grouped, is_number, is_one_constant
from .groups import Group
from .naming import Loop
from .recorder import Step
from .wiring import Timetable


def fold(
    steps: Iterable[Step],
    outputs: Iterable[Step],
    by: Callable[[Step], Hashable] | None = None,
    nested: bool = True,
) -> Circuit:
    """The circuit of a recorded run. Raises FoldError where it is not certain.

    by      a further key: steps of one place are visits of one component only if it is equal
    nested  whether there may be loops within loops; otherwise all but one of them are written out, round by round
    """
    steps = list(steps)
    try:
        folding = _folded(steps, by, joined=True, nested=nested)
    except FoldError as error:
        try:
            folding = _folded(steps, by, joined=False, nested=nested)
        except FoldError:
            raise error from None
    if not folding.lengths and (recursion := _recursion(steps)):
        raise recursion
    circuit = folding.circuit()
    circuit.outputs = [folding.of(step) for step in outputs]
    return circuit


def _folded(steps: list[Step], by: Callable[[Step], Hashable] | None, joined: bool, nested: bool) -> _Folding:
    folding = _Folding(steps)
    backward = [step for step in steps if step.forward is not None]
    numbers = {x for step in backward for x in step.inputs if is_number(x)}
    folding.fold_forward(grouped([s for s in steps if s.forward is None and s not in numbers], by, joined, nested))
    folding.fold_backward(backward)
    folding.certify(folding.circuit())
    return folding


def _recursion(steps: Sequence[Step]) -> FoldError | None:
    """The reason why the run of a function that calls itself has no circuit."""
    for site in {step.site: None for step in steps if step.site is not None}:
        for loop in site.loops:
            if loop.calls_itself is not None:
                return refusals.calls_itself(loop.calls_itself)
    return None


class _Folding(Timetable):
    """The components of a run, found one after another."""

    def __init__(self, steps: Sequence[Step]) -> None:
        super().__init__(steps)
        self.components: list[Component] = []
        self._numbers: dict[str, Component] = {}
        self._circuit: Circuit | None = None
        self._takes_several: set[Component] = set()

    def circuit(self) -> Circuit:
        if self._circuit is None:
            order = sorted(self.components, key=lambda c: min(c.visits[0].index, c.visits[-1].index))
            self._circuit = Circuit(order, self.lengths)
        return self._circuit

    def certify(self, circuit: Circuit) -> None:
        """Unfold the circuit and compare it with the run, step by step."""
        number = {c: i for i, c in enumerate(circuit.components)}
        place = [None if c is None else (number[c], point) for c, point in zip(self._of, self._point, strict=True)]
        for component in circuit.components:
            inputs = circuit.inputs(component, circuit.lengths)
            at_points = zip(component.points, component.visits, strict=True)
            differs = component.domain(circuit.lengths) != component.points or any(
                inputs(point) != [place[x.index] for x in step.inputs] for point, step in at_points
            )
            if differs:
                raise refusals.does_not_unfold(component)

    # -- the forward pass ----------------------------------------------------------------------------------

    def fold_forward(self, groups: list[Group]) -> None:
        found_clocks = Clocks(groups)
        self.lengths[:], clocks = found_clocks.lengths, found_clocks.of
        for group in groups:
            same = is_one_constant(group.steps)
            visits: list[tuple[Point, Step]] = [((), group.first)] if same else self._timed(group, clocks)
            found = self._components(group.first.kind, visits, [clocks[loop].number for loop in group.loops])
            for component in found:
                component.backward = bool(component.axes) and clocks[group.loops[0]].sign < 0
            self.components += found
            if same:  # an equal constant is the same one
                self.stands_for(found[0], group.steps)
        for component in self.components:
            component.reads = self._reads(component)
            component.wires = self.wires(component)
        self._takes_several = {c for c in self.components if any(wire.takes_several for wire in c.wires)}

    def _timed(self, group: Group, clocks: dict[Loop, Clock]) -> list[tuple[Point, Step]]:
        of = [clocks[loop] for loop in group.loops]
        return [
            (tuple([clock.sign * i + clock.start for clock, i in zip(of, point, strict=True)]), step)
            for point, step in zip(group.points, group.steps, strict=True)
        ]

    def _components(
        self, kind: str, visits: list[tuple[Point, Step]], loops: Sequence[int], keep: int = 0
    ) -> list[Component]:
        """The component that has these visits, in loops with these numbers; at least `keep` of these are axes.

        Visits at the end of a loop may follow another rule than the rest: then they are a component of their own.
        """
        visits = sorted(visits, key=lambda visit: visit[0])
        moving = [k for k in range(len(loops)) if k < keep or len({point[k] for point, _ in visits}) > 1]
        steps = {tuple([point[k] for k in moving]): step for point, step in visits}
        numbers = [loops[k] for k in moving]
        whole = Component(kind, [step for _, step in visits])
        if len(steps) < len(visits):
            raise refusals.runs_again(whole)
        is_forward = visits[0][1].forward is None
        domains = Domains(self.lengths).of(list(steps), numbers, with_ends=not is_forward or len(numbers) > 1)
        if domains is None:
            raise refusals.runs_now_and_then(whole, lines(list(steps), len(moving) - 1), self.lengths[numbers[-1]])
        found = []
        for points, axes, without in domains:
            component = Component(kind, [steps[point] for point in points], [], axes, points)
            component.without = without
            at_ends = all(is_near(bound, self.lengths[axis.loop]) for axis in axes for bound in axis[1:3])
            is_even = all(axis.step == 1 or len({point[k] for point in points}) > 2 for k, axis in enumerate(axes))
            component.anywhere = at_ends and is_even and (not is_forward or (len(domains) == 1 and without >= 0))
            found.append(component)
            self.enter(component)
        return found

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
        groups: dict[Any, list[tuple[Point, Step]]] = defaultdict(list)
        for step in steps:
            *place, loops, at = self._rule(step) if step.giver is None else self._sum(step, *step.giver)
            assert step.operation is not None
            groups[*place, step.part, step.operation.name, loops].append((at, step))
        found = []
        for key, visits in groups.items():
            for component in self._components("operation", visits, key[-1], keep=min(1, len(key[-1]))):
                component.backward = visits[0][0] > visits[-1][0]
                component.reads = self._reads(component)
                found.append(component)
        self.components += found
        for component in found:
            for producers in zip(*(step.inputs for step in component.visits), strict=False):
                numbers = [x for x in producers if is_number(x)]
                if len(numbers) < len(producers):
                    for number in numbers:
                        self._enter_numbers(component, [number])
                else:
                    self._enter_numbers(component, numbers)
        for component in found:
            component.wires = self.wires(component)

    def _enter_numbers(self, user: Component, numbers: list[Step]) -> None:
        """The constants of a rule: each is a step of its own wherever it is used."""
        if is_one_constant(numbers):
            number = self._numbers.setdefault(repr(numbers[0].value), Component("constant", numbers[:1]))
        else:
            number = Component("constant", numbers, [], user.axes, user.points)
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
