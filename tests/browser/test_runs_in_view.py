"""The Runs page while models train, in a real browser: the curves in sight, and a picture that learns."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import Locator, Page, expect

from deit_core import presets
from deit_core.runs import LocalLauncher, Status, open_store, queue
from deit_core.settings import Settings
from deit_core.spec import replace

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.browser

_TRAINING_S = 600


@pytest.fixture
def launcher(tmp_path: Path) -> Iterator[LocalLauncher]:
    runs_dir = tmp_path / "runs"
    store = open_store(f"sqlite:///{runs_dir / 'runs.sqlite'}")
    yield LocalLauncher(store, Settings(store.database.url, runs_dir, tmp_path / "data", num_workers=1))
    for _, pid, _ in queue.registered_here(store):
        with contextlib.suppress(psutil.NoSuchProcess):
            psutil.Process(pid).kill()


def is_in_sight(page: Page, node: Locator) -> bool:
    box, size = node.bounding_box(), page.viewport_size
    return box is not None and size is not None and box["y"] >= 0 and box["y"] + box["height"] <= size["height"]


def test_five_runs_have_their_curves_in_sight_and_a_picture_that_learns(
    launcher: LocalLauncher,
    page: Page,
    serve_app: Callable[..., str],
    wait_until: Callable[..., None],
    page_errors: list[str],
) -> None:
    settings = launcher.settings
    url = serve_app(
        ROOT / "dashboard" / "app.py",
        env={"DEIT_RUNS_DIR": str(settings.runs_dir), "DEIT_DATA_DIR": str(settings.data_dir), "DEIT_WORKERS": "1"},
    )
    ids = [
        launcher.submit(replace(presets.smoke(), {"name": f"run {number}", "optim.epochs": 200}))[0]
        for number in range(5)
    ]
    first = ids[0]
    wait_until(lambda: launcher.store.run(first).epoch > 1, _TRAINING_S)
    page.set_viewport_size({"width": 1280, "height": 800})
    page.goto(f"{url}/runs?" + "&".join(f"runs={run_id}" for run_id in ids))
    chart = page.locator('[role="figure"][aria-label^="Accuracy of the runs"]')
    picture = page.get_by_role("application", name="Attention over the picture")
    for node in (chart.locator(".main-svg").first, picture):
        expect(node).to_be_visible()
    assert is_in_sight(page, chart)
    assert is_in_sight(page, picture)
    assert chart.evaluate("node => node.layout.xaxis.range") == [0, 204]

    def look() -> str | None:
        return picture.locator("img").get_attribute("src")

    seen, epoch = look(), launcher.store.run(first).epoch
    wait_until(lambda: launcher.store.run(first).epoch > epoch)
    wait_until(lambda: look() != seen)
    assert launcher.store.run(first).status == Status.RUNNING
    assert page_errors == []
