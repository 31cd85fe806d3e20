"""Which axis of each array counts the examples of the batch: the equations are those of one example.

Axes that have to be of one length for an operation to work are the same axis: in ``h @ W.T`` the columns of h are those
of W, and the rows of the result are the rows of h. The examples are the rows of what is multiplied by weights, if they
come in with an input, no parameter has such an axis, and nothing but a sum or a mean mixes them.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from .circuit import Circuit, Component

Axis = tuple[Component, int]
"""(a component, number of one of its axes)."""
MIXING = ("softmax", "log_softmax", "logsumexp", "cumsum", "flip", "max", "min", "prod", "var", "std", "norm", "argmax")


class Examples:
    """The axis over the examples in every component of a circuit, and how many there are: None without a batch."""

    def __init__(self, circuit: Circuit):
        self._leader: dict[Axis, Axis] = {}
        self._mixed: set[Axis] = set()
        self._rows: list[Axis] = []
        for c in circuit.components:
            for wire in c.wires:
                for one in (wire, *wire.others):  # a value that stands in for another has its axes
                    for end in one.initial + one.final:
                        self._join_all(end.source, one.source)
            self._examine(c, [wire.source for wire in c.wires])
        self.axis_of: dict[Component, int] = {}
        self.size: int | None = None
        self._choose(circuit)

    def axis(self, c: Component) -> int | None:
        return self.axis_of.get(c)

    # -- which axes are the same -----------------------------------------------------------------------------

    def _find(self, axis: Axis) -> Axis:
        path = []
        while (leader := self._leader.get(axis, axis)) != axis:
            path.append(axis)
            axis = leader
        for passed in path:
            self._leader[passed] = axis
        return axis

    def _join(self, a: Component, i: int, b: Component, j: int) -> None:
        i, j = i % len(shape(a)), j % len(shape(b))
        if shape(a)[i] == shape(b)[j] and not (shape(a)[i] == 1 and "parameter" in (a.kind, b.kind)):
            self._leader[self._find((a, i))] = self._find((b, j))

    def _join_all(self, a: Component, b: Component) -> None:
        for back in range(1, min(len(shape(a)), len(shape(b))) + 1):
            self._join(a, -back, b, -back)

    def _mix(self, c: Component, i: int) -> None:
        self._mixed.add((c, i % len(shape(c))))

    def _examine(self, c: Component, inputs: list[Component]) -> None:
        """Join the axes of an operation's result with those of its inputs."""
        if c.operation is None or c.kind == "failed":
            return
        name, attributes = c.operation.name, c.visits[0].attributes
        match name:
            case "matmul":
                self._matmul(c, *inputs)
            case "sum" | "mean" | "max" | "min" | "prod" | "var" | "std" | "norm" | "argmax" | "logsumexp":
                self._reduction(c, inputs[0], name, attributes)
            case "transpose" | "swapaxes" | "expand_dims" | "squeeze" | "reshape" | "broadcast_to":
                for i, j in enumerate(moved(name, shape(inputs[0]), shape(c), attributes)):
                    if j is not None:
                        self._join(inputs[0], i, c, j)
            case "getitem":
                self._getitem(c, inputs, attributes["index"])
            case "scatter":
                self._getitem(inputs[0], [c, *inputs[1:]], attributes["index"])
            case "concatenate" | "stack":
                self._pieces(c, inputs, attributes["axis"], name)
            case "cross_entropy" | "one_hot":
                for i in range(len(shape(inputs[-1]))):
                    self._join(inputs[0], i, inputs[-1], i)
                    if i < len(shape(c)):
                        self._join(c, i, inputs[-1], i)
            case "einsum":
                terms, result = attributes["subscripts"].split("->")
                letters = [*zip(terms.split(","), inputs, strict=True), (result, c)]
                for term, x in letters:
                    for other, y in letters:
                        for i, letter in enumerate(term):
                            if letter in other:
                                self._join(x, i, y, other.index(letter))
                            if letter not in result and c.visits[0].forward is None:
                                self._mix(x, i)
            case _:  # element by element
                for x in inputs:
                    self._join_all(x, c)
                if name in MIXING and c.visits[0].forward is None:
                    axis = attributes.get("axis")
                    for i in range(len(shape(c))) if axis is None else [axis]:
                        self._mix(c, i)

    def _matmul(self, c: Component, a: Component, b: Component) -> None:
        rows, columns = len(shape(a)) > 1, len(shape(b)) > 1
        if rows:
            self._join(a, -2, c, -2 if columns else -1)
            if c.visits[0].forward is None:
                self._rows += [(a, i) for i in range(len(shape(a)) - 1)]
        if columns:
            self._join(b, -1, c, -1)
        self._join(a, -1, b, -2 if columns else -1)
        if c.visits[0].forward is None:
            self._mix(a, -1)
        for back in range(3, len(shape(c)) + 1):
            for x in (a, b):
                if back <= len(shape(x)):
                    self._join(x, -back, c, -back)

    def _reduction(self, c: Component, x: Component, name: str, attributes: dict[str, Any]) -> None:
        gone = axes_of(attributes.get("axis"), len(shape(x)))
        kept = [i for i in range(len(shape(x))) if i not in gone]
        for j, i in enumerate(kept):
            self._join(x, i, c, i if attributes.get("keepdims") else j)
        if name in MIXING:
            for i in gone:
                self._mix(x, i)

    def _getitem(self, c: Component, inputs: list[Component], index: tuple) -> None:
        x = inputs[0]
        i = j = 0
        for part in full(index, len(shape(x))):
            if part is None:
                j += 1
            elif isinstance(part, slice):
                if shape(x)[i] == shape(c)[j]:
                    self._join(x, i, c, j)
                else:
                    self._mix(x, i)
                i, j = i + 1, j + 1
            else:
                self._mix(x, i)
                i += 1
                if len(inputs) == 2 and not isinstance(part, (int, np.ndarray)):  # one index that is a tensor
                    for k in range(len(shape(inputs[1]))):
                        self._join(inputs[1], k, c, j + k)
                    j += len(shape(inputs[1]))
                elif not isinstance(part, int):
                    return

    def _pieces(self, c: Component, inputs: list[Component], axis: int, name: str) -> None:
        axis %= len(shape(c))
        for x in inputs:
            for i in range(len(shape(x))):
                if name == "stack":
                    self._join(x, i, c, i if i < axis else i + 1)
                elif i == axis:
                    self._mix(x, i)
                else:
                    self._join(x, i, c, i)

    # -- which of them counts the examples ---------------------------------------------------------------------

    def _choose(self, circuit: Circuit) -> None:
        members: Counter[Axis] = Counter()
        inner: set[Axis] = {self._find(axis) for axis in self._mixed}
        entering: set[Axis] = set()
        for c in circuit.components:
            axes = [self._find((c, i)) for i in range(len(shape(c)))]
            members.update(axes)
            if c.kind == "parameter" or (len(set(axes)) < len(axes) and c.visits[0].forward is None):
                inner.update(axes if c.kind == "parameter" else [axis for axis in axes if axes.count(axis) > 1])
            if c.kind == "input":
                entering.update(axes)
        possible = entering - inner
        found = [axis for axis in map(self._find, self._rows) if axis in possible]
        if not found:
            return
        chosen = max(found, key=lambda axis: members[axis])  # of several, the first
        for c in circuit.components:
            for i, n in enumerate(shape(c)):
                if self._find((c, i)) == chosen:
                    self.axis_of[c] = i
                    self.size = n


def shape(c: Component) -> tuple[int, ...]:
    """The shape of its values; of those that grow from step to step, the largest."""
    return max(c.visits[0].shape, c.visits[-1].shape)


def axes_of(axis: Any, ndim: int) -> tuple[int, ...]:
    """The axes that `axis` means: None is all, a negative one counts from the end."""
    if axis is None:
        return tuple(range(ndim))
    return tuple(i % ndim for i in (axis if isinstance(axis, tuple) else (axis,)))


def full(index: tuple, ndim: int) -> list[Any]:
    """An index with a part for every axis, `...` written out."""
    named = sum(part is not None and part is not ... for part in index)
    rest = [slice(None)] * (ndim - named)
    if not any(part is ... for part in index):
        return [*index, *rest]
    i = next(i for i, part in enumerate(index) if part is ...)
    return [*index[:i], *rest, *index[i + 1 :]]


def moved(name: str, before: tuple[int, ...], after: tuple[int, ...], attributes: dict[str, Any]) -> list[int | None]:
    """Where each axis goes, in an operation that only rearranges elements; None: it is not one any more."""
    n = len(before)
    match name:
        case "transpose":
            axes = attributes["axes"]
            order = range(n)[::-1] if axes is None else [i % n for i in axes]
            return [list(order).index(i) for i in range(n)]
        case "swapaxes":
            a, b = attributes["axis1"] % n, attributes["axis2"] % n
            return [b if i == a else a if i == b else i for i in range(n)]
        case "broadcast_to":
            return [len(after) - n + i for i in range(n)]
        case "expand_dims":
            new = axes_of(attributes["axis"], len(after))
            return [j for j in range(len(after)) if j not in new]
        case "squeeze" if attributes["axis"] is not None:
            gone = axes_of(attributes["axis"], n)
            kept = [i for i in range(n) if i not in gone]
            return [kept.index(i) if i in kept else None for i in range(n)]
    moved: list[int | None] = [None] * n  # reshape: the axes before and behind those that change
    for i, (a, b) in enumerate(zip(before, after, strict=False)):
        if a != b:
            break
        moved[i] = i
    for i, (a, b) in enumerate(zip(reversed(before), reversed(after), strict=False)):
        if a != b or moved[n - 1 - i] is not None:
            break
        moved[n - 1 - i] = len(after) - 1 - i
    return moved
