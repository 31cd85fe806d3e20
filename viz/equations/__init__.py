"""Equations of a recorded run: the circuit as recurrences, and its backward pass as backpropagation through time.

print(viz.equations(graph))                    # h⁽ᵗ⁾ = tanh(b + W h⁽ᵗ⁻¹⁾ + U x⁽ᵗ⁾), …
print(viz.equations(graph, of="backward"))     # ∂L/∂h⁽ᵗ⁾ = Wᵀ diag(1 − (h⁽ᵗ⁺¹⁾)²) ∂L/∂h⁽ᵗ⁺¹⁾ + Vᵀ ∂L/∂o⁽ᵗ⁾, …

They are read off the circuit: the names are the code's, the rest is what ran. How the second line comes about:

1. `tracing.reading` says what is a variable, h, o, L and the parameters, and which axis counts the examples: what
   follows is for one of them. `terms` are what the lines are made of.
2. `backward` asks the record which step is the whole gradient of h⁽ᵗ⁾, and takes it apart into what was added up: what
   came from h⁽ᵗ⁺¹⁾ and what came from o⁽ᵗ⁾. At t = T there is but one of them, so that step has a line of its own.
3. `reading` follows each of these back over the wires of the circuit, until it comes to something with a name: the
   first is ``(∂L/∂h * (1 - h * h)) @ W``, one step later. What leads back to itself without a name is given one.
4. `operations` says what each operation means for one example (`applications`: the operation with its inputs;
   `contractions`: those that sum): a row times W is Wᵀ times a column.
5. `algebra` writes it as one would: g ⊙ f is diag(f) g, h ⊙ h is h². The lines are terms now, with numbers for values.
6. `printing` decides where parentheses go and how a term is written, `latex` how in LaTeX.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import Literal

import numpy as np

from tinygrad_rnn.tracing.record import Graph
from viz.equations.algebra import constant, is_batch_mean, is_over_batch, of_one_example, without_batch_size
from viz.equations.backward import BackwardReading
from viz.equations.latex import Latex
from viz.equations.printing import Notation
from viz.equations.reading import Reading
from viz.equations.terms import BatchSum, Symbol, Time, TimeSum, cases, symbols, walk

FEW, MANY = 5, 100
"""Of a constant that differs between at most MANY steps, so many numbers are told."""
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
    letters = _letters(reading)
    lines: list[str] = []
    means: list[str] = []
    sums: list[str] = []
    for equation in reading.equations:
        left, right, loop = equation.left, equation.right, equation.left.variable.loop
        timed = left.time == Time("t")
        notation = kind(reading.lengths, letters, timed)
        if is_over_batch(right):
            mean = is_batch_mean(right) and not left.variable.loss
            if replace(left.variable, loss="") not in reading.parameters:
                (means if mean else sums).append(notation.text(left))
            right = of_one_example(without_batch_size(right) if mean else right)
        when = notation.condition("t", loop, equation.times) if timed and loop is not None else ""
        lines.append(notation.equation(notation.text(left), notation.text(right), when))
    notation = kind(reading.lengths, letters, timed=False)
    return "\n".join(lines + _constants(notation, reading) + _notes(notation, reading, means, sums))


def _constants(notation: Notation, reading: Reading) -> list[str]:
    """What the constants are that the code gives no name: their numbers, where they are few."""
    used = {s.variable: s for e in reading.equations for s in symbols(e.right) if s.variable in reading.constants}
    lines = []
    for variable, symbol in used.items():
        c = reading.constants[variable]
        name = notation.text(symbol if variable.loop is None else replace(symbol, time=Time("t")))
        numbers = []
        if len(c.visits) <= MANY and np.size(c.visits[0].value) == 1:
            numbers = [(constant(np.ravel(step.value)[0]), range(t, t + 1)) for t, step in reading.timed(c)]
        if 0 < len(dict(numbers)) <= FEW:
            value = cases(numbers, variable.loop or 0)
            lines.append(notation.equation(name, notation.text(value), ""))
        else:
            lines.append(notation.note(name, " is given by the code" + ", for each step" * (variable.loop is not None)))
    return lines


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
    if of == "forward":
        return Reading(graph)
    return BackwardReading(graph if graph.gradients else graph.backward())


def _letters(reading: Reading) -> dict[int | None, str]:
    """For the length of each loop a letter that is no variable's name: T, or n, m, … where there are several. And one
    for the number of examples, by None: B, where that is free."""
    parts = [part for e in reading.equations for term in (e.left, e.right) for part in walk(term)]
    variables = {part.variable for part in parts if isinstance(part, Symbol)}
    sums = {part.loop for part in parts if isinstance(part, TimeSum)}
    loops = sorted({v.loop for v in variables if v.loop is not None} | sums)
    names = {v.name for v in variables}
    batch = next(letter for letter in ("B", "N", "M", "number of examples") if letter not in names)
    free = [letter for letter in ("T" if len(loops) == 1 else "nmkplr") if letter not in names]
    return {None: batch} | dict(zip(loops, free + [f"T{i + 1}" for i in loops], strict=False))
