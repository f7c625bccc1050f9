"""What a worker checks before a run begins or goes on: its files are there, and its teacher is the one it should be."""

from pathlib import Path

from worker_here import stop_at, worker_here

from deit_core.layout import run_folder
from deit_core.models import load_checkpoint, read_card, save_weights
from deit_core.runs import Status, enqueue, open_store
from deit_core.settings import Settings
from deit_core.spec import ExperimentSpec, RunSpec, replace
from deit_core.training import train


def test_a_resume_without_state_fails_and_leaves_the_weights_alone(settings: Settings, tiny: RunSpec) -> None:
    store = open_store(settings.store_url)
    (run_id,) = enqueue(store, replace(tiny, {"optim.epochs": 50, "compute.num_threads": 1}))
    worker_here(store, settings, stop_at(store, 18)).work()  # in its second epoch
    assert store.run(run_id).status == Status.STOPPED
    folder = run_folder(settings.runs_dir, run_id)
    for state in folder.glob("state*.pt"):
        state.unlink()
    best = (folder / "best.safetensors").read_bytes()
    store.resume(run_id)
    worker_here(store, settings).work()
    run = store.run(run_id)
    assert run.status == Status.FAILED
    assert "state.pt is missing" in run.message
    assert (folder / "best.safetensors").read_bytes() == best


def test_two_seeds_of_an_experiment_have_the_same_teacher(settings: Settings, tiny: RunSpec, tmp_path: Path) -> None:
    """The file of the teacher is overwritten after the first seed has learned from it."""
    store = open_store(settings.store_url)
    list(train(tiny, run_dir=tmp_path / "elsewhere"))
    file = tmp_path / "teacher.safetensors"
    file.write_bytes((tmp_path / "elsewhere" / "best.safetensors").read_bytes())
    taught = tiny.model_dump() | {"name": "vit", "distillation": {"teacher": str(file)}}
    experiment = ExperimentSpec(name="two seeds", runs=(RunSpec.model_validate(taught),), seeds=2)
    first, second = enqueue(store, experiment)
    store.stop(second)
    worker_here(store, settings).work()
    assert store.run(first).status == Status.COMPLETED, store.run(first).message
    teacher = load_checkpoint(file)
    teacher.state_dict()["head.weight"].mul_(-1)
    save_weights(file, teacher, read_card(file))
    store.resume(second)
    worker_here(store, settings).work()
    run = store.run(second)
    assert run.status == Status.FAILED
    assert f"The teacher {file} has changed since another run of this experiment learned from it" in run.message
