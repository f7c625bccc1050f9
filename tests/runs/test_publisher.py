"""Machines without a common folder: each trains in a runs folder of its own, and publishes what it has saved."""

from collections.abc import Callable
from dataclasses import replace as with_fields
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from deit_core.errors import ResourceError, RunError
from deit_core.events import EpochDone, Event
from deit_core.layout import RunFiles, run_folder
from deit_core.runs import Curves, LocalLauncher, Run, Status, Store, enqueue, open_store, queue
from deit_core.runs.publisher import publish_again
from deit_core.runs.worker import Worker
from deit_core.settings import Settings
from deit_core.spec import ExperimentSpec, RunSpec, replace
from deit_core.training import train


@pytest.fixture
def store(settings: Settings) -> Store:
    return open_store(settings.store_url)


@pytest.fixture
def machine(
    settings: Settings, bucket: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], Settings]:
    """A machine by its name; nobody waits for a network there."""
    for module in ("artifacts", "publisher", "worker"):
        monkeypatch.setattr(f"deit_core.runs.{module}.PATIENCE_S", 0.0)
    monkeypatch.setattr("deit_core.runs.publisher.REST", 0)

    def of(name: str) -> Settings:
        return with_fields(settings, runs_dir=tmp_path / name, artifacts_url=f"file://{bucket}")

    return of


def work(
    store: Store,
    settings: Settings,
    run_ids: list[str],
    end_after: int | None = None,
    at_epoch: Callable[[int], object] = lambda epoch: None,
) -> None:
    """Train runs on a machine, to their end or until an epoch is saved."""
    entry = queue.register(store, None)
    assert entry is not None
    worker = Worker(store, settings, *entry)

    def watch(run: Run, event: Event) -> None:
        if isinstance(event, EpochDone):
            at_epoch(event.epoch)
            if event.epoch == end_after:
                worker.end()

    worker.watch = watch
    for run_id in run_ids:
        (run,) = store.runs([run_id])
        if run.status != Status.QUEUED:
            store.resume(run_id)
    reserve(store, run_ids, worker.worker_id)
    worker.work()


def reserve(store: Store, run_ids: list[str], worker_id: str) -> None:
    from sqlalchemy import update

    from deit_core.runs import schema

    with store.writing() as connection:
        of_these = schema.runs.c.id.in_(run_ids)
        connection.execute(update(schema.runs).where(of_these).values(reserved_for=worker_id))


def assert_same_weights(one: Path, other: Path) -> None:
    for name in ("last", "best"):
        mine, theirs = (load_file(getattr(RunFiles(folder), name)) for folder in (one, other))
        assert mine.keys() == theirs.keys()
        assert all(torch.equal(mine[key], theirs[key]) for key in theirs)


@pytest.mark.parametrize("is_cut_off", [False, True])
def test_a_run_that_goes_on_elsewhere_equals_its_undisturbed_twin(
    is_cut_off: bool,
    store: Store,
    machine: Callable[[str], Settings],
    bucket: Path,
    tiny: RunSpec,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Also where the first machine lost the bucket before it ended, so that it had saved more than it could publish."""
    caplog.set_level("INFO", logger="deit_core.worker")
    spec = replace(tiny, {"optim.epochs": 6, "compute.num_threads": 1})
    (run_id,) = enqueue(store, spec)
    first, second, away = machine("first"), machine("second"), bucket.with_name("away")

    def at_epoch(epoch: int) -> None:
        if is_cut_off and epoch == 3:
            bucket.rename(away)

    work(store, first, [run_id], end_after=4, at_epoch=at_epoch)
    assert store.run(run_id).status == Status.STOPPED
    if is_cut_off:
        assert "Its files are only on" in store.run(run_id).message
        away.rename(bucket)
    work(store, second, [run_id])
    run = store.run(run_id)
    assert (run.status, run.epoch) == (Status.COMPLETED, 6), run.message
    starts = [point.step for point in store.points(run_id) if point.kind == "start"]
    assert len(starts) == 2
    assert is_cut_off or starts[1] > 17 * 3, "it went on from the last step"
    for _ in train(spec, run_dir=tmp_path / "twin"):
        pass
    assert_same_weights(run_folder(second.runs_dir, run_id), tmp_path / "twin")
    assert "epoch 1" in RunFiles(run_folder(second.runs_dir, run_id)).log.read_text()
    assert len({point.epoch for point in Curves(store).of(run) if point.kind == "epoch"}) == 6


def test_a_student_finds_its_teacher_and_what_is_published_is_deleted_with_it(
    store: Store, machine: Callable[[str], Settings], bucket: Path, tiny_trio: ExperimentSpec
) -> None:
    ids = enqueue(store, replace(tiny_trio, {"optim.epochs": 1, "optim.warmup_epochs": 0}))
    named = {run.name: run for run in store.runs(ids)}
    student = next(run for run in named.values() if run.spec.distillation)
    (teacher,) = student.needs
    work(store, machine("first"), [teacher])
    work(store, machine("second"), [student.id])
    assert store.run(student.id).status == Status.COMPLETED, store.run(student.id).message
    assert not RunFiles(run_folder(machine("second").runs_dir, teacher)).state.exists(), "nobody resumes it here"
    assert {folder.name for folder in bucket.iterdir()} == {teacher, student.id}
    LocalLauncher(store, machine("third")).delete(student.id)
    assert {folder.name for folder in bucket.iterdir()} == {teacher}
    bucket.rename(bucket.with_name("away"))
    with pytest.raises(ResourceError, match="cannot be written"):
        LocalLauncher(store, machine("third")).delete(teacher)
    assert store.run(teacher).status == Status.COMPLETED


def test_a_run_goes_on_without_the_bucket_and_says_where_its_files_are(
    store: Store, machine: Callable[[str], Settings], bucket: Path, tiny: RunSpec
) -> None:
    here = machine("first")
    (run_id,) = enqueue(store, replace(tiny, {"optim.epochs": 3}))
    away = bucket.rename(bucket.with_name("away"))
    work(store, here, [run_id])
    run = store.run(run_id)
    folder = run_folder(here.runs_dir, run_id)
    assert run.status == Status.COMPLETED, run.message
    assert f"in {folder}: file://{bucket} in DEIT_ARTIFACTS cannot be written (there is no such" in run.message
    assert any("cannot be written" in entry.message for entry in store.lifecycle(run_id) if entry.status == "running")
    assert "cannot be written" in RunFiles(folder).log.read_text()
    with pytest.raises(ResourceError, match="cannot be written"):
        publish_again(here, run_id)
    with pytest.raises(RunError, match="publish it from the machine that trained it"):
        publish_again(machine("second"), run_id)
    away.rename(bucket)
    publish_again(here, run_id)
    (bucket / run_id / "published.json").write_text("damaged")
    publish_again(here, run_id)
    assert (bucket / run_id / "published.json").read_bytes() == RunFiles(folder).published.read_bytes()
    with pytest.raises(RunError, match="DEIT_ARTIFACTS is not set"):
        publish_again(with_fields(here, artifacts_url=""), run_id)


def test_a_run_whose_state_cannot_be_fetched_waits_for_a_resume(
    store: Store, machine: Callable[[str], Settings], bucket: Path, tiny: RunSpec
) -> None:
    (run_id,) = enqueue(store, replace(tiny, {"optim.epochs": 3}))
    work(store, machine("first"), [run_id], end_after=1)
    (bucket / run_id / "published.json").write_text("damaged")
    work(store, machine("second"), [run_id])
    run = store.run(run_id)
    assert run.status == Status.FAILED
    assert "is damaged, or names other files" in run.message
    assert "bug" not in run.message
    publish_again(machine("first"), run_id)
    work(store, machine("second"), [run_id])
    assert store.run(run_id).status == Status.COMPLETED, store.run(run_id).message
