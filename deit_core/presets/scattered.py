"""Presets on scattered digits: the plainest picture of what a teacher with an inductive bias gives."""

from deit_core.presets.trio import SOFT, teacher_and_students, with_few_labels
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

_TEACHER_EPOCHS = 16


def scattered_quick() -> ExperimentSpec:
    return ExperimentSpec(
        name="scattered-quick",
        description=(
            "Each image shows one handwritten digit, somewhere on a larger canvas. A CNN recognises a digit wherever "
            "it stands; a ViT has to see it at each place. So a CNN teacher knows much that its DeiT can learn. "
            "No download. A piece of another image is pasted into each training image (CutMix): the ViT learns both "
            "labels by their area, the DeiT what its teacher sees there."
        ),
        runs=scattered_trio(),
        expectation=Expectation(
            accuracy={"teacher": 0.984, "vit": 0.692, "deit": 0.802},
            duration_s=83,
            measured_on="2 cores of an EPYC, 2026-11-29, mean of five seeds, time of one",
        ),
    )


def scattered_few_labels() -> ExperimentSpec:
    places = 4
    return ExperimentSpec(
        name="scattered-few-labels",
        description=(
            f"Each training digit is shown at {places} places and labelled at one of them. The teacher and the ViT "
            "learn from the labelled images; the DeiT also sees the others, which its teacher names. Same labels, more "
            "images. The ViT makes as many steps as the DeiT."
        ),
        runs=with_few_labels(scattered_trio(places=places, epochs=20), 1 / places, teacher_epochs=_TEACHER_EPOCHS),
        expectation=Expectation(
            accuracy={"teacher": 0.976, "vit": 0.734, "deit": 0.912},
            duration_s=196,
            measured_on="2 cores of an EPYC, 2026-11-29, next to other work, mean of five seeds, time of one",
        ),
    )


def scattered_trio(*, places: int = 1, epochs: int = 50) -> tuple[RunSpec, ...]:
    """A teacher, a ViT and a DeiT on scattered digits, each training digit at so many places."""
    return teacher_and_students(
        data=DataSpec(
            source="scattered-digits", img_size=20, canvas_size=20, places_per_digit=places, val_fraction=0.2
        ),
        augment=AugmentSpec(crop_padding=0, cutmix_alpha=1.0),  # a shift would show a digit at other places
        teacher=ResNet9Spec(width=16),
        teacher_augment=AugmentSpec(crop_padding=2),
        teacher_optim=OptimSpec(epochs=_TEACHER_EPOCHS, batch_size=64, lr=2e-3, warmup_epochs=2, label_smoothing=0.0),
        student=VisionTransformerSpec(patch_size=4, embed_dim=48, depth=4, num_heads=4),
        student_optim=OptimSpec(epochs=epochs, batch_size=64, lr=2e-3, warmup_epochs=epochs / 10),
        distillation=SOFT.with_changes(mixed_labels="teacher"),
        num_threads=1,
    )
