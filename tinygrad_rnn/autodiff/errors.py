"""Errors that name the operation, the shapes, and the user's expression with its line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .sites import here


class ShapeError(ValueError):
    """Shapes or axes that do not fit together."""


class GradientError(RuntimeError):
    """The user asked for a gradient that does not exist, or whose graph is gone."""


class AnomalyError(ArithmeticError):
    """Raised under `detect_anomaly()`: the operation that made the first NaN or infinity."""


def complaint(kind: type[Exception], message: str) -> Exception:
    """An error that also names the user's expression and its place."""
    return kind(f"{message}   {here()}".rstrip())


_KINDS = (TypeError, IndexError, ZeroDivisionError, OverflowError, FloatingPointError, MemoryError, RuntimeWarning)


def operation_error(error: Exception, name: str, glyph: str, inputs: Sequence[Any], attributes: dict) -> Exception:
    """The error to raise when NumPy raised `error` in an operation: it shows the call and NumPy's reason."""
    kind: type[Exception] = next((k for k in _KINDS if isinstance(error, k)), RuntimeError)
    kind = ShapeError if isinstance(error, ValueError) else kind  # AxisError is a ValueError and an IndexError
    call, reason = _written(name, glyph, inputs, attributes), _reason(error, name, inputs)
    return complaint(kind, f"{name}: {call}: {reason}")


def _written(name: str, glyph: str, inputs: Sequence[Any], attributes: dict) -> str:
    """The call with shapes in place of values: ``(32, 5) @ (4, 8)`` or ``sum((3, 4), axis=2)``."""
    shapes = [_shape(x) for x in inputs]
    if len(shapes) == 2 and not attributes and not glyph.isidentifier():
        return f"{shapes[0]} {glyph} {shapes[1]}"
    return f"{name}({', '.join(shapes + [f'{k}={_shape(v)}' for k, v in attributes.items()])})"


def _shape(x: Any) -> str:
    """The shape of an array or a tensor, also inside a tuple; the repr of anything else."""
    if isinstance(x, np.ndarray) or hasattr(x, "requires_grad"):
        return str(x.shape)
    if type(x) is tuple and any(isinstance(part, np.ndarray) for part in x):
        return f"({', '.join(_shape(part) for part in x)}{',' * (len(x) == 1)})"
    return repr(x)


def _reason(error: Exception, name: str, inputs: Sequence[Any]) -> str:
    """NumPy's message on one line; for a matrix product the two lengths that differ."""
    if name == "matmul" and len(inputs) == 2:
        a, b = (np.shape(x) for x in inputs)
        if a and b and a[-1] != b[-2:][0]:
            return f"{a[-1]} ≠ {b[-2:][0]}"
    return " ".join(str(error).split())
