"""Gradients through time: by hand as by the engine, and as long as eigenvalues and singular values say."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn.nn.initialisers import orthogonal

from ..bptt import Steps, Weights, backward, forward
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
    of_o, of_h = tg.grad(nudged(model, x, y), (0, 1))(np.zeros((T, K)), np.zeros((T, H)))
    model(x[:, None], y[:, None]).backward()
    errors = [_error(getattr(found, name), getattr(model, name).grad.data) for name in Weights._fields]
    return worst(errors + _errors(found.o, of_o.data) + _errors(found.h, of_h.data))


def by_differences(seed: int, quick: bool, progress: Progress) -> float:
    """How far the gradients by hand, at every step and of every weight, are from finite differences of L: the most."""
    model, weights, x, y = example(seed)
    found, L = backward(weights, x, y), nudged(model, x, y)

    def of(name: str) -> np.ndarray:
        return differences(lambda w: forward(weights._replace(**{name: w}), x, y).L, getattr(weights, name))

    errors = [_error(getattr(found, name), of(name)) for name in Weights._fields]
    o, h = np.zeros((T, K)), np.zeros((T, H))
    errors += _errors(found.o, differences(lambda o: L(o, h).item(), o))
    errors += _errors(found.h, differences(lambda h: L(o, h).item(), h))
    return worst(errors)


def nudged(model: Pattern1, x: np.ndarray, y: np.ndarray) -> Callable[[Any, Any], Any]:
    """L, where a row of o (T, K) and one of h (T, H) is added to each o⁽ᵗ⁾ and h⁽ᵗ⁾: at 0 its gradients are theirs."""

    def loss(o: Any, h: Any) -> Any:
        h_t: Any = model.initial_state(1)
        L: Any = 0
        for x_t, y_t, to_o, to_h in zip(x, y, o, h, strict=True):
            h_t = tg.tanh(model.b + h_t @ model.W.T + x_t @ model.U.T) + to_h
            L = L + tg.cross_entropy(model.c + h_t @ model.V.T + to_o, y_t[None])
        return L

    return loss


def differences(f: Callable[[np.ndarray], float], at: np.ndarray, step: float = 1e-5) -> np.ndarray:
    """The gradient of f by central differences, of the shape of `at`."""
    found = np.zeros(at.shape)
    for i in np.ndindex(at.shape):
        nudge = np.zeros(at.shape)
        nudge[i] = step
        found[i] = (f(at + nudge) - f(at - nudge)) / (2 * step)
    return found


def _error(found: np.ndarray, expected: np.ndarray) -> float:
    """The largest difference, in units of the largest number."""
    return float(np.abs(found - expected).max() / np.abs(expected).max())


def _errors(found: Steps, expected: np.ndarray) -> list[float]:
    """The error at each step: ``found[t]`` is the t-th row of what is expected."""
    return [_error(found[t], row) for t, row in enumerate(expected, start=1)]


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
