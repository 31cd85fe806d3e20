"""The command line: `python -m zoo list`, `python -m zoo train pattern-1 --task characters`, `python -m zoo claims`."""

from __future__ import annotations

import argparse
import difflib
import inspect
import math
import shlex
import sys
import zlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from tinygrad_rnn.nn.checkpoints import CheckpointError

from .catalogue import CATALOGUE
from .claims import CLAIMS
from .claims.runner import measure_claims
from .echo_state import EchoState
from .pairs import model_for
from .tasks import TASKS, characters
from .training import figure, train

PROGRAM = "python -m zoo"
RIDGE = 1e-3  # of the least squares that an echo state network is fitted by
MODELS = CATALOGUE


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code.

    0, 1 for a claim that does not hold, 2 for what the user can mend (a line on stderr), 130 for Ctrl-C.
    """
    argv = sys.argv[1:] if argv is None else argv
    arguments = _parser().parse_args(argv)
    arguments.again = f"{PROGRAM} {shlex.join(a for a in argv if a != '--fresh')}"
    try:
        return arguments.command(arguments)
    except KeyboardInterrupt as stopped:
        print(str(stopped) or "stopped", file=sys.stderr)
        return 130
    except (ValueError, OSError, ImportError, FloatingPointError, CheckpointError) as error:
        print(f"{PROGRAM} {arguments.name}: {error}", file=sys.stderr)
        return 2


def list_all(_: argparse.Namespace) -> int:
    """List the models and the tasks."""
    models = {name: entry.summary for name, entry in MODELS.items()}
    tasks = {name: _summary(task) for name, task in TASKS.items()}
    for heading, known in ("models", models), ("tasks", tasks):
        print(heading)
        for name, summary in known.items():
            print(f"    {name:19} {summary}")
    return 0


def train_one(a: argparse.Namespace) -> int:
    """Train a model on a task; given again, the same command goes on where the last run stopped."""
    settings = _settings(a)
    task, data = _task(a.task, a.text, settings["length"], settings["batch"])
    for_weights, for_batches = np.random.default_rng(a.seed).spawn(2)
    model = model_for(a.model, task, settings["hidden"], rng=for_weights)
    checkpoint = a.checkpoint or Path("build", "train", f"{a.model}-{a.task}.npz")
    steps = settings["steps"]

    print(f"{a.model}: {sum(p.size for p in model.parameters()):,} weights; {data or _summary(task)}")
    print(f"{task.measure} per {task.unit}: " + ", ".join(f"{name} {figure(L)}" for name, L in task.baselines.items()))
    if isinstance(model, EchoState):
        print(f"fitted by least squares, in one step, to a batch of {settings['batch']} (--batch)")
        model.fit(*task.batch(for_batches), ridge=RIDGE)
        print(task.sample(model, for_batches))
        return _stands(model, task)
    if checkpoint.exists() and not a.fresh:
        print(f"going on from {checkpoint} (--fresh starts over)")
    depends = {"model": a.model, "task": a.task, "seed": a.seed}
    depends |= {name: settings[name] for name in ("hidden", "length", "batch")}
    if data:
        depends["checksum of the text"] = zlib.crc32(data.text.encode(errors="surrogatepass"))
    try:
        train(
            model,
            task,
            steps=steps,
            lr=settings["lr"],
            clip=a.clip,
            weight_decay=settings["weight_decay"],
            rng=for_batches,
            every=a.every or max(1, steps // 20),
            checkpoint=checkpoint,
            fresh=a.fresh,
            settings=depends,
            show=True,
        )
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"stopped; the run goes on with\n    {a.again}") from None
    print(f"\nsaved in {checkpoint}")
    return _stands(model, task)


def measure_all(a: argparse.Namespace) -> int:
    """Measure the claims, all or those named; write the table as Markdown and JSON after each."""
    unknown = [name for name in a.names if name not in CLAIMS]
    if unknown:
        raise ValueError(_unknown("claim", unknown[0], CLAIMS))
    claims = [CLAIMS[name] for name in dict.fromkeys(a.names or CLAIMS)]
    slow = [claim.name for claim in claims if a.quick and a.names and not claim.quick]
    if slow:
        raise ValueError(f"{slow[0]} takes its time: leave out --quick")
    claims = [claim for claim in claims if claim.quick or not a.quick]
    report = measure_claims(claims, seeds=a.seeds, quick=a.quick, out=a.out, command=a.again)
    print(f"\n{report.summary}; saved in {a.out}.md and {a.out}.json")
    return 1 if report.short else 0


def _stands(model: Any, task: Any) -> int:
    """Say how well a model does that has learnt its task."""
    loss = task.validation_loss(model)
    print(f"{figure(loss)} {task.measure} per {task.unit}: {standing(loss, task.baselines)}")
    return 0


def standing(loss: float, baselines: dict[str, float]) -> str:
    """Which of the known figures a loss lies between: "below the bigram 2.318, above the trigram 1.712"."""
    higher = {nats: name for name, nats in baselines.items() if nats > loss}
    lower = {nats: name for name, nats in baselines.items() if nats <= loss}
    sides = [f"below the {higher[min(higher)]} {figure(min(higher))}"] if higher else []
    sides += [f"above the {lower[max(lower)]} {figure(max(lower))}"] if lower else []
    return ", ".join(sides)


def _settings(a: argparse.Namespace) -> dict[str, Any]:
    """What is given on the command line, and for the rest what the task has of its own."""
    own = TASKS[a.task].settings
    steps = a.steps or own["quick" if a.quick else "steps"]
    given = {name: getattr(a, name) for name in ("length", "batch", "hidden", "lr", "weight_decay")}
    return {name: own[name] if value is None else value for name, value in given.items()} | {"steps": steps}


def _task(name: str, text: str | None, T: int, B: int) -> tuple[Any, characters.Corpus | None]:
    """The task, and the text that it is about if it is about one."""
    if name == "characters":
        corpus = characters.load(text)
        return characters.Characters(corpus, T, B), corpus
    if text is not None:
        raise ValueError(f"--text is for the task characters, not for {name}")
    return TASKS[name](T, B), None


# -- arguments ---------------------------------------------------------------------------------------


def _summary(thing: object) -> str:
    return (inspect.getdoc(thing) or "").partition("\n")[0]


def _known(names: Iterable[str]) -> str:
    return f"one of: {', '.join(names)}"


def _unknown(kind: str, name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"no {kind} {name!r}; " + (f"did you mean {near[0]}?" if near else _known(known))


def _one_of(kind: str, known: Iterable[str]) -> Callable[[str], str]:
    """Takes a name that is known, and says which was perhaps meant of one that is not."""

    def name(text: str) -> str:
        if text not in known:
            raise argparse.ArgumentTypeError(_unknown(kind, text, known))
        return text

    return name


def _own(setting: str) -> str:
    """The settings of the tasks, those that are alike together: "256 for characters, 16 for adding, orbit"."""
    tasks: dict[Any, list[str]] = {}
    for name, task in TASKS.items():
        tasks.setdefault(task.settings[setting], []).append(name)
    most = max(tasks, key=lambda value: len(tasks[value]))
    others = [f"{value} for {', '.join(names)}" for value, names in tasks.items() if value != most]
    return "; ".join([str(most), *others])


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message} (--help shows all)\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog=PROGRAM, description="Recurrent networks: what there is, how to train it, what it can do.")
    commands = parser.add_subparsers(required=True, metavar="list | train | claims", dest="name")
    add = _command(commands, "list", list_all)
    add = _command(commands, "train", train_one)
    add("model", type=_one_of("model", MODELS), metavar="MODEL", help=f"one of: {', '.join(MODELS)}")
    add(
        "--task",
        type=_one_of("task", TASKS),
        metavar="TASK",
        default="characters",
        help=f"{_known(TASKS)} (%(default)s)",
    )
    add("--text", metavar="FILE", help="a UTF-8 text to learn (without: the help topics of this Python)")
    add("--steps", type=_whole, metavar="N", help=f"gradient steps in all ({_own('steps')})")
    add("--quick", action="store_true", help=f"fewer steps, about a minute ({_own('quick')})")
    add("--hidden", type=_whole, metavar="N", help=f"hidden units ({_own('hidden')})")
    add("--length", type=_whole, metavar="T", help=f"the T of the task, as a rule how many steps ({_own('length')})")
    add("--batch", type=_whole, metavar="B", help=f"sequences in a step ({_own('batch')})")
    add("--lr", type=_number, help=f"learning rate at the start, falling to 0 ({_own('lr')})")
    add("--clip", type=_number, default=1.0, help="the norm that larger gradients are scaled to (%(default)s)")
    add("--weight-decay", type=_number, metavar="λ", help=f"AdamW's, against overfitting ({_own('weight_decay')})")
    add("--seed", type=_seed, metavar="N", default=0, help="of weights and batches: same seed, same bits (%(default)s)")
    add("--every", type=_whole, metavar="N", help="steps from report to report, each with a checkpoint (a 20th of all)")
    add("--checkpoint", type=Path, metavar="FILE", help="where the run is saved (build/train/MODEL-TASK.npz)")
    add("--fresh", action="store_true", help="start over, even if there is a checkpoint to go on from")
    add = _command(commands, "claims", measure_all)
    add("names", nargs="*", metavar="NAME", help=f"{_known(CLAIMS)} (all)")
    add("--quick", action="store_true", help="only what shows within three minutes, with fewer steps")
    add("--seeds", type=_seeds, metavar="A-B", default="0-2", help="the first and the last seed (%(default)s)")
    to = Path("build", "claims")
    add("--out", type=_stem, metavar="PATH", default=to, help="writes PATH.md and PATH.json (%(default)s)")
    return parser


def _command(commands: Any, name: str, run: Callable[[argparse.Namespace], int]) -> Callable[..., Any]:
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


def _seeds(text: str) -> range:
    first, _, last = text.partition("-")
    try:
        seeds = range(_seed(first), _seed(last or first) + 1)
    except argparse.ArgumentTypeError:
        seeds = range(0)
    if not seeds:
        raise argparse.ArgumentTypeError(f"the first and the last seed, such as 3-5, not {text!r}")
    return seeds


def _stem(text: str) -> Path:
    if Path(text).name in ("", ".."):
        raise argparse.ArgumentTypeError(f"a file's name without its ending, not the folder {text!r}")
    return Path(text)


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
