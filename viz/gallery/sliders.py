"""A plot that moves with a slider: drawn here once for each place of it; the page's script only shows another."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass

from viz.labels import superscript

WIDTH, HEIGHT = 640.0, 360.0
LEFT, RIGHT, TOP, BOTTOM = 76.0, 16.0, 12.0, 48.0  # margins
FAR = 50.0  # times the length of an axis

Points = Sequence[tuple[float, float]]


def number(x: float) -> str:
    """In two digits that count: 0.33, 2.5·10⁻¹⁹."""
    mantissa, _, exponent = f"{x:.2g}".replace("inf", "∞").partition("e")
    power = "·10" + superscript(str(int(exponent))) if exponent else ""
    return mantissa.replace("-", "−") + power


@dataclass(frozen=True)
class Axis:
    """From low to high, with ticks; what lies outside is not seen."""

    title: str
    low: float
    high: float
    ticks: Sequence[float]
    log: bool = False

    def share(self, value: float) -> float:
        """Where a value is between the ends: 0 is low and 1 high. What is far outside is less far for the browser."""
        if math.isnan(value):
            return FAR
        if self.log:
            value, low, high = (math.log(min(max(v, 1e-300), 1e300)) for v in (value, self.low, self.high))
        else:
            low, high = self.low, self.high
        return min(max((value - low) / (high - low), -FAR), FAR)

    def written(self, tick: float) -> str:
        """A tick's label: powers of ten by their exponent."""
        if not self.log or 0.01 <= tick <= 100:
            return f"{tick:g}".replace("-", "−")
        return "10" + superscript(str(round(math.log10(tick))))


@dataclass(frozen=True)
class Curve:
    """Its name in the legend, and how it is drawn: "main", "other" or "dashed"."""

    name: str
    look: str


@dataclass(frozen=True)
class Frame:
    """A place of the slider: what is set, what comes of it in words, and the points of each curve."""

    setting: str
    says: str
    curves: Sequence[Points]


@dataclass(frozen=True)
class Patch:
    """A rectangle behind the curves, from its lower left corner, the darker the larger its shade is, from 0 to 1."""

    x: float
    y: float
    width: float
    height: float
    shade: float


@dataclass(frozen=True)
class Slider:
    """A plot of curves, and what moves them; with one frame, a plot that stays as it is.

    `start` is the frame that is shown first, and printed.
    """

    label: str
    x: Axis
    y: Axis
    curves: Sequence[Curve]
    frames: Sequence[Frame]
    start: int
    ground: Sequence[Patch] = ()

    @property
    def first(self) -> Frame:
        return self.frames[self.start]

    @property
    def alt(self) -> str:
        """The plot in words, as it is at first."""
        names = ", ".join(curve.name for curve in self.curves)
        return f"{self.y.title} over {self.x.title}: {names}. {self.first.setting}: {self.first.says}"

    @property
    def x_ticks(self) -> list[tuple[str, str]]:
        """Where each tick is, and what is written there."""
        return [(f"{self._x(tick):.1f}", self.x.written(tick)) for tick in self.x.ticks]

    @property
    def y_ticks(self) -> list[tuple[str, str]]:
        return [(f"{self._y(tick):.1f}", self.y.written(tick)) for tick in self.y.ticks]

    @property
    def shown(self) -> list[tuple[Curve, str]]:
        """Each curve with its points in the first frame."""
        return list(zip(self.curves, self._points(self.first), strict=True))

    @property
    def patches(self) -> list[tuple[str, str, str, str, str]]:
        """x, y, width, height and shade of each patch of the ground."""
        corners = [
            (self._x(p.x), self._y(p.y + p.height), self._x(p.x + p.width), self._y(p.y), p) for p in self.ground
        ]
        return [
            (f"{x:.1f}", f"{y:.1f}", f"{right - x:.1f}", f"{bottom - y:.1f}", f"{p.shade:.2g}")
            for x, y, right, bottom, p in corners
        ]

    @property
    def json(self) -> str:
        """All frames, for the script; as text of a script element, which nothing in it can end."""
        frames = [{"setting": f.setting, "says": f.says, "points": self._points(f)} for f in self.frames]
        return json.dumps(frames, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")

    def _points(self, frame: Frame) -> list[str]:
        return [" ".join(f"{self._x(x):.1f},{self._y(y):.1f}" for x, y in curve) for curve in frame.curves]

    def _x(self, value: float) -> float:
        return LEFT + self.x.share(value) * (WIDTH - LEFT - RIGHT)

    def _y(self, value: float) -> float:
        return HEIGHT - BOTTOM - self.y.share(value) * (HEIGHT - TOP - BOTTOM)
