"""What those tasks share whose sequences are drawn anew for every batch, so that there is no end of them."""

from __future__ import annotations

from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from tinygrad_rnn import no_grad

EACH_STEP = "an output at every step"
AT_END = "one output for the whole sequence"
STRING = "a distribution over strings, without any input"

CLASSES, NUMBERS, BITS = "classes", "numbers", "bits"

VALIDATION = 1000  # sequences, the same each time


class Drawn:
    """A task whose sequences a seeded generator draws.

    inputs, outputs  sizes of x⁽ᵗ⁾ and of o
    wants            what a model must give: EACH_STEP, AT_END or STRING
    says             CLASSES: y are labels (T, B) or (B,); NUMBERS or BITS: y (T, B, outputs) or (B, outputs)
    stepwise         whether an output must be there before the next input is: y⁽ᵗ⁾ is x⁽ᵗ⁺¹⁾, say
    unit, measure    the loss is in this measure, per unit: "nats" per "step"
    chance           the least loss without what the task is about: without memory, say, or without seeing ahead
    floor            the least loss that any model can have, in expectation

    T is how long the sequences are, as the task counts, B how many are in a batch. Raises ValueError where they are too
    few.
    """

    inputs: int
    outputs: int
    wants: str = EACH_STEP
    says: str = CLASSES
    stepwise: bool = False
    unit: str = "step"
    measure: str = "nats"
    chance: float
    floor: float
    settings: ClassVar[dict[str, Any]] = {
        "length": 20, "batch": 64, "hidden": 16, "steps": 3000, "quick": 500, "lr": 0.01, "weight_decay": 0.0,
    }  # fmt: skip

    least: int = 1
    """The shortest sequences that leave something to learn."""

    def __init__(self, T: int | None = None, B: int | None = None, dtype: Any = np.float32):
        self.T = self.settings["length"] if T is None else T
        self.B = self.settings["batch"] if B is None else B
        self.dtype = dtype
        if min(self.T - self.least, self.B - 1) < 0:
            name = type(self).__name__
            raise ValueError(f"{name}: T ≥ {self.least} and B ≥ 1 are needed, not T = {self.T}, B = {self.B}")

    @property
    def baselines(self) -> dict[str, float]:
        return {"chance": self.chance, "floor": self.floor}

    def draw(self, B: int, rng: np.random.Generator) -> tuple[Any, ...]:
        """B sequences: what the model is called with."""
        raise NotImplementedError

    def batch(self, rng: np.random.Generator) -> tuple[Any, ...]:
        return self.draw(self.B, rng)

    def units(self, batch: tuple[Any, ...]) -> int:
        """How many units there are in a batch, (x, y, …)."""
        return batch[1].size if self.unit == "step" else self.B

    def loss(self, model: Any, *batch: Any) -> Any:
        """The model's loss on a batch, per unit: as the model has it, unless a task counts otherwise."""
        return model(*batch)

    @cached_property
    def validation(self) -> tuple[Any, ...]:
        return self.draw(VALIDATION, np.random.default_rng(VALIDATION))

    def validation_loss(self, model: Any) -> float:
        """The loss on a thousand sequences that are the same each time."""
        with no_grad():
            return self.loss(model, *self.validation).item()

    def sample(self, model: Any, rng: np.random.Generator) -> str:
        return ""


def entropy(p: Any) -> float:
    """−Σ p ln p, in nats."""
    p = np.asarray(p, float)
    return float(-(p * np.log(np.where(p > 0, p, 1))).sum())
