"""From a distribution over sequences to one sequence: the likeliest symbol at each step, a draw, a beam.

A model that writes is a cell whose input is the symbol before, and whose output is the logits of the next:

    o⁽ᵗ⁾, state⁽ᵗ⁾ = cell(y⁽ᵗ⁻¹⁾, state⁽ᵗ⁻¹⁾)
    p(y⁽ᵗ⁾ | y⁽¹⁾ … y⁽ᵗ⁻¹⁾) = softmax(o⁽ᵗ⁾)
    log p(y⁽¹⁾ … y⁽ᵀ⁾) = Σₜ log p(y⁽ᵗ⁾ | …)

All three functions decode a whole batch at once, and take

    cell   a symbol as a one-hot row y (B, symbols), and a state → logits o (B, symbols), the state after
    y      the row for y⁽⁰⁾; ``model.nothing_said(B)`` is 0
    state  where the cell starts; every tensor in it has a row for each sequence
    T      how many symbols at most
    end    the label that ends a sequence; without one all have length T

and return `Decoded`. All raise ShapeError for a y that is not (B, symbols) and a state of other than B rows, ValueError
for a T that is no whole number from 0 up and an end that is no label.

Goodfellow, Bengio & Courville 2016, section 10.2.3 (sampling); Graves 2012, Sequence transduction with recurrent neural
networks, section 2.5 (beam search); Wu et al. 2016, section 7 (length normalisation: of the two forms there the first,
a power of the length).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn.autodiff.nests import flatten_with_paths, rebuild
from tinygrad_rnn.nn.initialisers import generator


class Decoded(NamedTuple):
    """What was decoded.

    labels   (steps, B); a sequence that has ended goes on with `end`
    lengths  (B,), with the `end`
    log_p    (B,), log p of each sequence in nats
    """

    labels: np.ndarray
    lengths: np.ndarray
    log_p: np.ndarray


def greedy(cell: Any, y: Any, state: Any, T: int, end: int | None = None) -> Decoded:
    """At each step the likeliest symbol. The sequence need not be the likeliest: see `beam`."""
    return _one_by_one(cell, y, state, T, end, lambda o: np.argmax(o, axis=-1))


def sample(
    cell: Any, y: Any, state: Any, T: int, rng: Any, end: int | None = None, temperature: float = 1.0
) -> Decoded:
    """At each step a draw from softmax(o / temperature): from p itself at 1, ever more like `greedy` towards 0.

    Raises ValueError unless temperature > 0, TypeError without an rng.
    """
    if not temperature > 0:
        raise ValueError(f"sample: temperature is above 0, not {temperature}; for 0 take greedy")
    rng = generator(rng)  # the largest of o + Gumbel noise is a draw from softmax(o)
    return _one_by_one(cell, y, state, T, end, lambda o: np.argmax(o / temperature + rng.gumbel(size=o.shape), axis=-1))


def beam(
    cell: Any, y: Any, state: Any, T: int, width: int, end: int | None = None, length_power: float = 1.0
) -> Decoded:
    """Of the `width` best beginnings of each length, the best continuations; at last the best sequence.

    The score is log p / lengthᵖ, p = `length_power`. With 0 it is the probability itself, which every symbol makes
    smaller, so that short sequences win; with 1 it is the mean per symbol. A beam that holds all sequences finds the
    best of all; one that is wider than there are sequences has empty places. Raises ValueError for a width that is no
    whole number from 1 up and a power that is not finite or below 0.
    """
    if not (isinstance(width, (int, np.integer)) and width >= 1):
        raise ValueError(f"beam: width is a whole number from 1 up, not {width!r}")
    if not 0 <= length_power < np.inf:
        raise ValueError(f"beam: length_power is finite and at least 0, not {length_power}")
    B, symbols = _checked(y, state, T, end)
    y, state = rebuild((y, state), lambda a: a[np.repeat(np.arange(B), width)])
    log_p = np.full((B, width), -np.inf)
    log_p[:, 0] = 0  # at first there is one beginning, the empty one
    ended, lengths = np.zeros((B, width), bool), np.zeros((B, width), int)
    labels = np.empty((0, B, width), int)
    with tg.no_grad():
        while len(labels) < T and not ended.all():
            o, state = cell(y, state)
            longer = log_p[..., None] + tg.log_softmax(o).data.reshape(B, width, symbols)
            if end is not None:  # what has ended goes on in one way, at no cost
                longer = np.where(ended[..., None], -np.inf, longer)
                longer[..., end] = np.where(ended, log_p, longer[..., end])
            lengths = lengths + ~ended
            score = (longer / lengths[..., None] ** length_power).reshape(B, -1)
            best = np.argsort(-score, axis=-1, kind="stable")[:, :width]
            beginning, label = best // symbols, best % symbols

            log_p = np.take_along_axis(longer.reshape(B, -1), best, axis=-1)
            lengths, ended = (np.take_along_axis(a, beginning, axis=-1) for a in (lengths, ended))
            labels = np.concatenate([np.take_along_axis(labels, beginning[None], axis=-1), label[None]])
            ended = ended | (label == end)
            row = (np.arange(B)[:, None] * width + beginning).ravel()
            state = rebuild(state, lambda a: a[row])  # noqa: B023
            y = tg.one_hot(label.ravel(), symbols, o.dtype)
    return Decoded(labels[..., 0], lengths[:, 0], log_p[:, 0])


def _one_by_one(
    cell: Any, y: Any, state: Any, T: int, end: int | None, pick: Callable[[np.ndarray], np.ndarray]
) -> Decoded:
    B, symbols = _checked(y, state, T, end)
    log_p, lengths, ended = np.zeros(B), np.zeros(B, int), np.zeros(B, bool)
    labels: list[np.ndarray] = []
    with tg.no_grad():
        while len(labels) < T and not ended.all():
            o, state = cell(y, state)
            label = np.where(ended, end or 0, pick(o.data))
            log_p += np.where(ended, 0, tg.log_softmax(o).data[np.arange(B), label])
            lengths += ~ended
            ended = ended | (label == end)
            labels.append(label)
            y = tg.one_hot(label, symbols, o.dtype)
    return Decoded(np.array(labels, int).reshape(len(labels), B), lengths, log_p)


def _checked(y: Any, state: Any, T: int, end: int | None) -> tuple[int, int]:
    """B and the number of symbols, where all that is given fits together."""
    if np.ndim(y) != 2:
        raise tg.ShapeError(f"y must be of shape (B, symbols), not {np.shape(y)}")
    B, symbols = np.shape(y)
    for path, part in flatten_with_paths(state, "state"):
        if np.shape(part)[:1] != (B,):
            raise tg.ShapeError(f"{path} must have a row for each of {B} sequences, not shape {np.shape(part)}")
    if not (isinstance(T, (int, np.integer)) and T >= 0):
        raise ValueError(f"T: a whole number from 0 up, not {T!r}")
    if not (end is None or (isinstance(end, (int, np.integer)) and 0 <= end < symbols)):
        raise ValueError(f"end: a label from 0 to {symbols - 1}, or None, not {end!r}")
    return B, symbols
