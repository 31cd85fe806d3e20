"""What a page of the gallery is made of: sections, pictures in both themes, and what those who make them know."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from viz.diagrams.diagram import Diagram
from viz.diagrams.render import write
from viz.plots import CURVES
from zoo.tasks.characters import Corpus


@dataclass(frozen=True)
class Work:
    """What a section is made with.

    out     the gallery's folder
    name    of the page that it is on: pictures go into a folder of that name
    steps   of the longest training
    corpus  to train on; None: the help topics of this Python
    show    how a long training goes
    say     what is being done, for those who wait
    """

    out: Path
    name: str
    steps: int
    seed: int = 0
    corpus: Corpus | None = None
    show: bool = False
    say: Callable[[str], None] = lambda what: None

    def picture(self, name: str, alt: str, draw: Callable[[str], Diagram]) -> Picture:
        """A diagram, drawn by a function of the theme."""
        return self._in_themes(name, alt, lambda theme, file: draw(theme).render(file))

    def plot(self, name: str, alt: str, draw: Callable[[str], str]) -> Picture:
        """A plot: a function from the theme to the text of an SVG document."""
        return self._in_themes(name, alt, lambda theme, file: write(file, draw(theme).encode()))

    def _in_themes(self, name: str, alt: str, make: Callable[[str, Path], Path]) -> Picture:
        files = [make(theme, self.out / self.name / f"{name}-{theme}.svg") for theme in CURVES]
        return Picture(f"{self.name}/{name}", alt, *_size(files[0].read_text(encoding="utf-8")))


@dataclass(frozen=True)
class Picture:
    """A picture in both themes, an SVG file for each. Its size is in CSS pixels."""

    name: str
    alt: str
    width: int
    height: int

    def file(self, theme: str) -> str:
        """Its address, from the gallery's folder."""
        return f"{self.name}-{theme}.svg"


@dataclass(frozen=True)
class Section:
    """A part of a page: a heading, and a template with what it shows.

    thumbnail  for the index
    problem    what is not as it should be; it is said on the index and by the exit code
    made       commands that make what is shown here, one by one
    """

    id: str
    heading: str
    template: str
    content: dict[str, Any] = field(default_factory=dict)
    thumbnail: Picture | None = None
    problem: str = ""
    made: tuple[str, ...] = ()


def _size(svg: str) -> tuple[int, int]:
    """Width and height of an SVG document in CSS pixels, 96 to the inch; it says them in points, 72 to the inch."""
    width, height = re.findall(r'\b(?:width|height)="([\d.]+)pt"', svg)[:2]
    return round(float(width) * 96 / 72), round(float(height) * 96 / 72)
