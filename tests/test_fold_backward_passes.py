"""Programs whose backward pass is harder to fold than the forward one: other gradients at the ends of a loop."""

from itertools import pairwise

import numpy as np
import pytest
from folding import A, B, C, b, folds_at_any_length, sequence, zero

import tinygrad_rnn as tg


def _one_weight_in_two_loops(x):
    h, hs = zero, []
    for x_t in x:
        h = np.tanh(h @ A.T + x_t)
        hs.append(h)
    g = zero
    for h_t in hs:
        g = np.tanh(g @ A.T + h_t)
    return g.sum()


def _after_the_first_step(x):
    h = zero
    L = 0
    for t, x_t in enumerate(x):
        h = np.tanh(x_t @ A.T + h @ B.T)
        if t > 0:
            h = h + x_t
        L = L + h.sum()
    return L


def _learned_initial_values(x):
    """Three delays to the left, all with one learned initial value."""
    hs = [np.tanh(b)] * 3
    L = 0
    for x_t in reversed(x):
        hs = [*hs[1:], np.tanh(hs[0] @ A.T + x_t)]
        L = L + hs[-1].sum()
    return L


def _learned_memory(x):
    h, s, hs = zero, b, []
    for x_t in x:
        h = np.tanh(x_t + h + b)
        h, s = s * h, np.tanh(h + s)
        hs.append(h)
    L = l = 0.0
    for h in hs:
        L = L + h.sum()
        l = l + (h @ C.T).sum()
    return L + l


def _read_from_both_sides(x):
    h, hs = np.tanh(b), []
    for x_t in reversed(x):
        h = np.tanh(x_t @ A.T + h)
        hs.insert(0, h)
    f, fs = zero, []
    for h in hs:
        f = np.tanh(f @ B.T + h)
        fs.append(f)
    g, gs = zero, []
    for h in reversed(hs):
        g = np.tanh(g @ C.T + h)
        gs.insert(0, g)
    return [(f * g).sum() for f, g in zip(fs, gs, strict=True)][-1]


@pytest.mark.parametrize(
    "program",
    [
        _one_weight_in_two_loops,
        _after_the_first_step,
        _learned_initial_values,
        _learned_memory,
        _read_from_both_sides,
    ],
)
def test_the_backward_circuit_is_that_of_any_length(program):
    folds_at_any_length(program)


def _neighbours(x):
    """Slowness: the gradient of an inner step comes from both neighbours, of an outer one from its only one."""
    hs = [np.tanh(x_t @ A.T) for x_t in x]
    L = 0
    for h, after in pairwise(hs):
        L = L + ((after - h) ** 2).sum()
    return L


def _discounted(x):
    L = 0
    for t, x_t in enumerate(x):
        L = L + 0.9 ** (t + 1) * np.tanh(x_t @ A.T).sum()
    return L


def _running_mean(x):
    m = 0
    for t, x_t in enumerate(x):
        m = m + (x_t @ A.T - m) / (t + 1)
    return m.sum()


@pytest.mark.parametrize("program", [_neighbours, _discounted, _running_mean])
def test_the_backward_pass_has_a_circuit(program):
    folds_at_any_length(program)


def _a_prompt_and_three_more(x):
    h = zero
    for t in range(len(x) + 3):
        h = np.tanh((x[t] if t < len(x) else h @ C.T) @ A.T + h @ B.T)
    return h.sum()


def test_a_gradient_is_that_of_two_readers_where_there_are_two():
    circuit = folds_at_any_length(_a_prompt_and_three_more, (9, 12))
    assert circuit.lengths == [12]
    both = tg.record(_a_prompt_and_three_more, sequence(9)).backward().fold()
    (switch,) = {wire for c in both.components for wire in c.wires if wire.present}
    assert switch.source.points == [(8,), (9,), (10,)]
    assert switch.choices == (1,) * 8 + (0,) * 3 + (1,)


def _a_slow_state(x):
    h = c = zero
    for t, x_t in enumerate(x):
        h = np.tanh(x_t @ A.T + h @ B.T)
        if t % 3 == 2:
            c = np.tanh(c @ C.T + h)
    return c.sum()


def _detached_at_every_third_step(x):
    h, L = zero, 0
    for t, x_t in enumerate(x):
        if t % 3 == 0 and t:
            h = h.detach()
        h = np.tanh(x_t @ A.T + h @ B.T)
        L = L + h.sum()
    return L


@pytest.mark.parametrize("program", [_a_slow_state, _detached_at_every_third_step])
def test_a_gradient_at_every_third_step_folds_from_three_of_them_on(program):
    folds_at_any_length(program, (9, 12))
    folds_at_any_length(program, (12, 15))
