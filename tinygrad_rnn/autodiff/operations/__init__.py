"""The table of operations: what each computes and its derivatives.

Every entry is also a function of the package: ``tg.tanh``, ``tg.matmul``. Names and meaning are NumPy's.

    elementwise    functions of single numbers
    linear         reading parts, rearranging, joining, summing, multiplying matrices
    arrangements   made of those: repeating, shifting, sorting, diagonals
    products       made of those: dot, tensordot, einsum
    reductions     largest elements, products, variances, norms
    losses         softmax, losses, dropout
    methods        which of them are a tensor's operators and methods
"""

from .arrangements import *
from .elementwise import *
from .linear import *
from .losses import *
from .products import *
from .reductions import *

# fmt: off
__all__ = [
    # arithmetic
    "add", "subtract", "multiply", "divide", "floor_divide", "remainder", "power", "negative", "positive", "reciprocal",
    "astype", "copy",
    # functions
    "exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "logaddexp", "sqrt", "square", "absolute", "abs", "sign",
    "sin", "cos", "tan", "arcsin", "arccos", "arctan", "arctan2",
    "sinh", "cosh", "tanh", "arcsinh", "arccosh", "arctanh",
    "sigmoid", "relu", "softplus", "gelu", "erfc", "maximum", "minimum", "clip", "where", "floor", "ceil", "round",
    # comparisons
    "equal", "not_equal", "less", "less_equal", "greater", "greater_equal", "isclose", "allclose", "array_equal",
    "logical_not", "logical_and", "logical_or", "logical_xor", "isnan", "isinf", "isfinite", "all", "any",
    # shapes
    "reshape", "ravel", "transpose", "swapaxes", "moveaxis", "broadcast_to", "squeeze", "expand_dims",
    "atleast_1d", "atleast_2d", "flip", "flipud", "fliplr", "roll", "repeat", "tile", "pad",
    "concatenate", "stack", "vstack", "hstack", "column_stack", "split", "array_split", "hsplit", "unstack", "unbind",
    "zeros_like", "ones_like", "full_like",
    # parts
    "getitem", "take", "take_along_axis", "embedding", "diag", "diagonal", "trace", "tril", "triu",
    "sort", "argsort", "argmax", "argmin",
    # reductions
    "sum", "mean", "prod", "max", "min", "var", "std", "norm", "vector_norm", "cumsum", "cumprod", "diff",
    # products
    "matmul", "dot", "inner", "outer", "vecdot", "tensordot", "einsum",
    # softmax, losses, dropout
    "softmax", "log_softmax", "logsumexp", "cross_entropy", "binary_cross_entropy_with_logits", "mse", "one_hot",
    "dropout",
]
# fmt: on
for _name in __all__:
    if (_function := globals()[_name]).__name__ == "<lambda>":
        _function.__name__ = _function.__qualname__ = _name
        _function.__doc__ = f"np.{_name} of tensors."
