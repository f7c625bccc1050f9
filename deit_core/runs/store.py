"""The store: runs, their measured points and what became of them, in a SQLite file (WAL).

A run's status lives here and nowhere else. Knows nothing of processes (see queue.py), torch, or pages.
"""

import json
import secrets
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from pydantic import ValidationError
from sqlalchemy import (
    Connection,
    Row,
    String,
    Text,
    cast,
    delete,
    insert,
    literal_column,
    select,
    update,
)

from deit_core.errors import RunError
from deit_core.plain_text import harmless
from deit_core.runs import schema
from deit_core.runs.database import Database
from deit_core.runs.records import Experiment, LifecycleEvent, NewPoint, Point, PointKind, Run, RunUpdate, Status
from deit_core.settings import Settings
from deit_core.spec import ExperimentSpec, RunSpec

_BLOCK = 1000  # points whose metrics are decoded together
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

        A run whose spec this version cannot read is left out; `unreadable` lists these.
        """
        query = _RUNS.order_by(schema.runs.c.number.desc())
        if ids is not None:
            query = query.where(schema.runs.c.id.in_(list(ids)))
        with self.reading() as connection:
            rows = connection.execute(query).all()
            needs: dict[str, list[str]] = {}
            for run_id, needs_id in connection.execute(select(schema.dependencies)):
                needs.setdefault(run_id, []).append(needs_id)
        return [run for row in rows if (run := _run(row, tuple(needs.get(row.id, ())))) is not None]

    def run(self, run_id: str) -> Run:
        """One run, by its number, its id or the beginning of it. Ids begin with a letter.

        Raises: RunError when there is none, or several begin so.
        """
        is_number = run_id.isdecimal()
        number, begins = cast(schema.runs.c.number, String), schema.runs.c.id.startswith(run_id, autoescape=True)
        with self.reading() as connection:
            ids = connection.scalars(select(schema.runs.c.id).where(number == run_id if is_number else begins)).all()
        if run_id in ids:
            ids = [run_id]
        if len(ids) != 1 or not run_id:
            count = "Several runs begin" if ids and run_id else "There is no run whose id begins"
            what = f"There is no run {run_id}" if is_number else f"{count} with {run_id!r}"
            raise RunError(f"{what}; `python -m deit_core runs` lists them.")
        readable = self.runs(ids)
        if not readable:
            raise RunError(f"Run {ids[0]} was made by another version, and this one cannot read its spec; delete it.")
        return readable[0]

    def unreadable(self) -> list[str]:
        """Ids of the runs whose spec this version cannot read."""
        with self.reading() as connection:
            rows = connection.execute(select(schema.runs.c.id, schema.runs.c.spec)).all()
        return [row.id for row in rows if _parse(row.spec) is None]

    def experiments(self) -> list[Experiment]:
        """All experiments that were ever submitted, the oldest first."""
        table, specs = schema.experiments, schema.experiment_specs
        query = select(table, specs.c.spec).outerjoin(specs).order_by(literal_column("experiments.rowid"))
        with self.reading() as connection:
            return [
                Experiment(
                    row.id, harmless(row.name), harmless(row.description), row.created_at, _parse_experiment(row.spec)
                )
                for row in connection.execute(query)
            ]

    def points(self, run_id: str, *, after_seq: int = 0, kind: PointKind | None = None) -> list[Point]:
        """All that was written, in that order, from after `after_seq` on; what of it is a run's curve says `Curves`."""
        table = schema.metrics
        query = _POINTS.where(table.c.run_id == run_id, table.c.seq > after_seq).order_by(table.c.seq)
        if kind is not None:
            query = query.where(table.c.kind == kind)
        points: list[Point] = []
        with self.reading() as connection:
            for rows in connection.execute(query).partitions(_BLOCK):
                metrics = json.loads(f"[{','.join([row.metrics for row in rows])}]")  # quicker, and keys are shared
                points += [Point._make((*row[:-1], measured)) for row, measured in zip(rows, metrics, strict=True)]
        return points

    def lifecycle(self, run_id: str) -> list[LifecycleEvent]:
        """Every status the run has had, and what was noted while it ran; oldest first."""
        table = schema.lifecycle
        query = select(table).where(table.c.run_id == run_id).order_by(table.c.seq)
        with self.reading() as connection:
            return [LifecycleEvent(row.at, Status(row.status), row.message) for row in connection.execute(query)]

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
            if not Status(run.status).can_resume:
                raise RunError(
                    f"Run {run_id} is {run.status}; only stopped, interrupted and failed runs can be resumed."
                )
            self.move(connection, run_id, Status.QUEUED, "resumed", RunUpdate(reserved_for=reserved_for))

    def delete(self, run_id: str, remove_files: Callable[[], None] = lambda: None) -> None:
        """Forget a run and all its points.

        Args: remove_files: called once it is certain that the run may go, while nobody can resume it; what it raises
            keeps the run.
        Raises: RunError while it runs, or while another run still needs it.
        """
        with self.writing() as connection:
            run = self._row(connection, run_id)
            if run.status == Status.RUNNING:
                raise RunError(f"{_called(run)} is running; stop it first, then delete it.")
            waiting = connection.execute(
                select(schema.runs.c.id, schema.runs.c.number, schema.runs.c.spec)
                .join(schema.dependencies, schema.dependencies.c.run_id == schema.runs.c.id)
                .where(schema.dependencies.c.needs_id == run_id, schema.runs.c.status != Status.COMPLETED)
            ).first()
            if waiting is not None:
                raise RunError(f"{_called(waiting)} still needs this one; delete it first.")
            remove_files()
            connection.execute(delete(schema.runs).where(schema.runs.c.id == run_id))

    def _row(self, connection: Connection, run_id: str) -> Row[Any]:
        row = connection.execute(select(schema.runs).where(schema.runs.c.id == run_id)).first()
        if row is None:
            raise RunError(f"There is no run {run_id} any more; somebody has deleted it.")
        return row


_RUNS = select(schema.runs, schema.experiments.c.name.label("experiment_name")).outerjoin(schema.experiments)
_POINTS = select(  # in the order of a Point's fields, the metrics as they are written
    *(schema.metrics.c[name] for name in Point._fields[:-1]),
    cast(schema.metrics.c.metrics, Text).label("metrics"),
)


@lru_cache(maxsize=4096)
def _parse(spec: str) -> RunSpec | None:
    try:
        return RunSpec.model_validate_json(spec)
    except ValidationError:
        return None


def _parse_experiment(spec: str | None) -> ExperimentSpec | None:
    try:
        return None if spec is None else ExperimentSpec.model_validate_json(spec)
    except ValidationError:
        return None


def _called(row: Any) -> str:
    """What pages and tables call a run."""
    spec = _parse(row.spec)
    return f"Run {row.number} {spec.name}" if spec else f"Run {row.number}"


def _run(row: Row[Any], needs: tuple[str, ...]) -> Run | None:
    spec = _parse(row.spec)
    if spec is None:
        return None
    return Run(
        id=row.id,
        number=row.number,
        spec=spec,
        status=Status(row.status),
        message=row.message,
        stop_requested=bool(row.stop_requested),
        experiment_id=row.experiment_id,
        experiment_name=row.experiment_name and harmless(row.experiment_name),
        worker_id=row.worker_id,
        created_at=row.created_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
        step=row.step,
        total_steps=row.total_steps,
        epoch=row.epoch,
        time_left_s=row.time_left_s,
        results=row.results,
        needs=needs,
    )
