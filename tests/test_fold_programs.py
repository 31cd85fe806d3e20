"""Programs that the fold has not seen: some that hypothesis writes, and some as users write them.

A circuit is what is written, so what was recorded at one length must unfold into the run of any other: that is what
most tests here compare.
"""

import linecache
import re
from collections import deque
from functools import reduce
from itertools import pairwise
from textwrap import indent
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import tinygrad_rnn as tg

# -- what is claimed of every circuit --------------------------------------------------------------


def _x(T, seed=0):
    return np.random.default_rng(seed).normal(size=(T, 3))


def _certify(graph, circuit):
    """Compare the circuit with the recorded steps themselves, not with what the fold made of them."""
    place = {}
    for number, component in enumerate(circuit.components):
        T = 1 if component.loop is None else circuit.lengths[component.loop]
        for t, step in zip(component.times(T), component.visits, strict=True):
            assert id(step) not in place
            place[id(step)] = number, t
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
    return name, component.module, component.loop, component.span, component.reads


def _same_at_other_lengths(short, long):
    """The circuit of a short run is that of a long one, and each unfolds into the other's run."""
    assert [_what(c) for c in short.components] == [_what(c) for c in long.components]
    assert short.unfold(long.lengths) == long.unfold()
    assert long.unfold(short.lengths) == short.unfold()


def _folded(program, T, backward=False):
    graph = tg.record(program, _x(T))
    graph = graph.backward() if backward else graph
    circuit = graph.fold()
    _certify(graph, circuit)
    assert len(circuit.components) < len(graph)
    return circuit


def _folds_at_any_length(program, lengths=(8, 11), backward=True):
    """Forward, and with the backward pass; returns the forward circuit of the first length."""
    circuit, other = (_folded(program, T) for T in lengths)
    _same_at_other_lengths(circuit, other)
    if backward:
        _same_at_other_lengths(*(_folded(program, T, backward=True) for T in lengths))
    return circuit


# -- programs that hypothesis writes ---------------------------------------------------------------

PRELUDE = """
weights = np.random.default_rng(0).normal(size=(63, 3, 3)) / 2

class State(NamedTuple):
    h: object
    s: object

class Cell(tg.Module):
    def __init__(self, W, U):
        self.W, self.U = tg.Parameter(W), tg.Parameter(U)

    def __call__(self, v, h):
        return np.tanh(v @ self.W.T + h @ self.U.T)

A, B, C, D, E = (tg.Parameter(w) for w in weights[:5])
"""

# Every part has weights of its own: {i} is its number.
WEIGHTS = """
b{i} = tg.Parameter(np.ones(3) / 4)
P{i} = tg.Parameter(np.random.default_rng({i}).normal(size=(3, 6)))
A{i}, B{i}, C{i}, D{i}, E{i} = (tg.Parameter(w) for w in weights[9 * {i}:9 * {i} + 5])
Ws{i} = [tg.Parameter(w) for w in weights[9 * {i}:9 * {i} + 3]]
Us{i} = [tg.Parameter(w) for w in weights[9 * {i} + 3:9 * {i} + 6]]
cells{i} = [Cell(w, u) for w, u in zip(weights[9 * {i}:9 * {i} + 3], weights[9 * {i} + 6:9 * {i} + 9])]
"""

FORWARD = [
    "for v in {src}:",
    "for t, v in enumerate({src}):",
    "for t in range(len({src})):\n    v = {src}[t]",
    "t = -1\nwhile t + 1 < len({src}):\n    t += 1\n    v = {src}[t]",
    "for v, u in zip({src}, inputs, strict=True):\n    v = v * u",
    "for t, (u, v) in enumerate(zip(inputs, {src})):\n    v = v - u @ E{i}.T",
]
BACKWARD = [
    "for v in reversed({src}):",
    "for t in reversed(range(len({src}))):\n    v = {src}[t]",
    "for t in range(len({src}) - 1, -1, -1):\n    v = {src}[t]",
    "t = len({src})\nwhile t > 0:\n    t -= 1\n    v = {src}[t]",
]
# A step: a new h from v and h.
STEPS = [
    "h = np.tanh(v @ A{i}.T + h @ B{i}.T + b{i})",
    "z = tg.sigmoid(v @ A{i}.T)\nh = z * h + z * np.tanh(v @ C{i}.T)",
    "f, g, n = tg.split(np.concatenate([h @ A{i}.T, v, v @ B{i}.T + h]), 3)\nh = tg.sigmoid(f) * h + tg.sigmoid(g) * n",
    "h = cells{i}[0](cells{i}[0](v, h), h)",
    "h = cells{i}[0](cells{i}[1](v, h), h)",
    "h = np.tanh(h @ A{i}.T + v + rng.normal(size=3))",
    "h = np.tanh(h @ A{i}.T + v)\nunused = h * h",
    "h = np.tanh(np.einsum('i,ji->j', h, A{i}) + v)",
    "def inner(q):\n    def deeper(r):\n        return np.tanh(r @ A{i}.T + v)\n    return deeper(q)\nh = inner(h)",
    "h = (lambda q: np.tanh(q @ A{i}.T + v))(h)",
    "M = np.tanh(A{i} * v)\nh = np.tanh(h @ M + v)",
    "m = h.mean()\nh = (h - m) @ A{i}.T + v",
    "h = v + (h := np.tanh(h @ A{i}.T))",
    "parts = [np.tanh(h @ W.T + v) for W in Ws{i}]\nh = parts[0] * parts[1] + parts[2]",
]
NUMBERED = [  # with numbers in them
    "h = 0.9 * h + 0.1 * np.tanh(v @ A{i}.T)",
    "h = tg.where(v > 0, np.tanh(h @ A{i}.T + v), h)",
    "h = tg.dropout(np.tanh(h @ A{i}.T + v), 0.5, rng)",
    "z = tg.sigmoid(v @ A{i}.T + h @ B{i}.T)\nh = z * h + (1 - z) * np.tanh(v @ C{i}.T)",
]
SKIPS = [  # what happens only from the second or third step on
    "h = np.tanh(h @ A{i}.T + v)\nif len({out}) > 0:\n    h = h + v",
    "a = v @ A{i}.T\nif len({out}) >= 2:\n    a = a + h @ B{i}.T\nh = np.tanh(a)",
    "h = v @ A{i}.T\nif len({out}) >= {lag}:\n    h = h + {out}[-{lag}] @ E{i}.T",
]
# How the state is kept: before the loop, at the start of a step, at its end.
KEPT = [
    ("h = {zero}", "", "{out}.append(h)"),
    ("h = {zero}", "", "{out} += [h]"),
    ("hs = [np.zeros(3)] * {lag}", "h = hs[0]", "hs = [*hs[1:], h]\n{out}.append(h)"),
    ("hs = [np.zeros(3) for _ in range({lag})]", "h = hs.pop(0)", "hs.append(h)\n{out}.append(h)"),
    ("hs = deque([np.zeros(3)] * {lag}, maxlen={lag})", "h = hs[0]", "hs.append(h)\n{out}.append(h)"),
    ("h1 = h2 = h3 = np.zeros(3)", "h = h{lag}", "h3, h2, h1 = h2, h1, h\n{out}.append(h)"),
    ("state = {zero}, np.zeros(3)", "h, s = state", "s = s * b{i} + h\nstate = h, s\n{out}.append(s)"),
    (
        "state = State({zero}, b{i})",
        "h, s = state.h, state.s",
        "state = State(h=s * h, s=np.tanh(h + s))\n{out}.append(state.h)",
    ),
    (
        "state = dict(h={zero}, s=b{i})",
        "h = state['h'] * state['s']",
        "state['s'], state['h'] = state['h'] @ D{i}.T, h\n{out}.append(h)",
    ),
]
LAYERS = [
    "for k in range({n}):\n    v = hs[k] = np.tanh(v @ Ws{i}[k].T + hs[k] @ Us{i}[k].T)",
    "for k, (W, U) in enumerate(zip(Ws{i}[:{n}], Us{i})):\n    v = hs[k] = np.tanh(v @ W.T + hs[k] @ U.T)",
    "new = []\nfor W, U, h in zip(Ws{i}[:{n}], Us{i}, hs):\n    v = v + np.tanh(v @ W.T + h @ U.T)\n    new += [v]\n"
    "hs = new",
    "k = 0\nwhile k < {n}:\n    v = hs[k] = np.tanh(v @ Ws{i}[k].T + hs[k] @ Us{i}[k].T)\n    k += 1",
    "for k, cell in enumerate(cells{i}[:{n}]):\n    v = hs[k] = cell(v, hs[k])",
    "hs = [v := cell(v, h) for cell, h in zip(cells{i}[:{n}], hs)]",
]
ENDS = [
    "return ({src}[-1] * {src}[-1]).sum()",
    "c = {src}[-1]\ns = np.zeros(3)\nL = 0\nfor k in range({n}):\n    s = np.tanh(s @ A.T + c @ B.T)\n"
    "    L = L + s.sum()\nreturn L",
    "L = 0\nfor v in {src}:\n    L = L + (v * v).sum()\nreturn L",
    "L = l = 0.0\nfor v in {src}:\n    L += (v * v).sum()\n    l = l + (v @ C.T).mean()\nreturn L + l * l",
    "return (tg.stack({src}) ** 2).sum()",
    "return sum([(v * v).sum() for v in {src}])",
    "L = 0\nfor t, (v, u) in enumerate(zip({src}, inputs)):\n    l = ((v - u) ** 2).mean()\n    L = L + l\nreturn L",
    "H = tg.stack({src})\ns = H[-1]\nL = 0\nfor k in range({n}):\n    a = tg.softmax(H @ s)\n"
    "    s = np.tanh(s @ A.T + a @ H)\n    L = L + (s * s).sum()\nreturn L",
]
MEETINGS = [
    "{out} = [p * q for p, q in zip({f}, {g})]",
    "{out} = [np.concatenate([p, q]) @ P{i}.T for p, q in zip({f}, {g}, strict=True)]",
    "{out} = [{f}[t] + {g}[t] for t in range(len(x))]",
]


class Written(NamedTuple):
    """A program, and the length from which on a run shows all that it does."""

    source: str
    shortest: int

    def __repr__(self):
        return self.source.partition("def program")[2]

    def compiled(self):
        return _compile(self.source)


def _compile(source):
    """The function `program` of a source, as from a file: with lines and columns to name things by."""
    file = f"<written {hash(source):x}>"
    linecache.cache[file] = len(source), None, source.splitlines(keepends=True), file
    scope = {"np": np, "tg": tg, "NamedTuple": NamedTuple, "deque": deque, "reduce": reduce, "__name__": "written"}
    exec(compile(source, file, "exec"), scope)
    return scope["program"]


@st.composite
def written(draw, skips=False):
    """A random recurrent program of one to three parts, each a loop to the right, to the left, or both.

    skips  whether something may happen only from a later step on, and the first step may differ
    """
    lags, lines, used = [1], ["inputs = [u @ D.T for u in x]", "rng = np.random.default_rng(0)"], 0

    def choose(options):
        return draw(st.sampled_from(options))

    def part(src, out, rightward):
        nonlocal used
        used += 1
        lag = draw(st.integers(1, 3))
        terms = {"src": src, "out": out, "i": used, "lag": lag, "n": draw(st.integers(1, 3))}
        terms["zero"] = choose(["np.zeros(3)", "np.tanh(b{i})", "tg.Tensor(np.ones(3))"]).format(**terms)
        loop = choose(FORWARD if rightward else BACKWARD)
        forms = ["loop", "loop", "loop", "layers", "generator", "function", "comprehension"]
        form = choose([*forms, "first"] if skips else forms)
        step = choose(
            STEPS + (NUMBERED if rightward else []) + (SKIPS if skips and rightward and form == "loop" else [])
        )
        before, start, end = choose(KEPT) if form == "loop" else KEPT[0]
        if "{lag}" in before + start + step:
            lags.append(lag)
        if step in SKIPS:
            lags.append(3)
        if form == "first":
            before, step = "h = None", "if h is None:\n    h = np.tanh(v @ A{i}.T)\nelse:\n" + indent(step, "    ")
        if form == "layers":
            before, start, step, end = "hs = [np.zeros(3)] * {n}", "", choose(LAYERS), "{out}.append(v)"
        if form == "function":
            before = "def step{i}(v, h):\n" + indent(step, "    ") + "\n    return h\nh = {zero}"
            step = "h = step{i}(v, h)"
        if form == "comprehension":
            text = (
                "h = {zero}\n{out} = [h := np.tanh(h @ A{i}.T + v) for v in "
                + ("" if rightward else "reversed")
                + "({src})]"
            )
        elif form == "generator":
            body = "\n".join(["h = {zero}", loop, indent(step, "    "), "    yield h"])
            text = "def states{i}():\n" + indent(body, "    ") + "\n{out} = list(states{i}())"
        else:
            text = "\n".join(["{out} = []", before, loop, *(indent(s, "    ") for s in (start, step, end) if s)])
        if not rightward:
            text += choose(["\n{out}.reverse()", "\n{out} = {out}[::-1]"])
        lines.append(text.format(**terms))

    src = "x"
    for k in range(draw(st.sampled_from([1, 1, 2, 2, 3]))):
        out, f, g = f"s{k}", f"f{k}", f"g{k}"
        direction = choose(["right", "right", "left", "both"])
        if direction == "both":
            part(src, f, True)
            part(src, g, False)
            lines.append(choose(MEETINGS).format(out=out, f=f, g=g, i=used))
        else:
            part(src, out, direction == "right")
        src = out
    # With a lag of 2 the gradient of the last step alone would visit every second step, and that is no circuit.
    lines.append(choose(ENDS if max(lags) == 1 else ENDS[2:]).format(src=src, n=draw(st.integers(3, 6))))
    weights = "".join(WEIGHTS.format(i=i) for i in range(1, used + 1))
    return Written(
        PRELUDE + weights + "\ndef program(x):\n" + indent("\n".join(lines), "    ") + "\n", 2 + 2 * sum(lags[1:])
    )


few = settings(max_examples=20, derandomize=True, deadline=None, database=None, report_multiple_bugs=False)
longer = st.tuples(st.integers(2, 7), st.integers(2, 7))


@few
@given(written(), longer)
def test_a_written_program_folds_and_its_circuit_is_that_of_any_length(program, more):
    short, long = (_folded(program.compiled(), program.shortest + extra) for extra in more)
    _same_at_other_lengths(short, long)


@few
@given(written(), longer)
def test_both_passes_of_a_written_program_fold_and_their_circuit_is_that_of_any_length(program, more):
    short, long = (_folded(program.compiled(), program.shortest + extra, backward=True) for extra in more)
    _same_at_other_lengths(short, long)


@settings(few, phases=[Phase.generate], max_examples=10)
@given(written(skips=True), longer)
def test_both_passes_fold_too_where_steps_skip_something_or_the_first_differs(program, more):
    short, long = (_folded(program.compiled(), program.shortest + extra, backward=True) for extra in more)
    _same_at_other_lengths(short, long)


@few
@given(written(skips=True), st.integers(0, 5))
def test_a_written_program_replays_on_other_numbers(program, extra):
    run, T = program.compiled(), program.shortest + extra
    assert tg.record(run, _x(T)).replay(_x(T, seed=1)).item() == run(tg.Tensor(_x(T, seed=1))).item()


# -- programs as users write them ------------------------------------------------------------------
#
# By convention x is (T, 3), and what a program returns is one number.


def _parameter(seed, *shape):
    return tg.Parameter(np.random.default_rng(seed).normal(size=shape) / 2)


A, B, C, D, E, F = (_parameter(seed, 3, 3) for seed in range(6))
b = tg.Parameter(np.ones(3) / 4)
zero = np.zeros(3)


def _named(circuit, name):
    (component,) = [c for c in circuit.components if c.name == name]
    return component


def _operations(circuit, operation):
    return [c for c in circuit.components if c.operation is not None and c.operation.name == operation]


def _ends(wire):
    """A wire as (name of the source, delay, how it reaches, names of the initial values)."""
    return wire.source.label, wire.delay, wire.reach, [w.source.label for w in wire.initial]


class GatedCell(tg.Module):
    """A gated recurrent unit that returns (y, state), as in other libraries."""

    def __init__(self, size, rng):
        rng = np.random.default_rng(rng)
        self.z, self.r, self.n = (tg.Linear(2 * size, size, rng=rng) for _ in range(3))
        self.out = tg.Linear(size, size, rng=rng)

    def __call__(self, x, h):
        xh = tg.concatenate([x, h])
        z = tg.sigmoid(self.z(xh))
        r = tg.sigmoid(self.r(xh))
        n = np.tanh(self.n(tg.concatenate([x, r * h])))
        h = z * h + (1 - z) * n
        return self.out(h), h


class Stack(tg.Module):
    """Gated cells above each other, each with a bridge around it."""

    def __init__(self, size, depth):
        self.cells = [GatedCell(size, rng) for rng in range(depth)]

    def __call__(self, x):
        states = [zero for _ in self.cells]
        L = 0
        for x_t in x:
            y = x_t
            for k, cell in enumerate(self.cells):
                out, states[k] = cell(y, states[k])
                y = y + out
            L = L + (y * y).sum()
        return L


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_gated_layers_with_bridges_have_one_delay_each(depth):
    circuit = _folds_at_any_length(Stack(3, depth))
    states = [c for c in circuit.components if c.name == "h"]
    assert [c.module for c in states if c.operation] == [f"cells.{k}" for k in range(depth)]
    for h in (c for c in states if c.operation):  # it is read by both gates, the new content and the sum
        delayed = [w for c in circuit.components for w in c.wires if w.source is h and w.delay]
        assert [(w.delay, len(w.initial)) for w in delayed] == [(1, 1)] * 3
    assert circuit.lengths == [8]


class LSTM(NamedTuple):
    h: Any
    s: Any


Wx, Wh, Wy = _parameter(10, 4, 3, 3), _parameter(11, 4, 3, 3), _parameter(12, 3, 3)


def _lstm_by_einsum(x):
    state = LSTM(zero, zero)
    L = 0.0
    for x_t in x:
        gates = np.einsum("gij,j->gi", Wx, x_t) + np.einsum("gij,j->gi", Wh, state.h)
        i, f, o = tg.sigmoid(gates[0]), tg.sigmoid(gates[1]), tg.sigmoid(gates[2])
        s = f * state.s + i * np.tanh(gates[3])
        state = LSTM(h=o * np.tanh(s), s=s)
        L += ((state.h @ Wy.T) ** 2).sum()
    return L / len(x)


def test_an_lstm_by_einsum_has_two_delays_and_a_sum_over_time():
    circuit = _folds_at_any_length(_lstm_by_einsum)
    kept = _named(circuit, "s")
    assert [w.delay for w in kept.wires[0].source.wires] == [0, 1]
    delayed = [w for c in circuit.components for w in c.wires if w.delay]
    assert sorted(w.source.name or w.source.operation.name for w in delayed) == ["L", "multiply", "s"]
    assert [c.name for c in circuit.components if c.is_sum] == ["L"]
    assert not _operations(circuit, "getitem")[0].wires[0].delay


def _bidirectional_with_concatenation(x):
    T = len(x)
    hs, gs = [None] * T, [None] * T
    h = g = zero
    for t in range(T):
        h = np.tanh(h @ A.T + x[t] @ B.T)
        hs[t] = h
    for t in reversed(range(T)):
        g = np.tanh(g @ C.T + x[t] @ D.T)
        gs[t] = g
    return sum((np.concatenate([hs[t], gs[t]]) ** 2).sum() for t in range(T))


def _both_directions_in_one_loop(x):
    T = len(x)
    h = g = zero
    for t in range(T):
        h = np.tanh(h @ A.T + x[t] @ B.T)
        g = np.tanh(g @ C.T + x[T - 1 - t] @ D.T)
    return (h * g).sum()


@pytest.mark.parametrize("program", [_bidirectional_with_concatenation, _both_directions_in_one_loop])
def test_both_directions_have_delays_of_opposite_sign(program):
    circuit = _folds_at_any_length(program)
    delays = {w.source.name: w.delay for c in circuit.components for w in c.wires if w.delay and w.source.name}
    assert delays == {"h": 1, "g": -1}
    assert [c.backward for c in circuit.components if c.name == "g" and c.operation] == [True]


def _sequence_to_sequence(x):
    hs, h = [], zero
    for x_t in x:
        h = np.tanh(h @ A.T + x_t @ B.T)
        hs.append(h)
    H = tg.stack(hs)
    s, y = h, np.zeros(3)
    L = 0
    for _ in range(5):
        C_t = tg.softmax(H @ s) @ H
        s = np.tanh(s @ C.T + y @ D.T + C_t @ E.T)
        y = tg.softmax(s @ F.T)
        L = L + (y * y).sum()
    return L


@pytest.mark.parametrize("T", [4, 5, 6, 9])
def test_sequence_to_sequence_has_two_loops_even_if_they_are_equally_long(T):
    circuit = _folds_at_any_length(_sequence_to_sequence, lengths=(T, T + 3))
    assert sorted(circuit.lengths) == sorted([T, 5])
    (stack,) = _operations(circuit, "stack")
    assert [_ends(w) for w in stack.wires] == [("h", 0, "all", [])]
    delayed = [w for c in circuit.components for w in c.wires if w.delay and w.source.name in ("s", "y")]
    assert [(_ends(w), w.initial[0].reach) for w in delayed] == [
        (("s", 1, "step", ["h"]), "last"),
        (("s", 1, "step", ["h"]), "last"),
        (("y", 1, "step", ["y"]), "once"),
    ]


def _forced(x):
    """Pattern III with the true output of the step before."""
    before = zero
    L = 0
    for x_t in x:
        h = np.tanh(b + before @ A.T)
        L = L + ((h - x_t) ** 2).sum()
        before = x_t
    return L


def test_teacher_forcing_at_every_step_is_a_delayed_input_and_no_recurrence():
    circuit = _folds_at_any_length(_forced)
    (product,) = _operations(circuit, "matmul")
    wire = product.wires[0]
    assert (wire.source.is_sequence, wire.delay, [w.source.kind for w in wire.initial]) == (True, 1, ["constant"])
    assert {w.source.name for c in circuit.components for w in c.wires if w.delay} == {wire.source.name, "L"}


def _next_of(x):
    h = zero
    L = 0
    for t in range(len(x) - 1):
        h = np.tanh(h @ A.T + x[t] @ B.T)
        L = L + ((h - x[t + 1]) ** 2).sum()
    return L


def _window(x):
    L = 0
    for t in range(1, len(x) - 1):
        L = L + np.tanh(x[t - 1] @ A.T + x[t] @ B.T + x[t + 1] @ C.T).sum()
    return L


@pytest.mark.parametrize(("program", "reads", "length"), [(_next_of, [0, 1], 7), (_window, [0, 1, 2], 6)])
def test_elements_read_around_a_step_are_sequences_with_offsets(program, reads, length):
    graph = tg.record(program, _x(8))
    circuit = graph.fold()
    sequences = [c for c in circuit.components if c.is_sequence]
    assert [c.reads - sequences[0].reads for c in sequences] == reads
    assert {len(c.visits) for c in sequences} == {length}
    _folds_at_any_length(program)


def _feedback_of_both(x):
    h = y = zero
    L = 0
    for x_t in x:
        h = np.tanh(x_t @ A.T + h @ B.T + y @ C.T)
        y = tg.softmax(h @ D.T)
        L = L + (y * x_t).sum()
    return L


def test_feedback_from_hidden_units_and_output_has_a_delay_on_each():
    circuit = _folds_at_any_length(_feedback_of_both)
    delayed = [_ends(w) for c in circuit.components for w in c.wires if w.delay and w.source.name in "hy"]
    assert [(name, delay, len(initial)) for name, delay, _, initial in delayed] == [("h", 1, 1), ("y", 1, 1)]


def _layer_norm(x):
    h = zero
    L = 0
    for x_t in x:
        a = x_t @ A.T + h @ B.T
        h = np.tanh((a - a.mean()) / np.sqrt(a.var() + 1e-5) * b)
        L = L + h.sum()
    return L


def _hypernetwork(x):
    h = g = zero
    for x_t in x:
        g = np.tanh(g @ A.T + x_t)
        W = np.tanh(B * g)
        h = np.tanh(h @ W.T + x_t)
    return h.sum()


def _tied(x):
    h = zero
    L = 0
    for x_t in x:
        h = np.tanh(h @ A.T + x_t @ B.T)
        o = h @ B
        L = L + ((o - x_t) ** 2).sum()
    return L + (B * B).sum()


def _two_hypotheses(x):
    best, second = zero, b
    score = other = 0
    for x_t in x:
        best, second = np.tanh(best @ A.T + x_t), np.tanh(second @ A.T - x_t)
        score, other = score + best.sum(), other + second.sum()
    return score * other


def _residual_layers(x):
    out = list(x)
    for W, U in ((A, B), (C, D)):
        h, new = zero, []
        for v in out:
            h = np.tanh(v @ W.T + h @ U.T)
            new.append(v + h)
        out = new
    return sum((v * v).sum() for v in out)


def _two_layers_of_both_directions(x):
    seq = list(x)
    for W, U in ((A, B), (C, D)):
        h = g = zero
        right, left = [], []
        for v in seq:
            h = np.tanh(h @ W.T + v)
            right.append(h)
        for v in reversed(seq):
            g = np.tanh(g @ U.T + v)
            left.insert(0, g)
        seq = [p + q for p, q in zip(right, left, strict=True)]
    return sum(v.sum() for v in seq)


def _reduced(x):
    return reduce(lambda h, x_t: np.tanh(h @ A.T + x_t), x, zero).sum()


def _reversed_encoder(x):
    h = zero
    for x_t in x[::-1]:
        h = np.tanh(h @ A.T + x_t @ B.T)
    s = h
    L = 0
    for x_t in x:
        s = np.tanh(s @ C.T)
        L = L + ((s - x_t) ** 2).sum()
    return L


def _state_in_a_dict(x):
    state = {"low": zero, "high": zero}
    for x_t in x:
        state["low"] = np.tanh(x_t @ A.T + state["low"] @ B.T + state["high"] @ C.T)
        state["high"] = np.tanh(state["low"] @ D.T + state["high"] @ E.T)
    return state["high"].sum()


def _first_step_is_special(x):
    h = None
    L = 0
    for x_t in x:
        h = np.tanh(x_t @ A.T) if h is None else np.tanh(x_t @ A.T + h @ B.T)
        L = L + h.sum()
    return L


def _ends_of_x(x):
    h = zero
    for x_t in x:
        h = np.tanh(h @ A.T + x_t + x[0] @ B.T + x[-1] @ C.T)
    return h.sum()


def _greedy_feedback(x):
    h = y = zero
    L = 0
    for x_t in x:
        h = np.tanh(h @ A.T + y @ B.T)
        o = h @ C.T
        y = tg.embedding(D, o.argmax())
        L = L + (o * x_t).sum()
    return L


def _states_with_the_initial_one(x):
    hs = [np.tanh(b)]
    for x_t in x:
        hs.append(np.tanh(hs[-1] @ A.T + x_t))
    return (tg.stack(hs) ** 2).sum()


def _noise_on_the_weights(x):
    rng = np.random.default_rng(0)
    h = zero
    for x_t in x:
        h = np.tanh(h @ (A + 0.1 * rng.normal(size=(3, 3))).T + x_t)
    return h.sum()


def _slices_side_by_side(x):
    """How a language model is usually trained."""
    h = zero
    L = 0
    for x_t, y_t in zip(x[:-1], x[1:], strict=True):  # noqa: RUF007
        h = np.tanh(h @ A.T + x_t)
        L = L + ((h - y_t) ** 2).sum()
    return L


USUAL = [
    _slices_side_by_side,
    _layer_norm,
    _hypernetwork,
    _tied,
    _two_hypotheses,
    _residual_layers,
    _two_layers_of_both_directions,
    _reduced,
    _reversed_encoder,
    _state_in_a_dict,
    _first_step_is_special,
    _ends_of_x,
    _greedy_feedback,
    _states_with_the_initial_one,
    _noise_on_the_weights,
]


@pytest.mark.parametrize("program", USUAL)
def test_a_usual_program_has_one_circuit_for_all_lengths(program):
    _folds_at_any_length(program)


def test_weights_computed_at_a_step_are_no_parameter():
    circuit = _folds_at_any_length(_hypernetwork)
    W = _named(circuit, "W")
    assert (W.kind, len(W.visits), [w.reach for w in W.wires[0].source.wires]) == ("operation", 8, ["once", "step"])


def test_a_tied_weight_is_one_component_with_three_uses():
    circuit = _folds_at_any_length(_tied)
    (weight,) = [c for c in circuit.components if c.kind == "parameter" and c.name == "B"]
    users = [c for c in circuit.components if any(w.source is weight for w in c.wires)]
    assert [(c.operation.name, len(c.visits)) for c in users] == [("transpose", 8), ("matmul", 8), ("multiply", 1)]


def test_an_initial_state_beside_all_others_is_one_input_of_the_stack_and_the_others_are_all():
    (stack,) = _operations(_folds_at_any_length(_states_with_the_initial_one), "stack")
    assert [w.reach for w in stack.wires] == ["once", "all"]


def _stops_early(x):
    h = zero
    for t in range(len(x)):
        h = np.tanh(h @ A.T + x[t])
        if t == 3:
            break
    return h.sum()


def test_a_loop_that_broke_off_is_as_long_as_it_ran():
    assert _folded(_stops_early, 8).lengths == [4]
    assert _folded(_stops_early, 8).unfold() == _folded(_stops_early, 11).unfold()


# -- programs that have no circuit -----------------------------------------------------------------


def _clockwork(x):
    h = g = zero
    for t, x_t in enumerate(x):
        h = np.tanh(x_t @ A.T + h @ B.T + g @ C.T)
        if t % 2 == 0:
            g = np.tanh(g @ D.T + x_t @ E.T)  # here
    return (h * g).sum()


def _chain_of_calls(x):
    def state(t):
        return np.tanh(state(t - 1) @ A.T + x[t]) if t >= 0 else zero  # here

    return state(len(x) - 1).sum()


def _pyramid(x):
    hs = [np.tanh(x_t @ A.T) for x_t in x]
    return sum(np.tanh(p @ B.T + q @ C.T).sum() for p, q in zip(hs[::2], hs[1::2], strict=False))  # here


def _middle_step(x):
    h, hs = zero, []
    for x_t in x:
        h = np.tanh(h @ A.T + x_t)
        hs.append(h)
    return hs[2].sum()  # here


def _mirror(x):
    hs = [np.tanh(x_t @ A.T) for x_t in x]
    return sum((hs[t] * hs[len(x) - 1 - t]).sum() for t in range(len(x)))  # here


def _both_directions_that_read_each_other(x):
    h = g = zero
    for t in range(len(x)):
        h = np.tanh(h @ A.T + x[t] + g @ C.T)  # here
        g = np.tanh(g @ B.T + x[len(x) - 1 - t])
    return (h * g).sum()


def _delay_that_grows(x):
    hs = []
    for t, x_t in enumerate(x):
        hs.append(np.tanh(x_t @ A.T + (hs[t // 2] @ B.T if t else zero)))  # here
    return hs[-1].sum()


def _twice_over_the_data(x):
    h = zero
    for _ in range(2):
        for x_t in x:
            h = np.tanh(h @ A.T + x_t)  # here
    return h.sum()


def _line_of(program):
    """The line of a program that ends with the comment `here`."""
    first = program.__code__.co_firstlineno
    lines = iter(linecache.getline(program.__code__.co_filename, n) for n in range(first, first + 20))
    return first + next(k for k, line in enumerate(lines) if line.rstrip().endswith("# here"))


def _refused_at_its_line(program, T, why):
    with pytest.raises(tg.FoldError, match=why) as refusal:
        tg.record(program, _x(T)).fold()
    assert re.findall(r"test_fold_programs\.py:(\d+)", str(refusal.value)) == [str(_line_of(program))]


@pytest.mark.parametrize("T", [7, 8])
@pytest.mark.parametrize(
    ("program", "why"),
    [
        (_clockwork, "happens only at steps"),
        (_chain_of_calls, "calls itself"),
        (_pyramid, None),
        (_middle_step, "reads only step 3"),
        (_mirror, "even distance"),
        (_both_directions_that_read_each_other, "even distance"),
        (_delay_that_grows, "even distance"),
    ],
)
def test_a_program_without_a_circuit_is_refused_with_the_line_that_stands_in_the_way(program, why, T):
    _refused_at_its_line(program, T, why)


def _truncated(x):
    h = zero
    L = 0
    for t, x_t in enumerate(x):
        if t and t % 3 == 0:
            h = h.detach()
        h = np.tanh(x_t @ A.T + h @ B.T)  # here
        L = L + h.sum()
    return L


def test_truncated_backpropagation_has_a_forward_circuit_and_its_backward_pass_none():
    _folds_at_any_length(_truncated, backward=False)
    with pytest.raises(tg.FoldError, match=rf"backward pass happens only at steps .*:{_line_of(_truncated)}\b"):
        tg.record(_truncated, _x(8)).backward().fold()


# -- circuits that are not right, or not there, yet ------------------------------------------------


def _starts_at_the_last_state(x):
    """A second loop over the states that starts where the first ended."""
    h, hs = zero, []
    for x_t in x:
        h = np.tanh(h @ A.T + x_t)
        hs.append(h)
    for h_t in hs:
        h = np.tanh(h @ B.T + h_t)
    return h.sum()


def _starts_at_the_last_element(x):
    seq = list(x)
    h = seq[-1]
    for x_t in seq:
        h = np.tanh(h @ A.T + x_t)
    return h.sum()


def _back_over_sums(x):
    """To the right a running sum that has none at the first step; to the left a product of what it gave."""
    hs = []
    for x_t in x:
        h = x_t @ A.T
        if hs:
            h = h + hs[-1]
        hs.append(h)
    g = b
    for h in reversed(hs):
        g = g * h
    return g.sum()


def _initial_values_from_a_loop(x):
    hs = [np.tanh(W @ b) for W in (A, A, A)]
    for x_t in x:
        hs.append(np.tanh(hs[-3] + x_t))
    return hs[-1].sum()


def _numbers_that_are_equal_half_of_the_time(x):
    h = zero
    for t, x_t in enumerate(x):
        h = np.tanh((0.5 if t < 4 else 0.25) * x_t + h @ A.T)
    return h.sum()


@pytest.mark.parametrize(
    "program",
    [
        _starts_at_the_last_state,
        _starts_at_the_last_element,
        _back_over_sums,
        _initial_values_from_a_loop,
        _numbers_that_are_equal_half_of_the_time,
    ],
)
def test_what_is_accepted_is_the_circuit_of_any_length(program):
    _folds_at_any_length(program, backward=False)


def _another_weight_from_step_four_on(x):
    h = zero
    for t, x_t in enumerate(x):
        h = np.tanh(h @ (A if t < 4 else B).T + x_t)
    return h.sum()


def _each_element_twice(x):
    h = zero
    for t in range(len(x)):
        h = np.tanh(h @ A.T + x[t // 2])
    return h.sum()


@pytest.mark.parametrize("program", [_another_weight_from_step_four_on, _each_element_twice, _twice_over_the_data])
def test_what_is_known_for_one_length_only_is_said_at_another(program):
    circuit = _folded(program, 8)
    for T in (6, 11):
        try:
            unfolded = circuit.unfold(T)
        except tg.FoldError:
            continue
        assert len(unfolded) == len(tg.record(program, _x(T)))


def _one_weight_in_two_loops(x):
    h, hs = zero, []
    for x_t in x:
        h = np.tanh(h @ A.T + x_t)
        hs.append(h)
    g = zero
    for h_t in hs:
        g = np.tanh(g @ A.T + h_t)
    return g.sum()


def _after_the_first_step(x):
    h = zero
    L = 0
    for t, x_t in enumerate(x):
        h = np.tanh(x_t @ A.T + h @ B.T)
        if t > 0:
            h = h + x_t
        L = L + h.sum()
    return L


def _learned_initial_values(x):
    """Three delays to the left, all with one learned initial value."""
    hs = [np.tanh(b)] * 3
    L = 0
    for x_t in reversed(x):
        hs = [*hs[1:], np.tanh(hs[0] @ A.T + x_t)]
        L = L + hs[-1].sum()
    return L


def _learned_memory(x):
    h, s, hs = zero, b, []
    for x_t in x:
        h = np.tanh(x_t + h + b)
        h, s = s * h, np.tanh(h + s)
        hs.append(h)
    L = l = 0.0
    for h in hs:
        L = L + h.sum()
        l = l + (h @ C.T).sum()
    return L + l


def _read_from_both_sides(x):
    h, hs = np.tanh(b), []
    for x_t in reversed(x):
        h = np.tanh(x_t @ A.T + h)
        hs.insert(0, h)
    f, fs = zero, []
    for h in hs:
        f = np.tanh(f @ B.T + h)
        fs.append(f)
    g, gs = zero, []
    for h in reversed(hs):
        g = np.tanh(g @ C.T + h)
        gs.insert(0, g)
    return [(f * g).sum() for f, g in zip(fs, gs, strict=True)][-1]


@pytest.mark.parametrize(
    "program",
    [_one_weight_in_two_loops, _after_the_first_step, _learned_initial_values],
)
def test_the_backward_circuit_is_that_of_any_length(program):
    _folds_at_any_length(program)


@pytest.mark.parametrize("program", [_learned_memory, _read_from_both_sides])
def test_a_gradient_that_comes_from_elsewhere_at_both_ends_folds_for_the_recorded_length(program):
    circuit = _folded(program, 8, backward=True)
    with pytest.raises(tg.FoldError, match="known for the recorded length only"):
        circuit.unfold(11)


def _neighbours(x):
    """Slowness: the gradient of an inner step comes from both neighbours, of an outer one from its only one."""
    hs = [np.tanh(x_t @ A.T) for x_t in x]
    L = 0
    for h, after in pairwise(hs):
        L = L + ((after - h) ** 2).sum()
    return L


def _discounted(x):
    L = 0
    for t, x_t in enumerate(x):
        L = L + 0.9 ** (t + 1) * np.tanh(x_t @ A.T).sum()
    return L


def _running_mean(x):
    m = 0
    for t, x_t in enumerate(x):
        m = m + (x_t @ A.T - m) / (t + 1)
    return m.sum()


@pytest.mark.parametrize("program", [_neighbours, _discounted, _running_mean])
def test_the_backward_pass_has_a_circuit(program):
    _folds_at_any_length(program)


def _padded_window(x):
    L = 0
    for t in range(len(x)):
        before = x[t - 1] if t else zero
        after = x[t + 1] if t + 1 < len(x) else zero
        L = L + np.tanh(before @ A.T + x[t] @ B.T + after @ C.T).sum()
    return L


def _two_readers_of_a_loop_to_the_left(x):
    """Its first step, at the end of x, is another operation than the rest."""
    h, hs = None, []
    for x_t in reversed(x):
        h = np.tanh(x_t @ A.T) if h is None else np.tanh(h @ A.T + x_t)
        hs.insert(0, h)
    L = l = 0.0
    for h in hs:
        L = L + h.sum()
        l = l + (h @ C.T).sum()
    return L + l


@pytest.mark.parametrize("program", [_padded_window, _two_readers_of_a_loop_to_the_left])
def test_the_fold_raises_nothing_but_fold_errors(program):
    _folds_at_any_length(program)


def _numbers_to_the_left(x):
    g = zero
    for x_t in reversed(x):
        g = np.tanh(g @ A.T + 0.5 * x_t)
    return g.sum()


def _autoencoder(x):
    L = 0
    for x_t, y_t in zip(x, x, strict=True):
        L = L + ((np.tanh(x_t @ A.T) @ B.T - y_t) ** 2).sum()
    return L


def _turned_round_and_back(x):
    h = g = zero
    hs, gs = [], []
    for x_t in x:
        h = np.tanh(h @ A.T + x_t)
        hs.append(h)
    for x_t in x[::-1]:
        g = np.tanh(g @ B.T + x_t)
        gs.append(g)
    return sum((h * g).sum() for h, g in zip(hs, gs[::-1], strict=True))


def _special_at_both_ends(x):
    h = g = None
    hs = []
    for x_t in x:
        h = np.tanh(x_t @ A.T) if h is None else np.tanh(x_t @ A.T + h @ B.T)
        hs.append(h)
    for h in reversed(hs):
        g = np.tanh(h @ C.T) if g is None else np.tanh(h @ C.T + g @ D.T)
    return g.sum()


def _every_other_step_by_a_mask(x):
    h = zero
    for t, x_t in enumerate(x):
        h = tg.where(t % 2 == 0, np.tanh(h @ A.T + x_t), h)
    return h.sum()


def _every_other_step_by_a_factor(x):
    h = zero
    for t, x_t in enumerate(x):
        h = h * float(t % 2) + np.tanh(h @ A.T + x_t)
    return h.sum()


def _sum_of_a_list(x):
    h = zero
    for x_t in x:
        h = np.tanh(sum([h @ A.T, x_t @ B.T, b]))
    return h.sum()


def _two_rounds_at_each_step(x):
    h = zero
    for x_t in x:
        for _ in range(2):
            h = np.tanh(h @ A.T + x_t)
    return h.sum()


def _two_hypotheses_in_a_list(x):
    hs = [zero, b]
    for x_t in x:
        hs = [np.tanh(h @ A.T + x_t) for h in hs]
    return (hs[0] * hs[1]).sum()


def _windows(x):
    h = zero
    for t in range(len(x) - 2):
        h = np.tanh(h @ A.T + x[t : t + 3].sum(axis=0))
    return h.sum()


@pytest.mark.parametrize("program", [_sum_of_a_list, _two_rounds_at_each_step, _two_hypotheses_in_a_list, _windows])
def test_a_place_that_runs_several_times_in_a_step_is_refused(program):
    with pytest.raises(tg.FoldError, match=r"test_fold_programs\.py:\d+"):
        _folded(program, 8)


@pytest.mark.parametrize(
    "program",
    [
        _numbers_to_the_left,
        _autoencoder,
        _turned_round_and_back,
        _special_at_both_ends,
        _every_other_step_by_a_mask,
        _every_other_step_by_a_factor,
    ],
)
def test_a_program_that_has_a_circuit_folds(program):
    _folds_at_any_length(program, backward=False)


def _attention_to_the_past(x):
    h, hs = zero, []
    for x_t in x:
        h = np.tanh(h @ A.T + x_t)
        hs.append(h)
        H = tg.stack(hs)  # here
        h = tg.softmax(H @ h) @ H
    return h.sum()


def _every_second_element(x):
    h = zero
    for t in range(0, len(x), 2):
        x_t = x[t]  # here
        h = np.tanh(h @ A.T + x_t)
    return h.sum()


@pytest.mark.parametrize("program", [_attention_to_the_past, _every_second_element])
def test_what_grows_with_time_or_leaves_out_steps_is_refused(program):
    with pytest.raises(tg.FoldError, match=r"test_fold_programs\.py:\d+"):
        _folded(program, 8)
