"""Are the gradients right? Compare them with central finite differences.

With L₁ = ⟨w, f⟩ for random weights w, and Lₖ₊₁ = ⟨∇Lₖ, vₖ⟩ for random directions vₖ, order k compares ∇Lₖ:

    k = 1   ∂L₁/∂xᵢ ≈ (L₁(x + h eᵢ) − L₁(x − h eᵢ)) / 2h      for each element i
    k ≥ 2   ∇Lₖ ≈ (∇Lₖ₋₁(x + h v) − ∇Lₖ₋₁(x − h v)) / 2h      all elements at once, because ∇Lₖ = (∇²Lₖ₋₁) v

The error is of order h² from the series and of order ε/h from rounding: h = ∛ε balances them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .mode import mode
from .operations import sum as total
from .tensor import Tensor, gradients

STEP = float(np.finfo(np.float64).eps ** (1 / 3))

Arrays = list[np.ndarray]


class GradientMismatch(AssertionError):
    """An analytic derivative differs from the numeric one; says where by how much."""


def check_gradients(
    function: Callable[..., Tensor],
    *args: Any,
    order: int = 2,
    relative: float = 1e-6,
    absolute: float = 1e-7,
    rng: Any = 0,
) -> None:
    """Compare the derivatives of ``function(*args)``, up to `order`, with finite differences.

    function  takes tensors and returns one, of any shape; what else it needs it captures
    args      float64 arrays, tensors or Python floats, away from kinks and from the border of the domain
    relative, absolute
              how far an element may be off: ``relative · its size + absolute``
    rng       seed or Generator for the random weights and directions

    Raises GradientMismatch (an AssertionError) that names the worst element, TypeError for an argument or a
    result that is not float64, ValueError for an order below 1 or a function that is not deterministic.
    """
    if order < 1:
        raise ValueError(f"check_gradients: order is at least 1, not {order}")
    rng = np.random.default_rng(rng)
    x = [_float64(a, i) for i, a in enumerate(args)]
    value = _value(function, x)
    if not np.array_equal(value, _value(function, x), equal_nan=True):
        raise ValueError("check_gradients: two calls gave different values: the function must be deterministic")
    weights = rng.uniform(0.5, 1.5, value.shape)
    directions = [[rng.uniform(-1, 1, a.shape) for a in x] for _ in range(order - 1)]

    _compare(_slope(function, x, weights, []), _each_element(function, x, weights), 1, relative, absolute)
    for k in range(2, order + 1):
        *before, v = directions[: k - 1]
        analytic = _slope(function, x, weights, [*before, v])
        h = STEP * max([float(abs(a).max(initial=1)) for a in x], default=1)
        ahead, behind = (
            _slope(function, [a + s * d for a, d in zip(x, v, strict=True)], weights, before) for s in (h, -h)
        )
        _compare(analytic, [(a - b) / (2 * h) for a, b in zip(ahead, behind, strict=True)], k, relative, absolute)


def _slope(function: Callable[..., Tensor], x: Arrays, weights: np.ndarray, directions: Sequence[Arrays]) -> Arrays:
    """∇Lₖ at x, for k − 1 directions. Only the last derivative is taken on plain arrays: both ways are tested."""
    variables = [Tensor(a, requires_grad=True) for a in x]
    nodes = [t.node for t in variables if t.node is not None]
    with mode(gradients=True):
        level = total(function(*variables) * weights)
        for v in directions:
            slopes = gradients(level, nodes, create_graph=True) if level.requires_grad else []
            level = Tensor(0.0)
            for g, d in zip(slopes, v, strict=False):
                level = level if g is None else level + total(g * d)
        found = gradients(level, nodes) if level.requires_grad else [None] * len(x)
    return [np.zeros(a.shape) if g is None else g.data for g, a in zip(found, x, strict=True)]


def _each_element(function: Callable[..., Tensor], x: Arrays, weights: np.ndarray) -> Arrays:
    slopes = [np.empty(a.shape) for a in x]
    for a, slope in zip(x, slopes, strict=True):
        for i in np.ndindex(a.shape):
            middle = float(a[i])
            h = STEP * max(1, abs(middle))
            a[i] = middle + h
            ahead = _value(function, x)
            a[i] = middle - h
            behind = _value(function, x)
            a[i] = middle
            slope[i] = np.sum(weights * ((ahead - behind) / (2 * h)))
    return slopes


def _compare(analytic: Arrays, numeric: Arrays, order: int, relative: float, absolute: float) -> None:
    worst, place = 1.0, None
    for k, (a, n) in enumerate(zip(analytic, numeric, strict=True)):
        with np.errstate(invalid="ignore"):
            excess = abs(a - n) / (relative * np.maximum(abs(a), abs(n)) + absolute)
        excess = np.where(np.isfinite(excess), excess, np.inf)  # what is not finite cannot be compared
        if excess.size and excess.max() > worst:
            worst = float(excess.max())
            place = k, tuple(int(i) for i in np.unravel_index(excess.argmax(), a.shape))
    if place is not None:
        k, i = place
        here, there = float(analytic[k][i]), float(numeric[k][i])
        raise GradientMismatch(
            f"order {order}, argument {k}, element {list(i)}: "
            f"analytic {here:.9g}, numeric {there:.9g}, difference {here - there:.2g}"
        )


def _value(function: Callable[..., Tensor], x: Arrays) -> np.ndarray:
    with mode(gradients=False):
        result = function(*(Tensor(a) for a in x))
    if not isinstance(result, Tensor):
        raise TypeError(f"check_gradients: the function must return a tensor, not {type(result).__name__}")
    if result.dtype != np.float64:
        raise TypeError(f"check_gradients: the function returned {result.dtype}; finite differences need float64")
    return result.data


def _float64(a: Any, position: int) -> np.ndarray:
    array = np.array(a.data if isinstance(a, Tensor) else a)
    if array.dtype != np.float64:
        raise TypeError(
            f"check_gradients: argument {position} is {array.dtype}; finite differences need float64: pass floats, "
            "or capture what is not to be differentiated"
        )
    return array
