"""An operation with its inputs, as it was recorded: on whole arrays, of which an axis may count the examples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from tinygrad_rnn.autodiff.operation import Operation
from viz.equations import algebra
from viz.equations.terms import Call, Shape, Term, is_number, key_of, matrix_shape


class NotOfOneExample(Exception):
    """The operation cannot be said for one example at a time."""


@dataclass(frozen=True)
class Operand:
    """An input: its term for one example, NumPy's shape of the whole, and which axis of that counts the examples."""

    term: Term
    shape: Shape
    batch: int | None

    @property
    def each(self) -> Shape:
        """NumPy's shape for one example."""
        return without(self.shape, self.batch)


@dataclass(frozen=True)
class Application:
    """shape and batch are those of the result; B is the number of examples, as a term."""

    operation: Operation
    attributes: dict[str, Any]
    inputs: list[Operand]
    shape: Shape
    batch: int | None
    B: Term

    @property
    def each(self) -> Shape:
        """NumPy's shape of the result for one example."""
        return without(self.shape, self.batch)

    def as_it_is(self, **attributes: Any) -> Call:
        """The operation itself, on one example."""
        shapes = [x.each for x in self.inputs]
        return call(self.operation.name, self._parts, shapes, self.each, self.attributes | attributes)

    def on_the_whole(self) -> Call:
        """The operation itself, on the batch."""
        axes = [x.batch for x in self.inputs]
        batches = (*axes, self.batch) if any(axis is not None for axis in axes) else ()
        shapes = [x.shape for x in self.inputs]
        written = call(self.operation.name, self._parts, shapes, self.each, self.attributes)
        return replace(written, batches=batches)

    @property
    def _parts(self) -> list[Term]:
        return [x.term for x in self.inputs]

    def over_batch(self, term: Term, mean: bool = False) -> Term:
        """The sum or the mean over the examples; of one example, itself."""
        if is_number(self.B, 1):
            return term
        total = algebra.batch_sum(term)
        return algebra.product(algebra.quotient(algebra.constant(1), self.B), total) if mean else total


def call(
    name: str, parts: Sequence[Term], shapes: Sequence[Shape], each: Shape, attributes: dict[str, Any] | None = None
) -> Call:
    """An operation on parts that are arrays of NumPy's `shapes`, with a result of shape `each`."""
    attributes = attributes or {}
    return Call(matrix_shape(each), tuple(parts), name, tuple(shapes), key_of(attributes), attributes)


def without(shape: Shape, axis: int | None) -> Shape:
    """A shape without one of its axes."""
    return shape if axis is None else (*shape[:axis], *shape[axis + 1 :])
