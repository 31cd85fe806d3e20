"""The gallery: what is on its pages, that they appear whole or not at all, and what is said when one cannot be made."""

import importlib.util
import inspect
import json
import re
import shlex
import shutil
import sys
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import viz.__main__
import viz.gallery
import viz.gallery.__main__ as command_line
import viz.plots
import zoo.__main__
from tinygrad_rnn.nn.checkpoints import load_checkpoint
from viz.gallery import Built, build
from viz.gallery.claims import FILES, claimed, measured, spread
from viz.gallery.experiments import clipping
from viz.gallery.learning import STEPS, WHICH, Lesson, learning, standing
from viz.gallery.sections import Section, Work
from viz.gallery.sliders import Axis, Curve, Frame, Slider, number
from viz.gallery.topics import TOPICS, Topic
from zoo import catalogue, cliff, leaky, pairs, pattern_1, sequence, training
from zoo.catalogue import CATALOGUE
from zoo.claims import CLAIMS
from zoo.pairs import CELLS, READERS, model_for
from zoo.tasks import TASKS, bits
from zoo.tasks.characters import Characters, Corpus

PACKAGES = ("jinja2", "latex2mathml", "matplotlib", "pygments", "tqdm")
for package in PACKAGES:
    pytest.importorskip(package)

CORPUS = Corpus("<script>alert('h & o')</script>\n" * 60)
COMMAND = "python -m viz.gallery --out '<b>&amp;</b>'"
MARKUP = "<script>alert('1')</script> & \"quotes\""
VOID = {"meta", "link", "img", "source", "br", "input"}

WRITING = Lesson("It writes", "characters", ("pattern-1",), STEPS, "It reads.", learns=("pattern-1",), hidden=8)
BITS = Lesson("Two of them", "fair-bits", ("pattern-3-classes", "pattern-1"), STEPS, "Which?", length=5, hidden=4)

TINY = (
    Topic("pattern-1", "Pattern I", "Of h⁽ᵗ⁾.\n\nAnd more.", models={"pattern-1": "A model"}, lessons=(WRITING,)),
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

    def equations(self) -> list[str]:
        """The lines of equations, without the spaces."""
        divisions = zip(self.all("div"), self.texts["div"], strict=True)
        return ["".join(text.split()).replace("\u200b", "") for attributes, text in divisions if not attributes]

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
    settings = {"topics": TINY, "steps": 4, "corpus": CORPUS, "claims": [out / "none.json"]}
    return build(out, **(settings | {"command": COMMAND} | changes))


def report(*rows: dict[str, Any], **about: Any) -> str:
    """What `python -m zoo claims` writes, of rows that say what is special about them."""
    own = {
        "command": "python -m zoo claims --quick",
        "seeds": [0, 1],
        "quick": True,
        "date": "2026-11-23T23:13:05+00:00",
    }
    own |= {"machine": "Linux, a processor, 2 cores", "versions": {"Python": "3.11.7", "NumPy": "2.4.6"}}
    row = {"statement": "It <b>decays</b>.", "source": "derived", "reach": "≤ 1e-12", "unit": "", "tried": ""}
    row |= {"figures": [2e-14, 4e-14], "median": 3e-14, "holds": True, "error": "", "seconds": 0.1}
    return json.dumps({**own, **about, "claims": [row | given for given in rows]})


def commands(page: Page) -> list[list[str]]:
    """What the page says that its parts were made by."""
    lines = [line for text in page.texts["pre"] for line in text.strip().splitlines()]
    return [shlex.split(line, comments=True) for line in lines if line.startswith("python -m")]


def pages(out: Path) -> dict[str, Page]:
    return {file.stem: Page(file) for file in sorted(out.glob("*.html"))}


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("gallery")
    claims = folder / "claims.json"
    claims.write_text(report({"name": "leaky-decay"}))
    tiny(folder, claims=[claims])
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


def test_every_page_with_a_model_that_can_be_trained_has_a_lesson_that_fits_a_task() -> None:
    for topic in TOPICS:
        assert bool(topic.lessons) >= any(name in CELLS or name in READERS for name in topic.models), topic.name
        assert len({lesson.task for lesson in topic.lessons}) == len(topic.lessons)  # it names their pictures
        for lesson in topic.lessons:
            assert set(lesson.learns) <= set(lesson.models)
            assert lesson.task in TASKS
            task = lesson.kind if lesson.task == "characters" else lesson.kind(lesson.settings["length"])
            if lesson.task == "characters":
                task = lesson.kind(CORPUS)
            for name in lesson.models:
                model_for(name, task, lesson.settings["hidden"], rng=0)
            assert set(task.baselines) <= set(WHICH)


def test_every_claim_is_on_a_page_and_every_page_names_claims_that_there_are() -> None:
    named = [name for topic in TOPICS for name in topic.claims]
    unknown, homeless = sorted(set(named) - set(CLAIMS)), sorted(set(CLAIMS) - set(named))
    where = "see `claims` of the topics in viz/gallery/topics.py"
    assert not unknown, f"there are no claims {', '.join(unknown)}: {where}"
    assert not homeless, f"on no page of the gallery: {', '.join(homeless)}: {where}"
    for topic in TOPICS:
        assert len(set(topic.claims)) == len(topic.claims), topic.name


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
    curve = words["pattern-1/learning-characters-light.svg"]
    assert curve.startswith("Validation loss in nats per character, over 4 updates: pattern-1 from ")
    assert "Dashed lines: uniform 3, unigram 2.91, bigram" in curve


def test_the_equations_are_mathml_one_to_a_line_forward_and_backward(page: Page) -> None:
    lines = page.equations()
    assert len(lines) == 6 + 9
    assert lines[1] == "h(t)=tanh(b+Wh(t−1)+Ux(t))"
    assert lines[7].startswith("∂L∂h(T)=V⊤")
    assert len(page.texts["math"]) >= len(lines)


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
    assert any("calls itself, and a tree has no time axis" in code for code in tree.texts["code"])
    assert "math" not in tree.texts
    assert tree.all("img")[0]["src"] == "tree/recursive-light.svg"


def test_a_table_has_the_losses_and_the_lines_the_worst_first(page: Page) -> None:
    rows = {row[0]: row for row in page.rows()[1:8]}
    assert set(rows) == {"pattern-1", "uniform", "unigram", "bigram", "trigram", "4-gram", "5-gram"}
    assert [float(row[1]) for row in rows.values()] == sorted((float(row[1]) for row in rows.values()), reverse=True)
    assert all(row[2] for row in rows.values())
    alphabet = len(CORPUS.alphabet)
    assert rows["pattern-1"][3] == str(8 * (8 + 2 * alphabet + 1) + alphabet)
    assert float(rows["pattern-1"][4]) >= 0
    assert rows["bigram"][3:] == ["", ""]


def test_the_page_says_how_it_was_made(page: Page) -> None:
    (about,) = [text for text in page.texts["p"] if "A text given to build" in text]
    assert f": {len(CORPUS.text):,} characters, {len(CORPUS.alphabet)} of them distinct" in about
    (how,) = [text for text in page.texts["p"] if "AdamW" in text]
    assert (
        "a batch of 32, of length 50; 8 hidden units; AdamW, learning rate 0.006 falling to 0, weight decay 0.1" in how
    )
    assert f"seed 0. Python {sys.version.split()[0]}, NumPy {np.__version__}" in how
    assert page.texts["pre"][-1].strip() == COMMAND
    assert len(page.all("time")) == 1
    (caption,) = [text for text in page.texts["figcaption"] if "not trained on" in text]
    assert "a short training, of a quick build; that of a full build is 2500 times as long" in caption


def test_markup_is_shown_not_obeyed(out: Path, page: Page) -> None:
    leaky_page = Page(out / "leaky.html")
    assert leaky_page.texts["h1"] == [MARKUP]
    assert not leaky_page.all("script")
    assert not leaky_page.all("b")
    sample = page.texts["pre"][1].lstrip("\n")
    assert len(sample) == pytest.approx(300, abs=20)
    assert set(sample) <= set(CORPUS.text)


def test_the_index_lists_the_pages_in_order_with_what_is_wrong(out: Path) -> None:
    index = Page(out / "index.html")
    assert [a["href"] for a in index.all("a")] == [f"{topic.name}.html" for topic in TINY]
    problems = [text for text in index.texts["p"] if "pattern-1" in text]
    assert len(problems) == 1
    assert problems[0].startswith("characters: not learnt by pattern-1 2.")


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
        (pairs, ["leaky", "tree"]),
        (cliff, []),
    ):
        with monkeypatch.context() as patch:
            edited = Path(inspect.getfile(module))
            patch.setattr(viz.gallery.digests, "_file", lambda f, e=edited: "?" if f == e else digest_of(f))
            assert tiny(tmp_path, topics=topics).new == changed
        tiny(tmp_path, topics=topics)
    assert tiny(tmp_path, topics=topics, steps=5).new == []  # nothing is trained for them
    assert tiny(tmp_path, topics=topics, command="another").new == []
    other = Topic("tree", "A tree", "In other words.", models={"recursive": "A model"})
    assert tiny(tmp_path, topics=(TINY[1], other)).new == ["tree"]
    claims = tmp_path / "claims.json"
    rows = {"name": "leaky-decay"}, {"name": "beam-search"}

    def with_claims(*rows: dict[str, Any], **about: Any) -> list[str]:
        claims.write_text(report(*rows, **about))
        return tiny(tmp_path, topics=(TINY[1], other), claims=[claims]).new

    assert with_claims(*rows) == ["leaky"]
    assert with_claims(rows[0]) == []  # what is gone is on another page
    assert with_claims(rows[0] | {"figures": [1.0]}) == ["leaky"]
    assert with_claims(rows[0] | {"figures": [1.0]}, date="2027-01-01") == ["leaky"]
    assert with_claims() == ["leaky"]


def test_some_topics_can_be_built_alone_and_the_others_have_a_place_of_their_own(tmp_path: Path) -> None:
    built = tiny(tmp_path, only=["tree", "leaky"])
    assert built.new == ["leaky", "tree"]
    assert built.problems == {}
    assert "This page has not been built yet." in Page(tmp_path / "cliff.html").texts["p"]
    test_every_link_of_every_page_leads_to_a_file_and_a_place_in_it(tmp_path)
    with pytest.raises(ValueError, match="no topic 'trees'; known: pattern-1, leaky, tree, cliff"):
        tiny(tmp_path, only=["trees"])


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


@pytest.mark.parametrize("left", [0, 1, 2, 5, 9])
def test_a_disk_that_is_full_midway_leaves_nothing_half_written(
    left: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write, files = Path.write_bytes, []

    def until_the_disk_is_full(path: Path, content: bytes) -> int:
        if len(files) < left:
            files.append(path)
            return write(path, content)
        write(path, content[: len(content) // 2])
        raise OSError(28, "No space left on device")

    topics = (TINY[1], Topic("bits", "Bits", "Of coins.", models={"gru": "A model"}, lessons=(BITS,)))
    monkeypatch.setattr(command_line, "build", lambda out, **_: tiny(Path(out), topics=topics))
    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", until_the_disk_is_full)
        assert command_line.main(["--out", str(tmp_path)]) == 1
    assert "No space left" in capsys.readouterr().err
    assert not list(tmp_path.rglob("*.part"))
    assert all(ElementTree.parse(file) for file in tmp_path.rglob("*.svg"))
    if left > len(topics):  # the places are held, and the index is there
        test_every_link_of_every_page_leads_to_a_file_and_a_place_in_it(tmp_path)
    assert command_line.main(["--out", str(tmp_path)]) == 0
    test_every_link_of_every_page_leads_to_a_file_and_a_place_in_it(tmp_path)


def test_without_any_font_the_pages_are_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fonts = tmp_path / "fonts.conf"
    fonts.write_text("<?xml version='1.0'?><fontconfig><dir>/nowhere</dir></fontconfig>")
    monkeypatch.setenv("FONTCONFIG_FILE", str(fonts))
    built = tiny(tmp_path / "gallery", topics=TINY[1:3])
    assert built.problems == {}
    for file in tmp_path.rglob("*.svg"):
        assert float(ElementTree.parse(file).getroot().attrib["width"].removesuffix("pt")) > 50


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
    assert without_seconds(Page(tmp_path / "pattern-1.html")) == without_seconds(Page(out / "pattern-1.html"))

    (tmp_path / "pattern-1.html").unlink()
    tiny(tmp_path, only=["pattern-1"])
    assert len(trained) == 2  # what is learnt is learnt
    wider = replace(TINY[0], lessons=(replace(WRITING, hidden=9),))
    tiny(tmp_path, topics=[wider])
    assert len(trained) == 6  # but another network is another
    assert len(list(tmp_path.glob("pattern-1/*.npz"))) == 1


def without_seconds(page: Page) -> list[list[str]]:
    return [row[:4] for row in page.rows()[1:8]]


def test_the_same_seed_gives_the_same_figures_and_sample(out: Path, page: Page, tmp_path: Path) -> None:
    tiny(tmp_path, only=["pattern-1"])
    again = Page(tmp_path / "pattern-1.html")
    assert without_seconds(again) == without_seconds(page)
    assert again.texts["pre"][1] == page.texts["pre"][1]
    curve = "pattern-1/learning-characters-dark.svg"
    assert (tmp_path / curve).read_bytes() == (out / curve).read_bytes()


# ---- what is learnt


def lesson(work: Work, **changes: Any) -> Section:
    return learning(replace(BITS, **changes), work)


def test_models_that_learn_the_same_task_are_in_one_table_and_one_plot(tmp_path: Path) -> None:
    tiny(tmp_path, topics=(Topic("bits", "Bits", "Of coins.", lessons=(BITS,)),))
    page = Page(tmp_path / "bits.html")
    rows = {row[0]: row for row in page.rows()[1:]}
    assert set(rows) == {"pattern-1", "pattern-3-classes", "chance", "floor"}
    assert (rows["chance"][1], rows["floor"][1]) == ("0.6931", "0.0000")
    assert rows["pattern-1"][2] == standing(float(rows["pattern-1"][1]), {"chance": 0.6931, "floor": 0})
    (image,) = page.all("img")
    assert image["src"] == "bits/learning-fair-bits-light.svg"
    assert "pattern-3-classes from" in str(image["alt"])
    assert "pattern-1 from" in str(image["alt"])


@pytest.mark.parametrize(
    ("loss", "said"),
    [
        (0.0, "100 % of the way from chance to the floor"),
        (0.001, "99 % of the way from chance to the floor"),
        (0.3, "70 % of the way from chance to the floor"),
        (0.96, "at chance"),
        (1.1, "at chance"),
        (1.3, "worse than chance"),
    ],
)
def test_a_loss_stands_somewhere_between_chance_and_floor(loss: float, said: str) -> None:
    assert standing(loss, {"chance": 1.0, "last value": 0.5, "floor": 0.0}) == said


def test_what_should_have_been_learnt_and_was_not_is_a_problem(tmp_path: Path) -> None:
    assert lesson(Work(tmp_path, "a", 1)).problem == ""
    said = lesson(Work(tmp_path, "a", 1), learns=("pattern-1", "pattern-3-classes")).problem
    assert re.fullmatch(r"fair-bits: not learnt by pattern-3-classes 0\.\d+, pattern-1 [\d.]+", said)
    learnt = lesson(Work(tmp_path, "a", 100), models=("pattern-1",), learns=("pattern-1",), hidden=16)
    assert learnt.problem == ""


def test_who_waits_is_told_what_is_being_done(tmp_path: Path) -> None:
    said: list[str] = []
    lesson(Work(tmp_path, "a", 1, say=said.append))
    assert said == ["pattern-3-classes learns fair-bits", "pattern-1 learns fair-bits"]


def test_a_short_build_shortens_all_trainings_alike() -> None:
    assert [replace(BITS, steps=1500).shortened(steps) for steps in (STEPS, 2000, 1)] == [1500, 300, 1]


def test_the_command_that_a_curve_is_shown_with_draws_it_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    section = lesson(Work(tmp_path, "a", 50, seed=3), batch=7)
    assert len(section.made) == 2
    for name, command in zip(BITS.models, section.made, strict=True):
        program = shlex.split(command)
        assert program[:4] == ["python", "-m", "zoo", "train"]
        assert zoo.__main__.main(program[3:]) == 0
        assert "step 50 of 50" in capsys.readouterr().out
        (ours,) = tmp_path.glob(f"a/{name}-fair-bits-*.npz")
        theirs = tmp_path / "build" / "train" / f"{name}-fair-bits.npz"
        assert history(ours) == history(theirs)
        assert len(history(ours)["validation"]) == 17


def history(checkpoint: Path) -> dict[str, Any]:
    """The course of a run, without its seconds."""
    task = TASKS["fair-bits"](5)
    name = "pattern-1" if "pattern-1" in checkpoint.name else "pattern-3-classes"
    model = model_for(name, task, 4, rng=0)
    _, extra = load_checkpoint(checkpoint, model=model)
    return {key: value for key, value in extra["history"].items() if key in ("step", "train", "validation")}


def test_a_training_is_done_again_when_what_it_depends_on_changes_and_not_for_a_new_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work, descended = Work(tmp_path, "a", 2), []
    descend = training.descend
    monkeypatch.setattr(training, "descend", lambda *a: descended.append(1) or descend(*a))
    lesson(work)
    assert len(descended) == 4
    digest_of = viz.gallery.digests._file
    for module, again in ((viz.plots, 0), (leaky, 0), (bits, 4), (pattern_1, 2), (training, 4), (pairs, 4)):
        descended.clear()
        with monkeypatch.context() as patch:
            edited = Path(inspect.getfile(module))
            patch.setattr(viz.gallery.digests, "_file", lambda f, e=edited: "?" if f == e else digest_of(f))
            lesson(work)
        assert len(descended) == again, module.__name__
        lesson(work)
    assert len(list(tmp_path.glob("a/*.npz"))) == 2


# ---- what was measured


def test_a_claim_is_shown_with_its_figures_command_machine_date_and_seeds(out: Path, page: Page) -> None:
    leaky_page = Page(out / "leaky.html")
    (row,) = [row for row in leaky_page.rows() if row[0].startswith("It ")]
    assert row == ["It <b>decays</b>.\nleaky-decay", "derived", "≤ 1e-12 ", "3e-14 (2e-14 … 4e-14)", "yes", "0"]
    (caption,) = leaky_page.texts["caption"]
    for part in ("python -m zoo claims --quick (quick: with fewer steps), seeds 0, 1", "Linux, a processor, 2 cores"):
        assert part in caption
    assert "Python 3.11.7, NumPy 2.4.6, 2026-11-23." in " ".join(caption.split())
    assert "What was measured" not in page.texts["h2"]


def test_what_was_measured_here_comes_before_what_came_with_the_code_claim_by_claim(tmp_path: Path) -> None:
    here, there = tmp_path / "here.json", tmp_path / "there.json"
    here.write_text(report({"name": "leaky-decay", "figures": [1.0]}, command="here"))
    there.write_text(report({"name": "leaky-decay"}, {"name": "leaky-ordinary"}, command="there"))
    names = ("leaky-ordinary", "leaky-decay", "vanishing-skip")
    topic = replace(TINY[1], claims=names)
    tiny(tmp_path, topics=(topic,), claims=[here, there])
    page = Page(tmp_path / "leaky.html")
    assert [caption.split(" (")[0] for caption in page.texts["caption"]] == ["Measured by there", "Measured by here"]
    measured_here = [row for row in page.rows() if row[0].endswith("leaky-decay")]
    assert [row[3] for row in measured_here] == ["1"]
    assert any("Not measured yet" in text for text in page.texts["p"])
    (rest,) = page.texts["li"]
    assert "python -m zoo claims vanishing-skip" in rest
    test_every_page_has_one_title_and_headings_in_order(tmp_path)


def test_a_page_without_claims_has_no_section_for_them() -> None:
    assert claimed((), {}) is None
    assert FILES[1] == Path(viz.__file__).parents[1] / "docs" / "claims.json"


@pytest.mark.parametrize(
    "content", ["", "{", "[1]", "1", '{"claims": []}', '{"claims": [{"name": "leaky-decay"}]}', report({"holds": True})]
)
def test_a_file_that_is_no_report_of_claims_has_none(content: str, tmp_path: Path) -> None:
    file = tmp_path / "claims.json"
    file.write_text(content)
    assert measured([file]) == {}
    assert tiny(tmp_path, topics=TINY[1:2], claims=[file]).problems == {}
    assert "Not measured yet:" in Page(tmp_path / "leaky.html").texts["p"]


def test_a_claim_that_failed_says_why_in_the_place_of_a_figure(tmp_path: Path) -> None:
    file = tmp_path / "claims.json"
    failed = {"figures": [], "error": "ValueError: <b>", "holds": False, "tried": "More <b>steps</b>."}
    file.write_text(report({"name": "leaky-decay", **failed}))
    tiny(tmp_path, topics=TINY[1:2], claims=[file])
    (row,) = [row for row in Page(tmp_path / "leaky.html").rows() if row[0].startswith("It ")]
    assert row[0].endswith("More <b>steps</b>.")
    assert row[3:5] == ["ValueError: <b>", "no"]


@pytest.mark.parametrize(
    ("figures", "text"),
    [([], "nan"), ([0.5], "0.5"), ([1, 3, 2], "2 (1 … 3)"), ([0.0, 0.0], "0"), ([1.0, "nan"], "nan"), (["inf"], "inf")],
)
def test_figures_are_their_median_least_and_most(figures: list[Any], text: str) -> None:
    assert spread(figures) == text


# ---- every picture can be made again


def test_the_commands_of_a_model_make_what_the_page_shows(
    out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, model, count in (("leaky", "leaky", 4), ("tree", "recursive", 3)):
        made = [command for command in commands(Page(out / f"{name}.html")) if command[2] == "viz"]
        assert len(made) == count
        for command in made:
            assert viz.__main__.main(command[3:]) == 0
            if command[3] == "draw":
                shown = f"{model}-gradients" if "--gradients" in command else model
                assert Path("build", f"{model}.svg").read_bytes() == (out / name / f"{shown}-light.svg").read_bytes()
        assert Path("build", f"{model}.html").is_file()
    lines = capsys.readouterr().out.splitlines()
    equations = Page(out / "leaky.html").equations()
    assert sum("=" in line for line in equations) == sum(" = " in line for line in lines)


def test_what_else_is_shown_names_the_function_that_made_it(out: Path) -> None:
    cliff_page = Page(out / "cliff.html")
    assert f"{COMMAND}  # clipping in viz/gallery/experiments.py" in [text.strip() for text in cliff_page.texts["pre"]]


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
