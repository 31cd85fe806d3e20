"""The equations of a run, each with the steps whose values it defines, as MathML where latex2mathml is installed."""

from __future__ import annotations

import html
import importlib.util
import xml.etree.ElementTree as ElementTree
from collections import defaultdict
from typing import Literal

from tinygrad_rnn.circuit import FoldError
from tinygrad_rnn.record import Graph
from tinygrad_rnn.recorder import Step
from viz.equations import equations, read

MATHML = "math mrow mi mn mo mtext mspace msup msub msubsup mover munder munderover mfrac msqrt mtable mtr mtd mstyle"
"""The elements that a formula may have on the page: what else latex2mathml might make of a name is not let in."""


class Equations:
    """of  for each step of the run the equations that define it, in HTML; notes  what is true of all of them, as text

    Where there is no such pass, None, or no circuit of it, there are none.
    """

    def __init__(self, graph: Graph | None, of: Literal["forward", "backward"]):
        self.of: dict[Step, list[str]] = {}
        self.notes: list[str] = []
        if graph is None:
            return
        try:
            reading = read(graph, of)
        except FoldError:
            return
        unicode, latex = (equations(graph, of, format).splitlines() for format in ("unicode", "latex"))
        lines = defaultdict[object, list[str]](list)
        for equation, *line in zip(reading.equations, unicode, latex, strict=False):
            lines[equation.left.variable].append(_html(*line))
        self.of = {step: lines[variable] for (variable, _), step in reading.recorded.items() if variable in lines}
        self.notes = unicode[len(reading.equations) :]


def _html(line: str, latex: str) -> str:
    if importlib.util.find_spec("latex2mathml") is None:
        return html.escape(line)
    from latex2mathml.converter import convert

    try:
        formula = ElementTree.fromstring(convert(latex))
    except Exception:  # whatever it does not understand: the line is there in Unicode
        return html.escape(line)
    for element in formula.iter():
        element.tag = element.tag.rpartition("}")[2]
        element.attrib = {k: v for k, v in element.attrib.items() if k in ("mathvariant", "stretchy", "columnalign")}
        if element.tag not in MATHML.split():
            return html.escape(line)
    return ElementTree.tostring(formula, encoding="unicode")
