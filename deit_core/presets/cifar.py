"""Presets on CIFAR-10, with ViTs sized for its 32 pixels."""

from deit_core.presets.trio import teacher_and_students
from deit_core.presets.variants import vit_variant
from deit_core.spec import AugmentSpec, DataSpec, ExperimentSpec, OptimSpec, ResNet9Spec, VisionTransformerSpec

_SHIFTS = AugmentSpec(crop_padding=4, horizontal_flip=True)  # DeiT's augmentation of images of 32 px and less


def cifar10_quick() -> ExperimentSpec:
    return ExperimentSpec(
        name="cifar10-quick",
        description=(
            "A lesson in colour: CNN teacher, ViT and DeiT on a fifth of CIFAR-10, the mini-project's model with its "
            "64 patches of 4 px. Few epochs of few images: they show how much the teacher helps."
        ),
        runs=teacher_and_students(
            data=DataSpec(source="cifar-10", img_size=32, fraction=0.2),
            augment=_SHIFTS,
            teacher=ResNet9Spec(width=32),
            teacher_optim=OptimSpec(epochs=10, batch_size=128, lr=4e-3, warmup_epochs=1),
            student=VisionTransformerSpec(),
            student_optim=OptimSpec(epochs=15, batch_size=64, lr=2e-3, warmup_epochs=1.5),
        ),
    )


def cifar10_full() -> ExperimentSpec:
    return ExperimentSpec(
        name="cifar10-full",
        description=(
            "All of CIFAR-10 from scratch at its own 32 px, for a GPU: the ViT that Lee et al. 2021 "
            "(arXiv:2112.13492) sized for small images, patch 4, width 192, depth 9, 100 epochs, with RandAugment, "
            "erasing, mixup and CutMix; they report 93.6 % without a teacher. The teacher is a wider ResNet-9."
        ),
        runs=teacher_and_students(
            data=DataSpec(source="cifar-10", img_size=32),
            augment=AugmentSpec(
                crop_padding=4,
                horizontal_flip=True,
                randaugment_ops=2,
                random_erasing=0.25,
                mixup_alpha=0.8,
                cutmix_alpha=1.0,
            ),
            teacher=ResNet9Spec(width=64),
            teacher_optim=OptimSpec(epochs=30, batch_size=128, lr=4e-3, warmup_epochs=3),
            teacher_augment=_SHIFTS,
            student=vit_variant("small-data").with_changes(drop_path_rate=0.1),
            student_optim=OptimSpec(epochs=100, batch_size=128, lr=1e-3, warmup_epochs=10),
        ),
    )
