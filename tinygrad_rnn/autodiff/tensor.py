"""A tensor: an array that remembers how it was made, so that gradients can flow back through it.

The memory is the graph of nodes in reverse.py. This file holds the tensor, `backward` with what surrounds the loop
(starting gradient, `.grad`, hooks), and the pass on tensors, whose gradients can be differentiated again. Arithmetic
and NumPy's methods are attached from the table in operations/methods.py.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import nullcontext
from operator import attrgetter
from threading import Lock
from types import SimpleNamespace
from typing import Any
from weakref import ref

import numpy as np

from .anomaly import Watched
from .errors import GradientError, ShapeError, complaint
from .mode import current_mode, mode
from .reverse import Gradients, Node, ancestors, backpropagate
from .sites import is_engine, stores_an_item

_new = object.__new__


def _attached(tensor: Any, /, *inputs: Any, **options: Any) -> Tensor:
    """Stands for an operator or a method until operations/methods.py attaches it; type checkers read its signature."""
    raise NotImplementedError


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
        if (recorder := current_mode().recorder) is not None and not is_engine(sys._getframe(1).f_code):
            recorder.reads_numbers(self)
        return self._array

    @data.setter
    def data(self, array: np.ndarray) -> None:
        if array is self._array:  # Python assigns back after ``grad.data *= 2``
            return
        if not isinstance(array, np.ndarray) or array.flags.writeable:
            array = np.array(array)  # nobody else can change it
        if (array.shape, array.dtype) != (self.shape, self.dtype):
            raise complaint(ShapeError, f"data of {self.dtype} {self.shape} set to {array.dtype} {array.shape}")
        array.setflags(write=False)
        self._array = array

    shape: tuple[int, ...] = property(attrgetter("_array.shape"))  # type: ignore[assignment]
    ndim: int = property(attrgetter("_array.ndim"))  # type: ignore[assignment]
    size: int = property(attrgetter("_array.size"))  # type: ignore[assignment]
    dtype: np.dtype = property(attrgetter("_array.dtype"))  # type: ignore[assignment]

    def numbers(self) -> np.ndarray:
        """The array, for Python to take numbers out of. What it does with them is not recorded; a recorder is told."""
        if (recorder := current_mode().recorder) is not None:
            recorder.reads_numbers(self)
        return self._array

    def item(self) -> Any:
        """The only element, as a Python number."""
        return self.numbers().item()

    def tolist(self) -> Any:
        return self.numbers().tolist()

    def __len__(self) -> int:
        return len(self._array)

    def __bool__(self) -> bool:
        return bool(self.numbers())

    def __float__(self) -> float:
        if self.requires_grad and stores_an_item():  # NumPy asks for a number: ``array[i] = tensor``
            mend = "collect the tensors in a list and tg.stack it, or store tensor.item()"
            raise complaint(TypeError, f"a number in an array has no gradient: {mend}")
        return float(self.numbers())

    def __int__(self) -> int:
        return int(self.numbers())

    def __index__(self) -> int:
        return self.numbers().__index__()

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if self.ndim == 0 else format(str(self), spec)

    def __repr__(self) -> str:
        kind = type(self).__name__
        values = np.array2string(self.data, precision=4, separator=", ", prefix=f"{kind}(", threshold=60)
        dtype = "" if self.dtype == np.float64 else f", {self.dtype}"
        return f"{kind}({values}{dtype}{', requires_grad=True' if self.requires_grad else ''})"

    def __reduce__(self) -> Any:
        if not self.is_leaf:
            raise TypeError("only a leaf can be copied or pickled: use tensor.detach() for the values alone")
        writeable = self.data.flags.writeable  # the arrays of gradients are, and stay so
        grad = self.grad if self.grad is None or self.grad.is_leaf else self.grad.detach()
        return _restore, (type(self), np.array(self.data), self.requires_grad, grad, self.name, writeable)

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
        """Add ∂self/∂leaf to the `.grad` of every leaf that self was computed from, and of results that retain theirs.

        gradient      ∂L/∂self, of self's shape; may be left out for a single number, and for a leaf: 1
        create_graph  make the gradients themselves differentiable

        May be called again, also by several threads: gradients add up. Raises GradientError on a constant, ShapeError
        on a gradient of another shape.
        """

        start = seed(self, gradient)

        def arrive(node: Node, g: Any) -> Any:
            tensor = node.tensor() if node.tensor is not None else None
            if tensor is not None:
                with _ADDING:
                    old = tensor.grad
                    tensor.grad = _handed_out(g if old is None else _as(old, isinstance(g, Tensor)) + g)
            return g

        assert self.node is not None
        differentiate(ancestors(self.node), start, arrive, create_graph)

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

    # -- arithmetic, attached from the table in operations/methods.py --------------------------------

    __array_priority__ = 1000.0
    __hash__ = object.__hash__

    def __setitem__(self, index: Any, value: Any) -> None:
        mend = "build a new one, for example with tg.where(mask, a, b)"
        raise complaint(TypeError, f"a tensor is never changed in place: {mend}")

    T: Tensor
    mT: Tensor
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = _attached
    __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = __pow__ = __rpow__ = __matmul__ = __rmatmul__ = _attached
    __lt__ = __le__ = __gt__ = __ge__ = __getitem__ = _attached
    __and__ = __rand__ = __or__ = __ror__ = __xor__ = __rxor__ = _attached
    __eq__ = __ne__ = _attached  # type: ignore[assignment]  # an array of booleans, as NumPy's
    __neg__ = __pos__ = __abs__ = __invert__ = __array_ufunc__ = __array_function__ = _attached
    __iter__: Callable[[], Iterator[Tensor]]
    sum = mean = prod = max = min = var = std = any = all = argmax = argmin = argsort = cumsum = cumprod = _attached
    reshape = transpose = swapaxes = squeeze = ravel = flatten = repeat = take = diagonal = trace = _attached
    copy = astype = clip = round = dot = _attached


def name(tensor: Tensor, label: str) -> Tensor:
    """Give a tensor the name that tables, diagrams and equations call it by; returns the tensor."""
    tensor.name = label
    recorder = current_mode().recorder
    if recorder is not None:
        recorder.rename(tensor, label)
    return tensor


def _restore(kind: Any, array: np.ndarray, requires_grad: bool, grad: Any, name: str | None, writeable: bool) -> Tensor:
    tensor = kind.__new__(kind)
    Tensor.__init__(tensor, array, requires_grad, name=name)
    tensor.grad = grad
    tensor.data.flags.writeable = writeable
    return tensor


# -- around the loop of reverse.py -------------------------------------------------------------------

_ADDING = Lock()
"""Held while a gradient is added to a `.grad`, so that several threads may run backward at once."""


def gradients(
    output: Tensor, nodes: Sequence[Node], gradient: Any = None, create_graph: bool = False, partial: bool = False
) -> list[Tensor | None]:
    """∂output/∂node for each of `nodes`, None for one that the output does not depend on; no `.grad` changes.

    partial: stop at these nodes. ∂output/∂a then leaves out what goes through b, if b was computed from a.
    """
    start = seed(output, gradient)
    wanted, found = dict.fromkeys(nodes), dict[Node, Tensor]()

    def arrive(node: Node, g: Any) -> Any:
        if node in wanted:
            found[node] = _handed_out(g)
        return None if partial and node in wanted else g

    assert output.node is not None
    between = _leading_to(wanted, ancestors(output.node, wanted if partial else ()))
    if between:
        differentiate(between, start, arrive, create_graph)
    return [found.get(node) for node in nodes]


def _leading_to(wanted: Collection[Node], nodes: Sequence[Node]) -> list[Node]:
    """Those of `nodes`, which are latest first, that a wanted one leads to."""
    reached = set(wanted)
    for y in reversed(nodes):
        if any(x in reached for x in y.inputs):
            reached.add(y)
    return [y for y in nodes if y in reached]


def differentiate(
    nodes: Sequence[Node],
    gradient: Any,
    arrive: Callable[[Node, Any], Any],
    create_graph: bool = False,
    gradients: Gradients | None = None,
) -> None:
    """Run `backpropagate` from the gradient of the first node, in the mode that is on, with hooks.

    The rules run on arrays; they run on tensors if the gradients are to be differentiated again or a recorder listens.
    An infinite slope, √ at 0, gives no warning.

    gradients  where contributions are added up; tracing/record.py passes one that also tells its recorder of them
    """
    now = current_mode()
    on_tensors = create_graph or now.recorder is not None
    if any(node.hooks for node in nodes):
        arrive = _hooked(arrive)
    if gradients is None and now.anomaly:
        gradients = watched = Watched(arrive)
        arrive = watched.arrive  # it notes whose rules run next, and calls the one it was given
    gradients = Gradients() if gradients is None else gradients
    gradients[nodes[0]] = _as(gradient, on_tensors)
    inside = mode(gradients=create_graph, anomaly=False) if on_tensors or now.anomaly else nullcontext()
    with np.errstate(all="ignore"), inside:
        backpropagate(nodes, gradients, arrive, _lifted if on_tensors else None)


def seed(output: Tensor, gradient: Any) -> Any:
    """The gradient of the output that a backward pass starts with, checked; 1 for a single number."""
    node = output.node
    if node is None:
        raise complaint(
            GradientError,
            "backward from a constant: nothing that led to it needs a gradient, or an operation without a derivative "
            "lies between (sign, >), or no_grad was on",
        )
    if gradient is not None:
        return _given(gradient, node, "backward: gradient")
    if output.size != 1 and not output.is_leaf:
        raise complaint(
            GradientError, f"backward from shape {node.shape} needs a gradient of that shape, or sum() first"
        )
    return np.ones(node.shape, node.dtype)


def _given(gradient: Any, node: Node, what: str) -> Tensor:
    """A gradient that a user gave for `node`, in its dtype."""
    given = gradient if isinstance(gradient, Tensor) else Tensor(gradient, dtype=node.dtype)
    if given.shape != node.shape:
        raise complaint(ShapeError, f"{what} of shape {given.shape} for a tensor of shape {node.shape}")
    return given if given.dtype == node.dtype else given.astype(node.dtype)


def _as(g: Any, on_tensors: bool) -> Any:
    if on_tensors:
        return g if isinstance(g, Tensor) else Tensor.result(np.asarray(g))
    return g.data if isinstance(g, Tensor) else g


def _handed_out(g: Any) -> Tensor:
    """A gradient for the user: a tensor of its own, or a writable array that nothing else holds."""
    if isinstance(g, Tensor):
        return Tensor.result(g.data, g.node)
    array = np.array(g)
    tensor = Tensor.result(array)
    array.flags.writeable = True
    return tensor


def _hooked(arrive: Callable[[Node, Any], Any]) -> Callable[[Node, Any], Any]:
    """The same, after the node's hooks have seen the gradient and perhaps replaced it."""

    def after_hooks(node: Node, g: Any) -> Any:
        on_tensors = isinstance(g, Tensor)
        for hook in list(node.hooks or ()):
            replaced = hook(g if on_tensors else _handed_out(g))
            if replaced is not None:
                g = _as(_given(replaced, node, "a hook gave a gradient"), on_tensors)
        return arrive(node, g)

    return after_hooks


def _lifted(y: Node) -> Any:
    """y for rules that run on tensors: its result and inputs are tensors at their places in the graph."""
    values = [_at_its_place(v, x) for v, x in zip(y.values, y.inputs, strict=True)]
    result = None if y.result is None else Tensor.result(y.result, y)
    return SimpleNamespace(
        operation=y.operation, rules=y.rules, attributes=y.attributes, inputs=y.inputs, values=values, result=result
    )


def _at_its_place(value: Any, node: Node | None) -> Any:
    if not isinstance(value, np.ndarray):
        return value
    return Tensor.result(value.view() if value.flags.writeable else value, node)  # a user's own array stays writeable
