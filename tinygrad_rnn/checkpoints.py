"""Checkpoints: a training run in one file, so that it can be killed at any moment and go on as if it had not been.

The file is an ordinary `.npz` (a zip of arrays, which ``np.load`` opens too) without pickle, so reading one never
runs code from it. Its entry `header` is a line of JSON; all others are arrays, ``model/encoder.W`` or
``optimiser/m.0``. Saving the same state twice gives the same bytes.

A new checkpoint is written beside the old one and put in its place by a rename, which happens wholly or not
at all. The old one is kept as ``name.previous.npz``.
"""

from __future__ import annotations

import copy
import io
import json
import operator
import os
import shutil
import zipfile
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
    if rng is not None and not isinstance(rng, np.random.Generator):
        raise TypeError(f"save_checkpoint: rng must be a numpy.random.Generator, not a {type(rng).__name__}")
    header = {
        "format": FORMAT,
        "version": VERSION,
        "step": operator.index(step),
        "optimiser": type(optimiser).__name__ if optimiser is not None else None,
        "rng": rng.bit_generator.state if rng is not None else None,
        "extra": extra or {},
    }
    arrays = {"header": np.array(json.dumps(header, default=_rng_array).encode())}
    arrays |= {f"model/{name}": array for name, array in model.state_dict().items()}
    if optimiser is not None:
        arrays |= {f"optimiser/{name}": array for name, array in optimiser.state_dict().items()}
    partial = path.with_name(path.name + ".partial")
    try:
        _write(partial, arrays)
        _keep_previous(path)
        os.replace(partial, path)
    except OSError as error:
        raise CheckpointError(
            f"{path}: cannot be written ({error.strerror or error}): free or name another place"
        ) from error
    finally:
        partial.unlink(missing_ok=True)


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
    try:
        weights = _part("model", arrays)
        check_state(weights, model.state_dict())
    except ValueError as error:
        raise CheckpointError(f"{path}: is of another model, {error}: build the model it was saved from") from error
    new_state = None if rng is None else _checked_rng_state(path, header["rng"], rng)
    if optimiser is not None:
        if header["optimiser"] != type(optimiser).__name__:
            kind = header["optimiser"] or "no optimiser"
            raise CheckpointError(f"{path}: was saved with {kind}, not {type(optimiser).__name__}: use the same")
        try:
            optimiser.load_state_dict(_part("optimiser", arrays))
        except ValueError as error:
            raise CheckpointError(f"{path}: is of another optimiser, {error}: give it the same parameters") from error
    model.load_state_dict(weights)
    if rng is not None:
        rng.bit_generator.state = new_state
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
        raise CheckpointError(f"{path}: there is no such file{_instead(path)}") from error
    except IsADirectoryError as error:
        raise CheckpointError(f"{path}: is a folder: name a file in it") from error
    except PermissionError as error:
        raise CheckpointError(f"{path}: may not be read: change its permissions") from error
    except Exception as error:  # damage can surface as nearly anything, from BadZipFile to MemoryError
        raise CheckpointError(f"{path}: is truncated, damaged or no checkpoint ({error}){_instead(path)}") from error


def _instead(path: Path) -> str:
    older = previous(path)
    return f": load {older}, the one before it" if older.exists() else ": save one there first, or name another"


def _header(path: Path, arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    try:
        header = json.loads(arrays.pop("header").item())
        ours = header["format"] == FORMAT
    except (KeyError, TypeError, ValueError):
        ours = False
    if not ours:
        raise CheckpointError(f"{path}: is not a checkpoint of tinygrad_rnn, though an .npz: name another file")
    if header["version"] != VERSION:
        raise CheckpointError(
            f"{path}: is of version {header['version']}, this program reads version {VERSION}: use the one that saved it"
        )
    return header


def _part(kind: str, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name.removeprefix(f"{kind}/"): array for name, array in arrays.items() if name.startswith(f"{kind}/")}


# -- the generator ---------------------------------------------------------------------------------


def _rng_array(value: Any) -> Any:
    """Some generators keep arrays in their state; they take lists back."""
    if isinstance(value, np.ndarray) and value.dtype.kind == "u":
        return value.tolist()
    raise TypeError(
        f"save_checkpoint: extra holds a {type(value).__name__}, which JSON cannot say: use .item() or .tolist()"
    )


def _checked_rng_state(path: Path, state: Any, rng: np.random.Generator) -> Any:
    """The state, after a copy of the generator has taken it."""
    if state is None:
        raise CheckpointError(f"{path}: was saved without a generator: load it without rng")
    try:
        copy.deepcopy(rng.bit_generator).state = state
    except (KeyError, TypeError, ValueError) as error:
        kind = type(rng.bit_generator).__name__
        raise CheckpointError(
            f"{path}: its generator is a {state.get('bit_generator')}, not a {kind}: use that"
        ) from error
    return state
