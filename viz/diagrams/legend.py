"""The key at the bottom of a drawing: a sample of each kind of vertex or arrow, and what it means."""

from collections.abc import Iterator, Sequence

from viz.diagrams import dot
from viz.diagrams.bezier import Curve
from viz.diagrams.vertices import COLUMN, DIAMETERS, ROW, Arrow, Vertex
from viz.labels import escape, visible, width

LETTERS = 11.0
LINE = 20.0  # from one line of the key to the next
SAMPLE = 28.0  # the room for a sample
SMALL = 14.0  # the diameter of a vertex


def legend(entries: Sequence[tuple[str, str]], low: complex, high: complex, colours: dot.Colours) -> Iterator[str]:
    """DOT statements for a key below a drawing between two corners, as wide as the drawing if there is room."""
    at = complex(low.real, low.imag - LINE)
    for i, (kind, text) in enumerate(entries):
        size = complex(0.95 * LETTERS * width(visible(text)) + 16, LINE)
        if at.real > low.real and at.real + SAMPLE + size.real > high.real:
            at = complex(low.real, at.imag - LINE)
        name = dot.quoted(f"%legend {i}")  # no vertex has this name: an identifier has %25 for %
        attributes = {
            "label": escape(text) + r"\l",
            "pos": dot.pair(at + SAMPLE + size.real / 2),
            "shape": "plaintext",
            "style": "solid",
            "fontname": "Times-Roman",
            "fontsize": f"{LETTERS:g}",
            "margin": "0",
            "width": dot.inches(size.real),
            "height": dot.inches(size.imag),
            "class": "legend",
        }
        yield dot.statement(name, attributes)
        yield from _sample(name, kind, at, colours)
        at += SAMPLE + size.real + SMALL


def _sample(name: str, kind: str, at: complex, colours: dot.Colours) -> Iterator[str]:
    """A small vertex, or a short arrow: to DOT it joins the text with itself, for it must join something."""
    if kind in dot.LOOKS:
        middle = at + (SAMPLE - 6) / 2
        sample_name = dot.quoted(f"%sample of {kind}")
        sample = Vertex("", "", middle.real / COLUMN, middle.imag / ROW, kind)
        small = dot.inches(min(DIAMETERS[kind], SMALL))
        yield dot.node(sample_name, sample, colours)
        yield dot.statement(sample_name, {"width": small, "height": small})
    else:
        arrow = Arrow("", "", kind=kind)
        line = Curve(tuple((SAMPLE - 6) * share + 0j for share in (0, 0.33, 0.67, 1)))
        yield dot.edge(f"{name} -> {name}", arrow, at, line.pointed(arrow.barb), None, colours)
