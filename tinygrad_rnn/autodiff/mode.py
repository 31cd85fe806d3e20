"""What the engine does besides computing: track gradients, watch for NaN, record.

The mode is one immutable value in one context variable, so each thread has its own and an exception
leaving a `with` block restores what was there before.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any, Protocol


class Listener(Protocol):
    """What the engine tells a recorder: an operation ran, or raised; a tensor got a name."""

    def add(self, out: Any, operation: Any, inputs: Any, attributes: Any) -> None: ...

    def fail(self, operation: Any, inputs: Any, attributes: Any) -> None: ...
    def rename(self, tensor: Any, name: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Mode:
    gradients: bool = True
    anomaly: bool = False
    recorder: Listener | None = None


_MODE: ContextVar[Mode] = ContextVar("tinygrad_rnn.autodiff.mode", default=Mode())  # noqa: B039  (Mode is frozen)
current_mode = _MODE.get


@contextmanager
def mode(**changes: Any) -> Iterator[None]:
    """Run a block in the current mode with `changes`; restore it afterwards, whatever happens."""
    token = _MODE.set(replace(_MODE.get(), **changes))
    try:
        yield
    finally:
        _MODE.reset(token)


def no_grad() -> Any:
    """`with no_grad():` (or as a decorator): results are constants, nothing is kept for a backward pass."""
    return mode(gradients=False)


def detect_anomaly() -> Any:
    """`with detect_anomaly():` the first operation that makes a NaN or an infinity is an error.

    The AnomalyError names the operation and the line of the forward call, also when the NaN is made in
    the backward pass. A backward pass over an array that was changed since the forward pass used it is
    an error as well. Costs a check of every array: for finding a fault, not for training.
    """
    return mode(anomaly=True)
