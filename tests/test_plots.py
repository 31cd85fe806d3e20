"""Loss curves: what is written in them, where, and what they need."""

import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from itertools import pairwise

import pytest

from viz.diagrams.diagram import THEMES
from viz.plots import CURVES, HEADROOM, LETTERS, OTHERS, loss_curves

TRAINING = [(50, 2.5), (100, 1.9), (150, 1.6)]
CURVE = {"pattern I": [(0, 4.9), (50, 2.1), (100, 1.8), (150, 1.36)]}
LINES = {"uniform": 4.635, "bigram": 2.318, "4-gram": 1.404, "5-gram": 1.32}
LABEL = re.compile(r"<!-- (.+? [\d.]+) -->\s*<g [^>]*translate\(([\d.]+) ([\d.]+)\)")


def labels(svg: str) -> dict[str, tuple[float, float]]:
    """What is written to the right of the axes, from the top down, and where: x and y in points."""
    places = {text: (float(x), float(y)) for text, x, y in LABEL.findall(svg)}
    return dict(sorted(places.items(), key=lambda item: item[1][1]))


@pytest.fixture(scope="module")
def drawn() -> str:
    pytest.importorskip("matplotlib")
    return loss_curves(CURVE, LINES, training=TRAINING)


def test_each_line_is_labelled_with_its_loss_the_lowest_at_the_bottom(drawn: str) -> None:
    assert list(labels(drawn)) == ["uniform 4.63", "bigram 2.32", "4-gram 1.40", "pattern I 1.36", "5-gram 1.32"]


def test_labels_of_near_losses_do_not_overlap(drawn: str) -> None:
    heights = [y for _, y in labels(drawn).values()]
    assert min(b - a for a, b in pairwise(heights)) > LETTERS


@pytest.mark.parametrize("theme", THEMES)
def test_a_theme_has_the_colours_of_its_diagrams_and_no_background(theme: str) -> None:
    pytest.importorskip("matplotlib")
    svg = loss_curves(CURVE, LINES, training=TRAINING, theme=theme)
    other = next(name for name in THEMES if name != theme)
    assert THEMES[theme]["ink"] in svg
    assert CURVES[theme] in svg
    assert not any(colour in svg for colour in (THEMES[other]["ink"], CURVES[other], "#ffffff"))


def test_the_same_numbers_give_the_same_text_whatever_the_readers_settings(drawn: str) -> None:
    import matplotlib

    with matplotlib.rc_context({"font.size": 30, "text.usetex": True, "axes.facecolor": "red"}):
        assert loss_curves(CURVE, LINES, training=TRAINING) == drawn
        assert matplotlib.rcParams["font.size"] == 30


def test_names_are_written_as_they_are() -> None:
    pytest.importorskip("matplotlib")
    svg = loss_curves({}, {"$x_1$ <b>&\\": 2.0})
    ElementTree.fromstring(svg)
    assert list(labels(svg)) == ["$x_1$ &lt;b&gt;&amp;\\ 2.00"]


@pytest.mark.parametrize("points", [[], [(0, 4.9)]])
def test_a_curve_may_be_empty(points: list[tuple[float, float]]) -> None:
    pytest.importorskip("matplotlib")
    assert len(labels(loss_curves({"a": points}, {}))) == len(points)


def test_each_curve_is_labelled_in_a_look_of_its_own() -> None:
    pytest.importorskip("matplotlib")
    losses = {"a": 0.2, "b": 0.4, "c": 0.3, "d": 0.1}
    svg = loss_curves({name: [(0, 0.7), (9, loss)] for name, loss in losses.items()}, {"chance": 0.69, "floor": 0})
    written = ["chance 0.690", "b 0.400", "c 0.300", "a 0.200", "d 0.100", "floor 0.000"]
    assert list(labels(svg)) == written
    assert all(svg.count(colour) >= 2 for colour in (CURVES["light"], *OTHERS["light"]))  # of a curve and its label
    curves = re.findall(r'style="([^"]*stroke-width: 2\.2[^"]*)"', svg)
    assert len(set(curves)) == 4
    assert len({re.sub(r"stroke: #\w+", "", style) for style in curves}) == 4  # without colours too


def test_the_scale_is_logarithmic_unless_a_line_is_at_0() -> None:
    pytest.importorskip("matplotlib")
    for floor, evenly in ((0.0, True), (1.0, False)):
        lines = {"chance": 4.0, "line": (4 + floor) / 2, "floor": floor}
        heights = [y for _, y in labels(loss_curves({}, lines)).values()]
        assert (heights[1] - heights[0] == pytest.approx(heights[2] - heights[1], rel=0.01)) == evenly


def test_what_is_far_above_all_lines_is_cut_off() -> None:
    pytest.importorskip("matplotlib")
    drawn = [loss_curves({"a": [(0, start), (9, 1)]}, {"chance": 4, "floor": 0}) for start in (4 * HEADROOM, 400)]
    assert labels(drawn[0]) == labels(drawn[1])
    low = loss_curves({"a": [(0, 0), (9, 900)]}, {"chance": 4, "floor": 0})
    assert all(y > 0 for _, y in labels(low).values())


def test_labels_stay_in_the_picture_however_many_end_at_the_top() -> None:
    pytest.importorskip("matplotlib")
    curves = {name: [(0, 1.0), (9, 0.9 + i / 100)] for i, name in enumerate("abcd")}
    heights = [y for _, y in labels(loss_curves(curves, {"chance": 1.0, "floor": 0})).values()]
    assert heights[0] > LETTERS / 2
    assert min(b - a for a, b in pairwise(heights)) > LETTERS


@pytest.mark.parametrize(("top", "written"), [(23.02, "23.02"), (1.386, "1.39"), (0.1667, "0.167"), (0.0431, "0.0431")])
def test_losses_are_written_in_as_many_digits_as_the_highest_line_needs(top: float, written: str) -> None:
    pytest.importorskip("matplotlib")
    assert f"chance {written}" in labels(loss_curves({}, {"chance": top, "floor": 0}))


def test_an_unknown_theme_is_an_error_that_names_those_there_are() -> None:
    with pytest.raises(ValueError, match="no plot has the theme 'sepia'; known: light, dark"):
        loss_curves(CURVE, LINES, theme="sepia")


def test_without_matplotlib_the_error_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ModuleNotFoundError, match=r"^plots need matplotlib: pip install 'tinygrad_rnn\[gallery\]'$"):
        loss_curves(CURVE, LINES)


def test_importing_the_plots_does_not_import_matplotlib() -> None:
    program = "import sys, viz.plots; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
