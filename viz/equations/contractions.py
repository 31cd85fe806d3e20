"""Operations that sum: products of matrices, sums and means, the cross-entropy, einsum."""

from __future__ import annotations

import math

import numpy as np

from tinygrad_rnn.tracing.batch_axis import axes_of
from viz.equations import algebra
from viz.equations.applications import Application, NotOfOneExample, Operand, call
from viz.equations.terms import BatchSum, Call, Every, OneHot, Shape, Term, letter, matrix_shape, new_letter, walk

OUTER = "ia,ib->iab"
"""Outer products of the rows of two matrices: summed up, they are the product of one transposed and the other."""


def matmul(a: Application) -> Term:
    """``h @ W.T`` is W h for each row of h; where the rows themselves are summed over, a sum over the examples."""
    left, right = a.inputs
    inner = max(len(right.shape) - 2, 0)  # the axis of the right one that is summed over
    if left.batch is not None and left.batch == len(left.shape) - 1:
        if right.batch != inner or max(len(left.shape), len(right.shape)) > 3:
            raise NotOfOneExample
        if len(left.shape) == len(right.shape) == 3:
            shapes = [left.each, right.each]
            outer = call("einsum", [left.term, right.term], shapes, (*left.each, right.each[1]), {"subscripts": OUTER})
            return a.over_batch(outer)
        return a.over_batch(algebra.product(left.term, algebra.transpose(right.term)))
    if len(left.each) > 2 or len(right.each) > 2:
        raise NotOfOneExample
    if len(left.each) == 2:
        return algebra.product(left.term, right.term)
    if len(right.each) == 2:
        return algebra.product(algebra.transpose(right.term), left.term)
    return algebra.product(algebra.transpose(left.term), right.term)


def are_outer_products(term: Term) -> bool:
    return isinstance(term, Call) and term.attributes.get("subscripts") == OUTER


def reduction(a: Application) -> Term:
    """A sum or a mean: over an example's own axes as a product with ones, over the examples, or over both."""
    (x,) = a.inputs
    gone = axes_of(a.attributes["axis"], len(x.shape))
    own = [i - (x.batch is not None and i > x.batch) for i in gone if i != x.batch]
    mean = a.operation.name == "mean"
    if len(x.each) > 2 and own and not isinstance(x.term, BatchSum) and not are_outer_products(x.term):
        each = np.empty(x.each).sum(axis=tuple(own), keepdims=a.attributes["keepdims"]).shape
        axes = {"axis": own[0] if len(own) == 1 else tuple(own)}
        result: Term = call(a.operation.name, [x.term], [x.each], each, a.attributes | axes)
        return a.over_batch(result, mean) if x.batch in gone else result
    result = _summed(x.term, x.each, own, a.attributes["keepdims"])
    if mean:
        result = algebra.product(algebra.constant(1 / math.prod(x.each[i] for i in own)), result)
    return a.over_batch(result, mean) if x.batch in gone else result


def _summed(term: Term, shape: Shape, axes: list[int], keepdims: bool) -> Term:
    if not axes:
        return term
    if isinstance(term, BatchSum):
        return algebra.batch_sum(_summed(term.parts[0], shape, axes, keepdims))
    if axes == [0] and are_outer_products(term):
        return algebra.product(algebra.transpose(term.parts[0]), term.parts[1])
    if len(shape) > 2:
        raise NotOfOneExample
    every = next((part for part in walk(term) if isinstance(part, Every)), None)
    if every is not None and 0 in axes and (total := _row_by_row(term, every, shape, 1 in axes)) is not None:
        return algebra.transpose(total) if keepdims else total
    rows, columns = (*shape, 1)[:2]
    if 0 in axes and rows > 1:
        term = algebra.product(algebra.transpose(algebra.ones(rows)), term)
    if 1 in axes and columns > 1:
        term = algebra.product(term, algebra.ones(columns))
    is_row = 0 in axes and len(axes) == 1 and columns > 1
    return algebra.transpose(term) if is_row and not keepdims else term


def _row_by_row(term: Term, every: Every, shape: Shape, within: bool) -> Term | None:
    """A sum of rows that are those of several steps: the sum over these."""
    key, first = new_letter(term), every.steps.first
    row = algebra.row(term, letter(key).plus(first.times(-1)))
    if row is None or row.shape != matrix_shape(shape[1:]):
        return None
    if within:
        row = algebra.product(algebra.transpose(algebra.ones(shape[1])), row)
    return algebra.time_sum(row, key, every.steps)


def log_softmax(x: Operand) -> Term:
    """log softmax(x), along the last axis."""
    softmax = call("softmax", [x.term], [x.each], x.each, {"axis": -1})
    return call("log", [softmax], [x.each], x.each)


def cross_entropy(a: Application) -> Term:
    """−yᵀ log softmax(o), with y one-hot: the lecture's L = −y log ŷ."""
    logits, labels = a.inputs
    reduced = a.attributes["reduction"]
    if a.attributes["weights"] is not None or a.attributes["ignore_index"] is not None or len(logits.each) > 2:
        if logits.batch is not None and reduced != "none":
            raise NotOfOneExample
        return a.as_it_is()
    log = log_softmax(logits)
    y = OneHot(log.shape, (labels.term,))
    if not labels.each:
        loss = algebra.product(algebra.transpose(y), log)
    else:  # a label for each row
        loss = algebra.product(algebra.hadamard(y, log), algebra.ones(log.shape[1]))
        if reduced != "none":
            loss = algebra.product(algebra.transpose(algebra.ones(log.shape[0])), loss)
        if reduced == "mean":
            loss = algebra.product(algebra.constant(1 / log.shape[0]), loss)
    loss = algebra.negative(loss)
    return loss if logits.batch is None or reduced == "none" else a.over_batch(loss, mean=reduced == "mean")


def einsum(a: Application) -> Term:
    """As a product of matrices where it is one."""
    *words, result = a.attributes["subscripts"].replace("->", ",").split(",")
    batch = {word[x.batch] for word, x in zip(words, a.inputs, strict=True) if x.batch is not None}
    contracted = batch - set(result)
    words = ["".join(letter for letter in word if letter not in batch) for word in words]
    result = "".join(letter for letter in result if letter not in batch)
    parts = [x.term for x in a.inputs]
    term = _matrix_product(words, result, parts)
    if term is None:
        term = a.as_it_is(subscripts=",".join(words) + "->" + result)
    return a.over_batch(term) if contracted else term


def _matrix_product(words: list[str], result: str, parts: list[Term]) -> Term | None:
    """Of two vectors or matrices that have at most one letter in common, which is summed over; None if it is not so."""
    if len(words) != 2 or any(len(word) > 2 or len(set(word)) < len(word) for word in (*words, result)):
        return None
    (p, q), (a, b) = words, parts
    if p == q == result:
        return algebra.hadamard(a, b)
    shared = set(p) & set(q)
    if len(shared) > 1 or set(p) ^ set(q) != set(result):
        return None
    if not shared:  # an outer product, or a number times something
        if len(p) == len(q) == 1:
            b = algebra.transpose(b)
        elif p and q:
            return None
        term = algebra.product(a, b)
        return term if p + q == result else algebra.transpose(term)
    (s,) = shared
    left = algebra.transpose(a) if p[0] == s else a  # the letter that is summed over last, or a row
    right = algebra.transpose(b) if q[0] != s else b  # … and first
    term = algebra.product(left, right)
    out = p.replace(s, "") + q.replace(s, "")
    return algebra.transpose(term) if out != result or (len(p) == 1 and len(q) == 2) else term
