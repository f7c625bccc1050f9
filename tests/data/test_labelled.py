"""Few labels: which are known, and that the others change nothing."""

from dataclasses import replace as with_fields
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from deit_core.data import load_data, open_source, splits
from deit_core.errors import SpecError
from deit_core.events import Event, RunFinished
from deit_core.layout import RunFiles
from deit_core.spec import DataSpec, ExperimentSpec, RunSpec, replace
from deit_core.training import train

HOME = Path("data")
DIGITS = DataSpec(source="digits", img_size=16, val_fraction=0.2, labelled_fraction=0.1)


def test_a_share_of_each_class_is_labelled_in_training_and_validation() -> None:
    data = load_data(DIGITS, HOME, keeps_unlabelled=True)
    whole = load_data(DIGITS.with_changes(labelled_fraction=1.0), HOME)
    assert (len(data.train), len(whole.train), len(whole.val)) == (1149, 1149, 288)
    labelled = data.train.labels >= 0
    assert int(labelled.sum()) == 114
    assert torch.equal(data.train.labels[labelled], whole.train.labels[labelled])
    assert torch.bincount(data.train.labels[labelled]).min() >= 10
    assert len(data.val) == 28
    assert torch.equal(torch.as_tensor(data.train.images), torch.as_tensor(whole.train.images))


def test_without_a_teacher_the_others_are_left_out() -> None:
    data, kept = load_data(DIGITS, HOME), load_data(DIGITS, HOME, keeps_unlabelled=True)
    labelled = kept.train.labelled()
    assert len(data.train) == len(labelled) == 114
    assert torch.equal(data.train.labels, labelled.labels)
    assert torch.equal(torch.as_tensor(data.train.images), torch.as_tensor(labelled.images))


def test_a_scattered_digit_is_labelled_at_one_of_its_places() -> None:
    spec = DataSpec(source="scattered-digits", img_size=16, canvas_size=16, places_per_digit=4, labelled_fraction=0.25)
    data = load_data(spec, HOME, keeps_unlabelled=True)
    labelled = (data.train.labels >= 0).view(-1, 4)
    assert labelled.sum(1).tolist() == [1] * len(labelled)
    assert len(data.val) * 4 == 1437 * 4 - len(data.train)


def test_a_share_that_loses_a_class_is_a_sentence() -> None:
    with pytest.raises(SpecError, match=r"data\.labelled_fraction 0\.005 leaves a class without a label"):
        load_data(DIGITS.with_changes(labelled_fraction=0.005), HOME)


def test_labels_that_are_not_known_change_nothing(
    tiny_trio: ExperimentSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few: dict[str, object] = {"data.labelled_fraction": 0.2, "optim.epochs": 1, "optim.warmup_epochs": 0}
    teacher, _, deit = (replace(run, few) for run in tiny_trio.runs)
    finish(teacher, tmp_path / "teacher")
    deit = replace(deit, {"distillation.teacher": str(tmp_path / "teacher"), "augment.mixup_alpha": 0.8})
    found = finish(deit, tmp_path / "deit")

    poison(deit.data, monkeypatch)
    assert finish(deit, tmp_path / "again").metrics == found.metrics
    one, other = (load_file(RunFiles(tmp_path / name).last) for name in ("deit", "again"))
    assert all(torch.equal(one[name], other[name]) for name in one)


def finish(spec: RunSpec, folder: Path) -> RunFinished:
    events: list[Event] = list(train(spec, run_dir=folder, num_threads=1))
    assert isinstance(events[-1], RunFinished)
    return events[-1]


def poison(spec: DataSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the source wrong labels where they are not known, after these were drawn."""
    source = open_source(spec, HOME)
    train, val = splits.cut(source, spec)
    drawn = {len(indices): splits.draw_labelled(source, spec, indices) for indices in (train, val)}
    known = np.concatenate(list(drawn.values()))
    wrong = (source.train_labels + 1) % 10
    wrong[known] = source.train_labels[known]
    monkeypatch.setattr(splits, "open_source", lambda *_: with_fields(source, train_labels=wrong))
    monkeypatch.setattr(splits, "cut", lambda *_: (train, val))
    monkeypatch.setattr(splits, "draw_labelled", lambda _source, _spec, indices: drawn[len(indices)])
