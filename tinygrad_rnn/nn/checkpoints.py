"""Checkpoints: a training run in one file, so that it can be killed at any moment and go on as if it had not been.

The file is an ordinary `.npz` (a zip of arrays, which ``np.load`` opens too) without pickle, so reading one never
runs code from it. Its entry `header` is a line of JSON; all others are arrays, ``model/encoder.W`` or
``optimiser/m.0``. Saving the same state twice gives the same bytes.

A new checkpoint is written beside the old one and put in its place by a rename, which happens wholly or not
at all. The old one is kept as ``name.previous.npz``.
"""

from __future__ import annotations

import io
import json
import operator
import os
import shutil
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from .modules import Module, check_state
from .optimisers import Optimiser

FORMAT = "tinygrad_rnn checkpoint"
VERSION = 1


class CheckpointError(Exception):
    """A checkpoint that cannot be read, written, or used for this model; one line that names the file and the mend."""


def save_checkpoint(
    path: str | os.PathLike[str],
    *,
    model: Module,
    optimiser: Optimiser | None = None,
    rng: np.random.Generator | None = None,
    step: int = 0,
    extra: dict[str, Any] | None = None,
) -> None:
    """Write weights, the optimiser's state, the state of `rng`, the number of steps done, and `extra`.

    extra  anything JSON can say; it comes back as JSON has it: tuples as lists, keys as strings

    Whatever was at `path` is kept as ``name.previous.npz``. Killed at any moment, there is a whole checkpoint
    at `path`, the old one or the new; for this, one process at a time may save there.

    Raises TypeError or ValueError for what cannot be saved, and CheckpointError where the file cannot be written.
    """
    path = Path(path)
    header = {
        "format": FORMAT,
        "version": VERSION,
        "step": operator.index(step),
        "optimiser": type(optimiser).__name__ if optimiser is not None else None,
        "rng": _generator_state(rng) if rng is not None else None,
        "extra": extra or {},
    }
    arrays = {"header": np.array(json.dumps(header).encode())}
    arrays |= {f"model/{name}": array for name, array in model.state_dict().items()}
    if optimiser is not None:
        arrays |= {f"optimiser/{name}": array for name, array in optimiser.state_dict().items()}
    partial = path.with_name(path.name + ".partial")
    try:
        _write(partial, arrays)
        _keep_previous(path)
        os.replace(partial, path)
    except OSError as error:
        reason = error.strerror or error
        raise CheckpointError(f"{path}: cannot be written ({reason}): make room, or name another place") from error
    finally:
        with suppress(OSError):
            partial.unlink()


def load_checkpoint(
    path: str | os.PathLike[str],
    *,
    model: Module,
    optimiser: Optimiser | None = None,
    rng: np.random.Generator | None = None,
) -> tuple[int, dict[str, Any]]:
    """Set the model, the optimiser and the generator, as far as they are given, to the saved state.

    Returns (step, extra). Raises CheckpointError for a file that is missing, truncated, damaged, no checkpoint,
    or one of another version, model, optimiser or kind of generator; then nothing has changed.
    """
    path = Path(path)
    arrays = _read(path)
    header = _header(path, arrays)
    weights, memory = _part("model/", arrays), _part("optimiser/", arrays)
    try:
        check_state(weights, model.state_dict())
    except ValueError as error:
        raise CheckpointError(f"{path}: is of another model, {error}: build the one it was saved from") from error
    if rng is not None:
        _check_generator(path, header["rng"], rng)
    if optimiser is not None:
        saved, given = header["optimiser"] or "no optimiser", type(optimiser).__name__
        if saved != given:
            raise CheckpointError(f"{path}: was saved with {saved}, not {given}: use the same, or load without")
        try:
            optimiser.load_state_dict(memory)
        except ValueError as error:
            raise CheckpointError(f"{path}: {given} has other parameters, {error}: give it the same") from error
    model.load_state_dict(weights)  # from here on nothing can fail: it was all tried
    if rng is not None:
        rng.bit_generator.state = header["rng"]
    return header["step"], header["extra"]


def previous(path: str | os.PathLike[str]) -> Path:
    """Where `save_checkpoint` keeps what was at `path` before: ``run.npz`` → ``run.previous.npz``."""
    path = Path(path)
    return path.with_name(f"{path.stem}.previous{path.suffix}")


# -- the file --------------------------------------------------------------------------------------


def _write(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Write an .npz and wait until it is on the disk: only then may it take another's place."""
    with open(path, "wb") as file:
        with zipfile.ZipFile(file, "w") as archive:
            for name, array in arrays.items():
                # A ZipInfo carries no date; force_zip64 allows arrays of more than 2 GiB.
                with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as member:
                    np.lib.format.write_array(member, array, allow_pickle=False)
        file.flush()
        os.fsync(file.fileno())


def _keep_previous(path: Path) -> None:
    """Give what is at `path` its second name, ``previous(path)``; it never loses the first."""
    if not path.exists():
        return
    second = path.with_name(path.name + ".second")
    second.unlink(missing_ok=True)  # left there by a run that was killed here
    try:
        os.link(path, second)
    except OSError:  # a file system without hard links
        shutil.copy2(path, second)
    os.replace(second, previous(path))
    second.unlink(missing_ok=True)  # where both already named one file, the rename did nothing


def _read(path: Path) -> dict[str, np.ndarray]:
    """All arrays of an .npz. Each entry is read whole, which compares its checksum, before it is looked into."""
    try:
        with zipfile.ZipFile(path) as archive:
            return {
                name.removesuffix(".npy"): np.lib.format.read_array(io.BytesIO(archive.read(name)), allow_pickle=False)
                for name in archive.namelist()
            }
    except FileNotFoundError as error:
        raise CheckpointError(f"{path}: there is no such file: {_instead(path)}") from error
    except (IsADirectoryError, PermissionError) as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror}): name a file that can") from error
    except Exception as error:  # damage can surface as nearly anything, from BadZipFile to MemoryError
        reason = " ".join(str(error).split()) or type(error).__name__
        raise CheckpointError(f"{path}: is truncated, damaged or no checkpoint ({reason}): {_instead(path)}") from error


def _instead(path: Path) -> str:
    older = previous(path)
    return f"load {older}, the one before it" if older.exists() else "name another"


def _header(path: Path, arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    try:
        header = json.loads(arrays["header"].item())
        ours = header["format"] == FORMAT
    except (KeyError, TypeError, ValueError):
        ours = False
    if not ours:
        raise CheckpointError(f"{path}: is an .npz, but no checkpoint of tinygrad_rnn: name another")
    if header["version"] != VERSION:
        version = header["version"]
        raise CheckpointError(f"{path}: has version {version}, not {VERSION}: load it with the program that saved it")
    return header


def _part(prefix: str, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}


# -- the generator ---------------------------------------------------------------------------------


def _generator_state(rng: np.random.Generator) -> dict[str, Any]:
    """The generator's state in what JSON has. Some kinds keep arrays in it, and take lists back."""
    if not isinstance(rng, np.random.Generator):
        raise TypeError(f"rng: a checkpoint takes a numpy.random.Generator, not a {type(rng).__name__}")
    return json.loads(json.dumps(rng.bit_generator.state, default=np.ndarray.tolist))


def _check_generator(path: Path, saved: dict[str, Any] | None, rng: np.random.Generator) -> None:
    given = _generator_state(rng)["bit_generator"]
    kind = saved["bit_generator"] if saved else "no generator"
    if kind != given:
        raise CheckpointError(f"{path}: was saved with {kind}, not {given}: use the same, or load without")
