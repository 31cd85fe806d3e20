"""The unfolded graph as a drawing: time in columns, variables in rows."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from viz.diagrams.drawing_types import Link, Variable
from viz.diagrams.layout import Block, Layout, Point
from viz.diagrams.options import Pen
from viz.diagrams.vertices import COLUMN, LETTERS, Arrow, Vertex
from viz.labels import at_piece, at_step
from viz.labels import width as text_width

GAP = "…"
"""Stands among the steps for those that are not drawn."""
LANE = 0.7
"""How far from a column an arrow runs that goes round it."""
SLOPE = 0.42
"""An arrow that crosses rows of variables gets between them if it goes this far to the side for each row."""


class UnfoldedView:
    """The vertices and arrows of an unfolded graph, from x to the right: for each loop what it starts from, then a
    column for each step that is drawn; what happens once stands between, above and below."""

    def __init__(
        self, layout: Layout, pen: Pen, lengths: Sequence[int], steps: Sequence[int | str] | None, x: float = 0.0
    ):
        self.layout, self.pen, self.lengths = layout, pen, lengths
        self.vertices: dict[str, Vertex] = {}
        self.arrows: list[Arrow] = []
        self._name = {v: f"{i} {v.name}" for i, v in enumerate(v for b in layout.blocks for v in b.members)}
        self._ids: dict[tuple[Variable, int], str] = {}
        self._gap_arrows: dict[tuple[str, str], int] = {}
        self._uses = Counter((link.source, link.delay) for link in layout.links)
        self._columns: dict[int, dict[int, float]] = {}
        self._gaps: dict[int, list[float]] = {}
        self._middle: dict[Block, float] = {}
        self._beyond: list[Point] = []
        longest = max(lengths, default=1)
        for i, block in enumerate(layout.blocks):
            x += max(0.8, (_widest(layout.blocks[i - 1]) + _widest(block)) / 2 + 0.15) if i else 0.0
            if block.axis is None:
                x += 0.2 - block.left
                self._middle[block] = x
                x += block.right
            else:
                T = lengths[block.axis]
                x = self._put_columns(block, checked_steps(steps if longest == T else None, T), x)
        for v in (v for block in layout.blocks for v in block.members):
            self._all_steps(v)
        for link in layout.links:
            self._all_arrows(link)

    # -- columns ---------------------------------------------------------------------------------------------

    def _put_columns(self, block: Block, steps: Sequence[int | str], x: float) -> float:
        """Give each step of a loop its column, from x to the right; returns how far they go."""
        assert block.axis is not None
        width = block.right - block.left
        apart = max(1.0 + 0.4 * bool(width), self._room(block) - width)
        before, after = self._margins(block)
        x += before * self._room(block)
        columns, gaps = self._columns.setdefault(block.axis, {}), self._gaps.setdefault(block.axis, [])
        for i, step in enumerate(steps):
            x += apart if i else 0.0
            if isinstance(step, int):
                columns[step] = x - block.left
                x += width
            else:
                gaps.append(x)
        first, last = min(columns.values()), max(columns.values())
        self._middle[block] = (first + last) / 2 if self._is_free(block, (first + last) / 2) else first
        return x + after

    def _is_free(self, block: Block, middle: float) -> bool:
        """Whether what happens once can stand in the middle of the steps of a loop: whether none of these does."""
        assert block.axis is not None
        steps, gaps = self._columns[block.axis].values(), self._gaps[block.axis]
        once = [block.at[v] for v in block.members if v.loop is None and (v.of or v) not in block.after]
        every = [block.at[v] for v in block.members if v.loop is not None]
        taken = [(x, row) for dx, row in every for x in (*gaps, *(step + dx for step in steps))]
        return all(math.dist((middle + dx, row), place) > 0.7 for dx, row in once for place in taken)

    def _room(self, block: Block) -> float:
        """How far apart columns must be for labels between them, and for arrows over several rows of variables."""
        room = 1.0
        for link in self.layout.links:
            start, stop = block.at.get(link.source), block.at.get(self.layout.fan(link) or link.target)
            if start and stop and abs(link.delay) == 1:
                along = (LETTERS * text_width(link.label) + 64) / COLUMN if link.source is link.target else 0.0
                room = max(room, along, SLOPE * abs(start[1] - stop[1]))
        return room

    def _margins(self, block: Block) -> tuple[int, int]:
        """How many steps are drawn that do not happen: before the first and after the last, as h⁽⁰⁾ is."""
        forward = [k for k in self.layout.links if k.target.of is None and k.source.loop == block.axis]
        beyond = [link.delay for link in forward if link.nameless]
        return max([0 if self._middle else 1, *beyond]), -min([0, *beyond])

    # -- variables -------------------------------------------------------------------------------------------

    def _all_steps(self, v: Variable) -> None:
        if v.loop is None:
            self.at(v, 0)
            return
        for step in self._columns[v.loop]:
            if v.step(step - 1) is not None:
                self.at(v, step - 1)
        for x in self._gaps[v.loop]:
            self._gap(v, x)

    def at(self, v: Variable, t: int) -> str:
        """The vertex of a variable at a time, from 0, made when it is first asked for."""
        known = self._ids.get((v, t))
        if known is None:
            known = self._ids[v, t] = self._once(v) if v.loop is None else self._in_column(v, v.loop, t)
        return known

    def _once(self, v: Variable) -> str:
        """Something that happens once: above the last step of a loop, or in the middle of its steps."""
        block = self.layout.block[v]
        dx, row = block.at[v]
        x = self._middle[block]
        if block.axis is not None and (v.of or v) in block.after:
            x = max(self._columns[block.axis].values())
        return self._put(v, 0, x + dx, row, v.name)

    def _in_column(self, v: Variable, axis: int, t: int) -> str:
        block, columns, T, step = self.layout.block[v], self._columns[axis], self.lengths[axis], t + 1
        dx, row = block.at[v]
        if 1 <= step <= T and step not in columns:
            after = [x for drawn, x in columns.items() if drawn > step]
            return self._gap(v, max(x for x in self._gaps[axis] if not after or x < min(after)))
        if step in columns:
            x = columns[step] + dx
        else:
            x, row = self._beyond_the_ends(v, block, step)
        return self._put(v, t, x, row, v.name if v.kind == "operation" else self._label(v, t))  # its column says when

    def _label(self, v: Variable, t: int) -> str:
        """Its name, and the step: counted from the end where steps before it are not drawn."""
        assert v.loop is not None
        after = t + 1 - self.lengths[v.loop]
        if self._gaps[v.loop] and (after >= 0 or (t >= 0 and t + 1 not in self._columns[v.loop])):
            return at_piece(v.name, v.piece, "T", after)
        return at_piece(v.name, v.piece, t + 1)

    def _beyond_the_ends(self, v: Variable, block: Block, step: int) -> Point:
        """A free place before the first step of a loop or after its last: where it parts, or in a row or beside it."""
        assert block.axis is not None
        columns, T = self._columns[block.axis].values(), self.lengths[block.axis]
        n, end = (1 - step, min(columns)) if step < 1 else (step - T, max(columns))
        rows = [block.at[v][1] + 0.75 * sign * i for i in range(len(block.members) + 1) for sign in (-1, 1)]
        x = end + block.left - n * self._room(block) if step < 1 else end + block.right + n
        parting = [(end + block.at[fan][0], block.at[fan][1]) for fan in block.fans if fan.source is v and n == 1]
        places = parting + [(x, y) for y in rows]
        place = next(p for p in places if all(math.dist(p, other) > 0.7 for other in self._beyond))
        self._beyond.append(place)
        return place

    def _put(self, v: Variable, t: int, x: float, row: float, label: str) -> str:
        id_ = f"{self._name[v]} at {t + 1}"
        self.vertices[id_] = self.pen.vertex(id_, v, t, label, x, row)
        return id_

    def _gap(self, v: Variable, x: float) -> str:
        """The steps that are not drawn: one mark a row."""
        row = self.layout.block[v].at[v][1]
        id_ = f"gap {x:g} {row:g}"
        self.vertices.setdefault(id_, Vertex(id_, "", x, row, "ellipsis"))
        return id_

    # -- arrows ----------------------------------------------------------------------------------------------

    def _all_arrows(self, link: Link) -> None:
        """The arrows into and out of every step that is drawn."""
        target = link.target
        if target.loop is None:
            times: Sequence[int] = [0]
        else:
            drawn = {step - 1 for step in self._columns[target.loop]}
            if link.kind == "step" and link.delay:
                drawn |= {t + link.delay for t in drawn}
            times = sorted(t for t in drawn if 0 <= t < self.lengths[target.loop] and target.step(t) is not None)
        for t in times:
            weights = self.pen.weights(link, t)
            for v, s in link.places(t):
                weight = None if weights is None else float(weights[s])
                self._arrow(self.at(v, s), self.at(target, t), link, t, weight)

    def _arrow(self, tail: str, head: str, link: Link, t: int, weight: float | None) -> None:
        """An arrow. Into steps that are not drawn it goes along its row; all from or to one place are one."""
        into, out = (self.vertices[end].kind == "ellipsis" for end in (head, tail))
        weight = None if out else weight
        if weight is None:
            label = link.label
        else:  # more than an even share is worth a number
            label = f"{weight:.2f}" * (weight >= max(0.1, 1 / len(link.source.component.visits)))
        if into:
            if out or link.source.loop != link.target.loop:
                return
            head = self._gap(link.source, self.vertices[head].x)
            label = "" if self._uses[link.source, link.delay] > 1 else label
        elif self.layout.fan(link) is not None:
            tail = self._carried(tail, link, t)
        if into or (out and self.vertices[tail].kind == "ellipsis"):
            before = self._gap_arrows.setdefault((tail, head), len(self.arrows))
            if before < len(self.arrows):
                known = self.arrows[before].label
                label = ", ".join(dict.fromkeys(filter(None, f"{known}, {label}".split(", "))))
                self.arrows[before] = self.pen.arrow(tail, head, link, t, label)
                return
        via = () if into else self._way_below(tail, link, t)
        kind = "wire" if weight is None else "all"
        self.arrows.append(self.pen.arrow(tail, head, link, t, label, kind, via, weight))

    def _carried(self, tail: str, link: Link, t: int) -> str:
        """The small vertex before a step where the uses of a value of an earlier one part."""
        fan, block = self.layout.fan(link), self.layout.block[link.target]
        assert fan is not None and block.axis is not None
        x, row = self._columns[block.axis][t + 1] + block.at[fan][0], block.at[fan][1]
        start, place = self.vertices[tail], f"{tail} into {t + 1}"
        if (start.x, start.y) == (x, row):
            return tail
        if place not in self.vertices:
            label = start.label or self._label(link.source, t - link.delay)
            self.vertices[place] = Vertex(place, label, x, row, "carried")
            self.arrows.append(Arrow(tail, place))
        return place

    def _way_below(self, tail: str, link: Link, t: int) -> tuple[Point, ...]:
        """What comes from before a loop runs below the steps in between, to rise beside the one that it goes to."""
        if link.kind == "step" or link.target.loop is None or link.target.of is not None:
            return ()
        block = self.layout.block[link.target]
        if block is self.layout.block[link.source]:
            return ()
        columns, (_, row) = self._columns[link.target.loop], block.at[link.target]
        first, low = min(columns.values()), min(y for _, y in block.at.values())
        if columns[t + 1] == first or row == low:
            return ()
        edge = block.left - LANE
        rise = (columns[t + 1] + edge - 0.2, low - 0.5), (columns[t + 1] + edge, (low + row) / 2 - 0.3)
        return rise if self.vertices[tail].y < low else ((first + edge, low - 0.5), *rise)


def _widest(block: Block) -> float:
    """The width of the widest vertex of a block, in columns."""
    return max(Vertex("", v.name + at_step("", 1) * (v.loop is not None), 0, 0).width for v in block.members) / COLUMN


def checked_steps(steps: Sequence[int | str] | None, T: int) -> list[int | str]:
    """The columns to draw: steps in order, and GAP wherever some are left out."""
    if steps is None:
        steps = range(1, T + 1) if T <= 4 else [1, 2, GAP, T]
    drawn = [step for step in steps if isinstance(step, int)]
    if not drawn or drawn != sorted(set(drawn) & set(range(1, T + 1))) or set(steps) - {*drawn, GAP}:
        raise ValueError(f'steps: {list(steps)} are not steps from 1 to {T} in order, with "…" for those left out')
    filled: list[int | str] = []
    for before, step in pairwise([0, *drawn, T + 1]):
        filled += [GAP] * (step > before + 1) + [step] * (step <= T)
    return filled
