"""Design pattern I: recurrence between hidden units, and an output at every step.

    a⁽ᵗ⁾ = b + W h⁽ᵗ⁻¹⁾ + U x⁽ᵗ⁾,   h⁽⁰⁾ = 0
    h⁽ᵗ⁾ = tanh(a⁽ᵗ⁾)
    o⁽ᵗ⁾ = c + V h⁽ᵗ⁾
    ŷ⁽ᵗ⁾ = softmax(o⁽ᵗ⁾)
    L⁽ᵗ⁾ = −log ŷ⁽ᵗ⁾ of the class y⁽ᵗ⁾,   L = Σₜ L⁽ᵗ⁾

Lecture, "RNN Back Propagation Through Time"; Goodfellow, Bengio & Courville 2016, equations 10.8 to 10.14.
The record of a run draws their figure 10.3.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn.nn.initialisers import glorot_uniform, normal, orthogonal, zeros

from .sequence import sizes


class Pattern1(tg.Module):
    """A recurrent network whose hidden units see their own past: x → h → o at every step.

    U (hidden, inputs), W (hidden, hidden), V (outputs, hidden), b (hidden,), c (outputs,)

    U starts as N(0, 1), so that a one-hot x, which picks a column of it, moves h at once; W starts orthogonal, which
    keeps the length of what h remembers.
    """

    def __init__(self, inputs: int, hidden: int, outputs: int, *, rng: Any, dtype: Any = np.float64):
        rng = np.random.default_rng(rng)
        self.U = tg.Parameter(normal((hidden, inputs), rng=rng, dtype=dtype))
        self.W = tg.Parameter(orthogonal((hidden, hidden), rng=rng, dtype=dtype))
        self.V = tg.Parameter(glorot_uniform((outputs, hidden), rng=rng, dtype=dtype))
        self.b = tg.Parameter(zeros(hidden, dtype=dtype))
        self.c = tg.Parameter(zeros(outputs, dtype=dtype))

    def __call__(self, x: Any, y: Any) -> Any:
        """The loss L in nats: the sum over time, the mean over the batch.  x (T, B, inputs), labels y (T, B)

        Raises what `sequence.sizes` raises for an x and y that do not fit, and `cross_entropy` for wrong labels.
        """
        _, B = sizes(x, y)
        h = self.initial_state(B)
        L: Any = 0
        for x_t, y_t in zip(x, y, strict=True):
            o, h = self.step(x_t, h)
            L = L + tg.cross_entropy(o, y_t)
        return L

    def step(self, x: Any, h: Any) -> tuple[Any, Any]:
        """One step in time.  x (B, inputs), h (B, hidden) → o (B, outputs), h (B, hidden)"""
        h = tg.tanh(self.b + h @ self.W.T + x @ self.U.T)
        o = self.c + h @ self.V.T
        return o, h

    def initial_state(self, B: int) -> np.ndarray:
        """h⁽⁰⁾ = 0, (B, hidden)."""
        return np.zeros((B, self.b.size), self.b.dtype)
