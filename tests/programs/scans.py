"""Functions of a carry and an input, run by scan, reduce, accumulate, generators, closures and recursion."""

from functools import partial, reduce
from itertools import accumulate
from typing import NamedTuple

import numpy as np

import tinygrad_rnn as tg

from .program import Program, sequence, weight


def scan(f, carry, xs, reverse=False):
    """What jax.lax.scan is defined as: the last carry, and the outputs stacked."""
    ys = []
    for x in reversed(xs) if reverse else xs:
        carry, y = f(carry, x)
        ys.append(y)
    return carry, tg.stack(ys[::-1] if reverse else ys)


params = {"rnn": {"wx": weight(3, 4), "wh": weight(4, 4), "b": weight(4)}, "out": {"w": weight(4, 2)}}


def elman_by_scan(x, y):
    def step(h, x_t):
        rnn = params["rnn"]
        h = np.tanh(x_t @ rnn["wx"] + h @ rnn["wh"] + rnn["b"])
        return h, h @ params["out"]["w"]

    _, predictions = scan(step, np.zeros(4), x)
    return np.mean((predictions - y) ** 2)


class LSTMParams(NamedTuple):
    w_i: tg.Parameter
    w_h: tg.Parameter
    b: tg.Parameter


class LSTMState(NamedTuple):
    hidden: tg.Tensor
    cell: tg.Tensor


def lstm_step(params, state, x_t):
    gated = x_t @ params.w_i + state.hidden @ params.w_h + params.b
    i, g, f, o = np.split(gated, 4, axis=-1)
    cell = tg.sigmoid(f + 1) * state.cell + tg.sigmoid(i) * np.tanh(g)
    hidden = tg.sigmoid(o) * np.tanh(cell)
    return LSTMState(hidden, cell), hidden


lstm = LSTMParams(weight(3, 16), weight(4, 16), weight(16))


def lstm_with_named_tuples(x):
    last, outputs = scan(partial(lstm_step, lstm), LSTMState(np.zeros(4), np.zeros(4)), x)
    return (outputs**2).sum() + (last.cell**2).sum()


right, left = weight(4, 4), weight(4, 4)
U = weight(3, 4)


def both_directions_by_scan(x):
    def run(W, reverse):
        def f(h, x_t):
            h = np.tanh(x_t @ U + h @ W)
            return h, h

        return scan(f, np.zeros(4), x, reverse)[1]

    return np.sum(np.concatenate([run(right, False), run(left, True)], axis=-1) ** 2)


layers = [(weight(3, 4), weight(4, 4)), (weight(4, 4), weight(4, 4))]


def one_scan_a_layer(x):
    for W_x, W_h in layers:

        def f(h, x_t, W_x=W_x, W_h=W_h):
            h = np.tanh(x_t @ W_x + h @ W_h)
            return h, h

        _, x = scan(f, np.zeros(4), x)
    return (x[-1] ** 2).sum()


W = weight(4, 4)


def reduced(xs):
    h = reduce(lambda h, x: np.tanh(x @ U + h @ W), xs, np.zeros(4))
    return (h**2).sum()


def accumulated(xs):
    def step(h, x):
        return np.tanh(x @ U + h @ W)

    states = list(accumulate(xs, step, initial=np.zeros(4)))
    return sum((state**2).sum() for state in states[1:])


def states_of(xs):
    h = np.zeros(4)
    for x in xs:
        h = np.tanh(x @ U + h @ W)
        yield h


def a_generator(xs, ys):
    loss = 0
    for h, y in zip(states_of(xs), ys, strict=True):
        o = h @ params["out"]["w"]
        loss = loss + ((o - y) ** 2).sum()
    return loss


def a_generator_that_is_sent_the_input(xs):
    def network():
        h = np.zeros(4)
        while True:
            x = yield h
            h = np.tanh(x @ U + h @ W)

    rnn = network()
    next(rnn)
    loss = 0
    for x in xs:
        loss = loss + (rnn.send(x) ** 2).sum()
    return loss


def a_closure_over_the_state(xs):
    h = np.zeros(4)

    def step(x):
        nonlocal h
        h = np.tanh(x @ U + h @ W)
        return h @ params["out"]["w"]

    outputs = [step(x) for x in xs]
    return sum((o**2).sum() for o in outputs)


def recursion_on_time(x):
    """The definition read literally: the state at t is made of the state at t − 1."""

    def state(t):
        if t < 0:
            return np.zeros(4)
        h = np.tanh(x[t] @ U + state(t - 1) @ W)
        return h

    return (state(len(x) - 1) ** 2).sum()


def recursion_on_the_list(xs):
    """A fold as functional languages write it: the rest of the list in a tail call."""

    def run(h, xs):
        if len(xs) == 0:
            return h
        return run(np.tanh(xs[0] @ U + h @ W), xs[1:])

    return (run(np.zeros(4), list(xs)) ** 2).sum()


PROGRAMS = {
    "elman-by-scan": Program(lambda T: (elman_by_scan, sequence(T, 3), sequence(T, 2)), {("h", "h"): 1, ("y", "h"): 0}),
    "lstm-with-named-tuples": Program(
        lambda T: (lstm_with_named_tuples, sequence(T, 3)),
        {("gated", "hidden"): 1, ("cell", "cell"): 1, ("hidden", "cell"): 0},
    ),
    "both-directions-by-scan": Program(lambda T: (both_directions_by_scan, sequence(T, 3)), {("h", "h"): {1, -1}}),
    "one-scan-a-layer": Program(lambda T: (one_scan_a_layer, sequence(T, 3)), {("h", "h"): 1, ("h", "x"): 0}),
    "reduced": Program(lambda T: (reduced, list(sequence(T, 3))), {("h", "h"): 1}),
    "accumulated": Program(lambda T: (accumulated, list(sequence(T, 3))), {("states", "states"): 1}),
    "a-generator": Program(
        lambda T: (a_generator, sequence(T, 3), sequence(T, 2)), {("h", "h"): 1, ("o", "h"): 0, ("loss", "loss"): 1}
    ),
    "a-generator-that-is-sent-the-input": Program(
        lambda T: (a_generator_that_is_sent_the_input, sequence(T, 3)), {("h", "h"): 1, ("loss", "h"): 0}
    ),
    "a-closure-over-the-state": Program(lambda T: (a_closure_over_the_state, list(sequence(T, 3))), {("h", "h"): 1}),
    "recursion-on-time": Program(lambda T: (recursion_on_time, sequence(T, 3)), {("h", "h"): 1}),
    "recursion-on-the-list": Program(lambda T: (recursion_on_the_list, sequence(T, 3)), {("h", "h"): 1}),
}
