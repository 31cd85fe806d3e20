"""Sequences in warped time: each letter lasts for several steps; say at every step which letter was there before.

    steps      1 2 3 4 5 6 7 8 9
    x          b b b a a a d d d          uniform: every letter lasts as long
    x          b b a a a a d d d          variable: each letter lasts as long as it likes, from 1 step to `most`
    y          · · · b b b a a a          (of the first): the letter before, · while there is none

Neighbouring letters differ, so that y is a function of x and the floor is 0. A unit that changes slowly can learn how
slow a uniform warp is; a variable warp has no one pace, and a unit must decide at each step whether to move: gates.

A model without memory sees only x⁽ᵗ⁾. Of y it knows how often there is none, a fraction q of the steps; else any of the
other letters is as likely. Chance is the entropy of that, H(q) + (1 − q) ln (letters − 1).

Tallec & Ollivier 2018, Can recurrent neural networks warp time?, section 4.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .drawn import Drawn, entropy

LETTERS = 10


class UniformWarp(Drawn):
    """Uniform warp: each letter lasts as long; which was there before? Chance is H(q) + (1 − q) ln 9, floor 0.

    x one-hot (T, B, 10), y labels (T, B), 10 where there was none before, the loss in nats a step. A letter lasts for
    `most` steps.
    """

    inputs, outputs = LETTERS, LETTERS + 1
    floor = 0.0
    settings = Drawn.settings | {"length": 100, "batch": 32, "hidden": 64}

    def __init__(self, T: int | None = None, B: int | None = None, dtype: Any = np.float32, most: int = 10):
        super().__init__(T, B, dtype)
        if most < 1:
            raise ValueError(f"a letter lasts for at least 1 step, not {most}")
        self.most = most

    def durations(self) -> np.ndarray:
        """How long a letter may last: each of these is as likely."""
        return np.array([self.most])

    @property
    def chance(self) -> float:  # type: ignore[override]
        q = float(np.minimum(self.durations(), self.T).mean()) / self.T
        return entropy((q, 1 - q)) + (1 - q) * float(np.log(LETTERS - 1))

    def draw(self, B: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        # A letter is the one before, moved on by 1 to 9: T letters are enough, as each lasts for a step at least.
        moves = rng.integers(1, LETTERS, size=(self.T, B))
        moves[0] = rng.integers(LETTERS, size=B)
        letters = np.cumsum(moves, axis=0) % LETTERS
        ends = np.cumsum(rng.choice(self.durations(), size=(self.T, B)), axis=0)
        ended = np.zeros((self.T + self.most * self.T, B), int)
        np.put_along_axis(ended, ends, 1, axis=0)
        number = np.cumsum(ended[: self.T], axis=0)  # of letters that have ended before step t
        before = np.take_along_axis(letters, np.maximum(number - 1, 0), axis=0)
        x = np.take_along_axis(letters, number, axis=0)
        return np.eye(LETTERS, dtype=self.dtype)[x], np.where(number > 0, before, LETTERS)

    def loss(self, model: Any, *batch: Any) -> Any:
        return model(*batch) / self.T


class VariableWarp(UniformWarp):
    """Variable warp: a letter lasts as it likes; which was there before? Chance is H(q) + (1 − q) ln 9, floor 0.

    As `UniformWarp`, but a letter lasts for 1 to `most` steps.
    """

    def durations(self) -> np.ndarray:
        return np.arange(1, self.most + 1)
