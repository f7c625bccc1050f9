"""Let a trained transformer look at images: its attention, and what each of its heads predicts.

Knows models and pixels; nothing of files, runs or pages, nor of what becomes of the attention (see rollout.py).

Shapes: L layers, B batch, H heads, N tokens = P prefix + gh * gw patches, C channels, S img_size, K classes
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from deit_core.attention.flow.fusion import HeadFusion
from deit_core.attention.flow.options import Sizes
from deit_core.attention.flow.prepared import PreparedRollout
from deit_core.attention.flow.query import Query, read_by
from deit_core.attention.flow.rollout import Rollout, rollout
from deit_core.attention.methods.explain import check_logits, to_model, to_transformer
from deit_core.attention.other_model import OtherModel
from deit_core.errors import DeitError
from deit_core.models import Reading
from deit_core.models.vit import mean_of_heads

MAX_BYTES = 256 * 2**20  # of one look's attention


@dataclass(frozen=True, eq=False)
class Look:
    """What one pass of a model over a batch of images gives.

    attention: (L, B, H, N, N) after the softmax.
    logits: (B, K) by head: "mean" is the model's output; a DeiT has "class" and "distillation" too, a backbone none.
    num_prefix_tokens, grid_size: P and (gh, gw), as `rollout` asks for them.
    shares: (N,) by head, the weights of the tokens that it reads; where there are none, `query_weights` goes by P.
    skip_connections: whether the model has them. Without, nothing passes a layer but by attention, so the residual of
        every rollout is 0, even if another is asked for.
    """

    attention: Tensor
    logits: dict[str, Tensor]
    num_prefix_tokens: int
    grid_size: tuple[int, int]
    shares: Mapping[str, Tensor] = field(default_factory=dict)
    skip_connections: bool = True

    @property
    def sizes(self) -> Sizes:
        return Sizes(len(self.attention), self.attention.shape[2], self.num_prefix_tokens, self.grid_size)

    @property
    def num_bytes(self) -> int:
        """Of the attention, beside which everything else is small."""
        return self.attention.nbytes

    def probabilities(self, image: int = 0) -> dict[str, NDArray[np.float32]]:
        """Probabilities (K,) of one image's classes, by head."""
        return {head: logits[image].softmax(-1).numpy() for head, logits in self.logits.items()}

    def query(self, query: Query = "head") -> Query:
        """A query of `rollout`, a head's name by the tokens that this model's heads read.

        Raises: DeitError for a distillation token that the model does not have.
        """
        return read_by(query, self.shares) if self.shares else query

    def rollout(self, *, query: Query = "head", **options: Any) -> Rollout:
        """The rollout of each image.

        Args: as in `rollout`.
        Raises: ValueError, as `rollout`.
        """
        return rollout(
            self.attention,
            num_prefix_tokens=self.num_prefix_tokens,
            grid_size=self.grid_size,
            query=self.query(query),
            **(options if self.skip_connections else options | {"residual": 0.0}),
        )

    def prepare(self, *, head_fusion: HeadFusion = "mean", scope: str = "matrix") -> PreparedRollout:
        """The first image made ready for many rollouts.

        Args: as in `rollout`.
        Raises: ValueError, as `rollout`.
        """
        return PreparedRollout(
            self.attention,
            num_prefix_tokens=self.num_prefix_tokens,
            grid_size=self.grid_size,
            head_fusion=head_fusion,
            scope=scope,
            skip_connections=self.skip_connections,
        )


@torch.no_grad()
def look(model: nn.Module, card: Reading, images: NDArray[Any] | Tensor) -> Look:
    """Show images to a model, on its device.

    Args:
        model, card: of one checkpoint, such as from `load_checkpoint` and `read_card`; the model in eval mode.
        images: (B, C, S, S) uint8, as `fit_image` makes them; normalised here as the card says.
    Returns: a `Look`, on the CPU.
    Raises: ValueError for a model without attention or in train mode, images of another size than it reads, attention
        of more than `MAX_BYTES`, or an output that is not finite.
    """
    if isinstance(model, OtherModel):
        return _look_of_other(model, card, to_model(model, card.normalise(torch.as_tensor(images))))
    vit, pixels = to_transformer(model, card.normalise(torch.as_tensor(images)))
    num_bytes = 4 * vit.depth * len(pixels) * vit.num_heads * (vit.num_prefix_tokens + vit.num_patches) ** 2
    if num_bytes > MAX_BYTES:
        raise DeitError(
            f"The attention of {card.name!r} over {len(pixels)} image(s) takes {num_bytes / 2**20:.0f} MiB "
            f"and at most {MAX_BYTES // 2**20} MiB are shown; choose a model with larger patches, or fewer images, or "
            "load a foreign file for smaller images (img_size)."
        )
    tokens, attention = vit.forward_features(pixels, return_attention=True)
    logits = vit.forward_heads(tokens)
    if logits:  # a backbone has none
        output = mean_of_heads(logits)
        check_logits(output)
        logits = {"mean": output} | (logits if vit.distilled else {})
    return Look(
        attention=torch.stack(attention).cpu(),
        logits={head: values.cpu() for head, values in logits.items()},
        num_prefix_tokens=vit.num_prefix_tokens,
        grid_size=vit.grid_size,
        shares=vit.shares_read(),
        skip_connections=vit.skip_connections,
    )


def _look_of_other(model: OtherModel, card: Reading, pixels: Tensor) -> Look:
    seen = model.see(pixels, card.name, MAX_BYTES)
    if seen.logits is not None:
        check_logits(seen.logits)
    return Look(
        attention=torch.stack(seen.attention).cpu(),
        logits={} if seen.logits is None else {"mean": seen.logits.cpu()},
        num_prefix_tokens=seen.num_prefix_tokens,
        grid_size=seen.grid_size,
        shares={"class": seen.share_read},
    )
