"""Gated recurrent units: one gate u decides both what is kept and what is new; another, r, what of the past is used.

    u⁽ᵗ⁾ = σ(bu + Uu x⁽ᵗ⁾ + Wu h⁽ᵗ⁻¹⁾)                   update gate
    r⁽ᵗ⁾ = σ(br + Ur x⁽ᵗ⁾ + Wr h⁽ᵗ⁻¹⁾)                   reset gate
    n⁽ᵗ⁾ = tanh(b + U x⁽ᵗ⁾ + W (r⁽ᵗ⁾ ⊙ h⁽ᵗ⁻¹⁾))            new content
    h⁽ᵗ⁾ = u⁽ᵗ⁾ ⊙ h⁽ᵗ⁻¹⁾ + (1 − u⁽ᵗ⁾) ⊙ n⁽ᵗ⁾

A leaky unit whose 1 − 1/α is u, chosen anew at every step.

Goodfellow, Bengio & Courville 2016, section 10.10.2, equations 10.45 to 10.47, whose gates see the step before (here
they see the same step, as in the LSTM), with tanh for new content as in Cho et al. 2014.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn.nn.initialisers import glorot_uniform, orthogonal, zeros

from .sequence import zero


class GRUCell(tg.Module):
    """Gated recurrent units; the reset gate acts before W does.

    Uu, Ur, U (hidden, inputs), Wu, Wr, W (hidden, hidden), bu, br, b (hidden,)
    """

    def __init__(self, inputs: int, hidden: int, *, rng: Any, dtype: Any = np.float64):
        rng = np.random.default_rng(rng)
        self.Uu, self.Ur, self.U = (
            tg.Parameter(glorot_uniform((hidden, inputs), rng=rng, dtype=dtype)) for _ in range(3)
        )
        self.Wu, self.Wr, self.W = (tg.Parameter(orthogonal((hidden, hidden), rng=rng, dtype=dtype)) for _ in range(3))
        self.bu, self.br, self.b = (tg.Parameter(zeros(hidden, dtype=dtype)) for _ in range(3))

    def __call__(self, x: Any, h: Any) -> tuple[Any, Any]:
        """x (B, inputs), h (B, hidden) → h as the output, h as the state"""
        u = tg.sigmoid(self.bu + x @ self.Uu.T + h @ self.Wu.T)
        r = tg.sigmoid(self.br + x @ self.Ur.T + h @ self.Wr.T)
        n = tg.tanh(self.b + x @ self.U.T + (r * h) @ self.W.T)
        h = u * h + (1 - u) * n
        return h, h

    def initial_state(self, B: int) -> tg.Tensor:
        """h⁽⁰⁾ = 0, (B, hidden)."""
        return zero(B, self.b.size, self.b.dtype)


class ResetAfterGRUCell(GRUCell):
    """Gated recurrent units; the reset gate acts after W has, so that all products with h can be one.

    n⁽ᵗ⁾ = tanh(b + U x⁽ᵗ⁾ + r⁽ᵗ⁾ ⊙ (d + W h⁽ᵗ⁻¹⁾))       as in cuDNN and PyTorch

    As `GRUCell`, and d (hidden,)
    """

    def __init__(self, inputs: int, hidden: int, *, rng: Any, dtype: Any = np.float64):
        super().__init__(inputs, hidden, rng=rng, dtype=dtype)
        self.d = tg.Parameter(zeros(hidden, dtype=dtype))

    def __call__(self, x: Any, h: Any) -> tuple[Any, Any]:
        """x (B, inputs), h (B, hidden) → h as the output, h as the state"""
        u = tg.sigmoid(self.bu + x @ self.Uu.T + h @ self.Wu.T)
        r = tg.sigmoid(self.br + x @ self.Ur.T + h @ self.Wr.T)
        n = tg.tanh(self.b + x @ self.U.T + r * (self.d + h @ self.W.T))
        h = u * h + (1 - u) * n
        return h, h
