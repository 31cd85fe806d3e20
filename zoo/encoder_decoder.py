"""Sequence to sequence: one network reads x⁽¹⁾ … x⁽ⁿ⁾ into a context C, another writes y⁽¹⁾ … y⁽ᵐ⁾ from it.

    h⁽ᵗ⁾ = tanh(b + W h⁽ᵗ⁻¹⁾ + U x⁽ᵗ⁾),   h⁽⁰⁾ = 0           encoder
    C = tanh(d + Q h⁽ⁿ⁾)                                  context
    p(y⁽¹⁾ … y⁽ᵐ⁾ | C)                                    decoder: `vector_to_sequence.py`, from C

The lengths n and m have nothing to do with each other. All that the decoder learns of x is in C, whose size is fixed:
for long sequences that is too little, and `attentive.py` lets the decoder look at all h instead.

Lecture, "Sequence-to-Sequence Networks"; Goodfellow, Bengio & Courville 2016, section 10.4; Cho et al. 2014; Sutskever,
Vinyals & Le 2014. The record of a run draws the book's figure 10.12.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn.nn.initialisers import glorot_uniform, zeros

from .rnn import RNNCell
from .sequence import last, run
from .vector_to_sequence import VectorToSequence


class EncoderDecoder(tg.Module):
    """A sequence in, a sequence of another length out, through one vector C.

    Q (hidden, hidden), d (hidden,), and what `RNNCell` and `VectorToSequence` have

    To write: ``decoding.beam(model.decoder.step, model.decoder.nothing_said(B), model.initial_state(x), T, width)``.
    """

    def __init__(self, inputs: int, hidden: int, symbols: int, *, rng: Any, dtype: Any = np.float64):
        rng = np.random.default_rng(rng)
        self.encoder = RNNCell(inputs, hidden, rng=rng, dtype=dtype)
        self.Q = tg.Parameter(glorot_uniform((hidden, hidden), rng=rng, dtype=dtype))
        self.d = tg.Parameter(zeros(hidden, dtype=dtype))
        self.decoder = VectorToSequence(hidden, hidden, symbols, rng=rng, dtype=dtype)

    def __call__(self, x: Any, y: Any, x_lengths: Any = None, y_lengths: Any = None) -> Any:
        """The loss L in nats: the sum over y's time, the mean over the batch.

        x          (n, B, inputs)
        y          labels (m, B), or one-hot rows (m, B, symbols)
        x_lengths, y_lengths
                   (B,): what comes after is padding
        """
        C = self.context(x, x_lengths)
        L = self.decoder(C, y, y_lengths)
        return L

    def context(self, x: Any, lengths: Any = None) -> Any:
        """x (n, B, inputs) → C (B, hidden)"""
        h, _ = run(self.encoder, x, lengths=lengths)
        C = tg.tanh(self.d + last(h, lengths) @ self.Q.T)
        return C

    def initial_state(self, x: Any, lengths: Any = None) -> Any:
        """What the decoder starts from, having read x."""
        return self.decoder.initial_state(self.context(x, lengths))
