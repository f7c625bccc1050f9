"""What a benchmark or a test starts ends with it, whatever ends it: its own end, any signal, a closed terminal.

Servers and workers are made to outlive whoever starts them, and a process that is killed cannot tidy up. So another
one does: it waits in a session of its own until the pipe to its owner closes. Knows processes by a mark in their
environment, which they hand on to what they start themselves; nothing of what they do.
"""

import contextlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from uuid import uuid4

import psutil

_MARK = "ENDS_WITH"
_POLL_S = 0.05
_guards: list[subprocess.Popen[bytes]] = []


def end_with_me(folder: Path | None = None) -> None:
    """From now on, whatever this process starts ends with it; then `folder` is deleted."""
    os.environ[_MARK] = uuid4().hex
    command = [sys.executable, "-P", __file__, *([str(folder.resolve())] if folder else [])]
    for_guard, _ = os.pipe()  # the other end stays open, in this process alone, until it ends
    _guards.append(
        subprocess.Popen(
            command,
            cwd=Path(__file__).anchor,
            stdin=for_guard,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            creationflags=getattr(subprocess, "DETACHED_PROCESS", 0),  # the same on Windows
        )
    )
    os.close(for_guard)


def _end_all() -> None:
    """End every process with this process's own mark, and those that they start meanwhile.

    One that has ended has no mark, also while the system keeps its number for a parent that has not asked yet.
    """
    while processes := [process for process in psutil.process_iter() if _is_marked(process)]:
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        time.sleep(_POLL_S)


def _is_marked(process: psutil.Process) -> bool:
    try:
        return process.pid != os.getpid() and process.environ().get(_MARK) == os.environ[_MARK]
    except psutil.Error:  # another person's, or gone
        return False


if __name__ == "__main__":
    sys.stdin.buffer.read()  # until the owner is gone
    _end_all()
    for name in sys.argv[1:]:
        shutil.rmtree(name, ignore_errors=True)
