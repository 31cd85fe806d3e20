"""Copying: rows of bits, a sign, then the same rows again; how many there are is not fixed.

    x   1 0 1 1 0   0 0 0 0 1   0 0 0 0 0            four bits a row, and a fifth for the sign
    y               -           1 0 1 1              four bits; before the sign nothing is asked

A model that remembers nothing needs 4 bits a row, 4 T a sequence. The floor is 0. A network with a memory beside it can
learn to copy as such, and then copies longer sequences than it has ever seen; one that keeps them in its hidden units
learns lengths.

Graves, Wayne & Danihelka 2014, Neural Turing machines, section 4.1 (theirs have 8 bits and lengths up to 20).
"""

from __future__ import annotations

from typing import Any

import numpy as np

import tinygrad_rnn as tg

BITS = 4


class Copying:
    """Copying: T rows of four bits, a sign, the rows again. Chance is 4 T bits a sequence, the floor 0.

    x (2 T + 1, B, 5), y booleans (T, B, 4). Raises ValueError for T below 1.
    """

    inputs, outputs = BITS + 1, BITS
    floor = 0.0

    def __init__(self, T: int, B: int = 64, dtype: Any = np.float32):
        if T < 1:
            raise ValueError(f"Copying: there is a row at least, not T = {T}")
        self.T, self.B, self.dtype = T, B, dtype

    @property
    def chance(self) -> float:
        return float(BITS * self.T)

    def draw(self, B: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        y = rng.integers(2, size=(self.T, B, BITS)).astype(bool)
        x = np.zeros((2 * self.T + 1, B, self.inputs), self.dtype)
        x[: self.T, :, :BITS], x[self.T, :, BITS] = y, 1
        return x, y

    def loss(self, model: Any, x: np.ndarray, y: np.ndarray) -> Any:
        """Bits a sequence, for a model that has a `step` and an `initial_state`."""
        state, nats = model.initial_state(x.shape[1]), 0
        for t, x_t in enumerate(x):
            o, state = model.step(x_t, state)
            if t > self.T:
                target = y[t - self.T - 1].astype(self.dtype)
                nats = nats + tg.binary_cross_entropy_with_logits(o, target, reduction="sum")
        return nats / (x.shape[1] * float(np.log(2)))
