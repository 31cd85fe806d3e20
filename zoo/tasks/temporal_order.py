"""Temporal order: two signals, far apart in a long noise, and the class is in which order they came.

    E  noise …  X or Y  … noise …  X or Y  … noise  B          noise: a, b, c, d, each as likely

The first signal is between a tenth and a fifth of the way, the second between five and six tenths: at lengths from 100
to 110 those of Hochreiter & Schmidhuber 1997, experiment 6a. XX, XY, YX and YY are the classes 0 to 3, and as likely:
without memory of both signals, a loss of ln 4 = 1.386 or, with memory of one, ln 2. The floor is 0.
"""

from __future__ import annotations

import numpy as np

from .drawn import AT_END, Drawn, entropy

SYMBOLS = "abcdXYEB"
NOISE = 4


class TemporalOrder(Drawn):
    """Temporal order: which of two signals X or Y came first, and which then. Chance is ln 4; the floor is 0.

    x one-hot (T, B, 8) of SYMBOLS, y labels (B,).
    """

    wants, unit = AT_END, "sequence"
    inputs, outputs = len(SYMBOLS), 4
    chance = entropy([0.25] * 4)
    floor = 0.0
    least = 10
    settings = Drawn.settings | {"length": 50, "hidden": 32}

    def draw(self, B: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        symbols = rng.integers(NOISE, size=(self.T, B))
        first, second = rng.integers(2, size=(2, B))
        tenth = self.T // 10
        for signal, tenths in (first, 1), (second, 5):
            at = rng.integers(tenths * tenth, (tenths + 1) * tenth, size=B, endpoint=True)
            symbols[at, np.arange(B)] = SYMBOLS.index("X") + signal
        symbols[0], symbols[-1] = SYMBOLS.index("E"), SYMBOLS.index("B")
        return np.eye(self.inputs, dtype=self.dtype)[symbols], 2 * first + second
