"""Every operation has an equation, and terms are simplified as a person would."""

import numpy as np
import pytest
from equations_checked import holds, is_mathml, lines, with_a_loss

import tinygrad_rnn as tg
from tinygrad_rnn.autodiff.operation import OPERATIONS
from tinygrad_rnn.nn.modules import Parameter

W = Parameter(np.random.default_rng(0).uniform(0.5, 1, size=(4, 3)))
ATTRIBUTES = {
    "astype": {"dtype": np.float64},
    "as_integer": {"dtype": np.int64},
    "sum": {"axis": -1},
    "reshape": {"shape": (2, 2)},
    "broadcast_to": {"shape": (2, 4)},
    "pad": {"pad_width": 1},
    "concatenate": {"axis": -1},
    "stack": {"axis": 0},
    "getitem": {"index": (slice(1, 3),)},
    "scatter": {"index": (slice(0, 4),), "shape": (6,)},
    "einsum": {"subscripts": "i,i->"},
    "swapaxes": {"axis1": 0, "axis2": 0},
    "expand_dims": {"axis": 0},
    "cumsum": {"axis": -1},
    "cumprod": {"axis": -1},
    "moveaxis": {"source": 0, "destination": 0},
    "roll": {"shift": 1},
    "repeat": {"repeats": 2, "axis": 0},
    "tile": {"reps": 2},
    "border": {"pad_width": 1, "mode": "edge"},
    "full_like": {"fill_value": 2.0},
}
SMALL = ("arcsin", "arccos", "arctanh")  # defined within ±1
OF_LABELS = {
    "diagonal": lambda x, y: tg.diagonal(np.outer(x @ W.T, x)),
    "one_hot": lambda x, y: tg.one_hot(y, 4) * (x @ W.T),
    "cross_entropy": lambda x, y: tg.cross_entropy(x @ W.T, y),
    "label_weight": lambda x, y: tg.cross_entropy(x @ W.T, y, weights=[1.0, 2, 3, 4]),
}
ELEMENTWISE_AND_OTHERS = [name for name in OPERATIONS if name not in OF_LABELS and name != "checkpoint"]


def program_of(name):
    operation, attributes = OPERATIONS[name], ATTRIBUTES.get(name, {})

    def one(x):
        y = operation(x @ W.T / 4 if name in SMALL else x @ W.T, **attributes)
        return y

    def two(x, u):
        y = operation(x @ W.T, u @ W.T, **attributes)
        return y

    def three(x, u, v):
        y = operation(x @ W.T > 2, u @ W.T, v @ W.T, **attributes)
        return y

    return [two, one, two, three][operation.arity]  # any number: two


@pytest.mark.parametrize("name", ELEMENTWISE_AND_OTHERS)
def test_an_operation_has_an_equation_that_holds_and_so_does_its_derivative(name):
    program = program_of(name)
    rng = np.random.default_rng(1)
    arguments = [rng.uniform(0.2, 0.9, size=3) for _ in range(OPERATIONS[name].arity or 2)]
    graph = tg.record(program, *arguments)
    assert holds(graph)
    assert all(is_mathml(line) for line in lines(graph, format="latex"))
    if OPERATIONS[name].differentiable:
        assert holds(tg.record(with_a_loss(program), *arguments), "backward")


@pytest.mark.parametrize("name", OF_LABELS)
def test_an_operation_on_labels_has_an_equation_that_holds(name):
    assert holds(tg.record(OF_LABELS[name], np.array([0.5, 0.2, 0.7]), np.array(2)))


@pytest.mark.parametrize(
    ("program", "text"),
    [
        (lambda x: x**2, "output = x²"),
        (lambda x: np.exp(x) / (1 + x), "output = exp(x)/(1 + x)"),
        (lambda x: x - (x - 1), "output = x − (x − 1)"),
        (lambda x: 1 - (-x), "output = 1 + x"),
        (lambda x: 0 + 1 * x, "output = x"),
        (lambda x: x + x, "output = 2 x"),
        (lambda x: x / 3, "output = 1/3 x"),
        (lambda x: x * x * x, "output = x³"),
        (lambda x: (x * x).sum(), "L = ‖x‖²"),
        (lambda x: np.sqrt(x) * np.abs(x), "output = √(x) ⊙ |x|"),
        (lambda x: x * 1e-12, "output = 10⁻¹² x"),
        (lambda x: x * np.pi, "output = π x"),
        (lambda x: np.maximum(x, 0) % 2, "output = max(x, 0) mod 2"),
        (lambda x: np.where(x > 0, x, 0), "output = {x if x > 0; 0 otherwise}"),
        (lambda x: tg.concatenate([x, x + 1])[1:3], "output = [x; x + 1]₂:₃"),
        (lambda x: x[0] * x[1:], "output = x₁ x₂:₃"),
        (lambda x: np.roll(x, -1), "output = [x₂:₃; x₁]"),
        (lambda x: tg.concatenate([x[-1:], x[:-1]]), "output = [x₃; x₁:₂]"),
        (lambda x: x[::-1], "output = x₃:₁"),
        (lambda x: np.sqrt((x * x).sum()), "L = ‖x‖"),
        (lambda x: W.T @ (W @ x), "output = Wᵀ W x"),
        (lambda x: (x @ W.T) @ W, "output = Wᵀ W x"),
        (lambda x: np.outer(x, x), "output = x xᵀ"),
        (lambda x: np.exp(tg.log_softmax(x)), "output = ŷ"),
    ],
)
def test_terms_are_simplified_as_a_person_would(program, text):
    graph = tg.record(program, np.array([0.5, 0.25, 0.125]))
    assert lines(graph)[-1] == text
    assert holds(graph)
