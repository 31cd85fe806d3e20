"""What a model computes with besides its arguments: what its attributes, its closure and its globals hold.

A compiled program has their numbers in it. So they are looked at before each call, and where one has changed the model
is compiled anew. The arrays of tensors are not looked at: the program takes them from the tensors at each call.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache, partial
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any
from zlib import crc32

import numpy as np

from ..autodiff.sites import is_engine
from ..autodiff.tensor import Tensor
from ..nn.identity import IdentityKey

LARGE = 1_000_000
"""Of an array of more bytes, and of a list of more than a thousandth as many items, only the identity is compared."""


def held(model: Any) -> list[tuple[Any, Any]]:
    """Each thing that is held, with what may change about it, in an order that is always the same."""
    found: list[tuple[Any, Any]] = []
    seen: set[IdentityKey] = set()
    pending = [model]
    while pending:
        thing = pending.pop()
        if IdentityKey(thing) in seen and not isinstance(thing, (int, float, str)):
            continue
        seen.add(IdentityKey(thing))
        if isinstance(thing, Tensor):
            found.append((thing, thing.requires_grad))
        elif isinstance(thing, np.ndarray):
            small = thing.dtype != object and thing.nbytes <= LARGE
            found.append((thing, crc32(thing.tobytes()) if small else None))
        else:
            inside = list(_inside(thing))
            if not inside:
                found.append((thing, None))
            pending += reversed(inside)
    return found


def unchanged(before: list[tuple[Any, Any]], now: list[tuple[Any, Any]]) -> bool:
    return len(before) == len(now) and all(
        state == other and (a is b or (type(a) is type(b) and isinstance(a, (int, float, str, np.generic)) and a == b))
        for (a, state), (b, other) in zip(before, now, strict=True)
    )


def _inside(thing: Any) -> Iterator[Any]:
    """What a thing holds by which it may decide what is computed."""
    match thing:
        case MethodType():
            yield from (thing.__self__, thing.__func__)
        case FunctionType():
            yield from (cell.cell_contents for cell in thing.__closure__ or () if _is_filled(cell))
            if not is_engine(thing.__code__):
                yield from (*(thing.__defaults__ or ()), *(thing.__kwdefaults__ or {}).values())
                yield from (thing.__globals__[name] for name in _names(thing.__code__) if name in thing.__globals__)
        case partial():
            yield from (thing.func, *thing.args, *thing.keywords.values())
        case dict() if len(thing) <= LARGE // 1000:
            yield from thing.values()
        case list() | tuple() if len(thing) <= LARGE // 1000:
            yield from thing
        case _ if hasattr(thing, "__dict__") and not isinstance(thing, (type, ModuleType, FunctionType)):
            yield from (*vars(thing).values(), *_functions(type(thing)))  # type: ignore[arg-type]  # a class is hashable


@lru_cache(maxsize=1024)
def _names(code: CodeType) -> tuple[str, ...]:
    """The global names that a function uses, also in functions within it."""
    inner = [name for constant in code.co_consts if isinstance(constant, CodeType) for name in _names(constant)]
    return tuple(dict.fromkeys([*code.co_names, *inner]))


@lru_cache(maxsize=1024)
def _functions(kind: type) -> tuple[Any, ...]:
    """The functions and properties of a class that are not the engine's."""
    found = [getattr(f, "fget", f) for base in kind.__mro__ for f in vars(base).values()]
    found = [getattr(f, "__func__", f) for f in found]
    return tuple(f for f in found if isinstance(f, FunctionType) and not is_engine(f.__code__))


def _is_filled(cell: Any) -> bool:
    try:
        cell.cell_contents  # noqa: B018
    except ValueError:
        return False
    return True
