"""What a worker checks before a run begins or goes on: its files are there, and its teacher is the one it should be."""

import time
from collections.abc import Callable
from pathlib import Path

from deit_core.layout import run_folder
from deit_core.models import load_checkpoint, read_card, save_weights
from deit_core.runs import LocalLauncher, Status
from deit_core.spec import ExperimentSpec, RunSpec, replace
from deit_core.training import train


def wait_for(launcher: LocalLauncher, condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 600
    while not condition():
        assert time.monotonic() < deadline, [(r.name, r.status, r.message) for r in launcher.store.runs()]
        time.sleep(0.1)
        launcher.ensure_workers()


def test_a_resume_without_state_fails_and_leaves_the_weights_alone(launcher: LocalLauncher, tiny: RunSpec) -> None:
    spec = replace(tiny, {"optim.epochs": 200, "compute.num_threads": 1})
    (run_id,) = launcher.submit(spec)
    wait_for(launcher, lambda: launcher.store.run(run_id).epoch >= 1)
    launcher.stop(run_id)
    wait_for(launcher, lambda: launcher.store.run(run_id).status == Status.STOPPED)
    folder = run_folder(launcher.settings.runs_dir, run_id)
    for state in folder.glob("state*.pt"):
        state.unlink()
    best = (folder / "best.safetensors").read_bytes()
    launcher.resume(run_id)
    wait_for(launcher, lambda: not launcher.store.run(run_id).status.is_active)
    run = launcher.store.run(run_id)
    assert run.status == Status.FAILED
    assert "state.pt is missing" in run.message
    assert (folder / "best.safetensors").read_bytes() == best


def test_two_seeds_of_an_experiment_have_the_same_teacher(
    launcher: LocalLauncher, tiny: RunSpec, tmp_path: Path
) -> None:
    """The file of the teacher is overwritten after the first seed has learned from it."""
    list(train(tiny, run_dir=tmp_path / "elsewhere"))
    file = tmp_path / "teacher.safetensors"
    file.write_bytes((tmp_path / "elsewhere" / "best.safetensors").read_bytes())
    taught = tiny.model_dump() | {"name": "vit", "distillation": {"teacher": str(file)}}
    experiment = ExperimentSpec(name="two seeds", runs=(RunSpec.model_validate(taught),), seeds=2)
    first, second = launcher.submit(experiment)
    wait_for(launcher, lambda: launcher.store.run(first).status != Status.QUEUED)
    launcher.stop(second)
    wait_for(launcher, lambda: not launcher.store.run(first).status.is_active)
    assert launcher.store.run(first).status == Status.COMPLETED, launcher.store.run(first).message
    teacher = load_checkpoint(file)
    teacher.state_dict()["head.weight"].mul_(-1)
    save_weights(file, teacher, read_card(file))
    launcher.resume(second)
    wait_for(launcher, lambda: not launcher.store.run(second).status.is_active)
    run = launcher.store.run(second)
    assert run.status == Status.FAILED
    assert f"The teacher {file} has changed since another run of this experiment learned from it" in run.message
