"""Unfolding: a state that is a function of the state before, without input and with.

    s⁽ᵗ⁾ = f(s⁽ᵗ⁻¹⁾; θ)                              a dynamical system
    h⁽ᵗ⁾ = f(h⁽ᵗ⁻¹⁾, x⁽ᵗ⁾; θ)                         a recurrent network without outputs
         = g⁽ᵗ⁾(h⁽⁰⁾, x⁽¹⁾, …, x⁽ᵗ⁾)                  the same, unfolded

The same f, with the same θ, at every step, in the place of another g⁽ᵗ⁾ for every t: one model learns from all steps,
and works at any length. Here f is

    h⁽ᵗ⁾ = tanh(b + W h⁽ᵗ⁻¹⁾ + U x⁽ᵗ⁾)

Lecture, first page; Goodfellow, Bengio & Courville 2016, equations 10.1 to 10.7. The record of a run draws their
figures 10.1 and 10.2.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn.nn.initialisers import glorot_uniform, orthogonal, zeros

from .sequence import zero


class DynamicalSystem(tg.Module):
    """A state that moves by itself, without any input: s → s.

    W (size, size), b (size,)
    """

    def __init__(self, size: int, *, rng: Any, dtype: Any = np.float64):
        self.W = tg.Parameter(orthogonal((size, size), rng=rng, dtype=dtype))
        self.b = tg.Parameter(zeros(size, dtype=dtype))

    def __call__(self, s: Any, T: int) -> Any:
        """The state after T steps from s.  s (B, size) → (B, size). Raises ValueError for T below 0."""
        if T < 0:
            raise ValueError(f"T: a system that moves forward takes at least 0 steps, not {T}")
        for _ in range(T):
            s = tg.tanh(self.b + s @ self.W.T)
        return s


class RNNCell(tg.Module):
    """The ordinary recurrent cell, without outputs of its own: x → h, h → h.

    U (hidden, inputs), W (hidden, hidden), b (hidden,)

    nonlinearity  "tanh" or "relu". Raises ValueError for another
    """

    def __init__(self, inputs: int, hidden: int, *, nonlinearity: str = "tanh", rng: Any, dtype: Any = np.float64):
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(f"RNNCell: nonlinearity is 'tanh' or 'relu', not {nonlinearity!r}")
        self.nonlinearity = nonlinearity
        rng = np.random.default_rng(rng)
        self.U = tg.Parameter(glorot_uniform((hidden, inputs), rng=rng, dtype=dtype))
        self.W = tg.Parameter(orthogonal((hidden, hidden), rng=rng, dtype=dtype))
        self.b = tg.Parameter(zeros(hidden, dtype=dtype))

    def __call__(self, x: Any, h: Any) -> tuple[Any, Any]:
        """x (B, inputs), h (B, hidden) → h as the output, h as the state"""
        f = tg.tanh if self.nonlinearity == "tanh" else tg.relu
        h = f(self.b + h @ self.W.T + x @ self.U.T)
        return h, h

    def initial_state(self, B: int) -> tg.Tensor:
        """h⁽⁰⁾ = 0, (B, hidden)."""
        return zero(B, self.b.size, self.b.dtype)
