"""How a classifier reads pixels, and its classes: all that is needed to show it pictures.

Knows numbers and names; no files, no models.
"""

from abc import ABC, abstractmethod

import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor

from deit_core.catalog.pixel_versions import FIRST_PIXELS, PixelVersion
from deit_core.errors import CheckpointError


class Reading(BaseModel, ABC):
    """All that is needed to show pictures to a model, besides its weights.

    `mean` and `std` are per channel, of pixels in [0, 1]; `epoch` is the one the weights are from, 0 where none is
    known, and `metrics` are those of that epoch. `pixel_version` says how it reads image files.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    classes: tuple[str, ...]
    in_chans: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    epoch: int
    metrics: dict[str, float] = {}
    pixel_version: PixelVersion = FIRST_PIXELS

    @property
    @abstractmethod
    def name(self) -> str:
        """The name of the model in messages."""

    @property
    @abstractmethod
    def img_size(self) -> int:
        """The side of its images in pixels."""

    def normalise(self, images: Tensor) -> Tensor:
        """Images as the model was trained to read them: (B, C, height, width) uint8 -> float32, on the same device.

        Raises: ValueError for another layout, which would give another picture.
        """
        if images.dtype != torch.uint8 or images.ndim != 4 or images.shape[1] != self.in_chans:
            raise CheckpointError(
                f"{self.name!r} reads images as (B, {self.in_chans}, height, width) uint8, not "
                f"{tuple(images.shape)} {images.dtype}; use fit_image."
            )
        mean, std = (torch.tensor(values, device=images.device).view(-1, 1, 1) for values in (self.mean, self.std))
        return (images.float() / 255 - mean) / std

    def class_index(self, name: str) -> int:
        """The index of a class in the model's logits. Raises: ValueError for an unknown class."""
        if name not in self.classes:
            shown = ", ".join(self.classes[:10]) + (" …" if len(self.classes) > 10 else "")
            raise CheckpointError(f"{self.name!r} has no class {name!r}; choose one of {shown}.")
        return self.classes.index(name)


class FileReading(Reading):
    """The reading of a foreign file.

    `assumed` are sentences on facts that no file states, for which published values are used.
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
