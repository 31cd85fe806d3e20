"""The tasks of the literature: their answers, their chance and floor, and what the claims about them measure with."""

import math
import re
from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_rnn as tg
from zoo.claims.published import CLAIMS, median_below, some_below
from zoo.claims.reading import ElmanCell, all_letters_right, forgetful, order_told
from zoo.claims.reservoirs import nrmse84
from zoo.claims.teaching import growing
from zoo.echo_state import EchoState
from zoo.recursive import DeepRecursive, Recursive
from zoo.tasks.copy_memory import BLANK, SIGN, CopyMemory
from zoo.tasks.copying import Copying
from zoo.tasks.dates import DAYS, FORMATS, MONTHS, READ, WEEKDAYS, WRITTEN, Dates
from zoo.tasks.facts import NAMES, Facts
from zoo.tasks.listops import DIGITS, OPERATORS, ListOps
from zoo.tasks.mackey_glass import MackeyGlass, mackey_glass, nrmse
from zoo.tasks.reber import LETTERS, EmbeddedReber
from zoo.tasks.spelling import LETTERS as SPELT
from zoo.tasks.spelling import Spelling
from zoo.tasks.strings import Reversal, Sorting, solved
from zoo.tasks.temporal_order import SYMBOLS, TemporalOrder
from zoo.tasks.warped import UniformWarp, VariableWarp
from zoo.vector_to_sequence import VectorToSequence

TASKS = [TemporalOrder, CopyMemory, Reversal, Sorting, UniformWarp, VariableWarp]


def drawn(task, B=50, seed=0):
    return task.draw(B, np.random.default_rng(seed))


class Says:
    """A model that gives o, whatever it is asked."""

    def __init__(self, o):
        self.o = o

    def output(self, x):
        return tg.Tensor(self.o(x))


@pytest.mark.parametrize("kind", TASKS)
def test_the_same_seed_draws_the_same_and_another_another(kind):
    one, same, other = (drawn(kind(12), seed=s) for s in (0, 0, 1))
    assert all((a == b).all() for a, b in zip(one, same, strict=True))
    assert any((a != b).any() for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("kind", TASKS)
def test_too_few_steps_or_sequences_are_an_error(kind):
    for T, B in (0, 5), (20, 0):
        with pytest.raises(ValueError, match="are needed"):
            kind(T, B)


# Mackey-Glass


def test_the_series_obeys_the_equation_of_its_delay():
    y = np.arctanh(mackey_glass(400, 3, 17, 0)[:, :, 0]) + 1
    slope = (y[19:-1] - y[17:-3]) / 2  # central difference at t = 18, …
    right = 0.2 * y[1:-19] / (1 + y[1:-19] ** 10) - 0.1 * y[18:-2]
    assert np.abs(slope - right).max() < 0.01 < 0.05 < np.abs(slope).max()


def test_the_series_is_in_range_not_periodic_and_its_own_for_each_run():
    y = mackey_glass(2000, 2, 17, 0)[:, :, 0]
    assert y.shape == (2000, 2) and -1 < y.min() < -0.4 < 0.2 < y.max() < 1
    y = y - y.mean(axis=0)
    assert max(abs(np.corrcoef(y[:-lag, 0], y[lag:, 0])[0, 1]) for lag in range(500, 600)) < 0.999
    assert abs(np.corrcoef(y.T)[0, 1]) < 0.9


@pytest.mark.parametrize("sizes", [(0, 1, 17), (1, 0, 17), (1, 1, 0)])
def test_a_series_without_steps_runs_or_delay_is_an_error(sizes):
    with pytest.raises(ValueError, match="at least 1"):
        mackey_glass(*sizes, 0)


def test_the_best_constant_has_a_normalised_error_of_one():
    y = mackey_glass(5000, 1, 17, 0)[:, 0]
    assert nrmse(np.full_like(y, y.mean()), y, y.var()) == pytest.approx(1)


def test_the_next_step_is_the_series_a_step_later_and_all_windows_are_pieces_of_series():
    task = MackeyGlass(30, 40)
    for x, y in task.batch(np.random.default_rng(0)), drawn(task, 40):
        assert x.shape == y.shape == (30, 40, 1) and (x[1:] == y[:-1]).all()
        slope = np.abs(np.diff(x, axis=0))
        assert 0.02 < slope.max() < 0.2 and np.ptp(x, axis=0).min() > 0.1


def test_the_mean_of_the_series_is_at_chance_and_its_last_value_where_it_is_said_to_be():
    task = MackeyGlass(dtype=np.float64)
    x, y = task.validation

    def error_of(o):
        return task.loss(lambda x, y: ((o - y) ** 2).sum() / 2 / y.shape[1], x, y)

    assert error_of(y.mean()) == pytest.approx(task.chance, rel=0.03)
    assert error_of(x) == pytest.approx(task.baselines["last value"], rel=0.03)
    assert task.baselines["last value"] < 0.05


class Again:
    """A model that says the last value again."""

    def initial_state(self, B):
        return None

    def step(self, x, state):
        return tg.Tensor(x) if isinstance(x, np.ndarray) else x, None


def test_a_free_run_goes_on_from_what_the_model_has_said():
    task = MackeyGlass(50, dtype=np.float64)
    shown, to_come = np.split(task.to_go_on_with, [50])
    assert len(to_come) == 84
    stuck = nrmse(shown[-1], to_come[-1], task.variance)
    assert task.free_run(Again()) == pytest.approx(stuck) and stuck > 0.5


def test_a_fitted_reservoir_goes_on_by_itself_and_one_that_is_not_does_not():
    task = MackeyGlass(300, 10, dtype=np.float64)
    network = EchoState(1, 200, 1, radius=0.79, feedback=0.56, C=0.44, a=0.9, rng=0)
    before = task.free_run(network)
    network.fit(*task.batch(np.random.default_rng(0)), washout=100, ridge=1e-6)
    assert task.free_run(network) < 0.3 < 0.9 < before


# Temporal order


def test_the_class_is_the_order_of_the_two_signals_and_all_else_is_noise():
    x, y = drawn(TemporalOrder(105), 500)
    symbols = np.array(list(SYMBOLS))[x.argmax(axis=-1)]
    assert (symbols[0] == "E").all() and (symbols[-1] == "B").all() and (x.sum(axis=-1) == 1).all()
    for column, label in zip(symbols.T, y, strict=True):
        at = np.flatnonzero((column == "X") | (column == "Y"))
        assert ["XX", "XY", "YX", "YY"][label] == "".join(column[at])
        assert 10 <= at[0] <= 20 and 50 <= at[1] <= 60


def test_the_four_orders_are_as_likely():
    _, y = drawn(TemporalOrder(10), 10_000)
    assert np.abs(np.bincount(y) / 10_000 - 0.25).max() < 0.02
    assert TemporalOrder.chance == pytest.approx(math.log(4))


@given(st.integers(10, 40))
def test_the_signals_do_not_meet_however_short_the_sequence(T):
    x, _ = drawn(TemporalOrder(T), 100)
    symbols = x.argmax(axis=-1)
    assert (((symbols == 4) | (symbols == 5)).sum(axis=0) == 2).all()


def test_a_model_that_knows_one_signal_tells_half_of_the_orders():
    def first_alone(x):
        symbols = x.argmax(axis=-1)
        at = ((symbols == 4) | (symbols == 5)).argmax(axis=0)
        return np.eye(4)[2 * (symbols[at, np.arange(symbols.shape[1])] == 5)]

    assert order_told(Says(first_alone), range(50, 60), 0) == pytest.approx(0.5, abs=0.05)


# Copy memory


def test_the_letters_come_again_after_the_sign():
    x, y = drawn(CopyMemory(30), 40)
    symbols = x.argmax(axis=-1)
    assert symbols.shape == y.shape == (50, 40)
    assert (symbols[:10] == y[-10:]).all() and (symbols[:10] < 8).all()
    assert (symbols[-11] == SIGN).all() and (np.delete(symbols[10:], -11, axis=0) == BLANK).all()
    assert (y[:-10] == BLANK).all()


@pytest.mark.parametrize(("T", "chance"), [(20, 0.5199), (50, 0.2971), (100, 0.1733)])
def test_the_chance_of_copy_memory_is_that_of_the_targets(T, chance):
    assert CopyMemory(T).chance == pytest.approx(chance, abs=5e-5)
    assert forgetful(0, True, lambda steps, what="": steps) < 5e-5


# Reversal and sorting


def test_a_reversed_string_read_backwards_is_the_string():
    x, y = drawn(Reversal(7))
    assert (x.argmax(axis=-1) == y[::-1]).all() and Reversal(7).chance == pytest.approx(7 * math.log(10))


def test_sorted_places_point_to_numbers_that_rise():
    x, y = drawn(Sorting(5))
    assert (np.diff(np.take_along_axis(x[:, :, 0], y, axis=0), axis=0) >= 0).all()
    assert (np.sort(y, axis=0) == np.arange(5)[:, None]).all()
    assert Sorting(5).chance == pytest.approx(math.log(120))


def test_solved_counts_the_sequences_without_any_error():
    y = np.array([[0, 1, 2], [2, 0, 1]])
    told = np.array([[0, 1, 2], [2, 0, 0]])

    def cell(_, t):
        return tg.Tensor(np.eye(3)[told[t[0]]]), t + 1

    assert solved(cell, np.zeros((3, 3)), np.zeros(3, int), y) == pytest.approx(2 / 3)


# Warped time


@pytest.mark.parametrize("kind", [UniformWarp, VariableWarp])
def test_the_answer_is_the_letter_before_the_present_one(kind):
    x, y = drawn(kind(60, most=7))
    for letters, answers in zip(x.argmax(axis=-1).T, y.T, strict=True):
        before, present = 10, letters[0]
        for letter, answer in zip(letters, answers, strict=True):
            if letter != present:
                before, present = present, letter
            assert answer == before


def test_letters_last_as_long_as_they_may():
    for kind, durations in (UniformWarp, {5}), (VariableWarp, {1, 2, 3, 4, 5}):
        x, _ = drawn(kind(300, most=5))
        runs = [np.diff(np.flatnonzero(np.diff(column))) for column in x.argmax(axis=-1).T]
        assert set(np.concatenate(runs)) == durations


# Copying, ListOps


def test_the_rows_come_again_after_the_sign():
    x, y = drawn(Copying(3))
    assert x.shape == (7, 50, 5) and (x[:3, :, :4] == y).all()
    assert (x[3, :, 4] == 1).all() and x[3:, :, :4].sum() == x[4:].sum() == x[:3, :, 4].sum() == 0
    with pytest.raises(ValueError, match="Copying: T ≥ 1"):
        Copying(0)


@given(st.integers(1, 6))
def test_who_knows_nothing_of_the_rows_needs_a_bit_for_each_of_their_bits(T):
    class Silent:
        def initial_state(self, B):
            return None

        def step(self, x, state):
            return tg.Tensor(np.zeros((len(x), 4))), state

    task = Copying(T)
    assert task.loss(Silent(), *drawn(task)).item() == pytest.approx(task.chance)


def value(tree, leaves):
    """What an expression comes to, computed from the tree."""
    if isinstance(tree, int):
        return leaves[tree]
    operator, (left, right) = tree
    return int(OPERATORS[leaves[operator] - DIGITS](value(left, leaves), value(right, leaves)))


def depth(tree):
    return 0 if isinstance(tree, int) else 1 + max(map(depth, tree[1]))


@given(st.integers(1, 4), st.integers(0, 1000))
def test_the_label_of_an_expression_is_what_it_comes_to(deep, seed):
    x, y, tree = drawn(ListOps(deep), 10, seed)
    assert depth(tree) == deep
    assert [value(tree, column.argmax(axis=-1)) for column in x.swapaxes(0, 1)] == y.tolist()


def test_all_results_are_as_likely():
    rng = np.random.default_rng(0)
    y = np.concatenate([ListOps(4).draw(500, rng)[1] for _ in range(20)])
    assert np.abs(np.bincount(y) / len(y) - 0.1).max() < 0.01
    with pytest.raises(ValueError, match="ListOps: T ≥ 1"):
        ListOps(0)


def test_expressions_of_many_forms_validate_a_model():
    forms = set()

    def model(x, y, tree):
        forms.add(str(tree))
        return tg.Tensor(float(len(x)))

    loss = ListOps(3).validation_loss(model)
    assert len(forms) > 5 and loss == pytest.approx(ListOps(3).validation_loss(model)) and loss > 3


def test_operators_are_those_of_the_docstring():
    assert [int(f(np.int64(7), np.int64(4))) for f in OPERATORS] == [7, 4, 5, 1]


# Dates


def read(text):
    """The date that a text says, read by its form."""
    text = re.sub(r"^[A-Z][a-z]+day, ", "", text)
    if "." in text:
        day, month, year = map(int, text.split("."))
    elif "/" in text:
        month, day, year = map(int, text.split("/"))
    else:
        (name,) = re.findall("[A-Z][a-z]+", text)
        month = next(k for k, full in enumerate(MONTHS, start=1) if full == name or full[:3] == name)
        day, year = map(int, re.findall(r"\d+", text))
    return date(year if year > 99 else 1900 + year if year >= 50 else 2000 + year, month, day)


def test_what_is_written_follows_from_what_is_read_in_every_format():
    task, seen = Dates(), set()
    for text, written in task.texts(3000, np.random.default_rng(0)):
        d = read(text)
        assert d.isoformat() == written
        assert WEEKDAYS[d.weekday()] in text or "day" not in text
        seen.add(re.sub(r"\d+", "0", re.sub("[A-Z][a-z]{3,}", "M", re.sub("May|[A-Z][a-z]{2}(?= )", "Mon", text))))
    assert len(seen) >= len(FORMATS)


def test_one_hot_rows_and_labels_are_the_letters_of_the_dates():
    task = Dates()
    x, y, lengths = drawn(task)
    texts = task.texts(50, np.random.default_rng(0))
    for b, (text, written) in enumerate(texts):
        assert "".join(READ[k] for k in x[: lengths[b], b].argmax(axis=-1)) == text
        assert "".join(WRITTEN[k] for k in y[:, b]) == written
        assert not x[lengths[b] :, b].any() and x[: lengths[b], b].sum() == lengths[b]
    assert task.inputs == 43 and max(len(text) for text, _ in task.texts(5000, np.random.default_rng(0))) == 28


def test_chance_at_dates_is_one_day_in_a_hundred_years():
    assert DAYS == (date(2050, 1, 1) - date(1950, 1, 1)).days == 36525
    assert Dates().chance == pytest.approx(10.506, abs=0.001)


@pytest.mark.parametrize("T", [9, 11])
def test_a_date_has_ten_letters(T):
    with pytest.raises(ValueError, match=r"Dates: T (≥ 10|is 10, the letters of 1950-01-01)"):
        Dates(T)


# Spelling


def test_a_number_is_spelt_digit_by_digit():
    x, y, lengths = drawn(Spelling(3))
    names = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
    for b, digits in enumerate(x.reshape(50, 3, 10).argmax(axis=-1)):
        text = " ".join(names[d] for d in digits) + "."
        assert "".join(SPELT[k] for k in y[: lengths[b], b]) == text
    assert Spelling(3).chance == pytest.approx(math.log(1000))


def test_a_sample_of_spelling_is_a_number_and_how_it_is_read_a_line_each():
    model = VectorToSequence(30, 4, Spelling.outputs, rng=0)
    lines = Spelling(3).sample(model, np.random.default_rng(0)).splitlines()
    assert len(lines) == 4 and all(re.fullmatch(r"\d{3}  [a-z ]*", line) for line in lines)


# Facts


@given(st.integers(2, 10), st.integers(0, 100))
def test_the_answer_is_where_the_one_is_who_has_the_thing(T, seed):
    x, q, y = drawn(Facts(T), 20, seed)
    words = [[tuple(np.flatnonzero(fact)) for fact in facts] for facts in x.swapaxes(0, 1)]
    for facts, asked, room in zip(words, q, y, strict=True):
        assert len(facts) == 2 * T and all(len(fact) == 2 for fact in facts)
        (thing,) = np.flatnonzero(asked)
        has = {b: a for a, b in facts if b >= 2 * NAMES}
        is_in = {a: b - NAMES for a, b in facts if b < 2 * NAMES}
        assert len(has) == len(is_in) == len(set(is_in.values())) == T
        assert is_in[has[thing]] == room


def test_who_cannot_chain_facts_guesses_among_the_rooms_that_are_named():
    x, _, y = drawn(Facts(4), 20_000)
    first = x[:, :, NAMES : 2 * NAMES].sum(axis=0).argmax(axis=-1)  # of those named, the first in the alphabet
    assert (first == y).mean() == pytest.approx(1 / 4, abs=0.02)
    assert Facts(4).chance == pytest.approx(math.log(4))
    with pytest.raises(ValueError, match="names for 10 people, not for 11"):
        Facts(11)


# What the claims measure with


def test_no_gradient_goes_back_through_the_state_of_elmans_network():
    x, h = np.ones((1, 3)), np.ones((1, 4))
    for cell, reaches in (ElmanCell(3, 4, rng=0), False), (Recursive(3, 4, 2, rng=0), True):
        join = cell.join if reaches else lambda x, h, cell=cell: cell(x, h)[0]
        first = np.ones((1, 4)) if reaches else x
        found = tg.grad(lambda h, join=join, first=first: tg.sum(join(first, h)))(h)
        assert bool(np.any(found.data)) == reaches


def test_a_string_is_read_right_only_if_each_ranking_begins_with_the_letters_that_can_come():
    grammar = EmbeddedReber()
    y, lengths = grammar.draw(200, np.random.default_rng(0))

    class Knows:
        """Knows the grammar; `forgets` the letter that it must repeat."""

        def __init__(self, forgets):
            self.forgets = forgets

        def initial_state(self, B):
            return [0] * B

        def step(self, y, places):
            o = np.zeros(y.shape)
            after = []
            for b, (letter, place) in enumerate(zip(y.argmax(axis=-1), places, strict=True)):
                place = grammar.arrows[place].get(LETTERS[letter], len(grammar.arrows) - 1)
                can_come = list(grammar.arrows[place])
                if self.forgets and can_come in (["T"], ["P"]):
                    can_come = ["T"]
                o[b, [LETTERS.index(c) for c in can_come]] = 1
                after.append(place)
            return tg.Tensor(o), after

    assert all(all_letters_right(Knows(False), grammar, y, lengths))
    half = np.mean(all_letters_right(Knows(True), grammar, y, lengths))
    assert half == np.mean(y[1] == LETTERS.index("T")) and 0.35 < half < 0.65


def test_lengths_grow_from_the_shortest_to_all():
    rng = np.random.default_rng(0)
    assert {growing(10, 110, 0, rng) for _ in range(50)} == {10}
    late = [growing(10, 12, done, rng) for done in (0.7, 0.9) for _ in range(100)]
    assert set(late) == {10, 11, 12}


def test_a_median_with_a_nan_holds_nothing():
    assert median_below(1)([0.5, 2, 0.9]) and not median_below(1)([0.5, 2, 1.5])
    assert some_below(1)([2, 0.5, 2]) and not some_below(1)([1, 2, 3])
    assert not median_below(1)([0.5, math.nan, 0.5]) and not some_below(1)([0.5, math.nan, 0.5])


def test_the_deep_composition_is_two_layers():
    model = DeepRecursive(3, 4, 2, rng=0)
    left, right = np.random.default_rng(1).normal(size=(2, 5, 4))
    between = np.tanh(model.b.data + left @ model.U.data.T + right @ model.W.data.T)
    np.testing.assert_allclose(model.join(left, right).data, np.tanh(model.d.data + between @ model.R.data.T))
    x = np.random.default_rng(2).normal(size=(3, 5, 3))
    model(x, np.zeros(5, int), (0, (1, 2))).backward()
    assert all(np.any(p.grad.data) for p in model.parameters())


# The claims

FAILURES = {"embedded-reber-elman", "adding-rnn", "no-clipping", "reversal-long", "warp-variable-leaky"}
FAILURES |= {"dates-encoder-decoder", "memory-network-one-look"}
FAST = [c for c in CLAIMS if not c.name.startswith("mackey-glass") and c.name != "copy-memory-chance"]


@pytest.mark.parametrize("claim", FAST, ids=lambda claim: claim.name)
def test_after_two_steps_no_claim_of_learning_holds_and_every_claim_of_failure_does(claim):
    figure = claim.measure(0, False, lambda steps, what="": list(steps)[:2])
    assert math.isfinite(figure)
    assert claim.holds([figure]) == (claim.name in FAILURES)


def test_an_echo_state_network_that_was_fed_nothing_of_the_series_cannot_go_on_with_it():
    assert nrmse84(17, hidden=100)(0, True, lambda steps, what="": []) > 0.5
