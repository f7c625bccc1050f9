"""A small file system of its own, that can be full or read-only."""

import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest


class SmallDisk:
    """A file system of 2 MB, mounted at a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
        if sys.platform != "linux" or subprocess.run(mount, capture_output=True, check=False).returncode:
            pytest.skip("only root can mount a small file system, and not everywhere")

    def fill(self) -> None:
        with (self.folder / "filler").open("wb", buffering=0) as file, suppress(OSError):
            while True:
                file.write(bytes(512))

    def make_room(self) -> None:
        (self.folder / "filler").unlink(missing_ok=True)

    def seal(self) -> None:
        """Let nobody write any more; no file may be open for writing."""
        subprocess.run(["mount", "-o", "remount,ro", str(self.folder)], check=True)

    def unseal(self) -> None:
        subprocess.run(["mount", "-o", "remount,rw", str(self.folder)], check=True)

    def unmount(self) -> None:
        subprocess.run(["umount", "--lazy", str(self.folder)], check=True)
