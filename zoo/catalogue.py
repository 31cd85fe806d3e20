"""All models by name, each with the figure that the record of a run draws and a small example to run.

    model, arguments = CATALOGUE["pattern-2"].example()
    loss = model(*arguments)

``python -m zoo list`` prints the names.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .attention import InputAttention
from .attentive import AttentiveDecoder
from .bidirectional import Bidirectional
from .deep import DeepSkipCell, DeepStatesCell, DeepTransitionCell
from .echo_state import EchoState
from .encoder_decoder import EncoderDecoder
from .generative import Generative
from .gru import GRUCell, ResetAfterGRUCell
from .layers import GRU, LSTM, RNN
from .leaky import LeakyCell, LearnedLeakyCell
from .lstm import BiasedLSTMCell, LSTMCell, PeepholeLSTMCell
from .memory_network import MemoryNetwork
from .pattern_1 import Pattern1
from .pattern_2 import Pattern2
from .pattern_3 import Pattern3, Pattern3Values
from .pattern_4 import Pattern4
from .pointer import Pointer
from .readout import EachStep
from .recursive import DeepRecursive, Recursive
from .rnn import DynamicalSystem, RNNCell
from .sequence import run
from .skip import SkipCell
from .turing import TuringCell
from .vector_to_sequence import VectorToSequence

Rng = np.random.Generator
Example = tuple[Callable[..., Any], tuple[Any, ...]]


@dataclass(frozen=True)
class Entry:
    """A model of the zoo.

    model   its class
    figure  the figure of Goodfellow, Bengio & Courville 2016; "" where the lecture or a paper alone has the model
    build   makes the example from a generator
    about   what is special about the example
    """

    model: type
    figure: str
    build: Callable[[Rng], Example]
    about: str = ""

    @property
    def summary(self) -> str:
        """The first line of the model's docstring, with what is special about the example."""
        line = (inspect.getdoc(self.model) or "").partition("\n")[0]
        return f"{line.rstrip('.')}: {self.about}." if self.about else line

    def example(self, rng: Any = 0) -> Example:
        """A small model and arguments for it. The run returns the loss or, where there is none, the outputs."""
        return self.build(np.random.default_rng(rng))


T, B = 5, 2  # steps, sequences
D, H, K = 3, 4, 3  # inputs, hidden units, outputs


def x(rng: Rng) -> np.ndarray:
    """A sequence of inputs, (T, B, D)."""
    return rng.normal(size=(T, B, D))


def shorter_x(rng: Rng) -> np.ndarray:
    """A sequence of inputs of another length than the outputs, (T − 1, B, D)."""
    return x(rng)[1:]


def vector(rng: Rng) -> np.ndarray:
    """One input, (B, D)."""
    return x(rng)[0]


def values(rng: Rng) -> np.ndarray:
    """Numbers to predict at each step, (T, B, K)."""
    return rng.normal(size=(T, B, K))


def value(rng: Rng) -> np.ndarray:
    """Numbers to predict for the sequence, (B, K)."""
    return values(rng)[0]


def labels(rng: Rng) -> np.ndarray:
    """A class at each step, (T, B)."""
    return rng.integers(K, size=(T, B))


def label(rng: Rng) -> np.ndarray:
    """A class for the sequence, (B,)."""
    return labels(rng)[0]


def symbols(rng: Rng) -> np.ndarray:
    """A class at each step as a one-hot row, (T, B, K)."""
    return np.eye(K)[labels(rng)]


def model(kind: Any, figure: str, *arguments: Any, about: str = "", **settings: Any) -> Entry:
    """A model of D inputs, H hidden units and K outputs; an argument that is a function is drawn by it."""

    def build(rng: Rng) -> Example:
        instance = kind(D, H, K, rng=rng, **settings)
        return instance, tuple(a(rng) if callable(a) else a for a in arguments)

    return Entry(kind, figure, build, about)


def cell(kind: Any, figure: str, *settings: Any) -> Entry:
    """A cell of D inputs and H hidden units, with K outputs and a loss at every step."""

    def build(rng: Rng) -> Example:
        return EachStep(kind(D, H, *settings, rng=rng), H, K, rng=rng), (x(rng), labels(rng))

    return Entry(kind, figure, build)


def layer(kind: Any, about: str = "", **settings: Any) -> Entry:
    """A layer of D inputs and H hidden units, whose run returns what it puts out at all steps."""

    def build(rng: Rng) -> Example:
        layer = kind(D, H, rng=rng, **settings)
        return lambda x: layer(x)[0], (x(rng),)

    return Entry(kind, "", build, about)


def dynamical_system(rng: Rng) -> Example:
    return DynamicalSystem(H, rng=rng), (rng.normal(size=(B, H)), T)


def rnn(rng: Rng) -> Example:
    cell = RNNCell(D, H, rng=rng)
    return lambda x: run(cell, x)[1], (x(rng),)


def generative(rng: Rng) -> Example:
    return Generative(K, H, rng=rng), (symbols(rng),)


def pointer(rng: Rng) -> Example:
    return Pointer(D, H, rng=rng), (x(rng)[:K], symbols(rng))  # K places to point to


def turing_machine(rng: Rng) -> Example:
    places, size = 6, 3
    return EachStep(TuringCell(D, H, places, size, rng=rng), H + size, K, rng=rng), (x(rng), labels(rng))


CATALOGUE = {
    "dynamical-system": Entry(DynamicalSystem, "10.1", dynamical_system),
    "rnn": Entry(RNNCell, "10.2", rnn),
    "pattern-1": model(Pattern1, "10.3", x, labels),
    "pattern-2": model(Pattern2, "10.5", x, label),
    "pattern-3": model(Pattern3Values, "10.4", x, values, 0, about="free-running"),
    "pattern-3-classes": model(Pattern3, "", x, symbols, 0, about="free-running"),
    "teacher-forcing": model(Pattern3Values, "10.6", x, values, 1, about="fed the target instead, in training"),
    "scheduled-sampling": model(Pattern3Values, "", x, values, 0.5, 1, about="fed the target now and then"),
    "pattern-4": model(Pattern4, "10.10", x, symbols),
    "generative": Entry(Generative, "10.7, 10.8", generative),
    "vector-to-sequence": model(VectorToSequence, "10.9", vector, symbols),
    "bidirectional": model(Bidirectional, "10.11", x, labels),
    "encoder-decoder": model(EncoderDecoder, "10.12", shorter_x, symbols),
    "attention": model(AttentiveDecoder, "", shorter_x, symbols),
    "input-attention": model(InputAttention, "", x, value),
    "pointer": Entry(Pointer, "", pointer),
    "deep-states": cell(DeepStatesCell, "10.13a"),
    "deep-transition": cell(DeepTransitionCell, "10.13b"),
    "deep-skip": cell(DeepSkipCell, "10.13c"),
    "recursive": model(Recursive, "10.14", shorter_x, label, ((0, 1), (2, 3))),
    "recursive-deep": model(DeepRecursive, "", shorter_x, label, ((0, 1), (2, 3))),
    "echo-state": model(EchoState, "", x, values, C=0.5),
    "echo-state-feedback": model(EchoState, "", x, values, C=0.5, feedback=0.5, about="fed back"),
    "skip": cell(SkipCell, "", 3),
    "leaky": cell(LeakyCell, "", 2.0),
    "leaky-learned": cell(LearnedLeakyCell, "", 2.0),
    "lstm": cell(LSTMCell, "10.16"),
    "lstm-biased": cell(BiasedLSTMCell, "10.16"),
    "lstm-peephole": cell(PeepholeLSTMCell, ""),
    "gru": cell(GRUCell, ""),
    "gru-reset-after": cell(ResetAfterGRUCell, ""),
    "layer-rnn": layer(RNN),
    "layer-stacked": layer(RNN, "two of them", num_layers=2),
    "layer-bidirectional": layer(RNN, "in both directions", bidirectional=True),
    "layer-lstm": layer(LSTM),
    "layer-gru": layer(GRU),
    "turing-machine": Entry(TuringCell, "10.18", turing_machine),
    "memory-network": model(MemoryNetwork, "", x, vector, label),
}
