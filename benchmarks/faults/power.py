"""What a power cut takes: the newest writes, cut short or undone. Everything has ended by then.

Files that are renamed into place are whole or old; a disk that lies about what it has flushed leaves them cut.
"""

import random
import shutil
from pathlib import Path

from deit_core.layout import RunFiles

_FRAME_BYTES = 4096 + 24  # of SQLite's log


def newest_folder(runs_dir: Path) -> RunFiles | None:
    """The folder of the run that was saved last."""
    states = sorted(runs_dir.glob("*/state.pt"), key=lambda path: path.stat().st_mtime_ns)
    return RunFiles(states[-1].parent) if states else None


def cut(files: RunFiles, rng: random.Random) -> str:
    """Cut the newest file of a run short; of the curve, which grows, its last line. Returns what was done."""
    candidates = [files.state, files.curve, files.last, files.best, *files.epochs().values()]
    newest = max((file for file in candidates if file.exists()), key=lambda file: file.stat().st_mtime_ns)
    content = newest.read_bytes()
    begin = content[:-1].rfind(b"\n") + 1 if newest == files.curve else 0
    newest.write_bytes(content[: rng.randrange(begin, len(content))])
    return f"{newest.name} cut"


def undo(files: RunFiles) -> str:
    """Undo the newest rename of a state."""
    if not files.previous_state.exists():
        return "nothing undone"
    files.previous_state.replace(files.state)
    return "state.pt undone"


def keep_log(database: Path) -> None:
    """Keep a store's newest transactions apart; closing it merges them into the file."""
    for end in ("", "-wal"):
        shutil.copyfile(f"{database}{end}", f"{database}{end}.kept")


def cut_log(database: Path, rng: random.Random) -> str:
    """Put what was kept back, without some of the newest transactions."""
    for end in ("", "-wal"):
        Path(f"{database}{end}.kept").replace(f"{database}{end}")
    Path(f"{database}-shm").unlink(missing_ok=True)
    log = Path(f"{database}-wal")
    size = log.stat().st_size
    with log.open("r+b") as file:
        file.truncate(max(0, size - rng.randrange(3 * _FRAME_BYTES)))
    return "store cut"
