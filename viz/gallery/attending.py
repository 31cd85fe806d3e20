"""Attention that was learned: a network that writes strings backwards, where it looks, and the arrows of that."""

from __future__ import annotations

from typing import Any

import numpy as np

import tinygrad_rnn as tg
import viz
from tinygrad_rnn.nn.optimisers import AdamW
from tinygrad_rnn.tracing.record import Graph
from viz.diagrams.diagram import Diagram
from viz.explorer.pictures import THEME, picture
from viz.gallery.sections import Section, Work
from viz.labels import at_step
from zoo.attentive import AttentiveDecoder
from zoo.tasks.strings import DIGITS, Reversal, solved
from zoo.training import descend

HIDDEN, LENGTHS = 24, (6, 7, 8)
STEPS, LR, B = 1500, 0.01, 32
TESTS = 500  # random strings to try it on


def attending(work: Work) -> Section:
    """Train attention to write strings backwards; show its weights beside the diagram of one run."""
    rng = np.random.default_rng(work.seed)
    model = AttentiveDecoder(DIGITS, HIDDEN, DIGITS, rng=rng, dtype=np.float32)
    tasks = [Reversal(T, B) for T in LENGTHS]
    steps = min(STEPS, work.steps)
    optimiser = AdamW(model.parameters(), LR)
    for i in range(steps):
        optimiser.lr = LR * (1 - i / steps)
        x, y = tasks[i % len(tasks)].batch(rng)
        descend(optimiser, lambda: model(x, y) / len(y), clip=1.0)  # noqa: B023
    x, y = tasks[0].draw(TESTS, rng)
    right = solved(model.step, model.nothing_said(TESTS), model.initial_state(x), y)
    x, y = x[:, :1], y[:, :1]
    diagram = _diagram(tg.record(model, x, np.eye(DIGITS, dtype=x.dtype)[y]))
    content = {
        "about": f"trained on {steps:,} batches of {B} strings of {LENGTHS[0]} to {LENGTHS[-1]} digits",
        "right": f"{round(right * TESTS)} of {TESTS} random strings of {len(y)} digits",
        "read": x.argmax(axis=-1)[:, 0].tolist(),
        "rows": list(zip(y[:, 0].tolist(), _cells(model, x, y, diagram), strict=True)),
        "diagram": picture(diagram, {}),
        "strengths": _strengths(diagram),
    }
    return Section("weights", "Where it looks", "attending.html", content)


def _diagram(graph: Graph) -> Diagram:
    """All steps, the arrows as strong as the weights; drawn in the theme that `picture` takes."""
    return viz.unfolded(graph, weights=True, steps=range(1, graph.inputs[0].shape[0] + 1), theme=THEME)


def _cells(model: AttentiveDecoder, x: Any, y: Any, diagram: Diagram) -> list[list[tuple[float, int, int]]]:
    """For each digit that is written: α of each digit that was read, and the numbers of the vertices of that look."""
    number = {vertex.label: i for i, vertex in enumerate(diagram.vertices)}
    state, before, rows = model.initial_state(x), model.nothing_said(1), []
    for t, y_t in enumerate(y, start=1):
        with tg.no_grad():
            _, state = model.step(before, state)
        before = np.eye(DIGITS, dtype=x.dtype)[y_t]
        α, to = state.α.data[0], number[at_step("C", t)]
        rows.append([(float(weight), number[at_step("h", s)], to) for s, weight in enumerate(α, start=1)])
    return rows


def _strengths(diagram: Diagram) -> list[tuple[int, int, float]]:
    """For each look the numbers of the vertices that its arrow joins, and how strong the arrow is, never invisible."""
    number = {vertex.id: i for i, vertex in enumerate(diagram.vertices)}
    looks = [(arrow, arrow.strength) for arrow in diagram.arrows if arrow.strength is not None]
    return [(number[arrow.tail], number[arrow.head], 0.1 + 0.9 * strength) for arrow, strength in looks]
