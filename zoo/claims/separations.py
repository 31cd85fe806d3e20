"""Separations that can be proved: what one model cannot do, whatever its weights, and another can.

A model that learns must come near the floor of its task; one that provably cannot must stay where chance is, for all
that was spent on it. Chance is no success: its figure is there to be compared with.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

import tinygrad_rnn as tg

from ..attention import InputAttention
from ..bidirectional import Bidirectional
from ..generative import Generative
from ..pattern_1 import Pattern1
from ..pattern_3 import Pattern3, Pattern3Values
from ..pattern_4 import Pattern4
from ..tasks.adding import Adding
from ..tasks.bits import FairBits, LookAheadXor, RunningXor
from ..tasks.chain import FlippingChain
from ..tasks.orbit import Orbit
from ..tasks.reber import EmbeddedReber, Reber
from . import exact
from .claim import Claim, Progress, above, at_least, below, worst
from .teaching import teach

NOISE = 0.002  # nats a step: how far the mean over a thousand sequences is from what is expected, several times over


def learn(
    kind: Callable[..., Any],
    task: Any,
    seed: int,
    steps: int,
    progress: Progress,
    *,
    hidden: int = 16,
    loss: Callable[..., Any] | None = None,
) -> Any:
    """A model, trained on a task by Adam, its rate falling from 0.01 to 0; gradients are clipped to norm 1.

    loss  what to descend instead of ``task.loss(model, *batch)``: ``loss(model, batch, done, rng)`` with the fraction
          of steps that are done
    """
    model = kind(task.inputs, hidden, task.outputs, rng=seed, dtype=task.dtype)
    loss = loss or (lambda model, batch, done, rng: task.loss(model, *batch))

    def lesson(done: float, rng: np.random.Generator) -> Callable[[], Any]:
        batch = task.batch(rng)
        return lambda: loss(model, batch, done, rng)

    return teach(model, lesson, steps, 0.01, seed, progress)


def trained(kind: Any, task_kind: Any, steps: int, quick_steps: int) -> Callable[[int, bool, Progress], float]:
    """What measures the loss on a task of a model trained on it."""

    def measure(seed: int, quick: bool, progress: Progress) -> float:
        task = task_kind()
        return task.validation_loss(learn(kind, task, seed, quick_steps if quick else steps, progress))

    return measure


# -- what is remembered ------------------------------------------------------------------------------


class FairBitsFromSamples(FairBits):
    """Fair bits, to a pattern III that is fed its own samples, in training and after it."""

    def __init__(self, seed: int):
        super().__init__()
        self.words = np.random.default_rng([seed, 1])

    def loss(self, model: Any, *batch: Any) -> Any:
        return model(*batch, forced=0, rng=self.words) / self.hard


def fair_bits_from_samples(seed: int, quick: bool, progress: Progress) -> float:
    task = FairBitsFromSamples(seed)
    return task.validation_loss(learn(Pattern3, task, seed, 200 if quick else 1500, progress))


# -- which outputs depend on which --------------------------------------------------------------------


def chain_loss(kind: Any) -> Callable[[int, bool, Progress], float]:
    """The expected loss of a trained model, exactly: over all 2ᵀ sequences, each as often as it occurs."""

    def measure(seed: int, quick: bool, progress: Progress) -> float:
        task = FlippingChain(dtype=np.float64)
        model = learn(kind, task, seed, 400 if quick else 1500, progress)
        return float(exact.probabilities(task) @ exact.nats_of_all(model, task))

    return measure


# -- exposure bias -------------------------------------------------------------------------------------


def forced_and_free(seed: int, scheduled: bool, steps: int, progress: Progress) -> tuple[float, float]:
    """The error of pattern III on an orbit, root mean square, when it is fed the truth and when it runs free.

    It learns fed the truth or, scheduled, with a coin for each number: at first always the truth, at the end never.
    """
    task = Orbit()

    def loss(model: Any, batch: Any, done: float, rng: Any) -> Any:
        forced = max(0.0, 1 - 1.25 * done) if scheduled else 1
        return 2 * model(*batch, forced, rng) / task.T

    model = learn(Pattern3Values, task, seed, steps, progress, loss=loss)
    x, y = task.draw(1000, np.random.default_rng([seed, 1]))
    with tg.no_grad():
        errors = (2 * model(x, y, forced).item() / task.T for forced in (1, 0))
        return tuple(map(math.sqrt, errors))  # type: ignore[return-value]


def exposure_bias(seed: int, quick: bool, progress: Progress) -> float:
    """How many times larger the error is in free run than when fed the truth, after learning with the truth alone."""
    forced, free = forced_and_free(seed, False, 500 if quick else 3000, progress)
    return free / forced


def scheduled_sampling(seed: int, quick: bool, progress: Progress) -> float:
    """What scheduled sampling leaves of the free-run error, and of its ratio to the forced: the larger of both."""
    steps = 500 if quick else 3000
    forced, free = forced_and_free(seed, False, steps, progress)
    forced_then, free_then = forced_and_free(seed, True, steps, progress)
    return worst([free_then / free, (free_then / forced_then) / (free / forced)])


# -- strings -----------------------------------------------------------------------------------------


def generative(inputs: int, hidden: int, symbols: int, **how: Any) -> Generative:
    """There are no inputs."""
    return Generative(symbols, hidden, **how)


def valid_strings(task: Reber) -> Callable[[int, bool, Progress], float]:
    """The share of 10,000 strings that a trained network writes which are of the grammar."""

    def measure(seed: int, quick: bool, progress: Progress) -> float:
        model = learn(generative, task, seed, 3000, progress, hidden=32)
        return float(np.mean([task.valid(s) for s in task.written(model, 10_000, np.random.default_rng([seed, 1]))]))

    return measure


def excess_nats(task: Reber) -> Callable[[int, bool, Progress], float]:
    """What a trained network needs for a string above the grammar's entropy: the divergence Σ p ln (p/q) ≥ 0.

    Over 10,000 strings of the grammar; ln p of each is known, so that the mean of ln p − ln q varies little.
    """

    def measure(seed: int, quick: bool, progress: Progress) -> float:
        model = learn(generative, task, seed, 3000, progress, hidden=32)
        y, lengths = task.draw(10_000, np.random.default_rng([seed, 1]))
        with tg.no_grad():
            log_q = model.log_likelihood(y, lengths).data
        return float(np.mean(task.log_p(y, lengths) - log_q))

    return measure


# -- a long way ----------------------------------------------------------------------------------------


def adding(seed: int, quick: bool, progress: Progress) -> float:
    """The squared error of attention that has learnt to add.

    About every other seed finds the exact solution (`exact.adding`), and its error falls below 1e-6. The others find
    another: that the score of a mark grows with its number, so that the sum can be read off the share of all attention
    that marks get. Then the error falls slowly, as that share is no linear function of the numbers. With a larger rate,
    or with more units, some seeds never find the marks among 600, and stay at chance.
    """
    task = Adding(T=600, B=32)
    return task.validation_loss(learn(InputAttention, task, seed, 3000, progress, hidden=8))


CLAIMS: list[Claim] = [
    Claim(
        "fair-bits-pattern-1",
        "Pattern I, whose hidden units see their own past, remembers the coin before.",
        "derived", "< 0.01 (floor 0)", trained(Pattern1, FairBits, 1000, 200), below(0.01), True, "nats a step",
    ),
    Claim(
        "fair-bits-pattern-3",
        "Pattern III, fed its targets, cannot remember the coin before: it stays at chance, ln 2.",
        "derived", "≥ 0.6931 − 0.002", trained(Pattern3, FairBits, 1500, 200), at_least(math.log(2) - NOISE), True,
        "nats a step",
    ),
    Claim(
        "fair-bits-pattern-3-sampled",
        "Pattern III, fed its own samples, cannot either.",
        "derived", "≥ 0.6931 − 0.002", fair_bits_from_samples, at_least(math.log(2) - NOISE), True, "nats a step",
    ),
    Claim(
        "running-xor-pattern-3",
        "Pattern III, teacher-forced, does what needs nothing of the past but its last output.",
        "derived", "< 0.01 (floor 0)", trained(Pattern3, RunningXor, 1500, 300), below(0.01), True, "nats a step",
    ),
    Claim(
        "markov-chain-pattern-1",
        "Pattern I, for which the y are independent given x, cannot tell how they hang together: 10 ln 2.",
        "derived", "≥ 6.9315", chain_loss(Pattern1), at_least(10 * math.log(2) - 1e-9), True, "nats a sequence",
    ),
    Claim(
        "markov-chain-pattern-4",
        "Pattern IV, which sees its last output, comes down to the entropy of the chain.",
        "derived", "< 3.64 (floor 3.6189)", chain_loss(Pattern4), below(3.64), True, "nats a sequence",
    ),
    Claim(
        "exposure-bias",
        "Pattern III that has only ever been fed the truth errs more when it goes on from its own outputs.",
        "derived", "> 1", exposure_bias, above(1), True, "times the error",
    ),
    Claim(
        "scheduled-sampling",
        "Learning with a coin for each number, the truth or its own output, makes the free-run error smaller, and its"
        " ratio to the forced error.",
        "derived", "< 1", scheduled_sampling, below(1), False, "of what it was, the larger of both",
    ),
    Claim(
        "reber-strings",
        "A generative network that has read strings of Reber's grammar writes such strings.",
        "derived", "≥ 0.99", valid_strings(Reber()), at_least(0.99), False, "of 10,000",
    ),
    Claim(
        "reber-entropy",
        "Its distribution is that of the grammar: it needs hardly more nats than the entropy, 4.1589.",
        "derived", "< 0.05 (floor 0)", excess_nats(Reber()), below(0.05), False, "nats a string above the entropy",
    ),
    Claim(
        "embedded-reber-strings",
        "And strings of the embedded grammar, which end as they began.",
        "derived", "≥ 0.99", valid_strings(EmbeddedReber()), at_least(0.99), False, "of 10,000",
    ),
    Claim(
        "embedded-reber-entropy",
        "Its distribution is that of the embedded grammar, whose entropy is 4.8520.",
        "derived", "< 0.05 (floor 0)", excess_nats(EmbeddedReber()), below(0.05), False,
        "nats a string above the entropy",
    ),
    Claim(
        "look-ahead-pattern-1",
        "A network that reads to the right alone cannot say whether this coin differs from the next: ln 2.",
        "derived", "≥ 0.6931 − 0.002", trained(Pattern1, LookAheadXor, 1500, 200), at_least(math.log(2) - NOISE), True,
        "nats a step",
    ),
    Claim(
        "look-ahead-bidirectional",
        "A bidirectional network can.",
        "derived", "< 0.01 (floor 0)", trained(Bidirectional, LookAheadXor, 1500, 300), below(0.01), True,
        "nats a step",
    ),
    Claim(
        "adding-attention",
        "Attention over the raw inputs learns to add two marked numbers among 600, without any recurrence.",
        "derived", "< 0.005 (chance 0.1667)", adding, below(0.005), False, "squared error",
    ),
]  # fmt: skip
