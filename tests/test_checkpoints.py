"""Checkpoints: what is saved comes back with the same bits, at whatever moment the run is killed."""

import json
import os
import random
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest

from tinygrad_rnn.nn.checkpoints import CheckpointError, load_checkpoint, previous, save_checkpoint
from tinygrad_rnn.nn.modules import Dropout, Linear, Module, Parameter
from tinygrad_rnn.nn.optimisers import SGD, Adam, AdamW

GENERATORS = ["PCG64", "PCG64DXSM", "MT19937", "Philox", "SFC64"]


class Model(Module):
    def __init__(self, hidden=4, dtype=np.float32):
        rng = np.random.default_rng(0)
        self.layers = [Linear(3, hidden, rng=rng, dtype=dtype), Linear(hidden, 1, rng=rng, dtype=dtype)]
        self.drop = Dropout(0.2)
        self.gain = Parameter(1.0)

    def __call__(self, x, rng=None):
        return self.gain * self.layers[1](self.drop(self.layers[0](x), rng))


def one_step(model, optimiser, rng):
    optimiser.zero_grad()
    x = rng.normal(size=(8, 3)).astype(np.float32)
    (model(x, rng) ** 2).mean().backward()
    optimiser.step()


def train(path, steps):
    """Train for `steps` steps in all, from the checkpoint at `path` if there is one, saving at every step."""
    model, rng = Model(), np.random.default_rng(1)
    optimiser, done, losses = Adam(model.parameters(), lr=0.01), 0, {"of": []}
    if Path(path).exists():
        done, losses = load_checkpoint(path, model=model, optimiser=optimiser, rng=rng)
    for step in range(done, steps):
        optimiser.lr = 0.01 * 0.99**step
        one_step(model, optimiser, rng)
        losses["of"].append(model.gain.item())
        save_checkpoint(path, model=model, optimiser=optimiser, rng=rng, step=step + 1, extra=losses)


def everything(model, optimiser, rng) -> str:
    """The whole state as text, every digit of it."""
    arrays = {**model.state_dict(), **(optimiser.state_dict() if optimiser else {})}
    numbers = {name: (str(a.dtype), a.shape, a.tobytes().hex()) for name, a in arrays.items()}
    return repr((numbers, rng.bit_generator.state if rng else None))


@pytest.fixture
def run():
    """A model, an optimiser and a generator in the middle of training."""
    model, rng = Model(), np.random.default_rng(2)
    optimiser = Adam(model.parameters(), lr=0.05)
    for _ in range(3):
        one_step(model, optimiser, rng)
    return {"model": model, "optimiser": optimiser, "rng": rng}


def fresh():
    model = Model()
    return {"model": model, "optimiser": Adam(model.parameters()), "rng": np.random.default_rng(9)}


# There and back


def test_what_is_saved_comes_back_with_the_same_bits_and_goes_on_with_the_same(run, tmp_path):
    path, extra = tmp_path / "run.npz", {"losses": [0.1, float("inf"), 1e-300], "task": "größer \ud800 0", "n": None}
    save_checkpoint(path, **run, step=3, extra=extra)
    other = fresh()
    assert load_checkpoint(path, **other) == (3, extra)
    assert everything(**other) == everything(**run)
    for _ in range(3):
        one_step(**run)
        one_step(**other)
    assert everything(**other) == everything(**run)


def test_weights_alone_can_be_saved_and_loaded(run, tmp_path):
    save_checkpoint(str(tmp_path / "run.npz"), model=run["model"])
    other = fresh()
    before = everything(Module(), other["optimiser"], other["rng"])
    assert load_checkpoint(str(tmp_path / "run.npz"), model=other["model"]) == (0, {})
    assert everything(other["model"], None, None) == everything(run["model"], None, None)
    assert everything(Module(), other["optimiser"], other["rng"]) == before


def test_weights_alone_can_be_loaded_from_a_checkpoint_of_everything(run, tmp_path):
    save_checkpoint(tmp_path / "run.npz", **run, step=3)
    model = Model()
    assert load_checkpoint(tmp_path / "run.npz", model=model) == (3, {})
    assert everything(model, None, None) == everything(run["model"], None, None)


@pytest.mark.parametrize("kind", GENERATORS)
def test_every_kind_of_generator_goes_on_where_it_was(kind, tmp_path):
    rng, other = (np.random.Generator(getattr(np.random, kind)(seed)) for seed in (1, 2))
    rng.normal(size=7)
    rng.integers(9, size=3, dtype=np.uint32)  # half a 64-bit draw is left over
    save_checkpoint(tmp_path / "run.npz", model=Model(), rng=rng)
    load_checkpoint(tmp_path / "run.npz", model=Model(), rng=other)
    for draw in (lambda g: g.integers(9, size=5, dtype=np.uint32), lambda g: g.normal(size=700)):
        np.testing.assert_array_equal(draw(rng), draw(other))


def test_the_file_is_an_npz_without_pickle_and_the_same_state_gives_the_same_bytes(run, tmp_path):
    one, two = tmp_path / "one.npz", tmp_path / "two.npz"
    save_checkpoint(one, **run, step=3)
    time.sleep(0.01)
    save_checkpoint(two, **run, step=3)
    assert one.read_bytes() == two.read_bytes()
    with np.load(one, allow_pickle=False) as file:
        assert json.loads(file["header"].item())["step"] == 3
        np.testing.assert_array_equal(file["model/layers.0.weight"], run["model"].layers[0].weight.data)
        assert file["model/layers.0.weight"].dtype == np.float32
        assert "optimiser/m.0" in file


def test_parameters_of_any_name_shape_and_layout_come_back(tmp_path):
    model, other = Module(), Module()
    for m, scale in (model, 1), (other, 0):
        m.weird = {"../β .npy": Parameter(scale * np.ones((0, 3))), "header": Parameter(scale * np.float16(3))}
        m.fortran = Parameter(scale * np.asfortranarray(np.arange(6.0).reshape(2, 3)))
    save_checkpoint(tmp_path / "run.npz", model=model)
    load_checkpoint(tmp_path / "run.npz", model=other)
    assert everything(model, None, None) == everything(other, None, None)


# The file that was there before


def test_the_previous_checkpoint_is_kept_and_nothing_else_is_left(run, tmp_path):
    path = tmp_path / "run.npz"
    for step in range(4):
        save_checkpoint(path, **run, step=step)
        assert load_checkpoint(path, **run)[0] == step
        if step:
            assert load_checkpoint(previous(path), **run)[0] == step - 1
    assert previous(path) == tmp_path / "run.previous.npz"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["run.npz", "run.previous.npz"]


def test_the_previous_checkpoint_is_kept_on_a_file_system_without_hard_links(run, tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError("no hard links here")

    monkeypatch.setattr(os, "link", refuse)
    for step in range(3):
        save_checkpoint(tmp_path / "run.npz", **run, step=step)
    assert load_checkpoint(tmp_path / "run.previous.npz", **run)[0] == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ["run.npz", "run.previous.npz"]


@pytest.mark.parametrize("failing", ["fsync", "replace"])
def test_a_save_that_fails_is_an_error_and_leaves_the_old_checkpoint_alone(run, tmp_path, monkeypatch, failing):
    def full(*_):
        raise OSError(28, "No space left on device")

    path = tmp_path / "run.npz"
    save_checkpoint(path, **run, step=1)
    old = path.read_bytes()
    with monkeypatch.context() as patched:
        patched.setattr(os, failing, full)
        with pytest.raises(
            CheckpointError, match=r"run\.npz: cannot be written \(No space left on device\): make room"
        ):
            save_checkpoint(path, **run, step=2)
    assert path.read_bytes() == old
    assert not (tmp_path / "run.npz.partial").exists()
    save_checkpoint(path, **run, step=2)
    assert load_checkpoint(path, **run)[0] == 2
    assert load_checkpoint(previous(path), **run)[0] == 1


def test_a_folder_that_is_not_there_and_a_folder_in_place_of_a_file_are_errors(run, tmp_path):
    with pytest.raises(CheckpointError, match=r"run\.npz: cannot be written \(No such file or directory\)"):
        save_checkpoint(tmp_path / "nowhere" / "run.npz", **run)
    with pytest.raises(CheckpointError, match="cannot be written"):
        save_checkpoint(tmp_path, **run)
    with pytest.raises(CheckpointError, match="cannot be read"):
        load_checkpoint(tmp_path, **run)


# Files that are none of ours


def refused(path, match, **targets):
    """load_checkpoint says so in one line that names the file, and changes nothing."""
    before = everything(targets["model"], targets.get("optimiser"), targets.get("rng"))
    with pytest.raises(CheckpointError, match=match) as error:
        load_checkpoint(path, **targets)
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)
    assert everything(targets["model"], targets.get("optimiser"), targets.get("rng")) == before


def test_a_truncated_file_is_an_error_at_whatever_length_and_names_the_checkpoint_before_it(run, tmp_path):
    path = tmp_path / "run.npz"
    save_checkpoint(path, **run, step=1)
    save_checkpoint(path, **run, step=2)
    whole = path.read_bytes()
    for length in [*range(0, len(whole), 97), len(whole) - 1]:
        path.write_bytes(whole[:length])
        refused(
            path, r"is truncated, damaged or no checkpoint \(.+\): load .*run\.previous\.npz, the one before", **run
        )
    assert load_checkpoint(previous(path), **run)[0] == 1


def test_a_damaged_byte_is_found_wherever_it_matters(run, tmp_path):
    """Every array has a checksum; the few bytes of a zip that say nothing (versions, dates) may be anything."""
    path, whole = tmp_path / "run.npz", everything(**run)
    save_checkpoint(path, **run, step=5)
    good = path.read_bytes()
    found = 0
    positions = range(0, len(good), 23)
    for position in positions:
        path.write_bytes(good[:position] + bytes([good[position] ^ 0x5A]) + good[position + 1 :])
        other = fresh()
        untouched = everything(**other)
        try:
            assert load_checkpoint(path, **other) == (5, {})
            assert everything(**other) == whole
        except CheckpointError:
            assert everything(**other) == untouched
            found += 1
    assert found > 0.7 * len(positions)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"is truncated, damaged or no checkpoint \(File is not a zip file\): name another"),
        (b"Call me Ishmael.", "is truncated, damaged or no checkpoint"),
        (b"\x80\x04N.", "is truncated, damaged or no checkpoint"),
    ],
)
def test_a_foreign_file_is_an_error(content, message, run, tmp_path):
    (tmp_path / "run.npz").write_bytes(content)
    refused(tmp_path / "run.npz", message, **run)


def test_a_foreign_npz_or_zip_is_an_error_and_pickles_in_it_are_not_run(run, tmp_path):
    path = tmp_path / "run.npz"
    for arrays in {"a": np.ones(3)}, {"header": np.ones(3)}, {"header": np.array(b"[1]")}, {"header": np.array(b"{}")}:
        np.savez(path, **arrays)
        refused(path, "is an .npz, but no checkpoint of tinygrad_rnn: name another", **run)
    np.savez(path, header=np.array([{"a": 1}], dtype=object))
    refused(path, r"is truncated, damaged or no checkpoint \(.*allow_pickle", **run)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("notes.txt", "nothing")
    refused(path, "is truncated, damaged or no checkpoint", **run)


def test_another_version_is_an_error(run, tmp_path, monkeypatch):
    path = tmp_path / "run.npz"
    with monkeypatch.context() as patched:
        patched.setattr("tinygrad_rnn.nn.checkpoints.VERSION", 99)
        save_checkpoint(path, **run)
    refused(path, "has version 99, not 1: load it with the program that saved it", **run)


def test_a_missing_file_is_an_error_that_names_the_previous_one_if_there_is_one(run, tmp_path):
    path = tmp_path / "run.npz"
    refused(path, "there is no such file: name another", **run)
    save_checkpoint(path, **run)
    save_checkpoint(path, **run)
    path.unlink()
    refused(path, r"there is no such file: load .*run\.previous\.npz, the one before it", **run)


def test_a_checkpoint_of_another_model_is_an_error_that_lists_all_differences(run, tmp_path):
    path = tmp_path / "run.npz"
    save_checkpoint(path, **run)
    other = Model(hidden=5, dtype=np.float64)
    other.bias = Parameter([0.0])
    del other.gain
    refused(
        path,
        r"is of another model, the state does not fit: missing bias; unexpected gain; "
        r"layers\.0\.weight is \(4, 3\) float32, not \(5, 3\) float64; .*: build the one it was saved from",
        model=other,
        optimiser=Adam(other.parameters()),
        rng=run["rng"],
    )


def test_another_optimiser_is_an_error(run, tmp_path):
    path, model = tmp_path / "run.npz", run["model"]
    save_checkpoint(path, **run)
    refused(path, "was saved with Adam, not AdamW: use the same", model=model, optimiser=AdamW(model.parameters()))
    part = Adam(model.parameters()[1:])
    refused(
        path, r"Adam has other parameters, .* unexpected m\.4, v\.4; updates is \(5,\)", model=model, optimiser=part
    )
    save_checkpoint(path, model=model)
    refused(path, "was saved with no optimiser, not SGD: use the same", model=model, optimiser=SGD(model.parameters()))


def test_another_kind_of_generator_is_an_error(run, tmp_path):
    path = tmp_path / "run.npz"
    save_checkpoint(path, **run)
    mersenne = np.random.Generator(np.random.MT19937(0))
    refused(path, "was saved with PCG64, not MT19937", **run | {"rng": mersenne})
    save_checkpoint(path, model=run["model"], optimiser=run["optimiser"])
    refused(path, "was saved with no generator, not PCG64", **run)


def test_what_cannot_be_saved_is_an_error_and_leaves_the_old_checkpoint_alone(run, tmp_path):
    path = tmp_path / "run.npz"
    save_checkpoint(path, **run)
    old = path.read_bytes()
    for wrong, message in [
        ({"rng": 3}, r"rng: a checkpoint takes a numpy\.random\.Generator, not a int"),
        ({"step": 1.5}, "integer"),
        ({"extra": {"loss": np.float32(1)}}, "float32 is not JSON serializable"),
    ]:
        with pytest.raises(TypeError, match=message):
            save_checkpoint(path, **run | wrong)
    assert [p.name for p in tmp_path.iterdir()] == ["run.npz"]
    assert path.read_bytes() == old
    with pytest.raises(TypeError, match="rng: a checkpoint takes"):
        load_checkpoint(path, **run | {"rng": 3})


# Killed


def folder(path: Path) -> list[tuple[str, int, bytes]]:
    """All that a process killed now would leave: names, which of them are one file, contents."""
    return [(p.name, p.stat().st_ino, p.read_bytes()) for p in sorted(path.iterdir())]


def rebuild(path: Path, files: list[tuple[str, int, bytes]]) -> None:
    path.mkdir()
    first: dict[int, Path] = {}
    for name, number, content in files:
        if number in first:
            os.link(first[number], path / name)
        else:
            first[number] = path / name
            first[number].write_bytes(content)


def test_at_every_moment_of_saving_the_old_checkpoint_or_the_new_is_whole_and_saving_goes_on(
    run, tmp_path, monkeypatch
):
    home, moments = tmp_path / "home", []
    home.mkdir()
    for step in 1, 2:
        save_checkpoint(home / "run.npz", **run, step=step)

    def watched(call):
        def between(*arguments, **how):
            moments.append(folder(home))
            try:
                return call(*arguments, **how)
            finally:
                moments.append(folder(home))

        return between

    with monkeypatch.context() as patched:
        for call in "fsync", "link", "unlink", "replace":
            patched.setattr(os, call, watched(getattr(os, call)))
        save_checkpoint(home / "run.npz", **run, step=3)

    torn = [(name, number, content[:1000] if "partial" in name else content) for name, number, content in moments[0]]
    steps = []
    for i, files in enumerate([torn, *moments]):
        path = tmp_path / str(i) / "run.npz"
        rebuild(path.parent, files)
        there, _ = load_checkpoint(path, **run)
        older, _ = load_checkpoint(previous(path), **run)
        steps.append((older, there))
        save_checkpoint(path, **run, step=4)
        assert load_checkpoint(path, **run)[0] == 4
        assert load_checkpoint(previous(path), **run)[0] == there
        assert sorted(p.name for p in path.parent.iterdir()) == ["run.npz", "run.previous.npz"]
    assert list(dict.fromkeys(steps)) == [(1, 2), (2, 2), (2, 3)]


STEPS = 300


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")
def test_a_run_killed_at_random_moments_ends_in_the_same_bits_as_one_never_killed(tmp_path):
    whole, path = tmp_path / "whole.npz", tmp_path / "killed.npz"
    train(whole, STEPS)
    moments, kills, reached = random.Random(0), 0, 0
    for _ in range(8):
        child = start_training(path)
        before = saved_at(path)
        while child.poll() is None and saved_at(path) == before:
            time.sleep(0.001)  # so that every life gets on by a step
        time.sleep(moments.uniform(0, 0.03))
        child.kill()
        if child.wait() == 0:
            break
        assert child.returncode == -signal.SIGKILL
        kills += 1
        step, _ = load_checkpoint(path, **fresh())
        assert step > reached
        reached = step
    assert kills >= 3
    assert start_training(path).wait() == 0
    assert path.read_bytes() == whole.read_bytes()


def saved_at(path: Path) -> int:
    return path.stat().st_mtime_ns if path.exists() else 0


def start_training(path: Path) -> subprocess.Popen:
    root = Path(__file__).parents[1]
    python_path = os.pathsep.join([str(root), str(root / "tests"), os.environ.get("PYTHONPATH", "")])
    code = f"import test_checkpoints; test_checkpoints.train({str(path)!r}, {STEPS})"
    return subprocess.Popen([sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": python_path})
