"""Why a run has no circuit, in sentences for someone who has not read the code of the fold.

Each names the expression as it is written and the loop by its line, counts steps from 1, says the reason, and then what
would fold.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from .circuit import Component, FoldError, Point
from .naming import Loop, Site
from .recorder import Step

LONGEST = 48
"""An expression is cut after so many letters."""


def runs_now_and_then(c: Component, lines: Mapping[Point, Sequence[int]], T: int) -> FoldError:
    """It happens at steps of a loop (from 0) that follow no rule; by the steps of the loops around it."""
    counts = {len(steps) for steps in lines.values()}
    steps = max(lines.values(), key=len)
    others = [t for t in range(T) if t not in steps]
    if len(counts) > 1:
        some = [f"{len(steps)} at step {outer[-1] + 1}" for outer, steps in list(lines.items())[:3]]
        reason = f"{_loop(c)} runs a number of times without a rule: {', '.join(some)} of the loop around it"
        return _refused(c, reason, "It folds if it runs equally often at every step, or t times at step t.")
    if c.visits[0].forward is not None and others:
        reason = f"no gradient reaches it at steps {_listed(others)} of {_loop(c)}"
    else:
        reason = f"it runs only at steps {_listed(steps)} of {T} of {_loop(c)}"
    return _refused(c, reason, "What folds happens at every step, at every k-th step, or from some step on.")


def runs_again(c: Component) -> FoldError:
    """It happens several times at one point."""
    return _refused(
        c, f"it runs several times within one step of {_loop(c)}", "A loop of its own would tell these apart."
    )


def reads_other_things(c: Component, producers: Sequence[Step]) -> FoldError:
    """At different steps it reads values that have nothing to do with each other."""
    first, other = producers[0], next(step for step in producers if step is not producers[0])
    reason = f"it reads {_value(first)} at first and {_value(other)} later, which are no steps of one thing"
    return _refused(c, reason, "Keep them in one list or array, and read its element t at step t.")


def reads_unevenly(c: Component, source: Component, pairs: Iterable[tuple[Point, Point]]) -> FoldError:
    """The distance between reading and read step varies."""
    seen: dict[int, int] = {}
    for at, q in pairs:
        if at and q:
            seen.setdefault(at[0] - q[0], at[0])
    distances = [f"{_ago(d)} at step {t + 1}" for d, t in list(seen.items())[:3]]
    reason = f"it reads {_name(source)} {', '.join(distances)}" if distances else f"it reads {_name(source)} unevenly"
    return _refused(c, reason, "A circuit needs one distance for all steps, or every k-th step.")


def reads_now_and_then(c: Component, source: Component, others: Sequence[int]) -> FoldError:
    """Sometimes a source, sometimes something else, which is no other component of the loop."""
    reason = f"it reads {_name(source)}, but not at steps {_listed(others)}, without a rule for when"
    return _refused(c, reason, "It folds if the others are the first or the last steps.")


def takes_unevenly(c: Component) -> FoldError:
    """The number of its inputs varies in another way than with the steps so far."""
    mend = "It folds if they are all steps of one loop, or all so far."
    return _refused(c, "it takes more inputs at some steps than at others", mend)


def does_not_unfold(c: Component) -> FoldError:
    return _refused(c, "the circuit does not unfold into the run here", "The unfolded graph can be drawn all the same.")


def calls_itself(site: Site) -> FoldError:
    mend = "A function folds if it calls itself once, as run(t) calls run(t - 1)."
    return FoldError(f"{site} calls itself: a tree has no time axis. {mend}")


def has_no_equations(c: Component) -> FoldError:
    """It is in a loop within a loop that cannot be written out round by round."""
    reason = f"it runs in {_loop(c)} within another one, and an equation has one index of time"
    return _refused(c, reason, "An inner loop of a few rounds, the same at every step, is written out.", "equations")


def _refused(c: Component, reason: str, mend: str, what_not: str = "circuit") -> FoldError:
    step = c.visits[0]
    itself = next((loop.calls_itself for loop in _loops(c) if loop.calls_itself is not None), None)
    if itself is not None:
        return calls_itself(itself)
    site = step.site.in_user_code() if step.site is not None else None
    where = f"   {site}" if site is not None else ""
    what = f"`{text}`" if site is not None and (text := _text(site)) else _name(c)
    if step.forward is not None:
        what = f"the gradient through {what}"
    return FoldError(f"no {what_not}: {what}: {reason}. {mend}{where}")


def _text(site: Site) -> str:
    text = site.text()
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _loop(c: Component) -> str:
    """The innermost loop that a component is in, by its line."""
    loops = _loops(c)
    return f"the loop at line {loops[-1].site.line}" if loops else "the loop"


def _loops(c: Component) -> list[Loop]:
    """The loops that a component is in, as they are in the code."""
    site = c.visits[0].site
    return [
        loop
        for k, loop in enumerate(site.loops if site is not None else ())
        if len({visit.iterations[k] for visit in c.visits if len(visit.iterations) > k}) > 1
    ]


def _name(c: Component) -> str:
    return c.name or f"`{c.label}`"


def _value(step: Step) -> str:
    return step.name or step.label


def _ago(distance: int) -> str:
    if not distance:
        return "of the same step"
    steps = f"{abs(distance)} step{'s' * (abs(distance) > 1)}"
    return f"{steps} back" if distance > 0 else f"{steps} ahead"


def _listed(steps: Sequence[int]) -> str:
    shown = [str(t + 1) for t in dict.fromkeys(steps)]
    return ", ".join(shown if len(shown) < 8 else [*shown[:6], "…", shown[-1]])
