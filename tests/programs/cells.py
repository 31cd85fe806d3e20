"""Cells as objects: d2l's parameters by gate, classes with `step`, dataclasses as states, Keras-like `call`."""

from dataclasses import dataclass, replace

import numpy as np

import tinygrad_rnn as tg

from .program import Program, sequence, weight


class LSTMScratch(tg.Module):
    """An LSTM with the names of Dive into Deep Learning: W_xi, W_hi, b_i for each gate, batches as rows."""

    def __init__(self, inputs, hidden):
        def triple():
            return weight(inputs, hidden), weight(hidden, hidden), tg.Parameter(np.zeros(hidden))

        self.W_xi, self.W_hi, self.b_i = triple()
        self.W_xf, self.W_hf, self.b_f = triple()
        self.W_xo, self.W_ho, self.b_o = triple()
        self.W_xc, self.W_hc, self.b_c = triple()
        self.W_hq, self.b_q = weight(hidden, 2), tg.Parameter(np.zeros(2))

    def forward(self, inputs, targets, H_C=None):
        if H_C is None:
            H, C = np.zeros((2, 4)), np.zeros((2, 4))
        else:
            H, C = H_C
        outputs = []
        for X in inputs:
            I = tg.sigmoid(np.matmul(X, self.W_xi) + np.matmul(H, self.W_hi) + self.b_i)
            F = tg.sigmoid(np.matmul(X, self.W_xf) + np.matmul(H, self.W_hf) + self.b_f)
            O = tg.sigmoid(np.matmul(X, self.W_xo) + np.matmul(H, self.W_ho) + self.b_o)
            C_tilde = np.tanh(np.matmul(X, self.W_xc) + np.matmul(H, self.W_hc) + self.b_c)
            C = F * C + I * C_tilde
            H = O * np.tanh(C)
            Y = np.matmul(H, self.W_hq) + self.b_q
            outputs.append(Y)
        return ((np.concatenate(outputs, axis=0) - targets) ** 2).mean()


def gru_params(inputs, hidden, outputs):
    W_xz, W_hz, b_z = weight(inputs, hidden), weight(hidden, hidden), weight(hidden)
    W_xr, W_hr, b_r = weight(inputs, hidden), weight(hidden, hidden), weight(hidden)
    W_xh, W_hh, b_h = weight(inputs, hidden), weight(hidden, hidden), weight(hidden)
    return [W_xz, W_hz, b_z, W_xr, W_hr, b_r, W_xh, W_hh, b_h, weight(hidden, outputs)]


params = gru_params(3, 4, 2)


def gru_with_unpacked_parameters(inputs, targets):
    """A GRU as a function of a tuple of parameters that is unpacked in its first line."""
    W_xz, W_hz, b_z, W_xr, W_hr, b_r, W_xh, W_hh, b_h, W_hq = params
    (H,) = (np.zeros((1, 4)),)
    loss = 0
    for X, Y in zip(inputs, targets, strict=True):
        Z = tg.sigmoid((X @ W_xz) + (H @ W_hz) + b_z)
        R = tg.sigmoid((X @ W_xr) + (H @ W_hr) + b_r)
        H_tilde = np.tanh((X @ W_xh) + ((R * H) @ W_hh) + b_h)
        H = Z * H + (1 - Z) * H_tilde
        loss = loss + ((H @ W_hq - Y) ** 2).sum()
    return loss


class RNN:
    """The state is kept in the object: rnn.step(x) returns the output (Karpathy 2015)."""

    def __init__(self):
        self.W_hh, self.W_xh, self.W_hy = weight(4, 4), weight(4, 3), weight(2, 4)
        self.h = np.zeros(4)

    def step(self, x):
        self.h = np.tanh(np.dot(self.W_hh, self.h) + np.dot(self.W_xh, x))
        y = np.dot(self.W_hy, self.h)
        return y


def stateful_object(xs):
    rnn = RNN()
    y = [rnn.step(x) for x in xs]
    return sum((y_t**2).sum() for y_t in y)


def two_objects_in_a_row(xs):
    rnn1, rnn2 = RNN(), RNN()
    rnn2.W_xh = weight(4, 2)
    loss = 0
    for x in xs:
        y1 = rnn1.step(x)
        y = rnn2.step(y1)
        loss += (y**2).sum()
    return loss


@dataclass
class State:
    h: tg.Tensor
    c: tg.Tensor
    n: tg.Tensor


Wq, Wz, Wi, Wf = weight(4, 3), weight(4, 3), weight(4, 3), weight(4, 4)


def state_in_a_dataclass(x):
    """A cell that returns a new state by dataclasses.replace."""

    def step(state, x_t):
        f = tg.sigmoid(Wf @ state.h)
        i = np.exp(Wi @ x_t)
        c = f * state.c + i * np.tanh(Wz @ x_t)
        n = f * state.n + i
        h = tg.sigmoid(Wq @ x_t) * c / n
        return replace(state, h=h, c=c, n=n)

    state = State(np.zeros(4), np.zeros(4), np.ones(4))
    for x_t in x:
        state = step(state, x_t)
    return (state.h**2).sum()


class SimpleRNNCell:
    """Keras' protocol: call(inputs, states) returns the output and a list of new states."""

    def __init__(self, inputs, units):
        self.state_size = units
        self.kernel, self.recurrent_kernel, self.bias = weight(inputs, units), weight(units, units), weight(units)

    def call(self, inputs, states):
        prev_output = states[0]
        h = np.dot(inputs, self.kernel)
        output = np.tanh(h + np.dot(prev_output, self.recurrent_kernel) + self.bias)
        return output, [output]


class MinimalRNNCell(SimpleRNNCell):
    """The example cell of Keras' guide: no activation."""

    def call(self, inputs, states):
        output = np.dot(inputs, self.kernel) + np.dot(states[0], self.recurrent_kernel)
        return output, [output]


class StackedRNNCells:
    def __init__(self, cells):
        self.cells = cells

    def call(self, inputs, states):
        new_states = []
        for cell, state in zip(self.cells, states, strict=True):
            inputs, state = cell.call(inputs, state)
            new_states.append(state)
        return inputs, new_states


simple, stacked = SimpleRNNCell(3, 4), StackedRNNCells([SimpleRNNCell(3, 4), MinimalRNNCell(4, 4)])


def keras_cell(inputs):
    """The loop around a cell: batch-major inputs, the outputs stacked."""
    states, outputs = [np.zeros((2, 4))], []
    for t in range(inputs.shape[1]):
        output, states = simple.call(inputs[:, t], states)
        outputs.append(output)
    return tg.stack(outputs, axis=1)


def keras_stacked_cells(inputs):
    states = [[np.zeros((2, 4))] for _ in stacked.cells]
    for t in range(inputs.shape[1]):
        output, states = stacked.call(inputs[:, t], states)
    return (output**2).mean()


def get_params(inputs, hidden, outputs):
    """The parameters of a network in a list, unpacked where they are used (Dive into Deep Learning)."""
    W_xh, W_hh, b_h = weight(inputs, hidden), weight(hidden, hidden), weight(hidden)
    W_hq, b_q = weight(hidden, outputs), weight(outputs)
    return [W_xh, W_hh, b_h, W_hq, b_q]


def rnn(inputs, state, params):
    W_xh, W_hh, b_h, W_hq, b_q = params
    (H,) = state
    outputs = []
    for X in inputs:
        H = np.tanh(np.dot(X, W_xh) + np.dot(H, W_hh) + b_h)
        Y = np.dot(H, W_hq) + b_q
        outputs.append(Y)
    return np.concatenate(outputs, axis=0), (H,)


class RNNModelScratch:
    def __init__(self, params, forward_fn):
        self.params, self.forward_fn = params, forward_fn

    def __call__(self, X, Y):
        y_hat, _ = self.forward_fn(X, (np.zeros((2, 4)),), self.params)
        return ((y_hat - Y) ** 2).mean()


class SlottedCell:
    """A cell without a dict of attributes, whose step returns its output and its state without names for them."""

    __slots__ = ("kernel", "recurrent")

    def __init__(self):
        self.kernel, self.recurrent = weight(3, 4), weight(4, 4)

    def step(self, x, state):
        h, c = state
        c = 0.5 * c + h @ self.recurrent
        return x @ self.kernel + np.tanh(c), c


def slotted(xs, state):
    cell = SlottedCell()
    for x in xs:
        state = cell.step(x, state)
    h, c = state
    return (h * c).sum()


PROGRAMS = {
    "d2l-lstm": Program(
        lambda T: (LSTMScratch(3, 4), sequence(T, 2, 3), sequence(2 * T, 2)),
        {("C", "C"): 1, ("I", "H"): 1, ("F", "H"): 1, ("O", "H"): 1, ("C_tilde", "H"): 1, ("H", "C"): 0, ("Y", "H"): 0},
    ),
    "gru-with-unpacked-parameters": Program(
        lambda T: (gru_with_unpacked_parameters, list(sequence(T, 1, 3)), list(sequence(T, 1, 2))),
        {("H", "H"): 1, ("Z", "H"): 1, ("R", "H"): 1, ("H_tilde", "H"): 1, ("H_tilde", "R"): 0, ("loss", "H"): 0},
    ),
    "stateful-object": Program(lambda T: (stateful_object, list(sequence(T, 3))), {("h", "h"): 1, ("y", "h"): 0}),
    "two-objects-in-a-row": Program(
        lambda T: (two_objects_in_a_row, list(sequence(T, 3))), {("h", "h"): 1, ("h", "y"): 0, ("loss", "y"): 0}
    ),
    "state-in-a-dataclass": Program(
        lambda T: (state_in_a_dataclass, sequence(T, 3)), {("c", "c"): 1, ("n", "n"): 1, ("h", "c"): 0, ("f", "h"): 1}
    ),
    "keras-cell": Program(lambda T: (keras_cell, sequence(2, T, 3)), {("output", "output"): 1}, loss=False),
    "keras-stacked-cells": Program(lambda T: (keras_stacked_cells, sequence(2, T, 3)), {("output", "output"): {0, 1}}),
    "d2l-rnn": Program(
        lambda T: (RNNModelScratch(get_params(3, 4, 2), rnn), sequence(T, 2, 3), sequence(2 * T, 2)),
        {("H", "H"): 1, ("Y", "H"): 0},
    ),
    "slotted": Program(
        lambda T: (slotted, sequence(T, 3), (tg.Tensor(np.ones(4)), tg.Tensor(np.ones(4)))),
        {("h", "c"): 0, ("c", "h"): 1, ("c", "c"): 1},
    ),
}
