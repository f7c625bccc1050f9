"""Late fusion of a DeiT's two tokens by one trained head: a linear map of both embeddings, concatenated or summed.

Knows a finished student and splits of data; nothing of how it was trained. evaluation.py does the fusions
without training: the means of the heads' logits and probabilities.

    N images, D embed_dim, K classes
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deit_core.data import Split, eval_batch_size, eval_batches
from deit_core.models import VisionTransformer
from deit_core.training.memory import with_smaller_batches

_FUSIONS: dict[str, Callable[[Tensor], Tensor]] = {  # (N, 2, D) -> (N, features)
    "concat_embeddings": lambda tokens: tokens.flatten(1),
    "sum_embeddings": lambda tokens: tokens.sum(1),
}


def evaluate_trained_fusion(
    model: VisionTransformer,
    train: Split,
    test: Split,
    normalize: Callable[[Tensor], Tensor],
    device: torch.device,
    prefix: str,
) -> dict[str, float]:
    """Fit one head for each fusion on `train`, with a frozen student and images without augmentation; evaluate it on
    `test`.

    Args: model: distilled, in eval mode, on the device.
    Returns: {prefix}_loss and {prefix}_accuracy with _concat_embeddings and _sum_embeddings appended.
    """
    known, labels = _embeddings(model, train, normalize, device)
    unknown, truth = _embeddings(model, test, normalize, device)
    metrics = {}
    for name, fuse in _FUSIONS.items():
        logits = fit_head(fuse(known), labels, model.num_classes)(fuse(unknown))
        metrics[f"{prefix}_loss_{name}"] = F.cross_entropy(logits, truth).item()
        metrics[f"{prefix}_accuracy_{name}"] = (logits.argmax(-1) == truth).float().mean().item()
    return metrics


def fit_head(features: Tensor, labels: Tensor, num_classes: int) -> nn.Linear:
    """Multinomial logistic regression of labels (N,) on features (N, F), with scikit-learn's default penalty (C = 1).

    It has one optimum, so it needs no random numbers.
    """
    head = nn.Linear(features.shape[1], num_classes, device=features.device)
    nn.init.zeros_(head.weight)
    nn.init.zeros_(head.bias)
    optimizer = torch.optim.LBFGS(head.parameters(), max_iter=500, tolerance_grad=1e-5, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = F.cross_entropy(head(features), labels) + head.weight.square().sum() / (2 * len(labels))
        loss.backward()
        return loss

    optimizer.step(closure)
    return head.requires_grad_(False)


@torch.no_grad()
def _embeddings(
    model: VisionTransformer, split: Split, normalize: Callable[[Tensor], Tensor], device: torch.device
) -> tuple[Tensor, Tensor]:
    """The class and the distillation token after the last norm, (N, 2, D), and the labels (N,)."""

    def embed(batch_size: int) -> tuple[Tensor, Tensor]:
        tokens, labels = [], []
        for pixels, truth in eval_batches(split, device, batch_size):
            tokens.append(model.forward_features(normalize(pixels))[0][:, :2].float())
            labels.append(truth)
        return torch.cat(tokens), torch.cat(labels)

    return with_smaller_batches(embed, eval_batch_size(device))
