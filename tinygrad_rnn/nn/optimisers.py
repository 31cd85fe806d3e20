"""Optimisers: how a parameter w moves, given its gradient g.

Each is its update equations, `update(w, g, ...) -> new w`; all else is done once, in `Optimiser`. A
parameter gets a new array at every step, because graphs may still hold the old one. The running averages
belong to the optimiser alone and are updated in place.

    optimiser = Adam(model.parameters(), lr=0.001)
    for x, y in batches:
        optimiser.zero_grad()
        loss(model(x), y).backward()
        clip_grad_norm(model.parameters(), 1.0)
        optimiser.step()
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from ..autodiff.anomaly import not_finite
from ..autodiff.errors import GradientError
from ..autodiff.tensor import Tensor
from .modules import check_state

Gradient = tuple[int, Tensor, np.ndarray]
"""A parameter's number, the parameter, and the array of its gradient."""


class Setting:
    """A number in [low, below) that an optimiser is set to; checked whenever it is set, so a schedule is too."""

    def __init__(self, low: float = 0.0, below: float = math.inf):
        self.low, self.below = low, below

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, optimiser: Any, owner: type | None = None) -> Any:
        return self if optimiser is None else optimiser.__dict__[self.name]

    def __set__(self, optimiser: Any, value: float) -> None:
        number = float(value)  # a NumPy scalar would make float64 of float32 weights
        if not self.low <= number < self.below:
            raise ValueError(f"{self.name} must be in [{self.low:g}, {self.below:g}), not {value}")
        optimiser.__dict__[self.name] = number


class Optimiser:
    """What all have in common: `step` applies `update` to every parameter that has a gradient.

    A subclass names its settings, its buffers (arrays like w that start at 0), and defines
    ``update(w, g, t, *buffers)``, which changes the buffers in place and returns the new w;
    t counts the updates of this parameter, from 1.

    Raises ValueError for no parameters, one that comes twice, one that is not a leaf that needs a gradient,
    and a setting out of its range; TypeError for what is not a tensor.
    """

    settings: tuple[str, ...] = ("lr",)
    buffers: tuple[str, ...] = ()
    update: Callable[..., Any]

    lr = Setting()

    def __init__(self, parameters: Iterable[Tensor], **settings: float):
        self.parameters = _tensors(parameters)
        for i, p in enumerate(self.parameters):
            if not (p.is_leaf and p.requires_grad):
                what = "a constant" if p.is_leaf else "a result"
                raise ValueError(f"parameter {i}, of shape {p.shape}, is {what}, not a leaf that needs a gradient")
        for name, value in settings.items():
            setattr(self, name, value)
        self.updates = [0] * len(self.parameters)
        self.state = [tuple(np.zeros(p.shape, p.dtype) for _ in self.buffers) for p in self.parameters]

    def step(self) -> None:
        """Move every parameter that has a gradient.

        Raises GradientError, before anything moved, if a gradient is not of its parameter's shape and dtype.
        """
        for i, p, g in _gradients(self.parameters):
            self.updates[i] += 1
            new = np.asarray(self.update(p.data, g, self.updates[i], *self.state[i]))
            new.setflags(write=False)
            p.data = new

    def zero_grad(self) -> None:
        """Forget the gradients, which otherwise add up from one backward pass to the next."""
        for p in self.parameters:
            p.grad = None

    def state_dict(self) -> dict[str, np.ndarray]:
        """Copies of all that the next step depends on besides weights and gradients: settings, counts, buffers.

        Parameters are numbered: the buffer m of parameter 3 is ``m.3``.
        """
        state = {name: np.array(getattr(self, name)) for name in self.settings}
        state["updates"] = np.array(self.updates)
        for i, arrays in enumerate(self.state):
            state |= {f"{name}.{i}": array.copy() for name, array in zip(self.buffers, arrays, strict=True)}
        return state

    def load_state_dict(self, state: Mapping[str, np.ndarray]) -> None:
        """Go on where another optimiser, of the same class and parameters, was; with its settings (the lr, …).

        Raises one ValueError that lists all that is missing, unexpected, or of another shape or dtype, or
        for a setting out of its range; then nothing has changed.
        """
        check_state(state, self.state_dict())
        loaded = copy.copy(self)
        for name in self.settings:
            setattr(loaded, name, state[name].item())
        loaded.updates = state["updates"].tolist()
        loaded.state = [tuple(state[f"{name}.{i}"].copy() for name in self.buffers) for i in range(len(self.state))]
        vars(self).update(vars(loaded))

    def __repr__(self) -> str:
        settings = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.settings)
        return f"{type(self).__name__}({len(self.parameters)} parameters, {settings})"


class SGD(Optimiser):
    """Gradient descent, with momentum μ (0: none) and weight decay λ.

    g ← g + λ w
    v ← μ v + g
    w ← w − lr v             or, with Nesterov's momentum,   w ← w − lr (g + μ v)

    Polyak 1964; Sutskever, Martens, Dahl & Hinton 2013; Goodfellow et al. 2016, sections 8.3.2 and 8.3.3,
    where v is −lr times the v here. μ is in [0, 1). Raises ValueError for nesterov without momentum.
    """

    settings = ("lr", "momentum", "weight_decay", "nesterov")
    buffers = ("v",)
    momentum = Setting(0, 1)
    weight_decay = Setting()

    def __init__(
        self,
        parameters: Iterable[Tensor],
        lr: float = 0.01,
        momentum: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
    ):
        super().__init__(parameters, lr=lr, momentum=momentum, weight_decay=weight_decay)
        if nesterov and not momentum:
            raise ValueError("nesterov looks ahead along the momentum: give a momentum above 0")
        self.nesterov = bool(nesterov)

    def update(self, w: np.ndarray, g: np.ndarray, t: int, v: np.ndarray) -> np.ndarray:
        μ, λ = self.momentum, self.weight_decay
        if λ:
            g = g + λ * w
        if μ:
            v *= μ
            v += g
            g = g + μ * v if self.nesterov else v
        return w - self.lr * g


class RMSProp(Optimiser):
    """Steps divided by a running root mean square of the gradient; ρ in [0, 1) is how long it remembers.

    r ← ρ r + (1 − ρ) g²
    w ← w − lr g / (√r + ε)

    Tieleman & Hinton 2012, lecture 6e; Goodfellow et al. 2016, algorithm 8.5, where ε stands under the root.
    """

    settings = ("lr", "rho", "eps")
    buffers = ("r",)
    rho = Setting(0, 1)
    eps = Setting()

    def __init__(self, parameters: Iterable[Tensor], lr: float = 0.01, rho: float = 0.99, eps: float = 1e-8):
        super().__init__(parameters, lr=lr, rho=rho, eps=eps)

    def update(self, w: np.ndarray, g: np.ndarray, t: int, r: np.ndarray) -> np.ndarray:
        ρ, ε = self.rho, self.eps
        r *= ρ
        r += (1 - ρ) * g * g
        return w - self.lr * g / (np.sqrt(r) + ε)


class Adam(Optimiser):
    """Running means of the gradient and of its square, both corrected for having started at 0.

    m ← β₁ m + (1 − β₁) g
    v ← β₂ v + (1 − β₂) g²
    m̂ = m / (1 − β₁ᵗ)
    v̂ = v / (1 − β₂ᵗ)
    w ← w − lr m̂ / (√v̂ + ε)

    Kingma & Ba 2015, algorithm 1; Goodfellow et al. 2016, algorithm 8.7. β₁ and β₂ are in [0, 1).
    """

    settings: tuple[str, ...] = ("lr", "beta1", "beta2", "eps")
    buffers = ("m", "v")
    beta1 = Setting(0, 1)
    beta2 = Setting(0, 1)
    eps = Setting()

    def __init__(
        self,
        parameters: Iterable[Tensor],
        lr: float = 0.001,
        beta1: float = 0.9,
        beta2: float = 0.999,
        eps: float = 1e-8,
    ):
        super().__init__(parameters, lr=lr, beta1=beta1, beta2=beta2, eps=eps)

    def update(self, w: np.ndarray, g: np.ndarray, t: int, m: np.ndarray, v: np.ndarray) -> np.ndarray:
        β1, β2, ε = self.beta1, self.beta2, self.eps
        m *= β1
        m += (1 - β1) * g
        v *= β2
        v += (1 - β2) * g * g
        m̂ = m / (1 - β1**t)
        v̂ = v / (1 - β2**t)
        return w - self.lr * m̂ / (np.sqrt(v̂) + ε)


class AdamW(Adam):
    """Adam with weight decay λ that the running means do not see.

    w ← w − lr λ w, then Adam's step.   Loshchilov & Hutter 2019, algorithm 2.
    """

    settings = (*Adam.settings, "weight_decay")
    weight_decay = Setting()

    def __init__(
        self,
        parameters: Iterable[Tensor],
        lr: float = 0.001,
        beta1: float = 0.9,
        beta2: float = 0.999,
        eps: float = 1e-8,
        weight_decay: float = 0.01,
    ):
        super().__init__(parameters, lr, beta1, beta2, eps)
        self.weight_decay = weight_decay

    def update(self, w: np.ndarray, g: np.ndarray, t: int, m: np.ndarray, v: np.ndarray) -> np.ndarray:
        λ = self.weight_decay
        return super().update((1 - self.lr * λ) * w, g, t, m, v)


# -- clipping --------------------------------------------------------------------------------------


def clip_grad_norm(parameters: Iterable[Tensor], max_norm: float) -> float:
    """Scale all gradients by one factor so that their total norm √Σg² is at most `max_norm`; return what it was.

    Pascanu, Mikolov & Bengio 2013, algorithm 1; Goodfellow et al. 2016, section 10.11.1. Clipped gradients are
    new tensors. An infinite `max_norm` only measures. Without any gradient the norm is 0.

    Raises FloatingPointError if the norm is not finite, GradientError if a gradient is not of its parameter's
    shape and dtype, ValueError if `max_norm` is negative or there are no parameters; then nothing has changed.
    """
    if not max_norm >= 0:
        raise ValueError(f"clip_grad_norm: max_norm must be at least 0, not {max_norm}")
    gradients = _gradients(_tensors(parameters))
    norm = _finite_norm(gradients)
    if norm > max_norm:
        for _, p, g in gradients:
            _set_gradient(p, g * (max_norm / norm))
    return norm


def clip_grad_value(parameters: Iterable[Tensor], limit: float) -> float:
    """Clip every element of every gradient to [−limit, limit]; return what the total norm √Σg² was.

    Goodfellow et al. 2016, section 10.11.1. Raises as `clip_grad_norm` does.
    """
    if not limit >= 0:
        raise ValueError(f"clip_grad_value: limit must be at least 0, not {limit}")
    gradients = _gradients(_tensors(parameters))
    norm = _finite_norm(gradients)
    for _, p, g in gradients:
        _set_gradient(p, np.clip(g, -limit, limit))
    return norm


def _finite_norm(gradients: list[Gradient]) -> float:
    norm = _norm([g for _, _, g in gradients])
    if math.isfinite(norm):
        return norm
    for i, p, g in gradients:
        if found := not_finite(g):
            raise FloatingPointError(
                f"the gradient of parameter {i}, of shape {p.shape}, has {found}: detect_anomaly() finds what made it"
            )
    raise FloatingPointError("the norm of the gradients is beyond the range of floating point numbers")


def _norm(arrays: list[np.ndarray]) -> float:
    """√Σa², in units of the largest |a|: the square of 1e-30 is 0 in float32, that of 1e30 is infinite."""
    largest = float(np.max([np.abs(a).max(initial=0) for a in arrays], initial=0))
    if largest == 0 or not math.isfinite(largest):
        return largest
    return largest * math.sqrt(sum(float(np.square(a / largest).sum(dtype=float)) for a in arrays))


def _set_gradient(p: Tensor, array: Any) -> None:
    """Give p a new gradient, with an array that may be written to, as a backward pass does."""
    array = np.asarray(array)
    p.grad = Tensor.result(array)
    array.setflags(write=True)


# -- what is given ---------------------------------------------------------------------------------


def _tensors(parameters: Iterable[Tensor]) -> list[Tensor]:
    tensors = list(parameters)
    if not tensors:
        raise ValueError("no parameters: is the list empty, or an iterator that was used before?")
    first: dict[Tensor, int] = {}
    for i, p in enumerate(tensors):
        if not isinstance(p, Tensor):
            raise TypeError(f"parameter {i} is a {type(p).__name__}, not a tensor")
        if first.setdefault(p, i) != i:
            raise ValueError(f"parameter {i}, of shape {p.shape}, is parameter {first[p]} again")
    return tensors


def _gradients(parameters: list[Tensor]) -> list[Gradient]:
    """Those parameters that have a gradient, with their numbers and the gradients' arrays."""
    found = []
    for i, p in enumerate(parameters):
        g = p.grad
        if g is None:
            continue
        if not isinstance(g, Tensor):
            raise GradientError(f"the gradient of parameter {i} is a {type(g).__name__}, not a tensor")
        if g.shape != p.shape or g.dtype != p.dtype:
            raise GradientError(f"parameter {i} is {p.shape} {p.dtype} and its gradient {g.shape} {g.dtype}")
        found.append((i, p, g.data))
    return found
