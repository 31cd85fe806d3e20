"""Design pattern IV: recurrence between hidden units, and from the outputs too.

    h⁽ᵗ⁾ = tanh(b + W h⁽ᵗ⁻¹⁾ + R y⁽ᵗ⁻¹⁾ + U x⁽ᵗ⁾),   h⁽⁰⁾ = 0,  y⁽⁰⁾ = 0
    o⁽ᵗ⁾ = c + V h⁽ᵗ⁾
    p(y⁽ᵗ⁾ | x⁽¹⁾ … x⁽ᵗ⁾, y⁽¹⁾ … y⁽ᵗ⁻¹⁾) = softmax(o⁽ᵗ⁾)
    p(y⁽¹⁾ … y⁽ᵀ⁾ | x⁽¹⁾ … x⁽ᵀ⁾) = Πₜ p(y⁽ᵗ⁾ | …)           the chain rule: exact, for any dependence among the y
    L = Σₜ L⁽ᵗ⁾,   L⁽ᵗ⁾ = −log p(y⁽ᵗ⁾ | …) = −y⁽ᵗ⁾ log softmax(o⁽ᵗ⁾)

In pattern I the y are independent of one another once x is known; here y⁽ᵗ⁾ may depend on all the y before it. The
lecture's chain rule has all of x, x⁽¹⁾ … x⁽ᵀ⁾, as the condition of each factor. A network that reads to the right knows
those up to x⁽ᵗ⁾ when it says y⁽ᵗ⁾; the product is a distribution over y all the same.

Lecture, "Design Pattern IV"; Goodfellow, Bengio & Courville 2016, section 10.2.4. The record of a run draws their
figure 10.10. Without x it is `generative.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn.nn.initialisers import generator, glorot_uniform, orthogonal, zeros

from .sequence import rows, sizes, zero


class Pattern4(tg.Module):
    """A distribution over sequences y of the length of x, each y⁽ᵗ⁾ depending on all y before it.

    U (hidden, inputs), W (hidden, hidden), R (hidden, outputs), V (outputs, hidden), b (hidden,), c (outputs,)
    """

    def __init__(self, inputs: int, hidden: int, outputs: int, *, rng: Any, dtype: Any = np.float64):
        rng = np.random.default_rng(rng)
        self.U = tg.Parameter(glorot_uniform((hidden, inputs), rng=rng, dtype=dtype))
        self.W = tg.Parameter(orthogonal((hidden, hidden), rng=rng, dtype=dtype))
        self.R = tg.Parameter(glorot_uniform((hidden, outputs), rng=rng, dtype=dtype))
        self.V = tg.Parameter(glorot_uniform((outputs, hidden), rng=rng, dtype=dtype))
        self.b = tg.Parameter(zeros(hidden, dtype=dtype))
        self.c = tg.Parameter(zeros(outputs, dtype=dtype))

    def __call__(self, x: Any, y: Any) -> Any:
        """The loss L in nats: the sum over time, the mean over the batch.

        x  (T, B, inputs)
        y  labels (T, B), or one-hot rows (T, B, outputs)

        Raises what `sequence.sizes` and `sequence.rows` raise for an x and y that do not fit.
        """
        L = 0
        for L_t in self.losses(x, y):
            L = L + tg.mean(L_t)
        return L

    def log_likelihood(self, x: Any, y: Any) -> Any:
        """log p(y⁽¹⁾ … y⁽ᵀ⁾ | x⁽¹⁾ … x⁽ᵀ⁾) of each sequence, (B,), in nats."""
        return -sum(self.losses(x, y))

    def losses(self, x: Any, y: Any) -> Iterator[Any]:
        """L⁽¹⁾, …, L⁽ᵀ⁾, each (B,)."""
        _, B = sizes(x, y)
        h, y_before = self.initial_state(B), self.nothing_said(B)
        for x_t, y_t in zip(x, rows(y, B, self.c.size, self.c.dtype), strict=True):
            o, h = self.step(x_t, y_before, h)
            yield -tg.sum(y_t * tg.log_softmax(o), axis=-1)
            y_before = y_t

    def sample(self, x: Any, rng: Any) -> np.ndarray:
        """Draw y from p(y | x): labels (T, B).  x (T, B, inputs)"""
        rng, (_, B) = generator(rng), sizes(x)
        h, y = self.initial_state(B), self.nothing_said(B)
        drawn = []
        with tg.no_grad():
            for x_t in x:
                o, h = self.step(x_t, y, h)
                drawn.append(np.argmax(o.data + rng.gumbel(size=o.shape), axis=-1))  # the largest is a fair draw
                y = tg.one_hot(drawn[-1], self.c.size, self.c.dtype)
        return np.array(drawn)

    def step(self, x: Any, y: Any, h: Any) -> tuple[Any, Any]:
        """One step in time.  x (B, inputs), y⁽ᵗ⁻¹⁾ (B, outputs), h (B, hidden) → o (B, outputs), h (B, hidden)"""
        h = tg.tanh(self.b + h @ self.W.T + y @ self.R.T + x @ self.U.T)
        o = self.c + h @ self.V.T
        return o, h

    def initial_state(self, B: int) -> tg.Tensor:
        """h⁽⁰⁾ = 0, (B, hidden)."""
        return zero(B, self.b.size, self.b.dtype)

    def nothing_said(self, B: int) -> tg.Tensor:
        """y⁽⁰⁾ = 0, (B, outputs)."""
        return zero(B, self.c.size, self.c.dtype)
