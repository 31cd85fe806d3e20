"""Which steps of a run came from the same place in the code: these will be the visits of one component.

A place is a module path, an expression with the calls that led to it, and an operation. It is one component
unless it does several things in a step of time: it may go through a list of layers, or the pieces of a split.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from .recorder import Step

Group = list[Step]


def grouped(steps: Sequence[Step], by: Callable[[Step], Hashable] | None = None) -> list[Group]:
    """The forward steps of a run, grouped; groups and their members in the order in which they happened.

    by  a further key: steps of one place are in one group only if it is equal
    """
    places: dict[Any, Group] = defaultdict(list)
    constants = []
    for step in steps:
        if step.operation is not None:
            places[step.module, step.site, step.operation.name, by and by(step)].append(step)
        elif step.kind == "constant":
            constants.append(step)
        else:
            places[step].append(step)
    groups = list(places.values()) + _grouped_constants(constants, _number(places.values()), steps)
    entry = _number(groups)
    groups = [part for group in groups for part in _divided_by_what_enters(group, entry)]
    return sorted(_divided_while_possible(groups), key=lambda group: group[0].index)


def offset(group: Group) -> int | None:
    """If the visits read elements i, i ± 1, i ± 2, … of an array: the smallest of these numbers; otherwise None."""
    if len(group) == 1 or group[0].operation is None or group[0].operation.name != "getitem":
        return None
    indices = [step.attributes["index"] for step in group]
    moving = [i for i, part in enumerate(indices[0]) if isinstance(part, int) and indices[1][i : i + 1] != (part,)]
    if len(moving) != 1 or any(len(index) != len(indices[0]) for index in indices):
        return None
    (i,) = moving
    numbers = [index[i] for index in indices]
    others = {repr((*index[:i], *index[i + 1 :])) for index in indices}
    by = numbers[1] - numbers[0] if isinstance(numbers[1], int) else 0
    even = abs(by) == 1 and all(n == numbers[0] + t * by for t, n in enumerate(numbers))
    return min(numbers) if even and len(others) == 1 else None


def index_read(step: Step) -> int:
    """The number of the element that a step reads."""
    return next(part for part in reversed(step.attributes["index"]) if isinstance(part, int))


def is_turned_round(step: Step) -> bool:
    """Whether it is x[::-1], whose first element is the last of x."""
    if step.operation is None or step.operation.name != "getitem":
        return False
    first = step.attributes["index"][0]
    return isinstance(first, slice) and (first.start, first.stop, first.step) == (None, None, -1)


# -- constants ---------------------------------------------------------------------------------------------


def _grouped_constants(constants: Group, place: dict[Step, int], steps: Sequence[Step]) -> list[Group]:
    """Equal constants are one. Different ones that the same places use in turn are a sequence: noise, a mask."""
    users: dict[Step, Counter[tuple[int, int]]] = defaultdict(Counter)
    arrays = set()  # which are read element by element
    for step in steps:
        for slot, x in enumerate(step.inputs):
            if x.kind == "constant" and step.operation is not None and step in place:
                users[x][place[step], slot] += 1
                if step.operation.name == "getitem":
                    arrays.add(x)
    groups: dict[Any, Group] = defaultdict(list)
    for group in _divided(constants, lambda step: (step.name, frozenset(users[step].items()))):
        in_turn = bool(users[group[0]]) and group[0] not in arrays and not is_one_constant(group)
        for step in group:
            groups[group[0] if in_turn else (step.name, _value(step))].append(step)
    return list(groups.values())


def is_number(step: Step) -> bool:
    """Whether it is a constant that is a plain number of the code."""
    return step.kind == "constant" and isinstance(step.value, (bool, int, float))


def is_one_constant(group: Group) -> bool:
    """Whether these are one constant: a sequence of constants has different values."""
    return group[0].kind == "constant" and len(set(map(_value, group))) == 1


def _value(step: Step) -> Hashable:
    if is_number(step):
        return type(step.value), repr(step.value)
    array = np.asarray(step.value)
    return array.dtype, array.shape, array.tobytes()


# -- one place that does several things --------------------------------------------------------------------


def _divided_by_what_enters(group: Group, entry: dict[Step, int]) -> list[Group]:
    """By the parameters and inputs that are read, where every visit reads one, and by the operation's attributes."""
    if len(group) == 1 or group[0].operation is None:
        return [group]
    parts = []
    for alike in _divided(group, lambda step: len(step.inputs)):
        slots = [s for s in range(len(alike[0].inputs)) if all(step.inputs[s].operation is None for step in alike)]
        parts += _divided(alike, lambda step: tuple(entry[step.inputs[s]] for s in slots))  # noqa: B023
    return [p for part in parts for p in _divided_by_attributes(part)]


def _divided_by_attributes(group: Group) -> list[Group]:
    """But the elements of an array that are read one after another belong together."""
    if not any(step.attributes for step in group):
        return [group]
    if group[0].operation is not None and group[0].operation.name == "getitem":
        by_array = [run for part in _divided(group, lambda step: step.inputs) for run in _runs(part)]
        if all(offset(part) is not None for part in by_array):
            return by_array
    return _divided(group, lambda step: repr(step.attributes))


def _runs(group: Group) -> list[Group]:
    """The visits of each time that an array is gone through."""
    starts = [i for i, step in enumerate(group) if step.attributes == group[0].attributes]
    return [group[start:stop] for start, stop in pairwise([*starts, len(group)])]


def _divided_while_possible(groups: list[Group]) -> list[Group]:
    """What is computed from divided groups one by one is divided too, and so on."""
    while True:
        group_of = _number(groups)
        users: dict[Step, set[int]] = defaultdict(set)
        for step, number in ((step, i) for i, group in enumerate(groups) for step in group):
            for x in step.inputs:
                if x.kind == "constant":
                    users[x].add(number)
        divided = [part for group in groups for part in _divided_by_neighbours(group, groups, group_of, users)]
        if len(divided) == len(groups):
            return groups
        groups = divided


def _divided_by_neighbours(
    group: Group, groups: list[Group], group_of: dict[Step, int], users: dict[Step, set[int]]
) -> list[Group]:
    """By the group that one of the inputs comes from, if each of those brings as many values as it has visits.

    A sequence of constants, which comes from nowhere, is divided by what uses it.
    """
    if group[0].kind == "constant" and len(group) > 1:
        return _divided(group, lambda step: frozenset(users[step]))
    if len(group) > 1 and all(len(step.inputs) > 1 and _takes_all(step, groups, group_of) for step in group):
        return _divided(group, lambda step: group_of[step.inputs[0]])
    for slot in range(len(group[0].inputs)):
        parts = _divided(group, lambda step: group_of[step.inputs[slot]])  # noqa: B023
        sources = [groups[group_of[part[0].inputs[slot]]] for part in parts]
        if len(parts) > 1 and all(
            len(source) == len(part) and source[0].operation is not None
            for source, part in zip(sources, parts, strict=True)
        ):
            return parts
    return [group]


def _takes_all(step: Step, groups: list[Group], group_of: dict[Step, int]) -> bool:
    """Whether its inputs are all visits of one other group, as of a stack."""
    source = groups[group_of[step.inputs[0]]]
    return len(source) == len(step.inputs) and all(a is b for a, b in zip(source, step.inputs, strict=True))


def _number(groups: Iterable[Group]) -> dict[Step, int]:
    return {step: i for i, group in enumerate(groups) for step in group}


def _divided(group: Group, key: Callable[[Step], Hashable]) -> list[Group]:
    parts: dict[Hashable, Group] = defaultdict(list)
    for step in group:
        parts[key(step)].append(step)
    return list(parts.values())
