"""Recurrent programs that hypothesis writes: lags, layers, directions, shared cells, loops of every kind."""

from textwrap import indent
from typing import NamedTuple

from folding import compiled, folded, same_at_other_lengths, sequence
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import tinygrad_rnn as tg

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
        return compiled(self.source)


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
    # With a lag of 2 the gradient of the last step alone would visit every second step, and that is no circuit. That of
    # two directions would come from elsewhere at both ends, which folds for the recorded length only.
    ends = ENDS if max(lags) == 1 and direction != "both" else ENDS[2:]
    lines.append(choose(ends).format(src=src, n=draw(st.integers(3, 6))))
    weights = "".join(WEIGHTS.format(i=i) for i in range(1, used + 1))
    return Written(
        PRELUDE + weights + "\ndef program(x):\n" + indent("\n".join(lines), "    ") + "\n", 2 + 2 * sum(lags[1:])
    )


few = settings(max_examples=20, derandomize=True, deadline=None, database=None, report_multiple_bugs=False)
longer = st.tuples(st.integers(2, 7), st.integers(2, 7))


@few
@given(written(), longer)
def test_a_written_program_folds_and_its_circuit_is_that_of_any_length(program, more):
    short, long = (folded(program.compiled(), program.shortest + extra) for extra in more)
    same_at_other_lengths(short, long)


@few
@given(written(), longer)
def test_both_passes_of_a_written_program_fold_and_their_circuit_is_that_of_any_length(program, more):
    short, long = (folded(program.compiled(), program.shortest + extra, backward=True) for extra in more)
    same_at_other_lengths(short, long)


@settings(few, phases=[Phase.generate], max_examples=10)
@given(written(skips=True), longer)
def test_both_passes_fold_too_where_steps_skip_something_or_the_first_differs(program, more):
    short, long = (folded(program.compiled(), program.shortest + extra, backward=True) for extra in more)
    same_at_other_lengths(short, long)


@few
@given(written(skips=True), st.integers(0, 5))
def test_a_written_program_replays_on_other_numbers(program, extra):
    run, T = program.compiled(), program.shortest + extra
    assert tg.record(run, sequence(T)).replay(sequence(T, seed=1)).item() == run(tg.Tensor(sequence(T, seed=1))).item()
