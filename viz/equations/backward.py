"""Backpropagation through time, read off the recorded backward pass: what each gradient is the sum of.

Every step of that pass belongs to a derivative rule of the forward pass, and `graph.gradients` says which of them is
the complete gradient of what. A gradient is the sum of the contributions of all that used the value, here or at the
next step. Steps with the same contributions share an equation; the last step, which has no next one, has its own.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import pairwise

from tinygrad_rnn.tracing.circuit import Component, Point
from tinygrad_rnn.tracing.recorder import Step
from viz.equations.contributions import Added, Contribution, added_up, described
from viz.equations.reading import Reading, grouped, readers
from viz.equations.short_run import Frame, Place, frame_of
from viz.equations.terms import Symbol, Variable


class BackwardReading(Reading):
    """The equations of the gradients, those of hidden variables first, from the loss back, then those of parameters."""

    def _read(self) -> None:
        self._owners: dict[Place, list[tuple[Component, Point]]] = defaultdict(list)
        self._owned: set[Component] = set()
        super()._read()
        invented = set(self.invented)
        self.equations = [e for e in self.equations if e.left.variable in invented]
        self._loss = self.variable[self.about.outputs[0]].name
        self._gradients = {c: self._gradients_of(c) for c in self.circuit.components if c in self.variable}
        variables = [c for c, found in self._gradients.items() if found]
        for c in variables:
            shared = Counter(self._gradients[c].values())
            for at, place in self._gradients[c].items():
                if place[0].operation is not None and shared[place] == 1:
                    self._owners[place].append((c, at))
                    self._owned.add(place[0])
        leaves = [c for c in variables if c.operation is None]
        leaves.sort(key=lambda c: (-c.visits[0].value.ndim, self.graph.gradients[c.visits[0]].index))
        for c in [*(c for c in reversed(variables) if c.operation is not None), *leaves]:
            self._define_gradient(c)

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
            elif source not in seen and source not in self._owned:
                seen.add(source)
                pending += super()._sources(source)

    def _gradients_of(self, c: Component) -> dict[Point, Place]:
        """The places of the complete gradient, at the points that have one; none if they are not worth an equation,
        like that of the loss itself, which is 1."""
        if c.axes and not self._axes[c]:
            return {}
        found = {}
        for own, point in self.points(c).items():
            if g := self.graph.gradients.get(self.run.visit(c, point)):
                found[own] = self.run.seen_from(c, point, self.run.place[g])
        for at, step in self._stand_ins(c):
            if g := self.graph.gradients.get(step):
                source, there = self.run.place[g]
                found[at] = source, tuple(map(self.run.shortened, frame_of(source), there))
        return dict(sorted(found.items())) if any(place[0].operation for place in found.values()) else {}

    def _stand_ins(self, c: Component) -> list[tuple[Point, Step]]:
        """What has no name of its own and stands in for a variable at some points of its loops."""
        return [
            (at, step)
            for (variable, at), step in self._starts.items()
            if at
            and variable == self.variable[c]
            and all(0 <= t < self.run.lengths[loop] for t, loop in zip(at, variable.loops, strict=True))
            and self.run.place[step][0] not in self.variable
        ]

    def _gradient(self, c: Component) -> Symbol:
        return replace(self.symbol(c, replace(self.variable[c], loss=self._loss)), sums_to_one=False)

    @cached_property
    def recorded(self) -> dict[tuple[Variable, Point], Step]:
        found, gradients = super().recorded, self.graph.gradients
        return found | {
            (replace(variable, loss=self._loss), at): gradients[step]
            for (variable, at), step in found.items()
            if step in gradients
        }

    def _define_gradient(self, c: Component) -> None:
        """One equation for all points at which the gradient of a variable has the same contributions."""
        left, frame = self.own(self._gradient(c)), self.frame(c)
        places = {at: [place] for at, place in self._gradients[c].items()}
        groups = self._grouped(places, frame, c)
        if any(not self._in_one_piece(points, frame) for points in groups.values()):  # now so, now otherwise
            right = self.cases([(self._sum(parts, points, frame), points) for parts, points in groups.items()], frame)
            self.equations += self._equation(left, right, [*places], frame)
            return
        for parts, points in groups.items() if c.backward else reversed(groups.items()):
            self.equations += self._equation(left, self._sum(parts, points, frame), points, frame)

    def _in_one_piece(self, points: Sequence[Point], frame: Frame) -> bool:
        """Whether points of a frame follow on each other."""
        return len(frame) != 1 or all(b - a == 1 for (a,), (b,) in pairwise(sorted(points)))

    # -- what a gradient is the sum of -----------------------------------------------------------------------------

    def _grouped(
        self, places: Mapping[Point, Sequence[Place]], frame: Frame, of: Component | None
    ) -> dict[tuple[Contribution, ...], list[Point]]:
        """As of any sum.  of: the variable whose gradient it is

        A contribution that happens to be the whole gradient of a variable is called by its name, unless it is so at
        some points only and without the name there are fewer cases.
        """
        found = []
        for named in (True, False):
            added = {at: [p for place in some for p in self._added(place, of, named)] for at, some in places.items()}
            found.append(grouped(described(self.run, added, frame)))
            if len(found[0]) == 1:
                break
        return min(found, key=len)

    def _added(self, place: Place, of: Component | None, named: bool = True) -> Iterable[Added]:
        """What a gradient adds up: down to the gradients of variables, other than `of`'s that it is itself."""
        if place[0].visits[0].forward is None:
            return super()._added(place, of)

        def leaf(other: Place, itself: bool) -> tuple[Component | Symbol, Point] | None:
            is_sum = other[0].visits[0].giver is not None
            owners = self._owners.get(other, [])
            if owners and not (itself and owners[-1][0] is of) and (named or is_sum):
                owner, own = owners[-1]
                return self.own(self._gradient(owner)), own
            return None if is_sum else other

        return added_up(self.run, place, leaf)
