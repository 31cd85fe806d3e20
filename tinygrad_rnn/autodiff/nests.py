"""Nested tuples, lists and dicts of tensors, as functions take and return them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def flatten(tree: Any, path: str = "") -> list[Any]:
    """The leaves of a nest, in order."""
    return [leaf for _, leaf in flatten_with_paths(tree, path)]


def flatten_with_paths(tree: Any, path: str = "") -> list[tuple[str, Any]]:
    """The leaves of a nest with where they are: ``state.h``, ``xs[0]``, ``batch['x']``."""
    if not isinstance(tree, (tuple, list, dict)):
        return [(path, tree)]
    return [found for name, branch in _branches(tree, path) for found in flatten_with_paths(branch, name)]


def rebuild(tree: Any, change: Callable[[Any], Any]) -> Any:
    """A nest of the same form with each leaf changed."""
    if isinstance(tree, dict):
        return type(tree)({key: rebuild(branch, change) for key, branch in tree.items()})
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return type(tree)(*(rebuild(branch, change) for branch in tree))
    if isinstance(tree, (tuple, list)):
        return type(tree)(rebuild(branch, change) for branch in tree)
    return change(tree)


def _branches(tree: Any, path: str) -> list[tuple[str, Any]]:
    if isinstance(tree, dict):
        return [(f"{path}[{key!r}]", branch) for key, branch in tree.items()]
    if hasattr(tree, "_fields"):
        return [(f"{path}.{name}" if path else name, branch) for name, branch in zip(tree._fields, tree, strict=True)]
    return [(f"{path}[{i}]", branch) for i, branch in enumerate(tree)]
