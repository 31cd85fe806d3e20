"""Words, characters, labels and observations as Python integers, used as indices."""

import numpy as np

import tinygrad_rnn as tg

from .program import Program, sequence, tokens, weight

E, U, W, V = weight(5, 3), weight(4, 3), weight(4, 4), weight(5, 4)


def language_model(text):
    """Each token is read, the next one predicted."""
    h, loss = np.zeros(4), 0
    for token, following in zip(text[:-1], text[1:], strict=True):  # noqa: RUF007
        h = np.tanh(U @ E[token] + W @ h)
        log_p = tg.log_softmax(V @ h)
        loss -= log_p[following]
    return loss / (len(text) - 1)


def tagger(words, tags):
    """A label for each word: rows of an embedding, np.eye for the label."""
    h, losses = np.zeros((1, 4)), []
    for t in range(len(words)):
        h = np.tanh(tg.embedding(E, [words[t]]) @ U.T + h @ W.T)
        p = tg.softmax(h @ V.T)
        losses.append(-np.sum(np.eye(5)[tags[t]] * np.log(p)))
    return np.mean(tg.stack(losses))


def classifier(words, label):
    """One label for the whole text, from the last state; the weights of a token are a column of the matrix."""
    h = np.zeros(4)
    for word in words:
        h = np.tanh(W[:, 0] + V.T[:, word] + W @ h)
    return -tg.log_softmax(V @ h)[label]


def greedy_decoding(steps):
    """The likeliest word is the next input, as a Python integer: no gradient flows through it."""
    h, word, score = np.zeros(4), 0, 0
    for _ in range(steps):
        h = np.tanh(U @ E[word] + W @ h)
        log_p = tg.log_softmax(V @ h)
        word = int(np.argmax(log_p))
        score = score + log_p[word]
    return score


log_pi, A, B = weight(3), weight(3, 3), weight(3, 5)


def hidden_markov_model(observations):
    """The forward algorithm in the log domain: −log p of the observations (Rabiner 1989)."""
    log_A, log_B = tg.log_softmax(A, axis=1), tg.log_softmax(B, axis=1)
    log_alpha = tg.log_softmax(log_pi) + log_B[:, observations[0]]
    for o in observations[1:]:
        log_alpha = tg.logsumexp(log_alpha[:, None] + log_A, axis=0) + log_B[:, o]
    return -tg.logsumexp(log_alpha)


def hidden_markov_model_with_scaling(observations):
    """The same with probabilities that are normalised at each step."""
    p_A, p_B = tg.softmax(A, axis=1), tg.softmax(B, axis=1)
    alpha, log_likelihood = tg.softmax(log_pi), 0
    for t, o in enumerate(observations):
        alpha = (alpha if t == 0 else alpha @ p_A) * p_B[:, o]
        scale = alpha.sum()
        alpha = alpha / scale
        log_likelihood = log_likelihood + np.log(scale)
    return -log_likelihood


transitions, start = weight(3, 3), weight(3)


def conditional_random_field(emissions, tags):
    """log Z minus the score of the tags, the path's score added up by their indices (Lafferty et al. 2001)."""
    alpha = start + emissions[0]
    score = start[tags[0]] + emissions[0][tags[0]]
    for t in range(1, len(emissions)):
        alpha = tg.logsumexp(alpha[:, None] + transitions, axis=0) + emissions[t]
        score = score + transitions[tags[t - 1], tags[t]] + emissions[t, tags[t]]
    return tg.logsumexp(alpha) - score


def viterbi(emissions):
    """The score of the best path: the same recursion with the maximum instead of the sum."""
    v = start + emissions[0]
    for e in emissions[1:]:
        v = np.max(v[:, None] + transitions, axis=0) + e
    return v.max()


C = weight(5, 3)


def connectionist_temporal_classification(x, labels):
    """CTC's forward recursion for all labels at once, in the log domain (Graves et al. 2006)."""
    extended = [0] + [s for label in labels for s in (label, 0)]
    skips = np.array([0 if s > 1 and extended[s] not in (0, extended[s - 2]) else -1e9 for s in range(len(extended))])
    never = np.full(2, -1e9)
    log_p = tg.log_softmax(x @ C.T)
    alpha = np.concatenate([log_p[0, extended[:2]], np.full(len(extended) - 2, -1e9)])
    for t in range(1, len(x)):
        one = np.concatenate([never[:1], alpha[:-1]])
        two = np.concatenate([never, alpha[:-2]]) + skips
        alpha = tg.logsumexp(tg.stack([alpha, one, two]), axis=0) + log_p[t, extended]
    return -np.logaddexp(alpha[-1], alpha[-2])


def ctc_cell_by_cell(x, labels):
    """The recursion without blanks, one label after another, on probabilities, as it is usually taught."""
    p = tg.softmax(x @ C.T)
    alpha = [p[0, 0]] + [0.0] * (len(labels) - 1)
    for t in range(1, len(x)):
        new = []
        for s in range(len(labels)):
            a = alpha[s] if s == 0 else alpha[s] + alpha[s - 1]
            new.append(a * p[t, labels[s]])
        alpha = new
    return -np.log(alpha[-1])


def next_token(text):
    """A token is read and the next one predicted, both by their index in one list."""
    h, loss = np.zeros(4), 0
    for i in range(len(text) - 1):
        h = np.tanh(U @ E[text[i]] + W @ h)
        loss = loss - tg.log_softmax(V @ h)[text[i + 1]]
    return loss / (len(text) - 1)


vocabulary = {letter: i for i, letter in enumerate("abcde")}


def letters(text):
    """The letters of a string, looked up in a dict."""
    h = np.zeros(4)
    for letter in text:
        h = np.tanh(U @ np.take(E, vocabulary[letter], axis=0) + W @ h)
    return (h * h).sum()


PROGRAMS = {
    "language-model": Program(
        lambda T: (language_model, tokens(T, 5)), {("h", "h"): 1, ("log_p", "h"): 0, ("loss", "loss"): 1}
    ),
    "tagger": Program(lambda T: (tagger, tokens(T, 5), tokens(T, 5, seed=3)), {("h", "h"): 1, ("p", "h"): 0}),
    "classifier": Program(lambda T: (classifier, tokens(T, 5), 2), {("h", "h"): 1}),
    "greedy-decoding": Program(
        lambda T: (greedy_decoding, T), {("h", "h"): 1, ("log_p", "h"): 0, ("score", "log_p"): 0}
    ),
    "hidden-markov-model": Program(lambda T: (hidden_markov_model, tokens(T, 5)), {("log_alpha", "log_alpha"): 1}),
    "hidden-markov-model-with-scaling": Program(
        lambda T: (hidden_markov_model_with_scaling, tokens(T, 5)),
        {("alpha", "alpha"): {0, 1}, ("scale", "alpha"): 0, ("log_likelihood", "scale"): 0},
    ),
    "conditional-random-field": Program(
        lambda T: (conditional_random_field, sequence(T, 3), tokens(T, 3)),
        {("alpha", "alpha"): 1, ("score", "score"): 1},
    ),
    "viterbi": Program(lambda T: (viterbi, sequence(T, 3)), {("v", "v"): 1}),
    "ctc": Program(
        lambda T: (connectionist_temporal_classification, sequence(T, 3), [2, 1]),
        {("one", "alpha"): 1, ("two", "alpha"): 1, ("alpha", "alpha"): 1, ("alpha", "one"): 0},
    ),
    "ctc-cell-by-cell": Program(
        lambda T: (ctc_cell_by_cell, sequence(T, 3), [0, 2, 0, 1]),
        {("a", "new"): {(1, 0), (1, 1)}, ("new", "a"): (0, 0)},
    ),
    "next-token": Program(lambda T: (next_token, tokens(T, 5)), {("h", "h"): 1, ("loss", "loss"): 1}),
    "letters": Program(lambda T: (letters, "".join("abcde"[i] for i in tokens(T, 5))), {("h", "h"): 1}),
}
