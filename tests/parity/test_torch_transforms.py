"""Transforms of nests beside torch.func's."""

from typing import Any, NamedTuple

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn.autodiff.nests import flatten_with_paths, rebuild

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit.script`:DeprecationWarning")  # its forward mode uses that


class State(NamedTuple):
    h: Any
    c: Any


rng = np.random.default_rng(0)
PARAMS = {
    "W": rng.normal(size=(3, 4)),
    "b": rng.normal(size=3),
    "scale": [rng.normal(size=()), rng.normal(size=(1, 3))],
}
STATE = State(rng.normal(size=(2, 4)), (rng.normal(size=(2, 3)),))
ARGS = PARAMS, STATE


def step(params, state, rate=1.0):
    """A nest of values from two nests of arguments, by operators that tensors of both libraries have."""
    a = state.h @ params["W"].T + params["b"] * rate
    c = a * a * state.c[0] + params["scale"][1] / (1 + state.h[:, :3] ** 2)
    return {"state": State(c * params["scale"][0], (c[0],)), "energy": (a**3).sum() * params["scale"][0]}


def loss(params, state, rate=1.0):
    value = step(params, state, rate)
    return value["energy"] + (value["state"].h ** 2).sum() + value["state"].c[0].sum() * params["b"].sum()


def to_torch(nest):
    return rebuild(nest, torch.tensor)


def random_like(nest):
    return rebuild(nest, lambda x: rng.normal(size=tuple(x.shape)))


def same(found, expected):
    found, expected = flatten_with_paths(found), flatten_with_paths(expected)
    assert [path for path, _ in found] == [path for path, _ in expected]
    for (path, f), (_, e) in zip(found, expected, strict=True):
        assert f.shape == tuple(e.shape), path
        np.testing.assert_allclose(f.data, e.detach().numpy(), rtol=1e-11, atol=1e-12, err_msg=path)


@pytest.mark.parametrize("argnums", [0, 1, (0, 1), (1, 0)])
@pytest.mark.parametrize("name", ["grad", "jacobian", "hessian"])
def test_gradients_jacobians_and_hessians_of_nests_are_those_of_torch(name, argnums):
    ours = {"grad": tg.grad, "jacobian": tg.jacobian, "hessian": tg.hessian}[name]
    theirs = {"grad": torch.func.grad, "jacobian": torch.func.jacrev, "hessian": torch.func.hessian}[name]
    function = step if name == "jacobian" else loss
    expected = theirs(function, argnums)(*to_torch(ARGS), 0.5)  # PyTorch's jacrev passes no keywords on
    same(ours(function, argnums)(*ARGS, rate=0.5), expected)


def test_value_and_gradient_of_nests_are_those_of_torch():
    gradient, value = torch.func.grad_and_value(loss)(*to_torch(ARGS))
    same(tg.value_and_grad(loss)(*ARGS), (value, gradient))


def test_products_with_the_jacobian_of_a_nest_are_those_of_torch():
    expected, their_pullback = torch.func.vjp(step, *to_torch(ARGS))
    value, pullback = tg.vjp(step, *ARGS)
    same(value, expected)
    u, v = random_like(value), random_like(ARGS)
    same(pullback(u), their_pullback(to_torch(u)))
    same(tg.jvp(step, ARGS, v), torch.func.jvp(step, to_torch(ARGS), to_torch(v)))


def test_products_with_the_hessian_of_a_nest_are_those_of_torch():
    v = random_like(PARAMS)
    state = to_torch(STATE)
    slope = torch.func.grad(lambda params: loss(params, state))
    _, expected = torch.func.jvp(slope, (to_torch(PARAMS),), (to_torch(v),))
    same(tg.hvp(lambda params: loss(params, rebuild(STATE, tg.Tensor)), PARAMS, v), expected)
