"""Memory over stored facts: a question is answered by looking again and again at all that was said.

    kᵢ = K xᵢ,   vᵢ = R xᵢ                          each fact twice: as what it is found by, and as what it says
    u⁽⁰⁾ = Q q                                      the question
    α⁽ʲ⁾ = softmax over i of u⁽ʲ⁻¹⁾ · kᵢ              which facts matter
    C⁽ʲ⁾ = Σᵢ α⁽ʲ⁾ᵢ vᵢ                               what they say
    u⁽ʲ⁾ = H u⁽ʲ⁻¹⁾ + C⁽ʲ⁾                           what is asked now, j = 1 … hops
    o = V u⁽ʰᵒᵖˢ⁾,   L = −log softmax(o) of the answer y

A chain of facts takes as many hops as it has links. The recurrence is over hops, not over time, and the memory is only
read.

Lecture, "Other models"; Goodfellow, Bengio & Courville 2016, section 10.12; Weston, Chopra & Bordes 2014; Sukhbaatar et
al. 2015, with their layer-wise tying.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn.nn.initialisers import glorot_uniform, identity

from .attention import attend, places
from .sequence import loss, sizes, unpadded


class MemoryNetwork(tg.Module):
    """A question about a list of facts, answered in several looks at them: q → u → C → u.

    K, R, Q (hidden, words), H (hidden, hidden), V (answers, hidden)
    """

    def __init__(self, words: int, hidden: int, answers: int, hops: int = 2, *, rng: Any, dtype: Any = np.float64):
        if hops < 1:
            raise ValueError(f"a memory network looks at least once, not {hops} times")
        rng = np.random.default_rng(rng)
        self.hops = hops
        self.K, self.R, self.Q = (tg.Parameter(glorot_uniform((hidden, words), rng=rng, dtype=dtype)) for _ in range(3))
        self.H = tg.Parameter(identity((hidden, hidden), dtype=dtype))
        self.V = tg.Parameter(glorot_uniform((answers, hidden), rng=rng, dtype=dtype))

    def __call__(self, x: Any, q: Any, y: Any, lengths: Any = None) -> Any:
        """The loss L in nats, the mean over the batch.

        x        the facts, (n, batch, words), each a row of how often each word is in it
        q        the question, (batch, words)
        y        the answers, labels (batch,)
        lengths  (batch,): how many facts there are; what comes after is padding
        """
        o, _ = self.output(x, q, lengths)
        L = loss(o, y)
        return L

    def output(self, x: Any, q: Any, lengths: Any = None) -> tuple[Any, list[Any]]:
        """o (batch, answers), and the weights α (batch, n) of each hop."""
        n, batch = sizes(x)
        if len(q) != batch:
            raise tg.ShapeError(f"{batch} lists of facts need {batch} questions, not {len(q)}")
        counts = places(lengths, n, batch)
        x = unpadded(x, lengths)
        k = np.swapaxes(x @ self.K.T, 0, 1)
        v = np.swapaxes(x @ self.R.T, 0, 1)
        u = q @ self.Q.T
        looks = []
        for _ in range(self.hops):
            C, α = attend(tg.sum(np.expand_dims(u, 1) * k, axis=-1), v, counts)
            u = u @ self.H.T + C
            looks.append(α)
        o = u @ self.V.T
        return o, looks
