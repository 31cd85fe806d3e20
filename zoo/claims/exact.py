"""Figures that need no training: they hold for any weights, or for an example that is written down."""

from __future__ import annotations

import math
from itertools import product
from typing import Any

import numpy as np

import tinygrad_rnn as tg

from ..attention import InputAttention
from ..decoding import beam, greedy
from ..generative import Generative
from ..leaky import LeakyCell
from ..pattern_3 import Pattern3
from ..pattern_4 import Pattern4
from ..rnn import RNNCell
from ..sequence import run
from ..tasks.adding import Adding
from ..tasks.chain import FlippingChain
from ..tasks.reber import EmbeddedReber, Reber
from .claim import Claim, Progress, below

# -- distributions over sequences ------------------------------------------------------------------------


def probabilities(task: FlippingChain) -> np.ndarray:
    """p(y) of each of the 2ᵀ sequences, (2ᵀ,)."""
    return task.all_sequences()[1]


def nats_of_all(model: Any, task: FlippingChain) -> np.ndarray:
    """−ln q(y) of each of the 2ᵀ sequences, (2ᵀ,), for a model of pattern I or IV."""
    (x, y), _ = task.all_sequences()
    with tg.no_grad():
        if hasattr(model, "log_likelihood"):
            return -model.log_likelihood(x, y).data
        h, nats = model.initial_state(x.shape[1]), np.zeros(x.shape[1])
        for x_t, y_t in zip(x, y, strict=True):
            o, h = model.step(x_t, h)
            nats += tg.cross_entropy(o, y_t, reduction="none").data
    return nats


def chain_rule(seed: int, quick: bool, progress: Progress) -> float:
    """|Σ p(y) − 1| over all 2ᵀ sequences, for weights that have just been drawn."""
    task = FlippingChain(dtype=np.float64)
    model = Pattern4(1, 16, 2, rng=seed)
    return abs(float(np.exp(-nats_of_all(model, task)).sum()) - 1)


def grammar_figures(seed: int, quick: bool, progress: Progress) -> float:
    """How far the mean lengths 8 and 12 and the entropies 6 ln 2 and 7 ln 2 are from what the tables come to."""
    plain, nested = Reber(), EmbeddedReber()
    computed = plain.mean_length, nested.mean_length, plain.floor, nested.floor
    return float(np.abs(np.array(computed) - [8, 12, 6 * math.log(2), 7 * math.log(2)]).max())


# -- the graph of pattern III ----------------------------------------------------------------------------


def steps_reached(seed: int, quick: bool, progress: Progress, forced: float = 1) -> float:
    """Of how many steps s ≠ t the graph of a loss L⁽ᵗ⁾ of pattern III contains x⁽ˢ⁾: the most over t."""
    T, rng = 8, np.random.default_rng(seed)
    model = Pattern3(2, 4, 2, rng=rng)
    x, y = rng.normal(size=(T, 3, 2)), rng.integers(2, size=(T, 3))
    graph = tg.record(lambda x, y: list(model.losses(x, y, forced)), x, y)
    whole = graph.inputs[0]
    read = {step: t for t, step in enumerate(s for s in graph.steps if whole in s.inputs)}
    most = 0
    for t, loss in enumerate(graph.outputs):
        reached, waiting = set(), [loss]
        while waiting:
            step = waiting.pop()
            if step not in reached:
                reached.add(step)
                waiting.extend(step.inputs)
        most = max(most, len({read[step] for step in reached & read.keys()} - {t}))
    return most


# -- adding ---------------------------------------------------------------------------------------------


def adding(seed: int, quick: bool, progress: Progress) -> float:
    """The squared error in the adding problem, T = 600, of attention whose weights are written down.

    It looks at nothing but the marks, half at each, and doubles the mean of the numbers that it sees.
    """
    model = InputAttention(2, 1, 1, rng=seed)
    weights = {"U": [[0, 50]], "b": [0], "v": [60], "V": [[2, 0]], "c": [0]}
    for name, weight in weights.items():
        getattr(model, name).data = np.array(weight, float)
    return Adding(T=600, dtype=np.float64).validation_loss(model)


# -- leaky units -----------------------------------------------------------------------------------------


def leaky_differences(seed: int, quick: bool, progress: Progress) -> float:
    """In how many numbers a leaky unit with α = 1 differs from an ordinary one of the same weights, over 100 steps.

    Both start from a 0 that lies in memory column by column: see `leaky`.
    """
    x, start = np.random.default_rng(seed).normal(size=(100, 4, 3)), tg.Tensor(np.zeros((16, 4)).T)
    ordinary, leaky = (run(cell, x, start)[0] for cell in (RNNCell(3, 16, rng=seed), LeakyCell(3, 16, 1.0, rng=seed)))
    return sum(int((h.data != same.data).sum()) for h, same in zip(ordinary, leaky, strict=True))


def leaky_decay(seed: int, quick: bool, progress: Progress) -> float:
    """How far ∂h_T/∂h_0 is from (1 − 1/α)ᵀ, relatively: the most of 16 units of different α, T = 50, W = U = 0."""
    T, rng = 50, np.random.default_rng(seed)
    α = 1 + rng.exponential(10, size=16)
    cell = LeakyCell(1, 16, α, rng=rng)
    for weight in cell.U, cell.W:
        weight.data = np.zeros_like(weight.data)
    gradient = tg.grad(lambda h: tg.sum(run(cell, np.zeros((T, 1, 1)), h)[1]))(rng.normal(size=(1, 16)))
    return float(np.abs(gradient.data / (1 - 1 / α) ** T - 1).max())


# -- search ----------------------------------------------------------------------------------------------


def table(first: Any, *after: Any) -> Any:
    """A cell that says the first symbol by the probabilities `first` and, after symbol k, the next by ``after[k]``."""

    def cell(y: Any, state: Any) -> tuple[tg.Tensor, Any]:
        y = np.asarray(y)
        return tg.Tensor(np.log(np.where(y.any(axis=-1, keepdims=True), y @ np.array(after), first))), state

    return cell


SYMBOLS = "ABC"
GARDEN_PATH = table([0.6, 0.4, 1e-300], [0.4, 0.3, 0.3], [0.9, 0.05, 0.05], [1 / 3] * 3)


def greedy_finds(seed: int, quick: bool, progress: Progress) -> float:
    """The probability of what greedy decoding finds where the likeliest beginning leads astray."""
    return float(np.exp(greedy(GARDEN_PATH, np.zeros((1, 3)), None, 2).log_p[0]))


def beam_finds(seed: int, quick: bool, progress: Progress) -> float:
    """The probability of what a beam of 2 finds there."""
    return float(np.exp(beam(GARDEN_PATH, np.zeros((1, 3)), None, 2, width=2).log_p[0]))


def beam_misses(seed: int, quick: bool, progress: Progress) -> float:
    """By how many nats the best of all 3⁵ sequences is better than what a beam of 3⁵ finds, for a random network."""
    T, K, rng = 5, 3, np.random.default_rng(seed)
    model = Generative(K, 8, rng=rng)
    for p in model.parameters():
        p.data = rng.normal(size=p.shape)
    y = np.array(list(product(range(K), repeat=T))).T
    with tg.no_grad():
        best = model.log_likelihood(y).data.max()
    return float(best - beam(model.step, model.nothing_said(1), model.initial_state(1), T, width=K**T).log_p[0])


CLAIMS: list[Claim] = [
    Claim(
        "chain-rule",
        "The probabilities that pattern IV gives to all 2¹⁰ sequences sum to 1.",
        "derived", "≤ 1e-12", chain_rule, below(1e-12), True, "",
    ),
    Claim(
        "reber-figures",
        "Reber strings have 8 letters and 4.1589 nats on average, embedded ones 12 and 4.8520.",
        "derived", "≤ 1e-12", grammar_figures, below(1e-12), True, "",
    ),
    Claim(
        "teacher-forcing-isolates-steps",
        "Teacher-forced, the graph of Lₜ in pattern III reaches no step but t.",
        "derived", "= 0", steps_reached, lambda figures: not any(figures), True, "other steps",
    ),
    Claim(
        "adding-attention-exact",
        "Attention over the raw inputs can add two marked numbers among 600 exactly: these weights do.",
        "derived", "≤ 1e-20 (chance 0.1667)", adding, below(1e-20), True, "squared error",
    ),
    Claim(
        "leaky-ordinary",
        "A leaky unit with α = 1 is the ordinary recurrent unit, bit for bit.",
        "derived", "= 0", leaky_differences, lambda figures: not any(figures), True, "numbers that differ",
    ),
    Claim(
        "leaky-decay",
        "Left to itself (W = U = 0) a leaky unit keeps ∂h_T/∂h_0 = (1 − 1/α)ᵀ.",
        "derived", "≤ 1e-12", leaky_decay, below(1e-12), True, "relative error",
    ),
    Claim(
        "greedy-search",
        "Where p(A) = .6, then at most .4, and p(B) = .4, then .9, greedy decoding finds .24.",
        "derived", "= 0.24", greedy_finds, lambda figures: np.allclose(figures, 0.24, 0, 1e-12), True, "",
    ),
    Claim(
        "beam-search",
        "A beam of 2 finds .36.",
        "derived", "= 0.36", beam_finds, lambda figures: np.allclose(figures, 0.36, 0, 1e-12), True, "",
    ),
    Claim(
        "beam-exhaustive",
        "A beam as wide as there are sequences finds what looking at all of them finds.",
        "derived", "≤ 1e-12", beam_misses, below(1e-12), True, "nats",
    ),
]  # fmt: skip
