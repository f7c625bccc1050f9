"""Facebook's names of a DeiT III's or a DINOv2's tensors, put into timm's, and its registers where timm has them.

Knows names and tensors; no files, no models. Other ViTs and DeiTs of Facebook's have timm's names. Source: the
repositories facebookresearch/deit (models_v2.py) and facebookresearch/dinov2.
"""

import re
from collections.abc import Mapping

from torch import Tensor

from deit_core.models.foreign.hugging_face import plays_a_part


def rename(theirs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Their tensors under timm's names. Names that are not known stay as they are, for the caller to refuse.

    DINOv2 puts its registers, which have no positions, after a class token that has one. The class token takes its
    position in, which computes the same.
    """
    ours = {
        re.sub(r"^(blocks\.\d+\.)gamma_([12])$", r"\1ls\2.gamma", name): tensor
        for name, tensor in theirs.items()
        if plays_a_part(name)
    }
    widths = {ours[name].shape[2:] for name in ("register_tokens", "cls_token", "pos_embed") if name in ours}
    if "register_tokens" in ours and len(widths) == 1 and {"cls_token", "pos_embed"} <= ours.keys():
        ours["reg_token"] = ours.pop("register_tokens")
        first, ours["pos_embed"] = ours["pos_embed"].tensor_split([1], dim=1)
        ours["cls_token"] = ours["cls_token"] + first
    return ours
