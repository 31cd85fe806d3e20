"""Padding: what stands behind the end of a sequence has no influence, not even where it is NaN."""

from __future__ import annotations

from typing import Any

import numpy as np

import tinygrad_rnn as tg

from ..attention import InputAttention
from ..attentive import AttentiveDecoder
from ..bidirectional import Bidirectional
from ..deep import DeepSkipCell, DeepStatesCell, DeepTransitionCell
from ..encoder_decoder import EncoderDecoder
from ..generative import Generative
from ..gru import GRUCell, ResetAfterGRUCell
from ..layers import GRU, LSTM, RNN
from ..leaky import LeakyCell, LearnedLeakyCell
from ..lstm import BiasedLSTMCell, LSTMCell, PeepholeLSTMCell
from ..memory_network import MemoryNetwork
from ..pattern_2 import Pattern2
from ..pointer import Pointer
from ..readout import AtEnd, EachStep
from ..rnn import RNNCell
from ..sequence import run
from ..skip import SkipCell
from ..turing import TuringCell
from ..vector_to_sequence import VectorToSequence
from .claim import Claim, Progress, below, worst

T, B, D, H, K = 7, 4, 3, 5, 4  # steps, sequences, inputs, hidden units, classes
PADDED = {"f": np.nan, "i": 99}  # what stands in the padding: no number, and no class

Argument = tuple[np.ndarray, Any]
"""An array, and the lengths (B,) of the sequences in it; None for an array that has no time."""


def padding_error(seed: int, quick: bool, progress: Progress) -> float:
    """How far a padded batch is from its sequences one by one, in outputs, loss and every gradient: relatively.

    The most over all models; differences are in units of the largest output, or of the largest entry of the gradient
    with respect to all parameters together, as rounding is.
    """
    rng = np.random.default_rng(seed)
    errors = [loss_error(*example) for example in progress(list(padded_examples(rng)), "losses")]
    return worst(errors + [output_error(rng, outputs) for outputs in progress(runs(rng), "outputs")])


def padded_examples(rng: np.random.Generator) -> Any:
    """(model, its arguments, the lengths that are passed after them) for every model that takes lengths."""
    n, m = (np.concatenate([[T, 1], rng.integers(1, T, size=B - 2, endpoint=True)]) for _ in range(2))
    x, numbers, q = rng.normal(size=(T, B, D)), rng.normal(size=(T, B, K)), rng.normal(size=(B, D))
    labels, label, places = rng.integers(K, size=(T, B)), rng.integers(K, size=B), rng.integers(n, size=(T, B))
    for cell in cells(rng):
        size = H + 2 if isinstance(cell, TuringCell) else H
        yield EachStep(cell, size, K, rng=rng), [(x, n), (labels, n)], [n]
        yield EachStep(cell, size, K, rng=rng), [(x, n), (numbers, n)], [n]
        yield AtEnd(cell, size, K, rng=rng), [(x, n), (label, None)], [n]
    for model in Pattern2(D, H, K, rng=rng), InputAttention(D, H, K, rng=rng):
        yield model, [(x, n), (label, None)], [n]
    for layer in (kind(D, H, 2, bidirectional=True, rng=rng) for kind in (RNN, LSTM, GRU)):
        yield Summed(layer), [(x, n)], [n]
    yield Bidirectional(D, H, K, rng=rng), [(x, n), (labels, n)], [n]
    for pair in EncoderDecoder(D, H, K, rng=rng), AttentiveDecoder(D, H, K, rng=rng):
        yield pair, [(x, n), (labels, m)], [n, m]
    yield Pointer(D, H, rng=rng), [(x, n), (places, m)], [n, m]
    yield Generative(K, H, rng=rng), [(labels, n)], [n]
    yield VectorToSequence(D, H, K, rng=rng), [(q, None), (labels, n)], [n]
    yield MemoryNetwork(D, H, K, rng=rng), [(x, n), (q, None), (label, None)], [n]


def cells(rng: np.random.Generator) -> list[Any]:
    """A cell of each kind."""
    kinds = [RNNCell, DeepStatesCell, DeepTransitionCell, DeepSkipCell, GRUCell, ResetAfterGRUCell]
    kinds += [LSTMCell, BiasedLSTMCell, PeepholeLSTMCell]
    others = [SkipCell(D, H, 2, rng=rng), LeakyCell(D, H, 2.0, rng=rng), LearnedLeakyCell(D, H, 2.0, rng=rng)]
    return [kind(D, H, rng=rng) for kind in kinds] + others + [TuringCell(D, H, 4, 2, rng=rng)]


def runs(rng: np.random.Generator) -> list[Any]:
    """``f(x, lengths)``, the outputs at each step, (T, B, …), for every model that has some."""
    layers = [kind(D, H, 2, bidirectional=True, rng=rng) for kind in (RNN, LSTM, GRU)]
    both = Bidirectional(D, H, K, rng=rng)
    found = [lambda x, n, cell=cell: tg.stack(run(cell, x, lengths=n)[0]) for cell in cells(rng)]
    found += [lambda x, n, layer=layer: layer(x, lengths=n)[0] for layer in layers]
    return [*found, lambda x, n: tg.stack(both.outputs(x, n))]


class Summed(tg.Module):
    """A layer with a loss that depends on all its outputs: half the sum of their squares, the mean over the batch."""

    def __init__(self, layer: Any):
        self.layer = layer

    def __call__(self, x: Any, lengths: Any = None) -> Any:
        output, _ = self.layer(x, lengths=lengths)
        return tg.sum(output * output) / (2 * np.shape(x)[1])


def loss_error(model: Any, arguments: list[Argument], lengths: list[np.ndarray]) -> float:
    """How far loss and gradients of a padded batch are from the mean of those of its sequences, run alone."""
    together = loss_and_gradients(model, [padded(a, n) for a, n in arguments] + lengths)
    alone = [
        loss_and_gradients(model, [a[b : b + 1] if n is None else a[: n[b], b : b + 1] for a, n in arguments])
        for b in range(B)
    ]
    (loss, *gradients), (mean, *means) = together, [sum(each) / B for each in zip(*alone, strict=True)]
    largest = worst(np.abs(g).max() for g in means)
    errors = [np.abs(g - m).max() / largest for g, m in zip(gradients, means, strict=True)]
    return worst([float(abs(loss - mean) / abs(mean)), *errors])


def output_error(rng: np.random.Generator, outputs: Any) -> float:
    """How far the outputs for a padded batch are from those for its sequences, run alone."""
    x, n = rng.normal(size=(T, B, D)), np.array([T, 1, 3, 5])
    with tg.no_grad():
        together = outputs(padded(x, n), n).data
        alone = [outputs(x[: n[b], b : b + 1], None).data[:, 0] for b in range(B)]
    return worst(np.abs(together[: n[b], b] - alone[b]).max() / np.abs(alone[b]).max() for b in range(B))


def padded(a: np.ndarray, lengths: Any) -> np.ndarray:
    """a (T, B, …) with `PADDED` in the place of padding."""
    if lengths is None:
        return a
    outside = np.arange(len(a))[:, None] >= lengths
    return np.where(outside.reshape(outside.shape + (1,) * (a.ndim - 2)), PADDED[a.dtype.kind], a)


def loss_and_gradients(model: Any, arguments: list[Any]) -> list[np.ndarray]:
    """The loss, and its gradient for each parameter."""
    for p in model.parameters():
        p.grad = None
    loss = model(*arguments)
    loss.backward()
    return [loss.data, *(np.zeros(p.shape) if p.grad is None else p.grad.data for p in model.parameters())]


CLAIMS: list[Claim] = [
    Claim(
        "padding",
        "With NaN in the padding, outputs, loss and every gradient are those of the sequences run alone, in all models"
        " that take lengths.",
        "derived", "≤ 1e-12", padding_error, below(1e-12), True, "relative error",
    ),
]  # fmt: skip
