"""How a classifier reads pixels, and what it tells apart: all that showing it pictures takes.

Knows numbers and names; no files, no models.
"""

from abc import ABC, abstractmethod

import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor

from deit_core.errors import CheckpointError


class Reading(BaseModel, ABC):
    """What a model needs beside its weights to be shown pictures.

    `mean` and `std` are per channel, of pixels in [0, 1]; `epoch` is the one the weights are from, 0 where none is
    known, and `metrics` are those of that epoch.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    classes: tuple[str, ...]
    in_chans: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    epoch: int
    metrics: dict[str, float] = {}

    @property
    @abstractmethod
    def name(self) -> str:
        """What the model is called in a sentence."""

    @property
    @abstractmethod
    def img_size(self) -> int:
        """The side of its images in pixels."""

    def normalise(self, images: Tensor) -> Tensor:
        """Images as the model was trained to read them: (B, C, height, width) uint8 -> float32, on the same device.

        Raises: ValueError for another layout, which would be read as another picture.
        """
        if images.dtype != torch.uint8 or images.ndim != 4 or images.shape[1] != self.in_chans:
            raise CheckpointError(
                f"{self.name!r} reads images as (B, {self.in_chans}, height, width) uint8, not "
                f"{tuple(images.shape)} {images.dtype}; fit_image makes such."
            )
        mean, std = (torch.tensor(values, device=images.device).view(-1, 1, 1) for values in (self.mean, self.std))
        return (images.float() / 255 - mean) / std

    def class_index(self, name: str) -> int:
        """Where a class stands in the model's logits. Raises: ValueError for a class that it does not know."""
        if name not in self.classes:
            shown = ", ".join(self.classes[:10]) + (" …" if len(self.classes) > 10 else "")
            raise CheckpointError(f"{self.name!r} knows no class {name!r}; choose one of {shown}.")
        return self.classes.index(name)


class FileReading(Reading):
    """Of a file that no run here has written.

    `assumed` says, in sentences, what no file says and was taken as it is published.
    """

    file: str
    side: int
    epoch: int = 0
    assumed: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.file

    @property
    def img_size(self) -> int:
        return self.side
