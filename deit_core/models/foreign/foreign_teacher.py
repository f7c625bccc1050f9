"""A foreign file or folder as a teacher, for the student's classes.

Knows models and specs; nothing of runs or of how files are read.
"""

from pathlib import Path

from torch import nn

from deit_core.distillation import DistillationTeacher
from deit_core.errors import CheckpointError
from deit_core.models.cnn import PlainCnn, ResNet9
from deit_core.models.foreign.foreign_model import read_foreign
from deit_core.models.timm_classifier import TimmClassifier
from deit_core.models.vit import VisionTransformer
from deit_core.spec import ModelSpec, PlainCnnSpec, ResNet9Spec, TimmSpec, TorchvisionSpec, VisionTransformerSpec


def load_foreign_teacher(file: Path, classes: tuple[str, ...], num_heads: int | None = None) -> DistillationTeacher:
    """Read a teacher for students with these `classes`.

    Args: num_heads: attention heads per block of a ViT; None takes what the file says, else the usual number.

    Raises: CheckpointError, one sentence, where the file is missing, damaged, would run code, is of an unknown
        architecture, or has another number of classes.
    """
    foreign = read_foreign(file, num_heads=num_heads)
    if foreign.num_classes != len(classes):
        raise CheckpointError(
            f"The teacher {file} has {foreign.num_classes} classes and the student {len(classes)}; train it on "
            "the student's data first, in a run with it as initial_checkpoint, and use that run as "
            "distillation.teacher."
        )
    notes: tuple[str, ...] = ()
    if isinstance(foreign.model, VisionTransformer) and foreign.are_heads_assumed:
        notes = (
            f"The teacher {file} does not say how many attention heads its blocks have; {foreign.model.num_heads}, "
            f"usual for its width of {foreign.model.embed_dim}, were assumed. Set "
            "distillation.teacher_num_heads to state another number.",
        )
    order = class_order(foreign.classes, classes)
    return DistillationTeacher(
        foreign.model,
        foreign.mean,
        foreign.std,
        foreign.img_size,
        order=order,
        knows_classes=order is not None or foreign.classes == classes,
        notes=notes,
    )


def class_order(theirs: tuple[str, ...], ours: tuple[str, ...]) -> list[int] | None:
    """The position of each of our classes among theirs; None where the names differ, or the order is the same."""
    if theirs == ours or len(set(theirs)) < len(theirs) or set(theirs) != set(ours):
        return None
    return [theirs.index(name) for name in ours]


def spec_of(model: nn.Module) -> ModelSpec:
    """The part of a spec that a model from here is built from."""
    if isinstance(model, PlainCnn):
        return PlainCnnSpec(width=model.layer1[0].out_channels)
    if isinstance(model, ResNet9):
        return ResNet9Spec(width=model.stem[0].out_channels)
    if isinstance(model, TimmClassifier):
        return TimmSpec(name=model.name)
    if not isinstance(model, VisionTransformer):
        return TorchvisionSpec(name=model.name)
    return VisionTransformerSpec(
        distilled=model.distilled,
        patch_size=model.patch_size[0],
        embed_dim=model.embed_dim,
        depth=model.depth,
        num_heads=model.num_heads,
        mlp_ratio=len(model.get_parameter("blocks.0.mlp.fc1.weight")) / model.embed_dim,
        layer_scale=model.layer_scale,
        num_registers=model.num_registers,
        prefix_positions=model.prefix_positions,
        pool=model.pool,
    )
