"""What a recorded step computed, as text: ``tanh(b + h⁽¹⁾ @ Wᵀ + x⁽²⁾ @ Uᵀ)``; and its local derivatives."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn.autodiff.errors import GradientError
from tinygrad_rnn.tracing.recorder import Step
from viz.labels import visible

Names = Callable[[Step], str | None]
"""The name that stands for a step in a text; None: it is written out."""
Written = tuple[str, int]
"""A text, and how closely its outermost operation binds."""

BINDS = {"=": 0, "≠": 0, "<": 0, "≤": 0, ">": 0, "≥": 0, "+": 1, "−": 1, "⊙": 2, "/": 2, "mod": 2, "@": 3, "^": 4}
"""The operations that are written between their operands, and how closely they bind."""
CLOSED = 9  # how closely a name binds, or a function with its brackets
DEEPEST = 12  # how many unnamed steps may stand one inside the other
LONGEST = 120  # characters


def expression(step: Step, names: Names) -> str:
    """The formula of a step, in the names of what it was computed from. What is too deep is "…"."""
    return visible(_written(step, _closed(names), DEEPEST)[0], LONGEST)


def _closed(names: Names) -> Callable[[Step], Written | None]:
    def written(step: Step) -> Written | None:
        name = names(step)
        return None if name is None else (name, CLOSED)

    return written


def _text(step: Step, names: Callable[[Step], Written | None], depth: int) -> Written:
    return names(step) or _written(step, names, depth)


def _within(written: Written, binding: int) -> str:
    """A text as part of an operation that binds so closely, in parentheses if it has to be."""
    text, binds = written
    return text if binds >= binding else f"({text})"


def _written(step: Step, names: Callable[[Step], Written | None], depth: int) -> Written:
    """The formula of a step, whether it has a name or not."""
    if step.operation is None:
        return step.label, CLOSED
    if not depth:
        return "…", CLOSED
    glyph, operation = step.operation.glyph, step.operation.name

    def operand(i: int, binding: int = 0) -> str:
        return _within(_text(step.inputs[i], names, depth - 1), binding)

    if operation == "where" and np.all(step.inputs[0].value):  # a guard that did not have to step in
        return _text(step.inputs[1], names, depth)
    if operation in ("broadcast_to", "expand_dims", "squeeze"):
        return _text(step.inputs[0], names, depth)
    if operation == "multiply" and step.inputs[0] is step.inputs[1]:
        return f"{operand(0, 5)}²", 4
    if operation == "multiply" and _is_outer(*step.inputs):
        return f"{operand(0, 3)} {_transposed(operand(1, 5))}", 3
    if glyph in BINDS and len(step.inputs) == 2:
        binds = BINDS[glyph]
        left = operand(0, binds)
        return f"{left} {glyph} {operand(1, binds + (glyph not in ('+', '⊙')))}", binds
    if operation == "transpose":
        return _transposed(operand(0, 5)), 5
    if operation == "negative":
        return f"−{operand(0, 2)}", 1
    if operation == "getitem":
        return f"{operand(0, 5)}[{', '.join(map(_index, step.attributes['index']))}]", 5
    return f"{glyph}({', '.join(operand(i) for i in range(len(step.inputs)))})", CLOSED


def _is_outer(left: Step, right: Step) -> bool:
    """Whether a product of these, element by element, is a column times a row."""
    return len(left.shape) == 2 and left.shape[1] == 1 and len(right.shape) == 1


def _transposed(text: str) -> str:
    return text[:-1] if text.endswith("ᵀ") else f"{text}ᵀ"


def _index(part: Any) -> str:
    if isinstance(part, slice):
        return ":".join("" if end is None else str(end) for end in (part.start, part.stop))
    return "…" if part is Ellipsis or isinstance(part, np.ndarray) else str(part)


# -- local derivatives ---------------------------------------------------------------------------------------


def local_derivatives(step: Step, shown: Collection[Step], names: Names) -> dict[Step, str | None]:
    """∂step/∂source for every step of `shown` that it was computed from, with nothing of `shown` in between.

    In the column-vector form of the lecture: ∂h⁽ᵗ⁾/∂h⁽ᵗ⁻¹⁾ is diag(1 − h⁽ᵗ⁾²) W; "I" is the identity. None where
    the derivative is not a product of matrices that have a short name. Nothing here is typed by hand: the operations'
    rules are run and recorded, and what they do to the gradient that enters is read off.
    """
    terms: dict[Step, list[str | None]] = {step: [""]}
    found: dict[Step, str | None] = {}
    while terms:
        latest = max(terms, key=lambda s: s.index)
        outer = terms.pop(latest)
        if latest in shown and latest is not step:
            found[latest] = _sum(outer)
        elif latest.operation is not None:
            for x, factor in _factors(latest, names):
                terms.setdefault(x, []).extend(_product(t, factor, step.shape) for t in outer)
    return found


def _sum(terms: list[str | None]) -> str | None:
    written = [None if t is None else t + "I" * (t in ("", "−")) for t in terms]
    return None if None in written else " + ".join(filter(None, written)).replace("+ −", "− ")


def _product(left: str | None, right: str | None, shape: tuple[int, ...]) -> str | None:
    """Two derivatives one after the other: the sign and what is a number come first."""
    if left is None or right is None or len(left) + len(right) > LONGEST:
        return None
    if left and right and shape == ():  # the derivative of a number is written as a column, and could only stand last
        return None
    sign = "−" * (left.startswith("−") != right.startswith("−"))
    left, right = left.removeprefix("−"), right.removeprefix("−")
    if left and right.endswith(" I"):
        left, right = right, left
    return sign + " ".join(filter(None, (left.removesuffix(" I") if right else left, right)))


def _factors(step: Step, names: Names) -> list[tuple[Step, str | None]]:
    """The derivative of one operation with respect to each of its inputs."""
    assert step.operation is not None
    operation, attributes = step.operation, step.attributes
    inputs = [tg.Tensor(x.value, requires_grad=np.asarray(x.value).dtype.kind == "f") for x in step.inputs]
    run = tg.record(lambda: operation(*inputs, **attributes))
    try:
        both = run.backward(np.ones(step.shape))
    except GradientError:  # a constant: nothing can be derived
        return []
    made = run.outputs[0]
    entered = dict(zip(made.inputs, step.inputs, strict=True))
    original, start = entered | {made: step}, both.gradients[made]

    def local(inner: Step) -> Written | None:
        return _text(original[inner], _closed(names), DEEPEST) if inner in original else None

    return [(entered[x], _factor(g, start, local)) for x, g in both.gradients.items() if x in entered]


def _factor(gradient: Step, g: Step, names: Callable[[Step], Written | None]) -> str | None:
    """What a rule multiplies the gradient g with, as a matrix; "" for 1."""
    if gradient is g:
        return ""
    if gradient.operation is None:
        return None
    if g.shape == ():
        text, _ = _written(gradient, lambda s: ("1", CLOSED) if s is g else names(s), DEEPEST)
        return visible(text.removeprefix("1 ⊙ "), LONGEST)
    product = gradient.inputs[0] if gradient.operation.name == "squeeze" else gradient  # of a vector and a matrix
    operation = product.operation.name if product.operation else ""
    operands = [_unsqueezed(x) for x in product.inputs]
    if operation == "negative" and operands[0] is g:
        return "−"
    if operation == "multiply" and g in operands and gradient.shape == g.shape:
        other = operands[1] if operands[0] is g else operands[0]
        factor = _text(other, names, DEEPEST)
        return f"{_within(factor, CLOSED)} I" if other.shape == () else f"diag({factor[0]})"
    if operation == "matmul" and operands[0] is g:
        return _within(_text(operands[1], names, DEEPEST), 5)
    if operation == "matmul" and operands[1] is g and len(g.shape) == 1:
        return _transposed(_within(_text(operands[0], names, DEEPEST), 5))
    return None


def _unsqueezed(step: Step) -> Step:
    return step.inputs[0] if step.operation is not None and step.operation.name == "expand_dims" else step
