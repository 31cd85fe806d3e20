"""Nonlinear operations that reduce axes: `axis` is None (all), a number or several, negative from the end."""

import math
from typing import Any

import numpy as np

from ..errors import complaint
from ..operation import operation
from ..tensor import Tensor
from .elementwise import absolute, isclose, where
from .linear import axes_of, number_reduced, ravel, reducing, spread
from .linear import sum as total


def _moment(function):
    """The forward function of a variance: NumPy's, with these three of its options."""
    return lambda x, /, axis=None, ddof=0, keepdims=False: function(x, axis, ddof=ddof, keepdims=keepdims)


def _deviation(x, axis):
    return x - np.mean(x, axis=axis, keepdims=True)


def _var_rule(g, _y, x, axis, ddof, keepdims):
    return spread(g, x, axis, keepdims) * (_deviation(x, axis) * 2 / (number_reduced(x, axis) - ddof))


def _std_rule(g, y, x, axis, ddof, keepdims):
    y = spread(y, x, axis, keepdims)
    # not y == 0: rounding may leave a little
    constant = x.size == 0 or np.max(x, axis=axis, keepdims=True) == np.min(x, axis=axis, keepdims=True)
    slope = np.where(constant, 0, _deviation(x, axis) / np.where(constant, 1, y))
    return spread(g, x, axis, keepdims) * (slope / (number_reduced(x, axis) - ddof))


_var = operation("var", _moment(np.var), _var_rule)
_std = operation("std", _moment(np.std), _std_rule)


def var(x: Any, axis: Any = None, ddof: Any = 0, keepdims: Any = False, *, correction: Any = None) -> Tensor:
    """Variance over `axis`: squared deviations from the mean, divided by (number of elements − ddof)."""
    return _var(x, axis, ddof if correction is None else correction, keepdims)


def std(x: Any, axis: Any = None, ddof: Any = 0, keepdims: Any = False, *, correction: Any = None) -> Tensor:
    """Standard deviation over `axis`: √var. Where all elements are equal its gradient is 0."""
    return _std(x, axis, ddof if correction is None else correction, keepdims)


def _extreme_rule(g, y, x, axis, keepdims):
    """Elements that tie for the extreme share the gradient equally."""
    ties = x == spread(y, x, axis, keepdims)
    return spread(g, x, axis, keepdims) * (ties / np.sum(ties, axis=axis, keepdims=True))


max = operation(
    "max", reducing(np.max), _extreme_rule, latex=r"\max", doc="Largest element over `axis`; ties share the gradient."
)
min = operation(
    "min", reducing(np.min), _extreme_rule, latex=r"\min", doc="Smallest element over `axis`; ties share the gradient."
)


def _product_of_others(x, axis):
    """For each element the product of all others along `axis`: of those before it and of those after it."""
    axes = tuple(i % x.ndim for i in axes_of(x.ndim, axis))
    kept = tuple(i for i in range(x.ndim) if i not in axes)
    order = kept + axes
    last = np.reshape(np.transpose(x, order), (*(x.shape[i] for i in kept), number_reduced(x, axes)))
    others = _product_of_earlier(last) * np.flip(_product_of_earlier(np.flip(last, -1)), -1)
    return np.transpose(np.reshape(others, tuple(x.shape[i] for i in order)), tuple(np.argsort(order)))


def _product_of_earlier(x):
    """For each element the product of those before it along the last axis; of none it is 1."""
    return np.cumprod(np.concatenate([np.ones_like(x[..., :1]), x[..., :-1]], -1), -1)


prod = operation(
    "prod",
    reducing(np.prod),
    lambda g, _y, x, axis, keepdims: spread(g, x, axis, keepdims) * _product_of_others(x, axis),
    "Π",
    r"\prod",
    doc="Product over `axis`; the gradient is exact however many elements are zero.",
)


def _cumprod_rule(g, y, x, axis):
    """∂L/∂xᵢ = yᵢ₋₁ sᵢ with sᵢ = gᵢ + xᵢ₊₁ sᵢ₊₁: nothing is divided by x, which may be 0."""
    g, y, x = (np.moveaxis(a, axis, 0) for a in (g, y, x))
    s = [g[-1:]]
    for i in range(len(x) - 1, 0, -1):
        s.append(g[i - 1 : i] + x[i : i + 1] * s[-1])
    before = np.concatenate([np.ones_like(y[:1]), y[:-1]])
    return np.moveaxis(before * np.concatenate(s[::-1]), 0, axis)


_running = operation("cumprod", lambda a, /, axis: np.cumprod(a, axis), _cumprod_rule)
cumprod = lambda a, axis=None: _running(ravel(a), 0) if axis is None else _running(a, axis)


def _norm_rule(g, y, x, axis, keepdims):
    y = spread(y, x, axis, keepdims)
    return spread(g, x, axis, keepdims) * np.where(y == 0, 0, x / np.where(y == 0, 1, y))


_euclidean = operation(
    "norm",
    lambda x, /, axis=None, keepdims=False: np.sqrt(np.sum(x * x, axis=axis, keepdims=keepdims)),
    _norm_rule,
    "‖·‖",
    r"\lVert\cdot\rVert",
    doc="Euclidean norm √Σx² over `axis`. Its gradient at 0 is 0.",
)


def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: Any = False) -> Tensor:
    """np.linalg.norm; of a matrix with ord None, "fro", ±1 and ±inf: the others need its singular values."""
    axes = axes_of(np.ndim(x), axis)
    if ord is None or (ord == "fro" and len(axes) == 2):
        return _euclidean(x, axis, keepdims)
    if len(axes) == 1:
        return vector_norm(x, axis, keepdims, ord)
    if len(axes) != 2 or ord not in (1, -1, math.inf, -math.inf):
        raise complaint(TypeError, f"norm: no rule for ord={ord!r} over {len(axes)} axes: use vector_norm or ord='fro'")
    return (max if ord > 0 else min)(total(absolute(x), axes[0 if abs(ord) == 1 else 1], keepdims=True), axes, keepdims)


def vector_norm(x: Any, axis: Any = None, keepdims: Any = False, ord: Any = 2) -> Tensor:
    """(Σ|x|ᵖ)^(1/p) with p = `ord` > 0, max |x| and min |x| for ±inf. Its gradient at 0 is 0."""
    if ord == 2:
        return _euclidean(x, axis, keepdims)
    if ord in (math.inf, -math.inf):
        return (max if ord > 0 else min)(absolute(x), axis, keepdims)
    if isinstance(ord, str) or not ord > 0:
        raise complaint(TypeError, f"vector_norm: ord is a positive number or ±inf, not {ord!r}")
    return _power(total(_power(absolute(x), ord), axis, keepdims), 1 / ord)


def _power(x, p):
    """xᵖ for x ≥ 0; its slope at 0 is 0."""
    return where(x == 0, 0, where(x == 0, 1, x) ** p)


# -- constants -------------------------------------------------------------------------------------

argmax = operation("argmax", reducing(np.argmax))
argmin = operation("argmin", reducing(np.argmin))
any = operation("any", reducing(np.any))
all = operation("all", reducing(np.all))
allclose = lambda a, b, rtol=1e-5, atol=1e-8, equal_nan=False: bool(all(isclose(a, b, rtol, atol, equal_nan)))
_numbers = lambda a: a.numbers() if isinstance(a, Tensor) else a
array_equal = lambda a1, a2, equal_nan=False: np.array_equal(_numbers(a1), _numbers(a2), equal_nan)
