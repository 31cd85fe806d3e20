"""Gated networks of the literature, each in the form in which its paper writes it."""

import numpy as np

import tinygrad_rnn as tg

from .program import Program, sequence, weight


class Peephole(tg.Module):
    """The gates look at the cell (Gers & Schmidhuber 2000)."""

    def __init__(self):
        self.Wi, self.Wf, self.Wo, self.Wz = (weight(4, 3) for _ in range(4))
        self.Ri, self.Rf, self.Ro, self.Rz = (weight(4, 4) for _ in range(4))
        self.pi, self.pf, self.po = (weight(4) for _ in range(3))

    def step(self, x, y, c):
        i = tg.sigmoid(self.Wi @ x + self.Ri @ y + self.pi * c)
        f = tg.sigmoid(self.Wf @ x + self.Rf @ y + self.pf * c)
        z = np.tanh(self.Wz @ x + self.Rz @ y)
        c = z * i + c * f
        o = tg.sigmoid(self.Wo @ x + self.Ro @ y + self.po * c)
        y = np.tanh(c) * o
        return y, c


peephole = Peephole()


def lstm_with_peepholes(x):
    y, c = np.zeros(4), np.zeros(4)
    for x_t in x:
        y, c = peephole.step(x_t, y, c)
    return (y * y).sum()


W, U, W_f, U_f, b, b_f = weight(4, 3), weight(4, 4), weight(4, 3), weight(4, 4), weight(4), weight(4)


def minimal_gated_unit(x):
    """One gate (Zhou et al. 2016)."""
    h = np.zeros(4)
    for x_t in x:
        f = tg.sigmoid(W_f @ x_t + U_f @ h + b_f)
        h_hat = np.tanh(W @ x_t + U @ (f * h) + b)
        h = (1 - f) * h + f * h_hat
    return (h * h).sum()


def just_another_network(x):
    """Only a forget gate (Westhuizen & Lasenby 2018)."""
    h = np.zeros(4)
    for x_t in x:
        s = U_f @ h + W_f @ x_t + b_f
        c_tilde = np.tanh(U @ h + W @ x_t + b)
        h = tg.sigmoid(s) * h + (1 - tg.sigmoid(s - 1)) * c_tilde
    return (h * h).sum()


Q, R = weight(3, 4), weight(4, 3)
gates = weight(16, 7)


def mogrifier_lstm(x):
    """x and h modulate each other for five rounds before each step (Melis et al. 2020)."""
    h, c = np.zeros(4), np.zeros(4)
    for x_t in x:
        for i in range(1, 6):
            if i % 2 == 1:
                x_t = 2 * tg.sigmoid(Q @ h) * x_t
            else:
                h = 2 * tg.sigmoid(R @ x_t) * h
        f, i, j, o = np.split(gates @ np.concatenate([x_t, h]), 4)
        c = tg.sigmoid(f) * c + tg.sigmoid(i) * np.tanh(j)
        h = tg.sigmoid(o) * np.tanh(c)
    return (h * h).sum()


R_h, R_t = [weight(4, 4) for _ in range(3)], [weight(4, 4) for _ in range(3)]
W_h, W_t = weight(4, 3), weight(4, 3)


def recurrent_highway_network(x):
    """Three highway layers a step; only the first reads x (Zilly et al. 2017)."""
    s = np.zeros(4)
    for x_t in x:
        for layer in range(3):
            a, b = R_h[layer] @ s, R_t[layer] @ s
            if layer == 0:
                a, b = a + W_h @ x_t, b + W_t @ x_t
            h, t = np.tanh(a), tg.sigmoid(b)
            s = h * t + s * (1 - t)
    return (s * s).sum()


def highway_rounds_with_shared_weights(x):
    """The same with one pair of matrices for all rounds."""
    s = np.zeros(4)
    for x_t in x:
        for _ in range(3):
            t = tg.sigmoid(R_t[0] @ s)
            s = np.tanh(R_h[0] @ s + W_h @ x_t) * t + s * (1 - t)
    return (s * s).sum()


Wz, Wi, Wf, Wo = (weight(4, 3) for _ in range(4))
Rz, Ri, Rf, Ro = (weight(4, 4) for _ in range(4))


def slstm(x):
    """Exponential gates with a stabiliser m and a normaliser n (xLSTM; Beck et al. 2024)."""
    h, c, n, m = np.zeros(4), np.zeros(4), np.ones(4), np.zeros(4)
    for x_t in x:
        i_tilde = Wi @ x_t + Ri @ h
        f_tilde = Wf @ x_t + Rf @ h
        m_prev = m
        m = np.maximum(f_tilde + m_prev, i_tilde)
        i, f = np.exp(i_tilde - m), np.exp(f_tilde + m_prev - m)
        c = f * c + i * np.tanh(Wz @ x_t + Rz @ h)
        n = f * n + i
        h = tg.sigmoid(Wo @ x_t + Ro @ h) * c / n
    return (h * h).sum()


Wq, Wk, Wv = weight(4, 3), weight(4, 3), weight(4, 3)
w_i, w_f = weight(3), weight(3)


def mlstm(x):
    """A matrix for a memory, written by an outer product, read by a query (xLSTM)."""
    C, n, loss = np.zeros((4, 4)), np.zeros(4), 0
    for x_t in x:
        q, k, v = Wq @ x_t, Wk @ x_t / np.sqrt(4), Wv @ x_t
        i, f = np.exp(w_i @ x_t), tg.sigmoid(w_f @ x_t)
        C = f * C + i * np.outer(v, k)
        n = f * n + i * k
        h = tg.sigmoid(Wo @ x_t) * (C @ q) / np.maximum(np.abs(n @ q), 1)
        loss = loss + (h * h).sum()
    return loss


def simple_recurrent_unit(x):
    """The products with x run first, for all steps; the loop only multiplies elements (Lei et al. 2018)."""
    x_tilde, f, r = x @ Wz.T, tg.sigmoid(x @ Wf.T), tg.sigmoid(x @ Wi.T)
    c, hs = np.zeros(4), []
    for t in range(len(x)):
        c = f[t] * c + (1 - f[t]) * x_tilde[t]
        h = r[t] * np.tanh(c) + (1 - r[t]) * x[t].sum()
        hs.append(h)
    return (tg.stack(hs) ** 2).mean()


gain, shift = weight(4), weight(4)


def layer_norm(a):
    mean = a.mean()
    deviation = np.sqrt(((a - mean) ** 2).mean() + 1e-5)
    return gain * (a - mean) / deviation + shift


def layer_normalised(x):
    """The sum of inputs is normalised over the units at each step (Ba et al. 2016)."""
    h = np.zeros(4)
    for x_t in x:
        a = W @ x_t + U @ h
        h = np.tanh(layer_norm(a))
    return (h * h).sum()


def antisymmetric(x, epsilon=0.1, gamma=0.01):
    """A step of Euler's method on a stable system (Chang et al. 2019)."""
    A = U - U.T - gamma * np.eye(4)
    h = np.zeros(4)
    for x_t in x:
        h = h + epsilon * np.tanh(A @ h + W @ x_t + b)
    return (h * h).sum()


PROGRAMS = {
    "peephole": Program(
        lambda T: (lstm_with_peepholes, sequence(T, 3)),
        {("c", "c"): 1, ("i", "c"): 1, ("f", "c"): 1, ("o", "c"): 0, ("o", "y"): 1, ("y", "c"): 0},
    ),
    "minimal-gated-unit": Program(
        lambda T: (minimal_gated_unit, sequence(T, 3)), {("h", "h"): 1, ("f", "h"): 1, ("h_hat", "f"): 0}
    ),
    "janet": Program(lambda T: (just_another_network, sequence(T, 3)), {("h", "h"): 1, ("s", "h"): 1, ("h", "s"): 0}),
    "mogrifier-lstm": Program(lambda T: (mogrifier_lstm, sequence(T, 3)), {("c", "c"): 1, ("h", "c"): 0}),
    "recurrent-highway": Program(lambda T: (recurrent_highway_network, sequence(T, 3)), {("s", "s"): {0, 1}}),
    "highway-rounds": Program(
        lambda T: (highway_rounds_with_shared_weights, sequence(T, 3)), {("s", "s"): {0, 1}, ("t", "s"): {0, 1}}
    ),
    "slstm": Program(
        lambda T: (slstm, sequence(T, 3)),
        {("c", "c"): 1, ("n", "n"): 1, ("m", "m"): 1, ("i", "m"): 0, ("f", "m"): {0, 1}, ("i_tilde", "h"): 1},
    ),
    "mlstm": Program(lambda T: (mlstm, sequence(T, 3)), {("C", "C"): 1, ("n", "n"): 1, ("h", "C"): 0, ("h", "q"): 0}),
    "simple-recurrent-unit": Program(lambda T: (simple_recurrent_unit, sequence(T, 3)), {("c", "c"): 1, ("h", "c"): 0}),
    "layer-normalised": Program(lambda T: (layer_normalised, sequence(T, 3)), {("a", "h"): 1, ("mean", "a"): 0}),
    "antisymmetric": Program(lambda T: (antisymmetric, sequence(T, 3)), {("h", "h"): 1, ("h", "A"): "once"}),
}
