"""Vertices and arrows in DOT: their looks, their colours, and statements with every value in quotes."""

from collections.abc import Mapping, Sequence

from viz.diagrams.bezier import Curve
from viz.diagrams.label_placement import Space, half_of
from viz.diagrams.vertices import DIAMETERS, LETTERS, LIMIT, THIN, Arrow, Vertex
from viz.labels import escape, escape_tooltip, markup

LOOKS: dict[str, dict[str, str]] = {
    "variable": {},
    "input": {},
    "target": {},
    "loss": {},
    "operation": {"fontname": "Times-Roman"},
    "carried": {"color": "faint"},
    "parameter": {"shape": "box", "color": "faint"},
    "gradient": {"color": "grad", "fontcolor": "grad"},
    "failed": {"fontname": "Times-Roman", "color": "grad", "fillcolor": "grad", "fontcolor": "paper"},
    "delay": {"shape": "square", "fillcolor": "ink"},
    "ellipsis": {"shape": "plaintext", "style": "solid"},
    "anchor": {"shape": "point", "style": "invis"},
}
STROKES: dict[str, dict[str, str]] = {
    "wire": {},
    "delay": {},
    "initial": {},
    "grad": {"color": "grad", "fontcolor": "grad"},
    "fixed": {"style": "dashed"},
    "all": {"color": "ink:paper:ink"},  # lines side by side: one that is hollow
    "unfold": {"fontname": "Times-Roman"},
}
THEMES = {
    "light": {"paper": "#ffffff", "fill": "#ffffff", "ink": "#1a1a1a", "faint": "#6b6b6b", "grad": "#b3261e"},
    "dark": {"paper": "#16181d", "fill": "#23272f", "ink": "#e8e8e8", "faint": "#9aa0ab", "grad": "#ff8f85"},
}
ITALIC = {"fontname": "Times-Italic", "fontsize": f"{LETTERS:g}", "fontcolor": "ink"}
DEFAULTS = {
    "graph_attr": {
        "bgcolor": "paper",
        "fontname": "Times-Roman",
        "fontsize": "16",
        "fontcolor": "ink",
        "outputorder": "edgesfirst",
        "pad": "0.15",
    },
    "node_attr": {
        "shape": "ellipse",
        "fixedsize": "true",
        "width": f"{DIAMETERS['variable'] / 72:.3f}",
        "height": f"{DIAMETERS['variable'] / 72:.3f}",
        "style": "filled",
        "color": "ink",
        "fillcolor": "fill",
        **ITALIC,
    },
    "edge_attr": {"color": "ink", "penwidth": f"{THIN:g}", "arrowsize": "0.6", **ITALIC},
}
"""What holds for the whole graph, for all vertices and for all arrows, unless they say otherwise."""

Colours = Mapping[str, str]


def defaults(colours: Colours) -> dict[str, dict[str, str]]:
    return {what: _coloured(attributes, colours) for what, attributes in DEFAULTS.items()}


def node(name: str, vertex: Vertex, colours: Colours) -> str:
    """A vertex, whose name is an identifier in quotes."""
    label = _label(vertex.text, vertex.letters)
    if vertex.second_line:  # an empty line below lifts it
        label = _Markup(f"{label}<BR/> ") if isinstance(label, _Markup) else rf"{label}\n "
    attributes = {"label": label, "pos": pair(vertex.at)}
    if vertex.kind != "variable":
        attributes |= {"class": vertex.kind, **_coloured(LOOKS[vertex.kind], colours)}
    if (vertex.width, vertex.height) != (DIAMETERS["variable"],) * 2:
        attributes |= {"width": inches(vertex.width), "height": inches(vertex.height)}
    if vertex.letters < LETTERS:
        attributes["fontsize"] = f"{vertex.letters:.1f}"
    unseen = [text for text, seen in ((vertex.label, vertex.text), (vertex.detail, vertex.second_line)) if text != seen]
    if note := vertex.note or ", ".join(unseen):
        attributes["tooltip"] = escape_tooltip(note)
    return statement(name, attributes) + (_second_line(name, vertex, colours) if vertex.second_line else "")


def _second_line(name: str, vertex: Vertex, colours: Colours) -> str:
    """A label has letters of one size, so small ones are a vertex of their own: text and nothing else."""
    attributes = {
        "label": escape(vertex.second_line, LIMIT),
        "pos": pair(vertex.at - 8j),
        "class": "detail",
        "shape": "plaintext",
        "style": "solid",
        "fontname": "Times-Roman",
        "fontsize": f"{vertex.small_letters:.1f}",
        "fontcolor": colours[LOOKS[vertex.kind].get("fontcolor", "ink")],
    }
    return statement(f'"%detail {name[1:]}', attributes)


def edge(ends: str, arrow: Arrow, start: complex, curve: Curve, place: complex | None, colours: Colours) -> str:
    """An arrow, and its label at a place."""
    attributes = {"pos": " ".join([pair(start + point) for point in curve.points])}
    if curve.tip is not None:
        attributes["pos"] = f"e,{pair(start + curve.tip)} {attributes['pos']}"
    if place is not None:
        attributes |= {"label": _label(arrow.label, LETTERS), "lp": pair(place)}
    if arrow.kind != "wire":
        attributes |= {"class": arrow.kind, **_coloured(STROKES[arrow.kind], colours)}
    if arrow.thickness != THIN or arrow.kind == "all":
        attributes |= {"penwidth": f"{arrow.thickness:.2f}", "arrowsize": f"{arrow.barb / 10:.2f}"}
    if arrow.strength is not None:
        full = colours["grad" if arrow.kind == "grad" else "ink"]
        attributes["color"] = _mixed(colours["paper"], full, 0.25 + 0.75 * arrow.strength)
    return statement(ends, attributes)


def frame(cluster: str, members: Sequence[Vertex], space: Space, colours: Colours) -> dict[str, str]:
    """The attributes of a frame around vertices, with its title in the first free corner."""
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
        "lp": pair(title),
        "bb": f"{pair(complex(left, bottom))},{pair(complex(right, top))}",
        "style": "rounded",
        "color": colours["faint"],
        "fontcolor": colours["faint"],
        "fontsize": f"{LETTERS:g}",
    }


class _Markup(str):
    """A value in Graphviz's HTML."""


def _label(text: str, size: float) -> str:
    lowered = markup(text, size, LIMIT)
    return escape(text, LIMIT) if lowered is None else _Markup(lowered)


def statement(subject: str, attributes: Mapping[str, str]) -> str:
    """One line of DOT."""
    written = [f"{k}=<{v}>" if isinstance(v, _Markup) else f"{k}={quoted(v)}" for k, v in attributes.items()]
    return f"\t{subject} [{' '.join(written)}]\n"


def quoted(text: str) -> str:
    """In quotes.  Backslashes are taken as they are: in DOT they mean something to what reads the value."""
    return '"' + text.replace('"', '\\"') + '"'


def _coloured(attributes: Mapping[str, str], colours: Colours) -> dict[str, str]:
    """With the theme's colours for their names."""
    return {key: ":".join(colours.get(word, word) for word in value.split(":")) for key, value in attributes.items()}


def pair(at: complex) -> str:
    return f"{at.real:.1f},{at.imag:.1f}"


def inches(points: float) -> str:
    return f"{points / 72:.3f}"


def _mixed(one: str, other: str, share: float) -> str:
    """The colour at a share of the way from one to the other."""
    a, b = (bytes.fromhex(colour[1:]) for colour in (one, other))
    return "#" + bytes(round(x + (y - x) * share) for x, y in zip(a, b, strict=True)).hex()
