"""`python -m zoo claims`: its table and files, its exit codes, Ctrl-C; and the claims that need no training."""

import itertools
import json
import math
import os
import re
import signal
import sys
from pathlib import Path

import numpy as np
import pytest

import tinygrad_rnn as tg
from zoo.__main__ import main
from zoo.bidirectional import Bidirectional
from zoo.claims import CLAIMS, MODULES, exact, padding, separations, through_time
from zoo.claims.claim import Claim, above, at_least, below, worst
from zoo.claims.runner import write

FIGURES = {0: 0.25, 1: 0.125, 2: 0.5}
HOLDS = below(0.6)


def claim(name, measure=lambda seed, quick, progress: FIGURES[seed], holds=HOLDS, quick=True, **changes):
    told = {"statement": f"The {name} is so.", "source": "derived", "reach": "< 0.6", "unit": "nats"}
    return Claim(name, **(told | changes), measure=measure, holds=holds, quick=quick)


@pytest.fixture(autouse=True)
def claims(tmp_path, monkeypatch):
    """Two claims that hold, in an empty folder; a test adds others."""
    monkeypatch.chdir(tmp_path)
    known = {c.name: c for c in (claim("first"), claim("second", quick=False))}
    monkeypatch.setattr("zoo.__main__.CLAIMS", known)
    return known


def add(claims, *others):
    claims.update({c.name: c for c in others})


def saved(path="build/claims"):
    def no_constant(name):
        raise AssertionError(f"{name} is no JSON")

    return json.loads(Path(f"{path}.json").read_text(), parse_constant=no_constant)


def test_the_table_has_the_figure_to_reach_the_median_the_spread_and_the_verdict(capsys):
    assert main(["claims"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"first +holds +\d+\.\d +< 0\.6 nats +0\.25 \(0\.125 … 0\.5\)", out[1])
    assert out[2].startswith("second  holds")
    assert out[-1] == "2 of 2 claims hold; saved in build/claims.md and build/claims.json"


def test_the_json_file_has_every_figure_and_what_they_depend_on():
    main(["claims", "first", "--out", "docs/tables/run", "--seeds", "0-1"])
    told = saved("docs/tables/run")
    assert told["command"] == "python -m zoo claims first --out docs/tables/run --seeds 0-1"
    assert (told["seeds"], told["quick"], told["asked"]) == ([0, 1], False, 1)
    assert told["versions"]["NumPy"] == np.__version__
    assert f"{os.cpu_count()} cores" in told["machine"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d", told["date"])
    (row,) = told["claims"]
    assert row.pop("seconds") >= 0
    assert row == {
        "name": "first", "statement": "The first is so.", "source": "derived", "reach": "< 0.6", "unit": "nats",
        "tried": "", "figures": [0.25, 0.125], "median": 0.1875, "holds": True, "error": "",
    }  # fmt: skip


def test_the_markdown_file_is_one_table_whatever_the_claims_are_called(claims):
    add(claims, claim("third", statement="a | b\nc <b>", reach="|x| < 1"))
    main(["claims"])
    text = Path("build/claims.md").read_text()
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len(rows) == 5
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {7}
    assert "`third`: a \\| b c <b>" in rows[-1]
    assert "`python -m zoo claims`, seeds 0, 1, 2; " in text


def test_one_that_falls_short_is_measured_like_the_others_and_the_exit_code_is_1(capsys, claims):
    add(claims, claim("third", holds=below(0.5)), claim("fourth"))
    assert main(["claims"]) == 1
    out = capsys.readouterr().out
    assert re.search(r"^third +falls short +.* 0\.25 \(0\.125 … 0\.5\)$", out, re.MULTILINE)
    assert re.search(r"^fourth +holds", out, re.MULTILINE)
    assert "3 of 4 claims hold; saved" in out
    assert [row["holds"] for row in saved()["claims"]] == [True, True, False, True]


def test_below_the_table_stands_what_falls_short_by_how_much_and_what_was_tried(claims):
    main(["claims"])
    assert "falls short" not in Path("build/claims.md").read_text()
    add(claims, claim("third", holds=below(0.5), tried="A larger one did no better."))
    main(["claims"])
    _, _, short = Path("build/claims.md").read_text().partition("\n## What falls short\n\n")
    assert short == "- `third`, to reach < 0.6 nats: measured 0.25 (0.125 … 0.5). A larger one did no better.\n"


def test_one_that_raises_does_not_hold_says_why_and_the_others_go_on(capsys, claims):
    def measure(seed, quick, progress):
        if seed == 1:
            raise FloatingPointError("the loss is\nnan")
        return 0.0

    add(claims, claim("third", measure), claim("fourth"))
    assert main(["claims"]) == 1
    out = capsys.readouterr().out
    assert re.search(r"^third +FAILED .* FloatingPointError: the loss is nan$", out, re.MULTILINE)
    assert re.search(r"^fourth +holds", out, re.MULTILINE)
    row = saved()["claims"][2]
    assert (row["error"], row["figures"], row["holds"]) == ("FloatingPointError: the loss is nan", [0.0], False)


@pytest.mark.parametrize("figure", [math.nan, math.inf])
def test_a_figure_that_is_no_number_does_not_hold_and_is_text_in_the_json_file(claims, figure):
    add(claims, claim("third", lambda seed, quick, progress: figure if seed == 1 else 0.0))
    assert main(["claims", "third"]) == 1
    assert saved()["claims"][0]["figures"] == [0.0, str(figure), 0.0]


def test_ctrl_c_loses_only_the_claim_under_way(capsys, claims):
    def measure(seed, quick, progress):
        for _ in progress(range(3), "steps"):
            signal.raise_signal(signal.SIGINT)

    add(claims, claim("third", measure), claim("fourth"))
    assert main(["claims"]) == 130
    assert capsys.readouterr().err == "stopped; 2 of 4 claims hold, 2 not measured: see build/claims.md\n"
    assert [row["name"] for row in saved()["claims"]] == ["first", "second"]
    assert "2 of 4 claims hold, 2 not measured. Measured by" in Path("build/claims.md").read_text()


def test_ctrl_c_in_the_first_claim_leaves_what_was_there(capsys, claims):
    main(["claims"])
    before = Path("build/claims.json").read_bytes()
    add(claims, claim("first", lambda *_: signal.raise_signal(signal.SIGINT)))
    capsys.readouterr()
    assert main(["claims"]) == 130
    assert capsys.readouterr().err == "stopped\n"
    assert Path("build/claims.json").read_bytes() == before


def test_a_claim_is_measured_for_each_seed_and_told_whether_to_be_quick(claims):
    asked = []

    def measure(seed, quick, progress):
        asked.append((seed, quick, list(progress(range(3), "steps")), list(progress("ab"))))
        return 0.0

    add(claims, claim("third", measure))
    main(["claims", "third", "--seeds", "3-5"])
    main(["claims", "third", "--quick", "--seeds", "1"])
    steps = ([0, 1, 2], ["a", "b"])
    assert asked == [*((seed, False, *steps) for seed in (3, 4, 5)), (1, True, *steps)]


def test_quick_leaves_out_what_takes_its_time(capsys):
    assert main(["claims", "--quick"]) == 0
    assert [row["name"] for row in saved()["claims"]] == ["first"]
    assert "1 of 1 claims hold" in capsys.readouterr().out


def test_a_name_given_twice_is_measured_once():
    main(["claims", "second", "first", "second"])
    assert [row["name"] for row in saved()["claims"]] == ["second", "first"]


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("claims frist", "no claim 'frist'; did you mean first?"),
        ("claims first xxxxxxxx", "no claim 'xxxxxxxx'; one of: first, second"),
        ("claims second --quick", "second takes its time: leave out --quick"),
        ("claims --seeds 5-3", "--seeds: the first and the last seed, such as 3-5, not '5-3'"),
        ("claims --seeds three", "--seeds: the first and the last seed, such as 3-5, not 'three'"),
        ("claims --sedes 3", "unrecognized arguments: --sedes"),
        ("claims --out file/claims", "file"),
        ("claims --out .", "--out: a file's name without its ending, not the folder '.'"),
    ],
)
def test_a_mistake_is_one_line_and_code_2_before_anything_is_measured(capsys, claims, command, message):
    Path("file").write_text("")
    add(claims, claim("first", lambda *_: pytest.fail("measured")))
    try:
        code = main(command.split())
    except SystemExit as stopped:
        code = stopped.code
    err = capsys.readouterr().err
    assert code == 2
    assert err.startswith("python -m zoo") and err.count("\n") == 1
    assert message in err


def test_without_tqdm_it_says_how_to_get_it(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    assert main(["claims"]) == 2
    assert "pip install 'tinygrad_rnn[gallery]'" in capsys.readouterr().err


def test_a_file_is_written_whole_or_not_at_all(monkeypatch):
    path = Path("table.md")
    write(path, "old")

    def full(*_):
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="no space"):
        write(path, "new")
    assert path.read_text() == "old"
    assert os.listdir() == ["table.md"]


# The claims themselves


def test_names_and_statements_are_their_own():
    assert len(CLAIMS) == sum(len(module.CLAIMS) for module in MODULES)
    statements = [c.statement for c in CLAIMS.values()]
    assert len(set(statements)) == len(statements)
    for c in CLAIMS.values():
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", c.name)
        assert re.fullmatch(r"[A-Z].{10,}\.", c.statement)
        assert re.match(r"derived|published: .+|reached before", c.source)


def test_no_claim_holds_of_a_figure_that_is_no_number():
    assert [c.name for c in CLAIMS.values() if c.holds([math.nan] * 3)] == []
    for c in CLAIMS.values():
        assert not c.holds([0.0, math.nan, 1.0]), c.name


def test_the_worst_of_several_errors_is_nan_where_one_is():
    assert worst([0.5, 1.0, 0.0]) == 1.0
    for errors in itertools.permutations([0.5, math.nan, 1.0]):
        assert math.isnan(worst(errors))


def test_the_limits_are_on_the_right_side():
    assert [below(1)([0.5, f]) for f in (0.9, 1, 1.1)] == [True, False, False]
    assert [at_least(1)([2, f]) for f in (0.9, 1, 1.1)] == [False, True, True]
    assert [above(1)([2, f]) for f in (0.9, 1, 1.1)] == [False, False, True]


EXACT = [c.name for c in (*exact.CLAIMS, *padding.CLAIMS, *through_time.CLAIMS)]


def silent(steps, what=""):
    return steps


@pytest.mark.parametrize("name", EXACT)
def test_a_claim_that_needs_no_training_holds(name):
    c = CLAIMS[name]
    assert c.holds([c.measure(7, True, silent)])


def test_a_free_run_of_pattern_3_reaches_all_steps_before_as_a_forced_one_does_not():
    assert exact.steps_reached(0, True, silent, forced=0) == 7
    assert exact.steps_reached(0, True, silent, forced=1) == 0


def test_padding_that_is_looked_at_is_found_out():
    """A network that reads to the left and does not mind where a sequence ends: NaN comes in from behind."""
    heedless = Bidirectional(padding.D, 2, 2, rng=0)
    assert not padding.output_error(np.random.default_rng(0), lambda x, n: tg.stack(heedless.outputs(x))) <= 1e-12

    model = padding.Summed(lambda x, lengths: (tg.stack(heedless.outputs(x)), None))
    model.heedless = heedless
    x, n = np.random.default_rng(0).normal(size=(3, padding.B, padding.D)), np.array([3, 2, 1, 3])
    assert not padding.loss_error(model, [(x, n)], [n]) <= 1e-12


def test_a_training_is_the_same_for_the_same_seed():
    def figure(seed):
        task = separations.FairBits(T=4, B=8)
        return task.validation_loss(separations.learn(separations.Pattern1, task, seed, 5, silent))

    assert figure(0) == figure(0) != figure(1)
