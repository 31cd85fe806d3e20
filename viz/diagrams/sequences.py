"""Arrays read element by element: which components are elements of one sequence, and which loops share a time axis."""

from __future__ import annotations

from collections import defaultdict
from functools import cached_property

from tinygrad_rnn.tracing.circuit import Circuit, Component
from viz.labels import at_step


def stacked(c: Component) -> Component | None:
    """What is in an array of all steps of a loop; None if it is no such array."""
    if c.operation is None or c.operation.name != "stack" or len(c.wires) != 1 or c.wires[0].reach != "all":
        return None
    return c.wires[0].source


def _is_slice(c: Component) -> bool:
    """Whether it is x[1:], x[:-1] or x[::-1] of a whole array x, the first axis of which it is that is cut."""
    if c.loop is not None or c.operation is None or c.operation.name != "getitem" or c.wires[0].reach != "once":
        return False
    match c.visits[0].attributes["index"]:
        case (slice(start=start, stop=stop, step=step),):
            turned = (start, stop, step) == (None, None, -1)
            return turned or (step in (None, 1) and (start or 0) >= 0)
    return False


class Sequences:
    """Elements of one array, at whatever places in the code they are read, are one variable on one time axis."""

    def __init__(self, circuit: Circuit):
        self.circuit = circuit
        self._axis = self._shared_axes()
        self._base: dict[tuple, Component] = {}
        for c in circuit.components:
            if c.reads is not None and not self._in_stack(c):
                base = self._base.setdefault(self._key(c), c)
                if (self.reads(c), len(c.visits)) > (self.reads(base), len(base.visits)):
                    self._base[self._key(c)] = c

    def axis(self, c: Component) -> int | None:
        """The time axis of a component: the first of the loops that share it."""
        return None if c.loop is None else self._axis[c.loop]

    def element(self, c: Component) -> tuple[Component, int]:
        """Of an element of a sequence, the variable that it is, and how many steps ago; of anything else, itself."""
        inside = self._in_stack(c)
        if inside is not None:
            return inside, -(c.reads or 0)
        if c.reads is None:
            return c, 0
        base = self._base[self._key(c)]
        return base, self.reads(base) - self.reads(c)

    def reads(self, c: Component) -> int:
        """How far ahead of the step an element is, in the array that was sliced if it is of a slice."""
        return (c.reads or 0) + self._array(c)[1]

    def _array(self, c: Component) -> tuple[Component, int]:
        """The array that c is an element of, seen through slices without a name of their own, and where these begin."""
        array, begins = c.wires[0].source, 0
        while _is_slice(array) and array.name in (None, array.wires[0].source.name):
            begins += array.visits[0].attributes["index"][0].start or 0
            array = array.wires[0].source
        return array, begins

    def is_hidden(self, c: Component) -> bool:
        """Whether something that is shown stands for it: a sequence for its array, one element for another."""
        return self.element(c)[0] is not c or c in self._only_by_element

    def name(self, c: Component) -> str | None:
        """What an element is called: as the array that it is of, at the step if it is a single one."""
        if c.reads is not None:
            return self._array(c)[0].label
        step = c.visits[0]
        if c.loop is not None or c.operation is None or c.operation.name != "getitem" or step.inputs[0].kind != "input":
            return None
        match step.attributes["index"]:
            case (int() as i,):
                return at_step(step.inputs[0].label, i % step.inputs[0].shape[0] + 1)
        return None

    @cached_property
    def _only_by_element(self) -> set[Component]:
        """Inputs, slices of them, and stacks of a loop's steps, that are read by element alone."""
        readers = defaultdict[Component, list[Component]](list)
        for c in self.circuit.components:
            for wire in c.wires:
                for one in (wire, *wire.others, *wire.initial, *wire.final):
                    readers[one.source].append(c)
        found: set[Component] = set()
        for c in reversed(self.circuit.components):
            by_element = (self.name(reader) is not None or reader in found for reader in readers[c])
            if (c.kind == "input" or stacked(c) or _is_slice(c)) and readers[c] and all(by_element):
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
        return self._array(c)[0], self.axis(c), repr([part for part in index if not isinstance(part, int)])

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
                    readers[self.circuit.lengths[c.loop], self._array(c)[0]].append(c.loop)
        for loops in readers.values():
            for loop in loops:
                waits = loop in self._waits[loops[0]] or loops[0] in self._waits[loop]
                if axis[loop] != axis[loops[0]] and not waits:
                    old, new = sorted((axis[loop], axis[loops[0]]), reverse=True)
                    axis = [new if a == old else a for a in axis]
        return axis

    @cached_property
    def _waits(self) -> list[set[int]]:
        """For each loop, itself and the loops one end of which, or all, it depends on."""
        needs: dict[Component, frozenset[int]] = {}
        found: list[set[int]] = [{loop} for loop in range(len(self.circuit.lengths))]
        for _ in self.circuit.lengths:
            for c in self.circuit.components:
                if self._in_stack(c) is not None:
                    continue
                before: set[int] = set() if c.loop is None else found[c.loop]
                for wire in c.wires:
                    for one in (wire, *wire.others, *wire.initial, *wire.final):
                        source = one.source
                        before |= needs.get(source, frozenset()) if source.loop is None else found[source.loop]
                if c.loop is None:
                    needs[c] = frozenset(before)
        return found
