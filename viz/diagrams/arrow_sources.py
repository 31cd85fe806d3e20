"""How the values of variables get to what is computed from them: over operations that are not shown, past weights."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from weakref import ref

from tinygrad_rnn.tracing.circuit import Along, Component, Wire, read
from tinygrad_rnn.tracing.reading import Reading
from viz.diagrams.weights import Weight, Weights


@dataclass(frozen=True, slots=True)
class Path:
    """From a shown component to one that is computed from it.

    delay, reach  as of a tinygrad_rnn.tracing.circuit.Wire
    weights       what weights the value on its way
    fixed         whether it leads through matrices, and none of them is trained
    times         the times at which a switch leads this way; None: always
    instead       by time: from where a value comes when the source has no such step
    steps, where  by time: the steps of the source that are read then, if `reach` is "at"; and that in words
    """

    source: Component
    weights: tuple[Weight, ...] = ()
    delay: int = 0
    reach: str = "step"
    fixed: bool = False
    times: frozenset[int] | None = None
    instead: dict[int, Wire] = field(default_factory=dict)
    steps: dict[int, tuple[int, ...]] = field(default_factory=dict)
    where: str = ""

    @property
    def is_plain(self) -> bool:
        """Whether the value is only scaled, by no matrix: as h⁽ᵗ⁻¹⁾ by 1 − 1/α in a leaky unit."""
        return bool(self.weights) and not any(weight.matrix for weight in self.weights)


class Paths:
    """The paths to each component, of a circuit of which some components are `shown`."""

    def __init__(self, shown: set[Component], reading: Reading, weights: Weights, every: bool):
        self.shown, self._reading, self._every = shown, reading, every
        self._weights, self._sequences = weights, reading.sequences
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
                if not known and not self._reading.is_own_past(c, one):
                    yield source

    def _over_wires(self, c: Component) -> Iterator[Path]:
        for wire in c.wires:
            weights = self._weights.beside(c, wire, self._every)
            fixed = _is_fixed(weights)
            for i, one in enumerate((wire, *wire.others)):
                source, ago = self._sequences.element(one.source)
                if source in self._weights or self._reading.is_own_past(c, one):
                    continue
                times = None
                if wire.others:
                    times = frozenset(at[0] for at in c.points if wire.choice(c, at) == i)
                instead = dict(self.instead(c, one, times))
                if one.along:
                    steps = self._steps(c, one, ago)
                    last = Path(source, weights, 0, "at", fixed, times, instead, steps, _in_words(one.along[0]))
                else:
                    last = Path(source, weights, one.delay + ago, one.reach, fixed, times, instead)
                if source in self.shown:
                    yield last
                else:
                    yield from (_joined(path, last) for path in self._found[source])

    def instead(self, c: Component, wire: Wire, times: frozenset[int] | None = None) -> Iterator[tuple[int, Wire]]:
        """When the source of a wire, if it leads from there, has no step for a component, and what is there instead."""
        if not wire.initial:
            return
        lengths, there = self._sequences.circuit.lengths, wire.points(self._sequences.circuit.lengths)
        n = len(wire.initial) + len(wire.final)
        at_ends = c.points if len(c.points) <= 2 * n or wire.along else c.points[:n] + c.points[-n:]
        for point in at_ends:
            t = point[0] if point else 0
            if not there(point)[0] and (times is None or t in times):
                value = read(c, replace(wire, others=()), point, lengths)[0]
                source, ago = self._sequences.element(value.source)
                yield t, Wire(ref(source), value.delay + ago, reach=value.reach)

    def _steps(self, c: Component, wire: Wire, ago: int) -> dict[int, tuple[int, ...]]:
        """The steps of a wire's source that are read at each step of a component."""
        points = wire.points(self._sequences.circuit.lengths)
        return {(at[0] if at else 0): tuple(q[0] - ago for q in found) for at in c.points if (found := points(at)[0])}


def _in_words(along: Along) -> str:
    """Which steps of a source are read at step t."""
    match along:
        case Along(reach="all", ends=(before, after)):
            parts = [f"t > {before}"] * bool(before) + [f"t ≤ T − {after}"] * bool(after)
            return "all " + ", ".join(parts)
        case Along(reach="so far"):
            return "all so far"
        case Along(reach="latest"):
            return "latest"
    stride = along.strides[0] if along.strides else 0
    rest = along.offset + 1 - stride
    terms = ["T"] * along.from_end
    if stride:
        terms.append(("−" if stride < 0 else "+") + ("" if abs(stride) == 1 else str(abs(stride))) + "t")
    if rest or not terms:
        terms.append(f"{'−' if rest < 0 else '+'}{abs(rest)}")
    return f"step {' '.join(terms).removeprefix('+')}".replace(" −", " − ").replace(" +", " + ")


def _joined(path: Path, last: Path) -> Path:
    """A path that goes on over one more wire."""
    if (path.reach == "at" or last.reach == "at") and path.reach in ("step", "at"):
        return _joined_by_steps(path, last)
    reach = last.reach if last.reach in ("first", "last", "all") and path.reach == "step" else path.reach
    times = path.times and frozenset(t + last.delay for t in path.times)
    times = times if last.times is None else last.times if times is None else last.times & times
    weights = tuple(dict.fromkeys(path.weights + last.weights))
    before = {t + last.delay: replace(value, delay=value.delay + last.delay) for t, value in path.instead.items()}
    fixed, instead = (path.fixed or last.fixed) and _is_fixed(weights), before | last.instead
    return Path(path.source, weights, path.delay + last.delay, reach, fixed, times, instead)


def _joined_by_steps(path: Path, last: Path) -> Path:
    """The same where a path leads to other steps than a delay says."""
    weights = tuple(dict.fromkeys(path.weights + last.weights))
    fixed = (path.fixed or last.fixed) and _is_fixed(weights)
    if last.reach in ("once", "first", "last", "all"):
        return Path(path.source, weights, 0, last.reach, fixed, last.times, last.instead)
    steps = {}
    if last.reach == "step":
        steps = {t + last.delay: found for t, found in path.steps.items()}
    else:
        for t, through in last.steps.items():
            back = [path.steps.get(s, ()) if path.reach == "at" else (s - path.delay,) for s in through]
            steps[t] = tuple(dict.fromkeys(s for found in back for s in found))
    return Path(path.source, weights, 0, "at", fixed, last.times, last.instead, steps, path.where or last.where)


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
            steps = {t: known.steps.get(t, ()) + path.steps.get(t, ()) for t in known.steps | path.steps}
            path = replace(known, weights=weights, times=times, fixed=fixed, instead=instead, steps=steps)
        found[key] = path
    return list(found.values())
