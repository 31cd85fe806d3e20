"""What is claimed of every circuit, and the weights that the programs of the fold's tests share.

A circuit is what is written, so what was recorded at one length must unfold into the run of any other: that is what
most tests of the fold compare. By convention a program takes x, (T, 3), and returns one number.
"""

import linecache
from collections import deque
from functools import reduce
from itertools import accumulate
from typing import NamedTuple

import numpy as np

import tinygrad_rnn as tg


def sequence(T, seed=0):
    return np.random.default_rng(seed).normal(size=(T, 3))


def certify(graph, circuit):
    """Compare the circuit with the recorded steps themselves, not with what the fold made of them."""
    place = {}
    for number, component in enumerate(circuit.components):
        for point, step in zip(component.domain(circuit.lengths), component.visits, strict=True):
            assert id(step) not in place
            place[id(step)] = number, point
    unfolded = circuit.unfold()
    assert set(unfolded) == set(place.values())
    for step in graph.steps:
        if id(step) not in place:  # a constant that occurs again and again may stand for all its copies
            assert step.kind == "constant"
            continue
        inputs = unfolded[place[id(step)]]
        assert len(inputs) == len(step.inputs)
        for found, wanted in zip(inputs, step.inputs, strict=True):
            if id(wanted) in place:
                assert found == place[id(wanted)]
            else:
                (only,) = circuit.components[found[0]].visits
                assert only.kind == "constant" and type(only.value) is type(wanted.value)
                assert np.array_equal(only.value, wanted.value)
    for component in circuit.components:
        _is_one_thing(component)


def _is_one_thing(component):
    """One operation, and one parameter at each of its inputs, whenever it happens."""
    assert len({(step.kind, step.operation) for step in component.visits}) == 1
    assert component.kind != "parameter" or len(component.visits) == 1
    for slot in range(min(len(step.inputs) for step in component.visits)):
        sources = [step.inputs[slot] for step in component.visits if step.inputs[slot].kind == "parameter"]
        assert len({id(source) for source in sources}) <= 1


def _what(component):
    """What it is, apart from how often it happened and the numbers that say how long the run was."""
    name = component.operation.name if component.operation else component.kind
    return name, component.module, component.axes, component.reads


def same_at_other_lengths(short, long):
    """The circuit of a short run is that of a long one, and each unfolds into the other's run."""
    assert [_what(c) for c in short.components] == [_what(c) for c in long.components]
    assert short.unfold(long.lengths) == long.unfold()
    assert long.unfold(short.lengths) == short.unfold()


def folded(program, T, backward=False):
    graph = tg.record(program, sequence(T))
    graph = graph.backward() if backward else graph
    circuit = graph.fold()
    certify(graph, circuit)
    assert len(circuit.components) < len(graph)
    return circuit


def folds_at_any_length(program, lengths=(8, 11), backward=True):
    """Forward, and with the backward pass; returns the forward circuit of the first length."""
    circuit, other = (folded(program, T) for T in lengths)
    same_at_other_lengths(circuit, other)
    if backward:
        same_at_other_lengths(*(folded(program, T, backward=True) for T in lengths))
    return circuit


def parameter(seed, *shape):
    return tg.Parameter(np.random.default_rng(seed).normal(size=shape) / 2)


A, B, C, D, E, F = (parameter(seed, 3, 3) for seed in range(6))
b = tg.Parameter(np.ones(3) / 4)
zero = np.zeros(3)


def named(circuit, name):
    (component,) = [c for c in circuit.components if c.name == name]
    return component


def operations(circuit, operation):
    return [c for c in circuit.components if c.operation is not None and c.operation.name == operation]


def ends(wire):
    """A wire as (name of the source, delay, how it reaches, names of the initial values)."""
    return wire.source.label, wire.delay, wire.reach, [w.source.label for w in wire.initial]


def compiled(source):
    """The function `program` of a source, as from a file: with lines and columns to name things by."""
    file = f"<written {hash(source):x}>"
    linecache.cache[file] = len(source), None, source.splitlines(keepends=True), file
    known = {"np": np, "tg": tg, "NamedTuple": NamedTuple, "deque": deque, "reduce": reduce, "accumulate": accumulate}
    scope = {**known, "__name__": "written"}
    exec(compile(source, file, "exec"), scope)
    return scope["program"]
