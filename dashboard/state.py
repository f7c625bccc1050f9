"""What all pages and all visitors share: the store, the launcher, the curves read so far, and the data sets.

Nothing is lost when the dashboard restarts: all of it is read again from the store.
"""

import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from dashboard.error_messages import errors_as_messages
from dashboard.reach import DEMO, is_demo, others_can_reach, shown
from dashboard.text import escape, message
from deit_core.catalog import SourceFacts, SourceName
from deit_core.errors import RunError
from deit_core.image_folders import ImageFolder, find_folder, list_folder
from deit_core.image_folders.facts import facts_of, folder_facts
from deit_core.layout import RunFiles, run_folder
from deit_core.runs import (
    Curves,
    LocalLauncher,
    Run,
    RunReader,
    Status,
    Store,
    UnreadableRun,
    WithDemo,
    allowed_paths,
    demo_runs,
    log_tail,
    open_store,
)
from deit_core.runs.artifacts import bring
from deit_core.runs.database import Listener
from deit_core.settings import Settings
from deit_core.spec import AnySpec, DataSpec, RunSpec

if TYPE_CHECKING:
    from deit_core.data import Source
    from deit_core.run_files.prediction_file import KeptPredictions


_LOOK_S = 10.0  # between two looks at what is published of a run
SHOWS_DEMO = "shows_demo"  # in the session
_WARNINGS = "warnings"  # in the session: the page's place for them, and the runs that it names


class _Caretaker(LocalLauncher):
    """In a demo: starts no worker, and refuses whatever would change a run."""

    def ensure_workers(self) -> None:
        pass

    def warm(self) -> None:
        pass

    def submit(self, spec: AnySpec, *, key: str | None = None) -> list[str]:
        raise RunError(DEMO)

    def stop(self, run_id: str) -> None:
        raise RunError(DEMO)

    def resume(self, run_id: str) -> None:
        raise RunError(DEMO)

    def delete(self, run_id: str) -> None:
        raise RunError(DEMO)


@st.cache_resource(show_spinner=False)
def settings() -> Settings:
    return Settings.from_env()


@st.cache_resource(show_spinner=False)
def store() -> Store:
    return open_store(settings().store_url)


@st.cache_resource(show_spinner=False)
def listener() -> Listener:
    """Hears what is written into the store; the live feed alone asks it."""
    return store().database.listen()


@st.cache_resource(show_spinner=False)
def launcher() -> LocalLauncher:
    return _Caretaker(store(), settings()) if is_demo() else LocalLauncher(store(), settings())


def runs() -> list[Run]:
    """The runs of the store, the newest first, then those that ship with the program, unless they are hidden."""
    return listed()[0]


def listed() -> tuple[list[Run], list[UnreadableRun]]:
    """`runs`, and the runs of the store that this version cannot read."""
    runs, unreadable = store().listed()
    is_wanted = settings().shows_demo and st.session_state.get(SHOWS_DEMO, True)
    return runs + (demo_runs().runs() if is_wanted else []), unreadable


@st.cache_resource(show_spinner=False)
def run_reader() -> RunReader:
    """All that can be read of `runs`."""
    return WithDemo(store(), demo_runs())


@st.cache_resource(show_spinner=False)
def curves() -> Curves:
    return Curves(run_reader())


def source(data: DataSpec) -> "Source":
    """The source of a spec's images, loaded once for all visitors; loads torch too.

    Raises: DataError where it cannot be loaded, or visitors may not see it.
    """
    check_paths(data)
    is_named = data.origin == data.source  # else its fields say which images there are
    return _source(data.source) if is_named else _opened(data.model_dump_json())


def test_source(data: DataSpec) -> "Source | None":
    """A source of which only the test images are wanted. Of a data set that is not on this machine those that ship with
    the demo runs; None without these.

    Raises: as `source`.
    """
    from deit_core.data import is_here, load_demo_images

    if data.source == "folder" or is_here(data.source, settings().data_dir):
        return source(data)
    return load_demo_images(data.source)


def check_paths(spec: AnySpec | DataSpec) -> None:
    """Refuse a spec with a path that visitors may not read. Raises: SpecError, or DataError for `data.path`."""
    if others_can_reach():
        _check_for_visitors(spec.model_dump_json(), spec)


def may_read(file: Path) -> bool:
    """Whether this page may read a file, or a folder and all in it: visitors see the data and runs folders alone."""
    return not others_can_reach() or not allowed_paths.leads_out(file, "", settings())


def files_of(run: Run) -> RunFiles:
    """The files of a run that a page looks at; they come from where they are published, if that is newer."""
    if settings().artifacts_url and not run.is_demo:
        _bring(run)
    return paths_of(run)


def paths_of(run: Run) -> RunFiles:
    """The files of a run on this machine, as they are."""
    return RunFiles(run_folder(settings().runs_dir, run.id))


def has_weights(run: Run) -> bool:
    """Whether a run has weights, here or where it is published."""
    return paths_of(run).best.exists() or bool(settings().artifacts_url and run.epoch)


def has_predictions(run: Run) -> bool:
    """Whether a run is completed and keeps what it answers for each image."""
    return run.status == Status.COMPLETED and files_of(run).predictions.is_file()


def predictions(file: Path) -> "KeptPredictions":
    """What a run keeps of its answers, read once for all visitors.

    Raises: RunError where there is no such file, or it is damaged.
    """
    return _predictions(file, changed_at(file))


def changed_at(file: Path) -> int:
    """A number that another content of a file changes; 0 where there is no file."""
    try:
        return file.stat().st_mtime_ns
    except (FileNotFoundError, NotADirectoryError):
        return 0


def shown_spec(run: Run) -> RunSpec:
    """The spec of a run as this page may show it."""
    return allowed_paths.seen_by_visitors(run.spec, settings()) if others_can_reach() else run.spec


def shown_log(run: Run, num_lines: int) -> str:
    """The last lines of a run's log as this page may show them; empty before its first."""
    return shown(log_tail(settings().runs_dir, run.id, num_lines)) if may_read(files_of(run).log) else ""


@dataclass
class _Look:
    """A look at what is published of a run: the run's status then, the time, and what went wrong."""

    status: Status
    at: float
    trouble: str = ""

    def is_due(self, run: Run) -> bool:
        is_final = self.status == run.status and not run.status.is_active and not self.trouble
        return not is_final and time.monotonic() - self.at >= _LOOK_S


def _bring(run: Run) -> None:
    look = _looks().get(run.id)
    if look is None or look.is_due(run):
        look = _looks()[run.id] = _Look(run.status, time.monotonic())
        spinner = st.spinner(f"Fetching the files of {escape(run.name)}…")
        with errors_as_messages(partial(setattr, look, "trouble")), spinner:
            bring(settings(), [run.id])
    place, warned = st.session_state.get(_WARNINGS, (st, set[str]()))
    if look.trouble and run.id not in warned:
        warned.add(run.id)
        place.warning(message(look.trouble))


def begin_page() -> None:
    """Make room above a page, where it says once of a run that its files cannot be fetched."""
    if settings().artifacts_url:
        st.session_state[_WARNINGS] = st.container(), set()


@st.cache_resource(show_spinner=False)
def _looks() -> dict[str, _Look]:
    """The newest look, by the run's id."""
    return {}


@st.cache_data(ttl=5, show_spinner=False)  # a folder may have many files, and a page asks often
def _check_for_visitors(spec_json: str, _spec: AnySpec | DataSpec) -> None:
    allowed_paths.check_paths(_spec, settings(), others_can_reach=True)


def facts(data_json: str) -> SourceFacts:
    """The facts on a spec's data that are known before it is read.

    Raises: DataError where a folder is no data set, or visitors may not see it.
    """
    check_paths(DataSpec.model_validate_json(data_json))
    return _facts(data_json)


def listing(path: str) -> ImageFolder:
    """The images in the folder at `data.path`. Raises: DataError where it is not a data set, or visitors may not see
    it.
    """
    check_paths(DataSpec(source="folder", path=path))
    return _listing(path)


@st.cache_data(ttl=5, show_spinner=False)
def _facts(data_json: str) -> SourceFacts:
    data = DataSpec.model_validate_json(data_json)
    if data.source != "folder":
        return facts_of(data, settings().data_dir)
    return folder_facts(data, find_folder(data.path, settings().data_dir), _listing(data.path))


@st.cache_resource(max_entries=4, ttl=5, show_spinner="Listing the images…")
def _listing(path: str) -> ImageFolder:
    return list_folder(find_folder(path, settings().data_dir))


@st.cache_resource(max_entries=6, show_spinner="Reading the predictions…")  # two students and a teacher, twice
def _predictions(file: Path, version: int) -> "KeptPredictions":
    from deit_core.run_files.prediction_file import read_predictions

    return read_predictions(file)


@st.cache_resource(max_entries=2, show_spinner="Loading the images…")
def _source(name: SourceName) -> "Source":
    from deit_core.data import load_source

    return load_source(name, settings().data_dir)


@st.cache_resource(max_entries=4, ttl=60, show_spinner="Listing the images…")  # a folder may change
def _opened(data_json: str) -> "Source":
    from deit_core.data import open_source

    return open_source(DataSpec.model_validate_json(data_json), settings().data_dir)
