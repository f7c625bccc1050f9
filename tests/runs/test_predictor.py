"""The predictions of a run that has none, made by a process for a page, which runs the command."""

import time

import pytest

from deit_core.errors import RunError
from deit_core.layout import RunFiles, run_folder
from deit_core.run_files.prediction_file import read_predictions
from deit_core.runs import Run, Status, Store, enqueue, open_store
from deit_core.runs.foreground import train_here
from deit_core.runs.predictor import Predictor
from deit_core.settings import Settings
from deit_core.spec import RunSpec, replace


@pytest.fixture
def store(settings: Settings) -> Store:
    return open_store(settings.store_url)


@pytest.fixture
def run(store: Store, settings: Settings, tiny: RunSpec) -> Run:
    """Completed, and without its predictions, as one of an older version."""
    (run,), mistake = train_here(store, settings, replace(tiny, {"optim.epochs": 1}), lambda *_: None)
    assert mistake is None
    RunFiles(run_folder(settings.runs_dir, run.id)).predictions.unlink()
    return run


def end_of(predictor: Predictor, run_id: str) -> str:
    deadline = time.monotonic() + 300
    while predictor.is_at_work(run_id):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return predictor.last_words(run_id)


def test_a_process_makes_them(settings: Settings, run: Run) -> None:
    predictor, files = Predictor(settings), RunFiles(run_folder(settings.runs_dir, run.id))
    assert predictor.last_words(run.id) == ""
    predictor.request(run)
    assert predictor.is_at_work(run.id)
    assert end_of(predictor, run.id) == str(files.predictions)
    kept = read_predictions(files.predictions)
    right = kept.test.logits.argmax(1) == kept.test.labels
    assert right.mean() == pytest.approx(run.results["test_accuracy"])


def test_only_a_completed_run_has_predictions(store: Store, settings: Settings, tiny: RunSpec) -> None:
    (run_id,) = enqueue(store, tiny)
    store.set_status(run_id, Status.STOPPED)
    with pytest.raises(RunError, match="Run 1 tiny is stopped, and only a completed run has predictions"):
        Predictor(settings).request(store.run(run_id))
