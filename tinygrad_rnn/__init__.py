"""An autograd engine on NumPy that records what it runs.  ``import tinygrad_rnn as tg``"""

from .tensor import Tensor, name  # first: the operations are written in terms of it
from .errors import AnomalyError, GradientError, ShapeError  # isort: skip
from .mode import detect_anomaly, no_grad
from .operation import OPERATIONS, Operation, operation
from .operations import *
from .circuit import Circuit, FoldError
from .gradcheck import check_gradients
from .modules import Dropout, Embedding, Linear, Module, Parameter
from .optimisers import SGD, Adam, AdamW, RMSProp, clip_grad_norm, clip_grad_value
from .record import Graph, record
from .transforms import checkpoint, grad, hessian, hvp, jacobian, jvp, value_and_grad, vjp
