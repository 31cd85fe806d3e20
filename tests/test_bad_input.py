"""What does not fit: for every model that reads or writes a sequence an error that says what would."""

import numpy as np
import pytest

import tinygrad_rnn as tg
import viz
from zoo.attention import InputAttention
from zoo.attentive import AttentiveDecoder
from zoo.bidirectional import Bidirectional
from zoo.echo_state import EchoState
from zoo.encoder_decoder import EncoderDecoder
from zoo.generative import Generative
from zoo.memory_network import MemoryNetwork
from zoo.pattern_1 import Pattern1
from zoo.pattern_2 import Pattern2
from zoo.pattern_3 import Pattern3, Pattern3Values
from zoo.pattern_4 import Pattern4
from zoo.pointer import Pointer
from zoo.readout import AtEnd, EachStep
from zoo.rnn import RNNCell
from zoo.sequence import loss, rows, run
from zoo.vector_to_sequence import VectorToSequence

T, B, D, H, K = 6, 4, 3, 4, 5
NUMBERS, LABELS, LABEL = np.ones((T, B, K)), np.zeros((T, B), int), np.zeros(B, int)

READERS = {
    "each step": (lambda: EachStep(RNNCell(D, H, rng=0), H, K, rng=0), [LABELS]),
    "at the end": (lambda: AtEnd(RNNCell(D, H, rng=0), H, K, rng=0), [LABEL]),
    "pattern 1": (lambda: Pattern1(D, H, K, rng=0), [LABELS]),
    "pattern 2": (lambda: Pattern2(D, H, K, rng=0), [LABEL]),
    "pattern 3": (lambda: Pattern3(D, H, K, rng=0), [LABELS]),
    "pattern 3, free": (lambda: Pattern3Values(D, H, K, rng=0), [NUMBERS, 0]),
    "pattern 4": (lambda: Pattern4(D, H, K, rng=0), [LABELS]),
    "bidirectional": (lambda: Bidirectional(D, H, K, rng=0), [LABELS]),
    "echo state": (lambda: EchoState(D, H, K, rng=0), [NUMBERS]),
    "encoder-decoder": (lambda: EncoderDecoder(D, H, K, rng=0), [LABELS]),
    "attention": (lambda: AttentiveDecoder(D, H, K, rng=0), [LABELS]),
    "input attention": (lambda: InputAttention(D, H, K, rng=0), [LABEL]),
    "pointer": (lambda: Pointer(D, H, rng=0), [LABELS]),
    "memory network": (lambda: MemoryNetwork(D, H, K, rng=0), [np.ones((B, D)), LABEL]),
}
"""Every model that reads a sequence, and what is given to it after x."""

STEPWISE = [
    "each step", "pattern 1", "pattern 3", "pattern 3, free", "pattern 4", "bidirectional", "echo state"
]  # fmt: skip

WRITERS = {
    "pattern 3": (lambda: Pattern3(D, H, K, rng=0), [np.ones((T, B, D))]),
    "pattern 4": (lambda: Pattern4(D, H, K, rng=0), [np.ones((T, B, D))]),
    "generative": (lambda: Generative(K, H, rng=0), []),
    "vector to sequence": (lambda: VectorToSequence(D, H, K, rng=0), [np.ones((B, D))]),
    "encoder-decoder": (lambda: EncoderDecoder(D, H, K, rng=0), [np.ones((T, B, D))]),
    "attention": (lambda: AttentiveDecoder(D, H, K, rng=0), [np.ones((T, B, D))]),
}
"""Every model of a distribution over sequences of symbols, and what is given to it before y."""


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("x", [np.ones((B, D)), np.ones((T, B, D, 1)), 3.0, "x", None, [[]]], ids=np.shape)
def test_what_is_no_batch_of_sequences_is_an_error_that_says_what_one_is(name, x):
    build, rest = READERS[name]
    with pytest.raises(tg.ShapeError, match=r"x must be of shape \(T, B, inputs\)"):
        build()(x, *rest)


@pytest.mark.parametrize("name", READERS)
def test_x_of_other_features_is_an_error_that_names_the_product(name):
    build, rest = READERS[name]
    with pytest.raises(tg.ShapeError, match=r"2 ≠ 3   x @ self\.[UK]\.T"):
        build()(np.ones((T, B, 2)), *rest)


@pytest.mark.parametrize("name", READERS)
def test_no_steps_and_no_sequences_have_no_loss(name):
    build, rest = READERS[name]
    of_steps = [y[:0] if np.shape(y)[:1] == (T,) else y for y in rest]
    of_sequences = [y[:, :0] if np.shape(y)[:1] == (T,) else y[:0] if np.ndim(y) else y for y in rest]
    with pytest.raises(ValueError, match=r"T and B at least 1|a sequence of no steps"):
        build()(np.ones((0, B, D)), *of_steps)
    with pytest.raises(ValueError, match=r"T and B at least 1|of no sequences there is none"):
        build()(np.ones((T, 0, D)), *of_sequences)


@pytest.mark.parametrize("name", STEPWISE)
def test_answers_for_other_steps_or_sequences_are_an_error_that_gives_both_shapes(name):
    build, (y, *rest) = READERS[name]
    for wrong in y[:-1], y[:, :1], y[:0], np.concatenate([y, y]):
        with pytest.raises(tg.ShapeError, match=r"must have the same T and B: x is \(6, 4, 3\), y \("):
            build()(np.ones((T, B, D)), wrong, *rest)


@pytest.mark.parametrize("name", WRITERS)
def test_symbols_in_a_form_that_would_be_stretched_to_fit_are_an_error(name):
    """One sequence for all, a last axis of 1, numbers for labels: shapes that arithmetic takes without complaint."""
    build, given = WRITERS[name]
    forms = [LABELS[..., None], np.zeros((T, B)), NUMBERS[..., :1], NUMBERS[..., None], LABELS.astype(str), LABELS > 0]
    forms += [LABELS[:, :1], NUMBERS[:, :1]] if given else []
    for y in forms:
        with pytest.raises(tg.ShapeError, match=r"y must be labels, whole numbers|must have the same T and B"):
            build()(*given, y)


@pytest.mark.parametrize("name", WRITERS)
def test_labels_and_rows_of_any_number_type_and_lists_are_the_same(name):
    build, given = WRITERS[name]
    labels = np.random.default_rng(0).integers(K, size=(T, B))
    expected = build()(*given, labels).item()
    for y in (
        labels.tolist(),
        labels.astype(np.uint8),
        tg.Tensor(labels),
        np.eye(K)[labels],
        np.eye(K, dtype=int)[labels],
    ):
        assert build()(*given, y).item() == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize("name", ["each step", "bidirectional", "generative", "vector to sequence", "encoder-decoder"])
def test_where_all_is_padding_the_loss_is_0_and_so_are_the_gradients(name):
    """Even where all of it is NaN, or no label that there is."""
    build, rest = READERS.get(name) or WRITERS[name]
    model, none = build(), np.zeros(B, int)
    x, y = np.full((T, B, D), np.nan), np.full((T, B), -99)
    arguments = {
        "generative": (y, none), "vector to sequence": (*rest, y, none), "encoder-decoder": (x, y, none, none)
    }.get(name, (x, y, none))  # fmt: skip
    L = model(*arguments)
    L.backward()
    assert L.item() == 0
    assert all(p.grad is None or not p.grad.data.any() for p in model.parameters())


def test_rows_in_the_padding_are_not_looked_at_whatever_is_there():
    labels = np.array([[1, 2], [0, -99], [4, 10**9]])
    expected = np.eye(K)[[[1, 2], [0, 0], [4, 0]]]
    assert (rows(labels, 2, K, float, [3, 1]) == expected).all()
    with pytest.raises(IndexError, match="label -99"):
        rows(labels, 2, K, float)


def test_targets_in_lists_are_those_in_arrays_and_what_is_none_is_an_error():
    o = tg.Tensor(np.random.default_rng(0).normal(size=(B, K)))
    assert loss(o, [0, 1, 2, 3]).item() == loss(o, np.arange(4)).item()
    assert loss(o, np.ones((B, K)).tolist()).item() == loss(o, np.ones((B, K))).item()
    for y in None, "0123", ["0", "1", "2", "3"], [0.0, 1, 2, 3]:
        with pytest.raises((TypeError, tg.ShapeError)):
            loss(o, y)
    with pytest.raises(ValueError, match="of no sequences there is none"):
        loss(tg.Tensor(np.zeros((0, K))), np.zeros((0, K)))


def test_a_run_over_what_is_no_sequence_is_an_error_and_over_no_sequences_gives_none():
    cell = RNNCell(D, H, rng=0)
    for x in np.ones((T, D)), [np.ones(D)] * T, [], 3.0, None:
        with pytest.raises(tg.ShapeError, match=r"x must be of shape \(T, B, inputs\), not "):
            run(cell, x)
    y, state = run(cell, np.ones((T, 0, D)), lengths=[])
    assert [y_t.shape for y_t in y] == [(0, H)] * T
    assert state.shape == (0, H)


# -- records of a model of one's own ---------------------------------------------------------------------------

W, U = tg.Parameter(np.eye(H) / 2), tg.Parameter(np.ones((H, D)))


def elman(x):
    h = np.zeros(H)
    for x_t in x:
        h = np.tanh(W @ h + U @ x_t)
    return (h * h).sum()


@pytest.mark.parametrize("x", [np.ones((0, D)), [], (), {}])
def test_a_sequence_of_no_steps_runs_nothing_and_that_is_said(x):
    with pytest.raises(ValueError, match=r"^record: no operation of tinygrad_rnn ran; the function returned a numpy\."):
        tg.record(elman, x)


def test_a_sequence_of_one_step_has_no_loop():
    graph = tg.record(elman, np.ones((1, D)))
    assert viz.equations(graph) == "h₂ = tanh(U x₁)\nL = ‖h₂‖²"
    assert len(graph.fold().components) == len(graph)


@pytest.mark.parametrize("x", [np.full((5, D), np.nan), np.full((5, D), np.inf), np.ones((5, D), int)])
def test_the_circuit_does_not_depend_on_the_numbers(x):
    assert viz.equations(tg.record(elman, x)) == viz.equations(tg.record(elman, np.ones((5, D))))


@pytest.mark.parametrize("given", [iter, list, tuple, reversed, lambda x: map(np.array, x.tolist()), np.ndarray.tolist])
def test_what_goes_through_the_elements_is_as_good_as_the_array(given):
    graph = tg.record(elman, given(np.random.default_rng(0).normal(size=(5, D))))
    assert viz.equations(graph).splitlines()[1] == "h⁽ᵗ⁾ = tanh(W h⁽ᵗ⁻¹⁾ + U x⁽ᵗ⁾)"


class Foreign:
    """What a model of another library might be: it is called, and returns a tensor of its own."""

    def __call__(self, x):
        return self


Foreign.__module__ = "torch.nn"


def test_a_model_of_another_library_is_refused_in_one_line_that_says_what_it_returned():
    message = "^record: no operation of tinygrad_rnn ran; the function returned a torch.Foreign$"
    with pytest.raises(ValueError, match=message):
        tg.record(Foreign(), np.ones((5, D)))
