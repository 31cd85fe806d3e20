"""The gallery in a headless Chromium, from the file system: its pages, what moves on them, the way to the explorer."""

import json
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from viz.gallery import build
from viz.gallery.attending import attending
from viz.gallery.experiments import clipping, echoes, leaking, skipping, spectral_radius
from viz.gallery.forcing import forcing
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
    Topic("lags", "Lags", "Of lags.", extras=(spectral_radius, skipping, echoes)),
    Topic("forcing", "Forcing", "Of feeding.", extras=(forcing,)),
    Topic("attention", "Attention", "Of weights.", extras=(attending,)),
    Topic("tree", "A tree", "Without time.", models={"recursive": "A model"}),
    Topic("broken", "Broken", "It fails.", extras=(failing,)),
)


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("gallery")
    build(folder, topics=TOPICS, steps=2, claims=())
    return folder


class Site:
    """The gallery in the browser."""

    def __init__(self, chromium: Any, out: Path) -> None:
        self.chromium, self.out = chromium, out

    def open(self, file: str) -> None:
        self.chromium.get("about:blank")
        self.chromium.get((self.out / file).as_uri())

    @property
    def pages(self) -> list[str]:
        """All of them, also the explorers."""
        return sorted(str(file.relative_to(self.out)) for file in self.out.rglob("*.html"))

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


@pytest.mark.parametrize(
    ("plot", "label", "setting"),
    [
        ("leaky.html#time-scale", "Time scale α", "α = 4"),
        ("cliff.html#cliff", "Threshold v", "v = 0.3"),
        ("lags.html#spectral-radius", "Spectral radius of W", "ρ = 1.00"),
        ("lags.html#distance", "Length d", "d = 5"),
        ("lags.html#echoes", "Spectral radius of W", "ρ = 0.9"),
    ],
)
def test_an_arrow_key_on_a_slider_moves_the_curve_and_says_what_is_set(
    site: Site, plot: str, label: str, setting: str
) -> None:
    from selenium.webdriver.common.keys import Keys

    file, _, section = plot.partition("#")
    site.open(file)

    def find(selector: str) -> Any:
        return site.find(f"#{section} .moving {selector}")

    def shown() -> list[str]:
        return [find("svg g polyline").get_attribute("points"), find("output").text, find("figcaption").text]

    slider, before = find("input"), shown()
    assert slider.accessible_name.startswith(label)
    assert before[1] == slider.get_attribute("aria-valuetext") == setting
    slider.send_keys(Keys.ARROW_RIGHT)
    after = shown()
    assert not set(before) & set(after)
    assert slider.get_attribute("aria-valuetext") == after[1]
    slider.send_keys(Keys.ARROW_LEFT)
    assert shown() == before


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


# -- teacher forcing, on and off ---------------------------------------------------------------------------


def test_the_switch_shows_the_other_diagrams_and_the_other_run_by_keys_alone(site: Site) -> None:
    from selenium.webdriver.common.keys import Keys

    site.open("forcing.html")

    def shown() -> list[list[str]]:
        (state,) = (state for state in site.all(".switch [data-state]") if state.is_displayed())
        pictures = [picture.get_attribute("src") for picture in state.find_elements("css selector", "img")]
        run = state.find_element("css selector", "polyline.main").get_attribute("points")
        return [[state.get_attribute("data-state"), *pictures, run]]

    on = shown()
    assert site.find(".switch fieldset").accessible_name == "Teacher forcing"
    site.find(".switch input:checked").send_keys(Keys.ARROW_RIGHT)
    off = shown()
    assert [on[0][0], off[0][0]] == ["on", "off"]
    assert not set(on[0]) & set(off[0])
    site.find(".switch input:checked").send_keys(Keys.ARROW_LEFT)
    assert shown() == on


def test_no_gradient_of_the_last_loss_reaches_an_earlier_step_when_forced_and_every_step_when_not(site: Site) -> None:
    site.open("forcing.html")
    norms = {}
    for state in site.all(".switch [data-state]"):
        caption = site.js("return arguments[0].querySelector('.diagram figcaption').textContent", state)
        norms[state.get_attribute("data-state")] = [
            float(x) for x in caption.rpartition(": ")[2].rstrip(".").split(",")
        ]
    assert norms["on"][:4] == [0, 0, 0, 0] < norms["on"][4:]
    assert all(norm > 0 for norm in norms["off"])


def test_in_print_both_states_are_shown_and_no_switch(site: Site) -> None:
    site.open("forcing.html")
    site.chromium.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    assert [state.is_displayed() for state in site.all(".switch [data-state]")] == [True, True]
    assert not site.find(".switch fieldset").is_displayed()
    site.chromium.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})


# -- attention ---------------------------------------------------------------------------------------------


def test_a_cell_of_the_attention_weights_marks_its_arrow_by_touch_and_by_key(site: Site) -> None:
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys

    def press(key: str) -> None:
        ActionChains(site.chromium).send_keys(key).perform()

    site.open("attention.html")
    cells = site.all(".attending button")
    assert len(cells) == 36
    keys = (Keys.ARROW_RIGHT, Keys.ARROW_DOWN, Keys.ARROW_LEFT, Keys.ARROW_UP)
    ways = [(7, cells[7].click), *zip((8, 14, 13, 7), [lambda key=key: press(key) for key in keys], strict=True)]
    for place, choose in ways:
        choose()
        (marked,) = site.all(".attending button.marked")
        (arrow,) = site.all(".attending g.edge.marked")
        assert marked == cells[place]
        for end in ("data-from", "data-to"):
            assert arrow.get_attribute(end) == marked.get_attribute(end)
        assert arrow.text in marked.text
    press(Keys.TAB)
    assert site.js("return document.activeElement.matches('.attending button')") is False  # past them all


def test_on_a_phone_the_end_of_the_marked_arrow_is_in_sight(site: Site) -> None:
    site.window(390)
    site.open("attention.html")
    for place in (5, 30, 35):
        site.js("arguments[0].focus({preventScroll: true})", site.all(".attending button")[place])
        window, head = site.js(
            "const arrow = document.querySelector('.attending g.edge.marked polygon');"
            "return [arrow.closest('.scrolls'), arrow].map(e => e.getBoundingClientRect().toJSON())"
        )
        assert window["left"] <= head["left"] <= head["right"] <= window["right"]


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


def test_an_explorer_leads_back_to_the_page_that_it_was_opened_from(site: Site) -> None:
    site.open("leaky.html")
    site.find("#leaky p a").click()
    site.find("nav a").click()
    assert site.find("h1").text == "Leaky"


def test_every_link_leads_to_a_page_and_to_a_place_that_is_there(site: Site) -> None:
    found = {page: set(site.js("return [...document.links].map(a => a.href)")) for page in opened(site)}
    assert min(len(links) for page, links in found.items() if "/" not in page) >= 2
    for page, links in found.items():
        for link in links:
            file = Path(unquote(urlsplit(link).path))
            text = file.read_text()
            place = unquote(urlsplit(link).fragment)
            if moment := re.fullmatch(r"moment=(\d+)", place):
                data = json.loads(text.partition('id="data">')[2].partition("</script>")[0])
                assert int(moment[1]) < len(data["moments"]), f"{page}: {link}"
            else:
                assert not place or f'id="{place}"' in text, f"{page}: {link}"


def opened(site: Site) -> Iterator[str]:
    """All pages, one after the other."""
    for page in site.pages:
        site.open(page)
        yield page


@pytest.mark.parametrize("width", [390, 1280])
def test_no_page_is_wider_than_the_window(site: Site, width: int) -> None:
    site.window(width)
    widths = {page: site.js("return document.documentElement.scrollWidth") for page in opened(site)}
    assert {page: found for page, found in widths.items() if found > width} == {}


def test_headings_go_down_by_one_and_every_picture_and_every_control_has_words(site: Site) -> None:
    for page in opened(site):
        levels = [int(heading.tag_name[1]) for heading in site.all("h1, h2, h3, h4")]
        assert levels[0] == 1, page
        assert all(lower <= upper + 1 for upper, lower in pairwise(levels)), page
        assert site.js("return [...document.images].filter(i => !i.alt && !i.closest('a')).length") == 0, page
        assert all(control.accessible_name for control in site.all("input") if control.is_displayed()), page


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_what_is_behind_it_by_4_5_to_1(site: Site, scheme: str) -> None:
    site.window(scheme=scheme)
    for page in ("index.html", "leaky.html", "attention.html", "forcing.html", "leaky/leaky.html"):
        site.open(page)
        assert site.js(CONTRAST) == [], page


CONTRAST = """
const canvas = new OffscreenCanvas(1, 1).getContext("2d", {willReadFrequently: true});
const over = (colour, below) => {
  canvas.fillStyle = below; canvas.fillRect(0, 0, 1, 1);
  canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
  return `rgb(${[...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3)})`;
};
const light = (colour) => colour.match(/\\d+/g).map((part) => part / 255)
  .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
  .reduce((sum, part, i) => sum + part * [0.2126, 0.7152, 0.0722][i], 0);
const ground = (element) =>
  element ? over(getComputedStyle(element).backgroundColor, ground(element.parentElement)) : "rgb(255,255,255)";
const weak = [];
for (const element of document.querySelectorAll("body :not(script, style, svg *)")) {
  const says = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
  if (!says || !element.checkVisibility()) continue;
  const behind = ground(element), front = over(getComputedStyle(element).color, behind);
  const [low, high] = [light(behind), light(front)].sort((a, b) => a - b);
  if ((high + 0.05) / (low + 0.05) < 4.5) weak.push(`${element.textContent.slice(0, 40)}: ${front} on ${behind}`);
}
return weak;
"""


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
