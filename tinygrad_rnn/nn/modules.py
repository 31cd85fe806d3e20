"""Modules: objects whose attributes are parameters, and modules again.

A module is plain Python. Its parameters are found by looking through its attributes, lists, tuples and dicts
in the order they were set, so nothing has to be registered and no constructor of a base class has to be called.
It keeps no state: what a network remembers from step to step it takes as an argument and returns, and whether
it is being trained is said by what it is given (an `rng` to drop units with, or none).

    class Elman(Module):
        def __init__(self, inputs, hidden, *, rng):
            rng = np.random.default_rng(rng)  # one stream, so that U and W differ
            self.U = Parameter(glorot_uniform((hidden, inputs), rng=rng))
            self.W = Parameter(orthogonal((hidden, hidden), rng=rng))
            self.b = Parameter(zeros(hidden))

        def __call__(self, x, h):
            return tanh(x @ self.U.T + h @ self.W.T + self.b)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from ..autodiff.operations import dropout, embedding
from ..autodiff.tensor import Tensor
from .identity import IdentityKey
from .initialisers import glorot_uniform, normal, zeros


class Parameter(Tensor):
    """A tensor to be learned: a leaf that needs a gradient. ``Parameter(array)`` copies.

    Raises TypeError for what is not floating point. ``p.requires_grad = False`` freezes it: it stays a
    parameter, with its name and its place in the state, and gets no gradient.
    """

    __slots__ = ()

    def __init__(self, data: Any, dtype: Any = None):
        super().__init__(data, requires_grad=True, dtype=dtype)


class Module:
    """Something with parameters. A subclass sets attributes in `__init__` and computes in `__call__` (or `forward`)."""

    def __call__(self, *args: Any, **keywords: Any) -> Any:
        forward = getattr(self, "forward", None)
        if forward is None:
            raise TypeError(f"{type(self).__name__} computes nothing: define __call__ (or forward)")
        return forward(*args, **keywords)

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """Each parameter once, in the order of definition, with its path: ``("layers.0.W", parameter)``.

        A parameter that is shared between places has the name of the first.
        """
        return ((path, value) for path, value in _walk(self) if isinstance(value, Parameter))

    def parameters(self) -> list[Parameter]:
        return [parameter for _, parameter in self.named_parameters()]

    def named_modules(self) -> Iterator[tuple[str, Module]]:
        """This module, under the name "", and each within it once, in the order of definition."""
        return ((path, value) for path, value in _walk(self) if isinstance(value, Module))

    def state_dict(self) -> dict[str, np.ndarray]:
        """A copy of every parameter's array, by name.

        Raises ValueError if two parameters go by one name, as ``{"a.b": p}`` and ``{"a": {"b": q}}`` would.
        """
        return {name: np.array(parameter.data) for name, parameter in self._by_name().items()}

    def load_state_dict(self, state: Mapping[str, np.ndarray]) -> None:
        """Set every parameter to a copy of the array of its name.

        Raises one ValueError that lists all that is missing, unexpected, or of another shape or dtype; then
        nothing has changed.
        """
        parameters = self._by_name()
        check_state(state, {name: parameter.data for name, parameter in parameters.items()})
        for name, parameter in parameters.items():
            array = np.array(state[name])
            array.setflags(write=False)
            parameter.data = array

    def _by_name(self) -> dict[str, Parameter]:
        found: dict[str, Parameter] = {}
        for name, parameter in self.named_parameters():
            if name in found:
                raise ValueError(f"two parameters are called {name}: rename the attribute or the key of one")
            found[name] = parameter
        return found

    def __repr__(self) -> str:
        """The tree of modules and parameters, with shapes."""
        depth: dict[str, int] = {}
        lines = []
        for path, value in _walk(self):
            if not isinstance(value, (Module, Parameter)):
                continue
            owner = path.rpartition(".")[0]
            while owner not in depth and owner:  # "layers", a list, has no line of its own
                owner = owner.rpartition(".")[0]
            indent = depth.get(owner, -1) + 1
            label = path.removeprefix(owner + ".")
            if isinstance(value, Module):
                depth[path] = indent
                text = _headline(value)
            else:
                text = f"{value.shape} {value.dtype}{'' if value.requires_grad else ', frozen'}"
            lines.append(f"{'    ' * indent}{label}: {text}" if path else text)
        return "\n".join(lines)


def called(function: Any) -> Any:
    """What a call of `function` runs, and whose arguments it has: of a module without a `__call__` its `forward`."""
    is_forward = isinstance(function, Module) and type(function).__call__ is Module.__call__
    return getattr(function, "forward", function) if is_forward else function


def _headline(module: Module) -> str:
    """``Dropout(p=0.5)``: the class, and what attributes it has that are plain values."""
    settings = {k: v for k, v in vars(module).items() if isinstance(v, (bool, int, float, str))}
    return f"{type(module).__name__}({', '.join(f'{k}={v!r}' for k, v in settings.items())})"


_CONTAINERS = Module, list, tuple, dict


def _walk(root: Module) -> Iterator[tuple[str, Any]]:
    """Every parameter, module and container that can be reached from `root`, each once, with its path."""
    pending: list[tuple[str, Any]] = [("", root)]
    seen: set[IdentityKey[Any]] = set()
    while pending:
        path, value = pending.pop()
        if IdentityKey(value) in seen:
            continue
        seen.add(IdentityKey(value))
        yield path, value
        inner = [
            (f"{path}.{key}" if path else str(key), child)
            for key, child in _items(value)
            if isinstance(child, (Parameter, *_CONTAINERS))
        ]
        pending += reversed(inner)  # the last one added is the next one visited


def _items(value: Any) -> Any:
    match value:
        case Module():
            return vars(value).items()
        case dict():
            return value.items()
        case list() | tuple():
            return enumerate(value)
    return ()


def check_state(state: Mapping[str, Any], wanted: Mapping[str, np.ndarray]) -> None:
    """Raise one ValueError, of one line, that lists every difference in names, shapes and dtypes."""
    missing = [name for name in wanted if name not in state]
    unexpected = [name for name in state if name not in wanted]
    other = [
        f"{name} is {_kind(state[name])}, not {_kind(array)}"
        for name, array in wanted.items()
        if name in state and _kind(state[name]) != _kind(array)
    ]
    problems = [f"missing {', '.join(missing)}"] if missing else []
    problems += [f"unexpected {', '.join(unexpected)}"] if unexpected else []
    if problems or other:
        raise ValueError(f"the state does not fit: {'; '.join(problems + other)}")


def _kind(value: Any) -> str:
    return f"{value.shape} {value.dtype}" if isinstance(value, np.ndarray) else f"a {type(value).__name__}"


# -- layers ----------------------------------------------------------------------------------------


class Linear(Module):
    """x Wᵀ + b: an affine map of every row.  x (..., inputs) → (..., outputs)

    weight  (outputs, inputs), starts as `glorot_uniform`
    bias    (outputs,), starts at 0; None without
    """

    def __init__(self, inputs: int, outputs: int, *, bias: bool = True, rng: Any, dtype: Any = np.float64):
        self.weight = Parameter(glorot_uniform((outputs, inputs), rng=rng, dtype=dtype))
        self.bias = Parameter(zeros(outputs, dtype=dtype)) if bias else None

    def __call__(self, x: Any) -> Tensor:
        if self.bias is None:
            return x @ self.weight.T
        return x @ self.weight.T + self.bias


class Embedding(Module):
    """A learned vector for each of `number` symbols.  indices (...) → (..., width)

    weight  (number, width), starts as N(0, 1)

    Calling raises TypeError if the indices are not integers, IndexError if one is not in [0, number).
    """

    def __init__(self, number: int, width: int, *, rng: Any, dtype: Any = np.float64):
        self.weight = Parameter(normal((number, width), rng=rng, dtype=dtype))

    def __call__(self, indices: Any) -> Tensor:
        return embedding(self.weight, indices)


class Dropout(Module):
    """In training each element is 0 with probability p, else scaled by 1/(1 − p) (Srivastava et al. 2014).

    ``dropout(x, rng)`` trains; ``dropout(x)`` evaluates, and is x itself. A Generator drops other elements at
    every call, a seed always the same. Raises ValueError unless 0 ≤ p < 1.
    """

    def __init__(self, p: float):
        if not 0 <= p < 1:
            raise ValueError(f"Dropout: p is a probability in [0, 1), not {p}")
        self.p = p

    def __call__(self, x: Any, rng: Any = None) -> Any:
        return x if rng is None else dropout(x, self.p, rng)
