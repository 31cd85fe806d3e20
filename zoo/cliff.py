"""The cliff: a loss that is nearly flat, but for a wall; gradient descent that meets it, and what clipping does for it.

    h⁽ᵗ⁾ = σ(w h⁽ᵗ⁻¹⁾ + b),   h⁽⁰⁾ = 1/2
    L = (h⁽⁵⁰⁾ − 0.7)²

One hidden unit, two parameters, one wall: for w > 4 there is a line on whose one side h falls towards 0 and on whose
other it rises towards 1, and the 50 steps make that a leap. On the wall the gradient is a sum of products of up to 50
factors above 1; it says rightly which way is down, but nothing of how short the way is. A step as long as it throws the
parameters far away, to where L is flat and from where there is no way back. A step that is clipped comes down near the
wall, and the next one tries again.

Clipping the norm makes g v/‖g‖ of a gradient g longer than v: shorter, and in the same direction. Clipping the value
brings each element into [−v, v]: what is larger is shorter, what is smaller stays, and the direction turns towards a
diagonal. Both leave a gradient alone that is small enough.

Lecture, "Vanishing and Exploding Gradients"; Goodfellow, Bengio & Courville 2016, section 10.11.1 and figure 10.17;
Pascanu, Mikolov & Bengio 2013, figure 6: there one hidden unit, 50 steps and a wall.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn.nn.optimisers import SGD

Clip = Callable[[list[tg.Tensor]], float]
"""Clips the gradients of parameters and returns the norm that they had: `norm_clipped(v)`, `value_clipped(v)`."""

STEPS = 50
TARGET = 0.7


class Path(NamedTuple):
    """Gradient descent: w and b before each step and after the last (steps + 1, 2), L there (steps + 1,), and the norm
    of the gradient before it was clipped (steps,)."""

    parameters: np.ndarray
    L: np.ndarray
    norm: np.ndarray


def loss(w: Any, b: Any) -> Any:
    """L, of the shape of w and b: of one pair of parameters, or of all points of a grid."""
    h = 0.5
    for _ in range(STEPS):
        h = tg.sigmoid(w * h + b)
    return (h - TARGET) ** 2


def surface(w: np.ndarray, b: np.ndarray) -> np.ndarray:
    """L at each point of a grid, (len(b), len(w)): a row for each b."""
    with tg.no_grad():
        return np.asarray(loss(*np.meshgrid(w, b)))


def descent(start: tuple[float, float], lr: float, steps: int, clip: Clip | None = None) -> Path:
    """Follow the gradient from (w, b) = start; without `clip`, wherever it goes."""
    w, b = (tg.Parameter(np.float64(value)) for value in start)
    optimiser = SGD([w, b], lr=lr)
    clip = clip or norm_clipped(np.inf)
    points, losses, norms = [start], [], []
    for _ in range(steps):
        optimiser.zero_grad()
        L = loss(w, b)
        L.backward()
        norms.append(clip([w, b]))
        optimiser.step()
        losses.append(L.item())
        points.append((w.item(), b.item()))
    with tg.no_grad():
        losses.append(loss(w, b).item())
    return Path(np.array(points), np.array(losses), np.array(norms))


def norm_clipped(v: float) -> Clip:
    """g ← g v/‖g‖ if ‖g‖ > v"""
    return lambda parameters: tg.clip_grad_norm(parameters, v)


def value_clipped(v: float) -> Clip:
    """gᵢ ← v if gᵢ > v, −v if gᵢ < −v, for each element"""
    return lambda parameters: tg.clip_grad_value(parameters, v)


def clipped(g: np.ndarray, clip: Clip) -> np.ndarray:
    """What clipping leaves of a gradient (n,)."""
    parameter = tg.Parameter(np.zeros(len(g)))
    parameter.grad = tg.Tensor(g)
    clip([parameter])
    return parameter.grad.data


def angle(g: np.ndarray, other: np.ndarray) -> float:
    """The angle between two vectors (n,) that are not 0, in degrees."""
    cosine = g @ other / (np.linalg.norm(g) * np.linalg.norm(other))
    return float(np.degrees(np.arccos(np.clip(cosine, -1, 1))))
