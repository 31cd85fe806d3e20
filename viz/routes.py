"""How arrows find their way, and where labels stand: nothing is on top of anything else if there is room.

An arrow is straight where nothing is in between, an arc around a vertex that is, side by side with another that joins
the same pair, and smooth through the black square of a delay.
"""

import cmath
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, pairwise
from typing import NamedTuple

from viz.labels import visible, width
from viz.parts import CLEARANCE, COLUMN, GAP, HEAD, LETTERS, LIMIT, ROW, Arrow, Vertex, unit

# ---- where arrows run


class Curve(NamedTuple):
    """Cubic Bézier curves joined end to end, by their control points; an arrowhead fills the gap to its tip."""

    points: list[complex]
    tip: complex | None = None

    def at(self, share: float) -> tuple[complex, complex]:
        """The point at a share of the way, and the direction there."""
        pieces = len(self.points) // 3
        piece = min(int(share * pieces), pieces - 1)
        _, _, before, point, after, _, _ = _split(self.points[3 * piece : 3 * piece + 4], share * pieces - piece)
        return point, unit(after - before)

    def samples(self, apart: float) -> Iterator[complex]:
        """Points along it, no farther apart than this."""
        for i in range(0, len(self.points) - 1, 3):
            a, b, c, d = self.points[i : i + 4]
            linear = 3 * (b - a)
            quadratic = 3 * (c - b) - linear
            cubic = d - a - linear - quadratic
            count = math.ceil((abs(b - a) + abs(c - b) + abs(d - c)) / apart)
            for t in (j / count for j in range(count + 1)):
                yield a + (linear + (quadratic + cubic * t) * t) * t

    def pointed(self) -> "Curve":
        """With an arrowhead where it ends."""
        last = self.points[-4:]
        start, *controls, _, _, tip = _split(last, 1 - HEAD / max(3 * abs(last[3] - last[2]), 2 * HEAD))
        return Curve([*self.points[:-4], start, *controls], tip)


class Routes:
    """Finds the way of each arrow, given all of them."""

    def __init__(self, vertices: dict[str, Vertex], arrows: Sequence[Arrow]):
        self.vertices = vertices
        self.near = Near(vertices.values())
        self.siblings = defaultdict[frozenset[str], list[Arrow]](list)
        before, after = defaultdict[str, list[complex]](list), defaultdict[str, list[complex]](list)
        for arrow in arrows:
            if not arrow.via:
                self.siblings[frozenset((arrow.tail, arrow.head))].append(arrow)
            if arrow.kind != "initial":
                corners = self._corners(arrow)
                before[arrow.head].append(corners[-2])
                after[arrow.tail].append(corners[1])
        self.through = {
            id: _through(vertex.at, before[id], after[id])
            for id, vertex in vertices.items()
            if vertex.is_passed_through and before[id] and after[id]
        }

    def curve(self, arrow: Arrow) -> Curve:
        """The first of a few ways that keeps clear of every vertex but the two it joins."""
        bends = self._bends(arrow)
        ways = (self._way(arrow, bend) for bend in bends)
        if len(bends) == 1:
            return next(ways)
        return next((way for way in ways if not self.met(arrow, way, CLEARANCE)), self._way(arrow, bends[-1]))

    def _bends(self, arrow: Arrow) -> list[float]:
        """How far to the left an arrow may set out, in radians: beside its siblings, else as straight as can be."""
        tail, head = self.vertices[arrow.tail], self.vertices[arrow.head]
        siblings = self.siblings[frozenset((arrow.tail, arrow.head))]
        if len(siblings) > 1 and not (arrow.via or tail.is_passed_through or head.is_passed_through):
            place = siblings.index(arrow) - (len(siblings) - 1) / 2
            return [math.radians(48) * (place if arrow.tail == siblings[0].tail else -place)]
        if arrow.via or max(abs(head.x - tail.x), abs(head.y - tail.y)) <= 1:
            return [0.0]
        # In a column, on alternate sides; else above.
        side = COLUMN * (-1) ** round(tail.y) if tail.x == head.x else math.copysign(ROW, head.x - tail.x)
        aside = (0, 0.25, -0.25, 0.45, -0.45, 0.75, -0.75, 1, -1)
        return [2 * math.atan(2 * side * share / abs(head.at - tail.at)) for share in aside]

    def met(self, arrow: Arrow, way: Curve, clearance: float) -> list[Vertex]:
        """The vertices within a distance of an arrow's way, but for the two it joins."""
        met = {
            vertex.id: vertex
            for point in way.samples(10)
            for vertex in self.near(point)
            if vertex.id not in (arrow.tail, arrow.head) and vertex.distance(point) < clearance
        }
        return list(met.values())

    def _way(self, arrow: Arrow, bend: float) -> Curve:
        tail, head = self.vertices[arrow.tail], self.vertices[arrow.head]
        if tail is head and not arrow.via:
            return self._loop(arrow, tail)
        corners = self._corners(arrow)
        directions = self._directions(arrow, corners, cmath.rect(1, bend))
        if arrow.tail not in self.through:
            corners[0] += directions[0] * tail.reach(directions[0])
        if arrow.head in self.through and arrow.kind != "initial":
            return Curve(_smooth(corners, directions))
        corners[-1] -= directions[-1] * head.reach(directions[-1])
        return Curve(_smooth(corners, directions)).pointed()

    def _corners(self, arrow: Arrow) -> list[complex]:
        waypoints = [complex(x * COLUMN, y * ROW) for x, y in arrow.via]
        return [self.vertices[arrow.tail].at, *waypoints, self.vertices[arrow.head].at]

    def _directions(self, arrow: Arrow, corners: list[complex], turn: complex) -> list[complex]:
        """The direction at each corner: at a waypoint, from the one before to the one after."""
        inner = [unit(after - before) for before, after in zip(corners, corners[2:], strict=False)]
        leave = self.through.get(arrow.tail)
        arrive = self.through.get(arrow.head) if arrow.kind != "initial" else None
        return [
            leave or turn * _mirrored(corners[1] - corners[0], inner[0] if inner else arrive),
            *inner,
            arrive or _mirrored(corners[-1] - corners[-2], inner[-1] if inner else leave) / turn,
        ]

    def _loop(self, arrow: Arrow, vertex: Vertex) -> Curve:
        """An arrow from a vertex to itself: on its right, a second one on its left."""
        right = (-1) ** self.siblings[frozenset((vertex.id,))].index(arrow)
        leave, back = cmath.rect(right, -0.6), cmath.rect(right, 0.6)
        start, stop = vertex.at + leave * vertex.reach(leave), vertex.at + back * vertex.reach(back)
        return Curve([start, start + 1.3 * vertex.height * leave, stop + 1.3 * vertex.height * back, stop]).pointed()


def _through(at: complex, before: list[complex], after: list[complex]) -> complex:
    """The direction in which curves pass a delay: from where they come to where they go or, if that is one place,
    across the way there, turning left."""
    source, target = sum(before) / len(before), sum(after) / len(after)
    return unit(target - source) if abs(target - source) > 1 else 1j * unit(at - source)


def _mirrored(chord: complex, direction: complex | None) -> complex:
    """The direction at a chord's other end: the mirror image would make a circle's arc; half of it is calmer."""
    chord = unit(chord)
    return chord * cmath.sqrt(chord / direction) if direction else chord


def _smooth(corners: list[complex], directions: list[complex]) -> list[complex]:
    """Bézier curves through corners in given directions, each as near to a circle's arc as can be."""
    points = corners[:1]
    for (a, b), (leave, arrive) in zip(pairwise(corners), pairwise(directions), strict=True):
        points += [a + leave * _handle(b - a, leave), b - arrive * _handle(b - a, arrive), b]
    return points


def _handle(chord: complex, direction: complex) -> float:
    """The distance to the control point: a third of the chord if straight, more the more the curve turns."""
    cosine = (direction * chord.conjugate()).real / (abs(chord) or 1)
    return abs(chord) * 2 / (3 + 3 * max(cosine, -0.3))


def _split(points: Sequence[complex], t: float) -> tuple[complex, ...]:
    """De Casteljau's algorithm: a cubic curve cut in two at t, by the seven control points of its halves."""
    a, b, c, d = points
    ab, bc, cd = a + (b - a) * t, b + (c - b) * t, c + (d - c) * t
    abc, bcd = ab + (bc - ab) * t, bc + (cd - bc) * t
    return a, ab, abc, abc + (bcd - abc) * t, bcd, cd, d


class Near:
    """The vertices by cell of the grid, to find those near a point without looking at all of them."""

    def __init__(self, vertices: Iterable[Vertex]):
        self.cells = defaultdict[tuple[int, int], list[Vertex]](list)
        for vertex in vertices:
            if vertex.kind != "anchor":
                self.cells[round(vertex.x), round(vertex.y)].append(vertex)

    def __call__(self, at: complex) -> list[Vertex]:
        column, row = round(at.real / COLUMN), round(at.imag / ROW)
        cells = [(column + i, row + j) for i in (-1, 0, 1) for j in (-1, 0, 1)]
        return [vertex for cell in cells if cell in self.cells for vertex in self.cells[cell]]


# ---- where labels stand


class Space:
    """What is taken, by cells of 24 points, so that labels can be put where nothing is."""

    CELL = 24

    def __init__(self, near: Near, curves: list[Curve]):
        self.near = near
        self.taken = defaultdict[tuple[int, int], list[complex]](list)
        for curve in curves:
            self._take(curve.samples(8))

    def first_free(self, places: Iterable[complex], half: complex) -> complex:
        """The first place where a label of half this size covers nothing, now taken by it; else the first."""
        places = iter(places)
        first = next(places)
        place = next((place for place in chain([first], places) if self._is_free(place, half)), first)
        self._take(place + complex(x * half.real, y * half.imag) for x in (-1, 0, 1) for y in (-1, 0, 1))
        return place

    def _take(self, points: Iterable[complex]) -> None:
        for point in points:
            self.taken[int(point.real // self.CELL), int(point.imag // self.CELL)].append(point)

    def _is_free(self, place: complex, half: complex) -> bool:
        low, high = place - half, place + half
        for column in range(int(low.real // self.CELL), int(high.real // self.CELL) + 1):
            for row in range(int(low.imag // self.CELL), int(high.imag // self.CELL) + 1):
                for point in self.taken.get((column, row), ()):
                    if low.real < point.real < high.real and low.imag < point.imag < high.imag:
                        return False
        return not any(_overlaps(vertex, place, half) for vertex in self.near(place))


def beside(curve: Curve, half: complex) -> Iterator[complex]:
    """Places for a label of half this size beside a curve, the best first: at the middle, and outside of a bend, else
    above, else to the right."""
    for share in (0.5, 0.4, 0.6, 0.3, 0.7, 0.2, 0.8):
        point, direction = curve.at(share)
        bend = point - (curve.points[0] + curve.points[-1]) / 2
        normal = 1j * direction
        if (normal.conjugate() * (bend if share == 0.5 and abs(bend) > 9 else 1 + 3j)).real < 0:
            normal = -normal
        away = GAP + abs(normal.real) * half.real + abs(normal.imag) * half.imag
        yield from (point + normal * away, point - normal * away)


def _overlaps(vertex: Vertex, place: complex, half: complex) -> bool:
    dx = max(abs(vertex.at.real - place.real) - half.real, 0)
    dy = max(abs(vertex.at.imag - place.imag) - half.imag, 0)
    return dx < vertex.width / 2 and dy < vertex.height / 2 and math.hypot(dx / vertex.width, dy / vertex.height) < 0.5


def half_of(label: str) -> complex:
    """Half the size of a label: the corner of its box, seen from the middle."""
    return LETTERS * complex(max(width(visible(label, LIMIT)) / 2, 0.3), 0.45)
