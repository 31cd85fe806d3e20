"""Programs whose equations are read and checked: attention, layers, tied weights, work before and after a loop."""

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn.nn.modules import Module, Parameter


def parameter(*shape):
    return Parameter(np.random.default_rng(len(shape) + shape[0]).normal(size=shape) / 2)


class Cell(Module):
    def __init__(self, inputs, hidden):
        self.U, self.W, self.b = parameter(hidden, inputs), parameter(hidden, hidden), parameter(hidden)

    def __call__(self, x, h):
        return np.tanh(self.b + h @ self.W.T + x @ self.U.T)


class Attention(Module):
    """Scores over all encoder states, by a product, as they are usually written."""

    def __init__(self):
        self.encoder, self.decoder, self.V, self.A = Cell(3, 4), Cell(4, 4), parameter(5, 4), parameter(4, 4)

    def __call__(self, x, y):
        h = np.zeros((x.shape[1], 4))
        hs = []
        for x_t in x:
            h = self.encoder(x_t, h)
            hs.append(h)
        H = tg.stack(hs, axis=1)
        s = h
        L = 0
        for y_t in y:
            e = (H * np.expand_dims(s @ self.A.T, 1)).sum(axis=-1)
            α = tg.softmax(e)
            c = (np.expand_dims(α, -1) * H).sum(axis=1)
            s = self.decoder(c, s)
            L = L + tg.cross_entropy(s @ self.V.T, y_t)
        return L


class Einsum(Attention):
    def __call__(self, x, y):
        h = np.zeros((x.shape[1], 4))
        hs = []
        for x_t in x:
            h = self.encoder(x_t, h)
            hs.append(h)
        H = tg.stack(hs)
        s = h
        L = 0
        for y_t in y:
            e = tg.einsum("nbd,bd->bn", H, s @ self.A.T)
            α = tg.softmax(e)
            c = tg.einsum("bn,nbd->bd", α, H)
            s = self.decoder(c, s)
            L = L + tg.cross_entropy(s @ self.V.T, y_t)
        return L


class EncoderDecoder(Module):
    def __init__(self):
        self.encoder, self.decoder, self.V = Cell(3, 4), Cell(4, 4), parameter(4, 4)

    def __call__(self, x, y):
        h = np.zeros((x.shape[1], 4))
        for x_t in x:
            h = self.encoder(x_t, h)
        s = np.zeros((x.shape[1], 4))
        L = 0
        for y_t in y:
            s = self.decoder(h, s)
            L = L + tg.cross_entropy(s @ self.V.T, y_t)
        return L


class Stacked(Module):
    """Two layers run by the same code, and the mean over time taken at the end."""

    def __init__(self):
        self.layers, self.V = [Cell(3, 4), Cell(4, 4)], parameter(4, 4)

    def __call__(self, x, y):
        h = [np.zeros((x.shape[1], 4))] * 2
        L = 0
        for value, y_t in zip(x, y, strict=True):
            for i, layer in enumerate(self.layers):
                value = h[i] = layer(value, h[i])
            L += tg.cross_entropy(value @ self.V.T, y_t)
        return L / len(x)


class Tied(Module):
    """A weight that is used twice in a step, and one that embeds the input and makes the output."""

    def __init__(self):
        self.W, self.E = parameter(4, 4), parameter(6, 4)

    def __call__(self, x, y):
        h = np.zeros((y.shape[1], 4))
        L = 0
        for y_t in y:
            h = np.tanh(tg.embedding(self.E, y_t) + np.tanh(h @ self.W.T) @ self.W.T)
            L = L + tg.cross_entropy(h @ self.E.T, y_t)
        return L


class Fused(Module):
    """An LSTM with all gates in one product, a list of losses, and a learned start."""

    def __init__(self):
        self.U, self.W, self.b, self.V = parameter(16, 3), parameter(16, 4), parameter(16), parameter(4, 4)
        self.start = parameter(4)

    def __call__(self, x, y):
        h = tg.broadcast_to(self.start, (x.shape[1], 4))
        c = np.zeros((x.shape[1], 4))
        losses = []
        for x_t, y_t in zip(x, y, strict=True):
            i, f, o, n = tg.split(x_t @ self.U.T + h @ self.W.T + self.b, 4, axis=-1)
            c = tg.sigmoid(f) * c + tg.sigmoid(i) * np.tanh(n)
            h = tg.sigmoid(o) * np.tanh(c)
            losses.append(tg.cross_entropy(h @ self.V.T, y_t))
        return sum(losses) / len(losses)


class Joined(Module):
    """x and h joined, and one loss for all steps at once."""

    def __init__(self):
        self.W, self.V = parameter(4, 7), parameter(4, 4)

    def __call__(self, x, y):
        h = np.zeros((x.shape[1], 4))
        outputs = []
        for x_t in x:
            h = np.tanh(tg.concatenate([x_t, h], axis=-1) @ self.W.T)
            outputs.append(h @ self.V.T)
        return tg.cross_entropy(tg.stack(outputs), y)


class Hoisted(Module):
    """The product with x for all steps at once, before the loop; the mean of the losses in a stack."""

    def __init__(self):
        self.U, self.W = parameter(4, 3), parameter(4, 4)

    def __call__(self, x, y):
        X = x @ self.U.T
        h = np.zeros((x.shape[1], 4))
        losses = []
        for t in range(len(x)):
            h = tg.relu(X[t] + h @ self.W.T)
            losses.append(((h - 1) ** 2).mean())
        return tg.stack(losses).mean()


class Standardised(Module):
    """What mixes the examples of the batch: a mean over them in the middle of a step."""

    def __init__(self):
        self.W, self.V = parameter(3, 3), parameter(4, 3)

    def __call__(self, x, y):
        h = np.zeros(x.shape[1:])
        L = 0
        for x_t, y_t in zip(x, y, strict=True):
            h = np.tanh(h @ self.W.T + x_t)
            h = h - h.mean(axis=0)
            L = L + tg.cross_entropy(h @ self.V.T, y_t)
        return L


class OfFour(Module):
    """An LSTM with a weight for each gate, and one loss for the outputs of all steps below each other."""

    def __init__(self):
        for gate in "ifoc":
            setattr(self, f"W_x{gate}", parameter(3, 4))
            setattr(self, f"W_h{gate}", parameter(4, 4))
            setattr(self, f"b_{gate}", parameter(4))
        self.W_hq, self.b_q = parameter(4, 4), parameter(4)

    def __call__(self, inputs, y):
        H = C = np.zeros((inputs.shape[1], 4))
        outputs = []
        for X in inputs:
            I = tg.sigmoid(X @ self.W_xi + H @ self.W_hi + self.b_i)
            F = tg.sigmoid(X @ self.W_xf + H @ self.W_hf + self.b_f)
            O = tg.sigmoid(X @ self.W_xo + H @ self.W_ho + self.b_o)
            C_tilde = np.tanh(X @ self.W_xc + H @ self.W_hc + self.b_c)
            C = F * C + I * C_tilde
            H = O * np.tanh(C)
            outputs.append(H @ self.W_hq + self.b_q)
        return tg.cross_entropy(tg.concatenate(outputs, axis=0), y.reshape(-1))


class Memory(Module):
    """A Turing machine of one head: addressed by content, then by a rotation."""

    def __init__(self, places=5, width=3, hidden=4):
        self.U, self.W, self.R = parameter(hidden, 3), parameter(hidden, hidden), parameter(hidden, width)
        self.K, self.E, self.A = (parameter(width, hidden) for _ in range(3))
        self.Wβ, self.Wg, self.Wγ = (parameter(1, hidden) for _ in range(3))
        self.Ws, self.V, self.start = parameter(3, hidden), parameter(4, hidden), parameter(places, width)

    def __call__(self, x, y):
        B = x.shape[1]
        M = tg.broadcast_to(self.start, (B, *self.start.shape))
        w = np.full((B, 5), 1 / 5)
        h, r = np.zeros((B, 4)), np.zeros((B, 3))
        L = 0
        for x_t, y_t in zip(x, y, strict=True):
            h = np.tanh(x_t @ self.U.T + h @ self.W.T + r @ self.R.T)
            k = np.tanh(h @ self.K.T)
            norms = np.sqrt((M * M).sum(axis=-1)) * np.sqrt((k * k).sum(axis=-1, keepdims=True))
            c = tg.softmax(tg.softplus(h @ self.Wβ.T) * (M * k[:, None, :]).sum(axis=-1) / (norms + 1e-6))
            g = tg.sigmoid(h @ self.Wg.T)
            wg = g * c + (1 - g) * w
            s = tg.softmax(h @ self.Ws.T)
            before = tg.concatenate([wg[:, -1:], wg[:, :-1]], axis=1)
            v = s[:, 0:1] * np.roll(wg, -1, axis=1) + s[:, 1:2] * wg + s[:, 2:3] * before
            p = v ** (1 + tg.softplus(h @ self.Wγ.T))
            w = p / p.sum(axis=-1, keepdims=True)
            e, a = tg.sigmoid(h @ self.E.T), np.tanh(h @ self.A.T)
            M = M * (1 - w[:, :, None] * e[:, None, :]) + w[:, :, None] * a[:, None, :]
            r = (w[:, :, None] * M).sum(axis=1)
            L = L + tg.cross_entropy(h @ self.V.T, y_t)
        return L


class Additive(Attention):
    """Scores by a small network, on arrays with an axis for the examples, one for the steps, one for the units."""

    def __init__(self):
        super().__init__()
        self.Wa, self.Ua, self.va = parameter(5, 4), parameter(5, 4), parameter(5)

    def __call__(self, x, y):
        h = np.zeros((x.shape[1], 4))
        hs = []
        for x_t in x:
            h = self.encoder(x_t, h)
            hs.append(h)
        H = tg.stack(hs, axis=1)
        keys = H @ self.Ua.T
        s = h
        L = 0
        for y_t in y:
            scores = np.tanh((s @ self.Wa.T)[:, None, :] + keys) @ self.va
            α = tg.softmax(scores, axis=1)
            c = (α[:, :, None] * H).sum(axis=1)
            s = self.decoder(c, s)
            L = L + tg.cross_entropy(s @ self.V.T, y_t)
        return L


class Coverage(Additive):
    """With what was attended to until now, time first, and a weight of one element."""

    def __init__(self):
        super().__init__()
        self.w = parameter(1)

    def __call__(self, x, y):
        h = np.zeros((x.shape[1], 4))
        hs = []
        for x_t in x:
            h = self.encoder(x_t, h)
            hs.append(h)
        H = tg.stack(hs)
        s = h
        L = 0
        coverage = np.zeros(x.shape[:2])
        for y_t in y:
            e = np.tanh(H @ self.Ua.T + s @ self.Wa.T + coverage[:, :, None] * self.w) @ self.va
            a = tg.softmax(e, axis=0)
            coverage = coverage + a
            s = self.decoder((a[:, :, None] * H).sum(axis=0), s)
            L = L + tg.cross_entropy(s @ self.V.T, y_t)
        return L


class SelectiveScan(Module):
    """Arrays computed for all steps at once, then read element by element."""

    def __init__(self):
        self.A, self.WB, self.WC, self.WΔ = parameter(3, 4), parameter(4, 3), parameter(4, 3), parameter(3, 3)

    def __call__(self, u, y):
        Δ = tg.softplus(u @ self.WΔ.T)
        B, C = u @ self.WB.T, u @ self.WC.T
        dA = np.exp(Δ[..., None] * self.A)
        dBu = (Δ * u)[..., None] * B[..., None, :]
        x = np.zeros((u.shape[1], 3, 4))
        outputs = []
        for t in range(len(u)):
            x = dA[t] * x + dBu[t]
            outputs.append((x * C[t][:, None, :]).sum(axis=-1))
        return (tg.stack(outputs) ** 2).mean()


class Masked(Module):
    """Sequences of different lengths: after its end the state of an example stays, and its loss does not count."""

    def __init__(self):
        self.cell, self.V = Cell(3, 4), parameter(4, 4)

    def __call__(self, x, y):
        mask = (np.arange(len(x))[:, None] < len(x) - np.arange(x.shape[1])).astype(float)
        h = np.zeros((x.shape[1], 4))
        L = 0
        for t in range(len(x)):
            m = mask[t][:, None]
            h = tg.where(m > 0, self.cell(x[t], h), h)
            l = tg.cross_entropy(h @ self.V.T, y[t], reduction="none")
            L = L + (mask[t] * l).sum() / mask.sum()
        return L


class Columns(Module):
    """Single elements of the input, and windows of it, at each step."""

    def __init__(self):
        self.w, self.v, self.W = parameter(4), parameter(4), parameter(4, 4)

    def __call__(self, x, y):
        h = np.zeros(4)
        for t in range(len(x)):
            h = np.tanh(h @ self.W.T + x[t, 0, 1] * self.w + x[t, 1, 2] * self.v)
        return (h * h).sum()


class Rows(Module):
    """A cross-entropy with labels that are rows: the probabilities of the classes."""

    def __init__(self):
        self.cell, self.V = Cell(3, 4), parameter(4, 4)

    def __call__(self, x, y):
        y = np.random.default_rng(0).dirichlet(np.ones(4), size=y.shape)
        h = np.zeros((x.shape[1], 4))
        L = 0
        for x_t, y_t in zip(x, y, strict=True):
            h = self.cell(x_t, h)
            o = h @ self.V.T
            L = L + -(y_t * tg.log_softmax(o)).sum(axis=-1).mean()
        return L


def forced(pattern, late=False):
    """Teacher forcing at the steps of the pattern: fed the target or its own output, of the step before.

    late  the output is replaced by the target at the end of a step
    """
    W, V, U = parameter(4, 4), parameter(3, 4), parameter(4, 3)

    def model(x, y):
        h = np.zeros((x.shape[1], 4))
        o = fed = np.zeros((x.shape[1], 3))
        L = 0
        for t, forcing in enumerate(pattern):
            if not late:
                fed = x[t - 1] if forcing and t else o
            h = np.tanh(h @ W.T + fed @ U.T)
            o = h @ V.T
            L = L + ((o - x[t]) ** 2).sum()
            if late:
                fed = x[t] if forcing else o
        return L

    return model


def repeated(x, y):
    """The same value added at every step."""
    w, W = parameter(3), parameter(3, 3)
    h = np.zeros(3)
    L = 0
    for x_t in x[:, 0]:
        h = np.tanh(h @ W.T + x_t)
        L = L + w
    return (L * h).sum()


def of_many_terms(n):
    """A step that is a sum of n terms."""
    terms = " + ".join(f"{i % 7 + 1} / 700 * (x_t @ W.T) * h ** {i % 4 + 1}" for i in range(n))
    lines = ["def model(x, y):", "    h = np.ones(3)", "    for x_t in x[:, 0]:", f"        h = np.tanh({terms})"]
    source = "\n".join([*lines, "    return (h * h).sum()"])
    scope = {"np": np, "W": parameter(3, 3)}
    exec(source, scope)
    return scope["model"]


def switching(x, y):
    """Teacher forcing at some steps."""
    W = parameter(3, 3)
    o = np.zeros(x.shape[1:])
    L = 0
    for t in range(len(x)):
        target = x[t]
        before = target if t % 3 else o
        o = np.tanh(before @ W.T + 1.0)
        L = L + (o * o).sum()
    return L


def without_a_batch(x, y):
    W, U = parameter(4, 4), parameter(4, 3)
    h = np.zeros(4)
    for x_t in x[:, 0]:
        h = np.tanh(h @ W.T + U @ x_t)
    L = (h * h).sum()
    return L


PROGRAMS = [
    Attention(),
    Einsum(),
    EncoderDecoder(),
    Stacked(),
    Tied(),
    Fused(),
    Joined(),
    Hoisted(),
    Standardised(),
    OfFour(),
    Memory(),
    Additive(),
    Coverage(),
    SelectiveScan(),
    Masked(),
    Columns(),
    Rows(),
    repeated,
    switching,
    without_a_batch,
]
