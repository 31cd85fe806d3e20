"""The command line: `python -m viz.gallery [--quick] [--out FOLDER] [--steps N] [TOPIC …]`."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from tinygrad_rnn.nn.checkpoints import CheckpointError
from viz.diagrams.render import RendererMissing, RenderError
from viz.gallery import build
from viz.gallery.learning import STEPS
from viz.gallery.topics import TOPICS

PROGRAM = "python -m viz.gallery"
QUICK = STEPS // 5


def main(argv: Sequence[str] | None = None) -> int:
    """Build the gallery. Returns the exit code: 0; 1, with a line on stderr, for what went wrong; 130 for Ctrl-C."""
    argv = sys.argv[1:] if argv is None else list(argv)
    arguments = _parser().parse_args(argv)
    steps = arguments.steps or (QUICK if arguments.quick else STEPS)
    command = shlex.join([*PROGRAM.split(), *argv])
    try:
        built = build(arguments.out, steps=steps, only=arguments.topics, command=command, show=True)
    except KeyboardInterrupt:
        print(f"Stopped. The build goes on with\n    {command}", file=sys.stderr)
        return 130
    except (ImportError, OSError, ValueError, CheckpointError, RendererMissing, RenderError) as error:
        print(f"{PROGRAM}: {error}", file=sys.stderr)
        return 1
    print(f"{built.index}: {len(built.new)} pages built, {len(built.kept)} unchanged")
    for name, problem in built.problems.items():
        print(f"{PROGRAM}: {name}: {problem}", file=sys.stderr)
    return 1 if built.problems else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=PROGRAM, description="The lecture as a static site: train, record, draw.")
    known = ", ".join(topic.name for topic in TOPICS)
    parser.add_argument("topics", nargs="*", metavar="TOPIC", help=f"build these alone: {known} (all)")
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--quick", action="store_true", help="all trainings a fifth as long: some two minutes in all")
    of = f"of the longest training, the others in proportion ({STEPS})"
    length.add_argument("--steps", type=_whole, metavar="N", help=of)
    parser.add_argument("--out", type=Path, metavar="FOLDER", default=Path("build", "gallery"), help="(%(default)s)")
    return parser


def _whole(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"a whole number from 1 up, not {text!r}")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
