"""Labels, the drawing's model and the backend: what is written is what is seen."""

import importlib.util
import re
import shutil
import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from viz import diagram, parts, routes
from viz.diagram import Diagram
from viz.labels import at_step, escape, identifier, superscript, visible
from viz.parts import Arrow, Vertex
from viz.render import RendererMissing, RenderError, render, svg

SVG = "{http://www.w3.org/2000/svg}"
needs_dot = pytest.mark.skipif(shutil.which("dot") is None, reason="needs the dot executable")
needs_wheel = pytest.mark.skipif(importlib.util.find_spec("pygraphviz") is None, reason="needs pygraphviz")

BAD = [
    '"quoted"',
    "<b>bold</b>",
    "<script>x</script>",
    "a\nb",
    "\\N",
    "\\",
    "&lt;",
    "&#955;",
    "\0",
    "h:1",
    "隠れ層",
    "\u202e",
    "\ud800",
    "a--b",
    "]]>",
]
ANY_TEXT = st.text() | st.lists(st.sampled_from([*BAD, "&", "{", "|", ";", "%3A", " "]), max_size=4).map("".join)


@pytest.fixture
def without_dot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)


@pytest.fixture
def without_graphviz(without_dot: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)


def pattern_1() -> Diagram:
    """The circuit of figure 10.3."""
    vertices = [Vertex(name, name, 0, row) for row, name in enumerate("xhoLy")] + [Vertex("W", "", 0.8, 1, "delay")]
    arrows = [Arrow("x", "h", "U"), Arrow("h", "o", "V"), Arrow("o", "L"), Arrow("y", "L")]
    return Diagram(vertices, [*arrows, Arrow("h", "W"), Arrow("W", "h", "W")], title="Pattern I")


def unfolded(steps: int) -> Diagram:
    """The unfolded graph of figure 10.3, five vertices and five arrows a step."""
    vertices, arrows = [Vertex("h0", at_step("h", 0), 0, 1)], []
    for t in range(1, steps + 1):
        vertices += [Vertex(f"{name}{t}", at_step(name, t), t, row) for row, name in enumerate("xhoLy")]
        arrows += [Arrow(f"x{t}", f"h{t}", "U"), Arrow(f"h{t - 1}", f"h{t}", "W"), Arrow(f"h{t}", f"o{t}", "V")]
        arrows += [Arrow(f"o{t}", f"L{t}"), Arrow(f"y{t}", f"L{t}")]
    return Diagram(vertices, arrows)


def texts(picture: str) -> list[str]:
    """Every text that an SVG picture shows; Graphviz sets some spaces as no-break spaces."""
    return [(text.text or "").replace("\xa0", " ") for text in ElementTree.fromstring(picture).iter(f"{SVG}text")]


def ellipses(picture: str) -> list[tuple[float, float, float]]:
    found = ElementTree.fromstring(picture).iter(f"{SVG}ellipse")
    return [(float(e.attrib["cx"]), float(e.attrib["cy"]), float(e.attrib["rx"])) for e in found]


# ---- labels


@pytest.mark.parametrize(
    ("label", "shown"),
    [
        (at_step("h", 1), "h⁽¹⁾"),
        (at_step("h", 12, -1), "h⁽¹¹⁾"),
        (at_step("h", "t"), "h⁽ᵗ⁾"),
        (at_step("h", "t", -1), "h⁽ᵗ⁻¹⁾"),
        (at_step("h", "t", 1), "h⁽ᵗ⁺¹⁾"),
        (at_step("h", "T"), "h⁽ᵀ⁾"),
        (at_step("h", "q"), "h^(q)"),
        (at_step("h", "q", -1), "h^(q-1)"),
        (superscript("2"), "²"),
        (superscript("2q"), "^(2q)"),
    ],
)
def test_a_step_is_raised_by_unicode_or_not_at_all(label: str, shown: str) -> None:
    assert label == shown


def test_what_cannot_be_seen_is_written_as_python_writes_it() -> None:
    assert visible("a\nb\0\x1b\u202e\ud800") == r"a\nb\x00\x1b\u202e\ud800"


def test_a_long_name_keeps_its_beginning_and_its_step() -> None:
    shown = visible("n" * 9_995 + "⁽ᵗ⁻¹⁾", 20)
    assert shown == "n" * 13 + "…" + "n⁽ᵗ⁻¹⁾"
    assert len(escape("\\" * 10_000)) == 79 * 2 + 1


@given(st.text(), st.text())
def test_different_texts_have_different_identifiers_which_dot_takes_literally(one: str, other: str) -> None:
    assert (identifier(one) == identifier(other)) == (one == other)
    assert not re.search(r'[:<>&"\\]', identifier(one))


# ---- the diagram's text


def test_a_diagram_of_two_vertices_is_this_text() -> None:
    vertices = [Vertex("x1", at_step("x", 1), 1, 0, "input"), Vertex("h1", at_step("h", 1), 1, 1)]
    assert Diagram(vertices, [Arrow("x1", "h1", "U")]).source == (
        "digraph diagram {\n"
        '\tgraph [bgcolor="#ffffff" fontcolor="#1a1a1a" fontname="Times-Roman" fontsize=16 outputorder=edgesfirst'
        " pad=0.15]\n"
        '\tnode [color="#1a1a1a" fillcolor="#ffffff" fixedsize=true fontcolor="#1a1a1a" fontname="Times-Italic"'
        " fontsize=14 height=0.611 shape=ellipse style=filled width=0.611]\n"
        '\tedge [arrowsize=0.6 color="#1a1a1a" fontcolor="#1a1a1a" fontname="Times-Italic" fontsize=14'
        " penwidth=0.8]\n"
        '\tx1 [label="x⁽¹⁾" class=input pos="86.0,0.0"]\n'
        '\th1 [label="h⁽¹⁾" pos="86.0,76.0"]\n'
        '\tx1 -> h1 [label=U lp="94.0,35.0" pos="e,86.0,54.0 86.0,22.0 86.0,30.7 86.0,39.3 86.0,48.0"]\n'
        "}\n"
    )


def test_the_same_diagram_is_the_same_text() -> None:
    assert pattern_1().source == pattern_1().source


def test_the_description_has_a_sentence_for_each_arrow() -> None:
    assert pattern_1().description == (
        "Pattern I. U leads from x to h. V leads from h to o. An arrow leads from o to L. An arrow leads from y to L. "
        "An arrow leads from h to a delay of one step. W leads from a delay of one step to h."
    )


@pytest.mark.parametrize(
    ("vertices", "arrows", "message"),
    [
        ([Vertex("x", "x", 0, 0), Vertex("x", "x", 1, 0)], [], "same id"),
        ([Vertex("x", "x", 0, 0), Vertex("h", "h", 0, 0)], [], "'x' and 'h' are at the same place"),
        ([Vertex("x", "x", 0, 0)], [Arrow("x", "z")], "there is no vertex 'z'"),
        ([Vertex("x", "x", 0, 0, "star")], [], "unknown vertex 'star'; known: variable, input"),
        ([Vertex("x", "x", 0, 0)], [Arrow("x", "x", kind="thick")], "unknown arrow 'thick'; known: wire"),
    ],
)
def test_a_diagram_that_would_be_drawn_wrongly_is_an_error(
    vertices: list[Vertex], arrows: list[Arrow], message: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        Diagram(vertices, arrows)


@pytest.mark.parametrize("theme", diagram.THEMES)
def test_ink_stands_out_from_paper_in_every_theme(theme: str) -> None:
    """Contrast as WCAG 2 computes it: 7 is its highest grade for text, 4.5 the one below."""

    def luminance(colour: str) -> float:
        channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    def contrast(one: str, other: str) -> float:
        low, high = sorted((luminance(one), luminance(other)))
        return (high + 0.05) / (low + 0.05)

    colours = diagram.THEMES[theme]
    assert min(contrast(colours["ink"], colours[ground]) for ground in ("paper", "fill")) > 7
    assert min(contrast(colours[ink], colours["paper"]) for ink in ("faint", "grad")) > 4.5


# ---- where arrows and labels are


def points(source: str, tail: str, head: str) -> list[tuple[float, float]]:
    """An arrow's control points, the tip of its head first if it has one."""
    found = re.search(rf'\t{tail} -> {head} \[.*?pos="(?:e,)?([^"]*)"', source)
    assert found
    return [(float(x), float(y)) for x, y in (pair.split(",") for pair in found[1].split())]


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
    assert max(y for _, y in points(skips.source, "h0", "h2")) > 22 + parts.CLEARANCE


def test_an_arrow_that_cannot_keep_clear_is_reported() -> None:
    row = [Vertex(f"h{t}", at_step("h", t), t, 0) for t in range(3)]
    through = Arrow("h0", "h2", via=((1, 0.1),))
    assert Diagram(row, [through]).hidden == [(through, row[1])]


def test_arrows_between_the_same_two_vertices_are_side_by_side() -> None:
    two = [Vertex("a", "a", 0, 0), Vertex("b", "b", 1, 0)]
    source = Diagram(two, [Arrow("a", "b"), Arrow("b", "a")]).source
    assert max(y for _, y in points(source, "a", "b")) < 0 < min(y for _, y in points(source, "b", "a"))


def test_an_arrow_to_its_own_vertex_leaves_it() -> None:
    source = Diagram([Vertex("h", "h", 0, 0)], [Arrow("h", "h", "1 − 1/α")]).source
    assert max(x for x, _ in points(source, "h", "h")) > 60


def test_no_label_covers_another_or_an_arrow_or_a_vertex() -> None:
    """Every encoder state to every context, each with its weight: as crowded as our drawings get."""
    vertices = [Vertex(f"h{i}", at_step("h", i), i, 0) for i in range(4)]
    vertices += [Vertex(f"c{j}", at_step("c", j), 2 * j + 0.5, 2) for j in range(2)]
    arrows = [Arrow(f"h{i}", f"c{j}", f".{i}{j}") for i in range(4) for j in range(2)]
    drawing = Diagram(vertices, arrows)
    boxes = [
        (complex(float(x), float(y)), routes.half_of(f".{i}{j}"))
        for i in range(4)
        for j in range(2)
        for x, y in re.findall(rf'h{i} -> c{j} \[.*lp="(.*?),(.*?)"', drawing.source)
    ]
    assert len(boxes) == 8
    for place, half in boxes:
        for point in (point for curve in drawing._curves for point in curve.samples(1)):
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


# ---- the picture


@needs_dot
@pytest.mark.parametrize("text", BAD)
def test_any_text_is_shown_literally(text: str) -> None:
    drawing = Diagram([Vertex(text, text, 0, 0, note=text), Vertex("h", "h", 0, 1)], [Arrow(text, "h", text)], text)
    picture = drawing._repr_svg_()
    assert sorted(texts(picture)) == sorted([visible(text), visible(text), visible(text), "h"])
    tooltips = [e.attrib for e in ElementTree.fromstring(picture).iter() if e.tag == f"{SVG}a"]
    assert [list(tooltip.values()) for tooltip in tooltips] == [[visible(text)]]
    assert "<script" not in picture


@needs_dot
@settings(max_examples=25, deadline=None)
@given(st.lists(ANY_TEXT, min_size=1, max_size=8, unique=True))
def test_any_texts_at_all_are_shown_literally(names: list[str]) -> None:
    drawing = Diagram([Vertex(name, f"-{name}", i, 0) for i, name in enumerate(names)], [])
    assert texts(drawing._repr_svg_()) == [visible(f"-{name}", parts.LIMIT).replace("\xa0", " ") for name in names]


@needs_dot
def test_a_name_of_ten_thousand_characters_is_shortened_and_all_of_it_fits_its_column() -> None:
    picture = Diagram([Vertex("n" * 10_000, "n" * 10_000, 0, 0), Vertex("h", "h", 1, 0)], [])._repr_svg_()
    assert texts(picture)[0] == "n" * 13 + "…" + "n" * 6
    (left, _, long), (right, _, short) = ellipses(picture)
    assert left + long < right - short


@needs_dot
@pytest.mark.parametrize(
    ("extension", "start"),
    [(".svg", b"<?xml"), (".png", b"\x89PNG"), (".pdf", b"%PDF"), (".dot", b"digraph"), (".gv", b"digraph")],
)
def test_the_extension_chooses_the_format_and_missing_folders_are_made(
    tmp_path: Path, extension: str, start: bytes
) -> None:
    path = pattern_1().render(tmp_path / "new" / f"circuit{extension}")
    assert path.read_bytes().startswith(start)
    assert [file.name for file in path.parent.iterdir()] == [f"circuit{extension}"]


@needs_dot
@needs_wheel
def test_the_wheel_puts_every_vertex_where_the_executable_does(request: pytest.FixtureRequest) -> None:
    by_executable = ellipses(svg(pattern_1().source, "neato"))
    request.getfixturevalue("without_dot")
    by_wheel = ellipses(svg(pattern_1().source, "neato"))
    assert len(by_wheel) == 5
    assert by_wheel == [pytest.approx(ellipse, abs=0.5) for ellipse in by_executable]


@needs_wheel
@pytest.mark.usefixtures("without_dot")
@pytest.mark.parametrize("extension", [".svg", ".png", ".pdf"])
def test_the_wheel_draws_every_format(tmp_path: Path, extension: str) -> None:
    assert pattern_1().render(tmp_path / f"circuit{extension}").stat().st_size > 1000


@needs_dot
def test_positions_are_ours_with_neato_and_searched_for_with_dot() -> None:
    source = 'digraph { a [pos="0,0"]; b [pos="300,0"]; a -> b }'
    (ax, _, _), (bx, _, _) = ellipses(svg(source, "neato"))
    assert bx - ax == pytest.approx(300)
    (ax, _, _), (bx, _, _) = ellipses(svg(source, "dot"))
    assert bx == pytest.approx(ax)


@pytest.mark.usefixtures("without_graphviz")
def test_without_graphviz_the_dot_text_is_written_and_the_error_names_both_remedies(tmp_path: Path) -> None:
    with pytest.raises(RendererMissing) as error:
        pattern_1().render(tmp_path / "circuit.png")
    assert str(error.value) == (
        "no Graphviz to draw with: install Graphviz (apt-get install graphviz, brew install graphviz) "
        f"or pip install pygraphviz; the DOT text is in {tmp_path / 'circuit.dot'}"
    )
    assert (tmp_path / "circuit.dot").read_text(encoding="utf-8") == pattern_1().source
    assert not (tmp_path / "circuit.png").exists()


@pytest.mark.parametrize("name", ["circuit.jpg", "circuit"])
def test_an_unknown_extension_is_an_error_that_lists_the_known_ones(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match=rf"'{name}'; known extensions: \.svg, \.png, \.pdf, \.dot, \.gv"):
        render("digraph {}", tmp_path / "new" / name)
    assert not (tmp_path / "new").exists()


def test_a_path_that_cannot_be_written_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    path = tmp_path / "file" / "circuit.dot"
    with pytest.raises(OSError, match=r"^\[Errno \d+\] cannot write: .*circuit\.dot'$"):
        render("digraph {}", path)


@needs_dot
def test_a_text_that_is_no_graph_leaves_the_old_picture_and_says_what_graphviz_said(tmp_path: Path) -> None:
    path = tmp_path / "circuit.svg"
    path.write_text("old", encoding="utf-8")
    with pytest.raises(RenderError, match="syntax error in line 1"):
        render("digraph { a -> }", path)
    assert path.read_text(encoding="utf-8") == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_an_unknown_engine_is_an_error() -> None:
    with pytest.raises(ValueError, match="unknown engine 'circo'; known: neato, dot"):
        svg("digraph {}", "circo")


@needs_dot
def test_twenty_thousand_vertices_take_seconds_and_time_grows_in_proportion() -> None:
    def seconds(steps: int) -> float:
        start = time.perf_counter()
        assert len(ellipses(unfolded(steps)._repr_svg_())) == 5 * steps + 1
        return time.perf_counter() - start

    few = min(seconds(400) for _ in range(3))
    many = seconds(4000)
    assert many < 20
    assert many < 25 * few
