"""Operations that work on each element by itself; inputs broadcast against each other as in NumPy."""

import math
from typing import Any

import numpy as np

from ..errors import complaint
from ..operation import Operation, operation
from ..tensor import Tensor


def _times(g, slope):
    """g · slope, but 0 · ∞ is 0: where g is 0, because a `where` took the other branch, a pole does no harm."""
    return g * np.where(np.logical_or(g != 0, np.isfinite(slope)), slope, 0)


# -- arithmetic ------------------------------------------------------------------------------------

positive = operation("positive", np.positive, lambda g, _y, _x: g, "+")
negative = operation("negative", np.negative, lambda g, _y, _x: -g, "−", "-")
add = operation("add", np.add, (lambda g, _y, _a, _b: g, lambda g, _y, _a, _b: g), "+")
subtract = operation("subtract", np.subtract, (lambda g, _y, _a, _b: g, lambda g, _y, _a, _b: -g), "−", "-")
multiply = operation("multiply", np.multiply, (lambda g, _y, _a, b: g * b, lambda g, _y, a, _b: g * a), "⊙", r"\odot")
divide = operation(
    "divide", np.divide, (lambda g, _y, _a, b: _times(g, np.divide(1, b)), lambda g, y, _a, b: _times(g, -y / b)), "/"
)
floor_divide = operation("floor_divide", np.floor_divide, glyph="//")  # constant between its jumps
remainder = operation(
    "remainder", np.remainder, (lambda g, _y, _a, _b: g, lambda g, _y, a, b: -g * (a // b)), "mod", r"\bmod"
)
power = operation(
    "power",
    np.power,
    (
        # b aᵇ⁻¹, and 0 for b = 0 even at a = 0
        lambda g, _y, a, b: _times(g, b * a ** np.where(np.logical_and(a == 0, b == 0), 1, b - 1)),
        # aᵇ ln a, and 0 at a = 0; for a < 0 there is no derivative: NaN
        lambda g, y, a, _b: _times(g, np.where(a == 0, 0, y * np.log(np.where(a == 0, 1, a)))),
    ),
    "^",
    doc="aᵇ. At a = 0 its slope in b is 0, for a < 0 NaN: there it is defined for whole b only.",
)
_as_float = operation("astype", lambda x, /, dtype: x.astype(dtype), lambda g, _y, _x, dtype: g)
_as_integer = operation("as_integer", lambda x, /, dtype: x.astype(dtype))


def astype(x: Any, dtype: Any) -> Tensor:
    """x in another dtype; its gradient comes back in x's own. Integers and booleans are constants."""
    return (_as_float if np.dtype(dtype).kind == "f" else _as_integer)(x, dtype=dtype)


# -- functions -------------------------------------------------------------------------------------

exp = operation("exp", np.exp, lambda g, y, _x: _times(g, y), latex=r"\exp")
expm1 = operation("expm1", np.expm1, lambda g, y, _x: _times(g, y + 1))
log = operation("log", np.log, lambda g, _y, x: _times(g, 1 / x), latex=r"\log")
log1p = operation("log1p", np.log1p, lambda g, _y, x: _times(g, 1 / (1 + x)))
sqrt = operation("sqrt", np.sqrt, lambda g, y, _x: _times(g, 0.5 / y), "√", r"\sqrt", doc="√x; slope ∞ at 0.")
square = operation("square", np.square, lambda g, _y, x: _times(g, 2 * x))
sin = operation("sin", np.sin, lambda g, _y, x: g * np.cos(x), latex=r"\sin")
cos = operation("cos", np.cos, lambda g, _y, x: g * -np.sin(x), latex=r"\cos")
tanh = operation("tanh", np.tanh, lambda g, y, _x: g * (1 - y * y), latex=r"\tanh")


@np.errstate(over="ignore")  # e⁻ˣ = ∞ gives 0
def _sigmoid(x, /):
    """σ(x) = 1 / (1 + e⁻ˣ), exact in the tails."""
    return 1 / (1 + np.exp(-x))


sigmoid = operation("sigmoid", _sigmoid, lambda g, y, _x: g * (y * (1 - y)), "σ", r"\sigma")
relu = operation("relu", lambda x, /: np.maximum(x, 0), lambda g, y, _x: g * (y > 0), doc="max(x, 0); slope 0 at 0.")
softplus = operation(
    "softplus",
    lambda x, /: np.logaddexp(x, np.zeros_like(x)),
    lambda g, _y, x: g * sigmoid(x),
    "ζ",
    r"\zeta",
    doc="ζ(x) = log(1 + eˣ).",
)
reciprocal = operation("reciprocal", np.reciprocal, lambda g, y, _x: _times(g, -y * y))
exp2 = operation("exp2", np.exp2, lambda g, y, _x: _times(g, math.log(2) * y))
log2 = operation("log2", np.log2, lambda g, _y, x: _times(g, 1 / (math.log(2) * x)), latex=r"\log_2")
log10 = operation("log10", np.log10, lambda g, _y, x: _times(g, 1 / (math.log(10) * x)), latex=r"\log_{10}")
tan = operation("tan", np.tan, lambda g, y, _x: g * (1 + y * y), latex=r"\tan")
sinh = operation("sinh", np.sinh, lambda g, _y, x: _times(g, np.cosh(x)), latex=r"\sinh")
cosh = operation("cosh", np.cosh, lambda g, _y, x: _times(g, np.sinh(x)), latex=r"\cosh")
arcsin = operation("arcsin", np.arcsin, lambda g, _y, x: _times(g, 1 / np.sqrt((1 - x) * (1 + x))), latex=r"\arcsin")
arccos = operation("arccos", np.arccos, lambda g, _y, x: _times(g, -1 / np.sqrt((1 - x) * (1 + x))), latex=r"\arccos")
arctan = operation("arctan", np.arctan, lambda g, _y, x: g / (1 + x * x), latex=r"\arctan")
arcsinh = operation("arcsinh", np.arcsinh, lambda g, _y, x: g / np.sqrt(1 + x * x))
arccosh = operation("arccosh", np.arccosh, lambda g, _y, x: _times(g, 1 / (np.sqrt(x - 1) * np.sqrt(x + 1))))
arctanh = operation("arctanh", np.arctanh, lambda g, _y, x: _times(g, 1 / ((1 - x) * (1 + x))))


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


def gelu(x: Any, approximate: Any = "none") -> Tensor:
    """x Φ(x) with the normal distribution function Φ (Hendrycks & Gimpel 2016); "tanh" is their approximation."""
    if approximate not in ("none", "tanh"):
        raise complaint(ValueError, f"gelu: approximate is 'none' or 'tanh', not {approximate!r}")
    if approximate == "none":
        return multiply(x, 0.5 * erfc(multiply(x, -math.sqrt(0.5))))
    return multiply(x, 0.5 * (1 + tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * power(x, 3)))))


# -- where a derivative jumps ----------------------------------------------------------------------

sign = operation("sign", np.sign)  # constant on either side of 0
absolute = operation("absolute", np.absolute, lambda g, _y, x: g * np.sign(x), "abs", doc="|x|; slope 0 at 0.")
abs = absolute


def _a_larger(g, _y, a, b):
    """g where a is the larger input, half of it at a tie, else 0."""
    return g * np.where(a == b, 0.5, a > b)


def _b_larger(g, _y, a, b):
    return _a_larger(g, _y, b, a)


maximum = operation(
    "maximum", np.maximum, (_a_larger, _b_larger), "max", r"\max", doc="The larger of a and b; slope ½ each at a tie."
)
minimum = operation(
    "minimum", np.minimum, (_b_larger, _a_larger), "min", r"\min", doc="The smaller of a and b; slope ½ each at a tie."
)


def _inside(x, min, max):
    above = True if min is None else x >= min
    below = True if max is None else x <= max
    return np.logical_and(above, below)


clip = operation(
    "clip",
    lambda x, /, min=None, max=None: np.clip(x, min, max),
    lambda g, _y, x, min, max: g * _inside(x, min, max),
    doc="x kept within [min, max]; None leaves a side open. At a bound itself the slope is 1.",
)


def _gap(a, b):
    """a − b, and 0 where both are the same infinity."""
    same = np.logical_and(a == b, np.logical_not(np.isfinite(a)))
    return np.where(same, 0, a - np.where(same, 0, b))


logaddexp = operation(
    "logaddexp",
    np.logaddexp,
    (lambda g, _y, a, b: g * sigmoid(_gap(a, b)), lambda g, _y, a, b: g * sigmoid(_gap(b, a))),
)
where = operation(
    "where",
    lambda condition, a, b, /: np.where(condition, a, b),
    (
        None,
        lambda g, _y, condition, *_: np.where(condition, g, 0),
        lambda g, _y, condition, *_: np.where(condition, 0, g),
    ),
    doc="""a where the condition holds, else b. No gradient reaches what was not taken, nor through a function with an
    infinite slope there (√ or log at 0), only through a product with NaN or ∞: choose a harmless factor before it.""",
)

# -- comparisons: booleans, constants --------------------------------------------------------------

equal = operation("equal", np.equal, glyph="=")
not_equal = operation("not_equal", np.not_equal, glyph="≠", latex=r"\neq")
less = operation("less", np.less, glyph="<")
less_equal = operation("less_equal", np.less_equal, glyph="≤", latex=r"\leq")
greater = operation("greater", np.greater, glyph=">")
greater_equal = operation("greater_equal", np.greater_equal, glyph="≥", latex=r"\geq")
logical_not = operation("logical_not", np.logical_not, glyph="¬", latex=r"\neg")
logical_and = operation("logical_and", np.logical_and, glyph="∧", latex=r"\wedge")
logical_or = operation("logical_or", np.logical_or, glyph="∨", latex=r"\vee")
isnan = operation("isnan", np.isnan)
isfinite = operation("isfinite", np.isfinite)
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
