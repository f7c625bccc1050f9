"""The engine of Slurm: it keeps the contract of all engines with submitit's local jobs in place of Slurm's."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from engine_contract import EngineContract, wait_for

from deit_core.errors import RunError, SpecError
from deit_core.layout import slurm_folder
from deit_core.runs import LocalLauncher, Status, open_store
from deit_core.runs.condition import explain
from deit_core.runs.engines import Engine
from deit_core.runs.engines.slurm import SlurmEngine
from deit_core.settings import Settings
from deit_core.spec import RunSpec, replace


@pytest.fixture
def launcher(settings: Settings) -> Iterator[LocalLauncher]:
    store = open_store(settings.store_url)
    engine = SlurmEngine(store, settings, cluster="local")
    yield LocalLauncher(store, settings, engine)
    engine.leave()


class TestSlurmEngine(EngineContract):
    @pytest.fixture
    def engine(self, launcher: LocalLauncher) -> Engine:
        return launcher.engine

    def test_its_jobs_leave_no_file_that_nobody_needs(self, launcher: LocalLauncher, tiny: RunSpec) -> None:
        (run_id,) = launcher.submit(replace(tiny, {"optim.epochs": 1}))
        folder = slurm_folder(launcher.settings.runs_dir)
        assert folder.stat().st_mode & 0o777 == 0o700, "a job is given the address of the store, with its password"
        wait_for(launcher, lambda: launcher.store.run(run_id).status == Status.COMPLETED)
        wait_for(launcher, lambda: list(folder.iterdir()) == [])


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Call it with the name and the text of a command that stands in for one of Slurm's."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")

    def write(name: str, text: str) -> None:
        (folder / name).write_text(f"#!/bin/sh\n{text}\n")
        (folder / name).chmod(0o755)

    return write


def test_a_job_asks_for_what_it_is_told_and_is_never_restarted_by_slurm(
    settings: Settings, tiny: RunSpec, command: Callable[[str, str], None], tmp_path: Path
) -> None:
    for name, text in {"srun": "", "scancel": "", "sacct": "", "sbatch": f'cp "$1" {tmp_path}/job; echo job 7'}.items():
        command(name, text)
    store = open_store(settings.store_url)
    engine = SlurmEngine(store, settings, {"partition": "gpu", "time": 240, "gpus_per_node": 1})
    launcher = LocalLauncher(store, settings, engine)
    launcher.submit(replace(tiny, {"compute.device": "cuda"}))
    launcher.ensure_workers()
    asked = set((tmp_path / "job").read_text().splitlines())
    wanted = {"partition=gpu", "time=240", "gpus-per-node=1", "cpus-per-task=1", "no-requeue"}
    assert {f"#SBATCH --{one}" for one in wanted} <= asked
    assert len(list(slurm_folder(settings.runs_dir).glob("*_submitted.pkl"))) == 1, "the job that waits is enough"


def test_a_job_that_slurm_refuses_is_a_sentence_and_the_run_waits(
    settings: Settings, tiny: RunSpec, command: Callable[[str, str], None]
) -> None:
    command("srun", "")
    command("sbatch", "echo 'sbatch: error: invalid partition specified: moon' >&2; exit 1")
    store = open_store(settings.store_url)
    launcher = LocalLauncher(store, settings, SlurmEngine(store, settings, {"partition": "moon"}))
    (run_id,) = launcher.submit(tiny)
    assert launcher.trouble == "Slurm refuses the job: sbatch: error: invalid partition specified: moon"
    assert store.run(run_id).status == Status.QUEUED


def test_a_run_whose_device_no_job_has_says_so(launcher: LocalLauncher, tiny: RunSpec) -> None:
    (run_id,) = launcher.submit(replace(tiny, {"compute.device": "cuda"}))
    assert "the jobs of `slurm` have no such device" in explain(launcher.store.run(run_id), launcher.store.runs())
    launcher.engine.leave()  # type: ignore[attr-defined]
    assert explain(launcher.store.run(run_id), launcher.store.runs()).startswith("Next in the queue")


def test_what_a_job_cannot_ask_for_is_a_sentence(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    store = open_store(settings.store_url)
    with pytest.raises(SpecError, match=r"no parameter partion here; choose from account, .*partition"):
        SlurmEngine(store, settings, {"partion": "gpu"}, cluster="local")
    with pytest.raises(SpecError, match="additional_parameters has names and values"):
        SlurmEngine(store, settings, {"additional_parameters": 5}, cluster="local")
    with pytest.raises(SpecError, match="whole number"):
        SlurmEngine(store, settings, {"cpus_per_task": "many"}, cluster="local")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(RunError, match="This machine has no Slurm"):
        SlurmEngine(store, settings)
