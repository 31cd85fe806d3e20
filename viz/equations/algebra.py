"""Putting terms together, simplified as a person would write them.

    0 + x = x,    1 x = x,    (A B)ᵀ = Bᵀ Aᵀ,    x ⊙ x = x²,    u ⊙ vᵀ = u vᵀ,    𝟏ᵀ (u ⊙ v) = uᵀ v

and an elementwise factor that does not depend on the incoming gradient becomes a matrix: g ⊙ f = diag(f) g. No rule
knows of a model.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import accumulate, pairwise
from typing import Any, TypeGuard

import numpy as np

from viz.equations.terms import (
    Add,
    BatchSize,
    BatchSum,
    Call,
    Constant,
    Diagonal,
    Every,
    Hadamard,
    Negative,
    OneHot,
    Power,
    Product,
    Quotient,
    Shape,
    Steps,
    Symbol,
    Term,
    Time,
    TimeSum,
    Transpose,
    depends_on,
    depends_on_gradient,
    is_number,
    is_of_batch,
    letter,
    matrix_shape,
    new_letter,
    put,
    walk,
)

JOINED = "joined"
"""The key of a concatenation of pieces below each other."""


def constant(value: Any, shape: Shape = ()) -> Constant:
    """The same number everywhere."""
    return Constant(shape, (), float(value))


def zero(shape: Shape) -> Constant:
    return constant(0, shape)


def ones(n: int) -> Constant:
    """The column 𝟏 of length n."""
    return constant(1, matrix_shape((n,)))


# -- sums and products --------------------------------------------------------------------------------------


def add(*terms: Term) -> Term:
    """a + b + …"""
    parts = [part for term in terms for part in (term.parts if isinstance(term, Add) else (term,))]
    shape = np.broadcast_shapes(*(part.shape for part in parts))
    numbers = [part for part in parts if isinstance(part, Constant) and part.shape == ()]
    if len(numbers) > 1:
        parts = [constant(sum(part.value for part in numbers)), *(part for part in parts if part not in numbers)]
    count = Counter(part for part in parts if not is_number(part, 0))
    parts = [product(constant(n), part) if n > 1 else part for part, n in count.items()]
    if not parts:
        return zero(shape)
    if len(parts) == 1 and parts[0].shape == shape:
        return parts[0]
    whole = _stitched(parts)
    if len(whole) == 1:
        return whole[0]
    if all(map(is_over_batch, parts)):
        return batch_sum(add(*map(of_one_example, parts)))
    return _with_a_common_factor(whole) or Add(shape, tuple(_positive_first(whole)))


def _positive_first(parts: list[Term]) -> list[Term]:
    """b − a instead of −a + b."""
    if not isinstance(parts[0], Negative):
        return parts
    return sorted(parts, key=lambda part: not isinstance(part, Negative), reverse=True)


def _with_a_common_factor(parts: list[Term]) -> Term | None:
    """1/B (b − a) instead of 1/B b − 1/B a; None where that is not so."""
    found = [_share(part) for part in parts]
    shares = {share for share, _ in found}
    if len(shares) > 1 or not any(isinstance(part, BatchSize) for share in shares for part in walk(share)):
        return None
    return product(shares.pop(), add(*(rest for _, rest in found)))


def _share(part: Term) -> tuple[Term, Term]:
    """A term as a number, or a number divided by B, times the rest."""
    coefficient, numbers, matrices = _factors([part])
    shares = [n for n in numbers if isinstance(n, Quotient) and isinstance(n.parts[1], BatchSize)]
    share = product(constant(abs(coefficient)), *shares)
    rest = product(*(n for n in numbers if n not in shares), *matrices)
    return share, negative(rest) if coefficient < 0 else rest


def negative(a: Term) -> Term:
    """−a"""
    if isinstance(a, Constant):
        return constant(-a.value, a.shape)
    return a.parts[0] if isinstance(a, Negative) else Negative(a.shape, (a,))


def product(*terms: Term) -> Term:
    """The matrix product, from left to right; what is a number may stand anywhere."""
    coefficient, numbers, matrices = _factors(terms)
    if any(isinstance(factor, Product) for factor in matrices):
        return product(constant(coefficient), *numbers, *matrices)
    for i, factor in enumerate(matrices):
        before, behind = matrices[:i], matrices[i + 1 :]
        if isinstance(factor, BatchSum) and before + behind and not any(map(is_of_batch, before + behind)):
            inner = batch_sum(product(*before, factor.parts[0], *behind))
            return product(constant(coefficient), *numbers, inner)
    shape = matrix_shape((matrices[0].shape[0], matrices[-1].shape[1])) if matrices else ()
    if coefficient == 0 or any(is_number(factor, 0) for factor in matrices):
        return zero(shape)
    factors = [*numbers, *matrices]
    if abs(coefficient) != 1 or not factors:
        factors.insert(0, constant(abs(coefficient)))
    result = factors[0] if len(factors) == 1 else Product(shape, tuple(factors))
    return negative(result) if coefficient < 0 else result


def _factors(terms: Iterable[Term]) -> tuple[float, list[Term], list[Term]]:
    """The factors of a product and of the products in it: one number, other terms that are numbers, matrices."""
    coefficient = 1.0
    numbers: list[Term] = []
    matrices: list[Term] = []
    pending = list(terms)[::-1]
    while pending:
        factor = pending.pop()
        if isinstance(factor, Negative):
            coefficient = -coefficient
            pending.append(factor.parts[0])
        elif isinstance(factor, Constant) and factor.shape == ():
            coefficient *= factor.value
        elif isinstance(factor, Product) and (factor.shape or all(part.shape == () for part in factor.parts)):
            pending += reversed(factor.parts)
        elif factor.shape == ():
            numbers.append(factor)
        else:
            matrices = _joined(matrices, factor)
    return coefficient, numbers, matrices


def _joined(matrices: list[Term], factor: Term) -> list[Term]:
    """A product of matrices with one more factor at its end: diag(a) diag(b), diag(a) 𝟏, 𝟏ᵀ diag(a), 𝟏ᵀ (a ⊙ b)."""
    if not matrices:
        return [factor]
    *before, last = matrices
    if isinstance(last, Diagonal) and isinstance(factor, Diagonal):
        return [*before, diagonal(hadamard(last.parts[0], factor.parts[0]))]
    if isinstance(last, Diagonal) and is_number(factor, 1) and factor.shape[1] == 1:
        return [*before, last.parts[0]]
    if is_number(last, 1) and last.shape[0] == 1 and last.shape[1] == factor.shape[0]:  # 𝟏ᵀ …
        if sums_to_one(factor):
            return before
        if isinstance(factor, Diagonal):
            return [*before, transpose(factor.parts[0])]
        if isinstance(factor, Hadamard) and factor.shape[1] == 1:
            first, *others = factor.parts
            return [*before, transpose(first), hadamard(*others)]
        if isinstance(factor, Power) and factor.exponent == 2 and factor.shape[1] == 1:
            return [*before, transpose(factor.parts[0]), factor.parts[0]]
    return [*matrices, factor]


def sums_to_one(a: Term) -> bool:
    """Whether the elements of a column are known to."""
    is_softmax = isinstance(a, Call) and a.operation == "softmax"
    return a.shape[1:] == (1,) and (is_softmax or isinstance(a, OneHot) or (isinstance(a, Symbol) and a.sums_to_one))


def hadamard(*terms: Term) -> Term:
    """The product element by element; columns, rows and numbers are repeated as NumPy would."""
    first, *others = terms
    for other in others:
        first = _times(first, other)
    return first


def _times(a: Term, b: Term) -> Term:
    if a.shape == () or b.shape == ():
        return product(a, b)
    if a.shape != b.shape and len(a.shape) == len(b.shape) == 2:
        return _stretched(a, b)
    for one, other in ((a, b), (b, a)):
        scaled = _rows_or_columns_scaled(one, other)
        if scaled is not None:
            return scaled
    coefficient, numbers, factors = 1.0, list[Term](), list[Term]()
    for term in (a, b):
        c, more, matrices = _factors([term])
        coefficient, numbers = coefficient * c, numbers + more
        term = product(*matrices)
        if isinstance(term, Constant):
            coefficient *= term.value
        else:
            factors += term.parts if isinstance(term, Hadamard) else (term,)
    factors = factors or [constant(1, a.shape)]
    incoming = [factor for factor in factors if depends_on_gradient(factor)]
    local = [factor for factor in factors if not depends_on_gradient(factor)]
    if incoming and local and a.shape[1:] == (1,):
        return product(constant(coefficient), *numbers, diagonal(_powers(local)), _powers(incoming))
    return product(constant(coefficient), *numbers, _powers(factors))


def _rows_or_columns_scaled(one: Term, other: Term) -> Term | None:
    """(u 𝟏ᵀ) ⊙ A = diag(u) A, and (𝟏 vᵀ) ⊙ A = A diag(v)."""
    if not isinstance(one, Product) or len(one.shape) != 2 or one.shape[1] == 1:
        return None
    coefficient, numbers, matrices = _factors([one])
    if all(is_number(factor, 1) for factor in matrices):
        return product(constant(coefficient), *numbers, other)
    *before, last = one.parts
    first, *behind = one.parts
    if is_number(last, 1) and last.shape[0] == 1:
        return product(diagonal(product(*before)), other)
    if is_number(first, 1) and first.shape[1:] == (1,):
        return product(other, diagonal(transpose(product(*behind))))
    return None


def _stretched(a: Term, b: Term) -> Term:
    """One of two is a row or a column that is repeated."""
    for one, other in ((a, b), (b, a)):
        if one.shape == (other.shape[0], 1):
            return product(one, other) if other.shape[0] == 1 else product(diagonal(one), other)
        if one.shape == (1, other.shape[1]):
            return product(other, one) if other.shape[1] == 1 else product(other, diagonal(transpose(one)))
    return product(a, b) if a.shape[1] == 1 else product(b, a)  # a column and a row: the outer product


def _powers(factors: list[Term]) -> Term:
    """A product element by element in which equal factors are powers."""
    exponents: dict[Term, float] = {}
    for factor in factors:
        base, exponent = (factor.parts[0], factor.exponent) if isinstance(factor, Power) else (factor, 1)
        exponents[base] = exponents.get(base, 0) + exponent
    parts = tuple(power(base, exponent) for base, exponent in exponents.items())
    return parts[0] if len(parts) == 1 else Hadamard(np.broadcast_shapes(*(p.shape for p in parts)), parts)


def quotient(a: Term, b: Term) -> Term:
    """a / b, element by element."""
    if isinstance(a, Negative):
        return negative(quotient(a.parts[0], b))
    if is_number(b, 1) or is_number(a, 0):
        return a
    is_share = isinstance(b, BatchSize) or (isinstance(b, Constant) and b.shape == ())
    if is_share and not isinstance(a, Constant):
        return product(quotient(constant(1), b), a)
    if isinstance(b, Product) and isinstance(b.parts[0], Constant) and b.shape == b.parts[0].shape == ():
        return product(constant(1 / b.parts[0].value), quotient(a, product(*b.parts[1:])))
    if isinstance(a, Quotient) and not isinstance(b, Constant):
        return quotient(a.parts[0], hadamard(a.parts[1], b))
    if isinstance(a, Constant) and b.shape == a.shape == ():
        if isinstance(b, Constant):
            return constant(a.value / b.value) if b.value else Quotient((), (a, b))
        if a.value != 1:
            return product(a, quotient(constant(1), b))
    return Quotient(np.broadcast_shapes(a.shape, b.shape), (a, b))


def power(a: Term, exponent: float) -> Term:
    """aⁿ, element by element."""
    return a if exponent == 1 else Power(a.shape, (a,), exponent)


def transpose(a: Term) -> Term:
    """Aᵀ; a number is its own, and so is what has more axes."""
    if a.shape == () or len(a.shape) > 2:
        return a
    if isinstance(a, Transpose):
        return a.parts[0]
    if isinstance(a, Product):
        return product(*map(transpose, reversed(a.parts)))
    shape = a.shape[::-1]
    if isinstance(a, Constant):
        return constant(a.value, shape)
    if isinstance(a, Negative | TimeSum | BatchSum):
        return replace(a, shape=shape, parts=tuple(map(transpose, a.parts)))
    return a if isinstance(a, Diagonal) else Transpose(shape, (a,))


def diagonal(a: Term) -> Term:
    """diag(a)"""
    n = a.shape[0]
    return Diagonal((n, n), (a,))


# -- parts of columns and matrices ---------------------------------------------------------------------------


def _stitched(parts: list[Term]) -> list[Term]:
    """A sum's parts, where those of [a; 0] and [0; b] are joined to [a; b]."""
    result: list[Term] = []
    for part in parts:
        for i, other in enumerate(result):
            both = _overlaid(other, part)
            if both is not None:
                result[i] = both
                break
        else:
            result.append(part)
    return result


def _overlaid(a: Term, b: Term) -> Term | None:
    """The sum of two arrays of pieces, if one is zero wherever the other is not."""
    if not (_is_padded(a) and _is_padded(b)) or a.shape != b.shape:
        return None
    pieces = sorted([*_pieces(a), *_pieces(b)], key=lambda piece: piece[0])
    if any(stop > start for (_, stop, _), (start, _, _) in pairwise(pieces)):
        return None
    return padded(pieces, (sum(shape[0] for shape in a.shapes), *a.shapes[0][1:]))


def _is_padded(a: Term) -> TypeGuard[Call]:
    return isinstance(a, Call) and a.key == JOINED and any(is_number(part, 0) for part in a.parts)


def _pieces(a: Call) -> list[tuple[int, int, Term]]:
    """The pieces of [a; b; c] that are not zero, and from where to where they stand."""
    ends = [*accumulate(shape[0] for shape in a.shapes)]
    pieces = zip([0, *ends], ends, a.parts, strict=False)
    return [(start, stop, part) for start, stop, part in pieces if not is_number(part, 0)]


def padded(pieces: Sequence[tuple[int, int, Term]], shape: Shape) -> Term:
    """An array of NumPy's shape with pieces that each stand from one place to another of its first axis, and zeros."""
    parts: list[tuple[int, Term]] = []
    end = 0
    for start, stop, part in pieces:
        parts += [(start - end, zero(matrix_shape((start - end, *shape[1:])))), (stop - start, part)]
        end = stop
    parts.append((shape[0] - end, zero(matrix_shape((shape[0] - end, *shape[1:])))))
    parts = [(n, part) for n, part in parts if n]
    return join([part for _, part in parts], [(n, *shape[1:]) for n, _ in parts], shape)


def join(parts: list[Term], shapes: list[Shape], shape: Shape) -> Term:
    """[a; b]: arrays below each other."""
    if len(parts) == 1:
        return parts[0]
    return Call(matrix_shape(shape), tuple(parts), "concatenate", tuple(shapes), JOINED, {"axis": 0})


def piece(a: Term, start: int, stop: int, shape: Shape) -> Term:
    """What stands between two places of the first axis of an array of NumPy's shape."""
    if isinstance(a, Call) and a.key == JOINED:
        for one in _pieces(a):
            if one[:2] == (start, stop):
                return one[2]
    index = (slice(start, stop),)
    return Call(matrix_shape((stop - start, *shape[1:])), (a,), "getitem", (shape,), str(index), {"index": index})


def rotated(a: Term, shift: int, n: int) -> Term:
    """The column [a₂; …; aₙ; a₁] for a shift by −1: what is pushed over one end comes in at the other."""
    cut = -shift % n
    return join([piece(a, cut, n, (n,)), piece(a, 0, cut, (n,))], [(n - cut,), (cut,)], (n,)) if cut else a


def every(body: Term, key: int, steps: Steps) -> Every:
    """What is written for a letter, at all its steps."""
    n = steps.most
    shape = (n, *body.shape) if body.shape[1:] not in ((), (1,)) else ((*body.shape, 1)[0], n)
    own = new_letter(body)
    return Every(shape, (put(body, {key: letter(own)}),), own, steps)


def row(matrix: Term, number: Time) -> Term | None:
    """A row of a matrix, as a column: of all steps h⁽¹⁾, h⁽²⁾, … row t is h⁽ᵗ⁾.  None if that cannot be said."""
    match matrix:
        case Transpose(parts=(Every(parts=(body,), letter=key, steps=steps),)) if steps.by == 1:
            return put(body, {key: steps.first.plus(number)})
        case Constant():
            return constant(matrix.value, matrix_shape(matrix.shape[1:]))
        case Add() | Negative() | Hadamard() | Quotient() | Power():
            parts = [part if part.shape == () else row(part, number) for part in matrix.parts]
            if any(part is None for part in parts) or any(p.shape not in ((), matrix.shape) for p in matrix.parts):
                return None
            rows = tuple(part for part in parts if part is not None)
            if isinstance(matrix, Power):
                return power(rows[0], matrix.exponent)
            make: Any = {Add: add, Negative: negative, Hadamard: hadamard, Quotient: quotient}[type(matrix)]
            return make(*rows)
        case Product():
            numbers = [part for part in matrix.parts if part.shape == ()]
            first, *others = (part for part in matrix.parts if part.shape)
            inner = row(first, number)
            return None if inner is None else product(*numbers, transpose(product(*others)), inner)
    return None


# -- sums over steps and over examples -------------------------------------------------------------------------


def time_sum(body: Term, key: int, steps: Steps) -> Term:
    """Σ over the steps that a letter stands for."""
    match body:
        case Call(parts=(row,), operation="scatter", attributes={"index": (at,), "shape": (n, *_)}):
            if at == letter(key) and (steps.first, steps.by, steps.most) == (Time(), 1, n):
                return transpose(every(row, key, steps))
    if isinstance(body, Negative):
        return negative(time_sum(body.parts[0], key, steps))
    if isinstance(body, BatchSum):
        return batch_sum(time_sum(body.parts[0], key, steps))
    if isinstance(body, Product):
        constants = [part for part in body.parts if part.shape == () and not depends_on(part, key)]
        if constants:
            rest = product(*(part for part in body.parts if part not in constants))
            return product(*constants, time_sum(rest, key, steps))
    own = new_letter(body)
    return TimeSum(body.shape, (put(body, {key: letter(own)}),), own, steps)


def batch_sum(body: Term) -> Term:
    """Σ over the examples."""
    if isinstance(body, Negative):
        return negative(batch_sum(body.parts[0]))
    if isinstance(body, Product):
        constants = [part for part in body.parts if part.shape == () and not is_of_batch(part)]
        if constants and len(constants) < len(body.parts):
            return product(*constants, batch_sum(product(*(part for part in body.parts if part not in constants))))
    return BatchSum(body.shape, (body,))


def is_over_batch(term: Term) -> bool:
    """Whether it is a sum over the examples, perhaps times a number."""
    if isinstance(term, Negative):
        return is_over_batch(term.parts[0])
    if not isinstance(term, Product):
        return isinstance(term, BatchSum)
    *before, last = term.parts
    return isinstance(last, BatchSum) and not any(part.shape or is_of_batch(part) for part in before)


def of_one_example(term: Term) -> Term:
    """What a sum over the examples is the sum of."""
    if isinstance(term, Negative):
        return negative(of_one_example(term.parts[0]))
    return product(*term.parts[:-1], of_one_example(term.parts[-1])) if isinstance(term, Product) else term.parts[0]


def is_batch_mean(term: Term) -> bool:
    """Whether it is 1/B of a sum over the examples."""
    return is_over_batch(term) and any(isinstance(part, BatchSize) for part in walk(term))


def without_batch_size(term: Term) -> Term:
    """B times that: of a mean over the examples, what is summed up for each of them."""
    if isinstance(term, Negative):
        return negative(without_batch_size(term.parts[0]))
    share = quotient(constant(1), BatchSize(()))
    return product(*(part for part in term.parts if part != share)) if isinstance(term, Product) else term
