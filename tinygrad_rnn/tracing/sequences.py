"""Arrays read element by element: which components are elements of one sequence, and which loops share a time axis."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Set as AbstractSet
from functools import cached_property
from typing import NamedTuple

from .circuit import Circuit, Component
from .elements import affine


class Piece(NamedTuple):
    """What is read of an array at time t: `length` elements from number stride · t + first on."""

    stride: int = 1
    first: int = 0
    length: int = 1


def stacked(c: Component) -> Component | None:
    """What is in an array of all steps of a loop; None if it is no such array."""
    if c.operation is None or c.operation.name != "stack" or len(c.wires) != 1 or c.wires[0].reach != "all":
        return None
    return c.wires[0].source


def _is_part(c: Component) -> bool:
    """Whether it is x[1:], x[:-1], x[::-1] or x[0] of a whole array x: a part along its first axis."""
    if c.loop is not None or c.operation is None or c.operation.name != "getitem" or c.wires[0].reach != "once":
        return False
    match c.visits[0].attributes["index"]:
        case (slice(start=start, stop=stop, step=step),):
            turned = (start, stop, step) == (None, None, -1)
            return turned or (step in (None, 1) and (start or 0) >= 0)
        case (int(),):
            return True
    return False


def _read_in_order(c: Component) -> Piece | None:
    """What is read of an array that is there from the beginning: one part of the index moves with the steps, evenly."""
    if c.reads is not None:
        return Piece(first=c.reads)
    is_read = c.operation is not None and c.operation.name == "getitem" and len(c.wires) == 1 and len(c.visits) > 1
    if not is_read or len(c.axes) != 1 or c.wires[0].source.loop is not None:
        return None
    indices = [step.attributes["index"] for step in c.visits]
    moving = [column for column in zip(*indices, strict=False) if repr(column[0]) != repr(column[-1])]
    if len(moving) != 1:
        return None
    if {type(part) for part in moving[0]} == {int}:
        ends = [(part, part + 1) for part in moving[0]]
    elif {type(part) for part in moving[0]} == {slice} and {part.step for part in moving[0]} <= {None, 1}:
        ends = [(part.start or 0, part.stop or 0) for part in moving[0]]
    else:
        return None
    fit, lengths = affine(c.points, [start for start, _ in ends]), {stop - start for start, stop in ends}
    if fit is None or fit[0][0] < 1 or len(lengths) > 1 or min(lengths) < 1:
        return None
    return Piece(fit[0][0], fit[1], min(lengths))


class Sequences:
    """Elements of one array, at whatever places in the code they are read, are one variable on one time axis."""

    def __init__(self, circuit: Circuit, weights: AbstractSet[Component]):
        self.circuit = circuit
        self._piece = {
            c: piece for c in circuit.components if c not in weights and (piece := _read_in_order(c)) is not None
        }
        self._axis = self._shared_axes()
        self._base: dict[tuple, Component] = {}
        for c in self._piece:
            if not self._in_stack(c):
                base = self._base.setdefault(self._key(c), c)
                if (self._first(c), len(c.visits)) > (self._first(base), len(base.visits)):
                    self._base[self._key(c)] = c

    def axis(self, c: Component) -> int | None:
        """The time axis of a component: the first of the loops that share it."""
        return None if c.loop is None else self._axis[c.loop]

    def element(self, c: Component) -> tuple[Component, int]:
        """Of an element of a sequence, the variable that it is, and how many steps ago; of anything else, itself."""
        inside = self._in_stack(c)
        if inside is not None:
            return inside, -(c.reads or 0)
        if c not in self._piece:
            return c, 0
        base = self._base[self._key(c)]
        return base, self._first(base) - self._first(c)

    def piece(self, c: Component) -> Piece | None:
        """What is read of an array at each step: of the array that was cut if it is of a part."""
        return self._piece[c]._replace(first=self._first(c)) if c in self._piece else None

    def _first(self, c: Component) -> int:
        return self._piece[c].first + self.array(c)[1]

    def array(self, c: Component) -> tuple[Component, int]:
        """The array that c is an element of, seen through parts without a name of their own, and where these begin."""
        array, begins = c.wires[0].source, 0
        while _is_part(array) and array.name in (None, array.wires[0].source.name):
            begins += getattr(array.visits[0].attributes["index"][0], "start", 0) or 0
            array = array.wires[0].source
        return array, begins

    def is_hidden(self, c: Component) -> bool:
        """Whether something that is shown stands for it: a sequence for its array, one element for another."""
        return self.element(c)[0] is not c or c in self._only_by_element

    def single(self, c: Component) -> int | None:
        """Of what is one element of an input, read once: its number."""
        step = c.visits[0]
        if c.loop is not None or c.operation is None or c.operation.name != "getitem" or step.inputs[0].kind != "input":
            return None
        match step.attributes["index"]:
            case (int() as i,):
                return i % step.inputs[0].shape[0]
        return None

    def is_computed(self, c: Component) -> bool:
        """Whether it is an element of an array that was computed for all steps at once."""
        array = self.array(c)[0] if c in self._piece else c
        return array is not c and array.kind == "operation" and not _is_part(array)

    @cached_property
    def _only_by_element(self) -> set[Component]:
        """Arrays that happen once and are read by element alone."""
        readers = defaultdict[Component, list[Component]](list)
        for c in self.circuit.components:
            for wire in c.wires:
                for one in (wire, *wire.others, *wire.initial, *wire.final):
                    readers[one.source].append(c)
        found: set[Component] = set()
        for c in reversed(self.circuit.components):
            by_element = (
                r in self._piece or self.single(r) is not None or (r in found and _is_part(r)) for r in readers[c]
            )
            if c.loop is None and readers[c] and c not in self.circuit.outputs and all(by_element):
                found.add(c)
        return found

    def _in_stack(self, c: Component) -> Component | None:
        """Of the element of a stack at each step: what was stacked."""
        if c.reads is None or c.loop is None:
            return None
        array = c.wires[0].source
        inside = stacked(array)
        if inside is None or inside.loop is None or array.visits[0].attributes.get("axis", 0) != 0:
            return None
        return inside if self._lengths_agree(inside.loop, c.loop) else None

    def _lengths_agree(self, one: int, other: int) -> bool:
        return self.circuit.lengths[one] == self.circuit.lengths[other]

    def _key(self, c: Component) -> tuple:
        index = c.visits[0].attributes["index"]
        others = repr([part for part in index if not isinstance(part, int)])
        piece = self._piece[c]
        return self.array(c)[0], self.axis(c), *((others,) if piece[::2] == (1, 1) else (repr(index), piece))

    # -- time axes -------------------------------------------------------------------------------------------

    def _shared_axes(self) -> list[int]:
        """Loops of one length that read the same sequence, or each other's steps, run along one axis; but not where
        one has to wait for the other's end."""
        axis = list(range(len(self.circuit.lengths)))
        readers = defaultdict[tuple[int, Component], list[int]](list)
        for c in self.circuit.components:
            if c.reads is not None and c.loop is not None:
                inside = self._in_stack(c)
                if inside is not None and inside.loop is not None:
                    readers[-1, inside] += [inside.loop, c.loop]
                else:
                    readers[self.circuit.lengths[c.loop], self.array(c)[0]].append(c.loop)
        for loops in readers.values():
            for loop in loops:
                if axis[loop] != axis[loops[0]] and self.stage[loop] == self.stage[loops[0]]:
                    old, new = sorted((axis[loop], axis[loops[0]]), reverse=True)
                    axis = [new if a == old else a for a in axis]
        return axis

    @cached_property
    def stage(self) -> list[int]:
        """For each loop, how many loops come one after the other before it, as one end of each, or all, is needed."""
        stage = dict.fromkeys(range(len(self.circuit.lengths)), 0)
        after: dict[Component, int] = {}  # what happens once
        for _ in self.circuit.lengths:
            for c in self.circuit.components:
                if self._in_stack(c) is None and c.visits[0].forward is None:
                    before = 0 if c.loop is None else stage[c.loop]
                    for wire in c.wires:
                        for one in (wire, *wire.others, *wire.initial, *wire.final):
                            loop = one.source.loop
                            needed = after.get(one.source, 0) if loop is None else stage[loop] + (loop != c.loop)
                            before = max(before, needed)
                    if c.loop is None:
                        after[c] = before
                    else:
                        stage[c.loop] = before
        return list(stage.values())
