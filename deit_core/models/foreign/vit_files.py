"""Foreign checkpoints: a ViT or DeiT from a file or folder of timm, Facebook's DeiT or Hugging Face.

Knows files and tensors; nothing of runs or of pixels. deit_core.models.foreign.formats decides which files are read,
deit_core.models.foreign.config_fields which configs.
"""

from pathlib import Path
from typing import Any, NamedTuple

from deit_core.errors import CheckpointError
from deit_core.models.foreign import facebook, hugging_face
from deit_core.models.foreign.published import NUM_HEADS, Published
from deit_core.models.foreign.state_dicts import StateDict, read_state_dict
from deit_core.models.foreign.transfer import Shape, transfer
from deit_core.models.vit import VisionTransformer

_EPS, _HUGGING_FACE_EPS = 1e-6, 1e-12  # of layer norms, where no config says it

_TANH_HEAD = ("classifier.fc1.weight", "classifier.fc2.weight")  # of the mini-project's Classifier

_WORDS = {  # for what is or is not among the tensors
    "layer_scale": ("no LayerScale", "LayerScale"),
    "prefix_positions": ("no positions of the class token", "positions of the class token too"),
    "fc_norm": ("no norm after the pool", "a norm after the pool"),
}


class ForeignVit(NamedTuple):
    """A ViT's or DeiT's tensors under timm's names, its shape, and the facts that they do not contain."""

    state: StateDict
    shape: Shape
    published: Published
    layer_norm_eps: float


def read_vit(path: Path) -> ForeignVit:
    """Raises: CheckpointError where it is not a ViT or DeiT like ours, or its config belongs to another model."""
    return vit_of(read_state_dict(path), path)


def vit_of(state: StateDict, path: Path) -> ForeignVit:
    """The same, from the tensors of `path`."""
    if all(name in state for name in _TANH_HEAD):
        raise CheckpointError(
            f"{path} has the names of the mini-project's ViT, whose head is Linear, Tanh, Linear (classifier.fc1 and "
            "fc2). A head here is one linear layer, so its answers cannot be computed exactly; train the preset "
            "fashion-miniproject instead."
        )
    theirs = hugging_face.is_hugging_face(state)
    renamed = facebook.rename(hugging_face.rename(state) if theirs else state)
    published = Published.of(path)
    size_source = next(
        (f"{place} {value}" for name, place, value in published.stated if name == "img_size"), "its note says so"
    )
    shape = Shape.of(renamed, str(path), published.img_size, size_source)
    _check(shape, published, path)
    usual_eps = _HUGGING_FACE_EPS if theirs and not shape.layer_scale else _EPS  # with LayerScale it is a DINOv2
    return ForeignVit(renamed, shape, published, published.layer_norm_eps or usual_eps)


def is_vit(state: StateDict) -> bool:
    names = ("cls_token", "pos_embed", *_TANH_HEAD)
    return hugging_face.is_hugging_face(state) or any(name in state for name in names)


def load_foreign(
    path: Path | str,
    *,
    num_classes: int | None = None,
    img_size: int | None = None,
    num_heads: int | None = None,
) -> VisionTransformer:
    """Build a model around the weights of a timm, Facebook or Hugging Face file or folder, in eval mode on the CPU.

    Args:
        path: .safetensors, or .pth, .pt or .bin as `torch.save` writes it, wrapped or not; the index of several; or a
            folder with such a file under a hub's name.
        num_classes: another number than the file's gives new, freshly initialised heads, 0 none; None keeps the file's.
        img_size: side in pixels; another than the file's resamples the positions. None keeps the file's.
        num_heads: attention heads per block; None takes the number from an export's note or a config.json in the same
            folder, else the usual number for this width.
    Returns: the model, distilled where the file has a distillation token, with LayerScale, registers and pool as the
        file has them.
    Raises: CheckpointError, one sentence, where the file is missing, damaged, would run code, is of another
        architecture, or does not say enough.
    """
    return build_vit(read_vit(Path(path)), Path(path), num_classes=num_classes, img_size=img_size, num_heads=num_heads)


def build_vit(
    vit: ForeignVit,
    file: Path,
    *,
    num_classes: int | None = None,
    img_size: int | None = None,
    num_heads: int | None = None,
) -> VisionTransformer:
    """The same, from the result of `read_vit`."""
    shape = vit.shape
    heads = num_heads or vit.published.num_heads or NUM_HEADS.get(shape.embed_dim)
    if heads is None:
        raise CheckpointError(
            f"{file} has a width of {shape.embed_dim}, for which no number of attention heads is usual, and weights do "
            "not contain it; state num_heads, "
            "or for a teacher distillation.teacher_num_heads."
        )
    classes = shape.num_classes if num_classes is None else num_classes
    if classes is None:
        raise CheckpointError(
            f"{file} has no head; state num_classes to give it a new one, or 0 to look at its attention alone."
        )
    own_size = (shape.grid_size[0] * shape.patch_size[0], shape.grid_size[1] * shape.patch_size[1])
    try:
        model = VisionTransformer(
            img_size=img_size or vit.published.img_size or own_size,
            patch_size=shape.patch_size,
            in_chans=shape.in_chans,
            num_classes=classes,
            embed_dim=shape.embed_dim,
            depth=shape.depth,
            num_heads=heads,
            mlp_ratio=(shape.hidden_dim + 0.5) / shape.embed_dim,  # what is multiplied back is rounded down
            distilled=shape.distilled,
            qkv_bias=shape.qkv_bias,
            layer_norm_eps=vit.layer_norm_eps,
            layer_scale=1.0 if shape.layer_scale else None,
            num_registers=shape.num_registers,
            prefix_positions=shape.prefix_positions,
            pool=shape.pool,
        )
    except ValueError as error:
        raise CheckpointError(f"{file} cannot be used like this. {error}") from None
    transfer(vit.state, model, str(file), shape=shape)
    return model.eval()


def _check(shape: Shape, published: Published, path: Path) -> None:
    """Raises: CheckpointError where a config disagrees with the tensors, so that it belongs to another model."""
    own = vars(shape) | {"fc_norm": shape.pool == "mean"}
    wanted: Any
    for name, place, value in published.stated:
        match name:
            case "img_size":
                continue  # what the tensors are read by
            case "mlp_ratio":
                name, wanted = "hidden_dim", int(value * shape.embed_dim)
            case "patch_size":
                wanted = (value, value) if isinstance(value, int) else tuple(value)
            case "layer_scale":
                wanted = bool(value)
            case "prefix_positions":
                wanted = not value
            case "pool" if value == "avg" and shape.pool != "mean":
                raise CheckpointError(
                    f"{place} {value}, and the tensors have no norm after it (fc_norm), which DeiT Lab computes there; "
                    "choose another checkpoint."
                )
            case "pool":
                wanted = {"token": "class", "avg": "mean"}[value]
            case _:
                wanted = value
        if own[name] is not None and own[name] != wanted:
            found = _WORDS[name][own[name]] if name in _WORDS else own[name]
            raise CheckpointError(
                f"{place} {value}, but the tensors have {found}; use the config that belongs to them."
            )
    names = len(published.classes)
    if names and shape.num_classes not in (None, names):
        raise CheckpointError(
            f"{path} or its config names {names} classes, but the tensors have {shape.num_classes}; use the config "
            "that belongs to them."
        )
