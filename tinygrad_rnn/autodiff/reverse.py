"""The backward pass: the chain rule, from a result back to the leaves.

    gradient of the result = 1
    for each node y, latest first:
        for each input x of the operation that made y:
            gradient of x += rule(gradient of y, y, inputs)

A node is created after its inputs. Latest first, everything computed from y has had its turn before y, so when y's turn
comes its gradient is complete. There is no recursion: a chain may be as long as memory allows.

The loop knows nodes and arrays only. Around it, tensor.py sets `.grad`, calls hooks, and runs the rules on tensors when
gradients are to be differentiated again; anomaly.py looks for NaN; tracing/record.py records.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
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
    rules      the derivative rule for each input; None if the operation has one joint rule for all
    inputs     for each input its node, or None: a constant
    values     for each input its array, itself and not a copy; or its node, which knows its shape and dtype too, if it
               has one and no rule needs the numbers
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
        "rules",
        "shape",
        "tensor",
        "values",
    )

    def __init__(self, operation: Any, attributes: dict, inputs: Any, values: Any, result: Any, array: np.ndarray):
        self.operation = operation
        self.rules = operation.derivative if operation is not None else ()
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


def backpropagate(
    nodes: Sequence[Node],
    gradients: Gradients,
    arrive: Callable[[Node, Any], Any],
    lift: Callable[[Node], Any] | None = None,
) -> None:
    """Run the chain rule over `nodes`, latest first. `gradients` holds that of the first node, the result.

    arrive  ``arrive(y, g)`` receives the complete gradient g of y and returns what is propagated to the inputs of y:
            g, another gradient in its place, or None: nothing
    lift    ``lift(y)`` is a stand-in for y whose arrays are tensors, so that the rules build a graph of their own
    """
    reached = set(nodes)  # an input outside is a constant, or nobody asks for its gradient
    for y in nodes:
        if y in gradients:  # otherwise no path of rules leads from the result to y
            g = arrive(y, gradients.pop(y))  # not needed again: its memory is free after this step
            if g is None:
                continue
            seen = lift(y) if lift else y
            if y.rules is None:
                for x, d in joint_contributions(seen, g, reached):
                    gradients.add(x, d)
                continue
            for x, rule in zip(y.inputs, y.rules):  # noqa: B905  (further inputs, such as an index, have no rule)
                if x in reached and rule is not None:  # without a rule y is constant in x
                    gradients.add(x, rule(g, seen.result, *seen.values, **seen.attributes))


def joint_contributions(y: Node, g: Any, reached: Collection[Node]) -> Iterator[tuple[Node, Any]]:
    """(x, contribution to its gradient) for the inputs of an operation whose one rule gives them one after another."""
    needed = [x in reached for x in y.inputs]
    return zip(
        compress(y.inputs, needed), y.operation.joint(g, y.result, y.values, needed, **y.attributes), strict=False
    )


class Gradients(dict[Node, Any]):
    """For each node the sum of the contributions to its gradient so far."""

    def __init__(self) -> None:
        super().__init__()
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
        if d.shape != x.shape or d.dtype != x.dtype:
            d = fitted(d, x)
        if x not in self:
            self[x] = d  # may be y's gradient itself or a view of it
        elif x in self.own:
            self[x] += d
        else:
            self[x] = self[x] + d
            if type(self[x]) is np.ndarray:  # the sum of two 0-d arrays is a NumPy scalar, which cannot change
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
