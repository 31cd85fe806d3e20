"""What a tensor can do: the one table of its operators and methods. Importing this module attaches them to `Tensor`."""

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import numpy_protocol
from ..errors import complaint
from ..operation import Operation
from ..tensor import Tensor
from . import arrangements, elementwise, linear, products, reductions

_REVERSED = {"axes": None}


def _unary(operation: Operation) -> Callable:
    return lambda x: operation.apply((x,))


def _binary(operation: Operation) -> Callable:
    return lambda a, b: operation.apply((a, b))


def _reflected(operation: Operation) -> Callable:
    return lambda b, a: operation.apply((a, b))


def _mask(x: Any) -> Any:
    dtype = x.dtype if isinstance(x, Tensor) else np.asarray(x).dtype
    if dtype.kind != "b":
        raise complaint(TypeError, f"& | ^ and ~ are for masks, which are booleans, not {dtype}")
    return x


def _unpacked(function: Callable) -> Callable:
    """``x.reshape(2, 3)`` as well as ``x.reshape((2, 3))``."""
    return lambda x, *sizes: function(x, sizes[0] if len(sizes) == 1 else sizes)


ARITHMETIC = {
    "add": elementwise.add,
    "sub": elementwise.subtract,
    "mul": elementwise.multiply,
    "truediv": elementwise.divide,
    "floordiv": elementwise.floor_divide,
    "mod": elementwise.remainder,
    "pow": elementwise.power,
    "matmul": linear.matmul,
}
METHODS: dict[str, Any] = {
    **{f"__{name}__": _binary(operation) for name, operation in ARITHMETIC.items()},
    **{f"__r{name}__": _reflected(operation) for name, operation in ARITHMETIC.items()},
    "__eq__": _binary(elementwise.equal),
    "__ne__": _binary(elementwise.not_equal),
    "__lt__": _binary(elementwise.less),
    "__le__": _binary(elementwise.less_equal),
    "__gt__": _binary(elementwise.greater),
    "__ge__": _binary(elementwise.greater_equal),
    "__neg__": _unary(elementwise.negative),
    "__pos__": _unary(elementwise.positive),
    "__abs__": _unary(elementwise.absolute),
    "__invert__": lambda x: elementwise.logical_not(_mask(x)),
    "__and__": lambda a, b: elementwise.logical_and(_mask(a), _mask(b)),
    "__rand__": lambda b, a: elementwise.logical_and(_mask(a), _mask(b)),
    "__or__": lambda a, b: elementwise.logical_or(_mask(a), _mask(b)),
    "__ror__": lambda b, a: elementwise.logical_or(_mask(a), _mask(b)),
    "__xor__": lambda a, b: elementwise.logical_xor(_mask(a), _mask(b)),
    "__rxor__": lambda b, a: elementwise.logical_xor(_mask(a), _mask(b)),
    "__getitem__": linear.getitem,
    "__iter__": lambda x: iter(linear.unbind(x)),
    "T": property(lambda x: linear.transpose.apply((x,), _REVERSED)),
    "mT": property(lambda x: linear.swapaxes(x, -1, -2)),
    "reshape": _unpacked(linear.reshape),
    "ravel": linear.ravel,
    "flatten": linear.ravel,
    "transpose": lambda x, *axes: linear.transpose(x, (axes[0] if len(axes) == 1 else axes) or None),
    "swapaxes": linear.swapaxes,
    "squeeze": linear.squeeze,
    "repeat": arrangements.repeat,
    "take": linear.take,
    "diagonal": arrangements.diagonal,
    "trace": arrangements.trace,
    "copy": arrangements.copy,
    "astype": elementwise.astype,
    "clip": elementwise.clip,
    "round": elementwise.round,
    "dot": products.dot,
    "sum": linear.sum,
    "mean": linear.mean,
    "prod": reductions.prod,
    "max": reductions.max,
    "min": reductions.min,
    "var": reductions.var,
    "std": reductions.std,
    "cumsum": linear.cumsum,
    "cumprod": reductions.cumprod,
    "any": reductions.any,
    "all": reductions.all,
    "argmax": reductions.argmax,
    "argmin": reductions.argmin,
    "argsort": arrangements.argsort,
    "__array__": numpy_protocol.array,
    "__array_ufunc__": numpy_protocol.ufunc,
    "__array_function__": numpy_protocol.function,
}


def _method(operation: Operation) -> Callable:
    """The operation as a function, because a function in a class is a method."""

    def method(tensor: Tensor, *inputs: Any, **attributes: Any) -> Any:
        return operation(tensor, *inputs, **attributes)

    method.__doc__ = operation.__doc__
    return method


for _name, _entry in METHODS.items():
    setattr(Tensor, _name, _method(_entry) if isinstance(_entry, Operation) else _entry)
