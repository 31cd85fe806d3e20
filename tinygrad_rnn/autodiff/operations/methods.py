"""What a tensor can do: the one table of its operators and methods. Importing this module attaches them to `Tensor`."""

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import numpy_protocol, operations
from ..errors import complaint
from ..tensor import Tensor

_REVERSED = {"axes": None}


def _operator(operation: Any) -> Callable:
    return lambda *operands: operation.apply(operands)


def _reflected(operation: Any) -> Callable:
    return lambda b, a: operation.apply((a, b))


def _of_masks(operation: Any) -> Callable:
    """The operator & | ^ or ~, which is for booleans alone: on integers NumPy's works bit by bit."""

    def of_masks(*operands: Any) -> Any:
        for x in operands:
            dtype = x.dtype if isinstance(x, Tensor) else np.asarray(x).dtype
            if dtype.kind != "b":
                raise complaint(TypeError, f"& | ^ and ~ are for masks, which are booleans, not {dtype}")
        return operation.apply(operands)

    return of_masks


def _in_place(x: Tensor, _other: Any) -> Any:
    """``total += x`` makes a new tensor, by NotImplemented; ``weight -= x`` would make something else of the weight."""
    if x.requires_grad and x.is_leaf:
        mend = "p.data = p.data - lr * p.grad.data, or an optimiser such as tg.SGD"
        raise complaint(TypeError, f"a weight is not changed in place: use {mend}")
    return NotImplemented


def _method(operation: Any) -> Callable:
    """An operation as a function, because a function in a class is a method."""

    def method(tensor: Tensor, *inputs: Any, **attributes: Any) -> Any:
        return operation(tensor, *inputs, **attributes)

    method.__doc__ = operation.__doc__
    return method


REFLECTED = {
    "add": operations.add,
    "sub": operations.subtract,
    "mul": operations.multiply,
    "truediv": operations.divide,
    "floordiv": operations.floor_divide,
    "mod": operations.remainder,
    "pow": operations.power,
    "matmul": operations.matmul,
}
OPERATORS = REFLECTED | {
    "eq": operations.equal,
    "ne": operations.not_equal,
    "lt": operations.less,
    "le": operations.less_equal,
    "gt": operations.greater,
    "ge": operations.greater_equal,
    "neg": operations.negative,
    "pos": operations.positive,
    "abs": operations.absolute,
}
OF_MASKS = {"and": operations.logical_and, "or": operations.logical_or, "xor": operations.logical_xor}
# fmt: off
NAMES = (
    "sum", "mean", "prod", "max", "min", "var", "std", "any", "all", "argmax", "argmin", "argsort", "cumsum", "cumprod",
    "swapaxes", "squeeze", "ravel", "repeat", "take", "diagonal", "trace", "copy", "astype", "clip", "round", "dot",
)
# fmt: on
METHODS: dict[str, Any] = {
    **{f"__{name}__": _operator(operation) for name, operation in OPERATORS.items()},
    **{f"__r{name}__": _reflected(operation) for name, operation in REFLECTED.items()},
    **{f"__i{name}__": _in_place for name in REFLECTED},
    **{f"__{r}{name}__": _of_masks(operation) for name, operation in OF_MASKS.items() for r in ("", "r")},
    **{name: _method(getattr(operations, name)) for name in NAMES},
    "__invert__": _of_masks(operations.logical_not),
    "__getitem__": operations.getitem,
    "__iter__": lambda x: iter(operations.unbind(x)),
    "__array__": numpy_protocol.array,
    "__array_ufunc__": numpy_protocol.ufunc,
    "__array_function__": numpy_protocol.function,
    "T": property(lambda x: operations.transpose.apply((x,), _REVERSED)),
    "mT": property(lambda x: operations.swapaxes(x, -1, -2)),
    "flatten": operations.ravel,
    "reshape": lambda x, *shape: operations.reshape(x, shape[0] if len(shape) == 1 else shape),
    "transpose": lambda x, *axes: operations.transpose(x, (axes[0] if len(axes) == 1 else axes) or None),
}
for _name, _function in METHODS.items():
    setattr(Tensor, _name, _function)
