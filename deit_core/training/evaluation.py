"""Loss and accuracy of a model over a split: of its output, and of each head where it has two."""

from collections.abc import Callable, Iterable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deit_core.data import Split, eval_batch_size, eval_batches
from deit_core.models import VisionTransformer
from deit_core.training.memory import with_smaller_batches


def head_logits(model: nn.Module, inputs: Tensor, *, flip: bool = False) -> dict[str, Tensor]:
    """Logits (B, K) in eval mode: "mean" is the model's output, "class" and "distillation" its heads if it has two.

    "mean_softmax" then fuses the heads as the paper does, by the mean of their probabilities, where the published code
    and "mean" take the mean of their logits.

    Args: flip: each head's logits are the mean of those of the image and of its mirror image.
    """
    heads = _heads(model, inputs)
    if flip:
        mirrored = _heads(model, inputs.flip(-1))
        heads = {head: (logits + mirrored[head]) / 2 for head, logits in heads.items()}
    if "mean" in heads:
        return heads
    chances = torch.logaddexp(*(logits.log_softmax(-1) for logits in heads.values()))  # of both heads, times 2
    return {"mean": (heads["class"] + heads["distillation"]) / 2, **heads, "mean_softmax": chances}


def _heads(model: nn.Module, inputs: Tensor) -> dict[str, Tensor]:
    if not isinstance(model, VisionTransformer) or not model.distilled:
        return {"mean": model(inputs)}
    tokens, _ = model.forward_features(inputs)
    return model.forward_heads(tokens)


@torch.no_grad()
def evaluate(
    model: nn.Module,
    split: Split,
    normalize: Callable[[Tensor], Tensor],
    device: torch.device,
    prefix: str,
    *,
    suffix: str = "",
    flip: bool = False,
) -> dict[str, float]:
    """Mean loss (nats, without label smoothing) and accuracy over every image of `split`.

    Batches become smaller if the memory is too small; a training step with as few images may need less.

    Args:
        suffix: is appended to every name, so that this evaluation cannot be confused with the plain one.
        flip: each image's logits are the mean of its own and its mirror image's.
    Returns: {prefix}_loss and {prefix}_accuracy of the output; with two heads the same again with _class,
    _distillation and _mean_softmax appended.
    """
    was_training = model.training
    model.eval()
    sums = with_smaller_batches(
        lambda batch_size: _sums(model, eval_batches(split, device, batch_size), normalize, device, flip),
        eval_batch_size(device),
    )
    model.train(was_training)
    return {f"{prefix}_{name}{suffix}": total / len(split) for name, total in sums.items()}


def _sums(
    model: nn.Module,
    batches: Iterable[tuple[Tensor, Tensor]],
    normalize: Callable[[Tensor], Tensor],
    device: torch.device,
    flip: bool,
) -> dict[str, float]:
    """Sums over all images of the loss and of correct predictions, by their names without prefix and suffix."""
    sums: dict[str, Tensor] = {}
    for pixels, labels in batches:
        heads = head_logits(model, normalize(pixels), flip=flip)
        for head, logits in heads.items():
            end = "" if head == "mean" else f"_{head}"
            for name, value in (
                (f"loss{end}", F.cross_entropy(logits.float(), labels, reduction="sum")),
                (f"accuracy{end}", (logits.argmax(-1) == labels).sum()),
            ):
                sums[name] = sums.get(name, torch.zeros((), device=device)) + value
    return {name: total.item() for name, total in sums.items()}
