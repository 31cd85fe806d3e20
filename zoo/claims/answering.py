"""Experiments with networks that answer sequences with sequences, copy from a memory or compute trees."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import tinygrad_rnn as tg

from ..attentive import AttentiveDecoder
from ..memory_network import MemoryNetwork
from ..pointer import Pointer
from ..readout import EachStep
from ..recursive import DeepRecursive
from ..tasks.copying import Copying
from ..tasks.dates import Dates
from ..tasks.facts import Facts
from ..tasks.listops import ListOps
from ..tasks.strings import DIGITS, Reversal, Sorting, solved
from ..turing import TuringCell
from .claim import Progress
from .teaching import FLOAT, Measure, batches, growing, teach

# -- sequences from sequences ----------------------------------------------------------------------------


def reversing(kind: Any, seed: int, T: int, progress: Progress) -> Any:
    """A model that has learnt to write strings of T digits backwards."""
    task = Reversal(T)
    model = kind(task.inputs, 64, task.outputs, rng=np.random.default_rng(seed), dtype=FLOAT)
    return teach(model, batches(task, model), 1000, 0.01, seed, progress)


def reversal(kind: Any, T: int) -> Measure:
    """What measures the share of 1000 strings that a network writes backwards without an error."""

    def measure(seed: int, quick: bool, progress: Progress) -> float:
        model = reversing(kind, seed, T, progress)
        writer = getattr(model, "decoder", model)
        x, y = Reversal(T).draw(1000, np.random.default_rng([seed, 3]))
        with tg.no_grad():
            return solved(writer.step, writer.nothing_said(1000), model.initial_state(x), y)

    return measure


def looked_at(within: int) -> Measure:
    """What measures the share of 10 steps of writing backwards at which attention is where it should be.

    That is where the weights, the mean over 500 strings, are largest at the t-th digit from the end, or so many places
    from it: the encoder's h has read more than one digit, and which of them holds a digit is for the network to choose.
    """
    T, B = 10, 500

    def measure(seed: int, quick: bool, progress: Progress) -> float:
        model = reversing(AttentiveDecoder, seed, T, progress)
        x, y = Reversal(T).draw(B, np.random.default_rng([seed, 3]))
        largest = []
        with tg.no_grad():
            state, before = model.initial_state(x), model.nothing_said(B)
            for t in range(T):
                _, state = model.step(before, state)
                before = tg.one_hot(y[t], DIGITS, FLOAT)
                largest.append(state.α.data.mean(axis=0).argmax())
        return float(np.mean(np.abs(largest - np.arange(T)[::-1]) <= within))

    return measure


def dates(kind: Any) -> Measure:
    """What measures the share of 2000 dates that a network writes without an error."""

    def measure(seed: int, quick: bool, progress: Progress) -> float:
        task = Dates()
        model = kind(task.inputs, 64, task.outputs, rng=np.random.default_rng(seed), dtype=FLOAT)
        teach(model, batches(task, model), 800, 0.005, seed, progress)
        x, y, lengths = task.draw(2000, np.random.default_rng([seed, 3]))
        return float((task.write(model, x, lengths).labels == y).all(axis=0).mean())

    return measure


def sorting(glimpse: bool) -> Measure:
    """What measures the share of 5000 sequences that a pointer network sorts without an error."""

    def measure(seed: int, quick: bool, progress: Progress) -> float:
        task = Sorting(B=128)
        model = Pointer(task.inputs, 32, glimpse=glimpse, rng=np.random.default_rng(seed), dtype=FLOAT)
        teach(model, batches(task, model), 1500, 0.01, seed, progress)
        x, y = task.draw(5000, np.random.default_rng([seed, 3]))
        with tg.no_grad():
            return solved(model.step, model.nothing_said(task.T, 5000), model.initial_state(x), y)

    return measure


# -- memory and trees ---------------------------------------------------------------------------------------


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


def answered(hops: int) -> Measure:
    """What measures the share of 2000 questions that a network answers which looks at the facts so many times."""

    def measure(seed: int, quick: bool, progress: Progress) -> float:
        task = Facts()
        rng = np.random.default_rng(seed)
        model = MemoryNetwork(task.inputs, 32, task.outputs, hops, rng=rng, dtype=FLOAT)
        teach(model, batches(task, model), 1000, 0.03, seed, progress)
        x, q, y = task.draw(2000, np.random.default_rng([seed, 3]))
        with tg.no_grad():
            o, _ = model.output(x, q)
        return float((np.argmax(o.data, axis=-1) == y).mean())

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
