"""Operations that only rearrange elements: each derivative puts them back where they came from."""

import numpy as np

from ..operation import operation

reshape = operation(
    "reshape",
    lambda x, /, shape: np.reshape(x, shape),
    lambda g, _y, _x, shape: np.reshape(g, _x.shape),
    doc="The same elements in another shape; one length may be −1.",
)


def ravel(x):
    """x as one row of elements."""
    return reshape(x, -1)


def _transpose(x, /, axes=None):
    """Axes in another order; all reversed when `axes` is None."""
    return x.transpose(axes)


def _transpose_rule(g, _y, _x, axes):
    return g.transpose() if axes is None else np.transpose(g, tuple(np.argsort([i % g.ndim for i in axes])))


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


def _pad(x, /, pad_width, constant_values=0):
    """x with constants added at the edges; `pad_width` as in np.pad, but not a dict; mode "constant"."""
    if isinstance(pad_width, dict):
        raise TypeError("pad_width is a number, a pair, or a pair for each axis")
    return np.pad(x, pad_width, constant_values=constant_values)


def _pad_rule(g, _y, _x, pad_width, constant_values):
    before = np.broadcast_to(pad_width, (g.ndim, 2))[:, 0]
    return g[tuple(slice(int(start), int(start) + n) for start, n in zip(before, _x.shape, strict=True))]


pad = operation("pad", _pad, _pad_rule)


def _concatenate(*pieces, axis=0):
    return np.concatenate(pieces, axis=axis)


def _concatenate_rule(g, _y, _pieces, needs, axis):
    axis %= g.ndim
    end = 0
    for piece, needed in zip(_pieces, needs, strict=True):
        start, end = end, end + piece.shape[axis]
        if needed:
            yield g[(slice(None),) * axis + (slice(start, end),)]


_joined = operation("concatenate", _concatenate, joint=_concatenate_rule, glyph="[;]")


def concatenate(pieces, axis=0):
    """Pieces one after another along `axis`; they agree in all other axes. With axis None, all their elements."""
    if axis is None:
        return _joined(*(ravel(piece) for piece in pieces), axis=0)
    return _joined(*pieces, axis=axis)


def _stack(*pieces, axis=0):
    return np.stack(pieces, axis=axis)


def _stack_rule(g, _y, _pieces, needs, axis):
    axis %= g.ndim
    return (g[(slice(None),) * axis + (i,)] for i, needed in enumerate(needs) if needed)


_stacked = operation("stack", _stack, joint=_stack_rule, glyph="[,]")


def stack(pieces, axis=0):
    """Pieces of one shape side by side along a new axis."""
    return _stacked(*pieces, axis=axis)
