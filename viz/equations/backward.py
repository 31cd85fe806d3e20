"""Backpropagation through time, read off the recorded backward pass: what each gradient is the sum of.

Every step of that pass belongs to a derivative rule of the forward pass, and `graph.gradients` says which of them is
the complete gradient of what. A gradient is the sum of the contributions of all that used the value, here or at the
next step. Steps with the same contributions share an equation; the last step, which has no next one, has its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

from tinygrad_rnn.tracing.circuit import Component, Wire
from tinygrad_rnn.tracing.record import Graph
from tinygrad_rnn.tracing.recorder import Step
from viz.equations import algebra
from viz.equations.names import readers
from viz.equations.reading import Equation, Reading
from viz.equations.terms import Symbol, Term, Variable, at


@dataclass(frozen=True)
class Contribution:
    """A part of a gradient: at one step or summed over several.

    source    a component of the backward pass, or the symbol of another variable's gradient
    loop      the loop that this runs in; None if it happened once
    relative  whether the steps are counted from that of the gradient, not from the beginning
    """

    source: Component | Symbol
    loop: int | None
    first: int
    last: int
    relative: bool


class BackwardReading(Reading):
    """The equations of the gradients, those of hidden variables first, from the loss back, then those of parameters."""

    def __init__(self, graph: Graph):
        self._owner: dict[Step, tuple[Component, Symbol, int]] = {}
        super().__init__(graph)
        invented = set(self.names.invented)
        self.equations = [e for e in self.equations if e.left.variable in invented]
        self._gradient = graph.gradients
        self._time = {step: t for c in self.circuit.components for t, step in enumerate(c.visits, c.first)}
        self._loss = self.names.variable[self._ends(graph)[0]].name
        variables = [c for c in self.circuit.components if c in self.names.variable and self._gradients(c)]
        for c in variables:
            self._enter(c, replace(self.names.variable[c], loss=self._loss))
        computed = [c for c in reversed(variables) if c.operation is not None]
        leaves = [c for c in variables if c.operation is None]
        leaves.sort(key=lambda c: (-c.visits[0].value.ndim, self._gradient[c.visits[0]].index))
        for c in computed + leaves:
            self._define(c)

    def _readers(self) -> Counter[Component]:
        return readers(self.circuit.components)

    def _gradients(self, c: Component) -> dict[int, Step]:
        """The complete gradient at each time that has one; none if they are not worth an equation, like that of the
        loss itself, which is 1."""
        if c.loop is not None and self.names.loop(c) is None:
            return {}
        found = {t: self._gradient[step] for t, step in self._values(c) if step in self._gradient}
        return found if any(g.operation is not None for g in found.values()) else {}

    def _values(self, c: Component) -> list[tuple[int, Step]]:
        """A variable at each time: its visits and, at the ends of the loop, what has no name and stands in for one."""
        found = dict(enumerate(c.visits, c.first))
        for (variable, t), step in self._starts.items():
            inside = c.loop is not None and 0 <= t < self.lengths[c.loop]
            if inside and variable == self.names.variable[c] and self._of[step] not in self.names.variable:
                found[t] = step
        return sorted(found.items())

    def _enter(self, c: Component, variable: Variable) -> None:
        symbol = self.symbol(c, variable)
        for t, g in self._gradients(c).items():
            if g.operation is not None:
                self._owner[g] = c, symbol, t
            self.recorded[variable, t if variable.loop is not None else None] = g

    def _define(self, c: Component) -> None:
        """One equation for all steps at which the gradient of a variable has the same contributions."""
        left = self.symbol(c, replace(self.names.variable[c], loss=self._loss))
        gradients = self._gradients(c)
        times = self._grouped(gradients, c.loop, c)
        if any(when[-1] - when[0] >= len(when) for when in times.values()):  # now so, now otherwise
            right = self._cases(c, [(self._sum(contributions), when) for contributions, when in times.items()])
            self.equations.append(Equation(left, right, min(gradients), max(gradients)))
            return
        for contributions, when in times.items() if c.backward else reversed(times.items()):
            right = self._sum(contributions)
            if c.loop is not None and len(when) == 1 < self.lengths[c.loop]:
                end = self.moment(left, c.loop, when[0])
                assert isinstance(end, Symbol)
                self.equations.append(Equation(end, self.moment(right, c.loop, when[0])))
            else:
                self.equations.append(Equation(left, right, when[0], when[-1]))

    # -- what a gradient is the sum of -----------------------------------------------------------------------------

    def _grouped(
        self, gradients: dict[int, Step], loop: int | None, of: Component | None = None
    ) -> dict[tuple[Contribution, ...], list[int]]:
        """The contributions to a gradient, and the times at which it has these.  of: the variable whose gradient it is

        A contribution that happens to be the whole gradient of a variable is called by its name, unless it is so at
        some times only and without the name there are fewer cases.
        """
        cases = []
        for named in (True, False):
            times: dict[tuple[Contribution, ...], list[int]] = {}
            for t, g in gradients.items():
                times.setdefault(self._contributions(g, loop, t, of, named), []).append(t)
            cases.append(times)
        return min(cases, key=len)

    def _contributions(
        self, gradient: Step, loop: int | None, t: int, of: Component | None, named: bool
    ) -> tuple[Contribution, ...]:
        """The contributions to a gradient, seen from step t of a loop."""
        times: dict[Component | Symbol, list[int]] = {}
        for step in self._added(gradient, of):
            owner, symbol, its_time = self._owner.get(step, (None, None, 0))
            if symbol is not None and not (step is gradient and owner is of) and (named or step.giver is not None):
                times.setdefault(symbol, []).append(its_time)
            else:
                times.setdefault(self._of[step], []).append(self._time[step])
        found = []
        for source, when in times.items():
            its_loop = source.variable.loop if isinstance(source, Symbol) else source.loop
            near = its_loop == loop is not None and len(when) == 1
            shift = t if near else 0
            runs = _runs(sorted(when))
            found += [Contribution(source, its_loop, first - shift, last - shift, near) for first, last in runs]
        return tuple(found)

    def _added(self, gradient: Step, of: Component | None) -> Iterator[Step]:
        """The steps that a gradient was added up from, in order: down to the gradients of variables, other than `of`'s
        that it is itself."""
        pending = [gradient]
        while pending:
            step = pending.pop()
            owner = self._owner.get(step)
            if step.giver is None or (owner is not None and not (step is gradient and owner[0] is of)):
                yield step
            else:
                pending += reversed(step.inputs)

    def _sum(self, contributions: tuple[Contribution, ...]) -> Term:
        return algebra.add(*map(self._term, contributions))

    def _term(self, part: Contribution) -> Term:
        term = part.source if isinstance(part.source, Symbol) else self.value(part.source)
        if part.loop is None:
            return term
        if part.relative:
            return at(term, "t", part.first)
        if part.first == part.last:
            return self.moment(term, part.loop, part.first)
        return algebra.time_sum(at(term, "s"), part.loop, part.first, part.last)

    def read(self, c: Component, wire: Wire, slot: int) -> Term:
        """One input of a component: of the backward pass, from what it was added up from."""
        if c.visits[0].inputs[slot].forward is None:
            return super().read(c, wire, slot)
        times = self._grouped({t: step.inputs[slot] for t, step in enumerate(c.visits, c.first)}, c.loop)
        return self._cases(c, [(self._sum(contributions), when) for contributions, when in times.items()])


def _runs(times: list[int]) -> list[tuple[int, int]]:
    """The first and the last of each run of times without a gap."""
    known = set(times)
    starts = [t for t in times if t - 1 not in known]
    return list(zip(starts, [t for t in times if t + 1 not in known], strict=True))
