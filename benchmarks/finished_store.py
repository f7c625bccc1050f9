"""Fifty runs that read as finished, with all their files, written by the writers of a training from made-up numbers.

Nothing is trained: weights are as they were initialised, and answers are drawn so that nine of ten are right.
"""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.dashboard import store_url
from deit_core import presets
from deit_core.catalog import SOURCES
from deit_core.events import EpochDone, RunFinished, RunStarted, StepDone
from deit_core.layout import run_folder
from deit_core.metrics import (
    HEADS_AGREE,
    IMAGES_PER_S,
    LR,
    TEST_ACCURACY,
    TEST_LOSS,
    TRAIN_ACCURACY,
    TRAIN_LOSS,
    VAL_ACCURACY,
    VAL_LOSS,
    token_cosine,
)
from deit_core.models import ModelCard, build_model
from deit_core.run_files.prediction_file import PredictionFacts, Predictions, half
from deit_core.runs import Run, RunUpdate, Status, Store, enqueue, open_store
from deit_core.runs.recorder import Recorder
from deit_core.spec import ExperimentSpec, VisionTransformerSpec, replace
from deit_core.training.checkpoint import RunFolder

NUM_RUNS = 50
_NUM_TEST, _NUM_VAL, _NUM_CLASSES, _WIDTH = 10_000, 6_000, 10, 64
_SHARE_RIGHT = 0.9
_STEPS, _STEPS_PER_POINT = 420, 4  # of an epoch
_EPOCH_S = 50.0


def experiments() -> list[ExperimentSpec]:
    """Of the mini-project: four recipes over five seeds, each with its teacher, and two trios."""
    spec = presets.fashion_miniproject()
    seeds = [
        replace(spec, {"name": f"recipe {decay}", "seeds": 5, "optim.weight_decay": decay})
        for decay in (0.0, 0.01, 0.05, 0.1)
    ]
    return [*seeds, *(replace(spec, {"name": f"trio {seed}", "seed": seed}) for seed in (7, 8))]


def make_finished_runs(runs_dir: Path) -> list[Run]:
    """The runs, in the order of their numbers."""
    store = open_store(store_url(runs_dir))
    labels = {size: np.random.default_rng(size).integers(_NUM_CLASSES, size=size) for size in (_NUM_TEST, _NUM_VAL)}
    for spec in experiments():
        for run_id in enqueue(store, spec, reserved_for="nobody"):
            _finish(store, store.run(run_id), runs_dir, labels)
    runs = sorted(store.runs(), key=lambda run: run.number)
    store.close()
    assert len(runs) == NUM_RUNS
    return runs


def _finish(store: Store, run: Run, runs_dir: Path, labels: dict[int, NDArray[np.int64]]) -> None:
    rng = np.random.default_rng(run.number)
    facts, epochs = SOURCES[run.spec.data.source], run.spec.optim.epochs
    folder = RunFolder(run_folder(runs_dir, run.id))
    folder.start(run.spec, resume=False)
    torch.manual_seed(run.number)
    model = build_model(run.spec)
    num_params = sum(parameter.numel() for parameter in model.parameters())
    started = RunStarted(num_params, 54_000, _NUM_VAL, _NUM_TEST, _STEPS, _STEPS * epochs, 0, "cpu", 2)
    store.set_status(run.id, Status.RUNNING)
    recorder = Recorder(store, run)
    recorder.record(started)
    events: list[RunStarted | StepDone | EpochDone] = [started]
    for step in range(_STEPS_PER_POINT, _STEPS * epochs + 1, _STEPS_PER_POINT):
        progress, noise = step / (_STEPS * epochs), float(rng.normal(scale=0.02))
        metrics = {
            TRAIN_LOSS: 2 - 1.5 * progress + noise,
            TRAIN_ACCURACY: 0.3 + 0.6 * progress - noise,
            LR: 5e-4 * (1 - progress),
            IMAGES_PER_S: 1000 + 500 * noise,
        }
        epoch, elapsed_s = -(-step // _STEPS), step / _STEPS * _EPOCH_S
        events.append(StepDone(step, epoch, elapsed_s, metrics))
        recorder.record(events[-1])
        if step % _STEPS == 0:
            events.append(EpochDone(step, epoch, elapsed_s, _of_epoch(run, progress, noise), is_best=True))
            recorder.record(events[-1])
    test, val = (_answers(rng, one, run) for one in labels.values())
    accuracy = float((test.logits.argmax(axis=1) == test.labels).mean())
    finished = RunFinished(_STEPS * epochs, epochs, epochs * _EPOCH_S, {TEST_ACCURACY: accuracy, TEST_LOSS: 0.4})
    recorder.record(finished)
    recorder.close()
    card = ModelCard(
        spec=run.spec,
        classes=facts.classes,
        in_chans=facts.in_chans,
        mean=(0.29,),
        std=(0.35,),
        data_hash="made up",
        epoch=epochs,
        step=finished.step,
    )
    folder.save_epoch(model, card, is_best=True)
    folder.add_to_curve(*events, finished)
    folder.save_predictions(test, val, PredictionFacts(facts.classes, "made up", epochs))
    store.set_status(run.id, Status.COMPLETED, update=RunUpdate(results=recorder.results))


def _of_epoch(run: Run, progress: float, noise: float) -> dict[str, float]:
    metrics = {VAL_LOSS: 2 - 1.4 * progress + noise, VAL_ACCURACY: 0.3 + 0.6 * progress - noise}
    if run.spec.distillation is not None:
        assert isinstance(run.spec.model, VisionTransformerSpec)
        blocks = range(run.spec.model.depth + 1)
        metrics |= {HEADS_AGREE: 0.5 + 0.4 * progress} | {
            token_cosine(block): (block + 1) / len(blocks) * progress for block in blocks
        }
    return metrics


def _answers(rng: np.random.Generator, labels: NDArray[np.int64], run: Run) -> Predictions:
    wrong = (labels + rng.integers(1, _NUM_CLASSES, size=len(labels))) % _NUM_CLASSES
    decided = np.where(rng.random(len(labels)) < _SHARE_RIGHT, labels, wrong)
    heads = rng.normal(size=(2, len(labels), _NUM_CLASSES)).astype(np.float32)
    heads[:, np.arange(len(labels)), decided] += np.float32(6)
    embeddings = half(rng.normal(size=(2, len(labels), _WIDTH)).astype(np.float32))
    if run.spec.distillation is None:
        return Predictions(labels, heads[0], embedding_class=embeddings[0])
    return Predictions(labels, heads.mean(axis=0), *heads, *embeddings)
