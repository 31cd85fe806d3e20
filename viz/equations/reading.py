"""A circuit read out as equations: the definition of each variable."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

import numpy as np

from tinygrad_rnn.tracing.circuit import Circuit, Component, Wire, chosen
from tinygrad_rnn.tracing.record import Graph
from tinygrad_rnn.tracing.recorder import Step
from viz.equations import algebra, terms
from viz.equations.applications import Application, Operand, without
from viz.equations.batch_axis import Examples, axes_of, width
from viz.equations.names import NEW, Names, is_uniform, own_past, readers
from viz.equations.operations import translated
from viz.equations.terms import BatchSize, Call, Cases, Every, Row, Symbol, Term, Time, Variable, at

LONGEST, LONG = 40, 8
"""A term of more parts than this is given a name of its own; used more than once, of more than that."""


@dataclass(frozen=True)
class Equation:
    """left = right, at the steps from `first` to `last` (counted from 0) if the left side is written for the step t."""

    left: Symbol
    right: Term
    first: int = 0
    last: int = 0


class Reading:
    """The forward pass of a recorded run as equations.

    lengths      of the loops
    examples     which axis counts the examples
    definitions  of the variables that no operation of the run gave, like ŷ in a cross-entropy
    parameters   those of the variables that are
    constants    those that are numbers of the code without a name, and what gives them
    recorded     the step of the run that has the value of a variable, by the variable and the time from 0; None: the
                 whole of it
    """

    def __init__(self, graph: Graph):
        self.circuit: Circuit = graph.fold()
        self.lengths = self.circuit.lengths
        self._of = {step: c for c in self.circuit.components for step in c.visits}
        self.examples = Examples(self.circuit)
        self.names = Names(self.circuit, self._ends(graph))
        self.equations: list[Equation] = []
        self.recorded: dict[tuple[Variable, int | None], Step] = {}
        self._terms: dict[Component, Term] = {}
        self._pending: set[Component] = set()
        self._known: dict[Term, Symbol] = {}
        named = self.names.variable
        self.parameters = {named[c] for c in self.circuit.components if c.kind == "parameter" and c in named}
        nameless = [c for c in self.circuit.components if c.kind == "constant" and not c.name and c in named]
        self.constants = {named[c]: c for c in reversed(nameless)}
        self.definitions: dict[Variable, Term] = {}
        self._starting: list[tuple[tuple[bool, int], Equation]] = []
        self._starts: dict[tuple[Variable, int], Step] = {}
        self._read_by = self._readers()
        self._times = {c: c.times(1 if c.loop is None else self.lengths[c.loop]) for c in self.circuit.components}
        self._batch: Term = algebra.constant(1)
        if self.examples.size not in (None, 1):
            self._batch = BatchSize(())
        for c in self.circuit.components:
            if c.visits[0].forward is None:
                self._read_forward(c)

    def _ends(self, graph: Graph) -> list[Component]:
        """The components that the forward pass ends with."""
        if graph.gradients:  # what the backward pass began with
            return [self._of[next(iter(graph.gradients))]]
        return self.circuit.outputs

    def _readers(self) -> Counter[Component]:
        """How many components of this pass read each."""
        return readers(c for c in self.circuit.components if c.visits[0].forward is None)

    def _read_forward(self, c: Component) -> None:
        variable = self.names.variable.get(c)
        if variable is None:
            return
        self._record(c, variable)
        if c.operation is not None:
            self.define(c, variable)

    def define(self, c: Component, variable: Variable) -> None:
        """The equation of a variable."""
        if c in self.names.totals:
            self.equations.append(Equation(self.symbol(c, variable), self._total(c)))
            return
        right = self.computed(c)
        times = self._times[c]
        self.equations += [e for _, e in sorted(self._starting, key=lambda start: start[0])]
        self._starting.clear()
        self.equations.append(Equation(self.symbol(c, variable), right, times.start, times.stop - 1))

    def symbol(self, c: Component, variable: Variable) -> Symbol:
        time = Time("t") if variable.loop is not None else None
        return Symbol(self.shape(c), (), variable, time, self.examples.axis(c) is not None)

    def shape(self, c: Component) -> terms.Shape:
        return terms.matrix_shape(without(c.visits[0].shape, self.examples.axis(c)))

    def of_example(self, step: Step, example: int) -> np.ndarray:
        """The recorded value of a step, for one example, in NumPy's shape."""
        axis = self.examples.axis(self._of[step])
        return np.asarray(step.value) if axis is None else np.take(step.value, example, axis)

    # -- the value of a component at the step t ------------------------------------------------------------------

    def value(self, c: Component) -> Term:
        """Its name; without one what it is computed as."""
        if c in self.names.variable:
            return self.symbol(c, self.names.variable[c])
        if c in self._pending:  # what leads back to itself has to have a name
            return self.symbol(c, self.names.invent(c))
        if c not in self._terms:
            self._pending.add(c)
            term = self._unnamed(c)
            self._pending.remove(c)
            if c in self.names.variable:  # it has one now
                term = self._define_new(c, term)
            self._terms[c] = term
        return self._terms[c]

    def _unnamed(self, c: Component) -> Term:
        if c.kind == "constant":
            return algebra.constant(np.asarray(c.visits[0].value).flat[0], self.shape(c))
        if c.is_sequence:
            return self._element(c)
        term = terms.replaced(self.computed(c), self._known)
        shared = self._read_by[c] > 1 and c.visits[0].forward is None
        if terms.size(term) > (LONG if shared else LONGEST) and c not in self.names.variable:
            self.names.invent(c)
        return term

    def _define_new(self, c: Component, right: Term) -> Symbol:
        """The equation of an invented name."""
        variable = self.names.variable[c]
        times = self._times[c]
        symbol = self.symbol(c, variable)
        self.equations.append(Equation(symbol, right, times.start, times.stop - 1))
        self._record(c, variable)
        return symbol

    def _record(self, c: Component, variable: Variable) -> None:
        """Keep the values of a variable: one for each step or, where there is but one, the last."""
        if variable.loop is None:
            self.recorded[variable, None] = c.visits[0 if c.backward else -1]
        else:
            self.recorded |= {(variable, t): step for t, step in enumerate(c.visits, c.first)}

    def _element(self, c: Component) -> Term:
        """Element t of an array: of a variable, or of what can be said for one element."""
        array = self.read(c, c.wires[0], 0)
        if not isinstance(array, Symbol):
            inner = algebra.row(array)
            if inner is not None and inner.shape == self.shape(c):
                return at(inner, "t", c.reads or 0)
            array = self._name_array(array, c.visits[0].inputs[0])
        variable = replace(array.variable, loop=c.loop)
        self.recorded |= {(variable, t + (c.reads or 0)): step for t, step in enumerate(c.visits, c.first)}
        return replace(self.symbol(c, variable), time=Time("t", c.reads or 0))

    def _name_array(self, array: Term, step: Step) -> Symbol:
        """Give the value of a step, an array that is read by element, a name and its equation."""
        of_batch = self.examples.axis(self._of[step]) is not None
        symbol = Symbol(array.shape, (), self.names.new(NEW, None), None, of_batch)
        self.equations.append(Equation(symbol, array))
        self.recorded[symbol.variable, None] = step
        return symbol

    def computed(self, c: Component) -> Term:
        """What its operation makes of its inputs."""
        assert c.operation is not None
        inputs = []
        slot = 0
        for wire in c.wires:
            shape, batch = wire.source.visits[0].shape, self.examples.axis(wire.source)
            inputs.append(Operand(self.read(c, wire, slot), shape, batch))
            slot += width(wire)
        step = c.visits[0]
        if step.forward is not None and c.operation.name == "divide":
            inputs[1] = self._of_batch(step.forward, inputs[1])
        application = Application(c.operation, step.attributes, inputs, step.shape, self.examples.axis(c), self._batch)
        term = translated(application)
        if c.operation.name == "scatter" and c.repeats:
            term = self._row(c, term)
        if c.operation.name in ("cross_entropy", "log_softmax") and step.forward is None:
            term = self._with_probabilities(c, term)
        return term

    def _row(self, c: Component, term: Term) -> Term:
        """What is put at another place at each step: as row t, if that is where it is."""
        places = [step.attributes["index"] for step in c.visits]
        if all(place == places[0] for place in places):
            return term
        if not isinstance(term, Call) or len(term.attributes["index"]) != 1 or len(term.attributes["shape"]) > 2:
            return replace(term, whole=True) if isinstance(term, Call) else term
        axis = self.examples.axis(c) == 0
        t = places[0][axis]
        return Row(term.shape, term.parts[:1], Time("t", t - c.first))

    def _of_batch(self, forward: Step, divisor: Operand) -> Operand:
        """In the derivative of a mean over the batch, the number that it divides by is B."""
        mean = forward.operation is not None and forward.operation.name
        x = forward.inputs[0]
        if mean == "mean":
            over = axes_of(forward.attributes["axis"], len(x.shape))
        else:
            over = tuple(range(len(x.shape) - 1)) if mean == "cross_entropy" else ()
        if isinstance(self._batch, BatchSize) and [x.shape[i] for i in over] == [self.examples.size]:
            return replace(divisor, term=self._batch) if over == (self.examples.axis(self._of[x]),) else divisor
        return divisor

    def _with_probabilities(self, c: Component, loss: Term) -> Term:
        """A cross-entropy computes ŷ = softmax(o) on its way: with a name for it, it reads as in the lecture."""
        for part in terms.walk(loss):
            if isinstance(part, Call) and part.operation == "softmax" and part not in self._known:
                loop = None if not any(s.time == Time("t") for s in terms.symbols(part)) else c.loop
                variable = self.names.new("ŷp", loop)
                of_batch = self.examples.size is not None
                symbol = Symbol(part.shape, (), variable, None if loop is None else Time("t"), of_batch)
                times = self._times[c]
                self.equations.append(Equation(symbol, part, times.start, times.stop - 1))
                self._known[part] = symbol
                self.definitions[variable] = part
                break
        return terms.replaced(loss, self._known)

    # -- what comes over a wire ------------------------------------------------------------------------------------

    def read(self, c: Component, wire: Wire, slot: int) -> Term:
        """One input of a component, for the step t."""
        if wire.others:
            return self._switch(c, wire)
        source = wire.source
        if wire.reach == "all":
            element = self.value(source)
            rows = element.shape[0] if element.shape else 1
            return Every((rows, len(source.visits)), (at(element, "s", source.first),), source.loop or 0)
        term = self._given(wire)
        if wire.reach != "step" or source in self.names.invariant:
            return term
        absent = [t for t in self._times[c] if t - wire.delay not in self._times[source]]
        if not absent:
            return term
        if isinstance(term, Symbol) and all(self._start(c, wire, term, t) for t in absent):
            return term
        present = [t for t in self._times[c] if t not in absent]
        initial = [self._stand_in(c, wire, t) for t in absent]
        return self._cases(c, [(term, present), *((i, [t]) for i, t in zip(initial, absent, strict=True))])

    def end(self, c: Component, which: str) -> Term:
        """The value at one end of its loop."""
        if c in self.names.totals:
            return self.value(c) if c in self.names.variable else self._total(c)
        t = self._times[c][-1 if which == "last" else 0]
        return self.moment(self.value(c), c.loop, t)

    def moment(self, term: Term, loop: int | None, t: int) -> Term:
        """What is written for the step t, at one step: counted from the end that is nearer."""
        if loop is None:
            return term
        last = self.lengths[loop] - 1
        term = terms.decided(term, t)
        return at(term, "T", t - last) if last - t <= t else at(term, "1", t)

    def _total(self, c: Component) -> Term:
        past = own_past(c)
        (added,) = (wire for wire in c.wires if wire is not past)
        times = self._times[c]
        assert c.loop is not None
        body = at(self.read(c, added, 0), "s")
        total = algebra.time_sum(body, c.loop, times.start, times.stop - 1)
        first = times[-1] if c.backward else times[0]
        initial = self.moment(self._stand_in(c, past, first), c.loop, first)
        return algebra.add(initial, total)

    def _stand_in(self, c: Component, wire: Wire, t: int) -> Term:
        """What is read at the time t in the place of a step that is not, written for the step t."""
        return self._given(chosen(c, wire, t, self._times))

    def _given(self, wire: Wire) -> Term:
        """What a wire gives at the step t, if it gives something then."""
        if wire.reach in ("first", "last"):
            return self.end(wire.source, wire.reach)
        return at(self.value(wire.source), "t", -wire.delay)

    def _start(self, c: Component, wire: Wire, symbol: Symbol, t: int) -> bool:
        """Write h⁽⁰⁾ = …: what is there in the place of a step that is not. False if something else is already."""
        initial = chosen(c, wire, t, self._times)
        step = initial.source.visits[0 if initial.reach == "first" else -1]
        if initial.reach == "step":
            step = initial.source.visits[t - initial.delay - initial.source.first]
        assert symbol.time is not None
        key = symbol.variable, t + symbol.time.offset
        if key in self._starts:
            return np.array_equal(self._starts[key].value, step.value)
        self._starts[key] = self.recorded[key] = step
        entered = initial.source.operation is None and initial.source not in self.names.variable
        if entered and not is_uniform(initial.source):
            return True  # h⁽⁰⁾ is given
        loop = symbol.variable.loop
        assert loop is not None
        left = self.moment(symbol, loop, t)
        assert isinstance(left, Symbol)
        right = self.moment(self._stand_in(c, wire, t), loop, t)
        inside = 0 <= key[1] < self.lengths[loop]
        self._starting.append(((inside, abs(key[1])), Equation(left, right)))
        return True

    def _switch(self, c: Component, wire: Wire) -> Term:
        options = []
        for i, one in enumerate((wire, *wire.others)):
            plain = replace(one, others=(), choices=())
            term = at(self.value(one.source), "t", -one.delay)
            for t in [t for t, choice in zip(self._times[c], wire.choices, strict=True) if choice == i]:
                there = t - one.delay in self._times[one.source]
                if there or (isinstance(term, Symbol) and self._start(c, plain, term, t)):
                    options.append((term, [t]))
                else:
                    options.append((self._stand_in(c, plain, t), [t]))
        return self._cases(c, options)

    def _cases(self, c: Component, options: list[tuple[Term, list[int]]]) -> Term:
        times: dict[Term, list[int]] = {}
        for term, when in options:
            times.setdefault(term, []).extend(when)
        if len(times) == 1:
            return next(iter(times))
        shape = np.broadcast_shapes(*(term.shape for term in times))
        return Cases(shape, tuple(times), tuple(tuple(sorted(when)) for when in times.values()))
