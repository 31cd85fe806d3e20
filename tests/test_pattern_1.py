"""Pattern I against the lecture's equations in plain NumPy (`zoo.bptt`), and what it can learn."""

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn.nn.optimisers import Adam
from zoo.bptt import Weights, mean_over_batch
from zoo.pattern_1 import Pattern1

T, B, INPUTS, HIDDEN, OUTPUTS = 6, 4, 3, 5, 7


@pytest.fixture
def model():
    model = Pattern1(INPUTS, HIDDEN, OUTPUTS, rng=0)
    for p in model.parameters():  # no weight is 0, not even a bias
        p.data = np.random.default_rng(p.size).normal(size=p.shape) / 2
    return model


@pytest.fixture
def batch():
    rng = np.random.default_rng(1)
    return rng.normal(size=(T, B, INPUTS)), rng.integers(OUTPUTS, size=(T, B))


def test_the_loss_and_its_gradients_are_those_of_backpropagation_through_time_by_hand(model, batch):
    L, gradients = mean_over_batch(Weights(*(getattr(model, letter).data for letter in Weights._fields)), *batch)
    loss = model(*batch)
    loss.backward()
    assert loss.item() == pytest.approx(L, rel=1e-14)
    for name, parameter in model.named_parameters():
        np.testing.assert_allclose(parameter.grad.data, getattr(gradients, name), rtol=1e-10, atol=1e-14, err_msg=name)


def test_the_weights_have_the_shapes_of_the_lecture(model):
    shapes = {name: p.shape for name, p in model.named_parameters()}
    assert shapes == {
        "U": (HIDDEN, INPUTS),
        "W": (HIDDEN, HIDDEN),
        "V": (OUTPUTS, HIDDEN),
        "b": (HIDDEN,),
        "c": (OUTPUTS,),
    }


def test_w_starts_orthogonal_and_no_two_weights_start_alike():
    model = Pattern1(HIDDEN, HIDDEN, HIDDEN, rng=0)
    np.testing.assert_allclose(model.W.data @ model.W.data.T, np.eye(HIDDEN), atol=1e-14)
    assert abs(np.corrcoef(model.U.data.ravel(), model.V.data.ravel())[0, 1]) < 0.5


def test_the_same_seed_gives_the_same_weights_and_another_seed_others():
    one, again, other = (Pattern1(3, 4, 5, rng=seed) for seed in (1, 1, 2))
    for name, weight in one.state_dict().items():
        assert (weight == again.state_dict()[name]).all()
        assert name in "bc" or (weight != other.state_dict()[name]).any()


def test_steps_by_hand_give_the_loss_of_the_whole_and_leave_nothing_behind(model, batch):
    x, y = batch
    before = model(x, y).item()
    h, L = model.initial_state(B), 0
    for x_t, y_t in zip(x, y, strict=True):
        o, h = model.step(x_t, h)
        L += tg.cross_entropy(o, y_t).item()
    assert o.shape == (B, OUTPUTS)
    assert h.shape == (B, HIDDEN)
    assert pytest.approx(before, rel=1e-15) == L
    assert model(x, y).item() == before


def test_float32_stays_float32(batch):
    x, y = batch
    model = Pattern1(INPUTS, HIDDEN, OUTPUTS, rng=0, dtype=np.float32)
    L = model(x.astype(np.float32), y)
    L.backward()
    assert {L.dtype, *(p.grad.dtype for p in model.parameters())} == {np.dtype(np.float32)}


def test_its_record_is_named_as_in_the_book_and_replays_to_the_same_bits(model, batch):
    graph = tg.record(model, *batch)
    names = [step.name for step in graph.steps]
    assert [step.name for step in graph.inputs] == ["x", "y"]
    assert {step.name for step in graph.parameters} == {"U", "W", "V", "b", "c"}
    assert (names.count("h"), names.count("o"), names.count("L")) == (1 + T, T, T)  # the first h is the initial state
    assert "a" not in names  # figure 10.3 goes from x to h
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(T, B, INPUTS)), rng.integers(OUTPUTS, size=(T, B))
    assert graph.replay(x, y).item() == model(x, y).item()


def test_it_remembers_the_bit_before_which_its_present_input_does_not_tell():
    """yₜ = xₜ₋₁ for fair bits: ln 2 = 0.693 nats a step without memory, 0 with."""
    rng = np.random.default_rng(0)
    model = Pattern1(1, 16, 2, rng=rng, dtype=np.float32)
    optimiser = Adam(model.parameters(), lr=0.01)
    for _ in range(150):
        bits = rng.integers(2, size=(21, 64))
        optimiser.zero_grad()
        loss = model(bits[1:, :, None].astype(np.float32), bits[:-1]) / 20
        loss.backward()
        optimiser.step()
    first_is_a_guess = np.log(2) / 20
    assert loss.item() < first_is_a_guess + 0.01


def test_sequences_of_different_length_and_labels_out_of_range_are_errors(model, batch):
    x, y = batch
    with pytest.raises(tg.ShapeError, match=r"must have the same T and B: x is \(6, 4, 3\), y \(5, 4\)"):
        model(x, y[:-1])
    with pytest.raises(IndexError, match=r"label 7 at .* is not in \[0, 7\)"):
        model(x, np.full_like(y, OUTPUTS))
    with pytest.raises(tg.ShapeError, match=r"2 ≠ 3   x @ self\.U\.T"):
        model(x[:, :, :2], y)
