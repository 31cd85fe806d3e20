"""The table of operations: what each computes and its derivatives.

Every entry is also a function of the package: ``tg.tanh``, ``tg.matmul``. Names and meaning are NumPy's.
"""

from .einsum import einsum
from .elementwise import *
from .linear import *
from .losses import *
from .reductions import *

# fmt: off
__all__ = [
    # arithmetic
    "add", "subtract", "multiply", "divide", "floor_divide", "remainder", "power", "negative", "positive", "astype",
    # functions
    "exp", "expm1", "log", "log1p", "sqrt", "square", "sin", "cos", "tanh", "sigmoid", "relu", "softplus", "gelu",
    "absolute", "abs", "sign", "maximum", "minimum", "clip", "logaddexp", "where",
    # comparisons
    "equal", "not_equal", "less", "less_equal", "greater", "greater_equal",
    "logical_not", "logical_and", "logical_or", "isnan", "isfinite",
    # shapes
    "reshape", "ravel", "transpose", "swapaxes", "broadcast_to", "squeeze", "expand_dims", "flip",
    "pad", "concatenate", "stack", "split", "unbind",
    # parts
    "getitem", "take", "embedding", "diagonal", "trace",
    # reductions
    "sum", "mean", "prod", "max", "min", "var", "std", "norm", "argmax", "cumsum",
    # products
    "matmul", "outer", "einsum",
    # softmax, losses, dropout
    "softmax", "log_softmax", "logsumexp", "cross_entropy", "binary_cross_entropy_with_logits", "mse", "one_hot",
    "dropout",
]
