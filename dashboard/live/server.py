"""The live feed: every page that watches runs learns at once what they measure, and what else has changed.

A page holds one websocket. It sends what it shows. It receives the new points and the state of its runs, and a request
to draw itself again where that is not enough. The store is read once for all pages, and less often the more pages there
are, so that watching costs a training little. Knows runs and websockets; nothing of charts or widgets.
"""

import asyncio
import json
import math
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple
from urllib.parse import urlparse

import streamlit as st
from starlette.websockets import WebSocket, WebSocketDisconnect
from streamlit.web.server.server_util import is_url_from_allowed_origins
from streamlit.web.server.starlette.starlette_websocket import is_host_allowed

from dashboard import state
from dashboard.run_status import explain
from deit_core.runs import Point, Run, Status

PATH = "live"  # of the websocket, below the address of the app

PERIOD_S = 0.4  # between two reads of the store
IDLE_PERIOD_S = 2.0  # where nothing trains or is queued
PERIOD_OF_EACH_S = 0.03  # the more pages, the longer
REDRAW_S = 5.0  # of the progress, on one page; at most one page is drawn again in this time
_TEND_S = 1.0
PATIENCE_S = 5.0  # until a page that has not drawn itself again gets another request

Redraw = Literal["page", "progress", ""]


class Drawn(NamedTuple):
    """What a page draws. `state` changes when it must be drawn again: a status, or the first point of its kind."""

    seqs: dict[str, int]  # id of each run with curves -> its newest point
    state: str


def drawn(runs: Sequence[Run], shown: Sequence[str]) -> Drawn:
    """What a page is about to draw; call it before the curves are drawn, so that these are at least as new.

    Args: shown: ids of the runs whose curves it shows.
    """
    for run_id in shown:
        state.curves().read(run_id)
    return Drawn({run_id: state.curves().newest(run_id) for run_id in shown}, _state(runs, shown))


def drawn_progress(runs: Sequence[Run]) -> str:
    """Changes when a run makes progress: a thousandth of its steps, or an epoch."""
    return str(hash(tuple((run.epoch, int(1000 * run.progress), *run.results.values()) for run in runs)))


@dataclass
class _Watch:
    """What one page reports to have drawn."""

    seqs: dict[str, int] = field(default_factory=dict)  # run id -> newest point
    state: str = ""
    progress: str = ""
    lines: dict[str, str] = field(default_factory=dict)  # run id -> its state
    drawn_at: float = 0.0
    asked_at: float = -math.inf

    def heed(self, message: dict[str, Any]) -> None:
        self.seqs, self.state, self.progress = message["runs"], message["state"], message["progress"]
        self.lines = {}
        self.drawn_at, self.asked_at = time.monotonic(), -math.inf

    def points(self) -> dict[str, list[Point]]:
        """The points that are new to it, by run."""
        new = {run_id: state.curves().since(run_id, seq) for run_id, seq in self.seqs.items()}
        new = {run_id: points for run_id, points in new.items() if points}
        self.seqs |= {run_id: points[-1].seq for run_id, points in new.items()}
        return new

    def new_lines(self, runs: Sequence[Run]) -> dict[str, str]:
        """The state of its running runs, where that has changed since it was drawn, by run."""
        lines = {run.id: explain(run, runs) for run in runs if run.id in self.seqs and run.status == Status.RUNNING}
        new = {run_id: line for run_id, line in lines.items() if line != self.lines.get(run_id, line)}
        self.lines = lines
        return new

    def redraw(self, runs: Sequence[Run], interval_s: float) -> Redraw:
        """What it should draw again now: the page, the progress, or nothing."""
        now = time.monotonic()
        if now - self.asked_at < PATIENCE_S:
            return ""
        if _state(runs, self.seqs) != self.state:
            self.asked_at = now
            return "page"
        if now - self.drawn_at >= interval_s and drawn_progress(runs) != self.progress:
            self.asked_at = now
            return "progress"
        return ""


class _Reader:
    """Reads the store for all pages."""

    def __init__(self) -> None:
        self.runs: list[Run] = []
        self.num_watching = 0
        self._watched: Counter[str] = Counter()
        self._lock = asyncio.Lock()
        self._looked_at = self._tended_at = -math.inf

    @property
    def period_s(self) -> float:
        shortest_s = PERIOD_S if any(run.status.is_active for run in self.runs) else IDLE_PERIOD_S
        return max(shortest_s, self.num_watching * PERIOD_OF_EACH_S)

    @property
    def due_in_s(self) -> float:
        """Wait for the next read, at the same moment for all pages: each wake-up interrupts the training."""
        return self.period_s - time.monotonic() % self.period_s

    @contextmanager
    def watching(self) -> Iterator[_Watch]:
        self.num_watching += 1
        watch = _Watch()
        try:
            yield watch
        finally:
            self.num_watching -= 1

    async def look(self, run_ids: Sequence[str]) -> list[Run]:
        """All runs as they were a moment ago; the points of these runs are read up to then."""
        async with self._lock:
            self._watched.update(run_ids)
            if time.monotonic() - self._looked_at > 0.7 * self.period_s:
                await asyncio.to_thread(self._look)
        return self.runs

    def _look(self) -> None:
        self._looked_at = time.monotonic()
        if self._looked_at - self._tended_at > _TEND_S:
            state.launcher().ensure_workers()
            self._tended_at = self._looked_at
        self.runs = state.store().runs()
        for run_id in self._watched:
            state.curves().read(run_id)
        self._watched.clear()


@st.cache_resource(show_spinner=False)
def _reader() -> _Reader:
    return _Reader()


async def listen(websocket: WebSocket) -> None:
    """Serve one page until it leaves."""
    origin, host = websocket.headers.get("Origin"), websocket.headers.get("Host")
    if not _is_allowed(origin, host):
        await websocket.close(code=1008)
        return
    await websocket.accept()
    reader = _reader()
    with reader.watching() as watch, suppress(WebSocketDisconnect):
        while True:
            with suppress(TimeoutError):
                watch.heed(await asyncio.wait_for(websocket.receive_json(), reader.due_in_s if watch.state else None))
            runs = await reader.look(list(watch.seqs))
            points, lines = watch.points(), watch.new_lines(runs)
            redraw = watch.redraw(runs, reader.num_watching * REDRAW_S)
            if points or lines or redraw:
                await websocket.send_text(_message(points, lines, redraw))


def _is_allowed(origin: str | None, host: str | None) -> bool:
    """As Streamlit decides for its own websocket: another site's page must not listen."""
    if not is_host_allowed(host):
        return False
    return origin is None or urlparse(origin).netloc == host or is_url_from_allowed_origins(origin)


def _message(points: dict[str, list[Point]], lines: dict[str, str], redraw: Redraw) -> str:
    return json.dumps(
        {
            "points": {run_id: [_for_browser(point) for point in new] for run_id, new in points.items()},
            "lines": lines,
            "redraw": redraw,
        }
    )


def _for_browser(point: Point) -> dict[str, Any]:
    finite = {name: value if math.isfinite(value) else None for name, value in point.metrics.items()}
    return {
        "seq": point.seq,
        "kind": point.kind,
        "step": point.step,
        "epoch": point.epoch,
        "elapsed_s": point.elapsed_s,
        "metrics": finite,
    }


def _state(runs: Iterable[Run], shown: Iterable[str]) -> str:
    store = state.store()
    statuses = tuple((run.id, run.status, run.stop_requested) for run in runs)
    shapes = tuple(state.curves().shape(run_id) for run_id in sorted(shown))
    return str(hash((store.is_there, store.num_openings, statuses, shapes)))
