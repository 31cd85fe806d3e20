"""Plots of what was measured, as SVG text.  They need matplotlib, which is imported when the first one is drawn.

Letters are drawn as shapes, so that a plot looks the same where its font is missing; comments in the SVG say them.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from viz.diagrams.diagram import THEMES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Points = Sequence[tuple[float, float]]

# Of the themes that pages have, for a reader's light or dark screen.
CURVES = {"light": "#1a5fb4", "dark": "#78aeed"}
OTHERS = {"light": ["#b3261e", "#2b6a30", "#7a4fa3"], "dark": ["#f2a19a", "#9dcb9b", "#c9a9ea"]}
DASHES = ["solid", (0, (7, 1.5)), (0, (2, 1.2)), (0, (7, 1.5, 2, 1.5))]  # told apart without colours too
SIZE = 6.4, 3.7  # inches
FRAME = 0.105, 0.125, 0.6, 0.855  # left, bottom, width and height of the axes, as shares of the picture
LETTERS = 10.0  # points, of which an inch has 72
HEADROOM = 1.25  # how far above the highest line the axes reach, if a curve does


def loss_curves(
    curves: Mapping[str, Points],
    lines: Mapping[str, float],
    *,
    training: Points = (),
    unit: str = "nats",
    theme: str = "light",
) -> str:
    """Losses over the updates among dashed lines that say what can be reached without learning, or at best.

    curves    (update, loss) of each model, in the order of the updates, its last loss written at its end; may be empty
    lines     a loss by its name: "chance", "floor", or what a simpler model reaches
    training  (update, loss) on what one model is trained on, drawn thin
    unit      what the losses are in

    The scale is logarithmic, unless a line is at 0. What is far above all lines is cut off.

    Returns an SVG document; the same numbers give the same text. Raises ValueError for an unknown theme, and
    ModuleNotFoundError if matplotlib is missing.
    """
    if theme not in CURVES:
        raise ValueError(f"no plot has the theme {theme!r}; known: {', '.join(CURVES)}")
    try:
        import matplotlib
        from matplotlib.figure import Figure
    except ModuleNotFoundError:
        raise ModuleNotFoundError("plots need matplotlib: pip install 'tinygrad_rnn[gallery]'") from None
    ink, faint = THEMES[theme]["ink"], THEMES[theme]["faint"]
    colours = [CURVES[theme], *OTHERS[theme]]
    with matplotlib.rc_context():
        matplotlib.rcdefaults()  # whatever the reader's own settings are
        matplotlib.rcParams.update({"svg.fonttype": "path", "svg.hashsalt": "tinygrad_rnn", "text.parse_math": False})
        matplotlib.rcParams["font.size"] = LETTERS
        figure = Figure(SIZE, facecolor="none")
        axes = figure.add_axes(FRAME, facecolor="none")
        axes.plot(*_columns(training), color=faint, linewidth=1.1)
        looks = {}
        for i, (name, points) in enumerate(curves.items()):
            looks[name] = colours[i % len(colours)]
            axes.plot(*_columns(points), color=looks[name], linewidth=2.2, linestyle=DASHES[i % len(DASHES)])
        for loss in lines.values():
            axes.axhline(loss, color=faint, linewidth=0.9, linestyle=(0, (5, 4)), zorder=1)
        _scale(axes, lines)
        axes.set_xlim(0, max([1, *(x for points in (training, *curves.values()) for x, _ in points)]))
        ends = {name: points[-1][1] for name, points in curves.items() if points}
        for label, y in _ends(axes, {**lines, **ends}, _decimals(lines)):
            colour = looks.get(label.rpartition(" ")[0], ink)
            axes.text(1.015, y, label, color=colour, va="center", transform=axes.transAxes)
        _dress(axes, unit, ink, faint)
        svg = io.StringIO()
        figure.savefig(svg, format="svg", metadata={"Date": None})
    return svg.getvalue()


def _columns(points: Points) -> tuple[list[float], list[float]]:
    return [x for x, _ in points], [y for _, y in points]


def _scale(axes: Axes, lines: Mapping[str, float]) -> None:
    """Logarithmic, or from 0 up where a line is there."""
    top = HEADROOM * max(lines.values(), default=math.inf)
    if min(lines.values(), default=1) > 0:
        axes.set_yscale("log", base=2, subs=[1.5])
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter("{x:g}")
    else:
        axes.set_ylim(bottom=-0.03 * min(top, axes.get_ylim()[1]))
    axes.set_ylim(top=min(top, axes.get_ylim()[1]))


def _decimals(lines: Mapping[str, float]) -> int:
    """How many it takes to write the highest line in three digits that count, 2 at least."""
    top = max(lines.values(), default=1)
    return max(2, 2 - math.floor(math.log10(top))) if top > 0 else 2


def _ends(axes: Axes, losses: Mapping[str, float], decimals: int) -> Iterator[tuple[str, float]]:
    """A label for each loss with its height, as a share of the axes: its own, or as near as the others let it be."""
    line = 1.35 * LETTERS / (72 * SIZE[1] * FRAME[3])
    ranked = sorted(losses.items(), key=lambda item: item[1])
    own = [axes.transAxes.inverted().transform(axes.transData.transform((0, loss)))[1] for _, loss in ranked]
    heights: list[float] = []
    for y in own:  # off the label below, and then under the top
        heights.append(max(y, heights[-1] + line) if heights else y)
    limit = 1.0
    for i in reversed(range(len(heights))):
        heights[i] = min(heights[i], limit)
        limit = heights[i] - line
    for (name, loss), y in zip(ranked, heights, strict=True):
        yield f"{name} {loss:.{decimals}f}", y


def _dress(axes: Axes, unit: str, ink: str, faint: str) -> None:
    """Titles and colours of the axes."""
    axes.set_xlabel("updates", color=ink)
    axes.set_ylabel(unit, color=ink)
    axes.tick_params(which="both", color=faint, labelcolor=ink)
    axes.spines[["left", "bottom"]].set_color(faint)
    axes.spines[["top", "right"]].set_visible(False)
