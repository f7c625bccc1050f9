"""The runs folder is moved or removed while the store is open: nothing is written where nobody will find it."""

import shutil
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from worker_here import stop_at, worker_here

from deit_core import presets
from deit_core.errors import RunError
from deit_core.events import Event, StepDone
from deit_core.runs import LocalLauncher, Run, RunUpdate, Status, Store, enqueue, open_store, queue
from deit_core.runs.foreground import train_here
from deit_core.settings import Settings
from deit_core.spec import RunSpec, replace

WAYS: dict[str, Callable[[Path], object]] = {
    "removed": shutil.rmtree,
    "moved": lambda folder: folder.rename(folder.with_name("moved")),
    "the file alone": lambda folder: (folder / "runs.sqlite").unlink(),
}
STEPS = 1149 // 4  # in an epoch of a long run


@pytest.fixture
def store(settings: Settings) -> Store:
    return open_store(settings.store_url)


def wait_for(condition: Callable[[], object], timeout_s: float = 600.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def long(tiny: RunSpec) -> RunSpec:
    """Epochs of some seconds, so that it is seldom saving when disturbed; too short to try whether compiling pays."""
    return replace(tiny, {"optim.epochs": 10, "optim.batch_size": 4, "compute.num_threads": 1})


@pytest.mark.parametrize("how", WAYS)
def test_what_is_submitted_afterwards_is_in_the_file_at_the_path(how: str, store: Store, settings: Settings) -> None:
    (before,) = enqueue(store, presets.smoke())
    WAYS[how](settings.runs_dir)
    (after,) = enqueue(store, presets.smoke())
    assert [run.id for run in store.runs()] == [after]
    assert [run.id for run in open_store(settings.store_url).runs()] == [after], "as its worker sees it"
    with pytest.raises(RunError, match="no run whose id begins"):
        store.run(before)


@pytest.mark.parametrize("how", WAYS)
def test_a_store_that_is_gone_is_empty_and_takes_nothing_but_new_runs(
    how: str, store: Store, settings: Settings
) -> None:
    (run_id,) = enqueue(store, presets.smoke())
    launcher = LocalLauncher(store, settings)
    WAYS[how](settings.runs_dir)
    assert not store.is_there
    launcher.ensure_workers()
    launcher.warm()
    assert (store.runs(), store.experiments(), store.points(run_id), store.unreadable()) == ([], [], [], [])
    for write in (
        store.stop,
        store.resume,
        store.delete,
        lambda run_id: store.add_points(run_id, [], RunUpdate(step=1)),
    ):
        with pytest.raises(RunError, match=r"The store .*runs\.sqlite is gone: it was moved or removed"):
            write(run_id)
    assert not store.database.path.exists()
    assert settings.runs_dir.exists() == (how == "the file alone"), "it could not be moved back into its place"


def test_what_is_moved_back_is_there_again(store: Store, settings: Settings) -> None:
    (run_id,) = enqueue(store, presets.smoke())
    moved = settings.runs_dir.rename(settings.runs_dir.with_name("moved"))
    assert store.runs() == []
    moved.rename(settings.runs_dir)
    assert [run.id for run in store.runs()] == [run_id]
    store.stop(run_id)
    assert store.database.num_openings == 1


def test_another_store_in_its_place_is_opened(store: Store, settings: Settings, tmp_path: Path) -> None:
    enqueue(store, presets.smoke())
    (theirs,) = enqueue(open_store(f"sqlite:///{tmp_path / 'theirs' / 'runs.sqlite'}"), presets.smoke())
    settings.runs_dir.rename(tmp_path / "ours")
    (tmp_path / "theirs").rename(settings.runs_dir)
    assert [run.id for run in store.runs()] == [theirs]
    store.stop(theirs)
    assert open_store(settings.store_url).run(theirs).status == Status.STOPPED
    assert store.database.num_openings == 2


def test_a_worker_of_the_file_before_takes_no_run_of_the_new_one(store: Store, settings: Settings) -> None:
    entry = queue.register(store, num_slots=1)
    assert entry is not None
    shutil.rmtree(settings.runs_dir)
    (run_id,) = enqueue(store, presets.smoke())
    assert not queue.heartbeat(store, entry[0])
    assert queue.claim(store, entry[0]) is None
    assert queue.retire(store, entry[0]), "it goes, though a run is ready"
    assert store.run(run_id).status == Status.QUEUED


@pytest.mark.parametrize("how", WAYS)
def test_a_worker_ends_and_writes_nothing_more(how: str, store: Store, settings: Settings, tiny: RunSpec) -> None:
    def lose(_run: Run, event: Event) -> None:
        if isinstance(event, StepDone) and not lost:
            lost.append(event.step)
            WAYS[how](settings.runs_dir)

    lost: list[int] = []
    enqueue(store, long(tiny))
    worker = worker_here(open_store(settings.store_url), settings, lose)
    worker.work()
    assert "is gone: it was moved or removed" in str(worker.mistake)
    assert not store.database.path.exists()
    assert settings.runs_dir.exists() == (how == "the file alone")
    (after,) = enqueue(store, tiny)
    worker_here(store, settings).work()
    assert [(run.id, run.status) for run in store.runs()] == [(after, Status.COMPLETED)]


def test_a_run_that_was_moved_with_its_folder_goes_on_once_it_is_back(
    launcher: LocalLauncher, settings: Settings, tiny: RunSpec
) -> None:
    store = launcher.store
    (run_id,) = launcher.submit(long(tiny))
    wait_for(lambda: store.run(run_id).epoch >= 1 and store.run(run_id).step > STEPS)  # it has saved the first epoch
    process = psutil.Process(queue.workers_here(store)[0].pid)
    moved = settings.runs_dir.rename(settings.runs_dir.with_name("moved"))
    wait_for(lambda: launcher.ensure_workers() or not process.is_running())
    moved.rename(settings.runs_dir)
    launcher.ensure_workers()
    assert store.run(run_id).status == Status.INTERRUPTED
    store.resume(run_id)
    worker_here(store, settings, stop_at(store, 0)).work()
    assert store.run(run_id).status == Status.STOPPED
    starts = [point.step for point in store.points(run_id) if point.kind == "start"]
    assert starts[0] == 0
    assert starts[1] >= STEPS


def test_a_new_run_is_not_kept_waiting_by_a_worker_that_lost_its_store(
    launcher: LocalLauncher, settings: Settings, tiny: RunSpec
) -> None:
    store = launcher.store
    (before,) = launcher.submit(long(tiny))
    wait_for(lambda: store.run(before).step > 20)
    process = psutil.Process(queue.workers_here(store)[0].pid)
    shutil.rmtree(settings.runs_dir)
    (after,) = launcher.submit(tiny)
    wait_for(lambda: launcher.ensure_workers() or not store.run(after).status.is_active)
    assert store.run(after).status == Status.COMPLETED, store.run(after).message
    wait_for(lambda: launcher.ensure_workers() or not process.is_running())
    assert not (settings.runs_dir / before).exists()


@pytest.mark.parametrize("is_replaced", [False, True], ids=["gone", "replaced"])
@pytest.mark.parametrize("how", WAYS)
def test_a_command_ends_with_a_sentence(
    how: str, is_replaced: bool, store: Store, settings: Settings, tiny: RunSpec
) -> None:
    def lose(_run: Run, event: Event) -> None:
        if isinstance(event, StepDone) and not lost:
            lost.append(event.step)
            WAYS[how](settings.runs_dir)
            if is_replaced:
                enqueue(open_store(settings.store_url), tiny, reserved_for="another")

    lost: list[int] = []
    runs, mistake = train_here(store, settings, long(tiny), lose)
    assert runs == []
    assert isinstance(mistake, RunError)
    assert "is gone: it was moved or removed" in str(mistake)
    assert len(store.runs()) == is_replaced
    if how != "the file alone":
        assert list(settings.runs_dir.glob("*/")) == [], "its folder is not begun again where it was"


def test_a_run_whose_folder_alone_goes_fails_with_a_sentence(store: Store, settings: Settings, tiny: RunSpec) -> None:
    def lose(run: Run, event: Event) -> None:
        if isinstance(event, StepDone):
            shutil.rmtree(settings.runs_dir / run.id, ignore_errors=True)

    (run,), mistake = train_here(store, settings, tiny, lose)
    assert run.status == Status.FAILED
    assert run.message == str(mistake)
    assert f"The folder of this run, {settings.runs_dir / run.id}, is gone" in run.message
    assert not (settings.runs_dir / run.id).exists()
