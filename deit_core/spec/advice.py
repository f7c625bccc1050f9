"""Advice on choices that are known to hurt. It refuses nothing, and knows only specs."""

from deit_core.spec.experiment import AnySpec, members
from deit_core.spec.run import RunSpec

_FEW_EPOCHS, _LARGE_ALPHA = 30, 0.9


def advice(spec: AnySpec) -> list[str]:
    """Sentences on the students of an experiment and their teachers in it; none where nothing is known to hurt."""
    if isinstance(spec, RunSpec):
        return []
    students = ((run, spec.teacher_of(run)) for run in members(spec))
    return [sentence for run, teacher in students if teacher is not None for sentence in teacher_advice(run, teacher)]


def teacher_advice(student: RunSpec, teacher: RunSpec) -> list[str]:
    """Sentences on a student and its teacher.

    Source: Müller et al. 2019 (arXiv:1906.02629), section 4; tau 1 after Chandrasegaran et al. 2022 (arXiv:2206.14532).
    """
    return [*_of_smoothing(student, teacher), *_of_few_epochs(student)]


def _of_smoothing(student: RunSpec, teacher: RunSpec) -> list[str]:
    taught, smoothing = student.distillation, teacher.optim.label_smoothing
    if taught is None or taught.kind != "soft" or taught.tau <= 1 or not smoothing:
        return []
    return [
        f"{student.name} learns from the probabilities of {teacher.name}, which was trained with a label smoothing of "
        f"{smoothing:g}. Label smoothing hides which classes look alike, and that is what soft distillation passes "
        "on. Set the teacher's optim.label_smoothing to 0, or distillation.tau to 1."
    ]


def _of_few_epochs(student: RunSpec) -> list[str]:
    """Measured in docs/results.md, "Search on digits-quick": 20 and 30 epochs, images that are not mixed."""
    taught = student.distillation
    if taught is None or taught.kind != "soft" or taught.alpha < _LARGE_ALPHA:
        return []
    if student.data.source != "digits" or student.augment.mixes or student.optim.epochs > _FEW_EPOCHS:
        return []
    return [
        f"{student.name} will probably be behind a ViT: with a distillation.alpha of {_LARGE_ALPHA:g} or more, "
        f"{_FEW_EPOCHS} epochs or less and images that are not mixed, its class head learns too little of the digits. "
        "In each of eight comparisons the student was behind by 0.3 to 2.1 points. Set augment.mixup_alpha of all "
        "students to 0.8, or alpha to 0.5."
    ]
