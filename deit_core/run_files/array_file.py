"""Arrays in the folder of a run, with facts on them and a hash: written whole, and read with every name, type and shape
checked before an array is loaded.

Knows arrays and files; nothing of what they mean. Loads no torch.
"""

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from deit_core.errors import RunError
from deit_core.files import write_atomically

_MOST_FACTS_BYTES = 2**24  # the names of 50,000 classes

Arrays = Mapping[str, NDArray[Any]]
Content = TypeVar("Content")


class Shape(NamedTuple):
    """Of an array in a file. `dtype` is safetensors' word, such as F32."""

    dtype: str
    sides: tuple[int, ...]


class Kind(NamedTuple):
    """A kind of file. `key` stands in its metadata, `what` in messages, a plural."""

    key: str
    what: str


def write_arrays(path: Path, kind: Kind, arrays: Arrays, facts: str, *, makes_folder: bool = True) -> None:
    """Write a file, whole or not at all, as `write_atomically` does."""
    whole = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    metadata = {kind.key: facts, _hash_key(kind): _hash(whole, facts)}
    write_atomically(path, save(whole, metadata=metadata), makes_folder=makes_folder)


def read_arrays(
    path: Path,
    kind: Kind,
    check: Callable[[str, Mapping[str, Shape]], None],
    make: Callable[[str, Arrays, str], Content],
) -> Content:
    """Read a file.

    Args:
        check: is given the facts and the shapes by name, before an array is loaded. Raises: ValueError.
        make: gives the content, of the facts, the arrays and their hash. Raises: ValueError.
    Raises: RunError, one sentence, where there is no file, or it is damaged or was not written here.
    """
    if not path.is_file():
        raise RunError(f"There are no {kind.what} at {path}; {_remedy(path, 'makes')}.")
    try:
        _check_length(path)
        with safe_open(path, framework="np") as content:
            metadata = content.metadata() or {}
            if kind.key not in metadata:
                raise ValueError("it was written by another program")
            facts = metadata[kind.key]
            names = list(content.keys())
            check(facts, {name: _shape(content, name) for name in names})
            arrays = {name: content.get_tensor(name) for name in names}
        found = _hash(arrays, facts)
        if metadata.get(_hash_key(kind)) != found:
            raise ValueError("its content is not what was written")
        return make(facts, arrays, found)
    except (OSError, ValueError, SafetensorError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise RunError(
            f"{path} is damaged or holds no {kind.what} of DeiT Lab ({reason}); {_remedy(path, 'writes')} again."
        ) from error


def check_finite(arrays: Arrays) -> None:
    """Raises: ValueError where a number is none."""
    if not all(np.isfinite(array).all() for array in arrays.values()):
        raise ValueError("a number in it is not finite")


def _remedy(path: Path, verb: str) -> str:
    return f"`python -m deit_core predict {path.parent.name}` {verb} them"


def _check_length(path: Path) -> None:
    """The facts are read as a whole, so they must be short."""
    with path.open("rb") as file:
        if int.from_bytes(file.read(8), "little") > _MOST_FACTS_BYTES:
            raise ValueError("its first part is too long")


def _shape(content: Any, name: str) -> Shape:
    array = content.get_slice(name)
    return Shape(array.get_dtype(), tuple(array.get_shape()))


def _hash_key(kind: Kind) -> str:
    return f"{kind.key}_sha256"


def _hash(arrays: Arrays, facts: str) -> str:
    digest = hashlib.sha256(facts.encode())
    for name, array in sorted(arrays.items()):
        digest.update(f"{name} {array.dtype} {array.shape} ".encode())
        digest.update(array.data)
    return digest.hexdigest()
