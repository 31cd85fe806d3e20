"""Are the gradients right? Compare them with central finite differences.

With L₁ = ⟨w, f⟩ for random weights w, and Lₖ₊₁ = ⟨∇Lₖ, vₖ⟩ for random directions vₖ, order k compares ∇Lₖ:

    k = 1   ∂L₁/∂xᵢ ≈ (L₁(x + h eᵢ) − L₁(x − h eᵢ)) / 2h      for each element i
    k ≥ 2   ∇Lₖ ≈ (∇Lₖ₋₁(x + h v) − ∇Lₖ₋₁(x − h v)) / 2h      all elements at once, because ∇Lₖ = (∇²Lₖ₋₁) v

The error is of order h² from the series and of order ε/h from rounding: h = ∛ε balances them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any

import numpy as np

from .mode import mode
from .operations import sum as total
from .tensor import Tensor
from .transforms import grad

STEP = float(np.finfo(np.float64).eps ** (1 / 3))

Arrays = list[np.ndarray]


class GradientMismatch(AssertionError):
    """An analytic derivative differs from the numeric one; says where by how much."""


@mode(gradients=False)  # nobody follows the slopes, so that the last derivative of each is taken on plain arrays
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
    numeric = _each_element(function, x, weights)
    slope = grad(lambda x: total(function(*x) * weights))
    _compare(1, slope(x), numeric, relative, absolute)
    for k in range(2, order + 1):
        v = [rng.uniform(-1, 1, a.shape) for a in x]
        numeric = _difference(slope, x, v)
        slope = grad(_along(slope, v))  # takes the derivatives before the last on tensors, so that both ways are tested
        _compare(k, slope(x), numeric, relative, absolute)


def _along(slope: Callable[..., Any], v: Arrays) -> Callable[..., Any]:
    """⟨∇Lₖ, v⟩ as a function of x."""
    return lambda x: sum(total(g * d) for g, d in zip(slope(x), v, strict=True))


def _difference(function: Callable[..., Any], x: Arrays, v: Arrays) -> Arrays:
    """(function(x + h v) − function(x − h v)) / 2h, for a function of several arrays that returns several."""
    h = STEP * max([float(abs(a[d != 0]).max(initial=1)) for a, d in zip(x, v, strict=True)], default=1)
    ahead, behind = (function([a + s * d for a, d in zip(x, v, strict=True)]) for s in (h, -h))
    return [(np.asarray(a) - np.asarray(b)) / (2 * h) for a, b in zip(ahead, behind, strict=True)]


def _each_element(function: Callable[..., Tensor], x: Arrays, weights: np.ndarray) -> Arrays:
    """∂L₁/∂xᵢ for each element i, in arrays of the shapes of x."""

    def slope(k: int, i: tuple[int, ...]) -> float:
        unit = [np.zeros(a.shape) for a in x]
        unit[k][i] = 1
        [change] = _difference(lambda x: [_value(function, x)], x, unit)
        return np.sum(weights * change)

    return [np.reshape([slope(k, i) for i in np.ndindex(a.shape)], a.shape) for k, a in enumerate(x)]


def _compare(order: int, analytic: Sequence[Any], numeric: Arrays, relative: float, absolute: float) -> None:
    elements = []
    for k, (a, n) in enumerate(zip(map(np.asarray, analytic), numeric, strict=True)):
        with np.errstate(invalid="ignore"):
            excess = abs(a - n) / (relative * np.maximum(abs(a), abs(n)) + absolute)
        excess = np.where(np.isfinite(excess), excess, np.inf)  # what is not finite cannot be compared
        elements += [(e, k, i, float(a[i]), float(n[i])) for i, e in np.ndenumerate(excess)]
    worst, k, i, here, there = max(elements, key=itemgetter(0), default=(0, 0, (), 0, 0))
    if worst > 1:
        place = f"order {order}, argument {k}, element {list(i)}"
        difference = f"analytic {here:.9g}, numeric {there:.9g}, difference {here - there:.2g}"
        raise GradientMismatch(f"{place}: {difference}")


def _value(function: Callable[..., Tensor], x: Arrays) -> np.ndarray:
    result = function(*map(Tensor, x))
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
