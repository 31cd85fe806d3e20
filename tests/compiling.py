"""What the tests of compiled programs share: the engine's results, and how near to them a program has to come."""

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn.autodiff.nests import flatten
from tinygrad_rnn.autodiff.reverse import ancestors


def parameters(output):
    """The parameters that a result was computed from."""
    nodes = ancestors(output.node) if output.requires_grad else []
    found = [node.tensor() for node in nodes if node.tensor is not None]
    return [tensor for tensor in found if tensor is not None]


def by_engine(model, *arguments):
    """The loss and the gradients of all parameters, those in any order; or what a model without a loss gives."""
    returned = model(*arguments)
    if not isinstance(returned, tg.Tensor) or returned.shape or not returned.requires_grad:
        return [x.data for x in flatten(returned)]
    weights = parameters(returned)
    for p in weights:
        p.grad = None
    returned.backward()
    return [returned.data, *sorted((p.grad.data for p in weights), key=_size)]


def by_program(step, *arguments):
    result = step(*arguments)
    if isinstance(result, tuple) and isinstance(result[1], dict):
        return [result[0], *sorted(result[1].values(), key=_size)]
    return flatten(result)


def _size(array):
    return array.shape, round(float(np.abs(array).sum()), 9)


def agree(found, wanted):
    """Assert that they are the same up to rounding: 1e-10 of the largest number in each, 1e-4 in float32."""
    assert len(found) == len(wanted)
    largest = max((np.abs(b).max(initial=0) for b in wanted), default=0)
    for a, b in zip(found, wanted, strict=True):
        assert (a.shape, a.dtype) == (b.shape, b.dtype)
        tolerance = 1e-10 if b.dtype == np.float64 else 1e-4
        np.testing.assert_allclose(a, b, rtol=0, atol=tolerance * max(np.abs(b).max(initial=0), 1e-6 * largest))
