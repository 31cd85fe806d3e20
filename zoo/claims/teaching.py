"""Learning whose batches change as it goes on: a curriculum."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_rnn.nn.optimisers import Adam, Optimiser

from ..training import descend
from .claim import Progress

Measure = Callable[[int, bool, Progress], float]
Lesson = Callable[[float, np.random.Generator], Callable[[], Any]]
FLOAT = np.float32  # half the memory, and twice as fast


def teach(
    model: Any,
    lesson: Lesson,
    steps: int,
    lr: float,
    seed: int,
    progress: Progress,
    *,
    optimiser: Optimiser | None = None,
    clip: float = 1,
) -> Any:
    """The model, trained by Adam or another optimiser, its rate falling from `lr` to 0.

    lesson  ``lesson(done, rng)`` draws a batch, given the fraction of steps that are done; what it returns computes the
            loss of the model on it
    clip    the norm that larger gradients are scaled to
    """
    optimiser, rng = optimiser or Adam(model.parameters()), np.random.default_rng([seed, 1])
    for step in progress(range(steps), type(model).__name__):
        optimiser.lr = lr * (1 - step / steps)
        descend(optimiser, lesson(step / steps, rng), clip)
    return model


def batches(task: Any, model: Any) -> Lesson:
    """Lessons that are alike: a batch of the task each."""

    def lesson(done: float, rng: np.random.Generator) -> Callable[[], Any]:
        batch = task.batch(rng)
        return lambda: task.loss(model, *batch)

    return lesson


def growing(shortest: int, longest: int, done: float, rng: np.random.Generator) -> int:
    """A length to learn from: at first always the shortest; after two thirds of the time any length."""
    return int(rng.integers(shortest, shortest + math.ceil((longest - shortest) * min(1, 1.5 * done)), endpoint=True))
