"""Corners of the engine that were wrong once: each test holds the smallest input that showed it."""

import copy
import sys
import threading
from types import ModuleType

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn.autodiff import small

inf = np.inf


@pytest.mark.parametrize("axes", [(1, 0), ((1, 0),), (-1, 0), ()])
def test_the_gradient_of_a_weight_transposed_by_explicit_axes_is_the_same(axes):
    W = tg.Parameter(np.eye(2))
    (np.arange(6.0).reshape(3, 2) @ W.transpose(*axes)).sum().backward()
    np.testing.assert_array_equal(W.grad.data, [[6, 9], [6, 9]])


@pytest.mark.parametrize("axes", [0, -1, (0,), [0], None])
def test_a_vector_transposed_by_any_form_of_its_only_axis_passes_its_gradient_on(axes):
    v = tg.Parameter([1.0, 2.0])
    (np.transpose(v, axes) * [3, 4]).sum().backward()
    assert v.grad.tolist() == [3, 4]


def test_gradients_that_many_threads_add_to_one_weight_all_arrive():
    w = tg.Parameter(np.zeros(1000))
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=lambda: [(w * 1).sum().backward() for _ in range(100)]) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert set(w.grad.tolist()) == {800.0}


@pytest.fixture
def _no_new_operations():
    known = dict(tg.OPERATIONS)
    yield
    tg.OPERATIONS.clear()
    tg.OPERATIONS.update(known)


@pytest.mark.usefixtures("_no_new_operations")
def test_a_rule_may_take_what_follows_g_as_one_tuple():
    double = tg.operation("double", lambda x, /: 2 * x, lambda g, *rest: 2 * g)
    x = tg.Parameter([1.0, 2.0])
    double(x).sum().backward()
    assert x.grad.tolist() == [2, 2]
    tg.check_gradients(double, x.data)


@pytest.mark.usefixtures("_no_new_operations")
def test_a_rule_with_too_few_arguments_is_refused_when_the_operation_is_defined():
    with pytest.raises(TypeError, match=r"^a derivative rule takes g, y and each input: 4 arguments by position$"):
        tg.operation("average", lambda a, b, /: (a + b) / 2, (lambda g, _y: g / 2, lambda g, _y: g / 2))
    assert "average" not in tg.OPERATIONS


def test_gelu_is_exact_by_default_and_its_tanh_form_has_a_name():
    x = tg.Tensor([-2.0, 1.0])
    np.testing.assert_allclose(tg.gelu(x).data, [-0.04550026389635842, 0.8413447460685429], rtol=1e-14)
    np.testing.assert_allclose(tg.gelu(x, approximate="tanh").data, [-0.045402305912, 0.841191990608], rtol=1e-9)


@pytest.mark.parametrize("make", [np.array, np.asarray, np.mean, np.sum])
def test_a_list_of_tensors_that_would_lose_its_gradients_names_tg_stack(make):
    t = tg.Parameter([1.0, 2.0])
    with pytest.raises(TypeError, match=r"use tensor\.detach\(\), or tg\.stack for a list   make\(\[t, t\]\)   at "):
        make([t, t])


@pytest.mark.parametrize(
    ("name", "mend"),
    [("tensor", "tg.Tensor(array, requires_grad=True), or tg.Parameter(array)"), ("gradcheck", "tg.check_gradients")],
)
def test_a_name_known_from_other_engines_names_ours(name, mend):
    with pytest.raises(AttributeError) as error:
        getattr(tg, name)
    assert f"tinygrad_rnn has no {name}: use {mend}" in str(error.value)


@pytest.mark.parametrize("call", [lambda t, x: t + x, lambda t, x: x * t, lambda t, x: tg.matmul(t, x), tg.maximum])
def test_an_array_of_another_framework_is_refused_with_the_mend_not_taken_for_a_constant(call):
    foreign = ModuleType("torch")
    foreign.Tensor = type("Tensor", (), {"__module__": "torch", "__array__": lambda self, *_: np.ones((2, 2))})
    with pytest.raises(
        TypeError, match=r"a torch\.Tensor would be a constant, without its gradient: use x\.numpy\(\) "
    ):
        call(tg.Parameter(np.eye(2)), foreign.Tensor())


@pytest.mark.parametrize(("x", "value"), [(-20.0, 2.0611537e-09), (-50.0, 1.9287499e-22), (-87.0, 1.6458115e-38)])
def test_sigmoid_is_exact_in_its_tail_in_float32(x, value):
    y = tg.sigmoid(np.float32(x))
    np.testing.assert_allclose(y, value, rtol=1e-6)
    t = tg.Parameter(np.float32([x]))
    tg.sigmoid(t).sum().backward()
    np.testing.assert_allclose(t.grad.data, [value], rtol=1e-6)


def test_softplus_and_log_sigmoid_keep_their_tails_in_float32():
    x = np.float32([-20, -50])
    np.testing.assert_allclose(tg.softplus(tg.Tensor(x)).data, [2.0611537e-09, 1.9287499e-22], rtol=1e-6)
    np.testing.assert_allclose(np.log(tg.sigmoid(tg.Tensor(x))).data, x, rtol=1e-6)


# -- the transpose of a weight ---------------------------------------------------------------------


def test_each_transpose_of_a_weight_is_its_own_so_that_a_checkpoint_finds_the_weight():
    W = tg.Parameter([[1.0, 2.0], [3.0, 4.0]])
    _ = W.T
    x = np.array([[1.0, 1.0]])
    tg.checkpoint(lambda x: tg.tanh(x @ W.T), tg.Tensor(x)).sum().backward()
    saved, W.grad = W.grad, None
    tg.tanh(x @ W.T).sum().backward()
    np.testing.assert_array_equal(saved.data, W.grad.data)
    assert W.T is not W.T


def test_the_transpose_of_a_weight_follows_its_value_and_whether_it_needs_a_gradient():
    W = tg.Parameter([[1.0, 2.0], [3.0, 4.0]])
    W.data = W.data * 10
    assert W.T.tolist() == [[10, 30], [20, 40]]
    with tg.no_grad():
        assert not W.T.requires_grad
    W.requires_grad = False
    assert not W.T.requires_grad


# -- what strangers wrote ----------------------------------------------------------------------------


def test_a_tensor_stored_in_an_array_is_refused_because_its_gradient_would_be_lost():
    w, h = tg.Parameter(0.5), np.zeros(3)
    with pytest.raises(ValueError, match="setting an array element") as error:  # what NumPy makes of ours
        h[1] = np.tanh(w * h[0] + 1)
    assert str(error.value.__cause__).startswith("a number in an array has no gradient: collect the tensors in a list")
    h[2] = w.detach()
    h[0] = float(w)  # said aloud
    assert h.tolist() == [0.5, 0, 0.5]


@pytest.mark.parametrize("operator", ["+=", "-=", "*=", "/=", "@=", "**=", "//=", "%="])
def test_a_weight_changed_in_place_is_refused_with_the_mend_and_stays_a_parameter(operator):
    W = tg.Parameter(np.eye(2))
    with (
        tg.no_grad(),
        pytest.raises(TypeError, match=r"^a weight is not changed in place: use p\.data = p\.data - lr "),
    ):
        exec(f"W {operator} np.ones((2, 2))", {"np": np}, {"W": W})
    assert W.tolist() == [[1, 0], [0, 1]]


def test_a_total_may_be_added_to_in_place():
    w, total, loss = tg.Parameter([1.0, 2.0]), 0, tg.Tensor(0.0)
    for x in w:
        total += x * x
        loss += x
    (total + loss).backward()
    assert w.grad.tolist() == [3, 5]


@pytest.mark.parametrize("function", [np.linalg.inv, np.unique, np.linalg.det, np.add.reduce, np.sort_complex])
def test_a_function_of_numpy_without_a_rule_works_on_constants_and_gives_an_array(function):
    a = np.array([[2.0, 1.0], [0.0, 4.0]])
    found = function(tg.Tensor(a))
    assert not isinstance(found, tg.Tensor)
    np.testing.assert_array_equal(found, function(a))
    with pytest.raises(TypeError, match="has no rule for tensors"):
        function(tg.Parameter(a))
    with pytest.raises(TypeError, match="has no rule for tensors"):
        tg.record(function, a)


@pytest.mark.parametrize("join", [np.stack, np.concatenate])
def test_joining_many_pieces_takes_time_in_proportion_to_their_number(join):
    def calls(n):
        """How many Python calls a backward pass makes; each hands on at most a few arguments."""
        pieces = [tg.Parameter([1.0]) for _ in range(n)]
        joined = join(pieces)
        handed_on = 0

        def count(frame, event, _):
            nonlocal handed_on
            if event == "call":
                handed_on += 1 + sum(len(v) for v in frame.f_locals.values() if type(v) is tuple)

        sys.setprofile(count)
        try:
            joined.sum().backward()
        finally:
            sys.setprofile(None)
        assert all(p.grad.tolist() == [1] for p in pieces)
        return handed_on

    assert calls(400) < 5 * calls(100)


def test_a_checkpoint_whose_second_run_differs_is_an_error():
    rng = np.random.default_rng(0)
    x = tg.Parameter(np.ones(50))
    y = tg.checkpoint(lambda x: tg.dropout(x, 0.5, rng), x)
    with pytest.raises(tg.GradientError, match=r"^checkpoint: the function gave other values when it was run again"):
        y.sum().backward()
    w = tg.Parameter([2.0])
    z = tg.checkpoint(lambda: w * w)
    w.data = w.data * 3
    with pytest.raises(tg.GradientError, match=r"^checkpoint: the function gave other values"):
        z.backward()


@pytest.mark.usefixtures("_no_new_operations")
def test_an_operation_whose_inputs_do_not_come_before_a_slash_is_refused_when_it_is_defined():
    with pytest.raises(TypeError, match=r"^operation 'double': forward has no inputs before a slash: write lambda "):
        tg.operation("double", lambda x: 2 * x, lambda g, _y, _x: 2 * g)


def test_small_refuses_vectors_in_a_product_of_matrices():
    with pytest.raises(AssertionError, match="matrices only"):
        _ = small.Tensor([1.0, 2.0]) @ small.Tensor([[1.0, 2.0], [3.0, 4.0]])


def test_a_model_is_copied_also_after_a_backward_pass_that_can_be_differentiated():
    W = tg.Parameter([2.0])
    (W * W * W).backward(create_graph=True)
    assert W.grad.requires_grad
    twin = copy.deepcopy(W)
    assert (twin.tolist(), twin.grad.tolist(), twin.grad.requires_grad) == ([2], [12], False)


def test_the_gradient_of_a_product_needs_memory_in_proportion_to_its_factors():
    x = tg.Parameter(np.full(200_000, 1 + 1e-6))
    y = np.prod(x)
    y.backward()
    np.testing.assert_allclose(x.grad.data, y.item() / (1 + 1e-6), rtol=1e-9)


def test_anomaly_mode_lets_a_meant_infinity_pass_and_stops_at_the_nan_that_it_makes():
    scores = tg.Parameter([1.0, 2.0])
    with tg.detect_anomaly():
        tg.softmax(np.where([True, False], -inf, scores)).sum().backward()
        with pytest.raises(tg.AnomalyError, match=r"^subtract made NaN"), np.errstate(invalid="ignore"):
            _ = tg.Tensor([inf]) - inf
        with pytest.raises(tg.AnomalyError, match=r"^log made infinity   "), np.errstate(divide="ignore"):
            tg.log(scores * 0)


def test_equal_elements_keep_their_order_when_they_are_sorted():
    x = tg.Parameter(np.r_[np.zeros(40), np.full(40, np.nan)][::-1].copy())
    (np.sort(x) * np.arange(80)).sum().backward()
    assert x.grad.tolist() == [*range(40, 80), *range(40)]
