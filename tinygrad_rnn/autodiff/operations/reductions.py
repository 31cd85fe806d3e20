"""Nonlinear operations that reduce axes: `axis` is None (all), a number or several, negative from the end."""

import numpy as np

from ..operation import operation
from .linear import number_reduced, spread


def _deviation(x, axis):
    return x - np.mean(x, axis=axis, keepdims=True)


def _var(x, /, axis=None, ddof=0, keepdims=False):
    """Variance over `axis`: squared deviations from the mean, divided by (number of elements − ddof)."""
    return np.var(x, axis=axis, ddof=ddof, keepdims=keepdims)


def _var_rule(g, _y, x, axis, ddof, keepdims):
    return spread(g, x, axis, keepdims) * (_deviation(x, axis) * 2 / (number_reduced(x, axis) - ddof))


var = operation("var", _var, _var_rule)


def _std(x, /, axis=None, ddof=0, keepdims=False):
    """Standard deviation over `axis`: √var. Where all elements are equal its gradient is 0."""
    return np.std(x, axis=axis, ddof=ddof, keepdims=keepdims)


def _std_rule(g, y, x, axis, ddof, keepdims):
    y = spread(y, x, axis, keepdims)
    # not y == 0: rounding may leave a little
    constant = x.size == 0 or np.max(x, axis=axis, keepdims=True) == np.min(x, axis=axis, keepdims=True)
    slope = np.where(constant, 0, _deviation(x, axis) / np.where(constant, 1, y))
    return spread(g, x, axis, keepdims) * (slope / (number_reduced(x, axis) - ddof))


std = operation("std", _std, _std_rule)


def _norm(x, /, axis=None, keepdims=False):
    """Euclidean norm √Σx² over `axis`. Its gradient at 0 is 0."""
    return np.sqrt(np.sum(x * x, axis=axis, keepdims=keepdims))


def _norm_rule(g, y, x, axis, keepdims):
    y = spread(y, x, axis, keepdims)
    return spread(g, x, axis, keepdims) * np.where(y == 0, 0, x / np.where(y == 0, 1, y))


norm = operation("norm", _norm, _norm_rule, glyph="‖·‖", latex=r"\lVert\cdot\rVert")


def _extreme_rule(g, y, x, axis, keepdims):
    """Elements that tie for the extreme share the gradient equally."""
    ties = x == spread(y, x, axis, keepdims)
    return spread(g, x, axis, keepdims) * (ties / np.sum(ties, axis=axis, keepdims=True))


def _max(x, /, axis=None, keepdims=False):
    """Largest element over `axis`; elements that tie share the gradient equally."""
    return np.max(x, axis=axis, keepdims=keepdims)


def _min(x, /, axis=None, keepdims=False):
    """Smallest element over `axis`; elements that tie share the gradient equally."""
    return np.min(x, axis=axis, keepdims=keepdims)


max = operation("max", _max, _extreme_rule, latex=r"\max")
min = operation("min", _min, _extreme_rule, latex=r"\min")


def _prod(x, /, axis=None, keepdims=False):
    """Product over `axis`; the gradient is exact however many elements are zero."""
    return np.prod(x, axis=axis, keepdims=keepdims)


def _prod_rule(g, _y, x, axis, keepdims):
    return spread(g, x, axis, keepdims) * _product_of_others(x, axis)


def _product_of_others(x, axis):
    """For each element the product of all others along `axis`, written without dividing by it.

    Lay out n copies of the n elements, write 1 on the diagonal, multiply along the last axis.
    """
    axes = tuple(range(x.ndim)) if axis is None or not x.ndim else axis if isinstance(axis, tuple) else (axis,)
    axes = tuple(i % x.ndim for i in axes)
    kept = tuple(i for i in range(x.ndim) if i not in axes)
    order = kept + axes
    last = np.reshape(np.transpose(x, order), (*(x.shape[i] for i in kept), number_reduced(x, axes)))
    copies = np.where(np.eye(last.shape[-1], dtype=bool), 1, np.expand_dims(last, -2))
    others = np.prod(copies, axis=-1)
    return np.transpose(np.reshape(others, tuple(x.shape[i] for i in order)), tuple(np.argsort(order)))


prod = operation("prod", _prod, _prod_rule, glyph="Π", latex=r"\prod")


def _argmax(x, /, axis=None):
    """Index of the (first) largest element: an integer, a constant."""
    return np.argmax(x, axis=axis)


argmax = operation("argmax", _argmax)
