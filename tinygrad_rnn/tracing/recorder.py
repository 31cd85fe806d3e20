"""What is noted while a function runs: each operation, its inputs, and where in the code it happened."""

from __future__ import annotations

import linecache
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import CodeType, FrameType, FunctionType, MethodType
from typing import Any

import numpy as np

from ..autodiff import numpy_protocol
from ..autodiff.errors import complaint
from ..autodiff.operation import Operation
from ..autodiff.operations import methods
from ..autodiff.reverse import Node, next_number
from ..autodiff.sites import here, instruction_at, is_engine
from ..autodiff.tensor import Tensor
from ..nn.identity import IdentityKey
from ..nn.modules import Module
from . import naming
from .holders import Holders, split, variable
from .loops import Iterations, Span, alike, loops_of
from .naming import Loop, Site


@dataclass(eq=False, slots=True)
class Step:
    """One thing that happened in a run: an operation, or the entry of an input, a parameter or a constant.

    index      its number in the order of execution
    kind       "operation", "input", "parameter" or "constant"; "failed" for an operation that raised
    inputs     the steps whose values it used
    value      the array it gave; None if it failed
    given      the name it was given; without one it is called by what the code does with it
    module     path of the module it ran in, ``encoder.cell``; "" outside of any and in the outermost one
    site       where in the code, with the calls that led there
    iterations of each of the site's loops: how often it had begun again
    visit      how many times this module path, site and operation had run before; in the backward pass, `forward`'s
    forward    for a step of the backward pass: the step whose derivative rule made it
    slot       … and the input that the rule is for; None for a sum of gradients, which belongs to `forward`'s value
    part       which of the operations of that rule it is, from 0
    giver      for a sum of gradients: the step and the input whose rule gave the gradient that is added
    """

    index: int
    kind: str
    value: Any
    operation: Operation | None = None
    inputs: tuple[Step, ...] = ()
    attributes: dict[str, Any] = field(default_factory=dict)
    given: str | None = None
    module: str = ""
    site: Any = None
    iterations: tuple[int, ...] = ()
    visit: int = 0
    forward: Step | None = None
    slot: int | None = None
    part: int = 0
    giver: tuple[Step, int] | None = None

    @property
    def name(self) -> str | None:
        """What it is called, ``h``. Looked up in the code when asked for: that takes longer than recording the step."""
        if self.given is None and self.kind == "operation" and self.forward is None and self.site is not None:
            return naming.name_of(self.site, self.visit)
        return self.given

    @property
    def shape(self) -> tuple[int, ...]:
        return np.shape(self.value)

    @property
    def path(self) -> str:
        """Its name with the module it belongs to: ``encoder.cell.W``."""
        return f"{self.module}.{self.name}" if self.module else self.name or ""

    @property
    def label(self) -> str:
        """Its name; without one the operation's glyph, or the value of a constant."""
        if self.name:
            return self.name
        if self.operation is not None:
            return self.operation.glyph
        return f"{np.asarray(self.value).item():g}" if np.size(self.value) == 1 else self.kind

    def __repr__(self) -> str:
        return f"<{self.index}: {self.label} {self.shape}>"


class Recorder:
    """Receives every operation while recording is on, from the engine's one place where operations run."""

    def __init__(self, function: Callable[..., Any]):
        self.steps: list[Step] = []
        self.function = function
        self._start = next_number()
        self._of_array: dict[IdentityKey[np.ndarray], Step] = {}
        self._of_memory: dict[Any, Step] = {}
        self._of_node: dict[Node, Step] = {}
        self._visits: defaultdict[Any, int] = defaultdict(int)
        self.iterations = Iterations()
        self._calls: dict[FrameType, _Call] = {}
        self._loops: dict[tuple[Site | None, IdentityKey[CodeType], Span | None], Loop] = {}
        self._entries: defaultdict[tuple[Site | None, IdentityKey[CodeType], tuple[int, ...]], int] = defaultdict(int)
        self._sites: defaultdict[tuple[Site | None, IdentityKey[CodeType]], dict[int, Site]] = defaultdict(dict)
        self._elements: defaultdict[str, list[tuple[Step, str | None]]] = defaultdict(list)
        self._paths: dict[tuple[str, IdentityKey[Module | None], IdentityKey[Module]], str] = {}
        self._roots: dict[IdentityKey[Module], str] = {}
        self._holders = Holders(getattr(function, "__self__", function))
        self._rule: tuple[Step, int | None, tuple[Step, int] | None] | None = None
        self._rule_steps = 0
        self._failed: Step | None = None
        self.read_by_python: list[str] = []

    # -- what the engine calls -------------------------------------------------------------------------

    def add(self, out: Tensor, operation: Operation, inputs: Sequence[Any], attributes: dict[str, Any]) -> None:
        self.iterations.pause()
        try:
            step = self._operation("operation", out.data, operation, inputs, attributes)
            self.steps.append(step)
            self._of_array[IdentityKey(out.data)] = step
            if out.node is not None:
                self._of_node[out.node] = step
        finally:
            self.iterations.resume()

    def fail(self, operation: Operation, inputs: Sequence[Any], attributes: dict[str, Any]) -> None:
        """An operation raised: should that end the run, it is the last step."""
        self._failed = self._operation("failed", None, operation, inputs, attributes)

    def _operation(
        self, kind: str, value: Any, operation: Operation, inputs: Sequence[Any], attributes: dict[str, Any]
    ) -> Step:
        frame = None if self._rule else _outside_engine(sys._getframe(2))
        sources = []
        for x in inputs:
            node, array = (x.node, x.data) if isinstance(x, Tensor) else (None, x)
            source = self._of_array.get(IdentityKey(array)) if node is None else self._of_node.get(node)
            sources.append(source or self._outsider(x, frame))
        step = Step(len(self.steps), kind, value, operation, tuple(sources), attributes)
        if self._rule is not None:
            forward, step.slot, step.giver = self._rule
            step.forward, step.part = forward, self._rule_steps
            step.module, step.site, step.visit = forward.module, forward.site, forward.visit
            step.iterations = forward.iterations
            self._rule_steps += 1
            return step
        if frame is not None:
            call = self._calls.get(frame) or self._call(frame)
            step.module, step.site = call.path, self._site(call, frame)
            step.iterations = self._iterations(call, frame)
        place = step.module, step.site, operation.name
        step.visit = self._visits[place]
        self._visits[place] += 1
        return step

    def begin_rule(self, node: Node, slot: int) -> None:
        """From here on steps belong to the derivative rule of `node` for input `slot`."""
        self._rule = self.step_of_node(node), slot, None
        self._rule_steps = 0

    def begin_sum(self, node: Node, giver: Node, slot: int) -> None:
        """The next step adds the gradient that the rule of `giver` for its input `slot` gave to that of `node`."""
        self._rule = self.step_of_node(node), None, (self.step_of_node(giver), slot)
        self._rule_steps = 0

    def rename(self, tensor: Tensor, name: str) -> None:
        self.step_of(tensor).given = name

    def reads_numbers(self, tensor: Tensor) -> None:
        """Python takes the numbers of a tensor, for an `if` say: what it does with them is not recorded."""
        self.read_by_python.append(here())

    # -- looking up ------------------------------------------------------------------------------------

    def enter(self, x: Any, kind: str, name: str | None = None) -> Step:
        """A step for something that was not computed in this run: a tensor, an array or a number."""
        value, name = (x.data, x.name or name) if isinstance(x, Tensor) else (x, name)
        step = Step(len(self.steps), kind, value, given=name)
        self.steps.append(step)
        if isinstance(value, np.ndarray):
            self._of_array[IdentityKey(value)] = self._of_memory[_memory(value)] = step
        if isinstance(x, Tensor) and x.node is not None:
            self._of_node[x.node] = step
        return step

    def step_of(self, tensor: Tensor) -> Step:
        known = self._of_array.get(IdentityKey(tensor.data))
        return known or self._enter_from_outside(tensor)

    def step_of_node(self, node: Node) -> Step:
        return self._of_node[node]

    def outside(self) -> list[Node]:
        """The nodes of what was not computed in this run."""
        return [node for node, step in self._of_node.items() if step.operation is None]

    def continued(self) -> Recorder:
        """Another recorder that goes on where this one stopped."""
        other = Recorder(self.function)
        other.steps = list(self.steps)
        other._of_array, other._of_memory = dict(self._of_array), dict(self._of_memory)
        other._of_node = dict(self._of_node)
        return other

    def finish(self, raised: bool = False) -> None:
        """Let go of the run's frames. A run that raised ends in the failed step."""
        if raised and self._failed is not None and self._failed.index == len(self.steps):
            self.steps.append(self._failed)
        self._name_elements()
        self._calls.clear()

    def _outsider(self, x: Any, frame: FrameType | None) -> Step:
        """A step for a value from outside the run, where it is first used. A view of all of an array is that array."""
        if not isinstance(x, (Tensor, np.ndarray)):  # a Python number stays one: NumPy's promotion depends on it
            return self.enter(x if isinstance(x, (bool, int, float)) else np.asarray(x), "constant")
        if isinstance(x, Tensor) and x.node is not None:
            known = self._of_array.get(IdentityKey(x.data))
            if known is None or known.kind == "parameter":  # two parameters may share an array
                return self._named(self._enter_from_outside(x), x, frame)
            self._of_node[x.node] = known  # a value of this run, detached and made a leaf again
            return known
        known = self._of_memory.get(_memory(x.data if isinstance(x, Tensor) else x))
        return known or self._named(self.enter(x, "constant"), x, frame)

    def _enter_from_outside(self, x: Tensor) -> Step:
        """A step for a tensor that this run did not compute."""
        if x.node is None:
            return self.enter(x, "constant")
        if x.is_leaf:
            return self.enter(x, "parameter")
        if x.node.order > self._start:
            where = "it ran in another thread, or in a record within this one"
            raise complaint(RuntimeError, f"record: {x.node.operation.name} was not recorded: {where}")
        return self.enter(x, "input")  # a result of an earlier computation, as in truncated BPTT

    # -- where in the code -----------------------------------------------------------------------------

    def _call(self, frame: FrameType) -> _Call:
        """The call that a frame is. It holds as long as the function runs, so it is looked at once."""
        pending = []
        known = self._calls.get(frame)
        while known is None:
            pending.append(frame)
            above = _outside_engine(frame.f_back)
            if above is None:
                known = _Call(None, None, None, "", {})
            else:
                frame = above
                known = self._calls.get(frame)
        for inner in reversed(pending):
            known = self._calls[inner] = self._entered(inner, known, None if frame is inner else frame)
            frame = inner
        return known

    def _site(self, call: _Call, frame: FrameType) -> Site:
        """Where in the code a frame is, which is that of `call`."""
        site = call.sites.get(frame.f_lasti)
        if site is None:
            linecache.lazycache(frame.f_code.co_filename, frame.f_globals)  # a module in a zip brings its own loader
            start = instruction_at(frame.f_code, frame.f_lasti)
            start = alike(frame.f_code).get(start, start)
            site = call.sites.get(start)
            if site is None:
                loops = tuple(self._loop(call.caller, frame.f_code, span) for span in call.spans.get(start, ()))
                site = call.sites[start] = Site(call.caller, frame.f_code, start, call.loops + loops)
            call.sites[frame.f_lasti] = site
        return site

    def _loop(self, caller: Site | None, code: CodeType, span: Span | None) -> Loop:
        """A loop of a function, or (without a span) that function if it is called again and again."""
        place = caller, IdentityKey(code), span
        if place not in self._loops:
            self._loops[place] = Loop(Site(caller, code, span.start if span else 0))
        return self._loops[place]

    def _iterations(self, call: _Call, frame: FrameType) -> tuple[int, ...]:
        spans = call.spans.get(frame.f_lasti)
        return call.iterations + self.iterations.at(frame, spans) if spans else call.iterations

    def _entered(self, frame: FrameType, outer: _Call, above: FrameType | None) -> _Call:
        """A call from the frame `above`, and the module it entered: the one that is its function's first argument.

        A function that calls itself is a loop, like one that is called again and again from one place.
        """
        code = frame.f_code
        site = self._site(outer, above) if above else None
        iterations = self._iterations(outer, above) if above else ()
        variables = frame.f_locals if code.co_freevars or code.co_argcount else {}
        free = [variables.get(name) for name in code.co_freevars]
        wrapped = tuple([value for value in free if isinstance(value, (FunctionType, MethodType))]) if free else ()
        itself = outer.within(code, wrapped)
        if itself is not None:
            itself.loops[-1].calls_itself = site
            site, iterations = itself.caller, itself.iterations[:-1]
        place = site, IdentityKey(code)
        number = self._entries[*place, iterations]
        self._entries[*place, iterations] += 1
        call = _Call(site, code, outer.module, outer.path, self._sites[place], outer, wrapped)
        call.loops = (*(site.loops if site else ()), self._loop(site, code, None))
        call.iterations = (*iterations, number)
        call.spans = loops_of(code)
        module = variables.get(code.co_varnames[0]) if code.co_argcount else None
        if isinstance(module, Module) and module is not outer.module:
            way = outer.path, IdentityKey(outer.module), IdentityKey(module)
            if way not in self._paths:
                self._paths[way] = self._path(module, outer, frame)
            call.module, call.path = module, self._paths[way]
        return call

    def _path(self, module: Module, outer: _Call, frame: FrameType) -> str:
        around: _Call | None = outer
        while around is not None:
            if around.module is not None:
                for path, inner in around.module.named_modules():
                    if inner is module:
                        return f"{around.path}.{path}" if around.path and path else around.path or path
            around = around.outer
        if any(module is root for root in (self.function, getattr(self.function, "__self__", None))):
            return ""
        root = IdentityKey(module)
        if root not in self._roots:
            path = self._holders.path(module, _frames(frame.f_back)) or type(module).__name__
            taken = path in self._roots.values()
            self._roots[root] = f"{path}{len(self._roots) + 1}" if taken else path
        return self._roots[root]

    def _named(self, step: Step, thing: Any, frame: FrameType | None) -> Step:
        """Name what came from outside by what holds it: first the modules that run, then all variables."""
        frames = _frames(frame)
        path = self._attribute(thing, frame) or self._holders.path(thing, frames, of_data=step.kind == "constant")
        if path is not None:
            step.module, name = split(path)
            holder, _, last = path.rpartition(".")
            if step.given is None and last.isdecimal():
                self._elements[holder].append((step, variable(thing, frames)))
            step.given = step.given or name
        return step

    def _name_elements(self) -> None:
        """Call the elements of a list by the variables that it is unpacked to, if each has one of its own."""
        for holder, elements in self._elements.items():
            names = Counter(name for _, name in elements)
            for step, name in elements:
                if name is not None and names[name] == 1:
                    step.module, step.given = holder, name

    def _attribute(self, thing: Any, frame: FrameType | None) -> str | None:
        """The path of a parameter of a module that runs."""
        call = None if frame is None or not isinstance(thing, Tensor) else self._call(frame)
        while call is not None:
            if call.module is not None:
                for path, parameter in call.module.named_parameters():
                    if parameter is thing:
                        return f"{call.path}.{path}" if call.path else path
            call = call.outer
        return None


@dataclass(slots=True, eq=False)
class _Call:
    """A function that runs.

    caller      where it was called; None for the recorded function
    code        of the function; None around the recorded function
    module      the module whose method it is, or in whose method it runs; and the `path` of that module
    sites       its places so far, by the number of the instruction; all calls of one function from one place share them
    outer       the call that it was called in
    wrapped     the functions among its free variables, by which the wrappers that one decorator makes differ
    loops       that it was called in; the last one counts the calls from the same place
    iterations  of these loops
    spans       the loops of its own around each of its instructions
    """

    caller: Site | None
    code: CodeType | None
    module: Module | None
    path: str
    sites: dict[int, Site]
    outer: _Call | None = None
    wrapped: tuple[Any, ...] = ()
    loops: tuple[Loop, ...] = ()
    iterations: tuple[int, ...] = ()
    spans: dict[int, tuple[Span, ...]] = field(default_factory=dict)

    def within(self, code: CodeType, wrapped: tuple[Any, ...]) -> _Call | None:
        """The outermost call of a function among this one and those around it."""
        found, call = None, self if not is_engine(code) else None
        while call is not None:
            if call.code is code and call.wrapped == wrapped:
                found = call
            call = call.outer
        return found


_ENGINE = frozenset((Tensor.__module__, Operation.__module__, methods.__name__, numpy_protocol.__name__, __name__))
_BOUNDARY = f"{__name__.rpartition('.')[0]}.record"


def _outside_engine(frame: FrameType | None) -> FrameType | None:
    """The innermost frame from here on that is not the engine's dispatch; None beyond the recorded function."""
    while frame is not None and frame.f_globals.get("__name__") in _ENGINE:
        frame = frame.f_back
    return None if frame is None or frame.f_globals.get("__name__") == _BOUNDARY else frame


def _memory(array: np.ndarray) -> tuple:
    """What two arrays have in common that are the same numbers in the same place."""
    return array.ctypes.data, array.shape, array.strides, array.dtype


def _frames(frame: FrameType | None) -> list[FrameType]:
    """The frames from here out to the recorded function's, the innermost first."""
    found = []
    while frame is not None and frame.f_globals.get("__name__") != _BOUNDARY:
        found.append(frame)
        frame = frame.f_back
    return found
