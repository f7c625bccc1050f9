"""`store check`, `backup` and `rebuild`: a store that was lost or damaged comes back from the folders of the runs."""

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from broken_stores import AROUND, FILES, ROWS
from typer.testing import CliRunner, Result

from deit_core import presets
from deit_core.cli.app import app
from deit_core.errors import StoreError
from deit_core.events import EpochDone, RunFinished, RunStarted
from deit_core.layout import RunFiles, run_folder
from deit_core.run_files import curve_file
from deit_core.runs import Curves, Run, Status, Store, enqueue, open_store, schema
from deit_core.runs.checkup import check_store, rebuild_store
from deit_core.settings import Settings
from deit_core.spec import RunSpec

Command = Callable[..., Result]


@pytest.fixture
def command(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Call it with the words of a command."""
    monkeypatch.setenv("COLUMNS", "200")
    return lambda *words: CliRunner().invoke(app, [*words, "--runs-dir", str(settings.runs_dir)])


@pytest.fixture
def old_runs(settings: Settings) -> Path:
    """Four runs of an older version: three completed, and one that was stopped."""
    shutil.copytree(Path(__file__).with_name("old_runs"), settings.runs_dir)
    return settings.runs_dir


STARTED = RunStarted(
    num_params=9, num_train=80, num_val=10, num_test=10, steps_per_epoch=10, total_steps=30, first_step=0, device="cpu",
    num_threads=1,
)  # fmt: skip


def epoch(number: int, accuracy: float, *, is_best: bool = True) -> EpochDone:
    metrics = {"train_loss": 1 / number, "val_loss": 2.0, "val_accuracy": accuracy}
    return EpochDone(10 * number, number, 7.0 * number, metrics, is_best)


@pytest.fixture
def trained(settings: Settings) -> Callable[..., Path]:
    """Call it with an id and a spec to get the folder of a run as a training leaves it."""

    def train(run_id: str, spec: RunSpec, *events: RunStarted | EpochDone | RunFinished, log: str = "") -> Path:
        files = RunFiles(run_folder(settings.runs_dir, run_id))
        files.folder.mkdir(parents=True)
        files.spec.write_text(spec.model_dump_json())
        for event in events:
            curve_file.append(files.curve, event)
        if log:
            files.log.write_text(log)
        files.state.write_bytes(b"state")
        return files.folder

    return train


def facts(run: Run) -> tuple[str, str, int, int, str]:
    return run.id, run.name, run.number, run.epoch, run.status.value


def test_a_lost_store_comes_back_from_the_folders(
    settings: Settings, command: Command, trained: Callable[..., Path]
) -> None:
    teacher, _, student = presets.digits_quick().runs
    assert student.distillation is not None
    student = student.with_changes(distillation=student.distillation.with_changes(teacher="a1111111"))
    finished = RunFinished(30, 2, 21.0, {"test_accuracy": 0.75})
    trained("b2222222", student, STARTED, epoch(1, 0.5), log="2026-11-02 10:00:00 run b2222222 'deit'\n")
    trained(
        *("a1111111", teacher, STARTED, epoch(1, 0.5), epoch(2, 0.875), epoch(3, 0.25, is_best=False), finished),
        log="2026-11-01 10:00:00 run a1111111 'teacher'\n2026-11-01 10:00:21 completed \n",
    )
    trained(
        *("c3333333", presets.smoke(), STARTED, epoch(1, 0.5), replace(STARTED, first_step=10, first_epoch=1)),
        log="2026-11-03 10:00:00 run c3333333\n2026-11-03 10:00:21 stopped Stopped; resume continues from here.\n",
    )
    done = command("store", "rebuild")
    assert done.exit_code == 0, done.output
    assert "experiment" in done.output
    store = open_store(settings.store_url)
    third, second, first = store.runs()
    assert facts(first) == ("a1111111", "teacher", 1, 3, "completed")
    assert facts(second) == ("b2222222", "deit", 2, 1, "interrupted")
    assert facts(third) == ("c3333333", "smoke", 3, 1, "stopped")
    assert first.results == {
        "num_params": 9,
        "num_train": 80,
        "num_val": 10,
        "num_test": 10,
        "train_loss": 1 / 3,
        "val_loss": 2.0,
        "val_accuracy": 0.25,
        "test_accuracy": 0.75,
        "best_epoch": 2,
        "best_val_accuracy": 0.875,
        "train_time_s": 21.0,
    }
    assert second.needs == ("a1111111",)
    assert third.message == "Stopped; resume continues from here."
    assert [(p.kind, p.step, p.elapsed_s) for p in Curves(store).of(first)] == [
        ("epoch", 10, 7.0), ("epoch", 20, 14.0), ("epoch", 30, 21.0)
    ]  # fmt: skip
    store.resume(second.id)
    assert command("store", "check").exit_code == 0


def test_folders_of_an_older_version_come_back_from_the_cards_of_their_weights(
    old_runs: Path, settings: Settings
) -> None:
    before = {run.id: run for run in open_store(settings.store_url).runs()}
    (old_runs / "runs.sqlite").unlink()
    rebuilt = rebuild_store(settings)
    assert rebuilt.kept_as is None
    runs = {run.id: run for run in rebuilt.runs}
    assert runs.keys() == before.keys()
    for run_id, run in runs.items():
        assert (run.spec, run.epoch, run.step) == (before[run_id].spec, before[run_id].epoch, run.step)
        for name in ("val_accuracy", "best_val_accuracy", "best_epoch"):
            assert run.results[name] == before[run_id].results[name]
    deit = next(run for run in runs.values() if run.name == "deit")
    assert deit.spec.distillation is not None
    assert deit.needs == (deit.spec.distillation.teacher,)
    assert any("has lost its points between epochs and its results on test images" in one for one in rebuilt.lost)


@pytest.mark.parametrize("how", ["not a store", "cut in half", "overwritten", "lacks a column", "of another program"])
def test_a_damaged_store_is_kept_under_another_name(how: str, old_runs: Path, command: Command) -> None:
    path = old_runs / "runs.sqlite"
    FILES[how](path)
    damaged = path.read_bytes()
    checked = command("store", "check")
    assert (checked.exit_code, "store rebuild" in checked.output) == (1, True)
    done = command("store", "rebuild")
    assert done.exit_code == 0, done.output
    (kept,) = old_runs.glob("runs.sqlite.damaged-*[0-9]")
    assert kept.read_bytes() == damaged
    assert str(kept) in done.output
    assert {run["name"] for run in json.loads(command("runs", "--json").output)} == {
        "teacher",
        "vit",
        "deit",
        "stopped",
    }
    assert command("store", "check").exit_code == 0


def test_a_store_in_order_keeps_everything_and_gets_what_it_lacks(
    old_runs: Path, settings: Settings, command: Command, trained: Callable[..., Path]
) -> None:
    store = open_store(settings.store_url)
    before, points = store.runs(), store.points(store.runs()[0].id)
    trained("c3333333", presets.smoke(), STARTED, epoch(1, 0.5))
    assert "The store lacks the runs of the folders c3333333" in command("store", "check").output
    assert command("store", "rebuild").exit_code == 0
    assert store.runs()[1:] == before
    assert (store.runs()[0].id, store.runs()[0].number) == ("c3333333", 5)
    assert store.points(before[0].id) == points
    assert "No folder holds a run that the store lacks." in command("store", "rebuild").output
    assert not list(old_runs.glob("*.damaged*"))


@pytest.mark.parametrize("how", ["an unknown status", "a spec that is not JSON", "no results", "no time"])
def test_a_row_that_cannot_be_read_comes_back_with_its_number_and_points(
    how: str, old_runs: Path, settings: Settings, command: Command
) -> None:
    store = open_store(settings.store_url)
    teacher = next(run for run in store.runs() if run.number == 1)
    points = store.points(teacher.id)
    store.close()
    ROWS[how](store.database.path)
    assert "Run 1 cannot be shown: its " in command("store", "check").output
    assert command("store", "rebuild").exit_code == 0
    again = store.run("1")
    assert (again.id, again.spec, again.epoch) == (teacher.id, teacher.spec, teacher.epoch)
    assert store.points(teacher.id) == points


def test_what_cannot_be_brought_back_is_named(
    settings: Settings, command: Command, trained: Callable[..., Path]
) -> None:
    trained("a1111111", presets.smoke(), STARTED)
    for run_id, spec in (("b2222222", b"{"), ("c3333333", presets.digits_quick().model_dump_json().encode())):
        (trained(run_id, presets.smoke(), STARTED) / "spec.json").write_bytes(spec)
    (trained("d4444444", presets.smoke(), STARTED) / "spec.json").unlink()
    (settings.runs_dir / "plans").mkdir()
    done = command("store", "rebuild")
    assert done.exit_code == 0, done.output
    assert [run.id for run in open_store(settings.store_url).runs()] == ["a1111111"]
    for run_id, why in (
        ("b2222222", "not JSON"),
        ("c3333333", "spec of an experiment"),
        ("d4444444", "has no spec.json"),
    ):
        (line,) = [line for line in done.output.splitlines() if run_id in line]
        assert why in line


def test_a_newer_store_is_not_touched(old_runs: Path, settings: Settings, command: Command) -> None:
    FILES["of a newer version"](old_runs / "runs.sqlite")
    for words in ("rebuild", "backup"):
        done = command("store", words)
        assert done.exit_code != 0
        assert isinstance(done.exception, StoreError)
        assert "newer version" in str(done.exception)
    assert not list(old_runs.glob("*.damaged*"))


def test_check_names_what_is_wrong_around_runs(old_runs: Path, settings: Settings) -> None:
    AROUND["points that are not JSON"](old_runs / "runs.sqlite")
    shutil.rmtree(run_folder(old_runs, open_store(settings.store_url).run("2").id))
    problems = " ".join(check_store(settings).problems)
    assert problems.count("1 of its points cannot be read") == 4
    assert "Run 2 vit: its folder" in problems


def test_a_backup_is_a_store_with_what_was_written_last(store: Store, command: Command, tmp_path: Path) -> None:
    (run_id,) = enqueue(store, presets.smoke())
    store.stop(run_id)
    done = command("store", "backup", "--out", str(tmp_path / "copy.sqlite"))
    assert done.exit_code == 0, done.output
    copy = open_store(f"sqlite:///{tmp_path / 'copy.sqlite'}")
    assert (copy.runs(), copy.lifecycle(run_id)) == (store.runs(), store.lifecycle(run_id))
    assert copy.run(run_id).status == Status.STOPPED
    again = command("store", "backup", "--out", str(tmp_path / "copy.sqlite"))
    assert "exists; choose another name" in str(again.exception)
    assert command("store", "backup").exit_code == 0
    assert len(list(store.database.path.parent.glob("runs.sqlite.backup-*"))) == 1


@pytest.fixture
def store(settings: Settings) -> Store:
    return open_store(settings.store_url)


def test_an_older_store_gets_a_version_and_a_new_one_has_it(old_runs: Path, settings: Settings, tmp_path: Path) -> None:
    open_store(settings.store_url).close()
    open_store(f"sqlite:///{tmp_path / 'new.sqlite'}").close()
    for path in (old_runs / "runs.sqlite", tmp_path / "new.sqlite"):
        with closing(sqlite3.connect(path)) as file:
            assert file.execute("PRAGMA user_version").fetchone() == (schema.VERSION,)
