"""What the equations of other programs read like: cases, switches, names, sums over the batch."""

import numpy as np
import pytest
import test_fold_backward_passes
import test_fold_loops
import test_fold_nests
import test_fold_refusals
from equation_programs import (
    Additive,
    Attention,
    Columns,
    Einsum,
    EncoderDecoder,
    Fused,
    Hoisted,
    Memory,
    OfFour,
    Rows,
    Stacked,
    Standardised,
    Tied,
    parameter,
    repeated,
    switching,
)
from equations_checked import holds, lines, record
from programs import PROGRAMS

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
    assert "z⁽ᵗ⁾ = tanh(A x⁽ᵗ⁾ + C h⁽ᵗ⁻¹⁾ + B {z⁽ᵗ⁻¹⁾ if t = 2; h⁽ᵗ⁻¹⁾ otherwise})" in lines(graph)
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
    assert lines[3] == "∂L/∂h₂⁽ᵗ⁾ = 𝟏 + Cᵀ diag(1 − (h₂⁽ᵗ⁺¹⁾)²) ∂L/∂h₂⁽ᵗ⁺¹⁾,  t < T"


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

    assert lines(record(flattened)) == ["h = tanh(W x₁)", "z = reshape(h of all examples)"]


def test_a_switch_gives_the_steps_of_each_choice():
    assert lines(record(switching))[1] == "o⁽ᵗ⁾ = tanh(W {o⁽ᵗ⁻¹⁾ if t = 1, 4; x⁽ᵗ⁾ otherwise} + 1)"


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
    assert of_program(masked, "forward")[-1] == "u⁽ᵗ⁾ = {1 if t odd; 0 if t even}"
    discounted = test_fold_backward_passes._discounted
    assert of_program(discounted, "forward")[-1] == "u⁽ᵗ⁾ is given by the code, for each step"


def test_numbers_of_the_code_that_count_the_steps_are_told_by_their_rule():
    mean = test_fold_backward_passes._running_mean
    assert of_program(mean, "forward")[-1] == "u⁽ᵗ⁾ = t"
    assert of_program(mean, "backward")[-1] == "u₂⁽ᵗ⁾ = 1/t"


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


@pytest.mark.parametrize(
    ("divisor", "loss", "what"),
    [(1, "", "sum"), (2, "", "mean"), (4, "0.5 ", "mean"), (5, "0.2 ", "sum"), (3, "1/3 ", "sum")],
)
def test_a_sum_divided_by_a_multiple_of_the_number_of_examples_is_a_mean_and_by_that_of_steps_is_not(
    divisor, loss, what
):
    def model(x, y):
        h = np.zeros(x.shape[1:])
        for x_t in x:
            h = np.tanh(h @ A.T + x_t)
        L = (h * h).sum() / divisor
        return L

    graph = record(model)
    assert lines(graph)[-2:] == [f"L = {loss}‖h⁽ᵀ⁾‖²", f"L is the {what} over the examples of the batch, B = 2"]
    assert holds(graph)
    assert holds(graph, "backward")


def test_the_gradient_of_labels_as_rows_is_that_of_labels_as_numbers():
    assert "∂L/∂o⁽ᵗ⁾ = 1/B (ŷ⁽ᵗ⁾ − y_t⁽ᵗ⁾)" in lines(record(Rows()), "backward")


def test_elements_and_slices_that_move_with_the_step_say_so():
    assert "h⁽ᵗ⁾ = tanh(W h⁽ᵗ⁻¹⁾ + x[t, 1, 2] w + x[t, 2, 3] v)" in lines(record(Columns()))
    assert "∂L/∂outputs⁽ᵗ⁾ = (0.1 (ŷ − reshape(y)))₂ₜ₋₁:₂ₜ" in lines(record(OfFour()), "backward")


def test_attention_on_arrays_of_three_axes_reads_as_that_on_matrices():
    forward = lines(record(Additive()))
    assert "scores⁽ᵗ⁾ = tanh(s⁽ᵗ⁻¹⁾ᵀ Wᵃᵀ + keys) va" in forward
    assert "c⁽ᵗ⁾ = Hᵀ α⁽ᵗ⁾" in forward


def test_a_rotation_is_written_in_its_pieces():
    forward = lines(record(Memory()))
    assert "before⁽ᵗ⁾ = [wᵍ⁽ᵗ⁾₅; wᵍ⁽ᵗ⁾₁:₄]" in forward
    assert "v⁽ᵗ⁾ = s⁽ᵗ⁾₁ [wᵍ⁽ᵗ⁾₂:₅; wᵍ⁽ᵗ⁾₁] + s⁽ᵗ⁾₂ wᵍ⁽ᵗ⁾ + s⁽ᵗ⁾₃ before⁽ᵗ⁾" in forward


def test_the_gradient_of_an_array_of_all_states_is_read_step_by_step():
    def model(x):
        h, hs = np.zeros(3), []
        for x_t in x:
            h = np.tanh(A @ h + x_t)
            hs.append(h)
        out = tg.stack(hs)
        L = (out * out).sum()
        return L

    assert of_program(model, "backward")[:2] == ["∂L/∂out = 2 out", "∂L/∂h⁽ᵀ⁾ = ∂L/∂out⁽ᵀ⁾"]


# -- nests of loops, and loops of several paces ------------------------------------------------------------------


def of_the_corpus(name, which="forward"):
    function, *arguments = PROGRAMS[name].example(PROGRAMS[name].lengths[0])
    return lines(tg.record(function, *arguments), which)


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("every-second-element", "h⁽ᵗ⁾ = tanh(U x⁽²ᵗ⁻¹⁾ + W h⁽ᵗ⁻¹⁾ + b)"),
        ("chunks", "h⁽ᵗʼˢ⁾ = tanh(U x⁽³ᵗ⁺ˢ⁻³⁾ + W h⁽ᵗʼˢ⁻¹⁾)"),
        ("viterbi", "v⁽ᵗ⁾ = max(v⁽ᵗ⁻¹⁾ + transitions, axis = 0) + emissions⁽ᵗ⁺¹⁾"),
    ],
)
def test_an_element_is_called_by_its_step_also_in_a_slice_and_when_some_are_passed_over(name, line):
    assert line in of_the_corpus(name)


def test_what_is_read_from_the_other_end_or_at_every_second_step_has_a_step_of_its_own():
    assert of_program(test_fold_nests._mirror, "forward") == ["z⁽ᵗ⁾ = tanh(A x⁽ᵗ⁾)", "L = Σₜ z⁽ᵗ⁾ᵀ z⁽ᵀ⁻ᵗ⁺¹⁾"]
    assert of_program(test_fold_nests._pyramid, "forward")[-1] == "L = Σₜ 𝟏ᵀ tanh(B z⁽²ᵗ⁻¹⁾ + C z⁽²ᵗ⁾)"


def test_a_reversed_array_is_read_from_its_own_beginning():
    def model(x):
        h = np.zeros(3)
        for x_t in x[::-1]:
            h = np.tanh(A @ h + x_t)
        return h

    def named(x):
        h, back = np.zeros(3), x[::-1]
        for x_t in back:
            h = np.tanh(A @ h + x_t)
        return h

    assert of_program(model, "forward")[-1] == "h⁽ᵗ⁾ = tanh(A h⁽ᵗ⁺¹⁾ + x⁽ᵗ⁾)"
    assert of_program(named, "forward")[-1] == "h⁽ᵗ⁾ = tanh(A h⁽ᵗ⁺¹⁾ + back⁽ᵀ⁻ᵗ⁺¹⁾)"


def test_a_slow_state_keeps_its_value_in_between():
    clockwork = of_the_corpus("clockwork")
    assert clockwork[:2] == [
        "slow⁽⁰⁾ = 0",
        "slow⁽ᵗ⁾ = {tanh(slow_W slow⁽ᵗ⁻¹⁾ + slow_U[:, 1:3] x⁽ᵗ⁾) if t odd; slow⁽ᵗ⁻¹⁾ if t even}",
    ]
    assert "fast⁽ᵗ⁾ = tanh(W fast⁽ᵗ⁻¹⁾ + up slow⁽ᵗ⁾ + U x⁽ᵗ⁾)" in clockwork


def test_a_sum_of_every_third_term_says_which_forward_and_backward():
    assert of_the_corpus("every-third-output-counts")[-1] == "loss = Σ[t a multiple of 3] ‖V h⁽ᵗ⁾ − x⁽ᵗ⁾‖²"
    assert "∂loss/∂V = 2 Σ[t a multiple of 3] (V h⁽ᵗ⁾ − x⁽ᵗ⁾) h⁽ᵗ⁾ᵀ" in of_the_corpus(
        "every-third-output-counts", "backward"
    )


def test_what_is_subtracted_step_by_step_is_a_sum():
    assert of_the_corpus("bidirectional-by-index")[-2] == "loss = −Σₜ log(p⁽ᵗ⁾[labels⁽ᵗ⁾])"


def test_attention_to_the_past_is_a_product_with_all_states_until_now():
    assert of_the_corpus("key-value-cache") == [
        "keys⁽ᵗ⁾ = W_k x⁽ᵗ⁾",
        "values⁽ᵗ⁾ = W_v x⁽ᵗ⁾",
        "a⁽ᵗ⁾ = softmax(0.5 (keys⁽¹⁾, …, keys⁽ᵗ⁾)ᵀ W_q x⁽ᵗ⁾)",
        "o⁽ᵗ⁾ = (values⁽¹⁾, …, values⁽ᵗ⁾) a⁽ᵗ⁾",
        "loss = Σₜ ‖o⁽ᵗ⁾‖²",
    ]


def test_attention_in_loops_reads_as_in_the_papers_with_two_indices():
    assert of_the_corpus("bahdanau") == [
        "h⁽⁰⁾ = 0",
        "h⁽ˢ⁾ = tanh(U x⁽ˢ⁾ + W h⁽ˢ⁻¹⁾)",
        "s⁽⁰⁾ = h⁽ⁿ⁾",
        "z⁽ᵗʼˢ⁾ = v_aᵀ tanh(W_a s⁽ᵗ⁻¹⁾ + U_a h⁽ˢ⁾)",
        "a⁽ᵗ⁾ = softmax((z⁽ᵗʼ¹⁾, …, z⁽ᵗʼⁿ⁾)ᵀ)",
        "context⁽ᵗ⁾ = Σₛ a⁽ᵗ⁾ₛ h⁽ˢ⁾",
        "s⁽ᵗ⁾ = tanh(U_s context⁽ᵗ⁾ + W_s s⁽ᵗ⁻¹⁾)",
        "loss = Σₜ ‖V s⁽ᵗ⁾ − y⁽ᵗ⁾‖²",
    ]
    backward = of_the_corpus("bahdanau", "backward")
    assert "∂loss/∂U_a = Σₜ Σₛ ∂loss/∂z⁽ᵗʼˢ⁾ (v_a ⊙ (1 − tanh(W_a s⁽ᵗ⁻¹⁾ + U_a h⁽ˢ⁾)²)) h⁽ˢ⁾ᵀ" in backward
    assert (
        "∂loss/∂h⁽ˢ⁾ = Σₜ a⁽ᵗ⁾ₛ ∂loss/∂context⁽ᵗ⁾ + Σₜ ∂loss/∂z⁽ᵗʼˢ⁾ U_aᵀ (v_a ⊙ (1 − tanh(W_a s⁽ᵗ⁻¹⁾ + U_a h⁽ˢ⁾)²))"
        " + Wᵀ diag(1 − (h⁽ˢ⁺¹⁾)²) ∂loss/∂h⁽ˢ⁺¹⁾,  s < n"
    ) in backward


def test_attention_to_a_growing_past_sums_up_to_the_step_and_its_gradient_from_it_on():
    assert of_the_corpus("causal-attention")[3:6] == [
        "w⁽ᵗʼˢ⁾ = exp(0.5 (q⁽ᵗ⁾ᵀ keys⁽ˢ⁾)),  s ≤ t",
        "context⁽ᵗ⁾ = Σ[s ≤ t] w⁽ᵗʼˢ⁾ values⁽ˢ⁾",
        "total⁽ᵗ⁾ = Σ[s ≤ t] w⁽ᵗʼˢ⁾",
    ]
    assert of_the_corpus("causal-attention", "backward")[3:6] == [
        "∂loss/∂w⁽ᵗʼˢ⁾ = ∂loss/∂total⁽ᵗ⁾ + values⁽ˢ⁾ᵀ ∂loss/∂context⁽ᵗ⁾,  s ≤ t",
        "∂loss/∂values⁽ᵗ⁾ = Σ[s ≥ t] w⁽ˢʼᵗ⁾ ∂loss/∂context⁽ˢ⁾",
        "∂loss/∂keys⁽ᵗ⁾ = 0.5 Σ[s ≥ t] ∂loss/∂w⁽ˢʼᵗ⁾ w⁽ˢʼᵗ⁾ q⁽ˢ⁾",
    ]
    assert "h̃⁽ᵗ⁾ = Σ[s ≤ t] a⁽ᵗ⁾ₛ h⁽ˢ⁻¹⁾" in of_the_corpus("attention-over-own-past")


def test_in_latex_two_indices_are_a_pair_in_the_superscript():
    function, *arguments = PROGRAMS["causal-attention"].example(5)
    latex = lines(tg.record(function, *arguments), format="latex")
    assert r"\textit{context}^{(t)} = \sum_{s \leq t} w^{(t,s)} \, \textit{values}^{(s)}" in latex


def test_a_state_that_is_carried_from_chunk_to_chunk_starts_each_with_the_last_of_the_one_before():
    assert of_the_corpus("chunks")[:3] == [
        "h⁽ᵗʼ⁰⁾ = h⁽ᵗ⁻¹ʼᵐ⁾",
        "h⁽⁰ʼᵐ⁾ = 0",
        "h⁽ᵗʼˢ⁾ = tanh(U x⁽³ᵗ⁺ˢ⁻³⁾ + W h⁽ᵗʼˢ⁻¹⁾)",
    ]
    assert "∂total/∂h⁽ᵗʼᵐ⁾ = 2 ∂total/∂loss⁽ᵗ⁾ Vᵀ (V h⁽ᵗʼᵐ⁾ − x⁽³ᵗ⁺ᵐ⁻³⁾)" in of_the_corpus("chunks", "backward")


def test_what_an_inner_loop_starts_from_is_not_left_undefined():
    assert of_the_corpus("hierarchical")[1:3] == ["h⁽ᵗʼ⁰⁾ = 0", "h⁽ᵗʼˢ⁾ = tanh(U z⁽ᵗʼˢ⁾ + W h⁽ᵗʼˢ⁻¹⁾)"]


def test_an_element_of_an_element_has_both_their_indices():
    forward = of_the_corpus("example-by-example")
    assert {"h⁽ᵗʼ⁰⁾ = 0", "h⁽ᵗʼˢ⁾ = tanh(U batch⁽ᵗʼˢ⁾ + W h⁽ᵗʼˢ⁻¹⁾)"} <= set(forward)


def test_a_gradient_is_put_into_the_row_or_the_column_that_was_looked_up_by_a_unit_vector():
    rows = "∂L/∂E = Σₜ 𝟏[token⁽ᵗ⁾] (∂L/∂h⁽ᵗ⁾)ᵀ diag(1 − (h⁽ᵗ⁾)²) U"
    assert rows in of_the_corpus("language-model", "backward")
    columns = "∂L/∂log_B = Σₜ ∂L/∂log_α⁽ᵗ⁾ 𝟏[o⁽ᵗ⁾]ᵀ + softmax(log_α⁽⁰⁾ + log_A, axis = 0) ∂L/∂log_α⁽¹⁾ 𝟏₅ᵀ"
    assert columns in of_the_corpus("hidden-markov-model", "backward")
    assert "∂L/∂output⁽ᵀ⁾ = −𝟏₁ 𝟏₃ᵀ" in of_the_corpus("name-classifier", "backward")


def test_an_einsum_that_is_no_product_of_matrices_is_a_sum_over_indices():
    function, *arguments = PROGRAMS["convolution-then-rnn"].example(8)
    graph = tg.record(function, *arguments)
    assert "features⁽ᵗ⁾ = max((Σ[k, i] filters[o, k, i] xₜ:ₜ₊₂[k, i])[o], 0)" in lines(graph)
    assert r"\sum_{k, i} {\textit{filters}}_{o, k, i} \, " in "".join(lines(graph, format="latex"))


def test_an_exponent_that_is_one_number_for_a_whole_vector_is_written_as_that():
    gradient = "∂L/∂v⁽ᵗ⁾ = (1 + ζ(Wᵞ h⁽ᵗ⁾)) diag((v⁽ᵗ⁾)^(ζ(Wᵞ h⁽ᵗ⁾))) ∂L/∂p⁽ᵗ⁾,  t < T"
    assert gradient in lines(record(Memory()), "backward")


def test_the_corner_of_a_maximum_is_not_written_where_no_value_is_on_it():
    backward = of_the_corpus("slstm", "backward")
    assert "∂L/∂ĩ⁽ᵗ⁾ = diag(i⁽ᵗ⁾) ∂L/∂i⁽ᵗ⁾ + diag(ĩ⁽ᵗ⁾ > f̃⁽ᵗ⁾ + m⁽ᵗ⁻¹⁾) ∂L/∂m⁽ᵗ⁾" in backward


def test_chunks_of_which_the_last_is_shorter_have_conditions_for_both_loops():
    chunks = test_fold_refusals._chunks_of_which_the_last_is_shorter
    assert of_program(chunks, "forward")[:4] == [
        "h⁽ᵗʼ⁰⁾ = 0",
        "h⁽ᵗʼˢ⁾ = tanh(A h⁽ᵗʼˢ⁻¹⁾ + x⁽³ᵗ⁺ˢ⁻³⁾),  unless t = n, s = m",
        "top⁽⁰⁾ = 0",
        "top⁽ᵗ⁾ = tanh(C top⁽ᵗ⁻¹⁾ + {h⁽ᵗʼᵐ⁾ if t < n; h⁽ᵗʼᵐ⁻¹⁾ if t = n})",
    ]
    assert of_program(chunks, "backward")[2:6] == [
        "∂L/∂h⁽ᵗʼᵐ⁾ = diag(1 − (top⁽ᵗ⁾)²) ∂L/∂top⁽ᵗ⁾,  t < n",
        "∂L/∂h⁽ⁿʼᵐ⁻¹⁾ = diag(1 − (top⁽ⁿ⁾)²) ∂L/∂top⁽ⁿ⁾",
        "∂L/∂h⁽ᵗʼˢ⁾ = Aᵀ diag(1 − (h⁽ᵗʼˢ⁺¹⁾)²) ∂L/∂h⁽ᵗʼˢ⁺¹⁾,  t < n, s < m",
        "∂L/∂h⁽ⁿʼ¹⁾ = Aᵀ diag(1 − (h⁽ⁿʼ²⁾)²) ∂L/∂h⁽ⁿʼ²⁾",
    ]


def test_what_is_added_at_every_step_though_it_happened_once_is_summed_over_the_steps():
    assert "L = (Σₜ wᵀ) h⁽ᵀ⁾" in lines(record(repeated))
    assert "∂L/∂w = Σₜ h⁽ᵀ⁾" in lines(record(repeated), "backward")
    assert lines(record(repeated, T=40), "backward") == lines(record(repeated), "backward")


def test_the_care_of_a_derivative_for_infinite_numbers_is_not_written_where_there_are_none():
    assert "∂L/∂α⁽ᵗ⁾ = softmax(α⁽ᵗ⁾ + transitions, axis = 0) ∂L/∂α⁽ᵗ⁺¹⁾,  t < T − 1" in of_the_corpus(
        "conditional-random-field", "backward"
    )


def _leaky(x):
    h = np.zeros(3)
    for x_t in x:
        h = 0.9 * h + 0.1 * np.tanh(A @ h + x_t)
    return h.sum()


def _average(x):
    m = 0
    for x_t in x:
        m = 0.9 * m + 0.1 * (A @ x_t)
    return m.sum()


def _fast_weights(x):
    S = np.eye(3)
    for x_t in x:
        S = 0.9 * S + np.outer(A @ x_t, x_t)
    return S.sum()


@pytest.mark.parametrize("which", ["forward", "backward"])
@pytest.mark.parametrize(
    ("program", "equations"),
    [
        (_leaky, ["h⁽⁰⁾ = 0", "h⁽ᵗ⁾ = 0.9 h⁽ᵗ⁻¹⁾ + 0.1 tanh(A h⁽ᵗ⁻¹⁾ + x⁽ᵗ⁾)"]),
        (_average, ["m⁽⁰⁾ = 0", "m⁽ᵗ⁾ = 0.9 m⁽ᵗ⁻¹⁾ + 0.1 A x⁽ᵗ⁾"]),
        (_fast_weights, ["S⁽ᵗ⁾ = {const if t = 1; 0.9 S⁽ᵗ⁻¹⁾ if t > 1} + A x⁽ᵗ⁾ x⁽ᵗ⁾ᵀ", "const is given by the code"]),
    ],
)
def test_what_numpy_computes_of_a_start_before_any_tensor_needs_no_case_where_it_is_what_the_rule_gives(
    program, equations, which
):
    graph = tg.record(program, np.random.default_rng(0).normal(size=(6, 3)))
    assert {*equations} <= {*lines(graph)}
    assert holds(graph, which)


def test_a_column_that_is_read_as_a_slice_is_that_column():
    def columns(x):
        h = np.zeros((3, 1))
        for t in range(x.shape[1]):
            h = np.tanh(x[:, t : t + 1] + A @ h)
        return h.sum()

    assert "h⁽ᵗ⁾ = tanh(x[:, t] + A h⁽ᵗ⁻¹⁾)" in lines(tg.record(columns, np.ones((3, 5))))
