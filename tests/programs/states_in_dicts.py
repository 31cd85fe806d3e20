"""Plain NumPy: states kept in dicts and lists by time, parameters in dicts, columns multiplied by np.dot."""

import numpy as np

import tinygrad_rnn as tg

from .program import Program, sequence, tokens, weight

Wxh, Whh, Why, bh, by = weight(4, 5), weight(4, 4), weight(5, 4), weight(4, 1), weight(5, 1)


def char_rnn(inputs, targets, hprev):
    """A character-level language model; characters are integers, made one-hot in the loop (Karpathy 2015)."""
    xs, hs, ys, ps = {}, {}, {}, {}
    hs[-1] = np.copy(hprev)
    loss = 0
    for t in range(len(inputs)):
        xs[t] = np.zeros((5, 1))
        xs[t][inputs[t]] = 1
        hs[t] = np.tanh(np.dot(Wxh, xs[t]) + np.dot(Whh, hs[t - 1]) + bh)
        ys[t] = np.dot(Why, hs[t]) + by
        ps[t] = np.exp(ys[t]) / np.sum(np.exp(ys[t]))
        loss += -np.log(ps[t][targets[t], 0])
    return loss


lstm = {name: weight(4, 7) for name in ("Wf", "Wi", "Wc", "Wo")} | {name: weight(4, 1) for name in ("bf", "bi", "bc")}


def lstm_in_dicts(x, y):
    """An LSTM whose gates read [h; x], with all parameters in a dict and all states in dicts by time."""
    h, c = {-1: np.zeros((4, 1))}, {-1: np.zeros((4, 1))}
    for t in range(len(x)):
        z = np.concatenate([h[t - 1], x[t]])
        f = tg.sigmoid(np.dot(lstm["Wf"], z) + lstm["bf"])
        i = tg.sigmoid(np.dot(lstm["Wi"], z) + lstm["bi"])
        c_bar = np.tanh(np.dot(lstm["Wc"], z) + lstm["bc"])
        c[t] = f * c[t - 1] + i * c_bar
        o = tg.sigmoid(np.dot(lstm["Wo"], z))
        h[t] = o * np.tanh(c[t])
    return np.sum((h[len(x) - 1] - y) ** 2)


elman = [weight(4, 3), weight(4, 4), weight(2, 4)]


def states_in_a_list(x, y):
    """An Elman network with its parameters in a list, unpacked, and its states appended to another."""
    W_in, W_rec, W_out = elman
    hidden = [np.zeros(4)]
    for t in range(len(x)):
        hidden.append(np.tanh(W_in @ x[t] + W_rec @ hidden[-1]))
    outputs = [W_out @ h for h in hidden[1:]]
    return sum(np.sum((o - y_t) ** 2) for o, y_t in zip(outputs, y, strict=True)) / len(y)


jordan = {"U": weight(4, 3), "W": weight(4, 2), "V": weight(2, 4)}


def jordan_network(x, y):
    """The output of the step before is the context (Jordan 1986); the outputs in a list that starts with zeros."""
    outputs = [np.zeros(2)]
    for t in range(1, len(x) + 1):
        h = tg.sigmoid(jordan["U"] @ x[t - 1] + jordan["W"] @ outputs[t - 1])
        outputs.append(jordan["V"] @ h)
    loss = 0.0
    for t in range(len(y)):
        loss += 0.5 * np.sum((y[t] - outputs[t + 1]) ** 2)
    return loss


deep = [{"U": weight(4, 3), "W": weight(4, 4)}, {"U": weight(4, 4), "W": weight(4, 4)}]


def layers_in_a_list_of_dicts(x):
    """Two layers, each a dict of parameters, with the states in a list of lists: states[t][layer]."""
    states = [[np.zeros(4), np.zeros(4)]]
    for t in range(len(x)):
        below, new = x[t], []
        for layer in range(len(deep)):
            below = np.tanh(deep[layer]["U"] @ below + deep[layer]["W"] @ states[-1][layer])
            new.append(below)
        states.append(new)
    return np.sum(states[-1][-1] ** 2)


shared = {"U": weight(4, 4), "W": weight(4, 4)}


def layers_that_share_their_weights(x):
    """The same two layers with one set of weights: the second runs the first one's code on the first one's state."""
    h = [np.zeros(4)] * 3
    for t in range(len(x)):
        below = x[t]
        for layer in range(3):
            below = np.tanh(shared["U"] @ below + shared["W"] @ h[layer])
            h[layer] = below
    return np.sum(h[-1] ** 2)


there, back = {"U": weight(4, 3), "W": weight(4, 4)}, {"U": weight(4, 3), "W": weight(4, 4)}
V = weight(5, 8)


def bidirectional_by_index(x, labels):
    """One loop forward, one backward over the indices, both states in dicts (Schuster & Paliwal 1997)."""
    T = len(x)
    hf, hb = {-1: np.zeros(4)}, {T: np.zeros(4)}
    for t in range(T):
        hf[t] = np.tanh(there["U"] @ x[t] + there["W"] @ hf[t - 1])
    for t in range(T - 1, -1, -1):
        hb[t] = np.tanh(back["U"] @ x[t] + back["W"] @ hb[t + 1])
    loss = 0
    for t in range(T):
        p = tg.softmax(V @ np.concatenate([hf[t], hb[t]]))
        loss = loss - np.log(p[labels[t]])
    return loss / T


def residual_layers(x):
    """Each layer adds its output to what it reads, with the states of a step in a list that replaces that before it."""
    h = [np.zeros(4)] * 2
    for t in range(len(x)):
        below, new = deep[0]["U"] @ x[t], []
        for layer in range(2):
            out = np.tanh(deep[1]["U"] @ below + deep[layer]["W"] @ h[layer])
            new.append(out)
            below = below + out
        h = new
    return np.sum(h[-1] ** 2)


PROGRAMS = {
    "char-rnn": Program(
        lambda T: (char_rnn, tokens(T, 5), tokens(T, 5, seed=3), sequence(4, 1)),
        {("hs", "hs"): 1, ("ys", "hs"): 0, ("ps", "ys"): 0, ("loss", "loss"): 1},
    ),
    "lstm-in-dicts": Program(
        lambda T: (lstm_in_dicts, sequence(T, 3, 1), sequence(4, 1)),
        {("z", "h"): 1, ("z", "x"): 0, ("c", "c"): 1, ("c", "f"): 0, ("h", "c"): 0, ("h", "o"): 0},
    ),
    "states-in-a-list": Program(
        lambda T: (states_in_a_list, sequence(T, 3), sequence(T, 2)),
        {("hidden", "hidden"): 1, ("hidden", "x"): 0},
    ),
    "jordan": Program(
        lambda T: (jordan_network, sequence(T, 3), sequence(T, 2)),
        {("h", "x"): 0, ("h", "outputs"): 1, ("outputs", "h"): 0, ("loss", "outputs"): 0},
    ),
    "layers-in-a-list-of-dicts": Program(
        lambda T: (layers_in_a_list_of_dicts, sequence(T, 3)), {("below", "below"): {0, 1}}
    ),
    "layers-that-share-their-weights": Program(
        lambda T: (layers_that_share_their_weights, sequence(T, 4)), {("below", "below"): {0, 1}}
    ),
    "bidirectional-by-index": Program(
        lambda T: (bidirectional_by_index, sequence(T, 3), tokens(T, 5)),
        {("hf", "hf"): 1, ("hb", "hb"): -1, ("hb", "x"): 0, ("p", "hf"): 0, ("p", "hb"): 0, ("loss", "p"): 0},
    ),
    "residual-layers": Program(
        lambda T: (residual_layers, sequence(T, 3)), {("out", "below"): 0, ("below", "out"): 0, ("out", "out"): 1}
    ),
}
