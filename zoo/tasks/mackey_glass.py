"""The Mackey-Glass series: a chaotic equation with a delay, to be continued by a network that runs free.

    ẏ(t) = 0.2 y(t − τ) / (1 + y(t − τ)¹⁰) − 0.1 y(t)

It is mildly chaotic from τ = 16.8 on, and wildly at τ = 30. Euler's method with steps of 0.1, of which every tenth
value counts, squashed by tanh(y − 1): then a step of the series is one unit of time, and all values are in (−1, 1).

How far two runs, the true one and the network's, are from each other k steps after they parted is measured over many:

    NRMSEₖ = √(mean of (o⁽ᵏ⁾ − y⁽ᵏ⁾)² / variance of y)

The best constant has 1, that is chance. The floor is 0, as y is a function of its past; but errors of the last bit grow
too, and no network of numbers in double precision goes on for ever. ``python -m zoo claims mackey-glass-17`` measures
it as the literature does, on one long series. The task here is the next step alone, which is far easier: as the series
is smooth, who says the last value again is already near.

Mackey & Glass 1977; Jaeger 2001, The "echo state" approach, GMD report 148, section 4.2 (the settings); Jaeger & Haas
2004.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from tinygrad_rnn import no_grad
from tinygrad_rnn.nn.initialisers import generator

from ..echo_state import EchoState
from .drawn import NUMBERS, Drawn

STEP, EVERY = 0.1, 10  # Euler's step; how many of them are one step of the series
SETTLING = 1000  # steps that are thrown away, after which the series is on its attractor
FREE, TESTS = 84, 100  # steps that a model goes on alone, how many series
LONG, RUNS = 2000, 20  # how long the series are that batches are windows of, and how many there are


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


class MackeyGlass(Drawn):
    """Mackey-Glass, the next step: a chaotic series with a delay of τ. Chance is its variance, here 1; the floor is 0.

    x (T, B, 1) the series, y (T, B, 1) the same a step later, the loss the mean squared error of a step in units of the
    variance. The floor is that of a model which has seen all the past; no model knows it at the first steps.
    """

    inputs = outputs = 1
    says, stepwise = NUMBERS, True
    measure = "of the variance"
    chance, floor = 1.0, 0.0
    settings = Drawn.settings | {"length": 60, "batch": 32, "hidden": 32, "steps": 2000}

    def __init__(self, T: int | None = None, B: int | None = None, dtype: Any = np.float32, τ: int = 17):
        super().__init__(T, B, dtype)
        self.τ = τ

    @cached_property
    def series(self) -> np.ndarray:
        """Runs to take windows from, (LONG or T + 1, RUNS, 1): a run for each batch would take longer than learning."""
        return mackey_glass(max(LONG, self.T + 1), RUNS, self.τ, 0)

    @cached_property
    def variance(self) -> float:
        return float(self.series.var())

    @property
    def baselines(self) -> dict[str, float]:
        """Chance, what saying the last value again comes to, and the floor."""
        again = float(np.mean(np.diff(self.series, axis=0) ** 2)) / self.variance
        return {"chance": self.chance, "last value": again, "floor": self.floor}

    def draw(self, B: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        y = mackey_glass(self.T + 1, B, self.τ, rng).astype(self.dtype)
        return y[:-1], y[1:]

    def batch(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        start = rng.integers(len(self.series) - self.T, size=self.B)
        steps, runs = start + np.arange(self.T + 1)[:, None], rng.integers(RUNS, size=self.B)
        y = self.series[steps, runs].astype(self.dtype)
        return y[:-1], y[1:]

    def loss(self, model: Any, *batch: Any) -> Any:
        """The mean of (o − y)² over steps: the loss of every model here is half of the sum."""
        return 2 * model(*batch) / (self.T * self.variance)

    def sample(self, model: Any, rng: np.random.Generator) -> str:
        """How well the model goes on alone: NRMSE₈₄, over 100 series of which it has seen T steps."""
        return f"{FREE} steps on its own: NRMSE {self.free_run(model):.3g} (chance 1)"

    @cached_property
    def to_go_on_with(self) -> np.ndarray:
        """Series of T steps that a model is shown and 84 that it is not, (T + 84, TESTS, 1), the same each time."""
        return mackey_glass(self.T + FREE, TESTS, self.τ, TESTS).astype(self.dtype)

    def free_run(self, model: Any) -> float:
        """NRMSE after 84 steps in which the model's output is its next input."""

        def step(x: Any, state: Any) -> tuple[Any, Any]:
            if not isinstance(model, EchoState):
                return model.step(x, state)
            h = model.step(x, state[0], x)  # what was said before is what comes in
            return model.output(h), (h, x)

        y = self.to_go_on_with
        x, state = y[0], model.initial_state(TESTS)
        with no_grad():
            for t in range(1, len(y)):
                o, state = step(x, state)
                x = y[t] if t < self.T else o
        return nrmse(o.data, y[-1], self.variance)
