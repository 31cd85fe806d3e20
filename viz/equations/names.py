"""Which components of a circuit are variables of the equations, and what they are called."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from tinygrad_rnn.tracing.circuit import Circuit, Component, Wire
from viz.equations.terms import Variable

REARRANGING = ("transpose", "swapaxes", "reshape", "expand_dims", "squeeze", "astype", "as_integer", "positive")

NEW = "zvukrpj"
"""Letters for what has no name."""
NAMELESS = {"operation": "z", "input": "x", "parameter": "W", "constant": "const"}


class Names:
    """The variables of the forward pass, by their components: what the code names, and what needs a name.

    invariant  the components that have the same value at every step
    totals     running sums over time of which nothing but the last is read: no recurrence, but a Σ
    """

    def __init__(self, circuit: Circuit, outputs: Iterable[Component]):
        self._forward = [c for c in circuit.components if c.visits[0].forward is None and c.kind != "failed"]
        self.invariant = _invariant(self._forward)
        self.totals = _totals(self._forward)
        self.variable: dict[Component, Variable] = {}
        self.invented: list[Variable] = []
        wanted = self._wanted(set(outputs))
        for c, variable in _marks(wanted).items():
            self.variable[c] = replace(variable, loop=self.loop(c))
        self._same_constants(circuit)
        self._taken = {v.name for v in self.variable.values()}

    def new(self, letters: str, loop: int | None) -> Variable:
        """A variable for what has no name, called by the first of the letters that is free."""
        name = next((letter for letter in letters if letter not in self._taken), "")
        n = 1
        while not name:
            if f"{letters[-1]}{n}" not in self._taken:
                name = f"{letters[-1]}{n}"
            n += 1
        self._taken.add(name)
        return Variable(name, loop=loop)

    def invent(self, c: Component) -> Variable:
        self.variable[c] = self.new(NEW, self.loop(c))
        self.invented.append(self.variable[c])
        return self.variable[c]

    def loop(self, c: Component) -> int | None:
        return None if c in self.invariant or c in self.totals else c.loop

    def _same_constants(self, circuit: Circuit) -> None:
        """The backward pass has arrays of its own: those with the same numbers are the same."""
        named = [c for c in self._forward if c.kind == "constant" and c in self.variable and c.loop is None]
        for c in circuit.components:
            if c.kind == "constant" and np.ndim(c.visits[0].value) and not c.name:
                for same in named:
                    if np.array_equal(same.visits[0].value, c.visits[0].value) and same is not c:
                        self.variable[c] = self.variable[same]

    def _wanted(self, outputs: set[Component]) -> list[tuple[Component, str]]:
        """The components that are variables, and their names as the code has them; "" where it has none."""
        wires = [one for c in self._forward for wire in c.wires for one in (wire, *wire.others)]
        delayed = {w.source for w in wires if w.delay and w.source not in self.totals}
        arrays = [c.wires[0].source for c in self._forward if c.is_sequence]
        stepwise = {c for c in arrays if c.operation is None or c.operation.name != "stack"}
        stepwise |= {w.source for w in wires if w.reach == "all"}
        read = {w.source for w in wires}
        starts = {i.source: w.source.name for w in wires for i in w.initial + w.final if i.source not in read}
        names = {c: c.name or (_output_name(c) if c in outputs else "") for c in self._forward}
        last = {(c.module, names[c], self.loop(c)): c for c in self._forward if c.operation is not None}
        weights = _weights(self._forward)
        found = []
        for c in self._forward:
            if c.is_sequence:
                continue  # element t of a variable
            if not c.name and is_uniform(c):
                continue
            stands_in = c.kind in ("constant", "operation") or (c.kind == "input" and c.name == starts.get(c))
            if c in starts and c.loop is None and stands_in:
                continue  # h⁽⁰⁾
            if c.operation is not None and c.operation.name in REARRANGING and c in weights:
                continue  # W.T is Wᵀ wherever it is
            is_last = c.operation is None or last[c.module, names[c], self.loop(c)] is c
            if (names[c] and is_last) or c.operation is None or c in delayed | stepwise:
                found.append((c, names[c] or NAMELESS[c.kind]))
        return found


def _output_name(c: Component) -> str:
    """What a result is called that the code does not name: L, if it is a single number."""
    return "L" if c.visits[0].shape == () else "output"


def is_uniform(c: Component) -> bool:
    """Whether it is a constant that has the same value everywhere."""
    values = [np.asarray(step.value) for step in c.visits]
    return c.kind == "constant" and all(v.size and (v == values[0].flat[0]).all() for v in values)


def _invariant(components: list[Component]) -> set[Component]:
    found: set[Component] = set()
    for c in components:
        if c.loop is None or (
            c.wires
            and not c.is_sequence
            and not any(w.others or w.delay for w in c.wires)
            and all(w.reach != "step" or w.source in found for w in c.wires)
        ):
            found.add(c)
    return found


def _weights(components: list[Component]) -> set[Component]:
    """What is computed from parameters and constants alone."""
    found: set[Component] = set()
    for c in components:
        if c.kind in ("parameter", "constant") or (c.wires and all(w.source in found for w in c.wires)):
            found.add(c)
    return found


def readers(components: Iterable[Component]) -> Counter[Component]:
    """How many components read each."""
    return Counter(source for c in components for source in {w.source for w in c.wires})


def _totals(components: list[Component]) -> set[Component]:
    """Running sums of which nothing but the last is read."""
    read_at_steps = {
        one.source
        for c in components
        for wire in c.wires
        for one in (wire, *wire.others, *wire.initial, *wire.final)
        if one.reach in ("step", "all") and one.source is not c
    }
    return {c for c in components if c.is_sum and c not in read_at_steps and _adds_to_itself(c)}


def _adds_to_itself(c: Component) -> bool:
    return sum(wire.source is c for wire in c.wires) == 1 and not any(wire.others for wire in c.wires)


def own_past(c: Component) -> Wire:
    """The wire over which a running sum reads itself."""
    return next(wire for wire in c.wires if wire.source is c)


def _marks(wanted: list[tuple[Component, str]]) -> dict[Component, Variable]:
    """Variables with names that differ: by their modules, or by numbers."""
    of_name: dict[str, list[Component]] = defaultdict(list)
    for c, name in wanted:
        of_name[name].append(c)
    found = {c: Variable(name) for c, name in wanted}
    for same in of_name.values():
        if len(same) == 1:
            continue
        parts = _differing([c.module for c in same])
        if len(set(parts)) == len(parts):
            marks = parts
        else:
            entering = [c for c in same if c.kind == "input"]
            numbered = [c for c in same if len(entering) != 1 or c is not entering[0]]
            marks = [str(numbered.index(c) + 1) if c in numbered else "" for c in same]
        for c, mark in zip(same, marks, strict=True):
            found[c] = replace(found[c], mark=mark)
    return found


def _differing(paths: list[str]) -> list[str]:
    """Of paths like encoder.cell and decoder.cell, the part in which they differ: encoder and decoder."""
    split = [path.split(".") if path else [] for path in paths]
    while all(split) and len({parts[0] for parts in split}) == 1:
        split = [parts[1:] for parts in split]
    while all(split) and len({parts[-1] for parts in split}) == 1:
        split = [parts[:-1] for parts in split]
    return [".".join(parts) for parts in split]
