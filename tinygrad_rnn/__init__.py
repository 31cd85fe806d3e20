"""An autograd engine on NumPy that records what it runs.  ``import tinygrad_rnn as tg``"""

from .tensor import Tensor, name  # first: the operations are written in terms of it
from .errors import AnomalyError, GradientError, ShapeError  # isort: skip
from .mode import detect_anomaly, no_grad
from .operation import OPERATIONS, Operation, operation
from .operations import *
from .fold import Circuit, FoldError
from .record import Graph, record
from .transforms import checkpoint, grad, hessian, hvp, jacobian, jvp, value_and_grad, vjp
