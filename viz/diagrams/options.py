"""What can be chosen about a drawing, and what is written on its parts accordingly."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from tinygrad_rnn.tracing.recorder import Step
from viz.diagrams.attention_weights import attention_weights
from viz.diagrams.drawing_types import Link, Variable
from viz.diagrams.vertices import Arrow, Vertex

DECADES = 4
"""Gradients smaller than the largest by this many powers of ten are drawn as faint as can be."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """The keyword arguments of `circuit`, `unfolded` and `side_by_side`.

    detail     "variables": what has a name, as in a textbook; "operations": everything that is computed
    steps      of the unfolded graph: which steps to draw, from 1, with "…" where some are left out; None: all if there
               are at most four, otherwise 1, 2, …, T. Where loops differ in length, those of the longest
    shapes     write the shape of each variable under its name
    values     write its value: a number, of an array the mean ± the standard deviation
    gradients  colour and width of an arrow by the norm of the loss's gradient that comes back along it, on a scale of
               four powers of ten. The graph must return one loss
    weights    of attention: an arrow from each step that is looked at, as strong as it is weighted, and no variables
               that only make the weights
    clusters   a frame around the variables of each module
    direction  of what happens within a step: "up", time to the right; or "right", time downward
    theme      "light", "dark" or another of `viz.diagrams.dot.THEMES`
    legend     say what the kinds of arrows and vertices mean
    title      a line above the drawing
    """

    detail: Literal["variables", "operations"] = "variables"
    steps: Sequence[int | str] | None = None
    shapes: bool = False
    values: bool = False
    gradients: bool = False
    weights: bool = False
    clusters: bool = False
    direction: Literal["up", "right"] = "up"
    theme: str = "light"
    legend: bool = False
    title: str = ""

    def __post_init__(self) -> None:
        for name, known in (("detail", ("variables", "operations")), ("direction", ("up", "right"))):
            if getattr(self, name) not in known:
                raise ValueError(f"unknown {name} {getattr(self, name)!r}; known: {', '.join(known)}")


class Pen:
    """Makes the vertices and arrows of a drawing: it knows the options, and the gradients where they are asked for."""

    def __init__(self, options: Options, gradients: dict[Step, Step] | None = None):
        self.options = options
        self._gradients = gradients or {}
        self._norms: dict[Step, float] = {}
        self._largest = 0.0

    def vertex(self, id: str, v: Variable, t: int | None, label: str, x: float, y: float) -> Vertex:
        """A variable at a time; None: at all of them, as in a circuit."""
        steps = v.component.visits if t is None else [s for s in (v.step(t),) if s is not None]
        cluster = v.component.module if self.options.clusters else ""
        first = v.component.visits[0]
        note = f"{v.name} {_shape(first) if first.kind != 'failed' else 'raised an error'}"
        detail = self._detail(v, steps) if v.kind != "failed" else ""
        return Vertex(id, label, x, y, v.kind, cluster, note, detail, tuple([step.index for step in steps]))

    def arrow(
        self,
        tail: str,
        head: str,
        link: Link,
        t: int | None,
        label: str,
        kind: str = "wire",
        via: tuple[tuple[float, float], ...] = (),
        weight: float | None = None,
    ) -> Arrow:
        """An arrow for a link, into its target at a time; of a link that attention weights, as strong as that."""
        kind = "grad" if link.target.of is not None else "fixed" if link.fixed else kind
        return Arrow(tail, head, label, kind, via, self._strength(link, t) if weight is None else weight)

    def _detail(self, v: Variable, steps: Sequence[Step]) -> str:
        written = []
        operation = v.component.operation
        if self.options.detail == "operations" and v.kind in ("variable", "loss") and operation is not None:
            written.append(operation.glyph)
        if self.options.shapes and steps:
            written.append(_shape(steps[0]))
        if self.options.values and steps:
            written.append(_value([np.asarray(step.value) for step in steps]))
        return "  ".join(written)

    def weights(self, link: Link, t: int) -> np.ndarray | None:
        """How much each step counts that is linked to a target at a time, if attention says so and it is asked for."""
        step = link.target.step(t)
        if not self.options.weights or link.kind != "all" or step is None:
            return None
        return attention_weights(step, len(link.source.component.visits))

    # -- gradients -------------------------------------------------------------------------------------------

    def _strength(self, link: Link, t: int | None) -> float | None:
        """How strong the gradient is that comes back along a link, from 0 to 1."""
        if not self._gradients:
            return None
        if not self._largest:
            computed = (g for step, g in self._gradients.items() if step.operation is not None)
            self._largest = max(map(self._norm, computed), default=0.0) or 1.0
        steps = link.target.component.visits if t is None else [link.target.step(t)]
        norms = [self._norm(self._gradients[s]) for s in steps if s is not None and s in self._gradients]
        norm = sum(norms) / len(norms) if norms else 0.0
        return min(max(1 + math.log10(norm / self._largest) / DECADES, 0.0), 1.0) if norm > 0 else 0.0

    def _norm(self, step: Step) -> float:
        norm = self._norms.get(step)
        if norm is None:
            norm = self._norms[step] = float(np.linalg.norm(np.asarray(step.value, dtype=float)))
        return norm if math.isfinite(norm) else 0.0


def _shape(step: Step) -> str:
    return "×".join(map(str, step.shape)) or "a number"


def _value(values: Sequence[np.ndarray]) -> str:
    """A number; of an array, or at several steps, the mean ± the standard deviation."""
    numbers = np.concatenate([np.ravel(value) for value in values]).astype(float)
    if numbers.size < 2:
        return f"{numbers[0]:.3g}" if numbers.size else "empty"
    with np.errstate(invalid="ignore", over="ignore"):  # of what is not finite the mean is not either
        return f"{numbers.mean():.2g} ± {numbers.std():.2g}"
