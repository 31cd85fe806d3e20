"""Errors say which operation, on what shapes, why, and where: the user's expression, its file and line.

matmul: (32, 5) @ (4, 8): 5 ≠ 4   x @ U.T   at tests/test_errors.py:40
"""

import linecache
import sys
import warnings

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import GradientError, ShapeError

x = tg.Tensor(np.ones((32, 5)), requires_grad=True)
U = tg.Tensor(np.ones((8, 4)), requires_grad=True)
v = tg.Tensor([1.0, 2.0, 3.0])
one = tg.Tensor(2.0)
labels = tg.Tensor([0, 1])

# Each call stands on one line, because the error is to name that line. "…" stands for NumPy's words.
WRONG = [
    # matmul and elementwise
    (lambda: x @ U.T, ShapeError, "matmul: (32, 5) @ (4, 8): 5 ≠ 4"),
    (lambda: v @ U.T, ShapeError, "matmul: (3,) @ (4, 8): 3 ≠ 4"),
    (lambda: x @ v, ShapeError, "matmul: (32, 5) @ (3,): 5 ≠ 3"),
    (lambda: np.ones((2, 3)) @ x, ShapeError, "matmul: (2, 3) @ (32, 5): 3 ≠ 32"),
    (lambda: [1.0, 2.0] @ x, ShapeError, "matmul: [1.0, 2.0] @ (32, 5): 2 ≠ 32"),
    (lambda: 2 @ x, ShapeError, "matmul: 2 @ (32, 5): matmul: Input operand 0 does not have enough dimensions…"),
    (lambda: x + v, ShapeError, "add: (32, 5) + (3,): operands could not be broadcast together…"),
    (lambda: np.ones(3) * x, ShapeError, "multiply: (3,) ⊙ (32, 5): operands could not be broadcast together…"),
    (lambda: np.logaddexp(x, v), ShapeError, "logaddexp: logaddexp((32, 5), (3,)): operands could not be broadcast…"),
    (lambda: tg.where(x > 0, x, v), ShapeError, "where: where((32, 5), (32, 5), (3,)): operands could not…"),
    (lambda: x * None, TypeError, "multiply: (32, 5) ⊙ None: unsupported operand…"),
    (lambda: x + "1", TypeError, "add: (32, 5) + '1':…"),
    (lambda: x * 1j, TypeError, "multiply: complex numbers are not supported"),
    # axes of reductions
    (lambda: x.sum(axis=2), ShapeError, "sum: sum((32, 5), axis=2, keepdims=False): axis 2 is out of bounds…"),
    (lambda: tg.mean(x, -3), ShapeError, "mean: mean((32, 5), axis=-3, keepdims=False): axis -3 is out of bounds…"),
    (
        lambda: np.max(x, (0, 0)),
        ShapeError,
        "max: max((32, 5), axis=(0, 0), keepdims=False): duplicate value in 'axis'",
    ),
    (lambda: x.std(0.5), TypeError, "std: std((32, 5), axis=0.5, ddof=0, keepdims=False): …"),
    (lambda: tg.softmax(v, axis=1), ShapeError, "softmax: softmax((3,), axis=1): axis 1 is out of bounds…"),
    (lambda: tg.logsumexp(v, 1), ShapeError, "logsumexp: logsumexp((3,), axis=1, keepdims=False): axis 1 is out…"),
    (lambda: tg.max(v[:0]), ShapeError, "max: max((0,), axis=None, keepdims=False): zero-size array…"),
    (lambda: tg.norm(x, axis="a"), TypeError, "norm: norm((32, 5), axis='a', keepdims=False): …"),
    (lambda: tg.cumsum(v, 1), ShapeError, "cumsum: cumsum((3,), axis=1): axis 1 is out of bounds…"),
    (lambda: x.argmax(2), ShapeError, "argmax: argmax((32, 5), axis=2, keepdims=False): axis 2 is out of bounds…"),
    # shapes
    (
        lambda: x.reshape(3, -1),
        ShapeError,
        "reshape: reshape((32, 5), shape=(3, -1)): cannot reshape array of size 160…",
    ),
    (lambda: x.transpose(0, 0), ShapeError, "transpose: transpose((32, 5), axes=(0, 0)): repeated axis…"),
    (
        lambda: tg.broadcast_to(v, (3, 2)),
        ShapeError,
        "broadcast_to: broadcast_to((3,), shape=(3, 2)): operands could…",
    ),
    (lambda: x.squeeze(0), ShapeError, "squeeze: squeeze((32, 5), axis=0): cannot select an axis…"),
    (
        lambda: tg.pad(v, {0: 1}),
        TypeError,
        "pad: pad((3,), pad_width={0: 1}, constant_values=0): pad_width is a number,…",
    ),
    (lambda: tg.concatenate([x, U]), ShapeError, "concatenate: concatenate((32, 5), (8, 4), axis=0): all the input…"),
    (
        lambda: tg.stack([v, one]),
        ShapeError,
        "stack: stack((3,), (), axis=0): all input arrays must have the same shape",
    ),
    (
        lambda: tg.concatenate([]),
        ShapeError,
        "concatenate: concatenate(axis=0): need at least one array to concatenate",
    ),
    (lambda: tg.split(x, 3), ShapeError, "split: length 32 is not 3 equal pieces"),
    (lambda: tg.split(x, 2, axis=2), ShapeError, "split: shape (32, 5) has no axis 2"),
    (lambda: tg.unbind(x, -3), ShapeError, "unbind: shape (32, 5) has no axis -3"),
    (lambda: tg.take(x, 0, 2), ShapeError, "take: shape (32, 5) has no axis 2"),
    (lambda: list(one), TypeError, "unbind: a 0-d tensor has no axis to iterate over"),
    (lambda: tg.diagonal(v), ShapeError, "diagonal: diagonal((3,), offset=0, axis1=0, axis2=1): …"),
    # indexing
    (lambda: x[32], IndexError, "getitem: getitem((32, 5), index=(32,)): index 32 is out of bounds for axis 0…"),
    (lambda: x[[0, 40]], IndexError, "getitem: getitem((32, 5), index=((2,),)): index 40 is out of bounds…"),
    (lambda: x[0, 0, 0], IndexError, "getitem: getitem((32, 5), index=(0, 0, 0)): too many indices…"),
    (lambda: x[v], IndexError, "getitem: an index must be integers or booleans, not float64"),
    (
        lambda: x[np.zeros(5, bool)],
        IndexError,
        "getitem: getitem((32, 5), index=((5,),)): boolean index did not match…",
    ),
    (lambda: tg.embedding(x, [32]), IndexError, "embedding: indices 32…32 are not all in [0, 32)"),
    (lambda: tg.embedding(x, [-1, 3]), IndexError, "embedding: indices -1…3 are not all in [0, 32)"),
    (lambda: tg.embedding(x, v), TypeError, "embedding: indices must be integers, not float64"),
    # einsum
    (
        lambda: tg.einsum("ij,jk", x, U),
        ShapeError,
        "einsum: einsum((32, 5), (8, 4), subscripts='ij,jk->ik'): operands could not be broadcast…",
    ),
    (lambda: tg.einsum("ij,jk", x), ShapeError, "einsum: 'ij,jk' has 2 terms for 1 operands"),
    (lambda: tg.einsum("ijk", x), ShapeError, "einsum: 'ijk': 'ijk' does not fit an operand with 2 axes"),
    (
        lambda: tg.einsum("ij->ik", x),
        ShapeError,
        "einsum: einsum((32, 5), subscripts='ij->ik'): einstein sum subscripts string…",
    ),
    (lambda: tg.einsum("...->", x), ShapeError, "einsum: '...->' leaves no place for the axes of '...' in the result"),
    (lambda: tg.einsum(x, [0, 1]), TypeError, "einsum: subscripts come first, as a string, not Tensor"),
    # losses
    (lambda: tg.cross_entropy(x[:3], v), TypeError, "cross_entropy: labels must be integers, not float64"),
    (lambda: tg.cross_entropy(x, labels), ShapeError, "cross_entropy: logits (32, 5) need labels (32,), not (2,)"),
    (lambda: tg.cross_entropy(x[:2], [0, 5]), IndexError, "cross_entropy: label 5 at [1] is not in [0, 5)"),
    (lambda: tg.one_hot(labels, 1), IndexError, "one_hot: label 1 at [1] is not in [0, 1)"),
    (lambda: tg.one_hot(v, 4), TypeError, "one_hot: labels must be integers, not float64"),
    (lambda: tg.mse(x, v), ShapeError, "mse: shapes (32, 5) and (3,) differ"),
    (lambda: tg.mse(v, v, "avg"), ValueError, "mse: reduction is 'mean', 'sum' or 'none', not 'avg'"),
    (lambda: tg.dropout(x, 1, rng=0), ValueError, "dropout: p is a probability in [0, 1), not 1"),
    # attributes
    (lambda: tg.sum(x, axes=0), TypeError, "sum takes 1 input and axis, keepdims"),
    (lambda: tg.reshape(x), TypeError, "reshape needs shape"),
    (lambda: tg.sum(x, axis=one), TypeError, "sum: axis is a constant of the operation, not a tensor"),
    (lambda: tg.clip(x, one), TypeError, "clip: min is a constant of the operation, not a tensor"),
    (
        lambda: np.linalg.inv(x),
        TypeError,
        "np.linalg.inv has no rule for tensors: write it with others, or as a tg.operation;…",
    ),
    # transforms
    (
        lambda: tg.grad(tg.exp)(v),
        GradientError,
        "grad: the function must return one number, not shape (3,): see jacobian",
    ),
    (lambda: tg.jvp(tg.exp, (v,), (one,)), ShapeError, "jvp: tangents[0] is of shape () and must be of shape (3,), …"),
]


@pytest.mark.parametrize(("call", "kind", "expected"), WRONG, ids=[message.split(":")[0] for *_, message in WRONG])
def test_an_error_names_the_operation_the_shapes_the_reason_the_expression_and_the_line(call, kind, expected):
    with pytest.raises(kind) as error:
        call()
    message = str(error.value)
    assert "\n" not in message
    said, expression, place = message.rsplit("   ", 2)
    said = said[: len(expected) - 1] + "…" if expected.endswith("…") else said
    assert said == expected
    line = call.__code__.co_firstlineno
    assert f"lambda: {expression}," in linecache.getline(__file__, line)
    assert place.endswith(f"test_errors.py:{line}")


@pytest.mark.parametrize(
    "call",
    [
        lambda: tg.sum(x, 0, False, 7),
        lambda: tg.sum(x, 0, axis=1),
        lambda: tg.tanh(x, x),
        lambda: tg.add(x),
        lambda: tg.add(x, x, np.ones((32, 5))),
        lambda: tg.tanh(x, where=np.zeros((32, 5), bool)),
        lambda: tg.sum(),
    ],
)
def test_arguments_too_many_too_few_or_given_twice_are_a_type_error_that_names_the_operation(call):
    with pytest.raises(TypeError, match=rf"(sum|tanh|add).*test_errors\.py:{call.__code__.co_firstlineno}"):
        call()


def test_an_expression_over_several_lines_is_written_on_one():
    with pytest.raises(ShapeError) as error:
        tg.concatenate(
            [x, x],
            axis=3,
        )
    line = sys._getframe().f_lineno - 4
    assert "   tg.concatenate( [x, x], axis=3, )   at " in str(error.value)
    assert str(error.value).endswith(f"test_errors.py:{line}")


def test_the_place_is_the_users_not_that_of_the_engine_however_deep():
    def model(x):
        return tg.checkpoint(lambda x: tg.softmax(x @ U), x).sum()

    with pytest.raises(ShapeError, match=r"5 ≠ 8   x @ U   at .*test_errors\.py"):
        tg.value_and_grad(model)(x.detach())


def test_where_the_source_cannot_be_read_the_line_is_named_all_the_same():
    with pytest.raises(ShapeError, match=r"5 ≠ 8   at <string>:2$"):
        exec("\nx @ U", {"x": x, "U": U})


def test_numpys_own_error_is_the_cause():
    with pytest.raises(ShapeError) as error:
        x @ U
    assert isinstance(error.value.__cause__, ValueError)


def test_shape_errors_are_value_errors_and_the_other_kinds_stay_what_they_are():
    assert issubclass(ShapeError, ValueError)
    assert issubclass(tg.GradientError, RuntimeError)
    assert issubclass(tg.AnomalyError, ArithmeticError)
    with np.errstate(all="raise"), pytest.raises(FloatingPointError, match=r"log: log\(\(1,\)\): divide by zero"):
        tg.log(tg.Tensor([0.0]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(RuntimeWarning, match=r"log: log\(\(1,\)\): divide by zero .* at .*test_errors\.py"):
            tg.log(tg.Tensor([0.0]))
    with pytest.raises(MemoryError, match=r"broadcast_to|expand|outer|add"):
        tg.Tensor(np.broadcast_to(np.zeros(()), ())) + tg.broadcast_to(one, (2**50,))


def test_a_users_own_operation_that_fails_is_named_too():
    def forward(x, /, size):
        raise KeyError(size)

    broken = tg.operation("broken", forward)
    try:
        with pytest.raises(RuntimeError, match=r"broken: broken\(\(3,\), size=2\): 2   broken\(v, size=2\)   at "):
            broken(v, size=2)
        with pytest.raises(ValueError, match="operation 'broken' exists already"):
            tg.operation("broken", forward)
    finally:
        del tg.OPERATIONS["broken"]
