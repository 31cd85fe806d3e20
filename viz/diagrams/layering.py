"""Rows, and places in them, for a graph without cycles: each thing above what it is computed from, few arrows crossing.

The way of Sugiyama, Tagawa & Toda 1981: an arrow that spans several rows holds a place in each; the order within a row
follows the mean place of the neighbours; then each row is moved as near to its neighbours as its spacing allows.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from itertools import pairwise

Node = Hashable
SWEEPS = 6
THIN = 0.6  # the room of an arrow that passes a row; that of a vertex is 1
STIFF = 2  # how much harder an edge pulls for each of its ends that is a place held by a longer one
LONG = 12  # an arrow over more rows than this holds no place in them: it goes round


def places(
    rows: Mapping[Node, int], edges: Iterable[tuple[Node, Node]], sides: Mapping[Node, float]
) -> dict[Node, float]:
    """Where the nodes stand in their rows: 0 in the middle.

    `rows` names all nodes, in the order that decides where nothing else does.  `sides`: -1 for a node that stands first
    in its row, 1 for one that is last.
    """
    return _Layers(rows, edges, sides).places()


class _Layers:
    def __init__(
        self,
        rows: Mapping[Node, int],
        edges: Iterable[tuple[Node, Node]],
        sides: Mapping[Node, float],
    ):
        self.row, self.sides = dict(rows), sides
        self.below, self.above = defaultdict[Node, list[Node]](list), defaultdict[Node, list[Node]](list)
        self.real = set(rows)
        for tail, head in dict.fromkeys(edges):
            if self.row[tail] > self.row[head]:
                tail, head = head, tail
            if self.row[head] - self.row[tail] <= LONG:
                self._add(tail, head)
        layers = defaultdict[int, list[Node]](list)
        for node, row in self.row.items():
            layers[row].append(node)
        for layer in layers.values():
            layer.sort(key=lambda node: self.sides.get(node, 0))
        self.layers = [layers[row] for row in sorted(layers)]

    def _add(self, tail: Node, head: Node) -> None:
        """An edge, in pieces from row to row."""
        for row in range(self.row[tail] + 1, self.row[head] + 1):
            node = head
            if row < self.row[head]:
                node = object()
                self.row[node] = row
            self.above[tail].append(node)
            self.below[node].append(tail)
            tail = node

    def places(self) -> dict[Node, float]:
        self._put_in_order()
        x = {node: float(i) for layer in self.layers for i, node in enumerate(layer)}
        for sweep in range(SWEEPS if len(x) > 200 else 20 * SWEEPS):
            moved = 0.0
            for layer in self.layers[:: (-1) ** sweep]:
                wanted = [self._pull(node, x, upward=not sweep) for node in layer]
                for node, at in zip(layer, self._spaced(layer, wanted), strict=True):
                    moved = max(moved, abs(x[node] - at))
                    x[node] = at
            if moved < 1e-3:
                break
        inner = {node: x[node] for node in self.row if node in self.real}
        middle = (min(inner.values()) + max(inner.values())) / 2 if inner else 0.0
        return {node: round(at - middle, 2) + 0.0 for node, at in inner.items()}

    # -- order ------------------------------------------------------------------------------------------------

    def _put_in_order(self) -> None:
        """Sweep up and down; keep the order in which the fewest edges cross."""
        best, fewest = self.layers, self._crossings(self.layers)
        for sweep in range(SWEEPS):
            if not fewest:
                break
            layers = [list(layer) for layer in self.layers]
            for before, layer in pairwise(layers[:: (-1) ** sweep]):
                near = self.above if sweep % 2 else self.below
                share = {n: p / max(len(row) - 1, 1) for row in (layer, before) for p, n in enumerate(row)}
                key = {n: (self.sides.get(n, 0), (_mean(share, near[n]) or (share[n],))[0]) for n in layer}
                layer.sort(key=key.__getitem__)
            self.layers = self._swapped(layers)
            crossings = self._crossings(self.layers)
            if crossings < fewest:
                best, fewest = [list(layer) for layer in self.layers], crossings
        self.layers = best

    def _swapped(self, layers: list[list[Node]]) -> list[list[Node]]:
        """Neighbours change places where that makes fewer edges cross: worth it only where there are few."""
        if sum(map(len, layers)) > 300:
            return layers
        for i, layer in enumerate(layers):
            for j in range(len(layer) - 1):
                if self.sides.get(layer[j]) or self.sides.get(layer[j + 1]):
                    continue
                nearby = layers[max(i - 1, 0) : i + 2]
                before = self._crossings(nearby)
                layer[j : j + 2] = layer[j + 1], layer[j]
                if self._crossings(nearby) >= before:
                    layer[j : j + 2] = layer[j + 1], layer[j]
        return layers

    def _crossings(self, layers: Sequence[Sequence[Node]]) -> int:
        """How many pairs of edges cross between neighbouring rows."""
        total = 0
        for lower, upper in pairwise(layers):
            place = {node: p for p, node in enumerate(upper)}
            ends = [place[m] for n in lower for m in sorted(self.above[n], key=lambda m: place.get(m, 0)) if m in place]
            total += _inversions(ends)
        return total

    # -- places -----------------------------------------------------------------------------------------------

    def _pull(self, node: Node, x: Mapping[Node, float], upward: bool) -> tuple[float, float]:
        """Where its edges pull a node, and how hard: the longer an edge, the straighter it is to be."""
        near = self.below[node] + ([] if upward else self.above[node])
        stiff = [STIFF ** ((node not in self.real) + (other not in self.real)) for other in near]
        if not near:
            return x[node], 0.01
        return sum(x[other] * s for other, s in zip(near, stiff, strict=True)) / sum(stiff), float(sum(stiff))

    def _spaced(self, layer: Sequence[Node], wanted: Sequence[tuple[float, float]]) -> list[float]:
        """The places nearest to those wanted, in this order and with room between."""
        offsets = [0.0]
        for a, b in pairwise(layer):
            offsets.append(offsets[-1] + (1 if a in self.real and b in self.real else THIN))
        return spread(wanted, offsets)


def spread(wanted: Sequence[tuple[float, float]], offsets: Sequence[float]) -> list[float]:
    """Numbers nearest to those wanted, by weighted least squares, none nearer to the one before than their offsets are.

    Neighbours that are in each other's way are pooled: isotonic regression (Barlow et al. 1972).
    """
    pools: list[tuple[float, float, int]] = []  # mean, weight, members
    for (want, weight), offset in zip(wanted, offsets, strict=True):
        mean, members = want - offset, 1
        while pools and pools[-1][0] >= mean:
            before, heavy, several = pools.pop()
            mean = (mean * weight + before * heavy) / (weight + heavy)
            weight, members = weight + heavy, members + several
        pools.append((mean, weight, members))
    means = [mean for mean, _, members in pools for _ in range(members)]
    return [mean + offset for mean, offset in zip(means, offsets, strict=True)]


def _mean(x: Mapping[Node, float], nodes: Sequence[Node]) -> tuple[float, float] | None:
    return (sum(x[n] for n in nodes) / len(nodes), float(len(nodes))) if nodes else None


def _inversions(numbers: Sequence[int]) -> int:
    """Pairs that stand in the wrong order."""
    seen, found = list[int](), 0
    for number in numbers:
        place = bisect_right(seen, number)
        found += len(seen) - place
        seen.insert(place, number)
    return found
