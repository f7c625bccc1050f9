"""The store: how fast points are written, and how long a page waits for what it asks, alone and while four runs write.

A hundred runs of 10,000 points each, of 100,000 in the long form; a point holds what a DeiT measures at a step. Written
four runs at a time, as four workers would. What is written during the measurements goes to runs of its own.
"""

import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from multiprocessing.synchronize import Event
from pathlib import Path

from deit_core import presets
from deit_core.runs import NewPoint, RunUpdate, Status, Store, enqueue, open_store, queue
from deit_core.runs.writer import Writer

_RUNS = 100
_POINTS, _POINTS_LONG = 10_000, 100_000
_WRITERS = 4
_MANY = 10_000
_STEPS_PER_S = 50  # of each writer
_NEW_POINTS = 20  # that a page finds when it asks again
_METRICS = (
    *("train_loss", "train_loss_class", "train_loss_distillation", "train_agreement", "teacher_hit_rate"),
    *("train_accuracy", "train_accuracy_class", "train_accuracy_distillation", "lr", "images_per_s"),
)
_BUDGET_S = 2.0


def measure(long: bool = False) -> Iterator[dict[str, object]]:
    """Points/s, bytes a point, and the milliseconds (median and p95) of each question."""
    num_points = _POINTS_LONG if long else _POINTS
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(f"sqlite:///{folder}/runs.sqlite")
        filled = [_add_run(store) for _ in range(_RUNS)]
        *written, own = [_add_run(store) for _ in range(_WRITERS + 1)]
        began = time.perf_counter()
        fill_points(store, filled, num_points)
        yield {
            "what": f"{_RUNS} runs of {num_points} points",
            "bytes_per_point": round(store.database.size_bytes() / _RUNS / num_points),
            "filled_in_s": round(time.perf_counter() - began, 1),
        }
        yield from _rows(store, filled[_RUNS // 2], own, num_writers=0)
        with _writing(store, written):
            yield from _rows(store, filled[_RUNS // 2], own, num_writers=_WRITERS)
            doomed = iter(filled[::10])
            yield _latency("delete a run", _WRITERS, [_time(lambda: store.delete(next(doomed))) for _ in range(3)])
        store.close()
        yield from _many(Path(folder))


def _many(folder: Path) -> Iterator[dict[str, object]]:
    """What a page and a worker wait for in a queue of thousands, each with another spec."""
    store = open_store(f"sqlite:///{folder}/many.sqlite")
    _add_run(store)
    add_copies(store, _MANY)
    calls = {
        f"list {_MANY:,} runs": store.runs,
        f"list {_MANY:,} runs, read at first": lambda: open_store(store.database.url).runs(),
        f"claim one of {_MANY:,} runs and put it back": _claim(store),
    }
    for what, call in calls.items():
        yield _latency(what, 0, _times(call))
    store.close()


def _claim(store: Store) -> Callable[[], None]:
    worker_id, _ = queue.register(store, num_slots=None) or ("", None)

    def claim() -> None:
        run = queue.claim(store, worker_id)
        assert run is not None
        store.set_status(run.id, Status.QUEUED)

    return claim


def _rows(store: Store, run_id: str, own_id: str, num_writers: int) -> Iterator[dict[str, object]]:
    for what, speed in _appending(store, own_id).items():
        yield {"what": what, "writers": num_writers, "points_per_s": round(speed)}
    for what, call in _questions(store, run_id).items():
        yield _latency(what, num_writers, _times(call))


def _latency(what: str, num_writers: int, times: list[float]) -> dict[str, object]:
    return {
        "what": what,
        "writers": num_writers,
        "median_ms": round(1000 * statistics.median(times), 2),
        "p95_ms": round(1000 * statistics.quantiles(times, n=20, method="inclusive")[-1], 2),
    }


def _questions(store: Store, run_id: str) -> dict[str, Callable[[], object]]:
    """What pages and workers ask."""
    newest = store.points(run_id)[-_NEW_POINTS - 1].seq
    worker_id, _ = queue.register(store, num_slots=None) or ("", None)
    return {
        f"read {_NEW_POINTS} new points": lambda: store.points(run_id, after_seq=newest),
        "read nothing new": lambda: store.points(run_id, after_seq=newest + 10**9),
        "read all of a run": lambda: store.points(run_id),
        "read its epochs": lambda: store.points(run_id, kind="epoch"),
        "list runs": store.runs,
        "read a run": lambda: store.run(run_id),
        "claim a run and put it back": _claim(store),
        "heartbeat": lambda: queue.heartbeat(store, worker_id),
    }


def _appending(store: Store, run_id: str) -> dict[str, float]:
    """Points/s, point by point, through a run's writer, and many at a time."""

    def through_writer(num_points: int) -> None:
        writer = Writer(store, run_id)
        for number in range(num_points):
            writer.put(RunUpdate(step=number), _point(number))
        writer.close()

    def speed(call: Callable[[], object], num_points: int) -> float:
        return num_points / statistics.median(_times(call))

    return {
        "append one a transaction": speed(lambda: store.add_points(run_id, [_point(1)], RunUpdate(step=1)), 1),
        "append through a writer": speed(lambda: through_writer(10_000), 10_000),
        "append 10,000 a transaction": speed(lambda: store.add_points(run_id, [_point(1)] * 10_000), 10_000),
    }


def _times(call: Callable[[], object]) -> list[float]:
    """Seconds of each call, three at least, for as long as the budget lasts."""
    call()
    times: list[float] = []
    ends_at = time.perf_counter() + _BUDGET_S
    while len(times) < 3 or time.perf_counter() < ends_at:
        times.append(_time(call))
    return times


def _time(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def _add_run(store: Store) -> str:
    return enqueue(store, presets.smoke())[0]


def _point(number: int) -> NewPoint:
    metrics = {name: 1 / (number + 1 + place) for place, name in enumerate(_METRICS)}
    return NewPoint("step", number, number / 100, number / 2, metrics)


def fill_points(store: Store, run_ids: list[str], num_points: int) -> None:
    """Write points with digits as real ones have, every hundredth of an epoch, in the database itself."""
    metrics = ", ".join(f"'{name}', abs(random()) * 1e-19" for name in _METRICS)
    for start in range(0, len(run_ids), _WRITERS):
        some = run_ids[start : start + _WRITERS]
        whose = " ".join(f"when {place} then '{run_id}'" for place, run_id in enumerate(some))
        with store.writing() as connection:
            connection.exec_driver_sql(
                f"""
                with recursive numbers(n) as (select 0 union all select n + 1 from numbers where n + 1 < ?),
                places(n, place) as (select n / {len(some)}, n % {len(some)} from numbers)
                insert into metrics (run_id, kind, step, epoch, elapsed_s, metrics)
                select case place {whose} end, iif(n % 100 = 99, 'epoch', 'step'), 10 * n, n * 0.01, n * 0.5,
                json_object({metrics}) from places
                """,
                (len(some) * num_points,),
            )


def add_copies(store: Store, num_runs: int) -> None:
    """Fill a store with copies of its first run, up to `num_runs`; written in the database itself."""
    with store.writing() as connection:
        connection.exec_driver_sql(
            """
            with recursive numbers(n) as (select 2 union all select n + 1 from numbers where n < ?)
            insert into runs (id, spec, status, message, stop_requested, reserved_for, created_at, step, total_steps,
                epoch, results)
            select printf('a%07x', n), json_set(spec, '$.name', 'run ' || n), status, message, stop_requested,
                reserved_for, created_at, step, total_steps, epoch, results
            from numbers, runs where number = 1
            """,
            (num_runs,),
        )


@contextmanager
def _writing(store: Store, run_ids: list[str]) -> Iterator[None]:
    """Runs that write at their pace meanwhile, each from a process of its own."""
    context = multiprocessing.get_context("spawn")
    is_over = context.Event()
    processes = [context.Process(target=_write, args=(store.database.url, run_id, is_over)) for run_id in run_ids]
    for process in processes:
        process.start()
    try:
        while not all(store.points(run_id) for run_id in run_ids):
            time.sleep(0.1)
        yield
    finally:
        is_over.set()
        for process in processes:
            process.join()


def _write(url: str, run_id: str, is_over: Event) -> None:
    writer = Writer(open_store(url), run_id)
    for number in count():
        writer.put(RunUpdate(step=number), _point(number))
        if is_over.wait(1 / _STEPS_PER_S):
            break
    writer.close()
