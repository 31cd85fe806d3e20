"""Numbers that the program looked something up with, a token or a label, as inputs of the steps that did.

``E[token]`` with a Python int is recorded with the number as an attribute. Where it is another at each visit, and not
just the next one, it is data: an input with the name that the code gives it, so that it can be replayed with other
tokens and the run folds.
"""

from __future__ import annotations

import ast
import linecache
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from ..autodiff.operation import OPERATIONS
from ..autodiff.operations.linear import INPUT, scatter
from ..autodiff.sites import place
from .circuit import Point
from .elements import affine
from .naming import Site
from .recorder import Step


def with_data(steps: Iterable[Step]) -> list[Step]:
    """The steps of a run, with a step for each index that is data; in order, and numbered anew."""
    steps = list(steps)
    places: dict[Any, list[Step]] = defaultdict(list)
    for step in steps:
        if step.operation is not None and step.operation.name == "getitem" and step.site is not None:
            places[step.module, step.site, len(step.inputs)].append(step)
    before: dict[Step, list[Step]] = defaultdict(list)
    for same in places.values():
        for k, axes in _data(same):
            known: dict[Point, Step] = {}
            for step in same:
                point = tuple([step.iterations[axis] for axis in axes])
                if point not in known:
                    known[point] = _entry(step, k)
                    before[step].append(known[point])
                _enter(step, k, known[point])
    if not before:
        return steps
    found = [one for step in steps for one in (*before.get(step, ()), step)]
    for i, step in enumerate(found):
        step.index = i
    return found


def with_the_same_data(steps: Iterable[Step]) -> None:
    """Let the derivatives of steps that look something up do it with the same data."""
    for step in steps:
        looked_up = step.forward
        if step.operation is scatter and looked_up is not None and looked_up.operation is OPERATIONS["getitem"]:
            step.inputs = (step.inputs[0], *looked_up.inputs[1:])
            step.attributes = {**step.attributes, "index": looked_up.attributes["index"]}


def _data(steps: list[Step]) -> Iterator[tuple[int, Sequence[int]]]:
    """Which parts of the index are data, and the loops that each goes along: one of them if that suffices."""
    points = [step.iterations for step in steps]
    indices = [step.attributes["index"] for step in steps]
    is_tree = any(loop.calls_itself is not None for loop in steps[0].site.loops)
    if is_tree or len(steps) < 3 or len(set(points)) < len(points) or len({len(index) for index in indices}) > 1:
        return
    axes = range(len(points[0]))
    for k, parts in enumerate(zip(*indices, strict=True)):
        if all(isinstance(part, np.ndarray) for part in parts):
            if any(part.tobytes() != parts[0].tobytes() for part in parts):
                yield k, axes
        elif all(type(part) is int for part in parts) and affine(points, parts) is None:
            yield k, next(([axis] for axis in axes if _follows(points, parts, axis)), axes)


def _follows(points: list[Point], parts: tuple[int, ...], axis: int) -> bool:
    """Whether it depends on one of several loops alone."""
    of: dict[int, set[int]] = defaultdict(set)
    for point, part in zip(points, parts, strict=True):
        of[point[axis]].add(part)
    return all(len(found) == 1 for found in of.values()) and len(of) < len(points)


def _entry(step: Step, k: int) -> Step:
    """Part k of the index of a step as an input."""
    data = Step(0, "input", np.asarray(step.attributes["index"][k]), given=_name(step.site, k) or "i")
    data.iterations = step.iterations
    return data


def _enter(step: Step, k: int, data: Step) -> None:
    """Let a step look part k of its index up in an input."""
    index = step.attributes["index"]
    at = 1 + sum(part is INPUT for part in index[:k])
    step.inputs = (*step.inputs[:at], data, *step.inputs[at:])
    step.attributes = {**step.attributes, "index": (*index[:k], INPUT, *index[k + 1 :])}


def _name(site: Site, k: int) -> str | None:
    """What the code calls part k of an index."""
    at = site.in_user_code()
    where = place(at.code, at.instruction)
    parts = _subscripts("".join(linecache.getlines(where.file))).get(
        (where.line, where.column, where.end_line, where.end_column), ()
    )
    return _called(parts[k]) if k < len(parts) else None


def _called(part: ast.expr) -> str | None:
    match part:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case ast.Subscript(value=value) | ast.Call(args=[value]):
            return _called(value)
    return None


@lru_cache(maxsize=64)
def _subscripts(source: str) -> dict[tuple, tuple[ast.expr, ...]]:
    """The parts of every index in a source text, by where the whole expression stands."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return {}
    return {
        (node.lineno, node.col_offset, node.end_lineno, node.end_col_offset): tuple(node.slice.elts)
        if isinstance(node.slice, ast.Tuple)
        else (node.slice,)
        for node in ast.walk(tree)
        if isinstance(node, ast.Subscript)
    }
