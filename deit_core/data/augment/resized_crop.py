"""Random resized crop: a view shows a part of an image, enlarged to the whole. Knows pixels; nothing of files.

Images are already of a run's size when they are cropped, so a small part is enlarged from few pixels; the original cuts
it out of the file.

    V views drawn for an epoch, B batch, C channels, S img_size

Source: Szegedy et al. 2015 (arXiv:1409.4842), with the bounds of torchvision's RandomResizedCrop.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from deit_core.randomness import Purpose, counter_seed

_RATIO = (3 / 4, 4 / 3)  # of width to height


def draw_regions(num_views: int, smallest: float, seed: int, epoch: int) -> Tensor:
    """A region (V, 4) for each view: top, left, height and width, as shares of the image's side.

    Args: smallest: share of the image's area; a region's is uniform from there to 1, among those that fit.
    """
    generator = torch.Generator().manual_seed(counter_seed(seed, epoch, Purpose.RESIZED_CROP))

    def uniform(low: float, high: float, count: int) -> Tensor:
        return torch.empty(count).uniform_(low, high, generator=generator)

    height, width = torch.full((num_views,), 2.0), torch.full((num_views,), 2.0)
    while len(missing := ((height > 1) | (width > 1)).nonzero()[:, 0]):
        area = uniform(smallest, 1.0, len(missing))
        ratio = uniform(math.log(_RATIO[0]), math.log(_RATIO[1]), len(missing)).exp()
        height[missing], width[missing] = (area / ratio).sqrt(), (area * ratio).sqrt()
    top, left = (torch.rand(num_views, generator=generator) * (1 - side) for side in (height, width))
    return torch.stack([top, left, height, width], dim=1)


def in_pixels(regions: Tensor, img_size: int) -> Tensor:
    """Regions (V, 4) in whole pixels."""
    sides = (regions[:, 2:] * img_size).round().clamp(1, img_size)
    corners = (regions[:, :2] * img_size).round().minimum(img_size - sides)
    return torch.cat([corners, sides], dim=1).long()


def resized_crop(images: Tensor, regions: Tensor) -> Tensor:
    """Enlarge the regions (B, 4) of uint8 images (B, C, S, S) to the whole, bicubic -> uint8 (B, C, S, S)."""
    top, left, height, width = regions.to(images.device).unbind(1)
    zero = torch.zeros_like(top)
    rows = torch.stack([width, zero, 2 * left + width - 1]), torch.stack([zero, height, 2 * top + height - 1])
    grid = F.affine_grid(torch.stack(rows).permute(2, 0, 1), list(images.shape), align_corners=False)  # B S S 2
    enlarged = F.grid_sample(images.float(), grid, mode="bicubic", padding_mode="border", align_corners=False)
    return enlarged.round_().clamp_(0, 255).to(torch.uint8)
