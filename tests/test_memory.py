"""Echo state networks, memories with heads, memories of facts, recursive networks."""

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn.nn.optimisers import Adam
from zoo.echo_state import EchoState, spectral_radius
from zoo.memory_network import MemoryNetwork
from zoo.readout import EachStep
from zoo.recursive import Recursive
from zoo.sequence import run
from zoo.turing import Head, TuringCell, TuringState, cosine, turned

T, B, D, H, K = 6, 3, 3, 5, 4


@pytest.fixture
def rng():
    return np.random.default_rng(1)


def shaken(model, scale=0.5):
    """The model with weights none of which is 0."""
    for i, p in enumerate(model.parameters()):
        p.data = np.random.default_rng(i).normal(size=p.shape) * scale
    return model


# -- echo state networks -------------------------------------------------------------------------------------


@pytest.mark.parametrize("radius", [0.0, 0.5, 0.79, 1.2])
def test_the_reservoir_has_the_spectral_radius_that_was_asked_for(radius):
    for density in 1.0, 0.1:
        assert spectral_radius(EchoState(1, 80, 1, radius=radius, density=density, rng=0).W) == pytest.approx(radius)


def test_the_spectral_radius_of_a_zero_matrix_is_0_and_it_cannot_be_scaled():
    assert spectral_radius(np.zeros((4, 4))) == 0
    assert spectral_radius(np.array([[0.0, 1], [0, 0]])) == 0
    with pytest.raises(ValueError, match="all eigenvalues came out 0"):
        EchoState(1, 3, 1, density=1e-9, rng=0)


def test_only_the_output_of_an_echo_state_network_is_a_parameter(rng):
    model = EchoState(D, 20, K, feedback=1.0, rng=0)
    assert {name: p.shape for name, p in model.named_parameters()} == {"V": (K, 20), "c": (K,)}
    before = [model.W.data.copy(), model.U.data.copy(), model.F.data.copy()]
    model.fit(rng.normal(size=(50, B, D)), rng.normal(size=(50, B, K)), washout=10)
    assert all((a == b.data).all() for a, b in zip(before, (model.W, model.U, model.F), strict=True))


def test_an_echo_state_network_is_its_equation_with_leak_and_feedback(rng):
    model = shaken(EchoState(D, H, K, C=0.5, a=0.8, feedback=0.7, rng=0))
    x, y = rng.normal(size=(T, B, D)), rng.normal(size=(T, B, K))
    W, U, F, V, c = (p.data for p in (model.W, model.U, model.F, model.V, model.c))
    h, fed, L = np.zeros((B, H)), np.zeros((B, K)), 0
    for t in range(T):
        h = (1 - 0.5 * 0.8) * h + 0.5 * np.tanh(h @ W.T + x[t] @ U.T + fed @ F.T)
        L += ((c + h @ V.T - y[t]) ** 2).sum() / 2 / B
        fed = y[t]
    assert model(x, y).item() == pytest.approx(L, rel=1e-13)


def states(model, x):
    h, y = model.initial_state(x.shape[1])
    seen = []
    for x_t in x:
        h = model.step(x_t, h, y)
        seen.append(h.data)
    return np.array(seen)


@pytest.mark.parametrize("ridge", [0.0, 1e-3, 1.0])
def test_fit_is_the_minimum_of_squared_error_plus_ridge_where_the_gradient_is_0(ridge, rng):
    model, T, washout = EchoState(D, 10, 2, rng=0), 80, 20
    x, y = rng.normal(size=(T, B, D)), rng.normal(size=(T, B, 2))
    last = model.fit(x, y, washout=washout, ridge=ridge)
    h = states(model, x)
    assert (last == h[-1]).all()
    error = (model.c.data + h @ model.V.data.T - y)[washout:]
    slope = np.einsum("tbk,tbh->kh", error, h[washout:]) + ridge * model.V.data
    assert abs(slope).max() < 1e-10
    assert abs(error.sum(axis=(0, 1))).max() < 1e-10  # c is not held back


def test_what_happened_before_the_washout_has_no_influence_on_what_is_learned(rng):
    x, y = rng.normal(size=(300, 1, D)), rng.normal(size=(300, 1, 1))
    one, other = EchoState(D, 20, 1, radius=0.3, rng=0), EchoState(D, 20, 1, radius=0.3, rng=0)
    one.fit(x, y, washout=100)
    x[:40], y[:100] = 5, 99
    other.fit(x, y, washout=100)
    np.testing.assert_allclose(other.V.data, one.V.data, rtol=1e-9, atol=1e-12)


def test_with_a_small_radius_the_state_forgets_where_it_started_and_with_a_large_one_it_does_not(rng):
    x = rng.normal(0, 0.1, size=(200, 1, D))
    for radius, forgets in (0.5, True), (2.0, False):
        model = EchoState(D, 50, 1, radius=radius, scale=0.1, rng=0)
        h, other = rng.normal(size=(2, 1, 50))
        for x_t in x:
            h, other = model.step(x_t, h, None), model.step(x_t, other, None)
        assert (abs(h.data - other.data).max() < 1e-12) == forgets


def test_an_echo_state_network_goes_on_with_a_sine_by_itself():
    y = np.sin(np.arange(1100) / 5)[:, None, None]
    x = np.ones_like(y)
    model = EchoState(1, 100, 1, feedback=1.0, rng=0)
    h = model.fit(x[:1000], y[:1000], washout=100, noise=1e-6, rng=0)
    free = model.generate(x[1000:], h, y[999])
    assert free.shape == (100, 1, 1)
    assert abs(free - y[1000:]).max() < 0.01


def test_state_noise_is_repeatable_and_makes_the_output_weights_smaller():
    y = np.sin(np.arange(600) / 5)[:, None, None]

    def weights(noise, rng=0):
        model = EchoState(1, 60, 1, feedback=1.0, rng=0)
        model.fit(np.ones_like(y), y, washout=100, noise=noise, rng=rng)
        return model.V.data

    assert (weights(1e-3) == weights(1e-3)).all()
    assert (weights(1e-3) != weights(1e-3, rng=1)).any()
    norms = [np.linalg.norm(weights(noise)) for noise in (1e-9, 1e-4, 0.1)]
    assert norms == sorted(norms, reverse=True)
    assert norms[-1] < norms[0] / 2


def test_an_echo_state_network_refuses_what_makes_no_sense():
    x = np.zeros((10, 1, 1))
    for C, a in (0, 1), (-1, 1), (1, -0.1), (1, 1.1), (2, 0.6), (np.nan, 1):
        with pytest.raises(ValueError, match="C is above 0 and C a in"):
            EchoState(1, 4, 1, C=C, a=a, rng=0)
    for washout in -1, 10, 2.5, np.nan:
        with pytest.raises(ValueError, match="washout is from 0 to 9"):
            EchoState(1, 4, 1, rng=0).fit(x, x, washout=washout)
    for wrong in {"ridge": -1}, {"ridge": np.nan}, {"ridge": np.inf}, {"noise": -1, "rng": 0}, {"noise": np.nan}:
        with pytest.raises(ValueError, match="ridge and noise are finite and at least 0"):
            EchoState(1, 4, 1, rng=0).fit(x, x, **wrong)
    with pytest.raises(TypeError, match="rng is None"):
        EchoState(1, 4, 1, rng=0).fit(x, x, noise=0.1)


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        ((10, 2, 3), (9, 2, 2), r"the same T and B: x is \(10, 2, 3\), y \(9, 2, 2\)"),
        ((10, 2, 3), (10, 1, 2), "the same T and B"),
        ((10, 2, 3), (10, 2, 3), r"y must be of shape \(10, 2, 2\), not \(10, 2, 3\)"),
        ((10, 2, 3), (10, 2), r"y must be of shape \(10, 2, 2\), not \(10, 2\)"),
        ((10, 3), (10, 2), r"x must be of shape \(T, B, inputs\)"),
        ((10, 0, 3), (10, 0, 2), "T and B at least 1"),
        ((0, 2, 3), (0, 2, 2), "T and B at least 1"),
        ((10, 2, 2), (10, 2, 2), r"2 ≠ 3   x @ self\.U\.T"),
    ],
)
def test_fit_refuses_sequences_that_do_not_fit(x, y, message):
    with pytest.raises(tg.ShapeError, match=message):
        EchoState(3, 4, 2, rng=0).fit(np.ones(x), np.ones(y))


@pytest.mark.parametrize("spoiled", ["x", "y"])
def test_nan_is_an_error_where_it_would_be_learned_from_and_nothing_in_the_targets_of_the_washout(spoiled, rng):
    x, y, model = rng.normal(size=(20, 2, D)), rng.normal(size=(20, 2, K)), EchoState(D, 4, K, rng=0)
    (x if spoiled == "x" else y)[4, 1] = np.nan
    with pytest.raises(ValueError, match="not all finite: look for NaN in x and y"):
        model.fit(x, y, washout=4)
    if spoiled == "y":
        model.fit(x, y, washout=5)
        assert np.isfinite(model.V.data).all()


def test_a_free_run_refuses_a_state_and_an_output_of_another_batch():
    model, x = EchoState(D, 4, K, feedback=1.0, rng=0), np.ones((5, 2, D))
    for h, y in ((1, 4), (2, K)), ((2, 4), (1, K)), ((2, 5), (2, K)), ((4,), (2, K)):
        with pytest.raises(tg.ShapeError, match=r"the shapes of h and y must be \(\(2, 4\), \(2, 4\)\), not "):
            model.generate(x, np.zeros(h), np.zeros(y))


def test_the_loss_of_one_step_of_an_echo_state_network_is_that_of_the_first_of_more(rng):
    model, x, y = shaken(EchoState(D, H, K, rng=0)), rng.normal(size=(T, B, D)), rng.normal(size=(T, B, K))
    o = model.output(model.step(x[0], *model.initial_state(B))).data
    assert model(x[:1], y[:1]).item() == pytest.approx(((o - y[0]) ** 2).sum() / 2 / B, rel=1e-13)


# -- a memory with heads -------------------------------------------------------------------------------------


def test_turning_weights_moves_them_around_the_end():
    w = tg.Tensor(np.array([[1.0, 2, 3, 4]]))
    assert turned(w, 1).tolist() == [[4, 1, 2, 3]]
    assert turned(w, -1).tolist() == [[2, 3, 4, 1]]


def test_cosine_is_1_for_the_same_direction_and_0_for_a_right_angle_and_for_nothing():
    M = np.array([[[2.0, 0], [0, 3], [-1, 0], [0, 0]]])
    np.testing.assert_allclose(cosine(tg.Tensor(np.array([[[5.0, 0]]])), M).data, [[1, 0, -1, 0]], atol=1e-12)


def head(**biases):
    """A head whose settings are these, whatever h is."""
    head = Head(H, 2, rng=0)
    for p in head.parameters():
        p.data = np.zeros(p.shape)
    for name, value in biases.items():
        getattr(head, f"b{name}").data = np.array(value, float)
    return head


M = np.array([[[1.0, 0], [0, 1], [-1, 0], [0, -1]]])
SHARP, STAY, BACK, ON = [50.0], [0, 500, 0], [500, 0, 0], [0, 0, 500]


@pytest.mark.parametrize(
    ("settings", "weights"),
    [
        ({"k": [0, 9], "β": [50], "g": [90], "s": STAY}, [0, 1, 0, 0]),  # by content
        ({"k": [0, 9], "β": [50], "g": [-90], "s": STAY}, [0, 0, 0, 1]),  # where it was
        ({"g": [-90], "s": ON}, [1, 0, 0, 0]),  # one on, around the end
        ({"g": [-90], "s": BACK}, [0, 0, 1, 0]),
        ({"β": [-90], "g": [90], "s": STAY}, [0.25] * 4),  # no preference
    ],
)
def test_a_head_finds_its_place_by_content_or_from_where_it_was(settings, weights):
    before = np.array([[0.0, 0, 0, 1]])
    w = head(γ=SHARP, **settings)(np.zeros((1, H)), M, before)
    np.testing.assert_allclose(w.data, [weights], atol=1e-6)


def test_a_memory_without_places_is_an_error():
    with pytest.raises(ValueError, match="at least one place, not 0"):
        TuringCell(D, H, 0, 2, rng=0)


def test_the_weights_of_heads_stay_weights_for_hundreds_of_steps(rng):
    cell = shaken(TuringCell(D, H, 8, 4, rng=0), 2.0)
    _, state = run(cell, rng.normal(size=(300, B, D)))
    for w in state.w_read.data, state.w_write.data:
        assert (w >= 0).all()
        np.testing.assert_allclose(w.sum(axis=1), 1, rtol=1e-12)
    assert np.isfinite(state.M.data).all()


def test_what_was_written_at_one_place_is_read_there_and_the_rest_stays(rng):
    cell = TuringCell(D, H, 4, 2, rng=0)
    cell.write, cell.read = (head(g=[-90], s=STAY, γ=SHARP) for _ in range(2))
    cell.We.data, cell.be.data = np.zeros((2, H)), np.full(2, 90.0)
    memory, place = rng.normal(size=(1, 4, 2)), np.eye(4)[[2]]
    state = TuringState(np.zeros((1, H)), memory, place, place, np.zeros((1, 2)))
    out, after = cell(rng.normal(size=(1, D)), state)
    h = out.data[:, :H]
    written = np.tanh(h @ cell.Wv.data.T + cell.bv.data)
    np.testing.assert_allclose(after.M.data[0, 2], written[0], rtol=1e-9)
    np.testing.assert_allclose(after.r.data, written, rtol=1e-9)
    np.testing.assert_allclose(after.M.data[0, [0, 1, 3]], memory[0, [0, 1, 3]], rtol=1e-9)


def by_hand(w, name, h, M, before):
    """The weights of a head over the places of one memory M (N, size), by the equations."""
    k, β, g, s, γ = (w[f"{name}.W{part}"] @ h + w[f"{name}.b{part}"] for part in ("k", "β", "g", "s", "γ"))
    k, β, g, γ = np.tanh(k), np.log1p(np.exp(β)), 1 / (1 + np.exp(-g)), 1 + np.log1p(np.exp(γ))
    s = np.exp(s) / np.exp(s).sum()
    e = np.exp([β[0] * (k @ m) / np.linalg.norm(k) / np.linalg.norm(m) for m in M])
    weights, N = g * e / e.sum() + (1 - g) * before, len(M)
    weights = np.array([s[0] * weights[(i + 1) % N] + s[1] * weights[i] + s[2] * weights[i - 1] for i in range(N)])
    return weights**γ / (weights**γ).sum()


def test_a_machine_with_a_memory_is_its_equations(rng):
    cell, x, N, size = shaken(TuringCell(D, H, 4, 2, rng=0), 1.0), rng.normal(size=(T, 1, D)), 4, 2
    w = {path: p.data for path, p in cell.named_parameters()}
    h, r, M = np.zeros(H), np.zeros(size), np.full((N, size), 1e-6)
    write = read = np.eye(N)[0]
    outputs, _ = run(cell, x)
    for x_t, output in zip(x[:, 0], outputs, strict=True):
        h = np.tanh(w["b"] + w["W"] @ h + w["U"] @ x_t + w["R"] @ r)
        write = by_hand(w, "write", h, M, write)
        e = 1 / (1 + np.exp(-(w["We"] @ h + w["be"])))
        v = np.tanh(w["Wv"] @ h + w["bv"])
        M = M * (1 - np.outer(write, e)) + np.outer(write, v)
        read = by_hand(w, "read", h, M, read)
        r = read @ M
        np.testing.assert_allclose(output.data[0], [*h, *r], rtol=1e-6)


def test_a_machine_with_a_memory_learns_to_repeat_bits_after_a_pause(rng):
    """Two bits in, a mark, two bits out: 2 ln 2 = 1.39 nats for who has kept nothing."""
    model = EachStep(TuringCell(2, 16, 4, 4, rng=0), 20, 1, rng=0)
    optimiser = Adam(model.parameters(), lr=0.01)
    for _ in range(300):
        bits = rng.integers(2, size=(2, 32))
        x = np.zeros((4, 32, 2))
        x[:2, :, 0], x[2:, :, 1] = 2 * bits - 1, 1
        optimiser.zero_grad()
        L = model(x, np.concatenate([np.zeros((2, 32), bool), bits.astype(bool)])[..., None])
        L.backward()
        tg.clip_grad_norm(model.parameters(), 1.0)
        optimiser.step()
    assert L.item() < 0.3


# -- a memory of facts ---------------------------------------------------------------------------------------


def test_a_memory_network_is_its_equations(rng):
    model, x, q = shaken(MemoryNetwork(D, H, K, hops=3, rng=0)), rng.normal(size=(T, B, D)), rng.normal(size=(B, D))
    w = {path: p.data for path, p in model.named_parameters()}
    o, looks = model.output(x, q)
    for i in range(B):
        u = w["Q"] @ q[i]
        for look in looks:
            e = np.array([u @ (w["K"] @ fact) for fact in x[:, i]])
            α = np.exp(e) / np.exp(e).sum()
            np.testing.assert_allclose(look.data[i], α, rtol=1e-12)
            u = w["H"] @ u + sum(weight * (w["R"] @ fact) for weight, fact in zip(α, x[:, i], strict=True))
        np.testing.assert_allclose(o.data[i], w["V"] @ u, rtol=1e-11)


def test_facts_in_the_padding_are_not_looked_at_though_they_be_nan(rng):
    model, lengths = shaken(MemoryNetwork(D, H, K, rng=0)), np.array([6, 1, 4])
    x, q, y = rng.normal(size=(T, B, D)), rng.normal(size=(B, D)), rng.integers(K, size=B)
    padded = np.where(np.arange(T)[:, None, None] < lengths[:, None], x, np.nan)
    o, looks = model.output(padded, q, lengths)
    for i, n in enumerate(lengths):
        np.testing.assert_allclose(o.data[i], model.output(x[:n, i : i + 1], q[i : i + 1])[0].data[0], rtol=1e-12)
        assert all((look.data[i, n:] == 0).all() for look in looks)
    model(padded, q, y, lengths).backward()
    assert all(np.isfinite(p.grad.data).all() for p in model.parameters())
    with pytest.raises(ValueError, match="nothing to look at"):
        model(padded, q, y, np.array([6, 0, 4]))
    with pytest.raises(ValueError, match="at least once, not 0 times"):
        MemoryNetwork(D, H, K, hops=0, rng=0)
    with pytest.raises(tg.ShapeError, match="3 lists of facts need 3 questions, not 1"):
        model(x, q[:1], y)


def test_the_answer_does_not_depend_on_the_order_of_the_facts(rng):
    model, x, q = shaken(MemoryNetwork(D, H, K, rng=0)), rng.normal(size=(T, B, D)), rng.normal(size=(B, D))
    np.testing.assert_allclose(model.output(x[::-1], q)[0].data, model.output(x, q)[0].data, rtol=1e-12)


# -- recursive networks --------------------------------------------------------------------------------------


def test_a_recursive_network_composes_as_its_tree_says(rng):
    model, x, y = shaken(Recursive(D, H, K, rng=0)), rng.normal(size=(3, B, D)), rng.integers(K, size=B)
    w = {path: p.data for path, p in model.named_parameters()}
    leaf = [np.tanh(w["bv"] + x_i @ w["V"].T) for x_i in x]

    def node(left, right):
        return np.tanh(w["b"] + left @ w["U"].T + right @ w["W"].T)

    cases = [
        (1, leaf[1]),
        ((0, 1), node(leaf[0], leaf[1])),
        ((1, 0), node(leaf[1], leaf[0])),
        (((0, 1), 2), node(node(leaf[0], leaf[1]), leaf[2])),
        ((2, (0, 0)), node(leaf[2], node(leaf[0], leaf[0]))),
    ]
    for tree, h in cases:
        np.testing.assert_allclose(model.compose(x, tree).data, h, rtol=1e-13)
        o = w["c"] + h @ w["Q"].T
        expected = np.mean(np.log(np.exp(o).sum(axis=1)) - o[np.arange(B), y])
        assert model(x, y, tree).item() == pytest.approx(expected, rel=1e-13)


def test_a_tree_puts_fewer_compositions_between_a_leaf_and_the_root_than_a_chain(rng):
    model, x = Recursive(1, 1, 1, rng=0), np.full((8, 1, 1), 1e-9)
    for p in model.parameters():
        p.data = np.full(p.shape, 0.5 if p.ndim == 2 else 0.0)
    balanced = (((0, 1), (2, 3)), ((4, 5), (6, 7)))
    chain = 0
    for leaf in range(1, 8):
        chain = (chain, leaf)
    for tree, depth in (balanced, 3), (chain, 7):
        slope = tg.grad(lambda x, tree=tree: tg.sum(model.compose(x, tree)))(x)
        assert slope.data[0].item() == pytest.approx(0.5 ** (depth + 1), rel=1e-6)


@pytest.mark.parametrize(
    ("tree", "error", "message"),
    [
        ((0, 3), IndexError, "leaf 3 is not one of the 3 inputs, 0 to 2"),
        (-1, IndexError, "leaf -1 is not one of the 3 inputs"),
        ((0, 1, 2), TypeError, r"a node a pair of trees, not \(0, 1, 2\)"),
        ((0,), TypeError, "a node a pair"),
        ((), TypeError, "a node a pair"),
        ([0, 1], TypeError, r"not \[0, 1\]"),
        ((0, "1"), TypeError, "not '1'"),
        (None, TypeError, "not None"),
    ],
)
def test_what_is_no_tree_is_an_error_that_says_what_one_is(tree, error, message, rng):
    with pytest.raises(error, match=message):
        Recursive(D, H, K, rng=0)(rng.normal(size=(3, B, D)), np.zeros(B, int), tree)
