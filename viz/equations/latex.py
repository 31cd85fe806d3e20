r"""Equations in LaTeX: h^{(t)} = \tanh\left(b + W\,h^{(t-1)} + U\,x^{(t)}\right)."""

from __future__ import annotations

from collections.abc import Sequence

from tinygrad_rnn.autodiff.operation import OPERATIONS
from viz.equations.printing import ATOM, Notation, Written, digits
from viz.equations.terms import Symbol, Term, Variable
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
    minus, times, beside = "-", r" \odot ", r" \, "

    def symbol(self, s: Symbol) -> str:
        v = s.variable
        name = self._variable(v)
        if s.time is not None:
            step, offset = self.step(s.time, v.loop)
            name += f"^{{({step}{f'{offset:+d}' if offset else ''})}}"
        return rf"\frac{{\partial {_name(v.loss)}}}{{\partial {name}}}" if v.loss else name

    def _variable(self, v: Variable) -> str:
        return _name(v.name) + (f"_{{{_name(v.mark)}}}" if v.mark else "")

    def number(self, value: float) -> str:
        above, below = digits(value)
        if below:
            return rf"\frac{{{above}}}{{{below}}}"
        mantissa, _, exponent = above.rstrip("…").partition("e")
        mantissa += r"\ldots" * above.endswith("…")
        return rf"{mantissa} \cdot 10^{{{int(exponent)}}}" if exponent else mantissa

    def ones(self) -> str:
        return r"\mathbf{1}"

    def parentheses(self, text: str) -> str:
        return rf"\left({text}\right)"

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

    def option(self, name: str, value: str) -> str:
        return f"{_name(name)} = {_name(value)}"

    def indexed(self, base: str, index: str) -> str:
        return rf"{base}\left[{index}\right]"

    def column(self, parts: Sequence[str], between: str) -> str:
        return rf"\left[{between.join(parts)}\right]"

    def fenced(self, fence: str, text: str) -> str:
        return rf"\left|{text}\right|" if fence == "|" else rf"\left\|{text}\right\|"

    def every(self, first: str, last: str) -> str:
        return rf"\left({first}, \ldots, {last}\right)"

    def sigma(self, letter: str, condition: str) -> str:
        return rf"\sum_{{{condition or letter}}}"

    def relations(self, parts: Sequence[str]) -> str:
        return r" \leq ".join(parts)

    def cases(self, texts: Sequence[str], t: str, times: Sequence[str]) -> str:
        rows = r" \\ ".join(rf"{a} & {t} = {when}" for a, when in zip(texts, times, strict=True))
        return rf"\begin{{cases}}{rows}\end{{cases}}"

    def equation(self, left: str, right: str, condition: str) -> str:
        return f"{left} = {right}" + (rf", \quad {condition}" if condition else "")

    def note(self, formula: str, words: str) -> str:
        return rf"{formula} \text{{{words}}}".strip()


def _name(text: str) -> str:
    """A name in italics, of any characters."""
    if text == "ŷ":
        return r"\hat{y}"
    text = visible(text)
    if text.isalnum():
        return text if len(text) == 1 else rf"\textit{{{text}}}"
    return rf"\mathit{{{''.join(_ESCAPES.get(c, c) for c in text)}}}"
