"""What a transformer looks at: its attention, rollout of it, and pictures of that.

Works on tensors; knows nothing of runs, pages or training.
"""

from deit_core.attention.discard import RATIOS, SCOPES, discard_links, thresholds
from deit_core.attention.fusion import HEAD_FUSIONS, fuse_heads
from deit_core.attention.look import Look, look
from deit_core.attention.overlay import (
    COLOUR_MAPS,
    INTERPOLATIONS,
    colour_table,
    colourise,
    overlay,
    shared_vmax,
    times_uniform,
)
from deit_core.attention.prepared import PatchMap, PreparedRollout
from deit_core.attention.query import QUERIES, query_weights
from deit_core.attention.rollout import ROW_NORMS, Rollout, rollout, rollout_matrix, rollout_sweep

__all__ = [
    "COLOUR_MAPS",
    "HEAD_FUSIONS",
    "INTERPOLATIONS",
    "QUERIES",
    "RATIOS",
    "ROW_NORMS",
    "SCOPES",
    "Look",
    "PatchMap",
    "PreparedRollout",
    "Rollout",
    "colour_table",
    "colourise",
    "discard_links",
    "fuse_heads",
    "look",
    "overlay",
    "query_weights",
    "rollout",
    "rollout_matrix",
    "rollout_sweep",
    "shared_vmax",
    "thresholds",
    "times_uniform",
]
