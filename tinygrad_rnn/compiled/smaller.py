"""Passes that make expressions smaller; passes.py has the order of all of them."""

from __future__ import annotations

import re

import numpy as np

from ..autodiff.operation import OPERATIONS
from .program import Program, Read, Size, Value, once, plain

ELEMENTWISE = ("plus", "multiply", "divide", "subtract", "negative", "where", "exp", "power")
"""Operations whose operands may be smaller than the result, or are of its shape."""
REARRANGING = ("transpose", "swapaxes", "expand_dims", "squeeze", "reshape", "getitem", "broadcast_to")
"""Operations whose results are views of their first operand: to do them twice costs nothing."""


def plain_slopes(program: Program) -> None:
    """g · slope, where the engine guards against 0 · ∞. The program's results are looked at for NaN instead."""
    for value in program.values:
        if value.operation == "multiply":
            for i, read in enumerate(value.reads):
                guard = read.value
                condition = guard.reads[0].value if guard.operation == "where" else guard
                if condition.operation == "logical_or" and _is_finite(condition.reads[1].value):
                    value.reads[i] = guard.reads[1].copy()


def _is_finite(value: Value) -> bool:
    """Whether it asks if something is finite, or is the answer that it is."""
    return value.operation == "isfinite" or (value.operation == "constant" and bool(np.all(value.constant)))


def copies(program: Program) -> None:
    """What is a copy of something, or a sum of one term, is that."""
    for value in program.values:
        if value.operation == "add":
            value.operation = "plus"
        if value.operation in ("same", "plus") and len(value.reads) == 1:
            (read,) = value.reads
            same = read.value.span is None or read.reach == "at" or value.span == read.value.span
            if same and read.value is not value and (read.value.shape == value.shape or value.operation == "same"):
                program.replace(value, read)


def numbers(program: Program) -> None:
    """Compute with numbers beforehand; 1 · x is x, and 1 / n · x is x / n."""
    for value in program.values:
        constants = [read.value.constant if _is_number(read) else None for read in value.reads]
        if value.reads and None not in constants and value.operation in OPERATIONS:
            folded = _folded(value, constants)
            if folded is not None and program.hoist(value):
                value.operation, value.reads, value.attributes, value.constant = "constant", [], {}, folded
        if value.operation == "multiply":
            for i, factor in enumerate(constants):
                other = value.reads[1 - i]
                if factor is None or other.value.shape != value.shape:
                    continue
                if value.reads[i].value.shape:
                    value.reads[i] = once(program.add(Value("constant", constant=factor, dtype=value.dtype)))
                inner = [r.value.constant if _is_number(r) else None for r in other.value.reads]
                if other.value.operation == "multiply" and other.is_plain and len(inner) == 2 and None not in inner[:1]:
                    product = _folded(value, [factor, inner[0]])
                    if product is not None and other.value.reads[1].value.shape == value.shape:
                        factor, other = product, other.value.reads[1].copy()
                        scaled = Value("constant", constant=factor, dtype=value.dtype)
                        value.reads = [once(program.add(scaled)), other]
                if isinstance(factor, Size) and factor.startswith("1 / "):
                    divisor = Value("constant", constant=Size(factor[4:].strip("()")), dtype=value.dtype)
                    value.operation, value.reads = "divide", [other, once(program.add(divisor))]
                elif not isinstance(factor, Size) and factor == 1 and value.span == other.value.span:
                    program.replace(value, other)
                break


def _scaled(number: object, size: object) -> Size | None:
    """2 · (0.5 / B) as 1 / B."""
    found = re.fullmatch(r"(-?[\d.e-]+) / (.+)", size) if isinstance(size, Size) else None
    if found is None or isinstance(number, Size) or not isinstance(number, (int, float)):
        return None
    return Size(f"{number * float(found[1]):.12g} / {found[2]}")


def _is_number(read: Read) -> bool:
    """Whether it is a number, or an array that is full of one."""
    constant = read.value.constant
    return read.value.operation == "constant" and not np.ndim(constant) and not isinstance(constant, bool)


SIGNS = {"plus": "+", "subtract": "-", "multiply": "*", "divide": "/"}


def _folded(value: Value, constants: list) -> object | None:
    if value.operation in (*REARRANGING, "astype", "positive") and len(constants) == 1:
        return constants[0]
    if value.operation == "negative" and isinstance(constants[0], Size):
        return Size(f"-{constants[0]}" if constants[0][0].isalnum() else f"-({constants[0]})")
    if value.shape and value.operation not in (*SIGNS, "negative"):
        return None
    if not any(isinstance(c, Size) for c in constants):
        result = np.asarray(OPERATIONS[value.operation].forward(*constants, **value.attributes))
        return result.item() if result.ndim == 0 else None
    if value.operation not in SIGNS or len(constants) != 2:
        return None
    if value.operation == "multiply" and 1 in constants:
        return constants[1 - constants.index(1)]
    if value.operation == "multiply" and (fraction := _scaled(*constants) or _scaled(*reversed(constants))):
        return fraction
    a, b = (
        f"({c})" if isinstance(c, Size) and " " in c else f"{c:.12g}" if isinstance(c, float) else c for c in constants
    )
    return Size(f"{a} {SIGNS[value.operation]} {b}")


def transposes(program: Program) -> None:
    """(Aᵀ)ᵀ = A, and gᵀ of what has one row or column is not needed for vectors: (g[None] @ W)[0] = g @ W."""
    for value in program.values:
        if value.operation in ("transpose", "swapaxes") and len(value.shape) == 2:
            value.operation, value.attributes = "transpose", {"axes": None}
            inner = value.reads[0].value
            if inner.operation == "transpose" and value.reads[0].is_plain and len(inner.shape) == 2:
                program.replace(value, inner.reads[0])
            is_product = inner.operation == "matmul" and value.reads[0].is_plain and inner.reads[0].is_plain
            if is_product and inner.reads[0].value.operation == "transpose" and len(inner.reads[1].value.shape) == 2:
                turned = inner.reads[1].value.like("transpose", [inner.reads[1]], attributes={"axes": None})
                turned.shape, turned.span = turned.shape[::-1], value.span
                value.operation, value.attributes = "matmul", {}
                value.reads = [plain(program.add(turned)), inner.reads[0].value.reads[0].copy()]
        if value.operation == "squeeze" and value.reads[0].value.operation == "matmul":
            product = value.reads[0].value
            row = product.reads[0].value
            if row.operation == "expand_dims" and len(row.shape) == len(product.reads[1].value.shape) == 2:
                value.operation, value.attributes = "matmul", {}
                value.reads = [row.reads[0].copy(), product.reads[1].copy()]


def broadcasts(program: Program) -> None:
    """What NumPy stretches by itself need not be stretched before."""
    for value in program.values:
        if value.operation in ELEMENTWISE and len(value.reads) > 1:
            for i, read in enumerate(value.reads):
                others = [r for j, r in enumerate(value.reads) if j != i]
                stretched = read.value
                is_stretched = stretched.operation == "broadcast_to" and read.is_plain and stretched.reads[0].is_plain
                if is_stretched and any(other.value.shape == value.shape for other in others):
                    value.reads[i] = stretched.reads[0].copy()


def sums(program: Program) -> None:
    """A sum within a sum is one sum."""
    readers = program.readers()
    for value in reversed(program.values):
        if value.operation == "plus":
            i = 0
            while i < len(value.reads):
                inner = value.reads[i]
                term = inner.value
                same = term.span == value.span and inner.is_plain and len(readers[term]) == 1 and term is not value
                if same and term.operation == "plus" and (not term.name or term.rule_of) and term.shape == value.shape:
                    value.reads[i : i + 1] = term.reads
                    term.reads = []
                else:
                    i += 1


def slices(program: Program) -> None:
    """Gradients of adjoining parts, each among zeros, that are added: the parts one after another."""
    for value in program.values:
        parts = [_slice(read) for read in value.reads] if value.operation == "plus" and len(value.reads) > 1 else [None]
        axes = {part[0] for part in parts if part}
        if None in parts or len(axes) > 1:
            continue
        (axis,) = axes
        pieces = sorted([part[1:] for part in parts if part], key=lambda piece: piece[0])
        ends = [0, *(stop for _, stop, _ in pieces)]
        if [start for start, _, _ in pieces] == ends[:-1] and ends[-1] == value.shape[axis]:
            value.operation, value.attributes = "concatenate", {"axis": axis}
            value.reads = [read for _, _, read in pieces]


def _slice(read: Read) -> tuple[int, int, int, Read] | None:
    """Of a gradient that fills one slice along one axis: the axis, its ends, and what it is filled with."""
    index = read.value.attributes.get("index", ())
    if read.value.operation != "scatter" or not read.is_plain or len(read.value.reads) > 1:
        return None
    cut = [i for i, part in enumerate(index) if part != slice(None)]
    if len(cut) != 1 or not isinstance(index[cut[0]], slice) or index[cut[0]].step not in (None, 1):
        return None
    start, stop = index[cut[0]].start or 0, index[cut[0]].stop
    stop = read.value.attributes["shape"][cut[0]] if stop is None else stop
    if type(start) is not int or type(stop) is not int:
        return None
    return cut[0], start, stop, read.value.reads[0]


def common(program: Program) -> None:
    """What is computed twice is computed once."""
    found: dict[str, Value] = {}
    number = {value: i for i, value in enumerate(program.values)}
    for value in program.values:
        reads = [(number[r.value], r.reach, r.delay, r.at, r.padded) for r in value.reads]
        is_given = value.operation in ("input", "parameter") or np.ndim(value.constant)
        has_arrays = "array(" in repr(value.attributes)  # two large ones may print alike
        if is_given or has_arrays or any(read.before or read.after for read in value.reads):
            continue
        what = (
            value.operation,
            reads,
            value.attributes,
            value.span,
            value.over,
            value.constant,
            value.shape,
            value.dtype,
        )
        same = found.setdefault(repr(what), value)
        if same is not value and not (same.name and value.name):
            program.replace(value, plain(same))
