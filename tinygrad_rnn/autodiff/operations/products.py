"""Sums of products: dot, inner, outer, tensordot, and over labelled axes einsum."""

import math
from string import ascii_letters
from typing import Any

import numpy as np

from ..errors import ShapeError, complaint
from ..operation import operation
from ..tensor import Tensor
from .arrangements import moveaxis
from .elementwise import multiply
from .linear import expand_dims, matmul, reshape, squeeze


def dot(a: Any, b: Any) -> Tensor:
    if not (np.ndim(a) and np.ndim(b)):
        return multiply(a, b)
    return matmul(a, b) if np.ndim(b) <= 2 else tensordot(a, b, (-1, -2))


def vecdot(x1: Any, x2: Any, axis: Any = -1) -> Tensor:
    rows, columns = expand_dims(moveaxis(x1, axis, -1), -2), expand_dims(moveaxis(x2, axis, -1), -1)
    return squeeze(matmul(rows, columns), (-2, -1))


def tensordot(a: Any, b: Any, axes: Any = 2) -> Tensor:
    """Sum of products over so many last axes of a and first axes of b, or over (axes of a, axes of b)."""
    pair = (range(-axes, 0), range(axes)) if isinstance(axes, (int, np.integer)) else axes
    left, right = (np.ravel(part).astype(int).tolist() for part in pair)
    a, b = moveaxis(a, left, list(range(-len(left), 0))), moveaxis(b, right, list(range(len(right))))
    summed, rows, columns = a.shape[a.ndim - len(left) :], a.shape[: a.ndim - len(left)], b.shape[len(right) :]
    if summed != b.shape[: len(right)]:
        raise complaint(ShapeError, f"tensordot: lengths {summed} ≠ {b.shape[: len(right)]} of the summed axes")
    size = math.prod(summed)
    return reshape(matmul(reshape(a, (math.prod(rows), size)), reshape(b, (size, math.prod(columns)))), rows + columns)


def outer(a: Any, b: Any) -> Tensor:
    """aᵢ bⱼ for all i, j of the flattened inputs."""
    return multiply(reshape(a, (-1, 1)), reshape(b, (1, -1)))


inner = lambda a, b: tensordot(a, b, (-1, -1)) if np.ndim(a) and np.ndim(b) else multiply(a, b)

# -- einsum ----------------------------------------------------------------------------------------


def _einsum_rule(g, _y, operands, needs, subscripts):
    """The gradient of one operand is an einsum too: exchange that operand's letters with the result's.

    A letter that stands twice in the operand (a diagonal) becomes two letters and an identity matrix; one
    that stands nowhere else at this length (summed out, or of length 1 there) is filled up with ones.
    """
    terms, result = subscripts.split("->")
    terms = terms.split(",")
    unused = iter(c for c in ascii_letters if c not in subscripts)
    for i, operand in enumerate(operands):
        if not needs[i]:
            continue
        inputs, factors, target = [result, *terms[:i], *terms[i + 1 :]], [g, *operands[:i], *operands[i + 1 :]], ""
        axes = [axis for term, x in zip(inputs, factors, strict=True) for axis in zip(term, x.shape, strict=True)]
        elsewhere = {*axes, *((letter, 1) for letter, _ in axes)}  # length 1 broadcasts against any
        for letter, length in zip(terms[i], operand.shape, strict=True):
            if letter in target:
                twin = next(unused)
                inputs.append(letter + twin)
                factors.append(np.eye(length, dtype=operand.dtype))
                letter = twin
            elif (letter, length) not in elsewhere:
                inputs.append(letter)
                factors.append(np.ones(length, operand.dtype))
            target += letter
        yield einsum(",".join(inputs) + "->" + target, *factors)


_contracted = operation(
    "einsum",
    lambda *operands, subscripts: np.einsum(subscripts, *operands, optimize=len(operands) > 2),
    joint=_einsum_rule,
)


def einsum(subscripts: Any, *operands: Any) -> Tensor:
    """Sum of products over labelled axes, every form of np.einsum with a subscripts string.

    Ellipsis and implicit output are rewritten in explicit letters first: ``"ij,jk"`` is ``"ij,jk->ik"``.
    Raises TypeError if the subscripts are not a string, ShapeError if they do not fit the operands.
    """
    if not isinstance(subscripts, str):
        raise complaint(TypeError, f"einsum: subscripts come first, as a string, not {type(subscripts).__name__}")
    return _contracted(*operands, subscripts=_explicit(subscripts, [np.ndim(x) for x in operands]))


def _explicit(subscripts, ndims):
    """The subscripts with a letter for each axis that '...' stands for, and with the result."""
    terms, arrow, result = subscripts.replace(" ", "").partition("->")
    terms = terms.split(",")
    if len(terms) != len(ndims):
        raise complaint(ShapeError, f"einsum: {subscripts!r} has {len(terms)} terms for {len(ndims)} operands")
    hidden = [ndim - len(term.replace("...", "")) for term, ndim in zip(terms, ndims, strict=True)]
    for term, ndim, n in zip(terms, ndims, hidden, strict=True):
        if n < 0 or (n and "..." not in term):
            raise complaint(ShapeError, f"einsum: {subscripts!r}: {term!r} does not fit an operand with {ndim} axes")
    dots = "".join(c for c in ascii_letters if c not in subscripts)[: max(hidden)]
    if arrow and dots and "..." not in result:
        raise complaint(ShapeError, f"einsum: {subscripts!r} leaves no place for the axes of '...' in the result")
    # broadcasting aligns axes on the right: fewer axes have the last letters
    terms = [term.replace("...", dots[len(dots) - n :]) for n, term in zip(hidden, terms, strict=True)]
    if not arrow:
        named = "".join(terms)
        result = dots + "".join(sorted(c for c in set(named) - set(dots) if named.count(c) == 1))
    return ",".join(terms) + "->" + result.replace("...", dots)
