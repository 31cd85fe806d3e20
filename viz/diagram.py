"""The model of a drawing, vertices on a grid and arrows between them, and the DOT text that says exactly that.

Whoever builds a diagram says where each vertex stands: time in columns, variables in rows.  Nothing is left to a layout
search.  The arrows find their own way, and labels go where nothing else is: see routes.py.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from pathlib import Path

import graphviz

from viz.labels import escape, escape_tooltip, identifier
from viz.parts import DIAMETERS, HEAD, LETTERS, LIMIT, Arrow, Vertex
from viz.render import render, svg
from viz.routes import Curve, Routes, Space, beside, half_of

LOOKS = {
    "operation": {"fontname": "Times-Roman"},
    "ellipsis": {"shape": "plaintext", "style": "solid"},
    "delay": {"shape": "square", "fillcolor": "ink"},
    "anchor": {"shape": "point", "style": "invis"},
}
STROKES: dict[str, dict[str, str]] = {
    "wire": {},
    "delay": {},
    "initial": {},
    "grad": {"color": "grad", "fontcolor": "grad"},
    "fixed": {"style": "dashed"},
}
THEMES = {
    "light": {"paper": "#ffffff", "fill": "#ffffff", "ink": "#1a1a1a", "faint": "#6b6b6b", "grad": "#b3261e"},
    "dark": {"paper": "#16181d", "fill": "#23272f", "ink": "#e8e8e8", "faint": "#9aa0ab", "grad": "#ff8f85"},
}


@dataclass(frozen=True)
class Diagram:
    """A drawing.  Raises ValueError for a part that could not be seen or would be seen wrongly."""

    vertices: Sequence[Vertex]
    arrows: Sequence[Arrow]
    title: str = ""
    theme: str = "light"

    def __post_init__(self) -> None:
        _check("theme", self.theme, THEMES)
        places: dict[complex, str] = {}
        for vertex in self.vertices:
            _check("vertex", vertex.kind, DIAMETERS)
            other = places.setdefault(vertex.at, vertex.id)
            if other != vertex.id:
                raise ValueError(f"{other!r} and {vertex.id!r} are at the same place")
        if len(self._named) < len(self.vertices):
            raise ValueError("two vertices have the same id")
        for arrow in self.arrows:
            _check("arrow", arrow.kind, STROKES)
            for end in (arrow.tail, arrow.head):
                if end not in self._named:
                    raise ValueError(f"{arrow.tail!r} → {arrow.head!r}: there is no vertex {end!r}")

    @cached_property
    def _named(self) -> dict[str, Vertex]:
        return {vertex.id: vertex for vertex in self.vertices}

    @cached_property
    def _routes(self) -> Routes:
        return Routes(self._named, self.arrows)

    @cached_property
    def _curves(self) -> list[Curve]:
        return [self._routes.curve(arrow) for arrow in self.arrows]

    @cached_property
    def source(self) -> str:
        """The DOT text: every position is in it, so one diagram is always the same text and the same picture."""
        colours = THEMES[self.theme]
        dot = graphviz.Digraph(escape(self.title or "diagram"), **_defaults(colours))
        if self.title:
            dot.attr(label=escape(self.title), labelloc="t")
        names = {id: identifier(id) for id in self._named}
        space = Space(self._routes.near, self._curves)
        clusters = defaultdict[str, list[Vertex]](list)
        for vertex in self.vertices:
            clusters[vertex.cluster].append(vertex)
        for cluster, members in clusters.items():
            frame = _frame(cluster, members, space, colours) if cluster else {}
            box = graphviz.Digraph(f"cluster_{identifier(cluster)}", graph_attr=frame) if cluster else dot
            for vertex in members:
                box.node(names[vertex.id], **_node(vertex, colours))
            if cluster:
                dot.subgraph(box)
        for arrow, curve in zip(self.arrows, self._curves, strict=True):
            dot.edge(names[arrow.tail], names[arrow.head], **_edge(arrow, curve, space, colours))
        return dot.source

    @property
    def hidden(self) -> list[tuple[Arrow, Vertex]]:
        """Arrows that run under a vertex they do not join, and that vertex: there are none in a good drawing."""
        both = zip(self.arrows, self._curves, strict=True)
        return [(arrow, vertex) for arrow, curve in both for vertex in self._routes.met(arrow, curve, 0.0)]

    @property
    def description(self) -> str:
        """The drawing in words, one sentence for each arrow between vertices that are seen."""
        title = [f"{self.title}."] if self.title else []
        seen = [a for a in self.arrows if not self._named[a.tail].kind == self._named[a.head].kind == "anchor"]
        return " ".join(title + [self._sentence(arrow) for arrow in seen])

    def _sentence(self, arrow: Arrow) -> str:
        spoken = {"delay": "a delay of one step", "ellipsis": "the steps not drawn", "anchor": "a junction"}
        tail, head = (spoken.get(end.kind, end.label) for end in (self._named[arrow.tail], self._named[arrow.head]))
        return f"{arrow.label or 'An arrow'} leads from {tail} to {head}."

    def render(self, path: str | PathLike[str]) -> Path:
        """Draw it into a .svg, .png, .pdf or .dot file; raises what viz.render.render raises."""
        return render(self.source, path, "neato")

    def _repr_svg_(self) -> str:
        return svg(self.source, "neato")


# ---- in DOT


def _defaults(colours: dict[str, str]) -> dict[str, dict[str, str]]:
    italic = {"fontname": "Times-Italic", "fontsize": f"{LETTERS:g}", "fontcolor": colours["ink"]}
    diameter = _inches(DIAMETERS["variable"])
    return {
        "graph_attr": {
            "bgcolor": colours["paper"],
            "fontname": "Times-Roman",
            "fontsize": "16",
            "fontcolor": colours["ink"],
            "outputorder": "edgesfirst",
            "pad": "0.15",
        },
        "node_attr": {
            "shape": "ellipse",
            "fixedsize": "true",
            "width": diameter,
            "height": diameter,
            "style": "filled",
            "color": colours["ink"],
            "fillcolor": colours["fill"],
            **italic,
        },
        "edge_attr": {"color": colours["ink"], "penwidth": "0.8", "arrowsize": f"{HEAD / 10:g}", **italic},
    }


def _frame(cluster: str, members: list[Vertex], space: Space, colours: dict[str, str]) -> dict[str, str]:
    """A frame around vertices, with its title in the first free corner."""
    half = half_of(cluster)
    left = min(vertex.at.real - vertex.width / 2 for vertex in members) - 14
    right = max(vertex.at.real + vertex.width / 2 for vertex in members) + 14
    bottom = min(vertex.at.imag - vertex.height / 2 for vertex in members) - 14
    top = max(vertex.at.imag + vertex.height / 2 for vertex in members) + 14
    across = (left + 10 + half.real, right - 10 - half.real, (left + right) / 2)
    title = space.first_free([complex(x, y) for y in (top + 2, bottom - 2) for x in across], half)
    bottom, top = min(bottom, title.imag - 12), max(top, title.imag + 12)
    return {
        "label": escape(cluster, LIMIT),
        "lp": _pair(title),
        "bb": f"{_pair(complex(left, bottom))},{_pair(complex(right, top))}",
        "style": "rounded",
        "color": colours["faint"],
        "fontcolor": colours["faint"],
        "fontsize": f"{LETTERS:g}",
    }


def _node(vertex: Vertex, colours: dict[str, str]) -> dict[str, str]:
    attributes = {"label": escape(vertex.text, LIMIT), "pos": _pair(vertex.at)}
    if vertex.kind != "variable":
        attributes |= {"class": vertex.kind, **_coloured(LOOKS.get(vertex.kind, {}), colours)}
    if (vertex.width, vertex.height) != (DIAMETERS["variable"],) * 2:
        attributes |= {"width": _inches(vertex.width), "height": _inches(vertex.height)}
    if vertex.letters < LETTERS:
        attributes["fontsize"] = f"{vertex.letters:.1f}"
    if note := vertex.note or vertex.label * (vertex.text != vertex.label):
        attributes["tooltip"] = escape_tooltip(note)
    return attributes


def _edge(arrow: Arrow, curve: Curve, space: Space, colours: dict[str, str]) -> dict[str, str]:
    attributes = {"pos": " ".join(map(_pair, curve.points))}
    if curve.tip is not None:
        attributes["pos"] = f"e,{_pair(curve.tip)} {attributes['pos']}"
    if arrow.kind != "wire":
        attributes |= {"class": arrow.kind, **_coloured(STROKES[arrow.kind], colours)}
    if arrow.label:
        half = half_of(arrow.label)
        place = space.first_free(beside(curve, half), half)
        attributes |= {"label": escape(arrow.label, LIMIT), "lp": _pair(place)}
    return attributes


def _coloured(attributes: dict[str, str], colours: dict[str, str]) -> dict[str, str]:
    return {key: colours.get(value, value) for key, value in attributes.items()}


def _pair(at: complex) -> str:
    return f"{at.real:.1f},{at.imag:.1f}"


def _inches(points: float) -> str:
    return f"{points / 72:.3f}"


def _check(what: str, given: str, known: Iterable[str]) -> None:
    if given not in known:
        raise ValueError(f"unknown {what} {given!r}; known: {', '.join(known)}")
