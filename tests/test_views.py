"""The two forms of a model, drawn from its run: figure 10.3 of the book, arrow by arrow."""

from xml.etree import ElementTree

import numpy as np
import pytest

import tinygrad_rnn as tg
import viz
from tinygrad_rnn.modules import Parameter
from zoo.pattern_1 import Pattern1


def _record(T):
    rng = np.random.default_rng(0)
    return tg.record(Pattern1(3, 4, 5, rng=0), rng.normal(size=(T, 2, 3)), rng.integers(0, 5, size=(T, 2)))


def _labels(diagram):
    return {vertex.id: vertex.label for vertex in diagram.vertices}


def _arrows(diagram):
    """Each arrow as (from, label, to), by what is written; a delay square is ■ and a gap …"""
    marks = {vertex.id: {"delay": "■", "ellipsis": "…"}.get(vertex.kind, vertex.label) for vertex in diagram.vertices}
    return sorted((marks[a.tail], a.label, marks[a.head]) for a in diagram.arrows)


def test_the_circuit_of_pattern_i_is_figure_10_3_on_the_left():
    assert _arrows(viz.circuit(_record(6))) == sorted(
        [("x", "U", "h"), ("h", "V", "o"), ("o", "", "L"), ("y", "", "L"), ("h", "", "■"), ("■", "W", "h")]
    )


def test_pattern_i_unfolded_is_figure_10_3_on_the_right():
    expected = [("h⁽⁰⁾", "W", "h⁽¹⁾"), ("h⁽¹⁾", "W", "h⁽²⁾"), ("h⁽²⁾", "W", "…"), ("…", "W", "h⁽ᵀ⁾")]
    for t in ("⁽¹⁾", "⁽²⁾", "⁽ᵀ⁾"):
        expected += [(f"x{t}", "U", f"h{t}"), (f"h{t}", "V", f"o{t}"), (f"o{t}", "", f"L{t}"), (f"y{t}", "", f"L{t}")]
    assert _arrows(viz.unfolded(_record(6))) == sorted(expected)


def test_variables_stand_in_rows_from_x_at_the_bottom_to_y_at_the_top():
    rows = {vertex.label: vertex.y for vertex in viz.circuit(_record(6)).vertices if vertex.kind != "delay"}
    assert rows == {"x": 0, "h": 1, "o": 2, "L": 3, "y": 4}


def test_steps_stand_in_columns():
    diagram = viz.unfolded(_record(3))
    columns = {vertex.label: vertex.x for vertex in diagram.vertices}
    assert [columns[f"{name}⁽{t}⁾"] for name in "xhoLy" for t in "¹²³"] == [1, 2, 3] * 5


def test_a_short_sequence_is_drawn_whole_with_numbered_steps():
    written = set(_labels(viz.unfolded(_record(4))).values())
    assert "h⁽⁴⁾" in written
    assert "h⁽ᵀ⁾" not in written


@pytest.mark.parametrize(
    ("steps", "drawn"),
    [([1], "¹"), ([2, 3], "²³"), ([1, "…", 5, 6], "¹⁵ᵀ"), ([6], "ᵀ"), ([1, 2, 3, 4, 5, 6], "¹²³⁴⁵⁶")],
)
def test_the_steps_to_draw_can_be_chosen(steps, drawn):
    written = {vertex.label for vertex in viz.unfolded(_record(6), steps=steps).vertices if vertex.kind == "loss"}
    assert written == {f"L⁽{t}⁾" for t in drawn}


@pytest.mark.parametrize("steps", [[], [0], [7], [2, 1], [1, 1], ["…"], [1, "x"], [1.5]])
def test_steps_that_did_not_happen_are_an_error(steps):
    with pytest.raises(ValueError, match="steps from 1 to 6"):
        viz.unfolded(_record(6), steps=steps)


@pytest.mark.parametrize("draw", [viz.circuit, viz.unfolded, viz.side_by_side])
def test_no_arrow_runs_under_a_variable_it_does_not_join(draw):
    assert draw(_record(6)).hidden == []


@pytest.mark.parametrize("draw", [viz.circuit, viz.unfolded, viz.side_by_side])
def test_the_same_run_gives_the_same_dot_text(draw):
    assert draw(_record(6)).source == draw(_record(6)).source


def test_a_circuit_does_not_depend_on_how_long_the_run_was():
    assert viz.circuit(_record(5)).source == viz.circuit(_record(60)).source


def test_a_diagram_renders_to_svg(tmp_path):
    path = viz.side_by_side(_record(6)).render(tmp_path / "pattern_1.svg")
    text = "".join(ElementTree.parse(path).getroot().itertext())
    assert "unfold" in text
    assert "h⁽ᵀ⁾" in text


W, W2 = (Parameter(np.random.default_rng(seed).normal(size=(3, 3))) for seed in (0, 1))


def _skip(x, start):
    h = [start, start]
    for x_t in x:
        a = np.tanh(h[-1] @ W.T + h[-2] @ W2.T + x_t)
        h.append(a)
    return a


def test_an_initial_value_that_is_an_input_is_drawn_and_enters_the_delay():
    arrows = _arrows(viz.circuit(tg.record(_skip, np.ones((6, 3)), np.ones(3))))
    assert ("a⁽⁰⁾", "", "■") in arrows


def test_a_skip_of_two_steps_has_two_delay_squares():
    arrows = _arrows(viz.circuit(tg.record(_skip, np.ones((6, 3)), np.ones(3))))
    assert [arrow for arrow in arrows if arrow[0] == arrow[2] == "■"] == [("■", "", "■")]
    assert ("■", "W", "a") in arrows
    assert ("■", "W2", "a") in arrows


def test_a_skip_of_two_steps_reaches_over_one_column():
    arrows = _arrows(viz.unfolded(tg.record(_skip, np.ones((4, 3)), np.ones(3))))
    skips = {a for a in arrows if a[1] == "W2"}
    assert skips == {(f"a⁽{a}⁾", "W2", f"a⁽{b}⁾") for a, b in [("⁻¹", "¹"), ("⁰", "²"), ("¹", "³"), ("²", "⁴")]}


def test_what_has_no_circuit_is_not_drawn():
    def tree(x):
        return np.tanh(x[0] + np.tanh(x[1] + x[2]))

    def uneven(x):
        h = np.zeros(3)
        for t, x_t in enumerate(x):
            h = np.tanh(h @ W.T + x_t) if t % 2 else np.tanh(h @ W2.T + x_t)
        return h

    assert viz.circuit(tg.record(tree, np.ones((3, 2)))).vertices
    with pytest.raises(tg.FoldError):
        viz.circuit(tg.record(uneven, np.ones((6, 3))))
