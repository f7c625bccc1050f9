"""Models on disk: a safetensors file whose header says how to rebuild the model around its weights.

Knows files and specs; nothing of optimisers or of runs in progress.
"""

import hashlib
import platform
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Literal

import torch
from pydantic import Field, ValidationError
from safetensors.torch import save
from torch import Tensor, nn

from deit_core.errors import CheckpointError
from deit_core.files import write_atomically
from deit_core.memory import check_model, network_size
from deit_core.models.adapted_classifier import AdaptedClassifier
from deit_core.models.build import build_model
from deit_core.models.foreign.formats import recognise, weights_in
from deit_core.models.foreign.published import Published
from deit_core.models.foreign.state_dicts import StateDict, read_metadata, read_state_dict
from deit_core.models.reading import FileReading, Reading
from deit_core.models.timm_classifier import TimmClassifier
from deit_core.models.vit import VisionTransformer
from deit_core.spec import DataSpec, RunSpec, place_hash, run_without_places

_HEADER, _CARD_HASH, _WEIGHTS_HASH = "deit_lab", "deit_lab_card_sha256", "deit_lab_weights_sha256"


class ModelCard(Reading):
    """All facts needed to use a file of weights: how it was trained, its classes, and how it reads pixels.

    In a file, which others may get, its spec has names in place of the paths of this machine. The hashes are of the
    images, of the path that a name stands for, of all that decides its teacher's logits, and of its
    `initial_checkpoint`, each empty where there is none; `precision` is that of the training, None in older files,
    where the spec has it; `versions` are those of the libraries, `machine` is the result of `describe_machine`, with
    its "gpu" if that was used.
    """

    spec: RunSpec
    data_hash: str
    place_hash: str = ""
    teacher_hash: str = ""
    initial_hash: str = ""
    step: int
    precision: Literal["float32", "bfloat16"] | None = None
    versions: dict[str, str] = Field(default_factory=dict)
    machine: dict[str, str] = Field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def img_size(self) -> int:
        return self.spec.data.img_size

    def without_places(self) -> "ModelCard":
        """The card as it is written: with names in place of the paths of this machine."""
        spec, data = run_without_places(self.spec), self.spec.data
        known = {"place_hash": place_hash(data)} if spec.data != data else {}
        return self.model_copy(update={"spec": spec, **known})

    def learned_held_back(self, data: DataSpec, data_hash: str = "") -> tuple[str, str] | None:
        """Why it may have learned images that `data` holds out, and what to do about it; None where it has not.

        It may have if its images are those of `data`, by name or by content, but were split differently.

        Args: data_hash: of the images that are split, if they were read and the data has no split of its own.
        """
        own = self.spec.data
        is_same_place = (self.place_hash or place_hash(own)) == place_hash(data)
        if (is_same_place or data_hash == self.data_hash != "") and own.split[1:] != data.split[1:]:
            same = "give both the same data.fraction, data.val_fraction and data.split_seed"
            return f"split {data.source} differently", same
        is_folder = is_same_place and data.source == "folder" and own.colour == data.colour
        if is_folder and data_hash and self.data_hash != data_hash:
            return "learned from the folder before it changed, when other images were held out", "train it again"
        return None


def network_input(card: Reading, model: nn.Module) -> Published:
    """Facts that an exported state dict does not contain: how it reads pixels, its classes, a ViT's heads, and timm's
    name of a network of its.

    Of another library's network only that itself is exported, which reads three channels at its own size.

    Args: model: that the card belongs to.
    """
    side, classes = card.img_size, card.classes
    if isinstance(card, FileReading) and classes == tuple(map(str, range(len(classes)))):
        classes = ()  # numbers, which no file states
    if not isinstance(model, AdaptedClassifier):
        heads, eps = (model.num_heads, model.layer_norm_eps) if isinstance(model, VisionTransformer) else (None, None)
        return Published(heads, card.mean, card.std, (side, side), classes, card.in_chans, eps)
    mean, std = (card.mean * 3)[:3], (card.std * 3)[:3]  # the card has one channel or three
    if model.normalises:
        mean, std = tuple(model.mean.flatten().tolist()), tuple(model.std.flatten().tolist())
    side = model.input_size or side
    name = model.name if isinstance(model, TimmClassifier) else ""
    return Published(None, mean, std, (side, side), classes, card.in_chans, timm_name=name)


def save_weights(path: Path, model: nn.Module, card: ModelCard, *, makes_folder: bool = True) -> None:
    """Write a model's weights and its card as one safetensors file, whole or not at all, as `write_atomically` does.

    Both have a SHA-256 in its header, which reading compares.
    """
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    header = card.without_places().model_dump_json()
    hashes = {_CARD_HASH: hashlib.sha256(header.encode()).hexdigest(), _WEIGHTS_HASH: hash_tensors(tensors)}
    content = save(tensors, metadata={"format": "pt", _HEADER: header, **hashes})
    write_atomically(path, content, makes_folder=makes_folder)


def hash_tensors(tensors: Mapping[str, Tensor]) -> str:
    """A SHA-256 of tensors on the CPU with their names, types and shapes, whatever their order."""
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)} ".encode())
        digest.update(tensor.contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def library_versions(*more: str) -> dict[str, str]:
    """Versions of the libraries that train a model here, for its card. Args: more: that this model needs."""
    names = ("deit-lab", "torch", "torchvision", "numpy", "opencv-python-headless", *more)
    found = [one.metadata for name in names for one in metadata.distributions(name=name)]
    versions = {one["Name"].lower(): one["Version"] for one in found}
    return {"python": platform.python_version(), **{name: versions[name] for name in names if name in versions}}


def read_card(path: Path | str) -> ModelCard:
    """Read the card of a checkpoint, without loading its weights.

    Args: path: a .safetensors file, or a run's folder (then its best epoch).
    Raises: CheckpointError where there is none, or it is damaged or not ours.
    """
    file = weights_file(path)
    header = _header(file)
    if header is None:
        raise CheckpointError(f"{file} was not written by DeiT Lab; choose a checkpoint of a run made here.")
    digest = hashlib.sha256(header.encode()).hexdigest()
    if read_metadata(file).get(_CARD_HASH, digest) != digest:
        raise _damaged(file, ValueError("its card is not the one that was written"))
    try:
        return ModelCard.model_validate_json(header)
    except ValidationError as error:
        raise _damaged(file, error) from error


def is_own(file: Path) -> bool:
    """Whether a file of weights was written by `save_weights`. A damaged one was not."""
    try:
        return _header(file) is not None
    except CheckpointError:
        return False


def is_foreign(path: Path | str) -> bool:
    """Whether a checkpoint is a file, or a folder of files, that was not written here as a whole."""
    path = Path(path)
    if path.is_dir():
        return recognise(path).name == "folder" and not is_own(weights_in(path))
    return path.is_file() and not is_own(path)


def load_checkpoint(path: Path | str) -> nn.Module:
    """Rebuild the model of a checkpoint with its weights, in eval mode, on the CPU.

    Args: path: a .safetensors file, or a run's folder (then its best epoch).
    Raises: CheckpointError where there is none, or it is damaged or not ours; ResourceError where the memory is too
        small for it.
    """
    file, card = weights_file(path), read_card(path)
    shape = card.in_chans, len(card.classes)
    check_model(str(file), card.spec, *shape)
    state = read_weights(file)
    num_described, num_held = network_size(card.spec, *shape).num_params, sum(map(torch.numel, state.values()))
    if num_described > num_held:
        raise _damaged(file, ValueError(f"its card describes {num_described:,} weights, and it has {num_held:,}"))
    try:
        model = build_model(card.spec, in_chans=shape[0], num_classes=shape[1])
        model.load_state_dict(state)
    except (RuntimeError, ValueError) as error:
        raise _damaged(file, error) from error
    return model.eval()


def read_weights(file: Path) -> StateDict:
    """The tensors of a file that was written here.

    Raises: CheckpointError where it is damaged. Files of older versions have no hash to compare.
    """
    state = read_state_dict(file)
    if read_metadata(file).get(_WEIGHTS_HASH, expected := hash_tensors(state)) != expected:
        raise _damaged(file, ValueError("its weights are not those that were written"))
    return state


def weights_file(path: Path | str) -> Path:
    """The file that `path` means: itself, or a folder's, of a run the weights of its best epoch.

    Raises: CheckpointError where there is none, or its format is not read.
    """
    if not Path(path).exists():
        raise CheckpointError(f"There is no checkpoint at {path}; a run has one after its first epoch.")
    return weights_in(Path(path))


def _header(file: Path) -> str | None:
    """The card of a file that was written here, JSON; a pickle has no card."""
    return read_metadata(file).get(_HEADER) if recognise(file).name == "safetensors" else None


def _damaged(file: Path, error: Exception) -> CheckpointError:
    reason = str(error).splitlines()[0]
    return CheckpointError(
        f"{file} is damaged or not a checkpoint ({reason}); choose another epoch or train the run again."
    )
