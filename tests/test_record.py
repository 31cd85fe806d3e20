"""The record of a run: what it holds, what things are called, and that it can be run again."""

import runpy
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn.autodiff.mode import current_mode
from tinygrad_rnn.nn.modules import Linear, Module, Parameter
from zoo.pattern_1 import Pattern1


class State(NamedTuple):
    h: tg.Tensor
    s: tg.Tensor


class Cell(Module):
    def __init__(self, size, rng):
        self.W = Parameter(np.random.default_rng(rng).normal(size=(size, size)))

    def __call__(self, x, state):
        s = state.s + x @ self.W.T
        return State(tg.tanh(s), s)


class Encoder(Module):
    def __init__(self):
        self.cell = Cell(3, 0)
        self.layers = [Linear(3, 3, rng=1), Linear(3, 3, rng=2)]

    def __call__(self, xs):
        state = State(np.zeros((2, 3)), np.zeros((2, 3)))
        for x in xs:
            state = self.cell(x, state)
        h, _ = state
        for layer in self.layers:
            h = layer(h)
        return h


def _operations(graph):
    return [step for step in graph.steps if step.operation is not None]


def _names(graph):
    return [step.name for step in _operations(graph)]


@pytest.fixture
def xs():
    return np.random.default_rng(0).normal(size=(4, 2, 3))


# -- completeness ----------------------------------------------------------------------------------


def test_a_replay_of_the_recorded_inputs_equals_the_eager_run_bitwise(xs):
    model = Encoder()
    assert np.array_equal(tg.record(model, xs).replay(xs).data, model(tg.Tensor(xs)).data)


def test_a_replay_of_other_inputs_equals_the_eager_run_bitwise(xs):
    model = Encoder()
    assert np.array_equal(tg.record(model, xs).replay(xs * 3 - 1).data, model(tg.Tensor(xs * 3 - 1)).data)


def test_labels_indices_and_masks_are_inputs_of_a_replay():
    table = Parameter(np.random.default_rng(0).normal(size=(5, 4)))

    def loss(codes, labels, mask):
        return tg.cross_entropy(tg.where(mask, tg.embedding(table, codes), 0.5), labels)

    first = np.array([0, 1, 4]), np.array([1, 1, 0]), np.array([[True], [False], [True]])
    second = np.array([3, 3, 2]), np.array([0, 2, 3]), np.array([[False], [True], [True]])
    graph = tg.record(loss, *first)
    assert graph.replay(*second).item() == loss(*map(tg.Tensor, second)).item()
    assert graph.replay(*second).item() != graph.replay(*first).item()


def test_a_token_is_called_by_the_code_whatever_looks_it_up():
    E = Parameter(np.eye(4))

    def model(words, number):
        by_index = sum(E[word, 1] for word in words)
        by_call = sum(E[int(number[word])].sum() for word in words)  # as in a vocabulary
        by_take = sum(np.take(E, w, axis=0).sum() for w in words)
        return by_index + by_call + by_take

    graph = tg.record(model, [0, 3, 1, 1], [2, 0, 1, 2])
    assert [step.name for step in graph.inputs] == ["word"] * 8 + ["w"] * 4


def test_the_elements_of_a_list_of_tokens_are_read_once_wherever_the_code_reads_them():
    E = Parameter(np.eye(4))

    def model(words, tags, step):
        score = 0
        for t in range(1, len(words)):
            score += E[words[t - 1], words[t]] + E[words[t], tags[t]]
        for t in range(0, len(words) - 1, step):  # two steps at a time
            score += E[words[t], words[t + 1]]
        return score

    words, tags = [0, 3, 2, 1, 1, 0, 0], [2, 0, 1, 2, 3, 3, 1]
    graph = tg.record(model, words, tags, 2)
    assert [step.value.item() for step in graph.inputs if step.name.startswith("words.")] == words
    assert [step.value.item() for step in graph.inputs if step.name == "tags"] == tags[1:]
    assert [step.value.item() for step in graph.inputs if step.name == "words"] == words[:-1]
    assert graph.replay(words, tags, 2) == model(words, tags, 2).item()


def test_a_replay_returns_what_the_function_returned():
    def function(batch):
        return {"sum": batch["a"] + batch["b"][0], "state": State(batch["a"] * 2, batch["a"] * 3), "steps": 7}

    batch = {"a": np.ones(2), "b": [np.full(2, 5.0)]}
    again = tg.record(function, batch).replay({"a": np.zeros(2), "b": [np.ones(2)]})
    assert again["sum"].tolist() == [1.0, 1.0]
    assert isinstance(again["state"], State) and again["state"].s.tolist() == [0.0, 0.0]
    assert again["steps"] == 7


def test_float32_with_python_numbers_replays_in_float32():
    x = np.ones(3, np.float32)
    assert tg.record(lambda x: x * 2 + 1.5, x).replay(x).dtype == np.float32


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ((np.ones((3, 2)), 2), "recorded as float64"),
        ((np.ones(3, np.float32), 2), "recorded as float64"),
        ((np.ones(3), 5), "part of the graph"),
        ((np.ones(3),), "recorded with 2 arguments"),
    ],
)
def test_a_replay_with_other_than_other_numbers_is_an_error(args, message):
    graph = tg.record(lambda x, power: x**power, np.ones(3), 2)
    with pytest.raises(ValueError, match=message):
        graph.replay(*args)


def test_a_detached_value_is_still_recomputed_in_a_replay():
    graph = tg.record(lambda x: (x * 2).detach() + 1, np.ones(2))
    assert graph.replay(np.full(2, 10.0)).tolist() == [21.0, 21.0]


# -- names, modules, places ------------------------------------------------------------------------


def test_inputs_are_named_by_the_signature_and_parameters_by_their_attribute(xs):
    graph = tg.record(Encoder(), xs)
    assert [step.name for step in graph.inputs] == ["xs"]
    assert [(step.module, step.name) for step in graph.parameters] == [
        ("cell", "W"),
        ("layers.0", "weight"),
        ("layers.0", "bias"),
        ("layers.1", "weight"),
        ("layers.1", "bias"),
    ]


def test_inputs_inside_a_nest_are_named_by_their_place():
    graph = tg.record(
        lambda pair, state: pair[0] + pair[1] + state.h + state.s, [np.ones(1)] * 2, State(*[np.ones(1)] * 2)
    )
    assert [step.path for step in graph.inputs] == ["pair.0", "pair.1", "state.h", "state.s"]
    assert [step.name for step in graph.inputs] == ["pair.0", "pair.1", "h", "s"]


def test_a_step_is_named_by_the_assignment_that_receives_it():
    def function(x):
        a = x * 2
        b: tg.Tensor = a + 1
        c, d = b * 3, np.tanh(b)
        total = c
        total += d
        if (e := total.sum()) > 0:
            return e

    assert _names(tg.record(function, np.ones(2))) == ["a", "b", "c", "d", "total", "e", None]


def test_only_the_whole_of_an_expression_has_the_name():
    def function(x, W):
        h = np.tanh(1.0 + x @ W.T)
        return h

    assert _names(tg.record(function, np.ones((1, 2)), np.ones((2, 2)))) == [None, None, None, "h"]


def test_what_a_function_returns_is_named_by_its_caller():
    def inner(x):
        return np.tanh(x)

    def pair(x):
        return x + 1, x + 2

    def function(x):
        h = inner(x)
        p, q = pair(h)
        both = (lambda y: y * 2)(q)
        return p + both

    assert _names(tg.record(function, np.ones(2))) == ["h", "p", "q", "both", None]


def test_a_name_comes_through_several_calls():
    def inner(x):
        return np.tanh(x)

    def outer(x):
        return inner(x)

    def function(x):
        h = outer(x)
        return h

    assert _names(tg.record(function, np.ones(2))) == ["h"]


def test_what_an_attribute_an_element_or_a_list_receives_has_its_name():
    def function(x, states):
        holder = Module()
        holder.h = np.tanh(x)
        history = {}
        history[0] = np.exp(x)
        states.append(np.sin(x))

    assert _names(tg.record(function, np.ones(2), [])) == ["h", "history", "states"]


def test_either_branch_of_a_choice_has_the_name():
    def function(x, sign):
        y = np.exp(x) if sign > 0 else np.tanh(x)
        return y

    assert [_names(tg.record(function, np.ones(2), sign)) for sign in (1, -1)] == [["y"], ["y"]]


def test_pieces_have_the_names_that_they_are_assigned_to_at_every_visit():
    def pieces(x):
        return tg.split(x, 2)

    def function(x):
        for _ in range(2):
            f, i, n = tg.split(x, 3)
            a, [b, c] = f[0], (i[0], n[0])
            p, q, r = x
            u, v = np.split(x[:2], 2)
            s, t = pieces(x[1:])
        return a, b, c, p, q, r, u, v, s, t

    once = ["f", "i", "n", "a", "b", "c", "p", "q", "r", None, "u", "v", None, "s", "t"]
    assert _names(tg.record(function, np.ones((3, 3)))) == once * 2


def test_the_elements_of_a_tensor_that_a_loop_goes_through_in_pairs_are_named():
    def function(pairs):
        for a, b in pairs:
            c = a * b
        return c

    assert _names(tg.record(function, np.ones((3, 2)))) == [None] * 3 + ["a", "b", "c"] * 3


def test_a_starred_target_names_all_that_it_takes():
    def three(x):
        return x + 1, x + 2, x + 3

    def function(x):
        first, *rest = three(x)
        *begun, last = x * 4, x * 5, x * 6
        one, *unknown = x  # how many pieces there are is not in the code
        return first, rest, begun, last, one, unknown

    names = ["first", "rest", "rest", "begun", "begun", "last", None, None]
    assert _names(tg.record(function, np.ones(2))) == names


def test_a_sequence_in_one_variable_gives_its_elements_no_name():
    def function(x):
        gates = tg.split(x, 2)
        squares = [g * g for g in gates]
        less, more = [f(g) for f, g in zip((np.sin, np.exp), squares, strict=True)]
        pair = less + 1, more + 1
        return pair

    assert _names(tg.record(function, np.ones(2))) == [None] * 8


def test_what_is_put_in_one_variable_is_called_as_the_code_unpacks_that_variable():
    def cell(x, state):
        h, c = state
        return np.tanh(h + x), c * x

    def function(x):
        state = x * 1, x * 2
        for _ in range(2):
            state = cell(x, state)
        triple = x * 1, x * 2, x * 3
        a, *b = triple
        first, other, _ = triple
        return a + b[0] + first + other, state

    assert _names(tg.record(function, np.ones(2))) == ["h", "c", *[None, "h", "c"] * 2, None, None, "b", *[None] * 3]


@pytest.mark.parametrize("names", ["", "a,", "a, b, c", "*a, b, c, d"])
def test_a_wrong_number_of_names_is_pythons_error_and_the_record_until_then_has_names(names, tmp_path):
    file = tmp_path / "wrong.py"
    file.write_text(f"def pair(x):\n    return x + 1, x + 2\ndef function(x):\n    [{names}] = pair(x)\n")
    namespace = runpy.run_path(str(file))
    with pytest.raises(ValueError, match="unpack") as caught:
        tg.record(namespace["function"], np.ones(2))
    assert set(_names(caught.value.graph)) <= {None, "a", "b", "c"}


def test_an_explicit_name_overrides_the_code():
    def function(x):
        h = tg.name(np.tanh(x), "state")
        return tg.name(h * 2, "out")

    assert _names(tg.record(function, np.ones(2))) == ["state", "out"]


def test_where_the_source_cannot_be_read_a_step_is_called_by_its_glyph():
    namespace = {"np": np}
    exec("def function(x):\n    h = np.tanh(x)\n    return h", namespace)
    graph = tg.record(namespace["function"], np.ones(2))
    assert [step.label for step in _operations(graph)] == ["tanh"]


def test_the_names_are_those_of_the_file_as_it_was_when_it_was_last_loaded(tmp_path):
    for name in "before", "afterwards":
        file = tmp_path / "edited.py"
        file.write_text(f"def function(x):\n    {name} = x * 2\n    return {name}")
        function = runpy.run_path(str(file))["function"]
        assert _names(tg.record(function, np.ones(2))) == [name]


def test_a_step_knows_its_module_its_line_and_its_visit(xs):
    graph = tg.record(Encoder(), xs)
    sums = [step for step in _operations(graph) if step.name == "s"]
    assert [step.module for step in sums] == ["cell"] * 4
    assert [step.visit for step in sums] == [0, 1, 2, 3]
    assert {str(step.site).rpartition("/")[2] for step in sums} == {
        f"test_record.py:{Cell.__call__.__code__.co_firstlineno + 1}"
    }


def test_a_place_is_the_same_however_often_the_code_has_run():
    """Python 3.11 specialises a call of a builtin after some runs, and then runs it at another instruction."""

    def model(x):
        for _ in range(20):
            x = sum([x, x])
        return x

    steps = [step for _ in range(3) for step in tg.record(model, np.ones(2)).steps if step.operation is not None]
    assert len({step.site.instruction for step in steps}) == 1


def test_two_layers_run_by_the_same_code_have_different_module_paths(xs):
    products = [step for step in _operations(tg.record(Encoder(), xs)) if step.operation.name == "matmul"]
    assert [step.module for step in products] == ["cell"] * 4 + ["layers.0", "layers.1"]


def test_two_modules_used_by_a_function_are_called_by_their_variables():
    left, right = Linear(2, 2, rng=0), Linear(2, 2, rng=1)
    graph = tg.record(lambda x: left(x) + right(x), np.ones((1, 2)))
    assert [step.module for step in graph.parameters] == ["left", "left", "right", "right"]


def test_two_modules_that_are_equal_have_different_paths():
    @dataclass
    class Scale(Module):
        factor: float

        def __call__(self, x):
            return x * self.factor

    left, right = Scale(2.0), Scale(2.0)
    graph = tg.record(lambda x: left(x) + right(x), np.ones(2))
    assert [step.module for step in _operations(graph)] == ["left", "right", ""]


def test_equal_functions_of_two_files_are_two_places():
    def loaded(file):
        scope = {}
        exec(compile("def double(x):\n    return x + x", file, "exec"), scope)
        return scope["double"]

    one, other = loaded("one.py"), loaded("other.py")
    assert one.__code__ == other.__code__
    graph = tg.record(lambda x: [double(x) for double in (one, other, one)], np.ones(2))
    assert [str(step.site) for step in _operations(graph)] == ["one.py:2", "other.py:2", "one.py:2"]


# -- what is one value -----------------------------------------------------------------------------


def test_views_of_all_of_an_array_are_one_constant():
    noise = np.random.default_rng(0).normal(size=(2, 3))
    graph = tg.record(lambda x: x + noise + noise[:] + noise[0] + noise.T.T, np.ones((2, 3)))
    assert [step.shape for step in graph.steps if step.kind == "constant"] == [(2, 3), (3,)]


def test_another_form_of_an_arrays_memory_is_another_constant():
    square = np.arange(4.0).reshape(2, 2)
    graph = tg.record(lambda x: x + square + square.T + square.view(np.int64), np.ones((2, 2)))
    constants = [step.value.tolist() for step in graph.steps if step.kind == "constant"]
    assert constants == [square.tolist(), square.T.tolist(), square.view(np.int64).tolist()]


def test_two_parameters_with_one_array_are_two_and_get_their_own_gradients():
    p, q = Parameter(np.ones(3)), Parameter(np.zeros(3))
    q.data = p.data
    both = tg.record(lambda x: (x * p + x * x * q).sum(), np.arange(3.0)).backward()
    assert {name: g.tolist() for name, g in both.returned.items()} == {"p": [0, 1, 2], "q": [0, 1, 4]}


def test_a_value_detached_and_made_a_leaf_again_is_still_the_same_value():
    def function(x):
        v = (x * 2).detach()
        v.requires_grad = True
        return (v * v).sum()

    graph = tg.record(function, np.ones(3))
    assert not graph.parameters
    assert graph.replay(np.full(3, 2.0)).item() == 48.0
    assert [g.value.tolist() for g in graph.backward().gradients.values()][-1] == [4.0, 4.0, 4.0]


def test_the_initial_state_of_pattern_1_is_one_constant_of_both_passes():
    x, y = np.random.default_rng(0).normal(size=(3, 2, 4)), np.zeros((3, 2), int)
    forward = tg.record(Pattern1(4, 5, 3, rng=0), x, y)
    both = forward.backward()
    (state,) = (step for step in both.steps if step.kind == "constant" and step.shape == (2, 5))
    assert state in forward.steps
    users = [step for step in both.steps if state in step.inputs]
    assert [step.forward is None for step in users] == [True, False]


# -- the backward pass -----------------------------------------------------------------------------


def _loss(model, xs):
    return (model(xs) ** 2).sum()


def test_the_recorded_backward_pass_gives_the_gradients_of_the_ordinary_one(xs):
    model = Encoder()
    both = tg.record(lambda xs: _loss(model, xs), xs).backward()
    _loss(model, tg.Tensor(xs)).backward()
    gradients = both.replay(xs)
    for path, parameter in model.named_parameters():
        assert np.allclose(gradients[f"model.{path}"].data, parameter.grad.data, rtol=1e-12, atol=1e-12)


def test_the_recorded_backward_pass_replays_on_other_inputs(xs):
    model = Encoder()
    both = tg.record(lambda xs: _loss(model, xs), xs).backward()
    _loss(model, tg.Tensor(xs * 2 + 1)).backward()
    assert np.allclose(both.replay(xs * 2 + 1)["model.cell.W"].data, model.cell.W.grad.data, rtol=1e-12)


def test_every_step_of_the_backward_pass_belongs_to_a_forward_step(xs):
    model = Encoder()
    forward = tg.record(lambda xs: _loss(model, xs), xs)
    both = forward.backward()
    added = [step for step in both.steps[len(forward) :] if step.operation is not None]
    assert len(added) > len(_operations(forward))
    assert all(step.forward in forward.steps for step in added)


def test_a_value_used_twice_gets_a_recorded_sum_of_its_gradients():
    w = Parameter(np.array(3.0))
    both = tg.record(lambda: w * w + w).backward()
    sums = [step for step in both.steps if step.forward is not None and step.slot is None]
    assert [(step.operation.name, step.forward.name) for step in sums] == [("add", "w"), ("add", "w")]
    assert both.returned["w"].item() == 7.0


def test_the_backward_pass_of_no_loss_is_an_error():
    W = Parameter(np.eye(2))
    for returned, what in (
        (lambda x: x * 2, "one that needs none"),
        (lambda x: (x @ W).sum().item(), "a float"),
        (lambda x: (x @ W).data, "a numpy.ndarray"),
        (lambda x: {"loss": (x @ W).sum(), "output": x}, "2 tensors"),
        (lambda x: SimpleNamespace(loss=(x @ W).sum()), "a types.SimpleNamespace"),
    ):
        with pytest.raises(tg.GradientError, match=f"one tensor that needs a gradient, a loss, not {what}$"):
            tg.record(returned, np.ones(2)).backward()


# -- the state of the engine -----------------------------------------------------------------------


def test_an_exception_ends_the_recording_and_carries_the_partial_graph():
    def function(x):
        a = x * 2
        return a @ np.ones((5, 5))

    with pytest.raises(tg.ShapeError) as caught:
        tg.record(function, np.ones((2, 2)))
    assert [step.kind for step in _operations(caught.value.graph)] == ["operation", "failed"]
    assert _names(caught.value.graph) == ["a", None]
    assert current_mode().recorder is None


def test_recording_in_one_thread_does_not_see_another():
    seen = []

    def function(x):
        worker = threading.Thread(target=lambda: seen.append(np.tanh(tg.Tensor(np.ones(2)))))
        worker.start()
        worker.join()
        return x + 1

    assert len(_operations(tg.record(function, np.ones(2)))) == 1
    assert len(seen) == 1


def test_recording_keeps_no_hold_on_the_run_once_it_is_over():
    def function(x):
        h = x * 2
        return h

    graph = tg.record(function, np.ones(2))
    assert graph._recorder is not None and not graph._recorder._calls


def test_a_graph_prints_as_a_table_of_what_ran():
    def function(x, W):
        h = np.tanh(x @ W)
        return h

    lines = str(tg.record(function, np.ones((1, 2)), np.ones((2, 3)))).splitlines()
    assert [line.split()[:1] for line in lines] == [["step"], ["0"], ["1"], ["2"], ["3"]]
    assert "x#0 @ W#1" in lines[3]
    assert "h     tanh(#2)   1×3" in lines[4]
    assert f"test_record.py:{function.__code__.co_firstlineno + 1}" in lines[4]


def test_a_gradient_taken_inside_a_recorded_run_is_part_of_the_record():
    w = Parameter(np.array([1.0, 2.0]))

    def step(x):
        L = ((w * x) ** 2).sum()
        (g,) = tg.vjp(lambda w: ((w * x) ** 2).sum(), w)[1](1.0)
        L.backward()
        return g + w.grad

    graph = tg.record(step, np.array([3.0, 5.0]))
    w.grad = None
    assert np.array_equal(graph.returned.data, [36.0, 200.0])
    w.grad = None
    assert np.array_equal(graph.replay(np.array([1.0, 1.0])).data, [4.0, 8.0])
    assert all(step.forward is None for step in graph.steps)


# -- values from outside the run -------------------------------------------------------------------


def test_the_result_of_an_earlier_computation_is_an_input_and_the_recorded_backward_pass_ends_there():
    W = Parameter(np.array([[0.5, -0.3], [0.2, 0.8]]))
    before = np.tanh(np.ones((1, 2)) @ W)
    doubled = W * 2

    def chunk(h):
        return (np.tanh(h @ W + h @ doubled) ** 2).sum()

    graph = tg.record(chunk, before)
    assert [step.name for step in graph.inputs] == ["h", "doubled"]
    assert [step.name for step in graph.parameters] == ["W"]
    found = graph.backward().returned
    expected = tg.vjp(lambda h, W, D: (np.tanh(h @ W + h @ D) ** 2).sum(), before.data, W.data, doubled.data)[1](1.0)
    for name, gradient in zip(["h", "W", "doubled"], expected, strict=True):
        np.testing.assert_allclose(found[name].data, gradient.data, rtol=1e-12)
    np.testing.assert_allclose(graph.replay(before.data).data, graph.returned.data, rtol=0)
    assert W.grad is None


def test_an_operation_in_another_thread_is_refused_in_one_line_that_says_why():
    W = Parameter(np.eye(2))

    def model(x):
        with ThreadPoolExecutor(1) as pool:
            h = pool.submit(lambda: tg.tanh(x @ W)).result()
        return (h * h).sum()

    def all_of_it(x):
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(lambda: tg.tanh(x @ W)).result()

    for function, place in (model, r"h \* h "), (all_of_it, ""):
        with pytest.raises(
            RuntimeError, match=rf"^record: tanh was not recorded: it ran in another thread, or .*   {place}"
        ):
            tg.record(function, np.ones((3, 2)))


@pytest.mark.parametrize(
    ("returned", "what"),
    [(None, "None"), (3, "an int"), (np.ones(2), "a numpy.ndarray"), (SimpleNamespace(), "a types.SimpleNamespace")],
)
def test_a_run_without_an_operation_is_an_error_that_says_what_the_function_returned(returned, what):
    with pytest.raises(ValueError, match=f"^record: no operation of tinygrad_rnn ran; the function returned {what}$"):
        tg.record(lambda x: returned, np.ones(2))


@pytest.mark.parametrize(
    ("given", "what"), [(3, "an int"), (None, "None"), ("model", "a str"), (tg.Tensor(1.0), "a tinygrad_rnn.Tensor")]
)
def test_what_is_no_function_is_refused_in_one_line_that_says_how_to_record(given, what):
    message = rf"^record takes a function and its arguments, tg\.record\(model, x\), not {what}$"
    with pytest.raises(TypeError, match=message):
        tg.record(given, np.ones(2))


def test_arguments_that_do_not_fit_are_refused_in_one_line_with_the_signature():
    def model(x, y=0):
        return x + y

    for arguments, message in ((), "missing a required argument: 'x'"), ((1, 2, 3), "too many positional arguments"):
        with pytest.raises(TypeError, match=rf"^record: model\(x, y=0\): {message}$"):
            tg.record(model, *arguments)
    with pytest.raises(TypeError, match=r"^record: model\(x, y=0\): got an unexpected keyword argument 'z'$"):
        tg.record(model, np.ones(2), z=1)


def test_arguments_by_name_are_recorded_and_replayed_like_those_by_position():
    def model(x, *, scale, shift=0.0):
        return x * scale + shift

    graph = tg.record(model, np.ones(2), scale=np.full(2, 3.0), shift=1)
    assert [step.name for step in graph.inputs] == ["x", "scale"]
    assert graph.replay(np.full(2, 2.0), scale=np.full(2, 5.0), shift=1).tolist() == [11.0, 11.0]
    with pytest.raises(ValueError, match=r"shift'\] was 1 when recorded, which is part of the graph, not 2"):
        graph.replay(np.ones(2), scale=np.ones(2), shift=2)


def test_a_parameter_among_the_arguments_is_a_parameter_that_a_replay_is_given():
    W = Parameter(np.eye(2))
    graph = tg.record(lambda params, x: (x @ params["W"]).sum(), {"W": W}, np.ones(2))
    assert [step.path for step in graph.parameters] == list(graph.backward().returned) == ["params.W"]
    assert [step.path for step in graph.inputs] == ["x"]
    assert graph.replay({"W": Parameter(3 * np.eye(2))}, np.ones(2)).item() == 6
