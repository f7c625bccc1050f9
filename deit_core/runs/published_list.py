"""`published.json`: what is published of a run, file by file.

Knows names, sizes and hashes; nothing of where the files lie.
"""

import hashlib
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from deit_core.layout import may_be_published

Key = tuple[str, int, int, int]  # tells one file from another, and from what it was before


def _known(name: str) -> str:
    if not may_be_published(name):
        raise ValueError("no file of a run has this name")
    return name


class PublishedFile(BaseModel):
    """A file by its path in the run's folder; `size` in bytes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, AfterValidator(_known)]
    size: int = Field(ge=0)
    sha256: str = Field(pattern="^[0-9a-f]{64}$")


class PublishedList(BaseModel):
    """`version` grows with each publication; `folder_id` is the runs folder that it is of, `host` its machine."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int = Field(ge=1)
    folder_id: str
    host: str
    files: tuple[PublishedFile, ...]

    @model_validator(mode="after")
    def _check_names(self) -> "PublishedList":
        if len({file.name for file in self.files}) < len(self.files):
            raise ValueError("a name appears twice")
        return self

    def as_bytes(self) -> bytes:
        return self.model_dump_json(indent=1).encode()

    def is_newer_than(self, ours: "PublishedList | None", folder_id: str) -> bool:
        """Whether it says more than the list that the runs folder `folder_id` has."""
        if ours is None or self.version != ours.version:
            return ours is None or self.version > ours.version
        return self != ours and self.folder_id != folder_id  # two went on from the same state, and this one published


def parsed(content: bytes | None) -> PublishedList | None:
    """None where it is no such list, or names files that no run has."""
    try:
        return None if content is None else PublishedList.model_validate_json(content)
    except ValueError:
        return None


def read_list(file: Path) -> PublishedList | None:
    """The list in a run's folder; None where there is none that can be read."""
    return parsed(file.read_bytes()) if file.is_file() else None


def describe_file(name: str, path: Path, known: dict[Key, str]) -> PublishedFile:
    """Args: known: hashes of files that were described before; is added to."""
    stat = path.stat()
    key = name, stat.st_ino, stat.st_size, stat.st_mtime_ns
    if key not in known:
        known[key] = _sha256(path)
    return PublishedFile(name=name, size=stat.st_size, sha256=known[key])


def is_same(path: Path, file: PublishedFile) -> bool:
    return path.is_file() and path.stat().st_size == file.size and _sha256(path) == file.sha256


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
