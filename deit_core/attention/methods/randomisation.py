"""Does a map depend on what the model has learned? Forget it, part by part from the top, and compare the maps.

Knows models, and methods as callables; nothing of how a method works.

Shapes: B batch, C channels, gh x gw patches.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from deit_core.errors import DeitError
from deit_core.models import VisionTransformer


@dataclass(frozen=True, eq=False)
class Randomised:
    """A method's maps once a part of the model, and all above it, has forgotten what it learned.

    part: "trained" (nothing forgotten), "head", "block L" ... "block 1", "embedding" (nothing left).
    maps: (B, gh, gw), or whatever grid the method gives.
    similarity: (B,) Spearman's rank correlation in [-1, 1] with the trained model's maps.
    """

    part: str
    maps: Tensor
    similarity: Tensor


def randomisation_check(
    model: nn.Module, images: Tensor, method: Callable[..., Tensor], *, seed: int = 0
) -> list[Randomised]:
    """Re-initialise a copy of the model from the top down and follow the maps that a method draws of it.

    A map that stays as it was shows the picture, or the architecture, rather than what the model knows. That is all it
    tells: the check is no contest, and a lower similarity is not a better method (Binder et al. 2022,
    arXiv:2211.12486). A method that never reads the heads, such as rollout or any other map of attention alone, keeps a
    similarity of exactly 1 at "head": it fails there by construction, being the same for every class.

    Args:
        model: a VisionTransformer in eval mode; never modified.
        images: (B, C, height, width) float, normalised as in training, on the model's device.
        method: called as `method(model, images, target=target)` with a copy of the model, gives maps (B, gh, gw). The
            target is at every step the class (B,) that the trained model predicts.
        seed: of the new weights, which `init_weights` draws. The global generators are left alone.
    Returns: one entry per step, the trained model first. A map without any difference between patches has no rank
        correlation; its similarity is given as 0.
    Raises: ValueError for a model in train mode or of another family, and whatever the method raises.
    Source: Adebayo et al. 2018 (arXiv:1810.03292), cascading randomisation.
    """
    if not isinstance(model, VisionTransformer):
        raise DeitError(f"A {type(model).__name__} has no blocks to randomise one by one; choose a ViT or a DeiT.")
    if model.training:
        raise DeitError("The model is in train mode, where dropout changes every map; call model.eval() first.")
    with torch.no_grad():
        target = model(images).argmax(-1)
    fresh = untrained(model, seed).state_dict()
    forgetful = copy.deepcopy(model)
    trained = method(forgetful, images, target=target)
    steps = [Randomised("trained", trained, rank_correlation(trained, trained))]
    for part, prefixes in _parts(model):
        weights = {name: weight for name, weight in fresh.items() if name.startswith(prefixes)}
        forgetful.load_state_dict(weights, strict=False)
        maps = method(forgetful, images, target=target)
        steps.append(Randomised(part, maps, rank_correlation(trained, maps)))
    return steps


def untrained(model: VisionTransformer, seed: int) -> VisionTransformer:
    """A copy, on the CPU, that was never trained."""
    fresh = copy.deepcopy(model).cpu()
    for module in fresh.modules():
        if isinstance(module, nn.LayerNorm):  # which `init_weights` leaves as their constructor made them
            module.reset_parameters()
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # torch.manual_seed would reach for the GPUs' generators too
        fresh.init_weights()
    return fresh


def rank_correlation(first: Tensor, second: Tensor) -> Tensor:
    """Spearman's rank correlation of maps, image by image; equal values share their mean rank.

    Args: first, second: (B, ...) of one shape.
    Returns: (B,) float32 in [-1, 1]; 0 where a map is constant, which has no rank correlation.
    """
    ranks = [torch.stack([_ranks(map) for map in maps.flatten(1)]) for maps in (first, second)]
    one, other = (rank - rank.mean(dim=1, keepdim=True) for rank in ranks)
    spread = (one.square().sum(1) * other.square().sum(1)).sqrt()
    correlation = (one * other).sum(1) / spread
    return correlation.where(spread > 0, 0).float()


def _ranks(values: Tensor) -> Tensor:
    """(P,) -> ranks (P,) in float64, in which whole and half numbers stay exact."""
    inverse: Tensor
    counts: Tensor
    _, inverse, counts = values.unique(return_inverse=True, return_counts=True)
    mean_rank = counts.cumsum(0).double() - (counts - 1) / 2
    return mean_rank[inverse]


def _parts(model: VisionTransformer) -> list[tuple[str, tuple[str, ...]]]:
    """The parts from the top down, each with how its parameters' names begin."""
    last, *others = reversed(range(model.depth))
    return [
        ("head", ("head.", "head_dist.")),
        (f"block {last + 1}", ("norm.", "fc_norm.", f"blocks.{last}.")),
        *((f"block {index + 1}", (f"blocks.{index}.",)) for index in others),
        ("embedding", ("patch_embed.", "cls_token", "dist_token", "reg_token", "pos_embed")),
    ]
