"""What all pages and all visitors share: the store, the launcher, the curves read so far, and the data sets.

Nothing is lost when the dashboard restarts: all of it is read again from the store.
"""

import threading
from bisect import bisect_right
from typing import TYPE_CHECKING

import streamlit as st

from deit_core.catalog import SourceFacts, SourceName
from deit_core.image_folders import ImageFolder, find_folder, list_folder
from deit_core.image_folders.facts import facts_of, folder_facts
from deit_core.runs import LocalLauncher, Point, Run, Store, open_store
from deit_core.settings import Settings
from deit_core.spec import DataSpec

if TYPE_CHECKING:
    from deit_core.data import Source


@st.cache_resource(show_spinner=False)
def settings() -> Settings:
    return Settings.from_env()


@st.cache_resource(show_spinner=False)
def store() -> Store:
    return open_store(settings().store_url)


@st.cache_resource(show_spinner=False)
def launcher() -> LocalLauncher:
    return LocalLauncher(store(), settings())


class _Read:
    """The points read so far of one run."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.points: list[Point] = []
        self.last_seq = 0
        self.num_sessions = 0
        self.measured: set[tuple[str, str]] = set()  # kind, metric


class Curves:
    """The points of each run, read from the store once: the next call reads only the new ones."""

    def __init__(self, store: Store, max_runs: int = 200) -> None:
        self._store, self._max_runs = store, max_runs
        self._lock = threading.Lock()
        self._read: dict[str, _Read] = {}  # the least recently shown run first

    def of(self, run: Run) -> list[Point]:
        """All points of a run by step; a resumed session replaces the points that it measured again."""
        self.read(run.id)
        return self.since(run.id, 0)

    def read(self, run_id: str) -> None:
        """Read the new points of a run."""
        read = self._of(run_id)
        with read.lock:
            for point in self._store.points(run_id, after_seq=read.last_seq):
                read.last_seq = point.seq
                if point.kind == "start":
                    read.points[:] = [kept for kept in read.points if kept.step <= point.step]
                    read.num_sessions += 1
                else:
                    read.points.append(point)
                    read.measured.update((point.kind, metric) for metric in point.metrics)

    def since(self, run_id: str, seq: int) -> list[Point]:
        """The points of a run that were read and were written after `seq`."""
        read = self._of(run_id)
        with read.lock:
            return read.points[bisect_right(read.points, seq, key=lambda point: point.seq) :]

    def newest(self, run_id: str) -> int:
        """The seq of the last point that has been read of a run."""
        return self._of(run_id).last_seq

    def shape(self, run_id: str) -> tuple[int, frozenset[tuple[str, str]]]:
        """A summary of the points of a run: its sessions, and the (kind, metric) that it has points of."""
        read = self._of(run_id)
        with read.lock:
            return read.num_sessions, frozenset(read.measured)

    def _of(self, run_id: str) -> _Read:
        with self._lock:
            read = self._read.pop(run_id) if run_id in self._read else _Read()
            self._read[run_id] = read
            while len(self._read) > self._max_runs:
                del self._read[next(iter(self._read))]
            return read


@st.cache_resource(show_spinner=False)
def curves() -> Curves:
    return Curves(store())


def source(data: DataSpec) -> "Source":
    """The source of a spec's images, loaded once for all visitors; loads torch too.

    Raises: DataError where it cannot be loaded.
    """
    return _folder(data.model_dump_json()) if data.source == "folder" else _source(data.source)


@st.cache_data(ttl=5, show_spinner=False)
def facts(data_json: str) -> SourceFacts:
    """The facts on a spec's data that are known before it is read. Raises: DataError where a folder is no data set."""
    data = DataSpec.model_validate_json(data_json)
    if data.source != "folder":
        return facts_of(data, settings().data_dir)
    return folder_facts(data, find_folder(data.path, settings().data_dir), listing(data.path))


@st.cache_resource(max_entries=4, ttl=5, show_spinner="Listing the images…")
def listing(path: str) -> ImageFolder:
    """The images in the folder at `data.path`. Raises: DataError where it is not a data set."""
    return list_folder(find_folder(path, settings().data_dir))


@st.cache_resource(max_entries=2, show_spinner="Loading the images…")
def _source(name: SourceName) -> "Source":
    from deit_core.data import load_source

    return load_source(name, settings().data_dir)


@st.cache_resource(max_entries=4, ttl=60, show_spinner="Listing the images…")  # a folder may change
def _folder(data_json: str) -> "Source":
    from deit_core.data import open_source

    return open_source(DataSpec.model_validate_json(data_json), settings().data_dir)
