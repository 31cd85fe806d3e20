"""The explorer: a recorded run as a page to click through, one file that needs no network.

    viz.page(graph, "pattern_1.html")

The diagrams are those of viz.circuit and viz.unfolded; everything else on the page is read off the record too.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
from collections.abc import Iterator
from importlib.resources import files
from os import PathLike
from pathlib import Path
from string import Template
from typing import Any

from tinygrad_rnn.tracing.circuit import FoldError
from tinygrad_rnn.tracing.record import Graph
from viz.diagrams.diagram import THEMES, Diagram
from viz.diagrams.render import write
from viz.diagrams.views import circuit, unfolded
from viz.explorer.arrays import LEVELS, number, summary
from viz.explorer.equations import Equations
from viz.explorer.expressions import local_derivatives
from viz.explorer.pictures import THEME, picture
from viz.explorer.playback import Component, Moment, Playback, Stop, passes
from viz.explorer.sources import Sources
from viz.labels import visible
from viz.plots import CURVES


def page(graph: Graph, path: str | PathLike[str], *, title: str = "", back: str = "") -> Path:
    """Write the page of a recorded run into an HTML file, and return its path.

    On it: the circuit and the unfolded graph, side by side or one of them; for each variable, at each step that is
    drawn, its value, gradient, shape, equations, local derivatives and the line of code that made it; and a slider
    that plays the forward and then the backward pass. A run that has no circuit, or no backward pass, says why.

    The page grows with what is drawn, not with the length of the sequence, which the unfolded graph elides; arrays of
    more than 64 elements are cut. It may be opened from the disk, and may run no script but its own.

    title  above the page
    back   the address of a page that this one belongs to, which it then has a link to

    Raises viz.RendererMissing without Graphviz, and OSError, which names the path.
    """
    forward, both, no_backward = passes(graph)
    folded, no_circuit = None, ""
    try:
        folded = circuit(forward, theme=THEME)
    except FoldError as error:
        no_circuit = str(error)
    unrolled = unfolded(forward, theme=THEME)
    run = Playback(forward, both, folded, unrolled)
    data = _Data(run, folded, unrolled)
    notes = [f"This run has no circuit: {no_circuit}"] if no_circuit else []
    notes += [f"There is no backward pass: {no_backward}"] if no_backward else []
    return write(Path(path), _html(visible(title or "A recorded run", 200), back, data, notes).encode())


class _Data:
    """What the page's script gets, as JSON: numbers stand for places in these lists.

    components  label, kind, module, equations, local derivatives, source, and its moments
    moments     label, component, value (unless it raised), gradient, and the stops from which on they are there
    stops       what runs, and the components, the moments and, of steps not drawn, the ellipses that it lights
    circuit     for each vertex of the circuit its component or None
    unfolded    for each vertex of the unfolded graph its moment or None
    """

    def __init__(self, run: Playback, folded: Diagram | None, unrolled: Diagram):
        self.run, self.folded, self.unrolled = run, folded, unrolled
        self.sources = Sources()
        self.forward = Equations(run.forward, "forward")
        self.backward = Equations(run.both, "backward")
        self.circuit = [run.component_of(v) for v in folded.vertices] if folded else []
        self.unfolded = [run.moment_of(v) for v in unrolled.vertices]
        self.components = [self._component(c) for c in run.components]
        self.moments = [self._moment(m) for m in run.moments]
        self.stops = [self._stop(stop) for stop in run.stops]

    def json(self) -> str:
        """As text for a script element: nothing in it can end the element or begin a comment."""
        names = ("components", "moments", "stops", "circuit", "unfolded")
        content = {name: getattr(self, name) for name in names} | {"sources": self.sources.all, "levels": LEVELS}
        return json.dumps(content, separators=(",", ":")).replace("<", "\\u003c")

    def _component(self, component: Component) -> dict[str, Any]:
        step = max(component.visits, key=lambda s: s.index)  # the last that ran has a past
        gradients = [self.run.gradients[s] for s in component.visits if s in self.run.gradients]
        name = self.run.names_beside(step)
        derivatives = {} if step.kind == "failed" else local_derivatives(step, self.run.shown, name)
        return {
            "label": component.label,
            "kind": component.kind,
            "module": visible(step.module, 200),
            "forward": next((self.forward.of[s] for s in component.visits if s in self.forward.of), []),
            "backward": next((self.backward.of[g] for g in gradients if g in self.backward.of), []),
            "local": [f"∂{name(step)}/∂{name(x)} = {text}" for x, text in derivatives.items() if text],
            "source": self.sources.of(step),
            "moments": component.moments,
        }

    def _moment(self, moment: Moment) -> dict[str, Any]:
        shown: dict[str, Any] = {"label": moment.label, "component": moment.component, "at": moment.at}
        if moment.step.kind != "failed":
            shown["value"] = summary(moment.step.value)
        if moment.gradient is not None:
            name = self.run.name_of_gradient(moment.step)
            shown |= {"name": name, "gradientAt": moment.gradient_at, "gradient": summary(moment.gradient.value)}
        return shown

    def _stop(self, stop: Stop) -> dict[str, Any]:
        shown: dict[str, Any] = {
            "backward": stop.backward,
            "text": stop.text,
            "components": sorted(stop.components),
            "moments": sorted(stop.moments),
        }
        return shown | ({"gaps": self._gaps(stop)} if stop.elided else {"source": self.sources.of(stop.step)})

    def _gaps(self, stop: Stop) -> list[int]:
        """The ellipses in the rows of what runs."""
        rows = {
            vertex.y
            for vertex, moment in zip(self.unrolled.vertices, self.unfolded, strict=True)
            if moment is not None and self.run.moments[moment].component in stop.components
        }
        return [i for i, v in enumerate(self.unrolled.vertices) if v.kind == "ellipsis" and v.y in rows]


# -- HTML ----------------------------------------------------------------------------------------------------


def _html(title: str, back: str, data: _Data, notes: list[str]) -> str:
    script = _template("explorer.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return Template(_template("explorer.html")).substitute(
        title=html.escape(title),
        back=f'<nav><a href="{html.escape(back)}">← Back to where this run is explained</a></nav>' if back else "",
        policy=f"sha256-{digest}",
        style="\n".join([*map(_colours, CURVES), _template("explorer.css")]),
        summary=html.escape(_summary(data.run)),
        notes=_paragraphs(notes),
        about=_paragraphs([f"{note}." for note in dict.fromkeys(data.forward.notes + data.backward.notes)]),
        stops=len(data.stops),
        figures="\n".join(_figures(data)),
        data=data.json(),
        script=script,
    )


def _paragraphs(texts: list[str]) -> str:
    return "\n".join(f"<p>{html.escape(visible(text, 1000))}</p>" for text in texts)


def _template(name: str) -> str:
    return (files("viz.explorer") / "templates" / name).read_text(encoding="utf-8")


def _colours(theme: str) -> str:
    names = {**THEMES[theme], "curve": CURVES[theme]}
    rule = f":root {{ {' '.join(f'--{name}: {colour};' for name, colour in names.items())} }}"
    return rule if theme == "light" else f"@media screen and (prefers-color-scheme: {theme}) {{ {rule} }}"


def _summary(run: Playback) -> str:
    backward = sum(stop.count for stop in run.stops if stop.backward)
    forward = sum(stop.count for stop in run.stops) - backward
    count = f"{forward:,} operations forward" + (f", {backward:,} backward" if backward else "")
    losses = [step for step in run.forward.outputs if step.shape == ()]
    values = [f"{run.name(s) or visible(s.label, 80)} = {number(s.value.item())}" for s in losses]
    return ". ".join([count, *values]) + "."


def _figures(data: _Data) -> Iterator[str]:
    views = [("circuit", "Circuit", data.folded, data.circuit, data.components)]
    views += [("unfolded", "Unfolded graph", data.unrolled, data.unfolded, data.moments)]
    for name, caption, diagram, numbers, things in views:
        if diagram is not None:
            labels = {i: things[number]["label"] for i, number in enumerate(numbers) if number is not None}
            drawn = f'<div class="scrolls">{picture(diagram, labels)}</div>'
            yield f'<figure id="{name}"><figcaption>{caption}</figcaption>{drawn}</figure>'
