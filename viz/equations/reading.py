"""A circuit read out as equations: the definition of each variable."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain, count
from typing import Any

import numpy as np

from tinygrad_rnn.autodiff.operations.elementwise import isfinite, isinf
from tinygrad_rnn.tracing import refusals
from tinygrad_rnn.tracing.batch_axis import axes_of, full, shape, width
from tinygrad_rnn.tracing.circuit import Along, Circuit, Component, FoldError, Point, Wire
from tinygrad_rnn.tracing.circuit import read as read_at
from tinygrad_rnn.tracing.reading import is_uniform
from tinygrad_rnn.tracing.record import Graph
from tinygrad_rnn.tracing.recorder import Step
from viz.equations import algebra, terms
from viz.equations.applications import Application, Operand, without
from viz.equations.operations import translated
from viz.equations.terms import BatchSize, Call, Moving, Symbol, Term, Time, Variable, at

LONGEST, LONG = 40, 8
"""A term of more parts than this is given a name of its own; used more than once, of more than that."""
NEW = "zvukrpj"
"""Letters for what has no name."""


@dataclass(frozen=True)
class Equation:
    """left = right; at these times (from 0), if the left side is written for the step t."""

    left: Symbol
    right: Term
    times: range = range(1)


class Reading:
    """The forward pass of a recorded run as equations.

    lengths      of the loops
    examples     which axis counts the examples
    definitions  of the variables that no operation of the run gave, like ŷ in a cross-entropy
    parameters   those of the variables that are
    constants    those that are numbers of the code without a name, and what gives them
    """

    def __init__(self, graph: Graph):
        self.graph = graph
        self.circuit = _along_one_loop(graph)
        self.lengths = self.circuit.lengths
        self.about = graph.read(self.circuit)
        self.examples = self.about.examples
        self.variable = {
            c: Variable(name, loop=self.about.loop(c)) for c, name in self.about.names.items() if not self._is_plain(c)
        }
        self.invented: list[Variable] = []
        self._taken = {v.name for v in self.variable.values()}
        self.equations: list[Equation] = []
        self.definitions: dict[Variable, Term] = {}
        named, components = self.variable, self.circuit.components
        self.parameters = {named[c] for c in components if c.kind == "parameter" and c in named}
        nameless = [c for c in components if c.kind == "constant" and not c.name and c in named]
        self.constants = {named[c]: c for c in reversed(nameless)}
        self._terms: dict[Component, Term] = {}
        self._pending: set[Component] = set()
        self._known: dict[Term, Symbol] = {}
        self._starting: list[tuple[tuple[bool, int], Equation]] = []
        self._starts: dict[tuple[Variable, int | None], Step] = {}
        self._means: set[tuple] = set()
        self._distributions: dict[Component, bool] = {}
        self._elements: dict[Variable, range] = {}
        self._visits: list[tuple[Variable, Component, Time]] = []
        self._axis = {c: [len(c.axes) - 1, *_moving(c)][-1] for c in components}
        self._times = {c: self._times_of(c) for c in components}
        along = [(wire.source, one) for c in components for wire in c.wires for one in wire.along]
        self._held = {source for source, one in along if one.reach == "latest"}
        self._at_other_steps = self._held | {source for source, one in along if {*one.strides} - {0, 1} or one.from_end}
        self._margins = self._find_margins()
        self._place = {
            self.visit(c, t): (c, t) for c, times in self._times.items() for t in self._outer(times, self.loop(c))
        }
        self._batch: Term = algebra.constant(1) if self.examples.size in (None, 1) else BatchSize(())
        self._read()

    @cached_property
    def _read_by(self) -> Counter[Component]:
        """How many components of this pass read each."""
        return readers(c for c in self.circuit.components if c.visits[0].forward is None)

    def _is_plain(self, c: Component) -> bool:
        """Whether it is written out although it is a variable: zeros, and a slice that the code does not name."""
        if c.kind == "constant":
            return not any(np.any(step.value) for step in c.visits)
        return c.loop is None and not c.name and c not in self.about.outputs and _is_cut(c.visits[0])

    # -- names -----------------------------------------------------------------------------------------------------

    def new(self, letters: str, loop: int | None) -> Variable:
        """A variable for what has no name, called by the first of the letters that is free."""
        numbered = (f"{letters[-1]}{n}" for n in count(1))
        name = next(name for name in chain(letters, numbered) if name not in self._taken)
        self._taken.add(name)
        return Variable(name, loop=loop)

    def invent(self, c: Component) -> Variable:
        self.variable[c] = self.new(NEW, self.about.loop(c))
        self.invented.append(self.variable[c])
        return self.variable[c]

    # -- steps -----------------------------------------------------------------------------------------------------

    def loop(self, c: Component) -> int | None:
        """The loop whose steps are those of a component; None if it happened once."""
        return c.axes[self._axis[c]].loop if c.axes else None

    def _times_of(self, c: Component) -> range:
        if not c.axes:
            return range(1)
        k = self._axis[c]
        return c.axes[k].range(self.lengths[c.axes[k].loop], c.points[0][:k])

    def _point(self, c: Component, t: int) -> Point:
        return c.points[self._times[c].index(t)] if c.axes else ()

    def visit(self, c: Component, t: int) -> Step:
        """What happened at step t; of what happened once, that."""
        return c.visits[self._times[c].index(t) if c.axes else 0]

    def timed(self, c: Component) -> Iterator[tuple[int, Step]]:
        return zip(self._times[c], c.visits, strict=True)

    def where(self, c: Component, wire: Wire, t: int) -> tuple[Wire, list[int]]:
        """The wire that serves in place of one at step t, and which steps of its source are read."""
        taken, points = read_at(c, wire, self._point(c, t), self.lengths)
        k = self._axis[taken.source]
        return taken, [point[k] if point else 0 for point in points]

    # -- the variables ---------------------------------------------------------------------------------------------

    def _read(self) -> None:
        for c in self.circuit.components:
            variable = self.variable.get(c)
            if variable is not None and c.visits[0].forward is None:
                self._visits.append((variable, c, Time("t")))
                if c.operation is not None:
                    self.define(c, variable)

    def define(self, c: Component, variable: Variable) -> None:
        """The equation of a variable."""
        if c in self.about.totals:
            self.equations.append(Equation(self.symbol(c, variable), self._total(c)))
            return
        right = self.computed(c)
        self.equations += [e for _, e in sorted(self._starting, key=lambda start: start[0])]
        self._starting.clear()
        self._equate(self.symbol(c, variable), right, c)

    def _equate(self, left: Symbol, right: Term, c: Component) -> None:
        times = self._times[c]
        if c in self._held:  # in between it keeps its value
            every = range(times.start, self.lengths[self.loop(c) or 0])
            kept = [(at(left, "t", -1), range(t, t + 1)) for t in every if t not in times]
            right, times = terms.cases([*((right, range(t, t + 1)) for t in times), *kept], self.loop(c) or 0), every
        self.equations.append(Equation(left, right, times))

    def symbol(self, c: Component, variable: Variable) -> Symbol:
        time = Time("t") if variable.loop is not None else None
        of_batch = self.examples.axis(c) is not None
        if c not in self._distributions:
            self._distributions[c] = self._is_distribution(c)
        return Symbol(self.shape(c), (), variable, time, of_batch, self._distributions[c])

    def shape(self, c: Component) -> terms.Shape:
        return terms.matrix_shape(without(shape(c), self.examples.axis(c)))

    def _is_distribution(self, c: Component) -> bool:
        """Whether each of its values sums to one: the result of a softmax, or labels of the data as rows."""
        array = c.visits[0].inputs[0] if c.is_sequence else c.visits[0]
        if self.shape(c)[1:] != (1,):
            return False
        if c.is_sequence and isinstance(full(c.visits[0].attributes["index"], len(array.shape))[-1], int):
            return False  # the last axis is that of the steps
        if array.operation is not None:
            return array.operation.name == "softmax" and array.attributes["axis"] in (-1, len(array.shape) - 1)
        values = [array.value] if c.is_sequence else [step.value for step in c.visits]
        return all(np.asarray(v).dtype.kind == "f" and np.allclose(np.sum(v, axis=-1), 1, 0, 1e-12) for v in values)

    # -- steps that are alike --------------------------------------------------------------------------------------

    def _find_margins(self) -> list[int]:
        """For each loop, how many steps at either end may differ from those between, where all is alike."""
        ends_of, delays = [0] * len(self.lengths), [0] * len(self.lengths)
        for c, times in self._times.items():
            loop = self.loop(c)
            if loop is not None:
                T = self.lengths[loop]
                ends = T if times.step > 1 else max(min(t, T - t) for t in (times.start, times.stop))
                ends_of[loop] = max(ends_of[loop], ends)
                for wire in c.wires:
                    uneven = wire.others or any(one.strides or one.reach == "so far" for one in wire.along)
                    delay = T if uneven else max(abs(w.delay) for w in (wire, *wire.initial, *wire.final))
                    delays[loop] = max(delays[loop], delay)
        return [2 * (a + b) + 2 for a, b in zip(ends_of, delays, strict=True)]

    def alike(self, times: range, loop: int | None) -> list[range]:
        """The steps, those in one range at which the same happens: each at the ends of a loop, all between them."""
        if loop is None:
            return [times]
        margin = self._margins[loop]
        start, stop = max(times.start, margin), min(times.stop, self.lengths[loop] - margin)
        if stop - start < 2:
            return [range(t, t + 1) for t in times]
        singly = [*range(times.start, start), *range(stop, times.stop)]
        return sorted([range(start, stop), *(range(t, t + 1) for t in singly)], key=lambda part: part.start)

    def _outer(self, times: range, loop: int | None) -> list[int]:
        """The times that are not far from the ends of a loop."""
        if loop is None or times.step > 1:
            return [*times]
        near = 2 * self._margins[loop]
        far = max(near, self.lengths[loop] - near)
        return [*range(times.start, min(near, times.stop)), *range(max(far, times.start), times.stop)]

    # -- the values of the run -------------------------------------------------------------------------------------

    @cached_property
    def recorded(self) -> dict[tuple[Variable, int | None], Step]:
        """The step that has the value of a variable, by the variable and the time from 0; None: the whole of it."""
        found: dict[tuple[Variable, int | None], Step] = {}
        for variable, c, time in self._visits:
            if variable.loop is None:
                found[variable, None] = c.visits[0 if c.backward else -1]
            else:
                length = self.lengths[variable.loop]
                found |= {(variable, time.number(t, length)): step for t, step in self.timed(c)}
                if c in self._held:
                    for t in range(c.first, self.lengths[variable.loop]):
                        found.setdefault((variable, t), found.get((variable, t - 1), c.visits[0]))
        return found | self._starts

    # -- the value of a component at the step t ------------------------------------------------------------------

    def value(self, c: Component) -> Term:
        """Its name; without one what it is computed as."""
        path = [] if self._is_known(c) else [c]
        while path:  # what it is computed from comes first, however long the chain is
            self._pending.add(path[-1])
            source = next((s for s in self._sources(path[-1]) if not self._is_known(s)), None)
            if source is not None:
                path.append(source)
            else:
                self._compute(path.pop())
        if c in self.variable:
            return self.symbol(c, self.variable[c])
        if c in self._pending:  # what leads back to itself has to have a name
            return self.symbol(c, self.invent(c))
        return self._terms[c]

    def _is_known(self, c: Component) -> bool:
        return c in self.variable or c in self._terms or c in self._pending or c in self.about.totals

    def _sources(self, c: Component) -> Iterator[Component]:
        """What a component is computed from, but for initial values."""
        return (way.source for wire in c.wires for way in (wire, *wire.others))

    def _compute(self, c: Component) -> None:
        term = self._unnamed(c)
        self._pending.remove(c)
        if c in self.variable:  # it has one now
            self._define_new(c, term)
        self._terms[c] = term

    def _unnamed(self, c: Component) -> Term:
        if c.kind == "constant":
            value = np.asarray(c.visits[0].value).flat[0]
            return algebra.constant(value, self.shape(c))
        if (element := self._element(c)) is not None:
            return element
        if c.visits[0].forward is not None and c.operation in (isfinite, isinf):  # a rule's care for infinities
            answers = {bool(answer) for step in c.visits for answer in np.unique(step.value)}
            if len(answers) == 1:
                return algebra.constant(float(answers.pop()), self.shape(c))
        term = terms.replaced(self.computed(c), self._known)
        shared = self._read_by[c] > 1 and c.visits[0].forward is None
        is_long = terms.size(term) > (LONG if shared else LONGEST)
        if (is_long or c in self._at_other_steps) and c not in self.variable and not isinstance(term, Symbol):
            self.invent(c)
        return term

    def _define_new(self, c: Component, right: Term) -> None:
        """The equation of an invented name."""
        variable = self.variable[c]
        self._equate(self.symbol(c, variable), right, c)
        self._visits.append((variable, c, Time("t")))

    def _element(self, c: Component) -> Term | None:
        """Of what reads an element of one array at each step: which one it is. None for anything else."""
        times, loop = self._times[c], self.loop(c)
        if loop is None or not _is_element(c.visits[0]):
            return None
        numbers, arrays = zip(*map(_whole_array, c.visits), strict=True)
        by, rest = divmod(numbers[-1] - numbers[0], times[-1] - times[0]) if len(times) > 1 else (int(c.is_sequence), 0)
        first = numbers[0] - by * times[0]
        moves = by and not rest and all(n == first + by * t for n, t in zip(numbers, times, strict=True))
        if not moves or len(set(arrays)) > 1 or arrays[0] not in self._place:
            return None
        time = Time("t", first - self.lengths[loop] * (by < 0), by, by < 0)
        source, s = self._place[arrays[0]]
        if c.visits[0].inputs[0] is arrays[0]:
            array = self.read(c, c.wires[0], 0)
        else:
            array = self.moment(self.value(source), self.loop(source), s)
        if not isinstance(array, Symbol) or array.time is not None:
            inner = algebra.row(array) if by == 1 else None
            if inner is not None and inner.shape == terms.matrix_shape(without(shape(c), self.examples.axis(c))):
                return at(inner, "t", first)
            new = Symbol(array.shape, (), self.new(NEW, None), None, self.examples.axis(source) is not None)
            self.equations.append(Equation(new, array))
            self._starts[new.variable, None] = arrays[0]
            array = new
        variable = replace(array.variable, loop=loop)
        whole = shape(source)
        index = [part for part in full(c.visits[0].attributes["index"], len(whole)) if part is not None]
        (n,) = (n for n, part in zip(whole, index, strict=True) if isinstance(part, int))
        self._elements[variable] = range(n)
        self._visits.append((variable, c, time))
        return replace(self.symbol(c, variable), time=time)

    def computed(self, c: Component) -> Term:
        """What its operation makes of its inputs."""
        assert c.operation is not None
        inputs = []
        slot = 0
        for wire in c.wires:
            inputs.append(Operand(self.read(c, wire, slot), shape(wire.source), self.examples.axis(wire.source)))
            slot += width(wire)
        if c.operation.name in ("divide", "multiply") and self._is_over_batch(c, *inputs):
            inputs[1] = replace(inputs[1], term=self._in_batch_sizes(inputs[1].term))
        if c.operation.name == "stack" and (every := self._rounds([x.term for x in inputs])):
            inputs = [replace(inputs[0], term=every)]
        index = _moving_index(c, self._times[c], self.loop(c))
        attributes = c.visits[0].attributes | ({"index": index} if index else {})
        axis = self.examples.axis(c)
        application = Application(c.operation, attributes, inputs, shape(c), axis, self._batch, bool(index))
        term = translated(application)
        if c.operation.name in ("cross_entropy", "log_softmax") and c.visits[0].forward is None:
            term = self._with_probabilities(c, term)
        return term

    def _rounds(self, parts: Sequence[Term]) -> Term | None:
        """What is written for one step of a loop after another, as written for the step s."""
        first = [x for x in terms.symbols(parts[0]) if x.time == Time("1") and x.variable.loop is not None]
        for loop in {x.variable.loop: None for x in first if self.lengths[x.variable.loop or 0] == len(parts) > 2}:
            own: dict[Term, Symbol] = {x: replace(x, time=Time("s")) for x in first if x.variable.loop == loop}
            step = terms.replaced(parts[0], own)
            if all(part == terms.at_moment(step, s, loop or 0, self.lengths, "s") for s, part in enumerate(parts)):
                return algebra.every(step, loop or 0, range(len(parts)))
        return None

    def _is_over_batch(self, c: Component, left: Operand, right: Operand) -> bool:
        """Whether a division makes a mean over the examples, or is of the derivative of one."""
        step = c.visits[0]
        rule = step.forward or step
        assert rule.operation is not None
        place, name = (rule.module, rule.site), rule.operation.name
        if step.forward is None:
            is_length = isinstance(right.term, terms.Constant) and right.term.value in self.lengths  # over time
            if name == "divide" and algebra.is_over_batch(left.term) and not is_length:
                self._means.add(place)
            return name == "divide" and place in self._means
        if name not in ("mean", "cross_entropy"):
            return place in self._means
        x = rule.inputs[0]
        gone = axes_of(rule.attributes["axis"], len(x.shape)) if name == "mean" else range(len(x.shape) - 1)
        return self.examples.axis(self._place[x][0]) in gone

    def _in_batch_sizes(self, number: Term) -> Term:
        """A multiple of the number of examples, or 1 by one, as such."""
        B = self.examples.size or 1
        if B == 1 or not isinstance(number, terms.Constant) or number.shape or not number.value:
            return number
        if number.value % B == 0:
            return algebra.product(algebra.constant(number.value / B), BatchSize(()))
        if (1 / number.value) % B == 0:
            return algebra.quotient(algebra.constant(number.value * B), BatchSize(()))
        return number

    def _with_probabilities(self, c: Component, loss: Term) -> Term:
        """A cross-entropy computes ŷ = softmax(o) on its way: with a name for it, it reads as in the lecture."""
        for part in terms.walk(loss):
            if isinstance(part, Call) and part.operation == "softmax" and part not in self._known:
                loop = self.loop(c) if any(s.time == Time("t") for s in terms.symbols(part)) else None
                variable = self.new("ŷp", loop)
                time = None if loop is None else Time("t")
                symbol = Symbol(part.shape, (), variable, time, self.examples.size is not None, True)
                self._equate(symbol, part, c)
                self._known[part] = symbol
                self.definitions[variable] = part
                break
        return terms.replaced(loss, self._known)

    # -- what comes over a wire ------------------------------------------------------------------------------------

    def read(self, c: Component, wire: Wire, slot: int) -> Term:
        """One input of a component, for the step t."""
        if wire.takes_several:
            return self._several(wire, self.value(wire.source))
        loop = self.loop(c)
        whens = self.alike(self._times[c], loop)
        return terms.cases(((self._read_at(c, wire, when.start), when) for when in whens), loop or 0)

    def _read_at(self, c: Component, wire: Wire, t: int) -> Term:
        """What is read at the time t, written for the step t: h⁽ᵗ⁻¹⁾, or h⁽ⁿ⁾, whichever step that is."""
        taken, (s, *_) = self.where(c, wire, t)
        for way in (wire, *wire.others):
            if any(taken is one for end in (*way.initial, *way.final) for one in end.within()):
                usual = self._moved(c, way)
                if isinstance(usual, Symbol) and self._start(usual, c, taken, s, t):
                    return usual
        return self._given(c, taken, s)

    def _given(self, c: Component, wire: Wire, s: int) -> Term:
        """What a wire gives, of which step s of the source is read."""
        source, along = wire.source, wire.coordinates()
        one = along[self._axis[source]] if along else Along()
        if one.strides and one.per == 1 and not one.modulo:
            return self._moved(c, wire)
        return self.value(source) if wire.reach == "once" else self.moment(self.end(source), self.loop(source), s)

    def _moved(self, c: Component, wire: Wire) -> Term:
        """What a wire gives that reads another step at another time."""
        source = wire.source
        one = wire.coordinates()[self._axis[source]]
        stride, offset = one.strides[self._axis[c]], one.offset
        if (stride, one.from_end) != (1, False):
            symbol = at(self.value(source), "t", offset)
            assert isinstance(symbol, Symbol) and symbol.time is not None
            return replace(symbol, time=replace(symbol.time, stride=stride, mirrored=one.from_end))
        if source in self._held and one.reach == "step":
            offset = min(offset + self._times[source].step - 1, max(offset, 0))
        return at(self.value(source), "t", offset)

    def _several(self, wire: Wire, element: Term) -> Term:
        """The values at all steps of a loop, or at all until now."""
        one, times = wire.coordinates()[-1], self._times[wire.source]
        until = Time("t", one.offset) if one.reach == "so far" else None
        taken = times[one.ends[0] : len(times) - one.ends[1]][:: one.step]
        return algebra.every(at(element, "s"), self.loop(wire.source) or 0, taken, until)

    def end(self, c: Component) -> Term:
        """The value of a component; of a running sum, the whole."""
        return self._total(c) if c in self.about.totals and c not in self.variable else self.value(c)

    def moment(self, term: Term, loop: int | None, t: int) -> Term:
        """What is written for the step t, at one step: counted from the end that is nearer."""
        return term if loop is None else terms.at_moment(term, t, loop, self.lengths)

    def _total(self, c: Component) -> Term:
        past = own_past(c)
        (added,) = (wire for wire in c.wires if wire is not past)
        times, loop = self._times[c], self.loop(c)
        assert loop is not None and c.operation is not None
        total = algebra.time_sum(at(self.read(c, added, 0), "s"), loop, times)
        first = times[-1] if c.backward else times[0]
        wire, (s, *_) = self.where(c, past, first)
        initial = self.moment(self._given(c, wire, s), loop, first)
        return algebra.add(initial, algebra.negative(total) if c.operation.name == "subtract" else total)

    def _start(self, symbol: Symbol, c: Component, initial: Wire, s: int, t: int) -> bool:
        """Write h⁽⁰⁾ = …: what is there in the place of a step that is not. False if h has another value there."""
        variable, time, step = symbol.variable, symbol.time, self.visit(initial.source, s)
        if time is None or variable.loop is None or time.stride != 1:
            return False
        key = variable, t + time.offset
        if key[1] in self._elements.get(variable, ()):
            return False
        if key in self._starts:
            known = self._starts[key]
            alike = known.kind == step.kind == "constant" and np.array_equal(
                *map(np.squeeze, (known.value, step.value))
            )
            return known is step or alike
        self._starts[key] = step
        entered = initial.source.operation is None and initial.source not in self.variable
        if entered and not is_uniform(initial.source):
            return True  # h⁽⁰⁾ is given
        left = self.moment(symbol, variable.loop, t)
        assert isinstance(left, Symbol)
        right = self.moment(self._given(c, initial, s), variable.loop, t)
        inside = 0 <= key[1] < self.lengths[variable.loop]
        self._starting.append(((inside, abs(key[1])), Equation(left, right)))
        return True


def _along_one_loop(graph: Graph) -> Circuit:
    """The circuit of a run in which each component has several steps along one of its axes at most."""
    nested = [c for c in graph.fold().components if len(_moving(c)) > 1]
    try:
        circuit = graph.unrolled
    except FoldError:
        raise refusals.has_no_equations(nested[0]) from None
    for c in circuit.components:
        if len(_moving(c)) > 1:
            raise refusals.has_no_equations(c)
    return circuit


def _moving(c: Component) -> list[int]:
    """The axes along which a component has several steps."""
    return [k for k in range(len(c.axes)) if not c.nested or len({point[k] for point in c.points}) > 1]


def readers(components: Iterable[Component]) -> Counter[Component]:
    """How many components read each."""
    return Counter(source for c in components for source in {w.source for w in c.wires})


def own_past(c: Component) -> Wire:
    """The wire over which a running sum reads itself."""
    return next(wire for wire in c.wires if wire.source is c)


def parted(times: range, there: range, delay: int) -> tuple[range, range, range]:
    """The times before, at, and after those at which a step is there `delay` steps ago."""
    start = min(max(times.start, there.start + delay), times.stop)
    stop = max(min(times.stop, there.stop + delay), start)
    return range(times.start, start), range(start, stop), range(stop, times.stop)


def _whole_array(step: Step) -> tuple[int, Step]:
    """Of a step that reads an element: its number in the array, and that; x[1:][t] is x[t + 1]."""
    (number,) = (part for part in step.attributes["index"] if isinstance(part, int))
    array = step.inputs[0]
    leads = step.attributes["index"][0] is number
    while leads and not array.name and _is_cut(array):
        (cut,), array = array.attributes["index"], array.inputs[0]
        number = range(array.shape[0])[cut][number]
    return number, array


def _is_cut(step: Step) -> bool:
    """Whether it reads a slice along the first axis of an array."""
    index = step.attributes.get("index", ())
    return step.operation is not None and step.operation.name == "getitem" and list(map(type, index)) == [slice]


def _is_element(step: Step) -> bool:
    """Whether it reads one element of an array, and all of that: x[t] or x[:, t], but not x[t, 0]."""
    if step.operation is None or step.operation.name != "getitem" or len(step.inputs) > 1:
        return False
    index = step.attributes["index"]
    numbers = [part for part in index if isinstance(part, int)]
    cuts = [part for part in index if isinstance(part, slice) and part != slice(None)]
    return len(numbers) == 1 and not cuts and not any(isinstance(part, np.ndarray) for part in index)


def _moving_index(c: Component, times: range, loop: int | None) -> tuple | None:
    """The index of a component if there are numbers in it that differ from step to step; otherwise None."""
    indices = [step.attributes.get("index") for step in c.visits]
    if not isinstance(indices[0], tuple) or loop is None:
        return None
    index = tuple(_index_part(parts, times, loop) for parts in zip(*indices, strict=True))
    return None if all(a is b for a, b in zip(index, indices[0], strict=True)) else index


def _index_part(parts: Sequence[Any], times: range, loop: int) -> Any:
    first = parts[0]
    if isinstance(first, np.ndarray) or all(part is first or part == first for part in parts):
        return first
    if isinstance(first, slice):
        ends = zip(*((part.start, part.stop, part.step) for part in parts), strict=True)
        return slice(*(_index_part(end, times, loop) for end in ends))
    return Moving(tuple(parts), times, loop)
