"""Every model of the catalogue compiles, and its program gives the engine's loss and gradients; or is refused."""

import numpy as np
import pytest
from compiling import agree, by_engine, by_program, parameters

import tinygrad_rnn as tg
from zoo import catalogue
from zoo.catalogue import CATALOGUE

NOT_YET = {
    "recursive": "calls itself, and a tree has no time axis",
    "recursive-deep": "calls itself, and a tree has no time axis",
}
"""What is refused, and why. The table only shrinks."""
ANEW = {
    "dynamical-system": "T is a number among its arguments",
    "scheduled-sampling": "its coins are a constant of the length and the batch that they are drawn for",
    "memory-network": "it reads all facts at once, without a loop, so that T is a size like any other",
    "input-attention": "the same",
    "turing-machine": "where it reads at first is a constant for each example of the batch",
}
"""What is compiled anew for another T or B."""


def example(name):
    """A model of the catalogue, with weights that are not near 0; and its arguments."""
    model, arguments = CATALOGUE[name].example()
    scatter(parameters(model(*arguments)))
    return model, arguments


def scatter(weights):
    rng = np.random.default_rng(1)
    for p in weights:
        p.data = p.data + rng.normal(0, 0.3, p.shape).astype(p.dtype)


@pytest.mark.parametrize("name", [name for name in CATALOGUE if name not in NOT_YET])
def test_its_program_gives_loss_and_gradients_at_three_lengths_with_the_weights_as_they_are(name, monkeypatch):
    model, arguments = example(name)
    step = tg.compile(model, *arguments)
    agree(by_program(step, *arguments), by_engine(model, *arguments))
    for T, B in ((9, 4), (3, 1)):
        monkeypatch.setattr(catalogue, "T", T)
        monkeypatch.setattr(catalogue, "B", B)
        others = CATALOGUE[name].example(2)[1]
        scatter(parameters(model(*others)))
        agree(by_program(step, *others), by_engine(model, *others))
    assert (len(step.programs) > 1) == (name in ANEW)


@pytest.mark.parametrize("name", ["pattern-1", "lstm", "attention", "pattern-3"])
def test_in_float32_it_computes_in_float32(name):
    model, arguments = example(name)
    for _, module in model.named_modules():
        for attribute, value in vars(module).items():
            if isinstance(value, tg.Tensor):
                setattr(module, attribute, tg.Parameter(value.data.astype(np.float32)))
    arguments = [a.astype(np.float32) if isinstance(a, np.ndarray) and a.dtype.kind == "f" else a for a in arguments]
    step = tg.compile(model, *arguments)
    agree(by_program(step, *arguments), by_engine(model, *arguments))
    assert {a.dtype for a in by_program(step, *arguments)} == {np.dtype(np.float32)}


@pytest.mark.parametrize("name", NOT_YET)
def test_what_is_not_compiled_is_refused_with_the_reason(name):
    model, arguments = CATALOGUE[name].example()
    with pytest.raises(tg.CompileError, match=NOT_YET[name]):
        tg.compile(model, *arguments)
