"""Experiments and runs that are known to work, each a function that returns its spec.

`names()` lists them, `get(name)` builds one. What each gave when it was last measured stands in its `expectation`.
"""

from collections.abc import Callable

from deit_core.errors import SpecError
from deit_core.spec import (
    AnySpec,
    AugmentSpec,
    ComputeSpec,
    DataSpec,
    DistillationSpec,
    Expectation,
    ExperimentSpec,
    OptimSpec,
    ResNet9Spec,
    RunSpec,
    VisionTransformerSpec,
)


def names() -> list[str]:
    """The presets, the quickest first."""
    return list(_PRESETS)


def get(name: str) -> AnySpec:
    """Build a preset.

    Raises: SpecError for a name that is none.
    """
    if name not in _PRESETS:
        raise SpecError(f"There is no preset {name!r}; choose {', '.join(names()[:-1])} or {names()[-1]}.")
    return _PRESETS[name]()


def digits_quick() -> ExperimentSpec:
    data = DataSpec(source="digits", img_size=16, val_fraction=0.2)
    augment = AugmentSpec(crop_padding=1)
    return ExperimentSpec(
        name="digits-quick",
        description=(
            "The whole journey in about a minute, without a download: a small CNN teacher, then a ViT and a DeiT that "
            "learns from the teacher's decisions, on 1,797 handwritten digits of 8x8 pixels, enlarged to 16x16."
        ),
        runs=_teacher_and_students(
            data=data,
            augment=augment,
            teacher=ResNet9Spec(width=16),
            teacher_optim=OptimSpec(epochs=8, batch_size=64, lr=2e-3, warmup_epochs=2),
            student=VisionTransformerSpec(patch_size=2, embed_dim=48, depth=3, num_heads=4),
            student_optim=OptimSpec(epochs=20, batch_size=32, lr=2e-3, warmup_epochs=4),
            num_threads=1,  # keeps its pace beside a busy browser, where two would wait for each other all the time
        ),
        expectation=Expectation(
            accuracy={"teacher": 0.992, "vit": 0.975, "deit": 0.969},
            duration_s=52,
            measured_on="2 cores of an EPYC, 2026-11-22, seed 42",
        ),
    )


def fashion_classroom() -> ExperimentSpec:
    return ExperimentSpec(
        name="fashion-classroom",
        description=(
            "A lesson's worth: CNN teacher, ViT and DeiT on a fifth of Fashion-MNIST, with the mini-project's model. "
            "Few epochs, so the students are far from their best; what shows is how much the teacher helps."
        ),
        runs=_teacher_and_students(
            data=DataSpec(source="fashion-mnist", img_size=28, fraction=0.2),
            augment=AugmentSpec(crop_padding=2, horizontal_flip=True),
            teacher=ResNet9Spec(width=24),
            teacher_optim=OptimSpec(epochs=6, batch_size=128, lr=4e-3, warmup_epochs=1),
            student=VisionTransformerSpec(),
            student_optim=OptimSpec(epochs=10, batch_size=64, lr=2e-3, warmup_epochs=1),
        ),
        expectation=Expectation(
            accuracy={"teacher": 0.903, "vit": 0.805, "deit": 0.820},
            duration_s=389,
            measured_on="2 cores of an EPYC, 2026-11-22, seed 42",
        ),
    )


def fashion_miniproject() -> ExperimentSpec:
    return ExperimentSpec(
        name="fashion-miniproject",
        description=(
            "The mini-project's exact numbers: 28x28 Fashion-MNIST, patch 4, width 64, depth 6, 4 heads, MLP ratio 2, "
            "dropout .1, batch 128, learning rate 5e-4, 10 epochs, pixels normalised with .5 and .5, hard "
            "distillation. Mended: its warm-up was as long as its training (10 of 10 epochs) and never ended; here "
            "it is 1 epoch. Its best epoch was chosen on test; here on a validation split of a tenth of the training "
            "images."
        ),
        runs=_teacher_and_students(
            data=DataSpec(source="fashion-mnist", img_size=28, normalization="half"),
            augment=AugmentSpec(crop_padding=2, horizontal_flip=True),
            teacher=ResNet9Spec(),
            teacher_optim=OptimSpec(epochs=10, batch_size=128, lr=4e-3, warmup_epochs=1),
            student=VisionTransformerSpec(drop_rate=0.1, attn_drop_rate=0.1),
            student_optim=OptimSpec(epochs=10, batch_size=128, lr=5e-4, warmup_epochs=1, weight_decay=1e-3),
        ),
        expectation=Expectation(
            accuracy={"teacher": 0.943, "vit": 0.791, "deit": 0.807},
            duration_s=1976,
            measured_on="2 cores of an EPYC, 2026-11-21, seed 42; the time is an idle machine's estimate, 2026-11-22",
        ),
    )


def fashion_full() -> ExperimentSpec:
    return ExperimentSpec(
        name="fashion-full",
        description=(
            "The best recipe we know for the mini-project's model: all of Fashion-MNIST, a wider teacher, no dropout, "
            "a larger learning rate, and long enough for the students to come close to their teacher."
        ),
        runs=_teacher_and_students(
            data=DataSpec(source="fashion-mnist", img_size=28),
            augment=AugmentSpec(crop_padding=2, horizontal_flip=True),
            teacher=ResNet9Spec(width=36),
            teacher_optim=OptimSpec(epochs=15, batch_size=128, lr=4e-3, warmup_epochs=2),
            student=VisionTransformerSpec(),
            student_optim=OptimSpec(epochs=50, batch_size=128, lr=2e-3, warmup_epochs=5),
        ),
    )


def smoke() -> RunSpec:
    """A few seconds on a CPU: does training work on this machine? A test holds its loss to a golden value."""
    return RunSpec(
        name="smoke",
        data=DataSpec(source="digits", img_size=16, val_fraction=0.2),
        model=VisionTransformerSpec(patch_size=4, embed_dim=32, depth=2, num_heads=2),
        optim=OptimSpec(epochs=2, batch_size=64, lr=2e-3, warmup_epochs=0.5),
        augment=AugmentSpec(crop_padding=1),
        notes="A few seconds: does training work on this machine?",
    )


def _teacher_and_students(
    *,
    data: DataSpec,
    augment: AugmentSpec,
    teacher: ResNet9Spec,
    teacher_optim: OptimSpec,
    student: VisionTransformerSpec,
    student_optim: OptimSpec,
    num_threads: int | None = None,
) -> tuple[RunSpec, ...]:
    """The trio of every lesson. The students differ in nothing but the distillation."""
    compute = ComputeSpec(num_threads=num_threads)
    vit = RunSpec(name="vit", data=data, model=student, optim=student_optim, augment=augment, compute=compute)
    return (
        RunSpec(
            name="teacher",
            data=data,
            model=teacher,
            optim=teacher_optim,
            augment=augment,
            compute=compute,
        ),
        vit,
        RunSpec(
            name="deit",
            data=data,
            model=student.model_copy(update={"distilled": True}),
            distillation=DistillationSpec(teacher="teacher", kind="hard"),
            optim=student_optim,
            augment=augment,
            compute=compute,
        ),
    )


_PRESETS: dict[str, Callable[[], AnySpec]] = {
    "smoke": smoke,
    "digits-quick": digits_quick,
    "fashion-classroom": fashion_classroom,
    "fashion-miniproject": fashion_miniproject,
    "fashion-full": fashion_full,
}
