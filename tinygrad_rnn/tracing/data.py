"""Numbers that the program looked something up with, a token or a label, as inputs of the steps that did.

``E[token]`` with a Python int is recorded with the number as an attribute. Where it is from a list among the arguments,
or another at each visit and not just the next one, it is data: an input with the name that the code gives it, so that
it can be replayed with other tokens and the run folds.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..autodiff.nests import rebuild
from ..autodiff.operation import OPERATIONS
from ..autodiff.operations.linear import INPUT, scatter
from ..nn.identity import IdentityKey
from .circuit import Point
from .elements import affine
from .operands import element_of_operand, name_of_index
from .recorder import Step


class Given(int):
    """A number in a list among the arguments: a token or a label, and no counter of the program's."""


def given(argument: Any) -> Any:
    """An argument, with the numbers in its lists marked. One that is a number itself is a setting."""
    if isinstance(argument, int):
        return argument
    return rebuild(argument, lambda leaf: Given(leaf) if type(leaf) is int else leaf)


def with_data(steps: Iterable[Step]) -> list[Step]:
    """The steps of a run, with a step for each index that is data; in order, and numbered anew."""
    steps = list(steps)
    places: dict[Any, list[Step]] = defaultdict(list)
    for step in steps:
        if step.operation is not None and step.operation.name == "getitem" and step.site is not None:
            places[step.module, step.site, len(step.inputs)].append(step)
    lists: dict[Any, list[_Lookup]] = defaultdict(list)
    for same in places.values():
        for k, axes in _data(same):
            lookup = _Lookup(same, k, [axis for axis in axes if len({step.iterations[axis] for step in same}) > 1])
            lists[lookup.list or lookup].append(lookup)
    read: dict[Step, list[Step]] = defaultdict(list)
    for lookups in lists.values():
        for together in [lookups] if _agree(lookups) else [[lookup] for lookup in lookups]:
            elements = _elements(together)
            if len(together) > 1:  # a list is there from the beginning
                read[min((lookup.steps[0] for lookup in together), key=lambda step: step.index)] += elements.values()
            for lookup in together:
                for step in lookup.steps:
                    element = elements[lookup.number(step)]
                    read[step].append(element)
                    _enter(step, lookup.k, element)
    found = dict.fromkeys(one for step in steps for one in (*read[step], step))  # each element before its first reader
    for i, step in enumerate(found):
        step.index = i
    return [*found]


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
    if is_tree or len(set(points)) < len(points) or len({len(index) for index in indices}) > 1:
        return
    axes = range(len(points[0]))
    for k, parts in enumerate(zip(*indices, strict=True)):
        if all(isinstance(part, np.ndarray) for part in parts):
            if len(parts) > 2 and any(part.tobytes() != parts[0].tobytes() for part in parts):
                yield k, axes
        elif all(isinstance(part, int) for part in parts):
            are_given = all(isinstance(part, Given) for part in parts)
            things = [IdentityKey(part) if are_given else part for part in parts]
            if len(set(things)) > 1 and (are_given or (len(parts) > 2 and affine(points, parts) is None)):
                yield k, next(([axis] for axis in axes if _follows(points, things, axis)), axes)


def _follows(points: list[Point], things: Sequence[Hashable], axis: int) -> bool:
    """Whether it depends on one of several loops alone."""
    of: dict[int, set[Hashable]] = defaultdict(set)
    for point, thing in zip(points, things, strict=True):
        of[point[axis]].add(thing)
    return all(len(found) == 1 for found in of.values()) and len(of) < len(points)


@dataclass(eq=False)
class _Lookup:
    """A place that looks something up: its steps, which part k of the index is data, and the loops that it goes along.

    list      what it is an element of, ``words[t - 1]``: words, the t of a loop; None for what is no element of a list
    distance  … and the -1
    """

    steps: list[Step]
    k: int
    axes: Sequence[int]

    def __post_init__(self) -> None:
        site = self.steps[0].site
        loop = site.loops[self.axes[-1]]
        element = element_of_operand(site, 1 + self.k, loop) if len(self.axes) == 1 else None
        name, self.distance = element or ("", 0)
        self.list = (name, loop) if name else None

    def number(self, step: Step) -> Point:
        """Which element a step looks up: of a list, the number of the round and the distance."""
        point = [step.iterations[axis] for axis in self.axes]
        return (*point[:-1], point[-1] + self.distance)

    def value(self, step: Step) -> Any:
        return step.attributes["index"][self.k]


def _agree(lookups: Sequence[_Lookup]) -> bool:
    """Whether the elements that several places look up are those of one list."""
    values: dict[Point, Any] = {}
    return all(
        np.array_equal(values.setdefault(lookup.number(step), lookup.value(step)), lookup.value(step))
        for lookup in lookups
        for step in lookup.steps
    )


def _elements(lookups: Sequence[_Lookup]) -> dict[Point, Step]:
    """An input for each number that is looked up; several places read them as the elements of a list."""
    first: dict[Point, tuple[_Lookup, Step]] = {}
    for lookup in lookups:
        for step in lookup.steps:
            first.setdefault(lookup.number(step), (lookup, step))
    found = {}
    for i, (number, (lookup, step)) in enumerate(sorted(first.items(), key=lambda pair: pair[0])):
        name = name_of_index(step.site, lookup.k) or "i"
        data = Step(0, "input", np.asarray(lookup.value(step)), given=name if len(lookups) == 1 else f"{name}.{i}")
        data.iterations = step.iterations if len(lookups) == 1 else ()
        found[number] = data
    return found


def _enter(step: Step, k: int, data: Step) -> None:
    """Let a step look part k of its index up in an input."""
    index = step.attributes["index"]
    at = 1 + sum(part is INPUT for part in index[:k])
    step.inputs = (*step.inputs[:at], data, *step.inputs[at:])
    step.attributes = {**step.attributes, "index": (*index[:k], INPUT, *index[k + 1 :])}
