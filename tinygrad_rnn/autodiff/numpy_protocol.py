"""NumPy's functions on tensors: ``np.sin(t)``, ``np.concatenate([t, …])`` and ``array @ t`` give tensors.

A NumPy function stands for the operation of the same name; for the others there is a TypeError, never a
silent loss of the gradient. The derivative rules rely on this to run on tensors as they run on arrays.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np

from . import operations
from .errors import complaint
from .operation import Operation
from .tensor import Tensor


def ufunc(function: np.ufunc, method: str, inputs: Sequence[Any], kwargs: dict) -> Any:
    """Tensor.__array_ufunc__"""
    entry = _TABLE.get(function)
    if entry is None or method != "__call__" or kwargs:
        how = function.__name__ + (f".{method}" if method != "__call__" else "")
        options = f" with {', '.join(kwargs)}=" if kwargs else ""
        raise _no_rule(f"np.{how}{options}")
    return entry(*inputs)


def function(function: Callable, args: tuple, kwargs: dict) -> Any:
    """Tensor.__array_function__"""
    entry = _TABLE.get(function)
    if entry is None:
        raise _no_rule(_numpy_name(function))
    inputs, options = _signature(entry)
    if len(args) > inputs:  # what NumPy takes by position goes by NumPy's name for it
        named = list(inspect.signature(function).bind(*args).arguments.items())
        args, kwargs = args[:inputs], dict(named[inputs:]) | kwargs
    given = {_RENAMED.get(option, option): value for option, value in kwargs.items()}
    unknown = [f"{option}=" for option, value in given.items() if option not in options and value is not None]
    if unknown:
        raise _no_rule(f"{_numpy_name(function)} with {', '.join(unknown)}")
    return entry(*args, **{option: value for option, value in given.items() if option in options})


_RENAMED = {"a_min": "min", "a_max": "max"}


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
