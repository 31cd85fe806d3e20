"""The adding problem: the sum of the two numbers that are marked, anywhere in a long sequence.

    x⁽ᵗ⁾ = (u⁽ᵗ⁾, m⁽ᵗ⁾),   u uniform in [0, 1],   m = 1 at two steps, one in each half, else 0
    y = Σₜ m⁽ᵗ⁾ u⁽ᵗ⁾

The best answer without memory of where the marks were is the mean, 1. Its squared error is the variance of the sum of
two uniform numbers, 2 · 1/12 = 1/6 = 0.1667 (0.1767, which is often printed, is wrong). y is a function of x: floor 0.

Hochreiter & Schmidhuber 1997, experiment 4, whose numbers are from [−1, 1] and whose targets are scaled.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .drawn import AT_END, NUMBERS, Drawn


class Adding(Drawn):
    """The adding problem: the sum of the two marked numbers. Chance is the variance of the sum, 1/6; the floor is 0.

    x (T, B, 2), y (B, 1), the loss the mean squared error.
    """

    inputs, outputs = 2, 1
    wants, says = AT_END, NUMBERS
    unit, measure = "sequence", "squared error"
    chance = 2 * (1 / 12)
    floor = 0.0
    least = 2
    settings = Drawn.settings | {"length": 50, "hidden": 32}

    def draw(self, B: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        x = np.zeros((self.T, B, 2), self.dtype)
        x[:, :, 0] = rng.random((self.T, B))
        half = self.T // 2
        for marks in rng.integers(half, size=B), rng.integers(half, self.T, size=B):
            x[marks, np.arange(B), 1] = 1
        return x, (x[:, :, 0] * x[:, :, 1]).sum(axis=0)[:, None]

    def loss(self, model: Any, *batch: Any) -> Any:
        """The mean of (o − y)²: the loss of every model here is half of it."""
        return 2 * model(*batch)
