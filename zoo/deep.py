"""Deep recurrent networks: three ways to put more layers into a step.

    (a) a hierarchy of states                 h⁽ᵗ⁾ = tanh(b + W h⁽ᵗ⁻¹⁾ + U x⁽ᵗ⁾)
                                              z⁽ᵗ⁾ = tanh(d + R z⁽ᵗ⁻¹⁾ + S h⁽ᵗ⁾)

    (b) more layers from input to state, from state to state, and after the state
                                              e⁽ᵗ⁾ = tanh(be + E x⁽ᵗ⁾)
                                              m⁽ᵗ⁾ = tanh(bm + M h⁽ᵗ⁻¹⁾)
                                              h⁽ᵗ⁾ = tanh(b + W m⁽ᵗ⁾ + U e⁽ᵗ⁾)
                                              z⁽ᵗ⁾ = tanh(d + S h⁽ᵗ⁾)

    (c) as (b), with a connection past m      h⁽ᵗ⁾ = tanh(b + W m⁽ᵗ⁾ + R h⁽ᵗ⁻¹⁾ + U e⁽ᵗ⁾)

The layer m makes the way from h⁽ᵗ⁻¹⁾ to h⁽ᵗ⁾ twice as long, which makes gradients vanish sooner; R is a way as short as
before. The output of each cell is z.

Goodfellow, Bengio & Courville 2016, section 10.5; Pascanu et al. 2014. The records of their runs draw the book's figure
10.13.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn.nn.initialisers import glorot_uniform, orthogonal, zeros

from .sequence import zero


class DeepState(NamedTuple):
    """The lower state h and the upper z, each (B, hidden)."""

    h: Any
    z: Any


class DeepStatesCell(tg.Module):
    """Depth, first way: a recurrent layer on top of a recurrent layer, x → h → z.

    U (hidden, inputs), W, S, R (hidden, hidden), b, d (hidden,)
    """

    def __init__(self, inputs: int, hidden: int, *, rng: Any, dtype: Any = np.float64):
        rng = np.random.default_rng(rng)
        self.U = tg.Parameter(glorot_uniform((hidden, inputs), rng=rng, dtype=dtype))
        self.S = tg.Parameter(glorot_uniform((hidden, hidden), rng=rng, dtype=dtype))
        self.W, self.R = (tg.Parameter(orthogonal((hidden, hidden), rng=rng, dtype=dtype)) for _ in range(2))
        self.b, self.d = (tg.Parameter(zeros(hidden, dtype=dtype)) for _ in range(2))

    def __call__(self, x: Any, state: DeepState) -> tuple[Any, DeepState]:
        """x (B, inputs) → z (B, hidden)"""
        h, z = state
        h = tg.tanh(self.b + h @ self.W.T + x @ self.U.T)
        z = tg.tanh(self.d + z @ self.R.T + h @ self.S.T)
        return z, DeepState(h, z)

    def initial_state(self, B: int) -> DeepState:
        """h⁽⁰⁾ = z⁽⁰⁾ = 0."""
        hidden, dtype = self.b.size, self.b.dtype
        return DeepState(zero(B, hidden, dtype), zero(B, hidden, dtype))


class DeepTransitionCell(tg.Module):
    """Depth, second way: one state, with a layer before it, after it and on its way through time.

    E (hidden, inputs), M, W, U, S (hidden, hidden), be, bm, b, d (hidden,)
    """

    def __init__(self, inputs: int, hidden: int, *, rng: Any, dtype: Any = np.float64):
        rng = np.random.default_rng(rng)
        self.E = tg.Parameter(glorot_uniform((hidden, inputs), rng=rng, dtype=dtype))
        self.U, self.S = (tg.Parameter(glorot_uniform((hidden, hidden), rng=rng, dtype=dtype)) for _ in range(2))
        self.M, self.W = (tg.Parameter(orthogonal((hidden, hidden), rng=rng, dtype=dtype)) for _ in range(2))
        self.be, self.bm, self.b, self.d = (tg.Parameter(zeros(hidden, dtype=dtype)) for _ in range(4))

    def __call__(self, x: Any, h: Any) -> tuple[Any, Any]:
        """x (B, inputs), h (B, hidden) → z as the output, h as the state"""
        e = tg.tanh(self.be + x @ self.E.T)
        m = tg.tanh(self.bm + h @ self.M.T)
        h = tg.tanh(self.b + m @ self.W.T + e @ self.U.T)
        z = tg.tanh(self.d + h @ self.S.T)
        return z, h

    def initial_state(self, B: int) -> tg.Tensor:
        """h⁽⁰⁾ = 0, (B, hidden)."""
        return zero(B, self.b.size, self.b.dtype)


class DeepSkipCell(DeepTransitionCell):
    """Depth, third way: as the second, with a connection around the layer on the way through time.

    As `DeepTransitionCell`, and R (hidden, hidden)
    """

    def __init__(self, inputs: int, hidden: int, *, rng: Any, dtype: Any = np.float64):
        rng = np.random.default_rng(rng)
        super().__init__(inputs, hidden, rng=rng, dtype=dtype)
        self.R = tg.Parameter(orthogonal((hidden, hidden), rng=rng, dtype=dtype))

    def __call__(self, x: Any, h: Any) -> tuple[Any, Any]:
        """x (B, inputs), h (B, hidden) → z as the output, h as the state"""
        e = tg.tanh(self.be + x @ self.E.T)
        m = tg.tanh(self.bm + h @ self.M.T)
        h = tg.tanh(self.b + m @ self.W.T + h @ self.R.T + e @ self.U.T)
        z = tg.tanh(self.d + h @ self.S.T)
        return z, h
