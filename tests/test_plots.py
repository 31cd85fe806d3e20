"""The loss curve: what is written in it, where, and what it needs."""

import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from itertools import pairwise

import pytest

from viz.diagram import THEMES
from viz.plots import CURVES, LETTERS, loss_curve

TRAINING = [(50, 2.5), (100, 1.9), (150, 1.6)]
VALIDATION = [(0, 4.9), (50, 2.1), (100, 1.8), (150, 1.36)]
LINES = {"uniform": 4.635, "bigram": 2.318, "4-gram": 1.404, "5-gram": 1.32}
LABEL = re.compile(r"<!-- (.+? [\d.]+) -->\s*<g [^>]*translate\(([\d.]+) ([\d.]+)\)")


def labels(svg: str) -> dict[str, tuple[float, float]]:
    """What is written to the right of the axes, from the top down, and where: x and y in points."""
    places = {text: (float(x), float(y)) for text, x, y in LABEL.findall(svg)}
    return dict(sorted(places.items(), key=lambda item: item[1][1]))


@pytest.fixture(scope="module")
def drawn() -> str:
    pytest.importorskip("matplotlib")
    return loss_curve(TRAINING, VALIDATION, LINES, name="pattern I")


def test_each_line_is_labelled_with_its_loss_the_lowest_at_the_bottom(drawn: str) -> None:
    assert list(labels(drawn)) == ["uniform 4.63", "bigram 2.32", "4-gram 1.40", "pattern I 1.36", "5-gram 1.32"]


def test_labels_of_near_losses_do_not_overlap(drawn: str) -> None:
    heights = [y for _, y in labels(drawn).values()]
    assert min(b - a for a, b in pairwise(heights)) > LETTERS


@pytest.mark.parametrize("theme", THEMES)
def test_a_theme_has_the_colours_of_its_diagrams_and_no_background(theme: str) -> None:
    pytest.importorskip("matplotlib")
    svg = loss_curve(TRAINING, VALIDATION, LINES, theme=theme)
    other = next(name for name in THEMES if name != theme)
    assert THEMES[theme]["ink"] in svg
    assert CURVES[theme] in svg
    assert not any(colour in svg for colour in (THEMES[other]["ink"], CURVES[other], "#ffffff"))


def test_the_same_numbers_give_the_same_text_whatever_the_readers_settings(drawn: str) -> None:
    import matplotlib

    with matplotlib.rc_context({"font.size": 30, "text.usetex": True, "axes.facecolor": "red"}):
        assert loss_curve(TRAINING, VALIDATION, LINES, name="pattern I") == drawn
        assert matplotlib.rcParams["font.size"] == 30


def test_names_are_written_as_they_are() -> None:
    pytest.importorskip("matplotlib")
    svg = loss_curve([], [], {"$x_1$ <b>&\\": 2.0})
    ElementTree.fromstring(svg)
    assert list(labels(svg)) == ["$x_1$ &lt;b&gt;&amp;\\ 2.00"]


@pytest.mark.parametrize("validation", [[], [(0, 4.9)]])
def test_a_curve_may_be_empty(validation: list[tuple[float, float]]) -> None:
    pytest.importorskip("matplotlib")
    assert len(labels(loss_curve([], validation, {}))) == len(validation)


def test_an_unknown_theme_is_an_error_that_names_those_there_are() -> None:
    with pytest.raises(ValueError, match="unknown theme 'sepia'; known: light, dark"):
        loss_curve(TRAINING, VALIDATION, LINES, theme="sepia")


def test_without_matplotlib_the_error_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ModuleNotFoundError, match=r"^plots need matplotlib: pip install 'tinygrad_rnn\[gallery\]'$"):
        loss_curve(TRAINING, VALIDATION, LINES)


def test_importing_the_plots_does_not_import_matplotlib() -> None:
    program = "import sys, viz.plots; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
