"""`python -m zoo`: what it prints, where it saves, that it goes on, and one line for every mistake."""

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from zoo.__main__ import MODELS, TASKS, main, standing
from zoo.tasks.characters import Characters, load, ngram_nats

ROOT = Path(__file__).parents[1]
TRAIN = shlex.split("train pattern-1 --text poem.txt --hidden 5 --length 6 --batch 2 --steps 4")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """An empty folder with a text in it, to run in."""
    monkeypatch.chdir(tmp_path)
    Path("poem.txt").write_text("abracadabra, abracadabra; cadabra! " * 10)
    return tmp_path


def test_list_says_what_there_is_a_line_each(capsys):
    assert main(["list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["models", *MODELS, "tasks", *TASKS]
    assert all(len(line.split()) > 5 for line in lines if line.startswith(" "))


def test_training_begins_with_the_lines_to_beat_and_ends_with_where_the_model_stands(capsys):
    assert main(TRAIN) == 0
    out, err = capsys.readouterr()
    corpus = load("poem.txt")
    assert f"bigram {ngram_nats(corpus, 2):.3f}, trigram {ngram_nats(corpus, 3):.3f}" in out.splitlines()[1]
    *_, saved, verdict = out.splitlines()
    assert saved == "saved in build/train/pattern-1-characters.npz"
    assert re.fullmatch(r"\d\.\d{3} nats per character: (below|above) the .*", verdict)
    assert err == ""
    assert np.load("build/train/pattern-1-characters.npz")["model/U"].shape == (5, len(corpus.alphabet))


def test_the_same_command_goes_on_and_fresh_starts_over(capsys):
    main([*TRAIN, "--seed", "3", "--checkpoint", "run.npz"])
    first = capsys.readouterr().out
    assert "going on" not in first
    assert "step 1 of 4: " in first
    main([*TRAIN, "--seed", "3", "--checkpoint", "run.npz", "--steps", "6"])
    second = capsys.readouterr().out
    assert "going on from run.npz (--fresh starts over)" in second
    assert "step 4 of 6: " not in second
    assert "step 5 of 6: " in second
    main([*TRAIN, "--checkpoint", "run.npz", "--fresh"])
    third = capsys.readouterr().out
    assert "going on" not in third
    assert "step 1 of 4: " in third


def test_ctrl_c_ends_in_the_command_that_goes_on(capsys, monkeypatch):
    def pressed(self, rng):
        signal.raise_signal(signal.SIGINT)
        return batch(self, rng)

    batch = Characters.batch
    with monkeypatch.context() as patched:
        patched.setattr(Characters, "batch", pressed)
        assert main([*TRAIN, "--fresh", "--checkpoint", "my run.npz"]) == 130
    command = capsys.readouterr().err.splitlines()[-1].strip()
    assert command == f"python -m zoo {shlex.join(TRAIN)} --checkpoint 'my run.npz'"
    assert main(shlex.split(command)[3:]) == 0
    assert "saved in my run.npz" in capsys.readouterr().out


def test_ctrl_c_before_the_first_step_promises_nothing(capsys, monkeypatch):
    monkeypatch.setattr("zoo.tasks.characters.load", lambda path: signal.raise_signal(signal.SIGINT))
    assert main(TRAIN) == 130
    assert capsys.readouterr().err == "stopped\n"


def test_ctrl_c_on_a_running_process_leaves_a_checkpoint_that_goes_on(capsys, folder):
    command = [sys.executable, "-m", "zoo", *TRAIN, "--steps", "1000000"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        while not Path("build/train/pattern-1-characters.npz").exists() and process.poll() is None:
            time.sleep(0.02)
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert main([*TRAIN, "--steps", "1"]) == 0
    out = capsys.readouterr().out
    assert "going on from build/train/pattern-1-characters.npz" in out
    assert re.search(r"step \d+ of 1: there is nothing left to do, unless given more steps", out)


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("", r"required: list \| train \| claims"),
        ("trian", r"invalid choice: 'trian' .*'?list'?, '?train'?"),
        ("train", "required: MODEL"),
        ("train elman", r"MODEL: no model 'elman'; one of: .*pattern-1"),
        ("train lstn", r"MODEL: no model 'lstn'; did you mean lstm\?"),
        ("train pattern-1 --task arithmetic", r"--task: no task 'arithmetic'; one of: characters"),
        ("train pattern-1 --task daets", r"--task: no task 'daets'; did you mean dates\?"),
        ("train attention --task dates --length 12", r"Dates: T is 10, the letters of 1950-01-01, not 12"),
        ("train recursive --task listops --length 30", r"ListOps: T is at most 10, not 30"),
        ("train layer-lstm --task adding", r"a layer for models of your own, without an output: lstm-biased is such"),
        ("train pattern-1 --task adding", r"pattern-1 gives an output at every step, and the task wants one output"),
        ("train recursive --task fair-bits", r"recursive gives an answer about a tree, and the task wants an output"),
        ("train lstm --task adding --text poem.txt", r"--text is for the task characters, not for adding"),
        ("train lstm --task adding --length 1", r"Adding: T ≥ 2 and B ≥ 1 are needed, not T = 1"),
        ("train pattern-1 --steps 0", "--steps: a whole number from 1 up, not '0'"),
        ("train pattern-1 --hidden many", "--hidden: a whole number from 1 up, not 'many'"),
        ("train pattern-1 --seed -1", "--seed: a whole number from 0 up, not '-1'"),
        ("train pattern-1 --lr -1", "--lr: a number from 0 up, not '-1'"),
        ("train pattern-1 --clip nan", "--clip: a number from 0 up, not 'nan'"),
        ("train pattern-1 --epochs 3", "unrecognized arguments: --epochs 3"),
        ("train pattern-1 --fre", "unrecognized arguments: --fre"),
        ("train pattern-1 --text prose.txt", r"prose\.txt: no such file"),
        ("train pattern-1 --text .", "is a folder"),
        ("train pattern-1 --text binary", "binary is not UTF-8"),
        ("train pattern-1 --text poem.txt --length 500", "T = 500 needs at least 501 characters, not 315"),
        ("train pattern-1 --text poem.txt --checkpoint binary", "binary: is truncated, damaged or no checkpoint"),
        ("train pattern-1 --text poem.txt --checkpoint poem.txt/run.npz", "Not a directory"),
    ],
)
def test_a_mistake_is_one_line_that_says_what_would_be_right(capsys, command, message):
    Path("binary").write_bytes(b"\xff\x00" * 20)
    assert re.search(message, error_of(shlex.split(command), capsys))


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--length 7", r"run\.npz: is of another run \(length is 6, not 7\): give the same settings, or start fresh"),
        ("--hidden 6", r"run\.npz: is of another model, .* W is \(5, 5\) float32, not \(6, 6\)"),
    ],
)
def test_other_settings_than_the_checkpoints_are_such_a_mistake(capsys, option, message):
    main([*TRAIN, "--checkpoint", "run.npz"])
    assert re.search(message, error_of([*TRAIN, "--checkpoint", "run.npz", *option.split()], capsys))


def error_of(argv, capsys):
    """The one line on stderr that a command ends with."""
    capsys.readouterr()
    try:
        code = main(argv)
    except SystemExit as stopped:
        code = stopped.code
    err = capsys.readouterr().err
    assert code == 2
    assert err.startswith("python -m zoo")
    assert err.count("\n") == 1
    return err


def test_without_tqdm_training_says_how_to_get_it_and_list_works(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    assert main(["list"]) == 0
    assert main(TRAIN) == 2
    assert capsys.readouterr().err == (
        "python -m zoo train: the progress bar needs tqdm: pip install 'tinygrad_rnn[gallery]'\n"
    )


def test_help_gives_every_option_with_its_default(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["train", "--help"])
    text = " ".join(capsys.readouterr().out.split())
    options = "task text steps quick hidden length batch lr clip weight-decay seed every checkpoint fresh"
    assert all(f"--{option} " in text for option in options.split())
    assert "hidden units (32; 256 for characters;" in text


def test_other_tasks_are_trained_in_their_own_measure_and_compared_with_their_own_figures(capsys):
    assert main(shlex.split("train lstm --task adding --length 4 --hidden 4 --steps 2")) == 0
    out = capsys.readouterr().out.splitlines()
    assert "The adding problem" in out[0]
    assert out[1] == "squared error per sequence: chance 0.167, floor 0.000"
    assert any(re.fullmatch(r"step 2 of 2: training .*, validation \S+ squared error, .*", line) for line in out)
    assert re.fullmatch(r"\d\.\d{3} squared error per sequence: .*(above|below) the (chance|floor) .*", out[-1])
    assert Path("build/train/lstm-adding.npz").exists()


def test_an_echo_state_network_is_fitted_at_once_and_its_free_run_measured(capsys):
    assert main(shlex.split("train echo-state-feedback --task mackey-glass --hidden 50 --length 40")) == 0
    _, baselines, fitted, alone, verdict = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"of the variance per step: chance 1\.000, last value 0\.02\d, floor 0\.000", baselines)
    assert fitted == "fitted by least squares, in one step, to a batch of 32 (--batch)"
    assert re.fullmatch(r"84 steps on its own: NRMSE \S+ \(chance 1\)", alone)
    assert re.fullmatch(r"0\.0\d+ of the variance per step: below the last value 0\.02\d, above the floor .*", verdict)


def test_a_network_that_writes_strings_shows_some(capsys):
    assert main(shlex.split("train generative --task reber --length 7 --steps 2 --every 2")) == 0
    assert re.search(r"│ [BTSXPVE]{1,7}  [BTSXPVE]{1,7}  ", capsys.readouterr().out)


def test_quick_is_the_tasks_own_number_of_steps_unless_they_are_given(capsys):
    for options, steps in ("--quick", 500), ("--quick --steps 2", 2), ("--steps 2 --quick", 2):
        assert main(shlex.split(f"train rnn --task fair-bits --length 2 --batch 1 --hidden 1 --fresh {options}")) == 0
        assert f"step {steps} of {steps}: " in capsys.readouterr().out


def test_standing_names_the_nearest_figures_on_both_sides():
    lines = {"uniform": 4.635, "bigram": 2.318, "trigram": 1.712}
    assert standing(2.05, lines) == "below the bigram 2.318, above the trigram 1.712"
    assert standing(1.5, lines) == "below the trigram 1.712"
    assert standing(5.0, lines) == "above the uniform 4.635"
    assert standing(2.318, lines) == "below the uniform 4.635, above the bigram 2.318"
