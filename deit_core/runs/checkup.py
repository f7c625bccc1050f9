"""Whether a store is in order, a copy of it, and a new one from the folders of the runs.

Knows the store and what run folders say; nothing of processes or of how it is shown.
"""

import os
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import func, insert, select, update

from deit_core.errors import DamagedStoreError, ResourceError, RunError, StoreError
from deit_core.files import is_there
from deit_core.layout import RunFiles, run_folder
from deit_core.refusals import damaged_store
from deit_core.runs import schema
from deit_core.runs.artifacts import artifacts_of
from deit_core.runs.imported_curves import damaged_curves
from deit_core.runs.open_database import is_on_a_server, name_of
from deit_core.runs.records import Run
from deit_core.runs.run_folders import FoundRun, find_run, folders_of_runs
from deit_core.runs.sqlite_database import SqliteDatabase, sqlite_path
from deit_core.runs.store import Store, open_store
from deit_core.settings import Settings

_SHOWN = 5  # problems of one kind


@dataclass(frozen=True)
class StoreFacts:
    """`name` is what messages call the store, `file` its file, if it is one; `problems` are sentences that say what to
    do, none where the store is in order.
    """

    name: str
    file: Path | None
    size_bytes: int
    num_runs: int
    num_experiments: int
    num_points: int
    problems: tuple[str, ...]


@dataclass(frozen=True)
class Rebuilt:
    """`kept_as` is the damaged file's new name; `lost` are sentences on what could not be brought back."""

    kept_as: Path | None
    runs: tuple[Run, ...]
    lost: tuple[str, ...]


def check_store(settings: Settings) -> StoreFacts:
    """Look for damage in the file, rows that cannot be read, and folders and rows that lack each other.

    Raises: RunError where DEIT_STORE is no address of a store; every other trouble is one of the problems.
    """
    name = name_of(settings.store_url)
    num_runs = num_experiments = num_points = size_bytes = 0
    try:
        with closing(open_store(settings.store_url, create=False)) as store:
            size_bytes = store.database.size_bytes()
            if damage := store.database.damage():
                raise damaged_store(f"The store {name} is damaged ({damage})")
            runs, unreadable = store.listed()
            num_runs, num_experiments = len(runs) + len(unreadable), len(store.experiments())
            with store.reading() as connection:
                num_points = connection.scalars(select(func.count()).select_from(schema.metrics)).one()
            problems = _problems(store, settings)
    except (StoreError, ResourceError) as error:
        problems = [str(error)]
    file = None if is_on_a_server(settings.store_url) else Path(name)
    return StoreFacts(name, file, size_bytes, num_runs, num_experiments, num_points, tuple(problems))


def back_up_store(settings: Settings, out: Path | None = None) -> Path:
    """Copy the store as it is at one moment, also while runs are trained.

    Args: out: the file to write; by default next to the store, with the time in its name.
    Raises: RunError where the file exists, or there is no store; StoreError where it cannot be read or written.
    """
    if is_on_a_server(settings.store_url):
        raise RunError(
            f"The store {name_of(settings.store_url)} is on a server: copy it with the server's own pg_dump, or into a "
            "SQLite file with `python -m deit_core store copy`."
        )
    database = SqliteDatabase(settings.store_url, create=False)
    out = out or _next_to(database.path, "backup")
    if is_there(out):
        raise RunError(f"{out} exists; choose another name with --out.")
    if not database.is_there:
        raise RunError(f"There is no store at {database.path}; choose another folder with --runs-dir.")
    with closing(database):
        database.copy_to(out)
    return out


def rebuild_store(settings: Settings) -> Rebuilt:
    """Make a store that has every run whose folder is there. A damaged file is kept under another name.

    What a store in order has stays as it is; it gets the runs that it lacks, and those whose rows cannot be read.

    Raises: StoreError where no store can be made: the disk is full or may not be written, the store is of a newer
        version, or another program holds it.
    """
    kept_as = None
    if not is_on_a_server(settings.store_url) and _is_damaged(settings):
        kept_as = _set_aside(sqlite_path(settings.store_url))
    with closing(open_store(settings.store_url)) as store:
        is_new = not any(store.listed())
        found, lost = _find(store, settings.runs_dir)
        _bring_back(store, found)
        runs = store.runs([run.id for run in found])
    names = {run.id: f"Run {run.number} {run.name}" for run in runs}
    lost += [f"{names[run.id]} has lost {' and '.join(run.lost)}." for run in found if run.lost]
    if is_new:
        lost.append(
            "Folders do not say to which experiment a run belongs, which runs waited for their first step, or which "
            "curves were imported: that is lost."
        )
    return Rebuilt(kept_as, tuple(runs), tuple(lost))


def _problems(store: Store, settings: Settings) -> list[str]:
    runs_dir, artifacts = settings.runs_dir, artifacts_of(settings)
    published = artifacts.ids() if artifacts else set()
    runs, unreadable = store.listed()
    known = {run.id for run in runs} | {run.id for run in unreadable}
    problems = [run.sentence for run in unreadable]
    with store.reading() as connection:
        query = select(schema.metrics.c.run_id, func.count().label("num")).group_by(schema.metrics.c.run_id)
        written = {row.run_id: row.num for row in connection.execute(query)}
    for run in runs:
        if num_bad := written.get(run.id, 0) - len(store.points(run.id)):
            problems.append(
                f"Run {run.number} {run.name}: {num_bad} of its points cannot be read, so its curves lack them."
            )
        if run.step and run.id not in published and not run_folder(runs_dir, run.id).exists():
            problems.append(
                f"Run {run.number} {run.name}: its folder {run_folder(runs_dir, run.id)} is gone; put it back, or "
                "delete the run."
            )
    problems += [
        f"A line of the imported curves {name} cannot be read; delete them with `python -m deit_core curves delete`, "
        "and import them again."
        for name in damaged_curves(store)
    ]
    unknown = [folder for folder in folders_of_runs(runs_dir) if folder.name not in known]
    copies = [folder.name for folder in unknown if artifacts and RunFiles(folder).published.exists()]
    if copies:
        problems.append(
            f"{len(copies):,} folders in {runs_dir} are copies of runs that were deleted on another machine, such as "
            f"{copies[0]}; remove them to free the disk."
        )
    if alone := [folder.name for folder in unknown if folder.name not in copies]:
        more = f" and {len(alone) - _SHOWN} more" if len(alone) > _SHOWN else ""
        problems.append(
            f"The store lacks the runs of the folders {', '.join(alone[:_SHOWN])}{more}; "
            "`python -m deit_core store rebuild` adds them."
        )
    return problems


def _is_damaged(settings: Settings) -> bool:
    try:
        with closing(open_store(settings.store_url, create=False)) as store:
            return bool(store.database.damage())
    except DamagedStoreError:
        return True


def _set_aside(path: Path) -> Path:
    kept_as = _next_to(path, "damaged")
    for end in ("-wal", "-shm", ""):  # without the file itself the others would be taken for the new store's
        file = path.with_name(path.name + end)
        if file.exists():
            file.rename(kept_as.with_name(kept_as.name + end))
    return kept_as


def _next_to(path: Path, what: str) -> Path:
    """A name with the time, for a file that is not there yet."""
    name = f"{path.name}.{what}-{time.strftime('%Y-%m-%d-%H%M%S')}"
    names = (name, *(f"{name}-{number}" for number in range(2, 1000)))
    return next(path.with_name(one) for one in names if not os.path.lexists(path.with_name(one)))


def _find(store: Store, runs_dir: Path) -> tuple[list[FoundRun], list[str]]:
    """The runs that the store does not show, the oldest first; and sentences on the folders that are no runs."""
    found: list[FoundRun] = []
    reasons: list[str] = []
    known = {run.id for run in store.runs()}
    for folder in folders_of_runs(runs_dir):
        if folder.name not in known:
            try:
                found.append(find_run(folder))
            except RunError as error:
                reasons.append(str(error))
    return sorted(found, key=lambda run: (run.created_at, run.id)), reasons


def _bring_back(store: Store, found: list[FoundRun]) -> None:
    with store.writing() as connection:
        known = set(connection.scalars(select(schema.runs.c.id)))
        for run in found:
            columns = {
                "spec": run.spec.model_dump_json(),
                "status": run.status,
                "message": run.message,
                "experiment_id": None,
                "stop_requested": 0,
                "reserved_for": None,
                "worker_id": None,
                "created_at": run.created_at,
                "started_at": run.created_at,
                "finished_at": run.finished_at,
                "step": run.step,
                "total_steps": run.total_steps,
                "epoch": run.epoch,
                "time_left_s": None,
                "results": run.results,
            }
            if run.id in known:  # but its row cannot be read; its points may be
                connection.execute(update(schema.runs).where(schema.runs.c.id == run.id).values(columns))
            else:
                connection.execute(insert(schema.runs).values(id=run.id, **columns))
                if run.points:
                    rows = [{"run_id": run.id, **vars(point)} for point in run.points]
                    connection.execute(insert(schema.metrics), rows)
            store.note(connection, run.id, run.status, "found in its folder")
        known |= {run.id for run in found}
        needs = [{"run_id": run.id, "needs_id": other} for run in found for other in run.references & known]
        if needs:
            connection.execute(insert(schema.dependencies), needs)
