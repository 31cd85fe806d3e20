"""The model of a drawing, vertices on a grid and arrows between them, and the DOT text that says exactly that.

Whoever builds a diagram says where each vertex stands: time in columns, variables in rows.  Nothing is left to a layout
search.  The arrows find their own way: straight where nothing is in between, in an arc around a vertex that is, side by
side where two join the same pair, smoothly through the black square of a delay.  Labels go where nothing else is.

Points and directions are complex numbers, in points (1/72 inch): multiplying by 1j turns left.
"""

import cmath
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, pairwise
from os import PathLike
from pathlib import Path
from typing import NamedTuple

import graphviz

from viz.labels import escape, escape_tooltip, identifier, visible, width
from viz.render import render, svg

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
LOOKS = {
    "operation": {"fontname": "Times-Roman"},
    "ellipsis": {"shape": "plaintext", "style": "solid"},
    "delay": {"shape": "square", "fillcolor": "ink"},
    "anchor": {"shape": "point", "style": "invis"},
}
STROKES: dict[str, dict[str, str]] = {
    "wire": {},
    "delay": {},
    "initial": {},
    "grad": {"color": "grad", "fontcolor": "grad"},
    "fixed": {"style": "dashed"},
}
THEMES = {
    "light": {"paper": "#ffffff", "fill": "#ffffff", "ink": "#1a1a1a", "faint": "#6b6b6b", "grad": "#b3261e"},
    "dark": {"paper": "#16181d", "fill": "#23272f", "ink": "#e8e8e8", "faint": "#9aa0ab", "grad": "#ff8f85"},
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
        return abs(away) - self.reach(_unit(away))


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


@dataclass(frozen=True)
class Diagram:
    """A drawing.  Raises ValueError for a part that could not be seen or would be seen wrongly."""

    vertices: Sequence[Vertex]
    arrows: Sequence[Arrow]
    title: str = ""
    theme: str = "light"

    def __post_init__(self) -> None:
        _check("theme", self.theme, THEMES)
        places: dict[complex, str] = {}
        for vertex in self.vertices:
            _check("vertex", vertex.kind, DIAMETERS)
            other = places.setdefault(vertex.at, vertex.id)
            if other != vertex.id:
                raise ValueError(f"{other!r} and {vertex.id!r} are at the same place")
        if len(self._named) < len(self.vertices):
            raise ValueError("two vertices have the same id")
        for arrow in self.arrows:
            _check("arrow", arrow.kind, STROKES)
            for end in (arrow.tail, arrow.head):
                if end not in self._named:
                    raise ValueError(f"{arrow.tail!r} → {arrow.head!r}: there is no vertex {end!r}")

    @cached_property
    def _named(self) -> dict[str, Vertex]:
        return {vertex.id: vertex for vertex in self.vertices}

    @cached_property
    def _routes(self) -> "_Routes":
        return _Routes(self._named, self.arrows)

    @cached_property
    def _curves(self) -> "list[Curve]":
        return [self._routes.curve(arrow) for arrow in self.arrows]

    @cached_property
    def source(self) -> str:
        """The DOT text: every position is in it, so one diagram is always the same text and the same picture."""
        colours = THEMES[self.theme]
        dot = graphviz.Digraph(escape(self.title or "diagram"), **_defaults(colours))
        if self.title:
            dot.attr(label=escape(self.title), labelloc="t")
        names = {id: identifier(id) for id in self._named}
        space = _Space(self._routes.near, self._curves)
        clusters = defaultdict[str, list[Vertex]](list)
        for vertex in self.vertices:
            clusters[vertex.cluster].append(vertex)
        for cluster, members in clusters.items():
            frame = _frame(cluster, members, space, colours) if cluster else {}
            box = graphviz.Digraph(f"cluster_{identifier(cluster)}", graph_attr=frame) if cluster else dot
            for vertex in members:
                box.node(names[vertex.id], **_node(vertex, colours))
            if cluster:
                dot.subgraph(box)
        for arrow, curve in zip(self.arrows, self._curves, strict=True):
            dot.edge(names[arrow.tail], names[arrow.head], **_edge(arrow, curve, space, colours))
        return dot.source

    @property
    def hidden(self) -> list[tuple[Arrow, Vertex]]:
        """Arrows that run under a vertex they do not join, and that vertex: there are none in a good drawing."""
        both = zip(self.arrows, self._curves, strict=True)
        return [(arrow, vertex) for arrow, curve in both for vertex in self._routes.met(arrow, curve, 0.0)]

    @property
    def description(self) -> str:
        """The drawing in words, one sentence for each arrow: for those who cannot see it."""
        title = [f"{self.title}."] if self.title else []
        return " ".join(title + [self._sentence(arrow) for arrow in self.arrows])

    def _sentence(self, arrow: Arrow) -> str:
        spoken = {"delay": "a delay of one step", "ellipsis": "the steps not drawn", "anchor": "a junction"}
        tail, head = (spoken.get(end.kind, end.label) for end in (self._named[arrow.tail], self._named[arrow.head]))
        return f"{arrow.label or 'An arrow'} leads from {tail} to {head}."

    def render(self, path: str | PathLike[str]) -> Path:
        """Draw it into a .svg, .png, .pdf or .dot file; raises what viz.render.render raises."""
        return render(self.source, path, "neato")

    def _repr_svg_(self) -> str:
        return svg(self.source, "neato")


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
        return point, _unit(after - before)

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


class _Routes:
    """Finds the way of each arrow, given all of them."""

    def __init__(self, vertices: dict[str, Vertex], arrows: Sequence[Arrow]):
        self.vertices = vertices
        self.near = _Near(vertices.values())
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
        inner = [_unit(after - before) for before, after in zip(corners, corners[2:], strict=False)]
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
    return _unit(target - source) if abs(target - source) > 1 else 1j * _unit(at - source)


def _mirrored(chord: complex, direction: complex | None) -> complex:
    """The direction at a chord's other end: the mirror image would make a circle's arc; half of it is calmer."""
    chord = _unit(chord)
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


class _Near:
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


class _Space:
    """What is taken, by cells of 24 points, so that labels can be put where nothing is."""

    CELL = 24

    def __init__(self, near: _Near, curves: list[Curve]):
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


def _beside(curve: Curve, half: complex) -> Iterator[complex]:
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


def _half(label: str) -> complex:
    """Half the size of a label: the corner of its box, seen from the middle."""
    return LETTERS * complex(max(width(visible(label, LIMIT)) / 2, 0.3), 0.45)


# ---- in DOT


def _defaults(colours: dict[str, str]) -> dict[str, dict[str, str]]:
    italic = {"fontname": "Times-Italic", "fontsize": f"{LETTERS:g}", "fontcolor": colours["ink"]}
    diameter = _inches(DIAMETERS["variable"])
    return {
        "graph_attr": {
            "bgcolor": colours["paper"],
            "fontname": "Times-Roman",
            "fontsize": "16",
            "fontcolor": colours["ink"],
            "outputorder": "edgesfirst",
            "pad": "0.15",
        },
        "node_attr": {
            "shape": "ellipse",
            "fixedsize": "true",
            "width": diameter,
            "height": diameter,
            "style": "filled",
            "color": colours["ink"],
            "fillcolor": colours["fill"],
            **italic,
        },
        "edge_attr": {"color": colours["ink"], "penwidth": "0.8", "arrowsize": f"{HEAD / 10:g}", **italic},
    }


def _frame(cluster: str, members: list[Vertex], space: _Space, colours: dict[str, str]) -> dict[str, str]:
    """A frame around vertices, with its title in the first free corner."""
    half = _half(cluster)
    left = min(vertex.at.real - vertex.width / 2 for vertex in members) - 14
    right = max(vertex.at.real + vertex.width / 2 for vertex in members) + 14
    bottom = min(vertex.at.imag - vertex.height / 2 for vertex in members) - 14
    top = max(vertex.at.imag + vertex.height / 2 for vertex in members) + 14
    across = (left + 10 + half.real, right - 10 - half.real, (left + right) / 2)
    title = space.first_free([complex(x, y) for y in (top + 2, bottom - 2) for x in across], half)
    bottom, top = min(bottom, title.imag - 12), max(top, title.imag + 12)
    return {
        "label": escape(cluster, LIMIT),
        "lp": _pair(title),
        "bb": f"{_pair(complex(left, bottom))},{_pair(complex(right, top))}",
        "style": "rounded",
        "color": colours["faint"],
        "fontcolor": colours["faint"],
        "fontsize": f"{LETTERS:g}",
    }


def _node(vertex: Vertex, colours: dict[str, str]) -> dict[str, str]:
    attributes = {"label": escape(vertex.text, LIMIT), "pos": _pair(vertex.at)}
    if vertex.kind != "variable":
        attributes |= {"class": vertex.kind, **_coloured(LOOKS.get(vertex.kind, {}), colours)}
    if (vertex.width, vertex.height) != (DIAMETERS["variable"],) * 2:
        attributes |= {"width": _inches(vertex.width), "height": _inches(vertex.height)}
    if vertex.letters < LETTERS:
        attributes["fontsize"] = f"{vertex.letters:.1f}"
    if note := vertex.note or vertex.label * (vertex.text != vertex.label):
        attributes["tooltip"] = escape_tooltip(note)
    return attributes


def _edge(arrow: Arrow, curve: Curve, space: _Space, colours: dict[str, str]) -> dict[str, str]:
    attributes = {"pos": " ".join(map(_pair, curve.points))}
    if curve.tip is not None:
        attributes["pos"] = f"e,{_pair(curve.tip)} {attributes['pos']}"
    if arrow.kind != "wire":
        attributes |= {"class": arrow.kind, **_coloured(STROKES[arrow.kind], colours)}
    if arrow.label:
        half = _half(arrow.label)
        place = space.first_free(_beside(curve, half), half)
        attributes |= {"label": escape(arrow.label, LIMIT), "lp": _pair(place)}
    return attributes


def _coloured(attributes: dict[str, str], colours: dict[str, str]) -> dict[str, str]:
    return {key: colours.get(value, value) for key, value in attributes.items()}


def _pair(at: complex) -> str:
    return f"{at.real:.1f},{at.imag:.1f}"


def _inches(points: float) -> str:
    return f"{points / 72:.3f}"


def _unit(direction: complex) -> complex:
    return direction / (abs(direction) or 1)


def _check(what: str, given: str, known: Iterable[str]) -> None:
    if given not in known:
        raise ValueError(f"unknown {what} {given!r}; known: {', '.join(known)}")
