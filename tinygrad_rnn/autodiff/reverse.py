"""The backward pass: the chain rule, from the result back to the leaves.

Nodes are visited in reverse order of creation. Execution order is already a topological order, so when a
node's turn comes everything computed from it has contributed, and its gradient is complete. There is no
recursion, so a chain may be as long as memory allows.

    gradient of output = 1
    for each node y, latest first:
        for each input x of the operation that made y:
            gradient of x += rule(gradient of y, y, inputs)
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from operator import attrgetter
from typing import Any

import numpy as np

from .errors import AnomalyError, GradientError, ShapeError, complaint
from .mode import Listener, current_mode, mode
from .operation import fingerprints, not_finite
from .operations import transpose
from .outer_sum import OuterSum, as_array
from .tensor import Node, Tensor


def backward(output: Tensor, gradient: Any = None, create_graph: bool = False) -> None:
    """Add the gradient of `output` to `.grad` of its leaves, and of results that retain theirs."""
    start = seed(output, gradient)
    on_tensors = create_graph or is_recorded()
    with _running(create_graph) as watch:
        for node, g in flow(output, start, None, on_tensors, watch=watch):
            tensor = node.tensor() if node.tensor is not None else None
            if tensor is not None:
                if tensor.grad is not None:
                    g = tensor.grad + g if on_tensors else tensor.grad.data + g
                tensor.grad = Tensor.result(g.data, g.node) if on_tensors else _fresh(g)


def gradients(
    output: Tensor, nodes: Sequence[Node], gradient: Any = None, create_graph: bool = False, partial: bool = False
) -> list[Tensor | None]:
    """∂output/∂node for each of `nodes`, None for one that the output does not depend on; no `.grad` changes.

    partial: hold the others fixed, should one have been computed from another.
    """
    start = seed(output, gradient)
    wanted = {node: i for i, node in enumerate(nodes)}
    found: list[Any] = [None] * len(nodes)
    on_tensors = create_graph or is_recorded()
    with _running(create_graph) as watch:
        for node, g in flow(output, start, wanted, on_tensors, partial, watch):
            if node in wanted:
                found[wanted[node]] = Tensor.result(g.data, g.node) if on_tensors else _fresh(g)
    return [found[wanted[node]] for node in nodes]


def is_recorded() -> bool:
    """Whether a recorder listens: then the rules run on tensors, so that it hears of what they compute."""
    return current_mode().recorder is not None


def seed(output: Tensor, gradient: Any) -> Any:
    """The gradient that the pass starts with, checked."""
    if not output.requires_grad:
        raise complaint(
            GradientError, "backward from a constant: nothing that led to it needs a gradient (or no_grad was on)"
        )
    if gradient is None:
        if output.size != 1 and not output.is_leaf:
            raise complaint(
                GradientError, f"backward from shape {output.shape} needs a gradient of that shape, or sum() first"
            )
        return np.ones(output.shape, output.dtype)
    gradient = _given(gradient, output.dtype)
    if gradient.shape != output.shape:
        raise complaint(
            ShapeError, f"backward: gradient of shape {gradient.shape} for a tensor of shape {output.shape}"
        )
    return gradient


def _given(gradient: Any, dtype: np.dtype) -> Any:
    """A gradient from outside, in an array of our own, in the dtype of what it belongs to."""
    if not isinstance(gradient, Tensor):
        return np.array(gradient, dtype)
    return gradient if gradient.dtype == dtype else gradient.astype(dtype)


@contextmanager
def _running(create_graph: bool) -> Iterator[bool]:
    """Gradients are followed where they are to be differentiated again. Yields whether to watch for NaN.

    An infinite slope (√ at 0) is no news here: the forward pass is where NumPy warns. And what a rule computes
    on the way is not watched, only the gradient it gives.
    """
    watch = current_mode().anomaly
    with np.errstate(all="ignore"), mode(gradients=create_graph, anomaly=False):
        yield watch


def flow(
    output: Tensor,
    start: Any,
    wanted: Collection[Node] | None,
    on_tensors: bool,
    partial: bool = False,
    watch: bool = False,
    recorder: Listener | None = None,
) -> Iterator[tuple[Node, Any]]:
    """Yield each node with its complete gradient, latest first.

    wanted      the nodes to reach; paths that lead to none of them are left out. None: all leaves
    on_tensors  run the rules on tensors, so that the gradients can be differentiated or recorded themselves
    watch       raise AnomalyError at the first gradient that is NaN or infinite
    recorder    is told for which derivative rule each operation runs
    """
    assert output.node is not None
    ends = wanted if partial and wanted else ()
    nodes, reached = ancestors(output.node, ends)
    if wanted is not None:
        reached = _leading_to(wanted, nodes)
    total: dict[Node, Any] = {output.node: _as(start, on_tensors)}
    owned: set[Node] = set()  # gradients that alias nothing else, so that more may be added in place
    for y in nodes:
        g = total.pop(y, None)
        if g is None:
            continue
        operation = y.operation
        if type(g) is OuterSum and (
            operation is not transpose or y.tensor is not None or y.hooks or wanted is not None
        ):
            g = g.array()
        if y.hooks:
            g = _hooked(y, g, on_tensors)
        yield y, g
        if operation is None or y in ends:
            continue
        if watch:
            _check_unchanged(y)
        if on_tensors:
            result, values = _as_tensors(y)
        elif operation.accumulate is not None:
            _accumulate(y, g, total, owned)
            continue
        else:
            result, values = y.result, y.values
        rules = operation.derivative or _joint_rules(y, g, result, values, reached)
        for slot, x in enumerate(y.inputs):
            if x not in reached:
                continue
            rule = rules[slot]
            if rule is None:  # the result is constant in that input
                continue
            if recorder is not None:
                recorder.begin_rule(y, slot)
            d = rule(g, result, *values, **y.attributes)
            if d.shape != x.shape:
                d = unbroadcast(d, x.shape)
            if d.dtype is not x.dtype and d.dtype != x.dtype:
                d = as_array(d).astype(x.dtype)
            if watch:
                _check_finite(d, y)
            old = total.get(x)
            if old is None:
                total[x] = d
            elif x in owned:
                old += as_array(d)
            elif type(old) is type(d) is OuterSum:
                old.add(d)
            else:
                if recorder is not None:
                    recorder.begin_sum(x, y, slot)
                total[x] = old = as_array(old) + as_array(d)
                if type(old) is np.ndarray:  # neither a tensor nor NumPy's scalar of a 0-d sum
                    owned.add(x)


def _accumulate(y: Node, g: Any, total: dict[Node, Any], owned: set[Node]) -> None:
    """Add to the gradient of y's first input in place: what reads a part need not write zeros for the rest."""
    x = y.inputs[0]
    if x is None:
        return
    old = total.get(x)
    if x not in owned:
        total[x] = old = np.zeros(x.shape, x.dtype) if old is None else np.array(as_array(old))
        owned.add(x)
    assert y.operation is not None and y.operation.accumulate is not None
    y.operation.accumulate(old, g, *y.values, **y.attributes)


def _joint_rules(y: Node, g: Any, made: Any, values: Any, reached: set[Node]) -> Sequence[Any]:
    """Run a rule that gives one gradient after another; hand each out as if it had a rule of its own."""
    assert y.operation is not None and y.operation.joint is not None
    found = iter(y.operation.joint(g, made, values, [x in reached for x in y.inputs], **y.attributes))
    return [lambda *_, **__: next(found)] * len(y.inputs)


def ancestors(output: Node, ends: Collection[Node] = ()) -> tuple[list[Node], set[Node]]:
    """All nodes that `output` was computed from, itself included, latest first; and as a set.

    What lies behind a node in `ends` is not looked at.
    """
    found = [output]
    seen: set[Any] = {output, None}
    for node in found:  # grows while it is walked
        for x in node.inputs:
            if x not in seen and node not in ends:
                seen.add(x)
                found.append(x)
    found.sort(key=attrgetter("order"), reverse=True)
    seen.remove(None)
    return found, seen


def _leading_to(wanted: Collection[Node], nodes: Sequence[Node]) -> set[Node]:
    reached = set(wanted)
    for node in reversed(nodes):
        if any(x in reached for x in node.inputs):
            reached.add(node)
    return reached


def unbroadcast(g: Any, shape: tuple[int, ...]) -> Any:
    """Sum g over the axes along which a value of `shape` was broadcast: each copy's gradient counts."""
    new = g.ndim - len(shape)
    if new > 0:
        axes = tuple(range(new))
        g = np.add.reduce(g, axis=axes) if type(g) is np.ndarray else g.sum(axis=axes)
    stretched = tuple(i for i, n in enumerate(shape) if n == 1 and g.shape[i] != 1)
    if stretched:
        g = g.sum(axis=stretched, keepdims=True)
    if g.shape != shape:
        raise ShapeError(f"a derivative rule gave a gradient of shape {g.shape} for an input of shape {shape}")
    return g


def _fresh(g: np.ndarray) -> Tensor:
    """A gradient handed to the user: a writable array that nothing else holds."""
    array = np.array(g)
    tensor = Tensor.result(array)
    array.flags.writeable = True
    return tensor


def _as(g: Any, on_tensors: bool) -> Any:
    if on_tensors:
        return g if isinstance(g, Tensor) else Tensor.result(np.asarray(g))
    return g.data if isinstance(g, Tensor) else g


def _as_tensors(y: Node) -> tuple[Any, list]:
    """A node's result and inputs as tensors at their places in the graph, for rules that run on tensors."""
    values = []
    for x, v in zip(y.inputs, y.values, strict=True):
        if isinstance(v, np.ndarray):
            v = Tensor.result(v.view() if v.flags.writeable else v, x)  # a user's own array stays writeable
        values.append(v)
    return (None if y.result is None else Tensor.result(y.result, y)), values


def _hooked(node: Node, g: Any, on_tensors: bool) -> Any:
    for hook in list(node.hooks or ()):
        replaced = hook(g if on_tensors else _fresh(g))
        if replaced is not None:
            g = _as(_given(replaced, node.dtype), on_tensors)
            if g.shape != node.shape:
                raise ShapeError(f"a hook gave a gradient of shape {g.shape} for a tensor of shape {node.shape}")
    return g


def _check_finite(d: Any, y: Node) -> None:
    found = not_finite(_as(as_array(d), on_tensors=False))
    if found:
        assert y.operation is not None
        raise AnomalyError(f"the derivative of {y.operation.name} made {found}   {y.made_at[0] if y.made_at else ''}")


def _check_unchanged(y: Node) -> None:
    if y.made_at is not None and y.made_at[1] != fingerprints(y.values):
        assert y.operation is not None
        raise AnomalyError(f"an array that {y.operation.name} used was changed since the forward pass   {y.made_at[0]}")
