"""What the configs in a folder of Hugging Face's Hub say of a model: timm's config.json, which transformers reads
through timm too, and transformers' preprocessor_config.json.

Knows models and their facts; no files. deit_core.models.foreign.published reads such configs.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn

    from deit_core.models import VisionTransformer
    from deit_core.models.foreign.published import Published

_TIMM_SIZES = {384: "small", 768: "base"}  # by width; any other is a tiny one with another width


def config(model: "nn.Module", published: "Published") -> dict[str, Any]:
    """config.json: timm's where timm has the network, else what is in the model's folder, in words of ours.

    Args: published: of the network that the folder's tensors are of.
    """
    common = {"num_classes": model.num_classes, "label_names": list(published.classes) or None}
    known = {name: value for name, value in common.items() if value is not None}
    timms = timm_network(model)
    if not timms:
        return {"library_name": "deit_lab", "network": type(model).__name__, "in_chans": published.in_chans} | known
    architecture, arguments = timms
    assert published.img_size is not None
    in_chans = arguments.get("in_chans", 3)
    pixels = {
        "input_size": [in_chans, *published.img_size],
        "fixed_input_size": "img_size" in arguments,
        "mean": list(published.mean),
        "std": list(published.std),
        "interpolation": "bicubic",
        "crop_pct": 1.0,
        "num_classes": model.num_classes,
    }
    return {"architecture": architecture, "model_args": arguments, "pretrained_cfg": pixels} | known


def preprocessor_config(published: "Published") -> dict[str, Any]:
    """preprocessor_config.json: how pixels become what the network reads."""
    assert published.img_size is not None
    height, width = published.img_size
    return {
        "image_processor_type": "ViTImageProcessor",
        "do_resize": True,
        "size": {"height": height, "width": width},
        "resample": 3,
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": list(published.mean),
        "image_std": list(published.std),
    }


def timm_network(model: "nn.Module") -> tuple[str, dict[str, Any]] | None:
    """timm's name of a network, and the arguments that its shape needs; None where timm has no such network."""
    from deit_core.models import VisionTransformer
    from deit_core.models.adapted_classifier import AdaptedClassifier
    from deit_core.models.foreign.config_fields import TIMM_CNN
    from deit_core.models.timm_classifier import TimmClassifier

    if isinstance(model, VisionTransformer):
        if not model.is_published_kind:
            return None
        if model.pool == "both" or (model.distilled and (model.num_registers or not model.prefix_positions)):
            return None
        size = _TIMM_SIZES.get(model.embed_dim, "tiny")
        return f"deit_{size}_distilled_patch16_224" if model.distilled else f"vit_{size}_patch16_224", _shape(model)
    if isinstance(model, TimmClassifier):
        return model.name.partition(".")[0], {}
    if isinstance(model, AdaptedClassifier) and TIMM_CNN.fullmatch(model.name):
        return model.name, {}
    return None


def _shape(model: "VisionTransformer") -> dict[str, Any]:
    hidden_dim = len(model.get_parameter("blocks.0.mlp.fc1.weight"))
    ratio = hidden_dim / model.embed_dim
    if int(model.embed_dim * ratio) != hidden_dim:  # what is multiplied back is rounded down
        ratio = (hidden_dim + 0.5) / model.embed_dim
    return {
        "img_size": list(model.img_size),
        "patch_size": list(model.patch_size),
        "in_chans": model.in_chans,
        "embed_dim": model.embed_dim,
        "depth": model.depth,
        "num_heads": model.num_heads,
        "mlp_ratio": ratio,
        "qkv_bias": "blocks.0.attn.qkv.bias" in model.state_dict(),
    } | _newer_parts(model)


def _newer_parts(model: "VisionTransformer") -> dict[str, Any]:
    """What later transformers have and the first ones do not."""
    parts: dict[str, Any] = {} if model.layer_scale is None else {"init_values": model.layer_scale}
    if model.num_registers:
        parts["reg_tokens"] = model.num_registers
    if not model.prefix_positions:
        parts["no_embed_class"] = True
    if model.pool == "mean":
        parts |= {"global_pool": "avg", "fc_norm": True}
    return parts
