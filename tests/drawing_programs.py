"""Models as people publish them, with their own names and their own loops: what a drawing must be able to show."""

import numpy as np

import tinygrad_rnn as tg
from zoo.lstm import LSTMCell

T, B, INPUTS, HIDDEN = 6, 2, 3, 4


def _parameters(rng, **shapes):
    return {name: tg.Parameter(0.3 * rng.normal(size=shape)) for name, shape in shapes.items()}


def _gates(rng, gates):
    """Weights by the names that Dive into Deep Learning gives them: W_xi, W_hi and b_i for a gate i."""
    shapes = {f"W_x{gate}": (INPUTS, HIDDEN) for gate in gates}
    shapes |= {f"W_h{gate}": (HIDDEN, HIDDEN) for gate in gates}
    return _parameters(rng, **shapes, **{f"b_{gate}": HIDDEN for gate in gates})


class D2lLSTM(tg.Module):
    """LSTM from scratch, Dive into Deep Learning, section 10.1."""

    def __init__(self):
        rng = np.random.default_rng(0)
        self.__dict__ |= _gates(rng, "ifoc") | _parameters(rng, W_hq=(HIDDEN, 1), b_q=1)

    def __call__(self, X):
        H, C = np.zeros((B, HIDDEN)), np.zeros((B, HIDDEN))
        outputs = []
        for X_t in X:
            I = tg.sigmoid(X_t @ self.W_xi + H @ self.W_hi + self.b_i)
            F = tg.sigmoid(X_t @ self.W_xf + H @ self.W_hf + self.b_f)
            O = tg.sigmoid(X_t @ self.W_xo + H @ self.W_ho + self.b_o)
            C_tilde = tg.tanh(X_t @ self.W_xc + H @ self.W_hc + self.b_c)
            C = F * C + I * C_tilde
            H = O * tg.tanh(C)
            Y = H @ self.W_hq + self.b_q
            outputs.append(Y)
        return tg.sum(tg.concatenate(outputs) ** 2)


class D2lGRU(tg.Module):
    """GRU from scratch, Dive into Deep Learning, section 10.2."""

    def __init__(self):
        self.__dict__ |= _gates(np.random.default_rng(0), "zrh")

    def __call__(self, X):
        H = np.zeros((B, HIDDEN))
        outputs = []
        for X_t in X:
            Z = tg.sigmoid(X_t @ self.W_xz + H @ self.W_hz + self.b_z)
            R = tg.sigmoid(X_t @ self.W_xr + H @ self.W_hr + self.b_r)
            H_tilde = tg.tanh(X_t @ self.W_xh + (R * H) @ self.W_hh + self.b_h)
            H = Z * H + (1 - Z) * H_tilde
            outputs.append(H)
        return tg.sum(tg.stack(outputs) ** 2)


def kalman(z):
    """Kalman filter (Kalman 1960): state x and covariance P, predicted, then corrected by each measurement z."""
    F, H = np.array([[1.0, 1.0], [0.0, 1.0]]), np.array([[1.0, 0.0]])
    Q, R = tg.Parameter(0.1 * np.eye(2)), tg.Parameter(np.eye(1))
    x, P = np.zeros((2, 1)), np.eye(2)
    loss = 0.0
    for z_t in z:
        x = F @ x
        P = F @ P @ F.T + Q
        e = z_t - H @ x
        S = H @ P @ H.T + R
        K = P @ H.T / S
        x = x + K @ e
        P = P - K @ H @ P
        loss = loss + tg.sum(e * e / S + tg.log(S))
    return loss


class SelectiveScan(tg.Module):
    """Selective state space, Mamba (Gu & Dao 2023, algorithm 2): what depends on u is computed at once."""

    def __init__(self, states=2):
        rng = np.random.default_rng(0)
        self.A = tg.Parameter(-np.tile(np.arange(1.0, states + 1), (INPUTS, 1)))
        self.W_B, self.W_C = (tg.Parameter(rng.normal(size=(INPUTS, states))) for _ in "BC")
        self.W_delta = tg.Parameter(rng.normal(size=(INPUTS, INPUTS)))
        self.D = tg.Parameter(np.ones(INPUTS))

    def __call__(self, u):
        delta = tg.softplus(u @ self.W_delta)
        B, C = u @ self.W_B, u @ self.W_C
        dA = tg.exp(delta[:, :, None] * self.A)
        dBu = (delta * u)[:, :, None] * B[:, None, :]
        x = np.zeros(self.A.shape)
        ys = []
        for t in range(len(u)):
            x = dA[t] * x + dBu[t]
            y = tg.sum(x * C[t], axis=-1)
            ys.append(y)
        return tg.sum((tg.stack(ys) + u * self.D) ** 2)


class StackedLSTM(tg.Module):
    """Two layers: the state of the first is the input of the second."""

    def __init__(self):
        self.lower, self.upper = LSTMCell(INPUTS, HIDDEN, rng=0), LSTMCell(HIDDEN, HIDDEN, rng=1)

    def __call__(self, x):
        below, above = self.lower.initial_state(B), self.upper.initial_state(B)
        loss = 0.0
        for x_t in x:
            h, below = self.lower(x_t, below)
            k, above = self.upper(h, above)
            loss = loss + tg.sum(k * k)
        return loss


class BidirectionalLSTM(tg.Module):
    """Two cells, the second of which runs from the last step to the first."""

    def __init__(self):
        self.forth, self.back = LSTMCell(INPUTS, HIDDEN, rng=0), LSTMCell(INPUTS, HIDDEN, rng=1)

    def __call__(self, x):
        hs, gs = self._run(self.forth, x), self._run(self.back, x[::-1])[::-1]
        loss = 0.0
        for h, g in zip(hs, gs, strict=True):
            loss = loss + tg.sum(h * g)
        return loss

    def _run(self, cell, x):
        state, outputs = cell.initial_state(B), []
        for x_t in x:
            h, state = cell(x_t, state)
            outputs.append(h)
        return outputs


def predicted_and_corrected(v):
    """Two states, each assigned twice a step, that start from different values."""
    F = tg.Parameter(np.array([[0.9, 0.1], [0.0, 0.9]]))
    h, P = np.zeros((2, 2)), np.eye(2)
    for v_t in v:
        h = F @ h
        P = F @ P
        h = h + v_t
        P = P - v_t
    return tg.sum(h * P)


def rows(*shape):
    return np.random.default_rng(1).normal(size=shape)


PROGRAMS = {
    "d2l-lstm": (D2lLSTM(), rows(T, B, INPUTS)),
    "d2l-gru": (D2lGRU(), rows(T, B, INPUTS)),
    "stacked-lstm": (StackedLSTM(), rows(T, B, INPUTS)),
    "bidirectional-lstm": (BidirectionalLSTM(), rows(T, B, INPUTS)),
    "kalman": (kalman, rows(T, 1, 1)),
    "selective-scan": (SelectiveScan(), rows(T, INPUTS)),
    "predicted-and-corrected": (predicted_and_corrected, rows(T, 2, 2)),
}
"""By name a model and its argument."""
