"""What the loop goes through: arrays, lists, tuples, queues, dicts; in order, in reverse, in strides and windows."""

from collections import deque
from itertools import pairwise

import numpy as np

import tinygrad_rnn as tg

from .program import Program, sequence, weight

U, W, b = weight(4, 3), weight(4, 4), weight(4)
V = weight(3, 4)


def a_list_of_arrays(xs):
    h = np.zeros(4)
    for x in xs:
        h = np.tanh(U @ x + W @ h + b)
    return (h * h).sum()


def a_tuple_and_a_list_side_by_side(xs, ys):
    h, loss = np.zeros(4), 0
    for x, y in zip(xs, ys, strict=True):
        h = np.tanh(U @ x + W @ h + b)
        loss = loss + ((V @ h - y) ** 2).mean()
    return loss


def a_queue(xs):
    queue, h = deque(xs), np.zeros(4)
    while queue:
        x = queue.popleft()
        h = np.tanh(U @ x + W @ h + b)
    return (h * h).sum()


def a_dict_by_day(readings):
    h, predictions = np.zeros(4), {}
    for day in sorted(readings):
        if day > 0:
            predictions[day] = V @ h
        h = np.tanh(U @ readings[day] + W @ h + b)
    return sum(((prediction - readings[day]) ** 2).sum() for day, prediction in predictions.items())


def a_dict_of_lists(data):
    h, loss = np.zeros(4), 0
    for t, (x, y) in enumerate(zip(data["inputs"], data["targets"], strict=True)):
        h = np.tanh(U @ x + W @ h + b)
        loss += ((V @ h - y) ** 2).mean() / (t + 1)
    return loss


def while_the_index_is_in_range(x):
    h, t = np.zeros(4), 0
    while t < len(x):
        h = np.tanh(U @ x[t] + W @ h + b)
        t += 1
    return (h * h).sum()


def a_list_of_records(events):
    """Events with a time between them: the state decays over the gap (as in GRU-D, Che et al. 2018)."""
    h = np.zeros(4)
    for event in events:
        decay = np.exp(-tg.softplus(b) * event["gap"])
        h = np.tanh(U @ event["value"] + W @ (decay * h))
    return (h * h).sum()


def numbered(x, mask):
    h = np.zeros(4)
    for t, x_t in enumerate(x):
        new = np.tanh(U @ x_t + W @ h + b)
        h = mask[t] * new + (1 - mask[t]) * h
    return (h * h).sum()


def a_reversed_list(xs):
    """The encoder reads the sentence in reverse (Sutskever et al. 2014), the decoder writes it in order."""
    h = np.zeros(4)
    for x in reversed(xs):
        h = np.tanh(U @ x + W @ h)
    s, loss = h, 0
    for x in xs:
        loss += ((V @ s - x) ** 2).sum()
        s = np.tanh(W @ s + b)
    return loss


def the_first_taken_by_next(x):
    steps = iter(x)
    h = np.tanh(U @ next(steps) + b)
    for x_t in steps:
        h = np.tanh(U @ x_t + W @ h + b)
    return (h * h).sum()


def the_next_element_as_the_target(xs):
    h, losses = np.zeros(4), []
    for x, target in pairwise(xs):
        h = np.tanh(U @ x + W @ h + b)
        losses.append(((V @ h - target) ** 2).mean())
    return sum(losses) / len(losses)


def every_second_element(x):
    h = np.zeros(4)
    for t in range(0, len(x), 2):
        h = np.tanh(U @ x[t] + W @ h + b)
    return (h * h).sum()


def two_elements_a_step(x):
    """A pyramid's lower half: each step reads two neighbours (Listen, Attend and Spell; Chan et al. 2016)."""
    h = np.zeros(4)
    for t in range(0, len(x), 2):
        h = np.tanh(U @ (x[t] + x[t + 1]) + W @ h + b)
    return (h * h).sum()


window_weights = weight(4, 3, 3)


def a_window(x):
    h = np.zeros(4)
    for t in range(len(x) - 2):
        h = np.tanh((window_weights * x[t : t + 3]).sum(axis=(1, 2)) + W @ h)
    return (h * h).sum()


def batch_first(x, y):
    """x is (batch, time, inputs), as data sets often come."""
    h, loss = np.zeros((len(x), 4)), 0
    for t in range(x.shape[1]):
        h = np.tanh(x[:, t] @ U.T + h @ W.T + b)
        loss += ((h @ V.T - y[:, t, :]) ** 2).mean()
    return loss


def embedded_first(x):
    """A list made by a comprehension before the loop, and read by the loop."""
    features = [np.tanh(U @ x_t + b) for x_t in x]
    h = np.zeros(4)
    for feature in features:
        h = np.tanh(feature + W @ h)
    return (h * h).sum()


def noise_drawn_beforehand(x):
    rng = np.random.default_rng(0)
    noise = [rng.normal(size=4) for _ in x]
    h = np.zeros(4)
    for t in range(len(x)):
        h = np.tanh(U @ x[t] + W @ h + 0.1 * noise[t])
    return (h * h).sum()


def pairs_and_a_start(data):
    """Inputs and targets in pairs, and the first state, in one nest."""
    pairs, h = data
    loss = 0
    for x, y in pairs:
        h = np.tanh(U @ x + W @ h + b)
        loss = loss + ((V @ h - y) ** 2).sum()
    return loss


def from_the_end_by_a_negative_index(x):
    h = np.zeros(4)
    for t in range(1, len(x) + 1):
        h = np.tanh(U @ x[-t] + W @ h)
    return (h * h).sum()


def three_neighbours_of_a_list(xs):
    h = np.zeros(4)
    for t in range(2, len(xs)):
        h = np.tanh(U @ xs[t] + U @ xs[t - 1] + U @ xs[t - 2] + W @ h)
    return (h * h).sum()


PROGRAMS = {
    "a-list-of-arrays": Program(lambda T: (a_list_of_arrays, list(sequence(T, 3))), {("h", "h"): 1}),
    "a-tuple-and-a-list": Program(
        lambda T: (a_tuple_and_a_list_side_by_side, tuple(sequence(T, 3)), list(sequence(T, 3))),
        {("h", "h"): 1, ("loss", "h"): 0, ("loss", "loss"): 1},
    ),
    "a-negative-index": Program(
        lambda T: (from_the_end_by_a_negative_index, sequence(T, 3)), {("h", "h"): -1, ("h", "x"): 0}
    ),
    "three-neighbours-of-a-list": Program(
        lambda T: (three_neighbours_of_a_list, list(sequence(T, 3))), {("h", "h"): 1}, (7, 9)
    ),
    "a-queue": Program(lambda T: (a_queue, list(sequence(T, 3))), {("h", "h"): 1}),
    "a-dict-by-day": Program(
        lambda T: (a_dict_by_day, dict(enumerate(sequence(T, 3)))), {("h", "h"): 1, ("predictions", "h"): 1}
    ),
    "a-dict-of-lists": Program(
        lambda T: (a_dict_of_lists, {"inputs": list(sequence(T, 3)), "targets": list(sequence(T, 3))}),
        {("h", "h"): 1, ("loss", "h"): 0},
    ),
    "while-the-index-is-in-range": Program(
        lambda T: (while_the_index_is_in_range, sequence(T, 3)), {("h", "h"): 1, ("h", "x"): 0}
    ),
    "a-list-of-records": Program(
        lambda T: (a_list_of_records, [{"gap": 0.5 + t % 3, "value": x} for t, x in enumerate(sequence(T, 3))]),
        {("h", "h"): 1, ("h", "decay"): 0},
    ),
    "numbered": Program(
        lambda T: (numbered, sequence(T, 3), [float(t % 3 != 2) for t in range(T)]),
        {("new", "h"): 1, ("h", "h"): 1, ("h", "new"): 0},
    ),
    "a-reversed-list": Program(
        lambda T: (a_reversed_list, list(sequence(T, 3))), {("h", "h"): -1, ("s", "s"): 1, ("loss", "s"): 1}
    ),
    "the-first-taken-by-next": Program(lambda T: (the_first_taken_by_next, sequence(T, 3)), {("h", "h"): 1}),
    "the-next-element-as-the-target": Program(
        lambda T: (the_next_element_as_the_target, list(sequence(T, 3))), {("h", "h"): 1}
    ),
    "every-second-element": Program(lambda T: (every_second_element, sequence(T, 3)), {("h", "h"): 1}, (8, 12)),
    "two-elements-a-step": Program(lambda T: (two_elements_a_step, sequence(T, 3)), {("h", "h"): 1}, (8, 12)),
    "a-window": Program(lambda T: (a_window, sequence(T, 3)), {("h", "h"): 1}, (7, 9)),
    "batch-first": Program(
        lambda T: (batch_first, sequence(2, T, 3), sequence(2, T, 3)), {("h", "h"): 1, ("h", "x"): 0, ("loss", "h"): 0}
    ),
    "embedded-first": Program(lambda T: (embedded_first, sequence(T, 3)), {("h", "h"): 1, ("h", "x"): 0}),
    "noise-drawn-beforehand": Program(lambda T: (noise_drawn_beforehand, sequence(T, 3)), {("h", "h"): 1}),
    "pairs-and-a-start": Program(
        lambda T: (pairs_and_a_start, (list(zip(sequence(T, 3), sequence(T, 3), strict=True)), np.ones(4))),
        {("h", "h"): 1, ("loss", "h"): 0},
    ),
}
