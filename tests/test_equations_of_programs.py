"""What the equations of other programs read like: cases, switches, names, sums over the batch."""

import numpy as np
import pytest
import test_fold_backward_passes
import test_fold_loops
from equation_programs import (
    Attention,
    Einsum,
    EncoderDecoder,
    Fused,
    Hoisted,
    Stacked,
    Standardised,
    Tied,
    parameter,
    switching,
)
from equations_checked import holds, lines, record

import tinygrad_rnn as tg
from tinygrad_rnn.nn.modules import Parameter


@pytest.mark.parametrize("program", [Attention, Einsum])
def test_attention_is_a_product_with_all_states_however_it_is_computed(program):
    assert lines(record(program()))[2:8] == [
        "H = (h⁽¹⁾, …, h⁽ⁿ⁾)ᵀ",
        "s⁽⁰⁾ = h⁽ⁿ⁾",
        "e⁽ᵗ⁾ = H A s⁽ᵗ⁻¹⁾",
        "α⁽ᵗ⁾ = softmax(e⁽ᵗ⁾)",
        "c⁽ᵗ⁾ = Hᵀ α⁽ᵗ⁾",
        "s⁽ᵗ⁾ = tanh(b_decoder + W_decoder s⁽ᵗ⁻¹⁾ + U_decoder c⁽ᵗ⁾)",
    ]


A, B, C = (Parameter(np.random.default_rng(seed).normal(size=(3, 3)) / 2) for seed in range(3))


def two_starts(x):
    """One state that is two different things after the first step."""
    p = q = np.zeros(3)
    L = 0
    for t, x_t in enumerate(x):
        h = np.tanh(x_t @ A.T + q @ C.T + p @ B.T)
        if t == 0:
            p, q = h, 2 * h
        else:
            h = h + x_t
            p = q = h
        L = L + h.sum()
    return L


def test_what_leads_back_to_itself_without_a_name_is_given_one():
    graph = tg.record(two_starts, np.random.default_rng(0).normal(size=(6, 3)))
    assert lines(graph)[0] == (
        "z⁽ᵗ⁾ = tanh(A x⁽ᵗ⁾ + C {h⁽ᵗ⁻¹⁾ at t = 3, 4, 5, 6; 0 at t = 1; 2 z⁽¹⁾ at t = 2} + B h⁽ᵗ⁻¹⁾)"
    )
    assert holds(graph)
    assert holds(graph, "backward")


def of_program(program, which):
    return lines(tg.record(program, np.random.default_rng(0).normal(size=(8, 3))), which)


def test_what_stands_in_for_a_state_at_the_first_step_shares_the_equation_of_its_gradient():
    after_the_first = test_fold_backward_passes._after_the_first_step
    assert of_program(after_the_first, "forward")[1:] == [
        "h⁽⁰⁾ = 0",
        "h⁽¹⁾ = tanh(A x⁽¹⁾ + B h⁽⁰⁾)",
        "h⁽ᵗ⁾ = tanh(A x⁽ᵗ⁾ + B h⁽ᵗ⁻¹⁾) + x⁽ᵗ⁾,  t > 1",
    ]
    assert of_program(after_the_first, "backward")[:2] == [
        "∂L/∂h⁽ᵀ⁾ = 𝟏",
        "∂L/∂h⁽ᵗ⁾ = Bᵀ diag(1 − tanh(A x⁽ᵗ⁺¹⁾ + B h⁽ᵗ⁾)²) ∂L/∂h⁽ᵗ⁺¹⁾ + 𝟏,  t < T",
    ]


def test_a_state_whose_last_step_is_not_read_has_a_gradient_before_that():
    conditions = [
        line for line in of_program(test_fold_backward_passes._learned_memory, "backward") if "∂L/∂s₂⁽ᵗ⁾ =" in line
    ]
    assert [line.partition(",  ")[2] for line in conditions] == ["t < T − 1"]


def test_a_gradient_that_is_passed_on_unchanged_is_called_by_its_name_at_the_step_it_came_from():
    assert of_program(test_fold_backward_passes._running_mean, "backward")[1].startswith("∂L/∂m⁽ᵗ⁾ = ∂L/∂m⁽ᵗ⁺¹⁾ − ")


def test_a_value_that_is_the_gradient_of_two_variables_at_their_ends_makes_no_case_of_its_own():
    lines = of_program(test_fold_loops._two_layers_of_both_directions, "backward")
    assert lines[3] == "∂L/∂h₂⁽ᵗ⁾ = 𝟏 + W₂ᵀ diag(1 − (h₂⁽ᵗ⁺¹⁾)²) ∂L/∂h₂⁽ᵗ⁺¹⁾,  t < T"


def test_a_parameter_called_b_is_not_the_number_of_examples():
    def model(x):
        h = np.tanh(x @ B.T)
        L = (h * h).mean(axis=0).sum()
        return L

    graph = tg.record(model, np.random.default_rng(0).normal(size=(5, 3)))
    assert holds(graph)
    assert holds(graph, "backward")
    assert lines(graph)[-1] == "L is the mean over the examples of the batch, N = 5"


def test_the_state_after_an_encoder_is_the_last_one_with_a_letter_for_each_length():
    graph = record(EncoderDecoder())
    assert "s⁽ᵗ⁾ = tanh(b_decoder + W_decoder s⁽ᵗ⁻¹⁾ + U_decoder h⁽ⁿ⁾)" in lines(graph)
    assert "∂L/∂h⁽ⁿ⁾ = Σₜ U_decoderᵀ diag(1 − (s⁽ᵗ⁾)²) ∂L/∂s⁽ᵗ⁾" in lines(graph, "backward")
    assert "∂L/∂V = 1/B Σₜ (ŷ⁽ᵗ⁾ − y⁽ᵗ⁾) s⁽ᵗ⁾ᵀ" in lines(graph, "backward")


def test_layers_of_one_code_are_told_apart_by_their_modules():
    assert "h₁⁽ᵗ⁾ = tanh(b₁ + W₁ h₁⁽ᵗ⁻¹⁾ + U₁ h₀⁽ᵗ⁾)" in [
        line.replace("value", "h") for line in lines(record(Stacked()))
    ]


def test_a_weight_that_is_used_twice_gathers_the_gradients_of_both_uses():
    (line,) = (line for line in lines(record(Tied()), "backward") if line.startswith("∂L/∂W ="))
    assert line == (
        "∂L/∂W = Σₜ diag(1 − (h⁽ᵗ⁾)²) ∂L/∂h⁽ᵗ⁾ tanh(W h⁽ᵗ⁻¹⁾)ᵀ"
        " + Σₜ diag(1 − tanh(W h⁽ᵗ⁻¹⁾)²) Wᵀ diag(1 − (h⁽ᵗ⁾)²) ∂L/∂h⁽ᵗ⁾ h⁽ᵗ⁻¹⁾ᵀ"
    )


def test_the_gradients_of_the_pieces_of_a_split_are_joined_again():
    assert "∂L/∂b = Σₜ [∂L/∂i⁽ᵗ⁾; ∂L/∂f⁽ᵗ⁾; ∂L/∂o⁽ᵗ⁾; ∂L/∂n⁽ᵗ⁾]" in lines(record(Fused()), "backward")


def test_a_learned_start_is_the_first_state_and_gets_its_gradient():
    assert lines(record(Fused()))[0] == "h⁽⁰⁾ = start"
    assert "∂L/∂start = Wᵀ [∂L/∂i⁽¹⁾; ∂L/∂f⁽¹⁾; ∂L/∂o⁽¹⁾; ∂L/∂n⁽¹⁾]" in lines(record(Fused()), "backward")


def test_what_is_computed_before_the_loop_is_a_matrix_with_a_row_for_each_step():
    forward, backward = lines(record(Hoisted())), lines(record(Hoisted()), "backward")
    assert forward[0] == "X = x Uᵀ"
    assert "h⁽ᵗ⁾ = relu(X⁽ᵗ⁾ + W h⁽ᵗ⁻¹⁾)" in forward
    assert "∂L/∂X = (diag(h⁽¹⁾ > 0) ∂L/∂h⁽¹⁾, …, diag(h⁽ᵀ⁾ > 0) ∂L/∂h⁽ᵀ⁾)ᵀ" in backward
    assert "∂L/∂U = (∂L/∂X)ᵀ x" in backward


def test_a_mean_over_the_batch_in_the_middle_of_a_step_is_a_sum_over_the_examples():
    forward = lines(record(Standardised()))
    assert any("1/B Σᵢ" in line for line in forward)
    assert forward[-1] == "i counts the examples of the batch, B = 2"


def test_what_cannot_be_said_for_one_example_says_so():
    def flattened(x, y):
        h = np.tanh(x[0] @ parameter(4, 3).T)
        z = np.reshape(h, -1)
        return z

    assert lines(record(flattened)) == ["h = tanh(W x[0])", "z = reshape(h of all examples)"]


def test_a_switch_gives_the_steps_of_each_choice():
    assert lines(record(switching))[1] == "o⁽ᵗ⁾ = tanh(W {x⁽ᵗ⁾ at t = 2, 3, 5; o⁽ᵗ⁻¹⁾ at t = 1, 4} + 1)"


def test_a_running_sum_that_is_read_at_every_step_is_a_recurrence():
    def cumulative(x):
        s = np.zeros(3)
        outputs = []
        for x_t in x:
            s = s + x_t
            outputs.append(np.tanh(s))
        return tg.stack(outputs)

    assert "s⁽ᵗ⁾ = s⁽ᵗ⁻¹⁾ + x⁽ᵗ⁾" in lines(tg.record(cumulative, np.ones((4, 3))))


def test_a_transposed_weight_with_a_name_of_its_own_is_still_the_weight():
    def model(x):
        W = parameter(3, 3)
        WT = W.T
        h = np.zeros(3)
        for x_t in x:
            h = np.tanh(h @ WT + x_t)
        return h

    assert lines(tg.record(model, np.ones((4, 3))))[1] == "h⁽ᵗ⁾ = tanh(W h⁽ᵗ⁻¹⁾ + x⁽ᵗ⁾)"


def test_numbers_of_the_code_without_a_name_are_told_where_they_are_few():
    masked = test_fold_loops._every_other_step_by_a_mask
    assert of_program(masked, "forward")[-1] == "const⁽ᵗ⁾ = {1 at t = 1, 3, 5, 7; 0 at t = 2, 4, 6, 8}"
    discounted = test_fold_backward_passes._discounted
    assert of_program(discounted, "forward")[-1] == "const⁽ᵗ⁾ is given by the code, for each step"


def test_an_element_of_a_product_of_all_states_is_the_product_of_elements():
    def program(x):
        h, hs = np.zeros(3), []
        for x_t in x:
            h = np.tanh(h @ A.T + x_t)
            hs.append(h)
        L = (tg.stack(hs) * tg.stack(hs) * tg.stack([v + b for v in hs])).sum()
        return L

    b = parameter(3)
    assert of_program(program, "backward")[0] == "∂L/∂z⁽ᵗ⁾ = (h⁽ᵗ⁾)²"  # z is v + b
    assert holds(tg.record(program, np.ones((5, 3))), "backward")
