"""`detect_anomaly()`: find the operation that makes the first NaN or infinity, forward or backward."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .errors import AnomalyError
from .reverse import Gradients, Node
from .sites import here


def not_finite(value: Any) -> str:
    """ "NaN", "infinity" or "" (all finite)."""
    array = np.asarray(value)
    if array.dtype.kind != "f" or np.isfinite(array).all():
        return ""
    return "NaN" if np.isnan(array).any() else "infinity"


def watch(name: str, array: np.ndarray, node: Node | None, values: Sequence[Any]) -> None:
    """Check the result of an operation; note in its node where it was made, and from what.

    An infinity among the inputs is meant, −∞ for the score of a masked place, and may go on; a NaN may not.
    """
    place, found = here(), not_finite(array)
    given = " (an input already was)" if found and any(not_finite(v) for v in values) else ""
    if found == "NaN" or (found and not given):
        raise AnomalyError(f"{name} made {found}{given}   {place}")
    if node is not None:
        node.made_at = place, _checksums(values)


class Watched(Gradients):
    """Gradients that check each contribution. `arrive` goes around the function of that name (see `backpropagate`)."""

    def __init__(self, arrive: Callable[[Node, Any], Any]):
        super().__init__()
        self._arrive = arrive

    def arrive(self, y: Node, g: Any) -> Any:
        """Note whose rules run next, and check that no input of y has changed since the forward pass."""
        self.name = "" if y.operation is None else y.operation.name
        self.place, checksums = y.made_at or ("", None)
        if checksums is not None and checksums != _checksums(y.values):
            raise AnomalyError(f"an array that {self.name} used was changed since the forward pass   {self.place}")
        return self._arrive(y, g)

    def add(self, x: Node, d: Any) -> None:
        if found := "" if callable(d) else not_finite(getattr(d, "_array", d)):
            raise AnomalyError(f"the derivative of {self.name} made {found}   {self.place}")
        super().add(x, d)


def _checksums(values: Sequence[Any]) -> list[int]:
    return [zlib.crc32(np.ascontiguousarray(v).tobytes()) if isinstance(v, np.ndarray) else 0 for v in values]
