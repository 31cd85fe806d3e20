"""What is drawn of a circuit: variables, and the links between them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from tinygrad_rnn.tracing.circuit import Component
from tinygrad_rnn.tracing.recorder import Step
from tinygrad_rnn.tracing.sequences import Piece


class Part(NamedTuple):
    """A component that is a variable at some `times`. If it is a gradient it happens `ahead` steps later, being made by
    the rule of an operation that does."""

    component: Component
    times: frozenset[int]
    ahead: int


ELEMENT = Piece()
"""Element t at time t; also of what is no piece of an array."""


@dataclass(eq=False)
class Variable:
    """Something that is drawn: a named variable or, in detail, an operation.

    kind   input, target (an input that only a loss looks at), loss (a single number that comes out), variable,
           operation, gradient or failed
    loop   the time axis it has values along; None: it happens once
    piece  for what is read of an array: the elements that it is, as in x⁽ᵗ⁺¹⁾
    of     for a gradient: the variable that it is the gradient of
    parts  … and the components that are, the first of them `component`: where the recursion starts there may be
           another. Of any other variable: a step that is computed in a way of its own
    """

    component: Component
    name: str
    kind: str
    loop: int | None
    piece: Piece = ELEMENT
    of: Variable | None = None
    parts: tuple[Part, ...] = ()

    def step(self, t: int) -> Step | None:
        """What happened at a time; of what happens once, the one thing that did."""
        c = self.component
        for part in self.parts:
            if t in part.times:
                c, t = part.component, t + part.ahead
                break
        return c.visit(t)


class Start(NamedTuple):
    """A variable in the place of one that has no such step: the same time less a delay, or as `reach` says."""

    variable: Variable
    delay: int
    reach: str


@dataclass(frozen=True, eq=False)
class Link:
    """`source` is used to compute `target`, through the parameters in `label`.

    delay    how many steps ago; less than 0: ahead
    reach    which of the source's steps, as in tinygrad_rnn.tracing.circuit.Wire; or "at", those in `steps`
    steps    by time: the steps of the source that are read then, where no delay says it; `where` says it in the circuit
    fixed    whether it passes through weights that are not trained
    times    the times at which it is there; None: always
    instead  by time, where the source has no such step: what is there instead; None: what has no name
    at_zero  whether what is there instead is plain zeros
    """

    source: Variable
    target: Variable
    label: str
    delay: int
    reach: str
    fixed: bool
    times: frozenset[int] | None
    instead: dict[int, Start | None]
    at_zero: bool
    steps: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    where: str = ""

    @property
    def starts(self) -> list[Variable]:
        """The variables that are there instead."""
        return list(dict.fromkeys(start.variable for start in self.instead.values() if start))
