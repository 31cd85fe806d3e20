"""Every operation: its values are NumPy's, its derivatives agree with finite differences, its dtype is its input's.

`CASES` is a table: for each operation how to draw its inputs and, where NumPy has no function of that name, what it
should compute. An operation that is in the engine's table and not in this one fails the last test.
"""

import math
import sys
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
import test_numpy_names
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

import tinygrad_rnn as tg
from tinygrad_rnn.autodiff import operations
from tinygrad_rnn.autodiff.gradcheck import check_gradients

# -- drawing inputs --------------------------------------------------------------------------------


def values(shapes, low=-2.0, high=2.0):
    """An array for each shape. No two elements are closer than 0.01; none is near 0, ±1, ±½: all kinks are far."""
    sizes = [int(np.prod(shape)) for shape in shapes]
    count = sum(sizes)
    grid = low + (high - low) * (np.arange(count) + 0.37) / max(count, 1)
    pieces = np.split(np.random.default_rng(count).permutation(grid), np.cumsum(sizes)[:-1])
    return [piece.reshape(shape) for piece, shape in zip(pieces, shapes, strict=True)]


def shapes(least_axes=0, least=0, most_axes=4):
    return npst.array_shapes(min_dims=least_axes, max_dims=most_axes, min_side=least, max_side=3)


def integers(lowest, highest, shape=None):
    return npst.arrays(int, shapes(most_axes=2) if shape is None else shape, elements=st.integers(lowest, highest))


@st.composite
def unary(draw, low=-2.0, high=2.0, **keywords):
    """One array of any shape; keywords are drawn, or are constants."""
    (x,) = values([draw(shapes())], low, high)
    return [x], {k: draw(v) if isinstance(v, st.SearchStrategy) else v for k, v in keywords.items()}


@st.composite
def binary(draw, low=-2.0, high=2.0):
    """Two arrays whose shapes broadcast."""
    drawn = draw(npst.mutually_broadcastable_shapes(num_shapes=2, max_dims=4, min_side=0, max_side=3))
    return values(drawn.input_shapes, low, high), {}


@st.composite
def reduced(draw, least=0, keepdims=True, several=True, **keywords):
    """An array, an axis in every form (None, a number, several, none at all), and keepdims."""
    shape = draw(shapes(least=least))
    axes = st.integers(-len(shape), len(shape) - 1) if shape else st.none()
    if several:
        axes |= st.none() | npst.valid_tuple_axes(len(shape))
    drawn = {"axis": draw(axes), **keywords}
    return values([shape]), drawn | ({"keepdims": draw(st.booleans())} if keepdims else {})


@st.composite
def along(draw, least_axes=1, least=0):
    """An array and one of its axes."""
    shape = draw(shapes(least_axes, least))
    return values([shape]), {"axis": draw(st.integers(-len(shape), len(shape) - 1))}


@st.composite
def products(draw):
    """Vectors, matrices and stacks of them that can be multiplied."""
    signature = "(m?,n),(n,p?)->(m?,p?)"
    drawn = draw(npst.mutually_broadcastable_shapes(signature=signature, max_dims=2, min_side=0, max_side=3))
    return values(drawn.input_shapes), {}


EINSUMS = (
    "i->", "ii->", "ii->i", "iii->i", "ij->ji", "ij->", "iij->j", "i,i->", "i,j->ij", "ij,jk->ik", "ij,jk", "ba",
    "bij,bjk->bik", "ij,ij->i", "nd,nn->d", "ij,jk,kl->il", ",i->i", "...i,i", "...ij,...jk->...ik", "i...->...",
    "ii...", "...,...", "ijj,jk->ik",
)  # fmt: skip


@st.composite
def einsums(draw):
    subscripts = draw(st.sampled_from(EINSUMS))
    length = draw(st.fixed_dictionaries({letter: st.integers(0, 3) for letter in "abdijkln"}))
    dots = draw(st.lists(st.integers(1, 2), max_size=2))
    terms = subscripts.split("->")[0].split(",")
    sizes = []
    for term in terms:
        before, _, after = term.partition("...")
        extra = [draw(st.sampled_from([n, 1])) for n in dots if "..." in term]
        extra = extra[draw(st.integers(0, len(extra))) :]  # broadcasts
        sizes.append((*(length[c] for c in before), *extra, *(length[c] for c in after)))
    return values(sizes), {"subscripts": subscripts}


@st.composite
def pieces(draw, equal=False):
    """Several arrays of one shape, or that differ only along the axis."""
    shape = draw(shapes(least_axes=0 if equal else 1))
    axis = draw(st.integers(-len(shape) - equal, len(shape) - 1 + equal))
    count = draw(st.integers(1, 3))
    all_shapes = [list(shape) for _ in range(count)]
    for s in all_shapes:
        if not equal:
            s[axis] = draw(st.integers(0, 3))
    return values([tuple(s) for s in all_shapes]), {"axis": axis}


@st.composite
def reshaped(draw):
    shape = draw(shapes())
    lengths = draw(st.permutations([*shape, 1]))
    return values([shape]), {"shape": tuple(lengths)}


@st.composite
def permuted(draw):
    shape = draw(shapes())
    axes = [axis - draw(st.sampled_from([0, len(shape)])) for axis in draw(st.permutations(range(len(shape))))]
    return values([shape]), {"axes": draw(st.sampled_from([None, tuple(axes)]))}


@st.composite
def swapped(draw):
    arrays, _ = draw(along())
    axes = st.integers(-arrays[0].ndim, arrays[0].ndim - 1)
    return arrays, {"axis1": draw(axes), "axis2": draw(axes)}


@st.composite
def broadcast(draw):
    shape = draw(shapes())
    wide = tuple(draw(st.integers(0, 3)) if n == 1 else n for n in shape)
    return values([shape]), {"shape": (*draw(st.lists(st.integers(0, 2), max_size=4 - len(shape))), *wide)}


@st.composite
def squeezed(draw):
    shape = draw(shapes())
    ones = [i for i, n in enumerate(shape) if n == 1]
    return values([shape]), {"axis": draw(st.sampled_from([None, tuple(ones), *ones, *(i - len(shape) for i in ones)]))}


@st.composite
def expanded(draw):
    shape = draw(shapes(most_axes=2))
    two = npst.valid_tuple_axes(len(shape) + 2, min_size=2, max_size=2)
    return values([shape]), {"axis": draw(st.integers(-len(shape) - 1, len(shape)) | two)}


@st.composite
def padded(draw):
    shape = draw(shapes(1, most_axes=3))
    width = st.integers(0, 2)
    widths = width | st.tuples(width, width) | st.tuples(*[st.tuples(width, width)] * len(shape))
    return values([shape]), {"pad_width": draw(widths), "constant_values": draw(st.sampled_from([0, 1.5]))}


@st.composite
def indexed(draw):
    """Every form of index: basic, integers with repetitions, masks, and both together; as arrays, lists and tensors."""
    shape = draw(shapes(1, 1))
    basic = npst.basic_indices(shape, allow_newaxis=True)
    arrays = npst.integer_array_indices(shape, result_shape=shapes(most_axes=2))
    masks = npst.arrays(bool, shape[:1]) | npst.arrays(bool, shape)
    first = st.lists(st.integers(-shape[0], shape[0] - 1), max_size=4)
    mixed = st.tuples(first, st.just(...), st.just(-1)) if len(shape) > 1 else st.tuples(st.none(), first)
    return values([shape]), {"index": draw(basic | arrays | masks | first | mixed | st.booleans())}


@st.composite
def scattered(draw):
    """Somewhere in an array of `shape` the input is added: the transpose of getitem."""
    shape = draw(shapes(1, 1))
    index = draw(npst.integer_array_indices(shape, result_shape=shapes(most_axes=2)))
    return values([np.zeros(shape)[index].shape]), {"index": index, "shape": shape}


@st.composite
def taken(draw):
    arrays, keywords = draw(along(least=1))
    axis = draw(st.sampled_from([None, keywords["axis"]]))
    length = arrays[0].size if axis is None else arrays[0].shape[axis]
    return arrays, {"indices": draw(integers(-length, length - 1)), "axis": axis}


@st.composite
def cut(draw):
    """An array and either places to cut it at or the number of equal pieces."""
    shape = draw(shapes(1))
    axis = draw(st.integers(-len(shape), len(shape) - 1))
    places = st.lists(st.integers(0, 3), max_size=3).map(sorted)
    numbers = st.sampled_from([1, max(1, shape[axis])])
    return values([shape]), {"indices_or_sections": draw(places | numbers), "axis": axis}


@st.composite
def matrices(draw):
    shape = draw(shapes(2))
    return values([shape]), {"offset": draw(st.integers(-3, 3))}


@st.composite
def looked_up(draw):
    rows, width = draw(st.integers(1, 4)), draw(st.integers(0, 3))
    return values([(rows, width)]), {"indices": draw(integers(0, rows - 1))}


@st.composite
def classified(draw):
    """Logits, labels, and every option of the cross-entropy. −1 is a label that may be ignored."""
    shape = draw(shapes(1, 1, most_axes=3))
    ignore = draw(st.sampled_from([None, -1, 0]))
    labels = draw(integers(-1 if ignore == -1 else 0, shape[-1] - 1, shape[:-1]))
    reduction = draw(st.sampled_from(["none", "sum", *(["mean"] if (labels != ignore).any() else [])]))
    weights = draw(st.sampled_from([None, np.arange(1.0, shape[-1] + 1)]))
    keywords = {"labels": labels, "weights": weights, "ignore_index": ignore, "reduction": reduction}
    return values([shape]), keywords


@st.composite
def compared(draw):
    shape = draw(shapes())
    reductions = ["none", "sum", *(["mean"] if 0 not in shape else [])]
    return values([shape, shape]), {"reduction": draw(st.sampled_from(reductions))}


@st.composite
def chosen(draw):
    arrays, _ = draw(binary())
    wide = np.broadcast_shapes(*(a.shape for a in arrays))
    return arrays, {"condition": draw(npst.arrays(bool, wide))}


# -- what NumPy computes ---------------------------------------------------------------------------


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def gelu(x, approximate):
    if approximate == "none":
        return 0.5 * x * np.vectorize(math.erfc, [float])(-x / np.sqrt(2))
    return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))


def softmax(x, axis=-1):
    return np.exp(x) / np.exp(x).sum(axis, keepdims=True)


def logsumexp(x, axis=-1, keepdims=False):
    return np.log(np.exp(x).sum(axis, keepdims=keepdims))


def norm(x, axis=None, keepdims=False):
    return np.sqrt((x**2).sum(axis, keepdims=keepdims))


def scatter(x, index, shape):
    out = np.zeros(shape)
    np.add.at(out, index, x)
    return out


def cross_entropy(logits, labels, weights, ignore_index, reduction):
    losses, counts = np.zeros(labels.shape), np.zeros(labels.shape)
    for i in np.ndindex(labels.shape):
        if labels[i] != ignore_index:
            counts[i] = 1 if weights is None else weights[labels[i]]
            losses[i] = -counts[i] * np.log(softmax(logits[i]))[labels[i]]
    return {"none": losses, "sum": losses.sum(), "mean": losses.sum() / max(counts.sum(), 1e-300)}[reduction]


def reduce(losses, reduction):
    return {"none": losses, "sum": np.sum(losses), "mean": np.sum(losses) / max(np.size(losses), 1)}[reduction]


def mse(a, b, reduction):
    return reduce((a - b) ** 2, reduction)


def binary_cross_entropy(logits, target, reduction):
    p = sigmoid(logits)
    return reduce(-target * np.log(p) - (1 - target) * np.log(1 - p), reduction)


def dropout(x, p, rng):
    return np.where(np.random.default_rng(rng).random(x.shape) < p, 0, x / (1 - p))


def weighted(parts):
    """Several results as one: each in its own weight, so that none can stand for another."""
    return np.concatenate([(i + 1) * np.reshape(part, -1) for i, part in enumerate(parts)])


# -- the table -------------------------------------------------------------------------------------


@dataclass
class Case:
    inputs: st.SearchStrategy  # of (arrays to differentiate, keywords)
    numpy: Callable | None = None  # what it computes; None: NumPy's function of that name
    call: Callable | None = None  # how it is called; None: as tg.name(*arrays, **keywords)


def listed(name):
    """NumPy's function and ours, where all the arrays are one argument."""

    def of(function):
        return lambda *arrays, axis: function(arrays, axis=axis)

    return of(getattr(np, name)), of(getattr(tg, name))


POSITIVE = {"low": 0.3, "high": 3.0}

CASES = {
    # elementwise
    "positive": Case(unary()),
    "negative": Case(unary()),
    "add": Case(binary()),
    "subtract": Case(binary()),
    "multiply": Case(binary()),
    "divide": Case(binary(**POSITIVE)),
    "remainder": Case(binary(low=1.0, high=1.9)),
    "power": Case(binary(**POSITIVE)),
    "astype": Case(unary(dtype=np.float64), lambda x, dtype: x),
    "exp": Case(unary()),
    "expm1": Case(unary()),
    "log": Case(unary(**POSITIVE)),
    "log1p": Case(unary(low=-0.7)),
    "sqrt": Case(unary(**POSITIVE)),
    "square": Case(unary()),
    "sin": Case(unary()),
    "cos": Case(unary()),
    "tanh": Case(unary()),
    "sigmoid": Case(unary(), sigmoid),
    "relu": Case(unary(), lambda x: np.maximum(x, 0)),
    "softplus": Case(unary(), lambda x: np.log1p(np.exp(x))),
    "gelu": Case(unary(approximate=st.sampled_from(["none", "tanh"])), gelu),
    "absolute": Case(unary()),
    "abs": Case(unary()),
    "maximum": Case(binary()),
    "minimum": Case(binary()),
    "clip": Case(unary(min=st.sampled_from([None, -1, -0.5]), max=st.sampled_from([1, 0.5]))),
    "logaddexp": Case(binary()),
    "where": Case(
        chosen(),
        lambda a, b, condition: np.where(condition, a, b),
        lambda a, b, condition: tg.where(condition, a, b),
    ),
    # reductions
    "sum": Case(reduced()),
    "mean": Case(reduced(least=1)),
    "var": Case(reduced(least=1)),
    "std": Case(reduced(least=2)),
    "max": Case(reduced(least=1)),
    "min": Case(reduced(least=1)),
    "prod": Case(reduced()),
    "norm": Case(reduced(least=1), norm),
    "logsumexp": Case(reduced(least=1), logsumexp),
    "cumsum": Case(reduced(keepdims=False, several=False)),
    # shapes
    "reshape": Case(reshaped()),
    "ravel": Case(unary()),
    "transpose": Case(permuted()),
    "swapaxes": Case(swapped()),
    "broadcast_to": Case(broadcast()),
    "squeeze": Case(squeezed()),
    "expand_dims": Case(expanded()),
    "flip": Case(reduced(keepdims=False)),
    "pad": Case(padded()),
    "concatenate": Case(pieces(), *listed("concatenate")),
    "stack": Case(pieces(equal=True), *listed("stack")),
    # products
    "matmul": Case(products()),
    "outer": Case(binary()),
    "diagonal": Case(matrices()),
    "trace": Case(matrices()),
    "einsum": Case(
        einsums(), lambda *x, subscripts: np.einsum(subscripts, *x), lambda *x, subscripts: tg.einsum(subscripts, *x)
    ),
    # indexing
    "getitem": Case(indexed(), lambda x, index: x[index]),
    "scatter": Case(scattered(), scatter, lambda x, **k: tg.OPERATIONS["scatter"](x, **k)),
    "take": Case(taken()),
    "split": Case(cut(), lambda x, **k: weighted(np.split(x, **k)), lambda x, **k: weighted(tg.split(x, **k))),
    "unbind": Case(
        along(least=1), lambda x, axis: weighted(np.moveaxis(x, axis, 0)), lambda x, **k: weighted(tg.unbind(x, **k))
    ),
    "embedding": Case(looked_up(), lambda weight, indices: weight[indices]),
    # probabilities and losses
    "softmax": Case(along(least=1), softmax),
    "log_softmax": Case(along(least=1), lambda x, axis: np.log(softmax(x, axis))),
    "cross_entropy": Case(classified(), cross_entropy),
    "mse": Case(compared(), mse),
    "binary_cross_entropy_with_logits": Case(compared(), binary_cross_entropy),
    "dropout": Case(unary(p=st.sampled_from([0, 0.5]), rng=st.integers(0, 9)), dropout),
    # functions made from functions
    "checkpoint": Case(
        binary(), lambda a, b: np.tanh(a * b), lambda a, b: tg.checkpoint(lambda a, b: tg.tanh(a * b), a, b)
    ),
}

CONSTANTS = {  # operations without a derivative: an input for each, and what it gives
    "floor_divide": (lambda x: x // 2, [-2, -1, 0, 0, 1]),
    "as_integer": (lambda x: x.astype(int), [-2, 0, 0, 1, 2]),
    "sign": (tg.sign, [-1, -1, 0, 1, 1]),
    "argmax": (tg.argmax, 4),
    "equal": (lambda x: x == 1, [False, False, False, True, False]),
    "not_equal": (lambda x: x != 1, [True, True, True, False, True]),
    "less": (lambda x: x < 1, [True, True, True, False, False]),
    "less_equal": (lambda x: x <= 1, [True, True, True, True, False]),
    "greater": (lambda x: x > 1, [False, False, False, False, True]),
    "greater_equal": (lambda x: x >= 1, [False, False, False, True, True]),
    "logical_not": (tg.logical_not, [False, False, True, False, False]),
    "logical_and": (lambda x: tg.logical_and(x, x > 0), [False, False, False, True, True]),
    "logical_or": (lambda x: tg.logical_or(x, False), [True, True, False, True, True]),
    "isnan": (lambda x: tg.isnan(x / x.detach() * 0), [False, False, True, False, False]),
    "isfinite": (lambda x: tg.isfinite(x / x.detach() * 0), [True, True, False, True, True]),
    "one_hot": (lambda x: tg.one_hot(tg.argmax(x), 5), [0, 0, 0, 0, 1]),
    # how much each label counts in a cross-entropy: a factor of its gradient
    "label_weight": (
        lambda x: tg.OPERATIONS["label_weight"](
            tg.argmax(x), weights=x.detach().data, ignore_index=None, reduction="sum"
        ),
        2.5,
    ),
}


# -- the tests -------------------------------------------------------------------------------------


def caller(name):
    return CASES[name].call or getattr(tg, name)


OURS = set(tg.OPERATIONS)  # read before any test runs, which may define operations of its own

each_operation = pytest.mark.parametrize("name", CASES)


@each_operation
@given(data=st.data())
def test_values_are_those_of_numpy_on_arrays_and_on_tensors(name, data):
    arrays, keywords = data.draw(CASES[name].inputs)
    expected = (CASES[name].numpy or getattr(np, name))(*arrays, **keywords)
    result = caller(name)(*(tg.Tensor(a) for a in arrays), **keywords)
    assert isinstance(result, tg.Tensor)
    assert result.dtype == np.float64
    assert not result.requires_grad
    np.testing.assert_allclose(result.data, expected, rtol=1e-12, atol=1e-14, strict=True)
    if name != "checkpoint":
        np.testing.assert_array_equal(np.asarray(caller(name)(*arrays, **keywords)), result.data)


@each_operation
@given(data=st.data())
def test_derivatives_of_first_and_second_order_agree_with_finite_differences(name, data):
    arrays, keywords = data.draw(CASES[name].inputs)
    check_gradients(lambda *x: caller(name)(*x, **keywords), *arrays)


@each_operation
@settings(max_examples=10)
@given(data=st.data())
def test_float32_stays_float32_in_values_and_in_gradients_of_both_orders(name, data):
    arrays, keywords = data.draw(CASES[name].inputs)
    if name == "astype":
        keywords = {"dtype": np.float32}
    x = [tg.Tensor(a, dtype=np.float32, requires_grad=True) for a in arrays]
    y = caller(name)(*x, **keywords)
    assert y.dtype == np.float32
    y.backward(np.ones(y.shape, np.float32))
    plain = [t.grad for t in x]
    for t in x:
        t.grad = None
    y.backward(np.ones(y.shape, np.float32), create_graph=True)
    for t, g in zip(x, plain, strict=True):
        assert (g.shape, g.dtype) == (t.shape, np.float32)
        assert (t.grad.shape, t.grad.dtype) == (t.shape, np.float32)
        np.testing.assert_allclose(t.grad.data, g.data, rtol=1e-4, atol=1e-5)


@each_operation
@settings(max_examples=10)
@given(data=st.data())
def test_the_memory_layout_of_the_inputs_makes_no_difference(name, data):
    arrays, keywords = data.draw(CASES[name].inputs)

    def gradients(layout):
        leaves = [tg.Tensor(np.zeros(a.shape), requires_grad=True) for a in arrays]
        for leaf, a in zip(leaves, arrays, strict=True):
            leaf.data = layout(a)  # not copied
            leaf.data.flags.writeable = False
        y = caller(name)(*leaves, **keywords)
        y.backward(layout(np.cos(np.arange(y.size)).reshape(y.shape)))
        return [y.data, *(leaf.grad.data for leaf in leaves)]

    def backwards(a):
        flipped = (slice(None, None, -1),) * a.ndim + (...,)
        return a[flipped].copy()[flipped]

    straight = gradients(np.copy)
    for layout in (lambda a: np.array(a, order="F")), backwards:
        for found, expected in zip(gradients(layout), straight, strict=True):
            np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", ["add", "subtract", "multiply", "divide", "power", "remainder", "maximum", "minimum"])
@pytest.mark.parametrize("number", [2, 2.5, True])
def test_a_python_number_on_either_side_changes_no_dtype(name, number):
    for dtype in np.float32, np.float64:
        for numbers in (lambda x: (x, number)), (lambda x: (number, x)):
            x = tg.Tensor([1.5, 3.5], requires_grad=True, dtype=dtype)
            y = getattr(tg, name)(*numbers(x))
            y.sum().backward()
            assert y.dtype == x.grad.dtype == dtype
            np.testing.assert_array_equal(y.data, getattr(np, name)(*numbers(x.data)))


@pytest.mark.parametrize("name", ["add", "multiply", "matmul", "logaddexp", "maximum", "concatenate", "where"])
def test_mixed_precision_promotes_as_numpy_does_and_each_gradient_has_its_inputs_dtype(name):
    call = {"concatenate": lambda a, b: tg.concatenate([a, b]), "where": lambda a, b: tg.where([True, False], a, b)}
    single = tg.Tensor([1, 2], dtype=np.float32, requires_grad=True)
    double = tg.Tensor([3, 4], dtype=np.float64, requires_grad=True)
    y = call.get(name, getattr(tg, name))(single, double)
    y.sum().backward()
    assert (y.dtype, single.grad.dtype, double.grad.dtype) == (np.float64, np.float32, np.float64)


@pytest.mark.parametrize("name", CONSTANTS)
@pytest.mark.filterwarnings("ignore:invalid value encountered in divide")  # 0 / 0, for isnan to find
def test_what_has_no_derivative_gives_constants(name):
    function, expected = CONSTANTS[name]
    result = function(tg.Tensor([-2.5, -0.5, 0.0, 1.0, 2.5], requires_grad=True))
    assert not result.requires_grad
    np.testing.assert_array_equal(result.data, expected)


@pytest.mark.parametrize("name", [name for name in CASES if name in tg.OPERATIONS] + list(CONSTANTS))
def test_each_case_runs_the_operation_it_is_named_after(name):
    if name in CONSTANTS:
        x = np.array([-2.5, -0.5, 0.0, 1.0, 2.5])
        with np.errstate(invalid="ignore"):
            graph = tg.record(CONSTANTS[name][0], x)
        assert name in {step.operation.name for step in graph.steps if step.operation}
        return

    @given(case=CASES[name].inputs)
    @settings(max_examples=3)
    def runs(case):
        arrays, keywords = case
        needed = tg.Tensor(arrays[0], requires_grad=True)
        y = caller(name)(needed, *arrays[1:], **keywords)
        nodes, made = [y.node], set()
        for node in nodes:
            if node is not None and node.operation is not None:
                made.add(node.operation.name)
                nodes += node.inputs
        assert name in made

    runs()


def test_every_operation_of_the_engine_and_every_public_function_has_its_case():
    named = {*test_numpy_names.CASES, *test_numpy_names.CONSTANTS}
    assert (OURS | set(operations.__all__)) - set(CASES) - set(CONSTANTS) - named == set()


def test_every_public_function_of_the_operations_is_exported():
    modules = ("arrangements", "elementwise", "linear", "losses", "products", "reductions")
    defined = {
        name
        for module in modules
        for name, value in vars(sys.modules[f"{operations.__name__}.{module}"]).items()
        if callable(value) and not name.startswith("_") and not isinstance(value, type)
    }
    internal = {
        "operation",
        "complaint",
        "scatter",
        "spread",
        "number_reduced",
        "shape_of",
        "axes_before",
        "axes_of",
        "in_range",
        "array_of",
        "reducing",
        "own_transpose",
        "total",
        "here",
    }
    assert defined - internal - {"total"} == set(tg.operations.__all__)
