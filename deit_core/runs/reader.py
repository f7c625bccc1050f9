"""What the store holds, read: runs, experiments, points, and what became of the runs. Writes nothing.

A row that cannot be read hides no other (rows.py). A row that has not changed is not read again.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import ColumnElement, Connection, String, Text, cast, false, literal_column, select

from deit_core.errors import RunError
from deit_core.runs import schema
from deit_core.runs.open_database import open_database
from deit_core.runs.records import Experiment, LifecycleEvent, Point, PointKind, Run, Status, UnreadableRun
from deit_core.runs.rows import experiment_of, lifecycle_event_of, points_of, run_or_reason
from deit_core.text.quoting import quoted, shortened

_BLOCK = 1000  # points whose metrics are decoded together
_LONGEST_ID = 12
_MANY = 500  # rows of which so many have changed are all read


@dataclass(frozen=True)
class _Known:
    """What was read last, of which opening of the database: by number, the marks of rows and what became of them."""

    opening: int = 0
    marks: dict[int, Any] = field(default_factory=dict)
    found: dict[int, Run | UnreadableRun] = field(default_factory=dict)


class StoreReader:
    """The reading half of a `Store`. Safe to share between threads."""

    def __init__(self, url: str, *, create: bool = True) -> None:
        self.database = open_database(url, create=create)
        self.reading = self.database.reading
        self.lost_workers: dict[str, str] = {}  # gone while nothing could be written: id -> a message on their runs
        self._known = _Known()

    @property
    def is_there(self) -> bool:
        """Whether there is still a store at the address. Another one that has taken its place is opened."""
        return self.database.is_there

    def close(self) -> None:
        self.database.close()

    def runs(self, ids: Iterable[str] | None = None) -> list[Run]:
        """Runs with their newest state, the newest submitted first; all, or those with the given ids.

        A run whose row cannot be read is left out; `unreadable` lists these.
        """
        return self.listed(ids)[0]

    def run(self, run_id: str) -> Run:
        """One run, by its number, its id or the beginning of it. Ids begin with a letter.

        Raises: RunError when there is none, several begin so, or its row cannot be read.
        """
        number = self.number_of(run_id)
        with self.reading() as connection:
            runs, unreadable = self.read(connection, schema.runs.c.number == number)
        if unreadable:
            raise RunError(unreadable[0].sentence)
        if not runs:
            raise RunError(f"There is no run {number} any more: it was deleted.")
        return runs[0]

    def number_of(self, run_id: str) -> int:
        """The number of a run, whether it can be read or not: see `run`. Raises: RunError as `run` does."""
        is_number, columns = run_id.isdecimal(), schema.runs.c
        query, can_be_id = select(columns.number), _can_be_id(run_id)
        begins = columns.id.startswith(run_id, autoescape=True) if can_be_id else false()
        with self.reading() as connection:
            is_whole = can_be_id and not is_number  # an index finds an id, and no beginning of one
            if is_whole and (exact := connection.scalar(query.where(columns.id == run_id))) is not None:
                return int(exact)
            meant = cast(columns.number, String) == run_id if is_number else begins
            numbers = connection.scalars(query.where(meant)).all()
        if len(numbers) != 1 or not run_id:
            count = "Several runs begin" if numbers and run_id else "There is no run whose id begins"
            what = f"There is no run {shortened(run_id)}" if is_number else f"{count} with {quoted(run_id)}"
            raise RunError(f"{what}; `python -m deit_core runs` lists them.")
        return int(numbers[0])

    def unreadable(self, ids: Iterable[str] | None = None) -> list[UnreadableRun]:
        """The runs that this version cannot read, and why; the newest first; all, or those with the given ids."""
        return self.listed(ids)[1]

    def listed(self, ids: Iterable[str] | None = None) -> tuple[list[Run], list[UnreadableRun]]:
        """`runs` and `unreadable` at one moment, for the price of one."""
        with self.reading() as connection:
            return self.read(connection, None if ids is None else schema.runs.c.id.in_(list(ids)))

    def read(
        self, connection: Connection, which: ColumnElement[bool] | None = None
    ) -> tuple[list[Run], list[UnreadableRun]]:
        """`listed` inside a transaction that is already open: all runs, or those that are meant.

        Of a worker that is gone no run reads running, written or not.
        """
        found = self._all(connection) if which is None else _found(connection, which).values()
        runs = [run for run in found if isinstance(run, Run)]
        if self.lost_workers:
            runs = [self._as_seen_here(run) for run in runs]
        return runs, [run for run in found if isinstance(run, UnreadableRun)]

    def _all(self, connection: Connection) -> Collection[Run | UnreadableRun]:
        """All rows, of which only those are read whose mark is another one than before."""
        opening, marks = self.database.num_openings, _marks(connection)
        known = self._known if self._known.opening == opening else _Known()
        if marks != known.marks:
            changed = {number for number, _ in marks.items() - known.marks.items()}
            which = schema.runs.c.number.in_(changed) if len(changed) <= _MANY else None
            both = known.found | _found(connection, which)
            found = {number: both[number] for number in marks if number in both}  # none that was deleted meanwhile
            known = self._known = _Known(opening, marks, found)
        return known.found.values()

    def _as_seen_here(self, run: Run) -> Run:
        if not self.is_lost(run):
            return run
        message = self.lost_workers[run.worker_id or ""]
        return replace(run, status=Status.INTERRUPTED, message=message, worker_id=None, time_left_s=None)

    def is_lost(self, run: Any) -> bool:
        """Whether a run, or its row, reads running in the file, though its worker is gone."""
        return bool(run.status == Status.RUNNING and run.worker_id in self.lost_workers)

    def experiments(self) -> list[Experiment]:
        """All experiments that were ever submitted and can be read, the oldest first."""
        table, specs = schema.experiments, schema.experiment_specs
        with self.reading() as connection:
            # A server's clock is nobody's to set; this machine's is, but SQLite numbers its rows.
            oldest_first = (
                literal_column("experiments.rowid") if connection.dialect.name == "sqlite" else table.c.created_at
            )
            query = select(table, specs.c.spec).outerjoin(specs).order_by(oldest_first, table.c.id)
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


ROW = select(  # the results as they are written
    *(column for column in schema.runs.c if column.name != "results"),
    cast(schema.runs.c.results, Text).label("results"),
)
_RUNS = (
    ROW.add_columns(schema.experiments.c.name.label("experiment_name"))
    .outerjoin(schema.experiments)
    .order_by(schema.runs.c.number.desc())
)
_POINTS = select(  # in the order of a Point's fields, the metrics as they are written
    *(schema.metrics.c[name] for name in Point._fields[:-1]),
    cast(schema.metrics.c.metrics, Text).label("metrics"),
)


def _marks(connection: Connection) -> dict[int, Any]:
    """By its number, the newest first, a value of each run that differs once the run has changed."""
    runs = schema.runs.c
    if connection.dialect.name == "sqlite":
        written = schema.run_writes.c
        rows = connection.execute(select(written.number, written.seq).order_by(written.number.desc()))
        return dict(rows.all())
    needs = _needs(connection)
    xmin = [cast(literal_column(f"{table}.xmin"), Text) for table in ("runs", "experiments")]  # what wrote the row
    query = _RUNS.with_only_columns(runs.number, runs.id, *xmin)
    return {number: (*mark, *needs.get(run_id, ())) for number, run_id, *mark in connection.execute(query).all()}


def _found(connection: Connection, which: ColumnElement[bool] | None) -> dict[int, Run | UnreadableRun]:
    """By number, the newest first, what the rows of all runs become, or of those that are meant."""
    needs, query = _needs(connection, which), _RUNS if which is None else _RUNS.where(which)
    rows = connection.execute(query).mappings().all()
    return {row["number"]: run_or_reason(row, needs.get(row["id"], ())) for row in rows}


def _needs(connection: Connection, which: ColumnElement[bool] | None = None) -> dict[str, list[str]]:
    """The runs that each run needs; of all, or of those that are meant."""
    query, needs = select(schema.dependencies), dict[str, list[str]]()
    if which is not None:
        query = query.where(schema.dependencies.c.run_id.in_(select(schema.runs.c.id).where(which)))
    for run_id, needs_id in connection.execute(query).all():
        needs.setdefault(run_id, []).append(needs_id)
    return needs


def _can_be_id(text: str) -> bool:
    """Whether a text can be a number, an id or its beginning; the database does not take every text."""
    return text.isascii() and text.isprintable() and len(text) <= _LONGEST_ID
