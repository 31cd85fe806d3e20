"""Where the variables of a circuit stand: blocks from left to right, and in each a place for every variable.

A block holds what happens in one loop, at one step of it; or what happens once, before, between or after loops. In
it the row of a variable is the longest way to it from the inputs, which stand at the bottom; targets stand above
their loss.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from viz.diagrams.drawing_types import Link, Variable
from viz.diagrams.layering import places
from viz.diagrams.variables import Variables

Point = tuple[float, float]
Line = tuple[Point, Point]


@dataclass(eq=False)
class Fan:
    """The uses of a value of the step before by variables side by side, as the gates of an LSTM: they part at `at`."""

    links: list[Link]
    at: Point = (0.0, 0.0)

    @property
    def delay(self) -> int:
        return self.links[0].delay


def way_round(edge: float, row: float, to: Point) -> list[Point]:
    """By which points an arrow from a row gets to a place in a block, round the block's edge."""
    turn = row + math.copysign(min(0.7, abs(to[1] - row) / 2), to[1] - row)
    return [(edge, turn), (edge + 0.3 * (1 if edge < to[0] else -1), to[1] + 0.1)]


def distance(point: Point, line: Line) -> float:
    """From a point to a line between two others."""
    (px, py), ((ax, ay), (bx, by)) = point, line
    length = math.dist(*line)
    share = ((px - ax) * (bx - ax) + (py - ay) * (by - ay)) / length**2 if length else 0.0
    share = min(max(share, 0.0), 1.0)
    return math.hypot(px - ax - share * (bx - ax), py - ay - share * (by - ay))


@dataclass(eq=False)
class Block:
    """Variables that stand together; `at` is the place of each in the block, x from its middle and the row.

    axis   the time axis that it repeats along; None: it happens once
    after  the variables in it that happen once, after the last step
    """

    axis: int | None
    members: list[Variable] = field(default_factory=list)
    fans: list[Fan] = field(default_factory=list)
    at: dict[Variable, Point] = field(default_factory=dict)
    after: set[Variable] = field(default_factory=set)

    @property
    def left(self) -> float:
        return min([0.0, *(x for x, _ in self.at.values()), *(fan.at[0] for fan in self.fans)])

    @property
    def right(self) -> float:
        return max([0.0, *(x for x, _ in self.at.values()), *(fan.at[0] for fan in self.fans)])


class Layout:
    """The `blocks` of a circuit's variables from left to right, and the block of each variable."""

    def __init__(self, variables: Variables):
        self.links = variables.links
        self._forward = [link for link in self.links if link.target.of is None]
        self.blocks, self.block = self._divided(variables.all)
        for block in self.blocks:
            self._place(block)
        for block in self.blocks:
            self._lift(block)

    def fan(self, link: Link) -> Fan | None:
        """Where a value of an earlier step parts, if several variables side by side use it."""
        return self._fan_of.get(link)

    @cached_property
    def _fan_of(self) -> dict[Link, Fan]:
        return {link: fan for block in self.blocks for fan in block.fans for link in fan.links}

    # -- what stands in which block --------------------------------------------------------------------------

    def _divided(self, variables: Sequence[Variable]) -> tuple[list[Block], dict[Variable, Block]]:
        """A block for each time axis; one for what happens once and is linked, unless it stands with a loop."""
        blocks: dict[int | Variable, Block] = {}
        of: dict[Variable, Block] = {}
        forward = [v for v in variables if v.of is None]
        for v in forward:
            if v.loop is not None:
                of[v] = blocks.setdefault(v.loop, Block(v.loop))
        for together in self._linked([v for v in forward if v.loop is None]):
            block = self._beside(together, of) or blocks.setdefault(together[0], Block(None))
            of |= dict.fromkeys(together, block)
            if any(link.reach == "last" and link.target in together for link in self._forward):
                block.after.update(together)
        of |= {v: of[v.of] for v in variables if v.of is not None}
        for v in variables:
            of[v].members.append(v)
        return self._in_order(list(blocks.values()), of), of

    def _linked(self, variables: Sequence[Variable]) -> Iterator[list[Variable]]:
        """Sets of variables that are linked, directly or over each other."""
        near = defaultdict[Variable, list[Variable]](list)
        for link in self.links:
            near[link.source].append(link.target)
            near[link.target].append(link.source)
        left = dict.fromkeys(variables)
        while left:
            found = [next(iter(left))]
            del left[found[0]]
            for v in found:  # grows while it is walked
                for other in near[v]:
                    if other in left:
                        del left[other]
                        found.append(other)
            yield found

    def _beside(self, once: Sequence[Variable], of: dict[Variable, Block]) -> Block | None:
        """The loop that what happens once stands with: above its last step, as the output of pattern II, or below all
        of its steps, as the vector of a vector-to-sequence network."""
        inside = set(once)
        before, after, started = set(), set(), False
        for link in self._forward:
            if link.target in inside and link.source.loop is not None:
                before.add((of[link.source], link.reach))
            elif link.source in inside and link.target.loop is not None:
                after.add(of[link.target])
            started |= not inside.isdisjoint(link.starts)
        if len(before) == 1 and not after and not started:
            ((block, reach),) = before
            return block if reach == "last" else None
        return after.pop() if len(after) == 1 and not before and not started else None

    def _in_order(self, blocks: list[Block], of: dict[Variable, Block]) -> list[Block]:
        """From left to right, each after those that it uses."""
        before = {block: set[Block]() for block in blocks}
        for link in self._forward:
            for source in (link.source, *link.starts):
                if of[source] is not of[link.target]:
                    before[of[link.target]].add(of[source])
        depth = dict.fromkeys(before, 0)
        for _ in blocks:
            depth |= {b: max([depth[b], *(depth[other] + 1 for other in uses)]) for b, uses in before.items()}
        return sorted(blocks, key=lambda block: depth[block])

    # -- places in a block -----------------------------------------------------------------------------------

    def _place(self, block: Block) -> None:
        """Rows, and places in them. Gradients stand to the right of what they are the gradients of and half a row
        lower, for the arrows of both run along the rows."""
        forward = [v for v in block.members if v.of is None]
        number = {v: i for i, v in enumerate(forward)}
        into = [k for k in self._forward if k.target in number]
        within = [k for k in into if k.source in number]
        still = [k for k in within if not k.delay]
        before = {v for v in forward if v.loop is None} - block.after if block.axis is not None else set()
        rows = _rows(forward, still, within, before, block.after)
        block.fans = list(_fans(into, rows))
        outer = [fan.links for fan in block.fans]
        outer += _from_outside(k for k in into if k.source not in number and not k.delay)

        # In this order they stand from left to right where nothing else decides: time runs to the right.
        outside = {i: min(rows[k.target] for k in links) - 1 for i, links in enumerate(outer, len(forward))}
        ahead = {i for i, fan in enumerate(block.fans, len(forward)) if fan.delay < 0}
        late = {k.target for k in into if k.delay > 0 and k.source is not k.target}
        nodes = {i: row for i, row in outside.items() if i not in ahead}
        nodes |= {number[v]: rows[v] for v in sorted(forward, key=lambda v: v not in late)}
        nodes |= {i: outside[i] for i in ahead}
        edges = [(number[k.source], number[k.target]) for k in still]
        edges += [(i, number[k.target]) for i, links in enumerate(outer, len(forward)) for k in links]
        drawn = range(len(forward) + len(block.fans))

        lowest = min((nodes[i] for i in drawn), default=0) - self._base(into, rows, block)
        parting = [outside[i] for i, _ in enumerate(block.fans, len(forward))]  # labels of many arrows need room
        at = {
            i: (x, nodes[i] - lowest + 0.5 * sum(nodes[i] > row for row in parting))
            for i, x in places(nodes, edges, drawn).items()
        }
        block.at = {v: at[i] for i, v in enumerate(forward)}
        for i, fan in enumerate(block.fans, len(forward)):
            fan.at = at[i]
        aside = block.right - block.left + 1.2
        for v in block.members:
            if v.of is not None:
                x, row = block.at[v.of]
                block.at[v] = x + aside, row - 0.5

    def _base(self, into: Iterable[Link], rows: dict[Variable, int], block: Block) -> int:
        """The lowest row of a block: what comes from the blocks to its left comes from below or from the side."""
        lowest, base = min(rows.values(), default=0), 0
        for link in into:
            other = self.block[link.source]
            if other is not block and link.source in other.at and link.reach != "step":
                many = 5 if block.axis is not None else 2  # arrows from all steps: steep enough to pass above them
                each = other.axis is None or block.axis is not None  # one value for all steps: it fans out
                rise = many if link.reach == "all" else int(each)
                base = max(base, int(other.at[link.source][1]) + rise - rows[link.target] + lowest)
        return base

    def _lift(self, block: Block) -> None:
        """What a loop starts from, and is used for nothing else, stands in the row of what it stands for."""
        inside = set(block.members)
        if block.axis is not None or any(k.source in inside and k.target not in inside for k in self.links):
            return
        for link in self.links:
            for start in link.starts:
                other = self.block[link.source]
                if start in inside and other is not block:
                    by = other.at[link.source][1] - block.at[start][1]
                    block.at = {key: (x, row + by) for key, (x, row) in block.at.items()}


def _fans(links: Iterable[Link], rows: dict[Variable, int]) -> Iterator[Fan]:
    """Values of the step before that three variables or more in one row are computed from."""
    found = defaultdict[tuple[Variable, int], list[Link]](list)
    for link in links:
        if abs(link.delay) == 1:
            found[link.source, link.delay].append(link)
    for together in found.values():
        if max(Counter(rows[link.target] for link in together).values()) > 2:
            yield Fan(together)


def _from_outside(links: Iterable[Link]) -> list[list[Link]]:
    """Links from one variable of another block to several of this: their arrows need room to pass."""
    found = defaultdict[Variable, list[Link]](list)
    for link in links:
        found[link.source].append(link)
    return [together for together in found.values() if len(together) > 1]


def _rows(
    variables: Sequence[Variable],
    links: Iterable[Link],
    every: Iterable[Link],
    before: Collection[Variable],
    after: Collection[Variable],
) -> dict[Variable, int]:
    """Each variable above what it is computed from in the same step; all above what happens once `before` them,
    and below what happens `after` the last; an input below its first user, a target above its loss. What is carried on
    from step to step has a row of its own, for its arrows run along it."""
    into, out = defaultdict[Variable, list[Link]](list), defaultdict[Variable, list[Link]](list)
    for link in links:
        into[link.target].append(link)
        out[link.source].append(link)
    carried = {k.source for k in every if k.delay and k.source is k.target}
    entering = [v for v in variables if v.kind in ("input", "target") and not into[v]]
    outside = set(entering)
    rows: dict[Variable, int] = {}
    taken: dict[int, bool] = {}  # by row: whether by what is carried on
    for v in variables:
        if v not in outside:
            row = max([rows.get(k.source, -1) + 1 for k in into[v] if k.source not in outside], default=0)
            if v in after:
                row = max([row, *(other + 1 for u, other in rows.items() if u not in after)])
            elif v not in before:
                row = max([row, *(other + 1 for u, other in rows.items() if u in before)])
            while taken.get(row, False) or (v in carried and row in taken):
                row += 1
            rows[v] = row
            taken[row] = v in carried
    for v in entering:
        users = [rows[k.target] for k in out[v] if k.target in rows]
        rows[v] = (max(users) + 1 if v.kind == "target" else min(users) - 1) if users else 0
    return rows
