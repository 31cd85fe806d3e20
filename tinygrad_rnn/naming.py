"""Names for what a run computed, read from the code: ``h = tanh(a)`` makes an h.

A place in the code is an expression. If it is all of what an assignment receives, the assignment's target is
its name. If it is all of what a function returns, the name is what the caller does with it.
"""

from __future__ import annotations

import ast
import linecache
from functools import lru_cache
from types import CodeType

from .sites import is_engine, place

RETURNED = -1
"""Stands for a name that the caller gives; a number ≥ 0 for that element of a returned tuple."""

Span = tuple[int, int, int, int]
Target = str | int | tuple[str | None, ...]


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


def name_of(site: Site | None) -> str | None:
    """The name the code gives to the value of the expression at `site`; None if it is part of a larger one."""
    element = RETURNED
    while site is not None:
        target = _target(site.code, site.instruction)
        if isinstance(target, tuple):
            return target[element] if 0 <= element < len(target) else None
        if not isinstance(target, int):
            return target if element == RETURNED else None
        if target != RETURNED:
            if element != RETURNED:
                return None
            element = target
        site = site.caller
    return None


@lru_cache(maxsize=4096)
def _target(code: CodeType, instruction: int) -> Target | None:
    """What receives the value of the expression at an instruction."""
    at = place(code, instruction)
    return _targets(at.file).get((at.line, at.column, at.end_line, at.end_column))


@lru_cache(maxsize=256)
def _targets(file: str) -> dict[Span, Target]:
    """For every expression of a source file that something receives whole: by its span, what receives it."""
    try:
        tree = ast.parse("".join(linecache.getlines(file)))
    except SyntaxError:
        return {}
    found: dict[Span, Target] = {}
    for node in ast.walk(tree):
        match node:
            case ast.Assign(targets=[*_, target], value=value):
                found |= _received(target, value)
            case ast.AnnAssign(target=target, value=ast.expr() as value) | ast.NamedExpr(target=target, value=value):
                found |= _received(target, value)
            case ast.AugAssign(target=target):  # L += l is one instruction that spans the statement
                found |= _received(target, node)
            case ast.Return(value=ast.Tuple(elts=elements)) | ast.Lambda(body=ast.Tuple(elts=elements)):
                found |= {_span(element): i for i, element in enumerate(elements)}
            case ast.Return(value=ast.expr() as value) | ast.Lambda(body=value):
                found[_span(value)] = RETURNED
    return found


def _received(target: ast.expr, value: ast.expr | ast.stmt) -> dict[Span, Target]:
    if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple) and len(target.elts) == len(value.elts):
        pairs = zip(target.elts, value.elts, strict=True)
        return {span: name for t, v in pairs for span, name in _received(t, v).items()}
    if isinstance(target, ast.Tuple):
        return {_span(value): tuple(_plain_name(t) for t in target.elts)}
    name = _plain_name(target)
    return {} if name is None else {_span(value): name}


def _plain_name(target: ast.expr) -> str | None:
    """h for `h`, `self.h` and `h[t]`."""
    match target:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case ast.Subscript(value=value):
            return _plain_name(value)
    return None


def _span(node: ast.expr | ast.stmt) -> Span:
    assert node.end_lineno is not None and node.end_col_offset is not None
    return node.lineno, node.col_offset, node.end_lineno, node.end_col_offset
