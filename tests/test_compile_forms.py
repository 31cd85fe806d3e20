"""Recurrences in many forms, each compiled and compared with the engine at several lengths and batch sizes."""

import numpy as np
import pytest
from compiling import agree, by_engine, by_program

import tinygrad_rnn as tg


def parameter(seed, *shape):
    return tg.Parameter(np.random.default_rng(seed).normal(size=shape) / 2)


W, U, V, P = (parameter(i, 3, 3) for i in range(4))
b, start, gain = parameter(4, 3), parameter(5, 1, 3), tg.Parameter(0.7)
E = parameter(6, 5, 3)


def states(x, f=lambda h, x_t: tg.tanh(h @ W.T + x_t @ U.T + b), h=None, reverse=False):
    h, found = np.zeros(x.shape[1:]) if h is None else h, []
    for x_t in reversed(x) if reverse else x:
        h = f(h, x_t)
        found.append(h)
    return found[::-1] if reverse else found


def at_fixed_steps(x):
    hs = states(x)
    return (hs[0] * hs[1]).sum() + (hs[-1] * hs[-2] ** 2).mean()


def first_and_last_of_both_directions(x):
    f, g = states(x), states(x, reverse=True)
    return (f[-1] @ V * g[0]).sum() + (f[0] * g[-1]).sum()


def a_product_over_time(x):
    L = gain * 1.0
    for h in states(x):
        L = L * (1 + 0.1 * h.mean())
    return L


def a_single_number_as_state(x):
    s = gain * 0.0
    total = 0.0
    for x_t in x:
        s = gain * s + (x_t**2).mean()
        total = total + s * s
    return total


def a_learned_start(x):
    h = states(x, h=tg.broadcast_to(tg.tanh(start), x.shape[1:]))[-1]
    return (h * h).sum()


def pairs_of_neighbours(x):
    L = 0
    for t in range(len(x) - 1):
        L = L + (tg.tanh(x[t] @ W) * (x[t + 1] @ U)).sum()
    return L


def from_the_second_step_on(x):
    h, L = tg.tanh(x[0] @ U), 0
    for t in range(1, len(x)):
        h = tg.tanh(h @ W + x[t])
        L = L + (h * x[t - 1]).sum()
    return L


def two_steps_back(x):
    hs = [np.zeros(x.shape[1:])] * 2
    for x_t in x:
        hs.append(tg.tanh(hs[-1] @ W + hs[-2] @ U + x_t))
    return sum((h * h).sum() for h in hs[2:])


def a_decoder_that_reads_the_last_state_at_each_step(x):
    c, s, L = states(x)[-1], np.zeros(x.shape[1:]), 0
    for x_t in x:
        s = tg.tanh(s @ V + c @ P + x_t)
        L = L + (s * s).mean()
    return L


def attention_to_all_states(x):
    H, s, L = tg.stack(states(x), axis=1), np.zeros(x.shape[1:]), 0
    for x_t in x:
        a = tg.softmax((H * s[:, None]).sum(axis=-1))
        s = tg.tanh((a[:, :, None] * H).sum(axis=1) @ V + x_t)
        L = L + (s * s).sum()
    return L


def states_joined_end_to_end(x):
    return (tg.concatenate(states(x)) @ V).sum() + (tg.concatenate(states(x), axis=1) ** 2).sum()


def an_array_computed_for_all_steps_first(x):
    A, B, h, L = tg.sigmoid(x @ W), x @ U + b, np.zeros(x.shape[1:]), 0
    for t in range(len(x)):
        h = A[t] * h + (1 - A[t]) * B[t]
        L = L + (h**2).sum()
    return L


def where_by_the_data(x):
    return sum((h * h).sum() for h in states(x, lambda h, x_t: tg.where(x_t > 0, tg.tanh(h @ W + x_t), h)))


def layer_norm(x):
    def cell(h, x_t):
        a = h @ W + x_t @ U
        return tg.tanh(a - a.mean(axis=-1, keepdims=True)) / (1 + a.std(axis=-1, keepdims=True)) * b

    return sum((h * h).sum() for h in states(x, cell))


def largest_over_time(x):
    return tg.max(tg.stack(states(x)), axis=0).sum() + sum(h.max() for h in states(x))


def columns(x):
    h, L = np.zeros((3, x.shape[1])), 0
    for x_t in x:
        h = tg.tanh(W @ h + U @ x_t.T)
        L = L + (h.T @ V).sum()
    return L


def einsum(x):
    return sum((h * h).sum() for h in states(x, lambda h, x_t: tg.tanh(np.einsum("bi,ji->bj", h, W) + x_t)))


def a_matrix_as_state(x):
    M, L = np.zeros((x.shape[1], 3, 3)), 0
    for x_t in x:
        k = x_t @ U
        M = 0.9 * M + k[:, :, None] * (x_t @ V)[:, None, :]
        L = L + ((M @ k[:, :, None])[:, :, 0] ** 2).sum()
    return L


def a_loss_less_a_penalty(x):
    L = 1.0
    for h in states(x):
        L = L + (h @ V).sum()
        L = L - 0.1 * (h * h).sum()
    return L


def in_three_rounds(x):
    def cell(h, x_t):
        for _ in range(3):
            h = h + 0.1 * tg.tanh(h @ W + x_t)
        return h

    return (states(x, cell)[-1] ** 2).sum()


def nothing_but_weights(x):
    return (W @ U).sum() + sum((x_t * b).sum() for x_t in x) + (gain**3).sum()


FORMS = [
    at_fixed_steps,
    first_and_last_of_both_directions,
    a_product_over_time,
    a_single_number_as_state,
    a_learned_start,
    pairs_of_neighbours,
    from_the_second_step_on,
    two_steps_back,
    a_decoder_that_reads_the_last_state_at_each_step,
    attention_to_all_states,
    states_joined_end_to_end,
    an_array_computed_for_all_steps_first,
    where_by_the_data,
    layer_norm,
    largest_over_time,
    columns,
    einsum,
    a_matrix_as_state,
    a_loss_less_a_penalty,
    in_three_rounds,
    nothing_but_weights,
]


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.__name__)
def test_a_form_of_recurrence_compiles_to_the_engines_results(form):
    draw = np.random.default_rng(0).normal
    step = tg.compile(form, draw(size=(5, 2, 3)))
    for T, B in ((5, 2), (8, 4), (3, 1)):
        x = draw(size=(T, B, 3))
        agree(by_program(step, x), by_engine(form, x))


def test_tokens_labels_weights_of_classes_and_padding():
    weights = np.array([1.0, 2.0, 0.5])

    def model(tokens, labels):
        h, L = np.zeros((tokens.shape[1], 3)), 0
        for token, label in zip(tokens, labels, strict=True):
            h = tg.tanh(h @ W + tg.embedding(E, token))
            L = L + tg.cross_entropy(h @ V, label, weights, ignore_index=-1, reduction="sum")
        return L / len(tokens)

    rng = np.random.default_rng(0)
    step = tg.compile(model, rng.integers(5, size=(6, 2)), rng.integers(3, size=(6, 2)))
    for T, B in ((6, 2), (9, 3)):
        arguments = rng.integers(5, size=(T, B)), rng.integers(-1, 3, size=(T, B))
        agree(by_program(step, *arguments), by_engine(model, *arguments))
    assert len(step.programs) == 1
    with pytest.raises(IndexError, match="label 3"):
        step(arguments[0], np.full_like(arguments[1], 3))
