"""Names for what a run computed, read from the code: ``h = tanh(a)`` makes an h.

A place in the code is an expression. If it is all of what an assignment receives, the assignment's target is
its name. If it is all of what a function returns, the name is what the caller does with it.
"""

from __future__ import annotations

import ast
import linecache
from functools import lru_cache
from types import CodeType
from typing import NamedTuple

from ..autodiff.sites import is_engine, place

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


class Site:
    """An expression being run, and the expression in the calling function that led there. One object a place."""

    __slots__ = ("caller", "code", "instruction")

    def __init__(self, caller: Site | None, code: CodeType, instruction: int):
        self.caller, self.code, self.instruction = caller, code, instruction

    def in_user_code(self) -> Site:
        """The innermost place that is not inside the engine."""
        site = self
        while site.caller is not None and is_engine(site.code):
            site = site.caller
        return site

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
    receivers = _receivers("".join(linecache.getlines(at.file)))
    return receivers.get((at.line, at.column, at.end_line, at.end_column))


@lru_cache(maxsize=256)
def _receivers(source: str) -> dict[Span, Received]:
    """For every expression of a source text that something receives: by its span, what receives it."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):  # not Python; null bytes
        return {}
    found: dict[Span, Received] = {}
    for node in ast.walk(tree):
        match node:
            case ast.Assign(targets=[*_, target], value=value):
                found |= _received(_target(target), value)
            case ast.AnnAssign(target=target, value=ast.expr() as value) | ast.NamedExpr(target=target, value=value):
                found |= _received(_target(target), value)
            case ast.AugAssign(target=target):  # L += l is one instruction that spans the statement
                found[_span(node)] = Received(_target(target))
            case ast.Return(value=ast.expr() as value) | ast.Lambda(body=value):
                found |= _received(RETURNED, value)
            case ast.Tuple(ctx=ast.Store()) | ast.List(ctx=ast.Store()):  # where a, b = x goes through x
                found[_span(node)] = Received(_target(node))
    return found


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
