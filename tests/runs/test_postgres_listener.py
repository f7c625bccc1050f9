"""Who listens to a server hears what others write, and asks again where nothing can be heard."""

import contextlib
import time
from collections.abc import Callable, Iterator

import psycopg
import pytest
from sqlalchemy import text

from benchmarks.postgres import PostgresServer
from deit_core import presets
from deit_core.errors import RunError
from deit_core.runs import Store, enqueue, open_store, queue
from deit_core.runs.database import Listener


@pytest.fixture
def others(postgres: PostgresServer) -> Iterator[Store]:
    """The store, as another process has it open."""
    with contextlib.closing(open_store(postgres.new_database())) as others:
        yield others


@pytest.fixture
def listener(others: Store) -> Iterator[Listener]:
    """It has heard all that was written so far."""
    with contextlib.closing(open_store(others.database.url)) as store:
        listener = store.database.listen()
        with contextlib.closing(listener):
            assert listener.has_news(), "before it listened"
            yield listener


def wait_for_news(listener: Listener) -> None:
    """A server tells a moment after a transaction is committed."""
    deadline = time.monotonic() + 60
    while not listener.has_news():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def told(store: Store, act: Callable[[], object]) -> int:
    """How often a server tells of an act."""
    with psycopg.connect(store.database.url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute("LISTEN deit_lab")
        act()
        connection.execute("NOTIFY deit_lab, 'the end'")
        for count, notice in enumerate(connection.notifies(timeout=60)):
            if notice.payload == "the end":
                return count
    raise AssertionError("nothing was heard")


def test_what_is_written_is_news_in_each_kind_of_store(each_store: Store) -> None:
    with contextlib.closing(each_store.database.listen()) as listener:
        listener.has_news()
        enqueue(each_store, presets.smoke())
        wait_for_news(listener)


def test_what_was_heard_is_no_news_again(listener: Listener, others: Store) -> None:
    assert not listener.has_news()
    enqueue(others, presets.smoke())
    wait_for_news(listener)
    assert not listener.has_news()


def test_a_server_tells_of_what_was_written_alone(others: Store) -> None:
    (run_id,) = enqueue(others, presets.smoke())
    worker_id, _ = queue.register(others, None) or ("", None)

    def refused() -> None:
        with pytest.raises(RunError, match="can be resumed"):
            others.resume(run_id)

    assert told(others, lambda: others.stop(run_id)) == 1
    assert told(others, lambda: others.resume(run_id)) == 1
    assert told(others, lambda: queue.heartbeat(others, worker_id)) == 0
    assert told(others, lambda: queue.drain(others, [])) == 0
    assert told(others, refused) == 0


def test_a_lost_connection_may_have_missed_something_and_is_made_again(listener: Listener, others: Store) -> None:
    with others.reading() as connection:
        ends = "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity WHERE query = 'LISTEN deit_lab'"
        assert connection.scalars(text(f"{ends} AND datname = current_database()")).all() == [True]
    wait_for_news(listener)
    assert [listener.has_news() for _ in range(2)] == [True, False], "it listens again"
    enqueue(others, presets.smoke())
    wait_for_news(listener)
