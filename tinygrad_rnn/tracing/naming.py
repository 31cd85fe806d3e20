"""Names for the values of a run, read from the code.

What was computed is called by what receives it: ``h = tanh(a)`` makes an h. A place in the code is an expression. If it
is all of what an assignment receives, the assignment's target is its name, as the list is of what is appended to it. If
it is all of what a function returns, the name is what the caller does with it. What a function hands on to itself is
called as its argument.

What was not computed is called by what holds it, a variable, an attribute, a key or an index: `Holders` finds the path
``params.0``, ``model.encoder.W``.
"""

from __future__ import annotations

import ast
import linecache
import re
from collections import deque
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import islice
from types import CodeType, FrameType, FunctionType, MethodType, ModuleType
from typing import Any, NamedTuple

from ..autodiff.sites import is_engine, place
from ..nn.identity import IdentityKey

RETURNED = "return"
"""Stands for what the caller makes of it. No variable can be called so."""

Span = tuple[int, int, int, int]
Target = str | None | tuple["Target", ...]
"""What receives a value: a name, "*name" for a starred one, a tuple of targets, None for anything else."""


class Received(NamedTuple):
    """What receives the value of an expression; or of a sequence of which it is `element`, one of so `many`."""

    target: Target
    element: int | None = None
    many: int = 0


EACH = -1
"""The element of a comprehension: every one of the sequence in turn."""


class Loop:
    """Something in the code that repeats: a `for` or `while` loop, or a function that is called again and again.

    That is, from one place: by `reduce`, by `map`, or by itself.

    site          where it is: its first line
    repeats       whether it is an expression that is run several times at one time, by `sum` or an engine's function
    calls_itself  for a function that does: from where
    """

    __slots__ = ("calls_itself", "repeats", "site")

    def __init__(self, site: Site, repeats: bool = False):
        self.site, self.repeats = site, repeats
        self.calls_itself: Site | None = None

    def __repr__(self) -> str:
        return f"<the loop at {self.site.in_user_code()}>"


class Site:
    """An expression being run, and the expression in the calling function that led there. One object a place.

    loops  that it is in, with those that the calling function is in; outermost first
    """

    __slots__ = ("caller", "code", "instruction", "loops")

    def __init__(self, caller: Site | None, code: CodeType, instruction: int, loops: tuple[Loop, ...] = ()):
        self.caller, self.code, self.instruction, self.loops = caller, code, instruction, loops

    def in_user_code(self) -> Site:
        """The innermost place that is not inside the engine."""
        site = self
        while site.caller is not None and is_engine(site.code):
            site = site.caller
        return site

    @property
    def line(self) -> int:
        return place(self.code, self.instruction).line

    def text(self) -> str:
        """The expression as it is written; "" where the source cannot be read."""
        return place(self.code, self.instruction).text()

    def __str__(self) -> str:
        return str(place(self.code, self.instruction))


def name_of(site: Site, visit: int) -> str | None:
    """The name the code gives to the value of the expression at `site`; None if it is part of a larger one.

    visit  how many times it had run before: of ``f, i = split(x, 2)``, which makes its pieces in one place, every
           second one is f
    """
    element, many, at = None, 0, site
    while True:
        received = _receiver(at.code, at.instruction)
        if received is None or (element is not None and received.element is not None):
            return None
        if received.element == EACH and not (at is site and is_engine(site.code)):
            return None  # a comprehension of the user's may do something else each time, in another place
        if received.element is not None:
            element, many = received.element, received.many
        if received.target != RETURNED:
            if is_engine(at.code):
                return None  # inside a layer of the library
            target = received.target if element is None else _element(received.target, element, many, visit)
            return target if isinstance(target, str) else None
        if at.caller is None:
            return None
        at = at.caller


def _element(targets: Target, element: int, many: int, visit: int) -> Target:
    """The target of one element of a sequence; None where that cannot be told."""
    if not isinstance(targets, tuple) or not targets:
        return None
    if element == EACH:
        return None if _star(targets) is not None else targets[visit % len(targets)]
    targets = _spread(targets, many)
    return targets[element] if element < len(targets) else None


@lru_cache(maxsize=4096)
def _receiver(code: CodeType, instruction: int) -> Received | None:
    """What receives the value of the expression at an instruction."""
    at = place(code, instruction)
    linecache.checkcache(at.file)  # the module may have been edited and loaded again
    receivers = _receivers(_source(code))
    return receivers.get((at.line, at.column, at.end_line, at.end_column))


@lru_cache(maxsize=256)
def _receivers(source: str) -> dict[Span, Received]:
    """For every expression of a source text that something receives: by its span, what receives it."""
    found: dict[Span, Received] = {}
    for node in ast.walk(_parsed(source)):
        match node:
            case ast.Assign(targets=[*_, target], value=value):
                found |= _received(_target(target), value)
            case ast.AnnAssign(target=target, value=ast.expr() as value) | ast.NamedExpr(target=target, value=value):
                found |= _received(_target(target), value)
            case ast.AugAssign(target=target):  # L += l is one instruction that spans the statement
                found[_span(node)] = Received(_target(target))
            case ast.Return(value=ast.expr() as value) | ast.Lambda(body=value):
                found |= _received(RETURNED, value)
            case ast.Call(func=ast.Attribute(value=holder, attr="append" | "appendleft"), args=[value]):
                found |= _received(_target(holder), value)
            case ast.FunctionDef(name=name, args=ast.arguments(args=parameters)):
                for call in ast.walk(node):
                    match call:
                        case ast.Call(func=ast.Name(id=called), args=values) if called == name:
                            for parameter, value in zip(parameters, values, strict=False):
                                found |= _received(parameter.arg, value)
            case ast.Tuple(ctx=ast.Store()) | ast.List(ctx=ast.Store()):  # where a, b = x goes through x
                found[_span(node)] = Received(_target(node))
    return found


def name_of_operand(site: Site, slot: int) -> str | None:
    """What the code calls an operand of the expression at `site`: mask in ``mask[t] * h``, gap in ``d["gap"] * h``.

    None if it is no name.
    """
    site = site.in_user_code()
    at = place(site.code, site.instruction)
    operands = _operands(_source(site.code)).get((at.line, at.column, at.end_line, at.end_column), ())
    match operands[slot] if slot < len(operands) else None:
        case ast.Subscript(slice=ast.Constant(value=str() as key)):
            return key
        case ast.expr() as operand:
            target = _target(operand)
            return target if isinstance(target, str) else None
    return None


@lru_cache(maxsize=256)
def _operands(source: str) -> dict[Span, list[ast.expr]]:
    """For every operation and call in a source text: by its span, what it is applied to."""
    found: dict[Span, list[ast.expr]] = {}
    for node in ast.walk(_parsed(source)):
        match node:
            case ast.BinOp(left=left, right=right):
                found[_span(node)] = [left, right]
            case ast.Call(args=arguments):
                found[_span(node)] = arguments
    return found


def _source(code: CodeType) -> str:
    """The file that a function is from, also a notebook's cell; from Python 3.13 on also what was typed at a prompt."""
    lines = linecache.getlines(code.co_filename)
    if not lines and hasattr(linecache, "_getlines_from_code"):
        lines = linecache._getlines_from_code(code)
    return "".join(lines)


def _parsed(source: str) -> ast.Module:
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # not Python; null bytes; nested too deep
        return ast.Module([], [])


def _received(target: Target, value: ast.expr, element: int | None = None, many: int = 0) -> dict[Span, Received]:
    """The expressions in `value` that the target receives, whole or as an element."""
    found = {_span(value): Received(target, element, many)}
    match value:
        case ast.IfExp(body=body, orelse=other):
            return _received(target, body, element, many) | _received(target, other, element, many)
        case _ if element is not None:  # a sequence in a sequence
            pass
        case ast.ListComp(elt=each):
            found |= _received(target, each, EACH)
        case ast.Tuple(elts=parts) | ast.List(elts=parts) if not any(isinstance(part, ast.Starred) for part in parts):
            for i, part in enumerate(parts):
                if isinstance(target, tuple):
                    found |= _received(_element(target, i, len(parts), 0), part)
                elif target == RETURNED:
                    found |= _received(target, part, i, len(parts))
    return found


def _target(node: ast.expr) -> Target:
    """h for `h`, `self.h` and `h[t]`."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case ast.Subscript(value=value):
            return _target(value)
        case ast.Starred(value=value):
            starred = _target(value)
            return f"*{starred}" if isinstance(starred, str) else None
        case ast.Tuple(elts=elements) | ast.List(elts=elements):
            return tuple(_target(e) for e in elements)
    return None


def _star(targets: tuple[Target, ...]) -> int | None:
    return next((i for i, t in enumerate(targets) if isinstance(t, str) and t.startswith("*")), None)


def _spread(targets: tuple[Target, ...], many: int) -> tuple[Target, ...]:
    """The targets of so many values: a starred one takes what is over."""
    star = _star(targets)
    if star is None:
        return targets
    name = targets[star]
    assert isinstance(name, str)
    return targets[:star] + (name[1:],) * (many - len(targets) + 1) + targets[star + 1 :]


def _span(node: ast.expr | ast.stmt) -> Span:
    assert node.end_lineno is not None and node.end_col_offset is not None
    return node.lineno, node.col_offset, node.end_lineno, node.end_col_offset


# -- what holds a value ------------------------------------------------------------------------------------

DEEPEST, MOST = 6, 10_000
"""How deep a value may lie in a variable, and how many values of one variable are looked at."""


class Holders:
    """Finds which variable holds a value that a run did not compute, be it in a list, a dict or an object.

    root  the recorded function, or the object whose method it is: its attributes need no prefix
    """

    def __init__(self, root: Any):
        self._root = root
        self._paths: dict[IdentityKey[Any], dict[IdentityKey[Any], str]] = {}

    def path(self, thing: Any, frames: Sequence[FrameType], *, of_data: bool = False) -> str | None:
        """The path to a value, ``params.0`` or ``cell.W``, seen from the frames of a run; None if nothing holds it.

        frames   the innermost first; but the outermost is asked first, for what is called w in a function that does
                 one thing to many values has a name of its own outside. A loop's variable is asked last, for the same
                 reason
        of_data  the value is no parameter: a loop's variable, or the list itself, is the name of all elements of a list
        """
        for frame in reversed(frames):
            passing = frozenset[str]() if of_data else _loop_variables(frame.f_code)
            scopes = [{k: v for k, v in frame.f_locals.items() if not k.startswith(".")}, frame.f_globals]
            for scope in scopes:
                for name, value in scope.items():
                    if value is thing and name not in passing:
                        return name
            for scope in scopes:
                for name, value in list(scope.items()):
                    inner = self._inside(value).get(IdentityKey(thing)) if name not in passing else None
                    if inner is not None:
                        path = inner if value is self._root else f"{name}.{inner}"
                        return re.sub(r"(\.\d+)+$", "", path) if of_data else path
            for name in passing:
                if scopes[0].get(name) is thing:
                    return name
        return None

    def _inside(self, container: Any) -> dict[IdentityKey[Any], str]:
        """The paths of all that is in a container; looked up once in a run."""
        key = IdentityKey(container)
        if key not in self._paths:
            found: dict[IdentityKey[Any], str] = {}
            pending = deque([("", container, 0)])
            while pending:
                path, value, depth = pending.popleft()
                for name, part in islice(_parts(value), MOST - len(found)):
                    if IdentityKey(part) not in found:
                        found[IdentityKey(part)] = inner = f"{path}.{name}" if path else str(name)
                        if depth < DEEPEST:
                            pending.append((inner, part, depth + 1))
            self._paths[key] = found
        return self._paths[key]


def _parts(value: Any) -> Iterable[tuple[Any, Any]]:
    """What a container holds, by key, index or attribute; nothing for a leaf."""
    if isinstance(value, dict):
        return list(value.items())
    if isinstance(value, (list, tuple, deque)):
        return list(zip(getattr(value, "_fields", range(len(value))), value, strict=True))
    if isinstance(value, (type, ModuleType, FunctionType, MethodType)) or not hasattr(value, "__dict__"):
        return ()
    return list(vars(value).items())


def split(path: str) -> tuple[str, str]:
    """The owner and the name of what has a path: its last key that is no number, with the numbers behind it.

    ``encoder.W`` is the W of encoder, ``encoder.layers.0`` its layers.0.
    """
    keys = path.split(".")
    last = max((i for i, key in enumerate(keys) if not key.isdecimal()), default=0)
    return ".".join(keys[:last]), ".".join(keys[last:])


@lru_cache(maxsize=1024)
def _loop_variables(code: CodeType) -> frozenset[str]:
    """The variables of a function that a ``for`` sets anew in each round."""
    lines = [line for _, _, line in code.co_lines() if line is not None]
    if not lines:
        return frozenset()
    within = range(min(lines), max(lines) + 1)
    targets = _loop_targets(_source(code))
    return frozenset(name for line, name in targets if line in within)


@lru_cache(maxsize=256)
def _loop_targets(source: str) -> list[tuple[int, str]]:
    tree = _parsed(source)
    loops = (node.target for node in ast.walk(tree) if isinstance(node, (ast.For, ast.comprehension)))
    return [(n.lineno, n.id) for target in loops for n in ast.walk(target) if isinstance(n, ast.Name)]
