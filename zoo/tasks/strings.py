"""Sequences that are answered by sequences: a string written backwards, and numbers put in order.

    reversal   3 1 4 1 5   →   5 1 4 1 3              T digits
    sorting    .3 .1 .4    →   2 1 3, the places of the least, the next, the largest

Both are functions of the input, so that the floor is 0. To a model that has not looked at it, all digits are equally
likely, T ln 10 nats, and so are all orders, ln T!.

Reversal is the toy task of JoeyNMT (Kreutzer, Bastings & Riezler 2019); sorting that of Vinyals, Bengio & Kudlur 2016.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..decoding import greedy
from .drawn import Drawn

SEQUENCE = "another sequence"
PLACES = "places in its input"

DIGITS = 10


class Reversal(Drawn):
    """Reversal: write a string of digits backwards. Chance is T ln 10 nats a string, the floor 0.

    x one-hot (T, B, 10), y labels (T, B).
    """

    wants, unit = SEQUENCE, "string"
    inputs, outputs = DIGITS, DIGITS
    floor = 0.0
    settings = Drawn.settings | {"length": 10, "hidden": 64}

    @property
    def chance(self) -> float:  # type: ignore[override]
        return self.T * math.log(DIGITS)

    def draw(self, B: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        digits = rng.integers(DIGITS, size=(self.T, B))
        return np.eye(DIGITS, dtype=self.dtype)[digits], digits[::-1]


class Sorting(Drawn):
    """Sorting: point to T numbers in [0, 1], the least first. Chance is ln T! nats a sequence, the floor 0.

    x (T, B, 1), y places (T, B).
    """

    wants, unit = PLACES, "sequence"
    inputs, outputs = 1, 0
    floor = 0.0
    settings = Drawn.settings | {"length": 5, "hidden": 32}

    @property
    def chance(self) -> float:  # type: ignore[override]
        return math.log(math.factorial(self.T))

    def draw(self, B: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        x = rng.random((self.T, B, 1)).astype(self.dtype)
        return x, np.argsort(x[:, :, 0], axis=0, kind="stable")

    def loss(self, model: Any, *batch: Any) -> Any:
        return model(*batch)


def solved(cell: Any, nothing: Any, state: Any, y: np.ndarray) -> float:
    """The share of sequences that greedy decoding gets right from the first symbol to the last.  y (T, B)"""
    return float((greedy(cell, nothing, state, len(y)).labels == y).all(axis=0).mean())
