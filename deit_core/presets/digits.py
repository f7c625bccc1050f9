"""Presets on the digits of scikit-learn: seconds to a minute, without a download."""

from deit_core.presets.trio import SOFT, teacher_and_students
from deit_core.spec import (
    AugmentSpec,
    DataSpec,
    Expectation,
    ExperimentSpec,
    OptimSpec,
    ResNet9Spec,
    RunSpec,
    VisionTransformerSpec,
)


def smoke() -> RunSpec:
    """A few seconds on a CPU: does training work on this machine? A test compares its loss with a golden value."""
    return RunSpec(
        name="smoke",
        data=DataSpec(source="digits", img_size=16, val_fraction=0.2),
        model=VisionTransformerSpec(patch_size=4, embed_dim=32, depth=2, num_heads=2),
        optim=OptimSpec(epochs=2, batch_size=64, lr=2e-3, warmup_epochs=0.5),
        augment=AugmentSpec(crop_padding=1),
        notes="A few seconds: does training work on this machine?",
    )


def digits_quick() -> ExperimentSpec:
    data = DataSpec(source="digits", img_size=16, val_fraction=0.2)
    shift = AugmentSpec(crop_padding=1)
    return ExperimentSpec(
        name="digits-quick",
        description=(
            "The whole journey in about a minute, without a download: a small CNN teacher, then a ViT and a DeiT, on "
            "1,797 handwritten digits of 8x8 pixels, enlarged to 16x16. Both students see each image mixed with "
            "another (mixup); the DeiT learns what its teacher sees in the mixture, the ViT from the two labels."
        ),
        runs=teacher_and_students(
            data=data,
            augment=shift.with_changes(mixup_alpha=0.8),
            teacher=ResNet9Spec(width=16),
            teacher_augment=shift,
            teacher_optim=OptimSpec(epochs=8, batch_size=64, lr=2e-3, warmup_epochs=2, label_smoothing=0.0),
            student=VisionTransformerSpec(patch_size=2, embed_dim=48, depth=3, num_heads=4),
            student_optim=OptimSpec(epochs=20, batch_size=32, lr=2e-3, warmup_epochs=4),
            distillation=SOFT.with_changes(mixed_labels="teacher"),
            num_threads=1,  # stays fast next to a busy browser, where two threads would often wait for each other
        ),
        expectation=Expectation(
            accuracy={"teacher": 0.994, "vit": 0.961, "deit": 0.967},
            duration_s=58,
            measured_on="2 cores of an EPYC, 2026-11-29, next to other work, mean of five seeds, time of one",
        ),
    )
