"""Equations as plain text: h⁽ᵗ⁾ = tanh(b + W h⁽ᵗ⁻¹⁾ + U x⁽ᵗ⁾)."""

from __future__ import annotations

from collections.abc import Sequence

from tinygrad_rnn.autodiff.operation import OPERATIONS
from viz.equations.printing import ATOM, PRODUCT, TIMES, Notation, Written, digits
from viz.equations.terms import Constant, Symbol, Term
from viz.labels import at_step, superscript, visible

_SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


class Unicode(Notation):
    minus, times, beside = "−", " ⊙ ", " "

    def symbol(self, s: Symbol) -> str:
        v = s.variable
        mark = v.mark.translate(_SUBSCRIPTS) if v.mark.isdigit() else f"_{visible(v.mark)}" if v.mark else ""
        name = visible(v.name) + mark
        if s.time is not None:
            name = at_step(name, *self.step(s.time, v.loop))
        return f"∂{visible(v.loss)}/∂{name}" if v.loss else name

    def number(self, value: float) -> str:
        return "/".join(part for part in digits(value) if part).replace("-", "−")

    def ones(self) -> str:
        return "𝟏"

    def parentheses(self, text: str) -> str:
        return f"({text})"

    def fraction(self, a: Term, b: Term) -> Written:
        return f"{self.text(a, ATOM)}/{self.text(b, ATOM)}", PRODUCT if isinstance(a, Constant) else TIMES

    def raised(self, base: str, exponent: str) -> str:
        return base + superscript(exponent)

    def transposed(self, base: str) -> str:
        return base + "ᵀ"

    def function(self, name: str, arguments: Sequence[str]) -> str:
        return f"{self.sign(name)}({', '.join(arguments)})"

    def sign(self, operation: str) -> str:
        entry = OPERATIONS.get(operation)
        is_sign = entry is not None and (entry.glyph.isidentifier() or len(entry.glyph) < 3)
        return entry.glyph if entry is not None and is_sign else operation

    def option(self, name: str, value: str) -> str:
        return f"{name} = {visible(value)}"

    def indexed(self, base: str, index: str) -> str:
        return f"{base}[{visible(index)}]"

    def column(self, parts: Sequence[str], between: str) -> str:
        return f"[{between.join(parts)}]"

    def fenced(self, fence: str, text: str) -> str:
        return f"{fence}{text}{fence}"

    def every(self, first: str, last: str) -> str:
        return f"({first}, …, {last})"

    def sigma(self, letter: str, condition: str) -> str:
        return f"Σ[{condition}]" if condition else "Σ" + {"s": "ₛ", "t": "ₜ", "i": "ᵢ"}[letter]

    def relations(self, parts: Sequence[str]) -> str:
        return " ≤ ".join(parts)

    def cases(self, texts: Sequence[str], t: str, times: Sequence[str]) -> str:
        return "{" + "; ".join(f"{a} at {t} = {when}" for a, when in zip(texts, times, strict=True)) + "}"

    def equation(self, left: str, right: str, condition: str) -> str:
        return f"{left} = {right}" + (f",  {condition}" if condition else "")

    def note(self, formula: str, words: str) -> str:
        return formula + words
