"""The trio of every lesson: a CNN teacher, a ViT and a DeiT, built from the parts that differ between presets.

Knows specs; nothing of any data set.
"""

from deit_core.spec import (
    AugmentSpec,
    ComputeSpec,
    DataSpec,
    DistillationSpec,
    OptimSpec,
    ResNet9Spec,
    RunSpec,
    TimmSpec,
    TorchvisionSpec,
    VisionTransformerSpec,
)

_COMPUTE = ComputeSpec()
HARD = DistillationSpec(kind="hard")
SOFT = DistillationSpec(kind="soft", alpha=0.9, tau=3.0)  # from a teacher without label smoothing


def teacher_and_students(
    *,
    data: DataSpec,
    augment: AugmentSpec,
    teacher: ResNet9Spec | TimmSpec | TorchvisionSpec,
    teacher_optim: OptimSpec,
    student: VisionTransformerSpec,
    student_optim: OptimSpec,
    teacher_augment: AugmentSpec | None = None,
    distillation: DistillationSpec = HARD,
    teacher_start: str = "",
    student_start: str = "",
    num_threads: int | None = None,
    suffix: str = "",
) -> tuple[RunSpec, ...]:
    """A teacher, a ViT and a DeiT that learns from the teacher, in this order.

    Args:
        teacher_augment: the teacher's own augmentation, if it differs from its students'.
        teacher_start, student_start: the `initial_checkpoint` of the teacher, and of both students.
        suffix: ends the three names.
    """
    name, compute = f"teacher{suffix}", ComputeSpec(num_threads=num_threads)
    return (
        RunSpec(
            name=name,
            data=data,
            model=teacher,
            optim=teacher_optim,
            augment=teacher_augment or augment,
            compute=compute,
            initial_checkpoint=teacher_start,
        ),
        *students(
            data=data,
            augment=augment,
            model=student,
            optim=student_optim,
            distillation=distillation.with_changes(teacher=name),
            start=student_start,
            compute=compute,
            suffix=suffix,
        ),
    )


def with_few_labels(trio: tuple[RunSpec, ...], share: float, *, teacher_epochs: int) -> tuple[RunSpec, ...]:
    """The trio where only a share of the labels is known: the DeiT also learns from the other images, through its
    teacher, and the ViT makes as many steps on the labelled ones.

    Args: teacher_epochs: of the teacher, each with the labelled images alone.
    """
    teacher, vit, deit = (run.with_changes(data=run.data.with_changes(labelled_fraction=share)) for run in trio)
    epochs, warmup_epochs = vit.optim.epochs / share, vit.optim.warmup_epochs / share
    return (
        teacher.with_changes(optim=teacher.optim.with_changes(epochs=teacher_epochs)),
        vit.with_changes(optim=vit.optim.with_changes(epochs=round(epochs), warmup_epochs=warmup_epochs)),
        deit,
    )


def students(
    *,
    data: DataSpec,
    augment: AugmentSpec,
    model: VisionTransformerSpec,
    optim: OptimSpec,
    distillation: DistillationSpec = HARD,
    start: str = "",
    compute: ComputeSpec = _COMPUTE,
    suffix: str = "",
) -> tuple[RunSpec, RunSpec]:
    """A ViT and a DeiT, which differ only in the distillation."""

    def student(name: str, shape: VisionTransformerSpec, taught: DistillationSpec | None) -> RunSpec:
        return RunSpec(
            name=f"{name}{suffix}",
            data=data,
            model=shape,
            distillation=taught,
            optim=optim,
            augment=augment,
            compute=compute,
            initial_checkpoint=start,
        )

    deit = model.with_changes(distilled=True)
    return student("vit", model, None), student("deit", deit, distillation)
