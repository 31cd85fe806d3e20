"""RNN, LSTM and GRU as they are used: stacked, both directions, lengths, PyTorch's names; what is recorded of them."""

import copy
import re
from collections import Counter

import numpy as np
import pytest

import tinygrad_rnn as tg
import viz
import zoo
from zoo.gru import ResetAfterGRUCell
from zoo.lstm import BiasedLSTMCell
from zoo.rnn import RNNCell
from zoo.sequence import run

T, B, D, H = 6, 4, 3, 5
LENGTHS = np.array([2, 6, 0, 5])
KINDS = {"RNN": zoo.RNN, "LSTM": zoo.LSTM, "GRU": zoo.GRU}
FORMS = [(1, False), (1, True), (2, False), (2, True), (3, True)]

each_kind = pytest.mark.parametrize("kind", KINDS)
each_form = pytest.mark.parametrize(("layers", "both"), FORMS)


def layer(kind, layers=1, both=False, rng=0, **settings):
    return KINDS[kind](D, H, layers, bidirectional=both, rng=rng, **settings)


def sequences(rng=0):
    return np.random.default_rng(rng).normal(size=(T, B, D))


def parts(hx):
    return hx if isinstance(hx, tuple) else (hx,)


def state(kind, number, batch, rng=1):
    rng = np.random.default_rng(rng)
    h, c = (rng.normal(size=(number, batch, H)) for _ in range(2))
    return (h, c) if kind == "LSTM" else h


# -- values ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "cell", "gates"),
    [("RNN", RNNCell, [""]), ("LSTM", BiasedLSTMCell, ["g", "f", "", "o"]), ("GRU", ResetAfterGRUCell, ["r", "u", ""])],
)
def test_a_layer_is_the_zoos_cell_with_its_gates_one_below_the_other(kind, cell, gates):
    m, cell = layer(kind), cell(D, H, rng=0)
    weights = {name: np.split(p.data, len(gates)) for name, p in m.named_parameters()}
    for i, gate in enumerate(gates):
        acts_alone = kind == "GRU" and not gate
        getattr(cell, "U" + gate).data = weights["weight_ih_l0"][i]
        getattr(cell, "W" + gate).data = weights["weight_hh_l0"][i]
        getattr(cell, "b" + gate).data = weights["bias_ih_l0"][i] + (0 if acts_alone else weights["bias_hh_l0"][i])
        if acts_alone:
            cell.d.data = weights["bias_hh_l0"][i]
    x = sequences()
    output, last = m(x)
    expected, expected_last = run(cell, x)
    np.testing.assert_allclose(output.data, tg.stack(expected).data, rtol=0, atol=1e-14)
    for part, of_cell in zip(parts(last), parts(expected_last), strict=True):
        np.testing.assert_allclose(part.data, [of_cell.data], rtol=0, atol=1e-14)


def test_relus_take_the_place_of_tanh_where_they_are_asked_for():
    m, x = layer("RNN", nonlinearity="relu"), sequences()[:1]
    a = x[0] @ m.weight_ih_l0.data.T + m.bias_ih_l0.data + m.bias_hh_l0.data
    np.testing.assert_allclose(m(x)[0].data[0], np.maximum(a, 0), rtol=1e-14)


@each_kind
@each_form
def test_shapes_are_pytorchs(kind, layers, both):
    m = layer(kind, layers, both)
    directions = 1 + both
    output, last = m(sequences())
    assert output.shape == (T, B, directions * H)
    assert [part.shape for part in parts(last)] == [(layers * directions, B, H)] * (1 + (kind == "LSTM"))
    gates = {"RNN": 1, "LSTM": 4, "GRU": 3}[kind]
    assert list(m.state_dict()) == [
        f"{name}_l{k}{way}"
        for k in range(layers)
        for way in ("", "_reverse")[:directions]
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    ]
    for name, p in m.named_parameters():
        inputs = D if "_l0" in name else H * directions
        shapes = {"weight_ih": (gates * H, inputs), "weight_hh": (gates * H, H)}
        assert p.shape == shapes.get(name[:9], (gates * H,)), name


@each_kind
def test_the_last_state_holds_the_last_output_of_one_direction_and_the_first_of_the_other(kind):
    output, last = layer(kind, 2, True)(sequences())
    h = parts(last)[0].data
    assert (h[2] == output.data[-1, :, :H]).all()
    assert (h[3] == output.data[0, :, H:]).all()


@each_kind
@each_form
def test_a_run_in_two_halves_is_the_run_in_one_where_no_direction_comes_from_the_future(kind, layers, both):
    m, x, start = layer(kind, layers, both), sequences(), state(kind, layers * (1 + both), B)
    whole, end = m(x, start)
    first, middle = m(x[:2], start)
    second, last = m(x[2:], middle)
    same = np.allclose(tg.concatenate([first, second]).data, whole.data, rtol=0, atol=1e-14)
    assert same == (not both)
    if not both:
        assert all(
            np.allclose(a.data, b.data, rtol=0, atol=1e-14) for a, b in zip(parts(last), parts(end), strict=True)
        )


def test_float32_stays_float32_with_and_without_lengths():
    m, x = layer("LSTM", 2, True, dtype=np.float32), sequences().astype(np.float32)
    for lengths in None, LENGTHS:
        output, (h, c) = m(x, lengths=lengths)
        assert output.dtype == h.dtype == c.dtype == np.float32


# -- lengths -----------------------------------------------------------------------------------------------


def gradients(m, output, last):
    for p in m.parameters():
        p.grad = None
    total = tg.sum(output * output) + sum(tg.sum(part * part * part) for part in parts(last))
    if total.requires_grad:
        total.backward()
    return {name: np.zeros(p.shape) if p.grad is None else p.grad.data for name, p in m.named_parameters()}


@each_kind
@each_form
def test_under_lengths_values_and_gradients_are_those_of_each_sequence_alone_with_nan_in_the_padding(
    kind, layers, both
):
    m = layer(kind, layers, both)
    start = state(kind, layers * (1 + both), B)
    padding = np.arange(T)[:, None] >= LENGTHS
    x = tg.Tensor(np.where(padding[..., None], np.nan, sequences()), requires_grad=True)
    output, last = m(x, start, lengths=LENGTHS)
    together = gradients(m, output, last)
    assert (output.data[padding] == 0).all()
    assert (x.grad.data[padding] == 0).all()
    total = {name: np.zeros_like(g) for name, g in together.items()}
    for i, length in enumerate(LENGTHS):
        one = tuple(part[:, i : i + 1] for part in parts(start))
        one = one if kind == "LSTM" else one[0]
        if length == 0:  # it keeps its state
            assert all((a.data[:, i] == b[:, 0]).all() for a, b in zip(parts(last), parts(one), strict=True))
            continue
        alone_x = tg.Tensor(sequences()[:length, i : i + 1], requires_grad=True)
        alone, alone_last = m(alone_x, one)
        np.testing.assert_allclose(output.data[:length, i], alone.data[:, 0], rtol=0, atol=1e-12)
        for part, expected in zip(parts(last), parts(alone_last), strict=True):
            np.testing.assert_allclose(part.data[:, i], expected.data[:, 0], rtol=0, atol=1e-12)
        for name, g in gradients(m, alone, alone_last).items():
            total[name] += g
        np.testing.assert_allclose(x.grad.data[:length, i], alone_x.grad.data[:, 0], rtol=0, atol=1e-12)
    for name, g in together.items():
        np.testing.assert_allclose(g, total[name], rtol=1e-12, atol=1e-12, err_msg=name)


@each_kind
def test_full_lengths_are_no_lengths(kind):
    m, x = layer(kind, 2, True), sequences()
    for full in [T] * B, np.full(B, T, np.uint8), tg.Tensor(np.full(B, T)):
        assert (m(x, lengths=full)[0].data == m(x)[0].data).all()


@pytest.mark.parametrize(
    ("lengths", "error", "message"),
    [
        ([1, 2, 7, 3], ValueError, "lengths: 1…7 are not all from 0 to 6"),
        ([1, -1, 2, 3], ValueError, "lengths: -1…3 are not all from 0 to 6"),
        ([1.0, 2.0, 3.0, 4.0], TypeError, "lengths: must be integers, not float64"),
        ([True, True, True, False], TypeError, "lengths: must be integers, not bool"),
        ([1, 2, 3], tg.ShapeError, r"4 sequences need lengths of shape \(4,\), not \(3,\)"),
        (3, tg.ShapeError, r"not \(\)"),
    ],
)
def test_lengths_that_do_not_fit_are_errors_that_say_what_would(lengths, error, message):
    with pytest.raises(error, match=message):
        layer("LSTM", 2, True)(sequences(), lengths=lengths)


# -- dropout and initialisation ----------------------------------------------------------------------------


@each_kind
def test_dropout_acts_between_layers_in_training_alone(kind):
    x = sequences()
    m, without = layer(kind, 2, dropout=0.5), layer(kind, 2)
    assert (m(x)[0].data == without(x)[0].data).all()
    dropped, again, other = m(x, rng=3)[0].data, m(x, rng=3)[0].data, m(x, rng=4)[0].data
    assert (dropped == again).all()
    assert (dropped != other).any()
    assert (dropped != 0).all()  # not behind the last
    alone = layer(kind, 1, dropout=0.5)
    assert (alone(x, rng=3)[0].data == alone(x)[0].data).all()


def test_dropout_leaves_out_other_units_at_each_step_and_keeps_the_mean():
    m = KINDS["RNN"](1, 400, 2, dropout=0.25, rng=0)
    m.weight_hh_l1.data = m.weight_ih_l1.data * 0
    m.weight_ih_l1.data = np.eye(400)
    m.bias_ih_l1.data = m.bias_hh_l1.data * 0
    m.bias_hh_l1.data = m.bias_hh_l1.data * 0
    x = np.zeros((50, 1, 1))
    below = layer_of(m)(x)[0].data
    kept = np.arctanh(m(x, rng=0)[0].data) / below
    dropped = kept == 0
    np.testing.assert_allclose(kept[~dropped], 1 / 0.75, rtol=1e-9)
    assert dropped.mean() == pytest.approx(0.25, abs=4 * np.sqrt(0.25 * 0.75 / dropped.size))
    assert (dropped[0] != dropped[1]).any()


def layer_of(m):
    """The first layer of a stack, by itself."""
    below = KINDS["RNN"](m.input_size, m.hidden_size, rng=0)
    below.load_state_dict({name: w for name, w in m.state_dict().items() if name.endswith("_l0")})
    return below


@each_kind
def test_the_same_seed_makes_the_same_weights_uniform_within_one_over_the_root_of_hidden_size(kind):
    one, same, other = (KINDS[kind](40, 25, 2, rng=seed).state_dict() for seed in (0, 0, 1))
    everything = np.concatenate([w.ravel() for w in one.values()])
    assert all((w == same[name]).all() and (w != other[name]).any() for name, w in one.items())
    assert abs(everything).max() <= 0.2
    assert everything.std() == pytest.approx(0.2 / np.sqrt(3), rel=0.03)
    assert (one["bias_ih_l0"] != one["bias_hh_l0"]).any()


def test_without_a_seed_there_are_no_weights():
    with pytest.raises(TypeError, match="rng is None"):
        zoo.LSTM(D, H, rng=None)


# -- weights by name ---------------------------------------------------------------------------------------


@each_kind
def test_weights_leave_and_come_back_as_copies(kind):
    m, other = layer(kind, 2, True, rng=0), layer(kind, 2, True, rng=1)
    weights = m.to_torch_state_dict()
    assert type(weights) is dict and all(type(w) is np.ndarray for w in weights.values())
    other.from_torch_state_dict(weights)
    assert (other(sequences())[0].data == m(sequences())[0].data).all()
    weights["weight_ih_l0"][:] = 0
    assert m.weight_ih_l0.data.all() and other.weight_ih_l0.data.all()


def test_weights_that_do_not_fit_are_one_error_that_names_them_all_and_change_nothing():
    m = layer("LSTM", 1, True)
    before = m.to_torch_state_dict()
    weights = {name: w + 1 for name, w in before.items()}
    del weights["bias_hh_l0"], weights["bias_hh_l0_reverse"]
    weights["weight_ih_l1"] = np.zeros((20, 10))
    weights["weight_hh_l0"] = np.zeros((15, 5))
    message = (
        "missing bias_hh_l0, bias_hh_l0_reverse; unexpected weight_ih_l1; "
        "weight_hh_l0 is (15, 5) float64, not (20, 5) float64"
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        m.from_torch_state_dict(weights)
    assert all((w == before[name]).all() for name, w in m.state_dict().items())
    for bad in np.zeros((20, 3), int), np.zeros((20, 3), complex), "weights", None:
        with pytest.raises(TypeError, match="weight_ih_l0: weights are floating point numbers"):
            m.from_torch_state_dict(before | {"weight_ih_l0": bad})


def test_a_copy_of_a_layer_has_weights_of_its_own_and_an_assigned_weight_is_used():
    m = layer("GRU", 2, True)
    other = copy.deepcopy(m)
    before = m(sequences())[0].data
    other.weight_hh_l1_reverse = tg.Parameter(m.weight_hh_l1_reverse.data * 2)
    assert (m(sequences())[0].data == before).all()
    assert (other(sequences())[0].data != before).any()


def test_a_layer_trains_inside_a_model():
    class Model(tg.Module):
        def __init__(self):
            self.layer = layer("LSTM", 2, True, dropout=0.1)
            self.out = tg.Linear(2 * H, 2, rng=1)

        def __call__(self, x, rng=None):
            return self.out(self.layer(x, rng=rng)[0][-1])

    model, x = Model(), np.random.default_rng(0).normal(size=(T, 64, D))
    y = (x[0, :, 0] > 0).astype(int)
    optimiser, rng = tg.Adam(model.parameters(), lr=1e-2), np.random.default_rng(1)
    for _ in range(150):
        for p in model.parameters():
            p.grad = None
        tg.cross_entropy(model(x, rng), y).backward()
        optimiser.step()
    assert tg.cross_entropy(model(x), y).item() < 0.1 < np.log(2)


# -- bad input ---------------------------------------------------------------------------------------------


@each_kind
@pytest.mark.parametrize("shape", [(T, B, D + 1), (T, D), (T, B, D, 1), (0, B, D), ()])
def test_an_input_of_another_shape_is_an_error_that_says_which_it_must_be(kind, shape):
    with pytest.raises(tg.ShapeError, match=rf"{kind}: x must be of shape \(T, B, 3\), T at least 1, not \("):
        layer(kind)(np.zeros(shape))


@pytest.mark.parametrize(
    ("kind", "hx"),
    [
        ("GRU", np.zeros((2, B, H))),
        ("GRU", np.zeros((4, B + 1, H))),
        ("GRU", np.zeros((4, B, H + 1))),
        ("GRU", np.zeros((B, H))),
        ("GRU", (np.zeros((4, B, H)),)),
        ("GRU", (np.zeros((4, B, H)), np.zeros((4, B, H)))),
        ("LSTM", np.zeros((4, B, H))),
        ("LSTM", np.zeros((2, 4, B, H))),
        ("LSTM", (np.zeros((4, B, H)),)),
        ("LSTM", (np.zeros((4, B, H)), np.zeros((2, B, H)))),
        ("LSTM", "hx"),
    ],
)
def test_a_state_of_another_form_is_an_error_that_says_which_it_must_be(kind, hx):
    wanted = {"GRU": "(4, 4, 5)", "LSTM": "((4, 4, 5), (4, 4, 5))"}[kind]
    with pytest.raises(tg.ShapeError, match=re.escape(f"{kind}: hx must be of shape {wanted}, not ")):
        layer(kind, 2, True)(sequences(), hx)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"input_size": 0}, "LSTM: input_size is at least 1, not 0"),
        ({"hidden_size": -1}, "LSTM: hidden_size is at least 1, not -1"),
        ({"num_layers": 0}, "LSTM: num_layers is at least 1, not 0"),
        ({"dropout": 1.0}, r"p is a probability in \[0, 1\), not 1.0"),
        ({"dropout": float("nan")}, r"p is a probability in \[0, 1\), not nan"),
    ],
)
def test_sizes_and_probabilities_that_make_no_layer_are_errors(settings, message):
    with pytest.raises(ValueError, match=message):
        zoo.LSTM(**({"input_size": D, "hidden_size": H, "rng": 0} | settings))


def test_a_nonlinearity_that_there_is_not_is_an_error():
    with pytest.raises(ValueError, match="RNN: nonlinearity is 'tanh' or 'relu', not 'sigmoid'"):
        zoo.RNN(D, H, nonlinearity="sigmoid", rng=0)


@each_kind
@each_form
@pytest.mark.parametrize(("steps", "batch"), [(1, 1), (1, B), (T, 1), (T, 0)])
def test_one_step_one_sequence_and_no_sequence_are_right(kind, layers, both, steps, batch):
    m, x = layer(kind, layers, both), sequences()
    output, last = m(x[:steps, :batch])
    whole, whole_last = m(x[:steps])
    np.testing.assert_allclose(output.data, whole.data[:, :batch], rtol=0, atol=1e-14)
    for part, expected in zip(parts(last), parts(whole_last), strict=True):
        np.testing.assert_allclose(part.data, expected.data[:, :batch], rtol=0, atol=1e-14)


# -- the record --------------------------------------------------------------------------------------------


@each_kind
@each_form
def test_a_recorded_run_gives_the_values_and_gradients_of_the_run(kind, layers, both):
    m, x, start = layer(kind, layers, both), sequences(), state(kind, layers * (1 + both), B)

    def loss(x, start):
        output, last = m(x, start)
        return tg.sum(output * output) + sum(tg.sum(part * part) for part in parts(last))

    graph = tg.record(loss, x, start)
    value = loss(x, start)
    assert graph.returned.item() == pytest.approx(value.item(), rel=1e-12)
    value.backward()
    recorded = graph.backward().returned
    for name, p in m.named_parameters():
        np.testing.assert_allclose(recorded[f"m.{p.name}"].data, p.grad.data, rtol=1e-9, atol=1e-11, err_msg=name)
    again = graph.replay(x[::-1].copy(), start)
    assert again.item() == pytest.approx(loss(x[::-1], start).item(), rel=1e-12)


@each_kind
@each_form
@pytest.mark.parametrize("start", ["zero", "given"])
def test_both_passes_fold_and_unfold_at_another_length_to_the_run_there(kind, layers, both, start):
    m = layer(kind, layers, both)
    hx = state(kind, layers * (1 + both), B) if start == "given" else None

    def loss(x):
        output, _ = m(x, hx)
        return tg.sum(output)

    graph = tg.record(loss, sequences())
    circuit = graph.fold()
    assert circuit.lengths == [T]
    longer = tg.record(loss, np.zeros((T + 3, B, D))).fold()
    assert len(circuit.unfold(T + 3)) == len(longer.unfold())
    assert graph.backward().fold().lengths == [T]


@each_kind
@each_form
def test_a_run_under_lengths_and_with_dropout_folds(kind, layers, both):
    m = layer(kind, layers, both, dropout=0.5)

    def loss(x):
        output, _ = m(x, lengths=LENGTHS, rng=0)
        return tg.sum(output)

    graph = tg.record(loss, sequences())
    assert graph.fold().lengths == graph.backward().fold().lengths == [T]


def arrows(diagram):
    marks = {"delay": "■"}
    written = {v.id: marks.get(v.kind, v.label) for v in diagram.vertices}
    return sorted(f"{written[a.tail]} –{a.label}→ {written[a.head]}" for a in diagram.arrows)


def test_two_layers_are_drawn_one_on_the_other_and_both_directions_beside_each_other():
    single = ["h –→ ■", "h –t = T→ h_n", "x –U₀→ h", "■ –W₀→ h"]
    assert arrows(viz.circuit(tg.record(layer("RNN"), sequences()))) == sorted(single)
    one = ["h₀ –→ ■", "h₀ –t = T→ h_n", "x –U₀→ h₀", "■ –W₀→ h₀"]
    two = [*one, "h₀ –U₁→ h₁", "h₁ –→ ■", "h₁ –t = T→ h_n", "■ –W₁→ h₁"]
    assert arrows(viz.circuit(tg.record(layer("RNN", 2), sequences()))) == sorted(two)
    back = ["h₁ –→ ■", "h₁ –t = 1→ h_n", "x –U₀′→ h₁", "■ –W₀′→ h₁", "h₀ –→ y", "h₁ –→ y"]
    drawn = viz.circuit(tg.record(layer("RNN", 1, True), sequences()))
    assert arrows(drawn) == sorted([*one, *back])
    notes = {v.note.partition(":")[0] for v in drawn.vertices if v.kind == "delay"}
    assert notes == {"one step back", "one step ahead"}


def test_the_gates_of_an_lstm_are_drawn():
    gates = "ifgo"
    expected = [f"x –U₀→ {gate}" for gate in gates] + [f"■ –W₀→ {gate}" for gate in gates]
    expected += ["i –→ c", "f –→ c", "g –→ c", "c –→ ■", "■ –→ c", "c –→ h", "o –→ h", "h –→ ■"]
    expected += ["h –t = T→ h_n", "c –t = T→ c_n"]
    assert arrows(viz.circuit(tg.record(layer("LSTM"), sequences()))) == sorted(expected)


@each_kind
@each_form
def test_both_forms_of_every_layer_and_direction_are_drawn_side_by_side(kind, layers, both):
    drawn = viz.side_by_side(tg.record(layer(kind, layers, both), sequences()))
    number = layers * (1 + both)
    labels = [v.label for v in drawn.vertices if v.kind != "carried"]
    steps = Counter(re.sub("^h[₀-₉,]*", "h", label) for label in labels)
    assert len({label for label in labels if re.fullmatch("h[₀-₉,]*", label)}) == number
    assert steps["h"] == steps["h⁽²⁾"] == number
    assert (steps["h⁽⁰⁾"], steps["h⁽ᵀ⁺¹⁾"]) == (layers, layers * both)
    assert [(arrow.tail, arrow.head, vertex.label) for arrow, vertex in drawn.hidden] == []
