"""Figures from the literature, each reached in minutes on one core.

Success on a task is compared, not the number of presentations, of which the papers often had millions. Where a model is
expected to fail, its figure is beside that of chance; where one succeeds, chance is beside the figure to reach.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn.optimisers import SGD

from ..attentive import AttentiveDecoder
from ..encoder_decoder import EncoderDecoder
from ..gru import GRUCell
from ..leaky import LearnedLeakyCell
from ..lstm import BiasedLSTMCell
from ..pointer import Pointer
from ..readout import AtEnd, EachStep
from ..recursive import DeepRecursive
from ..rnn import RNNCell
from ..tasks.adding import Adding
from ..tasks.copy_memory import CopyMemory
from ..tasks.copying import Copying
from ..tasks.listops import ListOps
from ..tasks.reber import LETTERS, EmbeddedReber
from ..tasks.strings import DIGITS, Reversal, Sorting, solved
from ..tasks.temporal_order import TemporalOrder
from ..tasks.warped import UniformWarp, VariableWarp
from ..turing import TuringCell
from .claim import Claim, Progress, at_least, below
from .reservoirs import nrmse84
from .teaching import growing, teach

Measure = Callable[[int, bool, Progress], float]
FLOAT = np.float32


def reader(kind: Any, cell: Any, task: Any, hidden: int, seed: int) -> Any:
    """A cell for a task, with an output at each step or at the end, `kind`."""
    rng = np.random.default_rng(seed)
    return kind(cell(task.inputs, hidden, rng=rng, dtype=FLOAT), hidden, task.outputs, rng=rng, dtype=FLOAT)


def learnt(task: Any, kind: Any, cell: Any, hidden: int, steps: int, lr: float) -> Measure:
    """What measures the loss on a task of a cell that has learnt it."""

    def measure(seed: int, quick: bool, progress: Progress) -> float:
        def lesson(done: float, rng: np.random.Generator) -> Callable[[], Any]:
            batch = task.batch(rng)
            return lambda: task.loss(model, *batch)

        model = reader(kind, cell, task, hidden, seed)
        return task.validation_loss(teach(model, lesson, steps, lr, seed, progress))

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
        teach(model, lesson, 300 if quick else 800, 0.02, seed, progress)
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


# -- temporal order ------------------------------------------------------------------------------------


def order_told(model: Any, lengths: range, seed: int) -> float:
    """The share of sequences, 200 of each length, whose class a model tells."""
    rng, right = np.random.default_rng([seed, 3]), []
    with tg.no_grad():
        for T in lengths:
            x, y = TemporalOrder(T).draw(200, rng)
            right.append(np.argmax(model.output(x).data, axis=-1) == y)
    return float(np.mean(right))


def orders(longest: int) -> Callable[[Any], Any]:
    """Lessons in temporal order: at first short ones, in the end of all lengths from 10 on."""

    def of(model: Any) -> Any:
        def lesson(done: float, rng: np.random.Generator) -> Callable[[], Any]:
            x, y = TemporalOrder(growing(10, longest, done, rng)).batch(rng)
            return lambda: model(x, y)

        return lesson

    return of


def temporal_order(cell: Any) -> Measure:
    def measure(seed: int, quick: bool, progress: Progress) -> float:
        model = reader(AtEnd, cell, TemporalOrder(), 16, seed)
        teach(model, orders(110)(model), 1200, 0.02, seed, progress)
        return order_told(model, range(100, 111), seed)

    return measure


def clipping(clip: float) -> Measure:
    """What measures the share of sequences of 50 steps whose order an ordinary recurrent network tells.

    It learns by gradient descent with momentum, its gradients clipped to this norm; 0 where it diverges, that is, where
    the loss is no number any more.
    """

    def measure(seed: int, quick: bool, progress: Progress) -> float:
        model = reader(AtEnd, RNNCell, TemporalOrder(), 32, seed)
        optimiser = SGD(model.parameters(), momentum=0.9)
        try:
            teach(model, orders(60)(model), 1200, 0.1, seed, progress, optimiser=optimiser, clip=clip)
        except FloatingPointError:
            return 0.0
        return order_told(model, range(50, 61), seed)

    return measure


# -- sequences from sequences ----------------------------------------------------------------------------


def reversing(kind: Any, seed: int, T: int, progress: Progress) -> Any:
    task = Reversal(T)

    def lesson(done: float, rng: np.random.Generator) -> Callable[[], Any]:
        batch = task.batch(rng)
        return lambda: task.loss(model, *batch)

    model = kind(task.inputs, 64, task.outputs, rng=np.random.default_rng(seed), dtype=FLOAT)
    return teach(model, lesson, 1000, 0.005, seed, progress)


def reversal(kind: Any, T: int) -> Measure:
    """What measures the share of 1000 strings that a network writes backwards without an error."""

    def measure(seed: int, quick: bool, progress: Progress) -> float:
        model = reversing(kind, seed, T, progress)
        writer = getattr(model, "decoder", model)
        x, y = Reversal(T).draw(1000, np.random.default_rng([seed, 3]))
        with tg.no_grad():
            return solved(writer.step, writer.nothing_said(1000), model.initial_state(x), y)

    return measure


def looked_at(seed: int, quick: bool, progress: Progress) -> float:
    """How much of its attention, writing 10 digits backwards, a network gives to the anti-diagonal or next to it.

    Next to it, too: h⁽ˢ⁾ has read the neighbours of x⁽ˢ⁾, so that they do as well.
    """
    T, B = 10, 500
    model = reversing(AttentiveDecoder, seed, T, progress)
    x, y = Reversal(T).draw(B, np.random.default_rng([seed, 3]))
    place, near = np.arange(T), []
    with tg.no_grad():
        state, before = model.initial_state(x), model.nothing_said(B)
        for t in range(T):
            _, state = model.step(before, state)
            before = tg.one_hot(y[t], DIGITS, FLOAT)
            near.append(state.α.data[:, abs(place - (T - 1 - t)) <= 1].sum(axis=1))
    return float(np.mean(near))


def sorting(glimpse: bool) -> Measure:
    """What measures the share of 5000 sequences that a pointer network sorts without an error."""

    def measure(seed: int, quick: bool, progress: Progress) -> float:
        task = Sorting(B=128)

        def lesson(done: float, rng: np.random.Generator) -> Callable[[], Any]:
            batch = task.batch(rng)
            return lambda: task.loss(model, *batch)

        model = Pointer(task.inputs, 32, glimpse=glimpse, rng=np.random.default_rng(seed), dtype=FLOAT)
        teach(model, lesson, 1500, 0.01, seed, progress)
        x, y = task.draw(5000, np.random.default_rng([seed, 3]))
        with tg.no_grad():
            return solved(model.step, model.nothing_said(task.T, 5000), model.initial_state(x), y)

    return measure


# -- memory, trees, time -----------------------------------------------------------------------------------


def copying(lengths: list[int]) -> Measure:
    """What measures the bits a sequence, the mean over lengths, of a network with a memory trained on 1 to 5 rows."""

    def measure(seed: int, quick: bool, progress: Progress) -> float:
        def lesson(done: float, rng: np.random.Generator) -> Callable[[], Any]:
            task = Copying(int(rng.integers(1, 6)))
            batch = task.draw(32, rng)
            return lambda: task.loss(model, *batch)

        rng = np.random.default_rng(seed)
        cell = TuringCell(Copying.inputs, 32, places=16, size=8, rng=rng, dtype=FLOAT)
        model = EachStep(cell, 32 + 8, Copying.outputs, rng=rng, dtype=FLOAT)
        teach(model, lesson, 2000, 0.01, seed, progress)
        rng = np.random.default_rng([seed, 3])
        with tg.no_grad():
            return float(np.mean([Copying(T).loss(model, *Copying(T).draw(500, rng)).item() for T in lengths]))

    return measure


def listops(seed: int, quick: bool, progress: Progress) -> float:
    """The share of expressions of depth 1 to 4, 2000 of each in 20 forms, whose result a network finds."""

    def lesson(done: float, rng: np.random.Generator) -> Callable[[], Any]:
        batch = ListOps(growing(1, 4, done, rng)).draw(128, rng)
        return lambda: model(*batch)

    model = DeepRecursive(ListOps.inputs, 128, ListOps.outputs, rng=np.random.default_rng(seed), dtype=FLOAT)
    teach(model, lesson, 3000, 0.005, seed, progress)
    rng, right = np.random.default_rng([seed, 3]), []
    with tg.no_grad():
        for depth in [1, 2, 3, 4] * 20:
            x, y, tree = ListOps(depth).draw(100, rng)
            right.append(np.argmax(model.output(x, tree).data, axis=-1) == y)
    return float(np.mean(right))


SLOWEST = 25  # steps that a letter lasts at most, of 150


def warp(task: Any, cell: Any) -> Measure:
    return learnt(task(150, 32, most=SLOWEST), EachStep, cell, 64, 450, 0.01)


LEAKY = partial(LearnedLeakyCell, α=float(SLOWEST))


def median_below(limit: float) -> Callable[[list[float]], bool]:
    """The median of the figures is below the limit."""
    return lambda figures: bool(np.median(figures) < limit)


def all_one(figures: list[float]) -> bool:
    return all(figure == 1 for figure in figures)


JAEGER, HAAS = "published: Jaeger 2001, GMD report 148", "published: Jaeger & Haas 2004"
LSTM_PAPER, VINYALS = "published: Hochreiter & Schmidhuber 1997", "published: Vinyals, Bengio & Kudlur 2016"
JOEY = "published: Kreutzer, Bastings & Riezler 2019 (without a figure)"
WARP = "published: Tallec & Ollivier 2018 (curves, no figure)"
NTM, LISTOPS = "published: Graves, Wayne & Danihelka 2014 (8 bits)", "published: Nangia & Bowman 2018 (harder trees)"

CLAIMS: list[Claim] = [
    Claim(
        "mackey-glass-17",
        "An echo state network of 400 units goes on with the Mackey-Glass series, τ = 17, for 84 steps by itself.",
        "reached before", "< 5.5e-4 (published 2.8e-4, chance 1)", nrmse84(17), below(5.5e-4), True, "NRMSE84",
    ),
    Claim(
        "mackey-glass-30",
        "And with the far wilder series of τ = 30.",
        JAEGER, "≤ 0.11 in the median, to two digits (chance 1)", nrmse84(30, ridge=1e-6), median_below(0.115), False, "NRMSE84",
    ),
    Claim(
        "mackey-glass-1000",
        "With 1000 units it goes on with τ = 17 ten times as exactly.",
        HAAS, "< 10^−4.2 = 6.3e-5 in the median (chance 1)", nrmse84(17, 1000, 1.0, noise=1e-10),
        median_below(10**-4.2), False, "NRMSE84",
    ),
    Claim(
        "embedded-reber-lstm",
        "An LSTM trained on 256 strings of the embedded Reber grammar knows which letters can come next in 256 others.",
        LSTM_PAPER, "≥ 0.97 (without memory ½)", reber_strings_read(BiasedLSTMCell), at_least(0.97), False,
        "of the strings, all letters right",
    ),
    Claim(
        "embedded-reber-elman",
        "Elman's network, whose gradient goes one step back, guesses the last letter but one: no seed succeeds.",
        LSTM_PAPER, "< 0.97 in all seeds (without memory ½)", reber_strings_read(ElmanCell), below(0.97), True,
        "of the strings, all letters right",
    ),
    Claim(
        "adding-lstm",
        "An LSTM adds two marked numbers among 100.",
        LSTM_PAPER, "≤ 0.005 (chance 0.1667)", learnt(Adding(100), AtEnd, BiasedLSTMCell, 32, 900, 0.02), below(0.005),
        False, "squared error",
    ),
    Claim(
        "adding-rnn",
        "An ordinary recurrent network, given as many steps, stays at chance.",
        LSTM_PAPER, "≥ 0.15 (chance 0.1667)", learnt(Adding(100), AtEnd, RNNCell, 32, 900, 0.005), at_least(0.15),
        False, "squared error",
    ),
    Claim(
        "copy-memory-chance",
        "To know when to speak and not what costs 10 ln 8 / (T + 20) nats a step: .5199, .2971 and .1733.",
        "derived", "≤ 5e-5", forgetful, below(5e-5), True, "nats a step",
    ),
    Claim(
        "temporal-order-lstm",
        "An LSTM that began with short sequences tells which of two signals came first among 100 to 110 steps.",
        LSTM_PAPER, "≥ 0.995 (chance ¼)", temporal_order(BiasedLSTMCell), at_least(0.995), False,
        "of the sequences",
    ),
    Claim(
        "temporal-order-gru",
        "And so does a GRU.",
        LSTM_PAPER, "≥ 0.995 (chance ¼)", temporal_order(GRUCell), at_least(0.995), False, "of the sequences",
    ),
    Claim(
        "warp-uniform-leaky",
        "Leaky units, which learn their pace, see through time that runs slowly and uniformly.",
        WARP, "< 0.1 (chance 2.3, floor 0)", warp(UniformWarp, LEAKY), below(0.1), False, "nats a step",
    ),
    Claim(
        "warp-uniform-gru",
        "Gated units see through it too.",
        WARP, "< 0.1 (chance 2.3, floor 0)", warp(UniformWarp, GRUCell), below(0.1), False, "nats a step",
    ),
    Claim(
        "warp-variable-leaky",
        "Through time that runs now fast and now slow, leaky units do not.",
        WARP, "≥ 0.3 (chance 2.3, floor 0)", warp(VariableWarp, LEAKY), at_least(0.3), False, "nats a step",
    ),
    Claim(
        "warp-variable-gru",
        "But gated units do.",
        WARP, "< 0.1 (chance 2.3, floor 0)", warp(VariableWarp, GRUCell), below(0.1), False, "nats a step",
    ),
    Claim(
        "reversal-short",
        "Through one vector of 64 numbers, an encoder-decoder writes strings of 5 digits backwards.",
        JOEY, "≥ 0.95 (chance 1e-5)", reversal(EncoderDecoder, 5), at_least(0.95), True, "of the strings",
    ),
    Claim(
        "reversal-long",
        "With as many steps it does not learn to for 20 digits.",
        JOEY, "< 0.5 (chance 1e-20)", reversal(EncoderDecoder, 20), below(0.5), False, "of the strings",
    ),
    Claim(
        "reversal-long-attention",
        "With attention it does.",
        JOEY, "≥ 0.95 (chance 1e-20)", reversal(AttentiveDecoder, 20), at_least(0.95), False, "of the strings",
    ),
    Claim(
        "reversal-attention-weights",
        "Its weights are the anti-diagonal: writing the t-th digit it looks at the t-th from the end.",
        JOEY, "≥ 0.8 (chance 0.28)", looked_at, at_least(0.8), False, "of the weights, one place off included",
    ),
    Claim(
        "sort-pointer",
        "A pointer network sorts five numbers.",
        VINYALS, "≥ 0.81 (chance 0.0083)", sorting(glimpse=False), at_least(0.81), False, "of the sequences",
    ),
    Claim(
        "sort-pointer-glimpse",
        "With a glimpse it sorts them better.",
        VINYALS, "≥ 0.90 (chance 0.0083)", sorting(glimpse=True), at_least(0.90), False, "of the sequences",
    ),
    Claim(
        "copying-turing-machine",
        "A network with a memory copies sequences of one to five rows of four bits.",
        NTM, "≤ 0.1 (chance 12)", copying([1, 2, 3, 4, 5]), below(0.1), False, "bits a sequence",
    ),
    Claim(
        "copying-longer",
        "And sequences of six to eight rows, which it has never seen.",
        NTM, "≤ 2.8, a tenth of chance (28)", copying([6, 7, 8]), below(2.8), False, "bits a sequence",
    ),
    Claim(
        "listops-recursive",
        "A recursive network computes expressions of up to four nested operators.",
        LISTOPS, "≥ 0.95 (chance 0.1)", listops, at_least(0.95), False, "of the expressions",
    ),
]  # fmt: skip
