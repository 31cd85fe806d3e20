"""What weights start from."""

import math

import numpy as np
import pytest

from tinygrad_rnn.nn import initialisers
from tinygrad_rnn.nn.initialisers import (
    constant,
    glorot_normal,
    glorot_uniform,
    he_normal,
    he_uniform,
    identity,
    normal,
    orthogonal,
    reservoir,
    uniform,
    zeros,
)

RANDOM = {
    "uniform": lambda shape, **how: uniform(shape, -2, 3, **how),
    "normal": lambda shape, **how: normal(shape, 1, 2, **how),
    "glorot_uniform": glorot_uniform,
    "glorot_normal": glorot_normal,
    "he_uniform": he_uniform,
    "he_normal": he_normal,
    "orthogonal": orthogonal,
    "reservoir": lambda shape, **how: reservoir(shape, 0.9, **how),
}
every_random_one = pytest.mark.parametrize("draw", RANDOM.values(), ids=RANDOM)


@every_random_one
def test_the_same_seed_gives_the_same_bits_and_another_seed_others(draw):
    np.testing.assert_array_equal(draw((6, 6), rng=1), draw((6, 6), rng=np.random.default_rng(1)))
    assert (draw((6, 6), rng=1) != draw((6, 6), rng=2)).any()


@every_random_one
def test_a_generator_goes_on(draw):
    rng = np.random.default_rng(0)
    assert (draw((6, 6), rng=rng) != draw((6, 6), rng=rng)).any()


@every_random_one
def test_float32_is_float64_rounded(draw):
    single, double = draw((6, 6), rng=1, dtype=np.float32), draw((6, 6), rng=1)
    assert (single.dtype, double.dtype) == (np.float32, np.float64)
    np.testing.assert_array_equal(single, double.astype(np.float32))


@every_random_one
@pytest.mark.parametrize("shape", [(4, 4), (3, 4, 4), (0, 0), (2, 0, 0)])
def test_arrays_have_the_shape_that_was_asked_for_row_by_row_in_memory(draw, shape):
    array = draw(shape, rng=0)
    assert array.shape == shape
    assert array.flags.c_contiguous


@every_random_one
def test_without_a_seed_there_is_no_randomness(draw):
    with pytest.raises(TypeError, match=r"rng is None: give a seed or a numpy\.random\.Generator"):
        draw((4, 4), rng=None)


@every_random_one
@pytest.mark.parametrize("dtype", [int, bool, complex])
def test_a_dtype_that_has_no_gradient_is_an_error(draw, dtype):
    with pytest.raises(TypeError, match="its dtype is floating point, not "):
        draw((4, 4), rng=0, dtype=dtype)


def test_constants():
    np.testing.assert_array_equal(zeros((2, 3)), [[0, 0, 0], [0, 0, 0]])
    np.testing.assert_array_equal(constant(3, 1.5), [1.5, 1.5, 1.5])
    np.testing.assert_array_equal(identity((2, 3), gain=2), [[2, 0, 0], [0, 2, 0]])
    np.testing.assert_array_equal(identity((2, 2, 2)), [[[1, 0], [0, 1]]] * 2)
    for array in zeros(3, dtype="f4"), constant(3, 1, dtype="f4"), identity((2, 2), np.float64(0.1), dtype="f4"):
        assert array.dtype == np.float32
    assert identity((3, 2, 2)).flags.writeable


@pytest.mark.parametrize(
    ("draw", "bound", "std"),
    [
        (lambda shape: uniform(shape, -2, 2, rng=0), 2, 2 / math.sqrt(3)),
        (lambda shape: normal(shape, 0, 0.7, rng=0), None, 0.7),
        (lambda shape: glorot_uniform(shape, rng=0), math.sqrt(6 / 500), math.sqrt(2 / 500)),
        (lambda shape: glorot_uniform(shape, 5 / 3, rng=0), 5 / 3 * math.sqrt(6 / 500), 5 / 3 * math.sqrt(2 / 500)),
        (lambda shape: glorot_normal(shape, rng=0), None, math.sqrt(2 / 500)),
        (lambda shape: he_uniform(shape, rng=0), math.sqrt(6 / 200), math.sqrt(2 / 200)),
        (lambda shape: he_normal(shape, rng=0), None, math.sqrt(2 / 200)),
        (lambda shape: he_normal(shape, 1, rng=0), None, math.sqrt(1 / 200)),
    ],
)
def test_the_spread_is_the_papers_for_300_outputs_and_200_inputs(draw, bound, std):
    W = draw((300, 200))
    assert W.std() == pytest.approx(std, rel=0.01)
    assert abs(W.mean()) < std / 50
    if bound is not None:
        assert 0.999 * bound < np.abs(W).max() <= bound


@pytest.mark.parametrize(("gain", "size"), [(math.sqrt(2), 1), (1, 2**-20)])
def test_he_keeps_the_mean_square_through_twenty_layers_of_relu_and_gain_1_halves_it_at_each(gain, size):
    x = np.random.default_rng(0).normal(size=(400, 500))
    for layer in range(20):
        x = np.maximum(x @ he_normal((500, 500), gain, rng=layer), 0)
    assert size / 2 < np.mean(x**2) < size * 2


@pytest.mark.parametrize("shape", [(5, 5), (7, 4), (4, 7), (3, 7, 4), (1, 1)])
def test_the_columns_of_an_orthogonal_matrix_or_the_rows_of_a_wide_one_have_length_gain_and_right_angles(shape):
    Q = orthogonal(shape, gain=3, rng=0)
    rows, columns = shape[-2:]
    product = Q.swapaxes(-1, -2) @ Q if rows >= columns else Q @ Q.swapaxes(-1, -2)
    assert Q.flags.c_contiguous
    np.testing.assert_allclose(product, np.broadcast_to(9 * np.eye(min(rows, columns)), product.shape), atol=1e-14)


def test_orthogonal_matrices_come_out_with_both_signs_equally_often():
    """Without the correction by the signs of R, LAPACK's Householder vectors would give one sign only."""
    signs = [np.sign(orthogonal((1, 1), rng=seed)[0, 0]) for seed in range(400)]
    assert set(signs) == {-1, 1}
    assert abs(np.mean(signs)) < 0.15
    assert np.mean([np.trace(orthogonal((3, 3), rng=seed)) for seed in range(400)]) == pytest.approx(0, abs=0.15)


@pytest.mark.parametrize("density", [1.0, 0.1])
def test_a_reservoir_has_the_spectral_radius_and_density_asked_for(density):
    W = reservoir((2, 100, 100), 0.8, density, rng=0)
    for matrix in W:
        assert np.abs(np.linalg.eigvals(matrix)).max() == pytest.approx(0.8, rel=1e-12)
        assert np.mean(matrix != 0) == pytest.approx(density, rel=0.1)


def test_a_reservoir_of_radius_0_is_0():
    np.testing.assert_array_equal(reservoir((3, 3), 0, rng=0), np.zeros((3, 3)))


def test_the_other_names_of_glorot_and_he_are_the_same_functions():
    assert initialisers.xavier_uniform is glorot_uniform
    assert initialisers.xavier_normal is glorot_normal
    assert initialisers.kaiming_uniform is he_uniform
    assert initialisers.kaiming_normal is he_normal


@pytest.mark.parametrize(
    "name", ["glorot_uniform", "glorot_normal", "he_uniform", "he_normal", "orthogonal", "reservoir"]
)
@pytest.mark.parametrize("shape", [4, (4,), ()])
def test_a_vector_has_no_fans_no_angles_and_no_eigenvalues(name, shape):
    with pytest.raises(ValueError, match=rf"{name}: a weight is a matrix \(outputs, inputs\), and "):
        RANDOM[name](shape, rng=0)


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda: uniform(3, 1, -1, rng=0), "uniform: low = 1 is above high = -1"),
        (lambda: uniform(3, math.nan, 1, rng=0), "uniform: low = nan is above"),
        (lambda: normal(3, 0, -1, rng=0), "normal: std is at least 0, not -1"),
        (lambda: identity(3), "identity: a weight is a matrix"),
        (lambda: reservoir((3, 4), 1, rng=0), r"only a square matrix has eigenvalues, not one of shape \(3, 4\)"),
        (lambda: reservoir((3, 3), -1, rng=0), "radius is at least 0, not -1"),
        (lambda: reservoir((3, 3), 1, 0, rng=0), r"density is in \(0, 1\], not 0"),
        (lambda: reservoir((3, 3), 1, 1.1, rng=0), r"density is in \(0, 1\], not 1.1"),
        (lambda: reservoir((9, 9), 1, 0.01, rng=0), "at density 0.01 all eigenvalues came out 0: raise it"),
    ],
)
def test_what_cannot_be_drawn_is_an_error(draw, message):
    with pytest.raises(ValueError, match=message):
        draw()
