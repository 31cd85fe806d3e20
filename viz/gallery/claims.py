"""What `python -m zoo claims` has measured, as a section of a page: each figure with the command that measures it."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from viz.gallery.sections import Section
from zoo.claims import CLAIMS

HERE = Path("build", "claims.json")
PUBLISHED = Path(__file__).parents[2] / "docs" / "claims.json"
FILES = (HERE, PUBLISHED)
"""What was measured here, and what came with the code."""

REPORT = ("command", "seeds", "quick", "date", "machine", "versions")
ROW = ("name", "statement", "source", "reach", "unit", "figures", "holds", "error", "seconds")

Found = dict[str, tuple[dict[str, Any], dict[str, Any]]]
"""By the name of a claim the report that it is in, and its row there."""


def measured(files: Iterable[Path]) -> Found:
    """What was measured of each claim, as the first of the files has it; a file not of that form has none."""
    found: Found = {}
    for file in files:
        try:
            content = json.loads(file.read_text(encoding="utf-8"))
            report = {key: content[key] for key in REPORT}
            rows = [{key: row[key] for key in ROW} | {"tried": row.get("tried", "")} for row in content["claims"]]
        except (OSError, ValueError, KeyError, TypeError):
            continue
        for row in rows:
            found.setdefault(row["name"], (report, row))
    return found


def claimed(names: Sequence[str], found: Found) -> Section | None:
    """The claims of a page, those of a report together; and those that nobody has measured."""
    reports: dict[str, tuple[dict[str, Any], list[dict[str, Any]]]] = {}
    for name in names:
        if name in found:
            report, row = found[name]
            rows = reports.setdefault(repr(report), (report, []))[1]
            rows.append(row | {"measured": spread(row["figures"])})
    unmeasured = [CLAIMS[name] for name in names if name not in found]
    long = any(not report["quick"] for report, _ in reports.values())
    content = {"reports": list(reports.values()), "unmeasured": unmeasured, "long": long}
    return Section("claims", "What was measured", "claims.html", content) if names else None


def spread(figures: Sequence[Any]) -> str:
    """The median over the seeds and, where they differ, the least and the most; "nan" is among what may be there."""
    numbers = [float(figure) for figure in figures]
    if not numbers or any(map(math.isnan, numbers)):
        return "nan"
    least, median, most = (f"{number:.4g}" for number in (min(numbers), float(np.median(numbers)), max(numbers)))
    return median if least == most else f"{median} ({least} … {most})"
