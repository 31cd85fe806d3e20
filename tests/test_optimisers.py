"""Optimisers: the steps they take, what they remember, what they refuse; clipping."""

import copy
import io
import math
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_rnn import GradientError, Tensor
from tinygrad_rnn.nn.modules import Linear, Parameter
from tinygrad_rnn.nn.optimisers import SGD, Adam, AdamW, RMSProp, clip_grad_norm, clip_grad_value

EVERY = {
    "SGD": lambda parameters, lr=0.1: SGD(parameters, lr),
    "momentum": lambda parameters, lr=0.1: SGD(parameters, lr, momentum=0.9, weight_decay=0.01),
    "Nesterov": lambda parameters, lr=0.1: SGD(parameters, lr, momentum=0.9, nesterov=True),
    "RMSProp": lambda parameters, lr=0.1: RMSProp(parameters, lr),
    "Adam": lambda parameters, lr=0.1: Adam(parameters, lr),
    "AdamW": lambda parameters, lr=0.1: AdamW(parameters, lr),
}
every_one = pytest.mark.parametrize("build", EVERY.values(), ids=EVERY)


def parameter(value, gradient=None, dtype=float) -> Parameter:
    p = Parameter(value, dtype=dtype)
    if gradient is not None:
        p.grad = Tensor(gradient, dtype=dtype)
    return p


def steps(optimiser, gradients) -> list[float]:
    """Where the optimiser's only parameter, a number, is after each of the gradients."""
    (p,) = optimiser.parameters
    path = []
    for g in gradients:
        p.grad = Tensor(float(g))
        optimiser.step()
        path.append(p.item())
    return path


# The steps


def test_gradient_descent_moves_against_the_gradient_by_lr_times_it():
    assert steps(SGD([parameter(1.0)], lr=0.25), [2, 4, -8]) == [0.5, -0.5, 1.5]


def test_weight_decay_of_gradient_descent_is_the_gradient_of_half_λ_w_squared():
    assert steps(SGD([parameter(1.0)], lr=0.5, weight_decay=1), [0, 0, 1]) == [0.5, 0.25, -0.375]


def test_momentum_under_a_constant_gradient_tends_to_steps_of_lr_over_one_minus_μ():
    """v = 1, 1.5, 1.75: 2 (1 − ½ᵗ)."""
    assert steps(SGD([parameter(0.0)], lr=1, momentum=0.5), [1, 1, 1]) == [-1, -2.5, -4.25]
    path = steps(SGD([parameter(0.0)], lr=1, momentum=0.5), [1] * 60)
    assert path[-1] - path[-2] == -2


def test_nesterov_adds_the_next_step_of_the_momentum():
    """g + μv = 1.5, 1.75, 1.875 where v = 1, 1.5, 1.75."""
    assert steps(SGD([parameter(0.0)], lr=1, momentum=0.5, nesterov=True), [1, 1, 1]) == [-1.5, -3.25, -5.125]


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e6])
def test_rmsprop_takes_steps_that_do_not_depend_on_the_scale_of_the_gradient(scale):
    """r = (1 − ρᵗ) g² under a constant gradient."""
    path = steps(RMSProp([parameter(0.0)], lr=0.01, rho=0.75, eps=0), [scale] * 3)
    expected = -np.cumsum([0.01 / math.sqrt(1 - 0.75**t) for t in (1, 2, 3)])
    np.testing.assert_allclose(path, expected, rtol=1e-14)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e6])
@pytest.mark.parametrize("kind", [Adam, lambda p, **how: AdamW(p, weight_decay=0, **how)])
def test_adam_takes_steps_of_lr_under_a_constant_gradient_from_the_first_one_on(kind, scale):
    """Both corrections for the start at 0 are exact: m̂ = g and v̂ = g² at every step."""
    path = steps(kind([parameter(0.0)], lr=0.125, eps=0), [scale] * 5)
    np.testing.assert_allclose(path, -0.125 * np.arange(1, 6), rtol=1e-13)


def test_adam_by_the_paper_with_python_numbers():
    gradients = np.random.default_rng(0).normal(size=50)
    w, m, v, expected = 0.3, 0.0, 0.0, []
    for t, g in enumerate(gradients, start=1):
        m = 0.8 * m + 0.2 * g
        v = 0.95 * v + 0.05 * g**2
        w -= 0.1 * (m / (1 - 0.8**t)) / (math.sqrt(v / (1 - 0.95**t)) + 1e-3)
        expected.append(w)
    path = steps(Adam([parameter(0.3)], lr=0.1, beta1=0.8, beta2=0.95, eps=1e-3), gradients)
    np.testing.assert_allclose(path, expected, rtol=1e-12)


def test_the_weight_decay_of_adamw_does_not_pass_through_the_running_means():
    path = steps(AdamW([parameter(1.0)], lr=0.5, weight_decay=0.5), [0, 0, 0])
    np.testing.assert_allclose(path, [0.75, 0.75**2, 0.75**3], rtol=1e-15)
    step_of_adam = steps(Adam([parameter(0.0)], lr=0.5), [3])[0]
    assert steps(AdamW([parameter(1.0)], lr=0.5, weight_decay=0.5), [3])[0] == pytest.approx(0.75 + step_of_adam)


@every_one
def test_a_linear_regression_is_solved(build):
    rng = np.random.default_rng(0)
    x, layer = rng.normal(size=(64, 3)), Linear(3, 2, rng=0)
    W, b = rng.normal(size=(2, 3)), rng.normal(size=2)
    optimiser = build(layer.parameters(), lr=0.1)
    for step in range(500):
        optimiser.lr = 0.1 * 0.99**step
        optimiser.zero_grad()
        ((layer(x) - (x @ W.T + b)) ** 2).mean().backward()
        optimiser.step()
    np.testing.assert_allclose(layer.weight.data, W, atol=0.05)
    np.testing.assert_allclose(layer.bias.data, b, atol=0.05)


# What a step leaves alone


@every_one
def test_a_parameter_without_gradient_stays_and_its_count_of_updates_too(build):
    still, moved = parameter(1.0), parameter(1.0, 1.0)
    optimiser = build([still, moved])
    optimiser.step()
    optimiser.step()
    assert still.item() == 1 != moved.item()
    still.grad = Tensor(1.0)
    moved.grad = None
    optimiser.step()
    fresh = parameter(1.0, 1.0)
    build([fresh]).step()
    assert still.item() == fresh.item()
    assert optimiser.updates == [1, 2]


@every_one
def test_a_step_gives_a_new_read_only_array_and_leaves_the_old_one_and_the_gradient_as_they_were(build):
    p = parameter([1.0, 2.0], [3.0, -4.0])
    old, gradient = p.data, p.grad
    optimiser = build([p])
    for _ in range(3):
        optimiser.step()
    np.testing.assert_array_equal(old, [1, 2])
    np.testing.assert_array_equal(gradient.data, [3, -4])
    assert p.grad is gradient
    assert not p.data.flags.writeable
    assert all(not np.shares_memory(p.data, other) for other in (old, gradient.data, *optimiser.state[0]))


@every_one
def test_a_graph_from_before_the_step_has_the_gradients_of_its_own_weights(build):
    p = parameter([3.0])
    loss = (p * p).sum()
    p.grad = Tensor([1.0])
    build([p]).step()
    p.grad = None
    loss.backward()
    assert p.grad.data == [6.0]


@every_one
@pytest.mark.parametrize("shape", [(), (0,), (1,), (2, 3), (2, 0, 3)])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_shape_and_dtype_stay_everywhere_also_when_a_schedule_gives_numpy_numbers(build, shape, dtype):
    p = parameter(np.ones(shape), np.ones(shape), dtype)
    optimiser = build([p])
    for lr in 0.1, np.float64(0.05), np.array(0.02), 1:
        optimiser.lr = lr
        optimiser.step()
    arrays = [p.data, p.grad.data, *optimiser.state[0]]
    assert {(type(a), a.shape, a.dtype) for a in arrays} == {(np.ndarray, shape, np.dtype(dtype))}
    if p.size:
        assert (p.data < 1).all()


def test_zero_grad_forgets_every_gradient():
    a, b = parameter(1.0, 1.0), parameter(2.0, 2.0)
    Adam([a, b]).zero_grad()
    assert a.grad is b.grad is None


# State


def trained(build, parameters, gradients):
    optimiser = build(parameters)
    for g in gradients:
        for p in parameters:
            p.grad = Tensor(g[: p.size].reshape(p.shape), dtype=p.dtype)
        optimiser.step()
    return optimiser


@every_one
def test_an_optimiser_that_was_loaded_goes_on_with_the_same_bits(build):
    gradients = np.random.default_rng(0).normal(size=(8, 6))
    whole = [parameter(np.ones((2, 3))), parameter(0.5, dtype=np.float32)]
    trained(build, whole, gradients)

    first = [parameter(np.ones((2, 3))), parameter(0.5, dtype=np.float32)]
    file = io.BytesIO()
    np.savez(file, **trained(build, first, gradients[:5]).state_dict())
    file.seek(0)
    second = [parameter(p.data, dtype=p.dtype) for p in first]
    with np.load(file, allow_pickle=False) as state:
        optimiser = build(second, lr=7)
        optimiser.load_state_dict(dict(state))
    assert optimiser.lr == 0.1
    for g in gradients[5:]:
        for p in second:
            p.grad = Tensor(g[: p.size].reshape(p.shape), dtype=p.dtype)
        optimiser.step()
    for p, q in zip(whole, second, strict=True):
        np.testing.assert_array_equal(p.data, q.data)


def test_the_state_is_settings_counts_and_copies_of_the_buffers():
    p = parameter([1.0, 2.0], [3.0, 4.0])
    optimiser = Adam([p], lr=0.5, beta1=0.5, beta2=0.75, eps=0.125)
    optimiser.step()
    state = optimiser.state_dict()
    assert {name: array.tolist() for name, array in state.items()} == {
        "lr": 0.5,
        "beta1": 0.5,
        "beta2": 0.75,
        "eps": 0.125,
        "updates": [1],
        "m.0": [1.5, 2],
        "v.0": [2.25, 4],
    }
    state["m.0"][:] = 0
    assert optimiser.state_dict()["m.0"].tolist() == [1.5, 2]
    optimiser.load_state_dict(state)
    state["m.0"][:] = 9
    assert optimiser.state_dict()["m.0"].tolist() == [0, 0]


def test_one_error_lists_everything_that_does_not_fit_and_changes_nothing():
    optimiser = Adam([parameter([1.0, 2.0], [1.0, 1.0])])
    optimiser.step()
    before = optimiser.state_dict()
    state = AdamW([parameter([1.0]), parameter([1.0])]).state_dict()
    state["v.0"] = np.ones(2, np.float32)
    del state["eps"]
    with pytest.raises(ValueError) as error:  # noqa: PT011  (the whole message is compared)
        optimiser.load_state_dict(state)
    assert str(error.value) == (
        "the state does not fit: missing eps; unexpected weight_decay, m.1, v.1; "
        "updates is (2,) int64, not (1,) int64; "
        "m.0 is (1,) float64, not (2,) float64; v.0 is (2,) float32, not (2,) float64"
    )
    assert repr(optimiser.state_dict()) == repr(before)


def test_a_state_with_a_setting_out_of_range_changes_nothing():
    optimiser = Adam([parameter([1.0])], lr=0.5)
    state = Adam([parameter([1.0])], lr=0.25).state_dict() | {"eps": np.array(-1.0)}
    with pytest.raises(ValueError, match=r"eps must be in \[0, inf\), not -1"):
        optimiser.load_state_dict(state)
    assert optimiser.lr == 0.5


@every_one
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))], ids=["deepcopy", "pickle"])
def test_a_copy_of_model_and_optimiser_together_stays_tied_and_trains_alike(build, copied):
    layer = Linear(2, 1, rng=0)
    optimiser = build(layer.parameters())
    x = np.array([[1.0, 2.0]])
    layer(x).sum().backward()
    optimiser.step()
    twin, its_optimiser = copied((layer, optimiser))
    assert [id(p) for p in its_optimiser.parameters] == [id(p) for p in twin.parameters()]
    for model, how in (layer, optimiser), (twin, its_optimiser):
        how.zero_grad()
        model(x).sum().backward()
        how.step()
    np.testing.assert_array_equal(layer.weight.data, twin.weight.data)
    its_optimiser.step()
    assert (layer.weight.data != twin.weight.data).all()
    assert repr(its_optimiser.settings) == repr(optimiser.settings)


def test_an_optimiser_prints_its_settings():
    assert repr(SGD([parameter(1.0)], lr=0.5, momentum=0.9)) == (
        "SGD(1 parameters, lr=0.5, momentum=0.9, weight_decay=0.0, nesterov=False)"
    )


# Refusals

W = parameter([1.0, 2.0])


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: SGD([]), "no parameters: is the list empty, or an iterator that was used before?"),
        (lambda: SGD([W, parameter(1.0), W]), r"parameter 2, of shape \(2,\), is parameter 0 again"),
        (lambda: SGD([W, Tensor([1.0])]), r"parameter 1, of shape \(1,\), is a constant, not a leaf"),
        (lambda: SGD([W * 2]), r"parameter 0, of shape \(2,\), is a result, not a leaf"),
        (lambda: SGD([W], lr=-1), r"lr must be in \[0, inf\), not -1"),
        (lambda: SGD([W], lr=math.nan), r"lr must be in \[0, inf\), not nan"),
        (lambda: SGD([W], lr=math.inf), r"lr must be in \[0, inf\), not inf"),
        (lambda: SGD([W], momentum=1), r"momentum must be in \[0, 1\), not 1"),
        (lambda: SGD([W], momentum=-0.1), r"momentum must be in \[0, 1\), not -0.1"),
        (lambda: SGD([W], weight_decay=-1), r"weight_decay must be in \[0, inf\), not -1"),
        (lambda: SGD([W], nesterov=True), "nesterov looks ahead along the momentum: give a momentum above 0"),
        (lambda: RMSProp([W], rho=1), r"rho must be in \[0, 1\), not 1"),
        (lambda: RMSProp([W], eps=-1), r"eps must be in \[0, inf\), not -1"),
        (lambda: Adam([W], beta1=1), r"beta1 must be in \[0, 1\), not 1"),
        (lambda: Adam([W], beta2=-0.5), r"beta2 must be in \[0, 1\), not -0.5"),
        (lambda: Adam([W], eps=-1), r"eps must be in \[0, inf\), not -1"),
        (lambda: AdamW([W], weight_decay=-1), r"weight_decay must be in \[0, inf\), not -1"),
    ],
)
def test_an_optimiser_that_could_not_work_is_an_error(build, message):
    with pytest.raises(ValueError, match=message):
        build()


@pytest.mark.parametrize("given", [{"w": W}, [("w", W)], [np.ones(2)]])
def test_what_is_no_tensor_is_an_error(given):
    with pytest.raises(TypeError, match=r"parameter 0 is a (str|tuple|ndarray), not a tensor"):
        SGD(given)


def test_one_tensor_in_place_of_a_list_is_an_error():
    with pytest.raises(ValueError, match=r"parameter 0, of shape .*, is a result, not a leaf"):
        SGD(W)


def test_a_schedule_that_leaves_the_range_is_an_error_at_once():
    optimiser = SGD([W], lr=0.5)
    with pytest.raises(ValueError, match="lr must be in"):
        optimiser.lr = -0.1
    assert optimiser.lr == 0.5


@every_one
@pytest.mark.parametrize(
    ("gradient", "message"),
    [
        (Tensor([1.0]), r"parameter 1 is \(2,\) float64 and its gradient \(1,\) float64"),
        (Tensor([1.0, 2.0], dtype="f4"), r"parameter 1 is \(2,\) float64 and its gradient \(2,\) float32"),
        (np.ones(2), "the gradient of parameter 1 is a ndarray, not a tensor"),
    ],
)
def test_a_gradient_of_another_shape_or_dtype_is_an_error_before_anything_moves(build, gradient, message):
    a, b = parameter(1.0, 1.0), parameter([1.0, 2.0])
    b.grad = gradient
    optimiser = build([a, b])
    before = optimiser.state_dict()
    with pytest.raises(GradientError, match=message):
        optimiser.step()
    assert a.item() == 1
    assert repr(optimiser.state_dict()) == repr(before)


# Clipping


def test_clipping_the_norm_scales_all_gradients_by_one_factor_and_returns_the_norm_before():
    a, b, without = parameter([0.0, 0.0], [3.0, 0.0]), parameter([[0.0]], [[-4.0]]), parameter(1.0)
    assert clip_grad_norm([a, b, without], 1) == 5
    np.testing.assert_allclose(a.grad.data, [0.6, 0], rtol=1e-15)
    np.testing.assert_allclose(b.grad.data, [[-0.8]], rtol=1e-15)
    assert without.grad is None
    assert clip_grad_norm([a, b], 1) == pytest.approx(1, rel=1e-15)


@pytest.mark.parametrize("max_norm", [5, 5.5, math.inf])
def test_a_norm_within_the_bound_changes_nothing(max_norm):
    p = parameter([0.0, 0.0], [3.0, -4.0])
    gradient = p.grad
    assert clip_grad_norm([p], max_norm) == 5
    assert p.grad is gradient
    np.testing.assert_array_equal(gradient.data, [3, -4])


def test_clipping_the_values_returns_the_norm_before():
    a, b = parameter([0.0, 0.0], [3.0, 0.5]), parameter(0.0, -4.0)
    assert clip_grad_value([a, b], 1) == math.sqrt(25.25)
    np.testing.assert_array_equal(a.grad.data, [1, 0.5])
    assert b.grad.item() == -1


@pytest.mark.parametrize("clip", [clip_grad_norm, clip_grad_value])
def test_clipped_gradients_are_fresh_writable_and_of_the_same_dtype(clip):
    shared = Tensor([30.0, 40.0], dtype=np.float32)
    a, b, c = parameter([0, 0], dtype="f4"), parameter([0, 0], dtype="f4"), parameter(0, 7, dtype="f4")
    a.grad = b.grad = shared
    clip([a, b, c], 1)
    np.testing.assert_array_equal(shared.data, [30, 40])
    np.testing.assert_array_equal(a.grad.data, b.grad.data)
    for p in a, b, c:
        assert type(p.grad.data) is np.ndarray
        assert p.grad.dtype == np.float32
        assert p.grad.data.flags.writeable
        p.grad.data[...] = 0
    assert shared.data[0] == 30


@pytest.mark.parametrize("clip", [clip_grad_norm, clip_grad_value])
@pytest.mark.parametrize(("value", "word"), [(math.nan, "NaN"), (math.inf, "infinity"), (-math.inf, "infinity")])
def test_a_norm_that_is_not_finite_is_an_error_that_names_the_parameter_and_changes_nothing(clip, value, word):
    a, b = parameter([0.0], [7.0]), parameter([0.0, 0.0], [1.0, value])
    with pytest.raises(
        FloatingPointError, match=rf"gradient of parameter 1, of shape \(2,\), has {word}: detect_anomaly"
    ):
        clip([a, b], 1.0)
    assert a.grad.item() == 7
    a.grad = Tensor([0.0])
    with pytest.raises(FloatingPointError, match="parameter 1"):
        clip([a, b], 1.0)


def test_a_norm_beyond_floating_point_is_an_error():
    with pytest.raises(FloatingPointError, match="beyond the range"):
        clip_grad_norm([parameter([0.0, 0.0], [1.5e308, 1.5e308])], 1.0)


@given(st.sampled_from([(np.float32, 37), (np.float64, 307)]), st.data())
def test_the_norm_of_very_large_and_very_small_gradients_is_right(kind, data):
    """Their squares are not: 1e-30² is 0 in float32, 1e200² infinite in float64; and vanishing is a subject here."""
    dtype, most = kind
    scale = 10.0 ** data.draw(st.integers(-most, most))
    p = parameter([0.0, 0.0, 0.0], np.array([2.0, 3.0, 6.0]) * scale, dtype)
    assert clip_grad_norm([p], math.inf) == pytest.approx(7 * scale, rel=1e-6)


def test_the_norm_of_many_small_floats_is_summed_in_large_ones():
    """100,000 ones are more than float16 can count."""
    p = parameter(np.zeros(100_000), np.ones(100_000), np.float16)
    assert clip_grad_norm([p], math.inf) == pytest.approx(math.sqrt(100_000), rel=1e-12)


def test_without_any_gradient_or_with_only_zeros_the_norm_is_0():
    assert clip_grad_norm([parameter(1.0)], 1) == 0
    assert clip_grad_value([parameter([1.0, 2.0], [0.0, 0.0]), parameter(np.ones((0, 2)), np.ones((0, 2)))], 1) == 0
    assert clip_grad_norm([parameter(1.0, 3.0)], 0) == 3


@pytest.mark.parametrize("clip", [clip_grad_norm, clip_grad_value])
@pytest.mark.parametrize("bound", [-1, math.nan])
def test_a_bound_below_0_is_an_error(clip, bound):
    with pytest.raises(ValueError, match=f"{clip.__name__}: .* must be at least 0, not {bound}"):
        clip([W], bound)


@pytest.mark.parametrize("clip", [clip_grad_norm, clip_grad_value])
def test_clipping_nothing_or_one_parameter_twice_is_an_error(clip):
    with pytest.raises(ValueError, match="no parameters"):
        clip(iter([]), 1)
    with pytest.raises(ValueError, match=r"parameter 1, of shape .*, is parameter 0 again"):
        clip([W, W], 1)


def test_a_gradient_that_is_itself_differentiable_is_clipped_to_a_constant():
    p = parameter([3.0])
    (p**3).sum().backward(create_graph=True)
    assert clip_grad_norm([p], 1) == 27
    assert p.grad.data == [1]
    assert not p.grad.requires_grad
