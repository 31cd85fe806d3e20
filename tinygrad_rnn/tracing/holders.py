"""Names for what a run did not compute: a value is called by what holds it, a variable, an attribute or a key.

`Holders` finds the path of a value, ``params.0``, ``model.encoder.W``, in the variables of the functions that run.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import islice
from types import CodeType, FrameType, FunctionType, MethodType, ModuleType
from typing import Any

from ..autodiff.tensor import Tensor
from ..nn.identity import IdentityKey
from .syntax import lines_of, loop_targets, source_of

DEEPEST, MOST = 6, 10_000
"""How deep a value may lie in a variable, and how many values of one variable are looked at."""


class Holders:
    """Finds which variable holds a value, be it in a list, a dict or an object.

    root  the recorded function, or the object whose method it is: its attributes need no prefix
    """

    def __init__(self, root: Any):
        self._root = root
        self._paths: dict[IdentityKey[Any], dict[IdentityKey[Any], str]] = {}

    def path(self, thing: Any, frames: Sequence[FrameType], *, of_data: bool = False) -> str | None:
        """The path to a value, ``params.0`` or ``cell.W``, seen from the frames of a run; None if nothing holds it.

        frames   the innermost first; but the outermost is asked first, for what is called w in a function that does
                 one thing to many values has a name of its own outside. A loop's variable is asked last, for the same
                 reason
        of_data  the value is no parameter: a loop's variable, or the list itself, is the name of all elements of a list
        """
        for frame in reversed(frames):
            passing = frozenset[str]() if of_data else _loop_variables(frame.f_code)
            scopes = [{k: v for k, v in frame.f_locals.items() if not k.startswith(".")}, frame.f_globals]
            for scope in scopes:
                for name, value in scope.items():
                    if value is thing and name not in passing:
                        return name
            for scope in scopes:
                for name, value in list(scope.items()):
                    inner = self._inside(value).get(IdentityKey(thing)) if name not in passing else None
                    if inner is not None:
                        path = inner if value is self._root else f"{name}.{inner}"
                        return re.sub(r"(\.\d+)+$", "", path) if of_data else path
            for name in passing:
                if scopes[0].get(name) is thing:
                    return name
        return None

    def _inside(self, container: Any) -> dict[IdentityKey[Any], str]:
        """The paths of all that is in a container; looked up once in a run."""
        key = IdentityKey(container)
        if key not in self._paths:
            found: dict[IdentityKey[Any], str] = {}
            pending = deque([("", container, 0)])
            while pending:
                path, value, depth = pending.popleft()
                for name, part in islice(_parts(value), MOST - len(found)):
                    if IdentityKey(part) not in found:
                        found[IdentityKey(part)] = inner = f"{path}.{name}" if path else str(name)
                        if depth < DEEPEST:
                            pending.append((inner, part, depth + 1))
            self._paths[key] = found
        return self._paths[key]


def variable(thing: Any, frames: Sequence[FrameType]) -> str | None:
    """The local variable that a value is in, the outermost one: W_xh after ``W_xh, W_hh, b_h = params``."""
    for frame in reversed(frames):
        for name, value in frame.f_locals.items():
            if value is thing:
                return name
    return None


def _parts(value: Any) -> Iterable[tuple[Any, Any]]:
    """What a container holds, by key, index or attribute, also of its class; nothing for a leaf."""
    if isinstance(value, dict):
        return list(value.items())
    if isinstance(value, (list, tuple, deque)):
        return list(zip(getattr(value, "_fields", range(len(value))), value, strict=True))
    is_leaf = isinstance(value, (Tensor, ModuleType, FunctionType, MethodType))
    if is_leaf or not (hasattr(value, "__dict__") or hasattr(value, "__slots__")):
        return ()
    found: dict[str, Any] = {}
    for kind in reversed(value.__mro__ if isinstance(value, type) else type(value).__mro__):
        slots = vars(kind).get("__slots__", ())
        found |= vars(kind) | {name: getattr(value, name) for name in slots if hasattr(value, name)}
    found |= getattr(value, "__dict__", {})
    return [(name, part) for name, part in found.items() if not name.startswith("__")]


def split(path: str) -> tuple[str, str]:
    """The owner and the name of what has a path: its last key that is no number, with the numbers behind it.

    ``encoder.W`` is the W of encoder, ``encoder.layers.0`` its layers.0.
    """
    keys = path.split(".")
    last = max((i for i, key in enumerate(keys) if not key.isdecimal()), default=0)
    return ".".join(keys[:last]), ".".join(keys[last:])


@lru_cache(maxsize=1024)
def _loop_variables(code: CodeType) -> frozenset[str]:
    """The variables of a function that a ``for`` sets anew in each round."""
    return frozenset(name for line, name, _ in loop_targets(source_of(code)) if line in lines_of(code))
