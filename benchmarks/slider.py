"""From the release of a slider to a changed picture in a browser: the real dashboard, real Chromium, nothing trains.

Needs Chromium and the development requirements. The models are untrained ones of the mini-project's shape.
"""

import statistics
import tempfile
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from benchmarks.dashboard import launch_chromium, serve, store_url
from deit_core import presets
from deit_core.catalog import SOURCES
from deit_core.layout import run_folder
from deit_core.models import ModelCard, build_model, save_weights
from deit_core.runs import Status, enqueue, open_store

_MOVES, _LONG_MOVES = 60, 240
# In the page: when the mouse was released or a key pressed, and when the pictures that followed were decoded.
_WATCH = """
() => {
  const watched = { released: 0, painted: 0 };
  window.watched = watched;
  const release = () => Object.assign(watched, { released: performance.now(), painted: 0 });
  window.addEventListener("pointerup", release, true);
  window.addEventListener("keydown", release, true);
  const host = [...document.querySelectorAll("*")].find((node) => node.shadowRoot?.querySelector(".table img"));
  const seen = async () => {
    await Promise.all([...host.shadowRoot.querySelectorAll("img")].map((image) => image.decode()));
    requestAnimationFrame(() => { watched.painted = performance.now(); });
  };
  new MutationObserver(seen).observe(host.shadowRoot, { subtree: true, attributeFilter: ["src"] });
}
"""


def measure(long: bool = False) -> list[dict[str, object]]:
    """Milliseconds from release to picture, by mouse and by key: the median and the 95th percentile."""
    num_moves = _LONG_MOVES if long else _MOVES
    with tempfile.TemporaryDirectory() as folder:
        make_runs(Path(folder))
        with serve(Path(folder)) as dashboard, sync_playwright() as playwright:
            chromium = launch_chromium(playwright)
            page = chromium.new_page(viewport={"width": 1280, "height": 900})
            page.goto(f"{dashboard.url}/attention")
            page.locator(".table img").nth(5).wait_for(timeout=60_000)
            page.wait_for_timeout(2000)
            page.evaluate(_WATCH)
            rows = [_row(how, [move(page, number) for number in range(num_moves)]) for how, move in _MOVE.items()]
            chromium.close()
    return rows


def _row(how: str, times_ms: list[float]) -> dict[str, object]:
    p95 = statistics.quantiles(times_ms, n=20)[-1]
    return {"how": how, "moves": len(times_ms), "p50_ms": round(statistics.median(times_ms)), "p95_ms": round(p95)}


def _press(page: Page, number: int) -> float:
    page.get_by_role("slider", name="Leave out weak links").press("ArrowRight" if number % 20 < 10 else "ArrowLeft")
    return _elapsed_ms(page)


def _drag(page: Page, number: int) -> float:
    slider = page.locator('[data-testid="stSlider"]').first
    track = slider.bounding_box()
    thumb = slider.locator('[data-testid="stSliderThumbValue"]').locator("xpath=..").bounding_box()
    assert track is not None
    assert thumb is not None
    y = thumb["y"] + thumb["height"] / 2
    page.mouse.move(thumb["x"] + thumb["width"] / 2, y)
    page.mouse.down()
    page.mouse.move(track["x"] + track["width"] * (0.2 + 0.3 * (number % 3)), y, steps=4)
    page.mouse.up()
    return _elapsed_ms(page)


_MOVE = {"mouse": _drag, "key": _press}


def _elapsed_ms(page: Page) -> float:
    page.wait_for_function("() => window.watched.painted > window.watched.released", timeout=10_000, polling=50)
    page.wait_for_timeout(250)  # whatever else a move brings is over before the next
    elapsed: float = page.evaluate("() => window.watched.painted - window.watched.released")
    return elapsed


def make_runs(runs_dir: Path) -> None:
    """An untrained teacher, ViT and DeiT, completed."""
    store = open_store(store_url(runs_dir))
    for run_id in enqueue(store, presets.fashion_miniproject()):
        run = store.run(run_id)
        facts = SOURCES[run.spec.data.source]
        card = ModelCard(
            spec=run.spec,
            classes=facts.classes,
            in_chans=facts.in_chans,
            mean=(0.29,),
            std=(0.35,),
            data_hash="",
            epoch=1,
            step=1,
        )
        save_weights(run_folder(runs_dir, run_id) / "best.safetensors", build_model(run.spec), card)
        store.set_status(run_id, Status.RUNNING)
        store.set_status(run_id, Status.COMPLETED)
