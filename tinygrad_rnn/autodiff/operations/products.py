"""Products of matrices and their generalisation, einsum."""

import numpy as np

from ..errors import ShapeError, complaint
from ..operation import operation
from ..outer_sum import OuterSum


def _matmul(a, b, /):
    """a @ b: vectors, matrices and stacks of matrices, as in NumPy.

    BLAS is up to twice as fast with the long side first when b is a transposed matrix, which `h @ W.T` is:
    then compute (bᵀ aᵀ)ᵀ.
    """
    if type(a) is type(b) is np.ndarray and a.ndim == b.ndim == 2 and a.shape[0] < b.shape[1] and b.flags.f_contiguous:
        return (b.T @ a.T).T
    return a @ b


def _mT(x):
    return x.T if x.ndim == 2 else np.swapaxes(x, -1, -2)


def _left_rule(g, _y, _a, b):
    if _a.ndim == 1 and b.ndim > 1:
        g = np.expand_dims(g, -2)
    if b.ndim == 1:
        return np.expand_dims(g, -1) * b
    product = _matmul if type(g) is np.ndarray else matmul
    gradient = product(g, _mT(b))
    return np.squeeze(gradient, -2) if _a.ndim == 1 else gradient


def _right_rule(g, _y, a, _b):
    if a.ndim == 1:
        return np.expand_dims(g, -2) * np.expand_dims(a, -1) if _b.ndim > 1 else g * a
    if a.ndim == _b.ndim == 2 and type(a) is type(g) is np.ndarray:
        return OuterSum(a, g)  # aᵀ g; a weight that is used often collects many of these
    if _b.ndim == 1:
        return np.squeeze(matmul(_mT(a), np.expand_dims(g, -1)), -1)
    return matmul(_mT(a), g)


matmul = operation("matmul", _matmul, (_left_rule, _right_rule), glyph="@", latex=r"\,")


def outer(a, b):
    """aᵢ bⱼ for all i, j of the flattened inputs."""
    return np.reshape(a, (-1, 1)) * np.reshape(b, (1, -1))


# -- einsum ----------------------------------------------------------------------------------------


def _einsum(*operands, subscripts):
    return np.einsum(subscripts, *operands, optimize=len(operands) > 2)


def _einsum_rule(g, _y, operands, needs, subscripts):
    """The gradient of one operand is an einsum too: exchange that operand's letters with the result's.

    A letter that stands twice in the operand (a diagonal) becomes two letters and an identity matrix; one
    that stands nowhere else at this length (summed out, or of length 1 there) is filled up with ones.
    """
    terms, result = subscripts.split("->")
    terms = terms.split(",")
    unused = iter(c for c in _LETTERS if c not in subscripts)

    def gradient(i):
        inputs, factors, target = [result, *terms[:i], *terms[i + 1 :]], [g, *operands[:i], *operands[i + 1 :]], ""
        elsewhere = {pair for term, x in zip(inputs, factors, strict=True) for pair in zip(term, x.shape, strict=True)}
        for letter, length in zip(terms[i], operands[i].shape, strict=True):
            if letter in target:
                twin = next(unused)
                inputs.append(letter + twin)
                factors.append(np.eye(length, dtype=operands[i].dtype))
                target += twin
                continue
            if letter not in "".join(inputs) or (length != 1 and (letter, length) not in elsewhere):
                inputs.append(letter)
                factors.append(np.ones(length, operands[i].dtype))
            target += letter
        return einsum(",".join(inputs) + "->" + target, *factors)

    return (gradient(i) for i, needed in enumerate(needs) if needed)


_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_contracted = operation("einsum", _einsum, joint=_einsum_rule, glyph="einsum")


def einsum(subscripts, *operands):
    """Sum of products over labelled axes, every form of np.einsum with a subscripts string.

    Ellipsis and implicit output are rewritten in explicit letters first: ``"ij,jk"`` is ``"ij,jk->ik"``.
    Raises TypeError if the subscripts are not a string, ShapeError if they do not fit the operands.
    """
    if not isinstance(subscripts, str):
        raise complaint(TypeError, f"einsum: subscripts come first, as a string, not {type(subscripts).__name__}")
    return _contracted(*operands, subscripts=_explicit(subscripts, [np.ndim(x) for x in operands]))


def _explicit(subscripts, ndims):
    terms, arrow, result = subscripts.replace(" ", "").partition("->")
    terms = terms.split(",")
    if len(terms) != len(ndims):
        raise complaint(ShapeError, f"einsum: {subscripts!r} has {len(terms)} terms for {len(ndims)} operands")
    spare = "".join(c for c in _LETTERS if c not in subscripts)
    hidden = [ndim - len(term.replace("...", "")) for term, ndim in zip(terms, ndims, strict=True)]
    for term, ndim, rest in zip(terms, ndims, hidden, strict=True):
        if rest < 0 or (rest and "..." not in term):
            raise complaint(ShapeError, f"einsum: {subscripts!r}: {term!r} does not fit an operand with {ndim} axes")
    if arrow and any(hidden) and "..." not in result:
        raise complaint(ShapeError, f"einsum: {subscripts!r} leaves no place for the axes of '...' in the result")
    widest = max((n for n, term in zip(hidden, terms, strict=True) if "..." in term), default=0)
    dots = spare[:widest]  # the last letters are shared: broadcasting aligns on the right
    terms = [term.replace("...", dots[widest - n :]) for n, term in zip(hidden, terms, strict=True)]
    if not arrow:
        named = "".join(terms)
        result = dots + "".join(sorted(c for c in set(named) - set(dots) if named.count(c) == 1))
    return ",".join(terms) + "->" + result.replace("...", dots)
