"""A file of others as somebody's teacher: a ViT or DeiT, or a network of torchvision's, for the student's classes.

Knows files, tensors and models; nothing of runs. An export of ours says how it reads pixels. What no file says is taken
as it is published: ImageNet's mean and standard deviation, and 224 pixels for torchvision's networks. The order of the
classes is taken on trust.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import get_args

from torch import Tensor, nn

from deit_core.catalog import IMAGENET_MEAN, IMAGENET_STD
from deit_core.distillation import DistillationTeacher
from deit_core.errors import CheckpointError
from deit_core.models.foreign import load_foreign, read_vit_weights
from deit_core.models.published import Published
from deit_core.models.vit import VisionTransformer
from deit_core.spec import ModelSpec, TorchvisionSpec, VisionTransformerSpec

_INPUT_SIZE = 224  # pixels, of torchvision's networks; a ViT's follows from its positions


def load_foreign_teacher(file: Path, classes: tuple[str, ...], num_heads: int | None = None) -> DistillationTeacher:
    """Read a teacher for students that tell `classes` apart.

    Args: num_heads: attention heads per block of a ViT; None takes what the file says, else the usual number.

    Raises: CheckpointError, one sentence, where the file is missing, damaged, would run code, is of an architecture
        that is not known here, or tells another number of classes apart.
    """
    state = read_vit_weights(file)
    if "cls_token" in state or "pos_embed" in state:
        return _vit_teacher(file, classes, num_heads)
    model, published = _torchvision_network(state, file, len(classes)), Published.of(file)
    mean, std = published.mean or IMAGENET_MEAN, published.std or IMAGENET_STD
    order = class_order(published.classes, classes)
    size = published.img_size or _INPUT_SIZE
    return DistillationTeacher(
        model, mean, std, size, order=order, knows_classes=order is not None or published.classes == classes
    )


def class_order(theirs: tuple[str, ...], ours: tuple[str, ...]) -> list[int] | None:
    """Where each of our classes stands among theirs; None where the names are others, or in the same order."""
    if theirs == ours or len(set(theirs)) < len(theirs) or set(theirs) != set(ours):
        return None
    return [theirs.index(name) for name in ours]


def spec_of(model: nn.Module) -> ModelSpec:
    """The part of a spec that a teacher from here is built from."""
    if not isinstance(model, VisionTransformer):
        return TorchvisionSpec(name=model.name)
    return VisionTransformerSpec(
        distilled=model.distilled,
        patch_size=model.patch_size[0],
        embed_dim=model.embed_dim,
        depth=model.depth,
        num_heads=model.num_heads,
        mlp_ratio=len(model.get_parameter("blocks.0.mlp.fc1.weight")) / model.embed_dim,
    )


def _vit_teacher(file: Path, classes: tuple[str, ...], num_heads: int | None) -> DistillationTeacher:
    model = load_foreign(file, num_heads=num_heads)
    _check_classes(file, model.num_classes, len(classes))
    published = Published.of(file)
    mean, std = published.mean or IMAGENET_MEAN, published.std or IMAGENET_STD
    if not len(mean) == len(std) == model.in_chans:
        raise CheckpointError(
            f"{file} reads {model.in_chans} channels, and nothing says how their pixels were normalised; give a run "
            "made here or its best.safetensors as distillation.teacher, which say it."
        )
    order = class_order(published.classes, classes)
    notes: tuple[str, ...] = ()
    if num_heads is None and published.num_heads is None:
        notes = (
            f"The teacher {file} does not say how many attention heads its blocks have; {model.num_heads}, usual for "
            f"its width of {model.embed_dim}, were assumed. distillation.teacher_num_heads states another number.",
        )
    return DistillationTeacher(
        model,
        mean,
        std,
        model.img_size[0],
        order=order,
        knows_classes=order is not None or published.classes == classes,
        notes=notes,
    )


def _torchvision_network(state: Mapping[str, Tensor], file: Path, num_classes: int) -> nn.Module:
    """The network of torchvision's whose tensors these are, in eval mode."""
    head = state.get("fc.weight")
    if head is None or head.ndim != 2:
        raise CheckpointError(
            f"{file} is neither a ViT or DeiT as timm, Facebook or Hugging Face name it nor a ResNet or RegNet of "
            "torchvision's; choose such a file, or a run made here, as distillation.teacher."
        )
    from deit_core.models.torchvision_classifier import TorchvisionClassifier  # loads torchvision

    shapes = _shapes(state)
    kind = "regnet" if "stem.0.weight" in state else "resnet"
    names = [name for name in get_args(TorchvisionSpec.model_fields["name"].annotation) if name.startswith(kind)]
    for name in names:
        model = TorchvisionClassifier(name, num_classes=len(head))
        if shapes == _shapes(model.network.state_dict()):
            _check_classes(file, len(head), num_classes)
            model.network.load_state_dict(state)
            return model.eval()
    raise CheckpointError(
        f"{file} fits none of torchvision's {', '.join(names)}; choose one of these, or a run made here, as "
        "distillation.teacher."
    )


def _shapes(state: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
    """Without the counters of batch norms, which files of old versions lack."""
    return {name: tuple(tensor.shape) for name, tensor in state.items() if not name.endswith("num_batches_tracked")}


def _check_classes(file: Path, theirs: int, ours: int) -> None:
    if theirs != ours:
        raise CheckpointError(
            f"The teacher {file} tells {theirs} classes apart and the student {ours}; train it on the student's data "
            "first, in a run whose initial_checkpoint it is, and give that run as distillation.teacher."
        )
