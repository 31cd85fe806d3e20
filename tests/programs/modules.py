"""Modules with `forward`, made of Linear, Embedding and Parameter, as in PyTorch's tutorials and examples."""

import numpy as np

import tinygrad_rnn as tg

from .program import Program, sequence, tokens, weight


class NameClassifier(tg.Module):
    """Input and state joined, one Linear for the next state and one for the output."""

    def __init__(self, inputs, hidden, outputs):
        self.hidden_size = hidden
        self.i2h = tg.Linear(inputs + hidden, hidden, rng=0)
        self.i2o = tg.Linear(inputs + hidden, outputs, rng=1)

    def forward(self, input, hidden):
        combined = tg.concatenate([input, hidden], axis=1)
        hidden = np.tanh(self.i2h(combined))
        output = tg.log_softmax(self.i2o(combined))
        return output, hidden

    def init_hidden(self):
        return np.zeros((1, self.hidden_size))


name_classifier = NameClassifier(3, 4, 5)


def train_on_a_name(line, category):
    hidden = name_classifier.init_hidden()
    for i in range(len(line)):
        output, hidden = name_classifier(line[i], hidden)
    return -output[0, category]


class LSTMCell(tg.Module):
    """All four gates in two Linear maps, taken apart by chunk."""

    def __init__(self, inputs, hidden):
        self.x2h = tg.Linear(inputs, 4 * hidden, rng=0)
        self.h2h = tg.Linear(hidden, 4 * hidden, rng=1)

    def forward(self, x, hx):
        h, c = hx
        gates = self.x2h(x) + self.h2h(h)
        i, f, g, o = tg.split(gates, 4, axis=-1)
        c = tg.sigmoid(f) * c + tg.sigmoid(i) * np.tanh(g)
        h = tg.sigmoid(o) * np.tanh(c)
        return h, c


class Regressor(tg.Module):
    def __init__(self):
        self.cell, self.fc = LSTMCell(3, 4), tg.Linear(4, 1, rng=2)

    def forward(self, x, y):
        h, c = np.zeros((2, 4)), np.zeros((2, 4))
        for t in range(len(x)):
            h, c = self.cell(x[t], (h, c))
        return ((self.fc(h) - y) ** 2).mean()


class GRU(tg.Module):
    """A GRU with a Linear of its own for each gate, the outputs stacked at the end."""

    def __init__(self, inputs, hidden):
        self.hidden = hidden
        self.ir, self.iz, self.in_ = (tg.Linear(inputs, hidden, rng=i) for i in range(3))
        self.hr, self.hz, self.hn = (tg.Linear(hidden, hidden, rng=3 + i) for i in range(3))

    def forward(self, x, hx=None):
        h = np.zeros((x.shape[1], self.hidden)) if hx is None else hx
        outputs = []
        for x_t in x:
            r = tg.sigmoid(self.ir(x_t) + self.hr(h))
            z = tg.sigmoid(self.iz(x_t) + self.hz(h))
            n = np.tanh(self.in_(x_t) + r * self.hn(h))
            h = (1 - z) * n + z * h
            outputs.append(h)
        return tg.stack(outputs), h


class Forecast(tg.Module):
    def __init__(self):
        self.gru, self.head = GRU(3, 4), tg.Linear(4, 3, rng=6)

    def forward(self, x):
        outputs, _ = self.gru(x[:-1])
        return ((self.head(outputs) - x[1:]) ** 2).mean()


class RNNCell(tg.Module):
    def __init__(self, inputs, hidden, rng):
        self.ih, self.hh = tg.Linear(inputs, hidden, rng=rng), tg.Linear(hidden, hidden, bias=False, rng=rng + 1)

    def forward(self, x, h):
        return np.tanh(self.ih(x) + self.hh(h))


class WordModel(tg.Module):
    """Embedding, a list of cells, and a decoder tied to the embedding (Press & Wolf 2017)."""

    def __init__(self, words, width):
        self.encoder = tg.Embedding(words, width, rng=0)
        self.layers = [RNNCell(width, width, 2 * i) for i in range(2)]
        self.bias = weight(words)

    def forward(self, data, targets):
        hidden = [np.zeros((data.shape[1], 4)) for _ in self.layers]
        loss = 0
        for t in range(len(data)):
            output = self.encoder(data[t])
            for i, layer in enumerate(self.layers):
                hidden[i] = layer(output, hidden[i])
                output = hidden[i]
            decoded = output @ self.encoder.weight.T + self.bias
            loss = loss + tg.cross_entropy(decoded, targets[t])
        return loss / len(data)


class Encoder(tg.Module):
    def __init__(self):
        self.embedding, self.rnn = tg.Embedding(5, 3, rng=0), RNNCell(3, 4, 1)

    def forward(self, source):
        hidden = np.zeros((1, 4))
        for word in source:
            hidden = self.rnn(self.embedding([word]), hidden)
        return hidden


class Decoder(tg.Module):
    def __init__(self):
        self.embedding, self.rnn, self.out = tg.Embedding(5, 3, rng=3), RNNCell(3, 4, 4), tg.Linear(4, 5, rng=6)

    def forward(self, word, hidden):
        hidden = self.rnn(np.maximum(self.embedding([word]), 0), hidden)
        return self.out(hidden), hidden


class Seq2Seq(tg.Module):
    """Encoder and decoder with teacher forcing: the decoder is fed the word before (Sutskever et al. 2014)."""

    def __init__(self):
        self.encoder, self.decoder = Encoder(), Decoder()

    def forward(self, source, target):
        hidden = self.encoder(source)
        loss, word = 0, 0
        for following in target:
            output, hidden = self.decoder(word, hidden)
            loss += tg.cross_entropy(output, [following])
            word = following
        return loss


class AdditiveAttention(tg.Module):
    """Scores of all encoder states at once (Bahdanau et al. 2015)."""

    def __init__(self):
        self.W_q, self.W_k, self.w_v = (tg.Linear(4, n, bias=False, rng=i) for i, n in enumerate((4, 4, 1)))

    def forward(self, query, keys):
        scores = self.w_v(np.tanh(np.expand_dims(self.W_q(query), 0) + self.W_k(keys)))
        weights = tg.softmax(scores, axis=0)
        return (weights * keys).sum(axis=0)


class Translator(tg.Module):
    def __init__(self):
        self.encoder, self.decoder = RNNCell(3, 4, 0), RNNCell(7, 4, 2)
        self.attention, self.fc = AdditiveAttention(), tg.Linear(4, 3, rng=4)

    def forward(self, source, target):
        h = np.zeros((2, 4))
        states = []
        for x in source:
            h = self.encoder(x, h)
            states.append(h)
        keys = tg.stack(states)
        s, y, loss = h, np.zeros((2, 3)), 0
        for t in range(len(target)):
            context = self.attention(s, keys)
            s = self.decoder(tg.concatenate([y, context], axis=1), s)
            loss = loss + ((self.fc(s) - target[t]) ** 2).sum()
            y = target[t]
        return loss


class BiTagger(tg.Module):
    """Both directions, the second by reversed(range), joined for each word."""

    def __init__(self):
        self.embed = tg.Embedding(5, 3, rng=0)
        self.forward_cell, self.backward_cell = RNNCell(3, 4, 1), RNNCell(3, 4, 3)
        self.hidden2tag = tg.Linear(8, 5, rng=5)

    def forward(self, sentence, tags):
        embeds = [self.embed([word]) for word in sentence]
        right, left = [], [None] * len(embeds)
        h = np.zeros((1, 4))
        for e in embeds:
            h = self.forward_cell(e, h)
            right.append(h)
        h = np.zeros((1, 4))
        for i in reversed(range(len(embeds))):
            h = self.backward_cell(embeds[i], h)
            left[i] = h
        loss = 0
        for i, tag in enumerate(tags):
            tag_space = self.hidden2tag(tg.concatenate([right[i], left[i]], axis=1))
            loss += tg.cross_entropy(tag_space, [tag])
        return loss


def _batch(T):
    return np.random.default_rng(3).integers(5, size=(T, 2))


class PackedCell(tg.Module):
    """The four gates of an LSTM as slices of one product."""

    def __init__(self, inputs, hidden):
        self.ih, self.hh, self.size = tg.Linear(inputs, 4 * hidden, rng=0), tg.Linear(hidden, 4 * hidden, rng=1), hidden

    def forward(self, x, state):
        h, c = state
        gates, n = self.ih(x) + self.hh(h), self.size
        i, f = tg.sigmoid(gates[:, :n]), tg.sigmoid(gates[:, n : 2 * n])
        o = tg.sigmoid(gates[:, 2 * n : 3 * n])
        c = f * c + i * np.tanh(gates[:, 3 * n :])
        return o * np.tanh(c), c


class StackedLSTM(tg.Module):
    """Cells in a list, a state for each, dropout left out; the top layer's states stacked for a head."""

    def __init__(self):
        self.cells = [PackedCell(3, 4), PackedCell(4, 4)]
        self.head = tg.Linear(4, 2, rng=2)

    def forward(self, x, y):
        states = [(np.zeros((2, 4)), np.zeros((2, 4))) for _ in self.cells]
        top = []
        for x_t in x:
            for layer, cell in enumerate(self.cells):
                h, c = cell(x_t, states[layer])
                states[layer] = h, c
                x_t = h
            top.append(x_t)
        return ((self.head(tg.stack(top)) - y) ** 2).mean()


U, W = weight(4, 3), weight(4, 4)
heads = [tg.Linear(4, 2, rng=0), tg.Linear(4, 2, rng=1)]


def a_sum_over_heads(x):
    h = np.zeros(4)
    for x_t in x:
        h = np.tanh(U @ x_t + W @ h)
    return sum((head(h) ** 2).sum() for head in heads)


PROGRAMS = {
    "a-sum-over-heads": Program(lambda T: (a_sum_over_heads, sequence(T, 3)), {("h", "h"): 1, ("h", "x"): 0}),
    "name-classifier": Program(
        lambda T: (train_on_a_name, sequence(T, 1, 3), 2),
        {("combined", "hidden"): 1, ("hidden", "combined"): 0, ("output", "combined"): 0},
    ),
    "lstm-cell-by-chunk": Program(
        lambda T: (Regressor(), sequence(T, 2, 3), sequence(2, 1)), {("c", "c"): 1, ("h", "c"): 0, ("gates", "h"): 1}
    ),
    "gru-of-linears": Program(
        lambda T: (Forecast(), sequence(T, 2, 3)),
        {("h", "h"): 1, ("r", "h"): 1, ("z", "h"): 1, ("n", "r"): 0, ("n", "h"): 1},
    ),
    "word-model": Program(
        lambda T: (WordModel(5, 4), _batch(T), _batch(T)), {("hidden", "hidden"): {0, 1}, ("loss", "decoded"): 0}
    ),
    "seq2seq": Program(
        lambda T: (Seq2Seq(), tokens(T, 5), tokens(T, 5, seed=3)), {("hidden", "hidden"): 1, ("loss", "loss"): 1}
    ),
    "additive-attention": Program(
        lambda T: (Translator(), sequence(T, 2, 3), sequence(T, 2, 3)),
        {("h", "h"): 1, ("s", "s"): 1, ("context", "weights"): 0, ("scores", "s"): 1},
    ),
    "bidirectional-tagger": Program(lambda T: (BiTagger(), tokens(T, 5), tokens(T, 5, seed=3)), {("h", "h"): {1, -1}}),
    "stacked-lstm": Program(
        lambda T: (StackedLSTM(), sequence(T, 2, 3), sequence(T, 2, 2)), {("c", "c"): 1, ("c", "i"): 0, ("h", "o"): 0}
    ),
}
