"""The spec of a teacher's run, from its folder or from the card in its file, without torch.

Knows files; a file that cannot be read so has no spec here, and whoever loads it says what is wrong with it.
"""

import json
from pathlib import Path

from deit_core.errors import SpecError
from deit_core.files import is_there
from deit_core.layout import RunFiles, run_folder
from deit_core.spec import RunSpec, load_spec

_LONGEST_HEADER = 100_000_000  # bytes, as the safetensors library reads


def read_teacher_spec(name: str, runs_dir: Path) -> RunSpec | None:
    """The spec of a teacher: a run in `runs_dir`, a run's folder, or a file with a card; None where it has none."""
    for path in (run_folder(runs_dir, name), Path(name)):
        if is_there(path):
            try:
                document = _card_spec(path) if path.is_file() else RunFiles(path).spec.read_bytes()
                spec = load_spec(document)
            except (OSError, SpecError, ValueError, KeyError, TypeError):
                return None
            return spec if isinstance(spec, RunSpec) else None
    return None


def _card_spec(file: Path) -> str:
    """The spec in the header of a file that `save_weights` wrote. Raises: ValueError, KeyError, TypeError, OSError."""
    with file.open("rb") as content:
        length = int.from_bytes(content.read(8), "little")
        if length > _LONGEST_HEADER:
            raise ValueError(f"a header of {length} bytes")
        header = json.loads(content.read(length))
    return json.dumps(json.loads(header["__metadata__"]["deit_lab"])["spec"])
