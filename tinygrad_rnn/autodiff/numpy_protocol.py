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


def array(tensor: Tensor, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
    """Tensor.__array__: what NumPy calls to make an array of a tensor."""
    if tensor.requires_grad:
        raise TypeError(
            "np.asarray of a tensor that needs a gradient would lose it: use tensor.detach(), or tg.stack for a list"
        )
    return np.array(tensor.data, dtype=dtype, copy=copy)


def ufunc(_: Tensor, function: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
    """Tensor.__array_ufunc__: ``np.add(a, b)``, also where it is written ``array + tensor``."""
    entry = _TABLE.get(function)
    if entry is None or method != "__call__":
        raise _no_rule(_numpy_name(function) + (f".{method}" if method != "__call__" else ""))
    return _run(entry, function, inputs, options)


def function(_: Tensor, function: Callable, types: Any, args: Sequence[Any], kwargs: dict) -> Any:
    """Tensor.__array_function__: ``np.sum(t, axis=0)``. An option may be given if it has its default value."""
    entry = _TABLE.get(function)
    if entry is None:
        raise _no_rule(_numpy_name(function))
    inputs, options = _signature(entry)
    if inputs != _ANY and (len(args) > inputs or not kwargs.keys() <= set(options)):  # by NumPy's names
        named = inspect.signature(function).bind(*args, **kwargs).arguments
        given = list((named | named.pop("kwargs", {})).items())
        args, kwargs = [value for _, value in given[:inputs]], dict(given[inputs:])
    return _run(entry, function, args, kwargs)


def _run(entry: Callable, function: Callable, args: Sequence[Any], kwargs: dict) -> Any:
    if not kwargs:
        return entry(*args)
    _, options = _signature(entry)
    given = {_RENAMED.get(option, option): value for option, value in kwargs.items()}
    further = {option: value for option, value in given.items() if option not in options}
    dtype = further.pop("dtype", None)
    unknown = [f"{option}=" for option, value in further.items() if not _is_usual(function, option, value)]
    if unknown:
        raise _no_rule(f"{_numpy_name(function)} with {', '.join(unknown)}")
    result = entry(*args, **{option: value for option, value in given.items() if option in options})
    if dtype is not None and getattr(result, "dtype", None) != dtype:
        raise _no_rule(f"{_numpy_name(function)} with dtype=")
    return result


def _is_usual(function: Callable, option: str, value: Any) -> bool:
    """Whether an option asks for what is done without it too."""
    if value is None or option == "optimize":
        return True
    known = None if isinstance(function, np.ufunc) else inspect.signature(function).parameters.get(option)
    usual = [known.default if known else None, *_USUAL.get(option, [])]
    return isinstance(value, (bool, int, str)) and any(type(value) is type(u) and value == u for u in usual)


_RENAMED = {"a_min": "min", "a_max": "max"}
_USUAL: dict[str, list] = {"where": [True], "order": ["C", "K"], "casting": ["same_kind"], "subok": [True]}
_ANY = 1000


@cache
def _signature(entry: Callable) -> tuple[int, list[str]]:
    """How many inputs a rule takes, and the names of all its arguments."""
    if isinstance(entry, Operation):
        return entry.arity, list(entry.defaults)
    parameters = inspect.signature(entry).parameters
    if any(p.kind is p.VAR_POSITIONAL for p in parameters.values()):
        return _ANY, []
    return sum(p.default is p.empty for p in parameters.values()), list(parameters)


def _numpy_name(function: Callable) -> str:
    return f"{getattr(function, '__module__', 'numpy')}.{function.__name__}".replace("numpy", "np", 1)


def _no_rule(what: str) -> Exception:
    instead = f"{_INSTEAD[what]}, or " if what in _INSTEAD else ""
    return complaint(TypeError, f"{what} has no rule for tensors: use {instead}t.detach().data for the array")


# fmt: off
_INSTEAD = {
    "np.add.accumulate": "np.cumsum", "np.add.reduce": "np.sum", "np.append": "np.concatenate", "np.average": "np.mean",
    "np.copyto": "np.where", "np.dstack": "np.stack", "np.fill_diagonal": "np.where", "np.insert": "np.concatenate",
    "np.kron": "np.einsum", "np.maximum.reduce": "np.max", "np.median": "np.sort", "np.multiply.reduce": "np.prod",
    "np.nan_to_num": "np.where", "np.rot90": "np.flip and np.swapaxes", "np.vsplit": "np.split",
}
# fmt: on


def _tensor(a: Any) -> Tensor:
    return a if isinstance(a, Tensor) else Tensor(a)


_TABLE: dict[Callable, Callable] = {
    np.shape: lambda t: t.shape,
    np.ndim: lambda t: t.ndim,
    np.size: lambda t, axis=None: t.size if axis is None else t.shape[axis],
    np.around: operations.round,
    np.linalg.norm: operations.norm,
    np.linalg.vector_norm: operations.vector_norm,
    np.linalg.vecdot: operations.vecdot,
    np.matrix_transpose: lambda x: x.mT,
    np.bitwise_and: lambda a, b: _tensor(a) & _tensor(b),
    np.bitwise_or: lambda a, b: _tensor(a) | _tensor(b),
    np.bitwise_xor: lambda a, b: _tensor(a) ^ _tensor(b),
    np.invert: lambda a: ~a,
}
for _name in operations.__all__:
    if hasattr(np, _name):
        _TABLE[getattr(np, _name)] = getattr(operations, _name)
