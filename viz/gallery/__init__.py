"""The gallery: the lecture as a static site, a page for each topic, every picture and number of which this code made.

    viz.gallery.build("build/gallery", steps=2000)     # what  python -m viz.gallery --quick  does

A page that is there and as it should be is left alone: it holds a digest of all that it depends on. A page is written
last, after its pictures, and in one piece, so that an interrupted build goes on where it stopped. One that fails gives
its place to the reason, and the others are built.
"""

from __future__ import annotations

import html
import importlib.util
import os
import re
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from types import ModuleType
from typing import Any

from tinygrad_rnn.nn.checkpoints import CheckpointError
from viz.diagrams.diagram import THEMES
from viz.diagrams.render import RendererMissing, svg, write
from viz.gallery.claims import FILES, Found, claimed, measured
from viz.gallery.digests import digest
from viz.gallery.learning import learning
from viz.gallery.models import code, module_of, path_of, show
from viz.gallery.sections import Picture, Section, Work
from viz.gallery.topics import TOPICS, Topic
from viz.plots import CURVES
from zoo import readout
from zoo.tasks.characters import Corpus
from zoo.training import progress_bar

NOT_BUILT = "not built yet"


@dataclass(frozen=True)
class State:
    """What a page says of itself. Without a digest it only holds the place of one."""

    digest: str = ""
    problem: str = NOT_BUILT
    thumbnail: str = ""


@dataclass(frozen=True)
class Built:
    """The index; the names of the pages that were built, and of those left as they were; what is wrong with which."""

    index: Path
    new: list[str]
    kept: list[str]
    problems: dict[str, str]


def build(
    out: str | os.PathLike[str],
    *,
    steps: int,
    only: Sequence[str] = (),
    topics: Sequence[Topic] = TOPICS,
    claims: Sequence[Path] = FILES,
    command: str = "viz.gallery.build",
    corpus: Corpus | None = None,
    seed: int = 0,
    show: bool = False,
) -> Built:
    """Build the pages of the topics, and the index `out`/index.html.

    steps    of the longest training; the others are shortened as much
    only     names of topics; without, all are built
    claims   files that `python -m zoo claims` has written: of each claim, what the first of them says is shown
    command  what the pages say they were made by
    corpus   to train on; None: the help topics of this Python
    show     how it goes, with a progress bar if there is a terminal

    Raises ModuleNotFoundError for what pip has to install, viz.RendererMissing without Graphviz, OSError or
    CheckpointError where `out` cannot be written, ValueError for a topic that there is not.
    """
    _require("jinja2", "latex2mathml", "matplotlib", "pygments", *["tqdm"] * show)
    svg("digraph {}")  # a Graphviz that is missing is better known now
    out, found = Path(out), measured(claims)
    site = _Site(out, list(topics), command)
    chosen = site.named(only)
    site.hold_places()
    new, kept = [], []
    bar: Any = progress_bar()(chosen, unit="page", disable=None, dynamic_ncols=True) if show else chosen
    for topic in bar:
        say = _describing(bar, topic.title) if show else lambda what: None
        say("")
        work = Work(out, topic.name, steps, seed, corpus, show, say)
        key = digest(_modules(topic), _settings(topic, work), [found.get(name) for name in topic.claims])
        if site.is_as_it_should_be(topic, key):
            kept.append(topic.name)
            continue
        try:
            site.write(topic, key, *_sections(topic, work, found, command))
            new.append(topic.name)
        except (OSError, CheckpointError, RendererMissing, ImportError):
            raise  # it would befall the other pages too
        except Exception as error:
            site.give_place_to(topic, error)
        site.write_index()
    site.write_index()
    states = {topic.name: site.state(topic) for topic in chosen}
    return Built(site.index, new, kept, {name: state.problem for name, state in states.items() if state.problem})


def _describing(bar: Any, title: str) -> Callable[[str], None]:
    """What lets a progress bar say what is being done."""
    return lambda what: bar.set_description(f"{title}: {what}" if what else title)


def _sections(topic: Topic, work: Work, found: Found, command: str) -> tuple[list[Section], Picture | None]:
    """All sections of a page, and its thumbnail for the index."""
    shown = [show(name, heading, work) for name, heading in topic.models.items()]
    extras = [_made_by(command, make, section) for make in topic.extras if (section := make(work)) is not None]
    lessons = [learning(lesson, work) for lesson in topic.lessons]
    sections = [*(model.section for model in shown), *extras, *lessons]
    if (section := claimed(topic.claims, found)) is not None:
        sections.append(section)
    modules = dict.fromkeys([*map(module_of, topic.models), *topic.code])
    sections.append(code(modules, [place for model in shown for place in model.places]))
    thumbnails = [s.thumbnail for s in [*extras, *sections] if s.thumbnail]
    return sections, thumbnails[0] if thumbnails else None


def _made_by(command: str, make: Callable[[Work], Section | None], section: Section) -> Section:
    """A section that says by which command it was made, and by which function."""
    return replace(section, made=(f"{command}  # {make.__name__} in {path_of(sys.modules[make.__module__])}",))


def _modules(topic: Topic) -> list[ModuleType]:
    """What a page depends on in the zoo; an example of a cell has a readout around it."""
    learnt = [module for lesson in topic.lessons for module in lesson.modules]
    return [readout, *map(module_of, topic.models), *topic.code, *topic.uses, *learnt]


def _settings(topic: Topic, work: Work) -> list[Any]:
    """What a topic says; and, where something is trained or measured for it, with what."""
    extras = [make.__name__ for make in topic.extras]
    said = [topic.title, topic.prose, topic.models, topic.emblem, topic.lessons, extras]
    text = work.corpus.text if work.corpus else None
    return [*said, work.steps, work.seed, text] if topic.extras or topic.lessons else said


class _Site:
    """The files of the gallery."""

    def __init__(self, out: Path, topics: list[Topic], command: str):
        self.out, self.topics, self.command = out, topics, command
        self.index = out / "index.html"

    def named(self, names: Sequence[str]) -> list[Topic]:
        """The topics of these names, all without any, in the order of the lecture."""
        known = [topic.name for topic in self.topics]
        for name in names:
            if name not in known:
                raise ValueError(f"no topic {name!r}; known: {', '.join(known)}")
        return [topic for topic in self.topics if not names or topic.name in names]

    def page(self, topic: Topic) -> Path:
        return self.out / f"{topic.name}.html"

    # -- what is there -----------------------------------------------------------------------------------

    def state(self, topic: Topic) -> State:
        """What the page of a topic says of itself in its head."""
        try:
            text = self.page(topic).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            return State()
        said = dict(re.findall(r'<meta name="gallery-(\w+)" content="([^"]*)">', text))
        return State(*(html.unescape(said.get(name, "")) for name in ("digest", "problem", "thumbnail")))

    def is_as_it_should_be(self, topic: Topic, key: str) -> bool:
        """Whether a page is of this digest, and all that it shows or leads to is there."""
        if self.state(topic).digest != key:
            return False
        text = self.page(topic).read_text(encoding="utf-8")
        links = re.findall(r'(?:src|srcset|href)="([^"#]+)', text)
        return all((self.out / html.unescape(link)).is_file() for link in links if not link.startswith("data:"))

    # -- what is written ---------------------------------------------------------------------------------

    def hold_places(self) -> None:
        """Let every link lead somewhere from the start."""
        for topic in self.topics:
            if not self.page(topic).exists():
                self._write(topic, "place.html", State(), reason="")
        self.write_index()

    def give_place_to(self, topic: Topic, error: Exception) -> None:
        """Say on the page of a topic why it could not be built."""
        problem = " ".join(f"{type(error).__name__}: {error}".split())
        self._write(topic, "place.html", State("", problem), reason="".join(traceback.format_exception(error)))

    def write(self, topic: Topic, key: str, sections: list[Section], thumbnail: Picture | None) -> None:
        problem = "; ".join(section.problem for section in sections if section.problem)
        state = State(key, problem, thumbnail.name if thumbnail else "")
        self._write(topic, "topic.html", state, sections=sections)

    def _write(self, topic: Topic, template: str, state: State, **content: Any) -> None:
        at = self.topics.index(topic)
        around = {
            "topic": topic,
            "number": at + 1,
            "before": self.topics[at - 1] if at else None,
            "after": self.topics[at + 1] if at + 1 < len(self.topics) else None,
        }
        write(self.page(topic), self._html(template, state=state, **around, **content))

    def write_index(self) -> None:
        """The list of all pages. A page that is built has a picture."""
        states = [(topic, self.state(topic)) for topic in self.topics]
        content = self._html("index.html", state=State("", ""), topics=states)
        write(self.index, content)

    def _html(self, template: str, **content: Any) -> bytes:
        """A page; whatever is in the content is shown as it is, markup in it too."""
        import jinja2

        templates = jinja2.Environment(
            loader=jinja2.PackageLoader("viz.gallery"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        themes = {theme: {**THEMES[theme], "curve": curve} for theme, curve in CURVES.items()}
        made = datetime.now().astimezone()
        page = templates.get_template(template).render(themes=themes, made=made, command=self.command, **content)
        return page.encode()


def _require(*packages: str) -> None:
    if missing := [package for package in packages if importlib.util.find_spec(package) is None]:
        raise ModuleNotFoundError(f"the gallery needs {', '.join(missing)}: pip install 'tinygrad_rnn[gallery]'")
