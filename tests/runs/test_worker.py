"""Workers, as processes where a process is the subject: they train, stop, die, and their runs go on."""

import dataclasses
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from sqlalchemy import select
from worker_here import stop_at, worker_here

from deit_core.data.sources import progress as reading
from deit_core.events import EpochDone, Event, Reading, RunFinished, StepDone
from deit_core.runs import LocalLauncher, Run, Status, Store, enqueue, log_tail, open_store, queue, schema, submit
from deit_core.runs.endings import describe
from deit_core.runs.foreground import train_here
from deit_core.settings import Settings
from deit_core.spec import ExperimentSpec, RunSpec, replace
from deit_core.training import train


def wait_for(launcher: LocalLauncher, condition: Callable[[], bool], timeout_s: float = 600.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, [(r.name, r.status, r.message) for r in launcher.store.runs()]
        time.sleep(0.1)
        launcher.ensure_workers()


def worker_pid(store: Store, run: Run) -> int:
    with store.reading() as connection:
        pid = connection.scalar(select(schema.workers.c.pid).where(schema.workers.c.id == run.worker_id))
    assert pid is not None
    return pid


def long(tiny: RunSpec, epochs: int = 12) -> RunSpec:
    """Not so long that it is tried whether compiling pays, which takes minutes on a busy machine."""
    return replace(tiny, {"optim.epochs": epochs, "compute.num_threads": 1})


def assert_same_weights(one: Path, other: Path) -> None:
    mine, theirs = load_file(one / "last.safetensors"), load_file(other / "last.safetensors")
    assert all(torch.equal(mine[name], theirs[name]) for name in theirs)


def test_an_experiment_trains_to_its_end_in_a_worker_on_the_store_it_was_given(
    settings: Settings, tiny_trio: ExperimentSpec, tmp_path: Path
) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'elsewhere.sqlite'}")
    launcher = LocalLauncher(store, settings)
    ids = submit(store, tiny_trio, settings)
    wait_for(launcher, lambda: not any(run.status.is_active for run in store.runs(ids)))
    runs = {run.name: run for run in store.runs(ids)}
    assert {run.status for run in runs.values()} == {Status.COMPLETED}, [run.message for run in runs.values()]
    assert all(0 < run.results["test_accuracy"] <= 1 for run in runs.values())
    in_turn = [runs[name] for name in ("teacher", "vit", "deit")]
    assert all(one.finished_at <= other.started_at for one, other in pairwise(in_turn)), "one at a time"  # type: ignore[operator]
    assert "test_accuracy_distillation" in runs["deit"].results
    kinds = [point.kind for point in store.points(ids[2])]
    assert kinds[0] == "start"
    assert kinds.count("epoch") == 2
    assert "epoch 2" in log_tail(settings.runs_dir, ids[0])
    story = [event.message for event in store.lifecycle(ids[2])]
    assert any(
        re.search(r"Computes on cpu with \d threads?: float32.*read from .* MB", message) for message in story
    ), story
    wait_for(launcher, lambda: not queue.registered_here(store))  # and the worker leaves


def test_killed_workers_run_reads_interrupted_and_resumes_bit_for_bit(
    launcher: LocalLauncher, tiny: RunSpec, tmp_path: Path
) -> None:
    spec, store = replace(long(tiny), {"optim.batch_size": 4, "optim.epochs": 2}), launcher.store
    steps = 1149 // 4  # in an epoch, which lasts a second or more
    (run_id,) = launcher.submit(spec)
    wait_for(launcher, lambda: store.run(run_id).epoch >= 1 and store.run(run_id).step % steps != 0)
    os.kill(worker_pid(store, store.run(run_id)), signal.SIGKILL)
    wait_for(launcher, lambda: store.run(run_id).status == Status.INTERRUPTED, timeout_s=45)  # sooner than by silence
    assert "Resume goes on" in store.run(run_id).message
    store.resume(run_id)
    worker_here(store, launcher.settings).work()
    assert store.run(run_id).status == Status.COMPLETED
    for _ in train(spec, run_dir=tmp_path / "never-killed"):
        pass
    assert_same_weights(launcher.settings.runs_dir / run_id, tmp_path / "never-killed")
    starts = [point.step for point in store.points(run_id) if point.kind == "start"]
    assert starts[0] == 0
    assert starts[1] % steps == 0
    assert starts[1] >= steps


def test_stop_keeps_a_checkpoint_and_reads_stopped(settings: Settings, tiny: RunSpec) -> None:
    store = open_store(settings.store_url)
    (run_id,) = enqueue(store, long(tiny, epochs=50))
    worker_here(store, settings, stop_at(store, 20)).work()
    run = store.run(run_id)
    assert run.status == Status.STOPPED
    assert (settings.runs_dir / run_id / "state.pt").exists()
    assert 20 <= run.step < 50 * 17
    store.resume(run_id)
    worker_here(store, settings, stop_at(store, run.step + 1)).work()
    assert store.run(run_id).status == Status.STOPPED
    starts = [point.step for point in store.points(run_id) if point.kind == "start"]
    assert starts == [0, run.step], "not one step lost"
    LocalLauncher(store, settings).delete(run_id)
    assert not (settings.runs_dir / run_id).exists()


def test_a_failing_run_tells_why_and_the_queue_goes_on(settings: Settings, tiny_trio: ExperimentSpec) -> None:
    """The teacher cannot be trained: its student waits for it, the ViT does not."""
    store = open_store(settings.store_url)
    enqueue(store, replace(tiny_trio, {"teacher.compute.device": "mps"}))
    worker_here(store, settings).work()
    teacher, vit, deit = store.runs()[::-1]
    assert teacher.status == Status.FAILED
    assert "no mps device" in teacher.message
    assert (vit.status, deit.status) == (Status.COMPLETED, Status.QUEUED)


def test_a_crash_leaves_its_traceback_in_the_log(settings: Settings, tiny: RunSpec) -> None:
    store = open_store(settings.store_url)
    run_id = enqueue(store, tiny)[0]
    folder = settings.runs_dir / run_id / "epochs"
    folder.parent.mkdir(parents=True)
    folder.write_text("a file where a folder belongs")
    worker_here(store, settings).work()
    run = store.run(run_id)
    assert run.status == Status.FAILED
    assert str(folder) in run.message
    sentence = "This run failed because of a bug in DeiT Lab (RuntimeError: no such thing); the log has more."
    assert describe(RuntimeError("no such thing")) == sentence
    assert "Traceback" in log_tail(settings.runs_dir, run_id)


def test_a_run_whose_log_cannot_be_written_fails_and_the_queue_goes_on(settings: Settings, tiny: RunSpec) -> None:
    store = open_store(settings.store_url)
    (blocked,), (free,) = enqueue(store, tiny), enqueue(store, tiny)
    settings.runs_dir.mkdir(parents=True, exist_ok=True)
    (settings.runs_dir / blocked).write_text("a file where the run's folder belongs")
    worker_here(store, settings).work()
    assert (store.run(blocked).status, store.run(free).status) == (Status.FAILED, Status.COMPLETED)


def test_a_run_whose_folder_has_gone_is_not_silently_started_again(settings: Settings, tiny: RunSpec) -> None:
    store = open_store(settings.store_url)
    (run_id,) = enqueue(store, long(tiny, epochs=50))
    worker_here(store, settings, stop_at(store, 20)).work()
    assert store.run(run_id).status == Status.STOPPED
    (settings.runs_dir / run_id).rename(settings.runs_dir / "moved")
    store.resume(run_id)
    worker_here(store, settings).work()
    assert store.run(run_id).status == Status.FAILED
    assert "DEIT_RUNS_DIR" in store.run(run_id).message
    assert not (settings.runs_dir / run_id).exists(), "the one that was moved could not be moved back"


def test_workers_that_cannot_start_are_told_and_not_started_for_ever(
    launcher: LocalLauncher, tiny: RunSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", "/nowhere")
    monkeypatch.setattr("sys.executable", "/bin/false")
    launcher.submit(tiny)
    deadline = time.monotonic() + 600
    while not launcher.trouble:
        assert time.monotonic() < deadline
        launcher.ensure_workers()
    assert "workers.log" in launcher.trouble


def test_a_run_says_how_far_it_has_read_its_images_and_may_be_stopped_there(
    settings: Settings, tiny: RunSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng, store = np.random.default_rng(0), open_store(settings.store_url)
    for name in ("bee", "cow"):
        (settings.data_dir / "animals" / name).mkdir(parents=True)
        for number in range(30):
            pixels = rng.integers(0, 255, (8, 8), np.uint8)
            Image.fromarray(pixels).save(settings.data_dir / "animals" / name / f"{number}.png")
    monkeypatch.setattr(reading, "EVERY_S", 0.0)
    said: list[str] = []

    def stop_reading(run: Run, event: Event) -> None:
        assert isinstance(event, Reading)
        deadline = time.monotonic() + 600
        while not (message := store.run(run.id).message):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        said.append(message)
        os.kill(os.getpid(), signal.SIGINT)

    spec = replace(tiny, {"data.source": "folder", "data.path": "animals", "data.colour": False, "optim.batch_size": 8})
    (run,), _ = train_here(store, settings, spec, stop_reading)
    assert re.fullmatch(
        r"Reading each file once, to recognise the data later: 1 of 60, about \d+ s left\.", "".join(said)
    )
    assert (run.status, run.step) == (Status.STOPPED, 0)
    assert run.message == "Stopped in the terminal; resume reads the images again."
    store.resume(run.id)
    worker_here(store, settings).work()
    assert (store.run(run.id).status, store.run(run.id).message) == (Status.COMPLETED, "")


def test_two_workers_share_what_a_teacher_made_ready_and_save_when_they_are_ended(
    settings: Settings, tiny_trio: ExperimentSpec
) -> None:
    launcher = LocalLauncher(open_store(settings.store_url), dataclasses.replace(settings, num_workers=2))
    teacher, _, deit = tiny_trio.runs
    students = [replace(long(deit, epochs=150), {"name": name}) for name in ("one", "two")]
    ids = launcher.submit(tiny_trio.with_changes(runs=(teacher, *students)))
    store, deadline = launcher.store, time.monotonic() + 600
    while any(run.step == 0 for run in store.runs(ids[1:])):  # only the worker calls ensure_workers
        assert time.monotonic() < deadline, [(run.name, run.status, run.message) for run in store.runs()]
        time.sleep(0.1)
    for run in store.runs(ids[1:]):
        os.kill(worker_pid(store, run), signal.SIGTERM)
    wait_for(launcher, lambda: not any(run.status.is_active for run in store.runs(ids)))
    for run in store.runs(ids[1:]):
        assert (run.status, run.message) == (
            Status.INTERRUPTED,
            "Its worker was ended; resume continues from here.",
        )
        assert (settings.runs_dir / run.id / "state.pt").exists()


def test_as_many_workers_start_as_runs_are_ready_and_are_allowed(
    settings: Settings, tiny: RunSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    launcher = LocalLauncher(open_store(settings.store_url), dataclasses.replace(settings, num_workers=3))
    started: list[subprocess.Popen[bytes]] = []
    sleeper = [sys.executable, "-c", "import time; time.sleep(600)"]

    def start(*arguments: object) -> subprocess.Popen[bytes]:
        started.append(subprocess.Popen(sleeper))
        return started[-1]

    monkeypatch.setattr("deit_core.runs.engines.local.start_worker", start)
    for seeds, expected in (((0, 1), 2), ((2, 3), 3)):
        runs = [replace(tiny, {"name": f"run {seed}", "seed": seed}) for seed in seeds]
        launcher.submit(ExperimentSpec(name="several", runs=tuple(runs)))
        assert len(started) == expected
    for process in started:
        process.kill()
        process.wait()


def test_a_worker_that_is_ended_in_its_last_epoch_never_reads_completed(settings: Settings, tiny: RunSpec) -> None:
    """Its test images are not scored yet; resume does that."""
    store = open_store(settings.store_url)
    (run_id,) = enqueue(store, replace(tiny, {"optim.epochs": 1, "optim.warmup_epochs": 0}))

    def end(_run: Run, event: Event) -> None:
        if isinstance(event, EpochDone):
            worker.end()

    worker = worker_here(store, settings, end)
    worker.work()
    assert store.run(run_id).status == Status.INTERRUPTED
    store.resume(run_id)
    worker_here(store, settings).work()
    assert store.run(run_id).status == Status.COMPLETED


class Watch:
    def __init__(self) -> None:
        self.events: list[tuple[str, Event]] = []

    def __call__(self, run: Run, event: Event) -> None:
        self.events.append((run.name, event))


def test_the_foreground_uses_the_same_store_and_folders(settings: Settings, tiny_trio: ExperimentSpec) -> None:
    store, watch = open_store(settings.store_url), Watch()
    runs, mistake = train_here(store, settings, replace(tiny_trio, {"optim.epochs": 1}), watch)
    assert mistake is None
    assert [(run.name, run.status) for run in runs] == [(name, Status.COMPLETED) for name in ("teacher", "vit", "deit")]
    assert sum(isinstance(event, RunFinished) for _, event in watch.events) == 3
    assert (settings.runs_dir / runs[2].id / "best.safetensors").exists()
    assert not queue.registered_here(store)


def test_ctrl_c_stops_the_foreground_and_nothing_is_lost(settings: Settings, tiny_trio: ExperimentSpec) -> None:
    store = open_store(settings.store_url)

    def interrupt(run: Run, event: Event) -> None:
        if isinstance(event, StepDone) and run.name == "vit":
            os.kill(os.getpid(), signal.SIGINT)

    runs, _ = train_here(store, settings, replace(tiny_trio, {"optim.epochs": 1}), interrupt)
    assert [run.status for run in runs] == [Status.COMPLETED, Status.STOPPED, Status.STOPPED]
    assert (settings.runs_dir / runs[1].id / "state.pt").exists()
