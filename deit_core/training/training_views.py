"""What a teacher says of a student's first training views, with pictures of those where it contradicts the label.

Views are drawn from (seed, epoch), so they are made again here as the training had them. Knows batches and a teacher;
no files, no student.

    B batch, C channels, S img_size, K classes
"""

from collections.abc import Callable
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from deit_core.analysis import contradicts
from deit_core.data import TrainBatches
from deit_core.data.sources.progress import OnProgress, no_progress, with_progress
from deit_core.data.sources.resizing import resize
from deit_core.run_files.view_file import TrainingViews

EPOCH = 1  # whose views are looked at, counted from 1
_MOST_VIEWS, _MOST_PICTURES = 2000, 48
_LARGEST_SIDE = 128  # pixels of a picture


@torch.no_grad()
def look_at_views(
    batches: TrainBatches, teacher: Callable[[Tensor, Tensor], Tensor], on_progress: OnProgress = no_progress
) -> TrainingViews:
    """The views of the first whole batches of an epoch, 2,000 at most but one batch at least; those without a label are
    left out. Pictures are of the first views that the teacher contradicts.

    Args:
        teacher: pixels (B, C, S, S) in [0, 1] and the numbers (B,) of these views -> logits (B, K).
        on_progress: called with the progress. What it raises ends the look.
    """
    size, epoch = batches.batch_size, EPOCH - 1
    num_batches = min(batches.steps_per_epoch, max(1, _MOST_VIEWS // size))
    shown = batches.images_of(epoch).split(size)
    first = islice(batches.epoch(epoch), num_batches)
    pieces = with_progress(
        first, "Asking the teacher about training views", num_batches * size, on_progress, piece=size
    )
    parts: list[TrainingViews] = []
    num_views = num_pictures = 0
    for batch, images in zip(pieces, shown, strict=False):
        labels, others = batch.labels.cpu(), torch.full_like(images, -1)
        if batch.mix is not None:
            own, added = labels, batch.mix.others.cpu()
            labels, others, images = (own, added, images) if batch.mix.share >= 0.5 else (added, own, images.flip(0))
        is_known = (labels >= 0) & ((others >= 0) | torch.tensor(batch.mix is None))
        logits = teacher(batch.pixels, batch.rows).float().cpu()[is_known]
        truth, mixed_in, numbers = (_array(tensor[is_known]) for tensor in (labels, others, images))
        is_contradicted = contradicts(_array(logits.argmax(1)), truth, mixed_in)
        places = np.flatnonzero(is_contradicted)[: _MOST_PICTURES - num_pictures]
        pictures = _pictures(batch.pixels.cpu()[is_known][torch.from_numpy(places)])
        parts.append(TrainingViews(truth, mixed_in, numbers, logits.numpy(), places + num_views, pictures))
        num_views, num_pictures = num_views + len(truth), num_pictures + len(places)
    return TrainingViews(**{name: np.concatenate([vars(part)[name] for part in parts]) for name in vars(parts[0])})


def _pictures(pixels: Tensor) -> NDArray[np.uint8]:
    """Pixels (B, C, S, S) in [0, 1] in 8 bits, made smaller where they are large."""
    images = (pixels * 255).round().to(torch.uint8)
    pictures: NDArray[np.uint8] = resize(images, min(_LARGEST_SIDE, images.shape[-1])).numpy()
    return pictures


def _array(numbers: Tensor) -> NDArray[np.int64]:
    array: NDArray[np.int64] = numbers.numpy()
    return array
