"""A disk that fills up while a run trains: told in a sentence, what was saved is whole, and the run goes on later."""

import errno
import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from small_disk import SmallDisk

from deit_core.errors import FullStoreError, ResourceError
from deit_core.events import CheckpointSaved, Event, RunStarted, StepDone
from deit_core.files import write_atomically
from deit_core.models import load_checkpoint
from deit_core.runs import LocalLauncher, Run, Status, enqueue, open_store, queue, schema, writer
from deit_core.runs.foreground import train_here
from deit_core.settings import Settings
from deit_core.spec import RunSpec
from deit_core.training import train


def test_a_run_ends_with_a_sentence_and_resumes_bit_for_bit(disk: SmallDisk, tiny: RunSpec, tmp_path: Path) -> None:
    folder = disk.folder / "run"
    events = train(tiny, run_dir=folder, num_threads=1)
    next(event for event in events if isinstance(event, CheckpointSaved))
    disk.fill()
    with pytest.raises(ResourceError, match=r"^The disk is full: .*/run/.* could not be written.* resume or try again"):
        list(events)
    assert not list(folder.rglob("*.part"))  # the half that was written is not in the way
    load_checkpoint(folder)
    disk.make_room()
    rest = list(train(tiny, run_dir=folder, num_threads=1, resume=True))
    assert isinstance(rest[0], RunStarted)
    assert rest[0].first_step == 17
    list(train(tiny, run_dir=tmp_path / "never-full", num_threads=1))
    for name in ("last", "best"):
        one, other = (load_file(path / f"{name}.safetensors") for path in (folder, tmp_path / "never-full"))
        assert all(torch.equal(one[key], other[key]) for key in one), name


@contextmanager
def room_once_it_failed(disk: SmallDisk) -> Iterator[None]:
    """Someone makes room between the run's end and the store's last answer."""

    class Someone(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.exc_info:
                disk.make_room()

    someone = Someone()
    logging.getLogger("deit_core.worker").addHandler(someone)
    yield
    logging.getLogger("deit_core.worker").removeHandler(someone)


@pytest.mark.parametrize("store_too", [False, True], ids=["checkpoints and log", "store"])
def test_a_worker_says_so(store_too: bool, disk: SmallDisk, tiny: RunSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "PATIENCE_S", 0.2)
    monkeypatch.setattr(writer, "RETRY_S", 0.05)
    runs_dir, elsewhere = disk.folder / "runs", disk.folder.parent / "elsewhere"
    if store_too:
        runs_dir, elsewhere = elsewhere, runs_dir
    settings = Settings(f"sqlite:///{elsewhere / 'runs.sqlite'}", runs_dir, elsewhere / "data", num_workers=1)

    def fill_at_the_first_step(_run: Run, event: Event) -> None:
        if isinstance(event, StepDone):
            disk.fill()

    with room_once_it_failed(disk):
        (run,), _ = train_here(open_store(settings.store_url), settings, tiny, fill_at_the_first_step)
    assert run.status == Status.FAILED
    assert run.message.startswith("The disk with the store is full" if store_too else "The disk is full")
    assert "resume" in run.message


def test_a_worker_whose_store_stays_full_ends_within_seconds(
    disk: SmallDisk, tiny: RunSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its run would read running for as long as it waits."""
    assert 3 * writer.FULL_PATIENCE_S < 10, "it waits at three writes"
    monkeypatch.setattr(writer, "FULL_PATIENCE_S", 0.2)
    monkeypatch.setattr(writer, "RETRY_S", 0.05)
    runs_dir = disk.folder / "runs"
    settings = Settings(f"sqlite:///{runs_dir / 'runs.sqlite'}", runs_dir, disk.folder / "data", num_workers=1)
    full_since = 0.0

    def fill_at_the_first_step(_run: Run, event: Event) -> None:
        nonlocal full_since
        if isinstance(event, StepDone) and not full_since:
            disk.fill()
            full_since = time.monotonic()

    with pytest.raises(FullStoreError, match="The disk with the store is full"):
        train_here(open_store(settings.store_url), settings, tiny, fill_at_the_first_step)
    assert time.monotonic() - full_since < 60


def test_the_run_of_a_dead_worker_reads_interrupted_though_nothing_can_be_written(
    disk: SmallDisk, tiny: RunSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store(f"sqlite:///{disk.folder / 'runs.sqlite'}")
    (run_id,) = enqueue(store, tiny)
    entry = queue.register(store, num_slots=1)
    assert entry is not None
    queue.claim(store, entry[0])
    with store.writing() as connection:
        connection.execute(schema.pulses.update().values(process_start=1))  # of a process that is gone
    disk.fill()
    launcher = LocalLauncher(store, Settings(store.database.url, disk.folder, disk.folder / "data", num_workers=1))
    launcher.ensure_workers()
    assert store.run(run_id).status == Status.INTERRUPTED
    assert "the disk with the store is full" in store.run(run_id).message
    assert open_store(store.database.url).run(run_id).status == Status.RUNNING, "as it is written"
    disk.make_room()
    launcher.ensure_workers()
    assert open_store(store.database.url).run(run_id).status == Status.INTERRUPTED
    assert store.run(run_id).message.endswith("Resume goes on from the last saved state.")


def test_a_log_that_cannot_be_closed_costs_no_run(
    settings: Settings, tiny: RunSpec, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Its lines were for a disk that is full: closing tries to write them once more."""
    honest = Path.open

    def full(path: Path, *arguments: object, **options: object) -> object:
        if path.name == "log.txt" and arguments == ("a",):
            path = Path("/dev/full")
        return honest(path, *arguments, **options)  # type: ignore[call-overload]

    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    monkeypatch.setattr(Path, "open", full)
    monkeypatch.setattr(logging, "raiseExceptions", False)
    caplog.set_level(logging.INFO, logger="deit_core.worker")  # as in a worker's own process
    (run,), _ = train_here(open_store(settings.store_url), settings, tiny, lambda *_: None)
    assert run.status == Status.COMPLETED, run.message


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_file: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    write_atomically(tmp_path / "a", b"old")
    monkeypatch.setattr("deit_core.files.os.fsync", full)
    with pytest.raises(ResourceError, match="What was saved before is kept"):
        write_atomically(tmp_path / "a", b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_bytes() == b"old"
