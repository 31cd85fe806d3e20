"""What `import tinygrad_rnn` adds to importing NumPy."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from statistics import median

from tqdm import tqdm

from .measure import Table

ROOT = Path(__file__).parents[1]
TIMED = """
from time import process_time
start = process_time()
import numpy
between = process_time()
import tinygrad_rnn
print(between - start, process_time() - between)
"""


def run(interpreters: int = 15) -> Table:
    """Import both in fresh interpreters; the first, which may have to compile, does not count."""
    timings = [_import() for _ in tqdm(range(interpreters + 1), desc="imports", leave=False)][1:]
    numpy, ours = (median(column) * 1e3 for column in zip(*timings, strict=True))
    table = Table("Importing, milliseconds", ["numpy", "tinygrad_rnn on top", "times as long"])
    table.rows.append([numpy, ours, median(b / a for a, b in timings)])
    table.notes.append(f"medians of {interpreters} fresh interpreters; aim: at most 60 ms on top")
    return table


def _import() -> tuple[float, float]:
    printed = subprocess.run([sys.executable, "-c", TIMED], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    numpy, ours = map(float, printed.split())
    return numpy, ours
