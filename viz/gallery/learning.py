"""Models in training: a lesson is a task, the models that learn it, and their losses against chance and the floor.

What is trained here is what ``python -m zoo train`` trains; the page shows the command for each.
"""

from __future__ import annotations

import inspect
import math
import os
import platform
import shlex
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from viz.gallery.digests import digest_of_run
from viz.gallery.models import module_of
from viz.gallery.sections import Picture, Section, Work
from viz.plots import loss_curves
from zoo import training
from zoo.pairs import model_for
from zoo.tasks import TASKS, characters
from zoo.training import History, train

STEPS = 10_000  # of the longest training, where none is shortened
POINTS = 20  # of a curve, after its start
LONG = 2_000  # steps from which on a training shows how it goes; others end before that can be read

WHICH = {
    "chance": "the best without what the task is about",
    "floor": "the least that any model can have",
    "last value": "saying the last value again",
    "uniform": "takes each character to be as likely",
    "unigram": "knows how often each character occurs",
    "bigram": "predicts from the character before",
    "trigram": "predicts from the 2 characters before",
    "4-gram": "predicts from the 3 characters before",
    "5-gram": "predicts from the 4 characters before",
}
"""What the lines are that losses are compared with."""


@dataclass(frozen=True)
class Lesson:
    """Models of the zoo that learn the same task.

    task    its name in zoo.tasks.TASKS
    models  their names in zoo.catalogue, as far as zoo.pairs builds them for the task
    steps   of training, in a full build; a quick one makes a part of them
    says    what there is to be seen
    learns  those of the models that learn it, in a quick build too: half the way from the highest line to the lowest

    length, hidden and batch are the task's own unless given.
    """

    heading: str
    task: str
    models: tuple[str, ...]
    steps: int
    says: str
    learns: tuple[str, ...] = ()
    length: int | None = None
    hidden: int | None = None
    batch: int | None = None

    @property
    def kind(self) -> Any:
        """The class of the task."""
        return TASKS[self.task]

    @property
    def settings(self) -> dict[str, Any]:
        return self.kind.settings | self.given

    @property
    def given(self) -> dict[str, int]:
        """The settings that are not the task's own."""
        return {name: value for name in ("length", "hidden", "batch") if (value := getattr(self, name)) is not None}

    @property
    def modules(self) -> list[ModuleType]:
        """What it depends on in the zoo."""
        return [module for name in self.models for module in self.modules_for(name)]

    def modules_for(self, model: str) -> list[ModuleType]:
        """What the training of one of the models depends on."""
        task = inspect.getmodule(self.kind)
        assert task is not None
        return [training, task, module_of(model)]

    def shortened(self, steps: int) -> int:
        """Its steps, where the longest training has so many."""
        return math.ceil(self.steps * steps / STEPS)


@dataclass(frozen=True)
class Learnt:
    """A model that was trained, and by which command."""

    name: str
    weights: int
    untrained: float
    history: History
    sample: str
    command: str

    @property
    def validation(self) -> list[tuple[float, float]]:
        """(step, loss), from the start on."""
        return [(0, self.untrained), *zip(self.history.step, self.history.validation, strict=True)]

    @property
    def loss(self) -> float:
        return self.history.validation[-1]


def learning(lesson: Lesson, work: Work) -> Section:
    """Train the models of a lesson, and show how their losses fell, and the commands that make them do so again.

    An interrupted training goes on from its last checkpoint. That of a training that has come to its end stays, so that
    a page that is built again for another reason does not train again.

    Raises CheckpointError, and what `zoo.training.train` raises.
    """
    task, about = _task(lesson, work)
    learnt = [_train(name, task, lesson, work) for name in lesson.models]
    half = (max(task.baselines.values()) + min(task.baselines.values())) / 2
    failed = [f"{run.name} {run.loss:.3g}" for run in learnt if run.name in lesson.learns and not run.loss < half]
    content = {
        "about": about,
        "says": " ".join(lesson.says.split()),
        "loss": _curves(lesson, learnt, task, work),
        "unit": f"{task.measure} per {task.unit}",
        "standings": _standings(learnt, task.baselines),
        "samples": {run.name: run.sample for run in learnt if run.sample},
        "updates": learnt[0].history.step[-1],
        "share": round(lesson.steps / learnt[0].history.step[-1]),
        "how": _how(lesson, task, work),
    }
    return Section(
        f"learning-{lesson.task}",
        lesson.heading,
        "learning.html",
        content,
        problem=f"{lesson.task}: not learnt by {', '.join(failed)}" if failed else "",
        made=tuple(run.command for run in learnt),
    )


def _task(lesson: Lesson, work: Work) -> tuple[Any, str]:
    """The task, and what it is about."""
    settings, about = lesson.settings, (inspect.getdoc(lesson.kind) or "").partition("\n")[0]
    if lesson.task != "characters":
        return lesson.kind(settings["length"], settings["batch"]), about
    corpus = characters.load() if work.corpus is None else work.corpus
    text = "Python’s own help topics" if work.corpus is None else "A text given to build"
    about += f" {text}: {len(corpus.text):,} characters, {len(corpus.alphabet)} of them distinct."
    return lesson.kind(corpus, settings["length"], settings["batch"]), about


def _train(name: str, task: Any, lesson: Lesson, work: Work) -> Learnt:
    """Train a model as ``python -m zoo train`` does, in as many steps as there is time for."""
    work.say(f"{name} learns {lesson.task}")
    settings, steps = lesson.settings, lesson.shortened(work.steps)
    every = math.ceil(steps / POINTS)
    for_weights, for_batches, for_sample = np.random.default_rng(work.seed).spawn(3)
    model = model_for(name, task, settings["hidden"], rng=for_weights)
    untrained = task.validation_loss(model)
    text = work.corpus.text if work.corpus else None
    key = digest_of_run(lesson.modules_for(name), name, lesson.task, settings, steps, work.seed, text)
    checkpoint = work.out / work.name / f"{name}-{lesson.task}-{key}.npz"
    history = train(
        model,
        task,
        steps=steps,
        lr=settings["lr"],
        weight_decay=settings["weight_decay"],
        rng=for_batches,
        every=every,
        checkpoint=checkpoint,
        show=work.show and steps >= LONG,
    )
    for other in checkpoint.parent.glob(f"{name}-{lesson.task}-*.npz"):  # of other settings
        if other != checkpoint:
            other.unlink(missing_ok=True)
    weights = sum(p.size for p in model.parameters())
    command = _command(name, lesson, {"steps": steps, "seed": work.seed, "every": every})
    return Learnt(name, weights, untrained, history, task.sample(model, for_sample), command)


def _command(name: str, lesson: Lesson, settings: dict[str, int]) -> str:
    """What trains the same model in the same way, to the same bits."""
    options = [part for option, value in (lesson.given | settings).items() for part in (f"--{option}", str(value))]
    return shlex.join(["python", "-m", "zoo", "train", name, "--task", lesson.task, *options, "--fresh"])


def _curves(lesson: Lesson, learnt: list[Learnt], task: Any, work: Work) -> Picture:
    """The curves of validation losses among the lines; of one model alone, the curve of its training too."""
    falls = [f"{run.name} from {run.untrained:.3g} to {run.loss:.3g}" for run in learnt]
    lines = ", ".join(f"{name} {loss:.3g}" for name, loss in task.baselines.items())
    unit, steps = f"{task.measure} per {task.unit}", learnt[0].history.step[-1]
    alone = learnt[0].history if len(learnt) == 1 else History()
    trained = list(zip(alone.step, alone.train, strict=True))
    return work.plot(
        f"learning-{lesson.task}",
        f"Validation loss in {unit}, over {steps:,} updates: {'; '.join(falls)}. Dashed lines: {lines}.",
        lambda t: loss_curves(
            {run.name: run.validation for run in learnt}, task.baselines, training=trained, unit=unit, theme=t
        ),
    )


def _standings(learnt: list[Learnt], lines: dict[str, float]) -> list[dict[str, Any]]:
    """The rows of the table, the worst first."""
    rows: list[dict[str, Any]] = [
        {"name": name, "loss": loss, "what": WHICH[name], "model": None} for name, loss in lines.items()
    ]
    rows += [{"name": run.name, "loss": run.loss, "what": standing(run.loss, lines), "model": run} for run in learnt]
    return sorted(rows, key=lambda row: -row["loss"])


def standing(loss: float, lines: dict[str, float]) -> str:
    """How far a model has come from chance to the floor; of characters, that it knows all those before."""
    if "chance" not in lines:
        return "predicts from all characters before"
    share = (lines["chance"] - loss) / (lines["chance"] - lines["floor"])
    if share < 0.05:
        return "at chance" if share > -0.2 else "worse than chance"
    return f"{math.floor(100 * share)} % of the way from chance to the floor"


def _how(lesson: Lesson, task: Any, work: Work) -> str:
    """The settings that are the same for all."""
    s = lesson.settings
    decay = f", weight decay {s['weight_decay']:g}" if s["weight_decay"] else ""
    return (
        f"Each update is on a batch of {task.B}, of length {task.T}; {s['hidden']} hidden units; AdamW, learning rate"
        f" {s['lr']} falling to 0{decay}; gradients clipped to norm 1; seed {work.seed}. Python"
        f" {platform.python_version()}, NumPy {np.__version__}, {os.cpu_count()} processor cores."
    )
