"""Patterns II, III and IV, the generative form and vector-to-sequence: what each can know of the past, in figures."""

import itertools

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn.nn.optimisers import Adam
from zoo.decoding import sample
from zoo.generative import Generative
from zoo.pattern_2 import Pattern2
from zoo.pattern_3 import Pattern3, Pattern3Values
from zoo.pattern_4 import Pattern4
from zoo.rnn import DynamicalSystem, RNNCell
from zoo.sequence import run
from zoo.vector_to_sequence import VectorToSequence

T, B, D, H, K = 6, 4, 3, 5, 7


@pytest.fixture
def rng():
    return np.random.default_rng(1)


def shaken(model, scale=0.5):
    """The model with weights none of which is 0."""
    for p in model.parameters():
        p.data = np.random.default_rng(p.size).normal(size=p.shape) * scale
    return model


def log_softmax(o):
    return o - np.log(np.exp(o).sum())


def ancestors(tensor):
    """The tensors that a result was computed from, as nodes."""
    found, pending = set(), [tensor.node]
    while pending:
        node = pending.pop()
        if node is not None and node not in found:
            found.add(node)
            pending += node.inputs
    return found


# -- unfolding -----------------------------------------------------------------------------------------------


def test_a_dynamical_system_is_its_function_applied_as_often_as_there_are_steps(rng):
    model, s = shaken(DynamicalSystem(H, rng=0)), rng.normal(size=(B, H))
    expected = s
    for _ in range(T):
        expected = np.tanh(expected @ model.W.data.T + model.b.data)
    np.testing.assert_allclose(model(s, T).data, expected, rtol=1e-14)
    assert model(s, 0) is s
    with pytest.raises(ValueError, match="at least 0 steps, not -1"):
        model(s, -1)


def test_the_gradient_of_a_linear_chain_is_a_power_of_its_matrix():
    """0.9¹⁰⁰ = 2.66e-5 and 1.1¹⁰⁰ = 1.378e4: near 0, where tanh is linear."""
    for scale, expected in (0.9, 2.6561e-5), (1.1, 1.3781e4):
        model = DynamicalSystem(1, rng=0)
        model.W.data = np.array([[scale]])
        slope = tg.grad(lambda s, model=model: tg.sum(model(s, 100)))(np.array([[1e-12]]))
        assert slope.item() == pytest.approx(expected, rel=1e-4)


# -- pattern II ----------------------------------------------------------------------------------------------


def test_pattern_2_is_the_equations_with_one_output_at_the_end(rng):
    model, x, y = shaken(Pattern2(D, H, K, rng=0)), rng.normal(size=(T, B, D)), rng.integers(K, size=B)
    U, W, V, b, c = (p.data for p in (model.U, model.W, model.V, model.b, model.c))
    L = 0
    for i in range(B):
        h = np.zeros(H)
        for t in range(T):
            h = np.tanh(b + W @ h + U @ x[t, i])
        L -= log_softmax(c + V @ h)[y[i]] / B
    assert model(x, y).item() == pytest.approx(L, rel=1e-13)


def test_pattern_2_under_lengths_speaks_at_each_sequences_own_end_whatever_the_padding(rng):
    model, lengths = shaken(Pattern2(D, H, K, rng=0)), np.array([6, 1, 3, 0])
    x = np.where(np.arange(T)[:, None, None] < lengths[:, None], rng.normal(size=(T, B, D)), np.nan)
    o = model.output(x, lengths).data
    for i, n in enumerate(lengths):
        expected = model.output(x[:n, i : i + 1]).data[0] if n else model.c.data
        np.testing.assert_allclose(o[i], expected, rtol=0, atol=1e-12)


def test_pattern_2_learns_the_first_of_ten_inputs(rng):
    """A fair bit at the first step, noise after: ln 2 for who has forgotten, 0 for who remembers."""
    model = Pattern2(1, 16, 2, rng=0)
    optimiser = Adam(model.parameters(), lr=0.01)
    for _ in range(200):
        x = rng.normal(0, 0.3, (10, 64, 1))
        y = rng.integers(2, size=64)
        x[0, :, 0] = 2 * y - 1
        optimiser.zero_grad()
        L = model(x, y)
        L.backward()
        optimiser.step()
    assert L.item() < 0.05


# -- pattern III ---------------------------------------------------------------------------------------------


def test_pattern_3_forced_is_the_equations_with_the_target_of_the_step_before(rng):
    model, x, y = shaken(Pattern3(D, H, K, rng=0)), rng.normal(size=(T, B, D)), rng.integers(K, size=(T, B))
    U, W, V, b, c = (p.data for p in (model.U, model.W, model.V, model.b, model.c))
    L = 0
    for i in range(B):
        for t in range(T):
            fed = W[:, y[t - 1, i]] if t else 0
            L -= log_softmax(c + V @ np.tanh(b + fed + U @ x[t, i]))[y[t, i]] / B
    assert model(x, y).item() == pytest.approx(L, rel=1e-13)
    assert model(x, np.eye(K)[y]).item() == model(x, y).item()


@pytest.mark.parametrize("kind", [Pattern3, Pattern3Values])
def test_forced_the_graph_of_a_loss_does_not_reach_the_step_before_and_free_it_does(kind, rng):
    model = shaken(kind(D, H, K, rng=0))
    x = rng.normal(size=(T, B, D))
    y = rng.integers(K, size=(T, B)) if kind is Pattern3 else rng.normal(size=(T, B, K))

    def steps_reached(forced):
        return [
            sum(node.operation is not None and node.operation.name == "tanh" for node in ancestors(L_t))
            for L_t in model.losses(x, y, forced)
        ]

    assert steps_reached(forced=1) == [1] * T
    through_a_draw = kind is Pattern3  # no gradient flows through a class that was picked
    assert steps_reached(forced=0) == ([1] * T if through_a_draw else [1, 2, 3, 4, 5, 6])


@pytest.mark.parametrize("kind", [Pattern3, Pattern3Values])
def test_forced_the_gradient_of_each_step_can_be_computed_by_itself(kind, rng):
    model, x = shaken(kind(D, H, K, rng=0)), rng.normal(size=(T, B, D))
    y = rng.integers(K, size=(T, B)) if kind is Pattern3 else rng.normal(size=(T, B, K))
    model(x, y).backward()
    whole = {path: p.grad.data for path, p in model.named_parameters()}
    for p in model.parameters():
        p.grad = None
    for L_t in model.losses(x, y):
        L_t.backward()
    for path, p in model.named_parameters():
        np.testing.assert_allclose(p.grad.data, whole[path], rtol=1e-12, atol=1e-15, err_msg=path)


def test_free_running_feeds_back_what_it_says(rng):
    model, x = shaken(Pattern3Values(D, H, K, rng=0)), rng.normal(size=(T, B, D))
    y = rng.normal(size=(T, B, K))
    U, W, V, b, c = (p.data for p in (model.U, model.W, model.V, model.b, model.c))
    o, said = np.zeros((B, K)), []
    for x_t in x:
        o = c + np.tanh(b + o @ W.T + x_t @ U.T) @ V.T
        said.append(o)
    np.testing.assert_allclose(model.generate(x).data, said, rtol=1e-12)
    assert model(x, y, forced=0).item() == pytest.approx(((np.array(said) - y) ** 2).sum() / 2 / B, rel=1e-12)


def test_fed_its_own_words_as_targets_the_forced_run_is_the_free_one(rng):
    for kind in Pattern3, Pattern3Values:
        model, x = shaken(kind(D, H, K, rng=0)), rng.normal(size=(T, B, D))
        words = model.generate(x, rng=5)
        assert model(x, words).item() == pytest.approx(model(x, words, forced=0, rng=5).item(), rel=1e-12)


def test_free_running_words_are_drawn_from_the_models_own_distribution(rng):
    model, n = shaken(Pattern3(D, H, K, rng=0), 1.0), 40_000
    x = np.broadcast_to(rng.normal(size=(1, 1, D)), (1, n, D))
    p = tg.softmax(model.step(x[0, :1], model.nothing_said(1))).data[0]
    share = model.generate(x, rng=0).data[0].mean(axis=0)
    np.testing.assert_allclose(share, p, atol=4 * np.sqrt(0.25 / n))
    assert model.generate(x[:, :9]).data[0].argmax(-1).tolist() == [p.argmax()] * 9  # without rng the likeliest


def test_scheduled_sampling_tosses_a_coin_for_each_step_of_each_sequence(rng):
    """The words are 0 and the targets 1, so that what was fed back is told by the loss of the step after."""
    model = Pattern3Values(1, 1, 1, rng=0)
    for p, value in zip((model.U, model.W, model.V, model.b, model.c), (0, 20, 0, -10, 0), strict=True):
        p.data = np.full(p.shape, float(value))
    fed = []
    model.step = lambda x, r: (fed.append(r.data if isinstance(r, tg.Tensor) else r), tg.Tensor(np.zeros(r.shape)))[1]
    T, B = 200, 50
    model(np.zeros((T, B, 1)), np.ones((T, B, 1)), forced=0.3, rng=0)
    heads = np.array(fed[1:])[..., 0]
    assert set(np.unique(heads)) == {0, 1}
    assert heads.mean() == pytest.approx(0.3, abs=4 * np.sqrt(0.21 / heads.size))
    assert heads.mean(axis=0).std() < 0.06  # not by sequence
    assert heads.mean(axis=1).std() < 0.12  # nor by step


def test_forced_0_and_1_are_the_ends_of_scheduled_sampling_and_mixed_is_half_of_both(rng):
    model, x, y = shaken(Pattern3(D, H, K, rng=0)), rng.normal(size=(T, B, D)), rng.integers(K, size=(T, B))
    nearly = [model(x, y, forced, rng=3).item() for forced in (1 - 1e-15, 1e-15)]
    exactly = [model(x, y, 1).item(), model(x, y, 0, rng=3).item()]
    assert nearly == exactly
    assert model.mixed(x, y, rng=3).item() == pytest.approx(sum(exactly) / 2, rel=1e-14)


def test_pattern_3_refuses_what_makes_no_sense(rng):
    model, x, y = Pattern3(D, H, K, rng=0), rng.normal(size=(T, B, D)), rng.integers(K, size=(T, B))
    for forced in -0.1, 1.1, np.nan:
        with pytest.raises(ValueError, match="forced: a probability from 0 to 1"):
            model(x, y, forced)
    with pytest.raises(TypeError, match="rng is None"):
        model(x, y, 0.5)
    with pytest.raises(tg.ShapeError, match=r"must have the same T and B: x is \(6, 4, 3\), y \(5, 4\)"):
        model(x, y[:-1])
    with pytest.raises(IndexError, match="label 7"):
        model(x, np.full_like(y, K))


def test_pattern_3_cannot_tell_histories_apart_that_ended_in_the_same_word(rng):
    """What sets it below pattern I: after the same output, everything before is forgotten."""
    model, one, other = shaken(Pattern3(D, H, K, rng=0)), *rng.normal(size=(2, T, 1, D))
    words = np.zeros((T, 1), int)
    other[-2:] = one[-2:]
    losses = [[L.item() for L in model.losses(x, words)] for x in (one, other)]
    assert losses[0][-2:] == losses[1][-2:]
    assert losses[0][:-2] != losses[1][:-2]


@pytest.mark.parametrize("kind", [Pattern3, Pattern3Values, Pattern4])
def test_a_run_of_one_step_is_the_first_step_of_a_longer_one(kind, rng):
    model, x = shaken(kind(D, H, K, rng=0)), rng.normal(size=(T, B, D))
    y = rng.normal(size=(T, B, K)) if kind is Pattern3Values else rng.integers(K, size=(T, B))
    first = next(iter(model.losses(x, y)))
    assert model(x[:1], y[:1]).item() == pytest.approx(first.data.mean(), rel=1e-14)


# -- pattern IV and the generative form ----------------------------------------------------------------------


def test_pattern_4_is_a_distribution_the_probabilities_of_all_sequences_sum_to_1(rng):
    model, T = shaken(Pattern4(D, H, 2, rng=0)), 10
    y = np.array(list(itertools.product([0, 1], repeat=T))).T
    x = np.repeat(rng.normal(size=(T, 1, D)), 2**T, axis=1)
    p = np.exp(model.log_likelihood(x, y).data)
    assert p.shape == (1024,)
    assert p.sum() == pytest.approx(1, abs=1e-12)
    assert p.max() / p.min() > 10


def test_the_generative_form_is_a_distribution_over_sequences_too():
    model, T = shaken(Generative(2, H, rng=0)), 10
    y = np.array(list(itertools.product([0, 1], repeat=T))).T
    assert np.exp(model.log_likelihood(y).data).sum() == pytest.approx(1, abs=1e-12)


def test_pattern_4_is_the_equations(rng):
    model, x, y = shaken(Pattern4(D, H, K, rng=0)), rng.normal(size=(T, B, D)), rng.integers(K, size=(T, B))
    U, W, R, V, b, c = (p.data for p in (model.U, model.W, model.R, model.V, model.b, model.c))
    log_p = np.zeros(B)
    for i in range(B):
        h = np.zeros(H)
        for t in range(T):
            h = np.tanh(b + W @ h + (R[:, y[t - 1, i]] if t else 0) + U @ x[t, i])
            log_p[i] += log_softmax(c + V @ h)[y[t, i]]
    np.testing.assert_allclose(model.log_likelihood(x, y).data, log_p, rtol=1e-13)
    assert model(x, y).item() == pytest.approx(-log_p.mean(), rel=1e-13)


def test_pattern_4_without_w_and_u_is_pattern_3_forced(rng):
    x, y = rng.normal(size=(T, B, D)), rng.integers(K, size=(T, B))
    four, three = shaken(Pattern4(D, H, K, rng=0)), Pattern3(D, H, K, rng=0)
    four.W.data = np.zeros((H, H))
    three.load_state_dict({name: getattr(four, {"W": "R"}.get(name, name)).data for name in "UWVbc"})
    assert four(x, y).item() == pytest.approx(three(x, y).item(), rel=1e-14)


def test_what_pattern_4_samples_has_the_probabilities_that_it_states(rng):
    model, T, n = shaken(Pattern4(D, H, 2, rng=0), 1.0), 3, 50_000
    x = rng.normal(size=(T, 1, D))
    drawn = model.sample(np.repeat(x, n, axis=1), rng=0)
    for y in itertools.product([0, 1], repeat=T):
        p = np.exp(model.log_likelihood(x, np.array(y)[:, None]).item())
        share = (y == drawn.T).all(axis=1).mean()
        assert share == pytest.approx(p, abs=4 * np.sqrt(p * (1 - p) / n))


def test_what_the_generative_form_samples_has_the_probabilities_that_it_states():
    model, T, n = shaken(Generative(3, H, rng=0), 1.0), 2, 50_000
    drawn = sample(model.step, model.nothing_said(n), model.initial_state(n), T, rng=0)
    for y in itertools.product(range(3), repeat=T):
        p = np.exp(model.log_likelihood(np.array(y)[:, None]).item())
        share = (y == drawn.labels.T).all(axis=1).mean()
        assert share == pytest.approx(p, abs=4 * np.sqrt(p * (1 - p) / n))
    np.testing.assert_allclose(drawn.log_p, model.log_likelihood(drawn.labels).data, rtol=1e-12)


def test_pattern_4_reaches_the_floor_of_a_markov_chain_that_pattern_1_cannot(rng):
    """x is constant and y flips with ε = 0.1: ln 2 for the first, then −ε ln ε − (1 − ε) ln(1 − ε) a step."""
    T, ε = 10, 0.1
    floor = np.log(2) - (T - 1) * (ε * np.log(ε) + (1 - ε) * np.log(1 - ε))
    assert floor == pytest.approx(3.619, abs=5e-4)
    model = Pattern4(1, 8, 2, rng=0)
    optimiser = Adam(model.parameters(), lr=0.02)

    def chain(B):
        return np.cumsum(np.concatenate([rng.integers(2, size=(1, B)), rng.random((T - 1, B)) < ε]), axis=0) % 2

    for _ in range(200):
        optimiser.zero_grad()
        model(np.ones((T, 64, 1)), chain(64)).backward()
        optimiser.step()
    reached = model(np.ones((T, 20_000, 1)), chain(20_000)).item()
    assert reached == pytest.approx(floor, abs=0.1)
    assert reached < 10 * np.log(2) / 1.8


@pytest.mark.parametrize("kind", ["generative", "vector to sequence"])
def test_under_lengths_the_log_likelihood_is_that_of_each_sequence_by_itself(kind, rng):
    lengths = np.array([6, 1, 3, 0])
    y = np.where(np.arange(T)[:, None] < lengths, rng.integers(K, size=(T, B)), -99)
    rows = np.where((np.arange(T)[:, None] < lengths)[..., None], np.eye(K)[y % K], np.nan)
    if kind == "generative":
        model = shaken(Generative(K, H, rng=0))
        found, of_rows = model(y, lengths), model(rows, lengths)
        alone = [model(y[:n, i : i + 1]) for i, n in enumerate(lengths) if n]
    else:
        model, x = shaken(VectorToSequence(D, H, K, rng=0)), rng.normal(size=(B, D))
        found, of_rows = model(x, y, lengths), model(x, rows, lengths)
        alone = [model(x[i : i + 1], y[:n, i : i + 1]) for i, n in enumerate(lengths) if n]
    assert found.item() == pytest.approx(sum(L.item() for L in alone) / B, rel=1e-12)
    assert of_rows.item() == found.item()
    of_rows.backward()
    assert all(np.isfinite(p.grad.data).all() for p in model.parameters())


def test_vector_to_sequence_is_a_distribution_that_depends_on_the_vector(rng):
    model, T, x = shaken(VectorToSequence(D, H, 2, rng=0), 1.0), 6, rng.normal(size=(2, D))
    y = np.array(list(itertools.product([0, 1], repeat=T))).T
    p = [np.exp([-model(x_i[None], y[:, i : i + 1]).item() for i in range(y.shape[1])]) for x_i in x]
    assert [p_i.sum() for p_i in p] == pytest.approx([1, 1], abs=1e-12)
    assert abs(p[0] - p[1]).max() > 0.01


def test_sequences_of_different_length_are_errors(rng):
    x, y = rng.normal(size=(T, B, D)), rng.integers(K, size=(T, B))
    with pytest.raises(tg.ShapeError, match=r"must have the same T and B: x is \(5, 4, 3\), y \(6, 4\)"):
        Pattern4(D, H, K, rng=0)(x[:-1], y)
    with pytest.raises(tg.ShapeError, match=r"x @ self\.U\.T"):
        Pattern4(D + 1, H, K, rng=0)(x, y)


def test_an_rnn_over_a_sequence_is_its_equation(rng):
    cell, x = shaken(RNNCell(D, H, rng=0)), rng.normal(size=(T, B, D))
    h = np.zeros((B, H))
    for x_t in x:
        h = np.tanh(cell.b.data + h @ cell.W.data.T + x_t @ cell.U.data.T)
    np.testing.assert_allclose(run(cell, x)[1].data, h, rtol=1e-13)
