"""The Mackey-Glass series: a chaotic equation with a delay, to be continued by a network that runs free.

    ẏ(t) = 0.2 y(t − τ) / (1 + y(t − τ)¹⁰) − 0.1 y(t)

It is mildly chaotic from τ = 16.8 on, and wildly at τ = 30. Euler's method with steps of 0.1, of which every tenth
value counts, squashed by tanh(y − 1): then a step of the series is one unit of time, and all values are in (−1, 1).

How far two runs, the true one and the network's, are from each other k steps after they parted is measured over many:

    NRMSEₖ = √(mean of (o⁽ᵏ⁾ − y⁽ᵏ⁾)² / variance of y)

The best constant has 1, that is chance. The floor is 0, as y is a function of its past; but errors of the last bit grow
too, and no network of numbers in double precision goes on for ever.

Mackey & Glass 1977; Jaeger 2001, The "echo state" approach, GMD report 148, section 4.2 (the settings); Jaeger & Haas
2004.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_rnn.initialisers import generator

STEP, EVERY = 0.1, 10  # Euler's step; how many of them are one step of the series
SETTLING = 1000  # steps that are thrown away, after which the series is on its attractor


def mackey_glass(T: int, B: int, τ: int, rng: Any) -> np.ndarray:
    """B runs of T steps, (T, B, 1), in (−1, 1), each from a past of its own: constant, uniform in [0.8, 1.6].

    Raises ValueError unless T, B and τ are at least 1.
    """
    if min(T, B, τ) < 1:
        raise ValueError(f"mackey_glass: T, B and τ are at least 1, not T = {T}, B = {B}, τ = {τ}")
    delay = round(τ / STEP)
    y = np.empty((delay + 1 + (SETTLING + T) * EVERY, B))
    y[: delay + 1] = generator(rng).uniform(0.8, 1.6, B)
    for t in range(delay, len(y) - 1):
        past = y[t - delay]
        y[t + 1] = y[t] + STEP * (0.2 * past / (1 + past**10) - 0.1 * y[t])
    return np.tanh(y[delay + 1 :: EVERY][SETTLING:] - 1)[:, :, None]


def nrmse(o: np.ndarray, y: np.ndarray, variance: float) -> float:
    """How far outputs o are from y, (B, 1), in units of the standard deviation of the series."""
    return float(np.sqrt(np.mean((o - y) ** 2) / variance))
