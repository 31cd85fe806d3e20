"""From the circuit of a run to a program; and from the programs of several runs to the one for all lengths.

What a run took from elsewhere stands in its record as a number. Whether it is a constant of the model or follows from
the lengths of the arguments, as the 1 / T of a mean over time, is seen by recording at several lengths: a number that
differs must be an expression of the lengths that gives the right one for each.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from ..tracing.circuit import Circuit, Component, Wire
from ..tracing.record import Graph
from .lengths import Places, Series, is_array, leaves, places
from .program import CompileError, Edge, Program, Read, Size, Span, Value, once


def refused(what: Component | Value | None, reason: str) -> CompileError:
    """An error that names the expression, the reason and the line."""
    text, line = place(what)
    return CompileError(f"not compiled: {f'`{text}`: ' if text else ''}{reason}{f'   {line}' if line else ''}")


def place(what: Component | Value | None) -> tuple[str, str]:
    """The expression that something comes from, and its line; "" where there is none."""
    while isinstance(what, Value):
        what = what.component or what.rule_of
    if what is None:
        return "", ""
    step = what.visits[0]
    site = step.site.in_user_code() if step.site is not None else None
    return (site.text() if site is not None else "") or step.label, str(site or "")


def lifted(graph: Graph, arguments: tuple) -> Program:
    """The forward pass of a run as a program."""
    return _Lifting(graph, places(graph, arguments)).program


class _Lifting:
    def __init__(self, graph: Graph, leaf: Places):
        self.leaf = leaf
        self.circuit: Circuit = graph.fold()
        self.names = graph.reading.names
        self.of: dict[Component, Value] = {}
        self.series: dict[int, Value] = {}
        for c in self.circuit.components:
            self.of[c] = self._value(c)
        self._name_parameters()
        for c, value in self.of.items():
            value.reads = [self._read(c, wire) for wire in c.wires] or value.reads
            self._rename(value)
        outputs = list(self._outputs(graph))
        if not outputs:
            raise CompileError("not compiled: the model returns no tensor")
        self.program = Program([*self.series.values(), *self.of.values()], outputs, list(self.circuit.lengths))

    def _name_parameters(self) -> None:
        """Each parameter by its path in the model; a number tells apart those of one path."""
        taken: dict[str, int] = {}
        for value in self.of.values():
            if value.operation == "parameter" and value.component is not None:
                path = value.component.visits[0].path or "parameter"
                taken[path] = taken.get(path, 0) + 1
                value.attributes["path"] = f"{path}_{taken[path]}" if taken[path] > 1 else path

    # -- values ------------------------------------------------------------------------------------------------

    def _value(self, c: Component) -> Value:
        first = c.visits[0]
        if c.nested:
            raise refused(c, "it is in a loop within a loop")
        if c.axes and c.axes[0].step != 1:
            raise refused(c, f"it happens only at every k-th step, k = {c.axes[0].step}")
        if c.axes and c.kind == "input":
            return self._item(c)
        if c.kind == "input" and first not in self.leaf:
            raise refused(c, "it is the result of an earlier computation")
        if any(step.shape != first.shape for step in c.visits):
            raise refused(c, "its shape changes from step to step")
        value = Value(
            c.operation.name if c.operation is not None else c.kind,
            attributes=dict(first.attributes),
            shape=first.shape,
            dtype=np.asarray(first.value).dtype,
            span=self._span(c),
            name=self.names.get(c, c.name or ""),
            component=c,
        )
        if c.kind == "input":
            value.attributes = {"place": self.leaf[first]}
        elif c.kind == "constant":
            self._constant(value, c)
        elif c.reads is not None and not c.wires[0].moves:
            self._element(value, c)
        elif any(_differ(step.attributes, first.attributes) for step in c.visits[1:]):
            raise refused(c, "it is told something else at each step by the code: compute with tensors instead")
        return value

    def _item(self, c: Component) -> Value:
        """Items of a list of arrays, one for each step: elements of an array of them all."""
        found = [self.leaf.get(step) for step in c.visits]
        leaf, item = found[0] or (-1, None)
        (t,) = c.points[0]
        if item is None or found != [(leaf, item - t + s) for (s,) in c.points]:
            raise refused(c, "it is another object at each step: give one array, or a list of arrays in their order")
        name, first = c.name or "x", c.visits[0]
        shape = (sum(number == leaf for number, _ in self.leaf.values()), *first.shape)
        dtype = np.asarray(first.value).dtype
        array = Value("input", attributes={"place": (leaf, None)}, shape=shape, dtype=dtype, name=name, component=c)
        index = {"index": (item,), "axis": 0, "offset": item - t}
        array = self.series.setdefault(leaf, array)
        return Value("element", [once(array)], index, first.shape, dtype, self._span(c), component=c)

    def _span(self, c: Component) -> Span | None:
        if not c.axes:
            return None
        axis = c.axes[0]
        return Span(axis.loop, *(Edge(bound.offset, bound.from_end) for bound in (axis.start, axis.stop)))

    def _constant(self, value: Value, c: Component) -> None:
        if any(_differ(step.value, c.visits[0].value) for step in c.visits[1:]):
            reader = next((x for x in self.circuit.components if any(w.source is c for w in x.wires)), c)
            raise refused(reader, "it computes with a constant that is another one at each step")
        value.constant, value.span = c.visits[0].value, None

    def _element(self, value: Value, c: Component) -> None:
        """Element t + offset of an array."""
        indices = [step.attributes["index"] for step in c.visits]
        moving = [i for i, part in enumerate(indices[0]) if _differ(part, indices[-1][i])]
        if len(moving) != 1 or [index[moving[0]] for index in indices] != [t + (c.reads or 0) for (t,) in c.points]:
            raise refused(c, "it does not read the elements of an array one by one")
        value.operation = "element"
        value.attributes = {"index": indices[0], "axis": moving[0], "offset": c.reads}

    def _rename(self, value: Value) -> None:
        """What takes all steps of a loop is written for an array of all steps."""
        several = [read for read in value.reads if read.reach == "all"]
        if not several:
            return
        if len(value.reads) > 1 or value.operation not in ("stack", "concatenate"):
            raise refused(value, "it takes all steps of a loop: only a stack or a concatenation of them may")
        value.operation = {"stack": "stacked", "concatenate": "joined"}[value.operation]
        value.attributes = {"axis": value.attributes["axis"] % len(value.shape)}

    # -- reads -------------------------------------------------------------------------------------------------

    def _read(self, c: Component, wire: Wire) -> Read:
        if wire.others:
            raise refused(c, f"it reads {wire.source.label} at some steps and something else at others")
        value = self.of[wire.source]
        coordinates = wire.coordinates()
        if value.span is None:
            return once(value)
        one = coordinates[0]
        if wire.corners or (one.per, one.modulo) != (1, 0) or (one.reach == "step" and one.strides not in ((), (1,))):
            raise refused(c, f"it reads {wire.source.label} at another pace")
        if one.reach in ("first", "last") or (one.reach == "step" and not one.strides):
            edges = {
                "first": value.span.start,
                "last": value.span.stop.moved(-1),
                "step": Edge(one.offset, one.from_end),
            }
            return Read(value, "at", at=edges[one.reach])
        if one.reach == "all" and one.step == 1 and one.ends == (0, 0):
            return Read(value, "all")
        if one.reach != "step" or one.from_end or c.loop != wire.source.loop:
            raise refused(c, f"it reads {wire.source.label} of another loop, step by step")
        return self._at_each_step(c, wire, value, -one.offset)

    def _at_each_step(self, c: Component, wire: Wire, value: Value, delay: int) -> Read:
        """The steps that are not there come from the initial values: which of them are before, which after?"""
        (first,), (last,) = wire.source.points[0], wire.source.points[-1]
        wanted = [t - delay for (t,) in c.points]
        before, after = sum(s < first for s in wanted), sum(s > last for s in wanted)
        late = (wire.final or wire.initial) if before else wire.initial
        instead = [[self._read(c, w) for w in wires] for wires in (wire.initial[:before], late[:after])]
        if (len(instead[0]), len(instead[1])) != (before, after):
            raise refused(c, f"what it reads before the first {wire.source.label} is not known")
        return Read(value, delay=delay, before=instead[0], after=instead[1])

    def _outputs(self, graph: Graph) -> Iterator[Read]:
        """What the model returns: the whole of a series of which the items are all steps of a loop."""
        of = {step: (c, at) for c in self.circuit.components for at, step in zip(c.points, c.visits, strict=True)}
        steps = iter(graph.outputs)
        for _, x in leaves((graph.returned,)):
            found = [next(steps) for _ in (x.items if isinstance(x, Series) else [x])] if is_array(x) else []
            if any(step not in of for step in found):
                raise CompileError("not compiled: the model returns something that it does not compute")
            components = {of[step][0] for step in found}
            if isinstance(x, Series) and len(components) == 1 and found == (c := components.pop()).visits and c.axes:
                yield Read(self.of[c], "all")
            else:
                yield from (self._output(*of[step]) for step in found)

    def _output(self, c: Component, at: tuple[int, ...]) -> Read:
        value = self.of[c]
        if value.span is None:
            return once(value)
        if at not in (c.points[0], c.points[-1]):
            raise refused(c, "the model returns something else than the last step of it")
        return Read(value, "at", at=value.span.stop.moved(-1) if at == c.points[-1] else value.span.start)


def _differ(a: Any, b: Any) -> bool:
    """Whether two constants or attributes are not the same, in type, shape and numbers."""
    if isinstance(a, dict):
        return any(_differ(a[key], b[key]) for key in a)
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        return np.shape(a) != np.shape(b) or not np.array_equal(a, b)
    if isinstance(a, tuple) and isinstance(b, tuple):
        return len(a) != len(b) or any(map(_differ, a, b))
    return type(a) is not type(b) or not (a is b or bool(a == b))


# -- one program for all lengths -----------------------------------------------------------------------------

Sizes = Mapping[str, int]
"""What each letter stands for in one of the runs: T, B."""


def generalised(programs: Sequence[Program], sizes: Sequence[Sizes]) -> Program:
    """The program of which those of several runs are instances. It is the first one, in which numbers are replaced."""
    program = programs[0]
    numbers = [{value: i for i, value in enumerate(p.values)} for p in programs]
    if len({len(p.values) for p in programs}) > 1:
        raise CompileError("not compiled: the model does other things at another length of its arguments")
    for values in zip(*(p.values for p in programs), strict=True):
        value = values[0]
        forms = {_form(v, number) for v, number in zip(values, numbers, strict=True)}
        if len(forms) > 1:
            raise refused(value, "it happens in another way at another length of the arguments")
        value.shape = tuple(_sized(n, sizes, value) for n in zip(*(v.shape for v in values), strict=True))
        value.attributes = _sized(tuple(v.attributes for v in values), sizes, value)
        if value.operation == "constant":
            value.constant = _constant(values, sizes)
    program.lengths = [_sized(n, sizes, None) for n in zip(*(p.lengths for p in programs), strict=True)]
    return program


def _form(value: Value, number: dict[Value, int]) -> str:
    """What must be the same of a value in all runs."""

    def form(read: Read) -> Any:
        instead = [form(r) for r in read.before], [form(r) for r in read.after]
        return number[read.value], read.reach, read.delay, read.at, read.padded, instead

    return repr((value.operation, value.span, value.over, value.dtype, list(map(form, value.reads))))


def _sized(found: tuple, sizes: Sequence[Sizes], value: Value | None) -> Any:
    """What is the same in all runs, or the expression of the sizes that it follows from; inside of tuples as well."""
    first = found[0]
    if isinstance(first, dict):
        return {key: _sized(tuple(f[key] for f in found), sizes, value) for key in first}
    if isinstance(first, tuple) and len({len(f) for f in found}) == 1:
        return tuple(_sized(parts, sizes, value) for parts in zip(*found, strict=True))
    if isinstance(first, slice):
        parts = [tuple(getattr(s, part) for s in found) for part in ("start", "stop", "step")]
        return slice(*(_sized(part, sizes, value) for part in parts))
    if not any(_differ(first, other) for other in found[1:]):
        return first
    if all(isinstance(f, (int, float, np.integer, np.floating)) for f in found):
        size = expressed([np.asarray(f).item() for f in found], sizes)
        if size is not None:
            return size
    raise refused(value, f"{_shown(found)} is another one at another length, by no rule that is known")


def _shown(found: tuple) -> str:
    shown = [np.asarray(f).item() if np.size(f) == 1 else f"an array of {np.shape(f)}" for f in found]
    return f"a constant ({', '.join(map(str, shown))})"


def _constant(values: Sequence[Value], sizes: Sequence[Sizes]) -> Any:
    """A number, with the shape of the value where it fills an array; or the array."""
    arrays = [np.asarray(v.constant) for v in values]
    is_filled = all(a.size and (a == a.flat[0]).all() for a in arrays)
    first = values[0].constant
    is_held = isinstance(first, np.ndarray) and all(v.constant is first for v in values)
    if is_filled and not is_held:
        return _sized(tuple(a.flat[0].item() for a in arrays), sizes, values[0])
    if any(_differ(a, arrays[0]) for a in arrays[1:]):
        what = "an array that the code makes anew each time" if arrays[0].ndim else _shown(tuple(arrays))
        raise refused(values[0], f"{what}: a random number, a mask or a count is not compiled")
    return values[0].constant


def expressed(numbers: Sequence[Any], sizes: Sequence[Sizes]) -> Size | None:
    """The expression of the sizes that gives each of the numbers; None if there is no simple one."""
    for size in _expressions(numbers[0], sizes[0]):
        if all(np.isclose(size.value(dict(s)), n, rtol=1e-6, atol=0) for n, s in zip(numbers, sizes, strict=True)):
            return size
    return None


def _expressions(number: Any, sizes: Sizes) -> Iterator[Size]:
    """Expressions that give this number, the simplest first."""
    letters = list(sizes)
    products = [*letters, *(f"{a} * {b}" for a, b in combinations(letters, 2))]
    for product in products:
        of = Size(product).value(dict(sizes))
        difference, factor, inverse = number - of, number / of, number * of
        if difference == int(difference) and product in letters:
            yield Size(f"{product} {'+' if difference > 0 else '-'} {abs(int(difference))}" if difference else product)
        if factor == int(factor) or isinstance(number, float):
            yield Size(product if factor == 1 else f"{factor:.12g} * {product}")
        for near in (-1, 1) if isinstance(number, float) and product in letters else ():
            yield Size(f"{number * (of + near):.12g} / ({product} {'+' if near > 0 else '-'} 1)")
        if isinstance(number, float):
            grouped = f"({product})" if "*" in product else product
            yield Size(f"{inverse:.12g} / {grouped}")
