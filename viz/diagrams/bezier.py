"""The form of an arrow: cubic Bézier curves joined end to end.

A curve is relative to where its tail stands, for most arrows of an unfolded graph differ only in that.
"""

import cmath
import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from viz.diagrams.layering import spread
from viz.diagrams.vertices import unit


@dataclass(frozen=True, eq=False)
class Curve:
    """Cubic Bézier curves by their control points; an arrowhead fills the gap to its tip."""

    points: tuple[complex, ...]
    tip: complex | None = None

    def at(self, share: float) -> tuple[complex, complex]:
        """The point at a share of the way, and the direction there."""
        pieces = len(self.points) // 3
        piece = min(int(share * pieces), pieces - 1)
        _, _, before, point, after, _, _ = split(self.points[3 * piece : 3 * piece + 4], share * pieces - piece)
        return point, unit(after - before)

    @cached_property
    def samples(self) -> list[complex]:
        """Points along it, 8 apart or nearer; of a curve across the whole drawing only some hundreds."""
        found = []
        for i in range(0, len(self.points) - 1, 3):
            a, b, c, d = self.points[i : i + 4]
            linear = 3 * (b - a)
            quadratic = 3 * (c - b) - linear
            cubic = d - a - linear - quadratic
            count = min(math.ceil((abs(b - a) + abs(c - b) + abs(d - c)) / 8), 400)
            found += [a + (linear + (quadratic + cubic * t) * t) * t for t in (j / count for j in range(count))]
        return [*found, self.points[-1]]

    def pointed(self, length: float) -> "Curve":
        """With an arrowhead of this length where it ends."""
        last = self.points[-4:]
        start, *controls, _, _, tip = split(last, 1 - length / max(3 * abs(last[3] - last[2]), 2 * length))
        return Curve((*self.points[:-4], start, *controls), tip)


def smooth(corners: Sequence[complex], directions: Sequence[complex]) -> Curve:
    """Through corners in given directions, from each to the next as near to a circle's arc as can be."""
    points = [corners[0]]
    for (a, b), (leave, arrive) in zip(pairwise(corners), pairwise(directions), strict=True):
        points += [a + leave * _handle(b - a, leave), b - arrive * _handle(b - a, arrive), b]
    return Curve(tuple(points))


def _handle(chord: complex, direction: complex) -> float:
    """The distance to the control point: a third of the chord if straight, more the more the curve turns."""
    cosine = (direction * chord.conjugate()).real / (abs(chord) or 1)
    return abs(chord) * 2 / (3 + 3 * max(cosine, -0.3))


def mirrored(chord: complex, direction: complex | None) -> complex:
    """The direction at a chord's other end: the mirror image would make a circle's arc; half of it is calmer."""
    chord = unit(chord)
    return chord * cmath.sqrt(chord / direction) if direction else chord


def split(points: Sequence[complex], t: float) -> tuple[complex, ...]:
    """De Casteljau's algorithm: a cubic curve cut in two at t, by the seven control points of its halves."""
    a, b, c, d = points
    ab, bc, cd = a + (b - a) * t, b + (c - b) * t, c + (d - c) * t
    abc, bcd = ab + (bc - ab) * t, bc + (cd - bc) * t
    return a, ab, abc, abc + (bcd - abc) * t, bcd, cd, d


@functools.lru_cache(1000)
def apart(angles: tuple[float, ...], least: float) -> list[float]:
    """The angles moved as little as can be, in the least squares, until neighbours on the circle are `least` apart.

    Where there are too many for that, they are as far apart as there is room.
    """
    least = min(least, math.tau / len(angles))
    order = sorted(range(len(angles)), key=angles.__getitem__)
    gaps = [(angles[order[i]] - angles[order[i - 1]]) % math.tau for i in range(len(order))]
    widest = max(range(len(order)), key=gaps.__getitem__)
    if min(gaps) >= least:
        return list(angles)
    order = order[widest:] + order[:widest]
    begin = angles[order[0]]
    wanted = [(begin + (angles[i] - begin) % math.tau, 1.0) for i in order]
    moved = spread(wanted, [place * least for place in range(len(order))])
    return [angle for _, angle in sorted(zip(order, moved, strict=True))]
