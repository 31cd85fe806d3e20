"""A circuit at the level of a textbook's figure: its named variables, and which of them each is computed from.

Operations without a name are folded into the arrows. An arrow carries the parameters it passes through: in
``h = tanh(b + h @ W.T + x @ U.T)`` the arrow from x to h carries U, the one from h of the step before carries W.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from tinygrad_rnn.circuit import Circuit, Component, Wire

PRODUCTS = ("matmul", "multiply", "einsum")
"""Operations through which a parameter weights what passes: the parameter labels the arrow."""


@dataclass(frozen=True, eq=False)
class Variable:
    """Something with a name. `row` is its place from bottom to top; `repeats`: it exists at every step."""

    component: Component
    name: str
    kind: str
    row: int
    repeats: bool


@dataclass(frozen=True)
class Link:
    """`source`, `delay` steps ago, is used to compute `target`, through the parameters in `label`."""

    source: Variable
    target: Variable
    label: str
    delay: int
    starts_at_zero: bool


@dataclass(frozen=True)
class _Route:
    """How a component's value gets to an operation: through which parameters and how many delays."""

    source: Component
    parameters: tuple[str, ...] = ()
    delay: int = 0
    zero: bool = True


class Variables:
    """`all` variables of a circuit, from the inputs up, and the `links` between them."""

    def __init__(self, circuit: Circuit):
        self._weights = _weights(circuit)
        shown = _shown(circuit, self._weights)
        routes = self._routes(circuit, shown)
        self.length = circuit.length
        order = _rows(circuit, shown, routes)
        self.all = [Variable(c, _name(c), _kind(c, circuit, routes), row, c.repeats) for row, c in enumerate(order)]
        by_component = {id(v.component): v for v in self.all}
        self.links = [
            Link(by_component[id(route.source)], by_component[key], label, route.delay, route.zero)
            for key, found in routes.items()
            if key in by_component
            for route, label in _merged(found)
        ]

    def _routes(self, circuit: Circuit, shown: list[Component]) -> dict[int, list[_Route]]:
        """For each component, the shown components its value is computed from.

        Components come in the order in which they first happened, so an undelayed source has its routes already, and
        a delayed one is shown.
        """
        is_shown = {id(c) for c in shown}
        routes: dict[int, list[_Route]] = {}
        for component in circuit.components:
            found = routes[id(component)] = []
            for wire in component.wires:
                if id(wire.source) in self._weights or _is_own_past(component, wire):
                    continue
                passed = self._passed(component, wire)
                zero = all(w.source.kind == "constant" and not np.any(w.source.visits[0].value) for w in wire.initial)
                if id(wire.source) in is_shown:
                    found.append(_Route(wire.source, passed, wire.delay, zero))
                else:
                    found += [_Route(r.source, r.parameters + passed, r.delay, r.zero) for r in routes[id(wire.source)]]
        return routes

    def _passed(self, component: Component, through: Wire) -> tuple[str, ...]:
        """The parameters that weight what comes in by one wire."""
        if component.operation is None or component.operation.name not in PRODUCTS:
            return ()
        others = [wire.source for wire in component.wires if wire is not through]
        return tuple(name for c in others for name in self._weights.get(id(c), ()))


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
    sequences = {id(c.wires[0].source) for c in circuit.components if c.is_sequence}
    delayed = {id(w.source) for c in circuit.components for w in c.wires if w.delay}
    outputs = {id(c) for c in circuit.outputs}
    read = {id(w.source) for c in circuit.components for w in c.wires}
    initial = {id(w.source) for c in circuit.components for wire in c.wires for w in wire.initial}
    return [
        c
        for c in circuit.components
        if id(c) not in weights
        and id(c) not in sequences
        and (id(c) not in initial or id(c) in read)
        and (c.kind == "input" or c.name or c.is_sequence or id(c) in delayed or id(c) in outputs)
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
        shown_users = [key for key in users if key in losses]
        return "target" if shown_users and len(users) <= 2 * len(shown_users) else "input"
    return "loss" if id(component) in losses else "variable"


def _rows(circuit: Circuit, shown: list[Component], routes: dict[int, list[_Route]]) -> list[Component]:
    """From bottom to top, each above what it is computed from; an input next to what uses it.

    An input stands below its first user if nothing else does, otherwise above it, as a target stands above its loss.
    """
    inner = [c for c in shown if c.kind != "input" and not c.is_sequence]
    rows: list[Component] = []
    for component in inner:
        own_inputs = [r.source for r in routes[id(component)] if not any(r.source is c for c in [*inner, *rows])]
        below, above = (own_inputs, []) if _starts(component, inner, routes) else ([], own_inputs)
        rows += [*below, component, *above]
    return rows + [c for c in shown if not any(c is row for row in rows)]


def _starts(component: Component, inner: list[Component], routes: dict[int, list[_Route]]) -> bool:
    """Whether nothing else of the same step leads to it."""
    return not any(any(r.source is c for c in inner) and not r.delay for r in routes[id(component)])


def _merged(found: Iterable[_Route]) -> list[tuple[_Route, str]]:
    """One arrow for all routes from the same variable over the same distance."""
    labels: dict[tuple[int, int], list[str]] = {}
    first: dict[tuple[int, int], _Route] = {}
    for route in found:
        key = id(route.source), route.delay
        first.setdefault(key, route)
        labels.setdefault(key, []).extend(p for p in route.parameters if p not in labels.get(key, ()))
    return [(first[key], ", ".join(labels[key])) for key in first]
