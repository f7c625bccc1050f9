"""Let a trained transformer look at images: its attention, and what each of its heads predicts.

Knows models and pixels; nothing of files, runs or pages, nor of what becomes of the attention (see rollout.py).

Shapes: L layers, B batch, H heads, N tokens = P prefix + gh * gw patches, C channels, S img_size, K classes
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from deit_core.errors import CheckpointError, DeitError
from deit_core.models import ModelCard, VisionTransformer

MAX_BYTES = 256 * 2**20  # of one look's attention


@dataclass(frozen=True, eq=False)
class Look:
    """What one pass of a model over a batch of images gives.

    attention: (L, B, H, N, N) after the softmax.
    logits: (B, K) by head: "mean" is the model's output; a DeiT has "class" and "distillation" beside it.
    num_prefix_tokens, grid_size: P and (gh, gw), as `rollout` asks for them.
    """

    attention: Tensor
    logits: dict[str, Tensor]
    num_prefix_tokens: int
    grid_size: tuple[int, int]

    def probabilities(self, image: int = 0) -> dict[str, NDArray[np.float32]]:
        """Probabilities (K,) of one image's classes, by head."""
        return {head: logits[image].softmax(-1).numpy() for head, logits in self.logits.items()}


@torch.no_grad()
def look(model: nn.Module, card: ModelCard, images: NDArray[Any] | Tensor) -> Look:
    """Show images to a model in eval mode, in float32, on the model's device.

    Args:
        model, card: of one checkpoint, from `load_checkpoint` and `read_card`.
        images: (B, C, S, S) uint8, as `fit_image` makes them; normalised here as the card says.
    Returns: a `Look`, on the CPU.
    Raises: ValueError for a model without attention, or images of another size than the model reads.
    """
    if not isinstance(model, VisionTransformer):
        raise DeitError(
            f"{card.spec.name!r} is a {type(model).__name__}, which has no attention to show; choose a ViT or a DeiT."
        )
    pixels = torch.as_tensor(images)
    expected = (model.in_chans, *model.img_size)
    if pixels.ndim != 4 or pixels.shape[1:] != expected:
        raise DeitError(
            f"{card.spec.name!r} reads images of shape {expected} in a batch, not {tuple(pixels.shape)}; "
            "fit_image cuts them to size."
        )
    num_bytes = 4 * model.depth * len(pixels) * model.num_heads * model.pos_embed.shape[1] ** 2
    if num_bytes > MAX_BYTES:
        raise DeitError(
            f"The attention of {card.spec.name!r} over {len(pixels)} image(s) takes {num_bytes / 2**20:.0f} MiB "
            f"and at most {MAX_BYTES // 2**20} MiB are shown; choose a model with larger patches, or fewer images."
        )
    weight = model.cls_token
    pixels = pixels.to(weight.device).float() / 255
    mean, std = (torch.tensor(values, device=weight.device).view(-1, 1, 1) for values in (card.mean, card.std))
    was_training = model.training
    tokens, attention = model.eval().forward_features((pixels - mean) / std, return_attention=True)
    heads = model.forward_heads(tokens)
    if not all(logits.isfinite().all() for logits in heads.values()):
        raise CheckpointError(
            f"The weights of {card.spec.name!r} are not finite numbers; choose an earlier epoch of the run."
        )
    model.train(was_training)
    logits = {"mean": torch.stack(list(heads.values())).mean(0)} | (heads if model.distilled else {})
    return Look(
        attention=torch.stack(attention).cpu(),
        logits={head: values.cpu() for head, values in logits.items()},
        num_prefix_tokens=model.num_prefix_tokens,
        grid_size=model.grid_size,
    )
