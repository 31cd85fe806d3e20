"""Equations checked: both sides of each in numbers, for every example and step of a recorded run; LaTeX as MathML."""

import itertools
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

import tinygrad_rnn as tg
import viz
from tinygrad_rnn.autodiff.operation import OPERATIONS
from viz.equations import read
from viz.equations import terms as of


class Evaluation:
    """Terms as numbers, for one example and one step of each loop, from the values of the recorded run.

    The steps are given by the letters of the equation, and of the sums in it, that stand for them.
    """

    def __init__(self, reading):
        self.reading = reading
        self.lengths = reading.run.recorded
        self.B = reading.examples.size
        self.component = {step: c for c in reading.circuit.components for step in c.visits}

    def __call__(self, term, letters, example):
        """The value of a term: columns are (n, 1), numbers ()."""

        def value(part):
            return self(part, letters, example)

        match term:
            case of.Constant():
                return np.full(term.shape, term.value)
            case of.BatchSize():
                return np.float64(self.B)
            case of.Symbol():
                return self.recorded(term, letters, example)
            case of.Add():
                return sum(map(value, term.parts))
            case of.Negative():
                return -value(term.parts[0])
            case of.Product():
                result = value(term.parts[0])
                for part in term.parts[1:]:
                    factor = value(part)
                    result = result @ factor if np.ndim(result) and np.ndim(factor) else result * factor
                return shaped(result, term.shape)
            case of.Hadamard():
                return np.prod([value(p) for p in term.parts], axis=0)
            case of.Quotient():
                return value(term.parts[0]) / value(term.parts[1])
            case of.Power():
                return value(term.parts[0]) ** term.exponent
            case of.Transpose():
                return value(term.parts[0]).T
            case of.Diagonal():
                return np.diag(value(term.parts[0])[:, 0])
            case of.OneHot():
                labels = np.reshape(value(term.parts[0]), -1).astype(int)
                return np.eye(term.shape[0])[:, labels] if len(labels) == 1 else np.eye(term.shape[1])[labels]
            case of.Every():
                steps = self.each(term, letters, example)
                return np.stack(steps) if len(term.shape) > 2 else np.stack([np.ravel(step) for step in steps], 1)
            case of.TimeSum():
                return sum(self.each(term, letters, example))
            case of.BatchSum():
                return sum(self(term.parts[0], letters, i) for i in range(self.B))
            case of.Cases():
                return value(
                    next(p for p, when in zip(term.parts, term.when, strict=True) if self.holds(when, letters))
                )
            case of.Call():
                return self.called(term, letters, example)
        raise TypeError(term)

    def each(self, term, letters, example):
        """What is bound by a letter, at each of its steps."""
        first, last = (time.number(letters, self.lengths) for time in (term.steps.first, term.steps.last))
        steps = range(first, last + (1 if term.steps.by > 0 else -1), term.steps.by)
        assert 0 < len(steps) <= term.steps.most
        return [self(term.parts[0], letters | {term.letter: t}, example) for t in steps]

    def holds(self, conditions, letters):
        """Whether the times of conditions are among their steps."""
        return all(
            self.reading.run.shortened(one.loop, one.time.number(letters, self.lengths)) in one.steps
            for one in conditions
        )

    def called(self, term, letters, example):
        """An operation on one example or, where it has to be, on all of them, of which the result is one's."""
        attributes = dict(term.attributes)
        if "index" in attributes:
            attributes["index"] = tuple(self.placed(part, letters) for part in attributes["index"])
        *axes, axis = term.batches or (None,) * (len(term.parts) + 1)
        inputs = []
        for part, shape, counts in zip(term.parts, term.shapes, axes, strict=True):
            examples = [example] if counts is None else range(self.B)
            if isinstance(part, of.Every) and shape != part.shape:  # several inputs
                found = zip(*(self.each(part, letters, i) for i in examples), strict=True)
            else:
                found = [[self(part, letters, i) for i in examples]]
            for values in found:
                if counts is None:
                    inputs.append(shaped(values[0], shape))
                else:
                    each = (*shape[:counts], *shape[counts + 1 :])
                    inputs.append(np.stack([value.reshape(each) for value in values], counts))
        result = OPERATIONS[term.operation].forward(*inputs, **attributes)
        return shaped(result if axis is None else np.take(result, example, axis), term.shape)

    def placed(self, part, letters):
        """A part of an index at one step."""
        if isinstance(part, slice):
            return slice(*(self.placed(end, letters) for end in (part.start, part.stop, part.step)))
        return part.number(letters, self.lengths) if isinstance(part, of.Time) else part

    def recorded(self, symbol, letters, example):
        variable = symbol.variable
        at = tuple(time.number(letters, self.lengths) for time in symbol.times)
        if (variable, at) in self.reading.recorded:
            step = self.reading.recorded[variable, at]
            axis = self.reading.examples.axis(self.component[step])
            value = np.asarray(step.value) if axis is None else np.take(step.value, example, axis)
            if np.ndim(value) == 0:
                return np.broadcast_to(value, symbol.shape)  # h⁽⁰⁾ = 0, which is a column
            return shaped(value, symbol.shape)
        return self(self.reading.definitions[variable], dict(enumerate(at)), example)

    def points(self, equation):
        """The letters of an equation, for all steps for which it holds."""
        loops = {
            key: loop
            for loop, time in zip(equation.left.variable.loops, equation.left.times, strict=True)
            for key, _ in time.letters
        }
        for numbers in itertools.product(*(range(self.lengths[loop]) for loop in loops.values())):
            letters = dict(zip(loops, numbers, strict=True))
            if self.holds(equation.when, letters) != equation.unless:
                yield letters


def shaped(value, shape):
    """An array in the shape that it has in the equations; where it grows from step to step, that is the largest."""
    if np.size(value) == np.prod(shape):
        return np.reshape(value, shape)
    return np.reshape(value, (1, -1) if shape[0] == 1 else (-1, *shape[1:]))


def compared(reading, tolerance):
    """Evaluate both sides of every equation, at every step and for every example; return how many comparisons.

    Each variable must have one equation at each of its steps.
    """
    evaluate = Evaluation(reading)
    number = 0
    said = set()
    for e in reading.equations:
        for letters in evaluate.points(e):
            at = e.left.variable, tuple(time.number(letters, evaluate.lengths) for time in e.left.times)
            assert at not in said, f"two equations for {at}"
            said.add(at)
            for example in range(reading.examples.size or 1):
                left, right = evaluate(e.left, letters, example), evaluate(e.right, letters, example)
                np.testing.assert_allclose(
                    np.broadcast_to(right, left.shape),
                    left,
                    rtol=tolerance,
                    atol=tolerance,
                    err_msg=f"{e.left} at {letters}",
                )
                number += 1
    first = {(variable, step): at for (variable, at), step in reversed(reading.recorded.items())}
    starts = {(v.name, reading.run.expanded(v.loops, at)) for v, at in reading._starts}
    defined = {variable for variable, _ in said}
    for (variable, _), at in first.items():
        if variable in defined - reading._elements.keys() and (variable.name, at) not in starts:
            assert (variable, at) in said, f"no equation for {variable} at {at}"
    return number


def holds(graph, which="forward"):
    """Compare every equation of a pass with the recorded values, to 1e-12 forward, to 1e-10 backward."""
    reading = read(graph, which)
    assert compared(reading, 1e-12 if which == "forward" else 1e-10) >= len(reading.equations)
    return True


def record(model, T=5, B=2):
    """Record a model on random inputs: x (T, B, 3) and labels y (T, B)."""
    rng = np.random.default_rng(0)
    return tg.record(model, rng.normal(size=(T, B, 3)), rng.integers(0, 4, size=(T, B)))


def lines(graph, which="forward", format="unicode"):
    return viz.equations(graph, of=which, format=format).splitlines()


def with_a_loss(model):
    """The model with the square of its outputs as the loss, if it returns no loss itself."""

    def loss(*arguments):
        outputs = model(*arguments)
        L = outputs if outputs.shape == () else (outputs * outputs).sum()
        return L

    return loss


def is_mathml(latex):
    convert = pytest.importorskip("latex2mathml.converter").convert
    formula = ElementTree.fromstring(convert(latex))
    return all(not element.tag.endswith("script") or "sub" in element.tag for element in formula.iter())
