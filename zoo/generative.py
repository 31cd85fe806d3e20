"""A recurrent network that generates: design pattern IV without x.

    h⁽ᵗ⁾ = tanh(b + W h⁽ᵗ⁻¹⁾ + R y⁽ᵗ⁻¹⁾),   h⁽⁰⁾ = 0,  y⁽⁰⁾ = 0
    o⁽ᵗ⁾ = c + V h⁽ᵗ⁾
    p(y⁽¹⁾ … y⁽ᵀ⁾) = Πₜ p(y⁽ᵗ⁾ | y⁽¹⁾ … y⁽ᵗ⁻¹⁾),   p(y⁽ᵗ⁾ | …) = softmax(o⁽ᵗ⁾)

Each y is the target of one step and the input of the next. Drawn from p step by step, y is a new sequence.

Lecture, the end of "Design Pattern IV"; Goodfellow, Bengio & Courville 2016, section 10.2.3. The record of a run draws
their figures 10.7 and 10.8.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn.nn.initialisers import glorot_uniform, orthogonal, zeros

from .sequence import choose, rows, within, zero


class Generative(tg.Module):
    """A distribution over sequences of symbols, each depending on all before it: y⁽ᵗ⁻¹⁾ → h → o.

    W (hidden, hidden), R (hidden, symbols), V (symbols, hidden), b (hidden,), c (symbols,)

    Its `step` is a cell, a symbol in and the logits of the next out, so that what it generates is
    ``decoding.sample(model.step, model.nothing_said(B), model.initial_state(B), T, rng=0)``.
    """

    def __init__(self, symbols: int, hidden: int, *, rng: Any, dtype: Any = np.float64):
        rng = np.random.default_rng(rng)
        self.W = tg.Parameter(orthogonal((hidden, hidden), rng=rng, dtype=dtype))
        self.R = tg.Parameter(glorot_uniform((hidden, symbols), rng=rng, dtype=dtype))
        self.V = tg.Parameter(glorot_uniform((symbols, hidden), rng=rng, dtype=dtype))
        self.b = tg.Parameter(zeros(hidden, dtype=dtype))
        self.c = tg.Parameter(zeros(symbols, dtype=dtype))

    def __call__(self, y: Any, lengths: Any = None) -> Any:
        """The loss L = −log p(y) in nats, the mean over the batch.

        y        labels (T, B), or one-hot rows (T, B, symbols)
        lengths  (B,): what comes after is padding

        Raises what `sequence.rows` raises for a y or lengths that do not fit.
        """
        L = 0
        for L_t in self._losses(y, lengths):
            L = L + tg.mean(L_t)
        return L

    def log_likelihood(self, y: Any, lengths: Any = None) -> Any:
        """log p(y) of each sequence, (B,), in nats."""
        return -sum(self._losses(y, lengths))

    def _losses(self, y: Any, lengths: Any) -> Any:
        y = rows(y, None, self.c.size, self.c.dtype, lengths)
        T, B = y.shape[:2]
        h, y_before = self.initial_state(B), self.nothing_said(B)
        for y_t, counts_t in zip(y, within(lengths, T, B), strict=True):
            o, h = self.step(y_before, h)
            yield choose(counts_t, -tg.sum(y_t * tg.log_softmax(o), axis=-1), 0)
            y_before = y_t

    def step(self, y: Any, h: Any) -> tuple[Any, Any]:
        """One step in time.  y⁽ᵗ⁻¹⁾ (B, symbols), h (B, hidden) → o (B, symbols), h (B, hidden)"""
        h = tg.tanh(self.b + h @ self.W.T + y @ self.R.T)
        o = self.c + h @ self.V.T
        return o, h

    def initial_state(self, B: int) -> tg.Tensor:
        """h⁽⁰⁾ = 0, (B, hidden)."""
        return zero(B, self.b.size, self.b.dtype)

    def nothing_said(self, B: int) -> tg.Tensor:
        """y⁽⁰⁾ = 0, (B, symbols)."""
        return zero(B, self.c.size, self.c.dtype)
