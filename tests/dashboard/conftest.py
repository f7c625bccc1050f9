"""A dashboard over a store of its own in a temporary folder, filled by hand: nothing is trained, no process starts."""

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import streamlit as st
from kept_answers import keep
from streamlit.components.v2 import manifest_scanner
from streamlit.testing.v1 import AppTest
from train_pages import FakeEstimates, sound

from dashboard import state
from deit_core import presets
from deit_core.layout import RunFiles, run_folder
from deit_core.runs import NewPoint, PointKind, RunUpdate, Status, Store, enqueue
from deit_core.runs.engines import local
from deit_core.runs.estimates import Estimates
from deit_core.spec import AnySpec

STEPS_PER_EPOCH = 10

_PAGE = """
import streamlit as st
from dashboard.navigation import pages, show
st.navigation(pages(), position="hidden")
show("{name}")
"""


class _Worker:
    """Stands for a worker process that never does anything."""

    pid = -1

    def poll(self) -> None:
        return None


@pytest.fixture(autouse=True, scope="session")
def one_scan_for_components() -> Iterator[None]:
    """Streamlit looks for components in every installed package, for each AppTest: most of a test's time."""
    scan = cache(manifest_scanner.scan_component_manifests)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(manifest_scanner, "scan_component_manifests", scan)
        yield


@pytest.fixture(autouse=True)
def no_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages start neither workers nor measurements of how long a spec takes."""
    monkeypatch.setattr(local, "start_worker", lambda *_: _Worker())
    monkeypatch.setattr(Estimates, "request", lambda *_: None)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """The empty store of the dashboard under test."""
    monkeypatch.setenv("DEIT_RUNS_DIR", str(tmp_path / "runs"))
    monkeypatch.setenv("DEIT_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.delenv("DEIT_STORE", raising=False)
    monkeypatch.delenv("DEIT_WORKERS", raising=False)
    st.cache_resource.clear()
    st.cache_data.clear()
    opened = state.store()
    yield opened
    opened.close()
    st.cache_resource.clear()
    st.cache_data.clear()


@pytest.fixture
def trio(store: Store) -> dict[str, str]:
    """A teacher, a ViT and a DeiT, all completed: name -> id."""
    ids = submit(store, presets.get("digits-quick"))
    for name, accuracy in (("teacher", 0.99), ("vit", 0.9), ("deit", 0.95)):
        train(store, ids[name], num_epochs=3)
        results = {
            "test_accuracy": accuracy,
            "test_loss": 0.2,
            "train_time_s": 60.0,
            "num_params": 80_000,
            "best_epoch": 2,
        }
        update = RunUpdate(results=store.run(ids[name]).results | results)
        store.set_status(ids[name], Status.COMPLETED, update=update)
    return ids


@pytest.fixture
def looked(trio: dict[str, str], store: Store) -> dict[str, str]:
    """The trio of digits-quick, each with its checkpoints: name -> id."""
    from shown_models import save_checkpoints  # loads torch

    for run_id in trio.values():
        save_checkpoints(store, run_id)
    return trio


@pytest.fixture
def labels(tmp_path: Path) -> np.ndarray:
    """Of the test images of the digits."""
    from deit_core.data import load_source  # loads torch

    return load_source("digits", tmp_path / "data").test_labels


@pytest.fixture
def answered(trio: dict[str, str], labels: np.ndarray) -> dict[str, str]:
    """The trio of digits-quick, each with its predictions: name -> id."""
    for name, run_id in trio.items():
        keep(run_id, name, labels)
    return trio


@pytest.fixture
def every_status(store: Store) -> dict[str, str]:
    """A run in each status, by the status; the queued ones are "queued", and "blocked" by the failed teacher."""
    ids = submit(store, presets.get("digits-quick"))
    by_status = {"failed": ids["teacher"], "completed": ids["vit"], "blocked": ids["deit"]}
    for status in ("running", "stopped", "interrupted", "queued"):
        (by_status[status],) = submit(store, presets.get("smoke")).values()
    for status, message in (
        ("failed", "The loss became NaN at step 7; lower optim.lr."),
        ("completed", ""),
        ("stopped", "Stopped; resume continues from here."),
        ("interrupted", "Its worker is gone; resume continues from here."),
    ):
        train(store, by_status[status], num_epochs=1)
        store.set_status(by_status[status], Status(status), message)
    train(store, by_status["running"], num_epochs=1, time_left_s=83.0)
    log = RunFiles(run_folder(state.settings().runs_dir, by_status["failed"])).log
    log.parent.mkdir(parents=True)
    log.write_text("step 6 loss 0.9\nstep 7 loss nan\n")
    return by_status


@pytest.fixture
def run_page(store: Store) -> Callable[..., AppTest]:
    """Call it with a page's name, and with what its address says, to get the page as it first paints."""

    def run(name: str, **query: str | list[str]) -> AppTest:
        page = AppTest.from_string(_PAGE.format(name=name), default_timeout=600)
        for key, value in query.items():
            page.query_params[key] = value
        return page.run()

    return run


@pytest.fixture
def estimates(monkeypatch: pytest.MonkeyPatch) -> type[FakeEstimates]:
    """What the Train page asks how long a spec takes; a test sets what it has found."""

    class Estimates(FakeEstimates):
        pass

    monkeypatch.setattr("dashboard.views.train.duration.Estimates", Estimates)
    return Estimates


@pytest.fixture
def train_page(
    store: Store, estimates: type[FakeEstimates], run_page: Callable[..., AppTest]
) -> Callable[..., AppTest]:
    """Call it with what the address says, to get the Train page; without a preset, that of digits-quick."""

    def run(**query: str | list[str]) -> AppTest:
        return sound(run_page("train", **{"preset": "digits-quick", **query}))

    return run


def submit(store: Store, spec: AnySpec) -> dict[str, str]:
    """Queue a run or an experiment: name -> id."""
    ids = enqueue(store, spec)
    return {store.run(run_id).name: run_id for run_id in ids}


def train(store: Store, run_id: str, *, num_epochs: int, time_left_s: float | None = None) -> None:
    """Write down what a training would have measured, and leave the run running."""
    store.set_status(run_id, Status.RUNNING)
    is_distilled = store.run(run_id).spec.distillation is not None
    points = []
    for step in range(1, num_epochs * STEPS_PER_EPOCH + 1):
        metrics = {"train_loss": 1 / step, "train_accuracy": 1 - 1 / step, "lr": 1e-3, "images_per_s": 1000.0}
        if is_distilled:
            metrics |= {"train_loss_class": 1 / step, "train_loss_distillation": 1 / step, "train_agreement": 0.5}
        points.append(point("step", step, metrics))
        if step % STEPS_PER_EPOCH == 0:
            metrics = {"val_loss": 2 / step, "val_accuracy": 1 - 2 / step}
            if is_distilled:
                metrics |= {"val_accuracy_class": 0.8, "val_accuracy_distillation": 0.85}
            points.append(point("epoch", step, metrics))
    results = {"val_accuracy": 0.8, "best_val_accuracy": 0.85, "best_epoch": 1}
    num_steps = num_epochs * STEPS_PER_EPOCH
    update = RunUpdate(
        step=num_steps, total_steps=2 * num_steps, epoch=num_epochs, results=results, time_left_s=time_left_s
    )
    store.add_points(run_id, points, update)


def point(kind: PointKind, step: int, metrics: dict[str, float]) -> NewPoint:
    return NewPoint(kind, step, step / STEPS_PER_EPOCH, step / 10, metrics)
