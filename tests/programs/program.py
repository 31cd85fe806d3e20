"""What an entry of the corpus says of its program, and the numbers that the programs are run on."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

import tinygrad_rnn as tg

_rng = np.random.default_rng(0)


@dataclass(frozen=True)
class Program:
    """A program, and what its circuit must be.

    example  T → the function to record, followed by its arguments: a sequence of length T
    delays   (reader, source) → how many steps ago the reader's values of the source are from: 1, or {0, 1} if it reads
             two. Of an array that is read element by element: the number of the step less that of the element. In a
             nest of loops one number for each loop that the two share, the outermost first: (1, 0). An inner loop of
             a fixed count may be copies, and then has no number. Initial values do
             not count, and what has no name is passed over
    lengths  the T to record, and another that its circuit must unfold to
    unknown  part of the sentence that says why the circuit cannot unfold to another length; None if it can
    loss     whether it returns a loss, so that there is a backward pass
    cuts     whether it detaches a state: the gradient is not that of the whole run then
    """

    example: Callable[[int], tuple]
    delays: dict
    lengths: tuple[int, int] = (5, 7)
    unknown: str | None = None
    loss: bool = True
    cuts: bool = False


def weight(*shape):
    """A parameter with small random numbers."""
    return tg.Parameter(_rng.normal(size=shape) / 2)


def sequence(T, *shape):
    """T random arrays as one array, (T, …)."""
    return np.random.default_rng(1).normal(size=(T, *shape))


def tokens(T, number, seed=2):
    """T random integers below `number` as a list: the characters, words or labels of a sequence."""
    return np.random.default_rng(seed).integers(number, size=T).tolist()
