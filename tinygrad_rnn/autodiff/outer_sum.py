"""Σₜ uₜᵀ vₜ, the gradient of a weight that is used at every step, as one product of tall matrices.

In h⁽ᵗ⁾ = tanh(b + W h⁽ᵗ⁻¹⁾ + …) the lecture's ∂L/∂W = Σₜ diag(1 − h²) (∂L/∂h) hᵀ sums T thin products.
Stacking the factors, [u₁; u₂; …]ᵀ [v₁; v₂; …] is the same sum, and BLAS computes it much faster than T
products and T additions of a whole matrix. The backward pass keeps such a gradient in this form until
somebody needs its numbers.
"""

from __future__ import annotations

from typing import Any

import numpy as np

ROWS = 512  # stack this many rows before multiplying: enough for BLAS, little memory


class OuterSum:
    """Σ uᵢᵀ vᵢ for matrices uᵢ (nᵢ, rows), vᵢ (nᵢ, columns); has the shape and dtype of the array it stands for."""

    __slots__ = ("done", "dtype", "left", "pending", "right", "shape")

    def __init__(self, u: np.ndarray, v: np.ndarray):
        self.left, self.right = [u], [v]
        self.shape = (u.shape[1], v.shape[1])
        self.dtype = v.dtype
        self.pending = len(u)
        self.done: np.ndarray | None = None

    def transpose(self, axes: None = None) -> OuterSum:
        """(Σ uᵀ v)ᵀ = Σ vᵀ u: this very sum, turned round."""
        self.left, self.right = self.right, self.left
        self.shape = self.shape[::-1]
        self.done = None if self.done is None else self.done.T
        return self

    def add(self, other: OuterSum) -> None:
        """Take over the terms of another sum."""
        self.left += other.left
        self.right += other.right
        self.pending += other.pending
        if other.done is not None:
            self.done = other.done if self.done is None else self.done + other.done
        if self.pending >= ROWS:
            self._multiply()

    def _multiply(self) -> None:
        if not self.left:
            return
        u, v = (parts[0] if len(parts) == 1 else np.concatenate(parts) for parts in (self.left, self.right))
        product = u.T @ v
        self.done = product if self.done is None else np.add(self.done, product, out=self.done)
        self.left, self.right, self.pending = [], [], 0

    def array(self) -> np.ndarray:
        """The numbers, in an array of the caller's own."""
        self._multiply()
        assert self.done is not None
        return self.done


def as_array(g: Any) -> Any:
    return g.array() if type(g) is OuterSum else g
