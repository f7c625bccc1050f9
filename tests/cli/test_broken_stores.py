"""Whatever is wrong with a store: a command shows what it can, or ends with one sentence; never with a traceback."""

import json
import shutil
from contextlib import closing
from pathlib import Path

import pytest
from broken_stores import AROUND, FILES, ROWS
from program import Done, Program
from small_disk import SmallDisk

from deit_core import presets
from deit_core.errors import FullStoreError, ReadOnlyStoreError
from deit_core.runs import LocalLauncher, RunUpdate, Status, enqueue, open_store
from deit_core.runs.engines import local
from deit_core.settings import Settings
from deit_core.spec import replace

READING = ("runs", "runs --json", "show 3", "show 3 --json", "report")
WRITING = ("stop 3", "resume 3", "delete 3 --yes", "submit smoke")


@pytest.fixture
def store(deit: Program, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The path of a sound store with three runs; no worker starts."""

    class Started:
        def poll(self) -> None:
            return None

    monkeypatch.setattr(local, "start_worker", lambda *_: Started())
    store = open_store(Settings.from_env().store_url)
    ids = [enqueue(store, replace(presets.smoke(), {"name": f"{n} of 3"}))[0] for n in range(1, 4)]
    results = {"test_accuracy": 0.5, "best_epoch": 1, "num_params": 9, "train_time_s": 1.0}
    store.set_status(ids[1], Status.COMPLETED, update=RunUpdate(results=results))
    store.set_status(ids[2], Status.STOPPED)
    store.close()
    return store.database.path


def assert_sentence(done: Done, code: int = 2) -> None:
    assert done.code == code, done
    assert done.last_line.startswith("Error: ")
    assert done.last_line.endswith(".")
    assert len(done.last_line) < 1000


@pytest.mark.parametrize("how", FILES)
def test_a_store_that_cannot_be_used_is_a_sentence_in_every_command(how: str, store: Path, deit: Program) -> None:
    FILES[how](store)
    before = store.read_bytes() if store.is_file() else b""
    for words in (*READING, *WRITING, "export 3 --format pt", "rollout 3 a.png --out out", "train smoke"):
        done = deit(*words.split())
        assert_sentence(done)
        assert str(store) in done.last_line, words
    assert (store.read_bytes() if store.is_file() else b"") == before, "it stays as it was"


@pytest.mark.parametrize("words", ["runs", "report", "stop 3", "submit smoke", "train smoke"])
def test_a_runs_folder_that_links_to_itself_is_a_sentence(words: str, deit: Program, tmp_path: Path) -> None:
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    done = deit(*words.split(), "--runs-dir", str(loop))
    assert_sentence(done)
    assert f"{loop}/runs.sqlite cannot be used (Too many levels of symbolic links)" in done.last_line


@pytest.mark.parametrize("command", ["train", "submit"])
def test_a_run_without_its_teacher_leaves_no_store_behind(command: str, deit: Program, tmp_path: Path) -> None:
    runs_dir = tmp_path / "none"
    done = deit(command, "smoke", "--set", "initial_checkpoint=gone.pth", "--runs-dir", str(runs_dir))
    assert_sentence(done)
    assert "is neither a run nor the path of a checkpoint" in done.last_line
    assert not runs_dir.exists()


def names(deit: Program) -> list[str]:
    return [run["name"] for run in json.loads(deit("runs", "--json").stdout)]


@pytest.mark.parametrize("how", ROWS)
def test_one_bad_row_hides_no_other_run_and_can_be_deleted(how: str, store: Path, deit: Program) -> None:
    ROWS[how](store)
    assert names(deit) == ["3 of 3", "2 of 3"]
    done = deit("show", "1")
    assert_sentence(done)
    assert "Run 1 cannot be shown: its " in done.last_line
    assert b"Run 1 cannot be shown: its " in deit("runs").stdout
    assert deit("delete", "1", "--yes").code == 0
    assert b"cannot be shown" not in deit("runs").stdout
    assert names(deit) == ["3 of 3", "2 of 3"]


@pytest.mark.parametrize("how", ["an unknown status", "no spec", "results that are not JSON", "no id"])
def test_with_a_bad_row_every_command_works_on_the_other_runs(how: str, store: Path, deit: Program) -> None:
    ROWS[how](store)
    for words in (*READING, "resume 3", "delete 3 --yes", "submit smoke"):
        assert deit(*words.split()).code == 0, words
    assert "- Run 1: its " in Path("results.md").read_text()
    for words in ("stop 1", "resume 1", "export 1 --format pt"):
        assert_sentence(deit(*words.split()))


def test_a_bad_row_that_names_another_folder_deletes_no_files(store: Path, deit: Program, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    ROWS["an id that leads elsewhere"](store)
    assert deit("delete", "1", "--yes").code == 0
    assert (tmp_path / "home").exists()


@pytest.mark.parametrize("how", AROUND)
def test_what_is_wrong_around_runs_hides_none(how: str, store: Path, deit: Program) -> None:
    AROUND[how](store)
    assert names(deit) == ["3 of 3", "2 of 3", "1 of 3"]
    for words in (*READING, "stop 1", "resume 3", "delete 3 --yes", "submit smoke"):
        done = deit(*words.split())
        assert done.code == 0, (words, done)


def test_a_folder_that_can_only_be_read_is_read(store: Path, deit: Program, disk: SmallDisk) -> None:
    shutil.copytree(store.parent, disk.folder / "runs")
    disk.seal()
    where = ("--runs-dir", str(disk.folder / "runs"))
    for words in (*READING, "presets", "store check"):
        assert deit(*words.split(), *where).code == 0, words
    for words in (*WRITING, "train smoke", "store rebuild", "store backup"):
        done = deit(*words.split(), *where)
        assert_sentence(done)
        assert "read-only" in done.last_line or "cannot be written" in done.last_line, words


def test_a_folder_that_becomes_writable_needs_no_restart(store: Path, disk: SmallDisk) -> None:
    shutil.copytree(store.parent, disk.folder / "runs")
    disk.seal()
    with closing(open_store(f"sqlite:///{disk.folder / 'runs' / 'runs.sqlite'}")) as opened:
        assert len(opened.runs()) == 3
        with pytest.raises(ReadOnlyStoreError, match="cannot be written"):
            opened.stop(opened.runs()[-1].id)
        disk.unseal()
        opened.stop(opened.runs()[-1].id)
        assert opened.runs()[-1].status == Status.STOPPED


@pytest.mark.parametrize("is_cold", [False, True], ids=["which the store has open", "with nobody at the store"])
def test_a_full_disk_is_a_sentence_and_delete_makes_room(
    is_cold: bool, store: Path, deit: Program, disk: SmallDisk
) -> None:
    shutil.copytree(store.parent, disk.folder / "runs")
    where = ("--runs-dir", str(disk.folder / "runs"))
    with closing(open_store(f"sqlite:///{disk.folder / 'runs' / 'runs.sqlite'}")) as opened:
        (folder,) = [disk.folder / "runs" / run.id for run in opened.runs() if run.number == 3]
        folder.mkdir()
        (folder / "last.safetensors").write_bytes(bytes(2**19))
        if is_cold:
            opened.close()
        disk.fill()
        for words in ("runs", "show 3", "report"):
            assert deit(*words.split(), *where).code == 0, words
        for words in ("stop 1", "resume 3", "submit smoke", "train smoke", "store backup"):
            done = deit(*words.split(), *where)
            assert_sentence(done)
            assert "is full" in done.last_line, words
        assert deit("delete", "3", "--yes", *where).code == 0
        assert not folder.exists()
        assert [run.number for run in opened.runs()] == [2, 1]
        assert deit("stop", "1", *where).code == 0, "there is room again"


def test_what_cannot_be_forgotten_yet_is_forgotten_as_soon_as_there_is_room(store: Path, disk: SmallDisk) -> None:
    """Its files are on another disk, so deleting them makes no room for the store."""
    path = Path(shutil.copy(store, disk.folder))
    settings = Settings.from_env()
    with closing(open_store(f"sqlite:///{path}")) as opened:
        launcher = LocalLauncher(opened, settings)
        (run_id,) = [run.id for run in opened.runs() if run.number == 3]
        (settings.runs_dir / run_id).mkdir()
        disk.fill()
        with pytest.raises(FullStoreError, match="The files of this run are deleted"):
            launcher.delete(run_id)
        assert not (settings.runs_dir / run_id).exists()
        launcher.ensure_workers()
        disk.make_room()
        launcher.ensure_workers()
        assert [run.number for run in opened.runs()] == [2, 1]
