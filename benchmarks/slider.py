"""From the release of a slider to a changed picture in a browser: the real dashboard, real Chromium, nothing trains.

Needs Chromium and the development requirements. The models are untrained ones of the mini-project's shape.
"""

import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from deit_core import presets
from deit_core.catalog import SOURCES
from deit_core.models import ModelCard, build_model, save_weights
from deit_core.runs import Status, enqueue, open_store, run_folder

_MOVES = 60
_CHROMIUM_ARGS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking")
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


def measure() -> list[dict[str, object]]:
    """Milliseconds from release to picture, by mouse and by key: the median and the 95th percentile of 60 moves."""
    with tempfile.TemporaryDirectory() as folder, _dashboard(Path(folder)) as url, sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=_chromium(), args=_CHROMIUM_ARGS)
        page = chromium.new_page(viewport={"width": 1280, "height": 900})
        page.goto(f"{url}/attention")
        page.locator(".table img").nth(5).wait_for(timeout=60_000)
        page.wait_for_timeout(2000)
        page.evaluate(_WATCH)
        rows = [_row(how, [move(page, number) for number in range(_MOVES)]) for how, move in _MOVE.items()]
        chromium.close()
    return rows


def _row(how: str, times_ms: list[float]) -> dict[str, object]:
    p95 = statistics.quantiles(times_ms, n=20)[-1]
    return {"how": how, "moves": len(times_ms), "p50_ms": round(statistics.median(times_ms)), "p95_ms": round(p95)}


def _press(page: Page, number: int) -> float:
    page.get_by_role("slider", name="Discard ratio").press("ArrowRight" if number % 20 < 10 else "ArrowLeft")
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


@contextmanager
def _dashboard(runs_dir: Path) -> Iterator[str]:
    """The dashboard over an untrained teacher, ViT and DeiT."""
    environment = os.environ | {"DEIT_RUNS_DIR": str(runs_dir), "DEIT_STORE": f"sqlite:///{runs_dir}/runs.sqlite"}
    _make_runs(runs_dir, environment["DEIT_STORE"])
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", "dashboard/app.py", "--server.headless", "true"]
    command += ["--server.port", str(port)]
    root = Path(__file__).parents[1]
    server = subprocess.Popen(command, cwd=root, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        url = f"http://127.0.0.1:{port}"
        _wait_until_healthy(url)
        yield url
    finally:
        server.terminate()
        server.wait()


def _make_runs(runs_dir: Path, store_url: str) -> None:
    store = open_store(store_url)
    for run_id in enqueue(store, presets.get("fashion-miniproject")):
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


def _wait_until_healthy(url: str) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"{url}/_stcore/health", timeout=5):
                return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.2)
    raise TimeoutError(f"The dashboard at {url} did not answer within a minute.")


def _chromium() -> str:
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found
    raise FileNotFoundError("There is no Chromium on this machine; install it (Debian: apt install chromium).")
