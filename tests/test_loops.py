"""Loops are counted by the interpreter while recording: beside a debugger, in threads, in records within records."""

import subprocess
import sys
import threading

import numpy as np
import pytest
from folding import A, B, compiled, sequence, zero

import tinygrad_rnn as tg


def _rounds(x):
    h = zero
    for x_t in x:
        for _ in range(20):
            h = np.tanh(h @ A.T + x_t)
    return h.sum()


def _while(x):
    h, t = zero, 0
    while t < len(x):
        h = np.tanh(h @ A.T + x[t])
        t += 1
    return h.sum()


def _points(graph):
    (states,) = [c for c in graph.fold().components if c.operation and c.operation.name == "tanh"]
    return states.points


ROUNDS = [(t, k) for t in range(3) for k in range(20)]


def _left_over():
    """What of the interpreter's hooks is in use."""
    tools = [sys.monitoring.get_tool(tool) for tool in range(6)] if sys.version_info >= (3, 12) else []
    return sys.gettrace(), tools


class Tracer:
    """A debugger: notes the lines of this file that run."""

    def __init__(self):
        self.lines = []

    def __call__(self, frame, event, argument):
        if frame.f_code.co_filename == __file__:
            self.lines.append((frame.f_code.co_name, event, frame.f_lineno))
            return self
        return None


def _traced(run):
    tracer, before = Tracer(), sys.gettrace()
    sys.settrace(tracer)
    try:
        result = run()
        assert sys.gettrace() is tracer
    finally:
        sys.settrace(before)
    return result, [line for line in tracer.lines if line[0] == "_rounds"]


def test_a_debugger_sees_every_line_and_the_loops_are_counted():
    _, alone = _traced(lambda: _rounds(tg.Tensor(sequence(3))))
    graph, recorded = _traced(lambda: tg.record(_rounds, sequence(3)))
    assert len(alone) > 100
    assert recorded == alone
    assert _points(graph) == ROUNDS


def test_a_debugger_may_look_at_calls_alone():
    calls = []

    def tracer(frame, event, argument):
        calls.append(frame.f_code.co_name)

    before = sys.gettrace()
    sys.settrace(tracer)
    try:
        graph = tg.record(_rounds, sequence(3))
    finally:
        sys.settrace(before)
    assert calls.count("_rounds") == 1
    assert _points(graph) == ROUNDS


def test_a_debugger_that_begins_within_a_run_goes_on_after_an_operation():
    def tracer(frame, event, argument):
        calls.append(frame.f_code.co_name)

    def doubled(x):
        return x + x

    def program(x):
        sys.settrace(tracer)
        return doubled(doubled(x)).sum()

    calls = []
    before = sys.gettrace()
    try:
        tg.record(program, sequence(3))
    finally:
        sys.settrace(before)
    assert calls.count("doubled") == 2


def test_coverage_counts_the_lines_and_the_loops_are_counted(tmp_path):
    pytest.importorskip("coverage")
    program = tmp_path / "program.py"
    program.write_text(
        "import numpy as np, tinygrad_rnn as tg\n"
        "W = tg.Parameter(np.eye(3))\n"
        "def model(x):\n"
        "    h = np.zeros(3)\n"
        "    for v in x:\n"
        "        h = np.tanh(h @ W.T + v)\n"
        "    return h.sum()\n"
        "print(tg.record(model, np.ones((5, 3))).fold().lengths)\n"
    )
    coverage = [sys.executable, "-m", "coverage"]
    ran = subprocess.run([*coverage, "run", program], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert ran.stdout == "[5]\n"
    report = subprocess.run([*coverage, "report"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "program.py 8 0 100%" in " ".join(report.stdout.split())


@pytest.mark.parametrize(
    ("loop", "times"),
    [
        ("while n < 5: h = np.tanh(h @ A.T); n += 1", 5),
        ("while (h := np.tanh(h @ A.T)) is not None and n < 5: n += 1", 5),  # once more before the loop
        ("while n < 5: h, n = h * 2, n + 1", 5),
        ("for _ in range(5): h = np.tanh(h @ A.T)", 5),
    ],
)
def test_a_loop_on_one_line_is_counted(loop, times):
    program = compiled(f"A = tg.Parameter(np.eye(3))\ndef program(h):\n    n = 0\n    {loop}\n    return h.sum()")
    circuit = tg.record(program, np.ones(3)).fold()
    assert circuit.lengths == [times]


def test_no_hook_is_left_after_a_run_or_one_that_raises():
    before = _left_over()
    tg.record(_rounds, sequence(2))
    assert _left_over() == before

    def raises(x):
        for x_t in x:
            np.tanh(x_t @ A.T) @ np.ones(5)

    with pytest.raises(ValueError, match="matmul"):
        tg.record(raises, sequence(2))
    assert _left_over() == before


def test_a_record_within_a_record_counts_its_own_loops():
    inner = []

    def model(x):
        h = zero
        for x_t in x:
            inner.append(tg.record(_rounds, sequence(3)))
            h = np.tanh(h @ B.T + x_t)
        return h.sum()

    assert _points(tg.record(model, sequence(6))) == [(t,) for t in range(6)]
    assert [_points(graph) for graph in inner] == [ROUNDS] * 6


def test_threads_that_record_at_once_count_their_own_loops():
    graphs, start = {}, threading.Barrier(4)

    def work(T):
        start.wait()
        graphs[T] = tg.record(_while, sequence(T))

    threads = [threading.Thread(target=work, args=(T,)) for T in (20, 30, 40, 50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {T: len(_points(graph)) for T, graph in graphs.items()} == {T: T for T in (20, 30, 40, 50)}


@pytest.mark.parametrize("T", [0, 1, 2])
def test_a_loop_of_no_step_of_one_or_of_two_folds(T):
    def model(x):
        h = np.tanh(A.sum(axis=0))
        for x_t in x:
            h = np.tanh(h @ A.T + x_t)
        return h.sum()

    graph = tg.record(model, sequence(T))
    assert len(graph.fold().unfold()) == len(graph)
    assert len(graph.backward().fold().unfold()) > len(graph)


def test_twenty_thousand_steps_fold():
    def model(x):
        h = np.zeros(3)
        for x_t in x:
            h = np.tanh(h + x_t)
        return h

    circuit = tg.record(model, np.ones((20_000, 3))).fold()
    assert circuit.lengths == [20_000]
    assert len(circuit.components) < 10
