"""Spelling: read a number aloud, digit by digit, in letters.

    407   →   four zero seven.

All digits are equally likely, so who knows the names of all but has not seen the number needs T ln 10 nats: chance.
What is to be written follows from the number: the floor is 0.

A sequence about a vector, as in Goodfellow, Bengio & Courville 2016, section 10.2.4.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_rnn import no_grad

from ..decoding import greedy
from .drawn import Drawn

VECTOR = "a sequence about one vector"

NAMES = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
LETTERS = "".join(sorted({*"".join(NAMES)})) + " ."
"""What names are written with; the point ends them."""


class Spelling(Drawn):
    """Spelling: write the names of T digits, letter by letter. Chance is T ln 10 nats a number, the floor 0.

    x (B, 10 T), the digits as one-hot rows one behind the other; y labels (letters, B) of LETTERS; lengths (B,).
    """

    wants, unit = VECTOR, "number"
    outputs = len(LETTERS)
    floor = 0.0
    settings = Drawn.settings | {"length": 2, "hidden": 64}

    @property
    def inputs(self) -> int:  # type: ignore[override]
        return len(NAMES) * self.T

    @property
    def chance(self) -> float:  # type: ignore[override]
        return self.T * float(np.log(len(NAMES)))

    def draw(self, B: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        digits = rng.integers(len(NAMES), size=(B, self.T))
        names = [" ".join(NAMES[digit] for digit in row) + "." for row in digits]
        lengths = np.array([len(name) for name in names])
        y = np.full((lengths.max(), B), LETTERS.index("."))
        for b, name in enumerate(names):
            y[: len(name), b] = [LETTERS.index(letter) for letter in name]
        return np.eye(len(NAMES), dtype=self.dtype)[digits].reshape(B, self.inputs), y, lengths

    def sample(self, model: Any, rng: np.random.Generator) -> str:
        """Four numbers, and how the model reads them."""
        x, y, _ = self.draw(4, rng)
        with no_grad():
            written = greedy(model.step, model.nothing_said(4), model.initial_state(x), len(y), LETTERS.index("."))
        digits = x.reshape(4, self.T, len(NAMES)).argmax(axis=-1)
        lines = zip(digits, written.labels.T, strict=True)
        return "\n".join("".join(map(str, row)) + "  " + spelt(LETTERS, labels) for row, labels in lines)


def spelt(letters: str, labels: np.ndarray) -> str:
    """The text that labels (T,) stand for, up to its first point."""
    return "".join(letters[label] for label in labels).partition(".")[0]
