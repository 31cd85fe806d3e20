"""An autograd engine on NumPy that records what it runs.  ``import tinygrad_rnn as tg``

    autodiff/   tensors, operations with their derivatives, the backward pass, gradients of functions
    nn/         modules, initial values, optimisers, checkpoints
    tracing/    a run recorded as a graph, and the graph folded into a circuit
    compiled/   the NumPy program of a circuit, forward and backward

Each folder knows those above it. What to read first:

    autodiff/small.py     the whole idea on two pages: a tensor, eight operations, backward
    autodiff/reverse.py   the chain rule in one loop
    autodiff/operation.py one operation is one entry: how to compute it, and its derivatives
    autodiff/tensor.py    the array that remembers how it was made
    autodiff/operations/  the table of operations
    tracing/recorder.py   how a run is kept; then circuit.py and fold.py: how it becomes a circuit
"""

from typing import TYPE_CHECKING

from .autodiff import operations
from .autodiff.errors import AnomalyError, GradientError, ShapeError
from .autodiff.gradcheck import check_gradients
from .autodiff.mode import detect_anomaly, no_grad
from .autodiff.operation import OPERATIONS, Operation, operation
from .autodiff.operations import *
from .autodiff.operations import methods as _methods  # noqa: F401  (attaches the operators to Tensor)
from .autodiff.tensor import Tensor, name
from .autodiff.transforms import checkpoint, grad, hessian, hvp, jacobian, jvp, value_and_grad, vjp
from .compiled.compile import Compiled, CompileError, compile
from .nn.modules import Dropout, Embedding, Linear, Module, Parameter
from .nn.optimisers import SGD, Adam, AdamW, RMSProp, clip_grad_norm, clip_grad_value
from .tracing.circuit import Circuit, FoldError
from .tracing.record import Graph, record

# fmt: off
__all__ = [
    # tensors and their gradients
    "Tensor", "no_grad", "name", "grad", "value_and_grad", "vjp", "jvp", "jacobian", "hessian", "hvp", "checkpoint",
    "check_gradients", "detect_anomaly", "GradientError", "ShapeError", "AnomalyError",
    # operations: those of autodiff/operations/ and your own
    "operation", "Operation", "OPERATIONS",
    # networks
    "Module", "Parameter", "Linear", "Embedding", "Dropout",
    "SGD", "Adam", "AdamW", "RMSProp", "clip_grad_norm", "clip_grad_value",
    # records and circuits
    "record", "Graph", "Circuit", "FoldError", "compile", "Compiled", "CompileError",
]
# fmt: on
__all__ += operations.__all__
__version__ = "0.1.0"

_CALLED = {
    "tensor": "tg.Tensor(array, requires_grad=True), or tg.Parameter(array)",
    "gradcheck": "tg.check_gradients(function, *arrays)",
    "optim": "tg.SGD, tg.Adam and so on",
    "cat": "tg.concatenate",
    "bmm": "tg.matmul",
}


if not TYPE_CHECKING:  # a type checker would believe that every name exists

    def __getattr__(name):
        mend = f": use {_CALLED[name]}" if name in _CALLED else ""
        raise AttributeError(f"tinygrad_rnn has no {name}{mend}")
