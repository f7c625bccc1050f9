"""The Runs page over a full queue: how soon its table is there, and what an open page costs the server while it waits.

The real dashboard and real Chromium. Every run is queued for a worker that does not exist, so nothing trains meanwhile.
"""

import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from benchmarks.dashboard import launch_chromium, processor_s, serve, store_url
from benchmarks.filling import add_copies
from deit_core import presets
from deit_core.runs import enqueue, open_store

_SIZES = (20, 2000)
_VISITS, _VISITS_LONG = 3, 10
_WATCH_S, _WATCH_LONG_S = 20.0, 60.0
_LOADED_S = 10.0  # by then the server has loaded what it will need
_TABLE = '[data-testid="stDataFrame"] canvas'


def measure(long: bool = False) -> Iterator[dict[str, object]]:
    """Seconds from the address to the table, in a browser without history; and CPU of the server for one open page."""
    for num_runs in _SIZES:
        with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
            _fill(Path(folder), num_runs)
            chromium = launch_chromium(playwright)
            with serve(Path(folder)) as dashboard:
                url = f"{dashboard.url}/runs"
                _visit(chromium, url)
                time.sleep(_LOADED_S)
                seconds = [_visit(chromium, url) for _ in range(_VISITS_LONG if long else _VISITS)]
                share = _idle(chromium, url, dashboard.pid, _WATCH_LONG_S if long else _WATCH_S)
            chromium.close()
        yield {
            "runs": num_runs,
            "table_s": round(statistics.median(seconds), 2),
            "idle_cpu_ms_per_s": round(1000 * share),
        }


def _visit(chromium: Browser, url: str) -> float:
    with chromium.new_context(viewport={"width": 1280, "height": 800}) as context:
        page = context.new_page()
        began = time.monotonic()
        page.goto(url, wait_until="commit")
        page.locator(_TABLE).first.wait_for(timeout=120_000)
        return time.monotonic() - began


def _idle(chromium: Browser, url: str, pid: int, watch_s: float) -> float:
    """The share of a core that the server uses for one page that nobody touches."""
    with chromium.new_context(viewport={"width": 1280, "height": 800}) as context:
        page = context.new_page()
        page.goto(url, wait_until="commit")
        page.locator(_TABLE).first.wait_for(timeout=120_000)
        page.wait_for_timeout(5000)
        spent, began = processor_s(pid), time.monotonic()
        page.wait_for_timeout(1000 * watch_s)
        return (processor_s(pid) - spent) / (time.monotonic() - began)


def _fill(runs_dir: Path, num_runs: int) -> None:
    store = open_store(store_url(runs_dir))
    enqueue(store, presets.get("smoke"), reserved_for="nobody")
    add_copies(store, num_runs)
    store.close()
