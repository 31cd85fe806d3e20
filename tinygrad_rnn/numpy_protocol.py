"""NumPy's functions on tensors: ``np.sin(t)``, ``np.concatenate([t, …])`` and ``array @ t`` give tensors.

A NumPy function stands for the operation of the same name; for the others there is a TypeError, never a
silent loss of the gradient. The derivative rules rely on this to run on tensors as they run on arrays.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from . import operations
from .operation import Operation
from .sites import here


def ufunc(function: np.ufunc, method: str, inputs: Sequence[Any], kwargs: dict) -> Any:
    """Tensor.__array_ufunc__"""
    entry = _TABLE.get(function)
    if entry is None or method != "__call__" or kwargs:
        how = function.__name__ + (f".{method}" if method != "__call__" else "")
        options = f" with {', '.join(kwargs)}=" if kwargs else ""
        raise TypeError(f"np.{how}{options} has no rule for tensors: use t.detach().data for the array   {here()}")
    return entry(*inputs)


def function(function: Callable, args: tuple, kwargs: dict) -> Any:
    """Tensor.__array_function__"""
    entry = _TABLE.get(function)
    if entry is None:
        name = f"{function.__module__}.{function.__name__}".replace("numpy", "np", 1)
        raise TypeError(f"{name} has no rule for tensors: use t.detach().data for the array   {here()}")
    inputs = _number_of_inputs(entry)
    if len(args) > inputs:  # what NumPy takes by position goes by NumPy's name for it
        named = list(inspect.signature(function).bind(*args).arguments.items())
        args, kwargs = args[:inputs], dict(named[inputs:]) | kwargs
    given = {_RENAMED.get(name, name): value for name, value in kwargs.items() if value is not None}
    return entry(*args, **given)


_RENAMED = {"a_min": "min", "a_max": "max"}


def _number_of_inputs(entry: Callable) -> int:
    if isinstance(entry, Operation):
        return entry.arity
    parameters = inspect.signature(entry).parameters.values()
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return 1000
    return sum(p.default is p.empty for p in parameters)


def _euclidean(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    if ord not in (None, 2):
        raise TypeError(f"np.linalg.norm of order {ord} has no rule for tensors, only the Euclidean norm   {here()}")
    return operations.norm(x, axis=axis, keepdims=keepdims)


_TABLE: dict[Callable, Callable] = {
    np.shape: lambda t: t.shape,
    np.ndim: lambda t: t.ndim,
    np.size: lambda t: t.size,
    np.linalg.norm: _euclidean,
}
for _name in operations.__all__:
    if hasattr(np, _name):
        _TABLE[getattr(np, _name)] = getattr(operations, _name)
