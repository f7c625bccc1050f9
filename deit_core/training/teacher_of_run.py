"""The teacher of a run: found, loaded, and judged before the run learns from it. Knows a spec and data; no student."""

from pathlib import Path

import torch

from deit_core.data import ImageData
from deit_core.errors import RunError
from deit_core.models import find_teacher, is_foreign, load_teacher, read_card, teacher_model
from deit_core.spec import DistillationSpec, RunSpec, teacher_advice
from deit_core.training.teacher_check import check_teacher
from deit_core.training.teacher_logits import TeacherLogits


def teacher_of(
    spec: RunSpec, distillation: DistillationSpec, data: ImageData, runs_dir: Path, device: torch.device
) -> TeacherLogits:
    """Load the teacher of a run. Raises: CheckpointError where there is none, or it does not fit the data."""
    path = find_teacher(distillation.teacher, runs_dir)
    teacher = load_teacher(path, data.classes, spec.data, data.drawn_from, num_heads=distillation.teacher_num_heads)
    all_views = distillation.stored_views == "all"
    return TeacherLogits(teacher, teacher_model(path, teacher), device, distillation.stored_logits, all_views=all_views)


def judge(
    logits: TeacherLogits,
    spec: RunSpec,
    distillation: DistillationSpec,
    data: ImageData,
    runs_dir: Path,
    expected_hash: str,
) -> list[str]:
    """What a new run should say of its teacher, in sentences.

    Args: expected_hash: of the teacher in another run that this one repeats; empty if there is none.
    Raises: RunError where it is not that one; CheckpointError where it knows these classes no better than chance.
    """
    if expected_hash not in ("", logits.hash):
        raise RunError(
            f"The teacher {distillation.teacher} has changed since another run of this experiment learned from it; "
            "restore it, or submit the whole experiment again."
        )
    path = find_teacher(distillation.teacher, runs_dir)
    notes = list(logits.teacher.notes)
    if not is_foreign(path):
        notes += teacher_advice(spec, read_card(path).spec)
    if not logits.teacher.knows_classes:
        notes.append(check_teacher(logits, data, distillation))
    return notes
