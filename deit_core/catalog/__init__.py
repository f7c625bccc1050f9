"""What can be chosen, as plain facts: data sets, methods that explain a model, and their options. No tensors, no files."""

from deit_core.catalog.attention import (
    COLOUR_MAPS,
    HEAD_FUSIONS,
    METHODS,
    REPLACEMENTS,
    ROW_NORMS,
    SCOPES,
    SIGNED_MAPS,
    VARIANT_RATIOS,
    ColourMap,
    HeadFusionName,
    MethodFacts,
    MethodName,
    QueryName,
    RowNorm,
    Scope,
)
from deit_core.catalog.data_sets import IMAGENET_MEAN, IMAGENET_STD, SOURCES, SourceFacts, SourceName

__all__ = [
    "COLOUR_MAPS",
    "HEAD_FUSIONS",
    "IMAGENET_MEAN",
    "IMAGENET_STD",
    "METHODS",
    "REPLACEMENTS",
    "ROW_NORMS",
    "SCOPES",
    "SIGNED_MAPS",
    "SOURCES",
    "VARIANT_RATIOS",
    "ColourMap",
    "HeadFusionName",
    "MethodFacts",
    "MethodName",
    "QueryName",
    "RowNorm",
    "Scope",
    "SourceFacts",
    "SourceName",
]
