"""Recursive networks: the same composition at every node of a tree, instead of at every step of a chain.

    h = tanh(bᵥ + V x)                         at a leaf
    h = tanh(b + U h_left + W h_right)         at an inner node
    o = c + Q h,   L = −log softmax(o) of the class y, or ½ ‖o − y‖² of numbers, at the root

The composition may itself be deep, with a layer between (`DeepRecursive`):

    m = tanh(b + U h_left + W h_right)
    h = tanh(d + R m)

One layer is the tanh of a sum; with a layer between, and enough units in it, a node can come near any function
of its parts.

A chain of n steps puts n compositions between its first input and its output, a balanced tree log₂ n.

Goodfellow, Bengio & Courville 2016, section 10.6; Socher et al. 2011. The record of a run draws the book's figure
10.14, unfolded. A tree has no time axis, so there is no circuit: `Graph.fold` says so.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn.nn.initialisers import glorot_uniform, zeros

from .sequence import loss

Tree = Any
"""A leaf, which is the number of an input, or a pair of trees: ((0, 1), (2, 3))."""


class Recursive(tg.Module):
    """A network in the form of a tree: the leaves x, one composition of two into one, an output at the root.

    V (hidden, inputs), U and W (hidden, hidden), Q (outputs, hidden), bv and b (hidden,), c (outputs,)
    """

    def __init__(self, inputs: int, hidden: int, outputs: int, *, rng: Any, dtype: Any = np.float64):
        rng = np.random.default_rng(rng)
        self.V = tg.Parameter(glorot_uniform((hidden, inputs), rng=rng, dtype=dtype))
        self.U, self.W = (tg.Parameter(glorot_uniform((hidden, hidden), rng=rng, dtype=dtype)) for _ in range(2))
        self.Q = tg.Parameter(glorot_uniform((outputs, hidden), rng=rng, dtype=dtype))
        self.bv, self.b = (tg.Parameter(zeros(hidden, dtype=dtype)) for _ in range(2))
        self.c = tg.Parameter(zeros(outputs, dtype=dtype))

    def __call__(self, x: Any, y: Any, tree: Tree) -> Any:
        """The loss L, the mean over the batch.

        x     the leaves, (leaves, B, inputs)
        y     labels (B,), or numbers (B, outputs)
        tree  one for the whole batch

        Raises TypeError for a tree that is not made of numbers and pairs, IndexError for a leaf that x does not have.
        """
        o = self.output(x, tree)
        L = loss(o, y)
        return L

    def output(self, x: Any, tree: Tree) -> Any:
        """o, from the state of the root.  x (leaves, B, inputs) → (B, outputs)"""
        o = self.c + self.compose(x, tree) @ self.Q.T
        return o

    def compose(self, x: Any, tree: Tree) -> Any:
        """The state h of a tree's root, (B, hidden)."""
        if isinstance(tree, (int, np.integer)):
            if not 0 <= tree < len(x):
                raise IndexError(f"tree: leaf {tree} is not one of the {len(x)} inputs, 0 to {len(x) - 1}")
            h = tg.tanh(self.bv + x[int(tree)] @ self.V.T)
            return h
        if not isinstance(tree, tuple) or len(tree) != 2:
            raise TypeError(f"tree: a leaf is a number and a node a pair of trees, not {tree!r}")
        left, right = tree
        return self.join(self.compose(x, left), self.compose(x, right))

    def join(self, left: Any, right: Any) -> Any:
        """Two states into one, each (B, hidden)."""
        h = tg.tanh(self.b + left @ self.U.T + right @ self.W.T)
        return h


class DeepRecursive(Recursive):
    """A network in the form of a tree whose composition has a layer of its own between parts and whole.

    As `Recursive`, and R (hidden, hidden), d (hidden,)
    """

    def __init__(self, inputs: int, hidden: int, outputs: int, *, rng: Any, dtype: Any = np.float64):
        rng = np.random.default_rng(rng)
        super().__init__(inputs, hidden, outputs, rng=rng, dtype=dtype)
        self.R = tg.Parameter(glorot_uniform((hidden, hidden), rng=rng, dtype=dtype))
        self.d = tg.Parameter(zeros(hidden, dtype=dtype))

    def join(self, left: Any, right: Any) -> Any:
        """Two states into one, each (B, hidden)."""
        m = tg.tanh(self.b + left @ self.U.T + right @ self.W.T)
        h = tg.tanh(self.d + m @ self.R.T)
        return h
