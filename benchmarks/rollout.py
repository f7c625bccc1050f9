"""What a slider costs: a move from cached attention, against the straightforward way and against a peer's Grad-CAM.

The straightforward way fuses the heads, ranks with topk and multiplies matrices again on every change, as the popular
code does; it is written here for a batch, without that code's errors. Grad-CAM is pytorch-grad-cam's, a forward and a
backward pass of the same model. Also: what it costs a model to give its attention away.

Shapes: L layers, B batch, H heads, N tokens = P prefix + n patches.
"""

import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from typing import Any, NamedTuple

import numpy as np
import torch
from einops import rearrange
from torch import Tensor

import deit_core.torchvision_ops  # noqa: F401  what torchvision needs, before the peer imports it
from benchmarks.timing import medians
from deit_core import presets
from deit_core.attention import Look
from deit_core.models import VisionTransformer, build_student

_RATIO = 0.9
_BUDGET_S = 2.0


class Size(NamedTuple):
    name: str
    build: Callable[[], VisionTransformer]


def _mini_project() -> VisionTransformer:
    experiment = presets.fashion_miniproject()
    return build_student(next(spec for spec in experiment.runs if spec.name == "vit"))


SIZES = (
    Size("mini-project", _mini_project),
    Size("DeiT-Ti/16 224", lambda: VisionTransformer(embed_dim=192, num_heads=3, distilled=True)),
    Size("ViT-B/16 224", VisionTransformer),
    Size("ViT-B/16 384", lambda: VisionTransformer(img_size=384)),
)


def measure(long: bool = False) -> Iterator[dict[str, object]]:
    """Milliseconds and ratios, a row a size and batch. Weights are random: nothing here depends on what they are.

    Each row is measured in a process of its own: how fast memory is had depends on what was freed before. The short
    form has single images only, as the page has.
    """
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=1, mp_context=context, max_tasks_per_child=1) as processes:
        for index in range(len(SIZES)):
            for batch in (1, 16) if long else (1,):
                yield processes.submit(_measure, index, batch, _BUDGET_S).result()


def _measure(index: int, batch: int, budget_s: float) -> dict[str, object]:
    torch.manual_seed(0)
    size = SIZES[index]
    model = size.build().eval()
    images = torch.randn(batch, model.in_chans, *model.img_size)
    move = medians(_moves(model, images), budget_s=budget_s)
    forward = medians(
        {"fused": lambda: _forward(model, images), "attention": lambda: _forward(model, images, return_attention=True)},
        budget_s=budget_s,
    )
    peer = medians({"grad-cam": _grad_cam(model, images)}, budget_s=budget_s)
    return {
        "size": size.name,
        "batch": batch,
        "move_ms": _ms(move["cached"]),
        "naive_ms": _ms(move["naive"]),
        "naive_over_move": round(move["naive"] / move["cached"], 1),
        "grad_cam_ms": _ms(peer["grad-cam"]),
        "grad_cam_over_move": round(peer["grad-cam"] / move["cached"], 1),
        "forward_ms": _ms(forward["fused"]),
        "forward_with_attention_ms": _ms(forward["attention"]),
        "attention_over_fused": round(forward["attention"] / forward["fused"], 3),
    }


@torch.no_grad()
def _forward(model: VisionTransformer, images: Tensor, *, return_attention: bool = False) -> Any:
    return model(images, return_attention=return_attention)


def _moves(model: VisionTransformer, images: Tensor) -> dict[str, Callable[[], Tensor]]:
    """One move of the slider: from what the page keeps of each image (fused heads, thresholds), or from attention."""
    attention = _forward(model, images, return_attention=True)[1]
    looks = [Look(attention[:, [image]], {}, model.num_prefix_tokens, model.grid_size) for image in range(len(images))]
    prepared = [look.prepare() for look in looks]

    def cached() -> Tensor:
        return torch.from_numpy(np.stack([one.map(discard_ratio=_RATIO).values for one in prepared]))

    def naive() -> Tensor:
        return naive_rollout(attention, model, _RATIO)

    # Ties at the threshold are kept by the one and split by the other.
    torch.testing.assert_close(cached(), naive(), rtol=1e-2, atol=1e-6)
    return {"cached": cached, "naive": naive}


def naive_rollout(attention: Tensor, model: VisionTransformer, ratio: float) -> Tensor:
    """The same map from (L, B, H, N, N), everything computed again: (B, gh, gw)."""
    prefix, identity = model.num_prefix_tokens, torch.eye(attention.shape[-1])
    product = identity
    for layer in attention:
        fused = layer.mean(1)  # B N N
        patches = fused[..., prefix:].flatten(1)
        weakest = patches.topk(int(ratio * patches.shape[1]), largest=False).indices
        fused[..., prefix:] = patches.scatter(1, weakest, 0).view_as(fused[..., prefix:])
        mixed = (fused + identity) / 2
        product = (mixed / mixed.sum(-1, keepdim=True)) @ product
    rows = product[:, :prefix].mean(1)
    return rearrange(rows[:, prefix:], "b (gh gw) -> b gh gw", gh=model.grid_size[0])


def _grad_cam(model: VisionTransformer, images: Tensor) -> Callable[[], object]:
    from pytorch_grad_cam import GradCAM

    def to_grid(tokens: Tensor) -> Any:
        patches = tokens[:, model.num_prefix_tokens :]
        return rearrange(patches, "b (gh gw) d -> b d gh gw", gh=model.grid_size[0])

    cam = GradCAM(model=model, target_layers=[model.blocks[-1].norm1], reshape_transform=to_grid)
    return lambda: cam(input_tensor=images, targets=None)


def _ms(seconds: float) -> float:
    return float(f"{1000 * seconds:.3g}")
