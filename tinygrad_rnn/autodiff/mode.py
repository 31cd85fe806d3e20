"""What the engine does besides computing: track gradients, watch for NaN, record.

The mode is one value in one context variable, so each thread and each asyncio task has its own, and an exception
leaving a `with` block restores what was there before.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass, replace
from functools import wraps
from typing import Any, Protocol, TypeVar


class Listener(Protocol):
    """What the engine tells a recorder: an operation ran, or raised; a tensor got a name; Python takes its numbers."""

    def add(self, out: Any, operation: Any, inputs: Any, attributes: Any) -> None: ...
    def fail(self, operation: Any, inputs: Any, attributes: Any) -> None: ...
    def rename(self, tensor: Any, name: str) -> None: ...
    def reads_numbers(self, tensor: Any) -> None: ...


@dataclass(slots=True)
class Mode:
    gradients: bool = True
    anomaly: bool = False
    recorder: Listener | None = None


_MODE: ContextVar[Mode] = ContextVar("tinygrad_rnn.mode", default=Mode())  # noqa: B039  (this one never changes)
current_mode = _MODE.get

Function = TypeVar("Function", bound=Callable[..., Any])


class mode:
    """Run a block, or as a decorator a function, in the current mode with `changes`; restore it afterwards.

    A decorated generator is in that mode only while it runs: between its steps its caller is in the caller's own mode.
    """

    def __init__(self, **changes: Any):
        self.changes = changes
        self.entered: list[Any] = []

    def __enter__(self) -> None:
        inside = replace(current_mode(), **self.changes)
        self.entered.append((inside, current_mode(), _MODE.set(inside)))

    def __exit__(self, *_: Any) -> None:
        inside, outside, token = self.entered.pop()
        try:
            _MODE.reset(token)
        except ValueError:  # a generator has left the block in another thread than it entered it: it ends there too
            inside.gradients, inside.anomaly, inside.recorder = outside.gradients, outside.anomaly, outside.recorder

    def __call__(self, function: Function) -> Function:
        if inspect.isasyncgenfunction(function):
            raise TypeError(f"{function.__name__} is an asynchronous generator: use a `with` block in its body")
        make: Any = _generator if inspect.isgeneratorfunction(function) else _function
        make = _coroutine if inspect.iscoroutinefunction(function) else make
        return wraps(function)(make(function, self.changes))  # type: ignore[return-value]


def _function(function: Callable[..., Any], changes: dict[str, Any]) -> Callable[..., Any]:
    def run(*args: Any, **keywords: Any) -> Any:
        with mode(**changes):
            return function(*args, **keywords)

    return run


def _coroutine(function: Callable[..., Any], changes: dict[str, Any]) -> Callable[..., Any]:
    async def run(*args: Any, **keywords: Any) -> Any:
        with mode(**changes):
            return await function(*args, **keywords)

    return run


def _generator(function: Callable[..., Any], changes: dict[str, Any]) -> Callable[..., Any]:
    def run(*args: Any, **keywords: Any) -> Iterator[Any]:
        steps = function(*args, **keywords)
        resume, given = steps.send, None
        while True:
            try:
                with mode(**changes):
                    item = resume(given)
            except StopIteration as end:
                return end.value
            try:
                resume, given = steps.send, (yield item)
            except BaseException as error:  # thrown in by the caller, or GeneratorExit from close()
                resume, given = steps.throw, error

    return run


def no_grad() -> mode:
    """`with no_grad():` (or as a decorator): results are constants, nothing is kept for a backward pass."""
    return mode(gradients=False)


def detect_anomaly() -> mode:
    """`with detect_anomaly():` the first operation that makes a NaN, or an infinity of finite inputs, is an error.

    The AnomalyError names the operation and the line of the forward call, also when the NaN is made in
    the backward pass. A backward pass over an array that was changed since the forward pass used it is
    an error as well. Costs a check of every array: for finding a fault, not for training.
    """
    return mode(anomaly=True)
