"""From a spec to an untrained model."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from torch import nn

from deit_core.catalog import SOURCES
from deit_core.errors import SpecError
from deit_core.models.cnn import Cnn, PlainCnn, ResNet9
from deit_core.models.timm_classifier import TimmClassifier
from deit_core.models.vit import VisionTransformer
from deit_core.spec import (
    ModelSpec,
    PlainCnnSpec,
    ResNet9Spec,
    RunSpec,
    TimmSpec,
    TorchvisionSpec,
    VisionTransformerSpec,
)

if TYPE_CHECKING:
    from deit_core.models.adapted_classifier import AdaptedClassifier


def build_model(spec: RunSpec, *, in_chans: int | None = None, num_classes: int | None = None) -> nn.Module:
    """The model a run trains; channels and classes are those of its data set unless given."""
    match spec.model:
        case VisionTransformerSpec():
            return build_student(spec, in_chans=in_chans, num_classes=num_classes)
        case PlainCnnSpec() | ResNet9Spec() | TorchvisionSpec() | TimmSpec():
            return build_teacher(spec, in_chans=in_chans, num_classes=num_classes)


def build_student(spec: RunSpec, *, in_chans: int | None = None, num_classes: int | None = None) -> VisionTransformer:
    """A ViT, or a DeiT when the spec says `distilled`.

    Raises: SpecError when the spec describes another family.
    """
    model = spec.model
    if not isinstance(model, VisionTransformerSpec):
        raise SpecError(f"A student is a Vision Transformer, not {model.family}; set model.family to vit.")
    in_chans, num_classes = _shape(spec, in_chans, num_classes)
    return VisionTransformer(
        img_size=spec.data.img_size,
        in_chans=in_chans,
        num_classes=num_classes,
        **model.model_dump(exclude={"family"}),
    )


def build_teacher(
    spec: RunSpec, *, in_chans: int | None = None, num_classes: int | None = None
) -> "Cnn | AdaptedClassifier":
    """The network that a teacher's run trains, without pretrained weights.

    Raises: SpecError when the spec describes another family.
    """
    model = spec.model
    if isinstance(model, VisionTransformerSpec):
        raise SpecError(f"{model.family} is not a CNN; set model.family to cnn, resnet9, torchvision or timm.")
    in_chans, num_classes = _shape(spec, in_chans, num_classes)
    if isinstance(model, PlainCnnSpec):
        return PlainCnn(in_chans=in_chans, num_classes=num_classes, width=model.width)
    if isinstance(model, ResNet9Spec):
        return ResNet9(in_chans=in_chans, num_classes=num_classes, width=model.width)
    if isinstance(model, TimmSpec):
        return TimmClassifier(
            model.name,
            in_chans=in_chans,
            num_classes=num_classes,
            input_size=model.input_size,
            freeze_backbone=model.freeze_backbone,
        )
    from deit_core.models.torchvision_classifier import TorchvisionClassifier  # loads torchvision

    return TorchvisionClassifier(
        model.name,
        in_chans=in_chans,
        num_classes=num_classes,
        input_size=model.input_size,
        normalises=model.pretrained == "imagenet",
        freeze_backbone=model.freeze_backbone,
    )


def input_statistics(
    model: ModelSpec, mean: Sequence[float], std: Sequence[float]
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and std that normalise the model's input: those of the data, or 0 and 1 if the model normalises itself.

    Args: mean, std: the data's, per channel.
    """
    if isinstance(model, TimmSpec) or (isinstance(model, TorchvisionSpec) and model.pretrained == "imagenet"):
        return (0.0,) * len(mean), (1.0,) * len(std)
    return tuple(mean), tuple(std)


def _shape(spec: RunSpec, in_chans: int | None, num_classes: int | None) -> tuple[int, int]:
    """Channels and classes: from the arguments, else from the data set."""
    if in_chans and num_classes:
        return in_chans, num_classes
    facts = SOURCES.get(spec.data.source)
    if facts is None:
        raise SpecError(
            "The classes of a folder of images are only known when it is read; give in_chans and num_classes."
        )
    return in_chans or facts.in_chans, num_classes or len(facts.classes)
