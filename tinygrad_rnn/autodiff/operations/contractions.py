"""What takes axes together: dot products, norms, running products, tests of all elements."""

import math

import numpy as np

from ..errors import ShapeError, complaint
from ..operation import operation
from ..tensor import Tensor
from . import reductions
from .arrangements import moveaxis
from .elementary import isclose
from .elementwise import absolute, multiply, where
from .products import matmul
from .reductions import max, min
from .reductions import sum as total
from .shapes import expand_dims, ravel, reshape, squeeze

__all__ = [
    "all", "allclose", "any", "argmin", "array_equal", "cumprod", "dot", "inner", "norm", "std", "tensordot", "var",
    "vecdot", "vector_norm",
]  # fmt: skip


def dot(a, b):
    if not (np.ndim(a) and np.ndim(b)):
        return multiply(a, b)
    return matmul(a, b) if np.ndim(b) <= 2 else tensordot(a, b, (-1, -2))


def inner(a, b):
    return tensordot(a, b, (-1, -1)) if np.ndim(a) and np.ndim(b) else multiply(a, b)


def vecdot(x1, x2, axis=-1):
    rows, columns = expand_dims(moveaxis(x1, axis, -1), -2), expand_dims(moveaxis(x2, axis, -1), -1)
    return squeeze(matmul(rows, columns), (-2, -1))


def tensordot(a, b, axes=2):
    """Sum of products over so many last axes of a and first axes of b, or over (axes of a, axes of b)."""
    pair = (range(-axes, 0), range(axes)) if isinstance(axes, (int, np.integer)) else axes
    left, right = (np.ravel(part).astype(int).tolist() for part in pair)
    a, b = moveaxis(a, left, list(range(-len(left), 0))), moveaxis(b, right, list(range(len(right))))
    summed, rows, columns = a.shape[a.ndim - len(left) :], a.shape[: a.ndim - len(left)], b.shape[len(right) :]
    if summed != b.shape[: len(right)]:
        raise complaint(ShapeError, f"tensordot: lengths {summed} ≠ {b.shape[: len(right)]} of the summed axes")
    size = math.prod(summed)
    return reshape(matmul(reshape(a, (math.prod(rows), size)), reshape(b, (size, math.prod(columns)))), rows + columns)


any = operation("any", lambda a, /, axis=None, keepdims=False: np.any(a, axis, keepdims=keepdims))
all = operation("all", lambda a, /, axis=None, keepdims=False: np.all(a, axis, keepdims=keepdims))
argmin = operation("argmin", lambda a, /, axis=None, keepdims=False: np.argmin(a, axis, keepdims=keepdims))
allclose = lambda a, b, rtol=1e-5, atol=1e-8, equal_nan=False: bool(all(isclose(a, b, rtol, atol, equal_nan)))
_plain = lambda x: x.data if isinstance(x, Tensor) else x
array_equal = lambda a1, a2, equal_nan=False: np.array_equal(_plain(a1), _plain(a2), equal_nan)


def var(x, axis=None, ddof=0, keepdims=False, *, correction=None):
    return reductions.var(x, axis, ddof if correction is None else correction, keepdims)


def std(x, axis=None, ddof=0, keepdims=False, *, correction=None):
    return reductions.std(x, axis, ddof if correction is None else correction, keepdims)


def norm(x, ord=None, axis=None, keepdims=False):
    """np.linalg.norm; of a matrix with ord None, "fro", ±1 and ±inf: the others need its singular values."""
    axes = tuple(range(np.ndim(x))) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    if ord is None or (ord == "fro" and len(axes) == 2):
        return reductions.norm(x, axis, keepdims)
    if len(axes) == 1:
        return vector_norm(x, axis, keepdims, ord)
    if len(axes) != 2 or ord not in (1, -1, math.inf, -math.inf):
        raise complaint(TypeError, f"norm: no rule for ord={ord!r} over {len(axes)} axes: use vector_norm or ord='fro'")
    return (max if ord > 0 else min)(total(absolute(x), axes[0 if abs(ord) == 1 else 1], keepdims=True), axes, keepdims)


def vector_norm(x, axis=None, keepdims=False, ord=2):
    """(Σ|x|ᵖ)^(1/p) with p = `ord` > 0, max |x| and min |x| for ±inf. Its gradient at 0 is 0."""
    if ord == 2:
        return reductions.norm(x, axis, keepdims)
    if ord in (math.inf, -math.inf):
        return (max if ord > 0 else min)(absolute(x), axis, keepdims)
    if isinstance(ord, str) or not ord > 0:
        raise complaint(TypeError, f"vector_norm: ord is a positive number or ±inf, not {ord!r}")
    return _power(total(_power(absolute(x), ord), axis, keepdims), 1 / ord)


def _power(x, p):
    """xᵖ for x ≥ 0; its slope at 0 is 0."""
    return where(x == 0, 0, where(x == 0, 1, x) ** p)


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
