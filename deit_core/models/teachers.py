"""A finished run as somebody's teacher: its checkpoint, frozen, with its own normalisation."""

from pathlib import Path

from deit_core.distillation import DistillationTeacher
from deit_core.errors import CheckpointError
from deit_core.models.weights import load_checkpoint, read_card


def load_teacher(path: Path | str, classes: tuple[str, ...]) -> DistillationTeacher:
    """Load the teacher for a student that tells `classes` apart.

    Raises: CheckpointError when the checkpoint is missing or damaged, or knows other classes.
    """
    card = read_card(path)
    if len(card.classes) != len(classes):
        raise CheckpointError(
            f"The teacher {card.spec.name!r} tells {len(card.classes)} classes apart and the student {len(classes)}; "
            "choose a teacher that was trained on the student's data set."
        )
    if card.classes != classes:
        raise CheckpointError(
            f"The teacher {card.spec.name!r} was trained on other classes ({', '.join(card.classes[:3])}, ...) "
            f"than the student's ({', '.join(classes[:3])}, ...); "
            "choose a teacher that was trained on the student's data set."
        )
    return DistillationTeacher(
        load_checkpoint(path), card.mean, card.std, card.spec.data.img_size, card.spec.compute.precision
    )


def find_teacher(name: str, runs_dir: Path) -> Path:
    """The checkpoint that a spec's `distillation.teacher` means: a run's folder in `runs_dir`, else a path.

    Raises: CheckpointError where neither is there.
    """
    for path in (runs_dir / name, Path(name)):
        if path.exists():
            return path
    raise CheckpointError(
        f"The teacher {name!r} is neither a run in {runs_dir} nor a checkpoint's path; train a teacher first, "
        "and set distillation.teacher to its run's id."
    )
