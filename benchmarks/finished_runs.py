"""The pages over fifty finished runs of 10,000 test images: first paint, Compare's sections, and memory over switches.

Each page is drawn by its script in a process of its own, without server and browser, so the processor's time is that of
the page alone. Needs Fashion-MNIST; the runs are those of `finished_store`.
"""

import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from functools import cache, partial
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from benchmarks.dashboard import store_url

_VISITS = 3
_WARM_SWITCHES, _SWITCHES, _LONG_SWITCHES = 40, 100, 400
_PAGE = """
import streamlit as st
from dashboard.navigation import pages, show
st.navigation(pages(), position="hidden")
show("{name}")
"""
_SECTIONS = {
    "compare_mistakes": "Mistakes",
    "compare_passed_on": "What the teacher passed on",
    "compare_calibration": "Calibration",
    "compare_cost": "Cost",
}


def measure(long: bool = False) -> Iterator[dict[str, object]]:
    """Seconds of processor and clock, at the first visit of a process and at later ones, each in a new session."""
    from benchmarks.finished_store import make_finished_runs

    with tempfile.TemporaryDirectory() as folder:
        runs = make_finished_runs(Path(folder))
        chosen = [f"{run.number} {run.name}" for run in runs]
        queries: list[tuple[str, str, dict[str, str | list[str]]]] = [
            *((page.capitalize(), page, {}) for page in ("train", "runs", "compare", "attention", "predict", "lab")),
            ("Lab, logits of a test image", "lab", {"lab_source": "Of a test image"}),
            ("Runs, all chosen", "runs", {"runs": chosen}),
            ("Compare, an experiment", "compare", {"compare_experiment": str(runs[0].experiment_id)}),
            ("Compare, ten runs", "compare", {"compare": chosen[1:11]}),
            ("Compare, all runs", "compare", {"compare": chosen}),
        ]
        for what, name, query in queries:
            yield _child(folder, "visits", what, name, query)
        for key, title in _SECTIONS.items():
            yield _child(folder, "section", f"Compare, {title} opened", key)
        yield _child(folder, "switches", _LONG_SWITCHES if long else _SWITCHES)


def _child(folder: str, what: str, *arguments: object) -> dict[str, object]:
    """What a function of this module measures in a process of its own."""
    environment = os.environ | {"DEIT_RUNS_DIR": folder, "DEIT_STORE": store_url(Path(folder))}
    command = [sys.executable, "-m", "benchmarks.finished_runs", what, json.dumps(arguments)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr)
    row: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return row


def visits(what: str, name: str, query: dict[str, str | list[str]]) -> dict[str, object]:
    """A page's first paint."""
    times = [_times(lambda: _visit(name, query)) for _ in range(1 + _VISITS)]
    return {"what": what, **_seconds(times)}


def section(what: str, key: str) -> dict[str, object]:
    """From the click on a section of Compare to the page with it; everything else is drawn already."""

    def opened() -> tuple[float, float]:
        page = _visit("compare", {})
        page.session_state[key] = True
        return _times(lambda: _drawn(page.run()))

    return {"what": what, **_seconds([opened() for _ in range(1 + _VISITS)])}


def switches(count: int) -> dict[str, object]:
    """Memory of the process while one session compares one pair after another, with all sections open."""
    from dashboard import state
    from dashboard.server.allocator import keep_little_free
    from dashboard.server.garbage import free_garbage

    keep_little_free()  # as the server does, and so does this:
    threading.Thread(target=free_garbage, args=(threading.Event(),), daemon=True).start()
    page = _visit("compare", {})
    ids = [run.id for run in state.store().runs()]
    pairs = list(combinations(ids, 2))
    random.Random(0).shuffle(pairs)

    def switch(chosen: Sequence[str]) -> None:
        for key in _SECTIONS:  # AppTest forgets what is open
            page.session_state[key] = True
        _drawn(page.multiselect(key="compare").set_value(list(chosen)).run())

    switch(ids)  # reads every curve, which are kept
    times, held = [], []
    for pair in pairs[: _WARM_SWITCHES + count]:
        times.append(_times(partial(switch, pair)))
        held.append(psutil.Process().memory_info().rss / 1e6)
    measured = held[_WARM_SWITCHES:]
    slope = float(np.polyfit(np.arange(count), measured, 1)[0])
    return {
        "what": f"{count} switches of the pair, all sections open",
        "cpu_s": round(statistics.median(cpu for cpu, _ in times), 2),
        "wall_s": round(statistics.median(wall for _, wall in times), 2),
        "mb_at_first": round(measured[0]),
        "mb_at_last": round(measured[-1]),
        "mb_per_100_switches": round(100 * slope, 1),
    }


def _visit(name: str, query: dict[str, str | list[str]]) -> Any:
    """A page as a visitor with a new session first sees it."""
    from streamlit.testing.v1 import AppTest

    page = AppTest.from_string(_PAGE.format(name=name), default_timeout=6000)
    for key, value in query.items():
        page.query_params[key] = value
    return _drawn(page.run())


def _drawn(page: Any) -> Any:
    if page.exception or page.error:
        raise RuntimeError(f"The page shows an error: {[one.value for one in (*page.exception, *page.error)]}")
    return page


def _times(call: Callable[[], object]) -> tuple[float, float]:
    """Seconds of the processor and of the clock."""
    began = time.process_time(), time.perf_counter()
    call()
    return time.process_time() - began[0], time.perf_counter() - began[1]


def _seconds(times: list[tuple[float, float]]) -> dict[str, float]:
    """Of the first in a process, which imports and reads, and the median of the others."""
    first, *others = times
    cpu, wall = (statistics.median(values) for values in zip(*others, strict=True))
    return {
        "first_cpu_s": round(first[0], 2),
        "first_wall_s": round(first[1], 2),
        "cpu_s": round(cpu, 2),
        "wall_s": round(wall, 2),
    }


def _as_in_a_server() -> None:
    """What a server has done before its first visitor comes, and would be counted as the page's; no process starts."""
    from streamlit.components.v2 import manifest_scanner
    from streamlit.testing.v1 import AppTest

    from dashboard import navigation
    from deit_core.runs.engines import local
    from deit_core.runs.estimates import Estimates

    manifest_scanner.scan_component_manifests = cache(manifest_scanner.scan_component_manifests)
    AppTest.from_string("import streamlit as st\nst.title('Nothing')").run(timeout=600)
    navigation.load_pages()
    local.start_worker = lambda *_: type("Worker", (), {"pid": -1, "poll": lambda _: None})()
    Estimates.request = lambda *_: None  # type: ignore[method-assign]


if __name__ == "__main__":
    _as_in_a_server()
    measurements: dict[str, Callable[..., dict[str, object]]] = {
        one.__name__: one for one in (visits, section, switches)
    }
    _, which, arguments = sys.argv
    print(json.dumps(measurements[which](*json.loads(arguments))))
