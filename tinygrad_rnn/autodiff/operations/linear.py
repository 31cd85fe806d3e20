"""Operations that are linear in each input: rearranging, reading parts, summing, multiplying matrices.

The derivative of a linear operation is its transpose: it sends each gradient back to where the element came from.
"""

import math
import warnings
from typing import Any

import numpy as np

from ..errors import ShapeError, complaint
from ..operation import Operation, operation
from ..sites import here
from ..tensor import Tensor

# -- the same elements in another shape or order ---------------------------------------------------

reshape = operation(
    "reshape",
    lambda x, /, shape: np.reshape(x, shape),
    lambda g, _y, _x, shape: np.reshape(g, _x.shape),
    doc="The same elements in another shape; one length may be −1.",
)


def ravel(x: Any) -> Tensor:
    """x as one row of elements."""
    return reshape(x, -1)


def _transpose(x, /, axes=None):
    """Axes in another order; all reversed when `axes` is None."""
    return x.transpose(axes)


def _transpose_rule(g, _y, _x, axes):
    if axes is None:
        return g.transpose()
    axes = axes if isinstance(axes, (tuple, list)) else (axes,)
    return np.transpose(g, tuple(np.argsort([i % g.ndim for i in axes])))


transpose = operation("transpose", _transpose, _transpose_rule, glyph="ᵀ", latex=r"^\top")
swapaxes = operation(
    "swapaxes",
    lambda x, /, axis1, axis2: np.swapaxes(x, axis1, axis2),
    lambda g, _y, _x, axis1, axis2: np.swapaxes(g, axis1, axis2),
    doc="x with two axes exchanged.",
)
broadcast_to = operation(
    "broadcast_to",
    lambda x, /, shape: np.broadcast_to(x, shape),
    lambda g, _y, _x, shape: g,  # the engine sums it over the broadcast axes
    doc="x repeated to `shape`.",
)
squeeze = operation(
    "squeeze",
    lambda x, /, axis=None: np.squeeze(x, axis),
    lambda g, _y, _x, axis: np.reshape(g, _x.shape),
    doc="x without its axes of length 1, or without those named.",
)
expand_dims = operation(
    "expand_dims",
    lambda x, /, axis: np.expand_dims(x, axis),
    lambda g, _y, _x, axis: np.reshape(g, _x.shape),
    doc="x with new axes of length 1 at `axis`.",
)
flip = operation(
    "flip",
    lambda x, /, axis=None: np.flip(x, axis),
    lambda g, _y, _x, axis: np.flip(g, axis),
    doc="x in reverse order along `axis` (None: along all).",
)

# -- putting together ------------------------------------------------------------------------------


def _concatenate_rule(g, _y, _pieces, needs, axis):
    axis %= g.ndim
    end = 0
    for piece, needed in zip(_pieces, needs, strict=True):
        start, end = end, end + piece.shape[axis]
        if needed:
            yield g[(slice(None),) * axis + (slice(start, end),)]


_concatenated = operation(
    "concatenate",
    lambda *pieces, axis=0: np.concatenate(pieces, axis=axis),
    joint=_concatenate_rule,
    glyph="[;]",
)


def concatenate(pieces: Any, axis: Any = 0) -> Tensor:
    """Pieces one after another along `axis`; they agree in all other axes. With axis None, all their elements."""
    if axis is None:
        return _concatenated(*(ravel(piece) for piece in pieces), axis=0)
    return _concatenated(*pieces, axis=axis)


def _stack_rule(g, _y, _pieces, needs, axis):
    axis %= g.ndim
    return (g[(slice(None),) * axis + (i,)] for i, needed in enumerate(needs) if needed)


_stacked = operation("stack", lambda *pieces, axis=0: np.stack(pieces, axis=axis), joint=_stack_rule, glyph="[,]")


def stack(pieces: Any, axis: Any = 0) -> Tensor:
    """Pieces of one shape side by side along a new axis."""
    return _stacked(*pieces, axis=axis)


# -- reading parts ---------------------------------------------------------------------------------


class _Input:
    """Stands in an index for the next tensor: an index that is computed is an input, not a constant."""

    def __repr__(self) -> str:
        return "tensor"


_INPUT = _Input()


def _filled(index, tensors):
    """The index with each `_INPUT` replaced by the tensor that it stands for."""
    if not tensors:
        return index
    tensors = iter(tensors)
    return tuple(next(tensors) if part is _INPUT else part for part in index)


def _add_at(total, g, index):
    """total[index] += g; an element that was read several times gets the sum."""
    arrays = [part for part in index if isinstance(part, np.ndarray)]
    if not arrays and np.ndim(g):
        view = total[index]
        view += g
    elif all(part.dtype == bool for part in arrays):  # one number, or masks: no element is read twice
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
    return lambda total: _add_at(total, g, _filled(index, tensors))


def _scatter(g, /, *tensors, index, shape):
    """Zeros of `shape` with g added at `index`: the transpose of getitem."""
    total = np.zeros(shape, np.asarray(g).dtype)
    _add_at(total, g, _filled(index, tensors))
    return total


_read: Operation = operation(
    "getitem", lambda x, /, *tensors, index: x[_filled(index, tensors)], _getitem_rule, glyph="[ ]"
)
scatter: Operation = operation(
    "scatter",
    _scatter,
    lambda g, _y, _x, *tensors, index, shape: _read(g, *tensors, index=index),
    glyph="[ ]ᵀ",
)


def getitem(x: Any, index: Any) -> Tensor:
    """x[index], every form of NumPy's indexing.

    A repeated index adds up in the gradient. An index that is a tensor is an input of the operation, so a
    recorded graph can be replayed with other indices.
    """
    index = index if isinstance(index, tuple) else (index,)
    if all(type(part) is slice or type(part) is int for part in index):
        return _read.apply((x,), {"index": index})
    index = tuple(_own(part) if isinstance(part, (list, np.ndarray, bool, np.bool)) else part for part in index)
    tensors = [part for part in index if isinstance(part, Tensor)]
    for part in index:
        if isinstance(part, (np.ndarray, Tensor)) and part.dtype.kind not in "iub":
            raise complaint(IndexError, f"getitem: an index must be integers or booleans, not {part.dtype}")
    index = tuple(_INPUT if isinstance(part, Tensor) else part for part in index)
    return _read.apply((x, *tensors), {"index": index})


def _own(part):
    """An array of an index that nobody else can change before the backward pass; [] are no integers."""
    return np.array(part, dtype=int if isinstance(part, list) and not part else None)


def shape_of(x):
    """np.shape, without the detour that NumPy takes for a tensor."""
    return x.shape if isinstance(x, (Tensor, np.ndarray)) else np.shape(x)


def axes_before(name, x, axis):
    """An index that leaves the axes before `axis` as they are."""
    shape = shape_of(x)
    if not -len(shape) <= axis < len(shape):
        raise complaint(ShapeError, f"{name}: shape {shape} has no axis {axis}")
    return (slice(None),) * (axis % len(shape))


def take(x: Any, indices: Any, axis: Any = None) -> Tensor:
    """Elements (or slices along `axis`) of x at integer `indices`."""
    if axis is None:
        return getitem(np.reshape(x, -1), indices)
    return getitem(x, (*axes_before("take", x, axis), indices))


def embedding(weight: Any, indices: Any) -> Tensor:
    """Rows of `weight` (number, width) at integer `indices` of any shape: the result is (*indices.shape, width).

    Raises TypeError if the indices are not integers, IndexError if one is not in [0, number).
    """
    values = indices.data if isinstance(indices, Tensor) else np.asarray(indices)
    if values.dtype.kind not in "iu":
        raise complaint(TypeError, f"embedding: indices must be integers, not {values.dtype}")
    number = len(weight)
    if values.size and not 0 <= values.min() <= values.max() < number:
        raise complaint(IndexError, f"embedding: indices {values.min()}…{values.max()} are not all in [0, {number})")
    return getitem(weight, indices if isinstance(indices, Tensor) else values)


def unbind(x: Any, axis: Any = 0) -> list[Tensor]:
    """The slices of x along `axis`, as a list."""
    if not shape_of(x):
        raise complaint(TypeError, "unbind: a 0-d tensor has no axis to iterate over")
    before = axes_before("unbind", x, axis)
    return [_read.apply((x,), {"index": (*before, i)}) for i in range(shape_of(x)[axis])]


def split(x: Any, indices_or_sections: Any, axis: Any = 0) -> list[Tensor]:
    """Consecutive pieces of x along `axis`, as a list.

    A number makes that many pieces of equal length (ValueError if they cannot be equal); several numbers
    are the places to cut at, as in np.split.
    """
    before = axes_before("split", x, axis)
    length = shape_of(x)[axis]
    if isinstance(indices_or_sections, (int, np.integer)):
        if indices_or_sections < 1 or length % indices_or_sections:
            raise complaint(ShapeError, f"split: length {length} is not {indices_or_sections} equal pieces")
        step = length // indices_or_sections
        cuts = [step * i for i in range(1, indices_or_sections)]
    else:
        cuts = np.asarray(indices_or_sections, dtype=int).tolist()
    pieces = zip([0, *cuts], [*cuts, length], strict=True)
    return [_read.apply((x,), {"index": (*before, slice(a, b))}) for a, b in pieces]


# -- sums: `axis` is None (all), a number or several, negative from the end ------------------------


def spread(v, x, axis, keepdims):
    """Put the axes that a reduction of x removed back, with length 1, so that v broadcasts against x."""
    return v if axis is None or keepdims or not x.ndim else np.expand_dims(v, axis)


def number_reduced(x, axis):
    """How many elements are reduced into one."""
    axes = range(x.ndim) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    return math.prod(x.shape[i] for i in axes)


sum = operation(
    "sum",
    lambda x, /, axis=None, keepdims=False: np.add.reduce(x, axis=axis, keepdims=keepdims),
    lambda g, _y, _x, axis, keepdims: np.broadcast_to(spread(g, _x, axis, keepdims), _x.shape),
    glyph="Σ",
    latex=r"\sum",
    doc="Sum over `axis`.",
)


def _mean(x, /, axis=None, keepdims=False):
    """Arithmetic mean over `axis`. The mean of no elements is NaN, with a RuntimeWarning."""
    if np.size(x) == 0 and number_reduced(x, axis) == 0:
        warnings.warn(
            f"mean of no elements: shape {x.shape}, axis {axis}: NaN   {here()}", RuntimeWarning, stacklevel=3
        )
        with np.errstate(invalid="ignore"):
            return np.sum(x, axis=axis, keepdims=keepdims) / x.dtype.type(0)
    return np.mean(x, axis=axis, keepdims=keepdims)


mean = operation(
    "mean",
    _mean,
    lambda g, _y, _x, axis, keepdims: np.broadcast_to(
        spread(g, _x, axis, keepdims) / number_reduced(_x, axis), _x.shape
    ),
)
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


matmul = operation(
    "matmul",
    _matmul,
    (_left_rule, _right_rule),
    glyph="@",
    latex=r"\,",
)
