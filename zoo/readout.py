"""An output for any cell: at each step, or one at the end.

    h⁽ᵗ⁾, state⁽ᵗ⁾ = cell(x⁽ᵗ⁾, state⁽ᵗ⁻¹⁾)
    o⁽ᵗ⁾ = c + V h⁽ᵗ⁾
    L = Σₜ L⁽ᵗ⁾, or L⁽ᵀ⁾ alone

These are the design patterns I and II with any cell in the place of the ordinary one: leaky, LSTM, GRU, deep. With
labels y, L⁽ᵗ⁾ = −log softmax(o⁽ᵗ⁾)[y⁽ᵗ⁾]; with numbers, ½ ‖o⁽ᵗ⁾ − y⁽ᵗ⁾‖².
"""

from __future__ import annotations

from typing import Any

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn.nn.initialisers import glorot_uniform, zeros

from .sequence import last, loss, run, sizes, within


class EachStep(tg.Module):
    """A cell with an output and a loss at every step.  V (outputs, hidden), c (outputs,)"""

    def __init__(self, cell: Any, hidden: int, outputs: int, *, rng: Any, dtype: Any = np.float64):
        self.cell = cell
        self.V = tg.Parameter(glorot_uniform((outputs, hidden), rng=rng, dtype=dtype))
        self.c = tg.Parameter(zeros(outputs, dtype=dtype))

    def __call__(self, x: Any, y: Any, lengths: Any = None) -> Any:
        """L: the sum over time, the mean over the batch.  x (T, B, inputs), y (T, B) or (T, B, outputs)"""
        counts = within(lengths, *sizes(x, y))
        h, _ = run(self.cell, x, lengths=lengths)
        L = 0
        for h_t, y_t, counts_t in zip(h, y, counts, strict=True):
            o = self.c + h_t @ self.V.T
            L = L + loss(o, y_t, counts_t)
        return L

    def step(self, x: Any, state: Any) -> tuple[Any, Any]:
        """One step in time.  x (B, inputs) → o (B, outputs)"""
        h, state = self.cell(x, state)
        o = self.c + h @ self.V.T
        return o, state

    def initial_state(self, B: int) -> Any:
        return self.cell.initial_state(B)


class AtEnd(tg.Module):
    """A cell with one output, and one loss, for the whole sequence.  V (outputs, hidden), c (outputs,)"""

    def __init__(self, cell: Any, hidden: int, outputs: int, *, rng: Any, dtype: Any = np.float64):
        self.cell = cell
        self.V = tg.Parameter(glorot_uniform((outputs, hidden), rng=rng, dtype=dtype))
        self.c = tg.Parameter(zeros(outputs, dtype=dtype))

    def __call__(self, x: Any, y: Any, lengths: Any = None) -> Any:
        """L: the mean over the batch.  x (T, B, inputs), y (B,) or (B, outputs)"""
        o = self.output(x, lengths)
        L = loss(o, y)
        return L

    def output(self, x: Any, lengths: Any = None) -> Any:
        """o, from the h of each sequence's own last step.  x (T, B, inputs) → (B, outputs)"""
        h, _ = run(self.cell, x, lengths=lengths)
        o = self.c + last(h, lengths) @ self.V.T
        return o
