"""Hugging Face's names of a ViT's or a DeiT's tensors, put into timm's.

Knows names and tensors; no files, no models. Source of their names: `ViTForImageClassification` and
`DeiTForImageClassificationWithTeacher` of the transformers library, version 4. `DeiTForImageClassification` has a
distillation token without a head: it may start a model with new heads or without the token, but is no whole DeiT.
"""

import re
from collections.abc import Mapping

import torch
from torch import Tensor

_BLOCK = r"encoder\.layer\.(\d+)\."
_NAMES = (  # theirs, as patterns for a whole name without the model's prefix, and ours
    (r"embeddings\.cls_token", "cls_token"),
    (r"embeddings\.distillation_token", "dist_token"),
    (r"embeddings\.position_embeddings", "pos_embed"),
    (r"embeddings\.patch_embeddings\.projection\.(weight|bias)", r"patch_embed.proj.\1"),
    (_BLOCK + r"layernorm_before\.(weight|bias)", r"blocks.\1.norm1.\2"),
    (_BLOCK + r"layernorm_after\.(weight|bias)", r"blocks.\1.norm2.\2"),
    (_BLOCK + r"attention\.output\.dense\.(weight|bias)", r"blocks.\1.attn.proj.\2"),
    (_BLOCK + r"intermediate\.dense\.(weight|bias)", r"blocks.\1.mlp.fc1.\2"),
    (_BLOCK + r"output\.dense\.(weight|bias)", r"blocks.\1.mlp.fc2.\2"),
    (r"layernorm\.(weight|bias)", r"norm.\1"),
    (r"(?:cls_)?classifier\.(weight|bias)", r"head.\1"),
    (r"distillation_classifier\.(weight|bias)", r"head_dist.\1"),
)
_QUERY = re.compile(_BLOCK + r"attention\.attention\.query\.(weight|bias)")
_UNUSED = ("pooler.", "embeddings.mask_token")  # of other tasks; they play no part in the logits


def is_hugging_face(names: Mapping[str, Tensor]) -> bool:
    return any(name.endswith("patch_embeddings.projection.weight") for name in names)


def rename(theirs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Their tensors under timm's names; queries, keys and values become one matrix of rows q | k | v.

    Names that are not known stay as they are, for the caller to refuse.
    """
    bare = {name.removeprefix("deit.").removeprefix("vit."): tensor for name, tensor in theirs.items()}
    ours: dict[str, Tensor] = {}
    for name, tensor in bare.items():
        if name.startswith(_UNUSED):
            continue
        if query := _QUERY.fullmatch(name):
            parts = [bare.get(name.replace(".query.", f".{part}.")) for part in ("query", "key", "value")]
            if all(part is not None for part in parts):
                ours[f"blocks.{query[1]}.attn.qkv.{query[2]}"] = torch.cat([part for part in parts if part is not None])
        elif not re.fullmatch(r".*attention\.attention\.(key|value)\.(weight|bias)", name):
            ours[_renamed(name)] = tensor
    return ours


def _renamed(name: str) -> str:
    for pattern, ours in _NAMES:
        if re.fullmatch(pattern, name):
            return re.sub(pattern, ours, name)
    return name
