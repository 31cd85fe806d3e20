"""A dictionary key that compares objects by identity."""

from __future__ import annotations

from typing import Generic, TypeVar

T = TypeVar("T")


class IdentityKey(Generic[T]):
    """Equal to another key if both hold the same object. The key keeps its object alive.

    For arrays and lists, which have no hash; for code objects, which are equal to copies in other files; and for
    modules, which are compared by value if a user defines them as dataclasses.
    """

    __slots__ = ("_held",)

    def __init__(self, held: T):
        self._held = held

    def __hash__(self) -> int:
        return object.__hash__(self._held)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, IdentityKey) and self._held is other._held
