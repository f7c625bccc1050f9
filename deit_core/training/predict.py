"""Predictions of a run that has none, as it would have kept them at its end.

Knows the folder of one run and its data; no store, no teacher and no training.
"""

from pathlib import Path

import torch
from torch import Tensor

from deit_core.data import load_data
from deit_core.data.sources.progress import OnProgress, no_progress
from deit_core.data.splits import memory_for_images
from deit_core.errors import RunError
from deit_core.layout import RunFiles
from deit_core.models import load_checkpoint, read_card
from deit_core.run_files.prediction_file import PredictionFacts, write_predictions
from deit_core.spec import RunSpec
from deit_core.training.device import choose_device, place
from deit_core.training.evaluation import evaluate
from deit_core.training.outputs import Keeper


def predict(
    spec: RunSpec,
    *,
    run_dir: Path,
    data_dir: Path | str = "data",
    device: str | None = None,
    num_threads: int | None = None,
    on_progress: OnProgress = no_progress,
) -> PredictionFacts:
    """Write `predictions.safetensors` into a finished run's folder, from the weights of its best epoch.

    Args: as of `train`; `spec` is the run's own, since a checkpoint does not say where its images are.
    Raises: DeitError where weights or data are missing, damaged, or not those of the run.
    """
    card, place_of_run = read_card(run_dir), choose_device(spec.compute, device)
    if threads := spec.compute.num_threads or num_threads:
        torch.set_num_threads(threads)
    data = load_data(spec.data, Path(data_dir), memory_for_images(place_of_run), on_progress, card.pixel_version)
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
    facts = PredictionFacts(data.classes, data.content_hash, card.epoch, keepers["test"].logits_alone)
    test, val = (keeper.predictions for keeper in keepers.values())
    write_predictions(RunFiles(run_dir).predictions, test, val, facts, makes_folder=False)
    return facts
