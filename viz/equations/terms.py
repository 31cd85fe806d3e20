"""A small language of mathematical terms: what the equations are made of.

A term stands for a number, a column or a matrix: a vector of NumPy's is a column here. What has more axes keeps them.
`algebra` puts terms together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Variable:
    """A name in the equations, as in code.

    loops  the numbers of the loops it has a value at each step of; none if it has one value
    loss   for a gradient ∂L/∂h: the name of L; `name` and `loops` are those of h
    """

    name: str
    loops: tuple[int, ...] = ()
    loss: str = ""


@dataclass(frozen=True)
class Time:
    """The number of a step, from 0: `offset`, plus letters and lengths of loops, each so many times.

    letters  0, 1, … are the indices of an equation, t, s, …; −1, −2, … those of sums in it, the inner ones first
    lengths  of loops, by their numbers
    """

    letters: tuple[tuple[int, int], ...] = ()
    offset: int = 0
    lengths: tuple[tuple[int, int], ...] = ()

    def plus(self, other: Time) -> Time:
        return Time(
            _total(self.letters + other.letters), self.offset + other.offset, _total(self.lengths + other.lengths)
        )

    def times(self, n: int) -> Time:
        letters, lengths = (tuple((key, n * m) for key, m in part) for part in (self.letters, self.lengths))
        return Time(letters, n * self.offset, lengths)

    def put(self, times: Mapping[int, Time]) -> Time:
        """With other times in the place of letters."""
        if not any(key in times for key, _ in self.letters):
            return self
        found = Time((), self.offset, self.lengths)
        for key, n in self.letters:
            found = found.plus((times[key] if key in times else letter(key)).times(n))
        return found

    def number(self, letters: Mapping[int, int] | Sequence[int], lengths: Sequence[int]) -> int:
        """The number, for a value of each letter and the lengths of the loops."""
        number = self.offset
        for key, n in self.letters:
            number += n * letters[key]
        for loop, n in self.lengths:
            number += n * lengths[loop]
        return number


def letter(key: int, offset: int = 0) -> Time:
    return Time(((key, 1),), offset)


def _total(parts: tuple[tuple[int, int], ...]) -> tuple[tuple[int, int], ...]:
    if len(parts) < 2:
        return parts
    found: Counter[int] = Counter()
    for key, n in parts:
        found[key] += n
    return tuple(sorted((key, n) for key, n in found.items() if n))


class Steps(NamedTuple):
    """Steps of a loop, from the first to the last, every one or every `by`-th.  most: how many there are at most"""

    loop: int
    first: Time
    last: Time
    by: int = 1
    most: int = 1

    def put(self, times: Mapping[int, Time]) -> Steps:
        return self._replace(first=self.first.put(times), last=self.last.put(times))


class Among(NamedTuple):
    """A condition: the time is one of some steps, out of a domain. Both are counted as in a short run (`short_run`)."""

    time: Time
    loop: int
    steps: tuple[int, ...]
    domain: tuple[int, ...]


@dataclass(frozen=True)
class Term:
    """An operation on `parts`. shape: () a number, (n, 1) a column, (m, n) a matrix; otherwise NumPy's."""

    shape: Shape
    parts: tuple[Term, ...] = ()


@dataclass(frozen=True)
class Constant(Term):
    """The same number in every place."""

    value: float = 0.0


@dataclass(frozen=True)
class Symbol(Term):
    """A variable at a step of each of its loops.

    of_batch      each example has one of its own
    sums_to_one   the elements of the column do
    """

    variable: Variable = Variable("")
    times: tuple[Time, ...] = ()
    of_batch: bool = False
    sums_to_one: bool = False


class BatchSize(Term):
    """B: how many examples there are."""


class Add(Term):
    """a + b + …; numbers add to every element."""


class Negative(Term):
    """−a."""


class Product(Term):
    """A B …: numbers first, then matrices."""


class Hadamard(Term):
    """a ⊙ b ⊙ …: element by element."""


class Quotient(Term):
    """a / b, element by element."""


@dataclass(frozen=True)
class Power(Term):
    """aⁿ, element by element."""

    exponent: float = 1.0


class Transpose(Term):
    """Aᵀ."""


class Diagonal(Term):
    """The matrix with the column a on its diagonal."""


class OneHot(Term):
    """The column that is 1 at a label and 0 elsewhere, or a row for each of several; written as the labels are."""


class Unit(OneHot):
    """The column that is 1 at a place and 0 elsewhere, written as that."""


@dataclass(frozen=True)
class Binding(Term):
    """What is written for a letter of its own that runs over some steps: what it is at each of them."""

    letter: int = -1
    steps: Steps = field(default=Steps(0, Time(), Time()))


class Every(Binding):
    """A column, or a number, at each of the steps, side by side; arrays of more axes in a stack."""


class TimeSum(Binding):
    """Σ over the steps."""


class BatchSum(Term):
    """Σ over the examples of the batch."""


@dataclass(frozen=True)
class Cases(Term):
    """One part or another: the first of them whose conditions hold."""

    when: tuple[tuple[Among, ...], ...] = ()


@dataclass(frozen=True)
class Call(Term):
    """Any other operation, on arrays of NumPy's `shapes`.

    attributes  of the operation, in whose index there may be times
    key         by which two calls are compared
    batches     for an operation on the whole batch: which axis of each input counts the examples, then that of the
                result; () for an operation on one example
    """

    operation: str = ""
    shapes: tuple[Shape, ...] = ()
    key: str = ""
    attributes: dict[str, Any] = field(default_factory=dict, compare=False)
    batches: tuple[int | None, ...] = ()


# -- looking at terms ------------------------------------------------------------------------------------------


def matrix_shape(shape: Shape) -> Shape:
    """The shape of a term for an array of NumPy's: a vector is a column, and what has one element a number."""
    if len(shape) <= 2 and all(n == 1 for n in shape):
        return ()
    return (*shape, 1) if len(shape) == 1 else shape


def walk(term: Term) -> Iterator[Term]:
    """The term and all its parts."""
    pending = [term]
    while pending:
        pending += (found := pending.pop()).parts
        yield found


def symbols(term: Term) -> Iterator[Symbol]:
    return (part for part in walk(term) if isinstance(part, Symbol))


def size(term: Term) -> int:
    return sum(1 for _ in walk(term))


def is_number(term: Term, value: float) -> bool:
    return isinstance(term, Constant) and term.value == value


def depends_on(term: Term, key: int) -> bool:
    """Whether a letter is in it."""
    return any(key == found for part in walk(term) for time in times_of(part) for found, _ in time.letters)


def new_letter(term: Term) -> int:
    """The letter of a sum over this."""
    return min((part.letter for part in walk(term) if isinstance(part, Binding)), default=0) - 1


def is_of_batch(term: Term) -> bool:
    """Whether each example has one of its own."""
    return any(s.of_batch for s in symbols(term))


def depends_on_gradient(term: Term) -> bool:
    return any(s.variable.loss for s in symbols(term))


def replaced(term: Term, known: dict[Term, Symbol]) -> Term:
    """The term with the name of each part that has one."""
    if term in known:
        return known[term]
    return replace(term, parts=tuple(replaced(part, known) for part in term.parts)) if term.parts else term


# -- times -----------------------------------------------------------------------------------------------------


def times_of(term: Term) -> Iterator[Time]:
    """The times that stand in a term itself, not in its parts."""
    match term:
        case Symbol():
            yield from term.times
        case Binding():
            yield from (term.steps.first, term.steps.last)
        case Cases():
            yield from (among.time for condition in term.when for among in condition)
        case Call():
            yield from (end for part in term.attributes.get("index", ()) for end in ends(part) if isinstance(end, Time))


def ends(part: Any) -> tuple:
    """The numbers in a part of an index."""
    return (part.start, part.stop, part.step) if isinstance(part, slice) else (part,)


def put(term: Term, times: Mapping[int, Time]) -> Term:
    """The term with other times in the place of letters: h⁽ᵗ⁻¹⁾ with t + 1 for t is h⁽ᵗ⁾, with T for t h⁽ᵀ⁻¹⁾."""
    if all(time == letter(key) for key, time in times.items()):
        return term
    parts = tuple(put(part, times) for part in term.parts)
    match term:
        case Symbol() if term.times:
            return replace(term, times=tuple(time.put(times) for time in term.times))
        case Binding():
            return replace(term, parts=parts, steps=term.steps.put(times))
        case Cases():
            when = tuple(tuple(one._replace(time=one.time.put(times)) for one in all_of) for all_of in term.when)
            return replace(term, parts=parts, when=when)
        case Call() if any(True for _ in times_of(term)):
            index = tuple(_put_in_index(part, times) for part in term.attributes["index"])
            attributes = term.attributes | {"index": index}
            return replace(term, parts=parts, attributes=attributes, key=key_of(attributes))
    return replace(term, parts=parts) if parts else term


def _put_in_index(part: Any, times: Mapping[int, Time]) -> Any:
    found = [end.put(times) if isinstance(end, Time) else end for end in ends(part)]
    return slice(*found) if isinstance(part, slice) else found[0]


def key_of(attributes: dict[str, Any]) -> str:
    """What attributes are compared by."""
    return repr([(name, v.tobytes() if isinstance(v, np.ndarray) else v) for name, v in attributes.items()])
