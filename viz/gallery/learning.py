"""Pattern I learns to write: its training on the text of Python's own manual, beside models that count."""

from __future__ import annotations

import inspect
import math
import os
import platform
import zlib
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from viz.gallery.digests import engine
from viz.gallery.sections import Picture, Section, Work
from viz.plots import loss_curve
from zoo import pattern_1, training
from zoo.tasks import characters
from zoo.tasks.characters import Characters, load
from zoo.training import History, train

NAME = "pattern I"
LR, CLIP, WEIGHT_DECAY = 0.006, 1.0, 0.1
REPORTS = 40  # points of the loss curve
SAMPLE = 600  # characters

SEES = {
    "uniform": "nothing",
    "unigram": "how often each character occurs",
    "bigram": "the character before",
    "trigram": "the 2 characters before",
    "4-gram": "the 3 characters before",
    "5-gram": "the 4 characters before",
    NAME: "all characters before, through h",
}


def learning(work: Work) -> Section:
    """Train pattern I, and show its loss among those of models that count, and what it writes.

    An interrupted training goes on from its last checkpoint. That of a training that has come to its end stays, so that
    a page that is built again for another reason does not train again.

    Raises CheckpointError, and what `zoo.training.train` raises.
    """
    task = Characters(load() if work.corpus is None else work.corpus)
    for_weights, for_batches, for_sample = np.random.default_rng(work.seed).spawn(3)
    model = pattern_1.Pattern1(task.inputs, work.hidden, task.outputs, rng=for_weights, dtype=np.float32)
    untrained = task.validation_loss(model)
    settings = (work.steps, work.hidden, work.seed, LR, CLIP, WEIGHT_DECAY)
    checkpoint = work.out / work.name / f"{_digest(task.corpus.text, *settings):08x}.npz"
    history = train(
        model,
        task,
        steps=work.steps,
        lr=LR,
        clip=CLIP,
        weight_decay=WEIGHT_DECAY,
        rng=for_batches,
        every=math.ceil(work.steps / REPORTS),
        checkpoint=checkpoint,
        show=work.show,
    )
    _remove_others(checkpoint)
    text = "Python’s own help topics" if work.corpus is None else "a text given to build"
    nats, bigram = history.validation[-1], task.baselines["bigram"]
    content = {
        "loss": _curve(history, untrained, task.baselines, work),
        "standings": _standings({**task.baselines, NAME: nats}),
        "sample": task.sample(model, for_sample, SAMPLE),
        "facts": {
            "Text": f"{text}: {len(task.corpus.text):,} characters, {task.inputs} of them distinct",
            "Weights": f"{sum(p.size for p in model.parameters()):,}, for {work.hidden} hidden units",
            "Updates": f"{work.steps:,}, each on {task.B} windows of {task.T} characters",
            "Optimiser": f"AdamW, learning rate {LR} falling to 0, weight decay {WEIGHT_DECAY:g}",
            "Clipping": f"gradients to norm {CLIP:g}",
            "Training": f"{history.seconds[-1]:.0f} seconds",
            "Seed": work.seed,
            "Python, NumPy": f"{platform.python_version()}, {np.__version__}",
            "Processor cores": os.cpu_count(),
        },
    }
    problem = "" if nats < bigram else f"{NAME} reaches {nats:.3f}, which does not beat the bigram’s {bigram:.3f}"
    return Section("learnt", "What it has learnt", "learning.html", content, problem=problem)


def _curve(history: History, untrained: float, baselines: dict[str, float], work: Work) -> Picture:
    """The loss curve among the lines of the baselines."""
    trained = list(zip(history.step, history.train, strict=True))
    validation = [(0, untrained), *zip(history.step, history.validation, strict=True)]
    steps, last = validation[-1]
    fall = f"The validation loss goes from {untrained:.2f} to {last:.2f} nats per character in {steps:,} updates."
    lines = ", ".join(f"{name} {nats:.2f}" for name, nats in baselines.items())
    return work.plot(
        "loss",
        f"{fall} Dashed lines: {lines}.",
        lambda t: loss_curve(trained, validation, baselines, name=NAME, unit="nats per character", theme=t),
    )


def _standings(losses: dict[str, float]) -> list[dict[str, Any]]:
    """The rows of the table, the worst first."""
    ours = losses[NAME]
    return [
        {
            "name": name,
            "ours": name == NAME,
            "sees": SEES[name],
            "nats": nats,
            "beaten": "" if name == NAME else "yes" if ours < nats else "no",
        }
        for name, nats in sorted(losses.items(), key=lambda item: -item[1])
    ]


def _digest(*dependencies: Any) -> int:
    """A number that changes with whatever a checkpoint depends on, the code among it."""
    modules: tuple[ModuleType, ...] = (pattern_1, training, characters)
    return zlib.crc32(repr((engine(), *map(inspect.getsource, modules), *dependencies)).encode())


def _remove_others(checkpoint: Path) -> None:
    """Remove checkpoints of other settings, and what was kept beside this one while it was not complete."""
    for file in checkpoint.parent.glob("*.npz"):
        if file != checkpoint:
            file.unlink(missing_ok=True)
