"""A whole classifier from a foreign file or folder: a ViT or DeiT, a network of torchvision's or timm's, or an
export of ours.

Knows files, tensors and models; nothing of runs, teachers or pictures. What no file states has the published value:
ImageNet's mean and standard deviation and 224 pixels for torchvision's networks, timm's own for timm's.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, get_args

import torch
from torch import Tensor, nn

from deit_core.catalog import IMAGENET_MEAN, IMAGENET_STD
from deit_core.errors import CheckpointError
from deit_core.models.adapted_classifier import AdaptedClassifier
from deit_core.models.cnn import Cnn, PlainCnn, ResNet9
from deit_core.models.foreign.name_tables import network_named, under_timms_names
from deit_core.models.foreign.published import Published
from deit_core.models.foreign.state_dicts import StateDict, read_state_dict
from deit_core.models.foreign.vit_files import build_vit, is_vit, vit_of
from deit_core.models.reading import FileReading
from deit_core.models.timm_classifier import TimmClassifier
from deit_core.spec import TorchvisionSpec

if TYPE_CHECKING:
    from deit_core.models.torchvision_classifier import TorchvisionClassifier

_INPUT_SIZE = 224  # pixels, of torchvision's networks; a ViT's follows from its positions


class ForeignModel(NamedTuple):
    """A model in eval mode on the CPU, and how it reads images.

    Attributes:
        mean, std: per channel, of pixels in [0, 1].
        img_size: side in pixels.
        in_chans: channels of the images it is made for; a network of torchvision's or timm's reads three, grey or not.
        classes: names of the logits in their order, empty where no file states them.
        are_heads_assumed: no file states a ViT's attention heads, so their number is the usual one for its width.
        assumed: sentences, each on something that no file states.
    """

    model: nn.Module
    num_classes: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    img_size: int
    in_chans: int
    classes: tuple[str, ...]
    are_heads_assumed: bool = False
    assumed: tuple[str, ...] = ()


def read_foreign(
    path: Path, *, num_heads: int | None = None, img_size: int | None = None, needs_head: bool = True
) -> ForeignModel:
    """Read a model with the pixels it was trained on.

    Args:
        num_heads, img_size: a ViT's, see `load_foreign`.
        needs_head: refuses a ViT without a head, which otherwise has no classes.
    Raises: CheckpointError, one sentence, where the file is missing, damaged, would run code, is of an unknown
        architecture, reads images that are not square, or does not say how it reads them.
    """
    state, published = read_state_dict(path), Published.of(path)
    if name := published.timm_name or network_named(state):
        return _timm_model(path, under_timms_names(state), name, published)
    if is_vit(state):
        vit_file = vit_of(state, path)
        classes = None if needs_head or vit_file.shape.num_classes else 0
        vit = build_vit(vit_file, path, num_classes=classes, img_size=img_size, num_heads=num_heads)
        whole = _whole(path, vit, vit.num_classes, vit.in_chans, vit.img_size, vit_file.published)
        return whole._replace(are_heads_assumed=num_heads is None and vit_file.published.num_heads is None)
    if cnn := _own_cnn(state):
        cnn.load_state_dict(state, strict=False)  # old files lack the counters
        return _whole(path, cnn.eval(), cnn.num_classes, cnn.in_chans, published.img_size, published)
    if img_size is not None:
        raise CheckpointError(f"{path} holds no ViT, and only a ViT's positions are resampled; leave img_size out.")
    network, size = _torchvision_network(state, path), published.img_size or (_INPUT_SIZE, _INPUT_SIZE)
    return _whole(path, network, network.num_classes, 3, size, published)


def load_foreign_reading(path: Path, *, img_size: int | None = None) -> tuple[FileReading, nn.Module]:
    """A model for pictures, and how it reads them. Classes without names are called by their numbers; a ViT without a
    head has none.

    Args: img_size: a ViT's, see `load_foreign`.
    Raises: CheckpointError as `read_foreign` does.
    """
    foreign = read_foreign(path, img_size=img_size, needs_head=False)
    mean, std = foreign.mean, foreign.std
    if len(mean) != foreign.in_chans:  # a library's network sees a grey image three times, each by its own mean
        assert isinstance(foreign.model, AdaptedClassifier)
        foreign.model.read_pixels(mean, std, in_chans=foreign.in_chans)
        mean, std = (0.0,) * foreign.in_chans, (1.0,) * foreign.in_chans
    reading = FileReading(
        file=path.name,
        side=foreign.img_size,
        classes=foreign.classes or tuple(map(str, range(foreign.num_classes))),
        in_chans=foreign.in_chans,
        mean=mean,
        std=std,
        assumed=foreign.assumed,
    )
    return reading, foreign.model


def _whole(
    path: Path, model: nn.Module, num_classes: int, in_chans: int, size: tuple[int, int] | None, published: Published
) -> ForeignModel:
    mean, std = published.mean or IMAGENET_MEAN, published.std or IMAGENET_STD
    if size is None or not len(mean) == len(std) == in_chans:
        raise CheckpointError(
            f"{path} reads {in_chans} channels, and no file says how their pixels were normalised; choose an export "
            "made here, or a run."
        )
    if size[0] != size[1]:
        raise CheckpointError(
            f"{path} reads images of {size[0]} x {size[1]} pixels, but images are square here; "
            "in Python, load_foreign(path, img_size=SIDE) adapts it to square images."
        )
    if min(std) <= 0:
        raise CheckpointError(f"{path} has a standard deviation of {min(std):g}; correct its config.")
    assumed = []
    if num_classes == 0:
        assumed.append(f"{path} has no head, so it predicts nothing; its attention is shown.")
    elif not published.classes:
        assumed.append(f"{path} and its config do not name the classes, so they are called by their numbers, from 0.")
    if not published.mean:
        assumed.append(f"{path} and its config do not say how its pixels were normalised, so ImageNet's mean is used.")
    in_chans = published.in_chans or in_chans
    return ForeignModel(model, num_classes, mean, std, size[0], in_chans, published.classes, assumed=tuple(assumed))


def _timm_model(path: Path, state: StateDict, name: str, published: Published) -> ForeignModel:
    """The network of timm's that `published` names, or a table of names."""
    from deit_core.timm_ops import create_network, facts_of, head_names  # loads timm

    facts, head = facts_of(name), state.get(f"{head_names(name)[0]}.weight")
    num_classes = 0 if head is None else len(head)
    if _shapes(state) != _shapes(create_network(name, num_classes, "meta").state_dict()):  # before it takes memory
        raise CheckpointError(f"{path} has other tensors than timm's {name}; choose another checkpoint.")
    model = TimmClassifier(name, num_classes=num_classes)
    model.network.load_state_dict(state, strict=False)  # old files lack the counters
    model.normalises = False  # whoever shows it pixels does
    published = replace(published, mean=published.mean or facts.mean, std=published.std or facts.std)
    return _whole(path, model.eval(), model.num_classes, 3, published.img_size or facts.input_size[1:], published)


def _own_cnn(state: Mapping[str, Tensor]) -> Cnn | None:
    """A CNN of ours of the shape of these tensors, if they are one's."""
    for kind, first in ((ResNet9, "stem.0.weight"), (PlainCnn, "layer1.0.weight")):
        if first in state and "head.weight" in state:
            width, in_chans = state[first].shape[:2]
            cnn = kind(in_chans, len(state["head.weight"]), width)
            if _shapes(state) == _shapes(cnn.state_dict()):
                return cnn
    return None


def _torchvision_network(state: Mapping[str, Tensor], file: Path) -> "TorchvisionClassifier":
    """The network of torchvision's whose tensors these are, in eval mode."""
    head = state.get("fc.weight")
    if head is None or head.ndim != 2:
        raise CheckpointError(
            f"{file} is neither a ViT or DeiT of timm, Facebook or Hugging Face nor a ResNet or RegNet of "
            "torchvision; choose such a file, or a run made here."
        )
    from deit_core.models.torchvision_classifier import TorchvisionClassifier  # loads torchvision

    shapes = _shapes(state)
    kind = "regnet" if "stem.0.weight" in state else "resnet"
    names = [name for name in get_args(TorchvisionSpec.model_fields["name"].annotation) if name.startswith(kind)]
    device = "meta" if kind == "resnet" else "cpu"  # without its weights; a RegNet computes its widths by tensors
    for name in names:
        with torch.device(device):
            outline = TorchvisionClassifier(name, num_classes=len(head))
        if shapes == _shapes(outline.network.state_dict()):
            model = TorchvisionClassifier(name, num_classes=len(head))
            model.network.load_state_dict(state)
            return model.eval()
    raise CheckpointError(
        f"{file} matches none of torchvision's {', '.join(names)}; choose one of these, or a run made here."
    )


def _shapes(state: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
    """Without the counters of batch norms, which files of old versions lack."""
    return {name: tuple(tensor.shape) for name, tensor in state.items() if not name.endswith("num_batches_tracked")}
