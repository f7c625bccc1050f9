"""The attention that a model returns is the attention that it computes with."""

import pytest
import torch
from einops import rearrange
from torch import Tensor

from deit_core.models import VisionTransformer

SHAPES = {
    "square": {"img_size": 16, "patch_size": 4},
    "odd": {"img_size": 21, "patch_size": 7},
    "one patch": {"img_size": 8, "patch_size": 8},
    "rectangular": {"img_size": (12, 20), "patch_size": 4},
    "rectangular patches": {"img_size": (12, 18), "patch_size": (4, 3)},
}


@pytest.fixture(params=SHAPES.values(), ids=SHAPES)
def shape(request: pytest.FixtureRequest) -> dict[str, object]:
    return dict(request.param)


@pytest.fixture(params=[torch.float32, torch.float64], ids=["float32", "float64"])
def dtype(request: pytest.FixtureRequest) -> torch.dtype:
    return request.param


@pytest.fixture(params=[False, True], ids=["plain", "distilled"])
def model(request: pytest.FixtureRequest, shape: dict[str, object], dtype: torch.dtype) -> VisionTransformer:
    torch.manual_seed(0)
    model = VisionTransformer(
        **shape, in_chans=3, num_classes=7, embed_dim=24, depth=3, num_heads=3, mlp_ratio=2, distilled=request.param
    )
    with torch.no_grad():
        for block in model.blocks:
            block.attn.qkv.weight[: 2 * 24].mul_(2)  # queries and keys: attention as uneven as after training
    return model.eval().to(dtype)


@pytest.fixture
def images(model: VisionTransformer, dtype: torch.dtype) -> Tensor:
    return torch.randn(3, model.in_chans, *model.img_size, generator=torch.Generator().manual_seed(1)).to(dtype)


@torch.no_grad()
def test_asking_for_attention_does_not_change_the_logits(model: VisionTransformer, images: Tensor) -> None:
    logits, attention = model(images, return_attention=True)
    atol = 1e-5 if logits.dtype == torch.float32 else 1e-12
    torch.testing.assert_close(logits, model(images), rtol=0, atol=atol)
    tokens = model.num_prefix_tokens + model.grid_size[0] * model.grid_size[1]
    assert attention.shape == (3, 3, 3, tokens, tokens)
    torch.testing.assert_close(attention.sum(-1), torch.ones(attention.shape[:-1], dtype=logits.dtype))
    if tokens > 3:
        assert attention.amax(-1).mean() > 1.5 / tokens


@torch.no_grad()
def test_attention_times_values_rebuilds_the_fused_output(model: VisionTransformer, images: Tensor) -> None:
    inputs: list[Tensor] = []
    for block in model.blocks:
        block.attn.register_forward_pre_hook(lambda _module, args: inputs.append(args[0]))
    _, attention = model(images, return_attention=True)
    for block, tokens, weights in zip(model.blocks, inputs[:], attention, strict=True):
        fused, nothing = block.attn(tokens)
        assert nothing is None
        values = rearrange(block.attn.qkv(tokens), "B N (qkv H d) -> qkv B H N d", qkv=3, H=3)[2]
        rebuilt = block.attn.proj(rearrange(weights @ values, "B H N d -> B N (H d)"))
        torch.testing.assert_close(rebuilt, fused, rtol=1e-5, atol=1e-5)


@torch.no_grad()
def test_some_layers_are_the_same_as_in_all(model: VisionTransformer, images: Tensor) -> None:
    _, attention = model(images, return_attention=True)
    _, some = model(images, return_attention=[0, 2])
    torch.testing.assert_close(some, attention[[0, 2]])


@pytest.mark.parametrize("layers", [[], [3], [0, -1]])
def test_layers_that_do_not_exist_are_refused(layers: list[int]) -> None:
    model = VisionTransformer(8, 4, 1, 2, embed_dim=8, depth=3, num_heads=2).eval()
    with pytest.raises(ValueError, match="3 layers 0 to 2"):
        model(torch.zeros(1, 1, 8, 8), return_attention=layers)
