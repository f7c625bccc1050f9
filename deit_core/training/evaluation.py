"""Loss and accuracy of a model over a split: of its output, and of each head where it has two."""

from collections.abc import Callable, Iterable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deit_core.data import Split, eval_batch_size, eval_batches
from deit_core.data.sources.progress import OnProgress, no_progress, with_progress
from deit_core.training.memory import with_smaller_batches
from deit_core.training.outputs import Outputs, Reader, outputs
from deit_core.training.ranks import ALONE, Ranks

_WORDS = {"val": "validation"}


def head_logits(model: nn.Module, inputs: Tensor, *, flip: bool = False) -> dict[str, Tensor]:
    """Logits (B, K) in eval mode: "mean" is the model's output, "class" and "distillation" its heads if it has two.

    "mean_softmax" then fuses the heads as the paper does, by the mean of their probabilities, where the published code
    and "mean" take the mean of their logits.

    Args: flip: each head's logits are the mean of those of the image and of its mirror image.
    """
    return _outputs(model, inputs, flip).heads


def _outputs(model: nn.Module, inputs: Tensor, flip: bool) -> Outputs:
    """The outputs of a model, its heads as `head_logits` gives them; all else is of the image itself."""
    own = outputs(model, inputs)
    heads = own.heads
    if flip:
        mirrored = outputs(model, inputs.flip(-1)).heads
        heads = {head: (logits + mirrored[head]) / 2 for head, logits in heads.items()}
    if "mean" not in heads:
        chances = torch.logaddexp(*(logits.log_softmax(-1) for logits in heads.values()))  # of both heads, times 2
        heads = {"mean": (heads["class"] + heads["distillation"]) / 2, **heads, "mean_softmax": chances}
    return own._replace(heads=heads)


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
    readers: Sequence[Reader] = (),
    on_progress: OnProgress = no_progress,
    ranks: Ranks = ALONE,
) -> dict[str, float]:
    """Mean loss (nats, without label smoothing) and accuracy over every image of `split`.

    Batches become smaller if the memory is too small; a training step with as few images may need less.

    Args:
        suffix: is appended to every name, so that this evaluation cannot be confused with the plain one.
        flip: each image's logits are the mean of its own and its mirror image's.
        readers: read what the model answers for each image.
        on_progress: called with the progress. What it raises ends the evaluation.
        ranks: who share the images, each once; readers see those of this rank.
    Returns: {prefix}_loss and {prefix}_accuracy of the output; with two heads the same again with _class,
    _distillation and _mean_softmax appended.
    """
    was_training = model.training
    model.eval()
    own = split if ranks.is_alone else split.part(ranks.part(len(split)))

    def score(batch_size: int) -> dict[str, float]:
        batches = eval_batches(own, device, batch_size)
        what = f"Scoring the {_WORDS.get(prefix, prefix)} images"
        batches = with_progress(batches, what, len(own), on_progress, piece=batch_size)
        return _sums(model, batches, normalize, device, flip, readers)

    sums = ranks.totals(with_smaller_batches(score, eval_batch_size(device)))
    model.train(was_training)
    return {f"{prefix}_{name}{suffix}": total / len(split) for name, total in sums.items()}


def _sums(
    model: nn.Module,
    batches: Iterable[tuple[Tensor, Tensor]],
    normalize: Callable[[Tensor], Tensor],
    device: torch.device,
    flip: bool,
    readers: Sequence[Reader],
) -> dict[str, float]:
    """Sums over all images of the loss and of correct predictions, by their names without prefix and suffix."""
    sums: dict[str, Tensor] = {}
    for reader in readers:
        reader.start()
    for pixels, labels in batches:
        found = _outputs(model, normalize(pixels), flip)
        for reader in readers:
            reader.read(found, labels)
        for head, logits in found.heads.items():
            end = "" if head == "mean" else f"_{head}"
            for name, value in (
                (f"loss{end}", F.cross_entropy(logits.float(), labels, reduction="sum")),
                (f"accuracy{end}", (logits.argmax(-1) == labels).sum()),
            ):
                sums[name] = sums.get(name, torch.zeros((), device=device)) + value
    return {name: total.item() for name, total in sums.items()}
