"""Functions made from functions: gradients, Jacobians, products with them, in any order of differentiation.

Each runs the function on fresh tensors that stand for its arguments, so transforms nest:
``grad(lambda x: x * grad(f)(x))`` keeps the inner x and the outer x apart.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .errors import GradientError, ShapeError, complaint
from .mode import current_mode, mode
from .nests import flatten, rebuild
from .operation import operation
from .operations import astype, concatenate, multiply, positive, reshape, stack
from .operations import sum as total
from .reverse import Node, next_number
from .tensor import Tensor, gradients

Argnums = int | tuple[int, ...]


def value_and_grad(function: Callable[..., Tensor], argnums: Argnums = 0) -> Callable[..., tuple[Tensor, Any]]:
    """A function with the arguments of `function` that returns (value, gradient).

    `function` returns a single number. The gradient has the shape of argument `argnums`; with several
    numbers it is a tuple. An argument that has no influence has gradient 0.
    """

    def run(*args: Any) -> tuple[Tensor, Any]:
        value, pullback, _ = _linearised(function, args, argnums)
        if value.size != 1:
            raise complaint(
                GradientError, f"grad: the function must return one number, not shape {value.shape}: see jacobian"
            )
        return value, pullback(np.ones(value.shape, value.dtype))

    return run


def grad(function: Callable[..., Tensor], argnums: Argnums = 0) -> Callable[..., Any]:
    """A function that returns the gradient of `function`; see value_and_grad."""
    return lambda *args: value_and_grad(function, argnums)(*args)[1]


def vjp(function: Callable[..., Tensor], *args: Any) -> tuple[Tensor, Callable[[Any], tuple[Tensor, ...]]]:
    """(value, pullback): pullback(u), u of the value's shape, is uᵀJ for each argument, as a tuple."""
    value, pullback, _ = _linearised(function, args, tuple(range(len(args))))
    return value, pullback


def jvp(function: Callable[..., Tensor], args: Sequence[Any], tangents: Sequence[Any]) -> tuple[Tensor, Tensor]:
    """(value, J v): how the value changes as the arguments move along `tangents`.

    uᵀJ is linear in u, so its derivative with respect to u, along v, is J v, at any u.
    """
    if len(args) != len(tangents):
        raise complaint(ValueError, f"jvp: {len(args)} arguments need as many tangents, not {len(tangents)}")
    value, pullback, followed = _linearised(function, tuple(args), tuple(range(len(args))))
    followed = followed or (
        current_mode().gradients and any(isinstance(v, Tensor) and v.requires_grad for v in tangents)
    )
    u = Tensor(np.ones(value.shape, value.dtype), requires_grad=True)
    with mode(gradients=True):
        pulled = pullback(u)
        dot = Tensor(0.0)
        for x, v in zip(pulled, tangents, strict=True):
            v = v if isinstance(v, Tensor) else np.asarray(v, x.dtype)
            if v.shape != x.shape:
                raise complaint(ShapeError, f"jvp: tangent of shape {v.shape} for an argument of shape {x.shape}")
            dot = dot + total(x * v)
    assert u.node is not None
    pushed = gradients(dot, [u.node], create_graph=followed)[0] if dot.requires_grad else None
    return value, Tensor(np.zeros(value.shape, value.dtype)) if pushed is None else pushed


def jacobian(function: Callable[..., Tensor], argnum: int = 0) -> Callable[..., Tensor]:
    """A function that returns ∂value[i…]/∂argument[j…], of shape value.shape + argument.shape.

    One backward pass for each element of the value.
    """

    def run(*args: Any) -> Tensor:
        value, pullback, _ = _linearised(function, args, argnum)
        directions = np.eye(value.size, dtype=value.dtype).reshape(value.size, *value.shape)
        rows = [pullback(u) for u in directions]
        if not rows:
            return Tensor(np.zeros(value.shape + np.shape(args[argnum]), value.dtype))
        return reshape(stack(rows), value.shape + rows[0].shape)

    return run


def hessian(function: Callable[..., Tensor], argnum: int = 0) -> Callable[..., Tensor]:
    """A function that returns the second derivatives, of shape argument.shape + argument.shape."""
    return jacobian(grad(function, argnum), argnum)


def hvp(function: Callable[..., Tensor], x: Any, v: Any) -> Tensor:
    """Hessian times v at x, without the Hessian: the gradient of ⟨∇f(x), v⟩."""

    def slope(x: Tensor) -> Tensor:
        return total(multiply(grad(function)(x), v))

    if np.shape(x) != np.shape(v):
        raise complaint(ShapeError, f"hvp: a direction of shape {np.shape(v)} for an argument of shape {np.shape(x)}")
    return grad(slope)(x)


def _linearised(
    function: Callable[..., Tensor], args: tuple, argnums: Argnums
) -> tuple[Tensor, Callable[[Any], Any], bool]:
    """Run `function` with fresh variables at `argnums`.

    Returns its value, u ↦ uᵀJ for the variables, and whether anyone outside follows the value: an outer transform,
    or a graph that the function's other tensors belong to. If nobody does, the value is a constant.
    """
    start = next_number()
    chosen = (argnums,) if isinstance(argnums, int) else argnums
    variables = list(args)
    with mode(gradients=True):
        for i in chosen:
            if not -len(args) <= i < len(args):
                raise complaint(IndexError, f"there is no argument {i}: the function was called with {len(args)}")
            variables[i] = _variable(args[i], i)
        value = function(*variables)
    if not isinstance(value, Tensor):
        raise complaint(GradientError, f"the function must return a tensor, not {type(value).__name__}")
    wanted = [variables[i] for i in chosen]
    followed = current_mode().gradients and any(node.order < start for node in _sources([value], start))

    def pullback(u: Any) -> Any:
        if value.requires_grad:
            create_graph = followed or (isinstance(u, Tensor) and u.requires_grad)
            found = gradients(value, [node for x in wanted if (node := x.node)], u, create_graph)
        else:
            found = [None] * len(wanted)
        pulled = tuple(
            Tensor(np.zeros(x.shape, x.dtype)) if g is None else g for g, x in zip(found, wanted, strict=True)
        )
        return pulled[0] if isinstance(argnums, int) else pulled

    return (value if followed else value.detach()), pullback, followed


def _variable(x: Any, position: int) -> Tensor:
    """A tensor of its own for an argument; if an outer transform follows the argument, connected to it."""
    if isinstance(x, Tensor) and x.requires_grad:
        return positive(x)
    try:
        return Tensor(x.data if isinstance(x, Tensor) else x, requires_grad=True)
    except TypeError as error:
        raise TypeError(f"argument {position}: {error}") from None


# -- checkpoint ------------------------------------------------------------------------------------


def checkpoint(function: Callable[..., Any], *args: Any) -> Any:
    """function(*args), keeping only its inputs: the backward pass runs it again for what lies between.

    `function` returns a tensor, or a nest of tuples, lists and dicts of tensors; it may use other tensors
    besides its arguments, parameters say. A sequence of T steps in √T pieces of √T steps each needs memory for
    about 2√T steps instead of T (Chen, Xu, Zhang & Guestrin 2016). It must compute the same both times: no
    randomness of its own.
    """
    mode_now = current_mode()
    if not mode_now.gradients or mode_now.recorder is not None:  # nothing to save; a record shows the function itself
        return function(*args)
    start = next_number()
    returned = function(*args)
    results = _tensors(returned)
    if not any(r.requires_grad for r in results):
        return returned
    sources = _sources(results, start)

    def pullback(g: Any, create_graph: bool) -> list:
        with mode(gradients=True, anomaly=mode_now.anomaly):
            again = _packed(_tensors(function(*args)))
            found = gradients(again, sources, g, create_graph, partial=True)
        return [np.zeros(x.shape, x.dtype) if d is None else d for d, x in zip(found, sources, strict=True)]

    row = _packed(results).data
    node = Node(_checkpoint, {"row": row, "pullback": pullback}, sources, sources, None, row)
    pieces = iter(_unpacked(Tensor.result(row, node), results))
    return rebuild(returned, lambda r: next(pieces) if r.requires_grad else r)


def _checkpoint_rule(g: Any, _y: Any, _sources: Any, needs: Any, row: np.ndarray, pullback: Callable) -> list:
    on_tensors = isinstance(g, Tensor)
    found = zip(pullback(g, on_tensors), needs, strict=True)
    return [d if on_tensors or isinstance(d, np.ndarray) else d.data for d, needed in found if needed]


_checkpoint = operation("checkpoint", lambda *sources, row, pullback: row, joint=_checkpoint_rule)


def _tensors(returned: Any) -> list[Tensor]:
    results = flatten(returned)
    for r in results:
        if not isinstance(r, Tensor):
            raise complaint(TypeError, f"checkpoint: the function must return tensors, not {type(r).__name__}")
    return results


def _sources(results: Sequence[Tensor], start: int) -> list[Node]:
    """What the results depend on that was there before number `start`: arguments and captured parameters."""
    pending = list(dict.fromkeys(r.node for r in results if r.node is not None))
    seen: set[Any] = {None, *pending}
    found = []
    for node in pending:
        if node.order < start or node.operation is None:
            found.append(node)
            continue
        for x in node.inputs:
            if x not in seen:
                seen.add(x)
                pending.append(x)
    return found


def _packed(results: Sequence[Tensor]) -> Tensor:
    """The results that need a gradient in one row, because an operation has one result."""
    return concatenate([reshape(r, -1) for r in results if r.requires_grad])


def _unpacked(row: Tensor, results: Sequence[Tensor]) -> list[Tensor]:
    pieces, start = [], 0
    for r in results:
        if r.requires_grad:
            piece = reshape(row[start : start + r.size], r.shape)
            pieces.append(piece if piece.dtype == r.dtype else astype(piece, r.dtype))
            start += r.size
    return pieces
