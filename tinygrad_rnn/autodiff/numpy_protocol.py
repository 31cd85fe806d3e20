"""NumPy's functions on tensors: ``np.sin(t)``, ``np.concatenate([t, …])`` and ``array @ t`` give tensors.

A NumPy function stands for the operation of the same name; for the others there is a TypeError, never a
silent loss of the gradient. The derivative rules rely on this to run on tensors as they run on arrays.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from . import operations
from .errors import complaint
from .operation import Operation
from .tensor import Tensor


def array(tensor: Tensor, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
    """Tensor.__array__: what NumPy calls to make an array of a tensor."""
    if tensor.requires_grad:
        raise TypeError(
            "an array of a tensor that needs a gradient would lose it: use tensor.detach(), or tg.stack for a list"
        )
    return np.array(tensor.data, dtype=dtype, copy=copy)


def ufunc(_: Tensor, function: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
    """Tensor.__array_ufunc__: ``np.add(a, b)``, also where it is written ``array + tensor``."""
    entry = _TABLE.get(function)
    unknown = [option for option, value in options.items() if not _is(value, _UFUNC_DEFAULTS.get(option))]
    if entry is None or method != "__call__" or unknown:
        how = function.__name__ + (f".{method}" if method != "__call__" else "")
        raise _no_rule(f"np.{how}" + (f" with {', '.join(unknown)}=" if unknown else ""))
    return entry(*inputs)


def function(_: Tensor, function: Callable, types: Any, args: tuple, kwargs: dict) -> Any:
    """Tensor.__array_function__: ``np.sum(t, axis=0)``. Options that have their default value may be given."""
    entry = _TABLE.get(function)
    if entry is None:
        raise _no_rule(_numpy_name(function))
    inputs, options = _signature(entry)
    if len(args) > inputs:  # what NumPy takes by position goes by NumPy's name for it
        named = list(inspect.signature(function).bind(*args).arguments.items())
        args, kwargs = args[:inputs], dict(named[inputs:]) | kwargs
    given = {_RENAMED.get(option, option): value for option, value in kwargs.items()}
    unknown = [f"{option}=" for option, value in given.items() if option not in options]
    unknown = [option for option in unknown if not _is_default(function, option[:-1], given[option[:-1]], args)]
    if unknown:
        raise _no_rule(f"{_numpy_name(function)} with {', '.join(unknown)}")
    return entry(*args, **{option: value for option, value in given.items() if option in options})


_RENAMED = {"a_min": "min", "a_max": "max"}
_UFUNC_DEFAULTS = {"where": True, "casting": "same_kind", "order": "K", "subok": True}


def _is(value: Any, default: Any) -> bool:
    return value is default or (type(value) is type(default) and not isinstance(value, np.ndarray) and value == default)


def _is_default(function: Callable, option: str, value: Any, args: tuple) -> bool:
    """Whether an option says what happens anyway."""
    if option == "dtype":
        return value is None or value == getattr(args[0], "dtype", None)
    default = inspect.signature(function).parameters[option].default
    return option == "optimize" or value is None or _is(value, default)


@cache
def _signature(entry: Callable) -> tuple[int, list[str]]:
    """How many inputs a rule takes, and the names of all its arguments."""
    if isinstance(entry, Operation):
        return entry.arity, list(entry.defaults)
    parameters = inspect.signature(entry).parameters
    if any(p.kind is p.VAR_POSITIONAL for p in parameters.values()):
        return 1000, []
    return sum(p.default is p.empty for p in parameters.values()), list(parameters)


def _numpy_name(function: Callable) -> str:
    return f"{function.__module__}.{function.__name__}".replace("numpy", "np", 1)


def _no_rule(what: str) -> Exception:
    return complaint(TypeError, f"{what} has no rule for tensors: use t.detach().data for the array")


def _euclidean(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    vectors = isinstance(axis, int) or (axis is None and np.ndim(x) == 1)
    if not (ord is None or (vectors and ord == 2) or (not vectors and ord == "fro")):  # 2 is a matrix's spectral norm
        raise _no_rule(f"np.linalg.norm with ord={ord!r}")
    return operations.norm(x, axis=axis, keepdims=keepdims)


def _tensor(a: Any) -> Tensor:
    return a if isinstance(a, Tensor) else Tensor(a)


_TABLE: dict[Callable, Callable] = {
    np.shape: lambda t: t.shape,
    np.ndim: lambda t: t.ndim,
    np.size: lambda t, axis=None: t.size if axis is None else t.shape[axis],
    np.linalg.norm: _euclidean,
    np.bitwise_and: lambda a, b: _tensor(a) & _tensor(b),
    np.bitwise_or: lambda a, b: _tensor(a) | _tensor(b),
    np.invert: lambda a: ~a,
}
for _name in operations.__all__:
    if hasattr(np, _name):
        _TABLE[getattr(np, _name)] = getattr(operations, _name)
