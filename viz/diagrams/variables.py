"""A circuit at the level of a textbook's figure: its named variables, and which of them each is computed from.

Operations without a name are folded into the arrows. An arrow carries the parameters it passes through: in
``h = tanh(b + h @ W.T + x @ U.T)`` the arrow from x to h carries U, the one from h of the step before carries W.
Of the backward pass, the complete gradients of the variables are shown, ∂L/∂h beside h.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np

from tinygrad_rnn.tracing.circuit import Circuit, Component, Wire
from tinygrad_rnn.tracing.recorder import Step
from viz.diagrams.arrow_sources import Path, Paths, is_own_past, merged
from viz.diagrams.attention_weights import scores
from viz.diagrams.drawing_types import Link, Part, Start, Variable
from viz.diagrams.initial_values import Place, named_as_steps
from viz.diagrams.sequences import Sequences, stacked
from viz.diagrams.trees import returned
from viz.diagrams.weights import PRODUCTS, Weights


class Variables:
    """`all` variables of a circuit, in the order in which they first happen, and the `links` between them.

    every      show every operation, not only what has a name
    gradients  of a recorded backward pass: for each step, the step that is its gradient
    weighted   of attention, link the steps that are weighted to what becomes of them; not what makes the weights
    """

    def __init__(
        self,
        circuit: Circuit,
        *,
        every: bool = False,
        gradients: dict[Step, Step] | None = None,
        weighted: bool = False,
    ):
        self.circuit, self.every = circuit, every
        self._gradients = gradients or {}
        self._weights = Weights(circuit)
        self._sequences = Sequences(circuit)
        self._wires = [one for c in circuit.components for wire in c.wires for one in (wire, *wire.others)]
        self._outputs = self._what_comes_out()
        self._hidden = self._only_initial()
        if weighted:
            self._hidden |= scores(circuit) | set(filter(stacked, circuit.components))
        self._paths = Paths(set(filter(self._is_shown, circuit.components)), self._weights, self._sequences, every)
        users = self._users()
        shown = [c for c in circuit.components if c in self._paths.shown]
        losses = self._losses(shown, users)
        self._variable = {c: self._forward(c, losses, users[c]) for c in shown if c not in self._gradient_of}
        self._variable |= {c: self._gradient(c) for c in shown if c in self._gradient_of}
        every_one = [self._variable[c] for c in shown]
        links = [self._link(path, v) for v in every_one for path in self._paths_to(v)]
        self.links = named_as_steps(links, circuit.lengths, list(self._first_terms()))
        parts = {part.component for v in every_one if v.of is None for part in v.parts}
        self.all = [v for v in every_one if v.component not in parts]

    # -- which components are variables ---------------------------------------------------------------------

    def _what_comes_out(self) -> list[Component]:
        """The outputs; of a list of all steps of a loop, that which is in it. Of a backward pass: the loss."""
        if self._gradients:
            loss = next(iter(self._gradients))
            return [c for c in self.circuit.components if c.visits[-1] is loss]
        return [c if c.name else stacked(c) or c for c in self.circuit.outputs]

    def _is_shown(self, c: Component) -> bool:
        """Inputs, elements of sequences, what has a name, what is delayed, and the outputs."""
        if c in self._weights or c in self._hidden or self._sequences.is_hidden(c):
            return False
        is_element = self._sequences.name(c) is not None
        if is_element and c not in self._read and c not in self._outputs:  # as x[0] only to see its shape
            return False
        if c.visits[0].forward is not None:
            return c in self._gradient_of
        if self.every or c.kind in ("input", "failed") or c.name:
            return True
        if stacked(c):
            return c in self._read_in_loops
        return is_element or c in self._delayed or c in self._returned or c in self._outputs

    @cached_property
    def _returned(self) -> set[Component]:
        return set() if self.circuit.lengths else returned(self.circuit)

    @cached_property
    def _delayed(self) -> set[Component]:
        return {
            one.source
            for c in self.circuit.components
            for wire in c.wires
            for one in (wire, *wire.others)
            if one.delay and not one.source.is_sequence and not is_own_past(c, one) and not self._is_product(one.source)
        }

    def _is_product(self, c: Component) -> bool:
        """Whether it is but a weight by something that has a name: then that is what is delayed."""
        others = [wire.source for wire in c.wires if wire.source not in self._weights]
        return c.operation is not None and c.operation.name in PRODUCTS and len(others) == 1 and bool(others[0].name)

    @cached_property
    def _read(self) -> set[Component]:
        return {wire.source for wire in self._wires}

    @cached_property
    def _read_in_loops(self) -> set[Component]:
        return {wire.source for c in self.circuit.components if c.repeats for wire in c.wires}

    def _only_initial(self) -> set[Component]:
        """Inputs and constants that loops start from: there stands h⁽⁰⁾ in their place."""
        values = (value.source for wire in self._wires for value in wire.initial + wire.final)
        return {c for c in values if c.operation is None} - self._read

    def _users(self) -> defaultdict[Component, set[Component]]:
        """Which shown components are computed from each."""
        users = defaultdict[Component, set[Component]](set)
        for c in self.circuit.components:
            if c.visits[0].forward is None:
                paths = self._paths.to(c)
                if c in self._paths.shown:
                    for path in paths:
                        users[path.source].add(c)
        return users

    def _losses(self, shown: Sequence[Component], users: dict[Component, set[Component]]) -> set[Component]:
        """Single numbers that come out, and those that only go into them."""
        losses: set[Component] = set()
        for c in reversed(shown):
            ends = c in self._outputs or (users[c] and users[c] <= losses)
            if ends and c.visits[0].shape == () and c.kind == "operation":
                losses.add(c)
        return losses

    # -- as variables ----------------------------------------------------------------------------------------

    def _forward(self, c: Component, losses: set[Component], users: set[Component]) -> Variable:
        name, kind = c.label, "operation" if self.every and not c.name else "variable"
        if element := self._sequences.name(c):
            name = element
        elif not self.every and not c.name and (inside := stacked(c)):
            name = f"[{inside.label}]"
        if c.kind == "failed":
            kind = "failed"
        elif element or c.kind == "input":
            of_losses = users & losses
            kind = "target" if of_losses and len(users) <= 2 * len(of_losses) else "input"
        elif c in losses and (c.name or not self.every):
            kind = "loss"
        return Variable(c, name, kind, self._sequences.axis(c), self._sequences.reads(c) if c.is_sequence else 0)

    def _gradient(self, c: Component) -> Variable:
        of, parts = self._gradient_of[c]
        name = f"∂{self._outputs[0].label}/∂{of.label}"
        return Variable(c, name, "gradient", self._sequences.axis(of), 0, self._variable[of], parts)

    @cached_property
    def _gradient_of(self) -> dict[Component, tuple[Component, tuple[Part, ...]]]:
        """By the component that is a variable's gradient at most times: that variable, and all such components."""
        if not self._gradients:
            return {}
        of_step = {step: (c, t) for c in self.circuit.components for t, step in enumerate(c.visits, c.first)}
        found = {}
        for c in self.circuit.components:
            named = c.name and c.kind == "operation" and c.visits[0].forward is None
            if not named or c in self._weights or c in self._outputs:
                continue
            made = defaultdict[tuple[Component, int], list[int]](list)
            for t, step in enumerate(c.visits, c.first):
                if step in self._gradients:
                    part, at = of_step[self._gradients[step]]
                    if part.visits[0].forward is not None:
                        made[part, 0 if part.loop is None else at - t].append(t)
            parts = [Part(part, frozenset(times), ahead) for (part, ahead), times in made.items()]
            parts.sort(key=lambda part: -len(part.times))
            if parts:
                found[parts[0].component] = c, tuple(parts)
        return found

    # -- how they are linked ---------------------------------------------------------------------------------

    def _paths_to(self, target: Variable) -> list[Path]:
        if target.of is None:
            return self._paths.to(target.component)
        found: list[Path] = []
        for part in target.parts:  # only what flows back; and that begins at the loss
            back = [path for path in self._paths.to(part.component) if path.source in self._gradient_of]
            for path in back or [Path(c, delay=part.ahead) for c in self._outputs]:
                behind = self._gradient_of[path.source][1][0].ahead if back else 0
                found.append(replace(path, delay=path.delay - part.ahead + behind, times=part.times, instead={}))
        return merged(found)

    def _link(self, path: Path, target: Variable) -> Link:
        instead = {t: self._start(value) for t, value in path.instead.items()}
        values = [value.source for value in path.instead.values()]
        zero = all(c.kind == "constant" and not np.any(c.visits[0].value) for c in values)
        matrices = [w.text for w in path.weights if w.matrix]
        others = [w.text for w in path.weights if not (w.is_number and target.kind == "loss")]
        source, label = self._variable[path.source], ", ".join(filter(None, dict.fromkeys(matrices or others)))
        return Link(source, target, label, path.delay, path.reach, path.fixed, path.times, instead, zero)

    def _first_terms(self) -> Iterator[tuple[Variable, Place]]:
        """What a sum over time is at its first step, where that is computed in a way of its own."""
        for c in self.circuit.components:
            for wire in c.wires if c in self._variable else ():
                for t, value in self._paths.instead(c, wire) if is_own_past(c, wire) else ():
                    if value.reach == "once" and value.source in self._variable:
                        yield self._variable[value.source], (self._variable[c], t - wire.delay)

    def _start(self, value: Wire) -> Start | None:
        variable = self._variable.get(value.source)
        return None if variable is None else Start(variable, value.delay, value.reach)
