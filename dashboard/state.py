"""What all pages and all visitors share: the store, the launcher, and the curves read so far.

Nothing here matters: restart the dashboard and it is read again from the store.
"""

import threading

import streamlit as st

from deit_core.runs import LocalLauncher, Point, Run, Store, open_store
from deit_core.settings import Settings


@st.cache_resource
def settings() -> Settings:
    return Settings.from_env()


@st.cache_resource
def store() -> Store:
    return open_store(settings().store_url)


@st.cache_resource
def launcher() -> LocalLauncher:
    return LocalLauncher(store(), settings())


class Curves:
    """The points of each run, read from the store once: a poll fetches only what is new."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._points: dict[str, list[Point]] = {}
        self._read_to: dict[str, int] = {}

    def of(self, run: Run) -> list[Point]:
        """All points of a run by step, those that a resumed session measured again in their place."""
        with self._lock:
            points = self._points.setdefault(run.id, [])
            for point in self._store.points(run.id, after_seq=self._read_to.get(run.id, 0)):
                self._read_to[run.id] = point.seq
                if point.kind == "start":
                    points[:] = [kept for kept in points if kept.step <= point.step]
                else:
                    points.append(point)
            return list(points)


@st.cache_resource
def curves() -> Curves:
    return Curves(store())
