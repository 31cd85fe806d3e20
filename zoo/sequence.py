"""What all models over sequences share: the driver that runs a cell, the mask of padding, the loss of a step.

A cell is a pure function of an input and a state,

    y⁽ᵗ⁾, state⁽ᵗ⁾ = cell(x⁽ᵗ⁾, state⁽ᵗ⁻¹⁾)          x (B, inputs), y (B, outputs)

and keeps nothing. A state is a tensor whose rows are the examples of the batch or, where a cell remembers several
things, a NamedTuple of such tensors. ``cell.initial_state(B)`` is what it starts from, as a rule zeros.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn.structure import flatten, flatten_with_paths, rebuild


def run(
    cell: Any, x: Any, state: Any = None, *, lengths: Any = None, reverse: bool = False
) -> tuple[list[tg.Tensor], Any]:
    """Run a cell over a sequence; return its outputs, a list of T in order of time, and its last state.

    x        (T, B, inputs), or a list of T inputs (B, inputs)
    state    where it starts; without, ``cell.initial_state(B)``
    lengths  (B,) whole numbers from 0 to T: how many steps of each sequence count. The rest is padding: whatever stands
             there, even NaN, is not looked at, the output is 0 and the state stays what it was
    reverse  go from the last step to the first; the last state is then that after x⁽¹⁾

    Raises ShapeError for a state or lengths that do not fit, ValueError for a length outside 0…T.
    """
    T, B = len(x), np.shape(x[0])[0] if len(x) else np.shape(x)[1]
    state = _checked_state(cell, state, B)
    counts = within(lengths, T, B)
    y: list[Any] = [None] * T
    for t in reversed(range(T)) if reverse else range(T):
        output, after = cell(choose(counts[t], x[t], 0), state)
        y[t] = choose(counts[t], output, 0)
        state = _choose_each(counts[t], after, state)
    return y, state


def zero(B: int, size: int, dtype: Any = np.float64) -> tg.Tensor:
    """0, (B, size), for a recurrence to start from: a tensor, so that whatever is done to it is recorded."""
    return tg.Tensor(np.zeros((B, size), dtype))


def last(y: Any, lengths: Any = None) -> Any:
    """The output of each sequence's own last step, (B, outputs); y and lengths as of `run`.

    Under lengths it is 0 for a sequence of no steps. Raises ValueError where there are no steps at all.
    """
    if not y:
        raise ValueError("a sequence of no steps has no last output")
    if lengths is None:
        return y[-1]
    ends = (lengths if isinstance(lengths, tg.Tensor) else np.asarray(lengths)).astype(int) - 1
    return tg.stack(y)[ends, np.arange(len(ends))]  # −1, of no steps, is padding if anything is: 0


def within(lengths: Any, T: int, B: int) -> Any:
    """Which steps count, (T, B): step t of a sequence does where t < its length. Without lengths T times None: all do.

    Raises ShapeError unless lengths is (B,), TypeError unless they are integers, ValueError for one outside 0…T.
    """
    if lengths is None:
        return [None] * T
    values = lengths.data if isinstance(lengths, tg.Tensor) else np.asarray(lengths)
    if values.shape != (B,):
        raise tg.ShapeError(f"lengths: {B} sequences need lengths of shape ({B},), not {values.shape}")
    if values.dtype.kind not in "iu":
        raise TypeError(f"lengths: must be integers, not {values.dtype}")
    if B and not 0 <= values.min() <= values.max() <= T:
        raise ValueError(f"lengths: {values.min()}…{values.max()} are not all from 0 to {T}, the steps there are")
    return np.arange(T)[:, None] < (lengths if isinstance(lengths, tg.Tensor) else values)


def choose(counts: Any, a: Any, b: Any) -> Any:
    """The rows of a that count, b for the others, which then get no gradient.  counts (B,) or (T, B), or None: all"""
    if counts is None:
        return a
    return tg.where(np.reshape(counts, np.shape(counts) + (1,) * (np.ndim(a) - np.ndim(counts))), a, b)


def unpadded(x: Any, lengths: Any) -> Any:
    """x (T, B, …) with 0 in the place of padding."""
    return x if lengths is None else choose(within(lengths, *np.shape(x)[:2]), x, 0)


def loss(o: Any, y: Any, counts: Any = None) -> Any:
    """L⁽ᵗ⁾ = −log p(y), the mean over the batch, in nats.  o (B, outputs)

    y       labels (B,), integers:            softmax(o) is the distribution
            bits (B, outputs), booleans:      σ(o) is the probability of each
            numbers (B, outputs):             o is the mean of a Gaussian of variance 1; L is ½ ‖o − y‖², without the
                                              constant
    counts  (B,): a row where this is false is padding, its loss 0 whatever o and y are there
    """
    bits = y.dtype == bool
    o, y = choose(counts, o, 0), choose(counts, y, 0)
    if np.ndim(y) == 1 and counts is None:
        return tg.cross_entropy(o, y)
    if np.ndim(y) == 1:
        return tg.mean(choose(counts, tg.cross_entropy(o, y, reduction="none"), 0))
    if bits:
        losses = tg.binary_cross_entropy_with_logits(o, tg.astype(y, o.dtype), reduction="none")
        return tg.sum(choose(counts, losses, 0)) / len(o)
    return tg.mse(o, y, reduction="sum") / (2 * len(o))


def rows(y: Any, classes: int, dtype: Any = np.float64) -> Any:
    """Labels (..., ) as one-hot rows (..., classes), as the lecture's y are; rows already stay as they are."""
    array = y if isinstance(y, tg.Tensor) else np.asarray(y)
    return tg.one_hot(y, classes, dtype) if array.dtype.kind in "iu" else y


class LearnedStart(tg.Module):
    """A cell whose initial state is learned: one for all sequences, beginning at the cell's own."""

    def __init__(self, cell: Any):
        self.cell = cell
        self.start = rebuild(cell.initial_state(1), lambda row: tg.Parameter(np.asarray(row)))

    def __call__(self, x: Any, state: Any) -> tuple[Any, Any]:
        return self.cell(x, state)

    def initial_state(self, B: int) -> Any:
        return rebuild(self.start, lambda row: tg.broadcast_to(row, (B, *row.shape[1:])))


def _choose_each(counts: Any, after: Any, before: Any) -> Any:
    """`choose` for every tensor of a state."""
    parts = iter(flatten(before))
    return rebuild(after, lambda part: choose(counts, part, next(parts)))


def _checked_state(cell: Any, state: Any, B: int) -> Any:
    """The state to start from. Raises ShapeError where it is not of the form of the cell's own."""
    if not hasattr(cell, "initial_state"):  # a method that is used as a cell
        return state
    own = cell.initial_state(B)
    if state is None:
        return own
    wanted, given = ({path: np.shape(part) for path, part in flatten_with_paths(s, "state")} for s in (own, state))
    if wanted != given:
        raise tg.ShapeError(f"{type(cell).__name__}: the state must be {wanted}, not {given}")
    return state
