"""Skip connections through time: each hidden unit sees the step before and the one d steps before.

    h⁽ᵗ⁾ = tanh(b + W h⁽ᵗ⁻¹⁾ + R h⁽ᵗ⁻ᵈ⁾ + U x⁽ᵗ⁾),   h⁽⁰⁾ = h⁽⁻¹⁾ = … = 0

A gradient that comes τ steps back passes τ/d times through R instead of τ times through W: it vanishes in τ/d.

Lecture, "Skip connections"; Goodfellow, Bengio & Courville 2016, section 10.9.1; Lin et al. 1996.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn.nn.initialisers import glorot_uniform, orthogonal, zeros

from .sequence import zero

Past = tuple[Any, ...]
"""h⁽ᵗ⁻ᵈ⁾, …, h⁽ᵗ⁻¹⁾, each (B, hidden): the oldest first."""


class SkipCell(tg.Module):
    """A recurrent cell that is also connected to its own state d steps ago.

    U (hidden, inputs), W and R (hidden, hidden), b (hidden,). Raises ValueError for d < 2.
    """

    def __init__(self, inputs: int, hidden: int, d: int, *, rng: Any, dtype: Any = np.float64):
        if d < 2:
            raise ValueError(f"a skip connection reaches at least 2 steps back, not {d}")
        rng = np.random.default_rng(rng)
        self.d = d
        self.U = tg.Parameter(glorot_uniform((hidden, inputs), rng=rng, dtype=dtype))
        self.W = tg.Parameter(orthogonal((hidden, hidden), 0.5, rng=rng, dtype=dtype))
        self.R = tg.Parameter(orthogonal((hidden, hidden), 0.5, rng=rng, dtype=dtype))
        self.b = tg.Parameter(zeros(hidden, dtype=dtype))

    def __call__(self, x: Any, past: Past) -> tuple[Any, Past]:
        """x (B, inputs) → h (B, hidden)"""
        h = tg.tanh(self.b + past[-1] @ self.W.T + past[0] @ self.R.T + x @ self.U.T)
        return h, (*past[1:], h)

    def initial_state(self, B: int) -> Past:
        """d times 0, (B, hidden)."""
        return (zero(B, self.b.size, self.b.dtype),) * self.d
