"""The store: runs, their measured points and what became of them, in a SQLite file (WAL).

A run's status lives here and nowhere else. Knows nothing of processes (see queue.py), torch, or pages.
"""

import secrets
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    String,
    Text,
    cast,
    delete,
    false,
    insert,
    literal_column,
    select,
    update,
)

from deit_core.errors import RunError
from deit_core.runs import schema
from deit_core.runs.database import Database
from deit_core.runs.records import (
    Experiment,
    LifecycleEvent,
    NewPoint,
    Point,
    PointKind,
    Run,
    RunUpdate,
    Status,
    UnreadableRun,
)
from deit_core.runs.rows import RowError, experiment_of, lifecycle_event_of, parse_spec, points_of, run_of
from deit_core.settings import Settings
from deit_core.spec import ExperimentSpec, RunSpec
from deit_core.text.quoting import quoted, shortened

_BLOCK = 1000  # points whose metrics are decoded together
_LONGEST_ID = 12
_UNCHANGED = RunUpdate()


class GivenUpError(RunError):
    """A worker counted as dead, and the run that it trains is not its own any more."""


def open_store(url: str | None = None, *, create: bool = True) -> "Store":
    """Open the store. When another file takes its place, that one is opened.

    Args:
        url: of a SQLite file ("sqlite:///runs.sqlite"); by default that of DEIT_STORE, or a file beside the runs.
        create: make the file where there is none; else it is made when the first run is written.
    Raises: RunError for another kind of address; StoreError where the file cannot be read or written.
    """
    return Store(url or Settings.from_env().store_url, create=create)


def new_id() -> str:
    """Eight hexadecimal digits of which the first is a letter, so that nobody reads it as a number."""
    return secrets.choice("abcdef") + secrets.token_hex(4)[1:]


class Store(Database):
    """Runs and their points. Safe to share between threads; processes each open their own.

    Args:
        clock: what people read; it may be set at any time, so nothing is judged by it.
        steady: counts the same seconds in all processes of this machine, and nobody sets it.
    """

    def __init__(
        self,
        url: str,
        clock: Callable[[], float] = time.time,
        steady: Callable[[], float] = time.monotonic,
        *,
        create: bool = True,
    ) -> None:
        super().__init__(url, create=create)
        self.clock, self.steady = clock, steady
        self.beats_seen: dict[str, tuple[float, float]] = {}  # of workers in doubt: the newest, and since when it is
        self.lost_workers: dict[str, str] = {}  # gone while nothing could be written: id -> a message on their runs

    # Submitting

    def add(
        self,
        specs: dict[str, RunSpec],
        needs: dict[str, Sequence[str]],
        *,
        experiment: ExperimentSpec | None = None,
        reserved_for: str | None = None,
    ) -> None:
        """Queue runs, all or none.

        Args:
            specs: run id -> spec, in the order they should be trained.
            needs: run id -> ids of the runs that must be completed first.
            experiment: what binds them together.
            reserved_for: the only worker that may train them.
        """
        now = self.clock()
        with self.writing(anew=True) as connection:
            experiment_id = None
            if experiment is not None:
                experiment_id = new_id()
                connection.execute(
                    insert(schema.experiments).values(
                        id=experiment_id, name=experiment.name, description=experiment.description, created_at=now
                    )
                )
                connection.execute(
                    insert(schema.experiment_specs).values(
                        experiment_id=experiment_id, spec=experiment.model_dump_json()
                    )
                )
            for run_id, spec in specs.items():
                connection.execute(
                    insert(schema.runs).values(
                        id=run_id,
                        experiment_id=experiment_id,
                        spec=spec.model_dump_json(),
                        status=Status.QUEUED,
                        reserved_for=reserved_for,
                        created_at=now,
                        results={},
                    )
                )
                self.note(connection, run_id, Status.QUEUED, "submitted")
            schema.number_all(connection)
            rows = [{"run_id": run_id, "needs_id": other} for run_id, others in needs.items() for other in others]
            if rows:
                connection.execute(insert(schema.dependencies), rows)

    # Reading

    def runs(self, ids: Iterable[str] | None = None) -> list[Run]:
        """Runs with their newest state, the newest submitted first; all, or those with the given ids.

        A run whose row cannot be read is left out; `unreadable` lists these.
        """
        return self._read(None if ids is None else schema.runs.c.id.in_(list(ids)))[0]

    def run(self, run_id: str) -> Run:
        """One run, by its number, its id or the beginning of it. Ids begin with a letter.

        Raises: RunError when there is none, several begin so, or its row cannot be read.
        """
        number = self.number_of(run_id)
        runs, unreadable = self._read(schema.runs.c.number == number)
        if unreadable:
            raise RunError(unreadable[0].sentence)
        if not runs:
            raise RunError(f"There is no run {number} any more: it was deleted.")
        return runs[0]

    def number_of(self, run_id: str) -> int:
        """The number of a run, whether it can be read or not: see `run`. Raises: RunError as `run` does."""
        is_number, columns = run_id.isdecimal(), schema.runs.c
        begins = columns.id.startswith(run_id, autoescape=True) if _can_be_id(run_id) else false()
        query = select(columns.number, columns.id)
        with self.reading() as connection:
            query = query.where(cast(columns.number, String) == run_id if is_number else begins)
            numbers: dict[int, str] = {row.number: row.id for row in connection.execute(query)}
        if exact := [number for number, row_id in numbers.items() if row_id == run_id]:
            return exact[0]
        if len(numbers) != 1 or not run_id:
            count = "Several runs begin" if numbers and run_id else "There is no run whose id begins"
            what = f"There is no run {shortened(run_id)}" if is_number else f"{count} with {quoted(run_id)}"
            raise RunError(f"{what}; `python -m deit_core runs` lists them.")
        return next(iter(numbers))

    def unreadable(self) -> list[UnreadableRun]:
        """The runs that this version cannot read, and why; the newest first."""
        return self._read()[1]

    def _read(self, which: ColumnElement[bool] | None = None) -> tuple[list[Run], list[UnreadableRun]]:
        """The runs, and the rows that are none. Of a worker that is gone no run reads running, written or not."""
        query = _RUNS.order_by(schema.runs.c.number.desc())
        with self.reading() as connection:
            rows = connection.execute(query if which is None else query.where(which)).mappings().all()
            needs: dict[str, list[str]] = {}
            for run_id, needs_id in connection.execute(select(schema.dependencies)):
                needs.setdefault(run_id, []).append(needs_id)
        runs: list[Run] = []
        unreadable: list[UnreadableRun] = []
        for row in rows:
            try:
                run = run_of(row, needs.get(row["id"], ()))
            except RowError as error:
                unreadable.append(UnreadableRun(row["number"], row["id"], str(error)))
                continue
            if self._is_lost(run):
                message = self.lost_workers[run.worker_id or ""]
                run = replace(run, status=Status.INTERRUPTED, message=message, worker_id=None, time_left_s=None)
            runs.append(run)
        return runs, unreadable

    def _is_lost(self, run: Any) -> bool:
        """Whether it reads running in the file, though its worker is gone."""
        return bool(run.status == Status.RUNNING and run.worker_id in self.lost_workers)

    def experiments(self) -> list[Experiment]:
        """All experiments that were ever submitted and can be read, the oldest first."""
        table, specs = schema.experiments, schema.experiment_specs
        query = select(table, specs.c.spec).outerjoin(specs).order_by(literal_column("experiments.rowid"))
        with self.reading() as connection:
            rows = connection.execute(query).mappings().all()
        return [experiment for row in rows if (experiment := experiment_of(row)) is not None]

    def points(self, run_id: str, *, after_seq: int = 0, kind: PointKind | None = None) -> list[Point]:
        """All that was written and can be read, in that order, from after `after_seq` on; `Curves` says what of it is
        a run's curve."""
        table = schema.metrics
        query = _POINTS.where(table.c.run_id == run_id, table.c.seq > after_seq).order_by(table.c.seq)
        if kind is not None:
            query = query.where(table.c.kind == kind)
        points: list[Point] = []
        with self.reading() as connection:
            for rows in connection.execute(query).partitions(_BLOCK):
                points += points_of(rows)
        return points

    def lifecycle(self, run_id: str) -> list[LifecycleEvent]:
        """Every status the run has had, and what was noted while it ran; oldest first."""
        table = schema.lifecycle
        query = select(table).where(table.c.run_id == run_id).order_by(table.c.seq)
        with self.reading() as connection:
            rows = connection.execute(query).mappings().all()
        return [event for row in rows if (event := lifecycle_event_of(row)) is not None]

    # What a worker writes

    def add_points(
        self,
        run_id: str,
        points: Sequence[NewPoint],
        update: RunUpdate = _UNCHANGED,
        notes: Sequence[str] = (),
        *,
        worker_id: str | None = None,
    ) -> None:
        """Append points, update the run's columns, and add notes to the log of a running run; in one transaction.

        Args: worker_id: the worker that measured them; None where no worker trains the run.
        Raises: GivenUpError where another worker may have the run by now; then nothing is written.
        """
        with self.writing() as connection:
            owner = connection.scalar(select(schema.runs.c.worker_id).where(schema.runs.c.id == run_id))
            if worker_id not in (None, owner):
                raise GivenUpError(
                    f"Run {run_id} was taken from this worker, which had given no sign of life for too long; resume "
                    "the run if no other worker has."
                )
            for note in notes:
                self.note(connection, run_id, Status.RUNNING, note)
            if points:
                connection.execute(insert(schema.metrics), [{"run_id": run_id, **vars(point)} for point in points])
            if update.columns:
                self._write(connection, run_id, update.columns)

    def set_status(self, run_id: str, status: Status, message: str = "", update: RunUpdate = _UNCHANGED) -> None:
        """Move a run to another status, with a sentence on why."""
        with self.writing() as connection:
            self.move(connection, run_id, status, message, update)

    def move(
        self, connection: Connection, run_id: str, status: Status, message: str = "", update: RunUpdate = _UNCHANGED
    ) -> None:
        """`set_status` inside a transaction that is already open."""
        columns: dict[str, Any] = {"status": status, "message": message}
        match status:
            case Status.QUEUED:
                columns |= {"reserved_for": None, "stop_requested": 0}
            case Status.RUNNING:
                columns |= {"started_at": self.clock(), "finished_at": None}
            case _:
                columns |= {"finished_at": self.clock(), "worker_id": None, "time_left_s": None, "stop_requested": 0}
        self._write(connection, run_id, columns | update.columns)
        self.note(connection, run_id, status, message)

    def note(self, connection: Connection, run_id: str, status: Status, message: str) -> None:
        connection.execute(
            insert(schema.lifecycle).values(run_id=run_id, at=self.clock(), status=status, message=message)
        )

    def _write(self, connection: Connection, run_id: str, columns: Mapping[str, Any]) -> None:
        connection.execute(update(schema.runs).where(schema.runs.c.id == run_id).values(columns))

    # What a person asks for

    def stop(self, run_id: str) -> None:
        """Ask a running run to stop after its step; a queued one stops at once.

        Raises: RunError when it is neither.
        """
        with self.writing() as connection:
            run = self._row(connection, run_id)
            if run.status == Status.QUEUED:
                self.move(connection, run_id, Status.STOPPED, "Stopped before it began; resume to queue it again.")
            elif run.status == Status.RUNNING:
                self._write(connection, run_id, {"stop_requested": 1})
            else:
                raise RunError(f"{_called(run)} is {run.status} already; only queued and running runs can be stopped.")

    def resume(self, run_id: str, *, reserved_for: str | None = None) -> None:
        """Queue a stopped, interrupted or failed run again; it goes on from its last saved state.

        Raises: RunError when it is none of these.
        """
        with self.writing() as connection:
            run = self._row(connection, run_id)
            if run.status not in [status for status in Status if status.can_resume]:
                raise RunError(
                    f"Run {run_id} is {run.status}; only stopped, interrupted and failed runs can be resumed."
                )
            self.move(connection, run_id, Status.QUEUED, "resumed", RunUpdate(reserved_for=reserved_for))

    def delete(self, run_id: str, remove_files: Callable[[str], object] = lambda _: None) -> None:
        """Forget a run and all its points.

        Args:
            run_id: its id, or its number where its row cannot be read.
            remove_files: called with its id once it is certain that the run may go, while nobody can resume it; what it
                raises keeps the run.
        Raises: RunError while it runs, or while another run still needs it.
        """
        with self.writing() as connection:
            row = self._deletable(connection, run_id)
            remove_files(row.id)
            connection.execute(delete(schema.runs).where(schema.runs.c.number == row.number))

    def deletable(self, run_id: str) -> str:
        """The id of a run that `delete` would delete, without writing anything. Raises: RunError as `delete` does."""
        with self.reading() as connection:
            return str(self._deletable(connection, run_id).id)

    def _deletable(self, connection: Connection, run_id: str) -> Any:
        run = self._row(connection, run_id)
        if run.status == Status.RUNNING and not self._is_lost(run):
            raise RunError(f"{_called(run)} is running; stop it first, then delete it.")
        waiting = connection.execute(
            select(schema.runs.c.id, schema.runs.c.number, schema.runs.c.spec)
            .join(schema.dependencies, schema.dependencies.c.run_id == schema.runs.c.id)
            .where(schema.dependencies.c.needs_id == run.id, schema.runs.c.status != Status.COMPLETED)
        ).first()
        if waiting is not None:
            raise RunError(f"{_called(waiting)} still needs this one; delete it first.")
        return run

    def _row(self, connection: Connection, run_id: str) -> Any:
        columns = schema.runs.c
        is_meant = columns.id == run_id
        if run_id.isdecimal():  # of a row whose id cannot be read
            is_meant |= cast(columns.number, String) == run_id
        row = connection.execute(_ROW.where(is_meant).order_by(columns.id != run_id)).first()
        if row is None:
            raise RunError(f"There is no run {run_id} any more: it was deleted.")
        return row


_ROW = select(  # the results as they are written
    *(column for column in schema.runs.c if column.name != "results"),
    cast(schema.runs.c.results, Text).label("results"),
)
_RUNS = _ROW.add_columns(schema.experiments.c.name.label("experiment_name")).outerjoin(schema.experiments)
_POINTS = select(  # in the order of a Point's fields, the metrics as they are written
    *(schema.metrics.c[name] for name in Point._fields[:-1]),
    cast(schema.metrics.c.metrics, Text).label("metrics"),
)


def _can_be_id(text: str) -> bool:
    """Whether a text can be a number, an id or its beginning; the database does not take every text."""
    return text.isascii() and len(text) <= _LONGEST_ID


def _called(row: Any) -> str:
    """What pages and tables call a run."""
    spec = parse_spec(row.spec)
    return f"Run {row.number} {spec.name}" if spec else f"Run {row.number}"
