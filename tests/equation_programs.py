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
    switching,
    without_a_batch,
]
