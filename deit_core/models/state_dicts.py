"""Tensors by name from a file of weights, without running anything that stands in it.

Knows files; nothing of models or of what the names mean.
"""

import pickle
import re
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor

from deit_core.errors import CheckpointError
from deit_core.models.finite import check_finite

StateDict = dict[str, Tensor]

NOTE = "deit_lab_note"  # under which an export of ours carries what its tensors do not say

_WRAPPERS = ("model", "state_dict")  # under which Facebook's DeiT and timm put the weights beside other things


def read_state_dict(file: Path) -> StateDict:
    """The tensors of a .safetensors file, or of one that `torch.save` wrote (.pth, .pt, .bin).

    The weights may stand under "model" or "state_dict", with other things beside them; the "module." that parallel
    training puts before names is taken off.

    Raises: CheckpointError, one sentence: where there is no such file, it is damaged, it needs code to run before
        it can be read, or it holds something other than tensors by name.
    """
    if not file.is_file():
        raise CheckpointError(f"There is no file {file}; check the path.")
    if file.suffix == ".safetensors":
        state = _read_safetensors(file)
        check_finite(state, file)
        return state
    content = _read_torch(file)
    for wrapper in _WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
            break
    if not isinstance(content, Mapping) or not content or not all(map(_is_named_tensor, content.items())):
        raise CheckpointError(
            f"{file} holds no tensors by name; save a model's state_dict(), alone or under the key 'model'."
        )
    state = {name.removeprefix("module."): tensor for name, tensor in content.items()}
    check_finite(state, file)
    return state


def read_note(file: Path) -> str:
    """What an export of ours says beside its tensors, JSON; empty where there is none.

    In a .safetensors file it is metadata; in a .pt it stands in the state dict's `_metadata`, where torch keeps the
    versions of modules.

    Raises: CheckpointError as `read_state_dict` does.
    """
    if file.suffix == ".safetensors":
        try:
            with safe_open(file, framework="pt") as content:
                note = (content.metadata() or {}).get(NOTE)
        except (OSError, ValueError, SafetensorError) as error:
            raise _damaged(file, error) from error
    else:
        metadata = getattr(_read_torch(file), "_metadata", None)
        note = metadata.get(NOTE) if isinstance(metadata, Mapping) else None
    return note if isinstance(note, str) else ""


def _is_named_tensor(item: tuple[Any, Any]) -> bool:
    return isinstance(item[0], str) and isinstance(item[1], Tensor)


def _read_safetensors(file: Path) -> StateDict:
    try:
        return load_file(file)
    except (OSError, ValueError, SafetensorError) as error:
        raise _damaged(file, error) from error


def _read_torch(file: Path) -> Any:
    try:
        with torch.serialization.safe_globals([Namespace]):  # a script's options, which many put beside the weights
            return torch.load(file, map_location="cpu", weights_only=True)
    except MemoryError:
        raise
    except Exception as error:  # a damaged pickle can raise anything
        if isinstance(error, pickle.UnpicklingError) and (asked := re.search(r"GLOBAL (\S+)", str(error))):
            raise CheckpointError(
                f"{file} is refused: reading it would run code ({asked[1]}), and only tensors and plain values are "
                "read here. If you trust it, load it where it was made and save its state_dict() alone."
            ) from None
        raise _damaged(file, error) from error


def _damaged(file: Path, error: Exception) -> CheckpointError:
    return CheckpointError(
        f"{file} is damaged or no file of weights ({type(error).__name__}); fetch or export it once more."
    )
