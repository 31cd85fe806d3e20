"""Run a function once and keep what happened: the record that diagrams, equations and replays are read from.

graph = tg.record(model, x, y)
print(graph)                     # a table, a line for each operation that ran
graph.replay(x2, y2)             # the same operations on other inputs, without the model's code
graph.backward()                 # the record of the backward pass as well
"""

from __future__ import annotations

import gc
import inspect
import re
from collections.abc import Callable, Collection, Hashable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from itertools import count
from typing import Any

import numpy as np

from ..autodiff.errors import GradientError
from ..autodiff.mode import mode
from ..autodiff.nests import flatten, flatten_with_paths, rebuild
from ..autodiff.reverse import Gradients, Node, ancestors, fitted
from ..autodiff.tensor import Tensor, differentiate, seed
from ..nn.modules import Parameter, called
from .circuit import Circuit
from .data import given, with_data, with_the_same_data
from .fold import fold
from .holders import split
from .reading import Reading
from .recorder import Recorder, Step

Arguments = tuple[tuple[Any, ...], dict[str, Any]]
"""Of a call: those given by position, and those given by name."""


class Graph:
    """What ran, in order: `steps`; and which of them are `inputs`, `parameters` and `outputs`.

    The inputs are the arguments, then the results of earlier computations that the function captured.

    arguments  of the recorded call: those given by position, and those given by name
    gradients  of both passes: for each step that has one, the step that is its complete gradient
    forward    of both passes: the graph of the forward pass alone
    read_by_python
               where the code took numbers out of tensors: what it did with them is not in the graph
    """

    def __init__(self, recorder: Recorder, arguments: Arguments, returned: Any):
        self.forward: Graph | None = None
        self.steps: list[Step] = recorder.steps
        self.arguments = arguments
        self.returned = returned
        self.outputs = [recorder.step_of(t) for t in flatten(returned) if isinstance(t, Tensor)]
        self.gradients: dict[Step, Step] = {}
        self.read_by_python = recorder.read_by_python
        self._recorder: Recorder | None = recorder

    @property
    def inputs(self) -> list[Step]:
        return [s for s in self.steps if s.kind == "input"]

    @property
    def parameters(self) -> list[Step]:
        return [s for s in self.steps if s.kind == "parameter"]

    def __len__(self) -> int:
        return len(self.steps)

    def replay(self, *args: Any, **kwargs: Any) -> Any:
        """Recompute the outputs from other inputs, by the operations that ran and in their order.

        The arguments are as in the call that was recorded, arrays of the same shapes and dtypes; what the run took
        from elsewhere (parameters, constants) keeps its recorded value. Returns what the function returned.
        Raises ValueError if the arguments differ in more than their numbers.
        """
        arrays = _matching(self.arguments, (args, kwargs))
        values = dict(zip(self.steps, arrays, strict=False))  # the arguments are the first steps
        for step in self.steps:
            if step.operation is not None:
                arrays = [values[x] for x in step.inputs]
                values[step] = np.asarray(step.operation.forward(*arrays, **step.attributes))
            elif step not in values:
                values[step] = step.value
        outputs = iter(self.outputs)
        return rebuild(self.returned, lambda t: Tensor(values[next(outputs)]) if isinstance(t, Tensor) else t)

    def backward(self, gradient: Any = None) -> Graph:
        """Record the backward pass too: the graph of both passes; it returns the parameters' gradients by their path.

        Each step of the backward pass belongs to the forward step whose rule made it. Raises GradientError if the
        run did not return one tensor that needs a gradient.
        """
        outputs = [t for t in flatten(self.returned) if isinstance(t, Tensor)]
        if len(outputs) != 1 or not outputs[0].requires_grad:
            what = "one that needs none" if len(outputs) == 1 else f"{len(outputs)} tensors"
            what = what if outputs else _kind(self.returned)
            need = "the function must return one tensor that needs a gradient, a loss"
            raise GradientError(f"graph.backward: {need}, not {what}")
        loss = outputs[0]
        assert self._recorder is not None  # only gradients are without it
        recorder = self._recorder.continued()
        start = seed(loss, gradient)
        assert loss.node is not None
        ends = set(recorder.outside())
        nodes = ancestors(loss.node, ends)
        told = _Told(recorder, nodes, ends)
        with mode(gradients=False, recorder=recorder), _nothing_is_garbage():
            differentiate(nodes, start, told.arrive, gradients=told)
        with_the_same_data(recorder.steps[len(self.steps) :])
        gradients = told.complete
        returned: dict[str, Tensor] = {}
        for step, g in gradients.items():
            if step.operation is None:
                returned[_unused(step.path or step.kind, returned)] = Tensor.result(g.value)
        both = Graph(recorder, self.arguments, returned)
        both.gradients, both.forward, both._recorder = gradients, self, None  # what it knows of arrays is not small
        return both

    def fold(self, by: Callable[[Step], Hashable] | None = None) -> Circuit:
        """The circuit that ran: one component for each place in the code. Raises FoldError where there is none.

        by  a further key for operations: steps of one place are one component only if it is equal for them. With
            ``by=lambda step: step.index`` each step is a component: nothing is folded.
        """
        return self._circuit if by is None else self._folded(by)

    @cached_property
    def _circuit(self) -> Circuit:
        return self._folded(None)

    def _folded(self, by: Callable[[Step], Hashable] | None) -> Circuit:
        with _nothing_is_garbage():
            return fold(self.steps, self.outputs, by)

    @cached_property
    def reading(self) -> Reading:
        """What the circuit is about: variables and their names, weights, running sums. Raises FoldError without one."""
        return self.read(self.fold())

    def read(self, circuit: Circuit) -> Reading:
        """The same of another circuit of this run: along one loop, where not every step is a visit."""
        loss = next(iter(self.gradients), None)
        if loss is None:
            return Reading(circuit, circuit.outputs)
        images = zip(self.fold().components, circuit.components, strict=False)
        found = [c for c in circuit.components if c.operation is loss.operation and loss in c.visits]
        return Reading(circuit, found or [image for c, image in images if loss in c.visits])

    def __str__(self) -> str:
        return "\n".join(_table(self.steps))


def record(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Graph:
    """Run ``function(*args, **kwargs)`` once and return the Graph of what ran.

    Arrays among the arguments (also inside tuples, lists and dicts) are the graph's inputs, a `tg.Parameter` is one of
    its parameters; numbers and everything else are part of the recorded program. Operations must run in this thread:
    those of others are not recorded. Raises ValueError if no operation ran. If the function raises, the error is raised
    as it is, with the steps until then as its attribute ``graph``; if an operation raised, that is the last of them, of
    kind "failed".
    """
    if not callable(function):
        raise TypeError(f"record takes a function and its arguments, tg.record(model, x), not {_kind(function)}")
    arguments = rebuild((args, kwargs), lambda a: Tensor(a) if isinstance(a, np.ndarray) else a)
    recorder = Recorder(function)
    for path, a in zip(_argument_paths(function, arguments), flatten(arguments), strict=True):
        if isinstance(a, Tensor):
            owner, name = split(path)
            recorder.enter(a, "parameter" if isinstance(a, Parameter) else "input", name).module = owner
    with mode(recorder=recorder), recorder.iterations:
        try:
            returned = function(*map(given, arguments[0]), **{name: given(a) for name, a in arguments[1].items()})
        except Exception as error:
            recorder.finish(raised=True)
            error.graph = Graph(recorder, arguments, ())  # type: ignore[attr-defined]
            raise
    recorder.finish()
    recorder.steps = with_data(recorder.steps)
    graph = Graph(recorder, arguments, returned)
    if not graph.outputs and not any(step.kind == "operation" for step in graph.steps):
        raise ValueError(f"record: no operation of tinygrad_rnn ran; the function returned {_kind(returned)}")
    return graph


class _Told(Gradients):
    """Gradients whose recorder is told for which derivative rule, and for which sum, each operation runs.

    complete  for each step that has one, the step that is its complete gradient
    """

    def __init__(self, recorder: Recorder, nodes: Collection[Node], ends: Collection[Node]):
        super().__init__()
        self.recorder, self.reached, self.ends = recorder, set(nodes), ends
        self.complete: dict[Step, Step] = {}

    def arrive(self, y: Node, g: Any) -> Any:
        self.complete[self.recorder.step_of_node(y)] = self.recorder.step_of(g)
        rules = y.rules or [True] * len(y.inputs)  # a joint rule gives a gradient for every input
        self.y, self.slots = y, [i for i, x in enumerate(y.inputs) if x in self.reached and rules[i] is not None]
        self._begin()
        return None if y in self.ends else g

    def add(self, x: Node, d: Any) -> None:
        d = fitted(d, x)  # as a part of the rule
        self.recorder.begin_sum(x, self.y, self.slots.pop(0))
        super().add(x, d)
        self._begin()

    def _begin(self) -> None:
        if self.slots:
            self.recorder.begin_rule(self.y, self.slots[0])


@contextmanager
def _nothing_is_garbage() -> Iterator[None]:
    """Keep Python from looking for garbage among many new objects that all stay: it takes up to a third of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _unused(path: str, taken: Collection[str]) -> str:
    """The path, with a number behind it if it is taken."""
    numbered = (f"{path}_{n}" for n in count(2))
    return path if path not in taken else next(p for p in numbered if p not in taken)


def _argument_paths(function: Callable[..., Any], arguments: Arguments) -> list[str]:
    """A path for each leaf of the arguments, ``params.W``: the signature's name, and the place inside a nest."""
    args, kwargs = arguments
    try:
        signature = inspect.signature(called(function))
    except ValueError:  # a builtin without a signature
        named = {f"input.{i}": argument for i, argument in enumerate(args)}
    else:
        try:
            signature.bind(*args, **kwargs)
        except TypeError as error:
            what = getattr(function, "__name__", type(function).__name__)
            raise TypeError(f"record: {what}{signature}: {error}") from None
        named = signature.bind_partial(*args).arguments
    paths = [path for name, value in (*named.items(), *kwargs.items()) for path, _ in flatten_with_paths(value, name)]
    return [".".join(re.findall(r"[^\[\].'\"]+", path)) for path in paths]


def _kind(value: Any) -> str:
    """``a torch.Tensor``: the type of a value, with the library that it is from."""
    if value is None:
        return "None"
    package, name = type(value).__module__.partition(".")[0], type(value).__qualname__
    name = name if package in ("builtins", "__main__") else f"{package}.{name}"
    return f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}"


def _matching(recorded: Arguments, given: Arguments) -> list[np.ndarray]:
    """The arrays among `given`, which must be like `recorded` in all but their numbers."""
    known, new = ([leaf for part in parts for leaf in flatten_with_paths(part)] for parts in (recorded, given))
    if [path for path, _ in known] != [path for path, _ in new]:
        raise ValueError(f"replay: recorded with {len(known)} arguments, given {len(new)}")
    arrays = []
    for (path, old), (_, value) in zip(known, new, strict=True):
        if not isinstance(old, Tensor):
            if value is not old and value != old:
                raise ValueError(f"replay: {path} was {old!r} when recorded, which is part of the graph, not {value!r}")
            continue
        array = value.data if isinstance(value, Tensor) else np.asarray(value)
        if (array.shape, array.dtype) != (old.shape, old.dtype):
            raise ValueError(
                f"replay: argument {path} was recorded as {old.dtype} {old.shape}, not {array.dtype} {array.shape}"
            )
        arrays.append(array)
    return arrays


def _table(steps: Sequence[Step]) -> Iterator[str]:
    """One line a step: number, name, what it is, shape, where."""
    rows = [("step", "name", "is", "shape", "module", "at")]
    for step in steps:
        shape = "×".join(map(str, step.shape)) or "1"
        rows.append((str(step.index), step.name or "", _expression(step), shape, step.module, _where(step)))
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _expression(step: Step) -> str:
    if step.operation is None:
        return step.kind
    operands = [_operand(x) for x in step.inputs]
    glyph = step.operation.glyph
    if len(operands) == 2 and not glyph.isidentifier():
        return f" {glyph} ".join(operands)
    return f"{glyph}({', '.join(operands + [f'{k}={v}' for k, v in step.attributes.items()])})"


def _operand(step: Step) -> str:
    if step.kind == "constant" and not step.name:
        return step.label
    return f"{step.name or ''}#{step.index}"


def _where(step: Step) -> str:
    if step.forward is None:
        return str(step.site.in_user_code()) if step.site else ""
    what = "sum of gradients" if step.slot is None else f"rule {step.slot}"
    return f"{what} of #{step.forward.index}"
