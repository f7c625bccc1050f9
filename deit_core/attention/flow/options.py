"""The options of `rollout`, and the one place where a `RolloutSpec` becomes them: it counts from 1, they count from 0.

Knows no attention and no model, only the sizes of one.

Shapes: L layers, H heads, gh x gw patches, P prefix tokens.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from deit_core.attention.flow.discard import check_ratio, check_scope
from deit_core.attention.flow.fusion import HeadFusion
from deit_core.attention.flow.query import Query
from deit_core.catalog import ROW_NORMS
from deit_core.errors import DeitError
from deit_core.spec import RolloutSpec


@dataclass(frozen=True, eq=False)
class RolloutOptions:
    """What `rollout` may be given in addition to the attention, with its meaning and its defaults.

    Raises: ValueError where an option is out of bounds or two do not fit together.
    """

    query: Query = "head"
    head_fusion: HeadFusion = "mean"
    discard_ratio: float = 0.0
    scope: str = "matrix"
    layers: Sequence[int] | None = None
    residual: float = 0.5
    row_norm: str = "mixed"
    compat: bool = False

    def __post_init__(self) -> None:
        check_ratio(self.discard_ratio)
        if not 0 <= self.residual <= 1:
            raise DeitError(
                f"residual must lie in [0, 1], not {self.residual}; 0.5 weighs attention and residual stream alike."
            )
        if self.row_norm not in ROW_NORMS:
            raise DeitError(f"There is no row_norm {self.row_norm!r}; choose {' or '.join(ROW_NORMS)}.")
        check_scope(self.scope)
        if self.compat and (self.row_norm, self.scope) != ("mixed", "matrix"):
            raise DeitError(
                f"compat=True reproduces code that has neither scope nor row_norm; leave them at their defaults, "
                f"not {self.scope!r} and {self.row_norm!r}."
            )


@dataclass(frozen=True)
class Sizes:
    """The sizes of a model's attention: L layers, H heads, P prefix tokens and (gh, gw) patches."""

    depth: int
    num_heads: int
    num_prefix_tokens: int
    grid_size: tuple[int, int]


def fusing(spec: RolloutSpec, sizes: Sizes) -> dict[str, Any]:
    """What `PreparedRollout` takes of a spec: how heads are fused, and how links are ranked.

    Raises: DeitError for a head that the model does not have.
    """
    head = spec.head_fusion
    if isinstance(head, int):
        if head > sizes.num_heads:
            raise DeitError(f"There is no head {head}; choose one from 1 to {sizes.num_heads}.")
        head -= 1
    return {"head_fusion": head, "scope": spec.scope}


def following(spec: RolloutSpec, sizes: Sizes) -> dict[str, Any]:
    """What `PreparedRollout.map` takes of a spec, but for the query.

    Raises: DeitError for a layer that the model does not have.
    """
    layers = spec.layers
    if layers is not None:
        if not layers or len(set(layers)) < len(layers) or max(layers) > sizes.depth:
            raise DeitError(
                f"layers must name some of the {sizes.depth} layers 1 to {sizes.depth}, each once, not {list(layers)}."
            )
        layers = tuple(layer - 1 for layer in layers)
    return {
        "discard_ratio": spec.discard_ratio,
        "layers": layers,
        "residual": spec.residual,
        "row_norm": spec.row_norm,
        "compat": spec.compat,
    }


def patch_token(spec: RolloutSpec, sizes: Sizes) -> int:
    """The token of the queried patch, counted from 0.

    Raises: DeitError where the model has no such patch.
    """
    row, column = spec.row or 1, spec.column or 1
    rows, columns = sizes.grid_size
    if row > rows or column > columns:
        raise DeitError(
            f"There is no patch in row {row}, column {column}; the model has {rows} rows and {columns} "
            "columns of patches."
        )
    return sizes.num_prefix_tokens + (row - 1) * columns + column - 1
