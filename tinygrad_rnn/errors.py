"""Errors that name the operation, the shapes, the user's expression and its line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .sites import here

if TYPE_CHECKING:
    from .operation import Operation


class ShapeError(ValueError):
    """Shapes or axes that do not fit together."""


class GradientError(RuntimeError):
    """A gradient was asked for where there is none, or the graph for it is gone."""


class AnomalyError(ArithmeticError):
    """Raised under `detect_anomaly()`: the operation that made the first NaN or infinity."""


def operation_error(error: Exception, operation: Operation, inputs: Sequence[Any], attributes: dict) -> Exception:
    """NumPy's complaint about one operation, as an error a user can act on."""
    kind: type[Exception] = type(error)
    if isinstance(error, ValueError) and not isinstance(error, UnicodeError):  # AxisError is a ValueError too
        kind = ShapeError
    elif kind not in (TypeError, IndexError, ZeroDivisionError, OverflowError, MemoryError):
        kind = TypeError if isinstance(error, TypeError) else RuntimeError
    message = f"{operation.name}: {_written(operation, inputs, attributes)}: {_reason(error, operation, inputs)}"
    place = here()
    return kind(f"{message}   {place}" if place else message)


def _written(operation: Operation, inputs: Sequence[Any], attributes: dict) -> str:
    """The call with shapes in place of values: ``(32, 5) @ (4, 8)`` or ``sum((3, 4), axis=2)``."""
    shapes = [str(np.shape(x)) if isinstance(x, np.ndarray) or hasattr(x, "requires_grad") else repr(x) for x in inputs]
    if len(shapes) == 2 and not operation.glyph.isidentifier():
        return f"{shapes[0]} {operation.glyph} {shapes[1]}"
    return f"{operation.name}({', '.join(shapes + [f'{k}={v!r}' for k, v in attributes.items()])})"


def _reason(error: Exception, operation: Operation, inputs: Sequence[Any]) -> str:
    shapes = [np.shape(x) for x in inputs if not isinstance(x, (str, dict))]
    if operation.name == "matmul" and len(shapes) == 2 and all(shapes):
        inner, outer = shapes[0][-1], shapes[1][-2 if len(shapes[1]) > 1 else -1]
        if inner != outer:
            return f"{inner} ≠ {outer}"
    return " ".join(str(error).split())
