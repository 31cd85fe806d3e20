"""The training loop, once for all models: batches, gradient steps, reports, checkpoints.

A run that was stopped, by Ctrl-C or worse, goes on from its checkpoint and ends in the same bits as one that never was.
"""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from tinygrad_rnn.checkpoints import load_checkpoint, save_checkpoint
from tinygrad_rnn.optimisers import Adam, clip_grad_norm


class Task(Protocol):
    """Something to learn, and how to tell that it has been learnt."""

    unit: str
    """What a loss is the loss of, in the plural: characters."""
    baselines: dict[str, float]
    """Losses to compare with, by name: chance, what a simpler model reaches."""

    def batch(self, rng: np.random.Generator) -> tuple[Any, Any]:
        """What the model is called with: x (T, B, …) and y (T, B)."""

    def validation_loss(self, model: Any) -> float:
        """The mean loss on what was not trained on."""

    def sample(self, model: Any, rng: np.random.Generator) -> str:
        """Something that the model makes, to look at; may be empty."""


@dataclass
class History:
    """The course of a run, a value for each report: steps done, mean training loss since the report before,
    validation loss, and seconds of work, those of earlier sittings included."""

    step: list[int] = field(default_factory=list)
    train: list[float] = field(default_factory=list)
    validation: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)


def train(
    model: Any,
    task: Task,
    *,
    steps: int,
    lr: float,
    rng: Any,
    clip: float = 1.0,
    every: int = 100,
    checkpoint: Path | None = None,
    fresh: bool = False,
    settings: dict[str, Any] | None = None,
    show: bool = True,
) -> History:
    """Train until `steps` steps are done, and return the course of the run; the model is changed.

    model       ``model(x, y)`` is the loss, summed over time
    lr          Adam's learning rate at the first step; it falls linearly to 0 at the last
    rng         a seed or a generator, for the batches
    clip        the norm to which larger gradients are scaled down
    every       steps from one report to the next: validation, a sample, a checkpoint
    checkpoint  a file to go on from, if there is one, and to save to
    fresh       start over; the first checkpoint then takes the place of an earlier run's
    settings    whatever else the run depends on: another value than in the checkpoint is an error
    show        print reports and samples, and a progress bar if there is a terminal

    Ctrl-C is obeyed when the step is done and saved, and a second one at once, with what was saved last. Raises
    KeyboardInterrupt; FloatingPointError when the loss or the gradient is not finite, which is never saved; ValueError
    for a checkpoint of other settings; CheckpointError; ImportError without tqdm if there is something to show.
    """
    rng = np.random.default_rng(rng)
    optimiser = Adam(model.parameters(), lr)
    run = _Run(model, task, optimiser, rng, clip, checkpoint, settings or {})
    if checkpoint is not None and checkpoint.exists() and not fresh:
        run.resume(checkpoint)
    began = time.perf_counter() - run.seconds
    with _progress(steps, run.step, show) as bar, _patient_ctrl_c() as pressed:
        while run.step < steps:
            optimiser.lr = lr * (1 - run.step / steps)
            run.learn()
            bar.show(run)
            run.seconds = time.perf_counter() - began
            if run.step % every == 0 or run.step == steps:
                bar.report(run, run.validate())
                run.save()
            if pressed:
                run.save()
                raise KeyboardInterrupt
    return run.history
