"""Predictions of a run that has none, and for a student its training views, the same that a training keeps at its end.

Knows the folders of a run and of its teacher, and the data; no store and no training.
"""

from pathlib import Path

import torch
from torch import Tensor

from deit_core.data import ImageData, TrainBatches, load_data
from deit_core.data.sources.progress import OnProgress, no_progress
from deit_core.data.splits import memory_for_images
from deit_core.errors import CheckpointError, RunError
from deit_core.layout import RunFiles
from deit_core.models import ModelCard, find_teacher, load_checkpoint, load_teacher, read_card, teacher_model
from deit_core.run_files.prediction_file import LEFT_OUT, PredictionFacts, write_predictions
from deit_core.run_files.view_file import ViewFacts, write_views
from deit_core.spec import RunSpec
from deit_core.training.checkpoint import RunFolder
from deit_core.training.device import choose_device, place
from deit_core.training.evaluation import evaluate
from deit_core.training.outputs import Keeper
from deit_core.training.teacher_logits import TeacherLogits
from deit_core.training.training_views import EPOCH, look_at_views


def predict(
    spec: RunSpec,
    *,
    run_dir: Path,
    data_dir: Path | str = "data",
    device: str | None = None,
    num_threads: int | None = None,
    on_progress: OnProgress = no_progress,
) -> list[str]:
    """Write `predictions.safetensors` into a finished run's folder, from the weights of its best epoch; for a student
    also `views.safetensors`.

    Args: as of `train`; `spec` is the run's own, since a checkpoint does not say where its images are.
    Returns: sentences on what is left out.
    Raises: DeitError where weights or data are missing, damaged, or not those of the run.
    """
    card, place_of_run = read_card(run_dir), choose_device(spec.compute, device)
    if threads := spec.compute.num_threads or num_threads:
        torch.set_num_threads(threads)
    memory = memory_for_images(place_of_run)
    learns_unlabelled = spec.distillation is not None
    data = load_data(
        spec.data, Path(data_dir), memory, on_progress, card.pixel_version, keeps_unlabelled=learns_unlabelled
    )
    if card.data_hash != data.content_hash:
        raise RunError(
            f"{spec.data.source} is not the data that this run learned from, so its predictions cannot be made; "
            "restore the files."
        )
    model = place(load_checkpoint(run_dir), place_of_run)
    mean, std = (torch.tensor(values, device=place_of_run).view(-1, 1, 1) for values in (card.mean, card.std))

    def normalize(pixels: Tensor) -> Tensor:
        return (pixels - mean) / std

    keepers = {}
    for part, split in (("test", data.test), ("val", data.val)):
        keepers[part] = Keeper(len(data.test) + len(data.val))
        evaluate(model, split, normalize, place_of_run, part, readers=[keepers[part]], on_progress=on_progress)
    logits_alone = keepers["test"].logits_alone
    facts = PredictionFacts(data.classes, data.content_hash, card.epoch, logits_alone, data.native_size)
    test, val = (keeper.predictions for keeper in keepers.values())
    write_predictions(RunFiles(run_dir).predictions, test, val, facts, makes_folder=False)
    left_out = [LEFT_OUT] if logits_alone else []
    try:
        _write_views(spec, card, data, run_dir, place_of_run, on_progress)
    except (CheckpointError, RunError) as error:
        left_out.append(f"What its teacher says of training views is left out. {error}")
    return left_out


def _write_views(
    spec: RunSpec, card: ModelCard, data: ImageData, run_dir: Path, device: torch.device, on_progress: OnProgress
) -> None:
    """Raises: CheckpointError or RunError where the teacher is missing or another one."""
    if spec.distillation is None:
        return
    path = find_teacher(spec.distillation.teacher, run_dir.parent)
    teacher = load_teacher(
        path, data.classes, spec.data, data.drawn_from, num_heads=spec.distillation.teacher_num_heads
    )
    logits = TeacherLogits(teacher, teacher_model(path, teacher), device, spec.distillation.stored_logits)
    if card.teacher_hash not in ("", logits.hash):
        raise RunError(f"The teacher {spec.distillation.teacher} has changed since this run learned from it.")
    version = RunFolder(run_dir).pixel_version()
    batches = TrainBatches(data.train, spec.optim.batch_size, spec.augment, spec.seed, device, version)
    views = look_at_views(batches, logits, on_progress)
    write_views(RunFiles(run_dir).views, views, ViewFacts(data.classes, EPOCH), makes_folder=False)
