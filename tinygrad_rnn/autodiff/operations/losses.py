"""Softmax and its relatives, the losses, dropout. The class axis is the last unless `axis` says otherwise."""

from typing import Any

import numpy as np

from ..errors import ShapeError, complaint
from ..operation import operation
from ..tensor import Tensor
from .elementwise import multiply, negative, softplus, square, subtract
from .linear import array_of, in_range, mean, shape_of, spread
from .linear import sum as _total


def _largest(x, axis):
    """max(x) along `axis`; of no elements it is −∞."""
    return np.maximum.reduce(x, axis=axis, keepdims=True, initial=None if x.size else -np.inf)


def _softmax(x, /, axis=-1):
    """eˣ / Σ eˣ along `axis`; NaN for a row with +∞ in it, and for a row of −∞ throughout."""
    e = np.exp(x - _largest(x, axis))
    e /= np.add.reduce(e, axis=axis, keepdims=True)
    return e


softmax = operation("softmax", _softmax, lambda g, y, _x, axis: y * (g - np.sum(g * y, axis=axis, keepdims=True)))


def _log_softmax(x, /, axis=-1):
    """log softmax(x) along `axis`, computed without the loss of precision of log(softmax(x))."""
    z = x - _largest(x, axis)
    with np.errstate(divide="ignore"):  # log 0, where there is no element
        return z - np.log(np.sum(np.exp(z), axis=axis, keepdims=True))


log_softmax = operation(
    "log_softmax", _log_softmax, lambda g, y, _x, axis: g - np.exp(y) * np.sum(g, axis=axis, keepdims=True)
)


def _logsumexp(x, /, axis=-1, keepdims=False):
    """log Σ eˣ along `axis` (one, several, or None: all), without overflow; of no elements it is −∞."""
    top = _largest(x, axis)
    top = np.where(np.isfinite(top), top, 0)
    with np.errstate(divide="ignore"):  # log 0 = −∞ is right where every element is −∞
        y = np.log(np.sum(np.exp(x - top), axis=axis, keepdims=True)) + top
    return y if keepdims else np.squeeze(y, axis)


def _logsumexp_rule(g, y, x, axis, keepdims):
    """g · softmax(x), and 0 for a term without a share in an infinite sum."""
    no_share = np.logical_and(np.isinf(spread(y, x, axis, keepdims)), x != np.inf)
    return spread(g, x, axis, keepdims) * np.where(no_share, 0, softmax(x, axis=axis))


logsumexp = operation("logsumexp", _logsumexp, _logsumexp_rule)

# -- losses ----------------------------------------------------------------------------------------


def _check_labels(name, labels, classes, ignore_index=None):
    """Raise TypeError unless the labels are integers, IndexError if one that is not ignored is not in [0, classes)."""
    if labels.dtype.kind not in "iu":
        raise complaint(TypeError, f"{name}: labels must be integers, not {labels.dtype}")
    if in_range(labels, classes):
        return
    wrong = np.argwhere((labels != ignore_index) & ((labels < 0) | (labels >= classes)))
    if len(wrong):
        first = tuple(int(i) for i in wrong[0])
        raise complaint(IndexError, f"{name}: label {labels[first]} at {list(first)} is not in [0, {classes})")


_one_hot = operation(
    "one_hot", lambda labels, /, classes, dtype: (labels[..., None] == np.arange(classes)).astype(dtype)
)


def one_hot(labels: Any, classes: Any, dtype: Any = float) -> Tensor:
    """Integer labels (...) as rows (..., classes) that are 1 at the label and 0 elsewhere.

    Raises TypeError for labels that are not integers, IndexError for one that is not in [0, classes).
    """
    values = array_of(labels)
    _check_labels("one_hot", values, classes)
    return _one_hot(labels if isinstance(labels, Tensor) else values, classes=classes, dtype=dtype)


def _weight_of_each(labels, /, weights, ignore_index, reduction):
    """How much the loss at each label counts in the result."""
    used = labels != ignore_index  # all, for None
    counts = used.astype(float) if weights is None else weights[np.where(used, labels, 0)] * used
    return counts / np.sum(counts) if reduction == "mean" else counts


_label_weight = operation("label_weight", _weight_of_each)


def _cross_entropy_forward(logits, labels, /, weights, ignore_index, reduction):
    z = logits - _largest(logits, -1)
    rows = z.reshape(-1, z.shape[-1])
    columns = (labels if ignore_index is None else np.where(labels != ignore_index, labels, 0)).reshape(-1)
    losses = np.log(np.add.reduce(np.exp(rows), axis=1)) - rows[np.arange(len(rows)), columns]
    if weights is not None or ignore_index is not None:
        counts = _weight_of_each(labels, weights, ignore_index, reduction).reshape(-1).astype(logits.dtype)
        losses = np.where(counts == 0, 0, losses * counts)
    elif reduction == "mean":
        losses /= len(rows)
    return losses.reshape(labels.shape) if reduction == "none" else np.add.reduce(losses)


def _cross_entropy_rule(g, _y, logits, labels, weights, ignore_index, reduction):
    """∂L/∂o = ŷ − y, for a sum over labels that all count alike."""
    on_tensors = isinstance(g, Tensor)
    error = softmax(logits) if on_tensors else _softmax(logits)
    error -= (_one_hot if on_tensors else _one_hot.forward)(labels, logits.shape[-1], logits.dtype)
    if reduction == "none":
        g = np.expand_dims(g, -1)
    if weights is not None or ignore_index is not None:
        counts = np.expand_dims(_label_weight(labels, weights, ignore_index, reduction), -1)
        error = np.where(counts == 0, 0, error * counts)
    elif reduction == "mean":
        g = g / labels.size
    return g * error


_cross_entropy = operation("cross_entropy", _cross_entropy_forward, (_cross_entropy_rule, None), "−log p", r"-\log p")


def cross_entropy(
    logits: Any, labels: Any, weights: Any = None, ignore_index: Any = None, reduction: Any = "mean"
) -> Tensor:
    """Softmax cross-entropy −log softmax(logits)[label], in nats.

    logits     (..., classes)
    labels     (...), integers in [0, classes); or (..., classes), the probabilities of the classes
    weights    (classes,), how much an example of each class counts; the mean is then the weighted mean
    ignore_index
               a label that does not count at all (padding); may lie outside [0, classes)
    reduction  "mean", "sum" or "none" (one loss for each label)

    Its gradient is ŷ − y (lecture, the derivation of ∂L/∂o). Raises TypeError for labels that are not
    integers, ShapeError for labels or weights of another shape, IndexError for a label out of range,
    ValueError if no label counts in a mean.
    """
    values, shape = array_of(labels), shape_of(logits)
    labels = labels if isinstance(labels, Tensor) else values
    probabilities = values.dtype.kind == "f" and values.shape == shape != ()
    if not probabilities and (not shape or values.shape != shape[:-1]):
        raise complaint(ShapeError, f"cross_entropy: logits {shape} need labels {shape[:-1]}, not {values.shape}")
    if weights is not None:
        weights = np.array(weights, float)
        if weights.shape != shape[-1:]:
            raise complaint(ShapeError, f"cross_entropy: logits {shape} need weights {shape[-1:]}, not {weights.shape}")
    if probabilities:
        if ignore_index is not None:
            raise complaint(TypeError, "cross_entropy: ignore_index is for integer labels: use rows of zeros")
        p = labels if weights is None else labels * weights.astype(labels.dtype)
        return _reduced("cross_entropy", -_total(p * log_softmax(logits), axis=-1), reduction)
    _check_labels("cross_entropy", values, shape[-1], ignore_index)
    _check_reduction("cross_entropy", reduction)
    if reduction == "mean":
        alike = weights is None and ignore_index is None
        if not (values.size if alike else np.sum(_weight_of_each(values, weights, ignore_index, "sum"))):
            raise complaint(ValueError, "cross_entropy: no label counts, so there is no mean: use reduction='sum'")
    options = {"weights": weights, "ignore_index": ignore_index, "reduction": reduction}
    return _cross_entropy.apply((logits, labels), options)


def _check_reduction(name, reduction):
    if reduction not in ("mean", "sum", "none"):
        raise complaint(ValueError, f"{name}: reduction is 'mean', 'sum' or 'none', not {reduction!r}")


def _reduced(name, losses, reduction):
    _check_reduction(name, reduction)
    return mean(losses) if reduction == "mean" else _total(losses) if reduction == "sum" else losses


def mse(prediction: Any, target: Any, reduction: Any = "mean") -> Tensor:
    """Squared error (prediction − target)²; the shapes must be equal, nothing is broadcast."""
    _same_shape("mse", prediction, target)
    return _reduced("mse", square(subtract(prediction, target)), reduction)


def binary_cross_entropy_with_logits(
    logits: Any, target: Any, reduction: Any = "mean", *, weight: Any = None, pos_weight: Any = None
) -> Tensor:
    """−t log σ(o) − (1 − t) log(1 − σ(o)), in nats; targets t in [0, 1], of the logits' shape.

    pos_weight multiplies the first term, weight each loss; both broadcast against the logits.
    """
    _same_shape("binary_cross_entropy_with_logits", logits, target)
    if pos_weight is None:
        losses = subtract(softplus(logits), multiply(target, logits))
    else:
        positive = multiply(target, softplus(negative(logits)))
        losses = positive * np.asarray(pos_weight, positive.dtype) + subtract(1, target) * softplus(logits)
    if weight is not None:
        losses = losses * np.asarray(weight, losses.dtype)
    _same_shape("binary_cross_entropy_with_logits", logits, losses)
    return _reduced("binary_cross_entropy_with_logits", losses, reduction)


def _same_shape(name, a, b):
    if np.shape(a) != np.shape(b):
        raise complaint(ShapeError, f"{name}: shapes {np.shape(a)} and {np.shape(b)} differ")


def dropout(x: Any, p: Any, rng: Any) -> Tensor:
    """Each element is 0 with probability p, else scaled by 1/(1 − p), so that the mean stays (Srivastava 2014).

    rng is a seed or a `numpy.random.Generator`: the same seed drops the same elements. Raises ValueError
    unless 0 ≤ p < 1.
    """
    if not 0 <= p < 1:
        raise complaint(ValueError, f"dropout: p is a probability in [0, 1), not {p}")
    keep = np.random.default_rng(rng).random(x.shape) >= p
    return multiply(x, keep.astype(x.dtype) / x.dtype.type(1 - p))
