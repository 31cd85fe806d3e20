"""A network with a memory beside it: heads that read and write where they choose (neural Turing machine).

Each head looks with weights w at the N places of the memory M (N, size). It finds them by what is there, and by where
it looked before:

    wᶜ = softmax(β cos(k, Mᵢ))                    by content: like the key k, the more sharply the larger β
    wᵍ = g wᶜ + (1 − g) w⁽ᵗ⁻¹⁾                     or still where it was
    wˢᵢ = s₋₁ wᵍᵢ₊₁ + s₀ wᵍᵢ + s₊₁ wᵍᵢ₋₁              and from there one place on or back
    w⁽ᵗ⁾ = (wˢ)ᵞ / Σᵢ (wˢᵢ)ᵞ                        sharpened
    M⁽ᵗ⁾ = M⁽ᵗ⁻¹⁾ ⊙ (1 − w ⊗ e) + w ⊗ v               write: erase e, add v
    r⁽ᵗ⁾ = Σᵢ wᵢ M⁽ᵗ⁾ᵢ                               read

One head writes, and finds its w in M⁽ᵗ⁻¹⁾; the other reads, and finds its own in M⁽ᵗ⁾. What they are told comes from
the controller, whose output is h⁽ᵗ⁾ with r⁽ᵗ⁾ below it:

    h⁽ᵗ⁾ = tanh(b + W h⁽ᵗ⁻¹⁾ + U x⁽ᵗ⁾ + R r⁽ᵗ⁻¹⁾)
    k = tanh(bk + Wk h),   β = ζ(bβ + Wβ h),   g = σ(bg + Wg h),   s = softmax(bs + Ws h),   γ = 1 + ζ(bγ + Wγ h)
    e = σ(be + We h),   v = tanh(bv + Wv h)                        ζ(a) = log(1 + exp a), softplus

What is written stays until it is erased: gradients through the memory do not fade with time.

Lecture, "Other models"; Goodfellow, Bengio & Courville 2016, section 10.12; Graves, Wayne & Danihelka 2014, equations
2 to 9. The record of a run draws the book's figure 10.18.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn.nn.initialisers import glorot_uniform, orthogonal, zeros

from .sequence import zero

EMPTY = 1e-6
"""What the memory is filled with at first (Collier & Beel 2018 compare the choices)."""


class TuringState(NamedTuple):
    """The controller's h (B, hidden), the memory M (B, N, size), the heads' w (B, N), what was read r (B, size)."""

    h: Any
    M: Any
    w_read: Any
    w_write: Any
    r: Any


class Head(tg.Module):
    """Where to look: weights over the places of a memory, from the controller's h.

    Wk (size, hidden), Wβ, Wg, Wγ (1, hidden), Ws (3, hidden), and bk, bβ, bg, bγ, bs
    """

    def __init__(self, hidden: int, size: int, *, rng: Any, dtype: Any = np.float64):
        rng = np.random.default_rng(rng)
        self.Wk, self.bk = affine(hidden, size, rng, dtype)
        self.Wβ, self.bβ = affine(hidden, 1, rng, dtype)
        self.Wg, self.bg = affine(hidden, 1, rng, dtype)
        self.Ws, self.bs = affine(hidden, 3, rng, dtype)
        self.Wγ, self.bγ = affine(hidden, 1, rng, dtype)

    def __call__(self, h: Any, M: Any, w: Any) -> Any:
        """h (B, hidden), M (B, N, size), w⁽ᵗ⁻¹⁾ (B, N) → w⁽ᵗ⁾ (B, N), at least 0 and of sum 1"""
        k = tg.tanh(self.bk + h @ self.Wk.T)
        β = tg.softplus(self.bβ + h @ self.Wβ.T)
        g = tg.sigmoid(self.bg + h @ self.Wg.T)
        s = tg.softmax(self.bs + h @ self.Ws.T, axis=-1)
        γ = 1 + tg.softplus(self.bγ + h @ self.Wγ.T)
        wc = tg.softmax(β * cosine(np.expand_dims(k, 1), M), axis=-1)
        wg = g * wc + (1 - g) * w
        ws = s[:, 0:1] * turned(wg, -1) + s[:, 1:2] * wg + s[:, 2:3] * turned(wg, 1)
        w = ws**γ / tg.sum(ws**γ, axis=-1, keepdims=True)
        return w


class TuringCell(tg.Module):
    """A controller with a memory, and one head to write and one to read it: x → h → w → M → r.

    U (hidden, inputs), W (hidden, hidden), R (hidden, size), b (hidden,), We and Wv (size, hidden), be and bv (size,)
    """

    def __init__(self, inputs: int, hidden: int, places: int, size: int, *, rng: Any, dtype: Any = np.float64):
        if places < 1:
            raise ValueError(f"a memory has at least one place, not {places}")
        rng = np.random.default_rng(rng)
        self.places = places
        self.U = tg.Parameter(glorot_uniform((hidden, inputs), rng=rng, dtype=dtype))
        self.W = tg.Parameter(orthogonal((hidden, hidden), rng=rng, dtype=dtype))
        self.R = tg.Parameter(glorot_uniform((hidden, size), rng=rng, dtype=dtype))
        self.b = tg.Parameter(zeros(hidden, dtype=dtype))
        self.write, self.read = (Head(hidden, size, rng=rng, dtype=dtype) for _ in range(2))
        self.We, self.be = affine(hidden, size, rng, dtype)
        self.Wv, self.bv = affine(hidden, size, rng, dtype)

    def __call__(self, x: Any, state: TuringState) -> tuple[Any, TuringState]:
        """x (B, inputs) → [h; r] (B, hidden + size)"""
        h, M, w_read, w_write, r = state
        h = tg.tanh(self.b + h @ self.W.T + x @ self.U.T + r @ self.R.T)

        w_write = self.write(h, M, w_write)
        e = tg.sigmoid(self.be + h @ self.We.T)
        v = tg.tanh(self.bv + h @ self.Wv.T)
        M = M * (1 - outer(w_write, e)) + outer(w_write, v)

        w_read = self.read(h, M, w_read)
        r = tg.sum(np.expand_dims(w_read, -1) * M, axis=1)
        return tg.concatenate([h, r], axis=-1), TuringState(h, M, w_read, w_write, r)

    def initial_state(self, B: int) -> TuringState:
        """h⁽⁰⁾ = r⁽⁰⁾ = 0, an empty memory, both heads at the first place."""
        hidden, size = self.R.shape
        first = np.eye(1, self.places, dtype=self.b.dtype).repeat(B, axis=0)
        memory = np.full((B, self.places, size), EMPTY, self.b.dtype)
        return TuringState(zero(B, hidden, self.b.dtype), memory, first, first, zero(B, size, self.b.dtype))


def affine(hidden: int, outputs: int, rng: Any, dtype: Any) -> tuple[tg.Parameter, tg.Parameter]:
    """A matrix and a bias to start from."""
    weight = glorot_uniform((outputs, hidden), rng=rng, dtype=dtype)
    return tg.Parameter(weight), tg.Parameter(zeros(outputs, dtype=dtype))


def outer(w: Any, v: Any) -> Any:
    """w ⊗ v: w (B, N), v (B, size) → (B, N, size)"""
    return np.expand_dims(w, -1) * np.expand_dims(v, 1)


def cosine(k: Any, M: Any) -> Any:
    """k · M / ‖k‖ ‖M‖ along the last axis; 0 where either is 0."""
    return tg.sum(k * M, axis=-1) / (tg.norm(k, axis=-1) * tg.norm(M, axis=-1) + 1e-12)


def turned(w: Any, by: int) -> Any:
    """The weights (B, N) moved on by some places, around the end: place i has what i − by had."""
    return tg.concatenate([w[:, -by:], w[:, :-by]], axis=-1)
