"""A dictionary key for objects whose own `==` does not mean "the same object"."""

from __future__ import annotations

from typing import Generic, TypeVar

T = TypeVar("T")


class IdentityKey(Generic[T]):
    """Equal to another key if both hold the same object.

    For arrays and lists, which have no hash; for code objects, which are equal to copies in other files; and for
    modules, which users may define as dataclasses. The key keeps its object alive.
    """

    __slots__ = ("_held",)

    def __init__(self, held: T):
        self._held = held

    def __hash__(self) -> int:
        return object.__hash__(self._held)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, IdentityKey) and self._held is other._held
