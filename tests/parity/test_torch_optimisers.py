"""Optimisers and clipping take PyTorch's steps."""

import numpy as np
import pytest

from tinygrad_rnn import Tensor
from tinygrad_rnn.nn.modules import Parameter
from tinygrad_rnn.nn.optimisers import SGD, Adam, AdamW, RMSProp, clip_grad_norm, clip_grad_value

torch = pytest.importorskip("torch")

SHAPES = [(4, 3), (5,), (), (2, 3, 2)]

PAIRS = {
    "SGD": (lambda p: SGD(p, lr=0.1), lambda p: torch.optim.SGD(p, lr=0.1)),
    "weight decay": (
        lambda p: SGD(p, lr=0.1, weight_decay=0.2),
        lambda p: torch.optim.SGD(p, lr=0.1, weight_decay=0.2),
    ),
    "momentum": (
        lambda p: SGD(p, lr=0.1, momentum=0.8, weight_decay=0.1),
        lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.8, weight_decay=0.1),
    ),
    "Nesterov": (
        lambda p: SGD(p, lr=0.1, momentum=0.8, weight_decay=0.1, nesterov=True),
        lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.8, weight_decay=0.1, nesterov=True),
    ),
    "RMSProp": (
        lambda p: RMSProp(p, lr=0.1, rho=0.9, eps=1e-3),
        lambda p: torch.optim.RMSprop(p, lr=0.1, alpha=0.9, eps=1e-3),
    ),
    "Adam": (
        lambda p: Adam(p, lr=0.1, beta1=0.8, beta2=0.95, eps=1e-3),
        lambda p: torch.optim.Adam(p, lr=0.1, betas=(0.8, 0.95), eps=1e-3),
    ),
    "AdamW": (
        lambda p: AdamW(p, lr=0.1, beta1=0.8, beta2=0.95, eps=1e-3, weight_decay=0.1),
        lambda p: torch.optim.AdamW(p, lr=0.1, betas=(0.8, 0.95), eps=1e-3, weight_decay=0.1),
    ),
    "RMSProp as it comes": (RMSProp, torch.optim.RMSprop),
    "Adam as it comes": (Adam, torch.optim.Adam),
    "AdamW as it comes": (AdamW, torch.optim.AdamW),
}


def pairs(dtype):
    """The same parameters here and there."""
    arrays = [np.random.default_rng(i).normal(size=shape).astype(dtype) for i, shape in enumerate(SHAPES)]
    return [Parameter(a) for a in arrays], [torch.tensor(a, requires_grad=True) for a in arrays]


def set_gradients(ours, theirs, rng, missing=0.0):
    for p, q in zip(ours, theirs, strict=True):
        g = np.asarray(rng.normal(size=p.shape), p.dtype)
        p.grad, q.grad = (None, None) if rng.random() < missing else (Tensor(g), torch.tensor(g))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("pair", PAIRS.values(), ids=PAIRS)
def test_fifty_steps_of_which_parameters_miss_some_agree(pair, dtype):
    rng = np.random.default_rng(0)
    ours, theirs = pairs(dtype)
    optimiser, reference = pair[0](ours), pair[1](theirs)
    for _ in range(50):
        set_gradients(ours, theirs, rng, missing=0.2)
        optimiser.step()
        reference.step()
    tolerance = 1e-12 if dtype == np.float64 else 2e-5
    for p, q in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(p.data, q.detach().numpy(), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("bound", [0.1, 100])
def test_clipping_agrees(dtype, bound):
    """PyTorch adds 1e-6 to the norm it divides by."""
    for clip, reference in (
        (clip_grad_norm, torch.nn.utils.clip_grad_norm_),
        (clip_grad_value, torch.nn.utils.clip_grad_value_),
    ):
        ours, theirs = pairs(dtype)
        set_gradients(ours, theirs, np.random.default_rng(0))
        before = float(torch.nn.utils.get_total_norm([q.grad for q in theirs]))
        reference(theirs, bound)
        assert clip(ours, bound) == pytest.approx(before, rel=1e-6)
        for p, q in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(p.grad.data, q.grad.numpy(), rtol=2e-6)
