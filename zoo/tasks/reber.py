"""Reber's grammar, a small automaton that writes strings, and its embedded form, which must remember how it began.

    place   0     1       2       3       4       5       6
    writes  B→1   T→2     S→2     T→3     X→3     P→4     E→end
                  P→3     X→4     V→5     S→6     V→6              either with probability ½

    embedded   B T  Reber  T E   or   B P  Reber  P E:  the last letter but one repeats the second

A string takes 6 choices on average, and one more when embedded. So it has 8 or 12 letters, and an entropy of 6 ln 2 =
4.1589 or 7 ln 2 = 4.8520 nats, the floor of any model; here they are computed from the table.

Reber 1967; the embedded form is that of Cleeremans, Servan-Schreiber & McClelland 1989 and Hochreiter & Schmidhuber
1997.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from tinygrad_rnn import no_grad

from ..decoding import sample
from .drawn import STRING, Drawn, entropy

LETTERS = "BTSXPVE"

ARROWS: list[dict[str, int]] = [
    {"B": 1}, {"T": 2, "P": 3}, {"S": 2, "X": 4}, {"T": 3, "V": 5}, {"X": 3, "S": 6}, {"P": 4, "V": 6}, {"E": 7}, {},
]  # fmt: skip
"""From each place, the letters that lead on and where to. The last place is the end."""


def embedded(inner: list[dict[str, int]]) -> list[dict[str, int]]:
    """The table of a grammar embedded between B T … T E and B P … P E."""
    n = len(inner)
    upper = [{letter: 2 + to for letter, to in arrows.items()} for arrows in inner[:-1]] + [{"T": 2 + 2 * n}]
    lower = [{letter: 2 + n + to for letter, to in arrows.items()} for arrows in inner[:-1]] + [{"P": 2 + 2 * n}]
    return [{"B": 1}, {"T": 2, "P": 2 + n}, *upper, *lower, {"E": 3 + 2 * n}, {}]


class Reber(Drawn):
    """Reber's grammar: write its strings, 8 letters on average. The floor is their entropy, 6 ln 2 nats a string.

    y labels (steps, B) of LETTERS, as many steps as the longest has letters; lengths (B,). T is how many letters a
    model may write. Chance is a model for which all 7 letters are equally likely.
    """

    wants, unit = STRING, "string"
    inputs, outputs = 0, len(LETTERS)
    settings = Drawn.settings | {"length": 100, "hidden": 32}

    arrows = ARROWS
    ends = 1
    """How many E a string has: after the last it is over."""

    @cached_property
    def visits(self) -> np.ndarray:
        """How often a string comes by each place, on average: v = start + v P, P the probabilities of the steps."""
        n = len(self.arrows)
        P = np.zeros((n, n))
        for place, arrows in enumerate(self.arrows):
            for to in arrows.values():
                P[place, to] += 1 / len(arrows)
        return np.linalg.solve(np.eye(n) - P.T, np.eye(n)[0])

    @property
    def mean_length(self) -> float:
        return float(self.visits[:-1].sum())

    @property
    def floor(self) -> float:  # type: ignore[override]
        choices = [entropy([1 / len(arrows)] * len(arrows)) for arrows in self.arrows[:-1]]
        return float(self.visits[:-1] @ choices)

    @property
    def chance(self) -> float:  # type: ignore[override]
        return self.mean_length * float(np.log(self.outputs))

    def string(self, rng: np.random.Generator) -> str:
        """One string of the grammar."""
        written, place = "", 0
        while arrows := self.arrows[place]:
            written += list(arrows)[int(rng.integers(len(arrows)))]
            place = arrows[written[-1]]
        return written

    def draw(self, B: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        strings = [self.string(rng) for _ in range(B)]
        lengths = np.array([len(s) for s in strings])
        y = np.zeros((lengths.max(initial=0), B), int)
        for b, s in enumerate(strings):
            y[: len(s), b] = [LETTERS.index(letter) for letter in s]
        return y, lengths

    def log_p(self, y: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """ln p of each string of the grammar, (B,), in nats.  y (T, B), lengths (B,)"""
        return np.array([self._log_p([LETTERS[c] for c in y[:n, b]]) for b, n in enumerate(lengths)])

    def _log_p(self, string: list[str]) -> float:
        place, log_p = 0, 0.0
        for letter in string:
            log_p -= np.log(len(self.arrows[place]))
            place = self.arrows[place][letter]
        return log_p

    def valid(self, string: str) -> bool:
        """Whether the grammar can write this string."""
        place = 0
        for letter in string:
            if letter not in self.arrows[place]:
                return False
            place = self.arrows[place][letter]
        return place == len(self.arrows) - 1

    def written(self, model: Any, B: int, rng: Any) -> list[str]:
        """B strings that a generative model writes, each until its last E or, without one, T letters."""
        with no_grad():
            start = model.nothing_said(B), model.initial_state(B)
            labels = sample(model.step, *start, self.T, rng).labels
        return [self.cut("".join(LETTERS[label] for label in column)) for column in labels.T]

    def cut(self, text: str) -> str:
        """The text up to its last E that counts."""
        return "E".join(text.split("E")[: self.ends]) + "E" * (text.count("E") >= self.ends)

    def sample(self, model: Any, rng: np.random.Generator) -> str:
        return "  ".join(self.written(model, 8, rng))


class EmbeddedReber(Reber):
    """Embedded Reber grammar: its last letter but one repeats the second. The floor is 7 ln 2 nats a string.

    12 letters on average; the others as for `Reber`.
    """

    arrows = embedded(ARROWS)
    ends = 2
