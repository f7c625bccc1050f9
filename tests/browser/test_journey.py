"""The main job in a real browser: press one button, watch three models train, compare them, see what they look at.

Uses the whole dashboard with real workers; knows pages only by what a person sees on them.
"""

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import Locator, Page, expect

from deit_core.runs import Status, open_store, workers_here

ROOT = Path(__file__).resolve().parents[2]

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]


class Dashboard:
    """The real dashboard, which can be ended and started again at the same address, with a store to look into."""

    def __init__(self, serve_app: Callable[..., str], folder: Path) -> None:
        self._serve_app = serve_app
        self._env = {
            "DEIT_RUNS_DIR": str(folder / "runs"),
            "DEIT_DATA_DIR": str(folder / "data"),
            "DEIT_WORKERS": "1",
        }
        self.runs_dir = folder / "runs"
        self.store = open_store(f"sqlite:///{self.runs_dir / 'runs.sqlite'}")
        self.url = serve_app(ROOT / "dashboard" / "app.py", env=self._env)

    def end(self) -> None:
        self._serve_app.end(self.url)  # type: ignore[attr-defined]

    def said(self) -> str:
        """What it wrote into its terminal."""
        return self._serve_app.said(self.url)  # type: ignore[attr-defined, no-any-return]

    def start_again(self) -> None:
        port = int(self.url.rsplit(":", 1)[1])
        self._serve_app(ROOT / "dashboard" / "app.py", env=self._env, port=port)


@pytest.fixture(scope="module")
def dashboard(serve_app: Callable[..., str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    dashboard = Dashboard(serve_app, tmp_path_factory.mktemp("dashboard"))
    yield dashboard
    for _, pid, _ in workers_here(dashboard.store):
        psutil.Process(pid).kill()


def chart(page: Page, title: str) -> Locator:
    """The node of a live chart, once something is drawn in it."""
    node = page.locator(f'[role="img"][aria-label^="{title} of the runs"]')
    expect(node.locator(".main-svg").first).to_be_visible(timeout=60_000)
    return node


def x_range(chart: Locator) -> list[float]:
    return [float(end) for end in chart.evaluate("node => node.layout.xaxis.range")]


def statuses(dashboard: Dashboard) -> dict[str, Status]:
    return {run.name: run.status for run in dashboard.store.runs()}


def wait_until(page: Page, condition: object, timeout_s: float = 240.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline, "it took too long"
        page.wait_for_timeout(200)


def test_one_button_trains_three_models_and_nothing_disturbs_them(
    dashboard: Dashboard, page: Page, page_errors: list[str]
) -> None:
    page.goto(dashboard.url)
    page.get_by_role("button", name="Start all 3 runs").click()
    page.get_by_role("link", name="Watch on the Runs page").click()
    expect(page.get_by_role("heading", name="Runs")).to_be_visible()
    for name in ("1 teacher", "2 vit", "3 deit"):
        expect(page.get_by_text(name, exact=True).first).to_be_visible(timeout=30_000)
    assert list(statuses(dashboard)) == ["deit", "vit", "teacher"]

    # The ViT trains for some twenty seconds: zoom into its curve as a reader does, and watch ten updates go by.
    wait_until(page, lambda: statuses(dashboard)["vit"] == Status.RUNNING)
    loss = chart(page, "Loss")
    loss.scroll_into_view_if_needed()
    box = loss.bounding_box()
    assert box is not None
    before = x_range(loss)
    page.mouse.move(box["x"] + 0.3 * box["width"], box["y"] + 0.4 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.6 * box["width"], box["y"] + 0.7 * box["height"], steps=5)
    page.mouse.up()
    wait_until(page, lambda: x_range(loss) != before)
    zoomed = x_range(loss)
    loss.evaluate("node => { node.mark = 'it'; node.seen = 0; node.on('plotly_react', () => node.seen++); }")
    page.wait_for_function("node => node.seen >= 10", arg=loss.element_handle(), timeout=60_000)
    again = chart(page, "Loss")
    assert again.evaluate("node => node.mark") == "it"
    assert x_range(again) == zoomed

    # Reload the page, and restart the dashboard's process in the middle: the runs go on, and the page finds them.
    page.reload()
    chart(page, "Loss")
    workers = workers_here(dashboard.store)
    assert len(workers) == 1
    assert page_errors == []
    dashboard.end()
    active = [run for run in dashboard.store.runs() if run.status == Status.RUNNING]
    assert len(active) == 1, "a run is under way while the dashboard is down"
    before = active[0].number, active[0].step
    wait_until(page, lambda: max((r.number, r.step) for r in dashboard.store.runs() if r.started_at) > before)
    dashboard.start_again()
    page.goto(f"{dashboard.url}/runs")
    chart(page, "Accuracy")
    page_errors.clear()  # the old page had complained of the missing server, as it should
    assert not workers_here(dashboard.store) or workers_here(dashboard.store) == workers
    wait_until(page, lambda: set(statuses(dashboard).values()) == {Status.COMPLETED})
    expect(page.get_by_text("of the test images right").first).to_be_visible(timeout=30_000)
    runs = {run.name: run for run in dashboard.store.runs()}
    assert runs["teacher"].finished_at < runs["vit"].finished_at < runs["deit"].finished_at  # type: ignore[operator]
    assert page_errors == []
    lines = {line.strip() for line in dashboard.said().splitlines()} - {""}
    assert lines <= {"You can now view your Streamlit app in your browser.", f"URL: {dashboard.url}"}


def test_compare_shows_vit_and_deit(dashboard: Dashboard, page: Page, page_errors: list[str]) -> None:
    page.goto(f"{dashboard.url}/compare")
    expect(page.get_by_role("heading", name="Compare")).to_be_visible(timeout=30_000)
    expect(page.locator(".js-plotly-plot .main-svg").first).to_be_visible(timeout=30_000)
    for name in ("vit", "deit"):
        expect(page.get_by_text(name).first).to_be_visible()
    expect(page.get_by_text("distillation").first).to_be_visible()
    assert page_errors == []


def pictures(page: Page) -> str:
    """What the pictures of the page are made of; changes with any of them."""
    sources = page.locator(".table img").evaluate_all("nodes => nodes.map(node => node.src)")
    return json.dumps(sources)


def settled(page: Page) -> str:
    page.wait_for_timeout(400)
    expect(page.locator('[data-testid="stStatusWidget"]')).to_have_count(0, timeout=60_000)
    page.wait_for_timeout(400)
    return pictures(page)


def changed(page: Page, before: str) -> str:
    wait_until(page, lambda: pictures(page) != before, timeout_s=30)
    return settled(page)


def test_the_map_changes_with_layers_aggregation_discard_ratio_and_queried_patch(
    dashboard: Dashboard, page: Page, page_errors: list[str]
) -> None:
    page.goto(f"{dashboard.url}/attention")
    expect(page.locator(".table img").first).to_be_visible(timeout=60_000)
    shown = settled(page)
    page.get_by_role("combobox", name="Head aggregation").click()
    page.get_by_role("option", name="max").click()
    shown = changed(page, shown)
    discard, first_layer = (
        page.get_by_role("slider", name="Discard ratio"),
        page.get_by_role("slider", name="Layers").first,
    )
    for slider, steps in ((discard, 40), (first_layer, 2)):
        slider.focus()
        for _ in range(steps):
            slider.press("ArrowRight")
        shown = changed(page, shown)

    vit = page.get_by_role("application", name="Attention over the picture").first
    vit.click(position={"x": 5, "y": 5})
    shown = changed(page, shown)
    expect(page.get_by_role("spinbutton", name="Row")).to_have_value("1")
    expect(page.get_by_role("spinbutton", name="Column")).to_have_value("1")
    page.reload()
    expect(page.locator(".table img").first).to_be_visible(timeout=60_000)
    assert settled(page) == shown, "the address carries the patch"
    assert page_errors == []


def test_a_click_on_a_head_follows_it_whatever_the_method_was(
    dashboard: Dashboard, page: Page, page_errors: list[str]
) -> None:
    page.goto(f"{dashboard.url}/attention?att_method=Last-layer+attention&att_closer=Heads")
    head = page.get_by_role("button", name="Attention of head 2 in layer 3")
    expect(head).to_be_visible(timeout=60_000)
    shown = settled(page)
    head.click()
    shown = changed(page, shown)
    expect(head).to_have_attribute("aria-current", "true")
    page.reload()
    expect(head).to_have_attribute("aria-current", "true", timeout=60_000)
    assert settled(page) == shown
    assert page_errors == []


def test_an_upload_that_is_no_image_is_one_sentence(dashboard: Dashboard, page: Page, tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("no image")
    page.goto(f"{dashboard.url}/attention")
    page.get_by_text("Upload", exact=True).click()
    page.locator('input[type="file"]').set_input_files(tmp_path / "text.png")
    expect(page.get_by_text("This file is no image that can be read")).to_be_visible(timeout=30_000)
    expect(page.get_by_text("Traceback")).to_have_count(0)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_a_killed_worker_reads_interrupted_on_the_page_and_resumes(dashboard: Dashboard, page: Page) -> None:
    page.goto(f"{dashboard.url}/?preset=smoke")
    page.get_by_role("button", name="Start this run").click()
    wait_until(page, lambda: bool(workers_here(dashboard.store)))
    page.goto(f"{dashboard.url}/runs")
    for _, pid, _ in workers_here(dashboard.store):
        os.kill(pid, signal.SIGKILL)
    killed_at = time.monotonic()
    run_id = dashboard.store.runs()[0].id
    expect(page.get_by_text("interrupted").first).to_be_visible(timeout=15_000)
    assert time.monotonic() - killed_at < 15
    page.locator(f".st-key-Resume-{run_id} button").click()
    wait_until(page, lambda: dashboard.store.run(run_id).status == Status.COMPLETED)
