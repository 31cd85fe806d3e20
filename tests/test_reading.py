"""A circuit is read once: its diagram, its equations and the explorer's page call everything by the same name."""

import re
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import NamedTuple

import equation_programs
import numpy as np
import pytest
import test_fold_loops
from equations_checked import holds
from equations_checked import record as recorded

import tinygrad_rnn as tg
import viz
from tinygrad_rnn.nn.modules import Module, Parameter
from tinygrad_rnn.tracing.circuit import FoldError
from tinygrad_rnn.tracing.notation import name
from viz.equations import read
from viz.equations.latex import _name as in_latex
from viz.equations.terms import symbols
from viz.explorer.playback import Playback, passes
from viz.labels import label, typeset
from zoo.catalogue import CATALOGUE

X = np.random.default_rng(0).normal(size=(5, 3))


def weight(*shape, seed=0):
    return Parameter(np.random.default_rng(seed).normal(size=shape or (3, 3)) / 2)


# -- a diagram and the equations agree ------------------------------------------------------------------------


def in_equations(graph):
    found = {s.variable.name for e in read(graph, "forward").equations for t in (e.left, e.right) for s in symbols(t)}
    return {typeset(name) for name in found}


def in_diagram(graph):
    """The names in a diagram: of vertices without their steps, and on arrows without "t = T" and factors like 1 − α.

    An argument that is not used is drawn, and has no equation.
    """
    diagram = viz.circuit(graph)
    joined = {end for arrow in diagram.arrows for end in (arrow.tail, arrow.head)}
    shown = [v.label for v in diagram.vertices if v.kind not in ("delay", "anchor", "operation") and v.id in joined]
    written = [part for arrow in diagram.arrows for part in arrow.label.split(", ")]
    weights = [part for part in written if part and not re.search(r"[ \d.]", part)]
    return {re.sub(r"⁽[^⁾]*⁾$|^\[|\]$", "", text) for text in shown} | set(weights)


@pytest.mark.parametrize("model", [model for model in CATALOGUE if not model.startswith("recursive")])
def test_a_diagram_of_the_catalogue_has_no_name_that_the_equations_do_not_have(model):
    module, arguments = CATALOGUE[model].example()
    graph = tg.record(module, *arguments)
    assert in_diagram(graph) <= in_equations(graph)


@pytest.mark.parametrize("program", equation_programs.PROGRAMS, ids=lambda p: getattr(p, "__name__", type(p).__name__))
def test_a_diagram_of_a_program_has_no_name_that_the_equations_do_not_have(program):
    graph = recorded(program)
    assert in_diagram(graph) <= in_equations(graph)


@pytest.mark.parametrize("program", test_fold_loops.USUAL)
def test_a_diagram_of_a_usual_loop_has_no_name_that_the_equations_do_not_have(program):
    graph = tg.record(program, np.random.default_rng(0).normal(size=(8, 3)))
    assert in_diagram(graph) <= in_equations(graph)


@pytest.mark.parametrize("model", CATALOGUE)
def test_no_two_variables_of_a_model_are_set_alike(model):
    module, arguments = CATALOGUE[model].example()
    graph = tg.record(module, *arguments)
    try:
        names = graph.reading.names
    except FoldError:
        return
    assert len({name(text) for text in names.values()}) == len({typeset(text) for text in names.values()}) == len(names)


# -- what is called how ---------------------------------------------------------------------------------------


class PyTorchStyle(Module):
    """A model with `forward`, a layer that embeds, a cell of one's own and a layer for the output."""

    def __init__(self):
        self.emb = tg.Linear(3, 4, bias=False, rng=0)
        self.layers = [tg.Linear(4, 4, rng=1), tg.Linear(4, 4, rng=2)]
        self.fc = tg.Linear(4, 2, rng=3)

    def forward(self, x):
        h = np.zeros(4)
        L = 0
        for x_t in x:
            v = self.emb(x_t)
            h = np.tanh(self.layers[0](v) + self.layers[1](h))
            o = self.fc(h)
            L = L + (o * o).sum()
        return L


def test_the_weight_of_a_layer_is_called_by_the_attribute_that_holds_the_layer():
    graph = tg.record(PyTorchStyle(), X)
    assert viz.equations(graph).splitlines() == [
        "v⁽ᵗ⁾ = emb x⁽ᵗ⁾",
        "h⁽⁰⁾ = 0",
        "h⁽ᵗ⁾ = tanh(layers₀ v⁽ᵗ⁾ + b_layers₀ + layers₁ h⁽ᵗ⁻¹⁾ + b_layers₁)",
        "o⁽ᵗ⁾ = fc h⁽ᵗ⁾ + b_fc",
        "L = Σₜ ‖o⁽ᵗ⁾‖²",
    ]
    assert in_diagram(graph) == {"x", "v", "h", "o", "L", "emb", "layers₀", "layers₁", "fc"}
    assert holds(graph)
    assert holds(graph, "backward")


def test_the_result_inside_a_layer_of_the_library_is_called_by_what_the_model_makes_of_it():
    graph = tg.record(lambda x, fc: fc(x).sum(), X, tg.Linear(3, 2, rng=0))
    assert [step.label for step in graph.steps if step.operation] == ["ᵀ", "@", "+", "Σ"]
    assert viz.equations(graph).splitlines()[0].startswith("L = ")


def test_a_model_that_is_a_layer_has_the_weight_w_and_the_bias_b():
    graph = tg.record(tg.Linear(3, 2, rng=0), X)
    assert viz.equations(graph) == "output = W x + b"


def test_a_bias_beside_which_there_is_no_weight_keeps_its_name():
    class Cell(Module):
        def __init__(self):
            self.kernel, self.bias = weight(), weight(3)

        def forward(self, x):
            return np.tanh(x @ self.kernel + self.bias).sum()

    cell = Cell()
    assert [*tg.record(lambda x: cell(x), X).reading.names.values()] == ["x", "kernel", "bias", "L"]


def test_arguments_that_have_no_name_in_a_nest_are_called_as_the_code_calls_them_where_it_reads_them():
    W = weight()

    def model(pairs, rest):
        h, ((u, v), w) = np.zeros(3), rest
        for x, y in pairs:
            h = np.tanh(h @ W + x * u - y * v)
        return (h * w).sum()

    pairs, rest = list(zip(X, X[::-1], strict=True)), ((X[0], X[1]), X[2])
    names = [*tg.record(model, pairs, rest).reading.names.values()]
    assert sorted(names) == ["L", "W", "h", "u", "v", "w", "x", "y"]


@dataclass
class Counted:
    h: object
    steps: int = 0


class Cells(NamedTuple):
    h: object
    c: object


@pytest.mark.parametrize(
    ("start", "step"),
    [
        (Counted(X[0]), lambda state, x: Counted(np.tanh(x + state.h))),
        (Counted(X[0]), lambda state, x: replace(state, h=np.tanh(x + state.h))),
        (Cells(X[0], 0), lambda state, x: state._replace(h=np.tanh(x + state.h))),
        (SimpleNamespace(h=X[0]), lambda state, x: SimpleNamespace(h=np.tanh(x + state.h))),
        ({"h": X[0]}, lambda state, x: {"h": np.tanh(x + state["h"])}),
    ],
)
def test_a_state_that_only_a_field_or_a_key_names_is_called_by_that(start, step):
    def model(x):
        state = start
        for x_t in x:
            state = step(state, x_t)
        return (state["h"] if isinstance(state, dict) else state.h).sum()

    assert sorted(tg.record(model, X).reading.names.values()) == ["L", "h", "x"]


def test_the_t_of_a_name_is_the_step():
    W = weight()

    def model(x):
        h_prev = c = dt = np.zeros(3)
        for xt in x:
            ht = np.tanh(xt @ W + h_prev)
            c_t = np.tanh(c * ht)
            dt = np.sin(dt - c_t)
            h_prev, c = ht, c + c_t
        return (dt * c).sum()

    names = [*tg.record(model, X).reading.names.values()]
    assert sorted(names) == ["L", "W", "c", "c_t", "dt", "h", "x"]
    assert "h⁽ᵗ⁾ = tanh(Wᵀ x⁽ᵗ⁾ + h⁽ᵗ⁻¹⁾)" in viz.equations(tg.record(model, X)).splitlines()


def test_matrices_in_a_list_are_called_by_its_name_and_their_index():
    params = [weight(seed=i) for i in range(3)]

    def model(x):
        h = np.zeros(3)
        for x_t in x:
            h = np.tanh(x_t @ params[0].T + h @ params[1].T)
        o = h @ params[2].T
        return o

    graph = tg.record(model, X)
    assert viz.equations(graph).splitlines() == [
        "h⁽⁰⁾ = 0",
        "h⁽ᵗ⁾ = tanh(params₀ x⁽ᵗ⁾ + params₁ h⁽ᵗ⁻¹⁾)",
        "o = params₂ h⁽ᵀ⁾",
    ]
    assert {"params₀", "params₁", "params₂"} <= in_diagram(graph)


class Pair(Module):
    """Two modules with a W each."""

    def __init__(self):
        self.encoder, self.decoder = equation_programs.Cell(3, 3), equation_programs.Cell(3, 3)

    def __call__(self, x):
        h = np.zeros(3)
        for x_t in x:
            h = self.encoder(x_t, h)
        s = np.zeros(3)
        L = 0
        for _ in x:
            s = self.decoder(h, s)
            L = L + (s * s).sum()
        return L


def test_the_weights_of_two_modules_have_one_name_in_diagram_equations_and_page():
    graph = tg.record(Pair(), X)
    names = {f"{w}_{part}" for w in "UW" for part in ("encoder", "decoder")}
    assert names <= in_diagram(graph)
    assert names <= in_equations(graph)
    forward, both, _ = passes(graph)
    labels = [c.label for c in Playback(forward, both, viz.circuit(forward), viz.unfolded(forward)).components]
    assert names | {"b_encoder", "b_decoder"} <= set(labels)
    assert len(set(labels)) == len(labels)


def test_the_weights_of_layers_run_by_one_code_have_the_index_of_the_layer():
    layers = [equation_programs.Cell(3, 3), equation_programs.Cell(3, 3)]

    def model(x):
        states = [np.zeros(3), np.zeros(3)]
        for v in x:
            for i, layer in enumerate(layers):
                v = states[i] = layer(v, states[i])
        return v

    names = set(tg.record(model, X).reading.names.values())
    assert {"W_0", "W_1", "U_0", "U_1", "b_0", "b_1"} <= names


def test_where_modules_differ_in_several_places_all_of_them_are_told():
    class Tower(Module):
        def __init__(self):
            self.layers = [equation_programs.Cell(3, 3), equation_programs.Cell(3, 3)]

        def __call__(self, v):
            for layer in self.layers:
                v = layer(v, np.zeros(3))
            return v

    left, right = Tower(), Tower()
    graph = tg.record(lambda x: left(x) + right(x), X[0])
    weights = {text for text in graph.reading.names.values() if text.startswith("W")}
    assert weights == {"W_left.0", "W_left.1", "W_right.0", "W_right.1"}
    assert {typeset(text) for text in weights} == {"W_left₀", "W_left₁", "W_right₀", "W_right₁"}


def test_a_sum_that_is_read_at_every_step_is_a_recurrence_in_the_diagram_as_in_the_equations():
    def cumulative(x):
        s, outputs = np.zeros(3), []
        for x_t in x:
            s = s + x_t
            outputs.append(np.tanh(s))
        return tg.stack(outputs)

    graph = tg.record(cumulative, X)
    diagram = viz.circuit(graph)
    assert "s⁽ᵗ⁾ = s⁽ᵗ⁻¹⁾ + x⁽ᵗ⁾" in viz.equations(graph)
    (delay,) = (v.id for v in diagram.vertices if v.kind == "delay")
    labels = {v.id: v.label for v in diagram.vertices}
    assert {labels[a.head] for a in diagram.arrows if a.tail == delay} == {"s"}


# -- how a name is set ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "unicode", "latex"),
    [
        ("Ug", "Uᵍ", "U^{g}"),
        ("Wβ", "Wᵝ", "W^{β}"),
        ("wc", "wᶜ", "w^{c}"),
        ("W_xi", "W_xi", "W_{xi}"),
        ("Wx", "W_x", "W_{x}"),
        ("Wxh", "W_xh", "W_{xh}"),
        ("C_tilde", "C̃", r"\tilde{C}"),
        ("C_tilda", "C̃", r"\tilde{C}"),
        ("y_hat", "ŷ", r"\hat{y}"),
        ("ŷ", "ŷ", r"\hat{y}"),
        ("h_prev", "h_prev", r"h_{\textit{prev}}"),
        ("alpha", "α", "α"),
        ("Gamma_1", "Γ₁", "Γ_{1}"),
        ("h1", "h₁", "h_{1}"),
        ("fc10", "fc₁₀", r"\textit{fc}_{10}"),
        ("params.0", "params₀", r"\textit{params}_{0}"),
        ("layers.0.1", "layers₀,₁", r"\textit{layers}_{0, 1}"),
        ("Ws.0", "Ws₀", r"\textit{Ws}_{0}"),
        ("W_encoder.1", "W_encoder₁", r"W_{\textit{encoder}, 1}"),
        ("U₀′", "U₀′", r"U_{0}^{\prime }"),
        ("b_fc", "b_fc", "b_{fc}"),
        ("dA", "dA", r"\textit{dA}"),
        ("LSTM", "LSTM", r"\textit{LSTM}"),
        ("loss", "loss", r"\textit{loss}"),
        ("hs", "hs", r"\textit{hs}"),
        ("隠れ層", "隠れ層", r"\textit{隠れ層}"),
        ("__", "__", r"\mathit{\_\_}"),
        ("7", "7", "7"),
    ],
)
def test_a_name_is_set_as_in_a_textbook(written, unicode, latex):
    assert typeset(written) == unicode
    assert in_latex(written) == latex


def test_a_gate_and_a_step_are_raised_together():
    assert in_latex("wc", "(t)") == "w^{c(t)}"


def test_names_that_are_set_alike_are_told_apart():
    W = weight()

    def model(x):
        h1 = np.tanh(x @ W)
        h_1 = np.tanh(h1 @ W)
        L = (h1 * h_1).sum()
        return L

    names = tg.record(model, X).reading.names.values()
    assert sorted(names) == ["L", "W", "h1_1", "h_1_2", "x"]


def test_two_hundred_parameters_of_a_list_are_told_apart():
    params = [Parameter(np.array(1.0 + i)) for i in range(200)]

    def model():
        y = sum(p * p for p in params)
        return y

    graph = tg.record(model)
    assert {f"params.{i}" for i in range(200)} < set(graph.reading.names.values())


@pytest.mark.parametrize("long", ["W" * 10_000, "a_" * 5_000, "_" * 10_000, "1" * 10_000, "é" * 10_000, ".", "_"])
def test_a_name_of_ten_thousand_letters_is_set_short(long):
    held = {long: weight(), "U": weight(seed=1)}

    def model(x):
        h = np.zeros(3)
        for x_t in x:
            h = np.tanh(x_t @ held["U"].T + h @ held[long].T)
        L = (h * h).sum()
        return L

    graph = tg.record(model, X)
    assert max(map(len, viz.equations(graph).splitlines())) < 300
    assert max(map(len, viz.equations(graph).latex.splitlines())) < 600
    assert "<svg" in viz.circuit(graph)._repr_svg_()


def test_what_has_no_name_is_labelled_by_its_operation_or_its_number():
    graph = tg.record(lambda x: np.tanh(x) * 0.5, X)
    assert [label(c, graph.reading) for c in graph.fold().components] == ["x", "tanh", "0.5", "output"]
