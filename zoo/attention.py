"""Attention: a weighted average of many vectors, with weights that the model makes itself.

    e⁽ˢ⁾ = score(q, k⁽ˢ⁾)                 how relevant the vector at place s is to the query q
    α⁽ˢ⁾ = softmax(e)⁽ˢ⁾ = exp e⁽ˢ⁾ / Σᵣ exp e⁽ʳ⁾
    C = Σₛ α⁽ˢ⁾ v⁽ˢ⁾

with, for the score, one of these, W, U and v being parameters (that v has nothing to do with the v⁽ˢ⁾):

    vᵀ tanh(W q + U k)                  additive         (Bahdanau, Cho & Bengio 2015)
    kᵀ W q                              multiplicative   (Luong, Pham & Manning 2015)
    kᵀ q / √size                        scaled dot       (Vaswani et al. 2017)

The lecture calls the weights σ⁽ᵗ⁾; here σ is the sigmoid, and they are α. Looking up one vector, the most relevant,
would be cheaper, but has no gradient; the average has. What is averaged may be hidden units or the raw input.

Lecture, "Attention Mechanisms"; Goodfellow, Bengio & Courville 2016, section 12.4.5.1 and figure 12.6.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn.nn.initialisers import glorot_uniform, normal, zeros

from .sequence import choose, loss, sizes, unpadded, values, within


def attend(e: Any, v: Any, counts: Any = None) -> tuple[Any, Any]:
    """The average C (B, size) and its weights α (B, n).

    e       scores (B, n)
    v       what is averaged, (B, n, size)
    counts  (B, n): the weight of a place where this is false is 0

    Raises ValueError if there is no place to look at.
    """
    α = tg.softmax(masked(e, counts), axis=-1)
    C = tg.sum(np.expand_dims(α, -1) * v, axis=1)
    return C, α


def masked(e: Any, counts: Any) -> Any:
    """Scores e (B, n), −∞ at the places that do not count. Raises ValueError for a row of which none counts."""
    if np.shape(e)[-1] == 0 or not (counts is None or values(counts).any(axis=-1).all()):
        raise ValueError("attention: a sequence of no steps leaves nothing to look at")
    return choose(counts, e, -np.inf)


class Additive(tg.Module):
    """Relevance by a small network: e = vᵀ tanh(W q + U k).

    W (hidden, query), U (hidden, key), v (hidden,)
    """

    def __init__(self, query: int, key: int, hidden: int, *, rng: Any, dtype: Any = np.float64):
        rng = np.random.default_rng(rng)
        self.W = tg.Parameter(glorot_uniform((hidden, query), rng=rng, dtype=dtype))
        self.U = tg.Parameter(glorot_uniform((hidden, key), rng=rng, dtype=dtype))
        self.v = tg.Parameter(normal(hidden, 0, 1 / math.sqrt(hidden), rng=rng, dtype=dtype))

    def __call__(self, q: Any, k: Any) -> Any:
        """q (B, query), k (B, n, key) → e (B, n)"""
        e = tg.tanh(np.expand_dims(q @ self.W.T, 1) + k @ self.U.T) @ self.v
        return e


class Multiplicative(tg.Module):
    """Relevance by a bilinear form: e = kᵀ W q.  W (key, query)"""

    def __init__(self, query: int, key: int, *, rng: Any, dtype: Any = np.float64):
        self.W = tg.Parameter(glorot_uniform((key, query), rng=rng, dtype=dtype))

    def __call__(self, q: Any, k: Any) -> Any:
        """q (B, query), k (B, n, key) → e (B, n)"""
        e = tg.sum(np.expand_dims(q @ self.W.T, 1) * k, axis=-1)
        return e


class ScaledDot(tg.Module):
    """Relevance by the angle, with nothing to learn: e = kᵀ q / √size, q and k of the same size."""

    def __call__(self, q: Any, k: Any) -> Any:
        """q (B, size), k (B, n, size) → e (B, n)"""
        e = tg.sum(np.expand_dims(q, 1) * k, axis=-1) / math.sqrt(np.shape(q)[-1])
        return e


class InputAttention(tg.Module):
    """Attention over raw inputs, without any recurrence: x → e → α, and C = Σₛ α⁽ˢ⁾ x⁽ˢ⁾ → o.

    e⁽ˢ⁾ = vᵀ tanh(b + U x⁽ˢ⁾),   o = c + V C

    U (hidden, inputs), b and v (hidden,), V (outputs, inputs), c (outputs,)
    """

    def __init__(self, inputs: int, hidden: int, outputs: int, *, rng: Any, dtype: Any = np.float64):
        rng = np.random.default_rng(rng)
        self.U = tg.Parameter(glorot_uniform((hidden, inputs), rng=rng, dtype=dtype))
        self.b = tg.Parameter(zeros(hidden, dtype=dtype))
        self.v = tg.Parameter(normal(hidden, 0, 1 / math.sqrt(hidden), rng=rng, dtype=dtype))
        self.V = tg.Parameter(glorot_uniform((outputs, inputs), rng=rng, dtype=dtype))
        self.c = tg.Parameter(zeros(outputs, dtype=dtype))

    def __call__(self, x: Any, y: Any, lengths: Any = None) -> Any:
        """The loss L, the mean over the batch.  x (T, B, inputs), labels y (B,) or numbers y (B, outputs)"""
        o, _ = self.output(x, lengths)
        L = loss(o, y)
        return L

    def output(self, x: Any, lengths: Any = None) -> tuple[Any, Any]:
        """o (B, outputs) and the weights α (B, T).  x (T, B, inputs)"""
        counts = places(lengths, *sizes(x))
        x = unpadded(x, lengths)
        e = np.transpose(tg.tanh(self.b + x @ self.U.T) @ self.v)
        C, α = attend(e, np.swapaxes(x, 0, 1), counts)
        o = self.c + C @ self.V.T
        return o, α


def places(lengths: Any, n: int, B: int) -> Any:
    """Which places of each sequence count, (B, n); None without lengths: all do."""
    return None if lengths is None else np.transpose(within(lengths, n, B))
