"""A small language of mathematical terms: what the equations are made of.

A term stands for a number, a column or a matrix: a vector of NumPy's is a column here. What has more axes keeps them.
`algebra` puts terms together.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Variable:
    """A name in the equations, as in code.

    loop  the number of the loop it has a value at each step of; None if it has one value
    loss  for a gradient ∂L/∂h: the name of L; `name` and `loop` are those of h
    """

    name: str
    loop: int | None = None
    loss: str = ""


@dataclass(frozen=True)
class Time:
    """A step: "t" − 1, the end "T" of the loop or its beginning "1"; "s" is the step that a sum runs over.

    Counted from 0 it is stride · base + offset; and `mirrored` the length of the variable's loop is added to that.
    """

    base: str
    offset: int = 0
    stride: int = 1
    mirrored: bool = False

    def number(self, base: int, length: int) -> int:
        """The number of the step, from 0, where the base is step `base`."""
        return self.stride * base + self.offset + length * self.mirrored


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
    """A variable at a step, or the whole of it.

    of_batch      each example has one of its own
    sums_to_one   the elements of the column do
    """

    variable: Variable = Variable("")
    time: Time | None = None
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


@dataclass(frozen=True)
class Every(Term):
    """A column, or a number, at the steps s of a loop, side by side; arrays of more axes in a stack.

    time  of these steps the last one, if there are more at each step: the shape is that of all
    """

    loop: int = 0
    steps: range = range(0)
    time: Time | None = None


@dataclass(frozen=True)
class TimeSum(Term):
    """Σ over the steps s of a loop."""

    loop: int = 0
    steps: range = range(0)


class BatchSum(Term):
    """Σ over the examples of the batch."""


@dataclass(frozen=True)
class Cases(Term):
    """One part or another, depending on the step: `when[i]` are the times (from 0) at which it is parts[i]."""

    when: tuple[tuple[range, ...], ...] = ()
    loop: int = 0
    time: Time | None = Time("t")


class Moving(NamedTuple):
    """A number in an index that differs from step to step of a loop: its values at these steps."""

    values: tuple[int, ...]
    steps: range
    loop: int


@dataclass(frozen=True)
class Call(Term):
    """Any other operation, on arrays of NumPy's `shapes`.

    attributes  of the operation, and `key`, by which two calls are compared
    batches     for an operation on the whole batch: which axis of each input counts the examples, then that of the
                result; () for an operation on one example
    time        the step at which the numbers in its index are those that it has, if they move
    """

    operation: str = ""
    shapes: tuple[Shape, ...] = ()
    key: str = ""
    attributes: dict[str, Any] = field(default_factory=dict, compare=False)
    batches: tuple[int | None, ...] = ()
    time: Time | None = None


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
    times = (part.time for part in walk(term) if isinstance(part, Symbol | Cases | Call | Every))
    return any(time is not None and time.base == "s" for time in times)


def is_of_batch(term: Term) -> bool:
    """Whether each example has one of its own."""
    return any(s.of_batch for s in symbols(term))


def depends_on_gradient(term: Term) -> bool:
    return any(s.variable.loss for s in symbols(term))


def at(term: Term, base: str, offset: int = 0, instead_of: str = "t") -> Term:
    """What is written for the step t, written for another: at(h⁽ᵗ⁻¹⁾, "t", 1) is h⁽ᵗ⁾, at(h⁽ᵗ⁻¹⁾, "T") is h⁽ᵀ⁻¹⁾."""
    parts = tuple(at(part, base, offset, instead_of) for part in term.parts)
    if isinstance(term, Symbol | Cases | Call | Every) and term.time is not None and term.time.base == instead_of:
        time = replace(term.time, base=base, offset=term.time.offset + term.time.stride * offset)
        return replace(term, parts=parts, time=time)
    return replace(term, parts=parts) if parts else term


def at_moment(term: Term, t: int, loop: int, lengths: Sequence[int], base: str = "t") -> Term:
    """What is written for the step t of a loop, at one step: counted from the nearer end."""
    if not isinstance(term, Symbol | Cases | Call | Every) or term.time is None or term.time.base != base:
        parts = tuple(at_moment(part, t, loop, lengths, base) for part in term.parts)
        return replace(term, parts=parts) if parts else term
    if isinstance(term, Cases):
        now = t + term.time.offset
        chosen = next(part for part, when in zip(term.parts, term.when, strict=True) if is_among(now, when))
        return at_moment(chosen, t, loop, lengths, base)
    if isinstance(term, Symbol) and term.time.stride != 1 and (term.variable.loop != loop or term.time.mirrored):
        assert term.variable.loop is not None
        last = lengths[term.variable.loop] - 1
        t = term.time.number(t, last + 1)
        term = replace(term, time=Time(base))
        return at(term, "T", t - last, base) if last - t <= t else at(term, "1", t, base)
    last = lengths[loop] - 1
    parts = tuple(at_moment(part, t, loop, lengths, base) for part in term.parts)
    return at(replace(term, parts=parts), *(("T", t - last) if last - t <= t else ("1", t)), base)


def replaced(term: Term, known: dict[Term, Symbol]) -> Term:
    """The term with the name of each part that has one."""
    if term in known:
        return known[term]
    return replace(term, parts=tuple(replaced(part, known) for part in term.parts)) if term.parts else term


# -- times ---------------------------------------------------------------------------------------------------------


def is_among(t: int, when: Iterable[range]) -> bool:
    return any(t in times for times in when)


def merged(when: Iterable[range]) -> tuple[range, ...]:
    """The same times in order, in as few ranges as possible."""
    found: list[range] = []
    for times in sorted(when, key=lambda times: times.start):
        if found and found[-1].stop >= times.start:
            times = range(found.pop().start, times.stop)
        found.append(times)
    return tuple(found)


def spaced(when: tuple[range, ...]) -> tuple[range, ...]:
    """The same times, as one range if they are equally spaced."""
    times = [t for part in when for t in part]
    every = range(times[0], times[-1] + 1, times[1] - times[0] if len(times) > 2 else 1)
    return (every,) if [*every] == times else when


def cases(options: Iterable[tuple[Term, range]], loop: int) -> Term:
    """One term or another, each at its times in a loop: the first comes first."""
    when: dict[Term, list[range]] = defaultdict(list)
    for term, times in options:
        when[term].append(times)
    if len(when) == 1:
        return next(iter(when))
    parts = sorted(when, key=lambda term: min(times.start for times in when[term]))
    shape = np.broadcast_shapes(*(term.shape for term in parts))
    return Cases(shape, tuple(parts), tuple(merged(when[part]) for part in parts), loop)
