"""The orbit of a map of the unit interval: predict the next number, then go on from the prediction.

    y⁽ᵗ⁾ = r y⁽ᵗ⁻¹⁾ (1 − y⁽ᵗ⁻¹⁾)          logistic map, y⁽⁰⁾ uniform in [0, 1]
    x⁽¹⁾ = y⁽⁰⁾,  x⁽ᵗ⁾ = 0 after that

A network that is fed the true y⁽ᵗ⁻¹⁾ while it learns, and its own output in use, has never seen its own errors: they
add up. That is exposure bias. r = 3.5 leads to a cycle of four numbers, where errors die out; at r = 4 the map doubles
them at each step on average, whatever the network, and nobody can go on for long.

The floor is 0. Chance is the variance of y⁽ᵗ⁾, the squared error of the best constant for each step, computed here from
the moments of a fine grid of y⁽⁰⁾.

May 1976, Simple mathematical models with very complicated dynamics; Bengio, Vinyals, Jaitly & Shazeer 2015.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from .drawn import NUMBERS, Drawn


class Orbit(Drawn):
    """The orbit of the logistic map: the next number, from the last. Chance is its variance; the floor is 0.

    x (T, B, 1), y (T, B, 1), the loss the mean squared error of a step. Raises ValueError for r outside [0, 4].
    """

    inputs = outputs = 1
    says = NUMBERS
    measure = "squared error"
    floor = 0.0
    settings = Drawn.settings | {"length": 10}

    def __init__(self, T: int | None = None, B: int | None = None, dtype: Any = np.float32, r: float = 3.5):
        super().__init__(T, B, dtype)
        if not 0 <= r <= 4:
            raise ValueError(f"the logistic map stays in [0, 1] for r from 0 to 4, not {r}")
        self.r = r

    @cached_property
    def chance(self) -> float:  # type: ignore[override]
        return float(self.orbit((np.arange(100_000) + 0.5) / 100_000)[1:].var(axis=1).mean())

    def orbit(self, start: np.ndarray) -> np.ndarray:
        """y⁽⁰⁾ … y⁽ᵀ⁾, (T + 1, B), from start (B,)."""
        y = [start]
        for _ in range(self.T):
            y.append(self.r * y[-1] * (1 - y[-1]))
        return np.array(y)

    def draw(self, B: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        y = self.orbit(rng.random(B)).astype(self.dtype)[:, :, None]
        x = np.zeros_like(y[1:])
        x[0] = y[0]
        return x, y[1:]

    def loss(self, model: Any, *batch: Any) -> Any:
        """The mean of (o − y)² over steps: the loss of every model here is half of the sum."""
        return 2 * model(*batch) / self.T
