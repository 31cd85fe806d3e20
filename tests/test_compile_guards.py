"""A compiled step never gives a wrong number: what is not certain is refused by its line, changes are noticed."""

import inspect
from threading import Thread

import numpy as np
import pytest
from compiling import agree, by_engine, by_program

import tinygrad_rnn as tg
from tinygrad_rnn.autodiff.nests import flatten
from tinygrad_rnn.compiled import passes

W = tg.Parameter(np.eye(3) / 2 + 0.1)
V = tg.Parameter(np.full((3, 3), 0.2))


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def states(x, each=lambda h: h):
    h, found = np.zeros(x.shape[1:]), []
    for x_t in x:
        h = tg.tanh(h @ W.T + x_t)
        found.append(each(h))
    return found


def total(x):
    return sum((h * h).sum() for h in states(x))


X = numbers(6, 2, 3)

# -- numbers that follow from the lengths ----------------------------------------------------------------------------

LENGTHS = {
    "the mean over time": lambda x: total(x) / len(x),
    "the mean over all": lambda x: total(x) / x.size,
    "a factor of the steps": lambda x: (len(x) - 1) * total(x),
    "one over steps times examples": lambda x: total(x) * (0.5 / (x.shape[0] * x.shape[1])),
    "a mean of stacked states": lambda x: (tg.stack(states(x)) ** 2).mean(),
    "a reshape to one row": lambda x: (tg.stack(states(x)).reshape(len(x) * x.shape[1] * 3) ** 2).sum(),
    "the last state": lambda x: (states(x)[-1] ** 2).mean(),
}


@pytest.mark.parametrize("model", LENGTHS.values(), ids=LENGTHS)
def test_numbers_from_the_lengths_are_those_of_every_call(model):
    step = tg.compile(model, X)
    for T, B in ((6, 2), (11, 4), (2, 7), (1, 1)):
        agree(by_program(step, numbers(T, B, 3, seed=1)), by_engine(model, numbers(T, B, 3, seed=1)))
    assert len(step.programs) == 1


# -- refused, by line ------------------------------------------------------------------------------------------------


def branch_on_a_loss(x):
    L = total(x)
    return L if float(L) < 1e9 else 2 * L


def branch_on_data(x):
    L = total(x)
    return L if x.data.mean() > 0 else 2 * L


def mask_of_the_data(x):
    L = total(x)
    return L * (np.asarray(x) > 0).mean()


def noise(x):
    return sum((h * h).sum() for h in states(x, lambda h: h + np.random.default_rng().normal(size=3)))


def dropped_out(x):
    rng = np.random.default_rng(0)
    return sum((h * h).sum() for h in states(x, lambda h: tg.dropout(h, 0.5, rng)))


def clock(x):
    return sum(t * h.sum() for t, h in enumerate(states(x)))


def every_second(x):
    L = 0
    for t, h in enumerate(states(x)):
        if t % 2:
            L = L + (h * h).sum()
    return L


def loops_in_loops(x):
    hs = states(x)
    return sum((a * b).sum() for a in hs for b in hs)


REFUSED = {
    branch_on_a_loss: ("float(L)", "Python reads a number out of a tensor"),
    branch_on_data: ("x.data", "Python reads a number out of a tensor"),
    mask_of_the_data: ("np.asarray(x)", "Python reads a number out of a tensor"),
    noise: ("default_rng()", "a constant that is another one at each step"),
    dropped_out: ("tg.dropout(h, 0.5, rng)", "a constant that is another one at each step"),
    clock: ("t * h.sum()", "a constant that is another one at each step"),
    every_second: ("", "only at every k-th step, k = 2"),
    loops_in_loops: ("", "in a loop within a loop"),
}


@pytest.mark.parametrize("model", REFUSED, ids=lambda model: model.__name__)
def test_what_is_not_certain_is_refused_with_the_expression_the_reason_and_the_line(model):
    expression, reason = REFUSED[model]
    with pytest.raises(tg.CompileError) as refusal:
        tg.compile(model, X)
    message = str(refusal.value)
    assert expression in message
    assert reason in message
    lines, first = inspect.getsourcelines(model)
    assert any(f"test_compile_guards.py:{n}" in message for n in range(first, first + len(lines)))


def test_a_mask_that_is_drawn_anew_by_each_run_is_refused():
    rng = np.random.default_rng(0)
    with pytest.raises(tg.CompileError, match="a random number, a mask or a count"):
        tg.compile(lambda x: (states(x)[-1] * rng.normal(size=3)).sum(), X)


def test_a_gradient_that_the_model_cuts_off_is_not_the_programs_and_refused():
    with pytest.raises(tg.CompileError, match="does not give the model's results"):
        tg.compile(lambda x: (states(x)[-1].detach() @ V * states(x)[-1]).sum(), X)


def test_parameters_that_share_an_array_are_refused():
    other = tg.Parameter(np.eye(3))
    other.data = W.data
    with pytest.raises(tg.CompileError, match="share one array"):
        tg.compile(lambda x: total(x @ other), X)


def test_a_wrong_program_is_noticed_even_where_all_weights_are_0(monkeypatch):
    def wrong(program):
        for value in program.values:
            if value.operation == "plus" and value.rule_of and value.span:
                value.reads = value.reads[:1]

    zero, last = tg.Parameter(np.zeros((3, 3))), tg.Parameter(np.zeros((3, 3)))

    def model(x):
        h, L = np.zeros(x.shape[1:]), 0
        for x_t in x:
            h = tg.tanh(h @ zero.T + x_t)
            L = L + (h @ last).sum()
        return L

    tg.compile(model, X)
    monkeypatch.setattr(passes, "PASSES", [*passes.PASSES, wrong])
    with pytest.raises(tg.CompileError, match="does not give the model's results"):
        tg.compile(model, X)


def test_an_argument_of_a_kind_whose_state_may_change_is_refused():
    with pytest.raises(tg.CompileError, match="a Generator among the arguments"):
        tg.compile(lambda x, rng: total(x), X, np.random.default_rng(0))


# -- first calls with other lengths ----------------------------------------------------------------------------------


def changes_its_mind(x):
    return total(x) * (1 if len(x) < 20 else 2)


def test_a_first_call_with_another_length_is_compared_with_the_engine():
    step = tg.compile(changes_its_mind, X)
    agree(by_program(step, numbers(19, 2, 3)), by_engine(changes_its_mind, numbers(19, 2, 3)))
    for _ in range(2):
        with pytest.raises(tg.CompileError, match="does not give the model's results"):
            step(numbers(20, 2, 3))


def test_later_calls_do_not_run_the_model():
    class Calls:
        number = 0

    def model(x):
        Calls.number += 1
        return total(x)

    step = tg.compile(model, X)
    step(numbers(9, 2, 3))
    before = Calls.number
    for seed in range(3):
        step(numbers(9, 2, 3, seed=seed))
        step(X)
    assert Calls.number == before


def test_another_shape_or_dtype_is_compiled_anew():
    model = lambda x: (tg.tanh(x @ V) ** 2).sum() * (1 + x.ndim)
    step = tg.compile(model, numbers(4, 3))
    for arguments in (numbers(2, 4, 3), numbers(4, 3).astype(np.float32), numbers(3)):
        agree(by_program(step, arguments), by_engine(model, arguments))
    assert len(step.programs) == 4


def test_a_list_of_arrays_is_as_good_as_an_array_and_a_list_of_all_states_is_returned():
    def model(xs, start):
        h, c = start
        found = []
        for x_t in xs:
            h = tg.tanh(h @ W.T + x_t + c)
            found.append(h)
        return found, h * 2

    start = (numbers(2, 3), numbers(2, 3, seed=1))
    step = tg.compile(model, list(X), start)
    for T in (6, 9):
        xs = list(numbers(T, 2, 3, seed=5))
        found, last = step(xs, start)
        wanted, wanted_last = model(xs, start)
        assert isinstance(found, list)
        agree([*found, last], [h.data for h in (*wanted, wanted_last)])
    assert len(step.programs) == 1


def test_arguments_of_different_lengths_are_the_models_to_judge_and_else_refused():
    def truncating(x, y):
        return sum((h * y_t).sum() for h, y_t in zip(states(x), y, strict=False))

    def strict(x, y):
        return sum((h * y_t).sum() for h, y_t in zip(states(x), y, strict=True))

    for model, error in ((truncating, tg.CompileError), (strict, ValueError)):
        step = tg.compile(model, X, X)
        for _ in range(2):
            with pytest.raises(error):
                step(X, X[:4])


def test_parameters_among_the_arguments_are_parameters_or_refused():
    def model(weights, x):
        return (states(x)[-1] @ weights["V"] * weights["b"]).sum()

    weights = {"V": tg.Parameter(np.eye(3)), "b": tg.Parameter(np.ones(3) * 20)}
    if "input" in {step.kind for step in tg.record(model, weights, X).steps[:2]}:  # as all arguments are recorded
        with pytest.raises(tg.CompileError, match="is a parameter"):
            tg.compile(model, weights, X)
        return
    step = tg.compile(model, weights, X)
    weights["V"].data = weights["V"].data * 3
    agree(by_program(step, weights, numbers(9, 4, 3)), by_engine(model, weights, numbers(9, 4, 3)))
    others = {"V": tg.Parameter(np.eye(3) * 7), "b": tg.Parameter(np.ones(3))}
    agree(by_program(step, others, X), by_engine(model, others, X))
    assert len(step.programs) == 2


# -- what the model holds ----------------------------------------------------------------------------------------------


class Scaled(tg.Module):
    def __init__(self):
        self.W = tg.Parameter(np.eye(3) / 2)
        self.mask = np.array([1.0, 0.0, 2.0])
        self.fixed = tg.Tensor(np.array([0.5, 1.0, 0.25]))
        self.factor = 2.0
        self.squared = True

    def __call__(self, x):
        h = np.zeros(x.shape[1:])
        L = 0
        for x_t in x:
            h = tg.tanh(h @ self.W.T + x_t * self.mask) * self.fixed
            L = L + self.factor * (h * h if self.squared else h).sum()
        return L


def set_attribute(name, value):
    return lambda model: setattr(model, name, value)


CHANGES = {
    "a parameter's array": lambda model: setattr(model.W, "data", model.W.data * 1.3),
    "a parameter": set_attribute("W", tg.Parameter(np.eye(3))),
    "a frozen parameter": lambda model: setattr(model.W, "requires_grad", False),
    "a constant's array": lambda model: setattr(model.fixed, "data", model.fixed.data + 1),
    "a constant": set_attribute("fixed", tg.Tensor(np.array([0.1, 0.2, 0.3]))),
    "an array": set_attribute("mask", np.array([1.0, 1.0, 3.0])),
    "an array in place": lambda model: np.copyto(model.mask, 7),
    "a number": set_attribute("factor", 3.0),
    "a switch": set_attribute("squared", False),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_the_model_holds_is_taken_as_it_is_at_each_call(change):
    model = Scaled()
    step = tg.compile(model, X)
    step(X)
    change(model)
    agree(by_program(step, X), by_engine(model, X))


def test_a_closures_and_a_globals_numbers_are_taken_as_they_are(monkeypatch):
    factor = 2.0

    def model(x):
        return factor * GLOBAL * total(x)

    step = tg.compile(model, X)
    factor = 3.0
    agree(by_program(step, X), by_engine(model, X))
    monkeypatch.setitem(globals(), "GLOBAL", 5.0)
    agree(by_program(step, X), by_engine(model, X))


GLOBAL = 1.5


def test_parameters_of_one_name_are_numbered():
    weights = [[tg.Parameter(np.eye(3) * (i + 1))] for i in range(2)]
    step = tg.compile(lambda x: (x @ weights[0][0]).sum() + (x @ weights[1][0] ** 2).sum(), X)
    assert len(step(X)[1]) == 2


def test_a_model_that_computes_without_gradients_takes_its_weights_as_they_are():
    model = tg.no_grad()(lambda x: states(x)[-1] > 0)
    step = tg.compile(model, X)
    np.testing.assert_array_equal(step(X), model(X).data)


# -- results --------------------------------------------------------------------------------------------------------


def test_gradients_are_arrays_of_their_own():
    model = lambda x: (x @ V.T + W).sum() + (x @ W).sum()
    step = tg.compile(model, numbers(3, 3))
    wanted = by_engine(model, numbers(3, 3))
    _, gradients = step(numbers(3, 3))
    assert len({id(g) for g in gradients.values()}) == 2
    for g in gradients.values():
        g[...] = 99
    assert (gradients["V"] == 99).all()
    agree(by_program(step, numbers(3, 3)), wanted)


def test_outputs_of_a_model_without_a_loss_are_arrays_of_their_own():
    step = tg.compile(lambda x: {"x": x.reshape(-1), "h": states(x)[-1], "W": W.T}, X)
    result = step(X)
    for array in result.values():
        array[...] = 99
    np.testing.assert_array_equal(step(X)["x"], X.reshape(-1))
    np.testing.assert_array_equal(step(X)["W"], W.data.T)


def test_backward_adds_to_the_gradients_of_the_parameters():
    step = tg.compile(total, X)
    W.grad = None
    assert step.backward(X) == step.backward(X) == pytest.approx(total(X).item())
    np.testing.assert_allclose(W.grad.data, 2 * step(X)[1]["W"], rtol=1e-12)
    W.grad = None


def test_a_slope_that_is_infinite_where_no_gradient_comes_is_the_engines():
    def model(x):
        L = 0
        for x_t in x:
            y = x_t @ W
            L = L + tg.where(y > 0, tg.sqrt(tg.where(y > 0, y, 0)), 0).sum()
        return L

    step = tg.compile(model, np.abs(X))
    x = X.copy()
    x[0] = 0
    agree(by_program(step, x), by_engine(model, x))


def test_nan_in_the_data_is_nan_in_the_loss():
    step = tg.compile(total, X)
    assert np.isnan(step(np.where(X > 1, np.nan, X))[0])


def test_it_runs_without_gradients_and_while_something_is_recorded():
    step = tg.compile(total, X)
    wanted = by_engine(total, numbers(9, 2, 3))
    with tg.no_grad():
        agree(by_program(step, numbers(9, 2, 3)), wanted)
    tg.record(lambda x: step(numbers(8, 2, 3)) and x * 2, X)


def test_arrays_that_are_kept_are_never_handed_out():
    models = {
        "a loss": total,
        "all states": lambda x: tg.stack(states(x)),
        "one state": lambda x: (states(x)[-1], states(x)[0]),
        "a list": lambda x: [h * 1 for h in states(x)],
    }
    for model in models.values():
        step = tg.compile(model, X)
        step(X)
        first = flatten(step(X))
        before = [np.array(array) for array in first]
        again = flatten(step(X + 1))
        for array, copy in zip(first, before, strict=True):
            np.testing.assert_array_equal(array, copy)
        kept = [array for arrays in step.programs[0]._idle.values() for array in arrays]
        assert kept
        assert not any(np.shares_memory(a, b) for a in (*first, *again) for b in kept)


def test_a_program_that_keeps_its_arrays_gives_the_same_bits():
    step = tg.compile(total, X)
    scope = {}
    exec(step.source, scope)
    for seed in range(3):
        x = numbers(6, 2, 3, seed=seed)
        loss, gradients = scope["step"](W.data, x)
        assert step(x)[0] == loss
        np.testing.assert_array_equal(step(x)[1]["W"], gradients["W"])


def test_threads_do_not_disturb_each_other():
    step = tg.compile(total, X)
    arguments = [numbers(5 + i % 3, 2, 3, seed=i) for i in range(12)]
    results = {}

    def run(i):
        for _ in range(20):
            results[i] = by_program(step, arguments[i])

    threads = [Thread(target=run, args=(i,)) for i in range(len(arguments))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for i, x in enumerate(arguments):
        agree(results[i], by_engine(total, x))


def test_an_error_of_the_model_is_raised_as_it_is():
    step = tg.compile(total, X)
    with pytest.raises(tg.ShapeError):
        step(numbers(6, 2, 4))
    agree(by_program(step, X), by_engine(total, X))
