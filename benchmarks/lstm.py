"""One training step of an LSTM, written as a plain loop over time, beside the same loop in other frameworks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from statistics import median
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

import tinygrad_rnn as tg

from .measure import Table, paired, ratio


class Size(NamedTuple):
    """T steps, B sequences at once, D inputs and as many classes, H hidden units."""

    T: int
    B: int
    D: int
    H: int


SIZES = {"S": Size(32, 16, 32, 64), "M": Size(64, 32, 64, 128), "L": Size(100, 64, 128, 512)}
ROUNDS = {"S": 25, "M": 15, "L": 7}


class Framework(NamedTuple):
    """What is written differently from framework to framework; the model is the same code in all.

    constant  makes an array the framework's own
    gates     gives the columns in four equal parts
    train     ``train(loss, arrays)`` makes a function that takes a training step without the optimiser: it returns
              ``loss(parameters)`` and its gradients, where the parameters start as the arrays
    """

    constant: Callable[[np.ndarray], Any]
    sigmoid: Callable[[Any], Any]
    tanh: Callable[[Any], Any]
    gates: Callable[[Any], Sequence[Any]]
    cross_entropy: Callable[[Any, Any], Any]
    train: Callable[[Callable, list[np.ndarray]], Callable[[], tuple[Any, list]]]


def loss(f: Framework, parameters: Sequence[Any], x: Any, y: Any, h: Any, s: Any) -> Any:
    """Σₜ −log ŷ⁽ᵗ⁾ of the class y⁽ᵗ⁾.  x (T, B, D), y (T, B), h and s (B, H)

    The products for the three gates and the input are packed into one: W is (4H, H), U is (4H, D).
    """
    W, U, b, V, c = parameters
    L = 0.0
    for t in range(len(x)):
        i, r, q, a = f.gates(b + h @ W.T + x[t] @ U.T)
        s = f.sigmoid(r) * s + f.sigmoid(i) * f.tanh(a)
        h = f.sigmoid(q) * f.tanh(s)
        o = c + h @ V.T
        L = L + f.cross_entropy(o, y[t])
    return L


def step(f: Framework, size: Size) -> Callable[[], tuple[Any, list]]:
    """A function that takes one training step: it returns the loss and the gradients of W, U, b, V and c."""
    T, B, D, H = size
    rng = np.random.default_rng(0)
    shapes = (4 * H, H), (4 * H, D), (4 * H,), (D, H), (D,)
    arrays = [(rng.normal(size=shape) / H**0.5).astype(np.float32) for shape in shapes]
    x = f.constant(rng.normal(size=(T, B, D)).astype(np.float32))
    y = f.constant(rng.integers(0, D, (T, B)))
    zero = f.constant(np.zeros((B, H), np.float32))
    return f.train(lambda parameters: loss(f, parameters, x, y, zero, zero), arrays)


def run(sizes: Mapping[str, Size] = SIZES, rounds: Mapping[str, int] = ROUNDS) -> Table:
    """Time all frameworks that are installed. Raises AssertionError if they do not compute the same gradients."""
    found, missing = installed()
    table = Table("One LSTM training step: loss and gradients, float32", ["size", "framework", "ms", "times ours"])
    with tqdm(total=len(sizes) * len(found), desc="lstm", leave=False) as bar:
        for label, size in sizes.items():
            ours = step(tinygrad_rnn(), size)
            timings, rows = [], []
            for name, framework in found.items():
                bar.set_postfix_str(f"{label}, {name}")
                peer = step(framework, size)
                check_agreement(ours(), peer(), name)
                mine, theirs = paired([ours, peer], rounds[label])
                timings += mine
                rows.append([label, name, median(theirs) * 1e3, ratio(theirs, mine)])
                bar.update()
            timings = timings or paired([ours], rounds[label])[0]
            table.rows += [[label, "tinygrad_rnn", median(timings) * 1e3, 1.0], *rows]
    table.notes += [f"{label}: T {size.T}, B {size.B}, D {size.D}, H {size.H}" for label, size in sizes.items()]
    table.notes.append("times ours: how many times as long it takes, the median over pairs of runs in turn, one thread")
    table.notes.append("aim: PyTorch at least 1 at S, M and L; autograd and MyGrad at least 2 at S and M")
    table.notes += [f"{name} is not installed: not compared" for name in missing]
    return table


def check_agreement(ours: tuple[Any, list], peer: tuple[Any, list], name: str) -> None:
    """Raise AssertionError unless loss and gradients are the same, up to the rounding of float32."""
    for what, a, b in zip("LWUbVc", [ours[0].item(), *ours[1]], [peer[0].item(), *peer[1]], strict=True):
        a, b = np.asarray(a), np.asarray(b)
        error = np.abs(a - b).max() / np.abs(b).max()
        assert error < 1e-4, f"{name} and tinygrad_rnn differ by {error:.1e} of the largest in ∂L/∂{what}"


# -- the frameworks --------------------------------------------------------------------------------


def installed() -> tuple[dict[str, Framework], list[str]]:
    """The peers that can be imported, under name and version; the names of the others."""
    found: dict[str, Framework] = {}
    missing = []
    for name, package, variants in (
        ("PyTorch", "torch", {"": torch}),
        ("autograd", "autograd", {"": autograd, ", rules by hand": autograd_by_hand}),
        ("MyGrad", "mygrad", {"": mygrad}),
    ):
        try:
            found |= {f"{name} {version(package)}{how}": make() for how, make in variants.items()}
        except ImportError:  # a PackageNotFoundError is one too
            missing.append(name)
    return found, missing


def _clear(parameter: Any) -> None:
    parameter.grad = None


def _by_backward(parameter: Callable[[np.ndarray], Any], clear: Callable[[Any], Any] = _clear) -> Callable:
    """`train` where a parameter is an object that has its gradient as an attribute."""

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


def tinygrad_rnn() -> Framework:
    return Framework(
        constant=np.asarray,
        sigmoid=tg.sigmoid,
        tanh=tg.tanh,
        gates=lambda x: tg.split(x, 4, axis=1),
        cross_entropy=tg.cross_entropy,
        train=_by_backward(tg.Parameter),
    )


def torch() -> Framework:
    import torch

    torch.set_num_threads(1)
    return Framework(
        constant=torch.tensor,
        sigmoid=torch.sigmoid,
        tanh=torch.tanh,
        gates=lambda x: torch.chunk(x, 4, dim=1),  # faster than torch.split
        cross_entropy=torch.nn.functional.cross_entropy,
        train=_by_backward(lambda array: torch.tensor(array, requires_grad=True)),
    )


def autograd() -> Framework:
    """It has neither σ nor a cross-entropy: here they are written in its operations, as in its own examples."""
    import autograd.numpy as anp
    from autograd import value_and_grad

    def cross_entropy(o: Any, y: Any) -> Any:
        z = o - anp.max(o, axis=1, keepdims=True)
        return anp.mean(anp.log(anp.sum(anp.exp(z), axis=1)) - z[np.arange(len(y)), y])

    return Framework(
        constant=np.asarray,
        sigmoid=lambda x: 0.5 * (anp.tanh(0.5 * x) + 1),
        tanh=anp.tanh,
        gates=lambda x: anp.split(x, 4, axis=1),
        cross_entropy=cross_entropy,
        train=lambda loss, arrays: lambda: value_and_grad(loss)(arrays),
    )


def autograd_by_hand() -> Framework:
    """σ and the cross-entropy as operations of their own: as fast as it can be."""
    from autograd.extend import defvjp, primitive

    @primitive
    def sigmoid(x: Any) -> Any:
        return 1 / (1 + np.exp(-x))

    @primitive
    def cross_entropy(o: Any, y: Any) -> Any:
        z = o - np.max(o, axis=1, keepdims=True)
        return np.mean(np.log(np.sum(np.exp(z), axis=1)) - z[np.arange(len(y)), y])

    def cross_entropy_rule(_L: Any, o: Any, y: Any) -> Callable[[Any], Any]:
        e = np.exp(o - np.max(o, axis=1, keepdims=True))
        e /= np.sum(e, axis=1, keepdims=True)
        e[np.arange(len(y)), y] -= 1
        return lambda g: g / len(y) * e

    defvjp(sigmoid, lambda y, x: lambda g: g * (y * (1 - y)))
    defvjp(cross_entropy, cross_entropy_rule, argnums=(0,))
    return autograd()._replace(sigmoid=sigmoid, cross_entropy=cross_entropy)


def mygrad() -> Framework:
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
