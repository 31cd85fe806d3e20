"""Backpropagation through time, read off the recorded backward pass: what each gradient is the sum of.

Every step of that pass belongs to a derivative rule of the forward pass, and `graph.gradients` says which of them is
the complete gradient of what. A gradient is the sum of the contributions of all that used the value, here or at the
next step. Steps with the same contributions share an equation; the last step, which has no next one, has its own.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from tinygrad_rnn.tracing.circuit import Component, Wire
from tinygrad_rnn.tracing.recorder import Step
from viz.equations import algebra
from viz.equations.reading import Equation, Reading, parted, readers
from viz.equations.terms import Symbol, Term, Variable, at, cases, merged, spaced

Place = tuple[Component, int]
"""A step of the circuit: a component and a time."""
Gradients = list[tuple[range, Place]]
"""At each time of a range the gradient is found at the same distance; this is the place of the first."""


@dataclass(frozen=True)
class Contribution:
    """A part of a gradient: at one step or summed over several.

    source    a component of the backward pass, or the symbol of another variable's gradient
    loop      the loop that this runs in; None if it happened once
    relative  whether the steps are counted from that of the gradient, not from the beginning
    """

    source: Component | Symbol
    loop: int | None
    steps: range
    relative: bool


class BackwardReading(Reading):
    """The equations of the gradients, those of hidden variables first, from the loss back, then those of parameters."""

    def _read(self) -> None:
        super()._read()
        invented = set(self.invented)
        self.equations = [e for e in self.equations if e.left.variable in invented]
        self._owners: dict[Component, list[tuple[range, Component, Symbol, int]]] = defaultdict(list)
        self._loss = self.variable[self.about.outputs[0]].name
        self._gradients = {c: self._gradients_of(c) for c in self.circuit.components if c in self.variable}
        variables = [c for c, found in self._gradients.items() if found]
        for c in variables:
            self._enter(c)
        leaves = [c for c in variables if c.operation is None]
        leaves.sort(key=lambda c: (-c.visits[0].value.ndim, self.graph.gradients[c.visits[0]].index))
        for c in [*(c for c in reversed(variables) if c.operation is not None), *leaves]:
            self._define(c)

    @cached_property
    def _read_by(self) -> Counter[Component]:
        return readers(self.circuit.components)

    def _sources(self, c: Component) -> Iterator[Component]:
        """A sum of gradients is no term of its own: what it adds up is."""
        pending, seen = [*super()._sources(c)], set[Component]()
        while pending:
            source = pending.pop()
            if source.visits[0].giver is None:
                yield source
            elif source not in seen and not self._owners[source]:
                seen.add(source)
                pending += super()._sources(source)

    def _gradients_of(self, c: Component) -> Gradients:
        """The places of the complete gradient, at the times that have one; none if they are not worth an equation, like
        that of the loss itself, which is 1."""
        if c.loop is not None and self.about.loop(c) is None:
            return []
        values = [(when, self.visit(c, when.start)) for when in self.alike(self._times[c], c.loop)]
        values += [(range(t, t + 1), step) for t, step in self._stand_ins(c)]
        values.sort(key=lambda value: value[0].start)
        found = [(when, self._place[g]) for when, step in values if step and (g := self.graph.gradients.get(step))]
        return found if any(place[0].operation is not None for _, place in found) else []

    def _stand_ins(self, c: Component) -> list[tuple[int, Step]]:
        """What has no name of its own and stands in for a variable at some times of its loop."""
        times = range(0 if c.loop is None else self.lengths[c.loop])
        return [
            (t, step)
            for (variable, t), step in self._starts.items()
            if t is not None
            and t in times
            and variable == self.variable[c]
            and self._place[step][0] not in self.variable
        ]

    def _gradient(self, c: Component) -> Symbol:
        return replace(self.symbol(c, replace(self.variable[c], loss=self._loss)), sums_to_one=False)

    def _enter(self, c: Component) -> None:
        for when, (source, t) in self._gradients[c]:
            if source.operation is not None:
                shift = t - when.start
                places = range(when.start + shift, when.stop + shift)
                self._owners[source].append((places, c, self._gradient(c), -shift))

    @cached_property
    def recorded(self) -> dict[tuple[Variable, int | None], Step]:
        found = dict(super().recorded)
        for c in self._gradients:
            variable = self._gradient(c).variable
            for t, step in [*self.timed(c), *self._stand_ins(c)]:
                if step in self.graph.gradients:
                    found[variable, t if variable.loop is not None else None] = self.graph.gradients[step]
        return found

    def _define(self, c: Component) -> None:
        """One equation for all steps at which the gradient of a variable has the same contributions."""
        left = self._gradient(c)
        times = self._grouped(self._gradients[c], c.loop, c)
        if any(len(when) > 1 for when in times.values()):  # now so, now otherwise
            every = spaced(merged(part for when in times.values() for part in when))
            self.equations += [Equation(left, self._sums(times, c.loop), part) for part in every]
            return
        for contributions, (when,) in times.items() if c.backward else reversed(times.items()):
            right = self._sum(contributions)
            if c.loop is not None and len(when) == 1 < self.lengths[c.loop]:
                end = self.moment(left, c.loop, when.start)
                assert isinstance(end, Symbol)
                self.equations.append(Equation(end, self.moment(right, c.loop, when.start)))
            else:
                self.equations.append(Equation(left, right, when))

    # -- what a gradient is the sum of -----------------------------------------------------------------------------

    def _grouped(
        self, gradients: Gradients, loop: int | None, of: Component | None = None
    ) -> dict[tuple[Contribution, ...], tuple[range, ...]]:
        """The contributions to a gradient, and the times at which it has these.  of: the variable whose gradient it is

        A contribution that happens to be the whole gradient of a variable is called by its name, unless it is so at
        some times only and without the name there are fewer cases.
        """
        found = []
        for named in (True, False):
            times: dict[tuple[Contribution, ...], list[range]] = defaultdict(list)
            for when, place in gradients:
                times[self._contributions(place, loop, when.start, of, named)].append(when)
            found.append({contributions: merged(when) for contributions, when in times.items()})
        return min(found, key=len)

    def _contributions(
        self, place: Place, loop: int | None, t: int, of: Component | None, named: bool
    ) -> tuple[Contribution, ...]:
        """The contributions to a gradient, seen from step t of a loop."""
        times: dict[Component | Symbol, list[range]] = defaultdict(list)
        for source, when in self._added(place, of, named):
            times[source].append(when)
        found = []
        for source, runs in times.items():
            together = merged(runs)
            once = sum(map(len, together)) == sum(map(len, runs))
            its_loop = source.variable.loop if isinstance(source, Symbol) else self.loop(source)
            near = its_loop == loop is not None and sum(map(len, runs)) == 1
            shift = t if near else 0
            found += [
                Contribution(source, its_loop, range(when.start - shift, when.stop - shift, when.step), near)
                for when in (spaced(together) if once else runs)
            ]
        return tuple(found)

    def _added(self, place: Place, of: Component | None, named: bool) -> Iterator[tuple[Component | Symbol, range]]:
        """What a gradient was added up from, in order: down to the gradients of variables, other than `of`'s that it is
        itself."""
        pending = [(place[0], range(place[1], place[1] + 1))]
        itself = True
        while pending:
            c, when = pending.pop()
            own = next((owner for owner in reversed(self._owners[c]) if when.start in owner[0]), None)
            if own is not None and when.stop > own[0].stop:  # not at all of these times
                pending += [(c, range(own[0].stop, when.stop)), (c, range(when.start, own[0].stop))]
                continue
            is_sum = c.visits[0].giver is not None
            if own is not None and not (itself and own[1] is of):
                if named or is_sum:
                    yield own[2], range(when.start + own[3], when.stop + own[3])
                else:
                    yield c, when
            elif not is_sum:
                yield c, when
            else:
                pending += reversed([*self._inputs(c, when)])
            itself = False

    def _inputs(self, c: Component, when: range) -> Iterator[tuple[Component, range]]:
        """The places that a sum of gradients adds up; of a running sum, all that it has added up until then."""
        past = next((w for w in c.wires if w.source is c and abs(w.delay) == 1 and not w.others), None)
        so_far = range(0)
        if past is not None and len(when) == 1:
            _, reads, _ = parted(self._times[c], self._times[c], past.delay)  # when it reads itself
            if when.start in reads:
                so_far = range(reads.start - 1, when.start) if past.delay > 0 else range(when.stop, reads.stop + 1)
            if any(parted(so_far, places, 0)[1] for places, *_ in self._owners[c]):
                so_far = range(0)
        for wire in c.wires:
            if not so_far:
                yield from self._places(c, wire, when)
            elif wire is past:
                first = so_far[0 if past.delay > 0 else -1]
                yield from self._places(c, past, range(first, first + 1))
            else:
                yield from self._places(c, wire, range(min(so_far.start, when.start), max(so_far.stop, when.stop)))

    def _places(self, c: Component, wire: Wire, when: range) -> Iterator[tuple[Component, range]]:
        """Where a wire leads at some times."""
        singly, there = [*when], self._times[wire.source]
        if wire.reach == "step" and not wire.others and not wire.along and self._times[c].step == there.step == 1:
            before, present, after = parted(when, there, wire.delay)
            if present:
                yield wire.source, range(present.start - wire.delay, present.stop - wire.delay)
            singly = [*before, *after]
        for t in singly:
            taken, steps = self.where(c, wire, t)
            yield taken.source, range(min(steps), max(steps) + 1)

    def _sums(self, times: dict[tuple[Contribution, ...], tuple[range, ...]], loop: int | None) -> Term:
        return cases(((self._sum(parts), when) for parts, every in times.items() for when in every), loop or 0)

    def _sum(self, contributions: tuple[Contribution, ...]) -> Term:
        return algebra.add(*map(self._term, contributions))

    def _term(self, part: Contribution) -> Term:
        term = part.source if isinstance(part.source, Symbol) else self.value(part.source)
        if part.loop is None:
            return term
        if part.relative:
            return at(term, "t", part.steps.start)
        if len(part.steps) == 1:
            return self.moment(term, part.loop, part.steps.start)
        return algebra.time_sum(at(term, "s"), part.loop, part.steps)

    def read(self, c: Component, wire: Wire, slot: int) -> Term:
        """One input of a component: of the backward pass, from what it was added up from."""
        if c.visits[0].inputs[slot].forward is None:
            return super().read(c, wire, slot)
        if wire.takes_several:
            source = wire.source
            loop = self.loop(source)
            there = [(when, (source, when.start)) for when in self.alike(self._times[source], loop)]
            return self._several(wire, self._sums(self._grouped(there, loop), loop))
        loop = self.loop(c)
        places = [
            (when, (source, found.start))
            for when in self.alike(self._times[c], loop)
            for source, found in self._places(c, wire, range(when.start, when.start + 1))
        ]
        return self._sums(self._grouped(places, loop), loop)
