"""Experiments as demo runs: written from a store, read without one, and never mixed up with the user's own."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from deit_core import layout
from deit_core.errors import RunError
from deit_core.layout import RunFiles
from deit_core.models import load_checkpoint, read_card
from deit_core.results import write_report
from deit_core.results.comparison_document import comparison_document
from deit_core.results.demo_folder import write_demo
from deit_core.results.two_runs import compare_runs
from deit_core.run_files.prediction_file import read_predictions
from deit_core.runs import Store, WithDemo, open_store
from deit_core.runs.checkup import rebuild_store
from deit_core.runs.demo_runs import DemoRuns
from deit_core.runs.foreground import train_here
from deit_core.settings import Settings
from deit_core.spec import ExperimentSpec

IDS = ["demo-digits-quick-teacher", "demo-digits-quick-vit", "demo-digits-quick-deit"]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tmp_path_factory.mktemp("trained")
    runs_dir = folder / "runs"
    return Settings(f"sqlite:///{runs_dir / 'runs.sqlite'}", runs_dir, folder / "data", num_workers=1)


@pytest.fixture
def store(home: Settings, tiny_trio: ExperimentSpec) -> Store:
    """A store with a trio that has trained, once for all tests of this file."""
    store = open_store(home.store_url)
    if not store.runs():
        runs, mistake = train_here(store, home, tiny_trio, lambda *_: None)
        assert mistake is None
        assert len(runs) == 3
    return store


@pytest.fixture
def demo(store: Store, home: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "demo"
    monkeypatch.setattr(layout, "DEMO_FOLDER", folder)
    assert [path.name for path in write_demo(store, home.runs_dir, home.data_dir, ["digits-quick"], folder)] == IDS
    return folder


def test_a_demo_run_is_the_run_it_was_made_from(store: Store, home: Settings, demo: Path) -> None:
    originals = list(reversed(store.runs()))
    for original, run in zip(originals, DemoRuns(demo).runs(), strict=True):
        assert (run.name, run.status, run.epoch, run.step) == (
            original.name,
            original.status,
            original.epoch,
            original.step,
        )
        assert run.results == pytest.approx(original.results)
        points = [(point.kind, point.step, point.metrics) for point in store.points(original.id)]
        assert [(point.kind, point.step, point.metrics) for point in DemoRuns(demo).points(run.id)] == points
        old, new = (RunFiles(layout.run_folder(home.runs_dir, one)) for one in (original.id, run.id))
        assert new.folder.parent == demo
        weights, copies = (load_checkpoint(files.best).state_dict() for files in (old, new))
        assert all(torch.equal(weights[name], copies[name]) for name in weights)
        assert np.array_equal(
            read_predictions(old.predictions).test.logits, read_predictions(new.predictions).test.logits
        )
        assert new.views.exists() == old.views.exists() == (run.name == "deit")
        assert not new.state.exists()
        assert not new.last.exists()


def test_a_student_still_names_its_teacher(store: Store, home: Settings, demo: Path) -> None:
    runs = WithDemo(open_store("sqlite:///" + str(demo.parent / "own.sqlite"), create=False), DemoRuns(demo))
    for spec in (runs.run(IDS[2]).spec, read_card(RunFiles(demo / IDS[2]).best).spec):
        assert spec.distillation is not None
        assert spec.distillation.teacher == IDS[0]
    document = comparison_document(compare_runs(runs, home.runs_dir, IDS[1], IDS[2]))
    assert [model["name"] for model in document["models"]] == ["teacher", "vit", "deit"]


def test_epochs_of_transformers_are_kept_in_half_precision(demo: Path) -> None:
    assert not RunFiles(demo / IDS[0]).epochs()
    for run_id in IDS[1:]:
        assert list(RunFiles(demo / run_id).epochs()) == [1, 2]
        files = RunFiles(demo / run_id)
        assert files.epoch(2).stat().st_size < 0.7 * files.best.stat().st_size
        kept, best = (load_checkpoint(file) for file in (files.epoch(2), files.best))
        assert all(tensor.dtype == torch.float32 for tensor in kept.parameters())
        assert type(kept) is type(best)


def test_they_are_no_runs_of_the_users_store(store: Store, home: Settings, demo: Path, tmp_path: Path) -> None:
    own = Settings(f"sqlite:///{tmp_path / 'own' / 'runs.sqlite'}", tmp_path / "own", tmp_path / "data", num_workers=1)
    shutil.copytree(demo, own.runs_dir / "demo")  # as the default runs folder holds it
    assert not rebuild_store(own).runs
    empty = open_store(own.store_url)
    assert [run.id for run in WithDemo(empty, DemoRuns(demo)).runs()] == IDS
    for act in (empty.run, empty.number_of):
        with pytest.raises(RunError, match="no run whose id begins"):
            act(IDS[0])
    page = tmp_path / "report.md"
    write_report(empty, own.runs_dir, page)
    assert "digits-quick" not in page.read_text()
    write_report(WithDemo(empty, DemoRuns(demo)), own.runs_dir, page)
    assert "digits-quick" in page.read_text()


def test_another_folder_is_not_overwritten(store: Store, home: Settings, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(RunError, match="holds other files"):
        write_demo(store, home.runs_dir, home.data_dir, ["digits-quick"], tmp_path)
    assert (tmp_path / "thesis.txt").read_text() == "mine"
    with pytest.raises(RunError, match="no experiment 'none'"):
        write_demo(store, home.runs_dir, home.data_dir, ["none"], tmp_path / "demo")


def test_nothing_in_it_tells_of_the_machine(store: Store, home: Settings, demo: Path) -> None:
    for file in demo.rglob("*"):
        if file.is_file():
            assert str(home.runs_dir).encode() not in file.read_bytes(), file
    assert [entry["spec"]["name"] for entry in json.loads((demo / "demo.json").read_text())] == ["digits-quick"]


def test_without_a_list_there_are_none(tmp_path: Path) -> None:
    assert DemoRuns(tmp_path).runs() == []
