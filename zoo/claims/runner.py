"""Measure claims one after the other; print the table, and write it as Markdown and JSON after each of them."""

from __future__ import annotations

import json
import math
import os
import platform
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from ..training import progress_bar
from .claim import Claim, Progress


@dataclass(frozen=True)
class Outcome:
    """What was measured of a claim: a figure for each seed, or the error that ended the experiment."""

    claim: Claim
    figures: list[float]
    seconds: float
    error: str = ""

    @property
    def holds(self) -> bool:
        return not self.error and bool(self.claim.holds(self.figures))

    @property
    def verdict(self) -> str:
        return "holds" if self.holds else "FAILED" if self.error else "falls short"

    @property
    def measured(self) -> str:
        """The median of the seeds and, where they differ, the least and the most."""
        if self.error:
            return self.error
        least, median, most = (f"{figure:.5g}" for figure in _spread(self.figures))
        return median if least == most else f"{median} ({least} … {most})"

    @property
    def about(self) -> str:
        return f"`{self.claim.name}`: {self.claim.statement}"

    @property
    def reach(self) -> str:
        return f"{self.claim.reach} {self.claim.unit}".rstrip()


@dataclass
class Report:
    """What a run of claims has measured so far, and all that it depends on."""

    command: str
    seeds: list[int]
    quick: bool
    asked: int
    outcomes: list[Outcome] = field(default_factory=list)
    date: str = field(default_factory=lambda: datetime.now().astimezone().isoformat(timespec="seconds"))
    machine: str = field(default_factory=lambda: machine())
    versions: dict[str, str] = field(default_factory=lambda: versions())

    @property
    def short(self) -> list[str]:
        """The names of the claims that do not hold."""
        return [outcome.claim.name for outcome in self.outcomes if not outcome.holds]

    @property
    def summary(self) -> str:
        done, asked = len(self.outcomes), self.asked
        rest = f", {asked - done} not measured" if done < asked else ""
        return f"{done - len(self.short)} of {asked} claims hold{rest}"

    def json(self) -> str:
        rows = [
            {
                **{name: getattr(o.claim, name) for name in ("name", "statement", "source", "reach", "unit", "tried")},
                "figures": [_number(figure) for figure in o.figures],
                "median": _number(_spread(o.figures)[1]),
                "holds": o.holds,
                "error": o.error,
                "seconds": round(o.seconds, 2),
            }
            for o in self.outcomes
        ]
        about = {name: getattr(self, name) for name in ("command", "seeds", "quick", "date", "machine", "versions")}
        return json.dumps(about | {"asked": self.asked, "claims": rows}, indent=1, ensure_ascii=False) + "\n"

    def markdown(self) -> str:
        """The table for people, which GitHub shows as one."""
        rows = [[o.about, o.claim.source, o.reach, o.measured, o.verdict, f"{o.seconds:.0f}"] for o in self.outcomes]
        head = ["claim", "source", "to reach", "measured: median (least … most)", "", "seconds"]
        table = "\n".join(f"| {' | '.join(map(_cell, row))} |" for row in [head, ["---"] * len(head), *rows])
        known = ", ".join(f"{name} {number}" for name, number in self.versions.items())
        how = f"`{self.command}`, seeds {', '.join(map(str, self.seeds))}; {self.machine}; {known}; {self.date}"
        short = "".join(
            f"- `{o.claim.name}`, to reach {o.reach}: measured {o.measured}. {o.claim.tried}".rstrip() + "\n"
            for o in self.outcomes
            if not o.holds
        )
        below = f"\n## What falls short\n\n{short}" if short else ""
        return f"# Claims\n\n{self.summary}. Measured by {how}.\n\n{table}\n{below}"


def measure_claims(claims: Sequence[Claim], *, seeds: Sequence[int], quick: bool, out: Path, command: str) -> Report:
    """Measure each claim for each seed, printing a row for each claim and writing ``out.md`` and ``out.json``.

    A claim whose experiment raises does not hold, and the others go on. Ctrl-C loses only the claim under way.

    Raises OSError at once where nothing can be written, ImportError without tqdm, KeyboardInterrupt.
    """
    tqdm = progress_bar()
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=out.parent):
        pass  # what cannot be written to is better known now
    report = Report(command, list(seeds), quick, len(claims))
    widths = max(len(c.name) for c in claims), max(len(f"{c.reach} {c.unit}") for c in claims)
    print(f"{'claim':{widths[0]}}  {'':11}  {'seconds':>7}  {'to reach':{widths[1]}}  measured: median (least … most)")
    try:
        for claim in tqdm(claims, desc="claims", unit="claim", disable=None, leave=False, dynamic_ncols=True):
            o = measure(claim, report.seeds, quick, tqdm)
            row = f"{claim.name:{widths[0]}}  {o.verdict:11}  {o.seconds:7.1f}  {o.reach:{widths[1]}}  {o.measured}"
            report.outcomes.append(o)
            write(Path(f"{out}.json"), report.json())
            write(Path(f"{out}.md"), report.markdown())
            tqdm.write(row)
            sys.stdout.flush()  # a log shows each row when it is there
    except KeyboardInterrupt:
        kept = f"; {report.summary}: see {out}.md" if report.outcomes else ""
        raise KeyboardInterrupt(f"stopped{kept}") from None
    return report


def measure(claim: Claim, seeds: Sequence[int], quick: bool, tqdm: Any) -> Outcome:
    """The figures of a claim, one for each seed."""

    def progress_of(seed: int) -> Progress:
        def progress(steps: Iterable[Any], what: str = "") -> Iterable[Any]:
            about = f"{claim.name}, seed {seed}" + (f", {what}" if what else "")
            return tqdm(steps, desc=about, disable=None, leave=False, dynamic_ncols=True)

        return progress

    began, figures, error = time.perf_counter(), [], ""
    try:
        for seed in seeds:
            figures.append(float(claim.measure(seed, quick, progress_of(seed))))
    except Exception as raised:
        error = f"{type(raised).__name__}: {' '.join(str(raised).split())}"
    return Outcome(claim, figures, time.perf_counter() - began, error)


def write(path: Path, text: str) -> None:
    """Write a file whole: beside its place first, then there by a rename, so that no reader sees half of it."""
    part = path.with_name(f"{path.name}.part")
    try:
        part.write_text(text, encoding="utf-8")
        os.replace(part, path)
    finally:
        with suppress(OSError):
            part.unlink()


def machine() -> str:
    """The processor and how many of it there are, as far as the system tells."""
    name = platform.processor() or platform.machine()
    with suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), name)
    return f"{platform.system()}, {name}, {os.cpu_count()} cores"


def versions() -> dict[str, str]:
    """Of what decides the bits of the figures."""
    found = {"Python": platform.python_version(), "NumPy": np.__version__}
    with suppress(PackageNotFoundError):
        found["tinygrad_rnn"] = version("tinygrad_rnn")
    return found


def _spread(figures: Sequence[float]) -> tuple[float, float, float]:
    """The least, the median and the most; NaN where one is."""
    if not figures or any(math.isnan(figure) for figure in figures):
        return math.nan, math.nan, math.nan
    return min(figures), float(np.median(figures)), max(figures)


def _number(figure: float) -> float | str:
    """JSON has no NaN and no infinity."""
    return figure if math.isfinite(figure) else str(figure)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
