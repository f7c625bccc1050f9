"""The methods that ask a transformer, and a small one for them whose attention is far from even."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from deit_core.attention.methods.relevance import (
    attention_relevance,
    attention_rollout,
    class_attention,
    gradient_rollout,
)
from deit_core.models import VisionTransformer

Explain = Callable[..., Tensor]
GRADIENT_METHODS = [gradient_rollout, attention_relevance]
BLIND_METHODS = [attention_rollout, class_attention]
every_method = pytest.mark.parametrize("method", [*BLIND_METHODS, *GRADIENT_METHODS])
gradient_methods = pytest.mark.parametrize("method", GRADIENT_METHODS)
GRIDS = {"square": {"img_size": 12, "patch_size": 4}, "rectangular": {"img_size": (8, 15), "patch_size": (4, 3)}}


def model_of(distilled: bool = False, grid: str = "square", dtype: torch.dtype = torch.float64) -> VisionTransformer:
    torch.manual_seed(3)
    model = VisionTransformer(
        **GRIDS[grid],
        in_chans=2,
        num_classes=5,
        embed_dim=24,
        depth=3,
        num_heads=3,
        mlp_ratio=2,
        distilled=distilled,
        drop_rate=0.1,
        attn_drop_rate=0.1,
        drop_path_rate=0.1,
    )
    with torch.no_grad():
        for parameter in model.parameters():  # far from initialisation, where attention is nearly even
            parameter.add_(torch.randn_like(parameter), alpha=0.15)
    return model.to(dtype).eval()


def images_of(model: VisionTransformer, batch: int = 3) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    pixels = torch.randn(batch, model.in_chans, *model.img_size, generator=generator, dtype=torch.float64)
    return pixels.to(model.pos_embed.dtype)
