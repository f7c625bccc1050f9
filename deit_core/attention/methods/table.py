"""The methods that explain, in one list: the catalogue's names, each with its function.

Whoever offers methods to people offers what this list holds. Knows none of their mathematics.
"""

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor, nn

from deit_core import catalog
from deit_core.attention.flow.query import Query
from deit_core.attention.methods.gradcam import grad_cam
from deit_core.attention.methods.relevance import (
    attention_relevance,
    attention_rollout,
    class_attention,
    gradient_rollout,
)
from deit_core.catalog import MethodFacts


class Explain(Protocol):
    """The one signature: images (B, C, height, width), normalised as in training, to maps >= 0, detached.

    A "vit" method gives (B, gh, gw), one value per patch; a "cnn" method (B, height, width), one per pixel.
    """

    def __call__(
        self, model: nn.Module, images: Tensor, *, query: Query = "head", target: Tensor | None = None
    ) -> Tensor: ...


@dataclass(frozen=True)
class Method:
    """A method, and what the catalogue says of it."""

    facts: MethodFacts
    explain: Explain


_FUNCTIONS: dict[str, Explain] = {
    "rollout": attention_rollout,
    "class_attention": class_attention,
    "gradient_rollout": gradient_rollout,
    "attention_relevance": attention_relevance,
    "grad_cam": grad_cam,
}
METHODS = {name: Method(facts, _FUNCTIONS[name]) for name, facts in catalog.METHODS.items()}
