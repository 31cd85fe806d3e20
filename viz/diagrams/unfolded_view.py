"""The unfolded graph as a drawing: time in columns, variables in rows."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from viz.diagrams.drawing_types import Link, Variable
from viz.diagrams.layout import Block, Layout, Point, distance, way_round
from viz.diagrams.options import Pen
from viz.diagrams.vertices import COLUMN, LETTERS, Arrow, Vertex
from viz.labels import at_step
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
        self._pitch: dict[int, float] = {}
        longest = max(lengths, default=1)
        for block in layout.blocks:
            x += 0.8 if self._middle else 0.0
            if block.axis is None:
                x += 0.2 - block.left
                self._middle[block] = x
                x += block.right
            else:
                T = lengths[block.axis]
                x = self._put_columns(block, checked_steps(steps if longest == T else None, T), x)
        for v in (v for block in layout.blocks for v in block.members):
            self._all_steps(v)
        self._blocked = set(filter(self._is_blocked, layout.links))
        for link in layout.links:
            self._all_arrows(link)

    # -- columns ---------------------------------------------------------------------------------------------

    def _put_columns(self, block: Block, steps: Sequence[int | str], x: float) -> float:
        """Give each step of a loop its column, from x to the right; returns how far they go."""
        assert block.axis is not None
        width = block.right - block.left
        apart = max(1.0 + 0.4 * bool(width), self._steepest(block) - width) + 0.4 * len(block.fans)
        apart = max(apart, self._longest_label(block) - width)
        self._pitch[block.axis] = apart + width
        before, after = self._margins(block)
        x += before * self._before(block)
        columns, gaps = self._columns.setdefault(block.axis, {}), self._gaps.setdefault(block.axis, [])
        for i, step in enumerate(steps):
            x += apart if i else 0.0
            if isinstance(step, int):
                columns[step] = x - block.left
                x += width
            else:
                gaps.append(x)
        self._middle[block] = (min(columns.values()) + max(columns.values())) / 2
        return x + after

    def _steepest(self, block: Block) -> float:
        """How far apart columns must be for arrows over several rows to pass between the variables."""
        at = [(block.at.get(k.source), block.at.get(k.target)) for k in self.layout.links if abs(k.delay) == 1]
        return max([SLOPE * abs(a[1] - b[1]) for a, b in at if a and b], default=0.0)

    def _longest_label(self, block: Block) -> float:
        """How far apart columns must be for the labels between them."""
        along = [k.label for k in self.layout.links if k.source is k.target and self.layout.block[k.source] is block]
        return max([(LETTERS * text_width(label) + 64) / COLUMN for label in along], default=0.0)

    def _before(self, block: Block) -> float:
        """How far before the first step stands what the loop starts from."""
        return max(1.0 + 0.4 * bool(block.fans), self._steepest(block), self._longest_label(block))

    def _margins(self, block: Block) -> tuple[int, int]:
        """How many steps are drawn that do not happen: before the first and after the last, as h⁽⁰⁾ is."""
        back, ahead = 0 if self._middle else 1, 0
        for link in self.layout.links:
            if link.source.loop is not None and link.source.loop == block.axis and link.target.of is None:
                T = self.lengths[link.source.loop]
                span = link.target.component.times(T)
                for t in {span.start, span.stop - 1} if link.reach == "step" else ():
                    if link.instead.get(t) is None:
                        back, ahead = max(back, link.delay - t), max(ahead, t - link.delay - T + 1)
        return back, ahead

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
        elided = bool(self._gaps[axis])
        if 1 <= step <= T and step not in columns:
            after = [x for drawn, x in columns.items() if drawn > step]
            return self._gap(v, max(x for x in self._gaps[axis] if not after or x < min(after)))
        if step in columns:
            x = columns[step] + dx
        elif step < 1:
            x = min(columns.values()) + block.left + (step - 1) * self._before(block)
        else:
            x = max(columns.values()) + block.right + step - T
        name = at_step(v.name, "T", step - T + v.shift) if elided and step >= T else at_step(v.name, step + v.shift)
        return self._put(v, t, x, row, v.name if v.kind == "operation" else name)  # its column says when

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
            if link.reach == "step" and link.delay:
                drawn |= {t + link.delay for t in drawn}
            times = sorted(t for t in drawn if 0 <= t < self.lengths[target.loop] and target.step(t) is not None)
        for t in times:
            if link.times is None or t in link.times:
                weights = self.pen.weights(link, t)
                for tail, s in self._tails(link, t):
                    weight = None if weights is None else float(weights[s])
                    self._arrow(tail, self.at(target, t), link, t, weight)

    def _tails(self, link: Link, t: int) -> list[tuple[str, int]]:
        """Where the arrows into a target at a time come from, and the time of each."""
        source, delay, reach = link.instead.get(t) or (link.source, link.delay, link.reach)
        if reach != "step" or source.loop is None:
            return self._ends(source, reach)
        if link.target.of is not None and not 0 <= t - delay < self.lengths[source.loop]:
            return []  # no gradient comes from beyond the end
        return [(self.at(source, t - delay), t - delay)]

    def _ends(self, v: Variable, reach: str) -> list[tuple[str, int]]:
        """One end of a loop, or all of it."""
        if v.loop is None:
            return [(self.at(v, 0), 0)]
        times = [t for t in range(self.lengths[v.loop]) if v.step(t) is not None]
        ends = times if reach == "all" else times[:1] if reach == "first" else times[-1:]
        return list({self.at(v, t): t for t in ends}.items())

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
            tail = self._parting(tail, link, t)
        if into or (out and self.vertices[tail].kind == "ellipsis"):
            before = self._gap_arrows.setdefault((tail, head), len(self.arrows))
            if before < len(self.arrows):
                known = self.arrows[before].label
                label = ", ".join(dict.fromkeys(filter(None, (*known.split(", "), label))))
                self.arrows[before] = self.pen.arrow(tail, head, link, t, label)
                return
        via = () if into else self._way_below(tail, link, t)
        if not into and not out and link in self._blocked and self.layout.fan(link) is None:
            via = self._round(tail, link, t, self.layout.block[link.target].at[link.target])
        kind = "wire" if weight is None else "all"
        self.arrows.append(self.pen.arrow(tail, head, link, t, label, kind, via, weight))

    def _parting(self, tail: str, link: Link, t: int) -> str:
        """The place before a step where the uses of a value of an earlier one part; the way there is drawn once."""
        fan, block = self.layout.fan(link), self.layout.block[link.target]
        assert fan is not None and block.axis is not None
        column, place = self._columns[block.axis][t + 1], f"{tail} parts at {t + 1}"
        if place not in self.vertices:
            self.vertices[place] = Vertex(place, "", column + fan.at[0], fan.at[1], "anchor")
            self.arrows.append(Arrow(tail, place, via=self._round(tail, link, t, fan.at)))
        return place

    def _round(self, tail: str, link: Link, t: int, to: Point) -> tuple[Point, ...]:
        """The way to a place in a step, round what stands in it, and round what stands beside the tail."""
        block = self.layout.block[link.target]
        assert block.axis is not None
        edge = block.left - LANE if link.delay > 0 else block.right + LANE
        column, start = self._columns[block.axis][t + 1], self.vertices[tail]
        before = self._columns[block.axis].get(t + 1 - link.delay, math.inf)
        low, high = sorted((start.x + math.copysign(0.1, link.delay), column + edge))
        at = block.at.values()
        passing = [
            (before + x, start.y + math.copysign(0.5, to[1] - start.y))
            for x, row in sorted(at, reverse=link.delay < 0)
            if row == start.y and low < before + x < high
        ]
        if not passing and high - low > 1.2:  # along the row as far as that goes
            passing = [(column + edge - math.copysign(0.6, link.delay), start.y)]
        between = {row for x, row in at if min(edge, to[0]) < x < max(edge, to[0])}
        if to[1] in between:  # from below, or from above
            to = to[0], to[1] + (0.4 if to[1] - 1 in between else -0.5)
        return (*passing, *((column + dx, y) for dx, y in way_round(edge, start.y, to)))

    def _is_blocked(self, link: Link) -> bool:
        """Whether too much is in the way of a straight arrow from the step before, or after, for a bend to pass it."""
        block = self.layout.block[link.target]
        if (
            abs(link.delay) != 1
            or link.target.of is not None
            or block is not self.layout.block[link.source]
            or block.axis is None
        ):
            return False
        by = math.copysign(self._pitch[block.axis], link.delay)
        (x, row), to = block.at[link.source], block.at[link.target]
        others = [at for v, at in block.at.items() if v not in (link.source, link.target)]
        line = (x - by, row), to
        return sum(distance((x - dx, y), line) < 0.33 for x, y in others for dx in (0.0, by)) > 1

    def _way_below(self, tail: str, link: Link, t: int) -> tuple[Point, ...]:
        """What comes from before a loop runs below the steps in between, to rise beside the one that it goes to."""
        if link.reach == "step" or link.target.loop is None or link.target.of is not None:
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
