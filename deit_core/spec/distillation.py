"""Distillation: what a student learns from a teacher."""

from typing import Literal

from deit_core.spec.fields import Part, field


class DistillationSpec(Part):
    """What a student learns from its teacher.

    With a distillation token the teacher's term has its own output, the second head. Without one, as in a plain ViT or
    a CNN, the one output learns from both the labels and the teacher: the paper's "usual" and "hard" distillation
    without token.
    """

    teacher: str = field(
        "teacher",
        "The teacher: the name of a run of the same experiment, the id of a finished run, or a file: a checkpoint made "
        "here, a ViT or DeiT of timm, Facebook or Hugging Face, or a ResNet or RegNet of torchvision's, for the same "
        "classes. The classes are matched by name if the file has names, else they must be in the same order.",
        min_length=1,
        max_length=1000,
    )
    teacher_num_heads: int | None = field(
        None,
        "Attention heads per block, for a teacher that is a ViT or DeiT from elsewhere: its weights do not contain "
        "this number. Empty: the number in its file or config, else the usual number for its width.",
        ge=1,
        le=256,
        advanced=True,
    )
    accept_any_teacher: bool = field(
        False,
        "Accept a teacher from elsewhere that does not name its classes, even if its accuracy on the training images "
        "is no better than chance.",
        advanced=True,
    )
    kind: Literal["hard", "soft"] = field(
        "hard",
        "What a student learns from its teacher: the predicted class as a second label (hard), or the probabilities of "
        "all classes (soft).",
    )
    alpha: float = field(
        0.5,
        "Weight of the teacher's term in the loss; the true labels get the rest. With 1 both heads learn from the "
        "teacher alone.",
        ge=0,
        le=1,
    )
    tau: float = field(
        3.0,
        "Temperature of soft distillation. A higher one shows more of which classes the teacher finds similar.",
        gt=0,
        le=100,
    )
    standardize: bool = field(
        False,
        "Soft distillation compares logits of mean 0 and standard deviation 1 (z-scores) for each image, so the "
        "student learns which classes the teacher finds similar, and not how large its logits are. Its authors (Sun et "
        "al. 2024) take alpha 0.989 and tau 2.",
        advanced=True,
    )
    reduction: Literal["batchmean", "numel"] = field(
        "batchmean",
        "How the soft term is averaged: over images (batchmean, as in Hinton et al. 2015), or over images and classes "
        "(numel, as in the original DeiT code), which also divides by the number of classes.",
        advanced=True,
    )
    mixed_labels: Literal["both", "teacher"] = field(
        "both",
        "What a student learns from mixed images: the true labels by their shares and the teacher's answer to the "
        "mixed image (both), or the teacher's answer alone (teacher, Beyer et al. 2022).",
        advanced=True,
    )
    trained_fusion: bool = field(
        False,
        "Late fusion with training: also fits one linear head on the two embeddings of the finished student, once "
        "concatenated and once summed. Reported separately, as test_accuracy_concat_embeddings and _sum_embeddings.",
        advanced=True,
    )
    stored_logits: Literal["float32", "float16", "off"] = field(
        "float32",
        "How the teacher's logits are stored on disk, for all students with the same views. float32: exact. float16: "
        "half the space, each logit rounded by up to 1/2048 of itself. off: the teacher computes them at every step.",
        advanced=True,
    )
    stored_views: Literal["recurring", "all"] = field(
        "recurring",
        "Which of the teacher's logits are stored. recurring: those of views that repeat, from crop and flip alone. "
        "all: also those of Mixup, RandAugment and others, where no view repeats. They then serve other students with "
        "the same seed, augmentation, batch size and epochs. Takes 4 (or 2) bytes per image, epoch and class.",
        advanced=True,
    )
