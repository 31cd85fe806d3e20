"""A circuit at the level of a textbook's figure: its named variables, and which of them each is computed from.

Operations without a name are folded into the arrows. An arrow carries the parameters it passes through: in
``h = tanh(b + h @ W.T + x @ U.T)`` the arrow from x to h carries U, the one from h of the step before carries W.
Of the backward pass, the complete gradients of the variables are shown, ∂L/∂h beside h.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property, partial

import numpy as np

from tinygrad_rnn.tracing.circuit import Along, Circuit, Component
from tinygrad_rnn.tracing.operands import name_of_operand
from tinygrad_rnn.tracing.reading import Reading
from tinygrad_rnn.tracing.recorder import Step
from tinygrad_rnn.tracing.sequences import stacked
from viz.diagrams.arrow_sources import Path, Paths
from viz.diagrams.attention_weights import scores
from viz.diagrams.drawing_types import ELEMENT, Link, Part, Reach, Variable, reach
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
        self._nested = any(c.nested for c in circuit.components)
        named = [c for c in circuit.components if c.name and c.operation is not None]
        of_variables = {g for c in named for step in c.visits if (g := self._gradients.get(step)) is not None}
        self._weights = Weights(circuit.components, reading, of_variables)
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
        self._place = {part.component: (v, part) for v in self._variable.values() for part in v.parts}
        self._name_stand_ins()
        self.all = [v for c, v in self._variable.items() if self._place[c][0] is v]
        self.links = [link for v in self.all for link in self._links(v)]
        if not weighted:
            self._gather()

    # -- which components are variables ---------------------------------------------------------------------

    def _is_shown(self, c: Component) -> bool:
        """Inputs, elements of sequences, what has a name, what is delayed, and the outputs."""
        if c in self._weights or c in self._hidden or self.sequences.is_hidden(c):
            return False
        is_element = self._element_name(c) is not None
        if (is_element or c.kind == "input") and c not in self._read and c not in self._outputs:  # x[0] for its shape
            return False
        if c.visits[0].forward is not None:
            return c in self._gradient_of
        if stacked(c) and not c.name:
            return self.every or c in self._read_in_loops
        if c in self.reading.data and c.visits[0].shape == () and c not in self._named_operands:
            return False  # a number without a name is a factor like any other
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
    def _named_operands(self) -> set[Component]:
        """What has a name where the code reads it, as the mask in `mask[t] * h`."""
        forward = (c for c in self.circuit.components if c.visits[0].forward is None)
        operands = ((c.visits[0].site, i, wire.source) for c in forward for i, wire in enumerate(c.wires))
        return {c for site, i, c in operands if c.name or (site is not None and name_of_operand(site, i))}

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
        piece = self.sequences.piece(c) or ELEMENT
        return Variable(c, name, kind, self.sequences.axis(c), piece, parts=(Part(c),))

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
            made, unseen = defaultdict[tuple[Component, int], list[int]](list), list[int]()
            for t, step in c.timed:
                gradient = self._gradients.get(step)
                if gradient in of_step:
                    part, at = of_step[gradient]
                    made[part, at - t if part.axes else 0].append(t)
                elif gradient is not None:  # made in an inner loop, of which the last visit alone is drawn
                    unseen.append(t)
            order = sorted(made, key=lambda part: -len(made[part]))
            if order:
                made[order[0]] += unseen
                parts = tuple([Part(part, frozenset(made[part, ahead]), ahead) for part, ahead in order])
                found[parts[0].component] = c, parts
        return found

    def _has_gradient(self, c: Component) -> bool:
        """Whether its gradient is to be shown, if it has one: that of a named variable that is no output."""
        is_computed = c.kind == "operation" and c.visits[0].forward is None
        return self._is_named(c) and is_computed and c not in self._outputs and self._is_shown(c)

    def _name_stand_ins(self) -> None:
        """Call what stands in for a step as that step: h⁽⁰⁾. If it is a step that there is, it is that variable."""
        for c, (of, step) in self.reading.stands_in.items():
            of, ago = self.sequences.element(of)
            v, variable, step = self._variable.get(c), self._variable.get(of), step - ago
            if v is None or variable is None or c.loop is not None:
                continue
            assert variable.loop is not None
            T = self.circuit.lengths[variable.loop]
            if not 1 <= step <= T:
                v.name = at_step(variable.name, step) if step < 1 else at_step(variable.name, "T", step - T)
            elif not any(gradient.of is v for gradient in self._variable.values()):
                part = Part(c, frozenset({step - 1}))
                variable.parts = (part, *variable.parts)
                self._place[c] = variable, part

    def _gather(self) -> None:
        """Let all steps of a loop that each step of another reads meet in one vertex [h]: few arrows for many."""
        gathered: dict[Variable, Variable] = {}
        for i, link in enumerate(self.links):
            source, target = link.source, link.target
            if link.kind == "all" and target.of is None and None not in (source.loop, target.loop):
                if source not in gathered:
                    states = Variable(source.component, f"[{source.name}]", "variable", None, parts=source.parts)
                    gathered[source] = states
                    self.all.insert(self.all.index(source) + 1, states)
                    every_one = _always(link.places(target.component.first))
                    self.links.append(replace(link, target=states, label="", places=every_one))
                together = _always([(gathered[source], 0)])
                self.links[i] = replace(link, source=gathered[source], reach=Reach(), places=together)

    # -- how they are linked ---------------------------------------------------------------------------------

    def _links(self, target: Variable) -> Iterator[Link]:
        """One link for all that is read from the same steps of a variable, by whatever components the target is."""
        found = defaultdict[tuple, list[tuple[Part, Path]]](list)
        for part in target.parts:
            for path in self._paths_to(part, target):
                source, _ = self._place[path.source]
                if source is target and target.loop is None:  # a running sum
                    continue
                found[source, self._reach(path, part, target), path.is_plain].append((part, path))
        for (source, reached, _), read in found.items():
            paths = [path for _, path in read]
            weights = dict.fromkeys(weight for path in paths for weight in path.weights)
            matrices = [w.text for w in weights if w.matrix]
            others = [w.text for w in weights if not (w.is_number and target.kind == "loss")]
            label = ", ".join(filter(None, dict.fromkeys(matrices or others)))
            initial = {c: (along, part) for part, path in read for c, along in path.initial if target.of is None}
            named = {c: self._place[c][0] for c in initial if c in self._place}
            starts = {
                v: reach(initial[c][0], c, initial[c][1].component, self._nested)
                for c, v in named.items()
                if v.component is c
            }
            zero = len(starts) < len(named) or all(
                c.kind == "constant" and not np.any(c.visits[0].value) for c in initial
            )
            nameless = len(named) < len(initial)
            fixed = all(path.fixed for path in paths)
            yield Link(
                source, target, label, reached, partial(self._places, target, read), fixed, starts, nameless, zero
            )

    def _paths_to(self, part: Part, target: Variable) -> list[Path]:
        found = self._paths.to(part.component)
        if target.of is None:
            return found
        # Only what flows back; and that begins at the loss.
        back = [path for path in found if path.source in self._gradient_of]
        if self._is_from_the_loss(part.component):
            ago = (Along("step", (1,), -part.ahead),)
            back += [Path(c, ago, (partial(_step_before, c, part.ahead),)) for c in self._outputs]
        return back

    def _is_from_the_loss(self, gradient: Component) -> bool:
        """Whether the loss is computed from the variable directly: then a term of its gradient is computed from no
        other gradient."""
        added = [gradient]
        for c in added:  # grows while it is walked
            if c.visits[0].giver is None:
                if not any(path.source in self._gradient_of for path in self._paths.to(c)):
                    return True
            else:
                read = [one.source for wire in c.wires for one in (wire, *wire.others)]
                added += [x for x in read if x not in self._gradient_of and x not in added]
        return False

    def _reach(self, path: Path, part: Part, target: Variable) -> Reach:
        """Which steps of the source's variable a path leads from, to a target of which a part is the component."""
        source, behind = self._place[path.source]
        if source.loop is None:
            return Reach()
        if part.component.loop is None and part.times and target.loop == source.loop:  # a step of its own
            t = min(part.times)
            places = self._places(target, [(part, path)], t)
            if len(places) == 1:
                return Reach("step", t - places[0][1])
        if not path.along:
            assert behind.times is not None
            if target.loop == source.loop and (len(behind.times) > 1 or part.times == behind.times):
                return Reach("step")
            return Reach("first", words="t = 1") if 0 in behind.times else Reach("last", words="t = T")
        found = reach(path.along, source.component, part.component, self._nested)
        return found._replace(delay=found.delay + behind.ahead - part.ahead) if found.kind == "step" else found

    def _places(self, target: Variable, read: list[tuple[Part, Path]], t: int) -> list[tuple[Variable, int]]:
        """What is read at a time over some of the paths to a target."""
        found: dict[tuple[Variable, int], None] = {}
        for part, path in read:
            if part is target.part(t):
                for c, s in (place for reads in path.reads for place in reads(t + part.ahead)):
                    v, behind = self._place[c]
                    time = 0 if v.loop is None else behind.time(s, t)
                    if target.of is None or v.step(time) is not None:  # no gradient comes from beyond the end
                        found[v, time] = None
        return list(found)


def _step_before(c: Component, ago: int, t: int) -> list[tuple[Component, int]]:
    return [(c, t - ago)]


def _always(places: list[tuple[Variable, int]]) -> Callable[[int], list[tuple[Variable, int]]]:
    return lambda _: places
