"""The program in this process: its commands as people type them, what they print, and the exit code."""

import io
import sys
from dataclasses import dataclass

import pytest

from deit_core import cli


@dataclass(frozen=True)
class Done:
    """A command that has ended; the bytes are what another program would read."""

    code: int
    stdout: bytes
    stderr: bytes

    @property
    def last_line(self) -> str:
        """The last of what it said on stderr."""
        return self.stderr.decode().rstrip().rpartition("\n")[2]


class Program:
    """Call it with the words of a command; `encoding` is that of the file or pipe into which it prints."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch

    def __call__(self, *words: str, encoding: str = "utf-8") -> Done:
        stdout, stderr = io.BytesIO(), io.BytesIO()
        with self._monkeypatch.context() as patched:
            patched.setattr(sys, "argv", ["deit_core", *words])
            patched.setattr(sys, "stdout", io.TextIOWrapper(stdout, encoding, "strict"))
            patched.setattr(sys, "stderr", io.TextIOWrapper(stderr, encoding, "strict"))
            try:
                cli.main()
                code = 0
            except SystemExit as ended:
                code = int(ended.code or 0)
            sys.stdout.flush()
            sys.stderr.flush()
            return Done(code, stdout.getvalue(), stderr.getvalue())
