"""Reading parts of an array, and its transpose: scattering a gradient back to where it was read."""

import numpy as np

from ..errors import ShapeError, complaint
from ..operation import Operation, operation
from ..tensor import Tensor


class _Input:
    """Stands in an index for the next tensor: an index that is computed is an input, not a constant."""

    def __repr__(self) -> str:
        return "tensor"


_INPUT = _Input()


def _filled(index, tensors):
    tensors = iter(tensors)
    return tuple(next(tensors) if part is _INPUT else part for part in index)


def _add_at(buffer, g, _x, *tensors, index):
    """buffer[index] += g, counting repeated elements as often as they were read."""
    if tensors:
        index = _filled(index, tensors)
    arrays = [part for part in index if isinstance(part, np.ndarray)]
    if not arrays and np.ndim(g):
        view = buffer[index]
        view += g
    elif all(part.dtype == bool for part in arrays):  # one number, or masks: no element is read twice
        buffer[index] += g
    elif len(index) == 1:
        _add_rows(buffer, np.asarray(index[0]), g)
    else:
        np.add.at(buffer, index, g)


def _add_rows(buffer, rows, g):
    """buffer[rows] += g. Sorted by row, the terms of each are neighbours that one `reduceat` sums."""
    if rows.size:
        rows = rows.ravel().astype(int) % len(buffer)
        order = np.argsort(rows, kind="stable")
        rows = rows[order]
        starts = np.flatnonzero(np.r_[True, rows[1:] != rows[:-1]])
        terms = np.reshape(g, (rows.size, *buffer.shape[1:]))[order]
        buffer[rows[starts]] += np.add.reduceat(terms, starts)


def _getitem(x, /, *tensors, index):
    return x[_filled(index, tensors) if tensors else index]


def _scatter(g, /, *tensors, index, shape):
    buffer = np.zeros(shape, np.asarray(g).dtype)
    _add_at(buffer, g, None, *tensors, index=index)
    return buffer


_read: Operation = operation(
    "getitem",
    _getitem,
    lambda g, _y, _x, *tensors, index: scatter(g, *tensors, index=index, shape=_x.shape),
    accumulate=_add_at,
    glyph="[ ]",
)
scatter: Operation = operation(
    "scatter",
    _scatter,
    lambda g, _y, _x, *tensors, index, shape: _read(g, *tensors, index=index),
    glyph="[ ]ᵀ",
    doc="Zeros of `shape` with g added at `index`: the transpose of getitem.",
)


def getitem(x, index):
    """x[index], every form of NumPy's indexing.

    A repeated index adds up in the gradient. An index that is a tensor is an input of the operation, so a
    recorded graph can be replayed with other indices.
    """
    index = index if isinstance(index, tuple) else (index,)
    index = tuple(_own(part) if isinstance(part, (list, np.ndarray, bool, np.bool)) else part for part in index)
    tensors = [part for part in index if isinstance(part, Tensor)]
    for part in index:
        if isinstance(part, (np.ndarray, Tensor)) and part.dtype.kind not in "iub":
            raise complaint(IndexError, f"getitem: an index must be integers or booleans, not {part.dtype}")
    return _read(x, *tensors, index=tuple(_INPUT if isinstance(part, Tensor) else part for part in index))


def _own(part):
    """An array of an index that nobody else can change before the backward pass; [] are no integers."""
    return np.array(part, dtype=int if isinstance(part, list) and not part else None)


def _before(name, x, axis):
    """An index that leaves the axes before `axis` as they are."""
    ndim = len(_shape(x))
    if not -ndim <= axis < ndim:
        raise complaint(ShapeError, f"{name}: shape {_shape(x)} has no axis {axis}")
    return (slice(None),) * (axis % ndim)


def _shape(x):
    return x.shape if isinstance(x, (Tensor, np.ndarray)) else np.shape(x)


def take(x, indices, axis=None):
    """Elements (or slices along `axis`) of x at integer `indices`."""
    if axis is None:
        return getitem(np.reshape(x, -1), indices)
    return getitem(x, (*_before("take", x, axis), indices))


def embedding(weight, indices):
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


def unbind(x, axis=0):
    """The slices of x along `axis`, as a list."""
    if not _shape(x):
        raise complaint(TypeError, "unbind: a 0-d tensor has no axis to iterate over")
    before = _before("unbind", x, axis)
    return [_read(x, index=(*before, i)) for i in range(_shape(x)[axis])]


def split(x, indices_or_sections, axis=0):
    """Consecutive pieces of x along `axis`, as a list.

    A number makes that many pieces of equal length (ValueError if they cannot be equal); several numbers
    are the places to cut at, as in np.split.
    """
    before = _before("split", x, axis)
    length = _shape(x)[axis]
    if isinstance(indices_or_sections, (int, np.integer)):
        if indices_or_sections < 1 or length % indices_or_sections:
            raise complaint(ShapeError, f"split: length {length} is not {indices_or_sections} equal pieces")
        step = length // indices_or_sections
        cuts = [step * i for i in range(1, indices_or_sections)]
    else:
        cuts = np.asarray(indices_or_sections, dtype=int).tolist()
    return [_read(x, index=(*before, slice(a, b))) for a, b in zip([0, *cuts], [*cuts, length], strict=True)]
