"""How arrows find their way: nothing runs under anything else if there is room.

An arrow is straight where nothing is in between, an arc around a vertex that is, side by side with another that joins
the same pair, and smooth through the black square of a delay.  Where several meet at a vertex they keep apart.  If all
that is not enough, a way is searched (shortest_paths.py).
"""

import cmath
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from viz.diagrams.bezier import Curve, apart, mirrored, smooth
from viz.diagrams.shortest_paths import detour
from viz.diagrams.vertices import CLEARANCE, COLUMN, HEADS_APART, ROW, Arrow, Vertex, unit

Ports = tuple[complex | None, complex | None]  # where it meets the outlines of tail and head, seen from their middles


class Way(NamedTuple):
    """How far to the left an arrow sets out and to the right it arrives, in radians; corners between, from its tail."""

    leave: float
    arrive: float
    corners: tuple[complex, ...] = ()


STRAIGHT = Way(0.0, 0.0)
TOUCHING = 10  # as bad as coming too near this many


class Routes:
    """Finds the way of each arrow, given all of them: `curves`, each relative to its tail."""

    def __init__(self, vertices: dict[str, Vertex], arrows: Sequence[Arrow]):
        self.vertices = vertices
        self.near = Near(vertices.values())
        self._found: dict[tuple, Curve] = {}
        self._last: dict[tuple, tuple[Way, int]] = {}
        pairs = Counter(_pair(arrow) for arrow in arrows)
        self._siblings = defaultdict[tuple[str, str], list[Arrow]](list)
        before, after = defaultdict[str, list[complex]](list), defaultdict[str, list[complex]](list)
        for arrow in arrows:
            tail, head = vertices[arrow.tail], vertices[arrow.head]
            if pairs[_pair(arrow)] > 1 and not arrow.via:
                self._siblings[_pair(arrow)].append(arrow)
            if head.is_passed_through and arrow.kind != "initial":
                before[arrow.head].append(_grid(*arrow.via[-1]) if arrow.via else tail.at)
            if tail.is_passed_through:
                after[arrow.tail].append(_grid(*arrow.via[0]) if arrow.via else head.at)
        self._onward = set(after)  # where arrows go on: those that come in have no head
        self._through = {
            id: _through(vertex.at, before[id], *after[id])
            for id, vertex in vertices.items()
            if id in before and len(after[id]) == 1  # from where several part, each sets out for its own head
        }
        ways = [self._clear(arrow, self._way(arrow)) for arrow in arrows]
        self.curves = [self._curve(arrow, way) for arrow, way in zip(arrows, ways, strict=True)]
        for i, ports in self._ports(arrows).items():
            curve = self._curve(arrows[i], ways[i], ports)
            if not any(self.met(arrows[i], curve, 0.0)):  # better near another arrow than under a vertex
                self.curves[i] = curve

    def met(self, arrow: Arrow, curve: Curve, clearance: float) -> Iterator[Vertex]:
        """The vertices within a distance of an arrow's way, but for the two it joins."""
        start = self.vertices[arrow.tail].at
        met = {arrow.tail, arrow.head}
        for sample in curve.samples:
            for vertex in self.near.point(start + sample):
                if vertex.id not in met and vertex.is_within(clearance, start + sample):
                    met.add(vertex.id)
                    yield vertex

    def _way(self, arrow: Arrow) -> Way:
        """Beside its siblings; else as straight as keeps clear of every vertex but the two it joins."""
        tail, head = self.vertices[arrow.tail], self.vertices[arrow.head]
        siblings = self._siblings.get(_pair(arrow), [arrow])
        if arrow.via:
            return Way(0.0, 0.0, tuple([_grid(x, y) - tail.at for x, y in arrow.via]))
        if tail is head:
            turn = math.tau * siblings.index(arrow) / len(siblings)
            return Way(turn, turn)
        if len(siblings) > 1 and not {tail.id, head.id} & self._through.keys():
            place = siblings.index(arrow) - (len(siblings) - 1) / 2
            # The farther apart the two are, the less they bend: there is room enough between them.
            bend = math.radians(48) * min(1.0, (1.6 * COLUMN / abs(head.at - tail.at)) ** 2)
            turn = bend * (place if arrow.tail == siblings[0].tail else -place)
            return Way(turn, turn)
        if not self._trouble(arrow, STRAIGHT, 1):
            return STRAIGHT
        # What was best for the column before serves for this one, unless more is in the way.
        like = head.at - tail.at, tail.y, round(tail.x) % 3, tail.kind, head.kind
        best, least = self._last.get(like, (STRAIGHT, 0))
        if self._trouble(arrow, best, least + 1) > least:
            least = 10**9
            for ways in _ways(tail, head):
                for way in ways:
                    trouble = self._trouble(arrow, way, least)
                    if trouble < least:
                        best, least = way, trouble
                    if not least:
                        break
                if least < TOUCHING:
                    break
            self._last[like] = best, least
        return best

    def _clear(self, arrow: Arrow, way: Way) -> Way:
        """A way that touches nothing: this, one with a detour between its corners, or one without them."""
        trouble = self._trouble(arrow, way, 10**9)
        tail, head = self.vertices[arrow.tail], self.vertices[arrow.head]
        if trouble < TOUCHING or tail is head:
            return way

        def room(place: complex) -> float:
            near = (v for v in self.near.point(tail.at + place) if v is not tail and v is not head)
            return min((v.distance(tail.at + place) for v in near), default=math.inf)

        def is_outside(place: complex) -> bool:
            return min(tail.distance(tail.at + place), head.distance(tail.at + place)) > CLEARANCE

        best = way
        for corners in ([0j, *way.corners, head.at - tail.at], [0j, head.at - tail.at]):
            legs = [[*detour(a, b, room), b] for a, b in pairwise(corners)]
            turns = [0j, *(corner for leg in legs for corner in leg)]
            near = [a + (b - a) * share for a, b in pairwise(turns) for share in (0.15, 0.85)]  # tighter round corners
            for corners in (turns[1:-1], near):
                around = Way(0.0, 0.0, tuple([c for c in corners if is_outside(c)]))
                if (less := self._trouble(arrow, around, trouble)) < trouble:
                    best, trouble = around, less
        return best

    def _trouble(self, arrow: Arrow, way: Way, enough: int) -> int:
        """How bad a way is: the vertices that it comes too near, more so if it touches them.  Stops at `enough`."""
        found = 0
        touched = {arrow.tail, arrow.head}
        start, met = self.vertices[arrow.tail].at, set(touched)
        for sample in self._curve(arrow, way).samples:
            for vertex in self.near.point(start + sample):
                if vertex.id not in touched and vertex.is_within(CLEARANCE, start + sample):
                    if vertex.id not in met:
                        met.add(vertex.id)
                        found += 1
                    if vertex.is_within(CLEARANCE / 3, start + sample):
                        touched.add(vertex.id)
                        found += TOUCHING
                    if found >= enough:
                        return found
        return found

    def _ports(self, arrows: Sequence[Arrow]) -> dict[int, Ports]:
        """Where arrows meet the outlines of their vertices, for those that would be too near others there."""
        ends = defaultdict[str, list[tuple[int, int, float]]](list)
        for i, (arrow, curve) in enumerate(zip(arrows, self.curves, strict=True)):
            tail, head = self.vertices[arrow.tail], self.vertices[arrow.head]
            if not tail.is_passed_through:
                ends[arrow.tail].append((i, 0, cmath.phase(curve.points[0])))
            if not head.is_passed_through and curve.tip is not None:
                ends[arrow.head].append((i, 1, cmath.phase(curve.tip - (head.at - tail.at))))
        ports: dict[int, Ports] = {}
        for id, found in ends.items():
            angles = apart(tuple([angle for _, _, angle in found]), 2 * HEADS_APART / self.vertices[id].height)
            for (i, end, angle), moved in zip(found, angles, strict=True):
                if moved != angle:
                    port = cmath.rect(1, moved)
                    out, into = ports.get(i, (None, None))
                    ports[i] = (out, port) if end else (port, into)
        return ports

    def _curve(self, arrow: Arrow, way: Way, ports: Ports = (None, None)) -> Curve:
        """The curve of an arrow that goes a way: computed once for all that are alike."""
        tail, head = self.vertices[arrow.tail], self.vertices[arrow.head]
        passing = arrow.head in self._onward and arrow.kind != "initial"
        leave, arrive = self._through.get(arrow.tail), self._through.get(arrow.head) if passing else None
        ends = tail.kind, tail.width, head.kind, head.width, passing, leave, arrive, arrow.barb
        key = head.at - tail.at, ends, way, ports
        if key not in self._found:
            if tail is head and not way.corners:
                curve = _loop(tail, way.leave, ports)
            else:
                curve = _joining(tail, head, way, ports, leave, arrive, passing)
            self._found[key] = curve if passing else curve.pointed(arrow.barb)
        return self._found[key]


def _joining(
    tail: Vertex, head: Vertex, way: Way, ports: Ports, leave: complex | None, arrive: complex | None, passing: bool
) -> Curve:
    """From outline to outline, or from and to the middle of what is passed through."""
    out, into = ports
    corners = [0j, *way.corners, head.at - tail.at]
    if out is not None:
        corners[0] += out * tail.reach(out)
    if into is not None:
        corners[-1] += into * head.reach(into)
    directions = _directions(corners, leave, arrive, way)
    if out is None and leave is None:
        corners[0] += directions[0] * tail.reach(directions[0])
    if into is None and not passing:
        corners[-1] -= directions[-1] * head.reach(directions[-1])
    return smooth(corners, directions)


def _loop(vertex: Vertex, turn: float, ports: Ports) -> Curve:
    """From a vertex to itself: on its right, or turned to the left from there."""
    out, back = ports[0] or cmath.rect(1, turn - 0.6), ports[1] or cmath.rect(1, turn + 0.6)
    start, stop = out * vertex.reach(out), back * vertex.reach(back)
    return Curve((start, start + 1.3 * vertex.height * out, stop + 1.3 * vertex.height * back, stop))


def _ways(tail: Vertex, head: Vertex) -> Iterator[Iterable[Way]]:
    """The ways an arrow may take, the best kind first: arcs; between two rows."""
    # In a column, on alternate sides; else above.
    along = head.at - tail.at
    side = COLUMN * (-1) ** round(tail.y) if tail.x == head.x else math.copysign(ROW, along.real)
    arcs = [2 * math.atan(2 * side * share / abs(along)) for share in (0.25, 0.45, 0.65, 0.85)]
    yield [Way(arc, arc) for each in arcs for arc in (each, -each)]
    if abs(along.real) > COLUMN:
        half = math.copysign(COLUMN / 2, along.real)
        shift = HEADS_APART * (round(tail.x) % 3 - 1)  # the arrows of the next columns go beside it
        lanes = [row + shift for row in (ROW / 2, -ROW / 2, along.imag - ROW / 2, along.imag + ROW / 2)]
        yield [Way(0.0, 0.0, (complex(half, lane), complex(along.real - half, lane))) for lane in lanes]


def _directions(corners: list[complex], leave: complex | None, arrive: complex | None, way: Way) -> list[complex]:
    """The direction at each corner: within, the mean of those before and after, of which the longer counts more."""
    sides = [after - before for before, after in pairwise(corners)]
    inner = [unit(before * abs(before) + after * abs(after)) for before, after in pairwise(sides)]
    out, into = cmath.rect(1, way.leave), cmath.rect(1, -way.arrive)
    return [
        leave or out * mirrored(sides[0], inner[0] if inner else arrive),
        *inner,
        arrive or into * mirrored(sides[-1], inner[-1] if inner else leave),
    ]


def _through(at: complex, before: list[complex], target: complex) -> complex:
    """The direction in which curves pass a delay: from where they come to where they go or, if that is one place,
    across the way there, turning left."""
    source = sum(before) / len(before)
    return unit(target - source) if abs(target - source) > 1 else 1j * unit(at - source)


def _pair(arrow: Arrow) -> tuple[str, str]:
    """The two vertices it joins, whichever way it leads."""
    return (arrow.tail, arrow.head) if arrow.tail < arrow.head else (arrow.head, arrow.tail)


def _grid(x: float, y: float) -> complex:
    return complex(x * COLUMN, y * ROW)


class Near:
    """The vertices by cells of the grid, to find those near a place without looking at all of them."""

    def __init__(self, vertices: Iterable[Vertex]):
        self._cells = defaultdict[tuple[int, int], list[Vertex]](list)
        for vertex in vertices:
            if vertex.kind != "anchor":
                half = complex(vertex.width, vertex.height) / 2 + complex(CLEARANCE, CLEARANCE)
                for cell in _cells(vertex.at - half, vertex.at + half):
                    self._cells[cell].append(vertex)

    def point(self, at: complex) -> Sequence[Vertex]:
        """Those within CLEARANCE of a point, and some that are not."""
        return self._cells.get((round(at.real / COLUMN), round(at.imag / ROW)), ())

    def box(self, low: complex, high: complex) -> list[Vertex]:
        """Those in a box, and some that are not."""
        return [vertex for cell in _cells(low, high) for vertex in self._cells.get(cell, ())]


def _cells(low: complex, high: complex) -> list[tuple[int, int]]:
    """The cells that a box is in."""
    columns = range(round(low.real / COLUMN), round(high.real / COLUMN) + 1)
    rows = range(round(low.imag / ROW), round(high.imag / ROW) + 1)
    return [(column, row) for column in columns for row in rows]
