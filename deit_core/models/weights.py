"""Models on disk: a safetensors file whose header says how to rebuild the model around its weights.

Knows files and specs; nothing of optimisers or of runs in progress.
"""

import json
import platform
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from torch import Tensor, nn

from deit_core.catalog import IMAGENET_MEAN, IMAGENET_STD
from deit_core.errors import CheckpointError
from deit_core.files import write_atomically
from deit_core.models.build import build_model
from deit_core.models.finite import check_finite
from deit_core.models.published import Published
from deit_core.spec import DataSpec, RunSpec, TorchvisionSpec, VisionTransformerSpec

_HEADER = "deit_lab"


class ModelCard(BaseModel):
    """All that a file of weights needs to be used: how it was trained, what it tells apart, how it reads pixels.

    `mean` and `std` are per channel, of pixels in [0, 1]; the hashes are of the images, of all that decides what its
    teacher says, and of its `initial_checkpoint`, empty where there was none; `metrics` are those of the epoch the
    weights are from;
    `precision` is what it was trained in, None in older files, where the spec says it; `versions` are those of the
    libraries it was trained with, `machine` is what `describe_machine` said, with its "gpu" where that trained it.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    spec: RunSpec
    classes: tuple[str, ...]
    in_chans: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    data_hash: str
    teacher_hash: str = ""
    initial_hash: str = ""
    epoch: int
    step: int
    metrics: dict[str, float] = {}
    precision: Literal["float32", "bfloat16"] | None = None
    versions: dict[str, str] = {}
    machine: dict[str, str] = {}

    def normalise(self, images: Tensor) -> Tensor:
        """Images as the model was trained to read them: (B, C, height, width) uint8 -> float32, on the same device.

        Raises: ValueError for another layout, which would be read as another picture.
        """
        if images.dtype != torch.uint8 or images.ndim != 4 or images.shape[1] != self.in_chans:
            raise CheckpointError(
                f"{self.spec.name!r} reads images as (B, {self.in_chans}, height, width) uint8, not "
                f"{tuple(images.shape)} {images.dtype}; fit_image makes such."
            )
        mean, std = (torch.tensor(values, device=images.device).view(-1, 1, 1) for values in (self.mean, self.std))
        return (images.float() / 255 - mean) / std

    def network_input(self) -> Published:
        """What an exported state dict does not say: how its network reads pixels, its classes, and a ViT's heads.

        Of torchvision's CNNs the network alone is exported, which reads three channels of its own size.
        """
        model, size = self.spec.model, self.spec.data.img_size
        if not isinstance(model, TorchvisionSpec):
            heads = model.num_heads if isinstance(model, VisionTransformerSpec) else None
            return Published(heads, self.mean, self.std, size, self.classes)
        mean, std = (self.mean * 3)[:3], (self.std * 3)[:3]  # the card has one channel or three
        if model.pretrained == "imagenet":
            mean, std = IMAGENET_MEAN, IMAGENET_STD
        return Published(None, mean, std, model.input_size or size, self.classes)

    def learned_held_back(self, data: DataSpec, data_hash: str = "") -> tuple[str, str] | None:
        """Why it may have learned images that `data` holds back, and what to do about it; None where it has not.

        That is where its images are those of `data`, by name or by content, and were cut otherwise.

        Args: data_hash: of what is cut, where it has been read and nothing of it is apart by itself.
        """
        own = self.spec.data
        is_same_place = own.origin == data.origin
        if (is_same_place or data_hash == self.data_hash != "") and own.split[1:] != data.split[1:]:
            same = "give both the same data.fraction, data.val_fraction and data.split_seed"
            return f"split {data.source} differently", same
        is_folder = is_same_place and data.source == "folder" and own.colour == data.colour
        if is_folder and data_hash and self.data_hash != data_hash:
            return "learned from the folder before it changed, when other images were held back", "train it again"
        return None

    def class_index(self, name: str) -> int:
        """Where a class stands in the model's logits. Raises: ValueError for a class that it does not know."""
        if name not in self.classes:
            shown = ", ".join(self.classes[:10]) + (" …" if len(self.classes) > 10 else "")
            raise CheckpointError(f"{self.spec.name!r} knows no class {name!r}; choose one of {shown}.")
        return self.classes.index(name)


def save_weights(path: Path, model: nn.Module, card: ModelCard) -> None:
    """Write a model's weights and its card as one safetensors file, whole or not at all."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    write_atomically(path, save(tensors, metadata={"format": "pt", _HEADER: card.model_dump_json()}))


def library_versions() -> dict[str, str]:
    """Versions of what a model is trained with here, for its card."""
    names = ("deit-lab", "torch", "torchvision", "numpy")
    found = {one.metadata["Name"].lower(): one.version for name in names for one in metadata.distributions(name=name)}
    return {"python": platform.python_version(), **{name: found[name] for name in names if name in found}}


def read_card(path: Path | str) -> ModelCard:
    """What a checkpoint says of itself, without loading its weights.

    Args: path: a .safetensors file, or a run's folder (then its best epoch).
    Raises: CheckpointError where there is none, or it is damaged or not ours.
    """
    file = weights_file(path)
    try:
        with safe_open(file, framework="pt") as content:
            header: dict[str, Any] = json.loads((content.metadata() or {})[_HEADER])
        return ModelCard.model_validate(header)
    except KeyError:
        raise CheckpointError(f"{file} was not written by DeiT Lab; choose a checkpoint of a run made here.") from None
    except (OSError, ValueError, SafetensorError, ValidationError) as error:
        raise _damaged(file, error) from error


def is_own(file: Path) -> bool:
    """Whether a file of weights was written by `save_weights`. A damaged one was not."""
    try:
        with safe_open(file, framework="pt") as content:
            return _HEADER in (content.metadata() or {})
    except (OSError, SafetensorError):
        return False


def load_checkpoint(path: Path | str) -> nn.Module:
    """Rebuild the model of a checkpoint with its weights, in eval mode, on the CPU.

    Args: path: a .safetensors file, or a run's folder (then its best epoch).
    Raises: CheckpointError where there is none, or it is damaged or not ours.
    """
    file, card = weights_file(path), read_card(path)
    try:
        model = build_model(card.spec, in_chans=card.in_chans, num_classes=len(card.classes))
        state = load_file(file)
        model.load_state_dict(state)
    except (OSError, RuntimeError, ValueError, SafetensorError) as error:
        raise _damaged(file, error) from error
    check_finite(state, file)
    return model.eval()


def weights_file(path: Path | str) -> Path:
    """The .safetensors file that `path` means.

    Raises: CheckpointError where there is none.
    """
    path = Path(path)
    file = path / "best.safetensors" if path.is_dir() else path
    if not file.is_file():
        raise CheckpointError(f"There is no checkpoint at {path}; a run has one once its first epoch has ended.")
    return file


def _damaged(file: Path, error: Exception) -> CheckpointError:
    reason = str(error).splitlines()[0]
    return CheckpointError(
        f"{file} is damaged or no checkpoint ({reason}); choose another epoch or train the run again."
    )
