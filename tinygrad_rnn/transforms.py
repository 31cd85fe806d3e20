"""Functions made from functions: gradients, Jacobians, products with them, in any order of differentiation.

Each runs the function on fresh tensors that stand for its arguments, so transforms nest:
``grad(lambda x: x * grad(f)(x))`` keeps the inner x and the outer x apart.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .errors import GradientError, ShapeError
from .mode import current_mode, mode
from .operation import operation
from .operations import astype, concatenate, multiply, positive, reshape, stack
from .operations import sum as total
from .reverse import ancestors, gradients
from .tensor import Node, Tensor, next_number

Argnums = int | tuple[int, ...]


def value_and_grad(function: Callable[..., Tensor], argnums: Argnums = 0) -> Callable[..., tuple[Tensor, Any]]:
    """A function with the arguments of `function` that returns (value, gradient).

    `function` returns a single number. The gradient has the shape of argument `argnums`; with several
    numbers it is a tuple. An argument that has no influence has gradient 0.
    """

    def run(*args: Any) -> tuple[Tensor, Any]:
        value, pullback = _linearised(function, args, argnums)
        if value.size != 1:
            raise GradientError(f"grad: the function must return one number, not shape {value.shape}: see jacobian")
        return _outside(value), pullback(np.ones(value.shape, value.dtype))

    return run


def grad(function: Callable[..., Tensor], argnums: Argnums = 0) -> Callable[..., Any]:
    """A function that returns the gradient of `function`; see value_and_grad."""
    return lambda *args: value_and_grad(function, argnums)(*args)[1]


def vjp(function: Callable[..., Tensor], *args: Any) -> tuple[Tensor, Callable[[Any], tuple[Tensor, ...]]]:
    """(value, pullback): pullback(u), u of the value's shape, is uᵀJ for each argument, as a tuple."""
    value, pullback = _linearised(function, args, tuple(range(len(args))))
    return _outside(value), pullback


def jvp(function: Callable[..., Tensor], args: Sequence[Any], tangents: Sequence[Any]) -> tuple[Tensor, Tensor]:
    """(value, J v): how the value changes as the arguments move along `tangents`.

    uᵀJ is linear in u, so its derivative with respect to u, along v, is J v.
    """
    if len(args) != len(tangents):
        raise ValueError(f"jvp: {len(args)} arguments need as many tangents, not {len(tangents)}")
    value, pullback = _linearised(function, tuple(args), tuple(range(len(args))), differentiable=True)
    u = Tensor(np.zeros(value.shape, value.dtype), requires_grad=True)
    with mode(gradients=True):
        pulled = pullback(u)
        dot = Tensor(0.0)
        for x, v in zip(pulled, tangents, strict=True):
            v = v if isinstance(v, Tensor) else np.asarray(v, x.dtype)
            if v.shape != x.shape:
                raise ShapeError(f"jvp: tangent of shape {v.shape} for an argument of shape {x.shape}")
            dot = dot + total(x * v)
        u_node = u.node
        if not dot.requires_grad or u_node is None:
            return _outside(value), Tensor(np.zeros(value.shape, value.dtype))
        (pushed,) = gradients(dot, [u_node], create_graph=_differentiated_outside(dot, [u]))
    assert pushed is not None
    return _outside(value), pushed


def jacobian(function: Callable[..., Tensor], argnum: int = 0) -> Callable[..., Tensor]:
    """A function that returns ∂value[i…]/∂argument[j…], of shape value.shape + argument.shape.

    One backward pass for each element of the value.
    """

    def run(*args: Any) -> Tensor:
        value, pullback = _linearised(function, args, argnum)
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
        raise ShapeError(f"hvp: a direction of shape {np.shape(v)} for an argument of shape {np.shape(x)}")
    return grad(slope)(x)


def _linearised(
    function: Callable[..., Tensor], args: tuple, argnums: Argnums, differentiable: bool = False
) -> tuple[Tensor, Callable[[Any], Any]]:
    """Run `function` with fresh variables at `argnums`; return its value and u ↦ uᵀJ for them."""
    chosen = (argnums,) if isinstance(argnums, int) else argnums
    variables = list(args)
    with mode(gradients=True):
        for i in chosen:
            variables[i] = _variable(args[i], i)
        value = function(*variables)
    if not isinstance(value, Tensor):
        raise GradientError(f"the function must return a tensor, not {type(value).__name__}")
    wanted = [variables[i] for i in chosen]
    higher = differentiable or (current_mode().gradients and _differentiated_outside(value, wanted))

    def pullback(u: Any) -> Any:
        if value.requires_grad:
            follow = higher or (isinstance(u, Tensor) and u.requires_grad)
            found = gradients(value, [node for x in wanted if (node := x.node)], u, create_graph=follow)
        else:
            found = [None] * len(wanted)
        pulled = tuple(
            Tensor(np.zeros(x.shape, x.dtype)) if g is None else g for g, x in zip(found, wanted, strict=True)
        )
        return pulled[0] if isinstance(argnums, int) else pulled

    return value, pullback


def _variable(x: Any, position: int) -> Tensor:
    """A tensor of its own for an argument; if an outer transform follows the argument, connected to it."""
    if isinstance(x, Tensor) and x.requires_grad:
        return positive(x)
    try:
        return Tensor(x.data if isinstance(x, Tensor) else x, requires_grad=True)
    except TypeError as error:
        raise TypeError(f"argument {position}: {error}") from None


def _differentiated_outside(value: Tensor, own: Sequence[Tensor]) -> bool:
    """Whether the value depends on anything that needs a gradient besides our own variables."""
    if any(not x.is_leaf for x in own):  # it stands for a variable of an outer transform
        return True
    if value.node is None:
        return False
    own_nodes = {id(x.node) for x in own}
    return any(node.operation is None and id(node) not in own_nodes for node in ancestors(value.node)[0])


def _outside(value: Tensor) -> Tensor:
    """The value as the caller sees it: a constant where the caller has switched gradients off."""
    return value if current_mode().gradients else value.detach()


# -- checkpoint ------------------------------------------------------------------------------------


def checkpoint(function: Callable[..., Any], *args: Any) -> Any:
    """function(*args), keeping only its inputs: the backward pass runs it again for what lies between.

    `function` takes and returns tensors (one, or several as a tuple) and may use other tensors, parameters
    say. A sequence of T steps in √T pieces of √T steps each needs memory for about 2√T steps instead of T
    (Chen, Xu, Zhang & Guestrin 2016). It must compute the same both times: no randomness of its own.
    """
    mode_now = current_mode()
    if not mode_now.gradients or mode_now.recorder is not None:  # nothing to save; a record shows the function itself
        return function(*args)
    start = next_number()
    returned = function(*args)
    results = _as_tuple(returned)
    if not any(r.requires_grad for r in results):
        return returned
    sources = _sources(results, start)

    def pullback(g: Any, create_graph: bool) -> list:
        with mode(gradients=True):
            again = _packed(_as_tuple(function(*args)))
        found = gradients(again, sources, g, create_graph, partial=True)
        return [np.zeros(x.shape, x.dtype) if d is None else d for d, x in zip(found, sources, strict=True)]

    row = _packed(results).data
    node = Node(_checkpoint, {"row": row, "pullback": pullback}, sources, sources, None, row)
    pieces = iter(_unpacked(Tensor.result(row, node), results))
    outcome = tuple(next(pieces) if r.requires_grad else r for r in results)
    return outcome if isinstance(returned, (tuple, list)) else outcome[0]


def _checkpoint_rule(g: Any, _y: Any, _sources: Any, needs: Any, row: np.ndarray, pullback: Callable) -> list:
    on_tensors = isinstance(g, Tensor)
    return [d if on_tensors or isinstance(d, np.ndarray) else d.data for d in pullback(g, on_tensors)]


_checkpoint = operation("checkpoint", lambda *sources, row, pullback: row, joint=_checkpoint_rule)


def _as_tuple(returned: Any) -> tuple[Tensor, ...]:
    results = tuple(returned) if isinstance(returned, (tuple, list)) else (returned,)
    for r in results:
        if not isinstance(r, Tensor):
            raise TypeError(f"checkpoint: the function must return tensors, not {type(r).__name__}")
    return results


def _sources(results: Sequence[Tensor], start: int) -> list[Node]:
    """What the results depend on that was there before number `start`: arguments and captured parameters."""
    pending: list[Node] = [r.node for r in results if r.node is not None]
    seen = {id(None)} | {id(node) for node in pending}
    found = []
    for node in pending:
        if node.order < start or node.operation is None:
            found.append(node)
            continue
        for x in node.inputs:
            if id(x) not in seen:
                seen.add(id(x))
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
