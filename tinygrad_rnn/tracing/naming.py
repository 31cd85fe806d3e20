"""Names for the values of a run, read from the code.

What was computed is called by what receives it: ``h = tanh(a)`` makes an h. A place in the code is an expression. If it
is all of what an assignment receives, the assignment's target is its name, as the list is of what is appended to it. If
it is all of what a function returns, the name is what the caller does with it. What a function hands on to itself is
called as its argument. Several values in one variable, ``state = cell(x, state)``, are called as the code unpacks that
variable, ``h, c = state``. A field of a record and a key of a dict serve where nothing else names a value.
"""

from __future__ import annotations

import ast
import linecache
from functools import lru_cache
from types import CodeType
from typing import NamedTuple

from ..autodiff.sites import is_engine, place
from .syntax import Span, Target, parsed, source_of, span_of, target_of

RETURNED = "return"
"""Stands for what the caller makes of it. No variable can be called so."""


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
            target = received.target
            if element is not None:
                ways = [target] if isinstance(target, tuple) else _unpackings(source_of(at.code), target, many)
                names = {_element(way, element, many, visit) for way in ways} - {"_"}
                target = names.pop() if len(names) == 1 else None
            return target if isinstance(target, str) else None
        if at.caller is None:
            return None
        at = at.caller


def _unpackings(source: str, name: Target, many: int) -> list[Target]:
    """Where a variable receives several values, state: what it is unpacked to in the source text, ``h, c = state``."""
    return [way for unpacked, way in _all_unpackings(source) if unpacked == name and len(_spread(way, many)) == many]


@lru_cache(maxsize=256)
def _all_unpackings(source: str) -> list[tuple[str, tuple[Target, ...]]]:
    found = []
    for node in ast.walk(parsed(source)):
        match node:
            case ast.Assign(targets=[ast.Tuple(elts=targets)], value=ast.Name(id=name)):
                found.append((name, tuple(map(target_of, targets))))
    return found


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
    receivers = _receivers(source_of(code))
    return receivers.get((at.line, at.column, at.end_line, at.end_column))


@lru_cache(maxsize=256)
def _receivers(source: str) -> dict[Span, Received]:
    """For every expression of a source text that something receives: by its span, what receives it."""
    found: dict[Span, Received] = {}
    for node in ast.walk(parsed(source)):
        match node:
            case ast.Assign(targets=[*_, target], value=value):
                found |= _received(target_of(target), value)
            case ast.AnnAssign(target=target, value=ast.expr() as value) | ast.NamedExpr(target=target, value=value):
                found |= _received(target_of(target), value)
            case ast.AugAssign(target=target):  # L += l is one instruction that spans the statement
                found[span_of(node)] = Received(target_of(target))
            case ast.Return(value=ast.expr() as value) | ast.Lambda(body=value):
                found |= _received(RETURNED, value)
            case ast.Call(func=ast.Attribute(value=holder, attr="append" | "appendleft"), args=[value]):
                found |= _received(target_of(holder), value)
            case ast.FunctionDef(name=name, args=ast.arguments(args=parameters)):
                for call in ast.walk(node):
                    match call:
                        case ast.Call(func=ast.Name(id=called), args=values) if called == name:
                            for parameter, value in zip(parameters, values, strict=False):
                                found |= _received(parameter.arg, value)
            case ast.Tuple(ctx=ast.Store()) | ast.List(ctx=ast.Store()):  # where a, b = x goes through x
                found[span_of(node)] = Received(target_of(node))
    return found


def name_of_field(site: Site) -> str | None:
    """The field of a record, or the key of a dict, that gets the value of the expression at `site`."""
    at = place(site.code, site.instruction)
    return _fields(source_of(site.code)).get((at.line, at.column, at.end_line, at.end_column))


@lru_cache(maxsize=256)
def _fields(source: str) -> dict[Span, str]:
    """For every expression that is put in a field of a dataclass or a NamedTuple, or in a dict: its span, and which."""
    nodes = [*ast.walk(parsed(source))]
    records = {node.name: node.body for node in nodes if isinstance(node, ast.ClassDef)}
    found: dict[Span, str] = {}
    for node in nodes:
        match node:
            case ast.Call(func=ast.Name(id=called) | ast.Attribute(attr="replace" | "_replace" as called)):
                fields = [target_of(part.target) for part in records.get(called, ()) if isinstance(part, ast.AnnAssign)]
                pairs = [*zip(fields, node.args, strict=False), *((each.arg, each.value) for each in node.keywords)]
            case ast.Dict():
                pairs = [
                    (getattr(key, "value", None), value) for key, value in zip(node.keys, node.values, strict=True)
                ]
            case _:
                pairs = []
        found |= {span_of(value): field for field, value in pairs if isinstance(field, str)}
    return found


def _received(target: Target, value: ast.expr, element: int | None = None, many: int = 0) -> dict[Span, Received]:
    """The expressions in `value` that the target receives, whole or as an element."""
    found = {span_of(value): Received(target, element, many)}
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
                elif isinstance(target, str):
                    found |= _received(target, part, i, len(parts))
    return found


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
