"""Leaky units: hidden units that change slowly, each at its own pace.

    h⁽ᵗ⁾ = (1 − 1/α) ⊙ h⁽ᵗ⁻¹⁾ + 1/α ⊙ tanh(b + W h⁽ᵗ⁻¹⁾ + U x⁽ᵗ⁾),   1 ≤ αᵢ < ∞

α is the time scale over which a unit integrates: 1 is the ordinary network, and with α large ∂h⁽ᵗ⁾/∂h⁽ᵗ⁻¹⁾ is near 1,
so that values and gradients go far.

A step with α = 1 is a step of the ordinary network, `rnn.RNNCell`, bit for bit. So is a run, if it starts from an array
that lies in memory column by column, as products of a batch smaller than hidden leave it. From one that lies row by row
the sum of both terms lies row by row too, and the next product with W may be rounded otherwise in the last bit.

Lecture, "Leaky units", which leaves out b; Goodfellow, Bengio & Courville 2016, section 10.9.2.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn.nn.initialisers import glorot_uniform, orthogonal, zeros

from .sequence import zero


class LeakyCell(tg.Module):
    """A recurrent cell whose units keep 1 − 1/α of what they were.

    U (hidden, inputs), W (hidden, hidden), b (hidden,)

    α  one number or one for each unit, (hidden,)

    Raises ValueError for an α below 1 or not finite, ShapeError for one that does not fit.
    """

    def __init__(self, inputs: int, hidden: int, α: Any, *, rng: Any, dtype: Any = np.float64):
        rng = np.random.default_rng(rng)
        self.U = tg.Parameter(glorot_uniform((hidden, inputs), rng=rng, dtype=dtype))
        self.W = tg.Parameter(orthogonal((hidden, hidden), rng=rng, dtype=dtype))
        self.b = tg.Parameter(zeros(hidden, dtype=dtype))
        self.α = tg.Tensor(_scales(α, hidden), dtype=dtype, name="α")

    def __call__(self, x: Any, h: Any) -> tuple[Any, Any]:
        """x (B, inputs), h (B, hidden) → h as the output, h as the state"""
        α = self.time_scale()
        h = (1 - 1 / α) * h + 1 / α * tg.tanh(self.b + h @ self.W.T + x @ self.U.T)
        return h, h

    def time_scale(self) -> tg.Tensor:
        """α, (hidden,), in steps."""
        return self.α

    def initial_state(self, B: int) -> tg.Tensor:
        """h⁽⁰⁾ = 0, (B, hidden)."""
        return zero(B, self.b.size, self.b.dtype)


class LearnedLeakyCell(LeakyCell):
    """A leaky cell that learns the time scale of each unit: α = 1 + exp(β), which cannot fall below 1.

    As `LeakyCell`, and β (hidden,). Raises ValueError for an α to start from that is not above 1.
    """

    def __init__(self, inputs: int, hidden: int, α: Any, *, rng: Any, dtype: Any = np.float64):
        super().__init__(inputs, hidden, α, rng=rng, dtype=dtype)
        if not (self.α.data > 1).all():
            raise ValueError("α that is learned starts above 1: 1 itself is β = −∞, from where no gradient leads away")
        self.β = tg.Parameter(np.log(self.α.data - 1))

    def time_scale(self) -> tg.Tensor:
        """α, (hidden,), in steps."""
        return 1 + tg.exp(self.β)


def _scales(α: Any, hidden: int) -> np.ndarray:
    scales = np.asarray(α, float)
    if scales.shape not in ((), (hidden,)):
        raise tg.ShapeError(f"α: one number, or one for each of {hidden} units, not shape {scales.shape}")
    if not (np.isfinite(scales) & (scales >= 1)).all():
        raise ValueError(f"α is finite and at least 1, not {α}: below 1 a unit would overshoot")
    return np.broadcast_to(scales, hidden)
