"""A user's own program passes a strict type check, and a wrong one does not."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROGRAM = """
import numpy as np

import tinygrad_rnn as tg


class Cell(tg.Module):
    def __init__(self, inputs: int, hidden: int) -> None:
        rng = np.random.default_rng(0)
        self.W = tg.Parameter(rng.normal(size=(hidden, hidden)))
        self.U = tg.Parameter(rng.normal(size=(hidden, inputs)))
        self.out = tg.Linear(hidden, 1, rng=rng)

    def forward(self, x: np.ndarray, h: tg.Tensor) -> tg.Tensor:
        h = np.tanh(h @ self.W.T + x @ self.U.T)
        gate = tg.sigmoid(h) * np.exp(-abs(h)) / (1 + h**2)
        return tg.stack([gate, tg.relu(h)])[0].reshape(-1, h.shape[-1])


def loss(cell: Cell, x: np.ndarray) -> tg.Tensor:
    h = tg.Tensor(np.zeros((1, 3)))
    for x_t in x:
        h = cell(x_t, h)
    masked = tg.where((h > 0) & ~(h == 1), h, 0.0)
    return (masked.sum(axis=1) - 1).mean() + h.T.max()


cell = Cell(2, 3)
optimiser = tg.Adam(cell.parameters(), lr=0.01)
x = np.ones((4, 1, 2))
value: tg.Tensor = loss(cell, x)
value.backward()
assert cell.W.grad is not None
gradient: np.ndarray = cell.W.grad.data
optimiser.step()
with tg.no_grad():
    number: float = value.item()
graph: tg.Graph = tg.record(lambda x: loss(cell, x), x)
circuit: tg.Circuit = graph.fold()


@tg.no_grad()
def evaluate(x: np.ndarray) -> float:
    return float(loss(cell, x))


print(tg.grad(lambda p: (p["w"] ** 2).sum())({"w": x}), tg.__version__, evaluate(x) + number, circuit, gradient)
"""


def check(folder, program):
    """The lines that a strict type check of a program outside the checkout prints."""
    file = folder / "program.py"
    file.write_text(program, encoding="utf-8")
    command = [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", "--no-error-summary", str(file)]
    cache = ["--cache-dir", str(ROOT / ".mypy_cache" / "users")]
    environment = os.environ | {"MYPYPATH": str(ROOT)}
    done = subprocess.run(command + cache, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    return [line.partition("program.py:")[2] for line in (done.stdout + done.stderr).splitlines()]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("user")


def test_a_users_program_is_clean_under_strict_mypy_and_runs(folder):
    assert check(folder, PROGRAM) == []
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "program.py"], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_strict_mypy_finds_what_is_wrong(folder):
    program = "import tinygrad_rnn as tg\ntg.tanhh\ntg.Tensor([1.0]).summ()\ntg.Parameter([1.0]).sum().backwards()\n"
    found = check(folder, program)
    assert [line.split(":")[0] for line in found] == ["2", "3", "4"]
