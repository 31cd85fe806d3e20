"""What stands in the place of a step of a loop is called as that step: h⁽⁰⁾, or h⁽¹⁾ if the first is computed in a way
of its own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from viz.diagrams.drawing_types import Link, Part, Variable
from viz.labels import at_step


def named_as_steps(
    links: list[Link], lengths: Sequence[int], stand_ins: Iterable[tuple[Variable, Variable, int]]
) -> list[Link]:
    """The links, after each variable that stands in for a step of another got that step in its name.

    If it is a step that there is, the two are one variable.
    """
    for v, of, step in stand_ins:
        assert of.loop is not None
        T = lengths[of.loop]
        if not 1 <= step <= T:
            v.name = at_step(of.name, step) if step < 1 else at_step(of.name, "T", step - T)
        elif not any(v in (link.source.of, link.target.of) for link in links):
            links = _as_one(v, of, step - 1, links, T)
    return links


def _as_one(v: Variable, of: Variable, t: int, links: Iterable[Link], T: int) -> list[Link]:
    """The links where `v`, which happens once, is what `of` is at a time t."""
    usual = frozenset(s for s in range(T) if of.step(s) is not None)
    of.parts = (Part(v.component, frozenset({t}), 0),)
    found: dict[tuple, Link] = {}
    for link in links:
        instead = {s: start for s, start in link.instead.items() if start is None or start.variable is not v}
        if len(instead) < len(link.instead):
            link = replace(link, instead=instead, at_zero=True)
        if link.target is of and link.times is None:
            link = replace(link, times=usual)
        if link.source is v:
            link = replace(link, source=of, reach="last" if t else "first")
        elif link.target is v:
            link = _into_step(link, of, t, T)
        key = link.source, link.target, link.delay, link.reach, link.label
        known = found.get(key)
        if known is not None and known.times is not None and link.times is not None:
            link = replace(known, times=known.times | link.times)
        found[key] = link
    return list(found.values())


def _into_step(link: Link, of: Variable, t: int, T: int) -> Link:
    """A link into what is a step of a variable."""
    link = replace(link, target=of, times=frozenset({t}))
    if link.source.loop != of.loop or link.reach not in ("first", "last"):
        return link
    times = [s for s in range(T) if link.source.step(s) is not None]
    return replace(link, reach="step", delay=t - times[-1 if link.reach == "last" else 0])
