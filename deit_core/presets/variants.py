"""Published shapes of ViT and DeiT, by name, each with its source.

Plain data. A shape is not a preset: it has no data or recipe.
"""

from typing import NamedTuple

from deit_core.errors import SpecError
from deit_core.spec import VisionTransformerSpec
from deit_core.text.quoting import quoted

_DEIT = "Touvron et al. 2021 (arXiv:2012.12877), table 1"


class Variant(NamedTuple):
    """A ViT's shape, and the image size in pixels that it was published for."""

    img_size: int
    patch_size: int
    embed_dim: int
    depth: int
    num_heads: int
    mlp_ratio: float
    source: str


VARIANTS: dict[str, Variant] = {
    "deit-tiny": Variant(224, 16, 192, 12, 3, 4.0, _DEIT),
    "deit-small": Variant(224, 16, 384, 12, 6, 4.0, _DEIT),
    "deit-base": Variant(224, 16, 768, 12, 12, 4.0, _DEIT),
    "deit-tiny-384": Variant(384, 16, 192, 12, 3, 4.0, _DEIT),
    "deit-small-384": Variant(384, 16, 384, 12, 6, 4.0, _DEIT),
    "deit-base-384": Variant(384, 16, 768, 12, 12, 4.0, _DEIT),
    "tutorial-deit-base": Variant(
        224, 16, 768, 12, 8, 4.0, "F. S. Zuppichini's DeiT notebook: 8 heads, not DeiT-B's 12"
    ),
    "mnist-student": Variant(28, 7, 32, 4, 4, 4.0, "the DeiT-on-MNIST notebook; its MLP was 64 times as wide, not 4"),
    "small-data": Variant(32, 4, 192, 9, 12, 2.0, "Lee et al. 2021 (arXiv:2112.13492), the ViT for 32 px"),
    "miniproject": Variant(28, 4, 64, 6, 4, 2.0, "the mini-project on Fashion-MNIST"),
}


def vit_variant(name: str, *, distilled: bool = False) -> VisionTransformerSpec:
    """The spec of a published shape; with `distilled` it has the distillation token.

    Raises: SpecError for a name that is not in VARIANTS.
    """
    if name not in VARIANTS:
        raise SpecError(f"There is no variant {quoted(name)}; choose {', '.join(VARIANTS)}.")
    shape = VARIANTS[name]
    return VisionTransformerSpec(
        distilled=distilled,
        patch_size=shape.patch_size,
        embed_dim=shape.embed_dim,
        depth=shape.depth,
        num_heads=shape.num_heads,
        mlp_ratio=shape.mlp_ratio,
    )
