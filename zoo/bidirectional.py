"""Bidirectional networks: the output at each step knows the past and the future.

    h⁽ᵗ⁾ = tanh(b + W h⁽ᵗ⁻¹⁾ + U x⁽ᵗ⁾),   h⁽⁰⁾ = 0              to the right
    g⁽ᵗ⁾ = tanh(d + R g⁽ᵗ⁺¹⁾ + S x⁽ᵗ⁾),   g⁽ᵀ⁺¹⁾ = 0            to the left
    o⁽ᵗ⁾ = c + V h⁽ᵗ⁾ + Q g⁽ᵗ⁾
    L⁽ᵗ⁾ = −log softmax(o⁽ᵗ⁾) of the class y⁽ᵗ⁾, or ½ ‖o⁽ᵗ⁾ − y⁽ᵗ⁾‖² of numbers,   L = Σₜ L⁽ᵗ⁾

g starts at the end, so the whole sequence must be there before the first output.

Lecture, "Bidirectional RNN"; Goodfellow, Bengio & Courville 2016, section 10.3; Schuster & Paliwal 1997. The record of
a run draws the book's figure 10.11.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn.nn.initialisers import glorot_uniform, orthogonal, zeros

from .sequence import loss, run, sizes, within, zero


class Bidirectional(tg.Module):
    """Two recurrent networks, one that reads to the right and one to the left, and an output that sees both.

    U, S (hidden, inputs), W, R (hidden, hidden), V, Q (outputs, hidden), b, d (hidden,), c (outputs,)
    """

    def __init__(self, inputs: int, hidden: int, outputs: int, *, rng: Any, dtype: Any = np.float64):
        rng = np.random.default_rng(rng)
        self.U, self.S = (tg.Parameter(glorot_uniform((hidden, inputs), rng=rng, dtype=dtype)) for _ in range(2))
        self.W, self.R = (tg.Parameter(orthogonal((hidden, hidden), rng=rng, dtype=dtype)) for _ in range(2))
        self.V, self.Q = (tg.Parameter(glorot_uniform((outputs, hidden), rng=rng, dtype=dtype)) for _ in range(2))
        self.b, self.d = (tg.Parameter(zeros(hidden, dtype=dtype)) for _ in range(2))
        self.c = tg.Parameter(zeros(outputs, dtype=dtype))

    def __call__(self, x: Any, y: Any, lengths: Any = None) -> Any:
        """The loss L: the sum over time, the mean over the batch.

        x        (T, B, inputs)
        y        labels (T, B), or numbers (T, B, outputs)
        lengths  (B,): what comes after is padding; to the left, each sequence begins at its own end
        """
        L = 0
        counts = within(lengths, *sizes(x, y))
        for o, y_t, counts_t in zip(self.outputs(x, lengths), y, counts, strict=True):
            L = L + loss(o, y_t, counts_t)
        return L

    def outputs(self, x: Any, lengths: Any = None) -> list[Any]:
        """o⁽¹⁾, …, o⁽ᵀ⁾, each (B, outputs).  x (T, B, inputs)"""
        start = zero(np.shape(x)[1], self.b.size, self.b.dtype)
        h, _ = run(self.rightward, x, start, lengths=lengths)
        g, _ = run(self.leftward, x, start, lengths=lengths, reverse=True)
        return [self.output(h_t, g_t) for h_t, g_t in zip(h, g, strict=True)]

    def rightward(self, x: Any, h: Any) -> tuple[Any, Any]:
        """x⁽ᵗ⁾ (B, inputs), h⁽ᵗ⁻¹⁾ (B, hidden) → h⁽ᵗ⁾, as output and as state"""
        h = tg.tanh(self.b + h @ self.W.T + x @ self.U.T)
        return h, h

    def leftward(self, x: Any, g: Any) -> tuple[Any, Any]:
        """x⁽ᵗ⁾ (B, inputs), g⁽ᵗ⁺¹⁾ (B, hidden) → g⁽ᵗ⁾, as output and as state"""
        g = tg.tanh(self.d + g @ self.R.T + x @ self.S.T)
        return g, g

    def output(self, h: Any, g: Any) -> Any:
        """h, g (B, hidden) → o (B, outputs)"""
        o = self.c + h @ self.V.T + g @ self.Q.T
        return o
