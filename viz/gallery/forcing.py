"""Teacher forcing, on and off: where the square hangs, how far a gradient gets, and what a network learns by it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import tinygrad_rnn as tg
import viz
from tinygrad_rnn.nn.optimisers import AdamW
from tinygrad_rnn.tracing.record import Graph
from viz.gallery.sections import Section, Work
from viz.gallery.sliders import Axis, Curve, Frame, Slider, number
from viz.labels import at_step
from zoo.catalogue import CATALOGUE
from zoo.pattern_3 import Pattern3Values
from zoo.tasks.orbit import Orbit
from zoo.training import descend

HIDDEN, STEPS, LR, B = 16, 1000, 0.03, 32
LONG, TESTS = 24, 1000  # steps and number of orbits that were not trained on
TIME = Axis("step t", 1, LONG, [1, *range(4, LONG + 1, 4)])
ORBIT = Axis("y⁽ᵗ⁾", 0, 1, [0, 0.25, 0.5, 0.75, 1])

MODES = {"on": 1.0, "off": 0.0}
LABELS = {"on": "on: fed the target, y⁽ᵗ⁻¹⁾", "off": "off: fed its own output, o⁽ᵗ⁻¹⁾"}
GRADIENTS = {
    "on": "The gradient of the last loss, {loss}, stays in its step. Of the arrows that it comes back along one is from"
    " another step, from a target: that is given, nothing was computed to make it.",
    "off": "The gradient of the last loss, {loss}, comes back through every output to the first step.",
}


def forcing(work: Work) -> Section:
    """Both modes of pattern III, for a switch: the diagrams, the gradient of one loss, a trained network by itself."""
    steps = min(STEPS, work.steps)
    about = (
        "Choose what the network is fed. The square in the circuit moves; so does the way that the gradient of the last"
        f" loss takes. Below, what comes of it: two networks of {HIDDEN} hidden units, trained on {steps:,} batches of"
        f" {B} orbits of y⁽ᵗ⁾ = 3.5 y⁽ᵗ⁻¹⁾ (1 − y⁽ᵗ⁻¹⁾), one with teacher forcing and one without, go on by themselves"
        " from the first number of an orbit that they have not seen."
    )
    states = [_diagrams(name, work) | _trained(name, steps, work) for name in MODES]
    return Section("on-and-off", "On and off", "forcing.html", {"about": about, "states": states})


# -- the diagrams --------------------------------------------------------------------------------------------


def _diagrams(name: str, work: Work) -> dict[str, Any]:
    """The circuit, and the unfolded graph with the gradient of the last loss alone."""
    model: Any
    model, (x, y, *_) = CATALOGUE["pattern-3"].example(work.seed)

    def last_loss(x: Any, y: Any) -> Any:
        for loss in model.losses(x, y, MODES[name]):
            L = tg.name(loss, "L")
        return L

    graph = tg.record(last_loss, x, y)
    T = len(x)
    steps = range(1, T + 1)
    circuit = f"The circuit: {viz.circuit(graph).description}"
    unfolded = f"The unfolded graph, arrows by the gradient along them: {viz.unfolded(graph, steps=steps).description}"
    norms = ", ".join(number(norm) for norm in _norms(graph))
    loss = at_step("L", T)
    return {
        "name": name,
        "label": LABELS[name],
        "pictures": [
            work.picture(f"{name}-circuit", circuit, lambda theme: viz.circuit(graph, theme=theme)),
            work.picture(
                f"{name}-gradient",
                unfolded,
                lambda theme: viz.unfolded(graph, gradients=True, steps=steps, theme=theme),
            ),
        ],
        "gradient": f"{GRADIENTS[name].format(loss=loss)} The norm of ∂{loss}/∂h⁽ᵗ⁾ for t = 1, …, {T}: {norms}.",
    }


def _norms(graph: Graph) -> list[float]:
    """The norm of the gradient with respect to h⁽¹⁾, …, h⁽ᵀ⁾; 0 where none arrives."""
    gradients = graph.backward().gradients
    hidden = [step for step in graph.steps if step.name == "h" and step.operation is not None]
    return [float(np.linalg.norm(gradients[h].value)) if h in gradients else 0.0 for h in hidden]


# -- what is learnt ------------------------------------------------------------------------------------------


def _trained(name: str, steps: int, work: Work) -> dict[str, Any]:
    """Train a network on short orbits, and let it go on by itself from the first number of a longer one."""
    for_weights, for_batches, for_tests = np.random.default_rng(work.seed).spawn(3)
    model, task = Pattern3Values(1, HIDDEN, 1, rng=for_weights, dtype=np.float32), Orbit(B=B)
    optimiser = AdamW(model.parameters(), LR)
    for i in range(steps):
        optimiser.lr = LR * (1 - i / steps)
        x, y = task.batch(for_batches)
        descend(optimiser, lambda: 2 * model(x, y, MODES[name]) / len(y), clip=1.0)  # noqa: B023
    orbits = Orbit(LONG)
    x, y = orbits.draw(TESTS, for_tests)
    with tg.no_grad():
        fed = math.sqrt(2 * model(x, y).item() / LONG)
        said = model.generate(x).data
    errors = np.square(said - y).mean(axis=(0, 2))
    alone, mean = math.sqrt(errors.mean()), math.sqrt(orbits.chance)
    says = (
        f"Trained with teacher forcing {name}. Its error is {number(fed)} where it is fed the truth and {number(alone)}"
        f" by itself; to say the mean is to be {number(mean)} off (root mean square, over {TESTS:,} orbits of {LONG}"
        " steps). The orbit that is shown is the one of its median error."
    )
    shown = np.argsort(errors)[TESTS // 2]
    points = [list(enumerate(values[:, shown, 0].tolist(), start=1)) for values in (y, said)]
    curves = [Curve("the orbit", "dashed"), Curve("the network, by itself", "main")]
    plot = Slider("Teacher forcing", TIME, ORBIT, curves, [Frame(LABELS[name], says, points)], start=0)
    return {"plot": plot}
