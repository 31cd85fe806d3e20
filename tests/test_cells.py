"""Leaky units, skips, LSTM, GRU, deep cells: against plain loops in NumPy, and by what tells them apart."""

import numpy as np
import pytest

import tinygrad_rnn as tg
from zoo.deep import DeepSkipCell, DeepStatesCell, DeepTransitionCell
from zoo.gru import GRUCell, ResetAfterGRUCell
from zoo.leaky import LeakyCell, LearnedLeakyCell
from zoo.lstm import BiasedLSTMCell, LSTMCell, PeepholeLSTMCell
from zoo.rnn import RNNCell
from zoo.sequence import run
from zoo.skip import SkipCell

T, B, D, H = 7, 3, 4, 5


@pytest.fixture
def x():
    return np.random.default_rng(0).normal(size=(T, B, D))


def shaken(cell, scale=0.5):
    """The cell with weights none of which is 0, and its weights as arrays."""
    for i, p in enumerate(cell.parameters()):
        p.data = np.random.default_rng(i).normal(size=p.shape) * scale
    return cell, {path: p.data for path, p in cell.named_parameters()}


def same_weights(cell, other):
    """The cell with those weights of another that it has too."""
    state = other.state_dict()
    cell.load_state_dict({name: state.get(name, value) for name, value in cell.state_dict().items()})
    return cell


def σ(a):
    return 1 / (1 + np.exp(-a))


def outputs(cell, x, state=None):
    return np.array([y.data for y in run(cell, x, state)[0]])


# -- leaky units ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("B", [1, 3, 16, 40])
@pytest.mark.parametrize("α", [1, np.ones(16)])
def test_leaky_with_α_1_is_the_ordinary_network_bit_for_bit_each_step_and_a_run_from_an_array_in_columns(α, B):
    leaky, _ = shaken(LeakyCell(D, 16, α, rng=0))
    ordinary, x = same_weights(RNNCell(D, 16, rng=1), leaky), np.random.default_rng(0).normal(size=(50, B, D))
    columns = np.zeros((16, B)).T
    assert (outputs(leaky, x, columns) == outputs(ordinary, x, columns)).all()
    np.testing.assert_allclose(outputs(leaky, x), outputs(ordinary, x), rtol=0, atol=1e-12)
    h = ordinary.initial_state(B)
    for x_t in x:
        (h, _), (same, _) = ordinary(x_t, h), leaky(x_t, h)
        assert (h.data == same.data).all()


@pytest.mark.parametrize("α", [1.0, 1.5, 4.0, 100.0, np.linspace(1, 9, H)])
def test_without_w_and_u_the_gradient_through_t_steps_is_1_minus_1_over_α_to_the_t(α):
    cell = LeakyCell(D, H, α, rng=0)
    cell.W.data, cell.U.data = np.zeros((H, H)), np.zeros((H, D))
    J = tg.jacobian(lambda h: run(cell, np.ones((20, 1, D)), h)[1][0])(np.ones((1, H)))
    np.testing.assert_allclose(J.data[:, 0], np.diag(np.broadcast_to((1 - 1 / np.asarray(α)) ** 20, H)), rtol=1e-12)


def test_leaky_is_its_equation_with_a_scale_for_each_unit(x):
    α = np.linspace(1, 5, H)
    cell, w = shaken(LeakyCell(D, H, α, rng=0))
    h = np.zeros((B, H))
    for x_t in x:
        h = (1 - 1 / α) * h + 1 / α * np.tanh(w["b"] + h @ w["W"].T + x_t @ w["U"].T)
    np.testing.assert_allclose(outputs(cell, x)[-1], h, rtol=1e-13)
    assert "α" not in w  # fixed


def test_a_learned_α_starts_where_it_is_told_is_learned_and_cannot_fall_below_1(x):
    α = np.linspace(1.1, 5, H)
    cell, fixed = LearnedLeakyCell(D, H, α, rng=0), LeakyCell(D, H, α, rng=0)
    np.testing.assert_allclose(outputs(cell, x), outputs(fixed, x), rtol=1e-12)
    tg.sum(run(cell, x)[1]).backward()
    assert cell.β.grad.data.all()
    cell.β.data = np.array([-1000.0, -50, 0, 1, 5])
    assert (cell.time_scale().data >= 1).all()
    assert cell.time_scale().data[[0, 2]].tolist() == [1, 2]


@pytest.mark.parametrize("α", [0.99, 0, -1, np.inf, np.nan, [1, 1, 1, 1, 0.5]])
def test_an_α_below_1_or_not_finite_is_an_error(α):
    for kind in LeakyCell, LearnedLeakyCell:
        with pytest.raises(ValueError, match="α is finite and at least 1"):
            kind(D, H, α, rng=0)


def test_an_α_for_other_units_and_one_that_cannot_be_learned_are_errors():
    with pytest.raises(tg.ShapeError, match=r"one for each of 5 units, not shape \(4,\)"):
        LeakyCell(D, H, np.ones(4), rng=0)
    with pytest.raises(ValueError, match="starts above 1"):
        LearnedLeakyCell(D, H, 1.0, rng=0)


# -- skips ---------------------------------------------------------------------------------------------------


def test_a_skip_adds_the_state_d_steps_ago(x):
    cell, w = shaken(SkipCell(D, H, 3, rng=0))
    h = [np.zeros((B, H))] * 3
    for x_t in x:
        h.append(np.tanh(w["b"] + h[-1] @ w["W"].T + h[-3] @ w["R"].T + x_t @ w["U"].T))
    np.testing.assert_allclose(outputs(cell, x), h[3:], rtol=1e-13)


@pytest.mark.parametrize("d", [2, 5])
def test_through_the_skip_alone_a_gradient_decays_in_τ_over_d(d):
    """With W = 0 and R = 0.5, ∂h⁽ᵀ⁾/∂h⁽⁰⁾ = 0.5^(T/d) where d divides T, near h = 0."""
    cell = SkipCell(1, 1, d, rng=0)
    cell.W.data, cell.R.data = np.zeros((1, 1)), np.array([[0.5]])
    start = cell.initial_state(1)[1:]

    def end(h):
        return tg.sum(run(cell, np.zeros((10, 1, 1)), (*start, h))[1][-1])

    assert tg.grad(end)(np.array([[1e-12]])).item() == pytest.approx(0.5 ** (10 / d), rel=1e-9)


@pytest.mark.parametrize("d", [1, 0, -3])
def test_a_skip_over_less_than_2_steps_is_an_error(d):
    with pytest.raises(ValueError, match=f"at least 2 steps back, not {d}"):
        SkipCell(D, H, d, rng=0)


# -- LSTM ----------------------------------------------------------------------------------------------------


def lstm_by_hand(w, x):
    h, s, seen = np.zeros((B, H)), np.zeros((B, H)), []
    for x_t in x:

        def net(gate, h=h, x_t=x_t):
            return x_t @ w[f"U{gate}"].T + h @ w[f"W{gate}"].T + w.get(f"b{gate}", 0)

        g, f = σ(net("g") + w.get("pg", 0) * s), σ(net("f") + w.get("pf", 0) * s)
        s = f * s + g * np.tanh(net(""))
        q = σ(net("o") + w.get("po", 0) * s)
        h = q * np.tanh(s)
        seen.append(h)
    return seen


@pytest.mark.parametrize("kind", [LSTMCell, BiasedLSTMCell, PeepholeLSTMCell])
def test_lstm_is_the_equations(kind, x):
    cell, w = shaken(kind(D, H, rng=0))
    np.testing.assert_allclose(outputs(cell, x), lstm_by_hand(w, x), rtol=1e-12)


def test_the_lectures_lstm_has_no_biases_and_those_in_use_forget_little_at_first():
    assert {name for name, _ in LSTMCell(D, H, rng=0).named_parameters()} == {
        f"{w}{gate}" for w in "UW" for gate in ("", "g", "f", "o")
    }
    biased = BiasedLSTMCell(D, H, rng=0)
    assert {name: p.data.tolist() for name, p in biased.named_parameters() if p.ndim == 1} == {
        "bf": [1] * H,
        **{name: [0] * H for name in ("b", "bg", "bo")},
    }


def test_lstms_that_differ_only_by_what_is_0_are_the_same_bit_for_bit(x):
    plain, _ = shaken(LSTMCell(D, H, rng=0))
    biased = same_weights(BiasedLSTMCell(D, H, rng=1), plain)
    biased.bf.data = np.zeros(H)
    assert (outputs(biased, x) == outputs(plain, x)).all()
    biased, _ = shaken(biased)
    assert (outputs(same_weights(PeepholeLSTMCell(D, H, rng=1), biased), x) == outputs(biased, x)).all()


def test_with_the_forget_gate_open_and_the_input_gate_shut_the_memory_stays_for_ever():
    cell = BiasedLSTMCell(D, H, rng=0)
    for p in cell.parameters():
        p.data = np.zeros(p.shape)
    cell.bf.data, cell.bg.data = np.full(H, 40.0), np.full(H, -800.0)
    start = cell.initial_state(1)._replace(s=tg.Tensor(np.arange(H)[None] * 1.0))
    assert run(cell, np.ones((1000, 1, D)), start)[1].s.data.tolist() == [[0, 1, 2, 3, 4]]


# -- GRU -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [GRUCell, ResetAfterGRUCell])
def test_gru_is_the_equations(kind, x):
    cell, w = shaken(kind(D, H, rng=0))
    h, seen = np.zeros((B, H)), []
    for x_t in x:
        u = σ(w["bu"] + x_t @ w["Uu"].T + h @ w["Wu"].T)
        r = σ(w["br"] + x_t @ w["Ur"].T + h @ w["Wr"].T)
        past = (r * h) @ w["W"].T if kind is GRUCell else r * (w["d"] + h @ w["W"].T)
        h = u * h + (1 - u) * np.tanh(w["b"] + x_t @ w["U"].T + past)
        seen.append(h)
    np.testing.assert_allclose(outputs(cell, x), seen, rtol=1e-12)


def test_the_two_placements_of_the_reset_gate_differ_unless_it_is_open_or_w_diagonal(x):
    before, _ = shaken(GRUCell(D, H, rng=0))
    after = same_weights(ResetAfterGRUCell(D, H, rng=1), before)
    assert abs(outputs(before, x) - outputs(after, x)).max() > 0.01
    for cell in before, after:
        cell.W.data = np.diag(np.arange(1.0, H + 1))
    np.testing.assert_allclose(outputs(before, x), outputs(after, x), rtol=1e-12)


def test_a_gru_whose_update_gate_is_open_keeps_its_state_and_shut_is_an_ordinary_network(x):
    cell, _ = shaken(GRUCell(D, H, rng=0))
    h = tg.Tensor(np.random.default_rng(1).normal(size=(B, H)))
    cell.bu.data = np.full(H, 800.0)
    assert (run(cell, x, h)[1].data == h.data).all()
    cell.bu.data, cell.br.data = np.full(H, -800.0), np.full(H, 800.0)
    np.testing.assert_allclose(outputs(cell, x), outputs(same_weights(RNNCell(D, H, rng=1), cell), x), rtol=1e-12)


# -- deep cells ----------------------------------------------------------------------------------------------


def test_deep_states_are_two_ordinary_networks_one_on_the_other(x):
    cell, w = shaken(DeepStatesCell(D, H, rng=0))
    lower, upper = same_weights(RNNCell(D, H, rng=0), cell), RNNCell(H, H, rng=0)
    upper.load_state_dict({"U": w["S"], "W": w["R"], "b": w["d"]})
    assert (outputs(cell, x) == outputs(upper, run(lower, x)[0])).all()


def test_deep_transitions_are_their_equations_and_the_skip_goes_around_one_layer(x):
    deep, w = shaken(DeepTransitionCell(D, H, rng=0))
    skip = same_weights(DeepSkipCell(D, H, rng=1), deep)
    for cell, R in (deep, np.zeros((H, H))), (skip, skip.R.data):
        h, seen = np.zeros((B, H)), []
        for x_t in x:
            e, m = np.tanh(w["be"] + x_t @ w["E"].T), np.tanh(w["bm"] + h @ w["M"].T)
            h = np.tanh(w["b"] + m @ w["W"].T + h @ R.T + e @ w["U"].T)
            seen.append(np.tanh(w["d"] + h @ w["S"].T))
        np.testing.assert_allclose(outputs(cell, x), seen, rtol=1e-12)


def test_the_layer_in_the_way_makes_gradients_vanish_sooner_and_the_skip_brings_them_back():
    """With every matrix 0.5, near 0: 0.25 a step through two layers, 0.75 with the way around."""
    for kind, step in (DeepTransitionCell, 0.25), (DeepSkipCell, 0.75):
        cell = kind(1, 1, rng=0)
        for p in cell.parameters():
            p.data = np.full(p.shape, 0.5 if p.ndim == 2 else 0.0)
        slope = tg.grad(lambda h, cell=cell: tg.sum(run(cell, np.zeros((8, 1, 1)), h)[1]))(np.array([[1e-12]]))
        assert slope.item() == pytest.approx(step**8, rel=1e-9)
