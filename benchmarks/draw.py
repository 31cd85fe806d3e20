"""From the record of a run to its picture: pattern I unfolded in time, its circuit, and what other tools draw of it."""

from __future__ import annotations

import resource
import tempfile
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from tqdm import tqdm

import tinygrad_rnn as tg
import viz
from viz.diagrams.render import svg
from zoo.pattern_1 import Pattern1

from .measure import Table, settled

UNFOLDED = 200, 1000, 4000  # steps: five vertices each
CIRCUITS = 10, 100, 1000
PEERS = 10, 20, 40


def run(
    unfolded: Sequence[int] = UNFOLDED,
    circuits: Sequence[int] = CIRCUITS,
    peers: Sequence[int] = PEERS,
    rounds: int = 5,
) -> Table:
    """Seconds from the record to the SVG text, and what takes them. Raises RendererMissing without Graphviz."""
    columns = ["drawing", "T", "vertices", "fold, layout", "DOT text", "Graphviz", "in all"]
    table = Table("Drawing pattern I as SVG: seconds", columns)
    kinds = [("unfolded", T) for T in unfolded] + [("circuit", T) for T in circuits]
    for kind, T in tqdm(kinds, desc="draw", leave=False):
        times = _ours(_record(T), kind == "unfolded", rounds)
        table.rows.append([kind, T, *times])
    found, missing = _peers()
    for T in tqdm(peers if found else [], desc="draw, peers", leave=False):
        for name, draw in found.items():
            vertices, seconds = draw(T)
            table.rows.append([name, T, vertices, None, None, None, seconds])
    table.notes += [
        "processor time, of Graphviz too; ours is the median of several runs, the others' of one",
        "aim: 20,000 vertices in less than 3 s in all; DOT text and Graphviz of a circuit the same for every T",
        "the others draw every operation, and lay it out with dot",
    ]
    table.notes += [f"{name} is not installed: not compared" for name in missing]
    return table


def _record(T: int) -> tg.Graph:
    rng = np.random.default_rng(0)
    return tg.record(Pattern1(3, 4, 5, rng=rng), rng.normal(size=(T, 2, 3)), rng.integers(0, 5, (T, 2)))


def _ours(graph: tg.Graph, unfolded: bool, rounds: int) -> list[float]:
    """How many vertices, and the seconds for each part of the way and in all."""
    T = graph.fold().length

    def view() -> viz.Diagram:
        return viz.unfolded(graph, steps=range(1, T + 1)) if unfolded else viz.circuit(graph)

    drawing = view()
    parts: tuple[Callable[[], Any], ...] = (
        view,
        lambda: replace(drawing).source,  # a copy, for a diagram keeps its text
        lambda: svg(drawing.source, "neato"),
    )
    with settled():
        timings = [[_seconds(part) for part in parts] for _ in range(rounds)]
    medians = [median(column) for column in zip(*timings, strict=True)]
    return [len(drawing.vertices), *medians, sum(medians)]


def _seconds(run: Callable[[], Any]) -> float:
    """Processor time of one run and of the programs it starts."""

    def used() -> float:
        found = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        return sum(usage.ru_utime + usage.ru_stime for usage in found)

    start = used()
    run()
    return used() - start


# -- the other tools -------------------------------------------------------------------------------

Peer = Callable[[int], tuple[int, float]]


def _peers() -> tuple[dict[str, Peer], list[str]]:
    """Those that can be imported, each a function of T, and the names of the others."""
    found: dict[str, Peer] = {}
    missing = []
    for name, draw in (("torchviz", _torchviz), ("torchview", _torchview), ("torchlens", _torchlens)):
        try:
            import_module(name)
            found[f"{name} {version(name)}"] = lambda T, draw=draw: _timed(draw, T)
        except ImportError:
            missing.append(name)
    return found, missing


def _timed(draw: Callable[[Any, tuple], bytes], T: int) -> tuple[int, float]:
    """How many vertices are in the picture, and the seconds that it took."""
    import torch

    torch.set_num_threads(1)
    model = _in_torch(torch)
    example = torch.randn(T, 2, 3), torch.randint(0, 5, (T, 2))
    pictures: list[bytes] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        seconds = _seconds(lambda: pictures.append(draw(model, example)))
    return pictures[0].count(b'class="node"'), seconds


def _in_torch(torch: Any) -> Any:
    class Pattern1(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.U, self.W, self.V = torch.nn.Linear(3, 4), torch.nn.Linear(4, 4, bias=False), torch.nn.Linear(4, 5)

        def forward(self, x: Any, y: Any) -> Any:
            h, L = torch.zeros(2, 4), 0.0
            for x_t, y_t in zip(x, y, strict=True):
                h = torch.tanh(self.U(x_t) + self.W(h))
                L = L + torch.nn.functional.cross_entropy(self.V(h), y_t)
            return L

    return Pattern1()


def _torchviz(model: Any, example: tuple) -> bytes:
    import torchviz

    return torchviz.make_dot(model(*example), params=dict(model.named_parameters())).pipe("svg")


def _torchview(model: Any, example: tuple) -> bytes:
    import torchview

    return torchview.draw_graph(model, input_data=example, device="cpu").visual_graph.pipe("svg")


def _torchlens(model: Any, example: tuple) -> bytes:
    import torchlens

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "graph"
        trace = torchlens.trace(model, example)
        trace.draw(view="unrolled", vis_outpath=str(path), vis_save_only=True, vis_fileformat="svg")
        return path.with_suffix(".svg").read_bytes()
