"""Do later layers look where the first one looks, or elsewhere? Each layer's map against the first layer's.

L layers, B images
"""

import numpy as np
from numpy.typing import NDArray

from deit_core.attention import Viewer, head_maps
from deit_core.attention.methods.randomisation import rank_correlation, untrained
from deit_core.lessons.patches import Images
from deit_core.models import VisionTransformer


def correlation_with_first(viewer: Viewer, images: Images) -> NDArray[np.float32]:
    """Spearman's rank correlation of each layer's map with the first layer's, (L, B); the first is 1.

    A layer's map is what the tokens that the heads read attend to there, the mean of its attention heads.
    """
    look = viewer.look(images)
    maps = head_maps(
        look.attention, num_prefix_tokens=look.num_prefix_tokens, grid_size=look.grid_size, query=look.query()
    ).mean(2)  # L B gh gw
    correlations: NDArray[np.float32] = np.stack([rank_correlation(maps[0], layer).numpy() for layer in maps])
    return correlations


def untrained_viewer(viewer: Viewer, *, seed: int = 0) -> Viewer:
    """The same model with the random weights of a model that was never trained, for a control."""
    assert isinstance(viewer.model, VisionTransformer)
    return Viewer(untrained(viewer.model, seed).eval(), viewer.card)
