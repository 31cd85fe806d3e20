"""Pointer networks: each output is a place of the input, so that there are as many symbols as the input is long.

    h⁽ˢ⁾ = tanh(bₑ + Wₑ h⁽ˢ⁻¹⁾ + Uₑ x⁽ˢ⁾)                              encoder, s = 1 … n
    z⁽ᵗ⁾ = tanh(b + W z⁽ᵗ⁻¹⁾ + U x⁽ʸ⁾),   z⁽⁰⁾ = h⁽ⁿ⁾                    decoder; x⁽ʸ⁾ is what y⁽ᵗ⁻¹⁾ chose, at first 0
    C⁽ᵗ⁾ = Σₛ α⁽ᵗˢ⁾ h⁽ˢ⁾,   α⁽ᵗ⁾ = softmax of glimpse(z⁽ᵗ⁾, h⁽ˢ⁾)            a glimpse at the input
    o⁽ᵗˢ⁾ = point(z⁽ᵗ⁾ + C⁽ᵗ⁾, h⁽ˢ⁾)                                     without a glimpse, point(z⁽ᵗ⁾, h⁽ˢ⁾)
    p(y⁽ᵗ⁾ = s | …) = softmax(o⁽ᵗ⁾)⁽ˢ⁾,   L = −Σₜ log p(y⁽ᵗ⁾ | …)

Attention whose weights are themselves the answer, instead of an average taken with them. Both scores are additive.

Vinyals, Fortunato & Jaitly 2015; the glimpse is that of Vinyals, Bengio & Kudlur 2016.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn.nn.initialisers import glorot_uniform, orthogonal, zeros

from .attention import Additive, attend, masked, places
from .rnn import RNNCell
from .sequence import choose, last, rows, run, sizes, unpadded, values, within, zero


class Pointing(NamedTuple):
    """The decoder's z (B, hidden), the encoder's h (B, n, hidden), the input x (B, n, inputs), what counts (B, n)."""

    z: Any
    h: Any
    x: Any
    counts: Any


class Pointer(tg.Module):
    """A sequence in, a sequence of places in it out: x → h, and z → o over all h.

    U (hidden, inputs), W (hidden, hidden), b (hidden,), and two scores. Its `step` is a cell, as in `attentive.py`.
    """

    def __init__(self, inputs: int, hidden: int, *, glimpse: bool = True, rng: Any, dtype: Any = np.float64):
        rng = np.random.default_rng(rng)
        self.encoder = RNNCell(inputs, hidden, rng=rng, dtype=dtype)
        self.U = tg.Parameter(glorot_uniform((hidden, inputs), rng=rng, dtype=dtype))
        self.W = tg.Parameter(orthogonal((hidden, hidden), rng=rng, dtype=dtype))
        self.b = tg.Parameter(zeros(hidden, dtype=dtype))
        self.glimpse = Additive(hidden, hidden, hidden, rng=rng, dtype=dtype) if glimpse else None
        self.point = Additive(hidden, hidden, hidden, rng=rng, dtype=dtype)

    def __call__(self, x: Any, y: Any, x_lengths: Any = None, y_lengths: Any = None) -> Any:
        """The loss L in nats: the sum over y's time, the mean over the batch.

        x          (n, B, inputs)
        y          places from 0 to n − 1, (m, B), or one-hot rows (m, B, n)
        x_lengths, y_lengths
                   (B,): what comes after is padding, and no place to point to

        Raises what `sequence.sizes` and `sequence.rows` raise for an x, y or lengths that do not fit, ValueError for an
        x of no steps, IndexError for a place behind the end of x.
        """
        n, B = sizes(x)
        y = rows(y, B, n, self.b.dtype, y_lengths)
        state, y_before, L = self.initial_state(x, x_lengths), self.nothing_said(n, B), 0
        for y_t, counts_t in zip(y, within(y_lengths, len(y), B), strict=True):
            o, state = self.step(y_before, state)
            L = L + tg.mean(choose(counts_t, self.loss(o, y_t), 0))
            y_before = y_t
        if x_lengths is not None and values(y)[:, ~values(state.counts)].any():
            raise IndexError("y points to a place behind the end of its x")
        return L

    def loss(self, o: Any, y: Any) -> Any:
        """−y log softmax(o), (B,), of which a place that cannot be pointed to, o = −∞, is no part."""
        return -tg.sum(tg.where(y > 0, tg.log_softmax(o), 0) * y, axis=-1)

    def step(self, y: Any, state: Pointing) -> tuple[Any, Pointing]:
        """One step in time.  y⁽ᵗ⁻¹⁾ (B, n) → o (B, n)"""
        z, h, x, counts = state
        chosen = tg.sum(np.expand_dims(y, -1) * x, axis=1)
        z = tg.tanh(self.b + z @ self.W.T + chosen @ self.U.T)
        q = z
        if self.glimpse is not None:
            C, _ = attend(self.glimpse(z, h), h, counts)
            q = z + C
        o = masked(self.point(q, h), counts)
        return o, Pointing(z, h, x, counts)

    def initial_state(self, x: Any, lengths: Any = None) -> Pointing:
        """z⁽⁰⁾, all h and all x, having read x."""
        h, _ = run(self.encoder, x, lengths=lengths)
        counts = places(lengths, *np.shape(x)[:2])
        return Pointing(last(h, lengths), tg.stack(h, axis=1), np.swapaxes(unpadded(x, lengths), 0, 1), counts)

    def nothing_said(self, n: int, B: int) -> tg.Tensor:
        """y⁽⁰⁾ = 0, no place, (B, n)."""
        return zero(B, n, self.b.dtype)
