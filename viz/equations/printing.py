"""Terms as text. How tightly a term binds decides on parentheses; `unicode` and `latex` say how each is written."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from tinygrad_rnn.autodiff.operation import OPERATIONS
from viz.equations import algebra
from viz.equations import terms as of
from viz.equations.terms import Symbol, Term, Time

RELATION, SUM, BIG_SUM, TIMES, PRODUCT, ATOM = range(6)
"""How tightly a term binds, from the loosest to the tightest."""
Written = tuple[str, int]


class Notation(ABC):
    """Writes the terms of one line.

    lengths  of the loops
    letters  for them, by the number of the loop; by None, that for the number of examples
    timed    whether the line is about a step t: what a sum in it runs over is s then
    """

    minus: str
    times: str  # element by element
    beside: str  # in a product of matrices

    def __init__(self, lengths: Sequence[int], letters: Mapping[int | None, str], timed: bool):
        self.lengths, self.letters, self.timed = lengths, letters, timed

    def text(self, term: Term, at_least: int = RELATION) -> str:
        """A term, in parentheses if it binds less tightly than it has to."""
        text, binding = self._written(term)
        return text if binding >= at_least else self.parentheses(text)

    def _written(self, term: Term) -> Written:
        match term:
            case of.Constant():
                is_ones = term.shape != () and term.value == 1
                if is_ones:
                    return self.transposed(self.ones()) if term.shape[0] == 1 else self.ones(), ATOM
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
                step = term.parts[0]
                ends = of.at(step, "1", 0, "s"), of.at(step, "T", term.shape[1] - self.lengths[term.loop], "s")
                return self.every(*map(self.text, ends)), ATOM
            case of.Row():
                return self.function("scatter", [self.text(term.parts[0])]), ATOM
            case of.TimeSum():
                s = "s" if self.timed else "t"
                return f"{self.sigma(s, self.range(s, term))} {self.text(term.parts[0], BIG_SUM)}", BIG_SUM
            case of.BatchSum():
                return f"{self.sigma('i', '')} {self.text(term.parts[0], BIG_SUM)}", BIG_SUM
            case of.Cases():
                letter, offset = self.step(term.time, None)
                cases = zip(
                    term.parts, ([t + 1 - offset for t in when if t + 1 > offset] for when in term.when), strict=True
                )
                parts, times = zip(*((part, when) for part, when in cases if when), strict=True)
                if len(parts) == 1:  # the other one is for a step before the first
                    return self._written(parts[0])
                return self.cases(list(map(self.text, parts)), str(letter), list(map(_listed, times))), ATOM
            case of.Call():
                return self._call(term, term.attributes)
        raise TypeError(f"no notation for {term!r}")

    def _sum(self, parts: Sequence[Term]) -> str:
        text = self.text(parts[0], SUM)
        for part in parts[1:]:
            below = isinstance(part, of.Negative) or (isinstance(part, of.Constant) and part.value < 0)
            text += f" {self.minus} " if below else " + "
            text += self.text(algebra.negative(part) if below else part, BIG_SUM)
        return text

    def _product(self, parts: Sequence[Term]) -> Written:
        match parts:
            case [of.Constant(), of.Quotient(parts=(of.Constant(value=1.0), below)), *others]:
                parts = [of.Quotient((), (parts[0], below)), *others]  # ½ 1/B
        texts: list[str] = []
        binding = PRODUCT
        for i, part in enumerate(parts):
            before = parts[i - 1] if i else None
            if isinstance(before, of.Transpose) and before.parts[0] == part and part.shape[1:] == (1,):
                texts[-1] = self.raised(self.fenced("‖", self.text(part)), "2")  # xᵀ x
            elif i == len(parts) - 1 and isinstance(part, of.TimeSum | of.BatchSum):
                texts.append(self.text(part))
                binding = BIG_SUM
            else:
                texts.append(self.text(part, ATOM if isinstance(part, of.Product) else PRODUCT))
        return self.beside.join(texts), binding if len(texts) > 1 or len(parts) == 1 else ATOM

    def _base(self, term: Term) -> str:
        """What is to be raised or transposed: in parentheses if something is raised there already."""
        raised = isinstance(term, of.Power | of.Transpose) or (
            isinstance(term, Symbol) and bool(term.time is not None or term.variable.loss)
        )
        return self.parentheses(self.text(term)) if raised else self.text(term, ATOM)

    def _call(self, term: of.Call, attributes: dict[str, Any]) -> Written:
        name, parts = term.operation, term.parts
        if name == "getitem":
            index = attributes["index"] if len(parts) == 1 else ()
            inside = [self.text(p) for p in parts[1:]] or [_written_index(part) for part in index]
            return self.indexed(self.text(parts[0], ATOM), ", ".join(inside)), ATOM
        if name in ("concatenate", "stack") and len(parts) > 1:
            return self.column([self.text(p) for p in parts], "; " if attributes["axis"] == 0 else ", "), ATOM
        if name in ("absolute", "norm"):
            inner = parts[0].parts[0] if isinstance(parts[0], of.Transpose) else parts[0]
            return self.fenced("|" if name == "absolute" else "‖", self.text(inner)), ATOM
        if name == "log" and isinstance(parts[0], Symbol):
            return f"{self.sign(name)} {self.text(parts[0])}", PRODUCT
        operation = OPERATIONS[name]
        if name == "power":
            return self.raised(self._base(parts[0]), self.text(parts[1])), ATOM
        infix = name == "remainder" or not operation.glyph.isidentifier()
        if len(parts) == operation.arity == 2 and infix and name != "cross_entropy" and not term.whole:
            return f"{self.text(parts[0], SUM)} {self.sign(name)} {self.text(parts[1], SUM)}", RELATION
        arguments = [self.text(p) for p in parts]
        if name not in ("reshape", "broadcast_to", "scatter", "cross_entropy", "label_weight"):
            options = {key: value for key, value in attributes.items() if value is not operation.defaults.get(key)}
            arguments += [self.option(key, str(value)) for key, value in options.items() if key != "keepdims"]
        if term.whole:
            arguments[-1] += self.note("", " of all examples")
        return self.function(name, arguments), ATOM

    # -- steps -----------------------------------------------------------------------------------------------------

    def step(self, time: Time, loop: int | None) -> tuple[str | int, int]:
        """The letter or number of a step, and what is added to it."""
        if time.base == "1":
            return 1 + time.offset, 0
        if time.base == "T":
            return self.letters[loop or 0], time.offset
        return "s" if time.base == "s" and self.timed else "t", time.offset

    def range(self, t: str, over: of.TimeSum) -> str:
        return self.condition(t, over.loop, over.first, over.last)

    def condition(self, t: str, loop: int, first: int, last: int) -> str:
        """Which steps: "t < T"; "" for all."""
        T, n = self.letters[loop], self.lengths[loop]

        def end(step: int) -> str:
            after = n - 1 - step
            return str(step + 1) if step < after else f"{T} {self.minus} {after}" if after else T

        if first == last:
            return f"{t} = {end(first)}" if n > 1 else ""
        if first and last == n - 2:
            return self.relations([end(first), t]) + f" < {T}"
        if first and last < n - 1:
            return self.relations([end(first), t, end(last)])
        if first:
            return f"{t} > {end(first - 1)}"
        return f"{t} < {end(last + 1)}" if last < n - 1 else ""

    # -- how each kind of thing is written ---------------------------------------------------------------------------

    @abstractmethod
    def symbol(self, s: Symbol) -> str: ...

    @abstractmethod
    def number(self, value: float) -> str: ...

    @abstractmethod
    def ones(self) -> str: ...

    @abstractmethod
    def parentheses(self, text: str) -> str: ...

    @abstractmethod
    def fraction(self, a: Term, b: Term) -> Written: ...

    @abstractmethod
    def raised(self, base: str, exponent: str) -> str: ...

    @abstractmethod
    def transposed(self, base: str) -> str: ...

    @abstractmethod
    def function(self, name: str, arguments: Sequence[str]) -> str: ...

    @abstractmethod
    def sign(self, operation: str) -> str: ...

    @abstractmethod
    def option(self, name: str, value: str) -> str: ...

    @abstractmethod
    def indexed(self, base: str, index: str) -> str: ...

    @abstractmethod
    def column(self, parts: Sequence[str], between: str) -> str: ...

    @abstractmethod
    def fenced(self, fence: str, text: str) -> str: ...

    @abstractmethod
    def every(self, first: str, last: str) -> str: ...

    @abstractmethod
    def sigma(self, letter: str, condition: str) -> str: ...

    @abstractmethod
    def relations(self, parts: Sequence[str]) -> str: ...

    @abstractmethod
    def cases(self, texts: Sequence[str], t: str, times: Sequence[str]) -> str: ...

    @abstractmethod
    def equation(self, left: str, right: str, condition: str) -> str: ...

    @abstractmethod
    def note(self, formula: str, words: str) -> str: ...


def _listed(times: Sequence[int]) -> str:
    shown = [str(t) for t in times]
    return ", ".join(shown if len(shown) < 7 else [*shown[:3], "…", shown[-1]])


def digits(value: float) -> tuple[str, str]:
    """A number in decimals, or as a fraction: ("2", "3"). It ends in … where there is more of it."""
    short = f"{value:.6g}"
    if float(short) == value or not np.isfinite(value):
        return short, ""
    fraction = Fraction(value).limit_denominator(1000)
    return (str(fraction.numerator), str(fraction.denominator)) if float(fraction) == value else (f"{short}…", "")


def _written_index(part: Any) -> str:
    if not isinstance(part, slice):
        return "…" if part is ... or isinstance(part, np.ndarray) else str(part)
    ends = ["" if end is None else str(end) for end in (part.start, part.stop)]
    return ":".join(ends if part.step is None else [*ends, str(part.step)])
