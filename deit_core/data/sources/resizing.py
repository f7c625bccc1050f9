"""Square images of another size."""

import torch
import torch.nn.functional as F
from torch import Tensor


def resize(images: Tensor, img_size: int) -> Tensor:
    """Resize uint8 images (N, C, height, width) to (N, C, img_size, img_size), smoothly, within 0..255."""
    if images.shape[-2:] == (img_size, img_size):
        return images
    resized = F.interpolate(images.float(), (img_size, img_size), mode="bilinear", antialias=True)
    return resized.round_().to(torch.uint8)
