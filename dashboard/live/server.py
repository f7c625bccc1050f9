"""The live feed: every page that watches runs learns at once what they measure, and what else has changed.

A page holds one websocket. It sends what it shows. It receives the new points and the state of its runs, and a request
to draw itself again where that is not enough. The store is read once for all pages, and less often the more pages there
are, so that watching costs a training little; one on a server only when the server tells that it was written. Knows
runs and websockets; nothing of charts or widgets.
"""

import asyncio
import json
import logging
import math
import time
from collections.abc import Container, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple
from urllib.parse import urlparse

import streamlit as st
from starlette.websockets import WebSocket, WebSocketDisconnect
from streamlit.web.server.server_util import is_url_from_allowed_origins

from dashboard import state
from dashboard.error_messages import errors_as_messages
from dashboard.live.messages import Inbox, MessageError, Report
from dashboard.run_status import explain
from deit_core.runs import Point, Run, Status

PATH = "live"  # of the websocket, below the address of the app

PERIOD_S = 0.4  # between two reads of the store
IDLE_PERIOD_S = 2.0  # where nothing trains or is queued
PERIOD_OF_EACH_S = 0.03  # the more pages, the longer
MAX_RUNS = 200  # of one page, and read at once: as many curves as are kept
MOST_COUNTED = 60  # pages; more of them do not slow the feed further
UNHEARD_S = 5.0  # a store that tells when something is written is read as often, should it not tell
READING_SHARE = 0.04  # of a core, for reading all runs: of thousands less often
REDRAW_S = 5.0  # of the progress, on one page; at most one page is drawn again in this time
_TEND_S = 1.0
PATIENCE_S = 5.0  # until a page that has not drawn itself again gets another request

Redraw = Literal["page", "progress", ""]

_log = logging.getLogger(__name__)


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

    def heed(self, report: Report) -> None:
        self.seqs, self.state, self.progress = dict(report.runs), report.state, report.progress
        self.lines = {}
        self.drawn_at, self.asked_at = time.monotonic(), -math.inf

    def points(self, runs: Sequence[Run]) -> dict[str, list[Point]]:
        """The points that are new to it, by run."""
        new = {run_id: state.curves().since(run_id, self.seqs[run_id]) for run_id in _known(runs, self.seqs)}
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


class Reader:
    """Reads the store for all pages."""

    def __init__(self) -> None:
        self.runs: list[Run] = []
        self._num_pages = 0
        self._watched: set[str] = set()
        self._read: set[str] = set()  # of these runs all points are read that were there at `_read_at`
        self._read_at = -math.inf
        self._lock = asyncio.Lock()
        self._looked_at = self._tended_at = -math.inf
        self._cost_s = 0.0  # of reading all runs

    @property
    def num_watching(self) -> int:
        return min(self._num_pages, MOST_COUNTED)

    @property
    def period_s(self) -> float:
        shortest_s = PERIOD_S if any(run.status.is_active for run in self.runs) else IDLE_PERIOD_S
        return max(shortest_s, self.num_watching * PERIOD_OF_EACH_S, self._cost_s / READING_SHARE)

    @property
    def due_in_s(self) -> float:
        """Wait for the next read, at the same moment for all pages: each wake-up interrupts the training."""
        return self.period_s - time.monotonic() % self.period_s

    @contextmanager
    def watching(self) -> Iterator[_Watch]:
        self._num_pages += 1
        try:
            yield _Watch()
        finally:
            self._num_pages -= 1

    async def look(self, run_ids: Sequence[str]) -> list[Run]:
        """All runs as they were a moment ago; the points of these runs are read up to then."""
        async with self._lock:
            self._watched.update(run_ids)
            if time.monotonic() - self._looked_at > 0.7 * self.period_s:
                await asyncio.to_thread(self._look)
        return self.runs

    def _look(self) -> None:
        self._looked_at = time.monotonic()
        with errors_as_messages(lambda _: None):  # a page that is drawn says what is wrong with the store
            if state.listener().has_news():
                self._read_at = -math.inf
            if self._looked_at - self._read_at > UNHEARD_S or not self._watched <= self._read:
                self._read_store()
        self._watched.clear()

    def _read_store(self) -> None:
        if self._looked_at - self._tended_at > _TEND_S:
            state.launcher().ensure_workers()
            self._tended_at = self._looked_at
        began_s = time.thread_time()
        self.runs = state.store().runs()
        self._cost_s = time.thread_time() - began_s
        for run_id in _known(self.runs, self._watched):
            state.curves().read(run_id)
        self._read, self._read_at = set(self._watched), self._looked_at


@st.cache_resource(show_spinner=False)
def _reader() -> Reader:
    return Reader()


async def listen(websocket: WebSocket) -> None:
    """Serve one page until it closes, or until a message comes that our pages do not send."""
    if not _is_own_page(websocket.headers.get("Origin"), websocket.headers.get("Host")):
        await websocket.close(code=1008)
        return
    await websocket.accept()
    inbox, reader = Inbox(websocket), _reader()
    try:
        with reader.watching() as watch, suppress(WebSocketDisconnect):
            while True:
                with suppress(TimeoutError):
                    watch.heed(await asyncio.wait_for(inbox.next(), reader.due_in_s if watch.state else None))
                runs = await reader.look(list(watch.seqs))
                points, lines = watch.points(runs), watch.new_lines(runs)
                redraw = watch.redraw(runs, reader.num_watching * REDRAW_S)
                if points or lines or redraw:
                    await websocket.send_text(_message(points, lines, redraw))
    except MessageError as reason:
        sender = websocket.client.host if websocket.client else "a page"
        _log.warning("The live feed closed a connection of %s, which sent %s.", sender, reason)
        await websocket.close(code=1008)


def _is_own_page(origin: str | None, host: str | None) -> bool:
    """As Streamlit decides for its own websocket: another site's page must not listen."""
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


def _known(runs: Sequence[Run], shown: Container[str]) -> list[str]:
    """Of what a page shows the ids of runs of the store, the newest first, and no more than there are curves kept."""
    return [run.id for run in runs if run.id in shown and not run.is_demo][:MAX_RUNS]


def _state(runs: Sequence[Run], shown: Container[str]) -> str:
    is_there, num_openings = False, 0
    with errors_as_messages(lambda _: None):  # a page that is drawn says what is wrong with the store
        is_there, num_openings = state.store().is_there, state.store().database.num_openings
    statuses = tuple((run.id, run.status, run.stop_requested) for run in runs if not run.is_demo)
    shapes = tuple(state.curves().shape(run_id) for run_id in _known(runs, shown))
    return str(hash((is_there, num_openings, statuses, shapes)))
