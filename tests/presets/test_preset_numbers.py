"""Presets have the numbers of what they repeat, and students of an experiment differ in their distillation alone."""

import pytest

from deit_core import presets
from deit_core.errors import SpecError


def test_the_presets_that_were_promised() -> None:
    sized = {f"{start}deit-{size}" for size in ("tiny", "small", "base") for start in ("", "imagenet-")}
    assert set(presets.names()) >= sized | {
        *("smoke", "digits-quick", "fashion-classroom", "fashion-miniproject", "fashion-full"),
        *("fashion-epochs", "fashion-fractions", "cifar10-quick", "cifar10-full"),
        *("mnist-soft-resnet50", "tutorial-deit-base", "deit-tiny-384", "deit-small-384", "deit-base-384"),
    }


def test_unknown_preset_lists_the_known() -> None:
    with pytest.raises(SpecError, match="digits-quick"):
        presets.get("digit-quick")


WITHOUT_TEACHER = ("lesson-positions", "lesson-skips", "smoke")


@pytest.mark.parametrize("name", [name for name in presets.names() if name not in WITHOUT_TEACHER])
def test_students_differ_in_distillation_alone(name: str) -> None:
    """Or, where they go on from students of the same experiment, in which of them that is."""
    spec = presets.get(name)
    by_name = {run.name: run for run in spec.runs}
    deits = [run for run in spec.runs if run.distillation]
    assert deits
    assert spec.name == name
    for deit in deits:
        vit = by_name.get(deit.name.replace("deit", "vit"), by_name.get("vit"))  # which several may stand beside
        assert vit is not None
        same: dict[str, object] = {"name": "x", "distillation": None, "initial_checkpoint": ""}
        if (share := vit.data.labelled_fraction) < 1:  # the ViT makes as many steps
            assert vit.optim.epochs * share == deit.optim.epochs
            assert vit.optim.warmup_epochs * share == deit.optim.warmup_epochs
            same["optim"] = deit.optim
        plain = deit.model.with_changes(distilled=False)
        assert deit.with_changes(**same, model=plain) == vit.with_changes(**same)
        assert vit.initial_checkpoint == deit.initial_checkpoint.replace("deit", "vit", deit.name.endswith("-384"))
        assert spec.teacher_of(deit) is not None


def test_the_mnist_notebook_has_its_numbers() -> None:
    teacher, vit, deit = presets.get("mnist-soft-resnet50").runs
    model = deit.model
    assert (model.patch_size, model.embed_dim, model.num_heads, model.depth, deit.data.img_size) == (7, 32, 4, 4, 28)
    assert (teacher.optim.epochs, deit.optim.epochs, deit.optim.batch_size, deit.optim.lr) == (3, 5, 64, 1e-3)
    assert (deit.distillation.kind, deit.distillation.tau, deit.distillation.alpha) == ("soft", 2, 0.5)
    assert (teacher.model.name, teacher.model.freeze_backbone) == ("resnet50", True)
    assert vit.distillation is None


def test_imagenet_has_the_numbers_of_table_9() -> None:
    teacher, _, deit = presets.get("imagenet-deit-base").runs
    optim, augment = deit.optim, deit.augment
    assert (optim.epochs, optim.batch_size, optim.peak_lr, optim.warmup_epochs) == (300, 1024, 1e-3, 5)
    assert (optim.weight_decay, optim.label_smoothing, optim.clip_grad, optim.ema_decay) == (0.05, 0.1, None, 0.99996)
    assert (deit.model.drop_rate, deit.model.drop_path_rate, deit.model.num_heads) == (0, 0.1, 12)
    assert (augment.resized_crop, augment.randaugment_ops, augment.random_erasing) == (0.08, 2, 0.25)
    assert augment.repeated_aug == 3
    assert (augment.mixup_alpha, augment.cutmix_alpha, augment.mixup_switch_prob, augment.mixup_prob) == (
        0.8,
        1,
        0.5,
        1,
    )
    assert teacher.model.name == "regnet_y_16gf"


@pytest.mark.parametrize("name", [name for name in presets.names() if "deit-" in name])
def test_what_is_taken_from_table_9_is_said(name: str) -> None:
    spec = presets.get(name)
    assert ("without repeated augmentation" in spec.description) == (spec.runs[-1].augment.repeated_aug == 1)
    if name.startswith("deit-"):
        assert {run.data.normalization for run in spec.runs} == {"imagenet"}  # as the weights that it starts from
    if name.startswith("imagenet-"):
        assert all(words in spec.description for words in ("uniform noise", "whole square", "Xavier", "held out"))


def test_the_larger_images_are_fine_tuned_as_in_the_original() -> None:
    spec = presets.get("deit-small-384")
    deit, fine = spec.runs[2], spec.runs[4]
    assert spec.start_of(fine) == deit
    assert (deit.data.img_size, fine.data.img_size, fine.optim.epochs) == (224, 384, 30)
    assert (fine.optim.peak_lr, fine.optim.min_lr, fine.optim.weight_decay) == (5e-6, 5e-6, 1e-8)
    assert fine.distillation is not None


def test_a_fraction_is_shared_by_a_teacher_and_its_students() -> None:
    spec = presets.get("fashion-fractions")
    assert {run.data.fraction for run in spec.runs} == {0.01, 0.05, 0.1, 1.0}
    for run in spec.runs:
        if run.distillation:
            assert spec.teacher_of(run).data == run.data


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("mnist-soft-resnet50", ("9,984", "batch norms", "channels", "64 times", "normalised")),
        (
            "tutorial-deit-base",
            ("concatenated", "position", "before the softmax", "last LayerNorm", "in place", "eval"),
        ),
    ],
)
def test_a_tutorial_s_errors_are_named(name: str, words: tuple[str, ...]) -> None:
    description = presets.get(name).description
    assert all(word in description for word in ("Corrections", *words))


def test_miniproject_has_its_exact_numbers() -> None:
    spec = presets.get("fashion-miniproject")
    vit = spec.runs[1]
    model = vit.model
    assert (vit.data.img_size, model.patch_size, model.embed_dim, model.depth, model.num_heads) == (28, 4, 64, 6, 4)
    assert (model.mlp_ratio, model.drop_rate, vit.optim.batch_size, vit.optim.lr) == (2.0, 0.1, 128, 5e-4)
    assert vit.optim.epochs == 10 > vit.optim.warmup_epochs
    assert {run.optim.label_smoothing for run in spec.runs} == {0.0}
    assert spec.expectation.accuracy.keys() == {run.name for run in spec.runs}
    assert all(words in spec.description for words in ("warm-up", "chosen on test", "Linear-Tanh-Linear", "Xavier"))
