"""How the values of variables get to what is computed from them: over operations that are not shown, past weights."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import zip_longest

from tinygrad_rnn.tracing.circuit import Along, Component, Wire, read
from tinygrad_rnn.tracing.reading import Reading
from viz.diagrams.weights import Weight, Weights

Reads = Callable[[int], list[tuple[Component, int]]]
"""From a time to what is read then: components, and a time of each."""


@dataclass(frozen=True, slots=True)
class Path:
    """From a shown component to one that is computed from it.

    along    which steps of the source are read, as a wire says it: of each loop that the source is in
    reads    the same for one time, initial values and switches included; several where paths were merged
    weights  what weights the value on its way
    fixed    whether it leads through matrices, and none of them is trained
    initial  what is read where the source has no such step, and which steps of that
    """

    source: Component
    along: tuple[Along, ...]
    reads: tuple[Reads, ...]
    weights: tuple[Weight, ...] = ()
    fixed: bool = False
    initial: tuple[tuple[Component, tuple[Along, ...]], ...] = ()

    @property
    def is_plain(self) -> bool:
        """Whether the value is only scaled, by no matrix: as h⁽ᵗ⁻¹⁾ by 1 − 1/α in a leaky unit."""
        return bool(self.weights) and not any(weight.matrix for weight in self.weights)


class Paths:
    """The paths to each component, of a circuit of which some components are `shown`."""

    def __init__(self, shown: set[Component], reading: Reading, weights: Weights, every: bool):
        self.shown, self._reading, self._every = shown, reading, every
        self._weights, self._element = weights, reading.sequences.element
        self._lengths = reading.circuit.lengths
        self._found: dict[Component, list[Path]] = {}

    def to(self, component: Component) -> list[Path]:
        """The paths to a component from those that are shown.

        What is not shown and comes before is looked at first, without recursion: a run may be as long as it likes. What
        would go in a circle without a name is shown.
        """
        pending, begun = [component], set[Component]()
        while pending:
            c = pending[-1]
            if c not in self._found:
                begun.add(c)
                for source in dict.fromkeys(self._hidden_sources(c)):
                    if source in begun:
                        self.shown.add(source)
                    else:
                        pending.append(source)
            if pending[-1] is c:
                pending.pop()
                begun.discard(c)
                if c not in self._found:
                    self._found[c] = _merged(self._over_wires(c))
        return self._found[component]

    def _hidden_sources(self, c: Component) -> Iterator[Component]:
        """What is not shown and not looked at yet."""
        for _, _, one in self._read_by(c):
            source = self._element(one.source)[0]
            if source not in self.shown and source not in self._found:
                yield source

    def _read_by(self, c: Component) -> Iterator[tuple[Wire, int, Wire]]:
        """The wires to a component from what is no weight: each wire, with the number and the wire of each source.

        Of its own past, only from what that begins with.
        """
        for wire in c.wires:
            for i, one in enumerate((wire, *wire.others)):
                is_own_past = self._reading.is_own_past(c, one) or (one.source is c and bool(self._summed(c)))
                for source in one.initial + one.final if is_own_past else (one,):
                    if self._element(source.source)[0] not in self._weights:
                        yield wire, i, source

    def _summed(self, c: Component) -> set[int]:
        """The axes along which a component is a running sum, of which others read the end alone."""
        if c in self._reading.totals:
            return {0}
        past = [wire for wire in c.wires if wire.source is c]
        if not c.nested or len(past) != 1 or c.operation is None or c.operation.name not in ("add", "subtract"):
            return set()
        axes = {k for k, along in enumerate(past[0].coordinates()) if along.offset}
        read = (w for reader in self._reading.circuit.components if reader is not c for w in reader.wires)
        is_end_read = all(w.coordinates()[k].follows != k for w in read if w.source is c for k in axes)
        return axes if is_end_read else set()

    def _along(self, wire: Wire) -> tuple[Along, ...]:
        """Which steps are read, of what stands for the source."""
        ago = self._element(wire.source)[1]
        return tuple([_later(each, -ago * (j == 0)) for j, each in enumerate(wire.coordinates())])

    def _terms(self, c: Component, along: tuple[Along, ...]) -> tuple[Along, ...]:
        """Which steps of its terms are read where these of a component are: all of them at the end of a running sum."""
        ends = {k for k in self._summed(c) if along and along[k].reach in ("first", "last")}
        return tuple([Along("all") if k in ends else each for k, each in enumerate(along)])

    def _at_every_step(self, total: Component, t: int) -> list[tuple[Component, int]]:
        """A running sum at all steps at which it has a term, the first one included: of that alone it may begin."""
        term = next((wire.source for wire in total.wires if wire.source is not total and wire.source.axes), total)
        return [(total, s) for s in (term.times(self._lengths[term.axes[0].loop]) if term.axes else ())]

    def _over_wires(self, c: Component) -> Iterator[Path]:
        for wire, i, one in self._read_by(c):
            weights = self._weights.beside(c, wire, self._every)
            source, along = self._element(one.source)[0], self._along(one)
            initial = tuple([(self._element(v.source)[0], self._along(v)) for v in one.initial + one.final])
            past = (wire, *wire.others)[i]
            read: Reads = partial(self._read, c, wire, i) if one is past else partial(self._begun, c, past, one)
            is_forward = source.visits[0].forward is None  # what a gradient sums are often arrays with one row each
            if is_forward and (terms := self._terms(source, along)) != along:
                along, read = terms, partial(self._at_every_step, source)
            last = Path(source, along, (read,), weights, _is_fixed(weights), initial)
            if source in self.shown:
                yield last
            else:
                same = along in ((), SAME) and not initial and not wire.others
                yield from (_joined(path, last, same) for path in self._found[source])

    def _read(self, c: Component, wire: Wire, i: int, t: int) -> list[tuple[Component, int]]:
        """What a component reads at a time over a wire, if from its source of number i.

        Where that has no such step: the initial value if it is shown, else the step that there is not, as h⁽⁰⁾.
        """
        at = (t,) if c.axes else ()
        one = used = (wire, *wire.others)[i]
        if wire.others and (c.visit(t) is None or wire.choice(c, at) != i):
            return []
        points = one.points(self._lengths)(at)[0]
        if not points and one.initial and c.visit(t) is not None:
            used, points = read(c, replace(one, others=()), at, self._lengths)
        source, ago = self._element(used.source)
        if not points or (used is not one and source not in self.shown):
            (source, ago), along = self._element(one.source), one.coordinates()[0]
            points = [(t + along.offset,)] if along.follows == 0 else []
        return [(source, point[0] - ago if point else 0) for point in points]

    def _begun(self, c: Component, past: Wire, begin: Wire, t: int) -> list[tuple[Component, int]]:
        """What a component reads at a time of what its own past begins with."""
        if c.visit(t) is None:
            return []
        used, points = read(c, replace(past, others=()), (t,) if c.axes else (), self._lengths)
        source, ago = self._element(used.source)
        return [(source, point[0] - ago if point else 0) for point in points if used.source is begin.source]


SAME = (Along("step", (1,)),)
"""At step t, step t."""


def _later(along: Along, by: int) -> Along:
    """Along which later steps are read."""
    return along if along.reach in ("first", "last", "all") else along._replace(offset=along.offset + by * along.per)


def after(path: tuple[Along, ...], last: tuple[Along, ...]) -> tuple[Along, ...]:
    """Which steps are read over one wire and then another."""
    return tuple([_after(along, last) for along in path])


def _after(along: Along, last: tuple[Along, ...]) -> Along:
    """One coordinate of them. Where it depends on steps that are no single ones, at those: as all are, or the last."""
    if along.follows is not None:
        return _later(last[along.follows], along.offset)
    through = [(last[k], stride) for k, stride in enumerate(along.strides) if stride]
    if not all(one.is_affine for one, _ in through):
        return through[0][0] if len(through) == 1 else Along("all")
    columns = zip_longest(*([stride * each for each in one.strides] for one, stride in through), fillvalue=0)
    offset = along.offset + sum(stride * one.offset for one, stride in through)
    return along._replace(strides=tuple(map(sum, columns)), offset=offset)


def _joined(path: Path, last: Path, same: bool) -> Path:
    """A path that goes on over one more wire; whether that always leads on from the same step."""

    def reads(t: int) -> list[tuple[Component, int]]:
        found = [place for each in last.reads for place in each(t)]
        back = [[q for each in path.reads for q in each(s)] if c is last.source else [(c, s)] for c, s in found]
        return [place for places in back for place in places]

    weights = tuple(dict.fromkeys(path.weights + last.weights))
    fixed = (path.fixed or last.fixed) and _is_fixed(weights)
    before = tuple([(c, after(along, last.along)) for c, along in path.initial])
    along, found = after(path.along, last.along), path.reads if same else (reads,)
    return Path(path.source, along, found, weights, fixed, before + last.initial)


def _is_fixed(weights: Iterable[Weight]) -> bool:
    matrices = [weight for weight in weights if weight.matrix]
    return bool(matrices) and not any(weight.trained for weight in matrices)


def _merged(paths: Iterable[Path]) -> list[Path]:
    """One path for all from the same steps of a variable, but one of its own for a value only scaled."""
    found: dict[tuple, Path] = {}
    for path in paths:
        key = path.source, path.along, path.is_plain
        if (known := found.get(key)) is not None:
            reads = tuple(dict.fromkeys(known.reads + path.reads))
            weights = tuple(dict.fromkeys(known.weights + path.weights))
            initial = tuple(dict.fromkeys(known.initial + path.initial))
            path = Path(path.source, path.along, reads, weights, known.fixed and path.fixed, initial)
        found[key] = path
    return list(found.values())
