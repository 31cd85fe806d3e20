"""Values to start learning from: each a function ``f(shape, ..., rng, dtype) -> array``.

A weight has shape (outputs, inputs), so its fan-in is shape[-1] and its fan-out shape[-2]; axes before these
count separate matrices (four gates, say), each initialised for itself. `rng` is a seed or a
`numpy.random.Generator`: the same seed gives the same bits, and in float32 the same values rounded.

All raise ValueError for a shape that does not suit them and TypeError for a dtype that is not floating
point or an `rng` that is None.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

Shape = int | Sequence[int]


def generator(rng: Any) -> np.random.Generator:
    """The Generator that `rng`, a seed or a Generator, stands for; None is refused, as it would be a secret seed."""
    if rng is None:
        raise TypeError("rng is None: give a seed or a numpy.random.Generator, so that the run can be repeated")
    return np.random.default_rng(rng)


def zeros(shape: Shape, *, dtype: Any = np.float64) -> np.ndarray:
    return constant(shape, 0, dtype=dtype)


def constant(shape: Shape, value: float, *, dtype: Any = np.float64) -> np.ndarray:
    """`value` everywhere; as the bias of a forget gate, 1 (Jozefowicz, Zaremba & Sutskever 2015)."""
    return np.full(shape, value, _floating(dtype))


def uniform(shape: Shape, low: float, high: float, *, rng: Any, dtype: Any = np.float64) -> np.ndarray:
    """Uniform in [low, high)."""
    if not low <= high:
        raise ValueError(f"uniform: low = {low} is above high = {high}")
    return _cast(generator(rng).uniform(low, high, shape), dtype)


def normal(shape: Shape, mean: float = 0.0, std: float = 1.0, *, rng: Any, dtype: Any = np.float64) -> np.ndarray:
    """Gaussian with the given mean and standard deviation."""
    if not std >= 0:
        raise ValueError(f"normal: std is at least 0, not {std}")
    return _cast(generator(rng).normal(mean, std, shape), dtype)


def glorot_uniform(shape: Shape, gain: float = 1.0, *, rng: Any, dtype: Any = np.float64) -> np.ndarray:
    """U(−a, a) with a = gain √(6 / (fan-in + fan-out)): keeps the variance of values and of gradients, both a little.

    Glorot & Bengio 2010, equation 16; Goodfellow, Bengio & Courville 2016, equation 8.23. Also known as Xavier's.
    """
    fan_in, fan_out = _fans("glorot_uniform", shape)
    a = gain * math.sqrt(6 / max(1, fan_in + fan_out))
    return uniform(shape, -a, a, rng=rng, dtype=dtype)


def glorot_normal(shape: Shape, gain: float = 1.0, *, rng: Any, dtype: Any = np.float64) -> np.ndarray:
    """N(0, σ²) with σ = gain √(2 / (fan-in + fan-out)), the variance of `glorot_uniform`."""
    fan_in, fan_out = _fans("glorot_normal", shape)
    return normal(shape, 0, gain * math.sqrt(2 / max(1, fan_in + fan_out)), rng=rng, dtype=dtype)


def he_uniform(shape: Shape, gain: float = math.sqrt(2), *, rng: Any, dtype: Any = np.float64) -> np.ndarray:
    """U(−a, a) with a = gain √(3 / fan-in), the variance of `he_normal`."""
    fan_in, _ = _fans("he_uniform", shape)
    a = gain * math.sqrt(3 / max(1, fan_in))
    return uniform(shape, -a, a, rng=rng, dtype=dtype)


def he_normal(shape: Shape, gain: float = math.sqrt(2), *, rng: Any, dtype: Any = np.float64) -> np.ndarray:
    """N(0, σ²) with σ = gain / √fan-in: with gain √2 it keeps the variance through ReLUs, which halve it.

    He, Zhang, Ren & Sun 2015, equation 10. Also known as Kaiming's.
    """
    fan_in, _ = _fans("he_normal", shape)
    return normal(shape, 0, gain / math.sqrt(max(1, fan_in)), rng=rng, dtype=dtype)


def orthogonal(shape: Shape, gain: float = 1.0, *, rng: Any, dtype: Any = np.float64) -> np.ndarray:
    """gain Q with QᵀQ = 1 (QQᵀ = 1 if the matrix is wide), uniform among all such Q: it changes no vector's length.

    Saxe, McClelland & Ganguli 2014. Q is that of a Gaussian matrix's QR decomposition; making R's diagonal
    positive makes it uniform (Mezzadri 2007, section 5).
    """
    rows, columns = _matrix("orthogonal", shape)[-2:]
    gaussian = generator(rng).normal(size=shape)
    q, r = np.linalg.qr(gaussian if rows >= columns else gaussian.swapaxes(-1, -2))
    q *= np.copysign(1, np.diagonal(r, axis1=-2, axis2=-1))[..., None, :]
    return _cast(gain * (q if rows >= columns else q.swapaxes(-1, -2)), dtype)


def identity(shape: Shape, gain: float = 1.0, *, dtype: Any = np.float64) -> np.ndarray:
    """gain times the identity, a recurrence that remembers (Le, Jaitly & Hinton 2015); 0 beyond the square part."""
    *_, rows, columns = _matrix("identity", shape)
    array = zeros(shape, dtype=dtype)
    array[...] = gain * np.eye(rows, columns)
    return array


def reservoir(shape: Shape, radius: float, density: float = 1.0, *, rng: Any, dtype: Any = np.float64) -> np.ndarray:
    """Uniform in (−1, 1) where not 0, which all but a fraction `density` are, scaled to spectral radius `radius`.

    The recurrent weights of an echo state network (Jaeger 2001; Goodfellow et al. 2016, section 10.8).
    Raises ValueError also where the draw has no eigenvalue but 0.
    """
    *_, rows, columns = _matrix("reservoir", shape)
    if rows != columns:
        raise ValueError(f"reservoir: only a square matrix has eigenvalues, not one of shape {shape}")
    if not 0 < density <= 1:
        raise ValueError(f"reservoir: density is in (0, 1], not {density}")
    if not radius >= 0:
        raise ValueError(f"reservoir: radius is at least 0, not {radius}")
    rng = generator(rng)
    W = rng.uniform(-1, 1, shape) * (rng.random(shape) < density)
    drawn = np.abs(np.linalg.eigvals(W)).max(axis=-1, initial=0 if rows else 1)[..., None, None]
    if not drawn.all():
        raise ValueError(f"reservoir: at density {density} all eigenvalues came out 0: raise it, or take another seed")
    return _cast(W * (radius / drawn), dtype)


xavier_uniform, xavier_normal = glorot_uniform, glorot_normal
kaiming_uniform, kaiming_normal = he_uniform, he_normal


def _matrix(name: str, shape: Shape) -> tuple[int, ...]:
    sizes = tuple(shape) if isinstance(shape, Sequence) else (shape,)
    if len(sizes) < 2:
        raise ValueError(f"{name}: a weight is a matrix (outputs, inputs), and {shape} is not the shape of one")
    return sizes


def _fans(name: str, shape: Shape) -> tuple[int, int]:
    """(fan-in, fan-out): how many inputs an output is made of, how many outputs an input goes to."""
    *_, outputs, inputs = _matrix(name, shape)
    return inputs, outputs


def _cast(array: Any, dtype: Any) -> np.ndarray:
    return np.ascontiguousarray(array, _floating(dtype)) if np.ndim(array) else np.asarray(array, _floating(dtype))


def _floating(dtype: Any) -> np.dtype:
    if np.dtype(dtype).kind != "f":
        raise TypeError(f"a weight is learned by gradients, so its dtype is floating point, not {np.dtype(dtype)}")
    return np.dtype(dtype)
