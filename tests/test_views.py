"""The two forms of a model, drawn from its run: figure 10.3 of the book, arrow by arrow."""

import sys
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest

import tinygrad_rnn as tg
import viz
from tinygrad_rnn.nn.modules import Parameter
from zoo.pattern_1 import Pattern1


def _record(T):
    rng = np.random.default_rng(0)
    return tg.record(Pattern1(3, 4, 5, rng=0), rng.normal(size=(T, 2, 3)), rng.integers(0, 5, size=(T, 2)))


def _labels(diagram):
    return {vertex.id: vertex.label for vertex in diagram.vertices}


def _arrows(diagram):
    """Each arrow as (from, label, to), by what is written; a delay square is ■ and a gap …"""
    marks = {vertex.id: {"delay": "■", "ellipsis": "…"}.get(vertex.kind, vertex.label) for vertex in diagram.vertices}
    return sorted((marks[a.tail], a.label, marks[a.head]) for a in diagram.arrows)


def test_the_circuit_of_pattern_i_is_figure_10_3_on_the_left():
    assert _arrows(viz.circuit(_record(6))) == sorted(
        [("x", "U", "h"), ("h", "V", "o"), ("o", "", "L"), ("y", "", "L"), ("h", "", "■"), ("■", "W", "h")]
    )


def test_pattern_i_unfolded_is_figure_10_3_on_the_right():
    expected = [("h⁽⁰⁾", "W", "h⁽¹⁾"), ("h⁽¹⁾", "W", "h⁽²⁾"), ("h⁽²⁾", "W", "…"), ("…", "W", "h⁽ᵀ⁾")]
    for t in ("⁽¹⁾", "⁽²⁾", "⁽ᵀ⁾"):
        expected += [(f"x{t}", "U", f"h{t}"), (f"h{t}", "V", f"o{t}"), (f"o{t}", "", f"L{t}"), (f"y{t}", "", f"L{t}")]
    assert _arrows(viz.unfolded(_record(6))) == sorted(expected)


def test_variables_stand_in_rows_from_x_at_the_bottom_to_y_at_the_top():
    rows = {vertex.label: vertex.y for vertex in viz.circuit(_record(6)).vertices if vertex.kind != "delay"}
    assert rows == {"x": 0, "h": 1, "o": 2, "L": 3, "y": 4}


def test_steps_stand_in_columns():
    diagram = viz.unfolded(_record(3))
    columns = {vertex.label: vertex.x for vertex in diagram.vertices}
    assert [columns[f"{name}⁽{t}⁾"] for name in "xhoLy" for t in "¹²³"] == [1, 2, 3] * 5


def test_a_short_sequence_is_drawn_whole_with_numbered_steps():
    written = set(_labels(viz.unfolded(_record(4))).values())
    assert "h⁽⁴⁾" in written
    assert "h⁽ᵀ⁾" not in written


@pytest.mark.parametrize(
    ("steps", "drawn"),
    [([1], "¹"), ([2, 3], "²³"), ([1, "…", 5, 6], "¹⁵ᵀ"), ([6], "ᵀ"), ([1, 2, 3, 4, 5, 6], "¹²³⁴⁵⁶")],
)
def test_the_steps_to_draw_can_be_chosen(steps, drawn):
    written = {vertex.label for vertex in viz.unfolded(_record(6), steps=steps).vertices if vertex.kind == "loss"}
    assert written == {f"L⁽{t}⁾" for t in drawn}


@pytest.mark.parametrize("steps", [[], [0], [7], [2, 1], [1, 1], ["…"], [1, "x"], [1.5]])
def test_steps_that_did_not_happen_are_an_error(steps):
    with pytest.raises(ValueError, match="steps from 1 to 6"):
        viz.unfolded(_record(6), steps=steps)


@pytest.mark.parametrize("draw", [viz.circuit, viz.unfolded, viz.side_by_side])
def test_no_arrow_runs_under_a_variable_it_does_not_join(draw):
    assert draw(_record(6)).hidden == []


@pytest.mark.parametrize("draw", [viz.circuit, viz.unfolded, viz.side_by_side])
def test_the_same_run_gives_the_same_dot_text(draw):
    assert draw(_record(6)).source == draw(_record(6)).source


def test_a_circuit_does_not_depend_on_how_long_the_run_was():
    assert viz.circuit(_record(5)).source == viz.circuit(_record(60)).source


def test_a_diagram_renders_to_svg(tmp_path):
    path = viz.side_by_side(_record(6)).render(tmp_path / "pattern_1.svg")
    text = "".join(ElementTree.parse(path).getroot().itertext())
    assert "unfold" in text
    assert "h(T)" in text


W, W2 = (Parameter(np.random.default_rng(seed).normal(size=(3, 3))) for seed in (0, 1))


def _skip(x, start):
    h = [start, start]
    for x_t in x:
        a = np.tanh(h[-1] @ W.T + h[-2] @ W2.T + x_t)
        h.append(a)
    return a


def test_an_initial_value_that_is_an_input_is_drawn_and_enters_the_delay():
    arrows = _arrows(viz.circuit(tg.record(_skip, np.ones((6, 3)), np.ones(3))))
    assert ("a⁽⁰⁾", "", "■") in arrows


def test_a_skip_of_two_steps_has_two_delay_squares():
    arrows = _arrows(viz.circuit(tg.record(_skip, np.ones((6, 3)), np.ones(3))))
    assert [arrow for arrow in arrows if arrow[0] == arrow[2] == "■"] == [("■", "", "■")]
    assert ("■", "W", "a") in arrows
    assert ("■", "W₂", "a") in arrows


def test_a_skip_of_two_steps_reaches_over_one_column():
    arrows = _arrows(viz.unfolded(tg.record(_skip, np.ones((4, 3)), np.ones(3))))
    skips = {a for a in arrows if a[1] == "W₂"}
    assert skips == {(f"a⁽{a}⁾", "W₂", f"a⁽{b}⁾") for a, b in [("⁻¹", "¹"), ("⁰", "²"), ("¹", "³"), ("²", "⁴")]}


def test_what_has_no_circuit_is_not_drawn():
    def tree(x):
        return np.tanh(x[0] + np.tanh(x[1] + x[2]))

    def uneven(x):
        h = np.zeros(3)
        for t, x_t in enumerate(x):
            h = np.tanh(h @ W.T + x_t) if t in (1, 2, 4) else np.tanh(h @ W2.T + x_t)
        return h

    assert viz.circuit(tg.record(tree, np.ones((3, 2)))).vertices
    with pytest.raises(tg.FoldError):
        viz.circuit(tg.record(uneven, np.ones((6, 3))))


# -- options -------------------------------------------------------------------------------------------------


def _vertices(diagram):
    return {vertex.label: vertex for vertex in diagram.vertices if vertex.label}


def test_in_detail_every_operation_is_a_vertex_and_no_parameter_is():
    graph = _record(6)
    diagram = viz.circuit(graph, detail="operations")
    computed = [c for c in graph.fold().components if c.kind == "operation" and c.operation.name != "transpose"]
    shown = [vertex for vertex in diagram.vertices if vertex.kind != "delay"]
    assert len(shown) == len(computed)
    assert {a.label for a in diagram.arrows} == {"", *"bcUVW"}
    assert (_vertices(diagram)["h"].detail, _vertices(diagram)["@"].kind) == ("tanh", "operation")


def test_shapes_are_written_under_the_names():
    details = {name: vertex.detail for name, vertex in _vertices(viz.circuit(_record(6), shapes=True)).items()}
    assert details == {"x": "2×3", "h": "2×4", "o": "2×5", "L": "a number", "y": "2"}


def test_values_are_a_number_or_a_mean_and_a_standard_deviation():
    graph = _record(3)
    vertices = _vertices(viz.unfolded(graph, values=True))
    (L,) = (step for step in graph.outputs)
    assert float(vertices["L⁽³⁾"].detail) == pytest.approx(float(L.value), rel=5e-3)
    h = next(step.value for step in graph.steps if step.name == "h" and step.operation is not None)
    mean, deviation = vertices["h⁽¹⁾"].detail.split(" ± ")
    assert (float(mean), float(deviation)) == pytest.approx((h.mean(), h.std()), rel=0.06)


@pytest.mark.parametrize("number", [np.nan, np.inf, 0.0])
def test_values_that_are_no_numbers_are_written_all_the_same(number):
    vertices = _vertices(viz.circuit(tg.record(lambda x: x * 1.0, np.full((2, 2), number)), values=True))
    assert vertices["x"].detail == f"{number:.2g} ± {number - number:.2g}"


def test_the_width_of_an_arrow_is_the_logarithm_of_the_gradient_that_comes_back_along_it():
    tenth = Parameter(np.full(3, 0.1))

    def model(x):
        h = np.ones(3)
        for x_t in x:
            h = h * tenth + x_t
        return tg.sum(h)

    diagram = viz.unfolded(tg.record(model, np.ones((4, 3))), gradients=True)
    names = _labels(diagram)
    strengths = {names[a.head]: a.strength for a in diagram.arrows if names[a.tail].startswith("h")}
    assert [strengths[f"h⁽{t}⁾"] for t in "⁴³²¹"] == pytest.approx([1, 0.75, 0.5, 0.25])
    assert {a.strength for a in viz.unfolded(_record(3)).arrows} == {None}


def test_gradients_of_what_is_no_loss_are_an_error():
    with pytest.raises(tg.GradientError):
        viz.unfolded(tg.record(lambda x: x @ W, np.ones((4, 3))), gradients=True)


def test_clusters_are_the_modules():
    clusters = {label: vertex.cluster for label, vertex in _vertices(viz.circuit(_nested(), clusters=True)).items()}
    assert clusters == {"x": "", "h": "first", "z": "second"}
    assert {vertex.cluster for vertex in viz.circuit(_nested()).vertices} == {""}


class _Layer(tg.Module):
    def __init__(self, seed):
        self.V = Parameter(np.random.default_rng(seed).normal(size=(3, 3)))

    def __call__(self, x):
        return tg.tanh(x @ self.V.T)


class _Nest(tg.Module):
    def __init__(self):
        self.first, self.second = _Layer(0), _Layer(1)

    def __call__(self, x):
        h = self.first(x)
        z = self.second(h)
        return z


def _nested():
    return tg.record(_Nest(), np.ones((2, 3)))


def test_to_the_right_rows_are_columns_and_time_runs_downward():
    up, right = viz.unfolded(_record(3)), viz.unfolded(_record(3), direction="right")
    across = [_vertices(right)[f"{name}⁽¹⁾"].x for name in "xhoLy"]
    assert across == sorted(set(across))
    assert [_vertices(right)[f"h⁽{t}⁾"].y for t in "⁰¹²³"] == [-_vertices(up)[f"h⁽{t}⁾"].x for t in "⁰¹²³"]
    assert _arrows(up) == _arrows(right)


def test_a_legend_names_the_kinds_that_are_drawn():
    assert [kind for kind, _ in viz.circuit(_record(3), legend=True).legend] == ["delay", "wire"]
    assert "grad" in dict(viz.circuit(_record(3).backward(), legend=True).legend)
    assert not viz.circuit(_record(3)).legend


@pytest.mark.parametrize("draw", [viz.circuit, viz.unfolded, viz.side_by_side])
@pytest.mark.parametrize("option", [{"detail": "all"}, {"direction": "down"}, {"theme": "blue"}])
def test_an_option_has_the_values_that_the_error_lists(draw, option):
    with pytest.raises(ValueError, match="known: "):
        draw(_record(3), **option)


@pytest.mark.parametrize("draw", [viz.circuit, viz.unfolded, viz.side_by_side])
def test_an_option_that_there_is_not_is_an_error(draw):
    with pytest.raises(TypeError, match="colour"):
        draw(_record(3), colour="red")


# -- sequences and loops -------------------------------------------------------------------------------------


def test_a_sequence_read_at_two_places_is_one_variable():
    def both(x):
        h = g = np.zeros(3)
        for x_t in x:
            h = np.tanh(h @ W.T + x_t)
        for t in reversed(range(len(x))):
            g = np.tanh(g @ W2.T + x[t])
        return h, g

    diagram = viz.circuit(tg.record(both, np.ones((5, 3))))
    assert sorted(v.label for v in diagram.vertices if v.label) == ["g", "h", "x"]
    assert {("x", "", "h"), ("x", "", "g")} <= set(_arrows(diagram))


def test_a_sequence_that_is_input_and_one_step_later_target_is_one_variable_with_a_delay():
    def predict(x):
        h, L = np.zeros(3), 0
        for t in range(len(x) - 1):
            h = np.tanh(h @ W.T + x[t] @ W2.T)
            L = L + tg.mse(h, x[t + 1])
        return L

    graph = tg.record(predict, np.ones((4, 3)))
    assert {("x⁽ᵗ⁺¹⁾", "", "■"), ("■", "W₂", "h"), ("x⁽ᵗ⁺¹⁾", "", "L")} <= set(_arrows(viz.circuit(graph)))
    assert {("x⁽¹⁾", "W₂", "h⁽¹⁾"), ("x⁽²⁾", "W₂", "h⁽²⁾"), ("x⁽²⁾", "", "L⁽¹⁾")} <= set(_arrows(viz.unfolded(graph)))


def test_a_slice_or_a_sequence_turned_round_is_the_sequence_itself():
    def both(x):
        h = g = np.zeros(3)
        for x_t in x[::-1]:
            h = np.tanh(h @ W.T + x_t)
        for x_t in x[1:]:
            g = np.tanh(g @ W2.T + x_t)
        return h, g

    diagram = viz.unfolded(tg.record(both, np.ones((4, 3))))
    names = {vertex.label.rstrip("⁽⁾⁰¹²³⁴⁵ᵀ⁺⁻ᵗ") for vertex in diagram.vertices}
    assert names == {"x", "h", "g"}
    assert {("x⁽⁴⁾", "", "h⁽⁴⁾"), ("x⁽¹⁾", "", "h⁽¹⁾"), ("x⁽²⁾", "", "g⁽¹⁾"), ("x⁽⁴⁾", "", "g⁽³⁾")} <= set(
        _arrows(diagram)
    )


def test_what_happens_after_the_last_step_stands_above_the_loop():
    def both(x):
        h = c = np.zeros(3)
        for x_t in x:
            c = c + np.tanh(h @ W.T + x_t)
            h = np.tanh(c)
        o = c @ W2.T
        return o, h

    rows = {label: vertex.y for label, vertex in _vertices(viz.circuit(tg.record(both, np.ones((4, 3))))).items()}
    assert rows["o"] > rows["h"] > rows["c"]


def test_layers_that_run_one_after_the_other_over_a_sequence_stand_above_each_other():
    def deep(x):
        hs, zs = [], []
        h = z = np.zeros(3)
        for x_t in x:
            h = np.tanh(h @ W.T + x_t)
            hs.append(h)
        for h_t in tg.stack(hs):
            z = np.tanh(z @ W2.T + h_t)
            zs.append(z)
        return tg.stack(zs)

    diagram = viz.unfolded(tg.record(deep, np.ones((4, 3))))
    vertices = _vertices(diagram)
    assert {vertices[f"{name}⁽³⁾"].x for name in "xhz"} == {vertices["h⁽³⁾"].x}
    assert ("h⁽³⁾", "", "z⁽³⁾") in _arrows(diagram)


def test_the_uses_of_a_delayed_value_share_its_square():
    def gated(x):
        h = np.zeros(3)
        for x_t in x:
            u = tg.sigmoid(h @ W.T + x_t)
            h = u * h + (1 - u) * x_t
        return h

    diagram = viz.circuit(tg.record(gated, np.ones((5, 3))))
    assert sum(vertex.kind == "delay" for vertex in diagram.vertices) == 1
    assert {("■", "W", "u"), ("■", "", "h")} <= set(_arrows(diagram))


# -- what stands in the place of a step that there is not ----------------------------------------------------


def _padded(x):
    L, zero = 0, np.zeros(3)
    for t in range(len(x)):
        before = x[t - 1] if t else zero
        after = x[t + 1] if t + 1 < len(x) else zero
        L = L + tg.sum(np.tanh(before @ W.T + after @ W2.T))
    return L


def test_padding_at_both_ends_of_a_sequence_is_one_element_before_and_one_behind():
    graph = tg.record(_padded, np.ones((4, 3)))
    reads = {f"L⁽{t}⁾": (f"x⁽{before}⁾", f"x⁽{after}⁾") for t, before, after in ("¹⁰²", "²¹³", "³²⁴", "⁴³⁵")}
    expected = [(tail, label, L) for L, pair in reads.items() for tail, label in zip(pair, ("W", "W₂"), strict=True)]
    assert _arrows(viz.unfolded(graph)) == sorted(expected)
    assert _arrows(viz.circuit(graph)) == sorted(
        [("x⁽ᵗ⁺¹⁾", "W₂", "L"), ("x⁽ᵗ⁺¹⁾", "", "■"), ("■", "", "■"), ("■", "W", "L")]
    )


def _special_at_both_ends(x):
    h = g = None
    hs = []
    for x_t in x:
        h = np.tanh(x_t @ W.T) if h is None else np.tanh(x_t @ W.T + h @ W2.T)
        hs.append(h)
    for h in reversed(hs):
        g = np.tanh(h @ W.T) if g is None else np.tanh(h @ W.T + g @ W2.T)
    return g


def test_a_first_step_that_is_computed_in_a_way_of_its_own_is_a_step_of_the_same_variable():
    graph = tg.record(_special_at_both_ends, np.ones((4, 3)))
    expected = [(f"x⁽{t}⁾", "W", f"h⁽{t}⁾") for t in "¹²³⁴"] + [(f"h⁽{t}⁾", "W", f"g⁽{t}⁾") for t in "¹²³⁴"]
    expected += [(f"h⁽{t}⁾", "W₂", f"h⁽{u}⁾") for t, u in ("¹²", "²³", "³⁴")]
    expected += [(f"g⁽{u}⁾", "W₂", f"g⁽{t}⁾") for t, u in ("¹²", "²³", "³⁴")]
    assert _arrows(viz.unfolded(graph)) == sorted(expected)
    circuit = viz.circuit(graph)
    assert sorted(_vertices(circuit)) == ["g", "h", "x"]
    assert {("x", "W", "h"), ("h", "W", "g"), ("■", "W₂", "h"), ("■", "W₂", "g")} < set(_arrows(circuit))


def test_the_first_term_of_a_sum_over_time_is_a_step_of_it():
    def losses(x):
        h, L = None, 0
        for x_t in x:
            h = np.tanh(x_t @ W.T) if h is None else np.tanh(x_t @ W.T + h @ W2.T)
            L = L + tg.sum(h)
        return L

    graph = tg.record(losses, np.ones((4, 3)))
    assert {(f"h⁽{t}⁾", "", f"L⁽{t}⁾") for t in "¹²³⁴"} <= set(_arrows(viz.unfolded(graph)))
    assert _arrows(viz.circuit(graph)) == sorted([("x", "W", "h"), ("h", "", "■"), ("■", "W₂", "h"), ("h", "", "L")])


def test_a_step_of_another_variable_may_be_what_a_delay_starts_from():
    def after_the_first(x):
        h, L = np.zeros(3), 0
        for t, x_t in enumerate(x):
            h = np.tanh(x_t @ W.T + h @ W2.T)
            if t:
                h = h + x_t
            L = L + tg.sum(h)
        return L

    arrows = _arrows(viz.unfolded(tg.record(after_the_first, np.ones((4, 3)))))
    assert [sum(arrow == (f"h⁽{t}⁾", "W₂", f"h⁽{u}⁾") for arrow in arrows) for t, u in ("⁰¹", "¹²", "²³", "³⁴")] == [
        1
    ] * 4
    vertices = viz.unfolded(tg.record(after_the_first, np.ones((4, 3)))).vertices
    assert [vertex.label for vertex in vertices].count("h⁽¹⁾") == 1  # h + x begins at the second step


def test_a_computed_value_that_a_loop_starts_from_has_the_name_of_the_step_before_the_first():
    def decoder(x):
        h = np.tanh(x[0] @ W.T)
        hs = []
        for _ in range(4):
            h = np.tanh(h @ W2.T)
            hs.append(h)
        return tg.stack(hs)

    graph = tg.record(decoder, np.ones((2, 3)))
    assert ("h⁽⁰⁾", "", "■") in _arrows(viz.circuit(graph))
    assert ("x⁽¹⁾", "W", "h⁽⁰⁾") in _arrows(viz.unfolded(graph))


# -- weights that are not trained ----------------------------------------------------------------------------


def _dashed(model, *arguments):
    return {arrow.label for arrow in viz.circuit(tg.record(model, *arguments)).arrows if arrow.kind == "fixed"}


def _masked(masks):
    def model(x):
        h = np.zeros((2, 3))
        for x_t, mask in zip(x, masks, strict=True):
            h = np.tanh((x_t * mask) @ W.T + h @ W2.T)
        return h

    return model


@pytest.mark.parametrize("same", [True, False])
def test_the_mask_of_a_dropout_makes_no_arrow_dashed(same):
    masks = np.random.default_rng(0).integers(0, 2, size=(6, 2, 3)) * 2.0
    assert _dashed(_masked([masks[0]] * 6 if same else masks), np.ones((6, 2, 3))) == set()


def test_an_arrow_is_dashed_if_no_matrix_on_it_is_trained():
    fixed = np.eye(3)

    def model(x):
        h = np.zeros(3)
        for x_t in x:
            h = np.tanh(x_t @ fixed + (h @ fixed) @ W.T)
        return h

    assert _dashed(model, np.ones((6, 3))) == {"fixed"}


# -- runs that are not whole, or hardly anything -------------------------------------------------------------


def test_a_run_without_a_circuit_is_drawn_by_depth():
    def uneven(x):
        h = np.zeros(3)
        for t, x_t in enumerate(x):
            h = np.tanh(h @ W.T + x_t) if t % 2 else np.tanh(h @ W2.T + x_t)
        return h

    diagram = viz.unfolded(tg.record(uneven, np.ones((3, 3))))
    assert _arrows(diagram) == sorted(
        [("x⁽¹⁾", "", "h"), ("h", "W", "h"), ("x⁽²⁾", "", "h"), ("h", "W₂", "h"), ("x⁽³⁾", "", "h")]
    )
    assert [vertex.y for vertex in diagram.vertices if vertex.label == "h"] == [1, 2, 3]


def test_the_nodes_of_a_tree_without_names_are_what_the_function_that_calls_itself_returns():
    def node(x):
        half = len(x) // 2
        return np.tanh(node(x[:half]) @ W.T + node(x[half:]) @ W2.T) if half else np.tanh(x[0])

    graph = tg.record(lambda x: node([*x]), np.ones((4, 3)))
    leaves = [(f"x⁽{t}⁾", "", "tanh") for t in "¹²³⁴"]
    assert _arrows(viz.unfolded(graph)) == sorted(leaves + [("tanh", "W", "tanh"), ("tanh", "W₂", "tanh")] * 3)


def test_a_run_that_raised_is_drawn_up_to_the_operation_that_failed():
    def model(x):
        h = np.zeros(3)
        for x_t in x:
            h = np.tanh(h @ W.T + x_t)
        return h @ np.ones((4, 4))

    with pytest.raises(tg.ShapeError) as raised:
        tg.record(model, np.ones((3, 3)))
    diagram = viz.unfolded(raised.value.graph, values=True, shapes=True)
    (failed,) = (vertex for vertex in diagram.vertices if vertex.kind == "failed")
    assert failed.label == "@"
    assert "raised an error" in failed.note
    assert [_labels(diagram)[a.tail] for a in diagram.arrows if a.head == failed.id] == ["h⁽³⁾"]


@pytest.mark.parametrize("draw", [viz.circuit, viz.unfolded, viz.side_by_side])
def test_a_run_of_nothing_or_of_one_thing_is_drawn(draw):
    with pytest.raises(ZeroDivisionError) as raised:
        tg.record(lambda: 1 / 0)
    for graph, names in (raised.value.graph, set()), (tg.record(lambda x: x, np.ones(3)), {"x"}):
        diagram = draw(graph)
        assert {vertex.label for vertex in diagram.vertices} - {""} == names
        assert diagram.source


@pytest.mark.parametrize("name", ['"<b>&', "a\nb", "\\N", "<script>alert(1)</script>", "n" * 10_000])
def test_a_variable_may_have_any_name(name):
    svg = viz.unfolded(tg.record(lambda x: tg.name(x * 2.0, name), np.ones(2)), values=True)._repr_svg_()
    assert not {"script", "b"} & {element.tag.rpartition("}")[2] for element in ElementTree.fromstring(svg).iter()}
    assert len(svg) < 10_000


# -- size ----------------------------------------------------------------------------------------------------


def test_a_circuit_has_as_many_vertices_and_arrows_for_any_length():
    short, long = viz.circuit(_record(5)), viz.circuit(_record(500))
    assert [replace(v, steps=()) for v in short.vertices] == [replace(v, steps=()) for v in long.vertices]
    assert short.arrows == long.arrows


def test_ten_times_as_many_vertices_take_ten_times_as_many_calls_to_place():
    def calls(T):
        graph = _record(T)
        circuit = graph.fold()
        graph.fold = lambda: circuit
        events = []
        sys.setprofile(lambda frame, event, argument: events.append(event == "call"))
        diagram = viz.unfolded(graph, steps=range(1, T + 1))
        sys.setprofile(None)
        assert len(diagram.vertices) == 5 * T + 1
        return sum(events)

    few, many = calls(400), calls(4000)  # 2,001 and 20,001 vertices
    assert many < 10.5 * few
