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
from zoo import catalogue, pairs

PACKAGES = ("graphviz", "jinja2", "latex2mathml", "matplotlib", "pygments")


def digest(modules: Iterable[ModuleType], *settings: Any) -> str:
    """A text that changes with a run of modules, with their examples, with viz and with the packages that it needs."""
    examples = _file(_path(catalogue))  # not what it imports: that is every model
    return _hash(digest_of_run(modules), examples, _folder(viz), _versions(PACKAGES), settings)


def digest_of_run(modules: Iterable[ModuleType], *settings: Any) -> str:
    """A text that changes with the engine, with modules of the zoo or what they import, with how they are built for a
    task, and with settings.
    """
    files = {file for module in modules for file in _with_imports(module)}
    files.add(_path(pairs))  # not what it imports: that is every model
    return _hash(_folder(tinygrad_rnn), [_file(file) for file in sorted(files)], _versions(["numpy"]), settings)


def _with_imports(module: ModuleType) -> set[Path]:
    """The files of a module of the zoo and of all that it takes from others there, and they from others."""
    found: set[Path] = set()
    waiting = [module]
    while waiting:
        file = _path(waiting[-1])
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
    folder = _path(package).parent
    files = [f for f in sorted(folder.rglob("*")) if f.suffix in (".py", ".html", ".css", ".js")]
    return _hash([(str(f.relative_to(folder)), _file(f)) for f in files])


def _path(module: ModuleType) -> Path:
    return Path(inspect.getsourcefile(module) or "")


def _file(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _hash(*dependencies: Any) -> str:
    return hashlib.sha256(repr(dependencies).encode()).hexdigest()[:16]


def _versions(packages: Iterable[str]) -> dict[str, str]:
    found = {"Python": platform.python_version()}
    for package in packages:
        with suppress(importlib.metadata.PackageNotFoundError):
            found[package] = importlib.metadata.version(package)
    return found
