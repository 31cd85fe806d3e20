"""A tensor: an array that remembers how it was made.

The memory is a graph of nodes, one for each operation that ran. References go from results to inputs only,
never back, so a graph is freed the moment its last result is, without the garbage collector's help.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from typing import TYPE_CHECKING, Any
from weakref import ref

import numpy as np

from .errors import GradientError, ShapeError, complaint
from .mode import current_mode

if TYPE_CHECKING:
    from .operation import Operation

next_number = count().__next__
_new = object.__new__


class Node:
    """A place in the graph: how a result was made and what its derivative needs. The result may be gone.

    operation, attributes
               what made it; None for a leaf, which no operation made
    inputs     for each input its node, or None: a constant
    values     for each input its array at that moment, or, where no derivative rule needs the numbers, its
               node, which knows its shape and dtype too
    result     the array of the result, or None where no rule needs it
    order      its number in the order of creation, which is also an order of evaluation
    tensor     the tensor whose `.grad` is to be set (a leaf; a result that retains its gradient), weakly
    """

    __slots__ = (
        "attributes",
        "dtype",
        "hooks",
        "inputs",
        "made_at",
        "operation",
        "order",
        "result",
        "shape",
        "tensor",
        "values",
    )

    operation: Operation | None
    attributes: dict[str, Any]
    inputs: list[Any]
    values: list[Any]
    result: np.ndarray | None
    shape: tuple[int, ...]
    dtype: np.dtype
    order: int
    tensor: Callable[[], Tensor | None] | None
    hooks: list[Callable[[Tensor], Any]] | None
    made_at: tuple[str, list[int]] | None

    def __init__(self, operation: Any, attributes: Any, inputs: Any, values: Any, result: Any, array: np.ndarray):
        self.operation = operation
        self.attributes = attributes
        self.inputs = inputs
        self.values = values
        self.result = result
        self.shape = array.shape
        self.dtype = array.dtype
        self.order = next_number()
        self.tensor = self.hooks = self.made_at = None

    @property
    def ndim(self) -> int:
        return len(self.shape)


def _method(name: str) -> Callable[..., Any]:
    """The operation `name` as a method."""
    return lambda self, *args, **options: getattr(ops, name)(self, *args, **options)


class Tensor:
    """An array, its gradient, and how it was made.

    data           the values, a read-only NumPy array: nothing that a backward pass still needs can be
                   overwritten. To change a tensor's value give it a new array: ``w.data = w.data - step``
    requires_grad  whether gradients flow to it; only floating point tensors can
    grad           after ``loss.backward()``: ∂loss/∂self, a tensor of the same shape and dtype
    node           its place in the graph; None for a constant

    ``Tensor(array)`` copies. Floating point, integer and boolean arrays of any precision are accepted;
    integers and booleans are constants.
    """

    __slots__ = ("__weakref__", "_array", "grad", "name", "node")

    _array: np.ndarray
    grad: Tensor | None
    node: Node | None
    name: str | None

    def __init__(self, data: Any, requires_grad: bool = False, *, dtype: Any = None, name: str | None = None):
        if isinstance(data, Tensor):
            raise TypeError("Tensor(tensor): use tensor.detach() for a constant with the same values")
        if isinstance(data, np.ndarray) and type(data) is not np.ndarray:
            raise TypeError(f"a tensor holds a plain array, not a {type(data).__name__}")
        array = np.array(data, dtype=dtype)
        if array.dtype.kind not in "fiub":
            raise TypeError(f"a tensor holds real numbers or booleans, not {array.dtype}")
        array.setflags(write=False)
        self._array = array
        self.grad = self.node = None
        self.name = name
        if requires_grad:
            self.requires_grad = True

    @staticmethod
    def result(array: np.ndarray, node: Node | None = None) -> Tensor:
        """A tensor that takes `array` over without a copy; the engine makes every result by it."""
        array.setflags(False)  # type: ignore[call-arg]  # write=False; by position it takes half the time
        tensor = _new(Tensor)
        tensor._array = array
        tensor.node = node
        tensor.grad = tensor.name = None
        return tensor

    # -- the array ---------------------------------------------------------------------------------

    @property
    def data(self) -> np.ndarray:
        return self._array

    @data.setter
    def data(self, array: np.ndarray) -> None:
        if array is self._array:  # what ``grad.data *= 2`` comes to
            return
        if not isinstance(array, np.ndarray) or array.flags.writeable:
            array = np.array(array)  # nobody else can change it
        if (array.shape, array.dtype) != (self.shape, self.dtype):
            raise complaint(ShapeError, f"data of {self.dtype} {self.shape} set to {array.dtype} {array.shape}")
        array.setflags(write=False)
        self._array = array

    @property
    def shape(self) -> tuple[int, ...]:
        return self.data.shape

    @property
    def ndim(self) -> int:
        return self.data.ndim

    @property
    def size(self) -> int:
        return self.data.size

    @property
    def dtype(self) -> np.dtype:
        return self.data.dtype

    @property
    def T(self) -> Tensor:
        return ops.transpose(self)

    @property
    def mT(self) -> Tensor:
        return ops.swapaxes(self, -1, -2)

    def item(self) -> Any:
        """The only element, as a Python number."""
        return self.data.item()

    def tolist(self) -> Any:
        return self.data.tolist()

    def __len__(self) -> int:
        return len(self.data)

    def __iter__(self) -> Iterator[Tensor]:
        return iter(ops.unbind(self))

    def __bool__(self) -> bool:
        return bool(self.data)

    def __float__(self) -> float:
        return float(self.data)

    def __int__(self) -> int:
        return int(self.data)

    def __index__(self) -> int:
        return self.data.__index__()

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if self.requires_grad:
            raise TypeError("np.asarray of a tensor that needs a gradient would lose it: use tensor.detach()")
        return np.array(self.data, dtype=dtype, copy=copy)

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if self.ndim == 0 else format(str(self), spec)

    def __repr__(self) -> str:
        kind = type(self).__name__
        values = np.array2string(self.data, precision=4, separator=", ", prefix=f"{kind}(", threshold=60)
        dtype = "" if self.dtype == np.float64 else f", {self.dtype}"
        return f"{kind}({values}{dtype}{', requires_grad=True' if self.requires_grad else ''})"

    # -- the graph ---------------------------------------------------------------------------------

    @property
    def requires_grad(self) -> bool:
        return self.node is not None

    @requires_grad.setter
    def requires_grad(self, wanted: bool) -> None:
        if not self.is_leaf:
            raise complaint(
                GradientError, "only a leaf's requires_grad can be set: use detach() to cut a result off its graph"
            )
        if wanted and self.data.dtype.kind != "f":
            raise TypeError(f"only floating point tensors have gradients, this one is {self.dtype}: use dtype=float")
        if wanted and self.node is None:
            self.node = Node(None, {}, [], [], None, self.data)
            self.node.tensor = ref(self)
        elif not wanted:
            self.node = None

    @property
    def is_leaf(self) -> bool:
        return self.node is None or self.node.operation is None

    def detach(self) -> Tensor:
        """A constant with the same values: no gradient flows through it."""
        return Tensor.result(self.data)

    def backward(self, gradient: Any = None, create_graph: bool = False) -> None:
        """Add ∂self/∂leaf to the `.grad` of every leaf that self was computed from.

        gradient      what self's own gradient is, of self's shape; may be left out for a single number (1)
        create_graph  make the gradients themselves differentiable

        May be called again: leaves add up. Raises GradientError on a constant, ShapeError on a gradient
        of another shape.
        """
        reverse.backward(self, gradient, create_graph)

    def retain_grad(self) -> None:
        """Set `.grad` of this intermediate result too, in backward passes to come."""
        self._must_have_gradient("retain_grad").tensor = ref(self)

    def register_hook(self, hook: Callable[[Tensor], Any]) -> Callable[[], None]:
        """Call ``hook(gradient)`` when this tensor's total gradient is known; a returned tensor replaces it.

        Returns a function that removes the hook.
        """
        node = self._must_have_gradient("register_hook")
        hooks = node.hooks = node.hooks or []
        hooks.append(hook)
        return lambda: hooks.remove(hook)

    def _must_have_gradient(self, asked: str) -> Node:
        if self.node is None:
            raise complaint(GradientError, f"{asked}: this tensor is a constant and never gets a gradient")
        return self.node

    def __reduce__(self) -> Any:
        if not self.is_leaf:
            raise TypeError("only a leaf can be copied or pickled: use tensor.detach() for the values alone")
        writeable = self.data.flags.writeable  # as a gradient's are
        return _restore, (type(self), np.array(self.data), self.requires_grad, self.grad, self.name, writeable)

    # -- arithmetic --------------------------------------------------------------------------------

    __array_priority__ = 1000.0
    __hash__ = object.__hash__

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        return numpy_protocol.ufunc(ufunc, method, inputs, kwargs)

    def __array_function__(self, function: Callable, types: Any, args: tuple, kwargs: dict) -> Any:
        return numpy_protocol.function(function, args, kwargs)

    def __getitem__(self, index: Any) -> Tensor:
        return ops.getitem(self, index)

    def __setitem__(self, index: Any, value: Any) -> None:
        raise TypeError("a tensor is never changed in place: build a new one, for example with tg.where(mask, a, b)")

    def __add__(self, other: Any) -> Tensor:
        return ops.add(self, other)

    def __radd__(self, other: Any) -> Tensor:
        return ops.add(other, self)

    def __sub__(self, other: Any) -> Tensor:
        return ops.subtract(self, other)

    def __rsub__(self, other: Any) -> Tensor:
        return ops.subtract(other, self)

    def __mul__(self, other: Any) -> Tensor:
        return ops.multiply(self, other)

    def __rmul__(self, other: Any) -> Tensor:
        return ops.multiply(other, self)

    def __truediv__(self, other: Any) -> Tensor:
        return ops.divide(self, other)

    def __rtruediv__(self, other: Any) -> Tensor:
        return ops.divide(other, self)

    def __floordiv__(self, other: Any) -> Tensor:
        return ops.floor_divide(self, other)

    def __rfloordiv__(self, other: Any) -> Tensor:
        return ops.floor_divide(other, self)

    def __mod__(self, other: Any) -> Tensor:
        return ops.remainder(self, other)

    def __rmod__(self, other: Any) -> Tensor:
        return ops.remainder(other, self)

    def __pow__(self, other: Any) -> Tensor:
        return ops.power(self, other)

    def __rpow__(self, other: Any) -> Tensor:
        return ops.power(other, self)

    def __matmul__(self, other: Any) -> Tensor:
        return ops.matmul(self, other)

    def __rmatmul__(self, other: Any) -> Tensor:
        return ops.matmul(other, self)

    def __neg__(self) -> Tensor:
        return ops.negative(self)

    def __pos__(self) -> Tensor:
        return ops.positive(self)

    def __abs__(self) -> Tensor:
        return ops.abs(self)

    def __eq__(self, other: object) -> Any:
        return ops.equal(self, other)

    def __ne__(self, other: object) -> Any:
        return ops.not_equal(self, other)

    def __lt__(self, other: Any) -> Tensor:
        return ops.less(self, other)

    def __le__(self, other: Any) -> Tensor:
        return ops.less_equal(self, other)

    def __gt__(self, other: Any) -> Tensor:
        return ops.greater(self, other)

    def __ge__(self, other: Any) -> Tensor:
        return ops.greater_equal(self, other)

    def __invert__(self) -> Tensor:
        return ops.logical_not(_boolean(self))

    def __and__(self, other: Any) -> Tensor:
        return ops.logical_and(_boolean(self), _boolean(other))

    def __or__(self, other: Any) -> Tensor:
        return ops.logical_or(_boolean(self), _boolean(other))

    def __xor__(self, other: Any) -> Tensor:
        return ops.logical_xor(_boolean(self), _boolean(other))

    __rand__, __ror__, __rxor__ = __and__, __or__, __xor__

    # The methods NumPy's arrays have; each is the function of the same name.

    all, any, argmin, argsort = map(_method, ["all", "any", "argmin", "argsort"])
    clip, copy, cumprod, diagonal = map(_method, ["clip", "copy", "cumprod", "diagonal"])
    dot, flatten, ravel, repeat, round = map(_method, ["dot", "ravel", "ravel", "repeat", "round"])
    std, take, trace, var = map(_method, ["std", "take", "trace", "var"])

    def sum(self, axis: Any = None, keepdims: bool = False) -> Tensor:
        return ops.sum(self, axis=axis, keepdims=keepdims)

    def mean(self, axis: Any = None, keepdims: bool = False) -> Tensor:
        return ops.mean(self, axis=axis, keepdims=keepdims)

    def prod(self, axis: Any = None, keepdims: bool = False) -> Tensor:
        return ops.prod(self, axis=axis, keepdims=keepdims)

    def max(self, axis: Any = None, keepdims: bool = False) -> Tensor:
        return ops.max(self, axis=axis, keepdims=keepdims)

    def min(self, axis: Any = None, keepdims: bool = False) -> Tensor:
        return ops.min(self, axis=axis, keepdims=keepdims)

    def cumsum(self, axis: int | None = None) -> Tensor:
        return ops.cumsum(self, axis=axis)

    def argmax(self, axis: int | None = None) -> Tensor:
        return ops.argmax(self, axis=axis)

    def reshape(self, *shape: Any) -> Tensor:
        return ops.reshape(self, shape[0] if len(shape) == 1 else shape)

    def transpose(self, *axes: Any) -> Tensor:
        return ops.transpose(self, axes=(axes[0] if len(axes) == 1 else axes) or None)

    def swapaxes(self, axis1: int, axis2: int) -> Tensor:
        return ops.swapaxes(self, axis1, axis2)

    def squeeze(self, axis: Any = None) -> Tensor:
        return ops.squeeze(self, axis=axis)

    def astype(self, dtype: Any) -> Tensor:
        return ops.astype(self, dtype)


def _boolean(x: Any) -> Any:
    dtype = x.dtype if isinstance(x, Tensor) else np.asarray(x).dtype
    if dtype.kind != "b":
        raise complaint(TypeError, f"& | and ~ are for masks, which are booleans, not {dtype}")
    return x


def _restore(kind: Any, array: np.ndarray, requires_grad: bool, grad: Any, name: str | None, writeable: bool) -> Tensor:
    tensor = kind.__new__(kind)
    Tensor.__init__(tensor, array, requires_grad, name=name)
    tensor.grad = grad
    tensor.data.flags.writeable = writeable
    return tensor


def name(tensor: Tensor, label: str) -> Tensor:
    """Give a tensor the name that tables, diagrams and equations call it by; returns the tensor."""
    tensor.name = label
    recorder = current_mode().recorder
    if recorder is not None:
        recorder.rename(tensor, label)
    return tensor


# The operations are defined on tensors and a tensor's methods call them, so these imports come last.
from . import operations as ops  # noqa: E402
from . import numpy_protocol, reverse  # noqa: E402  isort: skip
