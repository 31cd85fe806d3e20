"""Layers with PyTorch's weights give PyTorch's outputs, states and gradients, and weights travel both ways."""

import numpy as np
import pytest

import tinygrad_rnn as tg
import zoo

torch = pytest.importorskip("torch")

T, B, D, H = 7, 4, 3, 5
LENGTHS = np.array([3, 7, 1, 6])
KINDS = {
    "rnn": ("RNN", {}),
    "rnn of relus": ("RNN", {"nonlinearity": "relu"}),
    "lstm": ("LSTM", {}),
    "gru": ("GRU", {}),
}
TOLERANCE = {"float32": 2e-5, "float64": 1e-12}

each_kind = pytest.mark.parametrize("kind", KINDS)
each_form = pytest.mark.parametrize(
    "form",
    [{}, {"num_layers": 3}, {"bidirectional": True}, {"num_layers": 2, "bidirectional": True}, {"bias": False}],
    ids=lambda form: ", ".join(f"{k}={v}" for k, v in form.items()) or "plain",
)


def both(kind, form, dtype):
    """Our layer and PyTorch's, with the weights of PyTorch's."""
    name, settings = KINDS[kind]
    torch.manual_seed(0)
    theirs = getattr(torch.nn, name)(D, H, dtype=getattr(torch, dtype), **settings, **form)
    ours = getattr(zoo, name)(D, H, **settings, **form, rng=1, dtype=dtype)
    ours.from_torch_state_dict(theirs.state_dict())
    return ours, theirs


def parts(hx):
    return hx if isinstance(hx, tuple) else (hx,)


def run_theirs(layer, x, hx, lengths):
    if lengths is None:
        return layer(x, hx)
    packed = torch.nn.utils.rnn.pack_padded_sequence(x, torch.tensor(lengths), enforce_sorted=False)
    output, last = layer(packed, hx)
    return torch.nn.utils.rnn.pad_packed_sequence(output, total_length=len(x))[0], last


@each_kind
@each_form
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("lengths", [None, LENGTHS], ids=["whole", "lengths"])
@pytest.mark.parametrize("start", ["zero", "given"])
def test_outputs_states_and_all_gradients_are_pytorchs(kind, form, dtype, lengths, start):
    ours, theirs = both(kind, form, dtype)
    rng = np.random.default_rng(2)
    x = rng.normal(size=(T, B, D)).astype(dtype)
    shape = form.get("num_layers", 1) * (1 + form.get("bidirectional", False)), B, H
    states = [rng.normal(size=shape).astype(dtype) for _ in range(1 + (kind == "lstm"))]

    our_inputs = [tg.Tensor(array, requires_grad=True) for array in (x, *states)]
    their_inputs = [torch.tensor(array, requires_grad=True) for array in (x, *states)]
    our_hx, their_hx = (
        None if start == "zero" else given[1] if len(given) == 2 else tuple(given[1:])
        for given in (our_inputs, their_inputs)
    )
    output, last = ours(our_inputs[0], our_hx, lengths=lengths)
    their_output, their_last = run_theirs(theirs, their_inputs[0], their_hx, lengths)
    found, expected = (output, *parts(last)), (their_output, *parts(their_last))
    weights = [rng.normal(size=tuple(part.shape)).astype(dtype) for part in expected]
    sum(tg.sum(w * part) for w, part in zip(weights, found, strict=True)).backward()
    sum((torch.tensor(w) * part).sum() for w, part in zip(weights, expected, strict=True)).backward()

    def check(ours, theirs, what):
        assert ours.dtype == dtype
        np.testing.assert_allclose(
            ours, theirs, rtol=0, atol=TOLERANCE[dtype] * max(1, abs(theirs).max()), err_msg=what
        )

    assert len(found) == len(expected) == 2 + (kind == "lstm")
    for part, their_part, what in zip(found, expected, ("output", "h_n", "c_n"), strict=False):
        check(part.data, their_part.detach().numpy(), what)
    for p, their_p in zip(our_inputs, their_inputs, strict=True):
        if their_p.grad is not None:
            check(p.grad.data, their_p.grad.numpy(), "an input's gradient")
    assert (our_inputs[1].grad is None) == (start == "zero")
    gradients = {name: p.grad.data for name, p in ours.named_parameters()}
    expected_gradients = {name: p.grad.numpy() for name, p in theirs.named_parameters()}
    assert list(gradients) == list(expected_gradients)
    for name, gradient in gradients.items():
        check(gradient, expected_gradients[name], name)


@each_kind
@each_form
def test_weights_travel_to_pytorch_and_back_without_a_bit_lost(kind, form):
    name, settings = KINDS[kind]
    ours = getattr(zoo, name)(D, H, **settings, **form, rng=0, dtype=np.float32)
    theirs = getattr(torch.nn, name)(D, H, **settings, **form)
    weights = ours.to_torch_state_dict()
    theirs.load_state_dict({name: torch.from_numpy(w) for name, w in weights.items()})  # strict: the same names
    x = np.random.default_rng(0).normal(size=(T, B, D)).astype(np.float32)
    np.testing.assert_allclose(ours(x)[0].data, theirs(torch.tensor(x))[0].detach().numpy(), atol=1e-6)

    again = getattr(zoo, name)(D, H, **settings, **form, rng=1, dtype=np.float32)
    again.from_torch_state_dict(theirs.state_dict())
    assert all((w == weights[name]).all() for name, w in again.to_torch_state_dict().items())
    assert (again(x)[0].data == ours(x)[0].data).all()


def test_weights_of_another_precision_are_rounded_to_the_layers():
    theirs = torch.nn.LSTM(D, H, dtype=torch.float64)
    ours = zoo.LSTM(D, H, rng=0, dtype=np.float32)
    ours.from_torch_state_dict(theirs.state_dict())
    assert ours.bias_ih_l0.dtype == np.float32
    assert (ours.bias_ih_l0.data == theirs.bias_ih_l0.detach().numpy().astype(np.float32)).all()


def test_weights_of_a_projecting_lstm_are_refused_by_their_names():
    with pytest.raises(ValueError, match=r"unexpected weight_hr_l0; weight_hh_l0 is \(20, 2\)"):
        zoo.LSTM(D, H, rng=0).from_torch_state_dict(torch.nn.LSTM(D, H, proj_size=2).state_dict())


def test_weights_start_in_the_range_of_pytorchs():
    ours = zoo.GRU(30, 64, rng=0).to_torch_state_dict()
    theirs = {name: p.detach().numpy() for name, p in torch.nn.GRU(30, 64).named_parameters()}
    for name, w in ours.items():
        assert abs(w).max() <= 1 / 8
        assert w.std() == pytest.approx(theirs[name].std(), rel=0.15), name
