"""The teacher that remembers: which logits share a table, and that it says what the teacher says, to the bit."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace as replaced
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from deit_core import presets
from deit_core.data import ImageData, Split
from deit_core.distillation import DistillationTeacher
from deit_core.models.cnn import ResNet9
from deit_core.spec import AugmentSpec, ResNet9Spec, replace
from deit_core.training.teacher_logits import TeacherLogits

CPU = torch.device("cpu")
MODEL = ResNet9Spec(width=8)


@pytest.fixture
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def random_teacher(width: int = 8, num_classes: int = 10, chans: int = 1, **options: Any) -> DistillationTeacher:
    torch.manual_seed(0)
    net = ResNet9(chans, num_classes, width)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
    return DistillationTeacher(net, **({"mean": (0.3,) * chans, "std": (0.3,) * chans, "img_size": 16} | options))


def image_data(count: int = 20) -> ImageData:
    images = torch.randint(0, 256, (count, 1, 16, 16), dtype=torch.uint8)
    split = Split(images, torch.zeros(count, dtype=torch.int64))
    return ImageData(split, split, split, tuple("0123456789"), (0.3,), (0.3,), "some hash", "some hash")


def opened(
    home: Path,
    *,
    teacher: DistillationTeacher | None = None,
    model: ResNet9Spec = MODEL,
    stored: Any = "float32",
    changes: dict[str, Any] | None = None,
    data: ImageData | None = None,
    cap_gb: float = 1.0,
    **options: Any,
) -> tuple[TeacherLogits, str]:
    spec = replace(presets.smoke(), changes or {})
    found = TeacherLogits(teacher or random_teacher(), model, CPU, stored, **options)
    return found, found.open_table(home, spec, data or image_data(), cap_gb)


def num_tables(home: Path) -> int:
    return len(list(home.glob("*/key.json")))


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize(
    ("num_threads", "precision", "width"),
    [(1, "float32", 64), (2, "float32", 64), (2, "bfloat16", 24)],  # bfloat16 is slow on many CPUs
)
def test_logits_depend_on_nothing_but_the_image(num_threads: int, precision: str, width: int) -> None:
    """Not on the number of images asked at once, nor on the others, nor on the place among them.

    The network in float32 gives other bits for 1, 2, 3 and 7 images at once when it is asked directly.
    """
    torch.set_num_threads(num_threads)
    direct = random_teacher(width=width, num_classes=100, chans=3, img_size=16, precision=precision)
    teacher = TeacherLogits(direct, ResNet9Spec(width=width), CPU)
    pixels = torch.rand(66, 3, 16, 16)
    whole = teacher(pixels)
    torch.testing.assert_close(whole, direct(pixels), rtol=1e-4, atol=1e-4 if precision == "float32" else 0.1)
    for count in (1, 2, 3, 7, 32, 33):
        assert torch.equal(teacher(pixels[:count]), whole[:count]), count
        assert torch.equal(teacher(pixels[-count:]), whole[-count:]), count
    order = torch.randperm(66)
    assert torch.equal(teacher(pixels[order]), whole[order])
    assert torch.equal(teacher(pixels.contiguous(memory_format=torch.channels_last)), whole)


def one_weight_changed() -> DistillationTeacher:
    teacher = random_teacher()
    with torch.no_grad():
        next(teacher.parameters())[0, 0, 0, 0] += 1e-6
    return teacher


VARIANTS: dict[str, dict[str, Any]] = {
    "weights": {"teacher": one_weight_changed()},
    "normalisation": {"teacher": random_teacher(std=(0.31,))},
    "the teacher's image size": {"teacher": random_teacher(img_size=28)},
    "precision": {"teacher": random_teacher(precision="bfloat16")},
    "model": {"model": ResNet9Spec(width=9)},
    "data": {"data": replaced(image_data(), content_hash="another hash")},
    "number of images": {"data": image_data(21)},
    "split seed": {"changes": {"data.split_seed": 1}},
    "fraction": {"changes": {"data.fraction": 0.5}},
    "image size": {"changes": {"data.img_size": 20}},
    "padding": {"changes": {"augment.crop_padding": 2}},
    "source": {"changes": {"data.source": "fashion-mnist"}},
    "dtype": {"stored": "float16"},
}


def test_each_ingredient_has_its_own_table(tmp_path: Path) -> None:
    for variant in ({}, *VARIANTS.values()):
        opened(tmp_path, **variant)[0].close()
    assert num_tables(tmp_path) == 1 + len(VARIANTS)


def test_flip_alone_has_its_own_table(tmp_path: Path) -> None:
    for flip in (False, True):
        changes = {"data.source": "fashion-mnist", "augment.horizontal_flip": flip}
        opened(tmp_path, changes=changes)[0].close()
    assert num_tables(tmp_path) == 2


ENDLESS = {"augment.mixup_alpha": 0.8}


def test_what_endless_views_depend_on_has_its_own_table(tmp_path: Path) -> None:
    others = ({"seed": 7}, {"optim.batch_size": 16}, {"optim.epochs": 3}, {"augment.mixup_alpha": 0.7}, {"optim.lr": 1})
    for changes in ({}, *others):
        opened(tmp_path, changes=ENDLESS | changes, data=image_data(200), all_views=True)[0].close()
    assert num_tables(tmp_path) == len(others), "the learning rate alone changes no view"


@pytest.mark.usefixtures("two_threads")
def test_what_rounds_otherwise_has_its_own_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(opened(tmp_path)[0]):
        torch.set_num_threads(1)
        with closing(opened(tmp_path)[0]):
            monkeypatch.setattr(torch, "__version__", "3.0")
            opened(tmp_path)[0].close()
    assert num_tables(tmp_path) == 3


def test_what_concerns_the_student_alone_shares_the_table(tmp_path: Path) -> None:
    for changes in ({}, {"seed": 1}, {"optim.batch_size": 7}, {"data.normalization": "half"}, {"model.depth": 3}):
        opened(tmp_path, changes=changes)[0].close()
    opened(tmp_path, teacher=random_teacher(), write_at_once=False)[0].close()
    assert num_tables(tmp_path) == 1


@pytest.mark.parametrize("stored", ["float32", "float16"])
@pytest.mark.parametrize("write_at_once", [True, False])
def test_looking_up_and_asking_give_the_same_bits(write_at_once: bool, stored: str, tmp_path: Path) -> None:
    pixels, rows = torch.rand(50, 1, 16, 16), torch.randperm(180)[:50]
    asked = TeacherLogits(random_teacher(), MODEL, CPU, stored)(pixels)  # type: ignore[arg-type]
    teacher, sentence = opened(tmp_path, stored=stored, write_at_once=write_at_once)
    assert "0% filled" in sentence
    with closing(teacher):
        for found in (slice(0, 10), slice(0, 50, 3), slice(40, 50), slice(0, 50), slice(0, 50)):
            assert torch.equal(teacher(pixels[found], rows[found]), asked[found])
        teacher.flush()
    other, sentence = opened(tmp_path, stored=stored)
    assert "28% filled" in sentence
    with closing(other):
        assert torch.equal(other(pixels, rows), asked)
        assert other.take_hit_rate() == 1.0
        is_as_loaded = [parameter.is_contiguous() for parameter in other.parameters()]
        assert all(is_as_loaded), "who is not asked is not placed on the device either"
    exact = TeacherLogits(random_teacher(), MODEL, CPU)(pixels)
    torch.testing.assert_close(asked, exact, rtol=2**-11 if stored == "float16" else 0, atol=0)


def test_the_hit_rate_is_of_images_since_the_last_call(tmp_path: Path) -> None:
    teacher, _ = opened(tmp_path)
    with closing(teacher):
        assert teacher.take_hit_rate() is None
        teacher(torch.rand(10, 1, 16, 16), torch.arange(10))
        assert teacher.take_hit_rate() == 0
        teacher(torch.rand(20, 1, 16, 16), torch.arange(20))
        teacher(torch.rand(20, 1, 16, 16), torch.arange(20))
        assert teacher.take_hit_rate() == 30 / 40
        assert teacher.take_hit_rate() is None
    assert torch.isfinite(teacher(torch.rand(10, 1, 16, 16), torch.arange(10))).all()  # closed: it is asked
    assert teacher.take_hit_rate() is None


def test_without_a_table_a_sentence_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "stored_logits is off" in opened(tmp_path, stored="off")[1]
    assert "do not fit into the 0 GB of DEIT_LOGITS_GB" in opened(tmp_path, cap_gb=0)[1]
    (tmp_path / "file").write_text("in the way")
    assert "File exists" in opened(tmp_path / "file")[1]
    monkeypatch.setattr(AugmentSpec, "num_views", None)
    assert "no view repeats" in opened(tmp_path)[1]
