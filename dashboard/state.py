"""What all pages and all visitors share: the store, the launcher, the curves read so far, and the data sets.

Nothing here matters: restart the dashboard and it is read again from the store.
"""

import threading
from typing import TYPE_CHECKING

import streamlit as st

from deit_core.catalog import SourceFacts, SourceName
from deit_core.facts import facts_of
from deit_core.runs import LocalLauncher, Point, Run, Store, open_store
from deit_core.settings import Settings
from deit_core.spec import DataSpec

if TYPE_CHECKING:
    from deit_core.data import Source


@st.cache_resource
def settings() -> Settings:
    return Settings.from_env()


@st.cache_resource
def store() -> Store:
    return open_store(settings().store_url)


@st.cache_resource
def launcher() -> LocalLauncher:
    return LocalLauncher(store(), settings())


class _Read:
    """What has been read of one run."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.points: list[Point] = []
        self.last_seq = 0


class Curves:
    """The points of each run, read from the store once: a poll fetches only what is new."""

    def __init__(self, store: Store, max_runs: int = 200) -> None:
        self._store, self._max_runs = store, max_runs
        self._lock = threading.Lock()
        self._read: dict[str, _Read] = {}  # the least recently shown run first

    def of(self, run: Run) -> list[Point]:
        """All points of a run by step, those that a resumed session measured again in their place."""
        with self._lock:
            read = self._read.pop(run.id) if run.id in self._read else _Read()
            self._read[run.id] = read
            while len(self._read) > self._max_runs:
                del self._read[next(iter(self._read))]
        with read.lock:
            for point in self._store.points(run.id, after_seq=read.last_seq):
                read.last_seq = point.seq
                if point.kind == "start":
                    read.points[:] = [kept for kept in read.points if kept.step <= point.step]
                else:
                    read.points.append(point)
            return list(read.points)


@st.cache_resource
def curves() -> Curves:
    return Curves(store())


def source(data: DataSpec) -> "Source":
    """What a spec takes its images from, loaded once for everybody, and torch with it.

    Raises: DataError where it cannot be had.
    """
    return _folder(data.model_dump_json()) if data.source == "folder" else _source(data.source)


@st.cache_data(ttl=5, show_spinner=False)
def facts(data_json: str) -> SourceFacts:
    """What is known of a spec's data before it is read. Raises: DataError where a folder is no data set."""
    return facts_of(DataSpec.model_validate_json(data_json), settings().data_dir)


@st.cache_resource(max_entries=2, show_spinner="Loading the images…")
def _source(name: SourceName) -> "Source":
    from deit_core.data import load_source

    return load_source(name, settings().data_dir)


@st.cache_resource(max_entries=4, ttl=60, show_spinner="Listing the images…")  # a folder may change
def _folder(data_json: str) -> "Source":
    from deit_core.data import open_source

    return open_source(DataSpec.model_validate_json(data_json), settings().data_dir)
