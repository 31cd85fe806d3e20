"""Recurrent layers as they are used in practice: stacked, in both directions, with PyTorch's names and weights.

    RNN     h⁽ᵗ⁾ = tanh(W_ih x⁽ᵗ⁾ + b_ih + W_hh h⁽ᵗ⁻¹⁾ + b_hh)         or relu

    LSTM    i, f, o = σ(W_ih x⁽ᵗ⁾ + b_ih + W_hh h⁽ᵗ⁻¹⁾ + b_hh)         input, forget and output gate
            g = tanh( … )                                             new content
            c⁽ᵗ⁾ = f ⊙ c⁽ᵗ⁻¹⁾ + i ⊙ g                                   memory
            h⁽ᵗ⁾ = o ⊙ tanh(c⁽ᵗ⁾)

    GRU     r, z = σ(W_ih x⁽ᵗ⁾ + b_ih + W_hh h⁽ᵗ⁻¹⁾ + b_hh)            reset and update gate
            n = tanh(W_ih x⁽ᵗ⁾ + b_ih + r ⊙ (W_hh h⁽ᵗ⁻¹⁾ + b_hh))       new content
            h⁽ᵗ⁾ = (1 − z) ⊙ n + z ⊙ h⁽ᵗ⁻¹⁾ = n + z ⊙ (h⁽ᵗ⁻¹⁾ − n)

W and b hold the rows of all gates, one gate below the other, in the order i, f, g, o or r, z, n. The lecture's letters
for them are g, f, tanh(a), q (`zoo.lstm`) and r, u, n (`zoo.gru`). Two biases are added where one would do (but for n,
where r acts on one of them): cuDNN has it so, PyTorch after it, and the weights of either fit here.

W_ih x is computed for all steps at once, before the first; a step has one product, that with W_hh. A run that is
recorded computes both in the step, so that what is drawn is the equations above.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn.autodiff.mode import current_mode
from tinygrad_rnn.autodiff.nests import rebuild
from tinygrad_rnn.nn.initialisers import generator, uniform

from .sequence import run, unpadded, zero

Cell = Callable[[Any, Any], tuple[Any, Any]]
Product = Callable[[Any], Any]
SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


class Recurrent(tg.Module):
    """What the three layers share. A subclass says how many `gates` it has and what a step is: `cell`.

    Parameters, for layer k = 0, 1, … and, with `_reverse` behind the name, for its other direction:

    weight_ih_lk  (gates · hidden_size, inputs): input_size for layer 0, 1 or 2 times hidden_size for the others
    weight_hh_lk  (gates · hidden_size, hidden_size)
    bias_ih_lk, bias_hh_lk
                  (gates · hidden_size,); without `bias` there are none

    All start uniform in ±1/√hidden_size. In records and drawings they are called Uₖ, Wₖ, bₖ, dₖ, those of the other
    direction Uₖ′, Wₖ′, bₖ′, dₖ′. `dropout` is the probability with which, in training, each output of a layer but the
    last is left out; with one layer it does nothing. Raises ValueError for sizes below 1 and a dropout outside [0, 1).
    """

    gates: int
    adds_biases = True  # whether only the sum of the two biases matters
    weight_hh_l0: tg.Parameter

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        *,
        bias: bool = True,
        dropout: float = 0.0,
        bidirectional: bool = False,
        rng: Any,
        dtype: Any = np.float64,
    ):
        for name, size in ("input_size", input_size), ("hidden_size", hidden_size), ("num_layers", num_layers):
            if size < 1:
                raise ValueError(f"{type(self).__name__}: {name} is at least 1, not {size}")
        self.input_size, self.hidden_size, self.num_layers = input_size, hidden_size, num_layers
        self.bias, self.bidirectional = bias, bidirectional
        self.dropout = tg.Dropout(dropout)
        directions = (False, True) if bidirectional else (False,)
        self.ways = [
            [Way(k, reverse, number=k * len(directions) + reverse) for reverse in directions] for k in range(num_layers)
        ]
        rng, rows, bound = generator(rng), self.gates * hidden_size, hidden_size**-0.5
        for k, ways in enumerate(self.ways):
            inputs = hidden_size * len(ways) if k else input_size
            shapes: dict[str, tuple[int, ...]] = {"weight_ih": (rows, inputs), "weight_hh": (rows, hidden_size)}
            shapes |= {"bias_ih": (rows,), "bias_hh": (rows,)} if bias else {}
            for way in ways:
                for (name, shape), letter in zip(shapes.items(), "UWbd", strict=False):
                    parameter = tg.Parameter(uniform(shape, -bound, bound, rng=rng, dtype=dtype))
                    parameter.name = letter + way.mark
                    setattr(self, name + way.suffix, parameter)

    def __call__(self, x: Any, hx: Any = None, *, lengths: Any = None, rng: Any = None) -> tuple[Any, Any]:
        """All steps of a batch of sequences.

        x        (T, B, input_size), T ≥ 1; time comes first
        hx       the state to start from, one for each layer and direction, in the order of the parameters: h of shape
                 (num_layers · directions, B, hidden_size), for an LSTM (h, c); without, 0
        lengths  (B,) whole numbers from 0 to T, in any order: what comes after is padding, and whatever stands there,
                 even NaN, touches neither values nor gradients. The outputs there are 0, the last state is that after
                 the last step that counts, and the other direction begins at each sequence's own end. A sequence of no
                 steps, an error in PyTorch, keeps its initial state
        rng      drops outputs between layers, as in training; without, as in use, none is dropped

        Returns (output, hx): the last layer's h at each step, (T, B, directions · hidden_size), the two directions side
        by side, and the last state, of the form of the first. That of the other direction is the one after x⁽¹⁾.

        Raises ShapeError for an x, hx or lengths that do not fit, TypeError for lengths that are not integers,
        ValueError for a length outside 0…T.
        """
        x = self._checked(x)
        self._check_state(hx, B=np.shape(x)[1])
        rng = None if rng is None else generator(rng)
        last: list[Any] = []
        for k, ways in enumerate(self.ways):
            x = [self.dropout(x_t, rng) for x_t in x] if k else x
            outputs, states = zip(*(way(self, x, hx, lengths) for way in ways), strict=True)
            x = [joined(h) for h in zip(*outputs, strict=True)] if self.bidirectional else outputs[0]
            last += states
        return tg.stack(x), self.gathered(last)

    def cell(self, product: Product) -> Cell:
        """The step (a, state) → (h, state), where a = W_ih x + b_ih and product(h) = W_hh h + b_hh."""
        raise NotImplementedError

    def initial_state(self, B: int) -> Any:
        """h⁽⁰⁾ = 0 of one layer in one direction, (B, hidden_size)."""
        return zero(B, self.hidden_size, self.weight_hh_l0.dtype)

    def gathered(self, states: list[Any]) -> Any:
        """The states of all layers and directions in one array, (num_layers · directions, B, hidden_size)."""
        h_n = tg.stack(states)
        return h_n

    def from_torch_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over the weights of PyTorch's layer of the same name: ``ours.from_torch_state_dict(l.state_dict())``.

        state  tensors or arrays by name; numbers of another precision are rounded to this layer's

        Raises one ValueError that lists all that is missing, unexpected or of another shape, TypeError for what is no
        array of floating point numbers; then nothing has changed.
        """
        arrays = {name: np.asarray(value) for name, value in state.items()}
        for name, array in arrays.items():
            if array.dtype.kind != "f":
                raise TypeError(f"{name}: weights are floating point numbers, not {array.dtype}")
        self.load_state_dict({name: array.astype(self.weight_hh_l0.dtype) for name, array in arrays.items()})

    def to_torch_state_dict(self) -> dict[str, np.ndarray]:
        """A copy of the weights under the names of PyTorch's layer of the same name, which takes them by
        ``l.load_state_dict({name: torch.from_numpy(w) for name, w in ours.to_torch_state_dict().items()})``.
        """
        return self.state_dict()

    def _checked(self, x: Any) -> Any:
        x = x if isinstance(x, tg.Tensor) else np.asarray(x)
        if x.ndim != 3 or x.shape[2] != self.input_size or not len(x):
            raise tg.ShapeError(
                f"{type(self).__name__}: x must be of shape (T, B, {self.input_size}), T at least 1, not {x.shape}"
            )
        return x

    def _check_state(self, hx: Any, B: int) -> None:
        number = sum(map(len, self.ways))
        wanted, given = rebuild(self.initial_state(B), lambda h: (number, *h.shape)), rebuild(hx, np.shape)
        if hx is not None and wanted != given:
            raise tg.ShapeError(f"{type(self).__name__}: hx must be of shape {wanted}, not {given}")


class Way(tg.Module):
    """Layer k in one direction, the `number`-th of all: the suffix of its parameters and their mark in drawings."""

    def __init__(self, k: int, reverse: bool, number: int):
        self.number, self.reverse = number, reverse
        self.suffix = f"_l{k}_reverse" if reverse else f"_l{k}"
        self.mark = str(k).translate(SUBSCRIPTS) + "′" * reverse

    def __call__(self, layer: Recurrent, x: Any, hx: Any, lengths: Any) -> tuple[list[Any], Any]:
        """x (T, B, inputs), or a list of T → h at each step, a list of T (B, hidden_size), and the last state"""
        W_ih, W_hh = (getattr(layer, name + self.suffix) for name in ("weight_ih", "weight_hh"))
        b_ih, b_hh = (getattr(layer, name + self.suffix, None) for name in ("bias_ih", "bias_hh"))
        if layer.adds_biases and b_ih is not None:
            b_ih, b_hh = b_ih + b_hh, None
        U, W = W_ih.T, W_hh.T
        cell = layer.cell(lambda h: affine(h, W, b_hh))
        T, B = len(x), (x[0] if isinstance(x, list) else x).shape[-2]
        state = layer.initial_state(B) if hx is None else rebuild(hx, lambda h: h[self.number])
        if current_mode().recorder is not None:  # each step as the equations have it
            return run(lambda x, h: cell(affine(x, U, b_ih), h), x, state, lengths=lengths, reverse=self.reverse)
        x = tg.stack(x) if isinstance(x, list) else unpadded(x, lengths)
        a = affine(np.reshape(x, (T * B, len(U))), U, b_ih)
        return run(cell, np.reshape(a, (T, B, len(W_ih))), state, lengths=lengths, reverse=self.reverse)


class RNN(Recurrent):
    """The ordinary recurrent layer, for PyTorch's torch.nn.RNN.

    nonlinearity  "tanh" or "relu". Raises ValueError for another, and what `Recurrent` raises
    """

    gates = 1

    def __init__(
        self, input_size: int, hidden_size: int, num_layers: int = 1, *, nonlinearity: str = "tanh", **settings: Any
    ):
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(f"RNN: nonlinearity is 'tanh' or 'relu', not {nonlinearity!r}")
        super().__init__(input_size, hidden_size, num_layers, **settings)
        self.nonlinearity = nonlinearity

    def cell(self, product: Product) -> Cell:
        f = tg.tanh if self.nonlinearity == "tanh" else tg.relu

        def step(a: Any, h: Any) -> tuple[Any, Any]:
            h = f(a + product(h))
            return h, h

        return step


class LSTM(Recurrent):
    """Long short-term memory, for PyTorch's torch.nn.LSTM. A state is (h, c)."""

    gates = 4

    def cell(self, product: Product) -> Cell:
        def step(a: Any, state: tuple[Any, Any]) -> tuple[Any, tuple[Any, Any]]:
            h, c = state
            rows = tg.split(a + product(h), 4, axis=-1)
            i = tg.sigmoid(rows[0])
            f = tg.sigmoid(rows[1])
            g = tg.tanh(rows[2])
            o = tg.sigmoid(rows[3])
            c = f * c + i * g
            h = o * tg.tanh(c)
            return h, (h, c)

        return step

    def initial_state(self, B: int) -> tuple[Any, Any]:
        """h⁽⁰⁾ = c⁽⁰⁾ = 0 of one layer in one direction, each (B, hidden_size)."""
        return super().initial_state(B), super().initial_state(B)

    def gathered(self, states: list[Any]) -> tuple[Any, Any]:
        """The states of all layers and directions, h and c each (num_layers · directions, B, hidden_size)."""
        h_n = tg.stack([h for h, _ in states])
        c_n = tg.stack([c for _, c in states])
        return h_n, c_n


class GRU(Recurrent):
    """Gated recurrent units, for PyTorch's torch.nn.GRU: the reset gate acts after the product with W_hh."""

    gates = 3
    adds_biases = False

    def cell(self, product: Product) -> Cell:
        def step(a: Any, h: Any) -> tuple[Any, Any]:
            of_x, of_h = tg.split(a, 3, axis=-1), tg.split(product(h), 3, axis=-1)
            r = tg.sigmoid(of_x[0] + of_h[0])
            z = tg.sigmoid(of_x[1] + of_h[1])
            n = tg.tanh(of_x[2] + r * of_h[2])
            h = n + z * (h - n)
            return h, h

        return step


def affine(h: Any, W: Any, b: Any) -> Any:
    """h W + b, without b where there is none."""
    return h @ W if b is None else h @ W + b


def joined(outputs: Any) -> Any:
    """The outputs of the two directions at one step, side by side."""
    y = tg.concatenate(outputs, axis=-1)
    return y
