"""How much code runs in a backward pass: distinct lines, functions and files of each engine on one small network."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple
from unittest.mock import patch

import numpy as np

import tinygrad_rnn as tg
from zoo.catalogue import CATALOGUE

from .measure import Table

T, SIZE = 5, 3
WEIGHTS = np.random.default_rng(0).normal(size=(SIZE, SIZE))


class Ran(NamedTuple):
    lines: int
    functions: int
    files: int


def run() -> Table:
    """A row for each engine that is installed."""
    table = Table("Code that a backward pass runs", ["network", "engine", "lines", "functions", "files"])
    for engine, make in ENGINES.items():
        if find_spec(engine) is None:
            table.notes.append(f"{engine} is not installed: not counted")
            continue
        table.rows.append(["README's ten lines", engine, *counted(make(), engine)])
    model, arguments = CATALOGUE["pattern-1"].example()
    table.rows.append(["pattern I of the zoo", "tinygrad_rnn", *counted(model(*arguments).backward, "tinygrad_rnn")])
    table.notes.append("lines: of the Python files of the engine, each counted once")
    table.notes.append("aim: at most 110 lines in 4 files, and 140 in 5 for pattern I")
    return table


def counted(call: Callable[[], Any], package: str) -> Ran:
    """How many lines, functions and files of a package run in a call."""
    spec = find_spec(package)
    assert spec is not None and spec.origin is not None
    folder = str(Path(spec.origin).parent)
    lines: set[tuple[str, int]] = set()
    functions: set[tuple[str, int]] = set()

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        file = frame.f_code.co_filename
        if not file.startswith(folder):
            return None
        if event == "call":
            functions.add((file, frame.f_code.co_firstlineno))
        lines.add((file, frame.f_lineno))
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        call()
    finally:
        sys.settrace(before)
    return Ran(len(lines), len(functions), len({file for file, _ in lines}))


# -- Σ hᵢ² after five steps of h = tanh(W h + 1), in each engine -----------------------------------


def tinygrad_rnn() -> Callable[[], Any]:
    W, h = tg.Parameter(WEIGHTS), np.zeros(SIZE)
    for x in tg.Tensor(np.ones((T, SIZE))):
        h = np.tanh(h @ W.T + x)
    loss = (h * h).sum()
    return lambda: (loss.backward(), W.grad)


def autograd() -> Callable[[], Any]:
    """Its backward pass alone: the graph is made first."""
    import autograd.numpy as anp
    from autograd.core import make_vjp

    def model(W: Any) -> Any:
        h = anp.zeros(SIZE)
        for x in np.ones((T, SIZE)):
            h = anp.tanh(anp.dot(h, W.T) + x)
        return anp.sum(h * h)

    pullback, _ = make_vjp(model, WEIGHTS)
    return lambda: pullback(1.0)


def mygrad() -> Callable[[], Any]:
    import mygrad as mg

    W, h = mg.tensor(WEIGHTS), mg.tensor(np.zeros(SIZE))
    for x in np.ones((T, SIZE)):
        h = mg.tanh(h @ W.T + x)
    return (h * h).sum().backward


def micrograd() -> Callable[[], Any]:
    from micrograd.engine import Value

    W, h = [[Value(w) for w in row] for row in WEIGHTS], [Value(0.0)] * SIZE
    for x in np.ones((T, SIZE)):
        a = [sum((w * v for w, v in zip(row, h, strict=True)), Value(b)) for row, b in zip(W, x, strict=True)]
        h = [v.relu() for v in a]  # it has no tanh
    return sum(v * v for v in h).backward


def dezero() -> Callable[[], Any]:
    with patch.object(np, "int", int, create=True):  # it is older than NumPy 2
        import dezero.functions as F
        from dezero import Variable

    W, h = Variable(WEIGHTS), Variable(np.zeros((1, SIZE)))
    for x in np.ones((T, 1, SIZE)):
        h = F.tanh(F.matmul(h, W.T) + x)
    return F.sum(h * h).backward


ENGINES = {make.__name__: make for make in (tinygrad_rnn, micrograd, autograd, dezero, mygrad)}
