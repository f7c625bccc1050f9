"""What took long to find out about a folder of images, kept beside the data by what it depends on.

A finding is a small JSON file that may be removed at any time; it is then found out again. Knows JSON and files.
"""

import hashlib
import json
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from deit_core.files import write_atomically

FINDINGS = ".findings"  # inside the data folder


def key_of(facts: Iterable[Any]) -> str:
    """A short name for facts that JSON can hold."""
    digest = hashlib.sha256()
    for fact in facts:
        digest.update(json.dumps(fact).encode() + b"\n")
    return digest.hexdigest()[:32]


def remembered(home: Path, key: str, find: Callable[[], Any]) -> Any:
    """What `find` returned for this key the last time, as JSON gives it back, or returns now."""
    file = home / f"{key}.json"
    with suppress(OSError, ValueError):  # not there, or somebody wrote into it
        return json.loads(file.read_text())
    found = find()
    with suppress(OSError):  # a data folder that may only be read
        write_atomically(file, json.dumps(found).encode())
    return found
