"""NumPy's functions on tensors: ``np.sin(t)``, ``np.concatenate([t, …])`` and ``array @ t`` give tensors.

A NumPy function stands for the operation of the same name. The others work on constants and give arrays; where a
gradient would be lost there is a TypeError. The derivative rules rely on this to run on tensors as on arrays.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Sequence, Set
from functools import cache
from typing import Any

import numpy as np

from . import operations
from .errors import complaint
from .mode import current_mode
from .nests import flatten, rebuild
from .operation import Operation
from .tensor import Tensor


def array(tensor: Tensor, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
    """Tensor.__array__: what NumPy calls to make an array of a tensor."""
    if tensor.requires_grad:
        mend = "use tensor.detach(), or tg.stack for a list"
        raise complaint(TypeError, f"an array of a tensor that needs a gradient would lose it: {mend}")
    return np.array(tensor.numbers(), dtype=dtype, copy=copy)


def ufunc(_: Tensor, function: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
    """Tensor.__array_ufunc__: ``np.add(a, b)``, also where it is written ``array + tensor``."""
    if method != "__call__":
        return _on_constants(getattr(function, method), inputs, options, f"np.{function.__name__}.{method}")
    return _run(function, inputs, options)


def function(_: Tensor, function: Callable, types: Any, args: Sequence[Any], options: dict) -> Any:
    """Tensor.__array_function__: ``np.sum(t, axis=0)``."""
    return _run(function, args, options)


def _run(function: Callable, args: Sequence[Any], options: dict[str, Any]) -> Any:
    """Run the operation that stands for a NumPy function; an option that it does not have must change nothing."""
    if function not in _TABLE:
        return _on_constants(function, args, options, _name(function))
    operation, inputs, own = _operation(function)
    if len(args) <= inputs and (not options or options.keys() <= own):
        return operation(*args, **options)
    defaults = _defaults(function)
    names = list(defaults)  # inputs go by position, options by name
    options = dict(zip(names[inputs:], args[inputs:], strict=False)) | options
    args = [*args[:inputs], *(options.pop(name) for name in names[len(args) : inputs] if name in options)]
    further = {name: options.pop(name) for name in list(options) if name not in own}
    dtype = further.pop("dtype", None)
    changing = [f"{name}=" for name, value in further.items() if not _is_usual(name, value, defaults.get(name))]
    if changing:
        raise _no_rule(f"{_name(function)} with {', '.join(changing)}")
    result = operation(*args, **options)
    if dtype is not None and getattr(result, "dtype", None) != dtype:
        raise _no_rule(f"{_name(function)} with dtype=")
    return result


def _on_constants(function: Callable, args: Sequence[Any], options: dict[str, Any], name: str) -> Any:
    """A NumPy function without a rule gives arrays: of constants, which lose nothing, unless a recorder listens."""
    tensors = [x for x in flatten([*args, options]) if isinstance(x, Tensor)]
    if current_mode().recorder is not None or any(t.requires_grad for t in tensors):
        raise _no_rule(name)
    args, options = rebuild((tuple(args), options), lambda x: x.data if isinstance(x, Tensor) else x)
    return function(*args, **options)


@cache
def _operation(function: Callable) -> tuple[Callable, int, Set[str]]:
    """What stands for a NumPy function, how many inputs it takes by position, and the names of its options."""
    operation = _TABLE[function]
    if isinstance(operation, Operation):
        return operation, operation.arity, operation.defaults.keys()
    parameters = inspect.signature(operation).parameters
    variadic = any(p.kind is p.VAR_POSITIONAL for p in parameters.values())
    inputs = sys.maxsize if variadic else sum(p.default is p.empty for p in parameters.values())
    return operation, inputs, parameters.keys()


@cache
def _defaults(function: Callable) -> dict[str, Any]:
    """NumPy's arguments in order, with their defaults; those of a ufunc are in _USUAL."""
    parameters = {} if isinstance(function, np.ufunc) else inspect.signature(function).parameters
    return {name: p.default for name, p in parameters.items() if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)}


_USUAL: dict[str, list] = {"where": [True], "order": ["C", "K"], "casting": ["same_kind"], "subok": [True]}


def _is_usual(name: str, value: Any, default: Any) -> bool:
    """Whether an option asks for what is done without it too."""
    return any(type(value) is type(u) and value == u for u in [None, default, *_USUAL.get(name, [])])


def _name(function: Callable) -> str:
    return f"{getattr(function, '__module__', 'numpy')}.{function.__name__}".replace("numpy", "np", 1)


def _no_rule(what: str) -> Exception:
    mend = f"use {_INSTEAD[what]}" if what in _INSTEAD else "write it with others, or as a tg.operation"
    array = "t.detach().data is the array, without its gradient"
    return complaint(TypeError, f"{what} has no rule for tensors: {mend}; {array}")


# fmt: off
_INSTEAD = {
    "np.add.accumulate": "np.cumsum", "np.add.reduce": "np.sum", "np.append": "np.concatenate", "np.average": "np.mean",
    "np.copyto": "np.where", "np.dstack": "np.stack", "np.fill_diagonal": "np.where", "np.insert": "np.concatenate",
    "np.kron": "np.einsum", "np.maximum.reduce": "np.max", "np.median": "np.sort", "np.multiply.reduce": "np.prod",
    "np.nan_to_num": "np.where", "np.rot90": "np.flip and np.swapaxes", "np.vsplit": "np.split",
}
# fmt: on

_TABLE: dict[Callable, Callable] = {
    **{getattr(np, name): getattr(operations, name) for name in operations.__all__ if hasattr(np, name)},
    np.shape: lambda t: t.shape,
    np.ndim: lambda t: t.ndim,
    np.size: lambda t, axis=None: t.size if axis is None else t.shape[axis],
    np.around: operations.round,
    np.amax: operations.max,
    np.amin: operations.min,
    np.clip: lambda a, a_min=None, a_max=None, min=None, max=None: operations.clip(
        a, a_min if min is None else min, a_max if max is None else max
    ),
    np.einsum: lambda *operands, optimize=False: operations.einsum(*operands),
    np.linalg.norm: operations.norm,
    np.linalg.vector_norm: operations.vector_norm,
    np.linalg.vecdot: operations.vecdot,
    np.matrix_transpose: lambda x: x.mT,
    np.bitwise_and: lambda a, b: Tensor.__and__(a, b),
    np.bitwise_or: lambda a, b: Tensor.__or__(a, b),  # type: ignore[call-arg]
    np.bitwise_xor: lambda a, b: Tensor.__xor__(a, b),
    np.invert: lambda a: ~a,
}
