"""Filters, state spaces and differential equations: recurrences that come from elsewhere than networks."""

import numpy as np

import tinygrad_rnn as tg

from .program import Program, sequence, weight

rng = np.random.default_rng(4)
W_in, W, W_out = rng.normal(size=(4, 3)), 0.3 * rng.normal(size=(4, 4)), weight(2, 4)


def echo_state(u, y, leak=0.3):
    """A reservoir that is not trained, of leaky units, and a readout after a washout (Jaeger 2001)."""
    x, states = np.zeros(4), []
    for u_n in u:
        x_new = np.tanh(W_in @ u_n + W @ x)
        x = (1 - leak) * x + leak * x_new
        states.append(x)
    X = tg.stack(states[2:])
    return ((X @ W_out.T - y[2:]) ** 2).mean()


F, H, B_u = weight(2, 2), weight(1, 2), weight(2, 1)
log_q, log_r = weight(2), weight(1)


def kalman_filter(z):
    """Predict, update, and the negative log-likelihood of the innovations (Kalman 1960)."""
    x, P, loss = np.zeros((2, 1)), np.eye(2), 0
    Q, R = np.exp(log_q) * np.eye(2), np.exp(log_r) * np.eye(1)
    for z_t in z:
        x = F @ x
        P = F @ P @ F.T + Q
        innovation = z_t - H @ x
        S = H @ P @ H.T + R
        K = P @ H.T / S
        x = x + K @ innovation
        P = (np.eye(2) - K @ H) @ P
        loss = loss + 0.5 * (innovation**2 / S + np.log(S)).sum()
    return loss


log_A, W_delta, W_B, W_C = weight(3, 2), weight(3, 3), weight(2, 3), weight(2, 3)


def selective_scan(x):
    """Step sizes, inputs and readouts are made of x for all steps at once, then scanned (Mamba; Gu & Dao 2023)."""
    delta = tg.softplus(x @ W_delta.T)
    B, C = x @ W_B.T, x @ W_C.T
    dA = np.exp(delta[:, :, None] * -np.exp(log_A))
    dBx = (delta * x)[:, :, None] * B[:, None, :]
    h, ys = np.zeros((3, 2)), []
    for t in range(len(x)):
        h = dA[t] * h + dBx[t]
        ys.append(h @ C[t])
    return (tg.stack(ys) ** 2).mean()


A, B, C, D = weight(4, 4), weight(4, 3), weight(2, 4), weight(2, 3)


def state_space(u):
    """x ← A x + B u, y = C x + D u, the output before the update."""
    x, y = np.zeros(4), []
    for k in range(len(u)):
        y.append(C @ x + D @ u[k])
        x = A @ x + B @ u[k]
    return y


tau, w_in, w_rec = weight(4), weight(4, 3), weight(4, 4)


def liquid_time_constants(x, steps=3):
    """Three semi-implicit solver steps for each input (Hasani et al. 2021)."""
    dt, h = 1 / steps, np.zeros(4)
    for x_t in x:
        drive = w_in @ x_t
        for _ in range(steps):
            f = tg.sigmoid(drive + w_rec @ h)
            h = (h + dt * f) / (1 + dt * (np.exp(tau) + f))
    return (h * h).sum()


def derivative(h):
    return np.tanh(w_rec @ h) - h


def euler(h, times):
    for t0, t1 in zip(times[:-1], times[1:], strict=True):  # noqa: RUF007
        h = h + (t1 - t0) * derivative(h)
    return h


def ode_rnn(x):
    """Between the inputs the state follows a differential equation, in four steps of Euler (Rubanova et al. 2019)."""
    h = np.zeros(4)
    for x_t in x:
        h_minus = euler(h, np.linspace(0, 1, 5))
        h = np.tanh(w_in @ x_t + A @ h_minus)
    return (h * h).sum()


def runge_kutta(x, dt=0.1):
    """A continuous-time network, by the classical method with its four slopes."""

    def f(h, x_t):
        return np.tanh(w_in @ x_t + w_rec @ h) - h

    h = np.zeros(4)
    for x_t in x:
        k1 = f(h, x_t)
        k2 = f(h + dt / 2 * k1, x_t)
        k3 = f(h + dt / 2 * k2, x_t)
        k4 = f(h + dt * k3, x_t)
        h = h + dt / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    return (h * h).sum()


filters = weight(4, 3, 3)


def convolution_then_rnn(x):
    """A convolution over time with a window of three, and a network on its features."""
    features = []
    for t in range(len(x) - 2):
        features.append(np.maximum(np.einsum("oki,ki->o", filters, x[t : t + 3]), 0))
    h = np.zeros(4)
    for feature in features:
        h = np.tanh(feature + A @ h)
    return (h * h).sum()


theta, phi = weight(2), weight(1)


def autoregressive_moving_average(y):
    """ARMA(2, 1): two values and one error back, from the third value on."""
    e, loss = 0.0, 0
    for t in range(2, len(y)):
        prediction = theta[0] * y[t - 1] + theta[1] * y[t - 2] + phi[0] * e
        e = y[t] - prediction
        loss = loss + e**2
    return loss


alpha, beta, gamma = weight(), weight(), weight()


def exponential_smoothing(y):
    """Level, trend and a season of three values that comes back (Holt-Winters)."""
    level, trend, loss = y[0], 0.0, 0
    season = [np.float64(0.1), np.float64(-0.2), np.float64(0.1)]
    for t in range(1, len(y)):
        before = level
        error = y[t] - (level + trend + season[t - 1])
        level = level + trend + tg.sigmoid(alpha) * error
        trend = trend + tg.sigmoid(beta) * (level - before - trend)
        season.append(season[t - 1] + tg.sigmoid(gamma) * error)
        loss = loss + error**2
    return loss


k_in, v_in, r_in, rate = weight(3, 4), weight(3, 4), weight(3, 4), weight(4)


def rwkv(x):
    """Keys, values and receptances of all steps at once, then two running sums that fade (Peng et al. 2023)."""
    k, v, r = x @ k_in, x @ v_in, tg.sigmoid(x @ r_in)
    fade, bonus = np.exp(-np.exp(rate)), np.exp(rate)
    top, bottom, loss = k[0] * v[0], np.exp(k[0]), 0
    for t in range(1, len(x)):
        e = np.exp(k[t])
        o = r[t] * (top + bonus * e * v[t]) / (bottom + bonus * e)
        top = fade * top + e * v[t]
        bottom = fade * bottom + e
        loss = loss + (o * o).sum()
    return loss


PROGRAMS = {
    "echo-state": Program(lambda T: (echo_state, sequence(T, 3), sequence(T, 2)), {("x", "x"): 1, ("x_new", "x"): 1}),
    "kalman-filter": Program(
        lambda T: (kalman_filter, sequence(T, 1, 1)),
        {("x", "x"): {0, 1}, ("P", "P"): {0, 1}, ("S", "P"): 0, ("innovation", "x"): 0, ("loss", "S"): 0},
    ),
    "selective-scan": Program(
        lambda T: (selective_scan, sequence(T, 3)), {("h", "h"): 1, ("h", "dA"): 0, ("h", "dBx"): 0}
    ),
    "state-space": Program(lambda T: (state_space, sequence(T, 3)), {("x", "x"): 1, ("x", "u"): 0}, loss=False),
    "liquid-time-constants": Program(
        lambda T: (liquid_time_constants, sequence(T, 3)), {("h", "h"): {0, 1}, ("f", "h"): {0, 1}, ("f", "drive"): 0}
    ),
    "ode-rnn": Program(lambda T: (ode_rnn, sequence(T, 3)), {("h", "h"): {0, 1}}),
    "runge-kutta": Program(
        lambda T: (runge_kutta, sequence(T, 3)), {("h", "h"): 1, ("k1", "h"): 1, ("k2", "k1"): 0, ("h", "k4"): 0}
    ),
    "convolution-then-rnn": Program(lambda T: (convolution_then_rnn, sequence(T, 3)), {("h", "h"): 1}, (7, 9)),
    "arma": Program(
        lambda T: (autoregressive_moving_average, sequence(T)),
        {("prediction", "e"): 1, ("prediction", "y"): {0, -1}, ("e", "prediction"): 0, ("e", "y"): -2},
        (7, 9),
    ),
    "holt-winters": Program(
        lambda T: (exponential_smoothing, sequence(T)),
        {("level", "level"): 1, ("trend", "trend"): 1, ("error", "season"): 3, ("season", "season"): 3},
        (20, 23),
    ),
    "rwkv": Program(
        lambda T: (rwkv, sequence(T, 3)), {("top", "top"): 1, ("bottom", "bottom"): 1, ("o", "top"): 1, ("o", "r"): -1}
    ),
}
