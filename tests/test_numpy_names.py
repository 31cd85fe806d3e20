"""NumPy's names on tensors: values equal NumPy's, derivatives agree with finite differences, dtypes stay.

A call is written once, for any module `m` that has NumPy's functions: on arrays with ``m = np`` it gives what is
expected, on tensors it runs both as ``np.f(t)`` and as ``tg.f(t)``.
"""

import math

import numpy as np
import pytest

import tinygrad_rnn as tg

inf, nan = np.inf, np.nan
SHAPES = [(), (1,), (0,), (4,), (2, 3), (2, 0), (1, 3), (2, 1, 3)]


def values(shape, low=-2.0, high=2.0, seed=0):
    """Numbers of which no two are equal or near 0, ±½ or ±1."""
    size = math.prod(shape)
    grid = low + (high - low) * (np.arange(size) + 0.37) / max(size, 1)
    return np.random.default_rng(seed + size).permutation(grid).reshape(shape)


def joined(m, parts):
    """Several results as one: each in its own weight, so that none can stand for another."""
    assert isinstance(parts, (list, tuple))
    return m.concatenate([(i + 1) * m.reshape(part, -1) for i, part in enumerate(parts)])


def linalg(m):
    return getattr(m, "linalg", m)


# -- elementwise functions: the interval that they are tested on -----------------------------------

ELEMENTWISE = {
    "reciprocal": (0.3, 3.0),
    "exp2": (-2, 2),
    "log2": (0.3, 3.0),
    "log10": (0.3, 3.0),
    "tan": (-1.2, 1.2),
    "sinh": (-2, 2),
    "cosh": (-2, 2),
    "arcsin": (-0.9, 0.9),
    "arccos": (-0.9, 0.9),
    "arctan": (-2, 2),
    "arcsinh": (-2, 2),
    "arccosh": (1.2, 3),
    "arctanh": (-0.9, 0.9),
    "copy": (-2, 2),
}

# -- the others: shapes of the inputs, and the call in several forms -------------------------------

S = (2, 3, 4)
INDEX = np.array([[2, 0], [1, 1]])
CASES = {
    "arctan2": [
        ([(3,), (3,)], lambda m, a, b: m.arctan2(a, b)),
        ([(2, 3), (3,)], lambda m, a, b: m.arctan2(a, b)),
        ([(), (0,)], lambda m, a, b: m.arctan2(a, b)),
        ([S], lambda m, a: m.arctan2(a, 1.5)),
    ],
    "dot": [
        ([(), S], lambda m, a, b: m.dot(a, b)),
        ([(4,), (4,)], lambda m, a, b: m.dot(a, b)),
        ([(2, 4), (4,)], lambda m, a, b: m.dot(a, b)),
        ([(4,), (4, 3)], lambda m, a, b: m.dot(a, b)),
        ([(2, 4), (4, 3)], lambda m, a, b: m.dot(a, b)),
        ([S, (4, 1)], lambda m, a, b: m.dot(a, b)),
        ([(4,), (2, 4, 3)], lambda m, a, b: m.dot(a, b)),
        ([(2, 4), (2, 4, 3)], lambda m, a, b: m.dot(a, b)),
        ([(2, 0), (0, 3)], lambda m, a, b: m.dot(a, b)),
        ([(2, 2)], lambda m, a: m.dot(a, a)),
    ],
    "inner": [
        ([(), (3,)], lambda m, a, b: m.inner(a, b)),
        ([(3,), (3,)], lambda m, a, b: m.inner(a, b)),
        ([(2, 3), (3,)], lambda m, a, b: m.inner(a, b)),
        ([(2, 3), (4, 2, 3)], lambda m, a, b: m.inner(a, b)),
        ([(2, 0), (0,)], lambda m, a, b: m.inner(a, b)),
    ],
    "vecdot": [
        ([(3,), (3,)], lambda m, a, b: m.vecdot(a, b)),
        ([(2, 3), (3,)], lambda m, a, b: m.vecdot(a, b)),
        ([(2, 1, 3), (4, 3)], lambda m, a, b: m.vecdot(a, b)),
        ([(3, 2), (3, 2)], lambda m, a, b: m.vecdot(a, b, axis=0)),
        ([(2, 0), (0,)], lambda m, a, b: m.vecdot(a, b)),
        ([(2, 3), (2, 3)], lambda m, a, b: linalg(m).vecdot(a, b, axis=-1)),
    ],
    "tensordot": [
        ([(2, 3, 4), (3, 4, 2)], lambda m, a, b: m.tensordot(a, b)),
        ([(2, 3), (3, 2)], lambda m, a, b: m.tensordot(a, b, 1)),
        ([(2, 3), (2,)], lambda m, a, b: m.tensordot(a, b, axes=0)),
        ([(2, 3, 4), (4, 2)], lambda m, a, b: m.tensordot(a, b, axes=(-1, 0))),
        ([(2, 3, 4), (4, 3, 2)], lambda m, a, b: m.tensordot(a, b, axes=([1, 2], [1, 0]))),
        ([(0, 3), (3, 2)], lambda m, a, b: m.tensordot(a, b, 1)),
        ([(2, 0), (0, 3)], lambda m, a, b: m.tensordot(a, b, 1)),
    ],
    "vstack": [
        ([(), ()], lambda m, a, b: m.vstack([a, b])),
        ([(3,), (3,)], lambda m, a, b: m.vstack((a, b))),
        ([(3,), (2, 3)], lambda m, a, b: m.vstack([a, b, a])),
        ([(2, 3), (0, 3)], lambda m, a, b: m.vstack([a, b])),
        ([(3,)], lambda m, a: m.vstack([a, [1.0, 2.0, 3.0]])),
    ],
    "hstack": [
        ([(), (2,)], lambda m, a, b: m.hstack([a, b])),
        ([(2,), (3,)], lambda m, a, b: m.hstack((a, b))),
        ([(2, 1), (2, 3)], lambda m, a, b: m.hstack([a, b])),
        ([(2, 1, 2), (2, 0, 2)], lambda m, a, b: m.hstack([a, b])),
    ],
    "column_stack": [
        ([(3,), (3,)], lambda m, a, b: m.column_stack([a, b])),
        ([(3,), (3, 2)], lambda m, a, b: m.column_stack((a, b))),
        ([()], lambda m, a: m.column_stack([a, 2.0])),
    ],
    "atleast_1d": [
        ([()], lambda m, a: m.atleast_1d(a)),
        ([(2, 3)], lambda m, a: m.atleast_1d(a)),
        ([(), (2,)], lambda m, a, b: joined(m, m.atleast_1d(a, b))),
    ],
    "atleast_2d": [
        ([()], lambda m, a: m.atleast_2d(a)),
        ([(0,)], lambda m, a: m.atleast_2d(a)),
        ([S], lambda m, a: m.atleast_2d(a)),
        ([(), (2,)], lambda m, a, b: joined(m, m.atleast_2d(a, b))),
    ],
    "unstack": [
        ([(3,)], lambda m, a: joined(m, m.unstack(a))),
        ([(2, 3)], lambda m, a: joined(m, m.unstack(a, axis=-1))),
    ],
    "array_split": [
        ([(7,)], lambda m, a: joined(m, m.array_split(a, 3))),
        ([(2,)], lambda m, a: joined(m, m.array_split(a, 4))),
        ([(2, 5)], lambda m, a: joined(m, m.array_split(a, [1, 3], axis=-1))),
        ([(2, 5)], lambda m, a: m.array_split(a, np.int64(2), 1)[0]),
    ],
    "hsplit": [
        ([(4,)], lambda m, a: joined(m, m.hsplit(a, 2))),
        ([(2, 3)], lambda m, a: joined(m, m.hsplit(a, [1]))),
    ],
    "moveaxis": [
        ([(2, 3)], lambda m, a: m.moveaxis(a, 0, 1)),
        ([S], lambda m, a: m.moveaxis(a, 0, -1)),
        ([S], lambda m, a: m.moveaxis(a, (0, -1), (1, 0))),
        ([S], lambda m, a: m.moveaxis(a, source=[0, 1], destination=[2, 0])),
        ([(2, 0, 3)], lambda m, a: m.moveaxis(a, 0, 2)),
    ],
    "roll": [
        ([()], lambda m, a: m.roll(a, 1)),
        ([(4,)], lambda m, a: m.roll(a, -1)),
        ([S], lambda m, a: m.roll(a, 5)),
        ([S], lambda m, a: m.roll(a, 1, 0)),
        ([S], lambda m, a: m.roll(a, (1, -2), axis=(0, -1))),
        ([S], lambda m, a: m.roll(a, shift=2, axis=(0, 1))),
        ([(0,)], lambda m, a: m.roll(a, 1)),
    ],
    "repeat": [
        ([()], lambda m, a: m.repeat(a, 3)),
        ([(4,)], lambda m, a: m.repeat(a, 2)),
        ([(3,)], lambda m, a: m.repeat(a, [2, 0, 1])),
        ([S], lambda m, a: m.repeat(a, 2)),
        ([S], lambda m, a: m.repeat(a, 2, axis=1)),
        ([S], lambda m, a: m.repeat(a, [1, 3, 0], -2)),
        ([(3,)], lambda m, a: m.repeat(a, 0)),
    ],
    "tile": [
        ([()], lambda m, a: m.tile(a, 3)),
        ([(3,)], lambda m, a: m.tile(a, 2)),
        ([(3,)], lambda m, a: m.tile(a, (2, 2))),
        ([(2, 3)], lambda m, a: m.tile(a, 2)),
        ([(2, 3)], lambda m, a: m.tile(a, reps=[2, 1, 2])),
        ([(0,)], lambda m, a: m.tile(a, 2)),
        ([(3,)], lambda m, a: m.tile(a, 0)),
    ],
    "flipud": [([(3,)], lambda m, a: m.flipud(a)), ([S], lambda m, a: m.flipud(a))],
    "fliplr": [([(2, 3)], lambda m, a: m.fliplr(a)), ([S], lambda m, a: m.fliplr(a))],
    "pad": [
        ([(4,)], lambda m, a: m.pad(a, 1)),
        ([(4,)], lambda m, a: m.pad(a, 1, "constant", constant_values=2)),
        *(([(4,)], lambda m, a, mode=mode: m.pad(a, (2, 1), mode)) for mode in ("edge", "reflect", "symmetric")),
        *(([(2, 3)], lambda m, a, mode=mode: m.pad(a, 1, mode=mode)) for mode in ("edge", "symmetric", "wrap")),
        *(([(2, 3)], lambda m, a, mode=mode: m.pad(a, ((0, 1), (5, 4)), mode)) for mode in ("reflect", "wrap")),
        ([(1,)], lambda m, a: m.pad(a, 2, mode="edge")),
        ([()], lambda m, a: m.pad(a, 2, mode="edge")),
        ([(0,)], lambda m, a: m.pad(a, 0, mode="edge")),
    ],
    "tril": [
        ([(3, 3)], lambda m, a: m.tril(a)),
        ([(2, 4)], lambda m, a: m.tril(a, 1)),
        ([S], lambda m, a: m.tril(a, k=-1)),
        ([(3,)], lambda m, a: m.tril(a)),
        ([(0, 2)], lambda m, a: m.tril(a)),
    ],
    "triu": [
        ([(3, 3)], lambda m, a: m.triu(a)),
        ([(2, 4)], lambda m, a: m.triu(a, 1)),
        ([S], lambda m, a: m.triu(a, k=-1)),
        ([(3,)], lambda m, a: m.triu(a)),
    ],
    "diagonal": [
        ([(3, 3)], lambda m, a: m.diagonal(a)),
        ([(2, 4)], lambda m, a: m.diagonal(a, 1)),
        ([S], lambda m, a: m.diagonal(a, offset=-1, axis1=-1, axis2=1)),
        ([S], lambda m, a: m.diagonal(a, 0, 1, 2)),
        ([(2, 3)], lambda m, a: m.diagonal(a, 7)),
        ([(0, 3)], lambda m, a: m.diagonal(a)),
    ],
    "diag": [
        ([(3,)], lambda m, a: m.diag(a)),
        ([(3,)], lambda m, a: m.diag(a, k=-1)),
        ([(0,)], lambda m, a: m.diag(a)),
        ([(3, 4)], lambda m, a: m.diag(a)),
        ([(3, 4)], lambda m, a: m.diag(a, 2)),
    ],
    "trace": [
        ([(3, 3)], lambda m, a: m.trace(a)),
        ([(2, 4)], lambda m, a: m.trace(a, offset=1)),
        ([S], lambda m, a: m.trace(a, 0, -1, 0)),
    ],
    "sort": [
        ([(4,)], lambda m, a: m.sort(a)),
        ([S], lambda m, a: m.sort(a, 0)),
        ([S], lambda m, a: m.sort(a, axis=-2)),
        ([S], lambda m, a: m.sort(a, axis=None)),
        ([S], lambda m, a: m.sort(a, stable=True)),
        ([(0,)], lambda m, a: m.sort(a)),
        ([(1, 3)], lambda m, a: m.sort(a, 0)),
    ],
    "take_along_axis": [
        ([(2, 3)], lambda m, a: m.take_along_axis(a, INDEX)),
        ([(3, 2)], lambda m, a: m.take_along_axis(a, INDEX, axis=0)),
        ([(2, 3)], lambda m, a: m.take_along_axis(a, np.array([[-1]]), 1)),
        ([(2, 3)], lambda m, a: m.take_along_axis(a, np.array([5, 0, 0]), None)),
        ([(1, 3, 2)], lambda m, a: m.take_along_axis(a, INDEX[None], -2)),
        ([(4,)], lambda m, a: m.take_along_axis(a, m.argsort(a), -1)),
        ([(0, 3)], lambda m, a: m.take_along_axis(a, np.zeros((0, 1), int), 1)),
    ],
    "diff": [
        ([(4,)], lambda m, a: m.diff(a)),
        ([S], lambda m, a: m.diff(a, 2)),
        ([S], lambda m, a: m.diff(a, n=1, axis=0)),
        ([S], lambda m, a: m.diff(a, axis=-2)),
        ([(3,)], lambda m, a: m.diff(a, 0)),
        ([(2,)], lambda m, a: m.diff(a, 3)),
        ([(1,)], lambda m, a: m.diff(a)),
        ([(3,)], lambda m, a: m.diff(a, prepend=0.0)),
        ([(2, 3), (2, 2)], lambda m, a, b: m.diff(a, append=b)),
        ([(2, 3), (1, 3)], lambda m, a, b: m.diff(a, axis=0, prepend=b, append=1.0)),
        ([(2, 3), ()], lambda m, a, b: m.diff(a, axis=0, append=b)),
    ],
    "cumprod": [
        ([()], lambda m, a: m.cumprod(a)),
        ([(4,)], lambda m, a: m.cumprod(a)),
        ([(2, 3)], lambda m, a: m.cumprod(a)),
        ([S], lambda m, a: m.cumprod(a, 0)),
        ([S], lambda m, a: m.cumprod(a, axis=-2)),
        ([(0,)], lambda m, a: m.cumprod(a)),
        ([(2, 0)], lambda m, a: m.cumprod(a, axis=1)),
        ([(5,)], lambda m, a: m.cumprod(a * np.array([1, 0, 1, 1, 1]), axis=0)),
        ([(5,)], lambda m, a: m.cumprod(a * np.array([1, 0, 1, 0, 1]), axis=0)),
    ],
    "norm": [
        ([(4,)], lambda m, a: linalg(m).norm(a)),
        ([S], lambda m, a: linalg(m).norm(a)),
        *(([(4,)], lambda m, a, p=p: linalg(m).norm(a, p)) for p in (1, 2, 3, 0.5, inf, -inf)),
        *(([(2, 3)], lambda m, a, p=p: linalg(m).norm(a, ord=p)) for p in (1, -1, inf, -inf, "fro")),
        ([S], lambda m, a: linalg(m).norm(a, ord=1, axis=1)),
        ([S], lambda m, a: linalg(m).norm(a, 3, axis=-1, keepdims=True)),
        ([S], lambda m, a: linalg(m).norm(a, inf, axis=(0, -1))),
        ([S], lambda m, a: linalg(m).norm(a, 1, (2, 0), True)),
        ([S], lambda m, a: linalg(m).norm(a, "fro", (1, 2))),
        ([(0,)], lambda m, a: linalg(m).norm(a, 1)),
    ],
    "vector_norm": [
        ([(4,)], lambda m, a: linalg(m).vector_norm(a)),
        ([S], lambda m, a: linalg(m).vector_norm(a, ord=1)),
        ([S], lambda m, a: linalg(m).vector_norm(a, axis=1, ord=3)),
        ([S], lambda m, a: linalg(m).vector_norm(a, axis=(0, -1), keepdims=True, ord=1.5)),
        ([S], lambda m, a: linalg(m).vector_norm(a, axis=0, ord=inf)),
        ([S], lambda m, a: linalg(m).vector_norm(a, axis=0, ord=-inf)),
    ],
    "std": [
        ([(4,)], lambda m, a: m.std(a, correction=1)),
        ([S], lambda m, a: m.std(a, axis=1, correction=0.5, keepdims=True)),
        ([S], lambda m, a: m.std(a, (0, -1), ddof=1)),
    ],
    "var": [
        ([(4,)], lambda m, a: m.var(a, correction=1)),
        ([S], lambda m, a: m.var(a, axis=1, correction=0.5, keepdims=True)),
        ([S], lambda m, a: m.var(a, (0, -1), ddof=1)),
    ],
}
NUMBERED = {f"{name} {i}": case for name, cases in CASES.items() for i, case in enumerate(cases)}
NUMBERED |= {
    f"{name} {shape}": ([shape], lambda m, a, name=name: getattr(m, name)(a), *interval)
    for name, interval in ELEMENTWISE.items()
    for shape in SHAPES
}
CASES |= dict.fromkeys([*ELEMENTWISE, "erfc", "gelu", "border"], ())  # erfc and gelu: below; border is pad's

# -- what is constant ------------------------------------------------------------------------------

X = np.array([[-2.5, -0.5, 0.0], [0.5, 1.5, 2.5]])
CONSTANTS = {
    "floor": [lambda m, x: m.floor(x)],
    "ceil": [lambda m, x: m.ceil(x)],
    "round": [lambda m, x: m.round(x), lambda m, x: m.round(x, 1), lambda m, x: m.round(x * 11, decimals=-1)],
    "isinf": [lambda m, x: m.isinf(x * 1e308 * 10)],
    "isclose": [lambda m, x: m.isclose(x, X + 1e-9), lambda m, x: m.isclose(x, X + 0.1, rtol=0.1, atol=0.1)],
    "logical_xor": [
        lambda m, x: m.logical_xor(x > 0, x > 1),
        lambda m, x: (x > 0) ^ (x > 1),
        lambda m, x: True ^ (x > 1),
        lambda m, x: (X > 0) ^ (x > 1),
    ],
    "any": [
        lambda m, x: m.any(x),
        lambda m, x: m.any(x > 2, 0),
        lambda m, x: m.any(x > 2, axis=(0, -1), keepdims=True),
        lambda m, x: m.any(x > 9, axis=-1),
    ],
    "all": [
        lambda m, x: m.all(x),
        lambda m, x: m.all(x > -1, axis=1),
        lambda m, x: m.all(x > -3, (0, 1), keepdims=True),
    ],
    "argmin": [
        lambda m, x: m.argmin(x),
        lambda m, x: m.argmin(x, -1),
        lambda m, x: m.argmin(x, axis=0, keepdims=True),
    ],
    "argsort": [
        lambda m, x: m.argsort(-x),
        lambda m, x: m.argsort(-x, 0),
        lambda m, x: m.argsort(-x, axis=None, stable=True),
        lambda m, x: m.argsort(x, kind="stable"),
    ],
    "zeros_like": [lambda m, x: m.zeros_like(x), lambda m, x: m.zeros_like(x, dtype=np.int8)],
    "ones_like": [lambda m, x: m.ones_like(x), lambda m, x: m.ones_like(x, bool, shape=(2, 1))],
    "full_like": [lambda m, x: m.full_like(x, 7), lambda m, x: m.full_like(x, fill_value=nan, dtype=np.float32)],
}
BOOLS = {  # plain booleans, as NumPy's
    "allclose": [
        (lambda m, x: m.allclose(x, X + 1e-9), True),
        (lambda m, x: m.allclose(X, x + 0.1), False),
        (lambda m, x: m.allclose(x, X + 0.1, rtol=0, atol=0.2), True),
        (lambda m, x: m.allclose(x / x, x / x, equal_nan=True), True),
        (lambda m, x: m.allclose(x / x, x / x), False),
    ],
    "array_equal": [
        (lambda m, x: m.array_equal(x, X), True),
        (lambda m, x: m.array_equal(X, x + 1), False),
        (lambda m, x: m.array_equal(x, X[0]), False),
        (lambda m, x: m.array_equal(x / x, x / x, equal_nan=True), True),
    ],
}
CASES |= dict.fromkeys(BOOLS, ())

# -- the tests -------------------------------------------------------------------------------------

each = pytest.mark.parametrize("name", NUMBERED)


def drawn(name):
    """(input arrays, the call)"""
    shapes, call, *interval = NUMBERED[name]
    return [values(shape, *interval, seed=i) for i, shape in enumerate(shapes)], call


@each
def test_values_are_numpys_on_arrays_and_on_tensors_by_either_name(name):
    arrays, call = drawn(name)
    expected = np.asarray(call(np, *arrays))
    np.testing.assert_allclose(call(tg, *arrays), expected, rtol=1e-14, atol=1e-15)
    for m in np, tg:
        tensors = [tg.Tensor(a, requires_grad=True) for a in arrays]
        result = call(m, *tensors)
        assert type(result) is tg.Tensor
        assert result.requires_grad
        np.testing.assert_allclose(result.data, expected, rtol=1e-14, atol=1e-15, strict=True)


@each
def test_derivatives_of_first_and_second_order_agree_with_finite_differences(name):
    arrays, call = drawn(name)
    tg.check_gradients(lambda *x: call(np, *x), *arrays)


@each
def test_float32_stays_float32_in_values_and_gradients_of_both_orders(name):
    arrays, call = drawn(name)
    x = [tg.Tensor(a, dtype=np.float32, requires_grad=True) for a in arrays]
    y = call(np, *x)
    assert y.dtype == call(np, *(t.data for t in x)).dtype  # float64 only where the call brings a float64 of its own
    assert y.dtype == np.float32 or name in ("vstack 4", "column_stack 2", "cumprod 7", "cumprod 8", "diff 7", "diff 9")
    y.backward(np.ones(y.shape), create_graph=True)
    assert all((t.grad.shape, t.grad.dtype) == (t.shape, np.float32) for t in x)


@pytest.mark.parametrize("name", CONSTANTS)
def test_what_has_no_derivative_gives_constants(name):
    for call in CONSTANTS[name]:
        with np.errstate(over="ignore"):
            expected = np.asarray(call(np, X))
            for m in np, tg:
                result = call(m, tg.Tensor(X, requires_grad=True))
                assert type(result) is tg.Tensor
                assert not result.requires_grad
                np.testing.assert_array_equal(result.data, expected, strict=True)


@pytest.mark.parametrize("name", BOOLS)
def test_comparisons_of_whole_arrays_are_plain_booleans(name):
    for call, expected in BOOLS[name]:
        with np.errstate(invalid="ignore"):
            for m in np, tg:
                assert call(m, tg.Tensor(X, requires_grad=True)) is expected


@pytest.mark.parametrize(
    "call",
    [
        lambda x: x.dot(X.T),
        lambda x: x.dot(2.0),
        lambda x: x.flatten(),
        lambda x: x.ravel(),
        lambda x: x.copy(),
        lambda x: x.mT,
        lambda x: x[None].mT,
        lambda x: x.clip(-1, 1),
        lambda x: x.clip(min=0),
        lambda x: x.any(),
        lambda x: (x > 0).any(0),
        lambda x: (x > 0).all(axis=1, keepdims=True),
        lambda x: x.argmin(),
        lambda x: x.argmin(1),
        lambda x: x.argsort(axis=0),
        lambda x: x.cumprod(1),
        lambda x: x.diagonal(1),
        lambda x: x.repeat(2, axis=0),
        lambda x: x.round(),
        lambda x: x.std(axis=1),
        lambda x: x.std(0, ddof=1),
        lambda x: x.var(axis=1, keepdims=True),
        lambda x: x.take([1, 1], axis=1),
        lambda x: x.trace(),
        lambda x: np.around(x, 1),
        lambda x: np.matrix_transpose(x),
    ],
)
def test_methods_are_those_of_arrays(call):
    x = tg.Tensor(X, requires_grad=True)
    result = call(x)
    assert type(result) is tg.Tensor
    np.testing.assert_allclose(result.data, np.asarray(call(X)), rtol=1e-15, strict=True)
    if result.requires_grad:
        tg.check_gradients(call, values((2, 3)))
        result.sum().backward()
        assert x.grad.shape == X.shape


def test_std_and_var_take_correction_as_methods_too():
    x = tg.Tensor(X, requires_grad=True)
    np.testing.assert_allclose(x.std(axis=1, correction=1).data, np.std(X, axis=1, correction=1), rtol=1e-15)
    np.testing.assert_allclose(x.var(correction=0.5).data, np.var(X, correction=0.5), rtol=1e-15)


def test_counts_that_are_changed_after_a_repeat_do_not_change_its_gradient():
    counts = np.array([2, 0, 1])
    x = tg.Tensor([1.0, 2.0, 3.0], requires_grad=True)
    y = np.repeat(x, counts)
    counts[:] = [0, 0, 3]
    y.sum().backward()
    assert x.grad.tolist() == [2, 0, 1]


# -- special points --------------------------------------------------------------------------------


def slope(function, at, dtype=float):
    x = tg.Tensor(at, requires_grad=True, dtype=dtype)
    with np.errstate(divide="ignore"):
        y = function(x)
        y.backward(np.ones(y.shape))
    return x.grad.data.tolist()


def test_the_slopes_of_arcsin_arccos_and_arctanh_at_their_ends_are_infinite_as_in_pytorch():
    assert slope(tg.arcsin, [1, -1]) == [inf, inf]
    assert slope(tg.arccos, [1, -1]) == [-inf, -inf]
    assert slope(tg.arctanh, [1, -1]) == [inf, inf]
    assert slope(tg.arccosh, [1]) == [inf]
    assert slope(tg.log2, [0]) == slope(tg.log10, [0]) == [inf]
    assert slope(tg.reciprocal, [0]) == [-inf]


def test_an_infinite_slope_does_not_reach_through_a_where_that_did_not_choose_it():
    for function, at in [(tg.arcsin, 1), (tg.arccos, 1), (tg.arccosh, 1), (tg.arctanh, 1), (tg.log2, 0)]:
        assert slope(lambda x, f=function, at=at: tg.where(x == at, 0, f(x)), [at]) == [0]
    for function in tg.sinh, tg.cosh, tg.exp2:
        with np.errstate(over="ignore"):
            assert slope(lambda x, f=function: tg.where(x > 100, 0, f(x)), [2000.0]) == [0]


def test_the_slopes_of_arctan2_at_the_origin_are_0_as_in_pytorch():
    assert slope(lambda x: tg.arctan2(x, 0), [0, -0.0]) == [0, 0]
    assert slope(lambda x: tg.arctan2(0, x), [0, -0.0]) == [0, 0]


def test_the_gradient_of_a_norm_at_0_is_0_as_in_pytorch():
    for p in 1, 1.5, 2, 3, 0.5:
        assert slope(lambda x, p=p: tg.vector_norm(x, ord=p), [0, 0]) == [0, 0]
    assert slope(lambda x: tg.vector_norm(x, ord=0.5), [0, 1]) == [0, 1]


def test_elements_that_tie_for_the_infinity_norm_share_its_gradient_as_in_pytorch():
    assert slope(lambda x: tg.norm(x, inf), [2, -2, 1]) == [0.5, -0.5, 0]


def test_equal_elements_keep_their_order_in_a_stable_sort_and_so_do_their_gradients():
    assert slope(lambda x: tg.sort(x, stable=True) * [1, 2, 3], [2, 2, 2]) == [1, 2, 3]


@pytest.mark.parametrize("zeros", [[], [0], [1], [3], [0, 3], [1, 2], [0, 1, 2, 3]])
def test_the_gradient_of_cumprod_is_exact_however_many_zeros_there_are(zeros):
    x = np.array([2.0, 3.0, 5.0, 7.0])
    x[zeros] = 0
    expected = [sum(math.prod(x[j] for j in range(k + 1) if j != i) for k in range(i, 4)) for i in range(4)]
    assert slope(tg.cumprod, x) == expected
    tg.check_gradients(tg.cumprod, x)


# -- in the tails ----------------------------------------------------------------------------------


def test_σ_of_minus_20_in_float32_is_2_06e_minus_9():
    y = tg.sigmoid(tg.Tensor(-20, dtype=np.float32))
    assert y.dtype == np.float32
    assert y.item() == pytest.approx(2.0611537e-09, rel=1e-6)


def test_erfc_is_that_of_the_standard_library_in_its_tail_too():
    x = np.concatenate([np.linspace(-7, 26.5, 20_001), np.geomspace(1e-300, 1, 500), [0.0, inf, -inf]])
    expected = [math.erfc(number) for number in x]
    np.testing.assert_allclose(tg.erfc(x), expected, rtol=1.2e-15)
    np.testing.assert_allclose(tg.erfc(x.astype(np.float32)).astype(float), expected, rtol=0.004, atol=1e-38)
    assert np.isnan(tg.erfc(nan))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", ["erfc", "gelu"])
def test_erfc_and_gelu_are_their_definitions_with_derivatives_of_both_orders(name, shape):
    erfc = np.vectorize(math.erfc, [float])
    expected = {"erfc": erfc, "gelu": lambda x: x * erfc(-x / np.sqrt(2)) / 2}[name]
    x = values(shape)
    result = getattr(tg, name)(tg.Tensor(x))
    np.testing.assert_allclose(result.data, expected(x), rtol=4e-15, strict=True)
    np.testing.assert_allclose(getattr(tg, name)(x), expected(x), rtol=4e-15)
    tg.check_gradients(getattr(tg, name), x)
    single = tg.Tensor(x, dtype=np.float32, requires_grad=True)
    getattr(tg, name)(single).backward(np.ones(shape))
    assert getattr(tg, name)(single).dtype == single.grad.dtype == np.float32


def test_gelu_has_pytorchs_two_forms_and_is_exact_where_it_is_tiny():
    x = tg.Tensor([-37.0, -10.0, -1.0, 0.0, 1.0, 100.0])
    exact = [-37 * math.erfc(37 * 0.5**0.5) / 2, -10 * math.erfc(10 * 0.5**0.5) / 2]
    np.testing.assert_allclose(tg.gelu(x).data[:2], exact, rtol=1e-14)
    np.testing.assert_allclose(tg.gelu(x).data[2:], [-0.15865525393145707, 0, 0.8413447460685429, 100], rtol=1e-15)
    np.testing.assert_allclose(tg.gelu(x, approximate="tanh").data[2:5], [-0.15880801, 0, 0.84119199], rtol=1e-7)
    with pytest.raises(ValueError, match=r"gelu: approximate is 'none' or 'tanh', not 'erf'   .*at .*test_numpy_names"):
        tg.gelu(x, approximate="erf")


# -- losses ----------------------------------------------------------------------------------------


def test_cross_entropy_with_probabilities_as_targets():
    o, p = values((2, 3, 4)), tg.softmax(values((2, 3, 4), seed=5))
    losses = -(p * tg.log_softmax(o)).sum(-1)
    for reduction, expected in ("none", losses), ("sum", losses.sum()), ("mean", losses.mean()):
        result = tg.cross_entropy(tg.Tensor(o), p, reduction=reduction)
        np.testing.assert_allclose(result.data, expected, rtol=1e-14)
    tg.check_gradients(tg.cross_entropy, o, p)  # in the targets too
    tg.check_gradients(lambda o: tg.cross_entropy(o, p, weights=[1, 2, 3, 4], reduction="none"), o)
    one_hot = tg.one_hot(np.array([[0, 1, 2], [3, 3, 1]]), 4)
    labels = tg.cross_entropy(o, [[0, 1, 2], [3, 3, 1]])
    np.testing.assert_allclose(tg.cross_entropy(o, one_hot), labels, rtol=1e-14)
    assert (
        tg.cross_entropy(tg.Tensor(o, dtype=np.float32), p.astype(np.float32), weights=[1, 2, 3, 4]).dtype == np.float32
    )
    with pytest.raises(TypeError, match="ignore_index is for integer labels"):
        tg.cross_entropy(o, p, ignore_index=0)
    with pytest.raises(tg.ShapeError, match="logits"):
        tg.cross_entropy(o, p, weights=[1, 2])


def test_binary_cross_entropy_with_weights():
    o, t = values((2, 3)), values((2, 3), 0, 1)
    weight, pos_weight = [[1.0], [2.0]], [1.0, 3.0, 0.5]
    p = 1 / (1 + np.exp(-o))
    expected = -(np.array(pos_weight) * t * np.log(p) + (1 - t) * np.log(1 - p)) * np.array(weight)

    def loss(o, t, reduction="none"):
        return tg.binary_cross_entropy_with_logits(o, t, reduction, weight=weight, pos_weight=pos_weight)

    np.testing.assert_allclose(loss(o, t), expected, rtol=1e-13)
    np.testing.assert_allclose(loss(tg.Tensor(o), t, "mean").data, expected.mean(), rtol=1e-13)
    tg.check_gradients(loss, o, t)
    assert loss(tg.Tensor(o, dtype=np.float32), t.astype(np.float32)).dtype == np.float32
    assert tg.binary_cross_entropy_with_logits([-1000.0], [0.0], pos_weight=2.0) == 0
    with pytest.raises(tg.ShapeError, match="binary_cross_entropy_with_logits"):
        tg.binary_cross_entropy_with_logits(o, t, weight=np.ones((4, 2, 3)))


# -- errors ----------------------------------------------------------------------------------------

V, M = tg.Tensor([1.0, 2.0, 3.0], requires_grad=True), tg.Tensor(X, requires_grad=True)


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda: np.dot(M, M), tg.ShapeError, r"matmul: \(2, 3\) @ \(2, 3\): 3 ≠ 2"),
        (lambda: np.tensordot(M, M, 1), tg.ShapeError, r"tensordot: lengths \(3,\) ≠ \(2,\) of the summed axes"),
        (lambda: np.inner(M, V[:2]), tg.ShapeError, r"tensordot: lengths \(3,\) ≠ \(2,\)"),
        (lambda: np.vecdot(M, V[:2]), tg.ShapeError, "matmul: "),
        (lambda: np.vstack([M, V[:2]]), tg.ShapeError, "concatenate: "),
        (
            lambda: np.roll(V, 1, axis=1),
            tg.ShapeError,
            r"roll: roll\(\(3,\), shift=1, axis=1\): axis 1 is out of bounds",
        ),
        (lambda: np.repeat(V, [1, 2]), tg.ShapeError, r"repeat: .*operands could not be broadcast"),
        (lambda: np.tile(V, -1), tg.ShapeError, "tile: "),
        (lambda: np.moveaxis(V, 0, 3), tg.ShapeError, r"moveaxis: .*axis 3 is out of bounds"),
        (lambda: np.pad(V, -1, mode="edge"), tg.ShapeError, "border: .*can't contain negative values"),
        (lambda: np.pad(V, 1, mode="mean"), ValueError, "pad: mode is constant, edge, reflect, symmetric or wrap"),
        (lambda: np.diagonal(V), tg.ShapeError, "diagonal: .*at least two dimensions"),
        (lambda: np.diag(V[0]), tg.ShapeError, "diag: .*must be 1- or 2-d"),
        (lambda: np.tril(V[0]), TypeError, "tril: "),
        (lambda: np.sort(V, 1), tg.ShapeError, "argsort: .*axis 1 is out of bounds"),
        (
            lambda: np.take_along_axis(M, np.array([0]), 1),
            tg.ShapeError,
            r"take_along_axis: \(2, 3\) needs 2-d indices",
        ),
        (lambda: np.take_along_axis(M, INDEX, 2), tg.ShapeError, r"take_along_axis: shape \(2, 3\) has no axis 2"),
        (lambda: np.take_along_axis(M, INDEX + 2, 1), IndexError, "getitem: .*out of bounds"),
        (lambda: np.diff(V, axis=1), tg.ShapeError, r"diff: shape \(3,\) has no axis 1"),
        (lambda: np.diff(V, -1), tg.ShapeError, "diff: n is at least 0, not -1"),
        (lambda: np.array_split(V, 0), tg.ShapeError, "array_split: 0 pieces: use at least 1"),
        (lambda: np.array_split(V, 2, 1), tg.ShapeError, r"array_split: shape \(3,\) has no axis 1"),
        (lambda: np.hsplit(V, 2), tg.ShapeError, "split: length 3 is not 2 equal pieces"),
        (lambda: np.hsplit(V[0], 2), tg.ShapeError, r"split: shape \(\) has no axis"),
        (lambda: np.cumprod(V, 1), tg.ShapeError, "cumprod: .*axis 1 is out of bounds"),
        (lambda: np.any(V, 1), tg.ShapeError, "any: .*axis 1 is out of bounds"),
        (lambda: np.argmin(V[:0]), tg.ShapeError, "argmin: .*empty sequence"),
        (lambda: np.isclose(V, M[0, :2]), tg.ShapeError, "isclose: .*could not be broadcast"),
        (lambda: np.allclose(V, M[0, :2]), tg.ShapeError, "isclose: .*could not be broadcast"),
        (lambda: np.arctan2(V, M[0, :2]), tg.ShapeError, "arctan2: "),
        (lambda: np.full_like(V, M), TypeError, "full_like: fill_value is a constant of the operation, not a tensor"),
        (lambda: np.linalg.norm(M, 2), TypeError, "norm: no rule for ord=2 over 2 axes: use vector_norm or ord='fro'"),
        (lambda: np.linalg.norm(M, "nuc"), TypeError, "norm: no rule for ord='nuc' over 2 axes"),
        (lambda: np.linalg.norm(V, -2), TypeError, "vector_norm: ord is a positive number or ±inf, not -2"),
        (lambda: np.linalg.norm(V, "fro"), TypeError, "vector_norm: ord is a positive number or ±inf, not 'fro'"),
        (lambda: np.fliplr(V), tg.ShapeError, "flip: "),
        (lambda: V.mT, tg.ShapeError, "swapaxes: "),
        (lambda: V ^ V, TypeError, r"are for masks"),
    ],
)
def test_what_does_not_fit_is_an_error_in_one_line_with_its_place(call, kind, message):
    with pytest.raises(kind, match=rf"^.*{message}.*   .*at .*test_numpy_names\.py:\d+$"):
        call()
