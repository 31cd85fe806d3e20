"""A circuit with loops within loops, seen along one loop: what a picture with one axis of time can show.

Of a component in several loops one axis is kept: that along which a state is carried on; of several, that along which
data is read, else the outermost. What happens along inner loops is one visit a step: attention that scores the
encoder's states one by one is one vertex at each step of the decoder, with an edge from all steps of the encoder. Of
outer loops one iteration is shown, as on a plate: of a loop over examples, one example.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from weakref import ref

from .circuit import Along, Circuit, Component, Point, Wire
from .elements import offset

Nest = tuple[int, ...]
"""The loops that a component is in, by number."""


def projected(circuit: Circuit) -> Circuit:
    """The circuit along its time; the circuit itself if no component is in more than one loop."""
    return _Projection(circuit).circuit if any(c.nested for c in circuit.components) else circuit


class _Projection:
    """kept[c] is the axis of a component that stays, None if there is none; flat[c] what the component becomes.

    plates  the loops of which one iteration is shown
    """

    def __init__(self, circuit: Circuit):
        self.lengths = circuit.lengths
        time = _times(circuit)
        self.plates = {loop for nest, kept in time.items() for loop in nest[: nest.index(kept)]} - {*time.values()}
        self.kept = {c: self._kept(_nest(c), time) for c in circuit.components}
        self.flat = {c: self._component(c) for c in circuit.components}
        for c, image in self.flat.items():
            image.wires = self._wires(c, c.wires)
        self.circuit = Circuit(list(self.flat.values()), circuit.lengths)
        self.circuit.outputs = [self.flat[c] for c in circuit.outputs]

    def _kept(self, nest: Nest, time: dict[Nest, int]) -> int | None:
        if len(nest) > 1:
            return nest.index(time[nest])
        return 0 if nest and nest[0] not in self.plates else None

    def _component(self, c: Component) -> Component:
        """A component along one of its axes: of each step the last visit, in the first iteration of outer loops."""
        k = self.kept[c]
        if k is None:
            return replace(c, wires=[], visits=c.visits[:1], axes=(), points=[()], without=0, reads=None)
        if not c.nested:
            return replace(c, wires=[])
        first = c.points[0][:k]
        last = {point[k]: step for point, step in zip(c.points, c.visits, strict=True) if point[:k] == first}
        times: list[Point] = [(t,) for t in sorted(last)]
        visits = [last[t] for (t,) in times]
        lowest = offset(visits)
        reads = None if lowest is None or c.backward else lowest - times[0][0]
        return replace(c, wires=[], visits=visits, axes=(c.axes[k],), points=times, without=0, reads=reads)

    def _wires(self, c: Component, wires: tuple[Wire, ...] | list[Wire]) -> list[Wire]:
        found = [self._wire(c, wire) for wire in wires]
        return [wire for wire in found if wire is not None]

    def _wire(self, c: Component, wire: Wire) -> Wire | None:
        source = wire.source
        if all(len(x.axes) < 2 and (self.kept[x] is not None or not x.axes) for x in (c, source)):
            initial, final, others = (tuple(self._wires(c, w)) for w in (wire.initial, wire.final, wire.others))
            return replace(wire, end=ref(self.flat[source]), initial=initial, final=final, others=others)
        along = zip(_nest(source), wire.coordinates(), strict=True) if source.axes else ()
        both = self.plates & {*_nest(c)}
        if any(loop in both and (a.offset or a.reach != "step") for loop, a in along):  # from an iteration before
            return self._wire(c, wire.initial[0]) if wire.initial else None
        if self.kept[source] is None:
            return Wire(ref(self.flat[source]), reach="once")
        return self._wire_in_a_nest(c, wire)

    def _wire_in_a_nest(self, c: Component, wire: Wire) -> Wire | None:
        """From which steps of the source a step reads. None for a wire that only leads on within a step."""
        source, end = wire.source, ref(self.flat[wire.source])
        k, j, points = self.kept[c], self.kept[source], wire.points(self.lengths)
        assert j is not None
        reads = defaultdict[int, set[int]](set)
        for at in c.points:
            reads[0 if k is None else at[k]] |= {q[j] for q in points(at)[0]}
        there = {s for (s,) in self.flat[source].points}
        last = {t: max(steps) for t, steps in reads.items() if steps}
        if all(steps == there for steps in reads.values()) or not last:
            return Wire(end, reach="all")
        if k is not None and c.axes[k].loop == source.axes[j].loop:
            delays = {t - s for t, steps in reads.items() for s in steps}
            if len(delays) == 1:
                delay = delays.pop()
                initial = self._wires(c, wire.initial) if wire.border == k else []
                is_inner = not delay and c.nested and any(a.offset or a.reach == "last" for a in wire.coordinates())
                return None if is_inner else Wire(end, delay, tuple(initial))
            delay = min(t - s for t, s in last.items())
            if all(steps == {s for s in there if s <= t - delay} for t, steps in reads.items()):
                return Wire(end, reach="so far", along=(Along("so far", (1,), -delay),))
        for reach, edge in (("first", min(there)), ("last", max(there))):
            if all(steps <= {edge} for steps in reads.values()):
                return Wire(end, reach=reach)
        return Wire(end, reach="all")


def _nest(c: Component) -> Nest:
    return tuple([axis.loop for axis in c.axes])


def _times(circuit: Circuit) -> dict[Nest, int]:
    """Of each nest of loops that something is in, the one that is its time."""
    carried, data = defaultdict[Nest, set[int]](set), defaultdict[Nest, set[int]](set)
    for c in circuit.components:
        data[_nest(c)] |= {c.axes[k].loop for k in _axes_read_along(c)}
        for wire in c.wires:
            for one in (wire, *wire.others, *wire.initial, *wire.final):
                for nest in {_nest(c), _nest(one.source)}:
                    carried[nest].update(_loops_carried_along(c, one))
    found = {}
    for nest in {_nest(c) for c in circuit.components if c.nested}:
        inner = [loop for loop in nest[::-1] if loop in carried[nest] & data[nest]]
        found[nest] = (*inner, *(loop for loop in nest if loop in carried[nest]), nest[0])[0]
    return found


def _loops_carried_along(c: Component, wire: Wire) -> Iterator[int]:
    """The loops along which a wire carries on something but a sum."""
    if wire.source is c and c.operation is not None and c.operation.name == "add":
        return
    for along in wire.coordinates():
        for k, stride in enumerate(along.strides):
            if stride and along.offset and not along.from_end:
                yield c.axes[k].loop


def _axes_read_along(c: Component) -> Iterator[int]:
    """The axes along which another element of an array of data is read at each step."""
    if c.operation is not None and c.operation.name == "getitem" and c.wires[0].source.kind != "parameter":
        visits = zip(c.points, (repr(step.attributes["index"]) for step in c.visits), strict=True)
        for (a, one), (b, other) in pairwise(visits):
            moved = [k for k, (s, t) in enumerate(zip(a, b, strict=True)) if s != t]
            if len(moved) == 1 and one != other:
                yield moved[0]
