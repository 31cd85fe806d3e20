"""Echo state networks that go on with the Mackey-Glass series by themselves, in the settings of the literature."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

import tinygrad_rnn as tg

from ..echo_state import EchoState
from ..tasks.mackey_glass import mackey_glass, nrmse
from .claim import Progress

TRAINING, WASHOUT = 3000, 1000  # steps; those at the beginning of which nothing is learned
FORCED, FREE = 1000, 84  # steps of a test: fed the series, and then its own outputs
TESTS = 100
BIAS = 0.2  # the only input


def nrmse84(
    τ: int, hidden: int = 400, feedback: float = 0.56, noise: float = 0.0, ridge: float = 0.0
) -> Callable[[int, bool, Progress], float]:
    """What measures NRMSE₈₄: how far the network is from the series after 84 steps on its own, over 100 series.

    Jaeger 2001, section 4.2: C = 0.44, a = 0.9, spectral radius 0.79, density 0.0125, input weights 0 or ±0.14 (with
    probabilities ½, ¼, ¼), N = 400, feedback uniform in ±0.56. The output is linear here.
    """

    def measure(seed: int, quick: bool, progress: Progress) -> float:
        rng = np.random.default_rng(seed)
        network = EchoState(1, hidden, 1, radius=0.79, density=0.0125, feedback=feedback, C=0.44, a=0.9, rng=rng)
        network.U.data = rng.choice([0, 0.14, -0.14], size=(hidden, 1), p=[0.5, 0.25, 0.25])
        y = mackey_glass(TRAINING, 1, τ, rng)
        network.fit(np.full_like(y, BIAS), y, washout=WASHOUT, noise=noise, ridge=ridge, rng=rng)

        y = mackey_glass(FORCED + FREE, TESTS, τ, rng)
        x = np.full_like(y, BIAS)
        h, before = network.initial_state(TESTS)
        with tg.no_grad():
            for t in progress(range(FORCED), f"τ = {τ}"):
                h = network.step(x[t], h, before)
                before = y[t]
        o = network.generate(x[FORCED:], h, before)
        return nrmse(o[-1], y[-1], y.var())

    return measure
