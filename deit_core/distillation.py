"""What a student learns from a teacher: the soft and hard distillation losses, and the teacher itself.

Knows logits and pixels; nothing of data sets, optimisers or files.

    B batch, K classes

Sources: Hinton, Vinyals & Dean 2015 (arXiv:1503.02531) for the soft loss; Touvron et al. 2021 (arXiv:2012.12877),
section 4, for the hard loss and the distillation token; Sun et al. 2024 (arXiv:2403.01427) for standardised logits.
"""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Kind = Literal["none", "soft", "hard"]
Reduction = Literal["batchmean", "numel"]

_LUMA = (0.299, 0.587, 0.114)  # of red, green and blue: ITU-R BT.601, as Pillow reads colour in grey


class DistillationTeacher(nn.Module):
    """A frozen classifier that reads plain pixels: it normalises, resizes and repeats channels for itself.

    It is always in eval mode, even inside a module in train mode, and gives logits without gradients.

    Args:
        model: (B, C, height, width) -> logits (B, K).
        mean, std: per channel, of pixels in [0, 1], as the model was trained with.
        img_size: the side in pixels that the model expects.
        precision: "bfloat16" runs the model under autocast; its logits are float32 all the same.
        order: the index of each of the student's classes in the model's logits; None where the order is the same.
        knows_classes: whether that order was checked by class names, or is assumed.
        notes: sentences on facts that no file states and that were assumed.
    """

    mean: Tensor
    std: Tensor
    luma: Tensor  # of red, green and blue; kept on the device, since sending it would wait for a GPU at every step
    order: Tensor | None

    def __init__(
        self,
        model: nn.Module,
        mean: Sequence[float],
        std: Sequence[float],
        img_size: int,
        precision: Literal["float32", "bfloat16"] = "float32",
        *,
        order: Sequence[int] | None = None,
        knows_classes: bool = True,
        notes: tuple[str, ...] = (),
    ) -> None:
        super().__init__()
        self.model = model.requires_grad_(False)
        self.precision = precision
        self.img_size = img_size
        self.knows_classes, self.notes = knows_classes, notes
        self.register_buffer("order", None if order is None else torch.tensor(order))
        self.register_buffer("mean", torch.tensor(mean).view(-1, 1, 1))
        self.register_buffer("std", torch.tensor(std).view(-1, 1, 1))
        self.register_buffer("luma", torch.tensor(_LUMA).view(-1, 1, 1), persistent=False)
        self.train(False)

    def train(self, mode: bool = True) -> Self:
        return super().train(False)

    @torch.no_grad()
    def forward(self, pixels: Tensor) -> Tensor:
        """Logits (B, K) of pixels (B, C, height, width) in [0, 1]."""
        if pixels.shape[-2:] != (self.img_size, self.img_size):
            pixels = F.interpolate(pixels, (self.img_size, self.img_size), mode="bilinear", antialias=True)
        if pixels.shape[1] != len(self.mean):
            pixels = self._grey(pixels).expand(-1, len(self.mean), -1, -1)
        with torch.autocast(pixels.device.type, torch.bfloat16, enabled=self.precision == "bfloat16"):
            logits: Tensor = self.model((pixels - self.mean) / self.std)
        return logits.float() if self.order is None else logits.float()[:, self.order]

    def _grey(self, pixels: Tensor) -> Tensor:
        """Pixels (B, C, H, W) in one channel (B, 1, H, W): of three by their luma, as files are read in grey."""
        return pixels if pixels.shape[1] == 1 else (pixels * self.luma).sum(dim=1, keepdim=True)


def standardize(logits: Tensor) -> Tensor:
    """Each image's logits (B, K) with mean 0 and standard deviation 1 over the classes; equal ones become 0.

    Raises: ValueError for one class, whose logit says nothing once it is standardised.
    """
    if logits.shape[-1] < 2:
        raise ValueError("Logits of one class cannot be standardised; give at least two classes.")
    centred = logits - logits.mean(-1, keepdim=True)
    return centred / centred.square().mean(-1, keepdim=True).sqrt().clamp(min=1e-6)


def soft_distillation(student: Tensor, teacher: Tensor, tau: float, reduction: Reduction = "batchmean") -> Tensor:
    """Kullback-Leibler divergence from the teacher's softened distribution to the student's, times tau squared.

    Args:
        student, teacher: logits (B, K). A class whose teacher's logit is -inf has probability 0.
        tau: temperature; the factor tau^2 keeps the gradient's size independent of it.
        reduction: "batchmean" sums over classes and averages over images, as Hinton et al. write it; "numel" divides
            by B * K, as the original DeiT code does, so it is smaller by the number of classes.
    """
    divergence = _divergence(student, teacher, tau).sum()
    count = student.numel() if reduction == "numel" else len(student)
    return divergence * tau**2 / count


def _divergence(student: Tensor, teacher: Tensor, tau: float) -> Tensor:
    """Its parts (B, K), whose sum over the classes is an image's divergence."""
    target = F.log_softmax(teacher / tau, dim=-1)
    target = target.clamp(min=torch.finfo(target.dtype).min)  # 0 * -inf would be no number
    return F.kl_div(F.log_softmax(student / tau, dim=-1), target, reduction="none", log_target=True)


def hard_distillation(student: Tensor, teacher: Tensor) -> Tensor:
    """Cross-entropy of the student's logits (B, K) with the teacher's predicted classes as labels."""
    return F.cross_entropy(student, teacher.argmax(dim=-1))


class LossTerms(NamedTuple):
    """A loss and what it is made of.

    total: the loss.
    base: with the true labels, the mean over the labelled images, before alpha weighs it; 0 if there is none.
    distillation: with the teacher, the mean over all images, before alpha weighs it; None for kind "none".
    """

    total: Tensor
    base: Tensor
    distillation: Tensor | None


class DistillationTerms:
    """The terms of the loss and their weighted sum, from logits alone: it has no teacher.

    Args: as of `DistillationLoss`.
    Raises: ValueError for an unknown kind or reduction, or alpha and tau out of bounds.
    """

    def __init__(
        self,
        base_criterion: nn.Module,
        kind: Kind = "hard",
        alpha: float = 0.5,
        tau: float = 1.0,
        reduction: Reduction = "batchmean",
        *,
        standardized: bool = False,
    ) -> None:
        if kind not in ("none", "soft", "hard"):
            raise ValueError(f"kind {kind!r} is unknown; choose none, soft or hard.")
        if reduction not in ("batchmean", "numel"):
            raise ValueError(f"reduction {reduction!r} is unknown; choose batchmean or numel.")
        if not 0 <= alpha <= 1:
            raise ValueError(f"alpha is a share between 0 and 1, not {alpha}.")
        if tau <= 0:
            raise ValueError(f"tau is a temperature above 0, not {tau}.")
        self.base_criterion = base_criterion
        self.kind, self.alpha, self.tau, self.reduction = kind, alpha, tau, reduction
        self.standardized = standardized

    def __call__(
        self,
        outputs: Tensor | tuple[Tensor, Tensor],
        labels: Tensor,
        teacher_logits: Tensor | None,
        *,
        is_labelled: Tensor | None = None,
        uses_labels: bool = True,
    ) -> LossTerms:
        """The loss of a batch. An image whose true label is not known or not used learns from the teacher alone, with
        both heads, each with half of the weight; so does every image of a model with two heads where alpha is 1.

        Args:
            outputs, labels: as `DistillationLoss` takes them.
            teacher_logits: (B, K) of the same images; None for kind "none".
            is_labelled: (B,), False where `labels` says nothing; None where all are known. The base criterion is a
                cross-entropy then.
            uses_labels: if False the true labels are only measured.
        """
        class_logits, taught = (outputs, outputs) if isinstance(outputs, Tensor) else outputs
        if teacher_logits is None:
            base = self.base_criterion(class_logits, labels)
            return LossTerms(base, base, None)
        has_two_heads = not isinstance(outputs, Tensor)
        if is_labelled is None and uses_labels and not (has_two_heads and self.alpha == 1):
            base, distillation = self.base_criterion(class_logits, labels), self._mean(taught, teacher_logits)
            return LossTerms((1 - self.alpha) * base + self.alpha * distillation, base, distillation)
        own, by_teacher = self._own(class_logits, labels), self._each(taught, teacher_logits)
        total = by_teacher if not has_two_heads else (by_teacher + self._each(class_logits, teacher_logits)) / 2
        known = torch.ones_like(own).bool() if is_labelled is None else is_labelled
        if uses_labels and self.alpha < 1:
            total = torch.where(known, (1 - self.alpha) * own + self.alpha * by_teacher, total)
        base = (own * known).sum() / known.sum().clamp(min=1)
        return LossTerms(total.mean(), base, by_teacher.mean())

    def _mean(self, student: Tensor, teacher: Tensor) -> Tensor:
        """The teacher's term, the mean over the images."""
        if self.kind == "hard":
            return hard_distillation(student, teacher)
        if self.standardized:
            student, teacher = standardize(student), standardize(teacher)
        return soft_distillation(student, teacher, self.tau, self.reduction)

    def _each(self, student: Tensor, teacher: Tensor) -> Tensor:
        """The teacher's term of each image (B,)."""
        if self.kind == "hard":
            return F.cross_entropy(student, teacher.argmax(dim=-1), reduction="none")
        if self.standardized:
            student, teacher = standardize(student), standardize(teacher)
        divergence = _divergence(student, teacher, self.tau).sum(-1) * self.tau**2
        return divergence / student.shape[-1] if self.reduction == "numel" else divergence

    def _own(self, class_logits: Tensor, labels: Tensor) -> Tensor:
        """The cross-entropy of each image with its true label (B,); any number where it has none."""
        assert isinstance(self.base_criterion, nn.CrossEntropyLoss)
        smoothing = self.base_criterion.label_smoothing
        targets = labels.clamp(min=0)
        return F.cross_entropy(class_logits, targets, reduction="none", label_smoothing=smoothing)


class DistillationLoss(nn.Module):
    """(1 - alpha) * base criterion on the class head + alpha * the teacher's term on the distillation head.

    A model with a single output, such as a plain ViT, gets both terms on it: distillation without token. A DeiT must
    be in train mode, for in eval mode it has a single output too.

    Args:
        base_criterion: (class logits, labels) -> loss.
        teacher: inputs -> logits (B, K); put in eval mode here and kept out of this module's parameters.
        kind: "none" uses the base criterion alone; "soft" and "hard" add the teacher's term.
        alpha: weight of the teacher's term.
        tau: temperature of the soft term.
        reduction: of the soft term, as `soft_distillation` takes it.
        standardized: the soft term compares logits that are standardised, the student's and the teacher's.
    Raises: ValueError for an unknown kind or reduction, a missing teacher, or alpha and tau out of bounds.
    """

    def __init__(
        self,
        base_criterion: nn.Module,
        teacher: nn.Module | None,
        kind: Kind = "hard",
        alpha: float = 0.5,
        tau: float = 1.0,
        *,
        reduction: Reduction = "batchmean",
        standardized: bool = False,
    ) -> None:
        super().__init__()
        self.base_criterion = base_criterion
        self.terms = DistillationTerms(base_criterion, kind, alpha, tau, reduction, standardized=standardized)
        if kind != "none" and teacher is None:
            raise ValueError(f"{kind} distillation needs a teacher; give one, or choose kind none.")
        # In a plain tuple nn.Module does not see it: no .train(), no .parameters(), no state dict reaches the teacher.
        self._teacher: tuple[nn.Module, ...] = (teacher.eval(),) if teacher is not None and kind != "none" else ()

    def forward(self, inputs: Tensor, outputs: Tensor | tuple[Tensor, Tensor], labels: Tensor) -> Tensor:
        """The loss of one batch.

        Args:
            inputs: the teacher's input: the same views that gave `outputs`.
            outputs: the student's (class logits, distillation logits), each (B, K), as it returns them in training, or
                the logits of a model with a single output.
            labels: (B,), or the labels that the base criterion takes.
        """
        with torch.no_grad():
            teacher_logits = self._teacher[0](inputs) if self._teacher else None
        return self.terms(outputs, labels, teacher_logits).total


class HardDistillationLoss(DistillationLoss):
    """Half true labels, half the teacher's predicted classes: the loss that trained the published DeiT models."""

    def __init__(self, teacher: nn.Module, **options: Any) -> None:
        super().__init__(nn.CrossEntropyLoss(), teacher, "hard", **options)


class SoftDistillationLoss(DistillationLoss):
    """True labels and the teacher's softened distribution."""

    def __init__(self, teacher: nn.Module, alpha: float = 0.5, tau: float = 3.0, **options: Any) -> None:
        super().__init__(nn.CrossEntropyLoss(), teacher, "soft", alpha, tau, **options)
