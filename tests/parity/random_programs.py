"""Random programs over the operations of `table.py`. Program k of seed s is always the same."""

from typing import NamedTuple

import conventions
import numpy as np
from conventions import inf, nan, torch
from table import TABLE, Unfit

import tinygrad_rnn as tg

SCOPE = {**vars(conventions), "tg": tg}  # what a line may use beside the variables
GROUPS = [[(draw, *entry) for entry in entries] for draw, entries in TABLE.items()]
ENTRIES = [entry for group in GROUPS for entry in group]
SPECIAL = [(0.0,), (inf, -inf), (inf, 0.0), (nan,), (300.0, -300.0, 800.0, -800.0), (1e6, -1e6, 1e-6), ()]
"""Numbers that are strewn over the inputs of a special program. Every special program has ties as well."""


class Variable(NamedTuple):
    """An input (no source), or the result of a line."""

    name: str
    value: torch.Tensor
    ours: str = ""
    theirs: str = ""
    reads: tuple = ()

    def __str__(self):
        return self.name

    @property
    def shape(self):
        return tuple(self.value.shape)


class Program:
    """Lines that compute the last variable from the inputs. Variables that it does not depend on are dropped."""

    def __init__(self, title, variables, special):
        self.title, self.special, self.variables = title, special, []
        needed = {variables[-1].name}
        for v in reversed(variables):
            if v.name in needed:
                needed.update(v.reads)
                self.variables.insert(0, v)
        self.inputs = {v.name: v.value.numpy() for v in self.variables if not v.ours}

    def beginnings(self):
        """The first line, the first two lines, and so on to the whole program."""
        ends = (i + 1 for i, v in enumerate(self.variables) if v.ours)
        return (Program(self.title, self.variables[:end], self.special) for end in ends)

    def run(self, side, inputs, f32=None, f64=None):
        """The value of the last line; side is "ours" or "theirs", f32 and f64 are PyTorch's dtypes of these names."""
        names = {"f32": f32, "f64": f64} | dict(zip(self.inputs, inputs, strict=True))
        for v in self.variables:
            if v.ours:
                names[v.name] = eval(getattr(v, side), SCOPE, names)
        return names[self.variables[-1].name]

    def __str__(self):
        text = [self.title]
        for v in self.variables:
            array = v.value.numpy()
            line = v.ours or np.array2string(array, separator=", ", prefix=f"    {v} = ")
            text.append(f"    {f'{v} = {line}':60}  # {v.shape} {array.dtype}")
        return "\n".join(text)


class Writer:
    """Writes a program: adds lines that are drawn from the table, each with operands that fit."""

    def __init__(self, seed, number):
        self.rng = np.random.default_rng([seed, number])
        self.special = self.chance(0.5)
        self.numbers = self.pick(SPECIAL)
        self.dtypes = self.pick([["float32"], ["float64"], ["float32", "float64"]])
        self.variables = []
        self.latest = self.leaf(self.shape())
        lines = self.between(3, 12)
        while lines:
            lines -= self.line()
        self.program = Program(f"program {number} of seed {seed}", self.variables, self.special)

    def line(self):
        """Add a line; False if what was drawn does not fit."""
        draw, ours, theirs = self.pick(ENTRIES) if self.chance(0.5) else self.pick(self.pick(GROUPS))
        before = len(self.variables)
        try:
            fields = draw(self)
            operands = {k: v for k, v in fields.items() if isinstance(v, Variable)}
            if len({v.value.dtype for v in operands.values()}) > 1:  # PyTorch does not promote everywhere
                theirs = theirs.format_map(fields | {k: f"{v}.to(f64)" for k, v in operands.items()})
            theirs, ours = theirs.format_map(fields), ours.format_map(fields)
            reads = {v.name: v for v in operands.values()}
            value = self.steady(theirs, reads)
            if not self.special and ("std" in ours or "norm" in ours) and not value.all():
                raise Unfit  # PyTorch's second derivative at 0 is NaN
        except Unfit:
            del self.variables[before:]
            return False
        self.latest = self.add(value, ours, theirs, tuple(reads))
        return True

    def steady(self, theirs, reads):
        """The value of a line. Raise Unfit if a small move of the operands makes it or its slope jump.

        At such a place rounding would decide.
        """
        outcomes, moves = [], {k: self.rng.uniform(-1e-3, 1e-3, v.shape) for k, v in reads.items()}
        for sign in 0, 1, -1:
            inputs = {k: torch.tensor(self.moved(v, sign * moves[k]), requires_grad=True) for k, v in reads.items()}
            y = eval(theirs, SCOPE, {"f32": torch.float32, "f64": torch.float64, **inputs})
            weights = torch.tensor(np.cos(np.arange(y.numel())).reshape(y.shape), dtype=y.dtype)
            slopes = torch.autograd.grad(y, inputs.values(), weights, allow_unused=True, materialize_grads=True)
            outcomes.append([t.detach().clone().numpy() for t in (y, *slopes)])
        for here, *elsewhere in zip(*outcomes, strict=True):
            if here.size > 150 or here.ndim > 4:
                raise Unfit
            if not self.special and not (np.isfinite(here).all() and largest(here) < 1e3):
                raise Unfit
            if not all(np.allclose(here, a, 0, 0.1 * max(1, largest(here)), equal_nan=True) for a in elsewhere):
                raise Unfit
        return torch.tensor(outcomes[0][0])

    def moved(self, v, by):
        """v's value moved; but if special, not what both sides compute without rounding: it may be a tie or a zero."""
        x = v.value.numpy()
        with np.errstate(invalid="ignore"):
            exact = ~np.isfinite(x) | ((x * 4096 % 1 == 0) & (abs(x) < 1e6))
            moved = np.where(self.special & exact, x, x + by * np.maximum(1, abs(x)))
        signed = bool(v.ours) & (moved == 0)  # the sign of a computed zero depends on what a sum starts from
        return np.where(signed, by * 0, moved).astype(x.dtype)

    # -- operands

    def any(self, fits=lambda v: True):
        """The latest result, or sometimes an earlier variable."""
        v = self.latest if self.chance(0.95) else self.pick(self.variables)
        if not fits(v):
            raise Unfit
        return v

    def beside(self, fits, shape):
        """A further operand: a variable that fits, or a new input of `shape`."""
        found = [v for v in self.variables if fits(v)]
        return self.pick(found) if found and self.chance(0.6) else self.leaf(shape)

    def leaf(self, shape):
        """A new input: normal numbers, rounded to 1/64 so that float32 holds them and their sums exactly."""
        x = np.round(self.rng.normal(size=shape) * 64) / 64
        if self.special:
            x = np.where(self.rng.random(shape) < self.pick([0.2, 1]), np.round(2 * x) / 2, x)  # ties
            x = np.where(self.rng.random(shape) < 0.2, self.rng.choice(self.numbers or (1.0,), shape), x)
        return self.add(torch.tensor(np.asarray(x + 0.0, self.pick(self.dtypes))))  # + 0.0: no negative zeros

    def add(self, *fields):
        i = len(self.variables)
        self.variables.append(Variable(chr(ord("a") + i % 26) + str(i // 26 or ""), *fields))
        return self.variables[-1]

    # -- choices

    def chance(self, p):
        return bool(self.rng.random() < p)

    def between(self, low, high):
        return int(self.rng.integers(low, high, endpoint=True))

    def pick(self, options):
        return options[self.between(0, len(options) - 1)]

    def length(self):
        return int(self.rng.choice(4, p=[0.04, 0.16, 0.4, 0.4]))

    def shape(self):
        return tuple(self.length() for _ in range(self.rng.choice(5, p=[0.08, 0.27, 0.35, 0.2, 0.1])))

    def axis(self, shape):
        return self.between(-len(shape), len(shape) - 1)

    def broadcasting(self, shape):
        """A shape that broadcasts against `shape`."""
        lengths = [self.length() if n == 1 else 1 if self.chance(0.2) else n for n in shape]
        return tuple(lengths[self.between(0, len(shape)) if self.chance(0.4) else 0 :])

    def shuffled(self, a, b):
        return {"a": a, "b": b} if self.chance(0.5) else {"a": b, "b": a}


def largest(array):
    """The largest absolute value among the finite numbers."""
    return float(np.max(abs(array), where=np.isfinite(array), initial=0))
