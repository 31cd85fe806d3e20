"""From one vector to a sequence: a picture x, say, to its caption y.

    h⁽ᵗ⁾ = tanh(b + W h⁽ᵗ⁻¹⁾ + U y⁽ᵗ⁻¹⁾ + R x),   h⁽⁰⁾ = 0,  y⁽⁰⁾ = 0
    o⁽ᵗ⁾ = c + V h⁽ᵗ⁾
    L⁽ᵗ⁾ = −y⁽ᵗ⁾ log softmax(o⁽ᵗ⁾),   L = Σₜ L⁽ᵗ⁾

x is the same at every step: R x is a bias that depends on x. So the network is a distribution p(y | x) over sequences,
each y the target of one step and the input of the next.

Goodfellow, Bengio & Courville 2016, section 10.2.4. The record of a run draws their figure 10.9.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn.nn.initialisers import glorot_uniform, orthogonal, zeros

from .sequence import choose, rows, within, zero


class Told(NamedTuple):
    """h (B, hidden), and the vector x (B, inputs) that it is all about."""

    h: Any
    x: Any


class VectorToSequence(tg.Module):
    """One vector in, a sequence of symbols out: x → h at every step, y⁽ᵗ⁻¹⁾ → h → o.

    R (hidden, inputs), U (hidden, symbols), W (hidden, hidden), V (symbols, hidden), b (hidden,), c (symbols,)

    Its `step` is a cell: ``decoding.greedy(model.step, model.nothing_said(B), model.initial_state(x), T)``.
    """

    def __init__(self, inputs: int, hidden: int, symbols: int, *, rng: Any, dtype: Any = np.float64):
        rng = np.random.default_rng(rng)
        self.R = tg.Parameter(glorot_uniform((hidden, inputs), rng=rng, dtype=dtype))
        self.U = tg.Parameter(glorot_uniform((hidden, symbols), rng=rng, dtype=dtype))
        self.W = tg.Parameter(orthogonal((hidden, hidden), rng=rng, dtype=dtype))
        self.V = tg.Parameter(glorot_uniform((symbols, hidden), rng=rng, dtype=dtype))
        self.b = tg.Parameter(zeros(hidden, dtype=dtype))
        self.c = tg.Parameter(zeros(symbols, dtype=dtype))

    def __call__(self, x: Any, y: Any, lengths: Any = None) -> Any:
        """The loss L in nats: the sum over time, the mean over the batch.

        x        (B, inputs)
        y        labels (T, B), or one-hot rows (T, B, symbols)
        lengths  (B,): what of y comes after is padding

        Raises what `sequence.rows` raises for a y or lengths that do not fit.
        """
        B = len(x)
        y = rows(y, B, self.c.size, self.c.dtype, lengths)
        state, y_before, L = self.initial_state(x), self.nothing_said(B), 0
        for y_t, counts_t in zip(y, within(lengths, len(y), B), strict=True):
            o, state = self.step(y_before, state)
            L = L + tg.mean(choose(counts_t, -tg.sum(y_t * tg.log_softmax(o), axis=-1), 0))
            y_before = y_t
        return L

    def step(self, y: Any, state: Told) -> tuple[Any, Told]:
        """One step in time.  y⁽ᵗ⁻¹⁾ (B, symbols) → o (B, symbols)"""
        h, x = state
        h = tg.tanh(self.b + h @ self.W.T + y @ self.U.T + x @ self.R.T)
        o = self.c + h @ self.V.T
        return o, Told(h, x)

    def initial_state(self, x: Any) -> Told:
        """h⁽⁰⁾ = 0, and x."""
        return Told(zero(len(x), self.b.size, self.b.dtype), x)

    def nothing_said(self, B: int) -> tg.Tensor:
        """y⁽⁰⁾ = 0, (B, symbols)."""
        return zero(B, self.c.size, self.c.dtype)
