"""Both kinds of store with 10,000 runs and millions of points: what pages and workers wait for, and what saturates.

Half of the runs are completed. The others are queued, nearly all of them for a teacher that nobody trains, and behind
these the ones that are ready: a claim must pass all that wait. The PostgreSQL server is Debian's, on this machine, with
its default settings but for the number of connections.
"""

import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import insert, text, update

from benchmarks.filling import add_copies, fill_points
from benchmarks.latency import Seconds, percentiles, seconds_of, seconds_of_calls
from benchmarks.postgres import postgres_server
from deit_core import presets
from deit_core.runs import Curves, Run, Status, Store, enqueue, open_store, queue, schema
from deit_core.spec import replace

_RUNS = 10_000
_COMPLETED = 5_000
_WORKERS = 200  # that claim at once
_CLAIMS = 100  # one after the other
_READY = 2 * _WORKERS
_SHOWN = 20  # runs whose curves a page shows
_POINTS, _POINTS_LONG = 100, 1_000  # of each run
_NEW_POINTS = 20  # that a page finds when it asks again
_OPTIONS = f"-c max_connections={_WORKERS + 100}"


def measure(long: bool = False) -> Iterator[dict[str, object]]:
    """How long filling took, bytes a point, then the milliseconds (median and p95) of each question."""
    num_points = _POINTS_LONG if long else _POINTS
    with tempfile.TemporaryDirectory() as folder:
        yield from _of_kind("sqlite", f"sqlite:///{folder}/runs.sqlite", num_points)
    with postgres_server(_OPTIONS) as server:
        yield from _of_kind("postgresql", server.new_database(), num_points)


def _of_kind(kind: str, url: str, num_points: int) -> Iterator[dict[str, object]]:
    store = open_store(url)
    filled = seconds_of(lambda: fill(store, num_points))
    total = _RUNS * num_points
    yield {
        "store": kind,
        "what": f"{_RUNS:,} runs and {total:,} points written",
        "seconds": round(filled.clock),
        "bytes_per_point": round(store.database.size_bytes() / total),
    }
    for row in rows(store):
        yield {"store": kind, **row}
    store.close()


def fill(store: Store, num_points: int) -> None:
    """Write the runs, `num_points` points for each, and what the runs wait for."""
    enqueue(store, presets.get("smoke"))
    add_copies(store, _RUNS)
    fill_points(store, [run.id for run in store.runs()], num_points)
    columns = schema.runs.c
    results = {"test_accuracy": 0.9, "val_accuracy": 0.9, "best_epoch": 10.0, "num_params": 2e5}
    with store.writing() as connection:
        is_done = columns.number <= _COMPLETED
        done = {"status": Status.COMPLETED, "step": 1000, "total_steps": 1000, "epoch": 10, "results": results}
        connection.execute(update(schema.runs).where(is_done).values(started_at=1, finished_at=2, **done))
        teacher = connection.scalar(schema.runs.select().with_only_columns(columns.id).where(~is_done).limit(1))
        connection.execute(update(schema.runs).where(columns.id == teacher).values(reserved_for="nobody"))
        waiting = schema.runs.select().with_only_columns(columns.id, text(f"'{teacher}'"))
        waiting = waiting.where(~is_done, columns.id != teacher, columns.number <= _RUNS - _READY)
        connection.execute(insert(schema.dependencies).from_select(["run_id", "needs_id"], waiting))
        if connection.dialect.name == "postgresql":  # as its own service does within minutes
            connection.exec_driver_sql("ANALYZE")


def rows(store: Store) -> Iterator[dict[str, object]]:
    """What each question to a filled store takes."""
    cold = [seconds_of(lambda: open_store(store.database.url).runs()) for _ in range(3)]
    yield {"what": "list all runs, read at first", **percentiles(cold)}
    for what, call in _questions(store).items():
        yield {"what": what, **percentiles(seconds_of_calls(call))}
    yield {"what": "a claim", **percentiles(_claims(store))}
    yield {"what": f"a claim, {_WORKERS} at once", **percentiles(_claims_at_once(store))}


def _questions(store: Store) -> dict[str, Callable[[], object]]:
    """What pages, commands and a server without visitors ask."""
    runs = store.runs()
    shown, curves = [run.id for run in runs[-_SHOWN:]], Curves(store)
    (run_id, *_) = shown
    for each in shown:
        curves.read(each)
    newest = store.points(run_id)[-_NEW_POINTS - 1].seq
    next_one = replace(presets.get("smoke"), {"initial_checkpoint": run_id})

    def page() -> None:
        """All that the Runs page asks when it is drawn."""
        queue.reap(store)
        queue.num_ready(store)
        store.listed()
        for each in shown:
            curves.read(each)

    return {
        "list all runs": store.runs,
        "the Runs page": page,
        "a live curve: 20 new points": lambda: store.points(run_id, after_seq=newest),
        "a live curve: nothing new": lambda: store.points(run_id, after_seq=newest + 10**12),
        "a whole curve": lambda: store.points(run_id),
        "find a run": lambda: store.run(run_id),
        "count what is ready": lambda: queue.num_ready(store),
        "look for dead workers": lambda: queue.reap(store),
        "submit a run that starts from another": lambda: enqueue(store, next_one, reserved_for="nobody"),
    }


def _worker(store: Store) -> str:
    worker_id, _ = queue.register(store, num_slots=None) or ("", None)
    return worker_id


def _claims(store: Store) -> list[Seconds]:
    """Seconds of claims alone; each run is put back meanwhile."""
    worker_id, claimed, seconds = _worker(store), list[Run | None](), list[Seconds]()
    for _ in range(_CLAIMS):
        seconds.append(seconds_of(lambda: claimed.append(queue.claim(store, worker_id))))
        assert claimed[-1] is not None
        store.set_status(claimed[-1].id, Status.QUEUED)
    return seconds


def _claims_at_once(store: Store) -> list[Seconds]:
    """Seconds of the claims of many workers, each a thread with a store of its own; the last has waited for all."""
    start = threading.Barrier(_WORKERS)

    claimed: list[Run | None] = []

    def claim(_: int) -> Seconds:
        own = open_store(store.database.url)
        worker_id = _worker(own)
        start.wait()
        seconds = seconds_of(lambda: claimed.append(queue.claim(own, worker_id)))
        own.close()
        return seconds

    with ThreadPoolExecutor(_WORKERS) as pool:
        seconds = list(pool.map(claim, range(_WORKERS)))
    run_ids = {run.id for run in claimed if run is not None}
    assert len(run_ids) == _WORKERS, "a worker has no run, or two have the same"
    for run_id in run_ids:
        store.set_status(run_id, Status.QUEUED)
    return seconds
