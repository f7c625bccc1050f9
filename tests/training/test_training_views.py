"""What a run keeps of its training views: those that it learned from, and what its own teacher says of them."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from deit_core.catalog.pixel_versions import NEWEST_PIXELS
from deit_core.data import Split, TrainBatches, load_data
from deit_core.layout import RunFiles
from deit_core.models import load_checkpoint, load_teacher, read_card, save_weights
from deit_core.run_files.prediction_file import read_predictions
from deit_core.run_files.view_file import read_views
from deit_core.spec import AugmentSpec, ExperimentSpec, RunSpec, replace
from deit_core.training import train
from deit_core.training.predict import predict
from deit_core.training.training_views import look_at_views

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def trained(tiny_trio: ExperimentSpec, tmp_path_factory: pytest.TempPathFactory) -> tuple[RunSpec, Path]:
    """A DeiT, trained for an epoch by a teacher that hardly learned, and the folder of both."""
    folder = tmp_path_factory.mktemp("trained")
    teacher, _, deit = replace(tiny_trio, {"optim.epochs": 1, "augment.crop_padding": 2}).runs
    teacher = replace(teacher, {"optim.lr": 1e-4})
    deit = replace(deit, {"distillation.teacher": "teacher"})
    for spec in (teacher, deit):
        for _ in train(spec, run_dir=folder / spec.name, num_threads=1):
            pass
    return deit, folder


@pytest.fixture
def student(trained: tuple[RunSpec, Path], tmp_path: Path) -> RunSpec:
    """The DeiT of `trained`, in `tmp_path`."""
    shutil.copytree(trained[1], tmp_path, dirs_exist_ok=True)
    return trained[0]


def test_the_views_are_those_of_the_first_epoch_and_the_words_are_its_teachers(
    student: RunSpec, tmp_path: Path
) -> None:
    kept = read_views(RunFiles(tmp_path / "deit").views)
    views, data = kept.views, load_data(student.data, tmp_path / "data")
    batches = TrainBatches(data.train, student.optim.batch_size, student.augment, student.seed, CPU, NEWEST_PIXELS)
    pixels, labels = (torch.cat(part) for part in zip(*(batch[:2] for batch in batches.epoch(0)), strict=True))
    assert (kept.facts.epoch, kept.facts.classes, len(views)) == (1, data.classes, len(pixels))
    assert views.labels.tolist() == labels.tolist() == data.train.labels[views.images].tolist()
    assert (views.other_labels == -1).all()
    teacher = load_teacher(tmp_path / "teacher", data.classes, student.data, data.drawn_from)
    np.testing.assert_allclose(views.logits, teacher(pixels).detach(), atol=1e-4)
    contradicted = np.flatnonzero(views.logits.argmax(1) != labels.numpy())
    assert len(contradicted) > 48, "else the teacher is too good for this test"
    assert views.pictured.tolist() == contradicted[:48].tolist()
    np.testing.assert_array_equal(views.pictures, (pixels[contradicted[:48]] * 255).round().byte())


def test_only_a_student_has_such_views(student: RunSpec, tmp_path: Path) -> None:
    assert not RunFiles(tmp_path / "teacher").views.exists()


def test_a_lost_file_is_made_again_as_it_was(student: RunSpec, tmp_path: Path) -> None:
    file = RunFiles(tmp_path / "deit").views
    kept = read_views(file)
    file.unlink()
    assert predict(student, run_dir=tmp_path / "deit", num_threads=1) == []
    again = read_views(file)
    assert again.facts == kept.facts
    for name, array in vars(kept.views).items():
        np.testing.assert_array_equal(vars(again.views)[name], array, err_msg=name)


def change_weights(folder: Path) -> None:
    model, card = load_checkpoint(folder), read_card(folder)
    with torch.no_grad():
        next(model.parameters()).add_(1.0)
    save_weights(RunFiles(folder).best, model, card)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda teacher: teacher.rename(teacher.with_name("gone")), "The teacher 'teacher' is neither a run in"),
        (change_weights, "The teacher teacher has changed since this run learned from it."),
    ],
    ids=["gone", "changed"],
)
def test_without_its_teacher_a_student_gets_its_predictions_alone(
    change: Callable[[Path], object], reason: str, student: RunSpec, tmp_path: Path
) -> None:
    files = RunFiles(tmp_path / "deit")
    files.views.unlink()
    files.predictions.unlink()
    change(tmp_path / "teacher")
    (sentence,) = predict(student, run_dir=tmp_path / "deit", num_threads=1)
    assert sentence.startswith(f"What its teacher says of training views is left out. {reason}")
    assert len(read_predictions(files.predictions).test) == 360
    assert not files.views.exists()


def brightest(pixels: Tensor, _rows: Tensor) -> Tensor:
    """A teacher: the class is the number of the brightest quarter."""
    return torch.stack([quarter.mean((1, 2, 3)) for half in pixels.chunk(2, 2) for quarter in half.chunk(2, 3)], 1)


def quarters(num_images: int, side: int = 8) -> Split:
    """Images with one bright quarter, the first of which have the next label, and so are contradicted."""
    labels = torch.arange(num_images) % 4
    images = torch.zeros(num_images, 1, side, side, dtype=torch.uint8)
    for image, label in zip(images, labels.tolist(), strict=True):
        top, left = (side // 2 * number for number in divmod(label, 2))
        image[:, top : top + side // 2, left : left + side // 2] = 200 + label
    return Split(images, labels)


def batches_of(split: Split, batch_size: int = 64, **augment: float) -> TrainBatches:
    plain = {"crop_padding": 0, "horizontal_flip": False}
    return TrainBatches(split, batch_size, AugmentSpec.model_validate(plain | augment), 3, CPU)


def test_of_mixed_images_both_labels_are_kept_the_larger_share_first() -> None:
    """Mixed up to a share each: the stronger image is the brighter quarter, so the teacher says its class."""
    split = quarters(200)
    views = look_at_views(batches_of(split, 10, mixup_alpha=1.0, mixup_prob=0.5), brightest)
    is_mixed = views.other_labels >= 0
    assert 0 < is_mixed.sum() < len(views) == 200
    assert views.labels.tolist() == split.labels[views.images].tolist()
    alone = is_mixed & (views.labels != views.other_labels)
    assert (views.decisions[alone] == views.labels[alone]).mean() > 0.95  # but for shares of nearly a half
    assert not len(views.pictured), "the teacher says one of both labels"


def test_what_is_neither_of_two_labels_is_contradicted() -> None:
    split = quarters(128)
    wrong = Split(split.images, (split.labels + 1) % 4)
    views = look_at_views(batches_of(wrong, mixup_alpha=1.0), brightest)
    neither = (views.decisions != views.labels) & (views.decisions != views.other_labels)
    assert 0 < neither.sum() < len(views)
    assert views.pictured.tolist() == np.flatnonzero(neither)[:48].tolist()


def test_views_without_a_label_are_left_out() -> None:
    split = quarters(128)
    labels = torch.where(torch.arange(128) < 32, split.labels, -1)
    assert sorted(look_at_views(batches_of(Split(split.images, labels)), brightest).images) == list(range(32))
    mixed = look_at_views(batches_of(Split(split.images, labels), mixup_alpha=1.0), brightest)
    assert 0 < len(mixed) < 32
    assert mixed.labels.min() >= 0
    assert mixed.other_labels.min() >= 0


def test_at_most_two_thousand_views_are_looked_at_but_one_batch_at_least() -> None:
    split = quarters(2100)
    wrong = Split(split.images, (split.labels + 1) % 4)
    views = look_at_views(batches_of(wrong), brightest)
    assert (len(views), len(views.pictures)) == (31 * 64, 48)
    assert len(look_at_views(batches_of(wrong, batch_size=2100), brightest)) == 2100


def test_large_pictures_are_made_smaller() -> None:
    split = quarters(8, side=200)
    views = look_at_views(batches_of(Split(split.images, (split.labels + 1) % 4)), brightest)
    assert views.pictures.shape == (8, 1, 128, 128)
