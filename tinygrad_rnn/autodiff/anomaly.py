"""`detect_anomaly()`: find the operation that makes the first NaN or infinity, forward or backward."""

from __future__ import annotations

import zlib
from collections.abc import Collection, Iterator, Sequence
from typing import Any

import numpy as np

from .errors import AnomalyError
from .reverse import Contributions, Node
from .sites import here


def not_finite(value: Any) -> str:
    """ "NaN", "infinity" or "" (all finite)."""
    array = np.asarray(value)
    if array.dtype.kind != "f" or np.isfinite(array).all():
        return ""
    return "NaN" if np.isnan(array).any() else "infinity"


def watch(name: str, array: np.ndarray, node: Node | None, values: Sequence[Any]) -> None:
    """Check the result of an operation; note in its node where it was made, and from what."""
    place = here()
    if found := not_finite(array):
        given = " (an input already was)" if any(not_finite(v) for v in values) else ""
        raise AnomalyError(f"{name} made {found}{given}   {place}")
    if node is not None:
        node.made_at = place, _checksums(values)


def watched(contributions: Contributions) -> Contributions:
    """The same contributions, checked: each is finite, and no input has changed since the forward pass."""

    def checked(y: Node, g: Any, reached: Collection[Node]) -> Iterator[tuple[Node, Any]]:
        place = ""
        if y.made_at is not None:
            place, checksums = y.made_at
            if checksums != _checksums(y.values):
                raise AnomalyError(
                    f"an array that {y.operation.name} used was changed since the forward pass   {place}"
                )
        for x, d in contributions(y, g, reached):
            found = "" if callable(d) else not_finite(getattr(d, "_array", d))
            if found:
                raise AnomalyError(f"the derivative of {y.operation.name} made {found}   {place}")
            yield x, d

    return checked


def _checksums(values: Sequence[Any]) -> list[int]:
    return [zlib.crc32(np.ascontiguousarray(v).tobytes()) if isinstance(v, np.ndarray) else 0 for v in values]
