"""How the values of variables get to what is computed from them: over operations that are not shown, past weights."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from weakref import ref

from tinygrad_rnn.tracing.circuit import Component, Wire, chosen
from viz.diagrams.sequences import Sequences
from viz.diagrams.weights import Weight, Weights


@dataclass(frozen=True, slots=True)
class Path:
    """From a shown component to one that is computed from it.

    delay, reach  as of a tinygrad_rnn.tracing.circuit.Wire
    weights       what weights the value on its way
    fixed         whether it leads through matrices, and none of them is trained
    times         the times at which a switch leads this way; None: always
    instead       by time: from where a value comes when the source has no such step
    """

    source: Component
    weights: tuple[Weight, ...] = ()
    delay: int = 0
    reach: str = "step"
    fixed: bool = False
    times: frozenset[int] | None = None
    instead: dict[int, Wire] = field(default_factory=dict)

    @property
    def is_plain(self) -> bool:
        """Whether the value is only scaled, by no matrix: as h⁽ᵗ⁻¹⁾ by 1 − 1/α in a leaky unit."""
        return bool(self.weights) and not any(weight.matrix for weight in self.weights)


class Paths:
    """The paths to each component, of a circuit of which some components are `shown`."""

    def __init__(self, shown: set[Component], weights: Weights, sequences: Sequences, every: bool):
        self.shown, self._weights, self._sequences, self._every = shown, weights, sequences, every
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
                    self._found[c] = merged(self._over_wires(c))
        return self._found[component]

    def _hidden_sources(self, c: Component) -> Iterator[Component]:
        """What is not shown and not looked at yet."""
        for wire in c.wires:
            for one in (wire, *wire.others):
                source = self._sequences.element(one.source)[0]
                known = source in self.shown or source in self._found or source in self._weights
                if not known and not is_own_past(c, one):
                    yield source

    def _over_wires(self, c: Component) -> Iterator[Path]:
        for wire in c.wires:
            weights = self._weights.beside(c, wire, self._every)
            fixed = _is_fixed(weights)
            for i, one in enumerate((wire, *wire.others)):
                source, ago = self._sequences.element(one.source)
                if source in self._weights or is_own_past(c, one):
                    continue
                times = None
                if wire.others:
                    times = frozenset(t for t, choice in enumerate(wire.choices, c.first) if choice == i)
                instead = dict(self.instead(c, one, times))
                last = Path(source, weights, one.delay + ago, one.reach, fixed, times, instead)
                if source in self.shown:
                    yield last
                else:
                    yield from (_joined(path, last) for path in self._found[source])

    def instead(self, c: Component, wire: Wire, times: frozenset[int] | None = None) -> Iterator[tuple[int, Wire]]:
        """When the source of a wire, if it leads from there, has no step for a component, and what is there instead."""
        if wire.reach != "step" or not wire.initial:
            return
        near = (c, wire.source, *(value.source for value in wire.initial + wire.final))
        happens = {x: range(x.first, x.first + len(x.visits)) for x in near}
        own, there = happens[c], happens[wire.source]
        before = range(own.start, min(own.stop, there.start + wire.delay))
        after = range(max(own.start, there.stop + wire.delay), own.stop)
        for t in (t for t in (*before, *after) if times is None or t in times):
            value = chosen(c, replace(wire, others=()), t, happens)
            source, ago = self._sequences.element(value.source)
            yield t, Wire(ref(source), value.delay + ago, reach=value.reach)


def is_own_past(component: Component, wire: Wire) -> bool:
    """The running total of a sum over time is no recurrence."""
    return wire.source is component and component.is_sum


def _joined(path: Path, last: Path) -> Path:
    """A path that goes on over one more wire."""
    reach = last.reach if last.reach in ("first", "last", "all") and path.reach == "step" else path.reach
    times = path.times and frozenset(t + last.delay for t in path.times)
    times = times if last.times is None else last.times if times is None else last.times & times
    weights = tuple(dict.fromkeys(path.weights + last.weights))
    before = {t + last.delay: replace(value, delay=value.delay + last.delay) for t, value in path.instead.items()}
    fixed, instead = (path.fixed or last.fixed) and _is_fixed(weights), before | last.instead
    return Path(path.source, weights, path.delay + last.delay, reach, fixed, times, instead)


def _is_fixed(weights: Iterable[Weight]) -> bool:
    matrices = [weight for weight in weights if weight.matrix]
    return bool(matrices) and not any(weight.trained for weight in matrices)


def merged(paths: Iterable[Path]) -> list[Path]:
    """One path for all from the same variable over the same distance, but one of its own for a value only scaled."""
    found: dict[tuple, Path] = {}
    for path in paths:
        key = path.source, path.delay, path.reach, path.is_plain
        known = found.get(key)
        if known is not None:
            times = None if known.times is None or path.times is None else known.times | path.times
            weights = tuple(dict.fromkeys(known.weights + path.weights))
            fixed, instead = known.fixed and path.fixed, known.instead | path.instead
            path = replace(known, weights=weights, times=times, fixed=fixed, instead=instead)
        found[key] = path
    return list(found.values())
