"""torchvision's CNNs as classifiers of any images: with a new head, frozen or not, and adapted input.

Knows tensors and torchvision's networks; nothing of runs.

    B batch, C channels
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self
from urllib.error import URLError

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deit_core.catalog import IMAGENET_MEAN, IMAGENET_STD
from deit_core.errors import CheckpointError
from deit_core.torchvision_ops import torchvision


class TorchvisionClassifier(nn.Module):
    """(B, C, height, width) -> logits (B, classes), by a network of torchvision's whose head `fc` is a new one.

    The network, `network`, reads three channels: of other images it sees the channels' mean three times, so a grey
    image is repeated.

    Args:
        name: torchvision's, of a network whose head is called `fc`: its ResNets and RegNets.
        input_size: images are resized to this height and width; None leaves them as they are.
        normalises: the images are pixels in [0, 1], and are normalised here as ImageNet's; else they already are.
        freeze_backbone: only the head learns. Everything else gets no gradient and stays in eval mode, so the running
            statistics of its batch norms stay as they are.
    """

    mean: Tensor
    std: Tensor

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
        super().__init__()
        self.name, self.in_chans, self.num_classes = name, in_chans, num_classes
        self.input_size, self.normalises, self.freeze_backbone = input_size, normalises, freeze_backbone
        self.network: nn.Module = torchvision.models.get_model(name, weights=None, num_classes=num_classes)
        if freeze_backbone:
            self.network.requires_grad_(False)
            self.network.get_submodule("fc").requires_grad_(True)
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(-1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(IMAGENET_STD).view(-1, 1, 1), persistent=False)
        self.train()

    def train(self, mode: bool = True) -> Self:
        super().train(mode)
        if self.freeze_backbone:
            for name, part in self.network.named_children():
                part.train(mode and name == "fc")
        return self

    def read_pixels(self, mean: Sequence[float], std: Sequence[float], *, in_chans: int) -> None:
        """From now on images are pixels in [0, 1] with `in_chans` channels; they are normalised in three channels."""
        self.in_chans, self.normalises = in_chans, True
        for own, values in ((self.mean, mean), (self.std, std)):
            own.copy_(torch.tensor(values).view(-1, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.network(self._adapted(x))
        return logits

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
        logits: Tensor = self.network.get_submodule("fc")(embedding)
        return logits

    def forward_head(self, features: Tensor) -> Tensor:
        """The last features -> logits (B, classes)."""
        return self.classify(self._pooled(features))

    def _pooled(self, features: Tensor) -> Tensor:
        pooled: Tensor = self.network.get_submodule("avgpool")(features)
        return pooled.flatten(1)

    def _adapted(self, x: Tensor) -> Tensor:
        """The images as the network reads them."""
        if self.input_size is not None and x.shape[-2:] != (self.input_size, self.input_size):
            x = F.interpolate(x, (self.input_size, self.input_size), mode="bilinear", antialias=True)
        if self.in_chans != 3:
            x = x.mean(dim=1, keepdim=True).expand(-1, 3, -1, -1)
        if self.normalises:
            x = (x - self.mean) / self.std
        return x


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
