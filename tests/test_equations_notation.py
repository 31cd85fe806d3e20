"""Equations in Unicode and LaTeX, with any name; and the runs that have none."""

import numpy as np
import pytest
from equation_programs import (
    PROGRAMS,
    parameter,
)
from equations_checked import is_mathml, lines, record

import tinygrad_rnn as tg
import viz
from viz.equations.latex import Latex
from viz.equations.printing import Notation
from viz.equations.terms import Among, Steps, Symbol, Time, TimeSum, Variable, letter
from zoo.catalogue import CATALOGUE
from zoo.pattern_1 import Pattern1


@pytest.mark.parametrize("which", ["forward", "backward"])
@pytest.mark.parametrize("program", [Pattern1(3, 4, 4, rng=0), *PROGRAMS], ids=lambda p: type(p).__name__)
def test_every_line_of_latex_is_mathml_and_there_are_as_many_as_in_unicode(program, which):
    graph = record(program)
    latex = lines(graph, which, "latex")
    assert all(is_mathml(line) for line in latex)
    assert len(latex) == len(lines(graph, which))


NAMES = ["a_b", "50%", "<script>alert(1)</script>", "日本", "a\"b'c", "new\nline", "{}", "\\alpha", "$x$", "^~&#", " "]
NAMES += ["nul\0", "\u202e", "T", "ŷ", "x" * 10_000, "h\u2028", "&lt;", "}{"]


@pytest.mark.parametrize("name", NAMES, ids=lambda name: repr(name[:12]))
def test_any_name_is_one_line_of_unicode_and_valid_latex(name):
    def model(x):
        h = np.zeros(3)
        for x_t in x:
            h = tg.name(np.tanh(h @ parameter_3.T + x_t), name)
        L = (h * h).sum()
        return L

    parameter_3 = parameter(3, 3)
    graph = tg.record(model, np.ones((4, 3)))
    for which, number in (("forward", 3), ("backward", 3)):
        assert [len(lines(graph, which, format)) for format in ("unicode", "latex")] == [number, number]
        assert all(is_mathml(line) for line in lines(graph, which, "latex"))
        assert max(map(len, lines(graph, which))) < 1000


def test_the_letter_for_the_length_is_not_that_of_a_variable():
    def model(x):
        T = np.zeros(3)
        for x_t in x:
            T = np.tanh(T + x_t)
        return T

    assert lines(tg.record(model, np.ones((4, 3))))[-1] == "T⁽ᵗ⁾ = tanh(T⁽ᵗ⁻¹⁾ + x⁽ᵗ⁾)"


# -- what cannot be read -----------------------------------------------------------------------------------------


def test_a_tree_has_no_equations():
    model, arguments = CATALOGUE["recursive"].example()
    with pytest.raises(tg.FoldError, match="a tree has no time axis"):
        viz.equations(tg.record(model, *arguments))


def test_without_a_loss_there_is_no_backward_pass():
    with pytest.raises(tg.GradientError, match="shape"):
        viz.equations(tg.record(lambda x: parameter(4, 3) @ x, np.ones(3)), of="backward")


def test_another_pass_or_format_is_refused():
    graph = tg.record(lambda x: parameter(4, 3) @ x, np.ones(3))
    for wrong in ({"of": "sideways"}, {"format": "html"}):
        with pytest.raises(ValueError, match="'forward' or 'backward', format 'unicode' or 'latex'"):
            viz.equations(graph, **wrong)


def test_a_run_in_which_nothing_happened_has_no_equations():
    assert viz.equations(tg.record(lambda x: x, np.ones(3))) == ""


def test_a_run_that_raised_has_the_equations_of_what_ran_until_then():
    def model(x):
        h = np.zeros(3)
        for x_t in x:
            h = np.tanh(h + x_t)
        y = h @ np.ones((7, 7))
        return y

    with pytest.raises(tg.ShapeError) as error:
        tg.record(model, np.ones((4, 3)))
    assert lines(error.value.graph) == ["h⁽⁰⁾ = 0", "h⁽ᵗ⁾ = tanh(h⁽ᵗ⁻¹⁾ + x⁽ᵗ⁾)"]


def test_conditions_count_from_the_nearer_end():
    notation = Notation([10], {0: "T"}, {})
    conditions = {
        range(10): "",
        range(9): "t < T",
        range(1, 10): "t > 1",
        range(7): "t < T − 2",
        range(3, 10): "t > 3",
        range(7, 9): "T − 2 ≤ t < T",
        range(0, 10, 2): "t odd",
        range(2, 10, 3): "t a multiple of 3",
    }
    assert {times: notation.condition("t", 0, times) for times in conditions} == conditions
    assert [notation.condition("t", 0, range(t, t + 1)) for t in (0, 1, 8, 9)] == [
        "t = 1",
        "t = 2",
        "t = T − 1",
        "t = T",
    ]


def test_conditions_on_two_steps_compare_them():
    notation = Notation([5], {0: "T"}, {0: "t"}, Symbol((), (), Variable("h", (0, 0)), (letter(0), letter(1))))
    difference = letter(0).plus(letter(1).times(-1))  # t − s
    conditions = {
        (0,): "s = t",
        (1,): "s = t−1",
        (0, 1, 2): "s ≥ t−2",
        (1, 2, 3, 4): "s < t",
        (2, 3, 4): "s ≤ t−2",
        (1, 2): "t−2 ≤ s < t",
        (2, 3): "t−3 ≤ s ≤ t−2",
        (0, 2): "s = t, t−2",
    }
    for steps, text in conditions.items():
        assert notation.conditions([Among(difference, 0, steps, tuple(range(5)))]) == text
    both = [Among(letter(0), 0, (1, 2, 3, 4), tuple(range(5))), Among(letter(1), 0, (4,), tuple(range(5)))]
    assert notation.conditions(both) == "t > 1, s = T"
    assert notation.conditions(both, unless=True) == "unless t > 1, s = T"


@pytest.mark.parametrize(
    ("first", "last", "by", "bounds"),
    [
        (Time(), letter(0), 1, "Σ[s ≤ t]"),
        (Time(), letter(0, -1), 1, "Σ[s < t]"),
        (letter(0, 1), Time((), -1, ((0, 1),)), 1, "Σ[s > t]"),
        (letter(0), Time((), -1, ((0, 1),)), 1, "Σ[s ≥ t]"),
        (letter(0), Time((), -2, ((0, 1),)), 1, "Σ[t ≤ s ≤ T−1]"),
        (letter(0), letter(0, 3), 1, "Σ[t ≤ s ≤ t+3]"),
        (Time((), 1), letter(0), 1, "Σ[2 ≤ s ≤ t]"),
        (letter(0), Time((), -1, ((0, 1),)), 2, "Σ[s = t, t+2, …, T]"),
        (Time(), Time((), -1, ((0, 1),)), 1, "Σₛ"),
        (Time(), Time((), -2, ((0, 1),)), 1, "Σ[s < T]"),
    ],
)
def test_a_sum_says_its_bounds_where_it_is_not_over_all_steps(first, last, by, bounds):
    notation = Notation([9], {0: "T"}, {0: "t"}, Symbol((), (), Variable("h", (0,)), (letter(0),)))
    term = Symbol((), (), Variable("x", (0,)), (letter(-1),))
    total = TimeSum((), (term,), -1, Steps(0, first, last, by, 9))
    assert notation.text(total) == f"{bounds} x⁽ˢ⁾"


def test_numbers_are_written_as_a_person_writes_them():
    numbers = {
        0.25: "0.25",
        1 / 3: "1/3",
        0.1 + 0.2: "0.3",
        np.sqrt(3): "√3",
        1 / np.sqrt(8): "1/√8",
        np.sqrt(3) * 1e-6: "√3·10⁻⁶",
        1e-6: "10⁻⁶",
        2.5e-7: "2.5·10⁻⁷",
        2 * np.pi: "2π",
        -np.pi / 4: "−π/4",
        0.123456789: "0.123457…",
        np.inf: "inf",
    }
    assert {value: Notation([], {}, {}).number(value) for value in numbers} == numbers
    latex = {1 / np.sqrt(8): r"\frac{1}{\sqrt{8}}", 2.5e-7: r"2.5 \cdot 10^{-7}", 2 * np.pi: r"2\pi"}
    assert {value: Latex([], {}, {}).number(value) for value in latex} == latex


def test_the_steps_of_a_case_are_a_range_or_a_rule_where_they_are_one():
    notation = Notation([10], {0: "T"}, {})
    steps = {
        (1,): "t = 1",
        (1, 2, 3): "t ≤ 3",
        (2, 3, 4, 5): "2 ≤ t ≤ 5",
        (9, 10): "t > T − 2",
        (1, 3, 5, 7, 9): "t odd",
        (2, 4, 6, 8, 10): "t even",
        (3, 6, 9): "t a multiple of 3",
        (1, 4, 7, 10): "t = 1, 4, 7, 10",
        (1, 4): "t = 1, 4",
        (2, 3, 5, 6): "t = 2, 3, 5, 6",
    }
    domain = range(10)
    assert {times: notation.condition("t", 0, [t - 1 for t in times], domain) for times in steps} == steps


def test_a_choice_is_written_in_cases():
    def model(x):
        y = np.where(x > 1, 1.0, np.where(x > 0, x, -x))
        return y

    graph = tg.record(model, np.array([-1.0, 0.5, 2]))
    assert lines(graph) == ["y = {1 if x > 1; x if x > 0; −x otherwise}"]
    assert lines(graph, format="latex") == [
        r"y = \begin{cases}1 & \text{if } x > 1 \\ x & \text{if } x > 0 \\ -x & \text{otherwise}\end{cases}"
    ]
