"""The program between a circuit and its source: values, what they read, and in which loop each of them is.

A value is what the code computes in one place. It has one number or array, or one for each step of a loop. Printed,
h = tanh(b + x U.T + h W.T) of 4 units is

    · = matmul(element[t], transpose) B×4 [0 … T]
    · = plus(b, matmul[t]) B×4 [0 … T]
    · = matmul(h[t-1], transpose) B×4 [0 … T]
    · = plus(plus[t], matmul[t]) B×4 [0 … T]
    h = tanh(plus[t]) B×4 [0 … T]

where [0 … T] are the steps at which there is a value. What has no name is a dot, and is called by its operation where
it is read. The last three read each other in a cycle, through h[t-1]: they need a loop, and the first two do not.

A read says where an operand comes from:

    once   a value without a loop
    step   the value of the same loop, `delay` steps ago; less than 0: that many steps ahead. Where there is no such
           step other reads serve, `before` the first and `after` the last, each counted from its end; 0 if it is
           `padded`
    at     the value of a loop at one step, as the last state
    all    the values of all steps of a loop, stacked along a new first axis

Besides the engine's operations there are

    plus      a sum of any number of terms
    total     Σ over the steps of a loop; with an `axis` also over axes of each
    contract  Σ over the steps, and over all axes but the last, of products of two operands: Σₜ aₜᵀ bₜ
    element   element t + offset of an array; elements: the array that has these elements, and 0 elsewhere
    stacked   the values of all steps of a loop along a new axis; unstacked: the other way round
    joined    the values of all steps of a loop one after the other along an axis; unjoined: the other way round
    same      the value that it reads; in a loop perhaps at a single step of it

`lifting` makes a program from a circuit, `adjoint` adds the gradients, `passes` rewrite it until it is what a person
would have written, `emission` prints it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

from ..tracing.circuit import Component


class CompileError(ValueError):
    """The model has no compiled program that is certain; the message names the expression, its line and the reason."""


class Size(str):
    """A number that follows from the lengths of the arguments, as the source writes it: ``T``, ``1 / B``."""

    def value(self, sizes: dict[str, int]) -> Any:
        return eval(self, {"__builtins__": {}}, sizes)


class Edge(NamedTuple):
    """A step of a loop of any length: so many steps after its beginning, or after its end."""

    offset: int = 0
    from_end: bool = False

    def moved(self, steps: int) -> Edge:
        return Edge(self.offset + steps, self.from_end)

    def before(self, other: Edge) -> bool:
        """Whether it comes before another, in a loop that is not very short."""
        return (self.from_end, self.offset) < (other.from_end, other.offset)

    def missing(self, other: Edge) -> int | None:
        """How many steps from `other` up to it; 0 if it comes first, None if that depends on the length."""
        if self.from_end == other.from_end:
            return max(0, self.offset - other.offset)
        return None if other.before(self) else 0

    def text(self, length: str) -> str:
        if not self.from_end:
            return str(self.offset)
        return f"{length} {'+' if self.offset > 0 else '-'} {abs(self.offset)}" if self.offset else length


FLOAT = np.dtype(float)
BEGIN, END = Edge(0), Edge(0, True)


class Span(NamedTuple):
    """Some steps of a loop: from `start` up to `stop`, which is not among them."""

    loop: int
    start: Edge = BEGIN
    stop: Edge = END

    def moved(self, steps: int) -> Span:
        return Span(self.loop, self.start.moved(steps), self.stop.moved(steps))

    def covers(self, other: Span) -> bool:
        return not (other.start.before(self.start) or self.stop.before(other.stop))


@dataclass(eq=False)
class Value:
    """What is computed in one place of the code, or at one place of the backward pass.

    span        the steps at which it has a value; None: it has one
    name        what the code calls it; a value with a name gets a line of its own
    hint        what it would be called if it had a name
    over        the steps that a total or a contraction sums over
    constant    of a constant: the number or array
    component   of the circuit, from which it comes
    rule_of     the forward value whose derivative rule it belongs to
    """

    operation: str
    reads: list[Read] = field(default_factory=list)
    attributes: dict[str, Any] = field(default_factory=dict)
    shape: tuple[int | Size, ...] = ()
    dtype: np.dtype = FLOAT
    span: Span | None = None
    over: Span | None = None
    name: str = ""
    hint: str = ""
    constant: Any = None
    component: Component | None = None
    rule_of: Value | None = None

    @property
    def is_zero(self) -> bool:
        return self.operation == "constant" and np.ndim(self.constant) == 0 and self.constant == 0

    def like(self, operation: str, reads: Iterable[Read], **changes: Any) -> Value:
        """Another value of the same shape and span, computed from other values."""
        copied = [read.copy() for read in reads]
        return replace(
            self,
            operation=operation,
            reads=copied,
            **({"name": "", "hint": "", "component": None, "over": None} | changes),
        )

    def __repr__(self) -> str:
        shape = "×".join(map(str, self.shape)) or "1"
        where = f" [{self.span.start.text('T')} … {self.span.stop.text('T')}]" if self.span else ""
        operands = ", ".join(map(str, self.reads)) if self.operation != "constant" else self.constant
        return f"{self.name or '·'} = {self.operation}({operands}) {shape}{where}"


@dataclass(eq=False)
class Read:
    """Where an operand comes from; see the top of this file."""

    value: Value
    reach: str = "step"
    delay: int = 0
    at: Edge | None = None
    before: list[Read] = field(default_factory=list)
    after: list[Read] = field(default_factory=list)
    padded: bool = False

    @property
    def is_plain(self) -> bool:
        """Whether it is the value itself: of the same step, or the only one."""
        return self.reach in ("step", "once") and not (self.delay or self.before or self.after or self.padded)

    def copy(self) -> Read:
        before, after = ([r.copy() for r in reads] for reads in (self.before, self.after))
        return replace(self, before=before, after=after)

    @property
    def is_only_padded(self) -> bool:
        """Whether it is of the same step, or 0."""
        return self.padded and not (self.delay or self.before or self.after)

    def within(self) -> Iterator[Read]:
        """It and the reads that serve in its place."""
        yield self
        for other in (*self.before, *self.after):
            yield from other.within()

    def same(self, other: Read) -> bool:
        """Whether it is always the same as another one."""
        mine, theirs = ((r.value, r.reach, r.delay, r.at, r.padded) for r in (self, other))
        pairs = list(zip((*self.before, *self.after), (*other.before, *other.after), strict=False))
        lengths = [(len(r.before), len(r.after)) for r in (self, other)]
        return mine == theirs and lengths[0] == lengths[1] and all(a.same(b) for a, b in pairs)

    def __str__(self) -> str:
        place = {"step": f"[t{-self.delay:+}]" if self.delay else "[t]", "once": "", "all": "[:]", "at": f"[{self.at}]"}
        return (self.value.name or self.value.operation) + place[self.reach] + ", or 0" * self.padded


def once(value: Value) -> Read:
    return Read(value, "once")


def plain(value: Value) -> Read:
    """A read of the value itself: at the same step, or the only one."""
    return Read(value) if value.span is not None else once(value)


def number(value: Any, dtype: Any = float) -> Value:
    return Value("constant", constant=value, dtype=np.dtype(dtype))


@dataclass(eq=False)
class Program:
    """All values, those that are read before those that read them, where no cycle forbids it.

    outputs    the loss, or what the model returns
    lengths    of the loops: a number, or an expression of the lengths of the arguments
    gradients  of the loss with respect to each parameter
    """

    values: list[Value]
    outputs: list[Read]
    lengths: list[int | Size]
    gradients: dict[Value, Read] = field(default_factory=dict)

    def add(self, value: Value) -> Value:
        self.values.append(value)
        return value

    def results(self) -> list[Read]:
        return [*self.outputs, *self.gradients.values()]

    def reads(self) -> Iterator[tuple[Value | None, Read]]:
        """Every read and the value whose operand it is; None for the results."""
        for value in self.values:
            for operand in value.reads:
                for read in operand.within():
                    yield value, read
        for result in self.results():
            yield None, result

    def readers(self) -> dict[Value, list[tuple[Value | None, Read]]]:
        found: dict[Value, list[tuple[Value | None, Read]]] = {value: [] for value in self.values}
        for reader, read in self.reads():
            found[read.value].append((reader, read))
        return found

    def replace(self, old: Value, new: Read) -> bool:
        """Let everything that reads a value read what it is the same as; whether that is possible."""
        reads = [read for _, read in self.reads() if read.value is old]
        if not all(_replaceable(read, new) for read in reads):
            return False
        for read in reads:
            if read.is_plain or new.value.span is None or new.reach == "at":
                read.value, read.reach, read.delay, read.at = new.value, new.reach, new.delay, new.at
                read.before, read.after, read.padded = list(new.before), list(new.after), new.padded
            else:
                read.value = new.value
        if new.value.operation not in ("constant", "input", "parameter"):
            new.value.name = new.value.name or old.name
            new.value.hint = new.value.hint or old.hint
        return True

    def hoist(self, value: Value) -> bool:
        """Take a value that is the same at all steps out of its loop; whether that is possible."""
        reads = [read for _, read in self.reads() if read.value is value]
        if any(read.before or read.after or read.padded or read.reach == "all" for read in reads):
            return False
        value.span = None
        for read in reads:
            read.reach, read.delay, read.at = "once", 0, None
        return True

    def prune(self) -> None:
        """Drop what leads to no result, and put what is read before what reads it, as far as that is possible."""
        found: dict[Value, None] = {}
        pending = [(read.value, False) for read in reversed(self.results())]
        seen: set[Value] = set()
        while pending:
            value, is_done = pending.pop()
            if is_done:
                found[value] = None
            elif value not in seen:
                seen.add(value)
                pending.append((value, True))
                pending += [(r.value, False) for operand in reversed(value.reads) for r in operand.within()]
        self.values = list(found)

    def __str__(self) -> str:
        return "\n".join(map(repr, self.values))


def _replaceable(read: Read, new: Read) -> bool:
    """Whether a read of one value can be another read, which is what that value is."""
    if read.is_plain or (new.is_plain and new.value.span is not None):
        return True
    return (new.value.span is None or new.reach == "at") and not (
        read.before or read.after or read.padded or read.reach == "all"
    )


def cycles(values: Sequence[Value]) -> list[list[Value]]:
    """What can only be computed step by step: the values on a common cycle of reads (Tarjan 1972)."""
    order: dict[Value, int] = {}
    low: dict[Value, int] = {}
    stack: list[Value] = []
    on_stack: set[Value] = set()
    found: list[list[Value]] = []
    for root in values:
        work = [] if root in order else [(root, iter(_sources(root)))]
        while work:
            value, sources = work[-1]
            if value not in order:
                order[value] = low[value] = len(order)
                stack.append(value)
                on_stack.add(value)
            for source in sources:
                if source not in order:
                    work.append((source, iter(_sources(source))))
                    break
                if source in on_stack:
                    low[value] = min(low[value], low[source])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[value])
                if low[value] == order[value]:
                    start = stack.index(value)
                    cycle = stack[start:]
                    del stack[start:]
                    on_stack.difference_update(cycle)
                    if len(cycle) > 1 or value in _sources(value):
                        found.append(cycle)
    return found


def _sources(value: Value) -> list[Value]:
    return [read.value for operand in value.reads for read in operand.within()]
