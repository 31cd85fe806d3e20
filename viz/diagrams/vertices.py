"""What a drawing is made of: vertices at places of a grid, and arrows between them.

Points and directions are complex numbers, in points (1/72 inch): multiplying by 1j turns left.
"""

import math
from dataclasses import dataclass
from functools import cached_property

from viz.labels import visible, width

COLUMN, ROW = 86, 76  # the size of a cell of the grid
LETTERS = 14.0  # the size of letters
DETAIL = 9.5  # the size of those of a second line
LIMIT = 20  # characters of a label
THIN = 0.8  # the thickness of an arrow
HEADS_APART = 7.0  # between arrows that meet at a vertex
GAP = 3.0  # between an arrow and its label
CLEARANCE = 10.0  # between an arrow and a vertex that it passes
WIDEST = COLUMN - 8  # a vertex

DIAMETERS = {
    "variable": 44.0,
    "input": 44.0,
    "target": 44.0,
    "loss": 44.0,
    "operation": 28.0,
    "ellipsis": 30.0,
    "delay": 9.0,
    "anchor": 1.0,
    "carried": 28.0,
    "parameter": 26.0,
    "gradient": 44.0,
    "failed": 28.0,
}


@dataclass(frozen=True)
class Vertex:
    """What stands at a place of the grid: x counts columns to the right, y rows upward.

    `kind` is variable, input, target, loss, operation, parameter (a thin square), gradient (in the theme's colour for
    gradients), failed (an operation that raised), delay (a black square), carried (a value of an earlier step where
    this one begins), ellipsis (steps not drawn) or anchor (an
    invisible point that arrows run through).  `detail` is a small second line, `note` a tooltip.  Vertices of one
    `cluster` share a frame.  `steps` are the numbers of the recorded steps that it stands for.
    """

    id: str
    label: str
    x: float
    y: float
    kind: str = "variable"
    cluster: str = ""
    note: str = ""
    detail: str = ""
    steps: tuple[int, ...] = ()

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
    def second_line(self) -> str:
        return visible(self.detail, LIMIT) if self.detail and not self.is_passed_through else ""

    @property
    def height(self) -> float:
        return max(DIAMETERS[self.kind], 44.0) if self.second_line else DIAMETERS[self.kind]

    @property
    def width(self) -> float:
        """Its height, which makes it round, unless the label needs an ellipse."""
        return self._setting[0]

    @property
    def letters(self) -> float:
        """The size of its letters: a little smaller if they then fit the circle, smaller still to fit the column."""
        return self._setting[1]

    @property
    def small_letters(self) -> float:
        """The size of those of the second line."""
        return self._setting[2]

    @cached_property
    def _setting(self) -> tuple[float, float, float]:
        first, second = width(self.text) or 0.01, width(self.second_line) or 0.01
        # How much of the width a line may fill: two lines are farther from the middle, where the outline is nearer.
        share = 0.84 if self.second_line else 0.92
        least = 12.0 if self.kind == "gradient" else 11.0
        letters = min(LETTERS, max(least, share * self.height / first), share * WIDEST / first)
        small_letters = min(DETAIL, share * WIDEST / second)
        return max(self.height, letters * first / share, small_letters * second / share), letters, small_letters

    def reach(self, direction: complex) -> float:
        """How far its outline is from its centre."""
        x, y = abs(direction.real) * 2 / self.width, abs(direction.imag) * 2 / self.height
        return 1 / (max(x, y) if self.kind in ("parameter", "delay") else math.hypot(x, y))

    def distance(self, point: complex) -> float:
        """How far a point is from its outline; negative inside."""
        away = point - self.at
        return abs(away) - self.reach(unit(away) or 1)

    def is_within(self, clearance: float, point: complex) -> bool:
        """Whether a point is that near to its outline, or inside; between two circles of the outline it is measured."""
        away = abs(point - self.at) - clearance
        inner, outer = self._circles
        return away < inner or (away < outer and self.distance(point) < clearance)

    @cached_property
    def _circles(self) -> tuple[float, float]:
        """The radii of the largest circle in its outline and of the smallest around it."""
        corner = math.sqrt(2) if self.kind in ("parameter", "delay") else 1.0
        return min(self.width, self.height) / 2, max(self.width, self.height) / 2 * corner


@dataclass(frozen=True)
class Arrow:
    """From one vertex to another, through the points `via` of the grid if there are any.

    `kind` is wire, delay, initial (a value that enters a delay from outside the loop), grad, fixed (not trained), all
    (every step of a loop reaches the head) or unfold (from a circuit to its unfolded graph).  `strength`, from 0 to 1,
    sets its width and its colour, from faint to strong.
    """

    tail: str
    head: str
    label: str = ""
    kind: str = "wire"
    via: tuple[tuple[float, float], ...] = ()
    strength: float | None = None

    @property
    def thickness(self) -> float:
        if self.kind == "unfold":
            return 2.4
        return THIN if self.strength is None else 0.5 + 2.3 * self.strength

    @property
    def barb(self) -> float:
        """The length of its arrowhead: a thicker line has a larger one."""
        return 4.8 + 1.5 * self.thickness + 2 * (self.kind == "all")


def unit(direction: complex) -> complex:
    return direction / (abs(direction) or 1)
