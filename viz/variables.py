"""A circuit at the level of a textbook's figure: its named variables, and which of them each is computed from.

Operations without a name are folded into the arrows. An arrow carries the parameters it passes through: in
``h = tanh(b + h @ W.T + x @ U.T)`` the arrow from x to h carries U, the one from h of the step before carries W.
Of the backward pass, the complete gradients of the variables are shown, ∂L/∂h beside h.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property

import numpy as np

from tinygrad_rnn.tracing.circuit import Circuit, Component, Wire
from tinygrad_rnn.tracing.recorder import Step
from viz.attention import scores
from viz.links import Link, Part, Start, Variable
from viz.paths import Path, Paths, is_own_past, merged
from viz.recursion import returned
from viz.sequences import Sequences, stacked
from viz.starts import Place, named_as_steps
from viz.weights import PRODUCTS, Weights


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
            self._hidden |= scores(circuit) | {id(c) for c in circuit.components if stacked(c)}
        shown = {id(c): c for c in circuit.components if self._is_shown(c)}
        self._paths = Paths(shown, self._weights, self._sequences, every)
        users = self._users()
        shown = {id(c): c for c in circuit.components if id(c) in self._paths.shown}
        losses = self._losses(shown, users)
        forward = {id_: c for id_, c in shown.items() if id_ not in self._gradient_of}
        self._variable = {id_: self._forward(c, losses, users[id_]) for id_, c in forward.items()}
        self._variable |= {id_: self._gradient(c) for id_, c in shown.items() if id_ in self._gradient_of}
        every_one = [self._variable[id_] for id_ in shown]
        links = [self._link(path, v) for v in every_one for path in self._paths_to(v)]
        self.links = named_as_steps(links, circuit.lengths, list(self._first_terms()))
        parts = {id(part.component) for v in every_one if v.of is None for part in v.parts}
        self.all = [v for v in every_one if id(v.component) not in parts]

    # -- which components are variables ---------------------------------------------------------------------

    def _what_comes_out(self) -> list[Component]:
        """The outputs; of a list of all steps of a loop, that which is in it. Of a backward pass: the loss."""
        if self._gradients:
            loss = next(iter(self._gradients))
            return [c for c in self.circuit.components if c.visits[-1] is loss]
        return [c if c.name else stacked(c) or c for c in self.circuit.outputs]

    def _is_shown(self, c: Component) -> bool:
        """Inputs, elements of sequences, what has a name, what is delayed, and the outputs."""
        if id(c) in self._weights or id(c) in self._hidden or self._sequences.is_hidden(c):
            return False
        is_element = self._sequences.name(c) is not None
        if is_element and id(c) not in self._read and c not in self._outputs:  # as x[0] only to see its shape
            return False
        if c.visits[0].forward is not None:
            return id(c) in self._gradient_of
        if self.every or c.kind in ("input", "failed") or c.name:
            return True
        if stacked(c):
            return id(c) in self._read_in_loops
        return is_element or id(c) in self._delayed or id(c) in self._returned or c in self._outputs

    @cached_property
    def _returned(self) -> set[int]:
        return set() if self.circuit.lengths else returned(self.circuit)

    @cached_property
    def _delayed(self) -> set[int]:
        return {
            id(one.source)
            for c in self.circuit.components
            for wire in c.wires
            for one in (wire, *wire.others)
            if one.delay and not one.source.is_sequence and not is_own_past(c, one) and not self._is_product(one.source)
        }

    def _is_product(self, c: Component) -> bool:
        """Whether it is but a weight by something that has a name: then that is what is delayed."""
        others = [wire.source for wire in c.wires if id(wire.source) not in self._weights]
        return c.operation is not None and c.operation.name in PRODUCTS and len(others) == 1 and bool(others[0].name)

    @cached_property
    def _read(self) -> set[int]:
        return {id(wire.source) for wire in self._wires}

    @cached_property
    def _read_in_loops(self) -> set[int]:
        return {id(wire.source) for c in self.circuit.components if c.repeats for wire in c.wires}

    def _only_initial(self) -> set[int]:
        """Inputs and constants that loops start from: there stands h⁽⁰⁾ in their place."""
        values = (value.source for wire in self._wires for value in wire.initial + wire.final)
        return {id(c) for c in values if c.operation is None} - self._read

    def _users(self) -> defaultdict[int, set[int]]:
        """Which variables are computed from each, by their ids."""
        users = defaultdict[int, set[int]](set)
        for c in self.circuit.components:
            if c.visits[0].forward is None:
                paths = self._paths.to(c)
                if id(c) in self._paths.shown:
                    for path in paths:
                        users[id(path.source)].add(id(c))
        return users

    def _losses(self, shown: dict[int, Component], users: dict[int, set[int]]) -> set[int]:
        """Single numbers that come out, and those that only go into them."""
        outputs = {id(c) for c in self._outputs}
        losses: set[int] = set()
        for id_, c in reversed(shown.items()):
            ends = id_ in outputs or (users[id_] and users[id_] <= losses)
            if ends and c.visits[0].shape == () and c.kind == "operation":
                losses.add(id_)
        return losses

    # -- as variables ----------------------------------------------------------------------------------------

    def _forward(self, c: Component, losses: set[int], users: set[int]) -> Variable:
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
        elif id(c) in losses and (c.name or not self.every):
            kind = "loss"
        return Variable(c, name, kind, self._sequences.axis(c), self._sequences.reads(c) if c.is_sequence else 0)

    def _gradient(self, c: Component) -> Variable:
        of, parts = self._gradient_of[id(c)]
        name = f"∂{self._outputs[0].label}/∂{of.label}"
        return Variable(c, name, "gradient", self._sequences.axis(of), 0, self._variable[id(of)], parts)

    @cached_property
    def _gradient_of(self) -> dict[int, tuple[Component, tuple[Part, ...]]]:
        """By the component that is a variable's gradient at most times: that variable, and all such components."""
        if not self._gradients:
            return {}
        of_step = {id(step): (c, t) for c in self.circuit.components for t, step in enumerate(c.visits, c.first)}
        found = {}
        for c in self.circuit.components:
            named = c.name and c.kind == "operation" and c.visits[0].forward is None
            if not named or id(c) in self._weights or c in self._outputs:
                continue
            made = defaultdict[tuple[int, int], list[tuple[Component, int]]](list)
            for t, step in enumerate(c.visits, c.first):
                if step in self._gradients:
                    part, at = of_step[id(self._gradients[step])]
                    if part.visits[0].forward is not None:
                        made[id(part), 0 if part.loop is None else at - t].append((part, t))
            parts = [Part(uses[0][0], frozenset(t for _, t in uses), ahead) for (_, ahead), uses in made.items()]
            parts.sort(key=lambda part: -len(part.times))
            if parts:
                found[id(parts[0].component)] = c, tuple(parts)
        return found

    # -- how they are linked ---------------------------------------------------------------------------------

    def _paths_to(self, target: Variable) -> list[Path]:
        if target.of is None:
            return self._paths.to(target.component)
        found: list[Path] = []
        for part in target.parts:  # only what flows back; and that begins at the loss
            back = [path for path in self._paths.to(part.component) if id(path.source) in self._gradient_of]
            for path in back or [Path(c, delay=part.ahead) for c in self._outputs]:
                behind = self._gradient_of[id(path.source)][1][0].ahead if back else 0
                found.append(replace(path, delay=path.delay - part.ahead + behind, times=part.times, instead={}))
        return merged(found)

    def _link(self, path: Path, target: Variable) -> Link:
        instead = {t: self._start(value) for t, value in path.instead.items()}
        values = [value.source for value in path.instead.values()]
        zero = all(c.kind == "constant" and not np.any(c.visits[0].value) for c in values)
        matrices = [w.text for w in path.weights if w.matrix]
        others = [w.text for w in path.weights if not (w.is_number and target.kind == "loss")]
        source, label = self._variable[id(path.source)], ", ".join(filter(None, dict.fromkeys(matrices or others)))
        return Link(source, target, label, path.delay, path.reach, path.fixed, path.times, instead, zero)

    def _first_terms(self) -> Iterator[tuple[Variable, Place]]:
        """What a sum over time is at its first step, where that is computed in a way of its own."""
        for c in self.circuit.components:
            for wire in c.wires if id(c) in self._variable else ():
                for t, value in self._paths.instead(c, wire) if is_own_past(c, wire) else ():
                    if value.reach == "once" and id(value.source) in self._variable:
                        yield self._variable[id(value.source)], (self._variable[id(c)], t - wire.delay)

    def _start(self, value: Wire) -> Start | None:
        variable = self._variable.get(id(value.source))
        return None if variable is None else Start(variable, value.delay, value.reach)
