"""Which model can learn which task, and how it is built for it.

A task wants something (`tasks.drawn`): an output at every step, say. A model of the catalogue gives something. Where
both are the same the model is built with the task's sizes; a cell gets the readout that is wanted.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

import tinygrad_rnn as tg

from .attention import InputAttention
from .attentive import AttentiveDecoder
from .bidirectional import Bidirectional
from .deep import DeepSkipCell, DeepStatesCell, DeepTransitionCell
from .echo_state import EchoState
from .encoder_decoder import EncoderDecoder
from .generative import Generative
from .gru import GRUCell, ResetAfterGRUCell
from .leaky import LeakyCell, LearnedLeakyCell
from .lstm import BiasedLSTMCell, LSTMCell, PeepholeLSTMCell
from .memory_network import MemoryNetwork
from .pattern_1 import Pattern1
from .pattern_2 import Pattern2
from .pattern_3 import Pattern3, Pattern3Values
from .pattern_4 import Pattern4
from .pointer import Pointer
from .readout import AtEnd, EachStep
from .recursive import DeepRecursive, Recursive
from .rnn import RNNCell
from .skip import SkipCell
from .tasks.drawn import AT_END, CLASSES, EACH_STEP, NUMBERS, STRING
from .tasks.facts import ANSWER
from .tasks.listops import TREE
from .tasks.spelling import VECTOR
from .tasks.strings import PLACES, SEQUENCE
from .turing import TuringCell
from .vector_to_sequence import VectorToSequence

CELLS: dict[str, Callable[..., Any]] = {
    "rnn": RNNCell,
    "deep-states": DeepStatesCell,
    "deep-transition": DeepTransitionCell,
    "deep-skip": DeepSkipCell,
    "skip": partial(SkipCell, d=5),
    "leaky": partial(LeakyCell, α=2.0),
    "leaky-learned": partial(LearnedLeakyCell, α=2.0),
    "lstm": LSTMCell,
    "lstm-biased": BiasedLSTMCell,
    "lstm-peephole": PeepholeLSTMCell,
    "gru": GRUCell,
    "gru-reset-after": ResetAfterGRUCell,
    "turing-machine": partial(TuringCell, places=16, size=8),
}
"""Cells: with a readout they give an output at every step, or one at the end."""

READERS: dict[str, tuple[str, Callable[..., Any]]] = {
    "pattern-1": (EACH_STEP, Pattern1),
    "pattern-2": (AT_END, Pattern2),
    "pattern-3": (EACH_STEP, lambda *sizes, **how: FreeRunning(Pattern3Values(*sizes, **how))),
    "pattern-3-classes": (EACH_STEP, lambda *sizes, **how: FreeRunning(Pattern3(*sizes, **how))),
    "teacher-forcing": (EACH_STEP, Pattern3Values),
    "pattern-4": (EACH_STEP, Pattern4),
    "bidirectional": (EACH_STEP, Bidirectional),
    "echo-state": (EACH_STEP, partial(EchoState, radius=0.79, C=0.44, a=0.9)),
    "echo-state-feedback": (EACH_STEP, partial(EchoState, radius=0.79, C=0.44, a=0.9, feedback=0.56)),
    "input-attention": (AT_END, InputAttention),
    "vector-to-sequence": (VECTOR, VectorToSequence),
    "encoder-decoder": (SEQUENCE, EncoderDecoder),
    "attention": (SEQUENCE, AttentiveDecoder),
    "pointer": (PLACES, lambda inputs, hidden, _, **how: Pointer(inputs, hidden, **how)),
    "recursive": (TREE, Recursive),
    "recursive-deep": (TREE, DeepRecursive),
    "memory-network": (ANSWER, MemoryNetwork),
    "generative": (STRING, lambda _, hidden, outputs, **how: Generative(outputs, hidden, **how)),
}
"""Other models: what each gives, and how it is built."""

SAYS = dict.fromkeys(("pattern-1", "pattern-3-classes", "pattern-4"), CLASSES) | dict.fromkeys(
    ("pattern-3", "teacher-forcing", "echo-state", "echo-state-feedback"), NUMBERS
)
"""Models of which each says one kind of thing; the others say classes, numbers or bits."""

FED = {"pattern-3", "pattern-3-classes", "teacher-forcing", "pattern-4"}
"""Models that are fed what was said before, besides the input."""

LAYER = "is a layer for models of your own, without an output:"
OTHERS = {
    "dynamical-system": "has neither input nor output: there is nothing to learn from",
    "scheduled-sampling": "tosses coins that change in the course of a run: see  python -m zoo claims",
    "layer-rnn": f"{LAYER} rnn is such a cell with one",
    "layer-stacked": f"{LAYER} deep-states has two such layers and one",
    "layer-bidirectional": f"{LAYER} bidirectional has two such layers and one",
    "layer-lstm": f"{LAYER} lstm-biased is such a cell with one",
    "layer-gru": f"{LAYER} gru-reset-after is such a cell with one",
}
"""Models that no task here is for, and why."""


class FreeRunning(tg.Module):
    """Pattern III that is fed its own outputs in training too."""

    def __init__(self, model: Pattern3):
        self.model = model

    def __call__(self, x: Any, y: Any) -> Any:
        return self.model(x, y, forced=0)


def model_for(name: str, task: Any, hidden: int, *, rng: Any) -> Any:
    """A model of the catalogue, built for a task. Raises ValueError saying why where the two do not go together."""
    if name in OTHERS:
        raise ValueError(f"{name} {OTHERS[name]}")
    how = {"rng": np.random.default_rng(rng), "dtype": task.dtype}
    if name in CELLS:
        if task.wants not in (EACH_STEP, AT_END):
            raise ValueError(f"{name} gives {EACH_STEP} or {AT_END}, and the task wants {task.wants}")
        cell = CELLS[name](task.inputs, hidden, **how)
        size = cell(np.zeros((1, task.inputs), task.dtype), cell.initial_state(1))[0].shape[-1]
        return (EachStep if task.wants == EACH_STEP else AtEnd)(cell, size, task.outputs, **how)
    gives, build = READERS[name]
    if gives != task.wants:
        raise ValueError(f"{name} gives {gives}, and the task wants {task.wants}")
    if SAYS.get(name, task.says) != task.says:
        raise ValueError(f"{name} says {SAYS[name]}, and the task wants {task.says}")
    if task.stepwise and name == "bidirectional":
        raise ValueError(f"{name} reads all before it says anything; the task wants each output before the next input")
    if task.stepwise and name in FED:
        raise ValueError(f"{name} is fed its own outputs too, which here are the next inputs: try lstm")
    return build(task.inputs, hidden, task.outputs, **how)
