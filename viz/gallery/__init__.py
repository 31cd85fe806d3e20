"""The gallery: a model of the lecture trained, recorded and drawn, on a page to be read beside it.

    viz.gallery.build("build/gallery", steps=2000)     # what  python -m viz.gallery --quick  does

What fails for want of a package, of Graphviz or of a permission fails before the training. The page is written last and
in one piece: an interrupted build leaves the page that was there before, or none.
"""

from __future__ import annotations

import importlib.util
import inspect
import math
import os
import platform
import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn.checkpoints import previous
from viz.diagram import THEMES, Diagram
from viz.plots import CURVES, loss_curve
from viz.render import write
from viz.views import circuit, side_by_side, unfolded
from zoo import pattern_1
from zoo.tasks.characters import Characters, Corpus, load
from zoo.training import History, train

NAME = "pattern I"
LR, CLIP, WEIGHT_DECAY = 0.006, 1.0, 0.1
REPORTS = 40  # points of the loss curve
DRAWN = 6  # steps of the run that is drawn: the first two and the last are shown
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


@dataclass(frozen=True)
class Picture:
    """A picture in both themes, an SVG file for each, beside the page. Its size is in CSS pixels."""

    name: str
    alt: str
    width: int
    height: int

    def file(self, theme: str) -> str:
        return f"{self.name}-{theme}.svg"


@dataclass(frozen=True)
class Built:
    """The page, and what the model and its baselines reach on it, in nats per character."""

    page: Path
    nats: float
    baselines: dict[str, float]


def build(
    out: str | os.PathLike[str],
    *,
    steps: int,
    hidden: int = 256,
    seed: int = 0,
    corpus: Corpus | None = None,
    command: str = "viz.gallery.build",
    show: bool = False,
) -> Built:
    """Train pattern I on characters, draw it, and write the page `out`/index.html.

    corpus   None: the help topics of this Python
    command  what the page says it was made by
    show     print how the training goes, with a progress bar if there is a terminal

    A build that was interrupted goes on from its last checkpoint, which is in `out` until the page is written.

    Raises ModuleNotFoundError for what pip has to install, viz.RendererMissing without Graphviz, OSError or
    CheckpointError where `out` cannot be written, and what `zoo.training.train` raises.
    """
    _require("jinja2", "matplotlib", *["tqdm"] * show)
    out = Path(out)
    task = Characters(load() if corpus is None else corpus)
    for_weights, for_batches, for_sample = np.random.default_rng(seed).spawn(3)
    model = pattern_1.Pattern1(task.inputs, hidden, task.outputs, rng=for_weights, dtype=np.float32)
    pictures = _diagrams(model, task, out)

    untrained = task.validation_loss(model)
    checkpoint = out / f"pattern-1-{_digest(task.corpus.text, steps, hidden, seed, LR, CLIP, WEIGHT_DECAY):08x}.npz"
    history = train(
        model,
        task,
        steps=steps,
        lr=LR,
        clip=CLIP,
        weight_decay=WEIGHT_DECAY,
        rng=for_batches,
        every=math.ceil(steps / REPORTS),
        checkpoint=checkpoint,
        show=show,
    )
    pictures["loss"] = _loss(history, untrained, task.baselines, out)

    built = Built(out / "index.html", history.validation[-1], task.baselines)
    text = "Python’s own help topics" if corpus is None else "a text given to build"
    html = _html(
        pictures=pictures,
        drawn=DRAWN,
        source={"path": pattern_1.__name__.replace(".", "/") + ".py", "text": _source()},
        standings=_standings({**task.baselines, NAME: built.nats}),
        sample=task.sample(model, for_sample, SAMPLE),
        facts={
            "Text": f"{text}: {len(task.corpus.text):,} characters, {task.inputs} of them distinct",
            "Weights": f"{sum(p.size for p in model.parameters()):,}, for {hidden} hidden units",
            "Updates": f"{steps:,}, each on {task.B} windows of {task.T} characters",
            "Optimiser": f"AdamW, learning rate {LR} falling to 0, weight decay {WEIGHT_DECAY:g}",
            "Clipping": f"gradients to norm {CLIP:g}",
            "Training": f"{history.seconds[-1]:.0f} seconds",
            "Seed": seed,
            "Python, NumPy": f"{platform.python_version()}, {np.__version__}",
            "Processor cores": os.cpu_count(),
        },
        command=command,
        made=datetime.now().astimezone(),
    )
    write(built.page, html.encode())
    for file in (checkpoint, previous(checkpoint)):
        file.unlink(missing_ok=True)
    return built


# -- pictures ------------------------------------------------------------------------------------------------


def _diagrams(model: Any, task: Characters, out: Path) -> dict[str, Picture]:
    """The diagrams of the model, drawn from the record of its run on a short sequence."""
    x, y = task.batch(np.random.default_rng(0))
    graph = tg.record(model, x[:DRAWN], y[:DRAWN])
    alt: dict[Callable[..., Diagram], str] = {
        side_by_side: "The circuit of pattern I, an arrow that says unfold, the unfolded graph; described below.",
        circuit: f"The circuit of pattern I. {circuit(graph).description}",
        unfolded: f"The unfolded graph of pattern I. {unfolded(graph).description}",
    }
    pictures = {}
    for view, words in alt.items():
        name = view.__name__
        for theme in THEMES:
            file = view(graph, theme=theme).render(out / f"{name}-{theme}.svg")
        pictures[name] = Picture(name, words, *_size(file.read_text(encoding="utf-8")))
    return pictures


def _loss(history: History, untrained: float, baselines: dict[str, float], out: Path) -> Picture:
    """The loss curve among the lines of the baselines."""
    training = list(zip(history.step, history.train, strict=True))
    validation = [(0, untrained), *zip(history.step, history.validation, strict=True)]
    for theme in THEMES:
        svg = loss_curve(training, validation, baselines, name=NAME, unit="nats per character", theme=theme)
        write(out / f"loss-{theme}.svg", svg.encode())
    steps, last = validation[-1]
    fall = f"The validation loss goes from {untrained:.2f} to {last:.2f} nats per character in {steps:,} updates."
    lines = ", ".join(f"{name} {nats:.2f}" for name, nats in baselines.items())
    return Picture("loss", f"{fall} Dashed lines: {lines}.", *_size(svg))


def _size(svg: str) -> tuple[int, int]:
    """Width and height of an SVG document in CSS pixels, 96 to the inch; it says them in points, 72 to the inch."""
    width, height = re.findall(r'\b(?:width|height)="([\d.]+)pt"', svg)[:2]
    return round(float(width) * 96 / 72), round(float(height) * 96 / 72)


# -- the page ------------------------------------------------------------------------------------------------


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


def _html(**content: Any) -> str:
    """The page; whatever is in the content is shown as it is, markup in it too."""
    import jinja2

    templates = jinja2.Environment(
        loader=jinja2.PackageLoader("viz.gallery"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    themes = {theme: {**colours, "curve": CURVES[theme]} for theme, colours in THEMES.items()}
    return templates.get_template("index.html").render(themes=themes, **content)


def _source() -> str:
    return inspect.getsource(pattern_1)


# -- files and packages --------------------------------------------------------------------------------------


def _digest(*dependencies: Any) -> int:
    """A number that changes with whatever a checkpoint depends on, the code of the model among it."""
    return zlib.crc32(repr((_source(), *dependencies)).encode())


def _require(*packages: str) -> None:
    if missing := [package for package in packages if importlib.util.find_spec(package) is None]:
        raise ModuleNotFoundError(f"the gallery needs {', '.join(missing)}: pip install 'tinygrad_rnn[gallery]'")
