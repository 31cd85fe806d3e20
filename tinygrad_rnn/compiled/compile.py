"""``tg.compile``: the NumPy program that a person would have written for a model, forward and backward.

    step = tg.compile(model, x, y)
    loss, gradients = step(x, y)         # with the parameters as they are now, for any T and B
    print(step.source, step.report)

It never guesses. When a program is made, its loss and gradients are compared with those of the engine, at the lengths
that it was made from and at the example's; and again at the first call with other lengths. What cannot be certain, a
number that Python reads out of a tensor, a random one, is refused with its line: `CompileError`.
"""

from __future__ import annotations

import builtins
import linecache
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import numpy as np

from ..autodiff.mode import mode
from ..autodiff.nests import flatten, rebuild
from ..autodiff.reverse import ancestors
from ..autodiff.tensor import Tensor, gradients
from ..nn.identity import IdentityKey
from ..tracing.circuit import FoldError
from ..tracing.record import Graph, record
from . import lengths
from .adjoint import differentiate
from .arrays import Arrays, Idle
from .emission import Source, path
from .held import held, unchanged
from .lifting import generalised, lifted, refused
from .passes import before_gradients, rewrite
from .program import CompileError, Program, Value
from .report import Report

TOLERANCE = {np.dtype(np.float64): 1e-10, np.dtype(np.float32): 1e-4}
"""How far a result may be from the engine's, relative to the largest number in it."""
_number = count(1).__next__


def compile(model: Callable[..., Any], *example: Any) -> Compiled:
    """A compiled step of a model: call it as the model, and it returns (loss, gradients by the parameter's path).

    A model that does not return one number with a gradient is compiled forward alone: then the step returns what the
    model does, as arrays. Arrays among the arguments may have other numbers at each call, and their axes of time and of
    the batch other lengths; anything else is a part of the program, and another one is compiled anew.

    Raises CompileError for a model that has no program that is certain.
    """
    return Compiled(model, example)


class Compiled:
    """A model with the programs that have been made for it, one for each kind of arguments."""

    def __init__(self, model: Callable[..., Any], example: tuple):
        self.model = model
        self.programs: list[_Compilation] = [_Compilation(model, example)]

    def __call__(self, *arguments: Any) -> Any:
        return self._of(arguments).run(arguments)

    def backward(self, *arguments: Any) -> Any:
        """The loss, after adding its gradients to the parameters' `.grad`."""
        made = self._of(arguments)
        loss, found = made.run(arguments)
        for name, tensor in made.parameters.items():
            if name in found:
                grad = Tensor(found[name])
                tensor.grad = grad if tensor.grad is None else tensor.grad + grad
        return loss

    @property
    def source(self) -> str:
        """The program that was made last, as text."""
        return self.programs[-1].source.text

    @property
    def report(self) -> Report:
        return self.programs[-1].report

    def __repr__(self) -> str:
        return str(self.report)

    def _of(self, arguments: tuple) -> _Compilation:
        now = held(self.model)
        self.programs = [made for made in self.programs if unchanged(made.held, now)]
        for made in self.programs:
            if made.serves(arguments):
                return made
        made = _Compilation(self.model, arguments)
        self.programs = [*self.programs, made]
        return made


class _Compilation:
    """One program of a model, for arguments that differ in nothing but their numbers and lengths."""

    def __init__(self, model: Callable[..., Any], example: tuple):
        self.model = model
        self.held = held(model)
        self.axes, trials, graphs = self._trials(example)
        sizes = [lengths.sizes_of(trial, self.axes) or {} for trial in trials]
        self.returned = graphs[0].returned
        self.has_loss = isinstance(self.returned, Tensor) and self.returned.requires_grad and not self.returned.shape
        self.program = generalised([self._lifted(*run) for run in zip(graphs, trials, strict=True)], sizes)
        self._whole = [read.reach == "all" for read in self.program.outputs]
        rewrite(self.program)
        tensors = [thing for thing, _ in self.held if isinstance(thing, Tensor)]
        self.parameters = _parameters(self.program, graphs[0], tensors)
        given = [x for _, x in lengths.leaves(example)]
        for value in self.program.values:
            if value.operation == "input" and not lengths.is_data(given[value.attributes["place"][0]]):
                raise CompileError(
                    f"not compiled: {value.name} is a parameter: let the model hold it, not its arguments"
                )
        self.source = Source(self.program, self._letters())
        self._of_tensor = {
            name: tensor for name, array in self.source.captured.items() for tensor in tensors if tensor.data is array
        }
        self.function = self._made()
        self.report = Report(self.source)
        self._kind = lengths.signature(example, self.axes)
        self._trusted: set[tuple] = set()
        self._sizes: dict[str, int] | None = None
        self._idle: Idle = {}
        for arguments in (*trials, example):
            self.run(arguments)
        self._check_elsewhere(trials[0])

    def _trials(self, example: tuple) -> tuple[dict[str, lengths.Axes], list[tuple], list[Graph]]:
        """The axes that may have other lengths, arguments at three of them, and their records."""
        errors: list[Exception] = []
        for axes in self._candidates(example):
            try:
                trials = [lengths.resized(example, axes, sizes) for sizes in lengths.trials(axes)]
                graphs = [_recorded(self.model, trial) for trial in trials]
                generalised(
                    [lifted(g, t) for g, t in zip(graphs, trials, strict=True)],
                    [lengths.sizes_of(t, axes) or {} for t in trials],
                )
                return axes, trials, graphs
            except Exception as error:  # the model does not run with these lengths, or does something else
                errors.append(error)
        own = [error for error in errors if isinstance(error, CompileError)]  # the last ones are of the example itself
        raise own[-1] if own else CompileError(f"not compiled: {errors[-1]}")

    def _candidates(self, example: tuple) -> Iterator[dict[str, lengths.Axes]]:
        """Axes that may vary: as a short run shows them or, if the model does not run so, that of the example."""
        short = lengths.shortened(example)
        try:
            graph = _recorded(self.model, short)
        except Exception:
            graph, short = _recorded(self.model, example), example
        yield from lengths.candidates(graph, short)

    def _lifted(self, graph: Graph, arguments: tuple) -> Program:
        program = lifted(graph, arguments)
        before_gradients(program)
        if self.has_loss:
            differentiate(program)
        return program

    def _letters(self) -> dict[str, tuple[Value, int]]:
        """Where the source gets the length of each letter from."""
        inputs = {v.attributes["place"][0]: v for v in self.program.values if v.operation == "input"}
        places = {
            letter: [(leaf, axis) for leaf, axis in found if leaf in inputs] for letter, found in self.axes.items()
        }
        return {letter: (inputs[found[0][0]], found[0][1]) for letter, found in places.items() if found}

    def _made(self) -> Callable[..., Any]:
        file = f"<compiled {_number()}>"
        text = self.source.text.replace("np.empty(", "empty(").replace("def step(", "def step(empty, ")
        linecache.cache[file] = len(text), None, text.splitlines(keepends=True), file
        scope: dict[str, Any] = {}
        exec(builtins.compile(text, file, "exec"), scope)
        function: Callable[..., Any] = scope["step"]
        return function

    # -- calls -----------------------------------------------------------------------------------------------------

    def _check_elsewhere(self, arguments: tuple) -> None:
        """Compare the results with other weights too: where some are 0, as biases are at first, much is 0 = 0."""
        rng = np.random.default_rng(0)
        before = {name: tensor.data for name, tensor in self.parameters.items()}
        try:
            for name, array in before.items():
                noise = rng.normal(size=array.shape) * (0.1 * float(np.abs(array).mean()) or 0.1)
                self.parameters[name].data = (array + noise).astype(array.dtype)
            self._compare(self._computed(arguments), self._eager(arguments))
        finally:
            for name, array in before.items():
                self.parameters[name].data = array

    def serves(self, arguments: tuple) -> bool:
        return lengths.signature(arguments, self.axes) == self._kind

    def run(self, arguments: tuple) -> Any:
        """What the program computes; compared with the engine's results at the first call with these lengths."""
        lengths_now = lengths.sizes_of(arguments, self.axes)
        if lengths_now is None:
            self.model(*arguments)  # if that is an error of the model it says so better
            raise CompileError("not compiled: arguments that had one length when it was compiled have several")
        result, sizes = self._computed(arguments), tuple(lengths_now.values())
        if sizes not in self._trusted or not _is_finite(result):
            wanted = self._eager(arguments)
            if not (_is_finite(wanted) and _is_finite(result)):
                return wanted
            self._compare(result, wanted)
            self._trusted.add(sizes)
        return result

    def _computed(self, arguments: tuple) -> Any:
        found = [x for _, x in lengths.leaves(arguments)]
        arrays = [self.parameters[path(value)].data for value in self.source.parameters]
        for value in self.source.inputs:
            leaf, item = value.attributes["place"]
            arrays.append(lengths.array(found[leaf] if item is None else found[leaf].items[item]))
        fixed = self.source.captured | {name: tensor.data for name, tensor in self._of_tensor.items()}
        sizes = lengths.sizes_of(arguments, self.axes)
        if sizes != self._sizes:  # arrays are kept for the lengths of the last call alone
            self._sizes, self._idle = sizes, {}
        kept = Arrays(self._idle)
        try:
            with np.errstate(all="ignore"):
                result = rebuild(self.function(kept.empty, *arrays, **fixed), kept.own)
        except Exception as error:
            self.model(*arguments)  # if the arguments are wrong it says so better
            raise CompileError(f"not compiled: the program fails: {error}") from error
        finally:
            kept.give_back()
        return result if self.has_loss else lengths.returned_as(self.returned, result, self._whole)

    def _eager(self, arguments: tuple) -> Any:
        """The same by the engine."""
        with mode(gradients=True, recorder=None):
            returned = self.model(*arguments)
            if not self.has_loss:
                return rebuild(returned, lambda x: np.array(x.data) if isinstance(x, Tensor) else x)
            found = {path(value): self.parameters[path(value)] for value in self.program.gradients}
            ds = gradients(returned, [tensor.node for tensor in found.values() if tensor.node is not None])
        zeros = (np.zeros(tensor.shape, tensor.dtype) for tensor in found.values())
        arrays = [zero if d is None else np.array(d.data) for zero, d in zip(zeros, ds, strict=True)]
        return returned.data[()], dict(zip(found, arrays, strict=True))

    def _compare(self, result: Any, wanted: Any) -> None:
        """Raise CompileError unless these are the same, up to rounding."""
        if not (_is_finite(result) and _is_finite(wanted)):
            return
        largest = max([float(np.abs(b).max(initial=0)) for b in flatten(wanted)], default=0)
        for a, b in zip(flatten(result), flatten(wanted), strict=True):
            a, b = (np.asarray(array) + 0 for array in (a, b))  # booleans as numbers
            allowed = TOLERANCE.get(b.dtype, 0) * max(float(np.abs(b).max(initial=0)), 1e-6 * largest)
            if (a.shape, a.dtype) != (b.shape, b.dtype) or (b.size and not float(np.abs(a - b).max()) <= allowed):
                raise CompileError("not compiled: the program does not give the model's results")


def _recorded(model: Callable[..., Any], arguments: tuple) -> Graph:
    with mode(gradients=True):
        graph = record(model, *arguments)
    if graph.read_by_python:
        what = "Python reads a number out of a tensor, which may be another one next time"
        raise CompileError(f"not compiled: {graph.read_by_python[0]}: {what}")
    try:
        graph.fold()
    except FoldError as error:
        raise CompileError(f"not compiled: {error}") from None
    return graph


def _parameters(program: Program, graph: Graph, known: list[Tensor]) -> dict[str, Tensor]:
    """The parameters of a program by path: what the outputs were computed from, or what the model is known to hold."""
    nodes = [x.node for x in flatten(graph.returned) if isinstance(x, Tensor) and x.node is not None]
    leaves = {node for output in nodes for node in ancestors(output) if node.tensor is not None}
    tensors = [tensor for node in leaves if (tensor := node.tensor()) is not None]
    found = {}
    for value in program.values:
        if value.operation == "parameter" and value.component is not None:
            array = value.component.visits[0].value
            same = {IdentityKey(tensor): tensor for tensor in (*tensors, *known) if tensor.data is array}
            if len(same) != 1:
                raise refused(value.component, "it is not certain which parameter it is: two share one array")
            found[path(value)] = next(iter(same.values()))
    return found


def _is_finite(result: Any) -> bool:
    return all(np.isfinite(x).all() for x in flatten(result))
