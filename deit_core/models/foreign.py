"""Checkpoints of others: a ViT or DeiT from a file of timm, Facebook's DeiT or Hugging Face.

Knows files and tensors; nothing of runs, classes' names or the pixels that a model was trained with.
"""

from pathlib import Path

from deit_core.errors import CheckpointError
from deit_core.models.hugging_face import is_hugging_face, rename
from deit_core.models.published import NUM_HEADS, Published
from deit_core.models.state_dicts import StateDict, read_state_dict
from deit_core.models.transfer import Shape, transfer
from deit_core.models.vit import VisionTransformer


def read_vit_weights(file: Path) -> StateDict:
    """The tensors of a ViT or DeiT under timm's names, from any of the three.

    Raises: CheckpointError where the file is missing, damaged, or needs code to run before it can be read.
    """
    state = read_state_dict(file)
    return rename(state) if is_hugging_face(state) else state


def load_foreign(
    path: Path | str,
    *,
    num_classes: int | None = None,
    img_size: int | None = None,
    num_heads: int | None = None,
) -> VisionTransformer:
    """Build a model around the weights of a timm, Facebook or Hugging Face file, in eval mode on the CPU.

    Args:
        path: .safetensors, or .pth, .pt or .bin as `torch.save` writes it, wrapped in "model" or not.
        num_classes: another number than the file's gives new heads, freshly initialised; None keeps the file's.
        img_size: side in pixels; another than the file's resamples the positions. None keeps the file's.
        num_heads: attention heads a block; None takes what an export of ours or a hub's config.json beside the file
            says, else what models of this width are published with.
    Returns: the model, distilled where the file has a distillation token.
    Raises: CheckpointError, one sentence, where the file is missing, damaged, would run code, is of another
        architecture, or does not say enough.
    """
    file = Path(path)
    state = read_vit_weights(file)
    shape = Shape.of(state, str(file))
    heads = num_heads or Published.of(file).num_heads or NUM_HEADS.get(shape.embed_dim)
    if heads is None:
        raise CheckpointError(
            f"{file} is {shape.embed_dim} wide, a width that is published with no particular number of attention "
            "heads, and no file of weights says it; state num_heads, "
            "of a teacher distillation.teacher_num_heads."
        )
    classes = num_classes or shape.num_classes
    if classes is None:
        raise CheckpointError(f"{file} has no head; state num_classes to give it a new one.")
    try:
        model = VisionTransformer(
            img_size=img_size or (shape.grid_size[0] * shape.patch_size[0], shape.grid_size[1] * shape.patch_size[1]),
            patch_size=shape.patch_size,
            in_chans=shape.in_chans,
            num_classes=classes,
            embed_dim=shape.embed_dim,
            depth=shape.depth,
            num_heads=heads,
            mlp_ratio=(shape.hidden_dim + 0.5) / shape.embed_dim,  # what is multiplied back is rounded down
            distilled=shape.distilled,
            qkv_bias=shape.qkv_bias,
        )
    except ValueError as error:
        raise CheckpointError(f"{file} cannot be used so. {error}") from None
    transfer(state, model, str(file))
    return model.eval()
