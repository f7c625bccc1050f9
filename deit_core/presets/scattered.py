"""Presets on scattered digits: the plainest picture of what a teacher with an inductive bias gives."""

from deit_core.presets.trio import teacher_and_students, with_few_labels
from deit_core.spec import (
    AugmentSpec,
    DataSpec,
    DistillationSpec,
    ExperimentSpec,
    OptimSpec,
    ResNet9Spec,
    RunSpec,
    VisionTransformerSpec,
)


def scattered_quick() -> ExperimentSpec:
    return ExperimentSpec(
        name="scattered-quick",
        description=(
            "Digits at random places on a canvas, without a download: the CNN teacher finds a digit wherever it "
            "stands, a ViT must see it at each place, and a DeiT learns from the probabilities of its teacher."
        ),
        runs=_trio(places=2, epochs=30),
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
        runs=with_few_labels(_trio(places=places, epochs=30), 1 / places, teacher_epochs=20),
    )


def _trio(*, places: int, epochs: int) -> tuple[RunSpec, ...]:
    return teacher_and_students(
        data=DataSpec(
            source="scattered-digits", img_size=20, canvas_size=20, places_per_digit=places, val_fraction=0.2
        ),
        augment=AugmentSpec(crop_padding=0),
        teacher=ResNet9Spec(width=16),
        teacher_optim=OptimSpec(epochs=8, batch_size=64, lr=2e-3, warmup_epochs=2, label_smoothing=0.0),
        student=VisionTransformerSpec(patch_size=4, embed_dim=48, depth=4, num_heads=4),
        student_optim=OptimSpec(epochs=epochs, batch_size=64, lr=2e-3, warmup_epochs=epochs / 10),
        distillation=DistillationSpec(kind="soft", alpha=0.9, tau=3.0),
        num_threads=1,
    )
