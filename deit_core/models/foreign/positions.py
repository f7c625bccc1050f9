"""Positions of a ViT's tokens for another number of patches. Knows one tensor; no models, no files."""

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor

Grid = tuple[int, int]


def resample_pos_embed(pos_embed: Tensor, new_grid: Grid, old_grid: Grid, num_prefix_tokens: int) -> Tensor:
    """Stretch the patches' positions over another grid; those of the class and distillation tokens stay as they are.

    Bicubic, since bilinear interpolation shrinks the vectors' norms (Touvron et al. 2021, section 4.4), and with
    antialiasing, as timm does it.

    Args:
        pos_embed: (1, prefix + gh * gw, D).
        new_grid, old_grid: patches down and across, (gh, gw).
    Returns: (1, prefix + new gh * new gw, D); the same tensor where the grids are equal.
    """
    if new_grid == old_grid:
        return pos_embed
    prefix, patches = pos_embed.tensor_split([num_prefix_tokens], dim=1)
    pixels = rearrange(patches.float(), "1 (gh gw) D -> 1 D gh gw", gh=old_grid[0], gw=old_grid[1])
    stretched = F.interpolate(pixels, size=new_grid, mode="bicubic", antialias=True)
    return torch.cat([prefix, rearrange(stretched, "1 D gh gw -> 1 (gh gw) D").to(prefix.dtype)], dim=1)
