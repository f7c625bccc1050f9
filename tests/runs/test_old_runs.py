"""A store and runs as commit 792179b wrote them (2026-11-28) are opened, compared, shown and resumed.

They are in `old_runs`: digits-quick with tiny models, and a ViT with mixup and a moving average, which was
stopped in its second of three epochs.
"""

import shutil
import time
from pathlib import Path

import numpy as np
import pytest

from deit_core.analysis import differences, mismatches
from deit_core.attention import Viewer
from deit_core.models import read_card
from deit_core.results import write_report
from deit_core.runs import LocalLauncher, Status, Store
from deit_core.settings import Settings


@pytest.fixture
def settings(settings: Settings) -> Settings:
    shutil.copytree(Path(__file__).with_name("old_runs"), settings.runs_dir)
    return settings


@pytest.fixture
def store(launcher: LocalLauncher) -> Store:
    return launcher.store


def test_they_are_listed_with_all_that_was_measured(store: Store) -> None:
    runs = {run.name: run for run in store.runs()}
    assert [(name, run.number, run.status.value) for name, run in runs.items()] == [
        ("stopped", 4, "stopped"),
        ("deit", 3, "completed"),
        ("vit", 2, "completed"),
        ("teacher", 1, "completed"),
    ]
    assert store.unreadable() == []
    assert runs["deit"].spec.distillation is not None
    assert runs["deit"].spec.distillation.teacher == runs["teacher"].id
    for name in ("teacher", "vit", "deit"):
        assert 0 < runs[name].results["test_accuracy"] < 1
        kinds = [point.kind for point in store.points(runs[name].id)]
        assert (kinds[0], kinds.count("epoch")) == ("start", 2)
    assert "val_accuracy_distillation" in store.points(runs["deit"].id)[-1].metrics


def test_they_are_compared_and_reported(store: Store, settings: Settings, tmp_path: Path) -> None:
    runs = {run.name: run for run in store.runs()}
    vit, deit = runs["vit"].spec, runs["deit"].spec
    assert mismatches(vit, deit) == []
    paths = [difference.path for difference in differences([vit, deit])]
    assert {"model.distilled", "distillation.teacher"} <= set(paths)
    write_report(store, settings.runs_dir, tmp_path / "results.md")
    page = (tmp_path / "results.md").read_text()
    assert all(f"{runs[name].results['test_accuracy']:.2%}".rstrip("%") in page for name in ("teacher", "vit", "deit"))


def test_their_weights_are_read(store: Store, settings: Settings) -> None:
    for run in store.runs():
        if run.status == Status.COMPLETED:
            folder = settings.runs_dir / run.id
            assert read_card(folder).spec == run.spec
            viewer = Viewer.load(folder)
            pixels = np.zeros((1, 1, viewer.card.img_size, viewer.card.img_size), np.uint8)
            assert viewer.predict(pixels)[0].sum() == pytest.approx(1)


def test_the_one_that_was_stopped_goes_on_to_its_end(launcher: LocalLauncher, store: Store) -> None:
    (stopped,) = (run for run in store.runs() if run.status == Status.STOPPED)
    assert stopped.spec.optim.ema == "separate"  # written as "beside"
    launcher.resume(stopped.id)
    deadline = time.monotonic() + 600
    while store.run(stopped.id).status.is_active:
        assert time.monotonic() < deadline
        launcher.ensure_workers()
        time.sleep(0.1)
    ended = store.run(stopped.id)
    assert (ended.status, ended.epoch) == (Status.COMPLETED, 3), ended.message
    assert [point.step for point in store.points(ended.id) if point.kind == "start"] == [0, stopped.step]
