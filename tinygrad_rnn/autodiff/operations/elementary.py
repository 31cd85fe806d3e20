"""More functions of single numbers: trigonometric, hyperbolic, other bases, erfc, gelu, rounding."""

import math

import numpy as np

from ..errors import complaint
from ..operation import Operation, operation
from .elementwise import _felt, multiply, power, tanh

__all__ = [
    "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctan2", "arctanh", "ceil", "cosh", "erfc", "exp2", "floor",
    "full_like", "gelu", "isclose", "isinf", "log10", "log2", "logical_xor", "ones_like", "reciprocal", "round",
    "sinh", "tan", "zeros_like",
]  # fmt: skip

reciprocal = operation("reciprocal", np.reciprocal, lambda g, y, _x: _felt(g, -y * y))
exp2 = operation("exp2", np.exp2, lambda g, y, _x: _felt(g, math.log(2) * y))
log2 = operation("log2", np.log2, lambda g, _y, x: _felt(g, 1 / (math.log(2) * x)), latex=r"\log_2")
log10 = operation("log10", np.log10, lambda g, _y, x: _felt(g, 1 / (math.log(10) * x)), latex=r"\log_{10}")
tan = operation("tan", np.tan, lambda g, y, _x: g * (1 + y * y), latex=r"\tan")
sinh = operation("sinh", np.sinh, lambda g, _y, x: _felt(g, np.cosh(x)), latex=r"\sinh")
cosh = operation("cosh", np.cosh, lambda g, _y, x: _felt(g, np.sinh(x)), latex=r"\cosh")
arcsin = operation("arcsin", np.arcsin, lambda g, _y, x: _felt(g, 1 / np.sqrt((1 - x) * (1 + x))), latex=r"\arcsin")
arccos = operation("arccos", np.arccos, lambda g, _y, x: _felt(g, -1 / np.sqrt((1 - x) * (1 + x))), latex=r"\arccos")
arctan = operation("arctan", np.arctan, lambda g, _y, x: g / (1 + x * x), latex=r"\arctan")
arcsinh = operation("arcsinh", np.arcsinh, lambda g, _y, x: g / np.sqrt(1 + x * x))
arccosh = operation("arccosh", np.arccosh, lambda g, _y, x: _felt(g, 1 / (np.sqrt(x - 1) * np.sqrt(x + 1))))
arctanh = operation("arctanh", np.arctanh, lambda g, _y, x: _felt(g, 1 / ((1 - x) * (1 + x))))


def _per_square(a, b, part):
    """part / (a² + b²), and 0 at the origin."""
    square = a * a + b * b
    return np.where(square == 0, 0, part / np.where(square == 0, 1, square))


arctan2 = operation(
    "arctan2",
    np.arctan2,
    (lambda g, _y, a, b: g * _per_square(a, b, b), lambda g, _y, a, b: g * _per_square(a, b, -a)),
    doc="The angle of the point (b, a), in [−π, π]; at the origin its slopes are 0.",
)


def _erfc(x, /):
    """erfc(x) = 2/√π ∫ₓ^∞ e^(−t²) dt, to 1e-15 of its size in the tail too.

    For x > 0 it is 2x/π e^(−x²) ∫₀^∞ e^(−t²)/(x² + t²) dt. The midpoint rule of step ½ for this integral has an error
    of e^(−4π²) once 2σ(−4πx) is added for the pole at t = ix (Chiarella & Reichel 1968; Hunter & Regan 1972).
    """
    z = np.clip(np.asarray(x, float), -30, 30)
    near = np.round(z * 16) / 16  # its square is exact; that of z is not, and e^(−z²) would tell
    bell = np.exp(-near * near) * np.exp((near - z) * (near + z))
    integral = sum(math.exp(-t * t) / (z * z + t * t) for t in np.arange(0.25, 6.5, 0.5).tolist())
    pole = np.where(z < 6, 2 / (1 + np.exp(4 * np.pi * np.minimum(z, 6))), 0)
    return (z / np.pi * bell * integral + pole).astype(np.result_type(np.asarray(x), np.float16))


erfc = operation("erfc", _erfc, lambda g, _y, x: g * (-2 / math.sqrt(math.pi) * np.exp(-x * x)))


def gelu(x, approximate="none"):
    """x Φ(x) with the normal distribution function Φ (Hendrycks & Gimpel 2016); "tanh" is their approximation."""
    if approximate not in ("none", "tanh"):
        raise complaint(ValueError, f"gelu: approximate is 'none' or 'tanh', not {approximate!r}")
    if approximate == "none":
        return multiply(x, 0.5 * erfc(multiply(x, -math.sqrt(0.5))))
    return multiply(x, 0.5 * (1 + tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * power(x, 3)))))


# Constants.

floor = operation("floor", np.floor)
ceil = operation("ceil", np.ceil)
round: Operation = operation("round", lambda a, /, decimals=0: np.round(a, decimals))
isinf = operation("isinf", np.isinf)
logical_xor = operation("logical_xor", np.logical_xor, glyph="⊻", latex=r"\veebar")
isclose = operation(
    "isclose", lambda a, b, /, rtol=1e-5, atol=1e-8, equal_nan=False: np.isclose(a, b, rtol, atol, equal_nan)
)
zeros_like = operation("zeros_like", lambda a, /, dtype=None, shape=None: np.zeros_like(a, dtype, shape=shape))
ones_like = operation("ones_like", lambda a, /, dtype=None, shape=None: np.ones_like(a, dtype, shape=shape))
full_like = operation(
    "full_like", lambda a, /, fill_value, dtype=None, shape=None: np.full_like(a, fill_value, dtype, shape=shape)
)
