"""How far gradients reach, against eigenvalues and singular values; and the cliff, with clipping and without."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_rnn as tg
from tinygrad_rnn.nn.initialisers import orthogonal
from zoo import cliff
from zoo.cliff import angle, clipped, descent, norm_clipped, surface, value_clipped
from zoo.echo_state import spectral_radius
from zoo.gradients import LINEAR, SIGMOID, TANH, decay, distances, jacobians, norms, plain, skipping

N, T = 8, 100
ACTIVATIONS = {"linear": LINEAR, "tanh": TANH, "sigmoid": SIGMOID}


def drawn(seed, T=T, n=N, scale=1.0):
    """W (n, n), of which a gradient neither quickly vanishes nor explodes, and u (T, n)."""
    rng = np.random.default_rng(seed)
    return scale * rng.normal(size=(n, n)) / np.sqrt(n), rng.normal(size=(T, n)) / 4


# -- what is measured -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_a_jacobian_is_the_product_of_those_of_the_steps(name):
    f, _ = ACTIVATIONS[name]
    slope = {"linear": np.ones_like, "tanh": lambda h: 1 - h * h, "sigmoid": lambda h: h * (1 - h)}[name]
    W, u = drawn(0, T=12)
    start = np.random.default_rng(1).normal(size=N)
    h, product = start, [np.eye(N)]
    for u_t in u:
        h = np.asarray(f(u_t + W @ h))
        product = [np.diag(slope(h)) @ W @ J for J in product] + [np.eye(N)]
    np.testing.assert_allclose(jacobians(plain(W, f), start, u), product, rtol=1e-11, atol=1e-14)


def test_a_jacobian_is_that_of_finite_differences_also_over_skips():
    (W, u), R = drawn(2, T=7), drawn(3)[0]
    step, start = skipping(W, R, 3, np.tanh), np.random.default_rng(4).normal(size=N)

    def end(start):
        past = [start]
        for u_t in u:
            past.append(step(past, u_t))
        return past[-1]

    e = 1e-6
    columns = [(end(start + e * i) - end(start - e * i)) / (2 * e) for i in np.eye(N)]
    np.testing.assert_allclose(jacobians(step, start, u)[0], np.transpose(columns), rtol=1e-6, atol=1e-9)


def test_at_no_lag_the_jacobian_is_the_identity_and_a_run_of_no_steps_has_no_other():
    W, u = drawn(0)
    assert (jacobians(plain(W, tg.tanh), np.zeros(N), u)[-1] == np.eye(N)).all()
    assert (jacobians(plain(W, tg.tanh), np.zeros(N), u[:0]) == np.eye(N)[None]).all()
    assert decay(W, u[:0]).norm.tolist() == [1]


def test_an_input_that_does_not_fit_and_a_norm_beyond_the_range_of_numbers_are_errors():
    W, u = drawn(0)
    with pytest.raises(tg.ShapeError):
        decay(W, u[:, 1:])
    with np.errstate(all="ignore"), pytest.raises(np.linalg.LinAlgError):
        norms(jacobians(plain(1e200 * np.eye(N), LINEAR.f), np.zeros(N), u[:3] * 0))


# -- what is predicted ------------------------------------------------------------------------------------


def test_over_100_steps_a_factor_of_0_9_vanishes_and_one_of_1_1_explodes():
    one, u = np.ones((1, 1)), np.zeros((100, 1))
    assert decay(0.9 * one, u).norm[100] == pytest.approx(2.66e-5, rel=2e-3)
    assert decay(1.1 * one, u).norm[100] == pytest.approx(1.378e4, rel=1e-3)
    np.testing.assert_allclose(decay(0.9 * one, u).norm, 0.9 ** np.arange(101), rtol=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_an_orthogonal_w_keeps_the_norm_of_a_linear_network_at_every_lag(seed):
    found = decay(orthogonal((N, N), rng=seed), drawn(seed)[1])
    for norm in found:
        np.testing.assert_allclose(norm, np.ones(T + 1), rtol=1e-12)


@given(
    seed=st.integers(0, 10**6),
    n=st.integers(1, 6),
    scale=st.floats(0.01, 8),
    name=st.sampled_from(list(ACTIVATIONS)),
)
def test_singular_values_bound_the_norm_at_every_lag(seed, n, scale, name):
    W, u = drawn(seed, T=30, n=n, scale=scale)
    found = decay(W, u, ACTIVATIONS[name])
    slope = 0.25 if name == "sigmoid" else 1
    np.testing.assert_allclose(found.bound, (slope * np.linalg.svd(W)[1][0]) ** np.arange(31), rtol=1e-10)
    assert (found.norm <= found.bound * (1 + 1e-10)).all()


def test_the_bound_of_the_sigmoid_is_reached_where_its_slope_is_a_quarter():
    """With W orthogonal and u that keeps every a at 0, H = 1/4."""
    W = orthogonal((N, N), rng=0)
    u = np.tile(-W @ np.full(N, 0.5), (20, 1))
    f, _ = SIGMOID
    found = norms(jacobians(plain(W, f), np.full(N, 0.5), u))
    np.testing.assert_allclose(found, 0.25 ** np.arange(21), rtol=1e-12)


def test_with_the_same_weights_the_sigmoid_vanishes_faster_than_tanh():
    W, u = 1.2 * orthogonal((N, N), rng=0), drawn(0)[1]
    tanh, sigmoid = (decay(W, u, activation).norm for activation in (TANH, SIGMOID))
    assert (sigmoid[1:] < tanh[1:]).all()
    assert tanh[20] > 1e-3
    assert sigmoid[20] < 1e-10


def test_eigenvalues_are_the_limit_but_before_it_the_norm_may_grow_though_all_are_below_1():
    """Correction 4: W = QΛQᵀ with an orthogonal Q is for symmetric matrices."""
    W = np.array([[0.9, 5.0], [0.0, 0.8]])
    found = decay(W, np.zeros((1000, 2)))
    assert spectral_radius(W) == 0.9
    assert found.norm[:10].max() > 13
    assert found.limit.max() == 1
    growth = found.norm[1:] ** (1 / np.arange(1, 1001))
    assert growth[-1] == pytest.approx(0.9, rel=0.005)
    assert abs(growth[-1] - 0.9) < abs(growth[99] - 0.9) < abs(growth[9] - 0.9)


def test_for_a_symmetric_w_and_a_constant_h_the_power_of_the_largest_eigenvalue_is_exact():
    W, u = drawn(5)
    W = (W + W.T) / 3
    np.testing.assert_allclose(decay(W, u).norm, decay(W, u).limit, rtol=1e-11)
    values, Q = np.linalg.eigh(W)
    J = jacobians(plain(W, LINEAR.f), np.zeros(N), u)[-1 - 20]
    np.testing.assert_allclose(J, Q @ np.diag(values**20) @ Q.T, rtol=1e-9, atol=1e-9 * np.abs(J).max())


def test_even_with_a_symmetric_w_it_is_not_where_h_changes():
    W, u = drawn(6)
    found = decay((W + W.T) / 2, u, TANH)
    assert found.norm[100] < found.limit[100] / 100


# -- skips ------------------------------------------------------------------------------------------------


def test_a_step_with_a_skip_is_its_equation_and_states_before_the_first_are_0():
    (W, u), R = drawn(2, T=6), drawn(3)[0]
    past, expected = [u[0]], [u[0]]
    for t in range(1, 6):
        past.append(np.asarray(skipping(W, R, 3, tg.tanh)(past, u[t])))
        expected.append(np.tanh(u[t] + W @ expected[t - 1] + (R @ expected[t - 3] if t >= 3 else 0)))
    np.testing.assert_allclose(past, expected, rtol=1e-12)


@pytest.mark.parametrize("d", [2, 5, 10])
def test_over_a_skip_of_d_a_gradient_decays_in_τ_over_d(d):
    R = 0.9 * orthogonal((N, N), rng=0)
    found = norms(jacobians(skipping(np.zeros((N, N)), R, d, LINEAR.f), np.zeros(N), np.zeros((T, N))))
    lags = np.arange(T + 1)
    np.testing.assert_allclose(found[lags % d == 0], 0.9 ** (lags[lags % d == 0] / d), rtol=1e-12)
    assert not found[lags % d != 0].any()


def test_beside_short_connections_what_comes_over_the_skips_is_at_least_that():
    """One unit, W = 0.3 and R = 0.6 five steps back: each way back adds to the gradient, that over skips is one."""
    step = skipping(np.array([[0.3]]), np.array([[0.6]]), 5, LINEAR.f)
    found = norms(jacobians(step, np.zeros(1), np.zeros((T, 1))))[::5]
    assert (found >= 0.6 ** np.arange(21)).all()
    assert (found[1:] > 0.3 ** (5 * np.arange(1, 21)) * 10).all()


# -- echo states --------------------------------------------------------------------------------------------


def test_a_jacobian_of_spectral_radius_near_1_is_not_by_itself_the_echo_state_property():
    """Correction 5: each of two runs comes to rest where the slope is 0.91, and they are 0.74 apart for ever."""
    W, u = np.array([[1.05]]), np.zeros((500, 1))
    step = plain(W, tg.tanh)
    apart = distances(step, np.array([0.5]), np.array([-0.5]), u)
    slope = jacobians(step, np.array([apart[-1] / 2]), u[:1])[0]
    assert spectral_radius(slope) == pytest.approx(0.906, abs=1e-3)
    assert apart[[250, 500]] == pytest.approx(0.7414, abs=1e-4)


def test_singular_values_below_1_are_enough_for_it():
    W, u = drawn(7)
    W *= 0.95 / np.linalg.norm(W, 2)
    rng = np.random.default_rng(8)
    apart = distances(plain(W, tg.tanh), rng.normal(size=N), rng.normal(size=N), u)
    assert apart[0] > 1
    assert (apart <= apart[0] * 0.95 ** np.arange(T + 1)).all()


# -- the cliff ------------------------------------------------------------------------------------------------

START, LR, LIMIT = (5.5, -1.5), 0.3, 0.2


def test_across_the_wall_the_loss_leaps_while_on_both_sides_of_it_it_is_nearly_flat():
    b = np.linspace(-3, -2, 1001)
    (L,) = surface(np.array([5.0]), b).T
    steps = np.abs(np.diff(L))
    wall = steps.argmax()
    assert L.shape == (1001,)
    assert steps[wall] > 0.1
    assert b[wall] == pytest.approx(-2.5, abs=0.02)
    assert steps[: wall - 50].max() < 0.001
    assert steps[wall + 50 :].max() < 0.001


def test_the_surface_is_the_loss_at_each_point():
    w, b = np.array([4.0, 5.0, 6.0]), np.array([-2.0, -1.0])
    L = surface(w, b)
    assert L.shape == (2, 3)
    for i in range(2):
        for j in range(3):
            h = 0.5
            for _ in range(50):
                h = 1 / (1 + np.exp(-(w[j] * h + b[i])))
            assert L[i, j] == pytest.approx((h - 0.7) ** 2, rel=1e-10)


def test_the_gradient_on_the_way_is_that_of_finite_differences():
    path = descent(START, LR, 3)
    for (w, b), norm in zip(path.parameters[:3], path.norm, strict=True):
        e = 1e-6
        slopes = [cliff.loss(w + e, b) - cliff.loss(w - e, b), cliff.loss(w, b + e) - cliff.loss(w, b - e)]
        assert norm == pytest.approx(np.linalg.norm([s.item() / (2 * e) for s in slopes]), rel=1e-5)


@pytest.fixture(scope="module")
def paths():
    clips = {"none": None, "norm": norm_clipped(LIMIT), "value": value_clipped(LIMIT)}
    return {name: descent(START, LR, 500, clip) for name, clip in clips.items()}


def longest_step(path):
    return np.linalg.norm(np.diff(path.parameters, axis=0), axis=1).max()


def test_without_clipping_the_wall_throws_the_parameters_far_away_to_a_place_where_nothing_is_learned(paths):
    path = paths["none"]
    assert path.L.min() < 0.02
    assert longest_step(path) > 10
    assert path.L[-1] > 0.08
    assert path.norm[-1] < 1e-3


def test_with_the_norm_clipped_no_step_is_longer_than_the_rate_times_the_limit_and_the_bottom_is_found(paths):
    path = paths["norm"]
    assert path.norm.max() > 20
    assert longest_step(path) <= LR * LIMIT * (1 + 1e-12)
    assert path.L[-1] < 1e-3


def test_with_the_value_clipped_no_parameter_moves_further_than_that_either_and_the_path_stays_near(paths):
    path = paths["value"]
    assert path.norm.max() > 20
    assert np.abs(np.diff(path.parameters, axis=0)).max() <= LR * LIMIT * (1 + 1e-12)
    assert path.L[-1] < 0.03


def test_until_the_wall_all_paths_are_the_same(paths):
    first = int(np.argmax(paths["none"].norm > LIMIT))
    assert 20 < first < 200
    for name in "norm", "value":
        assert (paths[name].parameters[: first + 1] == paths["none"].parameters[: first + 1]).all()
        assert (paths[name].parameters[first + 1] != paths["none"].parameters[first + 1]).any()


def test_a_path_has_a_point_more_than_steps_and_that_of_no_steps_is_where_it_starts():
    path = descent(START, LR, 0)
    assert path.parameters.tolist() == [list(START)]
    assert (len(path.L), len(path.norm)) == (1, 0)
    assert path.L[0] == surface(*np.array(START)[:, None]).item()


# -- what clipping does to the direction -------------------------------------------------------------------------


@given(
    st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=5).filter(lambda g: np.linalg.norm(g) > 1e-6),
    st.floats(1e-3, 10),
)
def test_clipping_the_norm_keeps_the_direction_and_nothing_is_longer_than_the_limit(g, limit):
    g = np.array(g)
    after = clipped(g, norm_clipped(limit))
    assert angle(g, after) < 1e-4  # the arc cosine of 1 − 1e-16 is 1e-6 degrees
    assert np.linalg.norm(after) == pytest.approx(min(np.linalg.norm(g), limit), rel=1e-12)


def test_clipping_the_value_turns_a_gradient_towards_the_diagonal():
    g = np.array([0.5, 20.0])
    after = clipped(g, value_clipped(1.0))
    assert after.tolist() == [0.5, 1]
    assert angle(g, after) == pytest.approx(np.degrees(np.arctan(0.5) - np.arctan(0.5 / 20)), rel=1e-9)
    assert clipped(np.array([-30.0, 20.0]), value_clipped(1.0)).tolist() == [-1, 1]


def test_a_gradient_within_the_limit_is_left_alone_by_both():
    g = np.array([0.3, -0.4])
    for clip in norm_clipped(0.5), value_clipped(0.4):
        assert (clipped(g, clip) == g).all()
