"""timm's networks as classifiers of any images. Knows tensors and timm's networks; nothing of runs.

B batch, C channels, N tokens = prefix + gh x gw patches, D width
"""

from typing import Any

import torch
from torch import Tensor

from deit_core.errors import DeitError
from deit_core.models.adapted_classifier import AdaptedClassifier


class TimmClassifier(AdaptedClassifier):
    """A network of timm's whose heads are new: see `AdaptedClassifier`.

    It reads pixels in [0, 1] and normalises them as timm publishes it, or as `read_pixels` says; either is a part of
    the weights.

    Args: name: timm's, of a classifier. Raises: SpecError where timm has none of that name, or is not installed.
    """

    def __init__(
        self,
        name: str,
        *,
        in_chans: int = 3,
        num_classes: int = 1000,
        input_size: int | None = None,
        freeze_backbone: bool = False,
    ) -> None:
        from deit_core.timm_ops import create_network, facts_of, head_names  # loads timm

        facts = facts_of(name)
        super().__init__(
            create_network(name, num_classes),
            name,
            head_names(name),
            in_chans=in_chans,
            num_classes=num_classes,
            input_size=input_size,
            normalises=True,
            freeze_backbone=freeze_backbone,
            mean=facts.mean,
            std=facts.std,
            keeps_pixels=True,
        )

    def forward_stages(self, x: Tensor) -> dict[str, Tensor]:
        """(B, C, height, width) -> as "last" the features before they are pooled, (B, chans, gh, gw); of a ViT the
        tokens before its last block, (B, N, D), since after it the class head reads no patch.

        Raises: DeitError for a network with other features, such as tokens in windows.
        """
        network: Any = self.network
        if self._is_vit:
            place = len(network.blocks) - 2
            ((patches, prefix),) = network.forward_intermediates(
                self._adapted(x), [place], True, stop_early=True, output_fmt="NLC", intermediates_only=True
            )
            return {"last": torch.cat([prefix, patches], 1)}
        features = network.forward_features(self._adapted(x))
        if not isinstance(features, Tensor) or features.ndim != 4 or getattr(network, "output_fmt", "NCHW") != "NCHW":
            raise DeitError(
                f"Grad-CAM needs features in rows and columns, or the tokens of a ViT, and timm's {self.name} has "
                "neither; with another teacher there is a map."
            )
        return {"last": features}

    def forward_head(self, features: Tensor) -> Tensor:
        """What `forward_stages` gives -> logits (B, classes)."""
        network: Any = self.network
        if self._is_vit:
            features = network.norm(network.blocks[-1](features))
        logits: Tensor = network.forward_head(features)
        return logits

    def patches(self, tokens: Tensor) -> Tensor:
        """The patches among a ViT's tokens (B, N, D) in rows and columns, (B, D, gh, gw)."""
        network: Any = self.network
        patches: Tensor = tokens[:, network.num_prefix_tokens :].mT.unflatten(-1, network.patch_embed.grid_size)
        return patches

    @property
    def _is_vit(self) -> bool:
        from deit_core.timm_ops import VisionTransformer  # loads timm

        return isinstance(self.network, VisionTransformer)
