"""The main job in a real browser: press one button, watch three models train, compare them, see what they look at.

Uses the whole dashboard with real workers; knows pages only by what a person sees on them.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import Locator, Page, expect

from deit_core.runs import Status, Store, open_store, queue

from .conftest import ROOT, free_port, wait_until_healthy

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]


class Dashboard:
    """The real dashboard on a port of its own, which can be ended and started again at the same address."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.store: Store = open_store(f"sqlite:///{folder / 'runs' / 'runs.sqlite'}")
        self._server: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "streamlit", "run", "dashboard/app.py"]
        command += ["--server.headless", "true", "--server.port", str(self.port)]
        folders = {"DEIT_RUNS_DIR": str(self.folder / "runs"), "DEIT_DATA_DIR": str(self.folder / "data")}
        log = self.folder / "streamlit.log"
        with log.open("ab") as output:
            self._server = subprocess.Popen(command, cwd=ROOT, env=os.environ | folders, stdout=output, stderr=output)
        wait_until_healthy(self._server, self.port, "", log)

    def end(self) -> None:
        assert self._server is not None
        self._server.terminate()
        self._server.wait(20)

    def end_workers(self) -> None:
        for pid in queue.workers_here(self.store):
            psutil.Process(pid).kill()


@pytest.fixture(scope="module")
def dashboard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    dashboard = Dashboard(tmp_path_factory.mktemp("dashboard"))
    dashboard.start()
    yield dashboard
    dashboard.end()
    dashboard.end_workers()


def chart(page: Page, title: str) -> Locator:
    """The node of a live chart, once something is drawn in it."""
    node = page.locator(f'[role="img"][aria-label^="{title} of the runs"]')
    expect(node.locator(".main-svg").first).to_be_visible(timeout=60_000)
    return node


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

    # The ViT trains for some twenty seconds: zoom into its curve, and watch ten updates go by.
    wait_until(page, lambda: statuses(dashboard)["vit"] == Status.RUNNING)
    loss = chart(page, "Loss")
    loss.evaluate(
        """node => {
            node.mark = 'the same node';
            node.updates = 0;
            node.on('plotly_afterplot', () => node.updates++);
            return Plotly.relayout(node, {'xaxis.range': [0.5, 3.5], 'yaxis.range': [0.2, 2.0]});
        }"""
    )
    page.wait_for_function("node => node.updates >= 12", arg=loss.element_handle(), timeout=60_000)
    again = chart(page, "Loss")
    assert again.evaluate("node => node.mark") == "the same node"
    assert again.evaluate("node => node.layout.xaxis.range") == [0.5, 3.5]
    assert again.evaluate("node => node.layout.yaxis.range") == [0.2, 2.0]

    # Reload the page, and restart the dashboard's process in the middle: the runs go on, and the page finds them.
    page.reload()
    chart(page, "Loss")
    workers = queue.workers_here(dashboard.store)
    assert len(workers) == 1
    dashboard.end()
    active = [run for run in dashboard.store.runs() if run.status == Status.RUNNING]
    assert len(active) == 1, "a run is under way while the dashboard is down"
    before = active[0].number, active[0].step
    wait_until(page, lambda: max((r.number, r.step) for r in dashboard.store.runs() if r.started_at) > before)
    dashboard.start()
    page.goto(f"{dashboard.url}/runs")
    chart(page, "Accuracy")
    assert not queue.workers_here(dashboard.store) or queue.workers_here(dashboard.store) == workers
    wait_until(page, lambda: set(statuses(dashboard).values()) == {Status.COMPLETED})
    expect(page.get_by_text("of the test images right").first).to_be_visible(timeout=30_000)
    runs = {run.name: run for run in dashboard.store.runs()}
    assert runs["teacher"].finished_at < runs["vit"].finished_at < runs["deit"].finished_at  # type: ignore[operator]
    assert [error for error in page_errors if "Failed to load resource" not in error and "WebSocket" not in error] == []


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
    sources = page.locator('[data-testid="stImage"] img').evaluate_all("nodes => nodes.map(node => node.src)")
    return json.dumps(sources)


def settled(page: Page) -> str:
    page.wait_for_timeout(400)
    expect(page.locator('[data-testid="stStatusWidget"]')).to_have_count(0, timeout=60_000)
    page.wait_for_timeout(400)
    return pictures(page)


def changed(page: Page, before: str) -> str:
    wait_until(page, lambda: pictures(page) != before, timeout_s=30)
    return settled(page)


def test_the_map_changes_with_layers_aggregation_and_discard_ratio(
    dashboard: Dashboard, page: Page, page_errors: list[str]
) -> None:
    page.goto(f"{dashboard.url}/attention")
    expect(page.locator('[data-testid="stImage"] img').first).to_be_visible(timeout=60_000)
    first = settled(page)
    page.get_by_role("radio", name="max").click()
    by_max = changed(page, first)
    slider = page.get_by_role("slider", name="Discard ratio")
    slider.focus()
    for _ in range(30):
        slider.press("ArrowRight")
    discarded = changed(page, by_max)
    page.goto(page.url + "&layers=0")
    assert page_errors == []
    assert discarded


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_a_killed_worker_reads_interrupted_on_the_page_and_resumes(dashboard: Dashboard, page: Page) -> None:
    page.goto(f"{dashboard.url}/train?preset=smoke")
    page.get_by_role("button", name="Start this run").click()
    wait_until(page, lambda: bool(queue.workers_here(dashboard.store)))
    page.goto(f"{dashboard.url}/runs")
    for pid in queue.workers_here(dashboard.store):
        os.kill(pid, signal.SIGKILL)
    killed_at = time.monotonic()
    run_id = dashboard.store.runs()[0].id
    expect(page.get_by_text("interrupted").first).to_be_visible(timeout=15_000)
    assert time.monotonic() - killed_at < 15
    page.locator(f".st-key-Resume-{run_id} button").click()
    wait_until(page, lambda: dashboard.store.run(run_id).status == Status.COMPLETED)
