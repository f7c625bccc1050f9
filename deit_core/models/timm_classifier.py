"""timm's networks as classifiers of any images. Knows tensors and timm's networks; nothing of runs.

B batch, C channels
"""

from typing import Any

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
        """(B, C, height, width) -> the last features before they are pooled, (B, chans, gh, gw), as "last".

        Raises: DeitError for a network with other features, such as a transformer's tokens.
        """
        network: Any = self.network
        features = network.forward_features(self._adapted(x))
        if not isinstance(features, Tensor) or features.ndim != 4 or getattr(network, "output_fmt", "NCHW") != "NCHW":
            raise DeitError(
                f"Grad-CAM reads the rows and columns of a CNN's features, which timm's {self.name} has not; choose a "
                "CNN as the teacher to see its map."
            )
        return {"last": features}

    def forward_head(self, features: Tensor) -> Tensor:
        """The last features -> logits (B, classes)."""
        network: Any = self.network
        logits: Tensor = network.forward_head(features)
        return logits
