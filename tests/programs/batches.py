"""Loops beside time: over the examples of a batch, over units, over hypotheses, over an ensemble."""

import numpy as np

import tinygrad_rnn as tg

from .program import Program, sequence, tokens, weight

U, W, V = weight(4, 3), weight(4, 4), weight(3, 4)


def example_by_example(batch):
    """The loop over time within the loop over examples; the loss is their mean."""
    loss = 0
    for x in batch:
        h = np.zeros(4)
        for x_t in x:
            h = np.tanh(U @ x_t + W @ h)
        loss = loss + (h * h).sum()
    return loss / len(batch)


def examples_inside_time(batch):
    """The other way round: a list with the state of each example."""
    h = [np.zeros(4) for _ in batch]
    for t in range(batch.shape[1]):
        for n in range(len(batch)):
            h[n] = np.tanh(U @ batch[n, t] + W @ h[n])
    return sum((h_n * h_n).sum() for h_n in h) / len(h)


def a_network_as_a_function(batch, labels):
    """One call of the network for each example, in a comprehension."""

    def network(x):
        h = np.zeros(4)
        for x_t in x:
            h = np.tanh(U @ x_t + W @ h)
        return V @ h

    losses = [-tg.log_softmax(network(x))[label] for x, label in zip(batch, labels, strict=True)]
    return sum(losses) / len(losses)


def unit_by_unit(x):
    """The sum over the state is a loop over its units, each a number."""
    h = [0.0, 0.0]
    for x_t in x:
        new = []
        for i in range(2):
            a = U[i] @ x_t
            for j in range(2):
                a = a + W[i, j] * h[j]
            new.append(np.tanh(a))
        h = new
    return h[0] ** 2 + h[1] ** 2


E = weight(5, 3)


def beam_of_two(steps):
    """Two hypotheses in a list, extended by the likelier words: what a step reads depends on the scores."""
    beams = [(np.zeros(4), 0, 0.0), (np.zeros(4), 1, -1.0)]
    for _ in range(steps):
        candidates = []
        for h, word, score in beams:
            h = np.tanh(U @ E[word] + W @ h)
            log_p = tg.log_softmax(E @ (V @ h))
            candidates += [(h, w, score + log_p[w]) for w in range(5)]
        beams = sorted(candidates, key=lambda c: -float(c[2]))[:2]
    return beams[0][2]


ensemble = [(weight(4, 3), weight(4, 4)) for _ in range(3)]


def an_ensemble(x, y):
    """Three networks with weights of their own run side by side, their outputs averaged."""
    states, loss = [np.zeros(4) for _ in ensemble], 0
    for x_t, y_t in zip(x, y, strict=True):
        states = [np.tanh(U_k @ x_t + W_k @ h) for (U_k, W_k), h in zip(ensemble, states, strict=True)]
        o = sum(states) / len(states)
        loss = loss + ((V @ o - y_t) ** 2).sum()
    return loss


def padded(x, lengths):
    """Sequences of different lengths in one batch: a state stays as it is after its sequence has ended."""
    h = np.zeros((len(lengths), 4))
    for t, x_t in enumerate(x):
        new = np.tanh(x_t @ U.T + h @ W.T)
        running = t < np.array(lengths)
        h = np.where(running[:, None], new, h)
    return (h * h).sum()


PROGRAMS = {
    "example-by-example": Program(
        lambda T: (example_by_example, sequence(3, T, 3)), {("h", "h"): (0, 1), ("loss", "loss"): 1}
    ),
    "examples-inside-time": Program(lambda T: (examples_inside_time, sequence(3, T, 3)), {("h", "h"): (1, 0)}),
    "a-network-as-a-function": Program(
        lambda T: (a_network_as_a_function, sequence(3, T, 3), tokens(3, 3)), {("h", "h"): (0, 1)}
    ),
    "unit-by-unit": Program(lambda T: (unit_by_unit, sequence(T, 3)), {("a", "a"): {0, 1}}),
    "beam-of-two": Program(lambda T: (beam_of_two, T), {}, unknown="recorded length"),
    "an-ensemble": Program(
        lambda T: (an_ensemble, sequence(T, 3), sequence(T, 3)), {("loss", "o"): 0, ("loss", "y"): 0}
    ),
    "padded": Program(
        lambda T: (padded, sequence(T, 2, 3), [T - 2, T]), {("h", "h"): 1, ("h", "new"): 0, ("new", "h"): 1}
    ),
}
