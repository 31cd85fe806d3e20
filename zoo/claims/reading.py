"""Experiments with networks that read a sequence and say something at each step, or at the end: published tasks."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn.nn.optimisers import SGD

from ..leaky import LearnedLeakyCell
from ..pattern_1 import Pattern1
from ..readout import AtEnd, EachStep
from ..rnn import RNNCell
from ..tasks.characters import Characters, load, ngram_nats
from ..tasks.copy_memory import CopyMemory
from ..tasks.reber import LETTERS, EmbeddedReber
from ..tasks.temporal_order import TemporalOrder
from .claim import Progress
from .teaching import FLOAT, Lesson, Measure, batches, growing, teach


def reader(kind: Any, cell: Any, task: Any, hidden: int, seed: int) -> Any:
    """A cell for a task, with an output at each step or at the end, `kind`."""
    rng = np.random.default_rng(seed)
    return kind(cell(task.inputs, hidden, rng=rng, dtype=FLOAT), hidden, task.outputs, rng=rng, dtype=FLOAT)


def learnt(task: Any, kind: Any, cell: Any, hidden: int, steps: int, lr: float) -> Measure:
    """What measures the loss on a task of a cell that has learnt it."""

    def measure(seed: int, quick: bool, progress: Progress) -> float:
        model = reader(kind, cell, task, hidden, seed)
        return task.validation_loss(teach(model, batches(task, model), steps, lr, seed, progress))

    return measure


# -- embedded Reber grammar ----------------------------------------------------------------------------


class ElmanCell(RNNCell):
    """An ordinary recurrent cell as Elman 1990 trained it: the state is an input, and no gradient goes through it."""

    def __call__(self, x: Any, h: Any) -> tuple[Any, Any]:
        return super().__call__(x, h.detach())


def reber_strings_read(cell: Any) -> Measure:
    """The share of 256 unseen strings in which a network, trained on 256, is right at every letter.

    It is right where the letters that can come next, one or two, are those it thinks the likeliest. The last letter but
    one repeats the second: without memory of that, half of the strings are right at best.
    """
    grammar = EmbeddedReber()

    def measure(seed: int, quick: bool, progress: Progress) -> float:
        rng = np.random.default_rng([seed, 2])
        (y, lengths), test = grammar.draw(256, rng), grammar.draw(256, rng)

        def lesson(done: float, rng: np.random.Generator) -> Callable[[], Any]:
            some = rng.integers(256, size=64)
            x, n = y[: lengths[some].max(), some], lengths[some]
            return lambda: model(tg.one_hot(x[:-1], len(LETTERS), FLOAT), x[1:], n - 1)

        rng = np.random.default_rng(seed)
        model = EachStep(cell(len(LETTERS), 16, rng=rng, dtype=FLOAT), 16, len(LETTERS), rng=rng, dtype=FLOAT)
        teach(model, lesson, 300 if quick else 400, 0.02, seed, progress)
        return float(np.mean(all_letters_right(model, grammar, *test)))

    return measure


def all_letters_right(model: Any, grammar: EmbeddedReber, y: np.ndarray, lengths: np.ndarray) -> list[bool]:
    """Of which strings, (B,), the model ranks the letters that can come next first, after each beginning."""
    state, ranked = model.initial_state(len(lengths)), []
    with tg.no_grad():
        for y_t in y[:-1]:
            o, state = model.step(tg.one_hot(y_t, len(LETTERS), FLOAT), state)
            ranked.append(np.argsort(-o.data, axis=-1))
    right = []
    for b, n in enumerate(lengths):
        place, all_right = 0, True
        for t in range(n - 1):
            place = grammar.arrows[place][LETTERS[y[t, b]]]
            can_come = {LETTERS.index(letter) for letter in grammar.arrows[place]}
            all_right = all_right and set(ranked[t][b, : len(can_come)]) == can_come
        right.append(all_right)
    return right


# -- copy memory ---------------------------------------------------------------------------------------


def forgetful(seed: int, quick: bool, progress: Progress) -> float:
    """How far the printed figures are from the loss of the best guess that knows when to speak and not what: the most.

    The guess: blanks until the sign, then all eight letters as likely. Its loss is measured on drawn sequences.
    """
    printed, errors = {20: 0.5199, 50: 0.2971, 100: 0.1733}, []
    for T, figure in printed.items():
        task = CopyMemory(T)
        _, y = task.draw(100, np.random.default_rng(seed))
        p = np.zeros((len(y), task.outputs))
        p[:-10, -1], p[-10:, :-1] = 1, 1 / 8
        errors.append(abs(-np.log(np.take_along_axis(p[:, None], y[..., None], axis=2)).mean() - figure))
    return max(errors)


# -- characters -----------------------------------------------------------------------------------------


def above_ngrams(n: int) -> Measure:
    """What measures by how many nats a character pattern I is above the n-grams of its text, on text it has not read.

    256 hidden units and 2000 steps, on the help topics of this Python.
    """

    def measure(seed: int, quick: bool, progress: Progress) -> float:
        corpus = load()
        task = Characters(corpus)
        model = Pattern1(task.inputs, 256, task.outputs, rng=np.random.default_rng(seed), dtype=FLOAT)
        teach(model, batches(task, model), 2000, 0.006, seed, progress)
        return task.validation_loss(model) - ngram_nats(corpus, n)

    return measure


# -- temporal order ------------------------------------------------------------------------------------


def order_told(model: Any, lengths: range, seed: int) -> float:
    """The share of sequences, 200 of each length, whose class a model tells."""
    rng, right = np.random.default_rng([seed, 3]), []
    with tg.no_grad():
        for T in lengths:
            x, y = TemporalOrder(T).draw(200, rng)
            right.append(np.argmax(model.output(x).data, axis=-1) == y)
    return float(np.mean(right))


def orders(model: Any, longest: int) -> Lesson:
    """Lessons in temporal order: at first short sequences, in the end all lengths from 10 on."""

    def lesson(done: float, rng: np.random.Generator) -> Callable[[], Any]:
        x, y = TemporalOrder(growing(10, longest, done, rng)).batch(rng)
        return lambda: model(x, y)

    return lesson


def temporal_order(cell: Any) -> Measure:
    """What measures the share of sequences of 100 to 110 steps whose order a cell tells."""

    def measure(seed: int, quick: bool, progress: Progress) -> float:
        model = reader(AtEnd, cell, TemporalOrder(), 16, seed)
        teach(model, orders(model, 110), 1800, 0.02, seed, progress)
        return order_told(model, range(100, 111), seed)

    return measure


def mastered(model: Any, longest: int) -> Lesson:
    """Lessons in temporal order: of ten steps, and of up to one step more whenever those so far are mastered.

    They are when the running mean of the loss is below 0.05. A tanh network that is given longer sequences before that
    is on the wall more often than off it.
    """
    top, L_mean = 10, TemporalOrder.chance

    def lesson(done: float, rng: np.random.Generator) -> Callable[[], Any]:
        x, y = TemporalOrder(int(rng.integers(10, top, endpoint=True))).batch(rng)

        def loss() -> Any:
            nonlocal top, L_mean
            L = model(x, y)
            L_mean = 0.98 * L_mean + 0.02 * L.item()
            if L_mean < 0.05 and top < longest:
                top, L_mean = top + 1, 0.06
            return L

        return loss

    return lesson


def clipping(clip: float) -> Measure:
    """What measures the share of sequences of 50 to 200 steps whose order an ordinary recurrent network tells.

    It learns sequences of 10 to at most 120 steps by gradient descent, its gradients clipped to this norm. It begins
    with small U, so that the noise does not drown what W keeps. 0 where the loss is no number any more.
    """

    def measure(seed: int, quick: bool, progress: Progress) -> float:
        model = reader(AtEnd, RNNCell, TemporalOrder(), 50, seed)
        model.cell.U.data = 0.3 * model.cell.U.data
        optimiser = SGD(model.parameters())
        try:
            teach(model, mastered(model, 120), 14000, 0.1, seed, progress, optimiser=optimiser, clip=clip)
        except FloatingPointError:
            return 0.0
        return order_told(model, range(50, 201, 10), seed)

    return measure


# -- warped time ------------------------------------------------------------------------------------------

SLOWEST = 25  # steps that a letter lasts at most, of 150


def warp(task: Any, cell: Any) -> Measure:
    return learnt(task(150, 32, most=SLOWEST), EachStep, cell, 64, 450, 0.01)


LEAKY = partial(LearnedLeakyCell, α=float(SLOWEST))
