"""A circuit at the level of a textbook's figure: its named variables, and which of them each is computed from.

Operations without a name are folded into the arrows. An arrow carries the parameters it passes through: in
``h = tanh(b + h @ W.T + x @ U.T)`` the arrow from x to h carries U, the one from h of the step before carries W.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from tinygrad_rnn.circuit import Circuit, Component, Wire

PRODUCTS = ("matmul", "multiply", "einsum")
"""Operations through which a parameter weights what passes: the parameter labels the arrow."""


@dataclass(frozen=True, eq=False)
class Variable:
    """Something with a name. `row` is its place from bottom to top, `loop` the loop it is in, if any.

    shift  for an element of a sequence: how far ahead of the step it is, as 1 in x⁽ᵗ⁺¹⁾
    """

    component: Component
    name: str
    kind: str
    row: int
    shift: int

    @property
    def loop(self) -> int | None:
        return self.component.loop


@dataclass(frozen=True)
class Link:
    """`source` is used to compute `target`, through the parameters in `label`.

    delay    how many steps ago; less than 0: ahead
    reach    which of the source's steps, as in tinygrad_rnn.circuit.Wire
    initial  for the steps that the delay does not reach: a variable that is there instead, and which of its steps
    times    the times at which a switch chooses this link; None: always
    at_zero  whether the initial values are plain zeros
    """

    source: Variable
    target: Variable
    label: str
    delay: int
    reach: str
    initial: tuple[tuple[Variable, str] | None, ...]
    times: tuple[int, ...] | None
    at_zero: bool


@dataclass(frozen=True)
class _Route:
    """How a shown component's value gets to an operation."""

    source: Component
    parameters: tuple[str, ...] = ()
    delay: int = 0
    reach: str = "step"
    initial: tuple[Wire, ...] = ()
    times: tuple[int, ...] | None = None


class Variables:
    """`all` variables of a circuit, from the bottom row up, and the `links` between them."""

    def __init__(self, circuit: Circuit):
        self.circuit = circuit
        self._weights = _weights(circuit)
        shown = _shown(circuit, self._weights)
        routes = self._routes(circuit, {id(c) for c in shown})
        order = _rows(shown, routes)
        self.all = [Variable(c, _name(c), _kind(c, circuit, routes), row, c.reads or 0) for row, c in enumerate(order)]
        self._variable = {id(v.component): v for v in self.all}
        self.links = [
            self._link(route, target, label)
            for target in self.all
            for route, label in _merged(routes[id(target.component)])
        ]

    def _link(self, route: _Route, target: Variable, label: str) -> Link:
        initial = tuple(
            (self._variable[id(w.source)], w.reach) if id(w.source) in self._variable else None for w in route.initial
        )
        zero = all(w.source.kind == "constant" and not np.any(w.source.visits[0].value) for w in route.initial)
        source = self._variable[id(route.source)]
        return Link(source, target, label, route.delay, route.reach, initial, route.times, zero)

    def _routes(self, circuit: Circuit, shown: set[int]) -> dict[int, list[_Route]]:
        """For each component, the shown components its value is computed from.

        Components come in the order in which they first happened, so an undelayed source has its routes already, and
        a delayed one is shown.
        """
        routes: dict[int, list[_Route]] = {}
        for component in circuit.components:
            found = routes[id(component)] = []
            for wire in component.wires:
                for i, one in enumerate((wire, *wire.others)):
                    if id(one.source) in self._weights or _is_own_past(component, one):
                        continue
                    times = tuple(t for t, chosen in enumerate(wire.choices) if chosen == i) if wire.others else None
                    passed = self._passed(component, wire)
                    if id(one.source) in shown:
                        found.append(_Route(one.source, passed, one.delay, one.reach, one.initial, times))
                    else:
                        found += [_beyond(route, one, passed, times) for route in routes[id(one.source)]]
        return routes

    def _passed(self, component: Component, through: Wire) -> tuple[str, ...]:
        """The parameters that weight what comes in by one wire."""
        if component.operation is None or component.operation.name not in PRODUCTS:
            return ()
        others = [wire.source for wire in component.wires if wire is not through]
        return tuple(name for c in others for name in self._weights.get(id(c), ()))


def _beyond(route: _Route, wire: Wire, passed: tuple[str, ...], times: tuple[int, ...] | None) -> _Route:
    """A route that goes on over one more wire."""
    reach = wire.reach if wire.reach in ("first", "last", "all") and route.reach == "step" else route.reach
    return replace(route, parameters=route.parameters + passed, reach=reach, times=times or route.times)


def _weights(circuit: Circuit) -> dict[int, tuple[str, ...]]:
    """The components that are computed from parameters and constants alone, with the parameters' names."""
    found: dict[int, tuple[str, ...]] = {}
    for c in circuit.components:
        if c.kind in ("parameter", "constant"):
            found[id(c)] = (_name(c),) if c.kind == "parameter" else ()
        elif c.operation is not None and all(id(w.source) in found and not w.delay for w in c.wires):
            found[id(c)] = tuple(dict.fromkeys(name for w in c.wires for name in found[id(w.source)]))
    return found


def _shown(circuit: Circuit, weights: dict[int, tuple[str, ...]]) -> list[Component]:
    """Inputs, elements of sequences, what has a name, what is delayed, and the outputs."""
    wires = [one for c in circuit.components for wire in c.wires for one in (wire, *wire.others)]
    whole = {id(c.wires[0].source) for c in circuit.components if c.is_sequence}
    delayed = {id(wire.source) for wire in wires if wire.delay}
    read = {id(wire.source) for wire in wires}
    hidden = set(weights) | ({id(w.source) for wire in wires for w in wire.initial} - read)
    outputs = {id(c) for c in circuit.outputs}
    return [
        c
        for c in circuit.components
        if id(c) not in hidden
        and not (c.kind == "input" and id(c) in whole)
        and (c.kind == "input" or c.name or c.is_sequence or id(c) in delayed | outputs)
    ]


def _is_own_past(component: Component, wire: Wire) -> bool:
    """The running total of a sum over time is no recurrence."""
    return component.is_sum and wire.source is component


def _name(component: Component) -> str:
    if component.is_sequence:
        return component.wires[0].source.label
    return component.label


def _kind(component: Component, circuit: Circuit, routes: dict[int, list[_Route]]) -> str:
    """input, target (an input that only a loss looks at), loss (a single number that comes out), variable."""
    losses = {id(c) for c in circuit.outputs if c.visits[0].shape == ()}
    if component.kind == "input" or component.is_sequence:
        users = [key for key, found in routes.items() if any(r.source is component for r in found)]
        of_losses = [key for key in users if key in losses]
        return "target" if of_losses and len(users) <= 2 * len(of_losses) else "input"
    return "loss" if id(component) in losses else "variable"


def _rows(shown: list[Component], routes: dict[int, list[_Route]]) -> list[Component]:
    """From bottom to top, each above what it is computed from; an input next to what uses it.

    An input stands below its first user if nothing else does, otherwise above it, as a target stands above its loss.
    """
    inner = [c for c in shown if c.kind != "input" and not c.is_sequence]
    inside = {id(c) for c in inner}
    rows: dict[int, Component] = {}
    for component in inner:
        sources = [r.source for r in routes[id(component)]]
        inputs = [c for c in sources if id(c) not in inside and id(c) not in rows]
        starts = not any(id(r.source) in inside and not r.delay for r in routes[id(component)])
        placed = [*inputs, component] if starts else [component, *inputs]
        rows |= {id(c): c for c in placed}
    return [*rows.values(), *(c for c in shown if id(c) not in rows)]


def _merged(found: Iterable[_Route]) -> list[tuple[_Route, str]]:
    """One arrow for all routes from the same variable over the same distance."""
    labels: dict[tuple, dict[str, None]] = {}
    first: dict[tuple, _Route] = {}
    for route in found:
        key = id(route.source), route.delay, route.reach, route.times
        first.setdefault(key, route)
        labels.setdefault(key, {}).update(dict.fromkeys(route.parameters))
    return [(first[key], ", ".join(labels[key])) for key in first]
