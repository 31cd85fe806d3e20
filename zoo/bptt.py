"""Backpropagation through time by hand: the gradients of pattern I, equation by equation, in plain NumPy.

Each equation stands above the line that computes it. Vectors are columns, as in the lecture: W h is a matrix times one,
and u vᵀ, a column times a row, is ``np.outer(u, v)``. Steps are counted from 1, because h⁽⁰⁾ is what comes before the
first of them: ``h[t]`` is h⁽ᵗ⁾. The equations are those of one example; for a batch take `mean_over_batch`.

∂L/∂z is a column like z, or a matrix like z: the gradient that others write ∇z L. Only where one vector is derived by
another, ∂u/∂v, it is the Jacobian, with a row for each element of u; then ∂L/∂v = (∂u/∂v)ᵀ ∂L/∂u is the chain rule.

Where an equation differs from the lecture's, a comment that begins with "Correction" says how. The model that learns is
`pattern_1.Pattern1`, whose gradients the engine finds by itself, and the equations of `backward` are what
``viz.equations(tg.record(model, x, y), of="backward")`` reads off a run of it. What they mean for gradients that come
from far is in `gradients`.

Lecture, "RNN Back Propagation Through Time"; Goodfellow, Bengio & Courville 2016, equations 10.8 to 10.28.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

Steps = dict[int, np.ndarray]
"""A vector for each step t: ``h[t]`` is h⁽ᵗ⁾."""


class Weights(NamedTuple):
    """U (hidden, inputs), W (hidden, hidden), V (outputs, hidden), b (hidden,), c (outputs,)"""

    U: np.ndarray
    W: np.ndarray
    V: np.ndarray
    b: np.ndarray
    c: np.ndarray


class Forward(NamedTuple):
    """What the forward pass computes: a and h (hidden,), o and ŷ (outputs,) at each step; L⁽ᵗ⁾ and L in nats."""

    a: Steps
    h: Steps
    o: Steps
    ŷ: Steps
    L_t: dict[int, float]
    L: float


class Gradients(NamedTuple):
    """∂L/∂o and ∂L/∂h at each step, and those of the weights, each of the shape of what it is the gradient of."""

    o: Steps
    h: Steps
    U: np.ndarray
    W: np.ndarray
    V: np.ndarray
    b: np.ndarray
    c: np.ndarray


def forward(weights: Weights, x: Any, y: Any) -> Forward:
    """Run over one sequence.  x (T, inputs), y (T,): the right class at each step, a number from 0

    Raises ValueError unless there is at least one step and a class for each, IndexError for a class there is not.
    """
    U, W, V, b, c = weights
    x, y, T = counted(x, y, len(c))
    a, h, o, ŷ, L_t = {}, {0: np.zeros(len(b))}, {}, {}, {}
    for t in range(1, T + 1):
        # a⁽ᵗ⁾ = b + W h⁽ᵗ⁻¹⁾ + U x⁽ᵗ⁾
        a[t] = b + W @ h[t - 1] + U @ x[t]
        # h⁽ᵗ⁾ = tanh(a⁽ᵗ⁾)
        h[t] = np.tanh(a[t])
        # o⁽ᵗ⁾ = c + V h⁽ᵗ⁾
        o[t] = c + V @ h[t]
        # ŷ⁽ᵗ⁾ = softmax(o⁽ᵗ⁾): of element i, exp(oᵢ) / Σⱼ exp(oⱼ), here by its logarithm, which cannot overflow. (The
        # lecture writes θ for o inside the exponentials.)
        log_ŷ = o[t] - np.logaddexp.reduce(o[t])
        ŷ[t] = np.exp(log_ŷ)
        # L⁽ᵗ⁾ = −y⁽ᵗ⁾ᵀ log ŷ⁽ᵗ⁾
        L_t[t] = -(y[t] @ log_ŷ)
    # L = Σₜ L⁽ᵗ⁾
    L = sum(L_t.values())
    return Forward(a, h, o, ŷ, L_t, L)


def backward(weights: Weights, x: Any, y: Any) -> Gradients:
    """The gradients of L for one sequence, from the last step to the first.  x, y and errors as of `forward`"""
    _, W, V, _, c = weights
    _, h, _, ŷ, _, _ = forward(weights, x, y)
    x, y, T = counted(x, y, len(c))
    dL_do, dL_dh = {}, {}
    dL_dU, dL_dW, dL_dV, dL_db, dL_dc = (np.zeros(weight.shape) for weight in weights)

    # Of all that L is the sum of, only L⁽ᵗ⁾ depends on o⁽ᵗ⁾; how, `through_the_softmax` goes into. The same V is used
    # at every step, so its gradient is a sum over the steps.
    for t in range(1, T + 1):
        # ∂L/∂o⁽ᵗ⁾ = ŷ⁽ᵗ⁾ − y⁽ᵗ⁾
        dL_do[t] = ŷ[t] - y[t]
        # ∂L/∂V = Σₜ ∂L/∂o⁽ᵗ⁾ h⁽ᵗ⁾ᵀ
        # Correction: the lecture leaves out the transpose, but a column (ŷ − y) times a column h is no matrix like V.
        dL_dV += np.outer(dL_do[t], h[t])

    # The last state has no effect but on the last output.
    # ∂L/∂h⁽ᵀ⁾ = Vᵀ ∂L/∂o⁽ᵀ⁾
    dL_dh[T] = V.T @ dL_do[T]

    # Every other state also makes the next state: ∂L/∂h⁽ᵗ⁾ = (∂h⁽ᵗ⁺¹⁾/∂h⁽ᵗ⁾)ᵀ ∂L/∂h⁽ᵗ⁺¹⁾ + (∂o⁽ᵗ⁾/∂h⁽ᵗ⁾)ᵀ ∂L/∂o⁽ᵗ⁾.
    # Correction: the lecture writes ∂Lₜ/∂hₜ and ∂Lₜ/∂hₜ₊₁ here and below. But Lₜ does not depend on hₜ₊₁ at all: what
    # comes back through time is the gradient of the total L, the sum of what all later steps have to say.
    for t in reversed(range(1, T)):
        # ∂h⁽ᵗ⁺¹⁾/∂h⁽ᵗ⁾ = ∂h⁽ᵗ⁺¹⁾/∂a⁽ᵗ⁺¹⁾ ∂a⁽ᵗ⁺¹⁾/∂h⁽ᵗ⁾ = diag(1 − (h⁽ᵗ⁺¹⁾)²) W
        # Correction: the lecture has ∂aₜ for ∂aₜ₊₁ in the middle, but aₜ is what hₜ is made from, not the other way.
        dh_dh = np.diag(1 - h[t + 1] ** 2) @ W
        # ∂L/∂h⁽ᵗ⁾ = Wᵀ diag(1 − (h⁽ᵗ⁺¹⁾)²) ∂L/∂h⁽ᵗ⁺¹⁾ + Vᵀ ∂L/∂o⁽ᵗ⁾,  t < T
        dL_dh[t] = dh_dh.T @ dL_dh[t + 1] + V.T @ dL_do[t]

    # The other weights, by way of a⁽ᵗ⁾ or o⁽ᵗ⁾.
    for t in range(1, T + 1):
        # ∂L/∂W = Σₜ diag(1 − (h⁽ᵗ⁾)²) ∂L/∂h⁽ᵗ⁾ h⁽ᵗ⁻¹⁾ᵀ
        dL_dW += np.outer(np.diag(1 - h[t] ** 2) @ dL_dh[t], h[t - 1])
        # ∂L/∂U = Σₜ diag(1 − (h⁽ᵗ⁾)²) ∂L/∂h⁽ᵗ⁾ x⁽ᵗ⁾ᵀ
        dL_dU += np.outer(np.diag(1 - h[t] ** 2) @ dL_dh[t], x[t])
        # ∂L/∂c = Σₜ ∂L/∂o⁽ᵗ⁾
        dL_dc += dL_do[t]
        # ∂L/∂b = Σₜ diag(1 − (h⁽ᵗ⁾)²) ∂L/∂h⁽ᵗ⁾
        dL_db += np.diag(1 - h[t] ** 2) @ dL_dh[t]
    return Gradients(dL_do, dL_dh, dL_dU, dL_dW, dL_dV, dL_db, dL_dc)


def through_the_softmax(o: np.ndarray, k: int) -> np.ndarray:
    """∂L⁽ᵗ⁾/∂o⁽ᵗ⁾ as the product of the lecture's three factors; they come to ŷ − y.  o (outputs,), k the right class

    L⁽ᵗ⁾ = −log ŷₖ, and ŷₖ = eₖ / S with eᵢ = exp(oᵢ), S = Σᵢ eᵢ.
    """
    e = np.exp(o)
    S = e.sum()
    # ∂L⁽ᵗ⁾/∂ŷₖ = −1/ŷₖ
    dL_dŷ = -S / e[k]
    # ∂ŷₖ/∂eₖ = (S − eₖ)/S²,  ∂ŷₖ/∂eᵢ = (0 − eₖ)/S² for i ≠ k
    # Correction: for i ≠ k the lecture has eᵢ in the place of eₖ, here and in 1/ŷₖ = S/eₖ: two slips that cancel.
    dŷ_de = (S * (np.arange(len(o)) == k) - e[k]) / S**2
    # ∂eᵢ/∂oᵢ = eᵢ
    de_do = e
    return dL_dŷ * dŷ_de * de_do


def mean_over_batch(weights: Weights, x: Any, y: Any) -> tuple[float, Weights]:
    """L and the gradients of the weights, each the mean of what it is for the examples of a batch, as in `Pattern1`.

    x (T, B, inputs), y (T, B). Raises ValueError for a batch of no examples.
    """
    if not np.size(y):
        raise ValueError("the mean over a batch of no examples, or no steps, is nothing")
    examples = [(x[:, i], y[:, i]) for i in range(np.shape(x)[1])]
    L = np.mean([forward(weights, *example).L for example in examples])
    gradients = [backward(weights, *example) for example in examples]
    means = (np.mean([getattr(g, name) for g in gradients], axis=0) for name in Weights._fields)
    return float(L), Weights(*means)


def counted(x: Any, y: Any, classes: int) -> tuple[Steps, Steps, int]:
    """x⁽¹⁾ … x⁽ᵀ⁾, y⁽¹⁾ … y⁽ᵀ⁾ and T; a class is a column y that is 1 in its slot and 0 in all others."""
    if not len(x) == len(y) > 0:
        raise ValueError(f"x has {len(x)} steps and y {len(y)}: there is at least one, and a class for each")
    if not 0 <= np.min(y) <= np.max(y) < classes:
        raise IndexError(f"the classes are 0 to {classes - 1}, not {np.min(y)} to {np.max(y)}")
    return dict(enumerate(np.asarray(x), start=1)), dict(enumerate(np.eye(classes)[y], start=1)), len(x)
