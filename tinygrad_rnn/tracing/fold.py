"""Fold a recorded run into its circuit: one component for each place in the code, and delays for the past.

Steps of the run that came from the same place are the visits of one component (grouping.py), and the number of the
visit is its time. Each input of a component is then read off the steps that it came from (wiring.py).

The backward pass folds in the same way. A step of it has the time of the forward step whose derivative rule
made it. Where its recursion starts, at t = T, there is no gradient from the future to be added: the sum of
gradients exists for t < T only, and the one gradient that there is takes its place as an initial value does.

Folding never guesses: the circuit is unfolded again, and FoldError is raised if that is not the run.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from itertools import accumulate, pairwise
from types import CodeType
from typing import Any

from ..autodiff.sites import is_engine
from ..nn.identity import IdentityKey
from .circuit import Circuit, Component, FoldError, chosen
from .grouping import Group, grouped, index_read, is_number, is_one_constant, is_turned_round, offset
from .naming import Site
from .recorder import Step
from .wiring import Timetable, place_of


def fold(steps: Iterable[Step], outputs: Iterable[Step], by: Callable[[Step], Hashable] | None = None) -> Circuit:
    """The circuit of a recorded run. Raises FoldError where it is not certain.

    by  a further key: steps of one place are visits of one component only if it is equal
    """
    steps = list(steps)
    folding = _Folding()
    try:
        backward = [step for step in steps if step.forward is not None]
        numbers = {x for step in backward for x in step.inputs if is_number(x)}
        folding.fold_forward(grouped([s for s in steps if s.forward is None and s not in numbers], by))
        folding.fold_backward(backward)
        circuit = folding.circuit()
        folding.certify(circuit)
    except FoldError as error:
        raise _recursion(steps) or error from None
    if not folding.lengths and (recursion := _recursion(steps)):
        raise recursion
    circuit.outputs = [folding.of(step) for step in outputs]
    return circuit


def _recursion(steps: Sequence[Step]) -> FoldError | None:
    """The reason why the run of a function that calls itself has no circuit."""
    for site in {step.site: None for step in steps if step.site is not None}:
        inner: set[IdentityKey[CodeType]] = set()
        around: Site | None = site
        while around is not None:
            if IdentityKey(around.code) in inner and not is_engine(around.code):
                return FoldError(f"{around} calls itself: a tree has no time axis")
            inner.add(IdentityKey(around.code))
            around = around.caller
    return None


class _Folding(Timetable):
    """The components of a run, found one after another."""

    def __init__(self) -> None:
        super().__init__()
        self.components: list[Component] = []
        self._numbers: dict[str, Component] = {}

    def circuit(self) -> Circuit:
        return Circuit(sorted(self.components, key=lambda c: min(c.visits[0].index, c.visits[-1].index)), self.lengths)

    def certify(self, circuit: Circuit) -> None:
        """Unfold the circuit and compare it with the run, step by step."""
        number = {c: i for i, c in enumerate(circuit.components)}
        place = {step: (number[c], self._time[step]) for step, c in self._of.items()}
        unfolded = circuit.unfold()
        for i, component in enumerate(circuit.components):
            for t, step in enumerate(component.visits, component.first):
                if unfolded.get((i, t)) != tuple([place[x] for x in step.inputs]):
                    raise FoldError(f"the circuit does not unfold into the run at {step!r}   {place_of(component)}")

    # -- the forward pass ----------------------------------------------------------------------------------

    def fold_forward(self, groups: list[Group]) -> None:
        for group in groups:
            component = Component(group[0].kind, group[:1] if is_one_constant(group) else group)
            self.components.append(component)
            self.enter(component)
            for step in group[len(component.visits) :]:  # an equal constant is the same one
                self._of[step] = component
                self._time[step] = 0
        self._find_loops()
        self._find_directions()
        for component in self.components:
            numbers = offset(component.visits)
            component.reads = None if numbers is None else numbers - component.first
            component.wires = self.wires(component)

    def _find_loops(self) -> None:
        """Number the loops: components run in one loop if one reads the other visit by visit."""
        joined: dict[Component, list[Component]] = defaultdict(list)
        repeated = [c for c in self.components if len(c.visits) > 1]
        for c in repeated:
            for source in dict.fromkeys(self._read_in_turn(c)):
                joined[c].append(source)
                joined[source].append(c)
        for c in repeated:
            if c.loop is None:
                members = [c]
                c.loop = len(self.lengths)
                for member in members:  # grows while it is walked
                    for neighbour in joined[member]:
                        if neighbour.loop is None:
                            neighbour.loop = c.loop
                            members.append(neighbour)
                self._find_times(members)

    def _read_in_turn(self, component: Component) -> Iterable[Component]:
        """The components of which it reads one visit after another."""
        for producers in zip(*(step.inputs for step in component.visits), strict=True):
            for a, b in pairwise(producers):
                source = self.of(a)
                if self.of(b) is source and abs(self.time(a) - self.time(b)) == 1:
                    yield source
                    break

    def _find_times(self, members: list[Component]) -> None:
        """The time of a component that does not happen in all steps of its loop: the step it happened in."""
        T = max(len(c.visits) for c in members)
        self.lengths.append(T)
        clocks = [[step.index for step in c.visits] for c in members if len(c.visits) == T]
        for c in members:
            if len(c.visits) < T:
                c.first = self._first(c, clocks)
                c.span = _span(c.first, len(c.visits), T)
                self.enter(c)

    def _first(self, component: Component, clocks: list[list[int]]) -> int:
        """In which step of its loop it first happens; a clock is when each step of the loop was."""
        starts = set()
        for clock in clocks:
            times = [bisect_right(clock, step.index) - 1 for step in component.visits]
            if times == list(range(times[0], times[0] + len(times))):
                starts.add(times[0])
            elif len(set(times)) > 1:
                steps = ", ".join(str(t + 1) for t in times)
                raise FoldError(f"{component!r} happens only at steps {steps} of {len(clock)}   {place_of(component)}")
        reads = [self.time(x) for x in component.visits[0].inputs if self.of(x).loop == component.loop]
        return max(0, min(max(starts or reads or [0]), len(clocks[0]) - len(component.visits)))

    def _find_directions(self) -> None:
        """Turn round the components whose loop runs backward: by the data it reads, whose index falls."""
        backward: dict[Component, bool] = {}
        for c in self.components:
            if offset(c.visits) is not None:
                falls = index_read(c.visits[0]) > index_read(c.visits[1])
                backward[c] = falls != is_turned_round(c.visits[0].inputs[0])
        links = [link for c in self.components if len(c.visits) > 1 for link in self._links(c)]
        changed = True
        while changed:
            changed = False
            for a, b, opposite in links:
                for one, other in ((a, b), (b, a)):
                    if one in backward and other not in backward:
                        backward[other] = backward[one] != opposite
                        changed = True
        for c in self.components:
            if backward.get(c):
                c.backward = True
                c.visits.reverse()
                T, n = self.lengths[c.loop or 0], len(c.visits)
                c.first = T - c.first - n
                c.span = _span(c.first, n, T)
                self.enter(c)

    def _links(self, component: Component) -> list[tuple[Component, Component, bool]]:
        """The components that are read one visit after another, and whether against the order of this one's."""
        found = []
        for producers in zip(*(step.inputs for step in component.visits), strict=True):
            for first, second in pairwise(producers):
                source = self.of(first)
                if self.of(second) is source and source is not component and self.time(first) != self.time(second):
                    found.append((component, source, self.time(second) < self.time(first)))
                    break
        return found

    # -- the backward pass ---------------------------------------------------------------------------------

    def fold_backward(self, steps: Sequence[Step]) -> None:
        """Group the steps by what they are the derivative of; their time is the time of that."""
        groups: dict[Any, list[tuple[int, Step]]] = defaultdict(list)
        for step in steps:
            *place, loop, t = self._rule(step) if step.giver is None else self._sum(step, *step.giver)
            assert step.operation is not None
            groups[*place, step.part, step.operation.name, loop].append((t, step))
        found = [self._backward_component(key[-1], visits) for key, visits in groups.items()]
        self.components += found
        for component in found:
            self.enter(component)
        for component in found:
            for producers in zip(*(step.inputs for step in component.visits), strict=True):
                if all(map(is_number, producers)):
                    self._enter_numbers(component, list(producers))
        for component in found:
            component.wires = self.wires(component)

    def _enter_numbers(self, user: Component, numbers: Group) -> None:
        """The constants of a rule: each is a step of its own wherever it is used."""
        if is_one_constant(numbers):
            number = self._numbers.setdefault(repr(numbers[0].value), Component("constant", numbers[:1]))
        else:
            number = Component("constant", numbers, [], user.loop, user.span, user.first)
        if number.visits[0] is numbers[0]:
            self.components.append(number)
        self.enter(number)
        if not number.repeats:
            self._of |= dict.fromkeys(numbers, number)
            self._time |= dict.fromkeys(numbers, 0)

    def _rule(self, step: Step) -> tuple:
        """Of a step of a derivative rule: the component and wire that it belongs to, the loop and the time."""
        assert step.forward is not None and step.slot is not None
        return self._reading(step.forward, step.slot)

    def _sum(self, step: Step, giver: Step, slot: int) -> tuple:
        """The same of a sum of gradients: what it is the gradient of, where the gradient that it adds is from."""
        assert step.forward is not None
        user, number, loop, t = self._reading(giver, slot)
        value = self.of(step.forward)
        wire = user.wires[number]
        near = (user, wire.source, *(initial.source for initial in wire.initial + wire.final))
        times = {c: range(c.first, c.first + len(c.visits)) for c in near}
        used = wire if wire.others else chosen(user, wire, self.time(giver), times)
        if used.reach in ("step", "all") and value.repeats:
            return value, user, number, "each", value.loop, self.time(step.forward)
        return value, user, number, "initial" if used is not wire else "one", loop, t

    def _reading(self, step: Step, slot: int) -> tuple[Component, int, int | None, int]:
        """Of an input of a forward step: its component, the number of the wire, and the loop and time to be given to
        the derivative in that input: of a wire that takes all steps of a loop, those of the step taken."""
        component = self.of(step)
        widths = [len(wire.source.visits) if wire.reach == "all" else 1 for wire in component.wires]
        number = bisect_right(list(accumulate(widths)), slot)
        if component.wires[number].reach == "all" and not component.repeats:
            x = step.inputs[slot]
            return component, number, self.of(x).loop, self.time(x)
        return component, number, component.loop, self.time(step)

    def _backward_component(self, loop: int | None, visits: list[tuple[int, Step]]) -> Component:
        falls = visits[0][0] > visits[-1][0]
        visits = sorted(visits, key=lambda visit: visit[0])
        times = [t for t, _ in visits]
        component = Component("operation", [step for _, step in visits], loop=loop, first=times[0], backward=falls)
        if times != list(range(times[0], times[0] + len(times))):
            at = ", ".join(str(t + 1) for t in times)
            raise FoldError(f"{component!r} of the backward pass happens only at steps {at}   {place_of(component)}")
        if loop is not None:
            component.span = _span(times[0], len(times), self.lengths[loop])
        component.reads = offset(component.visits)
        if component.reads is not None:
            component.reads -= component.first
        return component


def _span(first: int, n: int, T: int) -> slice:
    """n steps of T from `first` on, said so that it holds for another T: few are counted from the nearer end, many are
    all but some at either end."""
    after = T - first - n
    if 2 * n < T:
        return slice(first, first + n) if first <= after else slice(-n - after, -after or None)
    return slice(first, -after or None)
