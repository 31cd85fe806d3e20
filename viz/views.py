"""The two forms of a model, drawn from the record of its run: the circuit, and the graph unfolded in time."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

from tinygrad_rnn.record import Graph
from viz.diagram import Arrow, Diagram, Vertex
from viz.labels import at_step
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
    return Diagram(*_unfolded(variables, _checked(steps, variables.length), 0.0), title=title, theme=theme)


def side_by_side(
    graph: Graph, *, steps: Sequence[int | str] | None = None, title: str = "", theme: Theme = "light"
) -> Diagram:
    """The book's layout (figures 10.2 to 10.5): the circuit, an arrow that says "unfold", the unfolded graph."""
    variables = Variables(graph.fold())
    left, left_arrows = _circuit(variables, 0.0)
    edge = max(v.x for v in left)
    before = max((link.delay for link in variables.links), default=1)  # columns of initial values
    right, right_arrows = _unfolded(variables, _checked(steps, variables.length), edge + 0.9 + before)
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
    vertices = [Vertex(ids[id(v)], v.name, x, v.row, v.kind, note=_note(v)) for v in variables.all]
    arrows = []
    for link in variables.links:
        tail, head = ids[id(link.source)], ids[id(link.target)]
        if not link.delay:
            arrows.append(Arrow(tail, head, link.label))
            continue
        squares = [
            Vertex(f"{tail} to {head} delay {link.delay}.{i}", "", *_place(link, x, i), "delay", note="one step back")
            for i in range(link.delay)
        ]
        vertices += squares
        chain = [tail, *(square.id for square in squares)]
        arrows += [Arrow(a, b, kind="delay") for a, b in pairwise(chain)]
        arrows.append(Arrow(chain[-1], head, link.label, kind="delay"))
        if not link.starts_at_zero:
            start = Vertex(f"{squares[0].id} start", at_step(link.source.name, 0), x + 1.9 * _side(link), squares[0].y)
            vertices.append(start)
            arrows.append(Arrow(start.id, squares[0].id, kind="initial"))
    return vertices, arrows


def _side(link: Link) -> int:
    """Delays of one step stand to the right, longer ones to the left."""
    return 1 if link.delay == 1 else -1


def _place(link: Link, x: float, i: int) -> tuple[float, float]:
    """Where the i-th square of a link stands: beside the column, between its ends."""
    low, high = link.source.row, link.target.row
    spread = i - (link.delay - 1) / 2
    return x + 0.9 * _side(link), (low + high) / 2 + spread * 0.4 * (1 if high >= low else -1)


# -- unfolded ------------------------------------------------------------------------------------------------


def _unfolded(variables: Variables, steps: list[int | str], x: float) -> Parts:
    """Column 0 has the initial values, then one column a step; what happens once stands after the last."""
    columns = {step: x + i + 1 for i, step in enumerate(steps) if step != GAP}
    gaps = [x + i + 1 for i, step in enumerate(steps) if step == GAP]
    vertices: dict[str, Vertex] = {}
    arrows: list[Arrow] = []

    def at(v: Variable, step: int, delayed: bool = False) -> str:
        """The vertex of a variable at a step, made when it is first asked for."""
        if not v.repeats:
            place, name, kind = (max(columns.values()) + (0 if variables.length == 1 else 1)), v.name, v.kind
            if v.kind in ("input", "target"):
                place = x
            step = 0
        elif step in columns:
            last = step == variables.length and GAP in steps
            place, name, kind = columns[step], at_step(v.name, "T" if last else step), v.kind
        elif step < 1:
            place, name, kind = x + step, at_step(v.name, step), "variable"
        else:
            place, name, kind = _nearest(gaps, columns, step), "", "ellipsis"
        id = f"{_id(v)} at {step if kind != 'ellipsis' else f'gap {place:g}'}"
        vertices.setdefault(id, Vertex(id, name, place, v.row, kind, note=_note(v)))
        return id

    for v in variables.all:
        for step in columns:
            at(v, int(step))
        if v.repeats:
            for gap in gaps:
                id = f"{_id(v)} at gap {gap:g}"
                vertices.setdefault(id, Vertex(id, "", gap, v.row, "ellipsis"))
    for link in variables.links:
        reached = list(columns) if link.target.repeats else [variables.length]
        for step in reached:
            arrows.append(Arrow(at(link.source, int(step) - link.delay), at(link.target, int(step)), link.label))
        if link.delay and link.target.repeats:  # from the last drawn step into those that are not
            for step in columns:
                into = int(step) + link.delay
                if into not in columns and into <= variables.length:
                    arrows.append(Arrow(at(link.source, int(step)), at(link.target, into), link.label))
    return list(vertices.values()), list(dict.fromkeys(arrows))


def _nearest(gaps: list[float], columns: dict, step: int) -> float:
    """The gap that a step that is not drawn falls into."""
    after = [column for drawn, column in columns.items() if drawn > step]
    return max(g for g in gaps if not after or g < min(after))


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
