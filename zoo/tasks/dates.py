"""Dates: read a date as people write it, and write it as the standard ISO 8601 has it.

    Tuesday, 3 March 1987   March 3, 1987   3 Mar 87   3.3.1987   3/3/87        →   1987-03-03

Points stand between day, month and year, as in Europe, strokes between month, day and year, as in America. All days
from 1950 to 2049 are equally likely, so that two digits say the year: what is to be written follows from what is read,
and the floor is 0. Who knows the calendar but has not read the date needs the logarithm of the number of days,
ln 36525 = 10.506 nats: chance.

A date is up to 28 letters long, and which of them a digit depends on is for the network to find out. Attention is often
taught with this task; a published figure for it there is not.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import numpy as np

from tinygrad_rnn import no_grad

from ..decoding import Decoded, greedy
from .drawn import Drawn
from .strings import SEQUENCE

FIRST, LAST = date(1950, 1, 1), date(2049, 12, 31)
DAYS = (LAST - FIRST).days + 1

WEEKDAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
MONTHS = [
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
]  # fmt: skip

FORMATS = [
    "{weekday}, {d.day} {month} {d.year}",
    "{d.day} {month} {d.year}",
    "{month} {d.day}, {d.year}",
    "{d.day} {month:.3} {short:02}",
    "{d.day}.{d.month}.{d.year}",
    "{d.month}/{d.day}/{short:02}",
]

READ = "".join(sorted({*"0123456789 ,./", *"".join(WEEKDAYS + MONTHS)}))
WRITTEN = "0123456789-"
LENGTH = len(FIRST.isoformat())


class Dates(Drawn):
    """Dates: read one as people write it, write it as 1987-03-03. Chance is ln 36525 nats a date, the floor 0.

    x one-hot (letters, B, 43) of READ, y labels (10, B) of WRITTEN, lengths (B,) those of x. Raises ValueError for a T
    other than 10, the letters that are written.
    """

    wants, unit = SEQUENCE, "date"
    inputs, outputs = len(READ), len(WRITTEN)
    chance, floor = float(np.log(DAYS)), 0.0
    least = LENGTH
    settings = Drawn.settings | {"length": LENGTH, "hidden": 64}

    def __init__(self, T: int | None = None, B: int | None = None, dtype: Any = np.float32):
        super().__init__(T, B, dtype)
        if self.T != LENGTH:
            raise ValueError(f"Dates: T is {LENGTH}, the letters of {FIRST}, not {self.T}")

    def texts(self, B: int, rng: np.random.Generator) -> list[tuple[str, str]]:
        """B dates, each as people write it and as it is to be written."""
        pairs = []
        for days, form in zip(rng.integers(DAYS, size=B), rng.integers(len(FORMATS), size=B), strict=True):
            d = FIRST + timedelta(int(days))
            names = {"weekday": WEEKDAYS[d.weekday()], "month": MONTHS[d.month - 1], "short": d.year % 100}
            pairs.append((FORMATS[form].format(d=d, **names), d.isoformat()))
        return pairs

    def draw(self, B: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        read, written = zip(*self.texts(B, rng), strict=True)
        lengths = np.array([len(text) for text in read])
        x = np.zeros((lengths.max(), B, self.inputs), self.dtype)
        for b, text in enumerate(read):
            x[np.arange(len(text)), b, [READ.index(letter) for letter in text]] = 1
        return x, np.array([[WRITTEN.index(letter) for letter in text] for text in written]).T, lengths

    def write(self, model: Any, x: np.ndarray, lengths: np.ndarray) -> Decoded:
        """What a model makes of dates, letter by letter the likeliest.  x (letters, B, 43), lengths (B,)"""
        writer = getattr(model, "decoder", model)
        with no_grad():
            state = model.initial_state(x, lengths)
            return greedy(writer.step, writer.nothing_said(len(lengths)), state, LENGTH)

    def sample(self, model: Any, rng: np.random.Generator) -> str:
        """Four dates, and what the model makes of them."""
        x, _, lengths = self.draw(4, rng)
        written = self.write(model, x, lengths).labels
        read = ["".join(READ[label] for label in row[:n]) for row, n in zip(x.argmax(axis=-1).T, lengths, strict=True)]
        return "\n".join(
            f"{text:28}  " + "".join(WRITTEN[label] for label in row) for text, row in zip(read, written.T, strict=True)
        )
