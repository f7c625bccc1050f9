"""A small ViT as uneven as after training, and noise to show it."""

from typing import Any

import torch
from torch import Tensor

from deit_core import torchvision_ops  # noqa: F401  # its import is slow: not part of a test's time
from deit_core.models import VisionTransformer


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def vit(seed: int = 0, **options: Any) -> VisionTransformer:
    torch.manual_seed(seed)
    sizes: dict[str, Any] = {"img_size": (12, 20), "patch_size": 4, "in_chans": 2, "num_classes": 5, "embed_dim": 24}
    model = VisionTransformer(**(sizes | {"depth": 2, "num_heads": 3, "mlp_ratio": 2.0} | options)).eval()
    with torch.no_grad():  # as uneven as after training: nothing cancels by being small
        for name, parameter in model.named_parameters():
            if name.startswith("head") or name.endswith("qkv.weight"):
                parameter.mul_(3)
        model.pos_embed.mul_(20)
    return model
