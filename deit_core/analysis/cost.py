"""What one image costs a network: the floating-point operations of a forward pass, from its spec.

A multiplication and an addition count as two; matrix products, convolutions and attention alone are counted, as
`torch.utils.flop_counter` does. Knows specs; loads no torch.

    N tokens, D embed_dim, M hidden width of an MLP, S img_size
"""

from deit_core.spec import PlainCnnSpec, ResNet9Spec, RunSpec, VisionTransformerSpec

# Per pixel of an image, without the head, and the inputs of the head; counted in torchvision 0.28.0's and timm 1.0's
# networks at 224 px.
_PER_PIXEL = {
    "resnet18": (72_288.0, 512),
    "resnet50": (162_912.0, 2048),
    "regnet_y_400mf": (15_999.8, 440),
    "regnet_y_800mf": (33_206.0, 784),
    "regnet_y_1_6gf": (64_221.5, 888),
    "regnet_y_3_2gf": (126_553.4, 1512),
    "regnet_y_8gf": (337_653.6, 2016),
    "regnet_y_16gf": (634_107.4, 3024),
    "tf_efficientnet_lite0": (15_302.4, 1280),
}


def flops_per_image(spec: RunSpec, in_chans: int, num_classes: int) -> float | None:
    """Of the network that a run trains on images of so many channels and classes; None for one that is not known."""
    model, side = spec.model, spec.data.img_size
    if isinstance(model, VisionTransformerSpec):
        return _vit(model, side, in_chans, num_classes)
    if isinstance(model, PlainCnnSpec):
        convolutions = 9 * (in_chans * model.width * side**2 + 2 * model.width**2 * (side // 2) ** 2)
        return 2 * (convolutions + 2 * model.width * num_classes)
    if isinstance(model, ResNet9Spec):
        return _resnet9(model.width, side, in_chans, num_classes)
    if model.name not in _PER_PIXEL:
        return None
    per_pixel, width = _PER_PIXEL[model.name]
    return per_pixel * (model.input_size or side) ** 2 + 2 * width * num_classes


def _vit(model: VisionTransformerSpec, side: int, in_chans: int, num_classes: int) -> int:
    width, hidden = model.embed_dim, int(model.embed_dim * model.mlp_ratio)
    num_heads, patches = (2 if model.distilled else 1), (side // model.patch_size) ** 2
    tokens = num_heads + model.num_registers + patches
    read = 2 * width if model.pool == "both" else width
    block = 2 * tokens * (4 * width**2 + 2 * width * hidden) + 4 * tokens**2 * width  # qkv, proj, MLP, attention
    embedding = 2 * patches * in_chans * model.patch_size**2 * width
    return model.depth * block + embedding + 2 * num_heads * read * num_classes


def _resnet9(width: int, side: int, in_chans: int, num_classes: int) -> int:
    """Convolutions of 3 x 3, each with its channels in and out, and the halvings of the image before it."""
    wide = 4 * width
    convolutions = [(in_chans, width, 0), (width, 2 * width, 0), *[(2 * width, 2 * width, 1)] * 2]
    convolutions += [(2 * width, wide, 1), (wide, wide, 2), *[(wide, wide, 3)] * 2]
    products = sum(9 * before * after * (side >> halvings) ** 2 for before, after, halvings in convolutions)
    return 2 * (products + wide * num_classes)
