"""Equations checked: both sides of each in numbers, for every example and step of a recorded run; LaTeX as MathML."""

import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

import tinygrad_rnn as tg
import viz
from tinygrad_rnn.autodiff.operation import OPERATIONS
from viz.equations import read
from viz.equations import terms as of


class Evaluation:
    """Terms as numbers, for one example and one step, from the values of the recorded run."""

    def __init__(self, reading):
        self.reading = reading
        self.B = reading.examples.size
        self.component = {step: c for c in reading.circuit.components for step in c.visits}

    def __call__(self, term, t, example, s=None):
        """The value of a term: columns are (n, 1), numbers ()."""

        def value(part):
            return self(part, t, example, s)

        match term:
            case of.Constant():
                return np.full(term.shape, term.value)
            case of.BatchSize():
                return np.float64(self.B)
            case of.Symbol():
                return self.recorded(term, t, example, s)
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
                steps = [self(term.parts[0], t, example, s) for s in self.steps(term, t, s)]
                return np.stack(steps) if len(term.shape) > 2 else np.stack([np.ravel(step) for step in steps], 1)
            case of.TimeSum():
                return sum(self(term.parts[0], t, example, s) for s in term.steps)
            case of.BatchSum():
                return sum(self(term.parts[0], t, i, s) for i in range(self.B))
            case of.Cases():
                now = (s if term.time.base == "s" else t) + term.time.offset
                (i,) = (i for i, when in enumerate(term.when) if of.is_among(now, when))
                return value(term.parts[i])
            case of.Call():
                return self.called(term, t, example, s)
        raise TypeError(term)

    def called(self, term, t, example, s):
        """An operation on one example or, where it has to be, on all of them, of which the result is one's."""
        attributes = dict(term.attributes)
        if term.time is not None:
            attributes["index"] = tuple(self.placed(part, term.time, t, s) for part in attributes["index"])
        *axes, axis = term.batches or (None,) * (len(term.parts) + 1)
        inputs = []
        for part, shape, counts in zip(term.parts, term.shapes, axes, strict=True):
            steps = [(part, s)]
            if isinstance(part, of.Every) and shape != part.shape:
                steps = [(part.parts[0], s) for s in self.steps(part, t, s)]
            for one, s_ in steps:
                if counts is None:
                    inputs.append(shaped(self(one, t, example, s_), shape))
                else:
                    each = (*shape[:counts], *shape[counts + 1 :])
                    inputs.append(np.stack([self(one, t, i, s_).reshape(each) for i in range(self.B)], counts))
        result = OPERATIONS[term.operation].forward(*inputs, **attributes)
        return shaped(result if axis is None else np.take(result, example, axis), term.shape)

    def steps(self, every, t, s):
        """The steps that are taken together at one step."""
        last = None if every.time is None else self.moment(every.time, every.loop, t, s)
        return [step for step in every.steps if last is None or (step - last) * every.steps.step <= 0]

    def placed(self, part, time, t, s):
        """A part of an index at one step."""
        if isinstance(part, slice):
            return slice(*(self.placed(end, time, t, s) for end in (part.start, part.stop, part.step)))
        return (
            part.values[part.steps.index(self.moment(time, part.loop, t, s))] if isinstance(part, of.Moving) else part
        )

    def recorded(self, symbol, t, example, s):
        variable = symbol.variable
        at = self.moment(symbol.time, variable.loop, t, s)
        if (variable, at) in self.reading.recorded:
            step = self.reading.recorded[variable, at]
            axis = self.reading.examples.axis(self.component[step])
            value = np.asarray(step.value) if axis is None else np.take(step.value, example, axis)
            if np.ndim(value) == 0:
                return np.broadcast_to(value, symbol.shape)  # h⁽⁰⁾ = 0, which is a column
            return shaped(value, symbol.shape)
        return self(self.reading.definitions[variable], at, example)

    def moment(self, time, loop, t, s):
        if time is None:
            return None
        length = 0 if loop is None else self.reading.lengths[loop]
        return time.number({"t": t, "s": s, "1": 0, "T": length - 1}[time.base], length)


def shaped(value, shape):
    """An array in the shape that it has in the equations; where it grows from step to step, that is the largest."""
    if np.size(value) == np.prod(shape):
        return np.reshape(value, shape)
    return np.reshape(value, (1, -1) if shape[0] == 1 else (-1, *shape[1:]))


def compared(reading, tolerance):
    """Evaluate both sides of every equation, at every step and for every example; return how many comparisons."""
    evaluate = Evaluation(reading)
    number = 0
    for e in reading.equations:
        for t in e.times if e.left.time == of.Time("t") else [None]:
            for example in range(reading.examples.size or 1):
                if e.left.variable in reading.definitions:
                    continue  # its left side is defined by its right side
                left, right = evaluate(e.left, t, example), evaluate(e.right, t, example)
                np.testing.assert_allclose(
                    np.broadcast_to(right, left.shape), left, rtol=tolerance, atol=tolerance, err_msg=f"{e.left} at {t}"
                )
                number += 1
    return number


def holds(graph, which="forward"):
    """Compare every equation of a pass with the recorded values, to 1e-12 forward, to 1e-10 backward."""
    reading = read(graph, which)
    assert compared(reading, 1e-12 if which == "forward" else 1e-10) >= len(reading.equations) - len(
        reading.definitions
    )
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
