"""What a student learns from a teacher."""

from typing import Literal

from deit_core.spec.fields import Part, field


class DistillationSpec(Part):
    """What a student learns from its teacher.

    With a distillation token the teacher's term has an output of its own, the second head. Without one, as in a plain
    ViT or a CNN, the one output learns from the labels and the teacher both: the paper's "usual" and "hard"
    distillation without token.
    """

    teacher: str = field(
        "teacher",
        "The teacher: the name of a run of the same experiment, the id of a finished run, or a file: a checkpoint made "
        "here, a ViT or DeiT of timm, Facebook or Hugging Face, or a ResNet or RegNet of torchvision's, for the same "
        "classes. They are matched by name where the file has names, else they must stand in the same order.",
        min_length=1,
        max_length=1000,
    )
    teacher_num_heads: int | None = field(
        None,
        "Attention heads per block of a teacher that is a ViT or DeiT from elsewhere, which its weights do not tell. "
        "Empty: what is noted in or beside its file, else the number that is usual for its width.",
        ge=1,
        le=256,
        advanced=True,
    )
    accept_any_teacher: bool = field(
        False,
        "Accept a teacher from elsewhere that does not name its classes even if it is right about the training images "
        "no more often than by chance.",
        advanced=True,
    )
    kind: Literal["hard", "soft"] = field(
        "hard", "hard: the teacher's decision is a second label. soft: its whole distribution is matched."
    )
    alpha: float = field(0.5, "Weight of the teacher's term; the true labels get the rest.", ge=0, le=1)
    tau: float = field(
        3.0, "Temperature of soft distillation: higher shows more of what the teacher finds similar.", gt=0, le=100
    )
    reduction: Literal["batchmean", "numel"] = field(
        "batchmean",
        "How the soft term is averaged: over images (Hinton et al. 2015), or over images and classes as the original "
        "DeiT code does, which makes it smaller by the number of classes.",
        advanced=True,
    )
    trained_fusion: bool = field(
        False,
        "Late fusion by training: also fits one linear head on the finished student's two embeddings, concatenated and "
        "summed, over its training images; reported apart, as test_accuracy_concat_embeddings and _sum_embeddings.",
        advanced=True,
    )
    stored_logits: Literal["float32", "float16", "off"] = field(
        "float32",
        "How the teacher's logits are kept on disk, for all students of the same views. float32: exactly what it says. "
        "float16: half the space, each logit rounded by up to 1/2048 of itself. off: it is asked at every step.",
        advanced=True,
    )
    stored_views: Literal["recurring", "all"] = field(
        "recurring",
        "recurring: its logits are kept where views come again, that is of crop and flip alone. all: also of mixup, "
        "RandAugment and such, where each view comes once: for other students of the same seed, augmentation, batch "
        "size and epochs. Takes 4 bytes, or 2, for each image of each epoch and each class.",
        advanced=True,
    )
