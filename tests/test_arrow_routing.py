"""Where arrows and labels are: on nothing else, if there is room, and easy to tell apart."""

import cmath
import math
import re
from itertools import combinations, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from programs import PROGRAMS

import tinygrad_rnn as tg
import viz
from viz.diagrams import label_placement, vertices
from viz.diagrams.bezier import apart
from viz.diagrams.diagram import Diagram
from viz.diagrams.vertices import Arrow, Vertex
from viz.labels import at_step
from zoo.catalogue import CATALOGUE


def pattern_1() -> Diagram:
    """The circuit of figure 10.3."""
    vertices = [Vertex(name, name, 0, row) for row, name in enumerate("xhoLy")] + [Vertex("W", "", 0.8, 1, "delay")]
    arrows = [Arrow("x", "h", "U"), Arrow("h", "o", "V"), Arrow("o", "L"), Arrow("y", "L")]
    return Diagram(vertices, [*arrows, Arrow("h", "W"), Arrow("W", "h", "W")], title="Pattern I")


def points(source: str, tail: str, head: str) -> list[tuple[float, float]]:
    """An arrow's control points, the tip of its head first if it has one."""
    found = re.search(rf'\t"{tail}" -> "{head}" \[.*?pos="(?:e,)?([^"]*)"', source)
    assert found
    return [(float(x), float(y)) for x, y in (pair.split(",") for pair in found[1].split())]


def along(drawing: Diagram) -> list[complex]:
    """Points on all arrows, close together."""
    both = zip(drawing.arrows, drawing._routes.curves, strict=True)
    return [drawing._named[arrow.tail].at + curve.at(k / 300)[0] for arrow, curve in both for k in range(301)]


def test_an_arrow_between_neighbours_is_straight() -> None:
    assert {x for x, _ in points(pattern_1().source, "x", "h")} == {0.0}


def test_a_loop_passes_straight_up_through_its_delay_and_is_its_own_mirror_image() -> None:
    source = pattern_1().source
    out, back = points(source, "h", "W"), points(source, "W", "h")
    delay, row = (68.8, 76.0), 76.0
    assert out[-1] == back[1] == delay
    assert out[-2][0] == back[2][0] == delay[0]
    assert out[0][0] == back[0][0]
    assert row - out[0][1] == pytest.approx(back[0][1] - row)
    assert out[0][1] < row


def test_an_arrow_goes_around_a_vertex_in_its_way() -> None:
    row = [Vertex(f"h{t}", at_step("h", t), t, 0) for t in range(5)]
    skips = Diagram(row, [Arrow("h0", "h2"), Arrow("h1", "h4"), Arrow("h4", "h0")])
    assert skips.hidden == []
    assert max(y for _, y in points(skips.source, "h0", "h2")) > 22 + vertices.CLEARANCE


def walled_in(*gaps: tuple[float, float]) -> list[Vertex]:
    """A vertex h in a ring of others that touch each other, but for gaps, and one, o, outside."""
    ring = {(x / 2, y / 2) for x in range(-2, 3) for y in range(-2, 3) if max(abs(x), abs(y)) == 2} - set(gaps)
    return [Vertex("h", "h", 0, 0), Vertex("o", "o", 3, 0), *(Vertex(f"{at}", "", *at) for at in sorted(ring))]


def test_an_arrow_finds_the_way_out_that_no_simple_curve_takes() -> None:
    way_out = Diagram(walled_in((-1.0, 0.0), (-1.0, 0.5), (-1.0, -0.5)), [Arrow("h", "o", "V")])
    assert way_out.hidden == []
    assert min(x for x, _ in points(way_out.source, "h", "o")) < -vertices.COLUMN


def test_an_arrow_that_cannot_keep_clear_is_reported() -> None:
    out = Arrow("h", "o")
    assert [arrow for arrow, _ in Diagram(walled_in(), [out]).hidden] == [out]


@pytest.mark.parametrize("name", ["lstm", "skip", "turing-machine"])
def test_no_arrow_of_a_backward_pass_runs_under_a_vertex(name: str) -> None:
    model, arguments = CATALOGUE[name].example()
    both = tg.record(model, *arguments).backward()
    assert viz.unfolded(both).hidden == viz.circuit(both).hidden == []


@pytest.mark.parametrize("name", ["attention", "memory-network"])
def test_no_arrow_between_operations_runs_under_another(name: str) -> None:
    model, arguments = CATALOGUE[name].example()
    assert viz.unfolded(tg.record(model, *arguments), detail="operations").hidden == []


def test_an_arrow_told_to_run_through_a_vertex_goes_around_it() -> None:
    row = [Vertex(f"h{t}", at_step("h", t), t, 0) for t in range(3)]
    assert Diagram(row, [Arrow("h0", "h2", via=((1, 0.1),))]).hidden == []


def test_arrows_between_the_same_two_vertices_are_side_by_side() -> None:
    two = [Vertex("a", "a", 0, 0), Vertex("b", "b", 1, 0)]
    source = Diagram(two, [Arrow("a", "b"), Arrow("b", "a")]).source
    assert max(y for _, y in points(source, "a", "b")) < 0 < min(y for _, y in points(source, "b", "a"))


def test_an_arrow_to_its_own_vertex_leaves_it_and_a_second_one_leaves_it_on_the_other_side() -> None:
    one, other = Diagram([Vertex("h", "h", 0, 0)], [Arrow("h", "h", "1 − 1/α"), Arrow("h", "h", "2")])._routes.curves
    assert max(point.real for point in one.points) > 60
    assert min(point.real for point in other.points) < -60


def test_arrows_that_meet_at_a_vertex_keep_apart_on_its_outline() -> None:
    """Twenty from one side, of which the farthest come in at almost the same angle."""
    vertices = [Vertex(f"h{i}", at_step("h", i), i, 0) for i in range(20)] + [Vertex("c", "c", 22, 2)]
    drawing = Diagram(vertices, [Arrow(f"h{i}", "c") for i in range(20)])
    tips = [points(drawing.source, f"h{i}", "c")[0] for i in range(20)]
    assert all(math.dist(one, other) > 0.8 * 44 * math.pi / 20 for one, other in combinations(tips, 2))
    assert drawing.hidden == []


@given(st.lists(st.floats(-math.pi, math.pi), min_size=1, max_size=12), st.floats(0, 1))
def test_angles_moved_apart_are_apart_and_in_the_same_order_and_stay_if_they_were(
    angles: list[float], least: float
) -> None:
    moved = apart(tuple(angles), least)
    assert len(moved) == len(angles)
    room = min(least, math.tau / len(angles))
    gaps = [abs(cmath.phase(cmath.rect(1, a - b))) for a, b in combinations(moved, 2)]
    before = [abs(cmath.phase(cmath.rect(1, a - b))) for a, b in combinations(angles, 2)]
    if len(angles) * least < math.pi:
        assert min(gaps, default=room) >= room - 1e-6
    if min(before, default=least) > least:
        assert moved == pytest.approx(angles)


def test_where_several_arrows_part_each_sets_out_for_its_own_head_and_what_comes_in_has_none() -> None:
    """The delayed state of a gated cell: one square, three gates."""
    gates = [Vertex(name, name, x, 1) for x, name in enumerate("gfq")]
    square = Vertex("delay", "", 1, 0, "delay")
    drawing = Diagram(
        [*gates, square, Vertex("h", "h", 1, 3)], [Arrow("h", "delay")] + [Arrow("delay", g) for g in "gfq"]
    )
    into, *out = drawing._routes.curves
    assert into.tip is None
    for curve, gate in zip(out, gates, strict=True):
        assert abs(cmath.phase((curve.points[1] - curve.points[0]) / (gate.at - square.at))) < 0.1


def test_a_label_is_nearer_to_its_own_arrow_than_to_any_other() -> None:
    """A gated cell at two steps: the arrows from the step before pass others on their way."""
    vertices = [
        Vertex(f"{name}{t}", at_step(name, t), 1.5 * t, row) for t in range(3) for row, name in enumerate("xurh")
    ]
    arrows = [Arrow(f"x{t}", f"u{t}", "Uu") for t in range(3)] + [Arrow(f"r{t}", f"h{t}", "W") for t in range(3)]
    arrows += [Arrow(f"h{t}", f"{name}{t + 1}", f"W{name}") for t in range(2) for name in "hru"]
    drawing = Diagram(vertices, arrows)

    def away(of: int, other: int) -> float:
        """From the label of an arrow to any arrow."""
        arrow, curve = arrows[of], drawing._routes.curves[other]
        (x, y), *_ = re.findall(rf'"{arrow.tail}" -> "{arrow.head}" .*lp="(.*?),(.*?)"', drawing.source)
        start = drawing._named[arrows[other].tail].at - complex(float(x), float(y))
        half = label_placement.half_of(arrow.label)
        spots = [start + curve.at(k / 100)[0] for k in range(101)]
        return min(math.hypot(max(abs(s.real) - half.real, 0), max(abs(s.imag) - half.imag, 0)) for s in spots)

    for i in range(len(arrows)):
        distances = [away(i, other) for other in range(len(arrows))]
        assert distances.index(min(distances)) == i, arrows[i]


def test_an_arrow_of_five_columns_between_full_rows_runs_under_nothing() -> None:
    rows = [Vertex(f"{name}{t}", at_step(name, t), t, row) for t in range(9) for row, name in enumerate("xho")]
    drawing = Diagram(rows, [Arrow(f"h{t}", f"h{t + 5}") for t in range(4)])
    assert drawing.hidden == []
    first, second = (drawing._routes.curves[i] for i in (0, 1))
    assert first.at(0.5)[0].imag != pytest.approx(second.at(0.5)[0].imag, abs=3)


def test_no_label_covers_another_or_an_arrow_or_a_vertex() -> None:
    """Every encoder state to every context, each with its weight: as crowded as our drawings get."""
    vertices = [Vertex(f"h{i}", at_step("h", i), i, 0) for i in range(4)]
    vertices += [Vertex(f"c{j}", at_step("c", j), 2 * j + 0.5, 2) for j in range(2)]
    arrows = [Arrow(f"h{i}", f"c{j}", f".{i}{j}") for i in range(4) for j in range(2)]
    drawing = Diagram(vertices, arrows)
    boxes = [
        (complex(float(x), float(y)), label_placement.half_of(f".{i}{j}"))
        for i in range(4)
        for j in range(2)
        for x, y in re.findall(rf'"h{i}" -> "c{j}" \[.*lp="(.*?),(.*?)"', drawing.source)
    ]
    assert len(boxes) == 8
    for place, half in boxes:
        for point in along(drawing):
            assert abs((point - place).real) > half.real - 2 or abs((point - place).imag) > half.imag - 2
        for other, _ in boxes:
            away = other - place
            assert other == place or abs(away.real) > 2 * half.real - 1 or abs(away.imag) > 2 * half.imag - 1


def test_a_frame_holds_its_vertices_and_its_title_avoids_the_arrows() -> None:
    """An arrow leaves the frame upward where its title would be, so the title goes to the other corner."""
    vertices = [Vertex("x", "x", 0, 0, cluster="encoder"), Vertex("z", "z", 1, 0, cluster="encoder")]
    source = Diagram([*vertices, Vertex("y", "y", 0, 2)], [Arrow("x", "y")]).source
    left, bottom, right, top, title = (
        float(number) for number in re.findall(r'bb="(.*?),(.*?),(.*?),(.*?)".*lp="(.*?),', source)[0]
    )
    assert left < -22
    assert bottom < -22
    assert right > 86 + 22
    assert top > 22
    assert title > 43


@pytest.mark.parametrize("name", ["forecast", "lstm-with-named-tuples", "causal-attention"])
def test_no_arrow_turns_back_on_itself_at_a_vertex_that_it_joins(name):
    function, *arguments = PROGRAMS[name].example(5)
    drawing = viz.unfolded(tg.record(function, *arguments).backward())
    for curve in drawing._routes.curves:
        steps = [b - a for a, b in pairwise(curve.samples) if a != b]
        turns = [abs(cmath.phase(after / before)) for before, after in pairwise(steps)]
        assert max(turns, default=0.0) < 2
