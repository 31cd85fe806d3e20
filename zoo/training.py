"""The training loop, once for all models: batches, gradient steps, reports, checkpoints.

A run that was stopped, by Ctrl-C or worse, goes on from its checkpoint and ends in the same bits as one that never was.
"""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from tinygrad_rnn.nn.checkpoints import load_checkpoint, save_checkpoint
from tinygrad_rnn.nn.optimisers import AdamW, Optimiser, clip_grad_norm


class Task(Protocol):
    """Something to learn, and what tells that it has been learnt.

    measure    what the loss is in: "nats"
    unit       what the loss is counted per, and the speed in: "character"
    baselines  losses to compare with, by name: chance, or what a simpler model reaches
    """

    measure: str
    unit: str

    @property
    def baselines(self) -> dict[str, float]: ...

    def batch(self, rng: np.random.Generator) -> tuple[Any, ...]:
        """What the model is trained on in one step, as a rule x (T, B, …) and y."""

    def units(self, batch: tuple[Any, ...]) -> int:
        """How many units there are in a batch."""

    def loss(self, model: Any, *batch: Any) -> Any:
        """The model's loss on a batch, per unit."""

    def validation_loss(self, model: Any) -> float:
        """The mean loss on what was not trained on."""

    def sample(self, model: Any, rng: np.random.Generator) -> str:
        """Something that the model makes, to look at; "" where there is nothing."""


@dataclass
class History:
    """The course of a run, a value a report.

    step        steps done
    train       mean training loss since the report before
    validation  validation loss
    seconds     of work until then, also those before the run was stopped and resumed

    recent and elapsed are for the report to come: training losses since the last one, and seconds.
    """

    step: list[int] = field(default_factory=list)
    train: list[float] = field(default_factory=list)
    validation: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    recent: list[float] = field(default_factory=list)
    elapsed: float = 0.0

    def report(self, step: int, validation: float) -> None:
        self.step.append(step)
        self.train.append(math.fsum(self.recent) / len(self.recent))
        self.validation.append(validation)
        self.seconds.append(self.elapsed)
        self.recent.clear()


def train(
    model: Any,
    task: Task,
    *,
    steps: int,
    lr: float,
    rng: Any,
    clip: float = 1.0,
    weight_decay: float = 0.0,
    every: int = 100,
    checkpoint: str | Path | None = None,
    fresh: bool = False,
    settings: dict[str, Any] | None = None,
    show: bool = False,
) -> History:
    """Train `model` until `steps` steps are done; return the course of the run.

    model         a module that the task can take the loss of
    lr            AdamW's learning rate at the start; it falls linearly, to 0 at the end
    rng           a seed or a generator, for the batches
    clip          gradients of a larger norm are scaled down to this one
    weight_decay  AdamW's, against overfitting
    every         steps from one report to the next: validation, a sample, a checkpoint
    checkpoint    where to save; if there is a checkpoint already, the run goes on from it
    fresh         start over even so
    settings      what else the run depends on: a checkpoint of other settings is an error
    show          print the reports and samples, with a progress bar if there is a terminal

    Ctrl-C stops after saving the step under way; a second one stops at once, with what was saved before.

    Raises KeyboardInterrupt; FloatingPointError when a loss or gradient is not finite, which is never saved;
    CheckpointError; ValueError for a checkpoint of other settings; ImportError to show without tqdm.
    """
    display = _Display(task, steps, show)
    rng = np.random.default_rng(rng)
    optimiser = AdamW(model.parameters(), lr, weight_decay=weight_decay)
    step, history = 0, History()
    path = None if checkpoint is None else Path(checkpoint)

    def save() -> None:
        if path is not None:
            extra = {"settings": settings or {}, "history": asdict(history)}
            save_checkpoint(path, model=model, optimiser=optimiser, rng=rng, step=step, extra=extra)

    if path is not None and path.exists() and not fresh:
        step, extra = load_checkpoint(path, model=model, optimiser=optimiser, rng=rng)
        _check_settings(path, extra["settings"], settings or {})
        history = History(**extra["history"])
    elif path is not None:
        with suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
        save()  # what cannot be written to is better known now

    began = time.perf_counter() - history.elapsed
    with display.begun_at(step), _patient_ctrl_c() as pressed:
        if step >= steps:
            display.write(f"step {step} of {steps}: there is nothing left to do, unless given more steps")
        while step < steps:
            optimiser.lr = lr * (1 - step / steps)
            step += 1
            batch = task.batch(rng)
            try:
                loss = descend(optimiser, lambda: task.loss(model, *batch), clip)  # noqa: B023
                history.recent.append(loss)
                history.elapsed = time.perf_counter() - began
                display.step(loss, task.units(batch))
                reporting = step % every == 0 or step == steps
                if reporting:
                    history.report(step, _finite("validation loss", task.validation_loss(model)))
                    display.report(history, task.sample(model, np.random.default_rng(step)))
            except FloatingPointError as error:
                kept = f" (the last good step is in {path})" if path else ""
                raise FloatingPointError(f"step {step}: {error}{kept}: try a smaller learning rate") from error
            if reporting or pressed:
                save()
            if pressed:
                raise KeyboardInterrupt
    return history


def descend(optimiser: Optimiser, loss: Callable[[], Any], clip: float = math.inf) -> float:
    """One step down the gradient of a loss, of norm `clip` at most; returns the loss before it.

    Raises FloatingPointError where the loss or its gradient is not finite; then no weight has changed.
    """
    optimiser.zero_grad()
    with np.errstate(all="ignore"):
        L = loss()
    value = _finite("loss", L.item())
    L.backward()
    clip_grad_norm(optimiser.parameters, clip)
    optimiser.step()
    return value


def _finite(what: str, value: float) -> float:
    if not math.isfinite(value):
        raise FloatingPointError(f"the {what} is {value}")
    return value


def _check_settings(path: Path, saved: dict[str, Any], given: dict[str, Any]) -> None:
    other = [f"{k} is {saved.get(k)}, not {v}" for k, v in given.items() if saved.get(k) != v]
    if other:
        raise ValueError(f"{path}: is of another run ({'; '.join(other)}): give the same settings, or start fresh")


@contextmanager
def _patient_ctrl_c() -> Iterator[list[int]]:
    """Let Ctrl-C wait, as half a step is nothing to go on from. The list it yields is empty until then."""
    pressed: list[int] = []

    def press(number: int, frame: Any) -> None:
        if pressed:
            raise KeyboardInterrupt
        pressed.append(number)

    if threading.current_thread() is not threading.main_thread():  # only the main thread gets signals
        yield pressed
        return
    before = signal.signal(signal.SIGINT, press)
    try:
        yield pressed
    finally:
        signal.signal(signal.SIGINT, before)


class _Display:
    """A progress bar with the loss, the speed and the time left; above it, report by report, how the run has gone."""

    def __init__(self, task: Task, steps: int, show: bool):
        self.task, self.steps = task, steps
        self.tqdm = progress_bar() if show else None
        self.bar: Any = None

    @contextmanager
    def begun_at(self, step: int) -> Iterator[None]:
        if self.tqdm is None:
            yield
            return
        form = "{percentage:3.0f}%|{bar}| step {n_fmt} of {total_fmt}, {remaining} left{postfix}"
        self.count, self.began = 0, time.perf_counter()
        # disable=None: where there is no terminal, there is no bar
        with self.tqdm(initial=step, total=self.steps, bar_format=form, disable=None, dynamic_ncols=True) as self.bar:
            yield

    def step(self, loss: float, size: int) -> None:
        if self.bar is not None:
            self.count += size
            speed = self.count / (time.perf_counter() - self.began)
            self.bar.set_postfix_str(f"loss {figure(loss)}, {speed:,.0f} {self.task.unit}s/s", refresh=False)
            self.bar.update()

    def report(self, history: History, sample: str) -> None:
        training, validation = figure(history.train[-1]), figure(history.validation[-1])
        losses = f"training {training}, validation {validation} {self.task.measure}"
        self.write(f"\nstep {history.step[-1]} of {self.steps}: {losses}, after {history.seconds[-1]:.0f} s")
        if sample:
            self.write("\n".join(f"    │ {line}" for line in sample.splitlines()))

    def write(self, text: str) -> None:
        if self.bar is not None:
            self.bar.write(text)


def figure(loss: float) -> str:
    """A loss as text: with three decimals or, where they would hardly show it, with two digits."""
    return f"{loss:.3f}" if loss >= 0.01 or loss == 0 else f"{loss:.2g}"


def progress_bar() -> Any:
    try:
        from tqdm import tqdm
    except ImportError:
        raise ImportError("the progress bar needs tqdm: pip install 'tinygrad_rnn[gallery]'") from None
    return tqdm
