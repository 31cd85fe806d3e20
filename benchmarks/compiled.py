"""One training step compiled by `tg.compile`, beside the same step of the engine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from statistics import median
from time import process_time
from typing import Any

import numpy as np
from tqdm import tqdm

import tinygrad_rnn as tg
from zoo.lstm import BiasedLSTMCell
from zoo.pattern_1 import Pattern1
from zoo.readout import EachStep

from .lstm import ROUNDS, SIZES, Size
from .lstm import loss as packed
from .lstm import tinygrad_rnn as framework
from .measure import Table, paired, ratio


def pattern_1(size: Size) -> Callable[..., Any]:
    return Pattern1(size.D, size.H, size.D, rng=0, dtype=np.float32)


def lstm(size: Size) -> Callable[..., Any]:
    """With a product for each gate, as the lecture writes it."""
    cell = BiasedLSTMCell(size.D, size.H, rng=0, dtype=np.float32)
    return EachStep(cell, size.H, size.D, rng=0, dtype=np.float32)


def packed_lstm(size: Size) -> Callable[..., Any]:
    """With one product for all gates: the plain loop of the benchmark `lstm`."""
    _, B, D, H = size
    rng = np.random.default_rng(0)
    shapes = (4 * H, H), (4 * H, D), (4 * H,), (D, H), (D,)
    weights = [tg.Parameter((rng.normal(size=shape) / H**0.5).astype(np.float32)) for shape in shapes]
    zero = np.zeros((B, H), np.float32)

    def model(x: Any, y: Any) -> Any:
        return packed(framework(), weights, x, y, zero, zero)

    return model


MODELS = {"pattern I": pattern_1, "LSTM": lstm, "LSTM, packed": packed_lstm}


def run(sizes: Mapping[str, Size] = SIZES, rounds: Mapping[str, int] = ROUNDS) -> Table:
    """Time all models. Raises CompileError where a program does not give the engine's results."""
    columns = ["model", "size", "ms", "engine ms", "ratio", "compile s"]
    table = Table("One training step compiled: loss and gradients, float32", columns)
    with tqdm(total=len(MODELS) * len(sizes), desc="compiled", leave=False) as bar:
        for name, make in MODELS.items():
            for label, size in sizes.items():
                bar.set_postfix_str(f"{name}, {label}")
                model, rng = make(size), np.random.default_rng(0)
                x = rng.normal(size=(size.T, size.B, size.D)).astype(np.float32)
                y = rng.integers(0, size.D, (size.T, size.B))
                start = process_time()
                step = tg.compile(model, x, y)
                took = process_time() - start
                mine, theirs = paired([partial(step, x, y), partial(_by_engine, model, x, y)], rounds[label])
                table.rows.append([name, label, median(mine) * 1e3, median(theirs) * 1e3, ratio(mine, theirs), took])
                bar.update()
    table.notes += [f"{label}: T {size.T}, B {size.B}, D {size.D}, H {size.H}" for label, size in sizes.items()]
    table.notes.append("ratio: compiled to the engine, the median over pairs of runs in turn, one thread")
    return table


def _by_engine(model: Callable[..., Any], x: np.ndarray, y: np.ndarray) -> None:
    model(x, y).backward()
