"""The main job in a real browser: press one button, watch three models train, compare them, see what they look at.

Uses the whole dashboard with real workers; knows pages only by what a person sees on them.
"""

import contextlib
import json
import os
import re
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import Locator, Page, expect

from deit_core import presets
from deit_core.runs import LocalLauncher, Run, Status, open_store, queue, workers_here
from deit_core.settings import Settings
from deit_core.spec import parse_change, replace

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.browser

_TRAINING_S = 1200  # half a minute where nothing else computes
_SHORTER = "model.patch_size=4"  # a quarter of the students' tokens

WaitUntil = Callable[..., None]
Seen = Callable[..., Locator]


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

    def runs(self) -> dict[str, Run]:
        """By name."""
        return {run.name: run for run in self.store.runs()}

    def training(self) -> list[Run]:
        return [run for run in self.store.runs() if run.status == Status.RUNNING]


@pytest.fixture(scope="module")
def dashboard(serve_app: Callable[..., str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    dashboard = Dashboard(serve_app, tmp_path_factory.mktemp("dashboard"))
    yield dashboard
    for _, pid, _ in queue.registered_here(dashboard.store):
        with contextlib.suppress(psutil.NoSuchProcess):
            psutil.Process(pid).kill()


@pytest.fixture
def trained(dashboard: Dashboard, wait_until: WaitUntil) -> Dashboard:
    """With the three runs that the first test trains, also where it was not asked to."""
    store, runs_dir = dashboard.store, dashboard.runs_dir
    if not {"teacher", "vit", "deit"} <= {run.name for run in store.runs() if run.status == Status.COMPLETED}:
        launcher = LocalLauncher(store, Settings(store.database.url, runs_dir, runs_dir.parent / "data", num_workers=1))
        ids = launcher.submit(replace(presets.get("digits-quick"), dict([parse_change(_SHORTER)])))

        def is_over() -> bool:
            launcher.ensure_workers()
            return {run.status for run in store.runs(ids)} == {Status.COMPLETED}

        wait_until(is_over, _TRAINING_S)
    return dashboard


def chart(page: Page, title: str) -> Locator:
    """The node of a live chart, once something is drawn in it."""
    node = page.locator(f'[role="figure"][aria-label^="{title} of the runs"]')
    expect(node.locator(".main-svg").first).to_be_visible()
    return node


def x_range(chart: Locator) -> list[float]:
    return [float(end) for end in chart.evaluate("node => node.layout.xaxis.range")]


def zoom(page: Page, chart: Locator, wait_until: WaitUntil) -> list[float]:
    """Draw a box over part of the lines, once more where the page moved meanwhile; returns the range that this gave."""
    low, high = x_range(chart)

    def is_inside() -> bool:
        now = x_range(chart)
        return low < now[0] and now[1] < high

    def draw_a_box() -> None:
        chart.scroll_into_view_if_needed()
        box = chart.bounding_box()
        assert box is not None
        page.mouse.move(box["x"] + 0.3 * box["width"], box["y"] + 0.4 * box["height"])
        page.mouse.down()
        page.mouse.move(box["x"] + 0.6 * box["width"], box["y"] + 0.7 * box["height"], steps=5)
        page.mouse.up()

    wait_until(lambda: is_inside() or draw_a_box())
    return x_range(chart)


def test_one_button_trains_three_models_and_nothing_disturbs_them(
    dashboard: Dashboard, page: Page, seen: Seen, wait_until: WaitUntil, page_errors: list[str]
) -> None:
    page.goto(f"{dashboard.url}/?preset=digits-quick&set={_SHORTER}")
    page.get_by_role("button", name="Start all 3 runs").click()
    page.get_by_role("link", name="Watch on the Runs page").click()
    expect(page.get_by_role("heading", name="Runs")).to_be_visible()
    for name in ("1 teacher", "2 vit", "3 deit"):
        expect(seen(name, exact=True)).to_be_visible()
    assert list(dashboard.runs()) == ["deit", "vit", "teacher"]

    # The students train for a while: zoom into the ViT's curve as a reader does, and watch ten updates go by.
    wait_until(lambda: dashboard.runs()["vit"].step, _TRAINING_S)
    loss = chart(page, "Loss")
    zoomed = zoom(page, loss, wait_until)
    loss.evaluate("node => { node.mark = 'it'; node.seen = 0; node.on('plotly_react', () => node.seen++); }")
    page.wait_for_function("node => node.seen >= 10", arg=loss.element_handle())
    again = chart(page, "Loss")
    assert again.evaluate("node => node.mark") == "it"
    assert x_range(again) == zoomed

    # Reload the page, and restart the dashboard's process in the middle: the runs go on, and the page finds them.
    page.reload()
    chart(page, "Loss")
    wait_until(dashboard.training)
    workers = queue.registered_here(dashboard.store)
    assert len(workers) == 1
    assert page_errors == []
    dashboard.end()
    wait_until(dashboard.training)  # while the dashboard is down
    (active,) = dashboard.training()
    before = active.number, active.step
    wait_until(lambda: max((r.number, r.step) for r in dashboard.store.runs() if r.started_at) > before)
    dashboard.start_again()
    page.goto(f"{dashboard.url}/runs")
    chart(page, "Accuracy")
    page_errors.clear()  # the old page had complained of the missing server, as it should
    assert workers_here(dashboard.store) in ([], workers)
    assert page_errors == []
    page.goto("about:blank")  # the runs need no page
    wait_until(lambda: {run.status for run in dashboard.store.runs()} == {Status.COMPLETED}, _TRAINING_S)
    page.goto(f"{dashboard.url}/runs")
    expect(page.get_by_text(re.compile(r"Test accuracy \d")).filter(visible=True).first).to_be_visible()
    runs = dashboard.runs()
    assert runs["teacher"].finished_at < runs["vit"].finished_at < runs["deit"].finished_at  # type: ignore[operator]
    assert page_errors == []
    # Streamlit's own remark where the whole page is drawn between the request of one part and its turn; it is harmless.
    lines = [line.strip() for line in dashboard.said().splitlines() if "does not exist anymore" not in line]
    assert set(lines) <= {"", "You can now view your Streamlit app in your browser.", f"URL: {dashboard.url}"}


@pytest.mark.parametrize(("name", "least"), [("teacher", 0.98), ("vit", 0.95), ("deit", 0.95)])
def test_digits_are_learned(name: str, least: float, trained: Dashboard) -> None:
    assert trained.runs()[name].results["test_accuracy"] >= least


def test_compare_shows_vit_and_deit(trained: Dashboard, page: Page, seen: Seen, page_errors: list[str]) -> None:
    page.goto(f"{trained.url}/compare")
    expect(page.get_by_role("heading", name="Compare")).to_be_visible()
    expect(page.locator(".js-plotly-plot .main-svg").first).to_be_visible()
    for name in ("vit", "deit", "distillation"):
        expect(seen(name)).to_be_visible()
    assert page_errors == []


def pictures(page: Page) -> str:
    """What the pictures of the page are made of; changes with any of them."""
    sources = page.locator(".table img").evaluate_all("nodes => nodes.map(node => node.src)")
    return json.dumps(sources)


def settled(page: Page, wait_until: WaitUntil) -> str:
    """The pictures, once the server has nothing to do and they stay as they are for a second."""
    app = page.locator('[data-testid="stApp"]')
    looks: list[str] = []

    def is_settled() -> bool:
        shown = pictures(page)
        if app.get_attribute("data-test-script-state") != "notRunning" or (looks and looks[-1] != shown):
            looks.clear()
        looks.append(shown)
        return len(looks) > 10

    wait_until(is_settled)
    return looks[-1]


def changed(page: Page, before: str, wait_until: WaitUntil) -> str:
    wait_until(lambda: pictures(page) != before)
    return settled(page, wait_until)


def test_the_map_changes_with_layers_aggregation_discard_ratio_and_queried_patch(
    trained: Dashboard, page: Page, wait_until: WaitUntil, page_errors: list[str]
) -> None:
    page.goto(f"{trained.url}/attention")
    expect(page.locator(".table img").first).to_be_visible()
    shown = settled(page, wait_until)
    page.get_by_role("combobox", name="Combine the heads").click()
    page.get_by_role("option", name="max").click()
    shown = changed(page, shown, wait_until)
    discard, first_layer = (
        page.get_by_role("slider", name="Leave out weak links"),
        page.get_by_role("slider", name="Layers").first,
    )
    for slider, steps in ((discard, 40), (first_layer, 2)):
        slider.focus()
        for _ in range(steps):
            slider.press("ArrowRight")
        shown = changed(page, shown, wait_until)

    vit = page.get_by_role("application", name="Attention over the picture").first
    vit.click(position={"x": 5, "y": 5})
    shown = changed(page, shown, wait_until)
    expect(page.get_by_role("spinbutton", name="Row")).to_have_value("1")
    expect(page.get_by_role("spinbutton", name="Column")).to_have_value("1")
    page.reload()
    expect(page.locator(".table img").first).to_be_visible()
    assert settled(page, wait_until) == shown, "the address carries the patch"
    assert page_errors == []


def test_a_click_on_a_head_follows_it_whatever_the_method_was(
    trained: Dashboard, page: Page, wait_until: WaitUntil, page_errors: list[str]
) -> None:
    page.goto(f"{trained.url}/attention?att_method=Last-layer+attention&att_closer=Heads")
    head = page.get_by_role("button", name="Attention of head 2 in layer 3")
    expect(head).to_be_visible()
    shown = settled(page, wait_until)
    head.click()
    shown = changed(page, shown, wait_until)
    expect(head).to_have_attribute("aria-current", "true")
    page.reload()
    expect(head).to_have_attribute("aria-current", "true")
    assert settled(page, wait_until) == shown
    assert page_errors == []


def test_an_upload_that_is_no_image_is_one_sentence(trained: Dashboard, page: Page, seen: Seen, tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("no image")
    page.goto(f"{trained.url}/attention")
    page.get_by_text("Upload", exact=True).click()
    page.locator('input[type="file"]').set_input_files(tmp_path / "text.png")
    expect(seen("This file is not an image that can be read")).to_be_visible()
    expect(page.get_by_text("Traceback")).to_have_count(0)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_a_killed_worker_reads_interrupted_on_the_page_and_resumes(
    dashboard: Dashboard, page: Page, wait_until: WaitUntil
) -> None:
    store = dashboard.store
    page.goto(f"{dashboard.url}/?preset=smoke&set=optim.epochs=500")  # long enough for every look
    page.get_by_role("button", name="Start this run").click()
    wait_until(dashboard.training)
    (run,) = dashboard.training()
    page.goto(f"{dashboard.url}/runs")
    line = page.locator(f".st-key-actions-{run.id}")
    expect(line.get_by_text("running", exact=True)).to_be_visible()
    wait_until(lambda: store.run(run.id).epoch)  # so there is a state to resume from
    for _, pid, _ in workers_here(store):
        os.kill(pid, signal.SIGKILL)
    expect(line.get_by_text("interrupted", exact=True)).to_be_visible()
    step = store.run(run.id).step
    line.get_by_role("button", name="Resume").click()
    wait_until(lambda: store.run(run.id).step > step)
    line.get_by_role("button", name="Stop").click()
    expect(line.get_by_text("stopped", exact=True)).to_be_visible()
    assert store.run(run.id).status == Status.STOPPED
