"""Karpathy's min-char-rnn (2015): its forward loop runs unchanged, and loss.backward() is its backpropagation by hand.

The loop is in its author's idiom: dictionaries of column vectors, np.dot, lists of characters as integers. Only the
weights are Parameters instead of arrays. Its model is

    h⁽ᵗ⁾ = tanh(Wxh x⁽ᵗ⁾ + Whh h⁽ᵗ⁻¹⁾ + bh),   y⁽ᵗ⁾ = Why h⁽ᵗ⁾ + by,   L = −Σ log softmax(y⁽ᵗ⁾)[target]
"""

import numpy as np
import pytest

import tinygrad_rnn as tg

data = "the cat sat on the mat and the rat sat on the cat. " * 8
chars = sorted(set(data))
vocab_size, hidden_size, seq_length = len(chars), 32, 17
char_to_ix = {ch: i for i, ch in enumerate(chars)}


def weights(kind):
    """Wxh, Whh, Why, bh, by"""
    rng = np.random.default_rng(0)
    shapes = (hidden_size, vocab_size), (hidden_size, hidden_size), (vocab_size, hidden_size)
    matrices = [rng.normal(size=shape) * 0.1 for shape in shapes]
    return [kind(array) for array in (*matrices, np.zeros((hidden_size, 1)), np.zeros((vocab_size, 1)))]


def forward(inputs, targets, hprev, Wxh, Whh, Why, bh, by):
    """The loss of a sequence, and the values at each step."""
    xs, hs, ys, ps = {}, {}, {}, {}
    hs[-1] = np.copy(hprev)
    loss = 0
    for t in range(len(inputs)):
        xs[t] = np.zeros((vocab_size, 1))  # one-hot
        xs[t][inputs[t]] = 1
        hs[t] = np.tanh(np.dot(Wxh, xs[t]) + np.dot(Whh, hs[t - 1]) + bh)
        ys[t] = np.dot(Why, hs[t]) + by
        ps[t] = np.exp(ys[t]) / np.sum(np.exp(ys[t]))
        loss += -np.log(ps[t][targets[t], 0])
    return loss, xs, hs, ps


def by_hand(targets, xs, hs, ps, Whh, Why):
    """∂L/∂Wxh, ∂L/∂Whh, ∂L/∂Why, ∂L/∂bh, ∂L/∂by and ∂L/∂h⁽⁰⁾, on arrays.

    With δ⁽ᵗ⁾ = ∂L/∂y⁽ᵗ⁾ = p⁽ᵗ⁾ − onehot(target) and γ⁽ᵗ⁾ = ∂L/∂a⁽ᵗ⁾ of the sum a⁽ᵗ⁾ within the tanh,

        γ⁽ᵗ⁾ = (1 − h⁽ᵗ⁾²) ⊙ (Whyᵀ δ⁽ᵗ⁾ + Whhᵀ γ⁽ᵗ⁺¹⁾)

    and each weight's gradient is a sum over t of outer products with its input.
    """
    T = len(targets)
    δ = np.hstack([ps[t] for t in range(T)])
    δ[targets, range(T)] -= 1
    γ, later = np.zeros((hidden_size, T)), np.zeros(hidden_size)
    for t in reversed(range(T)):
        γ[:, t] = (1 - hs[t][:, 0] ** 2) * (Why.T @ δ[:, t] + later)
        later = Whh.T @ γ[:, t]
    x, h, before = (np.hstack([of[t + shift] for t in range(T)]) for of, shift in ((xs, 0), (hs, 0), (hs, -1)))
    sums = γ.sum(axis=1, keepdims=True), δ.sum(axis=1, keepdims=True)
    return γ @ x.T, γ @ before.T, δ @ h.T, *sums, later[:, None]


def pieces():
    """Inputs and targets of one pass over the data, a piece at a time."""
    for p in range(0, len(data) - seq_length - 1, seq_length):
        yield [[char_to_ix[ch] for ch in data[p + i : p + i + seq_length]] for i in (0, 1)]


@pytest.mark.parametrize("length", [1, 2, seq_length])
def test_the_gradients_are_those_of_backpropagation_by_hand(length):
    inputs, targets = ([number for piece in pieces() for number in piece[i]][:length] for i in (0, 1))
    hprev = np.random.default_rng(1).normal(size=(hidden_size, 1)) * 0.5
    arrays = weights(np.array)
    expected_loss, xs, hs, ps = forward(inputs, targets, hprev, *arrays)
    expected = by_hand(targets, xs, hs, ps, arrays[1], arrays[2])

    leaves = [*weights(tg.Parameter), tg.Tensor(hprev, requires_grad=True)]
    loss, *_ = forward(inputs, targets, leaves[-1], *leaves[:-1])
    loss.backward()
    assert loss.shape == ()
    assert loss.item() == pytest.approx(expected_loss, rel=1e-14)
    for leaf, gradient in zip(leaves, expected, strict=True):
        np.testing.assert_allclose(leaf.grad.data, gradient, rtol=1e-10, atol=1e-14)


def test_it_learns_a_short_text_by_adagrad_and_then_writes_it():
    parameters = weights(tg.Parameter)
    memories = [np.zeros_like(p) for p in parameters]
    for _ in range(12):
        hprev, total = np.zeros((hidden_size, 1)), 0
        for inputs, targets in pieces():
            loss, _, hs, _ = forward(inputs, targets, hprev, *parameters)
            hprev = hs[len(inputs) - 1].detach()
            loss.backward()
            for i, p in enumerate(parameters):
                gradient = np.clip(p.grad, -5, 5)
                memories[i] += gradient * gradient
                p.data = p.data - 0.1 * (gradient / np.sqrt(memories[i] + 1e-8)).data
                p.grad = None
            total += loss.item() / len(list(pieces())) / seq_length
    assert total < 0.15  # nats a character; at the start log 12 = 2.5

    h, written = np.zeros((hidden_size, 1)), "t"
    with tg.no_grad():
        while len(written) < 40:
            _, _, hs, ps = forward([char_to_ix[written[-1]]], [0], h, *parameters)
            h = hs[0]
            written += chars[int(np.argmax(ps[0]))]
    assert written in data
