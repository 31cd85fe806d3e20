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
from .encoder_decoder import EncoderDecoder
from .generative import Generative
from .gru import GRUCell, ResetAfterGRUCell
from .leaky import LeakyCell, LearnedLeakyCell
from .lstm import BiasedLSTMCell, LSTMCell, PeepholeLSTMCell
from .pattern_1 import Pattern1
from .pattern_2 import Pattern2
from .pattern_3 import Pattern3, Pattern3Values
from .pattern_4 import Pattern4
from .pointer import Pointer
from .readout import AtEnd, EachStep
from .rnn import RNNCell
from .skip import SkipCell
from .tasks.drawn import AT_END, EACH_STEP, STRING
from .tasks.strings import PLACES, SEQUENCE
from .turing import TuringCell

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
    "input-attention": (AT_END, InputAttention),
    "encoder-decoder": (SEQUENCE, EncoderDecoder),
    "attention": (SEQUENCE, AttentiveDecoder),
    "pointer": (PLACES, lambda inputs, hidden, _, **how: Pointer(inputs, hidden, **how)),
    "generative": (STRING, lambda _, hidden, outputs, **how: Generative(outputs, hidden, **how)),
}
"""Other models: what each gives, and how it is built."""

LABELS = {"pattern-1", "pattern-3-classes", "pattern-4"}  # … it can say, and no numbers
NUMBERS = {"pattern-3", "teacher-forcing"}  # … it can say, and no labels

OTHERS = {
    "dynamical-system": "has neither input nor output: there is nothing to learn from",
    "scheduled-sampling": "tosses coins that change in the course of a run: see  python -m zoo claims",
    "vector-to-sequence": "writes a sequence about one vector, and no task here has one",
    "recursive": "reads a tree, and no task here has one",
    "memory-network": "answers questions about facts, and no task here asks any",
    "echo-state": "is not trained step by step: its output weights are found in one, by EchoState.fit",
    "echo-state-feedback": "is not trained step by step: its output weights are found in one, by EchoState.fit",
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
    if name in (LABELS if task.numbers else NUMBERS):
        said, wanted = ("classes", "numbers") if task.numbers else ("numbers", "classes")
        raise ValueError(f"{name} says {said}, and the task wants {wanted}")
    if task.stepwise and name == "bidirectional":
        raise ValueError(f"{name} reads all before it says anything: the next character would be before its eyes")
    if task.stepwise and name != "pattern-1":
        raise ValueError(f"{name} is fed its own outputs too, which here are the next inputs: try pattern-1 or a cell")
    return build(task.inputs, hidden, task.outputs, **how)
