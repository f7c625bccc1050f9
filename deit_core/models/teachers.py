"""A finished run, or a foreign file, as a teacher: frozen, with its own normalisation."""

from pathlib import Path

from pydantic import ValidationError

from deit_core.distillation import DistillationTeacher
from deit_core.errors import CheckpointError, spec_error
from deit_core.files import is_there
from deit_core.layout import run_folder
from deit_core.models.foreign.foreign_teacher import class_order, load_foreign_teacher, spec_of
from deit_core.models.weights import is_foreign, load_checkpoint, read_card
from deit_core.spec import DataSpec, ModelSpec
from deit_core.text.quoting import quoted


def load_teacher(
    path: Path | str,
    classes: tuple[str, ...],
    data: DataSpec,
    data_hash: str = "",
    *,
    num_heads: int | None = None,
) -> DistillationTeacher:
    """Load the teacher for a student with these `classes` on `data`, whose images have the hash `data_hash`.

    Classes are compared by name: another order is changed into the student's. A foreign file may have no names, or the
    names of the classes it was first trained on; then only their number can be checked.

    Args: num_heads: attention heads per block of a foreign ViT, if its file does not state them.

    Raises: CheckpointError when the checkpoint is missing or damaged, knows other classes, or has learned from images
        that the student's validation holds back.
    """
    if is_foreign(path):
        return load_foreign_teacher(Path(path), classes, num_heads)
    card = read_card(path)
    if len(card.classes) != len(classes):
        raise CheckpointError(
            f"The teacher {card.spec.name!r} has {len(card.classes)} classes and the student {len(classes)}; "
            "choose a teacher that was trained on the student's data set."
        )
    order = class_order(card.classes, classes)
    if card.classes != classes and order is None:
        raise CheckpointError(
            f"The teacher {card.spec.name!r} was trained on other classes ({', '.join(card.classes[:3])}, ...) "
            f"than the student's ({', '.join(classes[:3])}, ...); "
            "choose a teacher that was trained on the student's data set."
        )
    if overlap := card.learned_held_back(data, data_hash):
        why, remedy = overlap
        raise CheckpointError(
            f"The teacher {card.spec.name!r} {why}, so it has learned images that the student is evaluated on; "
            f"{remedy}."
        )
    spec_precision = card.spec.compute.precision
    precision = card.precision or (spec_precision if spec_precision != "auto" else "float32")
    return DistillationTeacher(
        load_checkpoint(path), card.mean, card.std, card.spec.data.img_size, precision, order=order
    )


def teacher_model(path: Path | str, teacher: DistillationTeacher) -> ModelSpec:
    """The model spec of a teacher that was loaded from `path`.

    Raises: CheckpointError for a foreign file whose network no spec can describe.
    """
    if not is_foreign(path):
        return read_card(path).spec.model
    try:
        return spec_of(teacher.model)
    except ValidationError as error:
        raise CheckpointError(
            f"{path} has a network that no spec can describe: {spec_error(error, {})} Choose another teacher."
        ) from None


def find_teacher(name: str, runs_dir: Path) -> Path:
    """The path of a spec's `distillation.teacher`: a run's folder in `runs_dir`, else a path.

    Raises: CheckpointError where neither exists.
    """
    for path in (run_folder(runs_dir, name), Path(name)):
        if is_there(path):
            return path
    raise CheckpointError(
        f"The teacher {quoted(name)} is neither a run in {runs_dir} nor the path of a checkpoint; train a teacher "
        "first, and set distillation.teacher to the id of its run."
    )
