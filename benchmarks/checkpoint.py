"""A recurrent network in √T pieces that are run again in the backward pass: memory for √T steps instead of T."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from tqdm import tqdm

import tinygrad_rnn as tg

from .measure import Table, growth, paired, peak_bytes, ratio

LENGTHS = 100, 250, 500, 1000


class Network:
    """h⁽ᵗ⁾ = tanh(b + W h⁽ᵗ⁻¹⁾ + U x⁽ᵗ⁾),  L = Σₜ mean h⁽ᵗ⁾².  x (T, B, D), h (B, H)"""

    def __init__(self, T: int, B: int, D: int, H: int):
        rng = np.random.default_rng(0)
        self.x = rng.normal(size=(T, B, D))
        self.h = np.zeros((B, H))
        shapes = (H, H), (H, D), (H,)
        self.parameters = [tg.Parameter(rng.normal(size=shape) / H**0.5) for shape in shapes]

    def steps(self, h: Any, L: Any, x: np.ndarray) -> tuple[Any, Any]:
        W, U, b = self.parameters
        for x_t in x:
            h = tg.tanh(b + h @ W.T + x_t @ U.T)
            L = L + tg.mean(h * h)
        return h, L

    def train(self) -> list[np.ndarray]:
        """The gradients, every step kept in memory."""
        _, L = self.steps(self.h, 0.0, self.x)
        return self._gradients(L)

    def train_in_pieces(self) -> list[np.ndarray]:
        """The gradients, √T steps at a time."""
        h, L = self.h, 0.0
        length = math.isqrt(len(self.x))
        for t in range(0, len(self.x), length):
            h, L = tg.checkpoint(self.steps, h, L, self.x[t : t + length])
        return self._gradients(L)

    def _gradients(self, L: Any) -> list[np.ndarray]:
        for p in self.parameters:
            p.grad = None
        L.backward()
        return [np.asarray(p.grad) for p in self.parameters]


def run(lengths: Sequence[int] = LENGTHS, B: int = 256, D: int = 8, H: int = 32, rounds: int = 5) -> Table:
    """Raises AssertionError if the gradients are not the same both ways."""
    table = Table(
        f"Peak memory of a recurrent network, B {B}, D {D}, H {H}, float64",
        ["T", "all kept, MB", "√T pieces, MB", "less memory", "more time"],
    )
    for T in tqdm(lengths, desc="checkpoint", leave=False):
        network = Network(T, B, D, H)
        for kept, again in zip(network.train(), network.train_in_pieces(), strict=True):
            np.testing.assert_allclose(again, kept, rtol=1e-9, atol=1e-12 * np.abs(kept).max())
        whole, pieces = (_megabytes(way) for way in (network.train, network.train_in_pieces))
        kept_s, pieces_s = paired([network.train, network.train_in_pieces], rounds)
        table.rows.append([T, whole, pieces, whole / pieces, ratio(pieces_s, kept_s)])
    for name, column, aim in ("all kept: ", 1, 1), ("in pieces:", 2, 0.5):
        a, b, p = growth(lengths, [row[column] for row in table.rows])
        table.notes.append(f"{name} grows as {a:.2f} MB + {b:.3f} MB · T^{p:.2f}; aim: T^{aim}")
    table.notes.append("in pieces the forward pass is run twice: about 4/3 of the time is to be expected")
    return table


def _megabytes(run: Callable[[], Any]) -> float:
    return peak_bytes(run) / 2**20
