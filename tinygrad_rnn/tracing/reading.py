"""What a circuit is about: which of its components are variables, what they are called, and what part they play.

A circuit says what is computed from what. To draw it, to write it as equations or to compile it, one asks the same
questions again and again: what is a weight, a running sum, an initial value, and what is everything called? They are
answered here, once, for all of these; so a diagram and the equations of one run cannot disagree.

    graph.reading.names[component]    # "W_encoder"
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import cached_property
from types import CodeType

import numpy as np

from . import notation
from .batch_axis import Examples
from .circuit import Circuit, Component, Wire
from .holders import split
from .naming import name_of_field
from .operands import name_of_operand
from .sequences import Sequences

NAMELESS = {
    "operation": ("z", "v", "u", "s"),
    "input": ("x", "u"),
    "parameter": ("W", "R"),
    "constant": ("const",),
}
"""What a variable is called that has no name in the code: the first of these that the code does not use."""
REARRANGING = ("transpose", "swapaxes", "reshape", "expand_dims", "squeeze", "astype", "as_integer", "positive")
"""Operations that compute nothing new: W.T is W wherever it stands."""


class Reading:
    """The forward pass of a circuit, read.

    outputs    what it ends with
    data       constants that differ from step to step, as a mask
    weights    computed from parameters and other constants alone: what comes from them is no input
    invariant  what has the same value at every step of its loop
    totals     running sums over time of which only the last value is read: a Σ, not a recurrence
    stands_in  what serves as a step of a component that has none then: of which, and as which step, from 1. A constant,
               or what has no name but that of the component, as the h that a loop starts from
    starts     those of them that happen once and are used for nothing else
    names      the variables, with a name for each, as one would write it in code, that no other has: `notation` sets it

    is_run  it is no circuit but a run that has none, each of whose steps is a component: those of one place in the code
            share a name
    """

    def __init__(self, circuit: Circuit, outputs: Iterable[Component], *, is_run: bool = False):
        self.circuit, self.outputs = circuit, list(outputs)
        self._forward = [c for c in circuit.components if c.visits[0].forward is None and c.kind != "failed"]
        self._wires = [wire for c in self._forward for wire in _one_by_one(c)]
        self.data = {c for c in circuit.components if c.kind == "constant" and c.repeats and _differs(c)}
        self.weights = _weights(circuit.components, self.data)
        self.invariant = _invariant(self._forward)
        self.totals = _totals(circuit.components)
        self.stands_in = {c: (of, step) for c, of, step in self._stand_ins() if _is_constant_or_named_as(c, of)}
        read = {wire.source for wire in self._wires}
        self.starts = {c for c in self.stands_in if c.loop is None} - read
        self._layers = {c.module for c in self._forward if c.kind == "parameter" and c.name == "weight"}
        variables = dict(self._variables(is_run))
        owners = {c: split(c.module)[0] if self._is_of_a_layer(c) else c.module for c in variables}
        self.names = variables if is_run else _told_apart(variables, self.stands_in, owners)

    @cached_property
    def examples(self) -> Examples:
        """Which axis of each array counts the examples of the batch."""
        return Examples(self.circuit)

    @cached_property
    def sequences(self) -> Sequences:
        """What is read of arrays element by element."""
        return Sequences(self.circuit, self.weights)

    def loop(self, c: Component) -> int | None:
        """The loop that a component has a value at each step of; None if it has one value."""
        return None if c in self.invariant or c in self.totals else c.loop

    def is_own_past(self, c: Component, wire: Wire) -> bool:
        """Whether a wire is the running total that a sum adds to."""
        return wire.source is c and c in self.totals

    def _stand_ins(self) -> Iterator[tuple[Component, Component, int]]:
        """What serves as a step of another component; that component; and which step, from 1."""
        for c in self._forward:
            for wire in _one_by_one(c):
                first, behind = c.first - wire.delay + 1, c.first + len(c.visits) - wire.delay
                before, after = (wire.initial, wire.final) if wire.delay >= 0 else ((), wire.initial)
                steps = [(value.source, first + i) for i, value in enumerate(before)]
                steps += [(value.source, behind - i) for i, value in enumerate(after)]
                for source, step in steps:
                    if source.loop in (None, wire.source.loop) and source is not wire.source:
                        yield source, wire.source, step

    def _variables(self, is_run: bool) -> Iterator[tuple[Component, str]]:
        """What is a variable: what enters, what the code names last, what is read at another step; and its name."""
        delayed = {wire.source for wire in self._wires if wire.delay and wire.source not in self.totals}
        arrays = {c.wires[0].source for c in self._forward if c.is_sequence}
        delayed |= {c for c in arrays if c.operation is None or c.operation.name != "stack"}
        delayed |= {wire.source for wire in self._wires if wire.reach == "all"}
        outputs, read = set() if is_run else set(self.outputs), {wire.source for wire in self._wires}
        used = {notation.name(c.name).letters for c in self._forward if c.name}
        nameless = {kind: next((n for n in some if n not in used), some[0]) for kind, some in NAMELESS.items()}
        names = {c: self._name_in_code(c) or (_output_name(c) if c in outputs else "") for c in self._forward}
        by_reader = self.data | {c for c in self._forward if _is_in_a_nest(c)}
        for c in self._forward:
            for slot, wire in enumerate(c.wires):
                if wire.source in by_reader and c.visits[0].site is not None:
                    names[wire.source] = name_of_operand(c.visits[0].site, slot) or names[wire.source]
        taken = {name for c, name in names.items() if c not in self.stands_in}
        for c, name in names.items():  # h_t and ht are h, which has a t of its own: h⁽ᵗ⁾
            plain = re.sub(r"^(.+_|[^d])t$", lambda of: of[1].rstrip("_"), name)
            if self.loop(c) is not None and plain not in taken:
                names[c] = plain
        last = {(c.module, names[c], self.loop(c)): c for c in self._forward if c.operation is not None}
        for c in self._forward:
            is_element = c.is_sequence or c in self.starts
            is_number = is_uniform(c) and (not c.name or c not in read)
            is_weight = c.operation is not None and c.operation.name in REARRANGING and c in self.weights
            if is_element or is_number or is_weight:
                continue
            is_last = is_run or c.operation is None or _place(last[c.module, names[c], self.loop(c)]) == _place(c)
            if c.operation is None or (names[c] and is_last) or c in delayed:
                yield c, names[c] or _field(c) or nameless["input" if c in self.data else c.kind]

    def _is_of_a_layer(self, c: Component) -> bool:
        """Whether it is the weight or the bias of a layer, which are called as that: of self.fc, fc and b_fc."""
        return c.kind == "parameter" and c.name in ("weight", "bias") and c.module in self._layers

    def _name_in_code(self, c: Component) -> str:
        if not self._is_of_a_layer(c):
            return c.name or ""
        holder = split(c.module)[1]
        return (holder or "W") if c.name == "weight" else f"b_{holder}" if holder else "b"


def _is_constant_or_named_as(c: Component, of: Component) -> bool:
    return c.kind == "constant" or (
        c.kind != "parameter" and (c.name == of.name or (c.kind == "operation" and not c.name))
    )


def is_uniform(c: Component) -> bool:
    """Whether it is a constant that has the same value everywhere."""
    if c.kind != "constant":
        return False
    values = [np.asarray(step.value) for step in c.visits]
    return all(v.size and (v == values[0].flat[0]).all() for v in values)


def _place(c: Component) -> tuple[CodeType, int] | None:
    """The expression that it is, wherever that is called from."""
    site = c.visits[0].site
    return site and (site.code, site.instruction)


def _one_by_one(c: Component) -> Iterator[Wire]:
    """The wires of a component, those of a switch each for itself."""
    for wire in c.wires:
        yield from (wire, *wire.others)


def _differs(c: Component) -> bool:
    """Whether a constant has not the same value at all steps."""
    first = c.visits[0].value
    return not all(step.value is first or np.array_equal(step.value, first) for step in c.visits)


def _weights(components: Iterable[Component], data: set[Component]) -> set[Component]:
    found: set[Component] = set()
    for c in components:
        if (c.kind in ("parameter", "constant") and c not in data) or (
            c.wires and all(wire.source in found and not wire.delay for wire in c.wires)
        ):
            found.add(c)
    return found


def _invariant(components: Iterable[Component]) -> set[Component]:
    found: set[Component] = set()
    for c in components:
        if c.loop is None or (
            c.wires
            and repr(c.visits[0].attributes.get("index")) == repr(c.visits[-1].attributes.get("index"))
            and not any(wire.others or wire.delay for wire in c.wires)
            and all(not wire.moves or wire.source in found for wire in c.wires)
        ):
            found.add(c)
    return found


def _totals(components: Iterable[Component]) -> set[Component]:
    read_at_steps = {
        one.source
        for c in components
        for wire in _one_by_one(c)
        for one in (wire, *wire.initial, *wire.final)
        if one.reach in ("step", "all") and one.source is not c
    }
    return {
        c
        for c in components
        if c.is_sum
        and c not in read_at_steps
        and sum(wire.source is c for wire in c.wires) == 1
        and not any(wire.others for wire in c.wires)
    }


# -- names ---------------------------------------------------------------------------------------------------


def _field(c: Component) -> str | None:
    """The field of a record that gets it: h in `State(h=np.tanh(a))`."""
    site = c.visits[0].site
    return site and name_of_field(site)


def _is_in_a_nest(c: Component) -> bool:
    """Whether it is an argument that has no name, data[0] or data[3][1]; but the elements of a list are that list."""
    path = c.visits[0].name or ""
    return c.kind == "input" and len(re.findall(r"\.\d+", path)) > len(c.axes)


def _output_name(c: Component) -> str:
    """What a result is called that the code does not name: L, if it is a single number."""
    return "L" if c.visits[0].shape == () else "output"


def _told_apart(
    wanted: dict[Component, str],
    stands_in: dict[Component, tuple[Component, int]],
    owners: dict[Component, str],
) -> dict[Component, str]:
    """Names that differ: those that would be the same get what holds them as a subscript or, failing that, a number.

    What stands in for a step of another has the step's number.

    owners  the module that each ran in, or that it is a parameter of; of a layer's weight, what holds the layer
    """
    alike: dict[notation.Name, list[Component]] = defaultdict(list)
    found = dict(wanted)
    for c, name in wanted.items():
        of, step = stands_in.get(c, (c, 0))
        if of is not c and wanted.get(of) == name:
            found[c] += f"_{step}"
        else:
            alike[notation.name(name)].append(c)
    for same in alike.values():
        for c, mark in zip(same, _marks(same, owners), strict=True):
            found[c] += f"_{mark}" * bool(mark)
    taken: set[notation.Name] = set()
    for c, name in found.items():
        numbered = name
        n = 1
        while notation.name(numbered) in taken:
            n += 1
            numbered = f"{name}_{n}"
        found[c] = numbered
        taken.add(notation.name(numbered))
    return found


def _marks(same: list[Component], owners: dict[Component, str]) -> list[str]:
    """What tells components of one name apart, as short as can be; an input keeps its name if it is the only one."""
    if len(same) == 1:
        return [""]
    marks = _differing([owners[c] for c in same])
    if len(set(marks)) == len(marks):
        return marks
    entering = [c for c in same if c.kind == "input"]
    numbered = [c for c in same if len(entering) != 1 or c is not entering[0]]
    return [str(numbered.index(c) + 1) if c in numbered else "" for c in same]


def _differing(paths: list[str]) -> list[str]:
    """Of paths like encoder.cell and decoder.cell, the part in which they differ: encoder and decoder."""
    keys = [path.split(".") if path else [] for path in paths]
    while all(keys) and len({parts[0] for parts in keys}) == 1:
        keys = [parts[1:] for parts in keys]
    while all(keys) and len({parts[-1] for parts in keys}) == 1:
        keys = [parts[:-1] for parts in keys]
    if len(set(map(len, keys))) == 1:  # in the middle, too
        differ = [len(set(column)) > 1 for column in zip(*keys, strict=True)]
        keys = [[key for key, differs in zip(parts, differ, strict=True) if differs] for parts in keys]
    return [".".join(parts) for parts in keys]
