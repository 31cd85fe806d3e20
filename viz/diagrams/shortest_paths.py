"""A way between vertices where neither a straight arrow nor a simple curve finds one: the shortest, by search.

A* (Hart, Nilsson & Raphael 1968) over points of a fine grid; of the points on the way only the corners are kept.
"""

import heapq
from collections.abc import Callable
from itertools import count

from viz.diagrams.vertices import CLEARANCE, COLUMN, ROW

STEP = 12.0  # points from one to the next
MOST = 30_000  # points looked at, then the search is given up
AROUND = [complex(x, y) for x in (-1, 0, 1) for y in (-1, 0, 1) if x or y]

Room = Callable[[complex], float]
"""How far a place is from the outline of the nearest vertex."""


def detour(begin: complex, end: complex, room: Room) -> list[complex]:
    """The corners of a way between two points that keeps clear of vertices; none if it is straight, or not there."""
    if _is_clear(begin, end, room):
        return []
    path = [begin + place for place in _shortest(end - begin, lambda place: room(begin + place))]
    corners, start = list[complex](), 0
    while start < len(path) - 1:  # from each as far as can be seen
        seen = [i for i in range(start + 2, len(path)) if _is_clear(path[start], path[i], room)]
        start = max(seen, default=start + 1)
        corners.append(path[start])
    return corners[:-1]


def _shortest(end: complex, room: Room) -> list[complex]:
    """From 0 to `end` over points of the grid, at a price for what is nearer to a vertex than it should be."""
    goal = complex(round(end.real / STEP), round(end.imag / STEP))
    low = complex(min(0.0, end.real) - 1.5 * COLUMN, min(0.0, end.imag) - 1.5 * ROW) / STEP
    high = complex(max(0.0, end.real) + 1.5 * COLUMN, max(0.0, end.imag) + 1.5 * ROW) / STEP
    before: dict[complex, complex] = {}
    cost = {0j: 0.0}
    number = count()  # of equals the first is taken
    pending = [(abs(goal), next(number), 0j)]
    while pending and len(cost) < MOST:
        _, _, at = heapq.heappop(pending)
        if at == goal:
            path = [at]
            while at:
                path.append(at := before[at])
            return [*(point * STEP for point in reversed(path[1:])), end]
        for turn in AROUND:
            to = at + turn
            if not (low.real <= to.real <= high.real and low.imag <= to.imag <= high.imag):
                continue
            away = room(to * STEP)
            if away < CLEARANCE / 2 and to != goal:
                continue
            there = cost[at] + abs(turn) * (1 + max(0.0, 2 - away / CLEARANCE))
            if there < cost.get(to, float("inf")) - 1e-9:
                cost[to], before[to] = there, at
                heapq.heappush(pending, (there + abs(goal - to), next(number), to))
    return []


def _is_clear(a: complex, b: complex, room: Room) -> bool:
    """Whether nothing is near the straight line between two points."""
    n = int(abs(b - a) / STEP) + 1
    return all(room(a + (b - a) * i / n) >= CLEARANCE for i in range(1, n))
