"""Equations of a recorded run: the circuit as recurrences, and its backward pass as backpropagation through time.

print(viz.equations(graph))                    # h⁽ᵗ⁾ = tanh(b + W h⁽ᵗ⁻¹⁾ + U x⁽ᵗ⁾), …
print(viz.equations(graph, of="backward"))     # ∂L/∂h⁽ᵗ⁾ = Wᵀ diag(1 − (h⁽ᵗ⁺¹⁾)²) ∂L/∂h⁽ᵗ⁺¹⁾ + Vᵀ ∂L/∂o⁽ᵗ⁾, …

They are read off the circuit: the names are the code's, the rest is what ran. How the second line comes about:

1. `tracing.reading` says what is a variable, h, o, L and the parameters, and which axis counts the examples: what
   follows is for one of them. `terms` are what the lines are made of.
2. `short_run` unfolds the circuit to a few steps. `backward` asks the record which step is the whole gradient of h⁽ᵗ⁾,
   and takes it apart into what was added up: what came from h⁽ᵗ⁺¹⁾ and what came from o⁽ᵗ⁾.
3. `contributions` says for any step what was found at each: a part of step t + 1, a sum over all s. At t = T there is
   but one of the two parts, so that step has a line of its own.
4. `reading` follows each part back over the wires of the circuit, until it comes to something with a name: the first
   is ``(∂L/∂h * (1 - h * h)) @ W``, one step later. What leads back to itself without a name is given one. A variable
   in a loop within a loop has a step of each: a⁽ᵗʼˢ⁾.
5. `operations` says what each operation means for one example (`applications`: the operation with its inputs;
   `contractions`: those that sum): a row times W is Wᵀ times a column.
6. `algebra` writes it as one would: g ⊙ f is diag(f) g, h ⊙ h is h². The lines are terms now, with numbers for values.
7. `printing` decides where parentheses go and how a term is written, `latex` how in LaTeX.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from typing import Literal

import numpy as np

from tinygrad_rnn.tracing import refusals
from tinygrad_rnn.tracing.elements import affine
from tinygrad_rnn.tracing.record import Graph
from viz.equations.algebra import constant, is_batch_mean, is_over_batch, of_one_example, without_batch_size
from viz.equations.backward import BackwardReading
from viz.equations.latex import Latex
from viz.equations.printing import Notation
from viz.equations.reading import Options, Reading
from viz.equations.short_run import MANY, frame_of
from viz.equations.terms import BatchSum, Constant, Symbol, Time, TimeSum, symbols, walk

FEW = 5
"""Of a constant that differs from step to step, so many numbers are told."""
_NOTATIONS: dict[str, type[Notation]] = {"unicode": Notation, "latex": Latex}


class Equations(str):
    """Text, one equation a line. A notebook sets it as formulas, a prompt shows it line by line."""

    reading: Reading

    @cached_property
    def latex(self) -> str:
        return _text(self.reading, Latex)

    def __getstate__(self) -> dict[str, str]:
        return {"latex": self.latex}

    def _repr_latex_(self) -> str:
        rows = "".join(rf"& {line} \\" for line in self.latex.splitlines())
        return rf"$$\begin{{aligned}}{rows}\end{{aligned}}$$"

    def __repr__(self) -> str:
        return str(self)


def equations(
    graph: Graph, of: Literal["forward", "backward"] = "forward", format: Literal["unicode", "latex"] = "unicode"
) -> Equations:
    """The equations of a recorded run, one a line, in the lecture's column-vector form: ``h @ W.T`` is W h.

    of      "forward": the definition of each variable; "backward": the gradient of each, from the loss back to the
            parameters (lecture, "RNN Back Propagation Through Time", and Goodfellow et al. 2016, 10.18 to 10.28)
    format  "unicode", to be read as it is, or "latex"

    Of a batch, the equations are those of each example; a last line says what is summed or averaged over them.
    Raises FoldError if the run has no circuit, for the backward pass GradientError if there is no loss to start from,
    ValueError for another `of` or `format`.
    """
    if of not in ("forward", "backward") or format not in _NOTATIONS:
        raise ValueError(
            f"equations: of is 'forward' or 'backward', format 'unicode' or 'latex', not {of!r}, {format!r}"
        )
    reading = read(graph, of)
    text = Equations(_text(reading, _NOTATIONS[format]))
    text.reading = reading
    return text


def _text(reading: Reading, kind: type[Notation]) -> str:
    lengths, letters, indices = reading.run.lengths, _letters(reading), _indices(reading)
    lines: list[str] = []
    means: list[str] = []
    sums: list[str] = []
    for equation in reading.equations:
        left, right = equation.left, equation.right
        notation = kind(lengths, letters, indices, left)
        if is_over_batch(right):
            mean = is_batch_mean(right) and not left.variable.loss
            if replace(left.variable, loss="") not in reading.parameters:
                (means if mean else sums).append(notation.text(left))
            right = of_one_example(without_batch_size(right) if mean else right)
        when = notation.conditions(equation.when, equation.unless)
        lines.append(notation.equation(notation.text(left), notation.text(right), when))
    notation = kind(lengths, letters, indices)
    constants = _constants(reading, lambda left: kind(lengths, letters, indices, left))
    return "\n".join(lines + constants + _notes(notation, reading, means, sums))


def _constants(reading: Reading, notation_of: Callable[[Symbol], Notation]) -> list[str]:
    """What the constants are that the code gives no name: their numbers, where they are few."""
    found = (s.variable for e in reading.equations for s in symbols(e.right))
    used = dict.fromkeys(variable for variable in found if variable in reading.constants)
    lines = []
    for variable in used:
        c = reading.constants[variable]
        left = reading.symbol(c, variable)
        notation = notation_of(left)
        visits = zip(c.points, c.visits, strict=True) if np.size(c.visits[0].value) == 1 else ()
        numbers: Options = [(constant(np.ravel(step.value)[0]), [point]) for point, step in visits]
        if (rule := _rule(numbers, notation)) is not None:
            lines.append(notation.equation(notation.text(left), rule, ""))
        elif 0 < len({term for term, _ in numbers}) <= FEW and len(c.visits) <= MANY:
            lines.append(notation.equation(notation.text(left), notation.text(reading.cases(numbers, frame_of(c))), ""))
        else:
            words = " is given by the code" + ", for each step" * bool(variable.loops)
            lines.append(notation.note(notation.text(left), words))
    return lines


def _rule(numbers: Options, notation: Notation) -> str | None:
    """Numbers that count the steps, or one divided by them as in a mean of all until now; None for any others."""
    values = [term.value for term, _ in numbers if isinstance(term, Constant)]
    for inverse in (False, True):
        counts = [1 / value if inverse and value else value for value in values]
        whole = [round(count) for count in counts if abs(count - round(count)) < 1e-9]
        if len(whole) < len(numbers) or len({*whole}) < 3:
            continue
        if (fit := affine([point for _, (point,) in numbers], whole)) is not None:
            text = notation.step(Time(tuple(enumerate(fit[0])), fit[1] - 1))
            return f"1/{text if text.isalnum() else notation.fence(text)}" if inverse else text
    return None


def _notes(notation: Notation, reading: Reading, means: list[str], sums: list[str]) -> list[str]:
    """How the equations of one example belong to those of a batch."""
    batch = f"the examples of the batch, {notation.letters[None]} = {reading.examples.size}"
    lines = [
        notation.note(name, f" is the {what} over {batch}")
        for names, what in ((means, "mean"), (sums, "sum"))
        for name in names
    ]
    parameters = [e for e in reading.equations if replace(e.left.variable, loss="") in reading.parameters]
    if parameters and any(is_over_batch(e.right) for e in parameters):
        lines.append(notation.note("", f"gradients of parameters are sums over {batch}"))
    bodies = [of_one_example(e.right) if is_over_batch(e.right) else e.right for e in reading.equations]
    if any(isinstance(part, BatchSum) for body in bodies for part in walk(body)):
        lines.append(notation.note("i", f" counts {batch}"))
    return lines


def read(graph: Graph, of: str) -> Reading:
    """The equations of one pass as terms."""
    if of == "backward" and not graph.gradients:
        graph = graph.backward()
    for c in graph.fold().components:
        for wire in (one for end in c.wires for one in end.within()):
            if wire.is_chosen:
                raise refusals.has_no_index(c, wire.source)
    return Reading(graph) if of == "forward" else BackwardReading(graph)


def _letters(reading: Reading) -> dict[int | None, str]:
    """For the length of each loop a letter that is no variable's name: T, or n, m, … where there are several. And one
    for the number of examples, by None: B, where that is free."""
    parts = [part for e in reading.equations for term in (e.left, e.right) for part in walk(term)]
    variables = {part.variable for part in parts if isinstance(part, Symbol)}
    sums = {part.steps.loop for part in parts if isinstance(part, TimeSum)}
    loops = sorted({loop for v in variables for loop in v.loops} | sums)
    names = {v.name for v in variables}
    batch = next(letter for letter in ("B", "N", "M", "number of examples") if letter not in names)
    free = [letter for letter in ("T" if len(loops) == 1 else "nmkplr") if letter not in names]
    return {None: batch} | dict(zip(loops, free + [f"T{i + 1}" for i in loops], strict=False))


def _indices(reading: Reading) -> dict[int, str]:
    """For each loop the letter of its steps: t, or s for a loop within one, …"""
    depth: dict[int, int] = {}
    for c in reading.circuit.components:
        for k, loop in enumerate(frame_of(c)) if c.visits[0].forward is None else ():
            if loop not in frame_of(c)[:k]:
                depth[loop] = max(k, depth.get(loop, 0))
    return {loop: "tsrqpijkl"[min(k, 8)] for loop, k in depth.items()}
