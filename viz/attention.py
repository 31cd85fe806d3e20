"""Attention weights: the softmax that weights all steps of a loop, read off the record."""

from __future__ import annotations

import numpy as np

from tinygrad_rnn.tracing.circuit import Circuit
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
    pending, seen = list(step.inputs), set()
    for x in pending:  # grows while it is walked
        if x.operation is None or id(x) in seen:
            continue
        seen.add(id(x))
        if x.operation.name == "softmax" and n in x.shape:
            return x
        if not x.name:
            pending += x.inputs
    return None


def scores(circuit: Circuit) -> set[int]:
    """The ids of the components that do nothing but make attention weights: the softmax, and what only goes into it."""
    readers: dict[int, list[int]] = {}
    for c in circuit.components:
        for wire in c.wires:
            for one in (wire, *wire.others):
                readers.setdefault(id(one.source), []).append(id(c))
    lengths = {len(w.source.visits) for c in circuit.components for w in c.wires if w.reach == "all"}
    last = [c.visits[-1] for c in circuit.components if c.repeats and c.name]
    attending = {id(softmax) for step in last for n in lengths if (softmax := _softmax(step, n)) is not None}
    found = {id(c) for c in circuit.components if id(c.visits[-1]) in attending}
    for c in reversed(circuit.components):
        users = readers.get(id(c), [])
        if c.kind == "operation" and c.repeats and users and found.issuperset(users):
            found.add(id(c))
    return found
