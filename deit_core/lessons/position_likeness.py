"""What a model has learned of positions: how alike the positions of its patches are.

gh x gw patches
"""

import numpy as np
from numpy.typing import NDArray

from deit_core.attention import Viewer
from deit_core.errors import DeitError
from deit_core.models import VisionTransformer


def position_similarity(viewer: Viewer) -> NDArray[np.float32]:
    """The cosine of each patch's position with each other's, (gh, gw, gh, gw).

    Raises: DeitError for a model without positions.
    Source: the figure of Dosovitskiy et al. 2021 (arXiv:2010.11929).
    """
    model = viewer.model
    if not isinstance(model, VisionTransformer) or model.pos_embed is None:
        raise DeitError(f"{viewer.card.name!r} has no positions; choose a ViT or a DeiT with learned ones.")
    patches = model.pos_embed.detach()[0, -model.num_patches :].float()
    directions = patches / patches.norm(dim=-1, keepdim=True)
    cosines: NDArray[np.float32] = (directions @ directions.T).numpy()
    return cosines.reshape(*model.grid_size, *model.grid_size)
