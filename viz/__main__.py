"""The command line: `python -m viz draw MODEL`, `python -m viz equations MODEL`, `python -m viz page MODEL`."""

from __future__ import annotations

import argparse
import difflib
import inspect
import shlex
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any, NoReturn

import tinygrad_rnn as tg
import viz
from tinygrad_rnn.tracing.record import Graph
from viz.diagrams.diagram import THEMES, Diagram
from viz.diagrams.options import Options
from viz.diagrams.render import FORMATS
from viz.labels import visible
from viz.loading import Input, InputsMissing, ModelFailed, record, record_file
from zoo.catalogue import CATALOGUE

PROGRAM = "python -m viz"
FOLDER = Path("build")
PATIENCE = 2.0  # seconds
VIEWS = {"circuit": viz.circuit, "unfolded": viz.unfolded, "both": viz.side_by_side}
OPTIONS = [option.name for option in fields(Options) if option.name != "title"]

MODELS = f"""\
MODEL is the name of a model of the zoo:
{{names}}
or file.py:function, a function of your own in one of two forms:

    def build():                     it needs no arguments: it returns the model and what to run it on
        x = np.ones((5, 2, 3))
        return MyModel(), x

    def model(x, y):                 it is the model: --input says what to run it on
        ...

    {PROGRAM} {{command}} file.py:build
    {PROGRAM} {{command}} file.py:model --input x=5,2,3 --input "y=5,2<4"
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code: 0; 1 if the model raised an error while it ran; 2, with a line on stderr,
    for what the user can mend; 130 for Ctrl-C.
    """
    argv = sys.argv[1:] if argv is None else argv
    arguments = _parser().parse_args(argv)
    arguments.again = f"{PROGRAM} {shlex.join(argv)}"
    try:
        arguments.command(arguments)
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130
    except ModelFailed as failed:
        print(*(visible(line, 1000) for line in str(failed).splitlines()), sep="\n", file=sys.stderr)
        what = f"{arguments.model} cannot be recorded" if failed.graph is None else "the model did not get to its end"
        _complain(arguments, "; ".join([f"{what}: {failed.reason}", *getattr(failed, "__notes__", [])]))
        return 2 if failed.graph is None else 1
    except tg.GradientError:
        _complain(arguments, "the backward pass is that of a loss: the model must return one number, from parameters")
        return 2
    except (ValueError, OSError, ImportError, MemoryError, viz.RendererMissing, viz.RenderError) as error:
        _complain(arguments, str(error) or type(error).__name__)
        return 2
    return 0


def draw(a: argparse.Namespace) -> None:
    """Draw a model: its circuit, the graph of its run unfolded in time, or both side by side."""
    path = a.output or _default(a.model, ".svg")
    try:
        graph = _recorded(a)
    except ModelFailed as failed:
        if failed.graph is not None:
            failed.add_note(_drawn_until_then(a, failed.graph, path))
        raise
    print(f"wrote {visible(str(_drawn(a, graph, path)), 1000)}")


def equations(a: argparse.Namespace) -> None:
    """Print a model's equations, and those of its gradients by backpropagation through time."""
    graph = _recorded(a)
    with _telling("reading the equations"):
        texts = [viz.equations(graph, of="forward", format=a.format)] if a.which != "backward" else []
        try:
            texts += [viz.equations(graph, of="backward", format=a.format)] if a.which != "forward" else []
        except tg.GradientError:
            if a.which == "backward":
                raise
            print("there is no loss in it, and so no backward pass", file=sys.stderr)
    print("\n\n".join(texts))


def page(a: argparse.Namespace) -> None:
    """Write a model's explorer, a page to open in a browser: its diagrams, its values, its run step by step."""
    path = a.output or _default(a.model, ".html")
    graph = _recorded(a)
    with _telling("writing"):
        viz.page(graph, path, title=a.model)
    print(f"wrote {visible(str(path), 1000)}")


# -- what the commands do ------------------------------------------------------------------------------------


def _recorded(a: argparse.Namespace) -> Graph:
    """The record of the model that is named."""
    with _telling("recording"):
        if a.model.endswith(".py") or ":" in a.model:
            try:
                return record_file(a.model, a.input, a.seed)
            except InputsMissing as missing:
                mend = " ".join([a.again, *(f"--input {name}=5,2,3" for name in missing.names)])
                raise ValueError(f'{missing}: {mend}   (shapes, time first; whole numbers 0…3: "y=5,2<4")') from None
        if a.model not in CATALOGUE:
            near = difflib.get_close_matches(a.model, CATALOGUE, 1)
            hint = f"did you mean {near[0]}? " if near else ""
            raise ValueError(f"no model {a.model!r}; {hint}There are: {', '.join(CATALOGUE)}; or give file.py:function")
        if a.input:
            raise ValueError(f"--input is for file.py:function: {a.model} has its own")
        model, arguments = CATALOGUE[a.model].example(a.seed)
        return record(model, *arguments)


def _drawn(a: argparse.Namespace, graph: Graph, path: Path) -> Path:
    with _telling("drawing"):
        try:
            return _diagram(a, graph.backward() if a.which == "backward" else graph).render(path)
        except tg.FoldError as reason:
            if a.view == "unfolded":
                raise
            raise tg.FoldError(f"{reason}; the run itself is drawn by: {a.again} --view unfolded") from None


def _diagram(a: argparse.Namespace, graph: Graph) -> Diagram:
    if a.steps and a.view == "circuit":
        raise ValueError("--steps: a circuit has none; --view is unfolded or both")
    options = {name: getattr(a, name) for name in OPTIONS} | {"steps": _numbered(a.steps, graph)}
    return VIEWS[a.view](graph, **options)


def _numbered(steps: list[int | str] | None, graph: Graph) -> list[int | str] | None:
    """Steps with the number of the last in place of T; None for a run without a time axis."""
    if steps is None or "T" not in steps:
        return steps
    try:
        T = graph.fold().length
    except tg.FoldError:
        return None
    return [T if step == "T" else step for step in steps]


def _drawn_until_then(a: argparse.Namespace, graph: Graph, path: Path) -> str:
    """Draw a run that an error ended: unfolded, for only a whole run has a circuit. Returns what to say about it."""
    a.view, a.which, a.steps, a.gradients = "unfolded", "forward", None, False
    try:
        return f"what ran until then is drawn in {_drawn(a, graph, path)}"
    except (ValueError, OSError, viz.RendererMissing, viz.RenderError) as error:
        return f"what ran until then is not drawn: {error}"


def _default(model: str, extension: str) -> Path:
    """build/pattern-1.svg; for my/model.py:build it is build/model-build.svg."""
    file, _, function = model.rpartition(":")
    return FOLDER / ((f"{Path(file).stem}-{function}" if file else model) + extension)


@contextmanager
def _telling(what: str) -> Iterator[None]:
    """Say on stderr what is going on once it has taken `PATIENCE` seconds, at twice that time, at four times, …"""
    done = threading.Event()

    def tell() -> None:
        seconds = wait = PATIENCE
        while not done.wait(wait):
            print(f"{what}: {seconds:g} s", file=sys.stderr)
            seconds, wait = 2 * seconds, seconds

    teller = threading.Thread(target=tell, daemon=True)
    teller.start()
    try:
        yield
    finally:
        done.set()
        teller.join()


def _complain(a: argparse.Namespace, message: str) -> None:
    print(visible(f"{PROGRAM} {a.name}: {message}", 4000), file=sys.stderr)


# -- arguments -----------------------------------------------------------------------------------------------


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {visible(message, 1000)} (--help shows all)\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog=PROGRAM, description="Draw a model, print its equations, or write a page to explore it.")
    commands = parser.add_subparsers(required=True, metavar="draw | equations | page", dest="name")

    add = _command(commands, "draw", draw)
    add("-o", dest="output", type=_picture, metavar="FILE", help=f"{', '.join(FORMATS)} (build/MODEL.svg)")
    add("--view", choices=VIEWS, default="both", help="which form (%(default)s)")
    add("--steps", type=_steps, metavar="1,2,…,T", help="the steps of the unfolded graph (all of 4, or 1,2,…,T)")
    add("--pass", dest="which", choices=("forward", "backward"), default="forward", help="(%(default)s)")
    add("--detail", choices=("variables", "operations"), default="variables", help="what is drawn (%(default)s)")
    add("--shapes", action="store_true", help="write the shape of each variable under its name")
    add("--values", action="store_true", help="write its value; of an array, the mean ± the standard deviation")
    add("--gradients", action="store_true", help="colour and width of an arrow by the gradient that flows back in it")
    add("--weights", action="store_true", help="write attention weights on the arrows from what they weight")
    add("--clusters", action="store_true", help="a frame around the variables of each module")
    add("--legend", action="store_true", help="say what the kinds of arrows and vertices mean")
    add("--direction", choices=("up", "right"), default="up", help="of what happens within a step (%(default)s)")
    add("--theme", choices=THEMES, default="light", help="(%(default)s)")

    add = _command(commands, "equations", equations)
    add("--pass", dest="which", choices=("forward", "backward", "both"), default="both", help="(%(default)s)")
    add("--format", choices=("unicode", "latex"), default="unicode", help="(%(default)s)")

    add = _command(commands, "page", page)
    add("-o", dest="output", type=Path, metavar="FILE", help="(build/MODEL.html)")
    return parser


def _command(commands: Any, name: str, run: Callable[[argparse.Namespace], None]) -> Callable[..., Any]:
    """A subcommand that is described by its function's docstring; returns what adds an argument to it."""
    about = (inspect.getdoc(run) or "").partition("\n")[0].rstrip(".")
    parser = commands.add_parser(
        name,
        help=about,
        description=f"{about}. Defaults are in parentheses.",
        epilog=MODELS.format(names="\n".join(f"    {n:20} {e.summary}" for n, e in CATALOGUE.items()), command=name),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.set_defaults(command=run)
    parser.add_argument("model", metavar="MODEL", help="a name of the zoo or file.py:function, see below")
    parser.add_argument(
        "--input",
        type=_input,
        action="append",
        default=[],
        metavar="NAME=SHAPE",
        help='an argument of file.py:function: x=5,2,3 is normal numbers of that shape, "y=5,2<4" whole numbers 0…3',
    )
    parser.add_argument("--seed", type=_whole, default=0, metavar="N", help="of the numbers in it (%(default)s)")
    return parser.add_argument


def _input(text: str) -> Input:
    try:
        return Input.read(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _whole(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"a whole number from 0 up, not {text!r}")
    return int(text)


def _picture(text: str) -> Path:
    path = Path(text)
    if path.suffix.lower() not in FORMATS:
        raise argparse.ArgumentTypeError(f"a name that ends in {', '.join(FORMATS)}, not {text!r}")
    return path


def _steps(text: str) -> list[int | str]:
    steps: list[int | str] = []
    for part in text.split(","):
        if not (part.isdecimal() or part in ("T", "…", "...")):
            raise argparse.ArgumentTypeError(f"steps from 1 up, … and T with commas between them, not {text!r}")
        steps.append(int(part) if part.isdecimal() else "…" if part == "..." else part)
    return steps


if __name__ == "__main__":
    sys.exit(main())
