"""Views of a whole batch at once, by operations of torch: for a GPU, which never waits for the host here.

No shape depends on data, nothing is read back, and everything is on the device already, so that the steps can be
recorded and repeated. Gives what `one_image` gives: the same bits, except for the last of the 256 levels where numbers
between two levels are rounded. Knows tensors; no draws.

    B batch, C channels, S img_size
"""

from collections.abc import Collection, Iterator

import torch
from torch import Tensor

from deit_core.data.augment.operations import (
    UNIT_BITS,
    Kind,
    blended,
    equalized,
    posterized,
    solarized,
    stretched,
)

_CUBIC = -0.75  # as in OpenCV and torch
_LUMA, _LUMA_BITS = (9798, 19235, 3735), 15  # of red, green and blue, as whole numbers like OpenCV's


def enlarged(images: Tensor, regions: Tensor) -> Tensor:
    """Regions (B, 4) of images (B, C, S, S) uint8, in pixels top, left, height and width, enlarged to the whole."""
    size = images.shape[-1]
    top, left, height, width = regions.unbind(1)
    rows, columns = _weights(top, height, size)[:, None], _weights(left, width, size)[:, None]
    return _to_levels(rows @ images.float() @ columns.mT)


def _weights(first: Tensor, length: Tensor, size: int) -> Tensor:
    """How much each pixel of a line (B, S in) adds to each of the enlarged one: (B, S out, S in), bicubic."""
    span = torch.arange(size, device=first.device)
    place = (span + 0.5) * (length / size)[:, None] - 0.5  # B S
    before = place.floor()
    weights = torch.zeros(len(first), size, size, device=first.device)
    for offset in (-1, 0, 1, 2):
        distance = (before + offset - place).abs()
        near = ((_CUBIC + 2) * distance - (_CUBIC + 3)) * distance**2 + 1
        far = ((_CUBIC * distance - 5 * _CUBIC) * distance + 8 * _CUBIC) * distance - 4 * _CUBIC
        pixel = torch.minimum((before + offset).clamp(min=0), (length - 1)[:, None]) + first[:, None]  # B S
        weights += torch.where(distance <= 1, near, far)[..., None] * (pixel[..., None] == span)
    return weights


def warped(images: Tensor, matrices: Tensor) -> Tensor:
    """Images (B, C, S, S) by their matrices (B, 6) of `operations`: each pixel from its place, black from outside."""
    size = images.shape[-1]
    span = torch.arange(size, device=images.device)
    m = matrices[:, :, None, None]
    x = (m[:, 0] * span + m[:, 1] * span[:, None] + m[:, 2]) >> UNIT_BITS  # B S S
    y = (m[:, 3] * span + m[:, 4] * span[:, None] + m[:, 5]) >> UNIT_BITS
    is_inside = (x >= 0) & (x < size) & (y >= 0) & (y < size)
    places = (y.clamp(0, size - 1) * size + x.clamp(0, size - 1)).flatten(1)[:, None].expand(-1, images.shape[1], -1)
    return images.flatten(2).gather(2, places).view_as(images) * is_inside[:, None]


def recoloured(images: Tensor, kinds: Tensor, values: Tensor, possible: Collection[Kind] = tuple(Kind)) -> Tensor:
    """Images (B, C, S, S), each after the operation on its colours with its kind (B,) and value (B,); others stay.

    Args: possible: no other kinds than these occur; what only others need is not computed.
    """
    flat = images.flatten(2).long()
    tables = torch.arange(256, device=images.device, dtype=torch.float32).expand(*images.shape[:2], -1)
    for kind, table in _tables(images, flat, tables, values[:, None, None], possible):
        tables = torch.where(kinds[:, None, None] == kind, table, tables)
    changed = tables.gather(2, flat).view_as(images).to(torch.uint8)
    kinds, factors = kinds[:, None, None, None], values[:, None, None, None]
    if Kind.SATURATION in possible:
        saturated = blended(images.float(), _grey(images), factors).to(torch.uint8)
        changed = torch.where(kinds == Kind.SATURATION, saturated, changed)
    if Kind.SHARPNESS in possible:
        changed = torch.where(kinds == Kind.SHARPNESS, _sharpened(images, factors), changed)
    return changed


def _tables(
    images: Tensor, flat: Tensor, levels: Tensor, value: Tensor, possible: Collection[Kind]
) -> Iterator[tuple[Kind, Tensor]]:
    """A table (B, C, 256) for every image and each possible kind of operation that has one."""
    if Kind.BRIGHTNESS in possible:
        yield Kind.BRIGHTNESS, blended(levels, 0, value)
    if Kind.CONTRAST in possible:
        grey = _grey(images)
        mean = (grey.sum((-3, -2, -1)).double() / grey[0].numel()).float()[:, None, None]
        yield Kind.CONTRAST, blended(levels, mean, value)
    if Kind.POSTERIZE in possible:
        yield Kind.POSTERIZE, posterized(levels, 2 ** (8 - value))
    if Kind.SOLARIZE in possible:
        yield Kind.SOLARIZE, solarized(levels, value)
    lowest, highest = (extreme(-1, keepdim=True) for extreme in (flat.amin, flat.amax))
    if Kind.AUTO_CONTRAST in possible:
        yield Kind.AUTO_CONTRAST, stretched(levels, lowest.float(), highest.float())
    if Kind.EQUALIZE in possible:
        one = torch.ones((), device=images.device, dtype=torch.int64)
        counts = torch.zeros_like(levels, dtype=torch.int64).scatter_add_(2, flat, one.expand_as(flat))
        yield Kind.EQUALIZE, equalized(counts, counts.gather(2, highest)).float()


def erased(images: Tensor, boxes: Tensor, noise: Tensor, windows: Tensor) -> Tensor:
    """Images (B, C, S, S), each with its box (B, 4) filled from the noise, in a window that starts at (B, 2)."""
    span = torch.arange(images.shape[-1], device=images.device)
    top, bottom, left, right = boxes[:, :, None].unbind(1)
    is_inside = ((span >= top) & (span < bottom))[:, :, None] & ((span >= left) & (span < right))[:, None, :]
    rows, columns = windows[:, 0, None] + span, windows[:, 1, None] + span
    filling = noise[: images.shape[1], rows[:, :, None], columns[:, None, :]].transpose(0, 1)
    return torch.where(is_inside[:, None], filling, images)


def _grey(images: Tensor) -> Tensor:
    """(B, 1, S, S), whole numbers."""
    channels = images.int().unbind(1)
    if len(channels) == 1:
        return channels[0][:, None]
    red, green, blue = (channel * share for channel, share in zip(channels, _LUMA, strict=True))
    grey: Tensor = (red + green + blue + 2 ** (_LUMA_BITS - 1)) >> _LUMA_BITS
    return grey[:, None]


def _sharpened(images: Tensor, factors: Tensor) -> Tensor:
    pixels = images.float()
    inside = pixels[..., 1:-1, 1:-1]
    rows = pixels[..., :-2, :] + pixels[..., 1:-1, :] + pixels[..., 2:, :]
    soft = (rows[..., :-2] + rows[..., 1:-1] + rows[..., 2:] + 4 * inside) / 13
    pixels[..., 1:-1, 1:-1] = blended(inside, soft, factors)
    return pixels.to(torch.uint8)


def _to_levels(pixels: Tensor) -> Tensor:
    return pixels.round().clip(0, 255).to(torch.uint8)
