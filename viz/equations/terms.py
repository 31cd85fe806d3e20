"""A small language of mathematical terms: what the equations are made of.

A term stands for a number, a column or a matrix: a vector of NumPy's is a column here. What has more axes keeps them.
`algebra` puts terms together.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Variable:
    """A name in the equations.

    mark  tells it from others of the same name: a subscript
    loop  the number of the loop it has a value at each step of; None if it has one value
    loss  for a gradient ∂L/∂h: the name of L; `name`, `mark` and `loop` are those of h
    """

    name: str
    mark: str = ""
    loop: int | None = None
    loss: str = ""


@dataclass(frozen=True)
class Time:
    """A step: "t" − 1, the end "T" of the loop or its beginning "1"; "s" is the step that a sum runs over."""

    base: str
    offset: int = 0


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
    """A variable at a step, or the whole of it.  of_batch: each example has one of its own"""

    variable: Variable = Variable("")
    time: Time | None = None
    of_batch: bool = False


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


@dataclass(frozen=True)
class Every(Term):
    """A column, or a number, at the steps s = 1, 2, … of a loop, side by side; as many as there are columns."""

    loop: int = 0


@dataclass(frozen=True)
class Row(Term):
    """A matrix of zeros but for one row, or of one number: at a step, the column or number that `parts` has."""

    time: Time = Time("t")


@dataclass(frozen=True)
class TimeSum(Term):
    """Σ over the steps s of a loop, from `first` to `last`."""

    loop: int = 0
    first: int = 0
    last: int = 0


class BatchSum(Term):
    """Σ over the examples of the batch."""


@dataclass(frozen=True)
class Cases(Term):
    """One part or another, depending on the step: `when[i]` are the times (from 0) at which it is parts[i]."""

    when: tuple[tuple[int, ...], ...] = ()
    time: Time = Time("t")


@dataclass(frozen=True)
class Call(Term):
    """Any other operation, on arrays of NumPy's `shapes`.

    attributes of the operation, and `said`, by which two calls are compared
    whole      on the whole batch, not on one example
    """

    operation: str = ""
    shapes: tuple[Shape, ...] = ()
    said: str = ""
    attributes: dict[str, Any] = field(default_factory=dict, compare=False)
    whole: bool = False


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


def moves(term: Term) -> bool:
    """Whether it depends on the step that a sum runs over."""
    return any(s.time is not None and s.time.base == "s" for s in symbols(term))


def is_of_batch(term: Term) -> bool:
    """Whether each example has one of its own."""
    return any(s.of_batch for s in symbols(term))


def depends_on_gradient(term: Term) -> bool:
    return any(s.variable.loss for s in symbols(term))


def at(term: Term, base: str, offset: int = 0, instead_of: str = "t") -> Term:
    """What is written for the step t, written for another: at(h⁽ᵗ⁻¹⁾, "t", 1) is h⁽ᵗ⁾, at(h⁽ᵗ⁻¹⁾, "T") is h⁽ᵀ⁻¹⁾."""
    parts = tuple(at(part, base, offset, instead_of) for part in term.parts)
    if isinstance(term, Symbol | Cases | Row) and term.time is not None and term.time.base == instead_of:
        return replace(term, parts=parts, time=Time(base, term.time.offset + offset))
    return replace(term, parts=parts) if parts else term


def decided(term: Term, t: int) -> Term:
    """What is written for the step t, where it depends on t what it is: for one t."""
    if isinstance(term, Cases) and term.time.base == "t":
        (i,) = (i for i, when in enumerate(term.when) if t + term.time.offset in when)
        return decided(term.parts[i], t)
    return replace(term, parts=tuple(decided(part, t) for part in term.parts)) if term.parts else term


def replaced(term: Term, known: dict[Term, Symbol]) -> Term:
    """The term with the name of each part that has one."""
    if term in known:
        return known[term]
    return replace(term, parts=tuple(replaced(part, known) for part in term.parts)) if term.parts else term
