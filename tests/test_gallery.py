"""The gallery: what is on its pages, that they appear whole or not at all, and what is said when one cannot be made."""

import importlib.util
import inspect
import json
import re
import shutil
import sys
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import viz.gallery
import viz.gallery.__main__ as command_line
from viz.gallery import Built, build
from viz.gallery.experiments import clipping
from viz.gallery.learning import SAMPLE, learning
from viz.gallery.sections import Section, Work
from viz.gallery.sliders import Axis, Curve, Frame, Slider, number
from viz.gallery.topics import TOPICS, Topic
from zoo import catalogue, cliff, leaky, pattern_1, sequence
from zoo.catalogue import CATALOGUE
from zoo.tasks.characters import Characters, Corpus

PACKAGES = ("jinja2", "latex2mathml", "matplotlib", "pygments", "tqdm")
for package in PACKAGES:
    pytest.importorskip(package)

CORPUS = Corpus("<script>alert('h & o')</script>\n" * 60)
COMMAND = "python -m viz.gallery --out '<b>&amp;</b>'"
MARKUP = "<script>alert('1')</script> & \"quotes\""
VOID = {"meta", "link", "img", "source", "br", "input"}

TINY = (
    Topic("pattern-1", "Pattern I", "Of h⁽ᵗ⁾.\n\nAnd more.", models={"pattern-1": "A model"}, extras=(learning,)),
    Topic("leaky", MARKUP, MARKUP, models={"leaky": "A model"}, claims=("leaky-decay",)),
    Topic("tree", "A tree", "Without time.", models={"recursive": "A model"}),
    Topic("cliff", "The cliff", "It moves.", extras=(clipping,), code=(cliff,)),
)


class Page(HTMLParser):
    """A page as a browser reads it: its elements with their attributes, and the text of each kind of element."""

    def __init__(self, path: Path) -> None:
        super().__init__(convert_charrefs=True)
        self.path = path
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self.open: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))
        assert self.open == []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)
            self.texts.setdefault(tag, []).append("")

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        for tag in set(self.open):
            self.texts[tag][-1] += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    def links(self) -> list[str]:
        found = [attributes.get(name) for _, attributes in self.elements for name in ("src", "srcset", "href")]
        return [link for link in found if link and link != "data:,"]

    def headings(self) -> list[int]:
        return [int(tag[1]) for tag, _ in self.elements if tag in ("h1", "h2", "h3", "h4")]

    def rows(self) -> list[list[str]]:
        """The cells of every row of every table."""
        cells, heads = iter(self.texts["td"]), iter(self.texts["th"])
        rows: list[list[str]] = []
        for tag, _ in self.elements:
            if tag == "tr":
                rows.append([])
            elif tag in ("th", "td"):
                rows[-1].append(next(heads if tag == "th" else cells))
        return rows


def tiny(out: Path, **changes: Any) -> Built:
    settings = {"topics": TINY, "steps": 4, "hidden": 8, "corpus": CORPUS, "claims": out / "none.json"}
    return build(out, **(settings | {"command": COMMAND} | changes))


def pages(out: Path) -> dict[str, Page]:
    return {file.stem: Page(file) for file in sorted(out.glob("*.html"))}


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("gallery")
    claims = folder / "claims.json"
    row = {"name": "leaky-decay", "statement": "It <b>decays</b>.", "source": "derived", "reach": "≤ 1e-12"}
    row |= {"unit": "", "figures": [2e-14], "median": 2e-14, "holds": True, "error": "", "seconds": 0.1}
    claims.write_text(json.dumps({"command": "python -m zoo claims", "date": "today", "claims": [row]}))
    tiny(folder, claims=claims)
    return folder


@pytest.fixture(scope="module")
def page(out: Path) -> Page:
    return Page(out / "pattern-1.html")


# ---- the table of topics


def test_every_model_of_the_catalogue_is_on_a_page() -> None:
    assert {name for topic in TOPICS for name in topic.models} == set(CATALOGUE)


def test_the_topics_have_names_of_their_own_and_prose() -> None:
    assert len({topic.name for topic in TOPICS}) == len(TOPICS) == 20
    assert "index" not in {topic.name for topic in TOPICS}
    for topic in TOPICS:
        assert 150 < len(topic.prose) < 1500


# ---- what is on the pages


def test_every_link_of_every_page_leads_to_a_file_and_a_place_in_it(out: Path) -> None:
    site = pages(out)
    ids = {name: {a.get("id") for _, a in page.elements} for name, page in site.items()}
    for name, page in site.items():
        for link in page.links():
            file, _, place = link.partition("#")
            assert not file or (out / file).is_file(), link
            if place and "/" not in file:
                assert place in ids[file.removesuffix(".html") or name], link


def test_nothing_is_loaded_from_elsewhere(out: Path) -> None:
    for page in pages(out).values():
        assert not [link for link in page.links() if "//" in link or link.startswith("/")]
        styles = "".join(page.texts["style"])
        assert "url(" not in styles
        assert "@import" not in styles
        assert all(a.get("src") is None for a in page.all("script"))


def test_every_page_has_one_title_and_headings_in_order(out: Path) -> None:
    for page in pages(out).values():
        levels = page.headings()
        assert levels[0] == 1
        assert levels.count(1) == 1
        assert all(after <= before + 1 for before, after in pairwise(levels))
        assert page.all("html") == [{"lang": "en"}]
        assert page.texts["title"][0].endswith("· tinygrad_rnn")


def test_every_picture_is_there_in_both_themes_in_its_size_and_in_words(out: Path) -> None:
    for name, page in pages(out).items():
        images, sources = page.all("img"), page.all("source")
        assert [s["srcset"] for s in sources] == [str(i["src"]).replace("-light", "-dark") for i in images]
        for image in images:
            if name != "index":
                assert len(str(image["alt"])) > 80
                for theme in ("light", "dark"):
                    file = out / str(image["src"]).replace("light", theme)
                    svg = ElementTree.parse(file).getroot()
                    size = [float(svg.attrib[side].removesuffix("pt")) * 4 / 3 for side in ("width", "height")]
                    assert [int(str(image[side])) for side in ("width", "height")] == pytest.approx(size, abs=0.5)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_letters_stand_out_from_what_is_behind_them(theme: str, page: Page) -> None:
    style = page.texts["style"][0]
    block = style[style.index(":root", style.index("prefers-color-scheme: dark") if theme == "dark" else 0) :]
    colours = dict(re.findall(r"--(\w+): (#\w{6});", block[: block.index("}")]))
    for front in ("ink", "faint", "curve", "grad", "text"):
        for back in ("paper", "fill"):
            assert contrast(colours[front], colours[back]) >= 4.5, (front, back)


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colours, as the Web Content Accessibility Guidelines 2 define it."""

    def luminance(colour: str) -> float:
        shares = np.array(list(bytes.fromhex(colour[1:]))) / 255
        linear = np.where(shares <= 0.04045, shares / 12.92, ((shares + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722])

    darker, lighter = sorted([luminance(one), luminance(other)])
    return (lighter + 0.05) / (darker + 0.05)


def test_the_diagrams_are_told_in_words(page: Page) -> None:
    words = {image["src"]: str(image["alt"]) for image in page.all("img")}
    both = words["pattern-1/pattern-1-light.svg"]
    assert both.startswith("Left, the circuit: ")
    assert "W leads from a delay of one step to h." in both
    assert "W leads from h⁽¹⁾ to h⁽²⁾." in both
    assert "W leads from h⁽¹⁾ to h⁽²⁾." in words["pattern-1/pattern-1-gradients-light.svg"]
    assert "nats per character in 4 updates. Dashed lines: uniform 3.00, unigram" in words["pattern-1/loss-light.svg"]


def test_the_equations_are_mathml_one_to_a_line_forward_and_backward(page: Page) -> None:
    assert len(page.texts["math"]) == 6 + 9
    assert page.texts["math"][1].replace(" ", "").startswith("h(t)=tanh(b+Wh(t−1)+U")
    assert [a for a in page.all("math") if a["xmlns"] != "http://www.w3.org/1998/Math/MathML"] == []


def test_the_model_is_shown_as_it_is_in_its_file(out: Path, page: Page) -> None:
    assert page.texts["pre"][-2].strip() == inspect.getsource(pattern_1).strip()
    assert "zoo/pattern_1.py" in page.texts["code"]


def test_the_number_of_a_line_leads_to_what_it_made_in_the_explorer(out: Path, page: Page) -> None:
    lines = inspect.getsource(pattern_1).splitlines()
    links = {int(str(a["data-line"])): a for a in page.all("a") if "data-line" in a}
    h = next(i for i, line in enumerate(lines, 1) if "h = tg.tanh(" in line)
    assert links[h]["aria-label"] == f"h⁽¹⁾, line {h}, in the explorer"
    file, _, place = str(links[h]["href"]).partition("#moment=")
    assert file == "pattern-1/pattern-1.html"
    data = next(t for t in Page(out / file).texts["script"] if t.startswith("{"))
    assert json.loads(data)["moments"][int(place)]["label"] == "h⁽¹⁾"


def test_a_run_without_a_circuit_says_why(out: Path) -> None:
    tree = Page(out / "tree.html")
    assert any("calls itself: a tree has no time axis" in code for code in tree.texts["code"])
    assert "math" not in tree.texts
    assert tree.all("img")[0]["src"] == "tree/recursive-light.svg"


def test_the_table_says_which_lines_are_beaten(page: Page) -> None:
    rows = {row[0]: row for row in page.rows()[1:8]}
    ours = float(rows["pattern I"][2])
    assert set(rows) == {"pattern I", "uniform", "unigram", "bigram", "trigram", "4-gram", "5-gram"}
    for name, row in rows.items():
        assert row[1]
        assert row[3] == ("" if name == "pattern I" else "yes" if ours < float(row[2]) else "no")
    assert [row[2] for row in rows.values()] == sorted((row[2] for row in rows.values()), reverse=True)


def test_the_page_says_how_it_was_made(page: Page) -> None:
    facts = dict(row for row in page.rows() if len(row) == 2)
    alphabet = len(CORPUS.alphabet)
    weights = 8 * (8 + 2 * alphabet + 1) + alphabet
    assert facts["Text"] == f"a text given to build: {len(CORPUS.text):,} characters, {alphabet} of them distinct"
    assert facts["Weights"] == f"{weights}, for 8 hidden units"
    assert facts["Updates"] == "4, each on 32 windows of 50 characters"
    assert facts["Python, NumPy"] == f"{sys.version.split()[0]}, {np.__version__}"
    assert page.texts["pre"][-1].strip() == COMMAND
    assert len(page.all("time")) == 1


def test_markup_is_shown_not_obeyed(out: Path, page: Page) -> None:
    leaky_page = Page(out / "leaky.html")
    assert leaky_page.texts["h1"] == [MARKUP]
    assert not leaky_page.all("script")
    assert not leaky_page.all("b")
    sample = page.texts["pre"][0].lstrip("\n")
    assert len(sample) == pytest.approx(SAMPLE, abs=20)
    assert set(sample) <= set(CORPUS.text)


def test_claims_are_shown_on_the_page_that_they_are_about_and_only_if_they_were_measured(out: Path, page: Page) -> None:
    (row,) = [row for row in Page(out / "leaky.html").rows() if row[0].startswith("It ")]
    assert row == ["It <b>decays</b>.", "derived", "≤ 1e-12 ", "2e-14", "yes"]
    assert "What was measured" not in page.texts["h2"]


def test_the_index_lists_the_pages_in_order_with_what_is_wrong(out: Path) -> None:
    index = Page(out / "index.html")
    assert [a["href"] for a in index.all("a")] == [f"{topic.name}.html" for topic in TINY]
    problems = [text for text in index.texts["p"] if "bigram" in text]
    assert len(problems) == 1
    assert "does not beat" in problems[0]


# ---- only what has to be built


def test_unchanged_pages_are_not_built_again(tmp_path: Path) -> None:
    first = tiny(tmp_path)
    before = {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*.svg")}
    again = tiny(tmp_path)
    assert (first.new, first.kept) == ([topic.name for topic in TINY], [])
    assert (again.new, again.kept) == ([], [topic.name for topic in TINY])
    assert {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*.svg")} == before
    assert again.problems == first.problems  # what was wrong with a page is still wrong


@pytest.mark.parametrize("file", ["leaky/leaky-dark.svg", "leaky/leaky.html", "leaky.html"])
def test_a_page_that_misses_a_file_is_built_again(file: str, tmp_path: Path) -> None:
    tiny(tmp_path, topics=TINY[1:3])
    (tmp_path / file).unlink()
    assert tiny(tmp_path, topics=TINY[1:3]).new == ["leaky"]
    assert (tmp_path / file).is_file()


def test_a_page_is_built_again_when_its_model_what_that_imports_its_prose_or_its_claims_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    topics = TINY[1:3]
    tiny(tmp_path, topics=topics)
    digest_of = viz.gallery.digests._file
    for module, changed in (
        (leaky, ["leaky"]),
        (sequence, ["leaky", "tree"]),
        (catalogue, ["leaky", "tree"]),
        (cliff, []),
    ):
        with monkeypatch.context() as patch:
            edited = Path(inspect.getfile(module))
            patch.setattr(viz.gallery.digests, "_file", lambda f, e=edited: "?" if f == e else digest_of(f))
            assert tiny(tmp_path, topics=topics).new == changed
        tiny(tmp_path, topics=topics)
    assert tiny(tmp_path, topics=topics, steps=5).new == []  # nothing is trained for them
    other = Topic("tree", "A tree", "In other words.", models={"recursive": "A model"})
    assert tiny(tmp_path, topics=(TINY[1], other)).new == ["tree"]
    claims = tmp_path / "claims.json"
    row = dict.fromkeys(("statement", "source", "reach", "unit", "error"), "")
    rows = [{"name": name, **row, "median": 1.0, "holds": True} for name in ("leaky-decay", "beam-search")]
    claims.write_text(json.dumps({"command": "", "date": "", "claims": rows}))
    assert tiny(tmp_path, topics=(TINY[1], other), claims=claims).new == ["leaky"]


def test_some_topics_can_be_built_alone_and_the_others_have_a_place_of_their_own(tmp_path: Path) -> None:
    built = tiny(tmp_path, only=["tree", "leaky"])
    assert built.new == ["leaky", "tree"]
    assert built.problems == {}
    assert "This page has not been built yet." in Page(tmp_path / "cliff.html").texts["p"]
    test_every_link_of_every_page_leads_to_a_file_and_a_place_in_it(tmp_path)
    with pytest.raises(ValueError, match="no topic 'trees'; known: pattern-1, leaky, tree, cliff"):
        tiny(tmp_path, only=["trees"])


def test_claims_that_cannot_be_read_are_left_out(tmp_path: Path) -> None:
    for content in ("{", "[1]", '{"claims": []}'):
        (tmp_path / "claims.json").write_text(content)
        built = tiny(tmp_path, topics=TINY[1:2], claims=tmp_path / "claims.json")
        assert built.problems == {}


# ---- whole or not at all


def failing(work: Work) -> Section:
    raise ZeroDivisionError(MARKUP)


BROKEN = (TINY[1], Topic("broken", "Broken", "It fails.", extras=(failing,)), TINY[2])


def test_a_page_that_fails_says_why_and_the_others_are_built(tmp_path: Path) -> None:
    built = tiny(tmp_path, topics=BROKEN)
    assert built.new == ["leaky", "tree"]
    assert built.problems == {"broken": f"ZeroDivisionError: {MARKUP}"}
    assert f"ZeroDivisionError: {MARKUP}" in "".join(Page(tmp_path / "index.html").texts["p"])
    assert Page(tmp_path / "broken.html").texts["pre"][0].strip().endswith(f"ZeroDivisionError: {MARKUP}")
    test_every_link_of_every_page_leads_to_a_file_and_a_place_in_it(tmp_path)


def test_a_page_that_failed_is_tried_again(tmp_path: Path) -> None:
    tiny(tmp_path, topics=BROKEN)
    mended = (TINY[1], Topic("broken", "Broken", "It works.", models={"gru": "A model"}), TINY[2])
    built = tiny(tmp_path, topics=mended)
    assert (built.new, built.kept, built.problems) == (["broken"], ["leaky", "tree"], {})


def test_a_page_that_cannot_be_written_leaves_the_one_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny(tmp_path, topics=TINY[1:2])
    before = (tmp_path / "leaky.html").read_bytes()
    write = Path.write_bytes

    def until_the_disk_is_full(path: Path, content: bytes) -> int:
        if b"<h1>&lt;script" not in content:
            return write(path, content)
        write(path, content[: len(content) // 2])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", until_the_disk_is_full)
    (tmp_path / "leaky/leaky.html").unlink()
    with pytest.raises(OSError, match="No space left"):
        tiny(tmp_path, topics=TINY[1:2])
    assert (tmp_path / "leaky.html").read_bytes() == before
    assert not list(tmp_path.rglob("*.part"))


def test_an_interrupted_build_goes_on_where_it_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(work: Work) -> Section:
        raise KeyboardInterrupt

    middle = Topic("middle", "Middle", "It stops.", models={"leaky": "A model"}, extras=(interrupted,))
    with pytest.raises(KeyboardInterrupt):
        tiny(tmp_path, topics=(TINY[1], middle, TINY[2]))
    test_every_link_of_every_page_leads_to_a_file_and_a_place_in_it(tmp_path)
    on = Topic("middle", "Middle", "It goes on.", models={"leaky": "A model"})
    built = tiny(tmp_path, topics=(TINY[1], on, TINY[2]))
    assert (built.new, built.kept) == (["middle", "tree"], ["leaky"])


def test_an_interrupted_training_goes_on_to_the_same_figures(
    out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch, trained = Characters.batch, []

    def interrupted(task: Characters, rng: np.random.Generator) -> Any:
        if len(trained) == 2:
            raise KeyboardInterrupt
        trained.append(1)
        return batch(task, rng)

    with monkeypatch.context() as patch:
        patch.setattr(Characters, "batch", interrupted)
        with pytest.raises(KeyboardInterrupt):
            tiny(tmp_path, only=["pattern-1"])
    assert list(tmp_path.glob("pattern-1/*.npz"))

    trained.clear()
    monkeypatch.setattr(Characters, "batch", lambda task, rng: trained.append(1) or batch(task, rng))
    tiny(tmp_path, only=["pattern-1"])
    assert len(trained) == 2  # the updates that were missing
    assert Page(tmp_path / "pattern-1.html").rows()[1:8] == Page(out / "pattern-1.html").rows()[1:8]

    (tmp_path / "pattern-1.html").unlink()
    tiny(tmp_path, only=["pattern-1"])
    assert len(trained) == 2  # what is learnt is learnt
    tiny(tmp_path, only=["pattern-1"], hidden=9)
    assert len(trained) == 6  # but another network is another
    assert len(list(tmp_path.glob("pattern-1/*.npz"))) == 1


def test_the_same_seed_gives_the_same_figures_and_sample(out: Path, page: Page, tmp_path: Path) -> None:
    tiny(tmp_path, only=["pattern-1"])
    again = Page(tmp_path / "pattern-1.html")
    assert again.rows()[1:8] == page.rows()[1:8]
    assert again.texts["pre"][0] == page.texts["pre"][0]
    assert (tmp_path / "pattern-1/loss-dark.svg").read_bytes() == (out / "pattern-1/loss-dark.svg").read_bytes()


# ---- sliders


def test_a_slider_has_the_points_of_every_frame_where_its_axes_say() -> None:
    x, y = Axis("x", 0, 10, [0, 10]), Axis("y", 1e-4, 1, [1e-4, 1], log=True)
    frames = [Frame("one", "</script>", [[(0, 1), (10, 1e-4)]]), Frame("two", "2", [[(5, 1e-2), (10, np.nan)]])]
    slider = Slider("s", x, y, [Curve("c", "main")], frames, start=0)
    assert slider.shown[0][1] == "76.0,12.0 624.0,312.0"
    shown = json.loads(slider.json)
    assert shown[1]["points"][0].startswith("350.0,162.0 ")
    assert "</" not in slider.json
    assert [text for _, text in slider.y_ticks] == ["10⁻⁴", "1"]
    assert "nan" not in slider.json.lower()


@pytest.mark.parametrize("value", [0.0, -1.0, np.inf, -np.inf, np.nan, 1e-320])
def test_what_is_no_place_on_an_axis_is_far_outside_and_finite(value: float) -> None:
    assert abs(Axis("y", 1e-4, 1, [], log=True).share(value)) <= 50
    assert np.isfinite(Axis("x", 0, 1, []).share(value))


@pytest.mark.parametrize(
    ("x", "text"), [(0.3333, "0.33"), (2.5e-19, "2.5·10⁻¹⁹"), (0.0, "0"), (-1.5, "−1.5"), (np.inf, "∞"), (1e6, "1·10⁶")]
)
def test_a_number_is_written_in_two_digits(x: float, text: str) -> None:
    assert number(x) == text


# ---- the command


def run(monkeypatch: pytest.MonkeyPatch, outcome: Built | BaseException, *argv: str) -> int:
    """The command's exit code, where `build` returns or raises the outcome."""

    def pretend(*_: Any, **__: Any) -> Built:
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    monkeypatch.setattr(command_line, "build", pretend)
    return command_line.main(argv)


@pytest.mark.parametrize(("problems", "code"), [({}, 0), ({"leaky": "ZeroDivisionError: 1/0"}, 1)])
def test_the_exit_code_says_whether_all_is_as_it_should_be(
    problems: dict[str, str], code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, Built(Path("index.html"), ["a", "b"], ["c"], problems)) == code
    said = capsys.readouterr()
    assert said.out == "index.html: 2 pages built, 1 unchanged\n"
    assert said.err == "".join(f"python -m viz.gallery: {name}: {text}\n" for name, text in problems.items())


def test_ctrl_c_says_how_to_go_on(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(monkeypatch, KeyboardInterrupt(), "--quick", "--out", "my gallery", "leaky") == 130
    assert capsys.readouterr().err == (
        "Stopped. The build goes on with\n    python -m viz.gallery --quick --out 'my gallery' leaky\n"
    )


def test_a_topic_that_there_is_not_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line.main(["--quick", "--out", str(tmp_path), "lsmt"]) == 1
    assert "no topic 'lsmt'; known: unfolding, pattern-1, bptt" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("package", PACKAGES)
def test_a_missing_package_is_an_error_before_anything_is_built(
    package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    hide(monkeypatch, package)
    assert command_line.main(["--quick", "--out", str(tmp_path)]) == 1
    said = f"python -m viz.gallery: the gallery needs {package}: pip install 'tinygrad_rnn[gallery]'\n"
    assert capsys.readouterr().err == said
    assert not list(tmp_path.iterdir())


def test_a_missing_renderer_is_an_error_before_anything_is_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    hide(monkeypatch, "pygraphviz")
    assert command_line.main(["--quick", "--out", str(tmp_path)]) == 1
    said = capsys.readouterr().err
    assert said.startswith("python -m viz.gallery: no Graphviz to draw with: install Graphviz")
    assert said.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_is_an_error_before_anything_is_built(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    assert command_line.main(["--quick", "--out", str(tmp_path / "file" / "gallery")]) == 1
    said = capsys.readouterr().err
    assert said.startswith("python -m viz.gallery: ")
    assert "cannot write" in said
    assert said.count("\n") == 1


@pytest.mark.parametrize("steps", ["0", "-1", "ten"])
def test_steps_are_a_whole_number_from_1_up(steps: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        command_line.main([f"--steps={steps}"])
    assert f"a whole number from 1 up, not '{steps}'" in capsys.readouterr().err


def hide(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    """Let a package look as if it were not installed."""
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *a: None if name == package else find(name, *a))
