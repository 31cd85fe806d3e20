"""A circuit with loops within loops, seen along one loop: what a picture with one axis of time can show.

Of a component in several loops one axis is kept: that along which a state is carried on; of several, that along which
data is read, else the outermost. What happens along inner loops is one visit a step: attention that scores the
encoder's states one by one is one vertex at each step of the decoder, with an edge from all steps of the encoder. Of
outer loops one iteration is shown, as on a plate: of a loop over examples, one example. But a loop over chunks of the
data that carries something on is time as well: chunk after chunk stands side by side.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import pairwise
from weakref import ref

from .circuit import Along, Axis, Bound, Circuit, Component, Point, Wire, read
from .elements import offset
from .recorder import Step

Nest = tuple[int, ...]
"""The loops that a component is in, by number."""


def projected(circuit: Circuit) -> Circuit:
    """The circuit along its time; the circuit itself if no component is in more than one loop."""
    if not any(c.nested for c in circuit.components):
        return circuit
    try:
        return _Flattened(circuit).circuit
    except _NotInARow:
        return _Projection(circuit).circuit


class _NotInARow(Exception):
    """The loops are no chunks of one time."""


class _Flattened:
    """Two loops as one: the steps of the inner one chunk after chunk, and at the first or the last step of a chunk what
    happens once in it. Raises _NotInARow if that is not their order, or nothing is carried on from chunk to chunk.
    """

    def __init__(self, circuit: Circuit):
        self.lengths = circuit.lengths
        time, nests = _times(circuit), {_nest(c) for c in circuit.components}
        wires = [(c, one) for c in circuit.components for wire in c.wires for one in wire.within()]
        carried = {loop for c, one in wires for loop in _loops_carried_along(c, one)}
        nest, *others = [nest for nest in nests if len(nest) > 1]
        outer, self.inner = nest[0], nest[-1]
        if others or len(nest) > 2 or outer not in carried or time[nest] != self.inner or (self.inner,) in nests:
            raise _NotInARow
        self.n, self.nests = self.lengths[self.inner], {nest, (outer,)}
        self.T = self.n * self.lengths[outer]
        inside = [(at[0], x.index) for c in circuit.components if c.nested for at, x in _visits(c)]
        self.begin = dict(sorted(inside, reverse=True))  # by chunk the number of the first step inside
        self.times = {c: {at: self._time(c, at, x) for at, x in _visits(c)} for c in circuit.components}
        self.flat = {c: self._component(c) for c in circuit.components}
        for c, image in self.flat.items():
            image.wires = [self._wire(c, wire) for wire in c.wires]
            if (array := self._cut_up(c)) is not None:
                image.wires, image.reads = [Wire(ref(self.flat[array]), reach="once")], 0
        lengths = [self.T if loop == self.inner else n for loop, n in enumerate(self.lengths)]
        self.circuit = Circuit(list(self.flat.values()), lengths)
        self.circuit.outputs = [self.flat[c] for c in circuit.outputs]

    def _time(self, c: Component, at: Point, step: Step) -> int:
        if len(at) < 2:
            return at[0] * self.n + (self.n - 1) * (step.index > self.begin[at[0]]) if _nest(c) in self.nests else 0
        return at[0] * self.n + at[1]

    def _component(self, c: Component) -> Component:
        if _nest(c) not in self.nests:
            return replace(c, wires=[])
        times = [*self.times[c].values()]
        step = times[1] - times[0] if len(times) > 1 else 1
        if step < 1 or times != list(range(times[0], times[-1] + 1, step)):
            raise _NotInARow
        axis = Axis(self.inner, Bound(times[0]), Bound(times[-1] + 1 - self.T, True), step)
        return replace(c, wires=[], axes=(axis,), points=[(t,) for t in times], without=0, reads=None)

    def _cut_up(self, c: Component) -> Component | None:
        """Of the elements of chunks that are slices of one array, side by side: that array."""
        slices = [step.inputs[0] for step in c.visits if step.inputs]
        if not c.nested or {_index(step) for step in slices} - {(slice,)} or {*map(_index, c.visits)} != {(int,)}:
            return None
        chunk = c.wires[0].source
        starts = {t * self.n: step.attributes["index"][0] for (t,), step in _visits(chunk)}
        side_by_side = all(cut.start == t and cut.step in (1, None) for t, cut in starts.items())
        return chunk.wires[0].source if side_by_side and not chunk.wires[0].source.axes else None

    def _wire(self, c: Component, wire: Wire) -> Wire:
        """The same wire; of several places that are read, a switch."""
        if not self.nests & {_nest(c), *(_nest(one.source) for one in wire.within())}:
            return _moved(wire, self.flat)
        found = [self._read(c, wire, at) for at in c.points]
        usual = Counter(found).most_common(1)[0][0]
        initial, later = found[: max(usual[1], 0)], found[max(usual[1], 0) :]
        ways = list(dict.fromkeys([usual, *later]))
        taken, *others = map(_wire_to, ways)
        choices = [0] * len(initial) + [ways.index(one) for one in later] if others else []
        return replace(taken, initial=tuple(map(_wire_to, initial)), others=tuple(others), choices=tuple(choices))

    def _read(self, c: Component, wire: Wire, at: Point) -> tuple[Component, int, str]:
        """What is read at a point, how many steps ago, and which steps."""
        taken, points = read(c, wire, at, self.lengths)
        source, reach = taken.source, "step"
        if len(points) != 1:
            raise _NotInARow
        if not source.axes:
            return self.flat[source], 0, "once"
        if {_nest(c), _nest(source)} <= self.nests:
            return self.flat[source], self.times[c][at] - self.times[source][points[0]], "step"
        for reach, end in (("first", source.points[0]), ("last", source.points[-1])):
            if points == [end]:
                return self.flat[source], 0, reach
        raise _NotInARow


def _wire_to(read: tuple[Component, int, str]) -> Wire:
    source, delay, reach = read
    return Wire(ref(source), delay, reach=reach)


def _moved(wire: Wire, to: Mapping[Component, Component]) -> Wire:
    """A wire that comes from the images of its sources."""
    ways = (wire.initial, wire.final, wire.others)
    initial, final, others = (tuple([_moved(one, to) for one in way]) for way in ways)
    return replace(wire, end=ref(to[wire.source]), initial=initial, final=final, others=others)


def _index(step: Step) -> tuple[type, ...]:
    """What kinds of things an element is read by."""
    return tuple(map(type, step.attributes.get("index", ())))


def _visits(c: Component) -> Iterator[tuple[Point, Step]]:
    return zip(c.points, c.visits, strict=True)


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
        inside = [(point[k], step) for point, step in _visits(c) if point[:k] == first]
        last = dict(sorted(inside, key=lambda visit: visit[1].index))
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
                if is_inner:  # of what leads on within a step, what the inner loop begins with
                    begins = wire.initial[0] if wire.initial else None
                    return self._wire(c, begins) if begins and begins.source.kind != "constant" else None
                return Wire(end, delay, tuple(initial))
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
