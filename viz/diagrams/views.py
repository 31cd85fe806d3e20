"""The two forms of a model, drawn from the record of its run: the circuit, and the graph unfolded in time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any
from weakref import ref

from tinygrad_rnn.tracing.circuit import Circuit, Component, FoldError, Wire
from tinygrad_rnn.tracing.projection import projected
from tinygrad_rnn.tracing.reading import Reading
from tinygrad_rnn.tracing.record import Graph
from tinygrad_rnn.tracing.recorder import Step
from viz.diagrams.circuit_view import CircuitView
from viz.diagrams.diagram import Diagram
from viz.diagrams.layout import Layout
from viz.diagrams.options import Options, Pen
from viz.diagrams.unfolded_view import UnfoldedView
from viz.diagrams.variables import Variables
from viz.diagrams.vertices import Arrow, Vertex


def circuit(graph: Graph, **options: Any) -> Diagram:
    """The circuit: each variable once, a black square for each step of delay. Options: see viz/diagrams/options.py.

    Where loops are nested, t counts the steps of the outermost, s those of a loop within it, r of one within that: a
    letter beside a square says along which loop it delays, "s = S" that the last step is read, "all s" every one.
    Of a recorded backward pass, the circuit of backpropagation through time: its delays point the other way.
    Raises FoldError if the run has no circuit, TypeError for an option that there is not, ValueError for its value.
    """
    chosen = Options(**options)
    variables, pen = _read(graph, _folded(graph), chosen)
    view = CircuitView(Layout(variables, folded=True), pen)
    said = _said_of_outer_loops(graph, variables.circuit, chosen)
    return _diagram(view.vertices.values(), view.arrows, said)


def unfolded(graph: Graph, **options: Any) -> Diagram:
    """The unfolded graph: time in columns, variables in rows. Options: see viz/diagrams/options.py.

    A run without a time axis, over a tree say, is drawn by depth, each value above what it is computed from. Raises
    ValueError for steps that did not happen, TypeError for an option that there is not.
    """
    chosen = Options(**options)
    variables, pen = _read(graph, _along_time_or_run(graph), chosen)
    view = UnfoldedView(Layout(variables, folded=False), pen, variables.circuit.lengths, chosen.steps)
    return _diagram(view.vertices.values(), view.arrows, _said_of_outer_loops(graph, variables.circuit, chosen))


def side_by_side(graph: Graph, **options: Any) -> Diagram:
    """The book's layout (figures 10.2 to 10.5): the circuit, an arrow that says "unfold", the unfolded graph.

    Options: see viz/diagrams/options.py. Raises what `circuit` and `unfolded` raise.
    """
    chosen = Options(**options)
    variables, pen = _read(graph, _folded(graph), chosen)
    left = CircuitView(Layout(variables, folded=True), pen)
    if (along_time := _along_time(graph))[0] is not variables.circuit:
        variables, _ = _read(graph, along_time, chosen)
    unfolding = Layout(variables, folded=False)
    right = UnfoldedView(unfolding, pen, variables.circuit.lengths, chosen.steps, left.end + 1.9)
    rows = [vertex.y for vertex in left.vertices.values()]
    middle = (max(rows, default=0) + min(rows, default=0)) / 2
    between = [Vertex(f"unfold {end}", "", left.end + x, middle, "anchor") for end, x in (("from", 0.55), ("to", 1.25))]
    arrow = Arrow("unfold from", "unfold to", "unfold", "unfold")
    vertices = [*left.vertices.values(), *between, *right.vertices.values()]
    titled = _said_of_outer_loops(graph, variables.circuit, chosen)
    return _diagram(vertices, [*left.arrows, arrow, *right.arrows], titled)


def _read(graph: Graph, folded: tuple[Circuit, Reading], options: Options) -> tuple[Variables, Pen]:
    """What there is to draw of a circuit of a run, and what writes on it."""
    flowing = graph.backward().gradients if options.gradients and not graph.gradients else graph.gradients
    every = options.detail == "operations"
    variables = Variables(*folded, every=every, gradients=graph.gradients, weighted=options.weights)
    return variables, Pen(options, flowing if options.gradients else None)


def _folded(graph: Graph) -> tuple[Circuit, Reading]:
    """The circuit, and how it is read; of both passes along its time, for so gradients are found."""
    return _along_time(graph) if graph.gradients else (graph.fold(), graph.reading)


def _along_time(graph: Graph) -> tuple[Circuit, Reading]:
    """The circuit as a picture with one axis of time can show it, and how it is read."""
    folded = projected(graph.fold())
    return folded, graph.reading if folded is graph.fold() else graph.read(folded)


def _along_time_or_run(graph: Graph) -> tuple[Circuit, Reading]:
    """The same; of a run that has no circuit, the run itself, in which everything happens once."""
    try:
        return _along_time(graph)
    except FoldError:
        of: dict[Step, Component] = {}
        for step in graph.steps:
            wires = [Wire(ref(of[x]), reach="once") for x in step.inputs]
            of[step] = Component(step.kind, [step], wires)
        run = Circuit(list(of.values()), [])
        loss = next(iter(graph.gradients), None)  # of both passes the outputs are the gradients
        run.outputs = [of[step] for step in (graph.outputs if loss is None else [loss])]
        return run, Reading(run, run.outputs, is_run=True)


def _said_of_outer_loops(graph: Graph, along_time: Circuit, options: Options) -> Options:
    """With a word in the title on outer loops of which the circuit along its time shows one iteration."""
    if not along_time.lengths or along_time is graph.fold() or along_time.lengths != graph.fold().lengths:
        return options  # chunks that stand side by side are all there
    pairs = zip(graph.fold().components, along_time.components, strict=True)
    kept = [(c, one.axes[0]) for c, one in pairs if one.axes and c.visits[0].forward is None]
    outer = {axis.loop for c, one in kept for axis in c.axes[: c.axes.index(one)]} - {one.loop for _, one in kept}
    if not outer:
        return options
    times = " × ".join(str(along_time.lengths[loop]) for loop in sorted(outer))
    words = f"one of {times} iterations of the outer loop{'s' * (len(outer) > 1)}"
    return replace(options, title=f"{options.title} ({words})" if options.title else words)


def _diagram(vertices: Iterable[Vertex], arrows: Iterable[Arrow], options: Options) -> Diagram:
    if options.direction == "right":  # rows become columns, time runs downward
        vertices = [replace(v, x=1.3 * v.y, y=-v.x) for v in vertices]
        arrows = [replace(a, via=tuple((1.3 * y, -x) for x, y in a.via)) for a in arrows]
    vertices, arrows = list(vertices), list(arrows)
    legend = _legend(vertices, arrows, options) if options.legend else ()
    return Diagram(vertices, arrows, title=options.title, theme=options.theme, legend=legend)


MEANINGS = {
    "operation": "an operation",
    "loss": "a loss",
    "gradient": "a gradient",
    "failed": "the operation that failed",
    "delay": "a delay of one step",
    "carried": "a value of the step before",
    "wire": "is used to compute",
    "initial": "a value to start from",
    "fixed": "through weights that are not trained",
    "all": "from every step",
    "grad": "a gradient flows back",
}


def _legend(vertices: list[Vertex], arrows: list[Arrow], options: Options) -> list[tuple[str, str]]:
    """What the kinds of vertices and arrows in a drawing mean."""
    kinds = {v.kind for v in vertices if v.kind != "loss"} | {a.kind for a in arrows if a.kind != "delay"}
    scaled = "; the stronger, the larger the gradient that comes back" if options.gradients else ""
    return [(kind, text + scaled * (kind == "wire")) for kind, text in MEANINGS.items() if kind in kinds]
