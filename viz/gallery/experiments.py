"""What the pages show beside the models: gradients and states over time, most of them moved by a slider."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

import tinygrad_rnn as tg
import viz
from tinygrad_rnn.nn.initialisers import orthogonal, reservoir
from viz.gallery.sections import Picture, Section, Work
from viz.gallery.sliders import Axis, Curve, Frame, Patch, Slider, number
from zoo import cliff, gradients
from zoo.catalogue import CATALOGUE

T, N = 50, 16  # steps and hidden units of what is measured
LAGS = Axis("steps back, τ", 0, T, [0, 10, 20, 30, 40, 50])
DECADES = Axis("norm of ∂h⁽ᵀ⁾/∂h⁽ᵀ⁻τ⁾", 1e-8, 1e6, [10.0**k for k in range(-8, 7, 2)], log=True)
FADING = Axis("norm of ∂h⁽ᵀ⁾/∂h⁽ᵀ⁻τ⁾", 1e-8, 10, [10.0**k for k in range(-8, 2, 2)], log=True)


def backward_circuit(work: Work) -> Section:
    """The backward pass of pattern I, folded."""
    model, arguments = CATALOGUE["pattern-1"].example()
    both = tg.record(model, *arguments).backward()

    def picture(name: str, caption: str, view: Callable[..., viz.Diagram]) -> tuple[str, Picture]:
        words = f"{caption}: {view(both).description}"
        return caption, work.picture(name, words, lambda theme: view(both, theme=theme))

    pictures = [
        picture("backward-circuit", "The circuit of both passes", viz.circuit),
        picture("backward-unfolded", "Both passes, unfolded in time", viz.unfolded),
    ]
    content = {"pictures": pictures}
    return Section("backward-circuit", "The backward pass is a circuit too", "pictures.html", content, pictures[0][1])


def fading(work: Work) -> Section:
    """A gradient that vanishes, in the diagram of a network whose only loss is at the end."""
    steps = 9
    model: Any
    model, (x, y) = CATALOGUE["pattern-2"].example()
    model.W.data = 0.35 * model.W.data
    graph = tg.record(model, np.resize(x, (steps, *x.shape[1:])), y)

    def draw(theme: str) -> viz.Diagram:
        return viz.unfolded(graph, gradients=True, steps=range(1, steps + 1), theme=theme)

    caption = (
        "Pattern II with a small W: the loss is at the end, and the stronger an arrow, the larger the gradient"
        " that comes back along it, on a scale of four powers of ten"
    )
    words = f"The unfolded graph, with arrows that fade towards the first step. {draw('light').description}"
    picture = work.picture("fading", words, draw)
    content = {"pictures": [(caption, picture)]}
    return Section("fading", "A gradient that vanishes", "pictures.html", content, picture)


def spectral_radius(work: Work) -> Section:
    """Gradient norm over lag for a linear and a tanh network, by the spectral radius of W."""
    rng = np.random.default_rng(work.seed)
    W, u = reservoir((N, N), 1.0, 1.0, rng=rng), 0.5 * rng.normal(size=(T, N))
    frames = []
    for ρ in np.arange(0.5, 1.325, 0.05):
        linear, tanh = (gradients.decay(ρ * W, u, f) for f in (gradients.LINEAR, gradients.TANH))
        both = f"linear {number(linear.norm[-1])}, tanh {number(tanh.norm[-1])}"
        says = f"{T} steps back: {both}; ρ to the power {T} is {number(ρ**T)}."
        frames.append(
            Frame(f"ρ = {ρ:.2f}", says, [_over_lags(linear.norm), _over_lags(tanh.norm), _over_lags(linear.limit)])
        )
    curves = [Curve("linear network", "main"), Curve("tanh network", "other"), Curve("ρ^τ", "dashed")]
    about = (
        f"A network of {N} hidden units, whose W is one random matrix scaled to the spectral radius ρ. The norm is the"
        " most by which a gradient can grow on its way back. The linear network goes up or down as ρ^τ does, after a"
        " start that eigenvalues say nothing of. The slope of tanh, 1 at 0 and below 1 elsewhere, shortens it."
    )
    slider = Slider("Spectral radius of W", LAGS, DECADES, curves, frames, start=10)
    return _moving("spectral-radius", "How far a gradient reaches", about, slider)


def leaking(work: Work) -> Section:
    """Gradient norm over lag for leaky units, by α."""
    rng = np.random.default_rng(work.seed)
    W, u = orthogonal((N, N), 0.5, rng=rng), 0.5 * rng.normal(size=(T, N))
    ordinary = gradients.norms(gradients.jacobians(gradients.plain(W, tg.tanh), np.zeros(N), u))
    frames = []
    for α in (1, 1.25, 1.5, 2, 3, 4, 6, 8, 12, 16, 24, 32, 50):

        def step(past: list[Any], u_t: Any, α: float = α) -> Any:
            return (1 - 1 / α) * past[-1] + 1 / α * tg.tanh(u_t + past[-1] @ W.T)

        norm = gradients.norms(gradients.jacobians(step, np.zeros(N), u))
        alone = (1 - 1 / α) ** np.arange(T + 1)
        says = f"{T} steps back: {number(norm[-1])}, of the ordinary network {number(ordinary[-1])}."
        frames.append(Frame(f"α = {α:g}", says, [_over_lags(norm), _over_lags(ordinary), _over_lags(alone)]))
    curves = [
        Curve("leaky units", "main"),
        Curve("the ordinary network, α = 1", "other"),
        Curve("(1 − 1/α)^τ", "dashed"),
    ]
    about = (
        f"{N} units with an orthogonal W whose singular values are all ½. What a unit keeps of itself, (1 − 1/α)^τ, is"
        " a way back on which no W lies; with α = 1 there is none."
    )
    slider = Slider("Time scale α", LAGS, FADING, curves, frames, start=5)
    return _moving("time-scale", "How far a gradient reaches", about, slider)


def skipping(work: Work) -> Section:
    """Gradient norm over lag with a skip connection, by its length."""
    rng = np.random.default_rng(work.seed)
    W, R = (orthogonal((N, N), 0.4, rng=rng) for _ in range(2))
    u = np.zeros((T, N))
    plain = gradients.norms(gradients.jacobians(gradients.plain(W, lambda a: a), np.zeros(N), u))
    frames = []
    for d in range(2, 13):
        norm = gradients.norms(gradients.jacobians(gradients.skipping(W, R, d, lambda a: a), np.zeros(N), u))
        says = f"{T} steps back: {number(norm[-1])}, without skip connections {number(plain[-1])}."
        limit = 0.4 ** (np.arange(T + 1) / d)
        frames.append(Frame(f"d = {d}", says, [_over_lags(norm), _over_lags(plain), _over_lags(limit)]))
    curves = [Curve("with skip connections", "main"), Curve("without", "other"), Curve("0.4^(τ/d)", "dashed")]
    about = (
        f"A linear network of {N} units; W and R are orthogonal matrices whose singular values are all 0.4. The steps"
        " in the curve are of length d: a gradient gets nearly all the way by R alone."
    )
    return _moving("distance", "How far a gradient reaches", about, Slider("Length d", LAGS, FADING, curves, frames, 3))


def echoes(work: Work) -> Section:
    """The distance of two runs of a reservoir with the same input, by its spectral radius."""
    rng = np.random.default_rng(work.seed)
    n, steps = 100, 100
    W, u = reservoir((n, n), 1.0, 0.1, rng=rng), 0.3 * rng.normal(size=(steps, n))
    start, other = rng.uniform(-1, 1, size=(2, n))
    frames = []
    for ρ in np.arange(0.5, 1.85, 0.1):
        distance = gradients.distances(gradients.plain(ρ * W, tg.tanh), start, other, u)
        says = f"After {steps} steps the two are {number(distance[-1])} apart."
        frames.append(Frame(f"ρ = {ρ:.1f}", says, [[(t, d) for t, d in enumerate(distance)]]))
    about = (
        f"Two runs of one reservoir of {n} units, with the same input, from different states. Where the curve"
        " falls, the network forgets where it started, and its state is an echo of the input. Where it stays up, it"
        " remembers."
    )
    time = Axis("step t", 0, steps, [0, 20, 40, 60, 80, 100])
    apart = Axis("distance of the two states", 1e-12, 100, [10.0**k for k in range(-12, 3, 2)], log=True)
    curves = [Curve("‖h⁽ᵗ⁾ − h′⁽ᵗ⁾‖", "main")]
    return _moving(
        "echoes", "Does it forget its start?", about, Slider("Spectral radius of W", time, apart, curves, frames, 4)
    )


def clipping(work: Work) -> Section:
    """Gradient descent on the cliff, by the threshold of clipping."""
    start, lr, steps = (4.6, -2.1), 0.1, 80
    w, b = Axis("w", 4.1, 4.9, [4.1, 4.3, 4.5, 4.7, 4.9]), Axis("b", -2.4, -1.8, [-2.4, -2.2, -2, -1.8])
    frames = []
    for v in (0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, np.inf):
        path = cliff.descent(start, lr, steps, cliff.norm_clipped(v))
        jump = np.linalg.norm(np.diff(path.parameters, axis=0), axis=1).max()
        says = (
            f"The longest gradient on the way had norm {number(path.norm.max())}, the longest step was {number(jump)}."
            f" After {steps} updates L = {number(path.L[-1])}."
        )
        name = "v = ∞: not clipped" if np.isinf(v) else f"v = {v:g}"
        frames.append(Frame(name, says, [[(x, y) for x, y in path.parameters]]))
    about = (
        "The state goes 50 times through σ(w h + b) and should end at 0.7. Each place of the plot is a pair of weights,"
        " and the stronger its shade, the larger the loss: smooth above, and below a wall. The line is gradient"
        " descent; it begins at the dot. Not clipped, it leaves the picture when it has met the wall, for a place where"
        " the loss is flat and there is no way back."
    )
    slider = Slider("Threshold v", w, b, [Curve("the way of the weights", "path")], frames, 2, _ground(w, b))
    return _moving("cliff", "The cliff", about, slider)


def _ground(w: Axis, b: Axis) -> list[Patch]:
    """The loss on the cliff as patches, darker where it is larger."""
    columns, rows, shades = 80, 50, 10
    width, height = (w.high - w.low) / columns, (b.high - b.low) / rows
    L = cliff.surface(w.low + (np.arange(columns) + 0.5) * width, b.low + (np.arange(rows) + 0.5) * height)
    shade = np.round(shades * np.sqrt(L / L.max())).astype(int)
    patches = []
    for i, row in enumerate(shade):
        ends = [0, *np.flatnonzero(np.diff(row)) + 1, columns]
        for first, last in pairwise(ends):
            patches.append(
                Patch(w.low + first * width, b.low + i * height, (last - first) * width, height, row[first] / shades)
            )
    return patches


def _over_lags(norms: np.ndarray) -> Sequence[tuple[float, float]]:
    return list(enumerate(norms))


def _moving(id: str, heading: str, about: str, slider: Slider) -> Section:
    return Section(id, heading, "slider.html", {"about": about, "slider": slider})
