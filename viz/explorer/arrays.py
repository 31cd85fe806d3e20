"""Arrays as the page shows them: small ones whole, large ones by their statistics and their first rows."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

WHOLE = 64  # elements of an array that is shown whole
FIRST = 3, 8  # rows and columns that are shown of a larger one
HEAT = 32  # rows and columns of the largest matrix that is shown as a heat map
LEVELS = "abcdefghijklmnopq"
"""The heat map's levels, from the most negative number to the most positive: the middle one is 0."""


def summary(value: Any) -> dict[str, Any]:
    """What the page shows of an array, ready for JSON.

    shape   its lengths
    rows    its elements, row by row along the last axis: all if there are at most 64, otherwise the first
    cut     whether there are more
    stats   of an array that is cut: mean, standard deviation, min and max, over what is finite; and how much is not
    heat    of a matrix that is cut, up to 32 × 32: a letter for each element, see LEVELS
    """
    array = np.asarray(value)
    rows = array.reshape(-1, array.shape[-1]) if array.ndim and array.shape[-1] else array.reshape(1, -1)
    shown: dict[str, Any] = {"shape": list(array.shape), "dtype": str(array.dtype)}
    if array.size <= WHOLE:
        return shown | {"rows": _written(rows)}
    shown |= {"rows": _written(rows[: FIRST[0], : FIRST[1]]), "cut": True, "stats": _statistics(array)}
    if array.ndim == 2 and max(array.shape) <= HEAT:
        shown["heat"] = _heat(array)
    return shown


def _written(rows: np.ndarray) -> list[list[str]]:
    return [[number(element) for element in row] for row in rows.tolist()]


def number(x: float) -> str:
    """A number in at most four digits that count; a whole number as it is."""
    if isinstance(x, bool):
        return str(x)
    if isinstance(x, float) and not math.isfinite(x):
        return "NaN" if math.isnan(x) else "∞" if x > 0 else "−∞"
    return f"{x:.4g}".replace("-", "−") if isinstance(x, float) else str(x).replace("-", "−")


def _statistics(array: np.ndarray) -> dict[str, str]:
    finite = array[np.isfinite(array)].astype(float)
    lost = array.size - finite.size
    found = {"not finite": f"{lost} of {array.size}"} if lost else {}
    if finite.size:
        with np.errstate(over="ignore", invalid="ignore"):
            of = {"mean": finite.mean(), "deviation": finite.std(), "min": finite.min(), "max": finite.max()}
        found = {name: number(float(x)) for name, x in of.items()} | found
    return found


def _heat(matrix: np.ndarray) -> list[str]:
    top = len(LEVELS) // 2
    finite = np.where(np.isfinite(matrix), matrix, 0).astype(float)
    largest = np.abs(finite).max()
    levels = np.rint(finite / largest * top if largest else finite).astype(int) + top
    return ["".join(LEVELS[level] for level in row) for row in levels]
