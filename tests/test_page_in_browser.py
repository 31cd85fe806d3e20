"""The explorer in a headless Chromium: what a reader does, and what the page then shows."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tinygrad_rnn as tg
import viz
from viz.__main__ import main
from zoo.pattern_1 import Pattern1

PLAYING = 700  # milliseconds that a stop lasts


@pytest.fixture(scope="module")
def graph() -> Any:
    rng = np.random.default_rng(0)
    return tg.record(Pattern1(3, 4, 5, rng=0), rng.normal(size=(6, 2, 3)), rng.integers(0, 5, size=(6, 2)))


@pytest.fixture(scope="module")
def path(graph: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return viz.page(graph, tmp_path_factory.mktemp("explorer") / "pattern_1.html", title="Pattern I")


class Explorer:
    """A page in the browser, and what a test asks of it."""

    def __init__(self, chromium: Any, path: Path, place: str = "") -> None:
        self.chromium = chromium
        chromium.get("about:blank")
        chromium.get_log("browser")
        chromium.get(path.as_uri() + place)
        self.data = json.loads(self.js("return document.getElementById('data').textContent"))

    def js(self, script: str, *arguments: Any) -> Any:
        return self.chromium.execute_script(script, *arguments)

    def find(self, selector: str) -> Any:
        return self.chromium.find_element("css selector", selector)

    def vertex(self, view: str, label: str) -> Any:
        return self.find(f"#{view} g.node[aria-label='{label}']")

    def labels(self, view: str, what: str) -> set[str]:
        """The labels of the vertices of a view that have a class."""
        found = self.chromium.find_elements("css selector", f"#{view} g.node.{what}[role]")
        return {vertex.get_attribute("aria-label") for vertex in found}

    def press(self, *keys: str) -> None:
        from selenium.webdriver.common.action_chains import ActionChains

        ActionChains(self.chromium).send_keys(*keys).perform()

    def go_to(self, stop: int) -> None:
        """Move the slider, as a hand does."""
        slider = self.find("#stop")
        self.js("arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('input'))", slider, stop)

    def stop_of(self, text: str) -> int:
        return next(i for i, stop in enumerate(self.data["stops"], 1) if stop["text"].startswith(text))

    @property
    def stop(self) -> int:
        return int(self.find("#stop").get_property("value"))

    @property
    def panel(self) -> str:
        return self.find("#panel").text

    def numbers(self, what: str) -> np.ndarray:
        rows = self.js(
            f"return [...document.querySelectorAll('#{what} tr')].map(r => [...r.cells].map(c => c.innerText))"
        )
        return np.array([[float(cell.replace("−", "-")) for cell in row] for row in rows])


@pytest.fixture
def page(chromium: Any, path: Path) -> Iterator[Explorer]:
    explorer = Explorer(chromium, path)
    yield explorer
    assert chromium.get_log("browser") == []


def hidden_states(graph: Any) -> list[Any]:
    return [step for step in graph.steps if step.name == "h" and step.operation is not None]


def test_the_page_opens_from_the_disk_with_the_whole_run_known_and_nothing_on_the_console(page: Explorer) -> None:
    assert page.find("h1").text == "Pattern I"
    assert page.stop == len(page.data["stops"])
    assert page.labels("unfolded", "pending") == set()


def test_a_click_shows_value_gradient_equation_derivative_and_source(page: Explorer, graph: Any) -> None:
    page.vertex("unfolded", "h⁽²⁾").click()
    both = graph.backward()
    h = hidden_states(both)[1]
    np.testing.assert_allclose(page.numbers("value"), h.value, rtol=1e-3)
    np.testing.assert_allclose(page.numbers("gradient"), both.gradients[h].value, rtol=1e-3)
    shown = page.panel
    assert shown.startswith("h⁽²⁾")
    for part in ("2 × 4", "∂L/∂h⁽²⁾", "diag(1 − h⁽ᵗ⁾²) W", "h = tg.tanh(self.b + h @ self.W.T + x @ self.U.T)"):
        assert part in shown
    assert page.find("#panel mark").text == "tg.tanh(self.b + h @ self.W.T + x @ self.U.T)"
    assert page.find("#panel .formula").text.strip()


def test_a_vertex_is_chosen_by_tab_and_enter(page: Explorer) -> None:
    from selenium.webdriver.common.keys import Keys

    for _ in range(40):
        page.press(Keys.TAB)
        if page.js("return document.activeElement.getAttribute('aria-label')") == "o⁽¹⁾":
            break
    page.press(Keys.ENTER)
    assert page.panel.startswith("o⁽¹⁾")


def test_a_parameter_is_chosen_by_its_button(page: Explorer, graph: Any) -> None:
    page.find("#parameters button:first-child").click()
    (W,) = (step for step in graph.parameters if step.name == "W")
    assert page.panel.startswith("W")
    np.testing.assert_allclose(page.numbers("value"), W.value, rtol=1e-3)


def test_subscripts_stand_below_the_line_wherever_a_name_does(chromium: Any, tmp_path: Path) -> None:
    W_xi, b_ih_encoder = tg.Parameter(np.eye(3)), tg.Parameter(np.ones(3))

    def run(x: Any) -> Any:
        h_prev = np.zeros(3)
        for x_t in x:
            h_prev = np.tanh(h_prev + x_t @ W_xi + b_ih_encoder)
        return h_prev.sum()

    page = Explorer(chromium, viz.page(tg.record(run, np.ones((4, 3))), tmp_path / "run.html"))
    page.vertex("circuit", "h_prev").click()

    def lowered(selector: str) -> set[str]:
        return {sub.text for sub in chromium.find_elements("css selector", f"{selector} sub")}

    assert lowered("#parameters") == {"xi", "ih,encoder"}
    assert lowered("#panel h2") == lowered("#panel .times") == lowered("#panel h3") == {"prev"}
    assert "_" not in page.panel.partition("Source")[0]
    assert "expand" not in page.find("#now").text


def test_the_matching_component_is_marked_in_both_diagrams(page: Explorer) -> None:
    page.vertex("unfolded", "o⁽²⁾").click()
    assert (page.labels("circuit", "chosen"), page.labels("unfolded", "chosen")) == ({"o"}, {"o⁽²⁾"})
    assert page.labels("unfolded", "same") == {"o⁽¹⁾", "o⁽²⁾", "o⁽ᵀ⁾"}
    page.vertex("circuit", "h").click()
    assert page.labels("circuit", "chosen") == {"h"}
    assert page.labels("unfolded", "same") == {"h⁽¹⁾", "h⁽²⁾", "h⁽ᵀ⁾"}


def test_the_switch_shows_one_diagram_or_both_and_keeps_what_is_chosen(page: Explorer) -> None:
    page.vertex("unfolded", "o⁽²⁾").click()
    for view, shown in (("circuit", (True, False)), ("unfolded", (False, True)), ("both", (True, True))):
        page.find(f"#views [value={view}]").click()
        assert tuple(page.find(f"#{name}").is_displayed() for name in ("circuit", "unfolded")) == shown
        assert (page.labels("circuit", "chosen"), page.labels("unfolded", "chosen")) == ({"o"}, {"o⁽²⁾"})


def test_the_slider_lights_what_runs_forward_and_leaves_the_rest_faint(page: Explorer) -> None:
    page.go_to(page.stop_of("h⁽²⁾ = "))
    assert (page.labels("circuit", "running"), page.labels("unfolded", "running")) == ({"h"}, {"h⁽²⁾"})
    assert {"o⁽²⁾", "L⁽²⁾", "h⁽ᵀ⁾", "o⁽ᵀ⁾", "L⁽ᵀ⁾"} <= page.labels("unfolded", "pending")
    assert not {"h⁽¹⁾", "h⁽²⁾", "L⁽¹⁾"} & page.labels("unfolded", "pending")
    assert page.labels("unfolded", "known") == set()


def test_an_operation_that_is_no_variable_lights_the_one_it_helps_to_compute(page: Explorer) -> None:
    page.go_to(page.stop_of("x⁽²⁾ @ Uᵀ"))
    assert page.labels("unfolded", "running") == {"h⁽²⁾"}
    assert "h⁽²⁾" in page.labels("unfolded", "pending")


def test_what_runs_is_in_sight_in_a_diagram_wider_than_the_window(chromium: Any, path: Path) -> None:
    chromium.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": 380, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    )
    try:
        page = Explorer(chromium, path)
        for text in ("h⁽ᵀ⁾ = ", "∂L/∂h⁽¹⁾ = "):
            page.go_to(page.stop_of(text))
            left, right = page.js(
                "const at = document.querySelector('#unfolded g.node.running').getBoundingClientRect();"
                "return [at.left, at.right]"
            )
            assert 0 <= left < right <= 380
    finally:
        chromium.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_the_slider_then_lights_gradients_from_the_last_step_to_the_first(page: Explorer) -> None:
    known = []
    for label in ("h⁽ᵀ⁾", "h⁽²⁾", "h⁽¹⁾"):
        page.go_to(page.stop_of(f"∂L/∂{label} = "))
        assert page.labels("unfolded", "running") == {label}
        assert page.js("return document.body.className") == "backward"
        known.append({name for name in page.labels("unfolded", "known") if name.startswith("h")})
    assert known == [{"h⁽ᵀ⁾"}, {"h⁽ᵀ⁾", "h⁽²⁾"}, {"h⁽ᵀ⁾", "h⁽²⁾", "h⁽¹⁾"}]


def test_steps_that_are_not_drawn_light_the_ellipses(page: Explorer) -> None:
    page.go_to(next(i for i, s in enumerate(page.data["stops"], 1) if "gaps" in s and len(s["components"]) > 2))
    assert len(page.chromium.find_elements("css selector", "#unfolded g.ellipsis.running")) == 3
    assert page.labels("circuit", "running") == {"h", "o", "L"}


def test_a_value_and_a_gradient_are_faint_until_they_are_known(page: Explorer) -> None:
    page.vertex("unfolded", "h⁽²⁾").click()
    faint = []
    for stop in (page.stop_of("x⁽¹⁾"), page.stop_of("h⁽²⁾ = "), page.stop_of("∂L/∂h⁽²⁾ = ")):
        page.go_to(stop)
        faint.append([page.find(f"#{what}").get_attribute("class") for what in ("value", "gradient")])
    assert faint == [["missing", "missing"], ["", "missing"], ["", ""]]


def test_a_vertex_of_the_circuit_shows_the_step_that_ran_last(page: Explorer) -> None:
    for stop, label in (("h⁽¹⁾ = ", "h⁽¹⁾"), ("o⁽²⁾ = ", "h⁽²⁾"), ("∂L/∂h⁽²⁾ = ", "h⁽²⁾"), ("∂L/∂h⁽¹⁾ = ", "h⁽¹⁾")):
        page.go_to(page.stop_of(stop))
        page.vertex("circuit", "h").click()
        assert page.panel.startswith(label)


def test_arrow_keys_home_and_end_move_the_slider(page: Explorer) -> None:
    from selenium.webdriver.common.keys import Keys

    places = []
    for key in (Keys.HOME, Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ARROW_LEFT, Keys.END):
        page.press(key)
        places.append(page.stop)
    assert places == [0, 1, 2, 1, len(page.data["stops"])]


def test_play_goes_on_by_itself_from_the_start_and_pauses(page: Explorer) -> None:
    import time

    page.find("#play").click()
    assert page.stop == 0
    time.sleep(2.6 * PLAYING / 1000)
    page.find("#play").click()
    reached = page.stop
    assert reached >= 2
    time.sleep(1.3 * PLAYING / 1000)
    assert page.stop == reached


def test_the_address_holds_the_place_and_brings_it_back(page: Explorer, chromium: Any, path: Path) -> None:
    page.vertex("unfolded", "o⁽¹⁾").click()
    page.go_to(12)
    page.find("#views [value=unfolded]").click()
    address = chromium.current_url
    again = Explorer(chromium, path, "#" + address.partition("#")[2])
    assert again.stop == 12
    assert again.panel.startswith("o⁽¹⁾")
    assert not again.find("#circuit").is_displayed()


@pytest.mark.parametrize("place", ["#stop=99999&moment=-1&view=x", "#stop=abc", "#%", "#<script>"])
def test_an_address_that_makes_no_sense_shows_the_whole_run(
    page: Explorer, chromium: Any, path: Path, place: str
) -> None:
    again = Explorer(chromium, path, place)
    assert again.stop == len(again.data["stops"])
    assert again.find("#circuit").is_displayed()


@pytest.mark.parametrize("width", [380, 1280])
def test_the_page_is_as_wide_as_the_window_and_no_wider(page: Explorer, chromium: Any, path: Path, width: int) -> None:
    chromium.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    )
    try:
        again = Explorer(chromium, path)
        assert again.js("return document.documentElement.scrollWidth") <= width
    finally:
        chromium.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


HOSTILE = "</script><script>document.title='broken'</script><img src=x onerror=\"document.title='broken'\"><!--"


def test_markup_in_names_runs_no_script(chromium: Any, tmp_path: Path) -> None:
    W = tg.name(tg.Parameter(np.eye(2)), HOSTILE)

    def program(x: Any) -> Any:
        h = np.zeros(2)
        for x_t in x:
            h = tg.name(np.tanh(h @ W.T + x_t), HOSTILE)
        return tg.name((h * h).sum(), HOSTILE)

    path = viz.page(tg.record(program, np.ones((3, 2))), tmp_path / "page.html", title=HOSTILE)
    page = Explorer(chromium, path)
    for moment in range(len(page.data["moments"])):
        page.js("location.hash = arguments[0]", f"stop={moment}&moment={moment}")
        page.js("return new Promise(resolve => setTimeout(resolve))")
    assert page.js("return document.title").startswith("</script>")
    assert page.js("return [document.scripts.length, document.images.length]") == [2, 0]
    assert chromium.get_log("browser") == []


MODEL = """
import numpy as np
import tinygrad_rnn as tg

W = {name: tg.name(tg.Parameter(np.eye(2)), name) for name in NAMES}

def build():
    def model(x):
        h = np.zeros(2)
        for x_t in x:
            for name in NAMES:
                h = tg.name(np.tanh(h @ W[name].T + x_t), name)
        return (h * h).sum()
    return model, np.ones((6, 2))
"""


def test_a_users_file_of_names_with_markup_makes_a_page_by_the_command_that_shows_them_as_they_are(
    chromium: Any, tmp_path: Path
) -> None:
    names = [HOSTILE, "&amp;&lt;b&gt;", "a\nb", "\"q\" 'r'", "h" * 10_000, "<!-- <script>", "$title ${script}"]
    file, out = tmp_path / "<img src=x onerror=alert(1)> &amp; 'model'.py", tmp_path / "page.html"
    file.write_text(f"NAMES = {names!r}\n{MODEL}")
    assert main(["page", f"{file}:build", "-o", str(out)]) == 0
    page = Explorer(chromium, out)
    assert page.find("h1").text == f"{file}:build"
    labels = {component["label"] for component in page.data["components"] if component["kind"] == "parameter"}
    shown = ("&amp;&lt;b&gt;", r"a\nb", "\"q\" 'r'", "<!-- <script>", "$title ${script}")
    assert {f"{name}_W" for name in shown} < labels  # a state has the same name: the weight is that of W
    for moment in range(len(page.data["moments"])):
        page.js("location.hash = arguments[0]", f"stop={moment}&moment={moment}")
        page.js("return new Promise(resolve => setTimeout(resolve))")
    assert page.js("return document.title").startswith(str(file))
    assert page.js("return [document.scripts.length, document.images.length]") == [2, 0]
    assert page.js("return document.documentElement.scrollWidth <= innerWidth")
    assert chromium.get_log("browser") == []


@pytest.mark.parametrize(
    ("program", "arguments"),
    [
        (lambda x: x, (np.ones(3),)),
        (lambda x: np.tanh(x), (np.array(0.5),)),
        (lambda x: np.tanh(x), (np.ones((0, 3)),)),
        (lambda x: np.tanh(x), (np.full((40, 30), np.nan),)),
    ],
    ids=["one node", "a number", "no elements", "NaN"],
)
def test_small_and_strange_runs_open_without_errors(
    chromium: Any, tmp_path: Path, program: Any, arguments: tuple[Any, ...]
) -> None:
    with np.errstate(invalid="ignore"):
        path = viz.page(tg.record(program, *arguments), tmp_path / "page.html")
    page = Explorer(chromium, path)
    page.find("#play").click()
    page.find("#play").click()
    assert page.find("h1").text == "A recorded run"
    assert chromium.get_log("browser") == []


def test_a_run_that_raised_opens_at_the_operation_that_did(chromium: Any, tmp_path: Path) -> None:
    with pytest.raises(tg.ShapeError) as error:
        tg.record(lambda x: np.tanh(x) @ np.ones((7, 7)), np.ones((2, 3)))
    page = Explorer(chromium, viz.page(error.value.graph, tmp_path / "page.html"))
    assert "None: this operation raised, and the run ended." in page.panel
    assert page.find("#now .what").text.endswith("raised")
    assert page.find("#panel mark").text == "np.tanh(x) @ np.ones((7, 7))"
    assert chromium.get_log("browser") == []
