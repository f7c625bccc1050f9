"""Results about a folder of images that took long to compute, kept next to the data by what they depend on.

A finding is a small JSON file. It can be removed at any time; it is then computed again. Knows JSON and files.
"""

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from deit_core.files import write_atomically
from deit_core.text.json_text import parse_json

FINDINGS = ".findings"  # inside the data folder
_SETTLED_NS = 2 * 10**9  # the resolution of file times: a file may change again without a new time


def key_of(facts: Iterable[Any]) -> str:
    """A short name for facts that JSON can hold."""
    digest = hashlib.sha256()
    for fact in facts:
        digest.update(json.dumps(fact).encode() + b"\n")
    return digest.hexdigest()[:32]


def remembered(home: Path, key: str, find: Callable[[], Any]) -> Any:
    """The last result of `find` for this key, as JSON gives it back, else its result now."""
    file = home / f"{key}.json"
    with suppress(OSError, ValueError):  # missing, or changed by hand
        return parse_json(file.read_text())
    finding = find()
    with suppress(OSError):  # a read-only data folder
        write_atomically(file, json.dumps(finding).encode())
    return finding


def found_once(what: str, root: Path, files: Sequence[Path], data_dir: Path | None, find: Callable[[], Any]) -> Any:
    """The result of `find` for the files, computed again if one has another size or time, is new, or is gone.

    Args: data_dir: where results are kept; None keeps nothing.
    """
    stamps = [_stamp(file) for file in files]
    now = time.time_ns()
    if data_dir is None or any(abs(now - changed_ns) < _SETTLED_NS for _, changed_ns in stamps):
        return find()
    names = (os.fspath(file).removeprefix(os.fspath(root)) for file in files)
    return remembered(data_dir / FINDINGS, key_of([what, *zip(names, stamps, strict=True)]), find)


def _stamp(file: Path) -> tuple[int, int]:
    """Size and time of the last change; of a missing file, values that no file has."""
    try:
        facts = file.stat()
    except OSError:
        return -1, -1
    return facts.st_size, facts.st_mtime_ns
