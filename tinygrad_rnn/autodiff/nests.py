"""Nests: tuples, lists and dicts, and what they contain, as functions take and return them. JAX calls them pytrees.

A named tuple, an OrderedDict and a defaultdict keep their type. None is an empty nest. All else is a leaf.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from copy import copy
from typing import Any


def flatten(tree: Any) -> list[Any]:
    """The leaves of a nest, in order."""
    return [leaf for _, leaf in flatten_with_paths(tree)]


def flatten_with_paths(tree: Any, path: str = "") -> list[tuple[str, Any]]:
    """The leaves of a nest, each with its path from the nest called `path`: ``state.h``, ``xs[0]``, ``batch['x']``."""
    branches: Iterable[Any] = tree
    if isinstance(tree, dict):
        steps, branches = [f"[{key!r}]" for key in tree], tree.values()
    elif isinstance(tree, tuple) and hasattr(tree, "_fields"):
        steps, branches = [f".{name}" if path else name for name in tree._fields], tree
    elif isinstance(tree, (tuple, list)):
        steps, branches = [f"[{i}]" for i in range(len(tree))], tree
    else:
        return [] if tree is None else [(path, tree)]
    return [leaf for step, b in zip(steps, branches, strict=True) for leaf in flatten_with_paths(b, path + step)]


def rebuild(tree: Any, change: Callable[[Any], Any]) -> Any:
    """A nest of the same structure with each leaf changed."""
    if isinstance(tree, dict):
        changed = copy(tree)  # of the same type
        for key, branch in tree.items():
            changed[key] = rebuild(branch, change)
        return changed
    if isinstance(tree, (tuple, list)):
        branches = [rebuild(branch, change) for branch in tree]
        return type(tree)(*branches) if hasattr(tree, "_fields") else type(tree)(branches)
    return None if tree is None else change(tree)


def with_leaves(tree: Any, leaves: Iterable[Any]) -> Any:
    """A nest of the same structure with other leaves, given in order."""
    remaining = iter(leaves)
    return rebuild(tree, lambda _: next(remaining))
