"""The driver that runs cells, padding, the loss of a step, a learned start."""

import numpy as np
import pytest

import tinygrad_rnn as tg
from zoo.gru import GRUCell
from zoo.leaky import LeakyCell
from zoo.lstm import LSTMCell, LSTMState
from zoo.readout import AtEnd, EachStep
from zoo.rnn import RNNCell
from zoo.sequence import LearnedStart, last, loss, run, within
from zoo.skip import SkipCell
from zoo.turing import TuringCell

T, D, H, K = 6, 3, 4, 5
LENGTHS = np.array([6, 1, 0, 4])
B = len(LENGTHS)

CELLS = {
    "rnn": lambda: RNNCell(D, H, rng=0),
    "leaky": lambda: LeakyCell(D, H, 3.0, rng=0),
    "skip": lambda: SkipCell(D, H, 3, rng=0),
    "lstm": lambda: LSTMCell(D, H, rng=0),
    "gru": lambda: GRUCell(D, H, rng=0),
    "learned start": lambda: LearnedStart(LSTMCell(D, H, rng=0)),
}


@pytest.fixture(params=CELLS)
def cell(request):
    return CELLS[request.param]()


@pytest.fixture
def x():
    """Sequences of `LENGTHS`, NaN beyond."""
    x = np.random.default_rng(0).normal(size=(T, B, D))
    return np.where(within(LENGTHS, T, B)[..., None], x, np.nan)


def flat(state):
    return [np.asarray(part.data if isinstance(part, tg.Tensor) else part) for part in state_parts(state)]


def state_parts(state):
    return state if isinstance(state, tuple) else (state,)


@pytest.mark.parametrize("reverse", [False, True])
def test_outputs_and_states_under_lengths_are_those_of_each_sequence_by_itself(cell, x, reverse):
    y, state = run(cell, x, lengths=LENGTHS, reverse=reverse)
    for i, length in enumerate(LENGTHS):
        alone, alone_state = run(cell, x[:length, i : i + 1], reverse=reverse)
        for t in range(T):
            expected = alone[t].data[0] if t < length else np.zeros(H)
            np.testing.assert_allclose(y[t].data[i], expected, rtol=0, atol=1e-12)
        for part, expected in zip(flat(state), flat(alone_state), strict=True):
            np.testing.assert_allclose(part[i], expected[0], rtol=0, atol=1e-12)


@pytest.mark.parametrize("readout", [EachStep, AtEnd])
def test_loss_and_gradients_under_lengths_are_those_of_each_sequence_by_itself(cell, x, readout):
    model = readout(cell, H, K, rng=1)
    y = np.random.default_rng(1).integers(K, size=(T, B) if readout is EachStep else B)
    L = model(x, y, LENGTHS)
    L.backward()
    together = {path: p.grad.data for path, p in model.named_parameters()}
    total, gradients = 0.0, {path: np.zeros(p.shape) for path, p in model.named_parameters()}
    for i, length in enumerate(LENGTHS):
        for p in model.parameters():
            p.grad = None
        if readout is EachStep:
            alone = model(x[:length, i : i + 1], y[:length, i : i + 1]) if length else tg.Tensor(0.0)
        else:  # of a sequence of no steps the output is c
            alone = model(x[:length, i : i + 1], y[i : i + 1]) if length else tg.cross_entropy(model.c, y[i])
        total += alone.item() / B
        if alone.requires_grad:
            alone.backward()
        for path, p in model.named_parameters():
            gradients[path] += 0 if p.grad is None else p.grad.data / B
    assert L.item() == pytest.approx(total, rel=1e-12)
    for path, gradient in gradients.items():
        np.testing.assert_allclose(together[path], gradient, rtol=1e-12, atol=1e-12, err_msg=path)


def test_reversed_it_is_the_run_over_the_reversed_sequence_with_outputs_in_the_order_of_time():
    x = np.random.default_rng(0).normal(size=(T, B, D))
    cell = GRUCell(D, H, rng=0)
    y, state = run(cell, x, reverse=True)
    expected, expected_state = run(cell, x[::-1])
    assert all((a.data == b.data).all() for a, b in zip(y, reversed(expected), strict=True))
    assert (state.data == expected_state.data).all()


def test_a_run_in_two_halves_is_the_run_in_one():
    x = np.random.default_rng(0).normal(size=(T, B, D))
    cell = LSTMCell(D, H, rng=0)
    whole, end = run(cell, x)
    first, middle = run(cell, x[:2])
    second, last_state = run(cell, x[2:], middle)
    assert all((a.data == b.data).all() for a, b in zip(whole, first + second, strict=True))
    assert (last_state.s.data == end.s.data).all()
    assert isinstance(last_state, LSTMState)


def test_no_steps_give_no_outputs_and_leave_the_state():
    y, state = run(LSTMCell(D, H, rng=0), np.zeros((0, 2, D)), LSTMState(np.ones((2, H)), np.full((2, H), 2.0)))
    assert y == []
    assert (state.s == 2).all()


def test_one_step_of_one_sequence_is_the_cell_itself():
    cell, x = GRUCell(D, H, rng=0), np.ones((1, 1, D))
    (y,), state = run(cell, x)
    assert (y.data == cell(x[0], np.zeros((1, H)))[0].data).all()
    assert y.shape == state.shape == (1, H)


def test_last_is_each_sequences_own_last_output(x):
    y, h = run(RNNCell(D, H, rng=0), x, lengths=LENGTHS)
    assert (last(y, LENGTHS).data == h.data).all()
    assert not last(y, LENGTHS).data[2].any()  # no steps
    assert last(y) is y[-1]
    assert (last(y, LENGTHS.astype(np.uint8)).data == h.data).all()
    assert (last(y, LENGTHS.tolist()).data == h.data).all()
    with pytest.raises(ValueError, match="a sequence of no steps has no last output"):
        last([])


@pytest.mark.parametrize(
    ("lengths", "error", "message"),
    [
        ([1, 2, 7, 3], ValueError, "lengths: 1…7 are not all from 0 to 6"),
        ([1, -1, 2, 3], ValueError, "lengths: -1…3 are not all from 0 to 6"),
        ([1, 2, 3], tg.ShapeError, r"4 sequences need lengths of shape \(4,\), not \(3,\)"),
        (3, tg.ShapeError, r"4 sequences need lengths of shape \(4,\), not \(\)"),
        ([1.0, 2.0, 3.0, 4.0], TypeError, "lengths: must be integers, not float64"),
        ([[1], [2], [3], [4]], tg.ShapeError, r"not \(4, 1\)"),
        ([np.nan] * 4, TypeError, "must be integers, not float64"),
        ([True, False, True, True], TypeError, "must be integers, not bool"),
        (["1", "2", "3", "4"], TypeError, "must be integers, not <U1"),
        ([1, 2, None, 4], TypeError, "must be integers, not object"),
        ([1, 2, 3, 2**70], TypeError, "must be integers, not object"),
        ("1234", tg.ShapeError, r"not \(\)"),
    ],
)
def test_lengths_that_do_not_fit_are_errors_that_say_what_would(lengths, error, message):
    with pytest.raises(error, match=message):
        run(RNNCell(D, H, rng=0), np.zeros((T, B, D)), lengths=lengths)


@pytest.mark.parametrize(
    "state",
    [
        np.zeros((2, H)),  # an LSTM would take its rows for h and s
        LSTMState(np.zeros((2, H)), np.zeros((2, H + 1))),
        LSTMState(np.zeros((1, H)), np.zeros((1, H))),
        (np.zeros((2, H)), np.zeros((2, H))),
        "h",
    ],
)
def test_a_state_of_another_form_is_an_error_that_says_which_it_must_be(state):
    with pytest.raises(
        tg.ShapeError, match=r"LSTMCell: the state must be \{'state\.h': \(2, 4\), 'state\.s': \(2, 4\)\}"
    ):
        run(LSTMCell(D, H, rng=0), np.zeros((T, 2, D)), state)


def test_a_learned_start_begins_at_zero_and_gets_the_gradient_of_all_sequences():
    x, y = np.random.default_rng(0).normal(size=(T, B, D)), np.zeros((T, B), int)
    cell = LSTMCell(D, H, rng=0)
    learned = EachStep(LearnedStart(cell), H, K, rng=1)
    plain = EachStep(cell, H, K, rng=1)
    assert learned(x, y).item() == plain(x, y).item()
    assert {path: p.shape for path, p in learned.named_parameters() if "start" in path} == {
        "cell.start.0": (1, H),
        "cell.start.1": (1, H),
    }

    def of_start(h, s):
        states, _ = run(cell, x, LSTMState(np.broadcast_to(h, (B, H)), np.broadcast_to(s, (B, H))))
        return sum(loss(plain.c + h_t @ plain.V.T, y_t) for h_t, y_t in zip(states, y, strict=True))

    learned(x, y).backward()
    expected = tg.grad(of_start, argnums=(0, 1))(np.zeros((1, H)), np.zeros((1, H)))
    for found, gradient in zip(learned.cell.start, expected, strict=True):
        np.testing.assert_allclose(found.grad.data, gradient.data, rtol=1e-12)


def test_the_loss_is_the_negative_log_likelihood_of_classes_of_bits_and_of_numbers():
    rng = np.random.default_rng(0)
    o = rng.normal(size=(B, K))
    y = rng.integers(K, size=B)
    assert loss(tg.Tensor(o), y).item() == pytest.approx(
        np.mean([np.log(np.exp(r).sum()) - r[i] for r, i in zip(o, y, strict=True)])
    )
    bits = rng.random((B, K)) < 0.5
    p = 1 / (1 + np.exp(-o))
    assert loss(tg.Tensor(o), bits).item() == pytest.approx(-np.log(np.where(bits, p, 1 - p)).sum() / B)
    values = rng.normal(size=(B, K))
    assert loss(tg.Tensor(o), values).item() == pytest.approx(((o - values) ** 2).sum() / 2 / B)


@pytest.mark.parametrize("kind", ["classes", "bits", "numbers"])
def test_a_row_that_does_not_count_adds_nothing_whatever_is_there(kind):
    rng = np.random.default_rng(0)
    counts = np.array([True, False, True, False])
    y = {"classes": rng.integers(K, size=B), "bits": rng.random((B, K)) < 0.5, "numbers": rng.normal(size=(B, K))}[kind]
    o = tg.Tensor(rng.normal(size=(B, K)), requires_grad=True)
    expected = loss(o[counts], y[counts]) / 2
    y[1] = 99 if kind == "classes" else y[1]
    if kind == "numbers":
        y[1] = np.nan
    spoiled = tg.Tensor(np.where(counts[:, None], o.data, np.nan), requires_grad=True)
    found = loss(spoiled, y, counts)
    assert found.item() == pytest.approx(expected.item(), rel=1e-14)
    found.backward()
    expected.backward()
    np.testing.assert_allclose(spoiled.grad.data, np.where(counts[:, None], o.grad.data, 0), rtol=1e-14)


# -- the record --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        (RNNCell, ["state"]),
        (LSTMCell, ["state.h", "state.s"]),
        (lambda D, H, rng: SkipCell(D, H, 3, rng=rng), ["state[0]", "state[1]", "state[2]"]),
        (
            lambda D, H, rng: TuringCell(D, H, 3, 2, rng=rng),
            ["state.M", "state.h", "state.r", "state.w_read", "state.w_write"],
        ),
    ],
)
def test_under_lengths_the_state_that_is_kept_has_a_name_and_both_passes_fold(kind, names):
    cell, x = kind(D, H, rng=0), np.random.default_rng(0).normal(size=(T, B, D))

    def total(x):
        outputs, _ = run(cell, x, lengths=LENGTHS)
        return sum(tg.sum(y) for y in outputs)

    graph = tg.record(total, x)
    kept = [step.name for step in graph.steps if step.operation is not None and step.operation.name == "where"]
    assert sorted({name for name in kept if name and name.startswith("state")}) == names
    assert graph.fold().lengths == graph.backward().fold().lengths == [T]


def test_the_state_of_hundreds_of_parts_is_kept_too():
    cell = SkipCell(1, 1, 1500, rng=0)
    _, state = run(cell, np.ones((2, 2, 1)), lengths=[1, 2])
    assert len(state) == 1500
    assert [bool(part.data[0]) for part in state[-3:]] == [False, False, True]
