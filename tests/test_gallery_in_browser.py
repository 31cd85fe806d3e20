"""The gallery in a headless Chromium, from the file system: its pages, what moves on them, the way to the explorer."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from viz.gallery import build
from viz.gallery.attending import attending
from viz.gallery.experiments import clipping, leaking
from viz.gallery.sections import Section, Work
from viz.gallery.topics import Topic
from zoo import cliff

for package in ("jinja2", "latex2mathml", "matplotlib", "pygments"):
    pytest.importorskip(package)


def failing(work: Work) -> Section:
    raise ZeroDivisionError("<script>document.title = 'broken'</script>")


TOPICS = (
    Topic("leaky", "Leaky", "Of α.", models={"leaky": "A model"}, extras=(leaking,)),
    Topic("cliff", "The cliff", "Of v.", extras=(clipping,), code=(cliff,)),
    Topic("attention", "Attention", "Of weights.", extras=(attending,)),
    Topic("tree", "A tree", "Without time.", models={"recursive": "A model"}),
    Topic("broken", "Broken", "It fails.", extras=(failing,)),
)


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("gallery")
    build(folder, topics=TOPICS, steps=2, claims=folder / "none.json")
    return folder


class Site:
    """The gallery in the browser."""

    def __init__(self, chromium: Any, out: Path) -> None:
        self.chromium, self.out = chromium, out

    def open(self, file: str) -> None:
        self.chromium.get("about:blank")
        self.chromium.get((self.out / file).as_uri())

    def js(self, script: str, *arguments: Any) -> Any:
        return self.chromium.execute_script(script, *arguments)

    def find(self, selector: str) -> Any:
        return self.chromium.find_element("css selector", selector)

    def all(self, selector: str) -> list[Any]:
        return self.chromium.find_elements("css selector", selector)

    def window(self, width: int = 1280, scheme: str = "light") -> None:
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        self.chromium.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.chromium.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})


@pytest.fixture
def site(chromium: Any, out: Path) -> Iterator[Site]:
    chromium.get_log("browser")
    gallery = Site(chromium, out)
    yield gallery
    chromium.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    chromium.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    assert chromium.get_log("browser") == []


def test_every_page_opens_from_the_index_with_all_its_pictures_and_leads_back(site: Site) -> None:
    for topic in TOPICS:
        site.open("index.html")
        site.find(f"a[href='{topic.name}.html']").click()
        assert site.find("h1").text == topic.title
        assert site.js("return [...document.images].every(image => image.complete && image.naturalWidth > 0)")
        site.find("nav.around a[href='index.html']").click()
        assert len(site.all("ol.topics li")) == len(TOPICS)


def test_the_pages_follow_one_another(site: Site) -> None:
    site.open("leaky.html")
    seen = [site.find("h1").text]
    while following := site.all("nav.around a[rel=next]"):
        following[0].click()
        seen.append(site.find("h1").text)
    assert seen == [topic.title for topic in TOPICS]


def test_a_page_that_failed_shows_the_reason_and_runs_nothing(site: Site) -> None:
    site.open("broken.html")
    assert "ZeroDivisionError: <script>" in site.find("pre").text
    assert site.js("return document.title") == "Broken · tinygrad_rnn"


@pytest.mark.parametrize(("file", "setting"), [("leaky.html", "α = 4"), ("cliff.html", "v = 0.3")])
def test_an_arrow_key_on_a_slider_moves_the_curve_and_says_what_is_set(site: Site, file: str, setting: str) -> None:
    from selenium.webdriver.common.keys import Keys

    site.open(file)
    slider, curve = site.find(".moving input"), site.find(".moving > svg g polyline")
    before = [curve.get_attribute("points"), site.find("output").text, site.find(".moving figcaption").text]
    assert before[1] == slider.get_attribute("aria-valuetext") == setting
    slider.send_keys(Keys.ARROW_RIGHT)
    after = [curve.get_attribute("points"), site.find("output").text, site.find(".moving figcaption").text]
    assert not set(before) & set(after)
    slider.send_keys(Keys.ARROW_LEFT)
    assert [curve.get_attribute("points"), site.find("output").text, site.find(".moving figcaption").text] == before


def test_the_first_frame_is_there_without_a_script_and_the_same_with_it(site: Site, out: Path) -> None:
    site.open("leaky.html")
    for curve in site.all(".moving > svg g polyline"):
        assert f'points="{curve.get_attribute("points")}"' in (out / "leaky.html").read_text()


def test_a_larger_time_scale_lets_more_of_the_gradient_through(site: Site) -> None:
    site.open("leaky.html")
    ends = []
    for place in (0, 5, 12):
        slider = site.find(".moving input")
        site.js("arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('input'))", slider, place)
        points = site.find(".moving > svg g polyline").get_attribute("points")
        ends.append(float(points.split(",")[-1]))
    assert ends == sorted(ends, reverse=True)  # upward
    assert ends[0] > 312 > ends[-1]  # below the frame, and in it


def test_a_cell_of_the_attention_weights_marks_its_arrow_by_touch_and_by_key(site: Site) -> None:
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys

    site.open("attention.html")
    cells = site.all(".attending button")
    assert len(cells) == 36
    for choose in (cells[7].click, lambda: ActionChains(site.chromium).send_keys(Keys.TAB).perform()):
        choose()
        (marked,) = site.all(".attending button.marked")
        (arrow,) = site.all(".attending g.edge.marked")
        for end in ("data-from", "data-to"):
            assert arrow.get_attribute(end) == marked.get_attribute(end)
        assert arrow.text in marked.text
    assert marked == cells[8]


def test_every_cell_of_the_attention_weights_has_an_arrow(site: Site) -> None:
    site.open("attention.html")
    assert site.js(
        "return [...document.querySelectorAll('.attending button')].every(({dataset: d}) =>"
        " document.querySelector(`.attending g.edge[data-from='${d.from}'][data-to='${d.to}']`))"
    )


def test_the_explorer_opens_and_a_line_of_code_leads_to_what_it_made(site: Site) -> None:
    site.open("leaky.html")
    site.find("#leaky p a").click()
    assert site.find("#player") is not None
    site.open("leaky.html")
    link = site.find("a.line[aria-label^='h⁽¹⁾']")
    site.js("arguments[0].scrollIntoView({block: 'center'})", link)
    link.click()
    assert site.find("#panel").text.startswith("h⁽¹⁾")


@pytest.mark.parametrize("topic", [topic.name for topic in TOPICS] + ["index"])
def test_a_page_is_no_wider_than_the_window(site: Site, topic: str) -> None:
    for width in (380, 1280):
        site.window(width)
        site.open(f"{topic}.html")
        assert site.js("return document.documentElement.scrollWidth") <= width


def test_dark_is_dark_and_shows_the_dark_pictures(site: Site) -> None:
    shades = []
    for scheme in ("light", "dark"):
        site.window(scheme=scheme)
        site.open("leaky.html")
        shades.append(site.js("return getComputedStyle(document.body).backgroundColor"))
        shown = site.js("return [...document.images].map(image => image.currentSrc)")
        assert shown
        assert all(source.endswith(f"-{scheme}.svg") for source in shown)
    assert shades == ["rgb(255, 255, 255)", "rgb(22, 24, 29)"]
