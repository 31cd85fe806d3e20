"""Where the variables of a circuit stand: blocks from left to right, and in each a place for every variable.

A block holds what happens in one loop, at one step of it; or what happens once, before, between or after loops. In
it the row of a variable is the longest way to it from the inputs, which stand at the bottom; targets stand above
their loss.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from viz.diagrams.drawing_types import Link, Variable
from viz.diagrams.layering import Node, places
from viz.diagrams.variables import Variables
from viz.diagrams.vertices import COLUMN, LETTERS
from viz.labels import width

Point = tuple[float, float]


@dataclass(eq=False)
class Fan:
    """The uses of a value of the step before by variables side by side, as the gates of an LSTM."""

    links: list[Link]

    @property
    def source(self) -> Variable:
        return self.links[0].source

    @property
    def delay(self) -> int:
        return self.links[0].delay


@dataclass(eq=False)
class Block:
    """Variables that stand together; `at` is the place of each, and of each fan: x from its middle and the row.

    axis   the time axis that it repeats along; None: it happens once
    after  the variables in it that happen once, after the last step
    """

    axis: int | None
    members: list[Variable] = field(default_factory=list)
    fans: list[Fan] = field(default_factory=list)
    at: dict[Node, Point] = field(default_factory=dict)
    after: set[Variable] = field(default_factory=set)

    @property
    def left(self) -> float:
        return min((x for x, _ in self.at.values()), default=0.0)

    @property
    def right(self) -> float:
        return max((x for x, _ in self.at.values()), default=0.0)


class Layout:
    """The `blocks` of a circuit's variables from left to right, and the block of each variable.

    folded  for the circuit: what is carried to the next step comes from the right, where this one ends
    """

    def __init__(self, variables: Variables, *, folded: bool):
        self.links, self._folded, self._stage = variables.links, folded, variables.sequences.stage
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
        stage = self._stages(forward)
        for number in sorted(set(stage.values())):
            for together in self._linked([v for v in forward if v.loop is None and stage[v] == number]):
                block = self._beside(together, of) or blocks.setdefault(together[0], Block(None))
                of |= dict.fromkeys(together, block)
                if any(link.kind == "last" and link.target in together for link in self._forward):
                    block.after.update(together)
        of |= {v: of[v.of] for v in variables if v.of is not None}
        for v in variables:
            of[v].members.append(v)

        def place(block: Block) -> tuple[int, bool]:  # what happens once stands before the loops of its stage
            return stage[next(v for v in forward if of[v] is block and v.loop == block.axis)], block.axis is not None

        return sorted(blocks.values(), key=place), of

    def _stages(self, variables: Sequence[Variable]) -> dict[Variable, int]:
        """After how many loops, one after the other, each variable is computed; an input: is first used."""
        into, out = defaultdict[Variable, set[Variable]](set), defaultdict[Variable, set[Variable]](set)
        for link in self._forward:
            for v in (link.source, *link.starts):
                into[link.target].add(v)
                out[v].add(link.target)
        stage: dict[Variable, int] = {}
        for v in variables:
            before = [stage[u] + (u.loop is not None) for u in into[v]] if v.loop is None else [self._stage[v.loop]]
            stage[v] = max(before, default=0)
        return stage | {v: min(stage[u] for u in out[v]) for v in variables if out[v] and not into[v]}

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
                before.add((of[link.source], link.kind))
            elif link.source in inside and link.target.loop is not None:
                after.add(of[link.target])
            started |= not inside.isdisjoint(link.starts)
        if len(before) == 1 and not after and not started:
            ((block, reach),) = before
            return block if reach == "last" else None
        return after.pop() if len(after) == 1 and not before and not started else None

    # -- places in a block -----------------------------------------------------------------------------------

    def _place(self, block: Block) -> None:
        """Rows, and places in them. Gradients stand to the right of what they are the gradients of and half a row
        lower, for the arrows of both run along the rows."""
        forward = [v for v in block.members if v.of is None]
        into = [k for k in self._forward if self.block[k.target] is block]
        within = [k for k in into if self.block[k.source] is block]
        before = {v for v in forward if v.loop is None} - block.after if block.axis is not None else set()
        rows = _rows(forward, within, before, block.after, {})
        block.fans = list(_fans(into, rows))
        # A value that parts for the next step stands where this one ends, beside those that it goes to there.
        carried = {k.source for k in within if k.source is k.target}
        parting = {fan.source: fan for fan in block.fans if fan.source in rows and fan.source not in carried}
        rows = _rows(forward, within, before, block.after, parting)
        ends = {v: fan.delay for v, fan in parting.items()}
        beside = [k for k in within if k.target in ends and not k.delay and rows[k.source] == rows[k.target]]
        sides: dict[Node, float] = {k.source: 0.5 * ends[k.target] for k in beside}
        sides |= ends | {fan: fan.delay if self._folded else -fan.delay for fan in block.fans}

        # In this order they stand from left to right where nothing else decides: time runs to the right.
        late = {k.target for k in into if k.delay > 0 and k.source is not k.target}
        nodes: dict[Node, int] = {fan: min(rows[k.target] for k in fan.links) - 1 for fan in block.fans}
        nodes |= {v: rows[v] for v in sorted(forward, key=lambda v: v not in late)}
        edges: list[tuple[Node, Node]] = [(k.source, k.target) for k in within if not k.delay]
        edges += [(fan, k.target) for fan in block.fans for k in fan.links]
        x = places(nodes, edges, sides)

        lowest = min(nodes.values(), default=0) - self._base(into, rows, block)
        # Labels of many arrows need room.
        wide = max([(2 * LETTERS * width(k.label) + 40) / COLUMN for fan in block.fans for k in fan.links], default=0.0)
        for node in nodes:
            above = sum(nodes[fan] < nodes[node] for fan in block.fans)
            block.at[node] = x[node] * max(wide, 1.0), nodes[node] - lowest + max(0.5, wide - 0.5) * above
        aside = block.right - block.left + 1.2
        for v in block.members:
            if v.of is not None:
                at, row = block.at[v.of]
                block.at[v] = at + aside, row - 0.5

    def _base(self, into: Iterable[Link], rows: dict[Variable, int], block: Block) -> int:
        """The lowest row of a block: what comes from the blocks to its left comes from below or from the side."""
        lowest, base = min(rows.values(), default=0), 0
        for link in into:
            other = self.block[link.source]
            if other is not block and link.source in other.at and link.kind != "step":
                many = 5 if block.axis is not None else 2  # arrows from all steps: steep enough to pass above them
                each = other.axis is None or block.axis is not None  # one value for all steps: it fans out
                rise = many if link.kind == "all" else int(each)
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


def _rows(
    variables: Sequence[Variable],
    links: Iterable[Link],
    before: Collection[Variable],
    after: Collection[Variable],
    parting: Mapping[Variable, Fan],
) -> dict[Variable, int]:
    """Each variable above what it is computed from in the same step; all above what happens once `before` them,
    and below what happens `after` the last; an input below its first user, a target above its loss. What is carried on
    from step to step has a row of its own, for its arrows run along it; what parts stands beside what it goes to."""
    into, out = defaultdict[Variable, list[Link]](list), defaultdict[Variable, list[Link]](list)
    for link in links:
        if not link.delay:
            into[link.target].append(link)
            out[link.source].append(link)
    carried = {link.source for link in links if link.delay and link.source is link.target}
    outside = set(variables) - {link.target for link in links}
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
            if v in parting:
                rows[v] = min(rows[link.target] for link in parting[v].links)
            else:
                rows[v] = row
                taken[row] = v in carried
    for v in outside:
        users = [rows[k.target] for k in out[v] if k.target in rows]
        if v.kind == "target":
            rows[v] = max(users or rows.values(), default=-1) + 1
        else:
            rows[v] = min(users, default=1) - 1
    return rows
