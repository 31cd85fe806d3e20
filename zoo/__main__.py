"""The command line: `python -m zoo list`, `python -m zoo train pattern-1 --task characters`."""

from __future__ import annotations

import argparse
import inspect
import math
import shlex
import sys
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from tinygrad_rnn.checkpoints import CheckpointError

from .catalogue import CATALOGUE
from .tasks import characters
from .training import train

PROGRAM = "python -m zoo"
MODELS = CATALOGUE
TRAINED = ["pattern-1"]
TASKS = {"characters": characters.Characters}

STEPS = 10000
QUICK = 2000


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code: 0, 2 for what the user can mend (a line on stderr), 130 for Ctrl-C."""
    argv = sys.argv[1:] if argv is None else argv
    arguments = _parser().parse_args(argv)
    arguments.again = f"{PROGRAM} {shlex.join(a for a in argv if a != '--fresh')}"
    try:
        arguments.command(arguments)
    except KeyboardInterrupt as stopped:
        print(str(stopped) or "stopped", file=sys.stderr)
        return 130
    except (ValueError, OSError, ImportError, FloatingPointError, CheckpointError) as error:
        print(f"{PROGRAM} {arguments.name}: {error}", file=sys.stderr)
        return 2
    return 0


def list_all(_: argparse.Namespace) -> None:
    """List the models and the tasks."""
    models = {name: entry.summary for name, entry in MODELS.items()}
    tasks = {name: _summary(task) for name, task in TASKS.items()}
    for heading, known in ("models", models), ("tasks", tasks):
        print(heading)
        for name, summary in known.items():
            print(f"    {name:19} {summary}")


def train_one(a: argparse.Namespace) -> None:
    """Train a model on a task; given again, the same command goes on where the last run stopped."""
    corpus = characters.load(a.text)
    task = TASKS[a.task](corpus, a.length, a.batch)
    for_weights, for_batches = np.random.default_rng(a.seed).spawn(2)
    model = MODELS[a.model].model(task.inputs, a.hidden, task.outputs, rng=for_weights, dtype=np.float32)
    checkpoint = a.checkpoint or Path("build", "train", f"{a.model}-{a.task}.npz")

    print(f"{a.model}: {sum(p.size for p in model.parameters()):,} weights; {corpus}")
    print(f"nats per {task.unit}: " + ", ".join(f"{name} {nats:.3f}" for name, nats in task.baselines.items()))
    if checkpoint.exists() and not a.fresh:
        print(f"going on from {checkpoint} (--fresh starts over)")
    data = {"checksum of the text": zlib.crc32(corpus.text.encode(errors="surrogatepass"))}
    settings = {name: getattr(a, name) for name in ("model", "task", "hidden", "length", "batch", "seed")}
    try:
        train(
            model,
            task,
            steps=a.steps,
            lr=a.lr,
            clip=a.clip,
            weight_decay=a.weight_decay,
            rng=for_batches,
            every=a.every or max(1, a.steps // 20),
            checkpoint=checkpoint,
            fresh=a.fresh,
            settings=settings | data,
            show=True,
        )
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"stopped; the run goes on with\n    {a.again}") from None
    loss = task.validation_loss(model)
    print(f"\nsaved in {checkpoint}")
    print(f"{loss:.3f} nats per {task.unit}: {standing(loss, task.baselines)}")


def standing(loss: float, baselines: dict[str, float]) -> str:
    """Which of the known figures a loss lies between: "below the bigram 2.318, above the trigram 1.712"."""
    higher = {nats: name for name, nats in baselines.items() if nats > loss}
    lower = {nats: name for name, nats in baselines.items() if nats <= loss}
    sides = [f"below the {higher[min(higher)]} {min(higher):.3f}"] if higher else []
    sides += [f"above the {lower[max(lower)]} {max(lower):.3f}"] if lower else []
    return ", ".join(sides)


# -- arguments ---------------------------------------------------------------------------------------


def _summary(thing: object) -> str:
    return (inspect.getdoc(thing) or "").partition("\n")[0]


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message} (--help shows all)\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog=PROGRAM, description="Recurrent networks: what there is, and how to train it.")
    commands = parser.add_subparsers(required=True, metavar="list | train", dest="name")
    add = _command(commands, "list", list_all)
    add = _command(commands, "train", train_one)
    add("model", choices=TRAINED, metavar="MODEL", help=f"one of: {', '.join(TRAINED)}")
    add("--task", choices=TASKS, metavar="TASK", default="characters", help=f"one of: {', '.join(TASKS)} (%(default)s)")
    add("--text", metavar="FILE", help="a UTF-8 text to learn (without: the help topics of this Python)")
    add("--steps", type=_whole, metavar="N", default=STEPS, help="gradient steps in all (%(default)s)")
    add("--quick", dest="steps", action="store_const", const=QUICK, help=f"--steps {QUICK}: about a minute")
    add("--hidden", type=_whole, metavar="N", default=256, help="hidden units (%(default)s)")
    add("--length", type=_whole, metavar="T", default=50, help="characters that the gradient goes back (%(default)s)")
    add("--batch", type=_whole, metavar="B", default=32, help="windows in a step (%(default)s)")
    add("--lr", type=_number, default=0.006, help="learning rate at the start, falling to 0 (%(default)s)")
    add("--clip", type=_number, default=1.0, help="the norm that larger gradients are scaled to (%(default)s)")
    add("--weight-decay", type=_number, metavar="λ", default=0.1, help="AdamW's, against overfitting (%(default)s)")
    add("--seed", type=_seed, metavar="N", default=0, help="of weights and batches: same seed, same bits (%(default)s)")
    add("--every", type=_whole, metavar="N", help="steps from report to report, each with a checkpoint (a 20th of all)")
    add("--checkpoint", type=Path, metavar="FILE", help="where the run is saved (build/train/MODEL-TASK.npz)")
    add("--fresh", action="store_true", help="start over, even if there is a checkpoint to go on from")
    return parser


def _command(commands: Any, name: str, run: Callable[[argparse.Namespace], None]) -> Callable[..., Any]:
    """A subcommand that is described by its function's docstring; returns what adds an argument to it."""
    about = _summary(run).rstrip(".")
    parser = commands.add_parser(
        name, help=about, description=f"{about}. Defaults are in parentheses.", allow_abbrev=False
    )
    parser.set_defaults(command=run)
    return parser.add_argument


def _whole(text: str, least: int = 1) -> int:
    if not text.isdecimal() or int(text) < least:
        raise argparse.ArgumentTypeError(f"a whole number from {least} up, not {text!r}")
    return int(text)


def _seed(text: str) -> int:
    return _whole(text, least=0)


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number < math.inf:
        raise argparse.ArgumentTypeError(f"a number from 0 up, not {text!r}")
    return number


if __name__ == "__main__":
    sys.exit(main())
