"""The model of a drawing, vertices on a grid and arrows between them, and the DOT text that says exactly that.

Whoever builds a diagram says where each vertex stands: time in columns, variables in rows.  Nothing is left to a layout
search.  The arrows find their own way (arrow_routing.py), and labels go where nothing else is (label_placement.py).
"""

import cmath
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from pathlib import Path

import graphviz

from viz.diagrams import dot
from viz.diagrams.arrow_routing import Routes
from viz.diagrams.dot import LOOKS, STROKES, THEMES
from viz.diagrams.label_placement import HEAD, MIDDLE, Space, half_of
from viz.diagrams.legend import legend
from viz.diagrams.render import render, svg
from viz.diagrams.vertices import Arrow, Vertex
from viz.labels import escape, identifier


@dataclass(frozen=True)
class Diagram:
    """A drawing.  `legend` explains kinds of vertices and of arrows at the bottom: (kind, text) for each.

    Raises ValueError for a part that could not be seen or would be seen wrongly.
    """

    vertices: Sequence[Vertex]
    arrows: Sequence[Arrow]
    title: str = ""
    theme: str = "light"
    legend: Sequence[tuple[str, str]] = ()

    def __post_init__(self) -> None:
        _check("theme", self.theme, THEMES)
        places: dict[complex, str] = {}
        for vertex in self.vertices:
            _check("vertex", vertex.kind, LOOKS)
            if not cmath.isfinite(vertex.at):
                raise ValueError(f"{vertex.id!r} is nowhere: x = {vertex.x}, y = {vertex.y}")
            other = places.setdefault(vertex.at, vertex.id)
            if other != vertex.id:
                raise ValueError(f"{other!r} and {vertex.id!r} are at the same place")
        if len(self._named) < len(self.vertices):
            raise ValueError("two vertices have the same id")
        for arrow in self.arrows:
            self._check_arrow(arrow)
        for kind, _ in self.legend:
            _check("kind in the legend", kind, [kind for kind in {**LOOKS, **STROKES} if kind != "anchor"])

    def _check_arrow(self, arrow: Arrow) -> None:
        _check("arrow", arrow.kind, STROKES)
        which = f"{arrow.tail!r} → {arrow.head!r}"
        for end in (arrow.tail, arrow.head):
            if end not in self._named:
                raise ValueError(f"{which}: there is no vertex {end!r}")
        if arrow.strength is not None and not 0 <= arrow.strength <= 1:
            raise ValueError(f"{which}: its strength, {arrow.strength}, is not between 0 and 1")
        if not all(cmath.isfinite(complex(x, y)) for x, y in arrow.via):
            raise ValueError(f"{which}: it leads nowhere: via {arrow.via}")

    @cached_property
    def _named(self) -> dict[str, Vertex]:
        return {vertex.id: vertex for vertex in self.vertices}

    @cached_property
    def _routes(self) -> Routes:
        return Routes(self._named, self.arrows)

    @cached_property
    def source(self) -> str:
        """The DOT text: every position is in it, so one diagram is always the same text and the same picture."""
        colours = THEMES[self.theme]
        text = graphviz.Digraph(escape(self.title or "diagram"), **dot.defaults(colours))
        if self.title:
            text.attr(label=escape(self.title), labelloc="t")
        names = {id: dot.quoted(identifier(id)) for id in self._named}
        starts = [self._named[arrow.tail].at for arrow in self.arrows]
        space = Space(self._routes.near, starts, self._routes.curves)
        clusters = defaultdict[str, list[Vertex]](list)
        for vertex in self.vertices:
            clusters[vertex.cluster].append(vertex)
        for cluster, members in clusters.items():
            frame = dot.frame(cluster, members, space, colours) if cluster else {}
            box = graphviz.Digraph(f"cluster_{identifier(cluster)}", graph_attr=frame) if cluster else text
            box.body += [dot.node(names[vertex.id], vertex, colours) for vertex in members]
            if cluster:
                text.subgraph(box)
        for i, (arrow, start, curve) in enumerate(zip(self.arrows, starts, self._routes.curves, strict=True)):
            ends = f"{names[arrow.tail]} -> {names[arrow.head]}"
            shares = MIDDLE if arrow.kind != "all" or arrow.strength is None else HEAD
            place = space.beside(i, half_of(arrow.label), shares) if arrow.label else None
            text.body.append(dot.edge(ends, arrow, start, curve, place, colours))
        if self.legend:
            text.body += legend(self.legend, *space.extent(self.vertices), colours)
        return text.source

    @property
    def hidden(self) -> list[tuple[Arrow, Vertex]]:
        """Arrows that run under a vertex they do not join, and that vertex: there are none in a good drawing."""
        both = zip(self.arrows, self._routes.curves, strict=True)
        return [(arrow, vertex) for arrow, curve in both for vertex in self._routes.met(arrow, curve, 0.0)]

    @property
    def description(self) -> str:
        """The drawing in words, one sentence for each arrow from something that is seen to something that is."""
        title = [f"{self.title}."] if self.title else []
        seen = [arrow for arrow in self.arrows if self._named[arrow.head].kind not in ("carried", "anchor")]
        return " ".join(title + [self._sentence(arrow) for arrow in seen])

    def _sentence(self, arrow: Arrow) -> str:
        spoken = {"delay": "a delay of one step", "ellipsis": "the steps not drawn"}
        source, target = (spoken.get(end.kind, end.label) for end in (self._named[arrow.tail], self._named[arrow.head]))
        return f"{arrow.label or 'An arrow'} leads from {source} to {target}."

    def render(self, path: str | PathLike[str]) -> Path:
        """Draw it into a .svg, .png, .pdf or .dot file; raises what viz.diagrams.render.render raises."""
        return render(self.source, path, "neato")

    def _repr_svg_(self) -> str:
        return svg(self.source, "neato")

    def __repr__(self) -> str:
        return f"Diagram: {len(self.vertices)} vertices, {len(self.arrows)} arrows"


def _check(what: str, given: str, known: Iterable[str]) -> None:
    if given not in known:
        raise ValueError(f"unknown {what} {given!r}; known: {', '.join(known)}")
