"""Which elements of arrays are read: numbers in an index that move from visit to visit."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np

from .circuit import Point
from .recorder import Step


def offset(steps: Sequence[Step]) -> int | None:
    """If the visits read elements i, i ± 1, i ± 2, … of an array: the smallest of these numbers; otherwise None."""
    if len(steps) == 1 or steps[0].operation is None or steps[0].operation.name != "getitem":
        return None
    moves = {moved(a, b) for a, b in pairwise(steps)}
    if moves not in ({1}, {-1}):
        return None
    return min(from_the_beginning([index_read(steps[0]), index_read(steps[-1])], steps[0]))


def index_read(step: Step) -> int:
    """The number of the element that a step reads."""
    return next(part for part in reversed(step.attributes["index"]) if isinstance(part, int))


def from_the_beginning(numbers: Sequence[int], step: Step) -> Sequence[int]:
    """The numbers of the elements that a step, and others like it, read: those of x[-t], which move, from 0 on."""
    if max(numbers) >= 0 or len({*numbers}) == 1:
        return numbers
    k = max(k for k, part in enumerate(_index(step)) if isinstance(part, int))
    return [number + _length_at(step, k) for number in numbers]


def _length_at(step: Step, k: int) -> int:
    """The length of the axis along which part k of the index of a step reads."""
    before, after = (
        [part for part in parts if part is not None] for parts in (_index(step)[:k], _index(step)[k + 1 :])
    )
    return step.inputs[0].shape[-1 - len(after) if any(part is Ellipsis for part in before) else len(before)]


def _index(step: Step) -> tuple[Any, ...]:
    index: tuple[Any, ...] = step.attributes["index"]
    return index


def is_turned_round(step: Step) -> bool:
    """Whether it is x[::-1], whose first element is the last of x."""
    if step.operation is None or step.operation.name != "getitem":
        return False
    first = step.attributes["index"][0]
    return isinstance(first, slice) and (first.start, first.stop, first.step) == (None, None, -1)


def moved(a: Step, b: Step) -> int | None:
    """By how much the one number in the index of a step differs from that of another; None: in another way."""
    first, second = a.attributes["index"], b.attributes["index"]
    if len(first) != len(second) or a.inputs != b.inputs:
        return None
    differing = [(p, q) for p, q in zip(first, second, strict=True) if repr(p) != repr(q)]
    if len(differing) != 1 or not all(isinstance(part, int) for part in differing[0]):
        return None
    return differing[0][1] - differing[0][0]


def elements_at(read: Mapping[Point, Step], points: Iterable[Point]) -> dict[Point, Step]:
    """What steps that read elements of an array of the data at some points would read at others; {} if that is not
    known. Where there is no such element, there is no step."""
    steps = list(read.values())
    first, array = steps[0], steps[0].inputs[0] if steps[0].inputs else steps[0]
    is_element = first.operation is not None and first.operation.name == "getitem" and is_data(array)
    if not is_element or any(moved(a, b) is None for a, b in pairwise(steps)):
        return {}
    index = _index(first)
    (k,) = {k for step in steps[1:] for k, part in enumerate(_index(step)) if repr(part) != repr(index[k])}
    fit = affine(list(read), [_index(step)[k] for step in steps])
    if fit is None:
        return {}
    strides, offset = fit
    found: dict[Point, Step] = {}
    for at in points:
        number = offset + sum(stride * t for stride, t in zip(strides, at, strict=True))
        there = (*index[:k], number, *index[k + 1 :])
        if 0 <= number < _length_at(first, k):
            value = np.asarray(array.value)[there]
            found[at] = replace(first, value=value, attributes={**first.attributes, "index": there})
    return found


def is_data(step: Step) -> bool:
    """Whether it is an input or a constant array, or an element or another shape of one."""
    while step.operation is not None and len(step.inputs) == 1:
        step = step.inputs[0]
    return step.kind in ("input", "constant")


def numbers_of(index: tuple) -> tuple[str, tuple[int, ...]]:
    """An index without its numbers, and these: elements, beginnings and ends of slices."""
    shape, numbers = [], []
    for part in index:
        ends = (part.start, part.stop, part.step) if isinstance(part, slice) else (part,)
        shape.append([type(end) if isinstance(end, int) else repr(end) for end in ends])
        numbers += [end for end in ends if isinstance(end, int)]
    return repr(shape), tuple(numbers)


def affine(points: Sequence[Point], values: Sequence[int]) -> tuple[Point, int] | None:
    """(strides, offset) with which strides · point + offset is the value at each point; None if there are none."""
    n = len(points[0])
    for k in range(n) if n > 1 else ():
        alone = affine([(point[k],) for point in points], values)
        if alone is not None:
            return (*(0,) * k, *alone[0], *(0,) * (n - 1 - k)), alone[1]
    strides = [0] * n
    at = dict(zip(points, values, strict=True))
    for k in range(n):
        lines: dict[Point, list[int]] = defaultdict(list)
        for point in at:
            lines[point[:k] + point[k + 1 :]].append(point[k])
        line = max(lines.items(), key=lambda found: len(found[1]))
        if len(line[1]) > 1:
            a, b = line[1][0], line[1][1]
            p, q = ((*line[0][:k], t, *line[0][k:]) for t in (a, b))
            rise = at[q] - at[p]
            if rise % (b - a):
                return None
            strides[k] = rise // (b - a)
    offset = values[0] - sum(stride * t for stride, t in zip(strides, points[0], strict=True))
    for point, value in zip(points, values, strict=True):
        if sum(stride * t for stride, t in zip(strides, point, strict=True)) + offset != value:
            return None
    return tuple(strides), offset
