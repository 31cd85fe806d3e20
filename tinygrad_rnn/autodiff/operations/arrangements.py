"""Where elements go: repeating, shifting, joining, splitting, sorting; diagonals and triangles."""

import math
from typing import Any

import numpy as np

from ..errors import ShapeError, complaint
from ..operation import operation
from ..tensor import Tensor
from .elementwise import subtract
from .linear import axes_before, concatenate, flip, getitem, own_transpose, ravel, reshape, scatter, split, unbind
from .linear import sum as total


def _copied(name, forward):
    """An operation that only copies elements: run on their positions, `forward` says where each comes from."""

    def rule(g, _y, _x, **attributes):
        size = math.prod(_x.shape)
        origins = np.array(forward(np.arange(size).reshape(_x.shape), **attributes))
        return np.reshape(scatter(g, index=(origins,), shape=(size,)), _x.shape)

    return operation(name, forward, rule)


copy = operation("copy", lambda a, /: np.array(a), lambda g, _y, _a: g)
moveaxis = operation(
    "moveaxis",
    lambda a, /, source, destination: np.moveaxis(a, source, destination),
    lambda g, _y, _a, source, destination: np.moveaxis(g, destination, source),
)
roll = operation(
    "roll",
    lambda a, /, shift, axis=None: np.roll(a, shift, axis),
    lambda g, _y, _a, shift, axis: np.roll(g, np.negative(shift).tolist(), axis),
)
_repeat = _copied("repeat", lambda a, /, repeats, axis: np.repeat(a, repeats, axis))
repeat = lambda a, repeats, axis=None: _repeat(a, np.array(repeats).tolist(), axis)
_tile = _copied("tile", lambda A, /, reps: np.tile(A, reps))
tile = lambda A, reps: _tile(A, np.array(reps).tolist())
tril = own_transpose("tril", lambda m, /, k=0: np.tril(m, k))
triu = own_transpose("triu", lambda m, /, k=0: np.triu(m, k))
diagonal = _copied("diagonal", lambda a, /, offset=0, axis1=0, axis2=1: np.diagonal(a, offset, axis1, axis2))
trace = lambda a, offset=0, axis1=0, axis2=1: total(diagonal(a, offset, axis1, axis2), -1)
_on_diagonal = operation("diag", lambda v, /, k=0: np.diag(v, k), lambda g, _y, _v, k: np.diagonal(g, k))
diag = lambda v, k=0: diagonal(v, k) if np.ndim(v) == 2 else _on_diagonal(v, k)
flipud = lambda m: flip(m, 0)
fliplr = lambda m: flip(m, 1)
_border = _copied("border", lambda array, /, pad_width, mode: np.pad(array, pad_width, mode))


def _pad(x, /, pad_width, constant_values=0):
    """x with constants added at the edges; `pad_width` as in np.pad, but not a dict; mode "constant"."""
    if isinstance(pad_width, dict):
        raise TypeError("pad_width is a number, a pair, or a pair for each axis")
    return np.pad(x, pad_width, constant_values=constant_values)


def _pad_rule(g, _y, _x, pad_width, constant_values):
    starts = np.broadcast_to(pad_width, (g.ndim, 2))[:, 0].astype(int).tolist()
    return g[tuple(slice(start, start + n) for start, n in zip(starts, _x.shape, strict=True))]


_framed = operation("pad", _pad, _pad_rule)


def pad(array: Any, pad_width: Any, mode: Any = "constant", constant_values: Any = 0) -> Tensor:
    """`array` with a border of constants, or of copied elements: mode "edge", "reflect", "symmetric" or "wrap"."""
    if mode == "constant":
        return _framed(array, pad_width, constant_values=constant_values)
    if mode not in ("edge", "reflect", "symmetric", "wrap"):
        raise complaint(ValueError, f"pad: mode is constant, edge, reflect, symmetric or wrap, not {mode!r}")
    return _border(array, pad_width, mode)


def _atleast(ndim, arrays):
    made = [a if np.ndim(a) >= ndim else reshape(a, (1,) * (ndim - np.ndim(a)) + np.shape(a)) for a in arrays]
    return made[0] if len(made) == 1 else tuple(made)


atleast_1d = lambda *arys: _atleast(1, arys)
atleast_2d = lambda *arys: _atleast(2, arys)
vstack = lambda tup: concatenate([atleast_2d(a) for a in tup])
hstack = lambda tup: concatenate(pieces := [atleast_1d(a) for a in tup], min(1, np.ndim(pieces[0]) - 1))
column_stack = lambda tup: concatenate([a if np.ndim(a) > 1 else reshape(a, (-1, 1)) for a in tup], 1)
unstack = lambda x, axis=0: tuple(unbind(x, axis))
hsplit = lambda ary, indices_or_sections: split(ary, indices_or_sections, min(1, np.ndim(ary) - 1))


def array_split(ary: Any, indices_or_sections: Any, axis: Any = 0) -> list[Tensor]:
    """Pieces of `ary` whose lengths may differ by one, the longer first; or cut at the given places."""
    n, axis = indices_or_sections, len(axes_before("array_split", ary, axis))
    if isinstance(n, (int, np.integer)):
        if n < 1:
            raise complaint(ShapeError, f"array_split: {n} pieces: use at least 1")
        each, longer = divmod(np.shape(ary)[axis], n)
        indices_or_sections = [i * each + min(i, longer) for i in range(1, n)]
    return split(ary, indices_or_sections, axis)


def take_along_axis(arr: Any, indices: Any, axis: Any = -1) -> Tensor:
    if axis is None:
        return getitem(ravel(arr), indices)
    axis = len(axes_before("take_along_axis", arr, axis))
    if np.ndim(arr) != np.ndim(indices):
        raise complaint(ShapeError, f"take_along_axis: {np.shape(arr)} needs {np.ndim(arr)}-d indices")
    grid = np.ix_(*map(range, np.shape(arr)))
    return getitem(arr, (*grid[:axis], indices, *grid[axis + 1 :]))


argsort = operation("argsort", lambda a, /, axis=-1, kind=None, stable=None: np.argsort(a, axis, kind, stable=stable))


def sort(a: Any, axis: Any = -1, kind: Any = None, stable: Any = None) -> Tensor:
    """As np.sort. Equal elements keep their order unless `kind` says otherwise: each gets the gradient of its place."""
    stable = True if kind is None and stable is None else stable
    return take_along_axis(a, argsort(a, axis, kind, stable), axis)


def diff(a: Any, n: Any = 1, axis: Any = -1, prepend: Any = None, append: Any = None) -> Tensor:
    before = axes_before("diff", a, axis)
    if n < 0:
        raise complaint(ShapeError, f"diff: n is at least 0, not {n}")
    end = (*np.shape(a)[: len(before)], 1, *np.shape(a)[len(before) + 1 :])
    parts = [x if np.ndim(x) else np.broadcast_to(x, end) for x in (prepend, a, append) if x is not None]
    a = concatenate(parts, axis) if len(parts) > 1 else a
    for _ in range(n):
        a = subtract(getitem(a, (*before, slice(1, None))), getitem(a, (*before, slice(None, -1))))
    return a
