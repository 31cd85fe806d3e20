"""The backward pass: the chain rule, from a result back to the leaves.

    gradient of the result = 1
    for each node y, latest first:
        for each input x of the operation that made y:
            gradient of x += rule(gradient of y, y, inputs)

A node is created after its inputs. Latest first, everything computed from y has had its turn before y, so when y's turn
comes its gradient is complete. There is no recursion: a chain may be as long as memory allows.

`backpropagate` is these four lines; `contributions` runs the rules of one node. They know nodes and arrays only. Around
them, tensor.py sets `.grad`, calls hooks, and runs the rules on tensors when gradients are to be differentiated again;
anomaly.py looks for NaN; tracing/record.py records.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import compress, count
from operator import attrgetter
from typing import Any

import numpy as np

from .errors import ShapeError

next_number = count().__next__


class Node:
    """One result in the graph: how it was made and what its derivative needs. The tensor itself may be gone.

    operation, attributes
               what made it; None for a leaf, which no operation made
    inputs     for each input its node, or None: a constant
    values     for each input its array at that moment, or, where no derivative rule needs the numbers, its
               node, which knows its shape and dtype too
    result     the array of the result, or None where no rule needs it
    order      its number in the order of creation
    tensor     a weak reference to the tensor whose `.grad` is to be set: a leaf, or a result that retains its gradient
    hooks      functions to call with its gradient
    made_at    under anomaly mode, the place in the code and a checksum of the inputs

    References go from results to inputs only: when the last result is gone its graph is freed, without the garbage
    collector.
    """

    __slots__ = (
        "attributes",
        "dtype",
        "hooks",
        "inputs",
        "made_at",
        "operation",
        "order",
        "result",
        "shape",
        "tensor",
        "values",
    )

    def __init__(self, operation: Any, attributes: dict, inputs: Any, values: Any, result: Any, array: np.ndarray):
        self.operation = operation
        self.attributes = attributes
        self.inputs: Sequence[Any] = inputs
        self.values = values
        self.result = result
        self.shape = array.shape
        self.dtype = array.dtype
        self.order = next_number()
        self.tensor: Any = None
        self.hooks: list[Callable] | None = None
        self.made_at: tuple[str, list[int]] | None = None

    @property
    def ndim(self) -> int:
        return len(self.shape)


Contributions = Callable[[Node, Any, Collection[Node]], Iterable[tuple[Node, Any]]]


def contributions(y: Node, g: Any, reached: Collection[Node]) -> Iterator[tuple[Node, Any]]:
    """For each input x of y: x, and what y contributes to its gradient. The derivative rules are run here.

    Only inputs in `reached` are asked for; a constant is not.
    """
    operation = y.operation
    if operation is None:  # a leaf
        return
    if operation.joint is not None:  # one rule for any number of inputs gives their gradients one after another
        needed = [x in reached for x in y.inputs]
        gradients = operation.joint(g, y.result, y.values, needed, **y.attributes)
        yield from zip(compress(y.inputs, needed), gradients, strict=False)
        return
    for x, rule in zip(y.inputs, operation.derivative, strict=False):
        if x in reached and rule is not None:  # without a rule y is constant in x
            yield x, rule(g, y.result, *y.values, **y.attributes)


def backpropagate(
    nodes: Sequence[Node],
    gradient: Any,
    arrive: Callable[[Node, Any], Any],
    contributions: Contributions = contributions,
) -> None:
    """Run the chain rule over `nodes`, latest first. `gradient` is that of the first node, the result.

    arrive  ``arrive(y, g)`` receives the complete gradient g of y and returns what is propagated: g, or its replacement
    """
    reached = set(nodes)
    gradients = Gradients({nodes[0]: gradient})
    for y in nodes:
        if y in gradients:  # otherwise the result is constant in y
            g = arrive(y, gradients.pop(y))
            for x, d in contributions(y, g, reached):
                gradients.add(x, d)


class Gradients(dict[Node, Any]):
    """For each node the sum of the contributions to its gradient so far."""

    def __init__(self, start: dict[Node, Any]):
        super().__init__(start)
        self.own: set[Node] = set()  # those whose sum is an array made here: nothing else holds it, so it may change

    def add(self, x: Node, d: Any) -> None:
        """gradient of x += d.

        d may be a function that adds the gradient to an array in place. The rule of ``x[index]`` returns one, because
        only that part of the gradient is not 0.
        """
        if callable(d):
            if x not in self.own:
                self[x] = np.array(self[x]) if x in self else np.zeros(x.shape, x.dtype)
                self.own.add(x)
            d(self[x])
            return
        d = fitted(d, x)
        if x not in self:
            self[x] = d  # may be y's gradient itself or a view of it
        elif x in self.own:
            self[x] += d
        else:
            self[x] = self[x] + d
            if type(self[x]) is np.ndarray:  # not a tensor, nor the NumPy scalar that a sum of 0-d arrays is
                self.own.add(x)


def fitted(d: Any, x: Node) -> Any:
    """The gradient d in the shape and dtype of its input x."""
    if d.shape != x.shape:
        d = unbroadcast(d, x.shape)
    return d if d.dtype == x.dtype else d.astype(x.dtype)


def unbroadcast(g: Any, shape: tuple[int, ...]) -> Any:
    """Sum g over the axes along which a value of `shape` was broadcast: each copy's gradient counts."""
    new = g.ndim - len(shape)
    if new == 1 and g.ndim == 2 and type(g) is np.ndarray:
        g = np.ones(len(g), g.dtype) @ g  # BLAS sums columns faster, whichever way they lie in memory
    elif new > 0:
        g = g.sum(axis=tuple(range(new)))
    stretched = tuple(i for i, n in enumerate(shape) if n == 1 and g.shape[i] != 1)
    if stretched:
        g = g.sum(axis=stretched, keepdims=True)
    if g.shape != shape:
        raise ShapeError(f"a derivative rule gave a gradient of shape {g.shape} for an input of shape {shape}")
    return g


def ancestors(output: Node, ends: Collection[Node] = ()) -> list[Node]:
    """The nodes that `output` was computed from, itself included, latest first; none that lie only beyond `ends`."""
    found, seen = [output], {output, None}
    for y in found:  # grows while it is walked
        for x in y.inputs:
            if x not in seen and y not in ends:
                seen.add(x)
                found.append(x)
    return sorted(found, key=attrgetter("order"), reverse=True)
