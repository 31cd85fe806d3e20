"""A circuit read out as equations: the definition of each variable."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain, count
from typing import Any

import numpy as np

from tinygrad_rnn.autodiff.operations.elementwise import equal, isfinite, isinf, not_equal
from tinygrad_rnn.tracing.batch_axis import axes_of, full, shape
from tinygrad_rnn.tracing.circuit import Component, Point, Wire
from tinygrad_rnn.tracing.elements import affine, from_the_beginning
from tinygrad_rnn.tracing.reading import is_uniform
from tinygrad_rnn.tracing.record import Graph
from tinygrad_rnn.tracing.recorder import Step
from viz.equations import algebra, terms
from viz.equations.applications import Application, Operand, without
from viz.equations.contributions import Added, Again, Contribution, added_up, described
from viz.equations.operations import translated
from viz.equations.short_run import Frame, Place, ShortRun, frame_of
from viz.equations.terms import Among, BatchSize, Call, Cases, Steps, Symbol, Term, Time, Variable, letter

LONGEST, LONG = 40, 8
"""A term of more parts than this is given a name of its own; used more than once, of more than that."""
NEW = "zvukrpj"
"""Letters for what has no name."""
GUARDS = {isfinite: True, isinf: False, equal: False, not_equal: True}
"""What a derivative rule asks because of infinities and corners, and the usual answer, which is not written."""
Options = list[tuple[Term, list[Point]]]
"""One term or another, each at its points."""


@dataclass(frozen=True)
class Equation:
    """left = right, for all values of the letters of `left` for which the conditions hold; unless: do not hold."""

    left: Symbol
    right: Term
    when: tuple[Among, ...] = ()
    unless: bool = False


class Reading:
    """The forward pass of a recorded run as equations.

    run          the short run that they are read off
    examples     which axis counts the examples
    definitions  of the variables that no operation of the run gave, like ŷ in a cross-entropy
    parameters   those of the variables that are
    constants    those that are numbers of the code without a name, and what gives them
    """

    def __init__(self, graph: Graph):
        self.graph = graph
        self.circuit = graph.fold()
        self.about = graph.reading
        self.run = ShortRun(self.circuit, self.about.data)
        self.examples = self.about.examples
        self._ends = self._find_totals()
        self._axes = {c: self._axes_of(c) for c in self.circuit.components}
        self.variable = {
            c: Variable(name, self.frame(c)) for c, name in self.about.names.items() if not self._is_plain(c)
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
        self._starting: dict[tuple[Symbol, tuple], dict[Point, Place]] = defaultdict(dict)
        self._starts: dict[tuple[Variable, Point], Step] = {}
        self._means: set[tuple] = set()
        self._distributions: dict[Component, bool] = {}
        self._elements: dict[Variable, range] = {}
        self._visits: list[tuple[Symbol, Component]] = []
        along = [(wire.source, one) for c in components for wire in c.wires for one in wire.along]
        self._held = {source for source, one in along if one.reach == "latest"}
        self._at_other_steps = self._held | {source for source, one in along if {*one.strides} - {0, 1} or one.from_end}
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

    # -- the loops of a component ----------------------------------------------------------------------------------

    def _find_totals(self) -> dict[Component, list[Point]]:
        """Running sums of which nothing but the end is read, and the points of these ends."""
        sums = [c for c in self.circuit.components if c.visits[0].forward is None and adds_to_itself(c)]
        own: dict[Component, set[Point]] = {c: set() for c in sums}
        others: dict[Component, set[Point]] = {c: set() for c in sums}
        for c in self.circuit.components if sums else ():
            if c.visits[0].forward is None and any(w.source in own for wire in c.wires for w in wire.within()):
                for at in self.run.points(c):
                    for source, point in self.run.inputs((c, at)):
                        if source in own:
                            (own if source is c else others)[source].add(point)
        ends = {c: [point for point in self.run.points(c) if point not in own[c]] for c in sums}
        return {c: ends[c] for c in sums if own[c] and not own[c] & others[c]}

    def _axes_of(self, c: Component) -> Point:
        """The axes along which a variable has values of its own: of a sum, those that tell its ends apart."""
        axes = list(range(len(c.axes)))
        for k in reversed(axes) if c in self._ends else ():
            rest = [j for j in axes if j != k]
            if len({tuple(p[j] for j in rest) for p in self._ends[c]}) == len(self._ends[c]):
                axes = rest
        return () if c in self.about.invariant else tuple(axes)

    def frame(self, c: Component) -> Frame:
        """The loops of a variable."""
        return tuple(c.axes[k].loop for k in self._axes[c])

    def points(self, c: Component) -> dict[Point, Point]:
        """The points of a variable, and those of the component that give the values there."""
        there = self._ends.get(c, self.run.points(c))
        return {tuple(point[k] for k in self._axes[c]): point for point in there}

    # -- names -----------------------------------------------------------------------------------------------------

    def new(self, letters: Sequence[str], loops: tuple[int, ...] = ()) -> Variable:
        """A variable for what has no name, called by the first of the letters that is free."""
        numbered = (f"{letters[-1]}{n}" for n in count(1))
        name = next(name for name in chain(letters, numbered) if name not in self._taken)
        self._taken.add(name)
        return Variable(name, loops)

    def invent(self, c: Component) -> Variable:
        self.variable[c] = self.new(NEW, self.frame(c))
        self.invented.append(self.variable[c])
        return self.variable[c]

    # -- the variables ---------------------------------------------------------------------------------------------

    def _read(self) -> None:
        for c in self.circuit.components:
            variable = self.variable.get(c)
            if variable is not None and c.visits[0].forward is None:
                self._visits.append((self.symbol(c, variable), c))
                if c in self._ends:
                    self._define(c, self._total(c))
                elif c.operation is not None:
                    right = self.computed(c)
                    self._begin()
                    self._define(c, right)
        self._begin()

    def _define(self, c: Component, right: Term) -> None:
        """The equation of a variable, at the points that it has."""
        left, frame, points = self.own(self.symbol(c, self.variable[c])), self.frame(c), [*self.points(c)]
        if c in self._held:  # in between it keeps its value
            every = range(points[0][0], self.run.lengths[frame[0]])
            kept: list[Point] = [(t,) for t in every if (t,) not in points]
            right = self.cases([(right, points), (symbol_at(left, {0: letter(0, -1)}), kept)], frame)
            points += kept
        self.equations += self._equation(left, right, points, frame)

    def own(self, symbol: Symbol) -> Symbol:
        """A variable as it is written in an equation of its own."""
        return replace(symbol, times=tuple(map(letter, range(len(symbol.times)))))

    def _equation(self, left: Symbol, right: Term, points: Sequence[Point], frame: Frame) -> list[Equation]:
        """An equation for some points of a frame: several, if it takes more than one to say when it holds."""
        fixed = self._fixed(points, frame)
        left, right = symbol_at(left, fixed), self.put(right, fixed, points, frame)
        box = [at for at in self.run.box(frame) if all(at[k] == points[0][k] for k in fixed)]
        if (when := self.run.conditions(points, box, frame)) is not None:
            return [Equation(left, right, when)]
        if (when := self.run.conditions({*box} - {*points}, box, frame)) is not None:
            return [Equation(left, right, when, unless=True)]
        inner: dict[int, list[Point]] = defaultdict(list)
        k = next(k for k in range(len(frame)) if k not in fixed)
        for point in points:
            inner[point[k]].append(point[k + 1 :])
        alike: dict[Any, list[Point]] = defaultdict(list)
        for point in points:  # outer steps with the same inner ones
            alike[tuple(inner[point[k]])].append(point)
        parts = alike.values() if len(alike) > 1 else [[p for p in points if p[k] == t] for t in inner]
        return [equation for some in parts for equation in self._equation(left, right, some, frame)]

    def _fixed(self, points: Sequence[Point], frame: Frame) -> dict[int, Time]:
        """The letters that are one number at all of some points."""
        found = {}
        for k, (loop, numbers) in enumerate(zip(frame, zip(*points, strict=True), strict=False)):
            if len({*numbers}) == 1 < self.run.lengths[loop]:
                found[k] = self.run.constant(loop, numbers[0])
        return found

    def symbol(self, c: Component, variable: Variable) -> Symbol:
        times = tuple(letter(k) for k in self._axes[c]) if variable.loops else ()
        of_batch = self.examples.axis(c) is not None
        if c not in self._distributions:
            self._distributions[c] = self._is_distribution(c)
        return Symbol(self.shape(c), (), variable, times, of_batch, self._distributions[c])

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

    # -- the values of the run -------------------------------------------------------------------------------------

    @cached_property
    def recorded(self) -> dict[tuple[Variable, Point], Step]:
        """The step that has the value of a variable, by the variable and the recorded point."""
        found: dict[tuple[Variable, Point], Step] = {}
        lengths = self.run.recorded
        for symbol, c in self._visits:
            for point, step in sorted(zip(c.points, c.visits, strict=True), key=lambda visit: visit[1].index):
                found[symbol.variable, tuple(time.number(point, lengths) for time in symbol.times)] = step
            if c in self._held:
                for t in range(c.first, lengths[symbol.variable.loops[0]]):
                    found.setdefault((symbol.variable, (t,)), found.get((symbol.variable, (t - 1,)), c.visits[0]))
        return found | {(v, self.run.expanded(v.loops, at)): step for (v, at), step in self._starts.items()}

    # -- the value of a component at its point -----------------------------------------------------------------------

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
        if c in self._terms:
            return self._terms[c]
        return terms.put(self._total(c), dict(enumerate(map(letter, self._axes[c]))))

    def _is_known(self, c: Component) -> bool:
        return c in self.variable or c in self._terms or c in self._pending or c in self._ends

    def _sources(self, c: Component) -> Iterator[Component]:
        """What a component is computed from, but for initial values."""
        return (way.source for wire in c.wires for way in (wire, *wire.others))

    def _compute(self, c: Component) -> None:
        term = self._unnamed(c)
        self._pending.remove(c)
        if c in self.variable:  # it has one now
            if c.kind != "constant":
                self._define(c, term)
            self._visits.append((self.symbol(c, self.variable[c]), c))
        self._terms[c] = term

    def _unnamed(self, c: Component) -> Term:
        if c.kind == "constant":
            if not is_uniform(c):  # an array that a loop starts from, and that is used for more than that
                self.variable[c] = self.new(("const",))
                self.constants[self.variable[c]] = c
                return self.symbol(c, self.variable[c])
            return algebra.constant(np.asarray(c.visits[0].value).flat[0], self.shape(c))
        if (element := self._element(c)) is not None:
            return element
        if c.visits[0].forward is not None and c.operation in GUARDS:
            answers = {bool(answer) for step in c.visits for answer in np.unique(step.value)}
            if answers == {GUARDS[c.operation]}:
                return algebra.constant(float(GUARDS[c.operation]), self.shape(c))
        term = terms.replaced(self.computed(c), self._known)
        shared = self._read_by[c] > 1 and c.visits[0].forward is None
        is_long = terms.size(term) > (LONG if shared else LONGEST)
        if (is_long or c in self._at_other_steps) and c not in self.variable and not isinstance(term, Symbol):
            self.invent(c)
        return term

    def _element(self, c: Component) -> Term | None:
        """Of what reads an element of one array at each step: which one it is. None for anything else."""
        if not c.axes or not _is_element(c.visits[0]):
            return None
        points = self.run.points(c)
        numbers, arrays = zip(*(_whole_array(self.run.visit(c, point)) for point in points), strict=True)
        places = [self.run.place.get(array) for array in arrays]
        if None in places or len({place[0] for place in places if place}) > 1:
            return None
        number, (source, at) = self._moving(c, from_the_beginning(numbers, c.visits[0])), places[0] or (c, ())
        if len(points) == 1 and c.is_sequence:
            number = letter(0, numbers[0])
        if not isinstance(number, Time):
            return None
        if c.visits[0].inputs[0] is arrays[0]:
            array = self.read(c, c.wires[0])
        elif len({*arrays}) == 1:
            array = terms.put(
                self.value(source), {k: self.run.constant(frame_of(source)[k], t) for k, t in enumerate(at)}
            )
        else:
            return None
        whole = isinstance(array, Symbol) and (not array.times or array.variable in self._elements)
        if not whole:
            by = [n for _, n in number.letters]
            inner = algebra.row(array, number) if by == [1] else None
            if inner is not None and inner.shape == self.shape(c):
                return inner
            if any(key >= 0 for part in terms.walk(array) for time in terms.times_of(part) for key, _ in time.letters):
                return None
            new = Symbol(array.shape, (), self.new(NEW), (), self.examples.axis(source) is not None)
            self.equations.append(Equation(new, array))
            self._starts[new.variable, ()] = arrays[0]
            array = new
        assert isinstance(array, Symbol)
        loop = c.axes[max(key for key, _ in number.letters)].loop
        variable = replace(array.variable, loops=(*array.variable.loops, loop))
        size = shape(source)
        index = [part for part in full(c.visits[0].attributes["index"], len(size)) if part is not None]
        (n,) = (n for n, part in zip(size, index, strict=True) if isinstance(part, int))
        self._elements[variable] = range(n)
        element = replace(self.symbol(c, variable), times=(*array.times, number))
        self._visits.append((element, c))
        return element

    def _moving(self, c: Component, numbers: Sequence[int]) -> Time | int:
        """Numbers of an index at the points of a component: one that is the same at all, or as a time."""
        if len({*numbers}) == 1:
            return numbers[0]
        fit = affine([self.run.expanded(frame_of(c), point) for point in self.run.points(c)], numbers)
        assert fit is not None  # as the fold has made sure
        loop = next(axis.loop for axis, stride in zip(c.axes, fit[0], strict=True) if stride)
        return self.run.affine(*fit, loop, self.run.recorded)

    def computed(self, c: Component) -> Term:
        """What its operation makes of its inputs."""
        assert c.operation is not None
        inputs = [Operand(self.read(c, wire), shape(wire.source), self.examples.axis(wire.source)) for wire in c.wires]
        if c.operation.name in ("divide", "multiply") and self._is_over_batch(c, *inputs):
            inputs[1] = replace(inputs[1], term=self._in_batch_sizes(inputs[1].term))
        attributes = c.visits[0].attributes
        if c.axes and isinstance(attributes.get("index"), tuple):
            indices = [self.run.visit(c, point).attributes["index"] for point in self.run.points(c)]
            index = tuple(self._index_part(c, parts) for parts in zip(*indices, strict=True))
            attributes = attributes | {"index": index}
        term = translated(Application(c.operation, attributes, inputs, shape(c), self.examples.axis(c), self._batch))
        if c.operation.name in ("cross_entropy", "log_softmax") and c.visits[0].forward is None:
            term = self._with_probabilities(c, term)
        return term

    def _index_part(self, c: Component, parts: Sequence[Any]) -> Any:
        """A part of an index, at all points of a component."""
        first = parts[0]
        if isinstance(first, slice):
            found = []
            for numbers in zip(*(terms.ends(part) for part in parts), strict=True):
                found.append(self._moving(c, numbers) if isinstance(numbers[0], int) else numbers[0])
            return slice(*found)
        return self._moving(c, parts) if type(first) is int else first

    def _is_over_batch(self, c: Component, left: Operand, right: Operand) -> bool:
        """Whether a division makes a mean over the examples, or is of the derivative of one."""
        step = c.visits[0]
        rule = step.forward or step
        assert rule.operation is not None
        place, name = (rule.module, rule.site), rule.operation.name
        if step.forward is None:
            is_length = isinstance(right.term, terms.Constant) and right.term.value in self.run.recorded  # over time
            if name == "divide" and algebra.is_over_batch(left.term) and not is_length:
                self._means.add(place)
            return name == "divide" and place in self._means
        if name not in ("mean", "cross_entropy"):
            return place in self._means
        x = rule.inputs[0]
        gone = axes_of(rule.attributes["axis"], len(x.shape)) if name == "mean" else range(len(x.shape) - 1)
        return self.examples.axis(self.run.place[x][0]) in gone

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
                used = {key for inner in terms.walk(part) for time in terms.times_of(inner) for key, _ in time.letters}
                axes = [k for k in range(len(c.axes)) if k in used]
                frame = tuple(c.axes[k].loop for k in axes)
                variable, of_batch = self.new("ŷp", frame), self.examples.size is not None
                symbol = Symbol(part.shape, (), variable, tuple(map(letter, axes)), of_batch, True)
                points = {tuple(point[k] for k in axes): point for point in self.run.points(c)}
                right = terms.put(part, {k: letter(i) for i, k in enumerate(axes)})
                self.equations += self._equation(self.own(symbol), right, [*points], frame)
                self.definitions[variable] = right
                self._known[part] = symbol
                break
        return terms.replaced(loss, self._known)

    # -- what comes over a wire ------------------------------------------------------------------------------------

    def read(self, c: Component, wire: Wire) -> Term:
        """One input of a component, at its point."""
        if wire.takes_several:
            return self._several(c, wire)
        return self._sums({point: [self._reached(c, wire, point)] for point in self.run.points(c)}, frame_of(c))

    def _reached(self, c: Component, wire: Wire, point: Point) -> Place:
        """What is read at a point: a step of the wire's source, also one that there is not, as h⁽⁰⁾, if something else
        is said to be that."""
        if wire.others:
            wire = (wire, *wire.others)[wire.choice(c, point)]
        source, instead = wire.source, self.run.instead(c, wire, point)
        at = self._seen(c, wire, point)
        if instead is None:
            return source, at or ()
        place = self._reached(c, instead, point)
        if at is None or source.visits[0].forward is not None or self.run.has(source, at):
            return place
        symbol = self.value(source)
        is_start = self._is_start(symbol, at, place) if isinstance(symbol, Symbol) else self._gives(source, at, place)
        return (source, at) if is_start else place

    def _gives(self, c: Component, at: Point, place: Place) -> bool:
        """Whether the constant in place of an operation's step is what the operation would have computed there. Where
        h⁽⁰⁾ is a NumPy array of zeros, NumPy computes 0.9 h⁽⁰⁾, and the record has a constant 0."""
        step, values, starts = self._step(place), [], []
        if step.kind != "constant" or c.operation is None or any(w.others or w.takes_several for w in c.wires):
            return False
        for wire in c.wires:
            there = self._seen(c, wire, at)
            if there is None:
                return False
            if not wire.source.axes or self.run.has(wire.source, there):
                values.append(self.run.visit(wire.source, there).value)
                continue
            symbol = self.value(wire.source)
            if not isinstance(symbol, Symbol) or not symbol.times or wire.source.operation is None:
                return False
            known = tuple(time.number(there, self.run.lengths) for time in symbol.times)
            start = self._starts.get((symbol.variable, known), step)
            values.append(start.value)
            starts += [(symbol, there)] * (start is step)
        is_given = np.array_equal(c.operation(*values, **c.visits[0].attributes), step.value)
        return is_given and all(self._is_start(symbol, there, place) for symbol, there in starts)

    def _seen(self, c: Component, wire: Wire, point: Point) -> Point | None:
        """Which point of its source a wire leads to, also if that has none there. One that keeps its value in between
        has one at every step."""
        at: Point = ()
        for axis, one in zip(wire.source.axes, wire.coordinates(), strict=True):
            if one.reach in ("step", "latest"):
                number = one.number(point, self.run.lengths[axis.loop])
                if wire.source in self._held and one.reach == "step":
                    number += min(axis.step - 1, max(0, -one.offset))
                at = (*at, number)
            elif steps := one.steps(
                point, self.run.lengths[axis.loop], wire.source.line(len(at), at, self.run.lengths)
            ):
                at = (*at, steps[-1])
            else:
                return None
        return at

    def _several(self, c: Component, wire: Wire) -> Term:
        """The values at all steps of a loop, or at all until now."""
        source, along, points, frame = wire.source, wire.coordinates(), self.run.points(c), frame_of(c)
        loops, reads, recorded = frame_of(source), wire.points(self.run.lengths), wire.points(self.run.recorded)
        j = next(j for j, one in enumerate(along) if one.reach in ("all", "so far"))
        most = max(len(recorded(point)[0]) for point in (c.points[0], c.points[-1]))
        found = [reads(point)[0] for point in points]
        first, last = (
            [
                self.run.fitted(points, [there[i][k] for there in found], frame, loop, k == j)
                for k, loop in enumerate(loops)
            ]
            for i in (0, -1)
        )
        value = self._sums({point: [(source, point)] for point in self.run.points(source)}, frame_of(source))
        options: Options = []
        for i, point in enumerate(points):
            steps = Steps(loops[j], first[j][i], last[j][i], along[j].step, most)
            times = {k: found[i] for k, found in enumerate(first)} | {j: letter(len(frame))}
            options.append((algebra.every(terms.put(value, times), len(frame), steps), [point]))
        return self.cases(options, frame)

    def put(self, term: Term, times: Mapping[int, Time], points: Sequence[Point], frame: Frame) -> Term:
        """A term with other times in the place of letters, read at some points of a frame."""
        term = terms.put(term, times)
        if not any(isinstance(part, Cases) for part in terms.walk(term)):
            return term
        return self._decided(term, points, frame)

    def _decided(self, term: Term, points: Sequence[Point], frame: Frame) -> Term:
        """Without the cases that are not those of any of some points."""
        parts = tuple(self._decided(part, points, frame) for part in term.parts)
        if not isinstance(term, Cases) or any(key < 0 for time in terms.times_of(term) for key, _ in time.letters):
            return replace(term, parts=parts) if parts else term
        options: Options = [(part, []) for part in parts]
        for point in points:
            holds = (
                all(one.time.number(point, self.run.lengths) in one.steps for one in conditions)
                for conditions in term.when
            )
            options[[*holds].index(True)][1].append(point)
        return self.cases([(part, some) for part, some in options if some], frame)

    def cases(self, options: Options, frame: Frame) -> Term:
        """One term or another, each at its points: the first comes first."""
        when = together(options)
        if len(when) == 1:
            return next(iter(when))
        domain = {point for points in when.values() for point in points}
        found = [(self.run.conditions({*points}, domain, frame), min(points), term) for term, points in when.items()]
        if [conditions for conditions, *_ in found].count(None) > 1:  # only one of them may be that of all other points
            by_step: dict[tuple[Term, int], list[Point]] = defaultdict(list)
            for term, points in when.items():
                for point in points:
                    by_step[term, point[0]].append(point)
            found = [
                (self.run.conditions(points, domain, frame), min(points), term) for (term, _), points in by_step.items()
            ]
        found.sort(key=lambda part: (part[0] is None, part[1]))
        shape = np.broadcast_shapes(*(term.shape for term in when))
        return Cases(shape, tuple(term for *_, term in found), tuple(conditions or () for conditions, *_ in found))

    # -- what variables start from ---------------------------------------------------------------------------------

    def _is_start(self, symbol: Symbol, point: Point, place: Place) -> bool:
        """Whether a variable can be said to have, at a point that it does not have, what is there in its place."""
        variable = symbol.variable
        if not symbol.times or any(n != 1 for time in symbol.times for _, n in time.letters):
            return False
        at = tuple(time.number(point, self.run.lengths) for time in symbol.times)
        step = self._step(place)
        known = self._starts.get((variable, at), step)
        alike = known.kind == step.kind == "constant" and np.array_equal(*map(np.squeeze, (known.value, step.value)))
        if at[-1] in self._elements.get(variable, ()) or not (known is step or alike):
            return False
        if (variable, at) not in self._starts:
            self._starts[variable, at] = step
            source = place[0]
            if source.operation is not None or source in self.variable or is_uniform(source):  # it is not given
                outside = tuple(
                    None if 0 <= t < self.run.lengths[loop] else t for t, loop in zip(at, variable.loops, strict=True)
                )
                self._starting[symbol, outside][at] = place
        return True

    def _step(self, place: Place) -> Step:
        """What was recorded at a place, or in place of it."""
        c, point = place
        if self.run.has(c, point):
            return self.run.visit(c, point)
        symbol = self.value(c)
        assert isinstance(symbol, Symbol)
        return self._starts[symbol.variable, tuple(time.number(point, self.run.lengths) for time in symbol.times)]

    def _begin(self) -> None:
        """The equations of what variables start from: h⁽⁰⁾ = …"""
        found = []
        while self._starting:
            symbol, outside = next(iter(self._starting))
            places = self._starting.pop((symbol, outside))
            loops = symbol.variable.loops
            fixed = self._fixed([*places], loops)
            free = [k for k in range(len(loops)) if k not in fixed]
            frame = tuple(loops[k] for k in free)
            mine = {tuple(at[k] for k in free): [place] for at, place in places.items()}
            left = symbol_at(self.own(symbol), fixed | {k: letter(i) for i, k in enumerate(free)})
            order = all(t is None for t in outside), tuple(map(abs, min(places)))
            found += [(order, e) for e in self._equation(left, self._sums(mine, frame), [*mine], frame)]
        self.equations += [equation for _, equation in sorted(found, key=lambda start: start[0])]

    # -- sums over steps -----------------------------------------------------------------------------------------------

    def _total(self, c: Component) -> Term:
        return self._sums({own: [(c, point)] for own, point in self.points(c).items()}, self.frame(c), c)

    def _sums(self, places: Mapping[Point, Sequence[Place]], frame: Frame, of: Component | None = None) -> Term:
        """What is at some places, or their sums, seen from the points of a frame.  of: the sum to be taken apart"""
        groups = self._grouped(places, frame, of)
        return self.cases([(self._sum(parts, points, frame), points) for parts, points in groups.items()], frame)

    def _grouped(
        self, places: Mapping[Point, Sequence[Place]], frame: Frame, of: Component | None
    ) -> dict[tuple[Contribution, ...], list[Point]]:
        """What is added up at some places, and the points at which it is that."""
        added = {at: [part for place in some for part in self._added(place, of)] for at, some in places.items()}
        return grouped(described(self.run, added, frame))

    def _added(self, place: Place, of: Component | None) -> Iterable[Added]:
        """What a sum adds up."""
        return added_up(self.run, place, lambda other, _: None if other[0] is of else other)

    def _sum(self, contributions: Iterable[Contribution], points: Sequence[Point], frame: Frame) -> Term:
        return algebra.add(*(self._part(part, points, frame) for part in contributions))

    def _part(self, part: Contribution, points: Sequence[Point], frame: Frame) -> Term:
        times, sums = {}, []
        for j, steps in enumerate(part.steps):
            times[j] = steps.first
            if steps.first != steps.last:
                times[j] = letter(len(frame))
                sums.append((len(frame), steps))
            points = [(*point, t) for point in points for t in self._range(steps, point)]
            frame = (*frame, steps.loop)
        source = part.source.source if isinstance(part.source, Again) else part.source
        value = source if isinstance(source, Symbol) else self.value(source)
        term = self.put(value, times, points, frame)
        for key, steps in reversed(sums):
            term = algebra.time_sum(term, key, steps)
        return algebra.negative(term) if part.sign < 0 else term

    def _range(self, steps: Steps, point: Point) -> range:
        first, last = (time.number(point, self.run.lengths) for time in (steps.first, steps.last))
        return range(first, last + 1, steps.by)


def symbol_at(symbol: Symbol, times: Mapping[int, Time]) -> Symbol:
    """A variable with other times in the place of letters."""
    return replace(symbol, times=tuple(time.put(times) for time in symbol.times))


def together(options: Options) -> dict[Term, list[Point]]:
    """All points of each term."""
    found: dict[Term, list[Point]] = defaultdict(list)
    for term, points in options:
        found[term] += points
    return found


def grouped(found: Mapping[Point, tuple[Contribution, ...]]) -> dict[tuple[Contribution, ...], list[Point]]:
    groups: dict[tuple[Contribution, ...], list[Point]] = defaultdict(list)
    for point, parts in found.items():
        groups[parts].append(point)
    return groups


def adds_to_itself(c: Component) -> bool:
    """Whether it is a sum to which something is added or subtracted at every step."""
    if c.operation is None or c.operation.name not in ("add", "subtract"):
        return False
    own = [wire.source is c for wire in c.wires]
    return own in ([True, False], [False, True]) and (own[0] or c.operation.name == "add")


def readers(components: Iterable[Component]) -> Counter[Component]:
    """How many components read each."""
    return Counter(source for c in components for source in {w.source for w in c.wires})


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
