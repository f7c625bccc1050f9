"""How much each page jumps while it is drawn: its Cumulative Layout Shift, as web.dev/articles/cls defines it.

The real dashboard over the runs that ship, and real Chromium; needs both. Knows pages by their addresses alone.
"""

import statistics
import tempfile
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from benchmarks.dashboard import launch_chromium, serve

_PATHS = {
    "Home": "",
    "Train": "train",
    "Runs": "runs",
    "Compare": "compare",
    "Attention": "attention",
    "Predict": "predict",
    "Data": "data",
    "System": "system",
}
_SCREENS = {"wide": (1280, 800), "narrow": (390, 844)}
_WATCHED_S = 12  # by then a page is drawn, also on a busy machine
# The largest sum of shifts with less than a second between two and five seconds in all.
_NOTE_SHIFTS = """
window.shifts = [];
window.largest = 0;
let sum = 0, first = 0, last = 0;
new PerformanceObserver((list) => {
  for (const shift of list.getEntries()) {
    if (shift.hadRecentInput) continue;
    if (shift.startTime - last > 1000 || shift.startTime - first > 5000) [sum, first] = [0, shift.startTime];
    last = shift.startTime;
    sum += shift.value;
    window.largest = Math.max(window.largest, sum);
    const moved = shift.sources.map(({ node }) => (node?.innerText ?? node?.nodeName ?? "").trim().slice(0, 30));
    window.shifts.push([Math.round(shift.startTime), shift.value, moved]);
  }
}).observe({ type: "layout-shift", buffered: true });
"""


def measure(long: bool = False) -> Iterator[dict[str, object]]:
    """The median over some visits, and what moved most in one of them; 0.1 and less is good."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright, serve(Path(folder)) as dashboard:
        chromium = launch_chromium(playwright)
        for page, path in _PATHS.items():
            for screen, size in _SCREENS.items():
                visits = [_visit(chromium, f"{dashboard.url}/{path}", size) for _ in range(7 if long else 3)]
                moved = max(
                    (shift for _, shifts in visits for shift in shifts), key=lambda shift: shift[1], default=None
                )
                yield {
                    "page": page,
                    "screen": screen,
                    "cls": round(statistics.median(largest for largest, _ in visits), 3),
                    "largest": moved,
                }
        chromium.close()


def _visit(chromium: Browser, url: str, size: tuple[int, int]) -> tuple[float, list[tuple[int, float, list[str]]]]:
    width, height = size
    with chromium.new_context(viewport={"width": width, "height": height}) as context:
        context.add_init_script(_NOTE_SHIFTS)
        page = context.new_page()
        page.goto(url)
        page.wait_for_timeout(1000 * _WATCHED_S)
        largest, shifts = page.evaluate("() => [window.largest, window.shifts]")
        return largest, shifts
