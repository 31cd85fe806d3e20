"""Functions made from functions: gradients of every kind, nested; checkpoint; hooks; check_gradients."""

import tracemalloc
from collections import OrderedDict, defaultdict
from typing import Any, NamedTuple

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn.autodiff.gradcheck import GradientMismatch, check_gradients
from tinygrad_rnn.autodiff.nests import flatten, rebuild, with_leaves


def leaf(values, dtype=None):
    return tg.Tensor(values, requires_grad=True, dtype=dtype)


def close(found, expected, tolerance=1e-13):
    np.testing.assert_allclose(
        found.data if isinstance(found, tg.Tensor) else found, expected, rtol=tolerance, atol=1e-14
    )


class State(NamedTuple):
    h: Any
    s: Any


X = np.array([[1.0, 2.0, 3.0], [0.5, -1.0, 0.3]])


# -- grad and value_and_grad -----------------------------------------------------------------------


def test_grad_of_a_function_of_several_arguments():
    def f(x, y, factor):
        return (x * y).sum() * factor

    close(tg.grad(f)(X, X + 1, 2.0), 2 * (X + 1))
    close(tg.grad(f, 1)(X, X + 1, 2), 2 * X)
    close(tg.grad(f, -2)(X, X + 1, 2), 2 * X)
    by_factor, by_x = tg.grad(f, (2, 0))(X, X + 1, 2.0)
    close(by_factor, (X * (X + 1)).sum())
    close(by_x, 2 * (X + 1))


def test_value_and_grad_gives_both_as_constants():
    value, gradient = tg.value_and_grad(lambda x: (x**2).sum())(X)
    close(value, (X**2).sum())
    close(gradient, 2 * X)
    assert not value.requires_grad
    assert not gradient.requires_grad
    assert gradient.data.flags.writeable


def test_the_argument_may_be_a_number_an_array_or_a_tensor_and_is_left_alone():
    for x in 3.0, np.float64(3), np.array(3.0), tg.Tensor(3.0), leaf(3.0):
        assert tg.grad(lambda x: x * x)(x).item() == 6
        assert getattr(x, "grad", None) is None
    assert tg.grad(lambda x: x * x)(np.float32(3)).dtype == np.float32


def test_an_argument_without_influence_has_gradient_0():
    for f in (lambda x, y: x.detach().sum()), (lambda x, y: tg.Tensor(1.0)), (lambda x, y: tg.sum(leaf(y))):
        close(tg.grad(f)(X, X), np.zeros((2, 3)))
    close(tg.hessian(lambda x: x.sum())(X[0]), np.zeros((3, 3)))
    close(tg.hvp(lambda x: x.sum(), X, X), np.zeros((2, 3)))
    close(tg.jvp(lambda x: tg.Tensor([1.0, 2.0]), (X,), (X,))[1], np.zeros(2))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: tg.grad(lambda x: x)(X), tg.GradientError, r"one number, not shape \(2, 3\): see jacobian"),
        (lambda: tg.grad(lambda x: (x, x))(X), tg.GradientError, "must return one number, not tuple: see jacobian"),
        (lambda: tg.grad(lambda x: None)(X), tg.GradientError, "returned None: is a return statement missing?"),
        (lambda: tg.grad(lambda x: x.data)(X), tg.GradientError, "the value must be a tensor, not ndarray: compute it"),
        (lambda: tg.grad(lambda x: 1j)(X), tg.GradientError, "the value must be a tensor, not complex"),
        (lambda: tg.vjp(lambda x: {"y": [x, "z"]}, X), tg.GradientError, r"the value\['y'\]\[1\] must .* not str"),
        (lambda: tg.grad(lambda x: x.sum(), 1)(X), IndexError, "no argument 1: the function was called with 1"),
        (lambda: tg.grad(lambda x: x.sum(), (0, -2))(X), IndexError, "no argument -2: the function was called with 1"),
        (lambda: tg.grad(lambda x: x.sum())(x=X), IndexError, "no argument 0: the function was called with 0"),
        (lambda: tg.grad(lambda x: x)(3), TypeError, "argument 0: only floating point tensors have gradients"),
        (lambda: tg.grad(lambda x: x)(True), TypeError, "argument 0: only floating point .* is bool: use dtype=float"),
        (lambda: tg.grad(lambda x: x)("3"), TypeError, "argument 0: a tensor holds real numbers or booleans"),
        (
            lambda: tg.grad(lambda x: x)(x for x in X),
            TypeError,
            "argument 0: a tensor holds real numbers .* not object",
        ),
        (
            lambda: tg.grad(lambda x, nest: x, (0, -1))(1.0, {"state": State(3, 1.0)}),
            TypeError,
            r"argument -1\['state'\]\.h: only floating point tensors have gradients, .* is int64: use dtype=float",
        ),
        (lambda: tg.vjp(lambda x: x * 2, X)[1](X[0]), tg.ShapeError, r"u is of shape \(3,\) and must be .* \(2, 3\)"),
        (lambda: tg.vjp(lambda x: x * 2, X[0])[1]([1.0] * 3), tg.ShapeError, r"u is missing .*\(a list is a nest, not"),
        (lambda: tg.vjp(lambda x: {"y": x}, X)[1]({}), tg.ShapeError, r"u\['y'\] is missing and must be of shape \(2"),
        (
            lambda: tg.vjp(lambda x: (x, None), X)[1]((X, 1.0)),
            tg.ShapeError,
            r"u\[1\] is of shape \(\) and must be left",
        ),
        (lambda: tg.jvp(lambda x: x, (X,), (X, X)), tg.ShapeError, r"tangents\[1\] .* must be left out, as in args"),
        (lambda: tg.jvp(lambda x: x, (X,), (X[0],)), tg.ShapeError, r"tangents\[0\] is of shape \(3,\) .* \(2, 3\)"),
        (lambda: tg.jvp(lambda x: x, X, X), TypeError, r"args and tangents are tuples: \(x,\) and \(v,\) for"),
        (lambda: tg.jvp(lambda x: x, ({"a": X},), {"a": X}), TypeError, "args and tangents are tuples"),
        (
            lambda: tg.jvp(lambda s: s.h, (State(1.0, 2.0),), (State(1.0, None),)),
            tg.ShapeError,
            r"jvp: tangents\[0\]\.s is missing and must be of shape \(\), as in args",
        ),
        (lambda: tg.hvp(lambda x: x.sum(), X, X[0]), tg.ShapeError, r"hvp: v is of shape \(3,\) .* \(2, 3\), as in x"),
        (lambda: tg.hvp(lambda x: x[0], [1.0], [1.0, 2.0]), tg.ShapeError, r"hvp: v\[1\] is of shape \(\) and .* out"),
        (lambda: tg.checkpoint(lambda x: 1.0, X), TypeError, "checkpoint: the function must return tensors, not float"),
    ],
)
def test_wrong_use_is_an_error_of_one_line_that_says_what_is_wanted(call, error, message):
    with pytest.raises(error, match=message) as raised:
        call()
    assert "\n" not in str(raised.value)


# -- vjp, jvp, jacobian, hessian, hvp --------------------------------------------------------------

FUNCTIONS = {
    "tanh": lambda x: tg.tanh(x),
    "matmul": lambda x: x @ x.T,
    "softmax": lambda x: tg.softmax(x),
    "power": lambda x: (x * x + 1) ** 1.5 / tg.sqrt(x * x + 2),
    "getitem": lambda x: x[[0, 0, 1], [2, 2, 1]] ** 3,
    "sum": lambda x: (x * x).sum(axis=0),
    "one number": lambda x: tg.exp(x).sum() * x[0, 0],
    "linear": lambda x: 3 * x[:, ::-1],
    "checkpoint": lambda x: tg.checkpoint(lambda x: tg.sin(x) @ x.T, x),
    "captures": lambda x: x * PARAMETER,
}
PARAMETER = leaf(X + 2)

each_function = pytest.mark.parametrize("name", FUNCTIONS)


def numeric_jacobian(function, x, h=1e-6):
    columns = []
    for i in np.ndindex(x.shape):
        e = np.zeros(x.shape)
        e[i] = h
        columns.append((function(tg.Tensor(x + e)).data - function(tg.Tensor(x - e)).data) / (2 * h))
    return np.stack(columns, axis=-1).reshape(columns[0].shape + x.shape)


@each_function
def test_jacobian_vjp_and_jvp_agree_with_each_other_and_with_differences(name):
    function = FUNCTIONS[name]
    J = tg.jacobian(function)(X).data
    np.testing.assert_allclose(J, numeric_jacobian(function, X), rtol=1e-6, atol=1e-8)

    rng = np.random.default_rng(0)
    u, v = rng.normal(size=J.shape[: J.ndim - 2]), rng.normal(size=X.shape)
    value, pullback = tg.vjp(function, X)
    close(value, function(tg.Tensor(X)).data)
    (pulled,) = pullback(u)
    close(pulled, np.tensordot(u, J, u.ndim))
    close(pullback(2 * u)[0], 2 * pulled.data)
    value, pushed = tg.jvp(function, (X,), (v,))
    close(value, function(tg.Tensor(X)).data)
    close(pushed, np.tensordot(J, v, 2), 1e-12)


@each_function
def test_hessian_and_hvp_agree_with_the_jacobian_of_the_gradient(name):
    def loss(x):
        return tg.sin(FUNCTIONS[name](x)).sum()

    H = tg.hessian(loss)(X).data
    assert H.shape == (2, 3, 2, 3)
    np.testing.assert_allclose(H, numeric_jacobian(tg.grad(loss), X), rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(H.reshape(6, 6), H.reshape(6, 6).T, atol=1e-12)
    v = np.random.default_rng(0).normal(size=X.shape)
    close(tg.hvp(loss, X, v), np.tensordot(H, v, 2), 1e-12)
    close(tg.jvp(tg.grad(loss), (X,), (v,))[1], np.tensordot(H, v, 2), 1e-12)


def test_shapes_of_jacobians_with_no_axes_or_no_elements():
    assert tg.jacobian(lambda x: x * x)(2.0).item() == 4
    assert tg.jacobian(lambda x: x[:0])(np.ones(3)).shape == (0, 3)
    assert tg.jacobian(lambda x: x * 2)(np.ones((0, 2))).shape == (0, 2, 0, 2)
    assert tg.jacobian(lambda a, b: b @ a, 1)(np.ones(3), np.ones((2, 3))).shape == (2, 2, 3)
    assert tg.hessian(lambda a, b: (a @ b) ** 2, 1)(np.ones(3), np.ones(3)).data.tolist() == [[2] * 3] * 3


def test_jvp_along_several_arguments_is_the_sum():
    a, b, da, db = np.random.default_rng(0).normal(size=(4, 3, 3))
    close(tg.jvp(tg.matmul, (a, b), (da, db))[1], da @ b + a @ db)
    assert tg.jvp(lambda x: x, (np.ones(2, np.float32),), (np.ones(2),))[1].dtype == np.float32


# -- nests -----------------------------------------------------------------------------------------


def same(found, expected, tolerance=1e-13):
    """The same types of containers, the same keys in the same order, close numbers."""
    if expected is None:
        assert found is None
    elif isinstance(expected, dict):
        assert type(found) is type(expected)
        assert list(found) == list(expected)
        same(list(found.values()), list(expected.values()), tolerance)
    elif isinstance(expected, (tuple, list)):
        assert type(found) is type(expected)
        assert len(found) == len(expected)
        for f, e in zip(found, expected, strict=True):
            same(f, e, tolerance)
    else:
        assert found.shape == np.shape(expected)
        close(found, expected, tolerance)


def regression(params, x, y):
    """½ |x Wᵀ + b − y|²"""
    return ((x @ params["W"].T + params["b"] - y) ** 2).sum() / 2


W, B, Y = np.array([[1.0, -1.0, 2.0], [0.0, 3.0, 1.0]]), np.array([0.5, -0.5]), np.array([[1.0, 2.0], [3.0, 4.0]])


def test_the_gradient_of_a_dict_of_parameters_is_a_dict_of_gradients():
    error = X @ W.T + B - Y
    expected = {"W": error.T @ X, "b": error.sum(0)}
    for kind in np.array, tg.Tensor, tg.Parameter:
        value, found = tg.value_and_grad(regression)({"W": kind(W), "b": kind(B)}, X, Y)
        close(value, (error**2).sum() / 2)
        same(found, expected)
    by_y, by_params = tg.grad(regression, (-1, 0))({"W": W, "b": B}, X, Y)
    close(by_y, -error)
    same(by_params, expected)


@pytest.mark.parametrize(
    ("nest", "gradient"),
    [
        ((2.0, 3.0), (3.0, 2.0)),
        ([2.0, 3.0], [3.0, 2.0]),
        ({"b": 2.0, "a": 3.0}, {"b": 3.0, "a": 2.0}),
        (OrderedDict(b=2.0, a=3.0), OrderedDict(b=3.0, a=2.0)),
        (defaultdict(list, b=2.0, a=3.0), defaultdict(list, b=3.0, a=2.0)),
        (State(2.0, 3.0), State(3.0, 2.0)),
        (State(np.float64(2), (np.array(3.0),)), State(3.0, (2.0,))),
        (State(None, [2.0, None, 3.0]), State(None, [3.0, None, 2.0])),
        ({"x": [tg.Tensor(2.0), (), []], 0: {}, 1: tg.Parameter(3.0)}, {"x": [3.0, (), []], 0: {}, 1: 2.0}),
    ],
    ids=str,
)
def test_the_gradient_has_the_structure_and_the_types_of_the_argument(nest, gradient):
    def product(nest):
        x, y = flatten(nest)
        return x * y

    same(tg.grad(product)(nest), gradient)
    same(tg.grad(product, (0,))(nest), (gradient,))
    same(tg.vjp(product, nest)[1](10.0), (rebuild(gradient, lambda g: 10 * g),))
    same(tg.jvp(product, (nest,), (gradient,))[1], 3.0**2 + 2**2)
    same(tg.hvp(product, nest, nest), gradient)  # the Hessian exchanges x and y


@pytest.mark.parametrize("nest", [{}, (), [], None, [[], ({},)], {"state": State(None, ())}], ids=str)
def test_a_nest_without_leaves_has_a_gradient_without_leaves(nest):
    def f(nest, x):
        return x * x

    same(tg.grad(f)(nest, 3.0), nest)
    same(tg.grad(f, (1, 0))(nest, 3.0), (6.0, nest))
    same(tg.hessian(f, (0, 1))(nest, 3.0), (nest, (nest, 2.0)))
    same(tg.jvp(f, (nest, 3.0), (nest, 1.0)), (9.0, 6.0))
    same(tg.vjp(lambda x: (nest, 1.0), 3.0)[1]((nest, 1.0)), (0.0,))


def test_a_tensor_at_two_places_of_a_nest_has_a_gradient_for_each():
    for w in tg.Parameter([1.0, 2.0]), tg.Tensor([1.0, 2.0]):
        same(
            tg.grad(lambda p: (2 * p["a"] + p["b"] ** 2).sum())({"a": w, "b": w}),
            {"a": np.array([2, 2]), "b": 2 * w.data},
        )
        assert w.grad is None
    assert tg.grad(lambda a, b: a * a * b, (0, -2))(3.0, 2.0) == (12, 12)  # one place that is named twice


def test_a_leaf_without_influence_has_gradient_0_of_its_shape_and_dtype():
    nest = {"x": X, "single": np.ones((2, 0), np.float32), "y": [1.0]}
    found = tg.grad(lambda nest: nest["x"][0, 0] * 2)(nest)
    same(found, {"x": np.array([[2, 0, 0], [0, 0, 0]]), "single": np.zeros((2, 0)), "y": [0.0]})
    assert found["single"].dtype == np.float32
    same(tg.jacobian(lambda nest: nest["x"][0])(nest)["single"], np.zeros((3, 2, 0)))
    same(tg.hvp(lambda nest: nest["x"].sum(), nest, nest), {"x": 0 * X, "single": np.zeros((2, 0)), "y": [0.0]})


def test_leaves_keep_their_dtype():
    def f(a, b, c):
        return {"single": a * 2, "double": (a.sum() * b) * c}

    args = np.ones(2, np.float32), 3.0, np.float16(2)
    dtypes = [np.float32, np.float64, np.float16]
    gradient = tg.grad(lambda *args: f(*args)["double"], (0, 1, 2))(*args)
    _, pushed = tg.jvp(f, args, (np.ones(2), 1, 1))
    value, pullback = tg.vjp(f, *args)
    assert [g.dtype for g in gradient] == [g.dtype for g in pullback(value)] == dtypes
    assert (pushed["single"].dtype, pushed["double"].dtype) == (np.float32, np.float64)
    same(pushed, {"single": np.array([2, 2]), "double": 2 * 3 * 2 + 2 * 2 + 2 * 3})


def test_nan_in_one_leaf_reaches_only_the_gradients_that_depend_on_it():
    same(tg.grad(lambda p: p["a"] * p["b"] + p["c"])({"a": np.nan, "b": 2.0, "c": 1.0}), {"a": 2, "b": np.nan, "c": 1})


def test_a_list_of_numbers_is_a_nest_and_not_an_array():
    same(tg.grad(lambda x: x[0] * x[1])([2.0, 3.0]), [3.0, 2.0])
    with pytest.raises(AttributeError, match="'list' object has no attribute 'sum'"):
        tg.grad(lambda x: x.sum())([2.0, 3.0])


def test_keyword_arguments_go_to_the_function_as_they_are():
    seen = []

    def f(x, k=1.0, label=None):
        seen.append((k, label))
        return x["a"] ** 2 * k

    x, label = {"a": 3.0}, [1, "as it is"]
    same(tg.grad(f)(x, k=2.0, label=label), {"a": 12})
    same(tg.value_and_grad(f)(x, k=2.0, label=label), (18.0, {"a": 12}))
    same(tg.vjp(f, x, k=2.0, label=label)[1](1.0), ({"a": 12},))
    same(tg.jvp(f, (x,), (x,), k=2.0, label=label), (18.0, 36.0))
    same(tg.jacobian(f)(x, k=2.0, label=label), {"a": 12})
    same(tg.hessian(f)(x, k=2.0, label=label), {"a": {"a": 4}})
    same(tg.hvp(f, x, x, k=2.0, label=label), {"a": 12})
    assert all(k == 2.0 and found is label for k, found in seen)
    same(tg.grad(f)(x), {"a": 6})


@pytest.mark.parametrize("number", [1.0, 1, np.float64(1), np.float32(1), np.int64(1), True])
def test_a_number_as_the_value_is_a_constant(number):
    value, gradient = tg.value_and_grad(lambda x: number)({"x": X})
    assert value.item() == 1
    same(gradient, {"x": np.zeros((2, 3))})
    same(tg.jvp(lambda x: (x * 2, number), (1.0,), (1.0,)), ((2.0, 1), (2.0, 0)))
    same(tg.vjp(lambda x: (x * 2, number), 1.0)[1]((10.0, 10.0)), (20.0,))
    same(tg.hessian(lambda x: number)(1.0), 0.0)


def several(p, q):
    """A nest of values of different shapes; p is a dict of (2, 3), (); q a vector (3,)."""
    return {
        "y": tg.tanh(p["W"] @ q) * p["s"],
        "rest": State(p["s"] ** 3, [tg.argmax(q), None, (q * p["W"][0], 2.5)]),
    }


P, Q = {"W": X, "s": 0.7}, np.array([0.2, -0.4, 1.5])


def differences(function, *args):
    """For each leaf of the arguments a list of central differences, one for each leaf of the value."""
    leaves, found = [np.asarray(x) for x in flatten(args)], []
    for i, leaf in enumerate(leaves):

        def values(x, i=i):
            changed = with_leaves(args, [*map(tg.Tensor, leaves[:i]), x, *map(tg.Tensor, leaves[i + 1 :])])
            return [y if isinstance(y, tg.Tensor) else tg.Tensor(y) for y in flatten(function(*changed))]

        count = len(values(tg.Tensor(leaf)))
        found.append([numeric_jacobian(lambda x, k=k, values=values: values(x)[k], leaf) for k in range(count)])
    return found


def test_jacobian_vjp_and_jvp_of_nests_agree_with_differences():
    J = tg.jacobian(several, (0, 1))(P, Q)
    assert list(J) == ["y", "rest"]
    assert type(J["rest"]) is State
    assert J["rest"].s[1] is None
    blocks = [flatten(j) for j in (J["y"], J["rest"].h, J["rest"].s[0], *J["rest"].s[2])]  # value leaf × argument leaf
    numbers = differences(several, P, Q)
    for k, row in enumerate(blocks):
        for i, block in enumerate(row):
            assert block.shape == numbers[i][k].shape
            np.testing.assert_allclose(block.data, numbers[i][k], rtol=1e-7, atol=1e-9)

    rng = np.random.default_rng(0)
    value, pullback = tg.vjp(several, P, Q)
    same(value, rebuild(several({"W": tg.Tensor(X), "s": tg.Tensor(0.7)}, tg.Tensor(Q)), np.asarray))
    u = rebuild(value, lambda y: rng.normal(size=y.shape))
    expected = [
        sum(np.tensordot(a, b.data, a.ndim) for a, b in zip(flatten(u), column, strict=True))
        for column in zip(*blocks, strict=True)
    ]
    pulled = pullback(u)
    same(pulled, ({"W": expected[0], "s": expected[1]}, expected[2]))

    v = rebuild((P, Q), lambda x: rng.normal(size=np.shape(x)))
    value, pushed = tg.jvp(several, (P, Q), v)
    along = [
        sum(np.tensordot(b.data, d, d.ndim) for b, d in zip(row, map(np.asarray, flatten(v)), strict=True))
        for row in blocks
    ]
    same(pushed, {"y": along[0], "rest": State(along[1], [along[2], None, (along[3], along[4])])})
    reordered = {"s": v[0]["s"], "W": v[0]["W"]}, v[1]  # keys are matched by name
    same(tg.jvp(several, (P, Q), reordered)[1], rebuild(pushed, lambda t: t.data))


def test_hessian_and_hvp_of_nests_agree_with_differences_of_the_gradient():
    def loss(p, q):
        value = several(p, q)
        return (value["y"] ** 2).sum() * value["rest"].h + tg.sin(value["rest"].s[2][0]).sum()

    H = tg.hessian(loss, (0, 1))(P, Q)
    numbers = differences(tg.grad(loss, (0, 1)), P, Q)
    rows = [flatten(H[0]["W"]), flatten(H[0]["s"]), flatten(H[1])]
    for k, row in enumerate(rows):
        for i, block in enumerate(row):
            assert block.shape == numbers[i][k].shape
            np.testing.assert_allclose(block.data, numbers[i][k], rtol=1e-7, atol=1e-8)
    same(tg.hessian(loss)(P, Q), {k: {j: H[0][k][0][j].data for j in P} for k in P})

    v = {"s": -0.3, "W": X[::-1]}
    found = tg.hvp(lambda p: loss(p, Q), P, v)
    same(found, {k: np.tensordot(H[0][k][0]["W"].data, v["W"], 2) + H[0][k][0]["s"].data * v["s"] for k in P}, 1e-12)
    same(tg.jvp(tg.grad(lambda p: loss(p, Q)), (P,), (v,))[1], rebuild(found, lambda t: t.data), 1e-12)


def test_a_function_may_change_the_dict_that_it_is_given_and_the_caller_the_value():
    def f(p):
        p["a"] = p.pop("b") * p["a"]
        p["c"] = p["a"] ** 2
        return p

    nest = {"a": 3.0, "b": 2.0}
    same(tg.grad(lambda p: f(p)["c"])(nest), {"a": 24, "b": 36})
    value, pullback = tg.vjp(f, nest)
    del value["a"]
    same(pullback({"a": 0.0, "c": 1.0}), ({"a": 24, "b": 36},))
    assert nest == {"a": 3.0, "b": 2.0}


def test_a_jacobian_of_nests_runs_the_function_once():
    runs = []

    def f(nest):
        runs.append(1)
        return nest["a"] * nest["b"], nest["a"]

    tg.jacobian(f)({"a": Q, "b": 2.0})
    assert len(runs) == 1


def test_transforms_of_nests_compose_without_mixing_up_their_variables():
    def inner(p, q):
        return p["x"] * q["x"] ** 2

    def outer(p):
        slope = tg.grad(inner, 1)(p, {"x": p["x"] * 2})  # 2 p q at q = 2 p: 4 p²
        return slope["x"] * p["y"]

    same(tg.grad(outer)({"x": 3.0, "y": 5.0}), {"x": 8 * 3 * 5, "y": 4 * 9})
    same(tg.hessian(outer)({"x": 3.0, "y": 5.0}), {"x": {"x": 40, "y": 24}, "y": {"x": 24, "y": 0}})
    confusion = tg.grad(lambda p: p["x"] * tg.grad(lambda q: p["x"] + q["x"])({"x": 1.0})["x"])
    same(confusion({"x": 1.0}), {"x": 1})

    def pushed(p):
        return tg.jvp(lambda q: (q["x"] * p["x"], q["y"]), (p,), ({"x": p["y"], "y": 1.0},))[1][0]  # y x

    same(tg.grad(pushed)({"x": 3.0, "y": 5.0}), {"x": 5, "y": 3})
    third = tg.grad(lambda p: tg.grad(lambda p: tg.grad(lambda p: p["x"] ** 4)(p)["x"])(p)["x"])
    same(third({"x": 2.0}), {"x": 48})


def test_a_checkpoint_inside_transforms_of_nests_changes_nothing():
    def loss(save):
        def run(p, q):
            part = save(lambda p, q: {"a": tg.tanh(p["W"] @ q), "b": (p["s"] * q, None)}, p, q)
            return (part["a"] ** 2).sum() * part["b"][0].sum()

        return run

    plain, saved = loss(lambda f, *args: f(*args)), loss(tg.checkpoint)
    for transform in (
        lambda f: tg.grad(f, (0, 1))(P, Q),
        lambda f: tg.hessian(f, (0, 1))(P, Q),
        lambda f: tg.jvp(f, (P, Q), (P, Q)),
        lambda f: tg.hvp(lambda p: f(p, Q), P, P),
    ):
        same(transform(saved), rebuild(transform(plain), lambda t: t.data), 1e-12)


def test_values_and_gradients_of_nests_are_constants_unless_somebody_outside_follows_them():
    nest = {"a": X, "b": 2.0}

    def f(p):
        return {"y": p["a"] * p["b"]}

    results = tg.vjp(f, nest)[0], tg.vjp(f, nest)[1]({"y": X}), tg.jvp(f, (nest,), (nest,)), tg.jacobian(f)(nest)
    assert not any(t.requires_grad for t in flatten(results))
    w = tg.Parameter([1.0, 2.0])
    slope = tg.grad(lambda p: (p["w"] ** 3).sum())({"w": w})["w"]
    slope.sum().backward()
    close(w.grad, [6, 12])
    with tg.no_grad():
        follows = {"a": leaf(X), "b": leaf(2.0)}
        results = tg.jvp(f, (follows,), (follows,)), tg.vjp(f, follows)[1]({"y": leaf(X)}), tg.jacobian(f)(follows)
        assert not any(t.requires_grad for t in flatten(results))


# -- nesting ---------------------------------------------------------------------------------------


def test_every_order_of_forward_and_backward_products_gives_the_second_derivative():
    def cube(x):
        return x**3

    def push(f):
        return lambda x: tg.jvp(f, (x,), (1.0,))[1]

    for outer in tg.grad, push, tg.jacobian:
        for inner in tg.grad, push, tg.jacobian:
            assert outer(inner(cube))(2.0).item() == 12, (outer, inner)
            assert outer(inner(outer(cube)))(2.0).item() == 6


def test_perturbations_of_two_nested_derivatives_are_not_confused():
    """d/dx (x · d/dy (x + y)) = 1, which an engine that mixes up the two would give as 2."""

    def push(f, x):
        return tg.jvp(f, (x,), (1.0,))[1]

    assert tg.grad(lambda x: x * tg.grad(lambda y: x + y)(1.0))(1.0).item() == 1
    assert push(lambda x: x * push(lambda y: x + y, 1.0), 1.0).item() == 1
    assert tg.grad(lambda x: x * push(lambda y: x * y, x))(3.0).item() == 6
    assert push(lambda x: x * tg.grad(lambda y: y * y * x)(x), 2.0).item() == 24  # 2x³


def test_the_gradient_with_respect_to_the_direction_of_a_product():
    J = np.array([[1.0, 2.0], [3.0, 4.0]])

    def pulled(u):
        return tg.vjp(lambda x: J @ x, np.ones(2))[1](u)[0].sum()

    def pushed(v):
        return tg.jvp(lambda x: J @ x, (np.ones(2),), (v,))[1].sum()

    close(tg.grad(pulled)(np.ones(2)), J.sum(1))
    close(tg.grad(pushed)(np.ones(2)), J.sum(0))
    assert not tg.grad(pulled)(np.ones(2)).requires_grad
    close(tg.grad(lambda v: tg.hvp(lambda x: (x**3).sum(), np.ones(2), v).sum())(np.ones(2)), [6, 6])


def test_a_gradient_taken_inside_a_loss_reaches_the_parameters_that_the_loss_uses():
    w = leaf([2.0, 3.0])
    slope = tg.grad(lambda x: (w * x * x).sum())(np.array([1.0, 10.0]))  # 2 w x
    assert slope.requires_grad
    (slope**2).sum().backward()
    close(w.grad, [2 * 4 * 2, 2 * 60 * 20])


def test_a_transform_of_a_tensor_that_needs_a_gradient_is_connected_to_it():
    x = leaf(3.0)
    y = tg.grad(lambda z: z * z * x)(x)  # 2 z x at z = x
    y.backward()
    assert (y.item(), x.grad.item()) == (18, 12)


def test_under_no_grad_transforms_work_and_return_constants():
    x = leaf(3.0)
    with tg.no_grad():
        for result in (
            tg.grad(lambda z: z * x)(x),
            *tg.value_and_grad(lambda z: z * x)(x),
            *tg.jvp(lambda z: z * x, (x,), (1.0,)),
            tg.vjp(lambda z: z * x, x)[0],
            tg.hessian(lambda z: z * z * x)(x),
        ):
            assert not result.requires_grad
        assert tg.grad(lambda z: z * x)(x).item() == 3
        assert tg.jvp(lambda z: z * x, (x,), (1.0,))[1].item() == 3

    def half_constant(x):
        with tg.no_grad():
            y = x * x
        return y * x

    assert tg.grad(half_constant)(3.0).item() == 9


# -- checkpoint ------------------------------------------------------------------------------------


def parameters():
    rng = np.random.default_rng(0)
    return leaf(rng.normal(size=(3, 3))), leaf(rng.normal(size=3))


def gradients_of(loss, leaves, create_graph=False):
    for x in leaves:
        x.grad = None
    loss.backward(create_graph=create_graph)
    return [np.zeros(x.shape) if x.grad is None else x.grad.data for x in leaves]


CHECKPOINTED = {
    "one result": lambda x, W, b: tg.tanh(x @ W.T + b),
    "several results": lambda x, W, b: (tg.tanh(x @ W), tg.exp(b), x * 2),
    "a list": lambda x, W, b: [x @ W, b],
    "a named tuple": lambda x, W, b: State(tg.tanh(x @ W), x @ W),
    "a nest": lambda x, W, b: {"state": State(x @ W, x), "rest": [(b,)]},
    "a constant beside": lambda x, W, b: (x @ W, tg.Tensor([1, 2])),
    "an input as it is": lambda x, W, b: (x, W, W),
    "0-d and empty": lambda x, W, b: (tg.norm(W), x[:0] * 2, x.sum() + b),
    "None beside": lambda x, W, b: (x @ W, None, {"b": b, "state": None}),
    "one unused": lambda x, W, b: (x @ W, tg.log(x * x)),
    "an operation with several results": lambda x, W, b: tg.split(tg.tanh(x @ W), [1], axis=1),
    "a checkpoint": lambda x, W, b: tg.tanh(tg.checkpoint(lambda x: tg.tanh(x @ W) + b, x)),
}


def total(returned):
    tensors = [t for t in flatten(returned) if t.requires_grad]
    return sum(((i + 1) * tg.tanh(t)).sum() for i, t in enumerate(tensors))


@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize("name", CHECKPOINTED)
def test_checkpoint_changes_neither_values_nor_gradients_nor_what_is_returned(name, create_graph):
    function = CHECKPOINTED[name]
    leaves = (leaf(X), *parameters())
    plain, saved = function(*leaves), tg.checkpoint(function, *leaves)
    assert type(saved) is type(plain)
    for a, b in zip(flatten(plain), flatten(saved), strict=True):
        assert (a.shape, a.dtype, a.requires_grad) == (b.shape, b.dtype, b.requires_grad)
        np.testing.assert_array_equal(a.data, b.data)
    expected = gradients_of(total(plain), leaves, create_graph)
    for g, e in zip(gradients_of(total(saved), leaves, create_graph), expected, strict=True):
        np.testing.assert_allclose(g, e, rtol=1e-14, atol=1e-15)


def test_checkpoint_reaches_captured_parameters_and_values_computed_from_them():
    W, b = parameters()
    half = W * 0.5  # made outside, used inside
    x = tg.Tensor(X)  # no argument needs a gradient
    expected = gradients_of((tg.tanh(x @ half) + b).sum() + half.sum(), [W, b])
    found = gradients_of(tg.checkpoint(lambda x: tg.tanh(x @ half) + b, x).sum() + half.sum(), [W, b])
    for g, e in zip(found, expected, strict=True):
        close(g, e)


def test_checkpoint_counts_a_value_once_that_is_both_an_argument_and_made_from_a_captured_tensor():
    a = leaf([2.0, 3.0])
    b = a * a
    tg.checkpoint(lambda b: b * a, b).sum().backward()  # a³
    close(a.grad, [12, 27])


def test_checkpoint_runs_the_function_twice_only_when_there_is_a_gradient_to_compute():
    runs = []

    def function(x):
        runs.append(1)
        return tg.exp(x)

    tg.checkpoint(function, tg.Tensor(X))
    with tg.no_grad():
        tg.checkpoint(function, leaf(X))
    assert len(runs) == 2
    y = tg.checkpoint(function, leaf(X))
    assert len(runs) == 3
    y.sum().backward()
    assert len(runs) == 4


def test_checkpoint_of_mixed_precision():
    single, double = leaf([1.0, 2.0], np.float32), leaf([3.0, 4.0])
    y, z = tg.checkpoint(lambda a, b: (a * 2, a * b), single, double)
    assert (y.dtype, z.dtype) == (np.float32, np.float64)
    (y.sum() + z.sum()).backward()
    assert (single.grad.dtype, double.grad.dtype) == (np.float32, np.float64)
    close(single.grad, [5, 6])
    close(double.grad, [1, 2])


def test_checkpoint_inside_every_transform():
    def plain(x):
        return (tg.tanh(x @ x.T) ** 2).sum()

    def saved(x):
        return (tg.checkpoint(lambda x: tg.tanh(tg.checkpoint(lambda x: x @ x.T, x)), x) ** 2).sum()

    close(tg.grad(saved)(X), tg.grad(plain)(X).data)
    close(tg.hessian(saved)(X), tg.hessian(plain)(X).data)
    close(tg.hvp(saved, X, X), tg.hvp(plain, X, X).data)
    close(tg.jvp(saved, (X,), (X,))[1], tg.jvp(plain, (X,), (X,))[1].data)
    third = tg.grad(lambda x: (tg.grad(lambda x: (tg.grad(saved)(x) ** 2).sum())(x) ** 2).sum())
    close(third(X), tg.grad(lambda x: (tg.grad(lambda x: (tg.grad(plain)(x) ** 2).sum())(x) ** 2).sum())(X).data, 1e-11)


def test_hooks_and_anomaly_mode_work_inside_a_checkpoint():
    seen = []

    def function(x):
        y = x * 2
        y.register_hook(lambda g: seen.append(g.item()))
        return tg.sqrt(y)

    x = leaf(2.0)
    tg.checkpoint(function, x).backward()
    assert seen == [0.25]
    assert x.grad.item() == 0.5
    with tg.detect_anomaly(), pytest.raises(tg.AnomalyError, match="the derivative of sqrt made infinity"):
        tg.checkpoint(function, leaf(0.0)).backward()


def test_a_checkpointed_sequence_needs_memory_for_about_two_roots_of_its_length():
    T, B, H = 400, 8, 64
    W = leaf(np.eye(H) * 0.9)
    x = tg.Tensor(np.random.default_rng(0).normal(size=(B, H)))

    def steps(h, count):
        for _ in range(count):
            h = tg.tanh(h @ W)
        return h

    def peak(run):
        W.grad = None
        tracemalloc.start()
        run().sum().backward()
        size = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return size, W.grad.data

    def in_pieces():
        h = x
        for _ in range(20):
            h = tg.checkpoint(lambda h: steps(h, 20), h)
        return h

    full, expected = peak(lambda: steps(x, T))
    little, found = peak(in_pieces)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-15)
    assert full > T * B * H * 8  # a state for each step
    assert little < full / 4


# -- hooks, retain_grad, detach --------------------------------------------------------------------


def test_a_hook_sees_the_total_gradient_once_and_may_replace_it():
    x = leaf([1.0, 2.0])
    y = x * 2
    seen = []
    remove = y.register_hook(lambda g: seen.append(g.tolist()))
    y.register_hook(lambda g: g * 10)
    y.register_hook(lambda g: seen.append(g.tolist()))
    (y * y + y).sum().backward()
    assert seen == [[5, 9], [50, 90]]
    close(x.grad, [100, 180])
    remove()
    x.grad = None
    (y * y + y).sum().backward()
    assert seen[2:] == [[50, 90]]


def test_a_hook_on_a_leaf_acts_on_each_pass_before_it_is_added():
    x = leaf([1.0, 2.0])
    x.register_hook(lambda g: np.minimum(g.data, 1))
    (x * 5).sum().backward()
    (x * 0.25).sum().backward()
    close(x.grad, [1.25, 1.25])


def test_a_hook_may_change_its_argument_without_harm_and_its_result_stays_the_users():
    x, y = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    given = np.array([7.0, 7.0])

    def vandal(g):
        g.data[:] = 0

    x.register_hook(vandal)
    y.register_hook(lambda g: given)
    (x + y).sum().backward(create_graph=False)
    close(x.grad, [1, 1])
    given[:] = 0
    close(y.grad, [7, 7])


def test_a_hooks_result_of_another_shape_is_an_error():
    x = leaf([1.0, 2.0])
    x.register_hook(lambda g: g.sum())
    with pytest.raises(tg.ShapeError, match=r"a hook gave a gradient of shape \(\) for a tensor of shape \(2,\)"):
        x.sum().backward()


def test_a_hook_in_a_differentiable_pass_is_differentiated_too():
    x = leaf(3.0)
    y = x * x
    y.register_hook(lambda g: g * x)
    y.backward(create_graph=True)
    slope, x.grad = x.grad, None
    slope.backward()
    assert (slope.item(), x.grad.item()) == (18, 12)  # 2x², 4x


def test_retain_grad_keeps_the_gradient_of_a_result():
    x = leaf(3.0)
    y = x * x
    z = y * y
    y.backward()
    assert y.grad is None
    y.retain_grad()
    z.backward()
    assert y.grad.item() == 18
    z.backward()
    assert y.grad.item() == 36


@pytest.mark.parametrize("ask", [lambda x: x.retain_grad(), lambda x: x.register_hook(print)])
def test_hooks_and_retain_grad_on_a_constant_are_errors(ask):
    with pytest.raises(tg.GradientError, match="this tensor is a constant and never gets a gradient"):
        ask(tg.Tensor(1.0))


def test_detach_is_a_constant_with_the_same_values():
    x = leaf([1.0, 2.0])
    y = (x * 2).detach()
    assert not y.requires_grad
    (x * y).sum().backward()
    close(x.grad, [2, 4])
    with pytest.raises(ValueError, match="read-only"):
        x.detach().data[0] = 3


def test_requires_grad_can_be_switched_on_a_leaf_only():
    x = tg.Tensor([1.0, 2.0])
    x.requires_grad = True
    (x * 3).sum().backward()
    close(x.grad, [3, 3])
    x.requires_grad = False
    assert not (x * 3).requires_grad
    with pytest.raises(tg.GradientError, match=r"only a leaf's requires_grad can be set: use detach\(\)"):
        (leaf(1.0) * 2).requires_grad = False


# -- check_gradients -------------------------------------------------------------------------------


def test_check_gradients_accepts_right_derivatives_of_any_order_and_shape():
    check_gradients(tg.matmul, X, X.T, order=4)
    check_gradients(tg.exp, 1.0, order=4)
    check_gradients(lambda x: x * 2, np.zeros((0, 3)))
    check_gradients(lambda x: x * PARAMETER, tg.Tensor(X))


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (
            lambda x, y: x.sum() + y[0, 2].detach() * 5,
            r"argument 1, element \[0, 2\]: analytic 0, numeric 5.*, difference -5",
        ),
        (
            lambda x, y: tg.where(X == 0.3, x * x.detach(), x) * y[1, 2],
            r"argument 0, element \[1, 2\]: analytic 0.42\d+, numeric 0.84",
        ),
        (lambda x, y: tg.sqrt(x - x.detach()) + y, "order 1, argument 0, .* analytic inf, numeric 0, difference inf"),
    ],
)
def test_check_gradients_names_the_worst_element_of_a_wrong_derivative(function, message):
    with pytest.raises(GradientMismatch, match=message):
        check_gradients(function, X, np.array([[1.0, 2.0, 3.0], [1.0, 2.0, 1.0]]))


def test_check_gradients_finds_a_derivative_that_is_wrong_in_the_second_order_only():
    """y = x² whose slope 2x is right, but is a constant to whoever differentiates it again."""
    wrong = tg.operation(
        "wrong_square", np.square, lambda g, _y, x: g * 2 * (x.detach() if isinstance(x, tg.Tensor) else x)
    )
    try:
        check_gradients(wrong, X, order=1)
        with pytest.raises(GradientMismatch, match=r"order 2, argument 0, .* analytic 0, numeric .*, difference"):
            check_gradients(wrong, X)
    finally:
        del tg.OPERATIONS["wrong_square"]


@pytest.mark.parametrize(
    ("function", "x", "error", "message"),
    [
        (tg.exp, 1, TypeError, "argument 0 is int64; finite differences need float64: pass floats, or capture"),
        (tg.exp, np.float32(1), TypeError, "argument 0 is float32"),
        (tg.exp, [True], TypeError, "argument 0 is bool"),
        (lambda x: 1.0, 1.0, TypeError, "must return a tensor, not float"),
        (lambda x: x.astype(np.float32), 1.0, TypeError, "the function returned float32"),
        (lambda x: x * GENERATOR.normal(), 1.0, ValueError, "two calls gave different values"),
    ],
)
def test_check_gradients_says_what_it_cannot_check(function, x, error, message):
    with pytest.raises(error, match=message):
        check_gradients(function, x)


GENERATOR = np.random.default_rng(0)


# -- the gradient of a weight, kept as a sum of outer products -------------------------------------


def _weight_gradient(hoisted, rows, steps, prepare=lambda transposed: None):
    rng = np.random.default_rng(0)
    W, x = tg.Parameter(rng.normal(size=(3, 2))), rng.normal(size=(steps, rows, 2))
    transposed = W.T
    prepare(transposed)
    total = 0.0
    for x_t in x:
        total = total + np.tanh(x_t @ (transposed if hoisted else W.T)).sum()
    total.backward()
    slopes = 1 - np.tanh(x @ W.data.T) ** 2
    return W.grad.data, np.einsum("tbi,tbj->ij", slopes, x), transposed


@pytest.mark.parametrize("hoisted", [False, True])
@pytest.mark.parametrize(("rows", "steps"), [(1, 3), (100, 7), (512, 2), (600, 3)])
def test_a_weight_used_at_many_steps_gets_the_sum_of_its_outer_products(hoisted, rows, steps):
    found, expected, _ = _weight_gradient(hoisted, rows, steps)
    assert np.allclose(found, expected, rtol=1e-12)


def test_a_transposed_weight_has_hooks_and_keeps_its_gradient_like_any_tensor():
    seen = []

    def prepare(transposed):
        transposed.retain_grad()
        transposed.register_hook(lambda g: seen.append(g.data))

    found, expected, transposed = _weight_gradient(True, 300, 4, prepare)
    assert np.allclose(found, expected, rtol=1e-12)
    assert np.allclose(transposed.grad.data, expected.T, rtol=1e-12)
    assert np.allclose(seen[0], expected.T, rtol=1e-12)
