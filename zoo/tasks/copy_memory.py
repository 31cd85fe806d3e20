"""Copy memory: ten letters, a long nothing, then say them again.

    x   s₁ … s₁₀   · · · … · ▸   ·  …  ·         ten letters, T − 1 blanks, a sign, ten blanks
    y   ·  …  ·    · · · … · ·   s₁ … s₁₀        each one of 8

A model that has forgotten the letters, but not when to speak, needs 10 ln 8 nats a sequence and none for the blanks:
chance is 10 ln 8 / (T + 20) a step, 0.5199 for T = 20, 0.2971 for 50, 0.1733 for 100. The floor is 0. A loss just at
that figure, which falls with T, is often printed as if it were something learnt.

Hochreiter & Schmidhuber 1997, experiment 1, in the form of Arjovsky, Shah & Bengio 2016, section 5.1.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .drawn import Drawn

LETTERS, LONG = 8, 10
BLANK, SIGN = LETTERS, LETTERS + 1


class CopyMemory(Drawn):
    """Copy memory: ten letters, a long nothing, say them again. Chance is 10 ln 8 / (T + 20), the floor 0.

    x one-hot (T + 20, B, 10), y labels (T + 20, B), the loss in nats a step. T is how long the nothing lasts.
    """

    inputs, outputs = LETTERS + 2, LETTERS + 1
    floor = 0.0
    settings = Drawn.settings | {"hidden": 64}

    @property
    def chance(self) -> float:  # type: ignore[override]
        return LONG * float(np.log(LETTERS)) / (self.T + 2 * LONG)

    def draw(self, B: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        letters = rng.integers(LETTERS, size=(LONG, B))
        x, y = np.full((2, self.T + 2 * LONG, B), BLANK)
        x[:LONG], y[-LONG:] = letters, letters
        x[-LONG - 1] = SIGN
        return np.eye(self.inputs, dtype=self.dtype)[x], y

    def loss(self, model: Any, *batch: Any) -> Any:
        return model(*batch) / (self.T + 2 * LONG)
