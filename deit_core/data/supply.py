"""The supply of images for batches: all of them in memory, or read from files a little ahead.

Both give exactly the same bytes, so later code does not know which of the two it was. Knows no views and no labels.

    N images, P places in an epoch's batches, B batch, C channels, S img_size, p padding
"""

from collections.abc import Iterator
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from deit_core.data.augment.crop_and_flip import pad
from deit_core.data.sending import on_device
from deit_core.data.sources.folder_images import FolderImages


class Supply(Protocol):
    """Gives the images of batches, with black around them."""

    def batches(self, places: Tensor, batch_size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """For each batch, images (M, C, S + 2p, S + 2p) uint8 and where among them its own are (B,), on the device.

        Args: places: (P,) on the CPU, the number of the image at each place.
        """
        ...


class Resident:
    """All images on the device, padded once."""

    def __init__(self, images: Tensor, padding: int, device: torch.device) -> None:
        self.padded, self._padding, self._device = pad(images, padding).to(device), padding, device

    def take(self, images: Tensor) -> None:
        """Give these images (N, C, S, S) from now on, from the same memory."""
        self.padded.copy_(pad(images, self._padding))

    def batches(self, places: Tensor, batch_size: int) -> Iterator[tuple[Tensor, Tensor]]:
        for indices in places.to(self._device).split(batch_size):
            yield self.padded, indices


class Streamed:
    """Images that are read from their files for each batch; each is read once, even if the batch shows it often."""

    def __init__(self, images: FolderImages, padding: int, device: torch.device) -> None:
        self._images, self._padding, self._device = images, padding, device

    def batches(self, places: Tensor, batch_size: int) -> Iterator[tuple[Tensor, Tensor]]:
        chosen = [np.unique(batch.numpy(), return_inverse=True) for batch in places.split(batch_size)]
        read = self._images.read_ahead(
            [numbers for numbers, _ in chosen], padding=self._padding, pinned=self._device.type == "cuda"
        )
        indices = (torch.from_numpy(members) for _, members in chosen)
        return on_device(zip(read, indices, strict=True), self._device)


def supply(images: Tensor | FolderImages, padding: int, device: torch.device) -> Supply:
    return Resident(images, padding, device) if isinstance(images, Tensor) else Streamed(images, padding, device)


def in_order(images: Tensor | FolderImages, batch_size: int) -> Iterator[Tensor]:
    """All images in pieces (B, C, S, S) of uint8 on the CPU, or where they are, the last one shorter."""
    if isinstance(images, Tensor):
        yield from images.split(batch_size)
    else:
        pieces = np.split(np.arange(len(images)), range(batch_size, len(images), batch_size))
        yield from images.read_ahead(pieces)
