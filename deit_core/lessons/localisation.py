"""Does a map point at the object? Maps scored against where the object really is, beside two baselines.

B images, S side in pixels, gh x gw patches
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from deit_core.attention import METHODS, Viewer
from deit_core.lessons.accuracy import fitted
from deit_core.lessons.baselines import BRIGHTNESS, UNTRAINED
from deit_core.lessons.layer_maps import untrained_viewer
from deit_core.lessons.patches import Images, cut

Maps = NDArray[np.floating]
Masks = NDArray[np.bool_]


class Score(NamedTuple):
    """times_chance: the weight of the map inside the mask over the mask's share of the area, the mean of the images; 1
    is what a map without preference has. pointing: how often its largest value is at the object (the pointing game).
    """

    times_chance: float
    pointing: float


def score(maps: Maps, masks: Masks) -> Score:
    """Score maps (B, gh, gw) against masks (B, S, S); a patch counts by the share of it that the object covers.

    Source of the pointing game: Zhang et al. 2018 (arXiv:1608.00507).
    """
    covered = covered_shares(masks, maps.shape[1])
    weights = maps.clip(min=0)
    totals = weights.sum((1, 2))
    inside = (weights * covered).sum((1, 2)) / np.where(totals > 0, totals, 1)
    times_chance = inside / covered.mean((1, 2))
    highest = weights.reshape(len(maps), -1).argmax(1)
    hits = covered.reshape(len(maps), -1)[np.arange(len(maps)), highest] > 0
    return Score(float(times_chance.mean()), float(hits.mean()))


def covered_shares(masks: Masks, side: int) -> NDArray[np.float64]:
    """(B, S, S) -> (B, side, side): how much of each patch lies in the mask, from 0 to 1."""
    patches = cut(masks[:, None].astype(np.uint8), masks.shape[-1] // side)
    shares: NDArray[np.float64] = patches.mean((2, 3, 4)).reshape(len(masks), side, side)
    return shares


def brightness(images: Images, side: int) -> NDArray[np.float64]:
    """The mean brightness of each patch, (B, side, side): a map that knows no model."""
    patches = cut(images, images.shape[-1] // side)
    means: NDArray[np.float64] = patches.mean((2, 3, 4)).reshape(len(images), side, side)
    return means


def scores(viewer: Viewer, images: Images, masks: Masks) -> dict[str, Score]:
    """The score of every method for a transformer, and of the two baselines, by name."""
    methods = {name: method for name, method in METHODS.items() if method.facts.family == "vit"}
    seen = fitted(viewer, images)
    found = {method.facts.title: score(viewer.explain(seen, method.explain), masks) for method in methods.values()}
    control = untrained_viewer(viewer).explain(seen, METHODS["rollout"].explain)
    side = control.shape[1]
    return found | {
        UNTRAINED: score(control, masks),
        BRIGHTNESS: score(brightness(images, side), masks),
    }
