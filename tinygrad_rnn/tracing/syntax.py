"""The source of a function as a tree: what stands where, and what its loops set anew in each round."""

from __future__ import annotations

import ast
import linecache
from functools import lru_cache
from types import CodeType

Span = tuple[int, int, int, int]
Target = str | None | tuple["Target", ...]
"""What receives a value: a name, "*name" for a starred one, a tuple of targets, None for anything else."""


def source_of(code: CodeType) -> str:
    """The file that a function is from, also a notebook's cell; from Python 3.13 on also what was typed at a prompt."""
    lines = linecache.getlines(code.co_filename)
    if not lines and hasattr(linecache, "_getlines_from_code"):
        lines = linecache._getlines_from_code(code)
    return "".join(lines)


def parsed(source: str) -> ast.Module:
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # not Python; null bytes; nested too deep
        return ast.Module([], [])


def span_of(node: ast.expr | ast.stmt) -> Span:
    assert node.end_lineno is not None and node.end_col_offset is not None
    return node.lineno, node.col_offset, node.end_lineno, node.end_col_offset


def target_of(node: ast.expr) -> Target:
    """h for `h`, `self.h` and `h[t]`."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case ast.Subscript(value=value):
            return target_of(value)
        case ast.Starred(value=value):
            starred = target_of(value)
            return f"*{starred}" if isinstance(starred, str) else None
        case ast.Tuple(elts=elements) | ast.List(elts=elements):
            return tuple(target_of(e) for e in elements)
    return None


@lru_cache(maxsize=256)
def loop_targets(source: str) -> list[tuple[int, str, bool | None]]:
    """The variables that a ``for`` sets anew in each round: the line, the name, and whether it counts the rounds.

    None for what is no number of a range, but an element.
    """
    found: list[tuple[int, str, bool | None]] = []
    for node in ast.walk(parsed(source)):
        if isinstance(node, (ast.For, ast.comprehension)):
            counter: ast.expr | None = None
            match node.iter, node.target:
                case ast.Call(ast.Name("range")), target:
                    counter = target
                case ast.Call(ast.Name("enumerate")), ast.Tuple([target, *_]):
                    counter = target
            by_ones = isinstance(node.iter, ast.Call) and len(node.iter.args) < 3
            names = [name for name in ast.walk(node.target) if isinstance(name, ast.Name)]
            found += [(name.lineno, name.id, by_ones if name is counter else None) for name in names]
    return found


@lru_cache(maxsize=1024)
def lines_of(code: CodeType) -> range:
    """The lines of a function."""
    lines = [line for _, _, line in code.co_lines() if line is not None]
    return range(min(lines), max(lines) + 1) if lines else range(0)
