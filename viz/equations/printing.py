"""Terms as text. How tightly a term binds decides on parentheses; `latex` writes each thing otherwise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

import numpy as np

from tinygrad_rnn.autodiff.operation import OPERATIONS
from viz.equations import algebra
from viz.equations import terms as of
from viz.equations.terms import Symbol, Term, Time
from viz.labels import at_steps, superscript, typeset, visible

RELATION, SUM, BIG_SUM, TIMES, PRODUCT, ATOM = range(6)
"""How tightly a term binds, from the loosest to the tightest."""
Written = tuple[str, int]
_SUBSCRIPTS = dict(zip("0123456789tsrpijkl+− ", "₀₁₂₃₄₅₆₇₈₉ₜₛᵣₚᵢⱼₖₗ₊₋ ", strict=True))


class Notation:
    """Writes the terms of one line as plain text: h⁽ᵗ⁾ = tanh(b + W h⁽ᵗ⁻¹⁾ + U x⁽ᵗ⁾).

    lengths  of the loops in the short run, by which conditions are counted
    letters  for the lengths, by the number of the loop; by None, that for the number of examples
    indices  for the steps of each loop: t, s, …
    left     what the line is about
    """

    minus, times, beside, dots, less, more, ones, then = "−", " ⊙ ", " ", "…", " ≤ ", " ≥ ", "𝟏", ",  "

    def __init__(
        self,
        lengths: Sequence[int],
        letters: Mapping[int | None, str],
        indices: Mapping[int, str],
        left: Symbol | None = None,
    ):
        self.lengths, self.letters, self.indices = lengths, letters, indices
        self._letter: dict[int, str] = {}
        for loop, time in zip(left.variable.loops, left.times, strict=True) if left is not None else ():
            for key, _ in time.letters:
                self._letter[key] = self.index(loop)

    def index(self, loop: int) -> str:
        """A letter for the steps of a loop: its own, or the next that is free."""
        own = self.indices.get(loop, "t")
        return next(one for one in (own, *"tsrqpijkl") if one not in self._letter.values())

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
            case of.Unit(parts=(place,)):
                number = str(int(place.value) + 1) if isinstance(place, of.Constant) else self.text(place)
                return self.indexed(self.ones, [number]), ATOM
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
                return self.fence(", ".join(self._ends(term))), ATOM
            case of.TimeSum():
                self._letter[term.letter] = self.index(term.steps.loop)
                text = f"{self._sigma(term)} {self.text(term.parts[0], BIG_SUM)}"
                del self._letter[term.letter]
                return text, BIG_SUM
            case of.BatchSum():
                return f"{self.sigma('i', '')} {self.text(term.parts[0], BIG_SUM)}", BIG_SUM
            case of.Cases():
                return self._cases(term)
            case of.Call():
                return self._call(term)
        raise TypeError(f"no notation for {term!r}")

    def _sigma(self, term: of.TimeSum) -> str:
        """Σ with its bounds, where it is not over all steps."""
        (loop, begin, end, by, _), s = term.steps, self._letter[term.letter]
        if not begin.letters and not end.letters:
            first, last = (time.number({}, self.lengths) for time in (begin, end))
            return self.sigma(s, self.condition(s, loop, range(first, last + 1, by)))
        if by > 1:
            some = (begin, begin.plus(Time((), by)), end)
            return self.sigma(s, "{0} = {1}, {2}, {4}, {3}".format(s, *map(self.step, some), self.dots))
        more, less = self.more + self.step(begin), self.less + self.step(end)
        if begin.letters and begin.offset == 1:
            more = f" > {self.step(begin.plus(Time((), -1)))}"
        if end.letters and end.offset == -1:
            less = f" < {self.step(end.plus(Time((), 1)))}"
        if end == Time((), -1, ((loop, 1),)):
            return self.sigma(s, s + more)
        below = "" if begin == Time() else self.step(begin) + self.less
        return self.sigma(s, below + s + less)

    def _cases(self, term: of.Cases) -> Written:
        texts = [self.text(part) for part in term.parts]
        conditions = [self.conditions(when) for when in term.when]
        listed = max(range(len(texts)), key=lambda i: (not conditions[i], conditions[i].count(","), i))
        if not conditions[listed] or "," in conditions[listed]:
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
            elif i > 1 and is_sum_of_squares(parts[i - 2 : i + 1]):
                norm = self.fence(self.text(parts[i - 1].parts[0]), "‖", "‖")
                texts[-2:] = [self.raised(f"{norm}_F", "2")]
            elif i == len(parts) - 1 and isinstance(part, of.TimeSum | of.BatchSum):
                texts.append(self.text(part))
                binding = BIG_SUM
            else:
                texts.append(self.text(part, ATOM if isinstance(part, of.Product) else PRODUCT))
        return self.beside.join(texts), binding if len(texts) > 1 or len(parts) == 1 else ATOM

    def _ends(self, every: of.Every) -> list[str]:
        """What is at the first and at the last step; and between, if not every step is taken."""
        _, first, last, by, _ = every.steps
        some = [first, last] if abs(by) == 1 else [first, first.plus(Time((), by)), last]
        texts = [self.text(of.put(every.parts[0], {every.letter: time})) for time in some]
        return [*texts[:-1], self.dots, texts[-1]]

    def _base(self, term: Term) -> str:
        """What is to be raised or transposed: in parentheses if something is raised there already."""
        raised = isinstance(term, of.Power | of.Transpose) or (
            isinstance(term, Symbol) and bool(term.times or term.variable.loss)
        )
        return self.fence(self.text(term)) if raised else self.text(term, ATOM)

    def _call(self, term: of.Call) -> Written:
        name, parts, attributes = term.operation, term.parts, term.attributes
        if name == "getitem" and not term.batches:
            return self.indexed(self.text(parts[0], ATOM), self._index(term)), ATOM
        if name == "concatenate" and isinstance(parts[0], of.Every) and len(parts) == 1:
            between = "; " if attributes["axis"] == 0 else ", "
            return self.fence(between.join(self._ends(parts[0])), "[", "]"), ATOM
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
        if name == "einsum" and not term.batches:
            return self._einsum(parts, attributes["subscripts"])
        operation = OPERATIONS[name]
        if name == "power":  # by one number for all, without the 𝟏
            exponent = parts[1].parts if isinstance(parts[1], of.Product) else parts[1:]
            number = algebra.product(*(part for part in exponent if not of.is_number(part, 1)))
            return self.raised(self._base(parts[0]), self.text(number)), ATOM
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

    def _einsum(self, parts: Sequence[Term], subscripts: str) -> Written:
        """A sum over products of elements."""
        *words, result = subscripts.replace("->", ",").split(",")
        factors = [self.indexed(self.text(part, ATOM), word) for part, word in zip(parts, words, strict=True)]
        summed = dict.fromkeys(letter for word in words for letter in word if letter not in result)
        text = (self.sigma("", ", ".join(summed)) + " " if summed else "") + self.beside.join(factors)
        return (self.indexed(self.fence(text), result), ATOM) if result else (text, BIG_SUM)

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
            if isinstance(part, int | slice | Time):
                found.append(self._places(part, next(sizes, 1)))
            elif part is None or part is ... or isinstance(part, np.ndarray):
                found.append("…" if part is not None else "·")
            else:
                found.append(self.text(next(tensors)))
        return found

    def _places(self, part: int | slice | Time, n: int) -> str:
        if isinstance(part, Time):
            return self.step(part)
        if isinstance(part, int):
            return str(part % n + 1)
        if isinstance(part.start, Time) or isinstance(part.stop, Time):
            end = part.stop if part.stop is not None else n
            last = end.plus(Time((), -1)) if isinstance(end, Time) else end - 1
            first, last = self._places(part.start or 0, n), self._places(last, n)
            return first if first == last else f"{first}:{last}"
        start, stop, step = part.indices(n)
        last = range(start, stop, step)[-1] if range(start, stop, step) else start
        if (start, last, step) == (0, n - 1, 1):
            return ":"
        if start == last:
            return str(start + 1)
        return f"{start + 1}:{last + 1}" if abs(step) == 1 else f"{start + 1}:{step}:{last + 1}"

    # -- steps -----------------------------------------------------------------------------------------------------

    def step(self, time: Time) -> str:
        """The number of a step, from 1."""
        parts = [(self._letter[key], n) for key, n in sorted(time.letters, key=lambda part: (part[0] < 0, part[0]))]
        parts += [(self.letters[loop], n) for loop, n in time.lengths]
        number = time.offset + 1 - sum(n for _, n in time.letters)
        text = ""
        for name, n in sorted(parts, key=lambda part: part[1] < 0):
            sign = self.minus if n < 0 else "+" if text else ""
            text += sign + (str(abs(n)) if abs(n) > 1 else "") + name
        return text + (f"{'+' if number > 0 else self.minus}{abs(number)}" if number else "") if text else str(number)

    def conditions(self, when: Sequence[of.Among], unless: bool = False) -> str:
        """That some times are among some steps: "t > 1", "t = 1, s < t"."""
        text = ", ".join(map(self._among, when))
        return self.note("", "unless ") + text if unless else text

    def _among(self, one: of.Among) -> str:
        letters = [self._letter[key] for key, _ in sorted(one.time.letters, key=lambda part: -part[1])]
        steps, domain = ([t - one.time.offset for t in numbers] for numbers in (one.steps, one.domain))
        if len(letters) == 1:
            return self.condition(letters[0], one.loop, steps, domain)
        t, s = letters  # of t − s
        numbers = [f"{t}{self.minus if n > 0 else '+'}{abs(n)}" if n else t for n in steps]
        if len(steps) == 1 or steps[-1] - steps[0] >= len(steps):
            return f"{s} = {', '.join(numbers)}"
        if steps[0] == domain[0]:
            return f"{s}{self.more}{numbers[-1]}"
        below = "" if steps[-1] == domain[-1] else numbers[-1] + self.less
        return below + (f"{s} < {t}" if steps[0] == 1 else s + self.less + numbers[0])

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
        if s.times:
            name = at_steps(name, map(self.step, s.times))
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
        return f"Σ[{condition}]" if condition else "Σ" + _SUBSCRIPTS[letter]

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


def is_sum_of_squares(factors: Sequence[Term]) -> bool:
    """Whether a product is 𝟏ᵀ A² 𝟏, the sum of the squares of a matrix' elements."""
    match factors:
        case [before, of.Power(exponent=2), of.Constant(value=1.0) as after]:
            row = before.parts[0] if isinstance(before, of.Transpose) else before
            return isinstance(row, of.Constant) and row.value == 1 and () not in (row.shape, after.shape)
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
