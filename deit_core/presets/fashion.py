"""Presets on Fashion-MNIST: the mini-project's settings, our best recipe for its model, and comparisons."""

import itertools

from deit_core.presets.trio import SOFT, students, teacher_and_students, with_few_labels
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

_DATA = DataSpec(source="fashion-mnist", img_size=28)
_AUGMENT = AugmentSpec(crop_padding=2, horizontal_flip=True)

# The best recipe we know, for fashion-full and the experiments on the amount of data and the number of epochs.
# Chosen on validation images, see the search in docs/results.md.
_TEACHER = ResNet9Spec(width=36)
_TEACHER_EPOCHS = 14
_TEACHER_AUGMENT = _AUGMENT.with_changes(test_flip=True)
_STUDENT = VisionTransformerSpec()  # the mini-project's, without its dropout
_STUDENT_EPOCHS = 10
_STUDENT_AUGMENT = AugmentSpec(crop_padding=0, horizontal_flip=True, test_flip=True)
_FEW_AUGMENT = AugmentSpec(crop_padding=1, horizontal_flip=True)  # of students who see each image often
_LONG_EPOCHS = 50
_MEASURED = "2 cores of an EPYC, 2026-11-22, seed 42; the time is an estimate"
_LABELLED = 0.05
_COMPARED_EPOCHS = (2, 5, 10)
# Share of the data -> epochs of the teacher and of its students. Fewer images are shown more often, so that the
# comparison is about the amount of data and not the number of steps.
_COMPARED_FRACTIONS = {0.01: (100, 200), 0.05: (50, 60), 0.1: (40, 40), 1.0: (_TEACHER_EPOCHS, _STUDENT_EPOCHS)}


def _teacher_optim(epochs: int) -> OptimSpec:
    return OptimSpec(epochs=epochs, batch_size=128, lr=4e-3, warmup_epochs=2, label_smoothing=0.0)


def _student_optim(epochs: int) -> OptimSpec:
    return OptimSpec(optimizer="muon", epochs=epochs, batch_size=128, lr=4e-3, warmup_epochs=epochs / 10)


def fashion_classroom() -> ExperimentSpec:
    return ExperimentSpec(
        name="fashion-classroom",
        description=(
            "For one lesson: CNN teacher, ViT and DeiT on a tenth of Fashion-MNIST, with the mini-project's model. "
            "Few images, so the students are far from their best; they show how much the teacher helps."
        ),
        runs=teacher_and_students(
            data=_DATA.with_changes(fraction=0.1),
            augment=_FEW_AUGMENT,
            teacher=ResNet9Spec(width=24),
            teacher_augment=_AUGMENT,
            teacher_optim=OptimSpec(epochs=12, batch_size=128, lr=4e-3, warmup_epochs=1, label_smoothing=0.0),
            student=VisionTransformerSpec(),
            student_optim=OptimSpec(optimizer="muon", epochs=20, batch_size=64, lr=4e-3, warmup_epochs=2),
            distillation=SOFT,
        ),
    )


def fashion_miniproject() -> ExperimentSpec:
    return ExperimentSpec(
        name="fashion-miniproject",
        description=(
            "The mini-project's exact settings: 28x28 Fashion-MNIST, patch 4, width 64, depth 6, 4 heads, MLP ratio 2, "
            "dropout 0.1, batch 128, learning rate 5e-4, 10 epochs, no label smoothing, pixels normalised with 0.5 and "
            "0.5, hard distillation. Corrections: its warm-up was as long as its training (10 of 10 epochs); here it "
            "is 1 epoch. Its best epoch was chosen on test; here on a validation split of 10 % of the training images. "
            "Differences: a head is one linear layer, not Linear-Tanh-Linear, and weights start by Xavier's rule, not "
            "with a standard deviation of 0.02."
        ),
        runs=teacher_and_students(
            data=DataSpec(source="fashion-mnist", img_size=28, normalization="half"),
            augment=_AUGMENT,
            teacher=ResNet9Spec(),
            teacher_optim=OptimSpec(epochs=10, batch_size=128, lr=4e-3, warmup_epochs=1, label_smoothing=0.0),
            student=VisionTransformerSpec(drop_rate=0.1, attn_drop_rate=0.1),
            student_optim=OptimSpec(
                epochs=10, batch_size=128, lr=5e-4, warmup_epochs=1, weight_decay=1e-3, label_smoothing=0.0
            ),
        ),
        expectation=Expectation(
            accuracy={"teacher": 0.942, "vit": 0.793, "deit": 0.809}, duration_s=2295, measured_on=_MEASURED
        ),
    )


def fashion_full() -> ExperimentSpec:
    return ExperimentSpec(
        name="fashion-full",
        description=(
            "The best recipe we know for ten epochs of the mini-project's model: all of Fashion-MNIST, a wider "
            "teacher, no dropout, Muon in place of AdamW, images mirrored but not shifted, and soft distillation."
        ),
        runs=_trio(_STUDENT_EPOCHS),
        expectation=Expectation(
            accuracy={"teacher": 0.943, "vit": 0.903, "deit": 0.908},
            duration_s=9300,
            measured_on="one thread of an EPYC, float32, next to other work, 2026-11-30, mean of three seeds",
        ),
    )


def fashion_long() -> ExperimentSpec:
    return ExperimentSpec(
        name="fashion-long",
        description=(
            f"fashion-full's recipe for {_LONG_EPOCHS} epochs, long enough for the students to come close to their "
            "teacher, and with the teacher's crops, since so many epochs show each image often."
        ),
        runs=_trio(_LONG_EPOCHS, _AUGMENT),
    )


def fashion_few_labels() -> ExperimentSpec:
    trio = teacher_and_students(
        data=_DATA,
        augment=_FEW_AUGMENT,
        teacher=_TEACHER,
        teacher_optim=_teacher_optim(_TEACHER_EPOCHS),
        teacher_augment=_TEACHER_AUGMENT,
        student=_STUDENT,
        student_optim=_student_optim(_STUDENT_EPOCHS),
        distillation=SOFT,
    )
    return ExperimentSpec(
        name="fashion-few-labels",
        description=(
            f"Only {_LABELLED:.0%} of Fashion-MNIST's labels are known. The teacher and the ViT learn from these "
            "images; the DeiT also sees all others, which its teacher names. Same labels, more images. The ViT makes "
            "as many steps as the DeiT."
        ),
        runs=with_few_labels(trio, _LABELLED, teacher_epochs=_COMPARED_FRACTIONS[_LABELLED][0]),
        expectation=Expectation(
            accuracy={"teacher": 0.893, "vit": 0.845, "deit": 0.890},
            duration_s=8300,
            measured_on="one thread of an EPYC, float32, next to other work, 2026-11-30, mean of three seeds",
        ),
    )


def fashion_epochs() -> ExperimentSpec:
    teacher, *_ = _trio(_STUDENT_EPOCHS)
    pairs = (
        students(
            data=_DATA,
            augment=_STUDENT_AUGMENT,
            model=_STUDENT,
            optim=_student_optim(epochs),
            distillation=SOFT,
            suffix=f"-{epochs}ep",
        )
        for epochs in _COMPARED_EPOCHS
    )
    return ExperimentSpec(
        name="fashion-epochs",
        description=(
            "How much a teacher helps, and for how long: a ViT and a DeiT of 2, 5 and 10 epochs each, all from one "
            "teacher, with fashion-full's recipe. Every training has its own schedule, so none is a part of a longer "
            "one."
        ),
        runs=(teacher, *itertools.chain(*pairs)),
    )


def fashion_fractions() -> ExperimentSpec:
    trios = (
        teacher_and_students(
            data=_DATA.with_changes(fraction=fraction),
            augment=_FEW_AUGMENT,
            teacher=_TEACHER,
            teacher_optim=_teacher_optim(teacher_epochs),
            teacher_augment=_TEACHER_AUGMENT,
            student=_STUDENT,
            student_optim=_student_optim(student_epochs),
            distillation=SOFT,
            suffix=f"-{fraction * 100:g}pct",
        )
        for fraction, (teacher_epochs, student_epochs) in _COMPARED_FRACTIONS.items()
    )
    return ExperimentSpec(
        name="fashion-fractions",
        description=(
            "How much a teacher helps with few images: teacher, ViT and DeiT on 1, 5, 10 and 100 % of Fashion-MNIST, "
            "with fashion-full's recipe, except that images are shifted by up to one pixel. Students learn from the "
            "same images as their teacher. Fewer images get more epochs, so that all runs make hundreds of steps; the "
            "test set is always the whole one."
        ),
        runs=tuple(itertools.chain(*trios)),
    )


def _trio(student_epochs: int, student_augment: AugmentSpec = _STUDENT_AUGMENT) -> tuple[RunSpec, ...]:
    return teacher_and_students(
        data=_DATA,
        augment=student_augment,
        teacher=_TEACHER,
        teacher_optim=_teacher_optim(_TEACHER_EPOCHS),
        teacher_augment=_TEACHER_AUGMENT,
        student=_STUDENT,
        student_optim=_student_optim(student_epochs),
        distillation=SOFT,
    )
