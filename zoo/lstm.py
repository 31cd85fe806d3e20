"""Long short-term memory: gates decide at each step what is written, what is kept and what is shown.

    g⁽ᵗ⁾ = σ(Ug x⁽ᵗ⁾ + Wg h⁽ᵗ⁻¹⁾)                    input gate
    f⁽ᵗ⁾ = σ(Uf x⁽ᵗ⁾ + Wf h⁽ᵗ⁻¹⁾)                    forget gate
    q⁽ᵗ⁾ = σ(Uo x⁽ᵗ⁾ + Wo h⁽ᵗ⁻¹⁾)                    output gate
    a⁽ᵗ⁾ = U x⁽ᵗ⁾ + W h⁽ᵗ⁻¹⁾                         new content
    s⁽ᵗ⁾ = f⁽ᵗ⁾ ⊙ s⁽ᵗ⁻¹⁾ + g⁽ᵗ⁾ ⊙ tanh(a⁽ᵗ⁾)          memory
    h⁽ᵗ⁾ = q⁽ᵗ⁾ ⊙ tanh(s⁽ᵗ⁾)                         hidden units

The memory is a leaky unit whose leak f is chosen anew at every step: ∂s⁽ᵗ⁾/∂s⁽ᵗ⁻¹⁾ = f along the direct way, which
vanishes only where the network decides to forget. The lecture's output o⁽ᵗ⁾ = V h⁽ᵗ⁾ is that of `readout`, with a bias.

Lecture, "Long Short-Term Memory"; Goodfellow, Bengio & Courville 2016, section 10.10.1, who write σ for tanh(a);
Hochreiter & Schmidhuber 1997. The record of a run draws the book's figure 10.16.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn.nn.initialisers import constant, glorot_uniform, orthogonal, zeros

from .sequence import zero


class LSTMState(NamedTuple):
    """Hidden units h and memory s, each (B, hidden)."""

    h: Any
    s: Any


class LSTMCell(tg.Module):
    """Long short-term memory as the lecture writes it, without biases.

    Ug, Uf, Uo, U (hidden, inputs), Wg, Wf, Wo, W (hidden, hidden)
    """

    def __init__(self, inputs: int, hidden: int, *, rng: Any, dtype: Any = np.float64):
        rng = np.random.default_rng(rng)
        self.Ug, self.Uf, self.Uo, self.U = (
            tg.Parameter(glorot_uniform((hidden, inputs), rng=rng, dtype=dtype)) for _ in range(4)
        )
        self.Wg, self.Wf, self.Wo, self.W = (
            tg.Parameter(orthogonal((hidden, hidden), rng=rng, dtype=dtype)) for _ in range(4)
        )

    def __call__(self, x: Any, state: LSTMState) -> tuple[Any, LSTMState]:
        """x (B, inputs) → h (B, hidden)"""
        h, s = state
        g = tg.sigmoid(x @ self.Ug.T + h @ self.Wg.T)
        f = tg.sigmoid(x @ self.Uf.T + h @ self.Wf.T)
        q = tg.sigmoid(x @ self.Uo.T + h @ self.Wo.T)
        a = x @ self.U.T + h @ self.W.T
        s = f * s + g * tg.tanh(a)
        h = q * tg.tanh(s)
        return h, LSTMState(h, s)

    def initial_state(self, B: int) -> LSTMState:
        """h⁽⁰⁾ = s⁽⁰⁾ = 0."""
        hidden, dtype = len(self.W), self.W.dtype
        return LSTMState(zero(B, hidden, dtype), zero(B, hidden, dtype))


class BiasedLSTMCell(LSTMCell):
    """Long short-term memory as it is used: with biases, that of the forget gate 1 at the start.

    g⁽ᵗ⁾ = σ(bg + Ug x⁽ᵗ⁾ + Wg h⁽ᵗ⁻¹⁾),   f⁽ᵗ⁾ = σ(bf + Uf x⁽ᵗ⁾ + Wf h⁽ᵗ⁻¹⁾)
    q⁽ᵗ⁾ = σ(bo + Uo x⁽ᵗ⁾ + Wo h⁽ᵗ⁻¹⁾),   a⁽ᵗ⁾ = b + U x⁽ᵗ⁾ + W h⁽ᵗ⁻¹⁾

    As `LSTMCell`, and bg, bf, bo, b (hidden,)

    With f near 1 the memory keeps what it has until learning says otherwise (Gers, Schmidhuber & Cummins 2000;
    Jozefowicz, Zaremba & Sutskever 2015).
    """

    def __init__(self, inputs: int, hidden: int, *, rng: Any, dtype: Any = np.float64):
        super().__init__(inputs, hidden, rng=rng, dtype=dtype)
        self.bg, self.bo, self.b = (tg.Parameter(zeros(hidden, dtype=dtype)) for _ in range(3))
        self.bf = tg.Parameter(constant(hidden, 1, dtype=dtype))

    def __call__(self, x: Any, state: LSTMState) -> tuple[Any, LSTMState]:
        """x (B, inputs) → h (B, hidden)"""
        h, s = state
        g = tg.sigmoid(self.bg + x @ self.Ug.T + h @ self.Wg.T)
        f = tg.sigmoid(self.bf + x @ self.Uf.T + h @ self.Wf.T)
        q = tg.sigmoid(self.bo + x @ self.Uo.T + h @ self.Wo.T)
        a = self.b + x @ self.U.T + h @ self.W.T
        s = f * s + g * tg.tanh(a)
        h = q * tg.tanh(s)
        return h, LSTMState(h, s)


class PeepholeLSTMCell(BiasedLSTMCell):
    """Long short-term memory whose gates look at the memory too, each unit at its own.

    g⁽ᵗ⁾ = σ(bg + Ug x⁽ᵗ⁾ + Wg h⁽ᵗ⁻¹⁾ + pg ⊙ s⁽ᵗ⁻¹⁾),   f⁽ᵗ⁾ = σ(bf + Uf x⁽ᵗ⁾ + Wf h⁽ᵗ⁻¹⁾ + pf ⊙ s⁽ᵗ⁻¹⁾)
    q⁽ᵗ⁾ = σ(bo + Uo x⁽ᵗ⁾ + Wo h⁽ᵗ⁻¹⁾ + po ⊙ s⁽ᵗ⁾)

    As `BiasedLSTMCell`, and pg, pf, po (hidden,), 0 at the start

    The output gate sees what the memory has become (Gers, Schraudolph & Schmidhuber 2002).
    """

    def __init__(self, inputs: int, hidden: int, *, rng: Any, dtype: Any = np.float64):
        super().__init__(inputs, hidden, rng=rng, dtype=dtype)
        self.pg, self.pf, self.po = (tg.Parameter(zeros(hidden, dtype=dtype)) for _ in range(3))

    def __call__(self, x: Any, state: LSTMState) -> tuple[Any, LSTMState]:
        """x (B, inputs) → h (B, hidden)"""
        h, s = state
        g = tg.sigmoid(self.bg + x @ self.Ug.T + h @ self.Wg.T + self.pg * s)
        f = tg.sigmoid(self.bf + x @ self.Uf.T + h @ self.Wf.T + self.pf * s)
        a = self.b + x @ self.U.T + h @ self.W.T
        s = f * s + g * tg.tanh(a)
        q = tg.sigmoid(self.bo + x @ self.Uo.T + h @ self.Wo.T + self.po * s)
        h = q * tg.tanh(s)
        return h, LSTMState(h, s)
