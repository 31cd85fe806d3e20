"""Values and gradients beside PyTorch's, operation by operation, in float32 and float64."""

import numpy as np
import pytest

import tinygrad_rnn as tg

torch = pytest.importorskip("torch")
F = torch.nn.functional
inf = float("inf")

LABELS = np.array([[0, 4, 2], [1, 1, 3]])
SOME_IGNORED = np.array([[0, -100, 2], [1, 1, -100]])
WEIGHTS = [1.0, 2.0, 0.5, 0.0, 3.0]
ROWS = np.array([[0, 2, 2], [3, 0, 1]])
MASK = np.arange(30).reshape(2, 3, 5) % 3 > 0


def logits_first(x, *rest, **keywords):
    """PyTorch wants the classes second."""
    return F.cross_entropy(x.movedim(-1, 1), *rest, **keywords)


def long(array):
    return torch.tensor(array)


def weights(x):
    return torch.tensor(WEIGHTS, dtype=x.dtype)


S = (2, 3, 5)
# name: shapes of the inputs, ours, PyTorch's; "+": the inputs are positive
CASES = {
    "add": ([S, (3, 1)], lambda a, b: a + b, lambda a, b: a + b),
    "subtract": ([(5,), S], lambda a, b: a - b, lambda a, b: a - b),
    "multiply": ([S, ()], lambda a, b: a * b, lambda a, b: a * b),
    "divide": ([S, (1, 5)], lambda a, b: a / b, lambda a, b: a / b),
    "remainder": ([S, (3, 1)], lambda a, b: a % b, lambda a, b: a % b),
    "power +": ([S, (5,)], lambda a, b: a**b, lambda a, b: a**b),
    "power of a number": ([S], lambda a: a**3 + 2**a, lambda a: a**3 + 2**a),
    "negative": ([S], lambda a: -a, lambda a: -a),
    "exp": ([S], tg.exp, torch.exp),
    "expm1": ([S], tg.expm1, torch.expm1),
    "log +": ([S], tg.log, torch.log),
    "log1p +": ([S], tg.log1p, torch.log1p),
    "sqrt +": ([S], tg.sqrt, torch.sqrt),
    "square": ([S], tg.square, torch.square),
    "abs": ([S], abs, abs),
    "sin": ([S], tg.sin, torch.sin),
    "cos": ([S], tg.cos, torch.cos),
    "tanh": ([S], tg.tanh, torch.tanh),
    "sigmoid": ([S], tg.sigmoid, torch.sigmoid),
    "relu": ([S], tg.relu, torch.relu),
    "softplus": ([S], tg.softplus, F.softplus),
    "gelu": ([S], tg.gelu, F.gelu),
    "gelu by tanh": ([S], lambda a: tg.gelu(a, approximate="tanh"), lambda a: F.gelu(a, approximate="tanh")),
    "erfc": ([S], tg.erfc, torch.erfc),
    "reciprocal +": ([S], tg.reciprocal, torch.reciprocal),
    "exp2": ([S], tg.exp2, torch.exp2),
    "log2 +": ([S], tg.log2, torch.log2),
    "log10 +": ([S], tg.log10, torch.log10),
    "tan": ([S], lambda a: tg.tan(a / 4), lambda a: torch.tan(a / 4)),
    "sinh": ([S], tg.sinh, torch.sinh),
    "cosh": ([S], tg.cosh, torch.cosh),
    "arcsin": ([S], lambda a: tg.arcsin(a / 4), lambda a: torch.arcsin(a / 4)),
    "arccos": ([S], lambda a: tg.arccos(a / 4), lambda a: torch.arccos(a / 4)),
    "arctan": ([S], tg.arctan, torch.arctan),
    "arcsinh": ([S], tg.arcsinh, torch.arcsinh),
    "arccosh +": ([S], lambda a: tg.arccosh(1 + a), lambda a: torch.arccosh(1 + a)),
    "arctanh": ([S], lambda a: tg.arctanh(a / 4), lambda a: torch.arctanh(a / 4)),
    "arctan2": ([S, (3, 1)], tg.arctan2, torch.arctan2),
    "maximum": ([S, (5,)], tg.maximum, torch.maximum),
    "minimum": ([S, (5,)], tg.minimum, torch.minimum),
    "clip": ([S], lambda a: tg.clip(a, -0.5, 0.7), lambda a: torch.clamp(a, -0.5, 0.7)),
    "logaddexp": ([S, (3, 1)], tg.logaddexp, torch.logaddexp),
    "where": ([S, ()], lambda a, b: tg.where(MASK, a, b), lambda a, b: torch.where(long(MASK), a, b)),
    "sum": ([S], lambda a: a.sum(axis=(0, -1)), lambda a: a.sum(dim=(0, -1))),
    "mean": ([S], lambda a: a.mean(1, keepdims=True), lambda a: a.mean(1, keepdim=True)),
    "max": ([S], lambda a: a.max(axis=(0, 2)), lambda a: a.amax((0, 2))),
    "min": ([S], lambda a: a.min(axis=1), lambda a: a.amin(1)),
    "prod": ([S], lambda a: a.prod(1), lambda a: a.prod(1)),
    "var": ([S], lambda a: a.var(axis=(0, 1), ddof=1), lambda a: a.var((0, 1))),
    "std": ([S], lambda a: a.std(-1), lambda a: a.std(-1, correction=0)),
    "norm": ([S], lambda a: tg.norm(a, axis=1), lambda a: torch.linalg.vector_norm(a, dim=1)),
    **{
        f"norm of order {p}": (
            [S],
            lambda a, p=p: tg.norm(a, p, axis=1),
            lambda a, p=p: torch.linalg.vector_norm(a, p, dim=1),
        )
        for p in (1, 3, 0.5, inf, -inf)
    },
    "norm of a matrix": (
        [S],
        lambda a: tg.norm(a, 1, axis=(0, 2)) + tg.norm(a, inf, axis=(0, 2)),
        lambda a: torch.linalg.matrix_norm(a, 1, dim=(0, 2)) + torch.linalg.matrix_norm(a, inf, dim=(0, 2)),
    ),
    "var with a correction": ([S], lambda a: a.var(1, correction=1), lambda a: a.var(1, correction=1)),
    "std with a correction": ([S], lambda a: a.std((0, 2), correction=2), lambda a: a.std((0, 2), correction=2)),
    "cumprod": ([S], lambda a: tg.cumprod(a, 1), lambda a: torch.cumprod(a, 1)),
    "sort": ([S], lambda a: tg.sort(a, 1), lambda a: torch.sort(a, 1)[0]),
    "take_along_axis": (
        [S],
        lambda a: tg.take_along_axis(a, ROWS[..., None] % 3, 1),
        lambda a: torch.take_along_dim(a, long(ROWS[..., None] % 3), 1),
    ),
    "diff": ([S], lambda a: tg.diff(a, 2, 1), lambda a: torch.diff(a, 2, 1)),
    "logsumexp": ([S], lambda a: tg.logsumexp(a, axis=(0, 2)), lambda a: torch.logsumexp(a, (0, 2))),
    "cumsum": ([S], lambda a: tg.cumsum(a, 1), lambda a: torch.cumsum(a, 1)),
    "reshape": ([S], lambda a: a.reshape(5, -1), lambda a: a.reshape(5, -1)),
    "transpose": ([S], lambda a: a.transpose(2, 0, 1), lambda a: a.permute(2, 0, 1)),
    "swapaxes": ([S], lambda a: a.swapaxes(0, -1), lambda a: a.swapaxes(0, -1)),
    "broadcast_to": ([(3, 1)], lambda a: tg.broadcast_to(a, S), lambda a: torch.broadcast_to(a, S)),
    "expand and squeeze": ([S], lambda a: tg.squeeze(tg.expand_dims(a, 1), 1), lambda a: a.unsqueeze(1).squeeze(1)),
    "flip": ([S], lambda a: tg.flip(a, (0, 2)), lambda a: a.flip((0, 2))),
    "pad": (
        [(2, 3)],
        lambda a: tg.pad(a, ((0, 0), (1, 2)), constant_values=0.5),
        lambda a: F.pad(a, (1, 2), value=0.5),
    ),
    **{
        f"pad by {mode}": (
            [(2, 4)],
            lambda a, mode=mode: tg.pad(a, ((0, 0), (1, 3)), mode=mode),
            lambda a, theirs=theirs: F.pad(a, (1, 3), mode=theirs),
        )
        for mode, theirs in (("reflect", "reflect"), ("edge", "replicate"), ("wrap", "circular"))
    },
    "copy": ([S], tg.copy, torch.clone),
    "flipud and fliplr": ([S], lambda a: tg.flipud(tg.fliplr(a)), lambda a: torch.flipud(torch.fliplr(a))),
    "moveaxis": ([S], lambda a: tg.moveaxis(a, (0, 1), (-1, 0)), lambda a: torch.moveaxis(a, (0, 1), (-1, 0))),
    "roll": ([S], lambda a: tg.roll(a, (1, -2), (0, 2)), lambda a: torch.roll(a, (1, -2), (0, 2))),
    "repeat": ([S], lambda a: tg.repeat(a, 2, 1), lambda a: torch.repeat_interleave(a, 2, 1)),
    "tile": ([S], lambda a: tg.tile(a, (2, 1, 3)), lambda a: torch.tile(a, (2, 1, 3))),
    "tril": ([S], lambda a: tg.tril(a, 1), lambda a: torch.tril(a, 1)),
    "triu": ([S], lambda a: tg.triu(a, -1), lambda a: torch.triu(a, -1)),
    "vstack": ([(4,), (2, 4)], lambda a, b: tg.vstack([a, b]), lambda a, b: torch.vstack([a, b])),
    "hstack": ([S, (2, 1, 5)], lambda a, b: tg.hstack([a, b]), lambda a, b: torch.hstack([a, b])),
    "column_stack": ([(2,), (2, 4)], lambda a, b: tg.column_stack([a, b]), lambda a, b: torch.column_stack([a, b])),
    "unstack": ([S], lambda a: tg.unstack(a, 1)[2], lambda a: torch.unbind(a, 1)[2]),
    "array_split": ([S], lambda a: tg.array_split(a, 3, 2)[1], lambda a: torch.tensor_split(a, 3, 2)[1]),
    "hsplit": ([S], lambda a: tg.hsplit(a, [1])[1], lambda a: torch.hsplit(a, [1])[1]),
    "atleast_1d": ([()], tg.atleast_1d, torch.atleast_1d),
    "atleast_2d": ([(3,)], tg.atleast_2d, torch.atleast_2d),
    "concatenate": ([S, (2, 1, 5)], lambda a, b: tg.concatenate([a, b, a], 1), lambda a, b: torch.cat([a, b, a], 1)),
    "stack": ([S, S], lambda a, b: tg.stack([a, b], -1), lambda a, b: torch.stack([a, b], -1)),
    "split": ([S], lambda a: tg.split(a, [1, 3], 2)[1], lambda a: torch.tensor_split(a, [1, 3], 2)[1]),
    "unbind": ([S], lambda a: tg.unbind(a, 1)[2], lambda a: a.unbind(1)[2]),
    "slice": ([S], lambda a: a[:, 2:0:-1, ::2], lambda a: a.flip(1)[:, :2, ::2]),
    "index": ([S], lambda a: a[[1, 0, 1, 1], :, [0, 4, 0, 2]], lambda a: a[[1, 0, 1, 1], :, [0, 4, 0, 2]]),
    "mask": ([S], lambda a: a[MASK], lambda a: a[long(MASK)]),
    "take": ([S], lambda a: tg.take(a, ROWS, 2), lambda a: a[:, :, long(ROWS)]),
    "embedding": ([(4, 3)], lambda w: tg.embedding(w, ROWS), lambda w: F.embedding(long(ROWS), w)),
    "matmul of matrices": ([(4, 3), (3, 5)], lambda a, b: a @ b, lambda a, b: a @ b),
    "matmul by a transposed": ([(4, 3), (5, 3)], lambda a, b: a @ b.T, lambda a, b: a @ b.T),
    "matmul of vectors": ([(4,), (4,)], lambda a, b: a @ b, lambda a, b: a @ b),
    "matmul of a vector": ([(3,), (2, 3, 5)], lambda a, b: a @ b, lambda a, b: a @ b),
    "matmul by a vector": ([(2, 3, 5), (5,)], lambda a, b: a @ b, lambda a, b: a @ b),
    "matmul of stacks": ([(4, 1, 2, 3), (5, 3, 2)], lambda a, b: a @ b, lambda a, b: a @ b),
    "outer": ([(4,), (3,)], tg.outer, torch.outer),
    "diagonal": ([(4, 3, 2)], lambda a: tg.diagonal(a, -1), lambda a: torch.diagonal(a, -1)),
    "diagonal of other axes": ([S], lambda a: tg.diagonal(a, 1, -1, 0), lambda a: torch.diagonal(a, 1, -1, 0)),
    "diag of a vector": ([(3,)], lambda a: tg.diag(a, 1), lambda a: torch.diag(a, 1)),
    "diag of a matrix": ([(3, 4)], lambda a: tg.diag(a, -1), lambda a: torch.diag(a, -1)),
    "trace": ([(4, 3)], tg.trace, torch.trace),
    "dot": ([(4,), (4,)], tg.dot, torch.dot),
    "inner": ([S, (4, 5)], tg.inner, torch.inner),
    "vecdot": ([S, (3, 5)], tg.vecdot, torch.linalg.vecdot),
    "tensordot": (
        [(2, 3, 4), (4, 3, 5)],
        lambda a, b: tg.tensordot(a, b, ([1, 2], [1, 0])),
        lambda a, b: torch.tensordot(a, b, ([1, 2], [1, 0])),
    ),
    "einsum": (
        [(2, 3, 4), (2, 4, 5), (5,)],
        lambda a, b, c: tg.einsum("bij,bjk,k->ib", a, b, c),
        lambda a, b, c: torch.einsum("bij,bjk,k->ib", a, b, c),
    ),
    "einsum with a diagonal": ([(3, 3, 2)], lambda a: tg.einsum("iij", a), lambda a: torch.einsum("iij", a)),
    "einsum with an ellipsis": (
        [(2, 3, 4), (4, 5)],
        lambda a, b: tg.einsum("...j,jk", a, b),
        lambda a, b: torch.einsum("...j,jk", a, b),
    ),
    "softmax": ([S], lambda a: tg.softmax(a, axis=1), lambda a: torch.softmax(a, 1)),
    "log_softmax": ([S], lambda a: tg.log_softmax(a), lambda a: torch.log_softmax(a, -1)),
    "cross_entropy": ([S], lambda a: tg.cross_entropy(a, LABELS), lambda a: logits_first(a, long(LABELS))),
    "cross_entropy summed": (
        [S],
        lambda a: tg.cross_entropy(a, LABELS, reduction="sum"),
        lambda a: logits_first(a, long(LABELS), reduction="sum"),
    ),
    "cross_entropy of each": (
        [S],
        lambda a: tg.cross_entropy(a, LABELS, weights=WEIGHTS, reduction="none"),
        lambda a: logits_first(a, long(LABELS), weight=weights(a), reduction="none"),
    ),
    "cross_entropy with weights and ignored labels": (
        [S],
        lambda a: tg.cross_entropy(a, SOME_IGNORED, weights=WEIGHTS, ignore_index=-100),
        lambda a: logits_first(a, long(SOME_IGNORED), weight=weights(a)),
    ),
    "cross_entropy with probabilities +": (
        [S, S],
        tg.cross_entropy,
        lambda a, p: F.cross_entropy(a.movedim(-1, 1), p.movedim(-1, 1)),
    ),
    "cross_entropy with probabilities and weights +": (
        [(3, 5), (3, 5)],
        lambda a, p: tg.cross_entropy(a, p, weights=WEIGHTS),
        lambda a, p: F.cross_entropy(a, p, weight=weights(a)),
    ),
    "mse": ([S, S], tg.mse, F.mse_loss),
    "binary_cross_entropy_with_logits +": (
        [S, S],
        tg.binary_cross_entropy_with_logits,
        F.binary_cross_entropy_with_logits,
    ),
    "binary_cross_entropy_with_logits and weights +": (
        [S, S],
        lambda a, t: tg.binary_cross_entropy_with_logits(a, t, weight=WEIGHTS, pos_weight=WEIGHTS[::-1]),
        lambda a, t: F.binary_cross_entropy_with_logits(
            a, t, weights(a), pos_weight=torch.tensor(WEIGHTS[::-1], dtype=a.dtype)
        ),
    ),
}


def compare(arrays, ours, theirs, dtype, tolerance):
    rng = np.random.default_rng(1)
    leaves = [tg.Tensor(a, dtype=dtype, requires_grad=True) for a in arrays]
    beside = [torch.tensor(np.array(leaf.data), requires_grad=True) for leaf in leaves]
    y, z = ours(*leaves), theirs(*beside)
    assert (y.shape, y.dtype) == (tuple(z.shape), z.detach().numpy().dtype)
    np.testing.assert_allclose(y.data, z.detach().numpy(), rtol=tolerance, atol=tolerance)
    given = rng.normal(size=y.shape).astype(dtype)
    y.backward(given)
    z.backward(torch.tensor(given))
    for leaf, t in zip(leaves, beside, strict=True):
        assert leaf.grad.dtype == dtype
        np.testing.assert_allclose(leaf.grad.data, t.grad.numpy(), rtol=10 * tolerance, atol=10 * tolerance)


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float32, 1e-6), (np.float64, 1e-14)])
@pytest.mark.parametrize("name", CASES)
def test_values_and_gradients_are_pytorchs(name, dtype, tolerance):
    shapes, ours, theirs = CASES[name]
    rng = np.random.default_rng(0)
    arrays = [rng.uniform(0.2, 1.5, s) if name.endswith("+") else rng.normal(size=s) for s in shapes]
    compare(arrays, ours, theirs, dtype, tolerance)


@pytest.mark.parametrize("name", ["tanh", "sigmoid", "softplus", "relu", "softmax", "log_softmax", "logsumexp"])
@pytest.mark.parametrize("x", [[1000.0, 0.0, -1000.0], [0.0, 0.0, 0.0], [88.0, 90.0, -104.0], [-inf, 0.0, 1.0]])
def test_at_the_ends_of_the_numbers_too(name, x):
    last = name in ("softmax", "log_softmax", "logsumexp")
    theirs = F.softplus if name == "softplus" else getattr(torch, name)
    for dtype, tolerance in (np.float32, 2e-6), (np.float64, 1e-14):
        compare([x], getattr(tg, name), (lambda a: theirs(a, -1)) if last else theirs, dtype, tolerance)


@pytest.mark.parametrize("name", CASES)
def test_second_derivatives_are_pytorchs(name):
    """The gradient of ⟨∇⟨u, f⟩, v⟩ for random u and v."""
    shapes, ours, theirs = CASES[name]
    rng = np.random.default_rng(0)
    arrays = [rng.uniform(0.2, 1.5, s) if name.endswith("+") else rng.normal(size=s) for s in shapes]
    directions = [rng.normal(size=s) for s in shapes]
    beside = [torch.tensor(a, requires_grad=True) for a in arrays]
    z = theirs(*beside)
    u = rng.normal(size=tuple(z.shape))

    slopes = torch.autograd.grad((z * torch.tensor(u)).sum(), beside, create_graph=True)
    along = sum((g * torch.tensor(v)).sum() for g, v in zip(slopes, directions, strict=True))
    if along.requires_grad:
        expected = torch.autograd.grad(along, beside, allow_unused=True, materialize_grads=True)
    else:
        expected = [torch.zeros(s, dtype=torch.float64) for s in shapes]

    every = tuple(range(len(arrays)))

    def directional(*x):
        return sum((g * v).sum() for g, v in zip(tg.grad(weighted, every)(*x), directions, strict=True))

    def weighted(*x):
        return (ours(*x) * u).sum()

    for found, e in zip(tg.grad(directional, every)(*arrays), expected, strict=True):
        np.testing.assert_allclose(found.data, e.numpy(force=True), rtol=1e-11, atol=1e-12)
