"""A transformer of another library: its attention, taken while it looks at images, and its logits.

Nothing in the model is changed. PyTorch's own attention functions are watched while it runs, so that any model that
uses them can be read: timm's, Hugging Face's, torchvision's. Knows how these libraries state classes and pixels.

    L layers, B batch, H heads, N tokens = P prefix + gh * gw patches, K classes
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from deit_core.catalog import IMAGENET_MEAN, IMAGENET_STD
from deit_core.errors import DeitError
from deit_core.models import FileReading, Reading
from deit_core.models.vit import mean_of_heads

_SOFTMAX = (F.softmax, torch.softmax, torch.Tensor.softmax)
_STATE = "state both, as in Viewer(model, num_prefix_tokens=1, grid_size=(14, 14))"


@dataclass(frozen=True, eq=False)
class Seen:
    """What one pass over a batch of images gives.

    attention: L tensors (B, H, N, N) after the softmax.
    logits: (B, K); None for a backbone.
    share_read: (N,) weights of the tokens that the output is made from.
    """

    attention: list[Tensor]
    logits: Tensor | None
    num_prefix_tokens: int
    grid_size: tuple[int, int]
    share_read: Tensor


class OtherModel(nn.Module):
    """A model of others, images in and logits (B, K) out.

    Args:
        num_prefix_tokens, grid_size: where they are not those that the sequence and the last convolution before the
            first attention give.
    """

    def __init__(
        self, model: nn.Module, num_prefix_tokens: int | None = None, grid_size: tuple[int, int] | None = None
    ) -> None:
        super().__init__()
        self.model, self.num_prefix_tokens, self.grid_size = model, num_prefix_tokens, grid_size
        self.num_classes = _num_classes(model)
        self.training = False  # the model inside has a mode of its own

    def forward(self, images: Tensor) -> Tensor:
        """Raises: DeitError for a backbone."""
        logits = self._logits(self.model(images))
        return mean_of_heads({} if logits is None else {"class": logits})

    def see(self, images: Tensor, name: str, max_bytes: int) -> Seen:
        """Args: name: of the model, in messages; max_bytes: of the attention.

        Raises: DeitError where no attention is seen, or not that of tokens before a grid of patches.
        """
        with _Watch(name, max_bytes) as watch:
            output = self.model(images)
        layers = [weights for weights in watch.layers if len(weights) == len(images)]
        if not layers or {weights.shape for weights in layers} != {layers[0].shape}:
            raise DeitError(
                f"{name!r} showed no attention between the same tokens in all of its layers: "
                f"{_listed(watch.layers)}. Rollout is for ViTs, not for models with windows; compiled and exported "
                'models hide theirs, and so do Hugging Face\'s unless attn_implementation is "eager" or "sdpa".'
            )
        num_tokens = layers[0].shape[-1]
        grid = self.grid_size or watch.grid
        if grid is None:
            raise DeitError(f"{name!r} has no convolution that cuts patches, so its grid is not known; {_STATE}.")
        num_prefix = self.num_prefix_tokens if self.num_prefix_tokens is not None else num_tokens - math.prod(grid)
        if num_prefix < 0 or num_prefix + math.prod(grid) != num_tokens:
            raise DeitError(
                f"{name!r} has {num_tokens} tokens, which are not {num_prefix} before {grid[0]} x {grid[1]} patches; "
                f"{_STATE}."
            )
        share = _share_read(self.model, num_prefix, num_tokens)
        return Seen(layers, self._logits(output), num_prefix, grid, share)

    def _logits(self, output: Any) -> Tensor | None:
        output = getattr(output, "logits", output)
        return output if isinstance(output, Tensor) and output.ndim == 2 and self.num_classes != 0 else None


@dataclass(eq=False)
class _Watch(TorchFunctionMode):
    """Keeps the attention weights that PyTorch's functions compute, and the grid that the patches come from."""

    name: str
    max_bytes: int
    layers: list[Tensor] = field(default_factory=list)
    grid: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        super().__init__()

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        given = dict(kwargs or {})
        if func is F.multi_head_attention_forward:
            output, weights = func(*args, **given | {"need_weights": True, "average_attn_weights": False})
            self._keep(weights)
            return output, weights
        if func is F.scaled_dot_product_attention:
            self._keep(_weights(*args, **given))
        result = func(*args, **given)
        if func in _SOFTMAX:
            self._keep(result)
        elif func is F.conv2d and not self.layers:
            self.grid = (result.shape[-2], result.shape[-1])
        return result

    def _keep(self, weights: Tensor) -> None:
        if weights.ndim != 4 or weights.shape[-1] != weights.shape[-2]:
            return  # of a head that pools, or of something else than attention
        self.layers.append(weights.detach())
        num_bytes = sum(4 * layer.numel() for layer in self.layers)
        if num_bytes > self.max_bytes:
            raise DeitError(
                f"The attention of {self.name!r} over {len(weights)} image(s) takes more than "
                f"{self.max_bytes // 2**20} MiB; choose a model with larger patches, smaller images, or fewer."
            )


def _weights(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """The weights that `scaled_dot_product_attention` multiplies the values by, without dropout."""
    if enable_gqa:
        key = key.repeat_interleave(query.shape[-3] // key.shape[-3], dim=-3)
    scores = (query @ key.transpose(-2, -1)).float() * (query.shape[-1] ** -0.5 if scale is None else scale)
    if is_causal:
        scores = scores.masked_fill(torch.ones_like(scores, dtype=torch.bool).triu(1), -math.inf)
    if attn_mask is not None:
        scores = scores.masked_fill(~attn_mask, -math.inf) if attn_mask.dtype == torch.bool else scores + attn_mask
    return scores.softmax(-1)


def reading_of(model: nn.Module) -> Reading:
    """How a model of timm's, Hugging Face's or torchvision's reads pixels, by what it says of itself.

    Raises: DeitError for another model.
    """
    name, assumed = type(model).__name__, []
    published, config = getattr(model, "pretrained_cfg", None) or {}, getattr(model, "config", None)
    if isinstance(published, Mapping) and "mean" in published:  # timm's
        size = getattr(getattr(model, "patch_embed", None), "img_size", None) or published["input_size"][1:]
        mean, std, in_chans = published["mean"], published["std"], getattr(model, "in_chans", 3)
        classes: Iterable[str] = published.get("label_names") or ()
    elif hasattr(config, "image_size"):  # Hugging Face's
        assert config is not None
        size, in_chans = config.image_size, config.num_channels
        mean = std = (0.5,) * in_chans
        classes = config.id2label.values() if _num_classes(model) else ()
        assumed.append(f"{name} does not say how its pixels were normalised, so a mean and deviation of 0.5 are used.")
    elif isinstance(getattr(model, "image_size", None), int):  # torchvision's
        size, in_chans, mean, std, classes = model.image_size, 3, IMAGENET_MEAN, IMAGENET_STD, ()
    else:
        raise DeitError(
            f"A {name} does not say how it reads pixels; give Viewer a card: FileReading(file=NAME, side=PIXELS, "
            "classes=NAMES, in_chans=3, mean=MEAN, std=STD)."
        )
    height, width = (size, size) if isinstance(size, int) else size
    if height != width or len(mean) != in_chans:
        raise DeitError(
            f"{name} reads {in_chans} channels of {height} x {width} pixels, normalised in {len(mean)}; images are "
            "square here. Build it for square images, or give Viewer a card (FileReading)."
        )
    num_classes = _num_classes(model)
    if num_classes and len(list(classes)) != num_classes:
        classes = map(str, range(num_classes))
        assumed.append(f"{name} does not name the classes, so they are called by their numbers, from 0.")
    return FileReading(
        file=name,
        side=height,
        classes=tuple(classes) if num_classes else (),
        in_chans=in_chans,
        mean=tuple(mean),
        std=tuple(std),
        assumed=tuple(assumed),
    )


def _num_classes(model: nn.Module) -> int | None:
    """0 for a backbone, None where the model does not say."""
    labels = getattr(getattr(model, "config", None), "num_labels", None)  # Hugging Face's, of backbones too
    if labels is not None:
        return int(labels) if any(hasattr(model, name) for name in ("classifier", "cls_classifier")) else 0
    number = getattr(model, "num_classes", None)
    return number if isinstance(number, int) else None


def _share_read(model: nn.Module, num_prefix: int, num_tokens: int) -> Tensor:
    """The tokens that the output is made from: the mean of the patches, both tokens of a DeiT, or the class token."""
    share = torch.zeros(num_tokens)
    config = getattr(model, "config", None)
    pools = getattr(model, "global_pool", "") == "avg" or getattr(config, "use_mean_pooling", False)
    is_deit = any(hasattr(model, name) for name in ("head_dist", "distillation_classifier"))
    read = slice(num_prefix, None) if pools or not num_prefix else slice(0, 2 if is_deit and num_prefix > 1 else 1)
    share[read] = 1
    return share / share.sum()


def _listed(layers: list[Tensor]) -> str:
    shapes = dict.fromkeys(" x ".join(map(str, weights.shape)) for weights in layers)
    return f"there were weights of {', '.join(shapes)}" if shapes else "there were none"
