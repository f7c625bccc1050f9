"""The store: runs, their measured points and what became of them, in a database.

A run's status lives here and nowhere else. Knows nothing of processes (see queue.py), torch, or pages.
"""

import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, String, cast, delete, insert, select, update

from deit_core.errors import RunError
from deit_core.runs import schema
from deit_core.runs.reader import ROW, StoreReader
from deit_core.runs.records import NewPoint, RunUpdate, Status
from deit_core.runs.rows import parse_spec
from deit_core.runs.wants import Wants
from deit_core.settings import Settings
from deit_core.spec import ExperimentSpec, RunSpec

_UNCHANGED = RunUpdate()


class GivenUpError(RunError):
    """A worker counted as dead, and the run that it trains is not its own any more."""


def open_store(url: str | None = None, *, create: bool = True) -> "Store":
    """Open the store. When another file takes its place, that one is opened.

    Args:
        url: of a SQLite file ("sqlite:///runs.sqlite") or a PostgreSQL database; by default that of DEIT_STORE, or a
            file beside the runs.
        create: make the store where there is none; else it is made when the first run is written.
    Raises: RunError for another kind of address; StoreError where the store cannot be read or written.
    """
    return Store(url or Settings.from_env().store_url, create=create)


def new_id() -> str:
    """Eight hexadecimal digits of which the first is a letter, so that nobody reads it as a number."""
    return secrets.choice("abcdef") + secrets.token_hex(4)[1:]


class Store(StoreReader):
    """Runs and their points: `StoreReader` reads them, the methods here write. Processes each open their own.

    Args:
        clock: what people read; it may be set at any time, so nothing is judged by it. A server has its own.
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
        self.writing = self.database.writing
        self.beats_seen: dict[str, tuple[float, float]] = {}  # of workers in doubt: the newest, and since when it is

    def now(self) -> Any:
        """The time, as a value of a column: by the database's clock, where it has one."""
        return self.clock() if self.database.clock is None else self.database.clock

    # Submitting

    def add(
        self,
        specs: dict[str, RunSpec],
        needs: dict[str, Sequence[str]],
        *,
        experiment: ExperimentSpec | None = None,
        reserved_for: str | None = None,
        key: str | None = None,
    ) -> list[str]:
        """Queue runs, all or none.

        Args:
            specs: run id -> spec, in the order they should be trained.
            needs: run id -> ids of the runs that must be completed first.
            experiment: what binds them together.
            reserved_for: the only worker that may train them.
            key: a name for this submission; while runs of one with the same key are there, nothing is queued again.
        Returns: the ids of the runs, or of those that the key has already.
        """
        now = self.now()
        with self.writing(anew=True) as connection:
            if key is not None and (known := _submitted(connection, key)):
                return known
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
                        **Wants.of(spec.compute)._asdict(),
                        created_at=now,
                        results={},
                    )
                )
                self.note(connection, run_id, Status.QUEUED, "submitted")
            schema.number_all(connection)
            rows = [{"run_id": run_id, "needs_id": other} for run_id, others in needs.items() for other in others]
            if rows:
                connection.execute(insert(schema.dependencies), rows)
            if key is not None:
                connection.execute(insert(schema.submissions), [{"run_id": run_id, "key": key} for run_id in specs])
        return list(specs)

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
        with self.writing(alone=False) as connection:
            of_run = select(schema.runs.c.worker_id).where(schema.runs.c.id == run_id)
            owner = connection.scalar(of_run.with_for_update())
            if worker_id not in (None, owner):
                raise _given_up(run_id)
            for note in notes:
                self.note(connection, run_id, Status.RUNNING, note)
            if points:
                connection.execute(insert(schema.metrics), [{"run_id": run_id, **vars(point)} for point in points])
            if update.columns:
                self._write(connection, run_id, update.columns)

    def set_status(
        self,
        run_id: str,
        status: Status,
        message: str = "",
        update: RunUpdate = _UNCHANGED,
        *,
        worker_id: str | None = None,
    ) -> None:
        """Move a run to another status, with a sentence on why. One that was to stop meanwhile is not queued again.

        Args: worker_id: the worker that says so; None where no worker trains the run.
        Raises: GivenUpError where the run is not that worker's any more; then nothing is written.
        """
        with self.writing() as connection:
            columns = schema.runs.c.worker_id, schema.runs.c.stop_requested
            row = connection.execute(select(*columns).where(schema.runs.c.id == run_id)).first()
            if worker_id is not None and (row is None or row.worker_id != worker_id):
                raise _given_up(run_id)
            if status is Status.QUEUED and row is not None and row.stop_requested:
                status, message = Status.STOPPED, "Stopped; resume continues from here."
            self.move(connection, run_id, status, message, update)

    def move(
        self, connection: Connection, run_id: str, status: Status, message: str = "", update: RunUpdate = _UNCHANGED
    ) -> None:
        """`set_status` inside a transaction that is already open."""
        columns: dict[str, Any] = {"status": status, "message": message}
        match status:
            case Status.QUEUED:
                columns |= {"reserved_for": None, "stop_requested": 0, "worker_id": None}
            case Status.RUNNING:
                columns |= {"started_at": self.now(), "finished_at": None}
            case _:
                columns |= {"finished_at": self.now(), "worker_id": None, "time_left_s": None, "stop_requested": 0}
        self._write(connection, run_id, columns | update.columns)
        self.note(connection, run_id, status, message)

    def note(self, connection: Connection, run_id: str, status: Status, message: str) -> None:
        connection.execute(
            insert(schema.lifecycle).values(run_id=run_id, at=self.now(), status=status, message=message)
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
            self._write(connection, run_id, {"times_lost": 0})
            self.move(connection, run_id, Status.QUEUED, "resumed", RunUpdate(reserved_for=reserved_for, message=""))

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
            return str(self._deletable(connection, run_id, lock=False).id)

    def _deletable(self, connection: Connection, run_id: str, *, lock: bool = True) -> Any:
        run = self._row(connection, run_id, lock=lock)
        if run.status == Status.RUNNING and not self.is_lost(run):
            raise RunError(f"{_called(run)} is running; stop it first, then delete it.")
        waiting = connection.execute(
            select(schema.runs.c.id, schema.runs.c.number, schema.runs.c.spec)
            .join(schema.dependencies, schema.dependencies.c.run_id == schema.runs.c.id)
            .where(schema.dependencies.c.needs_id == run.id, schema.runs.c.status != Status.COMPLETED)
        ).first()
        if waiting is not None:
            raise RunError(f"{_called(waiting)} still needs this one; delete it first.")
        return run

    def _row(self, connection: Connection, run_id: str, *, lock: bool = True) -> Any:
        """Args: lock: keep the row as it is until the transaction ends."""
        columns = schema.runs.c
        is_meant = columns.id == run_id
        if run_id.isdecimal():  # of a row whose id cannot be read
            is_meant |= cast(columns.number, String) == run_id
        query = ROW.where(is_meant).order_by(columns.id != run_id)
        row = connection.execute(query.with_for_update() if lock else query).first()
        if row is None:
            raise RunError(f"There is no run {run_id} any more: it was deleted.")
        return row


def _given_up(run_id: str) -> GivenUpError:
    return GivenUpError(
        f"Run {run_id} was taken from this worker, which had given no sign of life for too long; resume the run if no "
        "other worker has."
    )


def _submitted(connection: Connection, key: str) -> list[str]:
    """The runs of the submission with a key, in its order."""
    of_key = select(schema.runs.c.id).join(schema.submissions).where(schema.submissions.c.key == key)
    return list(connection.scalars(of_key.order_by(schema.runs.c.number)))


def _called(row: Any) -> str:
    """What pages and tables call a run."""
    spec = parse_spec(row.spec)
    return f"Run {row.number} {spec.name}" if spec else f"Run {row.number}"
