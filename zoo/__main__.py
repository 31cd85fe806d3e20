"""The command line: `python -m zoo list`, `python -m zoo train pattern-1 --task characters`."""

from __future__ import annotations

import argparse
import inspect
import math
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from tinygrad_rnn.checkpoints import CheckpointError

from .pattern_1 import Pattern1
from .tasks import characters
from .tasks.characters import Characters
from .training import train

MODELS: dict[str, type] = {"pattern-1": Pattern1}
TASKS: dict[str, type] = {"characters": Characters}

STEPS, QUICK = 12000, 2400


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code: 0, 2 for what the user can mend (one line on stderr), 130 for Ctrl-C."""
    argv = sys.argv[1:] if argv is None else list(argv)
    arguments = _parser().parse_args(argv)
    try:
        arguments.command(arguments)
    except KeyboardInterrupt:
        print(f"\nStopped. This goes on from there:\n    {_resuming(argv)}", file=sys.stderr)
        return 130
    except (ValueError, OSError, ImportError, FloatingPointError, CheckpointError) as error:
        print(f"python -m zoo: {error}", file=sys.stderr)
        return 2
    return 0
