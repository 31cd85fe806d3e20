"""Which steps of a run came from the same place in the code, and when: these will be the visits of one component.

A place is a module path, an expression with the calls that led to it, and an operation. The recorder counted the
iterations of the loops around it, so each visit has a coordinate for each loop. Which of these are axes, and which make
copies, is decided in loop_roles.py.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any

import numpy as np

from .circuit import Point
from .domains import Domains
from .elements import affine, elements_at, numbers_of
from .groups import Group
from .loop_roles import LoopRoles
from .naming import Loop, Site
from .recorder import Step


def grouped(
    steps: Sequence[Step],
    by: Callable[[Step], Hashable] | None = None,
    joined: bool = True,
) -> list[Group]:
    """The forward steps of a run, grouped; groups and their members in the order in which they happened.

    by      a further key: steps of one place are in one group only if it is equal
    joined  whether a loop within a loop may be one axis with it
    """
    places: dict[Any, list[Step]] = defaultdict(list)
    entering, constants = [], []
    for step in steps:
        if step.operation is not None:
            places[step.module, step.site, step.operation.name, by and by(step)].append(step)
        elif step.kind == "constant":
            constants.append(step)
        else:
            entering.append(step)
    groups = LoopRoles([_placed(found) for found in places.values()], joined).groups()
    entry = {step: i for i, step in enumerate(entering)}
    groups = [part for group in groups for part in _divided_by_what_enters(group, entry)]
    groups += _grouped_inputs(entering, groups) + _grouped_constants(constants, groups)
    return sorted(groups, key=lambda group: min(step.index for step in group.steps))


def _placed(steps: list[Step]) -> Group:
    """The steps of a place. What happens several times at one point is repeated by something that is no Python."""
    site: Site | None = steps[0].site
    loops, points = (site.loops if site else ()), [step.iterations for step in steps]
    if len(set(points)) < len(points):
        number: Counter[Point] = Counter()
        for i, point in enumerate(points):
            points[i] = (*point, number[point])
            number[point] += 1
        assert site is not None
        loops = (*loops, Loop(site, repeats=True))
    return Group(steps, loops, points)


# -- elements that are not read -----------------------------------------------------------------------------


def with_unread_elements(groups: Sequence[Group], number: int) -> list[Step]:
    """Complete the elements of an array that a loop reads now and then, by no rule: they are a sequence all the same.

    Returns the steps that the groups were given, numbered from `number` on.
    """
    extent: dict[Loop, int] = defaultdict(int)
    for group in groups:
        for loop in group.loops:
            extent[loop] = max(extent[loop], 1 + max(group.iterations(loop)))
    added: list[Step] = []
    for group in groups:
        T = extent[group.loops[0]] if len(group.loops) == 1 else 0
        if T and Domains([T]).of(sorted(group.points), [0], with_ends=False) is None:
            read = dict(zip(group.points, group.steps, strict=True))
            for point, step in elements_at(read, [(t,) for t in range(T) if (t,) not in read]).items():
                step.index = number + len(added)
                added.append(step)
                group.points.append(point)
                group.steps.append(step)
    return added


# -- inputs and constants ----------------------------------------------------------------------------------


def _users(groups: Sequence[Group], kinds: Iterable[Step]) -> dict[Step, list[tuple[int, int, Point, tuple]]]:
    """For each of some steps: by which groups, in which slots and at which points it is used, and their loops."""
    users: dict[Step, list] = {step: [] for step in kinds}
    for i, group in enumerate(groups):
        for step, point in zip(group.steps, group.points, strict=True):
            for slot, x in enumerate(step.inputs):
                if x in users:
                    users[x].append((i, slot, point, group.loops))
    return users


def _grouped_inputs(entering: Sequence[Step], groups: Sequence[Group]) -> list[Group]:
    """Elements of one list or dict that are read one after another are a sequence, and so are indices of one place."""
    users = _users(groups, [step for step in entering if step.kind == "input"])
    indices: dict[Any, list[Step]] = defaultdict(list)
    lists: dict[Any, list[Step]] = defaultdict(list)
    for step, uses in users.items():
        if step.iterations and uses:
            indices[step.path, uses[0][:2]].append(step)
            continue
        keys = step.path.split(".")
        for i in range(1, len(keys)):  # of a list of records, {data.3.x} is in the list {data.*.x}
            lists[i, *keys[:i], *keys[i + 1 :]].append(step)
    sequences = [group for steps in indices.values() if (group := _in_turn(steps, users)) is not None]
    for elements in lists.values():
        reader = _read_in_turn(elements, users)
        if reader is not None:
            loop = Loop(groups[reader].first.site)
            sequences.append(Group(elements, (loop,), [(i,) for i in range(len(elements))]))
    members = {step for group in sequences for step in group.steps}
    return sequences + [Group([step]) for step in entering if step not in members]


def _read_in_turn(elements: Sequence[Step], users: dict[Step, list]) -> int | None:
    """The number of the group that reads the elements of a list one after another, or all of them at once."""
    reads: dict[tuple, list[tuple[Point, int]]] = defaultdict(list)
    for i, step in enumerate(elements):
        for group, slot, point, _ in users[step]:
            reads[group, slot].append((point, i))
            reads[group, point].append(((slot,), i))
    for (group, place), found in reads.items():
        fit = affine(*zip(*found, strict=True))
        if fit is not None and any(fit[0]) and (isinstance(place, int) or 2 < len(found) == len(elements)):
            return group
    return None


def _grouped_constants(constants: list[Step], groups: Sequence[Group]) -> list[Group]:
    """Equal constants are one. Different ones that the same places use in turn are a sequence: noise, a mask."""
    users = _users(groups, constants)
    arrays = {
        x
        for group in groups
        for step in group.steps
        for x in step.inputs
        if step.operation is not None and step.operation.name == "getitem"
    }
    parts: dict[Any, list[Step]] = defaultdict(list)
    for step in constants:
        parts[step.name, frozenset(Counter((i, slot) for i, slot, _, _ in users[step]).items())].append(step)
    found: list[Group] = []
    rest: dict[Any, list[Step]] = defaultdict(list)
    for part in parts.values():
        sequence = None
        if users[part[0]] and part[0] not in arrays and not is_one_constant(part):
            sequence = _in_turn(part, users)
        if sequence is not None:
            found.append(sequence)
        else:
            for step in part:
                rest[step.name, _value(step)].append(step)
    return found + [Group(same) for same in rest.values()]


def _in_turn(steps: list[Step], users: dict[Step, list]) -> Group | None:
    """Steps as a sequence, each at the point where it is first used; None if several are used at one point."""
    first = [min(users[step], key=lambda use: use[:3]) for step in steps]
    points = [point for _, _, point, _ in first]
    if len(steps) < 2 or len(set(points)) < len(points) or len({(use[0], use[1]) for use in first}) > 1:
        return None
    return Group(steps, first[0][3], points)


def is_number(step: Step) -> bool:
    """Whether it is a constant that is a plain number of the code."""
    return step.kind == "constant" and isinstance(step.value, (bool, int, float))


def is_one_constant(steps: Sequence[Step]) -> bool:
    """Whether these are one constant: a sequence of constants has different values."""
    return steps[0].kind == "constant" and len(set(map(_value, steps))) == 1


def _value(step: Step) -> Hashable:
    if is_number(step):
        return type(step.value), repr(step.value)
    array = np.asarray(step.value)
    return array.dtype, array.shape, array.tobytes()


# -- one place that does several things --------------------------------------------------------------------


def _divided_by_what_enters(group: Group, entry: dict[Step, int]) -> list[Group]:
    """By the parameters and inputs that are read, where every visit reads one, and by the operation's attributes."""
    if len(group.steps) == 1:
        return [group]
    parts = []
    for alike in group.divided(lambda step: len(step.inputs)) if not _grows(group) else [group]:
        slots = range(min(len(step.inputs) for step in alike.steps))
        fixed = [s for s in slots if all(step.inputs[s].kind == "parameter" for step in alike.steps)]
        parts += alike.divided(lambda step: tuple(entry[step.inputs[s]] for s in fixed))  # noqa: B023
    return [p for part in parts for p in _divided_by_attributes(part)]


def _grows(group: Group) -> bool:
    """Whether it takes as many inputs as there have been steps so far."""
    several = group.first.operation is not None and group.first.operation.variadic
    return several and len({len(step.inputs) for step in group.steps}) == len(group.steps) > 2


def _divided_by_attributes(group: Group) -> list[Group]:
    """But an index that moves evenly, from element to element of an array, is one."""
    if not any(step.attributes for step in group.steps):
        return [group]
    if group.first.operation is not None and group.first.operation.name == "getitem" and group.loops:
        numbers = [numbers_of(step.attributes["index"]) for step in group.steps]
        if len({shape for shape, _ in numbers}) == 1 and all(
            affine(group.points, column) is not None for column in zip(*(found for _, found in numbers), strict=True)
        ):
            return [group]
    return group.divided(lambda step: repr(step.attributes))
