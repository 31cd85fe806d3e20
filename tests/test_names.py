"""Names of what a run did not compute: each parameter is called by what holds it, and no two are called the same."""

import linecache
import runpy
import sys
import zipfile
from collections import namedtuple
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn.nn.modules import Module, Parameter
from tinygrad_rnn.tracing.projection import projected


def weight(seed=0):
    return Parameter(np.random.default_rng(seed).normal(size=(3, 3)) / 2)


def rnn(x, W, U):
    h = np.zeros(3)
    for x_t in x:
        h = np.tanh(x_t @ U.T + h @ W.T)
    return (h * h).sum()


X = np.random.default_rng(0).normal(size=(5, 3))


def paths(function, *arguments):
    """The parameters of a run by their paths: the same paths that their gradients are returned by."""
    graph = tg.record(function, *arguments)
    found = [step.path for step in graph.parameters]
    gradients = graph.backward().returned
    assert sorted(gradients) == sorted(found)
    for step in graph.parameters:
        assert gradients[step.path].shape == step.shape
    return found


# -- what holds a parameter ----------------------------------------------------------------------------------


def test_an_element_of_a_list_is_called_by_its_index():
    params = [weight(0), weight(1)]
    assert paths(lambda x: (x @ params[0] @ params[1]).sum(), X) == ["params.0", "params.1"]


def test_elements_of_a_list_are_called_by_the_variables_of_their_own_that_the_code_puts_them_in():
    def unpacked(x, params):
        W, U = params
        return rnn(x, W, U)

    def product(w, x):
        return x @ w

    first, other = [weight(0), weight(1)], [weight(2), weight(3)]
    assert paths(lambda x: unpacked(x, first), X) == ["first.U", "first.W"]
    assert paths(lambda x: unpacked(x, first) + unpacked(x, other), X) == ["first.U", "first.W", "other.U", "other.W"]
    assert paths(lambda x: rnn(x, *first), X) == ["first.U", "first.W"]
    assert paths(lambda x: product(first[1], product(first[0], x)).sum(), X) == ["first.0", "first.1"]


def test_layers_that_a_loop_unpacks_are_called_by_their_number_and_its_variables():
    layers = [(weight(0), weight(1)), (weight(2), weight(3))]

    def model(x):
        h = [np.zeros(3), np.zeros(3)]
        for v in x:
            for l, (W, U) in enumerate(layers):
                h[l] = v = np.tanh(h[l] @ W + v @ U)
        return v.sum()

    graph = tg.record(model, X)
    assert [name for name in graph.reading.names.values() if name[0] in "WU"] == ["W_0", "U_0", "W_1", "U_1"]


def test_a_value_in_a_dict_is_called_by_its_key():
    params = {"Wxh": weight(0), "Whh": weight(1)}
    graph = tg.record(lambda x: rnn(x, params["Whh"], params["Wxh"]), X)
    assert [(step.module, step.name) for step in graph.parameters] == [("params", "Wxh"), ("params", "Whh")]


def test_a_dict_of_dicts_tells_by_the_outer_key():
    params = {"encoder": {"W": weight(0), "U": weight(1)}, "decoder": {"W": weight(2), "U": weight(3)}}

    def model(x):
        return rnn(x, **params["encoder"]) + rnn(x, **params["decoder"])

    assert paths(model, X) == [f"params.{part}.{name}" for part in ("encoder", "decoder") for name in "UW"]


def test_a_variable_is_called_by_its_name_although_a_tuple_holds_it_too():
    params = weight(0), weight(1)

    def model(x):
        Whh, Wxh = params
        return rnn(x, Whh, Wxh)

    assert paths(model, X) == ["Wxh", "Whh"]


def test_the_variable_of_a_loop_is_a_name_for_what_it_unpacks_but_not_for_what_it_goes_through():
    layers = [(weight(0), weight(1)), (weight(2), weight(3))]

    def model(x):
        for W, U in layers:
            x = np.tanh(x @ W.T @ U.T)
        return x.sum()

    assert paths(model, X) == ["layers.0.W", "layers.0.U", "layers.1.W", "layers.1.U"]
    weights = [weight(4), weight(5)]

    def same(x):
        for W in weights:
            x = np.tanh(x @ W.T)
        return x.sum()

    assert paths(same, X) == ["weights.0", "weights.1"]


def test_the_variable_of_a_loop_is_a_name_where_nothing_else_holds_the_value():
    def model(x):
        for W in (weight(0), weight(1)):
            x = np.tanh(x @ W.T)
        return x.sum()

    graph = tg.record(model, X)
    assert [step.name for step in graph.parameters] == ["W", "W"]
    assert sorted(graph.backward().returned) == ["W", "W_2"]


def test_the_argument_of_a_helper_is_no_name_for_what_has_one_outside():
    A, B = weight(0), weight(1)

    def product(w, x):
        return x @ w.T

    assert paths(lambda x: (product(A, x) + product(B, x)).sum(), X) == ["A", "B"]


def test_an_object_that_is_no_module_names_by_its_attributes():
    class Net:
        def __init__(self):
            self.W, self.U = weight(0), weight(1)

        def step(self, x):
            return rnn(x, self.W, self.U)

    net = Net()
    assert paths(net.step, X) == ["U", "W"]
    assert paths(lambda x: net.step(x), X) == ["net.U", "net.W"]


def test_every_kind_of_object_and_a_class_name_by_their_attributes():
    @dataclass
    class Weights:
        W: Parameter
        U: Parameter

    class Cell(Module):
        def __init__(self):
            self.W, self.U = weight(0), weight(1)

    class Slots:
        __slots__ = ("U", "W")

        def __init__(self):
            self.W, self.U = weight(0), weight(1)

    class OfTheClass:
        W, U = weight(0), weight(1)

    Pair = namedtuple("Pair", "W U")
    kinds = Weights(weight(0), weight(1)), Pair(weight(0), weight(1)), Cell(), Slots(), OfTheClass(), OfTheClass
    for cell in (*kinds, SimpleNamespace(W=weight(0), U=weight(1))):
        assert paths(lambda x, p=cell: rnn(x, p.W, p.U), X) == ["p.U", "p.W"]


def test_a_parameter_in_a_list_of_a_module_has_its_path_in_the_module():
    class Deep(Module):
        def __init__(self):
            self.layers = [weight(0), weight(1)]

        def __call__(self, x):
            for layer in self.layers:
                x = np.tanh(x @ layer.T)
            return x.sum()

    graph = tg.record(Deep(), X)
    assert [(step.module, step.name) for step in graph.parameters] == [("", "layers.0"), ("", "layers.1")]
    assert list(graph.backward().returned) == ["layers.1", "layers.0"]


def test_modules_in_a_list_are_called_by_their_index():
    class Layer(Module):
        def __init__(self):
            self.W = weight()

        def __call__(self, x):
            return np.tanh(x @ self.W.T)

    layers = [Layer(), Layer()]

    def model(x):
        for layer in layers:
            x = layer(x)
        return x.sum()

    assert paths(model, X) == ["layers.0.W", "layers.1.W"]


def test_arguments_in_a_nest_are_called_by_their_keys():
    params = {"W": tg.Tensor(weight().data, requires_grad=True), "cells": [weight(0), weight(1)]}
    graph = tg.record(lambda params, x: rnn(x, params["W"], params["cells"][1]), params, X)
    assert [step.path for step in graph.inputs] == ["params.W", "x"]
    assert [step.path for step in graph.parameters] == ["params.cells.0", "params.cells.1"]
    assert [step.name for step in graph.steps[:4]] == ["W", "cells.0", "cells.1", "x"]


def test_parameters_that_nothing_holds_keep_their_own_gradients():
    def model(x):
        return sum((x @ Parameter(np.full((3, 3), float(i)))).sum() for i in range(3))

    gradients = tg.record(model, X).backward().returned
    assert sorted(gradients) == ["parameter", "parameter_2", "parameter_3"]


def test_two_hundred_parameters_in_a_list_have_two_hundred_gradients():
    params = [Parameter(np.array(1.0)) for _ in range(200)]
    gradients = tg.record(lambda: sum(p * p for p in params)).backward().returned
    assert sorted(gradients) == sorted(f"params.{i}" for i in range(200))


def test_a_name_of_ten_thousand_letters_is_a_name():
    params = {"W" * 10_000: weight()}
    (step,) = tg.record(lambda x: (x @ params["W" * 10_000]).sum(), X).parameters
    assert step.name == "W" * 10_000


def test_what_lies_a_hundred_lists_deep_or_in_a_list_of_itself_has_no_name():
    W = [weight()]
    for _ in range(100):
        W = [W]
    circle = [W]
    circle.append(circle)

    def deepest(held):
        while isinstance(held, list):
            held = held[0]
        return [held][0]

    (step,) = tg.record(lambda x: (x @ deepest(circle)).sum(), X).parameters
    assert (step.name, step.label) == (None, "parameter")


def test_data_in_a_list_is_one_sequence_called_by_the_loop_or_by_the_list():
    noise = list(np.random.default_rng(1).normal(size=(5, 3)))
    W = weight()

    def in_turn(h):
        for n in noise:
            h = np.tanh(h @ W.T + n)
        return h

    def by_index(h):
        for t in range(5):
            h = np.tanh(h @ W.T + noise[t])
        return h

    for model, name in (in_turn, "n"), (by_index, "noise"):
        (sequence,) = (c for c in tg.record(model, np.ones(3)).fold().components if c.kind == "constant")
        assert (sequence.name, len(sequence.visits)) == (name, 5)


# -- where the source is from -----------------------------------------------------------------------------


def source(name):
    """A model whose result is called so. Functions of equal code are read once, so each test has a name of its own."""
    return f"import numpy as np\n\ndef function(x):\n    {name} = np.tanh(x)\n    return {name}\n"


def names(function):
    return [step.label for step in tg.record(function, np.ones(2)).steps if step.operation]


def test_executed_code_has_names_where_linecache_knows_its_source(monkeypatch):
    text = source("cell")
    monkeypatch.setitem(linecache.cache, "<cell 1>", (len(text), None, text.splitlines(keepends=True), "<cell 1>"))
    scope = {}
    exec(compile(text, "<cell 1>", "exec"), scope)
    assert names(scope["function"]) == ["cell"]


def test_what_was_typed_at_a_prompt_has_names_where_python_keeps_it(monkeypatch):
    scope = {}
    exec(source("typed"), scope)
    lines = {scope["function"].__code__: source("typed").splitlines(keepends=True)}
    monkeypatch.setattr(linecache, "_getlines_from_code", lambda code: lines.get(code, []), raising=False)
    assert names(scope["function"]) == ["typed"]


def test_a_module_in_a_zip_has_names(tmp_path, monkeypatch):
    with zipfile.ZipFile(tmp_path / "code.zip", "w") as archive:
        archive.writestr("zipped_model.py", source("zipped"))
    monkeypatch.syspath_prepend(str(tmp_path / "code.zip"))
    import zipped_model

    monkeypatch.delitem(sys.modules, "zipped_model")
    assert names(zipped_model.function) == ["zipped"]


@pytest.mark.parametrize(("name", "rest"), [("deep", "x = [" * 3000), ("null", "\0"), ("broken", "def (")])
def test_a_source_that_does_not_parse_gives_glyphs(tmp_path, name, rest):
    file = tmp_path / "model.py"
    file.write_text(source(name))
    function = runpy.run_path(str(file))["function"]
    file.write_text(source(name) + rest)
    assert names(function) == ["tanh"]


# -- what receives a value -----------------------------------------------------------------------------------


def named(function):
    """The names of what is computed in a run that are in the code."""
    return [step.name for step in tg.record(function, X).steps if step.operation is not None and step.name]


def test_what_is_appended_to_a_list_is_called_as_the_list_unless_it_has_a_name():
    def model(x):
        states, sums = [np.zeros(3)], []
        for x_t in x[:2]:
            states.append(np.tanh(states[-1] + x_t))
            total = states[-1].sum()
            sums.append(total)
        return sums[0] + sums[1]

    assert named(model) == ["states", "total"] * 2


def test_what_a_function_hands_on_to_itself_is_called_as_its_argument():
    def model(x):
        def run(h, rest):
            return h if len(rest) == 0 else run(np.tanh(rest[0] + h), rest[1:])

        return run(np.zeros(3), list(x[:2]))

    assert named(model) == ["h"] * 2


def test_a_value_without_a_name_takes_none_of_the_code():
    def model(x):
        h = {"first": np.zeros(3)}
        for x_t in x:
            z = np.tanh(x_t)
            h = {key: np.tanh(value + z) for key, value in h.items()}
        return h["first"].sum()

    assert sorted(tg.record(model, X).reading.names.values()) == ["L", "v", "x", "z"]


def test_data_of_the_code_is_called_by_its_variable_its_list_or_its_key():
    gaps = [{"gap": np.full(3, 0.1 * t)} for t in range(5)]
    noise = [np.full(3, 0.2 * t) for t in range(5)]

    def model(x):
        h = np.zeros(3)
        for t, x_t in enumerate(x):
            mask = np.full(3, t % 2 == 0)
            h = np.where(mask, h * noise[t] + x_t * gaps[t]["gap"], h) + 0.5 * noise[t]
        return h.sum()

    assert sorted(tg.record(model, X).reading.names.values()) == ["L", "gap", "h", "mask", "noise", "u", "x"]


def test_zeros_that_a_sum_starts_from_do_not_share_its_name_with_it():
    def attention(x):
        states = [np.tanh(x_t) for x_t in x]
        s = states[-1]
        for x_t in x[:3]:
            context = np.zeros(3)
            for h in states:
                context = context + np.exp(h @ s) * h
            s = np.tanh(context + x_t)
        return s.sum()

    graph = tg.record(attention, X)
    assert "context" in graph.read(projected(graph.fold())).names.values()
