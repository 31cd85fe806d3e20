"""Functions made from functions: gradients, Jacobians, products with them, in any order of differentiation.

Arguments and values may be nests, that is dicts, lists, tuples and named tuples of arrays, tensors and floats:
``grad(loss)({"W": W, "b": b}, x, y)`` is ``{"W": ∂loss/∂W, "b": ∂loss/∂b}``. A list of numbers is a nest too; for a
vector give an array. None is an empty nest. Keyword arguments go to the function and are not differentiated.

Each transform flattens the nest and runs the function on fresh tensors that stand for the leaves, so transforms
compose: ``grad(lambda x: x * grad(f)(x))`` keeps the inner x and the outer x apart.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from numbers import Real
from typing import Any

import numpy as np

from .errors import GradientError, ShapeError, complaint
from .mode import current_mode, mode
from .nests import flatten, flatten_with_paths, rebuild, with_leaves
from .operation import operation
from .operations import astype, broadcast_to, concatenate, positive, reshape, split, stack
from .reverse import Node, next_number
from .tensor import Tensor, gradients

Argnums = int | Sequence[int]


def value_and_grad(function: Callable[..., Any], argnums: Argnums = 0) -> Callable[..., tuple[Tensor, Any]]:
    """A function with the arguments of `function` that returns (value, gradient).

    `function` returns a single number. The gradient has the structure and the shapes of argument `argnums`; with
    several numbers it is a tuple of gradients. A leaf that has no influence has gradient 0.

    Give arrays, not Parameters, if gradients are not to be differentiated again: with respect to a tensor that needs a
    gradient itself, the gradient keeps all that it was made of.

    Raises GradientError if the value is not a single number, TypeError if a leaf is an integer or no number at all,
    IndexError if there is no such argument.
    """

    def run(*args: Any, **keywords: Any) -> tuple[Tensor, Any]:
        value, pull = _linearised(function, args, keywords, argnums)
        if not isinstance(value, Tensor) or value.size != 1:
            returned = f"shape {value.shape}" if isinstance(value, Tensor) else type(value).__name__
            raise complaint(GradientError, f"grad: the function must return one number, not {returned}: see jacobian")
        return value, pull([np.ones(value.shape, value.dtype)])

    return run


def grad(function: Callable[..., Any], argnums: Argnums = 0) -> Callable[..., Any]:
    """A function that returns the gradient of `function`; see value_and_grad."""
    return lambda *args, **keywords: value_and_grad(function, argnums)(*args, **keywords)[1]


def vjp(function: Callable[..., Any], *args: Any, **keywords: Any) -> tuple[Any, Callable[[Any], tuple]]:
    """(value, pullback): pullback(u) is uᵀJ for each argument, as a tuple.

    u must have the structure and the shapes of the value, otherwise pullback raises ShapeError.
    """
    value, pull = _linearised(function, args, keywords, range(len(args)))
    return rebuild(value, lambda y: y), lambda u: pull(_matched("vjp: u", u, value, "the value"))


def jvp(function: Callable[..., Any], args: Sequence[Any], tangents: Sequence[Any], **keywords: Any) -> tuple[Any, Any]:
    """(value, J v): how the value changes as the arguments move along `tangents`.

    `tangents` must have the structure and the shapes of `args`, otherwise jvp raises ShapeError; J v has those of
    the value. The pullback u ↦ uᵀJ is linear, with the matrix Jᵀ, so its own pullback is v ↦ J v, at any u.
    """
    if not (isinstance(args, (tuple, list)) and isinstance(tangents, (tuple, list))):
        raise complaint(TypeError, "jvp: args and tangents are tuples: (x,) and (v,) for a function of one argument")
    _matched("jvp: tangents", tuple(tangents), tuple(args), "args")
    value, pullback = vjp(function, *args, **keywords)
    # Integers cannot be variables; result_type gives a floating point type for them, and keeps one.
    u = rebuild(value, lambda y: np.ones(y.shape, np.result_type(y.dtype, np.float16)))
    with mode(gradients=any(y.requires_grad for y in flatten(value))):
        _, push = vjp(pullback, u)
    return value, push(tuple(tangents))[0]


def jacobian(function: Callable[..., Any], argnums: Argnums = 0) -> Callable[..., Any]:
    """A function that returns ∂value[i…]/∂argument[j…], of shape value.shape + argument.shape.

    For nests it returns a nest of Jacobians: it has the structure of the value, with a nest of the structure of
    argument `argnums` in place of each leaf. One backward pass for each element of the value.
    """

    def run(*args: Any, **keywords: Any) -> Any:
        value, pull = _linearised(function, args, keywords, argnums)

        def of_leaf(i: int, y: Tensor) -> Any:
            basis = np.eye(y.size, dtype=y.dtype).reshape(y.size, *y.shape)
            columns = zip(*(flatten(pull([None] * i + [u])) for u in basis), strict=True)
            if not y.size:
                return rebuild(pull([]), lambda x: broadcast_to(x, y.shape + x.shape))
            return rebuild(pull([]), lambda x: reshape(stack(next(columns)), y.shape + x.shape))

        return with_leaves(value, [of_leaf(i, y) for i, y in enumerate(flatten(value))])

    return run


def hessian(function: Callable[..., Any], argnums: Argnums = 0) -> Callable[..., Any]:
    """A function that returns the second derivatives, of shape argument.shape + argument.shape.

    For a nest it returns a nest of nests: ``hessian(f)(params)["W"]["b"]`` is ∂²f/∂W∂b.
    """
    return jacobian(grad(function, argnums), argnums)


def hvp(function: Callable[..., Any], x: Any, v: Any, **keywords: Any) -> Any:
    """Hessian times v at x, without the Hessian: vᵀ ∂(∇f)/∂x, because the Hessian is symmetric.

    v must have the structure and the shapes of x, otherwise hvp raises ShapeError.
    """
    _matched("hvp: v", v, x, "x")
    return vjp(grad(function), x, **keywords)[1](v)[0]


def _linearised(function: Callable, args: Sequence[Any], keywords: dict, argnums: Argnums) -> tuple[Any, Callable]:
    """Run `function` with fresh variables in place of the leaves of the arguments `argnums`. Returns (value, pull):

    value  what the function returned, a tensor or a nest of tensors; constants unless somebody outside follows them:
           an outer transform, or a graph that the function's other tensors belong to
    pull   takes a list of u, one for each leaf of the value, and returns uᵀJ, with the structure of argument `argnums`;
           None, or the end of the list, stands for u = 0
    """
    start = next_number()
    arguments = list(args)
    numbers = tuple(argnums) if isinstance(argnums, Sequence) else (argnums,)
    with mode(gradients=True):
        for i in numbers:
            if not -len(args) <= i < len(args):
                raise complaint(IndexError, f"there is no argument {i}: the function was called with {len(args)}")
            leaves = flatten_with_paths(args[i], f"argument {i}")
            arguments[i] = with_leaves(args[i], [_variable(x, path) for path, x in leaves])
        variables = tuple(arguments[i] for i in numbers) if isinstance(argnums, Sequence) else arguments[argnums]
        variables = rebuild(variables, lambda x: x)  # the function may change the dicts and lists that it is given
        returned = function(*arguments, **keywords)
    if returned is None:
        raise complaint(GradientError, "the function returned None: is a return statement missing?")
    nodes = [x.node for x in flatten(variables)]
    results = [_result(y, path) for path, y in flatten_with_paths(returned, "the value")]
    followed = current_mode().gradients and any(node.order < start for node in _sources(results, start))

    def pull(us: Sequence[Any]) -> Any:
        return with_leaves(variables, _pulled(results, us, nodes, followed))

    return with_leaves(returned, results if followed else [y.detach() for y in results]), pull


def _variable(x: Any, path: str) -> Tensor:
    """A tensor of its own for a leaf; if an outer transform follows the leaf, connected to it."""
    if isinstance(x, Tensor) and x.requires_grad:
        return positive(x)
    try:
        return Tensor(x.data if isinstance(x, Tensor) else x, requires_grad=True)
    except TypeError as error:
        raise complaint(TypeError, f"{path}: {error}") from None


def _result(y: Any, path: str) -> Tensor:
    """A leaf of what the function returned, as a tensor; a number is a constant."""
    if not isinstance(y, (Tensor, Real)):
        message = f"{path} must be a tensor, not {type(y).__name__}: compute it from the arguments, not from .data"
        raise complaint(GradientError, message)
    return y if isinstance(y, Tensor) else Tensor(y)


def _matched(name: str, given: Any, nest: Any, whose: str) -> list[Any]:
    """The leaves of `given`, which must have the structure and the shapes of `nest`, in the order of nest's leaves."""
    found, wanted = dict(flatten_with_paths(given, name)), dict(flatten_with_paths(nest, name))
    for path in [*wanted, *found]:
        shape = f"of shape {np.shape(found[path])}" if path in found else "missing"
        needed = f"of shape {np.shape(wanted[path])}" if path in wanted else "left out"
        if shape != needed:
            message = f"{path} is {shape} and must be {needed}, as in {whose} (a list is a nest, not an array)"
            raise complaint(ShapeError, message)
    return [found[path] for path in wanted]


def _pulled(ys: Sequence[Tensor], us: Sequence, nodes: Sequence[Node], followed: bool, partial: bool = False) -> list:
    """Σ uᵀ ∂y/∂node over the results y, for each of `nodes`, in one backward pass; 0 where there is no influence."""
    found: list[Tensor | None] = [None] * len(nodes)
    pairs = [(y, u) for y, u in zip(ys, us, strict=False) if y.requires_grad and u is not None]
    if pairs:
        with mode(gradients=True):
            y, u = pairs[0] if len(pairs) == 1 else map(_packed, zip(*pairs, strict=True))
        followed = followed or (current_mode().gradients and isinstance(u, Tensor) and u.requires_grad)
        found = gradients(y, nodes, u, create_graph=followed, partial=partial)
    return [Tensor(np.zeros(x.shape, x.dtype)) if d is None else d for d, x in zip(found, nodes, strict=True)]


def _packed(tensors: Sequence[Any]) -> Tensor:
    """All elements in one row, because an operation has one result and a backward pass starts from one."""
    return concatenate([reshape(x, -1) for x in tensors])


def _sources(results: Sequence[Tensor], start: int) -> list[Node]:
    """What the results depend on that the function did not compute: nodes older than number `start`, and leaves."""
    pending: list[Any] = [y.node for y in results]
    is_source: dict[Any, bool] = {None: False}
    for node in pending:  # grows while it is walked
        if node not in is_source:
            is_source[node] = node.order < start or node.operation is None
            pending.extend([] if is_source[node] else node.inputs)
    return [node for node, found in is_source.items() if found]


# -- checkpoint ------------------------------------------------------------------------------------


def checkpoint(function: Callable[..., Any], *args: Any) -> Any:
    """function(*args), keeping only its inputs: the backward pass runs it again for what lies between.

    `function` returns a tensor, or a nest of tuples, lists and dicts of tensors; it may use other tensors
    besides its arguments, parameters say. A sequence of T steps in √T pieces of √T steps each needs memory for
    about 2√T steps instead of T (Chen, Xu, Zhang & Guestrin 2016). It must compute the same both times: without
    randomness of its own, on arguments and weights that have not changed. Otherwise backward raises GradientError.
    """
    now = current_mode()
    if not now.gradients or now.recorder is not None:  # nothing to save; a record shows the function itself
        return function(*args)
    start = next_number()
    returned = function(*args)
    results = _tensors(returned)
    if not results:
        return returned
    sources = _sources(results, start)

    def pullback(g: Any, needs: Sequence[bool]) -> list:
        on_tensors = isinstance(g, Tensor)
        with mode(gradients=True, anomaly=now.anomaly):
            again = _packed(_tensors(function(*args)))
            if again.shape != row.shape or not np.allclose(again.data, row, rtol=1e-4, equal_nan=True):
                raise GradientError("checkpoint: the function gave other values when it was run again: see its help")
            found = _pulled([again], [g], sources, on_tensors, partial=True)
        return [d if on_tensors else d.data for d, needed in zip(found, needs, strict=True) if needed]

    row = _packed(results).data
    node = Node(_checkpoint, {"row": row, "pullback": pullback}, sources, sources, None, row)
    pieces = iter(split(Tensor.result(row, node), np.cumsum([y.size for y in results])[:-1]))

    def unpacked(y: Tensor) -> Tensor:
        if not y.requires_grad:
            return y
        piece = reshape(next(pieces), y.shape)
        return piece if piece.dtype == y.dtype else astype(piece, y.dtype)

    return rebuild(returned, unpacked)


_checkpoint = operation(
    "checkpoint",
    lambda *sources, row, pullback: row,
    joint=lambda g, _y, _sources, needs, row, pullback: pullback(g, needs),
)


def _tensors(returned: Any) -> list[Tensor]:
    """The returned tensors that need a gradient."""
    for r in flatten(returned):
        if not isinstance(r, Tensor):
            raise complaint(TypeError, f"checkpoint: the function must return tensors, not {type(r).__name__}")
    return [r for r in flatten(returned) if r.requires_grad]
