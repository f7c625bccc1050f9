"""How a map of attention is made and drawn: the options of the Attention page, of the command, of the files they save.

Layers, heads, rows and columns count from 1, as people count. `deit_core.attention.flow.options` turns them into the
indices from 0 that the functions take. Knows neither models nor pictures.
"""

from typing import Annotated, Any, Self

from pydantic import AfterValidator, BeforeValidator, model_validator

from deit_core.catalog import HEAD_FUSIONS, ColourMap, HeadFusionName, MethodName, QueryName, RowNorm, Scope
from deit_core.spec.fields import Part, field
from deit_core.text.quoting import quoted


def _from_one(number: int) -> int:
    if number < 1:
        raise ValueError(f"Layers, heads, rows and columns count from 1, so there is no number {number}.")
    return number


def _fusion_or_head(value: Any) -> Any:
    if value in HEAD_FUSIONS:
        return value
    if isinstance(value, int) or (isinstance(value, str) and value.removeprefix("-").isdecimal()):
        return _from_one(int(value))
    choices = f"{', '.join(HEAD_FUSIONS)}, or a head's number from 1"
    raise ValueError(f"head_fusion should be {choices}, not {quoted(value)}.")


Number = Annotated[int, AfterValidator(_from_one)]  # of a layer, a head, a row or a column


class RolloutSpec(Part):
    """How a map of a model's attention is made, and how it is drawn."""

    method: MethodName | None = field(
        None, "What makes the map; empty takes the rollout for a transformer and Grad-CAM for a CNN."
    )
    target: str | None = field(
        None, "The class that is explained; empty takes the predicted class.", title="Class to explain"
    )
    query: QueryName = field(
        "outputs",
        "The query: the token whose information is traced. Each output token, the output tokens together (head), the "
        "class token, the distillation token, or one patch.",
        title="Trace from",
    )
    row: Number | None = field(None, "The row of the queried patch, counted from 1.")
    column: Number | None = field(None, "The column of the queried patch, counted from 1.")
    discard_ratio: float = field(
        0.0,
        "The discard ratio: share of the weakest links to patches that is dropped in each layer. Links to the class "
        "and distillation tokens are never dropped.",
        ge=0,
        lt=1,
        title="Leave out weak links",
    )
    layers: tuple[Number, ...] | None = field(
        None, "The layers that are followed, counted from 1; the others pass everything on. Empty follows all."
    )
    head_fusion: Annotated[HeadFusionName | int, BeforeValidator(_fusion_or_head)] = field(
        "mean",
        "Head fusion, also called aggregation: how the heads of a layer become one. Their mean, the largest weight of "
        "any (max), the smallest (min), or one head by its number, counted from 1.",
        title="Combine the heads",
    )
    smooth: bool = field(False, "Blends between patches. The numbers stay the same.")
    opacity: float = field(0.7, "Opacity of the colours over the picture.", ge=0, le=1, title="Strength of the colours")
    shared_scale: bool = field(
        True, "One colour means one value in all maps of a kind. Off: each map uses all of the colours."
    )
    compat: bool = field(
        False,
        "Draws the same as vit-explain, the code that is copied most, with its errors: it also ranks links to the "
        "class token, and it divides columns instead of rows. Its map is right for the mean of the heads with nothing "
        "discarded.",
        title="As vit-explain",
    )
    cmap: ColourMap = field("inferno", "The colours, from 0 upwards.", advanced=True, title="Colours")
    vmax: float | None = field(
        None,
        "End of the colour scale; empty takes the 99th percentile of all maps that are shown together.",
        unit="x uniform",
        gt=0,
        le=1e6,
        advanced=True,
        title="Scale end",
    )
    scope: Scope = field(
        "matrix",
        "matrix ranks all links of a layer together; row ranks the links of each token, so that no map becomes empty.",
        advanced=True,
        title="Discard scope",
    )
    residual: float = field(
        0.5,
        "Share of the residual connection in each layer. Abnar and Zuidema take 0.5.",
        ge=0,
        le=1,
        advanced=True,
    )
    row_norm: RowNorm = field(
        "mixed",
        "mixed normalises attention and residual together; attention normalises the attention first, so that the "
        "residual keeps its share whatever is discarded.",
        advanced=True,
    )

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        places = {self.row is None, self.column is None}
        if places != {self.query != "patch"}:
            raise ValueError("A queried patch has a row and a column: set query to patch and give both, or neither.")
        if self.compat and (self.scope, self.row_norm) != ("matrix", "mixed"):
            raise ValueError("vit-explain (compat) has neither scope nor row_norm; leave them at matrix and mixed.")
        if self.vmax is not None and not self.shared_scale:
            raise ValueError("vmax is the end of one scale for all maps; leave it empty, or turn shared_scale on.")
        return self
