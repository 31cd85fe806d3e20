"""What is noted while a function runs: each operation, its inputs, and where in the code it happened."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

import numpy as np

from . import naming
from .modules import Module
from .naming import Site
from .operation import Operation
from .sites import instruction_at
from .tensor import Node, Tensor


@dataclass(eq=False, slots=True)
class Step:
    """One thing that happened in a run: an operation, or the entry of an input, a parameter or a constant.

    index      its number in the order of execution
    kind       "operation", "input", "parameter" or "constant"
    inputs     the steps whose values it used
    value      the array it gave
    module     path of the module it ran in, ``encoder.cell``; "" outside of any and in the outermost one
    site       where in the code, with the calls that led there
    visit      how many times this module path, site and operation had run before
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
    name: str | None = None
    module: str = ""
    site: Any = None
    visit: int = 0
    forward: Step | None = None
    slot: int | None = None
    part: int = 0
    giver: tuple[Step, int] | None = None

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
        self._of_array: dict[int, Step] = {}
        self._of_node: dict[int, Step] = {}
        self._kept: list[Any] = []  # what the two dictionaries know by id must stay alive
        self._visits: defaultdict[Any, int] = defaultdict(int)
        self._calls: dict[FrameType, _Call] = {}
        self._sites: dict[Any, Site] = {}
        self._roots: dict[int, str] = {}
        self._rule: tuple[Step, int | None, tuple[Step, int] | None] | None = None
        self._rule_steps = 0

    # -- what the engine calls -------------------------------------------------------------------------

    def add(self, out: Tensor, operation: Operation, inputs: Sequence[Any], attributes: dict[str, Any]) -> None:
        frame = None if self._rule else _outside_engine(sys._getframe(2))
        known = self._of_array
        sources = []
        for x in inputs:
            source = known.get(id(x.data if isinstance(x, Tensor) else x))
            sources.append(self._outsider(x, frame) if source is None else source)
        step = Step(len(self.steps), "operation", out.data, operation, tuple(sources), attributes)
        if self._rule is not None:
            step.forward, step.slot, step.giver = self._rule
            step.module, step.site = step.forward.module, step.forward.site
            step.part = self._rule_steps
            self._rule_steps += 1
            key: Any = step.module, step.site, step.slot, step.part, operation.name, step.forward.operation
        else:
            if frame is not None:
                call = self._calls.get(frame) or self._call(frame)
                step.module, step.site = call.path, self._site(call.caller, frame)
            key = step.module, step.site, operation.name
        step.visit = self._visits[key]
        self._visits[key] += 1
        self._append(step, out)

    def begin_rule(self, node: Node, slot: int) -> None:
        """From here on steps belong to the derivative rule of `node` for input `slot`."""
        self._rule = self.step_of_node(node), slot, None
        self._rule_steps = 0

    def begin_sum(self, node: Node, giver: Node, slot: int) -> None:
        """The next step adds the gradient that the rule of `giver` for its input `slot` gave to that of `node`."""
        self._rule = self.step_of_node(node), None, (self.step_of_node(giver), slot)
        self._rule_steps = 0

    def rename(self, tensor: Tensor, name: str) -> None:
        self.step_of(tensor).name = name

    # -- looking up ------------------------------------------------------------------------------------

    def enter(self, tensor: Tensor, kind: str, name: str | None = None) -> Step:
        """A step for something that was not computed in this run."""
        step = Step(len(self.steps), kind, tensor.data, name=tensor.name or name)
        self._append(step, tensor)
        return step

    def step_of(self, tensor: Tensor) -> Step:
        return self._of_array.get(id(tensor.data)) or self.enter(tensor, "constant")

    def step_of_node(self, node: Node) -> Step:
        return self._of_node[id(node)]

    def continued(self) -> Recorder:
        """Another recorder that goes on where this one stopped."""
        other = Recorder(self.function)
        other.steps = list(self.steps)
        other._of_array, other._of_node = dict(self._of_array), dict(self._of_node)
        other._kept = self._kept.copy()
        return other

    def finish(self) -> None:
        """Give the steps their names, and let go of the run's frames."""
        for step in self.steps:
            if step.name is None and isinstance(step.site, Site):
                step.name = naming.name_of(step.site)
        self._calls.clear()

    def _append(self, step: Step, tensor: Tensor) -> None:
        self.steps.append(step)
        self._kept.append(tensor)
        self._of_array[id(tensor.data)] = step
        if tensor.node is not None:
            self._of_node[id(tensor.node)] = step
            self._kept.append(tensor.node)

    def _outsider(self, x: Any, frame: FrameType | None) -> Step:
        """A step for a value from outside the run, where it is first used."""
        if isinstance(x, Tensor):
            step = self.enter(x, "parameter" if x.requires_grad else "constant")
        else:  # a Python number stays one: its type decides what NumPy promotes to
            step = Step(len(self.steps), "constant", x if isinstance(x, (bool, int, float)) else np.asarray(x))
            self.steps.append(step)
            self._kept.append(x)
            if isinstance(x, np.ndarray):
                self._of_array[id(x)] = step
        return step if frame is None or not isinstance(x, (Tensor, np.ndarray)) else self._named(step, x, frame)

    # -- where in the code -----------------------------------------------------------------------------

    def _call(self, frame: FrameType) -> _Call:
        """The call that a frame is. It holds as long as the function runs, so it is looked at once."""
        pending = []
        known = self._calls.get(frame)
        while known is None:
            pending.append(frame)
            above = _outside_engine(frame.f_back)
            if above is None:
                known = _Call(None, None, "")
            else:
                frame = above
                known = self._calls.get(frame)
        for inner in reversed(pending):
            site = self._site(known.caller, frame) if frame is not inner else None
            known = self._calls[inner] = self._entered(inner, site, known)
            frame = inner
        return known

    def _site(self, caller: Site | None, frame: FrameType) -> Site:
        code = frame.f_code
        key = id(caller), id(code), frame.f_lasti
        site = self._sites.get(key)
        if site is None:
            start = instruction_at(code, frame.f_lasti)
            site = self._sites.setdefault((id(caller), id(code), start), Site(caller, code, start))
            self._sites[key] = site
        return site

    def _entered(self, frame: FrameType, site: Site | None, outer: _Call) -> _Call:
        """A call, and the module it entered: the one that is the first argument of its function."""
        code = frame.f_code
        module = frame.f_locals.get(code.co_varnames[0]) if code.co_argcount else None
        if not isinstance(module, Module) or module is outer.module:
            return _Call(site, outer.module, outer.path, outer)
        return _Call(site, module, self._path(module, outer, frame), outer)

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
        if id(module) not in self._roots:
            path = _variable(module, frame.f_back) or type(module).__name__
            taken = path in self._roots.values()
            self._roots[id(module)] = f"{path}{len(self._roots) + 1}" if taken else path
            self._kept.append(module)
        return self._roots[id(module)]

    def _named(self, step: Step, thing: Any, frame: FrameType) -> Step:
        """Name what came from outside: a parameter by its attribute, anything else by the variable that holds it."""
        call: _Call | None = self._call(frame)
        while call is not None:
            if call.module is not None:
                for path, parameter in call.module.named_parameters():
                    if parameter is thing:
                        prefix, _, attribute = path.rpartition(".")
                        step.name = step.name or attribute
                        step.module = f"{call.path}.{prefix}" if call.path and prefix else call.path or prefix
                        return step
            call = call.outer
        step.name = step.name or _variable(thing, frame)
        return step


@dataclass(slots=True, eq=False)
class _Call:
    """A function that runs: where it was called, the module whose method it is (or runs in), that module's path."""

    caller: Site | None
    module: Module | None
    path: str
    outer: _Call | None = None


_PACKAGE = __name__.rpartition(".")[0]
_ENGINE = frozenset(f"{_PACKAGE}.{part}" for part in ("tensor", "operation", "numpy_protocol", "recorder"))
_BOUNDARY = f"{_PACKAGE}.record"


def _outside_engine(frame: FrameType | None) -> FrameType | None:
    """The innermost frame from here on that is not the engine's dispatch; None beyond the recorded function."""
    while frame is not None and frame.f_globals.get("__name__") in _ENGINE:
        frame = frame.f_back
    return None if frame is None or frame.f_globals.get("__name__") == _BOUNDARY else frame


def _variable(thing: Any, frame: FrameType | None) -> str | None:
    """The name of the variable that holds `thing`, seen from a frame."""
    while frame is not None and frame.f_globals.get("__name__") != _BOUNDARY:
        for scope in (frame.f_locals, frame.f_globals):
            for name, value in scope.items():
                if value is thing and not name.startswith("."):
                    return name
        frame = frame.f_back
    return None
