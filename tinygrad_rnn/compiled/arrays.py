"""Arrays for the states of a loop, kept from one call of a program to the next.

The system gives fresh memory page by page, and clears each: for long sequences that takes longer than a loop saves.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Idle = dict[tuple, list[np.ndarray]]
"""Arrays that no call uses, by shape and dtype. Threads may take and return at once: both are one step of a list."""


class Arrays:
    """The arrays of one call: `empty` is np.empty where the source says so."""

    def __init__(self, idle: Idle):
        self.idle = idle
        self.taken: list[tuple[tuple, np.ndarray]] = []

    def empty(self, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
        key = shape, np.dtype(dtype)
        try:
            array = self.idle[key].pop()
        except (KeyError, IndexError):
            array = np.empty(shape, dtype)
        self.taken.append((key, array))
        return array

    def own(self, result: Any) -> Any:
        """A result as an array of its own: no view, and none of those that are kept."""
        kept = result.base is not None or any(result is array for _, array in self.taken)
        return np.array(result) if kept else result

    def give_back(self) -> None:
        for key, array in self.taken:
            self.idle.setdefault(key, []).append(array)
