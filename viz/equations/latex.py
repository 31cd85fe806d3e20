r"""Equations in LaTeX: h^{(t)} = \tanh\left(b + W\,h^{(t-1)} + U\,x^{(t)}\right)."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tinygrad_rnn.autodiff.operation import OPERATIONS
from tinygrad_rnn.tracing import notation
from viz.equations.printing import ATOM, Notation, Written, digits
from viz.equations.terms import Symbol, Term
from viz.labels import visible

_ESCAPES = {c: "\\" + c for c in "_%#&${} "} | {
    "\\": r"\backslash ",
    "~": r"\sim ",
    "^": r"\wedge ",
    "<": r"\lt ",
    ">": r"\gt ",
    "'": r"\prime ",
}


class Latex(Notation):
    minus, times, beside, dots, less, more, ones, then = (
        "-",
        r" \odot ",
        r" \, ",
        r"\ldots",
        r" \leq ",
        r" \geq ",
        r"\mathbf{1}",
        r", \quad ",
    )

    def word(self, text: str) -> str:
        return _letters(text, 1)

    def symbol(self, s: Symbol) -> str:
        v = s.variable
        step = f"({','.join(map(self.step, s.times))})" if s.times else ""
        name = _name(v.name, step)
        return rf"\frac{{\partial {_name(v.loss)}}}{{\partial {name}}}" if v.loss else name

    def number(self, value: float) -> str:
        above, below, exponent = digits(value)
        above, below = (
            re.sub(r"√(\d+)", r"\\sqrt{\1}", text).replace("π", r"\pi").replace("…", r"\ldots")
            for text in (above, below)
        )
        text = rf"\frac{{{above}}}{{{below}}}" if below else above
        if exponent:
            text = ("" if text == "1" else rf"{text} \cdot ") + f"10^{{{int(exponent)}}}"
        return text

    def fence(self, text: str, left: str = "(", right: str = ")") -> str:
        left, right = (r"\|" if end == "‖" else end for end in (left, right))
        return rf"\left{left}{text}\right{right}"

    def fraction(self, a: Term, b: Term) -> Written:
        return rf"\frac{{{self.text(a)}}}{{{self.text(b)}}}", ATOM

    def raised(self, base: str, exponent: str) -> str:
        return (f"{{{base}}}" if "^" in base else base) + f"^{{{exponent}}}"

    def transposed(self, base: str) -> str:
        if base.endswith(")}"):  # h^{(t)}, to which it is added
            return base[:-1] + r"\top}"
        return self.raised(base, r"\top")

    def function(self, name: str, arguments: Sequence[str]) -> str:
        entry = OPERATIONS.get(name)
        if name == "sqrt":
            return rf"\sqrt{{{arguments[0]}}}"
        is_sign = entry is not None and (entry.glyph.isidentifier() or len(entry.glyph) == 1) and entry.latex != "/"
        written = entry.latex if entry is not None and is_sign else rf"\operatorname{{{name.replace('_', '-')}}}"
        return rf"{written}\left({', '.join(arguments)}\right)"

    def sign(self, operation: str) -> str:
        return OPERATIONS[operation].latex

    def indexed(self, base: str, places: Sequence[str]) -> str:
        return rf"{{{base}}}_{{{', '.join(places)}}}"

    def sigma(self, letter: str, condition: str) -> str:
        return rf"\sum_{{{condition or letter}}}"

    def cases(self, texts: Sequence[str], conditions: Sequence[str]) -> str:
        words = (rf"\text{{if }} {when}" if when else r"\text{otherwise}" for when in conditions)
        rows = r" \\ ".join(f"{a} & {when}" for a, when in zip(texts, words, strict=True))
        return rf"\begin{{cases}}{rows}\end{{cases}}"

    def note(self, formula: str, words: str) -> str:
        return rf"{formula} \text{{{words}}}".strip()


def _name(text: str, step: str = "") -> str:
    """A name of the code, and a step beside what else is raised."""
    name = notation.name(text)
    accent = next((accent for accent, mark in notation.ACCENTS.items() if mark == name.accent), "")
    below = ", ".join(map(_letters, name.subscripts))
    above = name.superscript.replace("′", r"\prime ") + step
    letters = _letters(name.letters, 1)
    return (
        (rf"\{accent}{{{letters}}}" if accent else letters)
        + (f"_{{{below}}}" if below else "")
        + (f"^{{{above}}}" if above else "")
    )


def _letters(text: str, most: int = 2) -> str:
    """Letters in italics: a word of more than so many as a word, not as a product."""
    text = visible(text)
    if text.isalnum():
        return text if len(text) <= most or text.isdecimal() else rf"\textit{{{text}}}"
    return rf"\mathit{{{''.join(_ESCAPES.get(c, c) for c in text)}}}"
