"""The engine on two pages, small.py, computes what the full engine computes."""

import inspect

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn.autodiff import small
from zoo.pattern_1 import Pattern1

T, B, SYMBOLS, HIDDEN = 6, 8, 3, 7


def task(seed):
    """Say again what came two steps before: x (T, B, SYMBOLS) one-hot, labels y (T, B)."""
    symbols = np.random.default_rng(seed).integers(0, SYMBOLS, (T, B))
    return np.eye(SYMBOLS)[symbols], np.roll(symbols, 2, axis=0)


def loss(weights, x, y):
    """Pattern I as in zoo/pattern_1.py, in the eight operations of small.py."""
    U, W, V, b, c = weights
    h = small.Tensor(np.zeros((B, HIDDEN)))
    L = small.Tensor(0.0)
    for x_t, y_t in zip(x, y, strict=True):
        h = small.tanh(b + h @ W.T + small.Tensor(x_t) @ U.T)
        o = c + h @ V.T
        picked = small.sum(o * small.Tensor(np.eye(SYMBOLS)[y_t]))
        L = L + small.sum(small.log(small.sum(small.exp(o), axis=1))) + picked * small.Tensor(-1.0)
    return small.sum(L * small.Tensor(1 / B))


def test_small_is_at_most_a_hundred_lines_and_imports_only_numpy():
    source = inspect.getsource(small)
    assert len(source.splitlines()) <= 100
    imports = [line for line in source.splitlines() if line.startswith(("import", "from"))]
    assert imports == ["from itertools import count", "import numpy as np"]


def test_its_gradients_are_those_of_the_full_engine_all_along_a_training_that_learns_the_task():
    model = Pattern1(SYMBOLS, HIDDEN, SYMBOLS, rng=0)
    parameters = model.parameters()
    losses = []
    for step in range(400):
        x, y = task(step)
        weights = [small.Tensor(p.data) for p in parameters]
        L = loss(weights, x, y)
        L.backward()
        for p in parameters:
            p.grad = None
        full = model(x, y)
        full.backward()
        np.testing.assert_allclose(L.value.item(), full.item(), rtol=1e-12)
        for ours, p in zip(weights, parameters, strict=True):
            np.testing.assert_allclose(ours.grad, p.grad.data, rtol=0, atol=1e-12 * np.abs(p.grad.data).max())
            p.data = p.data - 0.3 * ours.grad
        losses.append(full.item() / T)
    chance = np.log(SYMBOLS)
    assert losses[0] > 0.9 * chance
    assert np.mean(losses[-20:]) < 0.6 * chance  # the first two of six steps cannot be known: at best a third of it


def test_a_tensor_used_twice_gets_the_sum_and_sixty_doublings_are_exact():
    x = small.Tensor(1.0)
    y = x
    for _ in range(60):
        y = y + y
    y.backward()
    assert x.grad == 2.0**60


def test_each_operation_agrees_with_the_full_engine_under_broadcasting():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(4, 3)), rng.normal(size=(1, 3))
    programs = [
        lambda m, x, y: m.sum(x + y),
        lambda m, x, y: m.sum(x * y),
        lambda m, x, y: m.sum(m.tanh(x @ y.T)),
        lambda m, x, y: m.sum(m.exp(x) * m.log(m.exp(y))),
    ]
    for program in programs:
        ours = [small.Tensor(a), small.Tensor(b)]
        full = [tg.Parameter(a), tg.Parameter(b)]
        program(small, *ours).backward()
        program(tg, *full).backward()
        for mine, theirs in zip(ours, full, strict=True):
            np.testing.assert_allclose(mine.grad, theirs.grad.data, rtol=1e-12)
