"""Facts and a question: where is the thing? Nobody says so; one fact says who has it, another where they are.

    Bob has the ball.   Ann is in the attic.   Bob is in the garden.   Ann has the key.   …        Where is the ball?

There are T people, each in a room of their own, each with a thing of their own, and 2 T facts in any order. The answer
is a chain of two facts, so a memory network takes two looks at them: for the first it is asked about the ball, for the
second about Bob.

Any of the T rooms that are named is as likely to one who cannot chain facts: chance is ln T. The answer follows from
the facts: the floor is 0.

After the tasks with two supporting facts of Weston, Bordes, Chopra & Mikolov 2015, Towards AI-complete question
answering; there a later fact may supersede an earlier one.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .drawn import Drawn

ANSWER = "an answer to a question about facts"

NAMES = 10
"""Names of people there are, as many of rooms and of things: a word is one of these 30."""


class Facts(Drawn):
    """Facts and a question: who has what, who is where, so where is it? Chance, among T rooms, is ln T; the floor is 0.

    x (2 T, B, 30) the facts, two words in each; q (B, 30) the question, a thing; y labels (B,), its room. Words stand
    for people, rooms and things, in this order. Raises ValueError for T above 10.
    """

    wants, unit = ANSWER, "question"
    inputs, outputs = 3 * NAMES, NAMES
    floor = 0.0
    least = 2
    settings = Drawn.settings | {"length": 4, "hidden": 32, "steps": 2000, "quick": 1000, "lr": 0.03}

    def __init__(self, T: int | None = None, B: int | None = None, dtype: Any = np.float32):
        super().__init__(T, B, dtype)
        if self.T > NAMES:
            raise ValueError(f"Facts: there are names for {NAMES} people, not for {self.T}")

    @property
    def chance(self) -> float:  # type: ignore[override]
        return float(np.log(self.T))

    def draw(self, B: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        people, rooms, things = (shuffled(NAMES, B, rng)[: self.T] for _ in range(3))
        words = np.eye(self.inputs, dtype=self.dtype)
        is_in, has = words[people] + words[NAMES + rooms], words[people] + words[2 * NAMES + things]
        order = shuffled(2 * self.T, B, rng)
        x = np.take_along_axis(np.concatenate([is_in, has]), order[:, :, None], axis=0)
        asked = rng.integers(self.T, size=B)
        return x, words[2 * NAMES + things[asked, np.arange(B)]], rooms[asked, np.arange(B)]


def shuffled(n: int, B: int, rng: np.random.Generator) -> np.ndarray:
    """0 … n − 1 in any order, for each of a batch, (n, B)."""
    return rng.permuted(np.tile(np.arange(n)[:, None], B), axis=0)
