"""`python -m viz`: what it makes of models of the zoo and of the reader's own, and one line for every mistake."""

import contextlib
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

import tinygrad_rnn as tg
import viz
import viz.__main__ as command_line
import viz.loading
from viz.__main__ import main
from zoo.catalogue import CATALOGUE

ROOT = Path(__file__).parents[1]
SVG = "{http://www.w3.org/2000/svg}"

MODELS = """
import numpy as np
import tinygrad_rnn as tg
import beside

W = tg.Parameter(np.eye(3))

class Cell(tg.Module):
    def __init__(self):
        self.W = tg.Parameter(np.eye(3))

    def __call__(self, x):
        return elman(x, self.W)

def elman(x, W):
    h = np.zeros(3)
    for x_t in x:
        h = np.tanh(h @ W.T + x_t)
    return (h * h).sum()

cell = Cell()

def build():
    return cell, np.ones((5, 3))

def model(x):
    return elman(x, W)

def pair(x, y, power=2):
    L = 0
    for x_t, y_t in zip(x, y, strict=True):
        L = L + ((x_t @ W.T) ** power).sum() + tg.cross_entropy(x_t @ W.T, y_t)
    return L

def nothing():
    pass

def lonely():
    return cell

def uneven(x):
    h = [np.zeros(3)]
    for x_t, before in zip(x, [0, 0, 1, 0, 2]):
        h.append(np.tanh(h[before] @ W.T + x_t))
    return h[-1]

def midway(x):
    h = np.zeros(3)
    for t, x_t in enumerate(x):
        h = np.tanh(h @ W.T + x_t)
        if t == 2:
            h = h @ np.ones((4, 3))
    return h.sum()

def interrupted():
    raise KeyboardInterrupt

def quits():
    raise SystemExit("no")

def several(*xs):
    return xs

def keywords(*, k):
    return k

def folder():
    import beside_too
    return beside_too.model, np.ones(3)

shape = "not a function"
sine = np.sin
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A folder with models in it, to run in."""
    monkeypatch.chdir(tmp_path)
    Path("models.py").write_text(MODELS)
    Path("beside.py").write_text("")
    Path("beside_too.py").write_text("def model(x): return x * x\n")
    yield tmp_path
    for name in ("beside", "beside_too"):
        sys.modules.pop(name, None)


def error_of(command, capsys, code=2):
    """The one line on stderr that a command ends with."""
    capsys.readouterr()
    try:
        ended = main(shlex.split(command) if isinstance(command, str) else command)
    except SystemExit as stopped:
        ended = stopped.code
    err = capsys.readouterr().err
    assert ended == code, err
    assert err.startswith("python -m viz"), err
    assert err.count("\n") == 1, err
    return err


def python(*argv):
    """python -m viz, in a process of its own."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "viz", *argv]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


def written(path):
    """All text of an SVG file, without its tooltips and titles."""
    texts = ElementTree.parse(path).getroot().iter(f"{SVG}text")
    return ["".join(element.itertext()).replace("\u200b", "") for element in texts]


# -- what is drawn -------------------------------------------------------------------------------------------


def test_a_model_of_the_zoo_is_drawn_side_by_side_and_the_file_is_named():
    done = python("draw", "pattern-1")
    assert (done.returncode, done.stdout, done.stderr) == (0, "wrote build/pattern-1.svg\n", "")
    assert {"unfold", "h", "h(1)", "W"} <= set(written("build/pattern-1.svg"))


@pytest.mark.parametrize("name", CATALOGUE)
def test_every_model_of_the_zoo_is_drawn_and_a_tree_unfolded_only(capsys, name):
    assert main(["draw", name, "-o", "both.dot"]) == (2 if name.startswith("recursive") else 0)
    assert ("a tree has no time axis" in capsys.readouterr().err) == name.startswith("recursive")
    assert main(["draw", name, "--view", "unfolded", "-o", "unfolded.dot"]) == 0


@pytest.mark.parametrize(
    ("view", "there", "absent"),
    [("circuit", "h", "h(1)"), ("unfolded", "h(1)", "h"), ("both", "unfold", "h(3)")],
)
def test_the_view_chooses_the_form(capsys, view, there, absent):
    assert main(["draw", "pattern-1", "--view", view, "-o", "a.svg"]) == 0
    assert there in written("a.svg")
    assert absent not in written("a.svg")


@pytest.mark.parametrize("steps", ["1,2,…,T", "1,2,...,T", "1,2,T", "1,2,5"])
def test_the_steps_are_those_that_are_named(steps):
    assert main(["draw", "models.py:build", "--view", "unfolded", "--steps", steps, "-o", "a.dot"]) == 0
    shown = re.findall(r'label="h⁽(.)⁾"', Path("a.dot").read_text())
    assert sorted(shown) == sorted("⁰¹²ᵀ")


@pytest.mark.parametrize("extension", ["svg", "png", "pdf", "dot", "gv", "SVG"])
def test_the_extension_chooses_the_format_and_missing_folders_are_made(capsys, extension):
    path = Path("new", "folder with a space", f"ŵ {extension}.{extension}")
    assert main(["draw", "models.py:build", "-o", str(path)]) == 0
    assert capsys.readouterr().out == f"wrote {path}\n"
    starts = {"svg": b"<?xml", "png": b"\x89PNG", "pdf": b"%PDF", "dot": b"digraph", "gv": b"digraph"}
    assert path.read_bytes().startswith(starts[extension.lower()])


@pytest.mark.parametrize(
    ("given", "options"),
    [
        ("--pass forward --detail variables --direction up --theme light", {}),
        ("--detail operations", {"detail": "operations"}),
        ("--shapes", {"shapes": True}),
        ("--values", {"values": True}),
        ("--gradients", {"gradients": True}),
        ("--weights --view unfolded", {"weights": True}),
        ("--clusters --view circuit", {"clusters": True}),
        ("--legend", {"legend": True}),
        ("--direction right", {"direction": "right"}),
        ("--theme dark", {"theme": "dark"}),
    ],
)
def test_each_option_of_the_views_is_a_flag(given, options):
    model, arguments = CATALOGUE["attention"].example(3)
    view = viz.unfolded if "unfolded" in given else viz.circuit if "circuit" in given else viz.side_by_side
    assert main(["draw", "attention", "--seed", "3", *given.split(), "-o", "a.dot"]) == 0
    assert Path("a.dot").read_text() == view(tg.record(model, *arguments), **options).source


def test_every_option_of_the_views_but_the_title_has_its_flag(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["draw", "--help"])
    text = capsys.readouterr().out
    assert [name for name in viz.diagrams.options.Options.__dataclass_fields__ if f"--{name}" not in text] == ["title"]


def test_the_backward_pass_is_drawn_from_its_own_record():
    model, arguments = CATALOGUE["pattern-1"].example()
    assert main(["draw", "pattern-1", "--pass", "backward", "--view", "circuit", "-o", "a.dot"]) == 0
    assert Path("a.dot").read_text() == viz.circuit(tg.record(model, *arguments).backward()).source
    assert "∂L/∂h" in Path("a.dot").read_text()


def test_the_dark_theme_is_another_picture():
    main(["draw", "pattern-1", "-o", "light.dot"])
    main(["draw", "pattern-1", "--theme", "dark", "-o", "dark.dot"])
    papers = [re.search(r'bgcolor="(#\w+)"', Path(f"{theme}.dot").read_text())[1] for theme in ("light", "dark")]
    assert papers[0] == "#ffffff"
    assert papers[1] < "#333333"


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_picture_at_the_top_of_the_readme_is_what_its_command_draws_now(theme):
    """If not: run the two commands that stand under it."""
    name = f"docs/pattern-1-{theme}.svg"
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (command,) = re.findall(rf"python -m viz (draw .* -o {name})\n", readme)
    assert main(shlex.split(command)) == 0
    drawn, shown = _drawing(name), _drawing(ROOT / name)
    assert [what for what, _ in drawn] == [what for what, _ in shown]
    assert [n for _, place in drawn for n in place] == pytest.approx([n for _, place in shown for n in place], abs=0.5)
    assert f'"{name}"' in readme


def _drawing(path):
    """What an SVG shows and where: what all versions of Graphviz write alike."""
    elements = [element for element in ElementTree.parse(path).getroot().iter() if isinstance(element.tag, str)]
    colours = ("fill", "stroke", "class", "stroke-dasharray")
    whats = [
        (e.tag, (e.text or "").strip(), *(e.get(c) for c in colours if e.tag != f"{SVG}polygon")) for e in elements
    ]
    places = [" ".join(e.get(key, "") for key in ("cx", "cy", "x", "d")) for e in elements]
    return [(what, [float(n) for n in re.findall(r"-?\d+\.?\d*", p)]) for what, p in zip(whats, places, strict=True)]


def test_the_readers_own_model_in_the_readme_is_drawn_by_the_commands_below_it(capsys):
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (source,) = re.findall(r"```python\n(# mine\.py\n.*?)```", readme, flags=re.DOTALL)
    Path("mine.py").write_text(source)
    commands = re.findall(r"^    python -m viz (.* mine\.py:.*)$", readme, flags=re.MULTILINE)
    assert [main(shlex.split(command)) for command in commands] == [0, 0, 0]
    assert {"x", "h", "W", "U", "unfold"} <= set(written("build/mine-example.svg"))
    assert Path("mine.png").exists()


# -- the reader's own models ---------------------------------------------------------------------------------


def test_a_function_without_parameters_says_what_to_record(capsys):
    assert main(["draw", "models.py:build"]) == 0
    assert capsys.readouterr().out == "wrote build/models-build.svg\n"
    assert {"h", "x", "W"} <= set(written("build/models-build.svg"))


@pytest.mark.parametrize("name", ["model", "cell"])
def test_a_function_with_parameters_and_a_module_are_recorded_on_inputs(name):
    assert main(["draw", f"models.py:{name}", "--input", "x=5,3", "-o", "own.dot"]) == 0
    main(["draw", "models.py:build", "-o", "built.dot"])
    assert 'label="h⁽⁵⁾"' in Path("own.dot").read_text() or 'label="h⁽ᵀ⁾"' in Path("own.dot").read_text()


def test_inputs_are_normal_or_whole_numbers_of_the_shape_and_the_same_for_the_same_seed():
    def arrays(*order, seed=0):
        inputs = [viz.loading.Input.read(text) for text in order]
        return [step.value for step in viz.loading.record_file("models.py:pair", inputs, seed).inputs]

    x, y = arrays("x=500,2,3", "y=500,2<3")
    assert (x.shape, x.dtype, y.shape, y.dtype) == ((500, 2, 3), np.float64, (500, 2), np.int64)
    assert (abs(x.mean()) < 0.1, round(x.std(), 1), set(y.flat)) == (True, 1.0, {0, 1, 2})
    for same, other in zip(arrays("y=500,2<3", "x=500,2,3"), (x, y), strict=True):
        np.testing.assert_array_equal(same, other)
    assert not np.array_equal(arrays("x=500,2,3", "y=500,2<3", seed=1)[0], x)


def test_a_parameter_with_a_default_needs_no_input():
    inputs = [viz.loading.Input.read(text) for text in ("x=2,2,3", "y=2,2<3")]
    assert len(viz.loading.record_file("models.py:pair", inputs, 0).inputs) == 2


def test_a_missing_input_is_an_error_that_shows_the_command_to_type(capsys):
    err = error_of("draw 'my models.py:pair' --input y=5,2<3".replace("my models", "models"), capsys)
    (command,) = re.findall(r"python -m viz (draw .*?)   \(shapes", err)
    assert err.startswith("python -m viz draw: pair needs x: ")
    assert shlex.split(command) == ["draw", "models.py:pair", "--input", "y=5,2<3", "--input", "x=5,2,3"]
    assert main(shlex.split(command)) == 0


@pytest.mark.parametrize(
    "path",
    [
        "my models.py",
        "модель ŵ.py",
        "a:b.py",
        "'; rm -rf $HOME #.py",
        "<script>&amp;.py",
        "numpy.py",
        "zoo.py",
        "-o.py",
    ],
)
def test_a_file_may_have_any_name(capsys, path):
    Path("models.py").rename(path)
    assert main(["draw", "-o", "a.svg", "--", f"{path}:build"]) == 0
    assert "h" in written("a.svg")
    assert main(["draw", f"./{path}:build"]) == 0
    assert Path("build", f"{Path(path).stem}-build.svg").exists()
    assert sys.modules["numpy"] is np


def test_a_file_is_found_by_relative_and_absolute_path_and_its_imports_in_its_own_folder(folder):
    Path("deep", "er").mkdir(parents=True)
    before = list(sys.path)
    with contextlib.chdir("deep/er"):
        assert main(["draw", "../../models.py:build", "-o", "a.dot"]) == 0
        assert main(["draw", f"{folder}/models.py:folder", "-o", "b.dot"]) == 0
    assert sys.path == before
    assert Path("deep/er/b.dot").exists()


def test_nothing_is_left_beside_the_file():
    main(["draw", "models.py:build", "-o", "elsewhere/a.dot"])
    assert [path for path in Path().rglob("models*") if path.name != "models.py"] == []


# -- mistakes ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("", r"required: draw \| equations \| page"),
        ("drew", r"invalid choice: 'drew'"),
        ("draw", "required: MODEL"),
        ("draw patern-1", r"no model 'patern-1'; did you mean pattern-1\? There are: .*pattern-1"),
        ("draw 'no\nsuch\x1b[31m'", r"no model 'no\\nsuch\\x1b\[31m'; There are: "),
        ("draw pattern-1 --input x=5", "--input is for file.py:function: pattern-1 has its own"),
        ("draw pattern-1 -o picture.jpg", r"a name that ends in \.svg, \.png, \.pdf, \.dot, \.gv, not 'picture\.jpg'"),
        ("draw pattern-1 -o picture", r"a name that ends in \.svg.*, not 'picture'"),
        ("draw pattern-1 -o models.py/picture.svg", "cannot write: .*'models.py/picture.svg'"),
        ("draw pattern-1 -o .svg", "a name that ends in"),
        ("draw pattern-1 --steps 99", r"steps: \[99\] are not steps from 1 to \d+"),
        ("draw pattern-1 --steps 0,1", r"steps: \[0, 1\] are not steps from 1 to \d+"),
        ("draw pattern-1 --steps 2,1", r"steps: \[2, 1\] are not steps from 1 to \d+"),
        ("draw pattern-1 --steps one", "--steps: steps from 1 up, … and T with commas between them, not 'one'"),
        ("draw pattern-1 --steps -1", "--steps: steps from 1 up, … and T with commas between them, not '-1'"),
        ("draw pattern-1 --view circuit --steps 1", "--steps: a circuit has none; --view is unfolded or both"),
        ("draw pattern-1 --view sideways", "--view: invalid choice: 'sideways'"),
        ("draw pattern-1 --pass both", "--pass: invalid choice: 'both'"),
        ("draw pattern-1 --theme blue", "--theme: invalid choice: 'blue'"),
        ("draw pattern-1 --seed -1", "--seed: "),
        ("draw pattern-1 --seed x", "--seed: a whole number from 0 up, not 'x'"),
        ("draw pattern-1 --vie both", "unrecognized arguments: --vie both"),
        ("draw model.py:build", r"'model\.py': no such file; did you mean models\.py\?"),
        ("draw no/where.py:build", r"'no/where\.py': no such file$"),
        ("draw .:build", r"'\.' is a folder: give a file in it, \./model\.py:build"),
        ("draw models.py/x.py:build", "Not a directory"),
        (f"draw {'x' * 300}.py:build", "File name too long"),
        ("draw models.py", r"which function\? models\.py:NAME; it defines: elman, build, .*, cell"),
        ("draw models.py:", r"which function\? models\.py:NAME; it defines: elman, build"),
        ("draw models.py:biuld", r"models\.py has no function 'biuld'; did you mean build\?; it defines: elman, "),
        ("draw models.py:shape", r"models\.py has no function 'shape'"),
        ("draw models.py:Cell", r"Cell is a class: name a function that returns \(Cell\(…\), \*arguments\)"),
        ("draw models.py:nothing", r"nothing\(\) must return what to record, .*\(model, \*arguments\), not None"),
        ("draw models.py:lonely", r"lonely\(\) must return .*\(model, \*arguments\), not Cell$"),
        ("draw models.py:several", r"several\(\) must return .*\(model, \*arguments\), not \(\)"),
        ("draw models.py:keywords", "keywords takes k by keyword only: give it a default"),
        ("draw models.py:model", r"model needs x: python -m viz draw models\.py:model --input x=5,2,3 "),
        ("page models.py:pair --seed 3", "python -m viz page models.py:pair --seed 3 --input x=5,2,3 --input y=5,2,3 "),
        ("draw models.py:model --input z=5", r"model\(x\) takes no input 'z'"),
        ("draw models.py:build --input x=5", r"build\(\) takes no input 'x'"),
        ("draw models.py:model --input x", r'--input: .*x=5,2,3, or "y=5,2<4" .*; not .x'),
        ("draw models.py:model --input x=", "--input: an input is a name and a shape"),
        ("draw models.py:model --input x=0,3", "--input: an input is a name and a shape"),
        ("draw models.py:model --input x=5,-3", "--input: an input is a name and a shape"),
        ("draw models.py:model --input 'x=5<0'", "--input: an input is a name and a shape"),
        ("draw models.py:model --input x=1000000,1000000,1000000", "Unable to allocate|too large|exceeds"),
        ("draw models.py:uneven --input x=5,3", r"models\.py:\d+; .*: python -m viz draw models\.py:uneven .* --view"),
        ("equations models.py:uneven --input x=5,3", r"models\.py:\d+"),
        ("draw models.py:uneven --pass backward --input x=5,3", "the model must return one number, from parameters"),
        ("page pattern-1 -o models.py/x.html", "cannot write: .*'models.py/x.html'"),
        ("page pattern-1 -o .", r"'\.'"),
    ],
)
def test_a_mistake_is_one_line_that_says_what_would_be_right(capsys, command, message):
    assert re.search(message, error_of(command, capsys).rstrip("\n"))


def test_where_there_is_no_circuit_the_command_that_is_named_draws_the_run(capsys):
    err = error_of("draw models.py:uneven --input x=5,3 --steps 1,T", capsys)
    (command,) = re.findall(r"python -m viz (draw .* --view unfolded)\n", err)
    assert main(shlex.split(command)) == 0
    assert "h" in "".join(written("build/models-uneven.svg"))


def test_without_graphviz_the_dot_text_is_written(capsys, monkeypatch):
    monkeypatch.setattr("viz.diagrams.render.shutil.which", lambda name: None)
    monkeypatch.setattr("viz.diagrams.render.importlib.util.find_spec", lambda name: None)
    err = error_of("draw models.py:build -o new/a.svg", capsys)
    assert "install Graphviz" in err
    assert "the DOT text is in new/a.dot" in err
    assert Path("new/a.dot").read_text().startswith("digraph")


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ("def build(:\n", "SyntaxError"),
        ("import numpy\n\nx = 1 / 0\n", "ZeroDivisionError"),
        ("import no_such_package\n", "ModuleNotFoundError"),
        ("from . import models\n", "ImportError"),
        ("raise SystemExit(7)\n", "SystemExit"),
        ("x: Missing = 1\n", "NameError"),
        ("def build(): return build()\n", "RecursionError"),
        ("x = '\0'\n", "(SyntaxError|ValueError): source code string cannot contain null bytes"),
        ("x = '\udcff'\n", "SyntaxError: .*utf-8"),
        ("def build():\n    return undefined\n", "NameError: name 'undefined' is not defined"),
        ("def build():\n    return (lambda x, y: x), 1\n", r"TypeError: .*missing a required argument: 'y'"),
    ],
)
def test_an_error_in_the_file_is_shown_with_the_part_of_the_traceback_that_is_in_it(capsys, source, line):
    Path("broken.py").write_bytes(source.encode(errors="surrogateescape"))
    assert main(["draw", "broken.py:build"]) == 2
    *traceback, last = capsys.readouterr().err.splitlines()
    assert re.search(f"^{line}", "\n".join(traceback), flags=re.MULTILINE)
    files = [shown for shown in traceback if shown.startswith("  File ")]
    assert [shown for shown in files if "broken.py" not in shown] == []
    assert last.startswith("python -m viz draw: broken.py:build cannot be recorded: ")
    assert not Path("build").exists()


def test_a_model_that_raises_is_drawn_until_then_and_the_exit_code_is_1(capsys):
    assert main(["draw", "models.py:midway", "--input", "x=5,3", "--steps", "5"]) == 1
    out, err = capsys.readouterr()
    *traceback, last = err.splitlines()
    assert out == ""
    assert traceback[0] == "Traceback (most recent call last):"
    assert [line for line in traceback if line.startswith("  File")] == [
        f'  File "{Path("models.py").resolve()}", line {_line("h = h @ np.ones((4, 3))")}, in midway'
    ]
    assert "ShapeError: matmul: (3,) @ (4, 3): 3 ≠ 4" in traceback[-1]
    assert last == (
        "python -m viz draw: the model did not get to its end: ShapeError; "
        "what ran until then is drawn in build/models-midway.svg"
    )
    assert "h" in "".join(written("build/models-midway.svg"))


def _line(text):
    return 1 + [line.strip() for line in MODELS.splitlines()].index(text)


def test_a_wrong_shape_names_the_operation_and_the_line(capsys):
    assert main(["draw", "models.py:model", "--input", "x=5,2,4"]) == 1
    assert re.search(r"ShapeError: .*\(2, 4\).*   .* at models\.py:\d+\n", capsys.readouterr().err)


# -- equations and pages -------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", ["unicode", "latex"])
def test_equations_are_printed_forward_backward_or_both(capsys, format):
    texts = {}
    for which in ("forward", "backward", "both"):
        assert main(["equations", "pattern-1", "--pass", which, "--format", format]) == 0
        texts[which] = capsys.readouterr().out
    model, arguments = CATALOGUE["pattern-1"].example()
    graph = tg.record(model, *arguments)
    for which in ("forward", "backward"):
        assert texts[which] == viz.equations(graph, of=which, format=format) + "\n"
    assert texts["both"] == texts["forward"] + "\n" + texts["backward"]
    main(["equations", "pattern-1", "--format", format])
    assert capsys.readouterr().out == texts["both"]


def test_without_a_loss_there_are_the_forward_equations_and_a_line_that_says_so(capsys):
    assert main(["equations", "rnn"]) == 0
    out, err = capsys.readouterr()
    assert err == "there is no loss in it, and so no backward pass\n"
    main(["equations", "rnn", "--pass", "forward"])
    assert capsys.readouterr().out == out
    assert "must return one number, from parameters" in error_of("equations rnn --pass backward", capsys)


def test_equations_go_to_stdout_alone():
    done = python("equations", "pattern-1", "--pass", "forward")
    assert (done.returncode, done.stderr) == (0, "")
    assert "h⁽ᵗ⁾ = tanh(" in done.stdout


@pytest.mark.parametrize("given", [[], ["-o", "new/my page.html"]])
def test_a_page_is_written_where_it_says(capsys, given):
    assert main(["page", "pattern-1", *given]) == 0
    path = given[1] if given else "build/pattern-1.html"
    assert capsys.readouterr().out == f"wrote {path}\n"
    text = Path(path).read_text(encoding="utf-8")
    assert text.startswith("<!DOCTYPE html>")
    assert "<title>pattern-1" in text


# -- the command itself --------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["draw", "equations", "page"])
def test_help_lists_all_models_and_both_forms_of_a_function(capsys, command):
    with pytest.raises(SystemExit, match="0"):
        main([command, "--help"])
    text = capsys.readouterr().out
    assert [name for name in CATALOGUE if name not in text] == []
    assert f"python -m viz {command} file.py:build" in text
    assert f'python -m viz {command} file.py:model --input x=5,2,3 --input "y=5,2<4"' in text


def test_ctrl_c_is_130(capsys):
    assert main(["draw", "models.py:interrupted"]) == 130
    assert capsys.readouterr().err == "stopped\n"


def test_ctrl_c_on_a_running_process_is_130_without_a_traceback():
    Path("slow.py").write_text("import time\nprint('here', flush=True)\ntime.sleep(60)\n")
    command = [sys.executable, "-m", "viz", "draw", "slow.py:build"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": str(ROOT)}
    ) as process:
        assert process.stdout.readline() == "here\n"
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (130, "stopped\n")


def test_what_takes_longer_than_two_seconds_says_what_it_is_doing(capsys, monkeypatch):
    monkeypatch.setattr(command_line, "PATIENCE", 0.02)
    with command_line._telling("recording"):
        time.sleep(0.2)
    first, *_ = lines = capsys.readouterr().err.splitlines()
    assert re.fullmatch(r"recording: 0\.02 s", first)
    assert 2 <= len(lines) <= 4
    with command_line._telling("drawing"):
        pass
    assert capsys.readouterr().err == ""
