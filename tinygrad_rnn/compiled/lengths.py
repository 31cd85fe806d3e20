"""Which axes of the arguments may have another length at the next call, and arguments with other lengths.

An axis is a loop's if the loop reads the argument along it, and the batch's if it counts the examples. A model is
recorded with three lengths of each of these, made by repeating or cutting the example's arguments.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..autodiff.nests import flatten_with_paths, with_leaves
from ..autodiff.tensor import Tensor
from ..nn.identity import IdentityKey
from ..tracing.circuit import Circuit
from ..tracing.record import Graph
from ..tracing.recorder import Step
from .program import CompileError

Axes = list[tuple[int, int]]
"""Axes that have one length: (number of the argument's leaf, axis)."""
Places = dict[Step, tuple[int, int | None]]
"""Where the inputs of a run come from: the number of a leaf, and of a series which item."""
LENGTHS = (7, 9, 12), (8, 13, 10), (6, 11, 9), (9, 6, 14)
EXAMPLES = 2, 5, 3
SHORT = 8


class Series:
    """A list or a tuple of arrays of one shape: an array with the items along its first axis."""

    def __init__(self, items: list | tuple):
        self.items = items
        self.shape = (len(items), *items[0].shape)
        self.dtype = items[0].dtype

    def like(self, array: np.ndarray) -> Series:
        return Series(type(self.items)(array))


def packed(tree: Any, is_argument: bool = False) -> Any:
    """A nest in which each series is one leaf."""
    if isinstance(tree, dict):
        return {key: packed(branch) for key, branch in tree.items()}
    if isinstance(tree, (list, tuple)) and not hasattr(tree, "_fields"):
        arrays = tree if all(map(is_array, tree)) else ()
        if not is_argument and len({(x.shape, x.dtype) for x in arrays}) == 1:
            return Series(tree)
        return tuple(map(packed, tree))
    return tree


def leaves(arguments: tuple) -> list[tuple[str, Any]]:
    return flatten_with_paths(packed(arguments, is_argument=True))


def is_array(x: Any) -> bool:
    return isinstance(x, (np.ndarray, Tensor, Series))


def is_data(x: Any) -> bool:
    """Whether an argument is data: none of its tensors is a parameter."""
    tensors = x.items if isinstance(x, Series) else [x]
    return is_array(x) and not any(isinstance(t, Tensor) and t.requires_grad for t in tensors)


def array(x: Any) -> np.ndarray:
    """The numbers of a leaf."""
    if isinstance(x, Series):
        return np.stack([array(item) for item in x.items])
    numbers: np.ndarray = x.data if isinstance(x, Tensor) else x
    return numbers


def places(graph: Graph, arguments: tuple) -> Places:
    """Which leaf of the arguments, and which item of it, each input of a run is."""
    found: list[tuple[int, int | None]] = []
    for i, (_, x) in enumerate(leaves(arguments)):
        if isinstance(x, Series):
            found += [(i, item) for item in range(len(x.items))]
        elif is_array(x):
            found.append((i, None))
    first = (step for step in graph.steps if step.kind in ("input", "parameter"))  # the arguments enter first
    return dict(zip(first, found, strict=False))


def candidates(graph: Graph, arguments: tuple) -> Iterator[dict[str, Axes]]:
    """By letter, the axes that may vary: what is sure, then what is likely, then none."""
    shapes = {i: x.shape for i, (_, x) in enumerate(leaves(arguments)) if is_data(x)}
    place = places(graph, arguments)
    circuit = graph.fold()
    batch: Axes = []
    for c in circuit.components:
        axis = graph.reading.examples.axis(c)
        if c.visits[0] in place and axis is not None:
            leaf, item = place[c.visits[0]]
            batch.append((leaf, axis + (item is not None)))
    loops = _read_along(circuit, place)
    for loop, length in enumerate(circuit.lengths):
        if loop not in loops:
            loops[loop] = [(i, 0) for i, shape in shapes.items() if shape[:1] == (length,) and (i, 0) not in batch]
    times = _joined([axes for axes in loops.values() if axes])
    lengths = [shapes[axes[0][0]][axes[0][1]] for axes in times]
    alike = [[(i, 0) for i, shape in shapes.items() if shape[:1] == (n,) and (i, 0) not in batch] for n in lengths]
    wider = [list(dict.fromkeys([*axes, *others])) for axes, others in zip(times, alike, strict=True)]
    parts = [[axes for axes in times if axes is not left_out] for left_out in times] if len(times) > 1 else []
    for chosen in (times, _joined(wider), *parts, []):
        for examples_too in (batch, []):
            letters = ["T"] if len(chosen) == 1 else [f"T{i + 1}" for i in range(len(chosen))]
            yield {**dict(zip(letters, chosen, strict=True)), **({"B": examples_too} if examples_too else {})}


def _read_along(circuit: Circuit, place: Places) -> dict[int, Axes]:
    """For each loop the axes of arguments of which it reads an element at each step."""
    found: dict[int, Axes] = {}
    for c in circuit.components:
        if c.loop is not None and c.visits[0] in place:
            axis = place[c.visits[0]][0], 0
        elif c.reads is not None and c.loop is not None and c.wires[0].source.visits[0] in place:
            first, last = (step.attributes["index"] for step in (c.visits[0], c.visits[-1]))
            moving = next((i for i, part in enumerate(first) if part != last[i]), 0)
            axis = place[c.wires[0].source.visits[0]][0], moving
        else:
            continue
        if axis not in found.setdefault(c.loop, []):
            found[c.loop].append(axis)
    return found


def _joined(groups: list[Axes]) -> list[Axes]:
    """Groups of axes that have none in common."""
    joined: list[Axes] = []
    for group in groups:
        together = [other for other in joined if set(other) & set(group)]
        joined = [other for other in joined if other not in together]
        joined.append(list(dict.fromkeys([axis for other in (*together, group) for axis in other])))
    return joined


def resized(arguments: tuple, axes: dict[str, Axes], sizes: dict[str, int]) -> tuple:
    """The arguments with other lengths: what they hold is repeated or cut off."""
    found = [x for _, x in leaves(arguments)]
    for letter, n in sizes.items():
        for i, axis in axes[letter]:
            cut = np.take(array(found[i]), np.arange(n) % found[i].shape[axis], axis)
            found[i] = found[i].like(cut) if isinstance(found[i], Series) else cut
    return _unpacked(with_leaves(packed(arguments, is_argument=True), found))


def returned_as(returned: Any, results: tuple, whole: list[bool]) -> Any:
    """Results in the nest that the model returns; `whole`: those that are all items of a series."""
    arrays, is_whole, found = iter(results), iter(whole), []
    for _, x in leaves((returned,)):
        if not is_array(x):
            found.append(x)
        elif isinstance(x, Series) and not next(is_whole):
            found.append(Series([next(arrays), *(next(arrays) for _, _ in zip(x.items[1:], is_whole, strict=False))]))
        elif isinstance(x, Series):
            found.append(x.like(next(arrays)))
        else:
            next(is_whole)
            found.append(next(arrays))
    return _unpacked(with_leaves(packed((returned,), is_argument=True), found))[0]


def _unpacked(tree: Any) -> Any:
    if isinstance(tree, Series):
        return tree.items
    if isinstance(tree, dict):
        return {key: _unpacked(branch) for key, branch in tree.items()}
    if isinstance(tree, (tuple, list)):
        branches = map(_unpacked, tree)
        return type(tree)(*branches) if hasattr(tree, "_fields") else type(tree)(branches)
    return tree


def trials(axes: dict[str, Axes]) -> list[dict[str, int]]:
    """Three lengths for each letter."""
    times = [letter for letter in axes if letter != "B"]
    lengths = {letter: LENGTHS[i % len(LENGTHS)] for i, letter in enumerate(times)} | {"B": EXAMPLES}
    return [{letter: lengths[letter][k] for letter in axes} for k in range(3)]


def shortened(arguments: tuple) -> tuple:
    """The arguments with at most the first few of everything: a short run shows which axes are read step by step."""
    found = [x for _, x in leaves(arguments)]
    cut = {i: [(i, 0)] for i, x in enumerate(found) if is_data(x) and x.shape and x.shape[0] > SHORT}
    return resized(arguments, {str(i): axes for i, axes in cut.items()}, {str(i): SHORT for i in cut})


def sizes_of(arguments: tuple, axes: dict[str, Axes]) -> dict[str, int] | None:
    """What each letter stands for in these arguments; None if axes that must be alike differ."""
    found = [x for _, x in leaves(arguments)]
    sizes: dict[str, int] = {}
    for letter, places in axes.items():
        lengths = {found[i].shape[axis] for i, axis in places}
        if len(lengths) > 1:
            return None
        sizes[letter] = lengths.pop()
    return sizes


def signature(arguments: tuple, axes: dict[str, Axes]) -> tuple:
    """What must be the same for a program to serve: all but the lengths that may vary, and the numbers in arrays."""
    free = {place for places in axes.values() for place in places}

    def of(i: int, x: Any) -> Any:
        if is_array(x) and not is_data(x):  # the program holds them
            return "parameter", [IdentityKey(t) for t in (x.items if isinstance(x, Series) else [x])]
        if not (is_array(x) or callable(x) or isinstance(x, (bool, int, float, str, np.generic))):
            kind = type(x).__name__
            raise CompileError(f"not compiled: a {kind} among the arguments: arrays, numbers and functions may be")
        if not is_array(x):
            return repr(x)
        return x.dtype.str, tuple("…" if (i, axis) in free else n for axis, n in enumerate(x.shape))

    return tuple((path, of(i, x)) for i, (path, x) in enumerate(leaves(arguments)))
