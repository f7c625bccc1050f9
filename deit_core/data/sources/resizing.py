"""Square images of another size."""

import torch
import torch.nn.functional as F
from torch import Tensor

from deit_core.catalog.pixel_versions import FIRST_PIXELS, PixelVersion

_AT_ONCE = 1024  # images: as floats they take four times the memory


def resize(images: Tensor, img_size: int, version: PixelVersion = FIRST_PIXELS) -> Tensor:
    """Resize uint8 images (N, C, height, width) to (N, C, img_size, img_size), smoothly, within 0..255.

    The first version computes in floats and rounds at the end; later ones round in between, to at most one level more
    or less.
    """
    if images.shape[-2:] == (img_size, img_size):
        return images
    if version != FIRST_PIXELS:
        return F.interpolate(images, (img_size, img_size), mode="bilinear", antialias=True)
    resized = torch.empty(*images.shape[:2], img_size, img_size, dtype=torch.uint8, device=images.device)
    for piece, whole in zip(images.split(_AT_ONCE), resized.split(_AT_ONCE), strict=True):
        floats = F.interpolate(piece.float(), (img_size, img_size), mode="bilinear", antialias=True)
        whole.copy_(floats.round_())
    return resized
