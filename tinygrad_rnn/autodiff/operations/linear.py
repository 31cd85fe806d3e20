"""Operations that are linear in each input: rearranging, reading parts, summing, multiplying matrices.

The derivative of a linear operation is its transpose: it sends each gradient back to where the element came from.
"""

import math
import warnings
from itertools import pairwise
from typing import Any

import numpy as np

from ..errors import ShapeError, complaint
from ..operation import Operation, operation
from ..sites import here
from ..tensor import Tensor

# -- shapes and axes -------------------------------------------------------------------------------


def array_of(x):
    """The values of a tensor, or of anything that NumPy can make an array of."""
    return x.data if isinstance(x, Tensor) else np.asarray(x)


def shape_of(x):
    """np.shape, without the detour that NumPy takes for a tensor."""
    return x.shape if isinstance(x, (Tensor, np.ndarray)) else np.shape(x)


def in_range(integers, number):
    """Whether all of them are in [0, number). The place of the smallest is found faster than its value."""
    if not integers.size:
        return True
    return integers.item(integers.argmin()) >= 0 and integers.item(integers.argmax()) < number


def axes_of(ndim, axis):
    """The axes that `axis` names, as a tuple: None names all, a number one. Negative numbers stay negative."""
    return tuple(range(ndim)) if axis is None or not ndim else axis if isinstance(axis, (tuple, list)) else (axis,)


def axes_before(name, x, axis):
    """An index that takes all of the axes before `axis`; ShapeError if x has no such axis."""
    shape = shape_of(x)
    if not -len(shape) <= axis < len(shape):
        raise complaint(ShapeError, f"{name}: shape {shape} has no axis {axis}")
    return (slice(None),) * (axis % len(shape))


# -- the same elements in another shape or order ---------------------------------------------------


def _reshaping(name, forward, doc) -> Operation:
    """An operation that keeps the elements and their order."""
    return operation(name, forward, lambda g, _y, _x, **_options: np.reshape(g, _x.shape), doc=doc)


def own_transpose(name, forward, doc=None) -> Operation:
    """An operation that is its own transpose: the gradient goes through the operation itself."""
    return operation(name, forward, lambda g, _y, _x, **options: forward(g, **options), doc=doc)


reshape = _reshaping(
    "reshape", lambda x, /, shape: np.reshape(x, shape), "The same elements in another shape; one length may be −1."
)
squeeze = _reshaping(
    "squeeze", lambda x, /, axis=None: np.squeeze(x, axis), "x without its axes of length 1, or without those named."
)
expand_dims = _reshaping(
    "expand_dims", lambda x, /, axis: np.expand_dims(x, axis), "x with new axes of length 1 at `axis`."
)
swapaxes = own_transpose(
    "swapaxes", lambda x, /, axis1, axis2: np.swapaxes(x, axis1, axis2), "x with two axes exchanged."
)
flip = own_transpose(
    "flip", lambda x, /, axis=None: np.flip(x, axis), "x in reverse order along `axis` (None: along all)."
)
broadcast_to = operation(
    "broadcast_to",
    lambda x, /, shape: np.broadcast_to(x, shape),
    lambda g, _y, _x, shape: g,  # the engine sums it over the broadcast axes
    doc="x repeated to `shape`.",
)


def ravel(x: Any) -> Tensor:
    """x as one row of elements."""
    return reshape(x, -1)


def _transpose_rule(g, _y, _x, axes):
    if axes is None:
        return g.transpose()
    return np.transpose(g, tuple(np.argsort([i % g.ndim for i in axes_of(g.ndim, axes)])))


transpose = operation(
    "transpose",
    lambda x, /, axes=None: x.transpose(axes),
    _transpose_rule,
    "ᵀ",
    r"^\top",
    doc="Axes in another order; all reversed when `axes` is None.",
)

# -- putting together ------------------------------------------------------------------------------


def _concatenate_rule(g, _y, _pieces, needs, axis):
    before, end = axes_before("concatenate", g, axis), 0
    for piece, needed in zip(_pieces, needs, strict=True):
        start, end = end, end + piece.shape[axis]
        if needed:
            yield g[(*before, slice(start, end))]


_concatenated = operation(
    "concatenate", lambda *pieces, axis=0: np.concatenate(pieces, axis=axis), None, "[;]", joint=_concatenate_rule
)


def concatenate(pieces: Any, axis: Any = 0) -> Tensor:
    """Pieces one after another along `axis`; they agree in all other axes. With axis None, all their elements."""
    if axis is None:
        return _concatenated(*(ravel(piece) for piece in pieces), axis=0)
    return _concatenated(*pieces, axis=axis)


def _stack_rule(g, _y, _pieces, needs, axis):
    before = axes_before("stack", g, axis)
    return (g[(*before, i)] for i, needed in enumerate(needs) if needed)


_stacked = operation("stack", lambda *pieces, axis=0: np.stack(pieces, axis=axis), None, "[,]", joint=_stack_rule)


def stack(pieces: Any, axis: Any = 0) -> Tensor:
    """Pieces of one shape side by side along a new axis."""
    return _stacked(*pieces, axis=axis)


# -- reading parts ---------------------------------------------------------------------------------


class _Input:
    """Stands in an index for the next tensor: an index that is computed is an input, not a constant."""

    def __repr__(self) -> str:
        return "tensor"


INPUT = _Input()


def _filled(index, tensors):
    """The index with each `INPUT` replaced by the tensor that it stands for."""
    tensors = iter(tensors)
    return tuple(next(tensors) if part is INPUT else part for part in index)


def _add_at(total, g, index):
    """total[index] += g; an element that was read several times gets the sum."""
    arrays = [part for part in index if isinstance(part, np.ndarray)]
    if not arrays or all(part.dtype == bool for part in arrays):  # no element was read twice
        total[index] += g
    elif len(index) == 1:
        _add_rows(total, np.asarray(index[0]), g)
    else:
        np.add.at(total, index, g)


def _add_rows(total, rows, g):
    """total[rows] += g. Sorted by row, the terms of each are neighbours that one `reduceat` sums."""
    if rows.size:
        rows = rows.ravel().astype(int) % len(total)
        order = np.argsort(rows, kind="stable")
        rows = rows[order]
        starts = np.flatnonzero(np.r_[True, rows[1:] != rows[:-1]])
        terms = np.reshape(g, (rows.size, *total.shape[1:]))[order]
        total[rows[starts]] += np.add.reduceat(terms, starts)


def _getitem_rule(g, _y, _x, *tensors, index):
    """g at the index and 0 elsewhere: on arrays a function that adds g there, so that no zeros are written."""
    if isinstance(g, Tensor):
        return scatter(g, *tensors, index=index, shape=_x.shape)
    return lambda total: _add_at(total, g, _filled(index, tensors) if tensors else index)


def _scatter(g, /, *tensors, index, shape):
    """Zeros of `shape` with g added at `index`: the transpose of getitem."""
    total = np.zeros(shape, np.asarray(g).dtype)
    _add_at(total, g, _filled(index, tensors))
    return total


_read: Operation = operation(
    "getitem",
    lambda x, /, *tensors, index: x[_filled(index, tensors) if tensors else index],
    _getitem_rule,
    "[ ]",
)
scatter: Operation = operation(
    "scatter", _scatter, lambda g, _y, _x, *tensors, index, shape: _read(g, *tensors, index=index), "[ ]ᵀ"
)


def getitem(x: Any, index: Any) -> Tensor:
    """x[index], every form of NumPy's indexing.

    A repeated index adds up in the gradient. An index that is a tensor is an input of the operation, so a
    recorded graph can be replayed with other indices.
    """
    index = index if isinstance(index, tuple) else (index,)
    if all(type(part) is slice or type(part) is int for part in index):
        return _read.apply((x,), {"index": index})
    parts, tensors = [], []
    for part in index:
        if isinstance(part, np.integer):
            part = int(part)
        if isinstance(part, (list, np.ndarray, bool, np.bool)):
            # a copy, which nobody else can change before the backward pass; [] are no integers
            part = np.array(part, dtype=int if isinstance(part, list) and not part else None)
        if isinstance(part, (np.ndarray, Tensor)) and part.dtype.kind not in "iub":
            raise complaint(IndexError, f"getitem: an index must be integers or booleans, not {part.dtype}")
        if isinstance(part, Tensor):
            tensors.append(part)
        parts.append(INPUT if isinstance(part, Tensor) else part)
    return _read.apply((x, *tensors), {"index": tuple(parts)})


def take(x: Any, indices: Any, axis: Any = None) -> Tensor:
    """Elements (or slices along `axis`) of x at integer `indices`."""
    if axis is None:
        return getitem(np.reshape(x, -1), indices)
    return getitem(x, (*axes_before("take", x, axis), indices))


def embedding(weight: Any, indices: Any) -> Tensor:
    """Rows of `weight` (number, width) at integer `indices` of any shape: the result is (*indices.shape, width).

    Raises TypeError if the indices are not integers, IndexError if one is not in [0, number).
    """
    values = array_of(indices)
    if values.dtype.kind not in "iu":
        raise complaint(TypeError, f"embedding: indices must be integers, not {values.dtype}")
    number = len(weight)
    if not in_range(values, number):
        raise complaint(IndexError, f"embedding: indices {values.min()}…{values.max()} are not all in [0, {number})")
    return getitem(weight, indices if isinstance(indices, Tensor) else values)


def unbind(x: Any, axis: Any = 0) -> list[Tensor]:
    """The slices of x along `axis`, as a list."""
    if not (shape := shape_of(x)):
        raise complaint(TypeError, "unbind: a 0-d tensor has no axis to iterate over")
    before = axes_before("unbind", x, axis)
    return [_read.apply((x,), {"index": (*before, i)}) for i in range(shape[axis])]


def split(x: Any, indices_or_sections: Any, axis: Any = 0) -> list[Tensor]:
    """Consecutive pieces of x along `axis`, as a list.

    A number makes that many pieces of equal length (ValueError if they cannot be equal); several numbers
    are the places to cut at, as in np.split.
    """
    before, length = axes_before("split", x, axis), shape_of(x)[axis]
    if isinstance(indices_or_sections, (int, np.integer)):
        number = int(indices_or_sections)
        if number < 1 or length % number:
            raise complaint(ShapeError, f"split: length {length} is not {number} equal pieces")
        cuts = [length // number * i for i in range(number + 1)]
    else:
        cuts = [0, *np.asarray(indices_or_sections, dtype=int).tolist(), length]
    return [_read.apply((x,), {"index": (*before, slice(a, b))}) for a, b in pairwise(cuts)]


# -- sums: `axis` is None (all), a number or several, negative from the end ------------------------


def spread(v, x, axis, keepdims):
    """Put the axes that a reduction of x removed back, with length 1, so that v broadcasts against x."""
    return v if axis is None or keepdims or not x.ndim else np.expand_dims(v, axis)


def number_reduced(x, axis):
    """How many elements are reduced into one."""
    return math.prod(x.shape[i] for i in axes_of(x.ndim, axis))


def reducing(function):
    """The forward function of a reduction: NumPy's, with these two of its options."""
    return lambda x, /, axis=None, keepdims=False: function(x, axis=axis, keepdims=keepdims)


sum = operation(
    "sum",
    reducing(np.add.reduce),
    lambda g, _y, _x, axis, keepdims: np.broadcast_to(spread(g, _x, axis, keepdims), _x.shape),
    "Σ",
    r"\sum",
    doc="Sum over `axis`.",
)


def _mean(x, /, axis=None, keepdims=False):
    """Arithmetic mean over `axis`. The mean of no elements is NaN, with a RuntimeWarning."""
    if np.size(x) == 0 and number_reduced(x, axis) == 0:
        message = f"mean of no elements: shape {x.shape}, axis {axis}: NaN   {here()}"
        warnings.warn(message, RuntimeWarning, stacklevel=3)
        return np.sum(x, axis=axis, keepdims=keepdims) * np.nan
    return np.mean(x, axis=axis, keepdims=keepdims)


def _mean_rule(g, _y, _x, axis, keepdims):
    return np.broadcast_to(spread(g, _x, axis, keepdims) / number_reduced(_x, axis), _x.shape)


mean = operation("mean", _mean, _mean_rule)
_cumsum_along = operation(
    "cumsum",
    lambda x, /, axis: np.cumsum(x, axis=axis),
    lambda g, _y, _x, axis: np.flip(np.cumsum(np.flip(g, axis), axis=axis), axis),
)


def cumsum(x: Any, axis: Any = None) -> Tensor:
    """Running sum along `axis`; with axis None over the flattened elements."""
    return _cumsum_along(np.reshape(x, -1), axis=0) if axis is None else _cumsum_along(x, axis=axis)


# -- products of matrices --------------------------------------------------------------------------


def _matmul(a, b, /):
    """a @ b: vectors, matrices and stacks of matrices, as in NumPy."""
    return np.asarray(_product(a, b), order="C")  # arithmetic between arrays of different memory orders is slow


def _product(a, b):
    """a @ b. A wide result of a transposed matrix, ``h @ W.T``, is (bᵀ aᵀ)ᵀ: BLAS is up to twice as fast at it."""
    matrices = type(a) is type(b) is np.ndarray and a.ndim == b.ndim == 2
    wide = matrices and len(a) < b.shape[1] and (a.flags.fnc or b.flags.fnc)
    return (b.T @ a.T).T if wide else a @ b


def _mT(x):
    return x.T if x.ndim == 2 else np.swapaxes(x, -1, -2)


def _left_rule(g, _y, _a, b):
    """∂L/∂a = g bᵀ"""
    if b.ndim == 1:
        return np.expand_dims(g, -1) * b
    if _a.ndim == 1:
        return np.squeeze(np.expand_dims(g, -2) @ _mT(b), -2)
    return g @ _mT(b)


def _right_rule(g, _y, a, _b):
    """∂L/∂b = aᵀ g"""
    if a.ndim == 1:
        return np.expand_dims(g, -2) * np.expand_dims(a, -1) if _b.ndim > 1 else g * a
    if _b.ndim == 1:
        return np.squeeze(_mT(a) @ np.expand_dims(g, -1), -1)
    return _product(_mT(a), g)


matmul = operation("matmul", _matmul, (_left_rule, _right_rule), "@", r"\,")
