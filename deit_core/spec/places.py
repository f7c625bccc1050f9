"""A spec without what it says of one machine: names of files and folders in place of their paths."""

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from deit_core.spec.data import DataSpec
from deit_core.spec.experiment import AnySpec, ExperimentSpec
from deit_core.spec.run import RunSpec
from deit_core.spec.sweep import Sweep

_ROOT = r"(?:~[\w-]*[/\\]|/|[A-Za-z]:[/\\]|\\\\)"
_QUOTED = re.compile(rf"""(?<=['"]){_ROOT}[^'"\n]+(?=['"])""")
_BEFORE = r"(?:(?<![\w./:~<\\])|(?<=:///))"
_LETTER = r"""[^\s'"`,;:()\[\]<>|/\\]"""
_SPACE = rf" (?=(?!~){_LETTER}+[/\\])"  # as in "/home/Ann Smith/animals"
_BARE = re.compile(rf"{_BEFORE}{_ROOT}(?:{_LETTER}|[/\\]|{_SPACE})+")


def without_places(spec: AnySpec) -> AnySpec:
    """The spec as others may see it: of each path that begins outside the data folder, the last part."""
    if isinstance(spec, ExperimentSpec):
        return spec.with_changes(runs=tuple(map(run_without_places, spec.runs)), sweep=_sweep(spec.sweep))
    return run_without_places(spec)


def _sweep(sweep: Sweep | None) -> Sweep | None:
    if sweep is None:
        return None
    lists = {path: values for path, values in sweep.values.items() if isinstance(values, tuple)}
    names = {path: [file_name(one) if isinstance(one, str) else one for one in lists[path]] for path in lists}
    return sweep.with_changes(values=sweep.values | names)


def run_without_places(run: RunSpec) -> RunSpec:
    """The same for one run."""
    changed: dict[str, Any] = {}
    if run.data.source == "folder":
        changed["data"] = run.data.with_changes(path=file_name(run.data.path))
    if run.distillation is not None:
        changed["distillation"] = run.distillation.with_changes(teacher=file_name(run.distillation.teacher))
    if run.initial_checkpoint:
        changed["initial_checkpoint"] = file_name(run.initial_checkpoint)
    return run.with_changes(**changed)


def file_name(path: str) -> str:
    """The last part of a path that begins at a root or a home folder; another is returned as it is."""
    is_placed = PurePosixPath(path).is_absolute() or PureWindowsPath(path).drive or path.startswith(("~", ".."))
    return (PureWindowsPath(path).name or "folder") if is_placed else path


def text_without_places(text: str, known: Iterable[Path] = ()) -> str:
    """A text, such as a message or a log, with the last part in place of each path that begins at a root.

    Args: known: folders of which more may be told: of a path inside one, the part from there on is kept.
    """
    for folder in sorted(known, key=lambda folder: len(str(folder)), reverse=True):
        text = re.sub(rf"{_BEFORE}{re.escape(str(folder))}[/\\]", "", text)
    for pattern in (_QUOTED, _BARE):
        text = pattern.sub(lambda found: file_name(found[0]), text)
    return text


def place_hash(data: DataSpec) -> str:
    """Recognises where the images are, without telling it."""
    return hashlib.sha256(data.origin.encode()).hexdigest()
