"""Prints a program as the source of a NumPy function.

What lies on a cycle of reads is computed in a loop over its steps; everything else for all steps at once, with a
leading axis for them. Statements are written when they are first needed: to write one is to write first what it reads.
What is read step by step is kept in an array of all steps, with room in front for initial values: h has T + 1 rows, and
h[0] is the initial value. What only the next step reads is a variable that is carried along: dh_next.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from ..autodiff.operation import OPERATIONS
from .batching import ENTRIES
from .lifting import refused
from .loops import Loop, planned
from .program import BEGIN, Edge, Program, Read, Size, Span, Value, cycles
from .smaller import ELEMENTWISE, REARRANGING
from .wording import ATOM, PRODUCT, Names, Text, Wording

TAKEN = "np", "tg", "empty", "t", "dtype", "step", "len", "range", "reversed"
VIEWS = (*REARRANGING, "same", "stacked", "unstacked", "elements")
LONGEST = 72
"""A longer part of an expression gets a line and a name of its own."""
HELPERS = {
    "sigmoid": """
def sigmoid(x):
    return 1 / (1 + np.exp(-x))
""",
    "relu": """
def relu(x):
    return np.maximum(x, 0)
""",
    "one_hot": """
def one_hot(y, classes, dtype):
    return (y[..., None] == np.arange(classes)).astype(dtype)
""",
    "rows": '''
def rows(a):
    """(T, B, n) as (T · B, n)."""
    return a.reshape(-1, a.shape[-1])
''',
    "placed": '''
def placed(g, index, shape):
    """Zeros of this shape, with g at the index."""
    array = np.zeros(shape, g.dtype)
    array[index] = g
    return array
''',
    "scatter": '''
def scatter(g, index, shape):
    """Zeros of this shape, with the parts of g added at their indices."""
    array = np.zeros(shape, g.dtype)
    np.add.at(array, index, g)
    return array
''',
}


def path(parameter: Value) -> str:
    """What a parameter is called in the model: encoder.W."""
    name: str = parameter.attributes["path"]
    return name


class Source:
    """The source of a program, as `text`.

    letters   the argument and the axis that each letter of a length is read from

    inputs, parameters
              the arguments of the function, with `captured`: arrays that are named and not computed
    loops     as they are written
    by_steps  what there is no way to compute for all steps at once
    """

    def __init__(self, program: Program, letters: dict[str, tuple[Value, int]]):
        self.program, self.readers = program, program.readers()
        self.inputs, self.parameters = (
            sorted((v for v in program.values if v.operation == kind), key=lambda v: v.component.visits[0].index)  # type: ignore[union-attr]
            for kind in ("input", "parameter")
        )
        self.captured: dict[str, Any] = {}
        self.loops: list[Loop] = []
        self.by_steps: list[Value] = []
        self.names = Names(self.readers, {*TAKEN, *letters, *HELPERS, *OPERATIONS})
        self.words = Wording(program, self.names)
        self._cycle = {value: cycle for cycle in cycles(program.values) for value in cycle}
        self._lines: list[str] = []
        self._depth = 1
        self._loop: Loop | None = None  # in whose body lines are being written
        self._local: dict[Value, Text] = {}  # what its values are called there
        self._whole: dict[Value, Span] = {}  # the rows of arrays that have more than the steps of the value
        self._after: dict[Value, Edge] = {}  # the step at which a carried variable is left
        self._used: set[str] = set()
        self._returned: set[Value] = set()
        for value in (*self.parameters, *self.inputs):
            self.names.name(value)
        self.text = self._text(letters)

    def _text(self, letters: dict[str, tuple[Value, int]]) -> str:
        found = [self._result(read) for read in self.program.outputs]
        if self.program.gradients:
            self._lines += ["", "    # backward"]
        for parameter, read in self.program.gradients.items():
            read.value.name = f"d{self.names[parameter]}"
        pairs = [f'"{path(p)}": {self._result(read)}' for p, read in self.program.gradients.items()]
        if pairs:
            line = f"{{{', '.join(pairs)}}}"
            found.append(line if len(line) < 100 else "".join(["{\n", *(f"        {p},\n" for p in pairs), "    }"]))
        arguments = [self.names[value] for value in (*self.parameters, *self.inputs)]
        arguments += ["*", *self.captured] if self.captured else []
        body, head = "\n".join(self._lines), []
        for letter, (value, axis) in letters.items():
            if re.search(rf"\b{letter}\b", body):
                name = self.names[value]
                head.append(f"    {letter} = {f'{name}.shape[{axis}]' if axis else f'len({name})'}")
        if re.search(r"\bdtype\b", body):
            head.append(f"    dtype = {self.names[self.words.parameters[0]]}.dtype")
        own = sorted(self._used - HELPERS.keys())
        imports = ["import numpy as np", *["import tinygrad_rnn as tg"] * ("tg." in body)]
        imports += [f"from tinygrad_rnn import {', '.join(own)}"] * bool(own)
        returned = f"    return {', '.join(found)}{',' * (len(found) == 1)}\n"
        step = "\n".join([f"def step({', '.join(arguments)}):", *head, *self._lines, returned])
        helpers = [text.strip() + "\n" for name, text in HELPERS.items() if name in self._used]
        return "\n\n".join(["\n".join([*imports, ""]), *helpers, step])

    def _out(self, line: str) -> None:
        self._lines.append("    " * self._depth + line)

    # -- values outside of loops -----------------------------------------------------------------------------------

    def _result(self, read: Read) -> str:
        """What the function returns: an array of its own."""
        text, inner = self._series(read, None).text, read
        while inner.value.operation in VIEWS and inner.reach == "once":
            inner = inner.value.reads[0]
        shared = inner.value.operation in ("parameter", "input", "constant") or inner.reach != "once"
        shared |= inner is not read and len(self.readers[inner.value]) > 1
        shared |= read.value in self._returned
        self._returned.add(read.value)
        return f"np.array({text})" if shared else text

    def _once(self, value: Value) -> Text:
        """A value without a loop."""
        if value not in self.names:
            if value.operation == "constant":
                return self._constant(value)
            text = None if self._has_line(value) else self._expression(value)
            if text is not None and len(text.text) <= LONGEST:
                return text
            self._state(value, text)
        return Text(self.names[value], ATOM, False, value.shape)

    def _constant(self, value: Value) -> Text:
        if np.ndim(value.constant) or isinstance(value.constant, np.ndarray):
            self.captured[self.names.name(value)] = value.constant
            return Text(self.names[value], ATOM, False, value.shape)
        number = self.words.number(value.constant)
        return Text(self._filled(number.text, value, ""), ATOM, False, value.shape) if value.shape else number

    def _filled(self, number: str, value: Value, lead: str) -> str:
        """An array that is full of a number."""
        shape, dtype = self.words.shape(value.shape, lead), self.words.dtype(value.dtype)
        return f"np.zeros({shape}, {dtype})" if number == "0" else f"np.full({shape}, {number}, {dtype})"

    def _has_line(self, value: Value) -> bool:
        """Whether a value gets a line of its own: it has a name, or is read more than once."""
        if value.operation == "element" or (value.operation == "transpose" and value.reads[0].value in self.names):
            return False
        reads = self.readers.get(value, [])
        in_loop = any(reader in self._cycle for reader, _ in reads)
        return bool(value.name) or len(reads) != 1 or in_loop or not reads[0][1].is_plain

    def _state(self, value: Value, text: Text | None = None) -> str:
        """Write the line that computes a value, for all of its steps; and give its name."""
        depth, self._depth, loop, self._loop = self._depth, 1, self._loop, None
        if value.operation == "plus" and any(read.padded for read in value.reads):
            self._accumulate(value)
        else:
            text = text or self._expression(value)
            self._out(f"{self.names.name(value)} = {text.text}")
        self._depth, self._loop = depth, loop
        return self.names[value]

    def _accumulate(self, value: Value) -> None:
        """Write a sum for all steps, some terms of which are not there at all of them."""
        assert value.span is not None
        terms = []
        for read in value.reads:
            span = value.span
            if read.padded and read.value.span is not None:
                there = read.value.span.moved(read.delay)
                start = there.start if span.start.before(there.start) else span.start
                stop = there.stop if there.stop.before(span.stop) else span.stop
                span = Span(span.loop, start, stop)
            terms.append((span, self._series(read, span).text))
        name = self.names.name(value)
        self._out(f"{name} = {self._filled('0', value, self.words.length(value.span))}")
        for span, term in terms:
            self._out(f"{name}{self.words.rows(span, value.span)} += {term}")

    def _series(self, read: Read, span: Span | None) -> Text:
        """What is read outside of loops: at all steps of a span, or once."""
        value = read.value
        if value.span is None:
            return self._once(value)
        if read.reach == "at":
            assert read.at is not None
            return self._at(value, read.at)
        if read.reach == "all":
            text = self._series(Read(value), value.span)
            return text._replace(batched=False, shape=(Size(self.words.length(value.span)), *value.shape))
        assert span is not None
        wanted, whole = span.moved(-read.delay), self._rows_of(value)
        before, after = whole.start.missing(wanted.start), wanted.stop.missing(whole.stop)
        if before is None or after is None:
            raise refused(value, "when it is there is not known")
        inner = Span(span.loop, whole.start if before else wanted.start, whole.stop if after else wanted.stop)
        text = self._steps(value, inner)
        if before or after:
            pieces = [self._piece(read, r, span.start.moved(k)) for k, r in enumerate(_filled_up(read.before, before))]
            pieces.append(text.text)
            late = enumerate(_filled_up(read.after, after))
            pieces += [self._piece(read, r, span.stop.moved(-1 - k)) for k, r in reversed(list(late))]
            text = Text(f"np.concatenate([{', '.join(pieces)}])", ATOM, True, value.shape)
        return text

    def _piece(self, read: Read, instead: Read | None, at: Edge) -> str:
        """An array of the one step that serves where there is none; 0 where nothing does."""
        constant = 0 if instead is None else instead.value.constant
        if instead is None or (instead.value.operation == "constant" and not np.ndim(constant)):
            return self._filled(self.words.number(constant).text, read.value, "1")
        return f"{self._one(instead, at).within(ATOM)}[None]"

    def _one(self, read: Read, at: Edge) -> Text:
        """What is read at one step."""
        if read.reach == "step" and read.value.span is not None:
            return self._at(read.value, at.moved(-read.delay))
        return self._series(read, None)

    def _rows_of(self, value: Value) -> Span:
        """The rows of the array of all steps of a value."""
        if value in self._cycle and value not in self.names:
            self._write_loop(self._cycle[value])
        assert value.span is not None
        return self._whole.get(value, value.span)

    def _steps(self, value: Value, span: Span) -> Text:
        """A value at some of its steps."""
        if value.operation == "element":
            return self._elements_at(value, span)
        if value not in self.names and not self._has_line(value) and span == value.span:
            text = self._expression(value)
            if len(text.text) <= LONGEST:
                return text
            self._state(value, text)
        name = self.names[value] if value in self.names else self._state(value)
        return Text(name + self.words.rows(span, self._rows_of(value)), ATOM, True, value.shape)

    def _elements_at(self, value: Value, span: Span) -> Text:
        """Elements of an array, one for each step."""
        axis, index, offset = (value.attributes[key] for key in ("axis", "index", "offset"))
        n = value.reads[0].value.shape[axis]
        moving = self.words.elements(span.start.moved(offset), span.stop.moved(offset), span.loop, n)
        parts = [moving or ":" if i == axis else self.words.subscript((p,)) for i, p in enumerate(index)]
        array = self._array(value)
        if any(part != ":" for part in parts):
            array = f"{array}[{', '.join(parts)}]"
        kept = axis - sum(isinstance(part, int) for part in index[:axis])
        return Text(f"np.moveaxis({array}, {kept}, 0)" if kept else array, ATOM, True, value.shape)

    def _array(self, value: Value) -> str:
        """The name of the array that elements are read of."""
        source = value.reads[0].value
        text = self._series(value.reads[0], None)
        return text.text if source in self.names else self._state(source, text)

    def _at(self, value: Value, at: Edge) -> Text:
        """A value of a loop at one step."""
        assert value.span is not None
        whole = self._rows_of(value)
        if self._after.get(value) == at:
            text = self.names[value]
        elif value.operation == "same" and value not in self.names:
            return self._series(value.reads[0], value.span)
        elif value.operation == "element":
            text = self._element(value, self.words.plus(self.words.edge(at, whole.loop), value.attributes["offset"]))
        else:
            name = self.names[value] if value in self.names else self._state(value)
            text = f"{name}[{self.words.row(at, whole)}]"
        return Text(text, ATOM, False, value.shape)

    def _element(self, value: Value, row: str) -> str:
        index, axis = value.attributes["index"], value.attributes["axis"]
        parts = [row if i == axis else self.words.subscript((p,)) for i, p in enumerate(index)]
        return f"{self._array(value)}[{', '.join(parts)}]"

    # -- expressions -----------------------------------------------------------------------------------------------

    def _expression(self, value: Value) -> Text:
        """What a value is computed by: for all of its steps or, in the body of its loop, at step t."""
        in_body = self._loop is not None and value in self._loop.values
        if in_body:
            operands = [self._in_loop(read, value) for read in value.reads]
        else:
            operands = [self._series(read, value.over or value.span) for read in value.reads]
        write = getattr(self, f"_{value.operation}", self._applied)
        text = write(value, operands)
        batched = value.span is not None and not in_body
        if batched and not any(x.batched for x in operands) and value.operation not in ("unstacked", "unjoined"):
            shape = self.words.shape(value.shape, self.words.length(value.span))
            text = Text(f"np.broadcast_to({text.text}, {shape})")
        return text._replace(batched=batched, shape=value.shape)

    def _applied(self, value: Value, operands: list[Text]) -> Text:
        if value.operation in ELEMENTWISE:  # in place of an array that is full of a number the number will do
            for i, read in enumerate(value.reads):
                is_filled = read.value.operation == "constant" and not isinstance(read.value.constant, np.ndarray)
                if is_filled and any(x.shape == value.shape for j, x in enumerate(operands) if j != i):
                    operands[i] = self.words.number(read.value.constant)
        entry = ENTRIES.get(value.operation)
        text = entry(self.words, value, operands) if entry is not None else None
        if text is None:
            return self._step_by_step(value, operands)
        self._used |= {
            name for name in re.findall(r"(?<![.\w])(\w+)\(", text.text) if name in HELPERS or name in OPERATIONS
        }
        return text

    def _step_by_step(self, value: Value, operands: list[Text]) -> Text:
        """An operation without an entry: the engine's function, in a comprehension where there are several steps."""
        attributes = [f"{key}={self._attribute(value, key, a)}" for key, a in value.attributes.items()]
        texts = [f"{x.within(ATOM)}[t]" if x.batched else x.text for x in operands]
        function = f'OPERATIONS["{value.operation}"].forward'
        if value.operation == "cross_entropy":  # the function that looks at the labels
            function = "tg.cross_entropy"
        else:
            self._used.add("OPERATIONS")
        call = f"{function}({', '.join(texts + attributes)})"
        if not any(x.batched for x in operands):
            return Text(call)
        self.by_steps.append(value)
        return Text(f"np.stack([{call} for t in range({self.words.length(value.span)})])")

    def _attribute(self, value: Value, key: str, attribute: Any) -> str:
        if isinstance(attribute, (int, float, str, type(None))):
            return str(attribute) if isinstance(attribute, Size) else repr(attribute)
        if isinstance(attribute, tuple) and all(isinstance(n, (int, Size)) for n in attribute):
            return self.words.shape(attribute)
        name = self.names.fresh(f"{value.operation}_{key}")
        self.captured[name] = attribute
        return name

    # The operations that only a program has

    def _total(self, value: Value, operands: list[Text]) -> Text:
        (x,) = operands
        if not x.batched:
            return Text(f"{self.words.length(value.over)} * {x.within(PRODUCT)}", PRODUCT)
        axes = (0, *(i % x.ndim + 1 for i in value.attributes.get("axis", ())))
        which = "" if len(axes) > x.ndim else f"axis={axes[0] if len(axes) == 1 else axes}"
        return Text(f"{x.within(ATOM)}.sum({which})")

    def _contract(self, value: Value, operands: list[Text]) -> Text:
        if any(x.ndim > 1 for x in operands):
            self._used.add("rows")
        a, b = (x.within(ATOM) if x.ndim == 1 else f"rows({x.text})" for x in operands)
        return Text(f"{a}.T @ {b}", PRODUCT)

    def _stacked(self, value: Value, operands: list[Text]) -> Text:
        axis = value.attributes["axis"]
        return Text(f"np.moveaxis({operands[0].text}, 0, {axis})") if axis else operands[0]

    def _unstacked(self, value: Value, operands: list[Text]) -> Text:
        axis = value.attributes["axis"]
        return Text(f"np.moveaxis({operands[0].text}, {axis}, 0)") if axis else operands[0]

    def _joined(self, value: Value, operands: list[Text]) -> Text:
        return Text(f"np.concatenate({operands[0].text}, axis={value.attributes['axis']})")

    def _unjoined(self, value: Value, operands: list[Text]) -> Text:
        axis, length = value.attributes["axis"], self.words.length(value.span)
        return Text(f"np.stack(np.split({operands[0].text}, {length}, axis={axis}))")

    def _elements(self, value: Value, operands: list[Text]) -> Text:
        span, offset = value.reads[0].value.span, value.attributes["offset"]
        assert span is not None
        where = self.words.elements(span.start.moved(offset), span.stop.moved(offset), span.loop, value.shape[0])
        if not where:
            return operands[0]
        self._used.add("placed")
        return Text(f"placed({operands[0].text}, np.s_[{where}], {self.words.shape(value.shape)})")

    # -- loops -----------------------------------------------------------------------------------------------------

    def _write_loop(self, cycle: list[Value]) -> None:
        """Write the loop that computes the values of a cycle, after what they read from outside."""
        loop = planned(cycle, self.program, self.readers)
        self.loops.append(loop)
        depth, self._depth = self._depth, 1
        for value in loop.values:
            for operand in value.reads:
                for read in operand.within():
                    if read.value not in cycle:
                        self._prepare(read.value)
        for value in loop.values:
            if value in loop.stored or value in loop.carried:
                self.names.name(value)
        for value in loop.stored:
            self._allocate(value, loop)
        for value, start in loop.carried.items():
            self._after[value] = loop.end
            self._out(f"{self.names[value]} = {self._one(start, loop.begin).text if start is not None else 0}")
        first, last = (self.words.edge(edge, loop.span.loop) for edge in (loop.span.start, loop.span.stop))
        steps = f"range({last})" if loop.span.start == BEGIN else f"range({first}, {last})"
        self._out(f"for t in {f'reversed({steps})' if loop.is_down else steps}:")
        outer, self._loop, self._depth = self._loop, loop, 2
        for value in loop.values:
            self._write_in_body(value, loop)
        self._loop, self._depth = outer, depth

    def _prepare(self, value: Value) -> None:
        """Write what a loop reads from outside."""
        if value.span is None:
            text = self._once(value)
            if value.operation == "transpose" and value not in self.names:  # many products by it: BLAS is faster so
                self._state(value, Text(f"np.ascontiguousarray({text.text})"))
            elif text.binding != ATOM and value.operation != "constant":
                self._state(value, text)
        elif value.operation == "element":
            self._array(value)
        elif value in self._cycle:
            self._rows_of(value)
        elif value not in self.names:
            self._state(value)

    def _allocate(self, value: Value, loop: Loop) -> None:
        """An array for all steps, with room for what is there before the first or after the last of them."""
        assert value.span is not None
        front, back = self._room(value, loop)
        whole = Span(value.span.loop, value.span.start.moved(-len(front)), value.span.stop.moved(len(back)))
        self._whole[value] = whole
        name, shape = self.names[value], self.words.shape(value.shape, self.words.length(whole))
        self._out(f"{name} = np.empty({shape}, {self.words.dtype(value.dtype)})")
        for rows, first in ((front[::-1], 0), (back, -len(back))):
            if len(rows) > 1 and len(set(rows)) == 1:
                self._out(f"{name}[{f'{first}:' if first else f':{len(rows)}'}] = {rows[0]}")
            else:
                for k, text in enumerate(rows, first):
                    self._out(f"{name}[{k}] = {text}")

    def _room(self, value: Value, loop: Loop) -> tuple[list[str], list[str]]:
        """What the rows before the first step hold, the nearest first, and those behind the last, if readers agree."""
        found: tuple[dict[int, str], dict[int, str]] = ({}, {})
        for reader, read in self.readers[value]:
            if reader is None or reader.span is None or value.span is None or read not in reader.reads:
                continue
            wanted = reader.span.moved(-read.delay)
            missing = value.span.start.missing(wanted.start), wanted.stop.missing(value.span.stop)
            for rows, reads, n in zip(found, (read.before, read.after), missing, strict=True):
                texts = [self._filler(r, loop) for r in _filled_up(reads, n or 0)]
                new = {(n or 0) - k: text for k, text in enumerate(texts) if text is not None}
                if len(new) == n and all(rows.get(k, text) == text for k, text in new.items()):
                    rows.update(new)
        front, back = ([rows[k] for k in sorted(rows)] for rows in found)
        return front, back

    def _filler(self, read: Read | None, loop: Loop) -> str | None:
        """What fills a row, for all readers alike."""
        if read is None:
            return "0"
        if read.value in loop.values or (read.reach == "step" and read.value.span is not None):
            return None
        is_number = read.value.operation == "constant" and not isinstance(read.value.constant, np.ndarray)
        return self.words.number(read.value.constant).text if is_number else self._series(read, None).text

    def _write_in_body(self, value: Value, loop: Loop) -> None:
        """The line of a value in its loop, or nothing if it is a part of the one line that reads it."""
        assert value.span is not None
        guards = [f"t >= {self.words.edge(value.span.start, value.span.loop)}"] * (value.span.start != loop.span.start)
        guards += [f"t < {self.words.edge(value.span.stop, value.span.loop)}"] * (value.span.stop != loop.span.stop)
        text = self._expression(value)
        if value in loop.stored:
            target = f"{self.names[value]}[{self._time(value, 0)}]"
        elif value in loop.carried:
            target = self.names[value]
        elif guards or value.name or len(self.readers[value]) > 1 or len(text.text) > LONGEST:
            target = self.names.name(value)
        else:
            self._local[value] = text
            return
        if guards:
            self._out(f"if {' and '.join(guards)}:")
        self._depth += bool(guards)
        self._out(f"{target} = {text.text}")
        self._depth -= bool(guards)
        self._local[value] = Text(target, ATOM, False, value.shape)

    def _time(self, value: Value, delay: int) -> str:
        """The row of step t - delay of a value."""
        start = self._rows_of(value).start
        if start.from_end:
            return f"t - ({self.words.edge(start.moved(delay), self._rows_of(value).loop)})"
        return self.words.time(-start.offset - delay)

    def _in_loop(self, read: Read, reader: Value) -> Text:
        """What is read in the body of a loop, at step t."""
        value = read.value
        if value.span is None or read.reach in ("at", "all"):
            return self._series(read, None)
        own = self._loop is not None and value in self._loop.values
        if own and value in self._local and not read.delay:
            text = self._local[value]
        elif own and self._loop is not None and value in self._loop.carried:
            return Text(self.names[value], ATOM, False, value.shape)
        elif value.operation == "element":
            text = Text(self._element(value, self.words.time(value.attributes["offset"] - read.delay)))
        else:
            text = Text(f"{self.names[value]}[{self._time(value, read.delay)}]")
        return self._guarded(text._replace(shape=value.shape), read, reader)

    def _guarded(self, text: Text, read: Read, reader: Value) -> Text:
        """The same, with what serves at the steps for which there is no row."""
        value = read.value
        assert value.span is not None and reader.span is not None
        wanted, whole = reader.span.moved(-read.delay), self._whole.get(value, value.span)
        limits = (
            (whole.start.missing(wanted.start), read.before, f"t >= {self._limit(whole.start, read)}"),
            (wanted.stop.missing(whole.stop), read.after, f"t < {self._limit(whole.stop, read)}"),
        )
        for missing, instead, condition in limits:
            if missing != 0:
                if not read.padded and len(instead) != 1:
                    raise refused(reader, "what serves in place of its first steps differs from reader to reader")
                other = "0" if read.padded else self._in_loop(instead[0], reader).text
                text = Text(f"({text.text} if {condition} else {other})", ATOM, False, value.shape)
        return text

    def _limit(self, edge: Edge, read: Read) -> str:
        assert read.value.span is not None
        return self.words.edge(edge.moved(read.delay), read.value.span.loop)


def _filled_up(reads: list[Read], n: int) -> list[Read | None]:
    """The first n reads; None, for 0, where there are fewer."""
    return [reads[k] if k < len(reads) else None for k in range(n)]
