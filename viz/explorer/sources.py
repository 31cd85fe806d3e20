"""The lines of the user's code that made a step, for the page."""

from __future__ import annotations

import linecache
from typing import Any

from tinygrad_rnn.autodiff.sites import Place, place
from tinygrad_rnn.tracing.naming import Site
from tinygrad_rnn.tracing.recorder import Step
from viz.labels import visible

AROUND = 1  # lines of context, before and after
MOST = 12  # lines of an expression
WIDE = 200  # characters of a line


class Sources:
    """The places in the code that a page shows, each once, in `all`."""

    def __init__(self) -> None:
        self.all: list[dict[str, Any]] = []
        self._number: dict[Place, int | None] = {}

    def of(self, step: Step) -> int | None:
        """The number of the place that made a step; of a step of the backward pass, that of the forward step.

        None for what no code made, an argument of the run, and where the source cannot be read.
        """
        site = step.site if step.forward is None else step.forward.site
        if not isinstance(site, Site):
            return None
        user = site.in_user_code()
        at = place(user.code, user.instruction)
        if at not in self._number:
            lines = _lines(at)
            self._number[at] = len(self.all) if lines else None
            if lines:
                self.all.append({"place": visible(str(at), WIDE), "function": at.function, "lines": lines})
        return self._number[at]


def _lines(at: Place) -> list[list[Any]]:
    """Each line as its number, what stands before the expression, of the expression, and after it."""
    last = min(at.end_line, at.line + MOST)
    found = [(n, linecache.getline(at.file, n).rstrip("\n")) for n in range(at.line - AROUND, last + AROUND + 1)]
    written = [(n, text) for n, text in found if n > 0 and text.strip()]
    indent = min((len(text) - len(text.lstrip()) for _, text in written), default=0)
    lines: list[list[Any]] = []
    for number, text in written:
        encoded = text.encode()  # columns are counted in bytes
        start = at.column if number == at.line else indent if at.line < number <= last else len(encoded)
        end = at.end_column if number == at.end_line else len(encoded)
        parts = encoded[indent:start], encoded[start:end], encoded[max(start, end) :]
        lines.append([number, *(part.decode(errors="replace").expandtabs(4)[:WIDE] for part in parts)])
    return lines
