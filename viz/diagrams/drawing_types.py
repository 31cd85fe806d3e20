"""What is drawn of a circuit: variables, and the links between them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from tinygrad_rnn.tracing.circuit import Along, Component
from tinygrad_rnn.tracing.recorder import Step
from tinygrad_rnn.tracing.sequences import Piece


class Part(NamedTuple):
    """A component that is a variable at some `times`, None: at all at which no other is.

    A gradient happens `ahead` steps later than its variable, being made by the rule of an operation that does.
    """

    component: Component
    times: frozenset[int] | None = None
    ahead: int = 0

    def time(self, at: int, t: int) -> int:
        """When the variable is what the component is at a time, seen from a time t."""
        if self.component.axes or self.times is None:
            return at - self.ahead
        return t if t in self.times else min(self.times)


ELEMENT = Piece()
"""Element t at time t; also of what is no piece of an array."""


@dataclass(eq=False)
class Variable:
    """Something that is drawn: a named variable or, in detail, an operation.

    kind   input, target (an input that only a loss looks at), loss (a single number that comes out), variable,
           operation, gradient or failed
    loop   the time axis it has values along; None: it happens once
    piece  for what is read of an array: the elements that it is, as in x⁽ᵗ⁺¹⁾
    of     for a gradient: the variable that it is the gradient of
    parts  the components that it is: `component`, and one of its own for a step that is computed in another way
    """

    component: Component
    name: str
    kind: str
    loop: int | None
    piece: Piece = ELEMENT
    of: Variable | None = None
    parts: tuple[Part, ...] = ()

    def part(self, t: int) -> Part | None:
        """What it is at a time."""
        return next((part for part in self.parts if part.times is None or t in part.times), None)

    def step(self, t: int) -> Step | None:
        """What happened at a time; of what happens once, the one thing that did."""
        part = self.part(t)
        return part and part.component.visit(t + part.ahead)


class Reach(NamedTuple):
    """Which steps of its source a link reads at a step of its target.

    kind    "once": the source happens once; "step": the same step less a `delay`; "first", "last", "all"; "at": others
    delay   how many steps ago; less than 0: ahead
    letter  of the loop along which it is delayed, if there are loops within loops
    words   what else there is to say
    """

    kind: str = "once"
    delay: int = 0
    letter: str = ""
    words: str = ""


@dataclass(frozen=True, eq=False)
class Link:
    """`source` is used to compute `target`, through the parameters in `label`.

    reach     which steps of the source are read at a step of the target
    places    … at one time of the target: variables, and a time of each; initial values and switches included
    fixed     whether it passes through weights that are not trained
    starts    the variables that are read where the source has no such step, and which steps of these
    nameless  whether something without a name is, and whether that is plain zeros
    """

    source: Variable
    target: Variable
    label: str
    reach: Reach
    places: Callable[[int], list[tuple[Variable, int]]]
    fixed: bool = False
    starts: Mapping[Variable, Reach] = field(default_factory=dict)
    nameless: bool = False
    at_zero: bool = True

    @property
    def delay(self) -> int:
        return self.reach.delay

    @property
    def kind(self) -> str:
        return self.reach.kind


LETTERS = "tsrqpnmlkji"
"""Of a step of a loop, of one within it, of one within that."""


def reach(along: Sequence[Along], source: Component, target: Component, nested: bool) -> Reach:
    """What a wire says, between these components, in squares and in words; with letters if there are nested loops."""
    if not along:
        return Reach()
    loops = [[axis.loop for axis in c.axes] for c in (source, target)]
    found, words = Reach("step"), []
    for j, one in enumerate(along):
        k = one.follows
        if k == j and one.offset and not found.delay:
            found = Reach("step", -one.offset, LETTERS[j] * nested)
        elif k is None or one.offset or (k != j and loops[0][j] != loops[1][k]):
            words.append(_in_words(one, LETTERS[j], nested))
    if words:
        simple = len(along) == 1 and along[0] == Along(along[0].reach)
        found = found._replace(kind=along[0].reach if simple else "at", words=", ".join(words))
    return found


def _in_words(along: Along, letter: str, nested: bool) -> str:
    """Which steps of a loop with a letter are read at step t (s, r) of others."""
    match along:
        case Along(reach="first"):
            return f"{letter} = 1"
        case Along(reach="last"):
            return f"{letter} = {letter.upper()}"
        case Along(reach="all", ends=(before, after)):
            parts = [f"{letter} > {before}"] * bool(before) + [f"{letter} ≤ {letter.upper()} − {after}"] * bool(after)
            return "all " + (", ".join(parts) or letter)
        case Along(reach="so far"):
            return "all so far"
        case Along(reach="latest" | "chosen"):
            return along.reach
    terms = ["+" + letter.upper()] * along.from_end
    for stride, other in zip(along.strides, LETTERS, strict=False):
        if stride:
            terms.append(("−" if stride < 0 else "+") + ("" if abs(stride) == 1 else str(abs(stride))) + other)
    rest = along.offset + 1 - sum(along.strides)
    if rest or not terms:
        terms.append(f"{'−' if rest < 0 else '+'}{abs(rest)}")
    step = " ".join(terms).removeprefix("+").replace(" −", " − ").replace(" +", " + ")
    step = f"⌈({step})/{along.per}⌉" if along.per > 1 else step
    return f"step {step}" if not nested else step if any(along.strides) else f"{letter} = {step}"
