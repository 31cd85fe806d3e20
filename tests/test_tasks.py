"""The tasks: their answers, and that chance and floor are what counting all sequences comes to."""

import itertools
import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.catalogue import CATALOGUE
from zoo.generative import Generative
from zoo.pairs import CELLS, OTHERS, READERS, model_for
from zoo.tasks import TASKS
from zoo.tasks.adding import Adding
from zoo.tasks.bits import FairBits, LookAheadXor, RunningXor
from zoo.tasks.chain import FlippingChain
from zoo.tasks.characters import Characters, Corpus
from zoo.tasks.drawn import CLASSES, NUMBERS, STRING, Drawn, entropy
from zoo.tasks.facts import ANSWER
from zoo.tasks.orbit import Orbit
from zoo.tasks.reber import LETTERS, EmbeddedReber, Reber
from zoo.tasks.spelling import VECTOR
from zoo.tasks.warped import LETTERS as ALPHABET
from zoo.tasks.warped import UniformWarp, VariableWarp
from zoo.training import train

LN2 = math.log(2)
DRAWN = {name: kind for name, kind in TASKS.items() if issubclass(kind, Drawn)}
each_task = pytest.mark.parametrize("name", DRAWN)


def conditional_entropy(y, known):
    """H(y | known) in nats, all columns being equally likely.  y (n,), known (k, n)"""
    groups = {}
    for answer, given_ in zip(y, zip(*known, strict=True), strict=True):
        groups.setdefault(given_, []).append(answer)
    return sum(len(g) / len(y) * entropy(np.unique(g, return_counts=True)[1] / len(g)) for g in groups.values())


def all_coins(T):
    return np.array(list(itertools.product((0, 1), repeat=T))).T


# All drawn tasks


@each_task
def test_the_same_generator_draws_the_same_and_another_another(name):
    task = DRAWN[name](T=10, B=5)
    one, same, other = (task.batch(np.random.default_rng(seed)) for seed in (0, 0, 1))
    assert all(np.all(a == b) for a, b in zip(one, same, strict=True))
    assert any(a.shape != b.shape or (a != b).any() for a, b in zip(one, other, strict=True))


@each_task
def test_its_arrays_have_the_sizes_and_the_type_it_says(name):
    task = DRAWN[name](T=10, B=5, dtype=np.float32)
    x, y, *more = task.batch(np.random.default_rng(0))
    if task.wants == STRING:
        assert y.shape == (5,) and x.shape == (y.max(), 5) and 0 <= x.min() <= x.max() < task.outputs
        return
    if task.wants == ANSWER:  # x, the question, y
        assert y.shape == (5, task.inputs) and y.dtype == np.float32
        (y,) = more
    if task.wants == VECTOR:
        assert x.shape == (5, task.inputs) and x.dtype == np.float32
    else:
        assert x.shape == (len(x), 5, task.inputs) and len(x) >= 10 and x.dtype == np.float32
    if task.says == CLASSES:
        assert y.dtype.kind == "i" and 0 <= y.min() <= y.max() < (task.outputs or 10)  # or places in the input
        assert y.shape[-1] == 5
    else:
        assert y.dtype == (np.float32 if task.says == NUMBERS else bool)
        assert y.shape[-2:] == (5, task.outputs)


@each_task
def test_a_batch_has_as_many_units_as_answers(name):
    task = DRAWN[name](T=10, B=5)
    batch = task.batch(np.random.default_rng(0))
    assert task.units(batch) == (batch[1].size if task.unit == "step" else 5)


@each_task
def test_chance_lies_above_the_floor_and_the_floor_is_not_negative(name):
    baselines = DRAWN[name]().baselines
    assert 0 <= baselines["floor"] < baselines["chance"] < math.inf


@each_task
def test_a_model_that_has_learnt_nothing_is_not_below_chance_and_gets_the_same_figure_twice(name):
    task = DRAWN[name](T=10)
    model = next(m for m in (built(n, task) for n in CATALOGUE) if m)
    losses = [task.validation_loss(model) for _ in range(2)]
    # Where the last value is a good answer, something in between is one too.
    worst = task.baselines.get("last value", 0.95 * task.chance)  # 0.95: some letters are a little likelier by luck
    assert losses[0] == losses[1] > worst


@each_task
@pytest.mark.parametrize("sizes", [{"T": 0}, {"B": 0}, {"T": -3}])
def test_too_few_steps_or_sequences_are_an_error(name, sizes):
    with pytest.raises(ValueError, match=f"{DRAWN[name].__name__}: T ≥ .* and B ≥ 1 are needed"):
        DRAWN[name](**sizes)


# Bits


def test_the_coin_before_is_known_with_memory_and_is_a_fair_coin_to_pattern_3():
    x = all_coins(5)
    y = FairBits(T=5).answers(x)
    assert [conditional_entropy(y[t], x[: t + 1]) for t in range(5)] == [0] * 5
    fed = [x[0], *y[:-1]]  # at the first step there is nothing
    assert [conditional_entropy(y[t], [x[t], fed[t]]) for t in range(5)] == pytest.approx([0] + [LN2] * 4)


@given(st.lists(st.floats(0.001, 0.999), min_size=18, max_size=18))
def test_no_pattern_3_that_is_fed_its_own_samples_beats_ln_2(p):
    """p(1 | t, x⁽ᵗ⁾, word before), any table: the exact expected loss, over all coins and all words."""
    T, p = 3, np.array(p).reshape(3, 2, 3)
    coins = all_coins(T)
    answers, loss = FairBits(T=T).answers(coins), 0.0
    for x, y in zip(coins.T, answers.T, strict=True):
        word = np.array([0.0, 0.0, 1.0])  # how likely the word before is 0, 1, none
        for t in range(T):
            said = p[t, x[t]]
            loss -= word @ np.log(said if y[t] else 1 - said)
            word = np.array([word @ (1 - said), word @ said, 0])
    assert loss / 2**T / FairBits(T=T).hard >= LN2 - 1e-12


def test_the_running_xor_is_known_from_the_last_answer_and_is_a_fair_coin_without():
    x = all_coins(5)
    y = RunningXor(T=5).answers(x)
    assert (y == [x[: t + 1].sum(axis=0) % 2 for t in range(5)]).all()
    assert [conditional_entropy(y[t], [x[t]]) for t in range(5)] == pytest.approx([0] + [LN2] * 4)
    assert [conditional_entropy(y[t], [x[t], y[t - 1]]) for t in range(1, 5)] == [0] * 4


def test_the_look_ahead_xor_is_known_from_both_sides_and_is_a_fair_coin_from_the_past():
    x = all_coins(5)
    y = LookAheadXor(T=5).answers(x)
    assert (y[:-1] == (x[:-1] != x[1:])).all()
    assert [conditional_entropy(y[t], x[: t + 1]) for t in range(5)] == pytest.approx([LN2] * 4 + [0])
    assert [conditional_entropy(y[t], x) for t in range(5)] == [0] * 5


@pytest.mark.parametrize("task", [FairBits(T=5), RunningXor(T=5), LookAheadXor(T=5)])
def test_a_loss_of_ln_2_at_each_hard_step_is_chance(task):
    assert task.loss(lambda x, y: (len(x) - 1) * LN2, *task.batch(np.random.default_rng(0))) == pytest.approx(LN2)
    assert task.chance == pytest.approx(LN2)


def test_one_coin_leaves_nothing_to_remember():
    with pytest.raises(ValueError, match="FairBits: T ≥ 2"):
        FairBits(T=1)


# The chain


@pytest.mark.parametrize("T", [1, 2, 10])
def test_the_floor_of_the_chain_is_the_entropy_of_all_its_sequences(T):
    task = FlippingChain(T=T)
    (x, y), p = task.all_sequences()
    assert x.shape == (T, 2**T, 1) and y.shape == (T, 2**T) and len(set(map(tuple, y.T))) == 2**T
    assert p.sum() == pytest.approx(1, abs=1e-14)
    assert task.floor == pytest.approx(entropy(p), rel=1e-12)
    assert task.chance == pytest.approx(sum(entropy([p[y[t] == k].sum() for k in (0, 1)]) for t in range(T)), rel=1e-12)


def test_the_figures_of_the_chain_are_those_of_the_target():
    assert (round(FlippingChain().chance, 3), round(FlippingChain().floor, 3)) == (6.931, 3.619)


def test_the_chain_flips_as_often_as_it_should_and_starts_on_either_side():
    _, y = FlippingChain(T=10, ε=0.3).draw(10_000, np.random.default_rng(0))
    assert (y[1:] != y[:-1]).mean() == pytest.approx(0.3, abs=5 * math.sqrt(0.3 * 0.7 / 90_000))
    assert y[0].mean() == pytest.approx(0.5, abs=5 * 0.5 / 100)


# Reber

REST = "T*V(PXT*V)*(V|PS)"
REBER = f"B(TS*X(S|X{REST})|P{REST})E"
GRAMMARS = {Reber: REBER, EmbeddedReber: f"B(T{REBER}T|P{REBER}P)E"}
each_grammar = pytest.mark.parametrize("grammar", GRAMMARS)


@each_grammar
def test_mean_length_and_entropy_are_what_adding_up_all_ways_through_the_table_gives(grammar):
    """Letter by letter: how likely each place is, and what has been written and decided until there."""
    task = grammar()
    p, length, nats = np.eye(len(task.arrows))[0], 0.0, 0.0
    for _ in range(500):
        after = np.zeros_like(p)
        for place, arrows in enumerate(task.arrows):
            for to in arrows.values():
                after[to] += p[place] / len(arrows)
            length += p[place] * bool(arrows)
            nats += p[place] * math.log(max(1, len(arrows)))
        p = after
    assert task.mean_length == pytest.approx(length, rel=1e-12)
    assert task.floor == pytest.approx(nats, rel=1e-12)
    assert task.chance == pytest.approx(length * math.log(7), rel=1e-12)


def test_the_figures_of_the_grammars_are_those_of_the_target():
    figures = [(t.mean_length, round(t.floor, 4)) for t in (Reber(), EmbeddedReber())]
    assert figures == [(pytest.approx(8), 4.1589), (pytest.approx(12), 4.8520)]


@each_grammar
def test_its_strings_are_valid_as_long_and_as_surprising_as_computed(grammar):
    task, rng = grammar(), np.random.default_rng(0)
    y, lengths = task.draw(5000, rng)
    strings = ["".join(LETTERS[c] for c in y[:n, b]) for b, n in enumerate(lengths)]
    assert all(task.valid(s) and re.fullmatch(GRAMMARS[grammar], s) for s in strings)
    for values, expected in (lengths, task.mean_length), (-task.log_p(y, lengths), task.floor):
        assert values.mean() == pytest.approx(expected, abs=5 * values.std() / math.sqrt(5000))


@each_grammar
@given(data=st.data())
def test_a_string_is_valid_exactly_if_the_grammar_as_a_regular_expression_says_so(grammar, data):
    right = data.draw(st.from_regex(GRAMMARS[grammar], fullmatch=True))
    at = data.draw(st.integers(0, len(right) - 1))
    changed = right[:at] + data.draw(st.text(LETTERS, max_size=3)) + right[at + 1 :]
    for s in right, changed, data.draw(st.text(LETTERS)):
        assert grammar().valid(s) == bool(re.fullmatch(GRAMMARS[grammar], s))


def test_what_is_written_ends_with_the_last_e_that_counts():
    assert [Reber().cut(s) for s in ("BTXSEBB", "BTX", "E", "")] == ["BTXSE", "BTX", "E", ""]
    assert [EmbeddedReber().cut(s) for s in ("BTBTXSETEEE", "BTBTXSET")] == ["BTBTXSETE", "BTBTXSET"]


def test_an_untrained_network_writes_no_valid_strings_and_none_longer_than_it_may():
    task = EmbeddedReber(T=20)
    written = task.written(Generative(7, 8, rng=0), 200, 0)
    assert len(written) == 200
    assert max(map(len, written)) == 20
    assert np.mean([task.valid(s) for s in written]) < 0.02


# Adding


@pytest.mark.parametrize("T", [2, 3, 50])
def test_the_sum_is_that_of_two_marked_numbers_one_in_each_half(T):
    x, y = Adding(T=T, dtype=np.float64).draw(500, np.random.default_rng(0))
    values, marks = x[:, :, 0], x[:, :, 1]
    assert (marks[: T // 2].sum(axis=0) == 1).all() and (marks[T // 2 :].sum(axis=0) == 1).all()
    np.testing.assert_allclose(y[:, 0], (values * marks).sum(axis=0))
    assert 0 <= values.min() < 0.05 and 0.95 < values.max() < 1


def test_chance_at_adding_is_the_error_of_always_saying_1():
    """E (u + v − 1)² over a fine grid of both numbers."""
    u = (np.arange(1000) + 0.5) / 1000
    assert Adding().chance == pytest.approx(((u[:, None] + u - 1) ** 2).mean(), rel=1e-5)
    assert Adding().chance == pytest.approx(1 / 6, rel=1e-12)


# The orbit


@pytest.mark.parametrize("r", [0, 3.5, 4])
def test_the_orbit_is_that_of_the_map_and_only_its_start_is_shown(r):
    x, y = Orbit(T=6, r=r, dtype=np.float64).draw(20, np.random.default_rng(0))
    np.testing.assert_allclose(y[0], r * x[0] * (1 - x[0]))
    np.testing.assert_allclose(y[1:], r * y[:-1] * (1 - y[:-1]), atol=1e-15)
    assert not x[1:].any()
    assert 0 <= y.min() <= y.max() <= 1


def test_chance_at_the_orbit_is_the_error_of_the_best_constant_for_each_step():
    task = Orbit()
    _, y = task.draw(200_000, np.random.default_rng(0))
    assert task.chance == pytest.approx(y.var(axis=1).mean(), rel=0.01)
    assert task.loss(lambda x, y: ((y - y.mean(axis=1, keepdims=True)) ** 2).sum() / 2 / y.shape[1], y, y) == (
        pytest.approx(task.chance, rel=0.01)
    )


@pytest.mark.parametrize("r", [-0.1, 4.1, math.nan])
def test_a_map_that_leaves_the_interval_is_an_error(r):
    with pytest.raises(ValueError, match="stays in"):
        Orbit(r=r)


# Warped time


@pytest.mark.parametrize("kind", [UniformWarp, VariableWarp])
@pytest.mark.parametrize(("T", "most"), [(40, 6), (1, 1), (3, 5), (12, 1)])
def test_the_answer_is_the_letter_before_however_long_letters_last(kind, T, most):
    x, y = kind(T=T, most=most).draw(200, np.random.default_rng(0))
    lengths = set()
    for letters, answers in zip(x.argmax(axis=-1).T, y.T, strict=True):
        runs = [(letter, len(list(run))) for letter, run in itertools.groupby(letters)]
        before = [ALPHABET, *(letter for letter, _ in runs)]
        assert answers.tolist() == [b for b, (_, n) in zip(before, runs, strict=False) for _ in range(n)]
        lengths |= {n for _, n in runs[:-1]}
    whole = {n for n in range(1, most + 1) if n < T}
    assert lengths == (whole if kind is VariableWarp else whole & {most})


@pytest.mark.parametrize("kind", [UniformWarp, VariableWarp])
def test_chance_in_warped_time_is_the_entropy_of_the_answer_given_the_letter(kind):
    task = kind(T=12, most=8)
    x, y = task.draw(100_000, np.random.default_rng(0))
    measured = conditional_entropy(y.ravel(), [x.argmax(axis=-1).ravel()])
    assert task.chance == pytest.approx(measured, rel=1e-3)


def test_letters_that_last_no_time_are_an_error():
    with pytest.raises(ValueError, match="at least 1 step, not 0"):
        VariableWarp(most=0)


# Which model can learn which task


def small(name):
    if name == "characters":
        return Characters(Corpus("abracadabra, " * 10), 6, 3)
    return TASKS[name]({"listops": 2}.get(name, 10), 3)


def built(name, task):
    """The model for a task; None where the two do not go together."""
    try:
        return model_for(name, task, 5, rng=0)
    except ValueError:
        return None


def test_every_model_of_the_catalogue_is_built_for_some_task_or_is_said_to_have_none():
    assert sorted([*CELLS, *READERS, *OTHERS]) == sorted(CATALOGUE)
    tasks = [small(name) for name in TASKS]
    assert {name for name in CATALOGUE if not any(built(name, task) for task in tasks)} == set(OTHERS)


@pytest.mark.parametrize("name", TASKS)
def test_every_model_takes_steps_on_a_task_or_says_in_a_line_why_not(name):
    task, trained = small(name), 0
    for model_name in CATALOGUE:
        model = built(model_name, task)
        if model is None:
            with pytest.raises(ValueError, match=rf"\A{model_name} [a-z][^\n]{{20,150}}\Z"):
                model_for(model_name, task, 5, rng=0)
            continue
        before = [p.data.copy() for p in model.parameters()]
        history = train(model, task, steps=2, lr=0.01, rng=0, every=2)
        assert np.isfinite(history.train + history.validation).all(), model_name
        assert any((p.data != b).any() for p, b in zip(model.parameters(), before, strict=True)), model_name
        assert isinstance(task.sample(model, np.random.default_rng(0)), str)
        trained += 1
    assert trained


@pytest.mark.parametrize(
    ("model", "task", "why"),
    [
        ("bidirectional", "characters", "reads all before it says anything; .* each output before the next input"),
        ("bidirectional", "copying", "says anything; the task wants each output before the next input"),
        ("pattern-1", "copying", "says classes, and the task wants bits"),
        ("echo-state", "fair-bits", "says numbers, and the task wants classes"),
        ("teacher-forcing", "mackey-glass", "fed its own outputs too, which here are the next inputs"),
        ("lstm", "listops", "the task wants an answer about a tree"),
        ("attention", "facts", "the task wants an answer to a question about facts"),
        ("encoder-decoder", "spelling", "the task wants a sequence about one vector"),
        ("layer-lstm", "adding", "a layer for models of your own, .* lstm-biased"),
        ("pattern-4", "characters", "fed its own outputs too, which here are the next inputs"),
        ("pattern-2", "fair-bits", "gives one output for the whole sequence, and the task wants an output at every"),
        ("pattern-1", "adding", "gives an output at every step, and the task wants one output for the whole"),
        ("pattern-3", "fair-bits", "says numbers, and the task wants classes"),
        ("pattern-1", "orbit", "says classes, and the task wants numbers"),
        ("lstm", "reber", "gives an output at every step or one .*, and the task wants a distribution over strings"),
        ("recursive", "fair-bits", "gives an answer about a tree, and the task wants an output at every step"),
        ("memory-network", "adding", "gives an answer to a question about facts, and the task wants one output"),
    ],
)
def test_why_a_model_cannot_learn_a_task_is_said(model, task, why):
    with pytest.raises(ValueError, match=f"^{model} .*{why}"):
        model_for(model, small(task), 5, rng=0)
