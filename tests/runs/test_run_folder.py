"""A run and its folder go together: neither is left without the other."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from deit_core import presets
from deit_core.errors import RunError
from deit_core.layout import run_folder
from deit_core.runs import LocalLauncher, RunUpdate, Status, Store, enqueue, open_store, queue
from deit_core.runs.worker import Worker
from deit_core.settings import Settings
from deit_core.spec import RunSpec


@pytest.fixture
def store(settings: Settings) -> Store:
    return open_store(settings.store_url)


@pytest.fixture
def launcher(store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> LocalLauncher:
    monkeypatch.setattr("deit_core.runs.engines.local.start_worker", lambda *_: pytest.fail("nothing is ready"))
    return LocalLauncher(store, settings)


@pytest.fixture
def stopped(store: Store, settings: Settings) -> str:
    """A run that got as far as step 20, and its folder with a checkpoint."""
    (run_id,) = enqueue(store, presets.smoke())
    store.add_points(run_id, [], RunUpdate(step=20, total_steps=34))
    store.set_status(run_id, Status.STOPPED, "Stopped; resume continues from here.")
    folder = run_folder(settings.runs_dir, run_id)
    (folder / "epochs").mkdir(parents=True)
    (folder / "epochs" / "0001.safetensors").write_bytes(b"weights")
    return run_id


@pytest.mark.parametrize("lies", ["elsewhere", "nowhere", "here", "not at all", "as a file"])
def test_a_run_goes_with_its_folder_however_it_lies_there(
    lies: str, launcher: LocalLauncher, settings: Settings, stopped: str, tmp_path: Path
) -> None:
    folder, target = run_folder(settings.runs_dir, stopped), tmp_path / "large disk"
    if lies != "here":
        folder.rename(target)
    if lies in ("elsewhere", "nowhere"):
        folder.symlink_to(target if lies == "elsewhere" else tmp_path / "unplugged")
    if lies == "as a file":
        folder.write_text("a note")
    launcher.delete(stopped)
    assert launcher.store.runs() == []
    assert not os.path.lexists(folder)
    assert (target / "epochs" / "0001.safetensors").exists() == (lies != "here"), "what is elsewhere is someone's own"


@pytest.fixture
def stubborn(settings: Settings, stopped: str) -> Iterator[Path]:
    """A folder in the run's that cannot be removed."""
    folder = run_folder(settings.runs_dir, stopped) / "stuck"
    folder.mkdir()
    (folder / "file").write_text("")
    if os.geteuid():
        folder.chmod(0o500)
        yield folder
        folder.chmod(0o700)
        return
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]  # as root all else can be removed
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("this root cannot mount a file system")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.mark.skipif(sys.platform == "win32", reason="needs chmod or mount")
def test_a_run_whose_folder_cannot_be_removed_stays(launcher: LocalLauncher, stopped: str, stubborn: Path) -> None:
    with pytest.raises(RunError, match=r"stuck.* cannot be removed \(.*\), so the run stays.* delete the run again"):
        launcher.delete(stopped)
    assert launcher.store.run(stopped).status == Status.STOPPED


@pytest.mark.parametrize("why", ["running", "needed"])
def test_a_run_that_may_not_go_keeps_its_files(why: str, launcher: LocalLauncher, stopped: str) -> None:
    store = launcher.store
    if why == "running":
        store.set_status(stopped, Status.RUNNING)
    else:
        store.add({"a0000000": presets.smoke()}, {"a0000000": [stopped]})  # type: ignore[dict-item]
    with pytest.raises(RunError, match=r"stop it first|still needs this one"):
        launcher.delete(stopped)
    assert (run_folder(launcher.settings.runs_dir, stopped) / "epochs" / "0001.safetensors").exists()


def test_a_resume_without_the_folder_leaves_none(
    launcher: LocalLauncher, settings: Settings, stopped: str, tmp_path: Path
) -> None:
    store, folder = launcher.store, run_folder(settings.runs_dir, stopped)
    (folder / "spec.json").write_text("{}")
    moved = folder.rename(tmp_path / "moved")
    entry = queue.register(store, num_slots=None)
    assert entry is not None
    store.resume(stopped, reserved_for=entry[0])
    worker = Worker(store, settings, *entry)
    worker.work()
    run = store.run(stopped)
    assert (run.status, run.message) == (Status.FAILED, str(worker.mistake))
    assert run.message.startswith(f"The folder of this run, {folder}, does not exist; put it back")
    assert not folder.exists()
    moved.rename(folder)
    assert (folder / "epochs" / "0001.safetensors").exists()


@pytest.mark.parametrize(
    "words",
    [
        *(("train", "digits-quik"), ("submit", "digits-quick", "--set", "optim.speed=9")),
        *(("resume", "7"), ("stop", "7"), ("delete", "7", "--yes"), ("show", "7"), ("report", "digits-quick")),
        *(("export", "7", "--format", "pt"), ("rollout", "7", "a.png", "--out", "x"), ("runs",), ("runs", "--json")),
    ],
    ids=" ".join,
)
def test_a_command_that_begins_nothing_leaves_no_folder(
    words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from deit_core import cli

    monkeypatch.setattr(sys, "argv", ["deit_core", *words, "--runs-dir", str(tmp_path / "typo")])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == (0 if words[0] == "runs" else 2)
    assert not (tmp_path / "typo").exists()


def test_a_run_without_a_step_begins_without_a_folder(store: Store, settings: Settings, tiny: RunSpec) -> None:
    """It was stopped while it read its images, say."""
    (run_id,) = enqueue(store, tiny)
    store.stop(run_id)
    entry = queue.register(store, num_slots=None)
    assert entry is not None
    store.resume(run_id, reserved_for=entry[0])
    Worker(store, settings, *entry).work()
    assert store.run(run_id).status == Status.COMPLETED, store.run(run_id).message
