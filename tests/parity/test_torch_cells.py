"""The cells that PyTorch has too: outputs, states and gradients with the same weights, in float64."""

from functools import partial

import numpy as np
import pytest

import tinygrad_rnn as tg
from zoo.gru import ResetAfterGRUCell
from zoo.lstm import BiasedLSTMCell
from zoo.rnn import RNNCell
from zoo.sequence import run

torch = pytest.importorskip("torch")

T, B, D, H = 7, 3, 4, 5
GATES = {
    "rnn": (RNNCell, torch.nn.RNN, [""]),
    "rnn with relu": (partial(RNNCell, nonlinearity="relu"), partial(torch.nn.RNN, nonlinearity="relu"), [""]),
    "lstm": (BiasedLSTMCell, torch.nn.LSTM, ["g", "f", "", "o"]),
    "gru": (ResetAfterGRUCell, torch.nn.GRU, ["r", "u", ""]),
}


@pytest.mark.parametrize("name", GATES)
def test_values_and_gradients_are_pytorchs(name):
    kind, theirs, gates = GATES[name]
    cell = kind(D, H, rng=0)
    for i, p in enumerate(cell.parameters()):
        p.data = np.random.default_rng(i).normal(size=p.shape) / 2

    def stacked(letter, of):
        return np.concatenate([of(getattr(cell, letter + gate)) for gate in gates])

    layer = theirs(D, H, dtype=torch.float64)
    in_bias = np.zeros(H * (len(gates) - 1))
    with torch.no_grad():
        layer.weight_ih_l0.copy_(torch.tensor(stacked("U", lambda p: p.data)))
        layer.weight_hh_l0.copy_(torch.tensor(stacked("W", lambda p: p.data)))
        layer.bias_ih_l0.copy_(torch.tensor(stacked("b", lambda p: p.data)))
        layer.bias_hh_l0.copy_(torch.tensor(np.concatenate([in_bias, cell.d.data if name == "gru" else np.zeros(H)])))

    x = np.random.default_rng(9).normal(size=(T, B, D))
    ours_x, theirs_x = tg.Tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    y, state = run(cell, ours_x)
    y = tg.stack(y)
    tg.sum(y * y).backward()
    their_y, their_state = layer(theirs_x)
    (their_y * their_y).sum().backward()

    np.testing.assert_allclose(y.data, their_y.detach().numpy(), rtol=1e-12)
    for part, their_part in zip(
        state if name == "lstm" else [state], their_state if name == "lstm" else [their_state], strict=True
    ):
        np.testing.assert_allclose(part.data, their_part[0].detach().numpy(), rtol=1e-12)
    np.testing.assert_allclose(ours_x.grad.data, theirs_x.grad.numpy(), rtol=1e-10, atol=1e-14)
    for letter, their_weight in ("U", layer.weight_ih_l0), ("W", layer.weight_hh_l0), ("b", layer.bias_ih_l0):
        np.testing.assert_allclose(
            stacked(letter, lambda p: p.grad.data), their_weight.grad.numpy(), rtol=1e-10, atol=1e-14, err_msg=letter
        )
