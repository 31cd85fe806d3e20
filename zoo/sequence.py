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
from tinygrad_rnn.autodiff.nests import flatten, flatten_with_paths, rebuild, with_leaves


def run(
    cell: Any, x: Any, state: Any = None, *, lengths: Any = None, reverse: bool = False
) -> tuple[list[tg.Tensor], Any]:
    """Run a cell over a sequence; return its outputs, a list of T in order of time, and its last state.

    x        (T, B, inputs), or a list of T inputs (B, inputs)
    state    where it starts; without, ``cell.initial_state(B)``
    lengths  (B,) whole numbers from 0 to T: how many steps of each sequence count. The rest is padding: whatever stands
             there, even NaN, is not looked at, the output is 0 and the state stays what it was
    reverse  go from the last step to the first; the last state is then that after x⁽¹⁾

    Raises ShapeError for an x, a state or lengths that do not fit, TypeError for lengths that are not integers,
    ValueError for a length outside 0…T.
    """
    shape = (len(x), *np.shape(x[0])) if isinstance(x, list) and x else np.shape(x)
    if len(shape) != 3:
        raise tg.ShapeError(f"x must be of shape (T, B, inputs), not {shape}")
    T, B, _ = shape
    state = _checked_state(cell, state, B)
    counts = within(lengths, T, B)
    y: list[Any] = [None] * T
    for t in reversed(range(T)) if reverse else range(T):
        output, after = cell(choose(counts[t], x[t], 0), state)
        y[t] = choose(counts[t], output, 0)
        state = _state_after(counts[t], after, state)
    return y, state


def sizes(x: Any, y: Any = None) -> tuple[int, int]:
    """T and B of sequences x (T, B, inputs) that a loss is the mean of.

    Raises ShapeError for an x of another form or without any step or sequence, and for a y (T, B, …), where there is
    one, of other T and B.
    """
    shape = np.shape(x)
    if len(shape) != 3 or 0 in shape[:2]:
        raise tg.ShapeError(f"x must be of shape (T, B, inputs), T and B at least 1, not {shape}")
    if y is not None and np.shape(y)[:2] != shape[:2]:
        raise tg.ShapeError(f"x and y must have the same T and B: x is {shape}, y {np.shape(y)}")
    return shape[0], shape[1]


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
    lengths = lengths if isinstance(lengths, tg.Tensor) else np.asarray(lengths)
    n = values(lengths)
    if n.shape != (B,):
        raise tg.ShapeError(f"lengths: {B} sequences need lengths of shape ({B},), not {n.shape}")
    if B and n.dtype.kind not in "iu":
        raise TypeError(f"lengths: must be integers, not {n.dtype}")
    if B and not 0 <= n.min() <= n.max() <= T:
        raise ValueError(f"lengths: {n.min()}…{n.max()} are not all from 0 to {T}, the steps there are")
    return np.arange(T)[:, None] < lengths


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

    Raises ValueError for a batch of no sequences, and what the loss of that kind raises for a y that does not fit.
    """
    if not len(o):
        raise ValueError("the loss is the mean over the batch, and of no sequences there is none")
    y = y if isinstance(y, tg.Tensor) else np.asarray(y)
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


def rows(y: Any, B: int | None, classes: int, dtype: Any, lengths: Any = None) -> Any:
    """Labels (T, B) as one-hot rows (T, B, classes), as the lecture's y are; rows already stay as they are.

    B        how many sequences there must be; None where y itself says
    lengths  (B,): what comes after is padding, and whatever stands there is not looked at

    Raises ShapeError for a y of another form or without any step or sequence, IndexError for a label there is not, and
    what `within` raises for lengths.
    """
    y = y if isinstance(y, tg.Tensor) else np.asarray(y)
    labels, shape = y.dtype.kind in "iu" and y.ndim == 2, y.shape
    if not (labels or shape[2:] == (classes,)) or 0 in shape[:2] or B not in (None, shape[1]):
        raise tg.ShapeError(
            f"y must be labels, whole numbers, of shape (T, {B or 'B'}) or rows (T, {B or 'B'}, {classes}), T and B at"
            f" least 1, not {y.dtype} of shape {shape}"
        )
    y = unpadded(y, lengths)
    return tg.one_hot(y, classes, dtype) if labels else y


def values(array: Any) -> np.ndarray:
    """The numbers of a tensor or an array, of which no operation is recorded."""
    return array.data if isinstance(array, tg.Tensor) else np.asarray(array)


class LearnedStart(tg.Module):
    """A cell whose initial state is learned: one for all sequences, beginning at the cell's own."""

    def __init__(self, cell: Any):
        self.cell = cell
        self.start = rebuild(cell.initial_state(1), lambda row: tg.Parameter(np.asarray(row)))

    def __call__(self, x: Any, state: Any) -> tuple[Any, Any]:
        return self.cell(x, state)

    def initial_state(self, B: int) -> Any:
        return rebuild(self.start, lambda row: tg.broadcast_to(row, (B, *row.shape[1:])))


def _state_after(counts: Any, after: Any, before: Any) -> Any:
    """The state after a step for sequences of which it counts, the one before it for the others."""
    if counts is None:
        return after
    return with_leaves(after, _chosen(counts, flatten_with_paths(after, "state"), flatten(before)))


def _chosen(counts: Any, after: list[tuple[str, Any]], before: list[Any]) -> list[Any]:
    """`choose` for each part of a state, under its name.

    A record tells places apart by the calls that lead to them; halves of halves lead to each part by other calls, so
    that each is a component of the circuit.
    """
    if len(after) < 2:
        return [tg.name(choose(counts, part, old), name) for (name, part), old in zip(after, before, strict=True)]
    middle = len(after) // 2
    first = _chosen(counts, after[:middle], before[:middle])
    return first + _chosen(counts, after[middle:], before[middle:])


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
