"""What the code calls the operands of an expression: of a constant that it multiplies with, of a token it looks up."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from functools import lru_cache

from ..autodiff.sites import place
from .naming import Loop, Site
from .syntax import Span, lines_of, loop_targets, parsed, source_of, span_of, target_of


def name_of_operand(site: Site, slot: int) -> str | None:
    """What the code calls an operand of the expression at `site`: mask in ``mask[t] * h``, gap in ``d["gap"] * h``.

    Of ``E[token]`` slot 0 is E, and what follows are the parts of the index. None if it is no name.
    """
    operand = _operand(site, slot)
    return None if operand is None else _operand_name(operand)


def name_of_index(site: Site, k: int) -> str | None:
    """What the code calls part k of an index: word in ``E[word]``, and in ``E[number[word]]`` of a loop over words."""
    operand = _operand(site, 1 + k) or _operand(site, k)  # emb(word) is given the index alone
    site = site.in_user_code()
    match operand:
        case ast.Subscript(slice=ast.Name(id=variable)) | ast.Call(args=[ast.Subscript(slice=ast.Name(id=variable))]):
            lines, targets = lines_of(site.code), loop_targets(source_of(site.code))
            if any((line, variable, None) in targets for line in lines):
                return variable
    return None if operand is None else _operand_name(operand)


def element_of_operand(site: Site, slot: int, loop: Loop) -> tuple[str, int] | None:
    """Of an operand like ``words[t - 1]``, where t counts the rounds of a loop: words and -1. None for others."""
    site = site.in_user_code()
    match _operand(site, slot):
        case ast.Subscript(value=ast.Name() | ast.Attribute() as value, slice=ast.Name(id=variable)):
            distance = 0
        case ast.Subscript(
            value=ast.Name() | ast.Attribute() as value,
            slice=ast.BinOp(ast.Name(id=variable), (ast.Add() | ast.Sub()) as sign, ast.Constant(int() as distance)),
        ):
            distance = distance if isinstance(sign, ast.Add) else -distance
        case _:
            return None
    counts = (loop.site.line, variable, True) in loop_targets(source_of(site.code))
    return (ast.unparse(value), distance) if counts and loop.site.code is site.code else None


def _operand(site: Site, slot: int) -> ast.expr | None:
    site = site.in_user_code()
    at = place(site.code, site.instruction)
    operands = _operands(source_of(site.code)).get((at.line, at.column, at.end_line, at.end_column), ())
    return operands[slot] if slot < len(operands) else None


def _operand_name(operand: ast.expr) -> str | None:
    match operand:
        case ast.Subscript(slice=ast.Constant(value=str() as key)):
            return key
        case ast.Subscript(value=value) | ast.Call(args=[value]):  # words[t], int(word)
            return _operand_name(value)
    target = target_of(operand)
    return target if isinstance(target, str) else None


@lru_cache(maxsize=256)
def _operands(source: str) -> dict[Span, Sequence[ast.expr]]:
    """For every operation and call in a source text: by its span, what it is applied to."""
    found: dict[Span, Sequence[ast.expr]] = {}
    for node in ast.walk(parsed(source)):
        match node:
            case ast.BinOp(left=left, right=right):
                found[span_of(node)] = left, right
            case ast.Call(args=arguments):
                found[span_of(node)] = arguments
            case ast.Subscript(value=value, slice=ast.Tuple(elts=parts)):
                found[span_of(node)] = value, *parts
            case ast.Subscript(value=value, slice=part):
                found[span_of(node)] = value, part
    return found
