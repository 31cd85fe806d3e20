"""Each figure of the book's chapter 10 and of the lecture, drawn from the record of a model that runs.

What a figure must show is checked arrow by arrow; the drawing itself is compared with tests/golden. When a drawing has
changed on purpose, look at it, then write the golden files anew:

    UPDATE_GOLDEN=1 pytest tests/test_figures.py
"""

import os
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

import tinygrad_rnn as tg
import viz
from zoo.catalogue import CATALOGUE

GOLDEN = Path(__file__).parent / "golden"
TREES = {"recursive", "recursive-deep"}
DRAWINGS = [
    *(
        (name, form)
        for name in CATALOGUE
        for form in ("circuit", "unfolded")
        if name not in TREES or form == "unfolded"
    ),
    ("pattern-1", "circuit-backward"),
    ("pattern-1", "unfolded-backward"),
]


@cache
def _recorded(name):
    model, arguments = CATALOGUE[name].example()
    return tg.record(model, *arguments)


@cache
def _drawn(name, form, **options):
    view, _, backward = form.partition("-")
    graph = _recorded(name).backward() if backward else _recorded(name)
    return getattr(viz, view)(graph, **options)


def _arrows(diagram):
    """Each arrow as "from –label→ to", by what is written: ■ is a delay, … stands for steps not drawn."""
    marks = {"delay": "■", "ellipsis": "…"}
    written = {v.id: marks.get(v.kind, v.label) for v in diagram.vertices}
    return Counter(f"{written[a.tail]} –{a.label}→ {written[a.head]}" for a in diagram.arrows)


def _listed(*arrows):
    """The same from a text, where "x –U→ h –V→ o" is two arrows."""
    found = Counter()
    for text in arrows:
        tail, *pieces = text.split(" –")
        for piece in pieces:
            label, head = piece.split("→ ")
            found[f"{tail} –{label}→ {head}"] += 1
            tail = head
    return found


# -- the text of every drawing -----------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "form"), DRAWINGS)
def test_a_drawing_is_as_it_was_when_it_was_last_looked_at(name, form):
    source = _drawn(name, form).source
    golden = GOLDEN / f"{name}-{form}.dot"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(source, encoding="utf-8")
    expected = golden.read_text(encoding="utf-8") if golden.exists() else ""
    assert source == expected, f"look at it, then: UPDATE_GOLDEN=1 pytest {Path(__file__).name}"


def test_there_is_no_golden_file_without_a_drawing():
    assert {path.stem for path in GOLDEN.iterdir()} == {f"{name}-{form}" for name, form in DRAWINGS}


@pytest.mark.parametrize("name", ["teacher-forcing", "generative", "gru", "lstm-peephole", "echo-state-feedback"])
def test_in_detail_no_arrow_runs_under_what_it_does_not_join(name):
    assert [
        (arrow.tail, arrow.head, vertex.label) for arrow, vertex in _drawn(name, "unfolded", detail="operations").hidden
    ] == []


@pytest.mark.parametrize("name", ["encoder-decoder", "attention", "pointer", "leaky", "leaky-learned", "echo-state"])
def test_in_the_backward_pass_no_arrow_runs_under_what_it_does_not_join(name):
    assert [(arrow.tail, arrow.head, vertex.label) for arrow, vertex in _drawn(name, "unfolded-backward").hidden] == []


@pytest.mark.parametrize(("name", "form"), DRAWINGS)
def test_no_arrow_runs_under_what_it_does_not_join(name, form):
    assert [(arrow.tail, arrow.head, vertex.label) for arrow, vertex in _drawn(name, form).hidden] == []


# -- the circuits, arrow by arrow --------------------------------------------------------------------------

OUTPUT = "h –V→ o –→ L", "y –→ L"
RECURRENCE = "h –→ ■ –W→ h"

CIRCUITS = {
    "dynamical-system": ["s –→ ■ –W→ s", "s⁽⁰⁾ –→ ■"],
    "rnn": ["x –U→ h", RECURRENCE],
    "pattern-1": ["x –U→ h", RECURRENCE, *OUTPUT],
    "pattern-2": ["x –U→ h", RECURRENCE, "h –V, t = T→ o –→ L", "y –→ L"],
    "pattern-3": ["x –U→ h", *OUTPUT, "o –→ ■ –W→ h"],
    "teacher-forcing": ["x –U→ h", *OUTPUT, "y –→ ■ –W→ h"],
    "generative": ["y –→ ■ –R→ h", RECURRENCE, *OUTPUT],
    "vector-to-sequence": ["x –R→ h", "y –→ ■ –U→ h", RECURRENCE, *OUTPUT],
    "pattern-4": ["x –U→ h", RECURRENCE, *OUTPUT, "y –→ ■ –R→ h"],
    "bidirectional": ["x –U→ h", "x –S→ g", "g –→ ■ –R→ g", "g –Q→ o", RECURRENCE, *OUTPUT],
    "encoder-decoder": [
        *("x –U_encoder→ h_encoder –→ ■ –W_encoder→ h_encoder", "h_encoder –Q, t = T→ C –R→ h_decoder"),
        *("h_decoder –→ ■ –W_decoder→ h_decoder", "y –→ ■ –U_decoder→ h_decoder –V→ o –→ L", "y –→ L"),
    ],
    "deep-states": ["x –U→ h –S→ z", RECURRENCE, "z –→ ■ –R→ z", "z –V→ o –→ L", "y –→ L"],
    "deep-transition": ["x –E→ e –U→ h", "h –→ ■ –M→ m –W→ h", "h –S→ z –V→ o –→ L", "y –→ L"],
    "deep-skip": ["x –E→ e –U→ h", "h –→ ■ –M→ m –W→ h", "■ –R→ h", "h –S→ z –V→ o –→ L", "y –→ L"],
    "skip": ["x –U→ h", RECURRENCE, "h –→ ■ –→ ■ –→ ■ –R→ h", *OUTPUT],
    "leaky": ["x –U→ h", RECURRENCE, "h –→ ■ –1 − 1/α→ h", *OUTPUT],
    "layer-rnn": ["x –U₀→ h", "h –→ ■ –W₀→ h –t = T→ h_n"],
    "layer-stacked": [
        *("x –U₀→ h₀", "h₀ –→ ■ –W₀→ h₀ –t = T→ h_n"),
        *("h₀ –U₁→ h₁", "h₁ –→ ■ –W₁→ h₁ –t = T→ h_n"),
    ],
    "layer-bidirectional": [
        *("x –U₀→ h₀", "h₀ –→ ■ –W₀→ h₀ –t = T→ h_n", "h₀ –→ y"),
        *("x –U₀′→ h₁", "h₁ –→ ■ –W₀′→ h₁ –t = 1→ h_n", "h₁ –→ y"),
    ],
    "lstm": [
        *("x –Uᶠ→ f", "x –Uᵍ→ g", "x –Uᵒ→ q", "x –U→ a"),
        *("h –→ ■ –Wᶠ→ f", "■ –Wᵍ→ g", "■ –Wᵒ→ q", "■ –W→ a"),
        *("f –→ s", "g –→ s", "a –→ s", "s –→ ■ –→ s", "s –→ h", "q –→ h", *OUTPUT),
    ],
    "gru": [
        *("x –Uᵘ→ u", "x –Uʳ→ r", "x –U→ n", "r –W→ n"),
        *("h –→ ■ –Wᵘ→ u", "■ –Wʳ→ r", "■ –W→ n", "■ –→ h", "u –→ h", "n –→ h", *OUTPUT),
    ],
}


@pytest.mark.parametrize("name", CIRCUITS)
def test_a_circuit_has_the_arrows_of_its_figure_and_no_others(name):
    assert _arrows(_drawn(name, "circuit")) == _listed(*CIRCUITS[name])


def test_the_delays_of_a_bidirectional_network_point_both_ways_in_time():
    notes = {v.note.partition(":")[0] for v in _drawn("bidirectional", "circuit").vertices if v.kind == "delay"}
    assert notes == {"one step back", "one step ahead"}


def test_the_gates_of_an_lstm_stand_side_by_side_between_its_inputs_and_its_state():
    rows = {v.label: v.y for v in _drawn("lstm", "circuit").vertices if v.kind != "delay"}
    assert len({rows[gate] for gate in "fgqah"}) == 1
    assert rows["x"] < rows["f"] < rows["s"] < rows["o"] < rows["L"] < rows["y"]


def test_the_output_of_an_lstm_stands_at_the_end_of_its_step_and_is_carried_to_the_beginning_of_the_next():
    vertices = _drawn("lstm", "unfolded", steps=(1, 2, 3)).vertices
    second = {v.label: v for v in vertices if v.label.endswith("⁽²⁾") and v.kind != "carried"}
    assert all(second[f"{gate}⁽²⁾"].x < second["h⁽²⁾"].x for gate in "gfaq")
    (carried,) = (v for v in vertices if v.kind == "carried" and v.label == "h⁽²⁾")
    third = {v.label: v for v in vertices if v.label.endswith("⁽³⁾")}
    assert second["h⁽²⁾"].x < carried.x < third["x⁽³⁾"].x
    assert carried.y == third["x⁽³⁾"].y


def test_the_weights_of_an_echo_state_network_that_are_not_trained_are_dashed():
    kinds = {a.label: a.kind for a in _drawn("echo-state", "circuit").arrows}
    assert (kinds["W"], kinds["U"], kinds["V"]) == ("fixed", "fixed", "wire")


def test_attention_leads_from_every_state_of_the_encoder_to_a_weighted_sum_to_the_decoder():
    arrows = _drawn("attention", "circuit").arrows
    assert [a.kind for a in arrows if a.label == "all t"] == ["all"]
    expected = _listed("h –all t→ [h] –U_score→ e –→ α –→ C –R→ z", "[h] –→ C", "z –→ ■ –W_score→ e", "C –P→ o")
    assert expected <= _arrows(_drawn("attention", "circuit"))


def test_attention_weights_on_the_arrows_to_a_step_of_the_decoder_sum_to_one():
    diagram = _drawn("attention", "unfolded", weights=True, steps=(1, 2, 3, 4, 5))
    written = {v.id: v.label for v in diagram.vertices}
    for t in "¹²³⁴⁵":
        weighted = [a for a in diagram.arrows if written[a.head] == f"C⁽{t}⁾" and written[a.tail].startswith("h")]
        assert len(weighted) == 4
        assert sum(a.strength for a in weighted) == pytest.approx(1)
        assert all(abs(float(a.label) - a.strength) < 0.006 for a in weighted if a.label)


def test_attention_weights_above_an_even_share_are_written_near_their_heads():
    diagram = _drawn("attention", "unfolded", weights=True, steps=(1, 2, 3, 4, 5))
    weighted = [a for a in diagram.arrows if a.strength is not None]
    assert {bool(a.label) for a in weighted if a.strength >= 1 / 4} == {True}
    assert {bool(a.label) for a in weighted if a.strength < 1 / 4} == {False}


def test_an_explicit_memory_has_a_controller_heads_that_read_and_write_and_cells_that_are_carried_on():
    arrows = _arrows(_drawn("turing-machine", "circuit"))
    controller, memory = ("x –U→ h", "r –→ ■ –R→ h"), ("M –→ ■ –→ M –→ r", "e –→ M", "v –→ M")
    assert _listed(*controller, *memory, "w_write –→ M", "w_read –→ r") <= arrows


# -- unfolded, arrow by arrow ------------------------------------------------------------------------------

STEPS = [f"⁽{t}⁾" for t in "¹²ᵀ"]


def _each_step(*arrows):
    """These arrows at each step that is drawn; * stands for the step."""
    return [arrow.replace("*", t) for arrow in arrows for t in STEPS]


def _along(variable, label, first="⁽⁰⁾"):
    """A recurrence from step to step, over those that are not drawn."""
    one, two, last = (variable + t for t in STEPS)
    return f"{variable}{first} –{label}→ {one} –{label}→ {two} –{label}→ … –{label}→ {last}"


OUTPUTS = _each_step("h* –V→ o* –→ L*", "y* –→ L*")

UNFOLDED = {
    "dynamical-system": [_along("s", "W")],
    "rnn": [*_each_step("x* –U→ h*"), _along("h", "W")],
    "pattern-1": [*_each_step("x* –U→ h*"), _along("h", "W"), *OUTPUTS],
    "pattern-2": [*_each_step("x* –U→ h*"), _along("h", "W"), "h⁽ᵀ⁾ –V→ o –→ L", "y –→ L"],
    "pattern-3": [
        *(*_each_step("x* –U→ h*"), *OUTPUTS),
        *("o⁽⁰⁾ –W→ h⁽¹⁾", "o⁽¹⁾ –W→ h⁽²⁾", "o⁽²⁾ –W→ … –W→ h⁽ᵀ⁾"),
    ],
    "teacher-forcing": [
        *(*_each_step("x* –U→ h*"), *OUTPUTS),
        *("y⁽⁰⁾ –W→ h⁽¹⁾", "y⁽¹⁾ –W→ h⁽²⁾", "y⁽²⁾ –W→ … –W→ h⁽ᵀ⁾"),
    ],
    "generative": [*OUTPUTS, _along("h", "W"), "y⁽⁰⁾ –R→ h⁽¹⁾", "y⁽¹⁾ –R→ h⁽²⁾", "y⁽²⁾ –R→ … –R→ h⁽ᵀ⁾"],
    "pattern-4": [
        *(*_each_step("x* –U→ h*"), *OUTPUTS, _along("h", "W")),
        *("y⁽⁰⁾ –R→ h⁽¹⁾", "y⁽¹⁾ –R→ h⁽²⁾", "y⁽²⁾ –R→ … –R→ h⁽ᵀ⁾"),
    ],
    "vector-to-sequence": [
        *(*_each_step("x –R→ h*"), *OUTPUTS, _along("h", "W")),
        *("y⁽⁰⁾ –U→ h⁽¹⁾", "y⁽¹⁾ –U→ h⁽²⁾", "y⁽²⁾ –U→ … –U→ h⁽ᵀ⁾"),
    ],
    "bidirectional": [
        *(*_each_step("x* –U→ h*", "x* –S→ g*", "g* –Q→ o*"), *OUTPUTS, _along("h", "W")),
        "g⁽ᵀ⁺¹⁾ –R→ g⁽ᵀ⁾ –R→ … –R→ g⁽²⁾ –R→ g⁽¹⁾",
    ],
    "deep-states": [
        *_each_step("x* –U→ h* –S→ z* –V→ o* –→ L*", "y* –→ L*"),
        *(_along("h", "W"), _along("z", "R")),
    ],
    "leaky": [
        *(*_each_step("x* –U→ h*"), *OUTPUTS, "h⁽⁰⁾ –W→ h⁽¹⁾ –W→ h⁽²⁾ –→ … –1 − 1/α, W→ h⁽ᵀ⁾"),
        "h⁽⁰⁾ –1 − 1/α→ h⁽¹⁾ –1 − 1/α→ h⁽²⁾",
    ],
    "skip": [
        *(*_each_step("x* –U→ h*"), *OUTPUTS, _along("h", "W")),
        *("h⁽⁻²⁾ –R→ h⁽¹⁾ –R→ …", "h⁽⁻¹⁾ –R→ h⁽²⁾ –R→ h⁽ᵀ⁾"),
    ],
}


@pytest.mark.parametrize("name", UNFOLDED)
def test_an_unfolded_graph_has_the_arrows_of_its_figure_and_no_others(name):
    assert _arrows(_drawn(name, "unfolded")) == _listed(*UNFOLDED[name])


def test_the_encoder_and_the_decoder_have_lengths_of_their_own_with_the_context_between():
    graph = _recorded("encoder-decoder")
    assert graph.fold().lengths == [4, 5]
    diagram = _drawn("encoder-decoder", "unfolded", steps=(1, 2, 3, 4, 5))
    assert _listed("h_encoder⁽⁴⁾ –Q→ C", *(f"C –R→ h_decoder⁽{t}⁾" for t in "¹²³⁴⁵")) <= _arrows(diagram)
    (context,) = (v.x for v in diagram.vertices if v.label == "C")
    assert max(v.x for v in diagram.vertices if v.label.startswith("x")) < context
    assert context < min(v.x for v in diagram.vertices if v.label.startswith("L"))


def test_the_vector_of_a_vector_to_sequence_network_stands_below_the_middle_of_the_sequence():
    places = {v.label: (v.x, v.y) for v in _drawn("vector-to-sequence", "unfolded").vertices}
    assert places["x"][0] == pytest.approx((places["h⁽¹⁾"][0] + places["h⁽ᵀ⁾"][0]) / 2)
    assert places["x"][1] < places["h⁽¹⁾"][1]


def test_the_output_of_pattern_ii_stands_above_the_last_step():
    places = {v.label: (v.x, v.y) for v in _drawn("pattern-2", "unfolded").vertices}
    assert [places[name][0] for name in ("o", "L", "y")] == [places["h⁽ᵀ⁾"][0]] * 3
    assert [places[name][1] for name in ("h⁽ᵀ⁾", "o", "L", "y")] == [1, 2, 3, 4]


def test_a_recursive_network_is_a_tree_of_compositions_and_has_no_circuit():
    leaves = [f"x⁽{i}⁾ –V→ h" for i in "¹²³⁴"]
    compositions = ["h –U→ h", "h –W→ h"] * 3
    arrows = _arrows(_drawn("recursive", "unfolded"))
    assert arrows == _listed(*leaves, *compositions, "h –Q→ o –→ L", "y –→ L")
    deeper = ["h –U→ m", "h –W→ m", "m –R→ h"] * 3
    assert _arrows(_drawn("recursive-deep", "unfolded")) == _listed(*leaves, *deeper, "h –Q→ o –→ L", "y –→ L")
    for draw in (viz.circuit, viz.side_by_side):
        with pytest.raises(tg.FoldError, match=r"calls itself, and a tree has no time axis.* zoo.recursive\.py:\d+$"):
            draw(_recorded("recursive"))


# -- the backward pass -------------------------------------------------------------------------------------


def test_in_the_circuit_of_bptt_the_delays_point_the_other_way():
    diagram = _drawn("pattern-1", "circuit-backward")
    back = _listed("L –→ ∂L/∂o –V→ ∂L/∂h", "∂L/∂h –→ ■ –W→ ∂L/∂h")
    assert _arrows(diagram) == _listed(*CIRCUITS["pattern-1"]) + back
    names = {v.id: v for v in diagram.vertices}
    notes = {names[a.tail].label: names[a.head].note for a in diagram.arrows if names[a.head].kind == "delay"}
    assert notes["h"] == "one step back"
    assert notes["∂L/∂h"].startswith("one step ahead")
    assert sum(a.kind == "grad" for a in diagram.arrows) == sum(back.values())


def test_the_gradient_of_h_comes_from_the_output_alone_at_the_last_step_and_from_the_future_before_it():
    arrows = _arrows(_drawn("pattern-1", "unfolded-backward"))
    outputs = _each_step("L* –→ ∂L/∂o* –V→ ∂L/∂h*")
    future = "∂L/∂h⁽ᵀ⁾ –W→ … –W→ ∂L/∂h⁽²⁾ –W→ ∂L/∂h⁽¹⁾"
    assert arrows == _listed(*UNFOLDED["pattern-1"], *outputs, future)
