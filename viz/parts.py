"""What a drawing is made of: vertices at places of a grid, and arrows between them.

Points and directions are complex numbers, in points (1/72 inch): multiplying by 1j turns left.
"""

import math
from dataclasses import dataclass
from functools import cached_property

from viz.labels import visible, width

COLUMN, ROW = 86, 76  # the size of a cell of the grid
HEAD = 6.0  # the length of an arrowhead
LETTERS = 14.0  # the size of letters
LIMIT = 20  # characters of a label
GAP = 3.0  # between an arrow and its label
CLEARANCE = 10.0  # between an arrow and a vertex that it passes

DIAMETERS = {
    "variable": 44.0,
    "input": 44.0,
    "target": 44.0,
    "loss": 44.0,
    "operation": 28.0,
    "ellipsis": 30.0,
    "delay": 9.0,
    "anchor": 1.0,
}


@dataclass(frozen=True)
class Vertex:
    """What stands at a place of the grid: x counts columns to the right, y rows upward.

    `kind` is variable, input, target, loss, operation, delay (a black square), ellipsis (steps not drawn) or anchor (an
    invisible point that arrows run through).  Vertices of one `cluster` share a frame.  `note` is a tooltip.
    """

    id: str
    label: str
    x: float
    y: float
    kind: str = "variable"
    cluster: str = ""
    note: str = ""

    @cached_property
    def at(self) -> complex:
        return complex(self.x * COLUMN, self.y * ROW)

    @property
    def is_passed_through(self) -> bool:
        return self.kind in ("delay", "anchor")

    @cached_property
    def text(self) -> str:
        if self.is_passed_through:
            return ""
        return visible(self.label or "· · ·" * (self.kind == "ellipsis"), LIMIT)

    @property
    def height(self) -> float:
        return DIAMETERS[self.kind]

    @cached_property
    def letters(self) -> float:
        """The size of its letters: a little smaller if they then fit the circle, smaller still to fit the column."""
        return min(LETTERS, max(11.0, self._filling(self.height)), self._filling(COLUMN - 8))

    @cached_property
    def width(self) -> float:
        """Its height, which makes it round, unless the label needs an ellipse."""
        return max(self.height, self.height * self.letters / self._filling(self.height))

    def _filling(self, room: float) -> float:
        """The size at which its letters fill a width."""
        return 0.92 * room / max(width(self.text), 0.5)

    def reach(self, direction: complex) -> float:
        """How far its outline is from its centre."""
        if self.width == self.height:
            return self.width / 2
        return 0.5 / math.hypot(direction.real / self.width, direction.imag / self.height)

    def distance(self, point: complex) -> float:
        """How far a point is from its outline; negative inside."""
        away = point - self.at
        return abs(away) - self.reach(unit(away))


@dataclass(frozen=True)
class Arrow:
    """From one vertex to another, through the points `via` of the grid if there are any.

    `kind` is wire, delay, initial (a value that enters a delay from outside the loop), grad, or fixed (not trained).
    """

    tail: str
    head: str
    label: str = ""
    kind: str = "wire"
    via: tuple[tuple[float, float], ...] = ()


def unit(direction: complex) -> complex:
    return direction / (abs(direction) or 1)
