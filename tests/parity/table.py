"""The operations that random programs consist of: each as written for NumPy on our tensors, and for PyTorch.

The functions draw operands and options with the help of the writer w. They raise Unfit if its variables do not fit.
`TABLE` lists for each of them the operations that take such operands.
"""

import numpy as np


class Unfit(Exception):
    """No variable of the program fits the operation."""


def unary(w):
    return {"a": w.any()}


def small(w):
    a = w.any()
    if w.special and (abs(a.value) > 3).any():
        raise Unfit  # gelu(∞) is NaN in PyTorch; and an infinite gradient of ours becomes NaN where the slope is level
    return {"a": a}


def binary(w):
    a = w.any()
    return w.shuffled(a, w.beside(lambda b: broadcast(a.shape, b.shape), w.broadcasting(a.shape)))


def apart(w):
    fields = binary(w)
    if not w.special and (abs(fields["a"].value - fields["b"].value) > 80).any():
        raise Unfit  # PyTorch's second derivative of logaddexp is NaN there
    return fields


def raised(w):
    fields = binary(w)
    a, b = fields["a"].value, fields["b"].value
    if (b == 0).any() and (not w.special or a.isnan().any()):
        raise Unfit  # At b = 0 PyTorch's mixed second derivative is 0, not 1/a, and its slope of NaN⁰ is 0, not NaN
    return fields


def alike(w):
    a = w.any()
    return w.shuffled(a, w.beside(lambda b: a.shape == b.shape, a.shape))


def chosen(w):
    fields = binary(w)
    shape = np.broadcast_shapes(fields["a"].shape, fields["b"].shape)
    return fields | {"mask": text(np.asarray(w.rng.random(w.pick([shape, shape[1:], ()])) < 0.5))}


def untaken(w):
    """For a branch with infinite values or slopes where it is not taken."""
    fields = chosen(w)
    if not w.special or fields["a"].value.dtype != fields["b"].value.dtype:
        raise Unfit  # PyTorch's second derivative may be NaN there, and its dtypes must not be mixed
    return fields


def matrix(w):
    a = w.any(lambda a: len(a.shape) >= 2)
    return {"a": a, "offset": w.between(-2, 2)}


def flat_matrix(w):
    a = w.any(lambda a: len(a.shape) in (1, 2))
    return {"a": a, "offset": w.between(-1, 1)}


def axes(w, shape):
    """Every kind of axis: None, a number, several, none at all."""
    n = len(shape)
    some = [int(i) - n * w.chance(0.3) for i in w.rng.permutation(n)[: w.between(0, n)]]
    return w.pick([None, tuple(some), *some[:1]])


def reduced(w, fits=lambda a: True):
    a = w.any(fits)
    return {"a": a, "axis": axes(w, a.shape), "keepdims": w.chance(0.5)}


def filled(w):
    return reduced(w, lambda a: 0 not in a.shape)


def spread(w):
    """For a variance, which needs more elements than `ddof`."""
    fields = filled(w)
    a, axis = fields["a"], fields["axis"]
    count = np.zeros(a.shape).size // max(1, np.zeros(a.shape).sum(axis).size)
    return fields | {"ddof": w.pick([0, 1]) if count > 1 else 0}


def along(w, fits=lambda a: a.shape):
    a = w.any(lambda a: a.shape and fits(a))
    return {"a": a, "axis": w.axis(a.shape)}


def finite(w):
    fields = along(w)
    if not fields["a"].value.isfinite().all():
        raise Unfit  # PyTorch divides cumulative products by their factors
    return fields


def row(w):
    """A vector, or a longer array made one."""
    return along(w, lambda a: 0 not in a.shape)


def product(w):
    """Vectors, matrices and stacks of them, in every pairing of ranks."""
    a = w.any(lambda a: a.shape)
    if w.chance(0.5):  # a on the left
        inner, stack = a.shape[-1], a.shape[:-2]
        shape = w.pick([(inner,), (inner, w.length()), (*w.broadcasting(stack), inner, w.length())])
        fits = lambda b: b.shape and b.shape[-2:][0] == inner and broadcast(stack, b.shape[:-2])
        return {"a": a, "b": w.beside(fits, shape)}
    inner, stack = a.shape[-2:][0], a.shape[:-2]
    shape = w.pick([(inner,), (w.length(), inner), (*w.broadcasting(stack), w.length(), inner)])
    fits = lambda b: b.shape and b.shape[-1] == inner and broadcast(stack, b.shape[:-2])
    return {"a": w.beside(fits, shape), "b": a}


def small_product(w):
    fields = product(w)
    if max(len(fields["a"].shape), len(fields["b"].shape)) > 2:
        raise Unfit
    return fields


def vectors(w):
    fields = alike(w)
    if not fields["a"].shape:
        raise Unfit
    return fields


EINSUMS = (
    "i->", "i->i", "ij->ji", "ij->", "ij->j", "ii->", "ii->i", "iij->j", "ba", "i...->...", "ijk->kij",
    "i,i->", "i,j->ij", "ij,jk->ik", "ij,jk", "ij,kj->ik", "bij,bjk->bik", "ij,ij->i", ",i->i", "...i,i",
    "...ij,jk->...ik", "i...,i", "bij,j->bi", "ij,jk,kl->il", "ij,j,i->",
)  # fmt: skip


def named(term, shape):
    """The letters of an einsum's term with their lengths in an operand of this shape; {} if the two do not match."""
    before, dots, after = term.partition("...")
    letters = before + after
    if len(shape) < len(letters) or (not dots and len(shape) > len(letters)):
        return {}
    lengths = (*shape[: len(before)], *shape[len(shape) - len(after) :])
    found = dict(zip(letters, lengths, strict=True))
    return found if lengths == tuple(found[c] for c in letters) else {}


def einsum(count):
    """For einsums with that many operands; an axis of length 1 may stand for any length."""

    def draw(w):
        first, *terms = (subscripts := w.pick(choices)).split("->")[0].split(",")
        a = w.any(lambda v: (not first and not v.shape) or named(first, v.shape))
        operands, lengths = [a], named(first, a.shape)
        if w.special and (count == 3 or len(set(first)) < len(first.replace("...", "."))):
            raise Unfit  # Our gradient of a diagonal is g · 0 beside it; products and sums may be in another order
        for term in terms:
            new = {c: lengths.setdefault(c, w.length()) for c in term.replace("...", "")}
            operands.append(w.leaf(tuple(1 if w.chance(0.1) and not w.special else n for n in new.values())))
        return dict(zip("abc", operands, strict=False)) | {"subscripts": repr(subscripts)}

    choices = [subscripts for subscripts in EINSUMS if subscripts.count(",") == count - 1]
    return draw


def reshaped(w):
    a = w.any()
    n = int(np.prod(a.shape))
    shape = w.pick([a.shape[::-1], (n,), (1, n), (*a.shape, 1), *([(k, n // k) for k in (2, 3) if n and n % k == 0])])
    if n and shape and w.chance(0.4):
        shape = list(shape)
        shape[w.between(0, len(shape) - 1)] = -1
    return {"a": a, "shape": tuple(shape)}


def permuted(w):
    a = w.any()
    n = len(a.shape)
    if n == 1 and w.chance(0.7):
        return {"a": a, "order": w.pick([0, -1])}
    return {"a": a, "order": tuple(int(i) - n * w.chance(0.3) for i in w.rng.permutation(n))}


def swapped(w):
    fields = along(w)
    return fields | {"other": w.axis(fields["a"].shape)}


def squeezed(w):
    a = w.any(lambda a: 1 in a.shape)
    ones = [i - len(a.shape) * w.chance(0.3) for i, n in enumerate(a.shape) if n == 1]
    axis = w.pick([None, tuple(ones), *ones])
    return {"a": a, "axis": axis, "dims": tuple(ones) if axis is None else axis}


def expanded(w):
    a = w.any()
    axis = w.pick([*range(-len(a.shape) - 1, len(a.shape) + 1), (0, 1), (0, -1)])
    return {"a": a, "axis": axis, "shape": np.expand_dims(np.zeros(a.shape), axis).shape}


def widened(w):
    a = w.any()
    shape = tuple(w.length() if n == 1 else n for n in a.shape)
    return {"a": a, "shape": (*w.pick([(), (2,), (1,)]), *shape)}


def flipped(w):
    a = w.any()
    axis = axes(w, a.shape)
    return {"a": a, "axis": axis, "dims": tuple(range(len(a.shape))) if axis is None else axis}


def padded(w):
    a = w.any(lambda a: a.shape)
    pair = lambda: (w.between(0, 2), w.between(0, 2))
    return {"a": a, "widths": w.pick([1, pair(), tuple(pair() for _ in a.shape)]), "value": w.pick([0, 0.5])}


def joined(w):
    """Pieces that differ along the axis only; one may come twice."""
    fields = along(w)
    a, axis = fields["a"], fields["axis"]
    shape = list(a.shape)
    shape[axis] = w.length()
    without = lambda s: [n for i, n in enumerate(s) if i != axis % len(a.shape)]
    fits = lambda b: len(b.shape) == len(a.shape) and without(a.shape) == without(b.shape)
    return fields | {"b": w.beside(fits, tuple(shape))}


def stacked(w):
    fields = alike(w)
    n = len(fields["a"].shape)
    return fields | {"axis": w.between(-n - 1, n)}


def cut(w):
    fields = along(w)
    cuts = sorted(w.between(0, 3) for _ in range(w.between(1, 2)))
    return fields | {"cuts": cuts, "i": w.between(0, len(cuts))}


def unbound(w):
    fields = along(w, lambda a: 0 not in a.shape)
    return fields | {"i": w.between(0, fields["a"].shape[fields["axis"]] - 1)}


def indexed(w):
    """Numbers, slices with steps of both signs, lists with repetitions, an ellipsis and new axes."""
    a = w.any(lambda a: a.shape and 0 not in a.shape)
    count, parts = w.between(1, 4), []
    for n in a.shape:
        start, stop, step = w.pick(["", w.between(-n, n)]), w.pick(["", w.between(-n, n)]), w.pick(["", 2, -1, -2])
        each = w.rng.integers(-n, n, count).tolist()
        parts.append(w.pick([":", f"{start}:{stop}:{step}", f"::{step}", str(each[0]), str(each)]))
    if w.chance(0.3):
        parts[w.between(0, len(parts) - 1) :] = ["..."]
    if w.chance(0.3):
        parts.insert(w.between(0, len(parts)), "np.newaxis")
    return {"a": a, "index": ", ".join(parts)}


def masked(w):
    a = w.any(lambda a: a.shape and 0 not in a.shape)
    return {"a": a, "index": text(w.rng.random(a.shape[: w.between(1, len(a.shape))]) < 0.6)}


def taken(w):
    fields = along(w, lambda a: 0 not in a.shape)
    a, axis = fields["a"], w.pick([None, fields["axis"]])
    n = int(np.prod(a.shape)) if axis is None else a.shape[axis]
    return {"a": a, "axis": axis, "indices": text(np.asarray(w.rng.integers(-n, n, w.shape()[:2])))}


def picked(w):
    fields = along(w, lambda a: 0 not in a.shape)
    a, axis = fields["a"], fields["axis"]
    shape = [w.between(1, 3) if i == axis % len(a.shape) else n for i, n in enumerate(a.shape)]
    return fields | {"indices": text(w.rng.integers(0, a.shape[axis], shape))}


def looked_up(w):
    a = w.any(lambda a: len(a.shape) == 2 and a.shape[0])
    return {"a": a, "indices": text(np.asarray(w.rng.integers(0, a.shape[0], w.shape()[:2])))}


def classified(w):
    a = w.any(lambda a: a.shape and a.shape[-1])
    labels = np.asarray(w.rng.integers(0, a.shape[-1], a.shape[:-1]))
    ignored = w.pick([None, -100, 0])
    if ignored == -100:
        labels = np.where(w.rng.random(labels.shape) < 0.3, ignored, labels)
    means = ["mean", "mean"] if (labels != ignored).any() else []
    weights = w.pick([None, np.linspace(0.5, 2, a.shape[-1]).tolist()])
    reduction = w.pick(["sum", "none", *means])
    return {"a": a, "labels": text(labels), "weights": weights, "ignored": ignored, "reduction": repr(reduction)}


def losing(w):
    fields = alike(w)
    reductions = ["sum", "none", *(["mean"] if 0 not in fields["a"].shape else [])]
    return fields | {"reduction": repr(w.pick(reductions))}


def broadcast(a, b):
    return all(m == n or 1 in (m, n) for m, n in zip(a[::-1], b[::-1], strict=False))


def text(array):
    return f"np.array({array.tolist()})" if array.size else f"np.zeros({array.shape}, {array.dtype.name!r})"


# -- the table -------------------------------------------------------------------------------------

STEEP = (
    "exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sqrt", "square", "reciprocal", "sinh", "cosh", "arcsin",
    "arccos", "arctanh",
)  # fmt: skip
GENTLE = ("sin", "cos", "tan", "tanh", "arctan", "arcsinh")

# drawing function: [(ours, PyTorch's), …]
TABLE = {
    unary: [
        ("-{a}", "-{a}"),
        ("+{a}", "+{a}"),
        ("2 - {a}", "2 - {a}"),
        ("{a} * 3", "{a} * 3"),
        ("1.5 / {a}", "felt(lambda a: 1.5 / a)({a})"),
        ("{a} ** 3", "felt(lambda a: a**3)({a})"),
        ("2 ** {a}", "felt(lambda a: 2**a)({a})"),
        ("{a}.astype(np.float32)", "{a}.to(f32)"),
        ("{a}.astype(np.float64)", "{a}.to(f64)"),
        *[(f"np.{f}({{a}})", f"felt(torch.{f})({{a}})") for f in STEEP],
        *[(f"np.{f}({{a}})", f"torch.{f}({{a}})") for f in GENTLE],
        *[(f"np.{f}({{a}})", f"read({{a}}, np.{f})") for f in ("copy", "atleast_1d", "atleast_2d", "ravel")],
        ("np.tile({a}, 2)", "read({a}, lambda p: np.tile(p, 2))"),
        ("tg.sigmoid({a})", "torch.sigmoid({a})"),
        ("tg.relu({a})", "kinked(torch.relu)({a})"),
        ("tg.softplus({a})", "softplus({a})"),
        ("tg.erfc({a})", "torch.erfc({a})"),
        ("np.arccosh({a})", "arccosh({a})"),
        ("np.abs({a})", "absolute({a})"),
        ("np.clip({a}, -0.5, 1)", "kinked(lambda a: torch.clamp(a, -0.5, 1))({a})"),
        ("np.clip({a}, None, 0.5)", "kinked(lambda a: torch.clamp(a, max=0.5))({a})"),
        ("{a}.T", "{a}.permute(tuple(range({a}.ndim))[::-1])"),
        ("np.where({a} > 0.25, {a}, -1)", "torch.where({a} > 0.25, {a}, -1)"),
    ],
    small: [
        ("tg.gelu({a})", "F.gelu({a})"),
        ("tg.gelu({a}, approximate='tanh')", "F.gelu({a}, approximate='tanh')"),
    ],
    binary: [
        ("{a} + {b}", "{a} + {b}"),
        ("{a} - {b}", "{a} - {b}"),
        ("{a} * {b}", "{a} * {b}"),
        ("{a} / {b}", "felt(torch.divide)({a}, {b})"),
        ("{a} % {b}", "{a} % {b}"),
        ("{a} * np.sign({b})", "{a} * sign({b})"),
        ("np.maximum({a}, {b})", "kinked(torch.maximum)({a}, {b})"),
        ("np.minimum({a}, {b})", "kinked(torch.minimum)({a}, {b})"),
        ("np.arctan2({a}, {b})", "torch.arctan2({a}, {b})"),
        ("np.where({a} > {b}, {b}, {a})", "torch.where({a} > {b}, {b}, {a})"),
        ("np.outer({a}, {b})", "torch.outer({a}.reshape(-1), {b}.reshape(-1))"),
    ],
    apart: [("np.logaddexp({a}, {b})", "logaddexp({a}, {b})")],
    raised: [("{a} ** {b}", "power({a}, {b})")],
    chosen: [
        ("np.where({mask}, {a}, {b})", "torch.where(torch.tensor({mask}), {a}, {b})"),
    ],
    untaken: [
        (
            f"np.where({{mask}}, np.{f}({{a}}), {{b}})",
            f"torch.where(torch.tensor({{mask}}), felt(torch.{f})({{a}}), {{b}})",
        )
        for f in ("exp", "log", "sqrt", "square")
    ],
    reduced: [
        ("np.sum({a}, axis={axis}, keepdims={keepdims})", "over(torch.sum, {a}, {axis}, {keepdims})"),
        ("np.prod({a}, axis={axis}, keepdims={keepdims})", "over(prod, {a}, {axis}, {keepdims})"),
        ("tg.norm({a}, axis={axis}, keepdims={keepdims})", "over(norm, {a}, {axis}, {keepdims})"),
    ],
    filled: [
        ("np.mean({a}, axis={axis}, keepdims={keepdims})", "over(torch.mean, {a}, {axis}, {keepdims})"),
        ("np.max({a}, axis={axis}, keepdims={keepdims})", "over(torch.amax, {a}, {axis}, {keepdims})"),
        ("np.min({a}, axis={axis}, keepdims={keepdims})", "over(torch.amin, {a}, {axis}, {keepdims})"),
        ("tg.logsumexp({a}, axis={axis}, keepdims={keepdims})", "over(torch.logsumexp, {a}, {axis}, {keepdims})"),
    ],
    spread: [
        (
            "np.var({a}, axis={axis}, ddof={ddof}, keepdims={keepdims})",
            "over(torch.var, {a}, {axis}, {keepdims}, correction={ddof})",
        ),
        (
            "np.std({a}, axis={axis}, ddof={ddof}, keepdims={keepdims})",
            "over(std, {a}, {axis}, {keepdims}, correction={ddof})",
        ),
    ],
    along: [
        ("np.cumsum({a}, axis={axis})", "torch.cumsum({a}, {axis})"),
        ("np.diff({a}, axis={axis})", "torch.diff({a}, dim={axis})"),
        ("np.sort({a}, axis={axis})", "torch.sort({a}, dim={axis}, stable=True).values"),
        ("np.roll({a}, 1, axis={axis})", "torch.roll({a}, 1, {axis})"),
        ("np.repeat({a}, 2, axis={axis})", "torch.repeat_interleave({a}, 2, {axis})"),
        ("tg.vector_norm({a}, axis={axis})", "over(norm, {a}, {axis})"),
    ],
    row: [
        ("tg.softmax({a}, axis={axis})", "torch.softmax({a}, {axis})"),
        ("tg.log_softmax({a}, axis={axis})", "torch.log_softmax({a}, {axis})"),
        ("np.cumsum({a})", "torch.cumsum({a}.reshape(-1), 0)"),
    ],
    finite: [("np.cumprod({a}, axis={axis})", "torch.cumprod({a}, {axis})")],
    product: [("{a} @ {b}", "{a} @ {b}")],
    small_product: [("np.dot({a}, {b})", "{a} @ {b}")],
    alike: [
        ("np.inner({a}, {b})", "torch.inner({a}, {b})"),
        ("np.tensordot({a}, {b}, {a}.ndim)", "torch.tensordot({a}, {b}, {a}.ndim)"),
        ("np.vstack([{a}, {b}])", "torch.vstack([{a}, {b}])"),
        ("np.hstack([{a}, {b}])", "torch.hstack([{a}, {b}])"),
        ("np.column_stack([{a}, {b}])", "torch.column_stack([{a}, {b}])"),
    ],
    vectors: [("np.vecdot({a}, {b})", "torch.linalg.vecdot({a}, {b})")],
    einsum(1): [("np.einsum({subscripts}, {a})", "torch.einsum({subscripts}, {a})")],
    einsum(2): [("np.einsum({subscripts}, {a}, {b})", "torch.einsum({subscripts}, {a}, {b})")],
    einsum(3): [("np.einsum({subscripts}, {a}, {b}, {c})", "torch.einsum({subscripts}, {a}, {b}, {c})")],
    matrix: [
        ("np.tril({a}, {offset})", "torch.tril({a}, {offset})"),
        ("np.triu({a}, {offset})", "torch.triu({a}, {offset})"),
        ("np.flipud({a})", "torch.flipud({a})"),
        ("np.fliplr({a})", "torch.fliplr({a})"),
        ("np.diagonal({a}, {offset})", "torch.diagonal({a}, {offset})"),
        ("np.trace({a}, {offset})", "torch.diagonal({a}, {offset}).sum(-1)"),
    ],
    flat_matrix: [("np.diag({a}, {offset})", "torch.diag({a}, {offset})")],
    reshaped: [("np.reshape({a}, {shape})", "torch.reshape({a}, {shape})")],
    permuted: [
        ("np.transpose({a}, {order})", "{a}.permute({order})"),
        ("{a}.transpose({order})", "{a}.permute({order})"),
    ],
    swapped: [
        ("np.swapaxes({a}, {axis}, {other})", "torch.swapaxes({a}, {axis}, {other})"),
        ("np.moveaxis({a}, {axis}, {other})", "torch.moveaxis({a}, {axis}, {other})"),
    ],
    squeezed: [("np.squeeze({a}, axis={axis})", "torch.squeeze({a}, {dims})")],
    expanded: [("np.expand_dims({a}, axis={axis})", "torch.reshape({a}, {shape})")],
    widened: [("np.broadcast_to({a}, {shape})", "torch.broadcast_to({a}, {shape})")],
    flipped: [("np.flip({a}, axis={axis})", "torch.flip({a}, {dims} if isinstance({dims}, tuple) else ({dims},))")],
    padded: [("np.pad({a}, {widths}, constant_values={value})", "pad({a}, {widths}, {value})")],
    joined: [
        ("np.concatenate([{a}, {b}], axis={axis})", "torch.cat([{a}, {b}], {axis})"),
        ("np.concatenate([{b}, {a}, {b}], axis={axis})", "torch.cat([{b}, {a}, {b}], {axis})"),
    ],
    stacked: [("np.stack([{a}, {b}], axis={axis})", "torch.stack([{a}, {b}], {axis})")],
    cut: [("np.split({a}, {cuts}, axis={axis})[{i}]", "torch.tensor_split({a}, {cuts}, {axis})[{i}]")],
    unbound: [
        ("tg.unbind({a}, axis={axis})[{i}]", "torch.unbind({a}, {axis})[{i}]"),
        ("np.unstack({a}, axis={axis})[{i}]", "torch.unbind({a}, {axis})[{i}]"),
        ("np.array_split({a}, {i} + 1, axis={axis})[{i}]", "torch.tensor_split({a}, {i} + 1, {axis})[{i}]"),
        ("np.hsplit({a}, [{i}])[1]", "torch.hsplit({a}, [{i}])[1]"),
    ],
    indexed: [("{a}[{index}]", "read({a}, lambda p: p[{index}])")],
    masked: [("{a}[{index}]", "read({a}, lambda p: p[{index}])")],
    taken: [("np.take({a}, {indices}, axis={axis})", "read({a}, lambda p: np.take(p, {indices}, {axis}))")],
    picked: [
        (
            "np.take_along_axis({a}, {indices}, axis={axis})",
            "read({a}, lambda p: np.take_along_axis(p, {indices}, {axis}))",
        )
    ],
    looked_up: [("tg.embedding({a}, {indices})", "read({a}, lambda p: p[{indices}])")],
    classified: [
        (
            "tg.cross_entropy({a}, {labels}, weights={weights}, ignore_index={ignored}, reduction={reduction})",
            "cross_entropy({a}, {labels}, {weights}, {ignored}, {reduction})",
        )
    ],
    losing: [
        ("tg.mse({a}, {b}, reduction={reduction})", "mse({a}, {b}, reduction={reduction})"),
        (
            "tg.binary_cross_entropy_with_logits({a}, {b}, reduction={reduction})",
            "binary_cross_entropy({a}, {b}, reduction={reduction})",
        ),
    ],
}
