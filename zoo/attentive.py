"""Sequence to sequence with attention: at every step the decoder looks at all hidden units of the encoder.

    h⁽ˢ⁾ = tanh(bₑ + Wₑ h⁽ˢ⁻¹⁾ + Uₑ x⁽ˢ⁾)                              encoder, s = 1 … n
    e⁽ᵗˢ⁾ = score(z⁽ᵗ⁻¹⁾, h⁽ˢ⁾),   α⁽ᵗ⁾ = softmax(e⁽ᵗ⁾)                  where to look
    C⁽ᵗ⁾ = Σₛ α⁽ᵗˢ⁾ h⁽ˢ⁾                                              what is seen
    z⁽ᵗ⁾ = tanh(b + W z⁽ᵗ⁻¹⁾ + U y⁽ᵗ⁻¹⁾ + R C⁽ᵗ⁾),   z⁽⁰⁾ = tanh(d + Q h⁽ⁿ⁾)   decoder, t = 1 … m
    o⁽ᵗ⁾ = c + V z⁽ᵗ⁾ + P C⁽ᵗ⁾
    L⁽ᵗ⁾ = −y⁽ᵗ⁾ log softmax(o⁽ᵗ⁾),   L = Σₜ L⁽ᵗ⁾

In `encoder_decoder.py` C is one vector for all steps, whatever n; here it is a new one for each.

Lecture, "Sequence-to-Sequence Networks" and "Attention Mechanisms"; Bahdanau, Cho & Bengio 2015.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn.nn.initialisers import glorot_uniform, orthogonal, zeros

from .attention import Additive, attend, places
from .rnn import RNNCell
from .sequence import choose, last, rows, run, sizes, within, zero


class Looking(NamedTuple):
    """The decoder's z (B, hidden), the encoder's h (B, n, hidden), what counts (B, n), its last look α (B, n)."""

    z: Any
    h: Any
    counts: Any
    α: Any


class AttentiveDecoder(tg.Module):
    """A sequence in, a sequence of another length out, the writer looking back at all that was read.

    U (hidden, symbols), W, R, Q (hidden, hidden), V, P (symbols, hidden), b, d (hidden,), c (symbols,)
    score  how the relevance of h to z is computed: of `attention`; without, `Additive`

    Its `step` is a cell: ``decoding.greedy(model.step, model.nothing_said(B), model.initial_state(x), T)``.
    """

    def __init__(self, inputs: int, hidden: int, symbols: int, score: Any = None, *, rng: Any, dtype: Any = np.float64):
        rng = np.random.default_rng(rng)
        self.encoder = RNNCell(inputs, hidden, rng=rng, dtype=dtype)
        self.score = score or Additive(hidden, hidden, hidden, rng=rng, dtype=dtype)
        self.U = tg.Parameter(glorot_uniform((hidden, symbols), rng=rng, dtype=dtype))
        self.W = tg.Parameter(orthogonal((hidden, hidden), rng=rng, dtype=dtype))
        self.R, self.Q = (tg.Parameter(glorot_uniform((hidden, hidden), rng=rng, dtype=dtype)) for _ in range(2))
        self.V, self.P = (tg.Parameter(glorot_uniform((symbols, hidden), rng=rng, dtype=dtype)) for _ in range(2))
        self.b, self.d = (tg.Parameter(zeros(hidden, dtype=dtype)) for _ in range(2))
        self.c = tg.Parameter(zeros(symbols, dtype=dtype))

    def __call__(self, x: Any, y: Any, x_lengths: Any = None, y_lengths: Any = None) -> Any:
        """The loss L in nats: the sum over y's time, the mean over the batch.

        x          (n, B, inputs)
        y          labels (m, B), or one-hot rows (m, B, symbols)
        x_lengths, y_lengths
                   (B,): what comes after is padding

        Raises what `sequence.sizes` and `sequence.rows` raise for an x, y or lengths that do not fit, ValueError for an
        x of no steps.
        """
        _, B = sizes(x)
        y = rows(y, B, self.c.size, self.c.dtype, y_lengths)
        state, y_before, L = self.initial_state(x, x_lengths), self.nothing_said(B), 0
        for y_t, counts_t in zip(y, within(y_lengths, len(y), B), strict=True):
            o, state = self.step(y_before, state)
            L = L + tg.mean(choose(counts_t, -tg.sum(y_t * tg.log_softmax(o), axis=-1), 0))
            y_before = y_t
        return L

    def step(self, y: Any, state: Looking) -> tuple[Any, Looking]:
        """One step in time.  y⁽ᵗ⁻¹⁾ (B, symbols) → o (B, symbols)"""
        z, h, counts, _ = state
        C, α = attend(self.score(z, h), h, counts)
        z = tg.tanh(self.b + z @ self.W.T + y @ self.U.T + C @ self.R.T)
        o = self.c + z @ self.V.T + C @ self.P.T
        return o, Looking(z, h, counts, α)

    def initial_state(self, x: Any, lengths: Any = None) -> Looking:
        """z⁽⁰⁾ and all h, having read x."""
        h, _ = run(self.encoder, x, lengths=lengths)
        z = tg.tanh(self.d + last(h, lengths) @ self.Q.T)
        return Looking(z, tg.stack(h, axis=1), places(lengths, *np.shape(x)[:2]), None)

    def nothing_said(self, B: int) -> tg.Tensor:
        """y⁽⁰⁾ = 0, (B, symbols)."""
        return zero(B, self.c.size, self.c.dtype)
