"""What a page shows of a model of the zoo: its diagrams, its equations, its explorer and its code."""

from __future__ import annotations

import html
import inspect
from collections.abc import Iterable
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Literal

import tinygrad_rnn as tg
import viz
from tinygrad_rnn.autodiff.sites import place
from tinygrad_rnn.tracing.circuit import FoldError
from tinygrad_rnn.tracing.naming import Site
from tinygrad_rnn.tracing.record import Graph
from viz.explorer.equations import mathml
from viz.explorer.playback import Playback, passes
from viz.gallery.sections import Picture, Section, Work
from zoo.catalogue import CATALOGUE


@dataclass(frozen=True)
class Place:
    """A variable in the explorer of a run, and the line of code that made it."""

    file: str
    line: int
    label: str
    address: str


@dataclass(frozen=True)
class Shown:
    """A model as a section of a page, and the lines of code that it ran."""

    section: Section
    places: list[Place]


def show(name: str, heading: str, work: Work) -> Shown:
    """Run the example of a model, draw the record, write its explorer and its equations."""
    entry = CATALOGUE[name]
    model, arguments = entry.example()
    graph = tg.record(model, *arguments)
    explorer = f"{work.name}/{name}.html"
    viz.page(graph, work.out / explorer, title=f"{name}: {heading}", back=f"../{work.name}.html")
    folded, no_circuit = _folded(graph)
    _, both, no_backward = passes(graph)
    content: dict[str, Any] = {
        "explorer": explorer,
        "figure": entry.figure,
        "summary": entry.summary,
        "no_circuit": no_circuit,
        "no_backward": no_backward,
        "forms": forms(graph, name, work, folded),
        "flow": flow(graph, name, work) if both else None,
        "forward": formulas(graph, "forward") if folded else [],
        "backward": formulas(graph, "backward") if folded and both else [],
    }
    run = Playback(graph, both, viz.circuit(graph) if folded else None, viz.unfolded(graph))
    thumbnail = work.picture(
        f"{name}-thumbnail",
        f"The {'circuit' if folded else 'unfolded graph'} of {name}.",
        lambda theme: (viz.circuit if folded else viz.unfolded)(graph, theme=theme),
    )
    made = [f"python -m viz draw {name}" if folded else f"python -m viz draw {name} --view unfolded"]
    made += [f"python -m viz draw {name} --view unfolded --gradients"] if both else []
    made += [f"python -m viz equations {name}"] if folded else []
    section = Section(name, heading, "model.html", content, thumbnail, made=(*made, f"python -m viz page {name}"))
    return Shown(section, list(_places(run, explorer)))


def forms(graph: Graph, name: str, work: Work, folded: bool) -> Picture:
    """The circuit beside the unfolded graph; of what has no circuit, the unfolded graph."""
    unfolded = f"the unfolded graph: {viz.unfolded(graph).description}"
    if not folded:
        return work.picture(name, unfolded.capitalize(), lambda theme: viz.unfolded(graph, theme=theme))
    words = f"Left, the circuit: {viz.circuit(graph).description} Right, {unfolded}"
    return work.picture(name, words, lambda theme: viz.side_by_side(graph, theme=theme))


def flow(graph: Graph, name: str, work: Work) -> Picture:
    """The unfolded graph with each arrow as strong as the gradient that comes back along it."""
    words = f"The unfolded graph, arrows by the gradient along them: {viz.unfolded(graph).description}"
    return work.picture(f"{name}-gradients", words, lambda t: viz.unfolded(graph, gradients=True, theme=t))


def formulas(graph: Graph, of: Literal["forward", "backward"]) -> list[str]:
    """The equations of a pass in HTML."""
    return [mathml(line) for line in viz.equations(graph, of=of).latex.splitlines()]


def _folded(graph: Graph) -> tuple[bool, str]:
    """Whether the run has a circuit, and why not."""
    try:
        graph.fold()
    except FoldError as error:
        return False, str(error)
    return True, ""


def _places(run: Playback, explorer: str) -> Iterable[Place]:
    for number, moment in enumerate(run.moments):
        if isinstance(moment.step.site, Site):
            site = moment.step.site.in_user_code()
            at = place(site.code, site.instruction)
            yield Place(at.file, at.line, moment.label, f"{explorer}#moment={number}")


# -- code ----------------------------------------------------------------------------------------------------


def code(modules: Iterable[ModuleType], places: Iterable[Place]) -> Section:
    """Modules as they are in their files; the number of a line that ran leads to what it made in the explorer."""
    first: dict[tuple[str, int], Place] = {}
    for found in places:
        first.setdefault((found.file, found.line), found)
    files = [{"path": path_of(m), "lines": list(_lines(m, first))} for m in modules]
    return Section("code", "The code", "code.html", {"files": files, "explored": bool(first)})


def path_of(module: ModuleType) -> str:
    """Where a module is in the repository: zoo/pattern_1.py."""
    return module.__name__.replace(".", "/") + ".py"


def _lines(module: ModuleType, places: dict[tuple[str, int], Place]) -> Iterable[dict[str, Any]]:
    """The lines of a module, highlighted, each with the place in an explorer that it leads to, if any."""
    from pygments import highlight
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import PythonLexer

    source, file = inspect.getsource(module), inspect.getsourcefile(module) or ""
    marked = highlight(source, PythonLexer(stripnl=False), HtmlFormatter(nowrap=True)).splitlines()
    plain = source.splitlines()
    if len(marked) != len(plain):  # a form feed, say, that one of both takes for the end of a line
        marked = [html.escape(line) for line in plain]
    for number, line in enumerate(marked, start=1):
        yield {"number": number, "html": line, "place": places.get((file, number))}


def module_of(name: str) -> ModuleType:
    """The module that a model of the zoo is written in."""
    found = inspect.getmodule(CATALOGUE[name].model)
    assert found is not None
    return found
