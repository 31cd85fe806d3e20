"""What stands in the place of a step of a loop is called as that step: h⁽⁰⁾, or h⁽¹⁾ if the first is computed in a way
of its own."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

from viz.diagrams.drawing_types import Link, Part, Variable
from viz.labels import at_step

Place = tuple[Variable, int]
"""A variable and a time: from 0, less before the first step."""


def named_as_steps(links: list[Link], lengths: Sequence[int], known: Sequence[tuple[Variable, Place]]) -> list[Link]:
    """The links, after what is called as the variable that it stands for, or not at all, got its step in the name. If
    it is a step that there is, the two are one variable.

    known  where variables stand that no link tells of
    """
    for v, (of, t) in _places(links, known):
        assert of.loop is not None
        T = lengths[of.loop]
        if v.component.name not in (None, of.component.name):
            continue
        if not 0 <= t < T:
            v.name = at_step(of.name, t + 1) if t < 0 else at_step(of.name, "T", t + 1 - T)
        elif not any(v in (link.source.of, link.target.of) for link in links):
            links = _as_one(v, of, t, links, T)
    return links


def _places(links: Iterable[Link], known: Iterable[tuple[Variable, Place]]) -> list[tuple[Variable, Place]]:
    """What happens once and stands in one place only: for which variable, and at what time."""
    found = defaultdict[Variable, list[tuple[Variable, Place]]](list)
    for v, place in known:
        found[v].append((v, place))
    for link in links:
        for t, start in link.instead.items():
            if start and start.variable.loop is None and link.source.loop is not None:
                found[start.variable].append((start.variable, (link.source, t - link.delay)))
    once = [places[0] for places in found.values() if len({place for _, place in places}) == 1]
    return sorted(once, key=lambda one: one[0].component.visits[0].index)  # each after what it is computed from


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
