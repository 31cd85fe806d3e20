"""Attention and memories: over an encoder's states, over a growing past, by heads, to slots, to a stack."""

import numpy as np

import tinygrad_rnn as tg

from .program import Program, sequence, weight

U, W, U_s, W_s, V = weight(4, 3), weight(4, 4), weight(4, 4), weight(4, 4), weight(3, 4)
W_a, U_a, v_a = weight(4, 4), weight(4, 4), weight(4)


def encode(x):
    h, states = np.zeros(4), []
    for x_t in x:
        h = np.tanh(U @ x_t + W @ h)
        states.append(h)
    return states


def bahdanau(x, y):
    """Each encoder state is scored in a comprehension, the context is a sum over them (Bahdanau et al. 2015)."""
    states = encode(x)
    s, loss = states[-1], 0
    for y_t in y:
        e = [v_a @ np.tanh(W_a @ s + U_a @ h) for h in states]
        a = tg.softmax(tg.stack(e))
        context = sum(a[j] * h for j, h in enumerate(states))
        s = np.tanh(U_s @ context + W_s @ s)
        loss = loss + ((V @ s - y_t) ** 2).sum()
    return loss


def dot_attention_in_a_loop(x, y):
    """Luong's dot score in a loop, exponentials and their sum by hand."""
    states = encode(x)
    s, loss = states[-1], 0
    for y_t in y:
        context, total = np.zeros(4), 0.0
        for h in states:
            w = np.exp(h @ s / 2)
            context = context + w * h
            total = total + w
        s = np.tanh(U_s @ (context / total) + W_s @ s)
        loss = loss + ((V @ s - y_t) ** 2).sum()
    return loss


def a_sum_over_zip(x, y):
    """The context as Python writes it: a sum over pairs of a weight and a state."""
    states = encode(x)
    s, loss = states[-1], 0
    for y_t in y:
        a = tg.softmax(tg.stack([s @ h for h in states]))
        context = sum(a_j * h for a_j, h in zip(a, states, strict=True))
        s = np.tanh(U_s @ context + W_s @ s)
        loss = loss + ((V @ s - y_t) ** 2).sum()
    return loss


def attention_once(x):
    """One context, of all states, for the last one: a classifier of sequences."""
    states = encode(x)
    a = tg.softmax(tg.stack([states[-1] @ h for h in states]))
    context = sum(a_j * h for a_j, h in zip(a, states, strict=True))
    return ((V @ context) ** 2).sum()


def past_read_twice(x):
    """Weights over all steps so far, and the sum that they weigh, in comprehensions of their own."""
    keys, loss = [W_k @ x_t for x_t in x], 0
    for t in range(len(x)):
        a = tg.softmax(tg.stack([keys[t] @ keys[s] for s in range(t + 1)]))
        context = sum(a[s] * keys[s] for s in range(t + 1))
        loss = loss + (context**2).sum()
    return loss


def queries_keys_and_values(x):
    """Causal attention, each of its parts a list of its own."""
    queries, keys, values = [W_q @ x_t for x_t in x], [W_k @ x_t for x_t in x], [W_v @ x_t for x_t in x]
    loss = 0
    for t in range(len(x)):
        a = tg.softmax(tg.stack([queries[t] @ keys[s] for s in range(t + 1)]))
        context = sum(a[s] * values[s] for s in range(t + 1))
        loss = loss + (context**2).sum()
    return loss


W_q, W_k, W_v = weight(4, 3), weight(4, 3), weight(4, 3)


def causal_attention(x):
    """Every step looks at itself and the steps before, in an inner loop that grows with t."""
    keys, values, loss = [], [], 0
    for t in range(len(x)):
        q = W_q @ x[t]
        keys.append(W_k @ x[t])
        values.append(W_v @ x[t])
        context, total = np.zeros(4), 0.0
        for s in range(t + 1):
            w = np.exp(q @ keys[s] / 2)
            context = context + w * values[s]
            total = total + w
        o = context / total
        loss = loss + (o * o).sum()
    return loss


def key_value_cache(x):
    """The same in a decoder that stacks its cache at each step (as public code does when it generates)."""
    keys, values, loss = [], [], 0
    for x_t in x:
        keys.append(W_k @ x_t)
        values.append(W_v @ x_t)
        a = tg.softmax(tg.stack(keys) @ (W_q @ x_t) / 2)
        o = a @ tg.stack(values)
        loss = loss + (o * o).sum()
    return loss


def attention_over_own_past(x):
    """A recurrent state that attends to all earlier states: Long Short-Term Memory-Network (Cheng et al. 2016)."""
    hs = [np.zeros(4)]
    for x_t in x:
        a = tg.softmax(tg.stack([v_a @ np.tanh(W_a @ h + W_k @ x_t) for h in hs]))
        h_tilde = sum(a[i] * hs[i] for i in range(len(hs)))
        h = np.tanh(U @ x_t + W @ h_tilde)
        hs.append(h)
    return (hs[-1] ** 2).sum()


heads = [(weight(2, 4), weight(2, 4)) for _ in range(2)]


def attention_by_heads(x, y):
    """Two heads in a list, each with its own matrices, joined."""
    H = tg.stack(encode(x))
    s, loss = H[-1], 0
    for y_t in y:
        parts = []
        for query, key in heads:
            a = tg.softmax(H @ key.T @ (query @ s))
            parts.append(a @ (H @ key.T))
        s = np.tanh(U_s @ np.concatenate(parts) + W_s @ s)
        loss = loss + ((V @ s - y_t) ** 2).sum()
    return loss


def pointer_network(x, order):
    """The output is a position of the input (Vinyals et al. 2015); positions are Python integers."""
    states = encode(x)
    s, loss = states[-1], 0
    for position in order:
        u = tg.stack([v_a @ np.tanh(U_a @ e + W_a @ s) for e in states])
        loss -= tg.log_softmax(u)[position]
        s = np.tanh(U_s @ states[position] + W_s @ s)
    return loss


def fast_weights(x):
    """A matrix that decays and is written to by the state, read by inner rounds (Ba et al. 2016)."""
    A, h = np.zeros((4, 4)), np.zeros(4)
    for x_t in x:
        boundary = W @ h + U @ x_t
        h_s = np.tanh(boundary)
        for _ in range(2):
            h_s = np.tanh(boundary + A @ h_s)
        h = h_s
        A = 0.9 * A + 0.5 * np.outer(h, h)
    return (h * h).sum()


def linear_attention(x):
    """A sum of outer products of values and keys instead of a softmax (Katharopoulos et al. 2020)."""
    S, z, outputs = np.zeros((4, 4)), np.zeros(4), []
    for x_t in x:
        q, k, v = np.exp(W_q @ x_t), np.exp(W_k @ x_t), W_v @ x_t
        S = S + np.outer(v, k)
        z = z + k
        outputs.append(S @ q / (z @ q))
    return (tg.stack(outputs) ** 2).mean()


def delta_rule(x):
    """What the key reads now is taken out before the value is written (Schlag et al. 2021)."""
    S, loss = np.zeros((4, 4)), 0
    for x_t in x:
        k, v, beta = tg.softmax(W_k @ x_t), W_v @ x_t, tg.sigmoid(v_a[:3] @ x_t)
        v_old = S @ k
        S = S + beta * np.outer(v - v_old, k)
        o = S @ tg.softmax(W_q @ x_t)
        loss += (o * o).sum()
    return loss


key, erase, add = weight(4, 4), weight(4, 4), weight(4, 4)


def turing_machine(x):
    """A memory of five slots, addressed by content, erased and added to (Graves et al. 2014)."""
    M, h, r = 0.1 * np.ones((5, 4)), np.zeros(4), np.zeros(4)
    for x_t in x:
        h = np.tanh(U @ x_t + W @ r)
        k = key @ h
        similarity = M @ k / (np.sqrt((M * M).sum(axis=1)) * np.sqrt((k * k).sum()) + 1e-6)
        w = tg.softmax(similarity)
        M = M * (1 - np.outer(w, tg.sigmoid(erase @ h))) + np.outer(w, add @ h)
        r = w @ M
    return (r * r).sum()


w_push, w_pop = weight(4), weight(4)


def neural_stack(x):
    """A stack that is pushed and popped by degrees, as a list of slots (Joulin & Mikolov 2015)."""
    stack, h = [np.zeros(4)] * 3, np.zeros(4)
    for x_t in x:
        h = np.tanh(U @ x_t + W @ stack[0])
        push, pop = tg.sigmoid(w_push @ h), tg.sigmoid(w_pop @ h)
        top = push * h + pop * stack[1]
        middle = push * stack[0] + pop * stack[2]
        bottom = push * stack[1]
        stack = [top, middle, bottom]
    return (stack[0] ** 2).sum()


def universal_transformer(x):
    """One block of self-attention, applied again and again to all positions (Dehghani et al. 2019)."""
    h = x @ U.T
    for _ in range(6):
        weights = tg.softmax((h @ W_a) @ (h @ U_a).T / 2)
        h = h + weights @ (h @ U_s)
        h = h + np.tanh(h @ W)
    return (h @ V.T).sum()


PROGRAMS = {
    "bahdanau": Program(
        lambda T: (bahdanau, sequence(T, 3), sequence(T - 1, 3)),
        {("h", "h"): 1, ("s", "s"): 1, ("s", "context"): 0},
    ),
    "dot-attention-in-a-loop": Program(
        lambda T: (dot_attention_in_a_loop, sequence(T, 3), sequence(T - 1, 3)),
        {("h", "h"): 1, ("s", "s"): 1, ("context", "context"): (0, 1), ("total", "w"): (0, 0)},
    ),
    "a-sum-over-zip": Program(
        lambda T: (a_sum_over_zip, sequence(T, 3), sequence(T + 1, 3)),
        {("h", "h"): 1, ("s", "s"): 1, ("s", "context"): 0, ("context", "a"): 0},
        (6, 9),
    ),
    "attention-once": Program(
        lambda T: (attention_once, sequence(T, 3)), {("h", "h"): 1, ("context", "h"): 0}, (7, 10)
    ),
    "past-read-twice": Program(lambda T: (past_read_twice, sequence(T, 3)), {("context", "a"): 0}, (7, 9)),
    "queries-keys-and-values": Program(
        lambda T: (queries_keys_and_values, sequence(T, 3)), {("context", "a"): 0}, (5, 8)
    ),
    "causal-attention": Program(
        lambda T: (causal_attention, sequence(T, 3)),
        {("context", "context"): (0, 1), ("total", "total"): (0, 1), ("w", "q"): 0},
    ),
    "key-value-cache": Program(lambda T: (key_value_cache, sequence(T, 3)), {("loss", "loss"): 1, ("o", "a"): 0}),
    "attention-over-own-past": Program(
        lambda T: (attention_over_own_past, sequence(T, 3)), {("h", "h_tilde"): 0, ("h_tilde", "a"): 0}
    ),
    "attention-by-heads": Program(
        lambda T: (attention_by_heads, sequence(T, 3), sequence(T - 1, 3)), {("a", "s"): 1, ("s", "s"): 1}
    ),
    "pointer-network": Program(
        lambda T: (pointer_network, sequence(T, 3), [t * 2 % T for t in range(T - 1)]),
        {("h", "h"): 1, ("s", "s"): 1},
        unknown="recorded length",
    ),
    "fast-weights": Program(
        lambda T: (fast_weights, sequence(T, 3)), {("A", "A"): 1, ("h_s", "h_s"): 0, ("boundary", "h_s"): 1}
    ),
    "linear-attention": Program(
        lambda T: (linear_attention, sequence(T, 3)),
        {("S", "S"): 1, ("z", "z"): 1, ("S", "k"): 0, ("S", "v"): 0},
    ),
    "delta-rule": Program(lambda T: (delta_rule, sequence(T, 3)), {("S", "S"): 1, ("v_old", "S"): 1, ("o", "S"): 0}),
    "turing-machine": Program(
        lambda T: (turing_machine, sequence(T, 3)),
        {("M", "M"): 1, ("w", "similarity"): 0, ("r", "M"): 0, ("h", "r"): 1},
    ),
    "neural-stack": Program(
        lambda T: (neural_stack, sequence(T, 3)),
        {("h", "top"): 1, ("top", "middle"): 1, ("middle", "bottom"): 1, ("bottom", "middle"): 1},
        (10, 12),
    ),
    "universal-transformer": Program(
        lambda T: (universal_transformer, sequence(T, 3)), {("weights", "h"): 1, ("h", "h"): {0, 1}}
    ),
}
