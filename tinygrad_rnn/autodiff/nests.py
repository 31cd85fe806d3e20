"""Nests: tuples, lists and dicts, and what they contain, as functions take and return them. JAX calls them pytrees.

A named tuple, an OrderedDict and a defaultdict keep their type. None is an empty nest. All else is a leaf.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from copy import copy
from typing import Any


def flatten(tree: Any, path: str = "") -> list[Any]:
    """The leaves of a nest, in order."""
    return [leaf for _, leaf in flatten_with_paths(tree, path)]


def flatten_with_paths(tree: Any, path: str = "") -> list[tuple[str, Any]]:
    """The leaves of a nest with where they are: ``state.h``, ``xs[0]``, ``batch['x']``."""
    if tree is None:
        return []
    if not isinstance(tree, (tuple, list, dict)):
        return [(path, tree)]
    return [found for name, branch in _branches(tree, path) for found in flatten_with_paths(branch, name)]


def rebuild(tree: Any, change: Callable[[Any], Any]) -> Any:
    """A nest of the same structure with each leaf changed."""
    if tree is None:
        return None
    if isinstance(tree, dict):
        changed = copy(tree)  # of the same type
        for key, branch in tree.items():
            changed[key] = rebuild(branch, change)
        return changed
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return type(tree)(*(rebuild(branch, change) for branch in tree))
    if isinstance(tree, (tuple, list)):
        return type(tree)(rebuild(branch, change) for branch in tree)
    return change(tree)


def duplicate(tree: Any) -> Any:
    """A nest of the same structure with the same leaves: new dicts, lists and tuples around them."""
    return rebuild(tree, lambda leaf: leaf)


def with_leaves(tree: Any, leaves: Iterable[Any]) -> Any:
    """A nest of the same structure with other leaves, given in order."""
    remaining = iter(leaves)
    return rebuild(tree, lambda _: next(remaining))


def _branches(tree: Any, path: str) -> list[tuple[str, Any]]:
    if isinstance(tree, dict):
        return [(f"{path}[{key!r}]", branch) for key, branch in tree.items()]
    if hasattr(tree, "_fields"):
        return [(f"{path}.{name}" if path else name, branch) for name, branch in zip(tree._fields, tree, strict=True)]
    return [(f"{path}[{i}]", branch) for i, branch in enumerate(tree)]
