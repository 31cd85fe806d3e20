"""Programs whose backward pass is harder to fold than the forward one: other gradients at the ends of a loop."""

from itertools import pairwise

import numpy as np
import pytest
from folding import A, B, C, b, folded, folds_at_any_length, zero

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
    [_one_weight_in_two_loops, _after_the_first_step, _learned_initial_values],
)
def test_the_backward_circuit_is_that_of_any_length(program):
    folds_at_any_length(program)


@pytest.mark.parametrize("program", [_learned_memory, _read_from_both_sides])
def test_a_gradient_that_comes_from_elsewhere_at_both_ends_folds_for_the_recorded_length(program):
    circuit = folded(program, 8, backward=True)
    with pytest.raises(tg.FoldError, match="known for the recorded length only"):
        circuit.unfold(11)


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
