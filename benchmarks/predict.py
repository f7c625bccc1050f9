"""From a click on the Predict page to all answers on the screen: the real dashboard, real Chromium, nothing trains.

Needs Chromium, Fashion-MNIST and the development requirements. The models are those of the slider's benchmark.
"""

import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from benchmarks.dashboard import launch_chromium, processor_s, serve
from benchmarks.slider import make_runs

_MOVES, _LONG_MOVES = 60, 240
_NUM_WARM = 3  # by then every model is loaded, and torch has made each of its steps once
# In the page: when the mouse was released, and when the bars and the maps that followed were painted.
_WATCH = """
() => {
  const watched = { released: 0, painted: 0 };
  window.watched = watched;
  const release = () => Object.assign(watched, { released: performance.now(), painted: 0 });
  window.addEventListener("pointerup", release, true);
  const hosts = [...document.querySelectorAll("*")].filter((node) => node.shadowRoot?.querySelector(".table img"));
  const seen = async () => {
    const images = hosts.flatMap((host) => [...host.shadowRoot.querySelectorAll("img")]);
    await Promise.all(images.map((image) => image.decode()));
    requestAnimationFrame(() => { watched.painted = performance.now(); });
  };
  const observer = new MutationObserver(seen);
  for (const host of hosts) observer.observe(host.shadowRoot, { subtree: true, attributeFilter: ["src"] });
  const main = document.querySelector('[data-testid="stMain"]');
  observer.observe(main, { subtree: true, childList: true, characterData: true });
}
"""


def measure(long: bool = False) -> list[dict[str, object]]:
    """Milliseconds from release to the last of the answers, for the next test image and for one more stroke; and of the
    processors in the server for each, which other work on the machine changes less.
    """
    num_moves = _LONG_MOVES if long else _MOVES
    with tempfile.TemporaryDirectory() as folder:
        make_runs(Path(folder))
        with serve(Path(folder)) as dashboard, sync_playwright() as playwright:
            chromium = launch_chromium(playwright)
            rows = []
            for how, (query, move) in _MOVE.items():
                page = chromium.new_page(viewport={"width": 1280, "height": 900})
                page.goto(f"{dashboard.url}/predict?{query}")
                _prepare(page, move)
                used_s = processor_s(dashboard.pid)
                times_ms = [_time_ms(page, move, number) for number in range(_NUM_WARM, _NUM_WARM + num_moves)]
                used_s = processor_s(dashboard.pid) - used_s
                rows.append(_row(how, times_ms) | {"server_cpu_ms": round(1000 * used_s / num_moves)})
                page.close()
            chromium.close()
    return rows


def _prepare(page: Page, move: Callable[[Page, int], None]) -> None:
    page.locator('[data-testid="stNumberInput"], canvas').first.wait_for(timeout=60_000)
    page.wait_for_timeout(2000)
    move(page, 0)
    page.locator(".table img").nth(5).wait_for(timeout=60_000)
    page.wait_for_timeout(2000)
    page.evaluate(_WATCH)
    for number in range(1, _NUM_WARM):
        _time_ms(page, move, number)


def _time_ms(page: Page, move: Callable[[Page, int], None], number: int) -> float:
    """Waits until nothing more changes: what is painted last counts."""
    move(page, number)
    page.wait_for_function("() => window.watched.painted > window.watched.released", timeout=30_000, polling=50)
    while True:
        painted: float = page.evaluate("() => window.watched.painted")
        page.wait_for_timeout(400)
        if painted == page.evaluate("() => window.watched.painted"):
            break
    elapsed: float = page.evaluate("() => window.watched.painted - window.watched.released")
    return elapsed


def _row(how: str, times_ms: list[float]) -> dict[str, object]:
    p95 = statistics.quantiles(times_ms, n=20)[-1]
    return {"how": how, "moves": len(times_ms), "p50_ms": round(statistics.median(times_ms)), "p95_ms": round(p95)}


def _next_image(page: Page, _: int) -> None:
    page.locator('[data-testid="stNumberInputStepUp"]').click()


def _draw(page: Page, number: int) -> None:
    """A short stroke at a place of its own, so that no drawing comes twice."""
    box = page.locator("canvas").bounding_box()
    assert box is not None
    x, y = box["x"] + 10 + 23 * (number % 10), box["y"] + 10 + 23 * (number // 10 % 10)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 12, y + 12 + number // 100, steps=3)
    page.mouse.up()


_MOVE: dict[str, tuple[str, Callable[[Page, int], None]]] = {
    "next test image": ("", _next_image),
    "one more stroke": ("predict_picture=Draw", _draw),
}
