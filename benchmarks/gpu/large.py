"""Models of published size: training steps at 224 pixels against timm's, attention, and maps."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.gpu.parts import Row
from benchmarks.gpu.setting import Setting, seconds_of, wait
from deit_core.attention import Look, attention_rollout
from deit_core.data.augment.epoch_views import EpochViews
from deit_core.models import VisionTransformer
from deit_core.spec import AugmentSpec

_SIZES: dict[str, dict[str, int]] = {
    "DeiT-S/16": {"embed_dim": 384, "num_heads": 6},
    "DeiT-Ti/16": {"embed_dim": 192, "num_heads": 3},
}
_BATCH, _TINY_BATCH = 256, 4
_RECIPE = AugmentSpec(
    crop_padding=0,
    horizontal_flip=True,
    resized_crop=0.08,
    randaugment_ops=2,
    randaugment_magnitude=27,
    random_erasing=0.25,
)


def measure(setting: Setting) -> Iterator[Row]:
    """Steps, attention given away, a slider's move, and rollouts of many images."""
    yield from _steps(setting)
    yield from _slider(setting)
    yield from _attention(setting)
    yield from _rollouts(setting)


def _shape(setting: Setting) -> dict[str, int]:
    return {"depth": 1, "img_size": 32, "num_classes": 10} if setting.is_tiny else {}


def _steps(setting: Setting) -> Iterator[Row]:
    """Forward and backward with the recipe's views made on the device, ours and timm's, in bfloat16."""
    batch = _TINY_BATCH if setting.is_tiny else _BATCH
    for name, size in _SIZES.items():
        ours = VisionTransformer(distilled=True, **size, **_shape(setting))  # type: ignore[arg-type]
        models: dict[str, Any] = {"deit_core": ours}
        try:
            from timm.models.deit import VisionTransformerDistilled

            timms = VisionTransformerDistilled(**size, **_shape(setting))  # type: ignore[no-untyped-call]
            timms.set_distilled_training()
            models["timm"] = timms
        except ImportError:
            pass
        for loop, model in models.items():
            model.to(setting.device).train()
            yield {"model": name, "loop": loop, "batch": batch} | _step_of(setting, model, ours.img_size[0], batch)


def _step_of(setting: Setting, model: torch.nn.Module, side: int, batch: int) -> Row:
    device = setting.device
    images = torch.randint(256, (4 * batch, 3, side, side), dtype=torch.uint8, device=device)
    views = EpochViews(_RECIPE, len(images), torch.arange(len(images)), side, 0, 0, device)
    labels = torch.arange(batch, device=device) % 10
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)
    number = 0

    def make_views() -> Tensor:
        nonlocal number
        number = (number + 1) % 4
        places = slice(number * batch, (number + 1) * batch)
        return views.make(images, torch.arange(places.start, places.stop, device=device), places)

    def learn(pixels: Tensor) -> None:
        with torch.autocast(device.type, torch.bfloat16):
            by_class, by_token = model(pixels)
        loss = F.cross_entropy(by_class.float(), labels) + F.cross_entropy(by_token.float(), labels)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()

    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    pixels = make_views()
    step_s = seconds_of(lambda: learn(pixels), device, 5 * setting.window_s)
    views_s = seconds_of(make_views, device, 2 * setting.window_s)
    both_s = seconds_of(lambda: learn(make_views()), device, 5 * setting.window_s)
    peak = torch.cuda.max_memory_allocated(device) if device.type == "cuda" else 0
    return {
        "images_per_s": round(batch / both_s),
        "without_views": round(batch / step_s),
        "views_per_s": round(batch / views_s),
        "peak_gb": round(peak / 1e9, 2),
    }


@torch.no_grad()
def _slider(setting: Setting) -> Iterator[Row]:
    """A move of the discard slider, from what the page keeps of an image."""
    for side in (32,) if setting.is_tiny else (224, 384):
        model = VisionTransformer(img_size=side, depth=1 if setting.is_tiny else 12).to(setting.device).eval()
        attention = model(torch.randn(1, 3, side, side, device=setting.device), return_attention=True)[1]
        for place in (setting.device, torch.device("cpu")):
            look = Look(attention.to(place), {}, model.num_prefix_tokens, model.grid_size)
            prepared = look.prepare()

            def move(prepared: Any = prepared) -> np.ndarray[Any, Any]:
                values: np.ndarray[Any, Any] = prepared.map(discard_ratio=0.9).values
                return values

            move_ms = 1000 * seconds_of(move, setting.device, setting.window_s)
            yield {"model": f"ViT-B/16 {side}", "what": f"slider, on {place.type}", "move_ms": round(move_ms, 3)}


@torch.no_grad()
def _attention(setting: Setting) -> Iterator[Row]:
    """A forward pass that gives its attention away, against the fused one."""
    batch = _TINY_BATCH if setting.is_tiny else 64
    model: Any = VisionTransformer(distilled=True, **_SIZES["DeiT-S/16"], **_shape(setting))  # type: ignore[arg-type]
    model.to(setting.device).eval()
    images = torch.randn(batch, 3, *model.img_size, device=setting.device)
    ways: dict[str, Callable[[], object]] = {
        "fused": lambda: model(images),
        "with attention": lambda: model(images, return_attention=True),
    }
    seconds = {name: seconds_of(way, setting.device, setting.window_s) for name, way in ways.items()}
    ratio = round(seconds["with attention"] / seconds["fused"], 2)
    yield {"model": "DeiT-S/16", "batch": batch, "attention_over_fused": ratio}


def _rollouts(setting: Setting) -> Iterator[Row]:
    """Whole rollouts, from pixels, of many images."""
    count, at_once = (8, 4) if setting.is_tiny else (256, 64)
    model = VisionTransformer(distilled=True, **_SIZES["DeiT-S/16"], **_shape(setting))  # type: ignore[arg-type]
    model.to(setting.device).eval()
    images = torch.randn(count, 3, *model.img_size, device=setting.device)
    attention_rollout(model, images[:at_once])
    wait(setting.device)
    began = time.perf_counter()
    for piece in images.split(at_once):
        attention_rollout(model, piece, discard_ratio=0.9)
    wait(setting.device)
    yield {
        "model": "DeiT-S/16",
        "what": f"rollouts of {count} images",
        "seconds": round(time.perf_counter() - began, 3),
    }
