"""Design pattern III: the only recurrence is from the output of one step to the hidden units of the next.

    h⁽ᵗ⁾ = tanh(b + W r⁽ᵗ⁻¹⁾ + U x⁽ᵗ⁾),   r⁽⁰⁾ = 0
    o⁽ᵗ⁾ = c + V h⁽ᵗ⁾
    L⁽ᵗ⁾ = −y⁽ᵗ⁾ log softmax(o⁽ᵗ⁾),   L = Σₜ L⁽ᵗ⁾

What is fed back, r⁽ᵗ⁾, is

    y⁽ᵗ⁾              the target: teacher forcing. Then L⁽ᵗ⁾ depends on step t alone: no gradient flows through time
    said by o⁽ᵗ⁾      its own word: free-running, as it must when there are no targets
    y⁽ᵗ⁾ or the word  by the toss of a coin at each step: scheduled sampling (Bengio et al. 2015)

The network is less powerful than pattern I: all that it knows of the past is its last word, and that is trained to be
the target, not to be a memory.

Lecture, "Design Pattern III"; Goodfellow, Bengio & Courville 2016, section 10.2.1. The record of a free run of
`Pattern3Values` draws their figure 10.4, and together with that of a forced run figure 10.6.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn.nn.initialisers import generator, glorot_uniform, zeros

from .sequence import rows, sizes, zero


class Pattern3(tg.Module):
    """A network that knows of the past only the class that it said last.

    U (hidden, inputs), W (hidden, outputs), V (outputs, hidden), b (hidden,), c (outputs,)
    """

    def __init__(self, inputs: int, hidden: int, outputs: int, *, rng: Any, dtype: Any = np.float64):
        rng = np.random.default_rng(rng)
        self.U = tg.Parameter(glorot_uniform((hidden, inputs), rng=rng, dtype=dtype))
        self.W = tg.Parameter(glorot_uniform((hidden, outputs), rng=rng, dtype=dtype))
        self.V = tg.Parameter(glorot_uniform((outputs, hidden), rng=rng, dtype=dtype))
        self.b = tg.Parameter(zeros(hidden, dtype=dtype))
        self.c = tg.Parameter(zeros(outputs, dtype=dtype))

    def __call__(self, x: Any, y: Any, forced: float = 1, rng: Any = None) -> Any:
        """The loss L in nats: the sum over time, the mean over the batch.

        x       (T, B, inputs)
        y       labels (T, B), or one-hot rows (T, B, outputs)
        forced  how likely a step is fed the target before it: 1 teacher forcing, 0 free-running, between them
                scheduled sampling, for each step of each sequence by itself
        rng     draws the words and tosses the coins; without, its word is the likeliest class
                (which can be a memory: where two classes are as likely, which of them is a little likelier is free to
                say anything, and a drawn word is not)

        Raises ValueError for forced outside [0, 1], TypeError if coins are to be tossed without an rng, and what
        `sequence.sizes` and `sequence.rows` raise for an x and y that do not fit.
        """
        L = 0
        for L_t in self.losses(x, y, forced, rng):
            L = L + L_t
        return L

    def losses(self, x: Any, y: Any, forced: float = 1, rng: Any = None) -> Iterator[Any]:
        """L⁽¹⁾, …, L⁽ᵀ⁾. Under teacher forcing each can be used and forgotten before the next is computed."""
        if not 0 <= forced <= 1:
            raise ValueError(f"forced: a probability from 0 to 1, not {forced}")
        T, B = sizes(x, y)
        noise = self.noise(T, B, rng)
        coins = tg.Tensor(generator(rng).random((T, B, 1)) < forced) if 0 < forced < 1 else [None] * T
        r: Any = self.nothing_said(B)
        for x_t, y_t, noise_t, heads in zip(x, self.targets(y), noise, coins, strict=True):
            o = self.step(x_t, r)
            yield self.loss(o, y_t)
            if forced == 1:
                r = y_t
            elif forced == 0:
                r = self.said(o, noise_t)
            else:
                r = tg.where(heads, y_t, self.said(o, noise_t))

    def mixed(self, x: Any, y: Any, rng: Any = None) -> Any:
        """Both at once, against the difference between training and use: half the forced loss, half the free one."""
        L = (self(x, y) + self(x, y, forced=0, rng=rng)) / 2
        return L

    def generate(self, x: Any, rng: Any = None) -> Any:
        """What it says by itself, given x (T, B, inputs): rows (T, B, outputs)."""
        T, B = sizes(x)
        r, words = self.nothing_said(B), []
        for x_t, noise_t in zip(x, self.noise(T, B, rng), strict=True):
            o = self.step(x_t, r)
            r = self.said(o, noise_t)
            words.append(r)
        return tg.stack(words)

    def step(self, x: Any, r: Any) -> Any:
        """One step in time.  x (B, inputs), r (B, outputs) → o (B, outputs)"""
        h = tg.tanh(self.b + r @ self.W.T + x @ self.U.T)
        o = self.c + h @ self.V.T
        return o

    def nothing_said(self, B: int) -> tg.Tensor:
        """r⁽⁰⁾ = 0, (B, outputs)."""
        return zero(B, self.c.size, self.c.dtype)

    def targets(self, y: Any) -> Any:
        """y as rows (T, B, outputs)."""
        return rows(y, None, self.c.size, self.c.dtype)

    def loss(self, o: Any, y: Any) -> Any:
        """−y log softmax(o), the mean over the batch.  o and y (B, outputs)"""
        return tg.mean(-tg.sum(y * tg.log_softmax(o), axis=-1))

    def said(self, o: Any, noise: Any) -> Any:
        """A draw from softmax(o) as a one-hot row: the largest of o + Gumbel noise. No gradient flows through it."""
        return tg.one_hot(tg.argmax(o if noise is None else o + noise, axis=-1), self.c.size, self.c.dtype)

    def noise(self, T: int, B: int, rng: Any) -> Any:
        """Gumbel noise for every step, (T, B, outputs); none without an rng."""
        if rng is None:
            return [None] * T
        return tg.Tensor(np.random.default_rng(rng).gumbel(size=(T, B, self.c.size)).astype(self.c.dtype))


class Pattern3Values(Pattern3):
    """A network that knows of the past only its last output, numbers.

    L⁽ᵗ⁾ = ½ ‖o⁽ᵗ⁾ − y⁽ᵗ⁾‖², and the word of o is o itself, through which gradients flow back in time.
    """

    def targets(self, y: Any) -> Any:
        return y

    def loss(self, o: Any, y: Any) -> Any:
        return tg.mse(o, y, reduction="sum") / (2 * len(o))

    def said(self, o: Any, noise: Any) -> Any:
        return o

    def noise(self, T: int, B: int, rng: Any) -> Any:
        return [None] * T
