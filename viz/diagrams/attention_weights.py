"""Attention weights: the softmax that weights all steps of a loop, read off the record."""

from __future__ import annotations

import numpy as np

from tinygrad_rnn.tracing.circuit import Circuit, Component
from tinygrad_rnn.tracing.recorder import Step


def attention_weights(step: Step, n: int) -> np.ndarray | None:
    """How much each of n earlier steps counts in a value, (n,), the mean over the batch; None if no softmax says so."""
    softmax = _softmax(step, n)
    if softmax is None:
        return None
    axis = max(i for i, length in enumerate(softmax.shape) if length == n)
    return np.moveaxis(np.asarray(softmax.value), axis, -1).reshape(-1, n).mean(axis=0)


def _softmax(step: Step, n: int) -> Step | None:
    """The softmax over n things among what a value is computed from, up to the next named variables."""
    pending, seen = list(step.inputs), set[Step]()
    for x in pending:  # grows while it is walked
        if x.operation is None or x in seen:
            continue
        seen.add(x)
        if x.operation.name == "softmax" and n in x.shape:
            return x
        if not x.name:
            pending += x.inputs
    return None


def scores(circuit: Circuit) -> set[Component]:
    """The components that do nothing but make attention weights: the softmax, and what only goes into it."""
    readers: dict[Component, list[Component]] = {}
    for c in circuit.components:
        for wire in c.wires:
            for one in (wire, *wire.others):
                readers.setdefault(one.source, []).append(c)
    lengths = {len(w.source.visits) for c in circuit.components for w in c.wires if w.reach == "all"}
    last = [c.visits[-1] for c in circuit.components if c.repeats and c.name]
    attending = {softmax for step in last for n in lengths if (softmax := _softmax(step, n)) is not None}
    found = {c for c in circuit.components if c.visits[-1] in attending}
    for c in reversed(circuit.components):
        users = readers.get(c, [])
        if c.kind == "operation" and c.repeats and users and found.issuperset(users):
            found.add(c)
    return found
