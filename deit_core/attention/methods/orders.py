"""Orders in which the patches of an image can go: by a map, by nearness to the centre, by chance.

Knows nothing of models or of images.

Shapes: B batch, P = gh * gw patches, row by row.
"""

import torch
from torch import Tensor


def relevance_order(maps: Tensor, shuffle: Tensor) -> Tensor:
    """Rank patches, the most relevant first.

    Args:
        maps: (B, gh, gw), finite.
        shuffle: (P,) a permutation of the patches. Equal values follow it, not their positions: sorted by position, a
            constant map would count as knowledge of where things are.
    Returns: (B, P) indices of patches.
    """
    return shuffle[maps.flatten(1)[:, shuffle].argsort(dim=1, descending=True, stable=True)]


def centre_prior(grid_size: tuple[int, int]) -> Tensor:
    """Make the map of a guess without a model: the thing is in the middle of the picture.

    Returns: (gh, gw), a Gaussian whose standard deviation is a quarter of the height downwards and of the width across;
        sums to 1. Mirrored patches are exactly equal.
    """
    # Whole numbers before the division: mirrored patches would differ by a rounding error otherwise.
    down, across = ((2 * torch.arange(side) + 1 - side) * 2 / side for side in grid_size)  # 1 is one deviation
    density = torch.exp(-(down[:, None].square() + across.square()) / 2)
    return density / density.sum()


def random_orders(count: int, num_patches: int, seed: int) -> Tensor:
    """(count, P) permutations, a function of the seed alone; the first ones are the same for any count."""
    generator = torch.Generator().manual_seed(seed)
    return torch.stack([torch.randperm(num_patches, generator=generator) for _ in range(count)])
