"""What a transformer looks at: its attention, rollout of it, and pictures of that.

Works on tensors; knows nothing of runs, pages or training.
"""

from deit_core.attention.drawing.film import encode_gif, encode_mp4
from deit_core.attention.drawing.sheet import Bar, contact_sheet, encode_npz, encode_png
from deit_core.attention.flow.audit import Audit, audit
from deit_core.attention.flow.discard import RATIOS, discard_links, thresholds
from deit_core.attention.flow.fusion import fuse_heads
from deit_core.attention.flow.head_maps import head_maps
from deit_core.attention.flow.prepared import PatchMap, PreparedRollout
from deit_core.attention.flow.query import QUERIES, query_weights
from deit_core.attention.flow.rollout import Rollout, rollout, rollout_matrix, rollout_sweep
from deit_core.attention.flow.worked_example import WorkedExample, worked_example, worked_example_of
from deit_core.attention.look import Look, look
from deit_core.attention.methods.faithfulness import Curves, Faithfulness, faithfulness
from deit_core.attention.methods.gradcam import grad_cam
from deit_core.attention.methods.randomisation import Randomised, randomisation_check
from deit_core.attention.methods.relevance import (
    attention_relevance,
    attention_rollout,
    class_attention,
    gradient_rollout,
)
from deit_core.attention.methods.table import METHODS, Explain, Method
from deit_core.attention.overlay import (
    INTERPOLATIONS,
    colour_table,
    colourise,
    overlay,
    rgb,
    shared_vmax,
    times_uniform,
)
from deit_core.attention.viewer import Viewer
from deit_core.catalog import COLOUR_MAPS, HEAD_FUSIONS, REPLACEMENTS, ROW_NORMS, SCOPES, SIGNED_MAPS

__all__ = [
    "COLOUR_MAPS",
    "HEAD_FUSIONS",
    "INTERPOLATIONS",
    "METHODS",
    "QUERIES",
    "RATIOS",
    "REPLACEMENTS",
    "ROW_NORMS",
    "SCOPES",
    "SIGNED_MAPS",
    "Audit",
    "Bar",
    "Curves",
    "Explain",
    "Faithfulness",
    "Look",
    "Method",
    "PatchMap",
    "PreparedRollout",
    "Randomised",
    "Rollout",
    "Viewer",
    "WorkedExample",
    "attention_relevance",
    "attention_rollout",
    "audit",
    "class_attention",
    "colour_table",
    "colourise",
    "contact_sheet",
    "discard_links",
    "encode_gif",
    "encode_mp4",
    "encode_npz",
    "encode_png",
    "faithfulness",
    "fuse_heads",
    "grad_cam",
    "gradient_rollout",
    "head_maps",
    "look",
    "overlay",
    "query_weights",
    "randomisation_check",
    "rgb",
    "rollout",
    "rollout_matrix",
    "rollout_sweep",
    "shared_vmax",
    "thresholds",
    "times_uniform",
    "worked_example",
    "worked_example_of",
]
