"""The explorer's page: what is in it, and that it holds whatever the run holds.

What a reader sees and does is tested in test_page_in_browser.py.
"""

import base64
import hashlib
import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tinygrad_rnn as tg
import viz
from tinygrad_rnn.autodiff.transforms import jacobian
from viz.explorer.equations import mathml
from viz.explorer.expressions import local_derivatives
from zoo.pattern_1 import Pattern1

KINDS_OF_BAD_NAME = {
    "script": "</script><script>document.title = 'broken'</script>",
    "comment": "<!-- <script>",
    "image": "<img src=x onerror=\"document.title = 'broken'\">",
    "entities": "&amp;&lt;b&gt;",
    "quotes": "\"double\" and 'single'",
    "newline": "a\nb\r\u2028c",
    "unicode": "隠れ層 \u202e \U0001f9e0",
    "surrogate": "\ud800",
    "template": "$title ${script} {{ x }}",
    "long": "h" * 10_000,
}
VOID = {"meta", "link", "br", "input"}


class Page(HTMLParser):
    """A page as a browser reads it: its elements in order, and the text of its scripts."""

    def __init__(self, path: Path) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))
        assert self.open == []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "script":
            self.scripts.append("")

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "script":
            self.scripts[-1] += data
        elif "style" not in self.open:
            self.text += data

    @property
    def data(self) -> Any:
        return json.loads(self.scripts[0])

    def moment(self, label: str) -> Any:
        (found,) = (m for m in self.data["moments"] if m["label"] == label)
        return found

    def component(self, label: str) -> Any:
        (found,) = (c for c in self.data["components"] if c["label"] == label)
        return found


def recorded(T: int = 6) -> Any:
    rng = np.random.default_rng(0)
    return tg.record(Pattern1(3, 4, 5, rng=0), rng.normal(size=(T, 2, 3)), rng.integers(0, 5, size=(T, 2)))


@pytest.fixture(scope="module")
def graph() -> Any:
    return recorded()


@pytest.fixture(scope="module")
def path(graph: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return viz.page(graph, tmp_path_factory.mktemp("page") / "pattern_1.html", title="Pattern I")


@pytest.fixture(scope="module")
def page(path: Path) -> Page:
    return Page(path)


def numbers(shown: dict[str, Any]) -> np.ndarray:
    return np.array([[float(x.replace("−", "-")) for x in row] for row in shown["rows"]]).reshape(shown["shape"])


def test_the_page_is_one_file_that_loads_nothing(path: Path, page: Page) -> None:
    assert "http:" not in path.read_text(encoding="utf-8")
    assert "https:" not in path.read_text(encoding="utf-8")
    loading = [a for _, attributes in page.elements for a in attributes.items() if a[0] in ("src", "href", "data")]
    assert loading == [("href", "data:,")]


def test_the_page_may_run_its_own_script_and_no_other(page: Page) -> None:
    (policy,) = (a["content"] for tag, a in page.elements if a.get("http-equiv") == "Content-Security-Policy")
    digest = base64.b64encode(hashlib.sha256(page.scripts[1].encode()).digest()).decode()
    assert policy.startswith(f"default-src 'none'; script-src 'sha256-{digest}';")
    assert not [name for _, attributes in page.elements for name in attributes if name.startswith("on")]


@pytest.mark.parametrize("back", ["../lstm.html#lstm", '"><script>', "a&b.html"])
def test_a_page_leads_back_to_where_it_is_told_to_and_nowhere_otherwise(graph: Any, tmp_path: Path, back: str) -> None:
    page = Page(viz.page(graph, tmp_path / "page.html", back=back))
    assert [attributes["href"] for tag, attributes in page.elements if tag == "a" and "href" in attributes] == [back]
    assert len(page.scripts) == 2
    page = Page(viz.page(graph, tmp_path / "page.html"))
    assert [attributes for tag, attributes in page.elements if tag == "a" and "href" in attributes] == []


@pytest.mark.parametrize(
    ("latex", "parts"),
    [
        ("a = b + c", ["a=b", "+c"]),
        ("a = -b - c", ["a=−b", "−c"]),
        (r"a + b = c \left(d + e\right) + f(g + h)", ["a+b=c(d+e)", "+f(g+h)"]),
        ("a", ["a"]),
        (r"L \text{ is a sum over the batch}", ["L", " is a sum over the batch"]),
    ],
)
def test_a_formula_can_be_broken_before_each_term_of_its_right_side_and_in_words(latex: str, parts: list[str]) -> None:
    pytest.importorskip("latex2mathml")
    written = mathml(latex).split("\N{ZERO WIDTH SPACE}")
    assert [re.sub(r"<[^>]*>", "", part) for part in written] == parts
    assert [part.startswith("<math") for part in written] == ["batch" not in part for part in parts]


def test_a_theme_of_ones_own_is_one_entry_and_pages_stay_as_they_are(
    graph: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blueprint = {"paper": "#0b3d6e", "fill": "#134a80", "ink": "#ffffff", "faint": "#9db8d2", "grad": "#ffd166"}
    monkeypatch.setitem(viz.diagrams.dot.THEMES, "blueprint", blueprint)
    assert 'bgcolor="#0b3d6e"' in viz.circuit(graph, theme="blueprint").source
    viz.page(graph, tmp_path / "page.html")
    assert "#0b3d6e" not in (tmp_path / "page.html").read_text()


def test_pattern_i_with_six_steps_takes_less_than_300_kilobytes(path: Path) -> None:
    assert path.stat().st_size < 300_000


def test_a_page_grows_with_what_is_drawn_and_not_with_the_length_of_the_sequence(tmp_path: Path) -> None:
    sizes = [viz.page(recorded(T), tmp_path / f"{T}.html").stat().st_size for T in (30, 600)]
    assert sizes[1] < 1.02 * sizes[0]


def test_large_arrays_are_cut_to_their_statistics_and_first_rows(tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=(500, 300))
    x[0, 0] = np.nan
    shown = Page(viz.page(tg.record(lambda x: np.tanh(x), x), tmp_path / "p.html")).moment("x")["value"]
    assert (len(shown["rows"]), len(shown["rows"][0]), shown["shape"]) == (3, 8, [500, 300])
    assert shown["rows"][0][0] == "NaN"
    assert shown["stats"]["not finite"] == "1 of 150000"
    assert float(shown["stats"]["max"]) == pytest.approx(np.nanmax(x), rel=1e-3)


@pytest.mark.parametrize(("label", "step"), [("h⁽¹⁾", 0), ("h⁽²⁾", 1), ("h⁽ᵀ⁾", 5)])
def test_values_and_gradients_are_those_of_the_recorded_run(graph: Any, page: Page, label: str, step: int) -> None:
    both = graph.backward()
    h = [s for s in both.steps if s.name == "h" and s.operation is not None][step]
    moment = page.moment(label)
    assert moment["name"] == f"∂L/∂{label}"
    np.testing.assert_allclose(numbers(moment["value"]), h.value, rtol=1e-3)
    np.testing.assert_allclose(numbers(moment["gradient"]), both.gradients[h].value, rtol=1e-3)


def test_the_gradients_of_parameters_are_those_of_backward(page: Page) -> None:
    model = Pattern1(3, 4, 5, rng=0)
    rng = np.random.default_rng(0)
    model(tg.Tensor(rng.normal(size=(6, 2, 3))), tg.Tensor(rng.integers(0, 5, size=(6, 2)))).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None
        gradient = numbers(page.moment(name)["gradient"])
        np.testing.assert_allclose(gradient, parameter.grad.data, rtol=1e-3, atol=1e-12)


def test_the_slider_stops_at_each_operation_of_the_drawn_steps_forward_then_backward(page: Page) -> None:
    stops = page.data["stops"]
    assert [stop["backward"] for stop in stops] == sorted(stop["backward"] for stop in stops)
    texts = [stop["text"] for stop in stops]
    assert texts.index("h⁽¹⁾ @ Wᵀ") < texts.index("h⁽²⁾ = tanh(b + h⁽¹⁾ @ Wᵀ + x⁽²⁾ @ Uᵀ)")
    assert "∂L/∂o⁽ᵀ⁾ = ∂L/∂L⁽ᵀ⁾ / 2 ⊙ (softmax(o⁽ᵀ⁾) − one_hot(y⁽ᵀ⁾))" in texts


def test_what_is_not_drawn_is_one_stop_that_lights_the_ellipses(page: Page) -> None:
    elided = [stop for stop in page.data["stops"] if "gaps" in stop]
    assert [stop["backward"] for stop in elided][:4] == [False, False, False, True]  # the reads of x, of y; the steps
    drawn = {i for i, number in enumerate(page.data["unfolded"]) if number is not None}
    assert all(stop["gaps"] and not set(stop["gaps"]) & drawn for stop in elided)
    assert elided[2]["text"] == "36 operations of steps that are not drawn"


def test_every_value_is_computed_at_the_stop_that_says_so(page: Page) -> None:
    stops = page.data["stops"]
    computed = [m for m in page.data["moments"] if m["at"]]
    assert len(computed) >= 15
    for moment in computed:
        assert stops[moment["at"] - 1]["text"].startswith(f"{moment['label']} = ")
        if moment.get("gradientAt"):
            assert stops[moment["gradientAt"] - 1]["backward"]


def test_the_local_derivatives_of_pattern_i_are_the_lectures(page: Page) -> None:
    assert page.component("h")["local"] == [
        "∂h⁽ᵗ⁾/∂h⁽ᵗ⁻¹⁾ = diag(1 − h⁽ᵗ⁾²) W",
        "∂h⁽ᵗ⁾/∂x⁽ᵗ⁾ = diag(1 − h⁽ᵗ⁾²) U",
    ]
    assert page.component("o")["local"] == ["∂o⁽ᵗ⁾/∂h⁽ᵗ⁾ = V"]


@pytest.mark.parametrize(
    "function",
    [
        lambda h, W, a: np.tanh(h @ W.T),
        lambda h, W, a: a * h + (1 - a) * np.tanh(W @ h),
        lambda h, W, a: 0.5 * h - np.tanh(h) * 0.25,
        lambda h, W, a: (a - h) * a - (-h),
        lambda h, W, a: tg.sigmoid(h) * np.exp(h @ W),
        lambda h, W, a: np.tanh(a * h @ W.T - h) / 2 - a,
        lambda h, W, a: np.log(1 + h * h) + h,
    ],
)
def test_a_local_derivative_read_as_a_formula_gives_the_engines_jacobian(function: Any) -> None:
    W = tg.name(tg.Parameter(np.random.default_rng(0).normal(size=(3, 3))), "W")
    a, h = tg.name(tg.Parameter(np.array([0.3, 0.6, 0.9])), "a"), tg.name(tg.Parameter(np.array([0.5, -0.2, 0.8])), "h")
    graph = tg.record(lambda: tg.name(function(h, W, a), "y"))
    (source,) = (step for step in graph.parameters if step.name == "h")
    (y,) = graph.outputs
    text = local_derivatives(y, {y, source}, lambda step: step.name)[source]
    assert text is not None
    formula = re.sub(r"(?<=[\w)]) (?=[\w(])", " @ ", text.replace("²", "**2").replace("−", "-").replace("⊙", "*"))
    known = {step.name: step.value for step in graph.steps if step.name} | {"I": np.eye(3), "diag": diagonal}
    known |= {"tanh": np.tanh, "exp": np.exp, "σ": lambda x: 1 / (1 + np.exp(-x))}
    expected = jacobian(lambda h: function(h, W, a))(h)
    value = eval(re.sub(r"(\d\.\d+) @", r"\1 *", formula.replace("ᵀ", ".T")), known)
    np.testing.assert_allclose(value, np.asarray(expected.data), rtol=1e-10)


def diagonal(x: np.ndarray) -> np.ndarray:
    return np.diag(np.broadcast_to(x, 3))


def test_the_source_is_the_expression_in_its_line_with_a_line_on_either_side(page: Page) -> None:
    source = page.data["sources"][page.component("h")["source"]]
    assert re.fullmatch(r"zoo/pattern_1\.py:\d+", source["place"].replace("\\", "/"))
    assert [line[2] for line in source["lines"]] == ["", "tg.tanh(self.b + h @ self.W.T + x @ self.U.T)", ""]
    assert source["lines"][1][1] == "h = "


def test_the_diagrams_say_what_they_show(page: Page) -> None:
    drawn = [attributes for tag, attributes in page.elements if tag == "svg"]
    assert len(drawn) == 2
    assert all("U leads from x" in str(attributes["aria-label"]) for attributes in drawn)
    buttons = [a["aria-label"] for tag, a in page.elements if tag == "g" and a.get("role") == "button"]
    assert {"h", "h⁽²⁾", "L⁽ᵀ⁾"} <= set(buttons)


@pytest.mark.parametrize("bad", KINDS_OF_BAD_NAME.values(), ids=KINDS_OF_BAD_NAME)
def test_a_name_is_text_whatever_is_in_it(bad: str, tmp_path: Path) -> None:
    W = tg.name(tg.Parameter(np.eye(2)), bad)

    def program(x: Any) -> Any:
        h = np.zeros(2)
        for x_t in x:
            h = tg.name(np.tanh(h @ W.T + x_t), bad)
        return (h * h).sum()

    page = Page(viz.page(tg.record(program, np.ones((5, 2))), tmp_path / "page.html", title=bad))
    assert len(page.scripts) == 2
    assert not [tag for tag, _ in page.elements if tag == "img"]
    assert [c["kind"] for c in page.data["components"]].count("parameter") == 1
    shown = next(c["label"] for c in page.data["components"] if c["kind"] == "parameter")
    assert shown.isprintable()
    assert shown[:10] in page.data["moments"][-1]["label"]
    assert len(shown) <= 80


# -- runs that are not a model with a loss ---------------------------------------------------------------


def test_a_run_without_a_loss_has_no_backward_pass_and_says_so(tmp_path: Path) -> None:
    page = Page(viz.page(tg.record(lambda x: np.tanh(x), np.ones(3)), tmp_path / "page.html"))
    assert "There is no backward pass: " in page.text
    assert {stop["backward"] for stop in page.data["stops"]} == {False}
    assert "gradient" not in page.data["moments"][0]


def test_a_run_of_one_input_is_a_page_of_one_variable(tmp_path: Path) -> None:
    page = Page(viz.page(tg.record(lambda x: x, np.ones(3)), tmp_path / "page.html"))
    assert [m["label"] for m in page.data["moments"]] == ["x"]
    assert page.data["stops"] == []


def test_an_empty_run_is_a_page_without_variables(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError) as error:
        tg.record(lambda: 1 / 0)
    page = Page(viz.page(error.value.graph, tmp_path / "page.html"))
    assert (page.data["moments"], page.data["stops"]) == ([], [])


def test_a_run_that_raised_is_a_page_that_ends_at_the_operation_that_did(tmp_path: Path) -> None:
    def program(x: Any) -> Any:
        h = np.tanh(x)
        return h @ np.ones((7, 7))

    with pytest.raises(tg.ShapeError) as error:
        tg.record(program, np.ones(3))
    page = Page(viz.page(error.value.graph, tmp_path / "page.html"))
    assert numbers(page.moment("h")["value"]) == pytest.approx(np.tanh(np.ones(3)), rel=1e-3)
    assert page.data["stops"][-1]["text"] == "h @ constant raised"
    (failed,) = (c for c in page.data["components"] if c["kind"] == "failed")
    assert page.data["sources"][failed["source"]]["lines"][1][2] == "h @ np.ones((7, 7))"
    assert "value" not in page.data["moments"][failed["moments"][0]]


def test_both_passes_given_make_the_same_page_as_the_forward_pass(graph: Any, path: Path, tmp_path: Path) -> None:
    other = viz.page(graph.backward(), tmp_path / "page.html", title="Pattern I")
    assert other.read_text(encoding="utf-8") == path.read_text(encoding="utf-8")


def test_a_run_that_has_no_circuit_says_why_and_shows_the_unfolded_graph(tmp_path: Path) -> None:
    W = tg.Parameter(np.eye(2))

    def tree(x: Any) -> Any:
        if len(x) == 1:
            return x[0]
        h = np.tanh(tree(x[: len(x) // 2]) @ W.T + tree(x[len(x) // 2 :]))
        return h

    page = Page(viz.page(tg.record(lambda x: tree(list(x)).sum(), np.ones((4, 2))), tmp_path / "page.html"))
    assert "This run has no circuit: " in page.text
    assert len([tag for tag, _ in page.elements if tag == "svg"]) == 1
    assert page.data["circuit"] == []


def test_a_file_that_cannot_be_written_is_named(graph: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        viz.page(graph, tmp_path / "file" / "page.html")


def test_without_graphviz_the_remedies_are_named(graph: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.util

    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(viz.RendererMissing, match="pip install pygraphviz"):
        viz.page(graph, tmp_path / "page.html")
    assert list(tmp_path.iterdir()) == []
