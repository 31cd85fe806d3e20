"""A model in the reader's own file: `file.py:function` is found, called and recorded."""

from __future__ import annotations

import difflib
import inspect
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn.nn.modules import called
from tinygrad_rnn.tracing.record import Graph

NOT_THEIRS = tuple(os.path.dirname(os.path.abspath(file)) + os.sep for file in (tg.__file__, __file__, os.__file__))
"""The folders of code that a reader's own traceback leaves out: the engine, this package, Python's own library."""


class Input(NamedTuple):
    """An array to be made up: normal numbers of a shape or, given `below`, whole numbers from 0 up to it."""

    name: str
    shape: tuple[int, ...]
    below: int | None = None

    @classmethod
    def read(cls, text: str) -> Input:
        """From `x=5,2,3` or `y=5,2<4`. Raises ValueError for anything else."""
        written = re.fullmatch(r"(\w+)=([1-9]\d*(?:,[1-9]\d*)*)(?:<([1-9]\d*))?", text, flags=re.ASCII)
        if not written:
            raise ValueError(f'an input is a name and a shape, x=5,2,3, or "y=5,2<4" for numbers 0…3; not {text!r}')
        name, shape, below = written.groups()
        return cls(name, tuple(map(int, shape.split(","))), int(below) if below else None)

    def array(self, rng: np.random.Generator) -> np.ndarray:
        return rng.normal(size=self.shape) if self.below is None else rng.integers(self.below, size=self.shape)


class InputsMissing(ValueError):
    """The function has parameters that no input was given for: `names`."""

    def __init__(self, function: str, names: list[str]):
        super().__init__(f"{function} needs {' and '.join(names)}")
        self.names = names


class ModelFailed(Exception):
    """The reader's code raised an error: the message is its traceback, without what is not their code.

    reason   the error's kind, ValueError
    graph    the record of what ran until then; None if the recording had not begun
    """

    def __init__(self, error: BaseException):
        frames = [f for f in traceback.extract_tb(error.__traceback__) if not f.filename.startswith((*NOT_THEIRS, "<"))]
        head = ["Traceback (most recent call last):\n"] if frames else []
        last = traceback.format_exception_only(error)
        super().__init__("".join([*head, *traceback.format_list(frames), *last]).rstrip())
        self.reason = type(error).__name__
        self.graph: Graph | None = getattr(error, "graph", None)


def record(model: Callable[..., Any], *arguments: Any) -> Graph:
    """`tg.record`, for a model that may fail: then raises ModelFailed."""
    with _their_code():
        return tg.record(model, *arguments)


def record_file(name: str, inputs: Sequence[Input], seed: int) -> Graph:
    """Record what `file.py:function` names.

    A function without required parameters returns what to record, a tuple (model, *arguments). One with parameters, or
    a Module, is itself recorded, on the `inputs`, whose numbers come from `seed`.

    Raises OSError for the file, ValueError for the function and its inputs, ModelFailed for an error in the code.
    """
    file, _, function = name.rpartition(":") if ":" in name else (name, "", "")
    path = Path(os.path.abspath(file))
    source = _read(path, file)
    sys.path.insert(0, str(path.parent))  # where the file's own imports look first, as they do for a script
    try:
        module = _loaded(path, source)
        thing = _found(module, file, function)
        return record(*_what_to_record(function, thing, inputs, np.random.default_rng(seed)))
    finally:
        sys.path.remove(str(path.parent))


def _read(path: Path, file: str) -> bytes:
    if path.is_dir():
        raise IsADirectoryError(f"{file!r} is a folder: give a file in it, {os.path.join(file, 'model.py')}:build")
    try:
        return path.read_bytes()
    except FileNotFoundError:
        beside = [p.name for p in path.parent.glob("*.py")]
        raise FileNotFoundError(f"{file!r}: no such file{_or(beside, path.name)}") from None


def _loaded(path: Path, source: bytes) -> ModuleType:
    """The file run as a module. Its name is its path, so that it stands in the way of no other, be it numpy.py."""
    module = ModuleType(str(path))
    module.__file__, module.__package__ = str(path), ""
    sys.modules[module.__name__] = module
    with _their_code():
        exec(compile(source, str(path), "exec", dont_inherit=True), module.__dict__)
    return module


@contextmanager
def _their_code() -> Iterator[None]:
    try:
        yield
    except (Exception, SystemExit) as error:
        raise ModelFailed(error) from error


def _found(module: ModuleType, file: str, name: str) -> Callable[..., Any]:
    """The function, or the Module, of that name. Raises ValueError, which says what the file does define."""
    thing = getattr(module, name, None)
    if callable(thing) and not inspect.isclass(thing):
        return thing
    if inspect.isclass(thing):
        raise ValueError(f"{file}:{name} is a class: name a function that returns ({name}(…), *arguments)")
    functions = [n for n, f in vars(module).items() if inspect.isfunction(f) and f.__module__ == module.__name__]
    known = functions + [n for n, m in vars(module).items() if isinstance(m, tg.Module)]
    what = f"{file} has no function {name!r}{_or(known, name)}" if name else f"which function? {file}:NAME"
    raise ValueError(f"{what}; it defines: {', '.join(known) or 'none'}")


def _what_to_record(
    name: str, function: Callable[..., Any], inputs: Sequence[Input], rng: np.random.Generator
) -> tuple[Any, ...]:
    """(model, *arguments), made by the function or from it."""
    try:
        signature = inspect.signature(called(function))
    except ValueError:
        raise ValueError(f"{name} does not say what parameters it has: wrap it in a function of your own") from None
    places = [p for p in signature.parameters.values() if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    unreachable = [p.name for p in signature.parameters.values() if p.kind is p.KEYWORD_ONLY and p.default is p.empty]
    if unreachable:
        raise ValueError(f"{name} takes {unreachable[0]} by keyword only: give it a default")
    known = {p.name for p in places}
    given = {i.name: i for i in inputs}
    strange = [i.name for i in inputs if i.name not in known]
    if strange:
        raise ValueError(f"{name}{signature} takes no input {strange[0]!r}")
    missing = [p.name for p in places if p.default is p.empty and p.name not in given]
    if missing:
        raise InputsMissing(name, missing)
    if given:
        return function, *(given[p.name].array(rng) if p.name in given else p.default for p in places)
    with _their_code():
        made = function()
    if not (isinstance(made, tuple) and made and callable(made[0])):
        kinds = ", ".join(type(part).__name__ for part in made) if isinstance(made, tuple) else ""
        shown = f"({kinds})" if isinstance(made, tuple) else "None" if made is None else type(made).__name__
        raise ValueError(f"{name}() must return what to record, a tuple (model, *arguments), not {shown}")
    return made


def _or(known: Sequence[str], name: str) -> str:
    near = difflib.get_close_matches(name, known, 1)
    return f"; did you mean {near[0]}?" if near else ""
