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
from tinygrad_rnn.tracing.reading import NAMELESS, Reading
from tinygrad_rnn.tracing.recorder import Step
from tinygrad_rnn.tracing.sequences import stacked
from viz.diagrams.arrow_sources import Path, Paths, merged
from viz.diagrams.attention_weights import scores
from viz.diagrams.drawing_types import ELEMENT, Link, Part, Start, Variable
from viz.diagrams.initial_values import named_as_steps
from viz.diagrams.trees import returned
from viz.diagrams.weights import PRODUCTS, Weights
from viz.labels import at_step, label


class Variables:
    """`all` variables of a circuit, in the order in which they first happen, and the `links` between them.

    every      show every operation, not only what has a name
    gradients  of a recorded backward pass: for each step, the step that is its gradient
    weighted   of attention, link the steps that are weighted to what becomes of them; not what makes the weights
    """

    def __init__(
        self,
        circuit: Circuit,
        reading: Reading,
        *,
        every: bool = False,
        gradients: dict[Step, Step] | None = None,
        weighted: bool = False,
    ):
        self.circuit, self.reading, self.every = circuit, reading, every
        self._gradients = gradients or {}
        self._weights = Weights(circuit.components, reading)
        self.sequences = reading.sequences
        self._wires = [one for c in circuit.components for wire in c.wires for one in (wire, *wire.others)]
        self._outputs = [c if c.name else stacked(c) or c for c in reading.outputs]
        self._hidden = self._only_initial()
        if weighted:
            self._hidden |= scores(circuit) | set(filter(stacked, circuit.components))
        shown_first = set(filter(self._is_shown, circuit.components))
        self._paths = Paths(shown_first, reading, self._weights, every)
        users = self._users()
        shown = [c for c in circuit.components if c in self._paths.shown]
        losses = self._losses(shown, users)
        self._variable = {c: self._forward(c, losses, users[c]) for c in shown if c not in self._gradient_of}
        self._variable |= {c: self._gradient(c) for c in shown if c in self._gradient_of}
        every_one = [self._variable[c] for c in shown]
        links = [self._link(path, v) for v in every_one for path in self._paths_to(v)]
        self.links = named_as_steps(links, circuit.lengths, self._stand_ins())
        parts = {part.component for v in every_one if v.of is None for part in v.parts}
        self.all = [v for v in every_one if v.component not in parts]
        if not weighted:
            self._gather()

    # -- which components are variables ---------------------------------------------------------------------

    def _is_shown(self, c: Component) -> bool:
        """Inputs, elements of sequences, what has a name, what is delayed, and the outputs."""
        if c in self._weights or c in self._hidden or self.sequences.is_hidden(c):
            return False
        is_element = self._element_name(c) is not None
        if is_element and c not in self._read and c not in self._outputs:  # as x[0] only to see its shape
            return False
        if c.visits[0].forward is not None:
            return c in self._gradient_of
        if stacked(c) and not c.name:
            return self.every or c in self._read_in_loops
        if c in self.reading.data and self.reading.names[c] in NAMELESS["input"]:
            return c.visits[0].shape != ()  # a number without a name is a factor like any other
        if self.every or c.kind in ("input", "failed") or self._is_named(c):
            return True
        return is_element or c in self._delayed or c in self._returned or c in self._outputs

    def _is_named(self, c: Component) -> bool:
        """Whether it has a name: its own, or that of a step that it stands in for."""
        return bool(c.name) if c in self.reading.stands_in else c in self.reading.names and not self._is_product(c)

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
            if one.delay
            and self.sequences.piece(one.source) is None
            and not self.reading.is_own_past(c, one)
            and not self._is_product(one.source)
        }

    def _is_product(self, c: Component) -> bool:
        """Whether it has no name and is but a weight by something that has one: then that is what is delayed."""
        others = [wire.source for wire in c.wires if wire.source not in self._weights]
        is_product = not c.name and c.operation is not None and c.operation.name in PRODUCTS
        return is_product and len(others) == 1 and self._is_named(others[0])

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
        name, kind = label(c, self.reading), "operation" if self.every and not self._is_named(c) else "variable"
        if element := self._element_name(c):
            name = element
        elif not self.every and not c.name and (inside := stacked(c)):
            name = f"[{label(inside, self.reading)}]"
        if c.kind == "failed":
            kind = "failed"
        elif c.kind == "input" or c in self.reading.data or (element and not self.sequences.is_computed(c)):
            of_losses, is_read = users & losses, any(map(self.sequences.piece, users))
            kind = "target" if of_losses and not is_read and len(users) <= 2 * len(of_losses) else "input"
        elif c in losses and (self._is_named(c) or not self.every):
            kind = "loss"
        return Variable(c, name, kind, self.sequences.axis(c), self.sequences.piece(c) or ELEMENT)

    def _element_name(self, c: Component) -> str | None:
        """What an element is called: as the array that it is of, at the step if it is a single one."""
        if self.sequences.piece(c) is not None:
            return label(self.sequences.array(c)[0], self.reading)
        number = self.sequences.single(c)
        return None if number is None else at_step(label(c.wires[0].source, self.reading), number + 1)

    def _gradient(self, c: Component) -> Variable:
        of, parts = self._gradient_of[c]
        name = f"∂{label(self._outputs[0], self.reading)}/∂{label(of, self.reading)}"
        return Variable(c, name, "gradient", self.sequences.axis(of), ELEMENT, self._variable[of], parts)

    @cached_property
    def _gradient_of(self) -> dict[Component, tuple[Component, tuple[Part, ...]]]:
        """By the component that is a variable's gradient at most times: that variable, and all such components."""
        if not self._gradients:
            return {}
        named = [c for c in self.circuit.components if self._has_gradient(c)]
        complete = {self._gradients[step] for c in named for step in c.visits if step in self._gradients}
        of_step = {
            step: (c, t)
            for c in self.circuit.components
            if c.visits[0].forward is not None and not complete.isdisjoint(c.visits)
            for t, step in c.timed
        }
        found = {}
        for c in named:
            made = defaultdict[tuple[Component, int], list[int]](list)
            for t, step in c.timed:
                gradient = self._gradients.get(step)
                if gradient in of_step:
                    part, at = of_step[gradient]
                    made[part, at - t if part.axes else 0].append(t)
            parts = [Part(part, frozenset(times), ahead) for (part, ahead), times in made.items()]
            parts.sort(key=lambda part: -len(part.times))
            if parts:
                found[parts[0].component] = c, tuple(parts)
        return found

    def _has_gradient(self, c: Component) -> bool:
        """Whether its gradient is to be shown, if it has one: that of a named variable that is no output."""
        is_computed = c.kind == "operation" and c.visits[0].forward is None
        return self._is_named(c) and is_computed and c not in self._outputs and self._is_shown(c)

    def _gather(self) -> None:
        """Let all steps of a loop that each step of another reads meet in one vertex [h]: few arrows for many."""
        gathered: dict[Variable, Variable] = {}
        for i, link in enumerate(self.links):
            if link.reach == "all" and link.target.of is None and None not in (link.source.loop, link.target.loop):
                if link.source not in gathered:
                    states = Variable(link.source.component, f"[{link.source.name}]", "variable", None)
                    gathered[link.source] = states
                    self.all.insert(self.all.index(link.source) + 1, states)
                    self.links.append(replace(link, target=states, label="", times=None, instead={}))
                self.links[i] = replace(link, source=gathered[link.source], reach="once")

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
        found = path.delay, path.reach, path.fixed, path.times, instead, zero, path.steps, path.where
        return Link(source, target, label, *found)

    def _stand_ins(self) -> Iterator[tuple[Variable, Variable, int]]:
        """What happens once and stands in for a step of a loop; of which variable, and which step."""
        for c, (of, step) in self.reading.stands_in.items():
            of, ago = self.sequences.element(of)
            if c in self._variable and of in self._variable and c.loop is None:
                yield self._variable[c], self._variable[of], step - ago

    def _start(self, value: Wire) -> Start | None:
        variable = self._variable.get(value.source)
        return None if variable is None else Start(variable, value.delay, value.reach)
