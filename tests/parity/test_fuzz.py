"""Random programs have PyTorch's values, gradients and second gradients.

    make fuzz PROGRAMS=5000 SEED=1

The programs are numbered: `pytest tests/parity/test_fuzz.py -k "17 or 23"` with the same FUZZ_SEED repeats two of them.
"""

import os
import re

import numpy as np
import pytest
from conventions import torch
from random_programs import Writer, largest
from table import TABLE

import tinygrad_rnn as tg
from tinygrad_rnn.autodiff import operations

PROGRAMS, SEED = int(os.environ.get("FUZZ_PROGRAMS", "400")), int(os.environ.get("FUZZ_SEED", "0"))
EPS = {"float32": 2.0**-23, "float64": 2.0**-52}
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")


def weights(like):
    """Fixed numbers of an array's shape and dtype, exact in float32 and none of them 0."""
    rng = np.random.default_rng([like.size, *like.shape])
    return ((rng.integers(0, 128, like.shape) - 63.5) / 64).astype(like.dtype)


def ours(program):
    """What is compared, by name."""
    inputs = {k: tg.Tensor(a, requires_grad=True) for k, a in program.inputs.items()}
    y = program.run("ours", inputs.values())
    found = {"value": y.data}

    def backward(output, name, *options):
        if output.requires_grad:
            output.backward(*options)
        gradients = [x.grad for x in inputs.values()]
        for (k, x), g in zip(inputs.items(), gradients, strict=True):
            found[f"{name} by {k}"] = np.zeros(x.shape, x.dtype) if g is None else g.data
            x.grad = None
        return [g for g in gradients if g is not None]

    backward(y, "gradient", weights(y))
    gradients = backward(y, "gradient with create_graph", weights(y), True)
    if not program.special:
        backward(sum((g * weights(g)).sum() for g in gradients), "second gradient")
    return found


def theirs(program, f32=torch.float32, f64=torch.float64):
    """The same from PyTorch; f32 and f64 are the precisions in which it computes."""
    dtypes = {"float32": f32, "float64": f64}
    inputs = [torch.tensor(a, dtype=dtypes[a.dtype.name], requires_grad=True) for a in program.inputs.values()]
    y = program.run("theirs", inputs, f32, f64)
    found = {"value": array(y)}

    def gradient(output, name, **options):
        gradients = [torch.zeros_like(x) for x in inputs]
        if output.requires_grad:
            gradients = torch.autograd.grad(output, inputs, allow_unused=True, materialize_grads=True, **options)
        found.update((f"{name} by {k}", array(g)) for k, g in zip(program.inputs, gradients, strict=True))
        return gradients

    gradients = gradient(y, "gradient", grad_outputs=torch.tensor(weights(found["value"])), create_graph=True)
    if not program.special:
        gradient(sum((g * torch.tensor(weights(array(g)))).sum() for g in gradients), "second gradient")
    return found


def array(tensor):
    return tensor.detach().clone().numpy()  # a clone, because PyTorch has zeros without memory


def difference(program):
    """The first difference between the two, in words; "" if there is none.

    Two runs of PyTorch, in float32 and in float64, tell how much rounding matters: the tolerance grows with that.
    """
    try:
        found = ours(program)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    expected, single, double = theirs(program), *(theirs(program, t, t) for t in (torch.float32, torch.float64))
    eps = EPS["float32" if "float32" in str(program) else "float64"]
    scale = max([1, *(largest(v.value.numpy()) for v in program.variables if program.special)])
    for name, x in found.items():
        key = name.replace(" with create_graph", "")
        e, s, d = expected[key], single[key], double[key]
        if (x.shape, x.dtype) != (e.shape, e.dtype):
            return f"{name}: {x.shape} {x.dtype}, PyTorch's is {e.shape} {e.dtype}"
        tolerance = eps * (2000 * max(scale, largest(e)) + 30 * largest(s - d) / EPS["float32"])
        tolerance *= 4 if "second" in name else 1
        either_infinity = np.isinf(x) & np.isinf(e) & np.isinf(s) & np.isinf(d) & (s != d)  # rounding decides its sign
        if not (np.isclose(x, e, rtol=0, atol=tolerance, equal_nan=True) | either_infinity).all():
            worst = np.max(abs(x - e))
            return f"{name}: largest difference {worst:.3g}, tolerance {tolerance:.1g}\nours\n{x}\nPyTorch's\n{e}"
    return ""


@pytest.mark.parametrize("number", range(PROGRAMS))
def test_a_random_program_has_pytorchs_value_and_derivatives_of_first_and_second_order(number):
    program = Writer(SEED, number).program
    if difference(program):
        shortest = next(p for p in program.beginnings() if difference(p))
        pytest.fail(f"{shortest}\n{difference(shortest)}", pytrace=False)


CONSTANT = {
    "all", "allclose", "any", "argmax", "argmin", "argsort", "array_equal", "ceil", "equal", "floor", "floor_divide",
    "full_like", "greater_equal", "isclose", "isfinite", "isinf", "isnan", "less", "less_equal", "logical_and",
    "logical_not", "logical_or", "logical_xor", "not_equal", "one_hot", "ones_like", "round", "zeros_like",
}  # fmt: skip
OPERATORS = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/", "remainder": "%", "power": "**"} | {
    "matmul": "@", "greater": ">", "negative": "-{a}", "positive": "+{a}", "getitem": "[", "transpose": ".T",
}  # fmt: skip


def test_every_differentiable_operation_is_in_the_table():
    written = " ".join(line for entries in TABLE.values() for line, _ in entries)
    names = set(re.findall(r"\w+", written)) | {name for name, glyph in OPERATORS.items() if glyph in written}
    names |= {"absolute"}  # as abs
    assert set(operations.__all__) - names - CONSTANT == {"dropout"}  # whose random numbers are NumPy's


def test_the_first_programs_use_every_line_of_the_table():
    written = "\n".join(str(Writer(0, number).program) for number in range(400))
    lines = [line for entries in TABLE.values() for line, _ in entries]
    forms = [re.sub(r"\\{\w+\\}", ".*", re.escape(line)) for line in lines]
    assert [line for line, form in zip(lines, forms, strict=True) if not re.search(f"= {form} ", written)] == []
