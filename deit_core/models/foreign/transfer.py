"""Weights of one ViT put into another that differs in image size, classes, or the distillation token.

Knows tensors under timm's names and models; no files.

    D embed_dim, K classes, gh x gw patches
"""

import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from deit_core.errors import CheckpointError
from deit_core.models.foreign.positions import Grid, resample_pos_embed
from deit_core.models.vit import Pool, VisionTransformer

_HEADS = ("head", "head_dist")
_DISTILLATION = ("dist_token", "head_dist.weight", "head_dist.bias")


@dataclass(frozen=True)
class Shape:
    """The shape of a ViT, from its tensors. They do not contain the number of attention heads.

    `grid_size` assumes square images unless their size is known; `num_classes` is None where there is no head. `pool`
    is "class" for a backbone too, unless its norm is the one after a mean.
    """

    patch_size: tuple[int, int]
    in_chans: int
    embed_dim: int
    depth: int
    hidden_dim: int
    qkv_bias: bool
    distilled: bool
    grid_size: Grid
    num_classes: int | None
    layer_scale: bool
    num_registers: int
    prefix_positions: bool
    pool: Pool

    @property
    def num_prefix_positions(self) -> int:
        return (2 if self.distilled else 1) + self.num_registers if self.prefix_positions else 0

    @classmethod
    def of(
        cls, state: Mapping[str, Tensor], origin: str, img_size: Grid | None = None, size_source: str = ""
    ) -> "Shape":
        """The shape of the ViT with these tensors.

        Args: img_size: (height, width) in pixels, from a config; `size_source` names the config in errors.
        Raises: CheckpointError where they are not those of a ViT or DeiT, or of another image size.
        """
        needed = {"cls_token": 3, "pos_embed": 3, "patch_embed.proj.weight": 4, "blocks.0.mlp.fc1.weight": 2}
        ndims = needed | {name: ndim for name, ndim in (("reg_token", 3), ("head.weight", 2)) if name in state}
        if lacking := [name for name, ndim in ndims.items() if name not in state or state[name].ndim != ndim]:
            raise CheckpointError(
                f"{origin} contains no Vision Transformer with the names of timm, Facebook's DeiT or Hugging Face: "
                f"{_some(lacking)} {'is' if len(lacking) == 1 else 'are'} missing or of another shape. "
                "Choose a ViT or DeiT with class token and learned positions."
            )
        embed_dim, in_chans, *patch = state["patch_embed.proj.weight"].shape
        blocks = {int(match[1]) for name in state if (match := re.match(r"blocks\.(\d+)\.", name))}
        distilled = "dist_token" in state
        num_registers = state["reg_token"].shape[1] if "reg_token" in state else 0
        num_prefix, num_positions = (2 if distilled else 1) + num_registers, state["pos_embed"].shape[1]
        layer_scale = "blocks.0.ls1.gamma" in state
        # Published models with registers have positions of patches alone. Without a size, those of a DeiT III are taken
        # for such by its LayerScale: eight patches and a class token could be nine patches.
        order = (0, num_prefix) if num_registers else (num_prefix, 0) if img_size or layer_scale else (num_prefix,)
        fitting = ((prefix, _grid(num_positions - prefix, (patch[0], patch[1]), img_size)) for prefix in order)
        prefix_positions, grid_size = next(((prefix > 0, grid) for prefix, grid in fitting if grid), (False, None))
        if grid_size is None:
            patches = "a square of patches"
            remedy = "choose another checkpoint, or put its config.json into the same folder"
            if img_size:
                patches = f"{img_size[0] // patch[0]} x {img_size[1] // patch[1]} patches, where {size_source}"
                remedy = "give the config that belongs to it"
            before = "one token" if num_prefix == 1 else f"{num_prefix} tokens"
            raise CheckpointError(
                f"{origin} has positions for {num_positions} tokens, which are not {before} and {patches}; {remedy}."
            )
        head = state.get("head.weight")
        wide = head is not None and head.shape[-1] == 2 * embed_dim
        return cls(
            patch_size=(patch[0], patch[1]),
            in_chans=in_chans,
            embed_dim=embed_dim,
            depth=max(blocks) + 1,
            hidden_dim=state["blocks.0.mlp.fc1.weight"].shape[0],
            qkv_bias="blocks.0.attn.qkv.bias" in state,
            distilled=distilled,
            grid_size=grid_size,
            num_classes=None if head is None else len(head),
            layer_scale=layer_scale,
            num_registers=num_registers,
            prefix_positions=prefix_positions,
            pool="mean" if "fc_norm.weight" in state else "both" if wide else "class",
        )


def _grid(num_patches: int, patch: Grid, img_size: Grid | None) -> Grid | None:
    """The rows and columns of so many patches, of a square where no size is known; None where they make none."""
    side = math.isqrt(max(0, num_patches))
    rows, columns = (img_size[0] // patch[0], img_size[1] // patch[1]) if img_size else (side, side)
    return (rows, columns) if 0 < rows * columns == num_patches else None


def transfer(
    state: Mapping[str, Tensor],
    model: VisionTransformer,
    origin: str,
    *,
    keep_heads: bool = True,
    shape: Shape | None = None,
) -> None:
    """Load weights into a model, which may differ from their source in four ways and in the pool, and no others.

    Another image size: positions are resampled. Other classes (or not `keep_heads`): the heads stay as the model was
    initialised. With or without distillation token: the token, its position and its head stay so too, or are left out.
    Three channels into one: their weights are summed, so that a grey image gives what its three equal channels gave.
    A head that reads another pool stays as it was initialised; only one after a mean has a norm of its own.

    Args:
        state: tensors under timm's names.
        origin: the name of the weights in messages.
        shape: of the tensors, if a config says more about it.
    Raises: CheckpointError for tensors that are missing, unknown or of other shapes.
    """
    shape_of_file, own = shape or Shape.of(state, origin), model.state_dict()
    adapted = dict(state)
    _check_same(shape_of_file, model, origin)
    if not keep_heads or (shape_of_file.num_classes, shape_of_file.pool) != (model.num_classes, model.pool):
        adapted |= {name: own[name] for name in own if name.partition(".")[0] in _HEADS}
    if shape_of_file.in_chans == 3 and model.in_chans == 1:
        adapted["patch_embed.proj.weight"] = state["patch_embed.proj.weight"].sum(1, keepdim=True)
    num_prefix = shape_of_file.num_prefix_positions
    positions = resample_pos_embed(state["pos_embed"], model.grid_size, shape_of_file.grid_size, num_prefix)
    if model.distilled and not shape_of_file.distilled:
        adapted |= {name: own[name] for name in _DISTILLATION}
        new = own["pos_embed"][:, 1:2].to(positions)
        positions = torch.cat([positions[:, :1], new, positions[:, 1:]], dim=1) if num_prefix else positions
    elif shape_of_file.distilled and not model.distilled:
        adapted = {name: tensor for name, tensor in adapted.items() if name not in _DISTILLATION}
        positions = torch.cat([positions[:, :1], positions[:, 2:]], dim=1) if num_prefix else positions
    adapted["pos_embed"] = positions
    _check_names(adapted, own, origin)
    model.load_state_dict(adapted)


def _check_same(shape_of_file: Shape, model: VisionTransformer, origin: str) -> None:
    """Refuse differences that no adaptation can solve."""
    fc1 = model.get_parameter("blocks.0.mlp.fc1.weight")
    wanted: dict[str, Any] = {
        "patch_size": model.patch_size,
        "embed_dim": model.embed_dim,
        "depth": model.depth,
        "hidden_dim": len(fc1),
        "layer_scale": model.layer_scale is not None,
        "num_registers": model.num_registers,
        "prefix_positions": model.prefix_positions,
    }
    if "mean" in (shape_of_file.pool, model.pool):
        wanted["pool"] = model.pool
    if shape_of_file.in_chans != model.in_chans and (shape_of_file.in_chans, model.in_chans) != (3, 1):
        wanted["in_chans"] = model.in_chans
    has = vars(shape_of_file)
    if differing := [name for name, value in wanted.items() if has[name] != value]:
        differences = ", ".join(f"{name} {_word(has[name])} in place of {_word(wanted[name])}" for name in differing)
        raise CheckpointError(
            f"{origin} is of another architecture ({differences}); give the model the same values, or choose another "
            "file."
        )


def _word(value: Any) -> Any:
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else value


def _check_names(adapted: Mapping[str, Tensor], own: Mapping[str, Tensor], origin: str) -> None:
    missing = own.keys() - adapted.keys()
    if missing == {"head_dist.weight", "head_dist.bias"}:
        raise CheckpointError(
            f"{origin} has a distillation token without a head, as in Hugging Face's DeiTForImageClassification; use "
            "a DeiTForImageClassificationWithTeacher, which has both heads."
        )
    if missing:
        raise CheckpointError(f"{origin} has no {_some(missing)}; it is incomplete, or of another architecture.")
    if unknown := adapted.keys() - own.keys():
        raise CheckpointError(
            f"{origin} has parts that no published ViT or DeiT has ({_some(unknown)}); choose another checkpoint."
        )
    if other := [name for name in own if adapted[name].shape != own[name].shape]:
        shapes = f"{tuple(adapted[other[0]].shape)} in place of {tuple(own[other[0]].shape)}"
        raise CheckpointError(f"{origin} has another shape of {_some(other)} ({shapes}); choose another checkpoint.")


def _some(names: Collection[str]) -> str:
    first, *others = sorted(names)
    return first + (f" and {len(others)} more" if others else "")
