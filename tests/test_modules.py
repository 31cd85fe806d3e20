"""Modules: how parameters are found, named, saved and loaded; the three layers."""

import copy
import pickle
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import Tensor, tanh
from tinygrad_rnn.nn.modules import Dropout, Embedding, Linear, Module, Parameter


class Cell(Module):
    """A module that does not call its base class's constructor, which there is none of."""

    def __init__(self, inputs, hidden, rng):
        self.W = Parameter(rng.normal(size=(hidden, hidden)))
        self.U = Parameter(rng.normal(size=(hidden, inputs)))
        self.b = Parameter(np.zeros(hidden))

    def __call__(self, x, h):
        return tanh(self.b + h @ self.W.T + x @ self.U.T)


class Encoder(Module):
    def __init__(self, rng):
        self.embedding = Embedding(5, 3, rng=rng)
        self.layers = [Cell(3, 4, rng), Cell(4, 4, rng)]
        self.heads = {"mean": Linear(4, 2, rng=rng), "std": (Linear(4, 2, bias=False, rng=rng), Dropout(0.25))}
        self.scale = Parameter(1.0)
        self.name = "encoder"
        self.sizes = [3, 4]


NAMES = [
    "embedding.weight",
    *[f"layers.{i}.{letter}" for i in (0, 1) for letter in "WUb"],
    "heads.mean.weight",
    "heads.mean.bias",
    "heads.std.0.weight",
    "scale",
]


@pytest.fixture
def encoder() -> Encoder:
    return Encoder(np.random.default_rng(0))


def module(**attributes) -> Module:
    made = Module()
    vars(made).update(attributes)
    return made


# Names


def test_parameters_are_named_by_their_path_in_the_order_of_definition(encoder):
    assert [name for name, _ in encoder.named_parameters()] == NAMES
    assert dict(encoder.named_parameters())["layers.1.U"] is encoder.layers[1].U
    assert [id(p) for p in encoder.parameters()] == [id(p) for _, p in encoder.named_parameters()]


def test_modules_are_named_likewise_and_the_whole_has_the_empty_name(encoder):
    assert [name for name, _ in encoder.named_modules()] == [
        "",
        "embedding",
        "layers.0",
        "layers.1",
        "heads.mean",
        "heads.std.0",
        "heads.std.1",
    ]
    assert dict(encoder.named_modules())[""] is encoder
    assert dict(encoder.named_modules())["layers.1"] is encoder.layers[1]


def test_a_tensor_is_no_parameter():
    assert module(mask=Tensor([1.0], requires_grad=True)).parameters() == []


def test_what_is_shared_is_found_once_under_its_first_name():
    W = Parameter([1.0])
    tied = Linear(2, 2, rng=0)
    shared = module(a=W, b=[W, {"c": W}], encoder=tied, decoder=tied)
    assert [name for name, _ in shared.named_parameters()] == ["a", "encoder.weight", "encoder.bias"]
    assert [name for name, _ in shared.named_modules()] == ["", "encoder"]


def test_modules_that_are_equal_are_still_two():
    @dataclass
    class Scale(Module):
        factor: float

        def __post_init__(self):
            self.w = Parameter([1.0])

    pair = module(left=Scale(2.0), right=Scale(2.0))
    assert pair.left == pair.right
    assert [name for name, _ in pair.named_modules()] == ["", "left", "right"]
    assert [name for name, _ in pair.named_parameters()] == ["left.w", "right.w"]


def test_cycles_end():
    parent, child = module(W=Parameter([1.0])), module(b=Parameter([2.0]))
    parent.child, child.parent, parent.itself = child, parent, parent
    parent.list = [parent]
    parent.list.append(parent.list)
    assert [name for name, _ in parent.named_parameters()] == ["W", "child.b"]
    assert [name for name, _ in child.named_parameters()] == ["b", "parent.W"]


def test_three_thousand_nested_modules_need_no_recursion():
    top = module(W=Parameter([1.0]))
    for _ in range(3000):
        top = module(inner=[top])
    ((name, _),) = top.named_parameters()
    assert name == "inner.0." * 3000 + "W"
    while "inner" in vars(top):  # taken apart from outside, because Python frees nested objects by recursion
        top = vars(top).pop("inner")[0]


def test_a_named_tuple_of_parameters_is_a_tuple():
    class Pair(NamedTuple):
        h: Parameter
        s: Parameter

    names = [name for name, _ in module(start=Pair(Parameter([0.0]), Parameter([1.0]))).named_parameters()]
    assert names == ["start.0", "start.1"]


def test_attributes_set_later_come_later_and_deleted_ones_are_gone(encoder):
    encoder.V = Parameter([1.0])
    del encoder.layers
    assert [name for name, _ in encoder.named_parameters()] == [n for n in NAMES if "layers" not in n] + ["V"]


def test_two_parameters_of_one_name_are_an_error_where_names_count():
    clash = module(x={"a.b": Parameter([1.0]), "a": {"b": Parameter([2.0])}})
    assert len(clash.parameters()) == 2
    for use in clash.state_dict, lambda: clash.load_state_dict({}):
        with pytest.raises(ValueError, match=r"two parameters are called x\.a\.b: rename"):
            use()


def test_a_module_prints_as_a_tree_with_shapes(encoder):
    encoder.layers[0].b.requires_grad = False
    assert (
        repr(encoder)
        == """\
Encoder(name='encoder')
    embedding: Embedding()
        weight: (5, 3) float64
    layers.0: Cell()
        W: (4, 4) float64
        U: (4, 3) float64
        b: (4,) float64, frozen
    layers.1: Cell()
        W: (4, 4) float64
        U: (4, 4) float64
        b: (4,) float64
    heads.mean: Linear()
        weight: (2, 4) float64
        bias: (2,) float64
    heads.std.0: Linear()
        weight: (2, 4) float64
    heads.std.1: Dropout(p=0.25)
    scale: () float64"""
    )


# Parameters


def test_a_parameter_is_a_leaf_that_needs_a_gradient_and_copies_its_array():
    array = np.ones((2, 3), np.float32)
    p = Parameter(array)
    array[:] = 5
    assert p.requires_grad
    assert p.is_leaf
    assert p.dtype == np.float32
    np.testing.assert_array_equal(p.data, np.ones((2, 3)))
    assert not p.data.flags.writeable
    assert Parameter([1, 2], dtype=np.float32).dtype == np.float32


@pytest.mark.parametrize(
    ("data", "message"), [([1, 2], "int64: use dtype=float"), ([True], "bool: use dtype"), (Tensor([1.0]), "detach")]
)
def test_a_parameter_that_could_not_learn_is_an_error(data, message):
    with pytest.raises(TypeError, match=message):
        Parameter(data)


def test_gradients_reach_every_parameter_and_a_frozen_one_gets_none(encoder):
    encoder.layers[0].W.requires_grad = False
    h = encoder.layers[0](encoder.embedding([0, 4]), np.ones((2, 4)))
    loss = encoder.scale * encoder.heads["mean"](encoder.layers[1](h, h)).sum()
    loss.backward()
    without = [name for name, p in encoder.named_parameters() if p.grad is None]
    assert without == ["layers.0.W", "heads.std.0.weight"]


# State


def test_the_state_is_copies_by_name(encoder):
    state = encoder.state_dict()
    assert list(state) == NAMES
    for name, p in encoder.named_parameters():
        np.testing.assert_array_equal(state[name], p.data)
        state[name][...] = 7
        assert (p.data != 7).all()


def test_loading_sets_every_parameter_to_a_copy_with_the_same_bits(encoder):
    other = Encoder(np.random.default_rng(1))
    state = encoder.state_dict()
    arrays = [p.data for p in other.parameters()]
    other.load_state_dict(state)
    for array in state.values():
        array[...] = np.nan
    for mine, its, before in zip(encoder.parameters(), other.parameters(), arrays, strict=True):
        np.testing.assert_array_equal(mine.data, its.data)
        assert not its.data.flags.writeable
        assert its.data is not before  # a graph may still hold it


def test_a_graph_made_before_loading_has_the_gradients_of_its_own_weights():
    layer = Linear(2, 1, bias=False, rng=0)
    before = layer.weight.data.copy()
    loss = (layer(np.array([[3.0, 4.0]])) ** 2).sum()
    layer.load_state_dict({"weight": np.zeros((1, 2))})
    loss.backward()
    np.testing.assert_allclose(layer.weight.grad.data, 2 * (before @ [3.0, 4.0]) * [[3.0, 4.0]], rtol=1e-15)


def test_loading_a_frozen_parameter_leaves_it_frozen():
    layer = Linear(1, 1, rng=0)
    layer.weight.requires_grad = False
    layer.load_state_dict({"weight": np.ones((1, 1)), "bias": np.ones(1)})
    assert [p.requires_grad for p in layer.parameters()] == [False, True]
    assert layer.weight.item() == 1


def test_one_error_lists_everything_that_does_not_fit_and_changes_nothing(encoder):
    before = encoder.state_dict()
    state = encoder.state_dict()
    del state["scale"], state["layers.0.W"]
    state |= {"extra": np.ones(1), "embedding.weight": np.ones((3, 5)), "layers.1.b": np.ones(4, np.float32)}
    state["heads.mean.bias"] = [1.0, 2.0]
    with pytest.raises(ValueError) as error:  # noqa: PT011  (the whole message is compared)
        encoder.load_state_dict(state)
    assert str(error.value) == (
        "the state does not fit: missing layers.0.W, scale; unexpected extra; "
        "embedding.weight is (3, 5) float64, not (5, 3) float64; "
        "layers.1.b is (4,) float32, not (4,) float64; heads.mean.bias is a list, not (2,) float64"
    )
    for name, p in encoder.named_parameters():
        np.testing.assert_array_equal(p.data, before[name])


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))], ids=["deepcopy", "pickle"])
def test_a_copy_has_its_own_parameters_with_the_same_names_values_gradients_and_ties(encoder, copied):
    encoder.tied = encoder.layers[0]
    encoder.scale.requires_grad = False
    encoder.layers[0](np.ones((1, 3)), np.ones((1, 4))).sum().backward()
    twin = copied(encoder)
    assert twin.tied is twin.layers[0]
    assert repr(twin) == repr(encoder)
    for (name, p), (its_name, q) in zip(encoder.named_parameters(), twin.named_parameters(), strict=True):
        assert (name, p.requires_grad, type(q)) == (its_name, q.requires_grad, Parameter)
        assert p is not q
        np.testing.assert_array_equal(p.data, q.data)
        assert (p.grad is None) == (q.grad is None)
        if p.grad is not None:
            np.testing.assert_array_equal(p.grad.data, q.grad.data)
    twin.layers[0].b.data = np.full(4, 9.0)
    assert (encoder.layers[0].b.data == 0).all()


# Layers


def test_linear_is_x_Wᵀ_plus_b_for_every_row():
    layer = Linear(3, 2, rng=0)
    layer.load_state_dict({"weight": np.array([[1.0, 2, 3], [4, 5, 6]]), "bias": np.array([10.0, 20])})
    np.testing.assert_array_equal(layer(np.array([1.0, 0, 1])).data, [14, 30])
    np.testing.assert_array_equal(layer(np.ones((2, 5, 3))).data, np.broadcast_to([16.0, 35], (2, 5, 2)))


def test_linear_without_bias_starts_with_the_same_weight():
    assert [name for name, _ in Linear(3, 2, bias=False, rng=0).named_parameters()] == ["weight"]
    np.testing.assert_array_equal(Linear(3, 2, bias=False, rng=5).weight.data, Linear(3, 2, rng=5).weight.data)
    np.testing.assert_array_equal(Linear(3, 2, rng=5).bias.data, [0, 0])


def test_embedding_gives_the_rows_and_a_repeated_row_gets_the_sum_of_its_gradients():
    table = Embedding(4, 3, rng=0)
    indices = np.array([[0, 1, 1], [3, 1, 0]])
    vectors = table(indices)
    np.testing.assert_array_equal(vectors.data, table.weight.data[indices])
    vectors.sum().backward()
    np.testing.assert_array_equal(table.weight.grad.data, np.outer([2, 3, 0, 1], [1, 1, 1]))


def test_float32_layers_stay_float32():
    table, layer = Embedding(4, 3, rng=0, dtype=np.float32), Linear(3, 2, rng=0, dtype=np.float32)
    y = Dropout(0.5)(layer(table([0, 1])), rng=0)
    y.sum().backward()
    assert {t.dtype for t in (y, *table.parameters(), *layer.parameters(), layer.bias.grad, table.weight.grad)} == {
        np.dtype(np.float32)
    }


def test_dropout_without_rng_is_the_input_itself():
    x = Tensor([1.0, 2.0])
    assert Dropout(0.5)(x) is x
    array = np.ones(3)
    assert Dropout(0.5)(array) is array


def test_dropout_with_rng_drops_a_share_of_p_and_keeps_the_mean():
    y = Dropout(0.2)(Tensor(np.ones(100_000)), rng=0).data
    assert set(np.unique(y)) == {0, 1.25}
    assert np.mean(y == 0) == pytest.approx(0.2, abs=0.005)
    np.testing.assert_array_equal(Dropout(0.2)(Tensor(np.ones(100_000)), rng=0).data, y)
    rng = np.random.default_rng(0)
    np.testing.assert_array_equal(Dropout(0.2)(Tensor(np.ones(100_000)), rng).data, y)
    assert (Dropout(0.2)(Tensor(np.ones(100_000)), rng).data != y).any()


@pytest.mark.parametrize("p", [-0.1, 1, 1.5, float("nan")])
def test_dropout_of_no_probability_is_an_error_when_it_is_made(p):
    with pytest.raises(ValueError, match=r"Dropout: p is a probability in \[0, 1\), not "):
        Dropout(p)


@pytest.mark.parametrize("layer", [lambda **how: Linear(3, 2, **how), lambda **how: Embedding(3, 2, **how)])
def test_a_layer_without_a_seed_or_with_an_integer_dtype_is_an_error(layer):
    with pytest.raises(TypeError, match="rng"):
        layer()
    with pytest.raises(TypeError, match="rng is None: give a seed"):
        layer(rng=None)
    with pytest.raises(TypeError, match="dtype is floating point, not int"):
        layer(rng=0, dtype=int)


def test_an_input_of_another_width_is_an_error_that_names_both_shapes():
    with pytest.raises(ValueError, match=r"\(5, 4\) @ \(3, 2\): 4 ≠ 3"):
        Linear(3, 2, rng=0)(np.ones((5, 4)))


def test_a_module_may_compute_in_forward_and_one_that_computes_nothing_says_so():
    class Doubling(Module):
        def forward(self, x, *, times=1):
            return x * 2 * times

    assert Doubling()(3, times=2) == 12
    with pytest.raises(TypeError, match=r"^Empty computes nothing: define __call__ \(or forward\)$"):
        type("Empty", (Module,), {})()(3)


def test_the_arguments_of_forward_are_the_inputs_of_a_record_by_name():
    class Doubling(Module):
        def forward(self, x, scale):
            return x * scale

    graph = tg.record(Doubling(), np.ones(2), np.ones(2))
    assert [step.name for step in graph.inputs] == ["x", "scale"]
