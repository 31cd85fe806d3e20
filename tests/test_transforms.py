"""Functions made from functions: gradients of every kind, nested; checkpoint; hooks; check_gradients."""

import tracemalloc
from typing import NamedTuple

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn.autodiff.gradcheck import GradientMismatch, check_gradients
from tinygrad_rnn.autodiff.nests import flatten


def leaf(values, dtype=None):
    return tg.Tensor(values, requires_grad=True, dtype=dtype)


def close(found, expected, tolerance=1e-13):
    np.testing.assert_allclose(
        found.data if isinstance(found, tg.Tensor) else found, expected, rtol=tolerance, atol=1e-14
    )


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
        (lambda: tg.grad(lambda x: 1.0)(X), tg.GradientError, "must return a tensor, not float"),
        (lambda: tg.grad(lambda x: (x, x))(X), tg.GradientError, "must return a tensor, not tuple"),
        (lambda: tg.grad(lambda x: x.sum(), 1)(X), IndexError, "no argument 1: the function was called with 1"),
        (lambda: tg.grad(lambda x: x)(3), TypeError, "argument 0: only floating point tensors have gradients"),
        (lambda: tg.grad(lambda x: x)("3"), TypeError, "argument 0: a tensor holds real numbers or booleans"),
        (lambda: tg.vjp(lambda x: x * 2, X)[1](X[0]), tg.ShapeError, r"shape \(3,\) for a tensor of shape \(2, 3\)"),
        (lambda: tg.jvp(lambda x: x, (X,), (X, X)), ValueError, "1 arguments need as many tangents, not 2"),
        (lambda: tg.jvp(lambda x: x, (X,), (X[0],)), tg.ShapeError, r"tangent of shape \(3,\) for .* \(2, 3\)"),
        (lambda: tg.hvp(lambda x: x.sum(), X, X[0]), tg.ShapeError, r"direction of shape \(3,\) for .* \(2, 3\)"),
        (lambda: tg.checkpoint(lambda x: 1.0, X), TypeError, "checkpoint: the function must return tensors, not float"),
    ],
)
def test_wrong_use_is_an_error_that_says_what_is_wanted(call, error, message):
    with pytest.raises(error, match=message):
        call()


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
    return np.stack(columns, axis=-1).reshape(*columns[0].shape, *x.shape)


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


class State(NamedTuple):
    h: tg.Tensor
    s: tg.Tensor


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
