"""Gradients through time: by hand as by the engine, and as long as eigenvalues and singular values say."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn.initialisers import orthogonal

from ..bptt import Weights, backward, forward
from ..gradients import LINEAR, SIGMOID, TANH, Activation, decay, jacobians, norms, skipping
from ..pattern_1 import Pattern1
from .claim import Claim, Progress, below, worst

# -- BPTT by hand -----------------------------------------------------------------------------------------

T, D, H, K = 12, 3, 5, 4  # steps, inputs, hidden units, classes


def example(seed: int) -> tuple[Pattern1, Weights, np.ndarray, np.ndarray]:
    """A model of pattern I, none of whose weights is 0, its weights as arrays, a sequence x (T, D) and y (T,)."""
    rng = np.random.default_rng(seed)
    model = Pattern1(D, H, K, rng=rng)
    for p in model.parameters():
        p.data = p.data + rng.normal(0, 0.3, p.shape)
    weights = Weights(*(getattr(model, name).data for name in Weights._fields))
    return model, weights, rng.normal(size=(T, D)), rng.integers(K, size=T)


def by_engine(seed: int, quick: bool, progress: Progress) -> float:
    """How far the gradients by hand, at every step and of every weight, are from the engine's: relatively, the most."""
    model, weights, x, y = example(seed)
    found = backward(weights, x, y)
    o, h = (np.zeros((T, 1, size)) for size in (K, H))

    def loss(o_zeros: Any, h_zeros: Any) -> Any:
        """L, with a 0 added to each o⁽ᵗ⁾ and h⁽ᵗ⁾ whose gradient is that of o⁽ᵗ⁾ or h⁽ᵗ⁾."""
        h_t, L = model.initial_state(1), 0
        for x_t, y_t, o_zero, h_zero in zip(x, y, o_zeros, h_zeros, strict=True):
            h_t = tg.tanh(model.b + h_t @ model.W.T + x_t @ model.U.T) + h_zero
            L = L + tg.cross_entropy(model.c + h_t @ model.V.T + o_zero, y_t[None])
        return L

    of_steps = tg.grad(loss, (0, 1))(o, h)
    model(x[:, None], y[:, None]).backward()
    errors = [_error(getattr(found, name), getattr(model, name).grad.data) for name in Weights._fields]
    for by_hand, expected in zip((found.o, found.h), of_steps, strict=True):
        errors += [_error(by_hand[t], expected.data[t - 1, 0]) for t in range(1, T + 1)]
    return worst(errors)


def by_differences(seed: int, quick: bool, progress: Progress) -> float:
    """How far the gradients of the weights by hand are from finite differences of L: relatively, the most."""
    _, weights, x, y = example(seed)
    found, step = backward(weights, x, y), 1e-5
    errors = []
    for name, weight in weights._asdict().items():
        differences = np.zeros(weight.shape)
        for at in np.ndindex(weight.shape):
            nudge = np.zeros(weight.shape)
            nudge[at] = step
            up, down = (forward(weights._replace(**{name: weight + way * nudge}), x, y).L for way in (1, -1))
            differences[at] = (up - down) / (2 * step)
        errors.append(_error(getattr(found, name), differences))
    return worst(errors)


def _error(found: np.ndarray, expected: np.ndarray) -> float:
    """The largest difference, in units of the largest number."""
    return float(np.abs(found - expected).max() / np.abs(expected).max())


# -- vanishing, exploding ------------------------------------------------------------------------------------

N, LAGS = 16, 100


def linear_norm(gain: float) -> Any:
    """‖∂h⁽¹⁰⁰⁾/∂h⁽⁰⁾‖ of a linear network whose W is an orthogonal matrix times a gain."""

    def measure(seed: int, quick: bool, progress: Progress) -> float:
        rng = np.random.default_rng(seed)
        return float(decay(gain * orthogonal((N, N), rng=rng), rng.normal(size=(LAGS, N)), LINEAR).norm[-1])

    return measure


def norm_kept(seed: int, quick: bool, progress: Progress) -> float:
    """How far the norm is from 1 at any of 100 lags in a linear network with an orthogonal W."""
    rng = np.random.default_rng(seed)
    return float(np.abs(decay(orthogonal((N, N), rng=rng), rng.normal(size=(LAGS, N)), LINEAR).norm - 1).max())


def symmetric(seed: int, quick: bool, progress: Progress) -> float:
    """How far the norm is from ρ^τ at any of 100 lags in a linear network with a symmetric W, relatively."""
    rng = np.random.default_rng(seed)
    W = rng.normal(size=(N, N)) / 8
    found = decay((W + W.T) / 2, rng.normal(size=(LAGS, N)), LINEAR)
    return float(np.abs(found.norm / found.limit - 1).max())


def growth(seed: int, quick: bool, progress: Progress) -> float:
    """How far ‖W^τ‖^(1/τ) is from ρ, relatively, at a lag of 1000, for a random W."""
    W = np.random.default_rng(seed).normal(size=(N, N)) / math.sqrt(N)
    found = decay(W, np.zeros((1000, N)), LINEAR)
    return float(abs((found.norm[-1] / found.limit[-1]) ** (1 / 1000) - 1))


def bounded(activation: Activation) -> Any:
    """The norm as a ratio to (γ σmax)^τ: the most over lags from 1 up."""

    def measure(seed: int, quick: bool, progress: Progress) -> float:
        rng = np.random.default_rng(seed)
        found = decay(rng.normal(size=(N, N)) / 4, rng.normal(size=(LAGS, N)) / 4, activation)
        return float((found.norm / found.bound)[1:].max())

    return measure


def skipped(seed: int, quick: bool, progress: Progress) -> float:
    """‖∂h⁽¹⁰⁰⁾/∂h⁽⁰⁾‖ of a linear network whose only connection, 0.9 times an orthogonal matrix, skips 5 steps."""
    step = skipping(np.zeros((N, N)), 0.9 * orthogonal((N, N), rng=seed), 5, LINEAR.f)
    return float(norms(jacobians(step, np.zeros(N), np.zeros((LAGS, N))))[-1])


def equal(figure: float) -> Any:
    """Every figure is this one, to 1e-9 of it."""
    return lambda figures: all(math.isclose(measured, figure, rel_tol=1e-9) for measured in figures)


CLAIMS: list[Claim] = [
    Claim(
        "bptt-engine",
        "The gradients of the lecture's equations, corrected, are those the engine finds, at every step and weight.",
        "derived", "≤ 1e-10", by_engine, below(1e-10), True, "relative error",
    ),
    Claim(
        "bptt-differences",
        "They are the finite differences of the loss.",
        "derived", "≤ 1e-6", by_differences, below(1e-6), True, "relative error",
    ),
    Claim(
        "vanishing",
        "With singular values of 0.9, 100 steps of a linear network leave 0.9¹⁰⁰ of a gradient.",
        "derived", "= 2.66e-5", linear_norm(0.9), equal(0.9**100), True, "of its length",
    ),
    Claim(
        "exploding",
        "With singular values of 1.1, they make it 1.1¹⁰⁰ times as long.",
        "derived", "= 1.378e4", linear_norm(1.1), equal(1.1**100), True, "times its length",
    ),
    Claim(
        "vanishing-orthogonal",
        "An orthogonal W keeps its length, at every lag to 100.",
        "derived", "≤ 1e-12", norm_kept, below(1e-12), True, "off 1",
    ),
    Claim(
        "vanishing-symmetric",
        "For a symmetric W its length is ρ^τ, ρ the largest size of an eigenvalue.",
        "derived", "≤ 1e-10", symmetric, below(1e-10), True, "relative error",
    ),
    Claim(
        "vanishing-limit",
        "For any other W, eigenvalues say how it grows in the limit: ‖W^τ‖^(1/τ) → ρ.",
        "derived", "< 0.01 at τ = 1000", growth, below(0.01), True, "relative error",
    ),
    Claim(
        "vanishing-tanh",
        "With tanh it is at most σmax^τ, for any W.",
        "derived", "≤ 1", bounded(TANH), below(1 + 1e-12), True, "times the bound",
    ),
    Claim(
        "vanishing-sigmoid",
        "With the sigmoid it is at most (¼ σmax)^τ, for any W.",
        "derived", "≤ 1", bounded(SIGMOID), below(1 + 1e-12), True, "times the bound",
    ),
    Claim(
        "vanishing-skip",
        "Over skips of 5 steps a gradient decays in τ/5: what comes 100 steps back is 0.9²⁰ of it.",
        "derived", "= 0.1216", skipped, equal(0.9**20), True, "of its length",
    ),
]  # fmt: skip
