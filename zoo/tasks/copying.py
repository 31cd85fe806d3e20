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

from .drawn import BITS, Drawn

WIDTH = 4


class Copying(Drawn):
    """Copying: T rows of four bits, a sign, the rows again. Chance is 4 T bits a sequence, the floor 0.

    x (2 T + 1, B, 5), y booleans (T, B, 4). A row must be said before the next step begins, as by a Turing machine, so
    that the model must be one that has a `step` and an `initial_state`.
    """

    inputs, outputs = WIDTH + 1, WIDTH
    says, stepwise = BITS, True
    unit, measure = "sequence", "bits"
    floor = 0.0
    settings = Drawn.settings | {"length": 4, "hidden": 32}

    @property
    def chance(self) -> float:  # type: ignore[override]
        return float(WIDTH * self.T)

    def draw(self, B: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        y = rng.integers(2, size=(self.T, B, WIDTH)).astype(bool)
        x = np.zeros((2 * self.T + 1, B, self.inputs), self.dtype)
        x[: self.T, :, :WIDTH], x[self.T, :, WIDTH] = y, 1
        return x, y

    def loss(self, model: Any, *batch: Any) -> Any:
        """Bits a sequence; what is said before the sign is over does not count."""
        x, y = batch
        state: Any = model.initial_state(x.shape[1])
        nats: Any = 0
        for t, x_t in enumerate(x):
            o, state = model.step(x_t, state)
            if t > self.T:
                target = y[t - self.T - 1].astype(self.dtype)
                nats = nats + tg.binary_cross_entropy_with_logits(o, target, reduction="sum")
        return nats / (x.shape[1] * float(np.log(2)))
