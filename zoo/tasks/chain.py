"""A Markov chain that flips: y⁽¹⁾ is a fair coin, y⁽ᵗ⁾ = y⁽ᵗ⁻¹⁾ but with probability ε the other side; x is constant.

x says nothing, so all that can be known of y⁽ᵗ⁾ is y⁽ᵗ⁻¹⁾. With H(ε) = −ε ln ε − (1 − ε) ln (1 − ε):

    T ln 2                  the least loss of a model for which the y are independent once x is known (pattern I)
    ln 2 + (T − 1) H(ε)     the entropy of y: the least loss of any model, reached by one that sees y⁽ᵗ⁻¹⁾ (pattern IV)

For T = 10 and ε = 0.1: 6.931 and 3.619 nats a sequence.
"""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np

from .drawn import Drawn, entropy

Sequences = tuple[np.ndarray, np.ndarray]


class FlippingChain(Drawn):
    """A Markov chain that flips now and then, and an x that says nothing: how likely is y?

    x = 1 (T, B, 1), y labels (T, B), the loss in nats a sequence. Chance, for independent y, is T ln 2, the floor
    ln 2 + (T − 1) H(ε).
    """

    inputs, outputs = 1, 2
    unit = "sequence"
    settings = Drawn.settings | {"length": 10}

    def __init__(self, T: int | None = None, B: int | None = None, dtype: Any = np.float32, ε: float = 0.1):
        super().__init__(T, B, dtype)
        self.ε = ε

    @property
    def chance(self) -> float:  # type: ignore[override]
        return self.T * entropy((0.5, 0.5))

    @property
    def floor(self) -> float:  # type: ignore[override]
        return entropy((0.5, 0.5)) + (self.T - 1) * entropy((self.ε, 1 - self.ε))

    def draw(self, B: int, rng: np.random.Generator) -> Sequences:
        flips = rng.random((self.T, B)) < self.ε
        flips[0] = rng.random(B) < 0.5
        return self.constant(B), np.cumsum(flips, axis=0) % 2

    def constant(self, B: int) -> np.ndarray:
        return np.ones((self.T, B, 1), self.dtype)

    def all_sequences(self) -> tuple[Sequences, np.ndarray]:
        """Each of the 2ᵀ sequences once, as one batch, and their probabilities (2ᵀ,)."""
        y = np.array(list(product((0, 1), repeat=self.T))).T
        flips = (y[1:] != y[:-1]).sum(axis=0)
        p = 0.5 * self.ε**flips * (1 - self.ε) ** (self.T - 1 - flips)
        return (self.constant(y.shape[1]), y), p
