"""What a page depends on, as one number: the code, the settings, the packages."""

from __future__ import annotations

import hashlib
import importlib.metadata
import inspect
import platform
from collections.abc import Iterable
from contextlib import suppress
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import tinygrad_rnn
import viz
from zoo import catalogue

PACKAGES = ("numpy", "graphviz", "jinja2", "latex2mathml", "matplotlib", "pygments")


def digest(modules: Iterable[ModuleType], *settings: Any) -> str:
    """A text that changes with the engine, with viz, with modules of the zoo or what they import, and with settings."""
    files = {file for module in modules for file in _with_imports(module)}
    examples = _file(Path(catalogue.__file__))  # not what it imports: that is every model
    code = [_folder(tinygrad_rnn), _folder(viz), examples, *(_file(file) for file in sorted(files))]
    return hashlib.sha256(repr((code, _versions(), settings)).encode()).hexdigest()[:16]


def engine() -> str:
    """A text that changes with the engine."""
    return _folder(tinygrad_rnn)


def _with_imports(module: ModuleType) -> set[Path]:
    """The files of a module of the zoo and of all that it takes from others there, and they from others."""
    found: set[Path] = set()
    waiting = [module]
    while waiting:
        file = Path(inspect.getsourcefile(waiting[-1]) or "")
        names = vars(waiting.pop()).values()
        if file not in found:
            found.add(file)
            used = (v if isinstance(v, ModuleType) else inspect.getmodule(v) for v in names if _is_named(v))
            waiting += [m for m in used if m is not None and m.__name__.startswith("zoo.")]
    return found


def _is_named(value: Any) -> bool:
    return isinstance(value, ModuleType) or inspect.isclass(value) or inspect.isfunction(value)


@cache
def _folder(package: ModuleType) -> str:
    """Of the code and the templates in a package."""
    folder = Path(inspect.getsourcefile(package) or "").parent
    files = [f for f in sorted(folder.rglob("*")) if f.suffix in (".py", ".html", ".css", ".js")]
    return hashlib.sha256(repr([(str(f.relative_to(folder)), _file(f)) for f in files]).encode()).hexdigest()


def _file(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _versions() -> dict[str, str]:
    found = {"Python": platform.python_version()}
    for package in PACKAGES:
        with suppress(importlib.metadata.PackageNotFoundError):
            found[package] = importlib.metadata.version(package)
    return found
