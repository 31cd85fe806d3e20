"""The circuit as a drawing: each variable once, a black square for each step of delay."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from viz.diagrams.drawing_types import ELEMENT, Link, Reach, Variable
from viz.diagrams.layout import Block, Layout, Point
from viz.diagrams.options import Pen
from viz.diagrams.vertices import Arrow, Vertex
from viz.labels import at_piece, at_step

APART = 0.36  # between the squares of a longer delay
GAP = 1.1  # between blocks
AROUND = (1, 0), (0.8, 0.8), (0.8, -0.8), (-0.8, 0.8), (-0.8, -0.8), (-1, 0)  # a square
ABOVE = (0, 0.8), (0, -0.8), *AROUND  # … where what comes from the same source as the square is to turn into it

TAKEN = 50  # what a square costs in a place that is taken
MOST = 20  # uses of a delayed value that are looked at to find its squares a place

Line = tuple[Point, Point]
Still = tuple[Line, float]
"""An arrow that is there, and how far squares have to be from it."""


@dataclass(frozen=True)
class Chain:
    """The squares between a value and its uses, `links`."""

    links: list[Link]
    squares: list[Point]


class CircuitView:
    """The vertices and arrows of a circuit, from x to the right, where it ends at `end`."""

    def __init__(self, layout: Layout, pen: Pen, x: float = 0.0):
        self.layout, self.pen, self.end = layout, pen, x
        self.vertices: dict[str, Vertex] = {}
        self.arrows: list[Arrow] = []
        self._id: dict[Variable, str] = {}
        self._names = Counter(v.name for block in layout.blocks for v in block.members)
        chains = [chain for block in layout.blocks for chain in self._block(block)]
        for link in layout.links:
            if not link.delay:
                kind = "all" if link.kind == "all" else "wire"
                ends = self._id[link.source], self._id[link.target]
                self.arrows.append(pen.arrow(*ends, link, None, _label(link), kind))
                for start in link.starts:  # without a delay that it could enter
                    self.arrows.append(pen.arrow(self._id[start], ends[1], link, None, link.label))
        self._taken = [*((v.x, v.y) for v in self.vertices.values()), *(p for chain in chains for p in chain.squares)]
        for number, chain in enumerate(chains):
            self._delay(number, chain)

    def _block(self, block: Block) -> Iterator[Chain]:
        """Put the variables of a block beside what is there; give its squares their places."""
        chains = list(self._chains(block))
        points = [*block.at.values(), *(point for chain in chains for point in chain.squares)]
        x = self.end - min((x for x, _ in points), default=0.0) + (GAP if self.vertices else 0.0)
        for v in block.members:
            self._id[v] = f"circuit {len(self._id)} {v.name}"
            dx, row = block.at[v]
            beside_array = v.kind == "variable" or self._names[v.name] > 1
            is_element = v.piece != ELEMENT or (v.component.is_sequence and beside_array)
            label = at_piece(v.name, v.piece, "t") if is_element else v.name
            self._add(self.pen.vertex(self._id[v], v, None, label, x + dx, row))
        for c in chains:
            yield Chain(c.links, [(x + dx, y) for dx, y in c.squares])
        self.end = x + max((dx for dx, _ in points), default=0.0)

    def _add(self, vertex: Vertex) -> None:
        self.vertices[vertex.id] = vertex

    # -- delays ----------------------------------------------------------------------------------------------

    def _chains(self, block: Block) -> Iterator[Chain]:
        """Squares for each value that is delayed, all its uses sharing them, where they are least in the way."""
        delayed = defaultdict[tuple[Variable, Reach, int], list[Link]](list)
        parallel = Counter[tuple[Variable, Reach, Variable]]()
        for link in self.layout.links:
            if link.delay and self.layout.block[link.target] is block:
                ends = link.source, link.reach, link.target
                delayed[link.source, link.reach, parallel[ends]].append(link)
                parallel[ends] += 1
        taken = list(block.at.values())
        still = [(line, 0.37 if abs(line[1][0] - line[0][0]) < 3 else 0.7) for line in self._still(block)]
        for (_, reach, _), links in sorted(delayed.items(), key=lambda item: item[1][0].source is item[1][0].target):
            source = block.at.get(links[0].source, (block.left - 1, 0.0))
            targets = [block.at[link.target] for link in links]
            fan = self.layout.fan(links[0])
            if fan is not None:
                chain = Chain(links, [block.at[fan]])
            else:
                chain = Chain(links, _place(source, targets, reach.delay, block, taken, still))
            still += [(line, 0.8) for line in _way(source, chain.squares, targets)]
            taken += chain.squares
            yield chain

    def _still(self, block: Block) -> Iterator[Line]:
        """The arrows without a delay in a block, and into and out of it."""
        for link in self.layout.links:
            one, other = self.layout.block[link.source], self.layout.block[link.target]
            if not link.delay and block in (one, other):
                (x1, y1), (x2, y2) = one.at[link.source], other.at[link.target]
                yield (x1 if one is block else block.left - 3, y1), (x2 if other is block else block.right + 3, y2)

    def _delay(self, number: int, chain: Chain) -> None:
        """Draw the squares of a delay, the arrows into and out of them, and what is there to begin with."""
        first = chain.links[0]
        tail = self._id[first.source]
        back = first.delay > 0
        note = "one step back" if back else "one step ahead: this loop runs from the last step to the first"
        ids = [f"{tail} delay {first.delay} of {number}.{i}" for i in range(len(chain.squares))]
        for id_, (x, y) in zip(ids, chain.squares, strict=True):
            self._add(Vertex(id_, "", x, y, "delay", note=note))
        kind = "delay" if first.target.of is None else "grad"
        self.arrows.append(Arrow(tail, ids[0], first.reach.letter, kind))
        self.arrows += [Arrow(a, b, kind=kind) for a, b in pairwise(ids)]
        for link in chain.links:
            self.arrows.append(self.pen.arrow(ids[-1], self._id[link.target], link, None, _label(link), kind))

        starts = {v: reach for link in chain.links for v, reach in link.starts.items()}
        entering = [self._begun(ids[0], chain, v, reach) for v, reach in starts.items()]
        if not entering and not all(link.at_zero or link.target.of for link in chain.links):
            label = at_step(first.source.name, 0) if back else at_step(first.source.name, "T", 1)
            outer = Vertex(f"{ids[0]} start", label, *self._free_beside(chain.squares[0], self.vertices[tail].x))
            entering = [outer.id]
            self._add(outer)
            self.end = max(self.end, outer.x)
        self.arrows += [Arrow(start, ids[0], kind="initial") for start in entering]

    def _begun(self, square: str, chain: Chain, v: Variable, reach: Reach) -> str:
        """From where a square gets what it begins with: over one of an outer loop's if that is a step of it before."""
        if not (reach.letter and reach.delay):
            return self._id[v]
        tail = self._id[v]
        place = self._free_beside(chain.squares[0], self.vertices[tail].x, ABOVE)
        outer = Vertex(f"{square} from {tail}", "", *place, "delay", note="what the inner loop begins with")
        self._add(outer)
        self.end = max(self.end, outer.x)
        self.arrows.append(Arrow(tail, outer.id, ", ".join(filter(None, (reach.letter, reach.words))), "delay"))
        return outer.id

    def _free_beside(self, square: Point, source: float, places: Sequence[Point] = AROUND) -> Point:
        """A free place for what enters a square: on the side that is away from the source, if there is one."""
        (x, y), side = square, 1 if square[0] >= source else -1
        around = [(x + away * dx, y + dy) for away in (side, 2 * side) for dx, dy in places]
        place = next((p for p in around if all(math.dist(p, other) > 0.7 for other in self._taken)), around[0])
        self._taken.append(place)
        return place


def _label(link: Link) -> str:
    return ", ".join(filter(None, (link.label, link.reach.words)))


def _place(
    source: Point, targets: Sequence[Point], delay: int, block: Block, taken: Sequence[Point], still: Sequence[Still]
) -> list[Point]:
    """Where the squares of a delay stand: nearby, or farther away if all that is taken."""
    some = targets[:: max(len(targets) // MOST, 1)]
    for away in range(4):
        options = list(_beside(source, targets, delay, block, 0.9 + away))
        costs = [_cost(source, option, some, taken, still) + 0.05 * i for i, option in enumerate(options)]
        if min(costs) < TAKEN:
            break
    return options[costs.index(min(costs))]


def _beside(source: Point, targets: Sequence[Point], delay: int, block: Block, away: float) -> Iterator[list[Point]]:
    """Where the squares of a delay may stand, the best first: beside its ends; to the right if it is of one step."""
    xs, ys = zip(source, *targets, strict=True)
    middle, n = (min(ys) + max(ys)) / 2, abs(delay)
    upward = 1 if sum(ys) > source[1] * len(ys) else -1
    for y in (middle, *(middle + sign * 0.5 * i for i in range(1, 5) for sign in (1, -1))):
        for side in (1, -1) if delay == 1 else (-1, 1):
            ends = max(side * x for x in xs) + away
            for x in (ends, max(side * block.left, side * block.right) + away, ends + 0.5):
                if min(ys) - 0.5 <= y <= max(ys) + 0.5:
                    yield [(side * x, y + (i - (n - 1) / 2) * APART * upward) for i in range(n)]


def _cost(
    source: Point,
    squares: Sequence[Point],
    targets: Sequence[Point],
    taken: Sequence[Point],
    still: Sequence[Still],
) -> float:
    """How bad a place is: squares or arrows run into something; arrows turn back, cross others, are long."""
    way = _way(source, squares, targets)
    on = sum(math.dist(square, point) < 0.65 for square in squares for point in taken)
    hit = sum(_distance(point, line) < 0.5 for point in taken for line in way if point not in line)
    hit += sum(_distance(square, line) < room for square in squares for line, room in still)
    crossed = sum(_cross(one, other) for one in way for other, _ in still)
    back, long = _turned_back(source, squares, targets), sum(math.dist(*line) for line in way)
    return TAKEN * on + 5 * hit + crossed + 2 * back + 0.1 * long


def _way(source: Point, squares: Sequence[Point], targets: Sequence[Point]) -> list[Line]:
    return [*pairwise([source, *squares]), *((squares[-1], target) for target in targets)]


def _turned_back(source: Point, squares: Sequence[Point], targets: Sequence[Point]) -> int:
    """How many of the uses of a delay lie behind, for an arrow that comes from the source and on to all of them."""
    before, (x, y) = [source, *squares][-2:]
    middle = [sum(places) / len(targets) for places in zip(*targets, strict=True)]
    ahead = middle[0] - before[0], middle[1] - before[1]
    if math.hypot(*ahead) < 0.1:
        return 0
    return sum((tx - x) * ahead[0] + (ty - y) * ahead[1] < 0 for tx, ty in targets)


def _distance(point: Point, line: Line) -> float:
    """From a point to a line between two others."""
    (px, py), ((ax, ay), (bx, by)) = point, line
    length = math.dist(*line)
    share = ((px - ax) * (bx - ax) + (py - ay) * (by - ay)) / length**2 if length else 0.0
    share = min(max(share, 0.0), 1.0)
    return math.hypot(px - ax - share * (bx - ax), py - ay - share * (by - ay))


def _cross(one: Line, other: Line) -> bool:
    if {*one} & {*other}:
        return False
    (a, b), (c, d) = one, other
    return _turn(a, b, c) != _turn(a, b, d) and _turn(c, d, a) != _turn(c, d, b)


def _turn(a: Point, b: Point, c: Point) -> bool:
    return (b[0] - a[0]) * (c[1] - a[1]) > (b[1] - a[1]) * (c[0] - a[0])
