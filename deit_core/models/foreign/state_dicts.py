"""Tensors by name from a file of weights, without running any code in it.

Opens the formats that deit_core.models.foreign.formats allows. Knows files; nothing of models, and of the names only
the prefixes of wrappers and those of other tasks.
"""

import json
import pickle
import re
import warnings
from argparse import Namespace
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor

from deit_core.errors import CheckpointError
from deit_core.models.foreign.finite import check_finite
from deit_core.models.foreign.formats import recognise, refuse, weights_in
from deit_core.models.foreign.hugging_face import plays_a_part

StateDict = dict[str, Tensor]

NOTE = "deit_lab_note"  # the key of the note in an export of ours

# Keys under which timm, Facebook's DeiT and others store the weights; the first existing one is used.
WRAPPING_KEYS = ("state_dict", "model", "model_ema", "state_dict_ema")
# Prefixes of every name from an outer module: parallel training, Lightning, DINO.
PREFIXES = ("module.", "model.", "student.")
# Parts of names from torch's own wrappers: torch.compile, FSDP, activation checkpoints.
WRAPPERS = ("_orig_mod.", "_fsdp_wrapped_module.", "_checkpoint_wrapped_module.")


def read_state_dict(path: Path) -> StateDict:
    """The tensors of a file, or of a folder's, under the model's own names: see `unwrapped`.

    They may be under one of `WRAPPING_KEYS`, next to other values.

    Raises: CheckpointError, one sentence: where there is no such file, it is damaged, it needs code to run before it
        can be read, or it holds something other than tensors by name or numbers that are not finite.
    """
    file = weights_in(path)
    state = unwrapped(_read_parts(file) if recognise(file).name == "index" else _read_tensors(file))
    check_finite({name: tensor for name, tensor in state.items() if plays_a_part(name)}, file)
    return state


def unwrapped(state: Mapping[str, Tensor]) -> StateDict:
    """The tensors without the names of wrappers: `WRAPPERS` anywhere, `PREFIXES` where all names share one."""
    bare = dict(state)
    for wrapper in WRAPPERS:
        bare = {name.replace(wrapper, ""): tensor for name, tensor in bare.items()}
    while prefix := next((one for one in PREFIXES if bare and all(name.startswith(one) for name in bare)), None):
        bare = {name.removeprefix(prefix): tensor for name, tensor in bare.items()}
    return bare


def tensor_names(path: Path) -> Collection[str]:
    """The names of a file's tensors, wrapped or not, mostly without reading them. Raises: as `read_state_dict`."""
    file = weights_in(path)
    match recognise(file).name:
        case "safetensors":
            return _open_safetensors(file)[1]
        case "index":
            return _read_index(file).keys()
        case _:
            return _named_tensors(file, mmap=recognise(file).name == "torch").keys()


def read_metadata(path: Path) -> Mapping[str, Any]:
    """The metadata of a file: that of safetensors, or the `_metadata` of a plain state dict.

    Raises: CheckpointError as `read_state_dict` does.
    """
    file = weights_in(path)
    match recognise(file).name:
        case "safetensors":
            return _open_safetensors(file)[0]
        case "torch":
            metadata = getattr(_read_torch(file, mmap=True), "_metadata", None)
            return metadata if isinstance(metadata, Mapping) else {}
        case _:
            return {}


def read_note(path: Path) -> str:
    """The note in an export of ours, JSON; empty where there is none.

    In a .safetensors file it is metadata; in a .pt file it is in the state dict's `_metadata`, where torch keeps the
    versions of modules.

    Raises: CheckpointError as `read_state_dict` does.
    """
    note = read_metadata(path).get(NOTE)
    return note if isinstance(note, str) else ""


def parts_of(file: Path) -> list[Path]:
    """The files that an index names, none for another file. Raises: as `read_state_dict`."""
    if recognise(file).name != "index":
        return []
    return [file.with_name(name) for name in sorted(set(_read_index(file).values()))]


def _read_parts(index: Path) -> StateDict:
    """The tensors that an index names, from the files in its folder."""
    files = _read_index(index)
    tensors: StateDict = {}
    for file in parts_of(index):
        tensors |= _read_tensors(file)
    if lacking := files.keys() - tensors.keys():
        raise CheckpointError(
            f"{index} names {min(lacking)}, but its files do not contain it; download all of them again."
        )
    return tensors


def _read_index(index: Path) -> dict[str, str]:
    """File by tensor."""
    files = json.loads(index.read_bytes())["weight_map"]
    if not all(isinstance(name, str) and re.fullmatch(r"[^/\\]+", name) for name in files.values()):
        raise CheckpointError(
            f"{index} names files in other folders; put them into its own folder and list them by name only."
        )
    if missing := {name for name in files.values() if not index.with_name(name).is_file()}:
        raise CheckpointError(
            f"{index} names {len(set(files.values()))} files, and {len(missing)} of them are not in its folder, such "
            f"as {min(missing)}; download them into the same folder."
        )
    by_tensor: dict[str, str] = files
    return by_tensor


def _read_tensors(file: Path) -> StateDict:
    """Of one file, a part of several included."""
    kind = recognise(file, as_part=True)
    refuse(file, kind)
    if kind.name != "safetensors":
        return _named_tensors(file)
    try:
        return load_file(file)
    except (OSError, ValueError, SafetensorError) as error:
        raise _damaged(file, error) from error


def _named_tensors(file: Path, *, mmap: bool = False) -> StateDict:
    content = _read_torch(file, mmap=mmap)
    if isinstance(content, Mapping):
        content = next((content[key] for key in WRAPPING_KEYS if _is_full(content.get(key))), content)
    if not _is_full(content) or not all(map(_is_named_tensor, content.items())):
        raise CheckpointError(
            f"{file} contains no tensors by name; save a model's state_dict(), alone or under the key 'model'."
        )
    return dict(content)


def _is_full(content: Any) -> bool:
    return isinstance(content, Mapping) and len(content) > 0


def _is_named_tensor(item: tuple[Any, Any]) -> bool:
    return isinstance(item[0], str) and isinstance(item[1], Tensor)


def _open_safetensors(file: Path) -> tuple[Mapping[str, str], Collection[str]]:
    """Metadata and names."""
    try:
        with safe_open(file, framework="pt") as content:
            return content.metadata() or {}, content.keys()
    except (OSError, ValueError, SafetensorError) as error:
        raise _damaged(file, error) from error


def _read_torch(file: Path, *, mmap: bool = False) -> Any:
    try:
        with torch.serialization.safe_globals([Namespace]), warnings.catch_warnings():
            # The Namespace is a script's options, which many save with the weights. Protocols 2 and 3 are read.
            warnings.filterwarnings("ignore", "Detected pickle protocol 3")
            if mmap and file.suffix.lower() != ".safetensors":  # by which torch.load would take it for one
                return torch.load(file, map_location="cpu", weights_only=True, mmap=True)
            with file.open("rb") as content:
                return torch.load(content, map_location="cpu", weights_only=True)
    except MemoryError:
        raise
    except Exception as error:  # a damaged pickle can raise anything
        if isinstance(error, pickle.UnpicklingError) and (match := re.search(r"GLOBAL (\S+)", str(error))):
            raise CheckpointError(
                f"{file} is refused: reading it would run code ({match[1]}), and only tensors and plain values are "
                "read here. If you trust it, load it where it was made and save its state_dict() alone."
            ) from None
        raise _damaged(file, error) from error


def _damaged(file: Path, error: Exception) -> CheckpointError:
    return CheckpointError(
        f"{file} is damaged or not a file of weights ({type(error).__name__}); download or export it again."
    )
