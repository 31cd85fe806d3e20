"""What weights a value on its way: parameters and constants, and how they are written on an arrow."""

from __future__ import annotations

import re
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from typing import NamedTuple

import numpy as np

from tinygrad_rnn.tracing.circuit import Component, Wire
from tinygrad_rnn.tracing.reading import Reading
from tinygrad_rnn.tracing.recorder import Step
from viz.labels import label

PRODUCTS = ("matmul", "multiply", "einsum")
"""Operations through which a parameter weights what passes: it labels the arrow."""


class Weight(NamedTuple):
    """One weight on the way of a value: how it is written, if at all; whether it is a matrix; whether it is trained."""

    text: str
    matrix: bool
    trained: bool

    @property
    def is_number(self) -> bool:
        return _is_number(self.text)


class Weights:
    """How the weights of a circuit are written, and which of them are trained. No arrow comes from them.

    gradients  steps that are gradients of variables. These are no weights, nor is what is computed from them, though in
               a linear network they are computed from parameters alone
    """

    def __init__(self, components: Iterable[Component], reading: Reading, gradients: AbstractSet[Step]):
        self._reading = reading
        self._written: dict[Component, tuple[str, ...]] = {}
        self._trained: dict[Component, bool] = {}
        flowing: set[Component] = set()
        for c in components:
            if not flowing.isdisjoint(w.source for w in c.wires) or not gradients.isdisjoint(c.visits):
                flowing.add(c)
            elif c in reading.weights:
                is_array = c.kind == "constant" and not c.name and np.size(c.visits[0].value) > 1
                self._written[c] = self._expression(c) if c.wires else () if is_array else (label(c, reading),)
                self._trained[c] = c.kind == "parameter" or any(self._trained[w.source] for w in c.wires)

    def __contains__(self, component: Component) -> bool:
        return component in self._written

    def beside(self, c: Component, through: Wire, every: bool) -> tuple[Weight, ...]:
        """What weights the value that comes into an operation by one wire.

        every  of any operation, not only of a product: what it does with b is then to be seen
        """
        if c.operation is None or not (every or c.operation.name in PRODUCTS):
            return ()
        found = []
        for other in (w.source for w in c.wires if w is not through and w.source in self._written):
            # An array that scales each number for itself is no matrix: it may be the mask of a dropout.
            matrix = np.ndim(other.visits[0].value) > 1 and c.operation.name != "multiply"
            texts = self._written[other] or ("",) * matrix
            found += [Weight(text, matrix, self._trained[other]) for text in texts]
        return tuple(found)

    def _expression(self, c: Component) -> tuple[str, ...]:
        """Its name or 1 − 1/α for what is no matrix; otherwise the parameters in it, W for W.T."""
        operands = [text for w in c.wires for text in self._written[w.source]]
        assert c.operation is not None
        if c in self._reading.names and operands:
            return (label(c, self._reading),)
        signs = {"add": " + ", "subtract": " − ", "divide": "/"}
        if len(operands) == 2 and c.operation.name in signs and np.ndim(c.visits[0].value) < 2:
            left, right = operands
            if c.operation.name != "add" and re.search(" [+−] ", re.sub(r"\(.*\)", "", right)):
                right = f"({right})"
            return (left + signs[c.operation.name] + right,)
        return tuple(dict.fromkeys(text for text in operands if not _is_number(text)))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
