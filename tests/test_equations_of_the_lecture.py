"""The equations of the lecture's models read as in the lecture, forward and backward."""

import pytest
from equations_checked import lines, record

import tinygrad_rnn as tg
from zoo.bidirectional import Bidirectional
from zoo.catalogue import CATALOGUE
from zoo.leaky import LeakyCell
from zoo.lstm import LSTMCell
from zoo.pattern_1 import Pattern1
from zoo.readout import EachStep
from zoo.skip import SkipCell


def test_pattern_1_reads_as_in_the_lecture():
    assert lines(record(Pattern1(3, 4, 4, rng=0), B=1)) == [
        "h⁽⁰⁾ = 0",
        "h⁽ᵗ⁾ = tanh(b + W h⁽ᵗ⁻¹⁾ + U x⁽ᵗ⁾)",
        "o⁽ᵗ⁾ = c + V h⁽ᵗ⁾",
        "ŷ⁽ᵗ⁾ = softmax(o⁽ᵗ⁾)",
        "L = −Σₜ y⁽ᵗ⁾ᵀ log ŷ⁽ᵗ⁾",
    ]


BPTT = [
    "∂L/∂h⁽ᵀ⁾ = Vᵀ ∂L/∂o⁽ᵀ⁾",
    "∂L/∂h⁽ᵗ⁾ = Wᵀ diag(1 − (h⁽ᵗ⁺¹⁾)²) ∂L/∂h⁽ᵗ⁺¹⁾ + Vᵀ ∂L/∂o⁽ᵗ⁾,  t < T",
    "∂L/∂V = Σₜ ∂L/∂o⁽ᵗ⁾ h⁽ᵗ⁾ᵀ",
    "∂L/∂U = Σₜ diag(1 − (h⁽ᵗ⁾)²) ∂L/∂h⁽ᵗ⁾ x⁽ᵗ⁾ᵀ",
    "∂L/∂W = Σₜ diag(1 − (h⁽ᵗ⁾)²) ∂L/∂h⁽ᵗ⁾ h⁽ᵗ⁻¹⁾ᵀ",
    "∂L/∂c = Σₜ ∂L/∂o⁽ᵗ⁾",
    "∂L/∂b = Σₜ diag(1 − (h⁽ᵗ⁾)²) ∂L/∂h⁽ᵗ⁾",
]


def test_backpropagation_through_time_of_pattern_1_is_the_lectures():
    assert lines(record(Pattern1(3, 4, 4, rng=0), B=1), "backward") == ["∂L/∂o⁽ᵗ⁾ = ŷ⁽ᵗ⁾ − y⁽ᵗ⁾", *BPTT]


def test_of_a_batch_the_equations_are_those_of_each_example_and_one_line_says_what_is_summed():
    graph = record(Pattern1(3, 4, 4, rng=0), B=2)
    assert lines(graph)[-1] == "L is the mean over the examples of the batch, B = 2"
    assert lines(graph, "backward") == [
        "∂L/∂o⁽ᵗ⁾ = 1/B (ŷ⁽ᵗ⁾ − y⁽ᵗ⁾)",
        *BPTT,
        "gradients of parameters are sums over the examples of the batch, B = 2",
    ]


@pytest.mark.parametrize(
    ("name", "loss", "gradient"),
    [
        ("pattern-1", "L = −Σₜ y⁽ᵗ⁾ᵀ log ŷ⁽ᵗ⁾", "∂L/∂o⁽ᵗ⁾ = 1/B (ŷ⁽ᵗ⁾ − y⁽ᵗ⁾)"),
        ("pattern-2", "L = −yᵀ log ŷ", "∂L/∂o = 1/B (ŷ − y)"),
        ("pattern-3", "L = 0.5 Σₜ ‖o⁽ᵗ⁾ − y⁽ᵗ⁾‖²", "∂L/∂o⁽ᵀ⁾ = 1/B (o⁽ᵀ⁾ − y⁽ᵀ⁾)"),
        ("pattern-3-classes", "L = −Σₜ y⁽ᵗ⁾ᵀ log ŷ⁽ᵗ⁾", "∂L/∂o⁽ᵗ⁾ = 1/B (ŷ⁽ᵗ⁾ − y⁽ᵗ⁾)"),
        ("pattern-4", "L = −Σₜ y⁽ᵗ⁾ᵀ log ŷ⁽ᵗ⁾", "∂L/∂o⁽ᵗ⁾ = 1/B (ŷ⁽ᵗ⁾ − y⁽ᵗ⁾)"),
    ],
)
def test_all_patterns_write_their_loss_and_its_gradient_alike(name, loss, gradient):
    model, arguments = CATALOGUE[name].example()

    def named(x, y, *others):
        return model(x, y, *others)

    graph = tg.record(named, *arguments)
    assert loss in lines(graph)
    assert lines(graph)[-1] == "L is the mean over the examples of the batch, B = 2"
    assert gradient in lines(graph, "backward")


def test_a_graph_of_both_passes_has_the_forward_equations_of_the_forward_pass():
    graph = record(EachStep(LeakyCell(3, 4, [2.0, 3, 4, 5], rng=0), 4, 4, rng=1))
    assert lines(graph.backward()) == lines(graph)
    assert lines(graph.backward(), "backward") == lines(graph, "backward")


def test_pattern_1_in_latex():
    graph = record(Pattern1(3, 4, 4, rng=0), B=1)
    assert lines(graph, format="latex")[1:4] == [
        r"h^{(t)} = \tanh\left(b + W \, h^{(t-1)} + U \, x^{(t)}\right)",
        r"o^{(t)} = c + V \, h^{(t)}",
        r"\hat{y}^{(t)} = \operatorname{softmax}\left(o^{(t)}\right)",
    ]
    gradient = r"\frac{\partial L}{\partial h^{(t%s)}}"
    diagonal = r"\operatorname{diag}\left(1 - {\left(h^{(t+1)}\right)}^{2}\right)"
    assert lines(graph, "backward", "latex")[2] == (
        gradient % "" + r" = W^{\top} \, " + diagonal + r" \, " + gradient % "+1" + r" + V^{\top} \, "
        r"\frac{\partial L}{\partial o^{(t)}}, \quad t < T"
    )


def test_the_lstm_reads_as_in_the_lecture():
    assert lines(record(EachStep(LSTMCell(3, 4, rng=0), 4, 4, rng=1)))[:9] == [
        "h⁽⁰⁾ = 0",
        "g⁽ᵗ⁾ = σ(Uᵍ x⁽ᵗ⁾ + Wᵍ h⁽ᵗ⁻¹⁾)",
        "f⁽ᵗ⁾ = σ(Uᶠ x⁽ᵗ⁾ + Wᶠ h⁽ᵗ⁻¹⁾)",
        "q⁽ᵗ⁾ = σ(Uᵒ x⁽ᵗ⁾ + Wᵒ h⁽ᵗ⁻¹⁾)",
        "a⁽ᵗ⁾ = U x⁽ᵗ⁾ + W h⁽ᵗ⁻¹⁾",
        "s⁽⁰⁾ = 0",
        "s⁽ᵗ⁾ = f⁽ᵗ⁾ ⊙ s⁽ᵗ⁻¹⁾ + g⁽ᵗ⁾ ⊙ tanh(a⁽ᵗ⁾)",
        "h⁽ᵗ⁾ = q⁽ᵗ⁾ ⊙ tanh(s⁽ᵗ⁾)",
        "o⁽ᵗ⁾ = c + V h⁽ᵗ⁾",
    ]


def test_the_memory_of_an_lstm_passes_its_gradient_on_through_the_forget_gate():
    backward = lines(record(EachStep(LSTMCell(3, 4, rng=0), 4, 4, rng=1)), "backward")
    assert "∂L/∂s⁽ᵗ⁾ = diag(f⁽ᵗ⁺¹⁾) ∂L/∂s⁽ᵗ⁺¹⁾ + diag((1 − tanh(s⁽ᵗ⁾)²) ⊙ q⁽ᵗ⁾) ∂L/∂h⁽ᵗ⁾,  t < T" in backward
    assert "∂L/∂Wᶠ = Σₜ diag(f⁽ᵗ⁾ ⊙ (1 − f⁽ᵗ⁾)) ∂L/∂f⁽ᵗ⁾ h⁽ᵗ⁻¹⁾ᵀ" in backward


def test_a_leaky_unit_reads_as_in_the_lecture():
    assert (
        lines(record(EachStep(LeakyCell(3, 4, 2.0, rng=0), 4, 4, rng=1)))[1]
        == "h⁽ᵗ⁾ = (1 − 1/α) ⊙ h⁽ᵗ⁻¹⁾ + (1/α) ⊙ tanh(b + W h⁽ᵗ⁻¹⁾ + U x⁽ᵗ⁾)"
    )


def test_a_skip_connection_reaches_d_steps_back_and_its_gradient_d_steps_ahead():
    graph = record(EachStep(SkipCell(3, 4, 3, rng=0), 4, 4, rng=1), T=7)
    assert lines(graph)[:4] == [
        "h⁽⁰⁾ = 0",
        "h⁽⁻¹⁾ = 0",
        "h⁽⁻²⁾ = 0",
        "h⁽ᵗ⁾ = tanh(b + W h⁽ᵗ⁻¹⁾ + R h⁽ᵗ⁻³⁾ + U x⁽ᵗ⁾)",
    ]
    conditions = [line.partition(",  ")[2] for line in lines(graph, "backward") if "∂L/∂h⁽ᵗ⁾ =" in line]
    assert conditions == ["T − 2 ≤ t < T", "t < T − 2"]


def test_in_a_loop_that_runs_backward_the_past_is_ahead_and_the_gradient_comes_from_behind():
    graph = record(Bidirectional(3, 4, 4, rng=0))
    assert lines(graph)[2:4] == ["g⁽ᵀ⁺¹⁾ = 0", "g⁽ᵗ⁾ = tanh(d + R g⁽ᵗ⁺¹⁾ + S x⁽ᵗ⁾)"]
    assert "∂L/∂g⁽¹⁾ = Qᵀ ∂L/∂o⁽¹⁾" in lines(graph, "backward")
    assert "∂L/∂g⁽ᵗ⁾ = Qᵀ ∂L/∂o⁽ᵗ⁾ + Rᵀ diag(1 − (g⁽ᵗ⁻¹⁾)²) ∂L/∂g⁽ᵗ⁻¹⁾,  t > 1" in lines(graph, "backward")
