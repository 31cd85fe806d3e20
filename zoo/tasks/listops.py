"""ListOps: compute an expression that is a tree of operators, each on two numbers.

              MAX                MAX  the larger of the two
             /   \\               MIN  the smaller
           SUM    3              MED  the one half-way between, ⌊(a + b) / 2⌋
          /   \\                  SUM  the last digit of the sum, (a + b) mod 10
         8     MIN
              /   \\              max(sum(8, min(5, 9)), 3) = 3
             5     9

The trees of `zoo.recursive` have their data in the leaves and two parts at a node, so that an operator is a leaf too:
the expression of a and b is (operator, (a, b)). Results are digits, and sequences are drawn so that all ten are equally
likely: whoever guesses is right in one of ten, chance is 0.1 and ln 10 nats. The floor is 0.

After Nangia & Bowman 2018, ListOps: a diagnostic dataset for latent tree learning, whose operators take up to five.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_rnn import no_grad

from .drawn import VALIDATION, Drawn

TREE = "an answer about a tree"

DIGITS = 10
OPERATORS: list[Any] = [np.maximum, np.minimum, lambda a, b: (a + b) // 2, lambda a, b: (a + b) % DIGITS]
DEEPEST = 10
"""Of deeper expressions there are so many parts that a batch hardly fits into memory."""
MANY = 2000
"""Expressions that are drawn for a batch, to choose from by their results."""
FORMS = 20
"""Trees that a model is validated on: all expressions of a batch have one."""


class ListOps(Drawn):
    """ListOps: what an expression of T nested operators comes to. Chance is ln 10, 0.1 right; the floor is 0.

    x one-hot (leaves, B, 14), y labels (B,), and the tree of all, of depth T. Raises ValueError for T above 10.
    """

    wants, unit = TREE, "expression"
    inputs, outputs = DIGITS + len(OPERATORS), DIGITS
    chance, floor = float(np.log(DIGITS)), 0.0
    settings = Drawn.settings | {"length": 2, "hidden": 64}

    def __init__(self, T: int | None = None, B: int | None = None, dtype: Any = np.float32):
        super().__init__(T, B, dtype)
        if self.T > DEEPEST:
            raise ValueError(f"ListOps: T is at most {DEEPEST}, not {self.T}")

    def draw(self, B: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, Any]:
        """B expressions of one form, as deep as the task."""
        leaves: list[np.ndarray] = []
        tree, results = self.expression(self.T, max(MANY, 4 * B), leaves, rng)
        of_each = [np.flatnonzero(results == digit) for digit in range(DIGITS)]
        y = rng.choice([digit for digit in range(DIGITS) if len(of_each[digit])], size=B)
        chosen = [rng.choice(of_each[digit]) for digit in y]
        return np.eye(self.inputs, dtype=self.dtype)[np.array(leaves)[:, chosen]], y, tree

    def expression(self, depth: int, n: int, leaves: list[np.ndarray], rng: np.random.Generator) -> tuple[Any, Any]:
        """A random tree of this depth, and the results (n,) of n expressions of its form; adds to `leaves`."""
        if depth == 0:
            leaves.append(rng.integers(DIGITS, size=n))
            return len(leaves) - 1, leaves[-1]
        operator = rng.integers(len(OPERATORS), size=n)
        leaves.append(DIGITS + operator)
        place = len(leaves) - 1
        depths = rng.permutation([depth - 1, int(rng.integers(depth))])
        (left, a), (right, b) = (self.expression(int(d), n, leaves, rng) for d in depths)
        return (place, (left, right)), np.choose(operator, [f(a, b) for f in OPERATORS])

    def validation_loss(self, model: Any) -> float:
        """The loss on a thousand expressions in twenty forms, the same each time."""
        rng = np.random.default_rng(VALIDATION)
        with no_grad():
            return float(np.mean([model(*self.draw(VALIDATION // FORMS, rng)).item() for _ in range(FORMS)]))
