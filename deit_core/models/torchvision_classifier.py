"""torchvision's CNNs as classifiers of any images, and the weights that torchvision publishes for them.

Knows tensors and torchvision's networks; nothing of runs.

    B batch, C channels
"""

from pathlib import Path
from typing import Any
from urllib.error import URLError

import torch
from torch import Tensor

from deit_core.errors import CheckpointError
from deit_core.models.adapted_classifier import AdaptedClassifier
from deit_core.torchvision_ops import torchvision

_HEAD = "fc"


class TorchvisionClassifier(AdaptedClassifier):
    """A network of torchvision's whose head `fc` is a new one: see `AdaptedClassifier`.

    Args:
        name: torchvision's, of a network whose head is called `fc`: its ResNets and RegNets.
        normalises: the images are pixels in [0, 1], and are normalised here as ImageNet's; else they already are.
    """

    def __init__(
        self,
        name: str,
        *,
        in_chans: int = 3,
        num_classes: int = 1000,
        input_size: int | None = None,
        normalises: bool = False,
        freeze_backbone: bool = False,
    ) -> None:
        super().__init__(
            torchvision.models.get_model(name, weights=None, num_classes=num_classes),
            name,
            (_HEAD,),
            in_chans=in_chans,
            num_classes=num_classes,
            input_size=input_size,
            normalises=normalises,
            freeze_backbone=freeze_backbone,
        )

    def forward_stages(self, x: Tensor) -> dict[str, Tensor]:
        """(B, C, height, width) -> the last features before they are pooled, (B, chans, gh, gw), as "last"."""
        features = self._adapted(x)
        for name, part in self.network.named_children():
            if name == "avgpool":
                break
            features = part(features)
        return {"last": features}

    def forward_embedding(self, x: Tensor) -> Tensor:
        """(B, C, height, width) -> what `classify` reads, (B, chans)."""
        return self._pooled(self.forward_stages(x)["last"])

    def classify(self, embedding: Tensor) -> Tensor:
        """An embedding -> logits (B, classes)."""
        logits: Tensor = self.network.get_submodule(_HEAD)(embedding)
        return logits

    def forward_head(self, features: Tensor) -> Tensor:
        """The last features -> logits (B, classes)."""
        return self.classify(self._pooled(features))

    def _pooled(self, features: Tensor) -> Tensor:
        pooled: Tensor = self.network.get_submodule("avgpool")(features)
        return pooled.flatten(1)


def imagenet_weights(name: str) -> dict[str, Any]:
    """torchvision's newest ImageNet weights of a network, from its cache or its download.

    Raises: CheckpointError, one sentence that says what to do, where neither is available.
    """
    weights = torchvision.models.get_model_weights(name).DEFAULT
    cache = Path(torch.hub.get_dir()) / "checkpoints"
    file_name = weights.url.rpartition("/")[2]
    try:
        state: dict[str, Any] = weights.get_state_dict(progress=False, check_hash=True, weights_only=True)
    except (URLError, OSError) as error:
        raise CheckpointError(
            f"The ImageNet weights of {name} are not on this machine and cannot be downloaded ({error}); download "
            f"{weights.url} elsewhere and put it in {cache}, name the file as initial_checkpoint, or set "
            "model.pretrained to off."
        ) from None
    except Exception as error:  # a damaged download can raise anything
        raise CheckpointError(
            f"{cache / file_name} is damaged ({type(error).__name__}); delete it, so that it is downloaded again."
        ) from error
    return state
