"""A diagram as part of the page: SVG without outside references, in the page's colours, its vertices to be chosen."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections import defaultdict
from collections.abc import Mapping

from viz.diagrams.diagram import THEMES, Diagram
from viz.diagrams.render import svg
from viz.labels import identifier, visible

THEME = "dark"  # no two colours of it are the same, so that each can be told from the SVG
LONGEST = 10_000  # characters of a description
COLOURS = {colour: f"var(--{name})" for name, colour in THEMES[THEME].items()}


def picture(diagram: Diagram, labels: Mapping[int, str]) -> str:
    """The `<svg>` element of a diagram that is drawn in THEME.

    labels: for the numbers of the vertices that can be chosen, what a screen reader calls them. The group of a vertex
    has its number in `data-vertex`; that of an arrow has in `data-from` and `data-to` the numbers of the vertices that
    it joins, through delays too, with spaces between.
    """
    root = ElementTree.fromstring(svg(diagram.source, "neato"))
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]  # HTML knows SVG without a namespace
        element.attrib = {k: COLOURS.get(v, v) for k, v in element.attrib.items() if k[0] != "{" and k != "id"}
    width, height = (float(root.attrib[side].removesuffix("pt")) for side in ("width", "height"))
    size = {"viewBox": root.attrib["viewBox"], "style": f"--width: {width:g}pt; --ratio: {width / height:.3f}"}
    root.attrib = {**size, "role": "group", "aria-label": visible(diagram.description, LONGEST)}
    numbers = {identifier(vertex.id): i for i, vertex in enumerate(diagram.vertices)}
    met = _met(diagram)
    for group in root.iter("g"):
        title = group.find("title")
        name = "" if title is None else title.text or ""
        if title is not None:
            group.remove(title)
        what = group.attrib.get("class", "").split(" ")[0]
        if what == "edge":
            tails, heads = met[name]
            group.attrib |= {"data-from": " ".join(map(str, tails)), "data-to": " ".join(map(str, heads))}
        elif what == "node":
            number = numbers[name]
            group.attrib["data-vertex"] = str(number)
            if number in labels:
                group.attrib |= {"tabindex": "0", "role": "button", "aria-label": labels[number]}
    return ElementTree.tostring(root, encoding="unicode")


def _met(diagram: Diagram) -> dict[str, tuple[list[int], list[int]]]:
    """For each arrow, by Graphviz' title of it, the vertices that it comes from and those that it leads to."""
    heads, tails = defaultdict[str, list[str]](list), defaultdict[str, list[str]](list)
    for arrow in diagram.arrows:
        heads[arrow.tail].append(arrow.head)
        tails[arrow.head].append(arrow.tail)
    vertices = {vertex.id: (i, vertex) for i, vertex in enumerate(diagram.vertices)}

    def beyond(id: str, neighbours: Mapping[str, list[str]]) -> list[int]:
        """The vertices that are met first from here on, past delay squares and values carried to the next step."""
        pending, met = [id], []
        for place in pending:
            number, vertex = vertices[place]
            if vertex.is_passed_through or vertex.kind == "carried":
                pending += [other for other in neighbours[place] if other not in pending]
            else:
                met.append(number)
        return met

    return {
        f"{identifier(arrow.tail)}->{identifier(arrow.head)}": (beyond(arrow.tail, tails), beyond(arrow.head, heads))
        for arrow in diagram.arrows
    }
