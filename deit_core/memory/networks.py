"""The size of a network from its spec: weights, and the numbers that it keeps or passes on for each image.

Counted for float32 on a CPU, as deit_core.models computes there. Knows no tensors; deit_core.memory.timm_counts loads
timm for a network that is not in the table here.

    N tokens, D embed_dim, M hidden width of an MLP, H heads, S img_size
"""

from typing import NamedTuple

from deit_core.spec import (
    LibrarySpec,
    PlainCnnSpec,
    ResNet9Spec,
    RunSpec,
    TimmSpec,
    TorchvisionSpec,
    VisionTransformerSpec,
)

_FEW_TOKENS = 256  # up to which a ViT in training keeps its attention weights (models/vit.py)


class NetworkSize(NamedTuple):
    """Counts of numbers: the weights, those of them that learn, and for each image those that a step keeps for its
    backward pass (`kept`) and those of the largest layer, with its input (`passed`).
    """

    num_params: int
    num_trained: int
    kept: int
    passed: int


class _LibraryFacts(NamedTuple):
    """Weights without the head, inputs of the head, and `kept` and `passed` per pixel of an image."""

    num_params: int
    width: int
    kept: float
    passed: float


# Counted in torchvision 0.28.0's networks at 224 px.
_TORCHVISION = {
    "resnet18": _LibraryFacts(11_176_512, 512, 110.6, 32),
    "resnet50": _LibraryFacts(23_508_032, 2048, 428.6, 32),
    "regnet_y_400mf": _LibraryFacts(3_903_144, 440, 167.8, 24),
    "regnet_y_800mf": _LibraryFacts(5_647_512, 784, 233.4, 32),
    "regnet_y_1_6gf": _LibraryFacts(10_313_430, 888, 358.4, 24),
    "regnet_y_3_2gf": _LibraryFacts(17_923_338, 1512, 497.6, 36),
    "regnet_y_8gf": _LibraryFacts(37_364_472, 2016, 856.5, 112),
    "regnet_y_16gf": _LibraryFacts(80_565_140, 3024, 1005.7, 112),
}

# The presets' own, so that a page with one of them loads no timm; counted by deit_core.memory.timm_counts at 224 px.
_TIMM = {"tf_efficientnet_lite0": _LibraryFacts(3_371_008, 1280, 396.5, 48)}


def network_size(spec: RunSpec, in_chans: int, num_classes: int) -> NetworkSize:
    """The size of the network that a run trains on images of so many channels and classes."""
    model, side = spec.model, spec.data.img_size
    match model:
        case VisionTransformerSpec():
            return _vit(model, side, in_chans, num_classes)
        case PlainCnnSpec():
            return _plain_cnn(model.width, side, in_chans, num_classes)
        case ResNet9Spec():
            return _resnet9(model.width, side, in_chans, num_classes)
        case TorchvisionSpec():
            return _from_facts(_TORCHVISION[model.name], model, side, num_classes)
        case TimmSpec(name=name) if name in _TIMM:
            return _from_facts(_TIMM[name], model, side, num_classes)
        case TimmSpec():
            from deit_core.memory.timm_counts import count  # loads timm

            return NetworkSize(*count(model.name, model.input_size or side, num_classes, model.freeze_backbone))


def _vit(model: VisionTransformerSpec, side: int, in_chans: int, num_classes: int) -> NetworkSize:
    width, hidden = model.embed_dim, int(model.embed_dim * model.mlp_ratio)
    num_heads, patches = (2 if model.distilled else 1), (side // model.patch_size) ** 2
    prefix = num_heads + model.num_registers
    tokens = prefix + patches
    read = 2 * width if model.pool == "both" else width
    block = 4 * width**2 + 2 * width * hidden + 9 * width + hidden  # qkv, proj, MLP and two norms
    if model.layer_scale is not None:
        block += 2 * width
    weights = model.depth * block + 2 * width + num_heads * (read + 1) * num_classes
    positions = 0 if model.positions == "none" else tokens if model.prefix_positions else patches
    weights += (in_chans * model.patch_size**2 + 1 + prefix + positions) * width
    kept = tokens * (8 * width + 2 * hidden + 4)
    if model.layer_scale is not None:
        kept += tokens * 2 * width
    if model.drop_rate:
        kept += tokens * (2 * width + hidden)  # masks
    if model.attn_drop_rate or tokens <= _FEW_TOKENS:
        kept += model.num_heads * tokens**2 * (3 if model.attn_drop_rate else 1)
    ends = 4 * tokens * width + in_chans * side**2
    passed = tokens * max(2 * hidden + 2 * width, 8 * width)
    return NetworkSize(weights, weights, model.depth * kept + ends, passed)


def _plain_cnn(width: int, side: int, in_chans: int, num_classes: int) -> NetworkSize:
    weights = (9 * in_chans + 1) * width + (9 * width + 1) * 2 * width + (2 * width + 1) * num_classes
    kept = in_chans * side**2
    for channels, halvings in ((width, 0), (2 * width, 1)):
        kept += channels * (side >> halvings) ** 2  # of the convolution
        kept += 3 * channels * (side >> halvings + 1) ** 2  # of the pooling: values and indices of 8 bytes
    return NetworkSize(weights, weights, kept, 2 * width * side**2)


def _resnet9(width: int, side: int, in_chans: int, num_classes: int) -> NetworkSize:
    """Blocks of a convolution and a batch norm, each with its channels in and out, and the halvings before it."""
    wide = 4 * width
    blocks = [(in_chans, width, 0), (width, 2 * width, 0), *[(2 * width, 2 * width, 1)] * 2]
    blocks += [(2 * width, wide, 1), (wide, wide, 2), *[(wide, wide, 3)] * 2]
    weights = sum(9 * before * after + 2 * after for before, after, _ in blocks) + (wide + 1) * num_classes
    kept = sum(2 * after * (side >> halvings) ** 2 for _, after, halvings in blocks) + in_chans * side**2
    pooled = ((2 * width, 1), (wide, 2), (wide, 3))  # channels and halvings after each pooling
    kept += sum(4 * channels * (side >> halvings) ** 2 for channels, halvings in pooled)  # values, indices, sums
    return NetworkSize(weights, weights, kept, 5 * width * side**2)


def _from_facts(facts: _LibraryFacts, model: LibrarySpec, side: int, num_classes: int) -> NetworkSize:
    pixels = (model.input_size or side) ** 2
    head = (facts.width + 1) * num_classes
    if model.freeze_backbone:
        return NetworkSize(facts.num_params + head, head, facts.width, round(facts.passed * pixels))
    whole = facts.num_params + head
    return NetworkSize(whole, whole, round(facts.kept * pixels), round(facts.passed * pixels))
