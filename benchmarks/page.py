"""The pages: how soon they paint, how soon a measured point is on the screen, and what being watched costs a training.

The real dashboard and real Chromium; needs both, and the development requirements. Knows pages by what a person sees.
"""

import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks.dashboard import Dashboard, launch_chromium, processor_s, serve, store_url
from benchmarks.finished_store import make_finished_runs
from benchmarks.timing import median_ratio
from deit_core import presets
from deit_core.events import RunStarted, StepDone
from deit_core.machine.limits import num_cores
from deit_core.runs import Run, Status, Store, enqueue, open_store
from deit_core.runs.engines.local import start_worker
from deit_core.runs.recorder import Recorder
from deit_core.settings import Settings
from deit_core.spec import replace

_PAGES = {
    "": "Home",
    "train": "Train",
    "runs": "Runs",
    "compare": "Compare",
    "attention": "Attention",
    "predict": "Predict",
    "lab": "Distillation lab",
    "data": "Data",
    "learn": "Learn",
    "system": "System",
}
_NUM_RUNS, _STEPS_PER_S, _HISTORY = 4, 50, 1000
_WATCH_S = 20.0
_VISITORS = 10
_SLICE_S = 3.0
_PAIRS, _LONG_PAIRS = 20, 100  # of slices, alone and watched
_LOADED_S = 10  # by then the server has loaded what it will need, and the worker that stands by has loaded torch
_SETTLE_S = 10.0  # in which visitors load Streamlit and open their pages
# When a page's title, and the widgets or words below it, were first painted.
_NOTE_PAINT = """
const look = () => {
  const title = document.querySelector("h1");
  const below = document.querySelector('[data-testid="stMain"] :is(button, input, p, table, canvas)');
  if (title && below) requestAnimationFrame(() => { window.painted = performance.now(); });
  else requestAnimationFrame(look);
};
requestAnimationFrame(look);
"""
# When each step of each training loss was first drawn, looked at once a frame: [line, run, step, milliseconds].
_NOTE_STEPS = """
() => {
  window.seen = [];
  const newest = new Map();
  const look = () => {
    const now = Date.now();
    for (const chart of document.querySelectorAll(".js-plotly-plot")) {
      for (const trace of chart.data ?? []) {
        const step = trace.x.at(-1), key = `${chart.ariaLabel} ${trace.uid}`;
        if (trace.meta?.kind !== "step" || newest.get(key) === step) continue;
        if (newest.has(key)) window.seen.push([key, trace.name, step, now]);
        newest.set(key, step);
      }
    }
    requestAnimationFrame(look);
  };
  look();
}
"""


def measure(long: bool = False) -> Iterator[dict[str, object]]:
    """First paints in s; milliseconds from a step to the screen; images/s of a training unwatched and watched."""
    yield from _first_paints("four runs that train", _make_runs)
    yield from _first_paints("fifty finished runs", make_finished_runs)
    yield _live_latency()
    for num_threads in (1, 2):
        yield _cost_of_visitors(num_threads, _LONG_PAIRS if long else _PAIRS)


# First paint


def _first_paints(over: str, make_runs: Callable[[Path], object]) -> Iterator[dict[str, object]]:
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        make_runs(Path(folder))
        chromium = launch_chromium(playwright)
        for path, title in _PAGES.items():
            with serve(Path(folder)) as dashboard:
                with _opened(chromium, f"{dashboard.url}/{path}") as page:
                    cold_s = _painted_s(page)
                    has_torch = _has_torch(dashboard)
                    again_s = statistics.median(_reload(page) for _ in range(3))
                    page.wait_for_timeout(_LOADED_S * 1000)
                    warm_s = statistics.median(_reload(page) for _ in range(5))
                new_s = statistics.median(_visit(chromium, f"{dashboard.url}/{path}") for _ in range(3))
            yield {
                "what": "first paint",
                "over": over,
                "page": title,
                "process_s": round(dashboard.started_s, 2),
                "cold_s": round(cold_s, 2),
                "again_s": round(again_s, 2),
                "warm_s": round(warm_s, 2),
                "new_browser_s": round(new_s, 2),
                "torch_by_then": has_torch,
            }
        chromium.close()


@contextmanager
def _opened(chromium: Browser, url: str) -> Iterator[Page]:
    """A page in a browser without history or cache, closed afterwards: an open one goes on working during the next."""
    with chromium.new_context(viewport={"width": 1280, "height": 800}) as context:
        context.add_init_script(_NOTE_PAINT)
        page = context.new_page()
        page.goto(url, wait_until="commit")
        yield page


def _visit(chromium: Browser, url: str) -> float:
    """Seconds from the address to its paint, in such a browser."""
    with _opened(chromium, url) as page:
        return _painted_s(page)


def _reload(page: Page) -> float:
    page.wait_for_timeout(1000)
    page.reload(wait_until="commit")
    return _painted_s(page)


def _painted_s(page: Page) -> float:
    page.wait_for_function("() => window.painted", timeout=60_000)
    milliseconds: float = page.evaluate("() => window.painted")
    return milliseconds / 1000


def _has_torch(dashboard: Dashboard) -> bool:
    return any("libtorch" in mapped.path for mapped in psutil.Process(dashboard.pid).memory_maps())


def _make_runs(runs_dir: Path) -> tuple[Store, list[Run]]:
    """Runs that read running, with a history, in a store that the dashboard looks at; nothing trains them."""
    store = open_store(store_url(runs_dir))
    runs = []
    for _ in range(_NUM_RUNS):
        (run_id,) = enqueue(store, presets.get("smoke"))
        store.set_status(run_id, Status.RUNNING)
        runs.append(store.run(run_id))
    return store, runs


# From step to screen


def _live_latency() -> dict[str, object]:
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        store, runs = _make_runs(Path(folder))
        trainings = [_Training(store, run) for run in runs]
        with serve(Path(folder)) as dashboard:
            chromium = launch_chromium(playwright)
            page = chromium.new_page(viewport={"width": 1280, "height": 800})
            shown = "&".join(f"runs={run.number}+{run.name}" for run in runs)
            page.goto(f"{dashboard.url}/runs?{shown}&curve_axis=Step")
            page.locator(".js-plotly-plot .main-svg").nth(1).wait_for(timeout=60_000)
            with _all(trainings):
                page.wait_for_timeout(5000)
                page.evaluate(_NOTE_STEPS)
                cpu_s = processor_s(dashboard.pid)
                page.wait_for_timeout(_WATCH_S * 1000)
                cpu_s = processor_s(dashboard.pid) - cpu_s
                sightings = page.evaluate("() => window.seen")
            chromium.close()
    latencies = _latencies_ms(sightings, {f"{one.run.number} {one.run.name}": one.measured_at for one in trainings})
    return {
        "what": "step to screen",
        "runs": _NUM_RUNS,
        "steps": len(latencies),
        "p50_ms": round(statistics.median(latencies)),
        "p95_ms": round(statistics.quantiles(latencies, n=20)[-1]),
        "server_cpu_ms_per_s": round(1000 * cpu_s / _WATCH_S),
    }


class _Training:
    """Measures a point `_STEPS_PER_S` times per second, in a thread, and hands it on as a worker does."""

    def __init__(self, store: Store, run: Run) -> None:
        self.run = run
        self.measured_at: dict[int, float] = {}  # step -> seconds since the epoch
        self._ended = threading.Event()
        self._recorder = Recorder(store, run)
        self._recorder.record(RunStarted(1, 1, 1, 1, 500, 10 * _HISTORY, 0, "cpu", 1))
        for step in range(1, _HISTORY + 1):
            self._measure(step)
        self._thread = threading.Thread(target=self._work)

    def start(self) -> None:
        self._thread.start()

    def end(self) -> None:
        self._ended.set()
        self._thread.join()
        self._recorder.close()

    def _work(self) -> None:
        began, step = time.monotonic(), _HISTORY
        while not self._ended.wait(max(0.0, began + (step - _HISTORY) / _STEPS_PER_S - time.monotonic())):
            step += 1
            self._measure(step)

    def _measure(self, step: int) -> None:
        metrics = {"train_loss": 2 / step**0.5, "train_accuracy": 1 - 1 / step, "lr": 1e-3, "images_per_s": 3200.0}
        self.measured_at[step] = time.time()
        self._recorder.record(StepDone(step, 1, step / _STEPS_PER_S, metrics))


@contextmanager
def _all(trainings: list[_Training]) -> Iterator[None]:
    for training in trainings:
        training.start()
    try:
        yield
    finally:
        for training in trainings:
            training.end()


def _latencies_ms(
    sightings: list[tuple[str, str, int, float]], measured_at: dict[str, dict[int, float]]
) -> list[float]:
    """Of each step in each line: it was seen with the first later step that was."""
    newest: dict[str, int] = {}
    latencies: list[float] = []
    for line, run, step, seen_ms in sightings:
        steps = range(newest.get(line, step - 1) + 1, step + 1)
        latencies += (seen_ms - 1000 * measured_at[run][one] for one in steps)
        newest[line] = max(step, newest.get(line, 0))
    return latencies


# What being watched costs


def _cost_of_visitors(num_threads: int, num_pairs: int) -> dict[str, object]:
    """A training alone and watched by turns; the server's part of it, since the visitors draw nothing.

    While it is alone, the server and the visitors are suspended: opening the pages again would take longer than a
        slice.
    """
    with (
        tempfile.TemporaryDirectory() as folder,
        serve(Path(folder)) as dashboard,
        _train(Path(folder), num_threads) as run,
        _visitors(dashboard.url) as visitors,
    ):
        speeds: dict[bool, list[float]] = {False: [], True: []}
        cpu_s = {dashboard.pid: 0.0, visitors: 0.0}
        watched_s = 0.0
        for pair in range(num_pairs):
            for is_watched in (pair % 2 == 0, pair % 2 == 1):
                if is_watched:
                    before, began = {pid: processor_s(pid) for pid in cpu_s}, time.monotonic()
                    speeds[True].append(_speed(*run))
                    watched_s += time.monotonic() - began
                    cpu_s = {pid: spent + processor_s(pid) - before[pid] for pid, spent in cpu_s.items()}
                else:
                    with _suspended(*cpu_s):
                        speeds[False].append(_speed(*run))
    low, ratio, high = median_ratio(speeds[True], speeds[False])
    return {
        "what": "being watched",
        "threads": num_threads,
        "visitors": _VISITORS,
        "images_per_s": round(statistics.median(speeds[False])),
        "watched": round(statistics.median(speeds[True])),
        "ratio": round(ratio, 3),
        "interval_95": f"{low:.3f} to {high:.3f}",
        "server_cpu_ms_per_s": round(1000 * cpu_s[dashboard.pid] / watched_s),
        "visitors_cpu_ms_per_s": round(1000 * cpu_s[visitors] / watched_s),
    }


@contextmanager
def _suspended(*pids: int) -> Iterator[None]:
    for pid in pids:
        psutil.Process(pid).suspend()
    try:
        yield
    finally:
        for pid in pids:
            psutil.Process(pid).resume()


@contextmanager
def _train(runs_dir: Path, num_threads: int) -> Iterator[tuple[Store, str]]:
    """A worker that trains the mini-project's ViT, once its first steps are done."""
    cores = num_cores()
    settings = Settings.from_env(runs_dir=runs_dir)
    settings = Settings(store_url(runs_dir), runs_dir, settings.data_dir, num_workers=max(1, cores // num_threads))
    experiment = presets.fashion_miniproject()
    spec = replace(next(run for run in experiment.runs if run.name == "vit"), {"optim.epochs": 100})
    store = open_store(settings.store_url)
    (run_id,) = enqueue(store, spec)
    worker = start_worker(store, settings, "benchmark")
    try:
        while store.run(run_id).step < 50:
            assert worker.poll() is None, "the worker ended"
            time.sleep(0.2)
        yield store, run_id
    finally:
        worker.terminate()
        worker.wait()


def _speed(store: Store, run_id: str) -> float:
    """Images/s over a slice of time, the median of its points; a validation, which has none, is waited out."""
    seq = store.points(run_id)[-1].seq
    speeds: list[float] = []
    while len(speeds) < 3:
        time.sleep(_SLICE_S)
        points = [point for point in store.points(run_id, after_seq=seq) if point.kind == "step"]
        speeds = [point.metrics["images_per_s"] for point in points[1:]]  # the first began before the slice
    return statistics.median(speeds)


@contextmanager
def _visitors(url: str) -> Iterator[int]:
    command = [sys.executable, "-m", "benchmarks.visitors", url, "runs", str(_VISITORS)]
    visitors = subprocess.Popen(command, cwd=Path(__file__).parents[1])
    try:
        time.sleep(_SETTLE_S)
        assert visitors.poll() is None, "the visitors left"
        yield visitors.pid
    finally:
        visitors.terminate()
        visitors.wait()
