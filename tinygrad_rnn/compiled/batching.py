"""How each operation is written: for one step, or for all steps of a loop at once, which are a first axis of operands.

An entry gets the value and its operands as texts, and gives a text. An operand that is `batched` has the leading axis
and the others have not; the result has it if any operand has. An entry that gives None, like an operation without one,
is computed step by step, in a comprehension.
"""

from __future__ import annotations

from collections.abc import Callable

from .program import Value
from .wording import ATOM, COMPARE, POWER, PRODUCT, SUM, Text, Wording

Entry = Callable[[Wording, Value, list[Text]], "Text | None"]
BINARY = {
    "add": ("+", SUM), "subtract": ("-", SUM), "multiply": ("*", PRODUCT), "divide": ("/", PRODUCT),
    "greater": (">", COMPARE), "greater_equal": (">=", COMPARE), "less": ("<", COMPARE), "less_equal": ("<=", COMPARE),
    "equal": ("==", COMPARE), "not_equal": ("!=", COMPARE), "power": ("**", POWER),
}  # fmt: skip
NUMPY = (
    "exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sqrt", "square", "sin", "cos", "tan", "sinh", "cosh",
    "tanh",
    "arcsin", "arccos", "arctan", "arctan2", "arcsinh", "arccosh", "arctanh", "sign", "absolute", "maximum", "minimum",
    "where", "floor", "ceil", "isnan", "isfinite", "isinf", "logical_and", "logical_or", "logical_not", "floor_divide",
    "remainder", "logaddexp", "reciprocal",
)  # fmt: skip
OWN = ("sigmoid", "softplus", "relu", "erfc")
"""Elementwise functions that NumPy has not: the source imports them."""
REDUCTIONS = ("sum", "mean", "max", "min", "prod", "any", "all")


def aligned(value: Value, operands: list[Text]) -> list[Text]:
    """Operands of fewer axes than the result get them behind the leading axis, where NumPy would not put them."""
    result = []
    for x in operands:
        if x.batched and 0 <= x.ndim < len(value.shape):
            axes = ", ".join([":", *["None"] * (len(value.shape) - x.ndim)])
            x = Text(f"{x.within(ATOM)}[{axes}]", ATOM, True, value.shape)
        result.append(x)
    return result


def elementwise(words: Wording, value: Value, operands: list[Text]) -> Text | None:
    name, xs = value.operation, aligned(value, operands)
    if name == "plus":
        text = xs[0].within(SUM)
        for x in xs[1:]:
            text += f" - {x.text[1:]}" if x.text.startswith("-") and x.binding == PRODUCT else f" + {x.within(SUM)}"
        return Text(text, SUM)
    if name in BINARY:
        sign, binding = BINARY[name]
        left = binding + (binding == POWER)
        return Text(f"{xs[0].within(left)} {sign} {xs[1].within(binding + 1)}", binding)
    if name == "negative":
        return Text(f"-{xs[0].within(PRODUCT)}", PRODUCT)
    if name in ("positive", "same"):
        return xs[0]
    return Text(f"{'np.' * (name in NUMPY)}{name}({', '.join(x.text for x in xs)})")


def astype(words: Wording, value: Value, operands: list[Text]) -> Text | None:
    return Text(f"{operands[0].within(ATOM)}.astype({words.dtype(value.attributes['dtype'])})")


def clip(words: Wording, value: Value, operands: list[Text]) -> Text | None:
    return Text(f"np.clip({operands[0].text}, {value.attributes['min']}, {value.attributes['max']})")


def matmul(words: Wording, value: Value, operands: list[Text]) -> Text | None:
    a, b = operands
    if a.batched and a.ndim == 1 and b.batched:
        other = f"{b.within(ATOM)}[..., None]" if b.ndim == 1 else b.within(POWER)
        return Text(f"({a.within(ATOM)}[:, None] @ {other})[{':, 0, 0' if b.ndim == 1 else ':, 0'}]")
    if b.batched and b.ndim == 1:
        if a.batched:
            return Text(f"({a.within(POWER)} @ {b.within(ATOM)}[..., None])[..., 0]")
        return Text(f"{b.within(PRODUCT)} @ {a.within(ATOM)}{'.T' * (a.ndim > 1)}", PRODUCT) if a.ndim < 3 else None
    if a.batched and not b.batched and b.ndim > 2 and a.ndim < b.ndim:
        return None
    return Text(f"{a.within(PRODUCT)} @ {b.within(POWER)}", PRODUCT)


def transpose(words: Wording, value: Value, operands: list[Text]) -> Text | None:
    (x,), axes = operands, value.attributes["axes"]
    if axes is None and not x.batched:
        return Text(f"{x.within(ATOM)}.T")
    if axes is None and x.ndim == 2:
        return Text(f"{x.within(ATOM)}.mT")
    order = [i % x.ndim for i in (range(x.ndim)[::-1] if axes is None else axes)]
    return Text(
        f"{x.within(ATOM)}.transpose({', '.join(map(str, [0, *(i + 1 for i in order)] if x.batched else order))})"
    )


def swapaxes(words: Wording, value: Value, operands: list[Text]) -> Text | None:
    (x,), axes = operands, (value.attributes["axis1"], value.attributes["axis2"])
    first, second = (i % x.ndim - x.ndim for i in axes)
    return Text(f"{x.within(ATOM)}.swapaxes({first}, {second})")


def reduction(words: Wording, value: Value, operands: list[Text]) -> Text | None:
    (x,), axis = operands, value.attributes["axis"]
    axes = range(x.ndim) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    counted = tuple(i % x.ndim - x.ndim for i in axes)
    if not counted:
        return x if value.operation in ("sum", "mean", "max", "min", "prod") else None
    keep = ["keepdims=True"] * value.attributes["keepdims"]
    which = [f"axis={counted[0] if len(counted) == 1 else counted}"] * (
        x.batched or len(counted) < x.ndim or bool(keep)
    )
    return Text(f"{x.within(ATOM)}.{value.operation}({', '.join(which + keep)})")


def softmax(words: Wording, value: Value, operands: list[Text]) -> Text | None:
    """The engine's own function of the last axis."""
    (x,), axis = operands, value.attributes["axis"]
    if not isinstance(axis, int) or axis % x.ndim != x.ndim - 1:
        return None
    return Text(f"{value.operation}({x.text}{', keepdims=True' * bool(value.attributes.get('keepdims'))})")


def one_hot(words: Wording, value: Value, operands: list[Text]) -> Text | None:
    """In the forward pass the engine's function, which looks at the labels."""
    classes, dtype = words.size(value.attributes["classes"]), words.dtype(value.attributes["dtype"])
    return Text(f"{'tg.' * (value.rule_of is None)}one_hot({operands[0].text}, {classes}, {dtype})")


def cross_entropy(words: Wording, value: Value, operands: list[Text]) -> Text | None:
    logits, labels = operands
    reduction = value.attributes["reduction"]
    if value.attributes["weights"] is not None or value.attributes["ignore_index"] is not None:
        return None
    if not (logits.batched or labels.batched):
        how = "" if reduction == "mean" else f", reduction={reduction!r}"
        return Text(f"cross_entropy({logits.text}, {labels.text}{how})")
    if not (logits.batched and labels.batched):
        return None
    each = f'cross_entropy({logits.text}, {labels.text}, reduction="none")'
    axes = tuple(range(-labels.ndim, 0))
    if reduction == "none" or not axes:
        return Text(each)
    return Text(f"{each}.{reduction}(axis={axes[0] if len(axes) == 1 else axes})")


def getitem(words: Wording, value: Value, operands: list[Text]) -> Text | None:
    x, *tensors = operands
    index = value.attributes["index"]
    if tensors:
        if len(index) > 1 or len(tensors) > 1 or x.batched:
            return None
        return Text(f"{x.within(ATOM)}[{tensors[0].text}]")
    if any(not (part is None or part is Ellipsis or isinstance(part, (int, slice))) for part in index):
        return None
    parts = words.subscript(index)
    return Text(f"{x.within(ATOM)}[{':, ' * x.batched}{parts}]")


def concatenate(words: Wording, value: Value, operands: list[Text]) -> Text | None:
    if len({x.batched for x in operands}) > 1:
        return None
    ndim = len(value.shape)
    axis = value.attributes["axis"] % ndim
    axis = axis - ndim if operands[0].batched else axis
    return Text(f"np.{value.operation}([{', '.join(x.text for x in operands)}]{f', axis={axis}' * bool(axis)})")


def reshape(words: Wording, value: Value, operands: list[Text]) -> Text | None:
    (x,) = operands
    if value.operation == "expand_dims":
        axes = value.attributes["axis"]
        axes = axes if isinstance(axes, tuple) else (axes,)
        new = [i % len(value.shape) for i in axes]
        parts = ["None" if i in new else ":" for i in range(len(value.shape))]
        return Text(f"{x.within(ATOM)}[{', '.join([':'] * x.batched + parts)}]")
    lead = words.length(value.span) if x.batched else ""
    return Text(f"{x.within(ATOM)}.reshape{words.shape(value.shape, lead)}")


def broadcast_to(words: Wording, value: Value, operands: list[Text]) -> Text | None:
    (x,) = aligned(value, operands)
    lead = words.length(value.span) if x.batched else ""
    return Text(f"np.broadcast_to({x.text}, {words.shape(value.shape, lead)})")


def einsum(words: Wording, value: Value, operands: list[Text]) -> Text | None:
    subscripts = value.attributes["subscripts"]
    if any(x.batched for x in operands):
        letter = next(c for c in "tTzZqQ" if c not in subscripts)
        terms, result = subscripts.split("->")
        terms = [letter * x.batched + term for term, x in zip(terms.split(","), operands, strict=True)]
        subscripts = f"{','.join(terms)}->{letter}{result}"
    return Text(f'np.einsum("{subscripts}", {", ".join(x.text for x in operands)})')


def scatter(words: Wording, value: Value, operands: list[Text]) -> Text | None:
    """What is added at some places of an array of zeros."""
    index, shape = value.attributes["index"], value.attributes["shape"]
    if len(operands) == 2 and len(index) == 1 and not operands[0].batched:
        return Text(f"scatter({operands[0].text}, {operands[1].text}, {words.shape(shape)})")
    if len(operands) > 1 or any(not isinstance(part, (int, slice)) for part in index):
        return None
    (x,) = operands
    lead = words.length(value.span) if x.batched else ""
    where = f"np.s_[{':, ' * x.batched}{words.subscript(index)}]"
    return Text(f"placed({x.text}, {where}, {words.shape(shape, lead)})")


ENTRIES: dict[str, Entry] = {
    **dict.fromkeys((*BINARY, *NUMPY, *OWN, "plus", "negative", "positive", "same"), elementwise),
    **dict.fromkeys(REDUCTIONS, reduction),
    **dict.fromkeys(("softmax", "log_softmax", "logsumexp"), softmax),
    **dict.fromkeys(("concatenate", "stack"), concatenate),
    **dict.fromkeys(("reshape", "squeeze", "expand_dims"), reshape),
    "astype": astype,
    "as_integer": astype,
    "clip": clip,
    "matmul": matmul,
    "transpose": transpose,
    "swapaxes": swapaxes,
    "one_hot": one_hot,
    "cross_entropy": cross_entropy,
    "getitem": getitem,
    "broadcast_to": broadcast_to,
    "einsum": einsum,
    "scatter": scatter,
}
