"""The drawing's model, its DOT text and the backend: what is written is what is seen."""

import importlib.util
import math
import os
import re
import shutil
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from viz.diagrams import diagram, vertices
from viz.diagrams.diagram import Diagram
from viz.diagrams.render import RendererMissing, RenderError, render, svg
from viz.diagrams.vertices import Arrow, Vertex
from viz.labels import LOWERED, SUPERSCRIPTS, at_step, visible, width

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
    "e\u0301",
    "\u05e9\u05dc\u05d5\u05dd",
    "👩‍🔬",
    "%25",
    "\\l",
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
    return [_read(text).replace("\xa0", " ") for text in ElementTree.fromstring(picture).iter(f"{SVG}text")]


def _read(text: ElementTree.Element) -> str:
    """A text with its superscripts, each of which is set as smaller letters above the line."""
    raised = [
        (part.text or "").translate(SUPERSCRIPTS if "font-size" in part.attrib else {0x200B: ""}) for part in text
    ]
    return "".join([text.text or "", *(part + (tspan.tail or "") for part, tspan in zip(raised, text, strict=True))])


def ellipses(picture: str) -> list[tuple[float, float, float]]:
    found = ElementTree.fromstring(picture).iter(f"{SVG}ellipse")
    return [(float(e.attrib["cx"]), float(e.attrib["cy"]), float(e.attrib["rx"])) for e in found]


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
        '\t"x1" [label="x⁽¹⁾" pos="86.0,0.0" class="input"]\n'
        '\t"h1" [label="h⁽¹⁾" pos="86.0,76.0"]\n'
        '\t"x1" -> "h1" [pos="e,86.0,54.0 86.0,22.0 86.0,30.7 86.0,39.3 86.0,48.0" label="U" lp="94.0,35.0"]\n'
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
        ([Vertex("x", "x", math.nan, 0)], [], "'x' is nowhere: x = nan, y = 0"),
        ([Vertex("x", "x", 0, -math.inf)], [], "'x' is nowhere: x = 0, y = -inf"),
        (
            [Vertex("x", "x", 0, 0)],
            [Arrow("x", "x", strength=1.5)],
            "'x' → 'x': its strength, 1.5, is not between 0 and 1",
        ),
        ([Vertex("x", "x", 0, 0)], [Arrow("x", "x", strength=math.nan)], "its strength, nan, is not between"),
        ([Vertex("x", "x", 0, 0)], [Arrow("x", "x", via=((1, math.inf),))], "'x' → 'x': it leads nowhere"),
    ],
)
def test_a_diagram_that_would_be_drawn_wrongly_is_an_error(
    vertices: list[Vertex], arrows: list[Arrow], message: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        Diagram(vertices, arrows)


def test_a_legend_of_what_is_not_drawn_is_an_error() -> None:
    for kind in ("anchor", "star"):
        with pytest.raises(ValueError, match=f"unknown kind in the legend '{kind}'; known: variable"):
            Diagram([Vertex("x", "x", 0, 0)], [], legend=[(kind, "it")])


def luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one: str, other: str) -> float:
    """As WCAG 2 computes it: 7 is its highest grade for text, 4.5 the one below."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", diagram.THEMES)
def test_ink_stands_out_from_paper_in_every_theme(theme: str) -> None:
    colours = diagram.THEMES[theme]
    assert min(contrast(colours["ink"], colours[ground]) for ground in ("paper", "fill")) > 7
    assert min(contrast(colours[ink], colours["paper"]) for ink in ("faint", "grad")) > 4.5
    assert contrast(colours["grad"], colours["fill"]) > 4.5


@pytest.mark.parametrize("theme", diagram.THEMES)
@pytest.mark.parametrize("kind", ["wire", "grad"])
def test_a_stronger_arrow_is_thicker_and_stands_out_more_and_the_weakest_is_still_seen(theme: str, kind: str) -> None:
    ends = [Vertex("a", "a", 0, 0), Vertex("b", "b", 1, 0)]
    drawn = [Diagram(ends, [Arrow("a", "b", kind=kind, strength=s / 4)], theme=theme).source for s in range(5)]
    widths = [float(re.findall(r'penwidth="(.*?)"', source)[0]) for source in drawn]
    colours = [re.findall(r'"a" -> "b" .* color="(#.*?)"', source)[0] for source in drawn]
    stands_out = [contrast(colour, diagram.THEMES[theme]["paper"]) for colour in colours]
    assert widths == sorted(set(widths))
    assert stands_out == sorted(set(stands_out))
    assert stands_out[0] > 1.2


# ---- the picture


@needs_dot
@pytest.mark.parametrize("text", BAD)
def test_any_text_is_shown_literally_wherever_it_stands(text: str) -> None:
    vertices = [Vertex(text, text, 0, 0, note=text, detail=text, cluster=text), Vertex("h", "h", 0, 1, cluster="f")]
    drawing = Diagram(vertices, [Arrow(text, "h", text)], text, legend=[("delay", text), ("all", text)])
    picture = drawing._repr_svg_()
    # The label and the line under it, the title, the frame, the arrow, two lines of the key.
    assert sorted(map(str.strip, texts(picture))) == sorted([*[visible(text)] * 7, "", "h", "f"])
    tooltips = [e.attrib for e in ElementTree.fromstring(picture).iter() if e.tag == f"{SVG}a"]
    assert [list(tooltip.values()) for tooltip in tooltips] == [[visible(text)]]
    assert "<script" not in picture


@needs_dot
@settings(max_examples=25, deadline=None)
@given(st.lists(ANY_TEXT, min_size=1, max_size=8, unique=True))
@example(["¹"])
@example(["h⁽ᵗ⁻¹⁾ and ²"])
@example(["W_xi", "b_&lt_amp;", "_₁"])
def test_any_texts_at_all_are_shown_literally_but_for_what_marks_a_subscript(names: list[str]) -> None:
    drawing = Diagram([Vertex(name, f"-{name}", i, 0) for i, name in enumerate(names)], [])
    labels = [visible(f"-{name}", vertices.LIMIT).replace("\xa0", " ") for name in names]
    assert "".join(texts(drawing._repr_svg_())) == "".join(LOWERED.sub(_lowered, label) for label in labels)


def _lowered(subscript: re.Match[str]) -> str:
    return subscript[1][1:].replace("_", ",").translate(str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789"))


@needs_dot
def test_what_follows_an_underscore_is_small_and_below_the_line() -> None:
    drawing = Diagram([Vertex("h", "h_prev⁽ᵗ⁾", 0, 0), Vertex("x", "x", 1, 0)], [Arrow("x", "h", "W_xi, U")])
    parts = [text for text in ElementTree.fromstring(drawing._repr_svg_()).iter(f"{SVG}text") if "dy" in text.attrib]
    assert [(text.text, text.attrib["dy"]) for text in parts] == [("xi", "0.3em"), ("prev", "0.3em")]
    assert all(float(text.attrib["font-size"]) < 10 for text in parts)


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


@needs_dot
@pytest.mark.parametrize("vertices", [[], [Vertex("x", "x", 0, 0)], [Vertex("", "", -7, 1e5)]])
@pytest.mark.parametrize("legend", [(), [("delay", "one step")]])
def test_a_diagram_of_nothing_or_of_one_vertex_is_drawn(vertices: list[Vertex], legend: list) -> None:
    picture = Diagram(vertices, [], legend=legend)._repr_svg_()
    assert len(ellipses(picture)) == len(vertices)
    assert ("one step" in texts(picture)) == bool(legend)


@needs_dot
def test_ten_thousand_characters_are_shortened_wherever_they_stand() -> None:
    long = "n" * 10_000
    vertices = [Vertex(long, long, 0, 0, note=long, detail=long, cluster=long), Vertex("h", "h", 1, 0)]
    picture = Diagram(vertices, [Arrow(long, "h", long)], long, legend=[("delay", long)])._repr_svg_()
    assert max(map(len, texts(picture))) == 80
    assert len(picture) < 10_000


@needs_dot
def test_a_legend_is_below_everything_else() -> None:
    drawing = pattern_1()
    key = [("delay", "one step"), ("wire", "is used for"), ("gradient", "a gradient")]
    picture = ElementTree.fromstring(Diagram(drawing.vertices, drawing.arrows, legend=key)._repr_svg_())
    places = [(e.text, float(e.attrib["y"])) for e in picture.iter(f"{SVG}text")]
    explained = [y for text, y in places if text.replace("\xa0", " ") in dict(key).values()]
    lowest = max(float(e.attrib["cy"]) + 22 for e in picture.iter(f"{SVG}ellipse") if float(e.attrib["ry"]) > 20)
    assert len(explained) == 3
    assert min(explained) - 11 > lowest


@needs_dot
def test_a_second_line_is_smaller_and_both_fit_their_vertex() -> None:
    picture = ElementTree.fromstring(Diagram([Vertex("h", "h", 0, 0, detail="0.52 ± 0.1")], [])._repr_svg_())
    (ellipse,) = picture.iter(f"{SVG}ellipse")
    label, _, detail = picture.iter(f"{SVG}text")
    assert (label.text, detail.text.replace("\xa0", " ")) == ("h", "0.52 ± 0.1")
    assert float(detail.attrib["font-size"]) < float(label.attrib["font-size"])
    assert float(label.attrib["y"]) < float(detail.attrib["y"]) < float(ellipse.attrib["cy"]) + 20
    assert float(detail.attrib["font-size"]) * width("0.52 ± 0.1") < 2 * float(ellipse.attrib["rx"])


def test_what_has_no_room_for_text_says_it_in_its_tooltip() -> None:
    source = Diagram([Vertex("d", "", 0, 0, "delay", detail="2×4")], []).source
    assert 'tooltip="2×4"' in source


@pytest.mark.parametrize("kind", ["parameter", "gradient", "failed", "operation", "variable"])
def test_the_gradient_of_a_step_fits_every_vertex(kind: str) -> None:
    vertex = Vertex("g", "∂L/∂h⁽ᵗ⁻¹⁾", 0, 0, kind)
    assert vertex.letters * width(vertex.text) < vertex.width < vertices.COLUMN


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


def test_a_folder_or_what_may_not_be_written_is_an_error_that_names_it_and_leaves_nothing_behind(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "circuit.dot"
    folder.mkdir()
    (folder / "kept").touch()
    with pytest.raises(OSError, match=r"cannot write: .*circuit\.dot'$"):
        pattern_1().render(folder)
    with pytest.raises(OSError, match="cannot write: "):
        pattern_1().render(f"{tmp_path}/{'n' * 300}.dot")
    assert list(tmp_path.iterdir()) == [folder]


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
        start = sum(os.times()[:4])  # processor time, of Graphviz too: other programs do not count
        assert len(ellipses(unfolded(steps)._repr_svg_())) == 5 * steps + 1
        return sum(os.times()[:4]) - start

    few = min(seconds(400) for _ in range(3))
    many = seconds(4000)
    assert many < 12
    assert many < 25 * few
