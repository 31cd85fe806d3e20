"""Terms as text. How tightly a term binds decides on parentheses; `latex` writes each thing otherwise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from itertools import pairwise

import numpy as np

from tinygrad_rnn.autodiff.operation import OPERATIONS
from viz.equations import algebra
from viz.equations import terms as of
from viz.equations.terms import Symbol, Term, Time
from viz.labels import at_step, superscript, typeset, visible

RELATION, SUM, BIG_SUM, TIMES, PRODUCT, ATOM = range(6)
"""How tightly a term binds, from the loosest to the tightest."""
Written = tuple[str, int]
_SUBSCRIPTS = dict(zip("0123456789ts+− ", "₀₁₂₃₄₅₆₇₈₉ₜₛ₊₋ ", strict=True))


class Notation:
    """Writes the terms of one line as plain text: h⁽ᵗ⁾ = tanh(b + W h⁽ᵗ⁻¹⁾ + U x⁽ᵗ⁾).

    lengths  of the loops
    letters  for them, by the number of the loop; by None, that for the number of examples
    timed    whether the line is about a step t: what a sum in it runs over is s then
    """

    minus, times, beside, dots, less, ones, then = "−", " ⊙ ", " ", "…", " ≤ ", "𝟏", ",  "

    def __init__(self, lengths: Sequence[int], letters: Mapping[int | None, str], timed: bool):
        self.lengths, self.letters, self.timed = lengths, letters, timed

    def text(self, term: Term, at_least: int = RELATION) -> str:
        """A term, in parentheses if it binds less tightly than it has to."""
        text, binding = self._written(term)
        return text if binding >= at_least else self.fence(text)

    def _written(self, term: Term) -> Written:
        match term:
            case of.Constant():
                is_ones = term.shape != () and term.value == 1
                if is_ones:
                    return self.transposed(self.ones) if term.shape[0] == 1 else self.ones, ATOM
                return self.number(term.value), ATOM if term.value >= 0 else SUM
            case Symbol():
                return self.symbol(term), ATOM
            case of.BatchSize():
                return self.letters[None], ATOM
            case of.OneHot():
                return self.text(term.parts[0], ATOM), ATOM
            case of.Add():
                return self._sum(term.parts), SUM
            case of.Negative():
                return self.minus + self.text(term.parts[0], BIG_SUM), SUM
            case of.Product():
                return self._product(term.parts)
            case of.Hadamard():
                return self.times.join(self.text(p, ATOM) for p in term.parts), TIMES
            case of.Quotient():
                return self.fraction(*term.parts)
            case of.Power():
                return self.raised(self._base(term.parts[0]), f"{term.exponent:g}"), ATOM
            case of.Transpose():
                inner = term.parts[0]
                plain = isinstance(inner, Symbol) and not inner.variable.loss
                return self.transposed(self.text(inner) if plain else self._base(inner)), ATOM
            case of.Diagonal():
                return self.function("diag", [self.text(term.parts[0])]), ATOM
            case of.Every():
                return self.fence(f", {self.dots}, ".join(self._ends(term))), ATOM
            case of.TimeSum():
                s = "s" if self.timed else "t"
                when = self.condition(s, term.loop, term.steps)
                return f"{self.sigma(s, when)} {self.text(term.parts[0], BIG_SUM)}", BIG_SUM
            case of.BatchSum():
                return f"{self.sigma('i', '')} {self.text(term.parts[0], BIG_SUM)}", BIG_SUM
            case of.Cases():
                return self._cases(term)
            case of.Call():
                return self._call(term)
        raise TypeError(f"no notation for {term!r}")

    def _cases(self, term: of.Cases) -> Written:
        assert term.time is not None
        letter, offset = self.step(term.time, term.loop)
        steps = [[t - offset for times in when for t in times if t >= offset] for when in term.when]
        domain = sorted(t for times in steps for t in times)
        options = [(self.text(part), times) for part, times in zip(term.parts, steps, strict=True) if times]
        if len(options) == 1:  # the other one is for a step before the first
            return self._written(term.parts[steps.index(options[0][1])])
        conditions = [self.condition(str(letter), term.loop, times, domain) for _, times in options]
        texts = [text for text, _ in options]
        listed = max(range(len(options)), key=lambda i: (conditions[i].count(","), i))
        if "," in conditions[listed]:
            texts.append(texts.pop(listed))
            conditions = [when for i, when in enumerate(conditions) if i != listed] + [""]
        return self.cases(texts, conditions), ATOM

    def _sum(self, parts: Sequence[Term]) -> str:
        text = self.text(parts[0], SUM)
        for part in parts[1:]:
            below = isinstance(part, of.Negative) or (isinstance(part, of.Constant) and part.value < 0)
            text += f" {self.minus} " if below else " + "
            text += self.text(algebra.negative(part) if below else part, BIG_SUM)
        return text

    def _product(self, parts: Sequence[Term]) -> Written:
        match parts:
            case [of.Constant(value=value), of.Quotient(parts=(of.Constant(value=1.0), B)), *others]:
                above, below, _ = digits(value)
                if above.isdigit() and below.isdigit():  # 2/15 1/B
                    value, B = int(above), algebra.product(algebra.constant(int(below)), B)
                parts = [of.Quotient((), (algebra.constant(value), B)), *others]  # ½ 1/B
        texts: list[str] = []
        binding = PRODUCT
        for i, part in enumerate(parts):
            if is_square(parts[max(i - 1, 0) : i + 1]):
                texts[-1] = self.raised(self.fence(self.text(part), "‖", "‖"), "2")
            elif i == len(parts) - 1 and isinstance(part, of.TimeSum | of.BatchSum):
                texts.append(self.text(part))
                binding = BIG_SUM
            else:
                texts.append(self.text(part, ATOM if isinstance(part, of.Product) else PRODUCT))
        return self.beside.join(texts), binding if len(texts) > 1 or len(parts) == 1 else ATOM

    def _ends(self, every: of.Every) -> tuple[str, str]:
        """What is at the first and at the last step."""
        (step,) = every.parts
        first, last = (of.at_moment(step, s, every.loop, self.lengths, "s") for s in (every.steps[0], every.steps[-1]))
        if every.time is not None:
            last = of.at(step, every.time.base, every.time.offset, "s")
        return self.text(first), self.text(last)

    def _base(self, term: Term) -> str:
        """What is to be raised or transposed: in parentheses if something is raised there already."""
        raised = isinstance(term, of.Power | of.Transpose) or (
            isinstance(term, Symbol) and bool(term.time is not None or term.variable.loss)
        )
        return self.fence(self.text(term)) if raised else self.text(term, ATOM)

    def _call(self, term: of.Call) -> Written:
        name, parts, attributes = term.operation, term.parts, term.attributes
        if name == "getitem" and not term.batches:
            return self.indexed(self.text(parts[0], ATOM), self._index(term)), ATOM
        if name == "concatenate" and isinstance(parts[0], of.Every) and len(parts) == 1:
            between = "; " if attributes["axis"] == 0 else ", "
            return self.fence(f"{between}{self.dots}{between}".join(self._ends(parts[0])), "[", "]"), ATOM
        if name in ("concatenate", "stack") and len(parts) > 1 and not term.batches:
            return self.fence(("; " if attributes["axis"] == 0 else ", ").join(map(self.text, parts)), "[", "]"), ATOM
        if name in ("absolute", "norm") and not term.batches:
            inner = parts[0].parts[0] if isinstance(parts[0], of.Transpose) else parts[0]
            return self.fence(self.text(inner), *("||" if name == "absolute" else "‖‖")), ATOM
        if name == "sqrt" and isinstance(parts[0], of.Product) and is_square(parts[0].parts):
            return self.fence(self.text(parts[0].parts[1]), "‖", "‖"), ATOM
        if name == "log" and isinstance(parts[0], Symbol):
            return f"{self.sign(name)} {self.text(parts[0])}", PRODUCT
        if name == "where":
            return self._where(parts), ATOM
        operation = OPERATIONS[name]
        if name == "power":
            return self.raised(self._base(parts[0]), self.text(parts[1])), ATOM
        infix = name == "remainder" or not operation.glyph.isidentifier()
        if len(parts) == operation.arity == 2 and infix and name != "cross_entropy" and not term.batches:
            text = f"{self.text(parts[0], SUM)} {self.sign(name)} {self.text(parts[1], SUM)}"
            return text, RELATION
        arguments = [self.text(p) for p in parts]
        if name == "scatter":
            arguments = [arguments[0], *self._index(term)]
        if name not in ("reshape", "broadcast_to", "scatter", "cross_entropy", "label_weight"):
            hidden = ("keepdims", "axis") if all(len(shape) < 2 for shape in term.shapes) else ("keepdims",)
            for key, value in attributes.items():
                if key not in hidden and value is not operation.defaults.get(key):
                    arguments.append(f"{self.word(key)} = {self.word(str(value))}")
        if term.batches:
            arguments[-1] += self.note("", " of all examples")
        return self.function(name, arguments), ATOM

    def _where(self, parts: Sequence[Term]) -> str:
        """One thing where a condition holds and another where it does not."""
        condition, one, other = parts
        texts, conditions = [self.text(one)], [self.text(condition)]
        while isinstance(other, of.Call) and other.operation == "where":
            condition, one, other = other.parts
            texts.append(self.text(one))
            conditions.append(self.text(condition))
        return self.cases([*texts, self.text(other)], [*conditions, ""])

    def _index(self, term: of.Call) -> list[str]:
        """The places that are read, counted from 1; 2:5 is from the second to the fifth."""
        sizes = iter(term.attributes.get("shape", term.shapes[0]))
        tensors = iter(term.parts[1:])
        found = []
        for part in term.attributes["index"]:
            if isinstance(part, int | slice | of.Moving):
                found.append(self._places(part, next(sizes, 1), term.time))
            elif part is None or part is ... or isinstance(part, np.ndarray):
                found.append("…" if part is not None else "·")
            else:
                found.append(self.text(next(tensors)))
        return found

    def _places(self, part: int | slice | of.Moving, n: int, time: Time | None) -> str:
        if isinstance(part, of.Moving):
            assert time is not None
            letter, offset = self.step(time, part.loop)
            by, rest = divmod(part.values[1] - part.values[0], part.steps.step)
            if rest or any(b - a != by * part.steps.step for a, b in pairwise(part.values)):
                return "…"
            start = part.values[0] + 1 + by * (offset - part.steps.start - 1)  # at t = 0
            if not isinstance(letter, str):
                return str(start + by * letter)
            factor = {1: "", -1: self.minus}.get(by, str(by).replace("-", self.minus))
            return f"{factor}{letter}" + (f"{'+' if start > 0 else self.minus}{abs(start)}" if start else "")
        if isinstance(part, int):
            return str(part % n + 1)
        if isinstance(part.start, of.Moving) or isinstance(part.stop, of.Moving):
            end = part.stop or n
            last = end._replace(values=tuple(v - 1 for v in end.values)) if isinstance(end, of.Moving) else end - 1
            return f"{self._places(part.start or 0, n, time)}:{self._places(last, n, time)}"
        start, stop, step = part.indices(n)
        last = range(start, stop, step)[-1] if range(start, stop, step) else start
        if (start, last, step) == (0, n - 1, 1):
            return ":"
        if start == last:
            return str(start + 1)
        return f"{start + 1}:{last + 1}" if abs(step) == 1 else f"{start + 1}:{step}:{last + 1}"

    # -- steps -----------------------------------------------------------------------------------------------------

    def step(self, time: Time, loop: int | None) -> tuple[str | int, int]:
        """The letter or number of a step, and what is added to it."""
        if time.base == "1":
            return 1 + time.offset, 0
        letter = self.letters[loop or 0] if time.base == "T" else "s" if time.base == "s" and self.timed else "t"
        factor = {1: "", -1: self.minus}.get(time.stride, str(time.stride).replace("-", self.minus))
        end = self.letters[loop or 0] if time.mirrored else ""
        return f"{end}{factor}{letter}", time.offset + 1 - time.stride

    def condition(self, t: str, loop: int, times: Sequence[int], domain: Sequence[int] | None = None) -> str:
        """Which steps, from 0, of all: "t > 1", "2 ≤ t ≤ 5", "t < T", "t odd", "t = 3, 6, 9"; "" for all."""
        T, n = self.letters[loop], self.lengths[loop]
        domain = range(n) if domain is None else domain
        first, last = times[0], times[-1]

        def end(step: int) -> str:
            after = n - 1 - step
            return str(step + 1) if step < after else f"{T} {self.minus} {after}" if after else T

        if len(times) == len(domain):
            return ""
        if first == last:
            return f"{t} = {end(first)}"
        if len(times) == last - first + 1:
            if first == domain[0]:
                return f"{t} < {end(last + 1)}" if T in end(last + 1) else f"{t}{self.less}{last + 1}"
            if last == domain[-1]:
                return f"{t} > {end(first - 1)}"
            return end(first) + self.less + t + (f" < {T}" if last == n - 2 else self.less + end(last))
        by = times[1] - first
        is_class = [*times] == [step for step in domain if step % by == first % by]
        if is_class and len(times) >= min(by, 3) and (by == 2 or (first + 1) % by == 0):
            return t + self.note("", f" a multiple of {by}" if by > 2 else " even" if first % 2 else " odd")
        shown = [str(step + 1) for step in times]
        return f"{t} = {', '.join(shown if len(shown) < 7 else [*shown[:3], '…', shown[-1]])}"

    # -- how each kind of thing is written ---------------------------------------------------------------------------

    def word(self, text: str) -> str:
        """A name, of any characters."""
        return visible(text)

    def symbol(self, s: Symbol) -> str:
        v = s.variable
        name = typeset(v.name)
        if s.time is not None:
            name = at_step(name, *self.step(s.time, v.loop))
        return f"∂{typeset(v.loss)}/∂{name}" if v.loss else name

    def number(self, value: float) -> str:
        above, below, exponent = digits(value)
        text = f"{above}/{below}" if below else above
        if exponent:
            text = ("" if text == "1" else f"{text}·") + "10" + superscript(str(int(exponent)))
        return text.replace("-", "−")

    def fence(self, text: str, left: str = "(", right: str = ")") -> str:
        return left + text + right

    def fraction(self, a: Term, b: Term) -> Written:
        return f"{self.text(a, ATOM)}/{self.text(b, ATOM)}", PRODUCT if isinstance(a, of.Constant) else TIMES

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

    def indexed(self, base: str, places: Sequence[str]) -> str:
        text = ", ".join(places)
        if not set(text) <= {*_SUBSCRIPTS, ":"} or text == ":":
            return f"{base}[{text}]"
        below = "".join(_SUBSCRIPTS.get(c, c) for c in text)
        return f"({base}){below}" if base[-1:] in _SUBSCRIPTS.values() else base + below

    def sigma(self, letter: str, condition: str) -> str:
        return f"Σ[{condition}]" if condition else "Σ" + {"s": "ₛ", "t": "ₜ", "i": "ᵢ"}[letter]

    def cases(self, texts: Sequence[str], conditions: Sequence[str]) -> str:
        rows = (f"{a} if {when}" if when else f"{a} otherwise" for a, when in zip(texts, conditions, strict=True))
        return "{" + "; ".join(rows) + "}"

    def equation(self, left: str, right: str, condition: str) -> str:
        return f"{left} = {right}" + f"{self.then}{condition}" * bool(condition)

    def note(self, formula: str, words: str) -> str:
        return formula + words


def is_square(factors: Sequence[Term]) -> bool:
    """Whether a product is xᵀ x."""
    match factors:
        case [of.Transpose(parts=(x,)), y]:
            return x == y and y.shape[1:] == (1,)
    return False


def digits(value: float) -> tuple[str, str, str]:
    """A number as a person writes it: what is above and below a fraction's line, and the exponent of a power of ten.
    2/3, √3, 1/√8, 2π, 2.5 · 10⁻⁷. It ends in … where there is more of it."""
    mantissa, _, exponent = f"{value:.6g}".partition("e")
    fraction = Fraction(value).limit_denominator(1000) if np.isfinite(value) else Fraction(0)
    if not np.isfinite(value) or np.isclose(value, float(f"{value:.6g}"), rtol=1e-15, atol=0):
        return mantissa, "", exponent
    if np.isclose(value, float(fraction), rtol=1e-15, atol=0):
        return str(fraction.numerator), str(fraction.denominator), ""
    plain = value / 10.0 ** int(exponent or 0)
    square, turns = Fraction(plain**2).limit_denominator(1000), Fraction(plain / np.pi).limit_denominator(12)
    if abs(float(square) / plain**2 - 1) < 1e-15:
        above, below = (f"√{n}" if n > 1 else "" for n in square.as_integer_ratio())
        return ("-" if value < 0 else "") + (above or "1"), below, exponent
    if abs(float(turns) * np.pi / plain - 1) < 1e-15:
        factor = {1: "", -1: "-"}.get(turns.numerator, str(turns.numerator))
        return f"{factor}π", str(turns.denominator) if turns.denominator > 1 else "", exponent
    return f"{mantissa}…", "", exponent
