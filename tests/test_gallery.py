"""The gallery's page: what is on it, that it appears whole or not at all, and what is said when it cannot be made."""

import importlib.util
import inspect
import shutil
import sys
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import viz.gallery
import viz.gallery.__main__ as command_line
from viz.gallery import Built, build
from zoo import pattern_1
from zoo.tasks.characters import Characters, Corpus

for package in ("jinja2", "matplotlib", "tqdm"):
    pytest.importorskip(package)

CORPUS = Corpus("<script>alert('h & o')</script>\n" * 60)
COMMAND = "python -m viz.gallery --out '<b>&amp;</b>'"
VOID = {"meta", "link", "img", "source", "br"}


class Page(HTMLParser):
    """A page as a browser reads it: its elements with their attributes, and the text of each kind of element."""

    def __init__(self, path: Path) -> None:
        super().__init__(convert_charrefs=True)
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

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        for tag in set(self.open):
            self.texts[tag][-1] += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    def rows(self) -> list[list[str]]:
        """The cells of every row of every table."""
        cells = iter(self.texts["td"])
        heads = iter(self.texts["th"])
        rows: list[list[str]] = []
        for tag, _ in self.elements:
            if tag == "tr":
                rows.append([])
            elif tag in ("th", "td"):
                rows[-1].append(next(heads if tag == "th" else cells))
        return rows


def tiny(out: Path, **changes: Any) -> Built:
    return build(out, **({"steps": 4, "hidden": 8, "corpus": CORPUS, "command": COMMAND} | changes))


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return tiny(tmp_path_factory.mktemp("gallery"))


@pytest.fixture(scope="module")
def page(built: Built) -> Page:
    return Page(built.page)


# ---- what is on the page


def test_the_page_has_one_title_and_a_heading_for_each_part(page: Page) -> None:
    assert page.texts["h1"] == ["Pattern I: hidden recurrence, an output at every step"]
    assert len(page.texts["h2"]) == len(page.all("section")) == 5
    assert page.all("html") == [{"lang": "en"}]


def test_every_picture_is_there_in_both_themes_in_its_size_and_in_words(page: Page, built: Built) -> None:
    names = ["side_by_side", "circuit", "unfolded", "loss"]
    assert [image["src"] for image in page.all("img")] == [f"{name}-light.svg" for name in names]
    assert [source["srcset"] for source in page.all("source")] == [f"{name}-dark.svg" for name in names]
    assert {source["media"] for source in page.all("source")} == {"screen and (prefers-color-scheme: dark)"}
    for image in page.all("img"):
        for theme in ("light", "dark"):
            svg = ElementTree.parse(built.page.with_name(str(image["src"]).replace("light", theme))).getroot()
            size = [float(svg.attrib[side].removesuffix("pt")) * 4 / 3 for side in ("width", "height")]
            assert [int(str(image[side])) for side in ("width", "height")] == pytest.approx(size, abs=0.5)


def test_the_pictures_are_told_in_words(page: Page) -> None:
    words = {image["src"]: str(image["alt"]) for image in page.all("img")}
    assert words["side_by_side-light.svg"].startswith("The circuit of pattern I, an arrow that says unfold")
    assert "W leads from a delay of one step to h." in words["circuit-light.svg"]
    assert "W leads from h⁽¹⁾ to h⁽²⁾." in words["unfolded-light.svg"]
    assert "nats per character in 4 updates. Dashed lines: uniform 3.00, unigram" in words["loss-light.svg"]


def test_nothing_on_the_page_comes_from_elsewhere_and_every_link_leads_somewhere(page: Page, built: Built) -> None:
    ids = {attributes.get("id") for _, attributes in page.elements}
    found = [attributes.get(name) for _, attributes in page.elements for name in ("src", "srcset", "href")]
    for link in filter(None, found):
        assert link == "data:," or link.removeprefix("#") in ids or built.page.with_name(link).is_file()
    assert "url(" not in page.texts["style"][0]
    assert "@import" not in page.texts["style"][0]


def test_the_model_is_shown_as_it_is_in_its_file(page: Page) -> None:
    assert page.texts["pre"][0] == inspect.getsource(pattern_1)
    assert "zoo/pattern_1.py" in page.texts["code"]


def test_the_table_says_which_lines_are_beaten(page: Page, built: Built) -> None:
    rows = {row[0]: row for row in page.rows()[1:8]}
    assert set(rows) == {"pattern I", *built.baselines}
    assert rows["pattern I"][2:] == [f"{built.nats:.3f}", ""]
    for name, nats in built.baselines.items():
        assert rows[name][2:] == [f"{nats:.3f}", "yes" if built.nats < nats else "no"]
    assert all(row[1] for row in rows.values())
    assert [row[2] for row in rows.values()] == sorted((row[2] for row in rows.values()), reverse=True)


def test_the_page_says_how_it_was_made(page: Page) -> None:
    facts = dict(row for row in page.rows() if len(row) == 2)
    alphabet = len(CORPUS.alphabet)
    weights = 8 * (8 + 2 * alphabet + 1) + alphabet
    assert facts["Text"] == f"a text given to build: {len(CORPUS.text):,} characters, {alphabet} of them distinct"
    assert facts["Weights"] == f"{weights}, for 8 hidden units"
    assert facts["Updates"] == "4, each on 32 windows of 50 characters"
    assert facts["Seed"] == "0"
    assert facts["Python, NumPy"] == f"{sys.version.split()[0]}, {np.__version__}"
    assert page.texts["pre"][-1].strip() == COMMAND
    assert len(page.all("time")) == 1


def test_markup_in_the_text_and_in_the_command_is_shown_not_obeyed(page: Page) -> None:
    assert not page.all("script")
    assert not page.all("b")
    assert len(page.texts["pre"][1].lstrip("\n")) == pytest.approx(viz.gallery.SAMPLE, abs=20)
    assert set(page.texts["pre"][1]) <= set(CORPUS.text)


def test_the_same_seed_gives_the_same_figures_and_sample(built: Built, page: Page, tmp_path: Path) -> None:
    again = tiny(tmp_path)
    assert again.nats == built.nats
    assert Page(again.page).texts["pre"][1] == page.texts["pre"][1]
    assert (tmp_path / "loss-dark.svg").read_bytes() == built.page.with_name("loss-dark.svg").read_bytes()


# ---- whole or not at all


def test_nothing_but_the_page_and_its_pictures_is_left(built: Built) -> None:
    names = ("circuit", "loss", "side_by_side", "unfolded")
    pictures = [f"{name}-{theme}.svg" for name in names for theme in ("dark", "light")]
    assert sorted(file.name for file in built.page.parent.iterdir()) == sorted([*pictures, "index.html"])


def test_a_page_that_cannot_be_written_leaves_the_one_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = tiny(tmp_path).page.read_bytes()
    write = Path.write_bytes

    def until_the_disk_is_full(path: Path, content: bytes) -> int:
        if b"<html" not in content:
            return write(path, content)
        write(path, content[: len(content) // 2])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", until_the_disk_is_full)
    with pytest.raises(OSError, match="No space left"):
        tiny(tmp_path, seed=1)
    assert (tmp_path / "index.html").read_bytes() == before
    assert not list(tmp_path.glob("*.part"))


def test_an_interrupted_build_leaves_no_page_and_goes_on_to_the_same_figures(
    built: Built, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch, trained = Characters.batch, []

    def interrupted(task: Characters, rng: np.random.Generator) -> Any:
        if len(trained) == 3:  # the first was not trained on but drawn
            raise KeyboardInterrupt
        trained.append(1)
        return batch(task, rng)

    with monkeypatch.context() as patch:
        patch.setattr(Characters, "batch", interrupted)
        with pytest.raises(KeyboardInterrupt):
            tiny(tmp_path)
    assert not (tmp_path / "index.html").exists()
    assert list(tmp_path.glob("pattern-1-*.npz"))

    trained.clear()
    monkeypatch.setattr(Characters, "batch", lambda task, rng: trained.append(1) or batch(task, rng))
    assert tiny(tmp_path).nats == built.nats
    assert len(trained) == 3  # one to draw, and the two updates that were missing
    assert not list(tmp_path.glob("*.npz"))


def test_a_build_of_other_settings_does_not_go_on_from_the_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(viz.gallery, "_loss", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            tiny(tmp_path)
    assert tiny(tmp_path, hidden=9).page.exists()


# ---- the command


def run(monkeypatch: pytest.MonkeyPatch, outcome: Built | BaseException, *argv: str) -> int:
    """The command's exit code, where `build` returns or raises the outcome."""

    def pretend(*_: Any, **__: Any) -> Built:
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    monkeypatch.setattr(command_line, "build", pretend)
    return command_line.main(argv)


@pytest.mark.parametrize(("nats", "code"), [(2.0, 0), (2.5, 1), (float("nan"), 1)])
def test_the_exit_code_says_whether_the_bigram_is_beaten(
    nats: float, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, Built(Path("index.html"), nats, {"bigram": 2.318})) == code
    said = capsys.readouterr()
    assert f"pattern I reaches {nats:.3f} nats per character" in said.out
    assert ("does not beat the bigram's 2.318" in said.err) == bool(code)


def test_ctrl_c_says_how_to_go_on(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(monkeypatch, KeyboardInterrupt(), "--quick", "--out", "my gallery") == 130
    assert capsys.readouterr().err == (
        "Stopped. The build goes on with\n    python -m viz.gallery --quick --out 'my gallery'\n"
    )


@pytest.mark.parametrize("package", ["jinja2", "matplotlib", "tqdm"])
def test_a_missing_package_is_an_error_before_the_training(
    package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    hide(monkeypatch, package)
    assert command_line.main(["--quick", "--out", str(tmp_path)]) == 1
    said = f"python -m viz.gallery: the gallery needs {package}: pip install 'tinygrad_rnn[gallery]'\n"
    assert capsys.readouterr().err == said
    assert not list(tmp_path.iterdir())


def test_a_missing_renderer_is_an_error_before_the_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    hide(monkeypatch, "pygraphviz")
    assert command_line.main(["--quick", "--out", str(tmp_path)]) == 1
    said = capsys.readouterr().err
    assert said.startswith("python -m viz.gallery: no Graphviz to draw with: install Graphviz")
    assert said.count("\n") == 1
    assert not (tmp_path / "index.html").exists()


def test_a_folder_that_cannot_be_written_is_an_error_before_the_training(
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
