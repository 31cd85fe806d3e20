"""The two forms of a model, drawn from the record of its run: the circuit, and the graph unfolded in time."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

from tinygrad_rnn.record import Graph
from viz.diagram import Diagram
from viz.labels import at_step
from viz.parts import Arrow, Vertex
from viz.variables import Link, Variable, Variables

Theme = Literal["light", "dark"]
Parts = tuple[list[Vertex], list[Arrow]]
GAP = "…"
"""Stands among the steps for those that are not drawn."""


def circuit(graph: Graph, *, title: str = "", theme: Theme = "light") -> Diagram:
    """The circuit: each variable once, a black square for each step of delay.

    Raises FoldError if the run has no circuit.
    """
    return Diagram(*_circuit(Variables(graph.fold()), 0.0), title=title, theme=theme)


def unfolded(
    graph: Graph, *, steps: Sequence[int | str] | None = None, title: str = "", theme: Theme = "light"
) -> Diagram:
    """The unfolded graph: time in columns, variables in rows.

    steps: the steps to draw, from 1, with "…" where some are left out; None: all if there are at most four,
    otherwise 1, 2, …, T. Raises FoldError if the run has no time axis, ValueError for steps that did not happen.
    """
    variables = Variables(graph.fold())
    return Diagram(*_unfolded(variables, steps, 0.0), title=title, theme=theme)


def side_by_side(
    graph: Graph, *, steps: Sequence[int | str] | None = None, title: str = "", theme: Theme = "light"
) -> Diagram:
    """The book's layout (figures 10.2 to 10.5): the circuit, an arrow that says "unfold", the unfolded graph."""
    variables = Variables(graph.fold())
    left, left_arrows = _circuit(variables, 0.0)
    edge = max(v.x for v in left)
    right, right_arrows = _unfolded(variables, steps, edge + 1.9)
    middle = (len(variables.all) - 1) / 2
    between = [
        Vertex("unfold from", "", edge + 0.55, middle, "anchor"),
        Vertex("unfold to", "", edge + 1.25, middle, "anchor"),
    ]
    arrow = Arrow("unfold from", "unfold to", "unfold")
    return Diagram([*left, *between, *right], [*left_arrows, arrow, *right_arrows], title=title, theme=theme)


# -- circuit -------------------------------------------------------------------------------------------------


def _circuit(variables: Variables, x: float) -> Parts:
    ids = {id(v): f"circuit {_id(v)}" for v in variables.all}
    vertices = [
        Vertex(ids[id(v)], at_step(v.name, "t", v.shift) if v.shift else v.name, x, v.row, v.kind, note=_note(v))
        for v in variables.all
    ]
    arrows = []
    for link in variables.links:
        tail, head = ids[id(link.source)], ids[id(link.target)]
        if not link.delay:
            arrows.append(Arrow(tail, head, link.label))
            continue
        squares = [
            Vertex(f"{tail} to {head} delay {link.delay}.{i}", "", *_place(link, x, i), "delay", note=_direction(link))
            for i in range(abs(link.delay))
        ]
        vertices += squares
        chain = [tail, *(square.id for square in squares)]
        arrows += [Arrow(a, b, kind="delay") for a, b in pairwise(chain)]
        arrows.append(Arrow(chain[-1], head, link.label, kind="delay"))
        begins = {ids[id(start[0])] for start in link.initial if start is not None}
        if not begins and not link.at_zero:
            outer = Vertex(f"{squares[0].id} start", _start(link), x + 1.9 * _side(link), squares[0].y)
            vertices.append(outer)
            begins = {outer.id}
        arrows += [Arrow(start, squares[0].id, kind="initial") for start in sorted(begins)]
    return vertices, arrows


def _direction(link: Link) -> str:
    return "one step back" if link.delay > 0 else "one step ahead: this loop runs from the last step to the first"


def _start(link: Link) -> str:
    return at_step(link.source.name, 0) if link.delay > 0 else at_step(link.source.name, "T", 1)


def _side(link: Link) -> int:
    """Delays of one step stand to the right; longer ones, and those that run backward, to the left."""
    return 1 if link.delay == 1 else -1


def _place(link: Link, x: float, i: int) -> tuple[float, float]:
    """Where the i-th square of a link stands: beside the column, between its ends."""
    low, high = link.source.row, link.target.row
    spread = i - (abs(link.delay) - 1) / 2
    return x + 0.9 * _side(link), (low + high) / 2 + spread * 0.4 * (1 if high >= low else -1)


# -- unfolded ------------------------------------------------------------------------------------------------


class _Unfolding:
    """Time in columns: for each loop its initial values, then a column a step, then what happens once after it."""

    def __init__(self, variables: Variables, steps: list[list[int | str]], x: float):
        self.lengths = variables.circuit.lengths
        self.vertices: dict[str, Vertex] = {}
        self.arrows: dict[Arrow, None] = {}
        self.first = x
        self.columns: list[dict[int, float]] = []
        self.gaps: list[list[float]] = []
        for loop, drawn in enumerate(steps):
            before, after = _margins(variables, loop)
            places = {x + before + i: step for i, step in enumerate(drawn)}
            self.columns.append({step: at for at, step in places.items() if isinstance(step, int)})
            self.gaps.append([at for at, step in places.items() if step == GAP])
            x += before + len(drawn) + after
        self.end = x
        for v in variables.all:
            self._all_steps(v)
        for link in variables.links:
            self._all_arrows(link)

    def _all_steps(self, v: Variable) -> None:
        if v.loop is None:
            self.at(v, 1)
            return
        for step in self.columns[v.loop]:
            self.at(v, step)
        for gap in self.gaps[v.loop]:
            self._put(v, f"gap {gap:g}", gap, "", "ellipsis")

    def at(self, v: Variable, step: int) -> str:
        """The vertex of a variable at a step, made when it is first asked for."""
        if v.loop is None:
            early = v.kind in ("input", "target")
            return self._put(v, "once", self.first if early else self.end, v.name, v.kind)
        columns, gaps, T = self.columns[v.loop], self.gaps[v.loop], self.lengths[v.loop]
        if step in columns:
            name = at_step(v.name, "T", v.shift) if step == T and gaps else at_step(v.name, step + v.shift)
            return self._put(v, str(step), columns[step], name, v.kind)
        if step < 1:
            return self._put(v, str(step), min(columns.values()) - 1 + step, at_step(v.name, step), "variable")
        if step > T:
            name = at_step(v.name, "T", step - T) if gaps else at_step(v.name, step)
            return self._put(v, str(step), max(columns.values()) + step - T, name, "variable")
        after = [column for drawn, column in columns.items() if drawn > step]
        gap = max(g for g in gaps if not after or g < min(after))
        return self._put(v, f"gap {gap:g}", gap, "", "ellipsis")

    def _put(self, v: Variable, which: str, x: float, label: str, kind: str) -> str:
        id = f"{_id(v)} at {which}"
        self.vertices.setdefault(id, Vertex(id, label, x, v.row, kind, note=_note(v)))
        return id

    def _all_arrows(self, link: Link) -> None:
        """The arrows into and out of every step that is drawn."""
        target, source = link.target, link.source
        if target.loop is None:
            times: list[int] = [1]
        elif link.reach == "step" and link.delay:
            near = {step + d for step in self.columns[target.loop] for d in (0, link.delay)}
            times = sorted(near & set(range(1, self.lengths[target.loop] + 1)))
        else:
            times = list(self.columns[target.loop])
        for step in times:
            if link.times is None or step - 1 in link.times:
                for tail in self._tails(link, source, step):
                    self._arrow(tail, self.at(target, step), link.label)

    def _arrow(self, tail: str, head: str, label: str) -> None:
        if (
            "ellipsis" not in (self.vertices[tail].kind, self.vertices[head].kind)
            or tail.split(" at ")[1] != head.split(" at ")[1]
        ):
            self.arrows[Arrow(tail, head, label)] = None

    def _tails(self, link: Link, source: Variable, step: int) -> list[str]:
        if link.reach != "step" or source.loop is None:
            return self._ends(source, link.reach)
        T = self.lengths[source.loop]
        missing = step - 1 if link.delay > 0 else T - step
        if not 1 <= step - link.delay <= T and missing < len(link.initial):
            start = link.initial[missing]
            if start is not None:
                return self._ends(*start)
        return [self.at(source, step - link.delay)]

    def _ends(self, v: Variable, reach: str) -> list[str]:
        """One end of a loop, or all of it."""
        if v.loop is None:
            return [self.at(v, 1)]
        T = self.lengths[v.loop]
        steps = {"first": [1], "last": [T], "all": range(1, T + 1)}.get(reach, [T])
        return list(dict.fromkeys(self.at(v, step) for step in steps))


def _margins(variables: Variables, loop: int) -> tuple[int, int]:
    """How many columns the initial values of a loop take, before its first step and after its last."""
    delays = [
        link.delay
        for link in variables.links
        if link.source.loop == loop and link.reach == "step" and not all(start for start in link.initial)
    ]
    return max([1, *delays]), max([0, *(-d for d in delays)]) + 0


def _unfolded(variables: Variables, steps: Sequence[int | str] | None, x: float) -> Parts:
    lengths = variables.circuit.lengths
    longest = variables.circuit.length
    unfolding = _Unfolding(variables, [_checked(steps if longest == T else None, T) for T in lengths], x)
    return list(unfolding.vertices.values()), list(unfolding.arrows)


def _checked(steps: Sequence[int | str] | None, T: int) -> list[int | str]:
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


def _id(v: Variable) -> str:
    return f"{v.row} {v.name}"


def _note(v: Variable) -> str:
    step = v.component.visits[0]
    return f"{v.name} {'×'.join(map(str, step.shape)) or 'a number'}"
