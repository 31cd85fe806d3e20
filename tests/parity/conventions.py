"""PyTorch's operations with NumPy's arguments and with our conventions.

PyTorch and this engine choose differently at some infinities, zeros and NaN. Each function here encodes one such choice
and says which; everywhere else its values and gradients are PyTorch's own.
"""

from functools import reduce

import numpy as np
import pytest

torch = pytest.importorskip("torch")
F = torch.nn.functional
inf, nan = float("inf"), float("nan")


def hooked(f, *rules):
    """f with another gradient: rule(g, d, y, x) for the gradient g of the result y and PyTorch's gradient d of x."""

    def h(*inputs):
        inputs = [x.clone() for x in torch.broadcast_tensors(*inputs)]
        y, arriving = f(*inputs), []
        if y.requires_grad:
            y.register_hook(arriving.append)
        for x in inputs:
            for rule in rules if x.requires_grad else ():
                x.register_hook(lambda d, x=x, rule=rule: rule(arriving[-1], d, y, x))
        return y

    return h


def unfelt(g, d, _y, _x):
    """0 · ∞ is 0, so that a branch not taken by `where` has no influence; in PyTorch it is NaN."""
    return torch.where((g == 0) & d.isnan(), 0, d)


def scaled(g, d, _y, _x):
    """∞ · 0 is NaN, because our gradient is g times the slope; PyTorch masks g where the slope is 0."""
    return torch.where((d == 0) & ~g.isfinite(), nan, d)


def flat(g, d, y, _x):
    """At NaN the slope of a function with a kink is 0; PyTorch's is 1 for relu, maximum and minimum."""
    return torch.where(y.isnan(), 0 * g, d)


def felt(f):
    return hooked(f, unfelt)


def kinked(f):
    return hooked(f, scaled, flat)


def over(f, a, axis, keepdims=False, *rules, **options):
    """A reduction over NumPy's axes: None means all axes and () none; in PyTorch both mean all."""
    dims = tuple(range(a.ndim)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    if axis == ():
        a, dims, keepdims = a.unsqueeze(-1), (-1,), False
    y = hooked(lambda a: f(a, dims, keepdim=True, **options), *rules)(a)
    return y if keepdims or not a.ndim else y.squeeze(dims)


def prod(a, dims, keepdim):
    for d in sorted((d % a.ndim for d in dims), reverse=True):
        if a.abs().clamp(min=1).prod(d).isfinite().all():
            a = a.prod(d, keepdim)
        else:  # PyTorch divides the product by each element, and ∞ / ∞ is NaN
            a = reduce(torch.multiply, a.split(1, d)) if a.shape[d] else a.prod(d, keepdim)
    return a


def std(a, dims, keepdim, correction):
    """Equal elements have gradient 0, even if they are infinite; in PyTorch that is NaN."""
    constant = a.amax(dims, keepdim=True) == a.amin(dims, keepdim=True)
    f = lambda a: torch.std(a, dims, correction=correction, keepdim=keepdim)
    rule = lambda g, d, y, x: torch.where(constant, 0 * g, d)
    return overflowing(hooked(f, rule), a, torch.var(a, dims, correction=correction, keepdim=keepdim))


def norm(a, dims, keepdim):
    f = hooked(lambda a: torch.linalg.vector_norm(a, dim=dims, keepdim=keepdim), scaled)
    return overflowing(f, a, torch.sum(a * a, dims, keepdim=keepdim))


def overflowing(f, a, squares):
    """√ of `squares`, which is ∞ if they overflow; PyTorch sums them in float64, and takes |x| of a single element."""
    over = squares.isinf()
    g = lambda a: torch.where(over, squares.detach(), f(a))
    return hooked(g, lambda g, d, y, x: torch.where(over & x.isfinite(), 0 * g, d))(a)


def read(a, how):
    """Index `a` as NumPy does: apply `how` to the array of positions, then gather."""
    return a.reshape(-1)[torch.as_tensor(how(np.arange(a.numel()).reshape(a.shape)).copy())]


def pad(a, widths, value):
    pairs = np.broadcast_to(widths, (a.ndim, 2))
    return F.pad(a, pairs[::-1].ravel().tolist(), value=value)


def power(a, b):
    """aᵇ. Its slope in b is 0 at a = 0; in PyTorch only for b ≥ 0."""
    a, b = torch.broadcast_tensors(a, b)
    of_b = lambda a: hooked(lambda b: a**b, unfelt, scaled, lambda g, d, y, x: torch.where(a == 0, 0 * g, d))(b)
    return hooked(of_b, unfelt, scaled)(a)


def undefined(_g, d, y, _x):
    """Where the value is NaN the slope is NaN; PyTorch has 0 for |x|, and for arccosh what the formula gives."""
    return torch.where(y.isnan(), nan, d)


def absolute(a):
    return hooked(torch.abs, undefined)(a)


def arccosh(a):
    return hooked(lambda a: felt(torch.arccosh)(a), lambda g, d, y, x: torch.where(g == 0, d, undefined(g, d, y, x)))(a)


def sign(a):
    """A constant, and NaN at NaN; PyTorch gives 0 there, and a gradient of 0 that can meet ∞ further back."""
    return torch.where(a.isnan(), nan, torch.sign(a)).detach()


def softplus(a):
    return F.softplus(a, threshold=50)


def logaddexp(a, b):
    """Both slopes are ½ where a and b are the same infinity; PyTorch's are NaN."""
    return hooked(torch.logaddexp, lambda g, d, y, x: torch.where((a == b) & a.isinf(), g / 2, d))(a, b)


def reduced_to(losses, reduction):
    return losses if reduction == "none" else getattr(losses, reduction)()


def cross_entropy(a, labels, weights, ignore_index, reduction):
    """The gradient is g · (ŷ − y), not g · ŷ − g · y, and for an ignored label 0 even if the logits are NaN."""
    labels, ignored = torch.tensor(labels), -100 if ignore_index is None else ignore_index

    def f(a):
        a = a.movedim(-1, 1) if a.ndim > 1 else a  # PyTorch wants the classes second
        weight = None if weights is None else torch.tensor(weights, dtype=a.dtype)
        return F.cross_entropy(a, labels, weight, ignore_index=ignored, reduction=reduction)

    def rule(g, d, _y, x):
        g, out = g.unsqueeze(-1), (labels == ignored).unsqueeze(-1)
        error = torch.softmax(x, -1) - F.one_hot(labels.where(labels != ignored, 0), x.shape[-1])
        return torch.where(out, 0 * g, torch.where(g.isfinite(), d, g * error))

    return hooked(f, rule)(a)


def mse(a, b, reduction):
    return reduced_to(felt(lambda a, b: F.mse_loss(a, b, reduction="none"))(a, b), reduction)


def binary_cross_entropy(a, b, reduction):
    """ζ(o) − t o. PyTorch computes (1 − t) o − log σ(o), which is NaN at other infinities."""
    finite = a.isfinite() & b.isfinite()
    usual = lambda a: F.binary_cross_entropy_with_logits(a, b.where(finite, 0), reduction="none")
    rule = lambda g, d, y, x: torch.where(g.isfinite(), d, g * torch.sigmoid(x) - g * b)
    o, t = a.where(~finite, 0), b.where(~finite, 0)
    return reduced_to(torch.where(finite, hooked(usual, rule)(a.where(finite, 0)), softplus(o) - t * o), reduction)
