"""How names, numbers, sizes and steps are written in the source."""

from __future__ import annotations

import keyword
import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from .program import BEGIN, Edge, Program, Read, Size, Span, Value

COMPARE, SUM, PRODUCT, POWER, ATOM = range(5)
"""How tightly a text holds together: what is looser than its surroundings is put in parentheses."""
Readers = Mapping[Value, Sequence[tuple[Value | None, Read]]]


JOINED = {"plus": "plus", "subtract": "minus", "multiply": "times", "divide": "over"}


class Text(NamedTuple):
    """An expression of the source; `batched` if it has a leading axis for the steps, `shape` of one step."""

    text: str
    binding: int = ATOM
    batched: bool = False
    shape: tuple[int | Size, ...] = ()

    def within(self, binding: int) -> str:
        return f"({self.text})" if self.binding < binding else self.text

    @property
    def ndim(self) -> int:
        return len(self.shape)


class Names(dict[Value, str]):
    """The names of values in the source, each another one."""

    def __init__(self, readers: Readers, taken: Collection[str]):
        super().__init__()
        self.readers, self.taken = readers, set(taken)

    def name(self, value: Value) -> str:
        """Give a value its name: that of the code or, failing that, one for what it is."""
        self[value] = self.fresh(value.name or self._invented(value))
        return self[value]

    def fresh(self, wanted: str) -> str:
        """An identifier that is not taken, as like the wanted name as can be."""
        plain = unicodedata.normalize("NFKC", wanted).replace("′", "_prime")
        plain = re.sub(r"\W+", "_", plain).strip("_") or "v"
        if plain[0].isdigit() or keyword.iskeyword(plain):
            plain = f"_{plain}"
        name, n = plain, 1
        while name in self.taken:
            n += 1
            name = f"{plain}_{n}"
        self.taken.add(name)
        return name

    def called(self, value: Value) -> str:
        return self.get(value) or value.name or value.hint

    def _invented(self, value: Value) -> str:
        if value.hint:
            return value.hint
        readers = [v for v, read in self.readers.get(value, ()) if v is not None and read in v.reads]
        if value.operation in ("transpose", "getitem", "element", "astype", "same") and value.reads:
            return f"{self.called(value.reads[0].value) or 'v'}{'_T' * (value.operation == 'transpose')}"
        if len(readers) == 1 and readers[0].operation == "multiply":
            of = [self.called(read.value) for read in readers[0].reads if read.value is not value]
            into = self._target(readers[0])
            if of and of[0].startswith("d") and into.startswith("d"):
                return f"{of[0].removesuffix('_next')}_{into}"  # the factor by which dh goes into da
        product = next((r.value for r in value.reads if r.value.operation == "matmul"), value)
        if product.operation == "matmul":  # x @ U.T is Ux
            x, U = (self._base(read.value) for read in product.reads)
            return f"{U}{'_' * (max(len(x), len(U)) > 2)}{x}" if x and U else "v"
        if value.operation in JOINED and len(value.reads) == 2:  # 1 - u is one_minus_u
            a, b = ("one" if _is_one(r.value) else self._base(r.value) for r in value.reads)
            if a and b and len(a + b) < 12:
                return f"{a}_{JOINED[value.operation]}_{b}"
        if len(value.reads) == 1 and self.called(value.reads[0].value):
            return f"{value.operation}_{self.called(value.reads[0].value)}"
        target = self._target(value)
        return f"{target}_{value.operation}" if target else "v"

    def _target(self, value: Value) -> str:
        """The name of a value, or of the first that is computed from it."""
        for _ in range(4):
            readers = [reader for reader, _ in self.readers.get(value, ()) if reader is not None]
            if self.called(value) or not readers:
                break
            value = readers[0]
        return self.called(value)

    def _base(self, value: Value) -> str:
        while value.operation in ("transpose", "element", "getitem", "same") and value.reads:
            value = value.reads[0].value
        return self.called(value)


def _is_one(value: Value) -> bool:
    return value.operation == "constant" and not np.ndim(value.constant) and value.constant == 1


class Wording:
    """Texts of numbers of a program: sizes, steps, rows of arrays of all steps, dtypes."""

    def __init__(self, program: Program, names: Names):
        self.lengths = program.lengths
        self.names = names
        self.parameters = [value for value in program.values if value.operation == "parameter"]

    def number(self, n: Any) -> Text:
        if isinstance(n, Size):
            return Text(n, ATOM if n.isidentifier() else SUM if re.search(r" [+-] ", n) else PRODUCT)
        n = np.asarray(n).item()
        text = repr(int(n)) if isinstance(n, float) and n.is_integer() and abs(n) < 1e6 else repr(n)
        return Text(f"np.{text}" if text in ("inf", "nan") else text, SUM if text.startswith("-") else ATOM)

    def plus(self, whole: int | str, n: int) -> str:
        """whole + n, where the whole may be a sum itself."""
        found = re.fullmatch(r"(.*?)(?: ([+-]) (\d+))?", str(whole))
        assert found is not None
        base, sign, m = found.groups()
        n += int(f"{sign}{m}") if sign else 0
        if re.fullmatch(r"-?\d+", base):
            return str(int(base) + n)
        return f"{base} {'+' if n > 0 else '-'} {abs(n)}" if n else base

    # -- sizes -------------------------------------------------------------------------------------------------

    def size(self, n: Any) -> str:
        """A number of elements: an expression of T and B, or the size of a parameter."""
        if not isinstance(n, int) or n < 2:
            return str(n)
        axes = [(i, axis, p) for p in self.parameters for i, axis in enumerate(p.shape) if isinstance(axis, int)]
        for i, axis, p in sorted(axes, key=lambda found: found[0]):
            if axis == n:
                return self._axis(p, i)
        divisors = [(n // axis, self._axis(p, i)) for i, axis, p in axes if axis > 1 and n % axis == 0]
        return "{} * {}".format(*min(divisors)) if divisors else str(n)

    def _axis(self, parameter: Value, i: int) -> str:
        return f"{self.names[parameter]}.shape[{i}]" if i else f"len({self.names[parameter]})"

    def shape(self, shape: tuple, lead: str = "") -> str:
        sizes = [lead] * bool(lead) + [self.size(n) for n in shape]
        return f"({', '.join(sizes)}{',' * (len(sizes) == 1)})"

    def subscript(self, parts: tuple) -> str:
        return ", ".join(map(self._part, parts))

    def _part(self, part: Any) -> str:
        if isinstance(part, slice):
            start, stop, step = ("" if n is None else self.size(n) for n in (part.start or None, part.stop, part.step))
            return f"{start}:{stop}{f':{step}' if step else ''}"
        return "..." if part is Ellipsis else str(part)

    def dtype(self, dtype: Any) -> str:
        dtype = np.dtype(dtype)
        if self.parameters and dtype == self.parameters[0].dtype:
            return "dtype"
        return "bool" if dtype.kind == "b" else f"np.{dtype.name}"

    # -- steps -------------------------------------------------------------------------------------------------

    def length(self, span: Span | None) -> str:
        """How many steps a span has."""
        assert span is not None
        difference = span.stop.offset - span.start.offset
        same_end = span.start.from_end == span.stop.from_end
        return str(difference) if same_end else self.plus(self.lengths[span.loop], difference)

    def edge(self, edge: Edge, loop: int) -> str:
        """The number of a step."""
        return self.plus(self.lengths[loop], edge.offset) if edge.from_end else str(edge.offset)

    def time(self, offset: int) -> str:
        return f"t {'+' if offset > 0 else '-'} {abs(offset)}" if offset else "t"

    def row(self, at: Edge, whole: Span) -> str:
        """The number of the row of a step, in an array of all steps of a span; from its end, if the step is so said."""
        if at.from_end and whole.stop.from_end and at.offset < whole.stop.offset:
            return str(at.offset - whole.stop.offset)
        if at.from_end == whole.start.from_end:
            return str(at.offset - whole.start.offset)
        return self.plus(self.edge(at, whole.loop), -whole.start.offset)

    def rows(self, part: Span, whole: Span) -> str:
        """The index of the rows of some steps; "" for all."""
        if (part.start, part.stop) == (whole.start, whole.stop):
            return ""
        start = "" if part.start == whole.start else self.row(part.start, whole)
        stop = "" if part.stop == whole.stop else self.row(part.stop, whole)
        return f"[{start}:{stop}]"

    def elements(self, start: Edge, stop: Edge, loop: int, n: int | Size) -> str:
        """The index of elements of an array of n, by the steps of a loop; "" for all."""
        last = str(stop.offset) if stop.from_end and n == self.lengths[loop] else self.edge(stop, loop)
        first = "" if start == BEGIN else self.edge(start, loop)
        is_all = stop.offset == 0 if stop.from_end and n == self.lengths[loop] else last == str(n)
        return "" if not first and is_all else f"{first}:{'' if is_all else last}"
