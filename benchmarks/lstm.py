"""One training step of an LSTM, written as a plain loop over time, beside the same loop in other frameworks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.metadata import version
from statistics import median
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

import tinygrad_rnn as tg

from .measure import Table, paired, times_as_long


class Size(NamedTuple):
    """T steps, B sequences at once, D inputs and as many classes, H hidden units."""

    T: int
    B: int
    D: int
    H: int


SIZES = {"S": Size(32, 16, 32, 64), "M": Size(64, 32, 64, 128), "L": Size(100, 64, 128, 512)}


class Framework(NamedTuple):
    """What frameworks write differently.

    constant    an array as the framework's own
    gates       columns in four equal parts
    train       ``train(loss, arrays)`` makes a function that computes the loss of the arrays, as parameters, and its
                gradients, and returns both
    """

    constant: Callable[[np.ndarray], Any]
    sigmoid: Callable[[Any], Any]
    tanh: Callable[[Any], Any]
    gates: Callable[[Any], Sequence[Any]]
    cross_entropy: Callable[[Any, Any], Any]
    train: Callable[[Callable, list[np.ndarray]], Callable[[], tuple[Any, list]]]


def loss(f: Framework, parameters: Sequence[Any], x: Any, y: Any, h: Any, s: Any) -> Any:
    """Σₜ −log p(y⁽ᵗ⁾) of an LSTM.  x (T, B, D), y (T, B) classes, h and s (B, H).

    The products of all four gates are one: W is (4H, H), U is (4H, D).
    """
    W, U, b, V, c = parameters
    L = 0.0
    for t in range(len(x)):
        i, f_, q, a = f.gates(b + h @ W.T + x[t] @ U.T)
        s = f.sigmoid(f_) * s + f.sigmoid(i) * f.tanh(a)
        h = f.sigmoid(q) * f.tanh(s)
        o = c + h @ V.T
        L = L + f.cross_entropy(o, y[t])
    return L


def step(f: Framework, size: Size) -> Callable[[], tuple[Any, list]]:
    """A function that runs one training step and returns the loss and the gradients of W, U, b, V and c."""
    T, B, D, H = size
    rng = np.random.default_rng(0)
    shapes = (4 * H, H), (4 * H, D), (4 * H,), (D, H), (D,)
    parameters = [(rng.normal(size=shape) / H**0.5).astype(np.float32) for shape in shapes]
    x = f.constant(rng.normal(size=(T, B, D)).astype(np.float32))
    y = f.constant(rng.integers(0, D, (T, B)))
    zero = f.constant(np.zeros((B, H), np.float32))
    return f.train(lambda parameters: loss(f, parameters, x, y, zero, zero), parameters)


# -- the frameworks --------------------------------------------------------------------------------


def _clear(parameter: Any) -> None:
    parameter.grad = None


def _by_backward(parameter: Callable[[np.ndarray], Any], clear: Callable[[Any], Any] = _clear) -> Callable:
    """Training where a parameter is an object, with the gradient as its attribute."""

    def train(loss: Callable, arrays: list[np.ndarray]) -> Callable[[], tuple[Any, list]]:
        parameters = [parameter(array) for array in arrays]

        def run() -> tuple[Any, list]:
            for p in parameters:
                clear(p)
            L = loss(parameters)
            L.backward()
            return L, [p.grad for p in parameters]

        return run

    return train


def _tinygrad_rnn() -> Framework:
    return Framework(
        constant=np.asarray,
        sigmoid=tg.sigmoid,
        tanh=tg.tanh,
        gates=lambda x: tg.split(x, 4, axis=1),
        cross_entropy=tg.cross_entropy,
        train=_by_backward(lambda array: tg.Tensor(array, requires_grad=True)),
    )


def _torch() -> Framework:
    import torch

    torch.set_num_threads(1)
    return Framework(
        constant=torch.tensor,
        sigmoid=torch.sigmoid,
        tanh=torch.tanh,
        gates=lambda x: torch.chunk(x, 4, dim=1),
        cross_entropy=torch.nn.functional.cross_entropy,
        train=_by_backward(lambda array: torch.tensor(array, requires_grad=True)),
    )


def _autograd() -> Framework:
    import autograd.numpy as anp
    from autograd import value_and_grad
    from autograd.extend import defvjp, primitive

    # It has neither of its own (without SciPy): as fast as they can be, each an operation with a derivative by hand.
    @primitive
    def sigmoid(x: Any) -> Any:
        return 1 / (1 + np.exp(-x))

    defvjp(sigmoid, lambda y, x: lambda g: g * (y * (1 - y)))

    @primitive
    def cross_entropy(o: Any, y: Any) -> Any:
        z = o - np.max(o, axis=1, keepdims=True)
        return np.mean(np.log(np.sum(np.exp(z), axis=1)) - z[np.arange(len(y)), y])

    def cross_entropy_rule(_L: Any, o: Any, y: Any) -> Callable[[Any], Any]:
        e = np.exp(o - np.max(o, axis=1, keepdims=True))
        e /= np.sum(e, axis=1, keepdims=True)
        e[np.arange(len(y)), y] -= 1
        return lambda g: g / np.float32(len(y)) * e

    defvjp(cross_entropy, cross_entropy_rule, argnums=(0,))

    return Framework(
        constant=np.asarray,
        sigmoid=sigmoid,
        tanh=anp.tanh,
        gates=lambda x: anp.split(x, 4, axis=1),
        cross_entropy=cross_entropy,
        train=lambda loss, arrays: lambda: value_and_grad(loss)(arrays),
    )


def _mygrad() -> Framework:
    import mygrad
    from mygrad.nnet.activations import sigmoid
    from mygrad.nnet.losses import softmax_crossentropy

    mygrad.turn_memory_guarding_off()  # its documentation's advice for speed

    def gates(x: Any) -> list:
        width = x.shape[1] // 4
        return [x[:, k * width : (k + 1) * width] for k in range(4)]

    return Framework(
        constant=np.asarray,
        sigmoid=sigmoid,
        tanh=mygrad.tanh,
        gates=gates,
        cross_entropy=softmax_crossentropy,
        train=_by_backward(mygrad.tensor, mygrad.Tensor.null_grad),
    )
