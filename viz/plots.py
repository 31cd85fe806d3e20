"""Plots of what was measured, as SVG text.  They need matplotlib, which is imported when the first one is drawn.

Letters are drawn as shapes, so that a plot looks the same where its font is missing; comments in the SVG say them.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from viz.diagram import THEMES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Points = Sequence[tuple[float, float]]

CURVES = {"light": "#1a5fb4", "dark": "#78aeed"}
SIZE = 5.4, 3.7  # inches
FRAME = 0.1, 0.125, 0.68, 0.855  # left, bottom, width and height of the axes, as shares of the picture
LETTERS = 10.0  # points, of which an inch has 72


def loss_curve(
    training: Points,
    validation: Points,
    lines: Mapping[str, float],
    *,
    name: str = "validation",
    unit: str = "nats",
    theme: str = "light",
) -> str:
    """The loss over the updates, on a logarithmic scale, among dashed lines that say what simpler models reach.

    training    (update, loss) in the order of the updates, drawn thin; may be empty
    validation  the same, drawn thick, its end labelled `name`; may be empty
    lines       the loss of each simpler model by its name

    Returns an SVG document; the same numbers give the same text. Raises ValueError for an unknown theme, and
    ModuleNotFoundError if matplotlib is missing.
    """
    if theme not in THEMES:
        raise ValueError(f"unknown theme {theme!r}; known: {', '.join(THEMES)}")
    try:
        import matplotlib
        from matplotlib.figure import Figure
    except ModuleNotFoundError:
        raise ModuleNotFoundError("plots need matplotlib: pip install 'tinygrad_rnn[gallery]'") from None
    ink, faint, curve = THEMES[theme]["ink"], THEMES[theme]["faint"], CURVES[theme]
    with matplotlib.rc_context():
        matplotlib.rcdefaults()  # whatever the reader's own settings are
        matplotlib.rcParams.update({"svg.fonttype": "path", "svg.hashsalt": "tinygrad_rnn", "text.parse_math": False})
        matplotlib.rcParams["font.size"] = LETTERS
        figure = Figure(SIZE, facecolor="none")
        axes = figure.add_axes(FRAME, facecolor="none")
        axes.plot(*_columns(training), color=faint, linewidth=1.1, label="training")
        axes.plot(*_columns(validation), color=curve, linewidth=2.2, label="validation")
        for loss in lines.values():
            axes.axhline(loss, color=faint, linewidth=0.9, linestyle=(0, (5, 4)), zorder=1)
        axes.set_yscale("log", base=2, subs=[1.5])
        axes.set_xlim(0, max([1, *(x for x, _ in [*training, *validation])]))
        for label, loss, y in _ends(axes, {**lines, name: validation[-1][1]} if validation else lines):
            colour = curve if label == name else ink
            axes.text(1.015, y, f"{label} {loss:.2f}", color=colour, va="center", transform=axes.get_yaxis_transform())
        _dress(axes, unit, max(lines.values(), default=axes.get_ylim()[1]), ink, faint)
        svg = io.StringIO()
        figure.savefig(svg, format="svg", metadata={"Date": None})
    return svg.getvalue()


def _columns(points: Points) -> tuple[list[float], list[float]]:
    return [x for x, _ in points], [y for _, y in points]


def _ends(axes: Axes, losses: Mapping[str, float]) -> Iterator[tuple[str, float, float]]:
    """Each loss with the height of its label: its own, or as far above as keeps it off the label below."""
    low, high = axes.get_ylim()
    line = (high / low) ** (1.35 * LETTERS / (72 * SIZE[1] * FRAME[3]))
    y = low / line
    for label, loss in sorted(losses.items(), key=lambda item: item[1]):
        y = max(loss, y * line)
        yield label, loss, y


def _dress(axes: Axes, unit: str, top: float, ink: str, faint: str) -> None:
    """Titles and colours of the axes, and the legend below the height `top`."""
    axes.set_xlabel("updates", color=ink)
    axes.set_ylabel(unit, color=ink)
    axes.tick_params(which="both", color=faint, labelcolor=ink)
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter("{x:g}")
    axes.spines[["left", "bottom"]].set_color(faint)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(
        loc="upper right",
        bbox_to_anchor=(1, top),
        bbox_transform=axes.get_yaxis_transform(),
        frameon=False,
        labelcolor=ink,
    )
