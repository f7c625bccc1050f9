"""A network of another library as a classifier of any images: with a new head, frozen or not, and adapted input.

Knows tensors and networks; nothing of runs, or of where a network comes from.

    B batch, C channels
"""

from collections.abc import Sequence
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deit_core.catalog import IMAGENET_MEAN, IMAGENET_STD


class AdaptedClassifier(nn.Module):
    """(B, C, height, width) -> logits (B, classes), by a network of another library whose heads are new.

    The network, `network`, reads three channels: of other images it sees the channels' mean three times, so a grey
    image is repeated.

    Args:
        name: the network's, in its library.
        heads: the names of the network's modules that give the logits.
        input_size: images are resized to this height and width; None leaves them as they are.
        normalises: the images are pixels in [0, 1], and are normalised here; else they already are.
        mean, std: of each of the three channels; they are a part of the weights where `keeps_pixels`.
        freeze_backbone: only the heads learn. Everything else gets no gradient and stays in eval mode, so the running
            statistics of its batch norms stay as they are.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        network: nn.Module,
        name: str,
        heads: tuple[str, ...],
        *,
        in_chans: int,
        num_classes: int,
        input_size: int | None,
        normalises: bool,
        freeze_backbone: bool,
        mean: Sequence[float] = IMAGENET_MEAN,
        std: Sequence[float] = IMAGENET_STD,
        keeps_pixels: bool = False,
    ) -> None:
        super().__init__()
        self.name, self.heads, self.in_chans, self.num_classes = name, heads, in_chans, num_classes
        self.input_size, self.normalises, self.freeze_backbone = input_size, normalises, freeze_backbone
        self.network = network
        if freeze_backbone:
            network.requires_grad_(False)
            for head in heads:
                network.get_submodule(head).requires_grad_(True)
        self.register_buffer("mean", torch.tensor(mean).view(-1, 1, 1), persistent=keeps_pixels)
        self.register_buffer("std", torch.tensor(std).view(-1, 1, 1), persistent=keeps_pixels)
        self.train()

    def train(self, mode: bool = True) -> Self:
        super().train(mode)
        if self.freeze_backbone:
            self.network.eval()
            for head in self.heads:
                self.network.get_submodule(head).train(mode)
        return self

    def read_pixels(self, mean: Sequence[float], std: Sequence[float], *, in_chans: int) -> None:
        """From now on images are pixels in [0, 1] with `in_chans` channels; they are normalised in three channels."""
        self.in_chans, self.normalises = in_chans, True
        for own, values in ((self.mean, mean), (self.std, std)):
            own.copy_(torch.tensor(values).view(-1, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.network(self._adapted(x))
        return logits

    def _adapted(self, x: Tensor) -> Tensor:
        """The images as the network reads them."""
        if self.input_size is not None and x.shape[-2:] != (self.input_size, self.input_size):
            x = F.interpolate(x, (self.input_size, self.input_size), mode="bilinear", antialias=True)
        if self.in_chans != 3:
            x = x.mean(dim=1, keepdim=True).expand(-1, 3, -1, -1)
        if self.normalises:
            x = (x - self.mean) / self.std
        return x
