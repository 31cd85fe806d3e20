"""Known failures of well-known engines of this kind, one section for each, none of which happens here.

Their number 31, every operation against finite differences, is tests/test_operations.py.
"""

import copy
import gc
import pickle
import sys
import threading
import time
import tracemalloc

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn.autodiff.gradcheck import check_gradients
from tinygrad_rnn.autodiff.mode import current_mode

inf, nan = np.inf, np.nan


def leaf(values, dtype=None):
    return tg.Tensor(values, requires_grad=True, dtype=dtype)


def gradients(function, *arrays):
    """The gradient of the sum of function(*arrays) with respect to each array."""
    leaves = [leaf(a) for a in arrays]
    result = function(*leaves)
    result.backward(np.ones(result.shape))
    return [None if x.grad is None else x.grad.data for x in leaves]


def gradient(function, array):
    return gradients(function, array)[0]


def equal(found, expected):
    np.testing.assert_array_equal(found, expected)


# -- 1 ---------------------------------------------------------------------------------------------


def test_the_gradient_of_a_value_used_twice_is_the_sum():
    assert gradient(lambda x: x * x + x, 3.0) == 7
    equal(gradient(lambda x: tg.concatenate([x, x * x, x]), [3.0, 4.0]), [8, 10])


# -- 2 ---------------------------------------------------------------------------------------------


def test_sixty_diamonds_in_a_row_have_the_exact_gradient_2_to_the_60():
    def diamonds(x):
        for _ in range(60):
            x = x + x
        return x

    assert gradient(diamonds, 1.0) == 2.0**60


# -- 3 ---------------------------------------------------------------------------------------------


def test_a_second_backward_pass_adds_the_same_again_and_after_clearing_gives_the_same():
    x = leaf(3.0)
    h = x * x
    h.retain_grad()
    y = h * h
    y.backward()
    assert (x.grad.item(), h.grad.item()) == (108, 18)
    y.backward()
    assert (x.grad.item(), h.grad.item()) == (216, 36)
    x.grad = h.grad = None
    y.backward()
    assert (x.grad.item(), h.grad.item()) == (108, 18)


# -- 4 ---------------------------------------------------------------------------------------------


def test_two_losses_over_shared_parameters_add_up():
    w = leaf([1.0, 2.0])
    hidden = w * w
    (hidden * 3).sum().backward()
    tg.exp(w).sum().backward()
    np.testing.assert_allclose(w.grad.data, 6 * w.data + np.exp(w.data), rtol=1e-15)


# -- 5 ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("length", "create_graph"), [(100_000, False), (30_000, True)])
def test_a_chain_of_100_000_operations_runs_forward_and_backward_and_is_freed(length, create_graph):
    x = leaf(1.0)
    y = x
    for _ in range(length):
        y = y * 1.00001
    y.backward(create_graph=create_graph)
    assert x.grad.item() == pytest.approx(1.00001**length, rel=1e-9)
    del y
    x.grad = None


def test_the_time_of_a_chain_grows_linearly_with_its_length():
    def seconds(length):
        start = time.process_time()
        gradient(lambda x: sum((x for _ in range(length)), 0.0 * x), 1.0)
        return time.process_time() - start

    short = min(seconds(2_000) for _ in range(5))
    long = min(seconds(40_000) for _ in range(3))
    assert long < 5 * 20 * short  # 400 times as long if it were quadratic


# -- 6 ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("create_graph", [False, True])
def test_a_thousand_training_steps_without_the_garbage_collector_leave_memory_flat(create_graph):
    rng = np.random.default_rng(0)
    W, U = leaf(rng.normal(size=(8, 8)) / 4), leaf(rng.normal(size=(8, 3)))
    x = rng.normal(size=(2, 2, 3))
    labels = [0, 3]

    def step():
        h = np.zeros((2, 8))
        for x_t in x:
            h = tg.tanh(h @ W.T + x_t @ U.T)
        loss = tg.cross_entropy(h, labels)
        loss.backward(create_graph=create_graph)
        for w in W, U:
            w.data = w.data - 0.01 * w.grad.data
            w.grad = None

    def memory_after(steps):
        for _ in range(steps):
            step()
        return len(gc.get_objects()), tracemalloc.get_traced_memory()[0]

    gc.collect()
    gc.disable()
    tracemalloc.start()
    try:
        objects, size = memory_after(50)
        more_objects, more_size = memory_after(200 if create_graph else 1000)
    finally:
        tracemalloc.stop()
        gc.enable()
    assert more_objects - objects <= 10
    assert more_size - size < 20_000


def test_a_graph_is_freed_the_moment_its_last_result_is():
    def build_and_drop():
        x = leaf(np.ones(3))
        y = tg.softmax(tg.einsum("i,i->i", x, x)[::-1])
        y.sum().backward(create_graph=True)
        tg.split(tg.checkpoint(lambda a: tg.exp(a), x), 3)

    build_and_drop()  # fills what is cached once and for all, such as the signatures of NumPy's functions
    gc.disable()
    try:
        before = len(gc.get_objects())
        build_and_drop()
        assert len(gc.get_objects()) <= before
    finally:
        gc.enable()


# -- 7 ---------------------------------------------------------------------------------------------


def test_backward_from_several_numbers_needs_a_gradient_of_their_shape():
    y = leaf([1.0, 2.0]) * 2
    with pytest.raises(tg.GradientError, match=r"shape \(2,\) needs a gradient of that shape, or sum\(\) first"):
        y.backward()
    with pytest.raises(tg.ShapeError, match=r"gradient of shape \(3,\) for a tensor of shape \(2,\)"):
        y.backward(np.ones(3))
    with pytest.raises(tg.ShapeError, match=r"gradient of shape \(\) for a tensor of shape \(2,\)"):
        y.backward(1.0)


def test_backward_from_a_leaf_sets_ones():
    x = leaf(np.zeros((2, 3)))
    x.backward()
    equal(x.grad.data, np.ones((2, 3)))


def test_backward_from_a_constant_or_a_result_of_no_grad_is_an_error():
    with pytest.raises(tg.GradientError, match="from a constant"):
        tg.Tensor(1.0).backward()
    with tg.no_grad():
        y = leaf(1.0) * 2
    with pytest.raises(tg.GradientError, match="no_grad was on"):
        y.backward()


# -- 8 ---------------------------------------------------------------------------------------------

SHARING = {
    "add": lambda a, b: a + b,
    "subtract": lambda a, b: a - b,
    "positive": lambda a, b: +a + +b,
    "reshape": lambda a, b: tg.reshape(a, (3, 2)) + tg.reshape(b, (3, 2)),
    "transpose": lambda a, b: a.T + b.T,
    "concatenate": lambda a, b: tg.concatenate([a, b]),
    "stack": lambda a, b: tg.stack([a, b], axis=1),
    "sum": lambda a, b: (a + b).sum(),
    "broadcast_to": lambda a, b: tg.broadcast_to(a + b, (4, 2, 3)),
    "where": lambda a, b: tg.where(True, a, b) + b,
    "matmul": lambda a, b: a @ b.T,
    "getitem": lambda a, b: a[0] + b[0],
    "split": lambda a, b: tg.split(a, 2)[0] + tg.split(b, 2)[1],
    "einsum": lambda a, b: tg.einsum("ij->ji", a) + tg.einsum("ij->ji", b),
    "checkpoint": lambda a, b: tg.checkpoint(lambda a, b: a + b, a, b),
}


@pytest.mark.parametrize("name", SHARING)
def test_gradients_are_writable_and_share_no_memory_with_anything(name):
    a, b = leaf(np.ones((2, 3))), leaf(np.full((2, 3), 2.0))
    y = SHARING[name](a, b)
    y.retain_grad()
    given = np.ones(y.shape)
    y.backward(given)
    arrays = [a.grad.data, b.grad.data, y.grad.data, given, a.data, b.data, y.data]
    for i, x in enumerate(arrays):
        assert not any(np.shares_memory(x, other) for other in arrays[:i])
    kept = b.grad.data.copy()
    a.grad.data *= 0
    equal(b.grad.data, kept)
    equal(given, np.ones(y.shape))


def test_with_create_graph_too_each_leaf_has_a_gradient_of_its_own():
    a, b = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    given = np.ones(2)
    (a + b).backward(given, create_graph=True)
    assert a.grad is not b.grad
    assert not np.shares_memory(a.grad.data, given)
    given *= 5
    equal(a.grad.data, [1, 1])


# -- 9 ---------------------------------------------------------------------------------------------


def test_an_array_that_the_engine_made_cannot_be_overwritten():
    x = leaf([1.0, 2.0])
    for array in x.data, tg.exp(x).data, x.T.data, x[:1].data, tg.broadcast_to(x, (3, 2)).data:
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0
    with pytest.raises(TypeError, match="a tensor is never changed in place"):
        x[0] = 3


def test_a_tensor_is_a_copy_of_its_array():
    array = np.ones(2)
    x = leaf(array)
    array[:] = 5
    equal(gradient(lambda y: x.detach() * y, np.ones(2)), [1, 1])


def test_a_new_value_for_a_parameter_does_not_reach_into_earlier_graphs():
    x = leaf([1.0, 2.0])
    y = (x * x).sum()
    x.data = x.data + 100
    y.backward()
    equal(x.grad.data, [2, 4])


def test_an_index_or_weights_changed_later_do_not_change_the_gradient():
    x, index, weights = leaf([[1.0, 2.0, 3.0]]), np.array([0, 1]), np.array([1.0, 1, 1])
    y = x[:, index].sum()
    loss = tg.cross_entropy(x, [0], weights=weights, reduction="sum")
    index[:] = 2
    weights[:] = 100
    y.backward()
    equal(x.grad.data, [[1, 1, 0]])
    x.grad = None
    loss.backward()
    assert abs(x.grad.data).max() < 1


@pytest.mark.parametrize("use", [lambda x, a: x * a, lambda x, a: tg.where(a > 0, x, a) / a, lambda x, a: a @ x])
def test_anomaly_mode_notices_that_any_array_was_changed_before_the_backward_pass_needed_it(use):
    x, array = leaf([1.0, 2.0]), np.ones(2)
    with tg.detect_anomaly():
        y = use(x, array).sum()
        array[:] = 100
        with pytest.raises(tg.AnomalyError, match=r"(multiply|divide|matmul) used was changed .* at .*test_traps\.py"):
            y.backward()


# -- 10 --------------------------------------------------------------------------------------------

MATRIX = np.array([[1.0, 2.0], [3.0, 5.0]])


@pytest.mark.parametrize(
    ("expression", "derivative"),
    [
        (lambda x: MATRIX * x, MATRIX),
        (lambda x: MATRIX + x, 1),
        (lambda x: MATRIX - x, -1),
        (lambda x: MATRIX @ x, MATRIX.sum(0)[:, None] * np.ones(2)),
        (lambda x: np.ones(2) @ x, 1),
        (lambda x: [1.0, 1.0] @ x, 1),
        (lambda x: [1.0, 2.0] * x, [1, 2]),
        (lambda x: np.float64(2) * x, 2),
        (lambda x: np.float32(2) * x, 2),
        (lambda x: np.int64(2) * x, 2),
        (lambda x: np.array(2.0) * x, 2),
        (lambda x: 1 - x, -1),
        (lambda x: 1 / x, -1 / MATRIX**2),
        (lambda x: 2**x, np.log(2) * 2**MATRIX),
        (lambda x: np.float64(2) ** x, np.log(2) * 2**MATRIX),
        (lambda x: 7 % x, -(7 // MATRIX)),
        (lambda x: np.sin(x), np.cos(MATRIX)),
        (lambda x: -(+x), -1),
        (lambda x: abs(-x), 1),
        (lambda x: (7 // x) * x, 7 // MATRIX),
        (lambda x: (np.float64(3) > x) * x, MATRIX < 3),
    ],
)
def test_a_number_or_array_on_the_left_gives_a_tensor_with_the_right_gradient(expression, derivative):
    x = leaf(MATRIX)
    y = expression(x)
    assert type(y) is tg.Tensor
    equal(y.data, expression(MATRIX))
    y.sum().backward()
    np.testing.assert_allclose(x.grad.data, np.broadcast_to(derivative, (2, 2)), rtol=1e-15)


# -- 11 --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("base", "exponent", "by_base", "by_exponent"),
    [
        (3.0, 2.0, 6, 9 * np.log(3)),
        (0.0, 0.0, 0, 0),
        (0.0, 1.0, 1, 0),
        (0.0, 2.0, 0, 0),
        (0.0, 0.5, inf, 0),
        (2.0, 0.0, 0, np.log(2)),
        (-2.0, 3.0, 12, nan),
        (-2.0, 0.0, 0, nan),
        (-2.0, -1.0, -0.25, nan),
    ],
)
def test_power_with_both_tensors(base, exponent, by_base, by_exponent):
    found = gradients(lambda a, b: a**b, [base, base], [exponent, exponent])
    np.testing.assert_allclose(found, [[by_base] * 2, [by_exponent] * 2], rtol=1e-15)


@pytest.mark.parametrize("exponent", [3, 3.0, np.array(3), np.array([3, 3]), np.array([3.0, 3.0])])
def test_a_negative_base_with_a_whole_exponent_has_its_derivative(exponent):
    equal(gradient(lambda x: x**exponent, [-2.0, 0.0]), [12, 0])
    check_gradients(lambda x: x**exponent, [-2.0, 0.5], order=3)


def test_the_mixed_second_derivative_of_a_power_is_right_where_the_exponent_is_0_or_1():
    check_gradients(lambda a, b: a**b, [1.0, 2.0, 0.5], [0.0, 1.0, 2.0], order=3)


# -- 12 --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "at", "value", "derivative"),
    [
        (tg.sqrt, [0.0, 4.0], [0, 2], [inf, 0.25]),
        (tg.norm, [0.0, 0.0], 0, [0, 0]),
        (tg.norm, [3.0, 4.0], 5, [0.6, 0.8]),
        (tg.abs, [0.0, -2.0], [0, 2], [0, -1]),
        (tg.relu, [0.0, -2.0, 2.0], [0, 0, 2], [0, 0, 1]),
        (tg.log_softmax, [1000.0, 0.0], [0, -1000], [-1, 1]),
        (tg.softmax, [1000.0, 0.0], [1, 0], [0, 0]),
        (tg.softmax, [-inf, 0.0], [0, 1], [0, 0]),
        (tg.logsumexp, [1000.0, 1000.0], 1000 + np.log(2), [0.5, 0.5]),
        (tg.tanh, [-1000.0, 1000.0], [-1, 1], [0, 0]),
        (tg.sigmoid, [-1000.0, 0.0, 1000.0], [0, 0.5, 1], [0, 0.25, 0]),
        (tg.sigmoid, [-inf, inf], [0, 1], [0, 0]),
        (tg.softplus, [-1000.0, 1000.0], [0, 1000], [0, 1]),
        (tg.gelu, [-1000.0, 0.0, 1000.0], [0, 0, 1000], [0, 0.5, 1]),
        (lambda x: tg.logaddexp(x, -inf), [-inf, 0.0], [-inf, 0], [0.5, 1]),
        (lambda x: tg.logaddexp(x, x), [-inf, inf, 0.0], [-inf, inf, np.log(2)], [1, 1, 1]),
        (lambda x: tg.binary_cross_entropy_with_logits(x, [0.0, 1.0], "sum"), [-1000.0, 1000.0], 0, [0, 0]),
        (lambda x: tg.cross_entropy(x, 0), [1000.0, 0.0], 0, [0, 0]),
        (lambda x: tg.cross_entropy(x, 1), [1000.0, 0.0], 1000, [1, -1]),
    ],
)
def test_at_the_ends_of_the_numbers_values_and_gradients_are_exact_without_a_warning(function, at, value, derivative):
    np.testing.assert_allclose(function(tg.Tensor(at)).data, value, rtol=1e-15, atol=1e-300)
    np.testing.assert_allclose(gradient(function, at), derivative, rtol=1e-15, atol=1e-300)


def test_log_sum_exp_of_impossible_alternatives_has_gradient_0():
    x = leaf([[-inf, -inf], [-inf, 0.0]])
    y = tg.logsumexp(x, axis=1)
    y.sum().backward()
    assert y.tolist() == [-inf, 0]
    assert x.grad.tolist() == [[0, 0], [0, 1]]


@pytest.mark.parametrize("row", [[inf, 5.0], [inf, inf], [-inf, -inf], [np.nan, 5.0]])
def test_a_row_without_a_largest_finite_element_is_nan_in_softmax_and_in_all_that_is_made_of_it(row):
    functions = {
        "softmax": (tg.softmax, True),
        "log_softmax": (tg.log_softmax, True),
        "cross_entropy": (lambda x: tg.cross_entropy(x, 1), True),
        "logsumexp": (tg.logsumexp, np.isnan(row).any()),  # log Σ eˣ itself is ±∞
    }
    for name, (function, value_is_nan) in functions.items():
        x = leaf(row)
        with np.errstate(invalid="ignore"):
            y = function(x)
        y.sum().backward()
        assert np.isnan(y.data).all() == value_is_nan, name
        assert np.isnan(x.grad.data).any() or (name == "logsumexp" and row == [-inf, -inf]), name


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.longdouble])
def test_sigmoid_and_its_relatives_saturate_without_a_warning_in_every_precision(dtype):
    x = [-10000, -1000, -100, -90, -12, 0, 12, 90, 100, 1000, 10000]
    for function, ends in (tg.sigmoid, (0, 1)), (tg.tanh, (-1, 1)), (tg.softmax, (0, 1)), (tg.relu, (0, 10000)):
        y = function(leaf(x, dtype))
        y.sum().backward()
        assert y.dtype == dtype
        np.testing.assert_allclose(y.data[[0, -1]].astype(float), ends, atol=1e-4)


@pytest.mark.parametrize(
    ("function", "at", "second"),
    [
        (lambda x: tg.log(x) ** 2, 1.0, 2),
        (lambda x: (tg.sqrt(x) - 1) ** 2, 1.0, 0.5),
        (lambda x: (1 / x - 1) ** 2, 1.0, 2),
        (lambda x: (x**3 - 1) ** 2, 1.0, 18),
        (lambda x: (tg.exp(x) - 1) ** 2, 0.0, 2),
        (lambda x: tg.logaddexp(x, 0.0), 0.0, 0.25),
        (lambda x: tg.softplus(x), 0.0, 0.25),
    ],
)
def test_the_second_derivative_is_right_where_the_first_happens_to_be_zero_or_inputs_to_be_equal(function, at, second):
    assert tg.hessian(function)(at).item() == pytest.approx(second, rel=1e-15)


# -- 13 --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", [nan, inf, -inf])
def test_nan_or_infinity_in_the_branch_not_taken_does_not_reach_the_gradient(bad):
    a, b = gradients(lambda a, b: tg.where([True, False], a, b), [2.0, bad], [bad, 3.0])
    equal(a, [1, 0])
    equal(b, [0, 1])


@pytest.mark.parametrize(
    ("function", "bad"),
    [
        (tg.log, 0.0),
        (tg.log1p, -1.0),
        (tg.sqrt, 0.0),
        (tg.sqrt, -1.0),
        (lambda x: 1 / x, 0.0),
        (lambda x: x**-2, 0.0),
        (lambda x: x**0.5, -1.0),
        (tg.exp, 1e4),
        (tg.expm1, 1e4),
        (tg.square, inf),
        (tg.abs, inf),
    ],
)
@pytest.mark.filterwarnings("ignore:.*encountered")
def test_a_function_outside_its_domain_in_the_branch_not_taken_does_not_reach_the_gradient(function, bad):
    x = np.array([2.0, bad])
    found = gradient(lambda x: tg.where([True, False], tg.stack([function(x[0]), function(x[1])]), 0.0), x)
    equal(found, [gradient(function, 2.0), 0])
    second = tg.hessian(lambda x: tg.where([True, False], tg.stack([function(x[0]), function(x[1])]), 0.0).sum())(x)
    assert np.isfinite(second.data).all()


# -- 14 --------------------------------------------------------------------------------------------

TIES = np.array([[3.0, 1.0, 3.0], [0.0, 3.0, 3.0]])


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize(
    ("axis", "expected"),
    [
        (None, [[0.25, 0, 0.25], [0, 0.25, 0.25]]),
        (0, [[1, 0, 0.5], [0, 1, 0.5]]),
        (-1, [[0.5, 0, 0.5], [0, 0.5, 0.5]]),
        ((0, 1), [[0.25, 0, 0.25], [0, 0.25, 0.25]]),
        ((-2,), [[1, 0, 0.5], [0, 1, 0.5]]),
        ((), 1),
    ],
)
def test_elements_that_tie_share_the_gradient(axis, expected, keepdims):
    expected = np.broadcast_to(expected, (2, 3))
    equal(gradient(lambda x: tg.max(x, axis, keepdims), TIES), expected)
    equal(gradient(lambda x: tg.min(x, axis, keepdims), -TIES), expected)


def test_maximum_and_minimum_share_at_ties_and_of_one_value_with_itself_have_slope_1():
    for function in tg.maximum, tg.minimum:
        a, b = gradients(function, [1.0, 2.0], [1.0, 2.0])
        equal(a, [0.5, 0.5])
        equal(b, [0.5, 0.5])
        equal(gradient(lambda a, function=function: function(a, a), [1.0, 2.0]), [1, 1])
    equal(gradient(lambda a: tg.maximum(a, 0), [-1.0, 0.0, 1.0]), [0, 0.5, 1])


# -- 15 --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["sum", "mean", "max", "min", "prod", "var", "std", "norm", "logsumexp"])
def test_reductions_of_a_0_d_tensor(name):
    slope = {"var": 0, "std": 0, "norm": -1}.get(name, 1)
    numpy_allows_an_axis = name not in ("mean", "var", "std")
    for axis in (None, (), 0, -1) if numpy_allows_an_axis else (None, ()):
        assert gradient(lambda x, axis=axis: getattr(tg, name)(x, axis=axis), -3.0) == slope


@pytest.mark.parametrize("name", ["sum", "prod", "norm"])
@pytest.mark.parametrize("axis", [None, 0, 1, -2, (0, 1)])
def test_reductions_of_an_empty_array_have_numpys_value_and_an_empty_gradient(name, axis):
    empty = np.ones((0, 3))
    expected = {"norm": np.sum}.get(name, getattr(np, name, None))(empty, axis=axis)
    equal(getattr(tg, name)(tg.Tensor(empty), axis=axis).data, expected)
    assert gradient(lambda x: getattr(tg, name)(x, axis=axis), empty).shape == (0, 3)


@pytest.mark.parametrize("axis", [None, -1])
def test_softmax_and_logsumexp_of_no_elements(axis):
    assert tg.logsumexp(tg.Tensor(np.zeros(0)), axis=axis).item() == -inf
    for function in tg.softmax, tg.log_softmax, tg.logsumexp:
        assert gradient(lambda x, function=function: function(x, axis=axis), np.zeros(0)).shape == (0,)
        assert gradient(lambda x, function=function: function(x, axis=0), np.zeros((0, 2))).shape == (0, 2)


@pytest.mark.parametrize(
    ("x", "expected"),
    [([2.0, 3.0, 4.0], [12, 8, 6]), ([0.0, 3.0, 4.0], [12, 0, 0]), ([0.0, 0.0, 4.0], [0, 0, 0]), ([0.0], [1])],
)
def test_prod_is_exact_with_no_one_or_two_zeros(x, expected):
    equal(gradient(tg.prod, x), expected)
    check_gradients(tg.prod, x, order=3)


@pytest.mark.parametrize("value", [0.0, 1.0, 0.1, 1e300])
def test_the_gradient_of_the_std_of_a_constant_is_0(value):
    equal(gradient(tg.std, np.full(3, value)), [0, 0, 0])
    equal(gradient(lambda x: tg.std(x, axis=1), [[value] * 3, [1.0, 2.0, 3.0]])[0], [0, 0, 0])


def test_the_mean_of_an_empty_array_warns_once_and_says_so():
    empty = leaf(np.ones((0, 2)))
    with pytest.warns(RuntimeWarning) as caught:
        result = tg.mean(empty, axis=0)
    (warning,) = caught
    assert str(warning.message).startswith("mean of no elements: shape (0, 2), axis 0: NaN   tg.mean(empty, axis=0)")
    equal(result.data, [nan, nan])
    assert tg.mean(tg.Tensor(np.ones((0, 2))), axis=1).shape == (0,)


# -- 16 --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ((3,), (3,)),
        ((2, 3), (3,)),
        ((3,), (3, 4)),
        ((2, 3), (3, 4)),
        ((5, 2, 3), (3,)),
        ((3,), (5, 3, 4)),
        ((5, 2, 3), (3, 4)),
        ((2, 3), (5, 3, 4)),
        ((5, 2, 3), (5, 3, 4)),
        ((6, 1, 2, 3), (5, 3, 4)),
        ((1, 2, 3), (5, 3, 4)),
        ((2, 0), (0, 3)),
        ((0, 3), (3, 2)),
        ((1, 1), (1, 1)),
    ],
)
def test_matmul_of_every_pairing_has_gradients_in_the_operands_shapes(a, b):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=a), rng.normal(size=b)
    assert [g.shape for g in gradients(tg.matmul, x, y)] == [a, b]
    check_gradients(tg.matmul, x, y, order=3)


def test_a_weight_used_at_many_steps_gets_the_sum_of_its_outer_products():
    rng = np.random.default_rng(0)
    W, b = leaf(rng.normal(size=(3, 3)) / 2), leaf(rng.normal(size=(2, 3)))
    x = rng.normal(size=(700, 2, 3))
    y = sum(((x_t @ W.T) * (x_t @ W) + b @ W).sum() for x_t in x)
    y.backward()
    together = W.grad.data.copy()
    W.grad = None
    y.backward(create_graph=True)
    np.testing.assert_allclose(together, W.grad.data, rtol=1e-12)


# -- 17 --------------------------------------------------------------------------------------------

INDICES = [
    0,
    -1,
    (1, 2),
    np.int64(1),
    slice(None, None, -1),
    (slice(None), slice(3, 0, -2)),
    slice(5, 9),
    ...,
    (..., 0),
    (None, ..., None),
    (),
    True,
    False,
    np.True_,
    [],
    [0, 0, 1],
    [[0, 1], [0, 0]],
    [True, False, True],
    np.array([0, 0, 1], np.uint8),
    np.array([-1, 2, -3, 0]),
    np.array(1),
    np.zeros((0, 2), int),
    (np.array([0, 0, 1]), np.array([1, 1, 2])),
    ([[0], [1]], [0, 0]),
    (0, [0, 0]),
    (slice(None), [0, 0, 1]),
    ([0, 0], None, slice(None, None, 2)),
    (True, [0, 0]),
    np.eye(3, 4, dtype=bool),
    np.zeros((3, 4), bool),
    (np.array([True, False, True]), [0, 0]),
]


@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize("index", INDICES, ids=str)
def test_an_element_read_several_times_gets_the_sum(index, create_graph):
    array = np.arange(12.0).reshape(3, 4)
    x = leaf(array)
    y = x[index]
    equal(y.data, array[index])
    weights = np.arange(1.0, y.size + 1).reshape(y.shape)
    y.backward(weights, create_graph=create_graph)
    expected = np.zeros((3, 4))
    np.add.at(expected, index, weights)
    equal(x.grad.data, expected)


@pytest.mark.parametrize(
    ("index", "as_array"),
    [
        (tg.Tensor([0, 0, 2]), [0, 0, 2]),
        (tg.Tensor([True, False, True]), [True, False, True]),
        ((tg.Tensor(1), tg.Tensor([0, 0])), (1, [0, 0])),
        ((slice(None), None, tg.Tensor([3, -1])), (slice(None), None, [3, -1])),
    ],
    ids=str,
)
def test_a_tensor_of_integers_or_booleans_is_an_index(index, as_array):
    array = np.arange(12.0).reshape(3, 4)
    equal(tg.Tensor(array)[index].data, array[as_array])
    equal(gradient(lambda x: x[index], array), gradient(lambda x: x[as_array], array))


def test_small_integers_index_a_long_array():
    equal(gradient(lambda x: x[np.array([255, 3, 255], np.uint8)], np.zeros(300)).nonzero()[0], [3, 255])


@pytest.mark.parametrize("index", [3, -4, (0, 4), [0, 3], (0, 0, 0), np.zeros((2, 4), bool), 0.5, "x", [0.5], [1.0]])
def test_an_index_out_of_range_or_of_another_type_raises(index):
    with pytest.raises(IndexError, match="getitem"):
        leaf(np.zeros((3, 4)))[index]


# -- 18 --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_a_recurrent_step_stays_in_its_precision_forward_and_backward(dtype):
    rng = np.random.default_rng(0)
    W, b = leaf(rng.normal(size=(3, 3)), dtype), leaf(np.zeros(3), dtype)
    h = tg.Tensor(rng.normal(size=(2, 3)), dtype=dtype)
    mask = tg.Tensor([[True], [False]])
    for _ in range(3):
        new = tg.tanh(2 * (h @ W.T) + b) * tg.sigmoid(b - 1.5) ** 2
        h = tg.where(mask, new / 3, h).reshape(2, 3) + 0
    loss = tg.cross_entropy(h, [0, 1], weights=[1, 2, 3]) + 0.5 * (h.mean(axis=0).std() + tg.norm(W) + h[0].max())
    assert loss.dtype == dtype
    loss.backward()
    assert W.grad.dtype == b.grad.dtype == dtype


@pytest.mark.parametrize("as_tensor", [False, True])
def test_a_gradient_that_a_user_gives_is_cast_to_the_tensors_dtype(as_tensor):
    given = np.array([1.0, 2.0])
    given = tg.Tensor(given) if as_tensor else given
    x = leaf([1, 2], np.float32)
    x.backward(given)
    assert x.grad.dtype == np.float32
    x.grad = None
    x.register_hook(lambda g: given)
    (x * 2).backward(np.ones(2, np.float32))
    assert x.grad.dtype == np.float32


# -- 19 --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("values", [[1, 2], [True, False], np.arange(3, dtype=np.uint8)])
def test_integers_and_booleans_are_constants_and_asking_them_for_a_gradient_is_an_error(values):
    with pytest.raises(TypeError, match="only floating point tensors have gradients, this one is"):
        leaf(values)
    x = tg.Tensor(values)
    with pytest.raises(TypeError, match="only floating point"):
        x.requires_grad = True
    assert not (x + 1).requires_grad
    with pytest.raises(TypeError, match=r"argument 0(\[0\])?: only floating point"):
        tg.grad(lambda x: x.sum())(values)


def test_rounding_to_integers_gives_a_constant():
    x = leaf([1.7, -1.7])
    y = x.astype(int)
    assert not y.requires_grad
    equal((y * x).data, [1.7, 1.7])
    (y * x).sum().backward()
    equal(x.grad.data, [1, -1])


def test_an_integer_or_boolean_tensor_serves_as_index_mask_and_label_and_is_left_alone_by_the_gradient():
    index, mask, labels = tg.Tensor([1, 1]), tg.Tensor([True, False, False]), tg.Tensor([0, 2])
    x = leaf(np.zeros((2, 3)))
    loss = x[index].sum() + tg.where(mask, x, 0).sum() + 6 * tg.cross_entropy(x, labels) + (x * mask).sum()
    loss.backward()
    np.testing.assert_allclose(x.grad.data, [[0, 1, 1], [5, 3, 0]], atol=1e-15)
    assert index.grad is mask.grad is labels.grad is None


def test_a_condition_that_is_a_tensor_of_floats_gets_no_gradient_from_being_one():
    c = leaf([1.0, 0.0])
    tg.where(c, c * 2, c * 3).sum().backward()
    equal(c.grad.data, [2, 3])
    c.grad = None
    tg.where(c, 5.0, leaf([1.0, 2.0])).sum().backward(create_graph=True)
    assert c.grad is None or not c.grad.data.any()


def test_complex_numbers_are_refused():
    with pytest.raises(TypeError, match="real numbers or booleans, not complex128"):
        tg.Tensor([1j])
    with pytest.raises(TypeError, match="complex"):
        leaf([1.0]) * 1j


# -- 20 --------------------------------------------------------------------------------------------


def test_clip_has_slope_1_at_its_bounds_and_0_outside():
    x = [-2.0, -1.0, 0.0, 1.0, 2.0]
    equal(gradient(lambda x: tg.clip(x, -1, 1), x), [0, 1, 1, 1, 0])
    equal(gradient(lambda x: tg.clip(x, min=-1), x), [0, 1, 1, 1, 1])
    equal(gradient(lambda x: tg.clip(x, max=1), x), [1, 1, 1, 1, 0])
    equal(gradient(lambda x: tg.clip(x, [-3, 0, 0, 0, 0], 1), x), [1, 0, 1, 1, 0])


# -- 21 --------------------------------------------------------------------------------------------


def test_only_the_pieces_that_need_a_gradient_get_one():
    a, b, c = leaf([[1.0, 2.0]]), tg.Tensor([[3.0], [4.0]]).T, leaf(np.zeros((0, 2)))
    weights = np.arange(1.0, 9.0).reshape(4, 2)
    joined = tg.concatenate([np.array([[0.0, 0.0]]), a, b, c, a], axis=-2)
    (joined * weights).sum().backward()
    equal(a.grad.data, weights[1:2] + weights[3:])
    assert b.grad is None
    assert c.grad.shape == (0, 2)

    a.grad = None
    (tg.stack([b, a, np.zeros((1, 2))], axis=-1) * [1, 10, 100]).sum().backward()
    equal(a.grad.data, [[10, 10]])


def test_empty_pieces_of_a_split():
    x = leaf([1.0, 2.0, 3.0])
    pieces = tg.split(x, [0, 2, 2, 5])
    assert [p.shape for p in pieces] == [(0,), (2,), (0,), (1,), (0,)]
    (pieces[1] * 5).sum().backward()
    equal(x.grad.data, [5, 5, 0])


# -- 22 --------------------------------------------------------------------------------------------

CUBE = np.arange(24.0).reshape(2, 3, 4)


@pytest.mark.parametrize(
    ("function", "reference"),
    [
        (lambda x: tg.broadcast_to(x, (5, 2, 3, 4)), lambda x: np.broadcast_to(x, (5, 2, 3, 4))),
        (lambda x: tg.broadcast_to(x[:, :1], (6, 2, 3, 4)), lambda x: np.broadcast_to(x[:, :1], (6, 2, 3, 4))),
        (lambda x: tg.broadcast_to(x[:0], (2, 0, 3, 4)), lambda x: np.broadcast_to(x[:0], (2, 0, 3, 4))),
        (tg.diagonal, np.diagonal),
        (lambda x: tg.diagonal(x, -1), lambda x: np.diagonal(x, -1)),
        (lambda x: tg.diagonal(x, 7), lambda x: np.diagonal(x, 7)),
        (lambda x: tg.trace(x, 1), lambda x: np.trace(x, 1)),
        (lambda x: x.transpose(-1, 0, -2), lambda x: x.transpose(-1, 0, -2)),
        (lambda x: x.transpose((2, 1, 0)), lambda x: x.transpose(2, 1, 0)),
        (lambda x: x.transpose(), lambda x: x.T),
        (lambda x: x.swapaxes(-1, 0), lambda x: x.swapaxes(-1, 0)),
        (lambda x: tg.pad(x, ((1, 0), (0, 2), (3, 1))), lambda x: np.pad(x, ((1, 0), (0, 2), (3, 1)))),
        (lambda x: tg.pad(x, 1, constant_values=9.0), lambda x: np.pad(x, 1, constant_values=9)),
        (lambda x: tg.pad(x, (1, 2)), lambda x: np.pad(x, (1, 2))),
        (lambda x: tg.flip(x, (0, -1)), lambda x: np.flip(x, (0, -1))),
        (lambda x: tg.cumsum(x), np.cumsum),
        (lambda x: tg.cumsum(x, -2), lambda x: np.cumsum(x, -2)),
        (lambda x: x.reshape(4, -1), lambda x: x.reshape(4, -1)),
        (lambda x: x.reshape((-1,)), lambda x: x.reshape(-1)),
        (lambda x: tg.squeeze(x[:1, :, :1], -1), lambda x: x[:1, :, 0]),
        (lambda x: tg.expand_dims(x, (0, -1)), lambda x: np.expand_dims(x, (0, -1))),
        (lambda x: tg.concatenate([x, x], axis=None), lambda x: np.concatenate([x, x], axis=None)),
    ],
)
def test_what_only_moves_elements_moves_their_gradients_back(function, reference):
    equal(function(tg.Tensor(CUBE)).data, reference(CUBE))
    check_gradients(function, CUBE)


# -- 23 --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("subscripts", "shapes"),
    [
        ("ii->", [(3, 3)]),
        ("ii", [(3, 3)]),
        ("ii->i", [(3, 3)]),
        ("iij->ji", [(2, 2, 3)]),
        ("nd,nn->d", [(2, 3), (2, 2)]),
        ("ij->", [(2, 3)]),
        ("ij,jk", [(2, 3), (3, 4)]),
        ("ba", [(2, 3)]),
        ("ij,jk->ik", [(2, 1), (3, 4)]),
        ("ij,jk->ik", [(2, 3), (1, 4)]),
        ("...ij,...jk->...ik", [(5, 2, 3), (1, 3, 4)]),
        ("...ij,...jk", [(2, 3), (5, 3, 4)]),
        ("...", [(2, 3)]),
        ("i...,i", [(3, 2), (3,)]),
        (",", [(), ()]),
        ("->", [()]),
        ("ij,jk,kl,lm->im", [(2, 3), (3, 4), (4, 2), (2, 3)]),
        ("ij,ij,ij->j", [(2, 3), (2, 3), (2, 3)]),
        ("ij,jk->ik", [(0, 3), (3, 2)]),
        ("ij,jk->ik", [(2, 0), (0, 2)]),
        (" i j , j k -> i k ", [(2, 3), (3, 2)]),
        ("Aa,aB->BA", [(2, 3), (3, 4)]),
    ],
)
def test_einsum_in_every_form(subscripts, shapes):
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=shape) for shape in shapes]
    equal(tg.einsum(subscripts, *map(tg.Tensor, arrays)).shape, np.einsum(subscripts, *arrays).shape)
    np.testing.assert_allclose(tg.einsum(subscripts, *map(leaf, arrays)).data, np.einsum(subscripts, *arrays))
    check_gradients(lambda *x: tg.einsum(subscripts, *x), *arrays, order=3)


def test_einsum_of_the_same_tensor_twice():
    check_gradients(lambda x: tg.einsum("ij,jk->ik", x, x), np.random.default_rng(0).normal(size=(3, 3)), order=3)
    equal(gradient(lambda x: tg.einsum("i,i->", x, x), [1.0, 2.0]), [2, 4])


# -- 24 --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "function",
    [
        tg.tanh,
        tg.sigmoid,
        lambda x: tg.softmax(x, axis=0),
        lambda x: tg.log_softmax(x),
        lambda x: tg.max(x * x, axis=1),
        lambda x: x[[0, 0, 1], 1:] ** 3,
        lambda x: tg.tanh(x) @ x.T @ x,
        lambda x: tg.norm(x, axis=0),
        lambda x: tg.std(x),
        lambda x: tg.cross_entropy(x, [0, 2, 1]),
        lambda x: tg.concatenate([x * x, tg.exp(x)], axis=1) ** 2,
        lambda x: tg.checkpoint(lambda x: tg.tanh(x @ x), x),
    ],
)
def test_second_and_third_derivatives(function):
    check_gradients(function, np.random.default_rng(3).normal(size=(3, 3)), order=3)


def test_the_third_derivative_of_tanh_by_its_formula():
    third = tg.grad(tg.grad(tg.grad(tg.tanh)))
    t = np.tanh(0.3)
    assert third(0.3).item() == pytest.approx((1 - t * t) * (6 * t * t - 2), rel=1e-14)


def test_the_gradient_of_a_gradients_norm():
    x = leaf([1.0, 2.0])
    (x**3).sum().backward(create_graph=True)
    slope, x.grad = x.grad, None
    tg.norm(slope).backward()  # ‖3x²‖
    np.testing.assert_allclose(x.grad.data, 6 * x.data**3 / np.sqrt(17), rtol=1e-15)


def test_nested_derivatives_keep_their_variables_apart():
    assert tg.grad(lambda x: x * tg.grad(lambda y: x + y)(1.0))(2.0).item() == 1
    assert tg.grad(lambda x: x * tg.grad(lambda y: x * y)(x))(3.0).item() == 6
    assert tg.grad(lambda x: tg.grad(lambda y: x * y * y)(x) * x)(3.0).item() == 54  # 2x³


# -- 25 --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("block", [tg.no_grad, tg.detect_anomaly])
def test_an_exception_in_a_block_restores_the_mode(block):
    before = current_mode()
    with pytest.raises(ZeroDivisionError), block(), block():
        1 / 0
    assert current_mode() is before


def test_no_grad_as_a_decorator_and_nested():
    @tg.no_grad()
    def constant(x):
        return x * 2

    x = leaf(1.0)
    assert [constant(x).requires_grad, (x * 2).requires_grad, constant(x).requires_grad] == [False, True, False]
    with tg.no_grad(), tg.detect_anomaly():
        assert not (x * 2).requires_grad


def test_no_grad_in_one_thread_is_not_in_another():
    inside, looked = threading.Event(), threading.Event()
    seen = []

    def other():
        with tg.no_grad():
            inside.set()
            looked.wait(5)
            seen.append((leaf(1.0) * 2).requires_grad)

    thread = threading.Thread(target=other)
    with tg.detect_anomaly():
        thread.start()
        inside.wait(5)
        seen.append((leaf(1.0) * 2).requires_grad)
        looked.set()
        thread.join()
        assert current_mode().anomaly
    assert seen == [True, False]


# -- 26 --------------------------------------------------------------------------------------------


def test_pieces_that_nobody_uses_have_gradient_0():
    array = np.arange(6.0).reshape(2, 3)
    equal(gradient(lambda x: tg.split(x, 3, axis=1)[1], array), [[0, 1, 0], [0, 1, 0]])
    equal(gradient(lambda x: tg.unbind(x)[-1], array), [[0, 0, 0], [1, 1, 1]])
    first, *_ = leaf(array)
    equal(first.data, array[0])

    def two(x):
        return tg.checkpoint(lambda x: (x * 2, x * 3), x)[0]

    equal(gradient(two, array), np.full((2, 3), 2))
    check_gradients(lambda x: tg.split(x, [1], axis=1)[1] ** 2, array)


# -- 27 --------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:.*encountered")
def test_anomaly_mode_names_the_operation_and_line_that_made_the_first_nan():
    x = leaf([-1.0, 1.0])
    line = sys._getframe().f_lineno + 2
    with tg.detect_anomaly(), pytest.raises(tg.AnomalyError, match=r"log made NaN   tg\.log\(x \+ 0\)   at ") as error:
        tg.log(x + 0)
    assert str(error.value).endswith(f"test_traps.py:{line}")

    y = tg.log(x)  # outside: no error, only NaN
    with tg.detect_anomaly(), pytest.raises(tg.AnomalyError, match=r"multiply made NaN \(an input already was\)"):
        y * 2
    with tg.detect_anomaly(), pytest.raises(tg.AnomalyError, match="exp made infinity"):
        tg.exp(x * 1e4)


@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.filterwarnings("ignore:.*encountered")
def test_anomaly_mode_names_the_forward_line_of_what_made_nan_in_the_backward_pass(create_graph):
    x = leaf([0.0, 1.0])
    with tg.detect_anomaly():
        line = sys._getframe().f_lineno + 1
        y = tg.sqrt(x * 1)
        z = (y * 0.5).sum()
        with pytest.raises(
            tg.AnomalyError, match=r"the derivative of sqrt made infinity   tg\.sqrt\(x \* 1\)"
        ) as error:
            z.backward(create_graph=create_graph)
    assert str(error.value).endswith(f"test_traps.py:{line}")


@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.filterwarnings("ignore:.*encountered")
def test_anomaly_mode_switched_on_for_the_backward_pass_alone_names_the_operation(create_graph):
    y = tg.sqrt(leaf([0.0, 1.0])).sum()
    with tg.detect_anomaly(), pytest.raises(tg.AnomalyError, match="the derivative of sqrt made infinity"):
        y.backward(create_graph=create_graph)


def test_anomaly_mode_says_nothing_where_all_is_well():
    x = leaf([[1.0, 2.0], [3.0, 4.0]])
    with tg.detect_anomaly():
        (tg.where(x > 2, tg.log(x), 0.0) @ x.T).sum().backward(create_graph=True)
    assert np.isfinite(x.grad.data).all()


def test_an_infinite_slope_in_the_backward_pass_warns_of_nothing_with_or_without_create_graph():
    for create_graph in False, True:
        x = leaf([0.0, 4.0])
        tg.sqrt(x).sum().backward(create_graph=create_graph)
        equal(x.grad.data, [inf, 0.25])


# -- 28 --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("labels", "options", "error", "message"),
    [
        ([0, 3], {}, IndexError, r"label 3 at \[1\] is not in \[0, 3\)"),
        ([-1, 0], {}, IndexError, r"label -1 at \[0\] is not in \[0, 3\)"),
        ([-1, -100], {"ignore_index": -100}, IndexError, r"label -1 at \[0\]"),
        ([0], {}, tg.ShapeError, r"logits \(2, 3\) need labels \(2,\), not \(1,\)"),
        (0, {}, tg.ShapeError, r"need labels \(2,\), not \(\)"),
        ([[0], [1]], {}, tg.ShapeError, r"need labels \(2,\), not \(2, 1\)"),
        ([0.0, 1.0], {}, TypeError, "labels must be integers, not float64"),
        ([True, False], {}, TypeError, "labels must be integers, not bool"),
        ([[1, 0, 0], [0, 1, 0]], {}, tg.ShapeError, r"need labels \(2,\), not \(2, 3\)"),
        ([0, 1], {"weights": [1, 2]}, tg.ShapeError, r"need weights \(3,\), not \(2,\)"),
        ([0, 1], {"reduction": "avg"}, ValueError, "reduction is 'mean', 'sum' or 'none', not 'avg'"),
        ([-1, -1], {"ignore_index": -1}, ValueError, "no label counts, so there is no mean: use reduction='sum'"),
        ([0, 1], {"weights": [0, 0, 1]}, ValueError, "no label counts"),
    ],
)
@pytest.mark.parametrize("as_tensor", [False, True])
def test_wrong_labels_are_an_error_before_any_arithmetic(labels, options, error, message, as_tensor):
    logits = leaf(np.full((2, 3), inf))  # arithmetic with these would warn first
    labels = tg.Tensor(labels) if as_tensor else labels
    with pytest.raises(error, match="cross_entropy: .*" + message):
        tg.cross_entropy(logits, labels, **options)


def test_ignored_labels_and_weights_count_in_the_mean_as_they_should():
    logits = np.log([[0.5, 0.25, 0.25], [0.1, 0.1, 0.8], [0.2, 0.2, 0.6]])
    losses = -np.log([0.5, 0.8])
    assert tg.cross_entropy(logits, [0, 2, -1], ignore_index=-1) == pytest.approx(losses.mean())
    weighted = tg.cross_entropy(logits, [0, 2, -1], weights=[3, 1, 1], ignore_index=-1)
    assert weighted == pytest.approx((3 * losses[0] + losses[1]) / 4)
    none = tg.cross_entropy(logits, [0, 2, -1], weights=[3, 1, 1], ignore_index=-1, reduction="none")
    np.testing.assert_allclose(none, [3 * losses[0], losses[1], 0])
    bad = np.array([[0.0, 1.0], [nan, inf]])
    equal(gradient(lambda o: tg.cross_entropy(o, [0, -1], ignore_index=-1), bad)[1], [0, 0])


# -- 29: of modules and optimisers in their own tests ----------------------------------------------


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_a_copied_or_pickled_tensor_is_the_same_and_its_own(duplicate):
    x = tg.name(leaf([1.0, 2.0], np.float32), "w")
    (x * x).sum().backward()
    twin = duplicate(x)
    equal(twin.data, x.data)
    equal(twin.grad.data, [2, 4])
    assert (twin.dtype, twin.name, twin.requires_grad) == (np.float32, "w", True)
    assert not np.shares_memory(twin.data, x.data)
    (twin * 3).sum().backward()
    equal(x.grad.data, [2, 4])
    equal(twin.grad.data, [5, 7])
    constant = duplicate(tg.Tensor([1, 2]))
    assert not constant.requires_grad


def test_a_result_cannot_be_copied_apart_from_its_graph():
    with pytest.raises(TypeError, match=r"only a leaf can be copied or pickled: use tensor\.detach\(\)"):
        copy.deepcopy(leaf(1.0) * 2)


# -- 30 --------------------------------------------------------------------------------------------


def test_two_parameters_with_the_same_values_have_separate_gradients():
    array = np.ones(2)
    a, b = leaf(array), leaf(array)
    (a * 2 + b * 3).sum().backward()
    equal(a.grad.data, [2, 2])
    equal(b.grad.data, [3, 3])
    equal(gradient(lambda x: x * 1.0 + x.detach() * 1.0, array), [1, 1])


def test_data_set_to_a_users_array_is_a_copy_that_later_changes_do_not_reach():
    w, given = leaf([1.0, 2.0]), np.array([3.0, 4.0])
    w.data = given
    y = (w * w).sum()
    given += 100
    y.backward()
    assert w.grad.tolist() == [6.0, 8.0]


@pytest.mark.parametrize("given", [np.ones(3), np.ones((2, 1)), np.ones(2, np.float32)])
def test_data_keeps_its_shape_and_dtype(given):
    with pytest.raises(tg.ShapeError, match="data of float64"):
        leaf([1.0, 2.0]).data = given


def test_masks_are_combined_with_and_or_and_not_also_with_an_array_on_the_left():
    a, b = tg.Tensor([True, True, False]), np.array([True, False, False])
    assert (a & b).tolist() == (b & a).tolist() == [True, False, False]
    assert (a | b).tolist() == (b | a).tolist() == [True, True, False]
    assert (~a).tolist() == [False, False, True]


def test_and_or_and_not_of_integers_is_an_error():
    for wrong in (lambda t: t & 1, lambda t: t | t, lambda t: ~t):
        with pytest.raises(TypeError, match="masks"):
            wrong(tg.Tensor([1, 2]))
