"""A worker that the system ended because memory ran out has failed; one that somebody ended is interrupted."""

import os
from pathlib import Path

import pytest
from sqlalchemy import delete, insert, update

from deit_core.runs import Store, enqueue, open_store, pulse, queue, schema
from deit_core.runs.endings import describe
from deit_core.runs.records import Status
from deit_core.settings import Settings
from deit_core.spec import RunSpec

EVENTS = {"memory.events": "oom 1\noom_kill {}\n", "memory.oom_control": "under_oom 0\noom_kill {}\n"}


def running_worker(store: Store, spec: RunSpec, folder: Path, num_killed: int) -> tuple[str, str]:
    """A worker with a run, in a control group of which `num_killed` processes were ended by its last heartbeat."""
    (run_id,) = enqueue(store, spec)
    entry = queue.register(store, 1)
    assert entry is not None
    assert queue.claim(store, entry[0]) is not None
    with store.writing() as connection:
        connection.execute(delete(schema.worker_groups))  # that of this process, which not every machine has
        group = {"worker_id": entry[0], "folder": str(folder), "num_killed": num_killed}
        connection.execute(insert(schema.worker_groups).values(group))
    return entry[0], run_id


def kill(store: Store) -> None:
    """As if another process had its number by now."""
    with store.writing() as connection:
        connection.execute(update(schema.pulses).values(process_start=1))
        connection.execute(update(schema.workers).values(process_started_at=1.0, heartbeat_at=0.0))


@pytest.mark.parametrize("file", EVENTS)
@pytest.mark.parametrize(
    ("before", "now", "status", "words"),
    [
        (0, 1, Status.FAILED, "Out of memory: the system ended its worker"),
        (2, 3, Status.FAILED, "resume where there is more memory"),
        (0, 0, Status.INTERRUPTED, "is gone"),
        (1, 1, Status.INTERRUPTED, "is gone"),  # another process of the group, long ago
    ],
)
def test_its_group_tells_why_a_worker_is_gone(
    file: str, before: int, now: int, status: Status, words: str, settings: Settings, tiny: RunSpec, tmp_path: Path
) -> None:
    store = open_store(settings.store_url)
    _, run_id = running_worker(store, tiny, tmp_path, before)
    (tmp_path / file).write_text(EVENTS[file].format(now))
    assert queue.reap(store) == []
    kill(store)
    assert queue.reap(store) == [run_id]
    run = store.run(run_id)
    assert (run.status, words in run.message) == (status, True)
    assert run.status.can_resume


def test_a_group_that_is_gone_tells_nothing(settings: Settings, tiny: RunSpec, tmp_path: Path) -> None:
    store = open_store(settings.store_url)
    _, run_id = running_worker(store, tiny, tmp_path / "nowhere", 0)
    kill(store)
    queue.reap(store)
    assert store.run(run_id).status == Status.INTERRUPTED


def test_each_heartbeat_notes_the_group_where_there_is_one(settings: Settings, tiny: RunSpec, tmp_path: Path) -> None:
    """A process may be moved; and what the system ended before is none of the worker's."""
    if not pulse.memory_group():
        pytest.skip("this system has no control groups")
    store = open_store(settings.store_url)
    worker_id, _ = running_worker(store, tiny, tmp_path, 7)
    assert queue.heartbeat(store, worker_id)
    with store.reading() as connection:
        (row,) = connection.execute(schema.worker_groups.select()).all()
    assert Path(row.folder).is_dir()
    assert row.num_killed < 7 or Path(row.folder) != tmp_path
    queue.leave(store, worker_id)
    with store.reading() as connection:
        assert not connection.execute(schema.worker_groups.select()).all()


def test_a_memory_error_is_called_by_its_name() -> None:
    assert describe(MemoryError()).startswith("Out of memory: ")
    assert os.linesep not in describe(MemoryError())
