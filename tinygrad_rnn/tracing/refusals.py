"""Why a run has no circuit, in sentences for someone who has not read the code of the fold.

Each names the expression as it is written and the loop by its line, counts steps from 1, says the reason, and then what
would fold.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from .circuit import Component, FoldError, Point, expression, shown
from .naming import Loop, Site
from .recorder import Step


def runs_now_and_then(c: Component, lines: Mapping[Point, Sequence[int]], T: int) -> FoldError:
    """It happens at steps of a loop (from 0) that follow no rule; by the steps of the loops around it."""
    steps = max(lines.values(), key=len)
    others = [t for t in range(T) if t not in steps]
    if len({len(steps) for steps in lines.values()}) > 1:
        rounds = Counter[Point]()
        for outer, times in lines.items():
            rounds[outer[: max(1, len(_loops(c)) - 1)]] += len(times)
        reason = f"the number of rounds of {_loop(c)} is {_numbers(rounds)} of the loop around it"
        return _refused(c, reason, "It folds if that is one number at every step, or t at step t.")
    when = "at every step, at every k-th step, or from some step on"
    if c.visits[0].forward is not None and others:
        reason = f"no gradient reaches it at steps {_listed(others)} of {_loop(c)}"
        return _refused(c, reason, f"It folds if one does {when}.")
    reason = f"it runs only at steps {_listed(steps)} of {T} of {_loop(c)}"
    return _refused(c, reason, f"It folds if it runs {when}: compute it at every step, and choose what to use.")


def runs_again(c: Component) -> FoldError:
    """It happens several times at one point."""
    return _refused(c, f"it runs several times within one step of {_loop(c)}", "It folds in a loop of its own.")


def reads_other_things(c: Component, producers: Sequence[Step]) -> FoldError:
    """At different steps it reads values that have nothing to do with each other."""
    first, other = producers[0], next(step for step in producers if step is not producers[0])
    reason = f"in {_loop(c)} it reads {_value(first)} at first and {_value(other)} later, which are not one variable"
    return _refused(c, reason, "It folds if it reads element t of one list or array at step t.")


def reads_now_and_then(c: Component, source: Component, others: Sequence[Point]) -> FoldError:
    """Sometimes a source, and at other points something else, which is no other component of the loop."""
    *outer, _ = others[0]
    steps = [at[-1] for at in others if at[:-1] == others[0][:-1]]
    around = f", at step {outer[-1] + 1} of the loop around it" if outer else ""
    when = f"at steps {_listed(steps)}{around}, which follow no rule"
    mend = "It folds if these are the first or the last steps, or if what it reads then is computed at every step."
    return _refused(c, f"in {_loop(c)} it reads {shown(source)}, but not {when}", mend)


def takes_unevenly(c: Component) -> FoldError:
    """The number of its inputs varies in another way than with the steps so far."""
    inputs = {point: len(step.inputs) for point, step in zip(c.points, c.visits, strict=False)}
    mend = "It folds if they are all steps of one loop, or all so far."
    return _refused(c, f"in {_loop(c)} the number of its inputs is {_numbers(inputs)}", mend)


def does_not_unfold(c: Component) -> FoldError:
    reason = f"in {_loop(c)} the circuit that was found does not unfold into the run"
    return _refused(c, reason, "The unfolded graph can be drawn all the same.")


def in_a_tree(c: Component) -> FoldError | None:
    """It is in a function that calls itself; None if it is not."""
    itself = next((loop.calls_itself for loop in _loops(c) if loop.calls_itself is not None), None)
    return None if itself is None else calls_itself(itself)


def calls_itself(site: Site) -> FoldError:
    mend = "It folds if it calls itself once, as run(t) calls run(t - 1)."
    what = f"{text}: " if (text := expression(site)) else ""
    reason = "the function calls itself, and a tree has no time axis"
    return FoldError(f"no circuit: {what}{reason}. {mend}   {site}")


def has_no_index(c: Component, source: Component) -> FoldError:
    """It reads a step of its source that the program chose from data."""
    reason = f"which step of {shown(source)} it reads is chosen by the program, and an equation has no index for that"
    return _refused(c, reason, "The circuit and the unfolded graph can be drawn.", "equations")


def _refused(c: Component, reason: str, mend: str, what_not: str = "circuit") -> FoldError:
    step, tree = c.visits[0], in_a_tree(c)
    if tree is not None:
        return tree
    site = step.site.in_user_code() if step.site is not None else None
    where = f"   {site}" if site is not None else ""
    what = expression(site) or c.name or f"`{c.label}`"
    if step.forward is not None:
        what = f"the gradient through {what}"
    return FoldError(f"no {what_not}: {what}: {reason}. {mend}{where}")


def _loop(c: Component) -> str:
    """The innermost loop that a component is in, by its line; a function that is called again and again is one, too."""
    loops = _loops(c)
    if not loops:
        return "the loop"
    site = loops[-1].site
    what = "the loop" if site.instruction else f"the calls of {site.code.co_name.strip('<>')}"
    return f"{what} at line {site.line}"


def _loops(c: Component) -> list[Loop]:
    """The loops that a component is in, as they are in the code."""
    site = c.visits[0].site
    return [
        loop
        for k, loop in enumerate(site.loops if site is not None else ())
        if len({visit.iterations[k] for visit in c.visits if len(visit.iterations) > k}) > 1
    ]


def _value(step: Step) -> str:
    return step.name or step.label


def _numbers(of: Mapping[Point, int]) -> str:
    """A number at each of the first three steps: ``3 at step 1, 1 at step 2, 2 at step 3``."""
    return ", ".join(f"{number} at step {point[-1] + 1}" for point, number in list(of.items())[:3])


def _listed(steps: Sequence[int]) -> str:
    numbers = [str(t + 1) for t in dict.fromkeys(steps)]
    return ", ".join(numbers if len(numbers) < 8 else [*numbers[:6], "…", numbers[-1]])
