"""Design pattern II: recurrence between hidden units, and one output for the whole sequence.

    h⁽ᵗ⁾ = tanh(b + W h⁽ᵗ⁻¹⁾ + U x⁽ᵗ⁾),   h⁽⁰⁾ = 0
    o⁽ᵀ⁾ = c + V h⁽ᵀ⁾
    L = L⁽ᵀ⁾ = −log softmax(o⁽ᵀ⁾) of the class y⁽ᵀ⁾, or ½ ‖o⁽ᵀ⁾ − y⁽ᵀ⁾‖² of numbers

The last hidden units summarise the sequence: what they kept of x⁽¹⁾ came through W at every step since.

Lecture, "Design Pattern II"; Goodfellow, Bengio & Courville 2016, section 10.2. The record of a run draws their figure
10.5.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn.nn.initialisers import glorot_uniform, orthogonal, zeros

from .sequence import loss, run, sizes, zero


class Pattern2(tg.Module):
    """A recurrent network that reads a sequence and then says one thing: x → h at each step, h → o at the last.

    U (hidden, inputs), W (hidden, hidden), V (outputs, hidden), b (hidden,), c (outputs,)
    """

    def __init__(self, inputs: int, hidden: int, outputs: int, *, rng: Any, dtype: Any = np.float64):
        rng = np.random.default_rng(rng)
        self.U = tg.Parameter(glorot_uniform((hidden, inputs), rng=rng, dtype=dtype))
        self.W = tg.Parameter(orthogonal((hidden, hidden), rng=rng, dtype=dtype))
        self.V = tg.Parameter(glorot_uniform((outputs, hidden), rng=rng, dtype=dtype))
        self.b = tg.Parameter(zeros(hidden, dtype=dtype))
        self.c = tg.Parameter(zeros(outputs, dtype=dtype))

    def __call__(self, x: Any, y: Any, lengths: Any = None) -> Any:
        """The loss L in nats, the mean over the batch.  x (T, B, inputs), labels y (B,) or numbers y (B, outputs)

        lengths (B,): a shorter sequence's output comes after its own last step (see `sequence.run`).
        """
        o = self.output(x, lengths)
        L = loss(o, y)
        return L

    def output(self, x: Any, lengths: Any = None) -> Any:
        """o⁽ᵀ⁾.  x (T, B, inputs) → (B, outputs)"""
        _, B = sizes(x)
        _, h = run(self.step, x, self.initial_state(B), lengths=lengths)
        o = self.c + h @ self.V.T
        return o

    def step(self, x: Any, h: Any) -> tuple[Any, Any]:
        """One step in time.  x (B, inputs), h (B, hidden) → h (B, hidden), as output and as state"""
        h = tg.tanh(self.b + h @ self.W.T + x @ self.U.T)
        return h, h

    def initial_state(self, B: int) -> tg.Tensor:
        """h⁽⁰⁾ = 0, (B, hidden)."""
        return zero(B, self.b.size, self.b.dtype)
