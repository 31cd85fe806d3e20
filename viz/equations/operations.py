"""What an operation on arrays means for one example, as a term: ``h @ W.T`` for the rows of a batch is W h for each."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from tinygrad_rnn.autodiff.operations.linear import INPUT
from tinygrad_rnn.tracing.batch_axis import axes_of, full, moved
from viz.equations import algebra, contractions
from viz.equations.applications import Application, NotOfOneExample, Operand, call, without
from viz.equations.terms import BatchSum, Call, Constant, Every, OneHot, Term, Time, Unit, ends, is_number, matrix_shape


def translated(a: Application) -> Term:
    """The term for the result. What cannot be said for one example is a `Call` on the whole batch."""
    try:
        term = _translated(a)
    except (NotOfOneExample, ValueError, IndexError):
        return a.on_the_whole()
    if term.shape == () and isinstance(term, Constant):
        return algebra.constant(term.value, matrix_shape(a.each))
    if term.shape == () and matrix_shape(a.each)[1:] == (1,):
        return algebra.product(algebra.ones(a.each[0]), term)
    return term if term.shape == matrix_shape(a.each) else a.on_the_whole()


def _translated(a: Application) -> Term:
    x = a.inputs[0]
    match a.operation.name:
        case "matmul":
            return contractions.matmul(a)
        case "sum" | "mean":
            return contractions.reduction(a)
        case "einsum":
            return contractions.einsum(a)
        case "cross_entropy":
            return contractions.cross_entropy(a)
        case "log_softmax" if len(a.each) == 1:
            return contractions.log_softmax(x)
        case "one_hot" if len(x.each) <= 1:
            return OneHot(matrix_shape(a.each), (x.term,))
        case "transpose" | "swapaxes":
            return _transposed(a)
        case "expand_dims" | "squeeze" | "reshape" | "broadcast_to":
            return _rearranged(a)
        case "stack" if len(x.each) <= 1 and all(other.batch == x.batch for other in a.inputs):
            return _stacked(a)
        case "concatenate" if a.each == (sum(math.prod(piece.each) for piece in a.inputs),):
            return algebra.join([piece.term for piece in a.inputs], [piece.each for piece in a.inputs], a.each)
        case "getitem" | "scatter":
            return _indexed(a)
    return _along(a) if "axis" in a.attributes else _elementwise(a)


# -- element by element ----------------------------------------------------------------------------------------

_ALGEBRA: dict[str, Callable[..., Term]] = {
    "add": algebra.add,
    "subtract": lambda a, b: algebra.add(a, algebra.negative(b)),
    "multiply": algebra.hadamard,
    "divide": algebra.quotient,
    "negative": algebra.negative,
    "positive": lambda a: a,
    "astype": lambda a: a,
    "square": lambda a: algebra.power(a, 2),
}


def _elementwise(a: Application) -> Term:
    inputs = [_aligned(x, a) for x in a.inputs]
    if np.broadcast_shapes(*(x.shape for x in inputs)) != a.each:
        raise NotOfOneExample
    parts = [x.term for x in inputs]
    if len(a.each) <= 2:
        rows = [algebra.transpose(x.term) if len(x.shape) < len(a.each) == 2 else x.term for x in inputs]
        if a.operation.name in _ALGEBRA:
            return _ALGEBRA[a.operation.name](*rows)
        if a.operation.name == "power" and isinstance(parts[1], Constant):
            return algebra.power(rows[0], parts[1].value)
    if a.operation.name == "exp" and isinstance(parts[0], Call) and parts[0].operation == "log":
        return parts[0].parts[0]
    if a.operation.name == "logical_and" and any(is_number(part, 0) for part in parts):
        return algebra.zero(matrix_shape(a.each))
    if a.operation.name == "logical_not" and isinstance(parts[0], Constant):
        return algebra.constant(not parts[0].value, matrix_shape(a.each))
    if a.operation.name == "logical_or" and any(is_number(part, 1) for part in parts):
        return algebra.constant(1, matrix_shape(a.each))
    if a.operation.name == "where" and parts[1] == parts[2]:
        return parts[1]
    if a.operation.name == "where" and isinstance(parts[0], Constant):
        return parts[1] if parts[0].value else parts[2]
    return replace(a, inputs=inputs).as_it_is()


def _aligned(x: Operand, a: Application) -> Operand:
    """An input of an elementwise operation without the axis that lies along the examples."""
    if a.batch is None:
        if x.batch is not None:
            raise NotOfOneExample
        return x
    axis = a.batch - len(a.shape) + len(x.shape)
    if axis < 0:
        return x
    if x.batch not in (None, axis) or (x.batch is None and x.shape[axis] != 1):
        raise NotOfOneExample
    shape = without(x.shape, axis)
    is_row = x.batch is None and len(shape) == 1 and x.term.shape != matrix_shape(shape)
    return Operand(algebra.transpose(x.term) if is_row else x.term, shape, None)


# -- rearranging -------------------------------------------------------------------------------------------------


def _transposed(a: Application) -> Term:
    (x,) = a.inputs
    goes = moved(a.operation.name, x.shape, a.shape, a.attributes)
    own = [goes.index(j) for j in range(len(goes)) if goes.index(j) != x.batch]
    if own == sorted(own):
        return x.term
    if len(own) == 2:
        return algebra.transpose(x.term)
    return call("transpose", [x.term], [x.each], a.each, {"axes": tuple(sorted(own).index(i) for i in own)})


def _rearranged(a: Application) -> Term:
    """The same elements in another shape, or repeated: nothing, a transpose, or a product with ones."""
    (x,) = a.inputs
    repeats = a.operation.name == "broadcast_to"
    if not repeats and (x.batch is None) != (a.batch is None) and a.shape != x.shape:
        raise NotOfOneExample
    aligned = _aligned(x, a) if repeats else Operand(x.term, x.each, None)
    term, small = aligned.term, aligned.shape
    if isinstance(term, BatchSum) and contractions.are_outer_products(term.parts[0]):
        left, right = term.parts[0].parts
        if left.shape == a.each:  # each row times one number
            return algebra.batch_sum(algebra.product(algebra.diagonal(right), left))
    old, new = matrix_shape(small), matrix_shape(a.each)
    if isinstance(term, Constant):
        return algebra.constant(term.value, new)
    if repeats and len(small) == 1 and len(a.each) == 2:
        term, old = algebra.transpose(term), old[::-1]
    if old == new:
        return term
    if len(old) == len(new) == 2 and old == new[::-1] and 1 in old:
        return algebra.transpose(term)
    if repeats and len(new) == 2:
        rows, columns = new
        if (old == () or old[1] == columns) and rows > 1:
            term = algebra.product(algebra.ones(rows), term)
        if (old == () or old[1] != columns) and columns > 1:
            term = algebra.product(term, algebra.transpose(algebra.ones(columns)))
        return term
    return call("broadcast_to" if repeats else "reshape", [x.term], [small], a.each, {"shape": a.each})


def _stacked(a: Application) -> Term:
    """Columns, or numbers, side by side, some of them all those of a loop. Stacked in rows, that is transposed."""
    x = a.inputs[0]
    axis = a.attributes["axis"] % len(a.shape)
    axis -= a.batch is not None and a.batch < axis
    rows, parts = math.prod(x.each), tuple(other.term for other in a.inputs)
    side_by_side = parts[0]
    if len(parts) > 1:
        widths = [part.steps.most if isinstance(part, Every) else 1 for part in parts]
        shapes = tuple((rows, width) for width in widths)
        side_by_side = Call((rows, sum(widths)), parts, "concatenate", shapes, attributes={"axis": 1})
    return side_by_side if axis else algebra.transpose(side_by_side)


def _indexed(a: Application) -> Term:
    """Parts of an array, or zeros with something put at an index."""
    x, *indices = a.inputs
    reads = a.operation.name == "getitem"
    index, axis = a.attributes["index"], x.batch if reads else a.batch
    if axis is not None:
        if indices:
            raise NotOfOneExample
        index = _index_of_one(index, len(x.shape if reads else a.shape), axis)
    if any(i.batch is not None for i in indices):
        if axis is not None or (reads and a.batch is None):
            raise NotOfOneExample
        term = a.as_it_is(index=index) if reads else _placed(a, index, indices)
        return a.over_batch(term) if a.batch is None else term
    if not reads and len(index) == len(indices) == 1 and a.each[1:] == indices[0].each == x.each == ():
        return algebra.product(x.term, OneHot(matrix_shape(a.each), (indices[0].term,)))
    if not indices and all(part is None or part is ... or _is_all(part) for part in index):
        return x.term if matrix_shape(x.each) == matrix_shape(a.each) else _rearranged(a)
    shape = x.each if reads else a.each
    moves = any(isinstance(end, Time) for part in index for end in ends(part))
    if len(index) == 1 and not indices and not moves and 0 < len(shape) <= 2:
        rows = range(shape[0])[index[0]] if isinstance(index[0], int | slice) else range(0)
        if isinstance(rows, range) and rows and rows.step == 1:
            if reads:
                return algebra.piece(x.term, rows.start, rows.stop, shape)
            return algebra.padded([(rows.start, rows.stop, x.term)], shape)
        if isinstance(rows, int) and not reads:
            return algebra.padded([(rows, rows + 1, algebra.transpose(x.term))], shape)
    return a.as_it_is(index=index) if reads else _placed(a, index, indices)


def _placed(a: Application, index: tuple, indices: list[Operand]) -> Term:
    """Something put at an index: in a row, in a column or at one place of a matrix, a product with unit vectors."""
    x, labels = a.inputs[0], iter(indices)
    units: list[Term | None] = []
    for part, n in zip(full(index, len(a.each)), a.each, strict=False):
        if isinstance(part, int):
            units.append(Unit((n, 1), (algebra.constant(part % n),)))
        elif _is_all(part):
            units.append(None)
        elif part is INPUT and (label := next(labels)).each == ():
            units.append(Unit((n, 1), (label.term,)))
    match units:
        case [None, Term() as column] if len(a.each) == 2:
            return algebra.product(x.term, algebra.transpose(column))
        case [Term() as row, None] if len(a.each) == 2:
            return algebra.product(row, algebra.transpose(x.term))
        case [Term() as row, Term() as column] if len(a.each) == 2:
            return algebra.product(x.term, row, algebra.transpose(column))
    return a.as_it_is(index=index, shape=a.each)


def _is_all(part: Any) -> bool:
    return isinstance(part, slice) and part == slice(None)


def _index_of_one(index: tuple, ndim: int, axis: int) -> tuple:
    """An index without its part for the axis that counts the examples, which has to take all of them."""
    parts = full(index, ndim)
    (at,) = (i for i, part in enumerate(parts) if part is not None and sum(p is not None for p in parts[:i]) == axis)
    if not _is_all(parts[at]):
        raise NotOfOneExample
    own = [*parts[:at], *parts[at + 1 :]]
    while own and _is_all(own[-1]):
        own.pop()
    return tuple(own)


def _along(a: Application) -> Term:
    """An operation along axes of its own, those of one example."""
    x = a.inputs[0]
    gone = axes_of(a.attributes["axis"], len(x.shape) + (a.operation.name == "stack"))
    if any(other.batch != x.batch for other in a.inputs) or (x.batch in gone and a.operation.name != "stack"):
        raise NotOfOneExample
    own = tuple(i - (x.batch is not None and i > x.batch) for i in gone)
    axis: Any = own if isinstance(a.attributes["axis"], tuple) else own[0] if own else None
    if a.attributes["axis"] is None:
        axis = None
    elif axis == len(x.each) - 1 and a.operation.defaults.get("axis") == -1:
        axis = -1
    if a.operation.name == "roll" and len(x.each) == 1 and isinstance(a.attributes["shift"], int):
        return algebra.rotated(x.term, a.attributes["shift"], *x.each)
    return a.as_it_is(axis=axis)
