"""Drawings of models that are not in the zoo: nothing collides, nothing is hidden, whatever the cell."""

import linecache
import math
import re
import sys
from functools import cache
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from drawing_programs import PROGRAMS, rows
from hypothesis import given, reject, settings
from hypothesis import strategies as st
from programs import PROGRAMS as CORPUS

import tinygrad_rnn as tg
import viz
from viz.diagrams.diagram import Diagram
from viz.diagrams.label_placement import half_of
from viz.diagrams.vertices import Arrow, Vertex
from zoo.catalogue import CATALOGUE

FORMS = ["circuit", "unfolded"]
PACKAGES = tuple(str(Path(package.__file__).parent) for package in (tg, viz))


@cache
def _recorded(name):
    model, x = PROGRAMS[name]
    return tg.record(model, x)


@cache
def _drawn(name, form, **options):
    return getattr(viz, form)(_recorded(name), **options)


@pytest.mark.parametrize("detail", ["variables", "operations"])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", PROGRAMS)
def test_no_arrow_of_a_published_model_runs_under_what_it_does_not_join(name, form, detail):
    assert [(a.tail, a.head, v.label) for a, v in _drawn(name, form, detail=detail).hidden] == []


# -- arrays that are computed at once and read step by step --------------------------------------------------


def test_arrays_that_a_loop_reads_step_by_step_are_sequences_in_the_circuit():
    written = [v.label for v in _drawn("selective-scan", "circuit").vertices if v.kind != "delay"]
    assert sorted(written) == sorted(["u", "δ", "B", "C⁽ᵗ⁾", "dA⁽ᵗ⁾", "dBu⁽ᵗ⁾", "x", "y", "L"])


def test_each_element_of_such_an_array_stands_under_its_step_in_a_row_of_its_own():
    places = {v.label: (v.x, v.y) for v in _drawn("selective-scan", "unfolded").vertices}
    assert not {"dA", "dBu", "C"} & places.keys()
    for name in ("dA", "dBu", "C"):
        elements = [places[f"{name}⁽{t}⁾"] for t in "¹²ᵀ"]
        states = [places[f"x⁽{t}⁾"] for t in "¹²ᵀ"]
        assert len({y for _, y in elements}) == 1
        assert len({round(x - x_of_state, 2) for (x, _), (x_of_state, _) in zip(elements, states, strict=True)}) == 1
        assert all(y < y_of_state for (_, y), (_, y_of_state) in zip(elements, states, strict=True))


def test_what_is_computed_before_a_loop_stands_below_it_and_what_is_computed_after_it_above_or_beside_it():
    vertices = _drawn("selective-scan", "unfolded").vertices
    places = {v.label: (v.x, v.y) for v in vertices}
    steps = [v for v in vertices if v.label.endswith("⁾")]
    assert max(places[name][1] for name in ("u", "δ", "B")) < min(v.y for v in steps)
    assert places["L"][0] > max(v.x for v in steps)


# -- long runs -----------------------------------------------------------------------------------------------


def _calls(function):
    """How many functions of the packages run, those in it included: unlike seconds, always the same."""
    found = 0

    def count(frame, event, argument):  # not what collecting garbage calls, now or later
        nonlocal found
        found += event == "call" and frame.f_code.co_filename.startswith(PACKAGES)

    sys.setprofile(count)
    try:
        function()
    finally:
        sys.setprofile(None)
    return found


def test_a_circuit_of_both_passes_takes_no_more_to_draw_when_the_run_is_ten_times_as_long():
    def drawn(T):
        both = tg.record(PROGRAMS["d2l-lstm"][0], rows(T, 2, 3)).backward()
        both.fold()
        first, again = (_calls(lambda: viz.circuit(both).source) for _ in range(2))
        assert again <= first  # names are found when they are first asked for
        return again

    assert drawn(200) == drawn(20)


@pytest.mark.parametrize("form", FORMS)
def test_three_times_as_many_uses_of_a_state_in_a_step_take_three_times_as_many_calls_to_draw(form):
    def calls(n):
        matrices = [tg.Parameter(np.eye(3) / (i + 1)) for i in range(n)]

        def wide(x):
            h = np.zeros(3)
            for x_t in x:
                a = x_t
                for U in matrices:
                    a = a + np.tanh(h @ U)
                h = np.tanh(a)
            return h.sum()

        graph = tg.record(wide, rows(4, 3))
        graph.fold()
        return _calls(lambda: getattr(viz, form)(graph).source)

    assert calls(90) < 3.8 * calls(30)


# -- labels --------------------------------------------------------------------------------------------------


def _labels(diagram):
    """The boxes of the arrows' labels: the middle and half the size of each."""
    places = re.findall(r' -> .* lp="(.*?),(.*?)"', diagram.source)
    labels = [arrow.label for arrow in diagram.arrows if arrow.label]
    return [(complex(float(x), float(y)), half_of(label)) for (x, y), label in zip(places, labels, strict=True)]


def _overlaps(diagram):
    """How many labels are on another label, or on a vertex."""
    labels = _labels(diagram)
    vertices = [v for v in diagram.vertices if v.kind != "anchor"]
    on_vertices = sum(
        math.hypot(
            max(abs(at.real - v.at.real) - half.real, 0) / v.width,
            max(abs(at.imag - v.at.imag) - half.imag, 0) / v.height,
        )
        < 0.5
        for at, half in labels
        for v in vertices
    )
    pairs = [(abs((a - b).real), abs((a - b).imag), h + k) for (a, h), (b, k) in combinations(labels, 2)]
    return on_vertices + sum(x < both.real and y < both.imag - 1e-6 for x, y, both in pairs)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", PROGRAMS)
def test_no_label_of_a_published_model_is_on_another_or_on_a_vertex(name, form):
    drawing = _drawn(name, form)
    assert len(_labels(drawing)) == sum(bool(arrow.label) for arrow in drawing.arrows)
    assert _overlaps(drawing) == 0


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", CATALOGUE)
def test_no_label_of_a_model_of_the_lecture_is_on_another_or_on_a_vertex(name, form):
    model, arguments = CATALOGUE[name].example()
    if form == "unfolded" or not name.startswith("recursive"):
        assert _overlaps(getattr(viz, form)(tg.record(model, *arguments))) == 0


def test_labels_that_cannot_all_be_beside_their_arrows_are_still_on_no_vertex():
    vertices = [Vertex("a", "a", 0, 0), *(Vertex(f"b{i}", "b", 0.6 * i, 1) for i in range(4))]
    drawing = Diagram(vertices, [Arrow("a", f"b{i}", "a long label") for i in range(4)])
    assert _overlaps(drawing) == 0


# -- random cells --------------------------------------------------------------------------------------------

STARTS = ["np.zeros(3)", "np.ones(3)", "np.eye(3)[0]", "a", "a * 2", "np.tanh(a)", "p"]
UPDATES = ["{0} * p + x_t", "{0} @ W + {1}", "np.tanh({0} - {1})", "{0} - x_t", "{0} + 1", "{0} * {1} + x_t"]
W, P = tg.Parameter(0.5 * np.eye(3)), tg.Parameter(np.full(3, 0.5))


@st.composite
def cells(draw):
    """The source of a model with up to five states, each with a start and one or two updates a step."""
    n = draw(st.integers(1, 5))
    state = st.integers(0, n - 1).map("s{}".format)
    starts = [f"    s{i} = {draw(st.sampled_from(STARTS))}" for i in range(n)]
    updated = [*range(n), *draw(st.lists(st.integers(0, n - 1), max_size=2, unique=True))]
    steps = [f"        s{i} = {draw(st.sampled_from(UPDATES)).format(f's{i}', draw(state))}" for i in updated]
    total = " + ".join(f"s{i}" for i in range(n))
    return "\n".join(["def model(x, a):", *starts, "    for x_t in x:", *steps, f"    return np.sum({total})", ""])


def _compiled(source):
    """The model of a source text, which gives its names to what it computes."""
    file = f"<{source}>"
    linecache.cache[file] = len(source), None, source.splitlines(keepends=True), file
    names = {"np": np, "W": W, "p": P}
    exec(compile(source, file, "exec"), names)
    return names["model"]


@settings(max_examples=40, deadline=None)
@given(cells(), st.integers(4, 6), st.sampled_from(["up", "right"]))
def test_any_states_that_start_from_any_values_are_drawn_apart(source, T, direction):
    graph = tg.record(_compiled(source), np.ones((T, 3)), np.ones(3))
    try:
        graph.fold()
    except tg.FoldError:  # some update of a state that changes nothing
        reject()
    for detail in ("variables", "operations"):
        for form in FORMS:
            drawing = getattr(viz, form)(graph, detail=detail, direction=direction)
            assert [(a.tail, a.head, v.label) for a, v in drawing.hidden] == [], (form, detail)


def test_what_two_states_start_from_stands_in_their_rows_one_above_the_other():
    places = {v.label: (v.x, v.y) for v in _drawn("predicted-and-corrected", "unfolded").vertices}
    assert places["h⁽⁰⁾"][0] == places["P⁽⁰⁾"][0]
    for name in "hP":
        assert places[f"{name}⁽⁰⁾"][1] == places[f"{name}⁽¹⁾"][1]
    assert places["h⁽¹⁾"][1] != places["P⁽¹⁾"][1]


# -- what is read of an array, and what is shown of loops within loops -----------------------------------------


def _labels_of_vertices(model, *arguments, view=viz.unfolded, **options):
    drawing = view(tg.record(model, *arguments), **options)
    return [v.label for v in drawing.vertices if v.kind not in ("delay", "ellipsis")]


def test_every_second_element_and_a_window_are_called_by_their_numbers():
    W = np.eye(3) / 2

    def model(x, first_of):
        h = np.zeros(3)
        for t in range(4):
            h = np.tanh(W @ h + first_of(x, t))
        return h.sum()

    def second(x, t):
        return x[2 * t]

    def window(x, t):
        return x[t : t + 3].sum(axis=0)

    x = rows(8, 3)
    assert set(_labels_of_vertices(model, x, second)) >= {"x⁽¹⁾", "x⁽³⁾", "x⁽⁵⁾", "x⁽⁷⁾"}
    assert "x⁽²ᵗ⁻¹⁾" in _labels_of_vertices(model, x, second, view=viz.circuit)
    assert set(_labels_of_vertices(model, x, window)) >= {"x⁽¹⁾…x⁽³⁾", "x⁽²⁾…x⁽⁴⁾", "x⁽³⁾…x⁽⁵⁾", "x⁽⁴⁾…x⁽⁶⁾"}
    assert "x⁽ᵗ⁾…x⁽ᵗ⁺²⁾" in _labels_of_vertices(model, x, window, view=viz.circuit)


def test_elements_read_at_every_second_step_stand_in_the_row_of_those_read_at_every_step():
    def model(x):
        fast, slow = np.zeros(3), np.zeros(3)
        for t in range(len(x)):
            if t % 2 == 0:
                slow = np.tanh(slow + x[t])
            fast = np.tanh(fast + slow + x[t])
        return fast.sum()

    assert sorted(_labels_of_vertices(model, rows(8, 3), view=viz.circuit)) == ["L", "fast", "slow", "x"]


def test_of_a_loop_over_examples_one_example_is_drawn():
    def one_by_one(batch):
        loss = 0
        for x in batch:
            h = np.zeros(3)
            for x_t in x:
                h = np.tanh(h + x_t)
            loss = loss + h.sum()
        return loss

    written = _labels_of_vertices(one_by_one, rows(5, 4, 3))
    assert sorted(written) == sorted(["loss", "h⁽⁰⁾", *(f"{name}⁽{t}⁾" for name in ("h", "batch") for t in "¹²³⁴")])
    assert viz.unfolded(tg.record(one_by_one, rows(5, 4, 3))).title == "one of 5 iterations of the outer loop"


def test_the_chunks_of_a_sequence_stand_side_by_side():
    def chunks(x):
        h, total = np.zeros(3), 0
        for start in range(0, len(x), 3):
            for x_t in x[start : start + 3]:
                h = np.tanh(h + x_t)
            total = total + h.sum()
            h = h.detach()
        return total

    written = _labels_of_vertices(chunks, rows(9, 3), steps=range(1, 10))
    totals = ["total⁽³⁾", "total⁽⁶⁾", "total⁽⁹⁾"]
    assert sorted(written) == sorted([*totals, "h⁽⁰⁾", *(f"{name}⁽{t}⁾" for name in "hx" for t in "¹²³⁴⁵⁶⁷⁸⁹")])


def test_states_that_each_step_of_another_loop_reads_meet_in_one_vertex():
    def attention(x, y):
        h, states = np.zeros(3), []
        for x_t in x:
            h = np.tanh(h + x_t)
            states.append(h)
        s = h
        for y_t in y:
            context = sum((h * s).sum() * h for h in states)
            s = np.tanh(context + y_t)
        return s.sum()

    drawing = viz.unfolded(tg.record(attention, rows(4, 3), rows(3, 3)))
    label = {v.id: v.label for v in drawing.vertices}
    arrows = {(label[arrow.tail], label[arrow.head]) for arrow in drawing.arrows}
    assert {head for tail, head in arrows if tail == "[h]"} == {f"context⁽{t}⁾" for t in "¹²³"}
    assert {tail for tail, head in arrows if head == "[h]"} == {f"h⁽{t}⁾" for t in "¹²³⁴"}
    assert {head for tail, head in arrows if tail == "h⁽³⁾"} == {"h⁽⁴⁾", "[h]"}


def test_an_array_read_as_a_whole_and_by_its_elements_is_told_from_them():
    def forecast(x):
        h, hs = np.zeros(3), []
        for x_t in x[:-1]:
            h = np.tanh(h + x_t)
            hs.append(h)
        return ((tg.stack(hs) - x[1:]) ** 2).sum()

    written = _labels_of_vertices(forecast, rows(5, 3), view=viz.circuit)
    assert {"x", "x⁽ᵗ⁾"} <= set(written)
    places = {v.label: v.y for v in viz.unfolded(tg.record(forecast, rows(5, 3))).vertices}
    assert places["x"] < places["x⁽¹⁾"] < places["h⁽¹⁾"]


def test_data_that_the_loop_makes_is_an_input_and_a_number_without_a_name_is_none():
    def model(x):
        h = np.zeros(3)
        for t, x_t in enumerate(x):
            mask = np.full(3, t % 2 == 0)
            h = np.where(mask, np.tanh(h + x_t), h) / (t + 1)
        return h.sum()

    vertices = viz.circuit(tg.record(model, rows(5, 3))).vertices
    assert sorted((v.label, v.kind) for v in vertices if v.kind != "delay") == [
        ("L", "loss"),
        ("h", "variable"),
        ("mask", "input"),
        ("x", "input"),
    ]


def test_wide_vertices_of_two_loops_stand_apart():
    def model(x, y):
        long_hidden_state = np.zeros(3)
        for x_t in x:
            long_hidden_state = np.tanh(long_hidden_state + x_t)
        other_hidden_state = long_hidden_state
        for y_t in y:
            other_hidden_state = np.tanh(other_hidden_state * y_t)
        return other_hidden_state.sum()

    vertices = viz.unfolded(tg.record(model, rows(3, 3), rows(4, 3))).vertices
    for one, other in combinations(vertices, 2):
        assert one.y != other.y or abs(one.at - other.at) > (one.width + other.width) / 2


def test_a_matrix_made_of_parameters_labels_its_arrows_by_the_name_that_it_has_in_the_code():
    U = tg.Parameter(np.eye(3))

    def antisymmetric(x):
        A = U - U.T
        h = np.zeros(3)
        for x_t in x:
            h = np.tanh(A @ h + x_t)
        return h.sum()

    drawing = viz.circuit(tg.record(antisymmetric, rows(4, 3)))
    assert {arrow.label for arrow in drawing.arrows} == {"A", "", "t = T"}


def _written_arrows(model, *arguments, view=viz.circuit):
    drawing = view(tg.record(model, *arguments))
    marks = {v.id: {"delay": "■", "ellipsis": "…"}.get(v.kind, v.label) for v in drawing.vertices}
    return sorted((marks[a.tail], a.label, marks[a.head]) for a in drawing.arrows)


def test_a_loss_that_adds_up_over_all_steps_comes_from_every_step_not_from_the_last():
    def mean_loss(x):
        h, L = np.zeros(3), 0
        for x_t in x:
            h = np.tanh(h + x_t)
            L = L + (h * h).sum()
        return L / len(x)

    assert ("h", "all t", "L") in _written_arrows(mean_loss, rows(4, 3))
    into_loss = [tail for tail, _, head in _written_arrows(mean_loss, rows(4, 3), view=viz.unfolded) if head == "L"]
    assert set(into_loss) == {"h⁽¹⁾", "h⁽²⁾", "h⁽³⁾", "h⁽⁴⁾"}


def test_where_loops_are_nested_each_recurrence_has_its_square_with_the_letter_of_its_loop():
    U, V = tg.Parameter(np.eye(3) / 2), tg.Parameter(np.eye(3) / 3)

    def two_paces(x):
        top = np.zeros(3)
        for chunk in x:
            h = np.zeros(3)
            for x_t in chunk:
                h = np.tanh(U @ h + x_t)
            top = np.tanh(V @ top + h)
        return top.sum()

    arrows = _written_arrows(two_paces, rows(4, 3, 3))
    assert {("h", "s", "■"), ("■", "U", "h"), ("top", "t", "■"), ("■", "V", "top"), ("h", "s = S", "top")} < set(arrows)


def test_the_rounds_of_a_solver_within_a_step_are_a_recurrence_of_their_own():
    U = tg.Parameter(np.eye(3) / 2)

    def implicit(x):
        h = np.zeros(3)
        for x_t in x:
            z = h
            for _ in range(20):
                z = np.tanh(U @ z + x_t)
            h = z + x_t
        return h.sum()

    arrows = _written_arrows(implicit, rows(5, 3))
    assert {("z", "s", "■"), ("■", "U", "z"), ("h", "t", "■"), ("z", "s = S", "h")} < set(arrows)
    assert ("h⁽¹⁾", "U", "z⁽²⁾") in _written_arrows(implicit, rows(3, 3), view=viz.unfolded)


def test_the_square_of_a_state_that_an_inner_loop_reads_too_is_shared():
    def attention(x, y):
        h, states = np.zeros(3), []
        for x_t in x:
            h = np.tanh(h + x_t)
            states.append(h)
        s = h
        for y_t in y:
            context = sum((h * s).sum() * h for h in states)
            s = np.tanh(context + s + y_t)
        return s.sum()

    arrows = _written_arrows(attention, rows(4, 3), rows(3, 3))
    assert [arrow for arrow in arrows if arrow[0] == "s" and arrow[2] == "■"] == [("s", "t", "■")]
    assert {("■", "", "context"), ("■", "", "s"), ("h", "", "context"), ("context", "all s", "s")} < set(arrows)
    assert not [arrow for arrow in arrows if arrow[0] == arrow[2]]  # context is a sum: no recurrence


def test_the_backward_pass_of_a_run_without_a_circuit_is_drawn_from_its_loss():
    def now_and_then(x):
        h, L = np.zeros(3), 0
        for t, x_t in enumerate(x):
            h = np.tanh(h @ W + x_t)
            L = L + ((h * h if t in (1, 3, 4) else h) @ W).sum()
        return L

    graph = tg.record(now_and_then, rows(6, 3))
    with pytest.raises(tg.FoldError):
        graph.fold()
    gradients = [v.label for v in viz.unfolded(graph.backward()).vertices if v.kind == "gradient"]
    assert gradients == ["∂L/∂h"] * 6


@pytest.mark.parametrize(
    ("view", "steps"), [(viz.circuit, [("L", "∂L/∂h")]), (viz.unfolded, [(f"L⁽{t}⁾", f"∂L/∂h⁽{t}⁾") for t in "¹²³⁴"])]
)
def test_the_gradients_of_a_linear_network_are_of_weights_alone_and_begin_at_the_loss_of_each_step(view, steps):
    def linear(x):
        h, L = np.zeros(3), 0
        for x_t in x:
            h = h @ W + x_t
            L = L + (h @ P).sum()
        return L

    drawing = view(tg.record(linear, rows(4, 3)).backward())
    label = {v.id: v.label for v in drawing.vertices}
    assert [v.label for v in drawing.vertices if v.kind == "gradient"] == [gradient for _, gradient in steps]
    assert [(label[a.tail], label[a.head]) for a in drawing.arrows if label[a.tail].startswith("L")][
        -len(steps) :
    ] == steps


def test_squares_of_both_passes_find_places_of_their_own():
    def leaky_layers(x):
        hs = [np.zeros(3)] * 3
        for v in x:
            for l in range(3):
                hs[l] = 0.5 * hs[l] + 0.5 * np.tanh(v + hs[l] @ W)
                v = hs[l]
        return hs[-1].sum()

    squares = [v for v in viz.circuit(tg.record(leaky_layers, rows(5, 3)).backward()).vertices if v.kind == "delay"]
    assert all(math.dist((a.x, a.y), (b.x, b.y)) > 0.3 for a, b in combinations(squares, 2))


def test_what_an_inner_loop_within_another_reads_at_each_of_their_steps_comes_from_all_steps():
    def bilinear(x):
        h = np.zeros(4)
        for x_t in x:
            h = np.tanh(sum(h[i % 4] * x_t[j % 3] * (i + 1) for i in range(20) for j in range(10)) + W @ h)
        return h.sum()

    W = tg.Parameter(np.eye(4))
    drawing = viz.circuit(tg.record(bilinear, rows(5, 3)))
    of = {v.id: v.label for v in drawing.vertices}
    arrows = {(of[a.tail], of[a.head]) for a in drawing.arrows if a.kind == "wire"}
    assert arrows == {("[i₁]", "h"), ("[i₂]", "h"), ("x", "h"), ("h", "L")}


@pytest.mark.parametrize("form", FORMS)
def test_arrays_that_the_program_does_not_read_are_left_out(form):
    def last(x, others, mask):
        return sum(x_t for x_t in x).sum()

    labels = [v.label for v in getattr(viz, form)(tg.record(last, rows(3, 2), list(rows(9, 3)), np.ones(2))).vertices]
    assert not [label for label in labels if label.startswith(("others", "mask"))]
    assert any(label.startswith("x") for label in labels)


def test_numbers_without_a_name_are_factors_and_no_inputs_however_many_there_are():
    def weighted(x, mask):
        h = np.zeros(3)
        for t, x_t in enumerate(x):
            h = mask[t] * np.tanh(W @ h + x_t) / (t + 1) + (1 - mask[t]) * h
        return h.sum()

    W = tg.Parameter(np.eye(3))
    drawing = viz.circuit(tg.record(weighted, rows(5, 3), [1.0, 0.0, 1.0, 1.0, 0.0]).backward())
    assert sorted(v.label for v in drawing.vertices if v.kind == "input") == ["mask", "x"]


def _begun_with_a_projection(x):
    h = np.zeros(3)
    for x_t in x:
        a = x_t @ W
        for i in range(20):
            a = a + i * h
        h = np.tanh(a)
    return h.sum()


def _begun_with_the_first_element(x):
    s = np.tanh(x[0])
    for x_t in x:
        s = s + x_t @ W
    return (s * s).sum()


@pytest.mark.parametrize(
    ("program", "form", "begins"),
    [
        (_begun_with_a_projection, "circuit", {("x", "a"), ("a", "a")}),
        (_begun_with_a_projection, "unfolded", {("x⁽¹⁾", "a⁽¹⁾"), ("x⁽²⁾", "a⁽²⁾"), ("x⁽ᵀ⁾", "a⁽ᵀ⁾")}),
        (_begun_with_the_first_element, "circuit", {("x⁽¹⁾", "s⁽⁰⁾"), ("s⁽⁰⁾", "s")}),
        (_begun_with_the_first_element, "unfolded", {("x⁽¹⁾", "s⁽⁰⁾"), ("s⁽⁰⁾", "s⁽¹⁾")}),
    ],
)
def test_an_arrow_leads_into_a_sum_from_what_it_begins_with(program, form, begins):
    drawing = getattr(viz, form)(tg.record(program, rows(5, 3)))
    of = {v.id: v.label for v in drawing.vertices}
    arrows = {(of[a.tail], of[a.head]) for a in drawing.arrows}
    assert begins <= arrows
    assert len([head for tail, head in arrows if tail == "s⁽⁰⁾"]) < 2


def test_what_happens_once_stands_under_no_step_of_the_loop_that_reads_it():
    def conditioned(x, y):
        h = np.zeros(3)
        for x_t in x:
            s = h + x_t
            for y_t in y:
                s = s + np.tanh(y_t @ W)
            h = h * s
        return h.sum()

    vertices = viz.unfolded(tg.record(conditioned, rows(5, 3), rows(7, 3))).vertices
    assert "y" in [v.label for v in vertices]
    assert all(math.dist((a.x, a.y), (b.x, b.y)) > 0.6 for a, b in combinations(vertices, 2))


def test_the_square_of_an_outer_loop_stands_above_or_below_that_of_the_inner_loop():
    function, *arguments = CORPUS["chunks"].example(9)
    drawing = viz.circuit(tg.record(function, *arguments))
    inner, outer = [v for v in drawing.vertices if v.kind == "delay"]
    assert (outer.x, abs(outer.y - inner.y)) == (inner.x, pytest.approx(0.8))
