"""Hugging Face's names of a ViT's, a DeiT's or a DINOv2's tensors, put into timm's.

Knows names and tensors; no files, no models. Source of their names: `ViTForImageClassification`,
`DeiTForImageClassificationWithTeacher`, `Dinov2ForImageClassification` and `Dinov2WithRegistersForImageClassification`
of the transformers library, version 4, and version 5, which has others in the
blocks, though its `save_pretrained` writes those of version 4. `DeiTForImageClassification` has a distillation token
without a head: it can start a model with new heads or without the token, but is not a whole DeiT.
"""

import re
from collections.abc import Mapping

import torch
from torch import Tensor

_BLOCK = r"(?:encoder\.layer|layers)\.(\d+)\."  # of version 4, or 5
_NAMES = (  # theirs, as patterns for a whole name without the model's prefix, and ours
    (r"embeddings\.cls_token", "cls_token"),
    (r"embeddings\.distillation_token", "dist_token"),
    (r"embeddings\.register_tokens", "register_tokens"),
    (r"embeddings\.position_embeddings", "pos_embed"),
    (r"embeddings\.patch_embeddings\.projection\.(weight|bias)", r"patch_embed.proj.\1"),
    (_BLOCK + r"(norm[12])\.(weight|bias)", r"blocks.\1.\2.\3"),
    (_BLOCK + r"layer_scale([12])\.lambda1", r"blocks.\1.ls\2.gamma"),
    (_BLOCK + r"layernorm_before\.(weight|bias)", r"blocks.\1.norm1.\2"),
    (_BLOCK + r"layernorm_after\.(weight|bias)", r"blocks.\1.norm2.\2"),
    (_BLOCK + r"attention\.(?:output\.dense|o_proj)\.(weight|bias)", r"blocks.\1.attn.proj.\2"),
    (_BLOCK + r"(?:intermediate\.dense|mlp\.fc1)\.(weight|bias)", r"blocks.\1.mlp.fc1.\2"),
    (_BLOCK + r"(?:output\.dense|mlp\.fc2)\.(weight|bias)", r"blocks.\1.mlp.fc2.\2"),
    (r"layernorm\.(weight|bias)", r"norm.\1"),
    (r"(?:cls_)?classifier\.(weight|bias)", r"head.\1"),
    (r"distillation_classifier\.(weight|bias)", r"head_dist.\1"),
)
_QKV = re.compile(_BLOCK + r"attention\.(?:attention\.(query|key|value)|([qkv])_proj)\.(weight|bias)")
_UNUSED = ("pooler.", "embeddings.mask_token", "mask_token")  # of other tasks; the last is Facebook's


def plays_a_part(name: str) -> bool:
    """Whether a tensor can change the logits."""
    return not _bare(name).startswith(_UNUSED)


def is_hugging_face(names: Mapping[str, Tensor]) -> bool:
    return any(name.endswith("patch_embeddings.projection.weight") for name in names)


def rename(theirs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Their tensors under timm's names; queries, keys and values become one matrix of rows q | k | v.

    Names that are not known stay as they are, for the caller to refuse.
    """
    ours: dict[str, Tensor] = {}
    rows: dict[str, dict[str, Tensor]] = {}
    for name, tensor in theirs.items():
        bare = _bare(name)
        if match := _QKV.fullmatch(bare):
            kind = (match[2] or match[3])[0]
            rows.setdefault(f"blocks.{match[1]}.attn.qkv.{match[4]}", {})[kind] = tensor
        elif plays_a_part(name):
            ours[_renamed(bare)] = tensor
    whole = {name: parts for name, parts in rows.items() if len(parts) == 3}
    return ours | {name: torch.cat([parts[kind] for kind in "qkv"]) for name, parts in whole.items()}


def _bare(name: str) -> str:
    return re.sub(r"^(deit|vit|dinov2|dinov2_with_registers)\.", "", name)


def _renamed(name: str) -> str:
    for pattern, ours in _NAMES:
        if re.fullmatch(pattern, name):
            return re.sub(pattern, ours, name)
    return name
