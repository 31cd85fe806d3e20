"""What the README shows runs as it stands there: its code, its commands, its figures, its links."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import __main__ as benchmarks
from benchmarks import compare
from viz.__main__ import main
from viz.diagrams.dot import THEMES

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
TEXT = README.read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", TEXT, flags=re.DOTALL)
FILES = {block.split("\n")[0][2:]: block for block in BLOCKS if re.match(r"# [\w/]+\.py\n", block)}
COMMANDS = re.findall(r"^    ((?:python -m|make) .*?)(?:\s+#.*)?$", TEXT, flags=re.MULTILINE)
SHORTER = {
    "python -m zoo train pattern-1 --task characters": "--steps 2",
    "python -m zoo claims --quick": "chain-rule",
}
"""Of what takes minutes, what it is run with here."""


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """The packages as they are after a reader has done what is said under "Add a model", and the reader's mine.py."""
    folder = tmp_path_factory.mktemp("checkout")
    for package in "tinygrad_rnn", "zoo", "viz":
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    for name, block in FILES.items():
        (folder / name).write_text(block, encoding="utf-8")
    (imported,) = re.findall(r"`(from \.\w+ import \w+)`", TEXT)
    for file, table in ("catalogue", "CATALOGUE"), ("pairs", "CELLS"):
        path = folder / "zoo" / f"{file}.py"
        (line,) = re.findall(rf"^(    .*?,) +# in {table}$", TEXT, flags=re.MULTILINE)
        code = path.read_text(encoding="utf-8")
        code, once = re.subn(rf"^({table}\b.*{{)$", rf"\1\n{line}", code, flags=re.MULTILINE)
        code, also_once = re.subn(r"^(from \.lstm .*)$", rf"\1\n{imported}", code, flags=re.MULTILINE)
        assert (once, also_once) == (1, 1)
        path.write_text(code, encoding="utf-8")
    return folder


def run(checkout, command):
    arguments = command.split()[1:]
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=checkout,
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        encoding="utf-8",
    )


# -- commands ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", [command for command in COMMANDS if command.startswith("python")])
def test_the_command_runs(checkout, command):
    done = run(checkout, f"{command} {SHORTER.get(command, '')}")
    assert done.returncode == 0, done.stderr
    wrote = re.findall(r"^wrote (.*)$", done.stdout, flags=re.MULTILINE)
    assert [path for path in wrote if not (checkout / path).stat().st_size] == []
    assert wrote or "draw" not in command


def test_every_way_to_start_is_among_the_commands():
    modules = {" ".join(command.split()[:4]) for command in COMMANDS}
    assert {"python -m zoo list", "python -m zoo train", "python -m viz page", "make gallery", "make test"} <= modules


def test_a_command_that_is_run_shortened_stands_in_the_readme():
    assert set(SHORTER) <= set(COMMANDS)


@pytest.mark.skipif(not shutil.which("make"), reason="needs make")
@pytest.mark.parametrize("command", [command for command in COMMANDS if command.startswith("make")])
def test_make_knows_the_target(command):
    subprocess.run([*command.split(), "--dry-run"], cwd=ROOT, capture_output=True, check=True)


def test_the_cell_of_the_readme_has_its_equations_and_learns(checkout):
    equations = run(checkout, "python -m viz equations minimal --pass forward").stdout
    assert "h⁽ᵗ⁾ = (1 − f⁽ᵗ⁾) ⊙ h⁽ᵗ⁻¹⁾ + f⁽ᵗ⁾ ⊙ n⁽ᵗ⁾\n" in equations
    (command,) = (command for command in COMMANDS if "train minimal" in command)
    (loss,) = re.findall(r"^([\d.]+) nats per sequence: below the chance", run(checkout, command).stdout, re.MULTILINE)
    assert float(loss) < 0.7  # it remembers more than one of the two signals


# -- code ----------------------------------------------------------------------------------------------------


def test_the_code_of_the_readme_runs_from_top_to_bottom(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(THEMES, "blueprint", {})  # so that it is taken out again
    code = compile("\n".join(b for b in BLOCKS if b not in FILES.values()), str(tmp_path / "readme.py"), "exec")
    exec(code, {"__name__": "readme"})
    printed = capsys.readouterr().out
    assert "Tensor([0.3333, 0.0833])" in printed
    assert "tanh" in printed
    drawings = [(tmp_path / "build" / f"{name}.svg").read_text(encoding="utf-8") for name in ("model", "blueprint")]
    assert [THEMES["blueprint"]["paper"] in drawing for drawing in drawings] == [False, True]


def test_the_equations_in_the_readme_are_what_the_command_before_them_derives(capsys):
    ((command, shown),) = re.findall(
        r"`python -m viz (equations [^`]*)` derives them:\n\n```\n(.*?)```", TEXT, re.DOTALL
    )
    assert main(command.split()) == 0
    assert capsys.readouterr().out == shown


# -- facts ---------------------------------------------------------------------------------------------------


def test_what_is_said_of_the_engines_is_what_is_found_out_about_those_that_are_installed():
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in TEXT.splitlines() if line[:2] == "| "]
    columns = next(row for row in rows if "micrograd 0.1" in row)
    said = {row[0]: dict(zip(columns, row, strict=True)) for row in rows if row[-1] == "`compare`"}
    table = compare.run()
    names = {"torch": "PyTorch", "mygrad": "MyGrad"}
    assert sorted(said) == sorted(row[0] for row in table.rows)
    for fact, *found in table.rows:
        for engine, value in zip(table.columns[1:], found, strict=True):
            name, version = engine.split(" ")
            (column,) = (c for c in columns if c.split(" ")[0] == names.get(name, name))
            assert version.startswith(column.partition(" ")[2]), f"the README speaks of {column}"
            cell = said[fact][column]
            if isinstance(value, str):
                assert cell in (value, "with SciPy"), (fact, column)
            else:
                assert float(cell.split(", and")[0].replace(",", "")) == pytest.approx(value, rel=0.1), (fact, column)


def test_the_benchmarks_that_the_readme_names_exist():
    named = re.findall(r"\| `([a-z]+)` \|$", TEXT, flags=re.MULTILINE)
    assert {"compare", "lstm", "draw"} <= set(named) <= set(benchmarks.NAMES)


def test_every_file_the_readme_names_exists():
    names = re.findall(r"`((?:zoo|viz|tinygrad_rnn|tests)/[\w/.]+\.py)`", TEXT)
    assert len(names) >= 8
    assert [name for name in names if not (ROOT / name).exists()] == []


def test_every_link_of_the_readme_leads_somewhere():
    links = re.findall(r'(?:\]\(|src="|srcset=")([^)"]+)', TEXT)
    assert len(links) >= 5
    assert [link for link in links if not (ROOT / link).exists()] == []
