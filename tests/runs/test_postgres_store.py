"""A store on a PostgreSQL server: two machines that decide at one moment, and servers that refuse."""

import contextlib
import re
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import Engine, event, text
from sqlalchemy.exc import OperationalError

from benchmarks.postgres import PostgresServer
from deit_core import presets
from deit_core.errors import DeitError, RunError, StoreError
from deit_core.runs import NewPoint, Status, Store, enqueue, open_store, postgres_database, queue, schema
from deit_core.runs.migrations.versions import version_2
from deit_core.runs.open_database import open_database
from deit_core.runs.postgres_errors import server_error
from deit_core.runs.wants import Takes
from deit_core.spec import replace

Act = Callable[[Store], Any]
POINT = NewPoint(kind="step", step=1, epoch=0.1, elapsed_s=1.0, metrics={"train_loss": 1.0})


@pytest.fixture
def url(postgres: PostgresServer) -> str:
    return postgres.new_database()


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    with contextlib.closing(open_store(url)) as store:
        yield store


def overlap(url: str, first: Act, second: Act) -> tuple[Any, Any]:
    """What both return, or the user's error that they raise; the second begins while the first has not committed."""
    at_its_end, may_end = threading.Event(), threading.Event()

    acting = threading.local()

    def pause(_connection: object) -> None:
        if getattr(acting, "first", False):
            at_its_end.set()
            may_end.wait(60)

    def outcome(act: Act, store: Store) -> Any:
        acting.first = act is first
        try:
            return act(store)
        except DeitError as error:
            return error

    locked = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    with ThreadPoolExecutor(2) as pool, contextlib.ExitStack() as stack:
        one, other, watcher = (stack.enter_context(contextlib.closing(open_store(url))) for _ in range(3))
        event.listen(Engine, "commit", pause)
        stack.callback(event.remove, Engine, "commit", pause)
        early = pool.submit(outcome, first, one)
        assert at_its_end.wait(60)
        late = pool.submit(outcome, second, other)
        deadline = time.monotonic() + 60
        while not late.done() and time.monotonic() < deadline:
            with watcher.reading() as connection:
                if connection.scalar(text(locked)):
                    break
            time.sleep(0.01)
        may_end.set()
        return early.result(60), late.result(60)


def worker_of(store: Store, num_slots: int | None = 9) -> str:
    entry = queue.register(store, num_slots)
    assert entry is not None
    return entry[0]


def end_process(store: Store) -> None:
    """Every worker's process is another one by now."""
    with store.writing() as connection:
        connection.execute(schema.pulses.update().values(process_start=1))


def test_two_claims_at_once_take_two_runs_without_waiting(url: str, store: Store) -> None:
    ids = [enqueue(store, presets.smoke())[0] for _ in range(2)]
    mine, yours = worker_of(store), worker_of(store)
    first, second = overlap(url, lambda one: queue.claim(one, mine), lambda other: queue.claim(other, yours))
    assert [first.id, second.id] == ids


def test_a_run_that_is_claimed_just_before_it_is_stopped_hears_of_it(url: str, store: Store) -> None:
    (run_id,) = enqueue(store, presets.smoke())
    mine = worker_of(store)
    overlap(url, lambda one: queue.claim(one, mine), lambda other: other.stop(run_id))
    run = store.run(run_id)
    assert (run.status, run.stop_requested, run.worker_id) == (Status.RUNNING, True, mine)


def test_a_run_that_is_stopped_just_before_it_is_claimed_is_nobodys(url: str, store: Store) -> None:
    (run_id,) = enqueue(store, presets.smoke())
    mine = worker_of(store)
    _, claimed = overlap(url, lambda one: one.stop(run_id), lambda other: queue.claim(other, mine))
    assert claimed is None
    assert store.run(run_id).status == Status.STOPPED


def test_a_run_that_is_claimed_is_not_deleted(url: str, store: Store) -> None:
    (run_id,) = enqueue(store, presets.smoke())
    mine = worker_of(store)
    _, refusal = overlap(url, lambda one: queue.claim(one, mine), lambda other: other.delete(run_id))
    assert "is running; stop it first" in str(refusal)
    assert store.run(run_id).status == Status.RUNNING


def test_no_run_stays_with_a_worker_that_is_given_up_while_it_claims(url: str, store: Store) -> None:
    (run_id,) = enqueue(store, presets.smoke())
    mine = worker_of(store)
    end_process(store)
    _, given_up = overlap(url, lambda one: queue.claim(one, mine), queue.reap)
    assert given_up == [run_id]
    assert store.run(run_id).status == Status.INTERRUPTED


def test_points_of_a_worker_that_is_given_up_are_refused(url: str, store: Store) -> None:
    (run_id,) = enqueue(store, presets.smoke())
    mine = worker_of(store)
    queue.claim(store, mine)
    end_process(store)
    _, refusal = overlap(url, queue.reap, lambda other: other.add_points(run_id, [POINT], worker_id=mine))
    assert "was taken from this worker" in str(refusal)
    assert store.points(run_id) == []


def test_a_slot_is_given_once(url: str, store: Store) -> None:
    first, second = overlap(url, lambda one: queue.register(one, 1), lambda other: queue.register(other, 1))
    assert first is not None
    assert second is None


def test_a_worker_that_retires_does_not_miss_the_run_that_is_submitted_meanwhile(url: str, store: Store) -> None:
    mine = worker_of(store)
    _, retired = overlap(url, lambda one: enqueue(one, presets.smoke()), lambda other: queue.retire(other, mine))
    assert retired is False


def test_a_run_is_resumed_once(url: str, store: Store) -> None:
    (run_id,) = enqueue(store, presets.smoke())
    store.stop(run_id)
    _, refusal = overlap(url, lambda one: one.resume(run_id), lambda other: other.resume(run_id))
    assert "is queued; only stopped" in str(refusal)
    assert [event.message for event in store.lifecycle(run_id)].count("resumed") == 1


@pytest.mark.parametrize("seconds", [-3600, 3600])
def test_a_fresh_heartbeat_is_never_called_dead_whatever_the_clocks_say(url: str, store: Store, seconds: int) -> None:
    """The worker is on another machine; the clock of this one is wrong by an hour."""
    (run_id,) = enqueue(store, presets.smoke())
    mine = worker_of(store)
    queue.claim(store, mine)
    with store.writing() as connection:
        connection.execute(schema.workers.update().values(host="elsewhere"))
        connection.execute(schema.pulses.update().values(boot="another"))
    with contextlib.closing(Store(url, lambda: time.time() + seconds, lambda: time.monotonic() + seconds)) as other:
        assert queue.reap(other) == []
        with store.writing() as connection:
            connection.execute(schema.workers.update().values(heartbeat_at=schema.workers.c.heartbeat_at - 61))
        assert queue.reap(other) == [run_id], "one minute of silence by the server's clock"


def test_the_same_pid_in_another_container_is_no_evidence(store: Store) -> None:
    enqueue(store, presets.smoke())
    queue.claim(store, worker_of(store))
    with store.writing() as connection:
        connection.execute(schema.pulses.update().values(pid_namespace="pid:[1]", process_start=1))
    assert queue.reap(store) == []


@pytest.mark.parametrize(
    ("part", "other", "said"),
    [
        ("right@", "wrong@", "password authentication failed"),
        ("/store", "/nowhere", 'database "nowhere.*" does not exist'),
        (r":\d+/", ":1/", "does not answer"),
    ],
)
def test_a_server_that_refuses_is_one_sentence_without_the_password(url: str, part: str, other: str, said: str) -> None:
    with pytest.raises(StoreError, match=said) as refusal:
        open_store(re.sub(part, other, url))
    assert "right" not in str(refusal.value)
    assert "wrong" not in str(refusal.value)
    assert len(str(refusal.value)) < 300


def test_a_server_without_room_says_so() -> None:
    said = Exception("connection failed: FATAL:  sorry, too many clients already")
    known = server_error(OperationalError("", {}, said), "the store")
    assert "no room for another connection" in str(known)


def test_an_older_server_is_refused(url: str, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres_database, "OLDEST", 99)
    with pytest.raises(StoreError, match=r"is PostgreSQL \d+; take one of 99 or newer\."):
        open_store(url)


def test_a_newer_store_is_refused(url: str, store: Store) -> None:
    with store.writing() as connection:
        schema.set_version(connection, 99)
    with pytest.raises(StoreError, match="written by a newer version"):
        open_store(url)


def test_an_older_store_is_upgraded_when_somebody_asks_and_no_worker_is_at_work(url: str, store: Store) -> None:
    (run_id,) = enqueue(store, replace(presets.smoke(), {"compute.device": "cuda", "compute.devices": 2}))
    worker_of(store)
    with store.writing() as connection:
        schema.set_version(connection, int(version_2.down_revision))
        connection.exec_driver_sql("ALTER TABLE pulses DROP COLUMN pid_namespace")
        for column in ("device", "engine", "num_devices", "num_nodes"):
            connection.exec_driver_sql(f"ALTER TABLE runs DROP COLUMN {column}")
        connection.exec_driver_sql("DROP TABLE submissions")
    with pytest.raises(StoreError, match="store upgrade"):
        open_store(url)
    with pytest.raises(RunError, match="Workers use the store"):
        open_database(url, upgrade=True)
    with store.writing() as connection:  # it has died meanwhile, a minute ago
        connection.execute(schema.workers.update().values(heartbeat_at=schema.workers.c.heartbeat_at - 61))
    open_database(url, upgrade=True).close()
    with contextlib.closing(open_store(url)) as upgraded:
        assert upgraded.run(run_id).status == Status.QUEUED
        assert [queue.num_ready(upgraded, Takes(devices=(device,))) for device in ("cuda", "auto")] == [1, 0]
        assert queue.num_ready(upgraded, Takes("ray", num_devices=2)) == 1, "version 4 reads what a run wants"
        worker_of(upgraded)
