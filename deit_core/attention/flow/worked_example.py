"""A rollout small enough to follow with a pencil: five tokens, two layers, two heads, every matrix as numbers.

The weights are made up; what is done with them is the real thing. Knows nothing of how numbers are shown.

Shapes: 2 layers, 2 heads, 5 tokens = the class token and 2 x 2 patches.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from deit_core.attention.flow.fusion import fuse_heads
from deit_core.attention.flow.mixing import drop_weakest
from deit_core.attention.flow.options import RolloutOptions, Sizes, following, fusing
from deit_core.attention.flow.rollout import rollout, rollout_matrix
from deit_core.spec import RolloutSpec

TOKENS = ("class", "patch 1", "patch 2", "patch 3", "patch 4")

# In the first layer patches look at themselves and at neighbours (head 1) and at patch 2, the object (head 2); in the
# second the class token collects from patch 2 (head 1) and patch 4 (head 2). Each control moves the map by more than
# 0.1 x uniform, and no two means are equal, so that a discard drops exactly its share.
_HEADS = (
    (
        (
            (0.45, 0.10, 0.16, 0.15, 0.14),
            (0.16, 0.32, 0.30, 0.09, 0.13),
            (0.02, 0.16, 0.46, 0.07, 0.29),
            (0.24, 0.23, 0.02, 0.35, 0.16),
            (0.18, 0.03, 0.29, 0.23, 0.27),
        ),
        (
            (0.13, 0.02, 0.65, 0.10, 0.10),
            (0.05, 0.04, 0.82, 0.05, 0.04),
            (0.07, 0.05, 0.82, 0.03, 0.03),
            (0.21, 0.10, 0.47, 0.15, 0.07),
            (0.15, 0.08, 0.42, 0.11, 0.24),
        ),
    ),
    (
        (
            (0.08, 0.10, 0.63, 0.05, 0.14),
            (0.49, 0.22, 0.11, 0.13, 0.05),
            (0.35, 0.12, 0.42, 0.04, 0.07),
            (0.26, 0.15, 0.15, 0.37, 0.07),
            (0.30, 0.03, 0.24, 0.05, 0.38),
        ),
        (
            (0.30, 0.04, 0.20, 0.06, 0.40),
            (0.50, 0.19, 0.11, 0.08, 0.12),
            (0.62, 0.16, 0.09, 0.02, 0.11),
            (0.45, 0.16, 0.10, 0.20, 0.09),
            (0.32, 0.05, 0.18, 0.05, 0.40),
        ),
    ),
)


@dataclass(frozen=True, eq=False)
class WorkedExample:
    """Every step of one rollout, in float64. Rows attend, columns are attended to; the first layer comes first.

    tokens: the 5 names.
    heads: (2, 2, 5, 5) layers x heads, the attention weights; rows sum to 1.
    fused: (2, 5, 5) one matrix per layer.
    kept: (2, 5, 5) what the discard leaves of it; dropped links are 0.
    mixed: (2, 5, 5) with the residual stream and divided by row sums (compat: by the wrong ones), ready to multiply.
    product: (5, 5) `mixed[1] @ mixed[0]`.
    row: (5,) the class token's row of the product: its share of each input token.
    map: (2, 2) the patches' part of it, as `rollout` gives it.
    """

    tokens: tuple[str, ...]
    heads: NDArray[np.float64]
    fused: NDArray[np.float64]
    kept: NDArray[np.float64]
    mixed: NDArray[np.float64]
    product: NDArray[np.float64]
    row: NDArray[np.float64]
    map: NDArray[np.float64]


def worked_example_of(spec: RolloutSpec) -> WorkedExample:
    """The example as a spec asks for it, which follows both layers.

    Raises: DeitError for a head that the example does not have.
    """
    sizes = Sizes(depth=2, num_heads=2, num_prefix_tokens=1, grid_size=(2, 2))
    options = fusing(spec, sizes) | following(spec.with_changes(layers=None), sizes)
    del options["layers"]
    return worked_example(**options)


def worked_example(**options: Any) -> WorkedExample:
    """Roll out a fixed example and keep every matrix on the way.

    Args: options: as in `rollout`, but for `query` and `layers`. Without a discard and with mean fusion all rows sum to
        1, and scope, row_norm and compat have nothing to change; from a discard of 0.5 on each of them does.
    Returns: a `WorkedExample`.
    Raises: ValueError, as `rollout`.
    """
    heads = torch.tensor(_HEADS, dtype=torch.float64).unsqueeze(1)  # (L, B = 1, H, N, N)
    given = RolloutOptions(**options)
    options |= {"num_prefix_tokens": 1, "grid_size": (2, 2)}
    result = rollout(heads, query="class", **options)
    fused = fuse_heads(heads, given.head_fusion)
    product = rollout_matrix(heads, **options)[0]
    # The product over one layer is that layer's own matrix.
    mixed = torch.cat([rollout_matrix(heads, layers=[layer], **options) for layer in range(len(heads))])
    return WorkedExample(
        tokens=TOKENS,
        heads=heads[:, 0].numpy(),
        fused=fused[:, 0].numpy(),
        kept=drop_weakest(fused, 1, given.discard_ratio, given.scope, given.compat)[:, 0].numpy(),
        mixed=mixed.numpy(),
        product=product.numpy(),
        row=product[0].numpy(),
        map=result.map[0].numpy(),
    )
