"""Where labels stand: on nothing, and nearest to the arrow they belong to."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from viz.diagrams.arrow_routing import Near
from viz.diagrams.bezier import Curve
from viz.diagrams.vertices import GAP, LETTERS, LIMIT, Vertex
from viz.labels import visible, width

CELL = 40  # points
MIDDLE = 0.5, 0.4, 0.6, 0.3, 0.7, 0.2, 0.8  # where on its way a label is looked for
HEAD = 0.84, 0.8, 0.76, 0.72, 0.68, 0.88, 0.6, 0.5  # … of one of many arrows to one place
BETWEEN = 0.45, 0.55, 0.35, 0.65, 0.25, 0.75, 0.15, 0.85  # … where there is no room


class Space:
    """What is taken, by cells, so that labels can be put where nothing is."""

    def __init__(self, near: Near, starts: Sequence[complex], curves: Sequence[Curve]):
        self._near = near
        self._starts, self._curves = starts, curves
        self._arrows = defaultdict[tuple[float, float], list[tuple[int, int]]](list)  # every third of their samples
        self._labels = defaultdict[tuple[float, float], list[tuple[complex, complex]]](list)
        self._beside: dict[tuple[Curve, complex], list[list[complex]]] = {}
        for i, (start, curve) in enumerate(zip(starts, curves, strict=True)):
            for k in range(0, len(curve.samples), 3):
                at = start + curve.samples[k]
                self._arrows[at.real // CELL, at.imag // CELL].append((i, k))

    def beside(self, arrow: int, half: complex, shares: Sequence[float]) -> complex:
        """A place for the label of an arrow, half the label's size being given: at one of these shares of its way."""
        curve, start = self._curves[arrow], self._starts[arrow]
        if (curve, half) not in self._beside:
            tried = (shares, GAP), (BETWEEN, GAP), (shares, 4 * GAP), (shares, 7 * GAP), (BETWEEN, 10 * GAP)
            self._beside[curve, half] = [list(_beside(curve, half, away, some)) for some, away in tried]
        near, between, *farther, last = self._beside[curve, half]
        # First where no other arrow is as near as its own; where there is no room beside it, farther away.
        tries = [(near, 2 * GAP), (near, GAP / 2), (near, 0.0), (between, 0.0), *((far, 0.0) for far in farther)]
        places = [(start + place, margin) for relative, margin in tries for place in relative]
        place = next((place for place, margin in places if not self._covered(place, half, margin, arrow)), None)
        if place is None:  # on as few arrows as can be, and on nothing else, even if that is far away
            costs = [(self._covered(at, half, 0.0, arrow, 1000), at) for at, _ in places]
            costs += [(50 + self._covered(start + at, half, 0.0, arrow, 1000), start + at) for at in last]
            _, place = min(costs, key=lambda one: one[0])
        return self._take(place, half)

    def first_free(self, places: Sequence[complex], half: complex) -> complex:
        """The first place where a label covers nothing, now taken by it; else the first."""
        return self._take(next((place for place in places if not self._covered(place, half)), places[0]), half)

    def _take(self, place: complex, half: complex) -> complex:
        for cell in _cells(place - half, place + half):
            self._labels[cell].append((place, half))
        return place

    def extent(self, vertices: Sequence[Vertex]) -> tuple[complex, complex]:
        """The corners of all that is drawn."""
        halves = [(vertex.at, complex(vertex.width, vertex.height) / 2) for vertex in vertices]
        halves += [label for labels in self._labels.values() for label in labels]
        points = [at + sign * half for at, half in halves for sign in (-1, 1)]
        points += [s + p for s, curve in zip(self._starts, self._curves, strict=True) for p in curve.points]
        points = points or [0j]
        x, y = [point.real for point in points], [point.imag for point in points]
        return complex(min(x), min(y)), complex(max(x), max(y))

    def _covered(self, place: complex, half: complex, margin: float = 0.0, own: int = -1, enough: int = 1) -> int:
        """How much a label there would cover: arrows, other than its own within a margin too, and 100 for a label or a
        vertex. Stops at `enough`."""
        low, high = place - half, place + half
        found = 100 * sum(_overlaps(vertex, place, half) for vertex in dict.fromkeys(self._near.box(low, high)))
        wide = half + complex(margin, margin)
        around = wide + complex(12, 12)  # samples are up to 8 apart
        crossed = set[int]()
        for cell in _cells(place - around, place + around):
            for other, size in self._labels.get(cell, ()):
                away, both = other - place, size + half
                found += 100 * (abs(away.real) < both.real + GAP and abs(away.imag) < both.imag)
            for arrow, sample in self._arrows.get(cell, ()):
                if found + len(crossed) >= enough:
                    return enough
                if arrow not in crossed and self._crosses(arrow, sample, place, half if arrow == own else wide):
                    crossed.add(arrow)
        return found + len(crossed)

    def _crosses(self, arrow: int, sample: int, place: complex, half: complex) -> bool:
        """Whether an arrow is in a box, at a sample or one beside it."""
        place -= self._starts[arrow]
        for at in self._curves[arrow].samples[max(sample - 1, 0) : sample + 2]:
            if abs(at.real - place.real) < half.real and abs(at.imag - place.imag) < half.imag:
                return True
        return False


def _beside(curve: Curve, half: complex, distance: float, shares: Sequence[float]) -> Iterator[complex]:
    """Places for a label at a distance from a curve, the best first: outside of a bend, else above or to the right."""
    for share in shares:
        point, direction = curve.at(share)
        bend = point - (curve.points[0] + curve.points[-1]) / 2
        normal = 1j * direction
        if (normal.conjugate() * (bend if share == 0.5 and abs(bend) > 9 else 1 + 3j)).real < 0:
            normal = -normal
        away = distance + abs(normal.real) * half.real + abs(normal.imag) * half.imag
        yield from (point + normal * away, point - normal * away)


def _cells(low: complex, high: complex) -> Iterator[tuple[int, int]]:
    for column in range(int(low.real // CELL), int(high.real // CELL) + 1):
        for row in range(int(low.imag // CELL), int(high.imag // CELL) + 1):
            yield column, row


def _overlaps(vertex: Vertex, place: complex, half: complex) -> bool:
    """Whether the box of a label is over the ellipse of a vertex."""
    dx = max(abs(vertex.at.real - place.real) - half.real, 0)
    dy = max(abs(vertex.at.imag - place.imag) - half.imag, 0)
    return (dx / vertex.width) ** 2 + (dy / vertex.height) ** 2 < 0.25


def half_of(label: str) -> complex:
    """Half the size of a label: the corner of its box, seen from the middle."""
    return LETTERS * complex(max(width(visible(label, LIMIT)) / 2, 0.3), 0.45)
