"""NumPy's functions and arrays together with tensors: a tensor where there is a rule, else an error with the mend."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_operations import CASES

import tinygrad_rnn as tg
from tinygrad_rnn.autodiff import operations

A = np.array([[1.0, 2.0], [3.0, 5.0]])


@pytest.fixture
def x():
    return tg.Tensor(A, requires_grad=True)


# -- NumPy's functions -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in operations.__all__ if name in CASES and hasattr(np, name)])
@settings(max_examples=5)
@given(data=st.data())
def test_each_function_of_numpy_that_has_a_rule_is_that_operation(name, data):
    arrays, keywords = data.draw(CASES[name].inputs)
    leaves = [tg.Tensor(a, requires_grad=True) for a in arrays]
    expected = (CASES[name].call or getattr(tg, name))(*leaves, **keywords)
    result = (CASES[name].numpy or getattr(np, name))(*leaves, **keywords)
    assert type(result) is tg.Tensor
    assert result.requires_grad
    np.testing.assert_array_equal(result.data, expected.data)


@pytest.mark.parametrize(
    "call",
    [
        lambda x: np.sum(x, 0),
        lambda x: np.sum(x, axis=(0, 1), keepdims=True),
        lambda x: np.sum(x, 1, None, None, True),
        lambda x: np.mean(x, -1),
        lambda x: np.max(x, 1, None, True),
        lambda x: np.min(x),
        lambda x: np.prod(x, 0),
        lambda x: np.std(x, 0, ddof=1),
        lambda x: np.var(x, 0, None, None, 1, True),
        lambda x: np.cumsum(x, 1),
        lambda x: np.cumsum(x),
        lambda x: np.clip(x, 2, 4),
        lambda x: np.clip(x, None, 4),
        lambda x: np.clip(x, a_min=2, a_max=4),
        lambda x: np.clip(x, min=2, max=None),
        lambda x: np.linalg.norm(x),
        lambda x: np.linalg.norm(x, "fro"),
        lambda x: np.linalg.norm(x, axis=1),
        lambda x: np.linalg.norm(x, 2, 0),
        lambda x: np.linalg.norm(x, None, (0, 1), True),
        lambda x: np.linalg.norm(x[0], ord=2),
        lambda x: np.std(x, correction=1),
        lambda x: np.trace(x, 0, 1, 0),
        lambda x: np.concatenate([x, A, x]),
        lambda x: np.concatenate((A, x), 1),
        lambda x: np.concatenate([A, x], axis=None),
        lambda x: np.stack([A, x], -1),
        lambda x: np.where(A > 2, x, 0),
        lambda x: np.where(x > 2, x, -x),
        lambda x: np.einsum("ij,jk", x, A),
        lambda x: np.einsum("ij,jk->ki", A, x),
        lambda x: np.outer(A, x),
        lambda x: np.trace(x, 1),
        lambda x: np.diagonal(x),
        lambda x: np.matmul(A, x),
        lambda x: np.transpose(x, (1, 0)),
        lambda x: np.swapaxes(x, 0, 1),
        lambda x: np.reshape(x, 4),
        lambda x: np.reshape(x, shape=(1, -1)),
        lambda x: np.ravel(x),
        lambda x: np.squeeze(np.expand_dims(x, (0, 1)), 0),
        lambda x: np.broadcast_to(x, (3, 2, 2)),
        lambda x: np.flip(x, 0),
        lambda x: np.pad(x, 1, constant_values=2),
        lambda x: np.take(x, [0, 0, 1], 1),
        lambda x: np.take(x, [3, 0]),
        lambda x: np.split(x, 2)[1],
        lambda x: np.split(x, [1], 1)[0],
        lambda x: np.logaddexp(x, A),
        lambda x: np.abs(x),
        lambda x: np.absolute(x),
        lambda x: np.true_divide(A, x),
        lambda x: np.mod(x, 2),
        lambda x: np.power(A, x),
        lambda x: np.float64(2) * x,
        lambda x: np.float64(2) ** x,
        lambda x: A @ x,
        lambda x: A - x,
    ],
)
def test_arguments_go_by_position_or_name_as_in_numpy_and_gradients_flow(call, x):
    result = call(x)
    assert type(result) is tg.Tensor
    np.testing.assert_allclose(result.data, call(A), rtol=1e-15)
    result.sum().backward()
    assert x.grad.shape == (2, 2)


@pytest.mark.parametrize(
    "call",
    [
        lambda x: np.isnan(x),
        lambda x: np.isfinite(x),
        lambda x: np.sign(x),
        lambda x: np.argmax(x, 1),
        lambda x: np.greater(x, 2),
        lambda x: np.array(A) == x,
        lambda x: np.array(A) < x,
        lambda x: np.logical_not(x > 2),
    ],
)
def test_what_has_no_derivative_gives_a_constant(call, x):
    result = call(x)
    assert type(result) is tg.Tensor
    assert not result.requires_grad
    np.testing.assert_array_equal(result.data, call(A))


def test_shape_ndim_and_size_are_plain_numbers(x):
    assert (np.shape(x), np.ndim(x), np.size(x), np.size(x, 0)) == ((2, 2), 2, 4, 2)


# -- without a rule --------------------------------------------------------------------------------

MEND = (
    r"has no rule for tensors: (use [\w. ]+|write it with others, or as a tg\.operation);"
    r" t\.detach\(\)\.data is the array, without its gradient   .*at .*test_numpy_protocol\.py:\d+$"
)


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("np.fft.fft", lambda x: np.fft.fft(x)),
        ("np.linalg.inv", lambda x: np.linalg.inv(x)),
        ("np.sinc", lambda x: np.sinc(x)),
        ("np.hypot", lambda x: np.hypot(x, x)),
        ("np.add.at", lambda x: np.add.at(A.copy(), 0, x)),
        ("np.add with out=", lambda x: np.add(x, 1, out=A.copy())),
        ("np.exp with dtype=", lambda x: np.exp(x, dtype=np.float32)),
        ("np.multiply with where=", lambda x: np.multiply(x, 2, where=A > 2)),
        ("np.sum with dtype=", lambda x: np.sum(x, dtype=np.float32)),
        ("np.sum with initial=, where=", lambda x: np.sum(x, initial=1, where=A > 2)),
        ("np.std with mean=", lambda x: np.std(x, mean=1.0)),
        ("np.reshape with order=", lambda x: np.reshape(x, 4, order="F")),
        ("np.ravel with order=", lambda x: np.ravel(x, "F")),
        ("np.take with mode=", lambda x: np.take(x, [9], mode="clip")),
        ("np.concatenate with dtype=", lambda x: np.concatenate([x, x], dtype=np.float32)),
    ],
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_a_function_or_option_without_a_rule_is_a_type_error_that_names_it_and_the_mend(name, call, x):
    with pytest.raises(TypeError, match=f"^{name} {MEND}"):
        call(x)


@pytest.mark.parametrize(
    ("name", "instead", "call"),
    [
        ("np.add.reduce", "np.sum", lambda x: np.add.reduce(x)),
        ("np.maximum.reduce", "np.max", lambda x: np.maximum.reduce(x)),
        ("np.median", "np.sort", lambda x: np.median(x)),
        ("np.append", "np.concatenate", lambda x: np.append(x, x)),
        ("np.kron", "np.einsum", lambda x: np.kron(x, x)),
    ],
)
def test_the_error_names_the_function_to_use_instead(name, instead, call, x):
    with pytest.raises(TypeError, match=rf"^{name} has no rule for tensors: use {instead}; t\.detach\(\)"):
        call(x)


@pytest.mark.parametrize(
    "call",
    [
        lambda x: np.einsum("ij,jk", x, A, optimize=True),
        lambda x: np.einsum("ij,jk", x, A, optimize="greedy"),
        lambda x: np.sum(x, dtype=x.dtype),
        lambda x: np.sum(x, 0, np.float64, None, False),
        lambda x: np.mean(x, dtype=float, where=True),
        lambda x: np.pad(x, 1, mode="constant"),
        lambda x: np.pad(x, 1, "constant", constant_values=2),
        lambda x: np.reshape(x, 4, order="C"),
        lambda x: np.ravel(x, "C"),
        lambda x: np.take(x, [1], mode="raise"),
        lambda x: np.exp(x, where=True, casting="same_kind", order="K", subok=True),
        lambda x: np.add(x, 1, dtype=np.float64),
        lambda x: np.concatenate([x, x], casting="same_kind"),
        lambda x: np.std(x, mean=None),
        lambda x: np.roll(a=x, shift=1),
        lambda x: np.moveaxis(a=x, source=0, destination=1),
        lambda x: np.transpose(a=x, axes=(1, 0)),
    ],
)
def test_an_option_with_its_default_changes_nothing(call, x):
    result = call(x)
    assert result.requires_grad
    np.testing.assert_allclose(result.data, call(A), rtol=1e-15)


def test_an_array_cannot_be_changed_in_place_by_a_tensor(x):
    array = np.ones((2, 2))
    with pytest.raises(TypeError, match=r"np\.add with out= has no rule"):
        array += x
    with pytest.raises(TypeError, match=r"use tensor\.detach\(\)"):
        array[0] = x[0]
    np.testing.assert_array_equal(array, np.ones((2, 2)))


# -- to and from arrays ----------------------------------------------------------------------------


@pytest.mark.parametrize("convert", [np.asarray, np.array, lambda x: np.array([x, x]), lambda x: np.asarray(x, float)])
def test_turning_a_tensor_that_needs_a_gradient_into_an_array_is_an_error_that_says_detach(convert, x):
    with pytest.raises(TypeError, match=r"needs a gradient would lose it: use tensor\.detach\(\)"):
        convert(x)


def test_a_constant_turns_into_an_array(x):
    constant = x.detach()
    np.testing.assert_array_equal(np.asarray(constant), A)
    assert np.asarray(constant, np.float32).dtype == np.float32
    copy = np.array(constant)
    copy[0] = 0
    np.testing.assert_array_equal(constant.data, A)
    with pytest.raises(ValueError, match="read-only"):
        np.asarray(constant)[0] = 0
    assert np.allclose(constant.data, A)


def test_subclasses_of_arrays_are_refused_on_either_side(x):
    masked = np.ma.array([1.0, 2.0], mask=[True, False])
    for use in (lambda: x * masked, lambda: masked * x, lambda: tg.Tensor(masked)):
        with pytest.raises(TypeError):
            use()


def test_python_reads_a_tensor_of_one_number_as_a_number():
    one = tg.Tensor(2.5)
    assert (float(one), int(one), bool(one), f"{one:.2f}") == (2.5, 2, True, "2.50")
    assert [10, 20, 30][tg.Tensor(1)] == 20
    assert list(range(tg.Tensor(2))) == [0, 1]
    with pytest.raises(ValueError, match="ambiguous"):
        bool(tg.Tensor([1.0, 2.0]))
    with pytest.raises(TypeError, match="0-dim"):
        float(tg.Tensor([1.0, 2.0]))


def test_a_tensor_is_a_sequence_of_its_rows(x):
    assert len(x) == 2
    first, second = x
    np.testing.assert_array_equal(second.data, A[1])
    np.testing.assert_array_equal(sum(x).data, A.sum(0))
    assert max(x[0]).item() == 2
    with pytest.raises(TypeError, match="a 0-d tensor has no axis to iterate over"):
        iter(first[0])
