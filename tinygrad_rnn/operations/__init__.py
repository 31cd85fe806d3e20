"""The table of operations: what each computes and its derivatives.

Every entry is also a function of the package: ``tg.tanh``, ``tg.matmul``. Names and meaning are NumPy's.
"""

from .elementwise import (
    abs,
    absolute,
    add,
    astype,
    clip,
    cos,
    divide,
    equal,
    exp,
    expm1,
    floor_divide,
    gelu,
    greater,
    greater_equal,
    isfinite,
    isnan,
    less,
    less_equal,
    log,
    log1p,
    logaddexp,
    logical_and,
    logical_not,
    logical_or,
    maximum,
    minimum,
    multiply,
    negative,
    not_equal,
    positive,
    power,
    relu,
    remainder,
    sigmoid,
    sign,
    sin,
    softplus,
    sqrt,
    square,
    subtract,
    tanh,
    where,
)
from .indexing import embedding, getitem, split, take, unbind
from .losses import (
    binary_cross_entropy_with_logits,
    cross_entropy,
    dropout,
    log_softmax,
    logsumexp,
    mse,
    one_hot,
    softmax,
)
from .products import diagonal, einsum, matmul, outer, trace
from .reductions import argmax, cumsum, max, mean, min, norm, prod, std, sum, var
from .shapes import (
    broadcast_to,
    concatenate,
    expand_dims,
    flip,
    pad,
    ravel,
    reshape,
    squeeze,
    stack,
    swapaxes,
    transpose,
)

__all__: list[str] = [name for name, value in globals().items() if callable(value) and not name.startswith("_")]
