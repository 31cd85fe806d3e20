"""How far a gradient reaches back in time: as it is measured, and as eigenvalues and singular values predict it.

    h⁽ᵗ⁾ = f(u⁽ᵗ⁾ + W h⁽ᵗ⁻¹⁾),   u⁽ᵗ⁾ = b + U x⁽ᵗ⁾

On its way back a gradient is multiplied by a matrix at each step, Wᵀ H⁽ᵗ⁺¹⁾, the transpose of a Jacobian:

    ∂L/∂h⁽ᵗ⁾ = Wᵀ H⁽ᵗ⁺¹⁾ ∂L/∂h⁽ᵗ⁺¹⁾,   H⁽ᵗ⁾ = diag(f′) at step t

for a loss at the end. Over τ steps the Jacobians multiply:

    ∂h⁽ᵀ⁾/∂h⁽ᵀ⁻τ⁾ = H⁽ᵀ⁾ W H⁽ᵀ⁻¹⁾ W … H⁽ᵀ⁻τ⁺¹⁾ W

The norm ‖∂h⁽ᵀ⁾/∂h⁽ᵀ⁻τ⁾‖, the largest singular value, is the most by which that makes it longer. Where |f′| ≤ γ,

    ‖∂h⁽ᵀ⁾/∂h⁽ᵀ⁻τ⁾‖ ≤ (γ σmax)^τ            always: σmax is the largest singular value of W
    ‖∂h⁽ᵀ⁾/∂h⁽ᵀ⁻τ⁾‖^(1/τ) → γ ρ             as τ grows, where f′ = γ: ρ is the largest magnitude of an eigenvalue of W

γ is 1 for a linear f and for tanh, but 1/4 for the sigmoid: with that a gradient vanishes at least as fast as 4^−τ
unless W makes up for it. An orthogonal W, all of whose singular values are 1, keeps the norm of a linear network.

Correction: the lecture writes the product as QΛ^τQᵀ. That holds where H is the same at all steps and WᵀH symmetric: for
a linear network with a symmetric W, say, for which the norm is ρ^τ exactly. Otherwise the factors differ and do not
commute, and even where they are all the same their eigenvectors need not be orthogonal. Then eigenvalues only describe
the limit; before it the norm may grow though every eigenvalue is below 1. Singular values always bound it.

Correction: the lecture asks an echo state network to have a Jacobian of spectral radius near 1. That by itself is not
the echo state property, which is that two runs with the same input end up in the same state wherever they started:
`distances` measures it. A Jacobian tells of one point: tanh(1.05 h), left to itself, has a slope of 0.91 where it comes
to rest, and rests at +0.37 or at −0.37 for ever, according to its start. γ σmax < 1 is enough: then all distances
shrink.

Lecture, "Vanishing and Exploding Gradients" and "Echo state networks"; Goodfellow, Bengio & Courville 2016, sections
10.7 to 10.9; Pascanu, Mikolov & Bengio 2013, On the difficulty of training recurrent neural networks, section 2.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import tinygrad_rnn as tg

from .echo_state import spectral_radius

Step = Callable[[list[Any], Any], Any]
"""step([h⁽⁰⁾, …, h⁽ᵗ⁻¹⁾], u⁽ᵗ⁾) → h⁽ᵗ⁾; h and u are (n,), or rows (B, n) that do not see each other."""


class Activation(NamedTuple):
    """f, and γ, the most that |f′| can be."""

    f: Callable[[Any], Any]
    slope: float


LINEAR, TANH, SIGMOID = Activation(lambda a: a, 1.0), Activation(tg.tanh, 1.0), Activation(tg.sigmoid, 0.25)


class Decay(NamedTuple):
    """Norms at each lag τ = 0 … T, all (T + 1,): as measured, and as predicted by ρ and by σmax."""

    norm: np.ndarray
    limit: np.ndarray
    bound: np.ndarray


def decay(W: np.ndarray, u: np.ndarray, activation: Activation = LINEAR) -> Decay:
    """‖∂h⁽ᵀ⁾/∂h⁽ᵀ⁻τ⁾‖ at each lag τ, from h⁽⁰⁾ = 0, beside (γ ρ)^τ and (γ σmax)^τ.

    W           (n, n)
    u           (T, n): b + U x⁽ᵗ⁾ at each step
    activation  LINEAR, TANH or SIGMOID
    """
    f, slope = activation
    lags = np.arange(len(u) + 1)
    measured = norms(jacobians(plain(W, f), np.zeros(len(W)), u))
    with np.errstate(over="ignore"):  # a prediction beyond the range of numbers is ∞
        return Decay(measured, (slope * spectral_radius(W)) ** lags, (slope * np.linalg.norm(W, 2)) ** lags)


def plain(W: np.ndarray, f: Callable[[Any], Any]) -> Step:
    """h⁽ᵗ⁾ = f(u⁽ᵗ⁾ + W h⁽ᵗ⁻¹⁾)"""
    return lambda past, u: f(u + past[-1] @ W.T)


def skipping(W: np.ndarray, R: np.ndarray, d: int, f: Callable[[Any], Any]) -> Step:
    """h⁽ᵗ⁾ = f(u⁽ᵗ⁾ + W h⁽ᵗ⁻¹⁾ + R h⁽ᵗ⁻ᵈ⁾), where states before h⁽⁰⁾ are 0.

    A gradient that goes by way of R alone comes τ steps back in τ/d steps: it decays in τ/d.
    """
    return lambda past, u: f(u + past[-1] @ W.T + (past[-d] @ R.T if len(past) >= d else 0))


def jacobians(step: Step, start: np.ndarray, u: np.ndarray) -> np.ndarray:
    """∂h⁽ᵀ⁾/∂h⁽ᵗ⁾ for t = 0 … T, (T + 1, n, n), by one backward pass.  start (n,) is h⁽⁰⁾, u (T, n)

    The same network runs n times side by side, the rows of a batch. The gradient at h⁽ᵀ⁾ is another row of the identity
    for each, so what comes back is another row of the Jacobian. It is read off a 0 that was added to h⁽ᵗ⁾, whose
    gradient is that of h⁽ᵗ⁾, by all ways from there.
    """

    def last(*zeros: Any) -> Any:
        past = [start + zeros[0]]
        for u_t, zero in zip(u, zeros[1:], strict=True):
            past.append(step(past, u_t) + zero)
        return past[-1]

    n = len(start)
    _, pullback = tg.vjp(last, *np.zeros((len(u) + 1, n, n)))
    return np.array([jacobian.data for jacobian in pullback(np.eye(n))])


def norms(jacobians: np.ndarray) -> np.ndarray:
    """The largest singular value of ∂h⁽ᵀ⁾/∂h⁽ᵀ⁻τ⁾ at each lag τ = 0 … T, (T + 1,); the first is 1, of ∂h⁽ᵀ⁾/∂h⁽ᵀ⁾."""
    return np.linalg.norm(jacobians[::-1], 2, axis=(1, 2))


def distances(step: Step, start: np.ndarray, other: np.ndarray, u: np.ndarray) -> np.ndarray:
    """How far apart two runs with the same u are after each step t = 0 … T, (T + 1,).  start, other (n,), u (T, n)"""
    past = [np.stack([start, other])]
    with tg.no_grad():
        for u_t in u:
            past.append(np.asarray(step(past, u_t)))
    return np.array([np.linalg.norm(h - other) for h, other in past])
