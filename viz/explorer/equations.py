"""The equations of a run, each with the steps whose values it defines, as MathML where latex2mathml is installed."""

from __future__ import annotations

import html
import importlib.util
import xml.etree.ElementTree as ElementTree
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Literal

from tinygrad_rnn.tracing.circuit import FoldError
from tinygrad_rnn.tracing.record import Graph
from tinygrad_rnn.tracing.recorder import Step
from viz.equations import equations

MATHML = "math mrow mi mn mo mtext mspace msup msub msubsup mover munder munderover mfrac msqrt mtable mtr mtd mstyle"
"""The elements that a formula may have on the page: what else latex2mathml might make of a name is not let in."""
ZERO_WIDTH_SPACE = "\N{ZERO WIDTH SPACE}"  # a browser may begin a line there
NO_BREAK_SPACE = "\N{NO-BREAK SPACE}"  # latex2mathml's
ATTRIBUTES = "mathvariant", "stretchy", "fence", "form", "columnalign", "width"


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
            text = equations(graph, of)
        except FoldError:
            return
        reading, unicode = text.reading, text.splitlines()
        lines = defaultdict[object, list[str]](list)
        for equation, *line in zip(reading.equations, unicode, text.latex.splitlines(), strict=False):
            lines[equation.left.variable].append(_html(*line))
        self.of = {step: lines[variable] for (variable, _), step in reading.recorded.items() if variable in lines}
        self.notes = unicode[len(reading.equations) :]


def _html(line: str, latex: str) -> str:
    if importlib.util.find_spec("latex2mathml") is None:
        return html.escape(line)
    try:
        return mathml(latex)
    except Exception:  # whatever latex2mathml does not understand: the line is there in Unicode
        return html.escape(line)


def mathml(latex: str) -> str:
    """A line of LaTeX in HTML that a narrow window can break: formulas as MathML, one for each term of a sum that is in
    no parentheses, and words between them as text.

    Raises ValueError for what has no place in a page, and whatever latex2mathml raises.
    """
    from latex2mathml.converter import convert

    formula = ElementTree.fromstring(convert(latex))
    for element in formula.iter():
        element.tag = element.tag.rpartition("}")[2]
        element.attrib = {k: v for k, v in element.attrib.items() if k in ATTRIBUTES}
        if element.tag not in MATHML.split():
            raise ValueError(f"no formula has a <{element.tag}>")
    row = formula.find("mrow")
    return ZERO_WIDTH_SPACE.join(map(_written, _parts(formula if row is None else row)))


def _parts(row: Iterable[ElementTree.Element]) -> Iterator[list[ElementTree.Element]]:
    """The elements of a row, cut before and behind words, and before each further term of the sum behind its =."""
    part: list[ElementTree.Element] = []
    depth, equals, before = 0, False, ""
    for element in row:
        text = element.text or "" if element.tag == "mo" else ""
        term = text in ("+", "\N{MINUS SIGN}") and equals and before != "=" and not depth
        if part and (term or _is_words(element) or _is_words(part[-1])):
            yield part
            part = []
        if term:
            element.set("form", "infix")  # first in its row it would be taken for a sign
        depth += (text == "(") - (text == ")")
        equals, before = equals or text == "=", text
        part.append(element)
    yield part


def _is_words(element: ElementTree.Element) -> bool:
    return element.tag == "mtext" and NO_BREAK_SPACE in (element.text or "")


def _written(part: list[ElementTree.Element]) -> str:
    if part and _is_words(part[0]):
        return html.escape((part[0].text or "").replace(NO_BREAK_SPACE, " "))
    formula = ElementTree.Element("math")
    ElementTree.SubElement(formula, "mrow").extend(part)
    return ElementTree.tostring(formula, encoding="unicode")
