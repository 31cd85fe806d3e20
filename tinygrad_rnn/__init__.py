"""An autograd engine on NumPy that records what it runs.  ``import tinygrad_rnn as tg``"""

from .autodiff.tensor import Tensor, name  # first: the operations are written in terms of it
from .autodiff.errors import AnomalyError, GradientError, ShapeError  # isort: skip
from .autodiff.mode import detect_anomaly, no_grad
from .autodiff.operation import OPERATIONS, Operation, operation
from .autodiff.operations import *
from .autodiff.operations.arrangements import *
from .autodiff.operations.contractions import *
from .autodiff.operations.elementary import *
from .tracing.circuit import Circuit, FoldError
from .autodiff.gradcheck import check_gradients
from .nn.modules import Dropout, Embedding, Linear, Module, Parameter
from .nn.optimisers import SGD, Adam, AdamW, RMSProp, clip_grad_norm, clip_grad_value
from .tracing.record import Graph, record
from .autodiff.transforms import checkpoint, grad, hessian, hvp, jacobian, jvp, value_and_grad, vjp
