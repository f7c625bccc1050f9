"""The methods that explain a model, and what their options may be: known before torch is loaded."""

from typing import Literal, NamedTuple, get_args

MethodName = Literal["rollout", "class_attention", "gradient_rollout", "attention_relevance", "grad_cam"]


class MethodFacts(NamedTuple):
    """Facts on a method.

    family: the kind of model that it reads.
    class_specific: whether the map depends on a chosen class. Such methods follow a gradient, and take no single token
        as query; the maps of the others are shares, whose scale has a meaning.
    summary: one sentence for a page.
    source: who published it.
    """

    title: str
    family: Literal["vit", "cnn"]
    class_specific: bool
    summary: str
    source: str


# The methods themselves, under the same names, are in deit_core.attention.METHODS.
METHODS: dict[str, MethodFacts] = {
    "rollout": MethodFacts(
        title="Attention rollout",
        family="vit",
        class_specific=False,
        summary="Follows the attention through all layers back to the patches. It does not use classes, so the map "
        "is the same for every class.",
        source="Abnar & Zuidema 2020 (arXiv:2005.00928)",
    ),
    "class_attention": MethodFacts(
        title="Last-layer attention",
        family="vit",
        class_specific=False,
        summary="Shows what the output token attends to in the last layer only, as the mean of its heads. A patch "
        "there also contains information from other patches. It does not use classes.",
        source="Caron et al. 2021 (arXiv:2104.14294)",
    ),
    "gradient_rollout": MethodFacts(
        title="Gradient rollout",
        family="vit",
        class_specific=True,
        summary="A rollout of only the attention that raises the logit of the chosen class, with the heads of a layer "
        "combined; another class gives another map.",
        source="J. Gildenblat 2020 (github.com/jacobgil/vit-explain), corrected",
    ),
    "attention_relevance": MethodFacts(
        title="Attention relevance",
        family="vit",
        class_specific=True,
        summary="Adds up, layer by layer, the attention of each head that raises the logit of the chosen class. "
        "Another class gives another map; evidence against the class is left out.",
        source="Chefer et al. 2021 (arXiv:2103.15679)",
    ),
    "grad_cam": MethodFacts(
        title="Grad-CAM",
        family="cnn",
        class_specific=True,
        summary="Shows which cells of the CNN's last features support the chosen class. A cell of ResNet-9 is 8 x 8 "
        "pixels, so the map is coarse; rows and columns that do not fill a cell stay empty.",
        source="Selvaraju et al. 2017 (arXiv:1610.02391)",
    ),
}

# The allowed values of the options of `deit_core.attention`, for the page and the command line.
HeadFusionName = Literal["mean", "max", "min"]
QueryName = Literal["outputs", "head", "class", "distillation", "patch"]
TokenName = Literal["head", "class", "distillation", "difference", "patch"]  # what a map is of
Scope = Literal["matrix", "row"]
RowNorm = Literal["mixed", "attention"]
ColourMap = Literal["inferno", "cividis", "viridis", "grey"]  # from 0 upwards

HEAD_FUSIONS: tuple[HeadFusionName, ...] = get_args(HeadFusionName)
SCOPES: tuple[Scope, ...] = get_args(Scope)
ROW_NORMS: tuple[RowNorm, ...] = get_args(RowNorm)
COLOUR_MAPS: tuple[ColourMap, ...] = get_args(ColourMap)
SIGNED_MAPS = ("coolwarm",)
REPLACEMENTS = ("drop", "blur", "mean")

ViewName = Literal["maps", "depth", "heads", "variants", "film"]
VIEWS: tuple[ViewName, ...] = get_args(ViewName)
VARIANT_RATIOS = (0.0, 0.5, 0.9, 0.95)  # discard ratios shown side by side

# Maps of one kind share a colour scale.
MapKind = Literal["attention", "difference", "teacher"]
MAP_KINDS: dict[MapKind, str] = {
    "attention": "Attention",
    "difference": "Class − distillation",
    "teacher": "Grad-CAM",
}
