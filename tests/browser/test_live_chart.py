"""The live chart in a real browser: what a reader did to it outlives every update.

Looks at a small app of its own, so it knows nothing of the dashboard's pages.
"""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from dashboard.components.live_chart import ensure_plotly_js
from dashboard.curves.figure import Average

pytestmark = pytest.mark.browser

# A page with two charts in a fragment that adds a point each 0.3 s, one with a chart that stands still, and one whose
# lines, measured and averaged, go on with what a feed hears.
APP = """
import math
from pathlib import Path

import streamlit as st

from dashboard.curves.figure import Average
from dashboard.components.live_chart import ensure_plotly_js, live_chart

ensure_plotly_js(Path(__file__).parent / "static")


def loss(num_points, name):
    steps = list(range(num_points))
    line = {"type": "scatter", "mode": "lines", "uid": name, "name": name, "x": steps}
    line["y"] = [math.nan if step == 3 else 2.3 * math.exp(-step / 20) for step in steps]
    return {"data": [line], "layout": {"showlegend": True, "xaxis": {"title": {"text": "step"}}}}


def live():
    smooth = st.toggle("Smooth")

    @st.fragment(run_every=0.3)
    def curves():
        blink = st.toggle("Blink")
        num_points = st.session_state["num_points"] = st.session_state.get("num_points", 30) + 1
        if blink and num_points % 4 == 0:
            return
        first = loss(num_points, "<b>bold</b> & <a href='https://example.org'>link</a>")
        if smooth:
            first["layout"]["yaxis"] = {"title": {"text": "smoothed loss"}, "type": "log"}
            first["data"].append({**first["data"][0], "uid": "smooth", "name": "smooth"})
        live_chart(first, key="first", title="First loss", alt="Loss of the first run")
        live_chart(loss(num_points, "second"), key="second", title="Second", alt="Loss of the second run", height=240)

    curves()


def still():
    live_chart(loss(30, "still"), key="still", title="Still", alt="Loss of a finished run")


def fed():
    source = {"run": "a", "kind": "step", "metric": "loss", "position": "step", "scale": 2, "seq": 30}
    average = {"weight": 0.9, "total": 3.0, "count": 2.0, "epoch": 3.0}
    line = {"type": "scatter", "mode": "lines", "x": [14.5, 15], "y": [1.5, 1.5]}
    averaged = {**line, "uid": "averaged", "meta": {**source, "average": average}}
    lines = [{**line, "uid": "measured", "meta": source}, averaged, {**line, "uid": "alone"}]
    live_chart({"data": lines, "layout": {}}, key="fed", title="Fed", alt="Loss of a run that trains")


pages = [
    st.Page(live, title="Live", default=True),
    st.Page(still, title="Still", url_path="still"),
    st.Page(fed, title="Fed", url_path="fed"),
]
st.navigation(pages).run()
"""


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("app") / "app.py"
    path.write_text(APP, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def app_url(serve_app: Callable[..., str], script: Path) -> str:
    return serve_app(script, cwd=script.parent)


@pytest.fixture
def first(page: Page, app_url: str) -> Locator:
    page.goto(app_url)
    return _chart(page, "Loss of the first run")


def _chart(page: Page, alt: str) -> Locator:
    """The node of a chart, once something is drawn in it."""
    chart = page.get_by_role("figure", name=alt, exact=True)
    expect(chart.locator(".main-svg").first).to_be_visible()
    return chart


def _num_points(chart: Locator) -> int:
    return int(chart.evaluate("node => node.data[0].x.length"))


def _x_range(chart: Locator) -> list[float]:
    return [float(end) for end in chart.evaluate("node => node.layout.xaxis.range")]


# Asked in one call: between two, the next point may arrive.
_SHOWS_ALL_POINTS = "node => node.layout.xaxis.range[1] === node.data[0].x.at(-1)"


def _wait_for_all_points(chart: Locator) -> None:
    chart.page.wait_for_function(_SHOWS_ALL_POINTS, arg=chart.element_handle())


def _wait_for_updates(chart: Locator, count: int) -> None:
    enough = "([node, length]) => node.data[0].x.length >= length"
    chart.page.wait_for_function(enough, arg=[chart.element_handle(), _num_points(chart) + count])


def _press_and_drag(chart: Locator) -> None:
    """Draw a zoom box over part of the lines, and keep the button pressed."""
    box = chart.bounding_box()
    assert box is not None
    mouse = chart.page.mouse
    mouse.move(box["x"] + 0.3 * box["width"], box["y"] + 0.4 * box["height"])
    mouse.down()
    mouse.move(box["x"] + 0.6 * box["width"], box["y"] + 0.7 * box["height"], steps=5)


def _zoom(chart: Locator) -> list[float]:
    """Zoom with the mouse, as a reader does; returns the range that this gave."""
    before = _x_range(chart)
    _press_and_drag(chart)
    chart.page.mouse.up()
    inside = "([node, [low, high]]) => low < node.layout.xaxis.range[0] && node.layout.xaxis.range[1] < high"
    chart.page.wait_for_function(inside, arg=[chart.element_handle(), before])
    return _x_range(chart)


def _tag(chart: Locator) -> None:
    chart.evaluate("node => { node.tagged = node.querySelector('.main-svg').tagged = true }")


def _is_tagged(chart: Locator) -> bool:
    return bool(chart.evaluate("node => node.tagged && node.querySelector('.main-svg').tagged"))


def test_node_and_zoom_survive_updates(page: Page, first: Locator, page_errors: list[str]) -> None:
    second = _chart(page, "Loss of the second run")
    _tag(first)
    _tag(second)
    zoomed = _zoom(first)

    _wait_for_updates(first, 12)

    assert _is_tagged(first)
    assert _is_tagged(second)
    assert _x_range(first) == zoomed
    _wait_for_all_points(second)  # the chart that nobody zoomed follows its data
    _wait_for_updates(second, 3)
    assert page.locator("script[src*='plotly.min.js']").count() == 1
    assert page_errors == []


def test_reset_lets_go_of_the_zoom(first: Locator) -> None:
    _zoom(first)
    assert not first.evaluate(_SHOWS_ALL_POINTS)
    first.locator(".modebar-btn[data-title='Reset axes']").click()
    _wait_for_updates(first, 3)
    _wait_for_all_points(first)


def test_axis_stands_still_while_a_box_is_drawn(page: Page, first: Locator) -> None:
    second = _chart(page, "Loss of the second run")
    _press_and_drag(first)
    held = _num_points(first)
    _wait_for_updates(second, 3)
    assert _num_points(first) == held
    page.mouse.up()
    _wait_for_updates(first, 3)


def test_changed_layout_keeps_the_node(page: Page, first: Locator, page_errors: list[str]) -> None:
    _tag(first)
    zoomed = _zoom(first)
    toggle = page.get_by_text("Smooth", exact=True)
    toggle.click()
    expect(first.locator(".ytitle")).to_have_text("smoothed loss")
    assert _is_tagged(first)
    assert _x_range(first) == zoomed
    toggle.click()
    expect(first.locator(".ytitle")).to_have_count(0)
    assert _is_tagged(first)
    assert _x_range(first) == zoomed
    assert page_errors == []


def test_chart_taken_away_for_a_moment_comes_back_as_it_was(page: Page, first: Locator, page_errors: list[str]) -> None:
    _tag(first)
    first.evaluate("node => { node.parentElement.tagged = true }")
    zoomed = _zoom(first)
    node = first.element_handle()
    page.get_by_text("Blink", exact=True).click()
    page.wait_for_function("node => node.isConnected && !node.parentElement.tagged", arg=node)
    _wait_for_updates(first, 6)
    assert _is_tagged(first)
    assert _x_range(first) == zoomed
    assert page_errors == []


def test_lines_go_on_with_what_the_feed_hears(page: Page, app_url: str, page_errors: list[str]) -> None:
    page.goto(f"{app_url}/fed")
    chart = _chart(page, "Loss of a run that trains")
    heard = [
        {"seq": 30, "kind": "step", "step": 30, "epoch": 3.0, "metrics": {"loss": 9.0}},  # drawn already
        {"seq": 31, "kind": "step", "step": 32, "epoch": 3.2, "metrics": {"loss": 4.0}},
        {"seq": 32, "kind": "epoch", "step": 32, "epoch": 3.2, "metrics": {"loss": 9.0}},
        {"seq": 33, "kind": "step", "step": 34, "epoch": 3.4, "metrics": {"loss": 2.0, "accuracy": 0.5}},
        {"seq": 34, "kind": "step", "step": 36, "epoch": 3.6, "metrics": {"accuracy": 0.5}},
    ]
    hear = "points => { window.liveFeed = { points: { a: points } }; window.dispatchEvent(new Event('live-points')) }"
    for count in (2, 5, 5):  # each time all that was heard since the figure was made
        page.evaluate(hear, heard[:count])
    measured, averaged, alone = chart.evaluate("node => node.data.map(({ x, y }) => [x, y])")
    assert measured == [[14.5, 15, 16, 17], [1.5, 1.5, 4.0, 2.0]]
    average = Average(0.9, total=3.0, count=2.0, epoch=3.0)
    assert averaged[1] == pytest.approx([1.5, 1.5, average.add(4.0, 3.2), average.add(2.0, 3.4)])
    assert alone == [[14.5, 15], [1.5, 1.5]]
    assert page_errors == []


def test_hidden_trace_stays_hidden(first: Locator) -> None:
    first.locator(".legendtoggle").first.click()
    expect(first.locator(".scatterlayer .trace")).to_have_count(0)
    _wait_for_updates(first, 3)
    expect(first.locator(".scatterlayer .trace")).to_have_count(0)


def test_markup_in_a_name_shows_literally(first: Locator) -> None:
    legend = first.locator(".legendtext")
    expect(legend).to_have_text("<b>bold</b> & <a href='https://example.org'>link</a>")
    assert first.locator("a[href*='example.org']").count() == 0


def test_theme_switch_recolours_in_place(page: Page, app_url: str, page_errors: list[str]) -> None:
    page.emulate_media(color_scheme="light")
    page.goto(app_url)
    chart = _chart(page, "Loss of the first run")
    _tag(chart)
    zoomed = _zoom(chart)
    light = chart.locator(".legendtext").evaluate("text => getComputedStyle(text).fill")

    page.emulate_media(color_scheme="dark")

    expect(chart.locator(".legendtext")).not_to_have_css("fill", light)
    assert _is_tagged(chart)
    assert _x_range(chart) == zoomed
    assert page_errors == []


def test_it_is_saved_under_its_title(page: Page, first: Locator) -> None:
    expect(first).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("group", name="Save First loss").get_by_role("button", name="PNG").click()
    assert download.value.suggested_filename == "First-loss.png"
    assert download.value.path().read_bytes().startswith(b"\x89PNG")


def test_width_follows_the_window(page: Page, first: Locator) -> None:
    drawing = "node => node.querySelector('.main-svg').clientWidth === node.clientWidth"
    page.set_viewport_size({"width": 700, "height": 900})
    page.wait_for_function(drawing, arg=first.element_handle())
    box = first.bounding_box()
    assert box is not None
    assert box["width"] < 700


def test_leaving_the_page_frees_the_chart(page: Page, first: Locator, page_errors: list[str]) -> None:
    node = first.evaluate_handle("node => node")
    page.get_by_role("link", name="Still").click()
    _chart(page, "Loss of a finished run")
    page.wait_for_function("node => !node.isConnected && !node.data", arg=node)
    assert page_errors == []


def test_opens_on_a_page_below_a_base_path(
    page: Page, serve_app: Callable[..., str], script: Path, page_errors: list[str]
) -> None:
    url = serve_app(script, cwd=script.parent, base_path="/class/lab")
    page.goto(f"{url}/still")
    chart = _chart(page, "Loss of a finished run")
    assert _num_points(chart) == 30
    assert page_errors == []


@pytest.mark.parametrize("answer", ["nothing", "a page"])
def test_missing_library_is_said_in_the_chart_s_place(page: Page, app_url: str, answer: str) -> None:
    def handle(route: Route) -> None:
        if answer == "nothing":
            route.abort()
        else:
            route.fulfill(content_type="text/html", body="<!DOCTYPE html>")

    page.route("**/plotly.min.js*", handle)
    page.goto(f"{app_url}/still")
    expect(page.get_by_role("alert").filter(has_text="reload this page")).to_be_visible()


def test_plotly_js_is_copied_once_and_renewed(tmp_path: Path) -> None:
    static = tmp_path / "static"
    ensure_plotly_js(static)
    script = static / "plotly.min.js"
    first = script.stat()
    assert script.read_bytes().startswith(b"/**\n* plotly.js")

    ensure_plotly_js(static)
    assert script.stat().st_ino == first.st_ino

    script.write_text("an older version")
    ensure_plotly_js(static)
    assert script.stat().st_size == first.st_size
    assert [path.name for path in static.iterdir()] == ["plotly.min.js"]
