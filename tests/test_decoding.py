"""Greedy, sampled and beam decoding: what they find, and that a batch is its sequences one by one."""

import itertools

import numpy as np
import pytest

import tinygrad_rnn as tg
from zoo.attentive import AttentiveDecoder
from zoo.decoding import beam, greedy, sample
from zoo.encoder_decoder import EncoderDecoder
from zoo.generative import Generative
from zoo.pointer import Pointer


def shaken(model, scale=1.0, seed=0):
    for i, p in enumerate(model.parameters()):
        p.data = np.random.default_rng([seed, i]).normal(size=p.shape) * scale
    return model


def table(first, *after):
    """A cell that draws from `first`, and after symbol k from ``after[k]``."""

    def cell(y, state):
        before = np.asarray(y)
        p = np.where(before.any(axis=-1, keepdims=True), before @ np.array(after), first)
        with np.errstate(divide="ignore"):
            return tg.Tensor(np.log(p)), state

    return cell


START = np.zeros((1, 3))


def test_a_beam_of_2_finds_what_greedy_walks_past():
    """p(A) = .6, then at most .4: .24. p(B) = .4, then .9: .36."""
    cell = table([0.6, 0.4, 0.0], [0.4, 0.3, 0.3], [0.9, 0.05, 0.05], [1 / 3] * 3)
    for how, options, labels, p in (greedy, {}, [0, 0], 0.24), (beam, {"width": 2}, [1, 0], 0.36):
        found = how(cell, START, None, 2, **options)
        assert found.labels[:, 0].tolist() == labels
        assert np.exp(found.log_p) == pytest.approx([p])


@pytest.fixture
def model():
    return shaken(Generative(3, 5, rng=0))


def decoded(model, how, B=1, **options):
    return how(model.step, model.nothing_said(B), model.initial_state(B), **options)


def all_ended(symbols, T, end):
    """Every sequence of at most T symbols that ends with `end`, or has T symbols and does not."""
    for n in range(1, T + 1):
        for y in itertools.product(range(symbols), repeat=n):
            if end not in y[:-1] and (y[-1] == end or n == T):
                yield y


@pytest.mark.parametrize("length_power", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("seed", range(6))
def test_a_beam_that_holds_all_sequences_is_the_exhaustive_search(length_power, seed):
    model, T, end = shaken(Generative(3, 5, rng=0), 2.0, seed), 4, 2
    ys = list(all_ended(3, T, end))
    scores = [model.log_likelihood(np.array(y)[:, None]).item() / len(y) ** length_power for y in ys]
    found = decoded(model, beam, T=T, width=100, end=end, length_power=length_power)
    n = found.lengths[0]
    assert tuple(found.labels[:n, 0].tolist()) == ys[np.argmax(scores)]
    assert found.log_p[0] / n**length_power == pytest.approx(max(scores), rel=1e-12)


def test_without_normalisation_short_sequences_win_and_with_it_long_ones_may():
    """To end at once has probability .4, and to go on twice .3 · .98 · .99 = .29, which is better per symbol."""
    cell = table([0.3, 0.3, 0.4], [0.01, 0.98, 0.01], [0.005, 0.005, 0.99], [1 / 3] * 3)
    short = beam(cell, START, None, 3, width=50, end=2, length_power=0)
    assert short.labels[: short.lengths[0], 0].tolist() == [2]
    long = beam(cell, START, None, 3, width=50, end=2, length_power=1)
    assert long.labels[: long.lengths[0], 0].tolist() == [0, 1, 2]


def test_a_beam_of_1_is_greedy(model):
    one, other = decoded(model, beam, T=8, width=1, B=3), decoded(model, greedy, T=8, B=3)
    assert (one.labels == other.labels).all()
    np.testing.assert_allclose(one.log_p, other.log_p, rtol=1e-12)


def test_a_beam_wider_than_the_vocabulary_finds_no_worse_than_a_narrow_one(model):
    log_p = np.array([decoded(model, beam, T=6, width=width).log_p[0] for width in (1, 2, 3, 10, 1000)])
    assert (log_p <= log_p[-1] + 1e-12).all()
    best = max(model.log_likelihood(np.array(y)[:, None]).item() for y in itertools.product(range(3), repeat=6))
    assert log_p[-1] == pytest.approx(best, rel=1e-12)


@pytest.mark.parametrize("how", [greedy, beam, sample])
@pytest.mark.parametrize("seed", range(6))
def test_log_p_is_the_models_own_log_likelihood_up_to_the_end_and_after_it_all_is_end(how, seed):
    model = shaken(Generative(3, 5, rng=0), 1.0, seed)
    options = {beam: {"width": 4}, sample: {"rng": 0}}.get(how, {})
    found = decoded(model, how, T=7, B=40 if how is sample else 2, end=1, **options)
    np.testing.assert_allclose(model.log_likelihood(found.labels, found.lengths).data, found.log_p, rtol=1e-12)
    for y, n in zip(found.labels.T, found.lengths, strict=True):
        assert (y[n:] == 1).all()
        assert 1 not in y[: n - 1]
        assert y[n - 1] == 1 or n == 7
    if how is sample:
        assert len(set(found.lengths)) > 1


def test_sampling_near_temperature_0_is_greedy_and_hot_it_is_uniform(model):
    cold = decoded(model, sample, T=8, B=5, rng=0, temperature=1e-9)
    assert (cold.labels == decoded(model, greedy, T=8, B=5).labels).all()
    hot = decoded(model, sample, T=1, B=30_000, rng=0, temperature=1e9)
    np.testing.assert_allclose(np.bincount(hot.labels[0]) / 30_000, 1 / 3, atol=0.012)
    again = decoded(model, sample, T=1, B=30_000, rng=0, temperature=1e9)
    assert (hot.labels == again.labels).all()


@pytest.mark.parametrize("kind", ["encoder-decoder", "attention", "pointer"])
def test_a_batch_is_decoded_as_its_sequences_one_by_one_under_lengths(kind):
    rng, lengths, n, B = np.random.default_rng(0), np.array([5, 2, 3]), 5, 3
    x = np.where(np.arange(n)[:, None, None] < lengths[:, None], rng.normal(size=(n, B, 2)), np.nan)
    model = {
        "encoder-decoder": lambda: EncoderDecoder(2, 6, 4, rng=0),
        "attention": lambda: AttentiveDecoder(2, 6, 4, rng=0),
        "pointer": lambda: Pointer(2, 6, rng=0),
    }[kind]()
    shaken(model)
    cell = model.decoder.step if kind == "encoder-decoder" else model.step

    def nothing_said(n, B):
        return {"encoder-decoder": lambda: model.decoder.nothing_said(B)}.get(
            kind, lambda: model.nothing_said(n, B) if kind == "pointer" else model.nothing_said(B)
        )()

    for how, options in (greedy, {}), (beam, {"width": 3}):
        end = None if kind == "pointer" else 0
        together = how(cell, nothing_said(n, B), model.initial_state(x, lengths), T=6, end=end, **options)
        for i, m in enumerate(lengths):
            alone = how(cell, nothing_said(m, 1), model.initial_state(x[:m, i : i + 1]), T=6, end=end, **options)
            steps = alone.lengths[0]
            assert together.lengths[i] == steps
            assert together.labels[:steps, i].tolist() == alone.labels[:steps, 0].tolist()
            assert together.log_p[i] == pytest.approx(alone.log_p[0], rel=1e-12)


def test_no_steps_decode_to_nothing(model):
    for found in decoded(model, greedy, T=0, B=2), decoded(model, beam, T=0, B=2, width=3):
        assert found.labels.shape == (0, 2)
        assert found.log_p.tolist() == [0, 0]


def test_decoding_refuses_what_makes_no_sense(model):
    for width in 0, -1, 2.5, np.nan, "2":
        with pytest.raises(ValueError, match="width is a whole number from 1 up, not "):
            decoded(model, beam, T=3, width=width)
    for power in -1, np.nan, np.inf:
        with pytest.raises(ValueError, match="length_power is finite and at least 0"):
            decoded(model, beam, T=3, width=2, length_power=power)
    for temperature in 0, -1, np.nan:
        with pytest.raises(ValueError, match="temperature is above 0"):
            decoded(model, sample, T=3, rng=0, temperature=temperature)
    with pytest.raises(TypeError, match="rng is None"):
        decoded(model, sample, T=3, rng=None)


each_way = pytest.mark.parametrize(("how", "options"), [(greedy, {}), (sample, {"rng": 0}), (beam, {"width": 2})])


@each_way
def test_an_end_that_is_no_label_would_never_come_and_is_an_error(how, options, model):
    for end in 3, -1, 1.5, "a":
        with pytest.raises(ValueError, match="end: a label from 0 to 2, or None, not "):
            decoded(model, how, T=3, end=end, **options)


@each_way
def test_steps_are_a_whole_number_from_0_up(how, options, model):
    for T in -1, 2.5, np.nan, "3", None:
        with pytest.raises(ValueError, match="T: a whole number from 0 up, not "):
            decoded(model, how, T=T, **options)


@each_way
def test_a_state_or_a_first_symbol_of_another_batch_is_an_error_that_names_the_part(how, options, model):
    for B in 1, 3:
        with pytest.raises(
            tg.ShapeError, match=rf"state must have a row for each of 2 sequences, not shape \({B}, 5\)"
        ):
            how(model.step, model.nothing_said(2), model.initial_state(B), T=3, **options)
    pointer = Pointer(2, 6, rng=0)
    state = pointer.initial_state(np.ones((4, 2, 2)))._replace(h=tg.Tensor(np.ones((3, 4, 6))))
    with pytest.raises(tg.ShapeError, match=r"state\.h must have a row for each of 2 sequences"):
        how(pointer.step, pointer.nothing_said(4, 2), state, T=3, **options)
    for y in np.zeros(3), np.zeros(2, int), None:
        with pytest.raises(tg.ShapeError, match=r"y must be of shape \(B, symbols\), not \("):
            how(model.step, y, model.initial_state(2), T=3, **options)


@each_way
def test_no_sequences_decode_to_none(how, options, model):
    found = decoded(model, how, T=3, B=0, **options)
    assert found.labels.shape[1:] == found.lengths.shape == found.log_p.shape == (0,)


@pytest.mark.parametrize("end", [None, 0])
def test_a_beam_wider_than_there_are_sequences_has_empty_places_and_finds_the_best(model, end):
    """One step, three sequences, fifty places."""
    found = decoded(model, beam, T=1, width=50, B=2, end=end)
    o, _ = model.step(model.nothing_said(2), model.initial_state(2))
    assert (found.labels == o.data.argmax(-1)).all()
    np.testing.assert_allclose(found.log_p, tg.log_softmax(o).data.max(-1), rtol=1e-12)
