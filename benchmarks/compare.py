"""What the engine and its peers are and can do, found out by trying: size, what they need, higher derivatives."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from importlib.metadata import PackageNotFoundError, files, requires, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from packaging.requirements import Requirement

from .measure import Table

LENGTH = 10_000

Function = Callable[[Any], Any]


class Engine(NamedTuple):
    """What is done differently from engine to engine.

    packages     the folders of its own code
    number       makes a number that can be differentiated by
    derivative   of a function of a number: again a function, whose derivative can be asked for
    convolution  "module:name", where it has one
    gpu          "module:name" of what speaks to one
    """

    packages: tuple[str, ...]
    number: Function
    derivative: Callable[[Function], Function]
    convolution: str = ""
    gpu: str = ""


def run(length: int = LENGTH) -> Table:
    """A row for each fact, a column for each engine that is installed."""
    found, missing = installed()
    table = Table("The engine beside others", ["", *(f"{name} {version(name)}" for name in found)])
    engines = found.values()
    table.rows += [
        ["lines of Python in the engine", *(_lines(engine.packages[0]) for engine in engines)],
        ["packages that it needs", *(len(_needed(name)) - 1 for name in found)],
        ["MB on disk, with them", *(_megabytes(name, engine) for name, engine in found.items())],
        ["derivatives of derivatives", *(_yes(differentiates_twice(engine)) for engine in engines)],
        [f"{length:,} operations in a row, and back", *(_yes(goes_back(engine, length)) for engine in engines)],
        ["convolution", *(_yes(_has(engine.convolution)) for engine in engines)],
        ["GPU", *(_yes(_has(engine.gpu)) for engine in engines)],
    ]
    table.notes.append("lines: of the package's .py files; PyTorch has most of its code in C++")
    table.notes.append(
        "MB: of tinygrad_rnn engine, zoo and viz. Convolution: autograd has one where SciPy is installed"
    )
    table.notes += [f"{name} is not installed: not compared" for name in missing]
    return table


def differentiates_twice(engine: Engine) -> bool:
    """Whether d²/dx² x³ at 2 is 12."""
    try:
        return bool(engine.derivative(engine.derivative(lambda x: x * x * x))(engine.number(2.0)) == 12)
    except (AttributeError, TypeError):  # the derivative is a plain number, of which there is none
        return False


def goes_back(engine: Engine, length: int) -> bool:
    """Whether a chain of so many operations can be differentiated, with the stack that Python starts with."""

    def chain(x: Any) -> Any:
        for _ in range(length):
            x = x + 1.0
        return x

    try:
        return bool(engine.derivative(chain)(engine.number(0.0)) == 1)
    except RecursionError:
        return False


def _has(place: str) -> bool:
    """Whether there is a "module:name"."""
    module, _, name = place.partition(":")
    try:
        return bool(place) and hasattr(import_module(module), name)
    except ImportError:
        return False


def _yes(answer: bool) -> str:
    return "yes" if answer else "no"


# -- what is installed ---------------------------------------------------------------------------------------


def _folder(package: str) -> Path:
    spec = find_spec(package)
    assert spec is not None and spec.origin is not None, package
    return Path(spec.origin).parent


def _lines(package: str) -> int:
    return sum(len(path.read_bytes().splitlines()) for path in _folder(package).rglob("*.py"))


def _needed(name: str) -> set[str]:
    """A distribution and, over and over, those that it requires here, without any extra."""
    needed: set[str] = set()
    waiting = [name]
    while waiting:
        name = waiting.pop()
        if name in needed or not _is_installed(name):
            continue
        needed.add(name)
        wanted = map(Requirement, requires(name) or ())
        waiting += [r.name.lower() for r in wanted if r.marker is None or r.marker.evaluate({"extra": ""})]
    return needed


def _is_installed(name: str) -> bool:
    try:
        return bool(version(name))
    except PackageNotFoundError:
        return False


def _megabytes(name: str, engine: Engine) -> float:
    """Of an engine and what it needs. Its own folders are counted, for from a checkout nothing is copied."""
    own = [path for package in engine.packages for path in _folder(package).rglob("*")]
    others = [Path(file.locate()) for other in _needed(name) - {name} for file in files(other) or ()]
    return sum(p.stat().st_size for p in {*own, *others} if p.is_file() and p.suffix != ".pyc") / 1e6


# -- the engines ---------------------------------------------------------------------------------------------


def installed() -> tuple[dict[str, Engine], list[str]]:
    """The engines that can be imported, ours first; the names of the others."""
    found: dict[str, Engine] = {}
    missing = []
    for make in tinygrad_rnn, torch, autograd, mygrad, micrograd:
        try:
            found[make.__name__] = make()
        except ImportError:
            missing.append(make.__name__)
    return found, missing


def tinygrad_rnn() -> Engine:
    import tinygrad_rnn as tg

    return Engine(("tinygrad_rnn", "zoo", "viz"), tg.Tensor, tg.grad)


def torch() -> Engine:
    import torch

    def derivative(f: Function) -> Function:
        return lambda x: torch.autograd.grad(f(x), x, create_graph=True)[0]

    def number(value: float) -> Any:
        return torch.tensor(value, requires_grad=True)

    return Engine(("torch",), number, derivative, "torch.nn.functional:conv1d", "torch:cuda")


def autograd() -> Engine:
    from autograd import grad

    return Engine(("autograd",), float, grad, "autograd.scipy.signal:convolve")


def mygrad() -> Engine:
    import mygrad

    return Engine(("mygrad",), mygrad.tensor, _by_backward, "mygrad.nnet.layers:conv_nd")


def micrograd() -> Engine:
    from micrograd.engine import Value

    return Engine(("micrograd",), Value, _by_backward)


def _by_backward(f: Function) -> Function:
    """Where a number has its derivative as an attribute."""

    def derivative(x: Any) -> Any:
        f(x).backward()
        return x.grad

    return derivative
