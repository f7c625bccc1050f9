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

from benchmarks.filling import METRICS, fill_points
from benchmarks.latency import Seconds, percentiles, seconds_of, seconds_of_calls
from deit_core import presets
from deit_core.runs import NewPoint, RunUpdate, Status, Store, enqueue, open_store, queue
from deit_core.runs.writer import Writer

_RUNS = 100
_POINTS, _POINTS_LONG = 10_000, 100_000
_WRITERS = 4
_STEPS_PER_S = 50  # of each writer
_NEW_POINTS = 20  # that a page finds when it asks again


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
            yield _latency("delete a run", _WRITERS, [seconds_of(lambda: store.delete(next(doomed))) for _ in range(3)])
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
        yield _latency(what, num_writers, seconds_of_calls(call))


def _latency(what: str, num_writers: int, seconds: list[Seconds]) -> dict[str, object]:
    return {"what": what, "writers": num_writers, **percentiles(seconds)}


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
        return num_points / statistics.median(each.clock for each in seconds_of_calls(call))

    return {
        "append one a transaction": speed(lambda: store.add_points(run_id, [_point(1)], RunUpdate(step=1)), 1),
        "append through a writer": speed(lambda: through_writer(10_000), 10_000),
        "append 10,000 a transaction": speed(lambda: store.add_points(run_id, [_point(1)] * 10_000), 10_000),
    }


def _add_run(store: Store) -> str:
    return enqueue(store, presets.smoke())[0]


def _point(number: int) -> NewPoint:
    metrics = {name: 1 / (number + 1 + place) for place, name in enumerate(METRICS)}
    return NewPoint("step", number, number / 100, number / 2, metrics)


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
