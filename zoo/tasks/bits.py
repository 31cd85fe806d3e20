"""Three questions about a sequence of fair coins x⁽¹⁾ … x⁽ᵀ⁾, each coin 0 or 1 with the same probability.

    fair bits       y⁽ᵗ⁾ = x⁽ᵗ⁻¹⁾          to remember:           a model needs a state of its own
    running xor     y⁽ᵗ⁾ = x⁽ᵗ⁾ ⊕ y⁽ᵗ⁻¹⁾     what was said last:    the state may be the output
    look-ahead xor  y⁽ᵗ⁾ = x⁽ᵗ⁾ ⊕ x⁽ᵗ⁺¹⁾     to look ahead:         a model must read from the end too

with 0 for what stands before the beginning or after the end. All three have an exact answer, so their floor is 0; and
each y⁽ᵗ⁾ is a fair coin to a model that lacks the ability in question, whose loss is then ln 2 at best.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .drawn import Drawn, entropy

FAIR = (0.5, 0.5)


class Bits(Drawn):
    """x⁽ᵗ⁾ is a coin as a one-hot row (T, B, 2), y⁽ᵗ⁾ the answer (T, B)."""

    inputs = outputs = 2
    chance = entropy(FAIR)
    floor = 0.0
    least = 2

    def draw(self, B: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        coins = rng.integers(2, size=(self.T, B))
        return np.eye(2, dtype=self.dtype)[coins], self.answers(coins)

    def answers(self, coins: np.ndarray) -> np.ndarray:
        """y (T, B) for coins (T, B)."""
        raise NotImplementedError

    def loss(self, model: Any, *batch: Any) -> Any:
        """Nats for each of the steps that are not trivial."""
        return model(*batch) / self.hard

    @property
    def hard(self) -> int:
        """How many of the T answers are a fair coin to a model without the ability: the others cost it nothing."""
        return self.T - 1


class FairBits(Bits):
    """Fair bits: say the coin before. Without memory each answer is a fair coin, ln 2; with it the floor is 0.

    Per step from the second on, as y⁽¹⁾ = 0 always. A network that sees of the past only its own last output (pattern
    III) cannot beat ln 2: fed the target y⁽ᵗ⁻¹⁾ = x⁽ᵗ⁻²⁾ it sees nothing of x⁽ᵗ⁻¹⁾, and a word that it draws itself can
    tell of x⁽ᵗ⁻¹⁾ only by being a worse answer at t − 1, which costs at least what it gains at t.
    """

    def answers(self, coins: np.ndarray) -> np.ndarray:
        return np.concatenate([np.zeros_like(coins[:1]), coins[:-1]])


class RunningXor(Bits):
    """Running xor: say whether the number of ones so far is odd. Without the last answer it is a fair coin, ln 2.

    Per step from the second on: y⁽¹⁾ = x⁽¹⁾ needs nothing but x⁽¹⁾. With the last answer, the floor is 0.
    """

    def answers(self, coins: np.ndarray) -> np.ndarray:
        return np.cumsum(coins, axis=0) % 2


class LookAheadXor(Bits):
    """Look-ahead xor: say whether this coin and the next differ. From the past it is a fair coin, ln 2; the floor is 0.

    Per step up to the last but one, as y⁽ᵀ⁾ = x⁽ᵀ⁾. (A network that reads to the right alone, and does not count steps,
    pays ln 2 at the last too: T/(T − 1) ln 2 = 0.730 in all.)
    """

    def answers(self, coins: np.ndarray) -> np.ndarray:
        return coins ^ np.concatenate([coins[1:], np.zeros_like(coins[:1])])
