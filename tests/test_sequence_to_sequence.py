"""Bidirectional networks, encoder and decoder, attention, pointers: equations, masks, padding."""

import itertools

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn.nn.optimisers import Adam
from zoo.attention import Additive, InputAttention, Multiplicative, ScaledDot, attend
from zoo.attentive import AttentiveDecoder
from zoo.bidirectional import Bidirectional
from zoo.encoder_decoder import EncoderDecoder
from zoo.pointer import Pointer

N, M, B, D, H, K = 5, 4, 4, 3, 4, 6
X_LENGTHS, Y_LENGTHS = np.array([5, 1, 3, 2]), np.array([4, 3, 0, 1])


@pytest.fixture
def rng():
    return np.random.default_rng(1)


def shaken(model, scale=0.5):
    """The model with weights none of which is 0."""
    for i, p in enumerate(model.parameters()):
        p.data = np.random.default_rng(i).normal(size=p.shape) * scale
    return model


def spoiled(a, lengths, padding):
    """The array with its padding overwritten."""
    inside = np.arange(len(a))[:, None] < lengths
    return np.where(inside.reshape(*inside.shape, *[1] * (a.ndim - 2)), a, padding)


def loss_and_gradients(model, *arguments):
    for p in model.parameters():
        p.grad = None
    L = model(*arguments)
    L.backward()
    return L.item(), {path: p.grad.data for path, p in model.named_parameters()}


def assert_equal_one_by_one(model, together, alone):
    """The loss and gradients of a padded batch are the means of those of its sequences, each cut to its length."""
    L, gradients = loss_and_gradients(model, *together)
    each = [loss_and_gradients(model, *arguments) for arguments in alone]
    assert pytest.approx(sum(value for value, _ in each) / B, rel=1e-12) == L
    for path, gradient in gradients.items():
        expected = sum(found[path] for _, found in each) / B
        np.testing.assert_allclose(gradient, expected, rtol=1e-12, atol=1e-12, err_msg=path)


# -- bidirectional -------------------------------------------------------------------------------------------


def test_bidirectional_is_the_equations_with_g_from_the_end(rng):
    model, x = shaken(Bidirectional(D, H, K, rng=0)), rng.normal(size=(N, B, D))
    w = {path: p.data for path, p in model.named_parameters()}
    h, g = [np.zeros((B, H))], [np.zeros((B, H))]
    for t in range(N):
        h.append(np.tanh(w["b"] + h[-1] @ w["W"].T + x[t] @ w["U"].T))
        g.append(np.tanh(w["d"] + g[-1] @ w["R"].T + x[N - 1 - t] @ w["S"].T))
    for t, o in enumerate(model.outputs(x)):
        np.testing.assert_allclose(o.data, w["c"] + h[t + 1] @ w["V"].T + g[N - t] @ w["Q"].T, rtol=1e-12)


def test_bidirectional_under_lengths_is_each_sequence_by_itself_with_nan_in_the_padding(rng):
    model, x, y = shaken(Bidirectional(D, H, K, rng=0)), rng.normal(size=(N, B, D)), rng.integers(K, size=(N, B))
    together = spoiled(x, X_LENGTHS, np.nan), spoiled(y, X_LENGTHS, -99), X_LENGTHS
    alone = [(x[:n, i : i + 1], y[:n, i : i + 1]) for i, n in enumerate(X_LENGTHS)]
    assert_equal_one_by_one(model, together, alone)
    for t, o in enumerate(model.outputs(together[0], X_LENGTHS)):
        for i, (x_i, _) in enumerate(alone):
            if t < len(x_i):
                np.testing.assert_allclose(o.data[i], model.outputs(x_i)[t].data[0], rtol=0, atol=1e-12)


def test_each_output_of_a_bidirectional_network_sees_every_input(rng):
    model, x = shaken(Bidirectional(D, H, K, rng=0)), rng.normal(size=(N, 1, D))
    for t in range(N):
        slope = tg.grad(lambda x, t=t: tg.sum(model.outputs(x)[t]))(x)
        assert (abs(slope.data).sum(axis=(1, 2)) > 1e-6).all()


def test_bidirectional_knows_x_of_the_next_step_which_one_direction_cannot(rng):
    """yₜ = xₜ ⊕ xₜ₊₁ for fair bits: ln 2 a step for who has not seen xₜ₊₁."""
    T = 6
    model = Bidirectional(1, 12, 2, rng=0)
    optimiser = Adam(model.parameters(), lr=0.02)
    for _ in range(250):
        bits = rng.integers(2, size=(T + 1, 64))
        optimiser.zero_grad()
        L = model(2.0 * bits[:-1, :, None] - 1, bits[:-1] ^ np.vstack([bits[1:-1], bits[:1]])) / T
        L.backward()
        optimiser.step()
    assert L.item() < 0.1


# -- attention -----------------------------------------------------------------------------------------------

SCORES = {
    "additive": lambda: shaken(Additive(H, D, 7, rng=0)),
    "multiplicative": lambda: shaken(Multiplicative(H, D, rng=0)),
    "scaled dot": ScaledDot,
}


@pytest.mark.parametrize("name", SCORES)
def test_the_scores_are_their_equations(name, rng):
    score = SCORES[name]()
    q, k = rng.normal(size=(B, D if name == "scaled dot" else H)), rng.normal(size=(B, N, D))
    e = score(q, k).data
    for i, s in itertools.product(range(B), range(N)):
        expected = {
            "additive": lambda i=i, s=s: score.v.data @ np.tanh(score.W.data @ q[i] + score.U.data @ k[i, s]),
            "multiplicative": lambda i=i, s=s: k[i, s] @ score.W.data @ q[i],
            "scaled dot": lambda i=i, s=s: k[i, s] @ q[i] / np.sqrt(D),
        }[name]()
        assert e[i, s] == pytest.approx(expected, rel=1e-12)


def test_attention_weights_sum_to_1_and_are_0_where_masked(rng):
    e, v = rng.normal(size=(B, N)) * 50, rng.normal(size=(B, N, D))
    counts = np.arange(N) < X_LENGTHS[:, None]
    C, α = attend(tg.Tensor(e), v, counts)
    np.testing.assert_allclose(α.data.sum(axis=1), 1, rtol=1e-14)
    assert (α.data[~counts] == 0).all()
    assert (α.data[counts] > 0).all()
    np.testing.assert_allclose(C.data, np.einsum("bn,bnd->bd", α.data, v), rtol=1e-12)
    assert α.data[1].tolist() == [1, 0, 0, 0, 0]


def test_equal_scores_give_the_plain_mean(rng):
    v = rng.normal(size=(B, N, D))
    C, _ = attend(tg.Tensor(np.full((B, N), 3.0)), v)
    np.testing.assert_allclose(C.data, v.mean(axis=1), rtol=1e-13)


def test_looking_at_nothing_is_an_error():
    with pytest.raises(ValueError, match="leaves nothing to look at"):
        attend(tg.Tensor(np.zeros((2, 0))), np.zeros((2, 0, D)))
    with pytest.raises(ValueError, match="leaves nothing to look at"):
        InputAttention(D, H, K, rng=0)(np.zeros((N, 2, D)), np.zeros(2, int), np.array([3, 0]))


def test_attention_over_raw_inputs_solves_the_adding_problem_exactly():
    """o = 2 C where the scores of the two marked places are ln-large: the sum of the two marked numbers, at T = 600."""
    rng, T = np.random.default_rng(0), 600
    x = np.stack([rng.random((T, 8)), np.zeros((T, 8))], axis=-1)
    for i in range(8):
        x[rng.choice(T, 2, replace=False), i, 1] = 1
    model = InputAttention(2, 1, 1, rng=0)
    for name, value in {"U": [[0, 20]], "b": [-10], "v": [500], "V": [[2, 0]], "c": [0]}.items():
        getattr(model, name).data = np.array(value, float)
    o, α = model.output(x)
    np.testing.assert_allclose(o.data[:, 0], (x[..., 0] * x[..., 1]).sum(axis=0), atol=1e-12)
    np.testing.assert_allclose(np.sort(α.data)[:, -2:], 0.5, atol=1e-12)


def test_attention_over_raw_inputs_under_lengths_is_each_sequence_by_itself(rng):
    model, x, y = shaken(InputAttention(D, H, K, rng=0)), rng.normal(size=(N, B, D)), rng.integers(K, size=B)
    alone = [(x[:n, i : i + 1], y[i : i + 1]) for i, n in enumerate(X_LENGTHS)]
    assert_equal_one_by_one(model, (spoiled(x, X_LENGTHS, np.nan), y, X_LENGTHS), alone)
    _, α = model.output(spoiled(x, X_LENGTHS, np.nan), X_LENGTHS)
    assert (α.data[np.arange(N) >= X_LENGTHS[:, None]] == 0).all()


# -- encoder and decoder -------------------------------------------------------------------------------------


def from_sequence(kind):
    """A model from a sequence to a sequence, and how many symbols it has."""
    return {
        "encoder-decoder": lambda: (EncoderDecoder(D, H, K, rng=0), K),
        "additive": lambda: (AttentiveDecoder(D, H, K, rng=0), K),
        "multiplicative": lambda: (AttentiveDecoder(D, H, K, Multiplicative(H, H, rng=1), rng=0), K),
        "scaled dot": lambda: (AttentiveDecoder(D, H, K, ScaledDot(), rng=0), K),
        "pointer": lambda: (Pointer(D, H, rng=0), N),
        "pointer without a glimpse": lambda: (Pointer(D, H, glimpse=False, rng=0), N),
    }[kind]()


each_kind = pytest.mark.parametrize(
    "kind", ["encoder-decoder", "additive", "multiplicative", "scaled dot", "pointer", "pointer without a glimpse"]
)


@each_kind
def test_padding_in_x_and_in_y_changes_nothing_though_it_be_nan(kind, rng):
    model, symbols = from_sequence(kind)
    shaken(model)
    x, y = rng.normal(size=(N, B, D)), rng.integers(symbols, size=(M, B))
    if symbols == N:
        y = y % X_LENGTHS  # places that there are
    together = spoiled(x, X_LENGTHS, np.nan), spoiled(y, Y_LENGTHS, -99), X_LENGTHS, Y_LENGTHS
    n_y = [(i, X_LENGTHS[i], Y_LENGTHS[i]) for i in range(B)]
    alone = [(x[:n, i : i + 1], y[: max(m, 1), i : i + 1], None, np.array([m])) for i, n, m in n_y]
    assert_equal_one_by_one(model, together, alone)


@each_kind
def test_it_is_a_distribution_over_sequences(kind, rng):
    model, symbols = from_sequence(kind)
    shaken(model)
    x = rng.normal(size=(N, 1, D))
    p = [np.exp(-model(x, np.array(y)[:, None]).item()) for y in itertools.product(range(symbols), repeat=2)]
    assert sum(p) == pytest.approx(1, abs=1e-12)


def test_the_encoder_decoder_knows_of_x_only_what_is_in_its_context(rng):
    model, x, y = shaken(EncoderDecoder(D, H, K, rng=0)), rng.normal(size=(N, B, D)), rng.integers(K, size=(M, B))
    C = model.context(x)
    assert C.shape == (B, H)
    assert model.decoder(C, y).item() == model(x, y).item()


def test_a_decoder_with_attention_looks_anew_at_every_step(rng):
    model, x = shaken(AttentiveDecoder(D, H, K, rng=0), 2.0), rng.normal(size=(N, B, D))
    state, looks = model.initial_state(x), []
    for symbol in range(3):
        _, state = model.step(np.eye(K)[[symbol] * B], state)
        looks.append(state.α.data)
    np.testing.assert_allclose(np.sum(looks, axis=-1), 1, rtol=1e-13)
    assert abs(looks[0] - looks[1]).max() > 0.01


def test_a_pointer_never_points_into_the_padding(rng):
    model, x = shaken(Pointer(D, H, rng=0)), spoiled(rng.normal(size=(N, B, D)), X_LENGTHS, np.nan)
    o, _ = model.step(model.nothing_said(N, B), model.initial_state(x, X_LENGTHS))
    p = tg.softmax(o).data
    assert (p[np.arange(N) >= X_LENGTHS[:, None]] == 0).all()
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-14)


def test_a_pointer_takes_inputs_of_any_length_with_the_same_weights(rng):
    model = shaken(Pointer(D, H, rng=0))
    for n in 1, 2, 9:
        L = model(rng.normal(size=(n, B, D)), rng.integers(n, size=(M, B)))
        assert L.item() > 0 if n > 1 else L.item() == 0  # to one place alone it points surely


@pytest.mark.parametrize("glimpse", [True, False])
def test_an_answer_that_points_behind_the_end_of_its_input_is_an_error_and_not_an_infinite_loss(glimpse, rng):
    model, x = Pointer(D, H, glimpse=glimpse, rng=0), rng.normal(size=(N, B, D))
    y = np.broadcast_to(X_LENGTHS - 1, (M, B)).copy()  # the last place that there is
    assert np.isfinite(model(x, y, X_LENGTHS).item())
    y[2, 1] += 1
    for answer in y, np.eye(N)[y]:
        with pytest.raises(IndexError, match="y points to a place behind the end of its x"):
            model(x, answer, X_LENGTHS)
    assert np.isfinite(model(x, y, X_LENGTHS, np.array([4, 2, 4, 4])).item())  # there it is padding itself


@each_kind
def test_a_sequence_of_no_steps_and_lengths_that_do_not_fit_are_errors(kind, rng):
    model, symbols = from_sequence(kind)
    x, y = rng.normal(size=(N, B, D)), np.zeros((M, B), int)
    with pytest.raises(ValueError, match="lengths: 1…6 are not all from 0 to 5"):
        model(x, y, np.array([6, 1, 2, 3]))
    with pytest.raises(tg.ShapeError, match=r"lengths of shape \(4,\)"):
        model(x, y, None, np.array([1, 2]))
    with pytest.raises(tg.ShapeError, match=r"shape \(T, 4\) or rows \(T, 4, .\), T and B at least 1, not int64 of"):
        model(x, y[:, :1])
    with pytest.raises(IndexError, match=f"label {symbols} "):
        model(x, y + symbols)
    if kind != "encoder-decoder":  # it has a context of no steps: d alone
        with pytest.raises(ValueError, match="nothing to look at"):
            model(x, y, np.array([0, 1, 2, 3]))
