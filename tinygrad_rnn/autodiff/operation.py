"""One operation is one entry: how to compute it, and the derivative with respect to each input.

    tanh = operation("tanh", np.tanh, lambda g, y, _x: g * (1 - y * y))

The rule gets g = ∂L/∂y (the gradient of the result), y and the inputs, and returns ∂L/∂x. It is written
in NumPy and runs on plain arrays in the ordinary backward pass. When the backward pass itself is to be
differentiated or recorded the same rule runs on tensors, because NumPy's functions on tensors are tensors.

An argument whose name begins with an underscore may come without its numbers, only with shape, ndim and dtype: what no
rule of the operation asks for is not kept in memory until the backward pass.

What is the same for every operation is done once, in `Operation.apply` and in `reverse.py`, and
never in a rule: summing a gradient over broadcast axes, keeping the dtype, accumulating, skipping inputs
that need no gradient.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any, overload

import numpy as np

from .anomaly import watch
from .errors import operation_error
from .mode import current_mode
from .reverse import Node
from .sites import here
from .tensor import Tensor

Rule = Callable[..., Any]
_NO_ATTRIBUTES: dict[str, Any] = {}
OPERATIONS: dict[str, Operation] = {}
"""Every operation of the engine by name, in the order of definition."""


class Operation:
    """A differentiable function of arrays: call it with arrays to get an array, with a tensor to get a tensor.

    Inputs are the arguments of `forward` before the slash, ``lambda x, /, axis: …`` (any number if it takes `*inputs`);
    all other arguments are attributes: constants such as `axis`, handed on to the rules by name.

    forward     computes the result from plain arrays
    derivative  one rule for each input, ``rule(g, y, *inputs, **attributes)``; None: constant in that input
    glyph       how a diagram and an error message write it; latex: the same in LaTeX
    joint       instead of `derivative`, for any number of inputs: ``joint(g, y, inputs, needs, **attributes)``
                gives, one after another, the gradients of those for which needs[i] says that it is wanted

    Making one enters it in `OPERATIONS`. Raises ValueError if the name is taken, TypeError for a rule that does not
    take its arguments.
    """

    def __init__(
        self,
        name: str,
        forward: Callable[..., Any],
        derivative: Rule | tuple[Rule | None, ...] | None = None,
        glyph: str | None = None,
        latex: str | None = None,
        *,
        joint: Rule | None = None,
        doc: str | None = None,
    ):
        if name in OPERATIONS:
            raise ValueError(f"operation {name!r} exists already: choose another name")
        self.name = self.__name__ = name
        self.forward = forward
        self.derivative = derivative if derivative is None or isinstance(derivative, tuple) else (derivative,)
        self.joint = joint
        self.differentiable = bool(derivative or joint)
        self.glyph = glyph or name
        self.latex = latex or (rf"\operatorname{{{name}}}" if self.glyph.isidentifier() else self.glyph)
        self.__doc__ = doc or inspect.getdoc(forward) or name
        self.arity, self.variadic, self.defaults = _signature(forward)
        if not (self.arity or self.variadic):
            raise TypeError(f"operation {name!r}: forward has no inputs before a slash: write lambda x, /: …")
        self.keeps_result, self.forgets = _kept([r for r in (self.derivative or ()) if r], joint, self.arity)
        OPERATIONS[name] = self

    def __repr__(self) -> str:
        return f"<operation {self.name}>"

    def __reduce__(self) -> Any:
        return _by_name, (self.name,)

    @overload
    def __call__(self, tensor: Tensor, /, *inputs: Any, **attributes: Any) -> Tensor: ...
    @overload
    def __call__(self, *inputs: Any, **attributes: Any) -> Any: ...

    def __call__(self, *inputs: Any, **attributes: Any) -> Any:
        if attributes or self.defaults or len(inputs) != self.arity:
            inputs, attributes = self._bind(inputs, attributes)
        return self.apply(inputs, attributes or _NO_ATTRIBUTES)  # one empty dict serves all nodes without attributes

    def apply(self, inputs: Sequence[Any], attributes: dict[str, Any] = _NO_ATTRIBUTES) -> Any:
        """The same for inputs and attributes that are complete: an attribute for each name in `defaults`."""
        arrays: list[Any] = []
        nodes: list[Node | None] = []
        plain = True
        for x in inputs:
            if isinstance(x, Tensor):
                plain = False
                arrays.append(x._array)
                nodes.append(x.node)
            else:
                arrays.append(x if type(x) is np.ndarray else self._constant(x))
                nodes.append(None)
        try:
            array = self.forward(*arrays, **attributes)
        except Exception as error:
            if (recorder := current_mode().recorder) is not None:
                recorder.fail(self, inputs, attributes)
            raise operation_error(error, self.name, self.glyph, inputs, attributes) from error
        if plain:
            return array
        if type(array) is not np.ndarray:
            array = self._plain_array(array)
        elif array is arrays[0]:
            array = array.view()  # an array of its own: to make it read-only must not change the input
        if array.dtype.kind not in "fiub":  # floating point, integers, unsigned, booleans
            kind = "complex numbers" if array.dtype.kind == "c" else f"arrays of {array.dtype}"
            raise TypeError(f"{self.name}: {kind} are not supported   {here()}")
        mode = current_mode()
        node = None
        if mode.gradients and self.differentiable and any(nodes):
            for i in range(len(arrays)) if self.forgets is None else self.forgets:
                if nodes[i] is not None:
                    arrays[i] = nodes[i]
            node = Node(self, attributes, nodes, arrays, array if self.keeps_result else None, array)
        out = Tensor.result(array, node)
        if mode.anomaly:
            watch(self.name, array, node, arrays)
        if mode.recorder is not None:
            mode.recorder.add(out, self, inputs, attributes)
        return out

    def _bind(self, inputs: tuple, attributes: dict) -> tuple[tuple, dict]:
        """Attributes given by position get their names; those not given their defaults."""
        if len(inputs) != self.arity and not self.variadic:
            named = dict(zip(self.defaults, inputs[self.arity :], strict=False))
            if len(inputs) != self.arity + len(named) or named.keys() & attributes.keys():
                raise self._misused()
            inputs, attributes = inputs[: self.arity], named | attributes
        if not attributes.keys() <= self.defaults.keys():
            raise self._misused()
        if len(attributes) < len(self.defaults):
            attributes = self.defaults | attributes
        for name, value in attributes.items():
            if value is inspect.Parameter.empty:
                raise TypeError(f"{self.name} needs {name}   {here()}")
            if isinstance(value, Tensor):
                raise TypeError(f"{self.name}: {name} is a constant of the operation, not a tensor   {here()}")
        return inputs, attributes

    def _misused(self) -> TypeError:
        inputs = "any number of inputs" if self.variadic else f"{self.arity} input{'s' * (self.arity != 1)}"
        options = f" and {', '.join(self.defaults)}" if self.defaults else ""
        return TypeError(f"{self.name} takes {inputs}{options}   {here()}")

    def _constant(self, x: Any) -> Any:
        """An input that is neither tensor nor array: a list becomes an array, another framework's array is refused."""
        if isinstance(x, (list, tuple)):
            return np.asarray(x)
        if hasattr(x, "__array__") and not isinstance(x, (np.generic, np.ndarray)):
            kind = f"{type(x).__module__}.{type(x).__qualname__}"
            mend = "x.numpy()" if kind.startswith("torch.") else "np.asarray(x)"
            raise TypeError(f"{self.name}: a {kind} would be a constant, without its gradient: use {mend}   {here()}")
        return x

    def _plain_array(self, result: Any) -> np.ndarray:
        """NumPy gives a scalar for a 0-d result; a subclass (masked array, matrix) would lose its meaning here."""
        if isinstance(result, np.ndarray):
            kind = type(result).__name__
            raise TypeError(f"{self.name}: {kind} is not supported: pass a plain array   {here()}")
        return np.asarray(result)


operation = Operation
"""An entry of the table reads ``tanh = operation("tanh", …)``."""


def _by_name(name: str) -> Operation:
    return OPERATIONS[name]


def _signature(forward: Callable[..., Any]) -> tuple[int, bool, dict[str, Any]]:
    """(number of named inputs, whether any number may follow, defaults of the attributes) of a forward function."""
    if isinstance(forward, np.ufunc):
        return forward.nin, False, {}
    parameters = inspect.signature(forward).parameters.values()
    kinds = [p.kind for p in parameters]
    attributes = [p for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    return (
        kinds.count(inspect.Parameter.POSITIONAL_ONLY),
        inspect.Parameter.VAR_POSITIONAL in kinds,
        {p.name: p.default for p in attributes},
    )


def _kept(rules: list[Rule], joint: Rule | None, arity: int) -> tuple[bool, list[int] | None]:
    """(keeps_result, forgets), read off the names of the rules' arguments.

    keeps_result  whether any rule uses the numbers of the result
    forgets       the inputs whose numbers no rule uses; None: all inputs, however many there are
    """
    if joint is not None:
        y, inputs, *_ = _names(joint, 2)
        return not y.startswith("_"), None if inputs.startswith("_") else []
    names = [_names(rule, 1 + arity) for rule in rules]
    unused = [i for i in range(arity) if all(name[1 + i].startswith("_") for name in names)]
    return any(not name[0].startswith("_") for name in names), unused


def _names(rule: Rule, number: int) -> list[str]:
    """What a rule calls the first `number` arguments after g; ``*rest`` is the name of all that it takes."""
    parameters = list(inspect.signature(rule).parameters.values())[1:]
    names = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    rest = [p.name for p in parameters if p.kind is p.VAR_POSITIONAL]
    names += rest * (number - len(names))
    if len(names) < number:
        raise TypeError(f"a derivative rule takes g, y and each input: {1 + number} arguments by position")
    return names
