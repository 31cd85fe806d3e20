"""The gradients of a program, as further values of it: backpropagation through time, by the chain rule.

    gradient of the loss = 1
    for each value y, latest first:
        for each operand x that y reads:
            gradient of x, where it was read, += rule(gradient of y, y, operands)

The rule is the operation's own: it runs once, on tensors of one step of the run, and what it does is written down as
values at the step of y. Where y reads x d steps ago, x gets this d steps later: the read is turned round. A parameter
is read at every step, so its gradient is the total over all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heappop, heappush
from typing import Any

import numpy as np

from ..autodiff.mode import mode
from ..autodiff.operation import OPERATIONS
from ..autodiff.reverse import fitted
from ..autodiff.tensor import Tensor
from ..nn.identity import IdentityKey
from .lifting import refused
from .program import Edge, Program, Read, Span, Value, number, once


def differentiate(program: Program) -> None:
    """Add the gradients of the program's one output, a number, with respect to all parameters that it depends on."""
    program.gradients = _Adjoint(program).gradients()


class _Adjoint:
    def __init__(self, program: Program):
        self.program = program
        self.active = _active(program.values)
        self.index = {value: i for i, value in enumerate(program.values)}
        self.gradient: dict[Value, Value] = {}
        self.pending: list[int] = []

    def gradients(self) -> dict[Value, Read]:
        (loss,) = self.program.outputs
        forward = list(self.program.values)
        one = number(1.0, loss.value.dtype)
        self.program.add(one)
        self.give(loss, once(one), None)
        while self.pending:
            value = forward[-heappop(self.pending)]
            if value.operation != "parameter":
                self.propagate(value, self.gradient[value])
        return {value: once(d) for value, d in self.gradient.items() if value.operation == "parameter"}

    def of(self, value: Value) -> Value:
        """The gradient of a value: a sum, to which each reader adds a term."""
        if value not in self.gradient:
            name, hint = (f"d{called}" if called else "" for called in (value.name, value.hint))
            gradient = value.like("plus", [], attributes={}, name=name, hint=hint, rule_of=value)
            self.gradient[value] = self.program.add(gradient)
            heappush(self.pending, -self.index[value])
        return self.gradient[value]

    # -- from a value to its operands ----------------------------------------------------------------------------

    def propagate(self, y: Value, g: Value) -> None:
        """Give its operands what the gradient g of y comes to for them."""
        gradient = Read(g) if y.span else once(g)
        match y.operation:
            case "plus":
                for read in y.reads:
                    self.give(read, gradient, y.span)
            case "total":
                (read,) = y.reads
                assert y.over is not None
                spread = y.like("same", [once(g)], span=y.over, over=None, attributes={}, rule_of=y)
                self.give(read, Read(self.program.add(spread)), y.over)
            case "element":
                self.give_array(y, gradient)
            case "stacked" | "joined":
                self.give_steps(y, gradient)
            case _:
                for read, term in self.rule(y, gradient):
                    self.give(read, term, y.span)

    def give_array(self, y: Value, gradient: Read) -> None:
        """An array of which the elements are read one by one: its gradient has theirs as elements."""
        (read,) = y.reads
        parts = [part for i, part in enumerate(y.attributes["index"]) if i != y.attributes["axis"]]
        if y.attributes["axis"] or any((not isinstance(part, slice)) or part != slice(None) for part in parts):
            raise refused(y, "it needs the gradient of an array of which it reads parts along another axis")
        array = read.value.like("elements", [Read(gradient.value, "all")], attributes=y.attributes, rule_of=y)
        self.give(read, once(self.program.add(array)), None)

    def give_steps(self, y: Value, gradient: Read) -> None:
        """All steps of a loop, stacked: each gets its part of the gradient."""
        (read,) = y.reads
        if y.span is not None:
            gradient = once(self.total(gradient, y.span))
        operation = {"stacked": "unstacked", "joined": "unjoined"}[y.operation]
        steps = self.program.add(read.value.like(operation, [gradient], attributes=dict(y.attributes), rule_of=y))
        assert steps.span is not None
        self.give(Read(read.value), Read(steps), steps.span)

    # -- turning a read round ------------------------------------------------------------------------------------

    def give(self, read: Read, term: Read, span: Span | None) -> None:
        """Add a term, which is there at the steps of `span`, to the gradient of what is read there."""
        x = read.value
        if not any(r.value in self.active for r in read.within()):
            return
        if read.reach == "step" and span is not None:
            self.give_each_step(read, term, span)
            return
        if span is not None:
            term = once(self.total(term, span))
        if read.reach == "at":
            assert x.span is not None and read.at is not None
            there = Span(x.span.loop, read.at, read.at.moved(1))
            only = x.like("same", [term], attributes={}, span=there, rule_of=x)
            term = Read(self.program.add(only), padded=True)
        self.of(x).reads.append(term.copy())

    def give_each_step(self, read: Read, term: Read, span: Span) -> None:
        x = read.value
        assert x.span is not None
        if term.reach == "once":  # the same at every step
            term = Read(self.program.add(x.like("same", [term], attributes={}, span=span, rule_of=x)))
        if x in self.active:
            there = x.span.moved(read.delay)
            turned = Read(term.value, delay=-read.delay, padded=not span.covers(there))
            self.of(x).reads.append(turned)
        firsts = [(span.start.moved(k), r) for k, r in enumerate(read.before)]
        lasts = [(span.stop.moved(-1 - k), r) for k, r in enumerate(read.after)]
        for at, instead in firsts + lasts:
            self.give_instead(instead, Read(term.value, "at", at=at), at)

    def give_instead(self, read: Read, term: Read, at: Edge) -> None:
        """What served at one step in place of a step that was not there."""
        if read.value in self.active:
            if read.reach == "step":
                read = Read(read.value, "at", at=at.moved(-read.delay))
            served = term.value.like("same", [term], span=None, rule_of=read.value)
            self.give(read, once(self.program.add(served)), None)

    def total(self, term: Read, span: Span) -> Value:
        return self.program.add(term.value.like("total", [term], attributes={}, span=None, over=span))

    # -- the rules of operations ---------------------------------------------------------------------------------

    def rule(self, y: Value, gradient: Read) -> list[tuple[Read, Read]]:
        """For each operand that needs one: how y reads it, and the term of its gradient, at the step of y."""
        operation = OPERATIONS[y.operation]
        array, inputs = _sample(y)
        needs = [any(r.value in self.active for r in read.within()) for read in y.reads]
        listener = _Listener(self, y)
        g = listener.known(np.ones(y.shape, y.dtype), gradient)
        result = listener.known(array, Read(y) if y.span else once(y))
        operands = [
            listener.known(x, read) if needed or isinstance(x, np.ndarray) else x
            for x, read, needed in zip(inputs, y.reads, needs, strict=True)
        ]
        with mode(gradients=False, recorder=listener, anomaly=False), np.errstate(all="ignore"):
            if operation.joint is not None:
                found = iter(operation.joint(g, result, operands, needs, **y.attributes))
                terms = [next(found) if needed else None for needed in needs]
            else:
                rules: Sequence[Any] = operation.derivative or ()
                pairs = zip(rules, needs, strict=False)
                terms = [r(g, result, *operands, **y.attributes) if r and needed else None for r, needed in pairs]
            terms = [t if t is None else fitted(t, x) for t, x in zip(terms, operands, strict=False)]  # type: ignore[arg-type]
        return [(read, listener.read(t)) for read, t in zip(y.reads, terms, strict=False) if t is not None]


def _sample(y: Value) -> tuple[Any, list[Any]]:
    """What a value and its operands were at one step of the run; ones, for a linear operation that a pass has added."""
    if y.component is None:
        return np.ones(y.shape, y.dtype), [np.ones(read.value.shape, read.value.dtype) for read in y.reads]
    step = y.component.visits[len(y.component.visits) // 2]
    return step.value, [x.value for x in step.inputs]


class _Listener:
    """Writes down what a derivative rule does, as values at the step of what the rule belongs to."""

    def __init__(self, adjoint: _Adjoint, y: Value):
        self.adjoint, self.y = adjoint, y
        self.reads: dict[IdentityKey, Read] = {}

    def known(self, array: Any, read: Read) -> Tensor:
        tensor = Tensor(array)
        self.reads[IdentityKey(tensor)] = read
        return tensor

    def read(self, x: Any) -> Read:
        if (known := self.reads.get(IdentityKey(x))) is not None:
            return known.copy()
        array = x.data if isinstance(x, Tensor) else x
        dtype = np.asarray(array).dtype
        constant = Value("constant", constant=array, shape=np.shape(array), dtype=dtype, rule_of=self.y)
        return once(self.adjoint.program.add(constant))

    def add(self, out: Tensor, operation: Any, inputs: Sequence[Any], attributes: dict[str, Any]) -> None:
        value = Value(
            operation.name,
            [self.read(x) for x in inputs],
            dict(attributes),
            out.shape,
            out.dtype,
            self.y.span,
            rule_of=self.y,
        )
        self.adjoint.program.add(value)
        self.reads[IdentityKey(out)] = Read(value) if self.y.span else once(value)

    def fail(self, operation: Any, inputs: Any, attributes: Any) -> None:
        """An error in a rule is raised to the caller as it is."""

    def rename(self, tensor: Tensor, name: str) -> None:
        """Rules name nothing."""

    def reads_numbers(self, tensor: Tensor) -> None:
        raise refused(self.y, "its derivative depends on numbers that Python reads out of a tensor")


def _active(values: Sequence[Value]) -> set[Value]:
    """What depends on a parameter, and has a derivative."""
    readers: dict[Value, list[Value]] = {value: [] for value in values}
    for value in values:
        for operand in value.reads:
            for read in operand.within():
                readers[read.value].append(value)
    found = {value for value in values if value.operation == "parameter"}
    pending = list(found)
    for value in pending:  # grows while it is walked
        for reader in readers[value]:
            if reader not in found and _has_derivative(reader):
                found.add(reader)
                pending.append(reader)
    return found


def _has_derivative(value: Value) -> bool:
    operation = OPERATIONS.get(value.operation)
    return value.dtype.kind == "f" and (operation is None or operation.differentiable)
