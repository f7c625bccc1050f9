"""Whether a teacher from elsewhere has the same classes: its accuracy on images with known classes.

Knows a teacher and the images of a run; nothing of files.
"""

import numpy as np
import torch
from torch import Tensor

from deit_core.data import ImageData
from deit_core.errors import CheckpointError
from deit_core.spec import DistillationSpec
from deit_core.training.teacher_logits import TeacherLogits

_NUM_IMAGES = 256
_SIGNIFICANCE = 0.01


def check_teacher(teacher: TeacherLogits, data: ImageData, distillation: DistillationSpec) -> str:
    """Evaluate a teacher on training images without augmentation, spread evenly over the data.

    Chance is the accuracy of its predictions in random order. So a teacher that always predicts the most frequent class
    is not above chance.

    Returns: a sentence with its accuracy.
    Raises: CheckpointError where it is not above chance (binomial test, p < 0.01) and the spec does not accept that,
            or where its logits are not finite.
    """
    from scipy.stats import binomtest  # takes long to import

    train = data.train.labelled()
    positions = np.linspace(0, len(train) - 1, min(_NUM_IMAGES, len(train))).astype(np.int64)
    labels = train.labels[positions].cpu()
    images = torch.as_tensor(train.images[positions])
    logits = teacher(images.to(teacher.device).float() / 255).cpu()
    if not bool(logits.isfinite().all()):
        raise CheckpointError(
            f"The teacher {distillation.teacher} gives logits that are not finite numbers for training images; "
            "choose another teacher."
        )
    decisions = logits.argmax(dim=-1)
    num_right, num_classes = int((decisions == labels).sum()), len(data.classes)
    chance = float(_shares(decisions, num_classes) @ _shares(labels, num_classes))
    score = f"{num_right} of {len(labels)} training images right ({num_right / len(labels):.1%}; chance {chance:.1%})"
    if binomtest(num_right, len(labels), chance, "greater").pvalue < _SIGNIFICANCE:
        return f"The teacher {distillation.teacher} does not name its classes; it gets {score}."
    if distillation.accept_any_teacher:
        return f"The teacher {distillation.teacher} does not name its classes and is no better than chance: {score}."
    raise CheckpointError(
        f"The teacher {distillation.teacher} does not name its classes and is no better than chance: {score}. Its "
        "classes may be in another order, or it may read pixels in another way; choose another teacher, or set "
        "distillation.accept_any_teacher to true."
    )


def _shares(labels: Tensor, num_classes: int) -> Tensor:
    return torch.bincount(labels, minlength=num_classes).double() / len(labels)
