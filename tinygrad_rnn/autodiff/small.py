"""The whole idea of the engine: a tensor, eight operations with their derivatives, and backward.

    W = Tensor([[0.5]])
    h = tanh(Tensor([[1.0]]) @ W)
    sum(h * h).backward()
    W.grad                              # ∂(h²)/∂W

This file needs NumPy alone. It computes what the full engine computes: tests/test_small.py trains the lecture's first
design pattern with both and compares all gradients. What the full engine adds, and where, is listed at the end.
"""

from itertools import count

import numpy as np

number = count().__next__  # number() is 0, then 1, then 2, …


class Tensor:
    """An array that remembers how it was made: the tensors it was computed from, and a rule for each of them.

    The rule for an input x turns g = ∂L/∂self into the part of ∂L/∂x that comes through self. L is the result whose
    backward is running.
    """

    def __init__(self, value, inputs=(), rules=()):
        self.value = np.asarray(value, dtype=float)
        self.inputs, self.rules = inputs, rules
        self.order = number()  # a tensor is made after its inputs, so it has a higher number
        self.grad = None

    def backward(self):
        """Compute ∂self/∂x as `x.grad` for every tensor x that self was computed from."""
        tensors = [self]
        for y in tensors:  # the list grows while it is walked
            tensors += [x for x in dict.fromkeys(y.inputs) if x not in tensors]  # x * x has x twice
        for x in tensors:
            x.grad = np.zeros(x.value.shape)
        self.grad = np.ones(self.value.shape)
        for y in sorted(tensors, key=lambda tensor: tensor.order, reverse=True):
            for x, rule in zip(y.inputs, y.rules, strict=True):
                x.grad = x.grad + summed(rule(y.grad), x.value.shape)

    def __add__(self, b):
        return Tensor(self.value + b.value, (self, b), (lambda g: g, lambda g: g))

    def __mul__(self, b):
        return Tensor(self.value * b.value, (self, b), (lambda g: g * b.value, lambda g: g * self.value))

    def __matmul__(self, b):
        assert self.value.ndim == b.value.ndim == 2, "matrices only: write a vector as a matrix of one row or column"
        return Tensor(self.value @ b.value, (self, b), (lambda g: g @ b.value.T, lambda g: self.value.T @ g))

    @property
    def T(self):
        return Tensor(self.value.T, (self,), (lambda g: g.T,))


def summed(g, shape):
    """g summed to `shape`: where NumPy repeated an input to fit the other one, the gradients of all copies add up.

    axis=() sums over nothing.
    """
    g = g.sum(axis=tuple(range(g.ndim - len(shape))))
    return g.sum(axis=tuple(i for i, n in enumerate(shape) if n == 1), keepdims=True)


def tanh(a):
    y = np.tanh(a.value)
    return Tensor(y, (a,), (lambda g: g * (1 - y * y),))


def exp(a):
    y = np.exp(a.value)
    return Tensor(y, (a,), (lambda g: g * y,))


def log(a):
    return Tensor(np.log(a.value), (a,), (lambda g: g / a.value,))


def sum(a, axis=None):  # a summed axis stays, with length 1
    return Tensor(a.value.sum(axis=axis, keepdims=True), (a,), (lambda g: np.broadcast_to(g, a.value.shape),))


# What the full engine adds, and why:
#   reverse.py          constants get no gradient; gradients are added in place; nodes are found in linear time
#   tensor.py           gradients add up over calls; nobody can change a tensor's array; derivatives of derivatives
#   operation.py        one entry an operation, so that errors, recording and broadcasting are written once for all
#   operations/         over a hundred operations under NumPy's names, exact at 0, at ties and at infinity
#   numpy_protocol.py   np.tanh(tensor); mode.py, anomaly.py: no_grad, and who made the first NaN
#   transforms.py       gradients, Jacobians and Hessians of functions; gradcheck.py: are the gradients right?
