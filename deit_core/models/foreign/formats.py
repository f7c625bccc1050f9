"""The format of a file or folder of weights, by its content and not by its name.

Knows the first bytes of files, the names inside zips, and the contents of folders; reads no tensors and runs no code.
The one exception is a part of a model in several files: only its name says so.
"""

import re
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from deit_core.errors import CheckpointError
from deit_core.layout import BEST, SPEC
from deit_core.text.json_text import parse_json


class Format(NamedTuple):
    """A kind of file or folder.

    Attributes:
        what: the kind in a few words, for people.
        refusal: why it is not read and what to do, after "NAME is "; empty where it is read.
    """

    name: str
    what: str
    refusal: str = ""


_SAVE_AGAIN = "load it where it was made and save its state_dict() with torch.save"
_UNPACK = "unpack it and give the file of weights in it"

FORMATS = {
    one.name: one
    for one in (
        Format(
            "safetensors", "safetensors: a checkpoint or an export made here, or a file of timm, Hugging Face or others"
        ),
        Format("torch", "a file of torch.save: tensors by name, alone or with plain values"),
        Format("old torch", "a file of torch.save before version 1.6"),
        Format("index", "a *.index.json, with every file that it names in the same folder"),
        Format("run", "the folder of a run made here: the weights of its best epoch"),
        Format(
            "folder",
            "a folder as save_pretrained or a hub has it: model.safetensors or pytorch_model.bin, or the index of "
            "either, and what config.json and preprocessor_config.json say",
        ),
        Format(
            "part",
            "one of several files that hold a model together",
            "one part of a model in several files; give the folder, or the *.index.json in the same folder",
        ),
        Format(
            "other pickle",
            "a file of torch.save or pickle with another pickle protocol than 2 or 3",
            "a pickle of another protocol than 2 or 3, and reading it could run code; load it where "
            "it was made and save its state_dict() with torch.save, without pickle_protocol",
        ),
        Format(
            "torchscript",
            "TorchScript",
            f"a program in TorchScript, which is not run here; {_SAVE_AGAIN}",
        ),
        Format(
            "exported", "what torch.export writes", f"a program of torch.export, which is not run here; {_SAVE_AGAIN}"
        ),
        Format(
            "onnx", "ONNX", "a graph in ONNX without the names of its tensors; export the model as safetensors or pt"
        ),
        Format(
            "numpy",
            "NumPy's npz or npy, such as Google's first ViTs",
            "a file of NumPy's; load it with timm (timm.create_model(NAME, checkpoint_path=FILE)) and save its "
            "state_dict() with torch.save",
        ),
        Format(
            "keras",
            "Keras or TensorFlow: .keras, .h5, a SavedModel",
            "a model of Keras or TensorFlow, whose tensors have other names and layouts; load it with Hugging Face's "
            "transformers (from_tf=True) and save it with save_pretrained",
        ),
        Format(
            "flax",
            "Flax: flax_model.msgpack in a folder",
            "a model of Flax, whose tensors have other names and layouts; load it with Hugging Face's transformers "
            "(from_flax=True) and save it with save_pretrained",
        ),
        Format("gguf", "GGUF or TFLite", f"made for another program, with other names and numbers; {_SAVE_AGAIN}"),
        Format(
            "distributed",
            "a folder of torch.distributed.checkpoint",
            "a checkpoint in parts of torch.distributed; join them with torch.distributed.checkpoint.format_utils."
            "dcp_to_torch_save",
        ),
        Format(
            "config",
            "a config.json or other JSON",
            "a config without weights; give the folder, or the file of weights",
        ),
        Format(
            "pointer",
            "a pointer of Git LFS",
            "a pointer of Git LFS in place of the weights; download them with `git lfs pull`",
        ),
        Format("page", "a web page", "a web page in place of the weights; download the file itself"),
        Format("archive", "an archive: zip, tar, gzip, xz, 7z ...", f"an archive; {_UNPACK}"),
        Format("empty", "an empty file", "damaged or not a file of weights (it is empty); download or export it again"),
        Format(
            "unknown",
            "anything else",
            "damaged or not a file of weights (its first bytes are unknown); download or export it again",
        ),
        Format(
            "cut zip",
            "a file of torch.save, or a zip, without its end",
            "damaged or not a file of weights (its end is missing); download or export it again",
        ),
        Format(
            "bare folder",
            "a folder without any of these",
            "a folder without best.safetensors, model.safetensors or pytorch_model.bin; give a file of weights",
        ),
        Format(
            "new run",
            "the folder of a run whose first epoch has not ended",
            "a run's folder without a checkpoint; a run has one after its first epoch",
        ),
    )
}

_HUB_FILES = ("model.safetensors", "pytorch_model.bin")  # the order in which their own libraries look
_HUB_NAMES = tuple(name + end for name in _HUB_FILES for end in ("", ".index.json"))
_PART = re.compile(r".*-(\d{5})-of-(\d{5})\.\w+")

_BEGINNINGS = (  # of files; the first that fits
    (b"version https://git-lfs.github.com/spec/", "pointer"),
    (b"L119547037146038801333356L", "other pickle"),  # torch's magic number in protocol 0 or 1
    (b"\x93NUMPY", "numpy"),
    (b"\x89HDF\r\n\x1a\n", "keras"),
    (b"GGUF", "gguf"),
    (b"\x1f\x8b", "archive"),
    (b"BZh", "archive"),
    (b"\xfd7zXZ\x00", "archive"),
    (b"7z\xbc\xaf\x27\x1c", "archive"),
    (b"\x28\xb5\x2f\xfd", "archive"),
    (b"Rar!", "archive"),
)


def recognise(path: Path, *, as_part: bool = False) -> Format:
    """The format of a path; one of `FORMATS`.

    Args: as_part: for one part of a model, its format by content.
    Raises: CheckpointError where the path does not exist, or cannot be read.
    """
    try:
        if path.is_dir():
            return FORMATS[_of_folder({file.name for file in path.iterdir()})]
        with path.open("rb") as file:
            head = file.read(512)
    except FileNotFoundError:
        raise CheckpointError(f"There is no file {path}; check the path.") from None
    except OSError as error:
        raise CheckpointError(f"{path} cannot be opened ({error.strerror}); check the path.") from None
    if not as_part and (part := _PART.fullmatch(path.name)) and int(part[2]) > 1:
        return FORMATS["part"]
    return FORMATS[_of_file(path, head)]


def refuse(path: Path, kind: Format) -> None:
    """Raises: CheckpointError, with the reason and what to do, unless the format is read."""
    if not kind.refusal:
        return
    description = kind.refusal
    if part := _PART.fullmatch(path.name):
        description = description.replace(
            "one part of a model in several files", f"part {int(part[1])} of {int(part[2])} of a model"
        )
    raise CheckpointError(f"{path} is {description}.")


def weights_in(path: Path) -> Path:
    """The file, or the index of files, that holds the weights of a folder; a file is itself.

    Raises: CheckpointError where a folder has none, and for a file that is not read here.
    """
    kind = recognise(path)
    refuse(path, kind)
    if kind.name == "run":
        return path / BEST
    return next(file for name in _HUB_NAMES if (file := path / name).is_file()) if kind.name == "folder" else path


def has_hub_name(file: Path) -> bool:
    """Whether a config in the same folder belongs to the file, by the file's name."""
    return file.name.lower() in _HUB_NAMES


def _of_folder(names: set[str]) -> str:
    if BEST in names:
        return "run"
    if names & set(_HUB_NAMES):
        return "folder"
    if SPEC in names:
        return "new run"
    if ".metadata" in names and any(name.endswith(".distcp") for name in names):
        return "distributed"
    if "flax_model.msgpack" in names:
        return "flax"
    return "keras" if names & {"saved_model.pb", "tf_model.h5"} else "bare folder"


def _of_file(path: Path, head: bytes) -> str:
    if not head:
        return "empty"
    if head.startswith(b"PK\x03\x04"):
        return _of_zip(path)
    if name := next((name for beginning, name in _BEGINNINGS if head.startswith(beginning)), None):
        return name
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") < 100_000_000:  # a header, after its length
        return "safetensors"
    if head[:1] == b"\x80" and head[1] in (2, 3):
        return "old torch"
    if head[:1] == b"\x80" and head[1] in (4, 5):
        return "other pickle"
    if head[257:262] == b"ustar":
        return "archive"
    if head[4:8] == b"TFL3":
        return "gguf"
    if head[0] == 8 and head[1:2] < b"\x20" and head[2:3] in (b"\x12", b"\x3a"):  # the version, then who made it
        return "onnx"
    text = head.lstrip().lower()
    if text.startswith((b"<!doctype html", b"<html")):
        return "page"
    return _of_json(path) if text.startswith(b"{") else "unknown"


def _of_zip(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as content:
            names = content.namelist()
            pickles = [name for name in names if name.rpartition("/")[2] == "data.pkl" and name.count("/") <= 1]
            if not pickles:
                return _of_names(names)
            with content.open(pickles[0]) as file:
                start = file.read(2)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return "cut zip"
    if f"{pickles[0].removesuffix('data.pkl')}constants.pkl" in names:
        return "torchscript"
    return "torch" if start in (b"\x80\x02", b"\x80\x03") else "other pickle"


def _of_names(names: Iterable[str]) -> str:
    names = list(names)
    if names and all(name.endswith(".npy") for name in names):
        return "numpy"
    if any(name.endswith(".weights.h5") for name in names):
        return "keras"
    return (
        "exported"
        if any(name.endswith(("archive_format", "serialized_exported_program.json")) for name in names)
        else "archive"
    )


def _of_json(path: Path) -> str:
    try:
        document = parse_json(path.read_bytes())
    except (OSError, ValueError):
        return "unknown"
    return "index" if isinstance(document, dict) and isinstance(document.get("weight_map"), dict) else "config"
